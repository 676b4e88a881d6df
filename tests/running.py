"""`riskcalc run` without a process of its own: those that fork its units are started once for all tests of a worker.

What a test says of processes, signals or the terminal needs the command itself, which takes some seconds to start.
"""

from __future__ import annotations

import atexit
import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

from click.testing import CliRunner, Result

from riskcalc.cli.main import main
from riskcalc.run.forkserver import ForkServer


@dataclass
class _Kept:
    """A process that forks, kept when a run is done with it."""

    server: ForkServer

    def __getattr__(self, name: str) -> object:
        return getattr(self.server, name)

    def close(self) -> None:
        return


@cache
def _server(target: str) -> _Kept:
    server = ForkServer(target, Path("/nonexistent"))
    atexit.register(server.close)
    return _Kept(server)


def run_here(*arguments: str | Path, code: int = 0) -> Result:
    """Run the command to its end; fails if that isn't by the exit code that is expected."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        with patch("riskcalc.run.processes.ForkServer", lambda target, _home: _server(target)):
            done = CliRunner().invoke(main, ["run", *map(str, arguments)], catch_exceptions=False)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert done.exit_code == code, done.output
    return done
