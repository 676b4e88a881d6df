"""What a service auditor may have to report: how each control stands over the report's period, objective by objective.

Objectives are achieved collectively: every risk to one needs a key control with reach that is well designed, documented
and, for Type 2, operated over the whole period (AT-C 320, on evidence of design and of operating effectiveness). An
objective isn't called achieved while a risk to it is unrated or outside appetite on this evidence, or deficiencies of
its controls are a candidate material weakness: that takes judgement. The outlook is ours; the opinion is
the service auditor's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import compress
from typing import Any

import pandas as pd

from riskcalc.assessment import evidence
from riskcalc.assessment.context import Context, once
from riskcalc.assessment.deficiencies import SEVERITIES, Candidate, aggregated, candidates
from riskcalc.assessment.next_steps import unassessed
from riskcalc.assessment.scoring import breaches, scored
from riskcalc.assessment.shortfalls import lacked, missing, relied_on, report_period
from riskcalc.errors import counted, rate
from riskcalc.register import register as registers
from riskcalc.register import stand_ins
from riskcalc.register.issued import Ended
from riskcalc.register.register import Register

STEPS = ("designed", "documented", "operated", "evidenced", "in_period")
NEEDED = {"type1": ("designed", "documented", "operated"), "type2": STEPS}
ACHIEVED, NOT_ACHIEVED = "achieved", "not achieved"
NOT_YET, JUDGEMENT = "not yet evidenced", "judgement needed"
UNMODIFIED, QUALIFIED, ADVERSE, NOT_READY = "unmodified", "qualified", "adverse", "not ready"
LEAST_COVERAGE = Decimal("0.01")  # less of a risk is next to nothing
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
    rows = _steps(context, report_type).values()
    made = {name: [row[name] for row in rows] for name in (*evidence.COLUMNS[1:], *_MADE)}
    return context.register.controls.assign(**made).set_index("control_id", drop=False)


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
    objectives = [one for one in context.register.rows("control_objectives") if one["unit_id"] in asked]
    return tuple(_case(context, report_type).outlook(one["unit_id"], one["objective_id"]) for one in objectives)


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
    """Those on objectives that somebody has stated, not on the risks that wait for one; all, where none is."""
    return [each for each in found if not each.objective_id.startswith(stand_ins.NOT_YET)] or list(found)


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
    if waiting or not total:
        return (
            NOT_READY,
            achieved,
            total,
            f"{waiting} of {counted(total, 'objective')} not yet evidenced or to be judged",
        )
    return UNMODIFIED, achieved, total, f"{total} of {counted(total, 'objective')} achieved"


@once
def unguarded_risks(context: Context, report_type: str) -> frozenset[str]:
    """The risks without a key control that has every step the report type needs."""
    case = _case(context, report_type)
    return frozenset(risk for risk in context.register.risks["risk_id"] if not case.held(risk))


@once
def key_controls(context: Context, report_type: str) -> Mapping[str, Any]:
    """The steps of the key controls that we, or a subservice organisation, perform: a client's can't carry ours."""
    return relevant(_steps(context, report_type).values())


def relevant(controls: Iterable[Mapping[Any, Any]]) -> dict[str, Any]:
    """Of controls, by id, the key ones that aren't a client's."""
    return {each["control_id"]: each for each in controls if each["key"] and each["performed_by"] != "user_entity"}


@registers.once
def reaching(register: Register, least: Decimal = LEAST_COVERAGE) -> dict[str, list[str]]:
    """The controls that act on each risk with a coverage above 0, and of ``least`` or more."""
    found: dict[str, list[str]] = {}
    for link in sorted(register.rows("risk_controls"), key=lambda each: str(each["control_id"])):
        if link["coverage"] > 0 and link["coverage"] >= least:
            found.setdefault(link["risk_id"], []).append(link["control_id"])
    return found


# --- parts ---


def _opinion_on(found: Sequence[Outlook], pervasive: Decimal) -> tuple[str, int, int, str]:
    """As ``report_opinion``; risks that wait for an objective count as none, and keep the report from being ready."""
    opinion, achieved, total, why = report_opinion([each.outcome for each in stated(found)], pervasive)
    if opinion == UNMODIFIED and len(stated(found)) < len(found):
        opinion, why = NOT_READY, f"{why}; nobody has said yet which objective the other risks threaten"
    return opinion, achieved, total, why


def _asked(context: Context, report_type: str) -> dict[str, None]:
    """The units to answer for, in order: the only one, or those whose report is of the type."""
    units = context.register.rows("business_units")
    return {one["unit_id"]: None for one in units if len(units) == 1 or one["report_type"] == report_type}


# Of a control's row: an organisation has many.
_KEPT = ("unit_id", "report_type", "key", "performed_by", "design", "owner", "relies_on")
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
    "rests_on",
    "fault",
)


@once
def _steps(context: Context, report_type: str) -> dict[str, dict[Any, Any]]:
    """By control, its row, what it has earned, and what is made of both."""
    register = context.register
    conclusions = evidence.conclude_all(context, report_type)
    weights = evidence.assessed(context, report_type)
    evidenced = {test["test_id"]: not pd.isna(test["evidence"]) for test in register.rows("control_tests")}
    most = register.methodology.evidence.roll_forward_days
    found: dict[str, dict[Any, Any]] = {}
    for row in register.rows("controls"):
        control = evidence.as_reported(context, report_type).get(row["control_id"], row)
        name, left = control["control_id"], (control["report_to"].date() - context.as_of).days
        row, to_come = {**weights[name], **{key: control[key] for key in _KEPT}}, left if left > most else 0
        days = evidence.report_days(control, register.methodology.evidence)
        by_others = "a review of its report" if conclusions[name].unread else ""
        lacking = ", ".join(test for test in row["tests"] if not evidenced[test]) if row["tests"] else by_others
        tested = row["conclusion"] != "not_tested"
        found[name] = row | {
            "to_come": to_come,
            "then": control.get("then", ""),
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
    for row, doubt in zip(found.values(), _resting_on(found), strict=True):
        row["doubt"] = doubt
        row["rests_on"] = relied_on(row, row["unit_id"])
    for row in found.values():
        row["evidenced"] = row["evidenced"] and row["doubt"] is None
    for row, fault in zip(found.values(), _faults(found, NEEDED[report_type]), strict=True):
        row["fault"] = fault
    return found


def _resting_on(rows: Mapping[str, Any]) -> list[tuple[Any, str] | None]:
    """By control, one that it relies on, through any chain, without evidence or untested for too long, and which."""

    def lacking(name: str) -> tuple[Any, str] | None:
        known = [name]
        for each in known:  # grows as it is read
            known += [relied for relied in rows[each]["relies_on"] if relied not in known]
        doubtful = (one for one in known[1:] if not (rows[one]["evidenced"] and rows[one]["in_period"]))
        one = next((rows[one] for one in doubtful if rows[one]["operated"]), None)
        return one and (one, "in_period" if one["evidenced"] else "evidenced")

    return [lacking(name) for name in rows]


def _faults(rows: Mapping[str, Any], needed: Iterable[str]) -> list[str]:
    """How grave what each control lacks is; what limits it makes its fault the control's own."""
    found: dict[str, str] = {}

    def fault(name: str) -> str:
        if name not in found:
            row = rows[name]
            broken = not (row["designed"] and row["documented"]) or row["conclusion"] == "not_effective"
            lacks = not all(row[step] for step in needed)
            found[name] = "hard" if broken else "soft" if lacks else ""
            if not broken and any(fault(each) == "hard" for each in row["relies_on"]):
                found[name] = "hard"
        return found[name]

    return [fault(name) for name in rows]


class _Case:
    """What the outlooks of one type of report are made of, read once."""

    def __init__(self, context: Context, report_type: str) -> None:
        self.register, self.report_type = context.register, report_type
        self.keys = key_controls(context, report_type)
        self.all = _steps(context, report_type)
        self.reaching = reaching(context.register, Decimal(0))  # what deviated is reported, however little it reaches
        self.supporting = reaching(context.register)
        self.risks: dict[str, list[str]] = {}
        for risk in context.register.rows("risks"):
            self.risks.setdefault(risk["objective_id"], []).append(risk["risk_id"])
        found = scored(context, report_type)
        self.outside = dict(compress(zip(found["risk_id"], found["earned_level"], strict=True), breaches(found)))
        self.rated = set(compress(found["risk_id"], found["likelihood"].notna()))
        self.ended: dict[str, list[Ended]] = {}
        for one in (each for each in sorted(context.register.ended) if report_type == "type2" or each.after):
            self.ended.setdefault(one.objective_id, []).append(one)
        self.begun = {one[:2]: one[2] for one in context.register.begun}
        self.lacked = lacked(context.register, self.all)
        self.counted_on = self._with_relied_on({*self.keys})
        self.weak: dict[str, list[Candidate]] = {}
        for weak in _material_weaknesses(context):
            self.weak.setdefault(weak.unit_id, []).append(weak)
        self.closed = _closed_deviations(context)

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
        acting = {name for risk in risks for name in self.reaching.get(risk, ())} | {one.control_id for one in ended}
        against = tuple(dict.fromkeys(self._contradictions(unit, risks, [one for one in ended if not one.after])))
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
            self._reported(self._with_relied_on(acting & {*self.all}), ended),
        )

    def _fault(self, unit: str, risk: str, gone: list[Ended]) -> str:
        lacking = [self._lacking(unit, control) for control in self.carrying(risk)]
        lacking += [
            f"{one.control_id} acted on it past the report's end, until {one.last}: what it did in it is to be judged"
            for one in gone
            if one.risk_id == risk
        ]
        return f"{risk}: {'; '.join(lacking) or 'no key control acts on it'}"

    def _rows(self, risk: str) -> list[str]:
        return [control["control_id"] for control in self.carrying(risk)] or [risk]

    def _lacking(self, unit: str, control: Any) -> str:
        lacks = [step for step in NEEDED[self.report_type] if not control[step]]
        texts = dict.fromkeys(missing(control, step, self.report_type, unit) for step in lacks)
        broken = [each for each in control["relies_on"] if self.all[each]["fault"] == "hard"]
        broken = [each for each in broken if each != control["limited_by"]]  # which is told already
        texts |= dict.fromkeys(f"relies on {each}, which can't carry it" for each in broken)
        return f"{control['control_id']} {', '.join(texts)}"

    def _contradictions(self, unit: str, risks: list[str], ended: list[Ended]) -> Iterator[tuple[str, str]]:
        """What speaks against an objective whose controls hold: the row, and the words."""
        for risk in risks:
            if risk in self.outside:
                yield risk, f"{risk} is {self.outside[risk]} on this evidence, outside appetite"
            if risk not in self.rated:
                yield risk, f"{risk} is unrated"
        for one in ended:
            if one.risk_id in risks or self.all.get(one.control_id, {"fault": "retired"})["fault"]:
                until = f"until {one.last}, in the report's period: its tests up to then count, too"
                yield one.control_id, f"{one.control_id} acted on {one.risk_id} {until}"
        relieved = {one.risk_id for one in ended}
        yield from (found for risk in risks for found in self._not_throughout(unit, risk, risk in relieved))
        for weak in (each for each in self.weak.get(unit, ()) if set(each.risks) & set(risks)):
            yield from ((name, weak.as_weakness) for name in weak.controls)

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
            lacking = [day for day in self.lacked.get(name, {}).values() if day >= max(since, first or since)]
            if lacking:
                last = max(lacking)
                return name, f"was otherwise {f'on {last}' if type1 else f'until {last}, in {period}'}"
        return ()

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
        short = [f"{name} {text}" for name in sorted(acting & self.counted_on) for text in self.lacked.get(name, ())]
        return (*deviated, *closed, *short)


@once
def _case(context: Context, report_type: str) -> _Case:
    return _Case(context, report_type)


@once
def _material_weaknesses(context: Context) -> tuple[Candidate, ...]:
    """The candidates: of deficiencies together, then, so that they are told rather, of single ones."""
    return tuple(one for one in (*aggregated(context), *candidates(context)) if one.severity == SEVERITIES[-1])


def _closed_deviations(context: Context) -> dict[str, list[str]]:
    """By control, the deficiencies of a report's period that were closed by the day."""
    found: dict[str, list[str]] = {}
    for one in candidates(context):
        if one.closed_on:
            found.setdefault(one.controls[0], []).append(f"{one.name} of {one.controls[0]}, closed on {one.closed_on}")
    return {name: list(dict.fromkeys(texts)) for name, texts in found.items()}
