"""``riskcalc run``: every unit's notebook, several at a time, then the organisation's, and a manifest of it all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from filelock import FileLock, Timeout

from riskcalc import notebooks
from riskcalc.engine import Engine, Job, Outcome
from riskcalc.errors import UsageError
from riskcalc.manifest import WRONG, Entry, Manifest
from riskcalc.notebooks import Value
from riskcalc.outputs import sha256, stem
from riskcalc.register import Register, load
from riskcalc.version import __version__

Seen = Callable[[Entry], None]


@dataclass(frozen=True)
class Request:
    """What a run was asked for; ``units`` empty means all of them."""

    data_dir: str = "data"
    units: tuple[str, ...] = ()
    period: str = ""
    as_of: str = ""
    out: Path = Path("reports")
    timeout: float = 600.0
    force: bool = False
    notebooks: str | None = None
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A request that was found to be possible: the jobs, the hashes of their inputs, and where it all goes.

    ``inputs`` is the hash of all that a unit depends on, ``prints`` the fingerprint of its share of the register,
    ``source`` the folder of the register.
    """

    folder: Path
    period: str
    unit_ids: tuple[str, ...]
    jobs: tuple[Job, ...]
    inputs: dict[str, str]
    prints: dict[str, str]
    source: str
    portfolio: Job
    force: bool


@dataclass(frozen=True)
class Report:
    """How a run ended: the entries of the units it was asked for, the organisation's, and its breaches."""

    units: tuple[Entry, ...]
    organisation: Entry
    index: Path
    breaches: int = 0
    wrong: tuple[Entry, ...] = field(default=())


def plan(request: Request) -> Plan:
    """Check a request against the register and the notebooks before anything runs.

    Raises RegisterError or UsageError for whatever can't be run as asked.
    """
    register = load(request.data_dir)
    period = register.period(request.period).name
    as_of = _as_of(request.as_of, register, period)
    units = tuple(dict.fromkeys(request.units)) or tuple(register.business_units["unit_id"])
    for unit_id in units:
        register.unit(unit_id)
    if not units:
        raise UsageError("The register has no business units, so there is nothing to run.")
    assessment = notebooks.find("assessment.ipynb", request.notebooks)
    portfolio = notebooks.find("portfolio.ipynb", request.notebooks)
    common: dict[str, Value] = {"period": period, "data_dir": request.data_dir, "as_of": as_of}
    further = notebooks.from_text(assessment, request.parameters)
    for name in {"business_unit", *common} & set(further):
        raise UsageError(f"-p {name} can't be set: riskcalc run sets it for each unit, from its own options.")
    folder = request.out / period
    jobs = tuple(
        _job(
            unit_id, assessment, {**common, **further, "business_unit": unit_id}, folder, stem(unit_id), request.timeout
        )
        for unit_id in units
    )
    whole = _job(
        "organisation",
        portfolio,
        {**common, "manifest": str(folder / "manifest.json")},
        folder,
        "index",
        request.timeout,
    )
    prints = {unit_id: register.only(unit_id).fingerprint() for unit_id in units}
    inputs = {job.unit_id: _inputs(prints[job.unit_id], job) for job in jobs}
    every, source = tuple(register.business_units["unit_id"]), str(register.source.resolve())
    return Plan(
        folder, period, every, jobs, inputs, {**prints, "": register.fingerprint()}, source, whole, request.force
    )


def run(plan: Plan, executor: Executor, engine: Engine, seen: Seen) -> Report:
    """Run a plan's jobs on ``executor`` by ``engine``; ``seen`` is told of each unit, and last of the
    organisation, as it ends.

    A unit that goes wrong doesn't stop the others. When interrupted, what is done is kept and said in the
    manifest, which is then not ``finished``.
    """
    with _alone_in(plan.folder):
        manifest = Manifest.begin(plan.folder, plan.period, plan.source, plan.unit_ids, replace=plan.force)
        waiting = list(_still_to_run(plan, manifest, seen))
        manifest.write()
        futures: dict[Future[Outcome], Job] = {executor.submit(engine, job): job for job in waiting}
        try:
            for future in as_completed(futures):
                job = futures[future]
                entry = _entry(plan, job, future.result())
                manifest.record(entry)
                seen(entry)
            whole = _entry(plan, plan.portfolio, engine(plan.portfolio))
        except BaseException:
            engine.stop()
            for future in futures:
                future.cancel()
            raise
        manifest.organisation, manifest.finished = whole, True
        manifest.write()
        seen(whole)
    return _report(plan, manifest)


def _as_of(text: str, register: Register, period: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else register.period(period).last_day.isoformat()
    except ValueError:
        raise UsageError(f"--as-of is {text!r}; allowed: a date as YYYY-MM-DD.") from None


def _job(unit_id: str, notebook: Path, parameters: dict[str, Value], folder: Path, stem: str, timeout: float) -> Job:
    notebooks.check(notebook, parameters)
    expects = {"period": str(parameters["period"])}
    if "business_unit" in parameters:
        expects["unit_id"] = unit_id
    return Job(unit_id, str(notebook), parameters, str(folder), stem, timeout, expects)


def _inputs(fingerprint: str, job: Job) -> str:
    """The hash of all that a unit's outputs depend on."""
    parts = [
        fingerprint,
        sha256(Path(job.notebook)),
        json.dumps(job.parameters, sort_keys=True),
        __version__,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _still_to_run(plan: Plan, manifest: Manifest, seen: Seen) -> Iterator[Job]:
    for job in plan.jobs:
        kept = None if plan.force else manifest.unchanged(job.unit_id, plan.inputs[job.unit_id])
        if kept:
            manifest.units[job.unit_id] = kept
            seen(kept)
        else:
            manifest.pending(job.unit_id)
            yield job


def _entry(plan: Plan, job: Job, outcome: Outcome) -> Entry:
    files = {name: sha256(plan.folder / name) for name in outcome.files}
    hashes = plan.inputs.get(job.unit_id, ""), plan.prints["" if job is plan.portfolio else job.unit_id]
    return Entry(job.unit_id, outcome.status, outcome.seconds, *hashes, files, outcome.error)


def _report(plan: Plan, manifest: Manifest) -> Report:
    units = tuple(manifest.units[job.unit_id] for job in plan.jobs)
    breaches = sum(_breaches(plan.folder / f"{job.stem}.json") for job in plan.jobs)
    wrong = tuple(entry for entry in (*units, manifest.organisation) if entry.status in WRONG)
    return Report(units, replace(manifest.organisation), plan.folder / "index.html", breaches, wrong)


def _breaches(result: Path) -> int:
    return int(json.loads(result.read_text("utf-8"))["breaches"]) if result.is_file() else 0


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder for one run; what a killed run left half done is cleared away."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            for left in folder.glob(".work-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
    except Timeout:
        raise UsageError(f"Another run is writing to {folder}; wait for it, or choose another --out.") from None
    except (NotADirectoryError, FileExistsError, PermissionError) as error:
        raise UsageError(f"{folder} can't be written to: {error.strerror}.") from None
