"""Changing one row of a register's file: every other byte stays, and a crash leaves the old or the new file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from riskcalc.csv_text import as_line
from riskcalc.errors import Problem, RegisterError, UsageError
from riskcalc.methodology import Methodology
from riskcalc.outputs import write_whole
from riskcalc.reading import cell_problem, read_table
from riskcalc.schema import TABLES

Cells = dict[str, str]


def find_row(folder: Path, table: str, key: Mapping[str, str], methodology: Methodology) -> Cells | None:
    """The cells of the row with this key, as text; None where there is none.

    Raises RegisterError where the file can't be read as that table.
    """
    return next((cells for _, cells in _matching(folder, table, key, methodology)), None)


def put_row(folder: Path, table: str, key: Mapping[str, str], cells: Cells | None, methodology: Methodology) -> None:
    """Replace the row with this key by ``cells``, add it at the end, or, with None, take it away.

    The caller holds the folder. Raises RegisterError, and writes nothing, where the file can't be read as that table
    or the cells aren't allowed there.
    """
    path = folder / f"{table}.csv"
    found = _matching(folder, table, key, methodology)
    text = path.read_bytes().decode("utf-8")
    if cells is not None:
        lines = len(list(io.StringIO(text, newline="")))
        check_row(table, cells, methodology, found[0][0] if found else lines + 1)
    added = [cells] if cells is not None and not found else []
    write_whole(path, rewritten(text, {line: cells for line, _ in found[:1]}, added).encode())


def rewritten(text: str, changed: Mapping[int, Cells | None], added: Iterable[Cells]) -> str:
    """A file's text with other cells in the rows that start at some lines, or, with None, without them; and more rows.

    Every other byte stays. Columns and line ends are the file's own.
    """
    ending = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    lines, new, at = list(io.StringIO(text, newline="")), list[str](), 0
    header = [column.lstrip("\ufeff") for column in next(csv.reader(lines))]
    for start in sorted(changed):
        cells = changed[start]
        new.extend(lines[at : start - 1])
        new.extend([] if cells is None else [_as_line(cells, header, ending)])
        at = start - 1 + _length(lines[place] for place in range(start - 1, len(lines)))
    new.extend(lines[at:])
    for cells in added:
        if not new[-1].endswith(("\n", "\r")):
            new[-1] += ending
        new.append(_as_line(cells, header, ending))
    return "".join(new)


def as_file(columns: list[str], rows: Iterable[Cells]) -> str:
    """A table's file in its canonical form."""
    return "".join(
        [_as_line({name: name for name in columns}, columns, "\n"), *(_as_line(row, columns, "\n") for row in rows)]
    )


def _matching(folder: Path, table: str, key: Mapping[str, str], methodology: Methodology) -> list[tuple[int, Cells]]:
    read = read_table(folder, table, methodology)
    if not read.cells and read.problems:
        raise RegisterError(read.problems, folder)
    return [
        (line, cells) for line, cells in read.cells.items() if all(cells[name] == value for name, value in key.items())
    ]


def check_row(table: str, cells: Cells, methodology: Methodology, line: int = 0) -> None:
    """Refuse cells that aren't allowed in a table: raises RegisterError, which tells of each of them."""
    if unfit := [name for name, text in cells.items() if "\0" in text or not _is_unicode(text)]:
        raise UsageError(f"{', '.join(unfit)}: holds characters that no CSV file can keep.")
    try:
        row = TABLES[table].model_validate(cells, context={"methodology": methodology})
    except ValidationError as error:
        raise RegisterError([cell_problem(f"{table}.csv", line, each, cells) for each in error.errors()]) from None
    wrong = [Problem(f"{table}.csv", line, name, cells.get(name, ""), told) for name, told in row.contradictions()]
    if wrong:
        raise RegisterError(wrong)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _as_line(cells: Cells, header: list[str], ending: str) -> str:
    return as_line([cells.get(column, "") for column in header], ending)


def _length(lines: Iterable[str]) -> int:
    """How many lines the record at the start takes."""
    reader = csv.reader(lines)
    next(reader)
    return reader.line_num
