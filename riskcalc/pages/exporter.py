"""A page by nbconvert: ``jupyter nbconvert --to riskcalc out.ipynb``; a run does without, and without its import."""

from __future__ import annotations

from typing import Any

from nbconvert.exporters import Exporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from traitlets import default

from riskcalc.pages.html import render_page


class PageExporter(Exporter):  # type: ignore[misc]
    """Exports an executed notebook as a riskcalc page."""

    export_from_notebook = "riskcalc page"
    output_mimetype = "text/html"

    @default("file_extension")  # type: ignore[untyped-decorator]
    def _file_extension(self) -> str:
        return ".html"

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kwargs: object
    ) -> tuple[str, dict[str, Any]]:
        """The page's text, and nbconvert's resources."""
        nb_copy, used = super().from_notebook_node(nb, resources, **kwargs)
        code = [cell for cell in nb_copy.cells if cell.cell_type == "code"]
        if code and not any(cell.execution_count or cell.outputs for cell in code):
            self.log.warning("This notebook was not run, and a page shows outputs: run all cells first.")
            nb_copy.cells.insert(0, new_markdown_cell("**This notebook was not run, so that its page is empty.**"))
        return render_page(nb_copy), used
