"""CSV as we write it: rows that every reader reads back, and cells that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

FORMULAS = tuple("=+-@\t\r＝＋－＠")  # how a text begins that a spreadsheet may take for a formula


def as_line(cells: Iterable[object], ending: str = "\n") -> str:
    """A row, with quotes only where they are needed; a lone carriage return needs them on every Python.

    >>> as_line(["a", "b,c", "d"], "")
    'a,"b,c",d'
    """
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n") + ending


def for_people(text: str) -> str:
    """A cell of a file that people open in a spreadsheet: what would be a formula gets an apostrophe before it.

    >>> for_people("=1+1"), for_people("-12.50"), for_people("A-1")
    ("'=1+1", '-12.50', 'A-1')
    """
    number = re.fullmatch(r"[-+]?[0-9]+([.,][0-9]+)*", text)
    return f"'{text}" if text.startswith(FORMULAS) and not number else text
