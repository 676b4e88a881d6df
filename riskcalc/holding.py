"""Holding a register's folder while it is changed, and changing several of its files as one.

Several files can't be replaced in one step. So the new ones are written beside the register first; then a list of
them, which is the moment at which the change counts; then each is moved into its place. Whoever holds the folder next
finishes what a crash left undone: before the list is there nothing has changed, after it everything will.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from riskcalc.errors import UsageError
from riskcalc.outputs import write_whole

_PATIENCE = 10  # seconds that a writer waits for another
_STAGE, _READY = ".import", "ready.json"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a register for writing, so that no two programs change it at once; raises UsageError if one does."""
    try:
        with FileLock(folder / ".lock", timeout=_PATIENCE):
            _finish(folder)
            yield
    except Timeout:
        raise UsageError(f"Another program is changing {folder}; nothing was written. Try again.") from None


def replace_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace or add files of a register as one; the caller holds the folder."""
    stage = folder / _STAGE
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    for name, content in files.items():
        write_whole(stage / name, content)
    write_whole(stage / _READY, json.dumps(sorted(files)).encode())
    _finish(folder)


def settle(folder: Path) -> None:
    """Let a change of several files come to its end before they are read; finish it if a crash left it undone.

    Raises:
        UsageError: it can't be finished here.
    """
    if not (folder / _STAGE / _READY).exists():
        return
    try:
        with held(folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"An import into {folder} was interrupted, and can't be finished here: {reason}.") from None


def _finish(folder: Path) -> None:
    stage = folder / _STAGE
    if (stage / _READY).exists():
        for name in json.loads((stage / _READY).read_bytes()):
            if (stage / name).exists():
                (stage / name).replace(folder / name)
        (stage / _READY).unlink()
    shutil.rmtree(stage, ignore_errors=True)
