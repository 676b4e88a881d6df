"""The sheet that an export opens on: how many risks are outside appetite, where they are, what has to be decided."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from riskcalc.assessment.context import Context
from riskcalc.assessment.decisions import Decision, decisions
from riskcalc.assessment.movement import KINDS, moves
from riskcalc.assessment.opening import described_scores
from riskcalc.assessment.scoring import VIEWS, by_cell, outside
from riskcalc.errors import counted
from riskcalc.excel.results import GRID_ROW, LABEL, METHOD, draw, level_look, level_row
from riskcalc.excel.writer import COUNT, HEADER, PLAIN, RUNNING, TITLE, Formula, Look, Sheet, Sheets
from riskcalc.register.matrix import Matrix
from riskcalc.register.xlsx_cells import letters
from riskcalc.register.xlsx_tables import RESULTS

_RISKS = (
    f"'{RESULTS}risks'"  # its columns: K, O, S the levels, P and Q the earned ratings, J a score or unrated, T outside
)
_LEVELS = dict(zip(VIEWS, "KOS", strict=True))
_MOST = 15  # decisions that are listed
_SEEN = Look(bold=True, size=12)


def write_summary(sheets: Sheets, context: Context, scores: pd.DataFrame, label: str = "") -> None:
    """Write the summary of a period; its counts follow the sheet of the risks, ``label`` says for whom it is."""
    methodology = context.register.methodology
    matrix = methodology.matrix
    sheet = sheets.sheet(f"{RESULTS}summary", [24, *[17] * max(len(matrix.impact), 5)], tab="#8f1d3f")
    sheet.grid.fit_to_pages(1, 1)
    sheet.row([f"{methodology.organisation}: risks to financial reporting, {context.period.name}"], TITLE)
    marked = " · ".join(filter(None, [methodology.classification, label]))
    sheet.row([f"As of {context.as_of}. {marked}"], RUNNING)
    sheet.row([_headline(scores)], _SEEN)
    sheet.row([])
    _map(sheet, scores, matrix)
    sheet.row([])
    _levels(sheet, scores, matrix)
    sheet.row([])
    _changes(sheet, context)
    sheet.row([])
    _decisions(sheet, decisions(context), matrix, set(scores["risk_id"]))


# --- parts ---


def _range(column: str, scores: pd.DataFrame) -> str:
    return f"{_RISKS}!${column}$2:${column}${max(len(scores), 1) + 1}"


def _headline(scores: pd.DataFrame) -> Formula:
    worse, rated = len(outside(scores)), int(scores["likelihood"].notna().sum())
    told = ("Outside appetite, as far as controls have earned it: ", " of the ", " rated risks. Unrated: ", ".")
    found = f'SUMPRODUCT(--({_range("T", scores)}="yes"))'
    numbers = f"COUNT({_range('J', scores)})"
    text = f'"{told[0]}"&{found}&"{told[1]}"&{numbers}&"{told[2]}"&{len(scores)}-{numbers}&"{told[3]}"'
    return Formula(text, f"{told[0]}{worse}{told[1]}{rated}{told[2]}{len(scores) - rated}{told[3]}")


def _map(sheet: Sheet, scores: pd.DataFrame, matrix: Matrix) -> None:
    """The earned matrix: each cell says its level, and how many risks are there."""
    held = by_cell(scores, "earned", matrix)
    sheet.row(["Earned: where the risks are with their controls as documented and tested"], LABEL)

    def told(place: tuple[int, int], level: str) -> Formula:
        at = f"{METHOD}!${letters(place[1])}${GRID_ROW + 1 + len(matrix.likelihood) - place[0]}"
        axes = (_nearest(_range(column, scores), n) for column, n in zip("PQ", place, strict=True))
        found = f"COUNTIFS({','.join(axes)})"
        shown = f"{level}\n{counted(len(held[place]), 'risk')}" if place in held else level
        return Formula(f'{at}&IF({found}=0,"",CHAR(10)&{found}&IF({found}=1," risk"," risks"))', shown)

    draw(sheet, matrix, told)


def _nearest(cells: str, rating: int) -> str:
    """The two conditions by which numbers in cells are read at a rating, halves up after 9 digits; no text is."""
    return f'{cells},">="&{rating - 0.5}-0.5E-9,{cells},"<"&{rating + 0.5}-0.5E-9'


def _levels(sheet: Sheet, scores: pd.DataFrame, matrix: Matrix) -> None:
    """How many risks are at each level in each view, the worst level first."""
    sheet.row(["Risks by level", "Before controls", "Claimed", "Earned"], HEADER)
    for rank in range(len(matrix.levels), 0, -1):
        name, at = matrix.levels[rank - 1].name, f"{METHOD}!$A${level_row(matrix) + rank - 1}"
        counts = [
            Formula(f"SUMPRODUCT(--({_range(column, scores)}={at}))", int((scores[f"{view}_level"] == name).sum()))
            for view, column in _LEVELS.items()
        ]
        sheet.row([name, *counts], [level_look(matrix, name), COUNT, COUNT, COUNT])


def _changes(sheet: Sheet, context: Context) -> None:
    """The risks that moved since the period before, by what happened to them; these don't follow the other sheets."""
    before = context.previous()
    if before is None:
        sheet.row(["What changed: no earlier period is on record"], LABEL)
        return
    matrix = context.register.methodology.matrix
    found = moves(described_scores(context), described_scores(before), matrix, context.begun)
    told = {kind: [each.risk_id for each in found if each.what == kind] for kind in KINDS}
    heading = f"What changed since {before.period.name}, as exported: {counted(len(found), 'risk')}"
    sheet.row([heading], LABEL)
    for kind, risks in told.items():
        if risks:
            sheet.row([f"{kind[0].upper()}{kind[1:]}", len(risks), ", ".join(risks)], [PLAIN, COUNT, RUNNING])


def _decisions(sheet: Sheet, found: Sequence[Decision], matrix: Matrix, risks: set[str]) -> None:
    """What has to be decided, what is late first; these don't follow the other sheets."""
    late = sum(each.late for each in found)
    sheet.row([f"To be decided, as exported: {counted(len(found), 'decision')}, {late} past due"], LABEL)
    if not found:
        return
    sheet.row(["Row", "Earned", "By when", "Unit", "Who", "What"], HEADER)
    for each in found[:_MOST]:
        due = "no date agreed" if each.due_on is None else f"{each.due_on}{', past due' * each.late}"
        looks = [PLAIN, level_look(matrix, each.level), PLAIN, PLAIN, PLAIN, RUNNING]
        level = each.level or "Unrated" * (each.row in risks)
        sheet.row([each.row, level, due, each.unit_id, each.owner, each.what], looks)
    if len(found) > _MOST:
        sheet.row([f"and {len(found) - _MOST} more: on the sheets results risks and results gaps"], RUNNING)
