"""The pages in money: sentences, figures and charts say the same, and say it for odd units too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from register_files import DEFICIENCY, Rows, write_register

from riskcalc.assessment import annual_loss
from riskcalc.assessment.deficiencies import candidates
from riskcalc.assessment.opening import Assessment, open_portfolio, open_unit
from riskcalc.pages import loss
from riskcalc.pages import unit as unit_page
from riskcalc.pages.chapters import chapter
from riskcalc.pages.loss_charts import contributions, in_years, sentence, tornado
from riskcalc.pages.wording import money


def opened(folder: Path, *edits: Any, unit_id: str = "alpha") -> Assessment:
    return open_unit(
        unit_id, data_dir=str(write_register(folder / "data", lambda rows: [edit(rows) for edit in edits]))
    )


def about(figure: Any) -> dict[str, Any]:
    found: dict[str, Any] = figure.layout.meta["riskcalc"]
    return found


def own(rows: Rows) -> None:
    rows["risks"][0].update(frequency_per_year="2", loss_low="100000", loss_high="5000000")


@pytest.mark.parametrize(
    ("probability", "told"),
    [(0, "in less than 1 year of 10,000"), (0.00012, "in 1 year of 8,333"), (0.07, "in 1 year of 14"),
     (0.34, "in 1 year of 3"), (0.5, "in 5 years of 10"), (0.94, "in 9 years of 10"), (1, "in practically every year")],
)  # fmt: skip
def test_probabilities_are_said_in_years(probability: float, told: str) -> None:
    """Leadership counts years, not decimals."""
    assert in_years(probability) == told


def test_the_headline_compares_earned_with_claimed(tmp_path: Path) -> None:
    """What it is, and what it would be if every control operated as claimed."""
    unit = opened(tmp_path, own)
    earned, claimed = (unit.years[view].exceed(1_000_000) for view in ("earned", "claimed"))
    assert earned > claimed
    told = sentence(unit.years, 1_000_000)
    assert told.startswith(
        f"I{in_years(earned)[1:]}, the misstatements of all clients together exceed one client's materiality; it would be {in_years(claimed)} if"
    )
    assert about(loss.exceedance(unit))["summary"] == told


def test_a_curve_begins_where_years_begin_to_cost_something(tmp_path: Path) -> None:
    """Most years cost nothing: below the smallest losses a curve is flat, and an axis from 1 on would be empty."""
    rare = {"frequency_per_year": "0.1", "loss_low": "100000", "loss_high": "5000000"}
    unit = opened(tmp_path, lambda rows: rows["risks"][0].update(rare))
    assert unit.years["earned"].p0 > 0.3
    for chart in (loss.exceedance(unit), loss.organisation(open_portfolio(data_dir=str(tmp_path / "data")))):
        assert min(chart.data[-1].x) > 1_000


def test_figures_and_table_agree_with_the_distribution(tmp_path: Path) -> None:
    """The same numbers wherever they stand."""
    unit = opened(tmp_path, own)
    items = {item["label"]: item for item in loss.figures(unit).content["items"]}
    assert items[loss.BEYOND]["value"] == f"{unit.years['earned'].exceed(1e6):.1%}"
    rows = {row[0]: row[1:] for row in loss.quantiles(unit).as_json()["rows"]}
    assert rows["Expected"] == [f"{unit.years[view].mean:,.0f}" for view in ("inherent", "claimed", "earned")]
    assert rows["1 year in 20 costs more than"][2] == f"{unit.years['earned'].var(0.95):,.0f}"
    note = loss.quantiles(unit).as_json()["note"]
    assert note.startswith("Losses of 1 risk as given, of 0 by the anchors")
    assert "Not quantified: A-R2." in note


@pytest.mark.parametrize(
    ("repaired", "now", "failed", "told"),
    [
        (0.991, 0.992, 0.992, "Whichever control fails or is repaired, materiality is exceeded in practically every year."),
        (0.0371, 0.0372, 0.2, "If C failed, materiality would be exceeded in 1 year of 5."),
        (0.02, 0.04, 0.1, "If C failed, materiality would be exceeded in 1 year of 10. Repairing C gains most: in 1 year of 50."),
    ],
)  # fmt: skip
def test_what_a_control_would_change_is_told_where_it_changes_what_is_said(
    repaired: float, now: float, failed: float, told: str
) -> None:
    """Gaining most, and yet as many years as now, is no news."""
    ends = {"exceed_repaired": repaired, "exceed_now": now, "exceed_failed": failed, "range": failed - repaired}
    assert tornado(pd.DataFrame([ends], index=["C"]), {}).content["summary"] == told


def test_the_tornado_names_the_control_that_matters(tmp_path: Path) -> None:
    """A-G1 holds A-C2 back; repairing it gains most."""
    told = loss.tornado(opened(tmp_path, own)).content
    assert "Repairing A-G1 gains most" in told["summary"]
    listed = {row[0]["text"] for row in told["rows"]}
    assert "A-G1" in listed < {"A-C1", "A-C2", "A-G1"}
    left = 3 - len(listed)
    assert told["note"].endswith(
        f"{left} control{'s' * (left > 1)} that move{'s' * (left == 1)} it less or not at all left out."
    )


def test_anchors_move_the_headline_only_where_they_are_used(tmp_path: Path) -> None:
    """With figures of its own the risk doesn't move; with anchors it does."""
    still = [row[1] for row in loss.sensitivity(opened(tmp_path, own)).as_json()["rows"]]
    assert len(set(still)) == 1
    moved = {
        row[0]: float(row[1].replace(",", "")) for row in loss.sensitivity(opened(tmp_path / "b")).as_json()["rows"]
    }
    assert moved["losses halved"] < moved["as they are"] < moved["frequencies doubled"]
    assert moved["losses doubled"] == pytest.approx(2 * moved["as they are"], rel=1e-3)


def test_a_year_of_which_nothing_is_known_has_no_figures(tmp_path: Path) -> None:
    """Neither risks nor ratings give an amount: one remark says so, and no zeros stand beside it."""
    folder = write_register(tmp_path / "data")
    text = (folder / "methodology.toml").read_text("utf-8")
    (folder / "methodology.toml").write_text(re.sub(r"loss_\w+ = [0-9.]+,? *", "", text), "utf-8")
    told = "No risk is quantified, so nothing can be said of a year in money."
    unit, portfolio = open_unit("alpha", data_dir=str(folder)), open_portfolio(data_dir=str(folder))
    assert [view.as_json() for view in chapter(unit, "loss")] == [{"kind": "remark", "text": told}]
    for view in chapter(portfolio, "loss"):
        assert view.as_json()["rows"] == [[{"text": told, "tone": "open", "note": ""}]]


def test_a_unit_whose_materiality_waits_takes_no_amounts_from_another(tmp_path: Path) -> None:
    """The register only begins: one unit's anchored losses are there, whether or not the other's materiality is."""

    def expected(materiality: str) -> float:
        folder = write_register(tmp_path / (materiality or "blank"), lambda rows: waiting(rows, materiality))
        text = (folder / "methodology.toml").read_text("utf-8")
        (folder / "methodology.toml").write_text(f'first_period = "2026-H1"\n{text}', "utf-8")
        return open_unit("alpha", data_dir=str(folder)).years["earned"].mean

    def waiting(rows: Rows, materiality: str) -> None:
        beta = dict.fromkeys(("materiality", "performance_materiality"), materiality)
        rows["business_units"][1].update(beta, materiality_basis="set" if materiality else "")

    assert expected("") == expected("900000") > 0


def test_the_organisation_adds_up_by_rates_or_says_why_not(tmp_path: Path) -> None:
    """Two currencies: with the rate a sum, without it a sentence."""
    folder = write_register(tmp_path / "data")
    portfolio = open_portfolio(data_dir=str(folder))
    rows = loss.by_unit(portfolio).content["rows"]
    assert {row[0] for row in rows} == {"alpha", "beta"}
    whole = annual_loss.year(annual_loss.model(portfolio.context, currency="EUR"), points=annual_loss.COARSE)
    assert sum(float(row[2].replace(",", "")) for row in rows) == pytest.approx(whole.mean, abs=2)
    told = about(loss.organisation(portfolio))["summary"]
    assert told.startswith(
        f"1 year in 20 costs all units' clients together more than {money(whole.var(0.95), 'EUR')}; it would be EUR "
    )
    assert told.endswith(" Left out: 1 unrated risk.")
    assert loss.by_unit(portfolio).content["note"] == "Left out: 1 unrated risk."
    text = (folder / "methodology.toml").read_text("utf-8").replace("GBP = 1.17\n", "")
    (folder / "methodology.toml").write_text(text, "utf-8")
    for refused in (loss.by_unit, loss.organisation):
        [[cell]] = refused(open_portfolio(data_dir=str(folder))).as_json()["rows"]
        assert "no exchange rate for GBP" in cell["text"]


def test_the_chance_is_told_for_one_client_where_their_number_is_given(tmp_path: Path) -> None:
    """Materiality is one client's, losses are all clients': of the years of one, fewer are material."""
    assert loss.per_client(opened(tmp_path / "a", own)) == []
    unit = opened(tmp_path / "b", own, lambda rows: rows["business_units"][0].update(clients="4"))
    items = {item["label"]: item for item in loss.figures(unit).content["items"]}
    found = annual_loss.per_client(unit.quantified, 4).exceed(1e6)
    assert items["One client, beyond its materiality"]["value"] == f"{found:.1%}"
    assert items["One client, beyond its materiality"]["note"].endswith("each event hits one of 4 clients, all alike")
    assert 0 < found < unit.years["earned"].exceed(1e6)
    assert (
        loss.per_client(opened(tmp_path / "c", own, lambda rows: rows["business_units"][0].update(clients="1"))) == []
    )


def test_where_nothing_is_quantified_no_figure_says_that_all_is_well(tmp_path: Path) -> None:
    """0 % of years would read as an answer."""
    data = str(write_register(tmp_path / "data", lambda rows: rows["business_units"][0].update(clients="4")))
    unit = open_unit("beta", "2025-H2", data)
    assert loss.figures(unit).kind == "remark"
    assert loss.exceedance(unit) is None
    items = {item["label"]: item for item in unit_page.figures(unit).content["items"]}
    assert (items[loss.BEYOND]["value"], items[loss.BEYOND]["note"]) == ("–", "no risk is quantified")
    assert loss.per_client(open_unit("alpha", "2025-H2", data)) != []


def test_an_unquantified_risk_is_told_beside_the_expected_loss(tmp_path: Path) -> None:
    """A-R2 isn't rated, so the amount leaves it out."""
    items = {item["label"]: item for item in loss.figures(opened(tmp_path, own)).content["items"]}
    assert items["Expected loss a year, all clients together"]["note"].endswith("; without 1 unrated risk")


def test_a_risk_that_makes_almost_all_of_the_loss_does_not_make_all() -> None:
    """100 % is said of the only risk, and of no other."""
    shares = [0.999, 0.001]
    parts = pd.DataFrame({"expected": shares, "expected_share": shares, "tail_share": shares}, index=["A-R1", "A-R2"])
    said = [contributions(some, {}, "EUR", {}).content["summary"] for some in (parts, parts.iloc[:1] / 0.999)]
    assert said[0] == "A-R1 makes over 99% of the loss in the worst years and over 99% of the expected loss."
    assert said[1] == "A-R1 makes 100% of the loss in the worst years and 100% of the expected loss."


def test_what_fewer_years_than_asked_about_exceed_is_no_amount(tmp_path: Path) -> None:
    """One event of a risk in 50 years: 1 year in 20 doesn't cost more than 0."""

    def rare(rows: Rows) -> None:
        own(rows)
        for risk in rows["risks"]:
            risk["frequency_per_year"] = "0.02"

    unit = opened(tmp_path, rare)
    items = {item["label"]: item for item in loss.figures(unit).content["items"]}
    assert "1 year in 20 costs all clients together more than" not in items
    assert items["Years that cost anything"]["value"] == f"{1 - unit.years['earned'].p0:.1%}" != "0.0%"
    rows = {row[0]: row for row in loss.quantiles(unit).content["rows"]}
    assert rows["1 year in 20 costs more than"][1:] == ["–", "–", "–"]


def test_less_than_one_is_not_told_as_nothing(tmp_path: Path) -> None:
    """A loss of 0.4 a year, in tables as in the headline, and in the reasons of a deficiency; only nothing reads 0."""

    def little(rows: Rows) -> None:
        rows["risks"][0].update(frequency_per_year="0.04", loss_low="0.2", loss_high="0.9")
        rows["deficiencies"].append(dict(DEFICIENCY))

    unit = opened(tmp_path, little)
    tables = (loss.quantiles(unit), loss.sensitivity(unit), loss.contributions(unit))
    found = [str(cell) for table in tables for row in table.content["rows"] for cell in row]
    assert "0" not in found
    assert {"0.02", "under 0.01"} <= set(found)
    [one] = [each for each in candidates(unit.context) if each.name == "D1"]
    assert any("could misstate up to 0." in reason for reason in one.reasons)


def test_the_organisation_names_the_units_that_its_amounts_leave_out(tmp_path: Path) -> None:
    def unrated(rows: Rows) -> None:
        for rating in rows["ratings"]:
            if rating["risk_id"].startswith("B-"):
                rating.update(likelihood="", impact="", rationale="", rated_by="", rated_on="")

    portfolio = open_portfolio(data_dir=str(write_register(tmp_path / "data", unrated)))
    assert "Of Beta nothing is quantified." in about(loss.organisation(portfolio))["summary"]
    assert "expected_loss" not in unit_page.result(open_unit("beta", "", str(tmp_path / "data"))).values
