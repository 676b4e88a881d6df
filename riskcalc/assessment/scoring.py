"""Scores: inherent, claimed and earned likelihood, impact, score and level of every risk.

    residual = 1 + (rating - 1) x product over the controls of (1 - coverage x weight)

for each axis over the controls that act on it. The claimed view takes each control at its word, the earned
view at what it is documented and tested to do (riskcalc.evidence). Levels are looked up in the matrix.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskcalc.assessment import evidence
from riskcalc.assessment.changes import over_report
from riskcalc.assessment.context import Context, once, rated
from riskcalc.register import register as registers
from riskcalc.register.matrix import Matrix
from riskcalc.register.records import grouped
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
    return scored(context, report_type).copy()


@once
def scored(context: Context, report_type: str | None = None) -> pd.DataFrame:
    """The frame of ``scores`` itself, which is shared: for whoever only looks at it."""
    if report_type != (answered := evidence.as_answered(context, report_type)):
        return scored(context, answered)
    return score_from(context, _lines(context, report_type))


def score_from(context: Context, lines: pd.DataFrame) -> pd.DataFrame:
    """As ``scores``, but from given score lines: those of ``score_lines``, or what would be if they were others."""
    register, risks, rating_of = context.register, context.register.risks, rated(context)
    position = {name: place for place, name in enumerate(risks["risk_id"])}
    known = [rating_of.get(name, (None, None)) for name in risks["risk_id"]]
    given = {axis: pd.array([pair[place] for pair in known], "Int64") for place, axis in enumerate(AXES)}
    places = np.array([position[name] for name in lines["risk_id"]], np.intp)
    acts_on = lines["acts_on"].to_numpy(object)
    on_axis = {axis: (acts_on == axis) | (acts_on == "both") for axis in AXES}
    inherent = {axis: each.to_numpy(dtype=float, na_value=np.nan) for axis, each in given.items()}
    columns: dict[str, Any] = {name: risks[name].array for name in ("unit_id", "risk_id")}
    columns |= given
    for view in VIEWS:
        ratings = inherent
        if view != "inherent":
            effects = lines[f"{view}_effect"].to_numpy(float)
            ratings = {axis: residual(inherent[axis], effects[on], places[on]) for axis, on in on_axis.items()}
        codes = register.methodology.matrix.codes(ratings["likelihood"], ratings["impact"])
        columns |= {f"{view}_{axis}": ratings[axis] for axis in AXES}
        columns[f"{view}_score"] = ratings["likelihood"] * ratings["impact"]
        columns[f"{view}_level"] = _levels(codes, register)
    return pd.DataFrame({**columns, **_breaches(codes, register)})


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
    weights, links = evidence.assessed(context, report_type), _links(context.register)
    links = _over_report(context.register, links) if report_type else links
    found = [weights[name] for name in links["control_id"]]
    by_view = {f"{view}_weight": np.array([each[view] for each in found], float) for view in CONTROLLED}
    effects = {f"{view}_effect": links["coverage"].to_numpy() * by_view[f"{view}_weight"] for view in CONTROLLED}
    columns: dict[str, Any] = {str(name): links[name].array for name in links}
    columns |= {**by_view, **effects, "reason": pd.Series([each["reason"] for each in found], dtype=str).array}
    return pd.DataFrame(columns)


@registers.once
def _links(register: Register) -> pd.DataFrame:
    """The controls on each risk, in the order of both, with coverages as floats."""
    links = register.risk_controls
    keys = list(zip(links["risk_id"], links["control_id"], strict=True))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return links.assign(coverage=links["coverage"].astype(float)).iloc[order].reset_index(drop=True)


@registers.once
def acting(register: Register) -> dict[str, list[str]]:
    """The controls that act on each risk."""
    return grouped((link["risk_id"], link["control_id"]) for link in register.rows("risk_controls"))


def _over_report(register: Register, links: pd.DataFrame) -> pd.DataFrame:
    """The same with the least that each did to its risk on all the days of the report: nothing where it began later."""
    if not (least := over_report(register)):
        return links
    keys = zip(links["risk_id"], links["control_id"], strict=True)
    now = zip(keys, links["acts_on"], links["coverage"], strict=True)
    acts_on, coverage = zip(*(least.get(key, (side, some)) for key, side, some in now), strict=True)
    return links.assign(acts_on=acts_on, coverage=coverage)


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


def ranked(scores: pd.DataFrame, most: int | None = None) -> pd.DataFrame:
    """The rated risks, worst first: earned level, earned score, then id; of many only the first ``most``."""
    levels, worth = scores["earned_level"].cat.codes, scores["earned_score"]
    keys = list(zip((-levels).tolist(), (-worth).tolist(), scores["risk_id"], strict=True))
    return scores.iloc[sorted(np.flatnonzero(levels >= 0).tolist(), key=keys.__getitem__)[:most]]


def breaches(scores: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Whether each risk is rated, and worse than its unit's appetite on the earned view."""
    return scores["breach"].to_numpy(bool, na_value=False)


def outside(scores: pd.DataFrame) -> pd.DataFrame:
    """The rated risks that are worse than their unit's appetite on the earned view."""
    return scores[breaches(scores)]


def by_cell(scores: pd.DataFrame, view: str, matrix: Matrix) -> dict[tuple[int, int], list[str]]:
    """The rated risks of each cell (likelihood, impact), each read at the nearest whole ratings, as its level is."""
    places = zip(*(matrix.whole(axis, scores[f"{view}_{axis}"]).tolist() for axis in AXES), strict=True)
    found = zip(places, scores["risk_id"], strict=True)
    return grouped((place, str(risk_id)) for place, risk_id in found if all(place))


def level_counts(scores: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
    """Risks by unit (rows, in the register's order) and earned level (columns, worst first), unrated last."""
    columns = [*reversed(matrix.level_names), "Unrated"]
    level = scores["earned_level"].astype(object).where(scores["earned_level"].notna(), "Unrated")
    counts, units = Counter(zip(scores["unit_id"], level, strict=True)), scores["unit_id"].unique()
    return pd.DataFrame([[counts[unit, name] for name in columns] for unit in units], units, columns, dtype=int)


def _levels(codes: npt.NDArray[np.int8], register: Register) -> pd.Categorical[str]:
    names = pd.Index(register.methodology.level_names)
    return pd.Categorical.from_codes(codes, categories=names, ordered=True)


def _breaches(earned: npt.NDArray[np.int8], register: Register) -> dict[str, Any]:
    """The appetite of each risk's unit, and whether the earned level is worse."""
    rank = {name: code for code, name in enumerate(register.methodology.level_names)}
    of_unit = {unit["unit_id"]: rank.get(unit["appetite"], -1) for unit in register.rows("business_units")}
    appetite = np.array([of_unit.get(unit, -1) for unit in register.risks["unit_id"]], np.int8)
    breach = pd.arrays.BooleanArray(earned > appetite, earned < 0)
    return {"appetite": _levels(appetite, register), "breach": breach}
