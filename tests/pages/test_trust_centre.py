"""What the public reads: facts, never plans, and who may ask for the report."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from register_files import Rows, write_register

from riskcalc.errors import UsageError
from riskcalc.exchange.trust import files
from riskcalc.pages import trust_centre
from riskcalc.pages.display import day
from riskcalc.pages.trust_centre import Statement, open_statement

ISSUED = {"issued_on": "2026-08-20", "opinion": "qualified"}
LETTER = {"bridge_letter_until": "2026-09-30"}


def opened(folder: Path, about: dict[str, str], as_of: str = "", unit: str = "alpha") -> Statement:
    def edit(rows: Rows) -> None:
        rows["business_units"][0].update(about)

    return open_statement(unit, data_dir=str(write_register(folder / "data", edit)), as_of=as_of)


def shown(statement: Statement) -> str:
    pages = (trust_centre.heading, trust_centre.reports, trust_centre.objectives, trust_centre.user_entities)
    return " ".join(json.dumps(show(statement).as_json(), ensure_ascii=False) for show in pages)


@pytest.mark.parametrize(
    ("about", "as_of"),
    [({}, "2026-12-31"), ({**ISSUED, **LETTER}, "2026-08-19"), (LETTER, "2026-12-31")],
    ids=["nothing given", "issued later", "a letter without a report"],
)
def test_a_report_that_is_not_issued_is_in_preparation_and_nothing_more(tmp_path: Path, about: Any, as_of: str) -> None:
    """No planned period and no bridge letter to come stand there as facts."""
    statement = opened(tmp_path, about, as_of)
    assert trust_centre.heading(statement).content["verdict"] == "SOC 1 Type 2 report: in preparation."
    told = shown(statement)
    assert day("2026-06-30") not in told.replace(f"as of {day(as_of)}", "")
    assert "bridge letter" not in told


def test_an_issued_report_is_told_with_its_days(tmp_path: Path) -> None:
    """From the day on which it is issued; the opinion in it stays in it."""
    statement = opened(tmp_path, ISSUED, "2026-08-20")
    assert trust_centre.heading(statement).content["verdict"] == (
        day("SOC 1 Type 2 report: 2026-01-01 to 2026-06-30, issued on 2026-08-20.")
    )
    assert "qualified" not in shown(statement)


@pytest.mark.parametrize(
    ("bridge", "as_of", "days"),
    [
        (LETTER, "2026-09-29", None),
        (LETTER, "2026-09-30", day("2026-07-01 to 2026-09-30")),
        ({**LETTER, "bridge_from": "2026-08-01"}, "2026-10-01", day("2026-08-01 to 2026-09-30")),
    ],
    ids=["to come", "past", "from a later day"],
)
def test_a_bridge_letter_speaks_of_past_days_only(tmp_path: Path, bridge: Any, as_of: str, days: str | None) -> None:
    """One that reaches beyond the day of the page isn't told."""
    lines = trust_centre.heading(opened(tmp_path, {**ISSUED, **bridge}, as_of)).content["lines"]
    told = [line for line in lines if "bridge letter" in line]
    assert told == ([f"A bridge letter, our own word and not the service auditor's, speaks of {days}."] if days else [])


@pytest.mark.parametrize("unit", ["alpha", ""])
def test_the_page_says_who_may_ask_for_the_report(tmp_path: Path, unit: str) -> None:
    """SOC 1 is restricted in use, unlike what is said here."""
    assert trust_centre.RESTRICTED in trust_centre.heading(opened(tmp_path, {}, unit=unit)).content["lines"]
    for told in ("restricted in use", "their auditors", "not for others"):
        assert told in trust_centre.RESTRICTED


def test_the_organisations_page_counts_issued_reports(tmp_path: Path) -> None:
    """Those in preparation are no reports yet."""
    before = opened(tmp_path, ISSUED, "2026-08-19", unit="")
    after = opened(tmp_path, ISSUED, "2026-08-20", unit="")
    assert trust_centre.heading(before).content["verdict"] == (
        "SOC 1 reports are issued for 0 of 2 services, and in preparation for 2."
    )
    assert trust_centre.heading(after).content["verdict"] == (
        "SOC 1 reports are issued for 1 of 2 services, and in preparation for 1."
    )
    assert [row[3] for row in trust_centre.reports(before).content["rows"]] == ["in preparation"] * 2


def test_nothing_of_an_assessment_is_on_the_page(tmp_path: Path) -> None:
    """No level, outlook, opinion or rating of ours, whatever the register holds."""
    told = shown(opened(tmp_path, ISSUED, "2026-12-31")).lower()
    for word in ("outlook", "unmodified", "qualified", "appetite", "critical", "earned", "residual", "materiality"):
        assert word not in told, word


def test_a_day_that_is_none_is_refused(tmp_path: Path) -> None:
    """As everywhere."""
    with pytest.raises(UsageError, match="as_of is 'today'; allowed: a date"):
        opened(tmp_path, {}, "today")


NEXT = {"report_type": "type2", "report_from": "2026-07-01", "report_to": "2027-06-30", "valid_from": "2026-07-01"}


def going_on(folder: Path, **about: str) -> str:
    """A register in which the row of beta's Type 1 report ended, and that of its next report began."""

    def edit(rows: Rows) -> None:
        first = rows["business_units"][1]
        rows["business_units"].append({**first, **NEXT})
        first.update(ISSUED, valid_to="2026-06-30", **about)
        rows["ratings"].append({**rows["ratings"][1], "period": "2026-H2", "rated_on": "2026-09-10"})
        told = {"verdict": "yes", "audience": "public", "owner": "O", "approved_by": "P"}
        days = {"reviewed_on": "2026-08-25", "expires_on": "2027-08-01", "unit_id": "beta"}
        for kind in ("issued", "not_issued"):
            asked = {"answer_id": kind, "question": f"Is it {kind}?", "answer": "So it is.", "claims": f"{kind}:beta"}
            rows["answers"].append({**told, **days, **asked})

    return str(write_register(folder / "data", edit))


@pytest.mark.parametrize("unit", ["beta", ""])
def test_a_report_stays_issued_once_the_next_ones_row_has_begun(tmp_path: Path, unit: str) -> None:
    """The next one is in preparation beside it; what is claimed of the report is held against the one issued."""
    statement = open_statement(unit, "2026-H2", going_on(tmp_path, **LETTER), "2026-10-01")
    told, verdict = shown(statement), trust_centre.heading(statement).content["verdict"]
    days = day("at 2026-06-30, issued on 2026-08-20; the next one, SOC 1 Type 2, is in preparation")
    assert verdict == (
        f"SOC 1 Type 1 report: {days}."
        if unit
        else "SOC 1 reports are issued for 1 of 2 services, and in preparation for 2."
    )
    assert trust_centre.reports(statement).content["rows"][-1][2:4] == ["SOC 1 Type 1", days]
    assert day("speaks of 2026-07-01 to 2026-09-30") in told
    assert "qualified" not in told
    assert statement.register.answers["answer_id"].tolist() == ["issued"]
    assert [each.about for each in statement.changes if each.what == "Report issued"] == ["Beta"]


@pytest.mark.parametrize("unit", ["alpha", ""])
def test_who_came_and_who_left_among_vendors_is_told_with_the_day(tmp_path: Path, unit: str) -> None:
    """Not whose row goes on in another one, nor who is still to come, or isn't for these readers."""
    spans = {
        "Stays Ltd": [("", "2026-07-15"), ("2026-07-16", "")],
        "Came Ltd": [("2026-08-01", "")],
        "Left Ltd": [("", "2026-07-31")],
        "Later Ltd": [("2026-11-01", "")],
        "Quiet Ltd": [("2026-08-01", "")],
    }

    def edit(rows: Rows) -> None:
        vendor = {"service": "Hosting", "method": "carve_out"}
        rows["subservice_organisations"] = [
            {**vendor, "subservice_id": name, "name": name, "valid_from": first, "valid_to": last}
            | {"audience": "internal" if name == "Quiet Ltd" else "public"}
            for name, days in spans.items()
            for first, last in days
        ]
        performed = {**rows["controls"][0], "performed_by": "subservice", "key": "no"}
        for name, days in spans.items():
            control = {"control_id": f"C-{name[:-4]}", "subservice_id": name}
            rows["controls"].append(performed | control | {"valid_from": days[0][0], "valid_to": days[-1][1]})
        now = {"period": "2026-H2", "rated_on": "2026-09-01"}
        rows["ratings"] += [row | now for row in rows["ratings"] if row["period"] == "2026-H1"]

    statement = open_statement(unit, "2026-H2", str(write_register(tmp_path / "data", edit)), "2026-09-30")
    assert [(str(each.day), each.what, each.about) for each in statement.changes] == [
        ("2026-08-01", "Subservice organisation taken on", "Came Ltd"),
        ("2026-07-31", "Subservice organisation left", "Left Ltd"),
    ]


def test_an_earlier_rows_report_counts_from_its_day_on(tmp_path: Path) -> None:
    """Before it was issued, the service's reports are all in preparation."""
    statement = open_statement("beta", "2026-H2", going_on(tmp_path), "2026-08-19")
    assert trust_centre.heading(statement).content["verdict"] == "SOC 1 Type 2 report: in preparation."


def test_nothing_is_told_as_issued_before_the_day_has_come(tmp_path: Path) -> None:
    """A page seen from a day to come, such as a running period's last, tells no planned date as a fact."""
    to_come, seen = (str(date.today() + timedelta(days=days)) for days in (20, 30))

    def edit(rows: Rows) -> None:
        rows["business_units"][0].update(ISSUED, issued_on=to_come)
        rows["business_units"][1].update(ISSUED, bridge_letter_until=to_come)
        paper = {"title": "Code", "kind": "policy", "issuer": "Us", "audience": "public", "reference": "shelf 3"}
        told = {"question": "Is it?", "verdict": "yes", "answer": "It is.", "audience": "public", "owner": "O"}
        rows["answers"].append(
            {**told, "answer_id": "A", "approved_by": "P", "reviewed_on": to_come, "expires_on": "2199-01-01"}
        )
        rows["documents"].append({"document_id": "D", "covers_from": "2026-01-01", "issued_on": to_come, **paper})

    statement = open_statement(data_dir=str(write_register(tmp_path / "data", edit)), as_of=seen)
    rows = trust_centre.reports(statement).content["rows"]
    assert [row[3] == "in preparation" for row in rows] == [True, False]
    assert rows[1][4] == "–", "nor of days to come"
    for unit in (None, statement.register.unit("beta")):
        eyebrow = trust_centre.heading(replace(statement, unit=unit)).content["eyebrow"]
        assert eyebrow.endswith(f"Trust centre · as of {day(date.today())}")
    assert json.loads(files(statement)["trust.json"])["as_of"] == str(date.today())
    assert statement.register.documents.empty
    assert statement.register.answers.empty
    assert day(to_come) not in shown(statement)
    assert all(each.day <= date.today() for each in statement.changes)
