"""Who a page is for, and what of the register they don't get: redacted when it is opened, so that no page can tell."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from importlib import resources
from typing import Any

import pandas as pd
from pandas.api.types import is_string_dtype

from riskcalc.errors import UsageError, amount
from riskcalc.register.earlier import Earlier
from riskcalc.register.periods import already
from riskcalc.register.register import Register
from riskcalc.register.row import SPAN
from riskcalc.register.stand_ins import unstated
from riskcalc.register.tables import TABLES

WITHHELD = "withheld"

# What each audience sees of a column: "yes"; "no"; or it "counts": conclusions rest on it, so that all see the same,
# but nobody is told what it says: amounts read "withheld", all else is on no page of theirs and in no workbook. A
# column that isn't there is for none of them.
_FILE = resources.files("riskcalc.register").joinpath("audiences.csv")
_SEEN = {(row["table"], row["column"]): row for row in csv.DictReader(_FILE.read_text("utf-8").splitlines())}


@dataclass(frozen=True)
class Audience:
    """Somebody to read pages: the label these bear, and their column in audiences.csv.

    ``money`` says whether they see amounts, ``whole`` whether they get the organisation's page. ``told`` are the
    answers and documents that are for somebody outside, by the readers these name; blank inside, where all are seen.
    """

    name: str
    label: str
    money: bool = True
    whole: bool = True
    told: tuple[str, ...] = ()

    @property
    def withheld(self) -> Mapping[str, tuple[str, ...]]:
        """By table, the columns that aren't for them."""
        return {name: tuple(self._columns(name, "no")) for name in TABLES}

    @property
    def hidden(self) -> Mapping[str, tuple[str, ...]]:
        """By table, the columns whose content counts, but isn't for them."""
        return {name: tuple(self._columns(name, "counts")) for name in TABLES}

    @property
    def left_out(self) -> tuple[str, ...]:
        """The tables of which no column is for them; none for whoever may see all."""
        if not self.name:
            return ()
        unseen = {name: {*self.withheld[name], *self.hidden[name], *SPAN} for name in TABLES}
        return tuple(name for name in TABLES if unseen[name].issuperset(TABLES[name].model_fields))

    def _columns(self, table: str, wanted: str) -> Iterator[str]:
        for column in TABLES[table].model_fields:
            said = _SEEN.get((table, column), {}).get(self.name)
            seen = said if said in ("yes", "counts") else "no"  # a slip of the pen shows nobody anything
            if seen == wanted and column not in SPAN:  # what stands has no more days
                yield column


FULL = Audience("", "")
CLIENT = Audience("client", "for clients", money=False, told=("client", "public"))
PUBLIC = Audience("public", "", money=False, told=("public",))
AUDIENCES = {
    each.name: each
    for each in (
        Audience("board", "for the board"),
        Audience("auditor", "for the service auditor", money=False),
        Audience("unit", "for the unit", whole=False),
        CLIENT,
        PUBLIC,
    )
}


class Hidden(Decimal):
    """An amount that can be compared and counted with, but reads "withheld" wherever it is shown."""

    def __str__(self) -> str:
        return WITHHELD

    __repr__ = __str__

    def __format__(self, *_: object) -> str:
        return WITHHELD

    def __reduce__(self) -> tuple[type[Hidden], tuple[str]]:
        return Hidden, (super().__str__(),)


def in_money(value: float, unit: Mapping[str, Any]) -> str:
    """An amount in a unit's currency as a sentence says it, or that it is withheld, as the unit's own amounts are.

    >>> in_money(1234567.8, {"materiality": Decimal(1), "currency": "EUR"}), in_money(1, {"materiality": Hidden(1)})
    ('1,234,568 EUR', 'an amount that is withheld')
    """
    if isinstance(unit["materiality"], Hidden):
        return f"an amount that is {WITHHELD}"
    return f"{amount(value)} {unit['currency']}"


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


def inside(audience: Audience, of: str = "an assessment") -> Audience:
    """The audience, if it is one inside; raises UsageError for clients and the public, who are told ``of`` nothing.

    >>> inside(FULL) is FULL
    True
    """
    if audience.told:
        there = "riskcalc export trust-centre, or trust_centre.ipynb"
        raise UsageError(f"Nothing of {of} is for the audience {audience.name!r}; for them: {there}.")
    return audience


def redacted(register: Register, audience: Audience) -> Register:
    """The register without what isn't for an audience: texts read "withheld" where there was one, the rest is blank.

    Nothing that levels, outlooks or amounts are computed from is taken away, so that an audience sees the same figures
    as everybody else; of the register for clients or the public nothing can be computed, and of its answers, documents
    and subservice organisations only those for them are left, of the answers those that are approved and haven't
    expired on the day that the register is seen from. The fingerprint stays that of the whole.

    Raises:
        UsageError: the register only begins, and what the public would be told isn't assessed yet.
    """
    if audience is FULL:
        return register
    tables: dict[str, Any] = {
        name: _shown(_counting(register, name, audience), audience.withheld[name], audience.hidden[name])
        for name in TABLES
    }
    if audience.told:
        _refuse_assumed(register)
        tables = {name: _only(for_them(register, name, audience), audience.withheld[name]) for name in TABLES}
    before = register.before and redacted(register.before, audience)
    issued = frozenset(each.without(audience.withheld["business_units"]) for each in register.earlier.issued)
    earlier = Earlier(issued=issued) if audience.told else register.earlier._replace(issued=issued)
    found = replace(register, notes=(), before=before, earlier=earlier, **tables)
    vars(found)["_fingerprint"] = register.fingerprint()
    return found


def _counting(register: Register, name: str, audience: Audience) -> pd.DataFrame:
    """A table; of ratings, where their day is withheld, those that count: nobody could tell the later ones any more."""
    rows: pd.DataFrame = getattr(register, name)
    if name != "ratings" or "rated_on" not in (*audience.withheld[name], *audience.hidden[name]):
        return rows
    period, day = register.stands or (None, date.max)
    last = {each.name: day if each == period else min(day, each.as_of) for each in register.periods}
    limits = [pd.Timestamp(last[each]) for each in rows["period"]]
    return rows[~(rows["rated_on"] > pd.Series(limits, rows.index, dtype="datetime64[s]"))]


def for_them(register: Register, name: str, audience: Audience) -> pd.DataFrame:
    """A table's rows that somebody outside may be told; of controls, the public only what is expected of clients.

    >>> from riskcalc.register.register import load
    >>> set(for_them(load("data"), "controls", PUBLIC)["performed_by"])
    {'user_entity'}
    """
    rows: pd.DataFrame = getattr(register, name)
    if name == "controls" and audience is PUBLIC:
        return rows[rows["performed_by"] == "user_entity"]
    if name not in ("answers", "documents", "subservice_organisations"):
        return rows
    clients_may = "client" in audience.told and name == "subservice_organisations"  # unless it is said otherwise
    rows = rows[rows["audience"].isin(audience.told) | (rows["audience"].isna() & clients_may)]
    if name == "answers":
        day = register.stands[1] if register.stands else date.max
        known, fresh = rows["reviewed_on"] <= pd.Timestamp(already(day)), rows["expires_on"] >= pd.Timestamp(day)
        rows = rows[rows["approved_by"].notna() & known & fresh]
    return rows


def _refuse_assumed(register: Register) -> None:
    """Nobody outside gets a page on which something only stands in for a service, a report or an objective."""
    told = {("business_units", "service"), ("business_units", "report_to"), ("risks", "objective_id")}
    held = {"business_units": set(register.business_units["unit_id"]), "risks": set(register.risks["risk_id"])}
    found = (each for each in register.assumed if each[:2] in told and each[2] in held[each[0]])
    goals = register.control_objectives[["objective_id", "statement"]].itertuples(index=False)
    bare = [("control_objectives", "statement", name) for name, said in goals if unstated(name, said)]
    waiting = sorted(f"{column} in {table}.csv for {key}" for table, column, key in [*found, *bare])
    if waiting:
        more = ["…"] * (len(waiting) > 6)
        raise UsageError(f"There is nothing to tell the public yet; first fill in: {', '.join(waiting[:6] + more)}.")


def _only(table: pd.DataFrame, withheld: tuple[str, ...]) -> pd.DataFrame:
    left = table.drop(columns=[*withheld, *SPAN], errors="ignore")
    return left if len(left.columns) else table.iloc[:0]


def _shown(table: pd.DataFrame, withheld: tuple[str, ...], hidden: tuple[str, ...]) -> pd.DataFrame:
    def blank(kept: pd.Series) -> pd.Series:
        return kept.where(kept.isna(), WITHHELD) if is_string_dtype(kept) else kept.where(kept.isna())

    changed = {column: blank(table[column]) for column in withheld}
    amounts = [column for column in hidden if any(isinstance(each, Decimal) for each in table[column])]
    counting = {column: table[column].map(Hidden, na_action="ignore").astype(object) for column in amounts}
    return table.assign(**changed, **counting)
