"""What runs inside a job's own process: papermill over the notebook, then the page and the results.

``main`` is called with a folder that holds the job; it leaves output.* and, last of all, outcome.json there: a process
that dies before leaves none, and that is how its death is known.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
import pandas
import papermill
import plotly.graph_objects
from nbclient.exceptions import DeadKernelError
from papermill.engines import papermill_engines

from riskcalc.assessment.annual_loss import warm_losses
from riskcalc.errors import PageError
from riskcalc.pages.charts import TEMPLATE, as_chart
from riskcalc.pages.display import RESULT_MIME
from riskcalc.pages.html import packed_plotly, page_parts, warm_pages
from riskcalc.register.subsets import HANDED
from riskcalc.run.cells import InPlace, new_shell
from riskcalc.run.descendants import end_children

papermill_engines.register("riskcalc in place", InPlace)

# What the notebooks import, and what of their libraries is imported only when it is used.
_WARM = (
    "riskcalc.pages.chapters",
    "riskcalc.pages.trust_centre",
    "IPython.core.logger",
    "plotly.io",
    "bdb",
)

_MOST = 500  # characters of an error that are told

Execute = Callable[[Path, Path, dict[str, Any]], Any]


def warm_up() -> None:
    """Do now what every job would do first: the forkserver calls it, its children have it."""
    for module in _WARM:
        import_module(module)
    with ThreadPoolExecutor(1) as beside:  # compressing keeps no other thread from computing; none is left after it
        beside.submit(packed_plotly)
        warm_losses()
        new_shell()
        nbformat.validate(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("")]))
        _warm_charts()
    warm_pages()


def _warm_charts() -> None:
    thin = {"color": "black", "width": 1}
    marked = {"marker": {"color": "black", "line": thin}, "textfont": {"size": 1}, "line": thin}
    figure = plotly.graph_objects.Figure({"type": "scatter", "x": pandas.Series([0]), **marked})
    figure.add_heatmap(z=[[0]], colorscale=[[0, "black"], [1, "white"]])
    figure.update_xaxes(title={"text": "x"}, tickfont={"size": 1}).update_yaxes(title={"text": "y"})
    figure.update_layout(template=TEMPLATE, showlegend=False, title={"text": "x", "subtitle": {"text": "y"}})
    figure.add_vline(0, line=thin, annotation={"text": "0", "font": {"size": 1}})
    as_chart(figure)._repr_mimebundle_()


def forked(folder: Path) -> None:
    """Run the job in ``folder`` inside this very process, a child of the forkserver."""
    main(folder, os.getppid(), lambda *job: run_papermill(*job, engine_name="riskcalc in place"))


def main(folder: Path, runner: int, execute: Execute) -> None:
    """Run the job described in ``folder``; end at once if the runner is killed, so that nothing runs on unseen.

    The runner is told by its id: one that was killed while this process started isn't its parent any more.
    """
    threading.Thread(target=_end_with, args=(runner,), daemon=True).start()
    job = json.loads((folder / "job.json").read_text("utf-8"))
    if (folder / "share").exists():
        os.environ[HANDED] = str(folder / "share")
    status, error = _run(job, folder, execute)
    told = {"status": status, "error": error and error[:_MOST]}
    (folder / "outcome.json").write_text(json.dumps(told), "utf-8")


def run_papermill(source: Path, target: Path, options: dict[str, Any], **engine: Any) -> Any:
    """The notebook that papermill has run, as every job has it; ``engine`` are what the engine takes besides."""
    return papermill.execute_notebook(
        source,
        target,
        kernel_name="python3",
        language="python",
        progress_bar=False,
        request_save_on_cell_execute=False,
        **options,
        **engine,
    )


def _end_with(runner: int) -> None:
    """End this process and all below it when its parent isn't the runner any more."""
    while os.getppid() == runner:
        time.sleep(1)
    end_children()
    os._exit(1)


def _run(job: dict[str, Any], folder: Path, execute: Execute) -> tuple[str, str | None]:
    at = _At(folder / "cell")
    try:
        notebook = execute(
            folder / "in.ipynb", folder / "output.ipynb", {"parameters": job["parameters"], "on_cell_execute": at}
        )
    except papermill.PapermillExecutionError as error:
        return "failed", f"{at}: {error.ename}: {error.evalue}"
    except DeadKernelError:
        return "died", f"{at}: the kernel died"
    results = [
        output.data[RESULT_MIME]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if RESULT_MIME in output.get("data", {})
    ]
    if wrong := _wrong_result(results, job["expects"]):
        return "failed", wrong
    (folder / "output.json").write_text(json.dumps(results[0], indent=1, sort_keys=True) + "\n", "utf-8")
    try:
        _make(notebook, folder, job["formats"])
    except PageError as error:
        return "failed", str(error)[:_MOST]
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this unit's, and is told as its reason
        return "failed", f"its page can't be made: {type(error).__name__}: {str(error)[:_MOST]}"
    return "ok", None


def _make(notebook: Any, folder: Path, formats: list[str]) -> None:
    """The page of an executed notebook, and what else was asked for."""
    for ending in (".html", *([".static.html"] if ".static.html" in formats else [])):
        with open(folder / f"output{ending}", "wb") as file:
            file.writelines(part.encode() for part in page_parts(notebook, ending != ".html"))
    if ".pptx" in formats:
        from riskcalc.pages.slides import render_slides

        (folder / "output.pptx").write_bytes(render_slides(notebook))


class _At:
    """Which cell runs, by its number in the notebook that people know and its first line; kept in a file as well."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT)
        self._inserted, self._text = 0, "before the first cell"

    def __call__(self, cell: Any, cell_index: int) -> None:
        """A cell begins: nbclient's ``on_cell_execute``."""
        if "injected-parameters" in cell.metadata.get("tags", []):
            self._inserted += 1
        number = cell_index + 1 - self._inserted
        self._text = f"cell {number} ({cell.source.strip().splitlines()[0]})"
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, self._text.encode(), 0)

    def __str__(self) -> str:
        return self._text


def _wrong_result(results: list[Any], expects: dict[str, str]) -> str | None:
    """Why the notebook's result can't be what was asked for, if it can't."""
    if len(results) != 1:
        return f"the notebook displayed {len(results)} results; exactly one is expected (riskcalc.pages.unit.result)"
    if not isinstance(results[0], dict):
        return f"the notebook's result is no table of values but {str(results[0])[:80]}"
    for name, value in expects.items():
        if results[0].get(name) != value:
            return f"the notebook's result is for {name} {results[0].get(name)!r}, not {value!r}"
    return None
