"""Charts: each function takes scores and returns a plotly Figure; only a notebook displays it.

Every figure carries, in ``layout.meta``, the sentence that says what to see and its data as a table: a page
shows both, so nothing is lost where scripts don't run. Text from the register never reaches plotly unescaped,
for plotly reads tags in its labels.
"""

from __future__ import annotations

import html

import pandas as pd
import plotly.graph_objects as go

from riskcalc.assessment.scoring import VIEWS, level_counts, ranked
from riskcalc.errors import counted
from riskcalc.pages import display, wording
from riskcalc.register.matrix import INK, Matrix

FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
MARKS = {"inherent": "circle-open", "claimed": "line-ns-open"}
_CONCLUDED = {
    "operated_effectively": ("#1d6b54", "circle"),
    "insufficient_evidence": ("#a86a12", "diamond-open"),
    "not_effective": ("#8f1d3f", "x"),
}
_GREY, _FAINT = "#5b6673", "#dfe4ea"

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


def plain(text: object, limit: int = 60) -> str:
    """Text as plotly shows it literally: its pseudo-HTML escaped, and shortened to what a label can hold."""
    words = " ".join(str(text).split())
    return html.escape(words if len(words) <= limit else words[: limit - 1] + "…", quote=False)


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
            hovertext=hover(shown, "earned"),
            hoverinfo="text",
        )
    )
    for view in ("claimed", "inherent"):
        mark = {"symbol": MARKS[view], "size": 12, "color": INK, "line": {"width": 2, "color": INK}}
        spoken = {"hovertext": hover(shown, view), "hoverinfo": "text"}
        figure.add_scatter(
            x=shown[f"{view}_score"], y=places, mode="markers", marker=mark, name=view.capitalize(), **spoken
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
        else f"{first['risk_id']}, {first['title']}, is the worst: by earned level, then by score."
    )
    cut = f" The {most} worst of {len(order)} are drawn." if len(order) > most else ""
    return finish(
        figure,
        "Risks ranked by earned residual",
        f"{leader}{cut} {unrated(scores)}",
        scores_table(order, matrix),
        110 + 27 * max(len(shown), 3),
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
    told = wording.worse_than(wording.breach_count(scores), wording.rated_count(scores), "their unit's appetite")
    summary = f"{told}. {unrated(scores)}"
    rows = [
        [unit, *(str(int(count)) for count in row)] for unit, row in zip(counts.index, counts.to_numpy(), strict=True)
    ]
    table = display.table(
        "Risks by unit and earned level", ["Unit", *counts.columns], rows, numeric=list(counts.columns)
    )
    return finish(figure, "Earned residual risk by unit", summary, table, 130 + 42 * max(len(counts), 2))


def deviation_limits(controls: pd.DataFrame, tolerable: float, confidence: float) -> go.Figure:
    """What the tests of operation leave possible: each control's observed deviation rate, up to its upper limit."""
    tested = controls[controls["upper_limit"].notna()].sort_values("upper_limit")
    tested = tested.assign(rate=(tested["deviations"] / tested["sample_size"]).astype(float))
    names = [plain(name, 20) for name in tested["control_id"]]
    figure = go.Figure()
    for conclusion in _CONCLUDED:
        _limits(figure, tested[tested["conclusion"] == conclusion], conclusion)
    figure.add_vline(x=tolerable, line={"color": INK, "width": 2, "dash": "dash"})
    figure.add_annotation(
        x=tolerable,
        y=1,
        yref="paper",
        yanchor="bottom",
        xanchor="left",
        showarrow=False,
        text=f"tolerable {tolerable:.0%}",
    )
    figure.update_xaxes(title="Observed rate (mark), up to the upper limit (bar)", tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(categoryorder="array", categoryarray=names, showgrid=False)
    figure.update_layout(legend={"y": 1.06}, barmode="overlay")
    beyond = int((tested["upper_limit"] > tolerable).sum())
    summary = (
        f"{counted(len(tested), 'control')} tested. At {confidence:.0%} confidence, more than the tolerable "
        f"{tolerable:.0%} could deviate at {beyond} of them; where the planned size held without deviation, "
        "that is accepted."
    )
    rows: list[list[display.Cell]] = [
        [
            one["control_id"],
            f"{one['deviations']} of {one['sample_size']}",
            f"{one['rate']:.1%}",
            f"{one['upper_limit']:.1%}",
            one["conclusion"].replace("_", " "),
        ]
        for one in tested.iloc[::-1].to_dict("records")
    ]
    columns = ["Control", "Deviated", "Rate", "At most", "Conclusion"]
    table = display.table("Deviation rates and their upper limits", columns, rows, numeric=columns[1:4])
    told = summary if len(tested) else "No test of operation is on record for the period."
    return finish(figure, "What the tests leave possible", told, table, 150 + 22 * max(len(tested), 4))


# --- parts -------------------------------------------------------------------------------------------


def _limits(figure: go.Figure, tested: pd.DataFrame, conclusion: str) -> None:
    """A mark at the observed rate and a bar up to the limit, for the controls of one conclusion."""
    ink, symbol = _CONCLUDED[conclusion]
    names = [plain(name, 20) for name in tested["control_id"]]
    spoken = [
        f"{name}: {one['deviations']} of {one['sample_size']} deviated, at most {one['upper_limit']:.1%}"
        for name, one in zip(names, tested.to_dict("records"), strict=True)
    ]
    figure.add_bar(
        x=tested["upper_limit"] - tested["rate"],
        base=tested["rate"],
        y=names,
        orientation="h",
        width=0.4,
        marker={"color": ink, "opacity": 0.4},
        hovertext=spoken,
        hoverinfo="text",
        showlegend=False,
        legendgroup=conclusion,
    )
    figure.add_scatter(
        x=tested["rate"],
        y=names,
        mode="markers",
        marker={"symbol": symbol, "size": 10, "color": ink, "line": {"width": 2, "color": ink}},
        hovertext=spoken,
        hoverinfo="text",
        cliponaxis=False,
        name=conclusion.replace("_", " ").capitalize(),
        legendgroup=conclusion,
    )


def scores_table(rated: pd.DataFrame, matrix: Matrix) -> display.Display:
    """The scores of every view as a table, each as the product that it is."""
    rows: list[list[display.Cell]] = [
        [
            risk["risk_id"],
            risk["title"],
            *(
                cell
                for view in VIEWS
                for cell in (
                    f"{risk[f'{view}_likelihood']:.2f} x {risk[f'{view}_impact']:.2f} = {risk[f'{view}_score']:.2f}",
                    display.level_cell(risk[f"{view}_level"], matrix),
                )
            ),
        ]
        for risk in rated.to_dict("records")
    ]
    columns = ["Risk", "Title", *(f"{view.capitalize()} {what}" for view in VIEWS for what in ("score", "level"))]
    return display.table(
        "Scores: likelihood x impact", columns, rows, numeric=[column for column in columns if column.endswith("score")]
    )


def hover(risks: pd.DataFrame, view: str) -> list[str]:
    """What a pointer on a risk's mark is told."""
    return [
        f"{plain(risk)}  {plain(title)}<br>{view} {plain(level)}, score {score:.2f}"
        for risk, title, level, score in zip(
            risks["risk_id"], risks["title"], risks[f"{view}_level"], risks[f"{view}_score"], strict=True
        )
    ]


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


def finish(
    figure: go.Figure, title: str, summary: str, table: display.Display, height: int, least_width: int = 640
) -> go.Figure:
    """One look for all charts, and what a page needs: the words, the data, the pixels below which it won't shrink."""
    about = {"title": title, "summary": summary.strip(), "table": table.as_json(), "least_width": least_width}
    meta = {"riskcalc": about}
    figure.update_layout(template=TEMPLATE, title_text=title, height=height, meta=meta)
    return figure
