"""Assessment periods: ``2026``, ``2026-H2``, ``2026-Q3`` and ``2026-09``; which is meant where none is named."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from riskcalc.errors import UsageError, counted

ALLOWED = "a period such as 2026, 2026-H2, 2026-Q3 or 2026-09"
_MONTHS = {"year": 12, "half-year": 6, "quarter": 3, "month": 1}
_PATTERN = re.compile(r"([0-9]{4})(?:-(?:H([12])|Q([1-4])|(0[1-9]|1[0-2])))?")


@dataclass(frozen=True)
class Period:
    """A span of whole months that ratings and tests belong to.

    ``evidence_until`` is the day of a register's latest test or rating of the period, but for those of more than a year
    after it; ``rated`` how many of how many risks of the register are rated in the period. A unit's share keeps both,
    so that every unit is seen in the same period, from the same day. They don't tell one period from another.

    >>> Period.parse("2026-Q3").last_day.isoformat()
    '2026-09-30'
    """

    name: str
    kind: str
    first_day: date
    last_day: date
    evidence_until: date | None = field(default=None, compare=False)
    rated: tuple[int, int] = field(default=(0, 0), compare=False)

    @property
    def as_of(self) -> date:
        """The day that the period is seen from where none is given: its last, or that of its latest evidence."""
        return max(self.last_day, self.evidence_until or self.last_day)

    @classmethod
    @lru_cache
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


def already(day: date) -> date:
    """The day, or today as long as it is still to come: what is dated later hasn't happened, whoever plans it.

    >>> already(date(2020, 6, 30))
    datetime.date(2020, 6, 30)
    """
    return min(day, date.today())


def chosen(periods: Sequence[Period]) -> Period:
    """The one that is meant where none is named: the latest that is at least half rated, else that with most ratings.

    ``periods`` are those that are opened, earliest first: at least one.

    >>> from dataclasses import replace
    >>> first, second = (Period.parse(name) for name in ("2026-H1", "2026-H2"))
    >>> chosen([replace(first, rated=(3, 4)), replace(second, rated=(1, 4))]).name
    '2026-H1'
    """
    half = [each for each in periods if _half_rated(each)]
    return half[-1] if half else max(reversed(periods), key=lambda each: each.rated[0])


def reason(periods: Sequence[Period]) -> str:
    """Why ``chosen`` chooses the one it does."""
    found = chosen(periods)
    why = "the latest period that is at least half rated" if _half_rated(found) else "no period is half rated"
    rated, risks = found.rated
    later = [f"; in {each.name} {each.rated[0]}" for each in periods if each.last_day > found.last_day]
    return f"{why}: {rated:,} of {counted(risks, 'risk')}{''.join(later)}"


def to_come(periods: Sequence[Period], name: str) -> Period:
    """A period that may be new, beside those that are opened; raises UsageError for none, or one of another kind."""
    try:
        period = Period.parse(name)
    except ValueError as error:
        raise UsageError(f"{name!r} is no period; allowed: {error}.") from None
    if periods and periods[-1].kind != period.kind:
        raise UsageError(f"{name} is a {period.kind}; the register's periods are like {periods[-1].name}.")
    return next((each for each in periods if each == period), period)


def _half_rated(period: Period) -> bool:
    rated, risks = period.rated
    return 2 * rated >= risks
