"""Files that must not be opened: each is refused with what to do, before it costs memory."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from workbook_files import change_part, part_of, repack, write_workbook

import riskcalc
from riskcalc.errors import RegisterError
from riskcalc.register.xlsx_guard import LIMITS, OLE, Limits, RefusedError, guarded

ENTITIES = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.fixture
def book(tmp_path: Path, small: Path) -> Path:
    return write_workbook(tmp_path / "register.xlsx", small)


def refused(path: Path) -> str:
    """What is said of a file that is refused as a whole."""
    with pytest.raises(RegisterError) as caught:
        riskcalc.load(path)
    assert {problem.file for problem in caught.value.problems} == {path.name}
    return caught.value.problems[0].allowed


def patched(path: Path, find: bytes, offset: int, new: bytes) -> Path:
    """Overwrite bytes after every place where ``find`` stands."""
    content = bytearray(path.read_bytes())
    at = content.find(find)
    while at >= 0:
        content[at + offset : at + offset + len(new)] = new
        at = content.find(find, at + 1)
    path.write_bytes(bytes(content))
    return path


def bomb(path: Path, part: str, megabytes: int) -> Path:
    """A workbook whose part unpacks to many times its size."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open(part, "w") as target:
        for _ in range(megabytes):
            target.write(b" " * 1_000_000)
    return path


def many_entries(path: Path) -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(LIMITS.entries):
            archive.writestr(f"xl/{number}", b"")
    return path


def understated(path: Path) -> Path:
    """A bomb that declares a few bytes, in both places where a zip file declares them."""
    bomb(path, "xl/media/image.png", 1)
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = content.find(b"xl/media/image.png", content.find(mark))
        start = content.rfind(mark, 0, at)
        content[start + offset : start + offset + 4] = struct.pack("<I", 10)
    path.write_bytes(bytes(content))
    return path


@pytest.mark.parametrize(
    ("spoil", "allowed"),
    [
        (lambda path: path.write_bytes(OLE + b"\0" * 600), "an old .xls file, or protected by a password"),
        (lambda path: path.write_bytes(b""), "is no .xlsx workbook"),
        (lambda path: path.write_bytes(b"risk_id;unit_id\n"), "is no .xlsx workbook; save it as .xlsx in a spreadsheet"),
        (lambda path: path.write_bytes(path.read_bytes()[:-700]), "is cut off or damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000] + b"\0" * 400 + path.read_bytes()[5400:]), "is damaged"),
        (lambda path: repack(path, **{"[Content_Types]_dot_xml": None, "xl__workbook_dot_xml": None}), "is a zip file, but no .xlsx"),
        (lambda path: repack(path, xl__workbook_dot_xml=None), "holds no workbook"),
        (lambda path: repack(path, xl__vbaProject_dot_bin=b"x"), "holds macros; save it as .xlsx, which has none"),
        (lambda path: repack(path, xl__macrosheets__sheet1_dot_xml=b"x"), "holds macros"),
        (lambda path: patched(path, b"PK\x01\x02", 8, b"\x01\x00"), "is protected by a password"),
        (lambda path: patched(path, b"PK\x01\x02", 10, b"\x0e\x00"), "is packed in a way that spreadsheets don't use"),
        (lambda path: bomb(path, "xl/sharedStrings.xml", 60), "unpacks to more than 200 times its size"),
        (lambda path: patched(bomb(path, "xl/media/a", 1), b"PK\x01\x02", 24, b"\xff\xff\xff\x7f"), "MB; allowed: 600 MB"),
        (many_entries, "holds more than 2,000 parts"),
    ],
    ids=["old", "empty", "csv", "cut off", "damaged", "zip", "no workbook", "macros", "macro sheets", "encrypted",
         "packed", "bomb", "declared bomb", "entries"],
)  # fmt: skip
def test_what_is_no_workbook_is_refused_with_what_to_do(
    book: Path, spoil: Callable[[Path], object], allowed: str
) -> None:
    """An old, encrypted, broken or malicious file ends with one sentence that says what to do about it."""
    spoil(book)
    assert allowed in refused(book)


def test_a_file_named_as_one_with_macros_is_refused(book: Path) -> None:
    """An .xlsm is refused by its name already."""
    assert "save it as .xlsx" in refused(book.rename(book.with_suffix(".xlsm")))


def test_a_part_that_stands_there_twice_is_refused(book: Path) -> None:
    """Two sheets under one name, of which programs show different ones, are no register."""
    with zipfile.ZipFile(book, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("xl/workbook.xml", b"<workbook/>")
    assert "holds a part twice" in refused(book)


@pytest.mark.parametrize("doctype", [ENTITIES, LAUGHS])
@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/styles.xml", "_rels/.rels", "sheet"])
def test_no_entity_is_read_in_any_part(book: Path, part: str, doctype: str) -> None:
    """A document type, with which XML reads other files or multiplies itself, is refused wherever it stands."""
    name = part_of(book, "risks") if part == "sheet" else part
    with zipfile.ZipFile(book) as archive:
        text = archive.read(name).decode()
    root = text.index("<", text.index("?>") if text.startswith("<?") else 0)
    change_part(book, name, text[root:], doctype + text[root:])
    assert "declares a document type" in refused(book)


def test_a_part_that_lies_about_its_size_is_never_unpacked_beyond_it(book: Path) -> None:
    """What a file declares is not believed: inflating stops at the limit, whatever the directory says."""
    understated(book)
    with pytest.raises(RegisterError, match="damaged"), guarded(book) as package:
        package.parse("xl/media/image.png", lambda *_: None)


def test_what_is_unpacked_is_counted_over_all_parts(book: Path) -> None:
    """Many parts that are each allowed don't add up to more than is."""
    with pytest.raises(RegisterError, match="unpacks to"), guarded(book, Limits(inflated_bytes=20_000)):
        pass
    part = part_of(book, "risks")
    with guarded(book) as package:
        package._left = 1000
        with pytest.raises(RefusedError, match="unpacks to more than"):
            package.parse(part, lambda *_: None)


def test_markup_of_one_endless_piece_is_refused(book: Path) -> None:
    """An attribute of megabytes isn't collected in memory before it is refused."""
    part = part_of(book, "risks")
    change_part(book, part, "<sheetData>", f'<sheetData x="{"y" * 3_000_000}">')
    assert "holds a piece of markup of more than 2,000,000 bytes" in refused(book)


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ('<row r="2">', '<row r="1">', "rows out of order"),
        ('<row r="2">', '<row r="1048577">', "rows out of order"),
        ('r="B2"', 'r="A2"', "cells out of order in row 2"),
        ('r="B2"', 'r="b2"', "has a cell called 'b2'"),
        ('r="B2"', 'r="XFD2"', "has text in column XFD; allowed: 256 columns"),
        ('t="inlineStr"', 't="s"', "points at a text that isn't there"),
        ("<is><t>risk_id</t></is>", "<v>1e999</v>", "as a number"),
        ("<sheetData>", '<sheetFormatPr zeroHeight="1"/><sheetData>', "rows are hidden by default"),
    ],
)
def test_a_sheet_that_contradicts_itself_is_refused(book: Path, old: str, new: str, allowed: str) -> None:
    """Programs would read such a sheet in different ways; it is refused instead of read in one of them."""
    part = part_of(book, "risks")
    change_part(book, part, old, new)
    if "1e999" in new:
        change_part(book, part, 't="inlineStr"><v>', 't="n"><v>')
    assert allowed in refused(book)


def test_too_many_cells_are_refused(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet formatted down to its last row isn't read cell by cell into memory."""
    monkeypatch.setattr("riskcalc.register.xlsx_guard.guarded.__wrapped__.__defaults__", (Limits(cells=50),))
    assert "holds more cells than a register can have" in refused(book)


def test_too_much_text_is_refused(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that packs well enough to pass every other limit isn't collected for ever."""
    monkeypatch.setattr("riskcalc.register.xlsx_guard.guarded.__wrapped__.__defaults__", (Limits(characters=2000),))
    assert "holds more than 2,000 characters" in refused(book)


def test_a_bomb_costs_no_memory(book: Path) -> None:
    """Half a gigabyte of nothing in half a megabyte is refused within a few megabytes of memory."""
    bomb(book, "xl/sharedStrings.xml", 400)
    assert book.stat().st_size < 1_000_000
    tracemalloc.start()
    try:
        assert "unpacks to" in refused(book)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_refusals_are_for_one_file_only() -> None:
    """The guard's own error never reaches a user without the file's name."""
    with (
        pytest.raises(RegisterError, match=r"nowhere\.xlsx: can't be read: No such file"),
        guarded(Path("nowhere.xlsx")),
    ):
        pass
    assert not issubclass(RefusedError, RegisterError)
