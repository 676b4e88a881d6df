"""Many units' notebooks and pages, several ways in one run on one machine: `python -m benchmarks.runs [UNITS...]`.

The stock ways are measured on a few units and told per unit, for they take seconds each; ours on whole registers, with
the organisation's page and the start of the command, and besides with a notebook of one empty cell: what a process, a
notebook and a page cost by themselves. Peak memory is that of all processes of a way together. Seconds are those of
the clock; seconds of processors (user and system, of all processes) say more on a machine that others use, too.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import psutil

import riskcalc
from benchmarks.kept import keep
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


Figures = tuple[float, float, float]
_LOOK = 2.0  # seconds between two looks at the memory: with four looks as often a run took a sixth longer


def measured(*command: str) -> Figures:
    """Seconds that a command takes, those of processors, and the most memory in MB that all its processes have."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PATH"] = f"{SCRIPTS}{os.pathsep}{environment.get('PATH', '')}"
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    peak, ended = [0.0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, ended), daemon=True)
    watcher.start()
    _, said = process.communicate()
    seconds = time.perf_counter() - began
    if process.returncode:
        sys.exit(f"{command[0]} failed: {said.decode()[-2000:]}")
    ended.set()
    watcher.join()
    since = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, since.ru_utime + since.ru_stime - used.ru_utime - used.ru_stime, peak[0]


def _watch(pid: int, peak: list[float], ended: threading.Event) -> None:
    """Note the most memory: shared pages counted once, as far as the system tells."""
    while not ended.wait(_LOOK):
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


def stock(folder: Path) -> dict[str, Figures]:
    """What the ways that there were before take per unit."""
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
    return {name: (seconds / len(FEW), used / len(FEW), peak) for name, (seconds, used, peak) in found.items()}


def empty(folder: Path) -> Path:
    """The notebooks, that of a unit with nothing in it but the result that a run insists on."""
    shutil.copytree(BOOK.parent, folder)
    parameters = 'business_unit = ""\nperiod = ""\ndata_dir = ""\nas_of = ""\naudience = ""'
    told = '{"unit_id": business_unit, "period": period, "rated": 0, "breaches": 0}'  # else the runner works them out
    result = f"from riskcalc.pages.display import Result\nResult({told})"
    cells = [
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(result),
    ]
    kernel = nbformat.read(BOOK, as_version=4).metadata
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / BOOK.name)
    return folder


def ours(register: Path, out: Path, *options: str) -> Figures:
    """What a run takes per unit."""
    units = len(riskcalc.load(register).business_units)
    command = ["riskcalc", "run", str(register), "--out", str(out), "--json", *options]
    seconds, used, peak = measured(str(SCRIPTS / command[0]), *command[1:])
    return seconds / units, used / units, peak


def main(sizes: list[int]) -> None:
    """Measure, print the table, and keep it."""
    print(f"{'':<60} {'s per unit':>10} {'of CPU':>8} {'peak MB':>8} {'times':>7} {'of CPU':>7}")
    with tempfile.TemporaryDirectory() as folder:
        found = stock(Path(folder))
        base = next(iter(found.values()))
        for name, figures in found.items():
            tell(name, figures, base)
        books = empty(Path(folder, "empty"))
        for units in sizes:
            register = write_register(Path(folder, f"register{units}"), units)
            for what, options in (("", ()), (", the notebook empty", ("--notebooks", str(books)))):
                name = f"riskcalc run, {units:,} units{what}"
                found[name] = ours(register, Path(folder, f"out{units}{what}"), *options)
                tell(name, found[name], base)
    for warning in keep(
        "Runs, seconds of processors per unit", {name: each[1] / base[1] for name, each in found.items()}
    ):
        print(warning)


def tell(name: str, figures: Figures, base: Figures) -> None:
    """Print a row of the table."""
    seconds, used, peak = figures
    times = f"{base[0] / seconds:>6.1f}x {base[1] / used:>6.1f}x"
    print(f"{name:<60} {seconds:>10.3f} {used:>8.3f} {peak:>8.0f} {times}", flush=True)


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [40, 400, 2000])
