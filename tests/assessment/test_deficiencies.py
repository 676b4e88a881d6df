"""Candidate severities: the standards' definitions, worked by hand on the small register, and their properties."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from register_files import DEFICIENCY, Rows, write_register

from riskcalc.assessment.context import Context
from riskcalc.assessment.deficiencies import NOT_ASSESSED, SEVERITIES, Candidate, aggregated, candidates, classify
from riskcalc.register.register import load

AS_OF = date(2026, 6, 30)
Edit = Callable[[Rows], object]


def judged(folder: Path, *edits: Edit, as_of: date = AS_OF) -> list[Candidate]:
    register = load(write_register(folder / "data", lambda rows: [edit(rows) for edit in (proven, *edits)]))
    return candidates(Context.of(register, "2026-H1", as_of))


def proven(rows: Rows) -> None:
    """A-G1, on which A-C2 relies, without its deviation."""
    rows["control_tests"][2].update(deviations="0")


def deficiency(**cells: str) -> Edit:
    return lambda rows: rows["deficiencies"].append({**DEFICIENCY, **cells})


def losses(low: str, high: str) -> Edit:
    return lambda rows: rows["risks"][0].update(loss_low=low, loss_high=high)


@pytest.mark.parametrize(
    ("possible", "material", "merits", "indicator", "severity"),
    [
        (True, True, True, False, "material weakness"),
        (True, False, True, False, "significant deficiency"),
        (True, False, False, False, "deficiency"),
        (False, True, False, False, "deficiency"),  # not a material weakness: no reasonable possibility
        (False, True, True, False, "significant deficiency"),
        (False, False, False, False, "deficiency"),
        (False, False, False, True, "material weakness"),  # AS 2201.69
    ],
)
def test_the_definitions(possible: bool, material: bool, merits: bool, indicator: bool, severity: str) -> None:
    """The cases of AS 2201 .A3, .A7, .A11, .69 and AU-C 265.07."""
    assert classify(possible, material, merits, indicator) == severity


def test_a_case_worked_by_hand(tmp_path: Path) -> None:
    """A-R1 is 5 x 4, up to 900,000 an event. Without A-C1 nothing counts: A-C2 relies on A-G1, which is inconclusive.

    Likelihood 5: possible. Magnitude 900,000: from performance materiality, 750,000, on, and below 1,000,000. Once
    A-G1 is proven, A-C2 counts 0.8 of both: likelihood 1 + 4 x 0.2 = 1.8, magnitude 180,000.
    """
    unproven = lambda rows: rows["control_tests"][2].update(deviations="1")  # noqa: E731
    [weak] = judged(tmp_path / "a", deficiency(), losses("100000", "900000"), unproven)
    assert (weak.severity, weak.magnitude, weak.compensating) == ("significant deficiency", 900_000, ())
    [one] = judged(tmp_path, deficiency(), losses("100000", "900000"))
    assert (one.name, one.controls, one.severity, one.possible) == ("D1", ("A-C1",), "deficiency", True)
    assert one.magnitude == pytest.approx(180_000)
    assert one.compensating == ("A-C2",)
    assert one.reasons == (
        "judged as if A-C1 failed, although found to have operated effectively",
        "likelihood without it: A-R1 1.80; 2 or more counts: reasonably possible",
        "one event could misstate up to 180,000 EUR: below performance materiality",
        "compensating controls counted, as tested: A-C2",
    )


def test_a_walkthrough_shows_that_a_control_is_in_use_and_no_more(tmp_path: Path) -> None:
    """B-C1's report is at a date: it read "tested as operating effectively"."""
    [weak] = judged(tmp_path, deficiency(control_id="B-C1"))
    assert weak.reasons[0] == "judged as if B-C1 failed, although found to be in use"


@pytest.mark.parametrize(
    ("high", "severity"),
    [("3749999.99", "deficiency"), ("3750000", "significant deficiency"), ("4999999.99", "significant deficiency"),
     ("5000000", "material weakness")],
)  # fmt: skip
def test_magnitude_is_held_against_both_materialities(tmp_path: Path, high: str, severity: str) -> None:
    """0.2 of it is left: 750,000 is performance materiality, 1,000,000 materiality; to the cent, and no float off."""
    [one] = judged(tmp_path, deficiency(), losses("1", high))
    assert one.severity == severity


def test_only_a_tested_control_compensates(tmp_path: Path) -> None:
    """Without the test of A-C2 nothing is taken off, even where the weights give untested controls credit."""
    [one] = judged(tmp_path, deficiency(), losses("1", "900000"), lambda rows: rows["control_tests"].pop(1))
    assert (one.compensating, one.magnitude) == ((), pytest.approx(900_000))
    assert one.reasons[-1] == "no other control on it has been tested and counts"
    folder = tmp_path / "data"
    text = (folder / "methodology.toml").read_text("utf-8").replace("not_tested = 0.0", "not_tested = 0.5")
    text = text.replace("insufficient_evidence = 0.0", "insufficient_evidence = 0.5")
    (folder / "methodology.toml").write_text(text, "utf-8")
    assert candidates(Context.of(load(folder), "2026-H1"))[0].compensating == ()


def test_a_control_without_sufficient_evidence_never_compensates(tmp_path: Path) -> None:
    """Too small a sample counts for nothing here, even where the weights give it credit."""
    few = lambda rows: rows["control_tests"][1].update(sample_size="1")  # noqa: E731
    judged(tmp_path, deficiency(), losses("1", "900000"), few)
    folder = tmp_path / "data"
    text = (folder / "methodology.toml").read_text("utf-8")
    (folder / "methodology.toml").write_text(
        text.replace("insufficient_evidence = 0.0", "insufficient_evidence = 0.5"), "utf-8"
    )
    [one] = candidates(Context.of(load(folder)))
    assert (one.compensating, one.magnitude) == ((), 900_000)


def unquantified(rows: Rows) -> None:
    """A-R2, rated, without an amount; A-C1 acts on it alone."""
    rows["ratings"][2].update(likelihood="4", impact="1", rationale="x", rated_by="W", rated_on="2026-06-20")
    rows["risk_controls"].append({"risk_id": "A-R2", "control_id": "A-C1", "acts_on": "both", "coverage": "0.5"})


def without_anchors(folder: Path) -> Context:
    """The register, where no rating has losses of its own."""
    text = (folder / "methodology.toml").read_text("utf-8")
    without = re.sub(r"^loss_\w+ = .*\n", "", text, flags=re.MULTILINE)
    (folder / "methodology.toml").write_text(without, "utf-8")
    return Context.of(load(folder), "2026-H1", AS_OF)


def test_together_is_no_less_than_alone_where_an_amount_is_missing(tmp_path: Path) -> None:
    """What is known is the least of it: one risk without amounts takes no other risk's away, and is named."""
    second = deficiency(deficiency_id="D2", control_id="A-C2")
    judged(tmp_path, deficiency(), second, losses("100000", "5000000"), unquantified)
    context = without_anchors(tmp_path / "data")
    alone = {one.name: one.severity for one in candidates(context)}
    [group] = aggregated(context)
    assert (alone["D2"], group.severity, group.magnitude) == ("material weakness", "material weakness", 5_000_000)
    told = "one event could misstate up to 5,000,000 EUR, without A-R2, of which no amount is known: material"
    assert told in group.reasons


def test_what_is_only_small_as_far_as_is_known_is_not_assessed(tmp_path: Path) -> None:
    """A-C1 acts on a risk of small amounts, and on one without: nobody knows that it is a deficiency, and no more."""
    judged(tmp_path, deficiency(), losses("1", "2"), unquantified)
    [one] = candidates(without_anchors(tmp_path / "data"))
    assert (one.severity, one.risks) == (NOT_ASSESSED, ("A-R1",))
    assert any(told.endswith("without A-R2, of which no amount is known") for told in one.reasons)


def test_a_group_knows_what_its_deficiencies_know(tmp_path: Path) -> None:
    """An indicator of one makes the group a candidate material weakness; what merits attention does in a group, too."""
    second = deficiency(deficiency_id="D2", control_id="A-C2", indicator="restatement")
    judged(tmp_path / "a", deficiency(), second, losses("1", "2"))
    [group] = aggregated(Context.of(load(tmp_path / "a" / "data")))
    assert group.severity == "material weakness"
    second = deficiency(deficiency_id="D2", control_id="A-C2", merits_attention="yes")
    judged(tmp_path / "b", deficiency(), second, losses("1", "2"))
    [group] = aggregated(Context.of(load(tmp_path / "b" / "data")))
    assert group.severity == "significant deficiency"


def test_a_remote_possibility_is_no_material_weakness(tmp_path: Path) -> None:
    """A rating of 1 is below what counts as reasonably possible, whatever the amount."""

    def remote(rows: Rows) -> None:
        rows["ratings"][1].update(likelihood="1")

    [one] = judged(tmp_path, deficiency(), losses("1", "9000000"), remote)
    assert (one.severity, one.possible) == ("deficiency", False)
    [merits] = judged(tmp_path / "b", deficiency(merits_attention="yes"), losses("1", "9000000"), remote)
    assert merits.severity == "significant deficiency"


def test_an_indicator_and_a_judgement_are_told(tmp_path: Path) -> None:
    """People's judgement counts, and stands among the reasons."""
    [fraud] = judged(tmp_path, deficiency(indicator="senior_management_fraud"), losses("1", "2"))
    assert fraud.severity == "material weakness"
    assert fraud.reasons[-1] == "an indicator of a material weakness: senior management fraud (AS 2201.69)"
    [noted] = judged(tmp_path / "b", deficiency(merits_attention="yes"), losses("1", "2"))
    assert noted.severity == "significant deficiency"
    assert noted.reasons[-1] == "judged to merit the attention of those who oversee"


def test_an_it_general_control_reaches_the_risks_of_what_relies_on_it(tmp_path: Path) -> None:
    """A-G1 acts on no risk itself; A-C2, which relies on it, does."""
    [one] = judged(tmp_path, deficiency(control_id="A-G1"), losses("1", "900000"))
    assert one.risks == ("A-R1",)
    assert one.compensating == ("A-C1",)  # A-C2 falls with it


def test_what_cannot_be_judged_says_so(tmp_path: Path) -> None:
    """An unrated risk gives no candidate, and no false comfort."""
    unrated = {"likelihood": "", "impact": "", "rationale": "", "rated_by": "", "rated_on": ""}
    [one] = judged(tmp_path, deficiency(), lambda rows: rows["ratings"][1].update(unrated))
    assert (one.severity, one.magnitude, one.reasons) == (NOT_ASSESSED, None, ("it acts on no rated risk",))


@pytest.mark.parametrize(
    ("cells", "as_of", "names"),
    [
        ({}, "2026-06-30", ["D1"]),
        ({}, "2026-02-28", []),  # not identified yet
        ({"closed_on": "2026-05-01"}, "2026-04-30", ["D1"]),
        ({"closed_on": "2026-05-01"}, "2026-05-01", ["D1"]),  # closed, but of the report's period
        ({"identified_on": "2025-11-01", "closed_on": "2025-12-31"}, "2026-05-01", []),
    ],
)
def test_open_is_as_of_the_day(tmp_path: Path, cells: dict[str, str], as_of: str, names: list[str]) -> None:
    """From the day it was identified; closed in a Type 2 report's period it stays, and is said to be closed."""
    found = judged(tmp_path, deficiency(**cells), as_of=date.fromisoformat(as_of))
    assert [one.name for one in found] == names
    closed = cells.get("closed_on", "9999") <= as_of
    assert [one.closed_on for one in found] == [date(2026, 5, 1) if closed else None for _ in names]


def test_a_failed_control_without_a_record_is_not_forgotten(tmp_path: Path) -> None:
    """Nobody has to type a deficiency for it to be seen."""
    [one] = judged(tmp_path, lambda rows: rows["control_tests"][0].update(deviations="3"))
    assert (one.name, one.controls) == ("A-C1 not on record", ("A-C1",))


def test_deficiencies_of_one_objective_are_taken_together(tmp_path: Path) -> None:
    """Each alone leaves the other control to compensate; together nothing is left that does."""
    both = (deficiency(), deficiency(deficiency_id="D2", control_id="A-C2"), losses("1", "1100000"))
    alone = judged(tmp_path, *both)
    assert {one.severity for one in alone} == {"deficiency", "material weakness"}
    together = aggregated(Context.of(load(tmp_path / "data"), "2026-H1"))
    assert [(one.about, one.name, one.controls) for one in together] == [("objective", "A-CO1", ("A-C1", "A-C2"))]
    assert together[0].magnitude == pytest.approx(1_100_000)
    assert together[0].magnitude >= max(one.magnitude or 0 for one in alone)


def test_deficiencies_of_one_account_are_taken_together_across_objectives(tmp_path: Path) -> None:
    """An account is one, however many objectives guard it."""

    def two_objectives(rows: Rows) -> None:
        rows["control_objectives"].append({**rows["control_objectives"][0], "objective_id": "A-CO2"})
        rows["risks"][0].update(account="Wages")
        rows["risks"][1].update(account="Wages", objective_id="A-CO2")
        rated = {"risk_id": "A-R2", "likelihood": "4", "impact": "4"}
        rows["ratings"][2] = {**rows["ratings"][1], **rated}
        rows["risk_controls"][1].update(risk_id="A-R2")

    judged(tmp_path, deficiency(), deficiency(deficiency_id="D2", control_id="A-C2"), two_objectives)
    [one] = aggregated(Context.of(load(tmp_path / "data"), "2026-H1"))
    assert (one.about, one.name, one.risks) == ("account", "Wages", ("A-R1", "A-R2"))
    assert one.magnitude == pytest.approx(2 * 1.5 * 1_000_000)  # each 4: up to 1.5 x materiality


@given(st.tuples(*[st.booleans()] * 4), st.integers(0, 3))
def test_more_cause_for_concern_never_lowers_the_severity(given_: tuple[bool, ...], place: int) -> None:
    """Turning any of the four answers from no to yes is never better news."""
    worse = tuple(answer or here == place for here, answer in enumerate(given_))
    assert SEVERITIES.index(classify(*worse)) >= SEVERITIES.index(classify(*given_))


def test_the_sample_has_every_severity(sample: object) -> None:
    """Leadership sees each of them on the sample's pages."""
    units = sample.business_units["unit_id"]  # type: ignore[attr-defined]
    found = [candidates(Context.of(sample).only(unit)) for unit in units]  # type: ignore[attr-defined]
    assert {one.severity for one in itertools.chain(*found)} == set(SEVERITIES)


def test_a_control_that_fails_after_its_deficiency_was_closed_has_it_on_record(tmp_path: Path) -> None:
    """It counts as if it were open, and says that it was closed; of what deviated since then none is on record."""
    closed = {"identified_on": "2025-11-01", "closed_on": "2025-12-31"}
    ill_designed = lambda rows: rows["controls"][0].update(design="ineffective")  # noqa: E731
    [one] = judged(tmp_path / "a", deficiency(**closed), ill_designed)
    assert (one.name, one.closed_on, one.reasons[-1]) == ("D1", None, "closed on 2025-12-31, but A-C1 counts as failed")
    walked = lambda rows: rows["control_tests"][3].update(deviations="1")  # noqa: E731
    [one] = judged(tmp_path / "b", deficiency(control_id="B-C1", closed_on="2026-06-20"), walked)  # of Type 1
    assert (one.name, one.reasons[-1]) == ("D1", "closed on 2026-06-20, but B-C1 counts as failed")
    [one] = judged(tmp_path / "c", deficiency(**closed), lambda rows: rows["control_tests"][0].update(deviations="3"))
    assert one.name == "A-C1 not on record"
