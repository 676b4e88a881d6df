"""``papermill --engine riskcalc``: cells run in a process forked from one that has imported everything already.

That process is made for notebooks that use riskcalc: other notebooks are refused, as they may see that what they rely
on (charts' and threads' settings, a kernel's files and signals) isn't as in a kernel of theirs.

Papermill loads its engines while it is itself still being imported, so this module must not import it at the top.
"""

from __future__ import annotations

import atexit
import os
import re
import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat

from riskcalc.errors import ForkError
from riskcalc.run.forkserver import ForkServer

_LANGUAGE = {"kernelspec": "language", "language_info": "name"}  # where a notebook says what its code is
_REFUSED = "--engine riskcalc runs Python notebooks that import riskcalc; leave the option away for this one."
_BEAT = "beat"  # a file that is touched before each cell


class Forked:
    """The engine as papermill asks for it; where processes can't be forked, papermill's own."""

    @staticmethod
    def execute_notebook(nb: Any, kernel_name: str, **options: Any) -> Any:
        """Run a notebook's cells in a process of its own, which ends with it."""
        return _engine().execute_notebook(nb, kernel_name, **options)

    @staticmethod
    def nb_kernel_name(nb: Any, name: str | None = None) -> Any:
        """As papermill's own."""
        return _engine().nb_kernel_name(nb, name)

    @staticmethod
    def nb_language(nb: Any, language: str | None = None) -> Any:
        """As papermill's own."""
        return _engine().nb_language(nb, language)


def warm_up() -> None:
    """Import what children need."""
    from riskcalc.run.worker import warm_up

    warm_up()


def forked(folder: Path) -> None:
    """Run the cells of in.ipynb, saving out.ipynb once a second at most, and at the end; the child's side."""
    from papermill.engines import NotebookExecutionManager

    from riskcalc.run.cells import InPlace

    class Watched(NotebookExecutionManager):  # type: ignore[misc]
        saved = 0.0

        def save(self, **given: Any) -> None:
            """Tell that another cell begins; to save the whole notebook takes longer than most cells do."""
            (folder / _BEAT).touch()
            if time.monotonic() - self.saved >= 1:
                super().save(**given)
                self.saved = time.monotonic()

    notebook = nbformat.read(folder / "in.ipynb", as_version=4)
    watched = Watched(notebook, output_path=str(folder / "out.ipynb"), progress_bar=False)
    InPlace.execute_managed_notebook(watched, "python3")
    watched.saved = 0.0
    watched.save()


@cache
def _engine() -> Any:
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.engines import NBClientEngine
    from papermill.exceptions import PapermillException

    class Engine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(
            cls, nb_man: Any, kernel_name: str, execution_timeout: float | None = None, **options: Any
        ) -> None:
            if not (_is_python(kernel_name) and _uses_riskcalc(nb_man.nb)):
                raise PapermillException(_REFUSED)
            try:
                server = _forkserver(os.getpid())
                server.ready()
            except ForkError:
                super().execute_managed_notebook(nb_man, kernel_name, execution_timeout=execution_timeout, **options)
                return
            with TemporaryDirectory(prefix="riskcalc-") as folder:
                source, target = Path(folder, "in.ipynb"), Path(folder, "out.ipynb")
                nbformat.write(nb_man.nb, source)
                child = server.start(Path(folder))
                late = _watched(child, Path(folder, _BEAT), execution_timeout)
                if target.exists():
                    done = nbformat.read(target, as_version=4)
                    nb_man.nb.cells, nb_man.nb.metadata = done.cells, done.metadata
                if late:
                    raise CellTimeoutError(f"A cell still ran after {execution_timeout:g} s.")
                if child.code.result():
                    raise DeadKernelError(f"Kernel died: exit code {child.code.result()}")

    return Engine


def _is_python(kernel: str) -> bool:
    """Whether a kernel, which may have been chosen by ``-k``, runs Python; raises NoSuchKernel as papermill does."""
    from jupyter_client.kernelspec import get_kernel_spec

    return str(get_kernel_spec(kernel).language).lower() == "python"


def _uses_riskcalc(notebook: Any) -> bool:
    named = [notebook.metadata.get(part, {}).get(name) for part, name in _LANGUAGE.items()]
    python = all(each in (None, "python") for each in named)
    imports = r"(?m)^\s*(import|from)\s+riskcalc\b"
    return python and any(cell.cell_type == "code" and re.search(imports, cell.source) for cell in notebook.cells)


def _watched(child: Any, beat: Path, timeout: float | None) -> bool:
    """Wait for a child, which touches ``beat`` before each cell; kill it if a cell takes longer than ``timeout``."""
    while True:
        try:
            child.wait(1.0)
            return False
        except TimeoutError:
            if timeout and beat.exists() and time.time() - beat.stat().st_mtime > timeout:
                child.kill()
                child.wait(10)
                return True


@cache
def _forkserver(pid: int) -> ForkServer:  # noqa: ARG001 - a forked process can't use its parent's
    server = ForkServer("riskcalc.run.papermill_engine", Path(os.devnull))
    atexit.register(server.close)
    return server
