"""An executed notebook as one HTML page: no code, no network, complete without scripts.

Only the output types named here reach a page, each rendered from its data: HTML stored in a notebook is not used.
Anything else is refused: what it means would be missing, or be an object's address, which is another one each time.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any

from markupsafe import Markup
from mistune import create_markdown
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from riskcalc.assessment.scoring import LEGEND
from riskcalc.errors import PageError
from riskcalc.pages import display, line_pictures
from riskcalc.pages.display import ADDRESS, DISPLAY_MIME, PLOTLY_MIME, RESULT_MIME

_IMAGES = ("image/png", "image/jpeg")
_PLACE, _JUMP = re.compile(r' id="([^"]+)"'), re.compile(r'<a href="#([^"]+)">([^<]*)</a>')
_PLOTLY = '<script type="application/gzip" id="plotly-gzip">'
_HIDDEN = "notebook-only"  # the tag of a cell that speaks to whoever runs the notebook, not to a reader


def render_page(notebook: NotebookNode) -> str:
    """The page of an executed notebook; the same notebook gives the same bytes."""
    return "".join(page_parts(notebook))


def page_of(parts: Iterable[str | display.Display]) -> str:
    """The page of displays, and Markdown between them, that no notebook holds."""
    cells = [
        new_markdown_cell(part)
        if isinstance(part, str)
        else new_code_cell(outputs=[new_output("display_data", {DISPLAY_MIME: part.as_json()})])
        for part in parts
    ]
    return render_page(new_notebook(cells=cells))


def page_parts(notebook: NotebookNode, static: bool = False) -> tuple[str, str, str]:
    """The page in three parts, the middle one plotly's script: it is nearly all of a page, so nothing copies it.

    A ``static`` one has no scripts.
    """
    blocks = list(_blocks(notebook))
    charts = not static and any(block["kind"] == "chart" for block in blocks)
    plotly, plotly_hash = packed_plotly() if charts else ("", "")
    top = next((block for block in blocks if block["kind"] == "heading"), {"title": "riskcalc", "classification": ""})
    page: str = (
        display.environment()
        .get_template("page.html")
        .render(
            top=top,
            blocks=blocks,
            headings=[block for block in blocks if block["kind"] == "section"],
            scripts=None if static else _scripts(plotly_hash),
            legend=LEGEND if top.get("label") else {},
            css=Markup(display.stylesheet("displays.css") + display.stylesheet("page.css")),
        )
    )
    body, opens, scripts = page.partition(_PLOTLY)
    places = set(_PLACE.findall(body))
    return _JUMP.sub(lambda link: link[0] if link[1] in places else link[2], body) + opens, plotly, scripts


def _scripts(plotly: str) -> dict[str, Any]:
    """What a page carries to upgrade what is complete without it, and the hashes that let nothing else run."""
    inline = [_script("tables.js"), *([_script("loader.js")] if plotly else [])]
    hashes = [*map(_csp_hash, inline), *([plotly] if plotly else [])]
    return {"inline": [Markup(each) for each in inline], "plotly": bool(plotly), "hashes": hashes}


def warm_pages() -> None:
    """Read and compress what every page carries, for whoever renders many."""
    _scripts(packed_plotly()[1])
    display.environment().get_template("page.html")
    display.environment().get_template("displays.html")
    _plain_markdown()("*compiled* when it is first used")


def _blocks(notebook: NotebookNode) -> Iterator[dict[str, Any]]:
    """The page's blocks in order; a markdown cell that starts with a heading opens a section."""
    number = inserted = 0
    for place, cell in enumerate(notebook.cells, 1):
        tags = cell.metadata.get("tags", [])
        inserted += "injected-parameters" in tags  # papermill's cell, which isn't in the notebook that people know
        if _HIDDEN in tags:
            continue
        if cell.cell_type == "markdown":
            yield from _markdown(cell.source)
        for output in cell.get("outputs", []) if cell.cell_type == "code" else []:
            number += 1
            where = f"cell {place - inserted} ({(cell.source.strip().splitlines() or [''])[0]})"
            yield from ({**block, "caption": _caption(cell.source)} for block in _output(output, number, where))


def _caption(source: str) -> str:
    """What a cell calls its picture, in Quarto's way: a first line ``#| fig-cap: …``."""
    found = re.match(r"\s*#\|\s*fig-cap:\s*(.+)", source)
    return found[1].strip().strip("\"'") if found else ""


def _markdown(source: str) -> Iterator[dict[str, Any]]:
    first, _, rest = source.partition("\n")
    if first.startswith("## "):
        title = first[3:].strip()
        yield {"kind": "section", "title": title, "id": "".join(c if c.isalnum() else "-" for c in title.lower())}
        source = rest
    if source.strip():
        yield {"kind": "html", "html": Markup(_plain_markdown()(source))}


@cache
def _plain_markdown() -> Any:
    return create_markdown(escape=True)


def _output(output: NotebookNode, number: int, where: str) -> Iterator[dict[str, Any]]:
    if output.output_type == "stream":
        if output.name == "stdout":  # warnings name files of the run, and are for whoever runs the notebook
            yield _text(output.text, where)
    elif output.output_type == "error":
        yield _text(f"{output.ename}: {output.evalue}", where)
    else:
        yield from _display(output.data, number, where)


def _display(data: NotebookNode, number: int, where: str) -> Iterator[dict[str, Any]]:
    """A displayed output, by the first type here that it has; results for machines show nothing."""
    if DISPLAY_MIME in data:
        shown = data[DISPLAY_MIME]
        yield {
            "kind": "heading" if shown["kind"] == "heading" else "html",
            "title": shown.get("title", ""),
            "classification": shown.get("classification", ""),
            "label": shown.get("label", ""),
            "html": Markup(display.render(shown)),
        }
    elif PLOTLY_MIME in data:
        yield _chart(data[PLOTLY_MIME], number)
    elif images := [mime for mime in _IMAGES if mime in data]:
        yield {"kind": "image", "mime": images[0], "data": "".join(data[images[0]].split())}
    elif set(data) == {"text/plain"}:
        yield _text(data["text/plain"], where)
    elif RESULT_MIME not in data:
        frame = ", a data frame displayed before riskcalc.pages was imported"
        said = frame if 'class="dataframe"' in data.get("text/html", "") else ""
        raise _refused(where, data.get("text/plain") or ", ".join(data), said)


def _text(text: str, where: str) -> dict[str, Any]:
    if ADDRESS.search(text):
        raise _refused(where, text)
    return {"kind": "text", "text": text}


def _refused(where: str, seen: str, said: str = "") -> PageError:
    first = ADDRESS.sub("at an address", seen.strip().partition("\n")[0])[:60]
    return PageError(
        f"{where}: a page can't show {first!r}{said}; allowed: what riskcalc.pages makes, data frames, plotly figures, "
        f"PNG and JPEG pictures, and plain text without addresses of objects. Or tag the cell {_HIDDEN}."
    )


def _chart(figure: Any, number: int) -> dict[str, Any]:
    layout = dict(figure["layout"])
    said = (layout.pop("meta", None) or {}).get("riskcalc", {})
    title = said.get("title", "")
    if title:
        layout.pop("title", None)
        layout["margin"] = {**layout.get("margin", {}), "t": 40}
    drawn = {"data": figure["data"], "layout": layout}
    table = said.get("table")
    return {
        "kind": "chart",
        "id": f"chart-{number}",
        "title": title,
        "summary": said.get("summary", ""),
        "height": int(layout.get("height") or 450),
        "picture": Markup(display.render({"kind": "picture of lines", "drawings": line_pictures.drawn(figure)})),
        "table": Markup(display.render(table)) if table else "",
        "json": _script_json(drawn),
    }


def _script_json(value: object) -> Markup:
    """JSON that can stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@cache
def packed_plotly() -> tuple[str, str]:
    """Plotly's own script, compressed as base64, and its hash for the Content-Security-Policy."""
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs()
    packed = gzip.compress(script.encode(), compresslevel=6, mtime=0)
    return base64.b64encode(packed).decode(), _csp_hash(script)


@cache
def _script(name: str) -> str:
    return resources.files("riskcalc.pages").joinpath(f"templates/{name}").read_text("utf-8").strip()


def _csp_hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
