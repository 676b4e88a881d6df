"""Charts on the matrix itself: where the risks stand in each view, and where controls move them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from riskcalc import colour, views
from riskcalc.charts import count, finish, hover, plain, scores_table, unrated
from riskcalc.matrix import Matrix
from riskcalc.scoring import AXES, VIEWS, ranked

_CROWDED = 3


def heatmaps(scores: pd.DataFrame, matrix: Matrix) -> go.Figure:
    """The same matrix three times, inherent, claimed and earned, with the risks' ids in their cells.

    ``scores`` has a row per risk, as from ``riskcalc.score``. Unrated risks are in no cell; the sentence counts them.
    """
    rated = scores[scores["likelihood"].notna()]
    figure = make_subplots(
        cols=len(VIEWS),
        shared_yaxes=True,
        horizontal_spacing=0.02,
        subplot_titles=[view.capitalize() for view in VIEWS],
    )
    rows: list[list[views.Cell]] = []
    for column, view in enumerate(VIEWS, 1):
        held = _ids_by_cell(rated, view, matrix)
        figure.add_traces(_cells(matrix, held), 1, column)
        rows.extend(_cell_rows(matrix, held, view))
    _name_ratings(figure, matrix)
    moved = int(_fell(rated).sum())
    summary = (
        f"Of {count(len(rated), 'rated risk')}, controls bring {moved} to a lower level on the earned view. "
        f"{unrated(scores)}"
    )
    table = views.table("Risks by cell of the matrix", ["View", "Likelihood", "Impact", "Level", "Risks"], rows)
    rows_high, columns_wide = matrix.shape
    title = "Risks on the matrix: inherent, claimed, earned"
    return finish(figure, title, summary, table, 120 + 68 * rows_high, least_width=140 + 3 * 56 * columns_wide)


def movement(scores: pd.DataFrame, matrix: Matrix) -> go.Figure:
    """Where controls move each risk on the matrix: from inherent (ring) to earned (dot)."""
    rated = ranked(scores)
    figure = go.Figure(_cells(matrix, {}))
    beside = cycle(["bottom right", "top right", "bottom left", "top left"])
    for (_, risk), shift, side in zip(rated.iterrows(), _spread(rated), beside, strict=False):
        ends = [[risk[f"inherent_{axis}"] + shift, risk[f"earned_{axis}"]] for axis in AXES]
        figure.add_scatter(
            x=ends[1],
            y=ends[0],
            mode="lines+markers+text",
            line={"color": colour.INK, "width": 1.5},
            marker={
                "opacity": 1,
                "size": [11, 8],
                "color": ["#ffffff", colour.INK],
                "line": {"width": [2, 1], "color": [colour.INK, "#ffffff"]},
            },
            text=["", plain(risk["risk_id"], 14)],
            textposition=side,
            textfont={"size": 10},
            hovertext=[hover(risk.to_frame().T, view)[0] for view in ("inherent", "earned")],
            hoverinfo="text",
            showlegend=False,
        )
    _name_ratings(figure, matrix)
    still = int((~_fell(rated)).sum())
    summary = (
        f"From inherent (ring) to earned (dot); risks rated alike are fanned out. "
        f"{still} of {count(len(rated), 'rated risk')} {'stays' if still == 1 else 'stay'} at the inherent level. "
        f"{unrated(scores)}"
    )
    height = 150 + 78 * matrix.shape[0]
    return finish(figure, "Movement from inherent to earned", summary, scores_table(rated, matrix), height)


# --- parts ---


def _cells(matrix: Matrix, held: dict[tuple[int, int], list[str]]) -> list[go.Heatmap | go.Scatter]:
    """The matrix: cells in their levels' colours, the levels' names in them, and the risks held there.

    Each cell names its level, so that colour never speaks alone; a crowded one gives the number of its risks.
    """
    places = [(row, column) for row in range(matrix.shape[0]) for column in range(matrix.shape[1])]
    levels = [matrix.levels[matrix.grid[row][column]] for row, column in places]
    inks = [colour.ink_on(level.colour) for level in levels]
    top = max(len(matrix.levels) - 1, 1)
    cells = go.Heatmap(
        x=list(range(1, matrix.shape[1] + 1)),
        y=list(range(1, matrix.shape[0] + 1)),
        z=matrix.grid,
        zmin=0,
        zmax=top,
        colorscale=[(index / top, level.colour) for index, level in enumerate(matrix.levels)],
        showscale=False,
        xgap=2,
        ygap=2,
        hovertext=_cell_hover(matrix, held),
        hoverinfo="text",
    )
    names = _labels(places, [plain(level.name, 12) for level in levels], inks, size=10, lift=0.36)
    ids = _labels(places, [_ids_label(held.get(place, [])) for place in places], inks, size=12, lift=-0.12)
    return [cells, names, ids]


def _labels(places: Sequence[tuple[int, int]], texts: list[str], inks: list[str], size: int, lift: float) -> go.Scatter:
    """Text in the cells, ``lift`` above their middles."""
    return go.Scatter(
        x=[column + 1 for _, column in places],
        y=[row + 1 + lift for row, _ in places],
        text=texts,
        textfont={"color": inks, "size": size},
        mode="text",
        hoverinfo="skip",
        showlegend=False,
    )


def _ids_label(ids: Sequence[str]) -> str:
    if len(ids) > _CROWDED:
        return f"{len(ids)} risks"
    return "<br>".join(plain(each, 12) for each in ids)


def _cell_hover(matrix: Matrix, held: dict[tuple[int, int], list[str]]) -> list[list[str]]:
    return [
        [
            f"{plain(likelihood)} x {plain(impact)}: {plain(matrix.levels[matrix.grid[row][column]].name)}"
            f"<br>{plain(', '.join(held.get((row, column), [])) or 'no risk', 200)}"
            for column, impact in enumerate(matrix.impact)
        ]
        for row, likelihood in enumerate(matrix.likelihood)
    ]


def _name_ratings(figure: go.Figure, matrix: Matrix) -> None:
    """Write the ratings' names beside their numbers on both axes."""
    rows, columns = (
        [f"{number} {plain(name, 16)}" for number, name in enumerate(names, 1)]
        for names in (matrix.likelihood, matrix.impact)
    )
    shared = {"showgrid": False, "ticks": "", "tickangle": 0}
    figure.update_yaxes(tickvals=list(range(1, len(rows) + 1)), ticktext=rows, range=[0.5, len(rows) + 0.5], **shared)
    two_lines = [label.replace(" ", "<br>", 1) for label in columns]
    figure.update_xaxes(
        tickvals=list(range(1, len(columns) + 1)), ticktext=two_lines, range=[0.5, len(columns) + 0.5], **shared
    )
    figure.update_xaxes(title="Impact", tickfont_size=11)
    figure.layout.yaxis.title = {"text": "Likelihood", "standoff": 14}


def _ids_by_cell(rated: pd.DataFrame, view: str, matrix: Matrix) -> dict[tuple[int, int], list[str]]:
    """The risks of each cell (0-based), each read at the nearest whole ratings, as its level is."""
    held: dict[tuple[int, int], list[str]] = {}
    places = zip(*(matrix.whole(axis, rated[f"{view}_{axis}"]) for axis in AXES), rated["risk_id"], strict=True)
    for row, column, risk in places:
        held.setdefault((int(row) - 1, int(column) - 1), []).append(risk)
    return held


def _cell_rows(matrix: Matrix, held: dict[tuple[int, int], list[str]], view: str) -> Iterable[list[views.Cell]]:
    for row, column in sorted(held, reverse=True):
        level = matrix.levels[matrix.grid[row][column]].name
        ids = ", ".join(held[row, column])
        yield [view.capitalize(), matrix.likelihood[row], matrix.impact[column], views.level_cell(level, matrix), ids]


def _spread(rated: pd.DataFrame) -> npt.NDArray[np.float64]:
    """A shift within the cell for risks that are rated alike, so that none hides another; 0 for a risk alone."""
    alike = rated.groupby(["inherent_likelihood", "inherent_impact"])["risk_id"]
    place, number = alike.cumcount().to_numpy(), alike.transform("count").to_numpy()
    shift: npt.NDArray[np.float64] = (place - (number - 1) / 2) * np.minimum(0.13, 0.6 / np.maximum(number - 1, 1))
    return shift


def _fell(rated: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which risks' controls have earned them a lower level."""
    return np.asarray(rated["inherent_level"].cat.codes > rated["earned_level"].cat.codes)
