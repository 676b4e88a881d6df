"""manifest.json: what a run did, written by the runner from what it saw, never from what a notebook says."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from riskcalc.errors import UsageError
from riskcalc.files import sha256, stem
from riskcalc.run.output_folder import Folder
from riskcalc.version import __version__

_MANY = 500  # units; of fewer, all of the manifest is written in milliseconds


@dataclass(frozen=True)
class Entry:
    """What is known of one unit: ``pending`` until it was run, then how that ended and what it left.

    ``figures`` are those of ``decisions.standings``; what isn't known is missing.
    """

    unit_id: str
    status: str = "pending"
    seconds: float = 0.0
    inputs_sha256: str = ""
    register_sha256: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    error: str | None = None


def manifest_file(audience: str = "", shard: tuple[int, int] | None = None) -> str:
    """The name of a run's manifest.

    >>> manifest_file(), manifest_file("board", (1, 2))
    ('manifest.json', 'manifest.board.shard-1-of-2.json')
    """
    return ".".join(
        ["manifest", *filter(None, [audience]), *(["shard-{}-of-{}".format(*shard)] if shard else []), "json"]
    )


class Manifest:
    """The manifest of one period, seen from a day, in ``folder``: every change is on disk before the next, or, in a run
    of very many units, soon after.

    A shard, ``(number, of)``, keeps a manifest of its own beside; the next run without shards takes them all in. That
    of an ``audience`` tells of the pages in its own folder, and stands outside of it: what is in there can be given
    away as it is.
    """

    def __init__(
        self,
        folder: Folder,
        period: str,
        source: str,
        unit_ids: Sequence[str],
        shard: tuple[int, int] | None = None,
        audience: str = "",
        as_of: str = "",
    ) -> None:
        self._folder, self._source = folder, source
        self._seen = {"period": period, **({"as_of": as_of} if as_of else {})}
        self._pages = folder.within(audience) if audience else folder
        self._file, self._whole = manifest_file(audience, shard), manifest_file(audience)
        self._shards = self._whole.replace(".json", ".shard-*.json")
        self._earlier: dict[str, list[Entry]] = {}
        self._stale: set[str] = set()
        self._former: dict[str, set[str]] = {}  # what earlier runs left of units that are still to be run
        self.units = {unit_id: Entry(unit_id) for unit_id in unit_ids}
        self._texts = {unit_id: _text(entry) for unit_id, entry in self.units.items()}
        self.organisation = Entry("organisation")
        self.finished = False
        self._unsaved, self._due = False, 0.0
        self.left: list[str] = []  # files of earlier runs that nothing claims any more and that can't be removed

    def take_in(self, replaced: bool = False) -> None:
        """Take in what earlier runs of the same register left; all else is pending. Nothing is written yet.

        Raises UsageError if the folder holds the pages of another register, unless they are to be replaced.
        """
        stems = {stem(unit_id): unit_id for unit_id in self.units}
        for file in [self._whole, *self._folder.names(self._shards)]:
            found = _read(self._folder.read(file))
            mine = found.register in ("", self._source)
            if not mine and not replaced:
                raise UsageError(
                    f"{self._folder} holds the pages of another register, {found.register}; "
                    "choose another --out; or --force to replace them, once, as where it was only moved or renamed."
                )
            self._stale |= {name for name in found.claimed if not mine or _stem(name) not in {*stems, "index"}}
            for entry in found.units if mine else ():
                self._keep(entry, file)
            for name in found.claimed if mine else ():
                if unit_id := stems.get(_stem(name)):
                    self._former.setdefault(unit_id, set()).add(name)

    def begin(self) -> None:
        """Write that a run has begun, and remove what earlier ones claim and this one never will: the pages of a unit
        that has left the register, and the manifests of shards, which are taken in.
        """
        if self._file == self._whole:
            self.left = [name for name in sorted(self._stale) if _of_a_run(name) and not self._pages.remove(name)]
        self.write()
        if self._file == self._whole:
            for file in self._folder.names(self._shards):
                self._folder.remove(file)

    def _keep(self, entry: Entry, file: str) -> None:
        if entry.unit_id in self.units and {*map(_stem, entry.outputs)} <= {stem(entry.unit_id)}:
            self._earlier.setdefault(entry.unit_id, []).append(entry)
            if file == self._whole or (self._file == self._whole and entry.status != "pending"):
                self._put(entry)

    def pending(self, unit_id: str) -> None:
        """Mark a unit as still to be run; what the last run left of it isn't claimed any more, but known."""
        self._put(Entry(unit_id))

    def record(self, entry: Entry) -> None:
        """Put a unit's outcome on disk; where there are very many, together with others, so that it takes a 20th of the
        time: a manifest that is behind claims less than is there, and never more.
        """
        self._put(entry)
        self._unsaved = True
        if len(self.units) <= _MANY or time.monotonic() >= self._due:
            self.write()

    def save(self) -> None:
        """Put on disk what isn't there yet."""
        if self._unsaved:
            self.write()

    def keep(self, entry: Entry) -> None:
        """Note a unit that needn't be run; on disk with the next change."""
        self._put(entry)

    def finish(self, organisation: Entry | None) -> None:
        """Say that the run has come to its end; a run without shards then speaks for them all."""
        self.organisation, self.finished = organisation or self.organisation, True
        self.write()

    def write(self) -> None:
        """Write the whole manifest, atomically."""
        began = time.monotonic()
        earlier = sorted(name for each, names in self._former.items() if not self.units[each].outputs for name in names)
        head = {
            **self._seen,
            "register": self._source,
            "riskcalc_version": __version__,
            "finished": self.finished,
            "organisation": {key: value for key, value in asdict(self.organisation).items() if key != "unit_id"},
            **({"left": self.left} if self.left else {}),
            **({"earlier": earlier} if earlier else {}),
        }
        text = _json(head).removesuffix("\n}") + ',\n "units": [\n' + ",\n".join(self._texts.values()) + "\n ]\n}\n"
        self._folder.write(self._file, text.encode("utf-8", "backslashreplace"))
        self._unsaved, self._due = False, time.monotonic() + 20 * (time.monotonic() - began)

    def unchanged(self, unit_id: str, inputs_sha256: str, names: Sequence[str]) -> Entry | None:
        """The unit's entry as ``unchanged``, if its inputs and its outputs are what an earlier good run left.

        ``names`` are the files that it must have left.
        """
        for entry in reversed(self._earlier.get(unit_id, [])):
            good = entry.status in ("ok", "unchanged") and entry.inputs_sha256 == inputs_sha256
            if good and entry.figures and set(names) <= set(entry.outputs):
                contents = {name: self._pages.read(name) for name in entry.outputs if _of_a_run(name)}
                if {name: sha256(content) for name, content in contents.items() if content} == entry.outputs:
                    return replace(entry, status="unchanged", seconds=0.0)
        return None

    def _put(self, entry: Entry) -> None:
        self.units[entry.unit_id], self._texts[entry.unit_id] = entry, _text(entry)
        if entry.status != "pending":
            self._former.pop(entry.unit_id, None)


def files_of(folder: Folder, file: str, source: str, unit_id: str) -> list[str]:
    """The files of a unit that a manifest of the register at ``source`` names; none where it isn't there."""
    found = _read(folder.read(file))
    return sorted(name for name in found.claimed if found.register == source and _stem(name) == stem(unit_id))


def _text(entry: Entry) -> str:
    """An entry as it stands in the file; made once, for a run of thousands writes the file thousands of times."""
    return "\n".join(f"  {line}" for line in _json(asdict(entry)).split("\n"))


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _stem(name: str) -> str:
    return name.partition(".")[0]


def _of_a_run(name: str) -> bool:
    """Whether a run can have given a file this name: whatever else a manifest claims is left alone."""
    made = re.fullmatch(r"[a-z0-9-]+(\.static)?\.(html|ipynb|json|pdf|png|pptx)", name)
    return bool(made) and _stem(name) != "manifest"


class _Found(NamedTuple):
    """What an earlier manifest says: whose pages these are, how the units went, which files may be there."""

    register: str = ""
    units: Sequence[Entry] = ()
    claimed: frozenset[str] = frozenset()


def _read(content: bytes | None) -> _Found:
    """An earlier manifest; nothing where there is none, or one that can't be read."""
    try:
        found = json.loads(content or b"")
        entries = TypeAdapter(list[Entry]).validate_python(found["units"])
        whole = TypeAdapter(dict[str, str]).validate_python(found.get("organisation", {}).get("outputs", {}))
        besides = TypeAdapter(list[str]).validate_python([*found.get("left", []), *found.get("earlier", [])])
        named = frozenset(whole).union(besides, *(each.outputs for each in entries))
        return _Found(str(found.get("register", "")), entries, named)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _Found()
