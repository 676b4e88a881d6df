"""Scores: worked by hand, and the properties that must hold for any register."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from register_files import replace_in, write_register

import riskcalc
from riskcalc.assessment.scoring import by_cell, level_counts, ranked, residual
from riskcalc.errors import UsageError

COLUMNS = [
    "unit_id", "risk_id", "likelihood", "impact",
    "inherent_likelihood", "inherent_impact", "inherent_score", "inherent_level",
    "claimed_likelihood", "claimed_impact", "claimed_score", "claimed_level",
    "earned_likelihood", "earned_impact", "earned_score", "earned_level",
    "appetite", "breach",
]  # fmt: skip


def scored(folder: Path) -> pd.DataFrame:
    return riskcalc.score(riskcalc.load(folder)).set_index("risk_id")


def test_columns_are_those_others_rely_on(small: Path) -> None:
    """The frame has the documented columns in the documented order, a row per risk."""
    frame = riskcalc.score(riskcalc.load(small))
    assert list(frame.columns) == COLUMNS
    assert frame["risk_id"].tolist() == ["A-R1", "A-R2", "B-R1"]


@pytest.mark.parametrize(
    ("weight", "earned", "level"), [("0.5", [2.2, 2.8, 6.16], "Medium"), ("0.0", [3.0, 4.0, 12.0], "High")]
)
def test_a_risk_worked_by_hand(small: Path, weight: str, earned: list[float], level: str) -> None:
    """A-R1 is rated 5 x 4; A-C1 covers 0.5 of the likelihood, A-C2 0.8 of both, and A-C2 relies on A-G1.

    Claimed: likelihood 1 + 4 x 0.5 x 0.2 = 1.4; impact 1 + 3 x 0.2 = 1.6; score 2.24; 1 x 2 is Low.
    Earned: A-G1 had 1 deviation in 25, insufficient. At 0.5, A-C2 counts 0.8 x 0.5 = 0.4:
    likelihood 1 + 4 x 0.5 x 0.6 = 2.2; impact 1 + 3 x 0.6 = 2.8; score 6.16; 2 x 3 is Medium.
    At 0, the default, A-C2 counts for nothing: 1 + 4 x 0.5 = 3; 4; 12; 3 x 4 is High, and outside an appetite of Medium.
    """
    replace_in(small / "methodology.toml", "insufficient_evidence = 0.0", f"insufficient_evidence = {weight}")
    risk = scored(small).loc["A-R1"]
    assert (risk["inherent_score"], risk["inherent_level"]) == (20, "Critical")
    assert risk[["claimed_likelihood", "claimed_impact", "claimed_score"]].tolist() == pytest.approx([1.4, 1.6, 2.24])
    assert risk[["earned_likelihood", "earned_impact", "earned_score"]].tolist() == pytest.approx(earned)
    assert (risk["claimed_level"], risk["earned_level"], risk["breach"]) == ("Low", level, level == "High")


def test_an_unrated_risk_stays_unrated_everywhere(small: Path) -> None:
    """A blank rating is neither Low nor inside appetite: it is missing in every column that follows from it."""
    risk = scored(small).loc["A-R2"]
    assert risk.drop(["unit_id", "appetite"]).isna().all()


def test_a_risk_without_a_row_for_the_period_is_unrated(small: Path) -> None:
    """B-R1 was first rated in 2026-H1: in 2025-H2 it is there, unrated."""
    frame = riskcalc.score(riskcalc.load(small), "2025-H2").set_index("risk_id")
    assert pd.isna(frame.loc["B-R1", "likelihood"])
    assert frame.loc["A-R1", "inherent_level"] == "Medium"


def test_breach_compares_the_earned_level_with_the_units_appetite(tmp_path: Path) -> None:
    """Without documentation the control earns nothing: Critical against an appetite of Low."""

    def undocumented(rows: dict[str, list[dict[str, str]]]) -> None:
        rows["controls"][3]["documentation"] = ""

    risk = scored(write_register(tmp_path, undocumented)).loc["B-R1"]
    assert (risk["claimed_level"], risk["earned_level"], risk["appetite"], risk["breach"]) == (
        "Low",
        "Critical",
        "Low",
        True,
    )


def test_the_lowest_level_is_inside_appetite_and_not_unknown(small: Path) -> None:
    """Low against an appetite of Low: rated, and no breach; only an unrated risk is neither."""
    frame = scored(small)
    assert (frame.loc["B-R1", "earned_level"], frame.loc["B-R1", "breach"]) == ("Low", False)
    assert frame["breach"].isna().tolist() == [False, True, False]


def test_risks_stand_in_the_cell_of_their_whole_ratings(small: Path) -> None:
    """Likelihood first, impact second; an unrated risk stands nowhere."""
    register = riskcalc.load(small)
    cells = by_cell(riskcalc.score(register), "inherent", register.methodology.matrix)
    assert cells == {(5, 4): ["A-R1"], (3, 5): ["B-R1"]}


def test_the_worst_risk_is_first_and_counts_are_worst_first(small: Path) -> None:
    """By earned level, then score; levels are counted per unit, the unrated last."""
    register = riskcalc.load(small)
    scores = riskcalc.score(register)
    assert ranked(scores)["risk_id"].tolist() == ["A-R1", "B-R1"]
    counts = level_counts(scores, register.methodology.matrix)
    assert counts.columns.tolist() == ["Critical", "High", "Medium", "Low", "Unrated"]
    assert counts.loc["alpha"].tolist() == [0, 1, 0, 0, 1]


def test_levels_are_ordered(small: Path) -> None:
    """Levels compare by severity, not by alphabet."""
    level = riskcalc.score(riskcalc.load(small))["inherent_level"]
    assert list(level.cat.categories) == ["Low", "Medium", "High", "Critical"]
    assert (level.dropna() > "Medium").all()


def test_an_unknown_period_names_those_there_are(small: Path) -> None:
    """A typing error in a period doesn't give an empty result."""
    with pytest.raises(UsageError, match=r"2027-H1.*2025-H2, 2026-H1"):
        riskcalc.score(riskcalc.load(small), "2027-H1")


weight = st.decimals(0, 1, places=2).map(str)
share = st.tuples(st.sampled_from(["likelihood", "impact", "both"]), weight)


@st.composite
def edits(draw: st.DrawFn) -> dict[str, Any]:
    """Ratings and links for the small register."""
    return {
        "ratings": [draw(st.integers(1, 5)) for _ in range(6)],
        "links": [draw(st.lists(share, max_size=4)) for _ in range(3)],
        "documented": [draw(st.booleans()) for _ in range(4)],
        "deviations": [draw(st.integers(0, 5)) for _ in range(4)],
        "designs": [draw(st.sampled_from(["effective", "partially_effective", "ineffective"])) for _ in range(4)],
    }


def edited(folder: Path, drawn: dict[str, Any], order: int = 1, **changes: Any) -> pd.DataFrame:
    """The scores of the small register with what was drawn; ``order`` -1 turns every table round."""
    drawn = {**drawn, **changes}

    def edit(rows: dict[str, list[dict[str, str]]]) -> None:
        latest = [row for row in rows["ratings"] if row["period"] == "2026-H1"]
        for index, row in enumerate(latest):
            row.update(likelihood=str(drawn["ratings"][2 * index]), impact=str(drawn["ratings"][2 * index + 1]))
            row.update(rationale="drawn", rated_by="W", rated_on="2026-06-01")
        ids = [control["control_id"] for control in rows["controls"]]
        rows["risk_controls"] = [
            {"risk_id": row["risk_id"], "control_id": control, "acts_on": acts_on, "coverage": coverage}
            for row, links in zip(latest, drawn["links"], strict=True)
            for control, (acts_on, coverage) in zip(ids, links, strict=False)
        ]
        for control, documented, design in zip(rows["controls"], drawn["documented"], drawn["designs"], strict=True):
            control.update(documentation="DOC" if documented else "", design=design)
        for test, deviations in zip(rows["control_tests"], drawn["deviations"], strict=True):
            test["deviations"] = str(min(deviations, int(test["sample_size"])))
        for name in rows:
            rows[name] = rows[name][::order]

    return scored(write_register(folder, edit)).sort_index()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drawn")


@settings(max_examples=30)
@given(edits())
def test_inherent_is_at_least_earned_is_at_least_claimed(folder: Path, drawn: dict[str, Any]) -> None:
    """What is earned lies between what there would be without controls and what is claimed for them."""
    frame = edited(folder, drawn)
    for what in ("likelihood", "impact", "score"):
        assert (frame[f"inherent_{what}"] >= frame[f"earned_{what}"] - 1e-12).all()
        assert (frame[f"earned_{what}"] >= frame[f"claimed_{what}"] - 1e-12).all()
    assert (frame["inherent_level"].cat.codes >= frame["earned_level"].cat.codes).all()
    assert (frame["earned_level"].cat.codes >= frame["claimed_level"].cat.codes).all()


@settings(max_examples=30)
@given(edits())
def test_the_order_of_rows_changes_nothing(folder: Path, drawn: dict[str, Any]) -> None:
    """Sorting a file in a spreadsheet changes no figure, to the last bit."""
    pd.testing.assert_frame_equal(edited(folder, drawn), edited(folder, drawn, order=-1), check_exact=True)


@settings(max_examples=30)
@given(edits(), st.integers(0, 2), share)
def test_adding_a_control_never_raises_a_residual(folder: Path, drawn: dict[str, Any], risk: int, link: Any) -> None:
    """More control is never more risk."""
    with_more = [[*links, link][:4] if index == risk else links for index, links in enumerate(drawn["links"])]
    before, after = edited(folder, drawn), edited(folder, drawn, links=with_more)
    for view in ("claimed", "earned"):
        assert (after[f"{view}_score"] <= before[f"{view}_score"] + 1e-12).all()


@settings(max_examples=30)
@given(edits(), st.integers(0, 3))
def test_a_better_test_never_raises_a_residual(folder: Path, drawn: dict[str, Any], control: int) -> None:
    """One deviation fewer, in any control, raises no risk: also not through the controls that rely on it."""
    fewer = [max(0, n - 1) if index == control else n for index, n in enumerate(drawn["deviations"])]
    before, after = edited(folder, drawn), edited(folder, drawn, deviations=fewer)
    assert (after["earned_score"] <= before["earned_score"] + 1e-12).all()


@given(st.lists(st.tuples(st.floats(1, 10), st.lists(st.floats(0, 1), max_size=5)), min_size=1, max_size=20))
def test_residual_is_the_product_written_out(risks: list[tuple[float, list[float]]]) -> None:
    """The vectorised residual is the formula, risk by risk."""
    effects = [(effect, index) for index, (_, each) in enumerate(risks) for effect in each]
    got = residual(
        np.array([rating for rating, _ in risks]),
        np.array([effect for effect, _ in effects], dtype=float),
        np.array([index for _, index in effects], dtype=np.intp),
    )
    assert got.tolist() == pytest.approx([1 + (rating - 1) * np.prod([1 - e for e in each]) for rating, each in risks])
    assert all(1 <= value <= rating for value, (rating, _) in zip(got, risks, strict=True))
