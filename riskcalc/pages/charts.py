"""What all charts of lines share; bars are cells of tables (``display.bars``), which need no script.

Every figure carries, in ``layout.meta``, the sentence that says what to see and its data as a table: a page
shows both, so nothing is lost where scripts don't run. Text from the register never reaches plotly unescaped,
for plotly reads tags in its labels.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from riskcalc.pages import display
from riskcalc.pages.display import PLOTLY_MIME
from riskcalc.pages.frames import frame_table
from riskcalc.pages.lines import drawn
from riskcalc.register.matrix import INK

FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
_FAINT = "#dfe4ea"

TEMPLATE = go.layout.Template(
    layout=go.Layout(
        font={"family": FONT, "size": 13, "color": INK},
        title={"x": 0, "xanchor": "left", "font": {"size": 16}},
        paper_bgcolor="#ffffff",
        plot_bgcolor="#ffffff",
        margin={"l": 10, "r": 10, "t": 50, "b": 10},
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
        shown = display.Display("chart", {**about, "picture": drawn(figure)})
        bundle = shown._repr_mimebundle_()
        return {PLOTLY_MIME: figure, "text/html": bundle["text/html"], "text/plain": _as_text(about)}


def as_chart(figure: go.Figure) -> Chart:
    """Somebody's own figure as a chart: under its title, with what its traces hold as a table."""
    if isinstance(figure, Chart):
        return figure
    title = " ".join(re.sub("<[^>]*>", " ", figure.layout.title.text or "Chart").split())
    about = {"title": title, "summary": "", "table": frame_table(_held(figure)).as_json()}
    chart = Chart(figure)
    chart.update_layout(meta={"riskcalc": about})
    return chart


def plain(text: object, limit: int = 60) -> str:
    """Text as plotly shows it literally: its pseudo-HTML escaped, and shortened to what a label can hold."""
    words = " ".join(str(text).split())
    return html.escape(words if len(words) <= limit else words[: limit - 1] + "…", quote=False)


def unrated(scores: pd.DataFrame) -> str:
    """The sentence that keeps unrated risks visible; blank where there are none."""
    missing = scores.loc[scores["likelihood"].isna(), "risk_id"]
    return (
        f"Unrated: {', '.join(missing)}."
        if 0 < len(missing) <= 12
        else f"Unrated: {len(missing)}."
        if len(missing)
        else ""
    )


def finish(figure: go.Figure, title: str, summary: str, table: display.Display, height: int) -> Chart:
    """One look for all charts, and what a page needs: the words and the data."""
    about = {"title": title, "summary": summary.strip(), "table": table.as_json(), "curve": True}
    figure.update_layout(template=TEMPLATE, title_text=title, height=height, meta={"riskcalc": about})
    return Chart(figure)


# --- parts ---


def _held(figure: go.Figure) -> pd.DataFrame:
    """What a figure's traces hold, one below the other, under the titles of its axes."""
    axes = {axis: figure.layout[f"{axis}axis"].title.text or axis for axis in ("x", "y")}
    parts = []
    for trace in figure.data:
        given = {name: trace[name] for name in ("labels", "values", "x", "y", "z") if name in trace}
        rows = {
            axes.get(name, name): pd.Series([row.tolist() if np.ndim(row) else row for row in each])
            for name, each in given.items()
            if each is not None
        }
        parts.append(pd.DataFrame(rows).assign(**{"Series": trace.name} if trace.name else {}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _as_text(about: Mapping[str, Any]) -> str:
    table = pd.DataFrame(about["table"]["rows"], columns=about["table"]["columns"])
    return f"{about['title']}. {about['summary']}\n{table.to_string(index=False)}"
