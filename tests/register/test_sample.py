"""The sample register: good enough for a workshop, and as ugly as real life."""

from __future__ import annotations

import pandas as pd
import pytest

import riskcalc
from riskcalc.assessment import consistency, evidence
from riskcalc.assessment.context import Context
from riskcalc.assessment.deficiencies import candidates
from riskcalc.assessment.opinion import report_outlooks


@pytest.fixture(scope="module")
def controls(sample: riskcalc.Register) -> pd.DataFrame:
    """The controls with what they earn in the latest period."""
    earned = evidence.assess(Context.of(sample)).drop(columns="control_id")
    return sample.controls.set_index("control_id").join(earned)


def test_its_size_is_a_real_organisations(sample: riskcalc.Register) -> None:
    """Five unlike units, about 70 risks and 160 controls, two periods."""
    assert len(sample.business_units) == 5
    assert 60 <= len(sample.risks) <= 75
    assert 110 <= len(sample.controls) <= 165
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
    assert keys["reason"].str.startswith("not tested since").any()
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


def test_nothing_in_it_is_from_the_future(sample: riskcalc.Register) -> None:
    """On the last day of the latest period, everything that the register tells of has happened."""
    as_of = pd.Timestamp("2026-06-30")
    told = (
        ("ratings", "rated_on"),
        ("control_tests", "tested_on"),
        ("control_tests", "covers_to"),
        ("deficiencies", "identified_on"),
        ("deficiencies", "closed_on"),
        ("subservice_organisations", "report_to"),
        ("subservice_organisations", "bridge_to"),
        ("subservice_organisations", "reviewed_on"),
        ("business_units", "issued_on"),
        ("business_units", "bridge_letter_until"),
        ("controls", "confirmed_on"),
        ("training", "completed_on"),
        ("scoping", "answered_on"),
    )
    assert {
        place: getattr(sample, place[0])[place[1]].max() for place in told if not _past(sample, *place, as_of)
    } == {}


def _past(register: riskcalc.Register, table: str, column: str, as_of: pd.Timestamp) -> bool:
    days = getattr(register, table)[column].dropna()
    return len(days) > 0 and bool((days <= as_of).all())


def test_tests_cover_a_year_and_some_are_rolled_forward(sample: riskcalc.Register) -> None:
    """Both halves of the report's period, the days up to its end for most controls, and days left over for some."""
    tests = sample.control_tests[sample.control_tests["kind"] == "operation"]
    assert tests["covers_from"].min() == pd.Timestamp("2025-07-01")
    assert (tests["tested_on"] >= tests["covers_to"]).all()
    until = tests[tests["control_id"].str.startswith("PAY-")].groupby("control_id")["covers_to"].max()
    assert 0 < (until < "2026-06-30").sum() < len(until)
    assert set(sample.control_tests["nature"]) == {"inquiry", "observation", "inspection", "reperformance"}
    assert set(tests["selection"]) == {"whole", "random", "systematic", "haphazard"}
    assert not tests["population_checked"].all()


def test_about_one_test_in_eight_deviates(sample: riskcalc.Register) -> None:
    """As auditors see it; a deviation that says that a control failed has its deficiency on record, but for one."""
    tests = sample.control_tests[sample.control_tests["kind"] == "operation"]
    deviated = tests[tests["deviations"] > 0]
    assert 1 / 9 <= len(deviated) / len(tests) <= 1 / 7
    findings = consistency.findings(Context.of(sample))
    assert [each.row for each in findings if each.check == "deviation-without-deficiency"] == ["PAY-C16"]


def test_each_unit_says_what_clients_have_to_do(sample: riskcalc.Register) -> None:
    """Eight to twelve complementary user entity controls a unit, each acting on a risk; one is too thin on purpose."""
    own = sample.controls[sample.controls["performed_by"] == "user_entity"]
    assert own.groupby("unit_id").size().between(8, 12).all()
    assert set(own["control_id"]) <= set(sample.risk_controls["control_id"])
    words = own.set_index("control_id")["description"].str.split().map(len)
    assert words[words < 20].index.tolist() == ["LON-C12"]


def test_each_unit_has_every_component_and_the_three_it_objectives(sample: riskcalc.Register) -> None:
    """Entity-level controls, and change, access and operations apart, as a description of a system tells them."""
    ours = sample.controls[sample.controls["performed_by"] != "user_entity"]
    assert ours.groupby("unit_id")["component"].nunique().eq(5).all()
    processes = sample.control_objectives.groupby("unit_id")["process"].agg(set)
    wanted = {"Change management", "Logical access", "Computer operations"}
    assert processes.map(lambda names: wanted <= names).all()
    assert set(sample.control_objectives["objective_id"]) == set(sample.risks["objective_id"])


def test_a_report_is_issued_and_the_others_are_prepared(sample: riskcalc.Register) -> None:
    """One unit's report is out, with every part of it done; the others still have parts open."""
    issued = sample.business_units.set_index("unit_id")["issued_on"].notna()
    assert issued[issued].index.tolist() == ["funds"]
    done = sample.report_items.groupby("unit_id")["status"].agg(lambda status: set(status) <= {"done"})
    assert done.equals(issued.rename("status").rename_axis("unit_id").reindex(done.index))
    assert sample.report_items.groupby("unit_id").size().eq(8).all()


def test_each_unit_tells_its_story(sample: riskcalc.Register) -> None:
    """One clean report, issued as its outlook says; three that would be qualified; and a Type 1 that would be, too."""
    context = Context.of(sample)
    opinions = {kind: report_outlooks(context, kind) for kind in ("type1", "type2")}
    units = sample.business_units.set_index("unit_id")
    told = {name: opinions[kind][name].opinion for name, kind in units["report_type"].items()}
    assert told.pop("funds") == units.loc["funds", "opinion"] == "unmodified"
    assert set(told.values()) == {"qualified"}
    grave = {one.controls for one in candidates(context) if one.severity == "material weakness"}
    assert grave == {("CLM-G03",), ("CLM-C08",), ("PAY-C17",)}


def test_money_and_matrix_disagree_for_a_few_only(sample: riskcalc.Register) -> None:
    """On purpose: a risk whose rating was raised for another reason than its frequency, and the best controlled ones."""
    found = consistency.findings(Context.of(sample))
    assert {each.row for each in found if each.check == "rate-unlike-rating"} == {"CLM-R05", "CLM-R13", "FND-R01"}
