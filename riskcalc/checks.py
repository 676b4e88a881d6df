"""Consistency findings: what is allowed in a register, and still deserves a second look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from riskcalc.methodology import FILE
from riskcalc.register import Register


@dataclass(frozen=True)
class Finding:
    """Something to look at: how much it matters, where it is, and what to do about it."""

    severity: str
    check: str
    place: str
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.place}: {self.message} ({self.check}). {self.advice}"

    def as_dict(self) -> dict[str, str]:
        """The finding as plain values, for ``riskcalc check --json``."""
        return asdict(self)


def findings(register: Register) -> list[Finding]:
    """All findings for a register that reads without a problem."""
    return list(_matrix(register))


def _matrix(register: Register) -> Iterator[Finding]:
    for message in register.methodology.matrix.lint():
        yield Finding("warning", "matrix", FILE, message, "Change the matrix, or record why it is meant so.")
