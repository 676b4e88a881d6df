"""Answers and documents in the register: what may stand there, who is told, and what else speaks of the same rows."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from register_files import DEFICIENCY, Rows, write_register

from riskcalc.answers.candidates import Desk
from riskcalc.assessment.claims import against, contradicted, findings, leaning
from riskcalc.assessment.context import Context
from riskcalc.assessment.lexicon import doubts
from riskcalc.errors import RegisterError
from riskcalc.register.audiences import AUDIENCES, redacted
from riskcalc.register.claims import Claim
from riskcalc.register.editing import contents
from riskcalc.register.records import records
from riskcalc.register.register import load
from riskcalc.register.renaming import renaming

ANSWER = {
    "answer_id": "Q1", "unit_id": "alpha", "question": "Is it tested?", "verdict": "yes", "answer": "Yes, it is.",
    "sources": "A-C1|D1", "claims": "frequency:A-C1=weekly|held:D1", "audience": "client", "owner": "O", "approved_by": "A",
    "reviewed_on": "2026-01-01", "expires_on": "2026-12-31",
}  # fmt: skip
DOCUMENT = {
    "document_id": "D1", "title": "Policy", "kind": "policy", "covers_from": "2026-01-01", "issuer": "We",
    "audience": "public", "reference": "Cupboard",
}  # fmt: skip


def with_answer(folder: Path, document: dict[str, str] | None = None, **cells: str) -> Path:
    def edit(rows: Rows) -> None:
        rows["answers"].append({**ANSWER, **cells})
        rows["documents"].append({**DOCUMENT, **(document or {})})

    return write_register(folder, edit)


@pytest.mark.parametrize(
    ("cells", "column", "told"),
    [
        ({"sources": "A-C1|NOPE"}, "sources", "is no row's id"),
        ({"claims": "tested:B-C9"}, "claims", "B-C9 is not in controls.csv"),
        ({"claims": "tried:A-C1"}, "claims", "is no claim; allowed: KIND:ID, with KIND one of documented"),
        ({"claims": "frequency:A-C1"}, "claims", "needs a value; allowed: frequency:ID= and one of annual"),
        ({"claims": "covers_to:A-D1=2026-13"}, "claims", "needs a value; allowed: covers_to:ID= and one of YYYY-MM"),
        ({"expires_on": ""}, "expires_on", "blank, but an answer that is approved needs it"),
        ({"expires_on": "2025-12-31"}, "expires_on", "must be after reviewed_on, 2026-01-01"),
        ({"audience": "board"}, "audience", "allowed: internal, client, public"),
        ({"unit_id": "gamma"}, "unit_id", "is not in business_units.csv"),
    ],
)
def test_a_bad_answer_is_refused_with_its_cell(tmp_path: Path, cells: dict[str, str], column: str, told: str) -> None:
    """File, line, column, and what is allowed."""
    with pytest.raises(RegisterError) as caught:
        load(with_answer(tmp_path, **cells))
    [problem] = caught.value.problems
    assert (problem.file, problem.line, problem.column) == ("answers.csv", 2, column)
    assert told in problem.allowed


def test_without_the_tables_the_register_is_as_before(tmp_path: Path) -> None:
    """Missing, empty, or only abbreviations beside: the hash that pages tell is the same; an answer changes it."""
    folder = write_register(tmp_path / "a")
    before = load(folder).fingerprint()
    for name in ("answers", "documents"):
        (folder / f"{name}.csv").unlink()
    text = (folder / "methodology.toml").read_text("utf-8")
    (folder / "methodology.toml").write_text(
        text.replace('MFA = "multi factor authentication"', 'MFA = "other"'), "utf-8"
    )
    assert load(folder).fingerprint() == before
    assert load(with_answer(tmp_path / "b")).fingerprint() != before


def test_check_tells_answers_that_are_contradicted_or_expired(tmp_path: Path) -> None:
    """With the row; what nobody has approved is a draft, and isn't told."""
    found = findings(Context.of(load(with_answer(tmp_path / "a", {"covers_to": "2026-05-31"}))))
    assert ("Q1", "D1: it ended on 2026-05-31") in [(each.row, each.message) for each in found]
    expired = findings(Context.of(load(with_answer(tmp_path / "b", expires_on="2026-06-01"))))
    assert [(each.check, each.message) for each in expired] == [("answer-expired", "the answer expired on 2026-06-01")]
    bare = findings(Context.of(load(with_answer(tmp_path / "d", sources="", claims=""))))
    assert [each.check for each in bare] == ["answer-without-source"]
    nobody = with_answer(tmp_path / "c", approved_by="", reviewed_on="", expires_on="", claims="opinion:alpha=adverse")
    assert findings(Context.of(load(nobody))) == []


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("operated:A-C1", ""),
        ("no_deviations:A-G1", "1 of 25 items of A-G1 deviated"),
        ("tested:B-C1", "its operation is not tested"),
        ("operated:B-C1", "its operation is not tested"),
        ("issued:alpha", "its report is not issued"),
        ("report:beta=type2", "its report type is type1, not type2"),
        ("reviewed:SUB-1", "nobody had reviewed its report to 2026-06-30 by 2026-06-30"),
        ("nature:A-C1=automated", "its nature is manual, not automated"),
        ("documented:A-C1", ""),
        ("not_issued:alpha", ""),
        ("not_documented:A-C1", "it is documented, as the register has it"),
    ],
)
def test_a_claim_holds_or_names_the_row(tmp_path: Path, claim: str, told: str) -> None:
    """A walkthrough is no test of operation; a deviation counts however the test concludes."""
    found = contradicted(Context.of(load(write_register(tmp_path))), Claim.parse(claim))
    assert "; ".join(why for _, why in found) == told


def test_answers_reviewed_after_the_day_are_counted(tmp_path: Path) -> None:
    """They aren't judged, which is told with the day from which on they all are; drafts aren't counted."""

    def edit(rows: Rows) -> None:
        rows["documents"].append({**DOCUMENT, **ENDED})
        for key, day in (("Q1", "2026-07-01"), ("Q2", "2026-09-30"), ("Q3", "2026-06-30")):
            rows["answers"].append({**ANSWER, "answer_id": key, "sources": "D1", "claims": "", "reviewed_on": day})
        draft = {"answer_id": "Q4", "approved_by": "", "reviewed_on": "2026-10-01", "expires_on": ""}
        rows["answers"].append({**ANSWER, "sources": "", "claims": "", **draft})

    register = load(write_register(tmp_path, edit))
    told, judged = findings(Context.of(register, "2026-H1", date(2026, 6, 30)))
    assert (told.severity, told.row, judged.row) == ("note", "answers.csv", "Q3")
    assert told.message == "not judged, since reviewed after 2026-06-30: 2 approved answers"
    assert "--as-of 2026-09-30" in told.advice
    later = findings(Context.of(register, "2026-H1", date(2026, 9, 30)))
    assert [each.row for each in later] == ["Q1", "Q2", "Q3"]


@pytest.mark.parametrize(
    ("audience", "cells", "told"),
    [
        ("client", {"sources": "D1"}, []),
        ("public", {"sources": "D1"}, ["is for the public, but rests on D1, which is for clients"]),
        ("client", {"sources": "D2"}, ["is for clients, but rests on D2, which is internal"]),
        ("internal", {"sources": "D2"}, []),
        (
            "client",
            {"sources": "SUB-1", "answer": "Hosting Ltd has it."},
            [],
        ),  # clients may, unless it is said otherwise
        ("public", {"sources": "SUB-1"}, ["is for the public, but rests on SUB-1, which is for clients"]),
        (
            "public",
            {"answer": "It is with Hosting Ltd."},
            ["is for the public, but names Hosting Ltd, which is for clients"],
        ),
        ("public", {"answer": "It is with Hosting Ltda."}, []),
        (
            "public",
            {"sources": "D1", "answer": "Hosting Ltd has it."},
            ["is for the public, but rests on D1, which is for clients and names Hosting Ltd, which is for clients"],
        ),
    ],
)
def test_an_answer_for_more_readers_than_what_it_rests_on_is_worth_a_look(
    tmp_path: Path, audience: str, cells: dict[str, str], told: list[str]
) -> None:
    """A document or a subservice organisation that its readers aren't told of, by id or by name."""

    def edit(rows: Rows) -> None:
        rows["answers"].append({**ANSWER, "sources": "", "claims": "tested:A-C1", "audience": audience, **cells})
        rows["documents"] += [
            {**DOCUMENT, "document_id": f"D{n}", "audience": who} for n, who in enumerate(("client", "internal"), 1)
        ]

    found = findings(Context.of(load(write_register(tmp_path, edit))))
    assert [each.message for each in found if each.check == "answer-beyond-audience"] == told
    assert all(each.severity == "look" for each in found)


ENDED = {"covers_to": "2026-05-31"}
OPEN = {**DEFICIENCY, "deficiency_id": "DEF", "control_id": "A-C2"}


def missed(rows: Rows) -> None:
    """A control of which three items deviated, too few to conclude, and whose deficiency is open."""
    rows["control_tests"][1].update(sample_size="31", deviations="3")
    rows["deficiencies"].append(OPEN)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"verdict": "yes"}, ["D1: it ended on 2026-05-31"]),
        ({"verdict": "partly"}, ["D1: it ended on 2026-05-31"]),
        ({"verdict": "no"}, []),
        ({"verdict": "no", "claims": "held:D1"}, ["D1: it ended on 2026-05-31"]),
        ({"verdict": "yes", "claims": "not_held:D1"}, []),
        ({"verdict": "yes", "claims": "some_deviations:A-C2|open_deficiency:A-C2", "sources": "A-C2"}, []),
        (
            {"verdict": "yes", "claims": "some_deviations:A-C2", "sources": "A-C2"},
            ["DEF: deficiency of A-C2, open since 2026-03-01"],
        ),
        (
            {"verdict": "yes", "claims": "open_deficiency:A-C2", "sources": "A-C2"},
            ["A-C2: too little was tested: 3 of 31 deviated; too little to conclude"],
        ),
        (
            {"verdict": "yes", "claims": "operated:A-C2|some_deviations:A-C2|open_deficiency:A-C2", "sources": "A-C2"},
            ["A-C2: too little was tested: 3 of 31 deviated; too little to conclude"],
        ),
        # of another row, or untrue, it owns up to nothing
        ({"verdict": "yes", "claims": "open_deficiency:A-C1", "sources": "A-C1"}, ["A-C1: no deficiency is open"]),
        (
            {"verdict": "yes", "claims": "not_documented:A-G1", "sources": "D1"},
            ["A-G1: it is documented", "D1: it ended"],
        ),
        ({"verdict": "yes", "sources": "SUB-1"}, ["SUB-1: opinion qualified"]),
        ({"verdict": "yes", "sources": "SUB-1", "claims": "vendor_opinion:SUB-1=qualified"}, []),
        ({"verdict": "no", "sources": "SUB-1"}, []),
    ],
)
def test_what_an_answer_owns_up_to_is_not_held_against_it(
    tmp_path: Path, cells: dict[str, str], told: list[str]
) -> None:
    """By its verdict or by a claim that is true, of the same row; all else is told as before."""

    def edit(rows: Rows) -> None:
        missed(rows)
        rows["answers"].append({**ANSWER, "sources": "D1", "claims": "", **cells})
        rows["documents"].append({**DOCUMENT, **ENDED})
        rows["subservice_organisations"][0].update(opinion="qualified")

    context = Context.of(load(write_register(tmp_path, edit)))
    [row] = records(context.register.answers)
    found = [f"{key}: {why}" for key, why in against(context, row)]
    assert len(found) == len(told), found
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True)), found


@pytest.mark.parametrize(
    ("claims", "deviations", "told"),
    [
        ("", "0", []),
        ("operated:B-C1", "0", ["B-C1: its operation is not tested"]),
        ("", "1", ["B-C1: its tests failed: 1 of 1 walked through deviated"]),
    ],
)
def test_a_control_that_a_type_1_report_is_about_need_not_be_tested(
    tmp_path: Path, claims: str, deviations: str, told: list[str]
) -> None:
    """Documented, designed and walked through is enough, as on its page; that it was operated can't be claimed."""

    def edit(rows: Rows) -> None:
        rows["control_tests"][3].update(deviations=deviations)
        rows["answers"].append({**ANSWER, "unit_id": "beta", "sources": "B-C1", "claims": claims})

    found = findings(Context.of(load(write_register(tmp_path, edit))))
    assert [each.message for each in found if each.check == "answer-contradicted"] == told


def test_clients_and_the_public_get_what_is_approved_in_force_and_for_them(tmp_path: Path) -> None:
    """And of a row only what isn't ours alone: neither who owns an answer nor what it rests on."""
    seen: dict[str, Any] = {}
    for name, cells in {"fine": {}, "inside": {"audience": "internal"}, "late": {"expires_on": "2026-06-29"}}.items():
        register = load(with_answer(tmp_path / name, **cells))
        register = register.at(register.period(), date(2026, 6, 30))
        seen[name] = {each: redacted(register, AUDIENCES[each]) for each in ("client", "public", "unit")}
    assert [len(seen[name]["client"].answers) for name in seen] == [1, 0, 0]
    assert [len(seen[name]["public"].answers) for name in seen] == [0, 0, 0]
    assert [len(seen[name]["unit"].answers) for name in seen] == [1, 1, 1]
    assert not {"sources", "claims", "owner", "approved_by", "aliases"} & set(seen["fine"]["client"].answers)


def test_a_control_is_renamed_in_answers_too(tmp_path: Path) -> None:
    """In what they rest on and in what they claim."""
    folder = with_answer(tmp_path)
    found = renaming(folder, "control", "A-C1", "A-C9", contents(folder)).files["answers.csv"].decode()
    assert "A-C9|D1,frequency:A-C9=weekly|held:D1" in found


def test_the_report_is_the_latest_one_issued_also_where_its_row_has_ended(tmp_path: Path) -> None:
    """Claims and facts speak of what clients can have, not of the next report, whose row has begun."""

    def edit(rows: Rows) -> None:
        first = rows["business_units"][1]
        dates = {"report_from": "2026-07-01", "report_to": "2027-06-30", "valid_from": "2026-07-01"}
        rows["business_units"].append({**first, **dates, "report_type": "type2"})
        first.update(issued_on="2026-08-20", opinion="qualified", valid_to="2026-06-30")
        rows["ratings"].append({**rows["ratings"][1], "period": "2026-H2", "rated_on": "2026-09-10"})

    context = Context.of(load(write_register(tmp_path, edit)), "2026-H2", date(2026, 10, 1))
    for claim in ("issued:beta", "report:beta=type1", "opinion:beta=qualified"):
        assert contradicted(context, Claim.parse(claim)) == [], claim
    for claim in ("not_issued:beta", "report:beta=type2", "opinion:beta=unmodified"):
        assert contradicted(context, Claim.parse(claim)), claim
    fact = Desk(context, ["beta"], "public").fact("report")
    assert fact is not None
    assert fact.text == "A SOC 1 Type 1 report at 2026-06-30 was issued on 2026-08-20."


@pytest.mark.parametrize(
    ("cells", "year"),
    [
        ({}, "2026"),
        ({"report_to": "2026-12-31", "reviewed_on": "", "reviewed_by": ""}, "2025"),  # there only when it is over
        (dict.fromkeys(("report_type", "report_from", "report_to", "opinion", "exception", "reviewed_on", "reviewed_by"), ""), "2025"),
    ],
    ids=["there", "to come", "blank"],
)  # fmt: skip
def test_a_vendors_report_is_the_latest_there_is_also_where_its_row_has_ended(
    tmp_path: Path, cells: dict[str, str], year: str
) -> None:
    """Claims speak of the report that ended with 2025 until the next one is there; what it says is held against them."""

    def edit(rows: Rows) -> None:
        row = {**rows["subservice_organisations"][0], "reviewed_by": "R. Reader"}
        dates = {"report_from": "2025-01-01", "report_to": "2025-12-31", "reviewed_on": "2026-02-01"}
        former = {**row, **dates, "opinion": "qualified", "valid_to": "2026-02-28"}
        now = {**row, "reviewed_on": "2026-06-30", "valid_from": "2026-03-01", **cells}
        rows["subservice_organisations"] = [former, now]

    context = Context.of(load(write_register(tmp_path, edit)), "2026-H1", date(2026, 6, 30))
    month, opinion = {"2025": ("2025-12", "qualified"), "2026": ("2026-06", "unmodified")}[year]
    for claim in (f"vendor_report_to:SUB-1={month}", "vendor_report:SUB-1=type2", "reviewed:SUB-1"):
        assert contradicted(context, Claim.parse(claim)) == [], claim
    assert contradicted(context, Claim.parse(f"vendor_opinion:SUB-1={opinion}")) == []
    assert bool(leaning(context, "SUB-1")) == (year == "2025")


@pytest.mark.parametrize(("to", "reviewed"), [("2026-09-30", "2026-11-01"), ("2026-06-30", "2026-07-15")])
def test_a_vendors_report_that_is_not_there_yet_shows_nothing(tmp_path: Path, to: str, reviewed: str) -> None:
    """One that ends after the day, or was reviewed after it: no claim on it holds."""
    cells = {"report_to": to, "reviewed_on": reviewed, "reviewed_by": "R. Reader"}
    data = write_register(tmp_path, lambda rows: rows["subservice_organisations"][0].update(cells))
    context = Context.of(load(data), "2026-H1", date(2026, 6, 30))
    for claim in ("reviewed:SUB-1", f"vendor_report_to:SUB-1={to[:7]}", "vendor_opinion:SUB-1=unmodified"):
        assert contradicted(context, Claim.parse(claim)), claim


def repaired(rows: Rows) -> None:
    """A control that failed in the report's period, was repaired, and passed its retest."""
    test = rows["control_tests"][0]
    test.update(
        sample_size="20", deviations="3", covers_from="2026-01-01", covers_to="2026-03-31", tested_on="2026-04-02"
    )
    again = {"covers_from": "2026-04-21", "covers_to": "2026-06-15", "tested_on": "2026-06-18", "retest_of": "T1"}
    rows["control_tests"].append({**test, **again, "test_id": "T9", "deviations": "0"})


def test_of_a_repaired_control_a_client_is_told_what_the_report_will_say(tmp_path: Path) -> None:
    """It works today, but its deviations before the repair are reported; a Type 1 report tests no operation."""
    context = Context.of(load(write_register(tmp_path, repaired)), "2026-H1", date(2026, 6, 30))
    told = Desk(context, ("alpha",), "client").control("A-C1")
    assert told
    assert told.text.endswith("period, 2026-01-01 to 2026-06-30: 20 items, 3 deviations.")
    beta = Desk(context, ("beta",), "client").control("B-C1")
    assert beta
    assert "ested" not in beta.text


@pytest.mark.parametrize(
    "text",
    [
        "Tested: 20 items, 0 deviations.",
        "0 of 20 items deviated.",
        "0 out of 20 sampled files failed.",
        "Exceptions noted: none.",
        "It is done without deviation.",
        "0 % deviation rate.",
        "The deviation rate was 0.0 percent in 25 items.",
        "0 (zero) deviations.",
        "Deviations: 0 of 20.",
        "A zero-deviation result.",
        "Error rate nil.",
        "20/20 passed.",
        "0/20 deviated.",
        "No exceptions noted in 25 items.",
        "100 % of the items passed.",
        "Our pass rate is 100 %.",
        "Of 20 items tested, 20 passed.",
    ],
)
def test_words_for_no_deviation_are_doubted_as_the_claim_is(tmp_path: Path, text: str) -> None:
    """However a 0 is written; the number that the tests have isn't doubted."""
    context = Context.of(load(write_register(tmp_path, repaired)), "2026-H1", date(2026, 6, 30))
    [(claim, against_it)] = doubts(context, text, ["A-C1"])
    assert (str(claim), against_it) == ("no_deviations:A-C1", ("T1", "3 of 20 items of A-C1 deviated"))
    assert doubts(context, "Tested: 20 items, 3 deviations.", ["A-C1"]) == []
    assert doubts(context, text, ["A-C2"]) == []


@pytest.mark.parametrize(
    "text",
    [
        "17/20 passed.",
        "The deviation rate was 0.5 %.",
        "Deviations of 0 to 3 items.",
        "The expected deviation rate is 0 %.",
        "No deviations are expected.",
        "We tolerate no deviations.",
        "Not 100 % of the items passed.",
        "Section 3/3 of the form.",
        "Of 20 items, 20 were late.",
        "100 % of clients pass through it.",
        "Errors: 0 tolerance.",
    ],
)
def test_numbers_that_claim_something_else_are_not_doubted(tmp_path: Path, text: str) -> None:
    """A 0, a share or a rate is no claim of no deviations by itself."""
    context = Context.of(load(write_register(tmp_path, repaired)), "2026-H1", date(2026, 6, 30))
    assert "no_deviations" not in {claim.kind for claim, _ in doubts(context, text, ["A-C1"])}
