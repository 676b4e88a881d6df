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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from riskcalc.notebooks import Value
from riskcalc.outputs import write_whole

_ENDINGS = (".html", ".ipynb", ".json")
# What an outcome leaves: a failed notebook shows where it stopped; a process that died may have left half a file.
_LEAVES = {"ok": _ENDINGS, "failed": (".ipynb",)}
_TAIL = 2000  # characters of a dead process's last words that are kept


@dataclass(frozen=True)
class Job:
    """A notebook to run with parameters; its outputs are ``folder/stem.html``, ``.ipynb`` and ``.json``.

    ``expects`` are values that the notebook's result must have: the proof that it ran for the right unit.
    """

    unit_id: str
    notebook: str
    parameters: dict[str, Value]
    folder: str
    stem: str
    timeout: float
    expects: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a job ended (``ok``, ``failed``, ``timeout`` or ``died``), which files it left, and why it failed."""

    status: str
    seconds: float
    files: tuple[str, ...] = ()
    error: str | None = None


class Engine(Protocol):
    """A way of running jobs; may be called from several threads at once."""

    def __call__(self, job: Job) -> Outcome:
        """Run a job to its end, whatever that is."""
        ...

    def stop(self) -> None:
        """End all that is running, and start nothing more."""
        ...


class StockEngine:
    """A fresh Python process per job (``riskcalc.worker``), in which papermill's own engine runs the notebook."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __call__(self, job: Job) -> Outcome:
        """Run a job in its own process group; its outputs appear only when it has ended, each of them whole."""
        began = time.monotonic()
        try:
            status, error, files = self._run(job, Path(job.folder))
        except OSError as trouble:
            status, error, files = "failed", f"can't write to {job.folder}: {trouble.strerror}", ()
        return Outcome(status, round(time.monotonic() - began, 2), files, error)

    def stop(self) -> None:
        """End every running process with all its children."""
        with self._lock:
            self._stopped = True
            for pid in self._running:
                _kill_family(pid)

    def _run(self, job: Job, folder: Path) -> tuple[str, str | None, tuple[str, ...]]:
        work = Path(tempfile.mkdtemp(prefix=".work-", dir=folder))
        try:
            status, error = self._watch(job, work)
            return status, error, _publish(work, folder, job.stem, _LEAVES.get(status, ()))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _watch(self, job: Job, work: Path) -> tuple[str, str | None]:
        (work / "job.json").write_text(json.dumps(asdict(job)), "utf-8")
        with open(work / "log", "wb") as log:
            with self._lock:
                if self._stopped:
                    return "died", "stopped before it began"
                process = subprocess.Popen(  # noqa: S603 - our own worker, no shell
                    [sys.executable, "-m", "riskcalc.worker", str(work), str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env={**os.environ, "JUPYTER_PREFER_ENV_PATH": "1"},
                )
                self._running.add(process.pid)
            try:
                code = process.wait(job.timeout)
            except subprocess.TimeoutExpired:
                _kill_family(process.pid)
                process.wait()
                return "timeout", f"still running after {job.timeout:g} s"
            finally:
                with self._lock:
                    self._running.discard(process.pid)
        return _told(work, code)


def _told(work: Path, code: int) -> tuple[str, str | None]:
    """What the worker said of its job; a worker that said nothing has died."""
    try:
        said = json.loads((work / "outcome.json").read_text("utf-8"))
        return said["status"], said["error"]
    except (OSError, ValueError, KeyError):
        last_words = (work / "log").read_text("utf-8", "replace")[-_TAIL:].strip().rpartition("\n")[2]
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return "died", f"{how}; {last_words}" if last_words else how


def _publish(work: Path, folder: Path, stem: str, leaves: tuple[str, ...]) -> tuple[str, ...]:
    """Move the outputs into place; what a former run left and this one doesn't is taken away, not passed off."""
    published = []
    for ending in _ENDINGS:
        made, target = work / f"output{ending}", folder / f"{stem}{ending}"
        if ending in leaves and made.is_file():
            write_whole(target, made.read_bytes())
            published.append(target.name)
        else:
            target.unlink(missing_ok=True)
    return tuple(published)


def _kill_family(pid: int) -> None:
    """Kill a process and all its descendants: a kernel has a session of its own, so its group isn't enough."""
    try:
        parent = psutil.Process(pid)
        family = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
