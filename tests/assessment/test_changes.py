"""What held on days of a report isn't forgotten with its row, and what began after the report is none of it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from register_files import DEFICIENCY, Rows

from assessment.test_holes import Edit, a_test, only_test, opened, outlook, sound, year
from riskcalc.assessment import evidence
from riskcalc.assessment.changes import parts
from riskcalc.assessment.context import Context
from riskcalc.assessment.opening import open_unit
from riskcalc.assessment.opinion import (
    ACHIEVED,
    JUDGEMENT,
    NOT_ACHIEVED,
    NOT_YET,
    UNMODIFIED,
    Outlook,
    outlooks,
    report_outlooks,
)
from riskcalc.assessment.readiness import gaps
from riskcalc.pages import readiness

FIRST_HALF = "2025-07-01 to 2025-12-31"
VENDOR = {"performed_by": "subservice", "subservice_id": "SUB-1"}
READ = {"reviewed_on": "2026-06-20", "reviewed_by": "W"}


def changed(before: dict[str, str], since: dict[str, str], table: str = "controls", last: str = "2025-12-31") -> Edit:
    """A-C2, or how it acts on A-R1, was otherwise until the end of 2025, in the report's year."""

    def edit(rows: Rows) -> None:
        row = rows[table][1]
        rows[table].append({**row, **before, "valid_to": last})
        row.update(since, valid_from=str(date.fromisoformat(last) + timedelta(days=1)))

    return edit


def vendors(*reports: dict[str, str]) -> Edit:
    """SUB-1, SUB-2 and so on, each with a report, which was reviewed."""

    def edit(rows: Rows) -> None:
        first = rows["subservice_organisations"][0]
        names = (f"SUB-{number}" for number in range(1, 9))
        rows["subservice_organisations"] = [
            {**first, "report_from": "2025-07-01", **READ, "subservice_id": name, **each}
            for name, each in zip(names, reports, strict=False)
        ]

    return edit


def over(first: str, last: str, **cells: str) -> Edit:
    return only_test(covers_from=first, covers_to=last, **cells)


def seen(folder: Path, *edits: Edit) -> tuple[Outlook, Context]:
    context = opened(folder, sound, year, *edits)
    assert outlook(context) == outlook(context.only("alpha"))  # a unit's page says what the organisation's does
    return outlook(context), context


def test_what_a_control_did_before_a_vendor_took_it_over_counts(tmp_path: Path) -> None:
    """It failed by our own tests; the vendor's sound report, over whatever days, says nothing of that."""
    failed = over("2025-07-01", "2025-12-31", period="2025-H2", deviations="20", systematic="yes")
    found, _ = seen(tmp_path, failed, changed({}, VENDOR), vendors({}))
    assert found.outcome == NOT_ACHIEVED
    assert found.reported == (
        "A-C2: 20 of 25 deviated, to be reported",
        "A-C2 was performed by us from 2025-07-01 to 2025-12-31",
    )
    assert f"{FIRST_HALF}: 20 of 25 deviated, systematically; since 2026-01-01: Hosting Ltd" in found.faults[0]


def test_one_item_of_a_program_says_nothing_of_when_it_was_done_by_hand(tmp_path: Path) -> None:
    """Automated, and tested once, since January: the half-year before is untested."""
    once = over("2026-06-01", "2026-06-15", sample_size="1")
    found, context = seen(tmp_path, once, changed({}, {"nature": "automated"}))
    assert (found.outcome, found.reported) == (NOT_YET, ("A-C2 was manual from 2025-07-01 to 2025-12-31",))
    concluded = evidence.conclude_all(context, "type2")["A-C2"]
    assert (concluded.name, concluded.untested_days) == ("insufficient_evidence", 184)
    assert f"{FIRST_HALF}: no test is of these days; since 2026-01-01: 0 of 1 deviated" in concluded.reason
    both = a_test(period="2025-H2", sample_size="25", covers_from="2025-07-01", covers_to="2025-12-31")
    assert seen(tmp_path / "b", once, changed({}, {"nature": "automated"}), both)[0].outcome == ACHIEVED


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize(
    ("opinion", "report_to", "outcome"),
    [
        ("unmodified", "2025-12-31", ACHIEVED),
        ("adverse", "2025-12-31", NOT_ACHIEVED),
        ("unmodified", "2025-09-20", NOT_YET),
    ],
)
def test_the_change_of_a_vendor(tmp_path: Path, opinion: str, report_to: str, outcome: str, *, gone: bool) -> None:
    """Each vendor's report is asked about the days on which that vendor performed the control, kept or not."""
    until = {"valid_to": "2025-12-31"} if gone else {}
    former = {"name": "Old Ltd", "report_to": report_to, "opinion": opinion, **until}
    both = vendors({"report_from": "2026-01-01"}, former)
    found, context = seen(tmp_path, changed({**VENDOR, "subservice_id": "SUB-2"}, VENDOR), both)
    assert found.outcome == outcome
    assert "A-C2 was performed by SUB-2 from 2025-07-01 to 2025-12-31" in found.reported
    assert "Old Ltd reports on" in evidence.conclude_all(context, "type2")["A-C2"].reason
    page = readiness.subservice(open_unit("alpha", "2026-H1", str(tmp_path / "data"), as_of="2026-06-30"))
    told = {row[0]: (row[3], row[6]["text"]) for row in page.content["rows"]}
    days = "102 days" if report_to == "2025-09-20" else "none"
    assert told == {
        "SUB-1": ("A-C2", "none"),
        "SUB-2": ("A-C2, until 31\N{NO-BREAK SPACE}Dec\N{NO-BREAK SPACE}2025", days),
    }


@pytest.mark.parametrize(
    ("before", "since", "last", "outcome"),
    [
        ({}, {"frequency": "daily"}, "2025-09-10", JUDGEMENT),  # 72 days that nothing shows, fewer than are allowed
        ({}, {"frequency": "daily"}, "2025-11-30", NOT_YET),
        ({"frequency": "annual"}, {"frequency": "annual", "nature": "it_dependent"}, "2025-11-30", JUDGEMENT),
        ({"performed_by": "user_entity"}, {}, "2025-09-10", JUDGEMENT),
        ({"key": "no"}, {}, "2025-07-31", JUDGEMENT),
        ({"key": "no"}, {}, "2025-06-30", ACHIEVED),  # before the report
        ({"owner": "Z", "title": "T"}, {}, "2025-12-31", ACHIEVED),
    ],
)
def test_what_a_control_was_takes_judgement_at_least(
    tmp_path: Path, before: dict[str, str], since: dict[str, str], last: str, outcome: str
) -> None:
    """As far as nothing shows how it operated then, or nobody counted on it."""
    after = str(date.fromisoformat(last) + timedelta(days=1))
    mine = over(after if "key" not in before and "owner" not in before else "2025-07-01", "2026-06-15")
    found, _ = seen(tmp_path, mine, changed(before, since, last=last))
    assert (found.outcome, bool(found.because)) == (outcome, outcome != ACHIEVED)


def test_a_control_that_was_the_key_one_until_it_failed(tmp_path: Path) -> None:
    """Another one is since December: it was there, and tested, but nobody counted on it, so that takes judgement."""

    def swapped(rows: Rows) -> None:
        rows["controls"][0].update(key="no")
        rows["control_tests"][0].update(sample_size="25", deviations="20", systematic="yes")
        for row, then in ((0, "yes"), (1, "no")):
            rows["controls"].append({**rows["controls"][row], "key": then, "valid_to": "2025-11-30"})
            rows["controls"][row].update(valid_from="2025-12-01")

    found, _ = seen(tmp_path, swapped)
    assert found.outcome == JUDGEMENT
    assert found.reported == (
        "A-C1: 20 of 25 deviated, to be reported",
        "A-C1 was a key control from 2025-07-01 to 2025-11-30",
        "A-C2 was no key control from 2025-07-01 to 2025-11-30",
    )


@pytest.mark.parametrize(
    ("before", "rating", "outcome"),
    [
        ({"coverage": "0.1"}, "4", JUDGEMENT),  # outside appetite until December
        ({"acts_on": "impact"}, "4", JUDGEMENT),  # and on the likelihood since
        ({"coverage": "0.9"}, "4", ACHIEVED),
        ({"coverage": "0.5"}, "2", ACHIEVED),
        ({"coverage": "0.001"}, "2", JUDGEMENT),  # next to nothing
    ],
)
def test_a_control_that_reached_less_of_a_risk(
    tmp_path: Path, before: dict[str, str], rating: str, outcome: str
) -> None:
    """The least that it did on all the days of the report counts for the opinion, and is told."""

    def rated(rows: Rows) -> None:
        rows["ratings"] = [{**one, "likelihood": rating, "impact": rating} for one in rows["ratings"]]
        rows["risk_controls"][0].update(coverage="0.01")

    since = {"acts_on": "likelihood"} if "acts_on" in before else {}
    found, _ = seen(tmp_path, rated, changed(before, since, "risk_controls"))
    assert found.outcome == outcome
    [told] = found.reported
    assert told.startswith("A-C2 acted on ")
    assert told.endswith(" from 2025-07-01 to 2025-12-31")


def after_march(edit: Edit) -> Edit:
    """The report's year ended in March."""

    def both(rows: Rows) -> None:
        rows["business_units"][0].update(report_to="2026-03-31")
        edit(rows)

    return both


def came(rows: Rows) -> None:
    """A risk, unrated and without a control, and an objective with another."""
    first = {"valid_from": "2026-04-15"}
    rows["risks"].append({**rows["risks"][0], "risk_id": "A-R5", **first})
    rows["control_objectives"].append({**rows["control_objectives"][0], "objective_id": "A-CO5", **first})
    rows["risks"].append({**rows["risks"][0], "risk_id": "A-R6", "objective_id": "A-CO5", **first})
    rows["control_objectives"].append({**rows["control_objectives"][0], "objective_id": "A-CO6", **first})


def test_what_began_after_the_report_is_not_held_against_it(tmp_path: Path) -> None:
    """Neither a risk nor an objective: not in the outlook, its counts, or the gaps that decide."""
    _, context = seen(tmp_path, after_march(came))
    outlook_on = report_outlooks(context, "type2")["alpha"]
    assert (outlook_on.opinion, outlook_on.objectives) == (UNMODIFIED, 1)
    assert not [gap for gap in gaps(context.only("alpha")) if gap.blocks]


@pytest.mark.parametrize(
    ("table", "outcome", "told"),
    [
        ("controls", NOT_ACHIEVED, "A-R1: no key control acted on it at the report's end; A-C2 has since"),
        ("risk_controls", NOT_ACHIEVED, "A-R1: no key control acted on it at the report's end; A-C2 has since"),
    ],
)
def test_what_began_after_the_report_doesnt_hold_its_risks(tmp_path: Path, table: str, outcome: str, told: str) -> None:
    """A key control, or that it acts on the risk."""
    found, context = seen(tmp_path, after_march(lambda rows: rows[table][1].update(valid_from="2026-04-15")))
    assert (found.outcome, found.faults) == (outcome, (told,))
    assert told.split(": ")[1] in {gap.what for gap in gaps(context.only("alpha")) if gap.blocks}


@pytest.mark.parametrize(
    ("then", "since", "outcome"), [("yes", "no", ACHIEVED), ("no", "yes", NOT_ACHIEVED)], ids=["was key", "is key"]
)
def test_which_controls_were_key_is_asked_of_the_reports_end(
    tmp_path: Path, then: str, since: str, outcome: str
) -> None:
    """What is counted on since then is another report's."""
    edit = after_march(changed({"key": then}, {"key": since}, last="2026-04-30"))
    found, context = seen(tmp_path, edit)
    assert found.outcome == outcome
    assert any(gap.blocks for gap in gaps(context.only("alpha"))) == (outcome != ACHIEVED)


@pytest.mark.parametrize(
    ("then", "since", "outcome"), [("0.8", "0.001", ACHIEVED), ("0.001", "0.8", NOT_ACHIEVED)], ids=["did", "does"]
)
def test_what_a_control_reached_is_asked_of_the_reports_end(
    tmp_path: Path, then: str, since: str, outcome: str
) -> None:
    """What it reaches since then is another report's."""
    edit = changed({"coverage": then}, {"coverage": since}, "risk_controls", "2026-04-30")
    found, context = seen(tmp_path, after_march(edit))
    assert found.outcome == outcome
    assert any(gap.blocks for gap in gaps(context.only("alpha"))) == (outcome != ACHIEVED)


@pytest.mark.parametrize(("last", "there"), [("2026-06-29", True), ("2025-07-01", True), ("2025-06-30", False)])
def test_an_objective_that_ended_is_named(tmp_path: Path, last: str, *, there: bool) -> None:
    """It was in the report, with what deviated; how it stood until then is to be judged."""

    def ended(rows: Rows) -> None:
        until = {"valid_to": last}
        rows["control_objectives"].append({**rows["control_objectives"][0], "objective_id": "A-CO5", **until})
        rows["risks"].append({**rows["risks"][0], "risk_id": "A-R5", "objective_id": "A-CO5", **until})
        rows["risk_controls"].append({**rows["risk_controls"][0], "risk_id": "A-R5"})
        rows["control_tests"][0].update(sample_size="25", deviations="20", systematic="yes")

    _, context = seen(tmp_path, ended)
    told = f"A-CO5 was in the report, and ended on {last}: whether it was achieved until then is to be judged"
    found = [one for one in outlooks(context.only("alpha"), "type2") if one.objective_id == "A-CO5"]
    expected = (JUDGEMENT, (told, "A-C1: 20 of 25 deviated, to be reported"))
    assert [(one.outcome, one.because) for one in found] == [expected] * there
    rows = readiness.objectives(open_unit("alpha", "2026-H1", str(tmp_path / "data"), as_of="2026-06-30")).content[
        "rows"
    ]
    assert len(rows) == 1 + there


def test_rows_that_say_the_same_are_one_part(tmp_path: Path) -> None:
    """Another owner, and back: nothing of the evidence is asked twice."""
    _, context = seen(tmp_path, changed({"owner": "Z"}, {}))
    control = next(row for row in context.register.rows("controls") if row["control_id"] == "A-C2")
    days = (date(2025, 7, 1), date(2026, 6, 30))
    assert [row["part"] for row in parts(context.register, control, days)] == [days]


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize(
    ("key", "table", "last", "outcome"),
    [
        ("no", "risks", "2025-12-31", JUDGEMENT),
        ("yes", "risks", "2025-12-31", ACHIEVED),
        ("no", "risks", "2025-06-30", ACHIEVED),  # before the report
    ],
)
def test_a_risk_that_nothing_held_is_not_gone_with_its_row(
    tmp_path: Path, key: str, table: str, last: str, outcome: str, *, moved: bool
) -> None:
    """It ended in the report, or threatens another objective since."""

    def left(rows: Rows) -> None:
        rows["controls"][0].update(key=key)
        rows["control_tests"][0].update(covers_from="2025-07-01", covers_to="2026-06-30", sample_size="25")
        rows[table].append({**rows[table][0], "risk_id": "A-R5", "valid_to": last})
        rows["risk_controls"].append({**rows["risk_controls"][0], "risk_id": "A-R5"})
        if moved:
            rows["control_objectives"].append({**rows["control_objectives"][0], "objective_id": "A-CO5"})
            since = {"valid_from": str(date.fromisoformat(last) + timedelta(days=1)), "objective_id": "A-CO5"}
            rows[table].append({**rows[table][-1], "valid_to": "", **since})

    found, _ = seen(tmp_path, left)
    held = "in the report, and no key control that holds is known to have acted on it"
    told = (f"A-R5 threatened it until {last}, {held}",) if outcome == JUDGEMENT else ()
    assert (found.outcome, found.contradictions) == (outcome, told)


def test_what_we_tested_of_a_vendors_control_is_told(tmp_path: Path) -> None:
    """It was included in our report until the method changed to carve-out: the vendor's report doesn't undo our tests."""
    failed = over("2025-07-01", "2025-12-31", period="2025-H2", deviations="20", systematic="yes")

    def method(rows: Rows) -> None:
        row = rows["subservice_organisations"][0]
        rows["subservice_organisations"].append({**row, "method": "inclusive", "valid_to": "2025-12-31"})
        row.update(valid_from="2026-01-01")

    found, _ = seen(tmp_path, failed, lambda rows: rows["controls"][1].update(VENDOR), vendors({}), method)
    assert (found.outcome, found.reported) == (NOT_ACHIEVED, ("A-C2: 20 of 25 deviated, to be reported",))


@pytest.mark.parametrize("before", [{"performed_by": "subservice"}, {"key": "no"}, {"frequency": "daily"}])
def test_a_type_1_report_asks_for_who_did_what_at_its_date(tmp_path: Path, before: dict[str, str]) -> None:
    """B-C1 was otherwise at the end of March, and walked through then; what it is since April is of no matter."""

    def edit(rows: Rows) -> None:
        rows["business_units"][1].update(report_to="2026-03-31", appetite="Critical")
        rows["control_tests"][3].update(tested_on="2026-03-20", covers_from="2026-03-20", covers_to="2026-03-20")
        rows["controls"].append({**rows["controls"][3], **before, "valid_to": "2026-03-31"})
        rows["controls"][3].update(valid_from="2026-04-01")

    [found] = outlooks(opened(tmp_path, edit).only("beta"), "type1")
    expected = {"performed_by": NOT_YET, "key": NOT_ACHIEVED, "frequency": ACHIEVED}
    assert found.outcome == expected[[*before][-1]]


def test_what_another_unit_changed_counts_for_whoever_relies_on_it(tmp_path: Path) -> None:
    """Beta's control was performed by a vendor without a report until December; Alpha's relies on it."""

    def relied(rows: Rows) -> None:
        rows["business_units"][1].update(report_type="type2", report_from="2025-07-01")
        rows["controls"][1].update(relies_on="B-C1")
        last = {**rows["control_tests"][1], "test_id": "T4", "control_id": "B-C1", "covers_from": "2025-12-01"}
        rows["control_tests"][3].update(last)
        rows["controls"].append({**rows["controls"][3], "performed_by": "subservice", "valid_to": "2025-11-30"})
        rows["controls"][3].update(valid_from="2025-12-01")

    assert seen(tmp_path, relied)[0].outcome == NOT_YET


@pytest.mark.parametrize(
    ("then", "since", "outcome"), [("", "A-G1", ACHIEVED), ("A-G1", "", NOT_ACHIEVED)], ids=["relies", "relied"]
)
def test_what_a_control_relied_on_is_asked_of_the_reports_end(
    tmp_path: Path, then: str, since: str, outcome: str
) -> None:
    """A-G1 failed: that is held against what relied on it then, and not against what only relies on it since."""
    failed = lambda rows: rows["control_tests"][2].update(deviations="20", systematic="yes")  # noqa: E731
    edit = changed({"relies_on": then}, {"relies_on": since}, last="2026-04-30")
    found, _ = seen(tmp_path, failed, after_march(edit))
    told = ("A-R1: A-C2 relied on A-G1 on 2026-03-31, which hasn't earned as much",)
    assert (found.outcome, found.faults) == (outcome, told if outcome == NOT_ACHIEVED else ())


@pytest.mark.parametrize("alpha", ["2026-03-31", "2026-06-30"])
def test_controls_of_reports_that_ended_on_different_days_may_have_relied_on_each_other(
    tmp_path: Path, alpha: str
) -> None:
    """Alpha's on beta's to April, and beta's on alpha's from May on: no chain of either day goes in a circle."""

    def edit(rows: Rows) -> None:
        rows["business_units"][0].update(report_to=alpha)
        rows["business_units"][1].update(report_type="type2", report_from="2025-07-01", report_to="2026-05-31")
        changed({"relies_on": "B-C1"}, {"relies_on": ""}, last="2026-04-30")(rows)
        for first, last, relied in (("", "2026-04-30", ""), ("2026-05-01", "2026-06-15", "A-C2")):
            rows["controls"].append({**rows["controls"][3], "valid_from": first, "valid_to": last, "relies_on": relied})
        rows["controls"][3].update(valid_from="2026-06-16")

    assert seen(tmp_path, edit)[0].outcome != ACHIEVED


def test_another_units_control_that_acted_on_a_risk_is_told_of_alike(tmp_path: Path) -> None:
    """A-C2 held a risk of beta's that ended; beta's page knows how it goes on, as the organisation's does."""

    def ended(rows: Rows) -> None:
        rows["business_units"][1].update(report_type="type2", report_from="2025-07-01", appetite="Critical")
        rows["control_tests"][3].update(
            kind="operation", sample_size="25", covers_from="2025-07-01", covers_to="2026-06-15"
        )
        rows["risks"].append({**rows["risks"][-1], "risk_id": "B-R7", "valid_to": "2026-02-28"})
        rows["risk_controls"].append({**rows["risk_controls"][1], "risk_id": "B-R7"})

    _, context = seen(tmp_path, ended)
    [whole] = [one for one in outlooks(context, "type2") if one.unit_id == "beta"]
    assert [whole] == list(outlooks(context.only("beta"), "type2"))
    assert whole.outcome == ACHIEVED


def deficient(*found: dict[str, str]) -> Edit:
    """Deficiencies of A-C1, which isn't key; A-C2 compensates for it with 0.8, and is tested."""

    def edit(rows: Rows) -> None:
        rows["ratings"] = [{**one, "likelihood": "4", "impact": "4"} for one in rows["ratings"]]
        rows["risks"] = [{**one, "loss_low": "1", "loss_high": "2000000"} for one in rows["risks"]]
        rows["business_units"][0].update(report_to="2026-03-31", appetite="Critical")
        rows["business_units"][1].update(report_to="2026-03-31", appetite="Critical")
        rows["control_tests"][3].update(tested_on="2026-03-20", covers_from="2026-03-20", covers_to="2026-03-20")
        names = (f"D{number}" for number in range(1, 9))
        rows["deficiencies"] += [
            {**DEFICIENCY, "deficiency_id": name, **each} for name, each in zip(names, found, strict=False)
        ]

    return edit


WEAK = "is a candidate material weakness on this evidence"


def beside(before: dict[str, str], since: dict[str, str], table: str) -> Edit:
    return changed(before, since, table, "2026-04-30")


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (deficient(), ()),
        (beside({}, {"documentation": ""}, "controls"), ()),
        (beside({}, {"coverage": "0.1"}, "risk_controls"), ()),
        (a_test(covers_from="2026-04-01", covers_to="2026-06-15", deviations="20"), ()),
        (beside({"coverage": "0.1"}, {}, "risk_controls"), (f"D1 of A-C1 {WEAK}",)),
        (changed({"coverage": "0.1"}, {}, "risk_controls"), (f"D1 of A-C1 {WEAK}",)),
    ],
)
def test_how_grave_a_deficiency_is_for_a_report_is_asked_of_its_days(
    tmp_path: Path, edit: Edit, told: tuple[str, ...]
) -> None:
    """What compensates for it only since the report's end, or not any more, is of no matter to the report."""
    assert seen(tmp_path, deficient({}), edit)[0].contradictions == told


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([{"closed_on": "2026-03-10"}], "closed on 2026-03-10"),
        ([{"closed_on": "2026-05-01"}], "closed on 2026-05-01"),
        ([{"identified_on": "2026-04-10"}], "identified on 2026-04-10, after the report's end"),
        (
            [{"identified_on": "2026-04-10", "closed_on": "2026-05-01"}],
            "identified on 2026-04-10, after the report's end, and closed on 2026-05-01",
        ),
    ],
)
def test_when_a_deficiency_was_known_and_closed_is_told(tmp_path: Path, found: list[dict[str, str]], told: str) -> None:
    """A repair takes nothing out of the report, and nobody has said that what was found later is new."""
    of = [{"indicator": "restatement", **one} for one in found]
    assert seen(tmp_path, deficient(*of))[0].contradictions == (f"D1 of A-C1 {WEAK}, {told}",)


@pytest.mark.parametrize(("closed", "counts"), [("2026-03-31", False), ("2026-04-01", True)])
def test_a_deficiency_that_was_open_at_a_type_1_reports_date_stays(
    tmp_path: Path, closed: str, *, counts: bool
) -> None:
    """Its repair since then changes nothing of how it was at the date."""
    open_then = {"control_id": "B-C1", "identified_on": "2026-02-01", "closed_on": closed}
    context = opened(tmp_path, sound, deficient({**open_then, "indicator": "restatement"}))
    [found] = outlooks(context.only("beta"), "type1")
    assert (found.outcome, found.contradictions) == (
        (JUDGEMENT, (f"D1 of B-C1 {WEAK}, closed on {closed}",)) if counts else (ACHIEVED, ())
    )


@pytest.mark.parametrize(("closed", "together"), [("", True), ("2026-04-15", True), ("2026-03-15", False)])
def test_deficiencies_that_were_open_at_the_reports_end_are_taken_together(
    tmp_path: Path, closed: str, *, together: bool
) -> None:
    """Each leaves the other control to compensate; that one was closed since changes nothing of the report's end."""

    def two(rows: Rows) -> None:
        rows["controls"].append({**rows["controls"][1], "control_id": "A-C9", "key": "no"})
        a_test(control_id="A-C9", covers_from="2025-07-01", covers_to="2026-06-15")(rows)
        rows["risk_controls"].append({**rows["risk_controls"][1], "control_id": "A-C9"})

    found, _ = seen(tmp_path, two, deficient({"control_id": "A-C2"}, {"control_id": "A-C9", "closed_on": closed}))
    told = "deficiencies of A-C2, A-C9 together are a candidate material weakness on this evidence: objective A-CO1"
    assert (told in found.contradictions) == together


@pytest.mark.parametrize(
    ("rows_", "outcome", "told"),
    [
        ([("Low", "2025-12-31"), ("High", "")], JUDGEMENT, "outside the appetite of Low that held until 2025-12-31"),
        ([("High", "2025-12-31"), ("Low", "")], JUDGEMENT, "outside appetite"),
        ([("High", "2026-04-15"), ("Low", "")], ACHIEVED, ""),
        ([("Low", "2026-04-15"), ("High", "")], JUDGEMENT, "outside the appetite of Low that held until 2026-03-31"),
        ([("Low", "2025-06-30"), ("High", "")], ACHIEVED, ""),
        ([("Low", "2025-12-31"), ("High", "2026-01-31"), ("Low", "")], JUDGEMENT, "outside appetite"),
    ],
)
def test_a_risk_is_held_against_the_appetite_of_the_reports_days(
    tmp_path: Path, rows_: list[tuple[str, str]], outcome: str, told: str
) -> None:
    """Loosening it within the report, or since, takes nothing back; tightening it since is none of the report's."""

    def edit(rows: Rows) -> None:
        rows["ratings"] = [{**one, "likelihood": "4", "impact": "4"} for one in rows["ratings"]]
        rows["risk_controls"] = [{**one, "coverage": "0.3"} for one in rows["risk_controls"]]
        first, unit = "", rows["business_units"].pop(0)
        for appetite, last in rows_:
            rows["business_units"].append({**unit, "appetite": appetite, "valid_from": first, "valid_to": last})
            first = str(date.fromisoformat(last or "2026-06-29") + timedelta(days=1))

    found, _ = seen(tmp_path, after_march(edit))
    expected = (f"A-R1 is Medium on this evidence, {told}",) if told else ()
    assert (found.outcome, found.contradictions) == (outcome, expected)


@pytest.mark.parametrize("last", ["2026-04-30", "2026-03-31", "2025-12-31"])
def test_which_objective_a_risk_threatened_is_asked_of_the_reports_end(tmp_path: Path, last: str) -> None:
    """It threatens another one since; that one has no risk in a report which ended before."""

    def moved(rows: Rows) -> None:
        rows["control_objectives"].append({**rows["control_objectives"][0], "objective_id": "A-CO2"})
        rows["risks"].append({**rows["risks"][0], "valid_to": last})
        since = str(date.fromisoformat(last) + timedelta(days=1))
        rows["risks"][0].update(objective_id="A-CO2", valid_from=since)

    found, context = seen(tmp_path, after_march(moved))
    [other] = [one for one in outlooks(context, "type2") if one.objective_id == "A-CO2"]
    expected = (NOT_YET, ACHIEVED) if last == "2025-12-31" else (ACHIEVED, NOT_YET)
    assert (found.outcome, other.outcome) == expected
    bare = [gap.row for gap in gaps(context.only("alpha")) if gap.what == "no risk to this objective is named"]
    assert bare == (["A-CO1"] if last == "2025-12-31" else ["A-CO2"])


def test_a_closed_deficiency_of_another_units_control_is_told_alike(tmp_path: Path) -> None:
    """B-C1 acted on a risk of alpha's until December: alpha's page tells what was closed, as the organisation's does."""

    def acted(rows: Rows) -> None:
        rows["business_units"][1].update(report_type="type2", report_from="2025-07-01")
        rows["risk_controls"].append({**rows["risk_controls"][2], "risk_id": "A-R1", "valid_to": "2025-12-31"})
        found = {"control_id": "B-C1", "identified_on": "2025-08-01", "closed_on": "2025-09-01"}
        rows["deficiencies"].append({**DEFICIENCY, **found})

    assert "D1 of B-C1, closed on 2025-09-01" in seen(tmp_path, acted)[0].reported


@pytest.mark.parametrize("last", ["2026-04-30", "2026-03-31"])
def test_how_a_control_acted_throughout_a_report_is_told_of_no_report(tmp_path: Path, last: str) -> None:
    """It acts otherwise since: what it did on each of the report's days isn't told as something that changed."""
    found, _ = seen(tmp_path, after_march(changed({}, {"coverage": "0.9"}, "risk_controls", last)))
    assert (found.outcome, found.because) == (ACHIEVED, ())
