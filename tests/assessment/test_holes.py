"""Pages must not look better than the evidence: registers that once made them so, one hole each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from register_files import DEFICIENCY, Rows, write_register

from riskcalc.assessment import evidence
from riskcalc.assessment.consistency import findings
from riskcalc.assessment.context import Context
from riskcalc.assessment.opening import open_unit
from riskcalc.assessment.opinion import (
    ACHIEVED,
    JUDGEMENT,
    NOT_ACHIEVED,
    NOT_READY,
    NOT_YET,
    UNMODIFIED,
    Outlook,
    outlooks,
    report_outlooks,
)
from riskcalc.assessment.sample_plans import plan
from riskcalc.errors import RegisterError
from riskcalc.pages import unit
from riskcalc.register.register import load

Edit = Callable[[Rows], object]
DAY = date(2026, 6, 30)


def opened(folder: Path, *edits: Edit, as_of: date | None = DAY) -> Context:
    register = load(write_register(folder / "data", lambda rows: [edit(rows) for edit in edits]))
    return Context.of(register, "2026-H1", as_of)


def sound(rows: Rows) -> None:
    """Alpha's one objective, A-CO1, is achieved: its one rated risk is within appetite, and A-C2 holds."""
    rows["risks"] = [risk for risk in rows["risks"] if risk["risk_id"] != "A-R2"]
    rows["ratings"] = [{**rating, "likelihood": "2", "impact": "2"} for rating in rows["ratings"]]
    rows["ratings"] = [{**one, "rationale": "r", "rated_by": "W", "rated_on": "2026-06-20"} for one in rows["ratings"]]
    rows["ratings"] = [one for one in rows["ratings"] if one["risk_id"] != "A-R2"]
    for test in rows["control_tests"]:
        test.update(evidence="WP 1", deviations="0")


def a_test(**changes: str) -> Edit:
    """Another round of the test of A-C2."""
    return lambda rows: rows["control_tests"].append({**rows["control_tests"][1], "test_id": "T9", **changes})


def only_test(**changes: str) -> Edit:
    """The test of A-C2, changed."""
    return lambda rows: rows["control_tests"][1].update(changes)


def outlook(context: Context) -> Outlook:
    return next(one for one in outlooks(context, "type2") if one.objective_id == "A-CO1")


def found(context: Context, code: str) -> list[str]:
    return [one.row for one in findings(context) if one.check == code]


def test_the_small_register_is_sound(tmp_path: Path) -> None:
    """Before anything is bent, the objective is achieved: what follows is each test's own doing."""
    assert outlook(opened(tmp_path, sound)).outcome == ACHIEVED


def test_a_test_from_before_its_days_shows_nothing(tmp_path: Path) -> None:
    """A test of 2024 that is labelled with a period of the report doesn't make its control effective."""
    context = opened(tmp_path, sound, only_test(tested_on="2025-12-31"))
    assert evidence.conclude_all(context, "type2")["A-C2"].name == "not_tested"
    assert evidence.conclude_all(context)["A-C2"].name == "not_tested"


def test_days_after_a_test_are_not_covered_by_it(tmp_path: Path) -> None:
    """A test made before the report's period shows nothing of it, whatever days its columns name."""
    edit = only_test(period="2025-H2", tested_on="2025-12-31", covers_from="2025-07-01", covers_to="2026-06-30")
    assert evidence.conclude_all(opened(tmp_path, sound, edit), "type2")["A-C2"].name == "not_tested"


def test_a_test_of_another_period_from_before_its_days_is_found(tmp_path: Path) -> None:
    """A test that was labelled with a later period than it was made in is named, whatever period is assessed."""
    context = opened(tmp_path, sound, a_test(period="2026-H2"))
    assert found(context, "test-before-period") == ["T9"]


@pytest.mark.parametrize("changes", [{"tested_on": "2025-11-01"}, {"period": "2026-H2", "tested_on": "2026-06-01"}])
def test_what_deviated_counts_whatever_the_days(tmp_path: Path, changes: dict[str, str]) -> None:
    """A failed test isn't made away with by dates that don't go together."""
    context = opened(tmp_path, sound, a_test(deviations="20", systematic="yes", **changes))
    assert evidence.conclude_all(context, "type2")["A-C2"].name == "not_effective"
    assert evidence.conclude_all(context)["A-C2"].deviations == 20


@pytest.mark.parametrize(("report_from", "name"), [("2026-04-10", "not_effective"), ("2026-04-11", "not_tested")])
def test_what_deviated_before_the_report_is_not_of_it(tmp_path: Path, report_from: str, name: str) -> None:
    """A test of the half-year, made on 10 April, covers the days until then: a report from the next day on has none."""
    short = {"report_from": report_from, "report_to": "2026-06-30"}
    failed = only_test(tested_on="2026-04-10", deviations="5", sample_size="5")
    context = opened(tmp_path, sound, failed, lambda rows: rows["business_units"][0].update(short))
    assert evidence.conclude_all(context, "type2")["A-C2"].name == name


def test_no_test_covers_days_from_after_it_on(tmp_path: Path) -> None:
    """A first day covered that is after the test is refused, with the field, the value and the day."""
    edit = only_test(tested_on="2026-03-01", covers_from="2026-03-02", covers_to="2026-06-30")
    with pytest.raises(RegisterError, match=r"covers_from.*2026-03-02.*must not be after tested_on, 2026-03-01"):
        opened(tmp_path, edit)


def test_what_counts_later_only_is_listed_whatever_its_period(tmp_path: Path) -> None:
    """A test and a deficiency of after the day are on the page as not counted, whatever period the test names."""

    def late(rows: Rows) -> None:
        rows["deficiencies"].append({**DEFICIENCY, "identified_on": "2026-07-01"})

    days = {"covers_from": "2026-01-01", "covers_to": "2026-06-30"}
    context = opened(tmp_path, sound, late, a_test(period="2026-H2", tested_on="2026-12-20", **days))
    assert evidence.later(context)[["unit_id", "table", "row"]].to_numpy().tolist() == [
        ["alpha", "control_tests", "T9"],
        ["alpha", "deficiencies", "D1"],
    ]
    assert found(context, "evidence-after-as-of") == ["D1", "T9"]


def test_the_next_periods_tests_are_not_listed_in_this_one(tmp_path: Path) -> None:
    """Who looks back at a period isn't told of every test of the next one."""
    context = opened(tmp_path, sound, a_test(period="2026-H2", tested_on="2026-12-20"))
    assert evidence.later(context).empty


def test_what_deviated_after_the_period_by_the_day_is_found(tmp_path: Path) -> None:
    """A failed test that is about days after the period doesn't count in it, and isn't passed over in silence."""
    days = {"covers_from": "2026-07-01", "covers_to": "2026-07-15", "tested_on": "2026-07-15"}
    context = opened(tmp_path, sound, a_test(deviations="20", **days), as_of=date(2026, 7, 31))
    assert found(context, "deviation-after-period") == ["T9"]


def test_a_report_that_runs_on_is_not_ready(tmp_path: Path) -> None:
    """A report whose period has just begun isn't called unmodified, and each control says how long it runs."""

    def begun(rows: Rows) -> None:
        rows["business_units"][0].update(report_from="2026-06-01", report_to="2027-05-31")

    context = opened(tmp_path, sound, begun)
    assert outlook(context).outcome == NOT_YET
    assert "its report's period still runs for 335 days" in outlook(context).faults[0]
    assert report_outlooks(context, "type2")["alpha"].opinion == NOT_READY


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("2025-10-01", "runs for 184 days"),
        ("2025-09-30", "runs for 184 days; 93 days so far untested, over the 92 allowed, until a test covers them"),
    ],
)
def test_a_report_that_runs_on_does_not_hide_what_is_untested_already(tmp_path: Path, first: str, told: str) -> None:
    """That waiting isn't enough is told while it runs; a later round of those days makes up for them."""

    def begun(rows: Rows) -> None:
        rows["business_units"][0].update(report_from=first, report_to="2026-12-31")
        rows["control_tests"][1].update(tested_on="2026-06-30")
        rows["control_tests"][2].update(covers_from=first, covers_to="2026-06-30")

    fault = f"can't be shown yet: its report's period still {told}"
    seen = outlook(opened(tmp_path, sound, begun))
    assert seen.outcome == NOT_YET
    assert seen.faults[0].endswith(fault)
    late = a_test(period="2025-H2", covers_from=first, covers_to="2025-12-31", tested_on="2026-06-30")
    assert "untested" not in outlook(opened(tmp_path / "b", sound, begun, late)).faults[0].rpartition("A-C2")[2]


@pytest.mark.parametrize(("until", "opinion"), [("2026-09-30", UNMODIFIED), ("2026-10-01", NOT_READY)])
def test_a_report_may_run_on_for_as_long_as_days_may_be_untested(tmp_path: Path, until: str, opinion: str) -> None:
    """With 92 days to come the tests roll forward; with 93 they don't."""
    context = opened(tmp_path, sound, lambda rows: rows["business_units"][0].update(report_to=until))
    assert report_outlooks(context, "type2")["alpha"].opinion == opinion


YEAR = {"covers_from": "2025-07-01", "covers_to": "2026-06-30"}


def begun(control: int, first: str) -> Edit:
    """A control began in the middle of a report's year, and was tested since; A-C2 alone holds the risk."""

    def edit(rows: Rows) -> None:
        rows["business_units"][0].update(report_from="2025-07-01")
        rows["controls"][0].update(key="no")
        rows["controls"][control].update(valid_from=first)
        if control == 2:  # what relies on it went without it
            before = str(date.fromisoformat(first) - timedelta(days=1))
            rows["controls"].append({**rows["controls"][1], "relies_on": "", "valid_to": before})
            rows["controls"][1].update(valid_from=first)
        for row in (1, 2):
            rows["control_tests"][row].update(YEAR)
        rows["control_tests"][control].update(covers_from=first)

    return edit


def replaced(rows: Rows) -> None:
    """A-C2 ended with 2025, and A-C9 goes on where it stopped; both were tested over their own days."""
    begun(1, "2025-07-01")(rows)
    rows["controls"].append({**rows["controls"][1], "control_id": "A-C9", "valid_from": "2026-01-01"})
    rows["controls"][1].update(valid_from="", valid_to="2025-12-31")
    rows["risk_controls"].append({**rows["risk_controls"][1], "control_id": "A-C9"})
    a_test(control_id="A-C9", covers_from="2026-01-01", covers_to="2026-06-30")(rows)
    rows["control_tests"][1].update(covers_to="2025-12-31", period="2025-H2")


def test_a_control_that_was_replaced_takes_judgement(tmp_path: Path) -> None:
    """Days before a control began aren't untested days of its: what did the work until then is what is to be judged."""
    context = opened(tmp_path, sound, replaced)
    concluded = evidence.conclude_all(context, "type2")["A-C9"]
    assert (concluded.name, concluded.untested_days) == ("operated_effectively", 15)
    acted = "A-C2 acted on A-R1 until 2025-12-31, in the report's period: its tests up to then count, too"
    assert outlook(context).outcome == JUDGEMENT
    assert outlook(context).contradictions == (acted,)
    untested = opened(tmp_path / "b", sound, replaced, lambda rows: rows["control_tests"].pop())
    assert evidence.conclude_all(untested, "type2")["A-C9"].reason == "not tested since 2026-01-01"


def test_what_deviated_in_a_control_that_was_retired_is_reported(tmp_path: Path) -> None:
    """Beside the objective and in the page's headline, with what was closed; none of it goes with the control's row."""

    def failed(rows: Rows) -> None:
        replaced(rows)
        rows["control_tests"][1].update(deviations="5")
        rows["deficiencies"].append(
            {**DEFICIENCY, "control_id": "A-C2", "identified_on": "2025-09-01", "closed_on": "2025-12-01"}
        )

    context = opened(tmp_path, sound, failed)
    reported = ("A-C2: 5 of 25 deviated, to be reported", "D1 of A-C2, closed on 2025-12-01")
    assert outlook(context).reported == outlook(context.only("alpha")).reported == reported
    page = unit.heading(open_unit("alpha", "2026-H1", str(tmp_path / "data"), as_of=str(DAY)))
    assert "; 1 control deviated, to be reported" in page.content["second"]["verdict"]


@pytest.mark.parametrize(
    ("kept", "deviations", "outcome", "reported"),
    [
        (True, "0", ACHIEVED, ()),
        (True, "1", NOT_YET, ("A-C2: 1 of 25 deviated, to be reported",)),
        (False, "0", JUDGEMENT, ()),
        (False, "9", JUDGEMENT, ("A-C7: 9 of 25 deviated, to be reported",)),
    ],
)
def test_a_risk_that_was_retired_in_the_report_is_not_forgotten(
    tmp_path: Path, kept: bool, deviations: str, outcome: str, reported: tuple[str, ...]
) -> None:
    """A control of its that goes on speaks for itself; one that ended with it takes judgement."""
    name = "A-C2" if kept else "A-C7"

    def risk(rows: Rows) -> None:
        rows["risks"].append({**rows["risks"][0], "risk_id": "A-R7", "valid_to": "2026-02-28"})
        rows["controls"] += [] if kept else [{**rows["controls"][1], "control_id": name, "valid_to": "2026-02-28"}]
        rows["risk_controls"].append({**rows["risk_controls"][1], "risk_id": "A-R7", "control_id": name})
        a_test(control_id=name, covers_to="2026-02-28", covers_from="2025-07-01", period="2025-H2")(rows)
        rows["control_tests"].pop() if kept else rows["control_tests"][-1].update(deviations=deviations)
        rows["control_tests"][1].update({"deviations": deviations} if kept else {})

    seen = outlook(opened(tmp_path, sound, year, risk))
    assert (seen.outcome, seen.reported) == (outcome, reported)


def test_a_control_that_reaches_nothing_any_more_has_ended_for_its_risk(tmp_path: Path) -> None:
    """Its coverage fell to 0 in the report's period, as if the link had ended; that it rises later isn't known yet."""

    def fell(rows: Rows) -> None:
        rows["controls"][0].update(key="yes")
        rows["control_tests"][0].update(YEAR, sample_size="25")
        link = rows["risk_controls"][1]
        until = {"valid_from": "2026-04-01", "valid_to": "2026-08-31"}
        rows["risk_controls"] += [{**link, **until, "coverage": "0"}, {**link, "valid_from": "2026-09-01"}]
        link.update(valid_to="2026-03-31")

    acted = "A-C2 acted on A-R1 until 2026-03-31, in the report's period: its tests up to then count, too"
    assert outlook(opened(tmp_path, sound, year, fell)).contradictions == (acted,)


def test_a_vendors_control_without_its_name_carries_nothing(tmp_path: Path) -> None:
    """It earns nothing, so no objective rests on it, whatever its tests found; what deviated is told all the same."""
    unnamed = lambda rows: rows["controls"][1].update(performed_by="subservice")  # noqa: E731
    seen = outlook(opened(tmp_path, sound, year, unnamed))
    fault = "A-R1: A-C2 insufficient evidence (no subservice organisation is named)"
    assert (seen.outcome, seen.faults) == (NOT_YET, (fault,))
    failed = only_test(deviations="9", sample_size="25")
    assert outlook(opened(tmp_path / "b", sound, year, unnamed, failed)).outcome == NOT_ACHIEVED


@pytest.mark.parametrize(
    ("control", "first", "outcome"),
    [(1, "2025-09-16", ACHIEVED), (1, "2025-09-17", JUDGEMENT), (2, "2025-09-16", ACHIEVED), (2, "2025-09-17", JUDGEMENT)],
)  # fmt: skip
def test_days_before_a_control_began_are_not_passed_over(
    tmp_path: Path, control: int, first: str, outcome: str
) -> None:
    """Nothing held the risk before, or nothing that the control relies on: with 15 days untested 77 may be without."""
    seen = outlook(opened(tmp_path, sound, begun(control, first)))
    name = ("A-C2", "A-G1")[control - 1]
    rests = f"A-R1 rests on {name}, which began on {first}, in the report's period: what held before counts, too"
    assert (seen.outcome, seen.contradictions) == (outcome, (rests,) if outcome == JUDGEMENT else ())


def year(rows: Rows) -> None:
    """A report's year, tested but for its last 15 days; A-C2, and A-G1 that it relies on, alone hold the risk."""
    rows["business_units"][0].update(report_from="2025-07-01")
    rows["controls"][0].update(key="no")
    for row in (1, 2):
        rows["control_tests"][row].update(YEAR)


@pytest.mark.parametrize(("first", "outcome"), [("2025-09-16", ACHIEVED), ("2025-09-17", JUDGEMENT)])
@pytest.mark.parametrize("row", [{"coverage": "0"}, None], ids=["reached nothing before", "not linked before"])
def test_days_before_a_control_acted_on_a_risk_are_not_passed_over(
    tmp_path: Path, first: str, outcome: str, row: dict[str, str] | None
) -> None:
    """A-C2 was there all the time, and tested, but for as long nothing acted on the risk."""

    def linked(rows: Rows) -> None:
        before = str(date.fromisoformat(first) - timedelta(days=1))
        rows["risk_controls"] += [{**rows["risk_controls"][1], "valid_to": before, **row}] if row else []
        rows["risk_controls"][1].update(valid_from=first)

    seen = outlook(opened(tmp_path, sound, year, linked))
    rests = f"A-R1 rests on A-C2, which acts on it since {first}, in the report's period: what held before counts, too"
    assert (seen.outcome, seen.contradictions) == (outcome, (rests,) if outcome == JUDGEMENT else ())


@pytest.mark.parametrize(("risk", "outcome"), [("2025-12-01", ACHIEVED), ("2025-09-14", JUDGEMENT)])
@pytest.mark.parametrize("table", ["controls", "risk_controls"])
def test_days_before_a_risk_began_need_no_control(tmp_path: Path, table: str, risk: str, outcome: str) -> None:
    """It came in December with its control; or in September, and was without for 78 days, beside 15 untested."""

    def came(rows: Rows) -> None:
        rows["risks"][0].update(valid_from=risk)
        rows[table][1].update(valid_from="2025-12-01")
        rows["control_tests"][1].update(covers_from="2025-12-01" if table == "controls" else "2025-07-01")

    assert outlook(opened(tmp_path, sound, year, came)).outcome == outcome


@pytest.mark.parametrize(
    ("control", "cells", "told"),
    [
        (1, {"documentation": ""}, "was not documented from {}"),
        (1, {"design": "partially_effective"}, "was of partially effective design from {}"),
        (2, {"documentation": ""}, "was not documented from {}"),
        (1, {"relies_on": "A-C1"}, "relied on A-C1 from {}"),
        (1, {"owner": "N. Owner"}, ""),
    ],
)
def test_what_a_control_lacked_earlier_in_the_report_is_told(
    tmp_path: Path, control: int, cells: dict[str, str], told: str
) -> None:
    """Mended with September: while nothing else held the risk that takes judgement, however few the days; beside
    another control that did it is told. Days before the report, or before the risk, are none of it.
    """
    name = ("A-C2", "A-G1")[control - 1]

    def mended(rows: Rows) -> None:
        rows["controls"].append({**rows["controls"][control], **cells, "valid_to": "2025-08-31"})
        rows["controls"][control].update(valid_from="2025-09-01")

    def beside(rows: Rows) -> None:
        rows["controls"][0].update(key="yes")
        rows["control_tests"][0].update(YEAR, sample_size="25")

    seen, others = outlook(opened(tmp_path, sound, year, mended)), opened(tmp_path / "b", sound, year, mended, beside)
    rests = f"A-R1 rests on {name}, which was otherwise until 2025-08-31, in the report's period"
    reported = (f"{name} {told.format('2025-07-01 to 2025-08-31')}",) if told else ()
    assert (seen.outcome, seen.contradictions) == ((JUDGEMENT, (rests,)) if told else (ACHIEVED, ()))
    assert seen.reported == reported == outlook(others).reported
    assert (outlook(others).outcome, outlook(others.only("alpha")).reported) == (ACHIEVED, reported)
    later = (lambda rows: rows["business_units"][0].update(report_from="2025-09-01"), [])
    risk = (lambda rows: rows["risks"][0].update(valid_from="2025-09-01"), list(reported))
    for number, (edit, left) in enumerate((later, risk)):
        found = outlook(opened(tmp_path / str(number), sound, year, mended, edit))
        assert (found.outcome, list(found.because)) == (ACHIEVED, left)


@pytest.mark.parametrize("cells", [{"documentation": ""}, {"design": "partially_effective"}])
def test_what_a_control_still_lacks_is_told_once(tmp_path: Path, cells: dict[str, str]) -> None:
    """Of it as it is: that it did so under its former owner is no other matter. Where it was mended since, it is."""

    def handed_over(rows: Rows) -> None:
        rows["controls"].append({**rows["controls"][1], **cells, "owner": "F.", "valid_to": "2025-08-31"})
        rows["controls"][1].update(valid_from="2025-09-01")

    def still(rows: Rows) -> None:
        rows["controls"][1].update(cells)

    told = outlook(opened(tmp_path, sound, year, handed_over)).reported
    assert [each.split(" from ")[0] for each in told] in (
        ["A-C2 was not documented"],
        ["A-C2 was of partially effective design"],
    )
    found = outlook(opened(tmp_path / "still", sound, year, still, handed_over))
    assert (found.outcome, found.reported) == (NOT_ACHIEVED, ())


@pytest.mark.parametrize(
    ("table", "cells", "until", "outcome", "told"),
    [
        ("controls", {"documentation": ""}, "2026-04-30", NOT_ACHIEVED, "B-R1: B-C1 was not documented on 2026-03-31"),
        ("controls", {"documentation": ""}, "2026-03-31", NOT_ACHIEVED, "B-R1: B-C1 was not documented on 2026-03-31"),
        ("controls", {"documentation": ""}, "2026-03-30", ACHIEVED, ""),
        (
            "risk_controls",
            {"coverage": "0"},
            "2026-03-31",
            NOT_ACHIEVED,
            "B-R1: no key control acted on it at the report's end; B-C1 has since",
        ),
        ("risk_controls", {"coverage": "0"}, "2026-03-30", ACHIEVED, ""),
    ],
)
def test_a_type_1_report_is_about_its_date(
    tmp_path: Path, table: str, cells: dict[str, str], until: str, outcome: str, told: str
) -> None:
    """At the end of March B-C1 wasn't what it is since, or didn't act on the risk."""

    def edit(rows: Rows) -> None:
        rows["business_units"][1].update(report_to="2026-03-31", appetite="Critical")
        rows["control_tests"][3].update(tested_on="2026-03-20", covers_from="2026-03-20", covers_to="2026-03-20")
        place = next(place for place, row in enumerate(rows[table]) if row["control_id"] == "B-C1")
        rows[table].append({**rows[table][place], **cells, "valid_to": until})
        rows[table][place].update(valid_from=str(date.fromisoformat(until) + timedelta(days=1)))

    [seen] = outlooks(opened(tmp_path, edit).only("beta"), "type1")
    assert (seen.outcome, (*seen.faults, *seen.contradictions)) == (outcome, (told,) if told else ())


def test_a_control_that_was_retired_after_a_type_1_reports_date_takes_judgement(tmp_path: Path) -> None:
    """It acted on the risk then; what its tests of operation find isn't told of such a report."""

    def edit(rows: Rows) -> None:
        rows["business_units"][1].update(report_to="2026-03-31", appetite="Critical")
        rows["control_tests"][3].update(kind="operation", sample_size="25", deviations="9")
        rows["controls"][3].update(valid_to="2026-04-30")

    [seen] = outlooks(opened(tmp_path, edit).only("beta"), "type1")
    told = "B-C1 acted on it past the report's end, until 2026-04-30: what it did in it is to be judged"
    assert (seen.outcome, seen.because) == (JUDGEMENT, (f"B-R1: {told}",))


def since_may(table: str, before: dict[str, str], since: dict[str, str]) -> Edit:
    """A report's year to March, tested, and a row of A-C2 that changed in May."""

    def edit(rows: Rows) -> None:
        year(rows)
        rows["business_units"][0].update(report_to="2026-03-31")
        rows[table].append({**rows[table][1], **before, "valid_to": "2026-04-30"})
        rows[table][1].update(valid_from="2026-05-01", **since)

    return edit


@pytest.mark.parametrize(
    ("cells", "lacks"),
    [
        ({"documentation": ""}, "was not documented on 2026-03-31"),
        ({"design": "partially_effective"}, "design was partially effective on 2026-03-31"),
    ],
)
def test_what_changed_after_a_report_ended_changes_nothing_of_it(
    tmp_path: Path, cells: dict[str, str], lacks: str
) -> None:
    """A-C2 isn't in order since May, or only since then; the risk now is that of today's row."""
    worse = opened(tmp_path / "a", sound, since_may("controls", {}, cells))
    better = opened(tmp_path / "b", sound, since_may("controls", cells, {}))
    assert (outlook(worse).outcome, outlook(worse).because) == (ACHIEVED, ())
    assert (outlook(better).outcome, outlook(better).faults) == (NOT_ACHIEVED, (f"A-R1: A-C2 {lacks}",))
    now = [evidence.assessed(each)["A-C2"]["earned"] for each in (worse, better)]
    assert now[0] < now[1] == 1


def replaced_since(rows: Rows) -> None:
    since_may("controls", {}, {})(rows)
    rows["controls"][1].update(control_id="A-C9")
    rows["control_tests"][1].update(covers_to="2026-04-30", tested_on="2026-05-10")
    rows["risk_controls"].append({**rows["risk_controls"][1], "control_id": "A-C9"})


@pytest.mark.parametrize(
    "edit", [replaced_since, since_may("risk_controls", {}, {"coverage": "0"})], ids=["replaced", "link"]
)
def test_what_stopped_after_a_report_ended_acted_in_it(tmp_path: Path, edit: Edit) -> None:
    """How it did isn't assessed any more: that takes judgement, and isn't told as not achieved."""
    seen = outlook(opened(tmp_path, sound, edit))
    assert seen.outcome == JUDGEMENT
    told = "A-C2 acted on it past the report's end, until 2026-04-30: what it did in it is to be judged"
    assert seen.faults[0].endswith(told)


def test_a_control_that_was_there_before_holds_beside_one_that_began(tmp_path: Path) -> None:
    """Where another key control held the risk all along, a new one beside it takes nothing away."""

    def beside(rows: Rows) -> None:
        rows["controls"][0].update(key="yes")
        rows["control_tests"][0].update(YEAR, sample_size="25")

    assert outlook(opened(tmp_path, sound, begun(1, "2026-01-01"), beside)).outcome == ACHIEVED


def test_what_ended_or_began_after_the_report_is_not_in_its_period(tmp_path: Path) -> None:
    """A report to March, seen from June: A-C9, retired in May, acted on all its days; A-C2, begun in April, on none."""

    def ended(rows: Rows) -> None:
        rows["business_units"][0].update(report_from="2025-07-01", report_to="2026-03-31")
        rows["controls"].append({**rows["controls"][1], "control_id": "A-C9", "valid_to": "2026-05-31"})
        rows["risk_controls"].append({**rows["risk_controls"][1], "control_id": "A-C9"})
        a_test(control_id="A-C9", covers_from="2025-07-01", covers_to="2026-03-31")(rows)
        for row in (1, 2):
            rows["control_tests"][row].update(YEAR)

    def began(rows: Rows) -> None:
        ended(rows)
        rows["controls"][1].update(valid_from="2026-04-01")

    context, later = opened(tmp_path, sound, ended), opened(tmp_path / "b", sound, began)
    assert (outlook(context).outcome, outlook(context).contradictions) == (ACHIEVED, ())
    concluded = evidence.conclude_all(later, "type2")["A-C2"]
    assert (concluded.name, concluded.reason) == ("not_tested", "it began on 2026-04-01, after the report's period")
    assert evidence.conclude_all(later)["A-C2"].name == "operated_effectively"


def test_a_test_from_before_a_control_began_is_none_of_its(tmp_path: Path) -> None:
    """Tested in March, of the period so far, where the control began in April."""
    early = only_test(covers_from="", covers_to="", tested_on="2026-03-20", period="2026-H1")
    for asked in ("type2", None):
        concluded = evidence.conclude_all(opened(tmp_path / str(asked), sound, begun(1, "2026-04-01"), early), asked)
        assert concluded["A-C2"].reason == "not tested since 2026-04-01; last tested on 2026-03-20"


def test_days_before_a_vendors_control_began_are_not_asked_of_its_report(tmp_path: Path) -> None:
    """Taken on in April, with a report from then on: nothing of its own days is uncovered."""

    def vendor(rows: Rows) -> None:
        begun(1, "2026-04-01")(rows)
        rows["controls"][1].update(performed_by="subservice", subservice_id="SUB-1")
        rows["subservice_organisations"][0].update(report_from="2026-04-01", report_to="2026-06-30")

    context = opened(tmp_path, sound, vendor)
    concluded = evidence.conclude_all(context, "type2")["A-C2"]
    assert concluded.name == "operated_effectively"


def test_a_vendors_report_on_later_days_is_not_held_against_ours(tmp_path: Path) -> None:
    """Ours ended in March, and a sound report covers its days: the next one, qualified, is of today only."""

    def vendor(rows: Rows) -> None:
        rows["business_units"][0].update(report_from="2025-04-01", report_to="2026-03-31")
        rows["controls"][1].update(performed_by="subservice", subservice_id="SUB-1")
        former = {**rows["subservice_organisations"][0], "report_from": "2025-04-01", "report_to": "2026-03-31"}
        latest = {"report_from": "2026-04-01", "report_to": "2026-06-15", "opinion": "qualified", "bridge_to": ""}
        review = {"reviewed_on": "2026-06-20", "reviewed_by": "W"}
        rows["subservice_organisations"][0].update(latest, valid_from="2026-06-16", **review)
        rows["subservice_organisations"].insert(0, {**former, "valid_to": "2026-06-15", **review})

    context = opened(tmp_path, sound, vendor)
    assert evidence.conclude_all(context, "type2")["A-C2"].name == "operated_effectively"
    assert evidence.conclude_all(context)["A-C2"].name == "not_effective"


def test_the_size_planned_is_that_of_the_months_since_a_control_began(tmp_path: Path) -> None:
    """A weekly control that began in April is asked for three months' items, not for the year's."""
    context = opened(tmp_path, sound, begun(1, "2026-04-01"))
    [planned] = [each for each in plan(context) if each.control_id == "A-C2"]
    [year] = [each for each in plan(context) if each.control_id == "A-G1"]
    assert planned.size < year.size


def unrated(rows: Rows) -> None:
    rows["ratings"][1].update(likelihood="", impact="", rationale="", rated_by="", rated_on="")


@pytest.mark.parametrize("edit", [unrated, lambda rows: rows["ratings"][1].update(rated_on="2026-07-01")])
def test_an_unrated_risk_takes_judgement(tmp_path: Path, edit: Edit) -> None:
    """Nobody knows whether an unrated risk is within appetite, so that its objective isn't called achieved."""
    seen = outlook(opened(tmp_path, sound, edit))
    assert (seen.outcome, seen.contradictions) == (JUDGEMENT, ("A-R1 is unrated",))


@pytest.mark.parametrize(("coverage", "outcome"), [("0.01", ACHIEVED), ("0.009999999", NOT_ACHIEVED)])
def test_a_control_that_reaches_next_to_nothing_carries_nothing(tmp_path: Path, coverage: str, outcome: str) -> None:
    """A coverage too small to change any figure doesn't make an objective achieved."""

    def small(rows: Rows) -> None:
        rows["risk_controls"] = [{**link, "coverage": coverage} for link in rows["risk_controls"]]

    assert outlook(opened(tmp_path, sound, small)).outcome == outcome


def test_deficiencies_that_are_material_together_take_judgement(tmp_path: Path) -> None:
    """Two deficiencies, neither of which is material alone, contradict an objective as a single material one does."""

    def two(rows: Rows) -> None:
        rows["risks"] = [{**risk, "loss_low": "1", "loss_high": "600000"} for risk in rows["risks"]]
        rows["risks"].insert(1, {**rows["risks"][0], "risk_id": "A-R2", "title": "Missing hours"})
        rows["ratings"].append({**rows["ratings"][1], "risk_id": "A-R2"})
        rows["controls"] += [{**rows["controls"][0], "control_id": name, "key": "no"} for name in ("A-D1", "A-D2")]
        link = {**rows["risk_controls"][0], "coverage": "0.1"}
        rows["risk_controls"] = [
            {**link, "risk_id": risk, "control_id": control}
            for risk, control in (("A-R1", "A-D1"), ("A-R2", "A-D2"), ("A-R1", "A-C2"), ("A-R2", "A-C2"))
        ]
        rows["deficiencies"] += [
            {**DEFICIENCY, "deficiency_id": f"D{name}", "control_id": name} for name in ("A-D1", "A-D2")
        ]

    seen = outlook(opened(tmp_path, sound, two))
    assert seen.outcome == JUDGEMENT
    together = "deficiencies of A-D1, A-D2 together are a candidate material weakness on this evidence: objective A-CO1"
    assert seen.contradictions == (together,)


@pytest.mark.parametrize(("day", "seen"), [("2027-06-30", date(2027, 6, 30)), ("2099-12-31", DAY)])
def test_one_date_typed_wrong_does_not_move_the_day(tmp_path: Path, day: str, seen: date) -> None:
    """A rating of the far future doesn't take the pages there: it doesn't count, and is listed."""
    context = opened(tmp_path, sound, lambda rows: rows["ratings"][1].update(rated_on=day), as_of=None)
    assert context.as_of == seen
    assert ("A-R1" in found(context, "evidence-after-as-of")) == (seen == DAY)


@pytest.mark.parametrize(
    ("cells", "lacks"),
    [
        ({"evidence": ""}, "has no evidence on record of T3"),
        (
            {"covers_from": "2026-06-15", "covers_to": "2026-06-15"},
            "was not tested on 180 days of the report's period, over the 92 allowed",
        ),
    ],
)
def test_what_a_control_relies_on_is_asked_for_evidence_too(tmp_path: Path, cells: dict[str, str], lacks: str) -> None:
    """A control isn't shown by tests of an IT general control that nobody can show, or of one day only."""
    context = opened(
        tmp_path, sound, lambda rows: rows["risk_controls"].pop(0), lambda rows: rows["control_tests"][2].update(cells)
    )
    assert outlook(context).outcome == NOT_YET
    assert f"A-C2 relies on A-G1, which {lacks}" in outlook(context).faults[0]
