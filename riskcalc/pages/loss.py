"""What the pages say in money: the yearly loss of a unit and of the organisation, in figures and charts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from riskcalc.assessment import annual_loss
from riskcalc.assessment.context import rated
from riskcalc.assessment.opening import Assessment, Portfolio
from riskcalc.assessment.scoring import VIEWS
from riskcalc.errors import UsageError, amount, counted, first_of
from riskcalc.loss.compound import AnnualLoss
from riskcalc.pages import display, loss_charts
from riskcalc.pages.display import Cell, Display, state
from riskcalc.pages.wording import folded_for_the_board, money, percent

_SEED = 2026  # of the band; fixed, so that the same register gives the same page
BEYOND = "All clients together, beyond one client's materiality"  # materiality is a client's; losses are added up
_QUANTILES = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)

_NOTHING = "No risk is quantified, so nothing can be said of a year in money."
_NAMED = 5  # units that are named

T = TypeVar("T")


def _where_known(shown: Callable[[Assessment], T]) -> Callable[[Assessment], T | Display | None]:
    """Show one remark only of a unit without materiality, or without a risk in money: nothing is known of its year."""

    @wraps(shown)
    def guarded(unit: Assessment) -> T | Display | None:
        told = ""
        if pd.isna(unit.unit["materiality"]):
            told = "Not assessed yet: the unit's materiality, so nothing is said in money."
        elif unit.quantified.risks.empty:
            told = _NOTHING
        if not told:
            return shown(unit)
        return display.remark(told) if shown.__name__ == "figures" else None

    return guarded


@_where_known
def figures(unit: Assessment) -> Display:
    """The unit's year in money: expected, against materiality, and what untested controls cost."""
    years, currency, left_out = unit.years, unit.unit["currency"], without(unit.quantified)
    claimed, earned = years["claimed"], years["earned"]
    gap = earned.mean - claimed.mean
    materiality, performance = (float(unit.unit[name]) for name in ("materiality", "performance_materiality"))
    return display.facts(
        "What a year may cost",
        [
            (
                "Expected loss a year, all clients together",
                money(earned.mean, currency),
                f"earned; claimed {money(claimed.mean, currency)}" + (f"; without {left_out}" if left_out else ""),
            ),
            (
                BEYOND,
                percent(earned.exceed(materiality)),
                f"of years; claimed {percent(claimed.exceed(materiality))}",
            ),
            *per_client(unit),
            (
                "The same, performance materiality",
                percent(earned.exceed(performance)),
                f"of years; claimed {percent(claimed.exceed(performance))}",
            ),
            _one_in_twenty(earned, currency),
            ("Price of claims not earned", money(gap, currency), "expected loss a year, earned less claimed"),
        ],
    )


def per_client(unit: Assessment) -> list[tuple[str, str, str]]:
    """The chance that a client's own year is material to it; nothing where their number isn't given, or is one."""
    clients = unit.unit["clients"]
    if pd.isna(clients) or clients == 1 or unit.quantified.risks.empty:
        return []
    exceeds = annual_loss.per_client(unit.quantified, int(clients)).exceed(float(unit.unit["materiality"]))
    assumed = f"of years, if each event hits one of {int(clients):,} clients, all alike"
    return [("One client, beyond its materiality", percent(exceeds), assumed)]


@_where_known
def exceedance(unit: Assessment) -> go.Figure:
    """The exceedance curve, with the band that the tests' doubt leaves around the earned one."""
    low = min(float(unit.unit["performance_materiality"]) / 50, loss_charts.begins(unit.years["earned"], 0.3))
    high = max(unit.years["inherent"].var(0.995), float(unit.unit["materiality"]) * 3)
    losses = np.geomspace(low, high, 81)
    band = annual_loss.band(unit.quantified, losses, _SEED)
    return loss_charts.exceedance(unit.years, unit.unit, band)


@_where_known
def contributions(unit: Assessment) -> Display:
    """Which risks the loss comes from."""
    titles = dict(zip(unit.register.risks["risk_id"], unit.register.risks["title"], strict=True))
    places = {name: display.jump(name) for name in titles}
    parts = annual_loss.contributions(unit.quantified)
    return folded_for_the_board(loss_charts.contributions(parts, titles, unit.unit["currency"], places), unit)


@_where_known
def tornado(unit: Assessment) -> Display:
    """Which controls matter most for exceeding materiality."""
    titles = dict(zip(unit.register.controls["control_id"], unit.register.controls["title"], strict=True))
    controls = annual_loss.controls(unit.quantified, float(unit.unit["materiality"]))
    return folded_for_the_board(loss_charts.tornado(controls, titles), unit)


@_where_known
def quantiles(unit: Assessment) -> Display:
    """The year's loss in figures, in each view, with what to be wary of."""
    currency, years = unit.unit["currency"], unit.years
    rows: list[list[Cell]] = [["Expected", *(amount(years[view].mean) for view in VIEWS)]]
    for q in _QUANTILES:
        rows.append(
            [f"1 year in {round(1 / (1 - q)):,} costs more than", *(_amount(years[view].var(q)) for view in VIEWS)]
        )
    rows.append(["Mean of the worst 1 % of years", *(amount(years[view].tvar(0.99)) for view in VIEWS)])
    rows.append(["No event at all", *(f"{percent(years[view].p0)} of years" for view in VIEWS)])
    for name in ("performance_materiality", "materiality"):
        label = f"All clients together exceed {name.replace('_', ' ')}, {unit.unit[name]:,}"
        rows.append([label, *(f"{percent(years[view].exceed(float(unit.unit[name])), 2)} of years" for view in VIEWS)])
    columns = [f"A year's loss of all clients together, {currency}", *(view.capitalize() for view in VIEWS)]
    note = _sources(unit)
    return display.table(
        "The yearly loss in figures", columns, rows, numeric=columns[1:], note=note, grouped=True, folded=True
    )


@_where_known
def sensitivity(unit: Assessment) -> Display:
    """How the headline moves with the anchors."""
    materiality = float(unit.unit["materiality"])
    cases = {"as they are": unit.years["earned"], **annual_loss.sensitivity(unit.quantified, materiality)}
    rows: list[list[Cell]] = [
        [what, amount(year.mean), percent(year.exceed(materiality))] for what, year in cases.items()
    ]
    columns = [
        "Anchors",
        f"Expected loss of all clients, {unit.unit['currency']} a year",
        "All clients beyond materiality",
    ]
    note = "Only figures taken from the ratings' anchors in methodology.toml move; those the register gives stay."
    return display.table(
        "How much hangs on the anchors", columns, rows, numeric=columns[1:], note=note, grouped=True, folded=True
    )


def organisation(portfolio: Portfolio) -> go.Figure | Display:
    """The organisation's exceedance curves in its currency; or why nothing is added up."""
    quantified = _added_up(portfolio)
    if isinstance(quantified, str):
        return display.table("What a year may cost", ["Not added up"], [[state(quantified, "open")]])
    years = annual_loss.years(quantified, annual_loss.COARSE)
    return loss_charts.organisation(years, quantified.currency, _left_out(portfolio))


def by_unit(portfolio: Portfolio) -> Display:
    """Each unit's part of the organisation's yearly loss, in its currency; or why nothing is added up."""
    quantified = _added_up(portfolio)
    if isinstance(quantified, str):
        return display.table("Where the loss comes from", ["Not added up"], [[state(quantified, "open")]])
    shares = annual_loss.contributions(quantified, points=annual_loss.COARSE).groupby("unit_id").sum()
    names = dict(zip(*(portfolio.register.business_units[name] for name in ("unit_id", "name")), strict=True))
    return loss_charts.contributions(shares, names, quantified.currency, {}, _left_out(portfolio))


def without(quantified: annual_loss.Model) -> str:
    """How many risks aren't in the amounts, and why."""
    known = rated(quantified.context)
    unrated = sum(pd.isna(known.get(risk, (None,))[0]) for risk in quantified.unquantified)
    others = len(quantified.unquantified) - unrated
    told = [counted(unrated, "unrated risk")] * bool(unrated)
    return " and ".join(told + [f"{counted(others, 'risk')} without amounts"] * bool(others))


# --- parts ---


def _added_up(portfolio: Portfolio) -> annual_loss.Model | str:
    try:
        quantified = portfolio.quantified
    except UsageError as error:
        return str(error)
    return _NOTHING if quantified.risks.empty else quantified


def _one_in_twenty(year: AnnualLoss, currency: str) -> tuple[str, str, str]:
    more, costing = loss_charts.in_twenty(year)
    if costing:
        return "Years that cost anything", costing, "fewer than 1 in 20, so that one costs nothing"
    told = money(year.tvar(0.95), currency) + " on average"
    return "1 year in 20 costs all clients together more than", money(more, currency), told


def _amount(exceeded: float) -> str:
    """What some years exceed; nothing, where fewer cost anything at all."""
    return amount(exceeded) if exceeded else "–"


def _left_out(portfolio: Portfolio) -> str:
    """What the organisation's amounts leave out: risks, and whole units."""
    left_out, held = without(portfolio.quantified), set(portfolio.quantified.risks["unit_id"])
    units = portfolio.register.business_units
    none = [name for unit, name in zip(units["unit_id"], units["name"], strict=True) if unit not in held]
    told = [f"Left out: {left_out}."] if left_out else []
    return " ".join([*told, *([f"Of {first_of(none, _NAMED)} nothing is quantified."] if none else [])])


def _sources(unit: Assessment) -> str:
    """Where the figures come from, which risks are missing, and the warnings of the calculation."""
    risks, missing = unit.quantified.risks, unit.quantified.unquantified
    own = int((risks["loss_from"] == "register").sum())
    told = [f"Losses of {counted(own, 'risk')} as given, of {len(risks) - own} by the anchors of their ratings."]
    own = int((risks["frequency_from"] == "register").sum())
    told.append(f"Frequencies of {own} as given, of {len(risks) - own} by anchors.")
    if missing:
        told.append(f"Not quantified: {', '.join(missing)}.")
    told += [f"{warning[:1].upper()}{warning[1:]}." for warning in unit.years["earned"].checks["warnings"]]
    return " ".join(told)
