"""What a group's votes say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskcalc.workshop.tally import agreement, tally

VOTES = st.lists(st.one_of(st.none(), st.integers(1, 5)), max_size=20)


def test_agreement_of_the_published_example() -> None:
    """The example of R's agrmt 1.42 (`agreement`), after van der Eijk 2001, p. 331: 0.6113333."""
    assert agreement([30, 40, 210, 130, 530, 50, 10]) == pytest.approx(0.6113333, abs=5e-8)


@pytest.mark.parametrize(("counts", "expected"), [([0, 9, 0, 0], 1), ([4, 0, 0, 4], -1), ([3, 3, 3, 3, 3], 0)])
def test_agreement_at_its_named_points(counts: list[int], expected: float) -> None:
    """As its author says: 1 for unanimity, -1 for two opposite camps, 0 for votes all over the scale."""
    assert agreement(counts) == pytest.approx(expected)


@given(VOTES)
def test_the_spread_holds_the_median_and_at_least_half_of_the_votes(votes: list[int | None]) -> None:
    """The middle half lies around the middle; nobody's vote is counted twice or lost."""
    found = tally(votes, 5)
    assert found.votes == len(votes)
    if found.spread and found.median:
        low, high = found.spread
        assert low <= found.median[0] <= found.median[1] <= high
        assert sum(found.counts[low - 1 : high]) * 2 >= sum(found.counts)
        assert found.agreement is not None
        assert -1 <= found.agreement <= 1


@given(VOTES, st.randoms())
def test_the_order_of_votes_changes_nothing(votes: list[int | None], random: object) -> None:
    """A tally can't tell who voted first."""
    shuffled = votes.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert tally(votes, 5) == tally(shuffled, 5)


def test_two_camps_are_told_of_and_a_lone_voice_is_none() -> None:
    """Two at 1 and three at 4 are camps; one at 1 beside four at 4 is not."""
    assert tally([1, 1, 4, 4, 4], 5).camps == (1, 4)
    assert tally([1, 4, 4, 4, 4], 5).camps is None


def test_who_cannot_say_counts_as_a_vote_but_not_as_a_rating() -> None:
    """Two abstentions and one rating of 4: the median is 4, of three votes."""
    found = tally([None, 4, None], 5)
    assert (found.suggestion, found.votes, found.abstained) == (4, 3, 2)
    assert tally([None, None], 5).suggestion is None


def test_an_even_group_is_read_halves_up() -> None:
    """Votes of 2 and 3 have both for a median; the suggestion is 3, as residuals are rounded."""
    assert tally([2, 3], 5).median == (2, 3)
    assert tally([2, 3], 5).suggestion == 3
