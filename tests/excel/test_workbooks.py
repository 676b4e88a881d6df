"""The template and the export: what people find in the workbook, and that other programs open it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner
from register_files import DEFICIENCY, Rows, write_register
from running import run_here
from workbook_files import repack

import riskcalc
from riskcalc.assessment.scoring import LEGEND
from riskcalc.cli.main import main
from riskcalc.errors import RegisterError
from riskcalc.excel import commands
from riskcalc.pages import unit
from riskcalc.register.starter import Starter
from riskcalc.register.tables import TABLES

SOFFICE = shutil.which("soffice")
needs_soffice = pytest.mark.skipif(
    SOFFICE is None and not os.environ.get("RISKCALC_SOFFICE_REQUIRED"),
    reason="soffice (libreoffice-calc) is not installed",
)


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["excel", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def converted(path: Path, to: str = "xlsx") -> Path:
    """A workbook as headless LibreOffice saves it, which works out the formulas that have no value."""
    folder = path.parent / f"converted-{to}"
    profile = f"-env:UserInstallation=file://{path.parent}/profile"
    command = [str(SOFFICE), profile, "--headless", "--convert-to", to, "--outdir", str(folder), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    assert "Error" not in done.stderr, done.stderr
    return folder / f"{path.stem}.{to}"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, sample: riskcalc.Register) -> Path:
    """The sample's export."""
    return saved(tmp_path_factory.mktemp("export") / "board.xlsx", commands.export(str(sample.source)))


# --- the template ---


def test_the_template_is_an_empty_register(tmp_path: Path) -> None:
    """What comes out of the box reads without a problem, and has a sheet per table."""
    path = saved(tmp_path / "new.xlsx", commands.template())
    register = riskcalc.load(path)
    assert (len(register.risks), register.periods) == (0, ())
    assert openpyxl.load_workbook(path).sheetnames == ["instructions", "scales", "methodology", *TABLES, "lists"]


def test_the_template_offers_what_the_methodology_sets(tmp_path: Path) -> None:
    """Ratings come with their names, levels and frequencies as lists, ids from the other sheets."""
    book = openpyxl.load_workbook(saved(tmp_path / "new.xlsx", commands.template()))
    rules = {
        (sheet, str(rule.sqref).partition(":")[0]): rule
        for sheet in TABLES
        for rule in book[sheet].data_validations.dataValidation
    }

    def offered(rule: Any) -> list[str]:
        """What a list offers: the cells it names, or, of those that follow the scales, as many as are counted."""
        places = re.findall(r"(\w+)!\$(\w+)\$(\d+)", rule.formula1)
        if rule.formula1.startswith("OFFSET"):
            [(sheet, column, first), (_, named, _), *_] = places
            count = sum(bool(book[sheet][f"{named}{int(first) + place}"].value) for place in range(10))
            return [values[sheet][f"{column}{int(first) + place}"].value for place in range(count)]
        sheet, cells = rule.formula1.split("!")
        return [row[0].value for row in book[sheet][cells.replace("$", "")]]

    values = openpyxl.load_workbook(tmp_path / "new.xlsx", data_only=True)
    assert offered(rules["ratings", "C2"])[:2] == ["1 - Rare", "2 - Unlikely"]
    assert offered(rules["ratings", "D2"])[4:] == ["5 - Severe"]
    assert offered(rules["business_units", "H2"]) == ["Low", "Medium", "High", "Critical"]
    assert offered(rules["controls", "H2"])[:2] == ["annual", "half_yearly"]
    assert rules["risks", "C2"].formula1 == "control_objectives!$A$2:$A$5000"


def test_what_is_chosen_or_changed_on_the_sheet_of_scales_counts(tmp_path: Path) -> None:
    """A rating added, a level renamed, a day and a share typed as such: read as meant, without a note."""
    path = saved(tmp_path / "new.xlsx", commands.template())
    book = openpyxl.load_workbook(path)
    scales = book["scales"]
    assert [scales[cell].value for cell in ("A3", "B4", "A27", "B40")] == ["likelihood", "Rare", "level", "Low"]
    scales["B9"], scales["C9"], scales["L9"] = "Daily", 250, "Every day."
    for column in "BCDEF":
        scales[f"{column}45"] = "critical"
    scales["B30"] = "Severe"
    for row in scales.iter_rows(min_row=40, max_row=45):
        for cell in row:
            cell.value = "Severe" if cell.value == "High" else cell.value
    assert book["risk_controls"].column_dimensions["D"].number_format.startswith("0.0%")
    assert book["ratings"].column_dimensions["G"].number_format == "yyyy-mm-dd"
    book.save(path)
    methodology = riskcalc.load(path).methodology
    assert (methodology.matrix.shape, methodology.level_names[2]) == ((6, 5), "Severe")
    assert (methodology.likelihood[5].name, methodology.matrix.level(6, 1)) == ("Daily", "Critical")


def test_a_gap_among_the_scales_is_told_at_its_cell(tmp_path: Path) -> None:
    """A rating without a name before others isn't left out in silence; a level that isn't there is named."""
    path = saved(tmp_path / "new.xlsx", commands.template())
    book = openpyxl.load_workbook(path)
    book["scales"]["B5"] = None
    book.save(path)
    with pytest.raises(
        RegisterError, match="sheet scales, cell B5: column 'name': a likelihood without a name stands before"
    ):
        riskcalc.load(path)
    book["scales"]["B5"], book["scales"]["C41"] = "Unlikely", "Mild"
    book.save(path)
    with pytest.raises(
        RegisterError, match="sheet scales, cell C41: column 'matrix': the grid names 'Mild'; the levels are Low"
    ):
        riskcalc.load(path)


@pytest.mark.parametrize("size", ["3x3", "4x4", "5x5"])
def test_a_new_register_comes_back_from_its_workbook_byte_for_byte(tmp_path: Path, size: str) -> None:
    """Scales as cells say just what the lines of methodology.toml said."""
    files = Starter("Halden", "EUR", "funds", size, "2026-H2").files()
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    path = saved(tmp_path / "new.xlsx", commands.export(str(tmp_path)))
    assert "scales" in openpyxl.load_workbook(path).sheetnames
    assert commands.text_of_methodology(path) == files["methodology.toml"]


def test_every_column_of_the_template_says_what_it_takes(tmp_path: Path) -> None:
    """A note on each name; the first row stays in sight; cells are texts, so that 007 stays 007."""
    book = openpyxl.load_workbook(saved(tmp_path / "new.xlsx", commands.template()))
    for name in TABLES:
        sheet = book[name]
        assert [cell.value for cell in sheet[1]] == list(TABLES[name].model_fields)
        assert all(cell.comment and cell.value in cell.comment.text for cell in sheet[1])
        assert (sheet.freeze_panes, sheet.column_dimensions["A"].number_format) == ("B2", "@")
    assert "One of: mitigate, accept, transfer, avoid." in book["risks"]["I1"].comment.text
    assert (
        book["risk_controls"]["D1"].comment.text
        == f"coverage: required.\nCoverage: {LEGEND['Coverage']}\nAllowed: a number from 0 to 1, such as 0.8."
    )
    assert book["ratings"]["C1"].comment.text.startswith("likelihood: may be blank.")


def test_the_template_takes_the_methodology_of_another_register(small: Path, tmp_path: Path) -> None:
    """Whose scales are other ones offers those."""
    text = (small / "methodology.toml").read_text("utf-8").replace('"Medium"', '"Middling"')
    (small / "methodology.toml").write_text(text, "utf-8")
    path = saved(tmp_path / "new.xlsx", commands.template(str(small)))
    assert "Middling" in [cell.value for row in openpyxl.load_workbook(path)["lists"] for cell in row]


# --- the export ---


def test_the_export_is_the_register_again(exported: Path, sample: riskcalc.Register) -> None:
    """The results beside it change nothing of what is read."""
    assert riskcalc.load(exported).fingerprint() == sample.fingerprint()


def test_the_same_register_gives_the_same_bytes(small: Path) -> None:
    """No time of writing is in the file: whoever compares two exports sees what changed in the register only."""
    assert commands.export(str(small)) == commands.export(str(small))


def hostile(rows: Rows) -> None:
    texts = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\tx",
        "a\r\nb",
        "＝1+1",
        "＠x",
        "#N/A",
        "_x000D_",
        "=HYPERLINK(1)",
        "'quoted",
        " lead",
        "TRUE",
        "1E5",
        "007",
        "NA",
        "NO",
        "<r><t>markup</t></r>",
        "<r>x</r>",
        "_x000D_x000D_",
        "{=1+1}",
    ]
    first = rows["control_objectives"][0]
    rows["control_objectives"].extend(
        {**first, "objective_id": f"O{place}", "statement": text, "process": text} for place, text in enumerate(texts)
    )


def test_text_that_looks_like_a_formula_stays_text(tmp_path: Path) -> None:
    """Nothing that somebody wrote into the register is ever worked out by a spreadsheet."""
    folder = write_register(tmp_path / "data", hostile)
    path = saved(tmp_path / "out.xlsx", commands.export(str(folder)))
    assert riskcalc.load(path).fingerprint() == riskcalc.load(folder).fingerprint()
    book = openpyxl.load_workbook(path)
    for sheet in [*TABLES, "methodology", "results control matrix"]:
        assert {cell.data_type for row in book[sheet] for cell in row} <= {"s", "inlineStr", "n"}
    assert [cell.quotePrefix for cell in book["control_objectives"]["D"][3:7]] == [True] * 4


def test_a_text_too_long_for_a_cell_is_refused_by_its_place(tmp_path: Path) -> None:
    """A spreadsheet would cut it off; the export says where it stands instead."""
    folder = write_register(tmp_path / "data", lambda rows: rows["risks"][1].update(description="😀" * 16_384))
    with pytest.raises(RegisterError, match=r"risks\.csv:3: column 'description'.*more than the 32,767 characters"):
        commands.export(str(folder))
    write_register(tmp_path / "data", lambda rows: rows["risks"][1].update(description="x" * 32_767))
    path = saved(tmp_path / "out.xlsx", commands.export(str(folder)))
    assert len(riskcalc.load(path).risks["description"].iloc[1]) == 32_767


def test_the_matrices_have_the_methodologys_colours(exported: Path, sample: riskcalc.Register) -> None:
    """As on the page: each cell in the colour of its level, the risks in their cells, worst rating on top."""
    sheet = openpyxl.load_workbook(exported)["results matrices"]
    inherent = next(row for row in range(1, 9) if str(sheet.cell(row, 1).value).startswith("Inherent"))
    top = sheet.cell(inherent + 2, 6)
    assert [sheet.cell(inherent + row, 1).value for row in (1, 2)] == ["Likelihood, by impact", "5 Almost certain"]
    assert top.value == "Critical", "not by its colour alone"
    assert f"#{top.fill.fgColor.rgb[2:]}".lower() == sample.methodology.matrix.levels[-1].colour.lower()
    held = "\n".join(str(cell.value) for row in sheet.iter_rows(inherent + 2, inherent + 6) for cell in row)
    scores = riskcalc.score(sample)
    assert all(risk in held for risk in scores[scores["likelihood"].notna()]["risk_id"])


def summary_of(path: Path) -> list[list[Any]]:
    """The rows of the sheet that the workbook opens on, without the decisions."""
    book = openpyxl.load_workbook(path, data_only=True)
    assert (book.sheetnames[0], book.active.title) == ("results summary", "results summary")
    rows = [list(row) for row in book["results summary"].iter_rows(values_only=True)]
    return rows[: next(place for place, row in enumerate(rows) if str(row[0]).startswith("To be decided"))]


def test_the_export_opens_on_what_matters(exported: Path, sample: riskcalc.Register) -> None:
    """One map with the level and the number of risks in words, worst likelihood on top; how many are outside."""
    scores, matrix = riskcalc.score(sample), sample.methodology.matrix
    rows = summary_of(exported)
    rated, outside = scores["likelihood"].notna(), int(scores["breach"].sum())
    assert rows[2][0].endswith(f": {outside} of the {rated.sum()} rated risks. Unrated: {(~rated).sum()}.")
    top = next(place for place, row in enumerate(rows) if row[0] == "5 Almost certain")
    shown = [str(cell).split("\n") for row in rows[top : top + 5] for cell in row[1:6]]
    wanted = [matrix.level_names[level] for row in reversed(matrix.grid) for level in row]
    assert [cell[0] for cell in shown] == wanted
    assert sum(int(cell[1].split()[0]) for cell in shown if len(cell) > 1) == rated.sum()
    moved = next(place for place, row in enumerate(rows) if str(row[0]).startswith("What changed since 2025-H2"))
    levels = {row[0]: row[1:4] for row in rows[top + 6 : moved]}
    for name in matrix.level_names:
        views = ("inherent", "claimed", "earned")
        assert levels[name] == [(scores[f"{view}_level"] == name).sum() for view in views]
    inside = riskcalc.score(sample, "2025-H2").query("not breach.fillna(True)")["risk_id"]
    worse = scores[scores["breach"].fillna(False) & scores["risk_id"].isin(inside)]["risk_id"].tolist()
    found = {row[0]: row[1:3] for row in rows[moved + 1 :] if row[0]}
    assert found["Newly outside appetite"] == [len(worse), ", ".join(worse)]
    assert rows[moved][0].endswith(f"{sum(number for number, _ in found.values())} risks")


def scores_in(path: Path) -> dict[str, list[Any]]:
    rows = openpyxl.load_workbook(path, data_only=True)["results risks"].iter_rows(min_row=2, values_only=True)
    return {str(row[1]): list(row[9:20]) for row in rows}


def differing(register: riskcalc.Register, shown: dict[str, list[Any]]) -> list[str]:
    """The rated risks whose scores, levels or breach aren't those of the register."""
    names = ["inherent_score", "inherent_level"]
    names += [f"{view}_{what}" for view in ("claimed", "earned") for what in ("likelihood", "impact", "score", "level")]
    found = []
    for row in riskcalc.score(register).dropna(subset="likelihood").to_dict("records"):
        wanted = [*(row[name] for name in names), "yes" if row["breach"] else "no"]
        pairs = zip(wanted, shown[row["risk_id"]], strict=True)
        if not all(one == (pytest.approx(other) if isinstance(one, float) else other) for one, other in pairs):
            found.append(row["risk_id"])
    return found


def test_scores_are_formulas_with_their_values(exported: Path, sample: riskcalc.Register) -> None:
    """A viewer that works nothing out shows the scores of the page; a spreadsheet finds formulas."""
    assert differing(sample, scores_in(exported)) == []
    sheet = openpyxl.load_workbook(exported)["results risks"]
    assert (sheet["J2"].value, sheet["N2"].value) == (
        '=IF(COUNT(H2:I2)=2,H2*I2,"unrated")',
        '=IF(COUNT(H2:I2)=2,L2*M2,"unrated")',
    )


@needs_soffice
def test_formulas_worked_out_elsewhere_give_the_pages_scores(
    exported: Path, sample: riskcalc.Register, tmp_path: Path
) -> None:
    """With their stored values taken away, LibreOffice works every score, level and breach out as the page has it."""
    bare = saved(tmp_path / "bare.xlsx", exported.read_bytes())
    with zipfile.ZipFile(bare) as archive:
        parts = {
            name: archive.read(name).decode()
            for name in archive.namelist()
            if "worksheets/sheet" in name and name.endswith(".xml")
        }
    stripped = {
        name.replace("/", "__").replace(".", "_dot_"): re.sub(r"(</f>)<v>[^<]*</v>", r"\1", text)
        for name, text in parts.items()
    }
    assert scores_in(repack(bare, **stripped))["PAY-R01"][0] is None
    worked_out = converted(bare)
    assert differing(sample, scores_in(worked_out)) == []
    assert summary_of(worked_out) == summary_of(exported)


@needs_soffice
def test_libreoffice_keeps_every_text_as_it_was(tmp_path: Path) -> None:
    """A workbook that somebody opens and saves in LibreOffice is the same register, hostile text and all.

    But for two: LibreOffice itself makes one line break of a carriage return and a line feed, and saves a text that
    looks like two escapes with an underscore between them half escaped.
    """
    folder = write_register(tmp_path / "data", hostile)
    file = folder / "control_objectives.csv"
    file.write_bytes(file.read_bytes().replace(b"a\r\nb", b"a\rb").replace(b"_x000D_x", b"_x000D_ x"))
    path = saved(tmp_path / "out.xlsx", commands.export(str(folder)))
    assert riskcalc.load(converted(path)).fingerprint() == riskcalc.load(folder).fingerprint()


@needs_soffice
def test_libreoffice_opens_the_template(tmp_path: Path) -> None:
    """The empty workbook, with its lists and notes, comes through LibreOffice as it was."""
    path = converted(saved(tmp_path / "new.xlsx", commands.template()))
    assert len(riskcalc.load(path).risks) == 0
    rules = openpyxl.load_workbook(path)["ratings"].data_validations.dataValidation
    assert any("scales" in str(rule.formula1) for rule in rules)


def test_the_chain_from_objective_to_deficiency_is_one_table(exported: Path, sample: riskcalc.Register) -> None:
    """An auditor follows an objective to its risks, controls, tests, conclusions and deficiencies in one row each."""
    rows = list(openpyxl.load_workbook(exported)["results control matrix"].iter_rows(values_only=True))
    chains = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert {chain["objective_id"] for chain in chains} == set(sample.control_objectives["objective_id"])
    assert {chain["risk_id"] for chain in chains} - {None} == set(sample.risks["risk_id"])
    found = next(chain for chain in chains if chain["control_id"] == "PAY-C03")
    assert found["deficiency"].startswith("The call-back before a change of bank details")
    assert {chain["documentation"] for chain in chains if chain["control_id"] == "PAY-C03"} == {None}


def test_the_chain_holds_all_tests_that_a_conclusion_rests_on(tmp_path: Path) -> None:
    """Also those of an earlier period: their items and deviations add up to what the conclusion says."""

    def earlier(rows: Rows) -> None:
        rows["business_units"][0]["report_from"] = "2025-10-01"
        first = rows["control_tests"][0]
        rows["control_tests"].append({**first, "test_id": "T0", "period": "2025-H2", "tested_on": "2026-01-09"})
        rows["control_tests"][1]["period"] = "2025-H2"
        rows["controls"][1]["relies_on"] = ""

    path = saved(tmp_path / "out.xlsx", commands.export(str(write_register(tmp_path / "data", earlier))))
    rows = list(openpyxl.load_workbook(path)["results control matrix"].iter_rows(values_only=True))
    chains = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    for control, tests in {"A-C1": {"T0": 5, "T1": 5}, "A-C2": {"T2": 25}}.items():
        found = [chain for chain in chains if chain["control_id"] == control]
        assert {chain["test_id"]: chain["items"] for chain in found} == tests
        assert f"0 of {sum(tests.values())} deviated" in found[0]["why"]


def test_the_chain_knows_no_deficiency_of_a_later_day(tmp_path: Path) -> None:
    """Seen from a day before it was identified it isn't there; from one before it was closed it is open."""
    row = {**DEFICIENCY, "identified_on": "2026-03-10", "closed_on": "2026-04-01"}
    data = str(write_register(tmp_path / "data", lambda rows: rows["deficiencies"].append(row)))
    for day, told in (
        ("03-01", (None, None)),
        ("03-20", ("Not signed.", None)),
        ("04-01", ("Not signed.", "2026-04-01")),
    ):
        path = saved(tmp_path / f"{day}.xlsx", commands.export(data, "2026-H1", date.fromisoformat(f"2026-{day}")))
        rows = list(openpyxl.load_workbook(path)["results control matrix"].iter_rows(values_only=True))
        chain = next(
            each for each in (dict(zip(rows[0], row, strict=True)) for row in rows) if each["control_id"] == "A-C1"
        )
        assert (chain["deficiency"], chain["closed_on"]) == told


def test_sampling_and_gaps_are_in_the_workbook(exported: Path) -> None:
    """Planned sizes with what they show, and what is missing with owner and due date."""
    book = openpyxl.load_workbook(exported, data_only=True)
    planned = {row[1]: row for row in book["results sampling"].iter_rows(min_row=2, values_only=True)}
    assert (planned["PAY-C01"][4], planned["PAY-C01"][5][:20]) == (25, "25 without deviation")
    gaps = list(book["results gaps"].iter_rows(min_row=2, values_only=True))
    assert any(gap[2] == "PAY-C03" and gap[4] == "is not documented" for gap in gaps)


def test_of_a_type_1_reports_control_no_operation_is_concluded_on(tmp_path: Path, small: Path) -> None:
    """A walkthrough shows that it is in use, on both sheets; of a Type 2 report's, its tests that it operated."""
    book = openpyxl.load_workbook(saved(tmp_path / "out.xlsx", commands.export(str(small))))
    for name, at in (("results sampling", (1, 9)), ("results control matrix", (5, 14))):
        told = {row[at[0]]: row[at[1]] for row in book[name].iter_rows(min_row=2, values_only=True)}
        assert (told.get("B-C1", "in use"), told["A-C2"]) == ("in use", "operated effectively"), name
    assert told["B-C1"] == "in use"


def test_unrated_risks_stay_visible_as_unrated(tmp_path: Path, small: Path) -> None:
    """A risk without a rating has its row, and says so; it is neither 0 nor left out."""
    shown = scores_in(saved(tmp_path / "out.xlsx", commands.export(str(small))))
    assert shown["A-R2"] == ["unrated"] * 11


@needs_soffice
def test_what_is_rated_in_the_workbook_is_counted_and_what_loses_a_rating_is_unrated(tmp_path: Path) -> None:
    """As if the register had been so: scores, levels, and the summary's headline, map and counts, without an error."""

    def linked(rows: Rows) -> None:
        rows["risk_controls"].append({**rows["risk_controls"][0], "risk_id": "A-R2"})

    def rerated(rows: Rows) -> None:
        linked(rows)
        for row in rows["ratings"][1:]:
            likelihood, impact = {"A-R2": ("4", "3"), "B-R1": ("", "")}.get(row["risk_id"], ("2", "2"))
            row.update(likelihood=likelihood, impact=impact)
            row.update(dict.fromkeys(("rationale", "rated_by", "rated_on"), ""))
            row.update({"rationale": "x", "rated_by": "x", "rated_on": "2026-06-20"} if impact else {})

    path = saved(tmp_path / "out.xlsx", commands.export(str(write_register(tmp_path / "before", linked))))
    book = openpyxl.load_workbook(path)
    sheet = book["results risks"]
    for row in sheet.iter_rows(min_row=2):
        row[7].value, row[8].value = {"A-R2": (4, 3), "B-R1": (None, 5)}.get(str(row[1].value), (2, 2))
    book.save(path)
    worked_out = converted(path)
    after = write_register(tmp_path / "after", rerated)
    assert differing(riskcalc.load(after), scores_in(worked_out)) == []
    assert scores_in(worked_out)["B-R1"] == ["unrated"] * 11
    wanted = summary_of(saved(tmp_path / "after.xlsx", commands.export(str(after))))
    follows = next(place for place, row in enumerate(wanted) if str(row[0]).startswith("What changed"))
    assert wanted[2][0].endswith("0 of the 2 rated risks. Unrated: 1.")
    assert summary_of(worked_out)[:follows] == wanted[:follows]


# --- the commands ---


def test_the_commands_write_and_never_overwrite_unasked(tmp_path: Path, small: Path) -> None:
    """What was typed into a workbook isn't replaced by a second call."""
    out = tmp_path / "out.xlsx"
    assert invoke("template", str(out)) == (0, f"Wrote {out}.\n")
    before = out.read_bytes()
    code, said = invoke("export", str(out), str(small))
    assert (code, "is there already; give --overwrite" in said, out.read_bytes() == before) == (2, True, True)
    assert invoke("export", str(out), str(small), "--overwrite", "--as-of", "2026-06-30")[0] == 0
    assert out.read_bytes() != before
    assert invoke("template", str(tmp_path / "out.xls"))[0] == 2


def test_check_and_plan_take_a_workbook(tmp_path: Path, small: Path) -> None:
    """Wherever a folder can be named, so can an .xlsx."""
    path = saved(tmp_path / "out.xlsx", commands.export(str(small)))
    result = CliRunner().invoke(main, ["check", str(path)])
    assert (result.exit_code, result.output.splitlines()[-1]) == (
        0,
        f"{path} can be used; 13 findings, 2 to act on; 1 of 2 rated risks outside appetite; 1 newly since the period "
        "before; 1 risk unrated; 2 decisions to take; 2 units, 3 risks, 4 controls; 2026-H1 seen from 2026-06-30 "
        "(the latest period that is at least half rated: 2 of 3 risks).",
    )
    assert CliRunner().invoke(main, ["plan", str(path)]).exit_code == 0


def test_a_run_of_a_workbook_gives_the_results_of_its_folder(tmp_path: Path) -> None:
    """Whoever keeps the register in Excel gets the same pages' numbers."""
    data = write_register(tmp_path / "data")
    invoke("export", str(tmp_path / "register.xlsx"), str(data))
    source, out = tmp_path / "register.xlsx", tmp_path / "out"
    run_here(source, "--unit", "alpha", "--out", out)
    found = json.loads((out / "2026-H1" / "alpha.json").read_text("utf-8"))
    assert found == json.loads(json.dumps(unit.result(riskcalc.open_unit("alpha", data_dir=str(data))).values))
