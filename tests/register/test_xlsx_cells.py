"""Reading a register out of a workbook: what comes through unharmed, and what is refused at its cell."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from register_files import DEFICIENCY, Rows, write_register
from workbook_files import Edit, change_part, part_of, put, repack, write_workbook

import riskcalc
from riskcalc.errors import Problem, RegisterError, UsageError
from riskcalc.register.xlsx_cells import Odd, letters, open_workbook
from riskcalc.register.xlsx_tables import _ADVICE


def problems(path: Path) -> list[Problem]:
    with pytest.raises(RegisterError, match=r"^[\d,]+ problems? in the register") as caught:
        riskcalc.load(path)
    return caught.value.problems


@pytest.fixture
def book(tmp_path: Path, small: Path) -> Path:
    return write_workbook(tmp_path / "register.xlsx", small)


# --- what comes through ---


def test_a_workbook_is_the_same_register_as_its_csv_files(book: Path, small: Path) -> None:
    """A register kept in one .xlsx gives the same results as the folder: the hash of its content is the same."""
    register = riskcalc.load(book)
    assert register.fingerprint() == riskcalc.load(small).fingerprint()
    assert register.source == book


def test_the_sample_reads_the_same_from_a_workbook(tmp_path: Path, sample: riskcalc.Register) -> None:
    """Sixty risks and ninety controls, with every kind of cell, come through."""
    path = write_workbook(tmp_path / "sample.xlsx", sample.source)
    assert riskcalc.load(path).fingerprint() == sample.fingerprint()


def hostile(rows: Rows) -> None:
    unit = {**rows["business_units"][1], "unit_id": "NA", "name": 'Überweisungen "Süd"; {x}', "service": "=1+1"}
    rows["business_units"].append(unit | {"owner": "#N/A"})
    rows["control_objectives"].append(
        {"objective_id": "007", "unit_id": "NA", "process": "1E5", "statement": "@SUM(A1)"}
    )
    risk = {**rows["risks"][0], "risk_id": "1.0", "unit_id": "NA", "objective_id": "007"}
    rows["risks"].append(
        risk | {"account": "NO", "title": " 2026-01-01 ", "description": "a\nb,\tc 😀", "owner": "-inf"}
    )


def test_text_is_never_taken_for_something_else(tmp_path: Path) -> None:
    """A unit called NA, a code 007 and a text =1+1 are what they are in a workbook, too."""
    folder = write_register(tmp_path / "data", hostile)
    register = riskcalc.load(write_workbook(tmp_path / "register.xlsx", folder))
    assert register.fingerprint() == riskcalc.load(folder).fingerprint()
    assert register.unit("NA")["owner"] == "#N/A"


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "number_format", "table", "column", "read"),
    [
        ("risk_controls", "D2", 0.8, "", "risk_controls", "coverage", "0.8"),
        ("risk_controls", "D2", 0.1 + 0.2, "", "risk_controls", "coverage", "0.3"),
        ("business_units", "F2", 1.125, "", "business_units", "performance_materiality", "1.1250"),
        ("risk_controls", "D2", 1, "0%", "risk_controls", "coverage", "1"),
        ("business_units", "E2", 1_200_000, "#,##0.00", "business_units", "materiality", "1200000"),
        ("business_units", "E2", 1e15, "", "business_units", "materiality", "1000000000000000"),
        ("ratings", "C2", 3.0, "", "ratings", "likelihood", "3"),
        ("control_tests", "P2", datetime.date(2026, 6, 14), "", "control_tests", "tested_on", "2026-06-14 00:00:00"),
        ("control_tests", "P2", datetime.date(2026, 6, 14), "dd.mm.yy", "control_tests", "tested_on", "2026-06-14 00:00:00"),
        ("control_tests", "P2", 46187, "[$-407]d. mmmm yyyy;@", "control_tests", "tested_on", "2026-06-14 00:00:00"),
    ],
)  # fmt: skip
def test_numbers_and_dates_are_read_as_the_spreadsheet_shows_them(
    small: Path,
    tmp_path: Path,
    sheet: str,
    cell: str,
    value: Any,
    number_format: str,
    table: str,
    column: str,
    read: str,
) -> None:
    """Where a number or a date is wanted, a spreadsheet's own are as good as text, in whatever format."""
    path = write_workbook(tmp_path / "register.xlsx", small, put(sheet, cell, value, number_format))
    assert str(getattr(riskcalc.load(path), table)[column].iloc[0]) == read


def test_dates_of_a_workbook_from_an_old_macintosh_are_not_four_years_off(small: Path, tmp_path: Path) -> None:
    """Workbooks that count days from 1904 give the same date."""

    def edit(book: Any) -> None:
        book.epoch = datetime.datetime(1904, 1, 1)
        book["control_tests"]["P2"].value = datetime.date(2026, 6, 14)

    path = write_workbook(tmp_path / "register.xlsx", small, edit)
    assert f"{riskcalc.load(path).control_tests['tested_on'].iloc[0]:%Y-%m-%d}" == "2026-06-14"


def test_a_formula_counts_with_the_value_that_was_saved(book: Path) -> None:
    """What a spreadsheet has worked out and saved is read; riskcalc works out no formula itself."""
    part = part_of(book, "risk_controls")
    change_part(book, part, '<c r="D2" t="inlineStr"><is><t>0.5</t></is></c>', '<c r="D2"><f>1/4</f><v>0.25</v></c>')
    assert str(riskcalc.load(book).risk_controls["coverage"].iloc[0]) == "0.25"


def test_text_in_pieces_and_with_phonetic_signs_is_the_text(book: Path) -> None:
    """A word in bold inside a cell costs nothing, and a Japanese reading aid isn't added to the text."""
    part = part_of(book, "business_units")
    pieces = "<is><r><t>Al</t></r><r><rPr><b/></rPr><t>pha</t></r><rPh sb='0' eb='1'><t>AL</t></rPh></is>"
    change_part(book, part, "<is><t>Alpha</t></is>", pieces)
    assert riskcalc.load(book).unit("alpha")["name"] == "Alpha"


def test_columns_may_stand_anywhere_and_formatted_blank_cells_are_nothing(small: Path, tmp_path: Path) -> None:
    """Blank rows above the table's end, a moved column and formatting beyond it change nothing."""

    def edit(book: Any) -> None:
        sheet = book["mappings"]
        for row in sheet.iter_rows(min_row=1, max_row=2):
            row[0].value, row[2].value = row[2].value, row[0].value
        sheet["Z999"].number_format = "0.00"
        sheet.insert_rows(2)

    path = write_workbook(tmp_path / "register.xlsx", small, edit)
    register = riskcalc.load(path)
    assert register.mappings.index.tolist() == [3]
    assert register.fingerprint() == riskcalc.load(small).fingerprint()


# --- what is refused, and where ---


@pytest.mark.parametrize(
    ("edit", "sheet", "cell", "value", "allowed"),
    [
        (put("risks", "A2", 7), "risks", "A2", "7", "drops what a number doesn't need (007 is 7"),
        (put("risks", "A2", 1e5), "risks", "A2", "100000", "format the cell as text"),
        (put("control_objectives", "C2", 6.1), "control_objectives", "C2", "6.1", "format the cell as text"),
        (put("risks", "A2", datetime.date(2026, 3, 1)), "risks", "A2", "2026-03-01", "is a date here"),
        (put("ratings", "B2", datetime.date(2026, 9, 1)), "ratings", "B2", "2026-09-01", "is a date here"),
        (put("business_units", "N2", datetime.date(2026, 12, 31)), "business_units", "N2", "2026-12-31", "is a date here"),
        (put("controls", "I2", True), "controls", "I2", "TRUE", "is a truth value here"),
        (put("controls", "E2", "=NA()"), "controls", "E2", "", "is a formula without a value"),
        (put("control_tests", "P2", datetime.datetime(2026, 6, 14, 9, 30)), "control_tests", "P2", "46187.3958333333 (day and time)", "without a time of day"),
        (put("control_tests", "P2", 46187), "control_tests", "P2", "46187", "format the column as a date"),
        (put("risk_controls", "D2", datetime.date(2026, 1, 8)), "risk_controls", "D2", "2026-01-08", "where a number is wanted"),
        (put("risk_controls", "D2", 1.2), "risk_controls", "D2", "1.2", "allowed: a number from 0 to 1, such as 0.8"),
        (put("ratings", "C2", 2.5), "ratings", "C2", "2.5", "allowed: a whole number from 1 to 5"),
        (put("risks", "C2", "X"), "risks", "C2", "X", "is not in sheet control_objectives; there are: A-CO1, B-CO1"),
        (put("risks", "Z2", "stray"), "risks", "Z2", "stray", "stands beside the table, in a column without a name"),
        (put("methodology", "A4", 3), "methodology", "A4", "3", "format the cell as text"),
        (put("methodology", "B4", "x"), "methodology", "B4", "", "stands in column A alone"),
    ],
)  # fmt: skip
def test_a_cell_that_a_spreadsheet_may_have_changed_is_refused_at_its_place(
    small: Path, tmp_path: Path, edit: Edit, sheet: str, cell: str, value: str, allowed: str
) -> None:
    """An id typed as a number, a period that became a date: one problem each, by sheet and cell, with what to do."""
    found = problems(write_workbook(tmp_path / "register.xlsx", small, edit))
    assert [(each.file, each.sheet, each.cell, each.value) for each in found] == [("register.xlsx", sheet, cell, value)]
    assert allowed in found[0].allowed


def test_an_error_in_a_cell_is_no_text(book: Path) -> None:
    """#N/A out of a failed look-up is told as an error, not kept as somebody's name."""
    part = part_of(book, "controls")
    change_part(book, part, "<is><t>C. Owner</t></is>", "<v>#N/A</v>")
    change_part(book, part, 't="inlineStr"><v>#N/A', 't="e"><v>#N/A')
    [found] = problems(book)
    assert (found.cell, found.value, found.allowed) == ("E2", "#N/A", _ADVICE["error"])


def test_the_message_names_sheet_and_cell(small: Path, tmp_path: Path) -> None:
    """People find the cell by its name; machines find sheet and cell in the JSON."""
    found = problems(write_workbook(tmp_path / "register.xlsx", small, put("risks", "A2", 7)))
    assert str(found[0]).startswith("register.xlsx: sheet risks, cell A2: column 'risk_id': '7': is a number here")
    assert (found[0].as_dict()["sheet"], found[0].as_dict()["cell"], found[0].as_dict()["line"]) == ("risks", "A2", 2)


def hide_row(book: Any) -> None:
    book["risks"].row_dimensions[3].hidden = True


def hide_column(book: Any) -> None:
    book["risks"].column_dimensions["D"].hidden = True


def hide_sheet(book: Any) -> None:
    book["risks"].sheet_state = "hidden"


def rename_sheet(book: Any) -> None:
    book["risks"].title = "Risk"


@pytest.mark.parametrize(
    ("edit", "sheets", "allowed"),
    [
        (hide_row, ["risks"], "hidden row 3: show them (clear the filter), or delete them"),
        (hide_column, ["risks"], "hidden column D: show them, or delete them"),
        (hide_sheet, ["risks"], "the sheet is hidden; show it"),
        (lambda book: book["risks"].merge_cells("B2:B3"), ["risks"], "cells B2:B3 are merged; unmerge them, and fill each"),
        (rename_sheet, ["Risk", "risks"], "unknown sheet; did you mean 'risks'?"),
        (lambda book: book.create_sheet("Notes"), ["Notes"], "unknown sheet; allowed: business_units"),
        (lambda book: book.remove(book["training"]), ["training"], "the sheet is missing"),
        (lambda book: book["training"].delete_rows(1, 9), ["training"], "the sheet is empty; its first row must name"),
        (put("training", "B1", "training_id"), ["training", "training"], "the column stands there twice"),
        (put("training", "B1", "Unit Id"), ["training", "training"], "unknown column; did you mean 'unit_id'?"),
        (lambda book: book.remove(book["methodology"]), ["methodology"], "the sheet is missing"),
        (put("methodology", "A5", "currency = = 3"), ["methodology"], "can't be read as TOML"),
    ],
)  # fmt: skip
def test_what_people_overlook_in_a_sheet_is_refused(
    small: Path, tmp_path: Path, edit: Edit, sheets: list[str], allowed: str
) -> None:
    """Hidden rows, merged cells, renamed sheets: nothing is dropped in silence, and the message says what to do."""

    def edited(book: Any) -> None:
        if edit is not rename_sheet and "training" not in sheets:
            book["training"]["A9"].value = None
        edit(book)

    found = problems(write_workbook(tmp_path / "register.xlsx", small, edited))
    assert {each.sheet for each in found} == set(sheets)
    assert allowed in found[0].allowed


def test_a_bad_id_makes_no_problems_of_the_rows_that_point_at_it(small: Path, tmp_path: Path) -> None:
    """One number instead of a code is one problem, not one for every rating and control of the risk."""
    found = problems(write_workbook(tmp_path / "register.xlsx", small, put("controls", "A2", 7)))
    assert [each.cell for each in found] == ["A2"]


def test_faults_in_several_sheets_are_all_told_at_once(tmp_path: Path) -> None:
    """Who mends a workbook by what is told meets no second round."""
    folder = write_register(
        tmp_path / "data", lambda rows: rows["deficiencies"].append({**DEFICIENCY, "due_on": "soon"})
    )

    def edit(book: Any) -> None:
        book["risks"]["I2"].value = "ignore"
        book["mappings"]["A2"].value = "A-G9"

    found = problems(write_workbook(tmp_path / "register.xlsx", folder, edit))
    assert [(each.sheet, each.cell) for each in found] == [("deficiencies", "F2"), ("mappings", "A2"), ("risks", "I2")]


def test_a_folder_that_holds_only_a_workbook_says_to_name_it(tmp_path: Path, book: Path) -> None:
    """Who gives the folder of the workbook is told what to give instead."""
    folder = tmp_path / "mine"
    folder.mkdir()
    book.rename(folder / "register.xlsx")
    with pytest.raises(UsageError, match=r"holds no CSV files, but .*register\.xlsx: name the workbook itself"):
        riskcalc.load(folder)


def test_workshops_refuse_a_workbook_with_a_reason(book: Path) -> None:
    """Decisions are written into CSV files; a workbook can't take them, and says so."""
    from riskcalc.workshop.session import begin_workshop

    with pytest.raises(UsageError, match="needs the folder that holds its CSV files"):
        begin_workshop("alpha", data_dir=str(book), facilitator="F")


# --- the reader itself ---


def test_columns_are_named_as_spreadsheets_name_them() -> None:
    """Letters run from A over Z and AA to ZZ and AAA."""
    assert [letters(place) for place in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


def test_cells_and_rows_may_leave_out_where_they_stand(book: Path) -> None:
    """Other programs write cells without their address: they follow one another."""
    part = part_of(book, "mappings")
    sheet = '<worksheet><sheetData><row><c t="str"><v>a_x000D_b</v></c><c><v>1E-3</v></c></row><row><c/><c t="b"><v>0</v></c></row></sheetData></worksheet>'
    repack(book, **{part.replace("/", "__").replace(".", "_dot_"): sheet})
    with open_workbook(book) as opened:
        rows = opened.grid("mappings").rows
    assert rows == [(1, ["a\rb", Odd("number", "0.001")]), (2, ["", Odd("boolean", "FALSE")])]


def test_ids_that_are_all_wrong_are_told_in_a_moment(tmp_path: Path, small: Path) -> None:
    """Thousands of ids that became numbers, and thousands that are unknown, are problems, not an endless wait."""

    def edit(book: Any) -> None:
        for number in range(5000):
            book["training"].append([number, "alpha", "P", "T", "2026-03-31", "", ""])
            book["mappings"].append([f"A-X{number}", "ISO", "1"])

    found = problems(write_workbook(tmp_path / "register.xlsx", small, edit))
    assert len(found) == 10_000
    assert [each.allowed for each in found if each.sheet == "mappings"][-1] == "is not in sheet controls"
