"""Exports for an audience: what isn't for its eyes is in no part of the file, and the rest is what everybody sees."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner
from register_files import DEFICIENCY, Rows, write_register

import riskcalc
from riskcalc.cli.main import main
from riskcalc.errors import RegisterError, UsageError
from riskcalc.excel import commands, importing

VOTES = {"votes": "917364", "likelihood_low": "2", "likelihood_high": "5", "impact_low": "3", "impact_high": "5"}
TEXTS = {
    "risks": ["description"],
    "ratings": ["rationale", "rated_by"],
    "controls": ["description"],
    "control_tests": ["procedure", "tested_by", "evidence"],
    "subservice_organisations": ["reviewed_by", "reference"],
    "training": ["person", "topic", "evidence"],
    "scoping": ["reason", "answered_by"],
    "documents": ["reference"],
}
AMOUNTS = {
    "business_units": {"materiality": "7654321.09", "performance_materiality": "6543217.08"},
    "risks": {"loss_low": "4321765.07", "loss_mode": "4321766.07", "loss_high": "5432176.07"},
}
DOCUMENT = {
    "document_id": "D1", "title": "Policy", "kind": "policy", "covers_from": "2026-01-01", "issuer": "We",
    "audience": "client", "reference": "Cupboard",
}  # fmt: skip
HIDDEN = {  # by audience, the texts above that aren't for it, and whether amounts are
    "board": (list(TEXTS), False),
    "auditor": (["training", "scoping"], True),
    "unit": (["ratings.rated_by"], False),
}


def marked(rows: Rows) -> None:
    """A canary in every free text and amount; votes on a rating, and a deficiency for the gaps to speak of."""
    rows["documents"].append(DOCUMENT)
    for name, columns in TEXTS.items():
        for place, row in enumerate(rows[name]):
            row.update({column: f"CANARY {name}.{column} {place}" for column in columns if row.get(column) != ""})
    for name, amounts in AMOUNTS.items():
        for row in rows[name]:
            row.update(amounts)
    rows["ratings"][1].update(VOTES)
    rows["ratings"][2].update(rationale="", rated_by="")
    rows["risks"][0]["frequency_per_year"] = "2"
    rows["subservice_organisations"][0]["reviewed_on"] = "2026-05-01"
    rows["deficiencies"].append(DEFICIENCY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A register with canaries."""
    made = write_register(tmp_path_factory.mktemp("marked") / "data", marked)
    toml = made / "methodology.toml"
    toml.write_text(f"# CANARY methodology\n{toml.read_text('utf-8')}", "utf-8")
    return made


def parts_of(content: bytes, path: Path) -> str:
    """All that is in a workbook: the text of each of its parts, and their names."""
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        assert archive.comment == b""
        return "\n".join(f"{name}\n{archive.read(name).decode()}" for name in archive.namelist())


def withheld_by(audience: str) -> list[str]:
    shown, _ = HIDDEN[audience]
    every = [f"{name}.{column}" for name, columns in TEXTS.items() for column in columns]
    return [each for each in every if each in shown or each.partition(".")[0] in shown]


@pytest.mark.parametrize("audience", HIDDEN)
def test_what_is_withheld_is_in_no_part_of_the_workbook(audience: str, folder: Path, tmp_path: Path) -> None:
    """No cell, note, name, hidden sheet or property holds a word, vote or amount that isn't for these readers."""
    unit = "alpha" if audience == "unit" else ""
    found = parts_of(commands.export(str(folder), audience=audience, unit_id=unit), tmp_path / "out.xlsx")
    assert [each for each in withheld_by(audience) if f"CANARY {each}" in found] == []
    assert "CANARY methodology" not in found
    assert VOTES["votes"] not in found
    digits = found.replace(",", "")
    amounts = [text.partition(".")[0] for row in AMOUNTS.values() for text in row.values()]
    assert [each for each in amounts if each in digits] == ([] if HIDDEN[audience][1] else amounts)


def test_a_plain_export_holds_all_of_it(folder: Path, tmp_path: Path) -> None:
    """The canaries are where they would be found: the search itself works."""
    found = parts_of(commands.export(str(folder)), tmp_path / "out.xlsx")
    every = [f"{name}.{column}" for name, columns in TEXTS.items() for column in columns]
    assert [each for each in [*every, "methodology"] if f"CANARY {each}" not in found] == []
    assert all(text.partition(".")[0] in found for row in AMOUNTS.values() for text in row.values())
    assert VOTES["votes"] in found


def test_readers_are_told_what_they_do_not_see(folder: Path, tmp_path: Path) -> None:
    """Withheld cells say so, blank ones stay blank, and the sheet after the summary lists the columns."""
    path = tmp_path / "out.xlsx"
    path.write_bytes(commands.export(str(folder), audience="auditor"))
    book = openpyxl.load_workbook(path)
    assert book.sheetnames[:3] == ["results summary", "about", "results method"]
    assert [book["results summary"].cell(row, 1).value for row in (1, 2)] == [
        "Tarnbrook Services Group: risks to financial reporting, 2026-H1",
        "As of 2026-06-30. Confidential · for the service auditor",
    ]
    about = "\n".join(str(row[0].value) for row in book["about"])
    assert "for the service auditor" in about
    assert "Withheld in business_units: materiality, performance_materiality, materiality_basis." in about
    assert "Withheld in scoping: reason, answered_by." in about
    rows = list(book["ratings"].iter_rows(values_only=True))
    votes = rows[0].index("votes")
    assert [row[votes] for row in rows[1:]] == [None, "withheld", None, None]


@pytest.mark.parametrize(
    ("audience", "left_out"), [("board", {"training", "scoping"}), ("auditor", {"training"}), ("unit", set())]
)
def test_a_table_that_is_for_others_is_left_out_whole(
    audience: str, left_out: set[str], folder: Path, tmp_path: Path
) -> None:
    """No sheet, date or id of it, as none stands on their pages; the sheet after the summary names it."""
    path = tmp_path / "out.xlsx"
    path.write_bytes(commands.export(str(folder), audience=audience, unit_id="alpha"))
    book = openpyxl.load_workbook(path)
    assert {"training", "scoping"} - set(book.sheetnames) == left_out
    about = [str(row[0].value) for row in book["about"]]
    assert [line for line in about if line.startswith("Left out: ")] == (
        [f"Left out: {', '.join(sorted(left_out, reverse=True))}."] if left_out else []
    )


def test_an_audience_sees_everybodys_levels(folder: Path, tmp_path: Path) -> None:
    """Scores, levels and breaches are those of the whole register, live formulas included."""
    shown = []
    for place, audience in enumerate(["", "board", "auditor"]):
        path = tmp_path / f"{place}.xlsx"
        path.write_bytes(commands.export(str(folder), audience=audience))
        rows = openpyxl.load_workbook(path, data_only=True)["results risks"].iter_rows(values_only=True)
        shown.append([row[5:] for row in rows])
    assert shown[0] == shown[1] == shown[2]


def test_a_unit_gets_its_own_rows(folder: Path, tmp_path: Path) -> None:
    """Nothing of another unit is in it but the controls that its own count on."""
    found = parts_of(commands.export(str(folder), audience="unit", unit_id="alpha"), tmp_path / "out.xlsx")
    assert ("A-R1" in found, "B-R1" in found, "Claims are right" in found) == (True, False, False)


@pytest.mark.parametrize(
    ("audience", "unit", "said"),
    [
        ("public", "", "Nothing of a register's workbook is for the audience 'public'"),
        ("unit", "", "The audience 'unit' sees one unit: name it with --unit"),
        ("", "alpha", "--unit goes with --audience"),
        ("unit", "gamma", "There is no business unit 'gamma'"),
        ("bord", "", "There is no audience 'bord'; allowed: board, auditor, unit"),
    ],
)
def test_what_no_workbook_is_made_for_is_refused(
    folder: Path, tmp_path: Path, audience: str, unit: str, said: str
) -> None:
    """A sentence, and no file."""
    options = [*(["--audience", audience] if audience else []), *(["--unit", unit] if unit else [])]
    result = CliRunner().invoke(main, ["excel", "export", str(tmp_path / "out.xlsx"), str(folder), *options])
    assert (result.exit_code, said in result.output, (tmp_path / "out.xlsx").exists()) == (2, True, False)


def test_a_workbook_for_an_audience_is_not_imported(folder: Path, tmp_path: Path) -> None:
    """Nobody replaces rationales by the word "withheld" by mistake."""
    path = tmp_path / "board.xlsx"
    path.write_bytes(commands.export(str(folder), audience="board"))
    with pytest.raises(RegisterError, match="sheet methodology: the sheet is missing"):
        importing.plan(path, folder)
    with pytest.raises(RegisterError, match="sheet methodology: the sheet is missing"):
        riskcalc.load(path)


def test_a_register_without_ratings_has_no_results_to_show(tmp_path: Path) -> None:
    """The board gets the tables; no sheet of results is made up."""

    def unrated(rows: Rows) -> None:
        rows["ratings"].clear()

    folder = write_register(tmp_path / "data", unrated)
    (tmp_path / "out.xlsx").write_bytes(commands.export(str(folder), audience="board"))
    assert not any("results" in name for name in openpyxl.load_workbook(tmp_path / "out.xlsx").sheetnames)
    with pytest.raises(UsageError, match="no ratings yet"):
        commands.export(str(folder), period="2026-H1", audience="board")
