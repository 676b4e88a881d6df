"""Registers to and from workbooks, as the command line has it: a template, an export, the methodology's text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pandas as pd

from riskcalc.assessment.context import Context
from riskcalc.assessment.scoring import scores
from riskcalc.errors import Problem, RegisterError, UsageError
from riskcalc.excel.results import write_results
from riskcalc.excel.summary import write_summary
from riskcalc.excel.template import write_lines, write_register, write_table
from riskcalc.excel.writer import Sheets, too_long, unfit
from riskcalc.register.audiences import FULL, WITHHELD, Audience, find, inside, redacted
from riskcalc.register.checked_rows import Table
from riskcalc.register.lines import Lines
from riskcalc.register.methodology import FILE, Methodology
from riskcalc.register.register import find_register, load, read_tables
from riskcalc.register.starter import Starter
from riskcalc.register.tables import TABLES
from riskcalc.register.xlsx_cells import open_workbook
from riskcalc.register.xlsx_tables import METHODOLOGY, methodology_text


def template(data: str | None = None) -> bytes:
    """An empty register as a workbook, with the methodology of the register in ``data``, else one to begin with.

    Raises:
        RegisterError: that methodology can't be used.
        UsageError: there is no such register.

    >>> template()[:2]  # a workbook is a zip file
    b'PK'
    """
    text = text_of_methodology(find_register(data)) if data else Starter("Your organisation", "EUR").methodology()
    with Sheets("Risks to financial reporting: a register to fill in") as sheets:
        write_register(sheets, text, Methodology.parse(text))
        return sheets.as_bytes()


def export(
    data: str = "data", period: str = "", as_of: date | None = None, audience: str = "", unit_id: str = ""
) -> bytes:
    """The register in ``data`` as a workbook, with its results for a period (default: the latest).

    A register without ratings gets no results. For an ``audience``, what isn't for its eyes is in no part of the
    workbook; with ``unit_id``, only that unit's rows are. What is read from a workbook for nobody in particular is the
    same register again; one for an audience is no register, and is refused as one.

    Raises:
        RegisterError: the register can't be used, or holds what no cell of a workbook can.
        UsageError: there is no such register, period, audience or unit, or nothing of a register is for the audience.

    >>> export("data", audience="board")[:2]
    b'PK'
    """
    readers = _readers(audience, unit_id)
    register = load(data, period)
    methodology, tables = read_tables(register.source, period)
    text = text_of_methodology(register.source)
    if problems := [*_unfit_lines(text), *(problem for table in tables.values() for problem in unfit(table))]:
        raise RegisterError(problems, register.source)
    rated, shown = bool(register.periods or period), tables
    context = Context.of(register, period, as_of) if rated else None
    if readers is not FULL:
        stood = context.register if context else register
        seen = redacted(stood.only(unit_id) if unit_id else stood, readers)
        theirs = [name for name in TABLES if name not in readers.left_out]
        shown = {name: _seen(tables[name], getattr(stood, name), getattr(seen, name), readers) for name in theirs}
        context = Context.of(seen) if rated else None
    title = f"{methodology.organisation}: risks to financial reporting"
    with Sheets(title, readers.label) as sheets:
        found = scores(context) if context else pd.DataFrame()
        if context:
            write_summary(sheets, context, found, readers.label)
        if readers is FULL:
            write_register(sheets, text, methodology, tables)
        else:
            write_lines(sheets, "about", [f"{title}, {readers.label}", *_about(readers, shown)])
        if context:
            write_results(sheets, context, found)
        if readers is not FULL:
            _write_read_only(sheets, methodology, shown)
        return sheets.as_bytes()


def _write_read_only(sheets: Sheets, methodology: Methodology, tables: Mapping[str, Table]) -> None:
    """Write the tables without their drop-downs, to be read.

    The methodology's text stays away: its anchors and comments may hold what isn't for these readers, and without it
    nobody imports "withheld" over what it stands for.
    """
    for name, table in tables.items():
        if table.columns:
            write_table(sheets, name, methodology, table)


def _readers(name: str, unit_id: str) -> Audience:
    found = inside(find(name), "a register's workbook")
    if found is FULL and unit_id:
        raise UsageError("A unit's part is no register; --unit goes with --audience.")
    if not (found.whole or unit_id):
        raise UsageError(f"The audience {name!r} sees one unit: name it with --unit.")
    return found


def _unfit_lines(text: str) -> Iterator[Problem]:
    """The lines of methodology.toml that no workbook can hold."""
    for number, line in enumerate(text.split("\n"), 1):
        if too_long(line):
            yield Problem(FILE, number, "", f"{line[:40]}…", "is longer than a cell of a workbook can be; break it up")


def _seen(table: Table, whole: pd.DataFrame, seen: pd.DataFrame, readers: Audience) -> Table:
    """A table as its readers get it: the rows that are left in ``seen``, and "withheld" for what isn't as it was.

    ``seen`` is compared with ``whole`` as both read, not by a list of columns: whatever is redacted, now or later, is
    withheld here; what counts, but isn't for these readers, too.
    """
    whole, found = whole.loc[seen.index], Table(table.name, columns=table.columns)
    found.cells = Lines(table.cells.columns, dict)
    given = (line for line in seen.index if line in table.cells)  # not what stands in
    found.cells.extend((line, table.cells[line].values()) for line in given)
    for column in (column for column in table.columns if column in seen):
        counts = column in readers.hidden[table.name]
        for line, before, after in zip(seen.index, whole[column], seen[column], strict=True):
            changed = str(before) != str(after) or (counts and not pd.isna(before))
            if changed and line in found.cells:
                found.cells.put(line, column, WITHHELD)
    return found


def _about(readers: Audience, tables: Mapping[str, Table]) -> Iterator[str]:
    yield "Sheets that begin with 'results' come first, then the register's tables, with what they were made from."
    for name, table in tables.items():
        if columns := [column for column in table.columns if WITHHELD in table.column(column)]:
            yield f"Withheld in {name}: {', '.join(columns)}."
    if readers.left_out:
        yield f"Left out: {', '.join(readers.left_out)}."
    yield f"This workbook was made {readers.label}. It is no register, and can't be imported as one."


def text_of_methodology(source: Path) -> str:
    """The text of a register's methodology.toml; raises RegisterError where it isn't there.

    >>> "[[likelihood]]" in text_of_methodology(Path("data"))
    True
    """
    if source.is_dir():
        Methodology.read(source / FILE)
        return (source / FILE).read_text("utf-8-sig")
    with open_workbook(source) as book:
        if METHODOLOGY not in book.sheets:
            raise UsageError(f"{source} has no sheet {METHODOLOGY}.")
        text, problems = methodology_text(book, source.name)
    if problems:
        raise RegisterError(problems, source)
    return text
