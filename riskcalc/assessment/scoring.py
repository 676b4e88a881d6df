"""Scores: inherent, claimed and earned likelihood, impact, score and level of every risk.

    residual = 1 + (rating - 1) x product over the controls of (1 - coverage x weight)

for each axis over the controls that act on it. The claimed view takes each control at its word, the earned
view at what it is documented and tested to do (riskcalc.evidence). Levels are looked up in the matrix.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskcalc.assessment import evidence
from riskcalc.assessment.context import Context, once
from riskcalc.register.matrix import Matrix
from riskcalc.register.register import Register

VIEWS = ("inherent", "claimed", "earned")
CONTROLLED = ("claimed", "earned")
AXES = ("likelihood", "impact")
Floats = npt.NDArray[np.float64]
# What readers must know, with an example each; a page's foot and a workbook's instructions say it.
LEGEND = {
    "Coverage": "how much of a risk a control reaches where it works. One that checks only the larger payments, 60 % "
    "of the amounts, covers 0.6.",
    "Claimed": "what is left of a risk if every control is as good as it is said to be. With coverage 0.6, likelihood "
    "4 becomes 1 + (4 - 1) x (1 - 0.6) = 2.2.",
    "Earned": "what is left if a control counts only as far as it is documented, well designed and shown by its tests "
    "to have operated. The same control without documentation, or untested, earns nothing: likelihood stays 4.",
}


def score(register: Register, period: str | None = None) -> pd.DataFrame:
    """A row per risk with its ratings and, for each view, likelihood, impact, score and level.

    Ratings are 1-based; residual likelihood and impact are continuous, and so is their product, the score,
    which orders risks within a level. Levels are ordered categoricals, lowest first. ``breach`` says whether
    the earned level is worse than the unit's appetite. An unrated risk has missing values throughout.
    Rows are in the register's order; ``period`` is the latest by default.

    Raises:
        UsageError: no risk is rated in ``period``.

    >>> from riskcalc.register.register import load
    >>> score(load("data")).columns[:4].tolist()
    ['unit_id', 'risk_id', 'likelihood', 'impact']
    """
    return scores(Context.of(register, period))


def scores(context: Context, report_type: str | None = None) -> pd.DataFrame:
    """As ``score``, in a context: the risk now, or with ``report_type`` by the evidence over the report's period.

    >>> from riskcalc.register.register import load
    >>> scores(Context.of(load("data"), "2025-H2")).shape == score(load("data")).shape
    True
    """
    return _scored(context, report_type).copy()


@once
def _scored(context: Context, report_type: str | None) -> pd.DataFrame:
    return score_from(context, _lines(context, report_type))


def score_from(context: Context, lines: pd.DataFrame) -> pd.DataFrame:
    """As ``scores``, but from given score lines: those of ``score_lines``, or what would be if they were others."""
    register = context.register
    frame = register.risks[["unit_id", "risk_id"]].merge(
        context.ratings[["risk_id", *AXES]], on="risk_id", how="left", validate="one_to_one"
    )
    position = pd.Series(np.arange(len(frame)), index=frame["risk_id"].to_numpy())
    lines = lines.assign(risk=position.loc[lines["risk_id"]].to_numpy())
    inherent = {axis: frame[axis].to_numpy(dtype=float, na_value=np.nan) for axis in AXES}
    codes = {}
    for view in VIEWS:
        ratings = inherent if view == "inherent" else _residuals(inherent, lines, view)
        codes[view] = register.methodology.matrix.codes(ratings["likelihood"], ratings["impact"])
        for axis in AXES:
            frame[f"{view}_{axis}"] = ratings[axis]
        frame[f"{view}_score"] = ratings["likelihood"] * ratings["impact"]
        frame[f"{view}_level"] = _levels(codes[view], register)
    return _with_breaches(frame, codes["earned"], register)


def score_lines(context: Context, report_type: str | None = None) -> pd.DataFrame:
    """A row per control acting on a risk: what it takes away, claimed and earned, and why.

    Columns: risk_id, control_id, acts_on, coverage, and for each view the control's weight and its effect, coverage x
    weight; ``reason`` says why the earned weight is what it is. With the ratings, a reader can recompute every residual
    from these rows. Ordered by risk and control; ``report_type`` as for ``scores``.

    >>> from riskcalc.register.register import load
    >>> score_lines(Context.of(load("data"))).columns[:3].tolist()
    ['risk_id', 'control_id', 'acts_on']
    """
    return _lines(context, report_type).copy()


@once
def _lines(context: Context, report_type: str | None) -> pd.DataFrame:
    weights = evidence.assess(context, report_type)
    links = context.register.risk_controls.sort_values(["risk_id", "control_id"]).reset_index(drop=True)
    coverage = links["coverage"].astype(float)
    of_control = weights.loc[links["control_id"]].reset_index(drop=True)
    by_view = {f"{view}_weight": of_control[view] for view in CONTROLLED}
    effects = {f"{view}_effect": coverage * of_control[view] for view in CONTROLLED}
    return links.assign(coverage=coverage, **by_view, **effects, reason=of_control["reason"])


def residual(rating: Floats, effect: Floats, risk: npt.NDArray[np.intp]) -> Floats:
    """Ratings after controls, for one axis: 1 + (rating - 1) x prod(1 - effect).

    ``rating`` has one value per risk; ``effect`` one per link of a control to a risk, 0 to 1, and ``risk``
    the position of that link's risk. Missing ratings stay missing.

    >>> residual(np.array([5.0]), np.array([0.5, 0.5]), np.array([0, 0]))
    array([2.])
    """
    remaining = np.ones_like(rating)
    np.multiply.at(remaining, risk, 1 - effect)
    return 1 + (rating - 1) * remaining


def ranked(scores: pd.DataFrame) -> pd.DataFrame:
    """The rated risks, worst first: earned level, earned score, then id."""
    rated = scores[scores["likelihood"].notna()]
    return rated.sort_values(["earned_level", "earned_score", "risk_id"], ascending=[False, False, True])


def outside(scores: pd.DataFrame) -> pd.DataFrame:
    """The rated risks that are worse than their unit's appetite on the earned view."""
    return scores[scores["breach"].fillna(False).astype(bool)]


def by_cell(scores: pd.DataFrame, view: str, matrix: Matrix) -> dict[tuple[int, int], list[str]]:
    """The rated risks of each cell (likelihood, impact), each read at the nearest whole ratings, as its level is."""
    rated = scores[scores["likelihood"].notna()]
    places = zip(*(matrix.whole(axis, rated[f"{view}_{axis}"]) for axis in AXES), rated["risk_id"], strict=True)
    held: dict[tuple[int, int], list[str]] = {}
    for likelihood, impact, risk_id in places:
        held.setdefault((int(likelihood), int(impact)), []).append(str(risk_id))
    return held


def level_counts(scores: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
    """Risks by unit (rows, in the register's order) and earned level (columns, worst first), unrated last."""
    columns = [*reversed(matrix.level_names), "Unrated"]
    level = scores["earned_level"].astype(object).where(scores["earned_level"].notna(), "Unrated")
    counts = pd.crosstab(scores["unit_id"], level).reindex(columns=columns, fill_value=0)
    counts.index.name = counts.columns.name = None
    return counts.reindex(scores["unit_id"].unique())


def _residuals(inherent: dict[str, Floats], lines: pd.DataFrame, view: str) -> dict[str, Floats]:
    on_axis = {axis: lines[lines["acts_on"].isin([axis, "both"])] for axis in AXES}
    return {
        axis: residual(inherent[axis], acting[f"{view}_effect"].to_numpy(), acting["risk"].to_numpy())
        for axis, acting in on_axis.items()
    }


def _levels(codes: npt.NDArray[np.int8], register: Register) -> pd.Categorical[str]:
    names = pd.Index(register.methodology.level_names)
    return pd.Categorical.from_codes(codes, categories=names, ordered=True)


def _with_breaches(frame: pd.DataFrame, earned: npt.NDArray[np.int8], register: Register) -> pd.DataFrame:
    names = list(register.methodology.level_names)
    appetite_of = register.business_units.set_index("unit_id")["appetite"]
    appetite = pd.Categorical(frame["unit_id"].map(appetite_of), categories=names, ordered=True)
    breach = pd.array(earned > appetite.codes, dtype="boolean")
    breach[earned < 0] = pd.NA
    return frame.assign(appetite=appetite, breach=breach)
