"""What a notebook displays beside charts: a heading, key figures, tables, and the results for machines.

A display is plain data. JupyterLab shows its HTML; a page is rendered from its data, never from stored HTML, so
register text is escaped exactly once, wherever it comes from. Data frames that a notebook displays become tables,
too (``frames.py``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from typing import Any

from markupsafe import Markup, escape

from riskcalc.files import stem
from riskcalc.register.matrix import INK, Matrix, ink_on

DISPLAY_MIME = "application/vnd.riskcalc.display+json"
PLOTLY_MIME = "application/vnd.plotly.v1+json"
RESULT_MIME = "application/vnd.riskcalc.result+json"
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")  # of an object in memory, in its text: another one each time


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ISO = re.compile(r"(?<![\w./-])(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?: 00:00:00)?(?![\w/-]|\.\w)")


def day(said: object) -> str:
    """A date, or the dates in a sentence of ours, as people read them, each in one piece.

    >>> day("due 2026-06-30, not 2026-H1").split("\xa0")
    ['due 30', 'Jun', '2026, not 2026-H1']
    """
    return _ISO.sub(lambda found: f"{int(found[3])}\xa0{_MONTHS[int(found[2]) - 1]}\xa0{found[1]}", str(said))


@dataclass(frozen=True)
class Display:
    """Something to display: ``kind`` names its template, ``content`` holds what the template shows."""

    kind: str
    content: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The display as plain values, as it is stored in a notebook."""
        return {"kind": self.kind, **self.content}

    def saying(self, headline: str) -> Display:
        """The same, with what it says in a sentence: the title of its slide."""
        return Display(self.kind, {**self.content, "headline": headline})

    def _repr_mimebundle_(self, below: bool = False, **_: object) -> dict[str, Any]:
        """As a notebook has it; ``below`` another of the same cell, whose styles hold for it."""
        style = "" if below else f"<style>{stylesheet('displays.css')}</style>"
        html = f'<div class="riskcalc">{style}{render(self.as_json())}</div>'
        return {
            DISPLAY_MIME: self.as_json(),
            "text/html": html,
            "text/plain": f"<{self.kind}: {self.content.get('title', '')}>",
        }


@dataclass(frozen=True)
class Result:
    """The results of an assessment for machines: what a run stores as ``<unit>.json``."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {RESULT_MIME: dict(self.values), "text/plain": "Results for machines; a run stores them as JSON."}


_BESIDE = r"[a-z0-9-]+\.html|feed\.atom|documents/[\w-]+\.(pdf|docx|xlsx|csv|txt)"
_LINK = re.compile(rf"{_BESIDE}|([a-z0-9-]+\.html)?(\?[a-z]+=[\w%.~-]*)?#[\w.-]+", re.ASCII)
_SHORT, _LONG = 14, 24  # characters up to which a cell isn't broken, and from which on it needs room to be read
_SHOWN = 4  # ids that are spelled out in a cell of the matrix
Cell = str | Mapping[str, Any]


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    numeric: Sequence[str] = (),
    note: str = "",
    grouped: bool = False,
    **rest: Any,
) -> Display:
    """A table; a cell is text, or text with a ``fill`` and ``ink`` colour, a ``tone``, an ``href``, or a ``note``.

    It may hold ``bars`` to scale as well, and paragraphs ``more`` that a reader opens. The rows of a ``grouped`` table
    belong together as they stand, so nobody can sort them. ``summary`` says what to see; a ``folded`` one is opened by
    its title; ``filters`` has what each row can be filtered by, in the table that links to ``#all-risks`` mean, and
    ``noun`` says what its rows are.
    """
    given = {"title": title, "grouped": grouped, "columns": list(columns), "numeric": list(numeric)}
    shown = {"summary": "", "folded": False, "filters": [], "noun": "risk", **rest}
    return Display("table", {**given, "rows": [list(row) for row in rows], "note": note, **shown})


def bars(
    text: str, parts: Sequence[tuple[float, float, str]], marks: Sequence[tuple[float, str]] = ()
) -> dict[str, Any]:
    """A table cell with bars to scale: of the cell's width, from where to where, and the colour; and marks on them.

    A mark is a place and its shape: ``line``, ``ring`` or ``dot``.

    >>> bars("25 %", [(0, 0.25, "#10508c")])["bars"]
    [{'left': '0.0', 'width': '25.0', 'fill': '#10508c'}]
    """
    drawn = [
        {"left": f"{100 * low:.1f}", "width": f"{100 * max(high - low, 0):.1f}", "fill": fill}
        for low, high, fill in parts
    ]
    return {"text": text, "bars": drawn, "marks": [{"left": f"{100 * at:.1f}", "shape": shape} for at, shape in marks]}


def spark(scores: Sequence[tuple[str, float]], most: float) -> dict[str, Any]:
    """A line over a score of each period, for a table cell: NaN where there is none, which interrupts it.

    >>> spark([("2025-H1", 4.0), ("2025-H2", 8.0)], 16)["path"]
    'M4.0 14.0L60.0 10.0'
    """
    places = [(4 + 56 * at / max(len(scores) - 1, 1), 18 - 16 * each / most) for at, (_, each) in enumerate(scores)]
    known = [each == each for _, each in scores]
    path = "".join(
        f"{'L' if at and known[at - 1] else 'M'}{x:.1f} {y:.1f}" for at, (x, y) in enumerate(places) if known[at]
    )
    told = ", ".join(f"{name} {each:.1f}" if each == each else f"{name} unrated" for name, each in scores)
    x, y = places[-1]
    return {"path": path, "x": f"{x:.1f}", "y": f"{y:.1f}" if known[-1] else "-9", "told": told}


def level_cell(name: object, matrix: Matrix, note: str = "") -> Cell:
    """A table cell with a level's name on its colour; "Unrated" where there is none."""
    for rank, level in enumerate(matrix.levels, 1):
        if level.name == name:
            drawn = {"fill": level.colour, "ink": ink_on(level.colour)}
            return {"text": level.name, **drawn, "rank": str(rank), "note": note}
    return {"text": "Unrated", "note": note, "rank": "0"}


def target(name: str) -> Cell:
    """A table cell that the page's other mentions of a risk or control lead to."""
    return {"text": name, "anchor": place_of(name)}


def jump(name: str, page: str = "") -> Cell:
    """A table cell that leads to where this page, or ``page`` beside it, tells all about a risk or control."""
    return {"text": name, "href": f"{page}#{place_of(name)}"}


def place_of(name: str) -> str:
    """The place on a page where all is told about a risk or control: its id, if that can be no other place's.

    >>> place_of("PAY-R03"), place_of("content")
    ('PAY-R03', 'at-content')
    """
    return name if re.fullmatch("[A-Z][A-Za-z0-9_.-]*", name) else f"at-{stem(name, 8)}"


def state(text: str, tone: str, note: str = "") -> Cell:
    """A table cell that says how something stands; ``tone`` is good, bad or open."""
    return {"text": text, "tone": tone, "note": note}


def due_cell(due_on: date | None, late: bool) -> Cell:
    """A table cell that says by when something is due, and whether that is past."""
    if due_on is None:
        return state("no date agreed", "open")
    return state(day(due_on), "bad", "past due") if late else day(due_on)


Place = tuple[int, int]
Box = tuple[Place, Place]


def matrix_table(
    title: str,
    matrix: Matrix,
    held: Mapping[Place, Sequence[str]],
    current: str = "",
    box: Box | None = None,
    note: str = "",
    names: Mapping[str, str] | None = None,
) -> Display:
    """The matrix as a table: cells in their levels' colours, with their names, and the risks they hold.

    ``held`` has the ids of each cell (likelihood, impact), 1-based; the risk ``current`` is marked, and ``box``, from
    one cell to another, is drawn over all cells between them. ``names`` are what a pointer on an id is told.
    """

    def told(place: Place) -> dict[str, Any]:
        ids = list(held.get(place, []))
        up = current if current in ids else ""
        ids = [each for each in ids if each != up]
        shown = ids[:_SHOWN] if len(ids) > _SHOWN + 1 else ids
        return {
            "current": up,
            "ids": [{"text": each, "name": (names or {}).get(each, "")} for each in shown],
            "more": len(ids) - len(shown),
            "edges": _edges(place, box) if box else "",
        }

    return Display("matrix", {"title": title, "note": note, **cells_of(matrix, told)})


def cells_of(matrix: Matrix, told: Callable[[Place], Mapping[str, Any]]) -> dict[str, Any]:
    """A matrix as templates draw it: its ratings, and each cell's level and colours with what else is told of it."""

    def cell(place: Place) -> dict[str, Any]:
        level = matrix.levels[matrix.grid[place[0] - 1][place[1] - 1]]
        return {"level": level.name, "fill": level.colour, "ink": ink_on(level.colour), **told(place)}

    likelihood, impact = ([*enumerate(names, 1)] for names in (matrix.likelihood, matrix.impact))
    rows = [
        {"rating": f"{row} {name}", "cells": [cell((row, column)) for column, _ in impact]}
        for row, name in reversed(likelihood)
    ]
    return {"columns": [f"{column} {name}" for column, name in impact], "rows": rows}


def matrices(title: str, summary: str, maps: Sequence[Display]) -> Display:
    """Several matrices side by side, under a sentence that says what to see."""
    return Display("matrices", {"title": title, "summary": summary, "maps": [each.as_json() for each in maps]})


def _edges(place: Place, box: Box) -> str:
    """The sides of a cell that the box's outline runs along, as names of styles; blank outside of it."""
    (low, left), (high, right) = box
    if not (low <= place[0] <= high and left <= place[1] <= right):
        return ""
    sides = {"top": place[0] == high, "bottom": place[0] == low, "left": place[1] == left, "right": place[1] == right}
    return " ".join(["in-box", *(f"box-{side}" for side, on in sides.items() if on)])


def remark(text: str) -> Display:
    """A sentence by itself, where there is nothing to show."""
    return Display("remark", {"text": text})


def facts(title: str, items: Sequence[tuple[str, str, str]], folded: bool = False) -> Display:
    """Key figures: label, value and a note that says what the value means."""
    shown = [dict(zip(("label", "value", "note"), item, strict=True)) for item in items]
    return Display("facts", {"title": title, "items": shown, "folded": folded})


def panel(title: str, figure: str, says: str, tone: str = "open", **rest: Any) -> dict[str, Any]:
    """A part of a ``brief``: a figure in large, and the sentence that goes with it; ``tone`` is good, bad or open.

    ``bars`` are labelled rows of parts with ``count``, ``text``, ``fill`` and ``ink``, and so are the columns of a
    ``trend``, which have a ``height`` in percent and say how many risks are ``outside``; ``items`` things to know with
    ``cell``, ``text`` and ``note``; ``more`` says what isn't listed, and ``rest`` is a cell that leads to it.
    """
    empty = {"picture": {}, "bars": [], "trend": [], "items": [], "rest": "", "more": ""}
    return {"title": title, "figure": figure, "says": says, "tone": tone, **empty, **rest}


def bar(label: str, counts: Mapping[str, int], matrix: Matrix) -> dict[str, Any]:
    """A row of a panel: how many risks are at each level, worst first, then the unrated ones, to scale."""
    fills = {level.name: (level.colour, ink_on(level.colour)) for level in matrix.levels}
    parts = [
        {"text": name, "count": count, "fill": fill, "ink": ink}
        for name, count in counts.items()
        if count
        for fill, ink in [fills.get(name, ("#ffffff", INK))]
    ]
    return {"label": label, "parts": parts}


def brief(title: str, panels: Sequence[Mapping[str, Any]]) -> Display:
    """What a page has to say on its first screen, in a few panels side by side."""
    return Display("brief", {"title": title, "panels": [dict(each) for each in panels]})


def heading(
    title: str,
    eyebrow: str,
    verdict: str,
    tone: str,
    lines: Sequence[str],
    classification: str = "",
    label: str = "",
    second: Mapping[str, str] | None = None,
    home: str = "",
) -> Display:
    """The top of a page: what it is about, and the verdict in one sentence; ``tone`` is good, bad or open.

    ``classification`` stands there as well, and in the margin of every printed page. A page with two verdicts says by
    ``label`` what the first is about; the ``second`` has label, verdict, tone and a note. ``home`` is
    how ``eyebrow`` begins: what the page of all units, beside this one, is called.
    """
    said = {"eyebrow": eyebrow, "label": label, "verdict": verdict, "tone": tone, "classification": classification}
    return Display(
        "heading", {"title": title, **said, "second": dict(second or {}), "lines": list(lines), "home": home}
    )


def render(shown: Mapping[str, Any]) -> str:
    """A display's HTML, with everything that came from a register escaped."""
    return _rendered(json.dumps(shown, sort_keys=True))


@lru_cache(maxsize=128)  # a notebook shows what its page shows again
def _rendered(shown: str) -> str:
    html: str = environment().get_template("displays.html").render(shown=json.loads(shown))
    return html


@cache
def stylesheet(name: str) -> str:
    """The text of one of the package's style sheets."""
    loader = environment().loader
    assert loader is not None
    source: str = loader.get_source(environment(), name)[0]
    return source


@cache
def environment() -> Any:
    """The template environment; autoescaping is on for every template."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    class ItemsFirst(Environment):
        """Displays are dicts: what they hold is looked up before what dicts can do."""

        def getattr(self, obj: Any, attribute: str) -> Any:
            return obj[attribute] if type(obj) is dict and attribute in obj else super().getattr(obj, attribute)

    made = ItemsFirst(
        loader=PackageLoader("riskcalc.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"local_link": _local_link, "css_text": _css_text, "cells": _cells, "data": _data, "room": _room}
    return made


def _local_link(target: str) -> str:
    """A page or file beside this one, or a place in this one; any other address, such as javascript:, leads nowhere."""
    return target if _LINK.fullmatch(target) else "#"


def _room(shown: Mapping[str, Any]) -> str:
    """How many columns a matrix has, and how many letters wide it is if none of its names is broken within a word."""
    ratings = " ".join(["Likelihood", *(row["rating"] for row in shown["rows"])])
    longest = [max(map(len, name.split()), default=0) for name in (ratings, *shown["columns"])]
    return f"--impacts:{len(shown['columns'])};--letters:{sum(longest) + 2 * len(longest)}"


def _data(keys: Mapping[str, str]) -> Markup:
    """Attributes that a script reads; the names are ours."""
    return Markup("".join(f' data-{name}="{escape(value)}"' for name, value in keys.items()))  # noqa: S704 - escaped


def _cells(row: Sequence[Cell], shown: Mapping[str, Any], drawn: Callable[[Cell], Markup]) -> Markup:
    """A table's row of cells, each with its heading; the first is the row's own heading, if it says anything."""
    found = ""
    for place, (column, value) in enumerate(zip(shown["columns"], row, strict=True)):
        tag, kind, label = "td", "td", f' data-label="{escape(column)}"' if column else ""
        if not place and value:
            tag, kind, label = "th", 'th scope="row"', ""
        text = escape(value.strip()) if isinstance(value, str) else drawn(value).strip()
        found += f"<{kind}{_attributes(value, column in shown['numeric'], label)}>{text}</{tag}>"
    return Markup(found)  # noqa: S704 - what came from a register is escaped


def _attributes(value: Cell, numeric: bool, label: str) -> str:
    """What a table cell's element says of it: its heading, where links lead, how it sorts, how much room it needs."""
    given = {"text": value} if isinstance(value, str) else value
    found = f' id="{escape(given["anchor"])}"{label}' if "anchor" in given else label
    longest = max(map(len, [given["text"], *given["note"].split("\n")])) if given.get("note") else len(given["text"])
    if "rank" in given and "bars" not in given:
        found += f' data-rank="{escape(given["rank"])}"'
    if "bars" in given:
        found += ' class="scaled"'
    elif numeric:
        found += ' class="number"'
    elif longest > _LONG or given.get("more"):
        found += ' class="long"'
    elif len(given["text"]) <= _SHORT:
        found += ' class="short"'
    return found


def _css_text(text: str) -> Markup:
    """Text as a quoted CSS string, in which nothing can end the string or the style sheet."""
    return Markup('"' + "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text) + '"')  # noqa: S704
