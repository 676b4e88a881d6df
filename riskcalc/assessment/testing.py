"""What tests of a control say: the rounds that count, what they add up to, and the conclusion.

Two questions are asked of the same rounds. *Now*: does the control work today? A control that failed, was repaired and
passed its retest counts again. *Over a period*: did it operate throughout? A repair never erases a deviation there.
Inquiry alone is no evidence of operation (AT-C 320; AU-C 330.A), but what it finds wrong speaks against a control.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from functools import cache, partial
from itertools import combinations
from typing import Any

import pandas as pd

from riskcalc.errors import at_most, rate
from riskcalc.register.methodology import Sampling
from riskcalc.register.periods import Period
from riskcalc.register.records import grouped
from riskcalc.sampling import limit_is_at_most, upper_limit
from riskcalc.sampling import sample_size as smallest

RANKS = {"not_effective": 0, "not_tested": 1, "insufficient_evidence": 2, "operated_effectively": 3}
_MOST = 8  # clean rounds that are tried without each other; of more, each by itself, and those without population
Days = tuple[date, date]


@dataclass(frozen=True)
class Conclusion:
    """What tests say about a control: one of the words in ``weights.operating``, and why.

    ``tests`` are those it rests on. ``untested_days`` are the days so far of the report's period that they don't cover,
    ``roll_forward`` the days at its end that they don't, those to come included; in neither are days before the control
    began. 0 where only today is asked about. ``unread``: it rests on somebody else's report that nobody has reviewed.
    ``open`` are days on which it was performed otherwise than today, or by somebody else, that nothing shows.
    """

    name: str
    reason: str
    sample_size: int = 0
    deviations: int = 0
    upper_limit: float | None = None
    tests: tuple[str, ...] = ()
    untested_days: int = 0
    roll_forward: int = 0
    unread: bool = False
    open: tuple[Days, ...] = ()


def in_words(conclusion: str, report_type: object) -> str:
    """A conclusion's name in words: for a Type 1 report, which tests no operation, a control is in use, no more.

    >>> in_words("operated_effectively", "type1"), in_words("operated_effectively", "type2")
    ('in use', 'operated effectively')
    """
    in_use = report_type == "type1" and conclusion == "operated_effectively"
    return "in use" if in_use else conclusion.replace("_", " ")


@dataclass(frozen=True)
class Round:
    """A round of a test: what it covered, the items looked at, and those that deviated.

    ``days`` are those of its columns, else its period's; no test covers a day after ``tested_on``.
    """

    test_id: str
    kind: str
    tested_on: date
    days: Days
    items: int
    deviations: int
    systematic: bool
    population: int | None
    retest_of: str | None
    inquiry: bool

    @classmethod
    def of(cls, row: Any) -> Round:
        """The round that a row of control_tests tells of."""
        period = Period.parse(row["period"])
        given = not pd.isna(row["covers_from"])
        days = (row["covers_from"].date(), row["covers_to"].date()) if given else (period.first_day, period.last_day)
        whole = row["selection"] == "whole"
        return cls(
            row["test_id"],
            row["kind"],
            row["tested_on"].date(),
            days,
            int(row["sample_size"]),
            int(row["deviations"]),
            bool(row["systematic"]),
            int(row["sample_size"]) if whole else None if pd.isna(row["population"]) else int(row["population"]),
            None if pd.isna(row["retest_of"]) else row["retest_of"],
            row["nature"] == "inquiry",
        )

    @property
    def covered(self) -> Days:
        """Its days up to the day it was tested; none, the last before the first, if that was before all of them."""
        return self.days[0], min(self.days[1], self.tested_on)


def conclude(
    sample_size: int,
    deviations: int,
    systematic: bool,
    planned: int,
    sampling: Sampling,
    population: int | None = None,
    tests: tuple[str, ...] = (),
) -> Conclusion:
    """Conclude on a test of operation: operated effectively, not effective, or insufficient evidence.

    ``planned`` is the sample size that the control's frequency asks for (``planned_size``), ``tests`` are the rounds.
    """
    tolerable, confidence = sampling.tolerable_deviation_rate, sampling.confidence
    limit = _limit(sample_size, deviations, confidence, population)

    def concluded(name: str, reason: str) -> Conclusion:
        return Conclusion(name, reason, sample_size, deviations, limit, tests)

    tested = f"{deviations} of {sample_size} deviated"
    if systematic:
        return concluded("not_effective", f"{tested}, systematically")
    if deviations and Fraction(deviations, sample_size) > Fraction(tolerable):
        return concluded("not_effective", f"{tested}, more than the tolerable {rate(tolerable)}")
    if sample_size == population:
        name = "operated_effectively"  # not more than tolerable, and nothing is left that could deviate
        every = "the one item there is was" if population == 1 else f"all {population}"
        return concluded(name, f"{every} tested, {deviations} deviated")
    if _is_tolerable(sample_size, deviations, tolerable, confidence, population):
        shown = f"at {rate(confidence)} confidence at most {at_most(limit)} deviate"
        return concluded("operated_effectively", f"{tested}: {shown}")
    if deviations == 0 and sample_size >= planned:
        return concluded("operated_effectively", f"{tested}; the planned size for its frequency is {planned}")
    return concluded("insufficient_evidence", f"{tested}; too little to conclude")


def planned_size(frequency: str, population: int | None, sampling: Sampling, months: int | None = None) -> int:
    """The sample size for a frequency, at most the population; by the statistics where the frequency isn't fixed.

    Sizes are those for ``planned_size_months``; for another number of ``months`` they are scaled, and rounded up.

    >>> from riskcalc.register.register import load
    >>> sampling = load("data").methodology.sampling
    >>> planned_size("daily", None, sampling), planned_size("daily", None, sampling, months=6)
    (15, 8)
    """
    sizes = {"half_yearly": 2, **sampling.planned_size}
    if frequency in sizes:
        base = sampling.planned_size_months
        fixed = -(-sizes[frequency] * (months or base) // base)  # rounded up
        return fixed if population is None else min(fixed, population)
    tolerable, confidence = sampling.tolerable_deviation_rate, sampling.confidence
    if population is None:
        return smallest(tolerable, 0, confidence)
    shown = partial(limit_is_at_most, deviations=0, rate=tolerable, confidence=confidence, population=population)
    return 1 + bisect_left(range(1, population), True, key=shown)  # all of them where nothing less is enough


@dataclass(frozen=True)
class Basis:
    """A control and how its tests are concluded on: its frequency, whether one item is enough, the months tested.

    ``days`` are those asked about, so far, of which tests may leave as many uncovered as are ``allowed``; unless it is
    asked about them ``throughout``, those before its tests' first don't matter.
    """

    frequency: str
    once: bool
    months: int
    sampling: Sampling
    days: Days
    allowed: int
    throughout: bool

    def planned(self, population: int | None) -> int:
        """How many items its tests are to look at."""
        return 1 if self.once else planned_size(self.frequency, population, self.sampling, self.months)

    def operation(self, rounds: Sequence[Round]) -> Conclusion | None:
        """Conclude on rounds of a test of operation together; None if there is none that counts."""
        items, deviations, given = _added(rounds)
        if not items:
            return None
        population = given if given and self._is_whole(rounds) else None
        # an ad hoc control's planned size is the smallest with a tolerable limit, which is looked at anyway
        planned = items + 1 if self.frequency == "ad_hoc" and not self.once else self.planned(population)
        systematic = any(each.systematic for each in rounds)
        tests = tuple(each.test_id for each in rounds)
        return conclude(items, deviations, systematic, planned, self.sampling, population, tests)

    def drawn_from(self, rounds: Iterable[Round]) -> int | None:
        """The population of the tests of operation among the rounds."""
        found = _counting(each for each in rounds if each.kind == "operation")
        return _added(found)[2] if self._is_whole(found) else None

    def _is_whole(self, rounds: Sequence[Round]) -> bool:
        """Whether the population of rounds is that of all days, but for those that may be left uncovered."""
        first = self.days[0] if self.throughout else min((each.days[0] for each in rounds), default=self.days[0])
        untested, _ = uncovered((max(first, self.days[0]), self.days[1]), [each.covered for each in rounds])
        return untested <= self.allowed or self.once or self.frequency == "annual"  # performed, or to be tested, once

    def best(self, rounds: Sequence[Round], rank: Callable[[Conclusion], tuple[int, int]]) -> Conclusion | None:
        """As ``operation``, with clean rounds left aside where they show too little and only add untested items."""
        found = self.operation(rounds)
        if found is None or found.name != "insufficient_evidence":
            return found
        clean = [each for each in rounds if not each.deviations]
        sizes = range(1, len(clean) + 1) if len(clean) <= _MOST else (1,)
        subsets = [set(aside) for size in sizes for aside in combinations(clean, size)]
        subsets.append({each for each in clean if each.population is None})
        others = (self.operation([each for each in rounds if each not in aside]) for aside in subsets)
        return max([found, *(other for other in others if other)], key=rank)


def now(control: Basis, rounds: Iterable[Round], repaired: Iterable[date], type1: bool) -> Conclusion | None:
    """Does it work today? ``rounds`` are those of the look-back, ``repaired`` the days its deficiencies were closed.

    After a repair, a control counts again from the rounds tested since, whose days reach beyond it; so does one that
    passed a retest. Type 1 asks for the latest walkthrough; tests of operation speak against it where they
    conclude not effective, until those since a repair don't any more, never for it.
    """
    found = tuple(rounds)
    judge = _in_use if type1 else _operating
    by_id = {each.test_id: each for each in found}
    failed = {name: each for name, each in by_id.items() if each.deviations}  # there is nothing to repair in others
    retested = {failed[each.retest_of].tested_on for each in found if each.retest_of in failed}
    concluded = judge(control, found)

    def is_since(repair: date, one: Round) -> bool:
        first = by_id.get(one.retest_of or "")
        if first is not None and first.tested_on <= repair:
            return one.tested_on > repair or first.tested_on == one.tested_on
        return one.tested_on > repair and one.days[1] > repair

    for repair in sorted({*repaired, *retested}):
        since = [one for one in found if is_since(repair, one)]
        again = judge(control, since) if since else None
        if again and RANKS[again.name] > max(1, RANKS[concluded.name] if concluded else 1):
            concluded = replace(again, reason=f"{again.reason}, since its repair")
        operated = _of_its_operation(control, since) if type1 else None
        if operated and operated.name != "not_effective" and concluded and concluded.name == "not_effective":
            walked = _walked(found)  # its operation speaks against it no more, and still not for it
            concluded = walked and replace(walked, reason=f"{walked.reason}; its operation holds since its repair")
    return concluded


def over_period(control: Basis, rounds: Iterable[Round], report: Days, as_of: date) -> Conclusion | None:
    """Did it operate throughout the report's period? ``rounds`` are those over any of its days, tested by ``as_of``.

    ``report`` are its days; of a control that began in them, those since. Rounds add up, but one that was not effective
    by itself, or with others over exactly its days, or over days that overlap with its own, isn't made good by another.
    """
    operation = _of_operation(rounds)
    counting, ids = _counting(operation), {each.test_id for each in operation}
    exempt = control.once or control.frequency == "annual"  # performed, or to be tested, once: no day is left over

    def dated(found: Conclusion) -> Conclusion:
        shown = [each for each in operation if each.test_id in found.tests or each.retest_of in ids]
        covered = [each.covered for each in shown if not each.inquiry and each.kind == "operation"]
        untested, _ = uncovered((report[0], min(report[1], as_of)), covered)
        _, at_end = uncovered(report, covered)
        return replace(found, untested_days=0 if exempt else untested, roll_forward=0 if exempt else at_end)

    found = control.best(counting, lambda one: (RANKS[one.name], -dated(one).untested_days))
    for days, group in (*_alone(operation), *_by_days(counting).items()):
        alone = control.operation(group) if group != counting else None  # they have been concluded on already
        if found and alone and alone.name == "not_effective" != found.name:
            last = min(days[1], max(each.tested_on for each in group))  # no test covers a day after it
            reason = f"{alone.reason}, in {days[0]} to {last}"
            found = replace(found, name="not_effective", reason=reason)
    return dated(found) if found else None


def added(rounds: Iterable[Round], tests: Iterable[str]) -> tuple[int, int]:
    """The items that some of the rounds' tests looked at, each counted once, and those of them that deviated."""
    items, deviations, _ = _added(each for each in _counting(_of_operation(rounds)) if each.test_id in tests)
    return items, deviations


def uncovered(days: Days, covered: Iterable[Days]) -> tuple[int, int]:
    """How many of the days aren't covered, and how many of those are at their end.

    >>> uncovered((date(2026, 1, 1), date(2026, 1, 31)), [(date(2026, 1, 3), date(2026, 1, 30))])
    (3, 1)
    """
    reached, missing = days[0] - timedelta(days=1), 0
    clipped = sorted((max(first, days[0]), min(last, days[1])) for first, last in covered)
    for first, last in (each for each in clipped if each[0] <= each[1]):
        missing += max(0, (first - reached).days - 1)
        reached = max(reached, last)
    at_end = max(0, (days[1] - reached).days)
    return missing + at_end, at_end


# --- parts ---

_limit = cache(upper_limit)
_is_tolerable = cache(limit_is_at_most)


def _operating(control: Basis, rounds: Sequence[Round]) -> Conclusion | None:
    return control.best(_counting(_of_operation(rounds)), lambda one: (RANKS[one.name], 0))


def _of_operation(rounds: Iterable[Round]) -> list[Round]:
    """Tests of operation, and walkthroughs that deviated: those can't speak for operation, but against it."""
    return [each for each in rounds if each.kind == "operation" or each.deviations]


def _in_use(control: Basis, rounds: Sequence[Round]) -> Conclusion | None:
    """A walkthrough shows that a control is in use, the latest day's, unless tests of its operation say otherwise."""
    against = _of_its_operation(control, rounds)
    if against and against.name == "not_effective":
        return replace(against, reason=f"{against.reason}, when its operation was tested")
    return _walked(rounds)


def _of_its_operation(control: Basis, rounds: Sequence[Round]) -> Conclusion | None:
    return control.operation(_counting(each for each in rounds if each.kind == "operation"))


def _walked(rounds: Sequence[Round]) -> Conclusion | None:
    walked = [each for each in rounds if each.kind == "walkthrough" and (each.deviations or not each.inquiry)]
    if not walked:
        return None
    latest = [each for each in walked if each.tested_on == max(one.tested_on for one in walked)]
    items, deviations = sum(each.items for each in latest), sum(each.deviations for each in latest)
    name = "not_effective" if deviations else "operated_effectively"
    reason = f"{deviations} of {items} walked through deviated" if deviations else "walked through: it is in use"
    return Conclusion(name, reason, items, deviations, tests=tuple(each.test_id for each in latest))


def _counting(rounds: Iterable[Round]) -> list[Round]:
    """The rounds as they count: of inquiries, walkthroughs, and retests beside what they retest, only what deviated."""
    found = list(rounds)
    ids = {each.test_id for each in found}
    weak = [each.inquiry or each.kind == "walkthrough" or each.retest_of in ids for each in found]
    return [
        replace(each, items=each.deviations, population=None) if is_weak else each
        for each, is_weak in zip(found, weak, strict=True)
        if each.deviations or not is_weak
    ]


def _by_days(rounds: Iterable[Round]) -> dict[Days, list[Round]]:
    """Rounds whose days overlap, by the days that they cover together."""
    groups: list[list[Round]] = []
    last = date.min
    for each in sorted(rounds, key=lambda one: one.days):
        if each.days[0] > last:
            groups.append([])
        groups[-1].append(each)
        last = max(last, each.days[1])
    return {(group[0].days[0], max(one.days[1] for one in group)): group for group in groups}


def _alone(rounds: Sequence[Round]) -> list[tuple[Days, list[Round]]]:
    """Rounds over exactly the same days, with all their items; inquiries and retests dilute no other round.

    A walkthrough that deviated stands by itself: its items don't speak for operation, so they dilute nothing.
    """
    ids = {each.test_id for each in rounds}

    def alike(each: Round) -> tuple[Days, str, bool, bool]:
        kind = each.test_id if each.kind == "walkthrough" else each.kind
        return each.days, kind, each.inquiry, each.retest_of in ids

    groups = grouped((alike(each), each) for each in sorted(rounds, key=lambda one: one.days))
    return [(days, group) for (days, *_), group in groups.items()]


def _added(rounds: Iterable[Round]) -> tuple[int, int, int | None]:
    """Items, deviations and population of rounds together: those over exactly the same days share one population.

    One that gives none leaves it unknown for all: no other round's population is its own. Rounds that together reach
    a population which none of them covers may have tested the same items twice: its size is then of no use.
    """
    items = deviations = 0
    populations: list[int | None] = []
    for group in grouped((each.days, each) for each in rounds).values():
        tested, deviating = sum(each.items for each in group), sum(each.deviations for each in group)
        given = [each.population for each in group]
        known = max(filter(None, given)) if all(given) else None
        if known and tested >= known:
            whole = deviating <= known and any(each.items == known for each in group)
            tested, known = (known, known) if whole else (tested, None)
        items, deviations = items + tested, deviations + deviating
        populations.append(known)
    return items, deviations, sum(filter(None, populations)) if populations and all(populations) else None
