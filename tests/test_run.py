"""`riskcalc run`: what it leaves behind, and that it never reports a success that wasn't."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from register_files import replace_in, write_register

import riskcalc
from riskcalc import batch, unit_page
from riskcalc.assessment import open_unit
from riskcalc.engine import Job, Outcome, StockEngine
from riskcalc.errors import UsageError
from riskcalc.manifest import Entry

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"


class FakeEngine:
    """Writes a page and results at once; ends a unit as ``ends`` says."""

    def __init__(self, ends: dict[str, str] | None = None) -> None:
        self.ends, self.ran, self.stopped = ends or {}, [], False

    def __call__(self, job: Job) -> Outcome:
        self.ran.append(job.unit_id)
        status = self.ends.get(job.unit_id, "ok")
        if status == "interrupt":
            raise KeyboardInterrupt
        if status != "ok":
            return Outcome(status, 0.1, (), f"{job.unit_id} went wrong")
        Path(job.folder, f"{job.stem}.html").write_text(f"page of {job.unit_id}")
        Path(job.folder, f"{job.stem}.json").write_text(json.dumps({"breaches": 1}))
        return Outcome("ok", 0.1, (f"{job.stem}.html", f"{job.stem}.json"))

    def stop(self) -> None:
        self.stopped = True


def request(small: Path, tmp_path: Path, **changes: Any) -> batch.Request:
    return batch.Request(**{"data_dir": str(small), "out": tmp_path / "out", "notebooks": str(NOTEBOOKS), **changes})


def run(asked: batch.Request, engine: FakeEngine) -> batch.Report:
    seen: list[Entry] = []
    with ThreadPoolExecutor(2) as executor:
        report = batch.run(batch.plan(asked), executor, engine, seen.append)
    assert sorted(entry.unit_id for entry in seen) == sorted(
        entry.unit_id for entry in (*report.units, report.organisation)
    )
    return report


def manifest(tmp_path: Path) -> dict[str, Any]:
    return json.loads((tmp_path / "out/2026-H1/manifest.json").read_text("utf-8"))


def statuses(tmp_path: Path) -> dict[str, str]:
    return {unit["unit_id"]: unit["status"] for unit in manifest(tmp_path)["units"]}


def test_the_manifest_lists_every_unit_with_the_hashes_of_its_files(small: Path, tmp_path: Path) -> None:
    """What the manifest says of a file can be checked against the file."""
    run(request(small, tmp_path), FakeEngine())
    content = manifest(tmp_path)
    assert content["period"] == "2026-H1"
    assert content["finished"] is True
    assert [unit["unit_id"] for unit in content["units"]] == ["alpha", "beta"]
    for unit in [*content["units"], content["organisation"]]:
        assert unit["status"] == "ok"
        for name, digest in unit["outputs"].items():
            assert hashlib.sha256((tmp_path / "out/2026-H1" / name).read_bytes()).hexdigest() == digest


def test_a_unit_that_fails_does_not_stop_the_others(small: Path, tmp_path: Path) -> None:
    """The others are done, the failure is told, and the organisation's page is made all the same."""
    report = run(request(small, tmp_path), FakeEngine({"alpha": "failed"}))
    assert statuses(tmp_path) == {"alpha": "failed", "beta": "ok"}
    assert [(entry.unit_id, entry.error) for entry in report.wrong] == [("alpha", "alpha went wrong")]
    assert manifest(tmp_path)["organisation"]["status"] == "ok"


def test_units_whose_inputs_and_outputs_are_unchanged_are_not_run_again(small: Path, tmp_path: Path) -> None:
    """Only a unit with a changed row, a changed output or --force is run."""
    run(request(small, tmp_path), FakeEngine())
    again = FakeEngine()
    run(request(small, tmp_path), again)
    assert statuses(tmp_path) == {"alpha": "unchanged", "beta": "unchanged"}
    assert again.ran == ["organisation"]

    replace_in(small / "risks.csv", "B-R1,beta,B-CO1,Claims paid twice", "B-R1,beta,B-CO1,Claims paid three times")
    changed = FakeEngine()
    run(request(small, tmp_path), changed)
    assert sorted(changed.ran) == ["beta", "organisation"]

    (tmp_path / "out/2026-H1/alpha.html").write_text("tampered with")
    mended = FakeEngine()
    run(request(small, tmp_path), mended)
    assert sorted(mended.ran) == ["alpha", "organisation"]

    forced = FakeEngine()
    run(request(small, tmp_path, force=True), forced)
    assert sorted(forced.ran) == ["alpha", "beta", "organisation"]


def test_a_failed_unit_is_run_again(small: Path, tmp_path: Path) -> None:
    """Failure is never 'unchanged'."""
    run(request(small, tmp_path), FakeEngine({"alpha": "died"}))
    again = FakeEngine()
    run(request(small, tmp_path), again)
    assert sorted(again.ran) == ["alpha", "organisation"]


def test_a_run_of_one_unit_keeps_what_is_known_of_the_others(small: Path, tmp_path: Path) -> None:
    """--unit neither forgets nor refreshes the rest."""
    run(request(small, tmp_path, units=("alpha",)), FakeEngine())
    assert statuses(tmp_path) == {"alpha": "ok", "beta": "pending"}
    run(request(small, tmp_path, units=("beta",)), FakeEngine())
    assert statuses(tmp_path) == {"alpha": "ok", "beta": "ok"}


def test_an_interrupted_run_says_what_was_not_done(small: Path, tmp_path: Path) -> None:
    """Everything is pending until it is done, and the run isn't finished."""
    engine = FakeEngine({"beta": "interrupt"})
    with pytest.raises(KeyboardInterrupt), ThreadPoolExecutor(1) as executor:
        batch.run(batch.plan(request(small, tmp_path)), executor, engine, lambda _: None)
    assert engine.stopped
    assert statuses(tmp_path)["beta"] == "pending"
    assert manifest(tmp_path)["finished"] is False


def test_a_folder_with_another_registers_pages_is_not_written_to(small: Path, tmp_path: Path) -> None:
    """Two registers' pages never mix; --force replaces them, and then nothing of the other counts any more."""
    run(request(small, tmp_path), FakeEngine())
    other = write_register(tmp_path / "other")
    with pytest.raises(
        UsageError, match=r"holds the pages of another register, .*data; choose another --out, or --force"
    ):
        run(request(other, tmp_path), FakeEngine())
    assert statuses(tmp_path) == {"alpha": "ok", "beta": "ok"}
    run(request(other, tmp_path, force=True, units=("alpha",)), FakeEngine())
    assert statuses(tmp_path) == {"alpha": "ok", "beta": "pending"}


def test_a_page_and_the_manifest_name_the_same_register(small: Path, tmp_path: Path) -> None:
    """An auditor can tie a page to the manifest by the digits on it."""
    run(request(small, tmp_path), FakeEngine())
    [entry, _] = manifest(tmp_path)["units"]
    assert entry["register_sha256"] == riskcalc.load(small).only("alpha").fingerprint()
    view = unit_page.provenance(open_unit("alpha", data_dir=str(small))).as_json()
    assert entry["register_sha256"].startswith(view["items"][1]["value"])


def test_two_runs_do_not_write_into_one_folder(small: Path, tmp_path: Path) -> None:
    """The second is told; the first isn't disturbed."""

    class Nested(FakeEngine):
        def __call__(self, job: Job) -> Outcome:
            with pytest.raises(UsageError, match="Another run is writing"):
                run(request(small, tmp_path), FakeEngine())
            return super().__call__(job)

    run(request(small, tmp_path), Nested())
    assert statuses(tmp_path) == {"alpha": "ok", "beta": "ok"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": ("gamma",)}, "no business unit 'gamma'; the register's units are: alpha, beta"),
        ({"period": "2026-Q3"}, "No risk is rated in period '2026-Q3'; the register's periods are: 2025-H2, 2026-H1"),
        ({"parameters": ("colour=red",)}, "no parameter 'colour'; it has: business_unit, period, data_dir, as_of"),
        ({"parameters": ("as_of",)}, "'as_of' is no parameter; write NAME=VALUE"),
        ({"parameters": ("period=2025-H2",)}, "-p period can't be set: riskcalc run sets it"),
        ({"as_of": "30.6.2026"}, "--as-of is '30.6.2026'; allowed: a date as YYYY-MM-DD"),
        ({"notebooks": "nowhere"}, "There is no assessment.ipynb in nowhere"),
        ({"data_dir": "nowhere"}, "There is no folder 'nowhere'"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(
    small: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """The message names what there is instead; nothing is written."""
    with pytest.raises(UsageError, match=message):
        batch.plan(request(small, tmp_path, **changes))
    assert not (tmp_path / "out").exists()


# --- with real notebooks ---


def broken_notebooks(tmp_path: Path, cell: str) -> Path:
    """The notebooks, with a cell that does ``cell`` for the unit alpha only."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for source in NOTEBOOKS.glob("*.ipynb"):
        book = nbformat.read(source, as_version=4)
        if source.stem == "assessment":
            code = f'if business_unit == "alpha":\n    {cell}'
            book.cells.insert(4, nbformat.v4.new_code_cell(code, id="sabotage"))
        nbformat.write(book, folder / source.name)
    return folder


def cli(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "riskcalc.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.mark.parametrize(
    ("cell", "status", "said"),
    [
        ('raise ValueError("no such rate <b>")', "failed", "cell 5 (if business_unit == \"alpha\":): ValueError: no such rate <b>"),
        ("import os; os._exit(1)", "died", "the kernel died"),
        ("import ctypes; ctypes.string_at(0)", "died", "the kernel died"),
        ("import time; time.sleep(600)", "timeout", "still running after 15 s"),
        ('unit = open_unit("beta", period, data_dir, as_of)', "failed", "the notebook's result is for unit_id 'beta', not 'alpha'"),
    ],
    ids=["raises", "exits", "segfaults", "hangs", "reports another unit"],
)  # fmt: skip
def test_however_a_unit_goes_wrong_it_is_told_and_the_others_are_done(
    small: Path, tmp_path: Path, cell: str, status: str, said: str
) -> None:
    """An exception, a dead kernel, a hang and a wrong result each end as that unit's status, with the reason."""
    books = broken_notebooks(tmp_path, cell)
    done = cli("run", str(small), "--notebooks", str(books), "--out", "out", "--timeout", "15", cwd=tmp_path)
    units = {unit["unit_id"]: unit for unit in manifest(tmp_path)["units"]}
    assert (units["alpha"]["status"], units["beta"]["status"], done.returncode) == (status, "ok", 1), done.stderr
    assert said in units["alpha"]["error"]
    index = (tmp_path / "out/2026-H1/index.html").read_text("utf-8")
    assert said.replace('"', "&#34;").replace("'", "&#39;").replace("<", "&lt;").replace(">", "&gt;") in index
    assert not (tmp_path / "out/2026-H1/alpha.html").exists()
    assert "Traceback" not in done.stderr


def test_a_failure_takes_away_the_page_of_an_earlier_success(small: Path, tmp_path: Path) -> None:
    """Nobody mails last week's page as today's."""
    assert cli("run", str(small), "--notebooks", str(NOTEBOOKS), "--out", "out", cwd=tmp_path).returncode == 0
    assert (tmp_path / "out/2026-H1/alpha.html").exists()
    books = broken_notebooks(tmp_path, "raise SystemError")
    assert cli("run", str(small), "--notebooks", str(books), "--out", "out", cwd=tmp_path).returncode == 1
    assert not (tmp_path / "out/2026-H1/alpha.html").exists()
    assert not (tmp_path / "out/2026-H1/alpha.json").exists()


def test_units_and_folders_with_braces_and_quotes_in_their_names(tmp_path: Path) -> None:
    """Papermill formats the paths and pastes the names it is given; neither breaks, nor runs another unit."""
    name = 'Über "Süd"; {x} \\ \' {period}'

    def edit(rows: dict[str, list[dict[str, str]]]) -> None:
        for table in ("business_units", "control_objectives", "risks", "controls", "training", "scoping"):
            for row in rows[table]:
                row["unit_id"] = {"alpha": name, "beta": "NA"}[row["unit_id"]]

    folder = write_register(tmp_path / "data {x}", edit)
    done = cli("run", str(folder), "--notebooks", str(NOTEBOOKS), "--out", "out {y}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    units = json.loads((tmp_path / "out {y}/2026-H1/manifest.json").read_text("utf-8"))["units"]
    assert [unit["unit_id"] for unit in units] == [name, "NA"]
    for unit in units:
        [result] = [file for file in unit["outputs"] if file.endswith(".json")]
        assert json.loads((tmp_path / "out {y}/2026-H1" / result).read_text("utf-8"))["unit_id"] == unit["unit_id"]


def test_two_runs_of_the_same_register_give_identical_pages(small: Path, tmp_path: Path) -> None:
    """Nothing in a page depends on when or where it was made."""
    pages = []
    for out in ("one", "two"):
        assert cli("run", str(small), "--notebooks", str(NOTEBOOKS), "--out", out, cwd=tmp_path).returncode == 0
        pages.append({page.name: page.read_bytes() for page in (tmp_path / out / "2026-H1").glob("*.html")})
    assert list(pages[0]) != []
    assert {name: pages[1][name] == page for name, page in pages[0].items()} == dict.fromkeys(pages[0], True)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_a_run_that_is_stopped_leaves_no_process_behind(
    small: Path, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    """Ctrl-C, a scheduler's stop, even a kill: no kernel runs on, no file is half written, and the manifest says so."""
    books = broken_notebooks(tmp_path, "import time; time.sleep(600)")
    command = [sys.executable, "-m", "riskcalc.cli", "run", str(small), "--notebooks", str(books), "--out", "out"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    _wait_for(lambda: bool(_kernels(process.pid)))
    family = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, sent)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code, said
    assert b"Traceback" not in said
    _wait_for(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in family))
    assert manifest(tmp_path)["finished"] is False
    assert statuses(tmp_path)["alpha"] == "pending"
    again = cli("run", str(small), "--notebooks", str(NOTEBOOKS), "--out", "out", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert [file.name for file in (tmp_path / "out/2026-H1").iterdir() if file.name.startswith(".work")] == []


def test_a_worker_whose_runner_died_while_it_started_ends(small: Path, tmp_path: Path) -> None:
    """It isn't the runner's child any more, so nobody would ever stop it: it stops by itself."""
    books = broken_notebooks(tmp_path, "import time; time.sleep(600)")
    job = {"notebook": str(books / "assessment.ipynb"), "parameters": {"data_dir": str(small)}, "expects": {}}
    (tmp_path / "job.json").write_text(json.dumps(job), "utf-8")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    command = [sys.executable, "-m", "riskcalc.worker", str(tmp_path), str(gone.pid)]
    assert subprocess.run(command, timeout=60, capture_output=True).returncode == 1
    assert not (tmp_path / "outcome.json").exists()


def _wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.2)


def _kernels(pid: int) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(pid).children(recursive=True)
        if "ipykernel_launcher" in " ".join(child.cmdline())
    ]


def test_a_full_disk_is_a_failure_with_its_reason_and_no_half_page(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page of 0 bytes, no traceback: the unit failed, and why."""
    plan = batch.plan(request(small, tmp_path))
    plan.folder.mkdir(parents=True)

    def full(path: Path, _: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("riskcalc.engine.write_whole", full)
    outcome = StockEngine()(plan.jobs[0])
    assert (outcome.status, outcome.files) == ("failed", ())
    assert outcome.error == f"can't write to {plan.folder}: No space left on device"
    assert list(plan.folder.iterdir()) == []


def test_what_a_dead_process_left_behind_is_not_published(small: Path, tmp_path: Path) -> None:
    """A page that was being written when its process died may be half a page."""
    books = broken_notebooks(tmp_path, "import os, signal; os.kill(os.getppid(), signal.SIGKILL)")
    plan = batch.plan(request(small, tmp_path, notebooks=str(books), units=("alpha",)))
    plan.folder.mkdir(parents=True)
    outcome = StockEngine()(plan.jobs[0])
    assert (outcome.status, outcome.files) == ("died", ())
    assert "killed by SIGKILL" in str(outcome.error)
    assert list(plan.folder.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"units": 3}', '{"units": [{"unit_id": "alpha", "status": ["ok"], "outputs": 7}], "finished": true}',
     '{"units": [{"unit_id": "alpha", "status": "ok", "outputs": {"../../secret": "x"}, "seconds": 1}]}'],
)  # fmt: skip
def test_a_manifest_that_was_tampered_with_is_not_believed(small: Path, tmp_path: Path, content: str) -> None:
    """Whatever stands in it, the units are run and the manifest is made anew."""
    folder = tmp_path / "out/2026-H1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(content, "utf-8")
    run(request(small, tmp_path), FakeEngine())
    assert statuses(tmp_path) == {"alpha": "ok", "beta": "ok"}


def test_a_worker_that_cannot_even_start_has_died(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine tells a process that said nothing from one that failed."""
    plan = batch.plan(request(small, tmp_path))
    plan.folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    outcome = StockEngine()(plan.jobs[0])
    assert (outcome.status, outcome.error) == ("died", "exit code 1")
