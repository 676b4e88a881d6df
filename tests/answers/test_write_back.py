"""Answers in the client's own file: what is answered changes, and nothing else."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import PatternFill, Protection
from openpyxl.worksheet.datavalidation import DataValidation

from riskcalc.answers.mapping import left_out, propose
from riskcalc.answers.questionnaire_files import read_questionnaire
from riskcalc.answers.write_back import filled
from riskcalc.errors import RegisterError


def workbook(path: Path, edit: Any = None) -> Path:
    """A questionnaire with what is easily lost: lists on another sheet, formats, merges, comments, formulas."""
    book = openpyxl.Workbook()
    sheet, lists = book.active, book.create_sheet("Lists")
    for row in (["Title"], ["No", "Question", "Answer", "Comment"], [1, "Is it so?"], [2, "How many?"], [3, "Sum?"]):
        sheet.append(row)
    for row, value in enumerate(["Yes", "No", "Partly"], 1):
        lists.cell(row, 1, value)
        lists.cell(row, 2, row)
    for cells, source in (("C3", "Lists!$A$1:$A$3"), ("C4", "Lists!$B$1:$B$3")):
        rule = DataValidation(type="list", formula1=source)
        sheet.add_data_validation(rule)
        rule.add(cells)
    sheet["C5"] = "=1+1"
    sheet.merge_cells("A1:D1")
    sheet["B3"].comment = Comment("Think.", "Client")
    sheet["C3"].fill = PatternFill("solid", fgColor="FFFF00")
    sheet.conditional_formatting.add(
        "C3:C9", CellIsRule("equal", ['"No"'], fill=PatternFill("solid", bgColor="FF0000"))
    )
    if edit:
        edit(book, sheet)
    book.save(path)
    return path


def parts(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_all_but_the_answered_sheet_and_the_request_to_compute_stays(tmp_path: Path) -> None:
    """Drop-downs, formats, merges, comments and styles are there as they were; formulas will be computed anew."""
    path = workbook(tmp_path / "q.xlsx")
    content, left = filled(path, {"Sheet": {(3, 2): "Yes", (3, 3): "=1+1 & <b>", (4, 2): "2"}})
    before, after = parts(path.read_bytes()), parts(content)
    changed = {name for name in before if before[name] != after[name]}
    assert (list(before), left) == (list(after), {})
    assert changed <= {"xl/worksheets/sheet1.xml", "xl/workbook.xml"}
    assert b'fullCalcOnLoad="1"' in after["xl/workbook.xml"]
    (tmp_path / "filled.xlsx").write_bytes(content)
    sheet = openpyxl.load_workbook(tmp_path / "filled.xlsx")["Sheet"]
    assert (sheet["C3"].value, sheet["D3"].value, sheet["C4"].value) == ("Yes", "=1+1 & <b>", 2)
    assert sheet["D3"].data_type == "s", "a text that begins like a formula stays a text"
    assert sheet["C3"].fill.fgColor.rgb == "00FFFF00"
    assert len(sheet.data_validations.dataValidation) == 2
    assert sheet["B3"].comment.text == "Think."
    assert filled(path, {"Sheet": {(3, 2): "Yes"}})[0] == filled(path, {"Sheet": {(3, 2): "Yes"}})[0]


def test_a_row_whose_number_is_none_is_the_next_one(tmp_path: Path) -> None:
    """As it was read, so it is written: some writers number rows in ways that spreadsheets pass over."""
    path, told = workbook(tmp_path / "q.xlsx"), tmp_path / "told.xlsx"
    with zipfile.ZipFile(told, "w") as archive:
        for name, content in parts(path.read_bytes()).items():
            archive.writestr(name, content.replace(b'<row r="3"', b'<row r="third"'))
    content, left = filled(told, {"Sheet": {(3, 2): "Yes", (4, 2): "2"}})
    assert not left
    assert parts(content)["xl/worksheets/sheet1.xml"].count(b'<row r="third"') == 1
    (tmp_path / "filled.xlsx").write_bytes(content)
    answers = read_questionnaire(tmp_path / "filled.xlsx")[0].rows
    assert [answers[row][2] for row in (3, 4)] == ["Yes", "2"]


def test_formulas_and_locked_cells_are_left_and_told(tmp_path: Path) -> None:
    """A client's formula is never overwritten; on a protected sheet only unlocked cells are answered."""
    path = workbook(tmp_path / "q.xlsx")
    assert filled(path, {"Sheet": {(5, 2): "3"}})[1] == {("Sheet", (5, 2)): "a formula stands there"}

    def protect(_: Any, sheet: Any) -> None:
        sheet.protection.sheet = True
        sheet["C3"].protection = Protection(locked=False)

    locked = workbook(tmp_path / "locked.xlsx", protect)
    content, left = filled(locked, {"Sheet": {(3, 2): "Yes", (4, 2): "2"}})
    assert list(left) == [("Sheet", (4, 2))]
    assert "protected" in left["Sheet", (4, 2)]
    assert b">Yes<" in parts(content)["xl/worksheets/sheet1.xml"]


def test_protected_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    """A file with a password, or with macros, says how to go on."""
    path = tmp_path / "q.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    with pytest.raises(RegisterError, match=r"save it as \.xlsx without a password"):
        filled(path, {"Sheet": {(3, 2): "Yes"}})


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.tuples(st.integers(2, 5), st.integers(3, 40)), st.text(max_size=60), max_size=6))
def test_any_text_comes_back_and_nothing_else_moves(tmp_path: Path, answers: dict[tuple[int, int], str]) -> None:
    """Whatever is typed, into cells that are there or not: what is read back is that text, and all other cells stay."""
    path = workbook(tmp_path / "q.xlsx")
    texts = {place: f"x{text}x".replace("\r", " ") for place, text in answers.items()}
    content, _ = filled(path, {"Sheet": texts})
    (tmp_path / "filled.xlsx").write_bytes(content)
    before, after = (read_questionnaire(each)[0] for each in (path, tmp_path / "filled.xlsx"))
    odd = {
        place
        for place, text in texts.items()
        if any(ord(each) < 32 or 0xD800 <= ord(each) < 0xE000 or ord(each) > 0xFFFD for each in text)
    }
    for row in range(1, 6):
        for column in range(45):
            if (row, column) not in odd:
                expected = texts.get((row, column), before.text(row, column)).strip()
                assert after.text(row, column) == expected, (row, column)


def test_a_csv_keeps_every_record_that_isnt_answered(tmp_path: Path) -> None:
    """Odd quoting stays in other records, and a formula is made a text for whoever opens it in a spreadsheet."""
    path = tmp_path / "q.csv"
    path.write_bytes(b'Question,Answer\r\n"Is it so?",\r\n"Other ""one""",keep\r\n')
    content, _ = filled(path, {"csv": {(2, 1): "=Yes"}})
    assert content == b'Question,Answer\r\nIs it so?,\'=Yes\r\n"Other ""one""",keep\r\n'


def test_a_csv_with_semicolons_keeps_them(tmp_path: Path) -> None:
    """It is read by what separates its cells, and answered with the same."""
    path = tmp_path / "q.csv"
    path.write_bytes(b"Ref;Question;Answer\n1;Is it named, dated, signed?;\n2;Is it so, or not?;\n")
    assert read_questionnaire(path)[0].text(2, 1) == "Is it named, dated, signed?"
    assert b"1;Is it named, dated, signed?;Yes, it is\n" in filled(path, {"csv": {(2, 2): "Yes, it is"}})[0]


def test_a_word_table_gets_text_in_the_empty_cell(tmp_path: Path) -> None:
    """The other parts of the document, and its other cells, stay as they are."""
    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"
    rows = f"<w:tr>{cell.format('Question')}{cell.format('Answer')}</w:tr><w:tr>{cell.format('Is it so?')}<w:tc><w:p/></w:tc></w:tr>"
    xml = f'<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>Who are you?</w:t></w:r></w:p><w:tbl>{rows}</w:tbl></w:body></w:document>'
    path = tmp_path / "q.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", xml)
    sheets = read_questionnaire(path)
    assert left_out(propose(sheets), sheets) == ["outside of the tables: Who are you?"]
    content, _ = filled(path, {"Table 1": {(2, 1): "Yes & no"}})
    assert parts(content)["word/document.xml"].decode() == xml.replace(
        "<w:p/>", '<w:p><w:r><w:t xml:space="preserve">Yes &amp; no</w:t></w:r></w:p>'
    )
    (tmp_path / "filled.docx").write_bytes(content)
    assert read_questionnaire(tmp_path / "filled.docx")[0].text(2, 1) == "Yes & no"
