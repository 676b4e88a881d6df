"""One job in a process of its own: started, watched, and its outcome told from what was seen of it.

This is where another way of running plugs in: ``batch`` needs a callable from Job to Outcome with a ``stop``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from riskcalc.errors import ForkError
from riskcalc.run.descendants import end_family, memory
from riskcalc.run.forkserver import ForkServer

if TYPE_CHECKING:
    from riskcalc.notebook_files import Value

ENDINGS = (".html", ".ipynb", ".json")
FORMATS = (".static.html", ".pptx")  # what a job may be asked for besides
# What an outcome leaves: a failed notebook shows where it stopped; a process that died may have left half a file.
_LEAVES = {"ok": ENDINGS, "failed": (".ipynb",)}
_TOLD = ("parameters", "expects", "formats")  # what its process is told of a job, besides the notebook
_TAIL = 2000  # characters of a dead process's last words that are kept
_MOST_SAID = 100_000  # bytes of what a process says of itself that are read: a notebook can write there, too
_PATIENCE = 10.0  # seconds for a killed process to be gone
_STOPPED = "stopped before it began"
_LOOK = 0.5  # seconds between two looks at a process's memory; each goes through all processes there are


@dataclass(frozen=True)
class Job:
    """A notebook to run with parameters, and within which limits.

    ``notebook`` is its text, ``share`` writes what it needs of the register (``subsets.pack``); ``expects`` are values
    that the notebook's result must have: the proof that it ran for the right unit. ``timeout`` is in seconds,
    ``memory`` in MB. ``formats``, of ``FORMATS``, are wanted besides page, notebook and results.
    """

    unit_id: str
    notebook: str
    parameters: dict[str, Value]
    timeout: float
    memory: float
    expects: dict[str, str] = field(default_factory=dict)
    share: Callable[[IO[bytes]], None] | None = None
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a job ended (``ok``, ``failed``, ``timeout`` or ``died``), why it failed, and its files by their ending."""

    status: str
    seconds: float
    files: dict[str, bytes] = field(default_factory=dict)
    error: str | None = None


class Engine(Protocol):
    """A way of running jobs; may be called from several threads at once."""

    def __call__(self, job: Job) -> Outcome:
        """Run a job to its end, whatever that is."""
        ...

    def stop(self) -> None:
        """End all that is running, and start nothing more."""
        ...


class Running(Protocol):
    """A process that was started for a job."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    def wait(self, timeout: float) -> int:
        """Its exit code; raises TimeoutError if it still runs after ``timeout`` seconds."""
        ...

    def kill(self) -> bool:
        """End it, and what it started; False if it has ended by itself."""
        ...


class _Processes:
    """What both engines share: a folder and a process per job, watched until it ends or has to be ended.

    No more than ``most`` run at once, if that is given: other threads get jobs ready, and put away what they left.
    """

    _supervised = False  # whether the process that is started only supervises the one that works

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self._free: AbstractContextManager[object] = threading.Semaphore(most) if most else nullcontext()
        self._home = Path(tempfile.mkdtemp(prefix="riskcalc-"))
        self._running: set[Running] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __call__(self, job: Job) -> Outcome:
        """Run a job in its own process."""
        try:
            return self._run(job)
        except OSError as trouble:
            return Outcome("failed", 0.0, {}, f"can't write to {self._home}: {trouble.strerror}")

    def stop(self) -> None:
        """End every running process with all its children, and remove what they left."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()
        shutil.rmtree(self._home, ignore_errors=True)

    def _start(self, work: Path) -> Running:
        raise NotImplementedError

    def _run(self, job: Job) -> Outcome:
        if self._stopped:
            return Outcome("died", 0.0, error=_STOPPED)
        work = Path(tempfile.mkdtemp(dir=self._home))
        try:
            _put_down(job, work)
            with self._free:
                began = time.monotonic()
                status, error = self._to_its_end(job, work)
                seconds = round(time.monotonic() - began, 2)
            made = {ending: work / f"output{ending}" for ending in _leaves(status, job)}
            files = {ending: path.read_bytes() for ending, path in made.items() if path.is_file()}
            return Outcome(status, seconds, files, error)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _to_its_end(self, job: Job, work: Path) -> tuple[str, str | None]:
        with self._lock:
            if self._stopped:
                return "died", _STOPPED
            process = self._start(work)
            self._running.add(process)
        try:
            return self._watch(process, job, work)
        finally:
            with self._lock:
                self._running.discard(process)

    def _watch(self, process: Running, job: Job, work: Path) -> tuple[str, str | None]:
        """Wait for a process; end it when its time is up, or it takes more memory than it may.

        One that has ended by itself meanwhile is told by that: its supervisor's memory may be another's by now.
        """
        deadline = time.monotonic() + job.timeout
        while True:
            left = deadline - time.monotonic()
            with suppress(TimeoutError):
                return _told(work, process.wait(max(0.0, min(_LOOK, left))))
            if left <= 0 and _end(process):
                return "timeout", f"still running after {job.timeout:g} s{_place(work)}"
            used = memory(process.pid, itself=not self._supervised)
            if used > job.memory and _end(process):
                return "died", f"used {used:,.0f} MB of memory, more than {job.memory:,.0f} MB{_place(work)}"


class StockEngine(_Processes):
    """A fresh Python process per job (``kernel_worker``), in which papermill's own engine runs the notebook."""

    def _start(self, work: Path) -> Running:
        with open(work / "stdout", "wb") as stdout, open(work / "stderr", "wb") as stderr:
            return _Started(
                subprocess.Popen(  # noqa: S603 - our own worker, no shell
                    [sys.executable, "-m", "riskcalc.run.kernel_worker", str(work), str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,
                    env={**os.environ, "JUPYTER_PREFER_ENV_PATH": "1"},
                )
            )


class ForkEngine(_Processes):
    """A process per job, forked from one that has imported everything already."""

    _supervised = True

    def __init__(self, most: int | None = None) -> None:
        super().__init__(most)
        self._forkserver = ForkServer("riskcalc.run.worker", self._home)

    def ready(self) -> None:
        """Wait until jobs can be run; raises ForkError, with the reason, if they can't be."""
        self._forkserver.ready()

    def stop(self) -> None:
        """End every running process, and the one that they are forked from."""
        super().stop()
        self._forkserver.close()

    def _start(self, work: Path) -> Running:
        with suppress(ForkError):
            if self._forkserver.alive:
                return self._forkserver.start(work)
        self._forkserver.close()  # somebody killed it, with all its children: the other jobs get a new one
        self._forkserver = ForkServer("riskcalc.run.worker", self._home)
        return self._forkserver.start(work)


def on_this_machine(name: str) -> Engine:
    """The engine fork, stock or auto, ready for jobs; raises ForkError for ``fork`` where that can't be had."""
    if name == "stock":
        return StockEngine()
    engine = ForkEngine()
    try:
        engine.ready()
    except ForkError:
        engine.stop()
        if name == "fork":
            raise
        return StockEngine()
    return engine


def available_processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(eq=False)
class _Started:
    """A process of subprocess, as ``Running``."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self, timeout: float) -> int:
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None

    def kill(self) -> bool:
        ran = self.process.poll() is None
        if ran:
            end_family(self.pid)
        return ran


def _leaves(status: str, job: Job) -> tuple[str, ...]:
    return (*_LEAVES.get(status, ()), *(job.formats if status == "ok" else ()))


def _put_down(job: Job, work: Path) -> None:
    """Write a job where its process finds it."""
    (work / "in.ipynb").write_text(job.notebook, "utf-8")
    (work / "job.json").write_text(json.dumps({name: getattr(job, name) for name in _TOLD}), "utf-8")
    if job.share:
        with open(work / "share", "wb") as file:
            job.share(file)


def _told(work: Path, code: int) -> tuple[str, str | None]:
    """What the worker said of its job; a worker that said nothing, or nonsense, has died."""
    try:
        said = json.loads(_read(work / "outcome.json"))
        status, error = said["status"], said["error"]
        if status in ("ok", "failed", "died") and isinstance(error, str | None):
            return status, error
        nonsense = "; it left nonsense as its outcome"
    except (ValueError, KeyError, TypeError, RecursionError):
        nonsense = ""
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    last_words = _read(work / "stderr", last=_TAIL).strip().rpartition("\n")[2]
    return "died", f"{how}{_place(work)}{nonsense}" + (f"; {last_words}" if last_words else "")


def _place(work: Path) -> str:
    """Which cell ran last, as far as its process could say."""
    at = _read(work / "cell")
    return f", in {at}" if at else ""


def _read(file: Path, last: int = 0) -> str:
    """The beginning of a text, or its ``last`` bytes; "" if there is none, or it is a pipe, to be waited for."""
    if not file.is_file():
        return ""
    with open(file, "rb") as content:
        content.seek(max(0, file.stat().st_size - last) if last else 0)
        return content.read(last or _MOST_SAID).decode("utf-8", "replace")


def _end(process: Running) -> bool:
    killed = process.kill()
    if killed:
        with suppress(TimeoutError):
            process.wait(_PATIENCE)
    return killed
