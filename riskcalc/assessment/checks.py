"""How a consistency check is made known, and what most of them look at.

A check is a function from a context to what it saw (unit, row, message). ``@check`` lists it under the name that users
see, with how much it matters and what to do; ``consistency.findings`` runs them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from riskcalc.assessment import evidence
from riskcalc.assessment.context import Context, once
from riskcalc.assessment.scoring import scored
from riskcalc.assessment.subservice import tested_here
from riskcalc.register.records import records

# In the order of how much they matter: something has to be done; somebody has to look at it; good to know.
Gravity = Literal["act", "look", "note"]
Rows = list[dict[Any, Any]]
Seen = Iterator[tuple[str, str, str]]  # unit, row, message
Check = Callable[[Context], Seen]
CHECKS: dict[str, tuple[Gravity, str, Check]] = {}


def check(name: str, gravity: Gravity, advice: str) -> Callable[[Check], Check]:
    """List a check under its name, with how much its findings matter and what to do about them."""

    def listed(seen: Check) -> Check:
        assert name not in CHECKS, name
        CHECKS[name] = (gravity, advice, seen)
        return seen

    return listed


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


@once
def acting(context: Context) -> dict[str, list[str]]:
    """The controls that act on each risk."""
    found: dict[str, list[str]] = {}
    for link in context.register.rows("risk_controls"):
        found.setdefault(link["risk_id"], []).append(link["control_id"])
    return found
