"""Tests of controls as statistics: what a sample says about the rate of deviation in its population.

Exact distributions throughout: binomial (Clopper and Pearson 1934) where the population is large or unknown,
hypergeometric where its size is known. Confidence is one minus the risk of overreliance (AU-C 530).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from scipy.special import bdtr, betaincinv, pdtr

Rate = float | str | Decimal | Fraction
Model = Literal["binomial", "poisson", "hypergeometric"]
_NEAR = 1e-9  # relative distance from the risk within which a floating-point probability is recomputed exactly
_LARGEST = 100_000  # items; a plan that needs more is no plan


def upper_limit(sample_size: int, deviations: int, confidence: Rate = 0.95, population: int | None = None) -> float:
    """The upper deviation limit: at this confidence, the population's deviation rate is at most this.

    Without ``population`` the one-sided Clopper-Pearson limit; with it K / population for the largest number K
    of deviating items with P(X <= deviations | K) > 1 - confidence, X hypergeometric.

    Raises:
        ValueError: deviations, sample size and population don't fit each other, or confidence isn't in (0, 1).

    >>> round(upper_limit(25, 0, confidence=0.90), 4)
    0.088
    """
    risk = 1 - _exact(confidence)
    if not 0 < risk < 1:
        raise ValueError(f"confidence is {confidence}; allowed: more than 0 and less than 1")
    if sample_size < 1 or not 0 <= deviations <= sample_size:
        raise ValueError(
            f"{deviations} deviations in {sample_size} items; allowed: 0 to the sample size, at least 1 item"
        )
    if population is not None:
        return _hypergeometric_limit(sample_size, deviations, risk, population) / population
    if deviations == sample_size:
        return 1.0
    return float(betaincinv(deviations + 1, sample_size - deviations, float(confidence)))


def sample_size(
    tolerable_rate: Rate,
    expected_rate: Rate = 0.0,
    confidence: Rate = 0.95,
    population: int | None = None,
    model: Model | None = None,
) -> int:
    """The smallest sample that can show, at this confidence, that the deviation rate is tolerable.

    The smallest n with P(X <= ceil(expected_rate x n)) <= 1 - confidence, where X counts the deviations in a sample
    from a population that deviates at the tolerable rate: with ``model`` binomial, poisson (reliability factors), or
    hypergeometric with ceil(tolerable_rate x population) deviating items. Without ``model`` it is hypergeometric where
    the population is known, and binomial otherwise. Rates are taken as they are written: 0.07 is 7/100.

    Raises:
        ValueError: a rate or the confidence is out of range, the expected rate isn't below the tolerable one, a
            hypergeometric plan has no population, or no sample of the population (or of 100,000 items) is enough.

    >>> sample_size(0.05), sample_size(0.05, model="poisson"), sample_size("0.10", confidence="0.90", population=52)
    (59, 60, 16)
    """
    tolerable, expected, risk = _exact(tolerable_rate), _exact(expected_rate), 1 - _exact(confidence)
    if not 0 < risk < 1:
        raise ValueError(f"confidence is {confidence}; allowed: more than 0 and less than 1")
    if not 0 <= expected < tolerable < 1:
        raise ValueError(
            f"expected rate {expected_rate}, tolerable {tolerable_rate}; allowed: 0 <= expected < tolerable < 1"
        )
    chosen = model or ("binomial" if population is None else "hypergeometric")
    if chosen == "hypergeometric" and population is None:
        raise ValueError("a hypergeometric plan needs the population's size")
    enough = _plan(chosen, tolerable, risk, population)
    largest = population or _LARGEST
    for size in range(1, largest + 1):
        if enough(size, math.ceil(expected * size)):
            return size
    raise ValueError(f"no sample of up to {largest} items is enough for these rates")


def _plan(model: Model, tolerable: Fraction, risk: Fraction, population: int | None) -> Callable[[int, int], bool]:
    """Whether a sample of a size, with so many deviations allowed, uses up no more than the risk."""
    if model == "poisson":
        return lambda size, allowed: bool(pdtr(allowed, float(tolerable * size)) <= float(risk) * (1 + _NEAR))
    if model == "binomial":
        return lambda size, allowed: _binomial_at_most(size, allowed, tolerable, risk)
    assert population is not None, "sample_size asks for it"
    deviating = math.ceil(tolerable * population)
    return lambda size, allowed: not _hypergeometric_exceeds(population, deviating, size, allowed, risk)


def _binomial_at_most(size: int, allowed: int, rate: Fraction, risk: Fraction) -> bool:
    """Whether P(X <= allowed) <= risk, X binomial; in whole numbers where floats are too near to call."""
    near = float(bdtr(allowed, size, float(rate)))
    if abs(near - float(risk)) > _NEAR * float(risk):
        return near <= float(risk)
    miss = 1 - rate
    return sum(math.comb(size, k) * rate**k * miss ** (size - k) for k in range(allowed + 1)) <= risk


def _exact(rate: Rate) -> Fraction:
    """The rate as it is written: 0.07 is 7/100, not the binary float beside it."""
    return Fraction(rate) if isinstance(rate, Fraction) else Fraction(str(rate))


def _hypergeometric_limit(sample_size: int, deviations: int, risk: Fraction, population: int) -> int:
    """The largest number of deviating items that the sample doesn't rule out; exact, in whole numbers."""
    if sample_size > population:
        raise ValueError(f"{sample_size} items of a population of {population}; allowed: at most the population")
    low, high = deviations, population - (sample_size - deviations)
    while low < high:
        middle = (low + high + 1) // 2
        plausible = _hypergeometric_exceeds(population, middle, sample_size, deviations, risk)
        low, high = (middle, high) if plausible else (low, middle - 1)
    return low


def _hypergeometric_exceeds(population: int, deviating: int, size: int, at_most: int, risk: Fraction) -> bool:
    """Whether P(X <= at_most) > risk for the deviations X in a sample of this size; exact, in whole numbers."""
    ways = sum(
        math.comb(deviating, found) * math.comb(population - deviating, size - found) for found in range(at_most + 1)
    )
    return ways > risk * math.comb(population, size)
