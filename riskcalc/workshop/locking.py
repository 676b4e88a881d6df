"""A decided rating on its way: into the log first, then as its row into ratings.csv; never into one of them alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskcalc.assessment.scoring import AXES
from riskcalc.assessment.what_if import Rating
from riskcalc.errors import RegisterError, RiskcalcError
from riskcalc.register.checked_rows import read_table
from riskcalc.register.editing import Cells, check_row, find_row, held, put_row
from riskcalc.register.methodology import Methodology
from riskcalc.workshop import decision_log
from riskcalc.workshop.decision_log import LogEntry
from riskcalc.workshop.tally import Tally

_SPREAD = ("votes", "likelihood_low", "likelihood_high", "impact_low", "impact_high")


class RatingChangedError(RiskcalcError):
    """Somebody else changed the rating in ratings.csv since it was last shown; nothing was written."""


@dataclass
class RatingsFile:
    """A period's rows of the register's ratings.csv, as they are at this moment, and how a decision gets there."""

    folder: Path
    period: str
    methodology: Methodology
    _known: dict[str, Cells] = field(default_factory=dict)
    _read_at: tuple[int, ...] | None = None

    def rows(self) -> dict[str, Cells]:
        """By risk, the row as text; raises RegisterError where the file can't be read."""
        path = self.folder / "ratings.csv"
        found = path.stat() if path.exists() else None
        at = (found.st_mtime_ns, found.st_size, found.st_ino) if found else ()
        if at != self._read_at:  # a panel asks several times a second, and somebody else's file may be long
            read = read_table(self.folder, "ratings", self.methodology)
            if not read.columns and read.problems:
                raise RegisterError(read.problems, self.folder)
            ours = (cells for cells in reversed([*read.cells.values()]) if cells["period"] == self.period)
            self._known, self._read_at = {cells["risk_id"]: dict(cells) for cells in ours}, at
        return self._known

    def row(self, risk_id: str, likelihood: int, impact: int, tallies: Mapping[str, Tally]) -> Cells:
        """The row that a decision puts into the file; the caller adds who decided it, when and why."""
        cells = {"risk_id": risk_id, "period": self.period, "likelihood": str(likelihood), "impact": str(impact)}
        cells |= dict.fromkeys(_SPREAD, "")
        for axis, each in tallies.items():
            cells["votes"] = str(each.votes)
            if each.spread:
                cells |= {f"{axis}_low": str(each.spread[0]), f"{axis}_high": str(each.spread[1])}
        return cells

    def decide(self, entry: LogEntry) -> LogEntry:
        """Write a decision into the log and ratings.csv; the caller holds the folder.

        Raises:
            RegisterError: ratings.csv doesn't take the row, which is then not logged either.
            UsageError: the log's chain is broken.
        """
        if entry.after:
            check_row("ratings", entry.after, self.methodology)
        written = decision_log.append(self.folder, entry)
        self._put(written)
        return written

    def complete(self) -> str:
        """Carry over the decision that a crash kept from ratings.csv, and say so; blank where there is none.

        Nothing else is written: where ratings.csv differs from the log otherwise, somebody meant it.
        """
        with held(self.folder):
            entry = decision_log.pending(self.folder)
            if entry is None:
                return ""
            key = {"risk_id": entry.risk_id, "period": entry.period}
            on_file = find_row(self.folder, "ratings", key, self.methodology)
            if _same(on_file, entry.before):
                self._put(entry)
                return f"The decision on {entry.risk_id} was logged when the program stopped; ratings.csv has it now."
            decision_log.carried_over(self.folder)
            if _same(on_file, entry.after):
                return ""
            told = f"A decision on {entry.risk_id} never reached ratings.csv"
            return f"{told}, which somebody changed since; it stays so."

    def _put(self, entry: LogEntry) -> None:
        key = {"risk_id": entry.risk_id, "period": entry.period}
        put_row(self.folder, "ratings", key, entry.after, self.methodology)
        decision_log.carried_over(self.folder)


def _same(row: Cells | None, other: Cells | None) -> bool:
    """Whether two rows say the same: a column that one of them lacks, or has blank, says nothing."""
    said, meant = ({name: text for name, text in (each or {}).items() if text} for each in (row, other))
    return said == meant


def rating(row: Mapping[Any, Any]) -> Rating:
    """The rating in a row of ratings.csv, as text or numbers; None where it is blank.

    >>> rating({"likelihood": "4", "impact": "2"}), rating({})
    ((4, 2), (None, None))
    """
    found = [row.get(axis) for axis in AXES]
    likelihood, impact = (None if value in (None, "") or pd.isna(value) else int(value) for value in found)
    return likelihood, impact
