"""Databases for tests of votes: SQLite always, PostgreSQL where Debian's is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REQUIRED = bool(os.environ.get("RISKCALC_POSTGRES_REQUIRED"))


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of its own, over a socket in a temporary folder; gives its address."""
    programs = _programs()
    if programs is None:
        if REQUIRED:
            pytest.fail("PostgreSQL is required here, but isn't installed")
        pytest.skip("there is no PostgreSQL in /usr/lib/postgresql")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="rc-pg-", dir="/tmp"))
    if as_user:
        shutil.chown(folder, "postgres")

    def run(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, capture_output=True, cwd="/")

    control = str(programs / "pg_ctl")
    try:
        run(str(programs / "initdb"), "-D", f"{folder}/db", "-U", "votes", "-A", "trust")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=60"
        run(control, "-D", f"{folder}/db", "-w", "-l", f"{folder}/log", "-o", options, "start")
        yield f"postgresql+psycopg://votes@/postgres?host={folder}"
    finally:
        subprocess.run(
            [*as_user, control, "-D", f"{folder}/db", "-m", "immediate", "stop"],
            capture_output=True,
            cwd="/",
            check=False,
        )
        shutil.rmtree(folder, ignore_errors=True)
