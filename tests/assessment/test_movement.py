"""What moved between two periods, where the appetite, the unit and the rating may all have changed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from register_files import Rows, write_register

from riskcalc.assessment.decisions import standings, together
from riskcalc.assessment.movement import OUT, Move, moves
from riskcalc.assessment.opening import Assessment, Portfolio, open_portfolio, open_unit
from riskcalc.pages import matrix, risks, summary

# By risk: its unit and rating in 2025-H2, then in 2026-H1. Alpha's appetite falls from Medium to Low, beta's rises from
# Low to High. On the diagonal 1 x 1 is Low, 3 x 3 Medium, 5 x 5 Critical.
RISKS: dict[str, list[tuple[str, str, str] | None]] = {
    "STILL-OUT": [("alpha", "3", "3"), ("alpha", "3", "3")],
    "BETTER-OUT": [("alpha", "3", "3"), ("alpha", "2", "3")],
    "WORSE-OUT": [("alpha", "3", "3"), ("alpha", "5", "5")],
    "STILL-IN": [("beta", "3", "3"), ("beta", "3", "3")],
    "WORSE-IN": [("beta", "2", "3"), ("beta", "3", "3")],
    "BETTER-IN": [("beta", "3", "3"), ("beta", "1", "1")],
    "SAME": [("alpha", "1", "1"), ("alpha", "1", "1")],
    "AGAIN": [("alpha", "", ""), ("alpha", "5", "5")],
    "MOVED-OUT": [("beta", "3", "3"), ("alpha", "3", "3")],
    "MOVED-IN": [("alpha", "5", "5"), ("beta", "1", "1")],
    "MOVED-UNRATED": [("alpha", "5", "5"), ("beta", "", "")],
    "BEGUN": [None, ("alpha", "5", "5")],
    "ENDED": [("alpha", "5", "5"), None],
    "ENDED-UNRATED": [("alpha", "", ""), None],
}
SAID = {
    "STILL-OUT": ("newly outside appetite, which was lowered", "", "open"),
    "BETTER-OUT": ("newly outside appetite, which was lowered", "better", "open"),
    "WORSE-OUT": ("newly outside appetite", "worse", "bad"),
    "STILL-IN": ("back inside appetite, which was raised", "", "open"),
    "WORSE-IN": ("back inside appetite, which was raised", "worse", "open"),
    "BETTER-IN": ("back inside appetite", "better", "good"),
    "AGAIN": ("newly rated, outside appetite", "", "bad"),
    "MOVED-OUT": ("moved from Beta, outside appetite", "", "bad"),
    "MOVED-IN": ("moved from Alpha", "better", "open"),
    "MOVED-UNRATED": ("no longer rated", "", "open"),
    "BEGUN": ("new, outside appetite", "", "bad"),
    "ENDED": ("no longer among the risks", "", "open"),
    "ENDED-UNRATED": ("no longer among the risks", "", "open"),
}


def edit(rows: Rows) -> None:
    """``RISKS``, each of them in the unit and with the rating of its period."""
    units, described, rated = rows["business_units"], rows["risks"][0], rows["ratings"][0]
    days = ({"valid_to": "2025-12-31"}, {"valid_from": "2026-01-01"})
    changed = zip((("Medium", "Low"), ("Low", "High")), units, strict=True)
    rows["business_units"] = [
        {**unit, "appetite": appetite, **when}
        for appetites, unit in changed
        for appetite, when in zip(appetites, days, strict=True)
    ]
    for table in ("risks", "ratings", "risk_controls", "control_tests"):
        rows[table] = []
    for name, places in RISKS.items():
        same = None not in places and places[0][0] == places[1][0]  # type: ignore[index]
        for place, when, period, on in zip(
            places, days, ("2025-H2", "2026-H1"), ("2025-12-20", "2026-06-20"), strict=True
        ):
            if place is None:
                continue
            unit, likelihood, impact = place
            objective = {"alpha": "A-CO1", "beta": "B-CO1"}[unit]
            if not same or period == "2026-H1":
                valid = {} if same else when
                rows["risks"].append(
                    {**described, "risk_id": name, "unit_id": unit, "objective_id": objective, **valid}
                )
            if likelihood:
                rating = {"risk_id": name, "period": period, "likelihood": likelihood, "impact": impact, "rated_on": on}
                rows["ratings"].append({**rated, **rating})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> str:
    return str(write_register(tmp_path_factory.mktemp("moved") / "data", edit))


@pytest.fixture(scope="module")
def portfolio(folder: str) -> Portfolio:
    return open_portfolio("2026-H1", folder)


def found(opened: Portfolio | Assessment) -> list[Move]:
    assert opened.previous is not None
    return moves(opened.scores, opened.previous, opened.matrix)


def test_every_risk_is_told_once_and_by_what_is_true_of_it(portfolio: Portfolio) -> None:
    """Who only crossed because the appetite moved is told so, and looks neither better nor worse for it."""
    told = found(portfolio)
    assert len(told) == len({move.risk_id for move in told})
    assert {move.risk_id: (matrix.told(move, portfolio), move.direction, matrix.tone(move)) for move in told} == SAID


def test_arrows_follow_the_level_and_not_the_appetite(portfolio: Portfolio) -> None:
    """BETTER-OUT came to 2 x 3 by getting better, WORSE-IN to 3 x 3 by getting worse."""
    shown = {
        (row["rating"][0], place): dict(cell["moved"])
        for row in matrix.picture(portfolio).content["rows"]
        for place, cell in enumerate(row["cells"], 1)
    }
    assert shown["2", 3] == {"better": 1}
    assert shown["3", 3] == {"worse": 1}


def test_every_surface_counts_the_same_newly_outside(folder: str, portfolio: Portfolio) -> None:
    """Whose level stands still, too: the pages' figures are those of ``check`` and the results, of units and whole."""
    figures = standings(portfolio.context)
    for opened, figure in (
        (portfolio, together(figures.values())),
        *((open_unit(unit, "2026-H1", folder), figures[unit]) for unit in ("alpha", "beta")),
    ):
        counts = Counter(move.what for move in found(opened))
        assert sum(counts[kind] for kind in OUT) == figure["newly_outside"]
        view = summary.unit(opened) if isinstance(opened, Assessment) else summary.organisation(opened)
        assert f"newly outside appetite ({figure['newly_outside']})" in str(view)


def test_what_changed_adds_up_and_can_be_filtered_by(portfolio: Portfolio) -> None:
    """A risk that moved is one of the organisation's before and after: found by what is told of it."""
    keys = {str(row[0]): key.get("moved") for row, key in zip(*(risks.of_organisation(portfolio).content[name] for name in ("rows", "filters")), strict=True)}  # fmt: skip
    assert keys == {name: SAID[name][0] if name in SAID else None for name in RISKS if "ENDED" not in name}
    text = str(summary.organisation(portfolio))
    assert "1 moved from another unit; 1 unchanged; 1 unrated (1 no longer rated), of 12 risks." in text
    assert "2 no longer among the risks." in text


def test_before_a_period_begins_nothing_is_no_longer_rated(tmp_path: Path) -> None:
    """It isn't rated yet; from its first day on it is told, as a risk that was rated in the period before."""

    def unrated(rows: Rows) -> None:
        rows["ratings"][0].update(rated_on="2025-12-01")
        rows["ratings"][1].update(likelihood="", impact="")

    data = str(write_register(tmp_path / "data", unrated))
    for as_of, told in (("2025-12-15", []), ("2026-01-01", ["no longer rated"])):
        alpha, whole = open_unit("alpha", "2026-H1", data, as_of), open_portfolio("2026-H1", data, as_of)
        assert [move.what for move in alpha.moved] == [move.what for move in whole.moved] == told
        first_screen = str(summary.unit(alpha).as_json())
        assert ("2 unrated, of 2 risks" in first_screen, "no longer" in first_screen) == (not told, bool(told))
