"""The page: from an executed notebook, safe whatever stands in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from register_files import write_register

from riskcalc.assessment.opening import open_unit
from riskcalc.errors import PageError
from riskcalc.pages import loss, matrix, risks
from riskcalc.pages import unit as unit_page
from riskcalc.pages.display import DISPLAY_MIME, Result, table
from riskcalc.pages.html import PLOTLY_MIME, page_parts, render_page

NASTY = '<img src=x onerror="alert(1)"> </script><script>alert(2)</script> {{ 7*7 }} "'


def notebook(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return new_notebook(
        cells=[new_markdown_cell("# For whoever runs this", metadata={"tags": ["notebook-only"]}), *cells]
    )


def showing(data: dict[str, object]) -> nbformat.NotebookNode:
    return new_code_cell("secret_code()", outputs=[new_output("display_data", data)])


@pytest.fixture
def executed(tmp_path: Path) -> nbformat.NotebookNode:
    """A notebook as a run leaves it, on a register whose every text is hostile."""

    def hostile(rows: dict[str, list[dict[str, str]]]) -> None:
        rows["business_units"][0].update(name=NASTY, service=NASTY, owner=NASTY, materiality_basis=NASTY)
        for risk in rows["risks"]:
            risk.update(title=NASTY, description=NASTY, owner=NASTY)
        for rating in rows["ratings"]:
            rating.update({"rationale": NASTY} if rating["likelihood"] else {})
        for control in rows["controls"]:
            control.update(title=NASTY, description=NASTY, owner=NASTY)

    unit = open_unit("alpha", data_dir=str(write_register(tmp_path / "data", hostile)))
    views = [unit_page.heading, unit_page.figures, unit_page.to_decide, risks.of_unit, unit_page.controls]
    bundles = [view(unit)._repr_mimebundle_() for view in [*views, unit_page.provenance, unit_page.result]]
    bundles.append(matrix.heatmaps(unit.scores, unit.matrix)._repr_mimebundle_())
    drawn = [json.loads(json.dumps(loss.exceedance(unit)._repr_mimebundle_()))]
    cells = [showing(bundle) for bundle in [*bundles, *drawn]]
    return notebook(cells[0], new_markdown_cell("## A section\n\nWith *words*."), *cells[1:])


def test_a_page_has_no_code_and_no_words_for_whoever_ran_it(executed: nbformat.NotebookNode) -> None:
    """Readers see results."""
    page = render_page(executed)
    assert "secret_code" not in page
    assert "For whoever runs this" not in page
    assert "<em>words</em>" in page


def test_a_page_has_one_h1_landmarks_and_named_figures(executed: nbformat.NotebookNode) -> None:
    """The structure that assistive technology goes by."""
    page = render_page(executed)
    for element, number in (
        ("<h1", 1),
        ("<main", 1),
        ("<nav", 1),
        ("<h2", 1),
        ("<section", 1),
        ("<figure", 1),
        ("<figcaption", 1),
    ):
        assert page.count(element) == number, element
    assert page.startswith('<!doctype html>\n<html lang="en">')


def test_register_text_is_shown_literally_everywhere(executed: nbformat.NotebookNode) -> None:
    """No tag and no script out of a register, in the text or in the charts' data."""
    page = render_page(executed)
    assert "<img src=x" not in page
    assert "alert(2)</script>" not in page
    assert page.count("&lt;img src=x onerror=") > 10


def test_no_address_in_a_page_leads_to_the_network(executed: nbformat.NotebookNode) -> None:
    """No src, href, import or url() points anywhere but into the page; the policy forbids the rest."""
    page = render_page(executed)
    own = re.sub(r'<script type="application/gzip".*?</script>', "", page, flags=re.S)
    assert re.findall(r"""(?:src|href|action)\s*=\s*["'](?!#|data:|index\.html"|\?[a-z]+=\w*#)[^"']*["']""", own) == []
    assert "url(" not in own
    assert "@import" not in own
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith(
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'sha256-"
    )
    assert "http" not in policy[1]


def test_every_charts_data_is_there_as_a_table_without_scripts(executed: nbformat.NotebookNode) -> None:
    """With scripts off there is a picture of the curve, for screen and phone, and its numbers behind a click."""
    page = render_page(executed)
    assert page.count('<svg class="wide"') == page.count('<svg class="narrow"') == 1
    assert "The data of this chart" in page
    assert "Almost certain" in re.sub(r"<script.*?</script>", "", page, flags=re.S)


def test_a_chart_that_has_no_picture_is_open_as_a_table_until_it_is_drawn() -> None:
    """A figure of somebody's own, in bars: plotly draws it once it is seen."""
    said = {"title": "Own", "summary": "", "table": table("T", ["a"], [["b"]]).as_json()}
    own = {"data": [{"type": "bar", "x": [1], "y": [2]}], "layout": {"meta": {"riskcalc": said}}}
    page = render_page(notebook(showing({PLOTLY_MIME: own})))
    assert "<details open><summary>The data of this chart" in page
    assert "<svg" not in page


def test_stock_nbconvert_shows_a_picture_and_a_table_for_a_chart(executed: nbformat.NotebookNode) -> None:
    """`jupyter nbconvert --to html` knows no plotly: each figure's output carries HTML and text as well."""
    from nbconvert import HTMLExporter

    [cell] = [one for one in executed.cells if one.get("outputs") and PLOTLY_MIME in one.outputs[0].data]
    html, _ = HTMLExporter().from_notebook_node(notebook(cell))
    assert 'class="wide"' in html
    assert "Probability that a year" in html
    assert "What a year may cost" in cell.outputs[0].data["text/plain"]


def test_the_same_notebook_gives_the_same_bytes(executed: nbformat.NotebookNode) -> None:
    """A page carries no time and no random id."""
    assert render_page(executed) == render_page(nbformat.from_dict(json.loads(json.dumps(executed))))


def test_a_page_carries_only_the_scripts_it_needs() -> None:
    """Without charts no plotly; a static one has none at all, and its policy allows none."""
    book = notebook(showing(table("T", ["a"], [["b"]])._repr_mimebundle_()))
    page, static = render_page(book), "".join(page_parts(book, static=True))
    assert "plotly" not in page
    assert len(page) < 36_000
    assert "<script" not in static
    assert "script-src" not in static


@pytest.mark.parametrize(
    ("output", "shown", "absent"),
    [
        (new_output("stream", text="printed <i>"), "printed &lt;i&gt;", "<i>"),
        (new_output("stream", name="stderr", text="/tmp/ipykernel_71/9.py:1: UserWarning"), "", "ipykernel"),
        (new_output("error", ename="KeyError", evalue="<i>"), "KeyError: &lt;i&gt;", "<i>"),
        (new_output("display_data", {"text/plain": "'<b>text</b>'"}), "&lt;b&gt;text", "<b>"),
        (new_output("display_data", {"image/png": "aGk=\n"}), 'src="data:image/png;base64,aGk="', "\nimage"),
        (new_output("display_data", dict(Result({"unit_id": "x1"})._repr_mimebundle_())), "", "x1"),
    ],
)  # fmt: skip
def test_only_known_kinds_of_output_reach_a_page(output: nbformat.NotebookNode, shown: str, absent: str) -> None:
    """Text is shown as text; warnings and results for machines stay in the notebook."""
    page = render_page(notebook(new_code_cell("x", outputs=[output])))
    assert shown in page
    assert absent not in page.partition("<main")[2]


@pytest.mark.parametrize(
    "data",
    [
        {"text/html": "<b onclick=alert(1)>x</b>", "text/plain": "<IPython.core.display.HTML object>"},
        {"image/svg+xml": "<svg onload=alert(1)>"},
        {"text/markdown": "[x](javascript:alert(1))"},
        {"application/javascript": "alert(1)", "text/plain": "js"},
        {"text/plain": "<Engine object at 0x7f3a5c0>"},
    ],
    ids=["html", "svg", "markdown", "script", "address"],
)
def test_what_a_page_cannot_show_is_refused_with_the_cell_and_what_is_allowed(data: dict[str, str]) -> None:
    """Whoever runs the notebook learns which cell it is, counted without papermill's own cell; no page is made."""
    injected = new_code_cell("p = 1", metadata={"tags": ["injected-parameters"]})
    cell = new_code_cell("engine\n# more", outputs=[new_output("display_data", data)])
    said = r"cell 2 \(engine\): a page can't show '[^\n]*'; allowed: what riskcalc\.pages makes, data frames"
    with pytest.raises(PageError, match=said) as caught:
        render_page(notebook(injected, cell))
    assert "0x" not in str(caught.value)
    cell.metadata["tags"] = ["notebook-only"]
    assert "engine" not in render_page(notebook(injected, cell))


def test_an_address_in_what_is_printed_is_refused() -> None:
    """It would be another one in each run."""
    with pytest.raises(PageError, match="a page can't show '<function f at an address>'"):
        render_page(notebook(new_code_cell("x", outputs=[new_output("stream", text="<function f at 0x7f00>\n")])))


def test_markdown_is_rendered_without_raw_html() -> None:
    """A notebook's own words are no way round the escaping."""
    page = render_page(notebook(new_markdown_cell("<script>alert(1)</script> [x](javascript:alert(1))")))
    assert "<script>alert" not in page
    assert 'href="javascript:' not in page


def test_a_view_is_rendered_from_its_data_not_from_stored_html() -> None:
    """HTML that was tampered with in a notebook file is not used."""
    bundle = {DISPLAY_MIME: table("Right", ["a"], []).as_json(), "text/html": "<h1>Wrong</h1>"}
    page = render_page(notebook(showing(bundle)))
    assert "Right" in page
    assert "Wrong" not in page


def test_jupyter_nbconvert_makes_the_same_page(executed: nbformat.NotebookNode, tmp_path: Path) -> None:
    """`jupyter nbconvert --to riskcalc out.ipynb` works, as with any other format."""
    source = tmp_path / "out.ipynb"
    nbformat.write(executed, source)
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "riskcalc", str(source)]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert (tmp_path / "out.html").read_text("utf-8") == render_page(nbformat.read(source, as_version=4))
