"""``riskcalc run``: every unit's notebook, several at a time, then the organisation's, and a manifest of it all."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

from riskcalc import notebook_files
from riskcalc.assessment.context import Context
from riskcalc.assessment.decisions import FIGURES, standings
from riskcalc.assessment.opening import as_day
from riskcalc.errors import PrintError, RiskcalcError, UsageError
from riskcalc.files import sha256, stem
from riskcalc.notebook_files import GOOD, WENT_WRONG, Value
from riskcalc.register import audiences
from riskcalc.register.audiences import Audience
from riskcalc.register.register import load
from riskcalc.register.subsets import Subsets, pack
from riskcalc.run.manifest import Entry, Manifest, manifest_file
from riskcalc.run.output_folder import Folder, open_folder
from riskcalc.run.processes import ENDINGS, FORMATS, Engine, Job, Outcome
from riskcalc.version import __version__

ORGANISATION = "organisation"
_PRINTED = (".pdf", ".png")  # what a browser makes of a page
_OUTDATED = "its page is of an earlier register, day or notebook; run this unit again"
_EVERY = (*ENDINGS, *FORMATS, *_PRINTED)
_FEW = 500  # units; the organisation's page of more may take as many times as long, and as much memory
_MOST_TOLD = 2000  # characters of a reason that the manifest keeps
_BOOKS = dict.fromkeys(("client", "public"), ("trust_centre.ipynb", "trust_centre.ipynb"))
Seen = Callable[[Entry, str], None]
Print = Callable[[bytes, Sequence[str]], dict[str, bytes]]


@dataclass(frozen=True)
class Request:
    """What a run was asked for; ``units`` empty means all of them, ``shard`` every n-th of these: (number, n).

    ``timeout`` is in seconds and ``memory`` in MB, for each unit; for the organisation as many times as it has 500
    units, if it has more. ``formats`` are endings of files wanted besides.
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
    audiences: tuple[str, ...] = ("",)
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Book:
    """A notebook with the parameters that all its jobs have."""

    text: str
    parameters: dict[str, Value]


@dataclass(frozen=True)
class Programme:
    """What is to be done: a request that was found to be possible.

    ``listed`` are the units that the manifest names, ``units`` those to run; ``inputs`` holds, for each, the hash of
    all that its page depends on; ``shares`` cuts out of the register what each needs. The manifest goes into
    ``folder``, the pages into ``pages``: the folder of the audience, if there is one.
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

    @property
    def as_of(self) -> date:
        """The day that the period is seen from."""
        return date.fromisoformat(str(self.assessment.parameters["as_of"]))

    def figures(self, unit_id: str) -> dict[str, int]:
        """How a unit stands, for readers whose pages don't tell it: by its share, so that nobody waits for all."""
        return standings(Context.of(self.shares.of(unit_id)))[unit_id]

    def job(self, unit_id: str) -> Job:
        """The job of a unit."""
        parameters = {**self.assessment.parameters, "business_unit": unit_id}
        return self._job(unit_id, Book(self.assessment.text, parameters), {"unit_id": unit_id}, unit_id)

    def whole(self, manifest: str) -> Job:
        """The job of the organisation, which reads the units' ``manifest``; of many units it may take more of all."""
        job = self._job(ORGANISATION, Book(self.portfolio.text, {**self.portfolio.parameters, "manifest": manifest}))
        times = max(1.0, len(self.shares.register.business_units) / _FEW)
        return replace(job, timeout=job.timeout * times, memory=job.memory * times)

    def _job(self, name: str, book: Book, expects: dict[str, str] | None = None, unit_id: str | None = None) -> Job:
        asked = self.request
        share = pack(self.shares, asked.data_dir, unit_id)
        expected = {"period": self.period, **(expects or {})}
        formats = tuple(ending for ending in asked.formats if ending in FORMATS)
        return Job(name, book.text, book.parameters, asked.timeout, asked.memory, expected, share, formats)


@dataclass(frozen=True)
class Report:
    """How a run ended for an audience: the entries of the units it was asked for, the organisation's (None for a shard,
    or readers who don't get its page), where the pages are, the seconds that the run took, for all audiences, and the
    files of earlier runs that should have been removed and can't be.
    """

    units: tuple[Entry, ...]
    organisation: Entry | None
    folder: str
    seconds: float
    left: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[Entry, ...]:
        """What went wrong."""
        whole = (self.organisation,) if self.organisation else ()
        return tuple(entry for entry in (*self.units, *whole) if entry.status not in GOOD)

    @property
    def breaches(self) -> int:
        """Risks outside appetite in the units that have results."""
        return sum(entry.figures.get("breaches", 0) for entry in self.units)


def plan(request: Request) -> list[Programme]:
    """Check a request against the register, read once, and the notebooks before anything runs: a programme an audience.

    Raises RegisterError or UsageError for whatever can't be run as asked.
    """
    _check_limits(request)
    context = Context.of(load(request.data_dir, request.period), request.period, as_day(request.as_of, "--as-of"))
    shares = Subsets(context.register)
    return [_plan(request, audiences.find(name), context, shares) for name in request.audiences]


def _plan(request: Request, readers: Audience, context: Context, shares: Subsets) -> Programme:
    register, period, as_of = context.register, context.period.name, context.as_of.isoformat()
    for unit_id in request.units:
        register.unit(unit_id)
    every = tuple(register.business_units["unit_id"])
    asked = tuple(dict.fromkeys(request.units)) or every
    units = asked[request.shard[0] - 1 :: request.shard[1]] if request.shard else asked
    if not every:
        raise UsageError("The register has no business units, so there is nothing to run.")
    if not units:
        raise UsageError(
            "--shard {}/{} is of more shards than there are units: {}.".format(*request.shard or (), len(asked))
        )
    _check_names(every)
    common: dict[str, Value] = {"period": period, "data_dir": request.data_dir, "as_of": as_of}
    common |= {"audience": readers.name} if readers.name else {}
    unit_book, whole_book = _BOOKS.get(readers.name, ("assessment.ipynb", "portfolio.ipynb"))
    assessment = _book(unit_book, request, readers.name, common, {"business_unit"})
    portfolio = _book(whole_book, replace(request, parameters=()), readers.name, common, {"manifest"})
    told = [each.name for each in register.periods if each.last_day <= context.period.last_day]  # as earlier ones
    constant = [sha256(assessment.text.encode()), json.dumps(assessment.parameters, sort_keys=True), __version__, *told]
    inputs = {unit_id: _hash([shares.fingerprint(unit_id), unit_id, *constant]) for unit_id in {*every, *units}}
    folder = open_folder(request.out, period)
    return Programme(
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
    programmes: Sequence[Programme],
    executor: Executor,
    engine: Engine,
    seen: Seen,
    own: Engine | None = None,
    printer: Print | None = None,
) -> list[Report]:
    """Run the jobs of a plan on ``executor`` by ``engine``; ``seen`` is told of each unit and organisation, and of
    which audience, as they end. ``own`` runs the organisation's notebook, where that should be another engine;
    ``printer`` makes PDF and PNG of pages, where those are asked for.

    A unit that goes wrong doesn't stop the others. When interrupted, what is done is kept and said in the
    manifest, which is then not ``finished``. Nothing runs unless the folders of all audiences can be written to.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        parts = [_Part(each, stack.enter_context(_alone(each)), executor) for each in programmes]
        for part in parts:
            part.manifest.take_in(replaced=part.programme.request.force)
        unit = partial(_run_unit, engine, printer)
        whole = partial(_close, own or engine, printer)
        try:
            units = {future: part for part in parts for future in part.begin(seen, unit, whole)}
            for future in as_completed(units):
                units[future].record(future.result(), seen, whole)
            for part in parts:
                part.end(seen)
        except BaseException:
            engine.stop()
            executor.shutdown(wait=False, cancel_futures=True)
            for part in parts:
                with suppress(OSError):  # what went wrong first is told
                    part.manifest.save()
            raise
    return [part.report(time.monotonic() - began) for part in parts]


_RunUnit = Callable[[Programme, str], Entry]
_Close = Callable[["_Part"], Entry | None]


@dataclass
class _Part:
    """A programme as it runs: its manifest, how many units it waits for, and the organisation's page to come."""

    programme: Programme
    manifest: Manifest
    executor: Executor
    waiting: int = 0
    whole: Future[Entry | None] = field(default_factory=Future)

    def begin(self, seen: Seen, unit: _RunUnit, whole: _Close) -> list[Future[Entry]]:
        """Have all units run that aren't unchanged; without any, the organisation's page is next."""
        self.manifest.begin()
        _tell_outdated(self.programme, self.manifest)
        found = list(_still_to_run(self.programme, self.manifest, seen))
        self.manifest.write()
        self.waiting = len(found)
        if not found:
            self.whole = self.executor.submit(whole, self)
        return [self.executor.submit(unit, self.programme, unit_id) for unit_id in found]

    def record(self, entry: Entry, seen: Seen, whole: _Close) -> None:
        """A unit has ended; after the last of them, the organisation's page is next."""
        self.waiting -= 1
        self.manifest.record(entry)
        seen(entry, self.programme.audience.name)
        if not self.waiting:
            self.manifest.save()
            self.whole = self.executor.submit(whole, self)

    def end(self, seen: Seen) -> None:
        """Wait for the organisation's page."""
        if organisation := self.whole.result():
            seen(organisation, self.programme.audience.name)

    def report(self, seconds: float) -> Report:
        """How it ended."""
        units = tuple(self.manifest.units[unit_id] for unit_id in self.programme.units)
        return Report(units, self.whole.result(), str(self.programme.pages), seconds, tuple(self.manifest.left))


@contextmanager
def _alone(programme: Programme) -> Iterator[Manifest]:
    """The manifest of a programme that no other run writes to."""
    shard = programme.request.shard
    with programme.pages.alone(".lock-{}-of-{}".format(*shard) if shard else ".lock"):
        source = str(programme.shares.register.source.resolve())
        readers, as_of = programme.audience.name, programme.as_of.isoformat()
        yield Manifest(programme.folder, programme.period, source, programme.listed, shard, readers, as_of)


def _close(engine: Engine, printer: Print | None, part: _Part) -> Entry | None:
    """Make the organisation's page, which reads the manifest of all units, and end that."""
    organisation = _run_whole(part.programme, engine, printer) if part.programme.closes else None
    part.manifest.finish(organisation)
    return organisation


def _check_limits(request: Request) -> None:
    for name, value, unit in (("timeout", request.timeout, "seconds"), ("memory", request.memory, "MB")):
        if not 0 < value < math.inf:  # nan, too, would be no limit at all
            raise UsageError(f"--{name} is {value}; allowed: a number of {unit}.")


def _check_names(unit_ids: Sequence[str]) -> None:
    named: dict[str, str] = {}
    for unit_id in unit_ids:
        if (other := named.setdefault(stem(unit_id), unit_id)) != unit_id:
            raise UsageError(
                f"The units {other!r} and {unit_id!r} share the file name {stem(unit_id)}.html; rename one of them."
            )


def _book(name: str, request: Request, audience: str, common: dict[str, Value], set_later: set[str]) -> Book:
    path = notebook_files.find(name, request.notebooks)
    further = notebook_files.from_text(path, request.parameters)
    for taken in {*set_later, *common, "audience"} & set(further):
        raise UsageError(f"-p {taken} can't be set: riskcalc run sets it for each unit, from its own options.")
    parameters = {**common, **further}
    notebook_files.check(path, {**parameters, **dict.fromkeys(set_later, "")})
    text = path.read_text("utf-8")
    return Book(text if audience in _BOOKS else notebook_files.for_audience(text, audience), parameters)


def _hash(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _tell_outdated(programme: Programme, manifest: Manifest) -> None:
    """Tell pages that this run leaves as they are, but that another register, day or notebook made, from its own."""
    now = set(programme.units)
    for entry in [each for each in manifest.units.values() if each.unit_id not in now]:
        if entry.inputs_sha256 not in ("", programme.inputs[entry.unit_id]):
            manifest.keep(replace(entry, status="pending", error=_OUTDATED))


def _still_to_run(programme: Programme, manifest: Manifest, seen: Seen) -> Iterator[str]:
    for unit_id in programme.units:
        names = [f"{stem(unit_id)}{ending}" for ending in programme.endings]
        kept = None if programme.request.force else manifest.unchanged(unit_id, programme.inputs[unit_id], names)
        if kept:
            manifest.keep(kept)
            seen(kept, programme.audience.name)
        else:
            manifest.pending(unit_id)
            yield unit_id


def _run_unit(engine: Engine, printer: Print | None, programme: Programme, unit_id: str) -> Entry:
    entry = Entry(unit_id, inputs_sha256=programme.inputs[unit_id])
    return _run_job(programme, engine, printer, lambda: programme.job(unit_id), entry, stem(unit_id))


def _run_whole(programme: Programme, engine: Engine, printer: Print | None) -> Entry:
    with programme.folder.as_file(programme.manifest) as manifest:
        job = lambda: programme.whole(str(manifest))  # noqa: E731
        return _run_job(programme, engine, printer, job, Entry(ORGANISATION), "index")


def _run_job(
    programme: Programme, engine: Engine, printer: Print | None, job: Callable[[], Job], entry: Entry, name: str
) -> Entry:
    try:
        outcome = _checked(_printed(engine(job()), programme, printer))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this unit's, and the others go on
        told = str(error) if isinstance(error, RiskcalcError) else f"{type(error).__name__}: {error}"
        outcome = Outcome("died", 0.0, error=told)
    return _stored(programme, entry, name, outcome)


def _checked(outcome: Outcome) -> Outcome:
    """The outcome, if it is one: what notebooks and workers leave may be anything."""
    if outcome.status not in ("ok", *WENT_WRONG):
        return Outcome("died", outcome.seconds, error=f"its worker told nonsense: status {outcome.status!r}")
    try:
        _figures(outcome)
    except (ValueError, AttributeError, RecursionError) as error:
        return Outcome("failed", outcome.seconds, error=f"its results can't be read: {error}")
    return outcome


def _figures(outcome: Outcome) -> dict[str, int]:
    """How the unit stands, as far as its results say."""
    told = json.loads(outcome.files.get(".json", b"{}"))
    found = {name: told[name] for name in FIGURES if told.get(name) is not None}
    for name, number in found.items():
        if not (type(number) is int and number >= 0):
            raise ValueError(f"{name} is {str(number)[:80]!r}; allowed: a number, from 0 on")
    return found


def _printed(outcome: Outcome, programme: Programme, printer: Print | None) -> Outcome:
    """The outcome with its page printed, if that is asked for; a page that can't be is a failure."""
    wanted = [ending for ending in _PRINTED if ending in programme.request.formats]
    if printer is None or not wanted or outcome.status != "ok":
        return outcome
    try:
        printed = printer(outcome.files[".html"], wanted)
    except PrintError as reason:
        return replace(outcome, status="failed", error=f"the page {reason}")
    return replace(outcome, files={**outcome.files, **printed})


def _stored(programme: Programme, entry: Entry, name: str, outcome: Outcome) -> Entry:
    """Put a job's files into place; what a former run left and this one doesn't is taken away, not passed off."""
    shares, whole = programme.shares, entry.unit_id == ORGANISATION
    files = {ending: content for ending, content in outcome.files.items() if ending in programme.endings}
    entry = replace(
        entry,
        status=outcome.status,
        seconds=outcome.seconds,
        register_sha256=shares.register.fingerprint() if whole else shares.fingerprint(entry.unit_id),
        error=outcome.error and _told(outcome.error),
    )
    if trouble := _put(programme.pages, name, files):
        told = _told("; ".join(filter(None, [outcome.error, trouble])))
        return replace(entry, status="failed" if outcome.status == "ok" else outcome.status, error=told)
    figures = _figures(outcome)
    if not set(figures) >= {"rated", "breaches"} and outcome.status == "ok" and not whole:
        figures = programme.figures(entry.unit_id) | figures
    outputs = {f"{name}{ending}": sha256(content) for ending, content in files.items()}
    return replace(entry, outputs=outputs, figures=figures)


def _put(folder: Folder, name: str, files: dict[str, bytes]) -> str:
    """Write these files of a unit and remove its others; if that can't be done none stays, and the reason is told."""
    trouble = ""
    try:
        for ending, content in files.items():
            folder.write(f"{name}{ending}", content)
        if not _left(folder, name, set(files)):
            return ""
    except OSError as error:
        trouble = f"can't write to {folder}: {error.strerror or error}"
    left = ", ".join(_left(folder, name))
    return "; ".join(filter(None, [trouble, left and f"can't be removed, and may be out of date: {left}"]))


def _left(folder: Folder, name: str, but: Collection[str] = ()) -> list[str]:
    """Remove a unit's files with all other endings; returns those that can't be."""
    return [f"{name}{ending}" for ending in _EVERY if ending not in but and not folder.remove(f"{name}{ending}")]


def _told(reason: str) -> str:
    """A reason for the manifest, which is written and mailed whatever a notebook raises."""
    shown = reason.encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= _MOST_TOLD else shown[: _MOST_TOLD - 1] + "…"
