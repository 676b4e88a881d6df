"""The risks that a year's loss adds up, in blocks of one kind, and the mixture of their losses per event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from riskcalc.loss.distributions import Constant, Floats, Lognormal, LossDistribution, Pert

Block = tuple[Any, npt.NDArray[np.intp]]  # a severity with a row per risk, and the risks' places
_KINDS = (Lognormal, Pert, Constant)
_NEVER = 1e-250  # events a year: what is less can't be told from rounding


def blocks_of(severity: LossDistribution | Sequence[LossDistribution], number: int) -> list[Block]:
    """The severities of all risks, those of one kind with array parameters, so that each is computed at once."""
    if not isinstance(severity, Sequence):
        rows = np.atleast_1d(severity.mean)
        if len(rows) not in (1, number):
            raise ValueError(f"{number} frequencies, but {len(rows)} severities")
        return [(_mapped(severity, lambda value: np.broadcast_to(value, number)), np.arange(number))]
    if len(severity) != number:
        raise ValueError(f"{number} frequencies, but {len(severity)} severities")
    blocks: list[Block] = []
    for kind in _KINDS:
        places = np.array(
            [n for n, one in enumerate(severity) if type(one) is kind and np.ndim(one.mean) == 0], np.intp
        )
        names = [field.name for field in fields(kind) if field.name != "gamma"]
        for gamma in sorted({getattr(severity[n], "gamma", 0.0) for n in places}):
            chosen = np.array([n for n in places if getattr(severity[n], "gamma", 0.0) == gamma], np.intp)
            stacked: dict[str, Any] = {name: np.array([getattr(severity[n], name) for n in chosen]) for name in names}
            blocks.append((kind(**stacked, **({"gamma": gamma} if kind is Pert else {})), chosen))
    others = [n for n, one in enumerate(severity) if type(one) not in _KINDS]
    return blocks + [(severity[n], np.array([n])) for n in others]


class Mixture:
    """The rate-weighted mixture of all losses per event, in each of many years: a row per year, a column per risk.

    ``which`` says which of the losses in ``blocks`` a risk has in a year; by default the risks' own, in every year.
    """

    def __init__(
        self,
        rates: Floats,
        blocks: list[Block],
        which: npt.NDArray[np.intp] | None = None,
        lost: npt.NDArray[np.bool_] | bool = True,
    ) -> None:
        self.blocks = blocks
        self.which = np.broadcast_to(np.arange(rates.shape[1]), rates.shape) if which is None else which
        self._means = self._of_each("mean")
        if not np.all(np.isfinite(self._means)):
            raise ValueError("every severity needs a finite mean")
        self.means, self.sds = self._means[self.which], self._of_each("sd")[self.which]
        happens = lost & (self.means > 0) & (rates > _NEVER)  # a loss of nothing changes nothing but p0
        self.rates = np.where(happens, rates, 0.0)
        self.p0, self.rate = np.exp(-rates.sum(axis=1)), self.rates.sum(axis=1)
        self.mean = _each(self.rates, self.means)
        self.sd = np.sqrt(_each(self.rates, self.means**2 + self.sds**2))

    def only(self, years: npt.NDArray[np.intp]) -> Mixture:
        """The mixture in some of the years."""
        chosen = copy(self)
        for name in ("which", "means", "sds", "rates", "p0", "rate", "mean", "sd"):
            setattr(chosen, name, getattr(self, name)[years])
        return chosen

    def one(self, number: int) -> Any:
        """The loss per event of that number."""
        one, places = next(block for block in self.blocks if number in block[1])
        return one_of(one, int(np.flatnonzero(places == number)[0]))

    def survival(self, x: Floats) -> Floats:
        """Sum over the risks of rate x P(loss > x), for the same amounts in every year: a row each."""
        found: Floats = self._weighted(x, lambda one: [one.sf(x)], self.rates > 0)[0]
        return found

    def limited(self, x: Floats, chosen: npt.NDArray[np.bool_]) -> Floats:
        """Sum over the chosen risks of rate x E[min(loss, x)], and of rate x P(loss > x), as ``survival``."""
        return self._weighted(x, lambda one: lev_and_sf(one, x), chosen & (self.rates > 0))

    def _weighted(self, x: Floats, figures: Callable[[Any], Sequence[Floats]], counts: npt.NDArray[np.bool_]) -> Floats:
        values: list[Floats] = []
        for one, places in self.blocks:
            if (used := np.isin(places, self.which[counts])).any():
                found = figures(one_of(one, used))
                values = values or [np.zeros((len(self._means), len(x))) for _ in found]
                for value, each in zip(values, found, strict=True):
                    value[places[used]] = each
        # each year by itself, so that it is the same to the last bit however many years there are
        rows = list(zip(self.rates, self.which, counts, strict=True))
        return np.array([[rates[some] @ value[which[some]] for rates, which, some in rows] for value in values])

    def _of_each(self, name: str) -> Floats:
        """A figure of each of the losses in ``blocks``."""
        found = np.zeros(sum(len(places) for _, places in self.blocks))
        for one, places in self.blocks:
            found[places] = getattr(one, name)
        return found


def mixtures(rates: Floats, severity: Sequence[LossDistribution], scale: Floats) -> Mixture:
    """The mixture in years in which each risk's loss is multiplied by ``scale``; like rates, a row per year.

    A loss that many years have in common is there once.
    """
    factors = np.where(scale > 0, scale, 1.0)
    which = np.zeros(scale.shape, np.intp)
    own: list[int] = []
    by: list[float] = []
    for risk in range(scale.shape[1]):
        found, which[:, risk] = np.unique(factors[:, risk], return_inverse=True)
        which[:, risk] += len(own)
        own += [risk] * len(found)
        by += [*found]
    risks, multiplied = np.array(own, np.intp), np.array(by)
    blocks = []
    for one, places in blocks_of(severity, scale.shape[1]):
        chosen = np.flatnonzero(np.isin(risks, places))
        rows = np.searchsorted(places, risks[chosen])
        blocks.append((one_of(one, rows).scaled(multiplied[chosen]), chosen))
    return Mixture(rates, blocks, which, scale > 0)


def lev_and_sf(severity: Any, x: Floats) -> tuple[Floats, Floats]:
    """E[min(X, x)] and P(X > x); at once, where the severity can."""
    together = getattr(severity, "lev_and_sf", None)
    return together(x) if together else (severity.lev(x), severity.sf(x))


def _each(rates: Floats, values: Floats) -> Floats:
    """The product for each year by itself, so that it is the same to the last bit however many years there are."""
    return np.array([rate @ value for rate, value in zip(rates, values, strict=True)])


def one_of(severity: Any, rows: Any) -> Any:
    """The severity of one risk out of a block, by its row, or of some, by theirs."""
    return _mapped(severity, lambda value: value[rows])


def _mapped(severity: Any, change: Callable[[Any], Any]) -> Any:
    """A severity with other parameters, made of its own; one of a stranger's kind stays as it is."""
    if not isinstance(severity, _KINDS):
        return severity
    own = {field.name: getattr(severity, field.name) for field in fields(severity)}
    return type(severity)(**{name: value if name == "gamma" else change(value) for name, value in own.items()})
