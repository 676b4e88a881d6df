"""From a workbook into a register's folder: first what would change and what is wrong, then all of it at once.

Rows are matched by their keys. A row that is in the folder only is kept unless asked otherwise; a number that is spelt
otherwise (0.8 for 0.80) is no change; what doesn't change keeps its bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from decimal import Decimal
from difflib import unified_diff
from pathlib import Path
from typing import Any

from riskcalc.errors import Problem, RegisterError, UsageError, counted
from riskcalc.excel.commands import text_of_methodology
from riskcalc.excel.mapping import MappingFile, Numbers, Taken, read_mapped
from riskcalc.register import editing
from riskcalc.register.checked_rows import APART, Table, read_table
from riskcalc.register.editing import Cells, as_file, rewritten, settle, widened
from riskcalc.register.integrity import check_references
from riskcalc.register.methodology import FILE, Methodology
from riskcalc.register.register import changed, copied, read_tables
from riskcalc.register.row import SPAN, kind_of
from riskcalc.register.tables import TABLES
from riskcalc.register.xlsx_tables import read_sheets

Key = tuple[str, ...]
Title = tuple[str, str, str, str]


@dataclass(frozen=True)
class Change:
    """A row that is new, changed, or in the folder only; ``fields`` are columns with their old and new text."""

    table: str
    key: str
    kind: str
    place: str
    fields: tuple[tuple[str, str, str], ...] = ()


@dataclass
class Plan:
    """What an import would do, from what it has seen of the folder.

    ``before`` is what its changes are told from: the folder's files, a register that begins there, and ratings that
    stood among the risks in a file of their own. ``notes`` tell how cells were read; ``begins`` is as in ``stand_ins``.
    """

    folder: Path
    changes: list[Change] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    same: dict[str, int] = field(default_factory=dict)
    methodology: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    seen: dict[str, bytes | None] = field(default_factory=dict)
    before: dict[str, bytes | None] = field(default_factory=dict)
    begins: bool = False
    notes: list[Problem] = field(default_factory=list)
    delete_missing: bool = False

    @property
    def token(self) -> str:
        """What tells this very import apart: the folder as it was seen, and what would be written."""
        digest = hashlib.sha256()
        for name, content in sorted([*self.seen.items(), *self.files.items()], key=lambda item: item[0]):
            digest.update(f"{name} {hashlib.sha256(content or b'').hexdigest()}\n".encode())
        return digest.hexdigest()[:12]


def plan(
    path: Path,
    into: Path,
    mapping: MappingFile | None = None,
    delete_missing: bool = False,
    begin: Mapping[str, str] | None = None,
) -> Plan:
    """What taking over a workbook (or, with a mapping, another register) into a folder would change.

    ``begin`` are the files of a register that begins, where the folder holds none yet.

    Raises:
        RegisterError: the file, its methodology or the folder's own tables can't be read.
        UsageError: there is no such file, or an earlier import into the folder can't be finished.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {str(path)!r}.")
    if into.exists() and not into.is_dir():
        raise UsageError(f"{into} is no folder; an import goes into the folder of a register's CSV files.")
    settle(into)
    made = Plan(into, seen=editing.contents(into), delete_missing=delete_missing)
    before = made.before = {**made.seen, **{name: text.encode() for name, text in (begin or {}).items()}}
    if mapping and any(part.name == "ratings" for part in mapping.table):
        before.update(_ratings_apart(before))
    with copied(before) if before != made.seen else nullcontext(into) as folder:
        if mapping:
            methodology = Methodology.read(folder / FILE)
            numbers = Numbers(_titles(folder, before, methodology), mapping.units)
            taken = read_mapped(path, mapping, methodology, numbers)
        else:
            methodology, tables, made.problems = read_sheets(path)
            taken = Taken(tables)
            _methodology_changes(made, text_of_methodology(path))
        made.problems += [each for table in taken.tables.values() for each in _own(table, taken)]
        made.begins = methodology.first_period is not None
        made.notes = sorted(note for table in taken.tables.values() for note in table.notes)
        olds = {name: _old(folder, made, name, methodology) for name in taken.tables}
    for name, table in taken.tables.items():
        if table.columns:
            _compare(made, olds[name], table, taken.silent.get(name, set()))
    begun = {name: content for name, content in before.items() if content and content != made.seen[name]}
    made.files = {**begun, **made.files}
    made.problems = list(dict.fromkeys([*made.problems, *_problems_after(made, taken.tables)]))
    return made


def _titles(folder: Path, files: Mapping[str, bytes | None], methodology: Methodology) -> Iterator[Title]:
    """The titles by which the folder's risks and controls are known: column, unit, title, id."""
    for column, name in (("risk_id", "risks"), ("control_id", "controls")):
        if files[f"{name}.csv"] is not None:
            for cells in read_table(folder, name, methodology).cells.values():
                yield column, cells.get("unit_id", ""), cells.get("title", ""), cells[column]


def _ratings_apart(files: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """The risks and the ratings of a register that begins, each in its own file, where the risks carry the ratings."""
    if files["ratings.csv"] is not None or files["risks.csv"] is None or files[FILE] is None:
        return {}
    with copied(files) as folder:
        methodology = Methodology.read(folder / FILE)
        risks = read_table(folder, "risks", methodology)
    if risks.carried is None or risks.problems:
        return {}
    columns = [name for name in _header(files["risks.csv"]) if name in risks.columns]
    rated = [
        {"risk_id": risks.cells[line]["risk_id"], "period": str(methodology.first_period), **ratings}
        for line, ratings in risks.carried.items()
        if any(text.strip() for text in ratings.values())
    ]
    ratings = as_file(["risk_id", "period", "likelihood", "impact"], rated).encode() if rated else None
    return {"risks.csv": as_file(columns, risks.cells.values()).encode(), "ratings.csv": ratings}


def finish(folder: Path, left: Mapping[str, bytes | None]) -> None:
    """Finish an import that was interrupted, and left these files (``editing.unfinished``), if it gives a register.

    Raises:
        RegisterError: it wouldn't; nothing was written.
        UsageError: the folder has changed since, or somebody else is changing it; nothing was written.
    """
    changed(folder, {name: content for name, content in left.items() if content is not None})
    editing.finish(folder, left)


def apply(made: Plan) -> None:
    """Do it: every file as one, or none.

    Raises:
        RegisterError: something is wrong with it; nothing was written.
        UsageError: the folder has changed since, or somebody else is changing it; nothing was written.
    """
    if made.problems:
        raise RegisterError(made.problems, made.folder)
    made.folder.mkdir(parents=True, exist_ok=True)
    editing.replace_seen(made.folder, made.files, made.seen)


_SIGNS = {"new": "+", "changed": "~", "missing": "-"}


def told(made: Plan) -> Iterator[str]:
    """The plan in words: table by table, row by row, field by field."""
    for note in made.notes:
        yield str(note)
    if made.methodology:
        yield f"{FILE}: {counted(len(made.methodology), 'line')}"
        yield from (f"  {line}" for line in made.methodology)
    for name, same in made.same.items():
        changes = [change for change in made.changes if change.table == name]
        counts = [f"{sum(each.kind == kind for each in changes)} {kind}" for kind in ("new", "changed")]
        missing, fate = sum(each.kind == "missing" for each in changes), "taken away" if made.delete_missing else "kept"
        gone = f", {missing} only in {made.folder} ({fate})" if missing else ""
        yield f"{name}: {', '.join(counts)}, {same} the same{gone}"
        for change in changes:
            if change.kind != "missing" or made.delete_missing:
                yield f"  {_SIGNS[change.kind]} {change.key} ({change.place})"
                for column, old, new in change.fields:
                    was = f"{_short(old)} -> " if change.kind == "changed" else ""
                    yield f"      {column}: {was}{_short(new)}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:79]}…")


# --- parts ---


def _own(table: Table, taken: Taken) -> Iterator[Problem]:
    """A table's own problems; whether a cell may say nothing depends on the row that the folder has already."""
    silent = taken.silent.get(table.name, set())
    return (problem for problem in table.problems if (problem.line, problem.column) not in silent)


def _methodology_changes(made: Plan, new: str) -> None:
    old = (made.seen[FILE] or b"").decode("utf-8-sig", "replace").replace("\r\n", "\n")
    if old != new:
        lines = unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
        made.methodology = [line.rstrip() for line in lines][2:]
        made.files[FILE] = new.encode()


def _old(folder: Path, made: Plan, name: str, methodology: Methodology) -> Table:
    """The folder's table; empty where there is none. Raises RegisterError where its rows can't be told apart."""
    if made.before[f"{name}.csv"] is None:
        return Table(name)
    table = read_table(folder, name, methodology)
    keys = {key for key, _, _ in _rows(table)}
    if not (table.whole and table.columns and len(_by_key(table, keys)) == len(table.cells)):
        raise RegisterError(table.problems, made.folder)
    return table


def _rows(table: Table) -> list[tuple[Key, str, int]]:
    """Each line's key, from when on it holds, and the line; the latest row of a key comes last."""
    found = [(_key(table, cells), cells.get(SPAN[0], ""), line) for line, cells in table.cells.items()]
    return sorted(found, key=lambda row: row[1])


def _key(table: Table, cells: Cells) -> Key:
    return tuple(cells[column] for column in TABLES[table.name].primary_key)


def _several(old: Table, new: Table, silent: set[tuple[int, str]]) -> set[Key]:
    """The keys whose rows are told apart by their days; where a file knows of no days, it speaks of the latest."""
    if SPAN[0] not in new.columns or all((line, SPAN[0]) in silent for line in new.cells):
        return set()
    counts = (Counter(key for key, _, _ in _rows(table)) for table in (old, new))
    return {key for count in counts for key, number in count.items() if number > 1}


def _by_key(table: Table, several: Collection[Key]) -> dict[Key, int]:
    """The lines by key, in the order of the file; with the day from which a row holds for those of ``several`` rows."""
    lines = {(*key, since) if key in several else key: line for key, since, line in _rows(table)}
    return dict(sorted(lines.items(), key=lambda item: (item[1] % APART, item[1])))


def _compare(made: Plan, old: Table, new: Table, silent: set[tuple[int, str]]) -> None:
    """Add to the plan what one table would become."""
    several, own = _several(old, new, silent), len(TABLES[old.name].primary_key)
    before = _by_key(old, several)
    after = {key: line for key, line in _by_key(new, several).items() if all(key[:own])}
    changed: dict[int, Cells | None] = {}
    added: list[Cells] = []
    for key, line in after.items():
        place = _place(new, line)
        if key not in before:
            added.append(dict(new.cells[line]))
            fields = tuple((column, "", text) for column, text in new.cells[line].items() if text)
            made.changes.append(Change(old.name, _named(key), "new", place, fields))
        elif fields := tuple(_differing(old, before[key], new, line, silent)):
            changed[before[key]] = {**old.cells[before[key]], **{column: text for column, _, text in fields}}
            made.changes.append(Change(old.name, _named(key), "changed", place, fields))
    for key, line in before.items():
        if key not in after:
            changed.update({line: None} if made.delete_missing else {})
            made.changes.append(Change(old.name, _named(key), "missing", f"{old.name}.csv:{line}"))
    made.same[old.name] = len(before.keys() & after.keys()) - sum(cells is not None for cells in changed.values())
    content = made.before[f"{old.name}.csv"]
    # an empty sheet of a table that may be missing makes a file in a new folder only: there, all comes back as it was
    needed = not (TABLES[old.name].optional or made.begins)
    if content is None and (added or made.seen[FILE] is None or needed):
        made.files[f"{old.name}.csv"] = as_file(_columns_of_new(made, new, added), added).encode()
    elif content is not None and (changed or added):
        given = {name for cells in (*changed.values(), *added) for name, text in (cells or {}).items() if text}
        later = [name for name in new.columns if name in given.difference(_header(content))]
        text = widened(content.decode(), later) if later else content.decode()
        made.files[f"{old.name}.csv"] = rewritten(text, changed, added).encode()


def _named(key: Key) -> str:
    return " + ".join(filter(None, key))


def _header(content: bytes) -> list[str]:
    """The names in a file's first line; those of a table that is read may have others, which may be missing there."""
    return next(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def _columns_of_new(made: Plan, new: Table, added: list[Cells]) -> list[str]:
    """The columns of a file that isn't there yet: while a register begins, those that say something."""
    every, begins = list(TABLES[new.name].model_fields), made.begins and not made.methodology
    said = [name for name in every if begins and any(cells.get(name) for cells in added)]
    return said or new.columns or every


def _place(table: Table, line: int) -> str:
    line %= APART
    return f"{table.file}: sheet {table.sheet}, row {line}" if table.sheet else f"{table.file}:{line}"


def _differing(
    old: Table, at: int, new: Table, line: int, silent: set[tuple[int, str]]
) -> Iterator[tuple[str, str, str]]:
    model = TABLES[old.name]
    later = dict.fromkeys(new.cells[line], "")  # columns that the folder's file, older than they are, doesn't have
    for column, was in {**later, **old.cells[at]}.items():
        text = new.cells[line].get(column, was)
        if text == was or (line, column) in silent or column in new.refused.get(line, ()):
            continue
        numbers = column in model.model_fields and kind_of(model, column) in (int, Decimal)
        if not (numbers and _same_number(was, text)):
            yield column, was, text


def _same_number(one: str, other: str) -> bool:
    try:
        return Decimal(one) == Decimal(other)
    except ArithmeticError:
        return False


def _problems_after(made: Plan, tables: Mapping[str, Table]) -> Iterator[Problem]:
    """What would be wrong with the register afterwards, each at the cell of the workbook that it comes from."""
    with copied({**made.seen, **made.files}) as folder:
        try:
            _, merged = read_tables(folder)
        except RegisterError as error:
            yield from error.problems if not made.problems else ()
            return
    found = [problem for table in merged.values() for problem in table.problems]
    places = {name: {row[:end]: row[2] for row in _rows(table) for end in (1, 2)} for name, table in tables.items()}
    for problem in [*found, *check_references(merged)]:
        name = problem.file.removesuffix(".csv")
        yield from _traced(problem, merged[name], tables.get(name), places.get(name, {}))


def _traced(problem: Problem, merged: Table, new: Table | None, places: Mapping[Any, int]) -> Iterator[Problem]:
    """A problem of the merged table, where the person who can mend it finds it; nothing that was told already."""
    cells = merged.cells.get(problem.line) or {}
    key = _key(merged, cells) if cells else ()
    line = places.get((key, cells.get(SPAN[0], "")), places.get((key,)))
    if new is None or line is None:
        yield replace(problem, allowed=f"{problem.allowed} (after the import)")
    elif line not in new.refused:
        yield new.problem(line, problem.column, problem.value, problem.allowed)
