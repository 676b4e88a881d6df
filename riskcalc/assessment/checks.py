"""How a consistency check is made known, and what most of them look at.

A check is a function from a context to what it saw: rows, and what is to be said of each. ``@check`` lists it under the
name that users see, with how much it matters and what to do; ``consistency.findings`` runs them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from riskcalc.assessment import evidence
from riskcalc.assessment.context import Context, once
from riskcalc.assessment.scoring import scored
from riskcalc.assessment.subservice import tested_here
from riskcalc.register.records import records

# In the order of how much they matter: something has to be done; somebody has to look at it; good to know.
Gravity = Literal["act", "look", "note"]
Rows = list[dict[Any, Any]]
Place = tuple[str, str]  # a unit, and what of it: the key of a row, or something that has no row
Seen = Iterator[tuple[Mapping[Any, Any] | Place, str]]  # a row or a place, and the message
Check = Callable[[Context], Seen]
CHECKS: dict[str, tuple[Gravity, str, Check]] = {}


def check(name: str, gravity: Gravity, advice: str) -> Callable[[Check], Check]:
    """List a check under its name, with how much its findings matter and what to do about them."""

    def listed(seen: Check) -> Check:
        assert name not in CHECKS, name
        CHECKS[name] = (gravity, advice, seen)
        return seen

    return listed


def place(context: Context, seen: Mapping[Any, Any] | Place) -> Place:
    """The unit of what was seen, and its key, a row's first column; a test's or deficiency's unit is its control's."""
    if isinstance(seen, tuple):
        return seen
    owner = seen if "unit_id" in seen else control_of(context)[seen["control_id"]]
    return str(owner["unit_id"]), str(next(iter(seen.values())))


@once
def controls(context: Context) -> Rows:
    """The controls with what they earn."""
    earned = evidence.assessed(context)
    return [{**control, **earned[control["control_id"]]} for control in context.register.rows("controls")]


def own_controls(context: Context) -> Rows:
    """The controls that our own tests speak for, those of an inclusive subservice organisation among them."""
    return [control for control in controls(context) if tested_here(context.register, control)]


@once
def control_of(context: Context) -> dict[str, dict[Any, Any]]:
    """The controls by id."""
    return {control["control_id"]: control for control in controls(context)}


@once
def risks(context: Context) -> Rows:
    """The risks with their scores."""
    rows = zip(context.register.rows("risks"), records(scored(context)), strict=True)
    return [{**risk, **scores} for risk, scores in rows]


@once
def tests(context: Context) -> Rows:
    """The period's tests."""
    return context.rows("control_tests")
