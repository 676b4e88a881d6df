"""The notebooks: thin, clean, and with the same numbers whichever way they are run."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from register_files import SAMPLE

import riskcalc
from riskcalc.assessment.evidence import assess
from riskcalc.assessment.scoring import score_lines
from riskcalc.errors import UsageError
from riskcalc.notebook_files import from_text, parameters
from riskcalc.pages.display import RESULT_MIME

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
UNITS = riskcalc.load(SAMPLE).business_units["unit_id"].tolist()


def results(book: nbformat.NotebookNode) -> dict[str, Any]:
    [found] = [
        out.data[RESULT_MIME]
        for cell in book.cells
        for out in cell.get("outputs", [])
        if RESULT_MIME in out.get("data", {})
    ]
    return found


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def papermill(source: Path, target: Path, *arguments: str) -> nbformat.NotebookNode:
    """The stock papermill command, from the repository's top."""
    command = [sys.executable, "-m", "papermill", str(source), str(target), "--no-progress-bar", *arguments]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return nbformat.read(target, as_version=4)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_thin(path: Path) -> None:
    """At most 9 lines to a cell; no def, class, try, loop or arithmetic: what is worth testing is in the package."""
    forbidden = (
        ast.FunctionDef,
        ast.ClassDef,
        ast.Try,
        ast.BinOp,
        ast.For,
        ast.While,
        ast.If,
        ast.Lambda,
        ast.ListComp,
    )
    for cell in code_cells(path):
        assert len(cell.source.splitlines()) <= 9
        assert [type(node).__name__ for node in ast.walk(ast.parse(cell.source)) if isinstance(node, forbidden)] == []
        if cell.id not in ("parameters", "load") and path.stem != "explore":  # which is for people's own steps
            assert len(ast.parse(cell.source).body) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_committed_without_outputs(path: Path) -> None:
    """Nobody's results travel in git."""
    assert [cell for cell in code_cells(path) if cell.outputs or cell.execution_count] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_has_one_cell_of_literal_parameters(path: Path) -> None:
    """What papermill sets is there to be set, with data in ./data by default; ballots and drafts name their own."""
    known = parameters(path)
    assert known.get("data_dir") == (None if path.stem in ("ballot", "questionnaire") else "data")
    assert len([cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]) == 1


def test_the_data_dictionary_names_every_column_and_no_other() -> None:
    """What explore.ipynb says of its frames is what they hold, so that nobody looks for a column in vain."""
    opened = riskcalc.open_portfolio(data_dir=str(SAMPLE))
    frames = {
        "scores": opened.scores,
        "lines": score_lines(opened.context),
        "controls": opened.register.controls,
        "tests": opened.register.control_tests,
        "conclusions": assess(opened.context),
    }
    cells = nbformat.read(ROOT / "notebooks/explore.ipynb", as_version=4).cells
    [told] = [cell.source for cell in cells if cell.id == "dictionary"]
    named: dict[str, list[str]] = {}
    for frame, columns in re.findall(r"(?m)^\| (?:`(\w+)` )?\| (`[^|]+) \|", told):
        named.setdefault(frame or list(named)[-1], []).extend(re.findall(r"`(\w+)`", columns))
    assert {name: sorted(columns) for name, columns in named.items()} == {
        name: sorted(frame.columns) for name, frame in frames.items()
    }


@pytest.mark.parametrize("unit_id", ["claims", "payments"])  # the others go through `riskcalc run`
def test_the_stock_papermill_command_gives_the_scores_of_the_library(unit_id: str, tmp_path: Path) -> None:
    """papermill notebooks/assessment.ipynb out.ipynb -p business_unit ...: the numbers are riskcalc.score's."""
    found = results(
        papermill(ROOT / "notebooks/assessment.ipynb", tmp_path / "out.ipynb", "-p", "business_unit", unit_id)
    )
    expected = riskcalc.score(riskcalc.load(SAMPLE))
    expected = expected[expected["unit_id"] == unit_id]
    assert found["unit_id"] == unit_id
    assert [risk["risk_id"] for risk in found["risks"]] == expected["risk_id"].tolist()
    for risk, row in zip(found["risks"], expected.to_dict("records"), strict=True):
        assert {name: None if pd.isna(value) else value for name, value in row.items()} == pytest.approx(risk)


def test_portfolio_by_the_stock_papermill_command(tmp_path: Path) -> None:
    """All units, from the register alone: no manifest is needed."""
    found = results(papermill(ROOT / "notebooks/portfolio.ipynb", tmp_path / "out.ipynb"))
    scores = riskcalc.score(riskcalc.load(SAMPLE))
    assert found["breaches"] == scores["breach"].sum()
    assert {unit["unit_id"]: sum(unit["levels"].values()) for unit in found["units"]} == scores.groupby(
        "unit_id"
    ).size().to_dict()


def test_run_all_papermill_and_riskcalc_run_give_the_same_numbers(tmp_path: Path) -> None:
    """Three ways, one result: as in JupyterLab (in the notebook's own folder), by papermill, and by riskcalc run."""
    source = ROOT / "notebooks/assessment.ipynb"
    book = nbformat.read(source, as_version=4)
    client = NotebookClient(book, kernel_name="python3", resources={"metadata": {"path": str(source.parent)}})
    asyncio.run(client.async_execute())
    by_papermill = papermill(source, tmp_path / "out.ipynb")
    command = [sys.executable, "-m", "riskcalc", "run", str(SAMPLE), "--unit", "payroll", "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    [by_run] = [json.loads(path.read_text("utf-8")) for path in tmp_path.glob("*/payroll.json")]
    assert results(book) == results(by_papermill) == by_run


def test_parameter_values_take_the_type_of_their_default(tmp_path: Path) -> None:
    """007 stays text where the default is text, and 1e3 is a number where it is one."""
    cell = nbformat.v4.new_code_cell(
        'name = "x"\nlimit = 1.5\ncount = 3\nstrict = True', metadata={"tags": ["parameters"]}
    )
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    pairs = ["name=007", "limit=2", "count=4", "strict=False"]
    assert from_text(path, pairs) == {"name": "007", "limit": 2.0, "count": 4, "strict": False}
    for wrong in ("limit=much", "count=1.5", "strict=no", "count=True"):
        with pytest.raises(UsageError, match="allowed is a value of the type of its default"):
            from_text(path, [wrong])


@pytest.mark.parametrize("source", ["a = b", "a = 1\nprint(a)", "a = [1", "a, b = 1, 2", "a = open('x')"])
def test_a_parameters_cell_that_computes_is_refused(source: str, tmp_path: Path) -> None:
    """Reading a notebook's parameters never runs anything."""
    path = tmp_path / "n.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})]), path
    )
    with pytest.raises(UsageError, match="may hold NAME = literal only"):
        parameters(path)


def test_a_mistake_in_a_notebook_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Not under the lines of a program that nobody in the room has written."""
    from IPython.core.interactiveshell import InteractiveShell

    InteractiveShell().run_cell("import riskcalc\nriskcalc.open_unit('payroll', data_dir='nowhere')")
    told = capsys.readouterr().out
    assert told.startswith("UsageError: There is no folder 'nowhere' in ")
    assert "Traceback" not in told
