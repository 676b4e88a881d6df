"""What tests with several processes need: something to become true, a port that is free, a server that answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    """Return as soon as it is true; fail if it never is."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
