"""How severe a deficiency may be: always a candidate, with the reasons that a person can argue with.

In the words of an entity's own reporting (AS 2201 .62-.70; AU-C 265): is there a reasonable possibility of a
misstatement, how large could it be against materiality, which other controls compensate and were themselves tested,
does an indicator of a material weakness apply, and what do the deficiencies of one objective or account make together?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from riskcalc.assessment import evidence
from riskcalc.assessment.changes import after_report, over_report
from riskcalc.assessment.context import Context, once, rated
from riskcalc.assessment.exposure import largest_losses
from riskcalc.assessment.scoring import AXES
from riskcalc.errors import first_of
from riskcalc.register.audiences import in_money
from riskcalc.register.records import grouped

SEVERITIES = ("deficiency", "significant deficiency", "material weakness")
NOT_ASSESSED = "not assessed"
NOT_ON_RECORD = "not on record"


@dataclass(frozen=True)
class Candidate:
    """A candidate severity: of one deficiency, or of those of an objective or account together.

    ``about`` is deficiency, objective or account, and ``name`` its id; ``magnitude`` the misstatement that one event
    could cause, in the unit's currency; ``risks`` are those that make it as severe, and ``compensating`` the other
    controls that were tested and count. ``closed_on``
    is None while it is open: a closed one of the report's period is judged as it was; ``dated`` says so.
    """

    unit_id: str
    about: str
    name: str
    controls: tuple[str, ...]
    severity: str
    possible: bool
    magnitude: float | None
    risks: tuple[str, ...]
    compensating: tuple[str, ...]
    reasons: tuple[str, ...]
    closed_on: date | None = None
    dated: str = ""

    @property
    def as_weakness(self) -> str:
        """A candidate material weakness of a report's, in a sentence."""
        if self.about != "deficiency":
            together = f"deficiencies of {', '.join(self.controls)} together"
            return f"{together} are a candidate material weakness on this evidence: {self.about} {self.name}"
        unrecorded, control = self.name.endswith(NOT_ON_RECORD), self.controls[0]
        named = f"{control} (no open deficiency on record)" if unrecorded else f"{self.name} of {control}"
        dated = f", {self.dated}" if self.dated else ""
        return f"{named} is a candidate material weakness on this evidence{dated}"


def classify(possible: bool, material: bool, merits_attention: bool, indicator: bool = False) -> str:
    """The candidate's name, by the definitions of AS 2201 .A3, .A7, .A11 and AU-C 265.07.

    ``possible``: a misstatement is reasonably possible; ``material``: it could be material; ``merits_attention``:
    it is important enough for those who oversee reporting; ``indicator``: one of AS 2201.69 applies.

    >>> classify(possible=True, material=True, merits_attention=False)
    'material weakness'
    """
    if indicator or (possible and material):
        return "material weakness"
    return "significant deficiency" if merits_attention else "deficiency"


def candidates(context: Context) -> list[Candidate]:
    """A candidate for every deficiency that counts, in each unit whose risks it touches; gravest first.

    Those open on the day, those closed in a Type 2 report's period, and failed controls that have none on record.

    >>> from riskcalc.register.register import load
    >>> found = candidates(Context.of(load("data"), "2026-H1").only("claims"))
    >>> found[0].severity in SEVERITIES
    True
    """
    return list(_candidates(context))


@once
def _candidates(context: Context, report_type: str | None = None) -> tuple[Candidate, ...]:
    case = _case(context, report_type)
    found = [one for deficiency in _deficient(case) for one in _singles(case, deficiency)]
    return tuple(sorted(found, key=lambda one: (-_rank(one), one.unit_id, one.name)))


def aggregated(context: Context) -> list[Candidate]:
    """What several deficient controls make together, for each objective and account they share (AS 2201.65).

    Only what is open on the day is taken together. An indicator of one, or that one merits attention, is the group's.
    """
    return list(_aggregated(context))


@once
def _aggregated(context: Context, report_type: str | None = None) -> tuple[Candidate, ...]:
    case = _case(context, report_type)
    still = [one for one in _deficient(case) if case.is_open(one)]
    of_risk = grouped((risk, place) for place, one in enumerate(still) for risk in case.touched({one["control_id"]}))
    found = []
    for about, column in (("objective", "objective_id"), ("account", "account")):
        groups: dict[tuple[str, str], set[str]] = {}
        for risk in context.register.rows("risks"):
            if not pd.isna(risk[column]):
                groups.setdefault((risk["unit_id"], risk[column]), set()).add(risk["risk_id"])
        for (unit, name), within in groups.items():
            members = [still[place] for place in sorted({each for risk in within for each in of_risk.get(risk, ())})]
            controls = {one["control_id"] for one in members}
            if len(controls) > 1:
                left = case.left(controls, case.touched(controls) & within)
                attention = any(one.get("merits_attention") is True for one in members) or None
                indicator = next((one["indicator"] for one in members if not pd.isna(one.get("indicator"))), None)
                judged = _mattering(left), _unknown(left), list[str](), attention, indicator
                found.append(_candidate(case, (unit, about, name), controls, *judged))
    return tuple(sorted(found, key=lambda one: (-_rank(one), one.unit_id, one.about != "objective", one.name)))


@once
def material_weaknesses(context: Context, report_type: str) -> tuple[Candidate, ...]:
    """The candidates for the opinion on a report, by its evidence: of deficiencies together, then single ones."""
    asked = evidence.as_answered(context, report_type)
    found = (*_aggregated(context, asked), *_candidates(context, asked))
    return tuple(one for one in found if one.severity == SEVERITIES[-1])


def closed_deviations(context: Context, report_type: str) -> dict[str, list[str]]:
    """By control, the deficiencies of a report's days that were closed by the day."""
    case = _case(context, evidence.as_answered(context, report_type))
    closed = (one for one in _deficient(case) if not pd.isna(one.get("closed_on")))
    dated = ((one, _dated(one, *case.days(one["control_id"]))[0]) for one in closed)
    return grouped((one["control_id"], f"{one['deficiency_id']} of {one['control_id']}, {told}") for one, told in dated)


# --- parts ---


@dataclass(frozen=True)
class _Left:
    """What is left of a rated risk while some controls fail; ``magnitude`` is exact, None where no amount is known."""

    risk: str
    unit_id: str
    likelihood: float
    possible: bool
    magnitude: Fraction | None
    compensating: tuple[str, ...]


class _Case:
    """What every judgement in a context needs, read once, so that each costs what it touches and no more.

    Now; with ``report_type`` for the opinion on a report: by its evidence, and the rows that held in it.
    """

    def __init__(self, context: Context, report_type: str | None) -> None:
        self.context, self.report_type, register = context, report_type, context.register
        weights, then = evidence.assessed(context, report_type), evidence.as_reported(context, report_type)
        rows = {**{row["control_id"]: row for row in register.rows("controls")}, **then}
        self.controls = {name: {**row, **weights[name]} for name, row in rows.items()}
        self.likelihood = {risk: given[0] for risk, given in rated(context).items() if not pd.isna(given[0])}
        self.losses = largest_losses(context)
        self.unit_of = dict(zip(register.risks["risk_id"], register.risks["unit_id"], strict=True))
        self.units = {unit["unit_id"]: unit for unit in register.rows("business_units")}
        self.links: dict[str, list[Any]] = {}
        self.acts_on: dict[str, set[str]] = {}
        later, least = (after_report(register), over_report(register)) if report_type else (frozenset(), {})
        for link in sorted(register.rows("risk_controls"), key=lambda each: str(each["control_id"])):
            risk, control = link["risk_id"], link["control_id"]
            acts_on, coverage = least.get((risk, control), (link["acts_on"], link["coverage"]))
            self.links.setdefault(risk, []).append({**link, "acts_on": acts_on, "coverage": Fraction(str(coverage))})
            if not later & {(risk, ""), (risk, control)}:
                self.acts_on.setdefault(control, set()).add(risk)
        self.relying: dict[str, set[str]] = {}
        for name, control in self.controls.items():
            for relied in control["relies_on"]:
                self.relying.setdefault(relied, set()).add(str(name))
        # a control without sufficient evidence never compensates, whatever the weights say
        unproven = [name for name, one in weights.items() if one["conclusion"] != "operated_effectively"]
        self.proven = evidence.earned_weights(context, dict.fromkeys(unproven, 0.0), report_type)

    def failed(self) -> list[str]:
        """The controls that failed: now, or over the days of their unit's report, or by their design."""
        over = {kind: evidence.conclude_all(self.context, kind) for kind in ("type1", "type2")}
        return [
            str(name)
            for name, one in self.controls.items()
            if one["performed_by"] != "user_entity"
            and (
                one["conclusion"] == "not_effective"
                or (not self.report_type and over[one["report_type"]][str(name)].name == "not_effective")
                or (one["key"] and one["claimed"] == 0)
            )
        ]

    def days(self, control: str) -> tuple[date, date]:
        """From when on what was closed still counts for the report that a control is asked about, and its last day."""
        row, kind = self.controls[control], self.report_type
        first, last = evidence.report_days(row, self.context.register.methodology.evidence)
        asked = evidence.type_asked(self.context, row, kind) if kind else row["report_type"]
        return (last + timedelta(1) if asked == "type1" else first), last

    def is_open(self, deficiency: Mapping[Any, Any]) -> bool:
        """Whether a deficiency is open on the day; for the opinion on a report, by its end, where it has ended."""
        closed, (_, last) = deficiency.get("closed_on"), self.days(deficiency["control_id"])
        return pd.isna(closed) or bool(self.report_type and closed.date() > last)

    def fallen(self, controls: set[str]) -> set[str]:
        """The controls, and those that rely on them through any chain."""
        found, new = set(controls), set(controls)
        while new:
            new = {name for one in new for name in self.relying.get(one, ())} - found
            found |= new
        return found

    def touched(self, controls: set[str]) -> set[str]:
        """The risks that the controls act on, or that controls relying on them, through any chain, act on."""
        return {risk for name in self.fallen(controls) for risk in self.acts_on.get(name, ())}

    def left(self, controls: set[str], risks: Iterable[str]) -> list[_Left]:
        """What is left of each rated risk with the controls taken to fail, and unproven ones not counted either."""
        fallen = self.fallen(controls)
        return [self._left(risk, fallen) for risk in sorted(risks) if risk in self.likelihood]

    def _left(self, risk: str, fallen: set[str]) -> _Left:
        weights = {link["control_id"]: self.proven[link["control_id"]] for link in self.links[risk]}
        weights |= dict.fromkeys(fallen & set(weights), Decimal(0))
        remaining = dict.fromkeys(AXES, Fraction(1))
        for link in self.links[risk]:
            for axis in AXES if link["acts_on"] == "both" else (link["acts_on"],):
                remaining[axis] *= 1 - link["coverage"] * Fraction(weights[link["control_id"]])
        likelihood = float(1 + (self.likelihood[risk] - 1) * remaining["likelihood"])
        methodology, high = self.context.register.methodology, self.losses.get(risk)
        whole = int(methodology.matrix.whole("likelihood", [likelihood])[0])
        return _Left(
            risk,
            self.unit_of[risk],
            likelihood,
            whole >= methodology.severity.reasonable_possibility,
            None if high is None else Fraction(high) * remaining["impact"],
            tuple(
                link["control_id"] for link in self.links[risk] if weights[link["control_id"]] > 0 < link["coverage"]
            ),
        )


@once
def _case(context: Context, report_type: str | None) -> _Case:
    return _Case(context, report_type)


def _deficient(case: _Case) -> Iterator[dict[Any, Any]]:
    """The deficiencies open on the day or in their unit's report, and the failed controls that have none on record."""
    on_record, day = set(), pd.Timestamp(case.context.as_of)
    for deficiency in (one for one in case.context.register.rows("deficiencies") if one["identified_on"] <= day):
        control, closed = deficiency["control_id"], deficiency["closed_on"]
        if not closed <= day or closed.date() >= case.days(control)[0]:
            on_record.add(control)
            yield {**deficiency, "closed_on": closed if closed <= day else None}
    was = _closed_before(case.context)
    for name in case.failed():
        if name not in on_record:
            yield was.get(name, {"deficiency_id": f"{name} {NOT_ON_RECORD}", "control_id": name})


def _closed_before(context: Context) -> dict[str, dict[Any, Any]]:
    """By control, the deficiency of it that was closed last by the day, as if open: it is of what failed before.

    None where a test made since then deviated: that is something else, which none is on record of.
    """
    day, deviated = pd.Timestamp(context.as_of), dict[str, pd.Timestamp]()
    for test in context.register.rows("control_tests"):
        if test["deviations"] and test["tested_on"] <= day:
            deviated[test["control_id"]] = max(test["tested_on"], deviated.get(test["control_id"], test["tested_on"]))
    closed = [one for one in context.register.rows("deficiencies") if one["closed_on"] <= day]
    return {
        one["control_id"]: {**one, "closed_on": None, "was_closed_on": one["closed_on"]}
        for one in sorted(closed, key=lambda one: one["closed_on"])
        if not deviated.get(one["control_id"], one["closed_on"]) > one["closed_on"]
    }


def _singles(case: _Case, deficiency: Any) -> Iterator[Candidate]:
    """One deficiency in each unit, judged there by the risk that matters most: a possible one, of the most."""
    control = deficiency["control_id"]
    left = case.left({control}, case.touched({control}))
    attention, indicator, closed = (deficiency.get(name) for name in ("merits_attention", "indicator", "closed_on"))
    since = deficiency.get("was_closed_on")
    still = [f"closed on {since.date()}, but {control} counts as failed"] if since else []
    dated, why = _dated(deficiency, *case.days(control)) if "identified_on" in deficiency else ("", [])
    for unit in sorted({case.controls[control]["unit_id"], *(one.unit_id for one in left)}):
        own = [one for one in left if one.unit_id == unit]
        if unit in case.units:
            worst = max(
                own, key=lambda one: (one.possible, -1 if one.magnitude is None else one.magnitude), default=None
            )
            yield _candidate(
                case,
                (unit, "deficiency", deficiency["deficiency_id"]),
                {control},
                [worst] if worst else [],
                _unknown(own),
                _grave(own, case.units[unit], indicator is not None and not pd.isna(indicator)),
                None if pd.isna(attention) else bool(attention),
                None if pd.isna(indicator) else str(indicator),
                None if pd.isna(closed) else closed.date(),
                dated,
                [*why, *still],
            )


def _dated(deficiency: Mapping[Any, Any], since: date, last: date) -> tuple[str, list[str]]:
    """When a deficiency was closed, and that it was identified after the report; and why it counts all the same."""
    end, identified, closed = "date" if since > last else "end", deficiency["identified_on"], deficiency["closed_on"]
    told = [f"identified on {identified.date()}, after the report's {end}"] if identified.date() > last else []
    told += [] if pd.isna(closed) else [f"closed on {closed.date()}"]
    within = ", but in the report's period" if closed and closed.date() <= last else f", but open at the report's {end}"
    dated = ", and ".join(told)
    return dated, [dated + within * (identified.date() <= last)] * bool(told)


def _candidate(
    case: _Case,
    about: tuple[str, str, str],
    controls: set[str],
    left: list[_Left],
    unknown: list[str],
    grave: list[str],
    attention: bool | None,
    indicator: str | None,
    closed_on: date | None = None,
    dated: str = "",
    why: Iterable[str] = (),
) -> Candidate:
    unit = case.units[about[0]]
    possible, known = any(one.possible for one in left), [one.magnitude for one in left if one.magnitude is not None]
    amount = sum(known, Fraction()) if known else None  # which risks without amounts can only add to
    material = amount is not None and amount >= Fraction(unit["materiality"])
    large = amount is not None and possible and amount >= Fraction(unit["performance_materiality"])
    severity = classify(possible, material, large or bool(attention), indicator is not None)
    if severity == "deficiency" and (amount is None or (possible and unknown)):
        severity = NOT_ASSESSED
    compensating = tuple(sorted({name for one in left for name in one.compensating}))
    reasons = ["its risks have no amounts" if left else "it acts on no rated risk"]
    if amount is not None:
        judged = _reasons(case, left, amount, unit, unknown)
        reasons = [*_held(case, controls, closed_on), *judged, _compensation(compensating)]
    if attention is not None:
        reasons.append(f"judged {'to merit' if attention else 'not to merit'} the attention of those who oversee")
    if indicator:
        reasons.append(f"an indicator of a material weakness: {indicator.replace('_', ' ')} (AS 2201.69)")
    reasons += why
    return Candidate(
        *about,
        tuple(sorted(controls)),
        severity,
        possible,
        None if amount is None else float(amount),
        tuple(dict.fromkeys([*(one.risk for one in left), *grave])),
        compensating,
        tuple(reasons),
        closed_on,
        dated,
    )


def _grave(left: list[_Left], unit: Any, indicator: bool) -> list[str]:
    """The risks by each of which alone it is a candidate material weakness; by an indicator it is so by all."""
    possible = [one for one in left if indicator or (one.possible and one.magnitude is not None)]
    return [one.risk for one in possible if indicator or (one.magnitude or 0) >= Fraction(unit["materiality"])]


def _unknown(left: list[_Left]) -> list[str]:
    """The risks that matter, and may add amounts which nobody knows."""
    return [one.risk for one in _mattering(left) if one.magnitude is None]


def _mattering(left: list[_Left]) -> list[_Left]:
    return [one for one in left if one.possible] or left


def _held(case: _Case, controls: set[str], closed_on: date | None) -> list[str]:
    """What is open counts as a failure, whatever tests say: they needn't have looked at it (AS 2201.62-.63)."""
    held = sorted(name for name in controls if case.proven[name] and closed_on is None)
    at_date = any((case.report_type or case.controls[name]["report_type"]) == "type1" for name in held)
    found = "be in use" if at_date else "have operated effectively"
    return [f"judged as if {', '.join(held)} failed, although found to {found}"] if held else []


def _reasons(case: _Case, left: list[_Left], amount: Fraction, unit: Any, unknown: list[str]) -> list[str]:
    threshold = case.context.register.methodology.severity.reasonable_possibility
    likely = ", ".join(f"{one.risk} {one.likelihood:.2f}" for one in left)
    verdict = "reasonably possible" if any(one.possible for one in left) else "only remotely possible"
    size = ": less than material, but not below performance materiality"
    if amount >= Fraction(unit["materiality"]):
        size = ": material"
    elif unknown:
        size = ""
    elif amount < Fraction(unit["performance_materiality"]):
        size = ": below performance materiality"
    known = [one.risk for one in left if one.magnitude is not None]
    events = "one event" if len(known) == 1 else "one event of each"
    without = f", without {first_of(unknown, 5)}, of which no amount is known" if unknown else ""
    return [
        f"likelihood without it: {likely}; {threshold} or more counts: {verdict}",
        f"{events} could misstate up to {in_money(float(amount), unit)}{without}{size}",
    ]


def _compensation(compensating: tuple[str, ...]) -> str:
    if not compensating:
        return "no other control on it has been tested and counts"
    return f"compensating controls counted, as tested: {', '.join(compensating)}"


def _rank(one: Candidate) -> int:
    return SEVERITIES.index(one.severity) if one.severity in SEVERITIES else -1
