"""Charts of the yearly loss; as in ``charts``, each carries its sentence and its data as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from riskcalc.errors import amount, counted
from riskcalc.loss.compound import AnnualLoss
from riskcalc.pages import display
from riskcalc.pages.charts import finish, plain
from riskcalc.pages.display import Cell, Display
from riskcalc.pages.wording import money, percent
from riskcalc.register.matrix import INK
from riskcalc.register.records import by_index

_LINES: dict[str, dict[str, Any]] = {
    "inherent": {"color": "#5b6673", "dash": "dot", "width": 2},
    "claimed": {"color": "#2c6fa6", "dash": "dash", "width": 2},
    "earned": {"color": INK, "width": 3},
}
_RULE = {"color": "#8f1d3f", "width": 1.5, "dash": "dash"}
_EXPECTED, _TAIL = "#9db7cc", "#2c4a63"
_BETTER, _WORSE = "#7fb09e", "#c98a9a"
_MOST = 12  # controls that matter most


def in_years(probability: float) -> str:
    """A probability as leadership says it.

    >>> in_years(0.07), in_years(0.67), in_years(0.00001)
    ('in 1 year of 14', 'in 7 years of 10', 'in less than 1 year of 10,000')
    """
    if probability < 1e-4:
        return "in less than 1 year of 10,000"
    if probability >= 0.95:
        return "in practically every year"
    if probability > 0.35:
        return f"in {round(probability * 10)} years of 10"
    return f"in 1 year of {round(1 / probability):,}"


def exceedance(years: Mapping[str, AnnualLoss], unit: Mapping[str, Any], band: pd.DataFrame) -> go.Figure:
    """How likely a year's loss is to exceed an amount: inherent, claimed and earned, against materiality."""
    materiality, performance = float(unit["materiality"]), float(unit["performance_materiality"])
    losses = band["loss"].to_numpy()
    now, place = years["earned"].exceed(materiality), {"yref": "paper", "y": 1, "yanchor": "bottom", "showarrow": False}
    rule = {"type": "line", "xref": "x", "yref": "y domain", "y0": 0, "y1": 1, "line": _RULE}
    name = {"font": {"size": 12, "color": "#7c1937"}, **place}
    dot = {
        "text": f"<b>{percent(now)}</b>",
        "xanchor": "left",
        "ax": 28,
        "ay": 24 if now > 0.85 else -24,
        "arrowcolor": INK,
    }
    layout = _layout(str(unit["currency"])) | {
        "shapes": [{"x0": amount, "x1": amount, **rule} for amount in (performance, materiality)],
        "annotations": [
            {"x": np.log10(performance), "xanchor": "right", "text": "performance materiality", **name},
            {"x": np.log10(materiality), "xanchor": "left", "text": "materiality", **name},
            {"x": np.log10(materiality), "y": now, **dot},
        ],
    }
    table, traces = _exceedance_table(years, losses, str(unit["currency"])), [*_shade(band), *_curves(years, losses)]
    return finish(traces, layout, sentence(years, materiality), table, 460)


def organisation(years: Mapping[str, AnnualLoss], currency: str, left_out: str = "") -> go.Figure:
    """The exceedance curves of all units together; materiality is each unit's own, so none is drawn."""
    losses = np.geomspace(begins(years["earned"], 0.02), max(years["inherent"].var(0.995), 10.0), 81)
    told = " ".join(filter(None, [_one_in_twenty(years, currency), left_out]))
    table = _exceedance_table(years, losses, currency)
    return finish(_curves(years, losses), _layout(currency), told, table, 430)


def begins(year: AnnualLoss, share: float) -> float:
    """What a share of the years that cost anything cost at most: below it a curve only tells how many these are."""
    return max(year.var(min(year.p0 + share * (1 - year.p0), 1 - 1e-9)), 1.0)


def in_twenty(year: AnnualLoss) -> tuple[float, str]:
    """What 1 year in 20 costs more than; where fewer cost anything, 0, and the share of those that do, else blank."""
    more = year.var(0.95)
    return more, "" if more else percent(1 - year.p0)


def _one_in_twenty(years: Mapping[str, AnnualLoss], currency: str) -> str:
    (earned, costing), (claimed, _) = (in_twenty(years[view]) for view in ("earned", "claimed"))
    if not years["inherent"].mean:
        return "No quantified risk costs anything."
    if costing:
        return f"{costing} of years cost anything at all."
    told = f"1 year in 20 costs all units' clients together more than {money(earned, currency)}"
    if money(earned, currency) == money(claimed, currency):
        return f"{told}, by what controls have earned as by what they claim."
    return f"{told}; it would be {money(claimed, currency)} if every control operated as claimed."


def _shade(band: pd.DataFrame) -> list[dict[str, Any]]:
    """What the tests leave in doubt about the earned curve."""
    shade = {"type": "scatter", "x": band["loss"], "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    filled = {"fill": "tonexty", "fillcolor": "rgba(26,31,38,.13)", "name": "Earned, by the tests' doubt"}
    both = {**shade, "legendgroup": "band"}
    return [{**both, "y": band["low"], "showlegend": False}, {**both, "y": band["high"], **filled}]


def _curves(years: Mapping[str, AnnualLoss], losses: Any) -> list[dict[str, Any]]:
    line = {"type": "scatter", "x": losses, "mode": "lines"}
    drawn = {view: {"line": look, "name": view.capitalize()} for view, look in _LINES.items()}
    return [{**line, "y": years[view].exceeding(losses), **look} for view, look in drawn.items()]


def _layout(currency: str) -> dict[str, Any]:
    title = f"Loss of all clients together in a year, {plain(currency)}"
    return {
        "xaxis": {"type": "log", "title": {"text": title}, "tickformat": "~s", "dtick": "D2"},
        "yaxis": {"title": {"text": "Probability that a year exceeds it"}, "tickformat": ".0%", "range": [0, 1.02]},
        "legend": {"x": 1, "xanchor": "right", "y": 1.1},
        "title": {"text": "What a year may cost", "y": 0.97, "yanchor": "top"},
    }


def sentence(years: Mapping[str, AnnualLoss], materiality: float) -> str:
    """What leadership should see in the curve."""
    if not years["inherent"].mean:
        return "No quantified risk costs anything."
    now, then = (in_years(years[view].exceed(materiality)) for view in ("earned", "claimed"))
    told = f"{now[:1].upper()}{now[1:]}, the misstatements of all clients together exceed one client's materiality"
    if now == then:
        return f"{told}, by what controls have earned as by what they claim."
    return f"{told}; it would be {then} if every control operated as claimed."


def contributions(
    parts: pd.DataFrame, titles: Mapping[str, str], currency: str, places: Mapping[str, Cell], left_out: str = ""
) -> Display:
    """Which risks the expected loss and the loss of the worst years come from, with bars to scale."""
    order = parts.sort_values(["tail_share", "expected_share"], ascending=False)
    most = max([*order["tail_share"], *order["expected_share"], 1e-9])
    rows: list[list[Cell]] = [
        [
            places.get(str(name), str(name)),
            titles.get(str(name), ""),
            amount(row["expected"]),
            display.bars(percent(row["expected_share"]), [(0, row["expected_share"] / most, _EXPECTED)]),
            display.bars(percent(row["tail_share"]), [(0, row["tail_share"] / most, _TAIL)]),
        ]
        for name, row in by_index(order).items()
    ]
    columns = ["Id", "Title", f"Expected, {currency} a year", "Of the expected loss", "Of the worst 5 % of years"]
    first = order.iloc[0]
    told = (
        f"{order.index[0]} makes {percent(first['tail_share'], 0)} of the loss in the worst years "
        f"and {percent(first['expected_share'], 0)} of the expected loss."
    )
    return display.table("Where the loss comes from", columns, rows, numeric=columns[2:3], summary=told, note=left_out)


def tornado(controls: pd.DataFrame, titles: Mapping[str, str]) -> Display:
    """Which controls matter: the probability of exceeding materiality if each fails, and if it is repaired."""
    moving = controls[controls["range"] > 0] if len(controls) else controls
    ends: dict[str, Any] = {
        end: moving[f"exceed_{end}"].astype(float) if len(moving) else [] for end in ("repaired", "now", "failed")
    }
    low, high = min([*ends["repaired"], 1.0]), max([*ends["failed"], 0.0])
    rows: list[list[Cell]] = []
    for name, *exceeds in zip(moving.index[:_MOST], *ends.values(), strict=False):
        repaired, now, failed = ((each - low) / max(high - low, 1e-9) for each in exceeds)
        drawn = display.bars("", [(repaired, now, _BETTER), (now, failed, _WORSE)], [(now, "line")])
        rows.append([display.jump(str(name)), titles.get(str(name), ""), drawn, *(percent(each) for each in exceeds)])
    columns = ["Control", "Title", "Exceeds materiality", "If repaired", "Now", "If it fails"]
    note = "Bar: from the probability if the control is repaired, past the line, how it is now, to that if it fails."
    left = len(controls) - len(rows)
    note += (
        f" {counted(left, 'control')} that {'moves' if left == 1 else 'move'} it less or not at all left out."
        * bool(left)
    )
    told = _leading(moving)
    return display.table("Which controls matter", columns, rows, numeric=columns[3:], note=note, summary=told)


def _leading(moving: pd.DataFrame) -> str:
    if moving.empty:
        return "No control moves the probability of exceeding materiality."
    worst = moving.sort_values("exceed_failed", ascending=False).iloc[0]
    best = moving.sort_values("exceed_repaired").iloc[0]
    now, failed, repaired = map(in_years, (worst["exceed_now"], worst["exceed_failed"], best["exceed_repaired"]))
    if now == failed == repaired:
        return f"Whichever control fails or is repaired, materiality is exceeded {now}."
    told = f"If {worst.name} failed, materiality would be exceeded {failed}."
    return told + f" Repairing {best.name} gains most: {repaired}." * (repaired != now)


def _exceedance_table(years: Mapping[str, AnnualLoss], losses: Any, currency: str) -> display.Display:
    rows: list[list[Cell]] = [
        [amount(loss), *(percent(years[view].exceed(float(loss)), 2) for view in _LINES)] for loss in losses[::4]
    ]
    columns = [f"Loss, {currency}", *(view.capitalize() for view in _LINES)]
    return display.table("Probability that a year's loss exceeds an amount", columns, rows, numeric=columns)
