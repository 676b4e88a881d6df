"""What the system is asked of processes: all that one has started, its memory, and its end, down to its daemons."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from contextlib import suppress

import psutil

_PATIENCE = 10.0  # seconds for killed processes to be gone
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_M_MMAP_THRESHOLD = -3  # malloc.h
_APART = 2**17  # bytes: what is larger gets pages of its own


def become_subreaper() -> None:
    """Whatever loses its parent below this process becomes its child, daemons too, so that none slips away.

    On Linux (prctl(2)); elsewhere daemons do.
    """
    _of_c("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent(parent: int, by: int) -> None:
    """Get the signal ``by`` when the parent ends, and now if it has ended by now (Linux)."""
    _of_c("prctl", _PR_SET_PDEATHSIG, by, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), by)


def hand_back_memory() -> None:
    """Let this process hand back the arrays and files that it frees: it holds a fifth less of a large register.

    By itself glibc counts ever larger ones among the small (mallopt(3)), and keeps what was freed between others.
    """
    _of_c("mallopt", _M_MMAP_THRESHOLD, _APART)


def end_children() -> None:
    """Kill all that this process has started, until nothing is left of it; at once if there is nothing."""
    with suppress(ChildProcessError):
        while True:
            if not os.waitpid(-1, os.WNOHANG)[0]:  # there are some, and none of them has ended yet
                _kill_below(os.getpid())
                time.sleep(0.01)


def end_family(pid: int) -> None:
    """Kill all that a process has started, then itself: in this order nothing loses its place below it.

    It is stopped first, so that it starts nothing more; what the others start during a look is seen by the next.
    """
    deadline = time.monotonic() + _PATIENCE
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.suspend()
        while (_kill_below(pid) or _kill_below(pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()


def memory(pid: int, itself: bool = True) -> float:
    """Resident memory of all that a process has started, with or without ``itself``, in MB; 0 if it has ended.

    >>> memory(os.getpid()) > memory(os.getpid(), itself=False) - 1
    True
    """
    used = 0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [*parent.children(recursive=True), *([parent] if itself else [])]:
            with suppress(psutil.NoSuchProcess):
                used += process.memory_info().rss
    return used / 2**20


def _kill_below(pid: int) -> int:
    """Kill what lives below a process; returns how many that were. A kernel has a session: no group holds them all."""
    killed = 0
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.status() != psutil.STATUS_ZOMBIE:
                    process.kill()
                    killed += 1
    return killed


def _of_c(name: str, *given: int) -> None:
    """Call a function of Linux's C library, where it has it."""
    if sys.platform == "linux":
        with suppress(AttributeError):
            getattr(ctypes.CDLL(None), name)(*given)
