"""Opening a period: what was held before is proposed, and counts for nothing until somebody rates."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner
from register_files import DEFICIENCY, ROWS, Rows, replace_in, write_register

import riskcalc
from riskcalc.assessment.consistency import findings
from riskcalc.assessment.context import Context
from riskcalc.cli.main import main
from riskcalc.errors import RegisterError
from riskcalc.pages import risks
from riskcalc.register import editing
from riskcalc.register.starter import Starter


def opened(folder: Path, *options: str) -> str:
    result = CliRunner().invoke(main, ["period", "open", "2026-H2", str(folder), *options])
    assert result.exit_code == 0, result.output
    return result.output


def rows(folder: Path, period: str = "2026-H2") -> list[dict[str, str]]:
    with open(folder / "ratings.csv", encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["period"] == period]


def test_it_is_shown_first_and_then_written(tmp_path: Path) -> None:
    """Without --apply nothing is written, and what there is to do is told: ratings, tests, deficiencies, reports."""
    small = write_register(tmp_path / "data", lambda tables: tables["deficiencies"].append(DEFICIENCY))
    before = editing.contents(small)
    said = opened(small).splitlines()
    assert editing.contents(small) == before
    assert said[:4] == [
        "2026-H2, 2026-07-01 to 2026-12-31.",
        "2 ratings from 2026-H1 to confirm, 1 to rate anew.",
        "  alpha: A-R1 5 x 4, A-R2 unrated",
        "  beta: B-R1 3 x 5",
    ]
    assert said[4].startswith("4 controls to test, ")
    assert said[5] == "No report reaches into 2026-H2; sizes are those of the look-back: alpha."
    assert [line.split()[1] for line in said[6:10]] == ["A-C1", "A-C2", "A-G1", "B-C1"]
    assert said[10:] == [
        "1 open deficiency carried over.",
        "  D1 of A-C1: due 2026-09-30, A. Owner",
        "Report dates to set in business_units.csv, 2 units; in a row from 2026-07-01 on",
        "(valid_from, the row before ending with valid_to 2026-06-30), pages of earlier periods keep theirs.",
        "  alpha: its report ends on 2026-06-30",
        "  beta: its report ends on 2026-06-30",
        "Nothing was written; --apply does it.",
    ]
    assert opened(small, "--apply").splitlines()[-2] == f"Wrote ratings.csv in {small}."
    assert opened(small).splitlines()[-1] == "2026-H2 is open: every risk has a row of ratings in it. Nothing to write."


def test_a_period_has_to_be_named(small: Path) -> None:
    """A blank name is no period, as where a schedule's variable isn't set."""
    result = CliRunner().invoke(main, ["period", "open", "", str(small)])
    assert (result.exit_code, "is no period" in result.output) == (2, True)


def test_a_deficiency_of_a_later_day_is_not_carried_over(tmp_path: Path) -> None:
    """Identified after the period that is opened, it is none of it."""
    later = {**DEFICIENCY, "identified_on": "2027-02-01", "due_on": "2027-09-30"}
    small = write_register(tmp_path / "data", lambda tables: tables["deficiencies"].append(later))
    assert "0 open deficiencies carried over." in opened(small).splitlines()


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"identified_on": "2026-07-01"}, "0 open deficiencies carried over."),  # it arose in the period
        ({"closed_on": "2026-06-30"}, "0 open deficiencies carried over."),
        ({"closed_on": "2026-08-15"}, "  D1 of A-C1: due 2026-09-30, A. Owner; closed on 2026-08-15"),
    ],
)
def test_what_is_carried_over_was_open_as_the_period_began(tmp_path: Path, cells: dict[str, str], told: str) -> None:
    """What was closed in it since is told as such."""
    found = {**DEFICIENCY, **cells}
    assert told in opened(write_register(tmp_path / "data", lambda tables: tables["deficiencies"].append(found)))


@pytest.mark.parametrize(
    ("report_to", "other", "told"),
    [
        ("2026-12-31", "2026-12-31", ["items; tests of the report so far count."]),
        ("2026-12-31", "2026-06-30", ["look-back: beta.", "\nTests of the report so far count for other units."]),
    ],
)
def test_tests_of_a_report_count_where_one_reaches_into_the_period(
    tmp_path: Path, report_to: str, other: str, told: list[str]
) -> None:
    """As ``riskcalc plan`` says it."""

    def edit(tables: Rows) -> None:
        for unit, to in zip(tables["business_units"], (report_to, other), strict=True):
            unit.update(report_type="type2", report_from="2026-01-01", report_to=to)

    said = opened(write_register(tmp_path / "data", edit))
    assert [each for each in told if each not in said] == []


@pytest.mark.parametrize(
    "files",
    [
        {"ratings.csv": 'risk_id,period,likelihood,impact,,\nA,2026-H1,3,4,,\n\nB,2026-H1,2,2,"",\n'},
        {"risks.csv": "risk_id,title,owner,likelihood,impact,\nA,First,Bob,3,4,\nB,Second,Bob,2,2,,\n"},
    ],
)
def test_blank_cells_beyond_the_columns_are_no_columns(tmp_path: Path, files: dict[str, str]) -> None:
    """As spreadsheets leave them: what can be read can be opened."""
    begun = {"risks.csv": "risk_id,title,owner\nA,First,Bob\nB,Second,Bob\n", **files}
    for name, content in {**Starter("Mine", "EUR", "u1", period="2026-H1").files(), **begun}.items():
        (tmp_path / name).write_text(content, "utf-8")
    opened(tmp_path, "--apply")
    assert [row["proposed_likelihood"] for row in rows(tmp_path)] == ["3", "2"]
    assert riskcalc.load(tmp_path).ratings["likelihood"].tolist()[:2] == [3, 2]


def test_a_proposal_counts_as_unrated_until_somebody_rates(small: Path) -> None:
    """Scores, checks and the page say unrated, and what is proposed; the earlier period stays the default."""
    opened(small, "--apply")
    register = riskcalc.load(small)
    assert register.period().name == "2026-H1"
    assert riskcalc.score(register, "2026-H2")["likelihood"].isna().all()
    told = [each.message for each in findings(Context.of(register, "2026-H2")) if each.check == "risk-unrated"]
    assert told == [
        "is unrated in 2026-H2; proposed: 5 x 4",
        "is unrated in 2026-H2",
        "is unrated in 2026-H2; proposed: 3 x 5",
    ]
    shown = risks.of_unit(riskcalc.open_unit("alpha", "2026-H2", str(small)))
    assert "Unrated; proposed: 5 x 4" in str(shown)

    proposal = rows(small)[0]
    confirmed = {
        "likelihood": "5",
        "impact": "4",
        "rationale": "As before.",
        "rated_by": "Lead",
        "rated_on": "2026-07-03",
    }
    methodology = register.methodology
    key = {"risk_id": "A-R1", "period": "2026-H2"}
    editing.put_row(small, "ratings", key, {**proposal, **confirmed}, methodology)
    now = riskcalc.load(small)
    assert riskcalc.score(now, "2026-H2")["likelihood"].tolist()[0] == 5
    assert now.period().name == "2026-H1"  # one of three


def test_files_without_the_columns_of_proposals_get_them_and_keep_the_rest(small: Path) -> None:
    """A file of an earlier version is widened; every row in it stays as it was typed."""
    kept = [line.removesuffix(",,") for line in (small / "ratings.csv").read_text("utf-8").splitlines()[1:]]
    header = ",".join(rows(small, "2026-H1")[0]).removesuffix(",proposed_likelihood,proposed_impact")
    (small / "ratings.csv").write_text("\n".join([header, *kept]) + "\n", "utf-8")
    opened(small, "--apply")
    lines = (small / "ratings.csv").read_text("utf-8").splitlines()
    assert lines[0] == f"{header},proposed_likelihood,proposed_impact"
    assert [line.removesuffix(",,") for line in lines[1 : 1 + len(kept)]] == kept
    assert [row["proposed_impact"] for row in rows(small)] == ["4", "", "5"]


def test_a_risk_that_has_a_row_keeps_it(tmp_path: Path) -> None:
    """Opening again after a risk was added proposes for that one only."""
    rated = {**ROWS["ratings"][-1], "period": "2026-H2", "likelihood": "1", "rated_on": "2026-07-02"}

    def edit(tables: Rows) -> None:
        tables["ratings"].append(rated)

    small = write_register(tmp_path / "data", edit)
    opened(small, "--apply")
    assert [(row["risk_id"], row["likelihood"]) for row in rows(small)] == [("B-R1", "1"), ("A-R1", ""), ("A-R2", "")]


def test_what_was_never_confirmed_is_proposed_again(small: Path) -> None:
    """A half-year that nobody rated loses nothing of what was held before."""
    opened(small, "--apply")
    result = CliRunner().invoke(main, ["period", "open", "2027-H1", str(small), "--apply"])
    assert result.exit_code == 0
    assert [row["proposed_likelihood"] for row in rows(small, "2027-H1")] == ["5", "", "3"]


def test_a_plain_list_moves_its_ratings_to_a_file_of_their_own(tmp_path: Path) -> None:
    """What stood among the risks is that of the first period; nothing is retyped, and nothing is lost."""
    for name, text in Starter("Halden", "EUR", "funds", "5x5", "2026-H1").files().items():
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "risks.csv").write_text(
        'impact,title,risk_id,owner,likelihood\r\n3,"Late, often",R1,Ops,2\r\n,Stale,R2,Ops,\r\n', "utf-8", newline=""
    )
    before = riskcalc.score(riskcalc.load(tmp_path))
    opened(tmp_path, "--apply")
    assert (tmp_path / "risks.csv").read_text("utf-8") == 'title,risk_id,owner\n"Late, often",R1,Ops\nStale,R2,Ops\n'
    register = riskcalc.load(tmp_path)
    assert riskcalc.score(register).equals(before)
    assert [period.name for period in register.periods] == ["2026-H1", "2026-H2"]
    assert [row["proposed_impact"] for row in rows(tmp_path)] == ["3", ""]


@pytest.mark.parametrize(
    "files",
    [
        {"risks.csv": "risk_id,title,owner,likelihood,impact\nA,First,Bob,3,4\n"},
        {"risks.csv": "risk_id,title,owner\nA,First,Bob\n", "ratings.csv": "risk_id,likelihood,impact\nA,3,4\n"},
    ],
)
def test_the_ratings_that_are_written_lack_no_column_once_the_register_is_whole(
    tmp_path: Path, files: dict[str, str]
) -> None:
    """Without ``first_period`` a missing column is a mistake: none is of the file that opening a period wrote."""
    for name, content in {**Starter("Mine", "EUR", "u1", period="2026-H1").files(), **files}.items():
        (tmp_path / name).write_text(content, "utf-8")
    opened(tmp_path, "--apply")
    assert riskcalc.load(tmp_path).ratings["period"].tolist() == ["2026-H1", "2026-H2"]
    toml = (tmp_path / "methodology.toml").read_text("utf-8")
    (tmp_path / "methodology.toml").write_text(toml.replace("first_period", "# first_period"), "utf-8")
    with pytest.raises(RegisterError) as caught:
        riskcalc.load(tmp_path)
    missing = [each for each in caught.value.problems if each.file == "ratings.csv" and each.line in (None, 1)]
    assert missing == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("2026-H3", "'2026-H3' is no period; allowed: a period such as 2026, 2026-H2, 2026-Q3 or 2026-09."),
        ("2026-Q4", "2026-Q4 is a quarter; the register's periods are like 2026-H1."),
    ],
)
def test_a_period_that_cannot_be_is_refused(small: Path, name: str, told: str) -> None:
    """No row is written for a period that no register could hold."""
    result = CliRunner().invoke(main, ["period", "open", name, str(small), "--apply"])
    assert (result.exit_code, result.output) == (2, f"{told}\n")


def test_half_a_proposal_is_a_problem(small: Path) -> None:
    """Typed by hand, it is told where it stands."""
    opened(small, "--apply")
    replace_in(small / "ratings.csv", "A-R1,2026-H2,,,,,,,,,,,5,4", "A-R1,2026-H2,,,,,,,,,,,5,")
    with pytest.raises(
        riskcalc.RegisterError, match="column 'proposed_impact': likelihood and impact must both be rated"
    ):
        riskcalc.load(small)
