"""The page to mail, to print and to present: without scripts, as PDF with bookmarks, as picture, as slides."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from unicodedata import normalize

import nbformat
import pytest
from chromium import skip_without
from click.testing import Result
from register_files import SAMPLE
from running import run_here

import riskcalc
from riskcalc.pages import display
from riskcalc.pages.display import DISPLAY_MIME
from riskcalc.pages.slides import render_slides

ROOT = Path(__file__).parents[2]
UNIT = ("--unit", "payroll")

skip_without()


def run(out: Path, *options: str, code: int = 0) -> Result:
    return run_here(SAMPLE, "--out", out, *options, code=code)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One unit and the organisation in every format."""
    out = tmp_path_factory.mktemp("formats")
    run(out, *UNIT, "--static", "--pdf", "--png", "--pptx")
    return out / "2026-H1"


@pytest.mark.parametrize("name", ["payroll", "index"])
def test_the_page_for_mail_is_small_and_has_no_script(folder: Path, name: str) -> None:
    """Under 400 kB, with every table of the page, and a picture of the chart."""
    page, mailed = (folder / f"{name}{ending}" for ending in (".html", ".static.html"))
    text = mailed.read_text("utf-8")
    assert mailed.stat().st_size < 400_000
    assert "<script" not in text
    assert "script-src" not in text
    assert text.count("<table") == page.read_text("utf-8").count("<table")
    assert text.count('<svg class="wide"') == text.count("<figure") == 1


@pytest.mark.parametrize("name", ["payroll", "index"])
def test_the_pdf_has_bookmarks_page_numbers_and_the_classification(folder: Path, name: str) -> None:
    """Every chapter can be jumped to; every sheet says which it is, and that it is confidential."""
    from pypdf import PdfReader

    read = PdfReader(io.BytesIO((folder / f"{name}.pdf").read_bytes()))

    def titles(outline: list[object]) -> list[str]:
        return [each for one in outline for each in (titles(one) if isinstance(one, list) else [one["/Title"]])]

    chapters = titles(read.outline)
    assert {"To be decided", "On the matrix", "What a year may cost", "Method and provenance"} <= set(chapters)
    for number, sheet in enumerate(read.pages, 1):
        told = normalize("NFKC", sheet.extract_text())  # some fonts write "fi" as one letter
        assert f"Page {number} of {len(read.pages)}" in told
        assert "Confidential" in told


def test_the_picture_is_sharp_enough_for_a_slide(folder: Path) -> None:
    """The heatmaps, at twice the pixels of a screen."""
    header = (folder / "payroll.png").read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    assert int.from_bytes(header[16:20]) > 2000


def deck(folder: Path, name: str) -> list[Any]:
    """The slides of a page."""
    from pptx import Presentation

    return list(Presentation(io.BytesIO((folder / f"{name}.pptx").read_bytes())).slides)


@pytest.mark.parametrize("name", ["payroll", "index"])
def test_slides_hold_native_tables_and_charts(folder: Path, name: str) -> None:
    """Nothing on them is a picture: numbers and words can be edited."""
    slides = deck(folder, name)
    shapes = [shape for slide in slides for shape in slide.shapes]
    assert sum(shape.has_table for shape in shapes) >= 4
    [chart] = [shape.chart for shape in shapes if shape.has_chart]
    names = [series.name for series in chart.plots[0].series]
    assert names[:3] == ["Inherent", "Claimed", "Earned"]
    inherent, earned = (list(chart.plots[0].series)[n].values for n in (0, 2))
    assert all(0 <= low <= high + 1e-9 <= 1 + 2e-9 for low, high in zip(earned, inherent, strict=True))
    assert not any(shape.shape_type == 13 for shape in shapes), "13 is a picture"
    words = (shape.text_frame.text for shape in slides[0].shapes if shape.has_text_frame)
    assert "Confidential" in "".join(words)
    assert any(shape.has_table for shape in slides[0].shapes), "the matrix"


def test_slides_are_headed_by_what_they_say(folder: Path, sample: riskcalc.Register) -> None:
    """The numbers of the register, and for each slide a sentence instead of a label."""
    scores = riskcalc.score(sample)
    unit = scores[scores["unit_id"] == "payroll"]
    for name, rows in (("payroll", unit), ("index", scores)):
        titles = [slide.shapes.title.text_frame.text for slide in deck(folder, name)]
        assert titles[0].startswith(f"{int(rows['breach'].sum())} risks outside appetite; ")
        assert titles[0].endswith(" past due")
        assert any(title.split(";")[0].endswith("to take") for title in titles)
        rated = int(rows["likelihood"].notna().sum())
        assert any(title.startswith(f"Of {rated} rated risks, controls bring ") for title in titles)


def test_nothing_stands_under_the_footer_and_every_row_is_shown_or_counted(folder: Path) -> None:
    """A long table goes on on a next slide."""
    for name, title in (("payroll", "Control objectives"), ("index", "Decisions")):
        slides = deck(folder, name)
        for slide in slides:
            footer = min(shape.top for shape in slide.shapes if shape.has_text_frame and "Confidential" in shape.text)
            others = [shape for shape in slide.shapes if shape.top < footer]
            assert len(others) == len(slide.shapes) - 1
            assert all(shape.top + shape.height <= footer for shape in others)
        pages = [
            slide for slide in slides if any(title in shape.text for shape in slide.shapes if shape.has_text_frame)
        ]
        assert len(pages) > 1
        shown = [
            row.cells[0].text
            for slide in pages
            for shape in slide.shapes
            if shape.has_table
            for row in shape.table.rows
        ]
        assert len(shown) - len(pages) == {"payroll": 7, "index": 15}[name]


def test_the_loss_is_drawn_over_powers_of_ten_with_materiality(folder: Path) -> None:
    """As on the page: an amount ten times as large is as far away everywhere."""
    [chart] = [shape.chart for slide in deck(folder, "payroll") for shape in slide.shapes if shape.has_chart]
    assert 'logBase val="10"' in chart._chartSpace.xml
    limits = [series for series in chart.plots[0].series if "ateriality" in series.name]
    assert [series.name for series in limits] == ["Performance materiality, 1,800,000", "Materiality, 2,400,000"]
    assert all(tuple(series.values) == (0, 1) for series in limits)


def test_rows_without_a_slide_are_counted() -> None:
    """Where a table would take more than four slides, the last says how many rows it leaves out, and where they are."""
    rows = [[f"R{number}", "word " * 40] for number in range(200)]
    shown = display.table("Decisions", ["Row", "What"], rows)
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", {DISPLAY_MIME: shown.as_json()})])
    cell.metadata["tags"] = ["slide"]
    from pptx import Presentation

    made = Presentation(io.BytesIO(render_slides(nbformat.v4.new_notebook(cells=[cell])))).slides
    tables = [shape.table for slide in made for shape in slide.shapes if shape.has_table]
    left = 200 - sum(len(table.rows) - 1 for table in tables)
    assert (len(tables), left > 0) == (4, True)
    assert f"Not shown here: {left} of 200 rows" in "".join(
        shape.text for shape in made[3].shapes if shape.has_text_frame
    )


def test_what_is_asked_for_later_is_made_and_what_is_not_any_more_is_kept(tmp_path: Path) -> None:
    """A run that asks for one more format runs again; one that asks for fewer has nothing to do."""

    def statuses(*options: str) -> tuple[str, set[str]]:
        run(tmp_path, *UNIT, *options)
        found = json.loads((tmp_path / "2026-H1/manifest.json").read_text("utf-8"))
        [entry] = [unit for unit in found["units"] if unit["unit_id"] == "payroll"]
        return entry["status"], {name.partition(".")[2] for name in entry["outputs"]}

    assert statuses() == ("ok", {"html", "ipynb", "json"})
    assert statuses("--static") == ("ok", {"html", "ipynb", "json", "static.html"})
    assert statuses() == ("unchanged", {"html", "ipynb", "json", "static.html"})


def test_a_picture_of_what_the_public_does_not_get_is_refused(tmp_path: Path) -> None:
    """With a reason, before anything runs."""
    done = run(tmp_path, "--audience", "public", "--png", code=2)
    assert "the pages for clients and the public have none" in done.stderr
    assert not (tmp_path / "2026-H1").exists()
