"""Which report: every combination of answers that matters leads to the report that the field would name."""

from __future__ import annotations

from pathlib import Path

import pytest
from register_files import Rows, write_register

from riskcalc.assessment.scoping import Scope, process_scopes, unit_scope
from riskcalc.register.register import load


def scope(folder: Path, **answers: str) -> Scope:
    register = load(write_register(folder / "data", lambda rows: rows["scoping"][0].update(answers)))
    return process_scopes(register.only("alpha"))[0]


@pytest.mark.parametrize(
    ("answers", "answer", "reason"),
    [
        ({}, "SOC 1 Type 2", "ask for tests of operation, for 2026-01-01 to 2026-06-30"),
        ({"auditors_ask": "design"}, "SOC 1 Type 1", "ask about the design"),
        ({"operating_months": "5"}, "SOC 1 Type 1", "have operated 5 months, six are needed: Type 1 first"),
        ({"operating_months": "6"}, "SOC 1 Type 2", "tests of operation"),
        ({"operating_months": ""}, "SOC 1 open", "for how long"),
        ({"auditors_ask": "nothing"}, "none", "no client's auditor asks"),
        ({"auditors_ask": "unsure"}, "SOC 1 open", "has to be found out"),
        ({"financial_statements": "unsure"}, "SOC 1 open", "has to be found out"),
        ({"financial_statements": "no"}, "none", "a SOC 1 report doesn't fit"),
        ({"financial_statements": "no", "customers_ask": "yes"}, "SOC 2", "personal, financial data is held"),
        ({"customers_ask": "yes"}, "SOC 1 Type 2 and SOC 2", "customers ask for assurance beyond"),
        ({"customers_ask": "unsure"}, "SOC 1 Type 2, SOC 2 open", "isn't known"),
        ({"customers_ask": "unsure", "data_held": ""}, "SOC 1 Type 2", "no customer asks"),
    ],
)
def test_answers_lead_to_a_report_with_reasons(
    tmp_path: Path, answers: dict[str, str], answer: str, reason: str
) -> None:
    """Type 1, Type 2, SOC 2, both, none, or what is still open."""
    found = scope(tmp_path, **answers)
    assert found.answer == answer
    assert reason in " ".join(found.reasons)


def test_a_process_nobody_was_asked_about_is_open(tmp_path: Path) -> None:
    """It has an objective, so it is on the list."""
    register = load(write_register(tmp_path / "data", lambda rows: rows["scoping"].clear()))
    assert [(one.process, one.soc1) for one in process_scopes(register)] == [("Pay", "open"), ("Claims", "open")]


def test_a_unit_needs_what_its_furthest_process_needs(tmp_path: Path) -> None:
    """One process on Type 2 makes it a Type 2; the processes in scope are named."""

    def edit(rows: Rows) -> None:
        rows["scoping"].append({**rows["scoping"][0], "process": "Devices", "financial_statements": "no"})
        rows["scoping"].append(
            {**rows["scoping"][0], "process": "Tax", "auditors_ask": "design", "customers_ask": "yes"}
        )

    found = unit_scope(process_scopes(load(write_register(tmp_path / "data", edit))), "alpha")
    assert found.answer == "SOC 1 Type 2 and SOC 2"
    assert found.reasons == ("in scope of SOC 1: Pay, Tax", "in scope of SOC 2: Tax")
