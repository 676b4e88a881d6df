"""Who a page is for, and what of the register they don't get: redacted when it is opened, so that no page can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
from pandas.api.types import is_string_dtype

from riskcalc.errors import UsageError
from riskcalc.register.register import Register
from riskcalc.register.tables import TABLES

WITHHELD = "withheld"


@dataclass(frozen=True)
class Audience:
    """Somebody to read pages: the label these bear, and the columns, by table, that aren't for them.

    ``money`` says whether they see what a year may cost, ``whole`` whether they get the organisation's page.
    """

    name: str
    label: str
    withheld: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    money: bool = True
    whole: bool = True


_VOTES = ("votes", "likelihood_low", "likelihood_high", "impact_low", "impact_high")
FULL = Audience("", "")
PUBLIC = Audience("public", "", money=False)
AUDIENCES = {
    each.name: each
    for each in (
        Audience(
            "board",
            "for the board",
            {
                "ratings": (*_VOTES, "rated_by", "rated_on", "rationale"),
                "risks": ("description",),
                "controls": ("description",),
                "control_tests": ("procedure", "tested_by", "evidence"),
                "subservice_organisations": ("reviewed_by", "reference"),
                "training": ("person", "topic", "evidence"),
                "scoping": ("reason", "answered_by"),
                "report_items": ("reference",),
            },
        ),
        Audience(
            "auditor",
            "for the service auditor",
            {"ratings": _VOTES, "training": ("evidence",), "scoping": ("reason", "answered_by")},
            money=False,
        ),
        Audience("unit", "for the unit", {"ratings": (*_VOTES, "rated_by", "rated_on")}, whole=False),
        PUBLIC,
    )
}

# All that the public gets; rows of other tables, and of controls that are no user entity's, stay away.
_PUBLIC = {
    "business_units": ("unit_id", "name", "service", "report_type", "report_from", "report_to", "bridge_letter_until"),
    "control_objectives": ("objective_id", "unit_id", "process", "statement"),
    "controls": ("control_id", "unit_id", "title", "description", "performed_by", "communicated_in"),
    "risks": ("risk_id", "objective_id"),
    "risk_controls": ("risk_id", "control_id"),
}


def find(name: str) -> Audience:
    """The audience called ``name``, blank for whoever may see all; raises UsageError, naming those there are.

    >>> find("board").label
    'for the board'
    """
    if not name:
        return FULL
    if name not in AUDIENCES:
        raise UsageError(f"There is no audience {name!r}; allowed: {', '.join(AUDIENCES)}, or blank for all there is.")
    return AUDIENCES[name]


def redacted(register: Register, audience: Audience) -> Register:
    """The register without what isn't for an audience: texts read "withheld" where there was one, the rest is blank.

    Nothing that levels, outlooks or amounts are computed from is taken away, so that an audience sees the same figures
    as everybody else; of the register for the public nothing can be computed. The fingerprint stays that of the whole.

    Raises:
        UsageError: the register only begins, and what the public would be told isn't assessed yet.
    """
    if audience is FULL:
        return register
    if audience is PUBLIC:
        _refuse_assumed(register)
        tables: dict[str, Any] = {name: _only(getattr(register, name), _PUBLIC.get(name, ())) for name in TABLES}
        tables["controls"] = tables["controls"].query("performed_by == 'user_entity'")
    else:
        tables = {name: _without(getattr(register, name), columns) for name, columns in audience.withheld.items()}
    found = replace(register, **tables)
    vars(found)["_fingerprint"] = register.fingerprint()
    return found


def _refuse_assumed(register: Register) -> None:
    """The public gets no page on which something only stands in for a service, a report or an objective."""
    told = {("business_units", "service"), ("business_units", "report_to"), ("risks", "objective_id")}
    waiting = sorted({f"{column} in {table}.csv" for table, column, _ in register.assumed if (table, column) in told})
    if waiting:
        raise UsageError(f"There is nothing to tell the public yet; first fill in: {', '.join(waiting)}.")


def _only(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    return table[list(columns)] if columns else table.iloc[:0]


def _without(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    def blank(kept: pd.Series) -> pd.Series:
        return kept.where(kept.isna(), WITHHELD) if is_string_dtype(kept) else kept.where(kept.isna())

    return table.assign(**{column: blank(table[column]) for column in columns})
