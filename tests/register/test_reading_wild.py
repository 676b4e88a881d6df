"""CSV files as spreadsheets and other systems leave them: each is read right, or refused with what to do."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from register_files import Rows, change, problems, write_register

import riskcalc
from riskcalc.excel.commands import export
from riskcalc.register.checked_rows import read_table
from riskcalc.register.methodology import Methodology

HEADER = "control_id,framework,reference"
Spoil = Callable[[str], bytes]


def everything(folder: Path, spoil: Spoil) -> None:
    """Spoil every CSV file of a register in the same way."""
    for path in folder.glob("*.csv"):
        path.write_bytes(spoil(path.read_text("utf-8")))


# --- read right ---


def all_quoted(text: str) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(csv.reader(io.StringIO(text)))
    return out.getvalue().encode()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("\n", ",,\n").encode(),
        lambda text: text.replace("\n", ",\n").encode() + b",,,,\n" * 3,
        lambda text: text.encode().rstrip(b"\n"),
        all_quoted,
    ],
    ids=["byte order mark", "CRLF", "CR", "empty columns", "empty columns and rows", "no last line end", "all quoted"],
)
def test_what_spreadsheets_do_to_a_file_changes_nothing(small: Path, spoil: Spoil) -> None:
    """A file that was opened and saved elsewhere is the same register: the hash of its content says so."""
    before = riskcalc.load(small).fingerprint()
    everything(small, spoil)
    assert riskcalc.load(small).fingerprint() == before


def test_line_breaks_commas_and_quotes_inside_cells_are_text(tmp_path: Path) -> None:
    """A description of several lines with quotes and commas is one cell, and later rows keep their lines."""
    text = 'first,\nsecond "quoted"\r\n\n;third\t'
    folder = write_register(tmp_path, change("risks", 0, description=text))
    risks = riskcalc.load(folder).risks
    assert risks["description"].iloc[0] == text
    assert risks.index.tolist() == [2, 6, 7]


def test_two_hundred_thousand_rows_are_read_whole(small: Path) -> None:
    """A register of that size comes through to its last row."""
    rows = "".join(f"A-C1,ISO 27001,A.{number}\n" for number in range(200_000))
    (small / "mappings.csv").write_text(f"{HEADER}\n{rows}", "utf-8")
    table = read_table(small, "mappings", Methodology.read(small / "methodology.toml"))
    assert (len(table.rows), table.problems, table.rows[200_001].reference) == (200_000, [], "A.199999")


# --- refused with what to do ---


@pytest.mark.parametrize(
    ("spoil", "allowed"),
    [
        (lambda text: text.replace(",", ";").encode(), "separated by semicolons; allowed: commas (in a spreadsheet, save as"),
        (lambda text: text.replace(",", "\t").encode(), "separated by tabs; allowed: commas"),
        (lambda text: text.replace("SOC", "Prüf").encode("latin-1"), "is not UTF-8; in a spreadsheet, save as CSV in UTF-8"),
        (lambda text: text.replace("SOC", "€").encode("cp1252"), "is not UTF-8"),
        (lambda text: text.encode("utf-16"), "is not UTF-8"),
        (lambda text: b"sep=,\n" + text.encode(), "unknown column"),
        (lambda text: text.replace("framework", "reference", 1).encode(), "the column stands there twice"),
        (lambda text: text.replace("framework", "Framework ", 1).encode(), "did you mean 'framework'?"),
        (lambda text: text.replace("CC6.1,,", "CC6.1,,,stray").encode(), "6 cells, but the header has 5 columns"),
        (lambda text: text.replace("A-G1", "1E+05").encode(), "is how a spreadsheet shortens a long number"),
        (lambda text: text.replace("A-G1", "1,23457E+11").replace("1,2", '"1,2').replace("E+11", 'E+11"').encode(), "is how a spreadsheet shortens a long number"),
        (lambda text: text.replace("CC6.1", "x" * 200_000).encode(), "a cell is longer than 131,072 characters"),
    ],
    ids=["semicolons", "tabs", "Latin-1", "Windows-1252", "UTF-16", "sep=", "column twice", "header in capitals",
         "stray cell", "1E+05", "1,23457E+11", "long cell"],
)  # fmt: skip
def test_a_file_in_another_form_is_refused_with_what_to_do(small: Path, spoil: Spoil, allowed: str) -> None:
    """Nothing is guessed about a file that could be read in more than one way."""
    path = small / "mappings.csv"
    path.write_bytes(spoil(path.read_text("utf-8")))
    assert any(allowed in problem.allowed for problem in problems(small)), problems(small)


@pytest.mark.parametrize(
    ("table", "column", "value", "allowed"),
    [
        ("business_units", "materiality", "1,000,000", "digits and a point only"),
        ("business_units", "materiality", "1.000.000,00", "digits and a point only"),
        ("business_units", "materiality", "1 000 000", "digits and a point only"),
        ("business_units", "materiality", "1\u202f000\u00a0000", "digits and a point only"),
        ("business_units", "materiality", "1'000'000", "digits and a point only"),
        ("business_units", "materiality", "1E+06", "digits and a point only"),
        ("business_units", "materiality", "1.000", "1.000 may be a thousand: write 1000 or 1.00"),
        ("risks", "loss_low", "150.000", "150.000 may be a thousand times as much: write 150000 or 150.00"),
        ("risks", "loss_low", "150.255", "150.255 may be a thousand times as much: write 150255 or 150.2550"),
        ("risk_controls", "coverage", "0,8", "such as 0.8"),
        ("risk_controls", "coverage", "180%", "such as 0.8"),
        ("deficiencies", "due_on", "03.09.2026", "may be 2026-03-09 or 2026-09-03: write the one that is meant"),
        ("deficiencies", "due_on", "31/09/2026", "a date as YYYY-MM-DD"),
        ("deficiencies", "due_on", "2026-09-30 00:00:00", "a date as YYYY-MM-DD"),
        ("deficiencies", "due_on", "46295", "46295 is a spreadsheet's number for 2026-09-30"),
        ("ratings", "period", "Sep 26", "a period such as 2026"),
        ("ratings", "likelihood", "3.0", "a whole number from 1 to 5"),
        ("controls", "key", "TRUE", "yes or no"),
    ],
)
def test_a_cell_that_a_spreadsheet_has_changed_is_refused(
    tmp_path: Path, table: str, column: str, value: str, allowed: str
) -> None:
    """Thousands separators, local dates and shortened numbers are never read as something else."""
    found = problems(write_register(tmp_path, change(table, 0, **{column: value})))
    assert any((each.column, each.value) == (column, value) and allowed in each.allowed for each in found), found


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(
            st.sampled_from(
                [
                    b"control_id",
                    b",",
                    b"framework",
                    b"reference",
                    b"\n",
                    b"\r",
                    b'"',
                    b"A-C1",
                    b";",
                    b"\xff",
                    b"\0",
                    b" ",
                ]
            ),
            max_size=40,
        ).map(b"".join),
    )
)
def test_no_bytes_end_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever a file holds, it is rows or problems."""
    folder = tmp_path_factory.getbasetemp()
    (folder / "mappings.csv").write_bytes(content)
    table = read_table(folder, "mappings", Methodology.read(Path(__file__).parents[2] / "data" / "methodology.toml"))
    assert all(0 <= problem.line <= sys.maxsize and problem.allowed for problem in table.problems)


def dinars(rows: Rows) -> None:
    """Beta counts in a currency of three decimals, alpha in one of two."""
    rows["business_units"][1].update(currency="KWD", materiality="850.505", performance_materiality="600.250")
    rows["risks"][2].update(loss_low="1.000", loss_mode="12.500", loss_high="150.125", frequency_per_year="2")


@pytest.mark.parametrize("workbook", [False, True], ids=["folder", "workbook"])
def test_amounts_have_the_decimals_of_their_currency(tmp_path: Path, workbook: bool) -> None:
    """A dinar has a thousand fils: the point of 850.505 can't mean thousands; it is shown as it is written."""
    data = write_register(tmp_path / "data", dinars)
    if workbook:
        content = export(str(data))
        data = tmp_path / "register.xlsx"
        data.write_bytes(content)
    register = riskcalc.load(data)
    assert register.unit("beta")["materiality"] == Decimal("850.505")
    assert f"{register.unit('beta')['performance_materiality']:,}" == "600.250"
    assert register.risks.set_index("risk_id").loc["B-R1", ["loss_low", "loss_mode", "loss_high"]].tolist() == [
        Decimal("1"),
        Decimal("12.5"),
        Decimal("150.125"),
    ]


def test_the_same_amount_is_unclear_where_the_currency_has_two_decimals(tmp_path: Path) -> None:
    """Beside a row in dinars that holds the same text, before it or after it."""

    def both(rows: Rows) -> None:
        dinars(rows)
        for risk in (0, 1):
            rows["risks"][risk].update(loss_low="1.000", loss_high="900", frequency_per_year="2")
        rows["risks"].insert(1, rows["risks"].pop())

    found = problems(write_register(tmp_path, both))
    assert [(each.line, each.column) for each in found] == [(2, "loss_low"), (4, "loss_low")]
