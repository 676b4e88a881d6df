"""What moved between two periods: risks that are new, gone, in another cell, or on the other side of the appetite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from riskcalc.assessment.scoring import AXES, VIEWS
from riskcalc.register.matrix import Matrix
from riskcalc.register.records import records

_Scores = Mapping[Any, Any]
Place = tuple[int, int]

NEWLY_OUTSIDE, NEW_OUTSIDE, BACK_INSIDE = "newly outside appetite", "new, outside appetite", "back inside appetite"
NEW, GONE, WORSE, BETTER, ELSEWHERE = "newly rated", "no longer rated", "worse", "better", "rated otherwise"
JOINED = "newly among the risks"  # begun since, or another unit's before
LEFT = "no longer among the risks"  # retired, or another unit's now
KINDS = (NEWLY_OUTSIDE, NEW_OUTSIDE, BACK_INSIDE, NEW, JOINED, GONE, LEFT, WORSE, BETTER, ELSEWHERE)


@dataclass(frozen=True)
class Move:
    """A risk that moved: what happened, and its cells (likelihood, impact) and earned levels, before and now.

    A cell or level is None where the risk wasn't rated.
    """

    risk_id: str
    title: str
    what: str
    inherent: tuple[Place | None, Place | None]
    earned: tuple[Place | None, Place | None]
    levels: tuple[str | None, str | None]


@dataclass(frozen=True)
class Rescored:
    """A risk of the period before whose level is another on today's matrix: it didn't move, the matrix did."""

    risk_id: str
    title: str
    view: str
    place: Place
    levels: tuple[str, str]


def moves(now: pd.DataFrame, before: pd.DataFrame, matrix: Matrix) -> list[Move]:
    """The risks that moved, in the register's order, then those that left it since, if they were rated.

    Both frames, as of ``riskcalc.score``, are on the same matrix.

    >>> from riskcalc.assessment.opening import open_unit
    >>> unit = open_unit("payroll")
    >>> [move.risk_id for move in moves(unit.scores, unit.previous, unit.matrix) if move.what == NEWLY_OUTSIDE]
    ['PAY-R03', 'PAY-R11']
    """
    old, new = (_placed(each, matrix) for each in (before, now))
    found = [_move(name, old.get(name, _ABSENT), risk, matrix) for name, risk in new.items()]
    gone = {name: {**_UNRATED, "title": risk["title"]} for name, risk in old.items() if name not in new}
    left = [_move(name, old[name], risk, matrix) for name, risk in gone.items()]
    return [*filter(None, found), *(replace(move, what=LEFT) for move in left if move)]


def rescored_risks(before: pd.DataFrame, then: Matrix, now: Matrix) -> Iterator[Rescored]:
    """Risks whose level of the period before, on the matrix of ``then``, is another on today's."""
    rated = before[before["likelihood"].notna()]
    for view in VIEWS:
        axes = [rated[f"{view}_{axis}"] for axis in AXES]
        places = zip(*(now.whole(axis, rated[f"{view}_{axis}"]) for axis in AXES), strict=True)
        found = zip(rated["risk_id"], rated["title"], places, then.level(*axes), now.level(*axes), strict=True)
        for risk_id, title, place, old, new in found:
            if old != new:
                yield Rescored(risk_id, title, view, (int(place[0]), int(place[1])), (old, new))


# --- parts ---

_SHOWN = ("inherent", "earned")
_UNRATED: _Scores = {"likelihood": pd.NA, "breach": pd.NA, "earned_level": pd.NA}
_ABSENT = dict(_UNRATED)


def _move(name: tuple[Any, Any], old: _Scores, new: _Scores, matrix: Matrix) -> Move | None:
    inherent, earned = ((old.get(f"{view}_place"), new.get(f"{view}_place")) for view in _SHOWN)
    if inherent == (None, None) or (inherent[0] == inherent[1] and earned[0] == earned[1]):
        return None
    return Move(str(name[1]), str(new["title"]), _what(old, new, matrix), inherent, earned, (_level(old), _level(new)))


def _what(old: _Scores, new: _Scores, matrix: Matrix) -> str:
    """In a word, what happened to a risk: its level counts first, for a lower score may be at a worse level."""
    if pd.isna(old["likelihood"]):
        return NEW_OUTSIDE if new["breach"] is True else JOINED if old is _ABSENT else NEW
    if pd.isna(new["likelihood"]):
        return GONE
    if bool(new["breach"]) != bool(old["breach"]):
        return NEWLY_OUTSIDE if new["breach"] else BACK_INSIDE
    then, now = ((matrix.level_names.index(each["earned_level"]), each["earned_score"]) for each in (old, new))
    return WORSE if now > then else BETTER if now < then else ELSEWHERE


def _level(risk: _Scores) -> str | None:
    return None if pd.isna(risk["earned_level"]) else str(risk["earned_level"])


def _placed(scores: pd.DataFrame, matrix: Matrix) -> dict[tuple[Any, Any], _Scores]:
    """The scores by unit and risk, with the cell of each rated risk in two views."""
    cells = {
        f"{view}_place": zip(*(matrix.whole(axis, scores[f"{view}_{axis}"]).tolist() for axis in AXES), strict=True)
        for view in _SHOWN
    }
    found: dict[tuple[Any, Any], _Scores] = {}
    for risk, *places in zip(records(scores), *cells.values(), strict=True):
        shown = {name: place if all(place) else None for name, place in zip(cells, places, strict=True)}
        found[risk["unit_id"], risk["risk_id"]] = {**risk, **shown}
    return found
