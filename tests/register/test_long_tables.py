"""Rows of long tables: what stood above a line makes no difference to how it is read."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from riskcalc.register.checked_rows import Table, check_lines
from riskcalc.register.methodology import FILE, Methodology
from riskcalc.register.tables import TABLES

METHODOLOGY = Methodology.read(Path(__file__).parents[2] / "data" / FILE)
RATING = st.sampled_from(["", "1", "5", "9", "Likely", " 3"])
DAY = st.sampled_from(["", " ", "2026-05-19", "2026-02-30", "30.06.2026", "05/06/2026"])
TEXT = st.sampled_from(["", " ", "A. Lead", "0", " A. Lead", "NA"])
GOOD = dict.fromkeys(TABLES["ratings"].model_fields, "") | {"risk_id": "R", "period": "2026-H1"}
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "risk_id": st.sampled_from(["", " R", "R|S", "R", "1E+05", "a\u200bb"]),
        "period": st.sampled_from(["2026-H1", "2026 h1", "H3", ""]),
        "likelihood": RATING,
        "impact": RATING,
        "rationale": TEXT,
        "rated_by": TEXT,
        "rated_on": DAY,
        "votes": st.sampled_from(["", "7", "9", "7.0", " 7"]),
        "likelihood_low": RATING,
        "likelihood_high": RATING,
        "impact_low": RATING,
        "impact_high": RATING,
    },
)


def read(lines: list[tuple[int, dict[str, str]]]) -> Table:
    table = Table("ratings")
    columns = list(lines[0][1])
    check_lines(table, columns, [(line, [cells[name] for name in columns]) for line, cells in lines], METHODOLOGY)
    return table


@given(st.lists(CHANGES, min_size=2, max_size=12))
def test_a_line_is_read_as_if_it_stood_alone(changes: list[dict[str, str]]) -> None:
    """The same row, the same spelling, and the same problems and notes, whatever was read before it."""
    rows = [{**GOOD, **each} for each in changes]
    lines = [(line, {**cells, "risk_id": f"{cells['risk_id']}-{line}"}) for line, cells in enumerate(rows, 2)]
    lines += [(line + 100, {**cells, "risk_id": f"R{line}", "rationale": f" {line}"}) for line, cells in lines]
    together, alone = read(lines), [read([each]) for each in lines]
    for (line, _), table in zip(lines, alone, strict=True):
        assert together.rows.get(line) == table.rows.get(line)
        assert together.cells[line] == table.cells[line]
    for kind in ("problems", "notes"):
        assert sorted(getattr(together, kind)) == sorted(each for table in alone for each in getattr(table, kind))
