"""From when to when rows hold, and what must be true of their days.

Where a fact changes, its row ends (``valid_to``) and another with the same key goes on the next day (``valid_from``).
What belongs to a unit, a risk or a control ends with it; what a row needs beside it must hold as long as the row does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, timedelta
from itertools import chain, pairwise

from riskcalc.errors import Problem
from riskcalc.register.checked_rows import Table, made
from riskcalc.register.periods import Period
from riskcalc.register.row import SPAN, Ref, Row
from riskcalc.register.tables import OWNERS, TABLES

Days = tuple[date, date]
_EVER = (date.min, date.max)
_POINTED_AT = ("business_units", "control_objectives", "risks", "controls", "subservice_organisations")


def check_days(tables: Mapping[str, Table]) -> Iterator[Problem]:
    """Problems of rows' days: the wrong way round, overlapping, with gaps, or not those of what the row points at."""
    if not any(column in table.columns for table in tables.values() for column in SPAN):
        return
    held: dict[str, dict[str, Days]] = {}
    for name in _POINTED_AT:  # units come first, and what belongs to them ends with them
        held[name] = _held(tables[name], held)
    for name, table in tables.items():
        if TABLES[name].timed():
            yield from _out_of_order(table)
        for line, row in table.rows.items():
            if name not in ("answers", "documents"):  # their days are of another kind
                yield from _outside_owners(table, line, row, held)
            yield from _without_needed(table, line, row, held)


# --- parts ---


def _held(table: Table, held: Mapping[str, Mapping[str, Days]]) -> dict[str, Days]:
    """By key, from the first to the last day of its rows, as far as what they belong to holds.

    Broken rows count, too; what they leave open is without limit. A key of which a row may not be known isn't there.
    """
    found: dict[str, Days] = {}
    for row in chain(table.rows.values(), _broken(table).values()) if table.whole else ():
        key, (first, last) = getattr(row, TABLES[table.name].primary_key[0]), _own(table.name, row, held)
        was = found.get(key, (first, last))
        found[key] = min(was[0], first), max(was[1], last)
    return {key: days for key, days in found.items() if key not in table.doubtful}


def _broken(table: Table) -> dict[int, Row]:
    """By line, what rows that something is wrong with say of their key, their days and what they belong to.

    A day that can't be read is as good as blank: it sets no limit.
    """
    model = TABLES[table.name]
    if table.rows.numbers == table.cells.numbers:
        return {}
    named = [name for name in (*model.primary_key, *OWNERS) if name in model.model_fields]
    found = {}
    for line in sorted(set(table.cells) - set(table.rows)):
        cells = table.cells[line]
        days = [(column, _day(cells.get(column, ""))) for column in SPAN if column in model.model_fields]
        found[line] = made(model, [*((name, cells.get(name, "")) for name in named), *days])
    return found


def _day(cell: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(cell) if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", cell) else None
    return None


def _unread(table: Table, line: int) -> bool:
    """Whether a day of a broken row can't be read."""
    cells, refused = table.cells[line], table.refused.get(line, set())
    return any(column in refused or (cells.get(column, "").strip() and not _day(cells[column])) for column in SPAN)


def _own(name: str, row: Row, held: Mapping[str, Mapping[str, Days]]) -> Days:
    spans = [row.days(), *(held[target].get(key, _EVER) for target, key in _owners(name, row))]
    return max(first for first, _ in spans), min(last for _, last in spans)


def _owners(name: str, row: Row) -> Iterator[tuple[str, str]]:
    """What a row belongs to, and ends with: the tables, and the keys there."""
    fields = TABLES[name].model_fields
    for column, table in OWNERS.items():
        if column in fields and table != name:
            yield table, getattr(row, column)


def _told(days: Days) -> str:
    """Days in words.

    >>> _told((date.min, date(2026, 6, 30)))
    'to 2026-06-30'
    """
    first, last = days
    said = [f"from {first}"] if first > date.min else []
    return " ".join([*said, f"to {last}"] if last < date.max else said) or "for good"


def _out_of_order(table: Table) -> Iterator[Problem]:
    """Days the wrong way round, and rows of one key that overlap or leave days between them."""
    columns, broken = TABLES[table.name].primary_key, _broken(table)
    by_key: dict[tuple[str, ...], list[tuple[Days, int]]] = {}
    unsure = set[tuple[str, ...]]()  # keys with a row that may hold on any day
    for line, row in chain(table.rows.items(), broken.items()):
        (first, last), key = row.days(), tuple(getattr(row, column) for column in columns)
        if first > last and line not in broken:
            yield table.problem(line, "valid_from", str(first), f"must not be after valid_to, {last}")
        if first > last or (line in broken and _unread(table, line)):
            unsure.add(key)
        else:
            by_key.setdefault(key, []).append(((first, last), line))
    all_known = table.whole and not any("" in (getattr(row, name) for name in columns) for row in broken.values())
    for key, rows in by_key.items():
        gaps = all_known and key not in unsure and not table.doubtful.issuperset(key)
        yield from _apart(table, key, sorted(rows), gaps)


def _apart(table: Table, key: tuple[str, ...], rows: list[tuple[Days, int]], gaps: bool) -> Iterator[Problem]:
    """Where rows of a key, in the order of their days, overlap, or, with ``gaps``, leave days between them."""
    for (before, at), (after, line) in pairwise(rows):
        there = f"{' + '.join(key)} at line {at} holds {_told(before)}"
        if before[0] < after[0] <= before[1]:  # what begins on the same day is told as standing there twice
            allowed = f"{there}, so that two rows hold on one day; allowed: a day after its valid_to"
        elif gaps and after[0] - before[1] > timedelta(1):
            allowed = f"{there}, so that no row holds until this one does; allowed: {before[1] + timedelta(1)}"
        else:
            continue
        if line in table.rows:  # no more is told of a broken one
            yield table.problem(line, "valid_from", table.cells[line].get("valid_from", ""), allowed)


def _outside_owners(table: Table, line: int, row: Row, held: Mapping[str, Mapping[str, Days]]) -> Iterator[Problem]:
    """Days that are not days of what the row belongs to."""
    for target, key in _owners(table.name, row):
        first, last = held[target].get(key, _EVER)
        whole = f"{key} holds {_told((first, last))}"
        if TABLES[table.name].timed():
            for column in SPAN:
                given = getattr(row, column)
                if given and not first <= given <= last:
                    allowed = f"{whole}; allowed: a day of it, or blank: as long as it"
                    yield table.problem(line, column, str(given), allowed)
        elif table.name == "deficiencies":
            if last < date.max and getattr(row, "closed_on", None) is None:
                allowed = f"blank, but {whole}; allowed: the day it was closed on, or record it for what replaces {key}"
                yield table.problem(line, "closed_on", "", allowed)
        else:
            named = getattr(row, "period", "")
            period = Period.parse(named)
            since, until = getattr(row, "covers_from", None), getattr(row, "covers_to", None)
            if (since or period.first_day) > last or (until or period.last_day) < first:
                yield table.problem(line, "period", named, f"{whole}; allowed: a period with a day of it")


def _without_needed(table: Table, line: int, row: Row, held: Mapping[str, Mapping[str, Days]]) -> Iterator[Problem]:
    """What a row points at, but that doesn't hold on all its days."""
    if not TABLES[table.name].timed():
        return
    own = _own(table.name, row, held)
    for column, info in TABLES[table.name].model_fields.items():
        needed = next((mark.table for mark in info.metadata if isinstance(mark, Ref)), None)
        if needed is None or column in OWNERS:
            continue
        value = getattr(row, column)
        for key in value if isinstance(value, tuple) else filter(None, [value]):
            first, last = held[needed].get(key, _EVER)
            if own[0] <= own[1] and not first <= own[0] <= own[1] <= last:
                allowed = f"this row {_told(own)}; allowed: what holds on all days of the row"
                yield table.problem(line, column, key, f"holds {_told((first, last))}, {allowed}")
