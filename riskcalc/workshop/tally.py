"""What a group's votes on one axis say: how they are distributed, where their middle lies, whether there are camps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise
from math import ceil

_CAMP = Fraction(1, 4)  # a camp holds at least this share of the votes, and two of them


@dataclass(frozen=True)
class Tally:
    """The votes on one axis; ratings are 1-based.

    ``counts`` has the votes per rating, lowest first, ``abstained`` those who can't say. ``median`` holds the two
    middle votes, which are the same where the group has one middle; ``spread`` the middle half of the votes
    (nearest-rank quartiles). ``agreement`` runs from -1 (two opposite camps) over 0 (all over the scale) to 1
    (unanimous). ``camps`` names the nearest votes of two camps with nobody between them. All four are None where
    nobody could say.
    """

    counts: tuple[int, ...]
    abstained: int
    median: tuple[int, int] | None
    spread: tuple[int, int] | None
    agreement: float | None
    camps: tuple[int, int] | None

    @property
    def suggestion(self) -> int | None:
        """The median as one rating, halves up, as residuals are read; None where nobody could say."""
        return None if self.median is None else ceil(sum(self.median) / 2)

    @property
    def votes(self) -> int:
        """How many voted, those who can't say included."""
        return sum(self.counts) + self.abstained


def tally(votes: Sequence[int | None], ratings: int) -> Tally:
    """Count the votes on a scale of ``ratings`` steps; None is "can't say".

    >>> tally([2, 2, 3, 5, None], 5).median
    (2, 3)
    """
    given = sorted(vote for vote in votes if vote is not None)
    counts = tuple(given.count(rating) for rating in range(1, ratings + 1))
    abstained = len(votes) - len(given)
    if not given:
        return Tally(counts, abstained, None, None, None, None)
    middle = (given[(len(given) - 1) // 2], given[len(given) // 2])
    spread = tuple(given[ceil(len(given) * quarter / 4) - 1] for quarter in (1, 3))
    return Tally(counts, abstained, middle, (spread[0], spread[1]), agreement(counts), _camps(given))


def agreement(counts: Sequence[int]) -> float:
    """Van der Eijk's measure of agreement A of votes on an ordered scale, -1 to 1.

    The distribution is cut into layers of equal height; a layer of S filled ratings of K has U x (1 - (S - 1)/(K - 1)),
    where U, from -1 to 1, tells whether those are next to each other; A is their mean, weighted by size. On a scale of
    two ratings U is 1.

    Source: van der Eijk, Measuring agreement in ordered rating scales, Quality and Quantity 35 (2001), 325-341.

    >>> round(agreement([30, 40, 210, 130, 530, 50, 10]), 7)
    0.6113333
    """
    left, total, found = list(counts), sum(counts), Fraction(0)
    while any(left):
        filled = [count > 0 for count in left]
        height = min(count for count in left if count)
        found += Fraction(height * sum(filled), total) * _of_layer(filled)
        left = [count - height if count else 0 for count in left]
    return float(found)


def _of_layer(filled: Sequence[bool]) -> Fraction:
    together = apart = 0
    for first, middle, last in combinations(filled, 3):
        together += middle and first != last
        apart += first and last and not middle
    size, used = len(filled), sum(filled)
    unimodal = Fraction(1)
    if together + apart:
        unimodal = Fraction((size - 2) * together - (size - 1) * apart, (size - 2) * (together + apart))
    return unimodal * (1 - Fraction(used - 1, size - 1))


def _camps(given: Sequence[int]) -> tuple[int, int] | None:
    """The widest gap between votes that has a camp on both of its sides."""
    least = max(2, ceil(len(given) * _CAMP))
    gaps = [(high - low, low, high) for low, high in pairwise(given) if high - low > 1]
    for _, low, high in sorted(gaps, reverse=True):
        below = sum(vote <= low for vote in given)
        if below >= least and len(given) - below >= least:
            return low, high
    return None
