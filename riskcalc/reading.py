"""From a CSV file to checked rows: every problem is kept with its file, line and column, none stops the rest."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from riskcalc.errors import Problem
from riskcalc.methodology import Methodology
from riskcalc.period import Period
from riskcalc.schema import TABLES, Ref, Row


@dataclass
class Table:
    """The rows of one file that could be read, by the line each starts at, and what is wrong with the others.

    ``keys`` holds the first column of every line, readable or not, so that one bad cell doesn't make
    problems of all the rows that point at it.
    """

    name: str
    rows: dict[int, Any] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The file's name, as in messages."""
        return f"{self.name}.csv"


def read_table(folder: Path, name: str, methodology: Methodology) -> Table:
    """Read and check ``folder/name.csv``."""
    table = Table(name)
    try:
        text = (folder / table.file).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        table.problems.append(Problem(table.file, 0, "", "", "the file is missing"))
    except OSError as error:
        table.problems.append(Problem(table.file, 0, "", "", f"can't be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        table.problems.append(_not_utf8(table.file, error))
    else:
        _read_lines(table, text, methodology)
    return table


def _not_utf8(file: str, error: UnicodeDecodeError) -> Problem:
    line = error.object[: error.start].count(b"\n") + 1
    byte = f"byte 0x{error.object[error.start]:02x}"
    return Problem(file, line, "", byte, "is not UTF-8; save the file as CSV with UTF-8 encoding")


def _read_lines(table: Table, text: str, methodology: Methodology) -> None:
    model = TABLES[table.name]
    lines = _lines(table, text)
    header = next(lines, None)
    if header is None:
        allowed = f"the file is empty; its first line must name the columns: {', '.join(model.model_fields)}"
        table.problems.append(Problem(table.file, 0, "", "", allowed))
        return
    if wrong := list(_wrong_columns(table.file, header[1], model)):
        table.problems.extend(wrong)
        return
    context = {"methodology": methodology}
    seen: dict[tuple[Any, ...], int] = {}
    for line, cells in lines:
        if len(cells) != len(header[1]):
            allowed = f"{len(cells)} cells, but the header has {len(header[1])} columns"
            table.problems.append(Problem(table.file, line, "", "", allowed))
            continue
        named = dict(zip(header[1], cells, strict=True))
        table.keys.add(named[model.primary_key[0]])
        try:
            row = model.model_validate(named, context=context)
        except ValidationError as error:
            table.problems.extend(_cell_problem(table.file, line, each, named) for each in error.errors())
            continue
        key = tuple(getattr(row, column) for column in model.primary_key)
        if seen.setdefault(key, line) != line:
            allowed = f"stands already at line {seen[key]}; allowed: once"
            table.problems.append(Problem(table.file, line, " + ".join(model.primary_key), " + ".join(key), allowed))
        table.rows[line] = row


def _lines(table: Table, text: str) -> Iterator[tuple[int, list[str]]]:
    """The records with the line that each starts at; wholly blank lines carry nothing and are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1
    try:
        for cells in reader:
            if cells:
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        table.problems.append(Problem(table.file, start, "", "", f"can't be read as CSV: {error}"))


def _wrong_columns(file: str, header: list[str], model: type[Row]) -> Iterator[Problem]:
    if len(header) == 1 and ";" in header[0]:
        yield Problem(file, 1, "", header[0], "the columns are separated by semicolons; allowed: commas")
        return
    for column in sorted({column for column in header if header.count(column) > 1}):
        yield Problem(file, 1, column, "", "the column stands there twice")
    for column in dict.fromkeys(header):
        if column not in model.model_fields:
            allowed = f"unknown column; allowed: {', '.join(model.model_fields)}"
            yield Problem(file, 1, column, "", allowed)
    for column in model.model_fields:
        if column not in header:
            yield Problem(
                file, 1, column, "", "the column is missing; its cells may be blank where the table allows it"
            )


def _cell_problem(file: str, line: int, error: Any, cells: Mapping[str, str]) -> Problem:
    context = error.get("ctx", {})
    column = context.get("column") or str(error["loc"][0])
    if error["type"] == "literal_error":
        allowed = f"allowed: {context['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    else:
        allowed = context.get("allowed") or str(context.get("error", error["msg"]))
    value = cells.get(column, "")
    return Problem(file, line, column, value, allowed if value or "blank" in allowed else f"blank; {allowed}")


# --- what holds between rows and tables -------------------------------------------------------------


def check_references(tables: Mapping[str, Table]) -> Iterator[Problem]:
    """Problems that only show between rows: unknown references, cycles, periods of mixed kinds."""
    for table in tables.values():
        for column, info in TABLES[table.name].model_fields.items():
            for ref in (mark for mark in info.metadata if isinstance(mark, Ref)):
                yield from _unknown_references(table, column, tables[ref.table])
    yield from _objective_of_another_unit(tables)
    yield from _retest_of_another_control(tables["control_tests"])
    yield from _cycle(tables["controls"])
    yield from _mixed_periods([tables["ratings"], tables["control_tests"]])


def _unknown_references(table: Table, column: str, target: Table) -> Iterator[Problem]:
    for line, row in table.rows.items():
        value = getattr(row, column)
        names = value if isinstance(value, tuple) else () if value is None else (value,)
        for name in names:
            if name not in target.keys:
                yield Problem(table.file, line, column, name, f"is not in {target.file}; {_some(target.keys)}")


def _some(names: Iterable[str], most: int = 12) -> str:
    """The names there are, or the first of them."""
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return f"there are: {', '.join(ordered[:most])}{more}" if ordered else "it has no rows"


def _objective_of_another_unit(tables: Mapping[str, Table]) -> Iterator[Problem]:
    unit_of = {row.objective_id: row.unit_id for row in tables["control_objectives"].rows.values()}
    for line, risk in tables["risks"].rows.items():
        unit = unit_of.get(risk.objective_id, risk.unit_id)
        if unit != risk.unit_id:
            allowed = f"belongs to unit {unit}; allowed: an objective of {risk.unit_id}"
            yield Problem("risks.csv", line, "objective_id", risk.objective_id, allowed)


def _retest_of_another_control(tests: Table) -> Iterator[Problem]:
    control_of = {row.test_id: row.control_id for row in tests.rows.values()}
    for line, test in tests.rows.items():
        control = control_of.get(test.retest_of or "", test.control_id)
        if control != test.control_id:
            allowed = f"tests {control}; allowed: a test of {test.control_id}"
            yield Problem(tests.file, line, "retest_of", test.retest_of, allowed)


def _cycle(controls: Table) -> Iterator[Problem]:
    relies_on = {row.control_id: row.relies_on for row in controls.rows.values()}
    try:
        TopologicalSorter(relies_on).prepare()
    except CycleError as error:
        chain = list(reversed(error.args[1]))
        line = next(line for line, row in controls.rows.items() if row.control_id == chain[0])
        allowed = f"a control must not rely on itself, but here: {' -> '.join(chain)}"
        yield Problem(controls.file, line, "relies_on", "|".join(relies_on[chain[0]]), allowed)


def _mixed_periods(tables: Iterable[Table]) -> Iterator[Problem]:
    first: Period | None = None
    for table in tables:
        for line, row in table.rows.items():
            period = Period.parse(row.period)
            first = first or period
            if period.kind != first.kind:
                allowed = f"is a {period.kind}, but {first.name} is a {first.kind}; allowed: periods of one kind"
                yield Problem(table.file, line, "period", row.period, allowed)
