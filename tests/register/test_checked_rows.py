"""Reading a register: what is refused and where it says so, and what comes through unharmed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from register_files import REPORT_ITEM, ROWS, change, problems, replace_in, write_register
from workbook_files import write_workbook

import riskcalc
from riskcalc.errors import Problem, RegisterError, UsageError
from riskcalc.register.tables import TABLES

Rows = dict[str, list[dict[str, str]]]
HEADER = b"control_id,framework,reference\n"
MONEY = "allowed: an amount such as 1250000.00, digits and a point only"
RATING = "allowed: a whole number from 1 to 5, or blank for unrated"
REQUIRED = "blank, but a value is required"
ASSERTION = "allowed, separated by |: occurrence, existence, completeness, accuracy, valuation, cutoff, classification"
CONTROLS = "is not in controls.csv; there are: A-C1, A-C2, A-G1, B-C1"
DAY = "allowed: a date as YYYY-MM-DD"
ACCEPTED = {"treatment": "accept", "accepted_by": "The board", "accepted_until": "2027-06-30"}


def places(folder: Path) -> list[tuple[str, int, str, str]]:
    return [(problem.file, problem.line, problem.column, problem.value) for problem in problems(folder)]


# --- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column", "value", "allowed"),
    [
        # what a cell may hold
        ("business_units", "name", "", REQUIRED),
        ("business_units", "name", "  ", REQUIRED),
        ("business_units", "currency", "euro", "allowed: an ISO 4217 code such as EUR"),
        ("business_units", "materiality", "1E5", MONEY),
        ("business_units", "materiality", "1,000", MONEY),
        ("business_units", "materiality", "-5", MONEY),
        ("business_units", "materiality", "nan", MONEY),
        ("business_units", "materiality", "٣", MONEY),
        ("business_units", "materiality", "", REQUIRED),
        ("business_units", "appetite", "Huge", "allowed: Low, Medium, High, Critical"),
        ("business_units", "report_to", "31.06.2026", DAY),
        ("control_objectives", "statement", "", REQUIRED),
        ("risks", "assertions", "accuracy|magic", ASSERTION),
        ("risks", "assertions", "cutoff|cutoff", "none of them blank or twice"),
        ("risks", "assertions", "", REQUIRED),
        ("risks", "treatment", "ignore", "allowed: mitigate, accept, transfer, avoid"),
        ("risks", "treatment", "", "blank; allowed: mitigate, accept, transfer, avoid"),
        ("risks", "frequency_per_year", "-1", "allowed: a number such as 0.25, 0 or more"),
        ("risks", "frequency_per_year", "2000000", "0 or more, less than 1000000, of at most 9 decimals"),
        ("ratings", "likelihood", "0", RATING),
        ("ratings", "likelihood", "6", RATING),
        ("ratings", "impact", "2.5", RATING),
        ("ratings", "period", "2026-H3", "allowed: a period such as 2026, 2026-H2, 2026-Q3 or 2026-09"),
        ("ratings", "rated_on", "2026-02-30", DAY),
        ("ratings", "votes", "7.0", "allowed: a whole number, 0 or more, digits only"),
        ("controls", "frequency", "hourly", "allowed: annual, half_yearly, quarterly, monthly"),
        ("controls", "key", "true", "allowed: yes or no"),
        ("controls", "design", "great", "allowed: effective, partially_effective, ineffective"),
        ("controls", "relies_on", "A-G1|", "none of them blank or twice"),
        ("risk_controls", "acts_on", "risk", "allowed: likelihood, impact, both"),
        ("risk_controls", "coverage", "1.2", "allowed: a number from 0 to 1, such as 0.8"),
        ("risk_controls", "coverage", "-0.1", "allowed: a number from 0 to 1, such as 0.8"),
        ("control_tests", "systematic", "", "allowed: yes or no"),
        ("deficiencies", "due_on", "2026-13-01", DAY),
        ("mappings", "framework", "", REQUIRED),
        # what fits the row's other cells
        ("business_units", "materiality", "0", "must be more than 0"),
        ("business_units", "performance_materiality", "1000001", "at most the materiality, 1000000"),
        ("business_units", "report_from", "", "must be a date before report_to, 2026-06-30"),
        ("business_units", "report_from", "2026-06-30", "must be a date before report_to, 2026-06-30"),
        ("risks", "loss_mode", "9", "must be blank where loss_low and loss_high are"),
        ("ratings", "impact", "", "likelihood and impact must both be rated, or both blank"),
        ("ratings", "likelihood", "", "likelihood and impact must both be rated, or both blank"),
        ("ratings", "rationale", "", "blank, but a rated risk needs it"),
        ("ratings", "rationale", " ", "blank"),
        ("control_tests", "deviations", "6", "must be at most the sample size, 5"),
        ("control_tests", "sample_size", "0", "must be at least 1"),
        ("control_tests", "systematic", "yes", "must be no where nothing deviated"),
        ("deficiencies", "closed_on", "2026-02-28", "must not be before identified_on, 2026-03-01"),
        # what fits other rows and tables
        (
            "control_objectives",
            "unit_id",
            "Alpha",
            "is not in business_units.csv; did you mean 'alpha'? there are: alpha, beta",
        ),
        ("controls", "unit_id", "gamma", "is not in business_units.csv; there are: alpha, beta"),
        ("risks", "unit_id", "gamma", "is not in business_units.csv; there are: alpha, beta"),
        ("risks", "objective_id", "X", "is not in control_objectives.csv; there are: A-CO1, B-CO1"),
        ("risks", "objective_id", "B-CO1", "belongs to unit beta; allowed: an objective of alpha"),
        ("ratings", "risk_id", "A-R9", "is not in risks.csv; there are: A-R1, A-R2, B-R1"),
        ("risk_controls", "risk_id", "A-R9", "is not in risks.csv; there are: A-R1, A-R2, B-R1"),
        ("risk_controls", "control_id", "X", CONTROLS),
        ("controls", "relies_on", "X", CONTROLS),
        ("controls", "relies_on", "A-C1", "must not rely on itself, but here: A-C1 -> A-C1"),
        ("deficiencies", "control_id", "X", CONTROLS),
        ("mappings", "control_id", "X", CONTROLS),
        ("control_tests", "control_id", "X", CONTROLS),
        ("control_tests", "retest_of", "T9", "is not in control_tests.csv; there are: T1, T2, T3, T4"),
        ("control_tests", "retest_of", "T2", "tests A-C2; allowed: a test of A-C1"),
        ("control_tests", "retest_of", "T1", "a test must not retest itself, but here: T1 -> T1"),
        (
            "control_tests",
            "period",
            "2026-Q1",
            "is a quarter, but most are half-years, such as 2025-H2; allowed: periods of one kind",
        ),
    ],
)
def test_a_bad_cell_is_one_problem_at_its_place(
    tmp_path: Path, table: str, column: str, value: str, allowed: str
) -> None:
    """A bad cell gives one problem: its file, line, column, the value seen, and what is allowed there."""
    found = problems(write_register(tmp_path, change(table, 0, **{column: value})))
    assert [(each.file, each.line, each.column, each.value) for each in found] == [(f"{table}.csv", 2, column, value)]
    assert allowed in found[0].allowed


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("A-R2", "risks.csv, line 3", ("controls", "control_id", 4)),
        ("A-CO1", "control_objectives.csv, line 2", ("risks", "risk_id", 4)),
        ("alpha", "business_units.csv, line 2", ("control_objectives", "objective_id", 3)),
    ],
)
def test_an_id_is_of_one_unit_objective_risk_or_control_only(
    tmp_path: Path, name: str, first: str, second: tuple[str, str, int]
) -> None:
    """What has to be decided, and where a page tells of it, is found by an id alone: no two things share one."""
    table, column, line = second

    def edit(rows: Rows) -> None:
        old = rows[table][line - 2][column]
        for cells in (cells for found in rows.values() for cells in found):
            cells.update({key: name for key, text in cells.items() if text == old})

    [problem] = problems(write_register(tmp_path, edit))
    assert (problem.file, problem.line, problem.column, problem.value) == (f"{table}.csv", line, column, name)
    told = f"is an id in {first}, already; allowed: one that no other unit, objective, risk or control has"
    assert problem.allowed == told


@pytest.mark.parametrize(
    ("table", "cells", "column", "allowed"),
    [
        ("subservice_organisations", {"reviewed_by": "A. Reviewer"}, "reviewed_on", "must both be given"),
        ("subservice_organisations", {"reviewed_on": "2026-07-01"}, "reviewed_by", "must both be given"),
        ("controls", {"communicated_in": "Terms"}, "communicated_in", "must be blank unless a user entity"),
        (
            "business_units",
            {"bridge_letter_until": "2026-06-30"},
            "bridge_letter_until",
            "must be a date after report_to",
        ),
        ("business_units", {"user_year_end": "02-30"}, "user_year_end", "a day of each year as MM-DD"),
        ("scoping", {"period_to": ""}, "period_to", "must be a date after period_from"),
        ("scoping", {"data_held": "gossip"}, "data_held", "'gossip' is no kind of data"),
        ("risks", {"loss_low": "0", "loss_high": "5"}, "loss_low", "must be more than 0 where loss_mode is blank"),
        ("business_units", {"report_type": "type1"}, "report_from", "must be blank: a Type 1 report is at a date"),
        ("risks", {"loss_low": "9", "loss_high": "5"}, "loss_high", "must be at least loss_low, 9"),
        (
            "risks",
            {"loss_low": "10", "loss_mode": "7", "loss_high": "50"},
            "loss_mode",
            "must lie between loss_low, 10, and",
        ),
        ("risks", {"loss_low": "9"}, "loss_high", "must be given with loss_low, or both left blank"),
        ("risks", ACCEPTED | {"accepted_by": ""}, "accepted_by", "blank, but a risk whose treatment is accept"),
        ("risks", ACCEPTED | {"accepted_by": " "}, "accepted_by", "blank, but a risk whose treatment is accept"),
        ("risks", ACCEPTED | {"accepted_until": ""}, "accepted_until", "blank, but a risk whose treatment is accept"),
        ("ratings", {"impact_low": "4", "impact_high": "2"}, "impact_high", "must be at least impact_low"),
        ("control_tests", {"population": "4"}, "sample_size", "must be at most the population, 4"),
        ("control_tests", {"covers_from": "2026-01-01"}, "covers_to", "must not be before covers_from, or both be"),
        ("control_tests", {"covers_to": "2026-01-01"}, "covers_to", "must not be before covers_from, or both be"),
        (
            "control_tests",
            {"covers_from": "2026-01-02", "covers_to": "2026-01-01"},
            "covers_to",
            "must not be before covers_from",
        ),
        ("control_tests", {"selection": "whole", "population": "6"}, "selection", "whole, but 5 of 6 items were"),
        ("business_units", {"clients": "0"}, "clients", "must be at least 1"),
        ("business_units", {"issued_on": "2026-06-29", "opinion": "qualified"}, "issued_on", "must not be before"),
        ("business_units", {"issued_on": "2026-08-01"}, "opinion", "must both be given, or both be blank"),
        ("business_units", {"opinion": "qualified"}, "issued_on", "must both be given, or both be blank"),
        ("business_units", {"bridge_from": "2026-07-01"}, "bridge_from", "not after the last day that the letter"),
        (
            "business_units",
            {"bridge_from": "2026-06-30", "bridge_letter_until": "2026-09-30"},
            "bridge_from",
            "must be after report_to, 2026-06-30,",
        ),
        ("subservice_organisations", {"bridge_to": "2026-06-30"}, "bridge_to", "must be a date after report_to"),
        ("report_items", {"status": "done"}, "reference", "blank, but what is done can be shown"),
    ],
)
def test_cells_that_contradict_each_other_are_one_problem(
    tmp_path: Path, table: str, cells: dict[str, str], column: str, allowed: str
) -> None:
    """Where a cell rules out another, the problem stands at the one that a person would mend."""
    found = problems(write_register(tmp_path, change(table, 0, **cells)))
    value = ((ROWS[table] or [REPORT_ITEM])[0] | cells).get(column, "")
    assert [(each.file, each.line, each.column, each.value) for each in found] == [(f"{table}.csv", 2, column, value)]
    assert allowed in found[0].allowed


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("business_units", "unit_id", "alpha"),
        ("control_objectives", "objective_id", "A-CO1"),
        ("risks", "risk_id", "A-R1"),
        ("ratings", "risk_id + period", "A-R1 + 2025-H2"),
        ("controls", "control_id", "A-C1"),
        ("risk_controls", "risk_id + control_id", "A-R1 + A-C1"),
        ("control_tests", "test_id", "T1"),
        ("mappings", "control_id + framework + reference", "A-G1 + SOC 2 + CC6.1"),
    ],
)
def test_what_stands_there_twice_is_refused(tmp_path: Path, table: str, key: str, value: str) -> None:
    """A key that comes again, such as a control linked to a risk twice, is told with the line of the first."""
    folder = write_register(tmp_path, lambda rows: rows[table].append(rows[table][0]))
    line = len(ROWS[table]) + 2
    more = ", or from another day on: valid_from" if table not in ("ratings", "control_tests") else ""
    allowed = f"stands already at line 2; allowed: once{more}"
    assert problems(folder) == [Problem(f"{table}.csv", line, key, value, allowed)]


@pytest.mark.parametrize(
    ("content", "line", "column", "value", "allowed"),
    [
        (b"", 0, "", "", "the file is empty; its first line must name the columns: control_id, framework, reference"),
        (b"\xef\xbb\xbf\n\n", 0, "", "", "the file is empty; its first line must name the columns: control_id"),
        (HEADER.decode().encode("utf-16"), 1, "", "byte 0xff", "is not UTF-8; in a spreadsheet, save as CSV in UTF-8"),
        (HEADER + b"A-C1,ISO,1\nA-C1,ISO,Pr\xfcfung\n", 3, "", "byte 0xfc", "is not UTF-8; in a spreadsheet, save as CSV in UTF"),
        (HEADER + b'A-C1,ISO,1\nA-C1,"ISO,2\nA-C1,ISO,3\n', 3, "", "", "a quote that is opened in this row is never closed"),
        (HEADER + b'A-C1,"ISO"x,2\n', 2, "", "", "a quoted cell goes on after its closing quote"),
        (HEADER + b"A-C1,ISO\n", 2, "", "", "2 cells, but the header has 3 columns"),
        (HEADER + b"A-C1,ISO,1,2\n", 2, "", "", "4 cells, but the header has 3 columns"),
        (HEADER.replace(b",", b";") + b"A-C1;ISO;1\n", 1, "", "control_id;framework;reference", "semicolons; allowed: commas"),
        (HEADER.replace(b",", b"\t"), 1, "", "control_id\tframework\treference", "tabs; allowed: commas"),
        (b"control_id,framework\nA-C1,ISO\n", 1, "reference", "", "the column is missing"),
        (b"control_id,framework,reference,colour\n", 1, "colour", "", "unknown column; allowed: control_id, framework, reference"),
        (b"control_id,framework,reference,framework\n", 1, "framework", "", "the column stands there twice"),
    ],
    ids=[
        "empty", "blank lines only", "UTF-16", "Latin-1", "unterminated quote", "text after a quote", "too few cells",
        "too many cells", "semicolons", "tabs", "missing column", "unknown column", "column twice",
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_one_problem(
    small: Path, content: bytes, line: int, column: str, value: str, allowed: str
) -> None:
    """A file in another form gives one problem that says what is wrong with it and in which line."""
    (small / "mappings.csv").write_bytes(content)
    assert places(small) == [("mappings.csv", line, column, value)]
    assert allowed in problems(small)[0].allowed


def test_a_nul_byte_is_refused(small: Path) -> None:
    """A NUL byte, the trace of a broken export, is told with its line and never becomes part of a text."""
    (small / "mappings.csv").write_bytes(HEADER + b"A-C1,ISO,1\nA-C1,ISO,a\0b\n")
    assert [(each.file, each.line) for each in problems(small)] == [("mappings.csv", 3)]


def test_semicolons_are_told_where_every_cell_is_quoted_too(small: Path) -> None:
    """A file as LibreOffice writes it, all quoted and with semicolons, isn't called empty."""
    (small / "mappings.csv").write_bytes(b'"control_id";"framework";"reference"\n"A-C1";"ISO";"1"\n')
    assert ["semicolons" in each.allowed for each in problems(small)] == [True]


@pytest.mark.parametrize("table", [name for name in ROWS if not TABLES[name].optional])
def test_a_missing_table_is_one_problem(small: Path, table: str) -> None:
    """A table that isn't there is named, and the rows of other tables that point into it are not blamed."""
    (small / f"{table}.csv").unlink()
    assert problems(small) == [Problem(f"{table}.csv", 0, "", "", "the file is missing")]


@pytest.mark.parametrize(
    ("old", "new", "line", "column"),
    [
        ("accuracy|completeness", "accuracy|magic", 2, "assertions"),
        ("mitigate", "", 2, "treatment"),
        ("A-R1,alpha,", ",alpha,", 2, "risk_id"),
        ("A-R1,alpha,", "A-R1,", 2, ""),
        ("A-R1,alpha,", 'A-R1,"alpha,', 2, ""),
        ("risk_id,", "risk,", 1, "risk"),
    ],
    ids=["wrong assertion", "blank cell", "blank key", "too few cells", "unterminated quote", "misspelt key column"],
)
def test_rows_that_point_at_a_bad_row_are_not_blamed(small: Path, old: str, new: str, line: int, column: str) -> None:
    """What is wrong in risks.csv is told there, and makes no problems of the ratings and controls of the risk."""
    text = (small / "risks.csv").read_text("utf-8")
    (small / "risks.csv").write_text(text.replace(old, new, 1), "utf-8")
    found = places(small)
    assert ("risks.csv", line, column) in [place[:3] for place in found]
    assert {place[0] for place in found} == {"risks.csv"}


def test_controls_that_rely_on_each_other_are_told_with_the_chain(tmp_path: Path) -> None:
    """A circle of reliance is told once, with the way round, and two circles are two problems."""

    def edit(rows: Rows) -> None:
        rows["controls"][2]["relies_on"] = "A-C2"
        rows["controls"][3]["relies_on"] = "B-C1"

    found = problems(write_register(tmp_path, edit))
    assert "A-C2 -> A-G1 -> A-C2" in found[0].allowed
    assert [(each.file, each.line, each.column, each.value) for each in found] == [
        ("controls.csv", 3, "relies_on", "A-G1"),
        ("controls.csv", 5, "relies_on", "B-C1"),
    ]


def test_tests_that_retest_each_other_are_refused(tmp_path: Path) -> None:
    """Of two tests that claim to retest each other neither is the first, and both would drop out of the evidence."""

    def edit(rows: Rows) -> None:
        rows["control_tests"].append({**rows["control_tests"][0], "test_id": "T5", "retest_of": "T1"})
        rows["control_tests"][0]["retest_of"] = "T5"

    assert {place[0::2] for place in places(write_register(tmp_path, edit))} == {("control_tests.csv", "retest_of")}


# --- all at once --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_faults_in_five_files_are_all_told_in_order(small: Path, end: str) -> None:
    """Every fault is told at once, by file and line, the line being where a row starts in an editor."""
    replace_in(small / "business_units.csv", "5 % of profit", '"5 %\nof\nprofit, ""adjusted"""')
    replace_in(small / "business_units.csv", ",GBP,", ",pound,")
    replace_in(small / "control_objectives.csv", "Claims are right.", "")
    replace_in(small / "controls.csv", "A-C1,alpha", "A-C1,gamma")
    with open(small / "deficiencies.csv", "a", encoding="utf-8") as file:
        file.write('D1,A-C1,"one\n\ntwo",2026-03-01,A,2026-09-30,,,\n\n')
        file.writelines(f"D{number},A-C1,late,2026-03-01,A,soon,,,\n" for number in range(2, 8))
    replace_in(small / "mappings.csv", "A-G1,SOC 2", "A-G9,SOC 2")
    for path in small.glob("*.csv"):
        path.write_bytes(path.read_bytes().replace(b"\n", end.encode()))
    assert places(small) == [
        ("business_units.csv", 5, "currency", "pound"),
        ("control_objectives.csv", 3, "statement", ""),
        ("controls.csv", 2, "unit_id", "gamma"),
        *[("deficiencies.csv", line, "due_on", "soon") for line in range(6, 12)],
        ("mappings.csv", 2, "control_id", "A-G9"),
    ]


@pytest.mark.parametrize(
    ("table", "row", "cells", "columns"),
    [
        ("ratings", 0, {"likelihood": "9", "impact": "0", "rated_on": "today"}, {"likelihood", "impact", "rated_on"}),
        ("ratings", 0, {"rationale": "", "rated_by": "", "rated_on": ""}, {"rationale", "rated_by", "rated_on"}),
        ("risks", 0, {"treatment": "accept", "loss_low": "9", "loss_high": "3"}, {"accepted_by", "loss_high"}),
        ("risks", 0, {"treatment": "ignore", "objective_id": "X"}, {"treatment", "objective_id"}),
        ("risks", 1, {"treatment": "ignore", "risk_id": "A-R1"}, {"treatment", "risk_id"}),
    ],
    ids=["cells", "needed cells", "two contradictions", "cell and reference", "cell and key"],
)  # fmt: skip
def test_all_that_is_wrong_in_a_row_is_told_at_once(
    tmp_path: Path, table: str, row: int, cells: dict[str, str], columns: set[str]
) -> None:
    """Who mends a row by what is told about it doesn't meet another problem of the same row afterwards."""
    found = problems(write_register(tmp_path, change(table, row, **cells)))
    assert columns <= {each.column for each in found if (each.file, each.line) == (f"{table}.csv", row + 2)}


def test_the_message_reads_as_sentences_with_file_and_line(tmp_path: Path) -> None:
    """The error's text counts the problems and gives each a line that an editor can jump to."""
    folder = write_register(tmp_path, change("risk_controls", 0, coverage="x" * 200))
    with pytest.raises(
        RegisterError, match=r"^1 problem in the register .*:\nrisk_controls\.csv:2: column 'cov"
    ) as caught:
        riskcalc.load(folder)
    assert str(caught.value).endswith("x…': allowed: a number from 0 to 1, such as 0.8")
    assert caught.value.problems[0].as_dict()["line"] == 2


# --- what comes through unharmed ----------------------------------------------------------------------


def awkward(rows: Rows) -> None:
    unit = {**rows["business_units"][1], "unit_id": "NA", "name": 'Überweisungen "Süd"; {x}', "service": "null"}
    rows["business_units"].append(unit | {"owner": "True"})
    rows["control_objectives"].append({"objective_id": "007", "unit_id": "NA", "process": "1E5", "statement": "=1+1"})
    risk = {**rows["risks"][0], "risk_id": "1.0", "unit_id": "NA", "objective_id": "007"}
    rows["risks"].append(
        risk | {"account": "NO", "title": " 2026-01-01 ", "description": "a\r\nb,\tc", "owner": "-inf"}
    )


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text,
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: re.sub(rb"(?<!\r)\n", b"\r\n", text),
        lambda text: text.rstrip(b"\n"),
    ],
    ids=["as written", "byte order mark", "CRLF", "no last line end"],
)
def test_text_is_never_taken_for_something_else(tmp_path: Path, write: Callable[[bytes], bytes]) -> None:
    """A unit called NA, a code 007 and a text =1+1 stay what they are, however the file was saved."""
    before = riskcalc.load(write_register(tmp_path, awkward)).fingerprint()
    for path in tmp_path.glob("*.csv"):
        path.write_bytes(write(path.read_bytes()))
    register = riskcalc.load(tmp_path)
    unit = register.unit("NA")
    assert [unit[column] for column in ("name", "service", "owner")] == ['Überweisungen "Süd"; {x}', "null", "True"]
    assert register.control_objectives.iloc[-1].tolist()[:4] == ["007", "NA", "1E5", "=1+1"]
    risk = register.risks.iloc[-1][["risk_id", "account", "title", "description", "owner"]]
    assert risk.tolist() == ["1.0", "NO", " 2026-01-01 ", "a\r\nb,\tc", "-inf"]
    assert register.fingerprint() == before


def test_a_blank_rating_stays_missing(small: Path) -> None:
    """An unrated risk keeps its row, and its ratings are missing: neither 0 nor 1."""
    rating = riskcalc.load(small).ratings.set_index("risk_id").loc["A-R2"]
    assert rating[["likelihood", "impact", "rationale", "rated_by", "rated_on", "votes"]].isna().all()


def test_tables_may_have_no_rows(tmp_path: Path) -> None:
    """A register of header lines alone is a valid beginning; only a period can't be had from it."""
    register = riskcalc.load(write_register(tmp_path, lambda rows: [table.clear() for table in rows.values()]))
    assert [len(getattr(register, table)) for table in ROWS] == [0] * len(ROWS)
    assert (register.periods, register.ratings["likelihood"].dtype) == ((), "Int64")
    with pytest.raises(UsageError, match="no ratings yet, so there is no period to assess"):
        register.period()


def test_columns_may_stand_in_any_order(small: Path) -> None:
    """Who moves a column in a spreadsheet breaks nothing."""
    before = riskcalc.load(small).fingerprint()
    (small / "mappings.csv").write_text("reference,control_id,framework\nCC6.1,A-G1,SOC 2\n", "utf-8")
    assert riskcalc.load(small).fingerprint() == before


@pytest.mark.parametrize(
    ("table", "column", "dtype", "value"),
    [
        ("ratings", "likelihood", "Int64", 3),
        ("ratings", "votes", "Int64", pd.NA),
        ("ratings", "rated_on", "datetime64[s]", pd.Timestamp("2026-06-20")),
        ("business_units", "materiality", "object", Decimal("1000000")),
        ("risk_controls", "coverage", "object", Decimal("0.5")),
        ("controls", "key", "bool", True),
        ("controls", "relies_on", "object", ()),
        ("risks", "assertions", "object", ("accuracy", "completeness")),
        ("risks", "loss_low", "object", None),
        ("risks", "accepted_until", "datetime64[s]", pd.NaT),
        ("control_tests", "sample_size", "Int64", 5),
    ],
)
def test_columns_have_the_type_of_their_values(small: Path, table: str, column: str, dtype: str, value: Any) -> None:
    """Counts are whole numbers, dates are dates, amounts are exact decimals, lists are tuples, also where some miss."""
    values = getattr(riskcalc.load(small), table)[column]
    assert values.dtype == dtype
    assert values.iloc[0] is value if value is None or value is pd.NA or value is pd.NaT else values.iloc[0] == value


def test_the_index_is_the_line_in_the_file(small: Path) -> None:
    """Each row is found in its file by its index, also after blank lines and cells of several lines."""
    replace_in(
        small / "ratings.csv",
        "as discussed,Workshop,2026-06-20,,,,,,,\nA-R1,2026-H1",
        '"a\nb",W,2026-06-20,,,,,,,\n\nA-R1,2026-H1',
    )
    ratings = riskcalc.load(small).ratings
    assert (ratings.index.name, ratings.index.tolist()) == ("line", [2, 5, 6, 7])


# --- registers of earlier versions -----------------------------------------------------------------------


def test_a_register_without_later_columns_and_tables_still_loads(tmp_path: Path) -> None:
    """Columns and tables that came later may be missing: what they would say is blank, and the rest is as before."""
    folder = write_register(tmp_path / "data")
    (folder / "report_items.csv").unlink()
    for name in ("business_units", "control_tests", "subservice_organisations"):
        rows = list(csv.DictReader(io.StringIO((folder / f"{name}.csv").read_text("utf-8"))))
        kept = [column for column, info in TABLES[name].model_fields.items() if info.is_required()]
        assert len(kept) < len(rows[0])
        as_before = [kept, *([row[column] for column in kept] for row in rows)]
        (folder / f"{name}.csv").write_text("".join(f"{','.join(row)}\n" for row in as_before), "utf-8")
    old, new = riskcalc.load(folder), riskcalc.load(write_register(tmp_path / "new"))
    assert old.report_items.empty
    assert list(old.report_items) == list(new.report_items)
    assert old.fingerprint() == new.fingerprint()


def test_a_contradiction_with_a_column_that_is_missing_is_told(small: Path) -> None:
    """Where a later column is needed after all, the problem names it, though the file doesn't have it."""
    (small / "report_items.csv").write_text(
        "item_id,unit_id,item,status,owner,due_on,reference\nI1,alpha,subsequent_events,done,A. Owner,,\n", "utf-8"
    )
    text = (small / "business_units.csv").read_text("utf-8").splitlines()
    header = [name for name in text[0].split(",") if name != "opinion"]
    rows = [dict(zip(text[0].split(","), line.split(","), strict=True)) for line in text[1:]]
    rows[0]["issued_on"] = "2026-08-01"
    lines = [header, *([row[name] for name in header] for row in rows)]
    (small / "business_units.csv").write_text("".join(f"{','.join(line)}\n" for line in lines), "utf-8")
    assert [each[:3] for each in places(small)] == [
        ("business_units.csv", 2, "opinion"),
        ("report_items.csv", 2, "reference"),
    ]


def test_a_misspelt_column_hides_nothing_else(tmp_path: Path) -> None:
    """Other cells of its table are checked, and what points at its rows; nothing is told that may be right."""

    def edit(rows: Rows) -> None:
        rows["controls"][0]["kind"] = "strange"
        rows["controls"][1]["relies_on"] = "A-G9"
        rows["mappings"][0]["control_id"] = "A-X"

    replace_in(write_register(tmp_path, edit) / "controls.csv", ",design,", ",desing,")
    assert {(each.file, each.line, each.column, each.value) for each in problems(tmp_path)} == {
        ("controls.csv", 1, "desing", ""),
        ("controls.csv", 1, "design", ""),
        ("controls.csv", 2, "kind", "strange"),
        ("controls.csv", 3, "relies_on", "A-G9"),
        ("mappings.csv", 2, "control_id", "A-X"),
    }


@pytest.mark.parametrize("kind", ["folder", "workbook"])
def test_a_broken_methodology_hides_no_other_problem(tmp_path: Path, kind: str) -> None:
    """What is wrong whatever it says is told beside it; ratings, levels and designs wait for one that can be used."""

    def edit(rows: Rows) -> None:
        rows["risks"][0]["treatment"] = "hope"
        rows["mappings"][0]["control_id"] = "A-X"
        rows["controls"][0]["design"] = "so so"

    source = folder = write_register(tmp_path / "data", edit)
    replace_in(folder / "methodology.toml", "[weights.design]", "[weights.desing]")
    if kind == "workbook":
        source = write_workbook(tmp_path / "register.xlsx", folder)
    found = {(each.sheet or each.file.partition(".")[0], each.column) for each in problems(source)}
    assert found - {("methodology", column) for _, column in found} == {
        ("risks", "treatment"),
        ("mappings", "control_id"),
    }


@pytest.mark.parametrize("text", ['first_period = "2026-H1"\n[', "["])
def test_beside_a_broken_methodology_nothing_is_told_that_may_be_right(tmp_path: Path, text: str) -> None:
    """A register that only begins, and the small one, have one problem each: the methodology."""
    if "first" in text:
        (tmp_path / "risks.csv").write_text("risk_id,title,owner,likelihood,impact\nA,First,Bob,3,9\n", "utf-8")
        (tmp_path / "business_units.csv").write_text("unit_id\nu\n", "utf-8")
    else:
        write_register(tmp_path)
    (tmp_path / "methodology.toml").write_text(text, "utf-8")
    assert {each.file for each in problems(tmp_path)} == {"methodology.toml"}
