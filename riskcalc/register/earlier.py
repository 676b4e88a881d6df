"""What rows that have ended say of reports, ours and others', and of controls: the next row does not undo it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import pandas as pd

from riskcalc.register.records import by_index, grouped, records


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
    method: str
    report_type: str | None
    report_from: pd.Timestamp | None
    report_to: pd.Timestamp | None
    opinion: str | None
    exception: str | None
    bridge_from: pd.Timestamp | None
    bridge_to: pd.Timestamp | None
    reviewed_on: pd.Timestamp | None
    valid_to: pd.Timestamp


class CameOrLeft(NamedTuple):
    """A subservice organisation that wasn't always one, ``first`` its first day, or isn't any more since ``last``."""

    subservice_id: str
    name: str
    first: date | None
    last: date | None


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
    first: date
    last: date
    design: str
    documented: bool
    relies_on: tuple[str, ...]
    performed_by: str
    subservice_id: str | None
    nature: str
    frequency: str
    key: bool


class FormerLink(NamedTuple):
    """How a control acted on a risk until a row of it ended, on these days of its unit's report, of Type 1 its date."""

    risk_id: str
    control_id: str
    first: date
    last: date
    acts_on: str
    coverage: float


class FormerAppetite(NamedTuple):
    """A unit's appetite by a row that ended, and the last of the days of its report on which it held."""

    unit_id: str
    last: date
    appetite: str


class FormerRisk(NamedTuple):
    """A risk to an objective in its unit's report until a day, which it isn't any more; ``after``: to its end."""

    unit_id: str
    objective_id: str
    risk_id: str
    last: date
    after: bool


class OtherObjective(NamedTuple):
    """A control objective that wasn't always a unit's, ``first`` its first day, or that was in its report to ``last``.

    ``after``: that is the report's last day, or later.
    """

    unit_id: str
    objective_id: str
    first: date | None
    last: date | None
    after: bool


class Earlier(NamedTuple):
    """What is known beside a register's tables as they stood: what rows say that have ended, or that began some day.

    ``ended`` are the controls that acted on a risk earlier in its unit's report, also on one that has ended; ``begun``
    the risks and controls that didn't always exist, and the controls that didn't always act on a risk: risk or control,
    that control or blank, first day. ``issued`` are the reports that were issued on rows of units that have ended,
    ``reports`` those that such rows of subservice organisations tell of; ``controls``, ``links``, ``appetites`` and
    ``risks`` what such rows say of days of their unit's report; ``objectives`` those that began some day, or ended in
    that report or since, and ``vendors`` the subservice organisations that weren't always there, or are gone.
    """

    ended: frozenset[Ended] = frozenset()
    begun: frozenset[tuple[str, str, date]] = frozenset()
    issued: frozenset[Issued] = frozenset()
    reports: frozenset[FormerReport] = frozenset()
    controls: frozenset[FormerControl] = frozenset()
    links: frozenset[FormerLink] = frozenset()
    appetites: frozenset[FormerAppetite] = frozenset()
    risks: frozenset[FormerRisk] = frozenset()
    objectives: frozenset[OtherObjective] = frozenset()
    vendors: frozenset[CameOrLeft] = frozenset()


def reported_before(organisations: pd.DataFrame, day: pd.Timestamp) -> frozenset[FormerReport]:
    """The reports on rows of subservice organisations that ended before a day; of one that is gone, its last row."""
    over = organisations["valid_to"] < day
    gone = ~organisations["subservice_id"].isin(organisations.loc[~over, "subservice_id"])
    last = organisations["valid_to"] == organisations.groupby("subservice_id")["valid_to"].transform("max")
    found = organisations[over & (organisations["report_type"].notna() | (gone & last))]
    rows = found[list(FormerReport._fields)].astype(object)
    return frozenset(FormerReport(*row) for row in rows.where(rows.notna(), None).itertuples(index=False))


def came_or_left(organisations: pd.DataFrame, day: pd.Timestamp) -> Iterator[CameOrLeft]:
    """The subservice organisations that came by a day, or were gone by it, each by its latest name."""
    known = organisations[~(organisations["valid_from"] > day)].sort_values("valid_from", na_position="first")
    for name, own in known.groupby("subservice_id"):
        always, stays = own["valid_from"].isna().any(), (own["valid_to"].isna() | (own["valid_to"] >= day)).any()
        if not (always and stays):
            first, last = None if always else own["valid_from"].min(), None if stays else own["valid_to"].max()
            yield CameOrLeft(str(name), own["name"].iloc[-1], first and first.date(), last and last.date())


def controls_before(controls: pd.DataFrame, stood: pd.DataFrame, day: pd.Timestamp) -> frozenset[FormerControl]:
    """What rows of the controls that ``stood`` on a day said before, as far as they held in their unit's report."""
    found = _in_report(controls, stood.set_index("control_id"), "control_id", day)
    found = found.assign(documented=found["documentation"].notna())
    rows = ({name: _plain(row[name]) for name in FormerControl._fields} for row in records(found))
    return frozenset(FormerControl(**row) for row in rows)


def links_before(links: pd.DataFrame, risks: pd.DataFrame, day: pd.Timestamp) -> frozenset[FormerLink]:
    """How controls acted, by rows that ended before a day, on risks that stand, in the reports that these have."""
    found = _in_report(links[links["coverage"] > 0], risks.set_index("risk_id"), "risk_id", day)
    rows = ({name: row[name] for name in FormerLink._fields} for row in records(found))
    return frozenset(FormerLink(**{**row, "coverage": float(row["coverage"])}) for row in rows)


def appetites_before(units: pd.DataFrame, stood: pd.DataFrame, day: pd.Timestamp) -> frozenset[FormerAppetite]:
    """The appetites of rows of the units that ``stood`` on a day, which ended before it, in the reports of today."""
    found = _in_report(units, stood.set_index("unit_id"), "unit_id", day)
    rows = found[list(FormerAppetite._fields)].itertuples(index=False, name=None)
    return frozenset(FormerAppetite(*row) for row in rows)


def risks_before(
    risks: pd.DataFrame, stood: pd.DataFrame, units: pd.DataFrame, day: pd.Timestamp
) -> Iterator[FormerRisk]:
    """The risks that ended before a day, or threaten another objective since, but did in the report of their unit."""
    key = ["unit_id", "objective_id", "risk_id"]
    now = set(stood[key].itertuples(index=False, name=None))
    ends = _in_report(risks, units.set_index("unit_id"), "unit_id", day)
    for names, rows in ends.groupby(key):
        if names not in now:
            last, until = rows["valid_to"].max(), rows["report_to"].iloc[0]
            unit, objective, risk = map(str, names)
            yield FormerRisk(unit, objective, risk, last.date(), bool(last >= until))


def other_objectives(objectives: pd.DataFrame, units: pd.DataFrame, day: pd.Timestamp) -> Iterator[OtherObjective]:
    """Of units' objectives those that began some day, and those that ended before a day, but were in the report."""
    reports = by_index(units.set_index("unit_id"))
    for (unit, name), rows in objectives[~(objectives["valid_from"] > day)].groupby(["unit_id", "objective_id"]):
        first, last, report = (
            rows["valid_from"].min(skipna=False),
            rows["valid_to"].max(skipna=False),
            reports.get(unit),
        )
        since = report and (report["report_to"] if pd.isna(report["report_from"]) else report["report_from"])
        if report and last < day and last >= since:
            yield OtherObjective(str(unit), str(name), _plain(first), last.date(), bool(last >= report["report_to"]))
        elif report and not pd.isna(first) and not last < day:
            yield OtherObjective(str(unit), str(name), first.date(), None, False)


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
    return grouped((each.unit_id, each) for each in reports)


# --- parts ---


def _in_report(rows: pd.DataFrame, owners: pd.DataFrame, key: str, day: pd.Timestamp) -> pd.DataFrame:
    """The rows that ended before a day, with their ``first`` and ``last`` day of the report that their owner has."""
    reports = owners[["report_from", "report_to"]]
    reports = reports.assign(report_from=reports["report_from"].fillna(reports["report_to"]))
    found = rows[rows["valid_to"] < day].drop(columns=[*reports], errors="ignore").join(reports, on=key)
    first, last = found[["report_from", "valid_from"]].max(axis=1), found[["report_to", "valid_to"]].min(axis=1)
    of_report = found["report_from"].notna() & (first <= last)
    return found.assign(first=first.dt.date, last=last.dt.date)[of_report]


def _plain(cell: Any) -> Any:  # noqa: ANN401 - a cell holds anything
    """A cell as Python's own value, None where it is blank."""
    if pd.isna(cell):
        return None
    return cell.date() if isinstance(cell, pd.Timestamp) else cell


def _cell(name: str, value: date | str | None) -> object:
    """A value as a row of the table has it."""
    return value if name in ("unit_id", "report_type", "opinion") else pd.Timestamp(value) if value else pd.NaT
