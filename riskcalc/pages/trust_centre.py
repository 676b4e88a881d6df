"""The page for the public, a trust centre's: report status, control objectives, and what clients have to do themselves.

It is made from what ``audience.redacted`` leaves for the public; nothing is computed from a rating or a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskcalc.assessment.opening import read_runs
from riskcalc.pages import display
from riskcalc.pages.display import Cell, Display, Result
from riskcalc.pages.wording import page_link
from riskcalc.register import audiences
from riskcalc.register.periods import Period
from riskcalc.register.register import Register
from riskcalc.register.subsets import read_subset, read_whole

_TYPES = {"type1": "SOC 1 Type 1", "type2": "SOC 1 Type 2"}


@dataclass(frozen=True)
class Statement:
    """What may be said in public of one unit, or of the whole organisation where ``unit`` is None."""

    register: Register
    period: Period
    unit: Mapping[str, Any] | None
    runs: Mapping[str, Mapping[str, Any]]


def open_statement(business_unit: str = "", period: str = "", data_dir: str = "data", manifest: str = "") -> Statement:
    """Read of the register what is for the public: of one unit, or of all if ``business_unit`` is blank.

    Raises:
        RegisterError: the register can't be used.
        UsageError: no such folder, unit, period or manifest.

    >>> open_statement("payroll").register.ratings.empty
    True
    """
    register = read_subset(data_dir, business_unit) if business_unit else read_whole(data_dir)
    chosen, shown = register.period(period), audiences.redacted(register, audiences.PUBLIC)
    unit = shown.unit(business_unit) if business_unit else None
    return Statement(shown, chosen, unit, read_runs(manifest))


def heading(statement: Statement) -> Display:
    """The top of the page: which report there is, or of which units."""
    organisation = statement.register.methodology.organisation
    if statement.unit is None:
        number = len(statement.register.business_units)
        told = f"SOC 1 reports cover {number} of our services." if number != 1 else "A SOC 1 report covers our service."
        return display.heading(organisation, "Trust centre", told, "open", [], "Public")
    told = f"{_TYPES[statement.unit['report_type']]} report {_span(statement.unit)}."
    lines = [f"{statement.unit['service']}.", *_bridge(statement.unit)]
    return display.heading(statement.unit["name"], f"{organisation} · Trust centre", told, "open", lines, "Public")


def reports(statement: Statement) -> Display:
    """The report of each unit: its type, its period or date, and how far a bridge letter reaches."""
    rows: list[list[Cell]] = [
        [
            page_link(unit, statement.runs.get(unit["unit_id"])) if statement.unit is None else unit["name"],
            unit["service"],
            _TYPES[unit["report_type"]],
            _span(unit),
            " ".join(_bridge(unit)) or "–",
        ]
        for unit in statement.register.business_units.to_dict("records")
    ]
    note = "Reports are for clients and their auditors; ask your contact for a copy."
    return display.table(
        "SOC 1 reports", ["Service", "What it is", "Report", "Period or date", "Bridge letter"], rows, note=note
    )


def objectives(statement: Statement) -> Display:
    """The control objectives, as the report states them."""
    rows: list[list[Cell]] = [
        [objective["process"], objective["statement"]]
        for objective in statement.register.control_objectives.to_dict("records")
    ]
    return display.table("Objectives by process", ["Process", "Objective"], rows)


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
        for control in register.controls.to_dict("records")
    ]
    note = "Our controls alone don't reach these objectives: they take for granted that clients do this."
    return display.table("Complementary user entity controls", ["What the client does", "For", "See"], rows, note=note)


def result(statement: Statement) -> Result:
    """For machines, and the run: which unit and period this is."""
    named = {"unit_id": statement.unit["unit_id"]} if statement.unit else {}
    return Result({**named, "period": statement.period.name})


# --- parts ---


def _span(unit: Any) -> str:
    until = f"{unit['report_to']:%Y-%m-%d}"
    return f"at {until}" if unit["report_type"] == "type1" else f"for {unit['report_from']:%Y-%m-%d} to {until}"


def _bridge(unit: Any) -> list[str]:
    until = unit["bridge_letter_until"]
    return [] if pd.isna(until) else [f"A bridge letter speaks for the time until {until:%Y-%m-%d}."]
