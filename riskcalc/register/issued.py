"""What rows that have ended say of reports, ours and others', and of controls: the next row does not undo it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

import pandas as pd

from riskcalc.register.records import records


class Issued(NamedTuple):
    """What a unit's row said of a report that was issued, by the columns of business_units."""

    unit_id: str
    report_type: str
    report_from: date | None
    report_to: date
    issued_on: date
    opinion: str | None
    bridge_from: date | None
    bridge_letter_until: date | None

    def without(self, columns: Iterable[str]) -> Issued:
        """The same with these columns blank, which are withheld."""
        told: dict[str, Any] = {**self._asdict(), **dict.fromkeys({*columns} & {*self._fields})}
        return Issued(**told)


class FormerReport(NamedTuple):
    """What a subservice organisation's row said of its report until it ended, by the columns of that table."""

    subservice_id: str
    name: str
    report_type: str
    report_from: pd.Timestamp | None
    report_to: pd.Timestamp
    opinion: str
    exception: str | None
    bridge_from: pd.Timestamp | None
    bridge_to: pd.Timestamp | None
    reviewed_on: pd.Timestamp | None
    valid_to: pd.Timestamp


class Ended(NamedTuple):
    """A control that acted on a risk to an objective in its unit's report until a day, and doesn't any more.

    ``after``: it did to the report's end. With what its tests and deficiencies said of the report until then: items,
    those that deviated, what was closed.
    """

    unit_id: str
    objective_id: str
    risk_id: str
    control_id: str
    last: date
    after: bool
    items: int
    deviations: int
    closed: tuple[tuple[str, date], ...]


class FormerControl(NamedTuple):
    """How a row of a control had it until it ended, on these days of its unit's report, of Type 1 its date."""

    control_id: str
    design: str
    documented: bool
    relies_on: tuple[str, ...]
    first: date
    last: date


def reported_before(organisations: pd.DataFrame, day: pd.Timestamp) -> frozenset[FormerReport]:
    """The reports on rows of subservice organisations that ended before a day."""
    found = organisations[(organisations["valid_to"] < day) & organisations["report_type"].notna()]
    rows = found[list(FormerReport._fields)].astype(object)
    return frozenset(FormerReport(*row) for row in rows.where(rows.notna(), None).itertuples(index=False))


def controls_before(controls: pd.DataFrame, stood: pd.DataFrame, day: pd.Timestamp) -> frozenset[FormerControl]:
    """What rows of the controls that ``stood`` on a day said before, as far as they held in their unit's report."""
    reports = stood.set_index("control_id")[["report_from", "report_to"]]
    reports = reports.assign(report_from=reports["report_from"].fillna(reports["report_to"]))
    found = controls[controls["valid_to"] < day].drop(columns=[*reports]).join(reports, on="control_id")
    first, last = found[["report_from", "valid_from"]].max(axis=1), found[["report_to", "valid_to"]].min(axis=1)
    of_report = found["report_from"].notna() & (first <= last)
    found = found.assign(first=first.dt.date, last=last.dt.date, documented=found["documentation"].notna())[of_report]
    return frozenset(FormerControl(**{name: row[name] for name in FormerControl._fields}) for row in records(found))


def issued_before(units: pd.DataFrame, day: pd.Timestamp) -> frozenset[Issued]:
    """The issued reports on rows of ``units`` that ended before a day."""
    found = units[(units["valid_to"] < day) & units["issued_on"].notna()]
    rows = records(found[list(Issued._fields)])
    return frozenset(Issued(**{name: _plain(cell) for name, cell in row.items()}) for row in rows)


def latest(unit: Mapping[Any, Any], earlier: Iterable[Issued]) -> dict[Any, Any]:
    """A unit's row with its latest report: of ``earlier`` ones the last, unless the row's own was issued since.

    Columns that the row doesn't have, since they are withheld, stay away.
    """
    mine = (each for each in earlier if each.unit_id == unit["unit_id"])
    last = max(mine, key=lambda each: (each.issued_on, each.report_to), default=None)
    if last is None or unit["issued_on"] >= pd.Timestamp(last.issued_on):
        return dict(unit)
    told = {name: _cell(name, value) for name, value in last._asdict().items() if name in unit}
    return {**unit, **told}


def with_latest(units: pd.DataFrame, earlier: Collection[Issued]) -> pd.DataFrame:
    """All units, each with its ``latest`` report."""
    if not earlier:
        return units
    mine = by_unit(earlier)
    rows = [latest(row, mine.get(row["unit_id"], ())) for row in records(units)]
    return pd.DataFrame(rows, units.index, units.columns).astype(units.dtypes.to_dict())


def by_unit(reports: Iterable[Issued]) -> dict[str, list[Issued]]:
    """The reports of each unit that has some."""
    found: dict[str, list[Issued]] = {}
    for each in reports:
        found.setdefault(each.unit_id, []).append(each)
    return found


# --- parts ---


def _plain(cell: Any) -> Any:  # noqa: ANN401 - a cell holds anything
    """A cell as Python's own value, None where it is blank."""
    if pd.isna(cell):
        return None
    return cell.date() if isinstance(cell, pd.Timestamp) else cell


def _cell(name: str, value: date | str | None) -> object:
    """A value as a row of the table has it."""
    return value if name in ("unit_id", "report_type", "opinion") else pd.Timestamp(value) if value else pd.NaT
