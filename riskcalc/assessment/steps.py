"""The steps that each control passes on the way to a report: designed, documented, operated, evidenced, in period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import pandas as pd

from riskcalc.assessment import evidence
from riskcalc.assessment.changes import WAY, after_report, at_end
from riskcalc.assessment.context import Context, once
from riskcalc.assessment.shortfalls import faults, resting_on
from riskcalc.register import register as registers
from riskcalc.register.earlier import FormerLink
from riskcalc.register.register import Register

STEPS = ("designed", "documented", "operated", "evidenced", "in_period")
NEEDED = {"type1": ("designed", "documented", "operated"), "type2": STEPS}
LEAST_COVERAGE = Decimal("0.01")  # less of a risk is next to nothing


def steps(context: Context, report_type: str) -> pd.DataFrame:
    """A row per control, indexed by ``control_id``, with a flag for each of ``STEPS`` and the reason of its evidence.

    ``operated`` is shown by a walkthrough for Type 1, by tests of operation, and by those of the IT general controls it
    relies on, for Type 2; ``in_period`` says that no more days of the report's period so far are untested, and that it
    runs for no more days, than ``evidence.roll_forward_days``. ``fault`` is hard for what can't be shown any more
    (design, documentation, a failed test), soft for what hasn't been shown yet, else blank.

    >>> from riskcalc.register.register import load
    >>> bool(steps(Context.of(load("data")), "type2").loc["PAY-C03", "documented"])
    False
    """
    rows = stepped(context, report_type).values()
    made = {name: [row[name] for row in rows] for name in (*evidence.COLUMNS[1:], *_MADE)}
    return context.register.controls.assign(**made).set_index("control_id", drop=False)


@once
def key_controls(context: Context, report_type: str) -> Mapping[str, Any]:
    """The steps of the key controls that we, or a subservice organisation, perform: a client's can't carry ours."""
    return relevant(stepped(context, report_type).values())


def relevant(controls: Iterable[Mapping[Any, Any]]) -> dict[str, Any]:
    """Of controls, by id, the key ones that aren't a client's."""
    return {each["control_id"]: each for each in controls if each["key"] and each["performed_by"] != "user_entity"}


@registers.once
def reaching(register: Register, least: Decimal = LEAST_COVERAGE) -> dict[str, list[str]]:
    """The controls that act on each risk with a coverage above 0, and of ``least`` or more."""
    return _by_risk(register, least, {}, frozenset())


@registers.once
def reached(register: Register, least: Decimal = LEAST_COVERAGE) -> dict[str, list[str]]:
    """As ``reaching``, in the reports: at their ends, where they have ended, and without what began since."""
    return _by_risk(register, least, at_end(register), after_report(register))


# Of a control's row: an organisation has many.
_KEPT = ("unit_id", "report_type", "key", "performed_by", "design", "owner", "relies_on", *WAY[1:])
_MADE = (
    "to_come",
    "why",
    "designed",
    "documented",
    "operated",
    "unevidenced",
    "evidenced",
    "allowed",
    "in_period",
    "fault",
)


@once
def stepped(context: Context, report_type: str) -> dict[str, dict[Any, Any]]:
    """By control, its row, what it has earned, and what is made of both."""
    register = context.register
    conclusions = evidence.conclude_all(context, report_type)
    weights = evidence.assessed(context, report_type)
    evidenced = {test["test_id"]: not pd.isna(test["evidence"]) for test in register.rows("control_tests")}
    most, reported = register.methodology.evidence.roll_forward_days, evidence.as_reported(context, report_type)
    found: dict[str, dict[Any, Any]] = {}
    for row in register.rows("controls"):
        control = reported.get(row["control_id"], row)
        name, left = control["control_id"], (control["report_to"].date() - context.as_of).days
        row, to_come = {**weights[name], **{key: control[key] for key in _KEPT}}, left if left > most else 0
        days = evidence.report_days(control, register.methodology.evidence)
        unread = ["a review of its report"] * conclusions[name].unread
        lacking = ", ".join([*(test for test in row["tests"] if not evidenced[test]), *unread])
        tested = row["conclusion"] != "not_tested"
        found[name] = row | {
            "to_come": to_come,
            "then": control.get("then", ""),
            "open": conclusions[name].open,
            "since": days[1] if report_type == "type1" else days[0],
            "why": conclusions[name].reason,
            "designed": row["claimed"] == 1,
            "documented": not pd.isna(control["documentation"]),
            "operated": row["conclusion"] == "operated_effectively" and row["limited_by"] == "",
            "unevidenced": lacking,
            "evidenced": tested and lacking == "",
            "allowed": most,
            "in_period": tested and row["untested_days"] <= most and to_come == 0,
        }
    for row, doubt in zip(found.values(), resting_on(found), strict=True):
        row["doubt"] = doubt
    for row in found.values():
        row["evidenced"] = row["evidenced"] and row["doubt"] is None
    for row, fault in zip(found.values(), faults(found, NEEDED[report_type]), strict=True):
        row["fault"] = fault
    return found


# --- parts ---


def _by_risk(
    register: Register,
    least: Decimal,
    then: Mapping[tuple[str, str], FormerLink],
    later: frozenset[tuple[str, str]],
) -> dict[str, list[str]]:
    """The controls that act on each risk, but for the ``later`` ones; ``then`` has how some acted."""
    found: dict[str, list[str]] = {}
    for link in sorted(register.rows("risk_controls"), key=lambda each: str(each["control_id"])):
        key = link["risk_id"], link["control_id"]
        coverage = then[key].coverage if key in then else link["coverage"]
        if link["coverage"] > 0 and key not in later and coverage >= least:
            found.setdefault(key[0], []).append(key[1])
    return found
