"""An .xlsx workbook as cells of text, exactly as they are stored: nothing is guessed, nothing dropped in silence.

Numbers, dates, truth values and errors keep what they are (``Odd``), for it depends on the column what they may mean
there. Text is unescaped as Excel does (``_x000D_`` is a carriage return).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from math import isinf
from pathlib import Path

from riskcalc.register.xlsx_guard import Limits, Package, RefusedError, guarded


@dataclass(frozen=True)
class Odd:
    """A cell that isn't text: number, date, boolean, error, a formula without a value, and what it shows."""

    kind: str
    text: str


Cell = str | Odd


def text_of(cell: Cell) -> str:
    """What a cell shows, whatever it is."""
    return cell if isinstance(cell, str) else cell.text


@dataclass
class Grid:
    """A sheet's cells by row number, short rows being short, and what a reader of the sheet wouldn't see."""

    rows: list[tuple[int, list[Cell]]] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    hidden_rows: list[int] = field(default_factory=list)
    hidden_columns: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Sheet:
    part: str
    hidden: bool


class Workbook:
    """The sheets of a workbook, by name, in their order."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._parts: dict[str, str] = {}
        self.sheets: dict[str, _Sheet] = {}
        self._epoch = date(1899, 12, 30)
        self._read_sheets()
        self._strings = _strings(package, self._parts.get("sharedStrings"))
        self.styles = Styles(package, self._parts.get("styles"))
        self._cells_left = package.limits.cells

    def _read_sheets(self) -> None:
        main = next(iter(_relations(self._package, "").get("officeDocument", {}).values()), "xl/workbook.xml")
        related = _relations(self._package, main)
        self._parts = {kind: next(iter(parts.values())) for kind, parts in related.items()}
        parts = related.get("worksheet", {})

        def start(tag: str, attributes: dict[str, str]) -> None:
            found = {name.rpartition(":")[2]: value for name, value in attributes.items()}
            if tag == "workbookPr" and found.get("date1904") in ("1", "true"):
                self._epoch = date(1904, 1, 1)
            if tag == "sheet" and found.get("id") in parts:
                hidden = found.get("state", "visible") != "visible"
                self.sheets[found.get("name", "")] = _Sheet(parts[found["id"]], hidden)

        if main not in self._package.names:
            raise RefusedError("holds no workbook")
        self._package.parse(main, start)

    def grid(self, name: str) -> Grid:
        """The cells of a sheet."""
        reader = _SheetReader(self._strings, self.styles.dates(), self._epoch, self._package.limits, self._cells_left)
        self._package.parse(self.sheets[name].part, reader.start, end=reader.end, text=reader.text)
        self._cells_left = reader.left
        return reader.grid


@contextmanager
def open_workbook(path: Path) -> Iterator[Workbook]:
    """Open a workbook to be read; raises RegisterError where it can't be, with what to do about it."""
    with guarded(path) as package:
        yield Workbook(package)


def letters(column: int) -> str:
    """A column's letters, as spreadsheets name it; the first is 0.

    >>> letters(0), letters(27)
    ('A', 'AB')
    """
    text, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(65 + rest) + text
    return text


def column_of(name: str) -> int:
    """A column's number, from 0, by its letters.

    >>> column_of("AB")
    27
    """
    number = 0
    for letter in name.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


def unescape(text: str) -> Cell:
    """Text as Excel shows it: ``_x000D_`` is the character of that number, ``_x005F_`` an underscore.

    >>> unescape("a_x000D_b_x005F_x000D_")
    'a\\rb_x000D_'
    """
    if "_x" not in text:
        return text
    plain = re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)
    plain = plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return Odd("character", text) if re.search("[\0\ud800-\udfff]", plain) else plain


def as_number(text: str) -> str:
    """A stored number as a spreadsheet shows it: 15 digits, no exponent.

    >>> as_number("0.80000000000000004"), as_number("1E5"), as_number("-3.0")
    ('0.8', '100000', '-3')
    """
    given = text.strip()
    known = re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?", given)
    if not known or isinf(float(given)):
        raise RefusedError(f"holds {text[:40]!r} as a number; open it in a spreadsheet and save it again")
    number = Decimal(f"{float(given):.15g}")
    if abs(number.adjusted()) >= 40:
        return str(number)
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


# --- parts ---


def _relations(package: Package, part: str) -> dict[str, dict[str, str]]:
    """What a part is related to: by kind, the parts by the id they are called there."""
    folder, name = posixpath.split(part)
    found: dict[str, dict[str, str]] = {}

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join(f"/{folder}", attributes.get("Target", ""))).lstrip("/")
            kind = attributes.get("Type", "").rpartition("/")[2]
            if target in package.names:
                found.setdefault(kind, {})[attributes.get("Id", "")] = target

    file = posixpath.join(folder, "_rels", f"{name}.rels")
    if file in package.names:
        package.parse(file, start)
    return found


def _strings(package: Package, part: str | None) -> list[Cell]:
    """The texts that cells point at; of a text with phonetic signs, the text."""
    found: list[Cell] = []
    collected: list[str] = []
    depth = {"t": 0, "rPh": 0}

    def enter(tag: str, _: dict[str, str]) -> None:
        if tag in depth:
            depth[tag] += 1

    def leave(tag: str) -> None:
        if tag in depth:
            depth[tag] -= 1
        elif tag == "si":
            found.append(unescape("".join(collected)))
            collected.clear()

    def collect(characters: str) -> None:
        collected.extend([characters] if depth["t"] and not depth["rPh"] else [])

    if part:
        package.parse(part, enter, end=leave, text=collect)
    return found


_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}  # those that every spreadsheet knows


class Styles:
    """How cells look, by the number of their style, as cells name it; none where a workbook has no such part."""

    def __init__(self, package: Package, part: str | None) -> None:
        self._formats: dict[str, str] = {}
        self._fonts: list[bool] = []  # whether each is bold
        self._cells: list[dict[str, str]] = []
        self._inside = ""
        if part:
            package.parse(part, self._start, end=self._end)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._inside = tag if tag in ("fonts", "cellXfs") else self._inside
        if tag == "numFmt":
            self._formats[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif self._inside == "fonts" and tag == "font":
            self._fonts.append(False)
        elif self._inside == "fonts" and tag == "b" and self._fonts:
            self._fonts[-1] = attributes.get("val", "1") in ("1", "true")
        elif self._inside == "cellXfs" and tag == "xf":
            self._cells.append({**attributes, "locked": "1"})
        elif self._inside == "cellXfs" and tag == "protection" and self._cells:
            self._cells[-1]["locked"] = attributes.get("locked", "1")

    def _end(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def dates(self) -> set[str]:
        """Those whose numbers are shown as dates or times."""
        known = {str(number) for number in _DATE_FORMATS} - self._formats.keys()
        return self._with("numFmtId", known | {number for number, code in self._formats.items() if _shows_date(code)})

    def bold(self) -> set[str]:
        """Those in bold."""
        return self._with("fontId", {str(place) for place, is_bold in enumerate(self._fonts) if is_bold})

    def unlocked(self) -> set[str]:
        """Those whose cells may be written though their sheet is protected."""
        return self._with("locked", {"0", "false"})

    def _with(self, attribute: str, values: set[str]) -> set[str]:
        return {str(place) for place, cell in enumerate(self._cells) if cell.get(attribute, "0") in values}


def _shows_date(code: str) -> bool:
    """Whether a number format shows a date or a time.

    >>> _shows_date("yyyy-mm-dd"), _shows_date('0.0 "days"'), _shows_date("[Red]0"), _shows_date("[h]:mm")
    (True, False, False, True)
    """
    bare = re.sub(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', "", code, flags=re.IGNORECASE)
    return bare.lower() != "general" and re.search("[dmyhs]", bare, re.IGNORECASE) is not None


class _SheetReader:
    """What the parser of a sheet calls: keeps the cells that hold something."""

    def __init__(self, strings: list[Cell], dates: set[str], epoch: date, limits: Limits, left: int) -> None:
        self.grid, self.left = Grid(), left
        self._strings, self._dates, self._epoch, self._limits = strings, dates, epoch, limits
        self._columns = limits.columns
        self._row, self._column, self._cells = 0, -1, list[Cell]()
        self._cell: dict[str, str] = {}
        self._pieces: list[str] = []
        self._reading = self._phonetic = self._formula = False
        self._hidden = False
        self._starts = {
            "row": self._start_row,
            "c": self._start_cell,
            "f": self._start_formula,
            "col": self._start_column,
            "mergeCell": self._merge,
            "sheetFormatPr": self._defaults,
        }

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """As the parser calls it."""
        if tag in ("v", "t"):
            self._reading = not self._phonetic
        elif tag == "rPh":
            self._phonetic = True
        elif handler := self._starts.get(tag):
            handler(attributes)

    def end(self, tag: str) -> None:
        """As the parser calls it."""
        if tag in ("v", "t"):
            self._reading = False
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "c":
            self._end_cell()
        elif tag == "row" and any(self._cells):
            self.grid.rows.append((self._row, self._cells))
            if self._hidden:
                self.grid.hidden_rows.append(self._row)

    def text(self, characters: str) -> None:
        """As the parser calls it."""
        if self._reading:
            self._pieces.append(characters)

    def _start_row(self, attributes: dict[str, str]) -> None:
        number = whole(attributes.get("r"), self._row + 1)
        if number <= self._row or number > 1_048_576:
            raise RefusedError("has rows out of order; open it in a spreadsheet and save it again")
        self._row, self._column, self._cells = number, -1, []
        # A height of nothing hides a row as well, and no spreadsheet says so.
        self._hidden = attributes.get("hidden") in ("1", "true") or _is_nothing(attributes.get("ht"))

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self.left -= 1
        if self.left < 0:
            raise RefusedError(
                "holds more cells than a register can have; delete the empty formatted rows below the data"
            )
        column = _column(attributes["r"]) if "r" in attributes else self._column + 1
        if column <= self._column:
            raise RefusedError(f"has cells out of order in row {self._row}; open it in a spreadsheet and save it again")
        self._column, self._cell, self._formula = column, attributes, False
        self._pieces.clear()

    def _start_formula(self, _: dict[str, str]) -> None:
        self._formula = True

    def _end_cell(self) -> None:
        value = self._value("".join(self._pieces))
        if value == "":
            return
        if self._column >= self._columns:
            raise RefusedError(f"has text in column {letters(self._column)}; allowed: {self._columns} columns")
        self._cells.extend([""] * (self._column - len(self._cells)))
        self._cells.append(value)

    def _value(self, text: str) -> Cell:
        kind = self._cell.get("t", "n")
        if self._formula and not text and kind != "str":
            return Odd("formula", "")
        if kind == "s":
            place = whole(text, -1)
            if not 0 <= place < len(self._strings):
                raise RefusedError("points at a text that isn't there; open it in a spreadsheet and save it again")
            return self._strings[place]
        if kind in ("inlineStr", "str"):
            return unescape(text)
        return self._odd(kind, text) if text else ""

    def _odd(self, kind: str, text: str) -> Cell:
        if kind == "b":
            return Odd("boolean", "TRUE" if text.strip() in ("1", "true") else "FALSE")
        if kind == "e":
            return Odd("error", text)
        if kind == "d":
            return Odd("date", text.removesuffix("Z").removesuffix("T00:00:00"))
        number = as_number(text)
        return Odd("date", self._day(number)) if self._cell.get("s") in self._dates else Odd("number", number)

    def _day(self, number: str) -> str:
        """A day number as a date; with a time, or as no date that there is, as it stands."""
        days = Decimal(number)
        last = (date.max - self._epoch).days  # another one where days are counted from 1904
        if days != days.to_integral_value() or not 61 <= days <= last:
            return f"{number} (day and time)"
        return (self._epoch + timedelta(days=int(days))).isoformat()

    def _start_column(self, attributes: dict[str, str]) -> None:
        if attributes.get("hidden") in ("1", "true") or _is_nothing(attributes.get("width")):
            first, last = whole(attributes.get("min"), 1), whole(attributes.get("max"), 1)
            self.grid.hidden_columns |= set(range(max(first - 1, 0), min(last, self._columns)))

    def _merge(self, attributes: dict[str, str]) -> None:
        self.grid.merged.append(attributes.get("ref", ""))

    def _defaults(self, attributes: dict[str, str]) -> None:
        if attributes.get("zeroHeight") in ("1", "true") and not self._limits.unlisted_rows_hidden:
            raise RefusedError("has a sheet whose rows are hidden by default; show them")


def _is_nothing(size: str | None) -> bool:
    return size is not None and re.fullmatch(r"\s*\+?0*\.?0*([eE].*)?\s*", size) is not None


def whole(text: str | None, default: int) -> int:
    """A number as a workbook writes it; what is none is taken for ``default``, such as the next row's."""
    return int(text) if text and re.fullmatch("[0-9]{1,9}", text) else default


def _column(reference: str) -> int:
    """The column of a reference such as ``D7``, from 0."""
    found = re.fullmatch("([A-Z]{1,3})[0-9]{1,7}", reference)
    if not found:
        raise RefusedError(f"has a cell called {reference[:20]!r}; open it in a spreadsheet and save it again")
    return column_of(found[1])
