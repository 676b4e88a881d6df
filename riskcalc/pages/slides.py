"""An executed notebook as a few slides that can be edited: native tables and charts. Imported only where the extra
``pptx`` is asked for.

A cell tagged ``slide`` becomes one, or several where its table is long; what the notebook says first, its heading and
its brief, share the first. A slide is headed by what its display says in a sentence, and ends above its footer: what
has no room is counted, and said to stand on the page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

from nbformat import NotebookNode
from pptx import Presentation
from pptx.chart.data import XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LEGEND_POSITION
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls
from pptx.util import Inches, Pt

from riskcalc.errors import amount, counted
from riskcalc.pages.display import DISPLAY_MIME, PLOTLY_MIME
from riskcalc.pages.line_pictures import numbers

_TAG = "slide"
_MOST_SLIDES, _MOST_LINES, _MOST_TEXT = 4, 13, 240  # slides of a table, lines of a cell, characters of a line
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_INK, _GREY, _FAINT = "1a1f26", "4a5563", "f6f8fa"
_TONES = {"bad": "7c1937", "good": "17573f", "open": _INK}
_DASHES = {"dash": 4, "dot": 3}  # MSO_LINE_DASH_STYLE: DASH, ROUND_DOT
_WIDE, _HIGH, _EDGE, _TOP, _END = 13.333, 7.5, 0.6, 0.58, 6.85  # inches; nothing but the footer stands below the end
_ROOM = _WIDE - 2 * _EDGE
_SIDE_BY_SIDE = 6  # ratings of impact with which two matrices have room on a slide

Said = Mapping[str, Any]


def render_slides(notebook: NotebookNode) -> bytes:
    """The slides of an executed notebook, as a .pptx file."""
    deck = Presentation()
    deck.slide_width, deck.slide_height = Inches(_WIDE), Inches(_HIGH)
    views, figures = _tagged(notebook, DISPLAY_MIME), _tagged(notebook, PLOTLY_MIME)
    top = next((view for view in views if view["kind"] == "heading"), None)
    brief = next((view for view in views if view["kind"] == "brief"), None)
    footer = " · ".join(filter(None, [top["classification"], top["title"], top["eyebrow"]])) if top else ""
    if top:
        _title_slide(_blank(deck, footer), top, brief or {"panels": []})
    for view in views:
        if view["kind"] == "table":
            _table_slides(deck, footer, view)
        elif view["kind"] == "matrices":
            _matrix_slides(deck, footer, view)
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
        if mime == next((each for each in (DISPLAY_MIME, PLOTLY_MIME) if each in output.get("data", {})), "")
        and _has_a_slide(output)
    ]


def _has_a_slide(output: NotebookNode) -> bool:
    """Of a chapter's tables those that say something in a sentence; whatever else its cell is tagged for."""
    view = output.data.get(DISPLAY_MIME, {"kind": ""})
    return view["kind"] != "table" or "headline" in view or "riskcalc" not in output.metadata


def _blank(deck: Any, footer: str) -> Any:
    slide = deck.slides.add_slide(deck.slide_layouts[5])  # a title, and nothing else
    _write(slide, _short(footer, 1, _ROOM, 10), (_EDGE, _HIGH - 0.5, _ROOM, 0.3), size=10, ink=_GREY)
    return slide


def _title(slide: Any, text: str, eyebrow: str = "", says: str = "") -> float:
    """Head a slide: what it is about in small, what it says in large, the rest below; gives where that ends."""
    size, below, end = _heights(text, says)
    if eyebrow:
        _write(slide, _short(eyebrow, 1, _ROOM, 13), (_EDGE, 0.3, _ROOM, 0.3), size=13, ink=_GREY)
    title = slide.shapes.title
    title.left, title.top, title.width, title.height = (Inches(n) for n in (_EDGE, _TOP, _ROOM, below - _TOP))
    frame = title.text_frame
    frame.text, frame.vertical_anchor, frame.word_wrap = _one_line(text), MSO_ANCHOR.TOP, True
    frame.paragraphs[0].alignment = PP_ALIGN.LEFT
    _font(frame.paragraphs[0], size, _INK, bold=True)
    if says:
        _write(slide, "\n".join(_cut(says, _ROOM, 13, 6)), (_EDGE, below, _ROOM, end - below), size=13, ink=_GREY)
    return end


def _heights(text: str, says: str) -> tuple[int, float, float]:
    """The size of a title, where it ends, and where what stands below it ends."""
    size = next((size for size in (28, 24, 20) if _lines(_one_line(text), _ROOM, size * 1.12) == 1), 20)
    below = _TOP + _lines(_one_line(text), _ROOM, size * 1.12) * size * 1.25 / 72 + 0.1
    high = sum(_lines(line, _ROOM, 13) for line in _cut(says, _ROOM, 13, 6)) * 13 * 1.25 / 72 + 0.1
    return size, below, below + high + 0.1 if says else below + 0.15


def _one_line(text: str) -> str:
    return _plain(" ".join(text.split()), 180)


def _lines(text: str, width: float, size: float) -> int:
    """How many lines a text takes in a column of so many inches, about."""
    return ceil(max(len(text), 1) / _beside(width, size))


def _beside(width: float, size: float) -> float:
    """How many characters stand beside each other, about."""
    return max((width - 0.12) * 72 / size / 0.54, 1)


def _short(text: str, lines: int, width: float, size: float) -> str:
    return _plain(" ".join(text.split()), max(int(lines * _beside(width, size)), 1))


def _cut(text: str, width: float, size: float, most: int) -> list[str]:
    """A text's lines, as many as have room; where there are more, the last one says how many stand on the page only."""
    lines, used = [_short(_plain(line, 500), most, width, size) for line in text.split("\n")], 0
    for number, line in enumerate(lines):
        used += _lines(line, width, size)
        if used > most - (number < len(lines) - 1) and number:
            return [*lines[:number], f"and {len(lines) - number} more, on the page"]
    return lines


def _write(slide: Any, text: str, place: Sequence[float], size: float, ink: str, bold: bool = False) -> None:
    frame = slide.shapes.add_textbox(*(Inches(each) for each in place)).text_frame
    frame.word_wrap = True
    frame.text = "\n".join(_plain(line, 500) for line in text.split("\n"))
    for paragraph in frame.paragraphs:
        _font(paragraph, size, ink, bold)


def _font(paragraph: Any, size: float, ink: str, bold: bool = False) -> None:
    paragraph.font.size, paragraph.font.bold = Pt(size), bold
    paragraph.font.color.rgb = _rgb(ink)


def _plain(text: str, most: int = _MOST_TEXT) -> str:
    """Text as a slide can hold it: no longer than a few lines, and without what XML has no way to write."""
    whole = _UNFIT.sub("\ufffd", text)
    return whole if len(whole) <= most else whole[: most - 1] + "…"


def _rgb(colour: str) -> Any:
    return RGBColor.from_string(colour.lstrip("#").upper())


def _title_slide(slide: Any, top: Said, brief: Said) -> None:
    headline = brief.get("headline", "")
    eyebrow = " · ".join(filter(None, [headline and top["title"], top["eyebrow"]]))
    start = _title(slide, headline or top["title"], eyebrow, _verdicts(top))
    panels = brief["panels"]
    parts = [1.3 if panel["picture"] else 1 for panel in panels]
    for number, panel in enumerate(panels):
        left = _EDGE + _ROOM * sum(parts[:number]) / sum(parts)
        room = _ROOM * parts[number] / sum(parts) - 0.3
        below = start + (3.2 if panel["picture"] else 1.2)
        if panel["picture"]:
            picture = {**panel["picture"], "title": f"{panel['title']} (● outside)"}
            _matrix(slide, picture, (left, start + 0.1, room), below - 0.1)
        else:
            _write(slide, panel["title"], (left, start + 0.1, room, 0.4), size=13, ink=_GREY, bold=True)
            ink = _TONES[panel["tone"]]
            _write(slide, panel["figure"], (left, start + 0.4, room, 0.9), size=40, ink=ink, bold=True)
        items = [_one_line(f"{_text(item['cell'])} {item['text'] or _text(item['note'])}") for item in panel["items"]]
        says = "\n".join(_cut(panel["says"], room, 13, 5))
        lines = int((_END - below) * 72 / 13 / 1.25) - 6
        body = "\n".join([says, "", *_fitting(items, room, lines)])
        _write(slide, body, (left, below, room, _END - below), size=13, ink=_INK)


def _fitting(items: Sequence[str], width: float, most: int) -> list[str]:
    """As many items as have room in so many lines; the panel's figure says how many there are."""
    used, kept = 0, []
    for item in items:
        used += _lines(item, width, 13)
        if used > most:
            break
        kept.append(item)
    left = len(items) - len(kept)
    return [*kept, "The other stands on the page." if left == 1 else "The others stand on the page."] if left else kept


def _verdicts(top: Said) -> str:
    """The page's answers, each with what it is about."""
    said = [
        (top["label"], top["verdict"], ""),
        *((each["label"], each["verdict"], each["note"]) for each in [top["second"]] if each),
    ]
    return "\n".join(f"{label}: {verdict} {note}" if label else verdict for label, verdict, note in said)


def _table_slides(deck: Any, footer: str, view: Said) -> None:
    """A table, on as many slides as it needs, but not on more than a few; then the others are counted."""
    view, headline = _in_words(view), view.get("headline") or view["title"]
    widths = _widths(view)
    pages, left = _pages(view, widths, headline)
    for number, rows in enumerate(pages, 1):
        slide, more = _blank(deck, footer), f" ({number} of {len(pages)})" * (len(pages) > 1)
        told = [view["note"]] if number == 1 else []
        if number == len(pages) and left:
            of = counted(len(view["rows"]), "row")
            told.append(f"Not shown here: {left} of {of}; the page has all of them, in this table.")
        eyebrow = f"{view['title']}{more}" if view.get("headline") or more else ""
        start = _title(slide, headline, eyebrow, " ".join(filter(None, told)))
        table = _grid(slide, len(rows) + 1, len(widths), (_EDGE, start, _ROOM), widths, 0.3)
        for place, column in enumerate(view["columns"]):
            _fill(table.cell(0, place), column, _GREY, "ffffff", bold=True)
        for line, row in enumerate(rows, 1):
            table.rows[line].height = Inches(_row_height(row, widths))
            for place, value in enumerate(row):
                given = value if isinstance(value, Mapping) else {}
                ink = given.get("ink") or _TONES.get(str(given.get("tone")), _INK)
                said = "\n".join(_cut(_text(value), widths[place], 11, _MOST_LINES))
                _fill(table.cell(line, place), said, ink, given.get("fill", "ffffff"), bold="fill" in given)


def _in_words(view: Said) -> Said:
    """A table without the columns that say nothing in words, such as bars."""
    kept = [place for place in range(len(view["columns"])) if any(_text(row[place]) for row in view["rows"])]
    rows = [[row[place] for place in kept] for row in view["rows"]]
    return {**view, "columns": [view["columns"][place] for place in kept], "rows": rows} if rows else view


def _widths(view: Said) -> list[float]:
    """The columns' widths in inches: room for the longest word first, then by how much they say."""
    texts = [
        [column, *(_text(row[place]) for row in view["rows"][:50])] for place, column in enumerate(view["columns"])
    ]
    longest = [max(min(len(word), 18) for text in column for word in (text.split() or [""])) for column in texts]
    heads = [max(map(len, column.split() or [""])) * 1.25 for column in view["columns"]]  # they are bold
    words = [max(pair) + 2.0 for pair in zip(longest, heads, strict=True)]
    most = [max(min(max(map(len, text.split("\n"))), 110) for text in column) + 2.0 for column in texts]
    more = [max(most_ - least, 0.01) for most_, least in zip(most, words, strict=True)]
    spare = max(_ROOM * 72 / 11 / 0.58 - sum(words), 0)  # characters that stand beside those words
    chosen = [least + each * spare / sum(more) for least, each in zip(words, more, strict=True)]
    return [_ROOM * each / sum(chosen) for each in chosen]


def _pages(view: Said, widths: Sequence[float], headline: str) -> tuple[list[list[Any]], int]:
    """The rows of each slide, and how many have no slide."""
    pages: list[list[Any]] = [[]]
    head = 0.15 + 0.2 * max(_lines(column, width, 13) for column, width in zip(view["columns"], widths, strict=True))
    room, full = (_END - head - _heights(headline, said)[2] for said in (view["note"], "rows that aren't shown"))
    for number, row in enumerate(view["rows"]):
        high = _row_height(row, widths)
        if high > room and pages[-1]:
            if len(pages) == _MOST_SLIDES:
                return pages, len(view["rows"]) - number
            pages.append([])
            room = full
        pages[-1].append(row)
        room -= high
    return pages, 0


def _row_height(row: Sequence[Any], widths: Sequence[float]) -> float:
    lines = [
        sum(_lines(line, width, 11) for line in _cut(_text(value), width, 11, _MOST_LINES))
        for value, width in zip(row, widths, strict=True)
    ]
    return max(lines) * 11 * 1.22 / 72 + 0.08


def _matrix_slides(deck: Any, footer: str, view: Said) -> None:
    """The first and the last of the matrices, before controls and as earned: side by side, or where they are wide, each
    on a slide of its own.
    """
    ends = [view["maps"][0], view["maps"][-1]]
    for shown in [ends] if len(ends[0]["columns"]) <= _SIDE_BY_SIDE else [[each] for each in ends]:
        slide = _blank(deck, footer)
        start = _title(slide, view.get("headline") or view["summary"], view["title"])
        width = (_ROOM - _EDGE * (len(shown) - 1)) / len(shown)
        for number, each in enumerate(shown):
            _matrix(slide, each, (_EDGE + number * (width + _EDGE), start, width))


def _matrix(slide: Any, each: Said, place: tuple[float, float, float], end: float = _END) -> None:
    left, start, width = place
    _write(slide, each["title"], (left, start, width, 0.4), size=14, ink=_INK, bold=True)
    widths = [1.3, *(1.0 for _ in each["columns"])]
    high, room = min(0.8, (end - start - 1.0) / len(each["rows"])), width / sum(widths)
    table = _grid(slide, len(each["rows"]) + 1, len(widths), (left, start + 0.4, width), widths, high)
    table.rows[0].height = int(table.rows[0].height * min(1, 0.4 / high))
    for column, name in enumerate(["Likelihood, by impact", *each["columns"]]):
        _fill(table.cell(0, column), _short(name, 3, room, 9), _GREY, "ffffff", size=9)
    for line, row in enumerate(each["rows"], 1):
        _fill(table.cell(line, 0), _short(row["rating"], 2, 1.3 * room, 9), _GREY, "ffffff", size=9)
        for column, cell in enumerate(row["cells"], 1):
            told = "\n".join(_held(cell, int(high * 72 / 11), room))
            _fill(table.cell(line, column), told, cell["ink"], cell["fill"], size=9)


def _held(cell: Said, lines: int, width: float) -> Iterator[str]:
    """What a cell of the matrix says: its level, how many risks are there, and as many of their ids as have room."""
    if "count" in cell:  # the picture of the first screen
        yield f"{cell['count']} {cell['dots']}" if cell["count"] else cell["level"]
        return
    ids = [one["text"] for one in cell["ids"]]
    number = len(ids) + cell["more"]
    level = _short(cell["level"], 2, width * 0.7, 9)
    first = f"{level}: {number}" if number else level
    yield first
    fit = (lines - _lines(first, width, 9)) // max(_lines(name, width, 9) for name in ["", *ids])
    shown = ids if number <= fit else ids[: max(fit - 1, 0)]
    yield from shown
    if shown and len(shown) < number:
        yield f"and {number - len(shown)} more"


def _grid(slide: Any, rows: int, columns: int, place: Sequence[float], widths: Sequence[float], high: float) -> Any:
    left, top, width = place
    shape = slide.shapes.add_table(rows, columns, Inches(left), Inches(top), Inches(width), Inches(high * rows))
    table = shape.table
    table.horz_banding = False
    for column, part in zip(table.columns, widths, strict=True):
        column.width = Inches(width * part / sum(widths))
    return table


def _fill(cell: Any, text: str, ink: str, fill: str, bold: bool = False, size: float = 11) -> None:
    cell.text_frame.text = "\n".join(_plain(line) for line in text.split("\n"))
    cell.margin_left = cell.margin_right = Inches(0.05)
    cell.margin_top = cell.margin_bottom = Inches(0.03)
    cell.fill.solid()
    cell.fill.fore_color.rgb = _rgb(fill)
    for paragraph in cell.text_frame.paragraphs:
        _font(paragraph, size, ink, bold)


def _chart_slide(slide: Any, figure: Said) -> None:
    """A chart of lines over amounts, as one that can be edited."""
    said = figure["layout"]["meta"]["riskcalc"]
    start = _title(slide, said["summary"], said["title"])
    data = XyChartData()
    lines = [*filter(_is_line, figure["data"]), *_limits(figure["layout"])]
    for trace in lines:
        series = data.add_series(trace["name"])
        for x, y in zip(numbers(trace["x"]), numbers(trace["y"]), strict=True):
            series.add_data_point(float(x), float(y))
    place = (Inches(each) for each in (_EDGE, start, _ROOM, _END - start))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.XY_SCATTER_LINES_NO_MARKERS, *place, data).chart
    for series, trace in zip(chart.plots[0].series, lines, strict=True):
        series.smooth = False
        series.format.line.color.rgb = _rgb(trace["line"]["color"])
        series.format.line.dash_style = _DASHES.get(trace["line"].get("dash"))
    chart.font.size = Pt(12)
    chart.value_axis.minimum_scale, chart.value_axis.maximum_scale = 0, 1
    if figure["layout"]["xaxis"].get("type") == "log":
        _logarithmic(chart.category_axis, [float(x) for trace in lines for x in numbers(trace["x"])])
    chart.has_legend = True
    chart.legend.position, chart.legend.include_in_layout = XL_LEGEND_POSITION.TOP, False
    chart.has_title = False
    chart.value_axis.tick_labels.number_format, chart.value_axis.tick_labels.number_format_is_linked = "0%", False
    chart.category_axis.tick_labels.number_format = "#,##0"
    chart.category_axis.tick_labels.number_format_is_linked = False
    for axis, name in ((chart.category_axis, "xaxis"), (chart.value_axis, "yaxis")):
        axis.has_title = True
        axis.axis_title.text_frame.text = figure["layout"][name]["title"]["text"]


def _limits(layout: Said) -> Iterator[dict[str, Any]]:
    """The amounts that a chart is read against, its upright lines, each by the name that stands beside it."""
    names = {round(each["x"], 6): each["text"] for each in layout.get("annotations", []) if each.get("yref") == "paper"}
    for shape in layout.get("shapes", []):
        upright = shape["type"] == "line" and shape["x0"] == shape["x1"] and shape["x0"] > 0
        if upright and round(log10(shape["x0"]), 6) in names:
            name = f"{names[round(log10(shape['x0']), 6)].capitalize()}, {amount(shape['x0'])}"
            yield {"name": name, "x": [shape["x0"]] * 2, "y": [0, 1], "line": shape["line"]}


def _logarithmic(axis: Any, amounts: Sequence[float]) -> None:
    """Let an axis run over whole powers of ten, as the page's does; python-pptx has no word for it."""
    axis.minimum_scale, top = 10 ** floor(log10(min(amounts))), 10 ** floor(log10(max(amounts)))
    axis.maximum_scale = next(step * top for step in (1, 2, 5, 10) if step * top >= max(amounts))
    axis._element.find("{*}scaling").insert(0, parse_xml(f'<c:logBase {nsdecls("c")} val="10"/>'))
    axis.has_major_gridlines = True


def _is_line(trace: Said) -> bool:
    """Whether a trace is a line with a name of its own, not an edge of a band."""
    return bool(trace.get("name")) and trace.get("mode") == "lines" and not trace.get("fill")


def _text(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return "\n".join(filter(None, [value.get("text", ""), value.get("note", "")]))
