"""A register that only begins: a list of risks, with what stands in for all the rest."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from register_files import replace_in

import riskcalc
from riskcalc.assessment.consistency import findings
from riskcalc.assessment.context import Context
from riskcalc.assessment.decisions import decisions, standings
from riskcalc.assessment.deficiencies import NOT_ASSESSED, aggregated, candidates
from riskcalc.assessment.exposure import exposures
from riskcalc.assessment.next_steps import next_steps
from riskcalc.assessment.opening import open_unit
from riskcalc.assessment.opinion import NOT_READY, outlooks, report_outlooks
from riskcalc.assessment.readiness import gaps
from riskcalc.errors import RegisterError, UsageError
from riskcalc.excel.commands import export
from riskcalc.pages import not_assessed
from riskcalc.pages.unit import heading
from riskcalc.register.audiences import PUBLIC, redacted
from riskcalc.register.starter import Starter

RISKS = "impact,title,risk_id,owner,likelihood\n3,Late feed,R1,Ops,2\n,Stale price,R2,Ops,\n5,Lost file,R3,Ops,4\n"


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A folder as `riskcalc new` leaves it, with three risks typed in."""
    for name, text in Starter("Halden", "EUR", "funds", "5x5", "2026-H2").files().items():
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "risks.csv").write_text(RISKS, "utf-8")
    return tmp_path


def _problems(folder: Path) -> list[str]:
    with pytest.raises(RegisterError) as caught:
        riskcalc.load(folder)
    return [str(problem) for problem in caught.value.problems]


def test_a_list_of_risks_is_enough(begun: Path) -> None:
    """Five columns in any order: the only unit, the period that `new` wrote; a blank rating stays unrated."""
    register = riskcalc.load(begun)
    assert [period.name for period in register.periods] == ["2026-H2"]
    assert set(register.risks["unit_id"]) == {"funds"}
    scores = riskcalc.score(register).set_index("risk_id")
    assert scores.loc["R1", ["likelihood", "impact"]].tolist() == [2, 3]
    assert scores.loc["R2", ["likelihood", "earned_level"]].isna().all()
    assert len(register.controls) == len(register.deficiencies) == 0


def test_a_misspelt_column_is_blamed_alone(begun: Path) -> None:
    """Of a beginning, too: ratings that may stand here are offered, and nothing is said of cells nobody could read."""
    replace_in(begun / "risks.csv", "likelihood", "likelyhood")
    (begun / "controls.csv").write_text("control_id,title\nC1,Reconciled\n", "utf-8")
    (begun / "risk_controls.csv").write_text("risk_id,control_id,acts_on,covrage\nR1,C1,both,0.5\n", "utf-8")
    risks, links = sorted(_problems(begun), reverse=True)
    assert "unknown column; did you mean 'likelihood'? allowed: risk_id, " in risks
    assert risks.endswith(", likelihood, impact")
    assert "'covrage': unknown column; did you mean 'coverage'?" in links


def test_nothing_is_earned_or_said_in_money_before_it_is_assessed(begun: Path) -> None:
    """What is left equals what was there before; no materiality, amount or assertion is made up."""
    register = riskcalc.load(begun)
    rated = riskcalc.score(register).dropna()
    for view in ("claimed", "earned"):
        assert rated[f"{view}_score"].tolist() == rated["inherent_score"].tolist()
    assert register.business_units[["materiality", "performance_materiality"]].isna().all(axis=None)
    assert exposures(Context.of(register))["high"].isna().all()
    assert set(register.risks["assertions"]) == {()}
    assert pd.isna(register.ratings["rated_on"]).all()


def test_check_lists_what_to_fill_in_next_in_the_order_of_what_it_brings(begun: Path) -> None:
    """The appetite first, for every verdict hangs on it; then controls, money, the report; filled in, a step is gone."""
    steps = [step.what for step in next_steps(riskcalc.load(begun))]
    assert steps[:5] == [
        "the appetite (Medium is assumed)", "controls", "materiality", "control objectives", "the SOC 1 report",
    ]  # fmt: skip
    replace_in(begun / "business_units.csv", "funds,funds,,,EUR,,,,", "funds,funds,,,EUR,Low,100,75,")
    left = [step.what for step in next_steps(riskcalc.load(begun))]
    assert left[:2] == ["controls", "control objectives"]


def test_unassessed_controls_are_no_finding_of_their_own(begun: Path) -> None:
    """Nobody says of risks whose controls nobody has looked at that they have none; the notes come last."""
    found = findings(Context.of(riskcalc.load(begun)))
    assert [finding.check for finding in found if finding.severity == "act"] == []
    assert {finding.check for finding in found} == {"risk-unrated", "next-step"}
    assert found[-1].check == "next-step"


def test_a_cell_that_is_filled_in_with_what_stood_in_changes_the_fingerprint(begun: Path) -> None:
    """A page that says "assumed" isn't left standing when somebody decides on just that."""
    before = riskcalc.load(begun)
    replace_in(begun / "business_units.csv", "EUR,,", "EUR,Medium,")
    after = riskcalc.load(begun)
    assert before.unit("funds")["appetite"] == after.unit("funds")["appetite"]
    assert before.fingerprint() != after.fingerprint()


def test_ratings_among_the_risks_are_refused_once_there_is_a_table_of_them(begun: Path) -> None:
    """Two places for one fact would contradict each other; the message says which it is to be."""
    (begun / "ratings.csv").write_text("risk_id,period,likelihood,impact\nR1,2026-H2,2,3\n", "utf-8")
    problems = _problems(begun)
    assert [problem.partition(": belongs in ratings.csv")[0] for problem in problems] == [
        "risks.csv:1: column 'impact'",
        "risks.csv:1: column 'likelihood'",
    ]
    (begun / "risks.csv").write_text("risk_id,title,owner\nR1,Late feed,Ops\n", "utf-8")
    assert riskcalc.score(riskcalc.load(begun))["likelihood"].tolist() == [2]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("3,Late feed", "9,Late feed", "risks.csv:2: column 'impact': '9': allowed: a whole number from 1 to 5"),
        (",Stale price", "1,Stale price", "risks.csv:3: column 'likelihood': likelihood and impact must both be rated"),
        ("R3", "R1", "risks.csv:4: column 'risk_id': 'R1': stands already at line 2"),
        ("Late feed,R1,Ops", "Late feed,R1,", "risks.csv:2: column 'owner': blank, but a value is required"),
    ],
)
def test_what_is_typed_wrong_is_told_where_it_was_typed(begun: Path, old: str, new: str, told: str) -> None:
    """One message, at the line and column of risks.csv."""
    replace_in(begun / "risks.csv", old, new)
    [problem] = _problems(begun)
    assert problem.startswith(told)


def test_an_amount_needs_a_materiality(begun: Path) -> None:
    """A loss in money that nothing can be held against is told, not judged."""
    (begun / "risks.csv").write_text(
        "risk_id,title,owner,likelihood,impact,loss_low,loss_high\nR1,A,B,1,2,10,20\n", "utf-8"
    )
    [problem] = _problems(begun)
    assert "needs the materiality of funds in business_units.csv, which is blank" in problem


def test_the_public_is_told_nothing_that_only_stands_in(begun: Path) -> None:
    """No trust centre's page speaks of a report or an objective that nobody has set."""
    with pytest.raises(
        UsageError, match=r"objective_id in risks.csv for R1, .*, report_to in business_units.csv for fun"
    ):
        redacted(riskcalc.load(begun), PUBLIC)
    (begun / "control_objectives.csv").write_text("objective_id,unit_id,process,statement\nO1,funds,P,S\n", "utf-8")
    (begun / "risks.csv").write_text(
        "risk_id,unit_id,objective_id,title,owner,likelihood,impact\nR1,funds,O1,A,B,1,2\nR2,claims,,A,B,1,2\n", "utf-8"
    )
    (begun / "business_units.csv").write_text(
        "unit_id,service,report_type,report_from,report_to\nfunds,Books,type1,,2026-12-31\nclaims,,,,\n", "utf-8"
    )
    whole = riskcalc.load(begun)
    assert redacted(whole.only("funds"), PUBLIC).unit("funds")["service"] == "Books"
    replace_in(begun / "control_objectives.csv", "P,S", "P,Not assessed yet: what this process is to achieve")
    only_named = riskcalc.load(begun)
    with pytest.raises(UsageError, match=r"statement in control_objectives.csv for O1\.$"):
        redacted(only_named.only("funds"), PUBLIC)
    assert "what control objectives are to achieve" in [step.what for step in next_steps(only_named)]
    with pytest.raises(UsageError, match=r"risks.csv for R2, report_to in business_units.csv for claims, service in"):
        redacted(whole, PUBLIC)


def test_with_several_units_each_risk_names_its_own(begun: Path) -> None:
    """Which unit a risk belongs to is never guessed; each gets an objective of its own to stand in."""
    with open(begun / "business_units.csv", "a", encoding="utf-8") as file:
        file.write("claims,claims,,,EUR,,,,,,,\n")
    assert [problem.partition(": blank")[2] for problem in _problems(begun)] == [
        ", and there are several units; allowed: funds, claims"
    ] * 3
    (begun / "risks.csv").write_text(
        "risk_id,unit_id,title,owner,likelihood,impact\nR1,funds,A,B,1,2\nR2,claims,A,B,1,2\n", "utf-8"
    )
    register = riskcalc.load(begun)
    assert register.control_objectives["unit_id"].tolist() == ["funds", "claims"]
    assert register.only("claims").risks["objective_id"].tolist() == ["Not assessed yet: claims"]


def test_every_other_register_is_as_strict_as_before(begun: Path) -> None:
    """Without first_period a missing table or column is a mistake, and ratings among the risks are told to move."""
    text = (begun / "methodology.toml").read_text("utf-8").splitlines(keepends=True)
    (begun / "methodology.toml").write_text("".join(line for line in text if "first_period" not in line), "utf-8")
    problems = _problems(begun)
    assert "controls.csv: the file is missing" in problems
    assert any(problem.startswith("risks.csv:1: column 'likelihood': belongs in ratings.csv") for problem in problems)
    assert any(problem.startswith("risks.csv:1: column 'treatment': the column is missing") for problem in problems)


CONTROLS = {
    "controls": "control_id,unit_id,title,description,owner,kind,nature,frequency,key,component,performed_by,design,"
    "documentation\nC1,funds,A,A,B,detective,manual,daily,yes,control_activities,own,effective,M\n",
    "risk_controls": "risk_id,control_id,acts_on,coverage\nR1,C1,impact,0.7\nR3,C1,impact,0.7\n",
    "deficiencies": "deficiency_id,control_id,description,identified_on,remediation_owner,due_on\n"
    "D1,C1,Bad,2026-08-01,B,2026-12-01\n",
}


def _with_controls(folder: Path) -> Path:
    for name, text in CONTROLS.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


def test_no_outlook_is_given_on_what_only_stands_in(begun: Path) -> None:
    """Neither before controls are assessed, nor on an objective that nobody has named: not ready, and why."""
    for fill_in, why in ((Path, "controls are not assessed yet"), (_with_controls, "nobody has said yet which")):
        context = Context.of(riskcalc.load(fill_in(begun)))
        assert report_outlooks(context, "type2")["funds"].opinion == NOT_READY
        [outlook] = outlooks(context, "type2")
        assert outlook.because[0].startswith(why)


def test_a_unit_that_only_begins_is_told_alike_on_both_pages(begun: Path) -> None:
    """Controls of another unit make none of its own assessed: same outlook, decisions and findings, and no risk is unrated."""
    with open(begun / "business_units.csv", "a", encoding="utf-8") as file:
        file.write("claims,claims,,,EUR,,,,,,,\n")
    (begun / "risks.csv").write_text(
        "risk_id,unit_id,objective_id,title,owner,likelihood,impact,description\nR1,funds,O1,A,B,1,2,Why\n"
        "R2,funds,O1,A,B,1,2,\nR3,funds,O1,A,B,1,2,\nR4,claims,O2,A,B,1,2,\n", "utf-8"
    )  # fmt: skip
    objectives = "objective_id,unit_id,process,statement\nO1,funds,P,S\nO2,claims,P,S\n"
    (begun / "control_objectives.csv").write_text(objectives, "utf-8")
    whole = Context.of(riskcalc.load(_with_controls(begun)))
    outlook = report_outlooks(whole, "type2")["claims"]
    assert (outlook.opinion, outlook) == (NOT_READY, report_outlooks(whole.only("claims"), "type2")["claims"])
    assert standings(whole)["claims"] == standings(whole.only("claims"))["claims"]
    own = [one for one in findings(whole) if one.unit_id == "claims"]
    assert {one.severity for one in own} <= {"look", "note"}
    assert own[-1].message.startswith("claims: not assessed yet:")
    [line] = not_assessed.lines(riskcalc.open_portfolio(data_dir=str(begun)))
    assert line.startswith("Not assessed yet, or in part only: the appetite (Medium is assumed), materiality,")
    assert (line.count("descriptions"), line.count(" units)")) == (1, 2)
    assert {one.row: one.level for one in decisions(whole)}["R2"] == "Low"


def test_what_nobody_has_assessed_is_no_gap(begun: Path) -> None:
    """No component is said to lack controls, no report to be too short, while both are only assumed."""
    replace_in(begun / "methodology.toml", '"2026-H2"', '"2026-Q3"')
    assert {gap.step for gap in gaps(Context.of(riskcalc.load(begun)))} == {"report_item"}


def test_a_deficiency_without_a_materiality_is_not_assessed(begun: Path) -> None:
    """There is nothing to hold it against: no severity, alone or together, and no error."""
    context = Context.of(riskcalc.load(_with_controls(begun)))
    assert [one.severity for one in (*candidates(context), *aggregated(context))] == [NOT_ASSESSED]


def test_a_beginning_can_be_handed_out_as_a_workbook(begun: Path) -> None:
    """To those who see all, and to the board, though the objective that stands in is in no file."""
    for audience in ("", "board"):
        assert export(str(begun), audience=audience)[:2] == b"PK"


def test_the_period_that_is_asked_for_is_that_of_ratings_among_the_risks(begun: Path) -> None:
    """A list has one set of ratings: whoever runs it for a period gets it, with the report assumed over it, too."""
    register = riskcalc.load(begun, "2027-H1")
    assert [period.name for period in register.periods] == ["2027-H1"]
    assert f"{register.unit('funds')['report_to']:%Y-%m-%d}" == "2027-06-30"
    assert riskcalc.open_unit("funds", "2027-H1", str(begun)).scores["likelihood"].tolist()[0] == 2
    with pytest.raises(UsageError, match=r"'2027-H3' is no period; allowed"):
        riskcalc.load(begun, "2027-H3")


def test_ratings_with_a_period_of_their_own_keep_it(begun: Path) -> None:
    """Asking for another period renames nothing that has its period on file."""
    (begun / "risks.csv").write_text("risk_id,title,owner\nR1,Late feed,Ops\n", "utf-8")
    (begun / "ratings.csv").write_text("risk_id,period,likelihood,impact\nR1,2026-H2,2,3\n", "utf-8")
    assert [period.name for period in riskcalc.load(begun, "2027-H1").periods] == ["2026-H2"]


NAMED = {
    "controls.csv": "control_id,title\nC1,Feeds are compared\nC2,Prices are challenged\n",
    "risk_controls.csv": "risk_id,control_id\nR1,C1\nR2,C2\n",
}


def test_controls_that_are_only_named_take_nothing_away_and_are_told(begun: Path) -> None:
    """A title is enough to keep a control; what it does isn't made up, and counts for nothing until somebody says it."""
    for name, text in NAMED.items():
        (begun / name).write_text(text, "utf-8")
    register = riskcalc.load(begun)
    assert (len(register.controls), len(register.risk_controls)) == (0, 0)
    rated = riskcalc.score(register).dropna()
    assert rated["claimed_score"].tolist() == rated["inherent_score"].tolist()
    assert "controls (the whole register only names 2 controls)" in [step.what for step in next_steps(register)]


def test_nothing_hangs_on_a_control_that_is_only_named(begun: Path) -> None:
    """A reach, or a test, of a control that nobody has described is told, at its row; half a description, too."""
    for name, text in NAMED.items():
        (begun / name).write_text(text, "utf-8")
    (begun / "risk_controls.csv").write_text("risk_id,control_id,acts_on,coverage\nR1,C1,both,0.5\n", "utf-8")
    [told] = _problems(begun)
    assert told.startswith("risk_controls.csv:2: column 'control_id': 'C1': is only named in controls.csv")
    (begun / "controls.csv").write_text("control_id,title,kind\nC1,Feeds are compared,detective\n", "utf-8")
    assert any("controls.csv:2: column 'nature': blank" in each for each in _problems(begun))


def test_a_rating_among_the_risks_stands_once(begun: Path) -> None:
    """A unit and a risk that go on with another row stay one; a second rating of the risk isn't dropped unseen."""
    (begun / "business_units.csv").write_text(
        "unit_id,valid_from,valid_to\nfunds,,2026-12-31\nfunds,2027-01-01,\n", "utf-8"
    )
    head = "risk_id,title,owner,likelihood,impact,valid_from,valid_to\nR1,Late feed,Ops,2,3,,2026-12-31\n"
    (begun / "risks.csv").write_text(f"{head}R1,Late feed,Desk,,,2027-01-01,\n", "utf-8")
    assert Context.of(riskcalc.load(begun)).register.risks["owner"].tolist() == ["Ops"]
    (begun / "risks.csv").write_text(f"{head}R1,Late feed,Desk,4,3,2027-01-01,\n", "utf-8")
    [told] = _problems(begun)
    assert told.startswith("risks.csv:3: column 'likelihood': '4': allowed: blank; its rating stands at line 2")


def test_risks_that_wait_for_an_objective_count_as_none(begun: Path) -> None:
    """Not as one that isn't achieved: an outlook of adverse would speak of an objective that nobody has stated."""
    (begun / "controls.csv").write_text(
        "control_id,unit_id,title,description,owner,kind,nature,frequency,key,component,performed_by,design,documentation\n"
        "C1,funds,Prices are reviewed,Each day a second valuer reviews them.,Head of Valuation,detective,manual,daily,yes,"
        "control_activities,own,effective,\n"
    )
    (begun / "risk_controls.csv").write_text("risk_id,control_id,acts_on,coverage\nR1,C1,impact,0.7\n")
    unit = open_unit("funds", data_dir=str(begun))
    assert heading(unit).content["second"]["verdict"] == "Not ready: no control objective is on record."
    assert report_outlooks(unit.context, "type2")["funds"].objectives == 0
