"""Every error riskcalc raises on purpose. Each one reads as a sentence for the person who can mend it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, Context, Decimal
from pathlib import Path


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in the input: where it is, what was seen and what is allowed.

    ``line`` is the 1-based line in the file, 0 where the whole file is meant. In a workbook it is the row of the
    ``sheet``, and ``cell`` names the cell, such as D7.
    """

    file: str
    line: int
    column: str
    value: str
    allowed: str
    sheet: str = ""
    cell: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        if self.sheet:
            where = f", cell {self.cell}" if self.cell else f", row {self.line}" if self.line else ""
            place = f"{self.file}: sheet {self.sheet}{where}"
        column = f" column {self.column!r}:" if self.column else ""
        seen = f" {_shortened(self.value)!r}:" if self.value else ""
        return f"{place}:{column}{seen} {_shortened(self.allowed, 2_000)}"

    def as_dict(self) -> dict[str, str | int]:
        """The problem as plain values, for ``riskcalc check --json``."""
        return {name: value for name, value in asdict(self).items() if value or name not in ("sheet", "cell")}


def bring_in(path: object) -> str:
    """What to do with a file that is no register, but may be a list of risks."""
    return f"If it is a list of risks, this brings it in: riskcalc excel import {path} --into DIR"


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the singular or the plural: every sentence that counts comes here.

    >>> counted(1, "day"), counted(0, "process"), counted(1200, "deficiency")
    ('1 day', '0 processes', '1,200 deficiencies')
    """
    if number == 1:
        return f"1 {noun}"
    if re.search("[^aeiou]y$", noun):
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def amount(value: float, currency: object = "") -> str:
    """An amount, behind its currency if that is given; of less than one what matters of it, for only nothing reads 0.

    >>> amount(1234567.8), amount(0.423, "KWD"), amount(0.0002, "KWD"), amount(0)
    ('1,234,568', 'KWD 0.42', 'under KWD 0.01', '0')
    """
    named = f"{currency} " if currency else ""
    if 0 < value < 0.01:
        return f"under {named}0.01"
    return f"{named}{value:.2f}" if 0 < value < 0.995 else f"{named}{value:,.0f}"


def rate(value: Decimal) -> str:
    """A rate that somebody set, such as a confidence, in percent and to its last digit.

    >>> rate(Decimal("0.90")), rate(Decimal("0.975")), rate(Decimal("0.9999"))
    ('90 %', '97.5 %', '99.99 %')
    """
    return f"{(value * 100).normalize():f} %"


def at_most(limit: float) -> str:
    """An upper limit in percent, with three digits: rounded up, for what may be more isn't *at most* less.

    >>> at_most(0.0993719), at_most(0.1), at_most(0.88)
    ('9.94 %', '10 %', '88 %')
    """
    exactly = Context(prec=12).create_decimal_from_float(limit * 100)  # what lies beyond is the float's, no digit of it
    return f"{Context(prec=3, rounding=ROUND_CEILING).plus(exactly).normalize():f} %"


def first_of(names: Iterable[object], most: int) -> str:
    """The first names of a list, and how many there are besides.

    >>> first_of(["payroll", "claims", "funds"], 2)
    'payroll, claims and 1 more'
    """
    told = [*map(str, names)]
    more = f" and {len(told) - most} more" if len(told) > most else ""
    return ", ".join(told[:most]) + more


def _shortened(value: str, limit: int = 80) -> str:
    return value if len(value) <= limit else value[: limit - 1] + "…"


# What could forge a line of a terminal's output: control characters, line separators, changes of direction.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    """The text itself; raises ValueError where it holds what a terminal would obey instead of show.

    >>> one_line("Zoë 工藤")
    'Zoë 工藤'
    """
    if found := _UNFIT.search(text):
        raise ValueError(f"holds the control character {found[0]!r}; allowed: text in one line")
    return text


def printable(text: object, most: int = 1000, but: str = "") -> str:
    """A text as one line of a terminal, a log or a mail: whatever would end the line, move the cursor, or turn the
    direction of reading is shown as an escape, except what is in ``but``; beyond ``most`` characters it is cut.

    >>> print(printable("alpha\\n[2/2] beta ok\\x1b[2K"))
    alpha\\n[2/2] beta ok\\x1b[2K
    """
    return "".join(
        each if each.isprintable() or unicodedata.category(each) == "Zs" or each in but else ascii(each)[1:-1]
        for each in _shortened(str(text), most)
    )


# The extras, and the modules that each brings.
_EXTRAS = {
    "workshop": ("voila", "sqlalchemy", "anywidget", "psycopg"),
    "lab": ("ipywidgets", "jupyterlab"),
    "dask": ("distributed", "dask", "fsspec"),
    "pdf": ("playwright",),
    "pptx": ("pptx",),
    "parquet": ("duckdb",),
    "watch": ("watchfiles",),
}


def needed(missing: str | None) -> str:
    """What to install where a module is missing; blank if no extra brings it.

    >>> needed("voila.app")
    "voila isn't installed; it comes with: pip install 'riskcalc-workbook[workshop]'."
    """
    top = str(missing).partition(".")[0]
    extra = next((name for name, modules in _EXTRAS.items() if top in modules), "")
    return f"{top} isn't installed; it comes with: pip install 'riskcalc-workbook[{extra}]'." if extra else ""


@contextmanager
def of_an_extra() -> Iterator[None]:
    """A context for imports of what an extra brings: where it is missing, a notebook's reader is told what to install.

    Raises ModuleNotFoundError, as the import does, but with that message.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(needed(error.name) or str(error), name=error.name) from None


class RiskcalcError(Exception):
    """Base of all errors that a user can mend; the command line, and a notebook, show them without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it, instead of the program's lines."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(RiskcalcError):
    """A unit, period, parameter or folder was asked for that isn't there; the message names those that are."""


class RegisterError(RiskcalcError):
    """The register or its methodology can't be used; ``problems`` holds every reason, by file and line."""

    def __init__(self, problems: Sequence[Problem], folder: Path | None = None, what: str = "the register") -> None:
        self.problems = sorted(problems, key=lambda each: (each.file, each.sheet, each))
        where = f"{what} {folder}" if folder else what
        super().__init__("\n".join([f"{counted(len(self.problems), 'problem')} in {where}:", *map(str, self.problems)]))


class MatrixError(RiskcalcError):
    """A matrix file can't be read as a risk matrix."""


class PageError(RiskcalcError):
    """A notebook shows what a page can't hold; the message names the cell and says what is allowed."""


class PrintError(RiskcalcError):
    """A page can't be printed as PDF or PNG; the message says why."""


class ForkError(RiskcalcError):
    """Processes can't be forked here, or not any more; the message says why."""
