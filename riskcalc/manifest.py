"""manifest.json: what a run did, written by the runner from what it saw, never from what a notebook says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter

from riskcalc.errors import UsageError
from riskcalc.outputs import sha256, write_whole
from riskcalc.version import __version__

FILE = "manifest.json"
WRONG = ("failed", "timeout", "died")


@dataclass(frozen=True)
class Entry:
    """What is known of one unit: ``pending`` until it was run, then how that ended and what it left."""

    unit_id: str
    status: str = "pending"
    seconds: float = 0.0
    inputs_sha256: str = ""
    register_sha256: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    error: str | None = None


@dataclass
class Manifest:
    """The manifest of one period in ``folder``; every change is on disk before the next."""

    folder: Path
    period: str
    source: str
    units: dict[str, Entry]
    organisation: Entry = field(default_factory=lambda: Entry("organisation"))
    finished: bool = False

    @classmethod
    def begin(cls, folder: Path, period: str, source: str, unit_ids: Sequence[str], replace: bool = False) -> Manifest:
        """Start a run's manifest: what an earlier run of the same register left is kept, all else is pending.

        Raises UsageError if the folder holds the pages of another register, unless they are to be replaced.
        """
        earlier_source, earlier = _read(folder / FILE)
        if earlier_source not in ("", source):
            if not replace:
                raise UsageError(
                    f"{folder} holds the pages of another register, {earlier_source}; "
                    "choose another --out, or --force to replace them."
                )
            earlier = {}
        units = {unit_id: earlier.get(unit_id, Entry(unit_id)) for unit_id in unit_ids}
        manifest = cls(folder, period, source, units)
        manifest.write()
        return manifest

    def pending(self, unit_id: str) -> None:
        """Mark a unit as still to be run; what the last run left of it isn't claimed any more."""
        self.units[unit_id] = Entry(unit_id)

    def record(self, entry: Entry) -> None:
        """Put a unit's outcome on disk."""
        self.units[entry.unit_id] = entry
        self.write()

    def write(self) -> None:
        """Write the whole manifest, atomically."""
        content = {
            "period": self.period,
            "register": self.source,
            "riskcalc_version": __version__,
            "finished": self.finished,
            "organisation": {key: value for key, value in asdict(self.organisation).items() if key != "unit_id"},
            "units": [asdict(entry) for entry in self.units.values()],
        }
        write_whole(self.folder / FILE, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())

    def unchanged(self, unit_id: str, inputs_sha256: str) -> Entry | None:
        """The unit's entry as ``unchanged``, if its inputs and its outputs are what the last good run left."""
        entry = self.units[unit_id]
        if entry.status not in ("ok", "unchanged") or entry.inputs_sha256 != inputs_sha256 or not entry.outputs:
            return None
        files = {name: self.folder / Path(name).name for name in entry.outputs}
        if all(path.is_file() and sha256(path) == entry.outputs[name] for name, path in files.items()):
            return replace(entry, status="unchanged", seconds=0.0)
        return None


def _read(path: Path) -> tuple[str, dict[str, Entry]]:
    """The register and the entries of an earlier manifest; nothing where there is none, or one that can't be read."""
    try:
        content = json.loads(path.read_text("utf-8"))
        entries = TypeAdapter(list[Entry]).validate_python(content["units"])
        return str(content.get("register", "")), {entry.unit_id: entry for entry in entries}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", {}
