"""Workbooks of any bytes: each ends with rows or with problems, never with a traceback."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from register_files import SAMPLE
from workbook_files import write_workbook

import riskcalc
from riskcalc.errors import RegisterError, RiskcalcError
from riskcalc.excel.writer import TEXT, Sheets, escape
from riskcalc.register.xlsx_cells import Odd, as_number, open_workbook, unescape
from riskcalc.register.xlsx_guard import RefusedError

ANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
PIECES = [
    "<worksheet>", "</worksheet>", "<sheetData>", "</sheetData>", '<row r="1">', "<row>", '<row r="2" hidden="1">', "</row>",
    '<c r="A1" t="s">', '<c t="inlineStr">', '<c t="b">', '<c t="e">', '<c t="d">', '<c s="1">', "<c>", "</c>", "<v>", "</v>", "<f>", "</f>",
    "<is>", "</is>", "<t>", "</t>", "<rPh>", "</rPh>", "0", "1e308", "-1", "NaN", "_xD800_", "_x0000_", "risk_id", "&#10;", "&amp;", "&x;",
    '<mergeCell ref="A1:"/>', '<col min="0" max="99999999" hidden="1"/>', '<c r="ZZZ1">', '<c r="A">', "<!-- x -->", "<![CDATA[y]]>", "<?p?>",
]  # fmt: skip


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A valid workbook's bytes."""
    return write_workbook(tmp_path_factory.mktemp("valid") / "valid.xlsx", SAMPLE).read_bytes()


def read(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        riskcalc.load(path)
    except RiskcalcError as error:
        assert str(error)  # noqa: PT017


@ANY
@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18]))
def test_arbitrary_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes, first: bytes) -> None:
    """A file of anything under the name of a workbook ends with a sentence."""
    path = tmp_path_factory.getbasetemp() / "any.xlsx"
    path.write_bytes(first + content)
    with pytest.raises(RegisterError):
        riskcalc.load(path)


@ANY
@given(st.lists(st.tuples(st.integers(0, 10**9), st.binary(min_size=1, max_size=4)), min_size=1, max_size=5))
def test_a_workbook_with_flipped_bytes_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, valid: bytes, flips: list[tuple[int, bytes]]
) -> None:
    """A file damaged on its way is never half read."""
    content = bytearray(valid)
    for at, new in flips:
        place = at % len(content)
        content[place : place + len(new)] = new
    read(tmp_path_factory.getbasetemp() / "flipped.xlsx", bytes(content))


@ANY
@given(
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
    st.sampled_from(["worksheets/sheet5", "styles", "workbook", "_rels/workbook.xml.rels"]),
)
def test_parts_of_any_markup_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, valid: bytes, markup: str, part: str
) -> None:
    """Sheets that other programs wrote in unforeseen ways are rows or problems."""
    path = tmp_path_factory.getbasetemp() / "markup.xlsx"
    path.write_bytes(valid)
    name = f"xl/{part}" if part.endswith("rels") else f"xl/{part}.xml"
    with zipfile.ZipFile(path) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in {**parts, name: f"<worksheet>{markup}</worksheet>".encode()}.items():
            archive.writestr(entry, content)
    try:
        riskcalc.load(path)
    except RiskcalcError as error:
        assert str(error)  # noqa: PT017


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from("_x0D=+\r\n\ufffe\uffff"))


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_escaping_is_undone_by_unescaping(text: str) -> None:
    """No text is mistaken for an escape, and no escape for text."""
    assert unescape(escape(text)) == text


@ANY
@given(st.lists(TEXTS, min_size=1, max_size=20))
def test_openpyxl_reads_what_we_write(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """Another reader finds the same texts, as texts: what we write isn't in a dialect of our own."""
    path = tmp_path_factory.getbasetemp() / "written.xlsx"
    with Sheets() as sheets:
        sheet = sheets.sheet("texts")
        for text in texts:
            sheet.row([f"x{text}"], TEXT)
        path.write_bytes(sheets.as_bytes())
    with open_workbook(path) as book:
        assert [cells[0] for _, cells in book.grid("texts").rows] == [f"x{text}" for text in texts]
    cells = [row[0] for row in openpyxl.load_workbook(path)["texts"]]
    assert [(unescape(cell.value), cell.data_type) for cell in cells] == [(f"x{text}", "s") for text in texts]


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_fifteen_digits(number: float) -> None:
    """A number is read as a spreadsheet shows it, without an exponent, whatever its size."""
    assert float(as_number(repr(number))) == float(f"{number:.15g}")


@pytest.mark.parametrize("text", ["", "1_000", "٣", "0x10", "nan", "1e400", "--1"])
def test_what_is_no_number_is_refused(text: str) -> None:
    """A cell that says it is a number and holds none is a damaged file."""
    with pytest.raises(RefusedError, match="as a number"):
        as_number(text)


def test_half_a_character_is_no_text() -> None:
    """The escape of half an emoji, as a program leaves it that cuts texts off, is refused; two halves are one."""
    assert unescape("_xD83D_") == Odd("character", "_xD83D_")
    assert unescape("_xD83D__xDE00_") == "😀"
