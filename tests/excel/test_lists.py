"""A plain list of risks on its way into a register: what is proposed, shown, asked, kept, and refused."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from cli.test_main import invoke
from click.testing import CliRunner
from register_files import write_register

import riskcalc
from riskcalc.cli import excel as command
from riskcalc.cli.main import main
from riskcalc.errors import UsageError
from riskcalc.excel import commands, importing
from riskcalc.excel.mapping import MappingFile, Numbers, TableMap, read_mapping
from riskcalc.excel.proposal import as_toml, propose
from riskcalc.register.starter import Starter

NEW = ("--organisation", "Acme", "--currency", "EUR", "--period", "2026-H1")
UNIT = ("--unit", "funds")

# Headers of public templates, as their makers have them; the rows are ours.
OFFIDOCS = (  # https://www.offidocs.com/smart-excel-templates/risk-management/business-template/detailed
    "Risk Identifier;Risk Description;Risk Category;Likelihood (1–5);Impact (1–5);Risk Score;Owner;Current Controls;"
    "Mitigation Strategy;Action Plan;Due Date;Status;Review Date",
    "RISK-001;Late feed;Operations;4;5;20;Ops;Feed check, second review;Buy another;Ask;2026-10-30;Open;2026-11-30",
    "RISK-002;Stale price;Operations;1;2;2;Ops;;;;;Open;",
)
NOTION = (  # https://florentine-aspen-457.notion.site/How-to-use-1adb582b661080548161e82dd7f1eea1
    "Risk ID;Risk Name;Risk Description;Risk Category;Risk Controls;Likelihood;Impact;Risk Level;Risk Treatment;"
    "Treatment Strategy;Owner;Status;Due Date;Next Review Date",
    "1;Late feed;A feed comes late.;Ops;Feed check|Review;High;Very High;Critical;Treat;Buy another;Ops;Open;;",
    "2;Stale price;A price is old.;Ops;;Very Low;Low;Low;Tolerate;;Ops;Closed;;",
)
AGUSTUS9 = (  # https://github.com/agustus9/GRC-and-Data-Security-Portfolio, Risk_Register_Template.md
    "Risk ID;Risk Description;Likelihood (H/M/L);Impact (H/M/L);Risk Score;Mitigation Strategy;Risk Owner;Status",
    "RSK-001;Late feed;High;High;9;Buy another;Ops;Open",
    "RSK-002;Stale price;Low;Medium;2;;Ops;Open",
)
FOUNDRY = (  # https://github.com/beekeeper-lab/foundry, personas/compliance-risk/templates/risk-register.md
    "Risk ID;Risk Description;Category;Likelihood;Impact;Score;Current Controls;Residual Risk;Mitigation Plan;Owner;"
    "Target Date;Status;Last Reviewed",
    "RSK-001;Late feed;Ops;4 = Likely;Severe;20;Feed check;Medium;Buy;Ops;2026-12-31;Open;2026-06-30",
    "RSK-002;Stale price;Ops;1 = Rare;Minor;2;;Low;;Ops;;Open;",
)


def sheet(path: Path, lines: tuple[str, ...], above: tuple[list[Any], ...] = ()) -> Path:
    """A template as a workbook: cells of digits are numbers, as when somebody types them; | is a line break."""
    book = openpyxl.Workbook()
    book.active.title = "Risk Register"
    for row in above:
        book.active.append(row)
    for line in lines:
        book.active.append(
            [int(text) if text.isdigit() else text.replace("|", "\n") or None for text in line.split(";")]
        )
    book.save(path)
    return path


def listed(path: Path, *rows: str) -> Path:
    path.write_text("".join(f"{row}\n" for row in rows), "utf-8")
    return path


def imported(path: Path, into: Path, *options: str) -> str:
    code, said = invoke("excel", "import", str(path), "--into", str(into), *options)
    assert code == 0, said
    return said


@pytest.mark.parametrize(
    ("lines", "shape", "ratings", "controls"),
    [
        (OFFIDOCS, (5, 5), [(4, 5), (1, 2)], ["Feed check, second review"]),
        (NOTION, (5, 5), [(4, 5), (1, 2)], ["Feed check", "Review"]),
        (AGUSTUS9, (3, 3), [(3, 3), (1, 2)], []),
        (FOUNDRY, (5, 5), [(4, 5), (1, 2)], ["Feed check"]),
    ],
    ids=["OffiDocs", "Notion", "agustus9", "foundry"],
)
def test_templates_of_others_come_in(
    tmp_path: Path, lines: tuple[str, ...], shape: tuple[int, int], ratings: list[tuple[int, int]], controls: list[str]
) -> None:
    """One command makes a register of each: titles, owners, ratings by their scale, controls by name; no score of theirs."""
    said = imported(sheet(tmp_path / "list.xlsx", lines), tmp_path / "mine", *NEW, *UNIT, "--yes")
    register = riskcalc.load(tmp_path / "mine")
    assert register.methodology.matrix.shape == shape
    assert register.risks["title"].tolist() == ["Late feed", "Stale price"]
    assert set(register.risks["owner"]) == {"Ops"}
    assert list(zip(register.ratings["likelihood"], register.ratings["impact"], strict=True)) == ratings
    file = tmp_path / "mine" / "controls.csv"
    named = [row["title"] for row in csv.DictReader(io.StringIO(file.read_text("utf-8")))] if file.exists() else []
    assert named == controls
    assert "not taken: " in said
    assert "Status" in said.partition("not taken: ")[2].splitlines()[0]


def test_titles_above_the_header_are_passed_over(tmp_path: Path) -> None:
    """Even where their cells are merged; and rows that only carry a number made in advance are no risks."""
    path = sheet(tmp_path / "list.xlsx", (*NOTION, "3;;;;;;;;;;;;;"), (["Our risks"], [None]))
    book = openpyxl.load_workbook(path)
    book.active.merge_cells("A1:D1")
    book.save(path)
    assert "named in row 3" in imported(path, tmp_path / "mine", *NEW, *UNIT, "--yes")
    assert riskcalc.load(tmp_path / "mine").risks["risk_id"].tolist() == ["1", "2"]


def test_a_list_of_units_and_processes_makes_them(tmp_path: Path) -> None:
    """Units and objectives as the list names them, each once; controls of two units are two, whatever they are called."""
    path = listed(
        tmp_path / "list.csv", "Risk,Owner,Likelihood,Impact,Department,Process,Controls",
        "Late feed,Ops,Likely,Major,Payroll,Pay run,Check; Review", "Stale price,Ops,Rare,Minor,Claims,Pricing,check",
        "Lost file,IT,Possible,Severe,Payroll,Pay run,CHECK",
    )  # fmt: skip
    imported(path, tmp_path / "mine", *NEW, "--yes")
    register = riskcalc.load(tmp_path / "mine")
    assert register.business_units["unit_id"].tolist() == ["Payroll", "Claims"]
    assert register.control_objectives["process"].tolist() == ["Pay run", "Pricing"]
    assert register.risks[["risk_id", "unit_id", "objective_id"]].to_numpy().tolist() == [
        ["R1", "Payroll", "Pay run"], ["R2", "Claims", "Pricing"], ["R3", "Payroll", "Pay run"],
    ]  # fmt: skip
    links = (tmp_path / "mine" / "risk_controls.csv").read_text("utf-8").splitlines()
    assert links[1:] == ["R1,C1", "R1,C2", "R2,C3", "R3,C1"]


def test_the_next_time_goes_by_the_mapping_that_was_kept(tmp_path: Path) -> None:
    """A risk is known again by its title wherever it stands in the list; a new one gets the next number."""
    rows = ["Late feed,Ops,4,3", "Stale price,Ops,2,2"]
    path, mine = tmp_path / "list.csv", tmp_path / "mine"
    imported(listed(path, "Risk,Owner,Likelihood,Impact", *rows), mine, *NEW, *UNIT, "--yes")
    listed(path, "Risk,Owner,Likelihood,Impact", "Lost file,IT,1,1", "stale price,Ops,3,2", rows[0])
    said = imported(path, mine, "--yes")
    assert "By the mapping that was kept" in said
    risks = riskcalc.load(mine).risks
    assert dict(zip(risks["risk_id"], risks["title"], strict=True)) == {
        "R1": "Late feed", "R2": "stale price", "R3": "Lost file",
    }  # fmt: skip
    assert "likelihood: '2' -> '3'" in said
    imported(path, mine, "--period", "2026-H2", "--yes")
    assert [period.name for period in riskcalc.load(mine).periods] == ["2026-H1", "2026-H2"]


def test_a_kept_mapping_changes_no_period_that_is_over(tmp_path: Path) -> None:
    """As soon as another is opened, the list's period has to be said: nothing older changes unasked."""
    path, mine = listed(tmp_path / "list.csv", "Risk,Likelihood,Impact", "Late,4,3"), tmp_path / "mine"
    imported(path, mine, *NEW, *UNIT, "--yes")
    code, told = invoke("period", "open", "2026-H2", str(mine), "--apply")
    assert code == 0, told
    listed(path, "Risk,Likelihood,Impact", "Late,5,5")
    before = (mine / "ratings.csv").read_bytes()
    code, told = invoke("excel", "import", str(path), "--into", str(mine), "--yes")
    assert (code, told.splitlines()[-1]) == (
        2,
        "Which period are the ratings of the list for? In the mapping that was kept they are for 2026-H1, but 2026-H2 "
        "is opened since. Give it: --period 2026-H2",
    )
    assert (mine / "ratings.csv").read_bytes() == before
    imported(path, mine, "--period", "2026-H2", "--yes")
    rated = riskcalc.load(mine).ratings
    assert rated["likelihood"].tolist() == [4, 5]


def test_a_risk_with_several_rows_is_known_by_its_title() -> None:
    """Rows of one risk, each with its days, aren't several risks of that title."""
    numbers = Numbers([("risk_id", "a", "Late", "R7"), ("risk_id", "a", "Late", "R7"), ("risk_id", "b", "Old", "R9")])
    assert [numbers.of("risk_id", "R", "", text) for text in ("late", "New", "old", "new", "Newer")] == [
        "R7", "R10", "R9", "R10", "R11",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="is the title of A and B"):
        Numbers([("risk_id", "a", "Late", "A"), ("risk_id", "b", "Late", "B")]).of("risk_id", "R", "", "Late")


def test_ratings_that_stood_among_the_risks_move_with_it(tmp_path: Path) -> None:
    """Into a register that `new` began and somebody typed a risk into: nothing of that is lost."""
    invoke("new", str(tmp_path / "mine"), *NEW, *UNIT)
    with open(tmp_path / "mine" / "risks.csv", "a", encoding="utf-8") as file:
        file.write("A1,Typed before,Ops,2,3\n")
    imported(
        listed(tmp_path / "list.csv", "Risk,Owner,Likelihood,Impact", "Late feed,Ops,4,3"), tmp_path / "mine", "--yes"
    )
    scores = riskcalc.score(riskcalc.load(tmp_path / "mine")).set_index("risk_id")
    assert scores[["likelihood", "impact"]].to_numpy().tolist() == [[2, 3], [4, 3]]


def test_a_workbook_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    """Back into the register that begins it came from, no sheet without rows makes a file."""
    for name, text in Starter("Halden", "EUR", "funds", "5x5", "2026-H2").files().items():
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "risks.csv").write_text("risk_id,title,owner,likelihood,impact\nR1,Late feed,Ops,2,3\n", "utf-8")
    book = tmp_path / "register.xlsx"
    book.write_bytes(commands.export(str(tmp_path)))
    assert importing.plan(book, tmp_path).files == {}


def test_without_a_yes_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off a terminal it says how; on one it asks, and takes no for an answer."""
    path = listed(tmp_path / "list.csv", "Risk,Owner,Likelihood,Impact", "Late feed,Ops,4,3")
    said = imported(path, tmp_path / "mine", *NEW, *UNIT)
    assert said.splitlines()[-1] == "Nothing was written. To write exactly this: --yes"
    assert not (tmp_path / "mine").exists()
    monkeypatch.setattr(command, "is_terminal", lambda: True)
    arguments = ["excel", "import", str(path), "--into", str(tmp_path / "mine"), *NEW, *UNIT]
    assert CliRunner().invoke(main, arguments, input="n\n").exit_code == 0
    assert not (tmp_path / "mine").exists()
    assert CliRunner().invoke(main, arguments, input="y\n").exit_code == 0
    assert len(riskcalc.load(tmp_path / "mine").risks) == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("Colour,Owner", "Red,Ops"), "no list of risks is found in it"),
        (("Risk,Likelihood", "Late feed,Often"), "likelihood: which ratings are 'Often'?"),
        (("Risk,Likelihood,Impact", "A,Rare,Low", "B,Likely,Critical"), "likelihood and impact have scales of different lengths"),
        (("Risk,Likelihood", "Late feed,7"), "likelihood goes to 7 in the list: give a matrix for it"),
    ],
    ids=["no list", "unknown words", "two scales", "beyond"],
)  # fmt: skip
def test_what_is_open_is_told_and_nothing_is_written(tmp_path: Path, rows: tuple[str, ...], said: str) -> None:
    """Never guessed: the message says what is open, and brings the mapping to complete."""
    path = listed(tmp_path / "list.csv", *rows)
    code, told = invoke("excel", "import", str(path), "--into", str(tmp_path / "mine"), *NEW, *UNIT, "--yes")
    assert (code, said in told) == (2, True), told
    assert not (tmp_path / "mine").exists()


def test_words_that_a_longer_scale_has_too_are_asked_for(tmp_path: Path) -> None:
    """Into a register of five ratings, Low, Medium and High may be three of five or three of three."""
    invoke("new", str(tmp_path / "mine"), *NEW, *UNIT)
    path = listed(tmp_path / "list.csv", "Risk,Likelihood,Impact", "A,Low,2", "B,High,3")
    code, told = invoke("excel", "import", str(path), "--into", str(tmp_path / "mine"), "--yes")
    assert (code, "which ratings are 'Low', 'High'?" in told) == (2, True), told
    text = told.partition("--map:\n\n")[2].replace('Low = "?"', 'Low = "2"').replace('High = "?"', 'High = "4"')
    (tmp_path / "map.toml").write_text(text, "utf-8")
    imported(path, tmp_path / "mine", "--map", str(tmp_path / "map.toml"), "--apply")
    assert riskcalc.load(tmp_path / "mine").ratings["likelihood"].tolist() == [2, 4]


def test_names_of_the_registers_scale_and_numbers_stand_in_one_column(tmp_path: Path) -> None:
    """Whoever typed some as names, some as numbers and some as both meant one scale: the register's."""
    invoke("new", str(tmp_path / "mine"), *NEW, *UNIT)
    names = [rating.name for rating in riskcalc.load(tmp_path / "mine").methodology.likelihood]
    rows = [f"A,{names[1]},2", "B,4,3", f"C,3 - {names[2]},1"]
    imported(listed(tmp_path / "list.csv", "Risk,Likelihood,Impact", *rows), tmp_path / "mine", "--yes")
    assert riskcalc.load(tmp_path / "mine").ratings["likelihood"].tolist() == [2, 4, 3]
    beyond = listed(tmp_path / "other.csv", "Risk,Likelihood,Impact", f"D,{names[1]},2", "E,6,3")
    code, told = invoke("excel", "import", str(beyond), "--into", str(tmp_path / "mine"), "--yes")
    assert (code, "likelihood goes to 6 in the list, but to 5 in the register" in told) == (2, True), told


def test_a_completed_mapping_keeps_the_lists_units(tmp_path: Path) -> None:
    """A list that names units needs no --unit when its mapping begins a register, and no risk goes to one that is given."""
    rows = ("Risk,Department,Likelihood,Impact", "A,Payroll,Often,2", "B,Claims,4,3")
    path = listed(tmp_path / "list.csv", *rows)
    code, told = invoke("excel", "import", str(path), "--into", str(tmp_path / "mine"), *NEW)
    assert (code, "which ratings are 'Often'?; 1 is the lowest" in told) == (2, True), told
    text = told.partition("--map:\n\n")[2].replace('Often = "?"', 'Often = "5"')
    (tmp_path / "map.toml").write_text(text, "utf-8")
    by_map = ("--map", str(tmp_path / "map.toml"), "--apply")
    code, told = invoke("excel", "import", str(path), "--into", str(tmp_path / "mine"), *NEW, *by_map)
    assert (code, "nobody to ask without a terminal: --matrix" in told) == (2, True), told
    for name, unit in (("mine", ()), ("yours", UNIT)):
        imported(path, tmp_path / name, *NEW, *unit, "--matrix", "5x5", *by_map)
        register = riskcalc.load(tmp_path / name)
        assert register.risks["unit_id"].tolist() == ["Payroll", "Claims"]
        assert register.business_units["unit_id"].tolist() == ["Payroll", "Claims"]


def test_check_says_how_a_list_comes_in(tmp_path: Path) -> None:
    """Who checks a list, CSV or workbook, is told the command."""
    for path in (listed(tmp_path / "list.csv", "Risk,Owner", "A,B"), sheet(tmp_path / "list.xlsx", NOTION)):
        code, said = invoke("check", str(path))
        assert (code, f"riskcalc excel import {path} --into" in said) == (2, True), said


def test_other_separators_and_encodings_are_found(tmp_path: Path) -> None:
    """As spreadsheets save CSV: semicolons, Windows' letters; the mapping keeps both."""
    path = tmp_path / "list.csv"
    path.write_bytes("Risk;Owner;Likelihood;Impact\nVerspätete Datei;Ops;2;3\n".encode("windows-1252"))
    imported(path, tmp_path / "mine", *NEW, *UNIT, "--yes")
    assert riskcalc.load(tmp_path / "mine").risks["title"].tolist() == ["Verspätete Datei"]
    kept = read_mapping(tmp_path / "mine" / "list.map.toml")
    assert (kept.encoding, kept.separator) == ("windows-1252", ";")


def test_what_is_left_after_controls_is_not_taken_for_a_rating(tmp_path: Path) -> None:
    """Residual and target ratings are typed opinions; ours are earned. The inherent ones are taken."""
    header = "Risk,Residual Likelihood,Residual Impact,Inherent Likelihood,Inherent Impact,Target Likelihood"
    made = propose(listed(tmp_path / "list.csv", header, "A,1,1,4,5,1"), None)
    [ratings] = [part for part in made.mapping.table if part.name == "ratings"]
    assert ratings.columns == {"risk_id": "Risk", "likelihood": "Inherent Likelihood", "impact": "Inherent Impact"}


def test_a_kept_mapping_reads_back_as_it_was(tmp_path: Path) -> None:
    """Names with quotes, dots and signs of their own come back."""
    part = TableMap(name="risks", columns={"risk_id": 'No. "x"'}, values={"treatment": {'a."b"': "avoid", "ü": ""}})
    mapping = MappingFile(separator=";", table=(part, part))
    (tmp_path / "m.toml").write_text(as_toml(mapping), "utf-8")
    assert read_mapping(tmp_path / "m.toml").model_dump() == mapping.model_dump()


def test_a_full_register_keeps_its_units_names(tmp_path: Path) -> None:
    """A list that names a unit by its id changes nothing of that unit; the period has to be said."""
    small = write_register(tmp_path / "data")
    before = (small / "business_units.csv").read_bytes()
    rows = ("Risk ID,Risk,Likelihood,Impact,Business Unit", "A-R1,Wrong rates,4,4,alpha")
    path = listed(tmp_path / "list.csv", *rows)
    code, said = invoke("excel", "import", str(path), "--into", str(small), "--yes")
    assert (code, "--period 2026-H1" in said) == (2, True)
    said = imported(path, small, "--period", "2026-H1", "--yes")
    assert "likelihood: '5' -> '4'" in said
    assert (small / "business_units.csv").read_bytes() == before


def test_one_title_twice_is_told_at_the_second(tmp_path: Path) -> None:
    """Without ids nobody could say which of the two a rating is of: one problem, in the words of the list."""
    path = listed(tmp_path / "list.csv", "Risk,Likelihood,Impact", "Late feed,4,3", "Stale price,2,2", "late  feed,1,1")
    code, told = invoke("excel", "import", str(path), "--into", str(tmp_path / "mine"), *NEW, *UNIT, "--yes")
    assert (code, told.splitlines()[-1]) == (
        2,
        "list.csv:4: column 'risk_id': 'late  feed': is the title at line 2, too; tell them apart, or give each an id",
    )
    assert "1 problem in" in told


def test_yes_answers_for_a_mapping_file_too(tmp_path: Path) -> None:
    """Whatever is taken over, --yes is the answer to what is shown."""
    path, mine = listed(tmp_path / "list.csv", "Risk,Likelihood,Impact", "Late,4,3"), tmp_path / "mine"
    imported(path, mine, *NEW, *UNIT, "--yes")
    listed(path, "Risk,Likelihood,Impact", "Late,5,5")
    imported(path, mine, "--map", str(mine / "list.map.toml"), "--yes")
    assert riskcalc.load(mine).ratings["likelihood"].tolist() == [5]


@pytest.mark.parametrize(
    ("header", "rows", "given", "renames"),
    [
        ("Risk,Owner", ["Late,Ops"], UNIT, [("unit", "funds", "f2")]),
        ("Risk,Department", ["Late,funds", "Lost,pay"], (), [("unit", "funds", "f2"), ("unit", "f2", "f3")]),
        ("Risk ID,Risk", ["A,Late", "B,Lost"], UNIT, [("risk", "A", "A7")]),
    ],
)
def test_a_list_comes_in_under_the_names_of_today(
    tmp_path: Path, header: str, rows: list[str], given: tuple[str, ...], renames: list[tuple[str, str, str]]
) -> None:
    """After a renaming the kept mapping knows it, so that the same list changes nothing and adds nothing."""
    path, mine = listed(tmp_path / "list.csv", header, *rows), tmp_path / "mine"
    imported(path, mine, *NEW, *given, "--yes")
    for kind, old, new in renames:
        code, told = invoke("rename", kind, old, new, str(mine), "--out", str(tmp_path / "reports"), "--apply")
        assert (code, "list.map.toml" in told) == (0, True), told
    assert imported(path, mine, "--yes").splitlines()[-1] == "Nothing to write."
