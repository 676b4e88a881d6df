"""What a register, or a unit's part of it, is recognised by: hashes of its rows, in whatever order they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_dtype

from riskcalc.register.row import SPAN
from riskcalc.register.tables import TABLES

if TYPE_CHECKING:
    from riskcalc.register.register import Register

_AT_ONCE = 5000  # rows whose hashes are found together


def table_hashes(register: Register) -> dict[str, np.ndarray[Any, Any]]:
    """The hashes of each table's rows."""
    return {name: row_hashes(getattr(register, name)) for name in TABLES}


def row_hashes(table: pd.DataFrame) -> np.ndarray[Any, Any]:
    """The SHA-256 of each row's content."""
    columns = [table[name] for name in table.columns if name not in SPAN or table[name].notna().any()]
    found = np.empty(len(table), "S32")
    for at in range(0, len(table), _AT_ONCE):  # as Python's own values, rows take much memory
        rows = zip(*(_plain(column.iloc[at : at + _AT_ONCE]) for column in columns), strict=True)
        texts = (repr(row).encode("utf-8", "surrogatepass") for row in rows)
        found[at : at + _AT_ONCE] = [hashlib.sha256(text).digest() for text in texts]
    return found


def _plain(column: pd.Series[Any]) -> list[Any]:
    """A column as Python's own values, days as text."""
    if is_datetime64_dtype(column.dtype):
        return column.to_numpy().astype(str).tolist()
    return column.astype(object).where(column.notna(), None).tolist()


def fingerprint_of(
    methodology: bytes,
    hashes: Mapping[str, np.ndarray[Any, Any]],
    beside: Iterable[object],
    before: Mapping[str, np.ndarray[Any, Any]],
) -> str:
    """The fingerprint of a methodology, of tables whose rows have these hashes, of what is told ``beside``
    them, and of tables whose rows may have stood otherwise ``before``.
    """
    digest = hashlib.sha256(methodology)
    for name, rows in hashes.items():
        if len(rows) or name not in ("answers", "documents"):  # without them, the hashes of before there were any hold
            digest.update(f"\n{name}\n".encode() + np.sort(rows).tobytes())
    digest.update("".join(sorted(f"\n{cell!r}" for cell in beside)).encode("utf-8", "surrogatepass"))
    for name, rows in before.items():
        if TABLES[name].timed() and set(rows.tolist()) != set(hashes[name].tolist()):
            digest.update(f"\n{name} before\n".encode() + np.sort(rows).tobytes())
    return digest.hexdigest()
