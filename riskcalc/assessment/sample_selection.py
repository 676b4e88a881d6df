"""Which items to test: drawn at random, spread over the period, and the same again for whoever draws again.

The draw depends on the population alone: its seed is the SHA-256 of the population file. An auditor who has the
file gets the same items, on any machine and with any version of anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from riskcalc.errors import Problem, RegisterError, counted
from riskcalc.files import as_line, csv_rows, for_people, read


@dataclass(frozen=True)
class Population:
    """The items that a control was performed on: the file's columns, its rows, the line each starts at, its hash."""

    columns: tuple[str, ...]
    items: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    sha256: str
    file: str


def read_population(path: str | Path) -> Population:
    """Read a population from a CSV file in UTF-8 with a header line; a row is an item.

    Raises RegisterError, naming file and line, for a file that can't be read, an empty one, or a row of another
    length than the header.
    """
    file = Path(path)
    try:
        content = read(file)
    except OSError as error:
        raise RegisterError([Problem(str(file), 0, "", "", f"can't be read: {error.strerror}")]) from None
    rows = list(csv_rows(content, str(file)))
    if len(rows) < 2:
        raise RegisterError([Problem(str(file), 0, "", "", "has no items; allowed: a header line and a line per item")])
    (_, header), *items = rows
    wrong = [(line, row) for line, row in items if len(row) != len(header)]
    if wrong:
        allowed = f"{counted(len(wrong[0][1]), 'cell')}, but the header has {counted(len(header), 'column')}"
        raise RegisterError([Problem(str(file), wrong[0][0], "", "", allowed)])
    lines, cells = zip(*items, strict=True)
    return Population(tuple(header), tuple(map(tuple, cells)), lines, hashlib.sha256(content).hexdigest(), file.name)


def in_time(population: Population, column: str) -> list[int]:
    """The positions of the items in the order of a date column (YYYY-MM-DD), ties in the order of the file.

    Raises RegisterError, naming the line and the value, for an unknown column or a cell that is no date.
    """
    if column not in population.columns:
        known = ", ".join(population.columns)
        raise RegisterError([Problem(population.file, 1, column, "", f"unknown column; there are: {known}")])
    place = population.columns.index(column)
    days, problems = [], []
    for position, item in enumerate(population.items):
        try:
            days.append((date.fromisoformat(item[place]), position))
        except ValueError:
            problems.append(
                Problem(
                    population.file, population.lines[position], column, item[place], "allowed: a date as YYYY-MM-DD"
                )
            )
    if problems:
        raise RegisterError(problems)
    return [position for _, position in sorted(days)]


def select(order: Sequence[int], size: int, seed: str) -> list[int]:
    """Draw ``size`` of the positions in ``order``: one from each of as many stretches of equal length.

    So the sample is spread over the period, and every item has nearly the same chance. ``seed`` is any text; the same
    order, size and seed give the same draw. All of them where ``size`` is at least their number.

    >>> select(range(100), 5, "seed") == select(range(100), 5, "seed")
    True
    """
    total = len(order)
    if size >= total:
        return list(order)
    edges = [total * stretch // size for stretch in range(size + 1)]
    return [order[low + _draw(f"{seed}:{stretch}", high - low)] for stretch, (low, high) in enumerate(pairwise(edges))]


def as_csv(population: Population, positions: Sequence[int]) -> str:
    """The drawn items as CSV, with the line of the population file that each starts at.

    Testers open it in a spreadsheet: a text that would be a formula there begins with an apostrophe.
    """
    rows = ([str(population.lines[position]), *population.items[position]] for position in positions)
    return "".join(as_line(map(for_people, row)) for row in (["line", *population.columns], *rows))


def _draw(seed: str, below: int) -> int:
    """A whole number from 0 to ``below`` - 1, evenly spread and fixed by ``seed``."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big") % below
