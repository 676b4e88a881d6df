"""Registers to and from workbooks, as the command line has it: a template, an export, the methodology's text."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from riskcalc.assessment.context import Context
from riskcalc.errors import RegisterError, UsageError
from riskcalc.excel.results import write_results
from riskcalc.excel.template import write_register
from riskcalc.excel.writer import Sheets, unfit
from riskcalc.register.methodology import FILE, Methodology
from riskcalc.register.register import find_register, load, read_tables
from riskcalc.register.starter import Starter
from riskcalc.register.xlsx_cells import open_workbook
from riskcalc.register.xlsx_tables import METHODOLOGY, methodology_text


def template(data: str | None = None) -> bytes:
    """An empty register as a workbook, with the methodology of the register in ``data``, else one to begin with.

    Raises:
        RegisterError: that methodology can't be used.
        UsageError: there is no such register.
    """
    text = text_of_methodology(find_register(data)) if data else Starter("Your organisation", "EUR").methodology()
    sheets = Sheets()
    write_register(sheets, text, Methodology.parse(text))
    return sheets.as_bytes()


def export(data: str = "data", period: str = "", as_of: date | None = None) -> bytes:
    """The register in ``data`` as a workbook, with its results for a period (default: the latest).

    A register without ratings gets no results. What was read from the workbook is the same register again.

    Raises:
        RegisterError: the register can't be used, or holds what no cell of a workbook can.
        UsageError: there is no such register, or no such period.
    """
    register = load(data)
    methodology, tables = read_tables(register.source)
    if problems := [problem for table in tables.values() for problem in unfit(table)]:
        raise RegisterError(problems, register.source)
    sheets = Sheets()
    write_register(sheets, text_of_methodology(register.source), methodology, tables)
    if register.periods or period:
        write_results(sheets, Context.of(register, period, as_of))
    return sheets.as_bytes()


def started(folder: Path) -> bytes:
    """A register that begins, in a folder, as a workbook to fill in; raises RegisterError where it can't be used."""
    methodology, tables = read_tables(folder)
    sheets = Sheets()
    write_register(sheets, text_of_methodology(folder), methodology, tables)
    return sheets.as_bytes()


def text_of_methodology(source: Path) -> str:
    """The text of a register's methodology.toml; raises RegisterError where it isn't there."""
    if source.is_dir():
        Methodology.read(source / FILE)
        return (source / FILE).read_text("utf-8-sig")
    with open_workbook(source) as book:
        if METHODOLOGY not in book.sheets:
            raise UsageError(f"{source} has no sheet {METHODOLOGY}.")
        text, problems = methodology_text(book.grid(METHODOLOGY), source.name)
    if problems:
        raise RegisterError(problems, source)
    return text
