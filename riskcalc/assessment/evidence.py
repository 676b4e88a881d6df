"""What each control counts for in a period: as claimed, and as its documentation and tests have earned.

Nothing here is a matter of opinion: the conclusion follows from the tests on record, the weight from the
conclusion and the methodology. The rules are those of docs/methodology.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import pandas as pd

from riskcalc.assessment.context import Context, once
from riskcalc.assessment.sample_plans import planned_size
from riskcalc.register import register as registers
from riskcalc.register.methodology import Methodology, Sampling
from riskcalc.register.periods import Period
from riskcalc.register.register import Register
from riskcalc.sampling import upper_limit

COLUMNS = (
    "control_id",
    "conclusion",
    "sample_size",
    "deviations",
    "upper_limit",
    "claimed",
    "earned",
    "limited_by",
    "reason",
)


@dataclass(frozen=True)
class Conclusion:
    """What a period's tests say about a control: one of the words in ``weights.operating``, and why."""

    name: str
    reason: str
    sample_size: int = 0
    deviations: int = 0
    upper_limit: float | None = None


def assess(context: Context, failing: Collection[str] = (), report_type: str | None = None) -> pd.DataFrame:
    """A row per control, indexed by ``control_id``: its conclusion in the period and its weight in each view.

    ``claimed`` and ``earned`` are what the control counts for before coverage, 0 to 1: the design weight, and
    for the earned view times documentation and operation. ``limited_by`` is the IT general control that it relies on
    and that has earned less than itself, or blank; ``reason`` says in words why earned is what it is.

    ``failing`` are controls taken to earn nothing, whatever their tests say, and with them what relies on them;
    ``report_type`` (type1, type2) asks for that type's evidence in every unit instead of the unit's own.
    """
    return _assessed(context, tuple(failing), report_type).copy()


@once
def _assessed(context: Context, failing: tuple[str, ...], report_type: str | None) -> pd.DataFrame:
    register = context.register
    conclusions = conclude_all(context, report_type)
    design = register.methodology.weights.design
    earned = _earned(register, conclusions, dict.fromkeys(failing, 0.0))
    rows = []
    for control_id, control in zip(register.controls["control_id"], register.controls.to_dict("records"), strict=True):
        found = conclusions[control_id]
        credit, limited_by, reason = earned[control_id]
        rows.append(
            (
                control_id,
                found.name,
                found.sample_size,
                found.deviations,
                found.upper_limit,
                float(design[control["design"]]),
                float(credit),
                limited_by,
                reason,
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).set_index("control_id", drop=False)


def conclude(
    sample_size: int,
    deviations: int,
    systematic: bool,
    planned: int,
    sampling: Sampling,
    population: int | None = None,
) -> Conclusion:
    """Conclude on a test of operation: operated effectively, not effective, or insufficient evidence.

    ``planned`` is the sample size that the control's frequency asks for (``planning.planned_size``).
    """
    tolerable, confidence = sampling.tolerable_deviation_rate, sampling.confidence
    limit = _limit(sample_size, deviations, confidence, population)

    def concluded(name: str, reason: str) -> Conclusion:
        return Conclusion(name, reason, sample_size, deviations, limit)

    tested = f"{deviations} of {sample_size} deviated"
    if systematic:
        return concluded("not_effective", f"{tested}, systematically")
    if Fraction(deviations, sample_size) > Fraction(tolerable):
        return concluded("not_effective", f"{tested}, more than the tolerable {_percent(tolerable)}")
    if sample_size == population:
        name = "operated_effectively"  # not more than tolerable, and nothing is left that could deviate
        return concluded(name, f"all {sample_size} tested, {deviations} deviated")
    if limit <= tolerable:
        at_most = f"at {_percent(confidence)} confidence at most {_percent(limit)} deviate"
        return concluded("operated_effectively", f"{tested}: {at_most}")
    if deviations == 0 and sample_size >= planned:
        return concluded("operated_effectively", f"{tested}; the planned size for its frequency is {planned}")
    return concluded("insufficient_evidence", f"{tested}; too little to conclude")


_limit = cache(upper_limit)


def _percent(rate: Decimal | float) -> str:
    return f"{float(rate) * 100:.3g} %"


def earned_weights(
    register: Register, conclusions: Mapping[str, Conclusion], assumed: Mapping[str, float]
) -> dict[str, float]:
    """What each control earns if some are taken to weigh something else by themselves: 0 fails, 1 is repaired.

    The same rules without the words: what a control relies on still limits it.
    """
    earned = _earned(register, conclusions, assumed)
    return {name: float(weight) for name, (weight, _, _) in earned.items()}


@once
def conclude_all(context: Context, report_type: str | None = None) -> Mapping[str, Conclusion]:
    """A conclusion per control: Type 1 units from walkthroughs, Type 2 units from tests of operation."""
    register, period, tests = context.register, context.period, context.tests
    by_control: dict[str, list[Any]] = {}
    for test in tests.to_dict("records"):
        by_control.setdefault(str(test["control_id"]), []).append(test)
    units = register.business_units
    types = zip(units["unit_id"], units["report_type"], strict=True)
    type1 = {unit for unit, own in types if (report_type or own) == "type1"}
    sampling = register.methodology.sampling
    reports = _carved_out(register)
    others = register.control_tests[register.control_tests["period"] != period.name]
    earlier = others[others["tested_on"] <= pd.Timestamp(period.last_day)]
    before = earlier.groupby("control_id")["tested_on"].max().to_dict()
    found: dict[str, Conclusion] = {}
    for control in register.controls.to_dict("records"):
        rounds = by_control.get(control["control_id"], [])
        if control["performed_by"] == "subservice" and control["subservice_id"] in reports:
            found[control["control_id"]] = from_report(reports[control["subservice_id"]], period)
        elif control["unit_id"] in type1:
            found[control["control_id"]] = _from_walkthroughs(rounds)
        else:
            found[control["control_id"]] = _from_operation(rounds, control["frequency"], sampling)
        if found[control["control_id"]].name == "not_tested" and control["control_id"] in before:
            reason = f"{found[control['control_id']].reason}; last tested on {before[control['control_id']]:%Y-%m-%d}"
            found[control["control_id"]] = replace(found[control["control_id"]], reason=reason)
    return found


def _carved_out(register: Register) -> dict[str, Any]:
    """The subservice organisations whose controls are outside our report, so that theirs has to speak for them."""
    organisations = register.subservice_organisations
    carved = organisations[organisations["method"] == "carve_out"]
    return {record["subservice_id"]: record for record in carved.to_dict("records")}


def from_report(report: Mapping[Any, Any], period: Period) -> Conclusion:
    """Conclude on a carved-out control from the subservice organisation's own report.

    Only a Type 2 report says that controls operated, and only for its own period: a day of ours that it doesn't cover
    leaves insufficient evidence; a modified opinion or an exception that matters is as good as a failed test.
    """
    if pd.isna(report["report_type"]):
        return Conclusion("not_tested", f"no report of {report['name']} is on record")
    if report["report_type"] == "type1":
        return Conclusion("insufficient_evidence", f"{report['name']} reports on design only (Type 1)")
    first, last = report["report_from"].date(), report["report_to"].date()
    said = f"{report['name']} reports on {first} to {last}"
    faults = [f"opinion {report['opinion']}"] if report["opinion"] != "unmodified" else []
    faults += ["an exception that matters"] if report["exception"] == "matters" else []
    if faults:
        return Conclusion("not_effective", f"{said}: {' and '.join(faults)}")
    uncovered = uncovered_days(report, period.first_day, period.last_day)
    if uncovered > (period.last_day - period.first_day).days:
        return Conclusion("not_tested", f"{said}, not on any day of {period.name}")
    if uncovered:
        return Conclusion("insufficient_evidence", f"{said}: {uncovered} days of {period.name} are not covered")
    return Conclusion("operated_effectively", f"{said}, without an exception that matters")


def uncovered_days(report: Mapping[Any, Any], first: date, last: date) -> int:
    """Days from ``first`` to ``last`` that a subservice organisation's report doesn't cover; all, unless it is Type 2.

    >>> report = {"report_type": "type2", "report_from": pd.Timestamp("2026-01-01"),
    ...           "report_to": pd.Timestamp("2026-06-30")}
    >>> uncovered_days(report, date(2026, 1, 1), date(2026, 7, 2))
    2
    """
    length = (last - first).days + 1
    if report["report_type"] != "type2":
        return length
    overlap: timedelta = min(last, report["report_to"].date()) - max(first, report["report_from"].date())
    return length - max(0, overlap.days + 1)


def _from_walkthroughs(tests: list[Any]) -> Conclusion:
    """A walkthrough shows that a control is in use; where there is none, so does a test of its operation."""
    rounds = [test for test in tests if test["kind"] == "walkthrough"]
    if not rounds:
        items, deviations = sum(test["sample_size"] for test in tests), sum(test["deviations"] for test in tests)
        if deviations < items and not any(test["systematic"] for test in tests):
            return Conclusion("operated_effectively", "in use, as the test of its operation shows", items, deviations)
        return Conclusion("not_tested", "no walkthrough in the period")
    items, deviations = sum(test["sample_size"] for test in rounds), sum(test["deviations"] for test in rounds)
    if deviations:
        return Conclusion("not_effective", f"{deviations} of {items} walked through deviated", items, deviations)
    return Conclusion("operated_effectively", "walked through: it exists and is in use", items, 0)


def _from_operation(rounds: list[Any], frequency: str, sampling: Sampling) -> Conclusion:
    """Rounds add up; a retest after remediation stays apart, for a repair never erases a deviation."""
    tests = [test for test in rounds if test["kind"] == "operation" and pd.isna(test["retest_of"])]
    if not tests:
        return Conclusion("not_tested", "not tested in the period")
    populations = {test["population"] for test in tests}
    population = populations.pop() if len(populations) == 1 else None
    items = sum(test["sample_size"] for test in tests)
    whole = None if population is None or pd.isna(population) or population < items else int(population)
    deviations, systematic = sum(test["deviations"] for test in tests), any(test["systematic"] for test in tests)
    return conclude(items, deviations, systematic, planned_size(frequency, whole, sampling), sampling, whole)


@registers.once
def _in_order(register: Register) -> list[tuple[str, Any]]:
    """The controls, each after those that it relies on."""
    records = {control["control_id"]: control for control in register.controls.to_dict("records")}
    order = TopologicalSorter({name: control["relies_on"] for name, control in records.items()}).static_order()
    return [(name, records[name]) for name in order]


def _earned(
    register: Register, conclusions: Mapping[str, Conclusion], assumed: Mapping[str, float]
) -> dict[str, tuple[Decimal, str, str]]:
    """Each control's earned weight, what limits it, and why; those relied upon first: a chain is its weakest link."""
    earned: dict[str, tuple[Decimal, str, str]] = {}
    for control_id, control in _in_order(register):
        weight, reason = _own_weight(control, conclusions[control_id], register.methodology)
        if control_id in assumed:
            weight, reason = Decimal(assumed[control_id]), "taken to fail"
        limited_by = ""
        for relied in control["relies_on"]:
            if earned[relied][0] < weight:
                weight, limited_by = earned[relied][0], relied
                reason = f"relies on {relied}: {earned[relied][2]}"
        earned[control_id] = (weight, limited_by, reason)
    return earned


def _own_weight(control: Any, conclusion: Conclusion, methodology: Methodology) -> tuple[Decimal, str]:
    """Design weight x operating weight, 0 where somebody else performs it or nothing documents it."""
    if control["performed_by"] == "user_entity":
        return Decimal(0), "a user entity's control is an assumption"
    if control["performed_by"] == "subservice" and pd.isna(control["subservice_id"]):
        return Decimal(0), "no subservice organisation is named"
    if pd.isna(control["documentation"]):
        return Decimal(0), "not documented"
    design = methodology.weights.design[control["design"]]
    if design == 0:
        return design, f"design {control['design'].replace('_', ' ')}"
    operating: Decimal = getattr(methodology.weights.operating, conclusion.name)
    by_design = "" if design == 1 else f"design {control['design'].replace('_', ' ')}; "
    return design * operating, by_design + conclusion.reason
