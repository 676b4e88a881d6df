"""What a control lacks for the opinion on its unit's report, in words for whoever relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from riskcalc.errors import counted
from riskcalc.register.register import Register


def missing(control: Mapping[Any, Any], step: str, report_type: str, unit_id: str) -> str:
    """What a control lacks at a step, in words for a unit; another unit's is asked about by that unit's own report."""
    ours, period = control["unit_id"] == unit_id, report_period(control, unit_id)
    type1 = (report_type if ours else control["report_type"]) == "type1"
    untested = "was not shown to be in use" if type1 else f"was not tested in {period}"
    was, on = ("was", f" on {control['then']}") if control["then"] else ("is", "")
    if step == "designed":
        return f"design {was} {control['design'].replace('_', ' ')}{on}"
    if step == "documented":
        return f"{was} not documented{on}"
    if control["conclusion"] == "not_tested":
        return untested if control["performed_by"] != "subservice" else control["why"]
    if step == "operated" and control["limited_by"] and control["conclusion"] == "operated_effectively":
        return f"relies on {control['limited_by']}, which hasn't earned as much"
    if step == "operated":
        return f"{control['conclusion'].replace('_', ' ')} ({control['why']})"
    if step == "evidenced":
        lacking = control["unevidenced"]
        return f"has no evidence on record of {lacking}" if lacking else f"relies on {relied_on(control, unit_id)}"
    if control["to_come"]:
        runs = "its report's period" if ours else period
        return f"can't be shown yet: {_to_come(control, type1, runs)}"
    return _untested(control, period)


def waits(control: Mapping[Any, Any], step: str) -> bool:
    """Whether nothing but days to come mends what a control, or one that it relies on, lacks at a step."""
    if step == "evidenced" and control["doubt"] and not control["unevidenced"]:
        return waits(*control["doubt"])
    tested = control["conclusion"] != "not_tested" and control["untested_days"] <= control["allowed"]
    return step == "in_period" and tested and control["to_come"] > 0


def by_report(control: Mapping[Any, Any]) -> bool:
    """Whether a control that was concluded on rests on a subservice organisation's reports, not on tests of ours."""
    return control["performed_by"] == "subservice" and not control["tests"]


def relied_on(control: Mapping[Any, Any], unit_id: str) -> str:
    """The control that this one relies on in vain, and what that lacks, in words for a unit; blank where none is so."""
    if control["doubt"] is None:
        return ""
    relied, step = control["doubt"]
    return f"{relied['control_id']}, which {missing(relied, step, 'type2', unit_id)}"


def report_period(control: Mapping[Any, Any], unit_id: str) -> str:
    """The period that a control's evidence is asked over, told to a unit: that of its own unit's report, whoever asks.

    >>> report_period({"unit_id": "payroll"}, "loans"), report_period({"unit_id": "loans"}, "payroll")
    ("the period of payroll's report", "the period of loans' report")
    """
    owner = control["unit_id"]
    whose = f"{owner}'" if owner.endswith("s") else f"{owner}'s"
    return "the report's period" if owner == unit_id else f"the period of {whose} report"


def lacked(register: Register, controls: Mapping[str, Any]) -> dict[str, dict[str, date]]:
    """By control, what it lacked on days of its report by rows that ended, or relied on, and the last day."""
    design, found = register.methodology.weights.design, dict[str, dict[str, date]]()
    for row in (one for one in sorted(register.former_controls) if one.last >= controls[one.control_id]["since"]):
        days = f"from {row.first} to {row.last}" if row.first < row.last else f"on {row.first}"
        relies_on = controls[row.control_id]["relies_on"]
        said = [f"was not documented {days}"] * (not row.documented)
        said += [f"was of {row.design.replace('_', ' ')} design {days}"] * (design[row.design] < 1)
        said += [f"relied on {one} {days}" for one in row.relies_on if one not in relies_on]
        found.setdefault(row.control_id, {}).update(dict.fromkeys(said, row.last))
    return found


# --- parts ---


def _untested(control: Mapping[Any, Any], period: str) -> str:
    """On how many of a report's days nothing speaks of a control."""
    what = "is not covered by its organisation's reports" if by_report(control) else "was not tested"
    days = counted(int(control["untested_days"]), "day")
    return f"{what} on {days} of {period}, over the {control['allowed']} allowed"


def _to_come(control: Mapping[Any, Any], type1: bool, period: str) -> str:
    """How long a report's period still runs, and which of its days so far a later test has yet to cover."""
    still, untested = counted(int(control["to_come"]), "day"), int(control["untested_days"])
    if type1:
        return f"{period.replace('period', 'date', 1)} is still {still} ahead"
    if untested <= control["allowed"]:
        return f"{period} still runs for {still}"
    what, by = ("not covered by its organisation's reports", "one") if by_report(control) else ("untested", "a test")
    over = f"over the {control['allowed']} allowed, until {by} covers them"
    return f"{period} still runs for {still}; {counted(untested, 'day')} so far {what}, {over}"
