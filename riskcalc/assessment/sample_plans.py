"""How many items of each control to test, and what that many would show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from riskcalc.assessment.context import Context
from riskcalc.errors import UsageError
from riskcalc.register.methodology import Sampling
from riskcalc.register.periods import Period
from riskcalc.sampling import sample_size, upper_limit

# How often a control of a frequency is performed in a year, where that is a fixed number.
_A_YEAR = {"annual": 1, "half_yearly": 2, "quarterly": 4, "monthly": 12}
_MONTHS = {"year": 12, "half-year": 6, "quarter": 3, "month": 1}


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

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain values, for ``riskcalc plan --json``."""
        return asdict(self)


def plan(context: Context, units: tuple[str, ...] = ()) -> list[Planned]:
    """A planned sample for every control that the units perform themselves; of all units by default.

    The size is the methodology's for the control's frequency, but never more than there is to test: a quarterly
    control is performed twice in a half-year. A control without a fixed frequency gets the smallest sample that can
    show a tolerable rate. Populations are those of the frequency, else those given with the period's tests.

    Raises:
        UsageError: an unknown unit.
    """
    for unit_id in units:
        context.register.unit(unit_id)
    return list(_plans(context, units))


def of_control(plans: list[Planned], control_id: str) -> Planned:
    """The plan of one control; raises UsageError for a control that isn't planned for."""
    for planned in plans:
        if planned.control_id == control_id:
            return planned
    raise UsageError(
        f"No sample is planned for control {control_id!r}: it isn't in the register, or others perform it."
    )


def _plans(context: Context, units: tuple[str, ...]) -> Iterator[Planned]:
    sampling = context.register.methodology.sampling
    known = context.tests.dropna(subset="population").groupby("control_id")["population"].max().astype(int).to_dict()
    for control in context.register.controls.to_dict("records"):
        if control["performed_by"] != "own" or (units and control["unit_id"] not in units):
            continue
        population = _performed(control["frequency"], context.period) or known.get(control["control_id"])
        rules, nature = context.register.methodology.evidence, control["nature"]
        once = rules.automated_once and nature == "automated" and bool(control["relies_on"])
        size = 1 if once else planned_size(control["frequency"], population, sampling, _MONTHS[context.period.kind])
        source = "automated: once, while its IT general controls hold" if once else _source(control, sampling)
        identity = (control["unit_id"], control["control_id"], control["title"], control["frequency"])
        yield Planned(*identity, size, population, buys(size, population, sampling), source)


def _performed(frequency: str, period: Period) -> int | None:
    """How often a control is performed in a period; a rarer one than the period is long once, if at all."""
    a_year = _A_YEAR.get(frequency)
    return None if a_year is None else max(1, a_year * _MONTHS[period.kind] // 12)


def _source(control: Any, sampling: Sampling) -> str:
    return "smallest sample that can show a tolerable rate" if control["frequency"] == "ad_hoc" else sampling.source


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
    if population == 1:
        return 1
    return sample_size(sampling.tolerable_deviation_rate, 0, sampling.confidence, population)


def buys(size: int, population: int | None, sampling: Sampling) -> str:
    """What ``size`` items without deviation would show, in a sentence that names the model."""
    if size == population:
        return f"all {size}: what is found is the rate"
    limit = upper_limit(size, 0, sampling.confidence, population)
    model = "binomial" if population is None else f"hypergeometric, population {population:,}"
    confidence = f"{float(sampling.confidence) * 100:.3g} % confidence"
    return f"{size} without deviation: at {confidence} at most {limit * 100:.1f} % deviate ({model})"
