"""How severe a deficiency may be: always a candidate, with the reasons that a person can argue with.

In the words of an entity's own reporting (AS 2201 .62-.70; AU-C 265): is there a reasonable possibility of a
misstatement, how large could it be against materiality, which other controls compensate and were themselves tested,
does an indicator of a material weakness apply, and what do the deficiencies of one objective or account make together?
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from riskcalc.assessment import evidence
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
    is None while it is open: a closed one of the report's period is judged as it was.
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

    @property
    def as_weakness(self) -> str:
        """A candidate material weakness in a sentence."""
        if self.about != "deficiency":
            together = f"deficiencies of {', '.join(self.controls)} together"
            return f"{together} are a candidate material weakness: {self.about} {self.name}"
        unrecorded, control = self.name.endswith(NOT_ON_RECORD), self.controls[0]
        named = f"{control} (no open deficiency on record)" if unrecorded else f"{self.name} of {control}"
        closed = f", closed on {self.closed_on}" if self.closed_on else ""
        return f"{named} is a candidate material weakness{closed}"


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
def _candidates(context: Context) -> tuple[Candidate, ...]:
    case = _case(context)
    found = [one for deficiency in _deficient(case) for one in _singles(case, deficiency)]
    return tuple(sorted(found, key=lambda one: (-_rank(one), one.unit_id, one.name)))


def aggregated(context: Context) -> list[Candidate]:
    """What several deficient controls make together, for each objective and account they share (AS 2201.65).

    Only what is open on the day is taken together. An indicator of one, or that one merits attention, is the group's.
    """
    return list(_aggregated(context))


@once
def _aggregated(context: Context) -> tuple[Candidate, ...]:
    case = _case(context)
    still = [one for one in _deficient(case) if pd.isna(one.get("closed_on"))]
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
def material_weaknesses(context: Context) -> tuple[Candidate, ...]:
    """The candidates: of deficiencies together, then, so that they are told rather, of single ones."""
    return tuple(one for one in (*aggregated(context), *candidates(context)) if one.severity == SEVERITIES[-1])


def closed_deviations(context: Context) -> dict[str, list[str]]:
    """By control, the deficiencies of a report's period that were closed by the day."""
    closed = (one for one in candidates(context) if one.closed_on)
    found = grouped((one.controls[0], f"{one.name} of {one.controls[0]}, closed on {one.closed_on}") for one in closed)
    return {name: list(dict.fromkeys(texts)) for name, texts in found.items()}


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
    """What every judgement in a context needs, read once, so that each costs what it touches and no more."""

    def __init__(self, context: Context) -> None:
        self.context, register = context, context.register
        weights = evidence.assessed(context)
        self.controls = {row["control_id"]: {**row, **weights[row["control_id"]]} for row in register.rows("controls")}
        self.likelihood = {risk: given[0] for risk, given in rated(context).items() if not pd.isna(given[0])}
        self.losses = largest_losses(context)
        self.unit_of = dict(zip(register.risks["risk_id"], register.risks["unit_id"], strict=True))
        self.units = {unit["unit_id"]: unit for unit in register.rows("business_units")}
        self.links: dict[str, list[Any]] = {}
        self.acts_on: dict[str, set[str]] = {}
        for link in sorted(register.rows("risk_controls"), key=lambda each: str(each["control_id"])):
            self.links.setdefault(link["risk_id"], []).append(link)
            self.acts_on.setdefault(link["control_id"], set()).add(link["risk_id"])
        self.relying: dict[str, set[str]] = {}
        for name, control in self.controls.items():
            for relied in control["relies_on"]:
                self.relying.setdefault(relied, set()).add(str(name))
        # a control without sufficient evidence never compensates, whatever the weights say
        conclusions = evidence.conclude_all(context)
        unproven = [name for name, one in conclusions.items() if one.name != "operated_effectively"]
        self.proven = evidence.earned_weights(context, dict.fromkeys(unproven, 0.0))

    def failed(self) -> list[str]:
        """The controls that failed: now, or over the days of their unit's report, or by their design."""
        over = {kind: evidence.conclude_all(self.context, kind) for kind in ("type1", "type2")}
        return [
            str(name)
            for name, one in self.controls.items()
            if one["performed_by"] != "user_entity"
            and (
                "not_effective" in (one["conclusion"], over[one["report_type"]][str(name)].name)
                or (one["key"] and one["claimed"] == 0)
            )
        ]

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
                remaining[axis] *= 1 - Fraction(link["coverage"]) * Fraction(weights[link["control_id"]])
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
                link["control_id"] for link in self.links[risk] if weights[link["control_id"]] * link["coverage"] > 0
            ),
        )


@once
def _case(context: Context) -> _Case:
    return _Case(context)


def _deficient(case: _Case) -> Iterator[dict[Any, Any]]:
    """The deficiencies open on the day or in their unit's report, and the failed controls that have none on record."""
    context, still = case.context, {one["deficiency_id"] for one in case.context.open_deficiencies}
    on_record, day = set(), pd.Timestamp(context.as_of)
    for deficiency in (one for one in context.register.rows("deficiencies") if one["identified_on"] <= day):
        control, closed = case.controls[deficiency["control_id"]], deficiency["closed_on"]
        if deficiency["deficiency_id"] in still:
            on_record.add(deficiency["control_id"])
            yield {**deficiency, "closed_on": None}
        elif control["report_type"] == "type2" and closed >= control["report_from"]:
            on_record.add(deficiency["control_id"])
            yield deficiency
    was = _closed_before(context)
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
                still,
            )


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
    still: Iterable[str] = (),
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
    if closed_on:
        reasons.append(f"closed on {closed_on}, but in the report's period")
    reasons += still
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
    return [f"judged as if {', '.join(held)} failed, although tested as operating effectively"] if held else []


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
