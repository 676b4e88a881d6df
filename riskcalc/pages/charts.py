"""What all charts share, and the matrix as one; bars are cells of tables (``display.bars``), which need no script.

Every figure carries, in ``layout.meta``, the sentence that says what to see and its data as a table: a page
shows both, so nothing is lost where scripts don't run. Text from the register never reaches plotly unescaped,
for plotly reads tags in its labels.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.callbacks import Points

from riskcalc.assessment.scoring import VIEWS, by_cell
from riskcalc.errors import UsageError, counted, of_an_extra
from riskcalc.pages import display
from riskcalc.pages.display import PLOTLY_MIME, Display, Place
from riskcalc.pages.frames import frame_table
from riskcalc.pages.line_pictures import drawn
from riskcalc.pages.wording import rated_count, worse_than
from riskcalc.register.matrix import INK, PAPER, Level, Matrix, ink_on

_Start = str | pd.DataFrame | None  # another view, or the scores of another period
FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
_FAINT = "#dfe4ea"
_Held = Mapping[Place, Sequence[str]]
_STANDS = {"inherent": "before controls", "claimed": "as claimed", "earned": "as earned"}
_SHOWN, _TOLD = 4, 12  # ids in a cell, risks that a pointer on it is told

TEMPLATE = go.layout.Template(
    layout=go.Layout(
        font={"family": FONT, "size": 13, "color": INK},
        title={"x": 0, "xanchor": "left", "font": {"size": 16}},
        paper_bgcolor="#ffffff",
        plot_bgcolor="#ffffff",
        margin={"l": 10, "r": 10, "t": 80, "b": 10},
        xaxis={"automargin": True, "zeroline": False, "gridcolor": _FAINT},
        yaxis={"automargin": True, "zeroline": False, "gridcolor": _FAINT, "ticklabelstandoff": 6},
        hoverlabel={"font": {"family": FONT}, "align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
)


class Chart(go.Figure):  # type: ignore[misc]
    """A plotly figure that is also there, as a picture and a table, for whatever shows no plotly."""

    def _repr_mimebundle_(self, *_: object, **__: object) -> dict[str, Any]:
        figure = json.loads(self.to_json())
        about = figure["layout"]["meta"]["riskcalc"]
        if page := about.pop("page", None):
            return {PLOTLY_MIME: figure, **Display(page["kind"], page)._repr_mimebundle_()}
        shown = Display("chart", {**about, "picture": drawn(figure)})
        bundle = shown._repr_mimebundle_()
        return {PLOTLY_MIME: figure, "text/html": bundle["text/html"], "text/plain": _as_text(about)}

    def on_pages(self, shown: Display) -> Chart:
        """The same, but that pages show something else, which needs no script."""
        self.layout.meta = {"riskcalc": {"page": shown.as_json()}}
        return self


def as_chart(figure: go.Figure) -> Chart:
    """Somebody's own figure as a chart: under its title, with what its traces hold as a table."""
    if isinstance(figure, Chart):
        return figure
    title = " ".join(re.sub("<[^>]*>", " ", figure.layout.title.text or "Chart").split())
    about = {"title": title, "summary": "", "table": frame_table(_held(figure)).as_json()}
    made = Chart(figure)
    made.update_layout(meta={"riskcalc": about})
    return made


def plain(text: object, limit: int = 60) -> str:
    """Text as plotly shows it literally: its pseudo-HTML escaped, and shortened to what a label can hold."""
    words = " ".join(str(text).split())
    return html.escape(words if len(words) <= limit else words[: limit - 1] + "…", quote=False)


def unrated(scores: pd.DataFrame) -> str:
    """The sentence that keeps unrated risks visible; blank where there are none."""
    missing = scores["risk_id"].array[scores["likelihood"].array.isna()]
    return (
        f"Unrated: {', '.join(missing)}."
        if 0 < len(missing) <= 12
        else f"Unrated: {len(missing)}."
        if len(missing)
        else ""
    )


def finish(
    traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], summary: str, table: Display, height: int
) -> Chart:
    """One look for all charts, and what a page needs: the words and the data."""
    title = layout["title"]["text"]
    about = {"title": title, "summary": summary.strip(), "table": table.as_json(), "curve": True}
    whole = {**layout, "template": TEMPLATE, "height": height, "meta": {"riskcalc": about}}
    made = Chart(traces, whole, skip_invalid=True, _validate=False)  # ours is valid, and checking it takes most time
    for each in (made, made.layout, *made.data):
        each._validate = True  # what somebody else changes isn't known to be
    return made


def heatmap(scores: pd.DataFrame, matrix: Matrix, view: str = "earned", start: _Start = None) -> Chart:
    """The matrix with the risks in their cells, which bear their levels' colours and names; on pages it is a table.

    ``scores`` has a row per risk, as from ``riskcalc.score``; titles are told where it has them. The bold line is
    at the appetite. Arrows lead from where risks stand at the ``start``: in another view, or in this view of the scores
    of another period. Of a cell with many risks the number is shown; a pointer on it is told which.

    Raises UsageError for an unknown view.

    >>> from riskcalc import load, score
    >>> register = load("data")
    >>> heatmap(score(register), register.methodology.matrix, "earned", start="inherent").layout.title.text
    'Earned risk on the matrix'
    """
    if wrong := [each for each in (view, start) if isinstance(each, str) and each not in VIEWS]:
        raise UsageError(f"There is no view {wrong[0]!r}; allowed: {', '.join(VIEWS)}.")
    of_start = (start, view) if isinstance(start, pd.DataFrame) else (scores, start or view)
    held, before = by_cell(scores, view, matrix), by_cell(*of_start, matrix)
    titles = dict(zip(scores["risk_id"], scores["title"], strict=True)) if "title" in scores else {}
    arrows, lines = _arrows(before, held), _appetite_lines(scores, matrix)
    worse = int((scores[f"{view}_level"].cat.codes > scores["appetite"].cat.codes)[scores["appetite"].notna()].sum())
    told = (
        worse_than(worse, rated_count(scores), "the appetite") if worse else "No rated risk is worse than the appetite"
    )
    summary = f"{told}. {unrated(scores)}".strip()
    title = f"{view.capitalize()} risk on the matrix"
    table = display.matrix_table(title, matrix, held, names=titles, note=summary)
    if arrows["x"]:
        place = f"stand {_STANDS[start]}" if isinstance(start, str) else "stood in the other period"
        summary += f" Arrows lead from where risks {place}."
    traces = [_cells(matrix, held, titles), arrows, _texts(matrix, held), *lines]
    named = {"text": title, "subtitle": {"text": plain(summary, 200)}}
    layout = {"title": named, "showlegend": False, **_axes(matrix)}
    return finish(traces, layout, summary, table, 130 + 84 * matrix.shape[0]).on_pages(table)


def clickable(scores: pd.DataFrame, matrix: Matrix, view: str = "earned", start: _Start = None) -> object:
    """As ``heatmap``, for JupyterLab: a click on a cell lists its risks beneath.

    Raises ModuleNotFoundError where the extra ``lab`` isn't installed.
    """
    with of_an_extra():
        import ipywidgets

        class Whole(go.FigureWidget):  # type: ignore[misc]
            """Opened with its data: plotly sends that later, when JupyterLab may have drawn an empty widget."""

            def open(self) -> None:
                if self._widget_data:
                    super().open()

    figure = Whole(heatmap(scores, matrix, view, start))
    figure.open()
    held, below = by_cell(scores, view, matrix), ipywidgets.HTML("Click a cell to list its risks.")

    def tell(_: object, points: Points, __: object) -> None:
        row, column = points.point_inds[0]
        inside = scores[scores["risk_id"].isin(held.get((row + 1, column + 1), []))]
        columns = ["risk_id", "title", "owner", *(f"{each}_level" for each in VIEWS)]
        below.value = frame_table(inside[inside.columns.intersection(columns)])._repr_mimebundle_()["text/html"]

    figure.data[0].on_click(tell)
    return ipywidgets.VBox([figure, below])


def appetite_sides(scores: pd.DataFrame, matrix: Matrix) -> dict[str, set[Place]]:
    """The cells (likelihood, impact) above which, and to the right of which, the levels pass an appetite of a risk."""
    tops = [matrix.level_names.index(name) for name in scores["appetite"].dropna().unique()]
    inside = np.array(matrix.grid)[..., np.newaxis] <= tops
    passed = {"above": inside[1:] != inside[:-1], "right": inside[:, 1:] != inside[:, :-1]}
    return {
        side: {(int(likelihood) + 1, int(impact) + 1) for likelihood, impact in np.argwhere(where.any(axis=-1))}
        for side, where in passed.items()
    }


# --- parts ---


def _cells(matrix: Matrix, held: _Held, titles: Mapping[str, str]) -> dict[str, Any]:
    """The cells in their levels' colours, and what a pointer on each is told."""
    number = len(matrix.levels)
    steps = [(at / number, level.colour) for rank, level in enumerate(matrix.levels) for at in (rank, rank + 1)]
    told = [[_told(place, matrix, held, titles) for place in row] for row in _places(matrix)]
    look = {"colorscale": steps, "zmin": -0.5, "zmax": number - 0.5, "showscale": False, "xgap": 2, "ygap": 2}
    return {"type": "heatmap", "z": matrix.grid, "x0": 1, "y0": 1, "hovertext": told, "hoverinfo": "text", **look}


def _places(matrix: Matrix) -> list[list[Place]]:
    return [
        [(likelihood, impact) for impact in range(1, matrix.shape[1] + 1)]
        for likelihood in range(1, matrix.shape[0] + 1)
    ]


def _told(place: Place, matrix: Matrix, held: _Held, titles: Mapping[str, str]) -> str:
    ids = held.get(place, [])
    where = f"likelihood {place[0]} {matrix.likelihood[place[0] - 1]} x impact {place[1]} {matrix.impact[place[1] - 1]}"
    risks = [plain(f"{each} {titles.get(each, '')}", 80) for each in ids[:_TOLD]]
    more = [f"and {len(ids) - _TOLD} more"] if len(ids) > _TOLD else []
    return "<br>".join([f"<b>{plain(_level(place, matrix).name)}</b>, {plain(where)}", *risks, *more])


def _level(place: Place, matrix: Matrix) -> Level:
    return matrix.levels[matrix.grid[place[0] - 1][place[1] - 1]]


def _axes(matrix: Matrix) -> dict[str, Any]:
    """The ratings' numbers and names along the sides."""
    made = {}
    for axis, side, names in (("yaxis", "Likelihood", matrix.likelihood), ("xaxis", "Impact", matrix.impact)):
        ticks = {number: f"{number} {plain(name, 20)}" for number, name in enumerate(names, 1)}
        shown = {"tickvals": list(ticks), "ticktext": list(ticks.values()), "range": [0.5, len(names) + 0.5]}
        made[axis] = {"title": {"text": side, "standoff": 20}, "showgrid": False, **shown}
    return made


def _texts(matrix: Matrix, held: _Held) -> dict[str, Any]:
    """In each cell its level's name, and the ids of its risks, or how many they are."""
    places, texts = list(chain.from_iterable(_places(matrix))), []
    for place in places:
        ids = held.get(place, [])
        risks = [plain(each, 14) for each in ids] if len(ids) <= _SHOWN else [counted(len(ids), "risk")]
        texts.append("<br>".join([plain(_level(place, matrix).name, 16), *(f"<b>{each}</b>" for each in risks)]))
    ink = [ink_on(_level(place, matrix).colour) for place in places]
    x, y = [impact - 0.47 for _, impact in places], [likelihood for likelihood, _ in places]
    look = {"text": texts, "textposition": "middle right", "textfont": {"size": 11, "color": ink}}
    return {"type": "scatter", "mode": "text", "hoverinfo": "skip", "x": x, "y": y, **look}


def _appetite_lines(scores: pd.DataFrame, matrix: Matrix) -> list[dict[str, Any]]:
    """A bold line along the appetite, dark in white, so that it is seen on every colour."""
    points: list[tuple[float | None, float | None]] = []
    for side, places in appetite_sides(scores, matrix).items():
        for likelihood, impact in places:
            begin = (impact - 0.5, likelihood + 0.5) if side == "above" else (impact + 0.5, likelihood - 0.5)
            points += [begin, (impact + 0.5, likelihood + 0.5), (None, None)]
    line = dict(zip(("x", "y"), map(list, zip(*points, strict=True)), strict=True)) if points else {"x": [], "y": []}
    looks = [{"color": colour, "width": width} for colour, width in ((PAPER, 8), (INK, 4))]
    return [{"type": "scatter", "mode": "lines", "hoverinfo": "skip", **line, "line": look} for look in looks]


def _arrows(before: _Held, held: _Held) -> dict[str, Any]:
    """Beside the texts, from the cells where risks stood to those where they stand."""
    came = {risk: place for place, ids in before.items() for risk in ids}
    ways = {(came[risk], place) for place, ids in held.items() for risk in ids if came.get(risk, place) != place}
    x, y = [], []
    for start, end in sorted(ways):
        x += [start[1] + 0.4, end[1] + 0.26, None]
        y += [start[0], end[0], None]
    head = {"symbol": "arrow", "size": [0, 13, 0] * len(ways), "angleref": "previous", "opacity": 1}
    look = {"mode": "lines+markers", "line": {"color": INK, "width": 1.5}, "marker": {"color": INK, **head}}
    return {"type": "scatter", "x": x, "y": y, "hoverinfo": "skip", "opacity": 0.6, **look}


def _held(figure: go.Figure) -> pd.DataFrame:
    """What a figure's traces hold, one below the other, under the titles of its axes."""
    axes = {axis: figure.layout[f"{axis}axis"].title.text or axis for axis in ("x", "y")}
    parts = []
    for trace in figure.data:
        given = {name: trace[name] for name in ("labels", "values", "x", "y", "z") if name in trace}
        rows = {
            axes.get(name, name): pd.Series([np.asarray(row).tolist() if np.ndim(row) else row for row in each])
            for name, each in given.items()
            if each is not None
        }
        parts.append(pd.DataFrame(rows).assign(**{"Series": trace.name} if trace.name else {}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _as_text(about: Mapping[str, Any]) -> str:
    table = pd.DataFrame(about["table"]["rows"], columns=about["table"]["columns"])
    return f"{about['title']}. {about['summary']}\n{table.to_string(index=False)}"
