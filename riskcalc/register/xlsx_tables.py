"""A register out of a workbook: a sheet per table, and one with the methodology's text, checked as the CSV files are.

What a cell of text can't say (a number where a code is wanted, a date that was a code, an error) is refused at its
cell with what to do about it: spreadsheets turn 007 into 7 before anybody sees the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import Any

from riskcalc.errors import Problem, RegisterError, UsageError, bring_in, first_of
from riskcalc.register import stand_ins
from riskcalc.register.checked_rows import Table, check_lines
from riskcalc.register.integrity import check_references, told_anyway
from riskcalc.register.methodology import Methodology
from riskcalc.register.row import kind_of
from riskcalc.register.tables import TABLES
from riskcalc.register.xlsx_cells import Cell, Grid, Odd, Workbook, letters, open_workbook, text_of
from riskcalc.register.xlsx_scales import SCALES, joined

METHODOLOGY = "methodology"
OURS = ("instructions", "lists")  # sheets that the template brings
RESULTS = "results "  # how the names of sheets begin that an export adds
_TEXT = "format the cell as text, and type it again"
_ADVICE = {
    "number": f"is a number here, and a spreadsheet drops what a number doesn't need (007 is 7, 6.10 is 6.1); {_TEXT}",
    "date": f"is a date here, which a spreadsheet may have made of something else; {_TEXT}",
    "boolean": f"is a truth value here, not a word; {_TEXT}",
    "error": "is an error that a formula gives; type the value",
    "character": "holds a character that no text can hold; type it again",
    "formula": "is a formula without a value; open the file in a spreadsheet, and save it, or type the value",
}

_BESIDE = "stands beside the table, in a column without a name; delete it, or move it to another file"


def read_workbook(path: Path, period: str = "") -> tuple[Methodology, dict[str, Table]]:
    """The methodology and the checked tables of a workbook.

    Raises:
        RegisterError: the file can't be read as a workbook, or its methodology can't be used.
        UsageError: it has no sheet of a register.
    """
    methodology, tables, problems = read_sheets(path, period)
    if problems:
        found = [*(each for table in tables.values() for each in table.problems), *check_references(tables)]
        raise RegisterError([*problems, *found], path)
    return methodology, tables


def read_sheets(path: Path, period: str = "") -> tuple[Methodology, dict[str, Table], list[Problem]]:
    """As ``read_workbook``, but with what is wrong with the sheets as a whole apart."""
    with open_workbook(path) as book:
        if not {*TABLES, METHODOLOGY}.intersection(book.sheets):
            raise UsageError(f"{path.name} has none of a register's sheets. {bring_in(path)}")
        problems = list(_wrong_sheets(book, path.name))
        try:
            methodology = read_methodology(book, path.name)
        except RegisterError as error:
            text = methodology_text(book, path.name)[0] if METHODOLOGY in book.sheets else ""
            found = told_anyway(lambda name, given: read_sheet(book, name, path.name, given), text) if text else ()
            raise RegisterError([*problems, *error.problems, *found], path) from None
        methodology = stand_ins.begun_in(methodology, period, "ratings" in book.sheets)
        tables = {name: read_sheet(book, name, path.name, methodology) for name in TABLES}
    return methodology, tables, problems


def read_methodology(book: Workbook, file: str) -> Methodology:
    """The methodology on its sheet; raises RegisterError, naming cells, where it can't be used."""
    if METHODOLOGY not in book.sheets:
        raise RegisterError([Problem(file, 0, "", "", "the sheet is missing", METHODOLOGY)])
    text, problems = methodology_text(book, file)
    if problems:
        raise RegisterError(problems)
    try:
        return Methodology.parse(text)
    except RegisterError as error:
        where = {name: SCALES for name in ("likelihood", "impact", "matrix") if SCALES in book.sheets}
        sheets = [where.get(each.column.partition(".")[0], METHODOLOGY) for each in error.problems]
        found = zip(error.problems, sheets, strict=True)
        raise RegisterError([replace(each, file=file, sheet=sheet) for each, sheet in found]) from None


def methodology_text(book: Workbook, file: str) -> tuple[str, list[Problem]]:
    """The text of methodology.toml, the scales as cells in it; and what keeps it from being read."""
    text, problems = _lines_of_text(book.grid(METHODOLOGY), file)
    if SCALES not in book.sheets:
        return text, problems
    grid = book.grid(SCALES)
    text, found = joined(text, grid, file)
    hidden = [Problem(file, row, "", "", allowed, SCALES) for row, allowed in unseen(grid)]
    return text, [*problems, *hidden, *found]


def _lines_of_text(grid: Grid, file: str) -> tuple[str, list[Problem]]:
    """The text that stands in the first column, a line per row."""
    lines: list[str] = []
    problems = [Problem(file, row, "", "", allowed, METHODOLOGY) for row, allowed in unseen(grid)]
    for row, cells in grid.rows:
        lines.extend([""] * (row - 1 - len(lines)))
        first = cells[0]
        lines.append(text_of(first))
        if isinstance(first, Odd):
            problems.append(Problem(file, row, "", first.text, _ADVICE[first.kind], METHODOLOGY, f"A{row}"))
        if any(cells[1:]):
            allowed = "a line of methodology.toml stands in column A alone"
            problems.append(Problem(file, row, "", "", allowed, METHODOLOGY, f"B{row}"))
    return "".join(f"{line}\n" for line in lines), problems


def unseen(grid: Grid) -> Iterator[tuple[int, str]]:
    """Rows, or 0 for the sheet, with what people looking at it would overlook."""
    if grid.hidden_rows:
        yield grid.hidden_rows[0], f"{_some(grid.hidden_rows, 'row')}: show them (clear the filter), or delete them"
    used = {place for _, cells in grid.rows for place, cell in enumerate(cells) if cell}
    if hidden := sorted(grid.hidden_columns & used):
        yield 0, f"{_some([letters(column) for column in hidden], 'column')}: show them, or delete them"
    for reference in grid.merged[:20]:
        row = re.search("[0-9]{1,7}", reference)
        yield int(row[0]) if row else 0, f"cells {reference} are merged; unmerge them, and fill each"


def _some(hidden: list[Any], noun: str) -> str:
    return f"hidden {noun}{'s' if len(hidden) > 1 else ''} {first_of(hidden, 5)}"


def header_of(cells: Iterable[Cell]) -> list[str]:
    """The names of columns, as text."""
    return [text_of(cell) for cell in cells]


# --- parts ---


def _wrong_sheets(book: Workbook, file: str) -> Iterator[Problem]:
    for name, sheet in book.sheets.items():
        if name in (*TABLES, METHODOLOGY, SCALES):
            if sheet.hidden:
                yield Problem(file, 0, "", "", "the sheet is hidden; show it", name)
        elif name not in OURS and not name.startswith(RESULTS):
            near = get_close_matches(name.strip().lower().replace(" ", "_"), [*TABLES, METHODOLOGY], 1, 0.6)
            meant = f"did you mean {near[0]!r}? " if near and near[0] not in book.sheets else ""
            allowed = f"unknown sheet; {meant}allowed: {', '.join([*TABLES, METHODOLOGY, *OURS])}"
            yield Problem(file, 0, "", "", allowed, name)


def read_sheet(book: Workbook, name: str, file: str, methodology: Methodology) -> Table:
    """A table out of its sheet, checked; what is wrong is kept in it."""
    units = cache(partial(read_sheet, book, "business_units", file, methodology))
    carried = stand_ins.carrying(name, methodology, "ratings" in book.sheets)
    table = Table(name, file, name, carried=carried, units=units)
    if name not in book.sheets:
        table.tell_missing("sheet", methodology)
        return table
    grid = book.grid(name)
    for row, allowed in unseen(grid):
        table.tell(row, "", "", allowed)
    if not grid.rows:
        allowed = f"the sheet is empty; its first row must name the columns: {', '.join(TABLES[name].model_fields)}"
        table.tell(0, "", "", allowed)
        return table
    first, cells = grid.rows[0]
    header = header_of(cells)
    table.letters = {column: letters(place) for place, column in reversed(list(enumerate(header)))}
    check_lines(table, header, _lines(table, header, grid), methodology, first)
    return table


def _lines(table: Table, header: list[str], grid: Grid) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header as text; what is no text is told, and left blank."""
    columns = [ColumnOfOurs(table, name) for name in header]
    for row, cells in grid.rows[1:]:
        texts = [
            cell if isinstance(cell, str) else column.text(row, cell)
            for cell, column in zip(cells, columns, strict=False)
        ]
        texts.extend([""] * (len(header) - len(texts)))
        for place, beside in enumerate(header_of(cells[len(header) :]), len(header)):
            if beside:
                told = table.problem(row, "", beside, _BESIDE)
                table.problems.append(replace(told, cell=f"{letters(place)}{row}"))
        yield row, texts


class ColumnOfOurs:
    """What numbers and dates may stand in a column of a table."""

    def __init__(self, table: Table, name: str, numbers_as_text: bool = False) -> None:
        self._table, self._name, self._codes = table, name, numbers_as_text
        model = TABLES[table.name]
        kind = kind_of(model, name) if name in model.model_fields else None
        self._amounts, self._numbers = kind is Decimal, kind in (int, Decimal)
        self._dates, self._period = kind is date, name == "period"

    def text(self, row: int, cell: Odd) -> str:
        """The text of a cell that isn't text, or blank, with a problem told."""
        if cell.kind == "number" and self._amounts and re.fullmatch(r"[0-9]{1,3}\.[0-9]{3}", cell.text):
            return f"{cell.text}0"  # a number is no text, in which the point may mean thousands
        if cell.kind == "number" and (
            self._numbers or self._codes or (self._period and re.fullmatch("[0-9]{4}", cell.text))
        ):
            return cell.text
        if cell.kind == "date" and self._dates and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", cell.text):
            return cell.text
        self._table.refused.setdefault(row, set()).add(self._name)
        self._table.tell(row, self._name, cell.text, self._advice(cell))
        return ""

    def _advice(self, cell: Odd) -> str:
        if cell.kind == "number" and self._dates:
            return "is a number; format the column as a date, or as text and type YYYY-MM-DD"
        if cell.kind == "date" and self._dates:
            return "is no day; allowed: a date without a time of day, or the text YYYY-MM-DD"
        if cell.kind == "date" and self._numbers:
            return "is a date where a number is wanted; format the cell as a number, and type it again"
        return _ADVICE[cell.kind]
