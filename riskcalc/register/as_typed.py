"""What people type instead of a column's own spelling: read right where it can mean one thing only, else refused.

Each reader takes a cell that its column has refused, without the blanks around it, and the methodology. It returns the
cell in the column's spelling, or nothing where it can't be read; where two readings are possible, it raises a
ValueError that names both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Annotated, get_args, get_origin

from riskcalc.register.periods import Period
from riskcalc.register.row import Row, kind_of

if TYPE_CHECKING:
    from riskcalc.register.methodology import Methodology

Reader = Callable[[str, "Methodology"], str]
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip


@dataclass(frozen=True)
class Typed:
    """Marks a column's type with the way in which its cells may be typed, too."""

    read: Reader


def second_reading(model: type[Row], column: str, cell: str, methodology: Methodology) -> str:
    """A refused cell in its column's spelling; blank where it can't be read.

    Raises:
        ValueError: two readings are possible; the message names both.

    >>> from riskcalc.register.register import load
    >>> from riskcalc.register.tables import TABLES
    >>> methodology = load("data").methodology
    >>> second_reading(TABLES["ratings"], "likelihood", "Likely ", methodology)
    '4'
    >>> second_reading(TABLES["deficiencies"], "due_on", "30/06/2026", methodology)
    '2026-06-30'
    """
    text, read = " ".join(cell.split()), reader_of(model, column)
    if read:
        return read(text, methodology)
    names = get_args(kind_of(model, column))
    return one_of(text, names) if all(isinstance(name, str) for name in names) else text


def reader_of(model: type[Row], column: str) -> Reader | None:
    """The reader that a column's type is marked with."""
    info = model.model_fields[column]
    inner = [get_args(part)[1:] for part in get_args(info.annotation) if get_origin(part) is Annotated]
    return next((mark.read for mark in (*info.metadata, *sum(inner, ())) if isinstance(mark, Typed)), None)


_COMMAS = 6  # in the longest amount
_THOUSANDS = re.compile(r"[^\d,]{0,4}[1-9]\d{0,2}(,\d{3})+(\.\d+)?")


def split_amount(model: type[Row], header: list[str], cells: list[str]) -> tuple[str, str, list[str]] | None:
    """The column and the text of an amount that may have been split at its commas, and the row's cells with it whole.

    >>> from riskcalc.register.tables import TABLES
    >>> split_amount(TABLES["risks"], ["loss_low", "loss_high"], ["¥1", "250", "000", "2000000"])
    ('loss_low', '¥1,250,000', ['1250000', '2000000'])
    """
    amounts, most = _amounts(model), min(len(cells) - len(header), _COMMAS)
    for place, name in enumerate(header):
        if name in amounts and cells[place + 1][:3].isdecimal():
            for end in range(place + 1 + most, place + 1, -1):
                text = ",".join(cells[place:end])
                if _THOUSANDS.fullmatch(text):
                    return name, text, [*cells[:place], re.sub(r"[^\d.]", "", text), *cells[end:]]
    return None


@cache
def _amounts(model: type[Row]) -> frozenset[str]:
    return frozenset(name for name in model.model_fields if kind_of(model, name) is Decimal)


def plain(text: str) -> str:
    """A word without case, blanks and signs, as people mean it.

    >>> plain(" Half-Yearly"), plain("half_yearly")
    ('halfyearly', 'halfyearly')
    """
    return re.sub(r"[\W_]", "", text.casefold())


def one_of(text: str, names: Iterable[str]) -> str:
    """The name that a text means, whatever its case and signs; blank where none, or more than one."""
    found = [name for name in names if plain(name) == plain(text)]
    return found[0] if len(found) == 1 and plain(text) else ""


def some_of(known: Iterable[str]) -> Reader:
    """A reader of lists of such names, with commas or semicolons where ``|`` belongs, too."""

    def read(text: str, _: Methodology) -> str:
        names = [one_of(each, known) for each in re.split(r"[|,;]", text) if each.strip()]
        return "|".join(names) if all(names) else ""

    return read


def name_of(source: str) -> Reader:
    """A reader of names that the methodology gives under ``source``."""
    return lambda text, methodology: one_of(text, getattr(methodology, source))


def rating(axis: str) -> Reader:
    """A reader of ratings: ``Likely``, ``4 - Likely``, ``Likely (4)``."""

    def read(text: str, methodology: Methodology) -> str:
        names = [each.name for each in getattr(methodology, axis)]
        number, name = parts_of_rating(text)
        meant = one_of(name, names)
        if number and name and not (meant and str(names.index(meant) + 1) == number):
            here = f"; {number} is {names[int(number) - 1]!r} here" if 1 <= int(number) <= len(names) else ""
            other = f", and {meant!r} is {names.index(meant) + 1}" if meant else ""
            raise ValueError(f"a number and a name that don't go together{here}{other}")
        return number or (str(names.index(meant) + 1) if meant else "")

    return read


def parts_of_rating(text: str) -> tuple[str, str]:
    """The number and the name in a rating such as ``4 - Likely`` or ``Likely (4)``; blank what isn't there.

    >>> parts_of_rating("4 - Likely"), parts_of_rating("Almost certain (5)"), parts_of_rating("Rare")
    (('4', 'Likely'), ('5', 'Almost certain'), ('', 'Rare'))
    """
    number, between = "([1-9][0-9]?)", r"\s*[-–—:=.)]\s*"
    found = re.fullmatch(rf"{number}(?:{between}|\s+|$)(\D.*)?|(\D.*?)\s*[-–—:=(]\s*{number}\)?", text.strip())
    return (found[1] or found[4], (found[2] or found[3] or "").strip()) if found else ("", text.strip())


def share(text: str, _: Methodology) -> str:
    """A percentage as a share.

    >>> share("60 %", None), share("7.5%", None), share("", None)
    ('0.6', '0.075', '')
    """
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,7})?) ?%", text)
    return f"{(Decimal(found[1]) / 100).normalize():f}" if found else text


def yes_no(text: str, _: Methodology) -> str:
    """A yes or a no, whatever its case, or its first letter."""
    return {"y": "yes", "n": "no"}.get(text.casefold(), one_of(text, ("yes", "no")))


def capitals(text: str, _: Methodology) -> str:
    """A code in capitals."""
    return text.upper()


def trimmed(text: str, _: Methodology) -> str:
    """What was refused for the blanks around it only."""
    return text


def period(text: str, _: Methodology) -> str:
    """A period's name: ``h1 2026``, ``2026 H1``, ``2026/Q3``."""
    found = re.fullmatch(r"([0-9]{4})[-/ ]?([HQ][1-4])|([HQ][1-4])[-/ ]?([0-9]{4})", text.upper())
    name = f"{found[1] or found[4]}-{found[2] or found[3]}" if found else text
    try:
        return Period.parse(name).name
    except ValueError:
        return ""


def day(text: str, _: Methodology) -> str:
    """A day: with a month's English name, or where only one of its numbers can be the month.

    >>> day("30.06.2026", None), day("June 30, 2026", None), day("2026/6/30", None), day("next week", None)
    ('2026-06-30', '2026-06-30', '2026-06-30', '')
    """
    if found := re.fullmatch(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})", text):
        return _iso(found[1], found[2], found[3])
    if found := re.fullmatch(r"([0-9]{1,2})\.?[ -]?([A-Za-z]+)[ -]([0-9]{4})", text):
        return _iso(found[3], _month(found[2]), found[1])
    if found := re.fullmatch(r"([A-Za-z]+) ([0-9]{1,2}),? ([0-9]{4})", text):
        return _iso(found[3], _month(found[1]), found[2])
    if not (found := re.fullmatch(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})", text)):
        return ""
    read = {_iso(found[4], month, day) for month, day in ((found[1], found[3]), (found[3], found[1]))} - {""}
    if len(read) > 1:
        raise ValueError(f"may be {' or '.join(sorted(read))}: write the one that is meant")
    return read.pop() if read else ""


def _month(name: str) -> str:
    found = [number for number, month in enumerate(_MONTHS, 1) if len(name) >= 3 and month.startswith(name.lower())]
    return str(found[0] if found else 0)


def _iso(year: str, month: str, day: str) -> str:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return ""
