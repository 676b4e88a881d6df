"""The yearly loss: against published and independently computed values, closed forms, simulation, and properties."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import FIVE_RISKS, FIVE_RISKS_YEAR, GAMMA_CASES, ONE_LOGNORMAL, Gamma
from scipy import special, stats

import riskcalc
from riskcalc import loss
from riskcalc.loss.distributions import Lognormal

# --- losses per event ---


@pytest.mark.parametrize(
    ("low", "high", "mu", "sigma", "mean"),
    [
        # Netflix-Skunkworks/riskquant, tests/test_simpleloss.py and tests/test_model_lognormal.py
        (1, 10, 1.151292546497023, 0.6999361691719632, 4.040012826945727),
        (635_000, 19_000_000, 15.060664907502773, 1.0330916999449682, 5922706.83351131),
        # riskquant issue 11: half of each, at half an event a year
        (1, 100_000, None, 3.499680845859816, 72200.23381887213 / 0.5),
        (1_000, 100_000, None, 1.3998723383439264, 13319.90048867774 / 0.5),
        (99_999, 100_000, None, 3.039799358635809e-06, 49999.749999606014 / 0.5),
    ],
)
def test_lognormal_from_a_90_percent_interval(
    low: float, high: float, mu: float | None, sigma: float, mean: float
) -> None:
    """The figures of riskquant's tests and of a user's report there."""
    found = loss.lognormal_90(low, high)
    assert mu is None or found.mu == pytest.approx(mu, rel=1e-12)
    assert found.sigma == pytest.approx(sigma, rel=1e-9)
    assert found.mean == pytest.approx(mean, rel=1e-9)
    assert stats.lognorm(found.sigma, scale=np.exp(found.mu)).cdf([low, high]) == pytest.approx([0.05, 0.95], abs=1e-6)


@pytest.mark.parametrize(
    ("low", "mode", "high", "gamma", "alpha", "beta", "mean", "variance"),
    [
        (0, 1, 10, 4, 1.4, 4.6, 2.3333333333333335, 2.555555555555556),
        (0, 5, 10, 4, 3.0, 3.0, 5.0, 3.5714285714285716),
        (10, 50, 900, 4, 1.1797752808988764, 4.820224719101123, 185.0, 17875.0),
        (5, 20, 50, 2, 1.6666666666666665, 2.333333333333333, 23.75, 98.4375),
        (0, 0.5, 10, 4, 1.2, 4.8, 2.0, 2.2857142857142856),
        (10, 10, 100, 4, 1.0, 5.0, 25.0, 160.71428571428572),
        (100, 100, 100.5, 4, 1.0, 5.0, 100.08333333333333, 0.0049603174603172345),
        (1e4, 5e4, 9e5, 4, 1.1797752808988764, 4.820224719101123, 185000.0, 17875000000.0),
    ],
)
def test_modified_pert(
    low: float, mode: float, high: float, gamma: float, alpha: float, beta: float, mean: float, variance: float
) -> None:
    """Shapes and moments by the definition that Vose, mc2d and TensorFlow Probability share."""
    found = loss.pert(low, mode, high, gamma)
    assert (found.alpha, found.beta) == (pytest.approx(alpha, rel=1e-9), pytest.approx(beta, rel=1e-9))
    assert (found.mean, found.sd**2) == (pytest.approx(mean, rel=1e-9), pytest.approx(variance, rel=1e-9))


@pytest.mark.parametrize(
    ("severity", "reference"),
    [
        (loss.lognormal_90(2, 90), stats.lognorm(np.log(45) / (2 * 1.6448536269514722), scale=np.sqrt(180))),
        (loss.pert(3, 10, 60), stats.beta(1 + 28 / 57, 5 - 28 / 57, loc=3, scale=57)),
    ],
    ids=["lognormal", "pert"],
)
def test_limited_expected_values_and_survival_are_scipys(severity: Any, reference: Any) -> None:
    """E[min(X, x)] as scipy integrates it, at the ends, below and beyond."""
    for x in (0.5, 3.0, 5.0, 20.0, 59.0, 500.0):
        below = reference.expect(lambda y, x=x: min(y, x), lb=reference.support()[0], ub=x)
        assert severity.lev(np.array([x]))[0] == pytest.approx(below + x * reference.sf(x), rel=1e-6)
        assert severity.sf(np.array([x]))[0] == pytest.approx(reference.sf(x), abs=1e-12)


@given(
    st.floats(0, 1e6),
    st.floats(1e-3, 1e6),
    st.floats(0, 1),
    st.floats(0.1, 20),
    st.lists(st.floats(-0.5, 1.5), min_size=1),
)
def test_the_limited_value_of_a_pert_is_that_of_its_beta(
    low: float, width: float, mode: float, gamma: float, places: list[float]
) -> None:
    """Against E[min(B, u)] by the incomplete beta function of both shapes, at and around the ends."""
    found = loss.pert(low, low + mode * width, low + width, gamma)
    x = low + width * np.array([0.0, *places, 1.0])
    u = np.clip((x - low) / (found.high - low), 0, 1)
    inner = special.betainc(found.alpha + 1, found.beta, u) * found.alpha / (found.alpha + found.beta)
    expected = np.minimum(x, low + (found.high - low) * (inner + u * special.betaincc(found.alpha, found.beta, u)))
    assert found.lev(x) == pytest.approx(expected, rel=1e-9, abs=1e-9 * width)
    assert found.lev_and_sf(x)[1] == pytest.approx(found.sf(x), abs=1e-15)


@pytest.mark.parametrize(
    "made",
    [
        lambda: loss.lognormal_90(0, 1),
        lambda: loss.lognormal_90(2, 1),
        lambda: loss.lognormal_90([1, 1], [2, np.inf]),
        lambda: loss.pert(1, 0, 2),
        lambda: loss.pert(1, 1, 1),
        lambda: loss.pert(0, 1, 2, gamma=0),
        lambda: loss.constant(-1),
        lambda: loss.aggregate([-1], loss.constant(1)),
        lambda: loss.aggregate([np.nan], loss.constant(1)),
        lambda: loss.aggregate([1, 2], [loss.constant(1)]),
        lambda: loss.aggregate([1, 2, 3], loss.lognormal_90([1, 1], [2, 2])),
        lambda: loss.aggregate([1], loss.constant(1), method="guess"),  # type: ignore[arg-type]
        lambda: loss.aggregate([1], loss.constant(1)).var(1.0),
    ],
)
def test_impossible_input_is_refused(made: Any) -> None:
    """Before it becomes a number that somebody believes."""
    with pytest.raises(ValueError, match=r"\w"):
        made()


@pytest.mark.parametrize(
    ("q", "var", "tvar"), [(0.95, 158549.852925, 297045.046164), (0.99, 359193.833824, 588316.14518)]
)
def test_the_tail_mean_of_one_loss_is_its_closed_form(q: float, var: float, tvar: float) -> None:
    """VaR + (E[X] - E[min(X, VaR)]) / (1 - q), lognormal with mu 10 and sigma 1.2."""
    one = Lognormal(10, 1.2)
    assert one.sf(np.array([var]))[0] == pytest.approx(1 - q, rel=1e-8)
    assert var + (one.mean - one.lev(np.array([var]))[0]) / (1 - q) == pytest.approx(tvar, rel=1e-8)


# --- the year, exactly ---


@pytest.mark.parametrize("name", GAMMA_CASES)
def test_compound_poissons_with_gamma_losses_are_exact_to_a_millionth(name: str) -> None:
    """Against closed forms, at the default grid."""
    rate, severity, expected = GAMMA_CASES[name]
    year = loss.aggregate([rate], [severity])
    assert year.mean == pytest.approx(rate * severity.mean, rel=1e-12)
    assert year.sd == pytest.approx((rate * (severity.sd**2 + severity.mean**2)) ** 0.5, rel=1e-12)
    for q, value in expected.get("var", {}).items():
        assert year.var(q) == pytest.approx(value, rel=1e-6)
    for q, value in expected.get("tvar", {}).items():
        assert year.tvar(q) == pytest.approx(value, rel=1e-6)
    for x, value in expected.get("cdf", {}).items():
        assert 1 - year.exceed(x) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    ("frequency", "severity", "expected"),
    [
        (FIVE_RISKS[0], loss.lognormal_90(*FIVE_RISKS[1:]), FIVE_RISKS_YEAR),
        ([2.0], Lognormal(10, 1.2), ONE_LOGNORMAL),
    ],
    ids=["five risks", "one risk"],
)
def test_lognormal_portfolios_agree_with_a_grid_64_times_finer(frequency: Any, severity: Any, expected: Any) -> None:
    """Mean, atom, quantiles, tail means and exceedance probabilities, to a millionth."""
    year = loss.aggregate(frequency, severity)
    assert (year.p0, year.mean, year.sd) == (
        pytest.approx(expected["p0"], rel=1e-12), pytest.approx(expected["mean"], rel=1e-12),
        pytest.approx(expected["sd"], rel=1e-12),
    )  # fmt: skip
    for q, value in expected["var"].items():
        assert year.var(q) == pytest.approx(value, rel=1e-6)
    for q, value in expected["tvar"].items():
        assert year.tvar(q) == pytest.approx(value, rel=1e-6)
    for x, value in expected["exceed"].items():
        assert year.exceed(x) == pytest.approx(value, rel=1e-6)
    assert abs(year.checks["mean"]) < 1e-6
    assert abs(year.checks["sd"]) < 1e-4


def test_a_tiny_risk_beside_a_huge_one_keeps_its_accuracy() -> None:
    """Losses of 1e2 and of 1e9: below the huge one, the year is the tiny one's alone."""
    both = loss.aggregate([1, 0.1], loss.lognormal_90([50, 5e8], [200, 2e9]))
    alone = loss.aggregate([1], loss.lognormal_90(50, 200))
    quiet = np.exp(-0.1)
    for q in (0.45, 0.6, 0.8):
        assert both.var(q) == pytest.approx(alone.var(q / quiet), rel=1e-4)
    assert both.mean == pytest.approx(0.1 * loss.lognormal_90(5e8, 2e9).mean + alone.mean)


def test_where_one_grid_ends_and_the_next_begins_nothing_jumps() -> None:
    """Small frequent losses beside large rare ones, at 300 amounts over all grids, against grids of 8 times the points."""
    frequency = [0.9, 0.6, 0.06, 0.15]
    severity = [
        loss.pert(4e4, 1.8e5, 7e5),
        loss.lognormal_90(300, 9e3),
        loss.pert(9e5, 3.6e6, 1.2e7),
        loss.constant(5e4),
    ]
    year, finer = (loss.aggregate(frequency, severity, points=points) for points in (2**13, 2**16))
    amounts = np.geomspace(100, 2e7, 300)
    away = np.abs(amounts / 5e4 - 1) > 0.02  # a constant loss is a step, which no grid can read exactly
    assert year.exceeding(amounts[away]) == pytest.approx(finer.exceeding(amounts[away]), abs=2e-4)
    assert len(year.grid.loss) > 2**13  # several grids it is


def test_constant_losses_are_a_poisson_count() -> None:
    """Three events of 5 a year: steps of the Poisson distribution, read between the steps."""
    year = loss.aggregate([3.0], loss.constant(5.0))
    for count in range(8):
        assert year.exceed(5 * count + 2.5) == pytest.approx(stats.poisson(3).sf(count), abs=1e-7)
    assert year.tvar(0.5) > year.var(0.5)


def test_what_is_unlikely_is_not_called_impossible() -> None:
    """Several events that must fall into one year, and amounts that no grid reaches: little, never nothing."""
    year = loss.aggregate([0.025], loss.pert(2e4, 8e4, 1.9e5))
    several = stats.poisson(0.025)
    assert several.pmf(3) * 1e-4 < year.exceed(5e5) < several.sf(2)
    assert 0 < year.exceed(1e12) <= year.exceed(1e7) <= year.exceed(5e5)
    assert year.exceed(1e12) < 1e-6
    never = loss.aggregate([1e-13], loss.constant(5))
    assert 0 <= never.exceed(10) <= never.exceed(1) <= 1.001e-13


def test_no_risk_no_loss() -> None:
    """No event, or events that cost nothing."""
    for year in (loss.aggregate([0.0], loss.constant(5)), loss.aggregate([2.0], loss.constant(0))):
        assert (year.mean, year.var(0.99), year.tvar(0.99), year.exceed(0)) == (0, 0, 0, 0)
    assert loss.aggregate([2.0], loss.constant(0)).p0 == pytest.approx(np.exp(-2))


def test_what_to_be_wary_of_is_said() -> None:
    """An interval that nobody has seen the tail of; a quantile that is 0 because most years have no event."""
    [wide] = loss.aggregate([2], loss.lognormal_90(1, 1e5)).checks["warnings"][:1]
    assert wide.startswith("1 interval is so wide (sigma above 2.5)")
    rare = loss.aggregate([0.05], loss.lognormal_90(10, 100))
    assert rare.checks["warnings"] == ("95% of years have no event at all: quantiles up to there are 0",)
    assert rare.var(0.9) == 0
    assert rare.tvar(0.9) == pytest.approx(rare.mean / 0.1)
    assert loss.aggregate([2], loss.lognormal_90(10, 100)).checks["warnings"] == ()


# --- against simulation ---


@pytest.mark.parametrize("seed", range(20))
def test_exact_and_simulated_years_agree_within_four_standard_errors(seed: int) -> None:
    """Twenty portfolios of mixed kinds: the mean, and the probability of exceeding three amounts."""
    rng = np.random.default_rng(1000 + seed)
    number = int(rng.integers(1, 12))
    low = rng.lognormal(8, 2, number)
    severities: list[Any] = [
        [loss.lognormal_90(each, each * 20), loss.pert(each, each * 2, each * 9), loss.constant(each)][
            int(rng.integers(3))
        ]
        for each in low
    ]
    rates = rng.uniform(0.02, 3, number)
    years = 40_000
    exact = loss.aggregate(rates, severities)
    drawn = loss.aggregate(rates, severities, method="simulate", seed=seed, years=years)
    assert abs(drawn.mean - exact.mean) < 4 * exact.sd / years**0.5
    assert abs(drawn.p0 - exact.p0) < 4 * (exact.p0 * (1 - exact.p0) / years) ** 0.5 + 1e-9
    for q in (0.7, 0.95, 0.99):
        x = exact.var(q) * 1.001 + 1e-6  # beyond the step of a constant loss, which no grid can read exactly
        p = exact.exceed(x)
        assert abs(drawn.exceed(x) - p) < 4 * (p * (1 - p) / years) ** 0.5 + 2 / years


def test_a_simulation_is_repeatable_and_a_risks_draws_are_its_own() -> None:
    """The same seed, the same years; another risk doesn't move the first one's draws."""
    one = loss.aggregate([1.0], [loss.lognormal_90(1, 9)], "simulate", seed=7, years=2000)
    again = loss.aggregate([1.0], [loss.lognormal_90(1, 9)], "simulate", seed=7, years=2000)
    beside = loss.aggregate([1.0, 0.0], [loss.lognormal_90(1, 9), loss.constant(3)], "simulate", seed=7, years=2000)
    other = loss.aggregate([1.0], [loss.lognormal_90(1, 9)], "simulate", seed=8, years=2000)
    assert one.mean == again.mean == beside.mean != other.mean
    assert one.var(0.9) == again.var(0.9)
    assert one.tvar(0.95) > one.var(0.95) > one.var(0.5)


def test_independent_risks_are_not_fully_correlated() -> None:
    """A tool that seeds each risk alike makes the worst years of all fall together."""
    rates, severity = [1.0] * 10, loss.lognormal_90([10.0] * 10, [100.0] * 10)
    drawn = loss.aggregate(rates, severity, "simulate", seed=1, years=20_000)
    assert drawn.sd == pytest.approx(loss.aggregate(rates, severity).sd, rel=0.05)


# --- properties ---

risks = st.lists(
    st.tuples(st.floats(0.01, 5), st.floats(1, 1e6), st.floats(1.5, 60)), min_size=1, max_size=6
)  # rate, low, high / low


def year_of(chosen: list[tuple[float, float, float]], scale: float = 1.0) -> riskcalc.loss.AnnualLoss:
    rates, low, ratio = (np.array(part) for part in zip(*chosen, strict=True))
    return loss.aggregate(rates, loss.lognormal_90(low * scale, low * ratio * scale), points=2**13)


def close(one: Any, other: Any, rel: float = 1e-4, scale: float = 1.0) -> None:
    assert one.mean * scale == pytest.approx(other.mean, rel=1e-9)
    assert one.p0 == pytest.approx(other.p0, rel=1e-9)
    for q in (0.5, 0.9, 0.99):
        assert one.var(q) * scale == pytest.approx(other.var(q), rel=rel, abs=1e-6 * other.mean)
        assert one.tvar(q) * scale == pytest.approx(other.tvar(q), rel=rel)


@settings(max_examples=30, deadline=None)
@given(risks)
def test_splitting_a_risks_rate_in_two_changes_nothing(chosen: list[tuple[float, float, float]]) -> None:
    """Two halves of a risk are that risk."""
    rate, low, ratio = chosen[0]
    close(year_of([(rate / 2, low, ratio), (rate / 2, low, ratio), *chosen[1:]]), year_of(chosen))


@settings(max_examples=30, deadline=None)
@given(risks)
def test_the_order_of_risks_changes_nothing(chosen: list[tuple[float, float, float]]) -> None:
    """Rows can be sorted."""
    close(year_of(chosen[::-1]), year_of(chosen))


@settings(max_examples=30, deadline=None)
@given(risks, st.floats(1e-3, 1e4))
def test_scaling_money_scales_the_result(chosen: list[tuple[float, float, float]], scale: float) -> None:
    """Cents or millions: the same distribution."""
    close(year_of(chosen), year_of(chosen, scale), rel=1e-3, scale=scale)


@settings(max_examples=30, deadline=None)
@given(risks)
def test_the_curve_never_rises_and_quantiles_invert_it(chosen: list[tuple[float, float, float]]) -> None:
    """More loss is never more likely; exceed(var(q)) is 1 - q; tail means lie beyond their quantiles."""
    year = year_of(chosen)
    curve = year.curve()
    assert (curve["loss"].diff().dropna() >= 0).all()
    amounts = np.geomspace(year.mean / 100, year.mean * 50, 60)
    exceeding = [year.exceed(x) for x in amounts]
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(exceeding))
    for q in (0.6, 0.9, 0.99):
        if q > year.p0 + 1e-6:
            assert year.exceed(year.var(q)) == pytest.approx(1 - q, abs=1e-6)
        assert year.tvar(q) >= year.var(q)


@settings(max_examples=20, deadline=None)
@given(risks, st.floats(0.1, 0.99))
def test_lower_rates_never_cost_more(chosen: list[tuple[float, float, float]], share: float) -> None:
    """A control on likelihood lowers the mean in proportion, and no exceedance rises."""
    lower = [(rate * share, low, ratio) for rate, low, ratio in chosen]
    before, after = year_of(chosen), year_of(lower)
    assert after.mean == pytest.approx(before.mean * share)
    for x in np.geomspace(before.mean / 10, before.mean * 20, 20):
        assert after.exceed(x) <= before.exceed(x) + 1e-7


def test_one_distribution_may_serve_every_risk() -> None:
    """Three rates and one severity are three like risks."""
    close(loss.aggregate([1, 2, 3], loss.lognormal_90(1, 10)), loss.aggregate([6], loss.lognormal_90(1, 10)))
    close(loss.aggregate(6, Gamma(2, 3)), loss.aggregate([1, 5], [Gamma(2, 3), Gamma(2, 3)]))


# --- many years at once ---


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(0, 3), st.sampled_from([0.0, 0.2, 1.0])), min_size=3, max_size=3),
        min_size=2,
        max_size=4,
    )
)
def test_a_year_is_the_same_to_the_last_bit_alone_and_among_others(years: list[list[tuple[float, float]]]) -> None:
    """Whether a chart asks for one what-if or for thirty must change no figure."""
    severities = [loss.lognormal_90(1_000, 90_000), loss.pert(0, 500, 20_000), loss.constant(700.0)]
    rates, scale = (np.array([[risk[part] for risk in year] for year in years]) for part in (0, 1))
    together = loss.aggregate_each(rates, severities, scale, points=2**11)
    for year, found in enumerate(together):
        [alone] = loss.aggregate_each(rates[[year]], severities, scale[[year]], points=2**11)
        assert (found.mean, found.sd, found.p0, found.checks) == (alone.mean, alone.sd, alone.p0, alone.checks)
        assert np.array_equal(found.grid.loss, alone.grid.loss)
        assert np.array_equal(found.grid.cdf, alone.grid.cdf)
        shares = zip(severities, scale[year], strict=True)
        shrunk = [one.scaled(share) if share else loss.constant(0.0) for one, share in shares]
        plain = loss.aggregate(rates[year], shrunk, points=2**11)
        assert plain.p0 == found.p0
        assert plain.mean == pytest.approx(found.mean, rel=1e-12)
        assert plain.exceed(5_000) == pytest.approx(found.exceed(5_000), rel=1e-9, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(1, 1e6), st.floats(1, 300)), min_size=1, max_size=4),
    st.floats(1, 1e7),
)
def test_who_asks_about_large_amounts_only_gets_the_same_answers(
    risks: list[tuple[float, float, float]], least: float
) -> None:
    """Grids that resolve what nobody asks about are left out, and nothing else."""
    rates = np.array([[rate for rate, _, _ in risks]])
    severities = [loss.lognormal_90(low, low * wide) for _, low, wide in risks]
    amounts = least * np.geomspace(1, 1000, 30)
    [whole] = loss.aggregate_each(rates, severities, np.ones_like(rates), points=2**11)
    [part] = loss.aggregate_each(rates, severities, np.ones_like(rates), points=2**11, least=least)
    assert (part.mean, part.sd, part.p0) == (whole.mean, whole.sd, whole.p0)
    assert len(part.grid.loss) <= len(whole.grid.loss)
    assert part.exceeding(amounts) == pytest.approx(whole.exceeding(amounts), rel=1e-3, abs=5e-5)
