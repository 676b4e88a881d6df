"""Consistency checks of objectives and risks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from riskcalc.assessment.checks import Seen, check, control_of, risks
from riskcalc.assessment.context import Context, once
from riskcalc.assessment.exposure import frequencies
from riskcalc.assessment.scoring import acting, score_lines
from riskcalc.assessment.steps import LEAST_COVERAGE, reaching, relevant
from riskcalc.errors import first_of


@check("objective-without-risk", "look", "Name the risks, or drop the objective from the report.")
def _objective_without_risk(context: Context) -> Seen:
    used = set(context.register.risks["objective_id"])
    for objective in context.register.rows("control_objectives"):
        if objective["objective_id"] not in used:
            yield objective, "no risk threatens this control objective"


@check("risk-unrated", "look", "Rate it, or confirm what is proposed: in a workshop, or in ratings.csv.")
def _unrated(context: Context) -> Seen:
    proposed = context.proposed
    for risk in risks(context):
        if pd.isna(risk["likelihood"]):
            told = proposed.get(risk["risk_id"], "")
            yield risk, f"is unrated in {context.period.name}{told}"


@check(
    "risk-without-control",
    "act",
    "Link what acts on it, or the control that is missing and its deficiency; or accept it.",
)
def _risk_without_control(context: Context) -> Seen:
    for risk in risks(context):
        if risk["risk_id"] not in acting(context.register):
            yield risk, "no control acts on this risk"


@check("risk-without-key-control", "look", "Decide which of its controls the objective depends on.")
def _risk_without_key_control(context: Context) -> Seen:
    """As the outlook has it: a client's key control carries nothing, nor does one that reaches next to nothing."""
    keys, carrying = set(relevant(context.register.rows("controls"))), reaching(context.register)
    for risk in risks(context):
        linked = acting(context.register).get(risk["risk_id"], [])
        if linked and keys.isdisjoint(carrying.get(risk["risk_id"], ())):
            found = [control for control in sorted(linked) if control_of(context)[control]["key"]]
            why = f": of {first_of(found, 3)}, none of ours reaches {LEAST_COVERAGE} of it" if found else ""
            yield risk, f"no key control acts on this risk{why}"


@check("nothing-prevents", "look", "Consider a preventive control.")
def _detective_only(context: Context) -> Seen:
    for risk in risks(context):
        kinds = {control_of(context)[control]["kind"] for control in acting(context.register).get(risk["risk_id"], [])}
        if (
            kinds
            and "preventive" not in kinds
            and risk["inherent_level"] == context.register.methodology.level_names[-1]
        ):
            yield risk, "is at the highest level, and nothing prevents it"


@check("breach-untreated", "act", "Record a deficiency with an owner and a date, or accept the risk formally.")
def _breach_without_treatment(context: Context) -> Seen:
    for risk in risks(context):
        worse: bool = not pd.isna(risk["breach"]) and risk["breach"]
        if worse and risk["treatment"] == "accept" and _expired(risk, context.as_of):
            yield risk, "is worse than appetite, and its acceptance has run out"
        elif worse and not _being_mended(context, risk["risk_id"]) and risk["treatment"] != "accept":
            yield risk, "is worse than appetite, and no open deficiency says who mends it"


@check("acceptance-expired", "act", "Renew the acceptance, or treat the risk.")
def _expired_acceptance(context: Context) -> Seen:
    for risk in risks(context):
        if _expired(risk, context.as_of):
            yield risk, f"its acceptance ended on {risk['accepted_until']:%Y-%m-%d}"


@check("accepted-by-owner", "look", "Have somebody above the owner accept it.")
def _accepted_by_owner(context: Context) -> Seen:
    for risk in risks(context):
        if risk["treatment"] == "accept" and risk["accepted_by"] == risk["owner"]:
            yield risk, "was accepted by its own owner"


@check(
    "rate-unlike-rating", "note", "Ratings are ordinal: where the two differ, ask whether rating or frequency is wrong."
)
def _rate_unlike_rating(context: Context) -> Seen:
    """Risks whose modelled rate is more than a band away from that of their earned likelihood."""
    methodology, lines, rates = context.register.methodology, score_lines(context), frequencies(context)
    left: dict[str, float] = {}
    for name, acts_on, effect in zip(*(lines[each] for each in ("risk_id", "acts_on", "earned_effect")), strict=True):
        if acts_on != "impact":
            left[name] = left.get(name, 1.0) * (1 - effect)
    for risk in risks(context) if methodology.frequency_bands else ():
        if risk["risk_id"] in rates and not pd.isna(risk["likelihood"]):
            rate = rates[risk["risk_id"]] * left.get(risk["risk_id"], 1.0)
            whole = int(methodology.matrix.whole("likelihood", [risk["earned_likelihood"]])[0])
            bands = methodology.frequency_bands
            (low, high), near = bands[whole - 1], bands[max(0, whole - 2) : whole + 1]
            if rate < float(near[0][0]) or (near[-1][1] is not None and rate > float(near[-1][1])):
                band = f"{float(low):.3g} to {float(high):.3g}" if high is not None else f"more than {float(low):.3g}"
                rated = f"likelihood {risk['earned_likelihood']:.2f} means {band} a year"
                yield risk, f"its earned {rated}; modelled are {rate:.3g}"


def _expired(risk: Any, as_of: date) -> bool:
    return bool(risk["treatment"] == "accept" and risk["accepted_until"].date() < as_of)


def _being_mended(context: Context, risk_id: str) -> bool:
    return not _in_repair(context).isdisjoint(acting(context.register).get(risk_id, ()))


@once
def _in_repair(context: Context) -> frozenset[str]:
    return frozenset(one["control_id"] for one in context.open_deficiencies)
