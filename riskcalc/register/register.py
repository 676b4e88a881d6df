"""The register in memory: every table as a DataFrame, read and checked as a whole, never changed afterwards."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, wraps
from html import escape
from inspect import signature
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, get_origin

import numpy as np
import pandas as pd

from riskcalc.errors import Problem, RegisterError, UsageError, bring_in
from riskcalc.files import read
from riskcalc.register.checked_rows import Table, read_table
from riskcalc.register.earlier import Earlier
from riskcalc.register.editing import contents, settle
from riskcalc.register.fingerprint import fingerprint_of, table_hashes
from riskcalc.register.integrity import check_references, told_anyway
from riskcalc.register.methodology import FILE, Methodology
from riskcalc.register.periods import Period, chosen, to_come
from riskcalc.register.quick_start import settled
from riskcalc.register.records import records
from riskcalc.register.row import SPAN, Row, kind_of, may_be_blank
from riskcalc.register.stand_ins import begun_in
from riskcalc.register.tables import TABLES

P = ParamSpec("P")
T = TypeVar("T")
_KNOWN = "_known"  # what ``once`` remembers of a register
_MOST_KEPT = 50_000  # rows of a table that are kept as records as well, which takes as much memory again
_STRAY = 365  # evidence dated so many days after its period doesn't move the day it is seen from


@dataclass(frozen=True, eq=False)
class Register:
    """The tables of a register, indexed by the line of the file that each row starts at.

    Blank cells are missing values; ratings and counts are nullable integers, dates datetimes, amounts Decimals,
    lists tuples. ``source`` is the folder that was read; ``periods`` are those that are opened, with rows of ratings
    be they blank, earliest first, and a unit's share of the register keeps them all. The controls have their unit's
    report beside them, and what all units make of them. In a register that only begins, ``assumed`` are the blank
    cells for which something stands in, as table, column and key. ``notes`` tell of cells that weren't in their
    column's spelling, and how they were read.

    As read, it holds all rows there are, of whatever days; ``at`` gives it as it stood for a period, with one row per
    key. Then ``stands`` names the period and the day it is seen from, ``before`` is the same for the period before
    (None where no row has days), and ``earlier`` what rows say that have ended.
    """

    source: Path
    methodology: Methodology
    periods: tuple[Period, ...]
    business_units: pd.DataFrame
    control_objectives: pd.DataFrame
    risks: pd.DataFrame
    ratings: pd.DataFrame
    controls: pd.DataFrame
    risk_controls: pd.DataFrame
    control_tests: pd.DataFrame
    deficiencies: pd.DataFrame
    mappings: pd.DataFrame
    subservice_organisations: pd.DataFrame
    training: pd.DataFrame
    scoping: pd.DataFrame
    report_items: pd.DataFrame
    answers: pd.DataFrame
    documents: pd.DataFrame
    assumed: frozenset[tuple[str, str, str]] = frozenset()
    stands: tuple[Period, date] | None = None
    before: Register | None = None
    earlier: Earlier = field(default_factory=Earlier)
    notes: tuple[Problem, ...] = ()

    def period(self, name: str | None = None, new: bool = False) -> Period:
        """The period called ``name``, with ``new`` also one that isn't opened; by default ``periods.chosen`` chooses.

        Raises UsageError, naming those there are, for another.
        """
        if new and name:
            return to_come(self.periods, name)
        if not self.periods:
            raise UsageError("The register has no ratings yet, so there is no period to assess.")
        if not name:
            return chosen(self.periods)
        for period in self.periods:
            if period.name == name:
                return period
        known = ", ".join(period.name for period in self.periods)
        raise UsageError(f"No risk is rated in period {name!r}; the register's periods are: {known}.")

    def __repr__(self) -> str:
        """How much there is, in a line: a traceback or a notebook may show it."""
        rows = ", ".join(f"{len(getattr(self, name))} {name}" for name in TABLES if len(getattr(self, name)))
        return f"Register({str(self.source)!r}: {', '.join(each.name for each in self.periods) or 'no period'}; {rows})"

    def _repr_html_(self) -> str:
        sizes = pd.Series({name: len(getattr(self, name)) for name in TABLES}, name="rows").to_frame()
        said = f"{self.methodology.organisation}: {self.source}; {', '.join(each.name for each in self.periods)}"
        return f"<p>{escape(said)}</p>{sizes.to_html()}"

    def previous(self, period: Period) -> Period | None:
        """The latest period that ended before ``period``, if there is one."""
        earlier = [each for each in self.periods if each.last_day < period.last_day]
        return earlier[-1] if earlier else None

    def unit(self, unit_id: str) -> dict[str, Any]:
        """The unit's row, by column; raises UsageError, naming those there are, for an unknown unit."""
        found = self.business_units[self.business_units["unit_id"] == unit_id]
        if found.empty:
            known = ", ".join(self.business_units["unit_id"]) or "none yet"
            then = f" in {self.stands[0].name}" if self.stands and self.before else ""
            raise UsageError(f"There is no business unit {unit_id!r}{then}; the register's units are: {known}.")
        if SPAN[0] in found:
            found = found.sort_values(SPAN[0], ascending=False, na_position="last")
        return {str(column): value for column, value in found.iloc[0].items()}

    def only(self, unit_id: str) -> Register:
        """What one unit's assessment needs: its own rows, and the controls, of any unit, it counts on, or did."""
        from riskcalc.register.subsets import Subsets

        self.unit(unit_id)
        if self.timed:
            raise UsageError("Rows of this register hold on some days only; say of which period: Register.at.")
        return Subsets(self).of(unit_id)

    def at(self, period: Period, as_of: date | None = None) -> Register:
        """The register as it stood for a period, seen from a day: later facts are not in it, and each key has one row.

        Raises:
            UsageError: it was made for another period or day.

        >>> register = load("data")
        >>> register.at(register.period("2025-H2")).stands[0].name
        '2025-H2'
        """
        from riskcalc.register.standing import as_it_stood

        seen = (period, as_of or period.as_of)
        return self if self.stands == seen else as_it_stood(self, *seen)

    @cached_property
    def timed(self) -> bool:
        """Whether some row holds on some days only."""
        tables = (getattr(self, name) for name, model in TABLES.items() if model.timed())
        return any(table[column].notna().any() for table in tables for column in SPAN if column in table)

    def rows(self, table: str) -> list[dict[Any, Any]]:
        """The rows of a table as records, in its order; those of a small table are shared: nobody may change them."""
        frame = getattr(self, table)
        return _rows(self, table) if len(frame) <= _MOST_KEPT else records(frame)

    def __getstate__(self) -> dict[str, Any]:
        """Without what is remembered of it, which another process can find itself."""
        return {name: value for name, value in vars(self).items() if name != _KNOWN}

    def fingerprint(self) -> str:
        """SHA-256 over the content of every table and the methodology; the order of rows doesn't matter."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        hashes, before = (table_hashes(each) if each else {} for each in (self, self.before))
        return fingerprint_of(self.methodology.as_bytes(), hashes, self.beside, before)

    @property
    def beside(self) -> list[object]:
        """What is told beside the tables, and belongs to the fingerprint."""
        return [*self.assumed, *chain(*self.earlier)]


def left_out(work: Callable[..., Any]) -> tuple[Any, ...]:
    """What each argument after the first is if a call leaves it out: that call is the same as one that names it."""
    return tuple(each.default for each in signature(work).parameters.values())[1:]


def once(work: Callable[Concatenate[Register, P], T]) -> Callable[Concatenate[Register, P], T]:
    """Remember what ``work`` finds for a register and (hashable) arguments, for as long as the register is used.

    The results are shared: whoever gets one must not change it. They are kept with the register, so that one which
    refers to the register doesn't keep it for ever.
    """
    defaults = left_out(work)

    @wraps(work)
    def remembered(register: Register, /, *args: P.args, **kwargs: P.kwargs) -> T:
        known, key = vars(register).setdefault(_KNOWN, {}), (work, args + defaults[len(args) :], tuple(kwargs.items()))
        if key not in known:
            known[key] = work(register, *args, **kwargs)
        found: T = known[key]
        return found

    return remembered


@once
def _rows(register: Register, table: str) -> list[dict[Any, Any]]:
    return records(getattr(register, table))


def load(path: str | Path = "data", period: str = "") -> Register:
    """Read and check the register in a folder, or in an .xlsx workbook.

    A relative ``path`` is looked for in the working directory, then in its parents, so that a notebook finds
    ``data`` from wherever it runs, and at last in the folder that ``RISKCALC_DATA`` in the
    environment names. ``period`` is that of ratings which stand among the risks, as they may in a
    register that only begins; by default the ``first_period`` of its methodology.

    Raises:
        RegisterError: the register can't be used; ``.problems`` holds every reason with file, line and column.
        UsageError: there is no such folder or workbook.

    >>> load("data").unit("payroll")["currency"]
    'EUR'
    """
    source = find_register(path)
    methodology, tables = read_tables(source, period, briefly=True)
    problems = [problem for table in tables.values() for problem in table.problems]
    problems.extend(check_references(tables))
    if problems:
        raise RegisterError(problems, source)
    notes = tuple(sorted(note for table in tables.values() for note in table.notes))
    periods, assumed = _periods(tables), _assumed(tables.values())
    for table in tables.values():
        table.cells.columns.clear()  # what isn't needed any more is let go, that it doesn't stand beside the frames
    frames: dict[str, Any] = {name: _frame(tables.pop(name)) for name in TABLES}
    frames["controls"] = with_uses(frames)
    return Register(source, methodology, periods, **frames, assumed=assumed, notes=notes)


def changed(folder: Path, files: Mapping[str, bytes]) -> Register:
    """The register in a folder as it would be with these files; nothing is written there.

    Raises RegisterError, of the folder, where it couldn't be used.
    """
    with copied({**contents(folder), **files}) as copy:
        try:
            return load(copy)
        except RegisterError as error:
            raise RegisterError(error.problems, folder) from None


@contextmanager
def copied(files: Mapping[str, bytes | None]) -> Iterator[Path]:
    """A folder of these files, to be read as a register."""
    with TemporaryDirectory(prefix="riskcalc-") as name:
        for file, content in files.items():
            if content is not None:
                (Path(name) / file).write_bytes(content)
        yield Path(name)


def read_tables(source: Path, period: str = "", briefly: bool = False) -> tuple[Methodology, dict[str, Table]]:
    """The methodology and the tables, each checked by itself; raises RegisterError where there is no methodology.

    With ``briefly``, the tables' cells aren't all kept.
    """
    if source.is_file():
        from riskcalc.register.xlsx_tables import read_workbook

        return settled(*read_workbook(source, period))
    for _ in range(5):
        settle(source)
        before = _stamps(source)
        found = _read_folder(source, period, briefly)
        if _stamps(source) == before:
            return settled(*found)
    raise UsageError(f"{source} changes while it is read; try again.")


def _stamps(folder: Path) -> list[tuple[str, int, int, int]]:
    """What tells that a file of the register was replaced while others were read."""
    paths = (folder / FILE, *(folder / f"{name}.csv" for name in TABLES))
    states = [(path.name, path.stat()) for path in paths if path.exists()]
    return [(name, state.st_ino, state.st_size, state.st_mtime_ns) for name, state in states]


def _read_folder(folder: Path, period: str, briefly: bool) -> tuple[Methodology, dict[str, Table]]:
    try:
        methodology = Methodology.read(folder / FILE)
    except RegisterError as error:
        books = [] if (folder / FILE).exists() else sorted(path.name for path in folder.glob("*.xlsx"))
        if books and not any(folder.glob("*.csv")):
            named = " and ".join(str(folder / name) for name in books[:3])
            raise UsageError(f"{folder} holds no CSV files, but {named}: name the workbook itself.") from None
        with suppress(OSError):
            text = read(folder / FILE, inside=folder).decode("utf-8", "replace")
            found = [*error.problems, *told_anyway(lambda name, given: read_table(folder, name, given), text)]
            raise RegisterError(found, folder) from None
        raise RegisterError(error.problems, folder) from None
    methodology = begun_in(methodology, period, (folder / "ratings.csv").exists())
    tables: dict[str, Table] = {}
    for name in TABLES:
        tables[name] = read_table(folder, name, methodology)
        if briefly and methodology.first_period is None:
            tables[name].forget_cells()
    return methodology, tables


def find_register(path: str | Path) -> Path:
    """The folder or workbook called ``path``, here or in a parent; raises UsageError, with the places, for neither."""
    wanted = Path(path)
    for place in _places(wanted):
        if place.is_dir() or (place.is_file() and place.suffix.lower() in (".xlsx", ".xlsm", ".xls")):
            return place
    if wanted.is_file():
        told = f"{str(path)!r} is a file; a register is the folder that holds its files, or one .xlsx file."
        raise UsageError(f"{told} {bring_in(path)}" if wanted.suffix.lower() == ".csv" else told)
    raise _nowhere(wanted)


def find_folder(path: str | Path) -> Path:
    """The folder called ``path``, here or in a parent; raises UsageError, with the places, if there is none."""
    for place in _places(Path(path)):
        if place.is_dir():
            return place
    if Path(path).is_file():
        told = f"{str(path)!r} is a file; what changes a register needs the folder that holds its CSV files."
        raise UsageError(f"{told} This makes one of it: riskcalc excel import {path} --into DIR")
    raise _nowhere(Path(path))


def _places(wanted: Path) -> list[Path]:
    here, named = Path.cwd(), os.environ.get("RISKCALC_DATA")
    folders = (here, *here.parents, *([here / named] if named else []))
    return [wanted] if wanted.is_absolute() else [folder / wanted for folder in folders]


def _nowhere(wanted: Path) -> UsageError:
    if address := re.match(r"\w\w+:/", str(wanted)):  # what follows may hold keys
        return UsageError(f"{address[0]}…: is an address; a register is read from this machine, so copy it here first.")
    named = os.environ.get("RISKCALC_DATA")
    beside = f", nor in {named} (RISKCALC_DATA)" if named else ""
    where = "" if wanted.is_absolute() else f" in {Path.cwd()} or above it{beside}"
    return UsageError(f"There is no folder {str(wanted)!r}{where}.")


def _periods(tables: Mapping[str, Table]) -> tuple[Period, ...]:
    """The periods that risks were rated in, each with the day of its latest evidence, but for stray days."""
    until: dict[str, date] = {}
    tests, ratings = tables["control_tests"].rows, tables["ratings"].rows
    dated = {each[1:] for each in chain(tests.each("period", "tested_on"), ratings.each("period", "rated_on"))}
    for name, day in dated:
        if day is None or (day - Period.parse(name).last_day).days > _STRAY:
            continue
        until[name] = max(day, until.get(name, day))
    periods = [replace(Period.parse(name), evidence_until=until.get(name)) for name in {*ratings.columns["period"]}]
    for place, period in enumerate(periods):
        units = {unit.unit_id for unit in _held_on(tables["business_units"], period.last_day)}
        risks = {risk.risk_id for risk in _held_on(tables["risks"], period.last_day) if risk.unit_id in units}
        each = ratings.each("risk_id", "period", "likelihood")
        rated = {risk for _, risk, named, likelihood in each if named == period.name and likelihood is not None}
        periods[place] = replace(period, rated=(len(rated & risks), len(risks)))
    return tuple(sorted(periods, key=lambda period: period.last_day))


def _held_on(table: Table, day: date) -> Iterator[Any]:
    return (row for row in table.rows.values() if (days := row.days())[0] <= day <= days[1])


_REPORT, _USES = ["report_type", "report_from", "report_to"], ["relied_on", "reach"]


def with_uses(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The controls with the report of their unit and what any unit makes of them, which no unit's share alone can show.

    The report says what evidence a control needs, also in the share of another unit that relies on it. ``relied_on``:
    whether another control relies on it; ``reach``: the largest coverage of a risk by it, 0 to 1, missing where it
    acts on none. Of rows with days, these are those of the first of a unit until the register is taken ``at`` a period.
    """
    links, units = tables["risk_controls"], tables["business_units"].drop_duplicates("unit_id").set_index("unit_id")
    controls = tables["controls"].drop(columns=[*_REPORT, *_USES], errors="ignore").join(units[_REPORT], on="unit_id")
    relied_on = {name for names in controls["relies_on"] for name in names}
    reach = links.assign(coverage=links["coverage"].astype(float)).groupby("control_id")["coverage"].max()
    ids = controls["control_id"]
    return controls.assign(relied_on=ids.isin(relied_on), reach=ids.map(reach).astype(float))


def _frame(table: Table) -> pd.DataFrame:
    """The checked rows as a DataFrame whose index is the line in the file."""
    model = TABLES[table.name]
    index, found = pd.Index(np.array(table.rows.numbers), name="line", dtype="int64"), table.rows.columns
    columns = {
        column: pd.Series(found.pop(column), index, dtype=_dtype(model, column)) for column in model.model_fields
    }
    return pd.DataFrame(columns, index=index)


def _assumed(tables: Iterable[Table]) -> frozenset[tuple[str, str, str]]:
    return frozenset(
        (table.name, column, table.cells[line][TABLES[table.name].primary_key[0]])
        for table in tables
        for line, columns in table.assumed.items()
        for column in columns
    )


def _dtype(model: type[Row], column: str) -> str:
    """The dtype that holds a column without loss; a missing value stays missing in each."""
    kind = kind_of(model, column)
    boolean = "boolean" if may_be_blank(model, column) else "bool"
    known: Mapping[Any, str] = {int: "Int64", date: "datetime64[s]", bool: boolean, str: "str"}
    return known.get(kind, "str" if get_origin(kind) is Literal else "object")
