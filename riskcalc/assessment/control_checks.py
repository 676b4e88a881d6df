"""Consistency checks of controls, their tests and their deficiencies."""

from __future__ import annotations

import pandas as pd

from riskcalc.assessment import evidence
from riskcalc.assessment.checks import Seen, check, control_of, controls, own_controls, place, tests
from riskcalc.assessment.context import Context
from riskcalc.assessment.steps import LEAST_COVERAGE
from riskcalc.assessment.subservice import latest, speaking_for, unnamed
from riskcalc.assessment.testing import Round
from riskcalc.errors import counted
from riskcalc.register.periods import Period
from riskcalc.register.records import records


@check("control-without-risk", "note", "Link it to the risks it acts on, or drop it.")
def _control_without_risk(context: Context) -> Seen:
    for control in controls(context):
        used = control["relied_on"] or not pd.isna(control["reach"])
        if not used and control["component"] == "control_activities":
            yield control, "acts on no risk, and no control relies on it"


@check("key-control-without-reach", "look", "State how much of the risk it covers, or rely on another.")
def _key_without_reach(context: Context) -> Seen:
    for control in own_controls(context):
        if control["key"] and control["reach"] < float(LEAST_COVERAGE):
            yield (
                control,
                f"this key control covers less than {LEAST_COVERAGE} of each of its risks: it carries nothing",
            )


@check("control-undocumented", "act", "Document it; in a SOC 1 audit it doesn't exist otherwise.")
def _undocumented(context: Context) -> Seen:
    for control in controls(context):
        if pd.isna(control["documentation"]) and control["performed_by"] != "user_entity":
            kind = "key control" if control["key"] else "control"
            yield control, f"this {kind} is not documented, so it earns nothing"


@check("key-control-design", "look", "Redesign it, or rely on another.")
def _badly_designed_key(context: Context) -> Seen:
    for control in own_controls(context):
        if control["key"] and control["claimed"] < 1:
            design = control["design"].replace("_", " ")
            yield control, f"this key control's design is {design}"


@check("key-control-untested", "act", "Test it (for Type 1: walk it through), or rely on another.")
def _untested_key(context: Context) -> Seen:
    concluded = evidence.conclude_all(context)  # what it earns may have another reason, such as its design
    for control in own_controls(context):
        if control["key"] and control["conclusion"] == "not_tested":
            why = concluded[control["control_id"]].reason
            yield control, f"this key control was {why}"


@check(
    "key-control-failed",
    "act",
    "Remediate and retest, so that it counts again; what deviated is reported all the same.",
)
def _failed_key(context: Context) -> Seen:
    for control in own_controls(context):
        if control["key"] and control["conclusion"] == "not_effective":
            yield control, f"this key control failed: {control['reason']}"


@check("under-sampled", "look", "Test more items: too few show too little, and count for nothing by themselves.")
def _under_sampled(context: Context) -> Seen:
    for control in own_controls(context):
        if control["conclusion"] == "insufficient_evidence" and control["report_type"] == "type2":
            yield control, control["reason"]


@check("automated-without-itgc", "look", "Name the IT general controls it depends on in relies_on.")
def _automated_without_itgc(context: Context) -> Seen:
    for control in own_controls(context):
        if control["nature"] != "manual" and not control["relies_on"] and not control["relied_on"]:
            nature = control["nature"].replace("_", "-")
            yield control, f"is {nature}, and relies on no IT general control"


@check("cuec-thin", "look", "Say who has to do what, when, and with which report.")
def _thin_cuec(context: Context) -> Seen:
    for control in controls(context):
        if control["performed_by"] == "user_entity" and len(control["description"].split()) < 12:
            yield control, "this complementary user entity control says too little for a client to perform it"


@check("subservice-unnamed", "act", "Name the subservice organisation in subservice_id.")
def _subservice_unnamed(context: Context) -> Seen:
    for control in controls(context):
        if unnamed(control):
            yield control, "a subservice organisation performs it, but which one isn't said"


@check("subservice-misplaced", "look", "Clear subservice_id, or set performed_by to subservice.")
def _subservice_on_own(context: Context) -> Seen:
    for control in controls(context):
        if control["performed_by"] != "subservice" and not pd.isna(control["subservice_id"]):
            yield control, "names a subservice organisation that doesn't perform it"


@check("subservice-report", "look", "Obtain a report, or a bridge letter, over the days that are missing.")
def _subservice_report(context: Context) -> Seen:
    yield from _subservice(context, ("not_tested", "insufficient_evidence"))


@check(
    "subservice-fault", "look", "Find out what it means for your objectives, and which control of yours compensates."
)
def _subservice_fault(context: Context) -> Seen:
    yield from _subservice(context, ("not_effective", "operated_effectively"))


def _subservice(context: Context, conclusions: tuple[str, ...]) -> Seen:
    for control in controls(context):
        short = control["earned"] < control["claimed"] and not pd.isna(control["documentation"])
        if speaking_for(context.register, control) and short and control["conclusion"] in conclusions:
            yield control, f"a subservice organisation's control: {control['reason']}"


@check("subservice-unreviewed", "look", "Review it, and record by whom and when.")
def _subservice_unreviewed(context: Context) -> Seen:
    organisations = latest(context.register, context.as_of)
    for control in controls(context):
        organisation = organisations.get(control["subservice_id"])
        if organisation and not pd.isna(organisation["report_type"]) and pd.isna(organisation["reviewed_on"]):
            of = f"{organisation['name']}'s report to {organisation['report_to'].date()}"
            yield control, f"nobody has reviewed {of}, nor the user entity controls it asks of us"


@check("self-tested", "act", "Have somebody independent of the control test it again.")
def _self_tested(context: Context) -> Seen:
    for test in tests(context):
        control = control_of(context)[test["control_id"]]
        if test["tested_by"] == control["owner"]:
            yield test, f"{control['control_id']} was tested by its owner"


@check("test-without-evidence", "look", "Say where the evidence is kept.")
def _tested_without_evidence(context: Context) -> Seen:
    for test in tests(context):
        if pd.isna(test["evidence"]):
            yield test, "no evidence is referred to"


@check("test-before-period", "act", "Test the control's operation in the period.")
def _tested_too_early(context: Context) -> Seen:
    """Tests of any period: those of another one may speak of days that count."""
    for test in context.register.rows("control_tests"):
        on, period = test["tested_on"].date(), test["period"]
        if on <= context.as_of and on < Period.parse(period).first_day:
            yield test, f"was tested on {on}, before {period} began"


@check("deviation-without-deficiency", "look", "Record the deficiency: every deviation is reported.")
def _deviation_without_deficiency(context: Context) -> Seen:
    known = set(context.register.deficiencies["control_id"])
    for control in own_controls(context):
        # a control needn't operate without any deviation to be effective (AS 2201.48); the outlook lists them all
        enough = control["conclusion"] == "operated_effectively"
        if control["deviations"] and not enough and control["control_id"] not in known:
            yield (
                control,
                f"{control['deviations']} of {control['sample_size']} deviated, but no deficiency is on record",
            )


@check("retest-failed", "act", "Remediate again; the first repair didn't work.")
def _retest_by_same_items(context: Context) -> Seen:
    for test in tests(context):
        if not pd.isna(test["retest_of"]) and test["deviations"]:
            yield test, f"the retest of {test['retest_of']} deviated again"


@check("deficiency-past-due", "act", "Close it, or agree a new date with a reason.")
def _past_due(context: Context) -> Seen:
    for deficiency in context.open_deficiencies:
        if deficiency["due_on"].date() < context.as_of:
            days = counted((context.as_of - deficiency["due_on"].date()).days, "day")
            yield deficiency, f"is {days} past due: {deficiency['remediation_owner']}"


@check("inquiry-alone", "look", "Observe, inspect or reperform as well: inquiry alone is no evidence of operation.")
def _inquiry_alone(context: Context) -> Seen:
    others = {test["control_id"] for test in tests(context) if test["nature"] != "inquiry"}
    for test in tests(context):
        if test["nature"] == "inquiry" and test["control_id"] not in others:
            yield test, f"{test['control_id']} was tested by inquiry alone"


@check("population-unchecked", "look", "Agree the population to its source, or the sample speaks of an unknown part.")
def _population_unchecked(context: Context) -> Seen:
    for test in tests(context):
        if test["population_checked"] is False:
            yield test, "whether its population was complete wasn't checked"


@check("test-undescribed", "note", "Fill covers_from, covers_to and nature: the days default to the whole period.")
def _test_undescribed(context: Context) -> Seen:
    for unit in context.register.rows("business_units"):
        own = [test for test in tests(context) if place(context, test)[0] == unit["unit_id"]]
        bare = [test for test in own if pd.isna(test["covers_from"]) and pd.isna(test["nature"])]
        if bare:
            of = f"{len(bare)} of {counted(len(own), 'test')}"
            yield unit, f"{of}: neither the days covered nor how it was done is on record"


@check("evidence-after-as-of", "look", "It counts when it is looked at from its day on; check the date.")
def _evidence_after(context: Context) -> Seen:
    for row in records(evidence.later(context)):
        yield (row["unit_id"], row["row"]), f"is dated {row['dated']}, after {context.as_of}: it doesn't count"


@check("deviation-after-period", "look", "Assess the next period; if it is about this one, correct its days.")
def _deviation_after(context: Context) -> Seen:
    """What deviated by the day, in tests that don't count, since they are about days after the period only."""
    for test in context.register.rows("control_tests"):
        on, first = test["tested_on"].date(), Round.of(test).days[0]
        if test["deviations"] and context.period.last_day < first <= on <= context.as_of:
            said = f"{test['deviations']} of {test['sample_size']} deviated from {first} on"
            yield test, f"{said}, after {context.period.name}: it doesn't count"
