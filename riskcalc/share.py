"""A unit's share of the register: cut out in one pass over all units, and handed over to the process that runs it.

A run reads the register once; what a unit's process needs comes with its job, so that reading doesn't grow with the
number of units times the number of units, and every page is made from the rows whose hash the manifest tells.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from riskcalc.register import Register, Shares, load

HANDED = "RISKCALC_SHARE"  # the environment variable that names the file of a share


def pack(shares: Shares, data_dir: str, unit_id: str | None) -> bytes:
    """A unit's share of the register in ``data_dir``, or all of it for None, to be handed to another process."""
    register = shares.register if unit_id is None else shares.of(unit_id)
    return pickle.dumps((data_dir, unit_id, register), protocol=pickle.HIGHEST_PROTOCOL)


def read_share(data_dir: str, unit_id: str) -> Register:
    """The unit's share: as handed to this process, or read from ``data_dir``; raises as ``register.load`` does."""
    return _handed(data_dir, unit_id) or load(data_dir).only(unit_id)


def read_whole(data_dir: str) -> Register:
    """The whole register: as handed to this process, or read from ``data_dir``; raises as ``register.load`` does."""
    return _handed(data_dir, None) or load(data_dir)


def _handed(data_dir: str, unit_id: str | None) -> Register | None:
    """What this process was handed, if it is what a notebook asks for."""
    if not (file := os.environ.get(HANDED)):
        return None
    of_data, of_unit, register = pickle.loads(Path(file).read_bytes())  # noqa: S301 - written by the run that started us
    found: Register | None = register if (of_data, of_unit) == (data_dir, unit_id) else None
    return found
