"""Writing workbooks: register text goes in as text, whatever it begins with, and comes out as it went in.

A cell that begins with ``=``, ``+``, ``-`` or ``@`` is no formula here, ``#N/A`` no error, and ``_x000D_`` no carriage
return: texts are stored as texts, marked as quoted, and escaped as Excel does. The same content gives the same bytes.
"""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape as xml_escape

from riskcalc.errors import Problem

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

LONGEST = 32_767  # characters that a cell can hold, counted as Excel counts them: in UTF-16
_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
_QUOTED = tuple("=+-@\t\r\n|%'\"＝＋－＠")
_LINE, _MOST = 13.5, 30  # the height of a line in points, and how many lines a row shows at most
_EPOCH = (1980, 1, 1, 0, 0, 0)
_DAY = b"1980-01-01T00:00:00Z"


@dataclass(frozen=True)
class Formula:
    """A live formula, and the value it has as the workbook is written: not every viewer works formulas out."""

    text: str
    value: str | float | None


@dataclass(frozen=True)
class Look:
    """How a cell looks: its colours, weight and format."""

    fill: str = ""
    ink: str = ""
    bold: bool = False
    wrap: bool = False
    number_format: str = "General"
    size: int = 10
    centre: bool = False


TEXT = Look(number_format="@", wrap=True)
HEADER = Look(fill="#26323d", ink="#ffffff", bold=True, number_format="@", wrap=True)
PLAIN = Look(wrap=True)
RUNNING = Look()
TITLE = Look(bold=True, size=14)
NUMBER = Look(number_format="0.00")


def escape(text: str) -> str:
    r"""Text as a workbook stores it: what XML can't hold, or a reader would take for an escape, is spelt out.

    >>> escape("a\rb_x000D_")
    'a_x000D_b_x005F_x000D_'
    """
    return _ESCAPED.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def too_long(text: str) -> bool:
    """Whether a text is longer than a cell can hold."""
    return len(text) * 2 > LONGEST and len(text.encode("utf-16-le")) // 2 > LONGEST


def unfit(table: Any) -> list[Problem]:
    """The cells of a table that no workbook can hold."""
    allowed = f"has more than the {LONGEST:,} characters that a cell of a workbook can hold; shorten it"
    return [
        table.problem(line, column, text, allowed)
        for line, cells in table.cells.items()
        for column, text in cells.items()
        if too_long(text)
    ]


def _lines(text: object, widths: Sequence[float], column: int) -> int:
    """How many lines a text takes in its column, about."""
    width = widths[column] if column < len(widths) else 10
    return sum(1 + int(len(line) / (width * 1.05)) for line in text.split("\n")) if isinstance(text, str) else 1


class Sheets:
    """A workbook being written, sheet by sheet, row by row; nothing of what is written is kept in memory."""

    def __init__(self) -> None:
        from openpyxl import Workbook as New

        self.book: Workbook = New(write_only=True)
        self._rows: dict[str, int] = {}
        self._widths: dict[str, Sequence[float]] = {}
        self._values: dict[str, list[str | float | None]] = {}
        self._styles: dict[tuple[Look, bool], Any] = {}

    def sheet(self, name: str, widths: Sequence[float] = (), frozen: str = "", tab: str = "") -> Any:
        """A new sheet."""
        from openpyxl.utils import get_column_letter

        made = self.book.create_sheet(name)
        self._widths[name] = widths
        for place, width in enumerate(widths, 1):
            made.column_dimensions[get_column_letter(place)].width = width
        if frozen:
            made.freeze_panes = frozen
        if tab:
            made.sheet_properties.tabColor = tab.removeprefix("#")
        made.page_setup.orientation, made.page_setup.fitToHeight = "landscape", 0
        made.sheet_properties.pageSetUpPr.fitToPage = True
        return made

    def row(self, sheet: Any, values: Iterable[object], look: Look | Sequence[Look] = PLAIN) -> None:
        """Add a row; texts are texts, whatever they begin with."""
        looks = [look] if isinstance(look, Look) else look
        self.put(sheet, [self.cell(sheet, value, looks[at % len(looks)]) for at, value in enumerate(values)])

    def put(self, sheet: Any, cells: Sequence[Any]) -> None:
        """Add a row of cells, high enough for its texts: not every spreadsheet sees to that when it opens a file."""
        row = self._rows[sheet.title] = self._rows.get(sheet.title, 0) + 1
        lines = [
            _lines(cell.value, self._widths[sheet.title], at)
            for at, cell in enumerate(cells)
            if cell.alignment.wrap_text
        ]
        if (most := max(lines, default=1)) > 1:
            sheet.row_dimensions[row].height = _LINE * min(most, _MOST)
        sheet.append(cells)

    def cell(self, sheet: Any, value: object, look: Look, note: str = "") -> WriteOnlyCell:
        """A cell."""
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.comments import Comment

        made = WriteOnlyCell(sheet)
        if isinstance(value, Formula):
            made.value = f"={value.text}"
            self._values.setdefault(sheet.title, []).append(value.value)
        elif isinstance(value, str):
            made.value = "text"  # openpyxl looks at what it is given: never at this text
            made._value, made.data_type = escape(value) or None, "s"
        else:
            made.value = value
        self._dress(made, look, isinstance(value, str) and value.startswith(_QUOTED))
        if note:
            made.comment = Comment(note, "riskcalc", height=120, width=320)
        return made

    def _dress(self, cell: Any, look: Look, quoted: bool) -> None:
        """Style a cell as the first one that looked the same: making styles anew would take most of the time."""
        key = (look, quoted)
        if known := self._styles.get(key):
            cell._style = known
            return
        from openpyxl.styles import Alignment, Font, PatternFill

        cell.font = Font(name="Calibri", size=look.size, bold=look.bold, color=look.ink.removeprefix("#") or None)
        cell.alignment = Alignment(vertical="top", wrap_text=look.wrap, horizontal="center" if look.centre else None)
        cell.number_format = look.number_format
        if look.fill:
            cell.fill = PatternFill("solid", fgColor=look.fill.removeprefix("#"))
        cell.quotePrefix = quoted
        self._styles[key] = cell._style

    def as_bytes(self) -> bytes:
        """The workbook's file; the same for the same content."""
        out = io.BytesIO()
        parts = {f"xl/worksheets/sheet{at}.xml": title for at, title in enumerate(self.book.sheetnames, 1)}
        self.book.save(out)
        return _finished(out.getvalue(), {part: self._values.get(title, []) for part, title in parts.items()})


def _finished(content: bytes, values: Mapping[str, Sequence[str | float | None]]) -> bytes:
    """A workbook without the time at which it was written, and with the values of its formulas."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            part = zipfile.ZipInfo(entry.filename, _EPOCH)
            part.compress_type = zipfile.ZIP_DEFLATED
            with old.open(entry) as source, new.open(part, "w") as target:
                if entry.filename == "docProps/core.xml":
                    target.write(re.sub(rb"(?<=>)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z(?=<)", _DAY, source.read()))
                elif values.get(entry.filename):
                    target.write(_with_values(source.read().decode(), values[entry.filename]).encode())
                else:
                    shutil.copyfileobj(source, target, 1 << 20)
    return out.getvalue()


def _with_values(sheet: str, values: Sequence[str | float | None]) -> str:
    """A sheet whose formulas have their values beside them, in the order in which they were written."""
    waiting = iter(values)

    def valued(found: re.Match[str]) -> str:
        value = next(waiting)
        if value is None:
            return f'{found[1]} t="str">{found[2]}<v></v></c>'
        if isinstance(value, str):
            return f'{found[1]} t="str">{found[2]}<v>{xml_escape(escape(value))}</v></c>'
        return f"{found[1]}>{found[2]}<v>{value!r}</v></c>"

    return re.sub(r"(<c [^>]*)>(<f>[^<]*</f>)<v ?/?>(?:</v>)?</c>", valued, sheet)
