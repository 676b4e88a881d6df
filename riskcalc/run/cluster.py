"""Units run on a Dask cluster: a worker takes a job with all that it needs, and sends the unit's files back.

Workers need riskcalc installed and nothing else: neither the register nor the notebooks nor a shared folder. What goes
over the wire are pickles, which are code to whoever reads them: scheduler, workers and this machine trust each other.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager, suppress
from typing import Any

from riskcalc.errors import UsageError
from riskcalc.run.processes import Engine, Job, Outcome, on_this_machine

_PATIENCE = 10.0  # seconds for a scheduler to answer
_ALONE = 60.0  # seconds that a cluster may be without workers: new ones may be on their way
_LOOK = 2.0  # seconds between two looks whether there are any

_engines: dict[str, Engine] = {}  # of this worker, one for each run that sends it jobs
_one_at_a_time = threading.Lock()


class RemoteEngine:
    """Sends jobs through an executor to where ``_run_there`` runs them; any ``concurrent.futures.Executor`` will do."""

    def __init__(self, executor: Executor, engine: str = "auto", wrong: Callable[[], str] = str) -> None:
        """``wrong`` tells why no outcome will come any more; nothing as long as one may."""
        self._executor, self._engine, self._stopped, self._wrong = executor, engine, False, wrong
        self.run_id = uuid.uuid4().hex

    def __call__(self, job: Job) -> Outcome:
        """Run a job on the cluster; should its worker die, on another one, until it has killed too many of them."""
        if self._stopped:
            return Outcome("died", 0.0, error="stopped before it began")
        try:
            future = self._executor.submit(_run_there, job, self.run_id, self._engine)
            while True:
                try:
                    return future.result(_LOOK)
                except TimeoutError:
                    if wrong := self._wrong():
                        future.cancel()
                        return Outcome("died", 0.0, error=wrong)
        except (Exception, CancelledError) as error:  # noqa: BLE001 - the cluster's own, whatever they are
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
        raise UsageError("--executor dask:// needs Dask: pip install 'riskcalc-workbook[dask]'.") from None
    try:
        client = Client(f"tcp://{place}", timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, OverflowError, AssertionError) as error:  # the last two: a port of 99999, [::1
        raise UsageError(f"No Dask scheduler answers at {place}: {error}") from None
    try:
        slots = sum(client.nthreads().values())
        if not slots:
            raise UsageError(f"The Dask cluster at {place} has no workers.")
        found = RemoteEngine(client.get_executor(retries=0), engine, _Health(client, place).wrong)
        try:
            yield found, slots
        finally:
            found.stop()
            with suppress(Exception):  # a cluster that is gone has closed itself
                client.run(_close_there, found.run_id, on_error="ignore")
    finally:
        with suppress(Exception):
            client.close(timeout=_PATIENCE)


class _Health:
    """Whether a cluster still answers and has workers; asked from many threads."""

    def __init__(self, client: Any, place: str) -> None:
        self._client, self._place, self._seen = client, place, time.monotonic()

    def wrong(self) -> str:
        """What is wrong with it, if that has lasted; else nothing."""
        if self._client.status == "closed":
            return f"the Dask scheduler at {self._place} has ended"
        with suppress(Exception):  # it doesn't answer now; it may again
            if self._client.status == "running" and self._client.nthreads():
                self._seen = time.monotonic()
        if time.monotonic() - self._seen < _ALONE:
            return ""
        return f"the Dask cluster at {self._place} has had no workers for {_ALONE:.0f} s"


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
