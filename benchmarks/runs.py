"""Many units' notebooks and pages, several ways in one run on one machine: `python -m benchmarks.runs [UNITS...]`.

The stock ways are measured on a few units and told per unit, for they take seconds each; ours on whole registers, with
the organisation's page and the start of the command. Peak memory is that of all processes of a way together.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from benchmarks.registers import write_register

ROOT = Path(__file__).parent.parent
BOOK = ROOT / "notebooks" / "assessment.ipynb"
SCRIPTS = Path(sys.executable).parent
FEW = ["payroll", "claims", "funds", "payments"]

IN_PROCESS = """
import sys, papermill
from nbconvert import HTMLExporter
out, data, units = sys.argv[1], sys.argv[2], sys.argv[3:]
for unit in units:
    given = {{"business_unit": unit, "data_dir": data}}
    done = papermill.execute_notebook({book!r}, f"{{out}}/{{unit}}.ipynb", given, progress_bar=False)
    open(f"{{out}}/{{unit}}.html", "w").write(HTMLExporter().from_notebook_node(done)[0])
"""

PLOOMBER = """
import sys, nbformat
from nbconvert import HTMLExporter
from ploomber_engine import execute_notebook
out, data, units = sys.argv[1], sys.argv[2], sys.argv[3:]
for unit in units:
    given = {{"business_unit": unit, "data_dir": data}}
    done = execute_notebook({book!r}, f"{{out}}/{{unit}}.ipynb", parameters=given, progress_bar=False)
    open(f"{{out}}/{{unit}}.html", "w").write(HTMLExporter().from_notebook_node(done)[0])
"""


def measured(*command: str) -> tuple[float, float]:
    """Seconds that a command takes, and the most memory in MB that all its processes have together."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PATH"] = f"{SCRIPTS}{os.pathsep}{environment.get('PATH', '')}"
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    peak = [0.0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
    watcher.start()
    _, said = process.communicate()
    seconds = time.perf_counter() - began
    if process.returncode:
        sys.exit(f"{command[0]} failed: {said.decode()[-2000:]}")
    watcher.join()
    return seconds, peak[0]


def _watch(pid: int, peak: list[float]) -> None:
    """Note the most memory: shared pages counted once, as far as the system tells."""
    while True:
        try:
            parent = psutil.Process(pid)
            used = 0
            for process in [parent, *parent.children(recursive=True)]:
                try:
                    used += process.memory_full_info().pss
                except (psutil.NoSuchProcess, psutil.AccessDenied, AttributeError):
                    continue
        except psutil.NoSuchProcess:
            return
        peak[0] = max(peak[0], used / 2**20)
        time.sleep(0.5)


def stock(folder: Path) -> dict[str, tuple[float, float]]:
    """Seconds per unit and peak memory of the ways that there were before."""
    out, data = str(folder), str(ROOT / "data")
    one = (
        f"papermill --no-progress-bar {BOOK} {out}/$0.ipynb -p business_unit $0 -p data_dir {data}"
        f" && jupyter nbconvert --to html {out}/$0.ipynb"
    )
    units = " ".join(FEW)
    in_process = IN_PROCESS.format(book=str(BOOK))
    ways = {
        "papermill + nbconvert, a process each, one after another": [
            "sh", "-c", f"for unit in {units}; do sh -c '{one}' $unit; done"
        ],
        "the same with xargs -P2": ["sh", "-c", f"echo {units} | xargs -n1 -P2 sh -c '{one}'"],
        "papermill + nbconvert, one process for all": [sys.executable, "-c", in_process, out, data, *FEW],
    }  # fmt: skip
    if importlib.util.find_spec("ploomber_engine"):
        ways["ploomber-engine + nbconvert, one process for all"] = [
            sys.executable, "-W", "ignore", "-c", PLOOMBER.format(book=str(BOOK)), out, data, *FEW,
        ]  # fmt: skip
    found = {name: measured(*command) for name, command in ways.items()}
    return {name: (seconds / len(FEW), peak) for name, (seconds, peak) in found.items()}


def main(sizes: list[int]) -> None:
    """Measure, and print the table."""
    print(f"{'':<60} {'s per unit':>10} {'units/s':>8} {'peak MB':>8} {'times':>7}")
    with tempfile.TemporaryDirectory() as folder:
        found = stock(Path(folder))
        base = next(iter(found.values()))[0]
        for name, (seconds, peak) in found.items():
            print(f"{name:<60} {seconds:>10.3f} {1 / seconds:>8.2f} {peak:>8.0f} {base / seconds:>6.1f}x", flush=True)
        for units in sizes:
            register = write_register(Path(folder, f"register{units}"), units)
            out = str(Path(folder, f"out{units}"))
            seconds, peak = measured(str(SCRIPTS / "riskcalc"), "run", str(register), "--out", out, "--json")
            name, each = f"riskcalc run, {units:,} units, organisation and start included", seconds / units
            print(f"{name:<60} {each:>10.3f} {1 / each:>8.2f} {peak:>8.0f} {base / each:>6.1f}x", flush=True)


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [40, 400, 2000])
