"""The matrix on a page: where the risks stand in each view, and what moved since the period before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from riskcalc import views
from riskcalc.assessment import Assessment
from riskcalc.charts import count, unrated
from riskcalc.matrix import Matrix
from riskcalc.scoring import AXES, VIEWS, by_cell
from riskcalc.views import Cell, View, level_cell, state

_WORDS = {"inherent": "before controls", "claimed": "controls at their word", "earned": "documented and tested"}
Records = Mapping[Any, Mapping[Any, Any]]


def heatmaps(scores: pd.DataFrame, matrix: Matrix) -> View:
    """The matrix three times, inherent, claimed and earned, with the risks in their cells.

    ``scores`` has a row per risk, as from ``riskcalc.score``. Unrated risks are in no cell; the sentence counts them.
    """
    rated = scores[scores["likelihood"].notna()]
    lower = int((rated["inherent_level"].cat.codes > rated["earned_level"].cat.codes).sum())
    summary = (
        f"Of {count(len(rated), 'rated risk')}, controls bring {lower} to a lower level on the earned view. "
        f"{unrated(scores)}"
    )
    maps = [
        views.matrix_table(f"{view.capitalize()}: {_WORDS[view]}", matrix, by_cell(scores, view, matrix))
        for view in VIEWS
    ]
    return views.matrices("Risks on the matrix", summary, maps)


def movement(unit: Assessment) -> View:
    """What moved since the period before: new and closed risks, and those in another cell, or past the appetite.

    Both periods are read on the same matrix, so that nothing moves because the matrix did.
    """
    before = unit.register.previous(unit.period)
    if unit.previous is None or before is None:
        return views.table("What moved", ["Risk"], [], note="No earlier period is on record.")
    now, then = (frame.set_index("risk_id").to_dict("index") for frame in (unit.scores, unit.previous))
    rows = [row for risk_id in now for row in _moved(risk_id, now, then, unit.matrix)]
    same = len(now) - len(rows)
    note = (
        f"{count(same, 'risk')} {'stands' if same == 1 else 'stand'} where {'it' if same == 1 else 'they'} stood. "
        "Both periods are read on today's matrix: nothing moved because the matrix did."
    )
    columns = ["Risk", "Title", "What", "Inherent cell", "Earned cell", "Earned before", "Earned now"]
    return views.table(f"What moved since {before.name}", columns, rows, note=note)


# --- parts ---


def _moved(risk_id: Any, now: Records, then: Records, matrix: Matrix) -> Iterable[list[Cell]]:
    """The row of a risk that moved; nothing for one that didn't."""
    new, old = now[risk_id], then[risk_id]
    rated = [not pd.isna(each["likelihood"]) for each in (old, new)]
    cells = [[_cell(old, view, matrix), _cell(new, view, matrix)] for view in ("inherent", "earned")]
    if not any(rated) or (all(rated) and all(before == after for before, after in cells)):
        return
    levels = [level_cell(each["earned_level"], matrix) for each in (old, new)]
    places = [" to ".join(dict.fromkeys(text for text in pair if text)) for pair in cells]
    yield [risk_id, str(new["title"]), _what(old, new, rated), *places, *levels]


def _what(old: Mapping[Any, Any], new: Mapping[Any, Any], rated: list[bool]) -> Cell:
    """In a word, what happened to a risk."""
    if not rated[0]:
        return state("new, outside appetite", "bad") if new["breach"] is True else state("newly rated", "open")
    if not rated[1]:
        return state("no longer rated", "open")
    if bool(new["breach"]) != bool(old["breach"]):
        return state("newly outside appetite", "bad") if new["breach"] else state("back inside appetite", "good")
    worse = float(new["earned_score"]) - float(old["earned_score"])
    return state("worse" if worse > 0 else "better" if worse < 0 else "rated otherwise", "open")


def _cell(risk: Mapping[Any, Any], view: str, matrix: Matrix) -> str:
    if pd.isna(risk["likelihood"]):
        return ""
    return " x ".join(str(int(matrix.whole(axis, pd.Series([risk[f"{view}_{axis}"]]))[0])) for axis in AXES)
