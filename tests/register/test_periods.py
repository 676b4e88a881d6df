"""Periods: the four forms people write, the days they cover, and the refusal of everything else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from register_files import ROWS, write_register

import riskcalc
from riskcalc.register.periods import Period, chosen, reason

PARTS = {
    "year": [""],
    "half-year": ["-H1", "-H2"],
    "quarter": ["-Q1", "-Q2", "-Q3", "-Q4"],
    "month": [f"-{month:02}" for month in range(1, 13)],
}
years = st.integers(1, 9998)
kinds = st.sampled_from(list(PARTS))
names = st.builds("{:04}{}".format, years, st.sampled_from([part for parts in PARTS.values() for part in parts]))


@pytest.mark.parametrize(
    ("name", "kind", "first_day", "last_day"),
    [
        ("2026", "year", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-H1", "half-year", date(2026, 1, 1), date(2026, 6, 30)),
        ("2026-H2", "half-year", date(2026, 7, 1), date(2026, 12, 31)),
        ("2026-Q1", "quarter", date(2026, 1, 1), date(2026, 3, 31)),
        ("2026-Q3", "quarter", date(2026, 7, 1), date(2026, 9, 30)),
        ("2026-09", "month", date(2026, 9, 1), date(2026, 9, 30)),
        ("2024-02", "month", date(2024, 2, 1), date(2024, 2, 29)),
        ("2100-02", "month", date(2100, 2, 1), date(2100, 2, 28)),
        ("9999-12", "month", date(9999, 12, 1), date(9999, 12, 31)),
    ],
)
def test_each_form_covers_the_days_it_names(name: str, kind: str, first_day: date, last_day: date) -> None:
    """A year, a half-year, a quarter and a month begin and end on the days a calendar gives, leap years too."""
    assert Period.parse(name) == Period(name, kind, first_day, last_day)


@pytest.mark.parametrize(
    "text",
    [
        "", "26", "02026", "0000", "2026-H0", "2026-H3", "2026-Q0", "2026-Q5", "2026-00", "2026-13", "2026-9", "2026-h1",
        "2026H1", "2026-", "2026-H1-Q1", "2026-09-30", " 2026", "2026 ", "2026\n", "-2026", "2026–H1", "٢٠٢٦", "H1-2026",
    ],
)  # fmt: skip
def test_any_other_text_is_refused_with_the_allowed_forms(text: str) -> None:
    """What isn't written in one of the four forms is refused, and the message shows all four."""
    with pytest.raises(ValueError, match=r"^a period such as 2026, 2026-H2, 2026-Q3 or 2026-09$"):
        Period.parse(text)


@given(names)
def test_a_period_keeps_the_name_it_was_read_from(name: str) -> None:
    """A period is shown just as it stands in the register, and reads back as the same period."""
    period = Period.parse(name)
    assert period.name == name
    assert Period.parse(period.name) == period


@given(years, kinds)
def test_periods_of_one_kind_follow_each_other_without_gap_or_overlap(year: int, kind: str) -> None:
    """The day after a period's last day is the first day of the next, over the turn of the year as well."""
    parts = [f"{year:04}{part}" for part in PARTS[kind]] + [f"{year + 1:04}{PARTS[kind][0]}"]
    periods = [Period.parse(name) for name in parts]
    assert {period.kind for period in periods} == {kind}
    for period, following in pairwise(periods):
        assert period.first_day <= period.last_day
        assert period.last_day + timedelta(days=1) == following.first_day


@given(years, kinds)
def test_the_periods_of_a_year_cover_the_year(year: int, kind: str) -> None:
    """Halves, quarters and months together are exactly their year."""
    whole = Period.parse(f"{year:04}")
    periods = [Period.parse(f"{year:04}{part}") for part in PARTS[kind]]
    assert (periods[0].first_day, periods[-1].last_day) == (whole.first_day, whole.last_day)
    assert (whole.first_day, whole.last_day) == (date(year, 1, 1), date(year, 12, 31))


@pytest.mark.parametrize(
    ("rated", "meant", "why"),
    [
        ((4, 1), 0, "the latest period that is at least half rated: 4 of 4 risks; in 2026-H2 1"),
        ((4, 2), 1, "the latest period that is at least half rated: 2 of 4 risks"),
        ((1, 1), 1, "no period is half rated: 1 of 4 risks"),
        ((1, 0), 0, "no period is half rated: 1 of 4 risks; in 2026-H2 0"),
    ],
)
def test_the_period_that_is_meant_is_the_latest_that_is_half_rated(
    rated: tuple[int, int], meant: int, why: str
) -> None:
    """A scheduled run doesn't jump to a period because one rating exists, and says why it chooses which."""
    periods = [
        replace(Period.parse(name), rated=(number, 4))
        for name, number in zip(("2026-H1", "2026-H2"), rated, strict=True)
    ]
    assert (chosen(periods), reason(periods)) == (periods[meant], why)


def test_one_rating_of_a_new_period_does_not_move_what_is_assessed(tmp_path: Path) -> None:
    """The first rating of the next half-year leaves scores, checks and runs where they are; a unit's share, too."""
    first = {**ROWS["ratings"][-1], "period": "2026-H2", "rated_on": "2026-07-02"}
    register = riskcalc.load(write_register(tmp_path, lambda tables: tables["ratings"].append(first)))
    assert register.period().name == register.only("beta").period().name == "2026-H1"
    assert riskcalc.score(register).equals(riskcalc.score(register, "2026-H1"))
