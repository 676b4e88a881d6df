"""Changing a register safely: its folder held, one row or several files changed as one, every other byte kept.

Several files can't be replaced in one step. So the new ones are written beside the register first; then a list of
them, which is the moment at which the change counts; then each is moved into its place. What a crash left undone
there is finished by ``finish`` alone, which ``riskcalc excel import`` calls after asking: the list lies in the folder,
which may have come from anywhere, and nothing else obeys it. Who only reads goes on where the files are of one piece.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from riskcalc.errors import Problem, RegisterError, UsageError
from riskcalc.files import as_line, read, write_whole
from riskcalc.register.checked_rows import cell_problem, read_table
from riskcalc.register.methodology import FILE, Methodology
from riskcalc.register.tables import TABLES

_PATIENCE = 10  # seconds that a writer waits for another
_STAGE, _READY = ".import", "ready.json"
LOG = "decisions.jsonl"  # of a workshop's decisions, beside the tables
_OURS = (FILE, *(f"{name}.csv" for name in TABLES), LOG)
Cells = dict[str, str]


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a register for writing, so that no two programs change it at once.

    Raises UsageError if one does, or if an import was interrupted there: it would undo what is written now.
    """
    with _locked(folder):
        if unfinished(folder):
            raise UsageError(interrupted(folder))
        yield


def replace_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace or add files of a register as one; the caller holds the folder."""
    stage = folder / _STAGE
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    write_whole(stage / ".gitignore", b"*\n")  # half an import is nothing to commit, whatever repository this is in
    for name, content in files.items():
        write_whole(stage / name, content)
    write_whole(stage / _READY, json.dumps(sorted(files)).encode())
    _move(folder, sorted(files))


def contents(folder: Path) -> dict[str, bytes | None]:
    """What a register's folder holds, by file; None for one that isn't there."""
    return {name: path.read_bytes() if (path := folder / name).is_file() else None for name in _OURS}


def replace_seen(folder: Path, files: Mapping[str, bytes], seen: Mapping[str, bytes | None]) -> None:
    """Replace or add files of a register as one, if it still is what was looked at (``contents``).

    Raises UsageError if not, or if somebody else is changing it; nothing was written.
    """
    with held(folder):
        now = contents(folder)
        if changed := [name for name, content in seen.items() if now[name] != content]:
            named = " and ".join(changed)
            raise UsageError(f"{named} in {folder} changed since it was read; nothing was written. Look again.")
        if files:
            replace_all(folder, files)


def settle(folder: Path) -> None:
    """Wait for a change of several files to come to its end before they are read.

    Raises:
        UsageError: it was interrupted, and left some files old and others new; or it is none of ours.
    """
    if not unfinished(folder):
        return
    with suppress(PermissionError), _locked(folder):  # where nobody may write, nobody is writing
        pass
    if (names := unfinished(folder)) and 0 < sum((folder / _STAGE / name).exists() for name in names) < len(names):
        raise UsageError(interrupted(folder))


def unfinished(folder: Path) -> dict[str, bytes | None]:
    """The files of an import that a crash left undone, by name; None for one that is in its place already.

    Raises UsageError where what lies there is not what an import leaves: other names, links, anything but files.
    """
    ready = folder / _STAGE / _READY
    if not os.path.lexists(ready):
        return {}
    try:
        names = json.loads(_real(ready))
        if not isinstance(names, list) or any(name not in _OURS for name in names):
            raise ValueError("it names what is no file of a register")
        return {name: _real(path) if os.path.lexists(path := folder / _STAGE / name) else None for name in names}
    except (OSError, ValueError, RecursionError) as error:
        told = f"{ready} is not what an import leaves ({error}); nothing was read or written."
        raise UsageError(f"{told} If nobody here knows of it, delete {folder / _STAGE}.") from None


def finish(folder: Path, expected: Mapping[str, bytes | None]) -> None:
    """Finish the import that was interrupted, if it is still the one that was looked at; raises UsageError if not."""
    with _locked(folder):
        if unfinished(folder) != expected:
            raise UsageError(f"What lies in {folder / _STAGE} has changed since; nothing was written. Look again.")
        _move(folder, expected)


def interrupted(folder: Path) -> str:
    """What to do about an import that was interrupted."""
    return (
        f"A change of several files in {folder} was interrupted. To finish it, look at it first: riskcalc excel import "
        f"FILE --into {folder} asks. To drop it, restore the register from a copy, and delete {folder / _STAGE}."
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / ".lock", timeout=_PATIENCE):
            yield
    except Timeout:
        raise UsageError(f"Another program is changing {folder}; nothing was written. Try again.") from None


def _real(path: Path) -> bytes:
    """The content of a file that is one: no link, in a folder that is none."""
    if path.is_symlink() or path.parent.is_symlink():
        raise ValueError(f"{path.name} is reached by a link")
    return read(path)


def _move(folder: Path, names: Iterable[str]) -> None:
    stage = folder / _STAGE
    for name in names:
        with suppress(FileNotFoundError):  # it was moved before the crash
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
        record = csv.reader(lines[place] for place in range(start - 1, len(lines)))
        next(record)
        at = start - 1 + record.line_num
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
    reader, added, width = csv.reader(lines), ["", *names], 0
    for cells in reader:
        if any(cells):
            width = width or len(",".join(cells).rstrip(",").split(","))
            last = lines[reader.line_num - 1]
            body = last.rstrip("\r\n")
            own = re.sub(f'(,("")?){{{max(0, len(cells) - width)}}}$', "", body)  # blank cells beyond the columns
            lines[reader.line_num - 1] = own + ",".join(added) + last[len(body) :]
            added = [""] * (len(names) + 1)
    return "".join(lines)


def narrowed(text: str, columns: Collection[str]) -> str:
    """A file's text without some columns, in its canonical form."""
    header, *rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    kept = [name for name in header if name and name not in columns]
    return as_file(kept, (dict(zip(header, cells, strict=False)) for cells in rows if any(cells)))


def as_file(columns: list[str], rows: Iterable[Mapping[str, str]]) -> str:
    """A table's file in its canonical form."""
    return "".join(_as_line(row, columns, "\n") for row in [dict(zip(columns, columns, strict=True)), *rows])


def _matching(folder: Path, table: str, key: Mapping[str, str], methodology: Methodology) -> list[tuple[int, Cells]]:
    read = read_table(folder, table, methodology)
    if not read.columns and read.problems:
        raise RegisterError(read.problems, folder)
    found = [(line, dict(cells)) for line, cells in read.cells.items()]
    return [(line, cells) for line, cells in found if all(cells[name] == value for name, value in key.items())]


def check_row(table: str, cells: Cells, methodology: Methodology, line: int = 0) -> None:
    """Refuse cells that aren't allowed in a table: raises RegisterError, which tells of each of them."""
    if unfit := [name for name, text in cells.items() if re.search("[\0\ud800-\udfff]", text)]:
        raise UsageError(f"{', '.join(unfit)}: holds characters that no CSV file can keep.")
    try:
        row = TABLES[table].model_validate(cells, context={"methodology": methodology})
    except ValidationError as error:
        raise RegisterError([cell_problem(f"{table}.csv", line, each, cells) for each in error.errors()]) from None
    wrong = [Problem(f"{table}.csv", line, name, cells.get(name, ""), told) for name, told in row.contradictions()]
    if wrong:
        raise RegisterError(wrong)


def _as_line(cells: Mapping[str, str], header: list[str], ending: str) -> str:
    return as_line([cells.get(column, "") for column in header], ending)
