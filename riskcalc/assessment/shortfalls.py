"""What a control lacks for the opinion on its unit's report, in words for whoever relies on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from riskcalc.assessment.changes import at_end, former_links, former_rows, way
from riskcalc.errors import counted
from riskcalc.register import register as registers
from riskcalc.register.earlier import FormerControl
from riskcalc.register.register import Register


def missing(control: Mapping[Any, Any], step: str, report_type: str, unit_id: str) -> str:
    """What a control lacks at a step, in words for a unit; another unit's is asked about by that unit's own report."""
    ours, period = control["unit_id"] == unit_id, report_period(control, unit_id)
    type1 = (report_type if ours else control["report_type"]) == "type1"
    untested = "was not shown to be in use" if type1 else f"was not tested in {period}"
    was, on = ("was", f" on {control['then']}") if control["then"] else ("is", "")
    if step == "designed":
        return f"design {was} {control['design'].replace('_', ' ')}{on}"
    if step == "documented":
        return f"{was} not documented{on}"
    if control["conclusion"] == "not_tested":
        return untested if control["performed_by"] != "subservice" else control["why"]
    if step == "operated" and control["limited_by"] and control["conclusion"] == "operated_effectively":
        return f"{relying_on(control, control['limited_by'])}, which hasn't earned as much"
    if step == "operated":
        return f"{control['conclusion'].replace('_', ' ')} ({control['why']})"
    if step == "evidenced":
        lacking = control["unevidenced"]
        return f"has no evidence on record of {lacking}" if lacking else relied_on(control, unit_id)
    if control["to_come"]:
        runs = "its report's period" if ours else period
        return f"can't be shown yet: {_to_come(control, type1, runs)}"
    return _untested(control, period)


def waits(control: Mapping[Any, Any], step: str) -> bool:
    """Whether nothing but days to come mends what a control, or one that it relies on, lacks at a step."""
    if step == "evidenced" and control["doubt"] and not control["unevidenced"]:
        return waits(*control["doubt"])
    tested = control["conclusion"] != "not_tested" and control["untested_days"] <= control["allowed"]
    return step == "in_period" and tested and control["to_come"] > 0


def by_report(control: Mapping[Any, Any]) -> bool:
    """Whether a control that was concluded on rests on a subservice organisation's reports, not on tests of ours."""
    return control["performed_by"] == "subservice" and not control["tests"]


def relying_on(control: Mapping[Any, Any], relied: str) -> str:
    """That a control relies on another one, or did on the last day of a report that has ended."""
    return f"relied on {relied} on {control['then']}" if control["then"] else f"relies on {relied}"


def relied_on(control: Mapping[Any, Any], unit_id: str) -> str:
    """The control that this one relies on in vain, and what that lacks, in words for a unit; blank where none is so."""
    if control["doubt"] is None:
        return ""
    relied, step = control["doubt"]
    return f"{relying_on(control, relied['control_id'])}, which {missing(relied, step, 'type2', unit_id)}"


def report_period(control: Mapping[Any, Any], unit_id: str) -> str:
    """The period that a control's evidence is asked over, told to a unit: that of its own unit's report, whoever asks.

    >>> report_period({"unit_id": "payroll"}, "loans"), report_period({"unit_id": "loans"}, "payroll")
    ("the period of payroll's report", "the period of loans' report")
    """
    owner = control["unit_id"]
    whose = f"{owner}'" if owner.endswith("s") else f"{owner}'s"
    return "the report's period" if owner == unit_id else f"the period of {whose} report"


def until(last: date, type1: bool, period: str) -> str:
    """To which day of a report's period something was so, or that it was at a Type 1 report's date."""
    return f"on {last}" if type1 else f"until {last}, in {period}"


class Lapse(NamedTuple):
    """How a control was otherwise, on days of its report to a ``last`` one, by a row that ended, in words.

    ``weight``: ANY where that speaks against whatever rests on the control, OWN against what it carries, or blank.
    """

    text: str
    last: date
    weight: str


ANY, OWN = "any", "own"
_WHOM = {"own": "us", "user_entity": "clients"}


def lacked(register: Register, controls: Mapping[str, Any]) -> dict[str, list[Lapse]]:
    """By control, what it was on days of its report by rows that ended, and isn't any more, or wasn't at its end."""
    found: dict[str, list[Lapse]] = {}
    for name, rows in former_rows(register).items():
        for row in (one for one in rows if one.last >= controls[name]["since"]):
            days = _days(max(row.first, controls[name]["since"]), row.last)
            said = _otherwise(row, controls[name], register.methodology.weights.design)
            found.setdefault(name, []).extend(Lapse(f"{what} {days}", row.last, weight) for what, weight in said)
    return found


def acted(register: Register, risk: str, control: str) -> list[str]:
    """How a control acted otherwise on a risk, on days of the risk's report, by rows that ended."""
    key = (risk, control)
    former, end, now = former_links(register).get(key, ()), at_end(register).get(key), _acting(register).get(key)
    last = (end.acts_on, end.coverage) if end else now
    return [
        f"{control} acted on {one.acts_on} of {risk} with coverage {one.coverage:g} {_days(one.first, one.last)}"
        for one in former
        if (one.acts_on, one.coverage) != last
    ]


def unheld(controls: Iterable[str]) -> str:
    """That no key control acts on a risk; of those which do now, that they didn't at the report's end yet."""
    since = ", ".join(sorted(controls))
    return (
        f"no key control acted on it at the report's end; {since} has since" if since else "no key control acts on it"
    )


def resting_on(rows: Mapping[str, Any]) -> list[tuple[Any, str] | None]:
    """By control, one that it relies on, through any chain, without evidence or untested for too long, and which."""

    def lacking(name: str) -> tuple[Any, str] | None:
        known = [name]
        for each in known:  # grows as it is read
            known += [relied for relied in rows[each]["relies_on"] if relied not in known]
        doubtful = (one for one in known[1:] if not (rows[one]["evidenced"] and rows[one]["in_period"]))
        one = next((rows[one] for one in doubtful if rows[one]["operated"]), None)
        return one and (one, "in_period" if one["evidenced"] else "evidenced")

    return [lacking(name) for name in rows]


def faults(rows: Mapping[str, Any], needed: Iterable[str]) -> list[str]:
    """How grave what each control lacks is; what limits it makes its fault the control's own."""
    found: dict[str, str] = {}

    def fault(name: str) -> str:
        if name not in found:
            row = rows[name]
            broken = not (row["designed"] and row["documented"]) or row["conclusion"] == "not_effective"
            lacks = not all(row[step] for step in needed)
            found[name] = "hard" if broken else "soft" if lacks else ""
            if not broken and any(fault(each) == "hard" for each in row["relies_on"]):
                found[name] = "hard"
        return found[name]

    return [fault(name) for name in rows]


# --- parts ---


def _days(first: date, last: date) -> str:
    return f"from {first} to {last}" if first < last else f"on {first}"


@registers.once
def _acting(register: Register) -> dict[tuple[str, str], tuple[str, float]]:
    """By risk and control, on what it acts, and its coverage."""
    links = register.rows("risk_controls")
    return {(one["risk_id"], one["control_id"]): (one["acts_on"], float(one["coverage"])) for one in links}


def _untested(control: Mapping[Any, Any], period: str) -> str:
    """On how many of a report's days nothing speaks of a control."""
    what = "is not covered by its organisation's reports" if by_report(control) else "was not tested"
    days = counted(int(control["untested_days"]), "day")
    return f"{what} on {days} of {period}, over the {control['allowed']} allowed"


def _to_come(control: Mapping[Any, Any], type1: bool, period: str) -> str:
    """How long a report's period still runs, and which of its days so far a later test has yet to cover."""
    still, untested = counted(int(control["to_come"]), "day"), int(control["untested_days"])
    if type1:
        return f"{period.replace('period', 'date', 1)} is still {still} ahead"
    if untested <= control["allowed"]:
        return f"{period} still runs for {still}"
    what, by = ("not covered by its organisation's reports", "one") if by_report(control) else ("untested", "a test")
    over = f"over the {control['allowed']} allowed, until {by} covers them"
    return f"{period} still runs for {still}; {counted(untested, 'day')} so far {what}, {over}"


def _otherwise(row: FormerControl, now: Mapping[Any, Any], design: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How a row that ended differs from a control as it is, and how that weighs."""
    if not row.documented and now["documented"]:
        yield "was not documented", ANY
    if design[row.design] < 1 and row.design != now["design"]:
        yield f"was of {row.design.replace('_', ' ')} design", ANY
    yield from ((f"relied on {one}", ANY) for one in row.relies_on if one not in now["relies_on"])
    if row.key != now["key"]:
        yield ("was a key control", "") if row.key else ("was no key control", OWN)
    then, since = way(row._asdict()), way(now)
    if then[:2] != since[:2]:
        yield f"was performed by {_WHOM.get(row.performed_by) or row.subservice_id or 'somebody unnamed'}", ""
    if row.nature != now["nature"]:
        yield f"was {row.nature.replace('_', '-')}", ""
    if row.frequency != now["frequency"]:
        yield f"was of {row.frequency.replace('_', ' ')} frequency", ""
