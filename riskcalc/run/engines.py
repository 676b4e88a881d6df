"""The ways of running a run's jobs: forked processes, papermill's own kernels, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from riskcalc.errors import ForkError
from riskcalc.run.processes import Engine, ForkEngine, StockEngine, available_processors


class Ways:
    """How a run's jobs are run: the executor that calls ``engine``, and ``own`` for what must run on this machine."""

    def __init__(self, own: Engine, executor: Executor, label: str, engine: Engine | None = None) -> None:
        self.own, self.executor, self.label, self._remote = own, executor, label, engine
        self.note = ""

    @property
    def engine(self) -> Engine:
        """What runs the units."""
        return self._remote or self.own

    def ready(self, must_fork: bool = False) -> None:
        """Wait until jobs can be run; where nothing can be forked, the stock engine does it, as ``note`` says.

        Raises ForkError if they must be forked and can't be.
        """
        if not isinstance(own := self.own, ForkEngine):
            return
        try:
            own.ready()
        except ForkError as reason:
            if must_fork:
                raise
            own.stop()
            self.own, self.note = StockEngine(own.most), f"Slower than it could be: {reason}."


@contextmanager
def engines(name: str = "auto", cluster: str | None = None, jobs: int | None = None) -> Iterator[Ways]:
    """The ways to run jobs on this machine, by the engine fork, stock or auto, or on a Dask cluster; for a context.

    What takes its time to get ready does so while the caller goes on; see ``Ways.ready``. Raises UsageError if the
    cluster can't be reached.
    """
    most = None if cluster else jobs or available_processors()
    own: Engine = StockEngine(most) if name == "stock" else ForkEngine(most)
    with ExitStack() as stack:
        stack.callback(own.stop)
        if cluster:
            from riskcalc.run.cluster import connected

            engine, slots = stack.enter_context(connected(cluster, name))
            executor = stack.enter_context(ThreadPoolExecutor(jobs or 2 * slots))
            ways = Ways(own, executor, f"on {slots} processors", engine)
        else:
            executor = stack.enter_context(ThreadPoolExecutor((most or 1) + 1))  # one gets ready while the others run
            ways = Ways(own, executor, f"{most} at a time")
        stack.callback(lambda: ways.own.stop())
        yield ways
