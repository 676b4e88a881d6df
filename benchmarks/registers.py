"""Registers of any size: the sample's five units, written down again and again under other ids."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

from riskcalc.register.tables import TABLES

SAMPLE = Path(__file__).parent.parent / "data"
_ALSO_IDS = {"relies_on", "retest_of"}
_PEOPLE = {"owner", "person"}  # whose training goes with every page of theirs: nobody owns controls of a thousand units


def write_register(folder: Path, units: int) -> Path:
    """A valid register of ``units`` business units, a multiple of five; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SAMPLE / "methodology.toml", folder)
    for name in TABLES:
        with open(SAMPLE / f"{name}.csv", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), list(reader.fieldnames or ())
        with open(folder / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            for number in range(units // 5):
                # what is of the whole organisation there is once, however many units it has
                mine = [row for row in rows if number == 0 or row.get("unit_id", "unit")]
                writer.writerows({key: _renamed(key, value, number) for key, value in row.items()} for row in mine)
    return folder


def _renamed(column: str, value: str, number: int) -> str:
    if not number or not value or not (column.endswith("_id") or column in _ALSO_IDS | _PEOPLE):
        return value
    return "|".join(f"{part}-{number}" for part in value.split("|"))


if __name__ == "__main__":
    import sys

    write_register(Path(sys.argv[1]), int(sys.argv[2]))
