"""Units run on a Dask cluster: a worker takes a job with all that it needs, and sends the unit's files back.

Workers need riskcalc installed and nothing else: neither the register nor the notebooks nor a shared folder.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from riskcalc.errors import UsageError
from riskcalc.run.processes import Engine, Job, Outcome, on_this_machine

_PATIENCE = "10s"  # for a scheduler to answer

_engines: dict[str, Engine] = {}  # of this worker, one for each run that sends it jobs
_one_at_a_time = threading.Lock()


class RemoteEngine:
    """Sends jobs through an executor to where ``_run_there`` runs them; any ``concurrent.futures.Executor`` will do."""

    def __init__(self, executor: Executor, engine: str = "auto") -> None:
        self._executor, self._engine, self._stopped = executor, engine, False
        self.run_id = uuid.uuid4().hex

    def __call__(self, job: Job) -> Outcome:
        """Run a job on the cluster; should its worker die, on another one, until it has killed too many of them."""
        if self._stopped:
            return Outcome("died", 0.0, error="stopped before it began")
        try:
            return self._executor.submit(_run_there, job, self.run_id, self._engine).result()
        except Exception as error:  # noqa: BLE001 - the cluster's own, whatever they are
            return Outcome("died", 0.0, error=f"the cluster: {type(error).__name__}: {error}")

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True


@contextmanager
def connected(address: str, engine: str = "auto") -> Iterator[tuple[RemoteEngine, int]]:
    """An engine on the Dask cluster whose scheduler is at ``dask://HOST:PORT``, and the processors it has.

    Raises UsageError if it isn't that, Dask isn't installed, nobody answers, or the cluster has no workers.
    """
    scheme, _, place = address.partition("://")
    if scheme != "dask" or not place:
        raise UsageError(f"--executor is {address!r}; allowed: dask://HOST:PORT, the address of a Dask scheduler.")
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--executor dask:// needs Dask: pip install 'riskcalc[dask]'.") from None
    try:
        client = Client(f"tcp://{place}", timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"No Dask scheduler answers at {place}: {error}") from None
    with client:
        slots = sum(client.nthreads().values())
        if not slots:
            raise UsageError(f"The Dask cluster at {place} has no workers.")
        found = RemoteEngine(client.get_executor(retries=0), engine)
        try:
            yield found, slots
        finally:
            found.stop()
            client.run(_close_there, found.run_id, on_error="ignore")


def _run_there(job: Job, run_id: str, engine: str) -> Outcome:
    """Run a job in a process of its own on this worker."""
    with _one_at_a_time:
        if run_id not in _engines:
            _engines[run_id] = on_this_machine(engine)
    return _engines[run_id](job)


def _close_there(run_id: str) -> None:
    """A run has ended: so do its processes on this worker."""
    with _one_at_a_time:
        engine = _engines.pop(run_id, None)
    if engine:
        engine.stop()
