"""Reading rows, measured: ``python -m benchmarks.readers [ROWS [KIND]]``. Ours against bare csv and bare openpyxl.

By default it is 200,000 rows, and readings of every kind; ``40000 csv`` are some seconds. Every reading runs in a
process of its own, which also tells its peak memory. Ours checks every cell.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.kept import keep
from riskcalc.excel.template import write_register
from riskcalc.excel.writer import Sheets
from riskcalc.register.checked_rows import read_table
from riskcalc.register.editing import as_file
from riskcalc.register.register import read_tables

ROOT = Path(__file__).parent.parent
MEASURE = """
import re, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
{imports}
start = time.process_time()
{code}
seconds = time.process_time() - start
peak = re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1]
print(seconds, int(peak) / 1024, len(found))
"""
READINGS = {
    "bare csv.reader": (
        "import csv",
        "found = list(csv.reader(open(folder / 'data' / 'ratings.csv', newline='', encoding='utf-8')))",
    ),
    "riskcalc, CSV": (
        "from riskcalc.register.checked_rows import read_table\nfrom riskcalc.register.methodology import Methodology\n"
        "methodology = Methodology.read(folder / 'data' / 'methodology.toml')",
        "table = read_table(folder / 'data', 'ratings', methodology)\nassert not table.problems\nfound = table.rows",
    ),
    "bare openpyxl, read_only": (
        "import openpyxl",
        "sheet = openpyxl.load_workbook(folder / 'big.xlsx', read_only=True)['ratings']\n"
        "found = list(sheet.iter_rows(values_only=True))",
    ),
    "riskcalc, cells of the sheet": (
        "from riskcalc.register.xlsx_cells import open_workbook",
        "with open_workbook(folder / 'big.xlsx') as book:\n    found = book.grid('ratings').rows",
    ),
    "riskcalc, xlsx": (
        "from riskcalc.register.xlsx_tables import read_workbook",
        "table = read_workbook(folder / 'big.xlsx')[1]['ratings']\nassert not table.problems\nfound = table.rows",
    ),
}


def write(folder: Path, rows: int, book: bool = True) -> None:
    """The sample register with many ratings, as CSV files and, unless there is to be no ``book``, as a workbook."""
    data = folder / "data"
    data.mkdir()
    for path in (ROOT / "data").iterdir():
        (data / path.name).write_bytes(path.read_bytes())
    with open(data / "ratings.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    many = [{**lines[place % len(lines)], "risk_id": f"R{place:06}"} for place in range(rows)]
    (data / "ratings.csv").write_text(as_file(list(lines[0]), many), "utf-8", newline="")
    if not book:
        return
    methodology, tables = read_tables(data)
    tables["ratings"] = read_table(data, "ratings", methodology)
    with Sheets() as sheets:
        write_register(sheets, (data / "methodology.toml").read_text("utf-8"), methodology, tables)
        (folder / "big.xlsx").write_bytes(sheets.as_bytes())


def measured(name: str, folder: Path) -> tuple[float, float, int]:
    """Seconds, peak megabytes and rows of a reading."""
    imports, code = READINGS[name]
    command = [sys.executable, "-c", MEASURE.format(imports=imports, code=code), str(folder)]
    seconds, peak, found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), float(peak), int(found)


def main() -> None:
    """Print the table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    readings = [name for name in READINGS if sys.argv[2:] == [] or sys.argv[2].lower() in name.lower()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, rows, book=any("xlsx" in READINGS[reading][1] for reading in readings))
        files = [path for path in (folder / "data" / "ratings.csv", folder / "big.xlsx") if path.exists()]
        sizes = [f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in files]
        print(f"{rows:,} ratings of 13 columns: {', '.join(sizes)}")
        print(f"{'reading':<30} {'seconds':>8} {'peak MB':>8} {'rows':>8} {'ratio':>6}")
        base, ratios = 0.0, {}
        runs = [{reading: measured(reading, folder) for reading in readings} for _ in range(2 if rows > 100_000 else 5)]
        for reading in readings:  # the best of its runs: they take turns, since what else runs comes and goes
            seconds, peak, found = min(run[reading] for run in runs)
            base = seconds if reading.startswith("bare") else base
            print(f"{reading:<30} {seconds:8.2f} {peak:8.0f} {found:8,} {seconds / base:6.2f}")
            ratios[f"{reading}, {rows:,} rows"] = seconds / base
        for warning in keep("Reading", ratios):
            print(warning)


if __name__ == "__main__":
    main()
