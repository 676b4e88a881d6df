"""A plain list of risks, one sheet or CSV file: which of its columns are which of ours, proposed as a mapping file.

Columns are known by their names, or names near them; ratings by their numbers, or by the names of a scale. What could
be meant in two ways is left to people, with what to write into the mapping file.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from riskcalc.errors import RegisterError, UsageError
from riskcalc.excel.mapping import MappingFile
from riskcalc.files import SAVE_AS, csv_rows, read
from riskcalc.register import map_files
from riskcalc.register.as_typed import parts_of_rating, plain
from riskcalc.register.methodology import Methodology
from riskcalc.register.stand_ins import NOT_YET
from riskcalc.register.xlsx_cells import Cell, Odd, open_workbook
from riskcalc.register.xlsx_tables import header_of

Lines = Sequence[tuple[int, list[Cell]]]
_DEEP = 30  # rows in which the header is looked for
# By what of ours it is: how lists call it, the surest first. What remains after controls or is planned isn't taken.
_WORDS = tomllib.loads(resources.files("riskcalc.excel").joinpath("list_words.toml").read_text("utf-8"))
_KNOWN = {plain(name): ours for ours, names in _WORDS["columns"].items() for name in names}
_RANK = {plain(name): rank for names in _WORDS["columns"].values() for rank, name in enumerate(names)}
_TREATMENTS = {word: ours for ours, words in _WORDS["treatments"].items() for word in words}
_SCALES = sorted(([plain(name) for name in scale] for scale in _WORDS["scales"]), key=len)
_UNRATED = {"", *map(plain, _WORDS["unrated"])}


@dataclass(frozen=True)
class Proposal:
    """A mapping, and the words in which it is shown.

    ``size`` is the number of ratings of the list's scales (0: not known), ``units`` says whether it names units, and
    ``open`` what only people can say: in the mapping, it reads "?".
    """

    mapping: MappingFile
    told: list[str] = field(default_factory=list)
    size: int = 0
    units: bool = False
    open: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The mapping file, as it is kept for the next time."""
        return as_toml(self.mapping)


@dataclass(frozen=True)
class _List:
    """A list as it was found: its sheet, the row of its header, the names there, and the rows below."""

    sheet: str
    header_row: int
    header: list[str]
    rows: list[list[Cell]]

    def column(self, name: str) -> list[Cell]:
        at = self.header.index(name)
        return [cells[at] for cells in self.rows if at < len(cells) and cells[at]]


def is_list(path: Path) -> bool:
    """Whether a file may be such a list: a CSV file, or a workbook without the sheets of a register."""
    if path.suffix.lower() == ".csv":
        return True
    with open_workbook(path) as book:
        return not {"methodology", "business_units"}.intersection(book.sheets)


def propose(path: Path, methodology: Methodology | None, sheet: str = "", unit: str = "", period: str = "") -> Proposal:
    """Find the list in a file, and propose which of its columns are which of ours.

    ``methodology`` is that of the register it goes into, None for one that is still to begin; ``unit`` is the unit of
    all rows where no column names it, ``period`` that of the ratings.

    Raises:
        RegisterError: the file can't be read.
        UsageError: no list of risks is found, or more than one, or its ratings can be read in two ways.
    """
    if path.suffix.lower() == ".csv":
        encoding, separator, lines = _csv(path)
        found = [_list("", lines)]
    else:
        encoding, separator = "utf-8", ","
        with open_workbook(path) as book:
            chosen = [name for name, one in book.sheets.items() if sheet in ("", name) and not one.hidden]
            found = [_list(name, book.grid(name).rows) for name in chosen]
    lists = [(one, columns) for one in found if one and (columns := _columns(one.header))]
    if len(lists) != 1:
        raise UsageError(_none(path, [one.sheet for one, _ in lists]))
    [(one, columns)] = lists
    made = _Made(one, columns, methodology, unit, period)
    mapping = MappingFile.model_validate({"encoding": encoding, "separator": separator, "table": made.tables()})
    return Proposal(mapping, list(made.lines(path)), made.size, made.units, made.open)


def as_toml(mapping: MappingFile) -> str:
    """A mapping file's text."""
    told = "Which columns of another register are which of ours; docs/excel.md says what may stand here."
    return map_files.as_toml(mapping.model_dump(exclude_defaults=True), told)


# --- where the list is ---


def _csv(path: Path) -> tuple[str, str, Lines]:
    """The encoding, the separator and the rows of a CSV file: those in which most columns are known."""
    content = read(path)
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if marked else "utf-8" if _is_utf8(content) else "windows-1252"
    found: list[tuple[int, str, list[tuple[int, list[Cell]]]]] = []
    for separator in ",;\t|":
        with suppress(RegisterError):
            lines = [(line, list[Cell](cells)) for line, cells in csv_rows(content, path.name, encoding, separator)]
            known = [len(_columns(header_of(cells))) for _, cells in lines[:_DEEP]]
            found.append((max(known, default=0), separator, lines))
    if not found:
        raise UsageError(f"{path} can't be read as CSV; {SAVE_AS}.")
    _, separator, lines = max(found, key=lambda each: each[0])
    return encoding, separator, lines


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _list(sheet: str, lines: Lines) -> _List | None:
    """The list on a sheet: the row in which most columns are known is its header; None where there is none."""
    known = [(len(_columns(header_of(cells))), place) for place, (_, cells) in enumerate(lines[:_DEEP])]
    most, place = max(known, key=lambda each: each[0], default=(0, 0))
    if most < 2:
        return None
    row, cells = lines[place]
    return _List(sheet, row, header_of(cells), [below for _, below in lines[place + 1 :]])


def _columns(header: Sequence[str]) -> dict[str, str]:
    """Which of ours is which of theirs; empty where no column says what the risk is."""
    sure: dict[str, tuple[int, str]] = {}
    for name in header:
        key = plain(re.sub(r"[(\[].*?[)\]]", "", name)) if name else ""
        near = get_close_matches(key, _KNOWN, 1, 0.88) if len(key) > 4 else []
        known = key if key in _KNOWN else near[0] if near else ""
        if known:
            ours, rank = _KNOWN[known], _RANK[known] + (100 if known != key else 0)
            sure[ours] = min(sure.get(ours, (rank, name)), (rank, name))
    found = {ours: name for ours, (_, name) in sure.items()}
    if "title" not in found and "description" in found:
        found["title"] = found.pop("description")
    return found if "title" in found else {}


def _none(path: Path, sheets: Sequence[str]) -> str:
    if sheets:
        return f"{path} holds several lists of risks; say which: --sheet {' or --sheet '.join(map(repr, sheets))}."
    return (
        f"{path}: no list of risks is found in it: no row among the first {_DEEP} names a risk (such as Risk, Title or "
        "Description) beside another known column (Likelihood, Impact, Owner, Controls…). Name them there, or say in a "
        "mapping file which column is which: --map FILE, docs/excel.md."
    )


# --- which column is which ---


class _Made:
    """A mapping being made: the parts of a list, what its words mean, and what is to be said of it."""

    def __init__(
        self, found: _List, columns: Mapping[str, str], methodology: Methodology | None, unit: str, period: str
    ) -> None:
        self._list, self._columns, self._period = found, dict(columns), period
        self._unit, self._remarks, self.open = unit, list[str](), list[str]()
        if unit:
            self._columns.pop("unit", None)
        self.units = "unit" in self._columns
        axes = [axis for axis in ("likelihood", "impact") if axis in columns]
        lengths = [set(_sizes(self._rated(axis)[0])) for axis in axes]
        self._common = min(set.intersection(*lengths), default=0) if lengths else 0  # one scale for both, if it can be
        self._scales = {axis: self._scale(axis, methodology) for axis in axes}
        sizes = {size for size, _ in self._scales.values() if size}
        if len(sizes) > 1 and methodology is None:
            told = "likelihood and impact have scales of different lengths: a matrix of that shape is needed, "
            self.open.append(f"{told}riskcalc new DIR --matrix FILE; then import the list into it")
        self.size = sizes.pop() if sizes else 0
        self._treatments = self._treatment_words()

    def tables(self) -> list[dict[str, Any]]:
        """The parts of the mapping: what risks point at first."""
        found = []
        if "unit" in self._columns:
            found.append(self._part("business_units", {"unit_id": "unit"}, once=True, new_only=True))
        if "objective" in self._columns:
            columns = {"objective_id": "objective", "unit_id": "unit", "process": "objective"}
            stated = {"statement": f"{NOT_YET}: what this process is to achieve"}
            found.append(self._part("control_objectives", columns, once=True, new_only=True, defaults=stated))
        risk = {"risk_id": "risk_id", "title": "title", "description": "description", "unit_id": "unit"}
        risk |= {"objective_id": "objective", "owner": "owner", "account": "account", "treatment": "treatment"}
        words = {"treatment": self._treatments} if self._treatments else {}
        found.append(self._part("risks", risk, defaults={"owner": "Not named yet"}, values=words))
        if self._scales:
            axes = {"risk_id": "risk_id", **{axis: axis for axis in self._scales}}
            words = {axis: words for axis, (_, words) in self._scales.items() if words}
            found.append(self._part("ratings", axes, constants={"period": self._period}, values=words))
        if "controls" in self._columns:
            named = {"control_id": "controls", "title": "controls", "unit_id": "unit"}
            found.append(self._part("controls", named, split=["control_id", "title"], once=True, new_only=True))
            links = {"risk_id": "risk_id", "control_id": "controls"}
            found.append(self._part("risk_controls", links, split=["control_id"], once=True, new_only=True))
        return found

    def _part(self, name: str, columns: Mapping[str, str], **more: Any) -> dict[str, Any]:
        theirs = {ours: self._columns[mine] for ours, mine in columns.items() if mine in self._columns}
        numbered = {}
        if "risk_id" in columns and "risk_id" not in theirs:
            theirs, numbered = {"risk_id": self._columns["title"], **theirs}, {"risk_id": "R"}
        if "control_id" in columns:
            numbered["control_id"] = "C"
        own = {"unit_id": self._unit} if self._unit and "unit_id" in columns else {}
        more["constants"] = {**own, **more.get("constants", {})}
        rows_with = [self._columns[each] for each in ("title", *self._scales, "controls") if each in self._columns]
        ids = {"risk_id"} & theirs.keys() - numbered.keys()
        if self._list.sheet and any(isinstance(cell, Odd) for name in ids for cell in self._list.column(theirs[name])):
            more["numbers_as_text"] = sorted(ids)
        return {
            "name": name, "sheet": self._list.sheet, "header_row": self._list.header_row, "columns": theirs,
            "numbered": numbered, "within": self._columns.get("unit", "") if numbered else "",
            "rows_with": rows_with, **more,
        }  # fmt: skip

    def _words(self, ours: str) -> list[str]:
        """The different texts of a column, as they come."""
        return list(dict.fromkeys(text for text in header_of(self._list.column(self._columns[ours])) if text.strip()))

    def _rated(self, axis: str) -> tuple[list[str], list[str]]:
        """The texts that are ratings, and those that say that there is none."""
        texts = self._words(axis)
        unrated = [text for text in texts if plain(text) in _UNRATED]
        return [text for text in texts if text not in unrated], unrated

    def _scale(self, axis: str, methodology: Methodology | None) -> tuple[int, dict[str, str]]:
        """How many ratings a list's scale has, and what its words mean."""
        words, open_ = self._rated(axis)
        ours = [rating.name for rating in getattr(methodology, axis)] if methodology else []
        try:
            size, meant = _meaning(axis, words, ours, self._common)
        except UsageError as error:
            self.open.append(str(error))
            return 0, {**{word: parts_of_rating(word)[0] or "?" for word in words}, **dict.fromkeys(open_, "")}
        for word, number in meant.items():
            name = f" {ours[int(number) - 1]}" if ours else ""
            self._remarks.append(f"{axis}: {word!r} is {number}{name}")
        self._remarks += [f"{axis}: {text!r} is unrated" for text in open_]
        return size, {**meant, **dict.fromkeys(open_, "")}

    def _treatment_words(self) -> dict[str, str]:
        if "treatment" not in self._columns:
            return {}
        words = {text: _TREATMENTS.get(plain(text), "") for text in self._words("treatment")}
        if unknown := [text for text, ours in words.items() if not ours]:
            name = self._columns.pop("treatment")
            known = ", ".join(_WORDS["treatments"])
            self._remarks.append(f"{name!r} isn't taken: {unknown[0][:40]!r} is none of {known}")
            return {}
        for text in [text for text, ours in words.items() if ours == "accept"]:
            words[text] = ""
            why = "to accept a risk takes who accepted it, and until when"
            self._remarks.append(f"treatment: {text!r} stays open: {why}")
        return words

    def lines(self, path: Path) -> Iterator[str]:
        """What is proposed, in words."""
        sheet = f", sheet {self._list.sheet}" if self._list.sheet else ""
        yield f"{path.name}{sheet}: the columns are named in row {self._list.header_row}. They are taken so:"
        shown = {"unit": "the business unit", "objective": "the control objective", "controls": _SPLIT}
        for ours, theirs in self._columns.items():
            of = f", in {self._period}" if ours in self._scales else ""
            yield f"  {' '.join(theirs.split())!r} is {shown.get(ours, ours)}{of}"
        if "risk_id" not in self._columns:
            yield "  risks are numbered R1, R2 and so on, and known again by their title"
        yield from (f"  {remark}" for remark in self._remarks)
        left = [name for name in self._list.header if name.strip() and name not in self._columns.values()]
        if left:
            yield f"  not taken: {', '.join(' '.join(name.split()) for name in left)}"


_SPLIT = "controls, several separated by ; or a new line: they are only named, and take nothing away yet"


def _meaning(axis: str, words: Sequence[str], ours: Sequence[str], common: int) -> tuple[int, dict[str, str]]:
    """The length of the scale that words are of, 0 where it isn't known, and which rating each means.

    ``ours`` are the register's ratings, none while it begins; then a scale of the length ``common`` is preferred.

    Raises UsageError where they could mean more than one, or none.
    """
    parts = {word: parts_of_rating(word) for word in words}
    by_name = {plain(name): str(number) for number, name in enumerate(ours, 1)}
    meant = {word: number or by_name.get(plain(word), "") for word, (number, _) in parts.items()}
    numbers = [int(number) for number in meant.values() if number]
    if len(numbers) == len(words):
        if ours and max(numbers, default=0) > len(ours):
            raise UsageError(f"{axis} goes to {max(numbers)} in the list, but to {len(ours)} in the register")
        if max(numbers, default=0) > 5 and not ours:
            raise UsageError(f"{axis} goes to {max(numbers)} in the list: give a matrix for it, --matrix FILE")
        sizes = _sizes([name for _, name in parts.values() if name])
        size = sizes[0] if sizes and sizes[0] >= max(numbers) else 0
        return len(ours) or size, {word: number for word, number in meant.items() if word != number}
    sizes = _sizes(words)
    size = len(ours) or common or (sizes[0] if sizes else 0)
    if size not in sizes or (ours and len(set(sizes)) > 1):
        register = f"; the register's are {', '.join(ours)}" if ours else "; 1 is the lowest"
        asked = [word for word in words if not parts[word][0]]
        raise UsageError(f"{axis}: which ratings are {', '.join(map(repr, asked[:12]))}?{register}")
    scale = next(each for each in _scales(words) if len(each) == size)
    return size, {word: str(scale.index(plain(word)) + 1) for word in words}


def _scales(words: Iterable[str]) -> list[list[str]]:
    """The scales that hold all of these words, the shortest first."""
    wanted = {plain(word) for word in words}
    return [scale for scale in _SCALES if wanted and wanted.issubset(scale)]


def _sizes(words: Iterable[str]) -> list[int]:
    return [len(scale) for scale in _scales(words)]
