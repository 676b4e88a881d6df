"""What the reports of a carved-out subservice organisation say about the controls that it performs for us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd

from riskcalc.assessment.testing import Conclusion, Days, uncovered
from riskcalc.errors import counted
from riskcalc.register import register as registers
from riskcalc.register.register import Register

Report = Mapping[Any, Any]
Reports = Sequence[Report]
_OF_A_REPORT = ("report_type", "report_from", "report_to", "opinion", "exception", "bridge_from", "bridge_to",
                "reviewed_by", "reviewed_on")  # fmt: skip


@registers.once
def reports(register: Register) -> Mapping[str, Reports]:
    """By subservice organisation, also one that is gone, what its rows say of its reports: earliest first."""
    found: dict[str, list[Report]] = {}
    for each in sorted(register.earlier.reports, key=lambda each: each.valid_to):
        found.setdefault(each.subservice_id, []).append(each._asdict())
    for one in register.rows("subservice_organisations"):
        found.setdefault(one["subservice_id"], []).append(one)
    return found


def unnamed(control: Mapping[Any, Any]) -> bool:
    """Whether a subservice organisation performs a control, and nobody says which."""
    return bool(control["performed_by"] == "subservice" and pd.isna(control["subservice_id"]))


def speaking_for(register: Register, control: Mapping[Any, Any]) -> Reports:
    """The reports that a control is concluded on by: of a subservice organisation, carved out; none where tests do."""
    told = reports(register).get(control["subservice_id"], ()) if control["performed_by"] == "subservice" else ()
    return told if told and told[-1]["method"] == "carve_out" else ()


def tested_here(register: Register, control: Mapping[Any, Any]) -> bool:
    """Whether our tests speak for a control: we perform it, or a subservice organisation under the inclusive method."""
    others = control["performed_by"] == "user_entity" or unnamed(control)
    return not others and not speaking_for(register, control)


def from_report(told: Reports, days: Days, as_of: date, type1: bool = False, throughout: bool = False) -> Conclusion:
    """Conclude on a carved-out control from the subservice organisation's own reports, for some days of ours.

    A modified opinion or an exception that matters is as good as a failed test, in the latest report whatever its type
    and days, in an earlier one as far as it covers days that no other does. Over all the days of our Type 2 report
    (``throughout``) the latest one, too, must speak of some, unless those without a fault leave some open.
    Only a Type 2 report, with its bridge letter, says that controls operated, for its own days: one of ours that none
    covers leaves insufficient evidence.
    What was reviewed, or ends, after ``as_of`` isn't there yet, nor is an earlier report that nobody reviewed.
    For a Type 1 report of ours (``type1``), theirs of either type is enough if it speaks of any of the days.
    """
    there, wanted = on_record(told, as_of), (days[0], min(days[1], as_of))
    if not there:
        return _nothing_there(told, as_of)
    good = [each for each in there if not _faults(each)]
    found = _by_days(good, days, as_of) if good and not type1 else None
    whole = throughout and found is not None and found.name == "operated_effectively"
    for each in (each for each in reversed(there) if _faults(each)):
        latest = each is there[-1] and not (whole and not _speaks(each, wanted, as_of))
        if latest or (not type1 and _adds(each, good, wanted, as_of)):
            return Conclusion("not_effective", f"{_said([each])}: {' and '.join(_faults(each))}", unread=_unread(each))
    if found is None:
        return _in_use(good, wanted, as_of)
    unread = [each for each in _unreviewed(told, as_of) if _adds(each, good, wanted, as_of)]
    rests = len(good) == 1 or _adds(good[-1], good[:-1], wanted, as_of)
    return replace(found, reason="; ".join([found.reason, *_waiting(unread)]), unread=rests and _unread(good[-1]))


def on_record(told: Reports, as_of: date) -> list[Report]:
    """The reports that count by a day: those that are over and, the latest if at all, reviewed by then."""
    return [
        each
        for each in _over(told, as_of)
        if (each is told[-1] if _unread(each) else each["reviewed_on"].date() <= as_of)
    ]


def latest(register: Register, as_of: date) -> Mapping[str, Report]:
    """The rows of subservice organisations, each with what the latest report says that there is by a day.

    Where none is there yet, the columns that tell of one are None.
    """
    none, known = dict.fromkeys(_OF_A_REPORT), reports(register)
    found = {one["subservice_id"]: known[one["subservice_id"]] for one in register.rows("subservice_organisations")}
    return {name: {**told[-1], **none, **dict(*there(told, as_of)[-1:])} for name, told in found.items()}


def there(told: Reports, as_of: date) -> list[Report]:
    """The reports that are over by a day, but for those that were reviewed after it."""
    return [each for each in _over(told, as_of) if _unread(each) or each["reviewed_on"].date() <= as_of]


def covered_days(report: Report, as_of: date) -> list[Days]:
    """The days that a Type 2 report and its bridge letter speak of: a letter speaks of the past, up to ``as_of``."""
    if report["report_type"] != "type2":
        return []
    found = [(report["report_from"].date(), report["report_to"].date())]
    if not pd.isna(report["bridge_to"]):
        given = report["bridge_from"]
        found.append((found[0][1] if pd.isna(given) else given.date(), min(report["bridge_to"].date(), as_of)))
    return found


def uncovered_days(told: Iterable[Report], first: date, last: date, as_of: date = date.max) -> int:
    """Days from ``first`` to ``last`` that a subservice organisation's reports and bridge letters don't cover.

    >>> report = {"report_type": "type2", "report_from": pd.Timestamp("2026-01-01"),
    ...           "report_to": pd.Timestamp("2026-06-30"), "bridge_from": None, "bridge_to": None}
    >>> uncovered_days([report], date(2026, 1, 1), date(2026, 7, 2))
    2
    """
    return uncovered((first, last), [span for each in told for span in covered_days(each, as_of)])[0]


# --- parts ---


def _unread(report: Report) -> bool:
    return bool(pd.isna(report["reviewed_on"]))


def _unreviewed(told: Reports, as_of: date) -> list[Report]:
    """The reports on rows that ended that were over by a day, and that nobody has reviewed."""
    return [each for each in _over(told[:-1], as_of) if _unread(each)]


def _over(told: Reports, as_of: date) -> list[Report]:
    """The reports that there are, as far as they were over by a day."""
    return [each for each in told if not pd.isna(each["report_type"]) and each["report_to"].date() <= as_of]


def _waiting(unread: Reports) -> list[str]:
    return [f"nobody has reviewed its report to {each['report_to'].date()}" for each in unread]


def _nothing_there(told: Reports, as_of: date) -> Conclusion:
    name, given = told[-1]["name"], [each for each in told if not pd.isna(each["report_type"])]
    waiting = _waiting(_unreviewed(told, as_of))
    if not given:
        said = f"no report of {name} is on record"
    elif pd.isna(told[-1]["report_type"]) and waiting:
        said = f"no reviewed report of {name} is on record"
    else:
        said = f"the report of {name} wasn't there by {as_of}"
    return Conclusion("not_tested", "; ".join([said, *waiting]))


def _faults(report: Report) -> list[str]:
    faults = [f"opinion {report['opinion']}"] if report["opinion"] != "unmodified" else []
    return faults + (["an exception that matters"] if report["exception"] == "matters" else [])


def _adds(report: Report, others: Reports, days: Days, as_of: date) -> bool:
    """Whether a report covers some of the days that no other one does."""
    return uncovered_days([report, *others], *days, as_of) < uncovered_days(others, *days, as_of)


def _speaks(report: Report, days: Days, as_of: date) -> bool:
    """Whether a report covers some of the days, or, of Type 1, is at one of them."""
    at = report["report_to"].date()
    return _adds(report, (), days, as_of) or (report["report_type"] == "type1" and days[0] <= at <= days[1])


def _said(told: Reports) -> str:
    said = [f"{told[-1]['name']} {_reported(told[0])}", *(_reported(each) for each in told[1:])]
    return ", and ".join(dict.fromkeys(said))


def _reported(report: Report) -> str:
    if report["report_type"] == "type1":
        return f"reports on design only (Type 1), at {report['report_to'].date()}"
    letter: str = "" if pd.isna(report["bridge_to"]) else f", with a letter to {report['bridge_to'].date()}"
    return f"reports on {report['report_from'].date()} to {report['report_to'].date()}{letter}"


def _in_use(good: Reports, wanted: Days, as_of: date) -> Conclusion:
    """Conclude for a Type 1 report of ours on reports without a fault: one of either type is enough."""
    for each in reversed(good):
        if _speaks(each, wanted, as_of):
            said = f"{_said([each])}, without an exception that matters"
            return Conclusion("operated_effectively", said, unread=_unread(each))
    return Conclusion("not_tested", f"{_said(good[-1:])}, too long ago")


def _by_days(good: Reports, days: Days, as_of: date) -> Conclusion:
    """Conclude on reports without a fault by the days that they speak of."""
    wanted, covered = (days[0], min(days[1], as_of)), [span for each in good for span in covered_days(each, as_of)]
    left, at_end = uncovered(wanted, covered)[0], uncovered(days, covered)[1]
    said = _said([each for each in good[:-1] if _adds(each, good[-1:], wanted, as_of)] + [*good[-1:]])
    length = max(0, (wanted[1] - wanted[0]).days + 1)
    if left >= length and good[-1]["report_type"] == "type1":
        return Conclusion("insufficient_evidence", said, untested_days=length, roll_forward=at_end)
    if left >= length:
        return Conclusion("not_tested", f"{said}, not on any day of {days[0]} to {days[1]}", untested_days=length)
    if left:
        told = f"{said}: {counted(left, 'day')} of {wanted[0]} to {wanted[1]} not covered"
        return Conclusion("insufficient_evidence", told, untested_days=left, roll_forward=at_end)
    return Conclusion("operated_effectively", f"{said}, without an exception that matters", roll_forward=at_end)
