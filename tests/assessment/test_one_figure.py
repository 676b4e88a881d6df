"""One control, one conclusion: a unit's page and the organisation's say the same; nothing later than the day counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from register_files import DEFICIENCY, Rows, write_register

import riskcalc
from riskcalc.assessment import deficiencies, evidence, opinion, readiness, scoring
from riskcalc.assessment.context import Context
from riskcalc.assessment.decisions import standings
from riskcalc.register.register import load


def tangled(rows: Rows) -> None:
    """Alpha's A-C1 relies on beta's control, which only its walkthrough speaks for; beta's risk on alpha's A-C2."""
    rows["controls"][0].update(relies_on="B-C1")
    rows["risk_controls"].append({"risk_id": "B-R1", "control_id": "A-C2", "acts_on": "both", "coverage": "0.2"})
    rows["deficiencies"] += [
        {**DEFICIENCY, "control_id": name, "deficiency_id": f"D-{name}"} for name in ("A-G1", "B-C1")
    ]


def same_on_both_pages(whole: Context) -> None:
    for unit, own_type in whole.register.business_units[["unit_id", "report_type"]].itertuples(index=False):
        mine = whole.only(unit)
        for kind in (None, own_type):
            for frame in (evidence.assess, scoring.scores):
                own, all_units = frame(mine, kind), frame(whole, kind)
                own = own.set_index(own.columns[1] if "risk_id" in own else "control_id", drop=False)
                other = all_units.set_index(
                    all_units.columns[1] if "risk_id" in all_units else "control_id", drop=False
                )
                pd.testing.assert_frame_equal(own, other.loc[own.index], obj=f"{frame.__name__} {kind} of {unit}")
        assert opinion.report_outlooks(mine, own_type)[unit] == opinion.report_outlooks(whole, own_type)[unit]
        assert opinion.outlooks(mine, own_type) == tuple(
            one for one in opinion.outlooks(whole, own_type) if one.unit_id == unit
        )
        assert standings(mine) == {unit: standings(whole)[unit]}
        for found in (deficiencies.candidates, deficiencies.aggregated, readiness.gaps):
            assert list(found(mine)) == [one for one in found(whole) if one.unit_id == unit], found.__name__


def test_a_unit_and_the_organisation_say_the_same_where_units_rely_on_each_other(tmp_path: Path) -> None:
    """A Type 2 unit's control that relies on a Type 1 unit's gets one conclusion, whoever asks."""
    same_on_both_pages(Context.of(load(write_register(tmp_path, tangled))))


def test_a_control_that_another_unit_relies_on_is_judged_by_its_own_units_report(tmp_path: Path) -> None:
    """Beta's walked-through control carries alpha's Type 2 outlook, and alpha's tested one beta's Type 1 outlook."""

    def crossed(rows: Rows) -> None:
        tangled(rows)
        rows["deficiencies"].clear()
        rows["controls"].append({**rows["controls"][3], "control_id": "B-C2", "relies_on": "A-C1"})
        rows["control_tests"].append({**rows["control_tests"][3], "test_id": "T5", "control_id": "B-C2"})

    whole = Context.of(load(write_register(tmp_path, crossed)))
    for unit, kind, mine in (("alpha", "type2", "A-C1"), ("beta", "type1", "B-C2")):
        found = evidence.assess(whole.only(unit), kind)
        assert (found.loc[mine, "earned"], found.loc[mine, "limited_by"]) == (1, "")
    as_if = evidence.assess(whole.only("alpha"), "type1").loc[["A-C1", "B-C1"], "conclusion"]
    assert list(as_if) == ["not_tested", "operated_effectively"]


def test_a_unit_and_the_organisation_say_the_same_in_the_sample(sample: riskcalc.Register) -> None:
    """Every figure, outlook, gap and candidate, in both periods."""
    context = Context.of(sample)
    same_on_both_pages(context)
    before = context.previous()
    assert before is not None
    same_on_both_pages(before)


@settings(max_examples=8)
@given(as_of=st.dates(date(2025, 10, 1), date(2026, 8, 31)))
def test_nothing_dated_later_counts(sample: riskcalc.Register, as_of: date) -> None:
    """Taking every later test, rating, review and deficiency out of the register changes no answer of that day."""
    whole = Context.of(sample.only("claims"), "2026-H1", as_of)
    day, register = pd.Timestamp(as_of), whole.register
    reports = register.subservice_organisations
    earlier = replace(
        register,
        control_tests=register.control_tests[register.control_tests["tested_on"] <= day],
        ratings=register.ratings[~(register.ratings["rated_on"] > day)],
        deficiencies=register.deficiencies[register.deficiencies["identified_on"] <= day],
        subservice_organisations=reports.assign(
            report_type=reports["report_type"].where(~(reports["reviewed_on"] > day))
        ),
    )
    then = replace(whole, register=earlier)
    for kind in (None, "type2"):
        columns = ["conclusion", "claimed", "earned"]
        pd.testing.assert_frame_equal(evidence.assess(whole, kind)[columns], evidence.assess(then, kind)[columns])
        pd.testing.assert_frame_equal(scoring.scores(whole, kind), scoring.scores(then, kind))
    assert opinion.report_outlooks(whole, "type2") == opinion.report_outlooks(then, "type2")
    later = evidence.later(whole)
    assert (pd.to_datetime(later["dated"]) > day).all()
    assert len(later) or as_of >= date(2026, 6, 30)


def test_the_default_day_is_that_of_the_latest_evidence(tmp_path: Path) -> None:
    """A test of the period that was finished in July is seen from July, by every unit; none is lost."""
    folder = write_register(tmp_path, lambda rows: rows["control_tests"][3].update(tested_on="2026-07-09"))
    whole = Context.of(load(folder))
    assert whole.as_of == date(2026, 7, 9)
    assert Context.of(load(folder).only("alpha")).as_of == date(2026, 7, 9)
    assert evidence.later(whole).empty
    [row] = evidence.later(Context.of(load(folder), as_of=date(2026, 7, 8))).to_dict("records")
    assert row == {"unit_id": "beta", "table": "control_tests", "row": "T4", "dated": date(2026, 7, 9)}


@pytest.mark.parametrize(("weight", "said"), [("0.0", False), ("0.5", True)])
def test_another_weight_for_too_little_evidence_is_managements_assumption(
    tmp_path: Path, weight: str, said: bool
) -> None:
    """Whoever lets an inconclusive test count has the words beside it."""
    folder = write_register(tmp_path)
    text = (folder / "methodology.toml").read_text("utf-8")
    text = text.replace("insufficient_evidence = 0.0", f"insufficient_evidence = {weight}")
    (folder / "methodology.toml").write_text(text, "utf-8")
    register = load(folder)
    assert register.methodology.weights.operating.assumed is said
    assert (evidence.ASSUMPTION in evidence.assess(Context.of(register)).loc["A-G1", "reason"]) is said
