"""Votes that were collected elsewhere, from a CSV file into the workshop that is under way: all of them, or none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from riskcalc.assessment.scoring import AXES
from riskcalc.errors import Problem, RegisterError, UsageError, counted, one_line
from riskcalc.files import csv_rows, read
from riskcalc.workshop.session import Workshop
from riskcalc.workshop.store import Vote

COLUMNS = ("participant", "risk_id", "likelihood", "impact")


def import_votes(workshop: Workshop, path: str | Path) -> int:
    """Take over the votes in a CSV file, a line per participant and risk, and give their number; blank is "can't say".

    The participant's name, or any sign that tells participants apart, is kept apart from the votes as everywhere.

    Raises:
        RegisterError: a line can't be read or taken; ``.problems`` holds every reason, and no vote was stored.
        UsageError: there is no such file, or it isn't such a table.
    """
    file = Path(path)
    try:
        (_, header), *rows = csv_rows(read(file), str(file))
    except OSError as error:
        raise UsageError(f"{file} can't be read as CSV in UTF-8: {error}") from None
    except ValueError:
        header, rows = [], []
    if sorted(header) != sorted(COLUMNS):
        raise UsageError(f"{file}:1: the columns are {', '.join(header) or 'missing'}; allowed: {','.join(COLUMNS)}")
    return _take(workshop, file, header, rows)


def _take(workshop: Workshop, file: Path, header: list[str], rows: list[tuple[int, list[str]]]) -> int:
    problems: list[Problem] = []
    votes: list[tuple[str, str, Vote]] = []
    risks = {risk["risk_id"]: risk for risk in workshop.store.risks(workshop.workshop_id)}
    shape = dict(zip(AXES, workshop.register.methodology.matrix.shape, strict=True))
    voted = {risk: workshop.store.voted(workshop.workshop_id, risk, row["round"]) for risk, row in risks.items()}
    seen = {(risk, name) for risk, names in voted.items() for name in names}
    for line, cells in rows:
        row = dict(zip(header, cells, strict=False))
        if len(cells) == len(header):
            wrong = [*_wrong_place(row, risks, seen), *_wrong_votes(row, shape)]
        else:
            wrong = [("", f"{counted(len(cells), 'cell')}, but the header has {counted(len(header), 'column')}")]
        problems.extend(Problem(file.name, line, column, row.get(column, ""), allowed) for column, allowed in wrong)
        if not wrong:
            seen.add((row["risk_id"], row["participant"].strip()))
            given = Vote(*(int(row[axis]) if row[axis] else None for axis in shape))
            votes.append((row["risk_id"], row["participant"].strip(), given))
    if problems:
        raise RegisterError(problems, file)
    for name in sorted({name for _, name, _ in votes}):
        workshop.store.join(workshop.workshop_id, name)
    workshop.store.vote_all(workshop.workshop_id, votes)
    return len(votes)


def _wrong_place(
    row: Mapping[str, str], risks: Mapping[str, Mapping[str, Any]], seen: set[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    risk, name = risks.get(row["risk_id"]), row["participant"].strip()
    if not name:
        yield "participant", "blank; allowed: a name, or any sign that tells participants apart"
    try:
        one_line(name)
    except ValueError as error:
        yield "participant", str(error)
    if risk is None:
        yield "risk_id", "is no risk of this workshop"
    elif risk["revealed"]:
        yield "risk_id", "its votes were shown; a further round must be opened first"
    elif (row["risk_id"], name) in seen:
        yield "participant", f"has voted on {row['risk_id']} in this round already"


def _wrong_votes(row: Mapping[str, str], shape: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for axis, top in shape.items():
        if row[axis] and not (re.fullmatch("[1-9][0-9]?", row[axis]) and int(row[axis]) <= top):
            yield axis, f"allowed: a whole number from 1 to {top}, or blank for can't say"
