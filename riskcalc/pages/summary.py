"""The first screen of a page: how we stand against the appetite, what changed, what is to be decided by whom and when.

Each function takes an opened unit or portfolio and returns a Display.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from riskcalc.assessment.decisions import Decision, decisions
from riskcalc.assessment.movement import (
    BACK,
    BETTER,
    GONE,
    KINDS,
    LEFT,
    OUT,
    WORSE,
    Move,
)
from riskcalc.assessment.opening import Assessment, Portfolio
from riskcalc.assessment.scoring import breaches, outside, ranked
from riskcalc.errors import counted
from riskcalc.pages import display, wording
from riskcalc.pages.display import Cell, Display, day, due_cell, level_cell, state
from riskcalc.pages.matrix import picture, told, tone, unmoved

_MOST = 4  # decisions, and risks that moved, that fit on a screen
_TOLD = (*OUT, WORSE, *BACK)  # one by one, in this order


def unit(opened: Assessment) -> Display:
    """A unit's first screen."""
    return _brief(opened, decisions(opened.context), lambda each: each.owner)


def organisation(opened: Portfolio) -> Display:
    """The organisation's first screen."""
    names = opened.register.business_units.set_index("unit_id")["name"]
    return _brief(opened, decisions(opened.context), lambda each: f"{names[each.unit_id]}, {each.owner}")


def headline(opened: Assessment | Portfolio, found: Sequence[Decision]) -> str:
    """How things stand in a line: risks outside the appetite, unrated ones, decisions past due."""
    worse, rated = int(breaches(opened.scores).sum()), wording.rated_count(opened.scores)
    unrated, late = len(opened.scores) - rated, sum(each.late for each in found)
    first = f"{counted(worse, 'risk')} outside appetite" if worse else "No rated risk is outside appetite"
    told = [first if rated else "No risk is rated"]
    told += [f"{unrated} unrated"] * bool(unrated and rated) + [f"{counted(late, 'decision')} past due"] * bool(late)
    return "; ".join(told)


def to_take(found: Sequence[Decision]) -> str:
    """How many decisions are to be taken, and how many of them are late or have no date."""
    if not found:
        return "Nothing has to be decided"
    late, undated = sum(each.late for each in found), sum(each.due_on is None for each in found)
    state_of = [f"{late} past due"] * bool(late) + [f"{undated} without a date"] * bool(undated)
    return "; ".join([f"{counted(len(found), 'decision')} to take", *state_of])


def to_decide(opened: Portfolio) -> Display:
    """Every decision in the organisation, what is late first, then the worst."""
    names = opened.register.business_units.set_index("unit_id")["name"]
    risks, found = set(opened.scores["risk_id"]), decisions(opened.context)
    rows: list[list[Cell]] = [
        [
            wording.row_link(each.row, each.unit_id, opened),
            day(each.what),
            level_cell(each.level, opened.matrix) if each.level or each.row in risks else "",
            str(names[each.unit_id]),
            each.owner,
            due_cell(each.due_on, each.late),
        ]
        for each in found
    ]
    columns = ["Row", "What", "Earned", "Unit", "Who", "By when"]
    return display.table("Decisions", columns, rows).saying(to_take(found))


# --- parts ---


def _brief(opened: Assessment | Portfolio, found: Sequence[Decision], whose: Callable[[Decision], str]) -> Display:
    panels = [_standing(opened), _changes(opened), _to_decide(found, opened, whose)]
    return display.brief("In brief", panels).saying(headline(opened, found))


def _standing(opened: Assessment | Portfolio) -> dict[str, Any]:
    """Where the risks stand on the matrix, how far the worst is out, and the levels of now and before."""
    scores = opened.scores
    out, rated = ranked(outside(scores)), wording.rated_count(scores)
    before = opened.register.previous(opened.period)
    bars = [_levels(opened.period.name, scores, opened)]
    trend = _trend(opened) if len(opened.history) > 2 else []
    if before is not None and opened.previous is not None and not trend:
        bars.append(_levels(before.name, opened.previous, opened))
    title = "Risk now, against appetite"
    if not rated:
        return display.panel(title, "", "No risk is rated, so nothing can be said.", bars=bars, trend=trend)
    says = f"{_furthest(out)} {_only_claimed(out)}".strip() if len(out) else ""
    tone = "bad" if len(out) else "open" if len(scores) - rated else "good"
    return display.panel(title, "", says, tone, bars=bars, trend=trend, picture=picture(opened).as_json())


def _trend(opened: Assessment | Portfolio) -> list[dict[str, Any]]:
    """The levels of every period as columns to scale, and how many risks were outside appetite."""
    most = max(map(len, opened.history.values())) or 1  # a unit may have no risk yet
    return [
        {
            **_levels(name, scores, opened),
            "height": f"{100 * len(scores) / most:.0f}",
            "outside": str(breaches(scores).sum()) if wording.rated_count(scores) else "–",
        }
        for name, scores in opened.history.items()
    ]


def _furthest(out: pd.DataFrame) -> str:
    """Of the risks outside, the one that is the most levels worse than its own unit's appetite, and how many are so."""
    steps = out["earned_level"].cat.codes.astype(int) - out["appetite"].cat.codes
    risk, most = out.iloc[int(steps.to_numpy().argmax())], int(steps.max())
    others = int((steps == most).sum()) - 1
    rest = f", and {counted(others, 'other')} as far" if others else ""
    return f"Furthest out: {risk['risk_id']}, {risk['earned_level']}, by {counted(most, 'level')}{rest}."


def _only_claimed(out: pd.DataFrame) -> str:
    """How many of the risks outside would be inside if every control were as good as it is said to be."""
    number = int((out["claimed_level"].cat.codes <= out["appetite"].cat.codes).sum())
    return f"{number} of {len(out)} outside would be inside if every control worked as claimed." if number else ""


def _levels(label: str, scores: pd.DataFrame, opened: Assessment | Portfolio) -> dict[str, Any]:
    counts = Counter(level if isinstance(level, str) else "Unrated" for level in scores["earned_level"])
    names = (*reversed(opened.matrix.level_names), "Unrated")
    return display.bar(label, {name: counts[name] for name in names}, opened.matrix)


def _changes(opened: Assessment | Portfolio) -> dict[str, Any]:
    """What moved since the period before; the numbers add up to all risks."""
    before = opened.register.previous(opened.period)
    if opened.previous is None or before is None:
        return display.panel("What changed", "–", "No earlier period is on record.")
    found = opened.moved
    listed = [move for kind in _TOLD for move in found if move.what == kind]
    counts = Counter(move.what for move in found)
    out, worse, back = (sum(counts[kind] for kind in kinds) for kinds in (OUT, [WORSE], BACK))
    says = (
        f"{'risk is' if out + worse == 1 else 'risks are'} newly outside appetite ({out}) or otherwise worse ({worse})"
    )
    rest = [f"{counts[kind]} {kind}" for kind in KINDS if counts[kind] and kind not in (*_TOLD, GONE, LEFT)]
    unrated = len(opened.scores) - wording.rated_count(opened.scores)
    gone = f" ({counts[GONE]} {GONE})" if counts[GONE] else ""
    left = f" {counts[LEFT]} {LEFT}." if counts[LEFT] else ""
    rest += [f"{unmoved(opened.scores, found)} unchanged", *[f"{unrated} unrated{gone}"] * bool(unrated)]
    told = f"{wording.sentence_case('; '.join(rest))}, of {counted(len(opened.scores), 'risk')}."
    told = "No risk is on record." if opened.scores.empty else told
    return display.panel(
        f"What changed since {before.name}",
        str(out + worse),
        f"{says}; {back} came back inside.",
        "bad" if out + worse else "good" if back or counts[BETTER] else "open",
        items=[_moved(move, opened) for move in listed[:_MOST]],
        rest=_and_more(len(listed), "risk", "?moved=#all-risks"),
        more=f"{told}{left}",
    )


def _moved(move: Move, opened: Assessment | Portfolio) -> dict[str, Any]:
    """A risk that crossed the appetite or got worse, as an item."""
    unit_of = dict(zip(opened.scores["risk_id"], opened.scores["unit_id"], strict=True))
    then, now = move.levels
    way = f"still {now}" if then == now else " to ".join(filter(None, move.levels))
    note = state(f"{told(move, opened)}: {way}", tone(move))
    return {"cell": wording.row_link(move.risk_id, unit_of[move.risk_id], opened), "text": move.title, "note": note}


def _to_decide(
    found: Sequence[Decision], opened: Assessment | Portfolio, whose: Callable[[Decision], str]
) -> dict[str, Any]:
    """What is to be decided, by whom, by when."""
    says = f"{to_take(found).partition(' ')[2]}."  # its number stands above it in large
    items = [_decision(each, opened, whose(each)) for each in found[:_MOST]]
    rest = _and_more(len(found), "decision", "#to-be-decided")
    tone = "bad" if any(each.late for each in found) else "open" if found else "good"
    return display.panel("To be decided", str(len(found)), says if found else "Nothing.", tone, items=items, rest=rest)


def _decision(each: Decision, opened: Assessment | Portfolio, whose: str) -> dict[str, Any]:
    due = "no date agreed" if each.due_on is None else f"{'was due' if each.late else 'by'} {day(each.due_on)}"
    note: Cell = state(f"{whose}: {due}", "bad") if each.late else f"{whose}: {due}"
    level = None if each.level is None else level_cell(each.level, opened.matrix)
    row = wording.row_link(each.row, each.unit_id, opened)
    return {"cell": row, "level": level, "text": day(each.what), "note": note}


def _and_more(number: int, noun: str, href: str) -> Cell:
    """How many more there are than are listed, leading to them."""
    return {"text": f"and {counted(number - _MOST, noun)} more", "href": href} if number > _MOST else ""
