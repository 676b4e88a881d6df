"""Upper deviation limits, against tables and packages that others published."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from riskcalc.sampling import upper_limit

# AICPA Audit Sampling Guide (2017), Appendix A, Tables A-3 (5 % risk) and A-4 (10 %): upper limit in percent,
# rounded up to a tenth, as transcribed in jfa, tests/testthat/test-aicpa-appendix-a.R (f3723cc, 2024-10).
AICPA = [
    (0.95, 25, 0, "11.3"), (0.95, 30, 0, "9.6"), (0.95, 45, 0, "6.5"), (0.95, 60, 1, "7.7"), (0.95, 100, 2, "6.2"),
    (0.95, 150, 4, "6.0"), (0.95, 500, 10, "3.4"), (0.90, 25, 0, "8.8"), (0.90, 25, 2, "20.0"), (0.90, 40, 0, "5.6"),
    (0.90, 45, 1, "8.4"), (0.90, 60, 2, "8.7"), (0.90, 100, 4, "7.9"), (0.90, 500, 10, "3.1"),
]  # fmt: skip


@pytest.mark.parametrize(("confidence", "sample_size", "deviations", "percent"), AICPA)
def test_binomial_limits_agree_with_the_aicpa_tables(
    confidence: float, sample_size: int, deviations: int, percent: str
) -> None:
    """Rounded up to a tenth of a percent, our exact limit is the table's."""
    exact = upper_limit(sample_size, deviations, confidence)
    assert math.ceil(exact * 1000) / 10 == float(percent)


@pytest.mark.parametrize(
    ("confidence", "sample_size", "deviations", "upper"),
    [(0.9, 25, 0, 0.0879891606441), (0.95, 60, 1, 0.0766399949345), (0.9, 45, 1, 0.0837097661563)],
)
def test_binomial_limits_agree_with_r(confidence: float, sample_size: int, deviations: int, upper: float) -> None:
    """R 4.2.2, stats::binom.test(alternative = "less")."""
    assert upper_limit(sample_size, deviations, confidence) == pytest.approx(upper, abs=1e-10)


@pytest.mark.parametrize(
    ("confidence", "population", "sample_size", "deviations", "count"),
    [(0.95, 10, 2, 1, 9), (0.9, 1200, 102, 0, 25), (0.9, 1200, 102, 2, 59)],
)
def test_hypergeometric_limits_agree_with_published_examples(
    confidence: float, population: int, sample_size: int, deviations: int, count: int
) -> None:
    """jfa, evaluation() of a population of 10; Touw and Hoogduin's examples with a population of 1,200."""
    assert upper_limit(sample_size, deviations, confidence, population) == count / population


@given(st.integers(1, 60), st.data())
def test_the_binomial_limit_is_where_the_risk_is_used_up(sample_size: int, data: st.DataObject) -> None:
    """At the limit, seeing so few deviations has just the probability of the risk taken."""
    deviations = data.draw(st.integers(0, sample_size - 1))
    confidence = data.draw(st.sampled_from([0.8, 0.9, 0.95, 0.99]))
    limit = upper_limit(sample_size, deviations, confidence)
    assert binom.cdf(deviations, sample_size, limit) == pytest.approx(1 - confidence, rel=1e-8)


@given(st.integers(1, 40), st.data())
def test_the_hypergeometric_limit_is_the_last_plausible_count(sample_size: int, data: st.DataObject) -> None:
    """The limit is plausible at the risk taken, one more deviating item isn't."""
    population = data.draw(st.integers(sample_size, 200))
    deviations = data.draw(st.integers(0, sample_size))
    count = round(upper_limit(sample_size, deviations, 0.9, population) * population)
    assert hypergeom.cdf(deviations, population, count, sample_size) > 0.1 - 1e-9
    if count < population - (sample_size - deviations):
        assert hypergeom.cdf(deviations, population, count + 1, sample_size) <= 0.1 + 1e-9


@given(st.integers(2, 60), st.data())
def test_one_deviation_more_never_lowers_the_limit(sample_size: int, data: st.DataObject) -> None:
    """Worse results give worse limits, whether the population is known or not."""
    deviations = data.draw(st.integers(0, sample_size - 1))
    population = data.draw(st.none() | st.integers(sample_size, 500))
    before, after = (upper_limit(sample_size, each, 0.9, population) for each in (deviations, deviations + 1))
    assert before < after


def test_everything_looked_at_is_what_is_known() -> None:
    """With the whole population tested, the limit is the rate itself."""
    assert upper_limit(2, 1, 0.95, population=2) == 0.5
    assert upper_limit(12, 0, 0.95, population=12) == 0.0
    assert upper_limit(3, 3) == 1.0


def test_confidence_may_be_written_in_any_exact_way() -> None:
    """1 - 0.90 in floats is not 0.10; a limit on an exact tie must not depend on that."""
    assert (
        upper_limit(9, 0, 0.9, 10) == upper_limit(9, 0, Decimal("0.90"), 10) == upper_limit(9, 0, Fraction(9, 10), 10)
    )
    assert upper_limit(9, 0, 0.9, 10) == 0.0  # P(0 of 9 | 1 of 10 deviates) is 1/10, not more than the risk


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0), "at least 1 item"),
        ((5, 6), "6 deviations in 5 items"),
        ((5, -1), "-1 deviations in 5 items"),
        ((5, 0, 1.0), "confidence is 1.0; allowed: more than 0 and less than 1"),
        ((5, 0, 0.9, 4), "5 items of a population of 4"),
    ],
)
def test_figures_that_do_not_fit_are_refused(arguments: tuple[float, ...], message: str) -> None:
    """No limit is made up for a sample that can't be."""
    with pytest.raises(ValueError, match=message):
        upper_limit(*arguments)  # type: ignore[arg-type]
