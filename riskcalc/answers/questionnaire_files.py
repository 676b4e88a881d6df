"""A questionnaire as it came: sheets of an .xlsx, the table of a .csv, the tables of a .docx, as cells of text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from riskcalc.errors import UsageError
from riskcalc.files import csv_rows, read
from riskcalc.register.xlsx_cells import Workbook, column_of, letters, text_of
from riskcalc.register.xlsx_guard import LIMITS, Package, RefusedError, guarded

_WIDE = replace(LIMITS, columns=16_384, unlisted_rows_hidden=True)  # as a client made it, formatted to the last column
Block = tuple[int, int, int, int]  # first and last row, first and last column; columns from 0


@dataclass
class Sheet:
    """A table: by row number the cells' texts; what the drop-downs over it offer.

    ``lists`` are blocks with their choices, None where those can't be told. ``hidden`` are rows that nobody sees,
    ``bold`` the names of a workbook's cells in bold. ``unread`` says why nothing is asked or answered in it, blank
    where that may be.
    """

    name: str
    rows: dict[int, list[str]]
    hidden: set[int] = field(default_factory=set)
    lists: list[tuple[Block, tuple[str, ...] | None]] = field(default_factory=list)
    merged: list[Block] = field(default_factory=list)
    bold: set[str] = field(default_factory=set)
    unread: str = ""

    def text(self, row: int, column: int) -> str:
        """What a cell says; blank beyond the last."""
        cells = self.rows.get(row, [])
        return cells[column].strip() if column < len(cells) else ""

    def offered(self, row: int, column: int) -> tuple[bool, tuple[str, ...]]:
        """Whether a cell has a drop-down, and its choices, none where they can't be told."""
        for block, choices in self.lists:
            if within(block, row, column):
                return True, choices or ()
        return False, ()


def within(block: Block, row: int, column: int) -> bool:
    """Whether a cell is in a block."""
    return block[0] <= row <= block[1] and block[2] <= column <= block[3]


def read_questionnaire(path: Path) -> list[Sheet]:
    """The sheets of a questionnaire; raises UsageError for a kind of file that isn't read, RegisterError for a bad one.

    Those that are hidden, and what stands outside of a document's tables, are ``unread``.
    """
    if not path.is_file():
        raise UsageError(f"There is no questionnaire {str(path)!r}.")
    if path.suffix.lower() == ".csv":
        content = read(path)
        return [Sheet("csv", dict(csv_rows(content, path.name, separator=separator_of(content))))]
    if path.suffix.lower() == ".docx":
        return _tables(path)
    with guarded(path, _WIDE) as package:
        book = Workbook(package)
        shown = {name: _sheet(name, book) for name, sheet in book.sheets.items()}
        names, bold = _names(package), book.styles.bold()
        for name, sheet in shown.items():
            sheet.bold = _in_bold(package, book.sheets[name].part, bold)
            for block, formula in _drop_downs(package, book.sheets[name].part):
                sheet.lists.append((block, _choices(formula, name, shown, names)))
        return [replace(sheet, unread="hidden" * book.sheets[name].hidden) for name, sheet in shown.items()]


def separator_of(content: bytes) -> str:
    """What stands between the cells of a CSV file: that of which most lines have the same number.

    >>> separator_of(b"Ref;Question;Answer\\n1;Is it named, dated, signed?;\\n")
    ';'
    """
    lines = re.sub('"[^"]*"', "", content.decode("utf-8", "replace")).splitlines()
    return max(
        ",;\t", key=lambda each: max(Counter(line.count(each) for line in lines if each in line).values(), default=0)
    )


def as_block(reference: str) -> Block | None:
    """``B2:C9`` as a block; None for what is no range of cells.

    >>> as_block("$B$2:C9"), as_block("D7")
    ((2, 9, 1, 2), (7, 7, 3, 3))
    """
    found = re.fullmatch("([A-Z]{1,3})([0-9]{1,7})(?::([A-Z]{1,3})([0-9]{1,7}))?", reference.replace("$", ""))
    if not found:
        return None
    first, last = column_of(found[1]), column_of(found[3] or found[1])
    return int(found[2]), int(found[4] or found[2]), first, last


# --- parts ---


def _sheet(name: str, book: Workbook) -> Sheet:
    grid = book.grid(name)
    rows = {row: list(map(text_of, cells)) for row, cells in grid.rows}
    merged = [block for each in grid.merged if (block := as_block(each))]
    return Sheet(name, rows, set(grid.hidden_rows), merged=merged)


def _names(package: Package) -> dict[str, str]:
    """What the workbook's names stand for."""
    found: dict[str, str] = {}
    current: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        current[:] = [attributes.get("name", "").lower()] if tag == "definedName" else []

    def text(characters: str) -> None:
        for name in current:
            found[name] = found.get(name, "") + characters

    if "xl/workbook.xml" in package.names:
        package.parse("xl/workbook.xml", start, text=text)
    return found


def _in_bold(package: Package, part: str, styles: set[str]) -> set[str]:
    """The names of a sheet's cells in one of the styles."""
    found: set[str] = set()

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "c" and attributes.get("s") in styles:
            found.add(attributes.get("r", ""))

    package.parse(part, start)
    return found


def _drop_downs(package: Package, part: str) -> list[tuple[Block, str]]:
    """The blocks of a sheet that have a drop-down, with the formula of its choices; those of newer files, too."""
    found: list[tuple[Block, str]] = []
    state = {"is": "", "formula": "", "sqref": "", "tag": ""}

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "dataValidation":
            state.update({"is": attributes.get("type", ""), "formula": "", "sqref": attributes.get("sqref", "")})
        state["tag"] = tag if tag != "f" else state["tag"]

    def text(characters: str) -> None:
        key = {"formula1": "formula", "sqref": "sqref"}.get(state["tag"])
        if state["is"] and key:
            state[key] += characters

    def end(tag: str) -> None:
        if tag == "dataValidation":
            if state["is"] == "list":
                found.extend((block, state["formula"]) for each in state["sqref"].split() if (block := as_block(each)))
            state["is"] = ""
        state["tag"] = "" if tag in ("formula1", "sqref", "formula2") else state["tag"]

    package.parse(part, start, end=end, text=text)
    return found


def _choices(
    formula: str, at: str, sheets: dict[str, Sheet], names: dict[str, str], deep: int = 0
) -> tuple[str, ...] | None:
    """What a drop-down offers; None where a formula would have to be computed."""
    formula = formula.strip().removeprefix("=")
    if formula.startswith('"'):
        return tuple(each.strip() for each in formula.strip('"').replace('""', '"').split(",") if each.strip())
    if formula.lower() in names and deep < 4:
        return _choices(names[formula.lower()], at, sheets, names, deep + 1)
    place, _, cells = formula.rpartition("!")
    block, sheet = as_block(cells), sheets.get(place.strip("'").replace("''", "'") or at)
    if block is None or sheet is None:
        return None
    found = (
        sheet.text(row, column)
        for row in sheet.rows
        for column in range(block[2], block[3] + 1)
        if within(block, row, column)
    )
    return tuple(each for each in found if each) or None


def _tables(path: Path) -> list[Sheet]:
    """The tables of a Word document; one inside of another is part of its cell."""
    reader = _TableReader()
    with guarded(path) as package:
        if "word/document.xml" not in package.names:
            raise RefusedError("is no Word document; save it as .docx")
        package.parse("word/document.xml", reader.start, end=reader.end, text=reader.text)
    outside = dict(enumerate(([text] for text in reader.outside if text.strip()), 1))
    return [*reader.found, Sheet("outside of the tables", outside, unread="no table")]


class _TableReader:
    """What the parser of a document calls: keeps the cells of its tables; rows count from 1, columns from 0."""

    def __init__(self) -> None:
        self.found: list[Sheet] = []
        self.outside: list[str] = []  # paragraphs
        self._depth, self._reading = 0, False

    def start(self, tag: str, _: dict[str, str]) -> None:
        """As the parser calls it."""
        self._depth += tag == "tbl"
        self._reading = tag == "t"
        if self._depth == 0 and tag == "p":
            self.outside.append("")
        if self._depth == 1 and tag == "tbl":
            self.found.append(Sheet(f"Table {len(self.found) + 1}", {}))
        elif self._depth == 1 and tag == "tr":
            self.found[-1].rows[len(self.found[-1].rows) + 1] = []
        elif self._depth == 1 and tag == "tc":
            self._row.append("")

    def end(self, tag: str) -> None:
        """As the parser calls it."""
        if self._depth and tag == "p" and self._row:
            self._row[-1] += "\n"
        self._depth -= tag == "tbl"
        self._reading = False

    def text(self, characters: str) -> None:
        """As the parser calls it."""
        if self._reading and self._depth:
            self._row[-1] += characters
        elif self._reading:
            self.outside[-1] += characters

    @property
    def _row(self) -> list[str]:
        rows = self.found[-1].rows
        return rows[len(rows)] if rows else []


def places(sheet: Sheet) -> Iterator[tuple[int, int, str]]:
    """The cells that say something: row, column, text."""
    for row, cells in sheet.rows.items():
        if row not in sheet.hidden:
            yield from ((row, column, cell.strip()) for column, cell in enumerate(cells) if cell.strip())


def cell_name(row: int, column: int) -> str:
    """``D7`` for row 7, column 3."""
    return f"{letters(column)}{row}"
