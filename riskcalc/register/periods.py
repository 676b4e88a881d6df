"""Assessment periods: ``2026``, ``2026-H2``, ``2026-Q3`` and ``2026-09``."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date

ALLOWED = "a period such as 2026, 2026-H2, 2026-Q3 or 2026-09"
_MONTHS = {"year": 12, "half-year": 6, "quarter": 3, "month": 1}
_PATTERN = re.compile(r"([0-9]{4})(?:-(?:H([12])|Q([1-4])|(0[1-9]|1[0-2])))?")


@dataclass(frozen=True)
class Period:
    """A span of whole months that ratings and tests belong to.

    ``evidence_until`` is the day of a register's latest test or rating of the period, but for those of more than a year
    after it; a unit's share keeps it, so that every unit is seen from the same day. It doesn't tell one
    period from another.

    >>> Period.parse("2026-Q3").last_day.isoformat()
    '2026-09-30'
    """

    name: str
    kind: str
    first_day: date
    last_day: date
    evidence_until: date | None = field(default=None, compare=False)

    @property
    def as_of(self) -> date:
        """The day that the period is seen from where none is given: its last, or that of its latest evidence."""
        return max(self.last_day, self.evidence_until or self.last_day)

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read a period's name; raises ValueError, with the allowed forms, for any other text."""
        match = _PATTERN.fullmatch(text)
        if match is None or match[1] == "0000":
            raise ValueError(ALLOWED)
        year, half, quarter, month = match.groups()
        kind = "half-year" if half else "quarter" if quarter else "month" if month else "year"
        length = _MONTHS[kind]
        last = int(half or quarter or month or 1) * length
        first_day = date(int(year), last - length + 1, 1)
        return cls(text, kind, first_day, date(int(year), last, monthrange(int(year), last)[1]))
