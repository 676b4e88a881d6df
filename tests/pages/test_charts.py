"""The matrix as a chart, and figures of somebody's own."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import nbformat
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output
from register_files import SAMPLE

from riskcalc.assessment.opening import open_unit
from riskcalc.errors import UsageError
from riskcalc.pages import charts, loss
from riskcalc.pages.charts import as_chart, heatmap
from riskcalc.pages.display import DISPLAY_MIME, PLOTLY_MIME
from riskcalc.pages.exporter import PageExporter
from riskcalc.pages.html import page_parts, render_page
from riskcalc.register.matrix import Level, Matrix, contrast
from riskcalc.register.register import Register

LEVELS = (Level("Low", "#e4eef5"), Level("Medium", "#f5c95c"), Level("High", "#8f1d3f"))
FLAT = Matrix(
    ("Rare", "Often"), ("A", "B", "C", "D"), LEVELS, ((0, 0, 1, 2), (0, 1, 1, 2))
)  # neither square nor symmetric


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    rows, columns = draw(st.integers(2, 5)), draw(st.integers(2, 5))
    cell = st.integers(0, 2)
    grid = draw(st.tuples(*[st.tuples(*[cell] * columns)] * rows))
    return Matrix(tuple(f"L{n}" for n in range(rows)), tuple(f"I{n}" for n in range(columns)), LEVELS, grid)


def scored(matrix: Matrix, appetite: str = "Medium", **risks: tuple[int, int, int, int]) -> pd.DataFrame:
    """Scores of risks, each with its inherent and its earned likelihood and impact."""
    frame = pd.DataFrame.from_dict(risks, orient="index", columns=["likelihood", "impact", "to", "into"])
    frame = frame.rename_axis("risk_id").reset_index()
    for view, (likelihood, impact) in {"inherent": ("likelihood", "impact"), "earned": ("to", "into")}.items():
        frame[f"{view}_likelihood"], frame[f"{view}_impact"] = frame[likelihood], frame[impact]
        found = [str(matrix.level(*place)) for place in zip(frame[likelihood], frame[impact], strict=True)]
        frame[f"{view}_level"] = pd.Categorical(found, matrix.level_names, ordered=True)
    given_by = pd.Categorical([appetite] * len(frame), matrix.level_names, ordered=True)
    return frame.assign(appetite=given_by, title=[f"Title of {name}" for name in risks])


def texts(chart: Any) -> dict[tuple[int, int], str]:
    """What stands in each cell (likelihood, impact)."""
    [trace] = [each for each in chart.data if each.type == "scatter" and each.mode == "text"]
    return {(int(y), round(x)): text for x, y, text in zip(trace.x, trace.y, trace.text, strict=True)}


def edge(chart: Any) -> set[frozenset[tuple[float, float]]]:
    """The pieces of the bold line, each by its ends (impact, likelihood)."""
    line = chart.data[-1]
    points = list(zip(line.x, line.y, strict=True))
    return {frozenset(each) for each in pairwise(points) if None not in each[0] and None not in each[1]}


def arrows(chart: Any) -> set[tuple[tuple[int, int], tuple[int, int]]]:
    """From which cell (likelihood, impact) to which."""
    [trace] = [each for each in chart.data if each.type == "scatter" and each.mode == "lines+markers"]
    points = [(y, round(x)) for x, y in zip(trace.x, trace.y, strict=True) if x is not None]
    return set(zip(points[::2], points[1::2], strict=True))


@settings(max_examples=15)
@given(matrices())
def test_every_cell_bears_the_name_of_its_level_in_ink_that_can_be_read(matrix: Matrix) -> None:
    """Whatever the matrix's shape: colour never speaks alone, to nobody."""
    chart = heatmap(scored(matrix, R1=(1, 2, 2, 1)), matrix)
    told = texts(chart)
    assert {place: text.split("<br>")[0] for place, text in told.items()} == {
        (row + 1, column + 1): matrix.level(row + 1, column + 1)
        for row in range(matrix.shape[0])
        for column in range(matrix.shape[1])
    }
    assert told[2, 1].endswith("<br><b>R1</b>")
    assert sum("R1" in text for text in told.values()) == 1
    [trace] = [each for each in chart.data if each.type == "scatter" and each.mode == "text"]
    fills = [level.colour for row in chart.data[0].z for level in (matrix.levels[code] for code in row)]
    assert min(contrast(ink, fill) for ink, fill in zip(trace.textfont.color, fills, strict=True)) >= 4.5


@settings(max_examples=15)
@given(matrices(), st.sampled_from(["Low", "Medium", "High"]))
def test_the_bold_line_runs_where_the_levels_pass_the_appetite_and_nowhere_else(matrix: Matrix, appetite: str) -> None:
    """Between two neighbouring cells of which one is inside and the other isn't."""
    names = matrix.level_names
    inside = {
        (row, column): names.index(str(matrix.level(row, column))) <= names.index(appetite)
        for row in range(1, matrix.shape[0] + 1)
        for column in range(1, matrix.shape[1] + 1)
    }
    wanted = set()
    for row, column in inside:
        corner = (column + 0.5, row + 0.5)
        for side, other in (
            ((column + 0.5, row - 0.5), (row, column + 1)),
            ((column - 0.5, row + 0.5), (row + 1, column)),
        ):
            if other in inside and inside[row, column] != inside[other]:
                wanted.add(frozenset({side, corner}))
    assert edge(heatmap(scored(matrix, appetite, R1=(1, 1, 1, 1)), matrix)) == wanted


def test_a_flat_matrix_is_drawn_as_it_lies() -> None:
    """Two ratings of likelihood upwards, four of impact to the right."""
    chart = heatmap(scored(FLAT, R1=(2, 4, 1, 3)), FLAT, start="inherent")
    assert (list(chart.layout.xaxis.ticktext), chart.layout.yaxis.range) == (["1 A", "2 B", "3 C", "4 D"], (0.5, 2.5))
    assert texts(chart)[1, 3] == "Medium<br><b>R1</b>"
    assert arrows(chart) == {((2, 4), (1, 3))}


def test_a_crowded_cell_has_a_number_and_a_pointer_is_told_who_is_in_it() -> None:
    """The first dozen by title, then how many more."""
    crowd = heatmap(scored(FLAT, **{f"R{n:02}": (2, 2, 2, 2) for n in range(20)}), FLAT)
    assert texts(crowd)[2, 2] == "Medium<br><b>20 risks</b>"
    told = crowd.data[0].hovertext[1][1].split("<br>")
    assert (told[0], told[1]) == ("<b>Medium</b>, likelihood 2 Often x impact 2 B", "R00 Title of R00")
    assert (len(told), told[-1]) == (14, "and 8 more")


def test_arrows_lead_from_another_view_or_period_for_risks_that_moved() -> None:
    """A risk that stood where it stands, or that wasn't there, has none."""
    now = scored(FLAT, R1=(2, 4, 1, 3), R2=(1, 1, 1, 1), R3=(2, 1, 2, 1))
    before = scored(FLAT, R1=(2, 4, 1, 4), R2=(1, 1, 1, 1))
    assert arrows(heatmap(now, FLAT)) == set()
    assert arrows(heatmap(now, FLAT, start="inherent")) == {((2, 4), (1, 3))}
    assert arrows(heatmap(now, FLAT, start=before)) == {((1, 4), (1, 3))}
    for start, told in (("inherent", "risks stand before controls."), (before, "risks stood in the other period.")):
        assert heatmap(now, FLAT, start=start).layout.title.subtitle.text.endswith(f"Arrows lead from where {told}")
    with pytest.raises(UsageError, match="There is no view 'residual'; allowed: inherent, claimed, earned"):
        heatmap(now, FLAT, "residual")


def test_texts_of_a_register_are_no_markup_in_a_chart() -> None:
    """Plotly reads tags in its labels."""
    frame = scored(FLAT, **{"<b>R": (1, 1, 1, 1)}).assign(title="<a href='x'>")
    chart = heatmap(frame, FLAT)
    assert texts(chart)[1, 1] == "Low<br><b>&lt;b&gt;R</b>"
    assert "<a" not in chart.data[0].hovertext[0][0]


def test_in_a_notebook_the_chart_leads_and_a_page_has_the_table() -> None:
    """What is printed and read aloud needs no script."""
    bundle = heatmap(scored(FLAT, R1=(2, 4, 1, 3)), FLAT, start="inherent")._repr_mimebundle_()
    assert set(bundle) == {PLOTLY_MIME, DISPLAY_MIME, "text/html", "text/plain"}
    page = render_page(new_notebook(cells=[new_code_cell("x", outputs=[new_output("display_data", bundle)])]))
    assert page.count("<table") == 1
    assert "Earned risk on the matrix" in page
    assert "No rated risk is worse than the appetite." in page
    assert "Arrows" not in page
    assert "plotly" not in page


def test_plotly_accepts_what_we_draw_and_checks_what_others_change() -> None:
    """It isn't asked to when a chart is made, for that takes most of the time."""
    unit = open_unit("payroll", data_dir=str(SAMPLE))
    for figure in (heatmap(unit.scores, unit.matrix, start="inherent"), loss.exceedance(unit)):
        assert json.loads(go.Figure(figure.to_dict()).to_json()) == json.loads(figure.to_json())
        for part in (figure.layout, figure.layout.xaxis, *figure.data):
            with pytest.raises(ValueError, match="nonsense"):
                part.nonsense = 1


def test_a_click_lists_the_risks_of_a_cell() -> None:
    """All of them, however many, and nothing of other cells."""
    pytest.importorskip("ipywidgets")
    frame = scored(FLAT, **{f"R{n:02}": (2, 2, 2, 2) for n in range(20)}, S1=(1, 1, 1, 1))
    figure, below = charts.clickable(frame, FLAT).children  # type: ignore[attr-defined]
    cell = px.NO_COLOR  # any object will do for the trace
    points = type("Points", (), {"point_inds": [(1, 1)]})
    [tell] = figure.data[0]._click_callbacks
    tell(cell, points, None)
    assert all(f"R{n:02}" in below.value for n in range(20))
    assert "S1" not in below.value


@pytest.mark.parametrize(
    ("figure", "row"),
    [
        (px.line(x=[1, 2], y=[3, -4], title="Own <b>title</b>"), ["1", "3"]),
        (px.bar(pd.DataFrame({"unit": ["a"], "n": [2]}), x="unit", y="n"), ["a", "2"]),
        (px.pie(names=["a"], values=[1]), ["a", "1"]),
        (px.imshow([[1, 2], [3, 4]]), ["1, 2", "0"]),
        (go.Figure(go.Heatmap(z=[[1, 2], [3, 4]])), ["1, 2"]),
    ],
)
def test_somebodys_own_figure_is_a_chart_with_its_data_as_a_table(figure: Any, row: list[str]) -> None:
    """Under its title, and never as a picture drawn to another scale than its own."""
    bundle = as_chart(figure)._repr_mimebundle_()
    assert bundle[PLOTLY_MIME]["layout"]["meta"]["riskcalc"]["table"]["rows"][0] == row
    page = "".join(
        page_parts(new_notebook(cells=[new_code_cell("x", outputs=[new_output("display_data", bundle)])]), True)
    )
    assert "The data of this chart" in page
    assert "<svg" not in page
    title = figure.layout.title.text
    assert ("Own title" if title else "Chart") in page


def test_a_picture_has_the_caption_that_its_cell_gives_it() -> None:
    """In Quarto's words, so that a notebook reads the same there; escaped, as all text is."""
    output = new_output("display_data", {"image/png": "QUJD", "text/plain": "<Figure size 640x480 with 1 Axes>"})
    cell = new_code_cell('#| fig-cap: "Losses & <years>"\nfigure', outputs=[output])
    assert "<figcaption>Losses &amp; &lt;years&gt;</figcaption>" in render_page(new_notebook(cells=[cell]))


def test_a_notebook_that_was_not_run_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """On its page, and where somebody converts it: an empty page looks like an empty register."""
    book = new_notebook(cells=[new_code_cell("x")])
    page, _ = PageExporter().from_notebook_node(book)
    assert "This notebook was not run" in page
    assert "This notebook was not run" in caplog.text
    book.cells[0].execution_count = 1
    assert "was not run" not in PageExporter().from_notebook_node(nbformat.from_dict(book))[0]


def test_a_register_is_shown_in_a_line_and_as_a_table(sample: Register) -> None:
    """Not as all its rows, wherever one is printed by accident."""
    assert len(repr(sample)) < 400
    assert "68 risks" in repr(sample)
    assert "<td>68</td>" in sample._repr_html_()
