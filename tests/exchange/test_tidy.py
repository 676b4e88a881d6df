"""Tidy tables: what a dashboard reads is what the pages say, of each period, and DuckDB reads either format."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from register_files import SAMPLE, Rows, write_register

import riskcalc
from riskcalc.assessment.context import Context
from riskcalc.assessment.opening import open_unit
from riskcalc.assessment.scoring import scores
from riskcalc.cli.main import main
from riskcalc.errors import UsageError
from riskcalc.exchange import tidy
from riskcalc.register.audiences import AUDIENCES, FULL

AWKWARD = '=1+1, "quoted"\r\nnext\n; NULL é\U0001f389'


def export(out: Path, *options: str, data: Path = SAMPLE) -> None:
    """Run the command."""
    done = CliRunner().invoke(main, ["export", "tidy", str(data), "--out", str(out), *options])
    assert done.exit_code == 0, done.output


def text_of(file: Path) -> io.StringIO:
    """A file's text, with its line breaks as they are."""
    return io.StringIO(file.read_bytes().decode(), newline="")


def asked(query: str) -> Any:
    """What DuckDB answers."""
    with duckdb.connect() as database:
        return database.execute(query).fetchall()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sample, in both formats."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in ("csv", "parquet")}
    for kind, folder in folders.items():
        export(folder, "--format", kind)
    return folders


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_duckdb_reads_every_table_as_the_dictionary_has_it(folders: dict[str, Path], kind: str) -> None:
    """Columns, their order, and, in Parquet, their types; every column is described."""
    told = list(csv.DictReader(text_of(folders[kind] / "dictionary.csv")))
    assert all(row["description"] for row in told)
    for table in tidy.columns():
        found = asked(f"DESCRIBE SELECT * FROM '{folders[kind] / table}.{kind}'")
        rows = [row for row in told if row["table"] == table]
        assert [row[0] for row in found] == [row["column"] for row in rows]
        if kind == "parquet":
            assert [row[1] for row in found] == [tidy._TYPES[row["type"]] for row in rows]


def test_the_scores_of_every_period_are_those_of_the_program(
    folders: dict[str, Path], sample: riskcalc.Register
) -> None:
    """To nine digits, so that 8 isn't 7.999999999999999."""
    found = asked(f"SELECT period, risk_id, earned_score, breach FROM '{folders['parquet'] / 'scores.parquet'}'")
    for period in sample.periods:
        expected = scores(Context.of(sample, period.name)).set_index("risk_id")
        mine = {risk: (score, breach) for name, risk, score, breach in found if name == period.name}
        assert set(mine) == set(expected.index)
        assert all(
            score == round(expected.loc[risk, "earned_score"], 9)
            for risk, (score, _) in mine.items()
            if score is not None
        )
        assert {risk for risk, (_, breach) in mine.items() if breach} == set(
            expected.index[expected["breach"].fillna(False)]
        )


def test_both_formats_say_the_same(folders: dict[str, Path], kept: Path) -> None:
    """Row by row; the same register gives the same bytes."""
    for table in tidy.columns():
        text = list(csv.reader(text_of(folders["csv"] / f"{table}.csv")))[1:]
        rows = asked(f"SELECT * FROM '{folders['parquet'] / table}.parquet'")
        assert len(rows) == len(text) > 0
        names = list(tidy.columns()[table])
        assert [row[names.index("period")] for row in rows] == [row[names.index("period")] for row in text]
    one, again = (tidy.files(riskcalc.load(kept), FULL, parquet=True) for _ in range(2))
    assert one == again


def test_the_findings_are_those_of_the_check(folders: dict[str, Path], tmp_path: Path) -> None:
    """All of them, of the period that it looks at: those about approved answers as well; the board's none of training."""
    done = CliRunner().invoke(main, ["check", "--json", str(SAMPLE)])
    told = sorted((each["check"], each["row"], each["message"]) for each in json.loads(done.output)["findings"])
    rows = [row for row in csv.DictReader(text_of(folders["csv"] / "findings.csv")) if row["period"] == "2026-H1"]
    assert sorted((row["check"], row["row"], row["message"]) for row in rows) == told
    about = {"owner-untrained", "training-of-nobody", "scope-open"}
    assert about & {row["check"] for row in rows}
    export(tmp_path, "--audience", "board")
    board = {row["check"] for row in csv.DictReader(text_of(tmp_path / "findings.csv"))}
    assert board
    assert not about & board


@pytest.mark.parametrize("name", [name for name, audience in AUDIENCES.items() if not audience.told])
def test_nothing_that_is_withheld_makes_a_finding(sample: riskcalc.Register, name: str) -> None:
    """The board doesn't read descriptions: it is told of no more user entity controls that say too little than we are."""
    told: dict[str, list[dict[str, str]]] = {}
    for reader in (FULL, AUDIENCES[name]):
        rows = csv.DictReader(io.StringIO(tidy.files(sample, reader)["findings.csv"].decode(), newline=""))
        told[reader.name] = list(rows)
    assert [each for each in told[name] if each not in told[""]] == []
    left = {each["check"] for each in told[""] if each not in told[name]}
    about_nothing_of_theirs = {"owner-untrained", "training-of-nobody", "scope-open", "report-unlike-scope"}
    assert left <= about_nothing_of_theirs | ({"self-tested"} if name == "board" else set())  # it isn't told who tested
    thin = [each for each in told[name] if each["check"] == "cuec-thin"]
    assert thin == [each for each in told[""] if each["check"] == "cuec-thin"]
    for unit in ("payroll", "claims"):
        inside, theirs = (open_unit(unit, data_dir=str(SAMPLE), audience=each).findings for each in ("", name))
        assert set(theirs) <= set(inside)


def test_awkward_text_survives_both(tmp_path: Path) -> None:
    """Line breaks, quotes, what looks like nothing or a formula."""

    def edit(rows: Rows) -> None:
        rows["risks"][0]["title"] = AWKWARD
        rows["risks"][1]["title"] = "NULL"

    data = write_register(tmp_path / "data", edit)
    for kind in ("csv", "parquet"):
        export(tmp_path / kind, "--format", kind, data=data)
        source = (
            f"read_csv('{tmp_path / kind / 'scores.csv'}', all_varchar = true, parallel = false)"
            if kind == "csv"
            else f"'{tmp_path / kind / 'scores.parquet'}'"
        )
        found = asked(f"SELECT title FROM {source} WHERE period = '2026-H1' ORDER BY risk_id")
        assert [row[0] for row in found] == [AWKWARD, "NULL", "Claims paid twice"]


def test_an_audience_gets_no_more_than_its_pages_say(kept: Path) -> None:
    """The board isn't told who tested, nor the public anything."""
    register = riskcalc.load(kept)
    for audience, told in ((FULL, True), (AUDIENCES["board"], False)):
        assert (b"Internal audit" in b"".join(tidy.files(register, audience).values())) == told
    with pytest.raises(UsageError, match="trust-centre"):
        tidy.files(register, AUDIENCES["public"])


def test_nothing_later_than_the_day_counts(sample: riskcalc.Register) -> None:
    """A period that hasn't begun isn't there; a day before all of them is refused."""
    text = tidy.files(sample, FULL, date(2025, 12, 31))["scores.csv"].decode()
    assert "2025-H2,2025-12-31" in text
    assert "2026-H1" not in text
    with pytest.raises(UsageError, match="No period has begun by 1999-01-01"):
        tidy.files(sample, FULL, date(1999, 1, 1))


def test_without_its_extra_parquet_says_what_to_install(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And CSV needs nothing."""
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    done = CliRunner().invoke(main, ["export", "tidy", str(kept), "--out", str(tmp_path), "--format", "parquet"])
    assert done.exit_code == 2
    assert "pip install 'riskcalc-workbook[parquet]'" in done.output
    assert list(tmp_path.iterdir()) == []
