"""Answers put into the client's own file: every other byte of every part stays as it was.

A workbook or document is never read into a model and saved from it: that loses what the model doesn't know. The XML
of the sheets is cut open at the cells that are answered, and nowhere else.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import escape

from riskcalc.answers.questionnaire_files import cell_name, separator_of
from riskcalc.files import as_line, for_people, read
from riskcalc.register.xlsx_cells import Workbook, column_of, whole
from riskcalc.register.xlsx_guard import Package, RefusedError, guarded

Place = tuple[int, int]  # row from 1, column from 0
Edit = tuple[int, int, bytes]  # from, to, what stands there instead
LONGEST = 32_767  # characters of a cell
_DOCUMENT = "word/document.xml"


def filled(path: Path, answers: Mapping[str, Mapping[Place, str]]) -> tuple[bytes, dict[tuple[str, Place], str]]:
    """A questionnaire with answers, by sheet and place, in it; and those that can't be written, with why not.

    A number among a workbook's answers is written as one, any other text as text, also where it begins with ``=``.

    Raises:
        RegisterError: the file can't be used, or is protected as a whole.
    """
    if path.suffix.lower() == ".csv":
        return _csv(path, answers["csv"]) if "csv" in answers else read(path), {}
    with guarded(path) as package:
        if path.suffix.lower() == ".docx":
            return _package(path, {_DOCUMENT: _document(package.read(_DOCUMENT), answers)}), {}
        parts, left = _sheets(package, answers)
    return _package(path, parts), left


def is_number(text: str) -> bool:
    """Whether a choice of a drop-down is a number, and so written as one.

    >>> is_number("3"), is_number("0.5"), is_number("007"), is_number("1e5")
    (True, True, False, False)
    """
    return re.fullmatch(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?", text) is not None


# --- workbooks ---


def _sheets(
    package: Package, answers: Mapping[str, Mapping[Place, str]]
) -> tuple[dict[str, bytes], dict[tuple[str, Place], str]]:
    book, parts, left = Workbook(package), dict[str, bytes](), dict[tuple[str, Place], str]()
    for name, cells in answers.items():
        part = book.sheets[name].part
        patch = _SheetPatch(package.read(part), cells, book.styles.unlocked())
        parts[part] = patch.content()
        left |= {(name, place): why for place, why in patch.left.items()}
    main = "xl/workbook.xml"
    parts[main] = _recalculated(package.read(main))
    return parts, left


@dataclass
class _Cell:
    """A cell that is to be answered, as its sheet has it."""

    start: int
    column: int
    attributes: dict[str, str]
    formula: bool = False
    end: int = -1


@dataclass
class _Row:
    """A row that has cells to be answered: where its tag ends, its cells, and where it ends itself."""

    number: int
    start: int
    after_tag: int
    empty: bool
    cells: list[_Cell] = field(default_factory=list)
    close: int = -1


class _SheetPatch:
    """The XML of a sheet, and what is to stand in some of its cells."""

    def __init__(self, xml: bytes, cells: Mapping[Place, str], unlocked: set[str]) -> None:
        self._xml, self._cells, self._unlocked = xml, cells, unlocked
        self.left: dict[Place, str] = {}
        self._rows: dict[int, _Row] = {}
        self._wanted = {row for row, _ in cells}
        self._number, self._column, self._row, self._prefix = 0, -1, None, ""
        self._protected, self._merged = False, list[str]()
        self._parser = _parser(xml, self._start, self._end)

    _row: _Row | None

    def content(self) -> bytes:
        """The sheet with the answers; ``left`` says which it refuses."""
        self._parser.Parse(self._xml, True)
        if self._protected:
            self._refuse_locked()
        edits = [edit for number in self._wanted for edit in self._edits(number)]
        return _applied(self._xml, edits)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name, at = tag.rpartition(":")[2], self._parser.CurrentByteIndex
        if name == "row":
            self._prefix = tag.removesuffix("row")
            self._number = whole(attributes.get("r"), self._number + 1)
            self._column, after = -1, self._xml.index(b">", at) + 1
            wanted = self._number in self._wanted
            self._row = _Row(self._number, at, after, _is_empty(self._xml, at)) if wanted else None
        elif name == "c" and self._row:
            self._column = column_of(re.sub("[0-9]", "", attributes["r"])) if "r" in attributes else self._column + 1
            self._row.cells.append(_Cell(at, self._column, attributes))
        elif name == "f" and self._row and self._row.cells:
            self._row.cells[-1].formula = True
        elif name == "sheetProtection":
            self._protected = attributes.get("sheet") in ("1", "true")

    def _end(self, tag: str) -> None:
        name, at = tag.rpartition(":")[2], self._parser.CurrentByteIndex
        if self._row and name == "c":
            cell = self._row.cells[-1]
            alone = self._xml.index(b"/>", cell.start) + 2 if _is_empty(self._xml, cell.start) else 0
            cell.end = alone or self._xml.index(b">", at) + 1
        elif self._row and name == "row":
            self._row.close = self._row.after_tag if self._row.empty else at
            self._rows[self._number] = self._row
            self._row = None

    def _refuse_locked(self) -> None:
        for row, column in self._cells:
            cells = self._rows[row].cells if row in self._rows else []
            styles = [cell.attributes.get("s", "0") for cell in cells if cell.column == column]
            if not (styles and styles[0] in self._unlocked):
                self.left[row, column] = (
                    "the sheet is protected and this cell is locked: ask the client, or take the protection off"
                )

    def _edits(self, number: int) -> list[Edit]:
        row, found = self._rows.get(number), list[Edit]()
        for (at, column), text in sorted(self._cells.items()):
            if at != number or (at, column) in self.left:
                continue
            old = next((cell for cell in row.cells if cell.column == column), None) if row else None
            if row is None:
                self.left[at, column] = "there is no such row"
            elif old and old.formula:
                self.left[at, column] = "a formula stands there"
            elif old:
                found.append((old.start, old.end, self._cell(at, column, text, old.attributes.get("s", ""))))
            elif row.empty:
                tag = self._xml[row.start : row.after_tag]
                new = self._cell(at, column, text, "")
                found.append((row.start, row.after_tag, tag[:-2] + b">" + new + f"</{self._prefix}row>".encode()))
            else:
                place = next((cell.start for cell in row.cells if cell.column > column), row.close)
                found.append((place, place, self._cell(at, column, text, "")))
        return found

    def _cell(self, row: int, column: int, text: str, style: str) -> bytes:
        p, styled = self._prefix, f' s="{style}"' if style else ""
        if is_number(text):
            return f'<{p}c r="{cell_name(row, column)}"{styled}><{p}v>{text}</{p}v></{p}c>'.encode()
        shown = f'<{p}is><{p}t xml:space="preserve">{_escaped(text)}</{p}t></{p}is>'
        return f'<{p}c r="{cell_name(row, column)}"{styled} t="inlineStr">{shown}</{p}c>'.encode()


def _escaped(text: str) -> str:
    """Text as a workbook keeps it: what XML can't hold, or would read as such an escape, as ``_x000D_``."""
    text = re.sub("_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text[:LONGEST])
    text = re.sub("[\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]", lambda found: f"_x{ord(found[0]):04X}_", text)
    return escape(text)


_AFTER = (  # what the order of workbook.xml wants behind calcPr
    rb"<(\w+:)?(oleSize|customWorkbookViews|pivotCaches|smartTagPr|smartTagTypes|webPublishing|fileRecoveryPr|"
    rb"webPublishObjects|extLst)\b|</(\w+:)?workbook\s*>"
)


def _recalculated(xml: bytes) -> bytes:
    """workbook.xml, asking whoever opens it to compute its formulas anew.

    >>> _recalculated(b"<workbook><calcPr/></workbook>")
    b'<workbook><calcPr fullCalcOnLoad="1"/></workbook>'
    """
    if old := re.search(rb"(<(?:\w+:)?calcPr\b[^>]*?)(/?>)", xml):
        tag = re.sub(rb"\s+fullCalcOnLoad\s*=\s*(\"[^\"]*\"|'[^']*')", b"", old[1])
        return xml[: old.start()] + tag + b' fullCalcOnLoad="1"' + old[2] + xml[old.end() :]
    place = re.search(_AFTER, xml)
    if not place:
        raise RefusedError("holds no workbook")
    new = b"<" + (place[1] or place[3] or b"") + b'calcPr fullCalcOnLoad="1"/>'
    return xml[: place.start()] + new + xml[place.start() :]


# --- documents and CSV ---


def _document(xml: bytes, answers: Mapping[str, Mapping[Place, str]]) -> bytes:
    """A document with a run of text at the end of the first paragraph of each cell answered."""
    wanted = {(name, *place): text for name, cells in answers.items() for place, text in cells.items()}
    edits: list[Edit] = []
    at, depth = {"table": 0, "row": 0, "column": -1, "paragraph": 0}, [0]

    def start(tag: str, _: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        depth[0] += name == "tbl"
        at["paragraph"] = parser.CurrentByteIndex if name == "p" else at["paragraph"]
        if depth[0] == 1 and name in ("tbl", "tr", "tc"):
            tables, rows, columns = at["table"] + 1, at["row"] + 1, at["column"] + 1
            then = {"tbl": {"table": tables, "row": 0}, "tr": {"row": rows, "column": -1}, "tc": {"column": columns}}
            at.update(then[name])

    def end(tag: str) -> None:
        prefix, _, name = tag.rpartition(":")
        p, place = f"{prefix}:" if prefix else "", (f"Table {at['table']}", at["row"], at["column"])
        if depth[0] == 1 and name == "p" and place in wanted:
            run = f'<{p}r><{p}t xml:space="preserve">{escape(_plain(wanted.pop(place)))}</{p}t></{p}r>'
            here = parser.CurrentByteIndex
            if _is_empty(xml, at["paragraph"]):
                here = xml.index(b"/>", at["paragraph"])
                edits.append((here, here + 2, f">{run}</{tag}>".encode()))
            else:
                edits.append((here, here, run.encode()))
        depth[0] -= name == "tbl"

    parser = _parser(xml, start, end)
    parser.Parse(xml, True)
    return _applied(xml, edits)


def _plain(text: str) -> str:
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]", " ", text)


def _csv(path: Path, cells: Mapping[Place, str]) -> bytes:
    """A CSV file whose answered records alone are written anew."""
    content = read(path)
    lines, separator = list(io.StringIO(content.decode("utf-8-sig"), newline="")), separator_of(content)
    new, at, reader = list[str](), 0, csv.reader(lines, delimiter=separator)
    for record in reader:
        first, at = at + 1, reader.line_num
        mine = {column: text for (row, column), text in cells.items() if row == first}
        width = max([len(record), *(column + 1 for column in mine)])
        if mine:
            record = [
                for_people(mine[column]) if column in mine else (*record, *[""] * width)[column]
                for column in range(width)
            ]
            new.append(as_line(record, "\r\n" if lines[at - 1].endswith("\r\n") else "\n", separator))
        else:
            new.extend(lines[first - 1 : at])
    return (b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b"") + "".join(new).encode()


# --- parts ---


def _parser(
    xml: bytes, start: Callable[[str, dict[str, str]], object], end: Callable[[str], object]
) -> expat.XMLParserType:
    if xml[:2] in (b"\xff\xfe", b"\xfe\xff") or not re.match(
        rb"(\xef\xbb\xbf)?\s*<(\?xml[^>]*encoding=[\"']utf-8[\"']|\?xml(?![^>]*encoding)|(?!\?xml))", xml, re.IGNORECASE
    ):
        raise RefusedError("has parts in another encoding than UTF-8; open it in a spreadsheet and save it again")
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    return parser


def _is_empty(xml: bytes, start: int) -> bool:
    """Whether the tag that starts at a place is an element by itself."""
    return xml[xml.index(b">", start) - 1 : xml.index(b">", start)] == b"/"


def _applied(content: bytes, edits: Iterable[Edit]) -> bytes:
    """Content with pieces of it replaced; those at one place in their order."""
    pieces, at = list[bytes](), 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        pieces += [content[at:start], new]
        at = end
    return b"".join([*pieces, content[at:]])


def _package(path: Path, parts: Mapping[str, bytes]) -> bytes:
    """A zip file with some parts replaced; order, days and packing of all of them stay."""
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w") as new:
        for entry in old.infolist():
            content = parts.get(entry.filename)
            new.writestr(entry, old.read(entry) if content is None else content, entry.compress_type)
    return made.getvalue()
