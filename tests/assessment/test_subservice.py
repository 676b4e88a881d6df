"""The reports of a subservice organisation follow one another, and its rows end: together they cover our days."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from register_files import Edit, Rows, write_register

import riskcalc
from riskcalc.assessment.consistency import findings
from riskcalc.assessment.context import Context
from riskcalc.assessment.evidence import conclude_all
from riskcalc.assessment.opening import open_unit
from riskcalc.assessment.readiness import gaps
from riskcalc.assessment.steps import steps
from riskcalc.assessment.subservice import from_report
from riskcalc.pages import readiness
from riskcalc.register.audiences import PUBLIC, redacted
from riskcalc.register.subsets import Subsets

OURS, AS_OF = (date(2025, 10, 1), date(2026, 9, 30)), date(2026, 10, 20)


def report(first: str, last: str, **cells: str | None) -> dict[str, Any]:
    blank = {"report_type": "type2", "opinion": "unmodified", "exception": "none"}
    dates = {"report_from": first, "report_to": last, "bridge_from": None, "bridge_to": None, "reviewed_on": last}
    given: dict[str, Any] = {**blank, **dates, "name": "Hosting Ltd", **cells}
    return {key: pd.Timestamp(given[key]) if key in dates and given[key] else given[key] for key in given}


LATEST = report("2026-01-01", "2026-09-30")


@pytest.mark.parametrize(
    ("earlier", "conclusion", "told"),
    [
        ({}, "operated_effectively", "on 2025-01-01 to 2025-12-31, and reports on 2026-01-01 to 2026-09-30, without"),
        ({"report_from": "2025-11-01"}, "insufficient_evidence", "31 days of 2025-10-01 to 2026-09-30 not covered"),
        ({"report_to": "2025-09-30"}, "insufficient_evidence", "Ltd reports on 2026-01-01 to 2026-09-30: 92 days"),
        ({"report_to": "2025-09-30", "bridge_to": "2025-12-31"}, "operated_effectively", "to 2025-12-31, and reports"),
        ({"reviewed_on": None}, "insufficient_evidence", "not covered; nobody has reviewed its report to 2025-12-31"),
        ({"reviewed_on": "2026-10-21"}, "insufficient_evidence", "92 days"),
        ({"opinion": "qualified"}, "not_effective", "on 2025-01-01 to 2025-12-31: opinion qualified"),
        ({"exception": "matters"}, "not_effective", "an exception that matters"),
        ({"opinion": "qualified", "report_to": "2025-09-30"}, "insufficient_evidence", "92 days"),
        ({"report_type": "type1", "report_from": None}, "insufficient_evidence", "92 days"),
    ],
)
def test_an_earlier_report_covers_days_that_the_latest_does_not(
    earlier: dict[str, str | None], conclusion: str, told: str
) -> None:
    """Of our 365 days, 92 are before the latest report's; once it covers them all, no earlier one is asked."""
    former = report(**{"first": "2025-01-01", "last": "2025-12-31", **earlier})  # type: ignore[arg-type]
    found = from_report([former, LATEST], OURS, AS_OF)
    assert (found.name, told in found.reason) == (conclusion, True), found.reason
    whole = from_report([former, report("2025-10-01", "2026-09-30")], OURS, AS_OF)
    assert whole.name == "operated_effectively"


@pytest.mark.parametrize(
    ("former", "latest", "over_report"),
    [
        ("2025-10-01", {}, "operated_effectively"),
        ("2025-10-02", {}, "not_effective"),  # a day of ours is open
        ("2025-10-01", {"report_from": "2026-09-30"}, "not_effective"),
        ("2025-10-01", {"report_type": "type1", "report_from": None}, "operated_effectively"),
        ("2025-10-01", {"report_type": "type1", "report_from": None, "report_to": "2026-09-30"}, "not_effective"),
    ],
)
def test_a_fault_on_later_days_only_is_not_held_against_a_report_that_is_covered(
    former: str, latest: dict[str, str | None], over_report: str
) -> None:
    """Our report has ended, sound reports cover it, and the latest, qualified, is of the days since; now it counts."""
    later = report(**{"first": "2026-10-01", "last": "2026-10-15", "opinion": "qualified", **latest})  # type: ignore[arg-type]
    told = [report(former, "2026-09-30"), later]
    assert from_report(told, OURS, AS_OF, throughout=True).name == over_report
    assert from_report(told, OURS, AS_OF).name == "not_effective"
    assert from_report([later], OURS, AS_OF, throughout=True).name == "not_effective"


def test_before_our_report_begins_no_day_is_untested() -> None:
    """Seen on 20 October, of a report that begins in January."""
    found = from_report([LATEST], (date(2027, 1, 1), date(2027, 12, 31)), AS_OF)
    assert (found.name, found.untested_days) == ("not_tested", 0)


def test_where_the_latest_is_not_there_yet_the_one_before_speaks() -> None:
    former, unknown = report("2025-01-01", "2025-12-31"), {**LATEST, "report_type": None}
    for latest in (unknown, {**LATEST, "report_to": pd.Timestamp("2026-12-31")}):
        found = from_report([former, latest], OURS, AS_OF)
        assert "to 2025-12-31: 273 days of" in found.reason
        assert from_report([former, latest], OURS, AS_OF, type1=True).name == "operated_effectively"
    assert from_report([unknown], OURS, AS_OF).reason == "no report of Hosting Ltd is on record"


@pytest.mark.parametrize(
    ("former", "latest", "told"),
    [
        ({}, {"report_type": None}, "no reviewed report of Hosting Ltd is on record; {}"),
        ({}, {"report_to": "2026-12-31"}, "the report of Hosting Ltd wasn't there by 2026-10-20; {}"),
        ({"reviewed_on": "2026-10-21"}, {"report_type": None}, "the report of Hosting Ltd wasn't there by 2026-10-20"),
        ({"report_type": None}, {"report_type": None}, "no report of Hosting Ltd is on record"),
    ],
)
def test_a_report_that_waits_for_its_review_is_told_of(
    former: dict[str, Any], latest: dict[str, Any], told: str
) -> None:
    """Where nothing counts yet, a report on a row that ended isn't denied."""
    first = report(**{"first": "2025-01-01", "last": "2025-12-31", "reviewed_on": None, **former})
    found = from_report([first, report(**{"first": "2026-01-01", "last": "2026-09-30", **latest})], OURS, AS_OF)
    assert found.reason == told.format("nobody has reviewed its report to 2025-12-31")


def two_reports(rows: Rows) -> None:
    """A vendor that reports on calendar years, and a unit that doesn't."""
    rows["business_units"][0].update(report_from="2025-10-01", report_to="2026-09-30")
    rows["controls"][0].update(performed_by="subservice", subservice_id="SUB-1")
    row = {**rows["subservice_organisations"][0], "reviewed_by": "R. Reader", "reviewed_on": "2026-02-01"}
    former = {"report_from": "2025-01-01", "report_to": "2025-12-31", "valid_to": "2026-02-09"}
    rows["subservice_organisations"] = [
        {**row, **former},
        {**row, "report_to": "2026-09-30", "reviewed_on": "2026-10-01", "valid_from": "2026-02-10"},
    ]
    rows["ratings"] += [{**row, "period": "2026-H2", "rated_on": "2026-10-10"} for row in rows["ratings"][1:2]]


def test_a_row_that_ended_still_covers_the_days_of_its_report(tmp_path: Path) -> None:
    """In the register, in a unit's share of it, and on its page; the fingerprint knows of it, and the public doesn't."""
    source = write_register(tmp_path / "two", two_reports)
    context = Context.of(riskcalc.load(source), "2026-H2", AS_OF)
    for each in (context, context.only("alpha")):
        assert conclude_all(each, "type2")["A-C1"].name == "operated_effectively"
        assert bool(steps(each, "type2").loc["A-C1", "evidenced"])
    [row] = readiness.subservice(open_unit("alpha", "2026-H2", str(source), as_of=str(AS_OF))).content["rows"]
    told = [str(cell.get("text", "") + cell.get("note", "")) if isinstance(cell, dict) else cell for cell in row]
    assert told[4].replace("\xa0", " ").endswith("30 Sep 2026before: Type 2, 1 Jan 2025 to 31 Dec 2025, unmodified")
    assert told[6] == "none"
    assert not redacted(context.register, PUBLIC).earlier.reports


@pytest.mark.parametrize(
    ("last", "read", "evidenced"),
    [("2025-12-31", "no", True), ("2026-01-01", "no", False), ("2026-09-30", "no", False), ("2026-09-30", "yes", True)],
)
def test_a_report_that_nobody_has_reviewed_is_missed_where_its_days_count(
    tmp_path: Path, last: str, read: str, evidenced: bool
) -> None:
    """The one before was, and covers the days of a report of ours until 2025."""

    def edit(rows: Rows) -> None:
        two_reports(rows)
        rows["business_units"][0].update(report_from="2025-01-01", report_to=last)
        rows["subservice_organisations"][1].update({"reviewed_by": "", "reviewed_on": ""} if read == "no" else {})

    context = Context.of(riskcalc.load(write_register(tmp_path, edit)), "2026-H2", AS_OF)
    found = steps(context, "type2").loc["A-C1"]
    assert (found["conclusion"], bool(found["evidenced"])) == ("operated_effectively", evidenced)
    checked = [each.message for each in findings(context) if each.check == "subservice-unreviewed"]
    of = "nobody has reviewed Hosting Ltd's report to 2026-09-30, nor the user entity controls it asks of us"
    assert checked == ([of] if read == "no" else [])
    told = "has no evidence on record of a review of its report"
    assert (told in {gap.what for gap in gaps(context) if gap.row == "A-C1"}) == (not evidenced)


def test_for_a_type_1_report_the_report_that_speaks_of_its_date_is_to_be_reviewed() -> None:
    """Nothing rests on an unread one of later days."""
    later, unread = report("2026-10-01", "2026-10-15", reviewed_on=None), {**LATEST, "reviewed_on": None}
    found = [from_report(told, OURS, AS_OF, type1=True) for told in ([LATEST, later], [unread])]
    assert [(each.name, each.unread) for each in found] == [("operated_effectively", each) for each in (False, True)]


def test_days_that_a_letter_has_yet_to_speak_of_are_uncovered_on_the_page(tmp_path: Path) -> None:
    """As of October our report still runs, and the letter goes on beyond the day; of a Type 1 report none are asked."""

    def shown(name: str, edit: Edit) -> tuple[Any, str]:
        data = write_register(tmp_path / name, edit)
        view = readiness.subservice(open_unit("alpha", "2026-H2", str(data), as_of=str(AS_OF)))
        return view.content["rows"][0][6], view.content["note"]

    def runs(rows: Rows) -> None:
        two_reports(rows)
        rows["business_units"][0].update(report_from="2026-01-01", report_to="2026-12-31")
        rows["subservice_organisations"][1].update(bridge_to="2026-12-31")

    def at(rows: Rows) -> None:
        runs(rows)
        rows["business_units"][0].update(report_type="type1", report_from="", report_to="2026-09-30")

    assert shown("runs", runs)[0]["text"] == "72 days"
    assert shown("at", at) == ("–", "Our own report is at a date: no days are asked of theirs.")


def test_days_of_a_vendors_control_are_told_as_covered_by_reports_not_by_tests(tmp_path: Path) -> None:
    """While our report runs and after it ended; under the inclusive method we test ourselves."""

    def short(rows: Rows, last: str = "2026-12-31", **cells: str) -> None:
        two_reports(rows)
        rows["business_units"][0].update(report_from="2025-10-01", report_to=last)
        rows["subservice_organisations"][1].update(report_to="2026-01-31", reviewed_on="2026-02-10", **cells)

    def told(name: str, edit: Edit) -> set[str]:
        context = Context.of(riskcalc.load(write_register(tmp_path / name, edit)), "2026-H2", AS_OF)
        return {gap.what for gap in gaps(context) if gap.row == "A-C1" and gap.step in ("in_period", "roll_forward")}

    reports, over = "its organisation's reports", "over the 92 allowed"
    roll_forward = (
        "roll forward: no report or bridge letter of its organisation covers the last {} days of the report's"
    )
    assert told("ended", lambda rows: short(rows, "2026-09-30")) == {
        f"is not covered by {reports} on 242 days of the report's period, {over}",
        f"{roll_forward.format(242)} period",
    }
    assert told("runs", lambda rows: short(rows, "2027-03-31")) == {
        "can't be shown yet: its report's period still runs for 162 days; "
        f"262 days so far not covered by {reports}, {over}, until one covers them",
        f"{roll_forward.format(424)} period",
    }
    assert not any("reports" in each for each in told("tested", lambda rows: short(rows, method="inclusive")))


def test_the_former_report_belongs_to_the_hash_of_who_uses_it(tmp_path: Path) -> None:
    def otherwise(rows: Rows) -> None:
        two_reports(rows)
        rows["subservice_organisations"][0]["opinion"] = "adverse"

    edits = enumerate((two_reports, otherwise))
    found = [riskcalc.load(write_register(tmp_path / str(place), edit)) for place, edit in edits]
    one, other = (Context.of(each, "2026-H2", AS_OF).register for each in found)
    assert one.only("alpha").fingerprint() != other.only("alpha").fingerprint()
    assert one.only("beta").fingerprint() == other.only("beta").fingerprint()
    assert Subsets(one).fingerprint("alpha") == one.only("alpha").fingerprint()
    assert one.fingerprint() != other.fingerprint()
