"""Periods on the command line: which one is meant, the day it is seen from, and opening the next."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from register_files import DEFICIENCY, Rows, write_register

from riskcalc.cli import asked
from riskcalc.cli.main import main


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def spring(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day in spring, in the middle of the period."""

    class Spring(date):
        @classmethod
        def today(cls) -> Any:
            return date(2026, 4, 1)

    monkeypatch.setattr(asked, "date", Spring)


def deficient(tables: Rows) -> None:
    """A deficiency that falls due within the period."""
    tables["deficiencies"] = [{**DEFICIENCY, "due_on": "2026-05-31"}]


@pytest.mark.usefixtures("spring")
def test_seen_from_today_nothing_to_come_is_past_due(tmp_path: Path) -> None:
    """While the period runs, today is handed in; without it, `check` says what its default makes of dues."""
    data = str(write_register(tmp_path / "data", deficient))
    code, said = invoke("check", data)
    assert (code, "30 days past due" in said) == (0, True)
    assert said.splitlines()[-1].endswith("reads as past due: give --as-of today.")
    code, said = invoke("check", data, "--as-of", "today")
    assert (code, "past due" in said) == (0, False)
    assert "; 2026-H1 seen from 2026-04-01 (the latest period that is at least half rated:" in said
    assert said.splitlines()[-1].endswith("; ratings of later days count for this choice only).")


@pytest.mark.usefixtures("spring")
def test_ratings_of_later_days_are_told_of_only_where_there_are_some(tmp_path: Path) -> None:
    """Everything was rated in March; a test in June doesn't make a rating later."""

    def in_march(tables: Rows) -> None:
        for rating in tables["ratings"]:
            rating["rated_on"] = "2026-03-20" if rating["likelihood"] else ""

    data = str(write_register(tmp_path / "data", in_march))
    _, said = invoke("check", data, "--as-of", "today")
    assert "2026-H1 seen from 2026-04-01 (the latest period that is at least half rated: 2 of 3 risks)." in said


@pytest.mark.parametrize("command", ["check", "plan", "run", "excel export {out}"])
def test_a_day_that_is_none_is_told(small: Path, tmp_path: Path, command: str) -> None:
    """Wherever a day can be given, one that can't be read is a sentence."""
    words = command.format(out=tmp_path / "out.xlsx").split()
    code, said = invoke(*words, str(small), "--as-of", "tomorrow")
    assert (code, said) == (
        2,
        "--as-of is 'tomorrow'; allowed: today, or a date as YYYY-MM-DD, of 1950 to 2200.\n",
    )


def test_plan_knows_a_period_that_has_not_begun(small: Path) -> None:
    """Tests of the next half-year can be planned before anything is rated in it; where no report reaches into it is told."""
    code, said = invoke("plan", str(small), "--period", "2026-H2")
    assert code == 0
    assert said.splitlines()[-3:-1] == [
        "4 controls; 2026-H2 seen from 2026-12-31.",
        "No report reaches into 2026-H2; sizes are those of the look-back: alpha.",
    ]
    assert said.split()[:2] == ["alpha", "A-C1"]
    assert invoke("plan", str(small), "--period", "2026-Q3") == (
        2,
        "2026-Q3 is a quarter; the register's periods are like 2026-H1.\n",
    )


def test_an_earlier_period_is_asked_about(small: Path) -> None:
    """A slip of the year shows before anything is written."""
    code, said = invoke("period", "open", "2024-H1", str(small))
    assert (code, "Is 2024-H1 meant? It is earlier than 2026-H1, which is opened already." in said) == (0, True)
    assert "is earlier than" not in invoke("period", "open", "2026-H2", str(small))[1]
