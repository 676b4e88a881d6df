"""What of controls, and of how they act on risks, changed within a report's days: the next row doesn't undo it.

A control that somebody else performed, or that was performed otherwise, on some of the days is concluded on part by
part, each by the evidence of its own days; what began only after the report's last day is none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from riskcalc.assessment.subservice import unnamed
from riskcalc.assessment.testing import RANKS, Conclusion, Days
from riskcalc.register import register as registers
from riskcalc.register.earlier import FormerControl, FormerLink
from riskcalc.register.records import grouped
from riskcalc.register.register import Register

WAY = ("performed_by", "subservice_id", "nature", "frequency")


@registers.once
def former_rows(register: Register) -> Mapping[str, Sequence[FormerControl]]:
    """By control, what its rows that have ended said of days of its report, earliest first."""
    return grouped((one.control_id, one) for one in sorted(register.earlier.controls))


def parts(register: Register, control: Mapping[Any, Any], days: Days) -> list[dict[Any, Any]]:
    """A control's rows over its days of a report, one for each ``part`` on which the same did it in the same way."""
    former = [one for one in former_rows(register).get(control["control_id"], ()) if one.last >= days[0]]
    rows = [({**control, **{name: getattr(one, name) for name in (*WAY, "relies_on")}}, one.last) for one in former]
    if not former or former[-1].last < days[1]:
        rows.append((dict(control), days[1]))
    found: list[dict[Any, Any]] = []
    since = days[0]
    for row, last in rows:
        if found and way(found[-1]) == way(row):
            found[-1]["part"] = (found[-1]["part"][0], last)
        else:
            found.append({**row, "part": (since, last)})
        since = last + timedelta(days=1)
    return found


def way(control: Mapping[Any, Any]) -> tuple[Any, ...]:
    """Who performs a control, and how, as far as it says which evidence shows that it operated."""
    by_program = control["nature"] == "automated" and bool(control["relies_on"])
    whom = control["subservice_id"] if control["performed_by"] == "subservice" and not unnamed(control) else None
    return control["performed_by"], whom, control["nature"], control["frequency"], by_program


def together(
    found: Sequence[tuple[Days, Conclusion]], tested: tuple[int, int], annual: bool, allowed: int, as_of: date
) -> Conclusion:
    """The conclusion on a control from those on its parts: it is as good as the worst of those that anything shows.

    Parts that nothing shows add their days to the untested ones, and are left ``open``. ``tested`` are the items of all
    its tests, and those that deviated; ``allowed`` how many days may be untested.
    """
    shown = [one for _, one in found if one.name != "not_tested"]
    worst = min(shown or [one for _, one in found], key=lambda one: RANKS[one.name])
    lengths = [(min(days[1], as_of) - days[0]).days + 1 for days, _ in found]
    untested = [
        length * (not annual) if one.name == "not_tested" else one.untested_days
        for length, (_, one) in zip(lengths, found, strict=True)
    ]
    left_open = tuple(days for days, one in found if one.name == "not_tested") if shown else ()
    too_little = left_open and sum(untested) > allowed and worst.name == "operated_effectively"
    return replace(
        worst,
        name="insufficient_evidence" if too_little else worst.name,
        reason="; ".join(f"{_told(days, found[-1][0])}: {one.reason}" for days, one in found),
        sample_size=tested[0],
        deviations=tested[1],
        upper_limit=worst.upper_limit if len([one for one in shown if one.tests]) == 1 else None,
        tests=tuple(dict.fromkeys(test for _, one in found for test in one.tests)),
        untested_days=sum(untested),
        roll_forward=_at_end(found),
        unread=any(one.unread for one in shown),
        open=left_open,
    )


@registers.once
def after_report(register: Register) -> frozenset[tuple[str, str]]:
    """What held on no day of its unit's report, as it began later: a risk and a blank, or a control that acts on it."""
    ends = _ends(register)
    begun = {one[:2]: one[2] for one in register.earlier.begun}
    found = {(risk, "") for risk, end in ends.items() if begun.get((risk, ""), end) > end}
    for link in register.rows("risk_controls"):
        risk, control = link["risk_id"], link["control_id"]
        if max(begun.get(key, date.min) for key in ((risk, control), (control, ""))) > ends[risk]:
            found.add((risk, control))
    return frozenset(found)


@registers.once
def in_report(register: Register) -> Mapping[str, str]:
    """The risks that were in their unit's report, each with the objective that it threatened at the end."""
    then = {(one.unit_id, one.risk_id): one.objective_id for one in register.earlier.risks if one.after}
    later = after_report(register)
    rows = [one for one in register.rows("risks") if (one["risk_id"], "") not in later]
    return {one["risk_id"]: then.get((one["unit_id"], one["risk_id"]), one["objective_id"]) for one in rows}


@registers.once
def former_links(register: Register) -> Mapping[tuple[str, str], Sequence[FormerLink]]:
    """By risk and control, how that acted on the risk on days of its unit's report, by rows that ended."""
    return grouped(((one.risk_id, one.control_id), one) for one in sorted(register.earlier.links))


@registers.once
def at_end(register: Register) -> Mapping[tuple[str, str], FormerLink]:
    """By risk and control, how that acted on the last day of a report that has ended, by a row that ended."""
    ends = _ends(register)
    last = {key: links[-1] for key, links in former_links(register).items()}
    return {key: link for key, link in last.items() if link.last >= ends[key[0]]}


@registers.once
def over_report(register: Register) -> Mapping[tuple[str, str], tuple[str, float]]:
    """Where it isn't as it is now: on what a control acted on all the days of a report, and the least coverage."""
    found = {key: ("both", 0.0) for key in after_report(register) if key[1]}
    ends = _ends(register)
    for link in register.rows("risk_controls") if register.earlier.links else ():
        key = link["risk_id"], link["control_id"]
        former = former_links(register).get(key, ())
        if former and key not in found:
            now = [(link["acts_on"], float(link["coverage"]))] if former[-1].last < ends[key[0]] else []
            found[key] = _least([*((one.acts_on, one.coverage) for one in former), *now])
    return found


@registers.once
def appetites(register: Register) -> Mapping[str, tuple[str, date | None]]:
    """By unit, the lowest appetite of its report's days, and the last of them where it has another one since."""
    rank = {name: place for place, name in enumerate(register.methodology.level_names)}
    former = grouped((one.unit_id, one) for one in sorted(register.earlier.appetites))
    found: dict[str, tuple[str, date | None]] = {}
    for unit in register.rows("business_units"):
        now, known = unit["appetite"], former.get(unit["unit_id"], ())
        rows = [(one.appetite, None if one.appetite == now else one.last) for one in known]
        if not known or known[-1].last < unit["report_to"].date():
            rows.append((now, None))
        found[unit["unit_id"]] = min(rows, key=lambda one: rank.get(one[0], -1))
    return found


def of_report(register: Register, report_type: str) -> list[tuple[str, str, date | None]]:
    """The objectives that were in their unit's report, in order, then those that have ended, each with its last day."""
    units = {row["unit_id"]: row["report_to"].date() for row in register.rows("business_units")}
    first = {one[:2]: one.first for one in register.earlier.objectives if one.last is None}
    rows = [(one["unit_id"], one["objective_id"]) for one in register.rows("control_objectives")]
    found: list[tuple[str, str, date | None]] = [
        (*key, None) for key in rows if (first.get(key) or units[key[0]]) <= units[key[0]]
    ]
    gone = (one for one in sorted(register.earlier.objectives, key=lambda one: one[:2]) if one.last)
    return found + [(*one[:2], one.last) for one in gone if report_type == "type2" or one.after]


# --- parts ---


@registers.once
def _ends(register: Register) -> Mapping[str, date]:
    """By risk, the last day, or date, of its unit's report."""
    units = {row["unit_id"]: row["report_to"].date() for row in register.rows("business_units")}
    return {row["risk_id"]: units[row["unit_id"]] for row in register.rows("risks")}


def _told(days: Days, last: Days) -> str:
    return f"since {days[0]}" if days == last else f"{days[0]} to {days[1]}"


def _at_end(found: Sequence[tuple[Days, Conclusion]]) -> int:
    """The days at the report's end that no part's evidence covers."""
    total = 0
    for days, one in reversed(found):
        length = (days[1] - days[0]).days + 1
        left = length if one.name == "not_tested" else one.roll_forward
        total += left
        if left < length:
            break
    return total


def _least(acted: Iterable[tuple[str, float]]) -> tuple[str, float]:
    """What a control did of several ways to act on a risk in each of them."""
    sides, coverages = zip(*acted, strict=True)
    single = sorted({*sides} - {"both"})
    return (single or ["both"])[0], 0.0 if len(single) > 1 else min(coverages)
