"""How far a run is, and how it ended: a bar on a terminal, a plain line per unit elsewhere, JSON for machines."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any

from riskcalc.assessment.decisions import in_words, together
from riskcalc.errors import counted, first_of, printable
from riskcalc.notebook_files import GOOD
from riskcalc.run.manifest import Entry

if TYPE_CHECKING:
    from riskcalc.run.batch import Report

_MOST_NAMED = 20  # units that a summary names; the manifest has them all


class Progress:
    """Tells of each unit as it ends, and of the time left; use it as a context.

    ``as_json`` prints a line of JSON per unit to standard output, for a machine; people are told on standard error.
    """

    def __init__(self, total: int, label: str, as_json: bool = False) -> None:
        self._total, self._done, self._ran = total, 0, 0
        self._wrong, self._json = 0, as_json
        self._began = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=" units", desc=label, dynamic_ncols=True, smoothing=0.05)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def seen(self, entry: Entry, audience: str = "") -> None:
        """A unit has ended, as ``entry`` says, for an audience."""
        self._done += 1
        self._ran += entry.status != "unchanged"
        self._wrong += entry.status not in GOOD
        if self._json:
            told = asdict(entry) | ({"audience": audience} if audience else {})
            print(json.dumps(told, ensure_ascii=False), flush=True)
        if self._bar is not None:
            if self._wrong:
                self._bar.set_postfix_str(f"{self._wrong} went wrong")
            self._bar.update()
        elif not self._json:
            unit = printable(entry.unit_id) + (f" for {audience}" if audience else "")
            line = f"[{self._done}/{self._total}] {unit} {entry.status}, {entry.seconds:.1f} s{self._left()}"
            print(line, file=sys.stderr, flush=True)

    def said(self) -> str:
        """How far it came, for a run that was interrupted."""
        return f"{self._done} of {self._total} are done and kept; the same command does the rest."

    def _left(self) -> str:
        left = self._total - self._done
        if not left or not self._ran:
            return ""
        return f", about {(time.monotonic() - self._began) / self._ran * left:.0f} s left"


def summary(report: Report, place: str) -> str:
    """A run in the words of a mail: what was done, what went wrong and why, what is outside appetite, what to open."""
    counts = Counter(entry.status for entry in report.units)
    lines = [
        f"{counted(len(report.units), 'unit')} in {_duration(report.seconds)}: "
        + ", ".join(f"{number} {status}" for status, number in counts.items())
        + ".",
        *_standing(report.units),
    ]
    if report.wrong:
        lines += ["", "Went wrong:"]
        lines += [
            f"  {printable(entry.unit_id)}: {entry.status}: {printable(entry.error)}"
            for entry in report.wrong[:_MOST_NAMED]
        ]
        if len(report.wrong) > _MOST_NAMED:
            lines.append(f"  and {len(report.wrong) - _MOST_NAMED} more, see {report.folder}/manifest.json")
    if report.left:
        lines += ["", f"Can't be removed from {report.folder}, and out of date: {_named(report.left)}."]
    return "\n".join([*lines, "", place])


def _standing(units: Sequence[Entry]) -> Iterator[str]:
    """How the units stand, of which that is known: what went wrong, or was never run, isn't 0 risks."""
    known = [entry for entry in units if {"rated", "breaches"} <= set(entry.figures)]
    if known:
        outside = [entry.unit_id for entry in known if entry.figures["breaches"]]
        where = f", in {counted(len(outside), 'unit')}: {_named(outside)}" if outside else ""
        yield f"{in_words(together(entry.figures for entry in known), where)}."
    if unknown := [entry.unit_id for entry in units if entry not in known]:
        stand = "stands" if len(unknown) == 1 else "stand"
        yield f"How {counted(len(unknown), 'unit')} {stand} isn't known: {_named(unknown)}."


def _named(unit_ids: Any) -> str:
    return first_of(map(printable, unit_ids), _MOST_NAMED)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
