"""An executed notebook as a few slides that can be edited: native tables and charts; the extra ``pptx``.

A cell tagged ``slide`` becomes one; what the notebook says first, its heading and its brief, share the first.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbformat import NotebookNode

from riskcalc.pages.display import DISPLAY_MIME, PLOTLY_MIME
from riskcalc.pages.lines import numbers

_TAG = "slide"
_MOST_ROWS, _MOST_LINES, _MOST_TEXT = 9, 12, 240  # rows of a table, lines of a box, characters of a line
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_INK, _GREY, _FAINT = "1a1f26", "4a5563", "f6f8fa"
_TONES = {"bad": "7c1937", "good": "17573f", "open": _INK}
_DASHES = {"dash": 4, "dot": 3}  # MSO_LINE_DASH_STYLE: DASH, ROUND_DOT
_WIDE, _HIGH, _EDGE = 13.333, 7.5, 0.6  # inches

Said = Mapping[str, Any]


def render_slides(notebook: NotebookNode) -> bytes:
    """The slides of an executed notebook, as a .pptx file.

    Raises ModuleNotFoundError where the extra isn't installed.
    """
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    deck.slide_width, deck.slide_height = Inches(_WIDE), Inches(_HIGH)
    views, figures = _tagged(notebook, DISPLAY_MIME), _tagged(notebook, PLOTLY_MIME)
    top = next((view for view in views if view["kind"] == "heading"), None)
    brief = next((view for view in views if view["kind"] == "brief"), None)
    footer = " · ".join(filter(None, [top["title"], top["eyebrow"], top["classification"]])) if top else ""
    if top:
        _title_slide(_blank(deck, footer), top, brief["panels"] if brief else [])
    for view in views:
        if view["kind"] == "table":
            _table_slide(_blank(deck, footer), view)
        elif view["kind"] == "matrices":
            _matrix_slide(_blank(deck, footer), view)
    for figure in figures:
        _chart_slide(_blank(deck, footer), figure)
    out = io.BytesIO()
    deck.core_properties.title = _plain(top["title"] if top else "riskcalc")
    deck.save(out)
    return out.getvalue()


# --- parts ---


def _tagged(notebook: NotebookNode, mime: str) -> list[Said]:
    return [
        output.data[mime]
        for cell in notebook.cells
        if _TAG in cell.metadata.get("tags", [])
        for output in cell.get("outputs", [])
        if mime in output.get("data", {})
    ]


def _blank(deck: Any, footer: str) -> Any:
    slide = deck.slides.add_slide(deck.slide_layouts[5])  # a title, and nothing else
    _write(slide, footer, (_EDGE, _HIGH - 0.5, _WIDE - 2 * _EDGE, 0.3), size=10, ink=_GREY)
    return slide


def _title(slide: Any, text: str, says: str = "") -> None:
    from pptx.enum.text import PP_ALIGN
    from pptx.util import Inches

    title = slide.shapes.title
    title.left, title.top, title.width, title.height = (Inches(n) for n in (_EDGE, 0.35, _WIDE - 2 * _EDGE, 0.8))
    title.text_frame.text = _plain(text)
    title.text_frame.paragraphs[0].alignment = PP_ALIGN.LEFT
    _font(title.text_frame.paragraphs[0], 28 if len(text) < 50 else 20, _INK, bold=True)
    if says:
        _write(slide, says, (_EDGE, 1.1, _WIDE - 2 * _EDGE, 0.6), size=15, ink=_GREY)


def _write(slide: Any, text: str, place: Sequence[float], size: float, ink: str, bold: bool = False) -> None:
    from pptx.util import Inches

    frame = slide.shapes.add_textbox(*(Inches(each) for each in place)).text_frame
    frame.word_wrap = True
    frame.text = "\n".join(_plain(line) for line in text.split("\n")[:_MOST_LINES])
    for paragraph in frame.paragraphs:
        _font(paragraph, size, ink, bold)


def _font(paragraph: Any, size: float, ink: str, bold: bool = False) -> None:
    from pptx.util import Pt

    paragraph.font.size, paragraph.font.bold = Pt(size), bold
    paragraph.font.color.rgb = _rgb(ink)


def _plain(text: str) -> str:
    """Text as a slide can hold it: no longer than a few lines, and without what XML has no way to write."""
    whole = _UNFIT.sub("\ufffd", text)
    return whole if len(whole) <= _MOST_TEXT else whole[: _MOST_TEXT - 1] + "…"


def _rgb(colour: str) -> Any:
    from pptx.dml.color import RGBColor

    return RGBColor.from_string(colour.lstrip("#").upper())


def _title_slide(slide: Any, top: Said, panels: Sequence[Said]) -> None:
    _title(slide, top["title"], _verdicts(top))
    width = (_WIDE - 2 * _EDGE) / max(len(panels), 1)
    for number, panel in enumerate(panels):
        left, room = _EDGE + number * width, width - 0.3
        _write(slide, panel["title"], (left, 2.2, room, 0.4), size=14, ink=_GREY, bold=True)
        _write(slide, panel["figure"], (left, 2.5, room, 0.9), size=40, ink=_TONES[panel["tone"]], bold=True)
        items = [" ".join(filter(None, [_text(item["cell"]), item["text"]])) for item in panel["items"]]
        _write(slide, "\n".join([panel["says"], "", *items]), (left, 3.4, room, 3.2), size=13, ink=_INK)


def _verdicts(top: Said) -> str:
    """The page's answers, each with what it is about."""
    said = [
        (top["label"], top["verdict"], ""),
        *((each["label"], each["verdict"], each["note"]) for each in [top["second"]] if each),
    ]
    return "\n".join(f"{label}: {verdict} {note}" if label else verdict for label, verdict, note in said)


def _table_slide(slide: Any, view: Said) -> None:
    """A table with its first rows; the page has the others."""
    rows, columns = view["rows"][:_MOST_ROWS], view["columns"]
    left = len(view["rows"]) - len(rows)
    cut = f"The first {len(rows)} of {len(view['rows'])}. " if left else ""
    _title(slide, view["title"], cut + view["note"])
    widths = [
        max([len(column) + 2, *(min(len(_text(row[n])), 40) for row in rows)]) + 3 for n, column in enumerate(columns)
    ]
    table = _grid(slide, len(rows) + 1, len(columns), (_EDGE, 1.6, _WIDE - 2 * _EDGE), widths)
    for number, column in enumerate(columns):
        _fill(table.cell(0, number), column, _GREY, "ffffff", bold=True)
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row):
            given = value if isinstance(value, Mapping) else {}
            ink = given.get("ink") or _TONES.get(str(given.get("tone")), _INK)
            _fill(table.cell(number, column), _text(value), ink, given.get("fill", "ffffff"), bold="fill" in given)


def _matrix_slide(slide: Any, view: Said) -> None:
    """The first and the last of the matrices, before controls and as earned, side by side."""
    _title(slide, view["title"], view["summary"])
    width = (_WIDE - 3 * _EDGE) / 2
    for number, each in enumerate([view["maps"][0], view["maps"][-1]]):
        left = _EDGE + number * (width + _EDGE)
        _write(slide, each["title"], (left, 1.7, width, 0.4), size=14, ink=_INK, bold=True)
        widths = [1.3, *(1.0 for _ in each["columns"])]
        table = _grid(slide, len(each["rows"]) + 1, len(widths), (left, 2.15, width), widths, 0.75)
        for column, name in enumerate(["Likelihood", *each["columns"]]):
            _fill(table.cell(0, column), name, _GREY, "ffffff", size=9)
        for line, row in enumerate(each["rows"], 1):
            _fill(table.cell(line, 0), row["rating"], _GREY, "ffffff", size=9)
            for column, cell in enumerate(row["cells"], 1):
                ids = [one["text"] for one in cell["ids"]] + ([f"and {cell['more']} more"] if cell["more"] else [])
                _fill(table.cell(line, column), "\n".join([cell["level"], *ids]), cell["ink"], cell["fill"], size=9)


def _grid(
    slide: Any, rows: int, columns: int, place: Sequence[float], widths: Sequence[float], high: float = 0.4
) -> Any:
    from pptx.util import Inches

    left, top, width = place
    shape = slide.shapes.add_table(rows, columns, Inches(left), Inches(top), Inches(width), Inches(high * rows))
    table = shape.table
    table.horz_banding = False
    for column, part in zip(table.columns, widths, strict=True):
        column.width = Inches(width * part / sum(widths))
    return table


def _fill(cell: Any, text: str, ink: str, fill: str, bold: bool = False, size: float = 11) -> None:
    from pptx.util import Inches

    cell.text_frame.text = "\n".join(_plain(line) for line in text.split("\n")[:_MOST_LINES])
    cell.margin_left = cell.margin_right = Inches(0.05)
    cell.margin_top = cell.margin_bottom = Inches(0.03)
    cell.fill.solid()
    cell.fill.fore_color.rgb = _rgb(fill)
    for paragraph in cell.text_frame.paragraphs:
        _font(paragraph, size, ink, bold)


def _chart_slide(slide: Any, figure: Said) -> None:
    """A chart of lines over amounts, as one that can be edited."""
    from pptx.chart.data import XyChartData
    from pptx.enum.chart import XL_CHART_TYPE, XL_LEGEND_POSITION
    from pptx.util import Inches, Pt

    said = figure["layout"]["meta"]["riskcalc"]
    _title(slide, said["title"], said["summary"])
    data = XyChartData()
    lines = [trace for trace in figure["data"] if _is_line(trace)]
    for trace in lines:
        series = data.add_series(trace["name"])
        for x, y in zip(numbers(trace["x"]), numbers(trace["y"]), strict=True):
            series.add_data_point(float(x), float(y))
    place = (Inches(each) for each in (_EDGE, 1.8, _WIDE - 2 * _EDGE, 5.1))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.XY_SCATTER_LINES_NO_MARKERS, *place, data).chart
    for series, trace in zip(chart.plots[0].series, lines, strict=True):
        series.smooth = False
        series.format.line.color.rgb = _rgb(trace["line"]["color"])
        series.format.line.dash_style = _DASHES.get(trace["line"].get("dash"))
    chart.font.size = Pt(12)
    chart.value_axis.maximum_scale = 1
    chart.has_legend = True
    chart.legend.position, chart.legend.include_in_layout = XL_LEGEND_POSITION.TOP, False
    chart.has_title = False
    chart.value_axis.tick_labels.number_format, chart.value_axis.tick_labels.number_format_is_linked = "0%", False
    chart.category_axis.tick_labels.number_format = "#,##0"
    chart.category_axis.tick_labels.number_format_is_linked = False
    for axis, name in ((chart.category_axis, "xaxis"), (chart.value_axis, "yaxis")):
        axis.has_title = True
        axis.axis_title.text_frame.text = figure["layout"][name]["title"]["text"]


def _is_line(trace: Said) -> bool:
    """Whether a trace is a line with a name of its own, not an edge of a band."""
    return bool(trace.get("name")) and trace.get("mode") == "lines" and not trace.get("fill")


def _text(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return "\n".join(filter(None, [value.get("text", ""), value.get("note", "")]))
