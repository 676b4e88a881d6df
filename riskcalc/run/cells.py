"""A notebook's cells run in this very process: where papermill's client expects a kernel, it gets an IPython shell.

For a process that runs one notebook and ends, such as those that ``forkserver`` forks: what the cells do to their
process stays done. Everything that makes outputs of messages is papermill's and nbclient's own, so that the outputs are
those of a kernel; two things differ: widgets keep no state, and ``input()`` finds nobody to ask.
"""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import nbformat
from ipykernel.compiler import XCachingCompiler
from ipykernel.ipkernel import IPythonKernel
from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session
from nbformat import v4
from nbformat.v4 import nbbase
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager
from papermill.log import logger
from traitlets.config import Config

from riskcalc.pages.frames import teach
from riskcalc.run.notebook_json import writes_json

MOST_TEXT = 20 * 2**20  # characters that a notebook may print, all cells together


_OUTPUTS = ("stream", "display_data", "execute_result", "error")
_CELL: dict[str, Any] = {"cell_type": "code", "id": "x", "execution_count": None, "metadata": {}, "source": ""}
_by_itself = nbbase.validate


def _validate(node: Any, ref: str | None = None) -> None:
    """As nbformat's, whose check is compiled for whole notebooks alone: an output in one takes a third of the time."""
    if ref in _OUTPUTS:
        book = {"cells": [{**_CELL, "outputs": [node]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        with suppress(nbformat.ValidationError):
            nbformat.validate(book)
            return
    _by_itself(node, ref)


nbbase.validate = _validate
v4.writes_json = writes_json


class InPlace(NBClientEngine):  # type: ignore[misc]
    """A papermill engine without a kernel; takes the options of papermill's own but for those of kernels."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, log_output: bool = False, **options: Any
    ) -> Any:
        """Run the notebook's cells here."""
        known = {name: value for name, value in options.items() if PapermillNotebookClient.class_traits().get(name)}
        return _Client(nb_man, kernel_name=kernel_name, log=logger, log_output=log_output, **known).execute()


def new_shell() -> Any:
    """The process's IPython shell, without a history, whose file would need a thread."""
    quiet = Config({"HistoryManager": {"enabled": False}})
    shell = ZMQInteractiveShell.instance(config=quiet, compiler_class=XCachingCompiler)
    teach(shell)
    return shell


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Papermill's client, talking to a shell."""

    @contextmanager
    def setup_kernel(self, **_: Any) -> Iterator[None]:
        """A shell for the time of a notebook, in the place of a kernel."""
        self.kc = _Shell()
        yield


class _Shell:
    """What nbclient asks of a kernel's client, answered by an IPython shell in this process."""

    def __init__(self) -> None:
        self.shell_channel, self.iopub_channel = _Channel(), _Channel()
        self._session = _Session(self.iopub_channel.append)
        self._shell = new_shell()
        self._publishers = (self._shell.display_pub, self._shell.displayhook)
        for publisher in self._publishers:
            publisher.session, publisher.pub_socket = self._session, self
        self._parent: dict[str, Any] = {}
        self._left = MOST_TEXT
        sys.stdout, sys.stderr = _Text("stdout", _Below(1), self._print), _Text("stderr", _Below(2), self._print)

    def is_alive(self) -> bool:
        """Whoever can ask is alive."""
        return True

    def kernel_info(self) -> str:
        """Answer what language this is; returns the id of the question."""
        info = {**IPythonKernel.language_info, "version": sys.version.split()[0]}
        return self._reply(self._session.msg("kernel_info_request"), {"language_info": info})

    async def execute(self, code: str, **_: Any) -> str:
        """Run a cell to its end; returns the id of the request that its messages belong to."""
        request = self._session.msg("execute_request", {"code": code})
        self._parent = request["header"]
        for publisher in self._publishers:
            publisher.set_parent(request)
        self._publish("execute_input", {"code": code, "execution_count": self._shell.execution_count})
        content = await self._run(code)
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except RuntimeError as error:  # too much came from below: the cell itself hasn't noticed
            content = {"status": "error", "ename": "RuntimeError", "evalue": str(error), "traceback": [str(error)]}
            self._publish("error", content)
        self._publish("status", {"execution_state": "idle"})
        return self._reply(request, content)

    async def _run(self, code: str) -> dict[str, Any]:
        shell, broken = self._shell, None
        try:
            transformed = shell.transform_cell(code)
        except Exception:  # noqa: BLE001 - IPython shows it in the cell, as it does any other
            transformed, broken = code, sys.exc_info()
        result = await shell.run_cell_async(
            code, store_history=True, transformed_cell=transformed, preprocessing_exc_tuple=broken
        )
        shell.events.trigger("post_execute")
        shell.events.trigger("post_run_cell", result)
        if result.success and not getattr(shell, "_last_traceback_during_displayhook", False):
            return {"status": "ok", "execution_count": shell.execution_count - 1}
        error = result.error_before_exec or result.error_in_exec
        traceback = getattr(shell, "_last_traceback", None) or []
        return {"status": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": traceback}

    def _print(self, name: str, text: str) -> None:
        if not text:
            return
        self._left -= len(text)
        if self._left < 0:
            raise RuntimeError(f"The notebook prints more than {MOST_TEXT / 2**20:.0f} MB.")
        self._publish("stream", {"name": name, "text": text})

    def _publish(self, kind: str, content: dict[str, Any]) -> None:
        self._session.send(self, kind, content, self._parent)

    def _reply(self, request: dict[str, Any], content: dict[str, Any]) -> str:
        self.shell_channel.append(self._session.msg("reply", content, request))
        return str(request["header"]["msg_id"])


class _Session(Session):  # type: ignore[misc]
    """A session whose messages go into a list."""

    def __init__(self, take: Callable[[dict[str, Any]], object]) -> None:
        super().__init__()
        self._take = take

    def send(
        self, _: Any, msg_or_type: Any, content: Any = None, parent: Any = None, *__: Any, **___: Any
    ) -> dict[str, Any]:
        """Take a message, or make one and take it, as it would come out of a socket: of JSON's own types."""
        made = msg_or_type if isinstance(msg_or_type, dict) else self.msg(msg_or_type, content, parent)
        self._take({**made, "content": self.unpack(self._packed(made["content"]))})
        return dict(made)

    def _packed(self, content: Any) -> bytes:
        """As text; what no text can hold (half of a pair of surrogates) is a question mark, as on a terminal."""
        try:
            return bytes(self.pack(content))
        except UnicodeEncodeError:
            return json.dumps(content, default=json_default, ensure_ascii=False).encode("utf-8", "replace")


class _Channel(deque[dict[str, Any]]):
    """Messages that have come and that nobody has read yet."""

    def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # noqa: ARG002 - nothing is ever late here
        """The next message."""
        return self.popleft()


class _Text(io.TextIOBase):
    """What cells print, passed on whenever something else is to be shown after it."""

    def __init__(self, name: str, below: _Below, pass_on: Callable[[str, str], None]) -> None:
        self._name, self._below, self._pass_on = name, below, pass_on
        self._waiting: list[str] = []
        self._length = 0

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As a kernel's."""
        return "UTF-8"

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Take text; a great deal is passed on at once, so that too much is noticed while it comes."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._name == "stderr":
            sys.stdout.flush()
        self._waiting.append(text)
        self._length += len(text)
        if self._length > 2**20:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Pass on what waits, and what came from below."""
        text, self._waiting, self._length = "".join(self._waiting), [], 0
        self._pass_on(self._name, text + self._below.news())


class _Below:
    """What comes out of a file descriptor without passing through Python: of programs that a cell starts."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._seen = self._size()

    def news(self) -> str:
        """The text that was written since the last time, as far as it may be shown."""
        size, start = self._size(), self._seen
        if size <= start:
            return ""
        self._seen = size
        return os.pread(self._descriptor, min(size - start, MOST_TEXT + 1), start).decode("utf-8", "replace")

    def _size(self) -> int:
        """How long the file is that the descriptor writes to; 0 if it is none."""
        status = os.fstat(self._descriptor)
        return status.st_size if stat.S_ISREG(status.st_mode) else 0
