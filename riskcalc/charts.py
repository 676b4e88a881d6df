"""Charts: each function takes scores and returns a plotly Figure; only a notebook displays it.

Every figure carries, in ``layout.meta``, the sentence that says what to see and its data as a table: a page
shows both, so nothing is lost where scripts don't run. Text from the register never reaches plotly unescaped,
for plotly reads tags in its labels.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from riskcalc import colour, views
from riskcalc.matrix import Matrix
from riskcalc.scoring import AXES, VIEWS

FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
MARKS = {"inherent": "circle-open", "claimed": "line-ns-open", "earned": "circle"}
_CROWDED = 4
_GREY, _FAINT = "#5b6673", "#dfe4ea"

TEMPLATE = go.layout.Template(
    layout=go.Layout(
        font={"family": FONT, "size": 13, "color": colour.INK},
        title={"x": 0, "xanchor": "left", "font": {"size": 16}},
        paper_bgcolor="#ffffff",
        plot_bgcolor="#ffffff",
        margin={"l": 10, "r": 10, "t": 50, "b": 10},
        xaxis={"automargin": True, "zeroline": False, "gridcolor": _FAINT},
        yaxis={"automargin": True, "zeroline": False, "gridcolor": _FAINT},
        hoverlabel={"font": {"family": FONT}, "align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
)


def plain(text: object, limit: int = 60) -> str:
    """Text as plotly shows it literally: its pseudo-HTML escaped, and shortened to what a label can hold."""
    words = " ".join(str(text).split())
    return html.escape(words if len(words) <= limit else words[: limit - 1] + "…", quote=False)


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
        figure.add_trace(_cells(matrix, held), 1, column)
        rows.extend(_cell_rows(matrix, held, view))
    figure.update_xaxes(title="Impact", showgrid=False, ticks="")
    figure.update_yaxes(showgrid=False, ticks="")
    figure.update_yaxes(title="Likelihood", col=1)
    moved = int((_worse(rated["inherent_level"], rated["earned_level"])).sum())
    summary = (
        f"Of {_count(len(rated), 'rated risk')}, controls bring {moved} to a lower level on the earned view. "
        f"{_unrated(scores)}"
    )
    table = views.table("Risks by cell of the matrix", ["View", "Likelihood", "Impact", "Level", "Risks"], rows)
    return _finish(figure, "Risks on the matrix: inherent, claimed, earned", summary, table, 120 + 62 * matrix.shape[0])


def ranking(scores: pd.DataFrame, matrix: Matrix, most: int = 20) -> go.Figure:
    """Risks by what is left of them: earned level, then earned score; claimed and inherent beside it."""
    order = ranked(scores)
    shown = order.head(most).iloc[::-1]
    places = list(range(len(shown)))
    fills = {level.name: level.colour for level in matrix.levels}
    figure = go.Figure(
        go.Bar(
            x=shown["earned_score"],
            y=places,
            orientation="h",
            marker={"color": [fills[level] for level in shown["earned_level"]], "line": {"color": _GREY, "width": 1}},
            text=[plain(level) for level in shown["earned_level"]],
            textposition="inside",
            insidetextanchor="start",
            name="Earned",
            hovertext=_hover(shown, "earned"),
            hoverinfo="text",
        )
    )
    for view in ("claimed", "inherent"):
        mark = {"symbol": MARKS[view], "size": 12, "color": colour.INK, "line": {"width": 2, "color": colour.INK}}
        hover = {"hovertext": _hover(shown, view), "hoverinfo": "text"}
        figure.add_scatter(
            x=shown[f"{view}_score"], y=places, mode="markers", marker=mark, name=view.capitalize(), **hover
        )
    labels = [
        f"{plain(risk, 14)}  {plain(title, 42)}" for risk, title in zip(shown["risk_id"], shown["title"], strict=True)
    ]
    figure.update_yaxes(tickvals=places, ticktext=labels)
    figure.update_xaxes(title="Score (likelihood x impact)", rangemode="tozero")
    figure.update_yaxes(showgrid=False)
    first = order.iloc[0] if len(order) else None
    leader = (
        "No risk is rated."
        if first is None
        else f"{first['risk_id']}, {first['title']}, is the worst on the earned view."
    )
    cut = f" The {most} worst of {len(order)} are drawn." if len(order) > most else ""
    return _finish(
        figure,
        "Risks ranked by earned residual",
        f"{leader}{cut} {_unrated(scores)}",
        _scores_table(order, matrix),
        110 + 27 * max(len(shown), 3),
    )


def movement(scores: pd.DataFrame, matrix: Matrix) -> go.Figure:
    """Where controls move each risk on the matrix: from inherent (ring) to earned (dot)."""
    rated = ranked(scores)
    figure = go.Figure(_cells(matrix, {}))
    spread = _spread(rated)
    for (_, risk), shift in zip(rated.iterrows(), spread, strict=True):
        ends = [[risk[f"{view}_{axis}"] + shift for view in ("inherent", "earned")] for axis in AXES]
        figure.add_scatter(
            x=ends[1],
            y=ends[0],
            mode="lines+markers+text",
            line={"color": colour.INK, "width": 1.5},
            marker={
                "symbol": ["circle-open", "circle"],
                "size": [11, 9],
                "color": colour.INK,
                "line": {"width": 2, "color": "#ffffff"},
            },
            text=["", plain(risk["risk_id"], 14)],
            textposition="bottom right",
            textfont={"size": 10},
            hovertext=[_hover(risk.to_frame().T, view)[0] for view in ("inherent", "earned")],
            hoverinfo="text",
            showlegend=False,
        )
    figure.update_xaxes(title="Impact", showgrid=False)
    figure.update_yaxes(title="Likelihood", showgrid=False)
    still = int((~_worse(rated["inherent_level"], rated["earned_level"])).sum())
    summary = f"{_count(still, 'risk')} of {len(rated)} stay at the inherent level: no control there has earned a lower one. {_unrated(scores)}"
    return _finish(
        figure, "Movement from inherent to earned", summary, _scores_table(rated, matrix), 150 + 78 * matrix.shape[0]
    )


def levels_by_unit(scores: pd.DataFrame, matrix: Matrix) -> go.Figure:
    """How many of each unit's risks are at each level on the earned view, and how many are unrated."""
    counts = level_counts(scores, matrix)
    figure = go.Figure()
    for name, fill in [*((level.name, level.colour) for level in matrix.levels), ("Unrated", "#ffffff")]:
        figure.add_bar(
            x=counts[name],
            y=[plain(unit, 30) for unit in counts.index],
            orientation="h",
            name=plain(name),
            marker={
                "color": fill,
                "line": {"color": _GREY, "width": 1},
                "pattern": {"shape": "/" if name == "Unrated" else ""},
            },
            text=[str(count) if count else "" for count in counts[name]],
            textangle=0,
            insidetextanchor="middle",
            hovertemplate=f"%{{y}}: %{{x}} {plain(name)}<extra></extra>",
        )
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    figure.update_xaxes(title="Number of risks")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    worst = matrix.level_names[-1]
    summary = f"{_count(int(counts[worst].sum()), 'risk')} of {len(scores)} are {worst} on the earned view. {_unrated(scores)}"
    rows = [
        [unit, *(str(int(count)) for count in row)] for unit, row in zip(counts.index, counts.to_numpy(), strict=True)
    ]
    table = views.table("Risks by unit and earned level", ["Unit", *counts.columns], rows, numeric=list(counts.columns))
    return _finish(figure, "Earned residual risk by unit", summary, table, 130 + 42 * max(len(counts), 2))


def level_counts(scores: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
    """Risks by unit (rows, in the register's order) and earned level (columns, worst first), unrated last."""
    columns = [*reversed(matrix.level_names), "Unrated"]
    level = scores["earned_level"].astype(object).where(scores["earned_level"].notna(), "Unrated")
    counts = pd.crosstab(scores["unit_id"], level).reindex(columns=columns, fill_value=0)
    counts.index.name = counts.columns.name = None
    return counts.reindex(scores["unit_id"].unique())


def ranked(scores: pd.DataFrame) -> pd.DataFrame:
    """The rated risks, worst first: earned level, earned score, then id."""
    rated = scores[scores["likelihood"].notna()]
    return rated.sort_values(["earned_level", "earned_score", "risk_id"], ascending=[False, False, True])


# --- parts -------------------------------------------------------------------------------------------


def _cells(matrix: Matrix, held: dict[tuple[int, int], list[str]]) -> go.Heatmap:
    """The matrix as a heatmap: colour and name of each cell's level, and the risks held there."""
    rows, columns = matrix.shape
    text, hover = _grid(matrix, ""), _grid(matrix, "")
    for row in range(rows):
        for column in range(columns):
            level = matrix.levels[matrix.grid[row][column]]
            ids = held.get((row, column), [])
            text[row][column] = _cell_label(ids, level.colour)
            hover[row][column] = (
                f"{plain(matrix.likelihood[row])} x {plain(matrix.impact[column])}: {plain(level.name)}<br>{plain(', '.join(ids) or 'no risk', 200)}"
            )
    top = max(len(matrix.levels) - 1, 1)
    scale = [(index / top, level.colour) for index, level in enumerate(matrix.levels)]
    return go.Heatmap(
        x=list(range(1, columns + 1)),
        y=list(range(1, rows + 1)),
        z=matrix.grid,
        zmin=0,
        zmax=top,
        colorscale=scale,
        showscale=False,
        xgap=2,
        ygap=2,
        text=text,
        texttemplate="%{text}",
        hovertext=hover,
        hoverinfo="text",
    )


def _grid(matrix: Matrix, value: str) -> list[list[str]]:
    return [[value] * matrix.shape[1] for _ in range(matrix.shape[0])]


def _cell_label(ids: Sequence[str], background: str) -> str:
    if not ids:
        return ""
    shown = "<br>".join(plain(each, 12) for each in ids) if len(ids) <= _CROWDED else f"{len(ids)} risks"
    return f'<span style="color:{colour.ink_on(background)}">{shown}</span>'


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
        yield [view.capitalize(), matrix.likelihood[row], matrix.impact[column], level_cell(level, matrix), ids]


def level_cell(name: object, matrix: Matrix, note: str = "") -> views.Cell:
    """A table cell with a level's name on its colour; "Unrated" where there is none."""
    for level in matrix.levels:
        if level.name == name:
            return {"text": level.name, "fill": level.colour, "ink": colour.ink_on(level.colour), "note": note}
    return {"text": "Unrated", "note": note}


def _scores_table(rated: pd.DataFrame, matrix: Matrix) -> views.View:
    rows: list[list[views.Cell]] = [
        [
            risk["risk_id"],
            risk["title"],
            *(
                cell
                for view in VIEWS
                for cell in (
                    f"{risk[f'{view}_likelihood']:.2f} x {risk[f'{view}_impact']:.2f} = {risk[f'{view}_score']:.2f}",
                    level_cell(risk[f"{view}_level"], matrix),
                )
            ),
        ]
        for risk in rated.to_dict("records")
    ]
    columns = ["Risk", "Title", *(f"{view.capitalize()} {what}" for view in VIEWS for what in ("score", "level"))]
    return views.table(
        "Scores: likelihood x impact", columns, rows, numeric=[column for column in columns if column.endswith("score")]
    )


def _spread(rated: pd.DataFrame) -> list[float]:
    """A small shift for each risk, so that risks with the same ratings don't hide each other."""
    place = rated.groupby(["inherent_likelihood", "inherent_impact"]).cumcount()
    return [0.11 * ((index % 7) - 3) for index in place]


def _hover(risks: pd.DataFrame, view: str) -> list[str]:
    return [
        f"{plain(risk['risk_id'])}  {plain(risk['title'])}<br>{view} {plain(risk[f'{view}_level'])}, score {risk[f'{view}_score']:.2f}"
        for risk in risks.to_dict("records")
    ]


def _worse(before: pd.Series[Any], after: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(before.cat.codes > after.cat.codes)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _unrated(scores: pd.DataFrame) -> str:
    missing = scores.loc[scores["likelihood"].isna(), "risk_id"]
    return (
        f"Unrated: {', '.join(missing)}."
        if 0 < len(missing) <= 12
        else f"Unrated: {len(missing)}."
        if len(missing)
        else ""
    )


def _finish(figure: go.Figure, title: str, summary: str, table: views.View, height: int) -> go.Figure:
    """One look for all charts, and what a page needs to say about them without scripts."""
    meta = {"riskcalc": {"title": title, "summary": summary.strip(), "table": table.as_json()}}
    figure.update_layout(template=TEMPLATE, title_text=title, height=height, meta=meta)
    return figure
