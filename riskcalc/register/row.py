"""What every table's rows have in common: a class with a field per column, checked cell by cell and as a whole."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict

Contradiction = tuple[str, str]  # a column, and what is allowed there
SPAN = ("valid_from", "valid_to")  # the first and the last day of a row of what changes; blank: no limit


@dataclass(frozen=True)
class Ref:
    """Marks a column whose every value must be a key of ``table``."""

    table: str


def require(holds: bool, column: str, allowed: str) -> tuple[Contradiction, ...]:
    """A contradiction at ``column``, unless something holds."""
    return () if holds else ((column, allowed),)


class Row(BaseModel):
    """A line of a table; ``primary_key`` names the columns that tell its lines apart.

    A column with a default, and a table that is ``optional``, came later: registers without them are read as before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    primary_key: ClassVar[tuple[str, ...]]
    optional: ClassVar[bool] = False

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together, each at the column that a person would mend, with what is allowed there."""
        yield from ()

    def both_or_neither(self, *columns: str) -> Iterator[Contradiction]:
        """A contradiction at the first of two columns that is blank, unless both are given or both are blank."""
        blank = [column for column in columns if getattr(self, column) is None]
        told = f"{' and '.join(columns)} must both be given, or both be blank"
        yield from require(len(blank) != 1, (blank or columns)[0], told)

    def not_before(self, column: str, other: str) -> Iterator[Contradiction]:
        """A contradiction at a day, where it is given, that is before the day in another column."""
        given, day = getattr(self, column), getattr(self, other)
        yield from require(given is None or given >= day, column, f"must not be before {other}, {day}")

    def days(self) -> tuple[date, date]:
        """The first and the last day on which it holds; a row that has none holds for good."""
        first, last = (getattr(self, column, None) for column in SPAN)
        return first or date.min, last or date.max

    @classmethod
    def timed(cls) -> bool:
        """Whether its rows hold from one day to another, and a key may have several, one after the other."""
        return SPAN[0] in cls.model_fields


def kind_of(model: type[Row], column: str) -> Any:
    """The type that a column's values have where they are given: str, int, Decimal, date, bool, a Literal or a tuple.

    >>> from riskcalc.register.tables import Risk
    >>> kind_of(Risk, "loss_low").__name__
    'Decimal'
    """
    kind: Any = model.model_fields[column].annotation
    if may_be_blank(model, column):
        kind = next(part for part in get_args(kind) if part is not type(None))
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def may_be_blank(model: type[Row], column: str) -> bool:
    """Whether a column's type has a place for a value that is missing."""
    return get_origin(model.model_fields[column].annotation) in (Union, types.UnionType)


def names_in(model: type[Row]) -> tuple[str, ...]:
    """The columns that hold keys, or what points at them."""
    fields = model.model_fields.items()
    pointing = [column for column, info in fields if any(isinstance(mark, Ref) for mark in info.metadata)]
    return tuple(dict.fromkeys([*model.primary_key, *pointing]))
