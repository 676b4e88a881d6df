"""Consistency findings for a register: the checks, run and sorted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date

from riskcalc.assessment.checks import CHECKS, Severity, Subject
from riskcalc.register.methodology import FILE
from riskcalc.register.register import Register


@dataclass(frozen=True)
class Finding:
    """Something to look at: how much it matters, which unit and row it concerns, and what to do about it."""

    severity: Severity
    check: str
    unit_id: str
    row: str
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.row}: {self.message} ({self.check}). {self.advice}"

    def as_dict(self) -> dict[str, str]:
        """The finding as plain values, for ``riskcalc check --json``."""
        return asdict(self)


def findings(register: Register, period: str | None = None, as_of: date | None = None) -> list[Finding]:
    """All findings for a register that reads without a problem, the graver first.

    ``period`` is the latest by default, ``as_of`` the period's last day; a register without ratings gets the findings
    about its matrix only.

    >>> from riskcalc.register.register import load
    >>> {finding.severity for finding in findings(load("data"))} <= {"error", "warning", "note"}
    True
    """
    found = list(_matrix(register))
    if register.periods:
        chosen = register.period(period)
        subject = Subject(register, chosen, as_of or chosen.last_day)
        for name, (severity, advice, check) in CHECKS.items():
            found.extend(Finding(severity, name, unit, row, message, advice) for unit, row, message in check(subject))
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda finding: (order[finding.severity], finding.unit_id, finding.check, finding.row))


def _matrix(register: Register) -> Iterator[Finding]:
    for message in register.methodology.matrix.lint():
        yield Finding("warning", "matrix", "", FILE, message, "Change the matrix, or record why it is meant so.")
