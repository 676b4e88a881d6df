"""What a control earns: by its documentation, its design, its tests and what it relies on."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from register_files import Rows, write_register

from riskcalc.assessment.context import Context
from riskcalc.assessment.evidence import assess
from riskcalc.assessment.testing import conclude
from riskcalc.register.methodology import Methodology
from riskcalc.register.register import load

SAMPLING = Methodology.read(Path(__file__).parents[2] / "data" / "methodology.toml").sampling


@pytest.mark.parametrize(
    ("sample_size", "deviations", "systematic", "planned", "population", "name"),
    [
        (25, 0, False, 25, None, "operated_effectively"),  # upper limit 8.8 % <= 10 %
        (15, 0, False, 15, None, "operated_effectively"),  # 14.2 %, but the planned size without deviation
        (14, 0, False, 15, None, "insufficient_evidence"),  # one short of the planned size
        (25, 1, False, 25, None, "insufficient_evidence"),  # 14.7 %; observed 4 %
        (45, 1, False, 25, None, "operated_effectively"),  # 8.4 %: more items make up for a deviation
        (10, 1, False, 15, None, "insufficient_evidence"),  # observed exactly the tolerable 10 %, not more
        (19, 2, False, 15, None, "not_effective"),  # observed 10.5 %
        (60, 1, True, 25, None, "not_effective"),  # systematic, however rare
        (1, 0, False, 1, 1, "operated_effectively"),  # annual: 1 of 1
        (22, 0, False, 22, None, "operated_effectively"),  # no fixed size: the smallest that is enough
        (21, 0, False, 22, None, "insufficient_evidence"),
        (100, 5, False, 25, 100, "operated_effectively"),  # everything looked at: 5 % it is
    ],
)
def test_conclusions(
    sample_size: int, deviations: int, systematic: bool, planned: int, population: int | None, name: str
) -> None:
    """At 90 % confidence and a tolerable rate of 10 %, each case concludes as the methodology says."""
    assert conclude(sample_size, deviations, systematic, planned, SAMPLING, population).name == name


def earned(tmp_path: Path, edit: object) -> dict[str, tuple[float, str]]:
    frame = assess(Context.of(load(write_register(tmp_path / "data", edit)), "2026-H1"))  # type: ignore[arg-type]
    return {row["control_id"]: (row["earned"], row["reason"]) for row in frame.to_dict("records")}


@pytest.mark.parametrize(
    ("changes", "weight", "reason"),
    [
        ({}, 1.0, "0 of 5 deviated; the planned size for its frequency is 3"),
        ({"documentation": ""}, 0.0, "not documented"),
        ({"design": "partially_effective"}, 0.5, "design partially effective; 0 of 5 deviated"),
        ({"design": "ineffective"}, 0.0, "design ineffective"),
        ({"performed_by": "user_entity"}, 0.0, "a user entity's control is an assumption"),
        ({"performed_by": "subservice"}, 0.0, "no subservice organisation is named"),
        (
            {"performed_by": "subservice", "subservice_id": "SUB-1"},
            1.0,
            "Hosting Ltd reports on 2026-01-01 to 2026-06-30, without",
        ),
        ({"frequency": "daily"}, 0.0, "0 of 5 deviated; too little to conclude"),
    ],
)
def test_what_a_control_earns_and_why(tmp_path: Path, changes: dict[str, str], weight: float, reason: str) -> None:
    """Each thing that is missing takes away what it should, and the reason says which it was."""
    got = earned(tmp_path, lambda rows: rows["controls"][0].update(changes))["A-C1"]
    assert got[0] == weight
    assert reason in got[1]


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [({"documentation": ""}, "not documented"), ({"design": "ineffective"}, "design ineffective")],
)
@pytest.mark.parametrize(("deviations", "found"), [("5", "5 of 5 deviated, more than"), ("1", "1 of 5 deviated")])
def test_what_its_tests_found_is_told_whatever_else_it_lacks(
    tmp_path: Path, changes: dict[str, str], lacks: str, deviations: str, found: str
) -> None:
    """A control that failed its tests, and isn't documented either, earns nothing for both."""

    def edit(rows: Rows) -> None:
        rows["controls"][0].update(changes)
        rows["control_tests"][0].update(deviations=deviations)

    weight, reason = earned(tmp_path, edit)["A-C1"]
    assert weight == 0
    assert reason.startswith(found)
    assert reason.endswith(f"; {lacks}")


def test_an_untested_control_earns_nothing(tmp_path: Path) -> None:
    """Claimed in full, earned not at all."""
    assert earned(tmp_path, lambda rows: rows["control_tests"].pop(0))["A-C1"] == (0.0, "not tested since 2026-01-01")


def test_tests_from_before_the_look_back_do_not_count(tmp_path: Path) -> None:
    """The report begins in January: what was tested of the half-year before is said, and counts for nothing."""
    got = earned(tmp_path, lambda rows: rows["control_tests"][0].update(period="2025-H2", tested_on="2025-12-15"))
    assert got["A-C1"] == (0.0, "not tested since 2026-01-01; last tested on 2025-12-15")


def test_a_late_test_of_days_before_the_look_back_is_told_as_made_then(tmp_path: Path) -> None:
    """The half-year before was tested in January: the control was tested since, and yet no day since was."""
    days = {"period": "2025-H2", "covers_from": "2025-07-01", "covers_to": "2025-12-30", "tested_on": "2026-01-09"}
    got = earned(tmp_path, lambda rows: rows["control_tests"][0].update(days))
    told = "not tested over days since 2026-01-01; last tested on 2026-01-09, over days to 2025-12-30"
    assert got["A-C1"] == (0.0, told)


def test_a_test_of_operation_is_no_walkthrough_of_before(tmp_path: Path) -> None:
    """A Type 1 control that was tested, and walked through long ago only, was last walked through then."""

    def edit(rows: Rows) -> None:
        walked = {**rows["control_tests"][3], "test_id": "T0", "period": "2025-H1", "tested_on": "2025-05-02"}
        rows["control_tests"].append(walked)
        rows["control_tests"][3].update(kind="operation", period="2025-H1", tested_on="2025-06-02")

    told = "not walked through since 2025-07-01; last walked through on 2025-05-02"
    assert earned(tmp_path, edit)["B-C1"] == (0.0, told)


def test_a_period_before_the_report_looks_back_however_late_its_last_test_was_signed(tmp_path: Path) -> None:
    """2025-H2 was tested until January, when the next report's days had begun: its tests count for it all the same."""

    def edit(rows: dict[str, list[dict[str, str]]]) -> None:
        rows["ratings"][0]["rated_on"] = "2025-12-15"
        then = {**rows["control_tests"][0], "test_id": "T0", "period": "2025-H2", "sample_size": "60"}
        rows["control_tests"].append(
            {**then, "covers_from": "2025-07-01", "covers_to": "2025-12-31", "tested_on": "2026-01-08"}
        )

    before = Context.of(load(write_register(tmp_path, edit)), "2026-H1").previous()
    assert before is not None
    assert before.as_of == date(2026, 1, 8)
    assert assess(before).loc["A-C1", "earned"] == 1.0


@pytest.mark.parametrize("as_of", [date(2026, 6, 30), date(2026, 9, 30), date(2027, 1, 31)])
def test_a_control_earns_no_less_by_waiting(tmp_path: Path, as_of: date) -> None:
    """Of a weekly control, 4 items of nine months: on later days of the report no item can count, and none is asked."""

    def edit(rows: Rows) -> None:
        rows["business_units"][0].update(report_from="2025-10-01", report_to="2026-09-30")
        rows["controls"][0]["frequency"] = "weekly"
        rows["control_tests"][0].update(sample_size="4", covers_from="2025-10-01", covers_to="2026-06-30")

    found = assess(Context.of(load(write_register(tmp_path, edit)), "2026-H1", as_of)).loc["A-C1"]
    assert found["reason"] == "0 of 4 deviated; the planned size for its frequency is 4"


def test_a_failed_control_pulls_down_all_that_rely_on_it_through_chains(tmp_path: Path) -> None:
    """C1 relies on C2, C2 on G1, and G1 deviated systematically: none of the three earns anything."""

    def chain(rows: dict[str, list[dict[str, str]]]) -> None:
        rows["controls"][0]["relies_on"] = "A-C2"
        rows["control_tests"][2].update(systematic="yes")

    got = earned(tmp_path, chain)
    assert {got[control][0] for control in ("A-C1", "A-C2", "A-G1")} == {0.0}
    assert got["A-C1"][1] == "relies on A-C2: relies on A-G1: 1 of 25 deviated, systematically"


def test_rounds_of_a_test_add_up(tmp_path: Path) -> None:
    """1 of 25 is too little; with 0 of 20 more it is 1 of 45, and enough (8.4 %)."""

    def second_round(rows: dict[str, list[dict[str, str]]]) -> None:
        rows["control_tests"].append(
            {**rows["control_tests"][2], "test_id": "T3b", "sample_size": "20", "deviations": "0"}
        )

    assert earned(tmp_path, second_round)["A-G1"][0] == 1.0


def test_a_repaired_and_retested_control_counts_again_now_but_not_for_the_opinion(tmp_path: Path) -> None:
    """A clean retest after remediation shows that it works today; over the period it failed all the same."""

    def retested(rows: dict[str, list[dict[str, str]]]) -> None:
        rows["control_tests"][2].update(deviations="4")
        rows["control_tests"].append(
            {**rows["control_tests"][2], "test_id": "T3r", "deviations": "0", "retest_of": "T3"}
        )

    weight, reason = earned(tmp_path, retested)["A-G1"]
    assert weight == 1.0
    assert reason == "0 of 25 deviated: at 90 % confidence at most 8.8 % deviate, since its repair"
    over = assess(Context.of(load(tmp_path / "data")), "type2").loc["A-G1"]
    assert (over["earned"], over["reason"]) == (0.0, "4 of 25 deviated, more than the tolerable 10 %")


def test_a_walkthrough_is_no_test_of_operation_in_a_type_2_unit(tmp_path: Path) -> None:
    """Seeing it once says that it exists, not that it operated."""
    got = earned(tmp_path, lambda rows: rows["control_tests"][0].update(kind="walkthrough"))
    assert got["A-C1"] == (0.0, "not tested since 2026-01-01")


def test_a_type_1_unit_earns_by_walkthroughs(tmp_path: Path) -> None:
    """At a date, what counts is that the control exists and is in use."""
    assert earned(tmp_path, None)["B-C1"] == (1.0, "walked through: it is in use")
    assert earned(tmp_path, lambda rows: rows["control_tests"].pop())["B-C1"] == (
        0.0,
        "not walked through since 2025-07-01",
    )


@pytest.mark.parametrize(
    ("report", "weight", "reason"),
    [
        ({"report_from": "2025-01-01", "report_to": "2026-12-31"}, 0.0, "wasn't there by 2026-06-30"),
        (
            {"report_from": "2025-01-01", "bridge_to": "2026-12-31", "report_to": "2026-03-31"},
            1.0,
            "without an exception that matters",
        ),
        ({"exception": "minor"}, 1.0, "without an exception that matters"),
        ({"report_to": "2026-06-29"}, 0.0, "1 day of 2026-01-01 to 2026-06-30 not covered"),
        ({"report_from": "2026-02-01"}, 0.0, "31 days of 2026-01-01 to 2026-06-30 not covered"),
        ({"report_from": "2025-01-01", "report_to": "2025-12-31"}, 0.0, "not on any day of 2026-01-01 to 2026-06-30"),
        ({"exception": "matters"}, 0.0, "an exception that matters"),
        ({"opinion": "qualified"}, 0.0, "opinion qualified"),
        ({"report_type": "type1", "report_from": ""}, 0.0, "reports on design only (Type 1)"),
        ({"report_type": "type1", "report_from": "", "opinion": "adverse"}, 0.0, "opinion adverse"),
        (
            {"report_type": "", "report_from": "", "report_to": "", "opinion": "", "exception": ""},
            0.0,
            "no report of Hosting Ltd",
        ),
        ({"method": "inclusive"}, 1.0, "0 of 5 deviated"),
    ],
)
def test_a_carved_out_control_earns_what_its_own_report_covers(
    tmp_path: Path, report: dict[str, str], weight: float, reason: str
) -> None:
    """Another's report counts for its own period, without a modified opinion; an inclusive one is tested like ours."""

    def edit(rows: dict[str, list[dict[str, str]]]) -> None:
        rows["controls"][0].update(performed_by="subservice", subservice_id="SUB-1")
        rows["subservice_organisations"][0].update(report)

    got = earned(tmp_path, edit)["A-C1"]
    assert got[0] == weight
    assert reason in got[1]


def test_a_type_1_report_is_about_its_date(tmp_path: Path) -> None:
    """What a later walkthrough finds speaks against the control now, and not against the report at its date."""

    def edit(rows: Rows) -> None:
        rows["business_units"][1].update(report_to="2026-05-31")
        walked = rows["control_tests"][-1]
        walked.update(covers_from="2026-05-18", covers_to="2026-05-20", tested_on="2026-05-20")
        late = {"test_id": "T9", "covers_from": "2026-06-15", "covers_to": "2026-06-20", "tested_on": "2026-06-20"}
        rows["control_tests"].append({**walked, **late, "deviations": "1"})

    context = Context.of(load(write_register(tmp_path, edit)), "2026-H1")
    assert assess(context).loc["B-C1", "conclusion"] == "not_effective"
    assert assess(context.only("beta"), "type1").loc["B-C1", "conclusion"] == "operated_effectively"
