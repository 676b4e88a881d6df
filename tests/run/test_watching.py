"""`riskcalc run --watch`: from a save to the new page, and what is wrong with a save."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from register_files import replace_in

from riskcalc.cli import main as commands
from riskcalc.run import batch, watching


def test_a_save_is_told_once_also_if_nobody_waited_for_it(small: Path) -> None:
    """Files that are no part of a register are not: an editor's own, a text beside it, what a run leaves."""
    found = watching.saves(str(small))
    assert next(found) == frozenset()
    for name in ("notes.txt", ".risks.csv.swp", "~$register.xlsx", "risks.csv"):
        (small / name).write_text("x", "utf-8")
    assert next(found) == {"risks.csv"}


def test_a_workbook_is_watched_without_what_lies_beside_it(tmp_path: Path) -> None:
    """Also when it is replaced by another file of its name, as spreadsheets save."""
    (tmp_path / "register.xlsx").write_bytes(b"1")
    found = watching.saves(str(tmp_path / "register.xlsx"))
    assert next(found) == frozenset()
    (tmp_path / "other.xlsx").write_bytes(b"2")
    (tmp_path / "other.xlsx").replace(tmp_path / "register.xlsx")
    assert next(found) == {"register.xlsx"}


def test_a_bad_save_is_told_and_the_next_one_awaited(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With file, line and column, without an end; Ctrl-C is the end, a quiet one."""

    def saved(*_: object) -> Iterator[frozenset[str]]:
        yield frozenset()
        replace_in(small / "risks.csv", "A-R1", "")
        yield frozenset({"risks.csv"})
        replace_in(small / "risks.csv", "\n,", "\nA-R1,")
        yield frozenset({"risks.csv"})
        raise KeyboardInterrupt

    monkeypatch.setattr(watching, "saves", saved)
    monkeypatch.setattr(commands, "_run", lambda request, *_: (f"{len(batch.plan(request))} planned", 0, 0))
    done = CliRunner().invoke(commands.main, ["run", str(small), "--watch", "--engine", "stock"])
    assert done.exit_code == 0
    assert "risks.csv:2: column 'risk_id': blank" in done.output
    assert done.output.count("1 planned") == 2
    assert done.output.splitlines()[-1].startswith("Waiting for ")


def test_watching_is_for_people(tmp_path: Path) -> None:
    """What a schedule wants to know of a run's end it would never be told."""
    done = CliRunner().invoke(commands.main, ["run", "--watch", "--summary", str(tmp_path / "mail.txt")])
    assert done.exit_code == 2
    assert "--watch is for people" in done.output
