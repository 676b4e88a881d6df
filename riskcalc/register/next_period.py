"""Opening a period: a row of ratings for every risk, what was held before being a proposal that counts for nothing."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from riskcalc.register.editing import Cells, as_file, narrowed, rewritten, widened
from riskcalc.register.periods import Period
from riskcalc.register.register import Register
from riskcalc.register.tables import Rating

_AXES = ("likelihood", "impact")
_PROPOSED = tuple(f"proposed_{axis}" for axis in _AXES)
_COLUMNS = list(Rating.model_fields)  # all of them: a register that no longer begins may lack none
Pair = tuple[str, str]


@dataclass(frozen=True)
class Opening:
    """What opening ``period`` would add to ratings.csv: by risk, the proposal from the period ``before``, or None.

    ``files`` are the files of the register as they would be; none where every risk has a row in the period.
    """

    period: Period
    before: Period | None
    proposals: Mapping[str, Pair | None]
    files: Mapping[str, bytes]


def opening(register: Register, period: Period, seen: Mapping[str, bytes | None]) -> Opening:
    """How a register's period is opened; ``seen`` are the files of its folder (``editing.contents``).

    Ratings that stand among the risks move to their own file first, each with its period. A risk that has a row in the
    period keeps it.

    >>> from pathlib import Path
    >>> from riskcalc.register.editing import contents
    >>> from riskcalc.register.register import load
    >>> opening(load("data"), Period.parse("2026-H2"), contents(load("data").source)).proposals["PAY-R01"]
    ('2', '4')
    """
    ratings, held = register.ratings, register.at(period, period.last_day).risks["risk_id"]
    before = register.previous(period)
    known = _held(ratings[ratings["period"] == before.name]) if before else {}
    there = set(ratings[ratings["period"] == period.name]["risk_id"])
    proposals = {risk: known.get(risk) for risk in held if risk not in there}
    rows = [_row(risk, period.name, proposed=pair) for risk, pair in proposals.items()]
    files = _files(register, rows, seen) if rows else {}
    return Opening(period, before, proposals, {name: text.encode() for name, text in files.items()})


def _held(ratings: pd.DataFrame) -> dict[str, Pair]:
    """By risk, its rating, or else what was proposed and never confirmed."""
    found = {}
    for row in ratings.to_dict("records"):
        for columns in (_PROPOSED, _AXES):
            likelihood, impact = (row[column] for column in columns)
            if not pd.isna(likelihood):
                found[str(row["risk_id"])] = str(likelihood), str(impact)
    return found


def _row(risk_id: str, period: str, rated: Pair | None = None, proposed: Pair | None = None) -> Cells:
    pairs = ((_AXES, rated), (_PROPOSED, proposed))
    cells = {column: text for columns, pair in pairs for column, text in zip(columns, pair or ("", ""), strict=True)}
    return {"risk_id": risk_id, "period": period, **cells}


def _files(register: Register, rows: list[Cells], seen: Mapping[str, bytes | None]) -> dict[str, str]:
    content = seen["ratings.csv"]
    if content is not None:
        text = content.decode()
        header = next(csv.reader([text.removeprefix("\ufeff").partition("\n")[0]]))
        return {"ratings.csv": rewritten(widened(text, [name for name in _COLUMNS if name not in header]), {}, rows)}
    carried = _held(register.ratings)
    moved = [
        _row(risk, period, carried.get(risk))
        for risk, period in zip(register.ratings["risk_id"], register.ratings["period"], strict=True)
    ]
    risks = narrowed((seen["risks.csv"] or b"").decode(), _AXES)
    return {"ratings.csv": as_file(_COLUMNS, [*moved, *rows]), "risks.csv": risks}
