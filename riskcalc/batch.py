"""``riskcalc run``: every unit's notebook, several at a time, then the organisation's, and a manifest of it all."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, replace
from datetime import date

from riskcalc import notebooks
from riskcalc.engine import ENDINGS, Engine, Job, Outcome
from riskcalc.errors import ForkError, UsageError
from riskcalc.folder import Folder, open_folder
from riskcalc.manifest import FILE, WRONG, Entry, Manifest
from riskcalc.notebooks import Value
from riskcalc.outputs import sha256, stem
from riskcalc.register import Register, Shares, load
from riskcalc.share import pack
from riskcalc.version import __version__

ORGANISATION = "organisation"
Seen = Callable[[Entry], None]


@dataclass(frozen=True)
class Request:
    """What a run was asked for; ``units`` empty means all of them, ``shard`` every n-th of these: (number, n).

    ``timeout`` is in seconds and ``memory`` in MB, for each unit.
    """

    data_dir: str = "data"
    units: tuple[str, ...] = ()
    period: str = ""
    as_of: str = ""
    out: str = "reports"
    timeout: float = 600.0
    memory: float = 4096.0
    force: bool = False
    notebooks: str | None = None
    parameters: tuple[str, ...] = ()
    shard: tuple[int, int] | None = None


@dataclass(frozen=True)
class Book:
    """A notebook with the parameters that all its jobs have."""

    text: str
    parameters: dict[str, Value]


@dataclass(frozen=True)
class Plan:
    """A request that was found to be possible.

    ``listed`` are the units that the manifest names, ``units`` those to run, with the hash of all that each depends on
    in ``inputs``; ``shares`` cuts out of the register what each needs.
    """

    request: Request
    folder: Folder
    period: str
    listed: tuple[str, ...]
    units: tuple[str, ...]
    inputs: dict[str, str]
    shares: Shares
    assessment: Book
    portfolio: Book

    @property
    def jobs(self) -> int:
        """How many notebooks are to be run, if nothing is unchanged."""
        return len(self.units) + (self.request.shard is None)

    def job(self, unit_id: str) -> Job:
        """The job of a unit."""
        parameters = {**self.assessment.parameters, "business_unit": unit_id}
        return self._job(unit_id, Book(self.assessment.text, parameters), {"unit_id": unit_id}, unit_id)

    def whole(self, manifest: str) -> Job:
        """The job of the organisation, which reads the units' ``manifest``."""
        return self._job(ORGANISATION, Book(self.portfolio.text, {**self.portfolio.parameters, "manifest": manifest}))

    def _job(self, name: str, book: Book, expects: dict[str, str] | None = None, unit_id: str | None = None) -> Job:
        asked = self.request
        share = pack(self.shares, asked.data_dir, unit_id)
        expected = {"period": self.period, **(expects or {})}
        return Job(name, book.text, book.parameters, asked.timeout, asked.memory, expected, share)


@dataclass(frozen=True)
class Report:
    """How a run ended: the entries of the units it was asked for, the organisation's (None for a shard), its length."""

    units: tuple[Entry, ...]
    organisation: Entry | None
    folder: str
    seconds: float

    @property
    def wrong(self) -> tuple[Entry, ...]:
        """What went wrong."""
        whole = (self.organisation,) if self.organisation else ()
        return tuple(entry for entry in (*self.units, *whole) if entry.status in WRONG)

    @property
    def breaches(self) -> int:
        """Risks outside appetite in the units that have results."""
        return sum(entry.breaches or 0 for entry in self.units)


def plan(request: Request) -> Plan:
    """Check a request against the register and the notebooks before anything runs.

    Raises RegisterError or UsageError for whatever can't be run as asked.
    """
    register = load(request.data_dir)
    period = register.period(request.period).name
    as_of = _as_of(request.as_of, register, period)
    for unit_id in request.units:
        register.unit(unit_id)
    every = tuple(register.business_units["unit_id"])
    asked = tuple(dict.fromkeys(request.units)) or every
    units = asked[request.shard[0] - 1 :: request.shard[1]] if request.shard else asked
    if not every:
        raise UsageError("The register has no business units, so there is nothing to run.")
    common: dict[str, Value] = {"period": period, "data_dir": request.data_dir, "as_of": as_of}
    assessment = _book("assessment.ipynb", request, common, {"business_unit"})
    portfolio = _book("portfolio.ipynb", replace(request, parameters=()), common, {"manifest"})
    shares = Shares(register)
    constant = [sha256(assessment.text.encode()), json.dumps(assessment.parameters, sort_keys=True), __version__]
    inputs = {unit_id: _hash([shares.fingerprint(unit_id), unit_id, *constant]) for unit_id in units}
    folder = open_folder(request.out, period)
    return Plan(
        request, folder, period, units if request.shard else every, units, inputs, shares, assessment, portfolio
    )


def run(plan: Plan, executor: Executor, engine: Engine, seen: Seen, own: Engine | None = None) -> Report:
    """Run a plan's jobs on ``executor`` by ``engine``; ``seen`` is told of each unit, and last of the
    organisation, as it ends. ``own`` runs the organisation's notebook, where that should be another engine.

    A unit that goes wrong doesn't stop the others. When interrupted, what is done is kept and said in the
    manifest, which is then not ``finished``.
    """
    began, shard = time.monotonic(), plan.request.shard
    with plan.folder.alone(".lock-{}-of-{}".format(*shard) if shard else ".lock"):
        source = str(plan.shares.register.source.resolve())
        manifest = Manifest(plan.folder, plan.period, source, plan.listed, shard)
        manifest.begin(replaced=plan.request.force)
        waiting = list(_still_to_run(plan, manifest, seen))
        manifest.write()
        futures: set[Future[Entry]] = set()
        try:
            futures.update(executor.submit(_run_unit, plan, engine, unit_id) for unit_id in waiting)
            for future in as_completed(futures):
                entry = future.result()
                manifest.record(entry)
                seen(entry)
            organisation = None if shard else _run_whole(plan, own or engine)
        except BaseException:
            engine.stop()
            for future in futures:
                future.cancel()
            raise
        manifest.finish(organisation)
        if organisation:
            seen(organisation)
    units = tuple(manifest.units[unit_id] for unit_id in plan.units)
    return Report(units, organisation, str(plan.folder), time.monotonic() - began)


def _as_of(text: str, register: Register, period: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else register.period(period).last_day.isoformat()
    except ValueError:
        raise UsageError(f"--as-of is {text!r}; allowed: a date as YYYY-MM-DD.") from None


def _book(name: str, request: Request, common: dict[str, Value], set_later: set[str]) -> Book:
    path = notebooks.find(name, request.notebooks)
    further = notebooks.from_text(path, request.parameters)
    for taken in {*set_later, *common} & set(further):
        raise UsageError(f"-p {taken} can't be set: riskcalc run sets it for each unit, from its own options.")
    parameters = {**common, **further}
    notebooks.check(path, {**parameters, **dict.fromkeys(set_later, "")})
    return Book(path.read_text("utf-8"), parameters)


def _hash(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _still_to_run(plan: Plan, manifest: Manifest, seen: Seen) -> Iterator[str]:
    for unit_id in plan.units:
        kept = None if plan.request.force else manifest.unchanged(unit_id, plan.inputs[unit_id])
        if kept:
            manifest.keep(kept)
            seen(kept)
        else:
            manifest.pending(unit_id)
            yield unit_id


def _run_unit(plan: Plan, engine: Engine, unit_id: str) -> Entry:
    try:
        outcome = engine(plan.job(unit_id))
    except ForkError as reason:
        outcome = Outcome("died", 0.0, error=str(reason))
    return _stored(plan, Entry(unit_id, inputs_sha256=plan.inputs[unit_id]), stem(unit_id), outcome)


def _run_whole(plan: Plan, engine: Engine) -> Entry:
    with plan.folder.as_file(FILE) as manifest:
        outcome = engine(plan.whole(str(manifest)))
    return _stored(plan, Entry(ORGANISATION), "index", outcome)


def _stored(plan: Plan, entry: Entry, name: str, outcome: Outcome) -> Entry:
    """Put a job's files into place; what a former run left and this one doesn't is taken away, not passed off."""
    folder, whole = plan.folder, entry.unit_id == ORGANISATION
    register = plan.shares.register.fingerprint() if whole else plan.shares.fingerprint(entry.unit_id)
    entry = replace(
        entry, status=outcome.status, seconds=outcome.seconds, register_sha256=register, error=outcome.error
    )
    try:
        for ending in ENDINGS:
            if ending in outcome.files:
                folder.write(f"{name}{ending}", outcome.files[ending])
            else:
                folder.remove(f"{name}{ending}")
    except OSError as trouble:
        for ending in ENDINGS:
            folder.remove(f"{name}{ending}")
        return replace(entry, status="failed", error=f"can't write to {folder}: {trouble.strerror or trouble}")
    result = json.loads(outcome.files.get(".json", b"{}"))
    outputs = {f"{name}{ending}": sha256(content) for ending, content in outcome.files.items()}
    return replace(entry, outputs=outputs, breaches=result.get("breaches"))
