"""Taking over a register with columns of its own: what is taken, what is suggested, what is refused."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from register_files import SAMPLE, write_register

import riskcalc
from riskcalc.errors import RegisterError, RiskcalcError
from riskcalc.excel import importing
from riskcalc.excel.importing import Plan
from riskcalc.excel.mapping import read_mapping

DOCS = (Path(__file__).parents[2] / "docs" / "excel.md").read_text("utf-8")
MAP = """
[[table]]
name = "risks"
sheet = "Register"
header_row = 3
numbers_as_text = ["risk_id"]
[table.columns]
risk_id = "No."
title = "Risk"
treatment = "Response"
[table.constants]
unit_id = "alpha"
objective_id = "A-CO1"
[table.defaults]
description = "not described"
assertions = "accuracy"
owner = "to be named"
[table.values.treatment]
Reduce = "mitigate"
"""


def theirs(path: Path, *rows: list[Any]) -> Path:
    """A register as somebody keeps it: a title, a blank row, a header, rows; and another sheet."""
    book = openpyxl.Workbook()
    book.active.title = "Register"
    for row in (["Our risks"], [], ["No.", "Risk", "Response", "Remarks"], *rows):
        book.active.append(row)
    book.create_sheet("Notes").append(["whatever"])
    book.save(path)
    return path


def planned(small: Path, path: Path, text: str = MAP) -> Plan:
    mapping = small.parent / "map.toml"
    mapping.write_text(text, "utf-8")
    return importing.plan(path, small, read_mapping(mapping))


def refusal(small: Path, path: Path, text: str) -> str:
    with pytest.raises(RiskcalcError) as caught:
        planned(small, path, text)
    return str(caught.value)


def test_columns_with_other_names_are_taken_over(small: Path, tmp_path: Path) -> None:
    """Names, constants, defaults and translated words make rows of ours; other rows and tables stay."""
    made = planned(
        small, theirs(tmp_path / "t.xlsx", [7, "Late files", "Reduce", "x"], [8, "Lost files", "avoid", None])
    )
    assert made.problems == []
    importing.apply(made)
    risks = riskcalc.load(small).risks.set_index("risk_id")
    assert len(risks) == 5
    assert risks.loc["7", ["title", "treatment", "owner", "unit_id"]].tolist() == [
        "Late files",
        "mitigate",
        "to be named",
        "alpha",
    ]


def test_in_rows_that_are_there_only_what_they_say_is_changed(small: Path, tmp_path: Path) -> None:
    """A default or a column they don't have overwrites nothing."""
    made = planned(small, theirs(tmp_path / "t.xlsx", ["A-R1", "New title", "", ""]))
    assert made.problems == []
    assert [(each.key, each.fields) for each in made.changes if each.kind == "changed"] == [
        ("A-R1", (("title", "Wrong rates", "New title"),))
    ]


def test_problems_name_their_sheet_and_cell(small: Path, tmp_path: Path) -> None:
    """People mend their own file, so problems are told where they stand in it."""
    made = planned(small, theirs(tmp_path / "t.xlsx", [7, "Late files", "Ignore"], ["A-R8", 1.5, "avoid"]))
    assert [(each.sheet, each.cell, each.column, each.value) for each in sorted(made.problems)] == [
        ("Register", "C4", "treatment", "Ignore"),
        ("Register", "B5", "title", "1.5"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"Risk"', '"risks"', "map.toml: column 'risks.title': 'risks': is no column of sheet Register; did you mean 'Risk'? there are: No., Risk, Response, Remarks"),
        ('risk_id = "No."\n', "", "column 'risks.risk_id': is part of the key, and must come from a column or a constant"),
        ('"Register"', '"Registre"', "has no sheet 'Registre' for the table risks; there are: Register, Notes"),
        ('name = "risks"', 'name = "risk"', "'risk' is no table; there are: business_units"),
        ("title =", "titel =", "'titel' is no column of risks; there are: risk_id"),
        ("[table.columns]", "[table.colums]", "Extra inputs are not permitted"),
        ("[[table]]", "[[table", "can't be read as TOML"),
        ("header_row = 3", "header_row = 1", "is no column of sheet Register; there are: Our risks"),
    ],
)  # fmt: skip
def test_a_mapping_that_does_not_fit_says_what_would(
    small: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    """A name mistyped, a key left out, a wrong sheet: told with the names there are, and the near one."""
    path = theirs(tmp_path / "t.xlsx", [7, "Late files", "Reduce", "x"])
    assert said in refusal(small, path, MAP.replace(old, new, 1))


@pytest.mark.parametrize(
    "text",
    [
        f"a = {'9' * 5_000}\n",
        f"a = {'[' * 5_000}{']' * 5_000}\n",
        f"a = {'{b=' * 3_000}1{'}' * 3_000}\n",
        f"{'.'.join('a' * 5_000)} = 1\n",
        f"{MAP}\nseparator = {'9' * 4_000}\n",
    ],
)
def test_an_absurd_mapping_file_ends_in_a_message(small: Path, tmp_path: Path, text: str) -> None:
    """Numbers of thousands of digits and tables in tables in tables are refused, not crashed on."""
    assert "map.toml" in refusal(small, theirs(tmp_path / "t.xlsx"), text)


def test_a_mapping_file_that_is_no_file_is_told(small: Path, tmp_path: Path) -> None:
    """A pipe that nobody writes into, a folder, nothing: a sentence, at once."""
    path = theirs(tmp_path / "t.xlsx")
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "", "nothing"):
        with pytest.raises(RiskcalcError, match=r"can't be read: .*\."):
            importing.plan(path, small, read_mapping(tmp_path / name))


def test_a_blank_cell_that_has_no_default_is_told(small: Path, tmp_path: Path) -> None:
    """What they leave open and we need isn't made up."""
    made = planned(small, theirs(tmp_path / "t.xlsx", [7, "Late files", None]))
    assert [each.cell for each in made.problems] == ["C4"]


def test_a_csv_file_that_cannot_be_read_says_to_give_its_encoding(small: Path, tmp_path: Path) -> None:
    """Latin-1 isn't guessed; it is asked for, and then read right."""
    path = tmp_path / "t.csv"
    path.write_bytes("No.;Risk;Response\n7;Verspätete Dateien;avoid\n".encode("latin-1"))
    text = re.sub("sheet = .*\nheader_row = 3\n", "", MAP)
    assert "give its encoding and separator in the mapping file" in refusal(small, path, text)
    made = planned(small, path, f'encoding = "windows-1252"\nseparator = ";"\n{text}')
    assert [change.fields[3] for change in made.changes if change.kind == "new"] == [
        ("title", "", "Verspätete Dateien")
    ]


def documented(title: str) -> str:
    """The mapping file that the documentation gives under a heading."""
    chapter = DOCS.split(f"### {title}\n")[1].split("\n### ")[0]
    return "\n".join(line[4:] for line in chapter.splitlines() if line.startswith("    "))


EXPORTS = {
    "CISO Assistant": (
        "ref_id;assets;threats;name;description;inherent_impact;inherent_proba;inherent_level;existing_controls;"
        "current_impact;current_proba;current_risk;additional_controls;residual_impact;residual_proba;residual_risk;"
        "treatment;strength_of_knowledge",
        ["R.1", "Files", "Fraud", "Wrong files", "", "High", "Low", "High", "", "Low", "Low", "Low", "", "Low", "Low", "Low", "open", "--"],
        ["R.2", "Files", "", "Late files", "Too late", "--", "--", "--", "", "--", "--", "--", "", "--", "--", "--", "avoid", "--"],
    ),
    "SimpleRisk": (
        "Risk ID,Status,Subject,External Reference ID,Owner,Submission Date,Risk Scoring Method,Current Likelihood,Current Impact,Risk Assessment,Planning Strategy",
        ["1001", "New", "Wrong files", "", "Bo", "2026-02-03", "Classic", "Unlikely", "Major", "As seen", "Watch"],
        ["1002", "New", "Late files", "", "", "2026-02-03", "Classic", "Credible", "Extreme/Catastrophic", "", ""],
    ),
}  # fmt: skip


@pytest.mark.parametrize("product", EXPORTS)
def test_the_documented_mappings_take_over_an_export(product: str, tmp_path: Path) -> None:
    """What docs/excel.md shows for CISO Assistant and SimpleRisk works as it stands there."""
    header, *rows = EXPORTS[product]
    separator = ";" if ";" in header else ","
    path, folder = tmp_path / "export.csv", tmp_path / "data"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=separator).writerows([header.split(separator), *rows])
    folder.mkdir()
    for each in SAMPLE.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())
    made = planned(folder, path, documented(product))
    assert made.problems == []
    importing.apply(made)
    register, before = riskcalc.load(folder), riskcalc.load(SAMPLE)
    assert (len(register.risks), len(register.ratings)) == (len(before.risks) + 2, len(before.ratings) + 2)
    likelihood, impact = register.ratings[["likelihood", "impact"]].iloc[-2]
    assert (likelihood, impact) == (2, 4)


def test_the_mapping_shown_for_any_register_can_be_read(tmp_path: Path) -> None:
    """The example with every setting is one that works."""
    text = "\n".join(
        line[4:]
        for line in DOCS.split("## Another register")[1].split("### ")[0].splitlines()
        if line.startswith("    ")
    )
    small = write_register(tmp_path / "data")
    path = tmp_path / "t.xlsx"
    theirs(path)
    with pytest.raises(RegisterError, match="is no column of sheet Register"):
        planned(small, path, text.replace('"No."', '"Number"'))
