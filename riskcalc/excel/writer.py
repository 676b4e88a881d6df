"""Writing workbooks: register text goes in as text, whatever it begins with, and comes out as it went in.

A cell that begins with ``=``, ``+``, ``-`` or ``@`` is no formula here, ``#N/A`` no error, and ``_x000D_`` no carriage
return: texts are stored as texts, marked as quoted, and escaped as Excel does. The same content gives the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from riskcalc.errors import Problem, UsageError
from riskcalc.register.checked_rows import Table
from riskcalc.register.xlsx_cells import letters

LONGEST = 32_767  # characters that a cell can hold, counted as Excel counts them: in UTF-16
ROWS = 1_048_576  # that a sheet can hold
_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
_QUOTED = tuple("=+-@\t\r\n|%'\"＝＋－＠")
_LINE, _MOST = 13.5, 30  # the height of a line in points, and how many lines a row shows at most
_WIDE = 200  # from here on, in characters, a sheet would be too small to read on A4
_EPOCH = datetime(1980, 1, 1, tzinfo=UTC)  # when every workbook was made: two exports differ in their content only
_CUT = " … (more than a cell can hold)"


@dataclass(frozen=True)
class Formula:
    """A live formula, and the value it has as the workbook is written: not every viewer works formulas out."""

    text: str
    value: str | float


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
NUMBER = Look(number_format="0.00_)")  # a little room after the digits: texts follow on the right
COUNT = Look(number_format="0_)")
DAY = Look(number_format="yyyy-mm-dd")
PERCENT = Look(number_format="0.0%_)")


def escape(text: str) -> str:
    r"""Text as a workbook stores it: what XML can't hold, or a reader would take for an escape, is spelt out.

    >>> escape("a\rb_x000D_")
    'a_x000D_b_x005F_x000D_'
    """
    return _ESCAPED.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def too_long(text: str) -> bool:
    """Whether a text is longer than a cell can hold.

    >>> too_long("x" * 32_767), too_long("😀" * 16_384)
    (False, True)
    """
    return len(text) * 2 > LONGEST and len(text.encode("utf-16-le")) // 2 > LONGEST


def unfit(table: Table) -> list[Problem]:
    """The cells of a table that no workbook can hold."""
    allowed = f"has more than the {LONGEST:,} characters that a cell of a workbook can hold; shorten it"
    return [
        table.problem(line, column, text, allowed)
        for line, cells in table.cells.items()
        for column, text in cells.items()
        if too_long(text)
    ]


class _Verbatim(Worksheet):  # type: ignore[misc]  # XlsxWriter is untyped
    """A sheet that stores every text as it is.

    XlsxWriter itself leaves half of ``_x000D_x000D_`` unescaped, and stores a text that begins with ``<r>`` and ends
    with ``</r>`` as markup: whoever may write into a register could break the workbook, or hide what it says.
    """

    @staticmethod
    def _escape_control_characters(data: Any) -> Any:
        return escape(data) if isinstance(data, str) else data

    def _xml_rich_inline_string(self, string: str, attributes: Any = ()) -> None:
        self._xml_inline_string(string, False, attributes)


class Sheet:
    """A sheet being written, row by row; ``grid`` is XlsxWriter's, for what isn't a row."""

    def __init__(self, book: Sheets, name: str, widths: Sequence[float]) -> None:
        self.grid = book.book.add_worksheet(name, worksheet_class=_Verbatim)
        self._book, self._name, self._widths, self._next = book, name, widths, 0

    def row(self, values: Iterable[object], look: Look | Sequence[Look] = PLAIN, notes: Sequence[str] = ()) -> None:
        """Add a row, high enough for its texts: not every spreadsheet sees to that when it opens a file.

        Raises:
            UsageError: no sheet can hold so many rows.
        """
        if self._next >= ROWS:
            raise UsageError(f"{self._name} has more rows than the {ROWS:,} that a sheet of a workbook can hold.")
        looks, lines = [look] if isinstance(look, Look) else look, 1.0
        for column, value in enumerate(values):
            chosen = looks[column % len(looks)]
            self._put(column, value, chosen)
            lines = max(lines, (self._lines(value, column) if chosen.wrap else 1) * chosen.size / TEXT.size)
        for column, note in enumerate(notes):
            self.grid.write_comment(self._next, column, note, {"author": "riskcalc", "x_scale": 2.5, "y_scale": 1.6})
        if lines > 1:
            self.grid.set_row(self._next, _LINE * min(lines, _MOST))
        self._next += 1

    def filtered(self, columns: int) -> None:
        """Let people filter the table whose first row was the sheet's first."""
        self.grid.autofilter(0, 0, max(self._next - 1, 0), columns - 1)

    def _put(self, column: int, value: object, look: Look) -> None:
        if isinstance(value, Formula):
            shown = escape(value.value) if isinstance(value.value, str) else value.value
            self.grid.write_formula(self._next, column, f"={value.text}", self._book.format(look), shown)
        elif value is None or value == "":
            self.grid.write_blank(self._next, column, None, self._book.format(look))
        elif isinstance(value, str):
            # only texts about the register get here too long (risks in a cell of the matrix); unfit refuses its own
            text = value[: LONGEST // 2 - len(_CUT)] + _CUT if too_long(value) else value
            self.grid.write_string(self._next, column, text, self._book.format(look, text.startswith(_QUOTED)))
        else:
            self.grid.write_number(self._next, column, value, self._book.format(look))

    def _lines(self, value: object, column: int) -> int:
        """How many lines a text takes in its column, about."""
        width = self._widths[column] if column < len(self._widths) else 10
        value = value.value if isinstance(value, Formula) else value
        return sum(1 + int(len(line) / (width * 1.1)) for line in value.split("\n")) if isinstance(value, str) else 1


class Sheets:
    """A workbook being written, sheet by sheet; of what is written, rows aren't kept in memory.

    >>> with Sheets("One cell") as sheets:
    ...     sheets.sheet("first").row(["=1+1"])
    ...     sheets.as_bytes()[:2]
    b'PK'
    """

    def __init__(self, title: str = "", label: str = "") -> None:
        self._folder = TemporaryDirectory(prefix="riskcalc-")
        self._out = io.BytesIO()
        self.book = Workbook(self._out, {"constant_memory": True, "tmpdir": self._folder.name})
        self.book.set_properties({"title": title, "created": _EPOCH})
        self._footer = f"&L&A&C{label}&R&P / &N"
        self._formats: dict[tuple[Look, bool], Any] = {}

    def __enter__(self) -> Sheets:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self.book.fileclosed:
            self.book.close()  # or the files of its rows stay open
        self._folder.cleanup()

    def sheet(
        self,
        name: str,
        widths: Sequence[float] = (),
        frozen: str = "",
        tab: str = "",
        columns: Look | Sequence[Look] = PLAIN,
    ) -> Sheet:
        """A new sheet; ``columns`` is how cells look in which nothing is written, all of them or each column's."""
        made = Sheet(self, name, widths)
        looks = [columns] * len(widths) if isinstance(columns, Look) else columns
        for place, (width, look) in enumerate(zip(widths, looks, strict=True)):
            made.grid.set_column(place, place, width, self.format(look) if look != PLAIN else None)
        if frozen:
            made.grid.freeze_panes(frozen)
            made.grid.repeat_rows(0)
        if tab:
            made.grid.set_tab_color(tab)
        made.grid.set_landscape()
        made.grid.set_paper(8 if sum(widths) > _WIDE else 9)  # A3, or A4
        made.grid.fit_to_pages(1, 0)
        made.grid.set_footer(self._footer)
        made.grid.ignore_errors({"number_stored_as_text": f"A1:{letters(max(len(widths), 1) - 1)}{ROWS}"})
        return made

    def format(self, look: Look, quoted: bool = False) -> Any:
        """XlsxWriter's format for a look, made once."""
        if (look, quoted) not in self._formats:
            wanted: Mapping[str, object] = {
                "font_name": "Calibri",
                "font_size": look.size,
                "bold": look.bold,
                "font_color": look.ink,
                "bg_color": look.fill,
                "num_format": look.number_format,
                "text_wrap": look.wrap,
                "valign": "top",
                "align": "center" if look.centre else "",
                "quote_prefix": quoted,
            }
            self._formats[look, quoted] = self.book.add_format({name: value for name, value in wanted.items() if value})
        return self._formats[look, quoted]

    def as_bytes(self) -> bytes:
        """The workbook's file; the same for the same content. Nothing can be written afterwards."""
        self.book.close()
        return self._out.getvalue()
