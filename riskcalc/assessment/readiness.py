"""How ready a unit is for its SOC 1 report: the steps of each control, the outlook per objective, and the gaps.

Type 1 asks of every risk to an objective for a key control that is well designed, documented and shown to be in use, at
a date. Type 2 also asks that it operated over the period, with evidence, and for a period of six months or more (AT-C
320, on evidence of design and of operating effectiveness). The outlook is ours; the opinion is the service auditor's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from riskcalc.assessment import evidence
from riskcalc.assessment.context import Context, once
from riskcalc.assessment.next_steps import without_controls
from riskcalc.register import register as registers
from riskcalc.register.register import Register

STEPS = ("designed", "documented", "operated", "evidenced", "in_period")
NEEDED = {"type1": ("designed", "documented", "operated"), "type2": STEPS}
UNMODIFIED, QUALIFIED, OPEN = "unmodified", "would be qualified", "open"
LEAST_DAYS = 181  # six months, at the shortest


@dataclass(frozen=True)
class Outlook:
    """What the opinion on an objective would be for one type of report, and why; ``blocking`` are the rows at fault."""

    unit_id: str
    objective_id: str
    report_type: str
    opinion: str
    because: tuple[str, ...]
    blocking: tuple[str, ...] = ()


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


def steps(context: Context, report_type: str) -> pd.DataFrame:
    """A row per control, indexed by ``control_id``, with a flag for each of ``STEPS`` and the reason of its evidence.

    ``operated`` is shown by a walkthrough or a test of operation for Type 1, by tests of operation, and by those of the
    IT general controls it relies on, for Type 2; ``in_period`` says that none of it dates from before the period.

    >>> from riskcalc.register.register import load
    >>> bool(steps(Context.of(load("data")), "type2").loc["PAY-C03", "documented"])
    False
    """
    return _steps(context, report_type).copy()


@once
def _steps(context: Context, report_type: str) -> pd.DataFrame:
    weights = evidence.assess(context, report_type=report_type).drop(columns="control_id")
    controls = context.register.controls.join(weights, on="control_id").set_index("control_id", drop=False)
    tests = context.tests
    evidenced = tests["evidence"].notna().groupby(tests["control_id"]).all()
    early = (tests["tested_on"] < pd.Timestamp(context.period.first_day)).groupby(tests["control_id"]).any()
    reviewed = context.register.subservice_organisations.set_index("subservice_id")["reviewed_on"].notna()
    by_report = controls["performed_by"].eq("subservice") & ~controls.index.isin(tests["control_id"])
    tested = controls["conclusion"] != "not_tested"
    by_others = controls["subservice_id"].map(reviewed).eq(True)
    own = controls["control_id"].map(evidenced).eq(True)
    before = controls["control_id"].map(early).eq(True)
    return controls.assign(
        designed=controls["claimed"] == 1,
        documented=controls["documentation"].notna(),
        operated=(controls["conclusion"] == "operated_effectively") & (controls["limited_by"] == ""),
        evidenced=tested & own.where(~by_report, by_others),
        in_period=tested & ~before,
    )


@once
def outlooks(context: Context, report_type: str) -> tuple[Outlook, ...]:
    """The outlook of every control objective for one type of report, in the register's order.

    ``unmodified``: each of its risks has a key control with every step that the type needs; ``would be qualified``
    otherwise, saying which risk lacks one and why; ``open`` for an objective without a risk. Deviations of a control
    beside one that holds are named as well: they will be reported.

    >>> from riskcalc.register.register import load
    >>> funds = Context.of(load("data")).only("funds")
    >>> {outlook.opinion for outlook in outlooks(funds, "type2")} <= {UNMODIFIED, QUALIFIED}
    True
    """
    register = context.register
    controls, acting = _key_controls(context, report_type), _acting(register)
    by_objective = {str(name): list(risks) for name, risks in register.risks.groupby("objective_id")["risk_id"]}
    found = []
    for unit, name in register.control_objectives[["unit_id", "objective_id"]].itertuples(index=False):
        risks = {
            risk: [controls[control] for control in acting.get(risk, ()) if control in controls]
            for risk in by_objective.get(name, ())
        }
        unknown = (OPEN, ("controls are not assessed yet",), ()) if without_controls(register) else None
        found.append(Outlook(unit, name, report_type, *(unknown or _opinion(risks, report_type))))
    return tuple(found)


@once
def unguarded_risks(context: Context, report_type: str) -> frozenset[str]:
    """The risks without a key control that has every step the report type needs."""
    controls, acting = _key_controls(context, report_type), _acting(context.register)
    return frozenset(
        risk
        for risk in context.register.risks["risk_id"]
        if all(_lacking(controls[name], report_type) for name in acting.get(risk, ()) if name in controls)
    )


def report_outlook(found: Iterable[Outlook]) -> str:
    """The outlook of a report from those of its objectives.

    >>> report_outlook([Outlook("u", "o", "type1", QUALIFIED, ())])
    'would be qualified'
    """
    opinions = {outlook.opinion for outlook in found}
    return next((opinion for opinion in (QUALIFIED, OPEN) if opinion in opinions), UNMODIFIED if opinions else OPEN)


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
        found.extend(_unguarded(mine.register, unit))
        found.extend(_too_short(unit))
    urgency = sorted(found, key=lambda gap: (not gap.blocks, gap.due_on or date.max, gap.unit_id, gap.row, gap.step))
    return tuple(urgency)


# --- parts ---


@once
def _key_controls(context: Context, report_type: str) -> dict[str, Any]:
    """The steps of the relevant controls."""
    return _relevant(_steps(context, report_type))


def _relevant(controls: pd.DataFrame) -> dict[str, Any]:
    """The key controls that we, or a subservice organisation, perform: a client's can't carry our opinion."""
    chosen = controls[controls["key"] & (controls["performed_by"] != "user_entity")]
    return {str(name): row for name, row in chosen.to_dict("index").items()}


@registers.once
def _acting(register: Register) -> dict[str, list[str]]:
    links = register.risk_controls.sort_values("control_id").groupby("risk_id")["control_id"]
    return {str(risk): list(controls) for risk, controls in links}


@registers.once
def _served(register: Register) -> dict[str, tuple[str, ...]]:
    """The objectives that each control serves, in the register's order."""
    linked = register.risk_controls.merge(register.risks[["risk_id", "objective_id"]], on="risk_id")
    return {
        str(name): tuple(dict.fromkeys(served))
        for name, served in linked.sort_values("objective_id").groupby("control_id")["objective_id"]
    }


def _opinion(risks: dict[str, list[Any]], report_type: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The outlook on an objective from the key controls on each of its risks, why, and the rows at fault."""
    if not risks:
        return OPEN, ("no risk is named",), ()
    faults: list[str] = []
    notes: list[str] = []
    blocking: list[str] = []
    for risk, keys in risks.items():
        lacking = {control["control_id"]: _lacking(control, report_type) for control in keys}
        if all(lacking.values()):
            faults.append(f"{risk}: {'; '.join(lacking.values()) or 'no key control acts on it'}")
            blocking += lacking or [risk]
        else:
            notes += [
                f"{one['control_id']}: {one['deviations']} of {one['sample_size']} deviated, to be reported"
                for one in keys
                if one["deviations"] and one["control_id"] not in blocking
            ]
    because = tuple(dict.fromkeys([*faults, *notes]))
    return QUALIFIED if faults else UNMODIFIED, because, tuple(dict.fromkeys(blocking))


def _lacking(control: Any, report_type: str) -> str:
    """What a control lacks for a type of report, in words; blank if it lacks nothing."""
    missing = [step for step in NEEDED[report_type] if not control[step]]
    texts = dict.fromkeys(_missing(control, step, report_type) for step in missing)
    return f"{control['control_id']} {', '.join(texts)}" if texts else ""


def _missing(control: Any, step: str, report_type: str) -> str:
    if step == "designed":
        return f"design is {control['design'].replace('_', ' ')}"
    if step == "documented":
        return "is not documented"
    if step == "operated" and control["limited_by"] and control["conclusion"] == "operated_effectively":
        return f"relies on {control['limited_by']}, which hasn't earned as much"
    if step == "operated" and control["conclusion"] == "not_tested":
        return "was not shown to be in use" if report_type == "type1" else "was not tested"
    if step == "operated":
        return (
            f"{control['conclusion'].replace('_', ' ')} ({control['deviations']} of {control['sample_size']} deviated)"
        )
    if step == "evidenced":
        return "has no evidence on record" if control["conclusion"] != "not_tested" else "was not tested"
    return "was tested before the period began" if control["conclusion"] != "not_tested" else "was not tested"


def _lacks(context: Context, report_type: str) -> dict[tuple[str, str], tuple[str, str]]:
    """What each key control lacks, by control and step, each said once, with the control's owner."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for name, control in _key_controls(context, report_type).items():
        said: set[str] = set()
        for step in (step for step in NEEDED[report_type] if not control[step]):
            what = _missing(control, step, report_type)
            if what not in said:
                found[name, step] = (what, control["owner"])
            said.add(what)
    return found


def _unguarded(register: Register, unit: Any) -> Iterator[Gap]:
    """Objectives without a risk, and risks without a key control of ours."""
    if without_controls(register):
        return
    keys = set(_relevant(register.controls.set_index("control_id", drop=False)))
    acting = _acting(register)
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
        what = f"the report covers {days} days; six months are expected"
        yield Gap(unit["unit_id"], (), unit["unit_id"], "in_period", what, unit["owner"], None, None, True)
