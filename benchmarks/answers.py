"""Questionnaires: how long a large library takes, and what of real templates is kept when they are filled.

``python -m benchmarks.answers [TEMPLATE.xlsx ...]``; the templates aren't ours, and not shipped.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import openpyxl
import pandas as pd

import riskcalc
from riskcalc.answers.candidates import Desk
from riskcalc.answers.mapping import asked, propose
from riskcalc.answers.questionnaire_files import column_of, read_questionnaire
from riskcalc.answers.write_back import filled
from riskcalc.assessment.context import Context


def library(entries: int = 5_000, questions: int = 320) -> str:
    """Seconds of processor time to open a library and to find candidates."""
    register = riskcalc.load("data")
    register, draw = register.at(register.period()), random.Random(1)
    words = [
        word for text in [*register.controls["description"], *register.answers["question"]] for word in text.split()
    ]
    rows = register.answers.to_dict("records")
    made = [
        {
            **rows[at % len(rows)],
            "answer_id": f"X{at}",
            "answer": f"{rows[at % len(rows)]['answer']} {draw.choice(words)}",  # no two are the same
            "unit_id": "payroll",
            "question": " ".join(draw.sample(words, 12)),
            "aliases": (),
        }
        for at in range(entries)
    ]
    context = Context.of(replace(register, answers=pd.DataFrame(made)))
    Desk(context, ("payroll",), "client").candidates("warm up")
    start = time.process_time()
    desk = Desk(context, ("payroll",), "client")
    opened = time.process_time()
    for _ in range(questions):
        desk.candidates(" ".join(draw.sample(words, 11)))
    took = time.process_time() - opened
    return f"{entries:,} entries: opened in {opened - start:.1f} s; {questions} questions in {took:.1f} s"


def kept(path: Path) -> str:
    """What of a template is there after its questions are answered by their first choice, or by a text."""
    sheets, answers = read_questionnaire(path), dict[str, dict[tuple[int, int], str]]()
    by_name, found = {sheet.name: sheet for sheet in sheets}, propose(sheets)
    for columns in found.sheet:
        for row, *_ in asked(columns, sheet := by_name[columns.name]):
            place = (row, column_of(columns.answer))
            answers.setdefault(sheet.name, {})[place] = next(iter(sheet.offered(*place)[1]), "An answer.")
    content, left = filled(path, answers)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(BytesIO(content)) as new:
        same = sum(old.read(name) == new.read(name) for name in old.namelist())
        of = len(old.namelist())
    with tempfile.NamedTemporaryFile(suffix=".xlsx") as file:
        Path(file.name).write_bytes(content)
        counts = [_counts(each) for each in (path, Path(file.name))]
    number = sum(map(len, answers.values()))
    told = "all kept" if counts[0] == counts[1] else f"LOST: {counts}"
    written = f"{number - len(left)} of {number} answers written"
    return f"{path.name}: {written}, {same} of {of} parts the same; {counts[0]}: {told}"


def _counts(path: Path) -> dict[str, int]:
    """Drop-downs, formats, merges, comments, rich texts and charts, as the parts themselves have them."""
    marks = {"drop-downs": b"dataValidation ", "formats": b"<cfRule", "merges": b"<mergeCell ", "rich texts": b"<rPr>"}
    found = dict.fromkeys([*marks, "comments", "charts"], 0)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            for mark, text in marks.items():
                found[mark] += content.count(text)
            found["comments"] += content.count(b"<comment ")
            found["charts"] += name.startswith("xl/charts/chart")
    openpyxl.load_workbook(path)
    return found


if __name__ == "__main__":
    print(library())
    for name in sys.argv[1:]:
        print(kept(Path(name)))
