"""Taking over a register that was kept elsewhere: a mapping file says which of its columns are which of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from riskcalc.errors import Problem, RegisterError, UsageError
from riskcalc.files import csv_rows, read
from riskcalc.register.checked_rows import APART, Table, check_lines
from riskcalc.register.map_files import read_map
from riskcalc.register.methodology import Methodology
from riskcalc.register.tables import TABLES
from riskcalc.register.xlsx_cells import Cell, Odd, letters, open_workbook, text_of
from riskcalc.register.xlsx_tables import ColumnOfOurs, header_of, unseen


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableMap(_Part):
    """Where the rows of one of our tables come from; all names of columns on the left are ours.

    ``split`` are columns of which a cell holds several, separated by ; or a new line: each makes a row. ``numbered``
    are ids that they don't have, by how ours begin: the text that stands there is looked up among the titles of the
    register, and gets the next number where it is new; ``within`` is their column by whose text it is told apart.
    Rows in which all of their columns ``rows_with`` are blank are passed over; ``once``, those whose key is blank or
    came before; ``new_only`` leaves rows that the register has as they are.
    """

    name: str
    sheet: str = ""
    header_row: int = Field(1, ge=1, strict=True)
    columns: dict[str, str] = Field(min_length=1)
    constants: dict[str, str] = {}
    defaults: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    numbers_as_text: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    numbered: dict[str, str] = {}
    within: str = ""
    rows_with: tuple[str, ...] = ()
    once: bool = False
    new_only: bool = False

    @model_validator(mode="after")
    def _known(self) -> TableMap:
        if self.name not in TABLES:
            raise ValueError(f"{self.name!r} is no table; there are: {', '.join(TABLES)}")
        ours = TABLES[self.name].model_fields
        named = (self.columns, self.constants, self.defaults, self.values)
        for name in chain(*named, self.numbers_as_text, self.split, self.numbered):
            if name not in ours:
                raise ValueError(f"{name!r} is no column of {self.name}; there are: {', '.join(ours)}")
        return self


class MappingFile(_Part):
    """A mapping file: how the other register is written, and a part for each table that is taken from it.

    ``file`` is how messages call it; a mapping that is only proposed has no file yet.
    """

    file: str = Field("the mapping", exclude=True)
    encoding: Literal["utf-8", "windows-1252", "latin-1", "utf-16"] = "utf-8"
    separator: Literal[",", ";", "\t", "|"] = ","
    table: tuple[TableMap, ...] = Field(min_length=1)

    @property
    def units(self) -> dict[str, str]:
        """Our names of units that the other register calls otherwise."""
        return {theirs: ours for part in self.table for theirs, ours in part.values.get("unit_id", {}).items()}


def renamed(mapping: MappingFile, column: str, old: str, new: str) -> MappingFile:
    """The mapping with another name of ours in a column: given by the mapping itself, or read in the other register."""

    def put(texts: Mapping[str, str]) -> dict[str, str]:
        return {name: new if name == column and text == old else text for name, text in texts.items()}

    def part_renamed(part: TableMap) -> TableMap:
        words = {theirs: new if ours == old else ours for theirs, ours in part.values.get(column, {}).items()}
        words = {old: new, **words} if column in part.columns and column not in part.numbered else words
        values = {**part.values, **({column: words} if words else {})}
        given = {"constants": put(part.constants), "defaults": put(part.defaults), "values": values}
        return part.model_copy(update=given)

    return mapping.model_copy(update={"table": tuple(map(part_renamed, mapping.table))})


@dataclass
class Taken:
    """The tables taken over; ``silent`` are cells, by line and column, of which the other register says nothing."""

    tables: dict[str, Table] = field(default_factory=dict)
    silent: dict[str, set[tuple[int, str]]] = field(default_factory=dict)


class Numbers:
    """The ids of rows that are known by their title; ``known`` are those of the register: column, unit, title, id.

    ``units`` are our names of units that the other register calls otherwise.
    """

    def __init__(self, known: Iterable[tuple[str, str, str, str]] = (), units: Mapping[str, str] | None = None) -> None:
        self._units = units or {}
        self._ids: dict[str, set[str]] = {}
        self._titles: dict[tuple[str, str], dict[str, str]] = {}  # the ids with a title, each with its unit
        self._given: dict[tuple[str, str, str], str] = {}
        self._last: dict[tuple[str, str], int] = {}
        for column, unit, title, name in known:
            self._ids.setdefault(column, set()).add(name)
            self._titles.setdefault((column, self._alike(title)), {})[name] = unit

    def of(self, column: str, prefix: str, unit: str, text: str) -> str:
        """The id of the row with this title; the next number where there is none.

        Raises:
            UsageError: the register has several rows with this title.
        """
        if not text or text in self._ids.get(column, ()):
            return text
        unit = self._units.get(unit, unit)
        wanted = (column, unit, self._alike(text))
        if wanted not in self._given:
            units = self._titles.get((column, wanted[2]), {})
            named = [name for name, of in units.items() if unit in ("", of)]
            if len(named) > 1:
                raise UsageError(f"{text!r} is the title of {' and '.join(named)}; give their ids in the list.")
            self._given[wanted] = named[0] if named else self._next(column, prefix)
        return self._given[wanted]

    @staticmethod
    def _alike(title: str) -> str:
        return " ".join(title.casefold().split())

    def _next(self, column: str, prefix: str) -> str:
        begins = re.compile(re.escape(prefix) + "([0-9]{1,9})")
        if (column, prefix) not in self._last:
            numbers = [int(found[1]) for name in self._ids.get(column, ()) if (found := begins.fullmatch(name))]
            self._last[column, prefix] = max(numbers, default=0)
        self._last[column, prefix] += 1
        return f"{prefix}{self._last[column, prefix]}"


Lines = list[tuple[int, list[Cell]]]


def read_mapped(path: Path, mapping: MappingFile, methodology: Methodology, numbers: Numbers) -> Taken:
    """Read another register, .xlsx or .csv, by a mapping, checked as ours is.

    Raises:
        RegisterError: the file can't be read, or it and the mapping don't fit each other.
    """
    taken = Taken()
    for part in mapping.table:
        table = Table(part.name, path.name, part.sheet if path.suffix.lower() != ".csv" else "")
        lines = _csv_lines(path, mapping) if path.suffix.lower() == ".csv" else _sheet_lines(path, part, table)
        header = header_of(next((cells for row, cells in lines if row == part.header_row), []))
        if problems := list(_misfits(part, header, mapping.file, table.place)):
            raise RegisterError(problems)
        _take(table, part, header, lines, methodology, taken, numbers)
    return taken


def read_mapping(path: Path) -> MappingFile:
    """The mapping in a file; raises RegisterError or UsageError, with what is wrong with it."""
    return read_map(MappingFile, path, file=path.name)


def _csv_lines(path: Path, mapping: MappingFile) -> Lines:
    try:
        rows = csv_rows(read(path), str(path), mapping.encoding, mapping.separator)
        return [(line, list(cells)) for line, cells in rows]
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.") from None
    except RegisterError as error:
        raise UsageError(f"{error.problems[0]}; or give its encoding and separator in the mapping file.") from None


def _sheet_lines(path: Path, part: TableMap, table: Table) -> Lines:
    with open_workbook(path) as book:
        if part.sheet not in book.sheets:
            there = ", ".join(book.sheets)
            raise UsageError(f"{path} has no sheet {part.sheet!r} for the table {part.name}; there are: {there}.")
        grid = book.grid(part.sheet)
    for row, allowed in unseen(grid):
        if not 0 < row < part.header_row:  # a title above may well be merged
            table.tell(row, "", "", allowed)
    return grid.rows


def _misfits(part: TableMap, header: list[str], file: str, place: str) -> Iterator[Problem]:
    """What of a mapping doesn't fit the columns that are there."""
    there = f"there are: {', '.join(name for name in header if name)}"
    if len(header) == 1 and re.search(r"[,;\t|]", header[0]):
        there = f"the columns are held apart by something else than separator says: {header[0]}"
    beside = [(part.name, name) for name in (part.within, *part.rows_with) if name]
    for ours, theirs in [*part.columns.items(), *beside]:
        if header.count(theirs) != 1:
            near = get_close_matches(theirs.lower(), [name.lower() for name in header], 1, 0.6)
            meant = next((f"did you mean {name!r}? " for name in header if name.lower() in near), "")
            wrong = "stands there twice" if theirs in header else f"is no column of {place}"
            yield Problem(file, 0, f"{part.name}.{ours}", theirs, f"{wrong}; {meant}{there}")
    given = {*part.columns, *part.constants, *part.defaults}
    for key in TABLES[part.name].primary_key:
        if key not in given:
            near = get_close_matches(key, header, 1, 0.4)
            meant = f"is it {near[0]!r}? " if near else ""
            allowed = f"is part of the key, and must come from a column or a constant; {meant}{there}"
            yield Problem(file, 0, f"{part.name}.{key}", "", allowed)


def _take(
    table: Table,
    part: TableMap,
    header: list[str],
    lines: Lines,
    methodology: Methodology,
    taken: Taken,
    numbers: Numbers,
) -> None:
    """Turn the other register's lines into ours, and check them."""
    places = {ours: header.index(theirs) for ours, theirs in part.columns.items()}
    ours = list(TABLES[part.name].model_fields)
    if table.sheet:
        table.letters = {name: letters(place) for name, place in places.items()}
    columns = {name: ColumnOfOurs(table, name, name in part.numbers_as_text) for name in ours}
    silent = taken.silent.setdefault(part.name, set())
    rows: list[tuple[int, list[str]]] = []
    keys, seen = [ours.index(name) for name in TABLES[part.name].primary_key], dict[tuple[str, ...], int]()
    for line, cells in lines:
        theirs = dict(zip(header, header_of(cells), strict=False))
        said = any(theirs.get(name, "").strip() for name in part.rows_with or header)
        if line > part.header_row and any(cells) and (said or not part.rows_with):
            given = {name: cells[place] if place < len(cells) else "" for name, place in places.items()}
            odd = {name: columns[name].text(line, cell) for name, cell in given.items() if isinstance(cell, Odd)}
            texts = {name: text_of(cell) for name, cell in given.items()} | odd
            unit = theirs.get(part.within, "").strip()
            for at, one in enumerate(_each(part, texts)):
                number = line + at * APART
                titles = ((name, begins, one[name].strip()) for name, begins in part.numbered.items())
                ids = {name: numbers.of(name, begins, unit, title) for name, begins, title in titles}
                row = _translated(part, ours, number, {**one, **ids}, silent)
                key = tuple(row[place].strip() for place in keys)
                first = seen.setdefault(key, number)
                if part.once and (first != number or not all(key)):
                    continue
                if first != number and (named := next((name for name in ids if ids[name] in key and ids[name]), "")):
                    told = f"is the title at {table.row_at(first)}, too; tell them apart, or give each an id"
                    table.tell(number, named, one[named], told)
                    continue
                rows.append((number, row))
                silent |= {(number, name) for name in ours} if part.new_only else set()
    silent -= {(line, name) for line, names in table.refused.items() for name in names}
    check_lines(table, ours, rows, methodology, part.header_row)
    taken.tables[part.name] = table


def _each(part: TableMap, texts: dict[str, str]) -> Iterator[dict[str, str]]:
    """A row, or, where its cells hold several, a row for each of them."""
    if not part.split:
        yield texts
        return
    for one in dict.fromkeys(item.strip(" \t-•*") for item in re.split(r"[;\r\n]+", texts[part.split[0]])):
        if one:
            yield {**texts, **dict.fromkeys(part.split, one)}


def _translated(
    part: TableMap, ours: list[str], line: int, texts: Mapping[str, str], silent: set[tuple[int, str]]
) -> list[str]:
    """A row in our words: what their words mean, constants, and defaults where nothing is said."""
    row = []
    for name in ours:
        said = part.constants.get(name, texts.get(name, ""))
        said = part.values.get(name, {}).get(said, said)
        if not said.strip():
            silent.add((line, name))
            said = part.defaults.get(name, "")
        row.append(said)
    return row
