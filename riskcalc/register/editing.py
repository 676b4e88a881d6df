"""Changing a register safely: its folder held, one row or several files changed as one, every other byte kept.

Several files can't be replaced in one step. So the new ones are written beside the register first; then a list of
them, which is the moment at which the change counts; then each is moved into its place. Whoever holds the folder next
finishes what a crash left undone: before the list is there nothing has changed, after it everything will.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from riskcalc.errors import Problem, RegisterError, UsageError
from riskcalc.files import as_line, write_whole
from riskcalc.register.checked_rows import cell_problem, read_table
from riskcalc.register.methodology import Methodology
from riskcalc.register.tables import TABLES

_PATIENCE = 10  # seconds that a writer waits for another
_STAGE, _READY = ".import", "ready.json"
Cells = dict[str, str]


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a register for writing, so that no two programs change it at once; raises UsageError if one does."""
    try:
        with FileLock(folder / ".lock", timeout=_PATIENCE):
            _finish(folder)
            yield
    except Timeout:
        raise UsageError(f"Another program is changing {folder}; nothing was written. Try again.") from None


def replace_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace or add files of a register as one; the caller holds the folder."""
    stage = folder / _STAGE
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    for name, content in files.items():
        write_whole(stage / name, content)
    write_whole(stage / _READY, json.dumps(sorted(files)).encode())
    _finish(folder)


def settle(folder: Path) -> None:
    """Let a change of several files come to its end before they are read; finish it if a crash left it undone.

    Raises:
        UsageError: it can't be finished here.
    """
    if not (folder / _STAGE / _READY).exists():
        return
    try:
        with held(folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"An import into {folder} was interrupted, and can't be finished here: {reason}.") from None


def _finish(folder: Path) -> None:
    stage = folder / _STAGE
    if (stage / _READY).exists():
        for name in json.loads((stage / _READY).read_bytes()):
            if (stage / name).exists():
                (stage / name).replace(folder / name)
        (stage / _READY).unlink()
    shutil.rmtree(stage, ignore_errors=True)


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
    if not path.exists():
        raise UsageError(
            f"{path} isn't there, so nothing was written. Make it with a line of column names; ratings among the risks "
            "move there first, each with its period."
        )
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


def widened(text: str, columns: Iterable[str]) -> str:
    """A file's text with more columns, blank in every row; rows start at the lines where they started."""
    names = list(columns)
    lines = list(io.StringIO(text, newline=""))
    reader, added = csv.reader(lines), ["", *names]
    for cells in reader:
        if any(cells):
            last = lines[reader.line_num - 1]
            body = last.rstrip("\r\n")
            lines[reader.line_num - 1] = body + ",".join(added) + last[len(body) :]
            added = [""] * (len(names) + 1)
    return "".join(lines)


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
