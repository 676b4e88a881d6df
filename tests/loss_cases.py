"""Severities for tests that have closed forms, and reference values with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammainc, gammaincc

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Gamma:
    """A gamma loss, whose compound Poisson is a series of gammas."""

    shape: float
    scale: float

    @property
    def mean(self) -> float:
        """Its mean."""
        return self.shape * self.scale

    @property
    def sd(self) -> float:
        """Its standard deviation."""
        return float(self.shape**0.5 * self.scale)

    def lev(self, x: Floats) -> Floats:
        """E[min(X, x)]."""
        u = np.asarray(x) / self.scale
        limited: Floats = self.mean * gammainc(self.shape + 1, u) + x * gammaincc(self.shape, u)
        return limited

    def sf(self, x: Floats) -> Floats:
        """P(X > x)."""
        survival: Floats = gammaincc(self.shape, np.asarray(x) / self.scale)
        return survival

    def sample(self, rng: np.random.Generator, size: int) -> Floats:
        """Losses drawn."""
        return rng.gamma(self.shape, self.scale, size)


# Computed by exact series (a Poisson mixture of gamma distributions), not by this package; the models are those named.
GAMMA_CASES: dict[str, tuple[float, Gamma, dict[str, Any]]] = {
    "Poisson(10), Gamma(2, 1)": (
        10, Gamma(2, 1),
        {"var": {0.9: 30.2958647688, 0.95: 33.7942182674, 0.99: 40.8117929934, 0.999: 49.3754438909},
         "tvar": {0.9: 34.9958871553, 0.95: 38.1144262832, 0.99: 44.5809478869, 0.999: 52.7014923359},
         "cdf": {20: 0.534464099491, 30: 0.894348821042, 40: 0.98778666343}},
    ),
    "Bahnemann, CAS Monograph 2, Example 4.2": (
        2.5, Gamma(3, 400),
        {"var": {0.9: 5977.02242145, 0.95: 7105.18204051, 0.99: 9435.32883924},
         "tvar": {0.9: 7513.38081525, 0.95: 8541.86287781, 0.99: 10723.9045622},
         "cdf": {500: 0.109550010837, 1000: 0.186724732396, 2000: 0.375529143764, 3000: 0.561277464466,
                 4000: 0.715154631966, 5000: 0.827283430517, 6000: 0.9013390169, 8000: 0.972333398764,
                 10000: 0.99343773326}},
    ),
    "Klugman, Panjer and Willmot, Loss Models, Exercise 9.59": (
        5, Gamma(0.5, 2500), {"cdf": {20000: 1 - 0.0159433713376}}
    ),
    "Embrechts and Frei (2009), Poisson(50), Exponential(1)": (
        50, Gamma(1, 1), {"var": {0.999: 85.1059553927, 0.999999: 108.227485752}}
    ),
}  # fmt: skip

# FFT of 2^22 points, computed apart from this package; 2^20, 2^21 and 2^22 points agree to 1e-8.
FIVE_RISKS = ([0.8, 2.0, 0.15, 0.5, 4.0], [2e4, 5e3, 1e5, 1e4, 1e3], [6e5, 1.5e5, 3e6, 4e5, 2.5e4])
FIVE_RISKS_YEAR: dict[str, Any] = {
    "p0": 0.0005814416121937556, "mean": 474807.83785475075, "sd": 707958.9598675473,
    "var": {0.5: 279912.94, 0.9: 1020281.6, 0.95: 1504901.1, 0.99: 3229738.0, 0.999: 7710502.4},
    "tvar": {0.95: 2682902.5, 0.99: 5130211.5},
    "exceed": {650000: 0.200035, 1000000: 0.1034093, 2000000: 0.02857347},
}  # fmt: skip
ONE_LOGNORMAL: dict[str, Any] = {  # Poisson(2), lognormal with mu 10 and sigma 1.2
    "p0": 0.1353352832366127, "mean": 90503.80568392512, "sd": 131475.2092850202,
    "var": {0.5: 50369.61, 0.9: 220159.36, 0.95: 312230.61, 0.99: 593375.18, 0.999: 1259470.8},
    "tvar": {0.95: 501977.61, 0.99: 877949.04}, "exceed": {100000: 0.296777654, 500000: 0.0159623875},
}  # fmt: skip
