"""What the report leans on: assertions, components, year-end, training, frameworks, subservice reports."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from register_files import Rows, write_register

from riskcalc.assessment import coverage
from riskcalc.assessment.context import Context
from riskcalc.assessment.subservice import uncovered_days
from riskcalc.register.register import load


def test_a_hole_is_a_named_assertion_that_no_key_control_holds(tmp_path: Path) -> None:
    """B-R1 is held by its walkthrough; undocumented, it isn't."""
    whole = Context.of(load(write_register(tmp_path / "a")))
    held = coverage.assertions(whole.only("beta"), "type1")
    assert [(each["assertion"], each["unguarded"]) for each in held] == [("accuracy", ()), ("completeness", ())]
    broken = Context.of(load(write_register(tmp_path / "b", lambda rows: rows["controls"][3].update(documentation=""))))
    holes = coverage.assertions(broken.only("beta"), "type1")
    assert [each["unguarded"] for each in holes] == [("B-R1",), ("B-R1",)]


def test_components_count_what_earns(tmp_path: Path) -> None:
    """All five are there, also those without a control."""

    def edit(rows: Rows) -> None:
        rows["controls"][0]["component"] = "monitoring"
        rows["controls"][0]["documentation"] = ""

    register = load(write_register(tmp_path / "data", edit))
    found = coverage.components(Context.of(register))
    assert {name: each["controls"] for name, each in found.items()} == {
        "control_environment": 0, "risk_assessment": 0, "control_activities": 3,
        "information_communication": 0, "monitoring": 1,
    }  # fmt: skip
    assert found["monitoring"]["earning"] == 0
    assert found["control_activities"]["earning"] == 1  # A-G1 is inconclusive, and A-C2 relies on it


@pytest.mark.parametrize(
    ("year_end", "report_to", "bridge", "expected"),
    [
        ("12-31", "2026-09-30", None, (date(2026, 12, 31), 92, 92, False)),
        ("12-31", "2026-09-30", "2026-12-31", (date(2026, 12, 31), 92, 0, False)),
        ("12-31", "2026-09-30", "2026-11-30", (date(2026, 12, 31), 92, 31, False)),
        ("12-31", "2026-09-29", "2026-12-31", (date(2026, 12, 31), 93, 0, True)),
        ("03-31", "2026-06-30", None, (date(2027, 3, 31), 274, 274, True)),
        ("06-30", "2026-06-30", None, (date(2026, 6, 30), 0, 0, False)),
    ],
)
def test_the_gap_to_the_clients_year_end(
    year_end: str, report_to: str, bridge: str | None, expected: tuple[Any, ...]
) -> None:
    """Days by the calendar, less what a bridge letter covers; more than about three months is told."""
    found = coverage.year_end({"user_year_end": year_end, "report_to": report_to, "bridge_letter_until": bridge})
    assert found is not None
    assert (found.year_end, found.gap, found.unbridged, found.too_long) == expected


def test_days_before_a_bridge_letter_are_not_covered_by_it() -> None:
    """A letter speaks from its first day on, where that is given."""
    unit = {"user_year_end": "06-30", "report_to": date(2026, 3, 31), "bridge_letter_until": date(2026, 6, 30)}
    found = coverage.year_end({**unit, "bridge_from": date(2026, 5, 20)})
    assert found is not None
    assert (found.gap, found.unbridged) == (91, 49)


def test_no_year_end_given_is_no_gap_invented() -> None:
    """Blank stays blank."""
    unit = {"user_year_end": None, "report_to": date(2026, 6, 30), "bridge_letter_until": None}
    assert coverage.year_end(unit) is None


@pytest.mark.parametrize(
    ("completed", "due", "state"),
    [("2026-03-01", "2026-03-31", "completed"), ("", "2026-03-31", "overdue"), ("", "2026-06-30", "due"),
     ("2026-07-01", "2026-03-31", "overdue")],
)  # fmt: skip
def test_training_of_owners(tmp_path: Path, completed: str, due: str, state: str) -> None:
    """As of the day: what is completed later isn't yet."""
    register = load(
        write_register(tmp_path / "data", lambda rows: rows["training"][0].update(completed_on=completed, due_on=due))
    )
    [row] = coverage.training(Context.of(register), "alpha")
    assert (row["owner"], row["controls"], row["state"]) == ("C. Owner", ("A-C1", "A-C2", "A-G1"), state)


def test_an_owner_without_training_is_not_forgotten(tmp_path: Path) -> None:
    """Nothing planned is a state of its own."""
    register = load(write_register(tmp_path / "data", lambda rows: rows["training"].clear()))
    assert [each["state"] for each in coverage.training(Context.of(register), "alpha")] == ["none"]


def test_frameworks_say_what_can_be_used_again(tmp_path: Path) -> None:
    """A-G1 serves CC6.1, but with a deviation it doesn't earn in full."""
    register = load(write_register(tmp_path / "data"))
    [row] = coverage.frameworks(Context.of(register))
    assert (row["framework"], row["reference"], row["controls"], row["earning"]) == ("SOC 2", "CC6.1", ("A-G1",), ())


@pytest.mark.parametrize(
    ("report_from", "report_to", "days"),
    [
        ("2026-01-01", "2026-06-30", 0),
        ("2025-01-01", "2026-12-31", 0),
        ("2026-01-02", "2026-06-29", 2),
        ("2025-01-01", "2025-12-31", 181),
        ("2026-07-01", "2026-12-31", 181),
        ("2026-06-30", "2026-12-31", 180),
    ],
)
def test_days_that_a_subservice_report_leaves_uncovered(report_from: str, report_to: str, days: int) -> None:
    """Counted by hand: the half-year has 181 days."""
    report = {
        "report_type": "type2", "report_from": pd.Timestamp(report_from), "report_to": pd.Timestamp(report_to),
        "bridge_from": None, "bridge_to": None,
    }  # fmt: skip
    assert uncovered_days([report], date(2026, 1, 1), date(2026, 6, 30)) == days
    assert uncovered_days([{**report, "report_type": "type1"}], date(2026, 1, 1), date(2026, 6, 30)) == 181


def test_training_in_another_unit_counts_on_every_page(tmp_path: Path) -> None:
    """Somebody who owns controls in two units is trained once; a unit's page and the organisation's say the same."""

    def elsewhere(rows: Rows) -> None:
        rows["training"] = [row for row in rows["training"] if row["unit_id"] == "beta"] or [
            {**rows["training"][0], "unit_id": "beta"}
        ]
        rows["training"][0].update(person="C. Owner", completed_on="2026-05-01")

    whole = Context.of(load(write_register(tmp_path / "data", elsewhere)))
    [on_page], [of_all] = (coverage.training(each, "alpha") for each in (whole.only("alpha"), whole))
    assert (on_page, on_page["state"]) == (of_all, "completed")
