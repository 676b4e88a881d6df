"""From lines of text to checked rows: every problem is kept with its file, line and column, none stops the rest.

``read_table`` reads a CSV file; a workbook's sheets (``xlsx_tables``) come through the same ``check_lines``.
"""

from __future__ import annotations

import codecs
import gc
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from functools import cache, partial
from operator import getitem
from pathlib import Path
from sys import intern
from typing import Any

from pydantic import ValidationError

from riskcalc.errors import Problem, RegisterError, counted
from riskcalc.files import SAVE_AS, csv_rows, read
from riskcalc.register import stand_ins
from riskcalc.register.as_typed import second_reading, split_amount
from riskcalc.register.columns import THOUSANDTHS, UNCLEAR, free
from riskcalc.register.lines import Lines
from riskcalc.register.methodology import Methodology
from riskcalc.register.row import SPAN, Row, kind_of, names_in
from riskcalc.register.tables import TABLES

_KEPT = 4096  # values of a column's cells that are kept
_NEAR = 65_536  # texts among which equal ones are shared
# What pydantic keeps of a row beside its fields. Which of them it was given nobody asks.
_PYDANTIC = (("__pydantic_fields_set__", set[str]()), ("__pydantic_extra__", None), ("__pydantic_private__", None))
APART = 10**12  # between the numbers of rows that stand in one line, as where a cell lists several


@dataclass
class Table:
    """The rows of one file by the line each starts at, and what is wrong with the others.

    ``cells`` holds the text of every line, also of those that make no good row: one bad cell must neither hide
    another nor make problems of all the rows that point at it. ``whole`` says that every line's key is known.
    ``refused`` are cells, columns by line, that hold what no text can say; their problems are told by the reader.
    ``columns`` are those of the header, none where some are wrong. ``source`` is the file, and ``sheet`` its sheet,
    where it isn't the register's own CSV file; there, columns have ``letters``. In a register that only begins,
    ``assumed`` are blank cells, columns by line, for which something stands in, and ``carried`` the ratings, by line,
    among the risks.
    ``cells`` that weren't in their column's spelling, but can mean one thing only, are in it; ``notes`` tells of each
    of them. ``doubtful`` are texts of broken lines that may be their keys. ``units`` reads those beside it.
    ``split`` are amounts whose commas may have shifted a line, as ``as_typed.split_amount`` finds them.
    """

    name: str
    source: str = ""
    sheet: str = ""
    letters: dict[str, str] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    refused: dict[int, set[str]] = field(default_factory=dict)
    rows: Lines[Any] = field(init=False)
    cells: Lines[dict[str, str]] = field(default_factory=lambda: Lines((), dict))
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)
    split: dict[int, tuple[str, str, dict[str, str]]] = field(default_factory=dict)
    units: Callable[[], Table] = lambda: Table("business_units")
    assumed: dict[int, set[str]] = field(default_factory=dict)
    carried: dict[int, dict[str, str]] | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        self.hold(TABLES[self.name].model_fields)

    def hold(self, columns: Iterable[str]) -> None:
        """Be ready for rows whose values come in the order of these columns."""
        self.rows = Lines(columns, partial(made, TABLES[self.name]))

    @property
    def file(self) -> str:
        """The file's name, as in messages."""
        return self.source or f"{self.name}.csv"

    @property
    def place(self) -> str:
        """Where the table stands, as other tables' messages name it."""
        return f"sheet {self.sheet}" if self.sheet else self.file

    def row_at(self, line: int) -> str:
        """A line, as messages name it."""
        return f"{'row' if self.sheet else 'line'} {line % APART}"

    def problem(self, line: int, column: str, value: str, allowed: str) -> Problem:
        """Something wrong in this table: in a line, or, with 0, in all of it."""
        line %= APART
        cell = f"{self.letters[column]}{line}" if column in self.letters and line else ""
        return Problem(self.file, line, column, value, allowed, self.sheet, cell)

    def tell(self, line: int, column: str, value: str, allowed: str) -> None:
        """Keep a problem of this table."""
        self.problems.append(self.problem(line, column, value, allowed))

    def tell_missing(self, place: str, methodology: Methodology) -> None:
        """Nothing to read, which only an optional table may be: it is whole, without rows."""
        self.whole = TABLES[self.name].optional or stand_ins.may_wait(self.name, methodology)
        if not self.whole:
            self.tell(0, "", "", f"the {place} is missing")

    def forget_cells(self) -> None:
        """Let go of cells that nobody asks for when tables are held against one another, and nothing else is wrong."""
        needed = {*names_in(TABLES[self.name]), *SPAN}
        self.cells.columns = {name: cells for name, cells in self.cells.columns.items() if name in needed}

    @property
    def keys(self) -> set[str]:
        """What other tables may point at: the first key column of every line."""
        return set(self.column(TABLES[self.name].primary_key[0])) - {""}

    def column(self, name: str) -> list[str]:
        """The text of every line in a column."""
        return self.cells.columns[name] if self.cells else []

    def read_as(self, line: int, column: str, text: str, how: str) -> None:
        """Put a cell in its column's spelling, and keep a note of it."""
        was = self.cells[line][column]
        if not re.fullmatch("[1-9][0-9]? - .+", was):  # by a drop-down: there is no doubt in it
            self.notes.append(self.problem(line, column, was, how))
        self.cells.put(line, column, text)


def read_table(folder: Path, name: str, methodology: Methodology) -> Table:
    """Read and check ``folder/name.csv``."""
    units = cache(partial(read_table, folder, "business_units", methodology))
    table = Table(name, carried=stand_ins.carrying(name, methodology, (folder / "ratings.csv").exists()), units=units)
    try:
        content = read(folder / table.file, inside=folder)
    except FileNotFoundError:
        table.tell_missing("file", methodology)
    except OSError as error:
        table.tell(0, "", "", f"can't be read: {error.strerror}")
    else:
        lines = _lines(table, content)
        del content  # it goes with its last line, before rows are made of the cells
        header = next(lines, None)
        if header is not None:
            check_lines(table, header[1], lines, methodology)
        elif not table.problems:
            allowed = f"the file is empty; its first line must name the columns: {', '.join(TABLES[name].model_fields)}"
            table.tell(0, "", "", allowed)
    return table


def check_lines(
    table: Table, header: list[str], lines: Iterable[tuple[int, list[str]]], methodology: Methodology, first: int = 1
) -> None:
    """Check a table's lines, each with its number; ``first`` is that of the header. What is wrong goes to the table."""
    model = TABLES[table.name]
    while header and not header[-1].strip():
        header = header[:-1]  # as spreadsheets leave them where something once stood
    columns = stand_ins.columns(table, header, methodology)
    known = [*model.model_fields, *stand_ins.carried_columns(table)]
    meant = _meant_columns(header, known)
    wrong = list(_wrong_columns(columns, model, known, meant))
    table.problems.extend(table.problem(first, column, "", allowed) for column, allowed in wrong)
    unsure = {*meant.values(), *(column for column, _ in wrong)}  # nobody knows what stands there; others are checked
    if unsure.intersection(stand_ins.carried_columns(table)):
        table.carried = None
    if "" in unsure or unsure.intersection(model.primary_key):
        return
    table.whole, table.columns = True, [] if wrong else columns
    if wrong:
        columns = [column for column in model.model_fields if column in unsure or column in columns]
    with _undisturbed():
        table.cells = Lines(columns, dict)
        table.cells.extend(_taken(table, header, lines, columns, unsure))
        table.whole &= all(map(str.strip, table.column(model.primary_key[0])))
        _trim(table, [name for name in names_in(model) if name not in unsure and name in columns])
        table.hold([*columns, *(name for name in model.model_fields if name not in columns)])
        table.rows.extend(_read_rows(table, methodology))
        table.rows.share(table.cells)
    table.problems.extend(_spoilt_keys(table, methodology))
    table.problems.extend(() if wrong else _repeated_keys(table))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Don't look for cycles among rows: there are none, and the more rows there are, the longer each look takes."""
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looks:
            gc.enable()


def _taken(
    table: Table, header: list[str], lines: Iterable[tuple[int, list[str]]], columns: list[str], unsure: set[str]
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each line's cells; what stands in columns that nobody is sure of is left out, and refused."""
    plain = not unsure and table.carried is None and columns == header
    pointing = [header.index(name) for name in {*names_in(TABLES[table.name])} & {*header} - unsure]
    shared: dict[str, str] = {}  # equal cells share one text: most of a long table's stand in it again and again
    for line, cells in lines:
        if len(cells) > len(header) and not any(cells[len(header) :]):
            cells = _without_the_rest(table, line, header, cells)
        if len(cells) == len(header):
            for place in pointing:  # other tables hold the same ids
                cells[place] = intern(cells[place])
            if len(shared) > _NEAR:
                shared.clear()
            texts = tuple(map(shared.setdefault, cells, cells))
            if not plain:
                found = {name: cell for name, cell in zip(header, texts, strict=True) if name not in unsure}
                texts = tuple(stand_ins.sorted_out(table, line, found, columns).values())
            if unsure:
                table.refused.setdefault(line, set()).update(unsure)
            yield line, texts
        else:
            table.doubtful.update(map(str.strip, cells))
            table.tell(line, "", "", _wrong_number(cells, header))


def _without_the_rest(table: Table, line: int, header: list[str], cells: list[str]) -> list[str]:
    """A line's cells without blank ones beyond the header; those that an amount may have made are remembered."""
    if split := split_amount(TABLES[table.name], header, cells):
        table.split[line] = (*split[:2], dict(zip(header, split[2], strict=False)))
    return cells[: len(header)]


def _trim(table: Table, names: Iterable[str]) -> None:
    """Take away the blanks around keys and what points at them: nobody sees them, and means another row by them."""
    for name in names:
        cells = {cell for cell in set(table.column(name)) if cell.strip()}
        trimmed = {cell: "|".join(map(str.strip, cell.split("|"))) for cell in cells}
        trimmed = {cell: text for cell, text in trimmed.items() if text != cell}
        for line, cell in table.cells.each(name) if trimmed else ():
            if text := trimmed.get(cell):
                table.read_as(line, name, text, f"read as {text!r}, without the blanks around it")


def _wrong_number(cells: list[str], header: list[str]) -> str:
    hint = "; a cell with a comma in it needs quotes around it" if len(cells) > len(header) else ""
    return f"{counted(len(cells), 'cell')}, but the header has {counted(len(header), 'column')}{hint}"


class _Free(dict[str, Any]):
    """What the cells of a column that takes any text are read as: as they are, blank ones as they were before."""

    def __missing__(self, cell: str) -> str:
        if cell.strip():
            return cell
        raise KeyError(cell)


def _read_rows(table: Table, methodology: Methodology) -> Iterator[tuple[int, list[Any]]]:
    """The rows of lines, as values. Where each cell was read in its column before, and was good, it isn't again."""
    model, cells, names = TABLES[table.name], table.cells, list(table.rows.columns)
    keeps = _KEPT if methodology.first_period is None and not table.refused else 0
    known = [_Free() if keeps and free(model, column) else dict[str, Any]() for column in cells.columns]
    beside = [model.model_fields[name].default for name in names[len(known) :]]
    again = table.rows.made([None] * len(names))  # takes each line's values in turn: a row for each is a tenth more
    for place, texts in enumerate(zip(*cells.columns.values(), strict=True)):
        line, row, exact = cells.numbers[place], None, set[str]()
        try:
            values = [*map(getitem, known, texts), *beside]
        except KeyError:
            if not stand_ins.only_named(table, line, methodology):
                row, exact = _read_exactly(table, line, cells.made(texts), methodology)
            if row is None:
                continue
            for read, column in zip(known, cells.columns, strict=True):
                if len(read) < keeps and column not in exact:  # which is read so in this currency only
                    read[cells.columns[column][place]] = getattr(row, column)
            as_read = stand_ins.blanked(table, line, row) if table.assumed else row
            values = [getattr(as_read, name) for name in names]
        yield line, values
        if row is None:
            again.__dict__.update(zip(names, values, strict=True))
        _tell_contradictions(table, line, row or again)


def _tell_contradictions(table: Table, line: int, row: Row) -> None:
    for column, allowed in row.contradictions():
        table.tell(line, column, table.cells[line].get(column, ""), allowed)


def _read_exactly(
    table: Table, line: int, cells: dict[str, str], methodology: Methodology
) -> tuple[Row | None, set[str]]:
    """As ``_read_row``, with the amounts of three decimals, as their currency has: its point can't mean thousands."""
    model = TABLES[table.name]
    unclear = {name for name, cell in cells.items() if UNCLEAR.fullmatch(cell) and kind_of(model, name) is Decimal}
    if not unclear or not _currencies(table, cells, methodology) <= THOUSANDTHS:
        return _read_row(table, line, cells, methodology), set()
    row = _read_row(table, line, {**cells, **{name: f"{cells[name]}0" for name in unclear}}, methodology)
    return row and row.model_copy(update={name: Decimal(cells[name]) for name in unclear}), unclear


def _currencies(table: Table, cells: Mapping[str, str], methodology: Methodology) -> set[str]:
    """The currencies of a line's unit; of all units where it isn't known which is meant."""
    units = [cells] if "currency" in cells else [*table.units().cells.values()]
    mine = [one for one in units if one["unit_id"] == cells.get("unit_id", "").strip()] or units
    return {one.get("currency", "").strip().upper() or methodology.currency for one in mine or [{}]}


def made(model: type[Row], values: Iterable[tuple[str, Any]]) -> Row:
    """A row of values that were checked."""
    row = model.__new__(model)
    for name, value in _PYDANTIC:
        object.__setattr__(row, name, value)
    object.__setattr__(row, "__dict__", dict(values))
    return row


def _read_row(table: Table, line: int, cells: dict[str, str], methodology: Methodology) -> Row | None:
    """Check a line; the row that it makes, if it makes one."""
    model, known = TABLES[table.name], table.refused.get(line, set())
    given = stand_ins.filled(table, line, cells, methodology)
    row, wrong = _validated(model, given, methodology)
    if wrong and (whole := _joined(table, line, cells, len(wrong), methodology)):
        return _read_row(table, line, whole, methodology)
    if wrong:
        meant = _meant(model, wrong, methodology)
        row, still = _validated(model, {**given, **meant}, methodology)
        for column in [column for column in meant if column not in still and column not in known]:
            table.read_as(line, column, meant[column], f"read as {meant[column]}")
            del wrong[column]
        wrong = {column: wrong.get(column, told) for column, told in still.items()}
    table.problems.extend(table.problem(line, *told) for column, told in wrong.items() if column not in known)
    return None if known else row


def _joined(
    table: Table, line: int, cells: Mapping[str, str], wrong: int, methodology: Methodology
) -> dict[str, str] | None:
    """A line's cells with the amount that its own commas split, if less is wrong then: that alone is told of it."""
    column, text, found = table.split.pop(line, ("", "", dict[str, str]()))
    whole = {name: found.get(name, "") for name in cells}
    given = stand_ins.filled(table, line, whole, methodology) if found else {}
    if not found or len(_validated(TABLES[table.name], given, methodology)[1]) >= wrong:
        return None
    table.tell(line, column, text, "its commas make cells of it, and shift the row; allowed: without them")
    table.refused.setdefault(line, set()).add(column)
    for name, cell in stand_ins.sorted_out(table, line, found, cells).items():
        table.cells.put(line, name, cell)
    return whole


def _validated(
    model: type[Row], cells: Mapping[str, str], methodology: Methodology
) -> tuple[Row | None, dict[str, tuple[str, str, str]]]:
    """The row that cells make, or what is wrong with them, by column."""
    try:
        return model.model_validate(dict(cells), context={"methodology": methodology}), {}
    except ValidationError as error:
        told = [_told(each, cells) for each in error.errors()]
        return None, {each[0]: each for each in told}


def _meant(model: type[Row], wrong: dict[str, tuple[str, str, str]], methodology: Methodology) -> dict[str, str]:
    """Refused cells in their columns' spelling, where they can mean one thing only; told where they can mean two."""
    meant = {}
    for column, (_, cell, allowed) in list(wrong.items()):
        try:
            meant[column] = second_reading(model, column, cell, methodology) if cell.strip() else ""
        except ValueError as error:
            wrong[column] = (column, cell, f"{error}; {allowed}")
    return {column: text for column, text in meant.items() if text}


def _spoilt_keys(table: Table, methodology: Methodology) -> Iterator[Problem]:
    for column in TABLES[table.name].primary_key:
        keys = table.column(column)
        if "E+" in (whole := "".join(keys)) or not whole.isprintable():
            for line, key in zip(table.cells, keys, strict=True):
                if (allowed := spoilt(key)) and (line in table.rows or stand_ins.only_named(table, line, methodology)):
                    yield table.problem(line, column, key, allowed)


def spoilt(key: str) -> str:
    """What to say of a key that isn't what was meant, or isn't what it looks like; blank for any other."""
    if "E+" in key and re.fullmatch(r"[0-9]([.,][0-9]+)?E\+[0-9]{2,3}", key):
        return "is how a spreadsheet shortens a long number; format the column as text, and type the key again"
    if not key.isprintable() and any(unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") for each in key):
        return "holds a character that can't be seen, or breaks the line; type the key again"  # it would forge a log's
    return ""


def _repeated_keys(table: Table) -> Iterator[Problem]:
    model, seen = TABLES[table.name], dict[tuple[str, ...], int]()
    columns, more = model.primary_key, ", or from another day on: valid_from" if model.timed() else ""
    refused = {line for line, names in table.refused.items() if names.intersection(columns)}
    if len(set(zip(*map(table.column, columns), strict=True))) == len(table.cells):
        return
    for line, cells in table.cells.items():
        key = tuple(cells[column] for column in columns)
        since = (*key, cells.get(SPAN[0], "").strip())
        if line not in refused and seen.setdefault(since, line) != line:
            allowed = f"stands already at {table.row_at(seen[since])}; allowed: once{more}"
            yield table.problem(line, " + ".join(columns), " + ".join(key), allowed)


def _lines(table: Table, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """The records of a file; one that can't be read, and so where the next begins, ends them with a problem."""
    first = content.partition(b"\n")[0].rstrip(b"\r").removeprefix(codecs.BOM_UTF8)
    for separator, name in ((b";", "semicolons"), (b"\t", "tabs")):
        if first.count(separator) > first.count(b","):
            allowed = f"the columns are separated by {name}; allowed: commas ({SAVE_AS})"
            table.tell(1, "", first.decode("utf-8", "replace"), allowed)
            return
    try:
        yield from csv_rows(content, table.file)
    except RegisterError as error:
        table.whole = False
        table.problems.extend(error.problems)


_WIDEST = 256  # columns that are looked at one by one


def _meant_columns(header: list[str], known: list[str]) -> dict[str, str]:
    """Unknown columns, by their names, with the column that each was probably meant to be, which isn't there."""
    names, missing = header[:_WIDEST], [name for name in known if name not in header]
    near = {name: get_close_matches(name.strip().lower(), missing, 1, 0.75) for name in names if name not in known}
    return {name: found[0] for name, found in near.items() if found}


def _wrong_columns(
    header: list[str], model: type[Row], allowed: list[str], meant: dict[str, str]
) -> Iterator[tuple[str, str]]:
    """Columns with what is wrong about them."""
    if len(header) > _WIDEST:
        yield "", f"{len(header):,} columns; allowed: {', '.join(model.model_fields)}"
        return
    for column in sorted({column for column in header if header.count(column) > 1}):
        yield column, "the column stands there twice"
    for column in dict.fromkeys(header):
        if column not in model.model_fields:
            asked = f"did you mean {meant[column]!r}? " if column in meant else ""
            known = f"unknown column; {asked}allowed: {', '.join(allowed)}"
            yield column, stand_ins.belongs_elsewhere(column, model) or known
    for column, info in model.model_fields.items():
        if column not in header and info.is_required():
            yield column, "the column is missing; its cells may be blank where the table allows it"


def cell_problem(file: str, line: int, error: Any, cells: Mapping[str, str]) -> Problem:
    """What pydantic found wrong with a cell, as a problem for the person who can mend it."""
    return Problem(file, line, *_told(error, cells))


def _told(error: Any, cells: Mapping[str, str]) -> tuple[str, str, str]:
    """The column, the value seen, and what is allowed."""
    context, column = error.get("ctx", {}), str(error["loc"][0])
    if error["type"] == "literal_error":
        allowed = f"allowed: {context['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    else:
        allowed = str(context.get("error", error["msg"]))
    value = cells.get(column, "")
    return column, value, allowed if value or "blank" in allowed else f"blank; {allowed}"
