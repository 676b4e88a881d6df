"""A register that is handed over as a pickle, which is code, by somebody who isn't the user."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from riskcalc.errors import UsageError
from riskcalc.register.subsets import HANDED, read_standing


class Touch:
    """What a forged pickle would do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_another_users_pickle_is_not_opened(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that all may write to, somebody else's file under the name that we expect runs nothing."""
    (tmp_path / "share").write_bytes(pickle.dumps(Touch(tmp_path / "ran")))
    monkeypatch.setenv(HANDED, str(tmp_path / "share"))
    monkeypatch.setattr(os, "getuid", lambda: (tmp_path / "share").stat().st_uid + 1)
    with pytest.raises(UsageError, match="which is another user's"):
        read_standing(str(small), "", None)
    assert not (tmp_path / "ran").exists()
