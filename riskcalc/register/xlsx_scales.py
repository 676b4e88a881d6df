"""The rating scales and the matrix as cells of a sheet, instead of lines of methodology.toml.

Four blocks stand below each other: a row that begins with the block's name and names its columns, then rows that begin
with a number, 1 being the lowest. A block has room for ten; rows without a name are none. Where a methodology holds
more than cells can say, such as comments between its ratings, it stays text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from riskcalc.errors import Problem
from riskcalc.register.as_typed import one_of
from riskcalc.register.starter import AXES, scales_as_toml
from riskcalc.register.xlsx_cells import Cell, Grid, Odd, letters, text_of

SCALES = "scales"
MARK = "# The scales and the matrix stand on the sheet scales."
BLOCKS = {"likelihood": 3, "impact": 15, "level": 27, "matrix": 39}  # the row that names a block's columns
ROOM = 10  # rows of a block
CHOICE = 6  # the column, from 0, with what drop-downs offer of a rating
_LAST = ROOM + 1  # long texts stand beside the matrix, or its columns would be as wide
PLACES = {
    **{
        axis: {name: _LAST if name == "definition" else max(1, place) for place, name in enumerate(names)}
        for axis, names in AXES.items()
    },
    "level": {"name": 1, "colour": 2},
    "matrix": {str(number): number for number in range(1, ROOM + 1)},
}


@dataclass(frozen=True)
class Scales:
    """The cells of each block, row by row, as text."""

    blocks: Mapping[str, Sequence[Sequence[str]]]

    @property
    def text(self) -> str:
        """The lines of methodology.toml that say the same."""
        axes = {
            axis: [{key: text for key, text in zip(names, row, strict=False) if text} for row in self.blocks[axis]]
            for axis, names in AXES.items()
        }
        levels = [(name, colour) for name, colour in self.blocks["level"]]
        return "\n".join(scales_as_toml(axes, levels, self.blocks["matrix"]))


def split(text: str) -> tuple[str, Scales | None]:
    """A methodology's text without its scales, and those as cells; the text as it is where cells can't hold them.

    >>> from riskcalc.register.starter import Starter
    >>> rest, scales = split(Starter("Acme", "EUR", matrix="3x3").methodology())
    >>> MARK in rest, scales.blocks["level"][0]
    (True, ['Low', '#e4eef5'])
    """
    content = tomllib.loads(text, parse_float=Decimal)
    ratings = {
        axis: [[str(each.get(name, "")) for name in names] for each in content[axis]] for axis, names in AXES.items()
    }
    levels = [[level["name"], level["colour"]] for level in content["matrix"]["levels"]]
    scales = Scales({**ratings, "level": levels, "matrix": content["matrix"]["grid"]})
    fits = all(len(rows) <= ROOM for rows in scales.blocks.values())
    if not fits or text.count(scales.text) != 1:
        return text, None
    return text.replace(scales.text, MARK), scales


def joined(text: str, grid: Grid, file: str) -> tuple[str, list[Problem]]:
    """A methodology's text with the scales of a sheet in it, and what keeps them from being read."""
    blocks: dict[str, list[list[str]]] = {name: [] for name in BLOCKS}
    problems: list[Problem] = []
    rows: list[int] = []  # of the matrix
    name, ended = "", dict[str, int]()
    for row, cells in grid.rows:
        first = text_of(cells[0]).strip()
        if first in blocks:
            name = first
        elif re.fullmatch("[0-9]{1,2}", first) and name:
            own = {place: cells[place] for place in PLACES[name].values() if place < len(cells)}
            problems += [problem for place, cell in own.items() for problem in _odd(file, row, place, cell)]
            texts = [text_of(own.get(place, "")).strip() for place in PLACES[name].values()]
            if name == "matrix":
                texts = texts[: max((place for place, text in enumerate(texts, 1) if text), default=0)]
            if not (name == "matrix" or (texts and texts[0])):
                ended.setdefault(name, row)
            elif any(texts):
                if name in ended:
                    told = f"a {name} without a name stands before this one; leave no gap"
                    problems.append(Problem(file, ended[name], "name", "", told, SCALES, f"B{ended[name]}"))
                blocks[name].append(texts)
                rows += [row] * (name == "matrix")
    names = [row[0] for row in blocks["level"]]
    blocks["matrix"] = [[one_of(cell, names) or cell for cell in row] for row in blocks["matrix"]]
    problems += _unnamed(file, zip(rows, blocks["matrix"], strict=True), names)
    scales = Scales(blocks).text
    return text.replace(MARK, scales) if MARK in text else f"{text}\n{scales}\n", problems


def _unnamed(file: str, matrix: Iterable[tuple[int, Sequence[str]]], names: Sequence[str]) -> Iterator[Problem]:
    """The cells of the matrix, by row, that name no level."""
    for row, levels in matrix:
        for place, level in enumerate(levels, 1):
            if level not in names:
                allowed = f"the grid names {level!r}; the levels are {', '.join(names)}"
                yield Problem(file, row, "matrix", "", allowed, SCALES, f"{letters(place)}{row}")


def _odd(file: str, row: int, place: int, cell: Cell) -> Iterator[Problem]:
    if isinstance(cell, Odd) and cell.kind != "number":
        allowed = "is no text or number; format the cell as text, and type it again"
        yield Problem(file, row, "", cell.text, allowed, SCALES, f"{letters(place)}{row}")
