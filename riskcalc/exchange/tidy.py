"""Tidy tables of all periods for dashboards: a row per thing and period, with a data dictionary, nothing served.

``dictionary.csv``, beside this file, says which tables and columns there are, of what type, and what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from riskcalc.assessment import claims
from riskcalc.assessment.consistency import Finding, findings, findings_for
from riskcalc.assessment.context import Context
from riskcalc.assessment.evidence import assess
from riskcalc.assessment.opening import described_scores
from riskcalc.assessment.scoring import score_lines
from riskcalc.errors import UsageError, of_an_extra
from riskcalc.files import as_line, csv_rows
from riskcalc.register.audiences import Audience, inside, redacted
from riskcalc.register.records import as_text
from riskcalc.register.register import Register

DICTIONARY = "dictionary.csv"
_TYPES = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "date": "DATE", "boolean": "BOOLEAN"}


def columns() -> dict[str, dict[str, str]]:
    """By table, its columns with their types.

    >>> list(columns())
    ['scores', 'lines', 'controls', 'tests', 'findings']
    """
    found: dict[str, dict[str, str]] = {}
    for _, (table, column, kind, _) in list(csv_rows(_dictionary(), DICTIONARY))[1:]:
        found.setdefault(table, {})[column] = kind
    return found


def files(register: Register, audience: Audience, as_of: date | None = None, parquet: bool = False) -> dict[str, bytes]:
    """The tables as CSV (UTF-8, LF, blank for nothing) or Parquet, and the dictionary, by file name.

    Earlier periods are seen from their own day, the latest from ``as_of``, if it is given.

    Raises:
        ModuleNotFoundError: Parquet needs an extra.
        UsageError: it is for somebody who is told of no assessment, or nothing is rated by ``as_of``.
    """
    readers, wholes = inside(audience), list(_contexts(register, as_of))
    if not wholes:
        raise UsageError(f"No period has begun by {as_of}." if as_of else "The register has no ratings yet.")
    frames = zip(columns().items(), _frames(wholes, readers), strict=True)
    texts = {name: _csv(list(types), frame) for (name, types), frame in frames}
    written = _parquet(texts) if parquet else {f"{name}.csv": text for name, text in texts.items()}
    return {**written, DICTIONARY: _dictionary()}


# --- parts ---


def _dictionary() -> bytes:
    return resources.files("riskcalc.exchange").joinpath(DICTIONARY).read_bytes()


def _contexts(register: Register, as_of: date | None) -> Iterator[Context]:
    begun = [each for each in register.periods if as_of is None or each.first_day <= as_of]
    for period in begun:
        last = period is begun[-1]
        day = as_of if last and as_of else min(period.as_of, as_of or date.max)
        yield Context.of(register, period.name, day)


def _found(context: Context) -> list[Finding]:
    return [*findings(context), *claims.findings(context)]


def _frames(wholes: list[Context], audience: Audience) -> Iterator[pd.DataFrame]:
    """The tables, in the dictionary's order."""
    contexts = [Context.of(redacted(each.register, audience)) for each in wholes]

    def of_all(frames: Iterator[pd.DataFrame]) -> pd.DataFrame:
        seen = zip(contexts, frames, strict=True)
        told = (frame.assign(period=each.period.name, as_of=each.as_of) for each, frame in seen)
        return pd.concat([frame.astype(object) for frame in told])

    yield of_all(described_scores(each) for each in contexts)
    yield of_all(score_lines(each) for each in contexts)
    yield of_all(
        each.register.controls.merge(assess(each).reset_index(drop=True), on="control_id") for each in contexts
    )
    tests = contexts[-1].register.control_tests
    yield tests[tests["tested_on"] <= pd.Timestamp(contexts[-1].as_of)].astype(object)
    found = (findings_for(audience, *both, _found) for both in zip(wholes, contexts, strict=True))
    yield of_all(pd.DataFrame(of_one) for of_one in found)


def _csv(names: list[str], frame: pd.DataFrame) -> bytes:
    rows = frame.reindex(columns=names).itertuples(index=False, name=None)
    return "".join([as_line(names), *(as_line(map(_text, row)) for row in rows)]).encode()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else as_text(value)


def _parquet(texts: dict[str, bytes]) -> dict[str, bytes]:
    with of_an_extra():
        import duckdb
    with TemporaryDirectory(prefix="riskcalc-") as name, duckdb.connect() as database:
        database.execute("SET threads = 1")  # the same bytes each time
        for table, text in texts.items():
            (Path(name) / f"{table}.csv").write_bytes(text)
            types = {column: _TYPES[kind] for column, kind in columns()[table].items()}
            file = f"{name}/{table}.csv"
            read = database.read_csv(file, header=True, dtype=types, sep=",", quotechar='"', escapechar='"')
            read.write_parquet(f"{name}/{table}.parquet")
        return {f"{table}.parquet": (Path(name) / f"{table}.parquet").read_bytes() for table in texts}
