"""Time is a dimension: a period's pages stay what they were, whatever is recorded later; a control is retired by a date."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from register_files import DEFICIENCY, REPORT_ITEM, Rows, write_register
from running import run_here

import riskcalc
from riskcalc.assessment.context import Context
from riskcalc.assessment.decisions import standings
from riskcalc.assessment.opening import open_portfolio, open_unit
from riskcalc.assessment.opinion import ACHIEVED, outlooks
from riskcalc.assessment.scoring import scores
from riskcalc.errors import RegisterError, UsageError
from riskcalc.pages import matrix, risks, summary
from riskcalc.register.audiences import CLIENT, PUBLIC, redacted
from riskcalc.register.subsets import Subsets

ROOT = Path(__file__).parents[2]


def begun(rows: Rows) -> None:
    """A first period with something to change in every table."""
    rows["deficiencies"].append(dict(DEFICIENCY))
    rows["report_items"].append(dict(REPORT_ITEM))
    rows["ratings"][0].update(rated_on="2025-12-01")  # what is known of the period before ends with it
    rows["controls"].append({**rows["controls"][0], "control_id": "A-S1", "performed_by": "subservice", "subservice_id": "SUB-1"})  # fmt: skip
    rows["risk_controls"].append({"risk_id": "A-R2", "control_id": "A-S1", "acts_on": "both", "coverage": "0.5"})


def changed(rows: Rows, table: str, row: int, **cells: str) -> None:
    """A row ends with the first half of 2026, and goes on with other cells."""
    rows[table].append({**rows[table][row], **cells, "valid_from": "2026-07-01"})
    rows[table][row] = {**rows[table][row], "valid_to": "2026-06-30"}


def new_rating(rows: Rows) -> None:
    rows["ratings"].append({**rows["ratings"][1], "period": "2026-H2", "likelihood": "2", "rated_on": "2026-12-01"})


def retired(rows: Rows) -> None:
    """A control is retired by a date, and another takes its place."""
    rows["controls"][1]["valid_to"] = "2026-06-30"
    rows["controls"].append({**rows["controls"][1], "control_id": "A-C9", "valid_from": "2026-07-01", "valid_to": ""})
    rows["risk_controls"].append({**rows["risk_controls"][1], "control_id": "A-C9"})
    rows["mappings"].append({"control_id": "A-C9", "framework": "SOC 2", "reference": "CC6.1"})


def new_test(rows: Rows) -> None:
    rows["control_tests"].append({**rows["control_tests"][0], "test_id": "T9", "period": "2026-H2", "deviations": "2", "tested_on": "2026-12-01"})  # fmt: skip


def new_deficiency(rows: Rows) -> None:
    rows["deficiencies"].append({**DEFICIENCY, "deficiency_id": "D2", "identified_on": "2026-11-01"})
    rows["deficiencies"][0]["closed_on"] = "2026-10-01"


def new_risk(rows: Rows) -> None:
    rows["risks"].append({**rows["risks"][0], "risk_id": "A-R9", "valid_from": "2026-07-01"})
    rows["ratings"].append({**rows["ratings"][1], "risk_id": "A-R9", "period": "2026-H2", "rated_on": "2026-12-01"})
    rows["risks"][1]["valid_to"] = "2026-07-31"


def next_report(rows: Rows) -> None:
    """The unit's next report has other days, another materiality and appetite; the last one is issued meanwhile."""
    dates = {"report_from": "2026-07-01", "report_to": "2026-12-31"}
    changed(rows, "business_units", 0, **dates, materiality="2000000", appetite="Low", owner="N. Owner")
    rows["business_units"][0].update(issued_on="2026-09-01", opinion="qualified")


def next_subservice_report(rows: Rows) -> None:
    dates = {"report_from": "2026-07-01", "report_to": "2026-12-31"}
    changed(rows, "subservice_organisations", 0, **dates, opinion="qualified", bridge_to="2027-03-31")


def other_training(rows: Rows) -> None:
    changed(rows, "training", 0, due_on="2027-03-31", completed_on="")


CHANGES: tuple[Callable[[Rows], None], ...] = (
    next_report,
    retired,
    new_test,
    new_deficiency,
    new_risk,
    next_subservice_report,
    other_training,
    lambda rows: changed(rows, "controls", 0, owner="N. Owner", design="ineffective"),
    lambda rows: changed(rows, "risks", 0, owner="N. Owner", title="Rates are wrong"),
    lambda rows: changed(rows, "risk_controls", 0, coverage="0.1"),
    lambda rows: changed(rows, "control_objectives", 0, statement="Pay is right and on time."),
    lambda rows: changed(rows, "report_items", 0, status="in_progress"),
    lambda rows: changed(rows, "scoping", 0, auditors_ask="nothing"),
    lambda rows: changed(rows, "business_units", 1, appetite="Critical"),
)


def recorded(*changes: Callable[[Rows], None]) -> Callable[[Rows], None]:
    def edit(rows: Rows) -> None:
        for change in (begun, new_rating, *changes):
            change(rows)

    return edit


def run(data: Path, out: Path) -> None:
    run_here(data, "--period", "2026-H1", "--out", out, "--force")


def test_a_period_that_is_recorded_changes_no_byte_of_an_older_ones_pages(tmp_path: Path) -> None:
    """Units', the organisation's, and the hashes of their inputs: made again in 2027, 2026-H1 is 2026-H1."""
    kinds, found = (".html", ".json"), []
    for edit in (begun, recorded(*CHANGES)):
        write_register(tmp_path / "data", edit)
        run(tmp_path / "data", tmp_path / "out")
        folder = tmp_path / "out" / "2026-H1"
        pages = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in kinds}
        units = json.loads(pages.pop("manifest.json"))["units"]
        found.append((pages, [(unit["inputs_sha256"], unit["register_sha256"]) for unit in units]))
    assert len(found[0][0]) == 6
    assert found[0] == found[1]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_counts_from_its_day_on(tmp_path: Path, change: Callable[[Rows], None]) -> None:
    """The older period's facts stay what they were, the new one's are others, in a unit's share as in the whole."""
    before = riskcalc.load(write_register(tmp_path / "before", recorded()))
    after = riskcalc.load(write_register(tmp_path / "after", recorded(change)))
    then, later = ([Context.of(each, name).register for each in (before, after)] for name in ("2026-H1", "2026-H2"))
    assert then[0].fingerprint() == then[1].fingerprint()
    assert later[0].fingerprint() != later[1].fingerprint()
    handed = Subsets(Context.of(riskcalc.load(tmp_path / "after"), "2026-H2").register)
    for unit in ("alpha", "beta"):
        assert then[0].only(unit).fingerprint() == then[1].only(unit).fingerprint()
        assert handed.fingerprint(unit) == later[1].only(unit).fingerprint()
    assert handed.register.fingerprint() == later[1].fingerprint()


def test_what_moved_is_told_between_facts_as_they_stood(tmp_path: Path) -> None:
    """Each period is scored with the controls and against the appetite that it had."""
    register = riskcalc.load(write_register(tmp_path, recorded(next_report, retired)))
    unit = open_unit("alpha", "2026-H2", str(tmp_path))
    assert unit.previous is not None
    assert (unit.unit["appetite"], unit.unit["report_to"].date()) == ("Low", date(2026, 12, 31))
    assert (set(unit.scores["appetite"]), set(unit.previous["appetite"])) == ({"Low"}, {"Medium"})
    assert "A-C2" not in set(unit.lines["control_id"]) >= {"A-C9"}
    assert register.business_units["unit_id"].tolist() == ["alpha", "beta", "alpha"]
    assert Context.of(register, "2026-H2").register.business_units["unit_id"].tolist() == ["alpha", "beta"], (
        "it stays in its place"
    )
    alone = scores(Context.of(register, "2026-H1").only("alpha"))
    assert unit.previous[alone.columns].equals(alone)


def test_a_risk_that_is_retired_is_told_to_have_left(tmp_path: Path) -> None:
    """It isn't passed over where the page tells what changed, and leads nowhere: it is on the page no more."""
    changes = (lambda rows: rows["risks"][0].update(valid_to="2026-07-31"), new_rating)
    write_register(tmp_path, lambda rows: [change(rows) for change in changes])
    unit = open_unit("alpha", "2026-H2", str(tmp_path))
    shown = str(matrix.movement(unit))
    assert "'A-R1', 'Wrong rates', {'text': 'no longer among the risks'" in shown
    for told in (summary.unit(unit), summary.organisation(open_portfolio("2026-H2", str(tmp_path)))):
        assert "1 no longer among the risks." in str(told)


def test_a_risk_that_moves_is_new_where_it_goes_in_every_figure(tmp_path: Path) -> None:
    """Outside appetite before and after, but another unit's: `check` and the organisation say what the units say."""

    def edit(rows: Rows) -> None:
        changed(rows, "risks", 0, unit_id="beta", objective_id="B-CO1")
        rows["risk_controls"].clear()
        rows["ratings"].append({**rows["ratings"][1], "period": "2026-H2", "rated_on": "2026-12-01"})

    context = Context.of(riskcalc.load(write_register(tmp_path, edit)), "2026-H2")
    whole = standings(context)
    assert whole["beta"]["newly_outside"] == 1
    for unit in ("alpha", "beta"):
        assert standings(context.only(unit))[unit] == whole[unit]
    told = str(summary.organisation(open_portfolio("2026-H2", str(tmp_path))))
    assert "newly outside appetite (1)" in told
    assert "moved from Alpha, outside appetite: still Critical" in told
    assert "no longer among" not in told, "of the organisation's risks it is one as before"
    [row, *_] = risks.of_organisation(open_portfolio("2026-H2", str(tmp_path))).content["rows"]
    assert (row[0], row[6]["text"]) == ("A-R1", "Critical")
    assert "unrated to" not in told, "it was rated, only elsewhere"
    [row, *_] = risks.of_unit(open_unit("beta", "2026-H2", str(tmp_path))).content["rows"]
    assert (row[0]["text"], row[6]) == ("A-R1", "–")


def test_the_risks_of_a_unit_that_ended_are_no_longer_to_be_rated(tmp_path: Path) -> None:
    """Whether half of a period's risks are rated is a matter of those that there are."""

    def edit(rows: Rows) -> None:
        rows["business_units"][1]["valid_to"] = "2026-08-31"
        new_rating(rows)

    assert riskcalc.load(write_register(tmp_path, edit)).periods[-1].rated == (1, 2)


def test_a_control_that_acted_in_the_reports_period_is_not_forgotten(tmp_path: Path) -> None:
    """Whoever retires a control in the middle of a Type 2 report isn't told that its objective is achieved."""

    def edit(rows: Rows) -> None:
        begun(rows)
        rows["controls"][0].update(valid_to="2026-03-31")
        rows["control_tests"][0].update(covers_from="2026-01-01", covers_to="2026-03-31", deviations="2")
        rows["deficiencies"].clear()

    register = Context.of(riskcalc.load(write_register(tmp_path, edit))).only("alpha")
    [found] = outlooks(register, "type2")
    assert any("A-C1 acted on A-R1 until 2026-03-31" in each for each in found.contradictions)
    assert found.outcome != ACHIEVED


@pytest.mark.parametrize(
    ("table", "edits", "column", "told"),
    [
        ("controls", [(0, {"valid_from": "2026-07-01", "valid_to": "2026-06-30"})], "valid_from", "valid_to, 2026-06-30"),
        ("controls", [(2, {"valid_to": "2026-06-30"})], "relies_on", "'A-G1': holds to 2026-06-30, this row for good"),
        ("risk_controls", [(0, {"valid_to": "2026-06-30"}), (None, {"valid_from": "2026-06-30"})], "valid_from", "two rows"),
        ("risk_controls", [(0, {"valid_to": "2026-06-30"}), (None, {"valid_from": "2026-07-03"})], "valid_from", "2026-07-01"),
        ("risks", [(0, {"valid_from": "2026-07-01"})], "period", "A-R1 holds from 2026-07-01"),
        ("business_units", [(0, {"valid_to": "2025-12-31"})], "period", "'2026-H1'"),
        ("control_objectives", [(0, {"valid_from": "2026-01-01"})], "objective_id", "A-CO1"),
        ("controls", [(0, {"valid_to": "2026-06-30"})], "closed_on", "A-C1 holds to 2026-06-30"),
    ],
)  # fmt: skip
def test_days_that_contradict_each_other_are_told(
    tmp_path: Path, table: str, edits: list[tuple[int | None, dict[str, str]]], column: str, told: str
) -> None:
    """Overlaps, gaps, the wrong way round, and what points at something that doesn't hold: with file, line, and value."""

    def edit(rows: Rows) -> None:
        begun(rows)
        for row, cells in edits:
            if row is None:
                rows[table].append({**rows[table][0], "valid_to": "", **cells})
            else:
                rows[table][row].update(cells)

    with pytest.raises(RegisterError) as error:
        riskcalc.load(write_register(tmp_path, edit))
    assert [each.column for each in error.value.problems if told in str(each)][:1] == [column], str(error.value)


def test_a_link_ends_with_its_control(tmp_path: Path) -> None:
    """Nobody has to end every link of a control that is retired; one that says it goes on is told."""
    register = riskcalc.load(write_register(tmp_path / "a", recorded(retired)))
    assert "A-C2" not in set(Context.of(register, "2026-H2").register.risk_controls["control_id"])

    def edit(rows: Rows) -> None:
        recorded(retired)(rows)
        rows["risk_controls"][1]["valid_to"] = "2026-12-31"

    with pytest.raises(
        RegisterError, match=r"risk_controls.csv:3: column 'valid_to': '2026-12-31': A-C2 holds to 2026"
    ):
        riskcalc.load(write_register(tmp_path / "b", edit))


def test_a_register_with_days_is_asked_about_in_a_period(tmp_path: Path) -> None:
    """Neither a unit's part of all that ever was, nor one period of another one, is handed out as if it were right."""
    register = riskcalc.load(write_register(tmp_path, recorded(next_report)))
    assert register.unit("alpha")["owner"] == "N. Owner", "the latest row"
    with pytest.raises(UsageError, match="of which period"):
        register.only("alpha")
    with pytest.raises(UsageError, match="as it stood for 2026-H1"):
        Context.of(Context.of(register, "2026-H1").register, "2026-H2")


def test_an_issued_report_goes_with_its_units_share_alone(tmp_path: Path) -> None:
    """Its row has ended, and the next report's began: what was issued is at hand, and moves the fingerprint."""

    def otherwise(rows: Rows) -> None:
        recorded(next_report)(rows)
        rows["business_units"][0]["opinion"] = "adverse"

    edits = (recorded(next_report), otherwise)
    found = [
        Context.of(riskcalc.load(write_register(tmp_path / str(place), edit)), "2026-H2").register
        for place, edit in enumerate(edits)
    ]
    assert [(each.unit_id, each.opinion) for each in found[0].earlier.issued] == [("alpha", "qualified")]
    assert [len(found[0].only(unit).earlier.issued) for unit in ("alpha", "beta")] == [1, 0]
    for one, other in [found, [each.only("alpha") for each in found]]:
        assert one.fingerprint() != other.fingerprint()
    assert found[0].only("beta").fingerprint() == found[1].only("beta").fingerprint()
    for audience, opinion in ((PUBLIC, None), (CLIENT, "qualified")):
        assert [each.opinion for each in redacted(found[0], audience).earlier.issued] == [opinion]


def test_the_day_on_which_a_control_began_goes_with_the_shares_that_it_is_in(tmp_path: Path) -> None:
    """Another first day is another input of alpha's page, and of nobody else's; a control that goes on has begun once."""

    def retired_on(first: str) -> Callable[[Rows], None]:
        def edit(rows: Rows) -> None:
            recorded(retired)(rows)
            changed(rows, "controls", 0, owner="N. Owner")
            rows["controls"][-2].update(valid_from=first)

        return edit

    days = ("2026-07-01", "2026-07-02")
    found = [
        Context.of(riskcalc.load(write_register(tmp_path / day, retired_on(day))), "2026-H2").register for day in days
    ]
    assert [each.earlier.begun for each in found] == [{("A-C9", "", date.fromisoformat(day))} for day in days]
    for one, other in [found, [each.only("alpha") for each in found]]:
        assert one.fingerprint() != other.fingerprint()
    assert found[0].only("beta").fingerprint() == found[1].only("beta").fingerprint()
    for unit in ("alpha", "beta"):
        assert Subsets(found[0]).fingerprint(unit) == found[0].only(unit).fingerprint()
