"""Tests of controls as statistics: what a sample says about the rate of deviation in its population.

Exact distributions throughout: binomial (Clopper and Pearson 1934) where the population is large or unknown,
hypergeometric where its size is known. Confidence is one minus the risk of overreliance (AU-C 530).
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

from scipy.special import betaincinv

Rate = float | Decimal | Fraction


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


def _exact(rate: Rate) -> Fraction:
    """The rate as it is written: 0.07 is 7/100, not the binary float beside it."""
    return Fraction(rate) if isinstance(rate, Fraction) else Fraction(str(rate))


def _hypergeometric_limit(sample_size: int, deviations: int, risk: Fraction, population: int) -> int:
    """The largest number of deviating items that the sample doesn't rule out; exact, in whole numbers."""
    if sample_size > population:
        raise ValueError(f"{sample_size} items of a population of {population}; allowed: at most the population")
    samples = math.comb(population, sample_size)

    def plausible(deviating: int) -> bool:
        ways = sum(
            math.comb(deviating, found) * math.comb(population - deviating, sample_size - found)
            for found in range(deviations + 1)
        )
        return ways > risk * samples

    low, high = deviations, population - (sample_size - deviations)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if plausible(middle) else (low, middle - 1)
    return low
