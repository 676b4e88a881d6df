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


def blocks_of(severity: LossDistribution | Sequence[LossDistribution], number: int) -> list[Block]:
    """The severities of all risks, those of one kind with array parameters, so that each is computed at once."""
    if not isinstance(severity, Sequence):
        rows = np.atleast_1d(severity.mean)
        if len(rows) not in (1, number):
            raise ValueError(f"{number} frequencies, but {len(rows)} severities")
        return [(severity, np.arange(number))]
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
    """The rate-weighted mixture of all losses per event, in each of many years: a row per year, a column per risk."""

    def __init__(self, rates: Floats, blocks: list[Block], lost: npt.NDArray[np.bool_] | bool = True) -> None:
        self.blocks = blocks
        self.means, self.sds = np.zeros(rates.shape), np.zeros(rates.shape)
        for one, places in blocks:
            self.means[:, places], self.sds[:, places] = one.mean, one.sd
        if not np.all(np.isfinite(self.means)):
            raise ValueError("every severity needs a finite mean")
        self.rates = np.where(lost & (self.means > 0), rates, 0.0)  # a loss of nothing changes nothing but p0
        self.p0, self.rate = np.exp(-rates.sum(axis=1)), self.rates.sum(axis=1)
        self.mean = _each(self.rates, self.means)
        self.sd = np.sqrt(_each(self.rates, self.means**2 + self.sds**2))

    def only(self, years: npt.NDArray[np.intp]) -> Mixture:
        """The mixture in some of the years."""
        if len(years) == len(self.rates):
            return self
        chosen = copy(self)
        for name in ("means", "sds", "rates", "p0", "rate", "mean", "sd"):
            setattr(chosen, name, getattr(self, name)[years])
        pick = lambda value: value[years] if np.ndim(value) == 2 else value  # noqa: E731
        chosen.blocks = [(_picked(one, pick), places) for one, places in self.blocks]
        return chosen

    def weighted(self, name: str, x: Floats, chosen: npt.NDArray[np.bool_] | None = None) -> Floats:
        """Sum over the chosen risks of rate x lev(x), or x sf(x): for each year of its own row of ``x``."""
        total = np.zeros_like(x)
        rates = self.rates if chosen is None else self.rates * chosen
        for one, places in self.blocks:
            if rates[:, places].any():
                found = np.broadcast_to(getattr(one, name)(x[:, None, :]), (len(x), len(places), x.shape[1]))
                for year, happening in enumerate(self.rates[:, places] > 0):
                    total[year] += rates[year, places[happening]] @ found[year, happening]
        return total


def _each(rates: Floats, values: Floats) -> Floats:
    """The product for each year by itself, so that it is the same to the last bit however many years there are."""
    return np.array([rate @ value for rate, value in zip(rates, values, strict=True)])


def one_of(severity: Any, *index: int) -> Any:
    """The severity of one risk, in one year, out of a block; ``index`` ends with the risk's row."""
    return _picked(severity, lambda value: value[index[-np.ndim(value) :]] if np.ndim(value) else value)


def _picked(severity: Any, pick: Callable[[Any], Any]) -> Any:
    """A severity with other parameters, picked out of its own."""
    if not isinstance(severity, _KINDS):
        return severity
    return type(severity)(**{field.name: pick(getattr(severity, field.name)) for field in fields(severity)})
