"""The house itself: what imports what, how fast it opens its door, and that both ways to install agree."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "riskcalc").glob("*.py"))
NUMBERS = ["scoring", "sampling", "evidence", "matrix", "methodology", "register", "exposure", "deficiencies",
           "readiness", "coverage", "scoping", "checks", "report_checks", "severity", "loss", "yearly", "what_if", "workshop_votes"]  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """The modules in memory after running ``code`` in a fresh interpreter."""
    script = f"{code}\nimport sys, json; print(json.dumps(list(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in json.loads(done.stderr.strip().splitlines()[-1])}


def imports(module: Path) -> set[str]:
    """The riskcalc modules that a module imports, at its top or later."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("riskcalc"):
            inside = (node.module or "").partition(".")[2]
            found |= {inside} if inside else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("riskcalc")}
    return found


def test_conda_and_pip_install_the_same_direct_dependencies() -> None:
    """environment.yml names what pyproject.toml names, with the same ranges."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    pip = {
        *project["dependencies"],
        *extras["dev"],
        *extras["workshop"],
        *extras["dask"],
        *extras["pdf"],
        *extras["pptx"],
        f"python{project['requires-python']}",
    }
    lines = (ROOT / "environment.yml").read_text("utf-8").splitlines()
    named = {line.strip().removeprefix("- ") for line in lines if line.lstrip().startswith("- ")}
    conda = named - {"conda-forge", "pip", "pip:"}  # the last two: how conda installs what it doesn't have
    assert {each.replace("_", "-") for each in conda} == {re.sub(r"\[\w+\]", "", each) for each in pip}


def test_every_constraint_is_a_version_and_no_address() -> None:
    """constraints.txt pins names to versions; nothing in it says where from."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 50
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin)] == []


def test_help_loads_no_pandas() -> None:
    """`riskcalc --help` answers at once."""
    code = "from riskcalc.cli import main\nmain(['--help'], standalone_mode=False)"
    assert not loaded_by(code) & {"pandas", "numpy", "plotly", "papermill", "nbconvert", "openpyxl"}


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
        "openpyxl",
    }


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_no_module_imports_the_package_root(module: Path) -> None:
    """A module names the room it needs, not the house."""
    assert "" not in imports(module) - ({""} if module.stem == "__main__" else set())


@pytest.mark.parametrize("module", NUMBERS)
def test_numbers_know_no_pictures_and_no_runs(module: str) -> None:
    """Data flows one way: what computes never imports what shows or runs."""
    pages = {
        "tables",
        "matrix_page",
        "unit_page",
        "portfolio_page",
        "readiness_page",
        "testing_page",
        "scoping_page",
        "loss_page",
    }
    shows = {"charts", "loss_charts", "views", "exporter", *pages}
    runs = {
        "batch",
        "cluster",
        "engine",
        "folder",
        "shell",
        "worker",
        "zygote",
        "manifest",
        "cli",
        "progress",
        "assessment",
        "workbook_write",
        "workbook_template",
        "workbook_results",
        "workbook_import",
    }
    assert not imports(ROOT / "riskcalc" / f"{module}.py") & (shows | runs)


@pytest.mark.parametrize("leaf", ["cli", "progress", "worker", "batch"])
def test_leaves_are_imported_by_leaves_only(leaf: str) -> None:
    """Deleting the command line or the runner breaks nothing that a notebook uses."""
    users = {module.stem for module in MODULES if leaf in imports(module)}
    assert users <= {"cli", "batch", "progress", "worker", "papermill_engine"}


@pytest.mark.parametrize("leaf", ["workbook_template", "workbook_results", "workbook_import", "mapping_file", "excel"])
def test_what_writes_workbooks_is_used_by_its_commands_only(leaf: str) -> None:
    """Deleting the Excel commands and what they write with breaks nothing else, reading workbooks included."""
    users = {module.stem for module in MODULES if leaf in imports(module)}
    assert users <= {"cli_excel", "excel", "workbook_import"}


def test_files_stay_small() -> None:
    """Somebody new can read any file in one sitting."""
    lengths = {module.name: len(module.read_text("utf-8").splitlines()) for module in MODULES}
    assert {name: length for name, length in lengths.items() if length > 470} == {}
