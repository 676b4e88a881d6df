"""What tests of a control say: by hand where a rule has an edge, and as properties of any rounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskcalc.assessment.testing import Basis, Conclusion, Round, now, over_period, uncovered
from riskcalc.register.methodology import Methodology

SAMPLING = Methodology.read(Path(__file__).parents[2] / "data" / "methodology.toml").sampling
REPORT = date(2025, 7, 1), date(2026, 6, 30)
H2, H1 = (date(2025, 7, 1), date(2025, 12, 31)), (date(2026, 1, 1), date(2026, 6, 30))
AS_OF = date(2026, 7, 15)
MANY = Basis("many_a_day", once=False, months=12, sampling=SAMPLING, days=H1, allowed=60, throughout=True)
RANKS = {"not_effective": 0, "not_tested": 1, "insufficient_evidence": 2, "operated_effectively": 3}


def a_round(name: str, items: int, deviations: int, days: Any = H1, **given: Any) -> Round:
    cells = {"kind": "operation", "systematic": False, "population": None, "retest_of": None, "inquiry": False}
    tested_on = given.pop("tested_on", days[1] + timedelta(days=5))
    return Round(name, tested_on=tested_on, days=days, items=items, deviations=deviations, **{**cells, **given})


def name_of(found: Conclusion | None) -> str:
    return found.name if found else "not_tested"


def over(*rounds: Round, tested: Basis = MANY, as_of: date = AS_OF) -> Conclusion | None:
    return over_period(tested, rounds, REPORT, as_of)


# --- by hand ---


def test_two_rounds_from_one_population_are_not_all_of_it() -> None:
    """Twice 30 of the same 60, 6 deviated: some items may have been looked at twice, so no "all 60 tested"."""
    found = over(a_round("a", 30, 3, population=60), a_round("b", 30, 3, population=60))
    assert found is not None
    assert (found.name, found.sample_size, found.deviations) == ("insufficient_evidence", 60, 6)
    whole = over(a_round("a", 60, 6, population=60))
    assert whole is not None
    assert whole.reason == "all 60 tested, 6 deviated"


def test_one_item_is_not_told_as_all_of_them() -> None:
    """It read "all 1 tested"."""
    found = over(a_round("a", 1, 0, population=1))
    assert found is not None
    assert found.reason == "the one item there is was tested, 0 deviated"


@pytest.mark.parametrize(("second", "limit"), [(H1, 14), (H2, 20)], ids=["same days", "other days"])
def test_populations_add_up_over_different_days_only(second: Any, limit: int) -> None:
    """20 and 20 without deviation, of 100 each: over the same days of 100 in all, over different ones of 200."""
    found = over(a_round("a", 10, 0, population=100), a_round("b", 10, 0, second, population=100))
    assert found is not None
    population = 100 if second == H1 else 200
    assert found.upper_limit is not None
    assert (found.upper_limit * population) == pytest.approx(round(found.upper_limit * population))
    assert round(found.upper_limit * population) == {100: 9, 200: 20}[population], limit


def test_all_items_of_some_months_are_not_all_items_of_the_report() -> None:
    """Ten of ten of its second half: how many the first half had, nobody has said. Of today, they are all there is."""
    half, report = a_round("a", 10, 0, population=10), replace(MANY, days=REPORT)
    found, both = over(half, tested=report), over(half, a_round("b", 4, 0, H2, population=4), tested=report)
    assert found is not None
    assert (found.name, round(found.upper_limit or 0, 4)) == ("insufficient_evidence", 0.2057)  # 1 - 0.1 ** (1 / 10)
    assert both is not None
    assert both.reason == "all 14 tested, 0 deviated"
    today = now(replace(report, throughout=False), [half], (), type1=False)
    assert today is not None
    assert today.reason == "all 10 tested, 0 deviated"


def test_beside_many_clean_rounds_another_makes_nothing_worse() -> None:
    """Of nine months all items were looked at: a round that doesn't tell its population takes nothing from that."""
    starts = [date(2025, 7, 1) + timedelta(days=41 * number) for number in range(9)]
    days = [(first, first + timedelta(days=40)) for first in starts]
    months = [a_round(str(each[0]), 2, 0, each, population=2, tested_on=AS_OF) for each in days]
    asked = replace(MANY, frequency="ad_hoc", days=REPORT)
    another = a_round("z", 1, 0, days[-1], tested_on=AS_OF)
    for rounds in (months, [*months, another]):
        found = over(*rounds, tested=asked)
        assert found is not None
        assert found.reason == "all 18 tested, 0 deviated"


def test_a_shared_day_does_not_make_the_population_smaller() -> None:
    """Three rounds of 8 of 25, one deviated: a day that all share doesn't turn 75 items into 25 of which 24 were seen."""
    days = [(first, date(2026, 6, 30)) for first in (date(2025, 7, 1), date(2025, 8, 1), date(2025, 9, 1))]
    found = over(*(a_round(str(each[0]), 8, each == days[0], each, population=25) for each in days))
    assert name_of(found) != "operated_effectively"


@pytest.mark.parametrize(
    ("one", "other"), [((25, 1, None), (10, 0, 10)), ((20, 2, None), (20, 0, 20)), ((62, 3, None), (2, 1, 102))]
)
def test_a_round_lends_no_other_its_population(one: Any, other: Any) -> None:
    """A round from a population that nobody told isn't all of the ten items that another one looked at in a day."""
    last = date(2026, 6, 30), date(2026, 6, 30)
    first = a_round("a", *one[:2], REPORT)
    for days in (last, REPORT):
        second = a_round("b", *other[:2], days, population=other[2])
        assert RANKS[name_of(over(first, second))] <= RANKS[name_of(over(first))]


def test_a_walkthrough_that_failed_speaks_against_operation() -> None:
    """A failed test doesn't vanish by being called a walkthrough; one that passed proves no operation."""
    clean = a_round("a", 25, 0, REPORT)
    failed = a_round("w", 25, 20, REPORT, kind="walkthrough", systematic=True)
    for found in (over(clean, failed), now(MANY, [clean, failed], (), type1=False)):
        assert found is not None
        assert (found.name, found.deviations) == ("not_effective", 20)
    assert over(replace(failed, deviations=0, systematic=False)) is None


def test_a_walkthrough_that_failed_is_not_diluted_by_a_longer_one() -> None:
    """One of one deviated: that another of the same days found one in 20 makes it no better."""
    tests = a_round("a", 1, 0), a_round("b", 17, 0), a_round("c", 1, 1, kind="walkthrough")
    for deviations in (0, 1):
        found = over(*tests, a_round("d", 19, deviations, kind="walkthrough"))
        assert name_of(found) == "not_effective"


def test_what_never_failed_is_not_repaired() -> None:
    """The retest of a test that passed makes nobody forget another one, which failed."""
    passed = a_round("z", 1, 0, tested_on=date(2026, 3, 31), days=(date(2026, 1, 1), date(2026, 3, 31)))
    failed = replace(passed, test_id="a", items=25, deviations=10, systematic=True, tested_on=date(2026, 4, 15))
    again = a_round("r", 40, 0, (date(2026, 4, 1), date(2026, 5, 1)), retest_of="z")
    assert name_of(now(MANY, [passed, failed, again], (), type1=False)) == "not_effective"
    repaired = replace(again, retest_of="a")
    assert name_of(now(MANY, [passed, failed, repaired], (), type1=False)) == "operated_effectively"


def test_a_limit_of_exactly_the_tolerable_rate_is_tolerable() -> None:
    """None of 19 of 100 leaves at most 10 of 100 possible: exactly 10 %, which binary floats make more."""
    found = now(MANY, [a_round("a", 19, 0, population=100)], (), type1=False)
    assert name_of(found) == "operated_effectively"


def test_a_stretch_that_failed_is_not_made_good_by_another() -> None:
    """3 of 25 in the first half and none of 75 in the second: 3 % in all, and yet half a year didn't hold."""
    failed, clean = a_round("a", 25, 3, H2), a_round("b", 75, 0, H1)
    found = over(failed, clean)
    assert found is not None
    assert found.name == "not_effective"
    assert found.reason == "3 of 25 deviated, more than the tolerable 10 %, in 2025-07-01 to 2025-12-31"
    assert (found.sample_size, found.deviations) == (100, 3)
    early = over(a_round("a", 25, 3, H2, tested_on=date(2025, 10, 1)), clean)  # it says nothing of days after that
    assert early is not None
    assert early.reason.endswith(", in 2025-07-01 to 2025-10-01")


@pytest.mark.parametrize("first", [date(2025, 12, 31), date(2025, 8, 1)], ids=["a day shared", "five months shared"])
def test_a_quarter_that_failed_is_not_diluted_by_a_round_that_overlaps_it(first: date) -> None:
    """4 of 15 in one half-year, and none of 60 on days that overlap it: 4 of 75 in all, and yet it failed."""
    failed, clean = a_round("a", 15, 4, H2), a_round("b", 60, 0, (first, H1[1]))
    for rounds in ((failed, clean), (clean, failed)):
        found = over(*rounds)
        assert found is not None
        assert found.name == "not_effective"
        assert found.reason.startswith("4 of 15 deviated")
        assert (found.sample_size, found.deviations) == (75, 4)


def test_a_sample_that_is_extended_over_the_same_days_is_judged_as_one() -> None:
    """1 of 5 and none of 55 of the same days is a sample of 60; a retest of other items isn't part of it."""
    first, more = a_round("a", 5, 1, H2), a_round("b", 55, 0, H2)
    assert name_of(over(first, more)) == "operated_effectively"
    assert name_of(over(first, replace(more, retest_of="a"))) == "not_effective"
    assert name_of(over(first, replace(more, inquiry=True))) == "not_effective"


def test_a_closed_deficiency_lets_later_rounds_count_now() -> None:
    """All of autumn's items deviated, it was repaired in January, and spring is clean: it works today."""
    failed, clean = a_round("a", 25, 25, H2, systematic=True), a_round("b", 25, 0, H1)
    assert name_of(now(MANY, [failed, clean], (), type1=False)) == "not_effective"
    assert name_of(now(MANY, [failed, clean], [date(2026, 1, 26)], type1=False)) == "operated_effectively"
    assert name_of(now(MANY, [failed, clean], [date(2026, 7, 10)], type1=False)) == "not_effective"  # tested before
    assert name_of(over(failed, clean)) == "not_effective"


def test_a_late_look_at_the_days_before_a_repair_does_not_show_that_it_works() -> None:
    """Autumn's items looked at again in February say nothing of the control since its repair in January."""
    failed, late = a_round("a", 25, 3, H2), a_round("b", 25, 0, H2, tested_on=date(2026, 2, 10))
    found = now(MANY, [failed, late], [date(2026, 1, 26)], type1=False)
    assert name_of(found) == "insufficient_evidence"


@pytest.mark.parametrize(
    ("items", "deviations", "systematic", "name"),
    [
        (60, 1, False, "operated_effectively"),
        (25, 1, False, "operated_effectively"),  # too little to conclude from, and nothing against it
        (10, 1, False, "operated_effectively"),  # exactly the tolerable rate
        (19, 2, False, "not_effective"),
        (60, 1, True, "not_effective"),
    ],
)
def test_operation_speaks_against_type_1_only_if_it_was_not_effective(
    items: int, deviations: int, systematic: bool, name: str
) -> None:
    """Beside a clean walkthrough, what is tolerable over a period is no failure at a date."""
    walked, tested = a_round("a", 1, 0, kind="walkthrough"), a_round("b", items, deviations, systematic=systematic)
    found = now(MANY, [walked, tested], (), type1=True)
    assert found is not None
    assert found.name == name
    assert ("when its operation was tested" in found.reason) == (name == "not_effective")


def test_a_repair_after_operation_failed_lets_a_type_1_control_count_again() -> None:
    """Failed in autumn, repaired in January, walked through since."""
    failed = a_round("a", 25, 5, H2)
    walked = a_round("b", 1, 0, H1, kind="walkthrough")
    assert name_of(now(MANY, [failed, walked], (), type1=True)) == "not_effective"
    assert name_of(now(MANY, [failed, walked], [date(2026, 1, 26)], type1=True)) == "operated_effectively"


def test_a_repair_that_a_retest_has_shown_ends_what_operation_says_against_type_1() -> None:
    """It speaks for nothing: without a walkthrough the control isn't shown to be in use, and with one it is."""
    failed = a_round("a", 20, 3, (date(2026, 1, 1), date(2026, 3, 31)), tested_on=date(2026, 4, 2))
    again = a_round("b", 20, 0, (date(2026, 4, 21), date(2026, 6, 15)), retest_of="a")
    walked = a_round("w", 1, 0, (date(2026, 1, 1), date(2026, 2, 1)), kind="walkthrough")
    closed = [date(2026, 4, 20)]
    assert now(MANY, [failed, again], closed, type1=True) is None
    assert now(MANY, [failed, again], (), type1=True) is None
    found = now(MANY, [failed, again, walked], closed, type1=True)
    assert found is not None
    assert found.reason == "walked through: it is in use; its operation holds since its repair"
    for rounds in ([failed], [failed, replace(again, deviations=3)], [failed, replace(again, inquiry=True)]):
        assert name_of(now(MANY, [*rounds, walked], closed, type1=True)) == "not_effective"
    walked_badly = replace(walked, deviations=1)
    assert name_of(now(MANY, [failed, again, walked_badly], closed, type1=True)) == "not_effective"


def test_a_retest_that_fails_again_repairs_nothing() -> None:
    """And a chain of retests counts from the last that was clean."""
    first = a_round("a", 25, 4, tested_on=date(2026, 3, 1))
    again = a_round("b", 25, 4, tested_on=date(2026, 4, 1), retest_of="a")
    last = a_round("c", 25, 0, tested_on=date(2026, 5, 1), retest_of="b")
    assert name_of(now(MANY, [first, again], (), type1=False)) == "not_effective"
    assert name_of(now(MANY, [first, again, last], (), type1=False)) == "operated_effectively"
    assert name_of(over(first, again, last)) == "not_effective"


def test_inquiry_alone_is_no_evidence_but_what_it_finds_is() -> None:
    """Asking 60 people shows nothing; that 3 of them say no does."""
    assert now(MANY, [a_round("a", 60, 0, inquiry=True)], (), type1=False) is None
    found = now(MANY, [a_round("a", 60, 3, inquiry=True)], (), type1=False)
    assert found is not None
    assert (found.name, found.sample_size) == ("not_effective", 3)


def test_days_that_no_test_covers_are_counted() -> None:
    """Nothing is covered after the day it was tested; days to come are rolled forward, and not yet untested."""
    found = over(a_round("a", 25, 0, H2, tested_on=date(2025, 12, 1)))
    assert found is not None
    assert (found.untested_days, found.roll_forward) == (211, 211)
    early = over(a_round("a", 25, 0, H2), as_of=date(2026, 1, 31))
    assert early is not None
    assert (early.untested_days, early.roll_forward) == (31, 181)
    annual = over(a_round("a", 1, 0, H2), tested=replace(MANY, frequency="annual"))
    assert annual is not None
    assert (annual.name, annual.untested_days, annual.roll_forward) == ("operated_effectively", 0, 0)


def test_a_clean_retest_covers_its_days() -> None:
    """Autumn deviated once; the retest over spring adds no items to the sample, but spring was tested all the same."""
    first, again = a_round("a", 60, 1, H2), a_round("b", 25, 0, H1, retest_of="a")
    found = over(first, again)
    assert found is not None
    assert (found.sample_size, found.untested_days, found.roll_forward) == (60, 0, 0)
    asked = over(first, replace(again, inquiry=True))
    assert asked is not None
    assert (asked.untested_days, asked.roll_forward) == (181, 181)


def test_an_automated_control_is_tested_once() -> None:
    """One item is enough of it, and no day is left over."""
    found = over(a_round("a", 1, 0, H2), tested=replace(MANY, once=True))
    assert found is not None
    assert (found.name, found.roll_forward) == ("operated_effectively", 0)
    assert name_of(over(a_round("a", 1, 0, H2))) == "insufficient_evidence"


def test_the_latest_walkthrough_counts_for_type_1() -> None:
    """A clean one after a repair speaks for the control; one by inquiry alone doesn't."""
    old = a_round("a", 1, 1, H2, kind="walkthrough")
    new = a_round("b", 1, 0, H1, kind="walkthrough")
    assert name_of(now(MANY, [old, new], (), type1=True)) == "operated_effectively"
    assert name_of(now(MANY, [new, replace(old, days=H1, tested_on=new.tested_on)], (), type1=True)) == "not_effective"
    assert now(MANY, [replace(new, inquiry=True)], (), type1=True) is None


@pytest.mark.parametrize(
    ("covered", "missing"),
    [
        ([], (10, 10)),
        ([(1, 10)], (0, 0)),
        ([(2, 9)], (2, 1)),
        ([(1, 3), (3, 5), (8, 10)], (2, 0)),
        ([(6, 7), (1, 2)], (6, 3)),
        ([(-5, 20)], (0, 0)),
        ([(15, 20)], (10, 10)),
        ([(9, 2)], (10, 10)),  # tested before it began: covers nothing
    ],
)
def test_uncovered_days(covered: list[tuple[int, int]], missing: tuple[int, int]) -> None:
    """Ten days, counted by hand: all that aren't covered, and those of them at the end."""
    day = date(2026, 1, 1)
    spans = [(day + timedelta(days=first - 1), day + timedelta(days=last - 1)) for first, last in covered]
    assert uncovered((day, day + timedelta(days=9)), spans) == missing


# --- properties ---

SPANS = [H2, H1, REPORT, (date(2025, 10, 1), date(2025, 12, 31))]


@st.composite
def drawn(draw: Any, name: str = "r", clean: bool = False) -> Round:
    items = draw(st.integers(1, 40))
    deviations = 0 if clean else draw(st.one_of(st.just(0), st.integers(0, items)))
    return a_round(
        name,
        items,
        deviations,
        draw(st.sampled_from(SPANS)),
        tested_on=date(2025, 9, 1) + timedelta(days=draw(st.integers(0, 300))),
        systematic=bool(deviations) and draw(st.booleans()),
        population=draw(st.one_of(st.none(), st.integers(items, items + 300))),
        inquiry=draw(st.sampled_from([False, False, True])),
        kind=draw(st.sampled_from(["operation", "operation", "walkthrough"])),
    )


ROUNDS = st.integers(0, 4).flatmap(lambda n: st.tuples(*(drawn(f"r{number}") for number in range(n))))
REPAIRS = st.lists(st.dates(date(2025, 7, 1), date(2026, 6, 30)), max_size=2)


def answers(rounds: tuple[Round, ...], repairs: list[date]) -> dict[str, tuple[int, int]]:
    throughout = over(*rounds)
    return {
        "now": (RANKS[name_of(now(MANY, rounds, repairs, type1=False))], 0),
        "type1": (RANKS[name_of(now(MANY, rounds, repairs, type1=True))], 0),
        "period": (RANKS[name_of(throughout)], -throughout.untested_days if throughout else -1000),
    }


def counts_less(better: tuple[int, int], worse: tuple[int, int]) -> bool:
    """Failed and untested both count for nothing: a failure that is found in an untested control is no worse news."""
    return max(worse[0], 1) <= max(better[0], 1)


@settings(max_examples=150, deadline=None)
@given(ROUNDS.filter(bool), REPAIRS, st.data())
def test_a_further_deviation_never_improves_an_answer(rounds: Any, repairs: list[date], data: Any) -> None:
    """One more item of any round deviates: neither today's answer nor the period's gets better."""
    place = data.draw(st.integers(0, len(rounds) - 1))
    one = rounds[place]
    if one.deviations == one.items:
        return
    worse = (*rounds[:place], replace(one, deviations=one.deviations + 1), *rounds[place + 1 :])
    before, after = answers(rounds, repairs), answers(worse, repairs)
    assert {name: counts_less(before[name], after[name]) for name in before} == dict.fromkeys(before, True)


@settings(max_examples=150, deadline=None)
@given(ROUNDS, REPAIRS, drawn("new", clean=True))
def test_a_further_effective_test_never_worsens_an_answer(rounds: Any, repairs: list[date], new: Round) -> None:
    """A round without deviations is added: neither answer gets worse, and no more days are left untested."""
    before, after = answers(rounds, repairs), answers((*rounds, new), repairs)
    assert {name: before[name] <= after[name] for name in before} == dict.fromkeys(before, True)
