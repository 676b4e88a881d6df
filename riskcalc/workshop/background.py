"""A job beside a notebook's other work: where there is a loop to run in; elsewhere, as in tests, not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def in_background(job: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Start a job in the running loop; keep what is returned, for a task that nobody holds may vanish."""
    try:
        return asyncio.get_running_loop().create_task(job)
    except RuntimeError:
        job.close()
        return None
