"""Which columns ask and are to be answered: proposed by headings and content, never the client's own."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from openpyxl.styles import Font
from openpyxl.worksheet.datavalidation import DataValidation

from riskcalc.answers.mapping import Columns, asked, left_out, propose
from riskcalc.answers.questionnaire_files import Block, Sheet, read_questionnaire


def found(rows: list[list[str]]) -> tuple[Columns, list[str]]:
    sheet = Sheet("S", dict(enumerate(rows, 1)))
    [columns] = propose([sheet]).sheet
    return columns, [text for *_, text in asked(columns, sheet)]


@pytest.mark.parametrize(("heading", "listed"), [("Response", False), ("Compliance", False), ("Response", True)])
def test_totals_ask_nothing_and_merged_bands_are_sections(heading: str, listed: bool) -> None:
    """Also where no heading says what is to be answered, and where a drop-down runs down the whole column; who comments, and what numbers, is found by its heading."""
    rows = [
        ["Ref", "Control", heading, "Supplier commentary"],
        ["1 Access"],
        ["A.1", "Are rights reviewed by managers?"],
    ]
    rows += [["A.2", "Are there passwords?"], ["A.3", "Is there a policy on them?"], ["", "Total weight", "100"]]
    down: list[tuple[Block, tuple[str, ...] | None]] = [((2, 40, 2, 2), ("Yes", "No"))]
    sheet = Sheet("S", dict(enumerate(rows, 1)), lists=down * listed, merged=[(2, 2, 0, 3)])
    hidden = Sheet("Scoring", {1: ["Points"]}, unread="hidden")
    intro = Sheet("Read me", {1: ["Fill in all sheets."]})
    proposed = propose([intro, sheet, hidden])
    [columns] = proposed.sheet
    assert (columns.reference, columns.question, columns.answer, columns.comment) == ("A", "B", "C", "D")
    assert [each[:3] for each in asked(columns, sheet)] == [(row, "1 Access", f"A.{row - 2}") for row in (3, 4, 5)]
    assert left_out(proposed, [intro, sheet, hidden]) == ["Read me: not in the map", "Scoring: hidden"]


def test_rows_that_a_filter_hides_and_a_second_table_are_told() -> None:
    """Whoever sends the file knows that something in it wasn't answered."""
    rows = [["No", "Question", "Answer"], ["1", "Are backups taken?"], ["2", "Is there a policy on them?"]]
    rows += [["Ref", "", "Question", "Response"], ["B", "", "Are rights reviewed by managers?"]]
    sheet = Sheet("S", dict(enumerate(rows, 1)), hidden={3})
    assert left_out(propose([sheet]), [sheet]) == [
        "S: 1 hidden row with a text in B: 3",
        "S, C5, not in column B: Are rights reviewed by managers?",
    ]


def test_headings_may_be_repeated_and_titles_ask_nothing() -> None:
    """The comments' heading stands further down; numbers without a title's row are questions."""
    columns, texts = found(
        [
            ["Backup", "", "Answer", "", "Analyst Notes"],
            ["B-1", "Are backups taken every night?"],
            ["Access", "", "Answer", "Additional Information", "Analyst Notes"],
            ["A-1", "Are rights reviewed by managers?"],
        ]
    )
    assert (columns.header, columns.question, columns.answer, columns.comment) == (1, "B", "C", "D")
    assert texts == ["Are backups taken every night?", "Are rights reviewed by managers?"]


def test_without_headings_what_asks_tells() -> None:
    """The column in which questions stand, and the empty one beside it."""
    columns, texts = found([[f"Do you do the thing with number {number}?", ""] for number in range(4)])
    assert (columns.header, columns.question, columns.answer, len(texts)) == (0, "A", "B", 4)


@pytest.mark.parametrize("bold", [["B2"], [], ["B2", "B3"]], ids=["a band", "no bold", "bold questions"])
def test_what_alone_is_bold_among_numbered_questions_is_a_section(bold: list[str], tmp_path: Path) -> None:
    """Where the drop-down runs down the whole column; without bold, or with bold questions, it may be one that asks."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["No", "Question", "Answer"], ["", "Access"], ["1", "Are rights reviewed?"], ["2", "Multi-factor"]):
        sheet.append(row)
    for place in bold:
        sheet[place].font = Font(bold=True)
    rule = DataValidation(type="list", formula1='"Yes,No"', sqref="C2:C40")
    sheet.add_data_validation(rule)
    book.save(tmp_path / "q.xlsx")
    [read] = read_questionnaire(tmp_path / "q.xlsx")
    [columns] = propose([read]).sheet
    told = [each[1:] for each in asked(columns, read)]
    section, first = ("Access", []) if bold == ["B2"] else ("", [("", "", "Access")])
    assert told == [*first, (section, "1", "Are rights reviewed?"), (section, "2", "Multi-factor")]
