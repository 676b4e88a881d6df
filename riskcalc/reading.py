"""From a CSV file to checked rows: every problem is kept with its file, line and column, none stops the rest."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from riskcalc.errors import Problem
from riskcalc.methodology import Methodology
from riskcalc.schema import TABLES, Row


@dataclass
class Table:
    """The rows of one file by the line each starts at, and what is wrong with the others.

    ``cells`` holds the text of every line, also of those that make no good row: one bad cell must neither hide
    another nor make problems of all the rows that point at it. ``whole`` says that every line's key is known.
    """

    name: str
    rows: dict[int, Any] = field(default_factory=dict)
    cells: dict[int, dict[str, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    whole: bool = False

    @property
    def file(self) -> str:
        """The file's name, as in messages."""
        return f"{self.name}.csv"

    @property
    def keys(self) -> set[str]:
        """What other tables may point at: the first key column of every line."""
        column = TABLES[self.name].primary_key[0]
        return {cells[column] for cells in self.cells.values()} - {""}


_SAVE_AS = "in a spreadsheet, save as CSV in UTF-8 with commas"


def read_table(folder: Path, name: str, methodology: Methodology) -> Table:
    """Read and check ``folder/name.csv``."""
    table = Table(name)
    try:
        text = (folder / table.file).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        table.problems.append(Problem(table.file, 0, "", "", "the file is missing"))
    except OSError as error:
        table.problems.append(Problem(table.file, 0, "", "", f"can't be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        table.problems.append(_not_utf8(table.file, error))
    else:
        if "\0" in text:
            line = text[: text.index("\0")].count("\n") + 1
            table.problems.append(
                Problem(table.file, line, "", "", "holds a NUL character; save the file as CSV again")
            )
            return table
        _read_lines(table, text, methodology)
    return table


def _not_utf8(file: str, error: UnicodeDecodeError) -> Problem:
    line = len(error.object[: error.start + 1].splitlines())
    byte = f"byte 0x{error.object[error.start]:02x}"
    return Problem(file, line, "", byte, f"is not UTF-8; {_SAVE_AS}")


def _read_lines(table: Table, text: str, methodology: Methodology) -> None:
    model = TABLES[table.name]
    lines = _lines(table, text)
    header = next(lines, None)
    if header is None:
        if table.problems:
            return
        allowed = f"the file is empty; its first line must name the columns: {', '.join(model.model_fields)}"
        table.problems.append(Problem(table.file, 0, "", "", allowed))
        return
    if wrong := list(_wrong_columns(table.file, header[1], model)):
        table.problems.extend(wrong)
        return
    table.whole = True
    for line, cells in lines:
        if len(cells) == len(header[1]):
            table.cells[line] = dict(zip(header[1], cells, strict=True))
            table.whole &= bool(table.cells[line][model.primary_key[0]].strip())
        else:
            table.whole = False
            number = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
            hint = "; a cell with a comma in it needs quotes around it" if len(cells) > len(header[1]) else ""
            allowed = f"{number}, but the header has {len(header[1])} columns{hint}"
            table.problems.append(Problem(table.file, line, "", "", allowed))
    for line in table.cells:
        _read_row(table, line, methodology)
    table.problems.extend(_repeated_keys(table))


def _read_row(table: Table, line: int, methodology: Methodology) -> None:
    cells = table.cells[line]
    try:
        row = TABLES[table.name].model_validate(cells, context={"methodology": methodology})
    except ValidationError as error:
        table.problems.extend(cell_problem(table.file, line, each, cells) for each in error.errors())
        return
    table.rows[line] = row
    for column, allowed in row.contradictions():
        table.problems.append(Problem(table.file, line, column, cells[column], allowed))


def _repeated_keys(table: Table) -> Iterator[Problem]:
    columns, seen = TABLES[table.name].primary_key, dict[tuple[str, ...], int]()
    for line, cells in table.cells.items():
        key = tuple(cells[column] for column in columns)
        if seen.setdefault(key, line) != line:
            allowed = f"stands already at line {seen[key]}; allowed: once"
            yield Problem(table.file, line, " + ".join(columns), " + ".join(key), allowed)


_CSV_ERRORS = {
    "unexpected end of data": "a quote that is opened in this row is never closed",
    "',' expected after '\"'": "a quoted cell goes on after its closing quote; inside a cell, quotes are doubled",
    "field larger than field limit": "a cell is longer than 131,072 characters, or a quote before it is never closed",
}


def _lines(table: Table, text: str) -> Iterator[tuple[int, list[str]]]:
    """The records with the line that each starts at; wholly blank rows carry nothing and are passed over."""
    first = text.partition("\n")[0].rstrip("\r")
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if first.count(separator) > first.count(","):
            allowed = f"the columns are separated by {name}; allowed: commas ({_SAVE_AS})"
            table.problems.append(Problem(table.file, 1, "", first, allowed))
            return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1
    try:
        for cells in reader:
            if any(cells):
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        table.whole = False
        allowed = _CSV_ERRORS.get(str(error).partition(" (")[0], f"can't be read as CSV: {error}")
        table.problems.append(Problem(table.file, start, "", "", allowed))


def _wrong_columns(file: str, header: list[str], model: type[Row]) -> Iterator[Problem]:
    for column in sorted({column for column in header if header.count(column) > 1}):
        yield Problem(file, 1, column, "", "the column stands there twice")
    for column in dict.fromkeys(header):
        if column not in model.model_fields:
            near = get_close_matches(column.strip().lower(), model.model_fields, 1, 0.75)
            meant = f"did you mean {near[0]!r}? " if near else ""
            allowed = f"unknown column; {meant}allowed: {', '.join(model.model_fields)}"
            yield Problem(file, 1, column, "", allowed)
    for column in model.model_fields:
        if column not in header:
            yield Problem(
                file, 1, column, "", "the column is missing; its cells may be blank where the table allows it"
            )


def cell_problem(file: str, line: int, error: Any, cells: Mapping[str, str]) -> Problem:
    """What pydantic found wrong with a cell, as a problem for the person who can mend it."""
    context, column = error.get("ctx", {}), str(error["loc"][0])
    if error["type"] == "literal_error":
        allowed = f"allowed: {context['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    else:
        allowed = str(context.get("error", error["msg"]))
    value = cells.get(column, "")
    return Problem(file, line, column, value, allowed if value or "blank" in allowed else f"blank; {allowed}")
