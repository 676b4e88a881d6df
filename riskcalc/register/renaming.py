"""Another name for a unit, a risk, a control or an objective: in its own table, and in every row that points at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from riskcalc.errors import UsageError
from riskcalc.files import stem
from riskcalc.register.checked_rows import Table, spoilt
from riskcalc.register.claims import renamed
from riskcalc.register.editing import Cells, rewritten
from riskcalc.register.integrity import some_names
from riskcalc.register.register import read_tables
from riskcalc.register.row import Ref
from riskcalc.register.tables import TABLES

KINDS = {"unit": "business_units", "risk": "risks", "control": "controls", "objective": "control_objectives"}


@dataclass(frozen=True)
class Renaming:
    """What renaming would change: by table, how many rows; the files as they would be."""

    rows: Mapping[str, int]
    files: Mapping[str, bytes]


def renaming(folder: Path, kind: str, old: str, new: str, seen: Mapping[str, bytes | None]) -> Renaming:
    """How something of a kind (``KINDS``) gets another name; ``seen`` are the folder's files (``editing.contents``).

    Raises UsageError where there is no ``old``, or ``new`` is no name for it.

    >>> from riskcalc.register.editing import contents
    >>> from riskcalc.register.register import load
    >>> data = load("data").source
    >>> renaming(data, "objective", "PAY-CO1", "PAY-1", contents(data)).rows["control_objectives"]
    1
    """
    _, tables = read_tables(folder)
    _check(kind, old, new, tables[KINDS[kind]])
    changed = {name: dict(_changed(table, KINDS[kind], old, new)) for name, table in tables.items()}
    files = {
        f"{name}.csv": rewritten(content.decode(), changed[name], []).encode()
        for name in changed
        if changed[name] and (content := seen[f"{name}.csv"]) is not None  # ratings may stand among the risks
    }
    return Renaming({name: len(rows) for name, rows in changed.items() if f"{name}.csv" in files}, files)


def _check(kind: str, old: str, new: str, table: Table) -> None:
    known = table.keys
    if old not in known:
        raise UsageError(f"There is no {kind} {old!r} in {table.file}; {some_names(known, old)}.")
    if new == old:
        raise UsageError(f"{old!r} is its name already; nothing to rename.")
    if not new.strip():
        raise UsageError(f"The new name of {old!r} is blank; give one.")
    if wrong := _unfit(kind, new, known - {old}, table):
        raise UsageError(f"{new!r} {wrong}.")


def _unfit(kind: str, new: str, others: set[str], table: Table) -> str:
    """Why something can't be called so; blank where it can."""
    if new != new.strip():
        return "begins or ends with a blank, which nobody sees; take it away"
    if new in others:
        return f"is another {kind} in {table.file}; two can't become one. Choose a free name"
    if "|" in new:
        return "holds |, which separates names in a cell; choose another name"
    if same := [each for each in others if kind == "unit" and stem(each) == stem(new)]:
        return f"would have its pages in the files of {same[0]!r}; choose another name"
    return spoilt(new)


def _changed(table: Table, of: str, old: str, new: str) -> Iterator[tuple[int, Cells]]:
    """The rows that name it, with their cells as they would be."""
    model = TABLES[table.name]
    columns = {name for name, info in model.model_fields.items() if Ref(of) in info.metadata}
    columns |= {model.primary_key[0]} if table.name == of else set()
    columns |= {"sources"} if table.name == "answers" else set()
    for line, cells in table.cells.items():
        found = {
            name: "|".join(new if each == old else each for each in cells[name].split("|"))
            for name in columns & cells.keys()
            if old in ([cells[name]] if model.model_fields[name].annotation is str else cells[name].split("|"))
        }
        if "claims" in cells:
            parts = [renamed(claim, of, old, new) for claim in cells["claims"].split("|") if claim]
            found |= {"claims": "|".join(parts)} if "|".join(parts) != cells["claims"] else {}
        if found:
            yield line, {**(table.carried or {}).get(line, {}), **cells, **found}
