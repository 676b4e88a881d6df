"""The loss of a year: how often, times how much, for all risks together; exactly, or by simulation.

Independent compound Poissons add up to one: the total rate, with the rate-weighted mixture of the losses per event.
Exact: the mixture is discretised so that its mean is kept (H. U. Gerber, Insurance: Mathematics and Economics 1, 1982).
Its characteristic function f gives the year's, exp(rate x (f - 1)), by FFT, with zero-padding and exponential tilting
against aliasing (R. Gruebel and R. Hermesmeier, ASTIN Bulletin 29, 1999), on a coarse grid for the tail and finer ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskcalc.loss.distributions import Floats, LossDistribution, constant, lognormal_90, pert
from riskcalc.loss.mixture import Block, Mixture, blocks_of, mixtures, one_of

__all__ = ["AnnualLoss", "aggregate", "aggregate_each", "constant", "lognormal_90", "pert"]

POINTS = 2**16
YEARS = 100_000
_FINER = 16  # a grid's step against that of the next finer one, which has _FEWER of its points
_FEWER = 2
_TILT = 22.0  # over the padded grid: aliasing below e-22, rounding noise below 1e-11
_ROUNDING = 1e-10  # probabilities that what is left of the tail can't be told from
_BEYOND = 1e-9  # yearly probability of one loss beyond the coarsest grid
_COARSE = 2**12  # up to as many points, small losses are resolved less finely
_NODES = 512  # at most; fewer on a coarse grid, where nobody needs as many digits
_REACHES = 4  # of a grid, from one to its double
_CLEAR = 1.05  # amounts just beyond the end of a finer grid are still told with its help
_OCTAVE = 4  # amounts, from one to its double, at which a year's reach is looked for
_NARROW = 0.25  # sd / mean below which a loss is put on the grid directly, not by interpolation
_WIDE_SIGMA = 2.5


@dataclass(frozen=True)
class _Grid:
    """Losses in rising order, P(year <= loss), and E[min(year, loss)]."""

    loss: Floats
    cdf: Floats
    limited: Floats


_STILL = _Grid(np.array([0.0, 1.0]), np.array([1.0, 1.0]), np.array([0.0, 0.0]))  # nothing ever happens


@dataclass(frozen=True)
class AnnualLoss:
    """The distribution of a year's loss, in the currency of the losses put in.

    ``mean`` and ``sd`` are analytic for the exact method; ``p0`` is the probability of a year without any event.
    ``checks`` holds, for the coarsest grid, the relative error of its mean and deviation against those put on it, the
    probability and the shares of mean and deviation beyond it, and ``warnings`` that a person should read.
    """

    mean: float
    sd: float
    p0: float
    checks: Mapping[str, Any]
    grid: _Grid

    def var(self, q: float) -> float:
        """The loss that is not exceeded with probability ``q``; 0 if most years have no event.

        Raises:
            ValueError: ``q`` isn't between 0 and 1.
        """
        if not 0 <= q < 1:
            raise ValueError("q must be at least 0 and less than 1")
        if q <= self.p0:
            return 0.0
        grid = self.grid
        place = int(np.searchsorted(grid.cdf, q))
        if place >= len(grid.cdf):
            return float(grid.loss[-1])
        below, above = grid.cdf[place - 1], grid.cdf[place]
        share = (q - below) / (above - below) if above > below else 1.0
        return float(grid.loss[place - 1] + share * (grid.loss[place] - grid.loss[place - 1]))

    def tvar(self, q: float) -> float:
        """The mean of the worst 1 - q of years: VaR + (E[S] - E[min(S, VaR)]) / (1 - q)."""
        at = self.var(q)
        return at + (self.mean - self.limited(at)) / (1 - q)

    def exceed(self, x: float) -> float:
        """The probability that a year's loss is more than ``x``.

        Exact: at least 1e-10, for rounding hides what is less, and beyond the coarsest grid that of its end, which is
        an upper bound; 0 only where nothing can be lost.
        """
        return float(self.exceeding(np.array([x]))[0])

    def exceeding(self, losses: Floats) -> Floats:
        """As ``exceed``, for an array of losses."""
        return np.asarray(1 - np.interp(losses, self.grid.loss, self.grid.cdf, left=0.0))

    def limited(self, x: float) -> float:
        """E[min(S, x)]."""
        return float(np.interp(x, self.grid.loss, self.grid.limited))

    def curve(self, least: float = 1e-4, points: int = 200) -> pd.DataFrame:
        """The exceedance curve down to the probability ``least``: columns loss and probability, the loss rising."""
        most = 1 - self.p0
        if most <= least:
            return pd.DataFrame({"loss": [0.0], "probability": [most]})
        probabilities = np.geomspace(most, least, points)
        losses = np.array([self.var(1 - probability) for probability in probabilities])
        return pd.DataFrame({"loss": np.maximum.accumulate(losses), "probability": probabilities})


def aggregate(
    frequency: npt.ArrayLike,
    severity: LossDistribution | Sequence[LossDistribution],
    method: Literal["exact", "simulate"] = "exact",
    seed: int | None = None,
    *,
    points: int = POINTS,
    years: int = YEARS,
) -> AnnualLoss:
    """The loss of a year from independent risks.

    Args:
        frequency: events a year, one per risk.
        severity: the loss per event: one with array parameters, or a sequence with one per risk.
        method: ``exact`` by FFT, or ``simulate``.
        seed: where the simulation starts, with a stream per risk; None is different every time.
        points: of each grid of the exact method, a power of two.
        years: to simulate.

    Raises:
        ValueError: a frequency is negative or missing, there aren't as many severities, or the method is unknown.

    >>> year = aggregate([0.5, 2], lognormal_90([1_000, 200], [50_000, 5_000]))
    >>> round(year.p0, 6), round(year.exceed(50_000), 3)
    (0.082085, 0.034)
    """
    rates = np.atleast_1d(np.asarray(frequency, float))
    if not (rates.ndim == 1 and np.all(rates >= 0) and np.all(np.isfinite(rates))):
        raise ValueError("frequency must be events a year, 0 or more, one per risk")
    blocks = blocks_of(severity, len(rates))
    if method == "exact":
        return _exact(Mixture(rates[None], blocks), points)[0]
    if method == "simulate":
        return _simulated(rates, blocks, seed, years)
    raise ValueError(f"method is {method!r}; allowed: exact, simulate")


def aggregate_each(
    frequency: Floats,
    severity: Sequence[LossDistribution],
    scale: Floats,
    *,
    points: int = POINTS,
    least: float = 0.0,
) -> list[AnnualLoss]:
    """As ``aggregate``, exactly, for many years at once: what would be, if frequencies and losses were others.

    A row per year and a column per risk: of events a year, and of what the risk's losses are multiplied by. What years
    have in common is computed once; each is the same to the last bit as it would be alone. With ``least``, the smallest
    amount that the years will be asked about, no grids are made that resolve smaller ones only: the answers are
    the same within a thousandth.

    >>> years = aggregate_each(np.array([[0.5], [0.5]]), [lognormal_90(1_000, 50_000)], np.array([[1.0], [0.0]]))
    >>> [year.mean > 0 for year in years]
    [True, False]
    """
    return _exact(mixtures(frequency, severity, scale), points, least)


# --- exact ---


def _exact(mixture: Mixture, points: int, least: float = 0.0) -> list[AnnualLoss]:
    happens = np.flatnonzero(mixture.rate > 0)
    found = [AnnualLoss(0.0, 0.0, float(p0), {"warnings": ()}, _STILL) for p0 in mixture.p0]
    if len(happens):
        for year, made in zip(happens, _happening(mixture.only(happens), points, least), strict=True):
            found[year] = made
    return found


def _happening(mixture: Mixture, points: int, least: float) -> Iterator[AnnualLoss]:
    """The years in which something may happen: their grids, from the coarsest on, those of one reach at once."""
    spans = _spans(mixture, points, least)
    made: list[list[tuple[_Grid, tuple[float, float, float, float]]]] = [[] for _ in spans]
    for level in range(max(map(len, spans))):
        reach = np.array([each[level] if len(each) > level else 0.0 for each in spans])
        for span in np.unique(reach[reach > 0]):
            years = np.flatnonzero(reach == span)
            found = _compound(mixture.only(years), float(span), points // _FEWER if level else points)
            for year, grid in zip(years, found, strict=True):
                made[year].append(grid)
    for number, grids in enumerate(made):
        yield _checked(mixture, number, spans[number][0], points, grids)


def _checked(mixture: Mixture, year: int, span: float, points: int, grids: list[Any]) -> AnnualLoss:
    coarsest, (mean, sd, put_in, capped) = grids[0]
    beyond = max(0.0, float(1 - coarsest.cdf[-1]))
    known_mean, known_sd, p0 = float(mixture.mean[year]), float(mixture.sd[year]), float(mixture.p0[year])
    checks = {
        "mean": mean,
        "sd": sd,
        "beyond": beyond,
        "sd_beyond": max(0.0, 1 - put_in / known_sd),
        "mean_beyond": max(0.0, 1 - capped / known_mean),
        "span": span,
        "step": span / points,
        "warnings": tuple(_warnings(mixture, year, beyond, 1 - capped / known_mean)),
    }
    return AnnualLoss(known_mean, known_sd, p0, checks, _joined([grid for grid, _ in reversed(grids)], capped))


def _joined(grids: list[_Grid], capped: float) -> _Grid:
    """One grid of all, each going on where the finer one ends.

    E[min(S, x)] is counted back from the analytic value at the end, so that small tails are exact.
    """
    found = grids[-1]
    found = _Grid(found.loss, found.cdf, found.limited + (capped - found.limited[-1]))
    for finer in reversed(grids[:-1]):
        end = float(finer.loss[-1])
        shift = float(np.interp(end, found.loss, found.limited)) - finer.limited[-1]
        rest = found.loss > end
        parts = zip((finer.loss, finer.cdf, finer.limited + shift), (found.loss, found.cdf, found.limited), strict=True)
        loss, cdf, limited = (np.concatenate([fine, coarse[rest]]) for fine, coarse in parts)
        found = _Grid(loss, np.maximum.accumulate(cdf), limited)
    return found


def _spans(mixture: Mixture, points: int, least: float) -> list[list[float]]:
    """How far each year's grids reach, beyond ``least``, the coarsest first; the last one resolves the smallest losses.

    Rounded up a little, so that years that differ little have the same grids.
    """
    happening = mixture.rates > 0
    smallest_mean = np.where(happening, mixture.means, np.inf).min(axis=1)
    largest_mean = np.where(happening, mixture.means, 0.0).max(axis=1)
    first = np.floor(_OCTAVE * np.log2(smallest_mean * 1e-3)).astype(int)
    final = np.ceil(_OCTAVE * np.log2(largest_mean * 1e9)).astype(int)
    start = int(first.min())
    x = np.exp2(np.arange(start, final.max() + 1) / _OCTAVE)
    found = []
    for year, (survival, smallest) in enumerate(zip(mixture.survival(x), _typical(mixture), strict=True)):
        own = slice(first[year] - start, final[year] - start + 1)
        last = int(np.argmax(survival[own] < _BEYOND)) or own.stop - own.start - 1
        amounts, exceeding = x[own][: last + 1], survival[own][: last + 1]
        second = float(np.sum(2 * amounts * exceeding * np.diff(amounts, prepend=0.0)))  # rate x E[min(X, reach)^2]
        reach = float(amounts[-1] + mixture.mean[year] + 8 * np.sqrt(second))
        spans = [float(np.exp2(np.ceil(np.log2(reach) * _REACHES) / _REACHES))]
        step = spans[0] / points
        while step > smallest / (64 if points > _COARSE else 8) and len(spans) < 8:
            if (finer := step / _FINER * points / _FEWER) * _CLEAR <= least:
                break
            spans.append(finer)
            step = finer / (points // _FEWER)
        found.append(spans)
    return found


def _typical(mixture: Mixture) -> Floats:
    """By year, a typical size of its smallest risk's losses: the mean, or much less where the deviation is many times
    that.
    """
    mean = np.where(mixture.rates > 0, mixture.means, np.inf)
    ratio = np.divide(mixture.sds, mixture.means, out=np.zeros_like(mean), where=mixture.rates > 0)
    return np.asarray((mean / (1 + np.square(ratio)) ** 0.5).min(axis=1))


def _compound(mixture: Mixture, span: float, points: int) -> Iterator[tuple[_Grid, tuple[float, float, float, float]]]:
    """The loss of each year on one grid, the same for all, and how it checks.

    That is its mean against the analytic mean of losses capped at its end, its deviation against that of the losses put
    on it, that deviation, and that mean.
    """
    step = span / points
    masses, capped = _discretised(mixture, step, points)
    size, (number, tilt) = 2 * points, _counted(points)
    transform = np.fft.rfft(masses * tilt, size)
    transform -= mixture.rate[:, None]
    years = np.fft.irfft(np.exp(transform, out=transform), size)[:, :points]  # beyond, the tilt makes noise of rounding
    years /= tilt
    loss: Floats = step * number
    squares = np.square(loss)
    totals = np.cumsum(years, axis=1)
    most = np.maximum(mixture.p0, 1 - _ROUNDING)
    until = totals - years / 2
    until[:, -1] = totals[:, -2] + years[:, -2] / 2  # the last point carries all larger losses
    cdfs = np.maximum.accumulate(np.clip(until, mixture.p0[:, None], most[:, None]), axis=1)
    cdfs[:, 0] = mixture.p0
    limited = np.zeros_like(totals)
    np.cumsum(1 - totals[:, :-1], axis=1, out=limited[:, 1:])
    limited *= step
    for year, mass, cdf, mean, known in zip(years, masses, cdfs, limited, capped, strict=True):
        put_in = float(np.sqrt(mass @ squares))
        deviation = float(np.sqrt(max(0.0, float(year @ squares) - float(year @ loss) ** 2)))
        yield _Grid(loss, cdf, mean), (float(mean[-1] / known - 1), deviation / put_in - 1, put_in, float(known))


def _discretised(mixture: Mixture, step: float, points: int) -> tuple[Floats, Floats]:
    """Events a year at each multiple of ``step``, larger losses on the last: second differences of rate x E[min(X, x)].

    Losses are taken at ever larger nodes and interpolated, but for narrow ones, whose own grid points are taken.
    """
    narrow = mixture.sds < _NARROW * mixture.means
    limited = _interpolated(mixture, step, points, ~narrow)
    masses = np.zeros_like(limited)
    masses[:, 1:-1] = (2 * limited[:, 1:-1] - limited[:, :-2] - limited[:, 2:]) / step
    masses[:, -1] = (limited[:, -1] - limited[:, -2]) / step  # rounding leaves tiny negatives: cutting them adds up
    capped = limited[:, -1].copy()
    narrow &= mixture.rates > 0
    for number in np.unique(mixture.which[narrow]):
        first, own, most = _narrow(mixture.one(number), step, points)
        for year, risk in np.argwhere(narrow & (mixture.which == number)):
            rate = mixture.rates[year, risk]
            masses[year, first : first + len(own)] += rate * own
            capped[year] += rate * most
    masses[:, 0] += mixture.rate - masses.sum(axis=1)
    return masses, capped


@cache
def _counted(points: int) -> tuple[Floats, Floats]:
    """The points of a grid by number, and their tilt."""
    number: Floats = np.arange(points, dtype=float)
    return number, np.exp(-_TILT / (2 * points) * number)


def _interpolated(mixture: Mixture, step: float, points: int, chosen: npt.NDArray[np.bool_]) -> Floats:
    """Rate x E[min(X, x)] at the grid's points, by year: cubic in ln x between nodes, where the slope is x P(X > x)."""
    limited = np.zeros((len(mixture.rates), points))
    if (chosen & (mixture.rates > 0)).any():
        nodes, place, basis = _between(points)
        x = step * nodes
        levels, slopes = mixture.limited(x, chosen)
        slopes *= x
        for year, (level, slope) in enumerate(zip(levels, slopes, strict=True)):
            parts = (level[place], level[place + 1], slope[place], slope[place + 1])
            limited[year, 1:] = sum(by * part for by, part in zip(basis, parts, strict=True))
    return limited


@cache
def _between(points: int) -> tuple[Floats, npt.NDArray[np.intp], tuple[Floats, ...]]:
    """Where a grid's losses are taken, in its steps; for each of its points but 0 the node below it, and the cubic
    Hermite polynomials there of the values and the slopes at that node and the next.
    """
    nodes = np.geomspace(1 / 4, points - 1, min(_NODES, points // 32))
    number = _counted(points)[0][1:]
    place = np.clip(np.searchsorted(nodes, number, side="right") - 1, 0, len(nodes) - 2)
    width = np.log(nodes[1] / nodes[0])
    t = np.log(number / nodes[place]) / width
    rest = 1 - t
    basis = (rest**2 * (1 + 2 * t), t**2 * (1 + 2 * rest), width * t * rest**2, -width * t**2 * rest)
    return nodes, place, basis


def _narrow(severity: Any, step: float, points: int) -> tuple[int, Floats, float]:
    """A loss that spans few grid points: the first of them, the probability at each, and E[min(X, end of the grid)]."""
    last = points - 1
    mean, sd = float(severity.mean), float(severity.sd)
    first = int(np.clip(np.floor((mean - 40 * sd) / step) - 1, 0, last))
    final = int(np.clip(np.ceil((mean + 40 * sd) / step) + 1, 0, last))
    if first == last:
        return last, np.ones(1), float(severity.lev(np.array([step * last]))[..., 0])
    around = step * np.arange(first - 1, final + 2)
    limited = np.where(around > 0, severity.lev(np.maximum(around, step * 1e-9)), around)
    own = (2 * limited[1:-1] - limited[:-2] - limited[2:]) / step
    if final == last:
        own[-1] = (limited[-2] - limited[-3]) / step
    own = np.maximum(own, 0.0)
    if first == 0:
        own[0] = 0.0  # what is left goes to 0 with the rest of the rate
    return first, own, float(limited[-2])


def _warnings(mixture: Mixture, year: int, beyond: float, mean_beyond: float) -> list[str]:
    found = []
    cv = np.sqrt(np.expm1(_WIDE_SIGMA**2))
    wide = int(np.sum((mixture.sds[year] > cv * mixture.means[year]) & (mixture.rates[year] > 0)))
    if wide:
        found.append(
            f"{wide} interval{' is' if wide == 1 else 's are'} so wide (sigma above {_WIDE_SIGMA}) that the mean comes "
            "from a tail nobody has seen: narrow it, or look at quantiles only"
        )
    if mixture.p0[year] >= 0.5:
        found.append(f"{mixture.p0[year]:.0%} of years have no event at all: quantiles up to there are 0")
    if beyond > 1e-6 or mean_beyond > 1e-3:
        found.append(f"beyond the grid lie {beyond:.1g} of the probability and {mean_beyond:.1%} of the mean")
    return found


# --- simulated ---


def _simulated(rates: Floats, blocks: list[Block], seed: int | None, years: int) -> AnnualLoss:
    """One Poisson total per risk, a uniform year for each event; a stream per risk, so that others don't move it."""
    totals, events = np.zeros(years), np.zeros(years, np.int64)
    root = np.random.SeedSequence(seed)
    for severity, places in blocks:
        for row, place in enumerate(places):
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(root.entropy, spawn_key=(int(place),))))
            number = int(rng.poisson(rates[place] * years))
            year = rng.integers(0, years, number)
            totals += np.bincount(year, one_of(severity, row).sample(rng, number), years)
            events += np.bincount(year, minlength=years)
    order = np.sort(totals)
    steps = np.diff(order, prepend=0.0)
    still = np.concatenate([[1.0], 1 - np.arange(1, years) / years])
    grid = _Grid(
        np.concatenate([[0.0], order]),
        np.concatenate([[float(np.mean(order <= 0))], np.arange(1, years + 1) / years]),
        np.concatenate([[0.0], np.cumsum(steps * still)]),
    )
    mean, sd = float(totals.mean()), float(totals.std(ddof=1))
    checks = {"years": years, "standard_error": sd / np.sqrt(years), "warnings": ()}
    return AnnualLoss(mean, sd, float(np.mean(events == 0)), checks, grid)
