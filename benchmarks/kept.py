"""The last table of each benchmark, kept in docs/benchmarks.md; what has become slower since the one before is said."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
SLOWER = 1.2  # times as much as in the table before is worth a word
_ROW = re.compile(r"^\| (.+) \| ([0-9.]+) \|$", re.MULTILINE)


def keep(name: str, ratios: Mapping[str, float], document: Path = DOCUMENT) -> list[str]:
    """Put what was measured, ours against theirs each, into the document; returns, in words, what is slower now.

    Only rows of the same name are compared; those that weren't measured this time stay as they were.
    """
    text = document.read_text("utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- {name} ends -->\n"
    before, rest, after = text.partition(begin)
    old, _, after = after.partition(end) if rest else ("", "", "")
    known = {row: float(ratio) for row, ratio in _ROW.findall(old)}
    warnings = [
        f"Slower than in the table before: {row}, {ratio:.3g} times what it is held against, not {known[row]:.3g}."
        for row, ratio in ratios.items()
        if row in known and ratio > SLOWER * known[row]
    ]
    rows = "".join(f"| {row} | {float(f'{ratio:.3g}'):f} |\n" for row, ratio in {**known, **ratios}.items())
    table = f"{_where()}\n\n| {name} | ours / theirs |\n| --- | --- |\n{rows}"
    document.write_text(f"{before.rstrip()}\n\n{begin}{table}{end}{after}", "utf-8")
    return warnings


def _where() -> str:
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    machine = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} processors{load}"
    return f"{datetime.now(UTC).date().isoformat()}, {machine}, Python {platform.python_version()}:"
