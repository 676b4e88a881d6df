"""How far a run is: a bar on a terminal, a plain line per unit anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from riskcalc.manifest import Entry


class Progress:
    """Tells of each unit as it ends, and of the time left; use it as a context."""

    def __init__(self, total: int, workers: int) -> None:
        self._total, self._done, self._ran = total, 0, 0
        self._began = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="unit", desc=f"{workers} at a time", dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def seen(self, entry: Entry) -> None:
        """A unit has ended, as ``entry`` says."""
        self._done += 1
        self._ran += entry.status != "unchanged"
        if self._bar is not None:
            self._bar.set_postfix_str(f"{entry.unit_id} {entry.status}")
            self._bar.update()
            return
        print(
            f"[{self._done}/{self._total}] {entry.unit_id} {entry.status}, {entry.seconds:.1f} s{self._left()}",
            file=sys.stderr,
            flush=True,
        )

    def _left(self) -> str:
        left = self._total - self._done
        if not left or not self._ran:
            return ""
        return f", about {(time.monotonic() - self._began) / self._ran * left:.0f} s left"
