"""What the scoping notebook shows: the answers, the report proposed for each process, and why."""

from __future__ import annotations

import pandas as pd

from riskcalc.assessment.opening import Assessment
from riskcalc.assessment.scoping import QUESTIONS, SOC1, process_scopes, unit_scope
from riskcalc.errors import counted
from riskcalc.pages import display
from riskcalc.pages.display import Cell, Display, day, state


def proposal(unit: Assessment) -> Display:
    """The report proposed for the unit, against the one in its row of business_units."""
    scopes = process_scopes(unit.register)
    found = unit_scope(scopes, unit.unit["unit_id"])
    within = [sum(scope.soc1 in SOC1 for scope in scopes), sum(scope.soc2 == "yes" for scope in scopes)]
    of = f"of {counted(len(scopes), 'process')}, {within[0]} in scope of SOC 1 and {within[1]} of SOC 2"
    planned = SOC1[unit.unit["report_type"]]
    note = "as proposed" if found.soc1 == unit.unit["report_type"] else "not what the answers propose"
    undecided = found.soc1 == "open" or not scopes
    proposed = found.answer if scopes else "nothing yet"
    note = "the answers propose none yet" if undecided else note
    items = [("Proposed", proposed, of), ("Planned", planned, note)]
    return display.facts("Which report?", items)


def processes(unit: Assessment) -> Display:
    """Each process with the report it belongs into, and the reasons."""
    objectives = unit.register.control_objectives.groupby("process")["objective_id"].agg(", ".join).to_dict()
    rows: list[list[Cell]] = []
    for scope in process_scopes(unit.register):
        tone = "open" if "open" in (scope.soc1, scope.soc2) else "good"
        missing: Cell = state("none yet", "bad") if scope.soc1 in SOC1 else "–"
        covered = objectives.get(scope.process, missing)
        why: Cell = {"text": "", "note": day("\n".join(scope.reasons))}
        rows.append([scope.process, state(scope.answer, tone), covered, why])
    columns = ["Process", "Report", "Control objectives", "Why"]
    note = "A process in scope of SOC 1 needs a control objective. Proposals; who answers for the reports decides."
    return display.table("Processes and their reports", columns, rows, note=note)


def answers(unit: Assessment) -> Display:
    """The answers on record, by whom and when."""
    rows: list[list[Cell]] = []
    for row in unit.register.rows("scoping"):
        held = ", ".join(row["data_held"]).replace("_", " ") or "none"
        months = "–" if pd.isna(row["operating_months"]) else str(row["operating_months"])
        first, last = ("" if pd.isna(row[name]) else day(row[name]) for name in ("period_from", "period_to"))
        period = f"{first} to {last}" if first else f"at {last}" if last else "–"
        by: Cell = {"text": row["answered_by"], "note": day(row["answered_on"])}
        process: Cell = {"text": row["process"], "note": row["reason"]}
        asked = [row["auditors_ask"], row["customers_ask"]]
        rows.append([process, row["financial_statements"], held, *asked, months, period, by])
    columns = [
        "Process",
        "Financial statements",
        "Data held",
        "Auditors ask",
        "Customers ask",
        "Months",
        "Period",
        "By",
    ]
    note = " ".join(f"{name.replace('_', ' ').capitalize()}: {text}" for name, text in QUESTIONS.items())
    return display.table("The answers", columns, rows, note=note)
