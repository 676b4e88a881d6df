"""How severe a deficiency may be: always a candidate, with the reasons that a person can argue with.

In the words of an entity's own reporting (AS 2201 .62-.70; AU-C 265): is there a reasonable possibility of a
misstatement, how large could it be against materiality, which other controls compensate and were themselves tested,
does an indicator of a material weakness apply, and what do the deficiencies of one objective or account make together?
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskcalc.assessment import evidence
from riskcalc.assessment.context import Context
from riskcalc.assessment.exposure import exposures
from riskcalc.assessment.scoring import AXES, score_lines

SEVERITIES = ("deficiency", "significant deficiency", "material weakness")
NOT_ASSESSED = "not assessed"
NOT_ON_RECORD = "not on record"


@dataclass(frozen=True)
class Candidate:
    """A candidate severity: of one deficiency, or of those of an objective or account together.

    ``about`` is deficiency, objective or account, and ``name`` its id; ``magnitude`` the misstatement that one event
    could cause, in the unit's currency; ``compensating`` the other controls that were tested and count.
    """

    unit_id: str
    about: str
    name: str
    controls: tuple[str, ...]
    severity: str
    possible: bool
    magnitude: float | None
    risks: tuple[str, ...]
    compensating: tuple[str, ...]
    reasons: tuple[str, ...]


def classify(possible: bool, material: bool, merits_attention: bool, indicator: bool = False) -> str:
    """The candidate's name, by the definitions of AS 2201 .A3, .A7, .A11 and AU-C 265.07.

    ``possible``: a misstatement is reasonably possible; ``material``: it could be material; ``merits_attention``:
    it is important enough for those who oversee reporting; ``indicator``: one of AS 2201.69 applies.

    >>> classify(possible=True, material=True, merits_attention=False)
    'material weakness'
    """
    if indicator or (possible and material):
        return "material weakness"
    return "significant deficiency" if merits_attention else "deficiency"


def candidates(context: Context) -> list[Candidate]:
    """A candidate for every deficiency open on the day, and for every failed control without one; gravest first.

    >>> from riskcalc.register.register import load
    >>> found = candidates(Context.of(load("data"), "2026-H1").only("claims"))
    >>> found[0].severity in SEVERITIES
    True
    """
    case = _Case(context)
    found = [_single(case, one) for one in _deficient(case)]
    return sorted(found, key=lambda one: (-_rank(one), one.unit_id, one.name))


def aggregated(context: Context) -> list[Candidate]:
    """What several deficient controls make together, for each objective and account they share (AS 2201.65)."""
    case = _Case(context)
    touched = {one["control_id"]: case.touched({one["control_id"]}) for one in _deficient(case)}
    found = []
    for about, column in (("objective", "objective_id"), ("account", "account")):
        for (unit, name), risks in context.register.risks.groupby(["unit_id", column]):
            within = set(risks["risk_id"])
            controls = {control for control, its_risks in touched.items() if its_risks & within}
            if len(controls) > 1:
                left = case.left(controls, case.touched(controls) & within)
                possible = left[left["possible"]] if left["possible"].any() else left
                found.append(_candidate(case, (str(unit), about, str(name)), controls, possible))
    return sorted(found, key=lambda one: (-_rank(one), one.unit_id, one.about != "objective", one.name))


# --- parts ---


class _Case:
    """What every judgement in a context needs, read once."""

    def __init__(self, context: Context) -> None:
        self.context, register = context, context.register
        weights = evidence.assess(context).drop(columns="control_id")
        self.controls = register.controls.join(weights, on="control_id").set_index("control_id", drop=False)
        rated = context.ratings[context.ratings["likelihood"].notna()]
        ratings = rated.set_index("risk_id")[list(AXES)].astype(float)
        self.risks = ratings.join(exposures(context), how="inner")
        self.units = register.business_units.set_index("unit_id").to_dict("index")
        links = register.risk_controls.groupby("risk_id")["control_id"]
        self.acting = {str(risk): set(controls) for risk, controls in links}
        self.untested = set(self.controls.index[self.controls["conclusion"] == "not_tested"])

    def touched(self, controls: set[str]) -> set[str]:
        """The risks that the controls act on, or that controls relying on them, through any chain, act on."""
        affected, new = set(controls), set(controls)
        while new:
            new = {
                str(name) for name, relied in self.controls["relies_on"].items() if affected & set(relied)
            } - affected
            affected |= new
        return {risk for risk, acting in self.acting.items() if acting & affected}

    def left(self, controls: set[str], risks: set[str]) -> pd.DataFrame:
        """What is left of each rated risk with the controls taken to fail, and untested ones not counted either."""
        lines = score_lines(self.context, failing=controls | self.untested)
        left = self.risks[self.risks.index.isin(risks)].copy()
        for axis in AXES:
            acting = lines[lines["acts_on"].isin([axis, "both"])]
            remaining = (1 - acting["earned_effect"]).groupby(acting["risk_id"]).prod()
            left[f"{axis}_left"] = remaining.reindex(left.index, fill_value=1.0).astype(float)
        counting = lines[lines["earned_effect"] > 0].groupby("risk_id")["control_id"].agg(tuple)
        likelihood = 1 + (left["likelihood"] - 1) * left["likelihood_left"]
        threshold = self.context.register.methodology.severity.reasonable_possibility
        return left.assign(
            likelihood=likelihood,
            possible=self.context.register.methodology.matrix.whole("likelihood", likelihood) >= threshold,
            magnitude=left["high"] * left["impact_left"],
            compensating=[counting.get(risk, ()) for risk in left.index],
        )


def _deficient(case: _Case) -> Iterator[dict[Any, Any]]:
    """The deficiencies open on the day, and the failed controls that have none on record."""
    known = case.context.open_deficiencies
    yield from known.to_dict("records")
    on_record = set(known["control_id"])
    for control in case.controls.to_dict("records"):
        failed = control["conclusion"] == "not_effective" or (control["key"] and control["claimed"] == 0)
        if failed and control["performed_by"] != "user_entity" and control["control_id"] not in on_record:
            name = f"{control['control_id']} {NOT_ON_RECORD}"
            yield {"deficiency_id": name, "control_id": control["control_id"]}


def _single(case: _Case, deficiency: Any) -> Candidate:
    """One deficiency, judged by the risk that matters most: a reasonably possible one, with the largest magnitude."""
    control = deficiency["control_id"]
    left = case.left({control}, case.touched({control})).sort_values(["possible", "magnitude"], na_position="first")
    unit = str(left["unit_id"].iloc[-1] if len(left) else case.controls["unit_id"][control])
    attention, indicator = deficiency.get("merits_attention"), deficiency.get("indicator")
    return _candidate(
        case,
        (unit, "deficiency", deficiency["deficiency_id"]),
        {control},
        left.iloc[-1:],
        None if pd.isna(attention) else bool(attention),
        None if pd.isna(indicator) else str(indicator),
    )


def _candidate(
    case: _Case,
    about: tuple[str, str, str],
    controls: set[str],
    left: pd.DataFrame,
    attention: bool | None = None,
    indicator: str | None = None,
) -> Candidate:
    unit = case.units.get(about[0], {})
    possible, amount = bool(left["possible"].any()), float(left["magnitude"].sum(skipna=False))
    known = len(left) > 0 and not math.isnan(amount)
    material = known and amount >= unit["materiality"]
    large = known and possible and amount >= unit["performance_materiality"]
    severity = classify(possible, material, large if attention is None else attention, indicator is not None)
    if not known and severity == "deficiency":
        severity = NOT_ASSESSED
    compensating = tuple(sorted({name for names in left["compensating"] for name in names}))
    reasons = (
        [*_reasons(case, left, amount, unit), _compensation(compensating)]
        if known
        else ["its risks have no amounts" if len(left) else "it acts on no rated risk"]
    )
    if attention is not None:
        reasons.append(f"judged {'to merit' if attention else 'not to merit'} the attention of those who oversee")
    if indicator:
        reasons.append(f"an indicator of a material weakness: {indicator.replace('_', ' ')} (AS 2201.69)")
    return Candidate(
        *about,
        tuple(sorted(controls)),
        severity,
        possible,
        amount if known else None,
        tuple(left.index),
        compensating,
        tuple(reasons),
    )


def _reasons(case: _Case, left: pd.DataFrame, amount: float, unit: Any) -> list[str]:
    threshold = case.context.register.methodology.severity.reasonable_possibility
    likely = ", ".join(f"{risk} {likelihood:.2f}" for risk, likelihood in left["likelihood"].items())
    verdict = "reasonably possible" if left["possible"].any() else "only remotely possible"
    size = "less than material, but not below performance materiality"
    if amount >= unit["materiality"]:
        size = "material"
    elif amount < unit["performance_materiality"]:
        size = "below performance materiality"
    events = "one event" if len(left) == 1 else "one event of each"
    return [
        f"likelihood without it: {likely}; {threshold} or more counts: {verdict}",
        f"{events} could misstate up to {amount:,.0f} {unit['currency']}: {size}",
    ]


def _compensation(compensating: tuple[str, ...]) -> str:
    if not compensating:
        return "no other control on it has been tested and counts"
    return f"compensating controls counted, as tested: {', '.join(compensating)}"


def _rank(one: Candidate) -> int:
    return SEVERITIES.index(one.severity) if one.severity in SEVERITIES else -1
