"""What would be: a risk rated otherwise, a control that fails, is repaired or is added. Nothing here is kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from riskcalc.assessment import evidence
from riskcalc.assessment.context import Context
from riskcalc.assessment.scoring import score_from, score_lines
from riskcalc.register.periods import Period
from riskcalc.register.register import Register

Rating = tuple[int | None, int | None]


@dataclass(frozen=True)
class Added:
    """A control that isn't there yet: which risk it would act on, on which side, and how much would be within reach."""

    risk_id: str
    acts_on: str
    coverage: float


def with_ratings(register: Register, period: Period, ratings: Mapping[str, Rating]) -> Register:
    """The register with other ratings (likelihood, impact) of some risks in a period, which may be a new one.

    >>> from riskcalc.register.register import load
    >>> changed = with_ratings(load("data"), Period.parse("2026-H2"), {"PAY-R01": (5, 5)})
    >>> changed.periods[-1].name
    '2026-H2'
    """
    old = register.ratings
    kept = old[~((old["period"] == period.name) & old["risk_id"].isin(list(ratings)))]
    new = pd.DataFrame(
        [(risk, period.name, *rating) for risk, rating in ratings.items()],
        columns=["risk_id", "period", "likelihood", "impact"],
    )
    added = new.reindex(columns=old.columns).astype(old.dtypes.to_dict())
    periods = sorted({*register.periods, period}, key=lambda each: each.last_day)
    return replace(register, ratings=pd.concat([kept, added]), periods=tuple(periods))


def what_if(
    context: Context,
    failing: Collection[str] = (),
    repaired: Collection[str] = (),
    added: Collection[Added] = (),
) -> pd.DataFrame:
    """The scores, as ``riskcalc.score`` gives them, if some controls failed, were repaired or were added.

    A control that fails earns nothing, nor does, through any chain, what relies on it; one that is repaired is
    documented, well designed and shown to operate, but still limited by what it relies on; one that is added is all of
    that.

    >>> from riskcalc.register.register import load
    >>> worse = what_if(Context.of(load("data")), failing=["PAY-C01"])
    """
    lines = score_lines(context)
    assumed = {**dict.fromkeys(failing, 0.0), **dict.fromkeys(repaired, 1.0)}
    weights = evidence.earned_weights(context, assumed)
    earned = lines["control_id"].map(weights).astype(float)
    claimed = lines["claimed_weight"].where(lines["claimed_weight"] > earned, earned)
    lines = lines.assign(claimed_effect=lines["coverage"] * claimed, earned_effect=lines["coverage"] * earned)
    new = pd.DataFrame(
        [
            {
                "risk_id": one.risk_id,
                "acts_on": one.acts_on,
                "claimed_effect": one.coverage,
                "earned_effect": one.coverage,
            }
            for one in added
        ]
    )
    return score_from(context, pd.concat([lines, new], ignore_index=True) if len(new) else lines)
