"""The log of a workshop's decisions: append-only, each line tied by hashes to the one before.

``decisions.jsonl`` lies beside ratings.csv, which holds what counts; the log says how it came to be so. It is written
first: what a crash keeps from ratings.csv is in the log, and is carried over when the workshop is opened again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from riskcalc.assessment.consistency import Finding
from riskcalc.errors import UsageError
from riskcalc.files import write_whole
from riskcalc.register.editing import Cells
from riskcalc.register.register import Register

FILE = "decisions.jsonl"


@dataclass(frozen=True)
class Decision:
    """A line of the log: a rating that was locked, or one that was taken back.

    ``before`` and ``after`` are the row of ratings.csv as it was and as it is meant to be, None for no row; ``group``
    is what the votes said, by axis. ``previous`` and ``sha256`` are set when the decision is appended.
    """

    action: Literal["lock", "undo"]
    workshop_id: str
    unit_id: str
    period: str
    risk_id: str
    decided_at: str
    decided_by: str
    reason: str
    before: Cells | None
    after: Cells | None
    overrides: bool = False
    group: Mapping[str, Any] = field(default_factory=dict)
    previous: str = ""
    sha256: str = ""


_LINE = TypeAdapter(Decision)


def append(folder: Path, decision: Decision) -> Decision:
    """Add a decision at the end, and give it with its hashes; the caller holds the folder."""
    path = folder / FILE
    old = path.read_text("utf-8") if path.is_file() else ""
    lines = old.removesuffix("\n").split("\n") if old else []
    content = {**asdict(decision), "previous": _hash(lines[-1]) if lines else "", "sha256": ""}
    content["sha256"] = _own_hash(content)
    separator = "\n" if old and not old.endswith("\n") else ""
    write_whole(path, f"{old}{separator}{_as_line(content)}\n".encode())
    return _LINE.validate_python(content)


def read(folder: Path) -> list[Decision]:
    """All decisions, the earliest first; lines that can't be read are left out, and told of by ``broken``."""
    return [decision for _, decision, _ in _lines(folder) if decision]


def latest(folder: Path, unit_id: str, period: str) -> dict[str, Decision]:
    """By risk, the last word of the log on a unit's period."""
    return {each.risk_id: each for each in read(folder) if each.unit_id == unit_id and each.period == period}


def broken(folder: Path) -> list[str]:
    """Where the chain doesn't hold, in sentences; empty where every line is as it was written."""
    found, previous = [], ""
    for number, decision, text in _lines(folder):
        if decision is None:
            found.append(f"line {number} can't be read as a decision")
        elif _own_hash(json.loads(text)) != decision.sha256:
            found.append(f"line {number} was changed after it was written")
        elif decision.previous != previous:
            found.append(f"the line before line {number} was changed, added or taken away")
        previous = _hash(text)
    return found


def findings(register: Register) -> list[Finding]:
    """What ``riskcalc check`` says of the log: where the chain breaks, and where ratings.csv says something else."""
    advice = "Restore it from a copy; the log is never edited, a decision is undone by a new entry."
    found = [Finding("error", "decision-log-broken", "", FILE, message, advice) for message in broken(register.source)]
    known = {(row["risk_id"], row["period"]): row for row in register.ratings.to_dict("records")}
    last = {(each.risk_id, each.period): each for each in read(register.source)}
    for key, decision in sorted(last.items()):
        wanted = decision.after or {}
        row = known.get(key, {})
        if any(_text(row.get(axis)) != wanted.get(axis, "") for axis in ("likelihood", "impact")):
            decided = f"{decision.action} by {decision.decided_by} on {decision.decided_at[:10]}"
            message = f"ratings.csv differs from the workshop's last decision ({decided})"
            advice = "Lock it again in a workshop, or record why it was changed."
            found.append(Finding("warning", "rating-unlike-decision", decision.unit_id, key[0], message, advice))
    return found


def _lines(folder: Path) -> Iterator[tuple[int, Decision | None, str]]:
    path = folder / FILE
    try:
        lines = path.read_text("utf-8").removesuffix("\n").split("\n") if path.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    for number, text in enumerate(lines, 1):
        try:
            yield number, _LINE.validate_json(text), text
        except ValidationError:
            yield number, None, text


def _as_line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _own_hash(content: Mapping[str, Any]) -> str:
    return _hash(_as_line({**content, "sha256": ""}))


def _text(value: Any) -> str:
    """A nullable rating as it stands in the file."""
    return "" if value is None or value != value or str(value) == "<NA>" else str(int(value))
