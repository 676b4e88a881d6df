"""A small register on disk, for tests to bend: two units, three risks, four controls, two periods."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from riskcalc.errors import Problem, RegisterError
from riskcalc.register.register import load
from riskcalc.register.tables import TABLES

SAMPLE = Path(__file__).parent.parent / "data"

ROWS: dict[str, list[dict[str, str]]] = {
    "business_units": [
        {
            "unit_id": "alpha",
            "name": "Alpha",
            "service": "Payroll",
            "currency": "EUR",
            "materiality": "1000000",
            "performance_materiality": "750000",
            "materiality_basis": "5 % of profit",
            "appetite": "Medium",
            "report_type": "type2",
            "report_from": "2026-01-01",
            "report_to": "2026-06-30",
            "owner": "A. Owner",
        },
        {
            "unit_id": "beta",
            "name": "Beta",
            "service": "Claims",
            "currency": "GBP",
            "materiality": "500000.00",
            "performance_materiality": "300000.00",
            "materiality_basis": "1 % of assets",
            "appetite": "Low",
            "report_type": "type1",
            "report_to": "2026-06-30",
            "owner": "B. Owner",
        },
    ],
    "control_objectives": [
        {"objective_id": "A-CO1", "unit_id": "alpha", "process": "Pay", "statement": "Pay is right."},
        {"objective_id": "B-CO1", "unit_id": "beta", "process": "Claims", "statement": "Claims are right."},
    ],
    "risks": [
        {
            "risk_id": risk_id,
            "unit_id": unit_id,
            "objective_id": objective_id,
            "title": title,
            "description": f"{title}, in full.",
            "assertions": "accuracy|completeness",
            "owner": "R. Owner",
            "treatment": "mitigate",
        }
        for risk_id, unit_id, objective_id, title in [
            ("A-R1", "alpha", "A-CO1", "Wrong rates"),
            ("A-R2", "alpha", "A-CO1", "Missing hours"),
            ("B-R1", "beta", "B-CO1", "Claims paid twice"),
        ]
    ],
    "ratings": [
        {
            "risk_id": risk_id,
            "period": period,
            "likelihood": likelihood,
            "impact": impact,
            **({"rationale": "as discussed", "rated_by": "Workshop", "rated_on": "2026-06-20"} if likelihood else {}),
        }
        for risk_id, period, likelihood, impact in [
            ("A-R1", "2025-H2", "3", "3"),
            ("A-R1", "2026-H1", "5", "4"),
            ("A-R2", "2026-H1", "", ""),
            ("B-R1", "2026-H1", "3", "5"),
        ]
    ],
    "controls": [
        {
            "control_id": control_id,
            "unit_id": unit_id,
            "title": f"Control {control_id}",
            "description": "Somebody compares and signs.",
            "owner": "C. Owner",
            "kind": "preventive",
            "nature": "manual",
            "frequency": "weekly",
            "key": "yes",
            "component": "control_activities",
            "performed_by": "own",
            "design": "effective",
            "documentation": "DOC-1",
            "relies_on": relies_on,
        }
        for control_id, unit_id, relies_on in [
            ("A-C1", "alpha", ""),
            ("A-C2", "alpha", "A-G1"),
            ("A-G1", "alpha", ""),
            ("B-C1", "beta", ""),
        ]
    ],
    "risk_controls": [
        {"risk_id": "A-R1", "control_id": "A-C1", "acts_on": "likelihood", "coverage": "0.5"},
        {"risk_id": "A-R1", "control_id": "A-C2", "acts_on": "both", "coverage": "0.80"},
        {"risk_id": "B-R1", "control_id": "B-C1", "acts_on": "both", "coverage": "0.9"},
    ],
    "control_tests": [
        {
            "test_id": test_id,
            "control_id": control_id,
            "period": "2026-H1",
            "kind": kind,
            "procedure": "Reperformed.",
            "sample_size": sample_size,
            "deviations": deviations,
            "systematic": "no",
            "tested_by": "Internal audit",
            "tested_on": "2026-06-15",
        }
        for test_id, control_id, kind, sample_size, deviations in [
            ("T1", "A-C1", "operation", "5", "0"),
            ("T2", "A-C2", "operation", "25", "0"),
            ("T3", "A-G1", "operation", "25", "1"),
            ("T4", "B-C1", "walkthrough", "1", "0"),
        ]
    ],
    "deficiencies": [],
    "subservice_organisations": [
        {
            "subservice_id": "SUB-1",
            "name": "Hosting Ltd",
            "service": "Hosting",
            "method": "carve_out",
            "report_type": "type2",
            "report_from": "2026-01-01",
            "report_to": "2026-06-30",
            "opinion": "unmodified",
            "exception": "none",
        }
    ],
    "training": [
        {
            "training_id": "TR1",
            "unit_id": "alpha",
            "person": "C. Owner",
            "topic": "SOC 1",
            "due_on": "2026-03-31",
            "completed_on": "2026-03-01",
        },
    ],
    "scoping": [
        {
            "unit_id": unit,
            "process": process,
            "financial_statements": "yes",
            "data_held": "personal|financial",
            "auditors_ask": asked,
            "customers_ask": "no",
            "operating_months": "24",
            "period_from": "2026-01-01",
            "period_to": "2026-06-30",
            "reason": "Booked as delivered.",
            "answered_by": "Steering group",
            "answered_on": "2026-02-01",
        }
        for unit, process, asked in [("alpha", "Pay", "operation"), ("beta", "Claims", "design")]
    ],
    "report_items": [],
    "answers": [],
    "documents": [],
    "mappings": [{"control_id": "A-G1", "framework": "SOC 2", "reference": "CC6.1"}],
}

DEFICIENCY = {
    "deficiency_id": "D1", "control_id": "A-C1", "description": "Not signed.", "identified_on": "2026-03-01",
    "remediation_owner": "A. Owner", "due_on": "2026-09-30",
}  # fmt: skip

REPORT_ITEM = {
    "item_id": "I1", "unit_id": "alpha", "item": "subsequent_events", "status": "open", "owner": "A. Owner",
}  # fmt: skip

Rows = dict[str, list[dict[str, str]]]
Edit = Callable[[Rows], object]


def write_register(folder: Path, edit: Edit | None = None) -> Path:
    """Write the small register, changed by ``edit``, and the sample's methodology; returns the folder."""
    rows = {name: [dict(row) for row in table] for name, table in ROWS.items()}
    if edit:
        edit(rows)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SAMPLE / "methodology.toml", folder)
    for name, table in rows.items():
        with open(folder / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(TABLES[name].model_fields), restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
    return folder


def replace_in(file: Path, old: str, new: str) -> None:
    """Replace text in a file, which must be there exactly once."""
    text = file.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file.name}"
    file.write_text(text.replace(old, new), "utf-8", newline="")


def change(table: str, row: int, **cells: str) -> Callable[[Rows], None]:
    """An edit for ``write_register``: one row changed, and a deficiency added."""

    def edit(rows: Rows) -> None:
        rows["deficiencies"].append(dict(DEFICIENCY))
        rows["report_items"].append(dict(REPORT_ITEM))
        rows[table][row].update(cells)

    return edit


def changes_of(table: str) -> Callable[..., Edit]:
    """Edits for ``write_register``, each of cells of a row of one table: ``changes_of("risks")(0, owner="O")``."""
    return lambda row, **cells: lambda rows: rows[table][row].update(cells)


def add(table: str, **cells: str) -> Edit:
    """An edit for ``write_register``: one row more."""
    return lambda rows: rows[table].append(cells)


def problems(folder: Path) -> list[Problem]:
    """What is wrong with a register, which is refused for it."""
    with pytest.raises(RegisterError, match=r"^\d+ problems? in the register .*:\n") as caught:
        load(folder)
    return caught.value.problems
