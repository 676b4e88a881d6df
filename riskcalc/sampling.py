"""Tests of controls as statistics: what a sample says about the rate of deviation in its population.

Exact distributions throughout: binomial (Clopper and Pearson 1934) where the population is large or unknown,
hypergeometric where its size is known; floats decide only what they can tell apart. Confidence is one minus the risk of
overreliance (AU-C 530).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.special import betaincc, betaincinv, pdtr

Rate = float | str | Decimal | Fraction
Model = Literal["binomial", "poisson", "hypergeometric"]
_NEAR = 1e-9  # relative distance from the risk within which a floating-point probability is recomputed exactly
_LARGEST = 100_000  # items; a plan that needs more is no plan
_CHUNK = 4096  # terms that are added up at a time


def upper_limit(sample_size: int, deviations: int, confidence: Rate = 0.95, population: int | None = None) -> float:
    """The upper deviation limit: at this confidence, the population's deviation rate is at most this.

    Without ``population`` the one-sided Clopper-Pearson limit; with it K / population for the largest number K
    of deviating items with P(X <= deviations | K) > 1 - confidence, X hypergeometric.

    Raises:
        ValueError: deviations, sample size and population don't fit each other, or confidence isn't in (0, 1).

    >>> round(upper_limit(25, 0, confidence=0.90), 4)
    0.088
    """
    risk = _risk(sample_size, deviations, confidence)
    if population is not None:
        return _hypergeometric_limit(sample_size, deviations, risk, population) / population
    if deviations == sample_size:
        return 1.0
    return float(betaincinv(deviations + 1, sample_size - deviations, float(confidence)))


def limit_is_at_most(
    sample_size: int, deviations: int, rate: Rate, confidence: Rate = 0.95, population: int | None = None
) -> bool:
    """Whether the upper deviation limit is at most ``rate``: exactly, with the rate as it is written.

    A limit of 10 of 100 items is at most "0.10", which the binary float 0.1 of ``upper_limit`` exceeds.

    Raises:
        ValueError: as ``upper_limit``.

    >>> limit_is_at_most(19, 0, "0.10", "0.90", population=100), upper_limit(19, 0, 0.90, 100) <= Decimal("0.10")
    (True, False)
    """
    tolerable, risk = _exact(rate), _risk(sample_size, deviations, confidence)
    if population is None:
        return tolerable >= 1 or (tolerable > 0 and _binomial_at_most(sample_size, deviations, tolerable, risk))
    most, beyond = _most_deviating(sample_size, deviations, population), math.floor(tolerable * population) + 1
    if not deviations < beyond <= most:
        return beyond > most
    return not _hypergeometric_exceeds(population, beyond, sample_size, deviations, risk)


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
    largest = min(population or _LARGEST, _LARGEST)
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
    if allowed >= size:
        return False
    near = float(betaincc(allowed + 1, size - allowed, float(rate)))  # bdtr takes no more than 2^31 items
    if abs(near - float(risk)) > _NEAR * float(risk):
        return near <= float(risk)
    miss = 1 - rate
    return sum(math.comb(size, k) * rate**k * miss ** (size - k) for k in range(allowed + 1)) <= risk


@lru_cache(typed=True)  # 0.1 and Decimal(0.1) are equal, but not written alike
def _exact(rate: Rate) -> Fraction:
    """The rate as it is written: 0.07 is 7/100, not the binary float beside it."""
    return Fraction(rate) if isinstance(rate, Fraction) else Fraction(str(rate))


def _risk(sample_size: int, deviations: int, confidence: Rate) -> Fraction:
    """The risk of overreliance; raises ValueError for what no sample can say."""
    risk = 1 - _exact(confidence)
    if not 0 < risk < 1:
        raise ValueError(f"confidence is {confidence}; allowed: more than 0 and less than 1")
    if sample_size < 1 or not 0 <= deviations <= sample_size:
        raise ValueError(
            f"{deviations} deviations in {sample_size} items; allowed: 0 to the sample size, at least 1 item"
        )
    return risk


def _most_deviating(sample_size: int, deviations: int, population: int) -> int:
    """The items that deviate if all of those that weren't looked at do."""
    if sample_size > population:
        raise ValueError(f"{sample_size} items of a population of {population}; allowed: at most the population")
    return population - (sample_size - deviations)


def _hypergeometric_limit(sample_size: int, deviations: int, risk: Fraction, population: int) -> int:
    """The largest number of deviating items that the sample doesn't rule out.

    Looked for from the binomial's limit on, which by Wise's approximation (1954) is next to it.
    """
    low, high = deviations, _most_deviating(sample_size, deviations, population)
    rate = betaincinv(deviations + 1, max(sample_size - deviations, 0.5), float(1 - risk))
    near = int((rate * (2 * population - sample_size + 1) + deviations) / 2)
    while low < high:
        likely = (each for each in (near, near + 1, near - 1) if low < each <= high)
        middle = next(likely, (low + high + 1) // 2)
        plausible = _hypergeometric_exceeds(population, middle, sample_size, deviations, risk)
        low, high = (middle, high) if plausible else (low, middle - 1)
    return low


def _hypergeometric_exceeds(population: int, deviating: int, size: int, at_most: int, risk: Fraction) -> bool:
    """Whether P(X <= at_most) > risk for the deviations X in a sample of this size.

    In floats, and where these are too near to call, in whole numbers.
    """
    near = _hypergeometric(population, deviating, size, at_most)
    if abs(near - float(risk)) > _NEAR * float(risk):
        return near > float(risk)
    few, many = sorted((deviating, size))  # the two can be exchanged, and the whole numbers are smaller that way round
    least = max(0, few + many - population)
    over = under = 1  # over / under = the sum of P(X = x) / P(X = least), innermost first
    for x in reversed(range(least, min(at_most, few))):
        up, down = (few - x) * (many - x), (x + 1) * (population - few - many + x + 1)
        over, under = down * under + up * over, down * under
    first = math.comb(many, least) * math.comb(population - many, few - least)
    return first * over * risk.denominator > risk.numerator * math.comb(population, few) * under


def _hypergeometric(population: int, deviating: int, size: int, at_most: int) -> float:
    """P(X <= at_most) in floats, to some 12 digits for any population.

    The probability of ``at_most`` by Loader's saddle point (2000, Fast and accurate computation of binomial
    probabilities), for the logarithms of factorials lose all digits in large populations; those below it by ratios.
    """
    if at_most * population > size * deviating:  # beyond the mean, what is left counts: the sum below would be long
        return 1 - _hypergeometric(population, population - deviating, size, size - at_most - 1)
    least = max(0, size + deviating - population)
    if at_most < least:
        return 0.0
    chance = size / population, (population - size) / population
    log = (
        _log_binomial(at_most, deviating, *chance)
        + _log_binomial(size - at_most, population - deviating, *chance)
        - _log_binomial(size, population, *chance)
    )
    total, term, start = 1.0, 1.0, at_most
    while start > least and term > 1e-17 * total:
        x = np.arange(start, max(start - _CHUNK, least), -1, dtype=float)
        terms = term * np.cumprod(x / (deviating - x + 1) * ((population - deviating - size + x) / (size - x + 1)))
        total, term, start = total + float(terms.sum()), float(terms[-1]), start - len(x)
    return math.exp(log) * total


def _log_binomial(x: int, n: int, p: float, q: float) -> float:
    """The logarithm of P(X = x), X binomial."""
    if x in (0, n):
        return n * (math.log1p(-p) if x == 0 else math.log1p(-q)) if 0 < p < 1 else 0.0
    return (
        0.5 * math.log(n / (2 * math.pi * x * (n - x)))
        + _beyond_stirling(n)
        - _beyond_stirling(x)
        - _beyond_stirling(n - x)
        - _deviance(x, n * p)
        - _deviance(n - x, n * q)
    )


def _beyond_stirling(n: int) -> float:
    """What Stirling's formula lacks of log n!."""
    if n < 16:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / n**2) / n**2) / n**2) / n**2) / n


def _deviance(x: float, mean: float) -> float:
    """The deviance x log(x / mean) + mean - x, without the cancellation."""
    by = (x - mean) / mean
    return mean * ((1 + by) * math.log1p(by) - by)
