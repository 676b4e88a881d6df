"""Which columns ask and are to be answered: proposed by headings and content, never the client's own."""

from __future__ import annotations

from riskcalc.answers.mapping import Columns, asked, propose
from riskcalc.answers.questionnaire_files import Sheet


def found(rows: list[list[str]]) -> tuple[Columns, list[str]]:
    sheet = Sheet("S", dict(enumerate(rows, 1)))
    [columns] = propose([sheet]).sheet
    return columns, [text for *_, text in asked(columns, sheet)]


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
