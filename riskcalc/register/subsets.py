"""A unit's share of the register: cut out in one pass over all units, and handed over to the process that runs it.

A run reads the register once; what a unit's process needs comes with its job, so that reading doesn't grow with the
number of units times the number of units, and every page is made from the rows whose hash the manifest tells.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from riskcalc.errors import UsageError
from riskcalc.register.earlier import Earlier
from riskcalc.register.fingerprint import fingerprint_of, table_hashes
from riskcalc.register.records import grouped
from riskcalc.register.register import Register, load
from riskcalc.register.tables import OWNERS, TABLES

HANDED = "RISKCALC_SHARE"  # the environment variable that names the file of a share


class _Places:
    """Where rows stand by their key in a column: one array, for one for each key takes ten times the memory."""

    def __init__(self, column: pd.Series[Any], numbers: dict[str, int]) -> None:
        codes, keys = pd.factorize(column)
        of_rows = np.array([*(numbers.setdefault(key, len(numbers)) for key in keys), -1])[codes]
        self._numbers, self._order = numbers, np.argsort(of_rows, kind="stable")
        self._ends = np.searchsorted(of_rows[self._order], np.arange(len(numbers) + 1))

    def of(self, keys: Iterable[str]) -> np.ndarray[Any, Any]:
        """The rows whose key is one of ``keys``, in the table's order."""
        known = [self._numbers[key] for key in keys if key in self._numbers]
        found = [self._order[self._ends[at] : self._ends[at + 1]] for at in known if at + 1 < len(self._ends)]
        return np.sort(np.concatenate(found)) if found else np.empty(0, np.intp)


class Subsets:
    """The units' shares of a register: what finds them is made once, so that each costs what it holds."""

    def __init__(self, register: Register) -> None:
        self.register = register
        numbers: dict[str, dict[str, int]] = {}  # of keys, which several tables share
        self._places = {
            (name, column): _Places(getattr(register, name)[column], numbers.setdefault(column, {}))
            for name, column in [*_BELONGS.items(), ("controls", "control_id"), ("training", "person")]
        }
        self._arrays: dict[tuple[str, str], np.ndarray[Any, Any]] = {}

    def of(self, unit_id: str) -> Register:
        """The unit's share; an unknown unit's is empty."""
        places = self._rows(unit_id)
        rows: dict[str, Any] = {name: _cut(getattr(self.register, name), found) for name, found in places.items()}
        share = replace(
            self.register, notes=(), before=self._before(unit_id), earlier=self._beside(unit_id, places), **rows
        )
        if unit_id in vars(self).get("_fingerprints", ()):  # it is known, and goes with it
            vars(share)["_fingerprint"] = self.fingerprint(unit_id)
        return share

    def fingerprint(self, unit_id: str) -> str:
        """The fingerprint of the unit's share, without cutting it out."""
        return self._fingerprints[unit_id]

    @cached_property
    def _fingerprints(self) -> dict[str, str]:
        """By unit, found together, and the whole register's: then nobody needs the hashes of the rows any more."""
        methodology, earlier, found = self.register.methodology.as_bytes(), self._earlier, dict[str, str]()
        hashes, earlier_hashes = table_hashes(self.register), table_hashes(earlier.register) if earlier else {}
        for unit_id in self.unit_ids:
            places = self._rows(unit_id)
            mine = {name: hashes[name][rows] for name, rows in places.items()}
            there = earlier._rows(unit_id) if earlier and unit_id in earlier.unit_ids else {}
            before = {name: earlier_hashes[name][rows] for name, rows in there.items()}
            beside = [*self.register.assumed, *chain(*self._beside(unit_id, places))]
            found[unit_id] = fingerprint_of(methodology, mine, beside, before)
        whole = fingerprint_of(methodology, hashes, self.register.beside, earlier_hashes)
        vars(self.register)["_fingerprint"] = whole
        return found

    @cached_property
    def unit_ids(self) -> frozenset[str]:
        """The units there are."""
        return frozenset(self.register.business_units["unit_id"])

    @cached_property
    def _earlier(self) -> Subsets | None:
        return Subsets(self.register.before) if self.register.before else None

    def _before(self, unit_id: str) -> Register | None:
        return self._earlier.of(unit_id) if self._earlier and unit_id in self._earlier.unit_ids else None

    def _beside(self, unit_id: str, rows: Mapping[str, np.ndarray[Any, Any]]) -> Earlier:
        """What is told beside the tables of what stands in a share's rows: each begins with what it is about."""
        keys = (("risks", "risk_id"), ("controls", "control_id"), ("subservice_organisations", "subservice_id"))
        mine = {unit_id, *(name for table, key in keys for name in self._texts(table, key)[rows[table]])}
        mine |= {*self._formerly(mine)}  # one that is gone has no row any more
        if self._earlier and unit_id in self._earlier.unit_ids:
            there = self._earlier._rows(unit_id)["subservice_organisations"]
            mine |= {*self._earlier._texts("subservice_organisations", "subservice_id")[there]}
        told = self._told.values()
        return Earlier(*(frozenset(each for key in mine for each in about.get(key, ())) for about in told))

    @cached_property
    def _told(self) -> dict[str, dict[str, list[Any]]]:
        """What is told beside the tables, by field of ``Earlier`` and what it is about."""
        told = self.register.earlier._asdict().items()
        return {name: grouped((each[0], each) for each in found) for name, found in told}

    def _rows(self, unit_id: str) -> dict[str, np.ndarray[Any, Any]]:
        """Where the share's rows stand in each table, in the tables' order."""
        risks = self._column("risks", "risk_id", unit_id)
        links = self._found("risk_controls", risks)
        linked = self._texts("risk_controls", "control_id")[links]
        ended = {one.control_id for one in self._told["ended"].get(unit_id, ())}  # on the unit's risks
        needed = self._with_relied_on({*self._column("controls", "control_id", unit_id), *linked, *ended})
        controls = self._found("controls", needed, "control_id")
        subservice = {*self._texts("controls", "subservice_id")[controls], *self._formerly(needed)}
        owners = set(self._column("controls", "owner", unit_id))  # whichever unit they were trained in
        trained = [self._found("training", [unit_id]), self._found("training", owners, "person")]
        found = {"risk_controls": links, "controls": controls, "training": np.unique(np.concatenate(trained))}
        for name, of_all in self._of_all.items():
            found[name] = np.union1d(self._found(name, [unit_id]), of_all)
        keys = {"unit_id": [unit_id], "risk_id": risks, "control_id": needed, "subservice_id": subservice}
        return {name: found[name] if name in found else self._found(name, keys[of]) for name, of in _BELONGS.items()}

    def _formerly(self, control_ids: Iterable[str]) -> list[str]:
        """The subservice organisations that controls were performed by earlier in their report."""
        told = self._told["controls"]
        return [one.subservice_id for name in control_ids for one in told.get(name, ()) if one.subservice_id]

    @cached_property
    def _of_all(self) -> dict[str, np.ndarray[Any, Any]]:
        """The rows without a unit, which are the whole organisation's."""
        tables = {name: getattr(self.register, name) for name in ("answers", "documents")}
        return {name: np.flatnonzero(table["unit_id"].isna().to_numpy()) for name, table in tables.items()}

    def _column(self, table: str, column: str, unit_id: str) -> list[str]:
        return list(self._texts(table, column)[self._found(table, [unit_id])])

    def _texts(self, table: str, column: str) -> np.ndarray[Any, Any]:
        """A column, kept as an array: a frame costs more than the few rows that are taken of it."""
        if (table, column) not in self._arrays:
            self._arrays[table, column] = getattr(self.register, table)[column].to_numpy(object)
        return self._arrays[table, column]

    def _found(self, table: str, keys: Iterable[str], column: str = "") -> np.ndarray[Any, Any]:
        """The rows whose key is one of ``keys``, by default in the column by which they belong to a unit."""
        return self._places[table, column or _BELONGS[table]].of(keys)

    def _with_relied_on(self, control_ids: set[str]) -> set[str]:
        found = new = control_ids
        while new:
            relied_on = self._texts("controls", "relies_on")[self._found("controls", new, "control_id")]
            formerly = [one.relies_on for name in new for one in self._told["controls"].get(name, ())]
            new = {name for names in chain(relied_on, formerly) for name in names} - found
            found = found | new
        return found


def _cut(table: pd.DataFrame, places: np.ndarray[Any, Any]) -> pd.DataFrame:
    """The rows in these places; by the first and the last of them, which is cheaper, where they stand together."""
    first, end = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
    return table.iloc[first:end] if end - first == len(places) else table.iloc[places]


def pack(shares: Subsets, data_dir: str, unit_id: str | None) -> Callable[[IO[bytes]], None]:
    """What writes a unit's share of the register in ``data_dir``, or all of it for None, for another process."""
    handed = (data_dir, unit_id, shares.register if unit_id is None else shares.of(unit_id))
    return partial(pickle.dump, handed, protocol=pickle.HIGHEST_PROTOCOL)


def read_standing(data_dir: str, period: str, as_of: date | None, unit_id: str | None = None) -> Register:
    """The register, or a unit's share, as it stood for a period: as handed to this process, or read from ``data_dir``.

    Raises as ``register.load`` does, and UsageError for an unknown unit or period.
    """
    handed = _handed(data_dir, unit_id)
    if handed and handed.stands == ((asked := handed.period(period)), as_of or asked.as_of):
        return handed
    whole = load(data_dir, period)
    found = whole.at(whole.period(period), as_of)
    return found.only(unit_id) if unit_id else found


def _handed(data_dir: str, unit_id: str | None) -> Register | None:
    """What this process was handed, if it is what a notebook asks for."""
    if not (file := os.environ.get(HANDED)):
        return None
    # A pickle is code: it is taken from the user's own files only, never from what somebody else laid there.
    if hasattr(os, "getuid") and Path(file).stat().st_uid != os.getuid():
        raise UsageError(
            f"{HANDED} names {file}, which is another user's; riskcalc run sets it, and nobody else should."
        )
    of_data, of_unit, register = pickle.loads(Path(file).read_bytes())  # noqa: S301 - written by the run that started us
    found: Register | None = register if (of_data, of_unit) == (data_dir, unit_id) else None
    return found


# The column by which each table's rows belong to a unit, directly or through its risks and controls.
_BELONGS = {
    name: next(column for column in (*OWNERS, "subservice_id") if column in model.model_fields)
    for name, model in TABLES.items()
}
