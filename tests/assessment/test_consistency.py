"""Consistency findings: each check fires on what it names, at the right row, and is silent before."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import get_args

import pytest
from register_files import DEFICIENCY, REPORT_ITEM, SAMPLE, Edit, Rows, add, changes_of, write_register

from riskcalc.assessment.checks import CHECKS
from riskcalc.assessment.consistency import Finding, findings, matrix_findings
from riskcalc.assessment.context import Context
from riskcalc.assessment.decisions import on_risks
from riskcalc.assessment.opening import open_portfolio, open_unit
from riskcalc.assessment.opinion import outlooks
from riskcalc.pages import display, loss, unit
from riskcalc.register.columns import ReportPart
from riskcalc.register.register import load

control, a_test, risk = map(changes_of, ("controls", "control_tests", "risks"))
ACCEPTED = {"treatment": "accept", "accepted_by": "The board", "accepted_until": "2027-06-30"}


def found(folder: Path, edit: Edit | None = None) -> set[tuple[str, str]]:
    return {(finding.check, finding.row) for finding in findings(Context.of(load(write_register(folder, edit))))}


def both(*edits: Edit) -> Edit:
    return lambda rows: [edit(rows) for edit in edits]


def described(rows: Rows) -> None:
    """Say of each test how it was done, and of each part of the reports how it stands."""
    for test in rows["control_tests"]:
        test["nature"] = "inspection"
    for name in ("alpha", "beta"):
        for part in get_args(ReportPart):
            item = {"item_id": f"{name}-{part}", "unit_id": name, "item": part, "status": "open", "owner": "O"}
            rows["report_items"].append(item)


RETEST = {
    "test_id": "T9", "control_id": "A-G1", "period": "2026-H1", "kind": "operation", "procedure": "Again.",
    "sample_size": "5", "deviations": "1", "systematic": "no", "tested_by": "Audit", "tested_on": "2026-06-20",
    "evidence": "E-9", "retest_of": "T3",
}  # fmt: skip
DETECTIVE = both(control(0, kind="detective"), control(1, kind="corrective"))
SUBSERVICE = control(0, performed_by="subservice", subservice_id="SUB-1")
MODIFIED = both(SUBSERVICE, lambda rows: rows["subservice_organisations"][0].update(opinion="adverse"))
CASES: list[tuple[str, str, Edit]] = [
    (
        "objective-without-risk",
        "A-CO2",
        add("control_objectives", objective_id="A-CO2", unit_id="alpha", process="P", statement="S"),
    ),
    (
        "risk-unrated",
        "B-R1",
        lambda rows: rows["ratings"][3].update(likelihood="", impact="", rationale="", rated_by="", rated_on=""),
    ),
    ("risk-without-control", "B-R1", lambda rows: rows["risk_controls"].pop()),
    ("risk-without-key-control", "B-R1", control(3, key="no")),
    ("nothing-prevents", "A-R1", DETECTIVE),
    ("breach-untreated", "B-R1", control(3, documentation="")),
    ("acceptance-expired", "A-R1", risk(0, **{**ACCEPTED, "accepted_until": "2026-06-29"})),
    ("accepted-by-owner", "A-R1", risk(0, **{**ACCEPTED, "accepted_by": "R. Owner"})),
    ("control-without-risk", "A-C1", lambda rows: rows["risk_controls"].pop(0)),
    ("control-undocumented", "A-C1", control(0, documentation="")),
    ("key-control-design", "A-C1", control(0, design="partially_effective")),
    ("key-control-untested", "A-C1", lambda rows: rows["control_tests"].pop(0)),
    ("key-control-failed", "A-G1", a_test(2, deviations="4")),
    ("under-sampled", "A-C1", control(0, frequency="daily")),
    ("automated-without-itgc", "A-C1", control(0, nature="automated")),
    ("cuec-thin", "A-C1", control(0, performed_by="user_entity")),
    ("subservice-unnamed", "A-C1", control(0, performed_by="subservice")),
    ("subservice-misplaced", "A-C1", control(0, subservice_id="SUB-1")),
    (
        "subservice-report",
        "A-C1",
        both(SUBSERVICE, lambda rows: rows["subservice_organisations"][0].update(report_to="2026-03-31")),
    ),
    ("subservice-fault", "A-C1", MODIFIED),
    ("subservice-unreviewed", "A-C1", SUBSERVICE),
    ("key-control-without-reach", "A-C1", lambda rows: rows["risk_controls"][0].update(coverage="0.004")),
    (
        "issued-unlike-outlook",
        "alpha",
        lambda rows: rows["business_units"][0].update(issued_on="2026-06-30", opinion="unmodified"),
    ),
    ("self-tested", "T1", a_test(0, tested_by="C. Owner")),
    ("test-without-evidence", "T9", add("control_tests", **{**RETEST, "evidence": ""})),
    ("test-before-period", "T1", a_test(0, tested_on="2025-12-31")),
    (
        "deviation-after-period",
        "T1",
        a_test(0, deviations="1", covers_from="2026-07-01", covers_to="2026-07-15", tested_on="2026-07-15"),
    ),
    ("deviation-without-deficiency", "A-C2", a_test(1, deviations="1")),
    ("retest-failed", "T9", add("control_tests", **RETEST)),
    ("deficiency-past-due", "D1", add("deficiencies", **{**DEFICIENCY, "due_on": "2026-06-29"})),
    ("report-period-short", "alpha", lambda rows: rows["business_units"][0].update(report_from="2026-01-02")),
    ("year-end-unbridged", "alpha", lambda rows: rows["business_units"][0].update(user_year_end="12-31")),
    ("exchange-rate-missing", "methodology.toml", lambda rows: rows["business_units"][1].update(currency="ISK")),
    ("owner-untrained", "A-C1", lambda rows: rows["training"].clear()),
    ("training-of-nobody", "TR1", lambda rows: rows["training"][0].update(person="C. Ovner")),
    ("cuec-untold", "A-C1", control(0, performed_by="user_entity")),
    ("scope-open", "Pay", lambda rows: rows["scoping"][0].update(auditors_ask="unsure")),
    ("scope-without-objective", "Pay", lambda rows: rows["control_objectives"][0].update(process="Pay runs")),
    ("inquiry-alone", "T1", a_test(0, nature="inquiry")),
    ("population-unchecked", "T1", a_test(0, population_checked="no")),
    ("test-undescribed", "alpha", a_test(0, nature="")),
    (
        "evidence-after-as-of",
        "SUB-1",
        lambda rows: rows["subservice_organisations"][0].update(reviewed_by="N.", reviewed_on="2026-07-01"),
    ),
    ("report-items-missing", "alpha", lambda rows: rows["report_items"].clear()),
    ("rate-unlike-rating", "B-R1", risk(2, frequency_per_year="100")),
    ("report-unlike-scope", "alpha", lambda rows: rows["scoping"][0].update(auditors_ask="design")),
]


@pytest.mark.parametrize(("check", "row", "edit"), CASES, ids=[case[0] for case in CASES])
def test_a_check_fires_on_what_it_names_and_only_then(tmp_path: Path, check: str, row: str, edit: Edit) -> None:
    """The finding appears with the fault, at its row, and isn't there without it."""
    assert (check, row) in found(tmp_path / "faulty", edit)
    assert (check, row) not in found(tmp_path / "clean", described)


def test_a_late_review_is_told_under_every_unit_that_it_serves(tmp_path: Path) -> None:
    """As each unit's own page does."""

    def edit(rows: Rows) -> None:
        rows["subservice_organisations"][0].update(reviewed_by="N.", reviewed_on="2026-07-01")
        for each in (0, 3):
            rows["controls"][each].update(performed_by="subservice", subservice_id="SUB-1")

    told = findings(Context.of(load(write_register(tmp_path / "data", edit)), as_of=date(2026, 6, 30)))
    assert [each.unit_id for each in told if each.check == "evidence-after-as-of"] == ["alpha", "beta"]


def test_a_late_review_of_a_vendor_that_no_unit_uses_is_told_as_well(tmp_path: Path) -> None:
    """Under no unit, beside what is dated later of one; the check stopped at the two."""

    def edit(rows: Rows) -> None:
        rows["subservice_organisations"][0].update(reviewed_by="N.", reviewed_on="2026-07-01")
        rows["control_tests"][0].update(tested_on="2026-07-02")

    told = findings(Context.of(load(write_register(tmp_path / "data", edit)), as_of=date(2026, 6, 30)))
    late = [(each.unit_id, each.row) for each in told if each.check == "evidence-after-as-of"]
    assert late == [("", "SUB-1"), ("alpha", "T1")]


def test_one_part_has_no_state_on_record(tmp_path: Path) -> None:
    """In the singular, and by its name: it read "1 part, such as the subsequent events"."""
    items = [
        {**REPORT_ITEM, "item_id": f"{unit}{place}", "item": item, "unit_id": unit}
        for unit in ("alpha", "beta")
        for place, item in enumerate(get_args(ReportPart)[1:])
    ]
    data = write_register(tmp_path / "data", lambda rows: rows["report_items"].extend(items))
    told = [each.message for each in findings(Context.of(load(data))) if each.check == "report-items-missing"]
    assert told == ["1 part of its report has no state on record: management assertion"] * 2


def test_every_check_has_a_case() -> None:
    """No check is added without a register that shows it; there are at least twenty."""
    assert {case[0] for case in CASES} == set(CHECKS)
    assert len(CHECKS) >= 20


@pytest.mark.parametrize(
    ("check", "row", "edit"),
    [
        ("acceptance-expired", "A-R1", risk(0, **{**ACCEPTED, "accepted_until": "2026-06-30"})),
        ("deficiency-past-due", "D1", add("deficiencies", **{**DEFICIENCY, "due_on": "2026-06-30"})),
        ("deficiency-past-due", "D1", add("deficiencies", **{**DEFICIENCY, "due_on": "2026-05-31", "closed_on": "2026-06-01"})),
        ("breach-untreated", "B-R1", both(control(3, documentation=""), risk(2, **ACCEPTED))),
        ("breach-untreated", "B-R1", both(control(3, documentation=""), add("deficiencies", **{**DEFICIENCY, "control_id": "B-C1"}))),
        ("year-end-unbridged", "alpha", lambda rows: rows["business_units"][0].update(user_year_end="06-30")),
        ("cuec-untold", "A-C1", control(0, performed_by="user_entity", communicated_in="Agreement")),
        ("automated-without-itgc", "A-G1", control(2, nature="automated")),
        ("report-period-short", "alpha", lambda rows: rows["business_units"][0].update(report_from="2026-01-01")),
        ("subservice-report", "A-C1", MODIFIED),
        ("issued-unlike-outlook", "alpha", lambda rows: rows["business_units"][0].update(issued_on="2026-06-30", opinion="adverse")),
        ("key-control-without-reach", "A-C1", lambda rows: rows["risk_controls"][0].update(coverage="0.01")),
        ("risk-without-key-control", "B-R1", lambda rows: rows["risk_controls"][2].update(coverage="0.01")),
    ],
)  # fmt: skip
def test_a_check_is_silent_at_its_limit(tmp_path: Path, check: str, row: str, edit: Edit) -> None:
    """Due today isn't past due; what is accepted or being mended isn't untreated; an ITGC needs no ITGC."""
    assert (check, row) not in found(tmp_path, edit)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (control(0), "this key control was not tested since 2026-01-01: Test it (for Type 1: walk it through)"),
        (both(SUBSERVICE, lambda rows: rows["subservice_organisations"][0].update(method="inclusive")), "Test it"),
        (both(SUBSERVICE, lambda rows: rows["subservice_organisations"][0].update(report_to="2026-03-31")), "Obtain a"),
    ],
    ids=["ours", "inclusive", "carved out"],
)
def test_what_to_do_about_an_untested_control_is_what_can_be_done(tmp_path: Path, edit: Edit, told: str) -> None:
    """An inclusive organisation's control is tested as ours are; only one that is carved out waits for a report."""
    context = Context.of(load(write_register(tmp_path, both(edit, lambda rows: rows["control_tests"].pop(0)))))
    mine = [f"{each.message}: {each.advice}" for each in findings(context) if each.row == "A-C1"]
    advised = [each for each in mine if "Test it" in each or "Obtain a report" in each]
    assert [told in each for each in advised] == [True], mine


@pytest.mark.parametrize(
    "edit",
    [
        lambda rows: rows["risk_controls"][2].update(coverage="0.009"),
        lambda rows: rows["risk_controls"][2].update(coverage="0"),
        control(3, performed_by="user_entity"),
    ],
)
def test_what_carries_no_risk_in_the_outlook_is_no_key_control_of_it(tmp_path: Path, edit: Edit) -> None:
    """A key control that reaches next to nothing, or is a client's: the page says that none acts, and so does check."""
    context = Context.of(load(write_register(tmp_path, edit)))
    assert any("B-R1: no key control acts on it" in each.faults for each in outlooks(context, "type1"))
    [told] = [each.message for each in findings(context) if each.check == "risk-without-key-control"]
    assert told == "no key control acts on this risk: of B-C1, none of ours reaches 0.01 of it"


def test_the_order_of_rows_is_told_nowhere(tmp_path: Path) -> None:
    """Whoever sorts a table in a spreadsheet gets the same findings: of an owner's controls the same one is named."""

    def untrained(rows: Rows) -> None:
        rows["training"].clear()
        rows["controls"][0].update(documentation="")

    def turned(rows: Rows) -> None:
        untrained(rows)
        for table in rows.values():
            table.reverse()

    one, other = (
        findings(Context.of(load(write_register(tmp_path / edit.__name__, edit)))) for edit in (untrained, turned)
    )
    assert one == other
    assert ("owner-untrained", "A-C1") in {(each.check, each.row) for each in one}


def test_a_missing_exchange_rate_is_told_with_where_it_goes(tmp_path: Path) -> None:
    """The organisation's page adds nothing up, and says the same; a unit's page, in its own currency, needs none."""
    data = write_register(tmp_path, lambda rows: rows["business_units"][1].update(currency="ISK"))
    told = [str(each) for each in findings(Context.of(load(data))) if each.check == "exchange-rate-missing"]
    assert told == [
        "look: methodology.toml: has no exchange rate for ISK, the currency of beta, so the organisation's page adds up "
        "no amounts (exchange-rate-missing). Add it to [exchange_rates] in methodology.toml."
    ]
    assert "no exchange rate for ISK" in str(loss.organisation(open_portfolio(data_dir=str(data))).content)
    assert "exchange-rate" not in str(open_unit("beta", data_dir=str(data)).findings)


def test_where_nobody_was_asked_no_report_is_proposed(tmp_path: Path) -> None:
    """A unit without answers, and without an objective whose process could be open."""
    fresh = lambda rows: rows["business_units"].append({**rows["business_units"][0], "unit_id": "gamma"})  # noqa: E731
    assert ("report-unlike-scope", "gamma") not in found(tmp_path / "data", fresh)


def test_rates_are_told_with_three_digits(tmp_path: Path) -> None:
    """Bands that meet halfway between two anchors have no end of digits."""

    def edit(rows: Rows) -> None:
        rows["risks"][2].update(frequency_per_year="100")

    data = write_register(tmp_path, edit)
    toml = re.sub(r"(?m)^frequency_(from|to) .*$", "", (data / "methodology.toml").read_text("utf-8"))
    (data / "methodology.toml").write_text(toml, "utf-8")
    [told] = [each.message for each in findings(Context.of(load(data))) if each.check == "rate-unlike-rating"]
    assert all(len(number.replace(".", "").lstrip("0")) <= 3 for number in re.findall(r"[\d.]*\d", told)), told


def test_findings_look_from_the_day_they_are_asked_for() -> None:
    """Later, more is past due; the graver findings come first."""
    register = load(SAMPLE)
    at_the_end, a_year_on = findings(Context.of(register)), findings(Context.of(register, as_of=date(2027, 6, 30)))
    overdue = [[each for each in found if each.check == "deficiency-past-due"] for found in (at_the_end, a_year_on)]
    assert len(overdue[0]) < len(overdue[1])
    severities = [finding.severity for finding in at_the_end]
    assert severities == sorted(severities, key=["act", "look", "note"].index)


def test_a_register_without_ratings_still_has_its_matrix_checked(tmp_path: Path) -> None:
    """Before the first workshop there is no period to look at, but a matrix."""
    assert matrix_findings(load(write_register(tmp_path, lambda rows: rows["ratings"].clear()))) == []


def test_a_control_that_only_another_unit_uses_is_used_on_its_own_page_too(tmp_path: Path) -> None:
    """Beta relies on alpha's IT general control, and on its A-C2: alpha's page and the organisation's find the same."""

    def crossed(rows: Rows) -> None:
        rows["controls"][1].update(relies_on="")
        rows["controls"][2].update(nature="automated")
        rows["controls"][3].update(relies_on="A-G1")
        rows["risk_controls"][1].update(risk_id="B-R1")

    whole = Context.of(load(write_register(tmp_path, crossed)))
    checks = {"control-without-risk", "automated-without-itgc", "key-control-without-reach"}
    told = [one for one in findings(whole) if one.check in checks]
    for name in ("alpha", "beta"):
        mine = [one for one in findings(whole.only(name)) if one.check in checks and one.unit_id == name]
        assert mine == [one for one in told if one.unit_id == name]
    rows = {(one.check, one.row) for one in findings(whole.only("alpha"))}
    assert not rows & {("control-without-risk", name) for name in ("A-C2", "A-G1")}
    assert ("automated-without-itgc", "A-G1") not in rows


def test_a_units_page_lists_its_own_findings_only(tmp_path: Path) -> None:
    """Each unit mends its own."""
    folder = write_register(tmp_path, both(control(0, documentation=""), control(3, documentation="")))
    view = unit.findings(open_unit("beta", data_dir=str(folder))).as_json()
    assert "B-C1" in {row[0] for row in view["rows"]}
    assert not {row[0] for row in view["rows"]} & {"A-C1", "T1"}
    assert "Document it" in display.render(view)


def test_a_finding_reads_as_a_sentence() -> None:
    """Severity, row, what, and what to do."""
    finding = Finding("act", "self-tested", "alpha", "T1", "A-C1 was tested by its owner", "Test it again.")
    assert str(finding) == "act: T1: A-C1 was tested by its owner (self-tested). Test it again."


def test_a_risk_without_controls_can_have_a_deficiency(tmp_path: Path) -> None:
    """That of the control which is missing: it takes nothing away, and gives the decision an owner's date."""

    def missing(rows: Rows) -> None:
        rows["risk_controls"] = [link for link in rows["risk_controls"] if link["risk_id"] != "A-R1"]
        rows["controls"].append(
            {**rows["controls"][0], "control_id": "A-C9", "design": "ineffective", "documentation": ""}
        )
        rows["risk_controls"].append({"risk_id": "A-R1", "control_id": "A-C9", "acts_on": "both", "coverage": "0.8"})
        rows["deficiencies"].append({**DEFICIENCY, "control_id": "A-C9"})

    context = Context.of(load(write_register(tmp_path / "data", missing)))
    told = {finding.check for finding in findings(context) if finding.row == "A-R1"}
    assert not told & {"breach-untreated", "risk-without-control"}
    [first, *_] = on_risks(context)
    assert (first.row, str(first.due_on)) == ("A-R1", DEFICIENCY["due_on"])
