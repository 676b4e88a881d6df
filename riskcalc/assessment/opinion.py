"""What a service auditor may have to report: how each control stands over the report's period, objective by objective.

Objectives are achieved collectively: every risk to one needs a key control with reach that is well designed, documented
and, for Type 2, operated over the whole period (AT-C 320, on evidence of design and of operating effectiveness). An
objective isn't called achieved while a risk to it is unrated or outside appetite on this evidence, or deficiencies of
its controls are a candidate material weakness: that takes judgement. The outlook is ours; the opinion is
the service auditor's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import compress
from typing import Any

import pandas as pd

from riskcalc.assessment.changes import appetites, former_links, in_report, of_report
from riskcalc.assessment.context import Context, once
from riskcalc.assessment.deficiencies import closed_deviations, material_weaknesses
from riskcalc.assessment.next_steps import unassessed
from riskcalc.assessment.scoring import scored
from riskcalc.assessment.shortfalls import (
    ANY,
    OWN,
    acted,
    lacked,
    missing,
    relying_on,
    report_period,
    unheld,
    until,
)
from riskcalc.assessment.steps import LEAST_COVERAGE, NEEDED, key_controls, reached, reaching, stepped
from riskcalc.errors import counted, rate
from riskcalc.register import stand_ins
from riskcalc.register.earlier import Ended
from riskcalc.register.records import grouped
from riskcalc.register.register import Register

ACHIEVED, NOT_ACHIEVED = "achieved", "not achieved"
NOT_YET, JUDGEMENT = "not yet evidenced", "judgement needed"
UNMODIFIED, QUALIFIED, ADVERSE, NOT_READY = "unmodified", "qualified", "adverse", "not ready"
MANAGEMENTS_TESTS = (
    "It rests on management's own tests of controls; the service auditor tests for themselves, and may find otherwise."
)


@dataclass(frozen=True)
class Outlook:
    """Whether an objective is achieved, for one type of report, and why; ``blocking`` are the rows at fault.

    ``against`` is what speaks against an objective, each with its row, ``reported`` the deviations that the report has
    to list all the same; ``because`` is everything in sentences.
    """

    unit_id: str
    objective_id: str
    report_type: str
    outcome: str
    faults: tuple[str, ...] = ()
    blocking: tuple[str, ...] = ()
    against: tuple[tuple[str, str], ...] = ()
    reported: tuple[str, ...] = ()

    @property
    def because(self) -> tuple[str, ...]:
        """Why, in sentences, with what has to be reported."""
        return (*self.faults, *self.contradictions, *self.reported)

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What speaks against an objective whose controls hold, in sentences."""
        return tuple(dict.fromkeys(text for _, text in self.against))


@dataclass(frozen=True)
class ReportOutlook:
    """What the opinion of a unit's report may be: unmodified, qualified, adverse, or not ready for one, and why."""

    unit_id: str
    report_type: str
    opinion: str
    achieved: int
    objectives: int
    because: str


@once
def outlooks(context: Context, report_type: str) -> tuple[Outlook, ...]:
    """The outlook on every control objective for one type of report, in the register's order.

    A single unit may be asked for as if its report were of another type; of several, those count whose type it is.

    *achieved*: each of its risks has a key control with every step that the type needs, and nothing contradicts it.
    *not achieved*: a risk has none, and none can be shown any more. *not yet evidenced*: a risk has none, but may have
    one when it is tested; or no risk is named. *judgement needed*: the controls hold, and yet a risk is unrated or
    outside appetite on this evidence, or a deficiency, or several together, are a candidate material weakness.

    >>> from riskcalc.register.register import load
    >>> funds = Context.of(load("data")).only("funds")
    >>> {outlook.outcome for outlook in outlooks(funds, "type2")} <= {ACHIEVED, NOT_ACHIEVED, NOT_YET, JUDGEMENT}
    True
    """
    asked = _asked(context, report_type)
    stated = [one for one in of_report(context.register, report_type) if one[0] in asked]
    case = _case(context, report_type)
    return tuple(case.retired(unit, name, last) if last else case.outlook(unit, name) for unit, name, last in stated)


@once
def report_outlooks(context: Context, report_type: str) -> Mapping[str, ReportOutlook]:
    """What the opinion of each unit's report may be, by unit, from the outlooks on its objectives."""
    found: dict[str, list[Outlook]] = {unit: [] for unit in _asked(context, report_type)}
    for each in outlooks(context, report_type):
        found[each.unit_id].append(each)
    pervasive = context.register.methodology.opinion.pervasive
    return {
        unit: ReportOutlook(unit, report_type, *_opinion_on(outcomes, pervasive)) for unit, outcomes in found.items()
    }


def stated(found: Sequence[Outlook]) -> list[Outlook]:
    """Those on objectives that somebody has stated, not on the risks that wait for one."""
    return [each for each in found if not each.objective_id.startswith(stand_ins.NOT_YET)]


def not_begun(context: Context, unit: Mapping[Any, Any]) -> str:
    """What an outlook on a unit's report says first, where its period begins only after the day; else blank."""
    begins = unit["report_from"]
    if pd.isna(begins) or begins.date() <= context.as_of:
        return ""
    return f"Its period hasn't begun: it does on {begins.date()}, and no test can show yet how controls operate in it."


def report_opinion(outcomes: list[str], pervasive: Decimal) -> tuple[str, int, int, str]:
    """The opinion from the outcomes of its objectives, how many of them are achieved, of how many, and why.

    Adverse from the share ``pervasive`` of objectives not achieved on, qualified below; not ready where an objective is
    not yet evidenced or takes judgement, or there is none; else unmodified.

    >>> report_opinion([ACHIEVED, NOT_ACHIEVED, ACHIEVED], Decimal("0.5"))[0]
    'qualified'
    """
    failed, total = outcomes.count(NOT_ACHIEVED), len(outcomes)
    achieved, waiting = outcomes.count(ACHIEVED), outcomes.count(NOT_YET) + outcomes.count(JUDGEMENT)
    if failed and failed >= pervasive * total:
        why = f"{failed} of {counted(total, 'objective')} not achieved; from {rate(pervasive)} on it is pervasive"
        return ADVERSE, achieved, total, why
    if failed:
        return QUALIFIED, achieved, total, f"{failed} of {counted(total, 'objective')} not achieved"
    if not total:
        return NOT_READY, achieved, total, "no control objective is on record"
    if waiting:
        why = f"{waiting} of {counted(total, 'objective')} not yet evidenced or to be judged"
        return NOT_READY, achieved, total, why
    return UNMODIFIED, achieved, total, f"{total} of {counted(total, 'objective')} achieved"


@once
def unguarded_risks(context: Context, report_type: str) -> frozenset[str]:
    """The risks without a key control that has every step the report type needs."""
    case = _case(context, report_type)
    return frozenset(risk for risks in case.risks.values() for risk in risks if not case.held(risk))


# --- parts ---


def _opinion_on(found: Sequence[Outlook], pervasive: Decimal) -> tuple[str, int, int, str]:
    """As ``report_opinion``; risks that wait for an objective count as none, and keep the report from being ready."""
    opinion, achieved, total, why = report_opinion([each.outcome for each in stated(found)], pervasive)
    if opinion == UNMODIFIED and len(stated(found)) < len(found):
        opinion, why = NOT_READY, f"{why}; nobody has said yet which objective the other risks threaten"
    return opinion, achieved, total, why


def _outside(register: Register, scores: pd.DataFrame) -> dict[str, str]:
    """By risk that is outside an appetite of its report, its level and that appetite in words."""
    rank, found = {name: place for place, name in enumerate(register.methodology.level_names)}, dict[str, str]()
    held = appetites(register)
    for unit, risk, level in zip(scores["unit_id"], scores["risk_id"], scores["earned_level"], strict=True):
        appetite, until = held[unit]
        if rank.get(level, -1) > rank.get(appetite, -1):
            which = f"the appetite of {appetite} that held until {until}" if until else "appetite"
            found[risk] = f"{level} on this evidence, outside {which}"
    return found


def _asked(context: Context, report_type: str) -> dict[str, None]:
    """The units to answer for, in order: the only one, or those whose report is of the type."""
    units = context.register.rows("business_units")
    return {one["unit_id"]: None for one in units if len(units) == 1 or one["report_type"] == report_type}


class _Case:
    """What the outlooks of one type of report are made of, read once."""

    def __init__(self, context: Context, report_type: str) -> None:
        self.register, self.report_type = context.register, report_type
        self.keys = key_controls(context, report_type)
        self.all = stepped(context, report_type)
        self.acting = reached(context.register, Decimal(0))  # what deviated is reported, however little it reached
        self.supporting = reached(context.register)
        threatened = in_report(context.register)
        self.risks = grouped((objective, risk) for risk, objective in threatened.items())
        found = scored(context, report_type)
        self.outside = _outside(context.register, found)
        self.rated = set(compress(found["risk_id"], found["likelihood"].notna()))
        ended = (one for one in sorted(context.register.earlier.ended) if report_type == "type2" or one.after)
        self.ended = grouped((one.objective_id, one) for one in ended)
        left = [one for one in sorted(context.register.earlier.risks) if report_type == "type2" or one.after]
        self.left = [one for one in left if threatened.get(one.risk_id) != one.objective_id]
        self.begun = {one[:2]: one[2] for one in context.register.earlier.begun}
        self.lacked = lacked(context.register, self.all)
        formerly = {one.control_id for one in context.register.earlier.controls if one.key}
        self.counted_on = self._with_relied_on({*self.keys, *formerly})
        self.weak = grouped((weak.unit_id, weak) for weak in material_weaknesses(context, report_type))
        self.closed = closed_deviations(context, report_type)

    def carrying(self, risk: str) -> list[Any]:
        """The key controls that reach enough of a risk."""
        return [self.keys[name] for name in self.supporting.get(risk, ()) if name in self.keys]

    def held(self, risk: str) -> bool:
        """Whether a key control with every step carries the risk."""
        return any(not control["fault"] for control in self.carrying(risk))

    def outlook(self, unit: str, objective: str) -> Outlook:
        risks = self.risks.get(objective, [])
        if not risks:
            return Outlook(unit, objective, self.report_type, NOT_YET, ("no risk is named",))
        if why := unassessed(self.register, unit, objective):
            return Outlook(unit, objective, self.report_type, NOT_YET, (why,))
        open_risks = [risk for risk in risks if not self.held(risk)]
        ended = self.ended.get(objective, [])
        links = [(risk, name) for risk in risks for name in self.acting.get(risk, ())]
        acting = {name for _, name in links} | {one.control_id for one in ended}
        told = [text for link in links for text in acted(self.register, *link)]
        spoken = self._contradictions(unit, risks, [one for one in ended if not one.after])
        against = tuple(dict.fromkeys([*spoken, *self._threatened(unit, objective)]))
        gone = [one for one in ended if one.after]  # what it did in the report isn't assessed here any more
        outcome = JUDGEMENT if against or open_risks else ACHIEVED
        if left := [risk for risk in open_risks if risk not in {one.risk_id for one in gone}]:
            final = any(all(one["fault"] == "hard" for one in self.carrying(risk)) for risk in left)
            outcome = NOT_ACHIEVED if final else NOT_YET
        faults = tuple(dict.fromkeys(self._fault(unit, risk, gone) for risk in open_risks))
        blocking = [row for risk in open_risks for row in self._rows(risk)]
        blocking += [] if open_risks else [row for row, _ in against]
        return Outlook(
            unit,
            objective,
            self.report_type,
            outcome,
            faults,
            tuple(dict.fromkeys(blocking)),
            against,
            (*self._reported(self._with_relied_on(acting & {*self.all}), ended), *told),
        )

    def retired(self, unit: str, objective: str, last: date) -> Outlook:
        """The outlook on an objective that was in the report, and isn't kept any more."""
        told = f"{objective} was in the report, and ended on {last}: whether it was achieved until then is to be judged"
        ended = self.ended.get(objective, [])
        acting = {one.control_id for one in ended} & {*self.all}
        reported = self._reported(self._with_relied_on(acting), ended)
        against = ((objective, told),)
        return Outlook(unit, objective, self.report_type, JUDGEMENT, (), (objective,), against, reported)

    def _fault(self, unit: str, risk: str, gone: list[Ended]) -> str:
        lacking = [self._lacking(unit, control) for control in self.carrying(risk)]
        lacking += [
            f"{one.control_id} acted on it past the report's end, until {one.last}: what it did in it is to be judged"
            for one in gone
            if one.risk_id == risk
        ]
        now = [name for name in reaching(self.register).get(risk, ()) if name in self.keys]
        return f"{risk}: {'; '.join(lacking) or unheld(now)}"

    def _rows(self, risk: str) -> list[str]:
        return [control["control_id"] for control in self.carrying(risk)] or [risk]

    def _lacking(self, unit: str, control: Any) -> str:
        lacks = [step for step in NEEDED[self.report_type] if not control[step]]
        texts = dict.fromkeys(missing(control, step, self.report_type, unit) for step in lacks)
        others = (each for each in control["relies_on"] if each != control["limited_by"])  # which is told already
        broken = [each for each in others if self.all[each]["fault"] == "hard"]
        texts |= dict.fromkeys(f"{relying_on(control, each)}, which can't carry it" for each in broken)
        return f"{control['control_id']} {', '.join(texts)}"

    def _contradictions(self, unit: str, risks: list[str], ended: list[Ended]) -> Iterator[tuple[str, str]]:
        """What speaks against an objective whose controls hold: the row, and the words."""
        for risk in risks:
            if risk in self.outside:
                yield risk, f"{risk} is {self.outside[risk]}"
            if risk not in self.rated:
                yield risk, f"{risk} is unrated"
        for one in ended:
            if one.risk_id in risks or self.all.get(one.control_id, {"fault": "retired"})["fault"]:
                over = f"until {one.last}, in the report's period: its tests up to then count, too"
                yield one.control_id, f"{one.control_id} acted on {one.risk_id} {over}"
        relieved = {one.risk_id for one in ended}
        yield from (found for risk in risks for found in self._not_throughout(unit, risk, risk in relieved))
        for weak in (each for each in self.weak.get(unit, ()) if set(each.risks) & set(risks)):
            yield from ((name, weak.as_weakness) for name in weak.controls)

    def _threatened(self, unit: str, objective: str) -> Iterator[tuple[str, str]]:
        """Risks to an objective on days of its report that no key control holds which is still assessed."""
        for one in (one for one in self.left if one[:2] == (unit, objective)):
            ended = {each.control_id for each in self.ended.get(objective, ()) if each.risk_id == one.risk_id}
            acting = ended | {*self.supporting.get(one.risk_id, ())}
            if not any(name in self.keys and not self.keys[name]["fault"] for name in acting):
                held = "and no key control that holds is known to have acted on it"
                yield one.risk_id, f"{one.risk_id} threatened it until {one.last}, in the report, {held}"

    def _not_throughout(self, unit: str, risk: str, relieved: bool) -> Iterator[tuple[str, str]]:
        """Where all that holds a risk didn't over its report's whole period, or at its date: a control, and the words.

        What began where another control was ``relieved`` is told with that.
        """
        found = [self._short(unit, risk, control, relieved) for control in self.carrying(risk) if not control["fault"]]
        if found and all(found):
            yield found[0][0], f"{risk} rests on {', which '.join(found[0])}"

    def _short(self, unit: str, risk: str, control: Any, relieved: bool) -> tuple[str, ...]:
        """A control, or one that it relies on, that wasn't all it is on days of its report, and the words."""
        type1 = self.report_type == "type1"
        for name in sorted(self._with_relied_on({control["control_id"]})):
            one, period = self.all[name], report_period(self.all[name], unit)
            if one["unit_id"] != unit and one["report_type"] != self.report_type:
                continue
            since = max(one["since"], self.begun.get((risk, ""), date.min))
            days = {"began on": self.begun.get((name, "")), "acts on it since": self.begun.get((risk, name))}
            said, first = max(days.items(), key=lambda each: each[1] or date.min)
            late = (first - since).days if first and not relieved else 0
            if late > 0 and (type1 or late + one["untested_days"] > one["allowed"]):
                over = "after the report's date" if type1 else f"in {period}: what held before counts, too"
                return name, f"{said} {first}, {over}"
            since, weighing = max(since, first or since), (ANY, OWN) if one is control else (ANY,)
            lacking = [lapse.last for lapse in self.lacked.get(name, ()) if lapse.weight in weighing]
            if lacking and (last := max(lacking)) >= since:
                return name, f"was otherwise {until(last, type1, period)}"
            if left := [days for days in one["open"] if days[1] >= since]:
                return name, f"changed in {period}, and nothing shows what it did from {left[0][0]} to {left[0][1]}"
        links, own, period = former_links(self.register), control["control_id"], report_period(control, unit)
        small = [link.last for link in links.get((risk, own), ()) if link.coverage < LEAST_COVERAGE]
        return (own, f"reached next to nothing of it {until(max(small), type1, period)}") if small else ()

    def _with_relied_on(self, names: set[str]) -> set[str]:
        found, new = set(names), set(names)
        while new:
            new = {relied for name in new for relied in self.all[name]["relies_on"]} - found
            found |= new
        return found

    def _reported(self, acting: set[str], ended: list[Ended]) -> tuple[str, ...]:
        """What deviated, the deficiencies closed in the period, and what key controls lacked in it: neither a repair
        nor an end takes anything out of the report.
        """
        retired = {one.control_id: one for one in ended if one.control_id not in self.all}
        found = {name: (self.all[name]["deviations"], self.all[name]["sample_size"]) for name in acting}
        found |= {name: (one.deviations, one.items) for name, one in retired.items()}
        deviated = [
            f"{name}: {some} of {of} deviated, to be reported" for name, (some, of) in sorted(found.items()) if some
        ]
        closed = [text for name in sorted(acting) for text in self.closed.get(name, ())]
        closed += [f"{what} of {name}, closed on {on}" for name, one in retired.items() for what, on in one.closed]
        known = sorted(acting & self.counted_on)
        short = dict.fromkeys(f"{name} {lapse.text}" for name in known for lapse in self.lacked.get(name, ()))
        return (*deviated, *closed, *short)


@once
def _case(context: Context, report_type: str) -> _Case:
    return _Case(context, report_type)
