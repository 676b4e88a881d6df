"""The log of a workshop's decisions: append-only, each line tied by hashes to the one before.

``decisions.jsonl`` lies beside ratings.csv, which holds what counts; the log says how it came to be so. It is written
first, together with a note of the decision that ratings.csv still lacks: what a crash leaves undone is known by that
note alone. A difference without it is somebody's doing, and not ours to mend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, TypeAdapter

from riskcalc import chain
from riskcalc.assessment.consistency import Finding
from riskcalc.errors import UsageError, one_line
from riskcalc.files import write_whole
from riskcalc.register.editing import LOG, Cells
from riskcalc.register.register import Register

FILE = LOG
PENDING = ".decision-pending"  # holds the hash of the last line while ratings.csv lacks what it decides

Kind = Literal["unit", "risk", "control", "objective"]
_Line = Annotated[str, AfterValidator(one_line)]


@dataclass(frozen=True)
class GroupVotes:
    """What the votes on one axis said when it was decided: a ``Tally`` as it is kept; blank pairs: nobody could say."""

    counts: tuple[int, ...]
    abstained: int
    median: tuple[int, int] | tuple[()]
    spread: tuple[int, int] | tuple[()]


@dataclass(frozen=True)
class LogEntry:
    """A line of the log: a rating that was locked, or one that was taken back.

    ``before`` and ``after`` are the row of ratings.csv as it was and as it is meant to be, None for no row; ``group``
    is what the votes said, by axis. ``previous`` and ``sha256`` are set when the entry is appended.
    """

    action: Literal["lock", "undo"]
    workshop_id: _Line
    unit_id: _Line
    period: _Line
    risk_id: _Line
    decided_at: _Line
    decided_by: _Line
    reason: str
    before: Cells | None
    after: Cells | None
    overrides: bool = False
    group: Mapping[str, GroupVotes] = field(default_factory=dict)
    previous: str = ""
    sha256: str = ""

    def stands(self, on_file: Cells | None) -> bool:
        """Whether the row of ratings.csv still has the rating that this entry put there."""
        return all(
            (on_file or {}).get(axis, "") == (self.after or {}).get(axis, "") for axis in ("likelihood", "impact")
        )


@dataclass(frozen=True)
class Renamed:
    """A line that gives something another name: what stands before it in the log is read under that."""

    action: Literal["rename"]
    kind: Kind
    old: _Line
    new: _Line
    decided_at: _Line
    decided_by: _Line
    previous: str = ""
    sha256: str = ""

    def followed(self, entry: LogEntry) -> LogEntry:
        """An earlier entry under the new name."""
        if self.kind == "unit" and entry.unit_id == self.old:
            return replace(entry, unit_id=self.new)
        if self.kind == "risk" and entry.risk_id == self.old:
            before, after = (row and {**row, "risk_id": self.new} for row in (entry.before, entry.after))
            return replace(entry, risk_id=self.new, before=before, after=after)
        return entry


Entry = TypeVar("Entry", LogEntry, Renamed)
_ENTRY: TypeAdapter[LogEntry | Renamed] = TypeAdapter(LogEntry | Renamed)


def now() -> datetime:
    """The moment that an entry is made at, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def append(folder: Path, entry: LogEntry) -> LogEntry:
    """Add an entry at the end, noted as pending, and give it with its hashes; the caller holds the folder.

    Raises UsageError as ``appended``.
    """
    text, tied = appended(folder, entry)
    write_whole(folder / PENDING, tied.sha256.encode())
    write_whole(folder / FILE, text.encode())
    return tied


def appended(folder: Path, entry: Entry) -> tuple[str, Entry]:
    """The log with an entry at its end, and the entry with its hashes; nothing is written.

    Raises UsageError where the chain is broken: nothing is built upon what somebody changed.
    """
    if found := broken(folder):
        advice = "Nothing was written. Restore the log from a copy, or move it away to begin a new one."
        raise UsageError(f"{FILE}: {'; '.join(found)}. {advice}")
    path = folder / FILE
    old = path.read_text("utf-8") if path.is_file() else ""
    text, tied = chain.appended(old, asdict(entry))
    return text, replace(entry, previous=tied["previous"], sha256=tied["sha256"])


def pending(folder: Path) -> LogEntry | None:
    """The decision that the log holds and a crash kept from ratings.csv; none is known where the chain is broken."""
    path = folder / PENDING
    if not path.is_file() or broken(folder):
        return None
    last = read(folder)[-1:]
    return last[0] if last and last[0].sha256.encode() == path.read_bytes() else None


def carried_over(folder: Path) -> None:
    """Take the note away: ratings.csv has what was decided, or somebody else's later word."""
    (folder / PENDING).unlink(missing_ok=True)


def read(folder: Path) -> list[LogEntry]:
    """All decisions, the earliest first, under the names of today; lines that can't be read are left out, and told of
    by ``broken``.
    """
    found: list[LogEntry] = []
    for _, entry, _ in _lines(folder):
        if isinstance(entry, Renamed):
            found = [entry.followed(each) for each in found]
        elif entry:
            found.append(entry)
    return found


def latest(folder: Path, unit_id: str, period: str) -> dict[str, LogEntry]:
    """By risk, the last word of the log on a unit's period."""
    return {each.risk_id: each for each in read(folder) if each.unit_id == unit_id and each.period == period}


def broken(folder: Path) -> list[str]:
    """Where the chain doesn't hold, in sentences; empty where every line is as it was written."""
    return chain.broken((number, asdict(entry) if entry else None, text) for number, entry, text in _lines(folder))


def findings(register: Register) -> list[Finding]:
    """What ``riskcalc check`` says of the log: where the chain breaks, and where ratings.csv says something else."""
    advice = "Restore it from a copy; the log is never edited, a decision is undone by a new entry."
    found = [Finding("act", "decision-log-broken", "", FILE, message, advice) for message in broken(register.source)]
    known = {(row["risk_id"], row["period"]): row for row in register.ratings.to_dict("records")}
    last = {(each.risk_id, each.period): each for each in read(register.source)}
    units = dict(zip(register.risks["risk_id"], register.risks["unit_id"], strict=True))
    for key, entry in sorted(last.items()):
        if (unit := units.get(key[0], entry.unit_id)) != entry.unit_id:
            message = f"was rated for {key[1]} by a workshop of {entry.unit_id}, but is a risk of {unit} now"
            advice = "Tell both units: its history has moved with it."
            found.append(Finding("note", "risk-moved", unit, key[0], message, advice))
        row = {axis: _text(known.get(key, {}).get(axis)) for axis in ("likelihood", "impact")}
        if not entry.stands(row):
            decided = f"{entry.action} by {entry.decided_by} on {entry.decided_at[:10]}"
            message = f"ratings.csv differs from the workshop's last decision ({decided})"
            advice = "Lock it again in a workshop, or record why it was changed."
            found.append(Finding("look", "rating-unlike-decision", entry.unit_id, key[0], message, advice))
    return found


def _lines(folder: Path) -> Iterator[tuple[int, LogEntry | Renamed | None, str]]:
    path = folder / FILE
    try:
        log = path.read_text("utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    for number, found, text in chain.lines(log):
        try:
            yield number, _ENTRY.validate_python(found), text
        except ValueError:
            yield number, None, text


def _text(value: Any) -> str:
    """A nullable rating as it stands in the file."""
    return "" if value is None or value != value or str(value) == "<NA>" else str(int(value))
