"""A process that has imported everything once and forks itself for each job: a job starts in milliseconds, has a
process of its own, and leaves nothing behind for the next.

``ForkServer`` is the side that asks; ``main`` is the other: ``python -m riskcalc.run.forkserver``, a line per request
on its standard input, a line per answer on its standard output, no thread. The standard library's fork server would
import the caller's own script again in every child, refuses to serve daemonic processes (as Dask's workers are), and
lets threads that wait for several children take each other's exit codes.

Between the two stand supervisors, which run nothing of the user's: each forks one job after the other. However a job
ends, its supervisor ends what the job has left running, and tells how it ended.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

with suppress(ImportError):  # not on Windows, where nothing is forked
    import resource

from riskcalc.errors import ForkError
from riskcalc.imports import without_grammar
from riskcalc.run.descendants import become_subreaper, end_children, end_family, end_with_parent

# Before anything is imported: a process with threads can't be forked.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's allocator; pandas imports it where it is installed
}
_LARGEST_FILE = 2**30  # bytes; a job that writes without end fails before the disk is full
_AWAITED = {signal.SIGCHLD, signal.SIGTERM} if hasattr(signal, "SIGCHLD") else set()
_PATIENCE = 2.0  # seconds for the forking process to end by itself: what its children took of a processor is known then
_GONE = 0.5  # seconds for a thread that has ended to be gone
_ANSWER = 60.0  # seconds for the forking process to answer; it takes milliseconds


@dataclass(eq=False)
class Child:
    """A job's process: the id of its supervisor, and its exit code as it will be (negative: killed by that signal)."""

    pid: int
    lock: threading.Lock
    code: Future[int] = field(default_factory=Future)
    killed: bool = False  # and its supervisor with it

    def wait(self, timeout: float) -> int:
        """The exit code; raises TimeoutError if the child still runs after ``timeout`` seconds."""
        return self.code.result(timeout)

    def kill(self) -> bool:
        """End the child, and what it started; False if it has ended by itself: its supervisor may be another's then."""
        with self.lock:
            self.killed = not self.code.done()
        if self.killed:
            end_family(self.pid)
        return self.killed


class ForkServer:
    """Starts the forking process, which ends with this one, and asks it for children; safe from several threads."""

    def __init__(self, target: str, home: Path) -> None:
        """``target`` names a module with ``warm_up()``, called once, and ``forked(folder)``, called by each child.

        ``home`` is the folder of the folders; should this process be killed, the other removes it. Returns at once,
        while the other process imports; ``ready`` waits for it.
        """
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", "riskcalc.run.forkserver", target, str(home), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
            env={**os.environ, **_ENVIRONMENT},
        )
        self._started: dict[str, Future[Child]] = {}
        self._children: dict[int, Child] = {}
        self._idle: list[int] = []
        self._lock = threading.Lock()
        self._listening = False

    def ready(self) -> None:
        """Wait until children can be had; raises ForkError, with the reason, if that can't be."""
        with self._lock:
            if self._listening:
                return
            if not sys.platform.startswith("linux"):
                raise ForkError("processes are forked on Linux only")
            answer = self._answers().readline().strip()
            if answer == "ready":
                threading.Thread(target=self._listen, daemon=True).start()
                self._listening = True
                return
        self.close()
        raise ForkError(answer or "the process that should fork ended")

    def start(self, folder: Path) -> Child:
        """A child that runs the target with ``folder``; what it prints goes to ``stdout`` and ``stderr`` in there.

        Raises ForkError if the forking process has ended, or doesn't answer (a job may have stopped it): then it is
        ended, with all its children.
        """
        self.ready()
        with self._lock:
            started = self._started[str(folder)] = Future()
            try:
                idle = self._idle.pop() if self._idle else 0
                self._requests().write(json.dumps([str(folder), idle]) + "\n")
                self._requests().flush()
            except (OSError, ValueError):  # the second: it was closed
                started.set_exception(ForkError("the process that forks has ended"))
        try:
            return started.result(_ANSWER)
        except TimeoutError:
            self.close()
            raise ForkError("the process that forks didn't answer") from None

    def close(self) -> None:
        """End the forking process and all its children."""
        for child in list(self._children.values()):
            end_family(child.pid)
        with suppress(OSError):
            self._requests().close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE if self._listening else 0)
        self._process.kill()
        self._process.wait()
        if not self._listening:
            self._answers().close()

    @property
    def alive(self) -> bool:
        """Whether it can still fork."""
        return self._process.poll() is None

    def _listen(self) -> None:
        for line in self._answers():
            answer = json.loads(line)
            pid = answer["pid"]
            if "folder" in answer:
                child = self._children[pid] = Child(pid, self._lock)
                self._started.pop(answer["folder"]).set_result(child)
                continue
            with self._lock:
                self._idle = [one for one in self._idle if one != pid]
                if pid in self._children:  # else it was idle when it was killed
                    child = self._children.pop(pid)
                    self._idle += [pid] * (answer["lives"] and not child.killed)
                    child.code.set_result(answer["code"])
        self._ended()

    def _ended(self) -> None:
        """Nobody will tell the children's exit codes any more: they are killed, and that is what is known."""
        with self._lock:
            for started in self._started.values():
                if not started.done():
                    started.set_exception(ForkError("the process that forks has ended"))
        for child in self._children.values():
            end_family(child.pid)
            child.code.set_result(-signal.SIGKILL)
        self._process.wait()
        self._answers().close()

    def _requests(self) -> Any:
        return self._process.stdin

    def _answers(self) -> Any:
        return self._process.stdout


def main(target: str, home: str, runner: str) -> None:
    """Import the target's module, then fork a child per request until there are no more; then kill those that run.

    ``home`` is removed if whoever asks, ``runner``, can't do that any more.
    """
    requests, answers = os.fdopen(os.dup(0), "r", encoding="utf-8"), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(2, 1)  # whatever an import prints must not be taken for an answer
    gc.disable()  # what is imported is no garbage, and looking for some takes 7 % of the time until children can be had
    with without_grammar():
        module = importlib.import_module(target)
    module.warm_up()
    if threads := _threads():
        os.write(answers, f"threads run after the imports, so it can't fork: {', '.join(threads)}\n".encode())
        return
    gc.freeze()  # else the first collection in each child would copy all that it shares with this process
    gc.enable()
    gc.set_threshold(100_000)  # a child is short-lived, and looking for cycles again and again is 4 % of its time
    supervisors: dict[int, int] = {}  # where each is told its next job
    signal.signal(signal.SIGCHLD, lambda *_: _reap(supervisors, answers))
    with suppress(BrokenPipeError):  # whoever asked has been killed meanwhile, and asks for nothing
        os.write(answers, b"ready\n")
    for line in requests:
        folder, idle = json.loads(line)
        with _without_signals({signal.SIGCHLD}):
            if idle not in supervisors:
                idle = _supervisor(supervisors, requests, answers, module.forked)
            _tell(answers, {"folder": folder, "pid": idle})
            with suppress(BrokenPipeError):  # it has been killed, and that is told next
                os.write(supervisors[idle], f"{json.dumps(folder)}\n".encode())
    for pid in list(supervisors):
        end_family(pid)
    while supervisors:
        time.sleep(0.001)
    if os.getppid() != int(runner):
        shutil.rmtree(home, ignore_errors=True)


def _threads() -> list[str]:
    """The names of this process's threads beside its first; one that has been joined takes a moment to be gone."""
    deadline = time.monotonic() + _GONE
    while (found := [*_beside_the_first()]) and time.monotonic() < deadline:
        time.sleep(0.001)
    return sorted(found)


def _beside_the_first() -> Iterator[str]:
    for task in Path("/proc/self/task").iterdir():
        if task.name != str(os.getpid()):
            with suppress(OSError):  # it is gone by now
                yield (task / "comm").read_text("utf-8").strip()


@contextmanager
def _without_signals(these: set[signal.Signals]) -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_BLOCK, these)
    yield
    signal.pthread_sigmask(signal.SIG_UNBLOCK, these)


def _reap(supervisors: dict[int, int], answers: int) -> None:
    """Tell of the supervisors that were killed; may be interrupted by itself, as another ends."""
    while supervisors:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:  # what interrupted this has reaped the last of them
            return
        if not pid:
            return
        os.close(supervisors.pop(pid))
        _tell(answers, {"pid": pid, "code": os.waitstatus_to_exitcode(status), "lives": False})


def _tell(answers: int, told: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):  # whoever asked has been killed: main is about to end
        os.write(answers, (json.dumps(told) + "\n").encode())


def _supervisor(supervisors: dict[int, int], requests: IO[str], answers: int, call: Any) -> int:
    """Fork one; returns its id."""
    jobs, ask = os.pipe()
    forking = os.getpid()
    pid = os.fork()
    if pid == 0:
        for descriptor in (requests.fileno(), ask, *supervisors.values()):
            os.close(descriptor)
        _supervise(forking, jobs, answers, call)
    os.close(jobs)
    supervisors[pid] = ask
    return pid


def _supervise(forking: int, jobs: int, answers: int, call: Any) -> None:
    """Run the target for one job after the other, each in a process below this one; never returns."""
    try:
        os.setsid()
        become_subreaper()
        end_with_parent(forking, signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        supervisor = os.getpid()
        for line in os.fdopen(jobs, "r", encoding="utf-8"):
            worker = os.fork()
            if worker == 0:
                os.close(answers)
                os.close(jobs)
                _work(supervisor, Path(json.loads(line)), call)
            code = _ended(worker, forking)
            end_children()
            _tell(answers, {"pid": supervisor, "code": code, "lives": True})
    finally:
        os._exit(1)


def _ended(worker: int, forking: int) -> int:
    """Wait for a child and return its exit code; SIGTERM's if this process's own parent is gone.

    A SIGTERM that a job sent may come when the next one runs, whose end it isn't.
    """
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)  # daemons that have become its children are reaped on the way
        if pid == worker:
            return os.waitstatus_to_exitcode(status)
        if not pid and signal.sigwait(_AWAITED) == signal.SIGTERM and os.getppid() != forking:
            return -signal.SIGTERM


def _work(supervisor: int, folder: Path, call: Any) -> None:
    """Run the target as a process that was started for it would, and end; never returns."""
    code = 1
    try:
        os.setsid()  # a signal to the group doesn't reach the supervisor
        end_with_parent(supervisor, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_APPEND), descriptor)
        random.seed()
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()
        call(folder)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is, it must not go on as a second supervisor
        sys.__excepthook__(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
