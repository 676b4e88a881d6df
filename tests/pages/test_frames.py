"""Data frames in notebooks: tables of the page, whichever way the notebook is run."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from nbformat.v4 import new_code_cell, new_notebook
from register_files import write_register
from running import run_here

from riskcalc.pages.display import render
from riskcalc.pages.frames import MOST_COLUMNS, MOST_ROWS, frame_table

ROOT = Path(__file__).parents[2]


def with_cell(folder: Path, cell: str) -> Path:
    """The notebooks, the assessment with one more cell before its last."""
    (folder / "notebooks").mkdir()
    for source in (ROOT / "notebooks").glob("*.ipynb"):
        book = nbformat.read(source, as_version=4)
        if source.stem == "assessment":
            book.cells.insert(-1, new_code_cell(cell, id="own"))
        nbformat.write(book, folder / "notebooks" / source.name)
    return folder / "notebooks"


def run(folder: Path, out: str, notebooks: Path, code: int = 0) -> Result:
    asked = [folder / "data", "--unit", "alpha", "--out", folder / out, "--notebooks", notebooks]
    return run_here(*asked, code=code)


def test_values_read_as_people_write_them() -> None:
    """Numbers without the noise of floats, days without their midnight, lists without brackets, nothing as a dash."""
    frame = pd.DataFrame(
        {
            "rate": [0.1 + 0.2, np.nan, 1234567.5, 1e-9],
            "on": [pd.Timestamp(each) for each in ("2026-06-30", None, "2026-06-30 12:00", "2026-01-01")],
            "ids": [("a", "b"), [], None, {"y", "x"}],
            "what": [True, date(2026, 1, 2), object(), "<b>"],
        }
    )
    shown = frame_table(frame).content
    assert shown["rows"] == [
        ["0.3", "2026-06-30", "a, b", "True"],
        ["–", "–", "", "2026-01-02"],
        ["1,234,567.5", "2026-06-30 12:00:00", "–", "(object)"],
        ["1e-09", "2026-01-01", "x, y", "<b>"],
    ]
    assert (shown["title"], shown["numeric"], shown["note"]) == ("Data: 4 rows x 4 columns", ["rate"], "")
    assert "&lt;b&gt;" in render(frame_table(frame).as_json())


def test_an_index_that_says_something_is_a_column_once() -> None:
    """Also where it repeats a column, as in the frames of riskcalc.assessment, has levels, or names columns twice."""
    frame = pd.DataFrame({"control_id": ["C1", "C2"], "earned": [1.0, 0.5]})
    assert frame_table(frame.set_index("control_id", drop=False)).content["columns"] == ["control_id", "earned"]
    assert frame_table(frame.set_index("control_id")).content["rows"] == [["C1", "1"], ["C2", "0.5"]]
    levels = pd.DataFrame([[1, 2]], pd.MultiIndex.from_tuples([("a", "b")]), pd.MultiIndex.from_tuples([("x", 1)] * 2))
    assert frame_table(levels).content["columns"] == ["", "", "x / 1", "x / 1"]
    assert frame_table(levels).content["rows"] == [["a", "b", "1", "2"]]
    assert frame_table(pd.Series([3], ["n"], name="count")).content["rows"] == [["n", "3"]]


def test_a_long_frame_is_bounded_and_says_so() -> None:
    """A million rows are no page."""
    shown = frame_table(pd.DataFrame(np.zeros((1_000, 30), int))).content
    assert (len(shown["rows"]), len(shown["columns"])) == (MOST_ROWS, MOST_COLUMNS)
    assert shown["note"] == "Shown: the first 60 of 1,000 rows and the first 20 of 30 columns."


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame({"a": []})])
def test_a_frame_without_rows_says_so(frame: pd.DataFrame) -> None:
    """Nothing is an answer, too."""
    assert "Nothing to list." in render(frame_table(frame).as_json())


def test_a_displayed_frame_is_a_table_of_the_page_in_the_same_bytes(tmp_path: Path) -> None:
    """By `riskcalc run`, twice, and by stock papermill and nbconvert."""
    write_register(tmp_path / "data")
    books = with_cell(tmp_path, "assessment.controls")
    for out in ("a", "b"):
        run(tmp_path, out, books)
    page = (tmp_path / "a/2026-H1/alpha.html").read_bytes()
    assert page == (tmp_path / "b/2026-H1/alpha.html").read_bytes()
    assert b"<caption>Data: 3 rows x" in page
    assert b"<pre>" not in page
    stock = [
        "papermill",
        str(books / "assessment.ipynb"),
        "o.ipynb",
        "--no-progress-bar",
        "-p",
        "business_unit",
        "alpha",
    ]
    convert = ["jupyter", "nbconvert", "--to", "riskcalc.pages.exporter.PageExporter", "o.ipynb"]
    for command in (stock, convert):
        subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True, cwd=tmp_path)
    assert b"<caption>Data: 3 rows x" in (tmp_path / "o.html").read_bytes()


def test_a_styler_fails_its_unit_with_the_cell_and_no_page(tmp_path: Path) -> None:
    """Nobody gets a page that says <Styler at 0x...>."""
    write_register(tmp_path / "data")
    done = run(tmp_path, "out", with_cell(tmp_path, "assessment.scores.style"), code=1)
    number = len(nbformat.read(ROOT / "notebooks/assessment.ipynb", as_version=4).cells)
    assert f"cell {number} (assessment.scores.style): a page can't show '<pandas.io.formats.style.Styler" in done.stdout
    assert not (tmp_path / "out/2026-H1/alpha.html").exists()


def test_a_frame_displayed_without_pages_is_refused_with_what_to_do() -> None:
    """A notebook that never imported riskcalc.pages has pandas' own HTML only."""
    from riskcalc.errors import PageError
    from riskcalc.pages.html import render_page

    data = {"text/html": '<table border="1" class="dataframe">', "text/plain": "   a\n0  1"}
    output = nbformat.v4.new_output("display_data", data)
    with pytest.raises(PageError, match=r"a data frame displayed before riskcalc\.pages was imported"):
        render_page(new_notebook(cells=[new_code_cell("frame", outputs=[output])]))
