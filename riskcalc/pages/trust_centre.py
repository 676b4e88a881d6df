"""The page for the public, a trust centre's: report status, control objectives, and what clients have to do themselves.

It is made from what ``audiences.redacted`` leaves for the public; nothing is computed from a rating or a test. It tells
what is, not what is planned: a report once it is issued, a bridge letter for the past days that it speaks of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskcalc.assessment.context import Context
from riskcalc.assessment.opening import as_day, read_runs
from riskcalc.errors import counted
from riskcalc.pages import display
from riskcalc.pages.display import Cell, Display, Result, day
from riskcalc.pages.wording import page_link
from riskcalc.register import audiences
from riskcalc.register.records import records
from riskcalc.register.register import Register
from riskcalc.register.subsets import read_standing

_TYPES = {"type1": "SOC 1 Type 1", "type2": "SOC 1 Type 2"}
# AT-C 320 and ISAE 3402 on restricting the use of the report: by whom it may be relied on.
RESTRICTED = (
    "A SOC 1 report is restricted in use: to us, to clients who used the service on the days that it covers, and to "
    "their auditors. They ask their contact here for a copy; it is not for others, such as future clients."
)


@dataclass(frozen=True)
class Statement:
    """What may be said in public of one unit, or of the whole organisation where ``unit`` is None."""

    context: Context
    unit: Mapping[str, Any] | None
    runs: Mapping[str, Mapping[str, Any]]

    @property
    def register(self) -> Register:
        """What is for the public."""
        return self.context.register


def open_statement(
    business_unit: str = "", period: str = "", data_dir: str = "data", as_of: str = "", manifest: str = ""
) -> Statement:
    """Read of the register what is for the public: of one unit, or of all if ``business_unit`` is blank.

    Raises:
        RegisterError: the register can't be used.
        UsageError: no such folder, unit, period, date or manifest.

    >>> open_statement("payroll").register.ratings.empty
    True
    """
    register = read_standing(data_dir, period, as_day(as_of), business_unit or None)
    shown = audiences.redacted(register, audiences.PUBLIC)
    context = Context.of(shown)
    return Statement(context, shown.unit(business_unit) if business_unit else None, read_runs(manifest))


def heading(statement: Statement) -> Display:
    """The top of the page: which report there is, or of which units."""
    organisation = statement.register.methodology.organisation
    seen = f"Trust centre · as of {day(statement.context.as_of)}"
    if statement.unit is None:
        units = records(statement.register.business_units)
        issued = sum(_issued(unit, statement) for unit in units)
        told = f"SOC 1 reports are issued for {issued} of {counted(len(units), 'service')}"
        rest = "; the others are in preparation." if issued < len(units) else "."
        return display.heading(organisation, seen, told + rest, "open", [RESTRICTED], "Public")
    told = f"{_TYPES[statement.unit['report_type']]} report: {_status(statement.unit, statement)}."
    lines = [f"{statement.unit['service']}.", *_bridge(statement.unit, statement), RESTRICTED]
    return display.heading(
        statement.unit["name"], f"{organisation} · {seen}", told, "open", lines, "Public", home=organisation
    )


def reports(statement: Statement) -> Display:
    """The report of each unit: its type, and if it is issued, its days and those that a bridge letter speaks of."""
    rows: list[list[Cell]] = [
        [
            page_link(unit, statement.runs.get(unit["unit_id"])) if statement.unit is None else unit["name"],
            unit["service"],
            _TYPES[unit["report_type"]],
            _status(unit, statement),
            " ".join(_bridge(unit, statement)) or "–",
        ]
        for unit in records(statement.register.business_units)
    ]
    return display.table("SOC 1 reports", ["Service", "What it is", "Report", "State", "Bridge letter"], rows)


def objectives(statement: Statement) -> Display:
    """The control objectives by service, as the reports state them."""
    names = statement.register.business_units.set_index("unit_id")["name"].to_dict()
    rows: list[list[Cell]] = [
        [names[objective["unit_id"]] if first else "", objective["process"], objective["statement"]]
        for _, own in statement.register.control_objectives.groupby("unit_id", sort=False)
        for first, objective in zip([True, *[False] * len(own)], records(own), strict=False)
    ]
    return display.table("Objectives by service", ["Service", "Process", "Objective"], rows, grouped=True)


def user_entities(statement: Statement) -> Display:
    """The complementary user entity controls: what our objectives take for granted that clients do."""
    register = statement.register
    acting = register.risk_controls.merge(register.risks, on="risk_id").merge(
        register.control_objectives, on="objective_id"
    )
    serving = acting.groupby("control_id")["process"].agg(lambda names: ", ".join(sorted(set(names)))).to_dict()
    rows: list[list[Cell]] = [
        [
            {"text": control["title"], "note": control["description"]},
            serving.get(control["control_id"], "–"),
            "–" if pd.isna(control["communicated_in"]) else control["communicated_in"],
        ]
        for control in records(register.controls)
    ]
    note = "Our controls alone don't reach these objectives: they take for granted that clients do this."
    columns = ["What the client does", "For", "See"]
    return display.table("Complementary user entity controls", columns, rows, note=note if rows else "")


def result(statement: Statement) -> Result:
    """For machines, and the run: which unit and period this is."""
    named = {"unit_id": statement.unit["unit_id"]} if statement.unit else {}
    return Result({**named, "period": statement.context.period.name})


# --- parts ---


def _issued(unit: Any, statement: Statement) -> bool:
    return bool(unit["issued_on"] <= pd.Timestamp(statement.context.as_of))


def _status(unit: Any, statement: Statement) -> str:
    if not _issued(unit, statement):
        return "in preparation"
    since = "at" if unit["report_type"] == "type1" else f"{day(unit['report_from'])} to"
    return f"{since} {day(unit['report_to'])}, issued on {day(unit['issued_on'])}"


def _bridge(unit: Any, statement: Statement) -> list[str]:
    """The days that a bridge letter speaks of, once the report is issued and those days are past."""
    until = unit["bridge_letter_until"]
    if not _issued(unit, statement) or not until <= pd.Timestamp(statement.context.as_of):
        return []
    since = unit["report_to"] + pd.Timedelta(days=1) if pd.isna(unit["bridge_from"]) else unit["bridge_from"]
    return [f"A bridge letter, our own word and not the service auditor's, speaks of {day(since)} to {day(until)}."]
