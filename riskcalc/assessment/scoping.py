"""Which report a process belongs into, if any: SOC 1 of Type 1 or 2, SOC 2, both or none, from recorded answers.

SOC 1 is about controls likely to be relevant to clients' internal control over financial reporting (AT-C 320); SOC 2
about security, availability, processing integrity, confidentiality and privacy (AT-C 205 with the Trust Services
Criteria). A proposal with its reasons: who answers for the reports decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskcalc.errors import counted
from riskcalc.register.register import Register

QUESTIONS = {
    "financial_statements": "Can what is done here affect clients' financial statements?",
    "data_held": "Which data of clients or their customers is held?",
    "auditors_ask": "What do clients' auditors ask for: nothing, design, or operation of controls?",
    "customers_ask": "Do customers ask for assurance on security, availability, confidentiality or privacy?",
    "operating_months": "For how many months have the controls operated as they are?",
    "period": "For which period do they ask?",
}
SOC1 = {"type1": "SOC 1 Type 1", "type2": "SOC 1 Type 2"}
_MONTHS_FOR_TYPE_2 = 6


@dataclass(frozen=True)
class Scope:
    """A proposal: ``soc1`` is type1, type2, no or open, ``soc2`` yes, no or open, and the reasons for both."""

    unit_id: str
    process: str
    soc1: str
    soc2: str
    reasons: tuple[str, ...]

    @property
    def answer(self) -> str:
        """The proposal in words.

        >>> Scope("u", "p", "type2", "yes", ()).answer
        'SOC 1 Type 2 and SOC 2'
        """
        named = [SOC1[self.soc1]] if self.soc1 in SOC1 else []
        named += ["SOC 2"] if self.soc2 == "yes" else []
        unsure = [
            f"{name} open" for name in ("SOC 1", "SOC 2") if getattr(self, name.replace(" ", "").lower()) == "open"
        ]
        return ", ".join([" and ".join(named), *unsure] if named else unsure) or "none"


def process_scopes(register: Register) -> list[Scope]:
    """A proposal per process that was asked about, and an open one per process of an objective that wasn't.

    >>> from riskcalc.register.register import load
    >>> process_scopes(load("data").only("loans"))[0].answer
    'SOC 1 Type 1'
    """
    found = [_scope(row) for row in register.rows("scoping")]
    asked = {(scope.unit_id, scope.process) for scope in found}
    named = dict.fromkeys((row["unit_id"], row["process"]) for row in register.rows("control_objectives"))
    for unit, process in named:
        if (unit, process) not in asked:
            reasons = ("nobody has answered the questions for it",)
            found.append(Scope(unit, process, "open", "open", reasons))
    return found


def unit_scope(scopes: Iterable[Scope], unit_id: str) -> Scope:
    """What the unit's processes need together: the furthest SOC 1 of any, and a SOC 2 if one needs it."""
    own = [scope for scope in scopes if scope.unit_id == unit_id]
    soc1 = next((each for each in ("type2", "type1", "open") if any(scope.soc1 == each for scope in own)), "no")
    soc2 = next((each for each in ("yes", "open") if any(scope.soc2 == each for scope in own)), "no")
    within = [scope.process for scope in own if scope.soc1 in SOC1]
    reasons = [f"in scope of SOC 1: {', '.join(within)}" if within else "no process is in scope of SOC 1"]
    also = [scope.process for scope in own if scope.soc2 == "yes"]
    reasons += [f"in scope of SOC 2: {', '.join(also)}"] if also else []
    return Scope(unit_id, "", soc1, soc2, tuple(reasons))


def _scope(row: Any) -> Scope:
    soc1, about = _soc1(row)
    soc2, security = _soc2(row)
    return Scope(row["unit_id"], row["process"], soc1, soc2, (*about, security))


def _soc1(row: Any) -> tuple[str, list[str]]:
    if row["financial_statements"] == "no":
        return "no", ["it can't affect clients' financial statements, so a SOC 1 report doesn't fit"]
    if row["financial_statements"] == "unsure" or row["auditors_ask"] == "unsure":
        return "open", ["whether it affects clients' statements, or what their auditors need, has to be found out"]
    affects = "it can affect clients' financial statements"
    if row["auditors_ask"] == "nothing":
        return "no", [f"{affects}, but no client's auditor asks for a report"]
    if row["auditors_ask"] == "design":
        return "type1", [f"{affects}, and their auditors ask about the design of controls"]
    reason = f"{affects}, and their auditors ask for tests of operation"
    months = row["operating_months"]
    if pd.isna(months):
        return "open", [f"{reason}, but for how long the controls have operated isn't said"]
    if months < _MONTHS_FOR_TYPE_2:
        operated = f"the controls have operated {counted(months, 'month')}, six are needed"
        return "type1", [f"{reason}; {operated}: Type 1 first"]
    return "type2", [f"{reason}{_for_period(row)}"]


def _for_period(row: Any) -> str:
    if pd.isna(row["period_from"]):
        return ""
    return f", for {row['period_from']:%Y-%m-%d} to {row['period_to']:%Y-%m-%d}"


def _soc2(row: Any) -> tuple[str, str]:
    held = ", ".join(row["data_held"]).replace("_", " ") or "no"
    if row["customers_ask"] == "yes":
        return "yes", f"customers ask for assurance beyond financial reporting, and {held} data is held"
    if row["customers_ask"] == "unsure" and row["data_held"]:
        return "open", f"{held} data is held, but whether customers want assurance on it isn't known"
    return "no", "no customer asks for assurance beyond financial reporting"
