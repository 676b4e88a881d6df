"""``riskcalc run``: every unit's notebook, several at a time, then the organisation's, and a manifest of it all."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, replace
from datetime import date

from riskcalc import notebook_files
from riskcalc.errors import ForkError, PrintError, UsageError
from riskcalc.files import sha256, stem
from riskcalc.notebook_files import WENT_WRONG, Value
from riskcalc.register import audiences
from riskcalc.register.audiences import Audience
from riskcalc.register.register import Register, load
from riskcalc.register.subsets import Subsets, pack
from riskcalc.run.manifest import Entry, Manifest, manifest_file
from riskcalc.run.output_folder import Folder, open_folder
from riskcalc.run.processes import ENDINGS, FORMATS, Engine, Job, Outcome
from riskcalc.version import __version__

ORGANISATION = "organisation"
_PRINTED = (".pdf", ".png")  # what a browser makes of a page
_EVERY = (*ENDINGS, *FORMATS, *_PRINTED)
_BOOKS = {"public": ("trust_centre.ipynb", "trust_centre.ipynb")}
Seen = Callable[[Entry], None]
Print = Callable[[bytes, Sequence[str]], dict[str, bytes]]


@dataclass(frozen=True)
class Request:
    """What a run was asked for; ``units`` empty means all of them, ``shard`` every n-th of these: (number, n).

    ``timeout`` is in seconds and ``memory`` in MB, for each unit; ``formats`` are endings of files wanted besides.
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
    audience: str = ""
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Book:
    """A notebook with the parameters that all its jobs have."""

    text: str
    parameters: dict[str, Value]


@dataclass(frozen=True)
class Plan:
    """A request that was found to be possible.

    ``listed`` are the units that the manifest names, ``units`` those to run, with the hash of all that each depends on
    in ``inputs``; ``shares`` cuts out of the register what each needs. The manifest goes into ``folder``, the pages
    into ``pages``: the folder of the audience, if there is one.
    """

    request: Request
    audience: Audience
    folder: Folder
    period: str
    listed: tuple[str, ...]
    units: tuple[str, ...]
    inputs: dict[str, str]
    shares: Subsets
    assessment: Book
    portfolio: Book

    @property
    def pages(self) -> Folder:
        """Where the pages go."""
        return self.folder.within(self.audience.name) if self.audience.name else self.folder

    @property
    def manifest(self) -> str:
        """The name of the manifest in ``folder``."""
        return manifest_file(self.audience.name, self.request.shard)

    @property
    def endings(self) -> tuple[str, ...]:
        """Of the files that each unit leaves; an audience gets neither notebooks nor results."""
        return (*((".html",) if self.audience.name else ENDINGS), *self.request.formats)

    @property
    def closes(self) -> bool:
        """Whether the run makes the organisation's page."""
        return self.request.shard is None and self.audience.whole

    @property
    def jobs(self) -> int:
        """How many notebooks are to be run, if nothing is unchanged."""
        return len(self.units) + self.closes

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
        formats = tuple(ending for ending in asked.formats if ending in FORMATS)
        return Job(name, book.text, book.parameters, asked.timeout, asked.memory, expected, share, formats)


@dataclass(frozen=True)
class Report:
    """How a run ended: the entries of the units it was asked for, the organisation's (None for a shard, or an audience
    that doesn't get its page), where the pages are, and its length in seconds.
    """

    units: tuple[Entry, ...]
    organisation: Entry | None
    folder: str
    seconds: float

    @property
    def wrong(self) -> tuple[Entry, ...]:
        """What went wrong."""
        whole = (self.organisation,) if self.organisation else ()
        return tuple(entry for entry in (*self.units, *whole) if entry.status in WENT_WRONG)

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
    readers = audiences.find(request.audience)
    common |= {"audience": readers.name} if readers.name and readers.name not in _BOOKS else {}
    unit_book, whole_book = _BOOKS.get(readers.name, ("assessment.ipynb", "portfolio.ipynb"))
    assessment = _book(unit_book, request, common, {"business_unit"})
    portfolio = _book(whole_book, replace(request, parameters=()), common, {"manifest"})
    shares = Subsets(register)
    constant = [sha256(assessment.text.encode()), json.dumps(assessment.parameters, sort_keys=True), __version__]
    inputs = {unit_id: _hash([shares.fingerprint(unit_id), unit_id, *constant]) for unit_id in units}
    folder = open_folder(request.out, period)
    return Plan(
        request,
        readers,
        folder,
        period,
        units if request.shard else every,
        units,
        inputs,
        shares,
        assessment,
        portfolio,
    )


def run(
    plan: Plan,
    executor: Executor,
    engine: Engine,
    seen: Seen,
    own: Engine | None = None,
    printer: Print | None = None,
) -> Report:
    """Run a plan's jobs on ``executor`` by ``engine``; ``seen`` is told of each unit, and last of the
    organisation, as it ends. ``own`` runs the organisation's notebook, where that should be another engine;
    ``printer`` makes PDF and PNG of pages, where those are asked for.

    A unit that goes wrong doesn't stop the others. When interrupted, what is done is kept and said in the
    manifest, which is then not ``finished``.
    """
    began, shard = time.monotonic(), plan.request.shard
    with plan.pages.alone(".lock-{}-of-{}".format(*shard) if shard else ".lock"):
        source = str(plan.shares.register.source.resolve())
        manifest = Manifest(plan.folder, plan.period, source, plan.listed, shard, plan.audience.name)
        manifest.begin(replaced=plan.request.force)
        waiting = list(_still_to_run(plan, manifest, seen))
        manifest.write()
        futures: set[Future[Entry]] = set()
        try:
            futures.update(executor.submit(_run_unit, plan, engine, printer, unit_id) for unit_id in waiting)
            for future in as_completed(futures):
                entry = future.result()
                manifest.record(entry)
                seen(entry)
            organisation = _run_whole(plan, own or engine, printer) if plan.closes else None
        except BaseException:
            engine.stop()
            for future in futures:
                future.cancel()
            raise
        manifest.finish(organisation)
        if organisation:
            seen(organisation)
    units = tuple(manifest.units[unit_id] for unit_id in plan.units)
    return Report(units, organisation, str(plan.pages), time.monotonic() - began)


def _as_of(text: str, register: Register, period: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else register.period(period).as_of.isoformat()
    except ValueError:
        raise UsageError(f"--as-of is {text!r}; allowed: a date as YYYY-MM-DD.") from None


def _book(name: str, request: Request, common: dict[str, Value], set_later: set[str]) -> Book:
    path = notebook_files.find(name, request.notebooks)
    further = notebook_files.from_text(path, request.parameters)
    for taken in {*set_later, *common} & set(further):
        raise UsageError(f"-p {taken} can't be set: riskcalc run sets it for each unit, from its own options.")
    parameters = {**common, **further}
    notebook_files.check(path, {**parameters, **dict.fromkeys(set_later, "")})
    text = path.read_text("utf-8")
    return Book(text if request.audience in _BOOKS else notebook_files.for_audience(text, request.audience), parameters)


def _hash(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _still_to_run(plan: Plan, manifest: Manifest, seen: Seen) -> Iterator[str]:
    for unit_id in plan.units:
        names = [f"{stem(unit_id)}{ending}" for ending in plan.endings]
        kept = None if plan.request.force else manifest.unchanged(unit_id, plan.inputs[unit_id], names)
        if kept:
            manifest.keep(kept)
            seen(kept)
        else:
            manifest.pending(unit_id)
            yield unit_id


def _run_unit(plan: Plan, engine: Engine, printer: Print | None, unit_id: str) -> Entry:
    try:
        outcome = _printed(engine(plan.job(unit_id)), plan, printer)
    except ForkError as reason:
        outcome = Outcome("died", 0.0, error=str(reason))
    return _stored(plan, Entry(unit_id, inputs_sha256=plan.inputs[unit_id]), stem(unit_id), outcome)


def _run_whole(plan: Plan, engine: Engine, printer: Print | None) -> Entry:
    with plan.folder.as_file(plan.manifest) as manifest:
        outcome = _printed(engine(plan.whole(str(manifest))), plan, printer)
    return _stored(plan, Entry(ORGANISATION), "index", outcome)


def _printed(outcome: Outcome, plan: Plan, printer: Print | None) -> Outcome:
    """The outcome with its page printed, if that is asked for; a page that can't be is a failure."""
    wanted = [ending for ending in _PRINTED if ending in plan.request.formats]
    if printer is None or not wanted or outcome.status != "ok":
        return outcome
    try:
        printed = printer(outcome.files[".html"], wanted)
    except PrintError as reason:
        return replace(outcome, status="failed", error=f"the page {reason}")
    return replace(outcome, files={**outcome.files, **printed})


def _stored(plan: Plan, entry: Entry, name: str, outcome: Outcome) -> Entry:
    """Put a job's files into place; what a former run left and this one doesn't is taken away, not passed off."""
    folder, whole = plan.pages, entry.unit_id == ORGANISATION
    register = plan.shares.register.fingerprint() if whole else plan.shares.fingerprint(entry.unit_id)
    entry = replace(
        entry, status=outcome.status, seconds=outcome.seconds, register_sha256=register, error=outcome.error
    )
    files = {ending: content for ending, content in outcome.files.items() if ending in plan.endings}
    try:
        for ending in _EVERY:
            if ending in files:
                folder.write(f"{name}{ending}", files[ending])
            else:
                folder.remove(f"{name}{ending}")
    except OSError as trouble:
        for ending in _EVERY:
            folder.remove(f"{name}{ending}")
        return replace(entry, status="failed", error=f"can't write to {folder}: {trouble.strerror or trouble}")
    result = json.loads(outcome.files.get(".json", b"{}"))
    outputs = {f"{name}{ending}": sha256(content) for ending, content in files.items()}
    return replace(entry, outputs=outputs, breaches=result.get("breaches"))
