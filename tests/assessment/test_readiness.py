"""Readiness: the steps of a control, the outlook of an objective, and the gaps, one change at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from register_files import DEFICIENCY, Rows, write_register

from riskcalc.assessment.context import Context
from riskcalc.assessment.readiness import (
    OPEN,
    QUALIFIED,
    STEPS,
    UNMODIFIED,
    Gap,
    Outlook,
    gaps,
    outlooks,
    report_outlook,
    steps,
)
from riskcalc.register.register import load

Edit = Callable[[Rows], object]


def evidenced(rows: Rows) -> None:
    """Make everything right: evidence on record, enough items of A-G1 without deviation, the new risk rated."""
    for test in rows["control_tests"]:
        test["evidence"] = "WP 1"
    rows["control_tests"][2]["deviations"] = "0"
    rows["risk_controls"].append({**rows["risk_controls"][0], "risk_id": "A-R2"})


def opened(folder: Path, *edits: Edit) -> Context:
    return Context.of(load(write_register(folder / "data", lambda rows: [edit(rows) for edit in (evidenced, *edits)])))


def outlook(folder: Path, objective: str, report_type: str, *edits: Edit) -> Outlook:
    return next(one for one in outlooks(opened(folder, *edits), report_type) if one.objective_id == objective)


def control(row: int, **cells: str) -> Edit:
    return lambda rows: rows["controls"][row].update(cells)


def a_test(row: int, **cells: str) -> Edit:
    return lambda rows: rows["control_tests"][row].update(cells)


def add(table: str, **cells: str) -> Edit:
    return lambda rows: rows[table].append(cells)


def short(rows: Rows) -> None:
    rows["business_units"][0].update(report_from="2026-04-01")


def bare(rows: Rows) -> None:
    rows["risk_controls"].pop()


ON_BOTH = {"risk_id": "A-R2", "control_id": "A-C2", "acts_on": "both", "coverage": "0.8"}


def test_everything_in_order_is_unmodified(tmp_path: Path) -> None:
    """Each risk has a key control with every step."""
    found = outlook(tmp_path, "A-CO1", "type2")
    assert (found.opinion, found.because, found.blocking) == (UNMODIFIED, (), ())


# What breaks A-C1, the only control on A-R2; A-R1 still has A-C2.
BREAKS: list[tuple[str, Edit, str]] = [
    ("designed", control(0, design="partially_effective"), "A-R2: A-C1 design is partially effective"),
    ("documented", control(0, documentation=""), "A-R2: A-C1 is not documented"),
    ("operated", a_test(0, deviations="1"), "A-R2: A-C1 not effective (1 of 5 deviated)"),
    ("operated", a_test(0, sample_size="4"), "A-R2: A-C1 insufficient evidence (0 of 4 deviated)"),
    ("operated", lambda rows: rows["control_tests"].pop(0), "A-R2: A-C1 was not tested"),
    ("evidenced", a_test(0, evidence=""), "A-R2: A-C1 has no evidence on record"),
    ("in_period", a_test(0, tested_on="2025-12-31"), "A-R2: A-C1 was tested before the period began"),
    ("operated", lambda rows: [control(0, relies_on="A-G1")(rows), a_test(2, deviations="9")(rows)],
     "A-R2: A-C1 relies on A-G1, which hasn't earned as much"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "edit", "because"), BREAKS, ids=[f"{case[0]}-{n}" for n, case in enumerate(BREAKS)])
def test_each_step_can_fail_alone_and_says_so(tmp_path: Path, step: str, edit: Edit, because: str) -> None:
    """One step missing on the only key control of a risk, and the objective would be qualified, with the reason."""
    context = opened(tmp_path, edit)
    row = steps(context, "type2").loc["A-C1"]
    assert not row[step]
    found = next(one for one in outlooks(context, "type2") if one.objective_id == "A-CO1")
    assert found.opinion == QUALIFIED
    assert because in found.because
    assert "A-C1" in found.blocking


def test_another_key_control_keeps_the_objective(tmp_path: Path) -> None:
    """Deviations of one are reported, but the risk is held by the other."""
    found = outlook(tmp_path, "A-CO1", "type2", add("risk_controls", **ON_BOTH), a_test(0, deviations="1"))
    assert (found.opinion, found.because) == (UNMODIFIED, ("A-C1: 1 of 5 deviated, to be reported",))


@pytest.mark.parametrize("performed_by", ["user_entity", "own"])
def test_only_our_own_key_controls_carry_an_opinion(tmp_path: Path, performed_by: str) -> None:
    """A client's control, or one that isn't key, can't."""
    edit = control(0, performed_by=performed_by, key="yes" if performed_by == "user_entity" else "no")
    found = outlook(tmp_path, "A-CO1", "type2", edit)
    assert (found.opinion, found.because) == (QUALIFIED, ("A-R2: no key control acts on it",))


def test_an_objective_without_a_risk_is_open(tmp_path: Path) -> None:
    """Nothing can be said of it, and that isn't good news."""
    empty = add("control_objectives", objective_id="A-CO2", unit_id="alpha", process="P", statement="S")
    assert outlook(tmp_path, "A-CO2", "type2", empty).opinion == OPEN


def test_type_1_asks_less_than_type_2(tmp_path: Path) -> None:
    """A walkthrough is enough for Type 1; operation isn't shown by it."""
    assert outlook(tmp_path, "B-CO1", "type1").opinion == UNMODIFIED
    found = outlook(tmp_path, "B-CO1", "type2")
    assert (found.opinion, found.because) == (QUALIFIED, ("B-R1: B-C1 was not tested",))


def test_a_test_of_operation_shows_use_as_well(tmp_path: Path) -> None:
    """Alpha has no walkthrough, but tested items that were as they should be."""
    assert outlook(tmp_path, "A-CO1", "type1", a_test(0, deviations="2")).opinion == UNMODIFIED
    assert outlook(tmp_path / "b", "A-CO1", "type1", a_test(0, deviations="5")).opinion == QUALIFIED


@pytest.mark.parametrize(
    ("opinions", "report"),
    [((UNMODIFIED, UNMODIFIED), UNMODIFIED), ((UNMODIFIED, OPEN), OPEN), ((OPEN, QUALIFIED), QUALIFIED), ((), OPEN)],
)
def test_a_report_is_as_good_as_its_worst_objective(opinions: tuple[str, ...], report: str) -> None:
    """Qualified outweighs open, open outweighs unmodified."""
    assert report_outlook([Outlook("u", "o", "type2", opinion, ()) for opinion in opinions]) == report


# --- gaps ---


def gap_of(folder: Path, row: str, *edits: Edit) -> Gap:
    return next(gap for gap in gaps(opened(folder, *edits)) if gap.row == row)


def test_a_gap_without_a_deficiency_has_the_controls_owner_and_no_date(tmp_path: Path) -> None:
    """And is new, if the period before doesn't show it."""
    gap = gap_of(tmp_path, "A-C1", a_test(0, evidence=""))
    assert (gap.owner, gap.due_on, gap.objectives, gap.blocks) == ("C. Owner", None, ("A-CO1",), True)
    assert gap.since is None


def test_a_gap_has_the_owner_and_dates_of_its_deficiency(tmp_path: Path) -> None:
    """Who mends it by when, and since when it has been known."""
    gap = gap_of(tmp_path, "A-C1", control(0, documentation=""), add("deficiencies", **DEFICIENCY))
    assert (gap.owner, gap.due_on, gap.since) == ("A. Owner", date(2026, 9, 30), date(2026, 3, 1))


def test_a_gap_that_was_there_before_is_as_old_as_that(tmp_path: Path) -> None:
    """Nothing documents it now, and nothing did in 2025-H2."""
    assert gap_of(tmp_path, "A-C1", control(0, documentation="")).since == date(2025, 12, 31)


def test_a_gap_beside_a_control_that_holds_does_not_decide(tmp_path: Path) -> None:
    """A-C2 lacks evidence; A-C1 holds A-R1 as well."""
    assert gap_of(tmp_path, "A-C2", a_test(1, evidence="")).blocks is False


def test_a_short_report_period_and_a_bare_risk_are_gaps(tmp_path: Path) -> None:
    """Three months aren't six; a risk without a key control has nobody to hold it."""
    assert gap_of(tmp_path, "alpha", short).what == "the report covers 91 days; six months are expected"
    assert gap_of(tmp_path / "b", "A-R2", bare).what == "no key control acts on it"


def test_a_register_in_order_has_no_gaps(tmp_path: Path) -> None:
    """Nothing is invented."""
    assert gaps(opened(tmp_path)) == ()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(broken=st.sets(st.sampled_from(range(len(BREAKS) - 1))), one=st.integers(0, len(BREAKS) - 2))
def test_mending_never_makes_the_outlook_worse(
    tmp_path_factory: pytest.TempPathFactory, broken: set[int], one: int
) -> None:
    """Of any set of faults, taking one away keeps or improves every objective."""
    order = {QUALIFIED: 0, OPEN: 1, UNMODIFIED: 2}

    def opinions(faults: set[int]) -> list[int]:
        # the test row goes last, for the others are edited by their place
        edits = [BREAKS[n][1] for n in sorted(faults, key=lambda n: (n == 4, n))]
        context = opened(tmp_path_factory.mktemp("r"), *edits)
        return [order[each.opinion] for kind in ("type1", "type2") for each in outlooks(context, kind)]

    assert all(mended >= worse for mended, worse in zip(opinions(broken - {one}), opinions(broken), strict=True))


def test_steps_are_in_the_order_that_pages_show() -> None:
    """Design before operation."""
    assert STEPS == ("designed", "documented", "operated", "evidenced", "in_period")
