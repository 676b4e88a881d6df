"""What a register that only begins leaves open, unit by unit: what to fill in next, what it would bring first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from riskcalc.errors import counted
from riskcalc.register.register import Register, once
from riskcalc.register.stand_ins import NOT_YET, unstated


@dataclass(frozen=True)
class Step:
    """Something that isn't assessed yet: of which unit, where it goes, what it is, what it would bring."""

    unit_id: str
    place: str
    what: str
    brings: str
    part: str = ""

    @property
    def told(self) -> str:
        """What it is, and of how many risks, where it isn't all of them."""
        return self.what + self.part


# By table and column: what is missing, and what it would bring; what most hangs on comes first.
_CELLS = {
    ("risks", "objective_id"): ("control objectives", "an outlook for the report, objective by objective"),
    ("business_units", "report_to"): ("the SOC 1 report", "the right period for that outlook; {report} is assumed"),
    ("risks", "assertions"): ("assertions", "which of them no risk speaks of"),
    ("risks", "description"): ("descriptions", "the same understanding of a risk for all who rate it"),
    ("ratings", "rationale"): ("reasons of ratings", "what to tell who asks for them; a workshop records them"),
    ("risks", "treatment"): ("treatments", "which risks are accepted, by whom and until when"),
    ("business_units", "owner"): ("the unit's owner", "somebody to turn to"),
    ("business_units", "service"): ("the service", "readers who know what it is about"),
}


@once
def next_steps(register: Register) -> tuple[Step, ...]:
    """What to fill in next, unit by unit, in the order of what it would bring; nothing in any other register.

    >>> from riskcalc.register.register import load
    >>> next_steps(load("data"))
    ()
    """
    if register.methodology.first_period is None:
        return ()
    units = register.rows("business_units")
    return tuple(step for unit in units for step in _steps(register, unit))


def is_open(register: Register, unit_id: str, column: str) -> bool:
    """Whether a cell of a unit is blank, and something stands in for it."""
    return ("business_units", column, unit_id) in register.assumed


def without_controls(register: Register, unit_id: str) -> bool:
    """Whether, in a register that only begins, a unit's controls aren't assessed yet: none acts on its risks."""
    return register.methodology.first_period is not None and unit_id not in _with_controls(register)


def unassessed(register: Register, unit_id: str, objective_id: str) -> str:
    """Why no outlook on a unit's objective can be given while a register only begins; blank where one can."""
    if without_controls(register, unit_id):
        return "controls are not assessed yet"
    return "nobody has said yet which objective these risks threaten" if objective_id.startswith(NOT_YET) else ""


@once
def _with_controls(register: Register) -> frozenset[str]:
    acting = register.risks["risk_id"].isin(register.risk_controls["risk_id"])
    return frozenset(register.risks.loc[acting, "unit_id"])


def _steps(register: Register, unit: Any) -> Iterator[Step]:
    name = unit["unit_id"]
    if is_open(register, name, "appetite"):
        what = f"the appetite ({unit['appetite']} is assumed)"
        yield Step(name, "business_units.csv", what, "a verdict that is yours")
    risks = set(register.risks[register.risks["unit_id"] == name]["risk_id"])
    acting = set(register.risk_controls[register.risk_controls["risk_id"].isin(risks)]["control_id"])
    named = len({key for table, _, key in register.assumed if table == "controls"})
    if not acting:
        brings = "what they claim to take away; until then a risk is held to be as bad as before controls"
        some = f" (the whole register only names {counted(named, 'control')})" if named else ""
        yield Step(name, "controls.csv, risk_controls.csv", f"controls{some}", brings)
    elif not acting & set(register.control_tests["control_id"]):
        yield Step(name, "control_tests.csv", "tests of controls", "what controls have earned of what they claim")
    if acting and named:
        what = f"{counted(named, 'control')} of the whole register that {'is' if named == 1 else 'are'} only named"
        yield Step(name, "controls.csv, risk_controls.csv", what, "what they claim to take away")
    if is_open(register, name, "materiality"):
        brings = "what a year may cost, and how severe a deficiency is"
        yield Step(name, "business_units.csv", "materiality", brings)
    yield from _unstated(register, name)
    report = f"{unit['report_type'].replace('type', 'Type ')} until {unit['report_to']:%Y-%m-%d}"
    for (table, column), (what, brings) in _CELLS.items():
        keys = {name} if table == "business_units" else risks
        number = sum((table, column, key) in register.assumed for key in keys)
        of_some = f" of {number} of {len(keys)} risks" if 0 < number < len(keys) else ""
        if number:
            yield Step(name, f"{table}.csv", what, brings.format(report=report), of_some)


def _unstated(register: Register, name: str) -> Iterator[Step]:
    goals = register.control_objectives[register.control_objectives["unit_id"] == name]
    if any(map(unstated, goals["objective_id"], goals["statement"])):
        brings = "an outlook whose objectives readers understand, and the public's page"
        yield Step(name, "control_objectives.csv", "what control objectives are to achieve", brings)
