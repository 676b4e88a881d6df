"""The documentation site. `make docs` gathers its pages in .docs/source and builds them, offline."""

import json
from pathlib import Path

import click
import plotly.io
from plotly.offline import get_plotlyjs

from riskcalc.version import __version__

BUILD = Path(__file__).parent.parent / ".docs"

project, author, release = "riskcalc", "riskcalc developers", __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # `make docs` has run them
nb_mime_priority_overrides = [("html", "text/html", 0)]
# What JupyterLab alone shows, and blocks of CSV, which nothing colours.
suppress_warnings = ["mystnb.unknown_mime_type", "misc.highlighting_failure"]
smartquotes = False  # quotes and dashes are typed as they stand
html_theme = "furo"
html_title = f"riskcalc {release}"
html_extra_path = [str(BUILD / "sample")]
html_static_path = [str(BUILD / "static")]
html_copy_source = False
add_module_names = False


def _with_charts(book: dict) -> dict:
    """The notebook with each plotly chart as HTML, too, which is what Sphinx can show; without widgets."""
    book["metadata"].pop("widgets", None)
    for cell in book["cells"]:
        shown = cell.get("outputs", [])
        shown[:] = [each for each in shown if "application/vnd.jupyter.widget-view+json" not in each.get("data", {})]
    outputs = [output for cell in book["cells"] for output in cell.get("outputs", [])]
    script: str | bool = "../_static/plotly.min.js"
    for data in [output["data"] for output in outputs if "data" in output]:
        if chart := data.get("application/vnd.plotly.v1+json"):
            chart = {name: chart[name] for name in ("data", "layout")}
            data["text/html"] = plotly.io.to_html(chart, include_plotlyjs=script, full_html=False, validate=False)
            script = False  # once a page is enough
    return book


def _gather() -> None:
    """Put the notebooks that were run beside the pages, and plotly's script where they find it."""
    (BUILD / "static").mkdir(exist_ok=True)
    (BUILD / "static" / "plotly.min.js").write_text(get_plotlyjs(), "utf-8")
    for source in sorted(BUILD.glob("books/*.ipynb")):
        book = _with_charts(json.loads(source.read_text("utf-8")))
        (BUILD / "source" / "notebooks" / source.name).write_text(json.dumps(book), "utf-8")


def _inside(_app: object, _page: str, source: list[str]) -> None:
    """Links between files of the checkout, as links between pages of the site."""
    source[0] = source[0].replace("](../", "](").replace("](docs/", "](")


def _as_typed(_app: object, context: click.Context, lines: list[str]) -> None:
    """Examples of commands as blocks; the program's own says where the guides lie, which here is the site."""
    group = isinstance(context.command, click.Group)
    lines[:] = [] if group else ["::", "", *(f"    {line.strip()}" for line in lines if line.strip()), ""]


def setup(app) -> None:
    """Called by Sphinx."""
    _gather()
    app.connect("source-read", _inside)
    app.connect("sphinx-click-process-epilog", _as_typed)
