"""What each control counts for: as claimed, and as its documentation and tests have earned.

Two questions are never mixed. *Risk now*: the latest evidence of the look-back counts, which for a Type 2 report is its
period up to ``as_of``. *Opinion*: the evidence over the report's period counts, or for Type 1 as of its date. What is
dated after ``as_of`` counts for neither. The rules are those of docs/methodology.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from typing import Any

import pandas as pd

from riskcalc.assessment.changes import WAY, parts, together
from riskcalc.assessment.context import Context, once
from riskcalc.assessment.subservice import Reports, from_report, reports, speaking_for, unnamed
from riskcalc.assessment.testing import RANKS, Basis, Conclusion, Days, Round, added, now, over_period, uncovered
from riskcalc.register import register as registers
from riskcalc.register.methodology import EvidenceRules, Methodology
from riskcalc.register.records import grouped
from riskcalc.register.register import Register

COLUMNS = (
    "control_id",
    "conclusion",
    "sample_size",
    "deviations",
    "upper_limit",
    "tests",
    "untested_days",
    "roll_forward",
    "claimed",
    "earned",
    "limited_by",
    "reason",
)


ASSUMPTION = "management's assumption"
_UNNAMED = "no subservice organisation is named"
_YEAR = 12  # months


def assess(context: Context, report_type: str | None = None) -> pd.DataFrame:
    """A row per control, indexed by ``control_id``: its conclusion and its weight in each view.

    On the risk now; with ``report_type`` (type1, type2), on the opinion over the period, or at the date, of a report:
    as for ``conclude_all``.

    ``claimed`` and ``earned`` are what the control counts for before coverage, 0 to 1: the design weight, and
    for the earned view times documentation and operation. ``limited_by`` is the IT general control that it relies on
    and that has earned less than itself, or blank; ``reason`` says in words why earned is what it is.

    ``tests``, ``untested_days`` and ``roll_forward`` are those of ``testing.Conclusion``.
    """
    rows = assessed(context, report_type)
    frame = pd.DataFrame({name: [row[name] for row in rows.values()] for name in COLUMNS}, pd.Index(rows))
    return frame.astype({"upper_limit": float}).rename_axis("control_id")


@once
def assessed(context: Context, report_type: str | None = None) -> Mapping[str, Mapping[str, Any]]:
    """The rows of ``assess`` by control."""
    if report_type != (answered := as_answered(context, report_type)):
        return assessed(context, answered)
    register = context.register
    conclusions = conclude_all(context, report_type)
    design = register.methodology.weights.design
    earned, reported = _earned(context, report_type, {}), as_reported(context, report_type)
    rows: dict[str, dict[str, Any]] = {}
    for control in register.rows("controls"):
        found, (credit, limited_by, reason) = conclusions[control["control_id"]], earned[control["control_id"]]
        then = reported.get(control["control_id"], control)
        rows[control["control_id"]] = {
            "control_id": control["control_id"],
            "conclusion": found.name,
            "sample_size": found.sample_size,
            "deviations": found.deviations,
            "upper_limit": found.upper_limit,
            "tests": found.tests,
            "untested_days": found.untested_days,
            "roll_forward": found.roll_forward,
            "claimed": float(design[then["design"]]),
            "earned": float(credit),
            "limited_by": limited_by,
            "reason": reason,
        }
    return rows


def earned_weights(
    context: Context, assumed: Mapping[str, float], report_type: str | None = None
) -> dict[str, Decimal]:
    """What each control earns if some are taken to weigh something else by themselves: 0 fails, 1 is repaired.

    The same rules without the words: what a control relies on still limits it.
    """
    return {name: weight for name, (weight, _, _) in _earned(context, report_type, assumed).items()}


@once
def conclude_all(context: Context, report_type: str | None = None) -> Mapping[str, Conclusion]:
    """A conclusion per control: on its operation now, or over the report's period where ``report_type`` is given.

    Each control is concluded on by its own unit's report, whichever unit asks: one control, one conclusion. Only in the
    share of a single unit may that unit's own controls be asked about as if its report were of another type.
    """
    if report_type != (answered := as_answered(context, report_type)):
        return conclude_all(context, answered)
    register = context.register
    closed = [one for one in register.rows("deficiencies") if one["closed_on"] <= pd.Timestamp(context.as_of)]
    repairs = grouped((one["control_id"], one["closed_on"].date()) for one in closed)
    found, reported = dict[str, Conclusion](), as_reported(context, report_type)
    for control in register.rows("controls"):
        name, asked = control["control_id"], report_type and type_asked(context, control, report_type)
        if _question(control, asked)[1]:
            found[name] = _throughout(context, control, asked)
        else:
            found[name] = _concluded(context, reported.get(name, control), repairs.get(name, ()), asked)
    return found


@once
def as_reported(context: Context, report_type: str | None) -> Mapping[str, Mapping[Any, Any]]:
    """The rows of controls that changed since their report ended.

    The opinion on the report takes them as they were ``then``, on its last day, or date; the risk now asks for none.
    """
    found: dict[str, dict[Any, Any]] = {}
    last = {(one.control_id, one.last): one for one in context.register.earlier.controls if report_type}
    known = {row["control_id"]: row for row in context.register.rows("controls")} if last else {}
    for row in known.values():
        if one := last.get((row["control_id"], row["report_to"].date())):
            documentation = "by a row that has ended" if one.documented else None
            told: dict[str, Any] = {name: getattr(one, name) for name in (*WAY, "design", "key")}
            told["relies_on"] = tuple(name for name in one.relies_on if name in known)
            found[one.control_id] = {**row, **told, "documentation": documentation, "then": one.last}
    try:
        _in_order({**known, **found})
    except CycleError:  # of reports that ended on different days
        found = {name: {**row, "relies_on": known[name]["relies_on"]} for name, row in found.items()}
    return found


def type_asked(context: Context, control: Mapping[Any, Any], report_type: str) -> str:
    """The type of report that a control is asked about: its own unit's, unless that is the only one."""
    units = context.register.rows("business_units")
    sole = len(units) == 1 and units[0]["unit_id"] == control["unit_id"]
    return report_type if sole else control["report_type"]


def as_answered(context: Context, report_type: str | None) -> str | None:
    """The type to ask about: of several units each control is asked about its own unit's, whichever is named."""
    return "type2" if report_type and len(context.register.business_units) != 1 else report_type


def window(context: Context, control: Mapping[Any, Any], report_type: str | None) -> tuple[Basis, Days]:
    """How tests of a control are concluded on, and over which days: now, or for its unit's report as one of a type."""
    methodology, as_of = context.register.methodology, context.as_of
    _, throughout = _question(control, report_type)
    days = report_days(control, methodology.evidence) if throughout else _look_back(context, control, report_type)
    once = control["nature"] == "automated" and bool(control["relies_on"]) and methodology.evidence.automated_once
    first, last = _own(context, control, days)
    so_far = first, min(last, as_of) if days[0] <= as_of else last  # of a report that hasn't begun: all
    allowed = methodology.evidence.roll_forward_days
    basis = Basis(control["frequency"], once, _months(so_far), methodology.sampling, so_far, allowed, throughout)
    return basis, (days[0], last)


def asked_for(context: Context, control: Mapping[Any, Any]) -> list[tuple[Mapping[Any, Any], Basis]]:
    """What tests of a control are for: each part of a report that reaches into the period, else the risk now."""
    report_type = control["report_type"] if reports_on(context, control) else None
    throughout = _question(control, report_type)[1]
    rows = parts(context.register, control, _own_of_report(context, control)) if throughout else [control]
    return [(row, window(context, row, report_type)[0]) for row in rows]


def in_window(context: Context, control: Mapping[Any, Any], days: Days) -> list[Round]:
    """The rounds over any of the days, tested by the day; what covers later days only belongs to the next period."""
    return [one for each in _by_then(context, control) if (one := _within(each, days))]


def report_days(control: Mapping[Any, Any], rules: EvidenceRules) -> Days:
    """The days of a Type 2 report of the control's unit: as planned, else the look-back to the Type 1 report's date."""
    last = control["report_to"].date()
    given = control["report_from"]
    return (_months_before(last, rules.look_back_months or _YEAR) if pd.isna(given) else given.date()), last


def reports_on(context: Context, unit: Mapping[Any, Any]) -> bool:
    """Whether the days of a unit's Type 2 report, or a control's days of its unit's, reach into the assessed period."""
    first, last = _own_of_report(context, unit)
    return first <= min(context.period.last_day, last) and context.period.first_day <= last


def later(context: Context) -> pd.DataFrame:
    """The evidence dated after ``as_of``, which never counts: unit_id, table, row and its date.

    Ratings of the period, tests labelled with it or about any day up to its last, deficiencies, and reviews of
    subservice organisations' reports, these for each unit that they serve.

    >>> from riskcalc.register.register import load
    >>> later(Context.of(load("data"), "2026-H1", date(2026, 1, 31))).columns.tolist()
    ['unit_id', 'table', 'row', 'dated']
    """
    register, day = context.register, pd.Timestamp(context.as_of)
    of = (("controls", "control_id"), ("risks", "risk_id"), ("controls", "subservice_id"))
    units: dict[Any, dict[str, None]] = {}  # one of several uses of a subservice organisation, in the register's order
    for each, key in ((each, key) for table, key in of for each in register.rows(table)):
        units.setdefault(each[key], {})[each["unit_id"]] = None
    tables = (
        ("control_tests", "test_id", "control_id", "tested_on"),
        ("ratings", "risk_id", "risk_id", "rated_on"),
        ("deficiencies", "deficiency_id", "control_id", "identified_on"),
        ("subservice_organisations", "subservice_id", "subservice_id", "reviewed_on"),
    )
    found = []
    for table, row, belongs, dated in tables:
        kept: Iterable[Mapping[Any, Any]] = register.rows(table)
        if table == "subservice_organisations":
            kept = chain.from_iterable(reports(register).values())
        for one in (each for each in kept if not pd.isna(each[dated]) and each[dated] > day):
            about = one.get("period", context.period.name) == context.period.name
            if about or (table == "control_tests" and Round.of(one).days[0] <= context.period.last_day):
                told = table, one[row], one[dated].date()
                found += [(unit, *told) for unit in units.get(one[belongs], ("",))]
    return pd.DataFrame(found, columns=["unit_id", "table", "row", "dated"])


# --- parts ---


@registers.once
def _rounds(register: Register) -> Mapping[str, list[Round]]:
    return grouped((str(row["control_id"]), Round.of(row)) for row in register.rows("control_tests"))


@registers.once
def first_days(register: Register) -> Mapping[str, date]:
    """By control that didn't always exist, its first day."""
    return {name: first for name, acting, first in register.earlier.begun if not acting}


def _question(control: Mapping[Any, Any], report_type: str | None) -> tuple[bool, bool]:
    """Whether it is asked as for a Type 1 report, and whether over all the days of a Type 2 report."""
    type1 = (report_type or control["report_type"]) == "type1"
    return type1, report_type is not None and not type1


def _by_then(context: Context, control: Mapping[Any, Any]) -> list[Round]:
    rounds, last_day = _rounds(context.register).get(control["control_id"], ()), context.period.last_day
    tested = [each for each in rounds if each.tested_on <= context.as_of]
    return [each for each in tested if min(each.days[0], each.tested_on) <= last_day]


def _throughout(context: Context, control: Any, report_type: str | None) -> Conclusion:
    """Over the days of a Type 2 report: where somebody else performed it, or otherwise, on some, part by part."""
    rules, own = context.register.methodology.evidence, _own_of_report(context, control)
    if own[0] > own[1]:  # it was on none of the report's days
        return Conclusion("not_tested", f"it began on {own[0]}, after the report's period")
    rows = parts(context.register, control, own)
    if len(rows) == 1:
        return _concluded(context, {**rows[0], "part": own}, (), report_type)
    found = [(row["part"], _concluded(context, row | {"otherwise": True}, (), report_type)) for row in rows]
    tests = {test for _, one in found for test in one.tests}
    tested = added(in_window(context, control, own), tests)
    return together(found, tested, control["frequency"] == "annual", rules.roll_forward_days, context.as_of)


def _concluded(context: Context, control: Any, repaired: Iterable[date], report_type: str | None) -> Conclusion:
    """By the reports of who performs a control, or by tests."""
    if control["performed_by"] == "user_entity" and "otherwise" in control:
        return Conclusion("not_tested", "a user entity's control is an assumption")
    if told := speaking_for(context.register, control):
        found = _by_report(context, control, told, report_type)
        ours = _by_tests(context, control, repaired, report_type) if report_type else found
        if ours.deviations and RANKS[ours.name] < RANKS[found.name]:
            found = ours  # it was done, or tested, by us on some of the days, and what deviated then is told
    else:
        found = _by_tests(context, control, repaired, report_type)
    if unnamed(control) and found.name == "operated_effectively":
        return replace(found, name="insufficient_evidence", reason=_UNNAMED)
    return found


def _by_report(context: Context, control: Any, told: Reports, report_type: str | None) -> Conclusion:
    """Now: over the days of the period; for the opinion: over those of our report, or the look-back to its date."""
    type1, throughout = _question(control, report_type)
    days = context.period.first_day, context.period.last_day
    if type1:
        days = _look_back(context, control, report_type)
    elif throughout:
        days = _own_of_report(context, control)
    return from_report(told, days, context.as_of, type1, throughout)


def _by_tests(context: Context, control: Any, repaired: Iterable[date], report_type: str | None) -> Conclusion:
    as_of, (tested, days) = context.as_of, window(context, control, report_type)
    type1, throughout = _question(control, report_type)
    own = tested.days[0], days[1]  # since it began
    counting = in_window(context, control, own)
    found = over_period(tested, counting, own, as_of) if throughout else now(tested, counting, repaired, type1)
    if found:
        return found
    untested, left = uncovered((own[0], min(own[1], as_of)), ())[0], uncovered(own, ())[1]
    rounds, asked = _by_then(context, control), any(each.inquiry for each in counting)
    why = "; inquiry alone is no evidence of operation" if asked else ""
    reason = f"no test is of these days{why}" if "otherwise" in control else _untested(rounds, own[0], type1, why)
    return Conclusion("not_tested", reason, untested_days=untested, roll_forward=left if throughout else 0)


def _untested(rounds: Iterable[Round], since: date, type1: bool, why: str) -> str:
    """That no test speaks of days since then, and the last one that was made, be it since then of days before."""
    kind, done = ("walkthrough", "walked through") if type1 else ("operation", "tested")
    earlier = [each for each in rounds if each.kind == kind and each.covered[1] < since]
    last = max(earlier, key=lambda one: (one.tested_on, one.covered), default=None)
    if last is None:
        return f"not {done} since {since}{why}"
    if last.tested_on < since:
        return f"not {done} since {since}{why}; last {done} on {last.tested_on}"
    return f"not {done} over days since {since}{why}; last {done} on {last.tested_on}, over days to {last.covered[1]}"


def _own_of_report(context: Context, control: Any) -> Days:
    return _own(context, control, report_days(control, context.register.methodology.evidence))


def _own(context: Context, control: Any, days: Days) -> Days:
    """Of the days those since the control began, or of a part of them: what it can be asked about."""
    began = first_days(context.register).get(control.get("control_id"), days[0])
    first, last = control.get("part", days)
    return max(days[0], first, began), min(days[1], last)


def _within(each: Round, window: Days) -> Round | None:
    """A round as it counts in a window: tested before the days it speaks of, it covers none, but what deviated did."""
    first, last = each.covered
    if first <= last:
        return each if first <= window[1] and last >= window[0] else None
    about = first <= window[1] and each.days[1] >= window[0]
    about = about or window[0] <= each.tested_on <= window[1]
    return replace(each, items=each.deviations, population=None) if about and each.deviations else None


def _look_back(context: Context, control: Any, report_type: str | None) -> Days:
    """From when on evidence counts for today, or a Type 1 report's date: over a Type 2 report's period, if it runs."""
    rules, as_of = context.register.methodology.evidence, context.as_of
    type1, _ = _question(control, report_type)
    if report_type:
        as_of = min(as_of, control["report_to"].date())
    if not (rules.look_back_months or type1 or pd.isna(control["report_from"])):
        first, _ = report_days(control, rules)
        if first <= as_of and reports_on(context, control):
            return first, min(as_of, context.period.last_day)  # evidence on later days is the next period's
    return _months_before(as_of, rules.look_back_months or _YEAR), as_of


@cache
def _months_before(day: date, months: int) -> date:
    """The day after the same day of the month, so many months earlier."""
    back: pd.Timestamp = pd.Timestamp(day) + pd.Timedelta(days=1) - pd.DateOffset(months=months)
    return back.date()


def _months(days: Days) -> int:
    return max(1, round(((days[1] - days[0]).days + 1) * 12 / 365.25))


def _in_order(controls: Mapping[str, Mapping[Any, Any]]) -> list[str]:
    """The controls, each after those that it relies on."""
    return [*TopologicalSorter({name: control["relies_on"] for name, control in controls.items()}).static_order()]


def _earned(
    context: Context, report_type: str | None, assumed: Mapping[str, float]
) -> dict[str, tuple[Decimal, str, str]]:
    """Each control's earned weight, what limits it, and why; those relied upon first: a chain is its weakest link."""
    earned: dict[str, tuple[Decimal, str, str]] = {}
    for control_id, relies_on, weight, reason in _own_weights(context, report_type):
        if control_id in assumed:
            weight, reason = Decimal(assumed[control_id]), "taken to fail"
        limited_by = ""
        for relied in relies_on:
            if earned[relied][0] < weight:
                weight, limited_by = earned[relied][0], relied
                reason = f"relies on {relied}: {earned[relied][2]}"
        earned[control_id] = (weight, limited_by, reason)
    return earned


@once
def _own_weights(context: Context, report_type: str | None) -> list[tuple[str, tuple[str, ...], Decimal, str]]:
    """Each control, what it relies on, its own weight and why; those relied upon first."""
    conclusions, methodology = conclude_all(context, report_type), context.register.methodology
    then = as_reported(context, report_type)
    controls = {row["control_id"]: then.get(row["control_id"], row) for row in context.register.rows("controls")}
    return [
        (name, controls[name]["relies_on"], *_own_weight(controls[name], conclusions[name], methodology))
        for name in _in_order(controls)
    ]


def _own_weight(control: Any, conclusion: Conclusion, methodology: Methodology) -> tuple[Decimal, str]:
    """Design weight x operating weight, 0 where somebody else performs it or nothing documents it."""
    if control["performed_by"] == "user_entity":
        return Decimal(0), "a user entity's control is an assumption"
    if unnamed(control):
        return Decimal(0), _UNNAMED
    short = conclusion.name in ("not_effective", "insufficient_evidence")
    failed = f"{conclusion.reason}; " if short else ""  # told whatever else it lacks
    if pd.isna(control["documentation"]):
        return Decimal(0), f"{failed}not documented"
    design = methodology.weights.design[control["design"]]
    if design == 0:
        return design, f"{failed}design {control['design'].replace('_', ' ')}"
    operating: Decimal = getattr(methodology.weights.operating, conclusion.name)
    shown = not operating or conclusion.name == "operated_effectively"
    assumed = "" if shown else f"; counted at {operating.normalize():f}, {ASSUMPTION}"
    by_design = "" if design == 1 else f"design {control['design'].replace('_', ' ')}; "
    return design * operating, by_design + conclusion.reason + assumed
