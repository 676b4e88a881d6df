"""What a year may cost, from the register: the right risks, amounts, controls and currency."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from register_files import Rows, replace_in, write_register

import riskcalc
from riskcalc import loss
from riskcalc.assessment import annual_loss
from riskcalc.assessment.context import Context
from riskcalc.errors import UsageError
from riskcalc.register.register import load

Edit = Callable[[Rows], object]


def alpha(folder: Path, *edits: Edit) -> annual_loss.Model:
    register = load(write_register(folder / "data", lambda rows: [edit(rows) for edit in edits]))
    return annual_loss.model(Context.of(register).only("alpha"))


def amounts(**cells: str) -> Edit:
    return lambda rows: rows["risks"][0].update(cells)


OWN = amounts(frequency_per_year="2", loss_low="1000", loss_high="50000")


def test_a_year_worked_by_hand(tmp_path: Path) -> None:
    """A-R1: 2 a year, 1,000 to 50,000. Claimed: likelihood x 0.5 x 0.2 = 0.1, impact x 0.2; earned, with half the credit
    for too little evidence, 0.3 and 0.6."""
    folder = write_register(tmp_path / "data", OWN)
    replace_in(folder / "methodology.toml", "insufficient_evidence = 0.0", "insufficient_evidence = 0.5")
    quantified = annual_loss.model(Context.of(load(folder)).only("alpha"))
    each = loss.lognormal_90(1000, 50000).mean
    for view, left in (("inherent", 1.0), ("claimed", 0.1 * 0.2), ("earned", 0.3 * 0.6)):
        assert annual_loss.year(quantified, view).mean == pytest.approx(2 * each * left)
    assert annual_loss.year(quantified, "earned").p0 == pytest.approx(np.exp(-2 * 0.3))
    assert quantified.unquantified == ("A-R2",)


def test_blank_columns_take_the_ratings_anchors(tmp_path: Path) -> None:
    """5 x 4: 4 a year, PERT of 0.2, 0.6 and 1.5 of the unit's materiality of 1,000,000; the frame says which."""
    quantified = alpha(tmp_path)
    row = quantified.risks.loc["A-R1"]
    assert (row["frequency"], row["low"], row["mode"], row["high"]) == (4, 200_000, 600_000, 1_500_000)
    assert (row["frequency_from"], row["loss_from"]) == ("anchor", "anchor")
    assert annual_loss.year(quantified, "inherent").mean == pytest.approx(4 * (0.2 + 4 * 0.6 + 1.5) / 6 * 1e6)
    assert alpha(tmp_path / "b", OWN).risks.loc["A-R1", ["frequency_from", "loss_from"]].tolist() == ["register"] * 2


def test_earned_lies_between_claimed_and_inherent(sample: riskcalc.Register) -> None:
    """In every unit of the sample, at the mean and at every amount."""
    for unit in sample.business_units["unit_id"]:
        quantified = annual_loss.model(Context.of(sample).only(unit))
        inherent, claimed, earned = (annual_loss.year(quantified, view) for view in ("inherent", "claimed", "earned"))
        assert claimed.mean <= earned.mean <= inherent.mean
        for x in np.geomspace(earned.mean / 20, earned.mean * 20, 25):
            assert claimed.exceed(x) <= earned.exceed(x) + 1e-8
            assert earned.exceed(x) <= inherent.exceed(x) + 1e-8


@pytest.mark.parametrize("unit", ["payroll", "claims", "funds", "payments", "loans"])
def test_what_a_page_says_is_within_a_ten_thousandth_of_what_finer_grids_say(
    sample: riskcalc.Register, unit: str
) -> None:
    """Every view, asked for together: against grids of eight times the points, one view at a time."""
    quantified = annual_loss.model(Context.of(sample).only(unit))
    for view, year in annual_loss.years(quantified).items():
        finer = annual_loss.year(quantified, view, 8 * annual_loss.POINTS)
        for q in (0.9, 0.99, 0.999):
            assert year.var(q) == pytest.approx(finer.var(q), rel=1e-4)
            assert year.tvar(q) == pytest.approx(finer.tvar(q), rel=1e-4)
            assert year.exceed(finer.var(q)) == pytest.approx(finer.exceed(finer.var(q)), rel=1e-4)


def test_shares_add_up_and_name_the_right_risk(sample: riskcalc.Register) -> None:
    """Of the expected loss and of the tail; the tail's against a simulation of the same years."""
    quantified = annual_loss.model(Context.of(sample).only("payments"))
    found = annual_loss.contributions(quantified, "earned", 0.95)
    assert found["expected_share"].sum() == pytest.approx(1)
    assert found["tail_share"].sum() == pytest.approx(1)
    assert found["expected"].sum() == pytest.approx(annual_loss.year(quantified).mean)
    rates, severities = rates_and_severities(quantified)
    rng, years = np.random.default_rng(3), 200_000
    losses = np.array([
        np.bincount(rng.integers(0, years, number), severity.sample(rng, number), years)
        for severity, number in ((one, rng.poisson(rate * years)) for rate, one in zip(rates, severities, strict=True))
    ])  # fmt: skip
    total = losses.sum(axis=0)
    tail = losses[:, total > np.quantile(total, 0.95)].sum(axis=1)
    assert found["tail_share"].to_numpy() == pytest.approx(tail / tail.sum(), abs=0.02)


def rates_and_severities(
    quantified: annual_loss.Model,
) -> tuple[list[float], list[loss.distributions.LossDistribution]]:
    """What is left of each risk on the earned view, by the documented product and nothing else."""
    rates, severities = [], []
    for risk, row in quantified.risks.iterrows():
        own = quantified.links[quantified.links["risk_id"] == risk]
        left = {
            axis: float(np.prod(1 - own.loc[own["acts_on"].isin([axis, "both"]), "earned_effect"]))
            for axis in ("likelihood", "impact")
        }
        rates.append(float(row["frequency"]) * left["likelihood"])
        if np.isnan(row["mode"]):
            severities.append(loss.lognormal_90(row["low"], row["high"]).scaled(left["impact"]))
        else:
            severities.append(loss.pert(row["low"], row["mode"], row["high"]).scaled(left["impact"]))
    return rates, severities


def test_a_control_that_fails_or_is_repaired_costs_what_the_register_says_then(tmp_path: Path) -> None:
    """The same figures as if the register said so: A-C1 undocumented; A-G1 without its deviation."""
    quantified = alpha(tmp_path, OWN)
    found = annual_loss.controls(quantified, 20_000)
    assert set(found.index) == {"A-C1", "A-C2", "A-G1"}
    undocumented = alpha(tmp_path / "b", OWN, lambda rows: rows["controls"][0].update(documentation=""))
    assert found.loc["A-C1", "mean_failed"] == pytest.approx(annual_loss.year(undocumented).mean)
    assert found.loc["A-C1", "exceed_failed"] == pytest.approx(annual_loss.year(undocumented).exceed(20_000), rel=1e-4)
    repaired = alpha(tmp_path / "c", OWN, lambda rows: rows["control_tests"][2].update(deviations="0"))
    assert found.loc["A-G1", "mean_repaired"] == pytest.approx(annual_loss.year(repaired).mean)
    assert found.loc["A-C1", "mean_repaired"] == found.loc["A-C1", "mean_now"]  # it earns in full already
    assert (found["exceed_repaired"] <= found["exceed_now"]).all()
    assert (found["exceed_now"] <= found["exceed_failed"]).all()
    assert found["range"].is_monotonic_decreasing


def test_the_band_is_repeatable_and_ordered(sample: riskcalc.Register) -> None:
    """Seeded; low, median and high never cross; it lies above the curve where tests leave deviations possible."""
    quantified = annual_loss.model(Context.of(sample).only("funds"))
    year = annual_loss.year(quantified)
    losses = np.array([year.var(q) for q in (0.5, 0.9, 0.99)])
    one, again = (annual_loss.band(quantified, losses, seed=4, draws=12) for _ in range(2))
    assert one.equals(again)
    assert ((one["low"] <= one["median"]) & (one["median"] <= one["high"])).all()
    assert (one["high"].to_numpy() > np.array([0.5, 0.1, 0.01])).all()


def test_currencies_are_converted_or_refused(sample: riskcalc.Register, tmp_path: Path) -> None:
    """A pound is 1.17 euros in the sample's methodology; without a rate nothing is added up."""
    with pytest.raises(UsageError, match="EUR, GBP; say which"):
        annual_loss.model(Context.of(sample))
    whole = annual_loss.model(Context.of(sample), currency="EUR")
    pounds, euros = (
        annual_loss.model(Context.of(sample).only("payments")),
        whole.risks[whole.risks["unit_id"] == "payments"],
    )
    assert euros["high"].to_numpy() == pytest.approx(pounds.risks["high"].to_numpy() * 1.17)
    parts = sum(
        annual_loss.year(annual_loss.model(Context.of(sample).only(unit))).mean * (1.17 if unit == "payments" else 1)
        for unit in sample.business_units["unit_id"]
    )
    assert annual_loss.year(whole).mean == pytest.approx(parts)
    folder = write_register(tmp_path / "data")
    text = (folder / "methodology.toml").read_text("utf-8").replace("GBP = 1.17\n", "")
    (folder / "methodology.toml").write_text(text, "utf-8")
    with pytest.raises(UsageError, match="no exchange rate for GBP"):
        annual_loss.model(Context.of(load(folder)), currency="EUR")


def test_a_unit_without_risks_costs_nothing(tmp_path: Path) -> None:
    """No rating, no amount, no crash."""
    unrated = {"likelihood": "", "impact": "", "rationale": "", "rated_by": "", "rated_on": ""}
    quantified = alpha(tmp_path, lambda rows: rows["ratings"][1].update(unrated))
    assert annual_loss.year(quantified).mean == 0
    assert annual_loss.contributions(quantified).empty
    assert annual_loss.controls(quantified, 1.0).empty
