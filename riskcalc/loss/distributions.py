"""Losses per event: distributions as the yearly loss needs them, for one risk or for many at once.

Each has ``mean`` and ``sd``, the limited expected value ``lev(x)`` = E[min(X, x)], the survival function ``sf(x)`` =
P(X > x), and ``sample``. Parameters may be arrays, one value per risk; ``lev`` and ``sf`` then give a row per risk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincinv, betaln, ndtr, xlog1py, xlogy

Floats = npt.NDArray[np.float64]
_Z95 = 1.6448536269514722  # the standard normal's 95th percentile


class LossDistribution(Protocol):
    """What the yearly loss asks of a loss per event; amounts in any one currency."""

    @property
    def mean(self) -> Any:
        """Expected loss per event."""

    @property
    def sd(self) -> Any:
        """Standard deviation of the loss per event."""

    def lev(self, x: Floats) -> Floats:
        """E[min(X, x)]."""

    def sf(self, x: Floats) -> Floats:
        """P(X > x)."""


@dataclass(frozen=True)
class Lognormal:
    """Lognormal with the mean ``mu`` and standard deviation ``sigma`` of its logarithm; sigma 0 is a constant."""

    mu: Any
    sigma: Any

    @property
    def mean(self) -> Any:
        """exp(mu + sigma^2 / 2)."""
        return np.exp(np.asarray(self.mu) + np.square(self.sigma) / 2)

    @property
    def sd(self) -> Any:
        """The mean x sqrt(exp(sigma^2) - 1)."""
        return self.mean * np.sqrt(np.expm1(np.square(self.sigma)))

    def lev(self, x: Floats) -> Floats:
        """The mean x Phi((ln x - mu - sigma^2) / sigma) + x x (1 - Phi((ln x - mu) / sigma))."""
        return self.lev_and_sf(x)[0]

    def lev_and_sf(self, x: Floats) -> tuple[Floats, Floats]:
        """Both at once, for little more than one of them."""
        z = self._standard(x)
        survival = ndtr(-z)
        return _column(self.mean) * ndtr(z - _column(self.sigma)) + np.asarray(x) * survival, survival

    def sf(self, x: Floats) -> Floats:
        """1 - Phi((ln x - mu) / sigma)."""
        return cast(Floats, ndtr(-self._standard(x)))

    def _standard(self, x: Floats) -> Floats:
        mu, sigma = _column(self.mu), np.maximum(_column(self.sigma), 1e-12)
        with np.errstate(divide="ignore"):
            return cast(Floats, (np.log(x) - mu) / sigma)

    def scaled(self, factor: Any) -> Lognormal:
        """The same, with every loss multiplied by ``factor``."""
        return Lognormal(self.mu + np.log(factor), self.sigma)

    def sample(self, rng: np.random.Generator, size: int) -> Floats:
        """``size`` losses of one risk."""
        return rng.lognormal(self.mu, self.sigma, size)


@dataclass(frozen=True)
class Pert:
    """Modified PERT: a beta on [low, high] with alpha = 1 + gamma (mode - low) / (high - low) and beta alike."""

    low: Any
    mode: Any
    high: Any
    gamma: float = 4.0

    @property
    def alpha(self) -> Any:
        """The beta distribution's first shape; the mean is (low + gamma mode + high) / (gamma + 2)."""
        return 1 + self.gamma * (np.asarray(self.mode) - self.low) / self._width

    @property
    def beta(self) -> Any:
        """The beta distribution's second shape."""
        return 2 + self.gamma - self.alpha

    @property
    def mean(self) -> Any:
        """(low + gamma mode + high) / (gamma + 2)."""
        return self.low + self._width * self.alpha / (2 + self.gamma)

    @property
    def sd(self) -> Any:
        """The width x sqrt(alpha beta / ((alpha + beta)^2 (alpha + beta + 1)))."""
        total = 2 + self.gamma
        return self._width * np.sqrt(self.alpha * self.beta / (total**2 * (total + 1)))

    def lev(self, x: Floats) -> Floats:
        """The low end + width x E[min(B, u)], u = (x - low) / width; x itself below low."""
        return self.lev_and_sf(x)[0]

    def lev_and_sf(self, x: Floats) -> tuple[Floats, Floats]:
        """Both at once: I_u(alpha + 1, beta) = I_u(alpha, beta) - u^alpha (1 - u)^beta / (alpha B(alpha, beta))."""
        u, alpha, beta = self._unit(x), _column(self.alpha), _column(self.beta)
        below = betainc(alpha, beta, u)
        next_below = below - np.exp(xlogy(alpha, u) + xlog1py(beta, -u) - betaln(alpha, beta)) / alpha
        limited = alpha / (alpha + beta) * next_below + u * (1 - below)
        return np.minimum(x, _column(self.low) + _column(self._width) * limited), cast(Floats, 1 - below)

    def sf(self, x: Floats) -> Floats:
        """1 - I_u(alpha, beta)."""
        return cast(Floats, 1 - betainc(_column(self.alpha), _column(self.beta), self._unit(x)))

    @property
    def _width(self) -> Any:
        return np.asarray(self.high, float) - self.low

    def _unit(self, x: Floats) -> Floats:
        return cast(Floats, np.clip((np.asarray(x) - _column(self.low)) / _column(self._width), 0, 1))

    def scaled(self, factor: Any) -> Pert:
        """The same, with every loss multiplied by ``factor``."""
        low, mode, high = (np.asarray(part) * factor for part in (self.low, self.mode, self.high))
        return Pert(low, mode, high, self.gamma)

    def sample(self, rng: np.random.Generator, size: int) -> Floats:
        """``size`` losses of one risk."""
        return cast(Floats, self.low + self._width * betaincinv(self.alpha, self.beta, rng.random(size)))


@dataclass(frozen=True)
class Constant:
    """The same loss every time."""

    value: Any

    @property
    def mean(self) -> Any:
        """The value."""
        return np.asarray(self.value, float)

    @property
    def sd(self) -> Any:
        """0."""
        return np.zeros_like(self.mean)

    def lev(self, x: Floats) -> Floats:
        """min(value, x)."""
        return cast(Floats, np.minimum(_column(self.mean), x))

    def sf(self, x: Floats) -> Floats:
        """1 below the value, 0 from it on."""
        return cast(Floats, (np.asarray(x) < _column(self.mean)).astype(float))

    def scaled(self, factor: Any) -> Constant:
        """The same, with every loss multiplied by ``factor``."""
        return Constant(self.mean * factor)

    def sample(self, rng: np.random.Generator, size: int) -> Floats:
        """``size`` times the value; nothing is drawn."""
        del rng
        return np.full(size, float(self.value))


def lognormal_90(low: npt.ArrayLike, high: npt.ArrayLike) -> Lognormal:
    """The lognormal whose 5th and 95th percentiles are ``low`` and ``high``, for one risk or an array of them.

    Raises:
        ValueError: not 0 < low <= high.

    >>> lognormal_90(1, 10).mean.round(6)
    np.float64(4.040013)
    """
    lows, highs = np.asarray(low, float), np.asarray(high, float)
    if not (np.all(lows > 0) and np.all(lows <= highs) and np.all(np.isfinite(highs))):
        raise ValueError("a 90 % interval needs 0 < low <= high, both finite")
    return Lognormal((np.log(lows) + np.log(highs)) / 2, np.log(highs / lows) / (2 * _Z95))


def pert(low: npt.ArrayLike, mode: npt.ArrayLike, high: npt.ArrayLike, gamma: float = 4.0) -> Pert:
    """The modified PERT distribution; ``gamma`` 4 is the usual weight of the mode.

    Raises:
        ValueError: not 0 <= low <= mode <= high with low < high, or gamma not above 0.

    >>> pert(0, 1, 10).mean
    np.float64(2.3333333333333335)
    """
    lows, modes, highs = (np.asarray(part, float) for part in (low, mode, high))
    ordered = np.all(lows >= 0) and np.all(lows <= modes) and np.all(modes <= highs) and np.all(lows < highs)
    if not (ordered and np.all(np.isfinite(highs)) and gamma > 0):
        raise ValueError("PERT needs 0 <= low <= mode <= high with low < high, finite, and gamma above 0")
    return Pert(lows, modes, highs, gamma)


def constant(value: npt.ArrayLike) -> Constant:
    """The same loss every time; raises ValueError for a negative or infinite one."""
    values = np.asarray(value, float)
    if not (np.all(values >= 0) and np.all(np.isfinite(values))):
        raise ValueError("a constant loss must be 0 or more, and finite")
    return Constant(values)


def _column(parameter: Any) -> Any:
    """A parameter of many risks as a column, so that an array of amounts gives a row per risk."""
    values = np.asarray(parameter, float)
    return values[..., None] if values.ndim else values
