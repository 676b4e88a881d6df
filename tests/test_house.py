"""The house itself: how fast it opens its door, and that both ways to install agree (what imports what: import-linter)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "riskcalc").rglob("*.py"))


def loaded_by(code: str) -> set[str]:
    """The modules in memory after running ``code`` in a fresh interpreter."""
    script = f"{code}\nimport sys, json; print(json.dumps(list(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in json.loads(done.stderr.strip().splitlines()[-1])}


def test_conda_and_pip_install_the_same_direct_dependencies() -> None:
    """environment.yml names what pyproject.toml names, with the same ranges."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    pip = {
        *project["dependencies"],
        *extras["dev"],
        *extras["lab"],
        *extras["workshop"],
        *extras["dask"],
        *extras["pdf"],
        *extras["pptx"],
        *extras["watch"],
        *extras["parquet"],
        f"python{project['requires-python']}",
    }
    lines = (ROOT / "environment.yml").read_text("utf-8").splitlines()
    named = {line.strip().removeprefix("- ") for line in lines if line.lstrip().startswith("- ")}
    conda = named - {"conda-forge", "pip", "pip:"}  # the last two: how conda installs what it doesn't have
    assert {each.replace("_", "-") for each in conda} == {re.sub(r"\[\w+\]|;.*", "", each) for each in pip}


def test_every_constraint_is_a_version_and_no_address() -> None:
    """constraints.txt pins names to versions; nothing in it says where from."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 50
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin)] == []


def test_help_loads_no_pandas() -> None:
    """`riskcalc --help` answers at once."""
    code = "from riskcalc.cli.main import main\nmain(['--help'], standalone_mode=False)"
    assert not loaded_by(code) & {"pandas", "numpy", "plotly", "papermill", "nbconvert", "xlsxwriter"}


def test_importing_riskcalc_loads_nothing_that_only_leaves_need() -> None:
    """Numbers need no kernel, no widget, no exporter."""
    code = "import riskcalc\nriskcalc.load, riskcalc.score, riskcalc.Matrix"
    assert not loaded_by(code) & {
        "papermill",
        "ipywidgets",
        "nbconvert",
        "distributed",
        "plotly",
        "IPython",
        "jinja2",
        "xlsxwriter",
    }


def test_a_unit_needs_neither_jupyterlab_nor_widgets() -> None:
    """Scheduled runs are installed without the extra for people."""
    code = "from riskcalc.run import worker\nworker.warm_up()"
    assert not loaded_by(code) & {"ipywidgets", "jupyterlab", "jupyter_server", "anywidget"}


@pytest.mark.parametrize(
    "code",
    [
        "from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell.instance()\nimport riskcalc.pages",
        "import riskcalc.run.kernel_worker",
    ],
    ids=["a notebook's first cell", "a unit with a kernel"],
)
def test_no_notebook_waits_for_a_grammar_of_addresses(code: str) -> None:
    """Where JupyterLab is installed jsonschema would parse one, for longer than all other imports together."""
    loaded = loaded_by(code)
    assert "jsonschema" in loaded
    assert not loaded & {"rfc3987_syntax", "lark", "isoduration", "arrow"}


@pytest.mark.parametrize(
    "command", ["check", "plan", "excel template OUT.xlsx data", "export oscal --out OUT", "run nowhere"]
)
def test_no_command_for_machines_needs_an_extra(command: str, tmp_path: Path) -> None:
    """What is installed for a schedule runs them, to the message about a folder that isn't there."""
    arguments = command.replace("OUT", str(tmp_path / "out")).split()
    code = f"from riskcalc.cli.main import main\ntry: main({arguments})\nexcept SystemExit as ended: assert ended.code in (0, 2)"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    wanted = {
        re.split(r"\W", each.replace("python-", "").replace("-", "_"))[0] for name in extras for each in extras[name]
    }
    assert {"sqlalchemy", "jupyterlab", "pptx", "playwright"} <= wanted
    assert not loaded_by(code) & wanted


def test_in_a_browser_there_are_numbers_and_all_that_a_notebook_shows() -> None:
    """Pyodide has neither processes nor kernels of ours: every cell of assessment.ipynb runs without their libraries."""
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    left_out = {each.partition(">")[0].replace("-", "_") for each in requirements if "emscripten" in each}
    assert {"psutil", "nbconvert"} <= left_out
    missing = f"import sys; sys.modules.update(dict.fromkeys({sorted({*left_out, 'zmq'})}))"
    cells = json.loads((ROOT / "notebooks/assessment.ipynb").read_text("utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert "riskcalc" in loaded_by("\n".join([missing, *code]))


def test_the_constraints_fit_the_oldest_python_that_we_promise() -> None:
    """Debian 12's 3.11.2 is one that people have: no pin may ask for a later one."""
    promised = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    oldest = promised.removeprefix(">=") + ".0"
    pins = dict(
        line.lower().split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if "==" in line
    )
    asked = {
        each.name: each.metadata.get("Requires-Python")
        for each in distributions()
        if pins.get(each.name.lower()) == each.version and each.metadata.get("Requires-Python")
    }
    assert asked
    assert {name: python for name, python in asked.items() if not SpecifierSet(python).contains(oldest)} == {}


def test_files_stay_small() -> None:
    """Somebody new can read any file in one sitting."""
    lengths = {module.name: len(module.read_text("utf-8").splitlines()) for module in MODULES}
    assert {name: length for name, length in lengths.items() if length > 470} == {}
