"""File names and whole files."""

from __future__ import annotations

import os
import stat
import string
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from riskcalc.files import stem, write_whole


@pytest.mark.parametrize("unit_id", ["payroll", "loan-servicing", "007", "fund2", "a-0123abcd"])
def test_a_plain_unit_id_is_its_own_file_name(unit_id: str) -> None:
    """People find payroll.html without looking it up."""
    assert stem(unit_id) == unit_id


@pytest.mark.parametrize(
    "unit_id",
    ["index", "manifest", "NA", "con", "a/b", "../x", "Überweisungen", "{x}", ".", "x" * 300, "a-0123456789abcdef"],
)
def test_any_other_unit_id_gets_a_name_that_is_safe_everywhere(unit_id: str) -> None:
    """Reserved names, paths, capitals and braces never become file names as they are."""
    name = stem(unit_id)
    assert name != unit_id
    assert set(name) <= set(string.ascii_lowercase + string.digits + "-")
    assert len(name) <= 60


@given(st.lists(st.text(min_size=1), min_size=2, max_size=8, unique=True))
@example(["NA", "na", "Na", "nA"])
@example(["a b", "a-b", "a_b", "a/b"])
@example(["ß", "ss", "SS"])
def test_two_units_never_share_a_file(unit_ids: list[str]) -> None:
    """Not even where the file system ignores case."""
    assert len({stem(unit_id).casefold() for unit_id in unit_ids}) == len(unit_ids)


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk in the middle of a write costs the new content, not the old; the file is named, not a part of it."""
    target = tmp_path / "page.html"
    write_whole(target, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left") as refused:
        write_whole(target, b"new")
    assert refused.value.filename == str(target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_is_open_to_everybody_while_a_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has the permissions that new files have here, and what other threads make meanwhile has them, too."""
    mask = os.umask(0o027)
    set_mask = os.umask

    def with_another_thread(new: int) -> int:
        former = set_mask(new)
        (tmp_path / f"of another thread, {new}").touch()
        return former

    try:
        monkeypatch.setattr("os.umask", with_another_thread)
        write_whole(tmp_path / "page.html", b"")
    finally:
        set_mask(mask)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o640}
