"""What a report leans on beside its controls' tests, and where there are holes in it.

Assertions, the five components of COSO 2013, clients' own controls, subservice organisations, trained owners, the time
between the report's end and the clients' year-end, and the frameworks that the same controls already serve.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, get_args

import pandas as pd

from riskcalc.assessment import evidence
from riskcalc.assessment.context import Context
from riskcalc.assessment.opinion import unguarded_risks
from riskcalc.assessment.testing import uncovered
from riskcalc.register import register as registers
from riskcalc.register.columns import Component, ReportPart
from riskcalc.register.records import grouped
from riskcalc.register.register import Register

LONGEST_BRIDGE = 92  # days; practice accepts a bridge letter for about three months, and seldom for more


def assertions(context: Context, report_type: str) -> list[dict[str, Any]]:
    """A record per objective and assertion that a risk names: the risks, and those that no key control holds.

    They have objective_id, assertion, risks, unguarded; the last two are tuples of risk ids.

    >>> from riskcalc.register.register import load
    >>> any(each["unguarded"] for each in assertions(Context.of(load("data")).only("funds"), "type2"))
    False
    """
    unguarded = unguarded_risks(context, report_type)
    rows = context.register.rows("risks")
    named = grouped(((one["objective_id"], each), one["risk_id"]) for one in rows for each in one["assertions"])
    found: list[dict[str, Any]] = []
    for (objective, assertion), risks in named.items():
        holes = tuple(risk for risk in risks if risk in unguarded)
        found.append({"objective_id": objective, "assertion": assertion, "risks": tuple(risks), "unguarded": holes})
    return found


def components(context: Context, report_type: str | None = None) -> dict[str, dict[str, int]]:
    """By component of internal control (COSO 2013), how many own controls, and how many that have earned something.

    Now; with ``report_type`` over the report's period.
    """
    weights = evidence.assessed(context, report_type)
    own = [each for each in context.register.rows("controls") if each["performed_by"] != "user_entity"]
    held = Counter(each["component"] for each in own)
    earning = Counter(each["component"] for each in own if weights[each["control_id"]]["earned"] > 0)
    return {name: {"controls": held[name], "earning": earning[name]} for name in get_args(Component)}


def in_words(component: object) -> str:
    """A component's name in words.

    >>> in_words("information_communication")
    'information and communication'
    """
    return str(component).replace("information_", "information and ").replace("_", " ")


def frameworks(context: Context) -> list[dict[str, Any]]:
    """A record per framework and reference: the controls that serve it, and those that earn in full this period."""
    weights = evidence.assessed(context)
    mappings = context.register.rows("mappings")
    found = grouped(((each["framework"], each["reference"]), each["control_id"]) for each in mappings)
    rows: list[dict[str, Any]] = []
    for (framework, reference), controls in sorted(found.items()):
        earning = tuple(control for control in controls if weights[control]["earned"] == 1)
        rows.append({"framework": framework, "reference": reference, "controls": tuple(controls), "earning": earning})
    return rows


def training(context: Context, unit_id: str) -> list[dict[str, Any]]:
    """A record per owner of own key controls of the unit: controls, what was completed, and what is missing.

    ``state`` is completed, due, overdue or none (nothing planned); ``due_on`` and ``completed_on`` may be missing.
    """
    day, trainings, rows = pd.Timestamp(context.as_of), _trainings(context.register), []
    for owner, controls in grouped(_owned(context.register).get(unit_id, ())).items():
        planned = trainings.get(owner, [])
        waiting = [each for each in planned if not each["completed_on"] <= day]
        due = min((each["due_on"] for each in waiting if not pd.isna(each["due_on"])), default=pd.NaT)
        state = "none" if not planned else "completed" if not waiting else "overdue" if due < day else "due"
        last = max(each["completed_on"] for each in planned) if state == "completed" else pd.NaT
        theirs = tuple(sorted(controls))
        rows.append({"owner": owner, "controls": theirs, "state": state, "due_on": due, "completed_on": last})
    return rows


@registers.once
def _owned(register: Register) -> dict[str, list[tuple[str, str]]]:
    """By unit, owners and the key controls that they perform themselves."""
    own = (each for each in register.rows("controls") if each["key"] and each["performed_by"] == "own")
    return grouped((each["unit_id"], (each["owner"], each["control_id"])) for each in own)


@registers.once
def _trainings(register: Register) -> dict[str, list[dict[Any, Any]]]:
    """By person, whatever they were or are to be trained for."""
    return grouped((each["person"], each) for each in register.rows("training"))


SETTLED = ("done", "not_applicable")
NOT_ON_RECORD = "not on record"
# Where a SOC 1 report has each of its parts: I the auditor's report, II management's assertion, III the description,
# IV control objectives, controls and tests, V other information.
CHAPTERS = {
    "management_assertion": "II",
    "assertion_basis": "II",
    "system_description": "III",
    "changes_in_period": "III",
    "complementary_subservice_controls": "III",
    "subservice_cuecs": "III",
    "subsequent_events": "II",
    "representation_letter": "I",
}


@dataclass(frozen=True)
class ReportItem:
    """A part of a unit's report beside its controls, and how it stands; ``chapter`` is I to V.

    ``status`` is open, in_progress, done, not_applicable, or not on record, where ``report_items`` has no row for it.
    """

    item_id: str
    item: str
    chapter: str
    status: str
    owner: str = ""
    due_on: date | None = None
    reference: str = ""
    late: bool = False

    @property
    def name(self) -> str:
        """The part in words."""
        return self.item.replace("_", " ").replace("cuecs", "CUECs")


def report_items(context: Context, unit_id: str) -> tuple[ReportItem, ...]:
    """The parts of a unit's report, in the order of the report's chapters; those without a row included.

    >>> from riskcalc.register.register import load
    >>> len(report_items(Context.of(load("data")), "payroll")) >= len(CHAPTERS)
    True
    """
    found = [
        ReportItem(
            row["item_id"],
            row["item"],
            CHAPTERS[row["item"]],
            row["status"],
            row["owner"],
            _day(row["due_on"]),
            "" if pd.isna(row["reference"]) else row["reference"],
            row["status"] not in SETTLED and not pd.isna(row["due_on"]) and row["due_on"].date() < context.as_of,
        )
        for row in context.register.rows("report_items")
        if row["unit_id"] == unit_id
    ]
    told = {one.item for one in found}
    unknown = (item for item in get_args(ReportPart) if item not in told)
    found += [ReportItem(item, item, CHAPTERS[item], NOT_ON_RECORD) for item in unknown]
    return tuple(sorted(found, key=lambda one: (one.chapter, list(CHAPTERS).index(one.item))))


@dataclass(frozen=True)
class YearEnd:
    """The clients' next year-end after the report, and the days until then that nothing covers."""

    year_end: date
    gap: int
    bridged_from: date | None
    bridged_until: date | None
    unbridged: int
    too_long: bool


def year_end(unit: Mapping[Any, Any]) -> YearEnd | None:
    """How far the unit's report is from its clients' year-end; None where the register doesn't give one.

    ``too_long`` says that a bridge letter would have to reach further than practice accepts, about three months.

    >>> year_end({"user_year_end": "12-31", "report_to": date(2026, 9, 30), "bridge_letter_until": None}).gap
    92
    """
    if pd.isna(unit["user_year_end"]):
        return None
    ends = _day(unit["report_to"])
    assert ends is not None, "every report has an end"
    this_year = date.fromisoformat(f"{ends.year}-{unit['user_year_end']}")
    closing = this_year if this_year >= ends else date.fromisoformat(f"{ends.year + 1}-{unit['user_year_end']}")
    bridged = _day(unit["bridge_letter_until"])
    since, gap = _day(unit.get("bridge_from")), (closing - ends).days
    after = ends + timedelta(days=1)
    letter = [(since or after, bridged)] if bridged else []
    return YearEnd(closing, gap, since, bridged, uncovered((after, closing), letter)[0], gap > LONGEST_BRIDGE)


def _day(value: Any) -> date | None:
    if pd.isna(value):
        return None
    return value.date() if isinstance(value, pd.Timestamp) else date.fromisoformat(str(value))
