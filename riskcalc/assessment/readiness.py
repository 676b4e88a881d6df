"""What stands between a unit and its SOC 1 report: the gaps, each with its owner, its due date and its age."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from riskcalc.assessment import coverage
from riskcalc.assessment.changes import in_report, of_report
from riskcalc.assessment.context import Context, once
from riskcalc.assessment.evidence import as_reported
from riskcalc.assessment.next_steps import is_open, without_controls
from riskcalc.assessment.opinion import JUDGEMENT, outlooks
from riskcalc.assessment.shortfalls import by_report, missing, report_period, unheld, waits
from riskcalc.assessment.steps import NEEDED, STEPS, key_controls, reached, reaching, relevant
from riskcalc.errors import counted
from riskcalc.register import register as registers
from riskcalc.register.records import grouped
from riskcalc.register.register import Register

_LASTING = ("designed", "component", "assertion")  # steps that lack the same, whichever report is asked about
LEAST_DAYS = 181  # six months, at the shortest


@dataclass(frozen=True)
class Gap:
    """Something that stands between a unit and its report: what, whose, due when, and known since when.

    ``blocks`` says whether the outlook of an objective depends on it, ``waits`` that nothing but days to come mends it.
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
    waits: bool = False


@once
def gaps(context: Context) -> tuple[Gap, ...]:
    """Everything missing for each unit's own type of report: what blocks an objective first, then by due date.

    Owner and due date are those of the control's open deficiency, else, and of what only days to come can mend, the
    control's owner and no date. ``since``
    is when that deficiency was identified, else the end of the previous period, or the day if that is earlier, if it
    lacked the same then, else None: what a report's evidence lacks is the same only for the same report, once begun.

    >>> from riskcalc.register.register import load
    >>> "PAY-C03" in {gap.row for gap in gaps(Context.of(load("data")).only("payroll"))}
    True
    """
    units = context.register.rows("business_units")
    found: list[Gap] = []
    for unit in units:
        report_type, mine = unit["report_type"], context if len(units) == 1 else context.only(unit["unit_id"])
        to_judge = list(_to_judge(mine, unit))
        then = _then(mine, unit, judged=any(gap.since is None for gap in to_judge))
        blocked = _blocked(mine)[unit["unit_id"], report_type]
        found.extend(_at_controls(unit, _lacks(mine, report_type, unit["unit_id"]), mine, then, blocked))
        found.extend(replace(gap, since=gap.since or then.get((gap.row, gap.what))) for gap in to_judge)
        found.extend(replace(gap, since=then.get((gap.row, gap.what))) for gap in _of_the_unit(mine, unit))
    return _by_urgency(found)


@once
def blocking(context: Context) -> tuple[Gap, ...]:
    """Those of ``gaps`` that block an objective, of all units at once, which doesn't look at each by itself.

    ``since`` is that of an open deficiency only.

    >>> from riskcalc.register.register import load
    >>> context = Context.of(load("data"))
    >>> {gap.row for gap in blocking(context)} == {gap.row for gap in gaps(context) if gap.blocks}
    True
    """
    found, rows = list(_unguarded(context)), _blocked(context)
    for unit in context.register.rows("business_units"):
        name, kind = unit["unit_id"], unit["report_type"]
        keys, blocked = key_controls(context, kind), rows[name, kind]
        lacks = _lacking({row: keys[row] for row in sorted(blocked) if row in keys}, kind, name)
        found.extend(_at_controls(unit, lacks, context, {}, blocked))
        found.extend(_to_judge(context, unit))
    return _by_urgency(found)


# --- parts ---

_Lacks = dict[tuple[str, str], tuple[str, Any]]


def _gravity(gap: Gap) -> tuple[int, str]:
    """Steps in their order: what failed weighs more than the days that nobody has looked at yet."""
    return STEPS.index(gap.step) if gap.step in STEPS else len(STEPS), gap.step


@registers.once
def served(register: Register) -> dict[str, tuple[str, ...]]:
    """The objectives that each control serves, in the register's order."""
    of_risk = {risk["risk_id"]: risk["objective_id"] for risk in register.rows("risks")}
    found: dict[str, set[str]] = {}
    for link in register.rows("risk_controls"):
        found.setdefault(link["control_id"], set()).add(of_risk[link["risk_id"]])
    return {name: tuple(sorted(objectives)) for name, objectives in found.items()}


@once
def _lacks(context: Context, report_type: str, unit_id: str) -> _Lacks:
    """What each key control lacks, by control and step."""
    return _lacking(key_controls(context, report_type), report_type, unit_id)


def _lacking(controls: Mapping[str, Any], report_type: str, unit_id: str) -> _Lacks:
    """What controls lack, by control and step, each said once, in words for a unit, with the control."""
    found: _Lacks = {}
    for name, control in controls.items():
        said: set[str] = set()
        for step in (step for step in NEEDED[report_type] if not control[step]):
            what = missing(control, step, report_type, unit_id)
            if what not in said:
                found[name, step] = (what, control)
            said.add(what)
    return found


def _then(context: Context, unit: Any, judged: bool) -> dict[tuple[Any, str], date]:
    """What was missing at the previous period's end, with that day: of a control's step, or of a row, and the words.

    What the evidence for a report, or the report itself, lacks is the same only for the same report. What took
    judgement then is looked for only if that is asked about (``judged``).
    """
    before, kind = context.previous(), unit["report_type"]
    if before is None:
        return {}
    before = replace(before, as_of=min(before.as_of, before.period.last_day))  # what was found later, nobody knew then
    controls, same = key_controls(before, kind), _of_the_same_report(before, context)
    found: list[tuple[Any, str]] = [
        (key, what)
        for key, (what, _) in _lacks(before, kind, unit["unit_id"]).items()
        if key[0] in same or _lasting(controls[key[0]], key[1])
    ]
    found += [
        (gap.row, gap.what)
        for then in before.register.rows("business_units")
        for gap in (*_of_the_unit(before, then), *(_to_judge(before, then) if judged else ()))
        if gap.step in _LASTING or _same_report(then, unit, before)
    ]
    return dict.fromkeys(found, before.as_of)


def _of_the_unit(context: Context, unit: Any) -> Iterator[Gap]:
    """The gaps that no control alone has."""
    yield from _unguarded(context)
    yield from _too_short(context.register, unit)
    yield from _of_the_report(context, unit)


def _of_the_same_report(before: Context, now: Context) -> set[str]:
    """The controls whose unit's report was the same before, and had begun."""
    then = {one["control_id"]: one for one in before.register.rows("controls")}
    controls = (one for one in now.register.rows("controls") if one["control_id"] in then)
    return {one["control_id"] for one in controls if _same_report(then[one["control_id"]], one, before)}


def _same_report(then: Any, now: Any, before: Context) -> bool:
    """Whether the report of a row, of a unit or a control, was the same in the period before, and had begun."""
    same = all(str(then[column]) == str(now[column]) for column in ("report_type", "report_from", "report_to"))
    return same and not then["report_from"] > pd.Timestamp(before.period.last_day)


def _lasting(control: Any, step: str) -> bool:
    """Whether what a control lacks at a step is missing from itself or its named tests, whatever the report."""
    return step in ("designed", "documented") or bool(
        step == "evidenced" and control["tests"] and control["unevidenced"]
    )


@once
def _blocked(context: Context) -> Mapping[tuple[str, str], Mapping[str, list[str]]]:
    """What blocks objectives, and which, by unit and type of report."""
    found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(dict)
    for each in (one for kind in NEEDED for one in outlooks(context, kind)):
        for row in each.blocking:
            found[each.unit_id, each.report_type].setdefault(row, []).append(each.objective_id)
    return found


def _by_urgency(found: list[Gap]) -> tuple[Gap, ...]:
    urgency = sorted(
        found, key=lambda gap: (not gap.blocks, gap.due_on or date.max, gap.unit_id, gap.row, *_gravity(gap))
    )
    return tuple(urgency)


def _at_controls(
    unit: Any,
    lacks: _Lacks,
    context: Context,
    then: Mapping[tuple[Any, str], date],
    blocked: Mapping[str, list[str]],
) -> Iterator[Gap]:
    """What key controls lack, with who mends it by when; ``then`` has the day since when that very fault was known."""
    serves, mends = served(context.register), _mends(context)
    for (name, step), (what, control) in lacks.items():
        only_days = waits(control, step)  # which no deficiency's date says anything of
        mend = None if only_days else mends.get(name)
        due = mend["due_on"].date() if mend else None
        since = mend["identified_on"].date() if mend else then.get(((name, step), what))
        owner = mend["remediation_owner"] if mend else control["owner"]
        objectives, decides = tuple(blocked.get(name, ())) or serves.get(name, ()), name in blocked
        yield Gap(unit["unit_id"], objectives, name, step, what, owner, due, since, decides, only_days)


def _to_judge(context: Context, unit: Any) -> Iterator[Gap]:
    """What speaks against objectives whose controls hold: somebody has to judge whether they are achieved."""
    mends, known = _mends(context), outlooks(context, unit["report_type"])
    own = [each for each in known if (each.unit_id, each.outcome) == (unit["unit_id"], JUDGEMENT)]
    found = grouped((fault, each.objective_id) for each in own for fault in each.against)
    for (row, what), objectives in found.items():
        mend = mends.get(row)
        owner, due = _owners(context.register).get(row, unit["owner"]), None
        if mend:
            owner, due = mend["remediation_owner"], mend["due_on"].date()
        since = mend["identified_on"].date() if mend else None
        yield Gap(unit["unit_id"], tuple(objectives), row, "judgement", what, owner, due, since, True)


@registers.once
def _owners(register: Register) -> dict[str, str]:
    """Who owns each risk and control."""
    keys = (("risks", "risk_id"), ("controls", "control_id"))
    return {row[key]: row["owner"] for table, key in keys for row in register.rows(table)}


@once
def _mends(context: Context) -> Mapping[str, Any]:
    """The first open deficiency to mend of each control."""
    by_due = sorted(context.open_deficiencies, key=lambda one: one["due_on"])
    return {one["control_id"]: one for one in reversed(by_due)}


def _unguarded(context: Context) -> Iterator[Gap]:
    """The report's objectives without a risk, and risks without a key control of ours; none where controls aren't
    assessed yet.
    """
    register, threatened = context.register, in_report(context.register)
    then, acting = as_reported(context, "type2"), reaching(register)
    keys = relevant(then.get(row["control_id"], row) for row in register.rows("controls"))
    owners = {unit["unit_id"]: unit["owner"] for unit in register.rows("business_units")}
    for risk in (one for one in register.rows("risks") if one["risk_id"] in threatened):
        unknown = without_controls(register, risk["unit_id"])
        known = [name for name in acting.get(risk["risk_id"], ()) if name in keys]
        if not (unknown or any(name in keys for name in reached(register).get(risk["risk_id"], ()))):
            what, row = unheld(known), (threatened[risk["risk_id"]],)
            yield Gap(risk["unit_id"], row, risk["risk_id"], "designed", what, risk["owner"], None, None, True)
    for unit, name, last in of_report(register, ""):
        if not (last or name in threatened.values() or without_controls(register, unit)):
            what = "no risk to this objective is named"
            yield Gap(unit, (name,), name, "designed", what, owners[unit], None, None, True)


def _too_short(register: Register, unit: Any) -> Iterator[Gap]:
    days = (unit["report_to"] - unit["report_from"]).days + 1
    assumed = is_open(register, unit["unit_id"], "report_to")
    if not assumed and unit["report_type"] == "type2" and days < LEAST_DAYS:
        what = f"the report covers {counted(days, 'day')}; six months are expected"
        yield Gap(unit["unit_id"], (), unit["unit_id"], "in_period", what, unit["owner"], None, None, False)


def _of_the_report(context: Context, unit: Any) -> Iterator[Gap]:
    """What the report lacks beside its controls' steps: none of it decides on an objective by itself."""
    name, report_type = unit["unit_id"], unit["report_type"]
    uncovered = () if without_controls(context.register, name) else _uncovered(context, report_type)
    lacking = [*_roll_forward(context, report_type, name), *uncovered, *_unfinished(context, name)]
    for objectives, row, step, what, owner, due in lacking:
        yield Gap(name, objectives, row, step, what, owner or unit["owner"], due, None, False)


_Lacking = Iterator[tuple[tuple[str, ...], str, str, str, str, date | None]]


def _roll_forward(context: Context, report_type: str, unit_id: str) -> _Lacking:
    serves = served(context.register)
    for name, control in key_controls(context, report_type).items():
        days = control["roll_forward"]
        if report_type == "type2" and days and control["conclusion"] != "not_tested":
            over = f"the last {counted(int(days), 'day')} of {report_period(control, unit_id)}"
            by = "report or bridge letter of its organisation" if by_report(control) else "test"
            what = f"roll forward: no {by} covers {over}"
            yield serves.get(name, ()), name, "roll_forward", what, control["owner"], None


def _uncovered(context: Context, report_type: str) -> _Lacking:
    """Components and assertions without an effective control."""
    for component, counts in coverage.components(context, report_type).items():
        if not counts["earning"]:
            over = "at the report's date" if report_type == "type1" else "over the report's period"
            what = f"no effective control of the component {coverage.in_words(component)} {over}"
            yield (), component, "component", what, "", None
    for row in coverage.assertions(context, report_type):
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
