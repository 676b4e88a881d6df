"""What stands between a unit and its SOC 1 report: the gaps, each with its owner, its due date and its age."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from riskcalc.assessment import coverage
from riskcalc.assessment.context import Context, once
from riskcalc.assessment.next_steps import is_open, without_controls
from riskcalc.assessment.opinion import NEEDED, key_controls, missing, outlooks, reaching, relevant
from riskcalc.errors import counted
from riskcalc.register import register as registers
from riskcalc.register.register import Register

LEAST_DAYS = 181  # six months, at the shortest


@dataclass(frozen=True)
class Gap:
    """Something that stands between a unit and its report: what, whose, due when, and known since when.

    ``blocks`` says whether the outlook of an objective depends on it.
    """

    unit_id: str
    objectives: tuple[str, ...]
    row: str
    step: str
    what: str
    owner: str
    due_on: date | None
    since: date | None
    blocks: bool


@once
def gaps(context: Context) -> tuple[Gap, ...]:
    """Everything missing for each unit's own type of report: what blocks an objective first, then by due date.

    Owner and due date are those of the control's open deficiency, else the control's owner and no date. ``since``
    is when that deficiency was identified, else the end of the previous period if the gap was there, else None.

    >>> from riskcalc.register.register import load
    >>> "PAY-C03" in {gap.row for gap in gaps(Context.of(load("data")).only("payroll"))}
    True
    """
    units = context.register.business_units
    found: list[Gap] = []
    for unit in units.to_dict("records"):
        report_type, mine = unit["report_type"], context if len(units) == 1 else context.only(unit["unit_id"])
        served, before = _served(mine.register), mine.previous()
        now = _lacks(mine, report_type)
        then = _lacks(before, report_type) if before else {}
        outlook = outlooks(mine, report_type)
        mending = mine.open_deficiencies.sort_values("due_on").drop_duplicates("control_id")
        mends = mending.set_index("control_id").to_dict("index")
        blocking = {row for each in outlook for row in each.blocking}
        for (name, step), (what, owner) in now.items():
            mend = mends.get(name)
            known = before.period.last_day if before and (name, step) in then else None
            due = mend["due_on"].date() if mend else None
            since = mend["identified_on"].date() if mend else known
            owner = mend["remediation_owner"] if mend else owner
            gap = (unit["unit_id"], served.get(name, ()), name, step, what, owner, due, since, name in blocking)
            found.append(Gap(*gap))
        found.extend(() if without_controls(mine.register) else _unguarded(mine.register, unit))
        found.extend(() if is_open(mine.register, unit["unit_id"], "report_to") else _too_short(unit))
        found.extend(_of_the_report(mine, unit))
    urgency = sorted(found, key=lambda gap: (not gap.blocks, gap.due_on or date.max, gap.unit_id, gap.row, gap.step))
    return tuple(urgency)


# --- parts ---


@registers.once
def _served(register: Register) -> dict[str, tuple[str, ...]]:
    """The objectives that each control serves, in the register's order."""
    linked = register.risk_controls.merge(register.risks[["risk_id", "objective_id"]], on="risk_id")
    return {
        str(name): tuple(dict.fromkeys(served))
        for name, served in linked.sort_values("objective_id").groupby("control_id")["objective_id"]
    }


def _lacks(context: Context, report_type: str) -> dict[tuple[str, str], tuple[str, str]]:
    """What each key control lacks, by control and step, each said once, with the control's owner."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for name, control in key_controls(context, report_type).items():
        said: set[str] = set()
        for step in (step for step in NEEDED[report_type] if not control[step]):
            what = missing(control, step, report_type)
            if what not in said:
                found[name, step] = (what, control["owner"])
            said.add(what)
    return found


def _unguarded(register: Register, unit: Any) -> Iterator[Gap]:
    """Objectives without a risk, and risks without a key control of ours."""
    keys = set(relevant(register.controls.set_index("control_id", drop=False)))
    acting = reaching(register)
    named = set(register.risks["objective_id"])
    for risk in register.risks.to_dict("records"):
        if not keys.intersection(acting.get(risk["risk_id"], ())):
            what, row = "no key control acts on it", (risk["objective_id"],)
            yield Gap(unit["unit_id"], row, risk["risk_id"], "designed", what, risk["owner"], None, None, True)
    for objective in register.control_objectives["objective_id"]:
        if objective not in named:
            what = "no risk to this objective is named"
            yield Gap(unit["unit_id"], (objective,), objective, "designed", what, unit["owner"], None, None, True)


def _too_short(unit: Any) -> Iterator[Gap]:
    if unit["report_type"] == "type2" and (unit["report_to"] - unit["report_from"]).days + 1 < LEAST_DAYS:
        days = (unit["report_to"] - unit["report_from"]).days + 1
        what = f"the report covers {counted(days, 'day')}; six months are expected"
        yield Gap(unit["unit_id"], (), unit["unit_id"], "in_period", what, unit["owner"], None, None, True)


def _of_the_report(context: Context, unit: Any) -> Iterator[Gap]:
    """What the report lacks beside its controls' steps: none of it decides on an objective by itself."""
    name, report_type = unit["unit_id"], unit["report_type"]
    uncovered = () if without_controls(context.register) else _uncovered(context, report_type)
    lacking = [*_roll_forward(context, report_type), *uncovered, *_unfinished(context, name)]
    for objectives, row, step, what, owner, due in lacking:
        yield Gap(name, objectives, row, step, what, owner or unit["owner"], due, None, False)


_Lacking = Iterator[tuple[tuple[str, ...], str, str, str, str, date | None]]


def _roll_forward(context: Context, report_type: str) -> _Lacking:
    served = _served(context.register)
    for name, control in key_controls(context, report_type).items():
        days = control["roll_forward"]
        if report_type == "type2" and days and control["conclusion"] != "not_tested":
            what = f"roll forward: no test covers the last {days} day{'s' * (days != 1)} of the report's period"
            yield served.get(name, ()), name, "roll_forward", what, control["owner"], None


def _uncovered(context: Context, report_type: str) -> _Lacking:
    """Components and assertions without an effective control."""
    for component, row in coverage.components(context, report_type).to_dict("index").items():
        if not row["earning"]:
            what = f"no effective control of the component {str(component).replace('_', ' ')}"
            yield (), str(component), "component", what, "", None
    for row in coverage.assertions(context, report_type).to_dict("records"):
        if row["unguarded"]:
            what = f"no key control holds {row['assertion'].replace('_', ' ')} for {', '.join(row['unguarded'])}"
            yield (row["objective_id"],), row["objective_id"], "assertion", what, "", None


def _unfinished(context: Context, unit_id: str) -> _Lacking:
    """The parts of the report that aren't done; those that nothing is on record of are told of together."""
    items = coverage.report_items(context, unit_id)
    for item in items:
        if item.status not in (*coverage.SETTLED, coverage.NOT_ON_RECORD):
            what = f"{item.name}: {item.status.replace('_', ' ')}"
            yield (), item.item_id, "report_item", what, item.owner, item.due_on
    unknown = [item.name for item in items if item.status == coverage.NOT_ON_RECORD]
    if unknown:
        yield (), unit_id, "report_item", f"not on record in report_items.csv: {', '.join(unknown)}", "", None
