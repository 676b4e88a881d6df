"""Consistency findings: what is allowed in a register, and still deserves a second look before an auditor takes one.

Each check is a function from a ``Subject`` to what it saw (unit, row, message), listed in ``CHECKS`` under the name
that users see, with its severity and what to do. ``findings.py`` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from riskcalc.assessment import evidence, report_checks
from riskcalc.assessment.sample_plans import planned_size
from riskcalc.assessment.scoring import score
from riskcalc.register.periods import Period
from riskcalc.register.register import Register

Severity = Literal["error", "warning", "note"]
Rows = list[dict[Any, Any]]


@dataclass(frozen=True)
class Subject:
    """A register in a period, as of a day, with what several checks need of it."""

    register: Register
    period: Period
    as_of: date

    @cached_property
    def controls(self) -> Rows:
        """The controls with what they earn."""
        earned = evidence.assess(self.register, self.period.name).drop(columns="control_id")
        return self.register.controls.join(earned, on="control_id").to_dict("records")

    @cached_property
    def risks(self) -> Rows:
        """The risks with their scores."""
        scores = score(self.register, self.period.name).drop(columns="unit_id")
        return self.register.risks.merge(scores, on="risk_id").to_dict("records")

    @cached_property
    def tests(self) -> Rows:
        """The period's tests."""
        tests = self.register.control_tests
        return tests[tests["period"] == self.period.name].to_dict("records")

    @cached_property
    def acting(self) -> dict[str, list[str]]:
        """The controls that act on each risk."""
        links = self.register.risk_controls.groupby("risk_id")["control_id"]
        return {str(risk): list(controls) for risk, controls in links}

    @cached_property
    def control(self) -> dict[str, dict[Any, Any]]:
        """The controls by id."""
        return {control["control_id"]: control for control in self.controls}

    def own_controls(self) -> Rows:
        """The controls that the units perform themselves."""
        return [control for control in self.controls if control["performed_by"] == "own"]


# unit, row, message
Seen = Iterator[tuple[str, str, str]]


# --- objectives and risks -----------------------------------------------------------------------------


def _objective_without_risk(subject: Subject) -> Seen:
    used = set(subject.register.risks["objective_id"])
    for objective in subject.register.control_objectives.to_dict("records"):
        if objective["objective_id"] not in used:
            yield objective["unit_id"], objective["objective_id"], "no risk threatens this control objective"


def _unrated(subject: Subject) -> Seen:
    for risk in subject.risks:
        if pd.isna(risk["likelihood"]):
            yield risk["unit_id"], risk["risk_id"], f"is unrated in {subject.period.name}"


def _risk_without_control(subject: Subject) -> Seen:
    for risk in subject.risks:
        if risk["risk_id"] not in subject.acting:
            yield risk["unit_id"], risk["risk_id"], "no control acts on this risk"


def _risk_without_key_control(subject: Subject) -> Seen:
    for risk in subject.risks:
        acting = subject.acting.get(risk["risk_id"], [])
        if acting and not any(subject.control[control]["key"] for control in acting):
            yield risk["unit_id"], risk["risk_id"], "no key control acts on this risk"


def _detective_only(subject: Subject) -> Seen:
    for risk in subject.risks:
        kinds = {subject.control[control]["kind"] for control in subject.acting.get(risk["risk_id"], [])}
        if (
            kinds
            and "preventive" not in kinds
            and risk["inherent_level"] == subject.register.methodology.level_names[-1]
        ):
            yield risk["unit_id"], risk["risk_id"], "is at the highest level, and nothing prevents it"


def _breach_without_treatment(subject: Subject) -> Seen:
    for risk in subject.risks:
        worse: bool = not pd.isna(risk["breach"]) and risk["breach"]
        if worse and risk["treatment"] == "accept" and _expired(risk, subject.as_of):
            yield risk["unit_id"], risk["risk_id"], "is worse than appetite, and its acceptance has run out"
        elif worse and not _being_mended(subject, risk["risk_id"]) and risk["treatment"] != "accept":
            yield risk["unit_id"], risk["risk_id"], "is worse than appetite, and no open deficiency says who mends it"


def _expired_acceptance(subject: Subject) -> Seen:
    for risk in subject.risks:
        if _expired(risk, subject.as_of):
            yield risk["unit_id"], risk["risk_id"], f"its acceptance ended on {risk['accepted_until']:%Y-%m-%d}"


def _accepted_by_owner(subject: Subject) -> Seen:
    for risk in subject.risks:
        if risk["treatment"] == "accept" and risk["accepted_by"] == risk["owner"]:
            yield risk["unit_id"], risk["risk_id"], "was accepted by its own owner"


def _expired(risk: Any, as_of: date) -> bool:
    return bool(risk["treatment"] == "accept" and risk["accepted_until"].date() < as_of)


def _being_mended(subject: Subject, risk_id: str) -> bool:
    closed = subject.register.deficiencies["closed_on"].notna()
    open_for = set(subject.register.deficiencies.loc[~closed, "control_id"])
    return any(control in open_for for control in subject.acting.get(risk_id, []))


# --- controls -----------------------------------------------------------------------------------------


def _control_without_risk(subject: Subject) -> Seen:
    used = {control for acting in subject.acting.values() for control in acting}
    used |= {relied for control in subject.controls for relied in control["relies_on"]}
    for control in subject.controls:
        if control["control_id"] not in used and control["component"] == "control_activities":
            yield control["unit_id"], control["control_id"], "acts on no risk, and no control relies on it"


def _undocumented(subject: Subject) -> Seen:
    for control in subject.own_controls():
        if pd.isna(control["documentation"]):
            kind = "key control" if control["key"] else "control"
            yield control["unit_id"], control["control_id"], f"this {kind} is not documented, so it earns nothing"


def _badly_designed_key(subject: Subject) -> Seen:
    for control in subject.own_controls():
        if control["key"] and control["claimed"] < 1:
            design = control["design"].replace("_", " ")
            yield control["unit_id"], control["control_id"], f"this key control's design is {design}"


def _untested_key(subject: Subject) -> Seen:
    for control in subject.own_controls():
        if control["key"] and control["conclusion"] == "not_tested":
            yield control["unit_id"], control["control_id"], f"this key control was not tested in {subject.period.name}"


def _failed_key(subject: Subject) -> Seen:
    for control in subject.own_controls():
        if control["key"] and control["conclusion"] == "not_effective":
            yield control["unit_id"], control["control_id"], f"this key control failed: {control['reason']}"


def _under_sampled(subject: Subject) -> Seen:
    sampling = subject.register.methodology.sampling
    type1 = subject.register.business_units.query("report_type == 'type1'")["unit_id"].tolist()
    for control in subject.own_controls():
        planned, tested = planned_size(control["frequency"], None, sampling), control["sample_size"]
        inconclusive = control["conclusion"] == "insufficient_evidence" and control["unit_id"] not in type1
        if inconclusive and tested < planned:
            message = f"{tested} items were tested; {planned} are planned for its frequency"
            yield control["unit_id"], control["control_id"], message


def _automated_without_itgc(subject: Subject) -> Seen:
    for control in subject.own_controls():
        if control["nature"] != "manual" and not control["relies_on"] and not _is_relied_on(subject, control):
            nature = control["nature"].replace("_", "-")
            yield control["unit_id"], control["control_id"], f"is {nature}, and relies on no IT general control"


def _is_relied_on(subject: Subject, control: Any) -> bool:
    return any(control["control_id"] in other["relies_on"] for other in subject.controls)


def _thin_cuec(subject: Subject) -> Seen:
    for control in subject.controls:
        if control["performed_by"] == "user_entity" and len(control["description"].split()) < 12:
            message = "this complementary user entity control says too little for a client to perform it"
            yield control["unit_id"], control["control_id"], message


def _subservice_unnamed(subject: Subject) -> Seen:
    for control in subject.controls:
        if control["performed_by"] == "subservice" and pd.isna(control["subservice_id"]):
            yield (
                control["unit_id"],
                control["control_id"],
                "a subservice organisation performs it, but which one isn't said",
            )


def _subservice_on_own(subject: Subject) -> Seen:
    for control in subject.controls:
        if control["performed_by"] != "subservice" and not pd.isna(control["subservice_id"]):
            yield control["unit_id"], control["control_id"], "names a subservice organisation that doesn't perform it"


def _subservice_report(subject: Subject) -> Seen:
    for control in subject.controls:
        if control["performed_by"] == "subservice" and control["earned"] < control["claimed"]:
            yield control["unit_id"], control["control_id"], f"a subservice organisation's control: {control['reason']}"


def _subservice_unreviewed(subject: Subject) -> Seen:
    organisations = subject.register.subservice_organisations.set_index("subservice_id").to_dict("index")
    for control in subject.controls:
        organisation = organisations.get(control["subservice_id"])
        if organisation and not pd.isna(organisation["report_type"]) and pd.isna(organisation["reviewed_by"]):
            message = f"nobody has reviewed {organisation['name']}'s report, nor the user entity controls it asks of us"
            yield control["unit_id"], control["control_id"], message


# --- tests and deficiencies ---------------------------------------------------------------------------


def _self_tested(subject: Subject) -> Seen:
    for test in subject.tests:
        control = subject.control[test["control_id"]]
        if test["tested_by"] == control["owner"]:
            yield control["unit_id"], test["test_id"], f"{control['control_id']} was tested by its owner"


def _tested_without_evidence(subject: Subject) -> Seen:
    for test in subject.tests:
        if pd.isna(test["evidence"]):
            yield subject.control[test["control_id"]]["unit_id"], test["test_id"], "no evidence is referred to"


def _tested_too_early(subject: Subject) -> Seen:
    for test in subject.tests:
        if test["tested_on"].date() < subject.period.first_day:
            unit = subject.control[test["control_id"]]["unit_id"]
            yield (
                unit,
                test["test_id"],
                f"was tested on {test['tested_on']:%Y-%m-%d}, before {subject.period.name} began",
            )


def _deviation_without_deficiency(subject: Subject) -> Seen:
    known = set(subject.register.deficiencies["control_id"])
    for control in subject.own_controls():
        if control["deviations"] and control["control_id"] not in known:
            message = f"{control['deviations']} of {control['sample_size']} deviated, but no deficiency is on record"
            yield control["unit_id"], control["control_id"], message


def _retest_by_same_items(subject: Subject) -> Seen:
    for test in subject.tests:
        if not pd.isna(test["retest_of"]) and test["deviations"]:
            unit = subject.control[test["control_id"]]["unit_id"]
            yield unit, test["test_id"], f"the retest of {test['retest_of']} deviated again"


def _past_due(subject: Subject) -> Seen:
    for deficiency in subject.register.deficiencies.to_dict("records"):
        if pd.isna(deficiency["closed_on"]) and deficiency["due_on"].date() < subject.as_of:
            days = (subject.as_of - deficiency["due_on"].date()).days
            unit = subject.control[deficiency["control_id"]]["unit_id"]
            yield unit, deficiency["deficiency_id"], f"is {days} days past due: {deficiency['remediation_owner']}"


def _short_type2(subject: Subject) -> Seen:
    for unit in subject.register.business_units.to_dict("records"):
        if unit["report_type"] == "type2":
            days = (unit["report_to"] - unit["report_from"]).days + 1
            if days < 181:
                yield (
                    unit["unit_id"],
                    unit["unit_id"],
                    f"its Type 2 report covers {days} days; clients' auditors expect six months",
                )


Check = Callable[[Subject], Iterable[tuple[str, str, str]]]
CHECKS: dict[str, tuple[Severity, str, Check]] = {
    "objective-without-risk": (
        "warning",
        "Name the risks, or drop the objective from the report.",
        _objective_without_risk,
    ),
    "risk-unrated": ("warning", "Rate it in the next workshop.", _unrated),
    "risk-without-control": (
        "error",
        "Link the controls that act on it, or decide to accept it.",
        _risk_without_control,
    ),
    "risk-without-key-control": (
        "warning",
        "Decide which of its controls the objective depends on.",
        _risk_without_key_control,
    ),
    "nothing-prevents": ("warning", "Consider a preventive control.", _detective_only),
    "breach-untreated": (
        "error",
        "Record a deficiency with an owner and a date, or accept the risk formally.",
        _breach_without_treatment,
    ),
    "acceptance-expired": ("error", "Renew the acceptance, or treat the risk.", _expired_acceptance),
    "accepted-by-owner": ("warning", "Have somebody above the owner accept it.", _accepted_by_owner),
    "control-without-risk": ("note", "Link it to the risks it acts on, or drop it.", _control_without_risk),
    "control-undocumented": ("error", "Document it; in a SOC 1 audit it doesn't exist otherwise.", _undocumented),
    "key-control-design": ("warning", "Redesign it, or rely on another.", _badly_designed_key),
    "key-control-untested": ("error", "Test it before the period ends.", _untested_key),
    "key-control-failed": ("error", "Remediate and retest; assess the deficiency.", _failed_key),
    "under-sampled": ("warning", "Test the missing items.", _under_sampled),
    "automated-without-itgc": (
        "warning",
        "Name the IT general controls it depends on in relies_on.",
        _automated_without_itgc,
    ),
    "cuec-thin": ("warning", "Say who has to do what, when, and with which report.", _thin_cuec),
    "subservice-unnamed": ("error", "Name the subservice organisation in subservice_id.", _subservice_unnamed),
    "subservice-misplaced": ("warning", "Clear subservice_id, or set performed_by to subservice.", _subservice_on_own),
    "subservice-report": (
        "warning",
        "Obtain a report or a bridge letter, or test the control yourselves.",
        _subservice_report,
    ),
    "subservice-unreviewed": ("warning", "Review it, and record by whom and when.", _subservice_unreviewed),
    "self-tested": ("error", "Have somebody independent of the control test it again.", _self_tested),
    "test-without-evidence": ("warning", "Say where the evidence is kept.", _tested_without_evidence),
    "test-before-period": ("error", "Test the control's operation in the period.", _tested_too_early),
    "deviation-without-deficiency": (
        "warning",
        "Record the deficiency: every deviation is reported.",
        _deviation_without_deficiency,
    ),
    "retest-failed": ("error", "Remediate again; the first repair didn't work.", _retest_by_same_items),
    "deficiency-past-due": ("error", "Close it, or agree a new date with a reason.", _past_due),
    "year-end-unbridged": (
        "warning",
        "Plan a bridge letter, or move the report's period.",
        report_checks.year_end_unbridged,
    ),
    "owner-untrained": ("warning", "Train the owner, and record it.", report_checks.untrained_owners),
    "training-of-nobody": ("note", "Name the owner as in controls.csv.", report_checks.trained_strangers),
    "cuec-untold": ("error", "Tell clients, and say where in communicated_in.", report_checks.cuec_untold),
    "scope-open": ("warning", "Find out, and answer in scoping.csv.", report_checks.scope_open),
    "scope-without-objective": ("error", "State a control objective.", report_checks.scope_without_objective),
    "report-unlike-scope": (
        "note",
        "Change the plan, or record why it differs.",
        report_checks.report_type_unlike_scope,
    ),
    "report-period-short": ("warning", "Extend the period, or explain it to clients.", _short_type2),
}
