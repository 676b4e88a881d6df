"""The sample register: good enough for a workshop, and as ugly as real life."""

from __future__ import annotations

import pandas as pd
import pytest

import riskcalc
from riskcalc.assessment import evidence
from riskcalc.assessment.context import Context


@pytest.fixture(scope="module")
def controls(sample: riskcalc.Register) -> pd.DataFrame:
    """The controls with what they earn in the latest period."""
    earned = evidence.assess(Context.of(sample)).drop(columns="control_id")
    return sample.controls.set_index("control_id").join(earned)


def test_its_size_is_a_real_organisations(sample: riskcalc.Register) -> None:
    """Five unlike units, about 60 risks and 90 controls, two periods."""
    assert len(sample.business_units) == 5
    assert 55 <= len(sample.risks) <= 70
    assert 80 <= len(sample.controls) <= 110
    assert [period.name for period in sample.periods] == ["2025-H2", "2026-H1"]
    assert set(sample.business_units["report_type"]) == {"type1", "type2"}
    assert sample.business_units["currency"].nunique() == 2


def test_a_risk_is_unrated_and_a_risk_is_new(sample: riskcalc.Register) -> None:
    """Both must be seen on every page."""
    assert riskcalc.score(sample)["likelihood"].isna().sum() == 2
    assert riskcalc.score(sample, "2025-H2")["likelihood"].isna().sum() > 2


def test_key_controls_are_untested_and_undocumented(controls: pd.DataFrame) -> None:
    """What is claimed for them isn't earned."""
    keys = controls[controls["key"] & (controls["performed_by"] == "own")]
    assert (keys["reason"] == "not documented").any()
    assert keys["reason"].str.startswith("not tested in the period").any()
    assert (keys["claimed"] > keys["earned"]).any()


def test_tests_deviate_in_every_way(sample: riskcalc.Register, controls: pd.DataFrame) -> None:
    """Deviations, systematic ones, a retest, and an IT general control that pulls others down."""
    assert set(controls["conclusion"]) == {
        "operated_effectively",
        "insufficient_evidence",
        "not_effective",
        "not_tested",
    }
    assert sample.control_tests["systematic"].any()
    assert sample.control_tests["retest_of"].notna().any()
    assert controls["reason"].str.startswith("relies on").any()


def test_an_acceptance_has_expired_and_a_deficiency_is_past_due(sample: riskcalc.Register) -> None:
    """As of the last day of the period."""
    as_of = pd.Timestamp("2026-06-30")
    assert (sample.risks["accepted_until"] < as_of).any()
    assert (sample.risks["accepted_until"] > as_of).any()
    assert ((sample.deficiencies["due_on"] < as_of) & sample.deficiencies["closed_on"].isna()).any()


def test_earned_is_worse_than_claimed_where_it_counts(sample: riskcalc.Register) -> None:
    """A believable handful of breaches, fewer if claims held, and one unit without any."""
    scores = riskcalc.score(sample)
    claimed = (scores["claimed_level"].cat.codes > scores["appetite"].cat.codes).sum()
    by_unit = scores.groupby("unit_id")["breach"].sum()
    assert 6 <= scores["breach"].sum() <= 12
    assert claimed < scores["breach"].sum()
    assert (by_unit == 0).sum() == 1


def test_every_component_and_kind_of_performer_occurs(sample: riskcalc.Register) -> None:
    """Also CUECs and subservice organisations, which a SOC 1 report lives with."""
    assert sample.controls["component"].nunique() == 5
    assert set(sample.controls["performed_by"]) == {"own", "user_entity", "subservice"}
