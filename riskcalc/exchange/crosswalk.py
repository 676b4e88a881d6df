"""A crosswalk between frameworks, by somebody else: through it, controls become candidates for another one.

Rows that come through it say so in the framework's name, such as ``CCM 4 (through ISO/IEC 27001:2022 A.5.15)``: nobody
has said of the control itself that it serves the reference, so that it is a candidate, never an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from riskcalc.errors import Problem, RegisterError, UsageError
from riskcalc.excel import importing
from riskcalc.exchange.oscal_import import planned
from riskcalc.files import csv_rows, read
from riskcalc.register.register import load

COLUMNS = ("framework", "reference", "to_framework", "to_reference")
_THROUGH = " (through "
_NOISE = {"iec", "v", "version", "rev", "revision"}


def plan(path: Path, into: Path) -> importing.Plan:
    """What a crosswalk, a CSV file with ``COLUMNS``, read both ways, would add to a register's mappings.

    Raises:
        RegisterError: the file or the register can't be read.
        UsageError: there is no such file, or no control is mapped to anything in it.
    """
    known = load(into).mappings[["control_id", "framework", "reference"]]
    own = [row for row in known.itertuples(index=False, name=None) if _THROUGH not in row[1]]
    there = {(control, framework_key(framework), reference) for control, framework, reference in own}
    found = dict[tuple[str, ...], str]()
    for line, (framework, reference, other, theirs) in _rows(path):
        for control, named, held in own:
            meets = (framework_key(named), held) == (framework_key(framework), reference)
            if meets and (control, framework_key(other), theirs) not in there:
                found.setdefault((control, f"{other}{_THROUGH}{named} {held})", theirs), f"line {line}")
    if not found:
        told = "no control is mapped to a framework, in that version, and a reference that it names"
        raise UsageError(f"{path}: {told}.")
    names = ("control_id", "framework", "reference")
    rows = [("mappings", where, dict(zip(names, cells, strict=True))) for cells, where in found.items()]
    return planned(path, into, rows, {})


def framework_key(name: str) -> str:
    """What tells frameworks and their versions apart, however they are written.

    >>> framework_key("ISO/IEC 27001:2022") == framework_key("iso 27001 (2022)") != framework_key("ISO 27001:2013")
    True
    """
    return " ".join(each for each in re.findall(r"[^\W\d_]+|\d+", name.casefold()) if each not in _NOISE)


def _rows(path: Path) -> Iterator[tuple[int, tuple[str, str, str, str]]]:
    """The crosswalk's rows, each in both directions, with its line."""
    try:
        header, *rows = csv_rows(read(path), path.name)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.") from None
    except ValueError:
        raise UsageError(f"{path} is empty; allowed: a row of columns, {', '.join(COLUMNS)}, and rows below.") from None
    names = [name.strip() for name in header[1]]
    if missing := [name for name in COLUMNS if name not in names]:
        told = f"isn't there; allowed: {', '.join(COLUMNS)}"
        raise RegisterError([Problem(path.name, header[0], name, "", told) for name in missing])
    for line, cells in rows:
        row = dict(zip(names, (cell.strip() for cell in cells), strict=False))
        one, two, three, four = (row.get(name, "") for name in COLUMNS)
        if not (one and two and three and four):
            raise RegisterError([Problem(path.name, line, "", "", f"a cell is blank; needed: {', '.join(COLUMNS)}")])
        yield line, (one, two, three, four)
        yield line, (three, four, one, two)
