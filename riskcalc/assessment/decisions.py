"""What somebody has to decide before the report can be what it should be: what, who, and by when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import compress
from typing import Any

import pandas as pd

from riskcalc.assessment.context import Context, once
from riskcalc.assessment.readiness import blocking
from riskcalc.assessment.scoring import acting, breaches, outside, ranked, scored
from riskcalc.errors import counted
from riskcalc.register.records import records

FIGURES = ("rated", "breaches", "newly_outside", "unrated", "decisions", "past_due")


@dataclass(frozen=True)
class Decision:
    """Something to decide on: a risk or control, what about it, whose it is, and by when (None: no date agreed).

    ``late`` says that the day is past; ``level`` is a risk's earned level, None for a control or an unrated risk.
    """

    unit_id: str
    row: str
    what: str
    owner: str
    due_on: date | None
    late: bool
    level: str | None = None


def on_risks(context: Context) -> list[Decision]:
    """The risks to decide on: those outside appetite, worst first, then the unrated ones.

    A risk outside appetite is due with the first open deficiency of the controls acting on it; an accepted one when
    its acceptance ends.

    >>> from riskcalc.register.register import load
    >>> found = on_risks(Context.of(load("data"), "2026-H1").only("payroll"))
    >>> [(each.row, str(each.due_on), each.late) for each in found]
    [('PAY-R03', '2026-05-31', True), ('PAY-R11', '2026-10-31', False)]
    """
    found = scored(context)
    risks = {risk["risk_id"]: risk for risk in context.register.rows("risks")}
    return [*_outside(found, risks, _dues(context), context.as_of), *_unrated(found, risks)]


@once
def decisions(context: Context) -> tuple[Decision, ...]:
    """What has to be decided in each unit, what is late first: on its risks, the worst first, then on whatever else an
    objective's outlook depends on, but for days to come.
    """
    found = on_risks(context)
    controls, register = acting(context.register), context.register
    rated = scored(context)
    levels = dict(compress(zip(rated["risk_id"], rated["earned_level"], strict=True), rated["likelihood"].notna()))
    told = {(each.unit_id, name) for each in found for name in (each.row, *controls.get(each.row, ()))}
    named = (("controls", "control_id"), ("risks", "risk_id"))
    titles = {row[key]: row["title"] for table, key in named for row in register.rows(table)}
    for gap in (one for one in blocking(context) if not one.waits):
        if (gap.unit_id, gap.row) not in told:
            told.add((gap.unit_id, gap.row))
            hangs = f"; {' and '.join(gap.objectives)} depend{'s' * (len(gap.objectives) == 1)} on it"
            title = f"{titles[gap.row]}: " if gap.row in titles else ""
            what = f"{title}{gap.what}{hangs * bool(gap.objectives)}"
            late = gap.due_on is not None and gap.due_on < context.as_of
            found.append(Decision(gap.unit_id, gap.row, what, gap.owner, gap.due_on, late, levels.get(gap.row)))
    return tuple(sorted(found, key=lambda each: not each.late))


def standings(context: Context) -> dict[str, dict[str, int]]:
    """How each unit stands, in figures: what its page, the organisation's, the mail of a run and ``check`` all tell.

    ``breaches`` are those of the ``rated`` risks that are outside appetite, ``newly_outside`` those of them that
    weren't in the period before (left out where there is none); ``unrated`` risks; ``decisions`` to take, and
    ``past_due``, those whose day is past.

    >>> from riskcalc.register.register import load
    >>> standings(Context.of(load("data"), "2026-H1"))["payroll"]["newly_outside"]
    2
    """
    now, before, told = scored(context), context.previous(), decisions(context)
    worse, rated = _named(now, breaches(now)), now["likelihood"].notna()
    rows = {"rated": _named(now, rated), "breaches": worse, "unrated": _named(now, ~rated)}
    if before:
        already = set(_named(scored(before), breaches(scored(before))))  # who moved to another unit is new there
        rows["newly_outside"] = [each for each in worse if each not in already]
    numbers = {name: Counter(unit for unit, _ in found) for name, found in rows.items()}
    numbers["decisions"] = Counter(each.unit_id for each in told)
    numbers["past_due"] = Counter(each.unit_id for each in told if each.late)
    units = context.register.business_units["unit_id"]
    return {unit: {name: number[unit] for name, number in numbers.items()} for unit in units}


def together(found: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The figures of several units together; without those that aren't known of each.

    >>> together([{"breaches": 1, "unrated": 0}, {"breaches": 2}])
    {'breaches': 3}
    """
    each = list(found)
    return {name: sum(one[name] for one in each) for name in FIGURES if all(name in one for one in each)}


def in_words(found: Mapping[str, int], where: str = "") -> str:
    """The figures as a mail and ``check`` tell them; ``where`` is put behind the risks outside appetite.

    >>> in_words({"rated": 3, "breaches": 1, "unrated": 1, "decisions": 2, "past_due": 1})
    '1 of 3 rated risks outside appetite; 1 risk unrated; 2 decisions to take, 1 past due'
    >>> in_words({"rated": 0, "breaches": 0, "unrated": 2})
    'no risk is rated, so nothing can be said of appetite; 2 risks unrated'
    """
    worse = f"{found['breaches']:,} of {counted(found['rated'], 'rated risk')} outside appetite{where}"
    told = [worse if found["rated"] else "no risk is rated, so nothing can be said of appetite"]
    told += [f"{found['newly_outside']} newly since the period before"] if found.get("newly_outside") else []
    told += [f"{counted(found['unrated'], 'risk')} unrated"] if found.get("unrated") else []
    late = f", {found['past_due']} past due" if found.get("past_due") else ""
    told += [f"{counted(found['decisions'], 'decision')} to take{late}"] if "decisions" in found else []
    return "; ".join(told)


# --- parts ---


def _dues(context: Context) -> dict[str, date]:
    """For each risk the first due date among the open deficiencies of the controls that act on it."""
    dues: dict[str, date] = {}
    for one in context.open_deficiencies:
        dues[one["control_id"]] = min(one["due_on"].date(), dues.get(one["control_id"], date.max))
    found = {risk: [dues[each] for each in ids if each in dues] for risk, ids in acting(context.register).items()}
    return {risk: min(days) for risk, days in found.items() if days}


def _named(scores: pd.DataFrame, which: Iterable[bool]) -> list[tuple[str, str]]:
    """Some of the risks, with their units."""
    return list(compress(zip(scores["unit_id"], scores["risk_id"], strict=True), which))


def _outside(
    scores: pd.DataFrame, risks: Mapping[Any, Any], dues: Mapping[str, date], as_of: date
) -> Iterator[Decision]:
    for each in records(ranked(outside(scores))):
        name = each["risk_id"]
        risk, due = risks[name], dues.get(name)
        what, owner = "bring inside appetite, or accept", risk["owner"]
        if risk["treatment"] == "accept":
            due, owner = risk["accepted_until"].date(), risk["accepted_by"]
            what = "accepted outside appetite: renew or treat"
        late, level = due is not None and due < as_of, str(each["earned_level"])
        yield Decision(each["unit_id"], name, f"{risk['title']}: {what}", str(owner), due, late, level)


def _unrated(scores: pd.DataFrame, risks: Mapping[Any, Any]) -> Iterator[Decision]:
    for unit, name in _named(scores, scores["likelihood"].isna()):
        what = f"{risks[name]['title']}: rate it, for nothing can be said of it yet"
        yield Decision(unit, name, what, str(risks[name]["owner"]), None, False)
