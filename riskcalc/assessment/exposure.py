"""What a risk would cost without controls: events a year and the loss per event, in the unit's currency.

A risk's own columns come first; where they are blank, the anchors of its ratings in methodology.toml stand in for
them: the likelihood's frequency, and the impact's losses as a share of the unit's materiality, once that is set.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd

from riskcalc.assessment.context import Context, once, rated
from riskcalc.register.methodology import Methodology

COLUMNS = ["unit_id", "frequency", "low", "mode", "high", "frequency_from", "loss_from"]
_LOSSES = ("low", "mode", "high")


def exposures(context: Context) -> pd.DataFrame:
    """A row per risk, indexed by ``risk_id``: events a year, and low, mode and high loss per event.

    ``frequency_from`` and ``loss_from`` say where a figure comes from: ``register``, ``anchor``, or blank where neither
    the risk nor its rating gives one; the figure is then missing. A missing mode means a loss given as an interval.

    >>> from riskcalc.register.register import load
    >>> exposures(Context.of(load("data"))).loc["PAY-R04", ["frequency_from", "loss_from"]].tolist()
    ['anchor', 'anchor']
    """
    index = pd.Index(context.register.risks["risk_id"].to_numpy(), name="risk_id")
    found = pd.DataFrame(list(_figures(context).values()), columns=COLUMNS, index=index)
    figures = ["frequency", *_LOSSES]
    return found.assign(**found[figures].astype(float))


def largest_losses(context: Context) -> dict[str, Decimal]:
    """The high loss per event of each risk that has one, as written, so that it can be held against a materiality."""
    return {risk: figures[4] for risk, figures in _figures(context).items() if figures[4] is not None}


def frequencies(context: Context) -> dict[str, float]:
    """The events a year of each risk for which a figure is known."""
    return {risk: float(figures[1]) for risk, figures in _figures(context).items() if figures[1] is not None}


# --- parts ---

_Losses = list[Decimal | None]


@once
def _figures(context: Context) -> dict[str, tuple[Any, ...]]:
    """By risk, what ``COLUMNS`` has."""
    register, ratings = context.register, rated(context)
    materiality = dict(zip(register.business_units["unit_id"], register.business_units["materiality"], strict=True))
    found = {}
    for risk in register.rows("risks"):
        likelihood, impact = ratings.get(risk["risk_id"], (None, None))
        frequency = _frequency(risk, likelihood, register.methodology)
        loss = _loss(risk, impact, materiality[risk["unit_id"]], register.methodology)
        found[risk["risk_id"]] = (risk["unit_id"], frequency[0], *loss[0], frequency[1], loss[1])
    return found


def _frequency(risk: Any, likelihood: Any, methodology: Methodology) -> tuple[Decimal | None, str]:
    if not pd.isna(risk["frequency_per_year"]):
        return risk["frequency_per_year"], "register"
    anchor = None if pd.isna(likelihood) else methodology.likelihood[likelihood - 1].frequency_per_year
    return (None, "") if anchor is None else (anchor, "anchor")


def _loss(risk: Any, impact: Any, materiality: Decimal, methodology: Methodology) -> tuple[_Losses, str]:
    if not pd.isna(risk["loss_high"]):
        own = [risk[f"loss_{name}"] for name in _LOSSES]
        return [None if pd.isna(loss) else loss for loss in own], "register"
    if not pd.isna(impact) and not materiality.is_nan():
        rating = methodology.impact[impact - 1]
        shares = [getattr(rating, f"loss_{name}") for name in _LOSSES]
        if shares[2] is not None:
            return [None if share is None else share * materiality for share in shares], "anchor"
    return [None] * 3, ""
