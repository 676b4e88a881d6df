"""Changing one row of a register's file: every other byte stays, and a crash leaves the old or the new file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from riskcalc.errors import Problem, RegisterError, UsageError
from riskcalc.methodology import Methodology
from riskcalc.outputs import write_whole
from riskcalc.reading import cell_problem, read_table
from riskcalc.schema import TABLES

Cells = dict[str, str]
_PATIENCE = 10  # seconds that a writer waits for another


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a register for writing, so that no two programs change it at once; raises UsageError if one does."""
    try:
        with FileLock(folder / ".lock", timeout=_PATIENCE):
            yield
    except Timeout:
        raise UsageError(f"Another program is changing {folder}; nothing was written. Try again.") from None


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
    ending = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    lines = list(io.StringIO(text, newline=""))
    header = next(csv.reader(lines))
    new = "" if cells is None else _as_line(cells, [column.lstrip("\ufeff") for column in header], ending)
    if cells is not None:
        check_row(table, cells, methodology, found[0][0] if found else len(lines) + 1)
    if found:
        start = found[0][0] - 1
        length = _length(lines[start:])
        lines[start : start + length] = [new] if new else []
    elif new:
        if not lines[-1].endswith(("\n", "\r")):
            lines[-1] += ending
        lines.append(new)
    write_whole(path, "".join(lines).encode())


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
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=ending).writerow([cells.get(column, "") for column in header])
    return out.getvalue()


def _length(lines: list[str]) -> int:
    """How many lines the record at the start takes."""
    reader = csv.reader(lines)
    next(reader)
    return reader.line_num
