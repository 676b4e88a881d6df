"""What runs inside a job's own process: papermill over the notebook, then the page and the results.

Called as ``python -m riskcalc.worker FOLDER RUNNER``, the runner's process id; reads FOLDER/job.json, leaves
FOLDER/output.* and, last of all, FOLDER/outcome.json: a process that dies before leaves none, and that is how its death
is known.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError

from riskcalc.exporter import render_page
from riskcalc.views import RESULT_MIME


def main(folder: Path, runner: int) -> None:
    """Run the job described in ``folder``; end at once if the runner is killed, so that nothing runs on unseen.

    The runner is told by its id: one that was killed while this process started isn't its parent any more.
    """
    threading.Thread(target=_end_with, args=(runner,), daemon=True).start()
    job = json.loads((folder / "job.json").read_text("utf-8"))
    status, error = _run(job, folder)
    (folder / "outcome.json").write_text(json.dumps({"status": status, "error": error}), "utf-8")


def _end_with(runner: int) -> None:
    """End this process when its parent isn't the runner any more; the kernel, in turn, ends with this process."""
    while os.getppid() == runner:
        time.sleep(1)
    os._exit(1)


def _run(job: dict[str, Any], folder: Path) -> tuple[str, str | None]:
    executed = folder / "output.ipynb"
    try:
        _execute(job, executed)
    except papermill.PapermillExecutionError as error:
        return "failed", _where(executed, f"{error.ename}: {error.evalue}")
    except DeadKernelError:
        return "died", _where(executed, "the kernel died")
    notebook = nbformat.read(executed, as_version=4)
    results = [
        output.data[RESULT_MIME]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if RESULT_MIME in output.get("data", {})
    ]
    if wrong := _wrong_result(results, job["expects"]):
        return "failed", wrong
    (folder / "output.json").write_text(json.dumps(results[0], indent=1, sort_keys=True) + "\n", "utf-8")
    (folder / "output.html").write_text(render_page(notebook), "utf-8")
    return "ok", None


def _execute(job: dict[str, Any], executed: Path) -> None:
    """Run papermill between plain paths of our own: it formats the paths it is given, and writes piecemeal.

    The kernel talks over a socket file in the same short folder, since TCP ports race in parallel starts.
    """
    with tempfile.TemporaryDirectory(prefix="rc-") as short:
        source, target = Path(short, "in.ipynb"), Path(short, "out.ipynb")
        shutil.copyfile(job["notebook"], source)
        kernel = AsyncKernelManager(
            kernel_name="python3", transport="ipc", ip=str(Path(short, "k")), connection_file=str(Path(short, "c.json"))
        )
        try:
            papermill.execute_notebook(
                source, target, job["parameters"], kernel_name="python3", progress_bar=False, km=kernel
            )
        finally:
            if target.exists():
                shutil.copyfile(target, executed)


def _where(executed: Path, message: str) -> str:
    """The message with the cell that it belongs to: its number in the notebook, and its first line."""
    if not executed.exists():
        return message
    cells = [cell for cell in nbformat.read(executed, as_version=4).cells if not _inserted(cell)]
    ran = [number for number, cell in enumerate(cells, 1) if _raised(cell)] or [
        number for number, cell in enumerate(cells, 1) if cell.metadata.get("papermill", {}).get("status") == "running"
    ]
    if not ran:
        return message
    return f"cell {ran[0]} ({cells[ran[0] - 1].source.strip().splitlines()[0]}): {message}"


def _inserted(cell: Any) -> bool:
    """Whether papermill put the cell there, so that it has no number in the notebook that people know."""
    return bool({"injected-parameters", "papermill-error-cell-tag"} & set(cell.metadata.get("tags", [])))


def _raised(cell: Any) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def _wrong_result(results: list[Any], expects: dict[str, str]) -> str | None:
    """Why the notebook's result can't be what was asked for, if it can't."""
    if len(results) != 1:
        return f"the notebook displayed {len(results)} results; exactly one is expected (unit_page.result)"
    for name, value in expects.items():
        if results[0].get(name) != value:
            return f"the notebook's result is for {name} {results[0].get(name)!r}, not {value!r}"
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
