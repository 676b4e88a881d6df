"""Upper deviation limits and planned sizes, against tables and packages that others published."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from riskcalc.sampling import limit_is_at_most, sample_size, upper_limit

# AICPA Audit Sampling Guide (2017), Appendix A, Tables A-3 (5 % risk) and A-4 (10 %): upper limit in percent,
# rounded up to a tenth, as transcribed in jfa, tests/testthat/test-aicpa-appendix-a.R (f3723cc, 2024-10).
AICPA = [
    (0.95, 25, 0, "11.3"), (0.95, 30, 0, "9.6"), (0.95, 45, 0, "6.5"), (0.95, 60, 1, "7.7"), (0.95, 100, 2, "6.2"),
    (0.95, 150, 4, "6.0"), (0.95, 500, 10, "3.4"), (0.90, 25, 0, "8.8"), (0.90, 25, 2, "20.0"), (0.90, 40, 0, "5.6"),
    (0.90, 45, 1, "8.4"), (0.90, 60, 2, "8.7"), (0.90, 100, 4, "7.9"), (0.90, 500, 10, "3.1"),
]  # fmt: skip


@pytest.mark.parametrize(("confidence", "items", "deviations", "percent"), AICPA)
def test_binomial_limits_agree_with_the_aicpa_tables(
    confidence: float, items: int, deviations: int, percent: str
) -> None:
    """Rounded up to a tenth of a percent, our exact limit is the table's."""
    exact = upper_limit(items, deviations, confidence)
    assert math.ceil(exact * 1000) / 10 == float(percent)


@pytest.mark.parametrize(
    ("confidence", "items", "deviations", "upper"),
    [(0.9, 25, 0, 0.0879891606441), (0.95, 60, 1, 0.0766399949345), (0.9, 45, 1, 0.0837097661563)],
)
def test_binomial_limits_agree_with_r(confidence: float, items: int, deviations: int, upper: float) -> None:
    """R 4.2.2, stats::binom.test(alternative = "less")."""
    assert upper_limit(items, deviations, confidence) == pytest.approx(upper, abs=1e-10)


@pytest.mark.parametrize(
    ("confidence", "population", "items", "deviations", "count"),
    [(0.95, 10, 2, 1, 9), (0.9, 1200, 102, 0, 25), (0.9, 1200, 102, 2, 59)],
)
def test_hypergeometric_limits_agree_with_published_examples(
    confidence: float, population: int, items: int, deviations: int, count: int
) -> None:
    """jfa, evaluation() of a population of 10; Touw and Hoogduin's examples with a population of 1,200."""
    assert upper_limit(items, deviations, confidence, population) == count / population


@given(st.integers(1, 60), st.data())
def test_the_binomial_limit_is_where_the_risk_is_used_up(items: int, data: st.DataObject) -> None:
    """At the limit, seeing so few deviations has just the probability of the risk taken."""
    deviations = data.draw(st.integers(0, items - 1))
    confidence = data.draw(st.sampled_from([0.8, 0.9, 0.95, 0.99]))
    limit = upper_limit(items, deviations, confidence)
    assert binom.cdf(deviations, items, limit) == pytest.approx(1 - confidence, rel=1e-8)


@given(st.integers(1, 40), st.data())
def test_the_hypergeometric_limit_is_the_last_plausible_count(items: int, data: st.DataObject) -> None:
    """The limit is plausible at the risk taken, one more deviating item isn't."""
    population = data.draw(st.integers(items, 200))
    deviations = data.draw(st.integers(0, items))
    count = round(upper_limit(items, deviations, 0.9, population) * population)
    assert hypergeom.cdf(deviations, population, count, items) > 0.1 - 1e-9
    if count < population - (items - deviations):
        assert hypergeom.cdf(deviations, population, count + 1, items) <= 0.1 + 1e-9


def last_plausible(items: int, deviations: int, risk: Fraction, population: int) -> int:
    """The limit as its definition reads: every number of deviating items counted out in whole numbers."""
    ways = math.comb(population, items)
    return max(
        count
        for count in range(deviations, population - items + deviations + 1)
        if sum(math.comb(count, x) * math.comb(population - count, items - x) for x in range(deviations + 1))
        > risk * ways
    )


@pytest.mark.parametrize("confidence", ["0.5", "0.75", "0.9"])
def test_every_small_case_is_the_one_that_is_counted_out(confidence: str) -> None:
    """All samples from all populations of up to 16 items, exact ties included; compared with rates as fractions."""
    for population in range(1, 17):
        for items in range(1, population + 1):
            for deviations in range(items + 1):
                count = last_plausible(items, deviations, 1 - Fraction(confidence), population)
                case = items, deviations, confidence, population
                assert upper_limit(*case) == count / population, case
                for rate in (Fraction(count, population), Fraction(count, population) - Fraction(1, 10**9), "0.1", "1"):
                    fits = Fraction(count, population) <= Fraction(rate)
                    assert limit_is_at_most(items, deviations, rate, confidence, population) == fits, (case, rate)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 400), st.data())
def test_larger_cases_are_the_ones_that_are_counted_out(items: int, data: st.DataObject) -> None:
    """Where floats decide, they decide as whole numbers do: at the limit, and one item beyond it."""
    population = data.draw(st.integers(items, 100_000))
    deviations = data.draw(st.integers(0, min(items, 40)))
    risk = Fraction(data.draw(st.integers(1, 99)), 100)
    count = round(upper_limit(items, deviations, 1 - risk, population) * population)
    allowed = risk * math.comb(population, items)

    def ways(deviating: int) -> int:
        return sum(
            math.comb(deviating, x) * math.comb(population - deviating, items - x) for x in range(deviations + 1)
        )

    assert ways(count) > allowed
    assert count == population - items + deviations or ways(count + 1) <= allowed


@pytest.mark.parametrize(
    ("items", "deviations", "confidence", "population", "count"),
    [
        (10_000, 30, "0.95", 10**6, 4061),
        (10**6 - 1, 0, "0.9", 10**6, 0),
        (10**12 - 1, 3, "0.9", 10**12, 3),
        (1, 0, "0.9", 10**12, 899_999_999_999),
    ],
)
def test_large_populations_have_a_limit_too(
    items: int, deviations: int, confidence: str, population: int, count: int
) -> None:
    """Of a million items, and of as many as a register can say; the first by whole numbers, the others by hand."""
    assert upper_limit(items, deviations, confidence, population) == count / population
    assert limit_is_at_most(items, deviations, Fraction(count, population), confidence, population)
    assert not limit_is_at_most(items, deviations, Fraction(count * 2 - 1, population * 2), confidence, population)


def test_a_limit_that_is_just_the_rate_is_at_most_the_rate() -> None:
    """0 of 19 from 100: at most 10 of 100 deviate, which is 10 %, though 0.1 is a little more than that in floats."""
    assert limit_is_at_most(19, 0, Decimal("0.10"), Decimal("0.90"), 100)
    assert limit_is_at_most(19, 0, 0.1, 0.9, 100)
    assert not limit_is_at_most(19, 0, "0.0999", "0.90", 100)


@settings(deadline=None)
@given(st.integers(1, 300), st.data())
def test_binomial_limits_are_compared_as_they_are(items: int, data: st.DataObject) -> None:
    """Just above the limit the rate is tolerable, just below it isn't; with everything deviating, only 100 % is."""
    deviations = data.draw(st.integers(0, items))
    limit = upper_limit(items, deviations, 0.9)
    assert limit_is_at_most(items, deviations, min(limit * (1 + 1e-6), 1.0), 0.9)
    assert not limit_is_at_most(items, deviations, limit * (1 - 1e-6), 0.9)
    assert limit_is_at_most(1, 0, "0.9", "0.9"), "P(0 of 1 | 9 of 10) is 1/10, the risk itself"


@given(st.integers(2, 60), st.data())
def test_one_deviation_more_never_lowers_the_limit(items: int, data: st.DataObject) -> None:
    """Worse results give worse limits, whether the population is known or not."""
    deviations = data.draw(st.integers(0, items - 1))
    population = data.draw(st.none() | st.integers(items, 500))
    before, after = (upper_limit(items, each, 0.9, population) for each in (deviations, deviations + 1))
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


# AICPA Audit Sampling Guide (2017), Appendix A, Tables A-1 (5 % risk) and A-2 (10 %), as transcribed in jfa:
# confidence, tolerable rate, expected rate, sample size.
AICPA_SIZES = [
    ("0.95", "0.02", "0", 149), ("0.95", "0.03", "0", 99), ("0.95", "0.04", "0", 74), ("0.95", "0.04", "0.0325", 1936),
    ("0.95", "0.05", "0.0025", 93), ("0.95", "0.05", "0.02", 181), ("0.95", "0.05", "0.04", 1348), ("0.95", "0.06", "0.03", 195),
    ("0.95", "0.07", "0.025", 109), ("0.95", "0.08", "0", 36), ("0.95", "0.09", "0", 32), ("0.95", "0.10", "0.0025", 46),
    ("0.95", "0.15", "0", 19), ("0.95", "0.20", "0.175", 720), ("0.90", "0.03", "0", 76), ("0.90", "0.05", "0", 45),
    ("0.90", "0.05", "0.0225", 132), ("0.90", "0.06", "0", 38), ("0.90", "0.07", "0.03", 94), ("0.90", "0.08", "0.04", 98),
    ("0.90", "0.10", "0", 22), ("0.90", "0.10", "0.05", 78), ("0.90", "0.20", "0", 11),
]  # fmt: skip


@pytest.mark.parametrize(("confidence", "tolerable", "expected", "size"), AICPA_SIZES)
def test_planned_sizes_agree_with_the_aicpa_tables(confidence: str, tolerable: str, expected: str, size: int) -> None:
    """Binomial, with the expected number of deviations rounded up; also when the rates come as floats."""
    assert sample_size(tolerable, expected, confidence) == size
    assert sample_size(float(tolerable), float(expected), float(confidence)) == size


def test_where_the_aicpa_table_differs_from_the_exact_size() -> None:
    """10 % risk, tolerable 7 %, expected 3.25 %: the table prints 112, but P(X <= 4 | 112) is 0.1007, more than the risk."""
    assert binom.cdf(4, 112, 0.07) > 0.10
    assert sample_size("0.07", "0.0325", "0.90") == 113


@pytest.mark.parametrize(
    ("model", "population", "confidence", "tolerable", "expected", "size"),
    [
        # jfa (koenderks/jfa f3723cc), tests/testthat/test-planning.R
        ("poisson", None, "0.95", "0.01", "0", 300), ("binomial", None, "0.95", "0.01", "0", 299),
        ("binomial", None, "0.95", "0.05", "0.025", 234), ("hypergeometric", 1000, "0.95", "0.01", "0", 258),
        ("hypergeometric", 1000, "0.95", "0.05", "0.025", 197), ("hypergeometric", 10000, "0.95", "0.05", "0", 59),
        # Touw and Hoogduin, as quoted in jfa
        ("poisson", None, "0.875", "0.02", "0", 104),
        # AuditSampler's published examples, population known and unknown
        (None, 500, "0.90", "0.04", "0.01", 90), ("binomial", 500, "0.90", "0.04", "0.01", 96),
        (None, 500, "0.95", "0.08", "0.01", 55), (None, 500, "0.95", "0.09", "0.06", 196),
        ("binomial", None, "0.95", "0.09", "0.06", 266), (None, 36000, "0.95", "0.04", "0.01", 156),
        # small populations of control performances: ceil(rate x N) deviate
        (None, 12, "0.90", "0.20", "0", 6), (None, 52, "0.95", "0.10", "0", 20), (None, 250, "0.95", "0.05", "0", 51),
    ],
)  # fmt: skip
def test_planned_sizes_agree_with_other_packages(
    model: str | None, population: int | None, confidence: str, tolerable: str, expected: str, size: int
) -> None:
    """jfa's and AuditSampler's figures for the three models."""
    assert sample_size(tolerable, expected, confidence, population, model) == size  # type: ignore[arg-type]


@given(st.integers(1, 30), st.integers(0, 10), st.sampled_from(["0.8", "0.9", "0.95"]))
def test_the_planned_size_is_the_smallest_that_is_enough(tolerable: int, expected: int, confidence: str) -> None:
    """It is enough by SciPy's binomial, and no smaller one is."""
    if expected >= tolerable:
        return
    rate, likely = Fraction(tolerable, 100), Fraction(expected, 200)
    size = sample_size(rate, likely, confidence)
    risk = float(1 - Decimal(confidence)) * (1 + 1e-9)
    enough = [binom.cdf(math.ceil(likely * n), n, float(rate)) <= risk for n in range(1, size + 1)]
    assert enough == [False] * (size - 1) + [True]


def test_a_rate_counts_as_it_is_written_whatever_was_asked_before() -> None:
    """0.3 is three tenths; the binary fraction beside it, which Python holds to be equal, is a little less."""
    assert [limit_is_at_most(5, 0, rate, population=10) for rate in (0.3, Decimal.from_float(0.3), 0.3)] == [
        True,
        False,
        True,
    ]


def test_rates_are_not_binary_floats() -> None:
    """0.07 x 1300 is 91, not 92, and a risk of 1 - 0.90 is just 0.10: a tie counts as enough."""
    assert sample_size(0.07, 0, 0.9, 1300) == sample_size(Fraction(91, 1300), 0, Fraction(9, 10), 1300)
    assert sample_size(Fraction(9, 10), 0, 0.9) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.05, 0.05), "allowed: 0 <= expected < tolerable < 1"),
        ((1.0,), "allowed: 0 <= expected < tolerable < 1"),
        ((0.05, 0, 0), "confidence is 0; allowed"),
        ((0.05, 0, 0.95, None, "hypergeometric"), "needs the population's size"),
        ((0.05, 0.0499, 0.95), "no sample of up to 100000 items"),
    ],
)
def test_plans_that_cannot_be_made_are_refused(arguments: tuple[float, ...], message: str) -> None:
    """Nobody gets a size that proves nothing."""
    with pytest.raises(ValueError, match=message):
        sample_size(*arguments)  # type: ignore[arg-type]
