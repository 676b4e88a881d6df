"""From when to when rows hold, and what must be true of their days.

Where a fact changes, its row ends (``valid_to``) and another with the same key goes on the next day (``valid_from``).
What belongs to a unit, a risk or a control ends with it; what a row needs beside it must hold as long as the row does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise

from riskcalc.errors import Problem
from riskcalc.register.checked_rows import Table
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
    """By key, from the first to the last day of its rows, as far as what they belong to holds."""
    found: dict[str, Days] = {}
    for row in table.rows.values():
        key, (first, last) = getattr(row, TABLES[table.name].primary_key[0]), _own(table.name, row, held)
        was = found.get(key, (first, last))
        found[key] = min(was[0], first), max(was[1], last)
    return found


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
    by_key: dict[tuple[str, ...], list[tuple[Days, int]]] = {}
    for line, row in table.rows.items():
        first, last = row.days()
        if first > last:
            yield table.problem(line, "valid_from", str(first), f"must not be after valid_to, {last}")
        else:
            key = tuple(getattr(row, column) for column in TABLES[table.name].primary_key)
            by_key.setdefault(key, []).append(((first, last), line))
    for key, rows in by_key.items():
        for (before, at), (after, line) in pairwise(sorted(rows)):
            seen = table.cells[line].get("valid_from", "")
            there = f"{' + '.join(key)} at line {at} holds {_told(before)}"
            if before[0] < after[0] <= before[1]:  # what begins on the same day is told as standing there twice
                allowed = f"{there}, so that two rows hold on one day; allowed: a day after its valid_to"
                yield table.problem(line, "valid_from", seen, allowed)
            elif after[0] - before[1] > timedelta(1):
                allowed = f"{there}, so that no row holds until this one does; allowed: {before[1] + timedelta(1)}"
                yield table.problem(line, "valid_from", seen, allowed)


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
