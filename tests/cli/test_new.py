"""riskcalc new and riskcalc demo, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from register_files import SAMPLE

import riskcalc
from cli.test_main import invoke
from riskcalc.cli import new as commands
from riskcalc.cli.main import main
from riskcalc.register import starter

GIVEN = ["--organisation", 'Halden "Funds" & Söhne', "--unit", "funds", "--currency", "CHF", "--period", "2026-H2"]
RISKS = "R1,Late feed,Ops,2,3\nR2,Stale price,Ops,3,3\nR3,Lost file,Ops,1,1\n"
CISO = {
    "objects": {
        "risk_matrix": [
            {
                "probability": [{"name": "Low", "description": "Once in ten years."}, {"name": "High"}],
                "impact": [{"name": "Small"}, {"name": "Large"}],
                "risk": [{"name": "Fine", "hexcolor": "#E0F0E0"}, {"name": "Bad", "hexcolor": "#902020"}],
                "grid": [[0, 0], [0, 1]],
            }
        ]
    }
}  # fmt: skip


def test_a_new_register_is_ones_own_and_reads_without_a_problem(tmp_path: Path) -> None:
    """Own name, unit and currency, quotes and all; nothing of the sample's organisation."""
    code, said = invoke("new", str(tmp_path / "mine"), *GIVEN)
    assert (code, "riskcalc run" in said.splitlines()[-1]) == (0, True)
    register = riskcalc.load(tmp_path / "mine")
    assert register.methodology.organisation == 'Halden "Funds" & Söhne'
    assert register.unit("funds")["currency"] == "CHF"
    written = " ".join(path.read_text("utf-8") for path in (tmp_path / "mine").iterdir())
    assert "Tarnbrook" not in written
    assert "payroll" not in written.lower()


@pytest.mark.parametrize("size", ["3x3", "4x4", "5x5"])
def test_the_matrices_to_begin_with_pass_our_own_linter(size: str) -> None:
    """Of the size asked for, monotone, no level skipped or unreached, colours that can be told apart in grey."""
    methodology = starter.Methodology.parse(starter.Starter("A", "EUR", matrix=size).methodology())
    assert "x".join(map(str, methodology.matrix.shape)) == size
    assert methodology.matrix.lint() == []
    assert all(rating.frequency_per_year for rating in methodology.likelihood)
    assert all(rating.loss_low and rating.loss_mode and rating.loss_high for rating in methodology.impact)


def test_a_matrix_may_come_from_a_file(tmp_path: Path) -> None:
    """CISO Assistant's YAML, its definitions as far as it has any; our own TOML with definitions and anchors."""
    (tmp_path / "matrix.yaml").write_text(json.dumps(CISO), "utf-8")
    assert invoke("new", str(tmp_path / "a"), *GIVEN, "--matrix", str(tmp_path / "matrix.yaml"))[0] == 0
    theirs = riskcalc.load(tmp_path / "a").methodology
    assert (theirs.matrix.level(2, 2), theirs.matrix.level(1, 2)) == ("Bad", "Fine")
    assert theirs.likelihood[0].definition == "Once in ten years."
    assert theirs.likelihood[1].definition.startswith("Not defined yet")

    assert invoke("new", str(tmp_path / "b"), *GIVEN, "--matrix", str(SAMPLE / "methodology.toml"))[0] == 0
    ours, before = riskcalc.load(tmp_path / "b").methodology, riskcalc.load(SAMPLE).methodology
    assert (ours.matrix, ours.likelihood) == (before.matrix, before.likelihood)
    assert ours.organisation != before.organisation


def test_what_of_a_methodology_is_not_taken_is_said(tmp_path: Path) -> None:
    """Who names another methodology for its matrix isn't left to believe that its weights hold, too; nor of our own."""
    assert invoke("new", str(tmp_path / "a"), *GIVEN)[0] == 0
    file = tmp_path / "a/methodology.toml"
    text = file.read_text("utf-8")
    (tmp_path / "same.toml").write_text(text.replace('organisation = "', 'organisation = "The former '), "utf-8")
    other = text.replace("partially_effective = 0.5", "partially_effective = 0.6").replace("daily = 15", "daily = 20")
    (tmp_path / "other.toml").write_text(f"{other}\n[evidence]\nroll_forward_days = 30\n", "utf-8")
    for name, told in (("same", ""), ("other", "other.toml the scales and the matrix are taken, but not: weights, sampling, evidence.")):  # fmt: skip
        arguments = ["new", str(tmp_path / name), *GIVEN, "--matrix", str(tmp_path / f"{name}.toml")]
        result = CliRunner().invoke(main, arguments)
        assert (result.exit_code, told in result.stderr, bool(result.stderr)) == (0, True, bool(told)), result.stderr
    risks = tmp_path / "list.csv"
    risks.write_text("risk_id,title,owner,likelihood,impact\nR1,Late feed,Ops,2,3\n", "utf-8")
    arguments = [str(risks), "--into", str(tmp_path / "list"), *GIVEN, "--matrix", str(tmp_path / "other.toml")]
    result = CliRunner().invoke(main, ["excel", "import", *arguments, "--yes"])
    assert result.exit_code == 0, result.output
    assert "but not: weights, sampling, evidence." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--organisation, --unit, --currency, --period"),
        ([*GIVEN[:4], "--currency", "euro", *GIVEN[6:]], "currency: 'euro': allowed: an ISO 4217 code"),
        ([*GIVEN[:6], "--period", "H2"], "first_period: 'H2': allowed: a period such as 2026"),
        (
            [*GIVEN[:2], "--unit", "fu\x1bnds", *GIVEN[4:]],
            "The unit's id 'fu\\x1bnds' holds a character that can't be seen",
        ),
        ([*GIVEN, "--matrix", "6x6"], "There is no matrix '6x6'; allowed: 3x3, 4x4, 5x5, or a file"),
    ],
)
def test_what_is_missing_or_wrong_is_named_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], told: str
) -> None:
    """Without a terminal nobody is asked: the message names the flag, or the value and what is allowed."""
    code, said = invoke("new", str(tmp_path / "mine"), *arguments)
    assert code == 2
    assert told in said.replace("column ", "").replace("'currency'", "currency").replace(
        "'first_period'", "first_period"
    )
    assert not (tmp_path / "mine").exists()


def test_on_a_terminal_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What isn't given is asked for, the matrix with 5x5 as the answer proposed."""
    monkeypatch.setattr(commands, "is_terminal", lambda: True)
    answers = "Halden\nfunds\nEUR\n2026-H2\n\n"
    result = CliRunner().invoke(main, ["new", str(tmp_path / "mine")], input=answers)
    assert result.exit_code == 0, result.output
    register = riskcalc.load(tmp_path / "mine")
    assert (register.methodology.organisation, register.methodology.matrix.shape) == ("Halden", (5, 5))


def test_an_answer_that_does_not_fit_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is allowed; the answers before it aren't lost."""
    monkeypatch.setattr(commands, "is_terminal", lambda: True)
    answers = "Halden\nfu\x00nds\nfunds\nFranken\nCHF\nQ3\n2026-Q3\n5x4\n4x4\n"
    result = CliRunner().invoke(main, ["new", str(tmp_path / "mine")], input=answers)
    assert result.exit_code == 0, result.output
    for told in (
        "The unit's id 'fu\\x00nds' holds a character",
        "'Franken': allowed: an ISO 4217 code such as EUR.",
        "'Q3': allowed: a period such as 2026, 2026-H2, 2026-Q3 or 2026-09.",
        "There is no matrix '5x4'; allowed: 3x3, 4x4, 5x5, or a file",
    ):
        assert f"Error: {told}" in result.output
    assert riskcalc.load(tmp_path / "mine").methodology.organisation == "Halden"


@pytest.mark.parametrize("arguments", [GIVEN, ["--sample"], [*GIVEN, "--xlsx"]])
def test_nothing_is_overwritten(tmp_path: Path, arguments: list[str]) -> None:
    """A folder with files in it is refused by their names, a workbook that is there by its own; both stay as they are."""
    (tmp_path / "mine").mkdir()
    for file in (tmp_path / "mine" / "notes.txt", tmp_path / "mine.xlsx"):
        file.write_text("mine")
    code, said = invoke("new", str(tmp_path / "mine"), *arguments)
    assert code == 2
    assert ("mine.xlsx is there already" if "--xlsx" in arguments else "holds notes.txt already") in said
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    assert (tmp_path / "mine.xlsx").read_text() == "mine"


def test_a_workbook_begins_as_a_folder_does(tmp_path: Path) -> None:
    """The same, as sheets to fill in; the template that comes without a register isn't the sample's either."""
    from openpyxl import load_workbook

    assert invoke("new", str(tmp_path / "mine"), *GIVEN, "--xlsx")[0] == 0
    assert invoke("excel", "template", str(tmp_path / "empty.xlsx"))[0] == 0
    for name in ("mine.xlsx", "empty.xlsx"):
        book = load_workbook(tmp_path / name)
        cells = " ".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)
        assert "Tarnbrook" not in cells
    book = load_workbook(tmp_path / "mine.xlsx")
    for sheet in load_workbook(tmp_path / "empty.xlsx"):
        whole = {cell.value for cell in sheet[1]} - {"proposed_likelihood", "proposed_impact"}
        assert whole <= {cell.value for cell in book[sheet.title][1]}, "a report that is issued has a column at once"
    header = [cell.value for cell in book["ratings"][1]]
    assert header[:3] == ["risk_id", "likelihood", "impact"]
    for sheet, row in (("risks", ["R1", "Late feed", "Ops"]), ("ratings", ["R1", "2", "3"])):
        for place, text in enumerate(row, 1):
            book[sheet].cell(2, place, text)
    book.save(tmp_path / "mine.xlsx")
    assert riskcalc.score(riskcalc.load(tmp_path / "mine.xlsx"))["inherent_score"].tolist() == [6.0]


def test_the_sample_is_copied_as_it_is(tmp_path: Path) -> None:
    """For trying things out: the same register, in a folder of one's own."""
    assert invoke("new", str(tmp_path / "mine"), "--sample")[0] == 0
    assert riskcalc.load(tmp_path / "mine").fingerprint() == riskcalc.load(SAMPLE).fingerprint()


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `demo` has made the pages of a register that only begins, which here stands for the sample."""
    files = starter.Starter("Halden", "EUR", "funds", period="2026-H2").files()
    small: dict[str, Any] = {**files, "risks.csv": files["risks.csv"] + RISKS}
    out = tmp_path_factory.mktemp("begun") / "demo"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(starter, "sample_files", lambda: small)
        code, said = invoke("demo", "--out", str(out))
    assert (code, said.splitlines()[-1]) == (0, f"Open {out / 'reports' / '2026-H2' / 'index.html'}"), said
    return out


def test_a_page_of_a_beginning_claims_nothing(begun: Path) -> None:
    """It says that controls aren't assessed, marks what is assumed, and gives neither an outlook nor an amount."""
    result = json.loads((begun / "reports" / "2026-H2" / "funds.json").read_text("utf-8"))
    assert result["report_outlook"] in ("open", "not ready")
    assert "expected_loss" not in result
    assert result["not_assessed"][:2] == ["the appetite (Medium is assumed)", "controls"]
    for page in ("funds.html", "index.html"):
        text = (begun / "reports" / "2026-H2" / page).read_text("utf-8")
        assert "Controls are not assessed yet" in text
        assert "Medium (assumed)" in text
        assert "Not assessed yet: the appetite (Medium is assumed); controls; materiality" in text
        claims = ("would be qualified", "no outlook", "no key control acts", "no key control holds", "nan ", "NaN")
        assert [words for words in claims if words in text.partition("<script")[0]] == []


def test_demo_makes_the_pages_of_a_register_that_came_along(begun: Path) -> None:
    """One command, no checkout; it ends by naming the page, and refuses a folder in use."""
    assert (begun / "reports" / "2026-H2" / "index.html").exists()
    code, said = invoke("demo", "--out", str(begun))
    assert (code, "holds register, reports already" in said) == (2, True)
