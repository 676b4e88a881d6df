"""What moved between two periods: risks that are new, gone, in another cell, or on the other side of the appetite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskcalc.assessment.scoring import AXES, VIEWS
from riskcalc.register.matrix import Matrix
from riskcalc.register.records import records

_Scores = Mapping[Any, Any]
Place = tuple[int, int]

NEWLY_OUTSIDE, BACK_INSIDE = "newly outside appetite", "back inside appetite"
# By the appetite of before they would be on the side where they were.
LOWERED, RAISED = f"{NEWLY_OUTSIDE}, which was lowered", f"{BACK_INSIDE}, which was raised"
NEW, GONE, WORSE, BETTER, ELSEWHERE = "newly rated", "no longer rated", "worse", "better", "rated otherwise"
JOINED = "newly among the risks"  # begun since, or another unit's before
LEFT = "no longer among the risks"  # retired, or another unit's now
MOVED = "moved from another unit"
NEW_OUTSIDE, JOINED_OUTSIDE, MOVED_OUTSIDE = (
    f"{NEW}, outside appetite",
    "new, outside appetite",
    f"{MOVED}, outside appetite",
)
OUT, BACK = (NEWLY_OUTSIDE, LOWERED, NEW_OUTSIDE, JOINED_OUTSIDE, MOVED_OUTSIDE), (BACK_INSIDE, RAISED)
KINDS = (*OUT, *BACK, NEW, JOINED, MOVED, GONE, LEFT, WORSE, BETTER, ELSEWHERE)


@dataclass(frozen=True)
class Move:
    """A risk that moved: what happened, and its cells (likelihood, impact) and earned levels, before and now.

    A cell or level is None where the risk wasn't rated. ``direction`` is WORSE or BETTER by level, then score, whatever
    the appetite did; blank where neither, or it can't be told. ``unit_before``: the unit that it moved from, or blank.
    """

    risk_id: str
    title: str
    what: str
    inherent: tuple[Place | None, Place | None]
    earned: tuple[Place | None, Place | None]
    levels: tuple[str | None, str | None]
    direction: str = ""
    unit_before: str = ""


@dataclass(frozen=True)
class Rescored:
    """A risk of the period before whose level is another on today's matrix: it didn't move, the matrix did."""

    risk_id: str
    title: str
    view: str
    place: Place
    levels: tuple[str, str]


def moves(now: pd.DataFrame, before: pd.DataFrame, matrix: Matrix, begun: bool = True) -> list[Move]:
    """The risks that moved, in the register's order, then those that left it since, rated or not.

    Those whose ``what`` is in OUT are what ``decisions.standings`` counts as newly outside.
    Both frames, as of ``riskcalc.score``, are on the same matrix. In a period that hasn't ``begun``, what isn't rated
    has lost nothing: it is not rated yet.

    >>> from riskcalc.assessment.opening import open_unit
    >>> unit = open_unit("payroll")
    >>> [move.risk_id for move in moves(unit.scores, unit.previous, unit.matrix) if move.what == NEWLY_OUTSIDE]
    ['PAY-R03', 'PAY-R11']
    """
    old, new = (_placed(each, matrix) for each in (before, now))
    found = (_move(old.get(name, _ABSENT), risk, matrix) for name, risk in new.items())
    here = [move for move in found if move and (begun or move.what != GONE)]
    return [*here, *(_left(risk) for name, risk in old.items() if name not in new)]


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
_PLACES = [f"{view}_place" for view in _SHOWN]
_UNRATED: _Scores = {"likelihood": pd.NA, "breach": pd.NA, "earned_level": pd.NA, **dict.fromkeys(_PLACES)}
_ABSENT = dict(_UNRATED)


def _left(old: _Scores) -> Move:
    """A risk of the period before that isn't there any more."""
    inherent, earned = ((old[place], None) for place in _PLACES)
    return Move(str(old["risk_id"]), str(old["title"]), LEFT, inherent, earned, (_level(old), None))


def _move(old: _Scores, new: _Scores, matrix: Matrix) -> Move | None:
    inherent, earned = ((old[place], new[place]) for place in _PLACES)
    before = "" if old is _ABSENT or old["unit_id"] == new["unit_id"] else str(old["unit_id"])
    stands = inherent[0] == inherent[1] and earned[0] == earned[1] and old["breach"] is new["breach"] and not before
    if inherent == (None, None) or stands:
        return None
    direction = _direction(old, new, matrix) if all(earned) else ""
    what = _what(old, new, direction or ELSEWHERE, before, matrix.level_names.index)
    levels = (_level(old), _level(new))
    return Move(str(new["risk_id"]), str(new["title"]), what, inherent, earned, levels, direction, before)


def _what(old: _Scores, new: _Scores, otherwise: str, unit_before: str, rank: Callable[[str], int]) -> str:
    """In a word, what happened to a risk."""
    outside = new["breach"] is True
    if pd.isna(old["likelihood"]):
        joined = old is _ABSENT
        return (JOINED_OUTSIDE if joined else NEW_OUTSIDE) if outside else JOINED if joined else NEW
    if pd.isna(new["likelihood"]):
        return GONE
    if unit_before:
        return MOVED_OUTSIDE if outside else MOVED
    if outside == bool(old["breach"]):
        return otherwise
    if outside:
        return LOWERED if rank(new["earned_level"]) <= rank(old["appetite"]) else NEWLY_OUTSIDE
    return RAISED if rank(new["earned_level"]) > rank(old["appetite"]) else BACK_INSIDE


def _direction(old: _Scores, new: _Scores, matrix: Matrix) -> str:
    """The level counts first, for a lower score may be at a worse level."""
    then, now = ((matrix.level_names.index(each["earned_level"]), each["earned_score"]) for each in (old, new))
    return WORSE if now > then else BETTER if now < then else ""


def _level(risk: _Scores) -> str | None:
    return None if pd.isna(risk["earned_level"]) else str(risk["earned_level"])


def _placed(scores: pd.DataFrame, matrix: Matrix) -> dict[str, _Scores]:
    """The scores by risk, with the cell of each rated risk in two views."""
    cells = (
        zip(*(matrix.whole(axis, scores[f"{view}_{axis}"]).tolist() for axis in AXES), strict=True) for view in _SHOWN
    )
    found: dict[str, _Scores] = {}
    for risk, *places in zip(records(scores), *cells, strict=True):
        shown = {name: place if all(place) else None for name, place in zip(_PLACES, places, strict=True)}
        found[risk["risk_id"]] = {**risk, **shown}
    return found
