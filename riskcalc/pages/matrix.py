"""The matrix on a page: where the risks stand in each view, and what moved since the period before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from riskcalc.assessment.movement import (
    BACK,
    BETTER,
    LEFT,
    LOWERED,
    MOVED,
    OUT,
    RAISED,
    WORSE,
    Move,
    Place,
    rescored_risks,
)
from riskcalc.assessment.opening import Assessment, Portfolio
from riskcalc.assessment.scoring import VIEWS, breaches, by_cell
from riskcalc.errors import counted
from riskcalc.pages import display
from riskcalc.pages.charts import Chart, appetite_sides, heatmap, unrated
from riskcalc.pages.display import Cell, Display, level_cell, state
from riskcalc.pages.wording import rated_count
from riskcalc.register.matrix import Matrix

_WORDS = {"inherent": "before controls", "claimed": "controls at their word", "earned": "documented and tested"}


def picture(opened: Assessment | Portfolio) -> Display:
    """The earned matrix at a glance: how many risks each cell holds, which are outside appetite, what moved into it."""
    matrix, scores = opened.matrix, opened.scores
    held, worse = by_cell(scores, "earned", matrix), set(scores["risk_id"].array[breaches(scores)])
    arrived = _arrived(opened)
    appetites = sorted(set(scores["appetite"].dropna()), key=matrix.level_names.index)
    sides = appetite_sides(scores, matrix)

    def about(place: Place) -> dict[str, Any]:
        risks = held.get(place, [])
        number = len(worse.intersection(risks))
        return {
            "edges": " ".join(f"edge-{side}" for side in sides if place in sides[side]),
            "count": len(risks),
            "outside": number,
            "dots": "●" * number if number < 5 else f"● {number}",
            "moved": arrived.get(place, {}),
            "href": f"?cell={place[0]}x{place[1]}#all-risks",
        }

    before = opened.register.previous(opened.period)
    since = before.name if before else ""
    named = " and ".join(filter(None, [", ".join(appetites[:-1]), *appetites[-1:]]))
    shown = {"title": "Earned risk on the matrix", **display.cells_of(matrix, about)}
    return Display("picture", {**shown, "appetites": named, "several": len(appetites) > 1, "since": since})


def chart(opened: Assessment | Portfolio) -> Chart:
    """The earned matrix for notebooks, of a unit with what its controls have earned as arrows; pages have ``views``."""
    start = "inherent" if isinstance(opened, Assessment) else None
    return heatmap(opened.scores, opened.matrix, start=start).on_pages(Display("nothing", {}))


def views(opened: Assessment | Portfolio) -> Display:
    """The matrix in each view."""
    return heatmaps(opened.scores, opened.matrix)


def heatmaps(scores: pd.DataFrame, matrix: Matrix) -> Display:
    """The matrix three times, inherent, claimed and earned, with the risks in their cells.

    ``scores`` has a row per risk, as from ``riskcalc.score``. Unrated risks are in no cell; the sentence counts them.
    """
    lower = int((scores["inherent_level"].cat.codes > scores["earned_level"].cat.codes).sum())
    summary = (
        f"Of {counted(rated_count(scores), 'rated risk')}, controls bring {lower} to a lower level on the earned view. "
        f"{unrated(scores)}"
    )
    names = dict(zip(scores["risk_id"], scores["title"], strict=True)) if "title" in scores else {}
    maps = [
        display.matrix_table(f"{view.capitalize()}: {_WORDS[view]}", matrix, by_cell(scores, view, matrix), names=names)
        for view in VIEWS
    ]
    return display.matrices("Risks on the matrix", summary, maps)


def movement(unit: Assessment) -> Display:
    """What moved since the period before: new and closed risks, and those in another cell, or past the appetite.

    Both periods are read on the same matrix, so that nothing moves because the matrix did.
    """
    before = unit.register.previous(unit.period)
    if unit.previous is None or before is None:
        return display.remark("No earlier period is on record, so nothing can have moved.")
    moved = unit.moved
    rows: list[list[Cell]] = [
        [
            move.risk_id if move.what == LEFT else display.jump(move.risk_id),
            move.title,
            state(move.what, tone(move)),
            _way(move.inherent),
            _way(move.earned),
            level_cell(move.levels[0], unit.matrix) if move.inherent[0] else "–",
            "–" if move.what == LEFT else level_cell(move.levels[1], unit.matrix),
        ]
        for move in moved
    ]
    same = unmoved(unit.scores, moved)
    note = (
        f"{counted(same, 'rated risk')} {'stands where it' if same == 1 else 'stand where they'} stood. "
        "Cells: likelihood x impact. Both periods are read on today's matrix: nothing moved because the matrix did."
    )
    columns = ["Risk", "Title", "What", "Inherent cell", "Earned cell", "Earned before", "Earned now"]
    return display.table(f"What moved since {before.name}", columns, rows, note=note, folded=True)


def tone(move: Move) -> str:
    """Bad for what is newly outside, good for what is back inside; neither where only the appetite made it so."""
    if (move.what == LOWERED and move.direction != WORSE) or (move.what == RAISED and move.direction != BETTER):
        return "open"
    return "bad" if move.what in OUT else "good" if move.what in BACK else "open"


def told(move: Move, opened: Assessment | Portfolio) -> str:
    """What happened to a risk; of one that moved, from which unit."""
    if not move.unit_before:
        return move.what
    names = opened.register.business_units.set_index("unit_id")["name"]
    return move.what.replace(MOVED, f"moved from {names.get(move.unit_before, move.unit_before)}")


def unmoved(scores: pd.DataFrame, moved: Sequence[Move]) -> int:
    """How many rated risks didn't move; of one that isn't rated nobody can say."""
    known = {move.risk_id for move in moved}
    return sum(risk not in known for risk in scores["risk_id"].array[scores["likelihood"].notna()])


def rescored(unit: Assessment) -> Display:
    """The risks of the period before whose level is another only because the matrix is."""
    title, before = "Rescored because the matrix changed", unit.register.previous(unit.period)
    if unit.previous is None or before is None:
        return display.remark("No earlier period is on record, so no level can be another by its matrix.")
    then = unit.register.methodology.matrix_in(before.name)
    if then is None:
        return display.remark("The matrix is that of the period before.")
    rows: list[list[Cell]] = [
        [
            display.jump(one.risk_id),
            one.title,
            one.view.capitalize(),
            _way((one.place,)),
            *(level_cell(name, each) for name, each in zip(one.levels, (then, unit.matrix), strict=True)),
        ]
        for one in rescored_risks(unit.previous, then, unit.matrix)
    ]
    note = (
        f"By the matrix alone: the cell of {before.name} bears another level on today's matrix. "
        "What moved is told above, on today's matrix for both periods."
    )
    columns = ["Risk", "Title", "View", "Cell", f"Level by the matrix of {before.name}", "Level by today's"]
    return display.table(title, columns, rows, note=note, folded=True)


# --- parts ---


def _arrived(opened: Assessment | Portfolio) -> dict[Place, Counter[str]]:
    """For each cell of the earned view, how many risks came into it since the period before, and what that means."""
    found: dict[Place, Counter[str]] = {}
    for move in opened.moved:
        place, kind = move.earned[1], move.direction if move.earned[0] else "new"
        if place and kind and place != move.earned[0]:
            found.setdefault(place, Counter())[kind] += 1
    return found


def _way(places: Iterable[Place | None]) -> str:
    """The cells a risk was in, one after the other."""
    return " to ".join(dict.fromkeys(f"{place[0]} x {place[1]}" for place in places if place))
