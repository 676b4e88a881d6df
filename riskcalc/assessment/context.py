"""What every question of the method is asked about: a register in a period, seen from a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import wraps
from itertools import compress
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskcalc.register import register as registers
from riskcalc.register.periods import Period
from riskcalc.register.register import Register, left_out

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """A register, the period that is assessed, and the day it is seen from: nothing dated later counts."""

    register: Register
    period: Period
    as_of: date

    @classmethod
    def of(cls, register: Register, period: str | None = None, as_of: date | None = None, new: bool = False) -> Context:
        """The context of a period, by default that of ``Register.period``, as of a day.

        Where no day is given it is the period's last, or that of its latest evidence if that is later. The context's
        register is the one given as it stood then. With ``new`` the period may be one that isn't opened yet.

        Raises:
            UsageError: ``period`` isn't opened.

        >>> from riskcalc.register.register import load
        >>> context = Context.of(load("data"))
        >>> context.previous().period.name
        '2025-H2'
        """
        if register.stands and not (period or as_of):
            return cls(register, *register.stands)
        chosen = register.period(period, new)
        day = as_of or chosen.as_of
        return cls(register.at(chosen, day), chosen, day)

    def previous(self) -> Context | None:
        """The same register in the period before, as it was seen then, or None if there is none."""
        before = self.register.previous(self.period)
        if before is None:
            return None
        return Context(self.register.before or self.register, before, min(before.as_of, self.as_of))

    def only(self, unit_id: str) -> Context:
        """The part of the register that one unit's assessment needs, in the same period and as of the same day."""
        return replace(self, register=self.register.only(unit_id))

    @property
    def begun(self) -> bool:
        """Whether the period has begun by the day: before it nothing is missing from it."""
        return self.period.first_day <= self.as_of

    @property
    def ratings(self) -> pd.DataFrame:
        """The period's ratings, but for those of a later day."""
        return self.register.ratings[self.counts("ratings")]

    @property
    def proposed(self) -> dict[str, str]:
        """By risk, what is proposed in the period and counts for nothing: what to say of it while it is unrated."""
        return {
            row["risk_id"]: f"; proposed: {row['proposed_likelihood']} x {row['proposed_impact']}"
            for row in self.register.rows("ratings")
            if row["period"] == self.period.name and not pd.isna(row["proposed_likelihood"])
        }

    @property
    def tests(self) -> pd.DataFrame:
        """The period's tests of controls, but for those of a later day."""
        return self.register.control_tests[self.counts("control_tests")]

    @property
    def open_deficiencies(self) -> list[dict[Any, Any]]:
        """The deficiencies that were open on the day: identified by then, and not closed by then.

        They are shared, as ``Register.rows`` are.
        """
        return _open_deficiencies(self)

    def counts(self, table: str) -> npt.NDArray[np.bool_]:
        """Which rows of ``ratings`` or ``control_tests`` are the period's, but for those of a later day."""
        found: pd.DataFrame = getattr(self.register, table)
        later = found[{"ratings": "rated_on", "control_tests": "tested_on"}[table]] > pd.Timestamp(self.as_of)
        return np.array(found["period"].to_numpy(object) == self.period.name) & ~later.to_numpy(bool)

    def rows(self, table: str) -> list[dict[Any, Any]]:
        """The rows of ``ratings`` or ``control_tests`` that count, as ``Register.rows`` has them."""
        return list(compress(self.register.rows(table), self.counts(table)))


def once(work: Callable[Concatenate[Context, P], T]) -> Callable[Concatenate[Context, P], T]:
    """Remember what ``work`` finds for a context and (hashable) arguments, for as long as its register is used.

    The results are shared: whoever gets one must not change it, nor hand it out of the package.
    """
    defaults, call = left_out(work), cast(Any, work)

    @registers.once
    def by_register(
        register: Register,
        context: tuple[Period, date],
        args: tuple[object, ...],
        kwargs: tuple[tuple[str, object], ...],
    ) -> T:
        return call(Context(register, *context), *args, **dict(kwargs))  # type: ignore[no-any-return]

    @wraps(work)
    def remembered(context: Context, /, *args: P.args, **kwargs: P.kwargs) -> T:
        given = args if kwargs else args + defaults[len(args) :]
        return by_register(context.register, (context.period, context.as_of), given, tuple(kwargs.items()))

    return remembered


@once
def _open_deficiencies(context: Context) -> list[dict[Any, Any]]:
    day, known = pd.Timestamp(context.as_of), context.register.rows("deficiencies")
    return [one for one in known if one["identified_on"] <= day and not one["closed_on"] <= day]


@once
def rated(context: Context) -> Mapping[str, tuple[Any, Any]]:
    """The ratings of each risk, likelihood and impact, as far as the period has any that count; NA where blank."""
    counts, found = context.counts("ratings"), context.register.ratings
    columns = (found[name].array[counts].tolist() for name in ("risk_id", "likelihood", "impact"))
    return {risk: (likelihood, impact) for risk, likelihood, impact in zip(*columns, strict=True)}
