"""The risk matrix: one look-up from a likelihood and an impact to a level. It never computes a level."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any, SupportsFloat

import numpy as np
import numpy.typing as npt
import yaml

from riskcalc.errors import MatrixError, counted
from riskcalc.files import read

_DIGITS = 9  # residuals such as 2.4999999999999996 are 2.5 to a reader, and 2.5 is read as 3
_TELLABLE = 1.25  # luminance contrast below which two neighbouring levels look alike in grey
INK, PAPER = "#1a1f26", "#ffffff"


@dataclass(frozen=True)
class Level:
    """A band of the matrix: its name and the colour of its cells, as ``#rrggbb``."""

    name: str
    colour: str


@dataclass(frozen=True)
class Matrix:
    """A risk matrix of 2 to 10 ratings each way; ``grid[likelihood][impact]`` holds indices into ``levels``.

    ``likelihood``, ``impact`` and ``levels`` are ordered lowest first. Ratings are 1-based.
    """

    likelihood: tuple[str, ...]
    impact: tuple[str, ...]
    levels: tuple[Level, ...]
    grid: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if reasons := list(_contradictions(self)):
            raise MatrixError("; ".join(reasons))

    @classmethod
    def read(cls, path: str | Path) -> Matrix:
        """Read a matrix from our methodology.toml, or from CISO Assistant's library YAML.

        Of a YAML library the first matrix is taken: ``objects.risk_matrix[0]`` (newer: ``risk_matrices[0]``) with
        ``probability``, ``impact``, ``risk`` and the 0-based ``grid[probability][impact]``.

        Raises:
            MatrixError: the file, which the message names, can't be read or holds no consistent matrix.

        >>> Matrix.read("data/methodology.toml").level(1, 5)
        'High'
        """
        file = Path(path)
        try:
            if file.suffix == ".toml":
                return cls.from_toml(tomllib.loads(read(file).decode("utf-8")))
            if file.suffix in (".yaml", ".yml"):
                return cls._from_ciso_assistant(yaml.safe_load(read(file).decode("utf-8")))
        except MatrixError as error:
            raise MatrixError(f"{file}: {error}") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError, RecursionError) as error:
            raise MatrixError(f"{file}: can't be read: {error}") from None
        except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            raise MatrixError(f"{file}: holds no risk matrix in a form known here ({error!r})") from None
        raise MatrixError(f"{file}: a matrix is read from .toml, .yaml or .yml")

    @classmethod
    def from_toml(cls, content: Mapping[str, Any]) -> Matrix:
        """Build the matrix from the parsed methodology: ``likelihood``, ``impact`` and ``matrix``."""
        levels = tuple(Level(level["name"], level["colour"]) for level in content["matrix"]["levels"])
        names = [level.name for level in levels]
        if unknown := {name for row in content["matrix"]["grid"] for name in row} - set(names):
            told = ", ".join(sorted(map(repr, unknown)))
            raise MatrixError(f"the grid names {told}; the levels are {', '.join(names)}")
        grid = tuple(tuple(names.index(name) for name in row) for row in content["matrix"]["grid"])
        likelihood, impact = (tuple(rating["name"] for rating in content[axis]) for axis in ("likelihood", "impact"))
        return cls(likelihood, impact, levels, grid)

    @classmethod
    def _from_ciso_assistant(cls, content: Mapping[str, Any]) -> Matrix:
        objects = content["objects"]
        matrix = (objects.get("risk_matrix") or objects["risk_matrices"])[0]
        names = [tuple(str(rating["name"]) for rating in matrix[axis]) for axis in ("probability", "impact")]
        fallback = ramp(len(matrix["risk"]))
        levels = tuple(
            Level(str(level["name"]), str(level.get("hexcolor") or spare).lower())
            for level, spare in zip(matrix["risk"], fallback, strict=True)
        )
        return cls(names[0], names[1], levels, tuple(tuple(map(int, row)) for row in matrix["grid"]))

    @property
    def shape(self) -> tuple[int, int]:
        """The number of likelihood ratings and of impact ratings."""
        return len(self.likelihood), len(self.impact)

    @property
    def level_names(self) -> tuple[str, ...]:
        """The levels' names, lowest first: the order of appetite."""
        return tuple(level.name for level in self.levels)

    def level(self, likelihood: npt.ArrayLike, impact: npt.ArrayLike) -> Any:
        """The level at each pair of ratings: an array of names, or one name for two scalars.

        Ratings are 1-based and may lie between whole ones (a residual): they are rounded to 9 digits and then
        read at the nearest whole rating, halves up. A missing rating (None, NaN, NA) gives None: unrated.
        Raises ValueError for a rating off the scale.

        >>> matrix = Matrix.read("data/methodology.toml")
        >>> list(matrix.level([1, 2.5, None], [5, 3, 3]))
        ['High', 'Medium', None]
        """
        return np.array([*self.level_names, None], dtype=object)[self.codes(likelihood, impact)]

    def codes(self, likelihood: npt.ArrayLike, impact: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """As ``level``, but the levels' indices (0 = lowest, -1 = unrated), for arrays of any shape."""
        return self._lookup[self.whole("likelihood", likelihood), self.whole("impact", impact)]

    def whole(self, axis: str, ratings: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """The whole ratings at which ``ratings`` are read on ``axis``, halves up, 1-based; 0 where missing."""
        given, top = np.asarray(ratings), len(getattr(self, axis))
        if given.dtype.kind in "iu":
            whole, missing = given.astype(np.intp), np.zeros(given.shape, dtype=bool)
        else:
            numbers = np.floor(np.round(_as_float(given), _DIGITS) + 0.5)
            missing = np.isnan(numbers)
            whole = np.where(missing, 1, np.clip(numbers, 0, top + 1)).astype(np.intp)
        if whole.size and not (whole.min() >= 1 and whole.max() <= top):
            raise ValueError(f"{axis} holds a rating off the scale; allowed: 1 to {top}, or missing for unrated")
        return np.where(missing, 0, whole)

    @cached_property
    def _lookup(self) -> npt.NDArray[np.int8]:
        """The grid with a row and a column 0 of -1 before it, so that unrated needs no case of its own."""
        return np.pad(np.array(self.grid, dtype=np.int8), ((1, 0), (1, 0)), constant_values=-1)

    def lint(self) -> list[str]:
        """What is questionable in the matrix, in sentences; empty where nothing is.

        Looks for levels that fall as a rating rises, levels skipped between neighbouring cells, levels that no
        cell reaches, and neighbouring levels whose colours look alike in grey.
        """
        return [*self._lint_steps(), *self._lint_unused(), *self._lint_colours()]

    def _lint_steps(self) -> Iterator[str]:
        for here, there in self._neighbours():
            low, high = self.grid[here[0]][here[1]], self.grid[there[0]][there[1]]
            cells = f"{self._cell(here)} is {self.levels[low].name}, {self._cell(there)} is {self.levels[high].name}"
            if high < low:
                yield f"not monotone: {cells}"
            elif high > low + 1:
                yield f"a level is skipped: {cells}"

    def _neighbours(self) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        rows, columns = self.shape
        for row, column in product(range(rows), range(columns)):
            if row + 1 < rows:
                yield (row, column), (row + 1, column)
            if column + 1 < columns:
                yield (row, column), (row, column + 1)

    def _cell(self, cell: tuple[int, int]) -> str:
        return f"{self.likelihood[cell[0]]} x {self.impact[cell[1]]}"

    def _lint_unused(self) -> Iterator[str]:
        reached = {index for row in self.grid for index in row}
        for index, level in enumerate(self.levels):
            if index not in reached:
                yield f"level {level.name} is never reached"

    def _lint_colours(self) -> Iterator[str]:
        for lower, upper in zip(self.levels, self.levels[1:], strict=False):
            difference = contrast(lower.colour, upper.colour)
            if difference < _TELLABLE:
                yield (
                    f"poor contrast: {lower.name} ({lower.colour}) and {upper.name} ({upper.colour}) are "
                    f"{difference:.2f}:1 in luminance and look alike in grey; at least {_TELLABLE}:1 is wanted"
                )


def _as_float(given: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Numbers as floats, with None and pandas' NA as NaN."""
    if given.dtype.kind == "f":
        return given
    numbers = [float(value) if isinstance(value, SupportsFloat) else np.nan for value in given.flat]
    return np.array(numbers, dtype=float).reshape(given.shape)


def _contradictions(matrix: Matrix) -> Iterator[str]:
    for axis, names in (("likelihood", matrix.likelihood), ("impact", matrix.impact)):
        if not 2 <= len(names) <= 10:
            yield f"{axis} has {counted(len(names), 'rating')}; allowed: 2 to 10"
        yield from _repeated(names, axis)
    yield from _repeated(matrix.level_names, "levels")
    for level in matrix.levels:
        if not is_hex(level.colour):
            yield f"level {level.name} has the colour {level.colour!r}; allowed: #rrggbb"
    yield from _misshapen(matrix)


def _misshapen(matrix: Matrix) -> Iterator[str]:
    if len(matrix.grid) != len(matrix.likelihood):
        rows = counted(len(matrix.grid), "row")
        yield f"the grid has {rows}, but likelihood has {counted(len(matrix.likelihood), 'rating')}"
    for number, row in enumerate(matrix.grid, 1):
        if len(row) != len(matrix.impact):
            cells = f"row {number} of the grid has {counted(len(row), 'cell')}"
            yield f"{cells}, but impact has {counted(len(matrix.impact), 'rating')}"
        if not all(0 <= index < len(matrix.levels) for index in row):
            yield f"row {number} of the grid points outside its {counted(len(matrix.levels), 'level')}"


def _repeated(names: Sequence[str], what: str) -> Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{what} has {name!r} twice"


# --- colours as people see them -----------------------------------------------------------------------


def is_hex(text: str) -> bool:
    """Whether ``text`` is a colour as ``#rrggbb``."""
    return re.fullmatch("#[0-9a-fA-F]{6}", text) is not None


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour ``#rrggbb``, 0 (black) to 1 (white); WCAG 2.2, "relative luminance".

    >>> luminance("#ffffff")
    1.0
    """
    channels = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 (alike) to 21 (black on white); WCAG 2.2, "contrast ratio".

    >>> round(contrast("#000000", "#ffffff"), 1)
    21.0
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@cache
def ink_on(background: str) -> str:
    """The text colour, dark or white, that reads better on ``background``."""
    return max((INK, PAPER), key=lambda ink: contrast(ink, background))


def ramp(count: int) -> list[str]:
    """``count`` colours from pale to dark red-brown, for levels that come without any."""
    pale, dark = (0xFD, 0xF0, 0xDC), (0x7A, 0x12, 0x22)
    steps = [index / max(count - 1, 1) for index in range(count)]
    return [
        "#" + "".join(f"{round(a + (b - a) * step):02x}" for a, b in zip(pale, dark, strict=True)) for step in steps
    ]
