"""Consistency findings for a register: the checks, run and sorted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from riskcalc.assessment import control_checks, report_checks, risk_checks
from riskcalc.assessment.checks import CHECKS, Gravity, place
from riskcalc.assessment.context import Context
from riskcalc.assessment.next_steps import next_steps, without_controls
from riskcalc.register.audiences import Audience
from riskcalc.register.methodology import FILE
from riskcalc.register.register import Register
from riskcalc.register.stand_ins import NOT_YET

# Importing a file of checks lists them.
MODULES = (risk_checks, control_checks, report_checks)
# What can't be told yet of risks whose controls, and of a report whose objectives, nobody has looked at.
_LATER = ("risk-without-control", "breach-untreated", "report-items-missing")

_ABOUT = {  # the table that a check's findings tell of, which an audience may get nothing of
    **dict.fromkeys(("owner-untrained", "training-of-nobody"), "training"),
    **dict.fromkeys(("scope-open", "scope-without-objective", "report-unlike-scope"), "scoping"),
}


@dataclass(frozen=True)
class Finding:
    """Something to look at: how much it matters, which unit and row it concerns, and what to do about it."""

    severity: Gravity
    check: str
    unit_id: str
    row: str
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.row}: {self.message} ({self.check}). {self.advice}"


def findings(context: Context) -> list[Finding]:
    """All findings for a register that reads without a problem, the graver first; what to fill in next comes last.

    >>> from riskcalc.register.register import load
    >>> {finding.severity for finding in findings(Context.of(load("data")))} <= {"act", "look", "note"}
    True
    """
    found = matrix_findings(context.register)
    for name, (gravity, advice, check) in CHECKS.items():
        found.extend(
            Finding(gravity, name, unit, row, message, advice)
            for seen, message in check(context)
            for unit, row in [place(context, seen)]
            # of what only stands in, or isn't assessed yet, next_steps tells
            if not (row.startswith(NOT_YET) or (name in _LATER and without_controls(context.register, unit)))
        )
    order = get_args(Gravity)
    found.sort(key=lambda finding: (order.index(finding.severity), finding.unit_id, finding.check, finding.row))
    several = len(context.register.business_units) > 1
    for step in next_steps(context.register):
        of = f"{step.unit_id}: " * several
        told = (f"{of}not assessed yet: {step.told}", f"It would bring {step.brings}.")
        found.append(Finding("note", "next-step", step.unit_id, step.place, *told))
    return found


def findings_for(
    audience: Audience, whole: Context, theirs: Context, find: Callable[[Context], list[Finding]] = findings
) -> list[Finding]:
    """The findings for an audience: those of the ``whole`` register that what is ``theirs`` of it gives, too.

    So none comes of what is withheld from them, and none tells it; nor is any of a table of which they get nothing.
    """
    seen = find(theirs)
    if theirs.register is whole.register:
        return seen
    true = {(each.check, each.unit_id, each.row) for each in find(whole)}
    found = [each for each in seen if (each.check, each.unit_id, each.row) in true]
    return [each for each in found if _ABOUT.get(each.check) not in audience.left_out]


def matrix_findings(register: Register) -> list[Finding]:
    """The findings about the matrix: all there are for a register in which nothing has been rated yet."""
    advice = "Change the matrix, or record why it is meant so."
    return [Finding("look", "matrix", "", FILE, told, advice) for told in register.methodology.matrix.lint()]
