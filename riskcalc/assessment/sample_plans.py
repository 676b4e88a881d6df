"""How many items of each control to test, and what that many would show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from riskcalc.assessment import evidence
from riskcalc.assessment.context import Context
from riskcalc.assessment.subservice import tested_here
from riskcalc.assessment.testing import Basis, Days
from riskcalc.errors import UsageError, at_most, counted, rate
from riskcalc.register.methodology import Sampling
from riskcalc.sampling import upper_limit

# How often a control of a frequency is performed in a year, where that is a fixed number.
_A_YEAR = {"annual": 1, "half_yearly": 2, "quarterly": 4, "monthly": 12}


@dataclass(frozen=True)
class Planned:
    """A control's planned sample: its size, the population if its number is known, what that buys, and its source."""

    unit_id: str
    control_id: str
    title: str
    frequency: str
    size: int
    population: int | None
    buys: str
    source: str


def plan(
    context: Context, units: tuple[str, ...] = (), populations: Mapping[str, int] = MappingProxyType({})
) -> list[Planned]:
    """A planned sample for every control that tests conclude on; of all units by default.

    The size is the one that the report's conclusion asks for: the methodology's for the control's frequency and the
    months of the report so far, but never more than there is to test; where no report reaches into the period, that
    which the conclusion on today asks for, over its look-back. A control without a fixed frequency gets the smallest
    sample that can show a tolerable rate; a Type 1 unit's is walked through once. Of a control that was performed
    otherwise, or by others, on some of the report's days, each part that we test has a size of its own.
    Populations, by control, are those given, else those of the tests; where neither is known, there is no more to test
    than the frequency says.

    Raises:
        UsageError: an unknown unit.
    """
    for unit_id in units:
        context.register.unit(unit_id)
    return list(_plans(context, units, populations))


def without_report(context: Context, units: tuple[str, ...] = ()) -> list[str]:
    """The units with a Type 2 report, no day of which is in the period: their sizes are those of the look-back."""
    asked = [one for one in context.register.rows("business_units") if not units or one["unit_id"] in units]
    type2 = [one for one in asked if one["report_type"] == "type2"]
    return [one["unit_id"] for one in type2 if not evidence.reports_on(context, one)]


def of_control(plans: list[Planned], control_id: str) -> Planned:
    """The plan of one control; raises UsageError for a control that isn't planned for."""
    for planned in plans:
        if planned.control_id == control_id:
            return planned
    why = "it isn't in the register, has ended, or others perform it"
    raise UsageError(f"No sample is planned for control {control_id!r}: {why}.")


def days_of(context: Context, control_id: str) -> Days:
    """The days, up to ``as_of``, that a control's planned sample is about: of its report, or its look-back; its own."""
    control = next(each for each in context.register.rows("controls") if each["control_id"] == control_id)
    days = [basis.days for row, basis in evidence.asked_for(context, control) if tested_here(context.register, row)]
    return days[0][0], min(days[-1][1], context.as_of)


def _plans(context: Context, units: tuple[str, ...], populations: Mapping[str, int]) -> Iterator[Planned]:
    for control in context.register.rows("controls"):
        asked, given = evidence.asked_for(context, control), populations.get(control["control_id"])
        parts = [one for one in asked if tested_here(context.register, one[0])]
        if not parts or (units and control["unit_id"] not in units):
            continue
        identity = (control["unit_id"], control["control_id"], control["title"], parts[-1][0]["frequency"])
        if control["report_type"] == "type1":
            yield Planned(*identity, 1, None, "one walkthrough: whether it is in use", "Type 1: walked through")
            continue
        sizes, known, bought, sources = zip(*(_part(context, *one, given) for one in parts), strict=True)
        if len(asked) == 1:
            yield Planned(*identity, sizes[0], known[0], bought[0], sources[0])
            continue
        told = [
            f"{basis.days[0]} to {basis.days[1]}, {basis.frequency.replace('_', ' ')}: {said}"
            for (_, basis), said in zip(parts, bought, strict=True)
        ]
        size = min(sum(sizes), given or sum(sizes))
        yield Planned(*identity, size, given, "; ".join(told), "; ".join(dict.fromkeys(sources)))


def _part(context: Context, row: Any, basis: Basis, population: int | None) -> tuple[int, int | None, str, str]:
    """Of a control on the days of a basis: the size, the population, what that buys, and the size's source."""
    population = population or basis.drawn_from(evidence.in_window(context, row, basis.days))
    performed = _performed(row["frequency"], basis.months)
    size = basis.planned(population or performed)
    return size, population, buys(size, population, basis.sampling, performed), _source(row["frequency"], basis)


def _performed(frequency: str, months: int) -> int | None:
    """How often at most a control is performed in so many months, where that is a fixed number."""
    a_year = _A_YEAR.get(frequency)
    return None if a_year is None else -(-a_year * months // 12)


def _source(frequency: str, basis: Basis) -> str:
    if basis.once:
        return "automated: once, while its IT general controls hold"
    return "smallest sample that can show a tolerable rate" if frequency == "ad_hoc" else basis.sampling.source


def buys(size: int, population: int | None, sampling: Sampling, performed: int | None = None) -> str:
    """What ``size`` items without deviation would show, in a sentence that names the model.

    ``performed`` is how often the control's frequency says, which stands in for a population that nobody knows.
    """
    number, by_frequency = population or performed, f", if performed {counted(performed or 0, 'time')}"
    if size == number:
        every = "the one item there is" if size == 1 else f"all {size}"
        return f"{every}{'' if population else by_frequency}: what is found is the rate"
    limit = upper_limit(size, 0, sampling.confidence, number)
    drawn_from = f", population {population:,}" if population else by_frequency
    model = f"hypergeometric{drawn_from}" if number else "binomial"
    confidence = f"{rate(sampling.confidence)} confidence"
    return f"{size} without deviation: at {confidence} at most {at_most(limit)} deviate ({model})"
