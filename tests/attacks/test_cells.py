"""Nasty values in every cell: each register loads, or is refused by file, line, column and value; never a traceback."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from register_files import DEFICIENCY, Rows, write_register

import riskcalc
from riskcalc.errors import UsageError
from riskcalc.files import as_line
from riskcalc.register.checked_rows import check_lines
from riskcalc.register.integrity import check_references
from riskcalc.register.lines import Lines
from riskcalc.register.register import read_tables
from riskcalc.register.tables import TABLES

SEED = int(os.environ.get("RISKCALC_FUZZ_SEED", "1"))  # docs/running.md: another one each night
NASTY = [
    *("", " ", "\t", "\xa0", "\u200b", "\ufeff", "NA", "nan", "inf", "-inf", "None", "TRUE", "no", "-1", "-0", "0"),
    *("00", "007", "1.5", "1,5", "1e5", "1E+05", "0x10", "1_000", "٣", "½", "9" * 12, "9" * 18, "9" * 5000, "150.000"),
    *("2026-02-30", "9999-12-31", "0001-01-01", "45000", "2026-H3", "0000-H1", "12-31", "|", "a||b", "accuracy|accuracy"),
    *("=1+1", "@SUM(A1)", "<script>alert(1)</script>", "{{x}}", "{x.__class__}", "%s%n", "../../etc/passwd", "a\x1b[31mb"),
    *("a\rb", "a\nb", 'a"b', "\u202eabc", "e\u0301", "🜛", "x" * 100_000, "CON", "A-R1", "A-C1", "alpha", "type1"),
]  # fmt: skip


def full(rows: Rows) -> None:
    """Something in every table."""
    rows["deficiencies"].append(dict(DEFICIENCY))
    rows["report_items"] = [
        {"item_id": "I1", "unit_id": "alpha", "item": "system_description", "status": "open", "owner": "O."}
    ]
    rows["documents"] = [
        {"document_id": "D1", "title": "Policy", "kind": "policy", "covers_from": "2026-01-01", "issuer": "We"}
        | {"audience": "client", "reference": "D/1"}
    ]
    rows["answers"] = [
        {"answer_id": "Q1", "question": "Is there a policy?", "aliases": "Any policy?", "verdict": "yes"}
        | {"answer": "Yes.", "sources": "D1", "claims": "held:D1", "audience": "client", "owner": "O."}
    ]


def mutated(value: str, chance: random.Random) -> str:
    """A value that was right, with a character more, less or exchanged."""
    place = chance.randrange(len(value) + 1)
    return (
        value[:place]
        + chance.choice(["", "0", "-", "|", ".", " ", "é", "\ud7ff"])
        + value[place + chance.randrange(2) :]
    )


@pytest.mark.parametrize("name", TABLES)
def test_a_cell_loads_or_is_refused_where_it_stands(tmp_path: Path, name: str) -> None:
    """Whatever is typed into any column, the message leads to the cell and shows what was seen there.

    Every value is tried in memory; of those that pass, some are read from files and scored, chosen by the seed.
    """
    chance = random.Random(f"{SEED} {name}")
    folder = write_register(tmp_path / "data", full)
    methodology, tables = read_tables(folder)
    header, [line, cells] = tables[name].columns, next(iter(tables[name].cells.items()))
    passed = []
    others = [(at, list(each.values())) for at, each in tables[name].cells.items() if at != line]
    for place, column in enumerate(header):
        for value in [*NASTY, *(mutated(cells[column], chance) for _ in range(5))]:
            row = [*cells.values()]
            row[place] = value
            table = replace(tables[name], cells=Lines((), dict), problems=[], whole=False)
            check_lines(table, header, [(line, row), *others], methodology)
            found = [*table.problems, *check_references({**tables, name: table})]
            for problem in found:
                assert problem.file.endswith(".csv"), problem
                assert problem.line, problem
                assert problem.column, problem
                assert problem.allowed, problem
                assert len(str(problem)) < 3_000, "nobody reads more of one problem"
            told = [
                each.value for each in found if (each.file, each.line, each.column) == (f"{name}.csv", line, column)
            ]
            seen = (value, value.strip(), *value.split("|"), *(part.strip() for part in value.split("|")))
            assert all(each in seen for each in told), (column, value, told)  # blanks round a key are read over
            passed.extend([] if found else [row])
    for row in chance.sample(passed, min(len(passed), 12)):
        loads_and_scores(folder, name, header, row, list(tables[name].cells.values()))


def loads_and_scores(folder: Path, name: str, header: list[str], row: list[str], cells: list[dict[str, str]]) -> None:
    """What passes in memory passes from its file, and can be scored, or a sentence says why not."""
    rows = [row, *(list(each.values()) for each in cells[1:])]
    text = "".join(as_line(each) for each in (header, *rows))
    (folder / f"{name}.csv").write_bytes(text.encode())
    register = riskcalc.load(folder)
    with suppress(UsageError):  # such as: no risk is rated in any period
        assert len(riskcalc.score(register)) == len(register.risks)
