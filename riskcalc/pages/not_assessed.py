"""What a page says of a register that only begins: what isn't assessed yet, where it matters and at the top."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from riskcalc.assessment.next_steps import Step, is_open, next_steps, without_controls
from riskcalc.assessment.opening import Assessment, Portfolio
from riskcalc.errors import counted
from riskcalc.register.stand_ins import NOT_YET

_CONTROLS = (
    "Controls are not assessed yet, so what they leave, claimed or earned, is the inherent risk; nothing is evidenced "
    "for a report yet."
)


def lines(opened: Assessment | Portfolio) -> list[str]:
    """What isn't assessed yet, in sentences; none where the register is more than a beginning."""
    register = opened.register
    units, steps = register.business_units["unit_id"].tolist(), next_steps(register)
    told, in_part = [step.told for step in steps], ""
    if len(units) > 1:
        told, in_part = _by_units(steps, len(units)), ", or in part only"
    controls = [_CONTROLS] if all(without_controls(register, name) for name in units) else []
    return [*controls, *([f"{NOT_YET}{in_part}: {'; '.join(told)}."] if told else [])]


def _by_units(steps: Iterable[Step], units: int) -> list[str]:
    """What isn't assessed yet in how many units, in most of them first."""
    counts = Counter(step.what for step in steps)
    numbers = sorted(set(counts.values()), reverse=True)
    named = {number: ", ".join(what for what, each in counts.items() if each == number) for number in numbers}
    return [f"{what} ({number} of {counted(units, 'unit')})" for number, what in named.items()]


def listed(unit: Assessment) -> dict[str, list[str]]:
    """What isn't assessed yet, for machines; nothing where the register is more than a beginning."""
    steps = [step.told for step in next_steps(unit.register)]
    return {"not_assessed": steps} if steps else {}


def appetite(opened: Assessment | Portfolio, unit: Mapping[Any, Any]) -> str:
    """A unit's appetite, and whether it is only assumed."""
    mark = " (assumed)" if is_open(opened.register, str(unit["unit_id"]), "appetite") else ""
    return f"{unit['appetite']}{mark}"


def assumed(unit: Assessment, column: str) -> str:
    """A remark behind what is assumed of a unit; blank where its register says it."""
    return " (assumed)" if is_open(unit.register, str(unit.unit["unit_id"]), column) else ""


def whose(unit: Assessment) -> list[str]:
    """What the unit does, and who owns it, as far as its register says so."""
    told = {"service": f"{unit.unit['service']}.", "owner": f"Owner: {unit.unit['owner']}."}
    known = [text for column, text in told.items() if not assumed(unit, column)]
    return [" ".join(known)] if known else []


def no_control(unit: Assessment) -> str:
    """What to say of a risk that no control acts on."""
    unknown = without_controls(unit.register, str(unit.unit["unit_id"]))
    return "controls are not assessed yet" if unknown else "no control acts on it"
