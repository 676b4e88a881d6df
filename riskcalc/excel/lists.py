"""A plain list on its way into a register: by the mapping that was kept, or one that is proposed; a register begun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from riskcalc.errors import UsageError
from riskcalc.excel.mapping import MappingFile, read_mapping, renamed
from riskcalc.excel.proposal import Proposal, as_toml, is_list, propose
from riskcalc.register.checked_rows import read_table
from riskcalc.register.methodology import FILE, Methodology
from riskcalc.register.periods import Period
from riskcalc.register.starter import Starter

Given = Mapping[str, str | None]
_KEPT = ".map.toml"


@dataclass
class Found:
    """How a file is taken over: what to say of it, and what a register that begins needs to be asked for.

    ``kept`` is the file that a list's mapping is kept in; None for a workbook that is a register, and for ``--map``.
    ``matrix`` is the one that fits the list; blank where nobody knows, so that it is asked for.
    """

    told: list[str] = field(default_factory=list)
    kept: Path | None = None
    begins: bool = False
    matrix: str = "5x5"
    needless: tuple[str, ...] = ()
    chosen: MappingFile | None = None

    @property
    def text(self) -> str:
        """The mapping, as it is kept."""
        return as_toml(self.chosen) if self.chosen else ""

    def begin(self, answers: Mapping[str, str]) -> dict[str, str]:
        """The files of the register that begins; the mapping gets the period and the unit that were answered."""
        unit = {} if self.needless else {"unit_id": answers["unit"].strip()}
        self.chosen = self.chosen and _with(self.chosen, {"period": answers["period"], **unit})
        return Starter(**answers).files()

    def mapping(self, period: str | None) -> MappingFile | None:
        """The mapping, its ratings in another period if one is given."""
        self.chosen = self.chosen and _with(self.chosen, {"period": period} if period else {})
        return self.chosen


def found(path: Path, into: Path, mapping: Path | None, sheet: str, given: Given) -> Found:
    """Find out how a file is to be taken over into a folder.

    Raises:
        RegisterError: the file, the mapping or the folder's methodology can't be read.
        UsageError: there is no list in it, or something about it is open; the message says what.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {str(path)!r}.")
    begins = not (into / FILE).exists() and not any(into.glob("*.csv"))
    if mapping:
        chosen = read_mapping(mapping)
        names_units = any(part.name == "business_units" for part in chosen.table)
        return Found(begins=begins, matrix="", needless=("unit",) if names_units else (), chosen=chosen)
    if not is_list(path):
        return Found()
    kept = into / f"{path.stem}{_KEPT}"
    if kept.is_file():
        known = read_mapping(kept)
        if not (begins or given["period"]):
            _still_open(known, into)
        return Found([f"By the mapping that was kept: {kept}"], kept, begins, "", chosen=known)
    made = _proposed(path, into, sheet, given, begins)
    if made.open:
        told = "\n".join(f"  {each}" for each in made.open)
        way = "Save the lines below as a file, put in what each ? means, and give it with --map:"
        raise UsageError(f"{path}: this is open:\n{told}\n{way}\n\n{made.text}")
    needless = ("unit",) if made.units else ()
    return Found(made.told, kept, begins, f"{made.size or 5}x{made.size or 5}", needless, made.mapping)


def renamed_mappings(folder: Path, column: str, old: str, new: str) -> dict[Path, bytes]:
    """The mappings that were kept in a register's folder and know something by a name that changes, under the new one.

    Raises RegisterError or UsageError for one that can't be read.
    """
    kept = {path: read_mapping(path) for path in sorted(folder.glob(f"*{_KEPT}"))}
    after = {path: as_toml(renamed(mapping, column, old, new)).encode() for path, mapping in kept.items()}
    return {path: text for path, text in after.items() if text != as_toml(kept[path]).encode()}


def _proposed(path: Path, into: Path, sheet: str, given: Given, begins: bool) -> Proposal:
    unit, period = given["unit"] or "", given["period"] or ""
    if begins:
        text = Starter("?", "EUR", matrix=given["matrix"]).methodology() if given["matrix"] else ""
        return propose(path, Methodology.parse(text) if text else None, sheet, unit, period or "the first period")
    methodology = Methodology.read(into / FILE)
    units = list(read_table(into, "business_units", methodology).keys)
    if not (period or methodology.first_period):
        raise UsageError("Which period are the ratings of the list for? Give it: --period 2026-H1")
    made = propose(path, methodology, sheet, unit, period or str(methodology.first_period))
    if not (made.units or unit) and len(units) == 1:
        return propose(path, methodology, sheet, units[0], period or str(methodology.first_period))
    return made


def _still_open(mapping: MappingFile, into: Path) -> None:
    """Refuse to guess a period: that of a kept mapping may be over, and its pages are not to change unasked."""
    rated = read_table(into, "ratings", Methodology.read(into / FILE)).rows.values()
    periods = sorted({Period.parse(row.period) for row in rated}, key=lambda each: each.last_day)
    kept = next((part.constants.get("period", "") for part in mapping.table if part.name == "ratings"), "")
    if kept and periods and kept != periods[-1].name and kept in {each.name for each in periods}:
        told = f"In the mapping that was kept they are for {kept}, but {periods[-1].name} is opened since"
        raise UsageError(f"Which period are the ratings of the list for? {told}. Give it: --period {periods[-1].name}")


def _with(mapping: MappingFile, constants: Mapping[str, str]) -> MappingFile:
    """A mapping with other constants, in the parts that have such columns of ours."""
    wanted = {"period": {"ratings"}, "unit_id": {"control_objectives", "risks", "controls"}}
    parts = []
    for part in mapping.table:
        own = {name: text for name, text in constants.items() if part.name in wanted[name]}
        parts.append(part.model_copy(update={"constants": {**part.constants, **own}}))
    return mapping.model_copy(update={"table": tuple(parts)})
