"""Tests of controls on the page: what counts now, what counts for the report, and what is only assumed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from register_files import Rows, replace_in, write_register

from riskcalc.assessment.opening import Assessment, open_unit
from riskcalc.errors import at_most
from riskcalc.pages import control_tests, readiness, unit, wording
from riskcalc.pages.display import day
from riskcalc.sampling import upper_limit


def opened(folder: Path, edit: Any = None, as_of: str = "") -> Assessment:
    return open_unit("alpha", data_dir=str(write_register(folder / "data", edit)), as_of=as_of)


def row_of(view: Any, name: str) -> dict[str, Any]:
    return next(dict(zip(view.content["columns"], row, strict=True)) for row in view.content["rows"] if row[0] == name)


def test_a_repaired_control_holds_now_and_is_reported_all_the_same(tmp_path: Path) -> None:
    """It failed, was repaired and passed its retest: the two answers differ, and both stand there."""

    def edit(rows: Rows) -> None:
        first = rows["control_tests"][1]
        first.update(deviations="9", tested_on="2026-02-10")
        retest = {"test_id": "T9", "deviations": "0", "tested_on": "2026-06-20", "retest_of": "T2"}
        rows["control_tests"][2]["deviations"] = "0"
        rows["control_tests"].append({**first, **retest})

    found = opened(tmp_path, edit)
    row = row_of(control_tests.conclusions(found), "A-C2")
    assert (row["Now"]["text"], row["For the report"]["text"]) == ("operated effectively", "not effective")
    counts = {each[0]: each[-1] for each in control_tests.rounds(found).content["rows"]}
    assert (counts["T2"], counts["T9"]) == ("the report", "now")
    assert "1 control deviated, to be reported" in unit.heading(found).content["second"]["verdict"]


def test_days_that_no_test_covers_at_the_end_are_counted(tmp_path: Path) -> None:
    """Roll forward, per control."""
    edit = lambda rows: rows["control_tests"][0].update(covers_from="2026-01-01", covers_to="2026-06-10")  # noqa: E731
    view = control_tests.conclusions(opened(tmp_path, edit))
    assert (row_of(view, "A-C1")["Roll forward"], row_of(view, "A-C2")["Roll forward"]) == ("20", "15")


def test_a_vendors_roll_forward_is_explained_by_its_reports(tmp_path: Path) -> None:
    """Of 30 days at the end no report of the organisation speaks; no test of ours is missing."""

    def edit(rows: Rows) -> None:
        rows["controls"][0].update(performed_by="subservice", subservice_id="SUB-1")
        rows["subservice_organisations"][0].update(report_to="2026-05-31")

    view = control_tests.conclusions(opened(tmp_path, edit))
    assert row_of(view, "A-C1")["Roll forward"] == "30"
    assert "or, of a subservice organisation's control, no report or bridge letter of that" in view.content["note"]


def test_a_weight_without_evidence_is_called_managements_assumption(tmp_path: Path) -> None:
    """Whoever sets it above 0 gets the words: beside the control, and beside the weights; 1 is no exception."""
    data = write_register(tmp_path / "data")
    for weight in ("0.0", "0.5", "1.0"):
        before = {"0.0": "0.0", "0.5": "0.0", "1.0": "0.5"}[weight]
        old, new = (f"insufficient_evidence = {each}" for each in (before, weight))
        replace_in(data / "methodology.toml", old, new)
        found = open_unit("alpha", data_dir=str(data))
        told = row_of(control_tests.conclusions(found), "A-G1")["What it earns now, and why"]
        assert ("management's assumption" in told) == (weight != "0.0"), weight
        assert ("management's assumption" in str(wording.provenance(found).content)) == (weight != "0.0")


def test_evidence_from_after_the_day_is_listed_as_not_counted(tmp_path: Path) -> None:
    """It is there, it doesn't count, and the page says so."""
    late = opened(tmp_path / "a", lambda rows: rows["control_tests"][0].update(tested_on="2026-07-09"), "2026-06-30")
    assert ["control tests", "T1", day("2026-07-09")] in readiness.dated_later(late).content["rows"]
    assert row_of(control_tests.conclusions(late), "A-C1")["Now"]["text"] == "not tested"
    none = readiness.dated_later(opened(tmp_path / "b", as_of="2026-12-31"))
    assert none.content["text"] == day(
        "No test or rating of 2026-H1 is dated after 2026-12-31; "
        "nor was a deficiency identified, or a subservice organisation's report reviewed, after it."
    )


def test_a_type_1_reports_control_is_in_use_and_no_more(tmp_path: Path) -> None:
    """Its report tests no operation: a walkthrough shows that it is in use, now and at the report's date."""
    view = control_tests.conclusions(open_unit("beta", data_dir=str(write_register(tmp_path / "data"))))
    row = row_of(view, "B-C1")
    assert (row["Now"]["text"], row["For the report"]["text"]) == ("in use", "in use")


def test_rates_are_told_as_they_were_set_and_limits_never_below_what_they_are(tmp_path: Path) -> None:
    """97.5 % isn't 98 %, nor 4.5 % 4 %; of a limit beside a tolerable rate the last digit decides."""
    data = write_register(tmp_path / "data")
    replace_in(data / "methodology.toml", "confidence = 0.90 ", "confidence = 0.975 ")
    replace_in(data / "methodology.toml", "tolerable_deviation_rate = 0.10", "tolerable_deviation_rate = 0.045")
    replace_in(data / "methodology.toml", "pervasive = 0.5 ", "pervasive = 0.004 ")
    found = open_unit("alpha", data_dir=str(data))
    note = control_tests.conclusions(found).content["note"]
    assert "at 97.5 % confidence" in note
    assert "the tolerable 4.5 %." in note
    assert "from 0.4 % on it is pervasive" in str(readiness.figures(found).content)
    assert at_most(upper_limit(22, 0, Decimal("0.90"))) == "9.94 %"  # beside a tolerable 9.9 %
