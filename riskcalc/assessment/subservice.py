"""What the report of a carved-out subservice organisation says about the controls that it performs for us."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from riskcalc.assessment.testing import Conclusion, Days, uncovered
from riskcalc.errors import counted


def from_report(report: Mapping[Any, Any], days: Days, as_of: date, type1: bool = False) -> Conclusion:
    """Conclude on a carved-out control from the subservice organisation's own report, for some days of ours.

    A modified opinion or an exception that matters is as good as a failed test, whatever the type of the report. Only a
    Type 2 report, with its bridge letter, says that controls operated, and only for its own days: one of ours that
    isn't covered leaves insufficient evidence. What was reviewed, or ends, after ``as_of`` isn't there yet. For a
    Type 1 report of ours (``type1``), theirs of either type is enough if it speaks of any of the days.
    """
    if pd.isna(report["report_type"]):
        return Conclusion("not_tested", f"no report of {report['name']} is on record")
    last, said = report["report_to"].date(), _said(report)
    if last > as_of or (not pd.isna(report["reviewed_on"]) and report["reviewed_on"].date() > as_of):
        return Conclusion("not_tested", f"the report of {report['name']} wasn't there by {as_of}")
    faults = [f"opinion {report['opinion']}"] if report["opinion"] != "unmodified" else []
    faults += ["an exception that matters"] if report["exception"] == "matters" else []
    if faults:
        return Conclusion("not_effective", f"{said}: {' and '.join(faults)}")
    return _by_days(report, said, days, as_of, type1)


def _said(report: Mapping[Any, Any]) -> str:
    if report["report_type"] == "type1":
        return f"{report['name']} reports on design only (Type 1), at {report['report_to'].date()}"
    letter = "" if pd.isna(report["bridge_to"]) else f", with a letter to {report['bridge_to'].date()}"
    return f"{report['name']} reports on {report['report_from'].date()} to {report['report_to'].date()}{letter}"


def _by_days(report: Mapping[Any, Any], said: str, days: Days, as_of: date, type1: bool) -> Conclusion:
    """Conclude on a report without a fault by the days that it speaks of."""
    wanted, last = (days[0], min(days[1], as_of)), report["report_to"].date()
    left, _ = uncovered(wanted, covered_days(report, as_of))
    _, at_end = uncovered(days, covered_days(report, as_of))
    length = (wanted[1] - wanted[0]).days + 1
    if type1:
        speaks = left < length or (report["report_type"] == "type1" and wanted[0] <= last)
        name = "operated_effectively" if speaks else "not_tested"
        return Conclusion(name, f"{said}, without an exception that matters" if speaks else f"{said}, too long ago")
    if report["report_type"] == "type1":
        return Conclusion("insufficient_evidence", said, untested_days=length, roll_forward=at_end)
    if left >= length:
        return Conclusion("not_tested", f"{said}, not on any day of {days[0]} to {days[1]}", untested_days=length)
    if left:
        days_left = counted(left, "day")
        told = f"{said}: {days_left} of {wanted[0]} to {wanted[1]} not covered"
        return Conclusion("insufficient_evidence", told, untested_days=left, roll_forward=at_end)
    return Conclusion("operated_effectively", f"{said}, without an exception that matters", roll_forward=at_end)


def covered_days(report: Mapping[Any, Any], as_of: date) -> list[Days]:
    """The days that a Type 2 report and its bridge letter speak of: a letter speaks of the past, up to ``as_of``."""
    if report["report_type"] != "type2":
        return []
    found = [(report["report_from"].date(), report["report_to"].date())]
    if not pd.isna(report["bridge_to"]):
        given = report["bridge_from"]
        found.append((found[0][1] if pd.isna(given) else given.date(), min(report["bridge_to"].date(), as_of)))
    return found


def uncovered_days(report: Mapping[Any, Any], first: date, last: date, as_of: date = date.max) -> int:
    """Days from ``first`` to ``last`` that a subservice organisation's report and bridge letter don't cover.

    >>> report = {"report_type": "type2", "report_from": pd.Timestamp("2026-01-01"),
    ...           "report_to": pd.Timestamp("2026-06-30"), "bridge_from": None, "bridge_to": None}
    >>> uncovered_days(report, date(2026, 1, 1), date(2026, 7, 2))
    2
    """
    return uncovered((first, last), covered_days(report, as_of))[0]
