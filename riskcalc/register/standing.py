"""The register as it stood for a period: the rows that held then, without what belongs to a later one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd

from riskcalc.errors import UsageError
from riskcalc.register import register as registers
from riskcalc.register.earlier import (
    Earlier,
    Ended,
    appetites_before,
    came_or_left,
    controls_before,
    issued_before,
    links_before,
    other_objectives,
    reported_before,
    risks_before,
)
from riskcalc.register.periods import Period, already
from riskcalc.register.records import by_index, records
from riskcalc.register.register import Register, with_uses
from riskcalc.register.row import SPAN
from riskcalc.register.tables import OWNERS, TABLES

# What was known only later reads as blank: the column of its day, and what came with it.
_KNOWN = {"deficiencies": ("closed_on",), "training": ("completed_on",), "business_units": ("issued_on", "opinion")}
_EVER, _FOR_EVER = pd.Timestamp(date.min), pd.Timestamp(date(9999, 12, 31))


@registers.once
def as_it_stood(register: Register, period: Period, as_of: date) -> Register:
    """The register as it stood on a period's last day, or on ``as_of`` where that is earlier: a row per key.

    As soon as a later period is rated, what is dated later, and so belongs to it, is left out as well; what was mended
    or issued after ``as_of`` isn't yet, nor is a report issued on a day that is still to come. Beside it is the
    register as it stood for the period before, where rows have days. Raises UsageError if it was made for another
    period or day.
    """
    if register.stands:
        told = f"{register.stands[0].name}, seen from {register.stands[1]}"
        raise UsageError(f"This is the register as it stood for {told}; read it again for {period.name} from {as_of}.")
    found, before = _stood(register, period, as_of), register.previous(period)
    if before is None or not register.timed:
        return found
    return replace(found, before=_stood(register, before, min(before.as_of, as_of), as_of))


def _stood(register: Register, period: Period, as_of: date, known_on: date | None = None) -> Register:
    day = pd.Timestamp(min(period.last_day, as_of))
    tables: dict[str, Any] = {name: getattr(register, name) for name in TABLES}
    if any(each.last_day > period.last_day for each in register.periods):
        tables |= _of_then(register, period, as_of)
    for name, columns in _KNOWN.items():
        until = already(known_on or as_of) if name == "business_units" else known_on or as_of
        known = ~(tables[name][columns[0]] > pd.Timestamp(until))
        if not known.all():
            tables[name] = tables[name].assign(**{column: tables[name][column].where(known) for column in columns})
    held = dict(tables)
    for name in (name for name, model in TABLES.items() if model.timed()):
        held[name] = _held(tables[name], list(TABLES[name].primary_key), day) if register.timed else tables[name]
        held[name] = held[name].drop(columns=list(SPAN))
    found = replace(register, **held, stands=(period, as_of))
    if not register.timed:
        return found
    found = _consistent(found)
    return replace(found, earlier=_earlier(register, found, tables, day, as_of))


def _earlier(register: Register, stood: Register, known: dict[str, Any], day: pd.Timestamp, as_of: date) -> Earlier:
    """What is told beside the tables that ``stood`` on a day; ``known`` are all their rows, as far as they count."""
    units, tests = stood.business_units, known["control_tests"]
    then = {**known, "control_tests": tests[tests["tested_on"] <= pd.Timestamp(as_of)]}
    issued, there = issued_before(known["business_units"], day), set(units["unit_id"])
    return Earlier(
        ended=frozenset(_ended(register, stood, then, day)),
        begun=frozenset(_begun(register, day)),
        issued=frozenset(each for each in issued if each.unit_id in there),
        reports=reported_before(known["subservice_organisations"], day),
        controls=controls_before(register.controls, stood.controls, day),
        links=links_before(register.risk_controls, _with_report(stood), day),
        appetites=appetites_before(register.business_units, units, day),
        risks=frozenset(risks_before(register.risks, stood.risks, units, day)),
        objectives=frozenset(other_objectives(register.control_objectives, units, day)),
        vendors=frozenset(came_or_left(register.subservice_organisations, day)),
    )


def _with_report(register: Register) -> pd.DataFrame:
    """The risks, each with its unit's report."""
    reports = register.business_units.set_index("unit_id")[["report_from", "report_to"]]
    return register.risks.join(reports, on="unit_id")


def _held(rows: pd.DataFrame, key: list[str], day: pd.Timestamp) -> pd.DataFrame:
    """The rows that held on a day, each in the place of the first row of its key: what goes on stays where it was."""
    found = rows[~(rows[SPAN[0]] > day) & ~(rows[SPAN[1]] < day)]
    places = rows.groupby(key, sort=False).ngroup()
    return found.loc[places[found.index].sort_values(kind="stable").index]


def _consistent(register: Register) -> Register:
    """The register without the rows whose unit, risk or control doesn't hold, and what its controls are to others."""
    tables: dict[str, Any] = {}
    for name, model in TABLES.items():
        rows = getattr(register, name)
        for column, table in OWNERS.items():
            if column in model.model_fields and table != name:
                rows = rows[rows[column].isin(tables[table][column]) | rows[column].isna()]
        tables[name] = rows
    tables["controls"] = with_uses(tables)
    return replace(register, **tables)


def _of_then(register: Register, period: Period, as_of: date) -> dict[str, pd.DataFrame]:
    """Ratings, tests and deficiencies without those that belong to a later period."""
    ratings, tests, known = register.ratings, register.control_tests, register.deficiencies
    day, last = pd.Timestamp(as_of), pd.Timestamp(period.last_day)
    periods = {name: Period.parse(name) for name in {*ratings["period"], *tests["period"]}}
    until = [name for name, each in periods.items() if each.last_day <= period.last_day]
    first = tests["covers_from"].fillna(
        tests["period"].map({name: pd.Timestamp(one.first_day) for name, one in periods.items()})
    )
    counting = (tests["tested_on"] <= day) & ((first <= last) | (tests["tested_on"] <= last))
    return {
        "ratings": ratings[ratings["period"].isin(until)],
        "control_tests": tests[tests["period"].isin(until) | counting],
        "deficiencies": known[known["identified_on"] <= max(day, last)],
    }


def _ended(register: Register, stood: Register, tables: Mapping[str, Any], day: pd.Timestamp) -> Iterator[Ended]:
    """The controls that acted on a risk in its unit's report and don't any more; ``tables`` have what counts."""
    units = by_index(stood.business_units.set_index("unit_id"))
    known = register.risks[~(register.risks["valid_from"] > day)].sort_values("valid_from", na_position="first")
    serves = {row["risk_id"]: (row["unit_id"], row["objective_id"]) for row in records(known)}
    links = _acting(register, day)
    if links.empty:
        return
    keys = {"risk_id": register.risks, "control_id": register.controls}
    ends = [links[key].map(_last_days(table, key)) for key, table in keys.items()]
    last_days = pd.concat([*ends, links["valid_to"].fillna(_FOR_EVER)], axis=1).min(axis=1)
    last_days = last_days.groupby([links[key] for key in keys]).max()
    gone = last_days[last_days < day]
    names = gone.index.get_level_values("control_id")
    said = {name: tables[name][tables[name]["control_id"].isin(names)] for name in ("control_tests", "deficiencies")}
    for risk, control, last in gone.reset_index().itertuples(index=False, name=None):
        unit, objective = serves.get(risk, ("", ""))
        if unit in units:
            begins, until = units[unit]["report_from"], units[unit]["report_to"]
            since = until if pd.isna(begins) else begins
            if since <= last:  # a Type 1 report tells of no operation
                told = (0, 0, ()) if pd.isna(begins) else _said(said, control, since, min(last, until))
                yield Ended(unit, objective, risk, control, last.date(), bool(last >= until), *told)


def _said(
    tables: Mapping[str, Any], control: str, since: pd.Timestamp, last: pd.Timestamp
) -> tuple[int, int, tuple[tuple[str, date], ...]]:
    """What tests found of a control on some days, or when they were made: items, deviations; and what was closed."""
    tests, known = (table[table["control_id"] == control] for table in tables.values())
    days = [Period.parse(name) for name in tests["period"]]
    first = tests["covers_from"].fillna(pd.Series([pd.Timestamp(one.first_day) for one in days], tests.index))
    until = tests["covers_to"].fillna(pd.Series([pd.Timestamp(one.last_day) for one in days], tests.index))
    mine = tests[(first <= last) & (until >= since) & (tests["tested_on"] >= since)]
    closed = known[known["closed_on"] >= since][["deficiency_id", "closed_on"]].itertuples(index=False, name=None)
    told = tuple((name, on.date()) for name, on in closed)
    return int(mine["sample_size"].sum()), int(mine["deviations"].sum()), told


def _begun(register: Register, day: pd.Timestamp) -> Iterator[tuple[str, str, date]]:
    """What didn't always exist by a day: a risk or control, what acts on the risk or blank, and the first day."""
    links = (_acting(register, day), ["risk_id", "control_id"])
    for rows, key in ((register.risks, ["risk_id"]), (register.controls, ["control_id"]), links):
        known = rows[~(rows["valid_from"] > day)]
        firsts = known["valid_from"].fillna(_EVER).groupby([known[column] for column in key]).min()
        for *names, first in firsts[firsts > _EVER].reset_index().itertuples(index=False, name=None):
            yield names[0], (*names, "")[1], first.date()


def _acting(register: Register, day: pd.Timestamp) -> pd.DataFrame:
    """The rows by which controls have acted on risks by a day, but for those that reach nothing."""
    links = register.risk_controls
    return links[(links["coverage"] > 0) & ~(links["valid_from"] > day)]


def _last_days(table: pd.DataFrame, key: str) -> pd.Series[Any]:
    """By key, the last day on which a row of it holds."""
    return table["valid_to"].fillna(_FOR_EVER).groupby(table[key]).max()
