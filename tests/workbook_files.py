"""Registers as workbooks, for tests to bend: written by openpyxl as people's own would be, not by riskcalc."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl

from riskcalc.register.tables import TABLES

Edit = Callable[[Any], object]


def write_workbook(path: Path, folder: Path, edit: Edit | None = None) -> Path:
    """The register in ``folder`` as a workbook, all cells texts, changed by ``edit``."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    sheet = book.create_sheet("methodology")
    for row, line in enumerate((folder / "methodology.toml").read_text("utf-8").splitlines(), 1):
        _text(sheet.cell(row, 1), line)
    for name in TABLES:
        sheet = book.create_sheet(name)
        with open(folder / f"{name}.csv", encoding="utf-8", newline="") as file:
            for row, cells in enumerate(csv.reader(file), 1):
                for column, text in enumerate(cells, 1):
                    _text(sheet.cell(row, column), text)
    if edit:
        edit(book)
    book.save(path)
    return path


def _text(cell: Any, text: str) -> None:
    if text:
        cell.value = text
        cell.data_type = "s"


def put(sheet: str, cell: str, value: Any, number_format: str = "") -> Edit:
    """An edit: another value in a cell."""

    def edit(book: Any) -> None:
        book[sheet][cell].value = value
        if number_format:
            book[sheet][cell].number_format = number_format

    return edit


def repack(path: Path, **parts: str | bytes | None) -> Path:
    """Replace, add or (with None) remove parts of a zip file; ``__`` in a name is ``/``, ``_dot_`` is a dot."""
    changed = {name.replace("__", "/").replace("_dot_", "."): content for name, content in parts.items()}
    with zipfile.ZipFile(path) as old:
        kept = {entry.filename: old.read(entry) for entry in old.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in {**kept, **changed}.items():
            if content is not None:
                new.writestr(name, content)
    return path


def change_part(path: Path, name: str, old: str, new: str) -> Path:
    """Replace text in a part of a workbook, once."""
    with zipfile.ZipFile(path) as archive:
        text = archive.read(name).decode()
    assert old in text, text[:2000]
    return repack(path, **{name.replace("/", "__").replace(".", "_dot_"): text.replace(old, new, 1)})


def part_of(path: Path, sheet: str) -> str:
    """The part that holds a sheet."""
    book = openpyxl.load_workbook(path)
    return f"xl/worksheets/sheet{book.sheetnames.index(sheet) + 1}.xml"
