"""All that a process has started, down to its daemons: what it takes of memory, and its end."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from contextlib import suppress

import psutil

_PATIENCE = 10.0  # seconds for killed processes to be gone
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


def become_subreaper() -> None:
    """Whatever loses its parent below this process becomes its child, daemons too, so that none slips away.

    On Linux (prctl(2)); elsewhere daemons do.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(by: int) -> None:
    """Get the signal ``by`` when the parent ends (Linux)."""
    _prctl(_PR_SET_PDEATHSIG, by)


def end_children() -> None:
    """Kill all that this process has started, until nothing is left of it; at once if there is nothing."""
    with suppress(ChildProcessError):
        while True:
            if not os.waitpid(-1, os.WNOHANG)[0]:  # there are some, and none of them has ended yet
                _kill_below(os.getpid())
                time.sleep(0.01)


def end_family(pid: int) -> None:
    """Kill all that a process has started, then itself: in this order nothing loses its place below it."""
    deadline = time.monotonic() + _PATIENCE
    while _kill_below(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()


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


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
