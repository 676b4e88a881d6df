"""A job in a process of its own, with a kernel in another: ``python -m riskcalc.run.kernel_worker FOLDER RUNNER``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from riskcalc.imports import without_grammar

with without_grammar():
    from jupyter_client.manager import AsyncKernelManager
    from nbformat import NotebookNode

    from riskcalc.run.worker import main, run_papermill

from riskcalc.run.descendants import become_subreaper, end_children


def with_kernel(source: Path, target: Path, options: dict[str, Any]) -> NotebookNode:
    """Run a notebook in a kernel; they talk over a socket file in its folder, for TCP ports race in parallel starts."""
    kernel = AsyncKernelManager(
        kernel_name="python3",
        transport="ipc",
        ip=str(source.parent / "k"),
        connection_file=str(source.parent / "c.json"),
    )
    return run_papermill(source, target, options, km=kernel)


if __name__ == "__main__":
    become_subreaper()
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), with_kernel)
    finally:
        end_children()  # what the kernel has left running
