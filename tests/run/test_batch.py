"""`riskcalc run`: what it leaves behind, and that it never reports a success that wasn't."""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from register_files import replace_in, write_register

import riskcalc
from riskcalc.assessment.context import Context
from riskcalc.assessment.decisions import standings
from riskcalc.assessment.opening import open_unit
from riskcalc.cli.main import main
from riskcalc.errors import UsageError
from riskcalc.pages import unit as unit_page
from riskcalc.register.subsets import Subsets
from riskcalc.register.tables import TABLES
from riskcalc.run import batch
from riskcalc.run.manifest import Entry
from riskcalc.run.output_folder import LocalFolder
from riskcalc.run.processes import ENDINGS, Job, Outcome
from riskcalc.run.progress import Progress, summary

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"


class FakeEngine:
    """Writes a page and results at once; ends a unit as ``ends`` says."""

    def __init__(self, ends: dict[str, Any] | None = None) -> None:
        self.ends, self.ran, self.stopped = ends or {}, [], False

    def __call__(self, job: Job) -> Outcome:
        self.ran.append(job.unit_id)
        status = self.ends.get(job.unit_id, "ok")
        if status == "interrupt":
            raise KeyboardInterrupt
        if callable(status):
            return status()
        if status != "ok":
            return Outcome(status, 0.1, error=f"{job.unit_id} went wrong")
        figures = {"rated": 3, "breaches": 1, "newly_outside": 1, "unrated": 2, "decisions": 4, "past_due": 1}
        result = json.dumps(figures).encode()
        page, notebook = (f"{kind} of {job.unit_id}".encode() for kind in ("page", "notebook"))
        return Outcome("ok", 0.1, {".html": page, ".ipynb": notebook, ".json": result})

    def stop(self) -> None:
        self.stopped = True


def request(small: Path, tmp_path: Path, **changes: Any) -> batch.Request:
    return batch.Request(
        **{"data_dir": str(small), "out": str(tmp_path / "out"), "notebooks": str(NOTEBOOKS), **changes}
    )


def run(asked: batch.Request, engine: FakeEngine) -> batch.Report:
    seen: list[Entry] = []
    with ThreadPoolExecutor(2) as executor:
        [report] = batch.run(batch.plan(asked), executor, engine, lambda entry, _: seen.append(entry))
    whole = [report.organisation] if report.organisation else []
    assert sorted(entry.unit_id for entry in seen) == sorted(entry.unit_id for entry in (*report.units, *whole))
    return report


def manifest(tmp_path: Path) -> dict[str, Any]:
    return json.loads((tmp_path / "out/2026-H1/manifest.json").read_text("utf-8"))


def statuses(tmp_path: Path) -> dict[str, str]:
    return {unit["unit_id"]: unit["status"] for unit in manifest(tmp_path)["units"]}


def test_the_manifest_lists_every_unit_with_the_hashes_of_its_files(small: Path, tmp_path: Path) -> None:
    """What the manifest says of a file can be checked against the file."""
    run(request(small, tmp_path), FakeEngine())
    content = manifest(tmp_path)
    assert (content["period"], content["as_of"]) == ("2026-H1", "2026-06-30")
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


def test_a_unit_whose_earlier_period_is_gone_is_run_again(small: Path, tmp_path: Path) -> None:
    """No row of beta's changes with alpha's ratings of 2025-H2, but its page says what came before."""
    run(request(small, tmp_path), FakeEngine())
    replace_in(small / "ratings.csv", "A-R1,2025-H2", "A-R1,2025-H1")
    again = FakeEngine()
    run(request(small, tmp_path), again)
    assert sorted(again.ran) == ["alpha", "beta", "organisation"]


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


def test_a_run_of_one_unit_knows_what_shards_have_done(small: Path, tmp_path: Path) -> None:
    """The organisation's page doesn't tell of a page that a shard made that it isn't there."""
    for number in (1, 2):
        run(request(small, tmp_path, shard=(number, 2)), FakeEngine())
    run(request(small, tmp_path, units=("beta",)), FakeEngine())
    assert statuses(tmp_path) == {"alpha": "ok", "beta": "unchanged"}
    assert sorted(path.name for path in (tmp_path / "out/2026-H1").glob("manifest*")) == ["manifest.json"]


def test_an_interrupted_run_says_what_was_not_done(small: Path, tmp_path: Path) -> None:
    """Everything is pending until it is done, and the run isn't finished."""
    engine = FakeEngine({"beta": "interrupt"})
    with pytest.raises(KeyboardInterrupt), ThreadPoolExecutor(1) as executor:
        batch.run(batch.plan(request(small, tmp_path)), executor, engine, lambda *_: None)
    assert engine.stopped
    assert statuses(tmp_path)["beta"] == "pending"
    assert manifest(tmp_path)["finished"] is False


def test_unrated_risks_are_never_taken_for_risks_inside_appetite(small: Path, tmp_path: Path) -> None:
    """The summary tells them, and what is late; of a unit that went wrong it says that nothing is known."""
    report = run(request(small, tmp_path), FakeEngine({"beta": "failed"}))
    assert summary(report, "Open it").splitlines()[1:3] == [
        "1 of 3 rated risks outside appetite, in 1 unit: alpha; 1 newly since the period before; 2 risks unrated; "
        "4 decisions to take, 1 past due.",
        "How 1 unit stands isn't known: beta.",
    ]
    report = run(request(small, tmp_path, force=True), FakeEngine({"alpha": "timeout", "beta": "failed"}))
    assert "appetite" not in summary(report, "Open it")


def test_a_page_of_an_earlier_day_is_told_beside_the_index_of_a_later_one(small: Path, tmp_path: Path) -> None:
    """An index as of September doesn't call a page as of June, which says something else, well."""
    run(request(small, tmp_path), FakeEngine())
    run(request(small, tmp_path, units=("alpha",)), FakeEngine())
    assert statuses(tmp_path) == {"alpha": "unchanged", "beta": "ok"}
    run(request(small, tmp_path, units=("alpha",), as_of="2026-09-30"), FakeEngine())
    assert statuses(tmp_path) == {"alpha": "ok", "beta": "pending"}
    assert manifest(tmp_path)["units"][1]["error"].startswith("its page is of an earlier register, day or notebook")
    run(request(small, tmp_path, as_of="2026-09-30"), FakeEngine())
    assert statuses(tmp_path) == {"alpha": "unchanged", "beta": "ok"}


def test_a_folder_with_another_registers_pages_is_not_written_to(small: Path, tmp_path: Path) -> None:
    """Two registers' pages never mix; --force replaces them, and then nothing of the other counts any more."""
    run(request(small, tmp_path), FakeEngine())
    other = write_register(tmp_path / "other")
    with pytest.raises(
        UsageError, match=r"holds the pages of another register, .*data; choose another --out; or --force"
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


@pytest.mark.parametrize(("first", "second"), [(None, None), (None, (1, 2)), ((1, 1), None)])
def test_two_runs_do_not_write_into_one_folder(
    small: Path, tmp_path: Path, first: tuple[int, int] | None, second: tuple[int, int] | None
) -> None:
    """The second is told, a run of all beside a shard as well; the first isn't disturbed."""

    class Nested(FakeEngine):
        def __call__(self, job: Job) -> Outcome:
            with pytest.raises(UsageError, match="Another run is writing"):
                run(request(small, tmp_path, shard=second), FakeEngine())
            return super().__call__(job)

    assert not run(request(small, tmp_path, shard=first), Nested()).wrong


def test_shards_run_at_the_same_time(small: Path, tmp_path: Path) -> None:
    """Each has its own units."""

    class Nested(FakeEngine):
        def __call__(self, job: Job) -> Outcome:
            assert not run(request(small, tmp_path, shard=(2, 2)), FakeEngine()).wrong
            return super().__call__(job)

    assert not run(request(small, tmp_path, shard=(1, 2)), Nested()).wrong


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": ("gamma",)}, "no business unit 'gamma'; the register's units are: alpha, beta"),
        ({"period": "2026-Q3"}, "No risk is rated in period '2026-Q3'; the register's periods are: 2025-H2, 2026-H1"),
        ({"parameters": ("colour=red",)}, "no parameter 'colour'; it has: business_unit, period, data_dir, as_of"),
        ({"parameters": ("as_of",)}, "'as_of' is no parameter; write NAME=VALUE"),
        ({"parameters": ("period=2025-H2",)}, "-p period can't be set: riskcalc run sets it"),
        ({"as_of": "30.6.2026"}, "--as-of is '30.6.2026'; allowed: today, or a date as YYYY-MM-DD"),
        ({"shard": (4, 4)}, "--shard 4/4 is of more shards than there are units: 2"),
        ({"parameters": ("audience=board",)}, "-p audience can't be set"),
        ({"as_of": "0001-01-01"}, "--as-of is '0001-01-01'; allowed: today, or a date as YYYY-MM-DD, of 1950 to 2200"),
        ({"timeout": float("nan")}, "--timeout is nan; allowed: a number of seconds"),
        ({"memory": float("nan")}, "--memory is nan; allowed: a number of MB"),
        ({"memory": float("inf")}, "--memory is inf"),
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


def test_the_manifest_is_on_disk_after_every_unit(small: Path, tmp_path: Path) -> None:
    """Whoever looks while a run goes on, or after it was killed, sees what is done, and nothing that isn't."""
    looks: list[dict[str, str]] = []
    with ThreadPoolExecutor(1) as executor:
        batch.run(
            batch.plan(request(small, tmp_path)), executor, FakeEngine(), lambda *_: looks.append(statuses(tmp_path))
        )
    assert looks == [{"alpha": "ok", "beta": "pending"}, {"alpha": "ok", "beta": "ok"}, {"alpha": "ok", "beta": "ok"}]


def test_a_manifest_of_very_many_units_may_be_behind_but_not_when_somebody_counts_on_it(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The organisation's page finds all units in it; so does whoever comes after an interruption."""
    monkeypatch.setattr("riskcalc.run.manifest._MANY", 0)
    monkeypatch.setattr("riskcalc.run.manifest.time", SimpleNamespace(monotonic=count().__next__))  # writing takes long
    looks: list[dict[str, str]] = []
    ended = threading.Event()

    def seen(*_: object) -> None:
        looks.append(statuses(tmp_path))
        ended.set()

    def whole() -> Outcome:
        looks.append(statuses(tmp_path))
        return Outcome("ok", 0.1, {".html": b"page"})

    def interrupt() -> Outcome:
        ended.wait(10)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as executor:
        batch.run(batch.plan(request(small, tmp_path)), executor, FakeEngine({"organisation": whole}), seen)
    assert looks[0] == {"alpha": "pending", "beta": "pending"}
    assert looks[2] == looks[3] == {"alpha": "ok", "beta": "ok"}
    ended.clear()
    plan = batch.plan(request(small, tmp_path, force=True))
    with pytest.raises(KeyboardInterrupt), ThreadPoolExecutor(2) as executor:
        batch.run(plan, executor, FakeEngine({"beta": interrupt}), seen)
    assert statuses(tmp_path) == {"alpha": "ok", "beta": "pending"}


def test_a_full_disk_is_a_failure_with_its_reason_and_no_half_page(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page of 0 bytes, no traceback, no half of a unit's files: the unit failed, and why."""
    whole = LocalFolder.write

    def full(folder: LocalFolder, name: str, content: bytes) -> None:
        if name == "alpha.json":
            raise OSError(28, "No space left on device", name)
        whole(folder, name, content)

    monkeypatch.setattr(LocalFolder, "write", full)
    report = run(request(small, tmp_path), FakeEngine())
    assert [(entry.unit_id, entry.status) for entry in report.wrong] == [("alpha", "failed")]
    assert report.wrong[0].error == f"can't write to {tmp_path}/out/2026-H1: No space left on device"
    assert list((tmp_path / "out/2026-H1").glob("alpha*")) == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"units": 3}', '{"units": [{"unit_id": "alpha", "status": ["ok"], "outputs": 7}], "finished": true}',
     '{"units": [{"unit_id": "alpha", "status": "ok", "outputs": {"../../secret": "x"}, "seconds": 1}]}',
     "[" * 100_000, '{"units": [], "organisation": ' + "9" * 5000 + "}", '{"units": [], "left": ["../../secret", "data"]}',
     '{"units": [{"unit_id": "alpha", "status": "ok", "error": "\\ud800"}], "register": ""}'],
    ids=str.__len__,
)  # fmt: skip
def test_a_manifest_that_was_tampered_with_is_not_believed(small: Path, tmp_path: Path, content: str) -> None:
    """Whatever stands in it, the units are run and the manifest is made anew."""
    folder = tmp_path / "out/2026-H1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(content, "utf-8")
    run(request(small, tmp_path), FakeEngine())
    assert statuses(tmp_path) == {"alpha": "ok", "beta": "ok"}


def test_a_share_is_what_reading_the_unit_alone_gives(sample: riskcalc.Register) -> None:
    """However many units there are, each job gets the same rows and the same fingerprint."""
    shares = Subsets(sample)
    for unit_id in sample.business_units["unit_id"]:
        alone = riskcalc.load(sample.source).only(unit_id)
        assert shares.fingerprint(unit_id) == alone.fingerprint()
        for name in TABLES:
            pd.testing.assert_frame_equal(getattr(shares.of(unit_id), name), getattr(alone, name))


def test_a_summary_can_be_read_in_a_mail() -> None:
    """What was done, what went wrong and why, what is outside appetite, and what to open; never thousands of lines."""
    units = [Entry(f"u{n}", "ok", 1.0, figures={"rated": 2, "breaches": n % 2}) for n in range(3)]
    units += [Entry(f"bad{n}", "timeout", 600.0, error="still running after 600 s") for n in range(30)]
    text = summary(batch.Report(tuple(units), Entry("organisation", "ok"), "reports/2026-H1", 754.2), "Open it")
    assert text.splitlines()[:2] == [
        "33 units in 12 min 34 s: 3 ok, 30 timeout.",
        "1 of 6 rated risks outside appetite, in 1 unit: u1.",
    ]
    assert text.splitlines()[2].startswith("How 30 units stand isn't known: bad0, bad1, ")
    assert text.splitlines()[3:5] == ["", "Went wrong:"]
    assert (
        "  bad19: timeout: still running after 600 s\n  and 10 more, see reports/2026-H1/manifest.json\n\nOpen it"
        in text
    )


def test_a_page_that_can_not_be_replaced_is_its_units_failure(small: Path, tmp_path: Path) -> None:
    """Somebody holds one page: the others are written, and what is left of the old one is told."""
    held = tmp_path / "out/2026-H1/alpha.html"
    (held / "held").mkdir(parents=True)  # a folder can't be replaced by a file, not even by root
    report = run(request(small, tmp_path), FakeEngine())
    assert statuses(tmp_path) == {"alpha": "failed", "beta": "ok"}
    [entry] = report.wrong
    assert "can't write to" in str(entry.error)
    assert "can't be removed, and may be out of date: alpha.html" in str(entry.error)
    assert not entry.outputs
    assert sorted(path.name for path in held.parent.glob("alpha*")) == ["alpha.html"]


def test_a_folder_that_stops_taking_files_is_told_as_that(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permission lost in the middle of a run isn't "nothing ran": what was done stays, each unit says why it failed."""
    whole = LocalFolder.write

    def refused(folder: LocalFolder, name: str, content: bytes) -> None:
        if not name.startswith("manifest"):
            raise PermissionError(13, "Permission denied", name)
        whole(folder, name, content)

    def kept(path: Path, missing_ok: bool = False) -> None:  # noqa: ARG001 - as Path.unlink
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(LocalFolder, "write", refused)
    monkeypatch.setattr(Path, "unlink", kept)
    report = run(request(small, tmp_path), FakeEngine())
    assert {entry.status for entry in report.wrong} == {"failed"}
    assert "Permission denied" in str(report.wrong[0].error)


def beta_leaves(register: Path) -> None:
    """The unit beta and all that belongs to it are taken out of a register."""
    for table, key in (("business_units", "beta"), ("training", "beta"), ("scoping", "beta")):
        lines = (register / f"{table}.csv").read_text("utf-8").splitlines(keepends=True)
        (register / f"{table}.csv").write_text("".join(line for line in lines if f"{key}," not in line), "utf-8")
    for table in TABLES:
        lines = (register / f"{table}.csv").read_text("utf-8").splitlines(keepends=True)
        (register / f"{table}.csv").write_text("".join(line for line in lines if "B-" not in line), "utf-8")


@pytest.mark.parametrize("audience", ["", "board"])
def test_the_pages_of_a_unit_that_has_left_the_register_leave_the_folder(
    small: Path, tmp_path: Path, audience: str
) -> None:
    """A folder that is given away holds no page of last year's unit; what the run didn't write stays."""
    run(request(small, tmp_path, audiences=(audience,)), FakeEngine())
    folder = tmp_path / "out/2026-H1" / audience
    assert (folder / "beta.html").exists()
    (folder / "beta.docx").write_text("somebody's own")
    (folder / "notes.html").write_text("somebody's own")
    beta_leaves(small)
    run(request(small, tmp_path, audiences=(audience,)), FakeEngine())
    assert [path.name for path in sorted(folder.glob("beta*"))] == ["beta.docx"]
    assert (folder / "notes.html").exists()
    assert (folder / "alpha.html").exists()


def test_the_pages_of_a_unit_that_leaves_after_an_interrupted_run_leave_the_folder_too(
    small: Path, tmp_path: Path
) -> None:
    """A run that was killed before it came to a unit still knows which pages of it there are."""
    run(request(small, tmp_path), FakeEngine())
    engine = FakeEngine({"alpha": "interrupt", "beta": "interrupt"})
    with pytest.raises(KeyboardInterrupt), ThreadPoolExecutor(1) as executor:
        batch.run(batch.plan(request(small, tmp_path, force=True)), executor, engine, lambda *_: None)
    assert manifest(tmp_path)["earlier"] == [f"{unit}{end}" for unit in ("alpha", "beta") for end in ENDINGS]
    beta_leaves(small)
    run(request(small, tmp_path), FakeEngine({"alpha": "died"}))
    assert not list((tmp_path / "out/2026-H1").glob("beta*"))
    assert "earlier" not in manifest(tmp_path)  # a unit that died has left nothing


def test_what_an_earlier_version_called_otherwise_is_removed_and_what_can_not_be_is_told(
    small: Path, tmp_path: Path
) -> None:
    """Pages with shorter names of old don't stay beside the new ones; until all are gone no run is a success."""
    run(request(small, tmp_path), FakeEngine())
    folder = tmp_path / "out/2026-H1"
    content = manifest(tmp_path)
    content["units"][0]["outputs"] = {"alpha-0123abcd.html": "x", "alpha-0123abcd.json": "x"}
    (folder / "manifest.json").write_text(json.dumps(content), "utf-8")
    (folder / "alpha-0123abcd.html").write_text("old")
    (folder / "alpha-0123abcd.json/held").mkdir(parents=True)
    for _ in range(2):
        report = run(request(small, tmp_path), FakeEngine())
        assert [path.name for path in folder.glob("alpha-*")] == ["alpha-0123abcd.json"]
        assert report.left == ("alpha-0123abcd.json",)
        assert "and out of date: alpha-0123abcd.json." in summary(report, "")
    (folder / "alpha-0123abcd.json/held").rmdir()
    (folder / "alpha-0123abcd.json").rmdir()
    assert run(request(small, tmp_path), FakeEngine()).left == ()
    assert "left" not in manifest(tmp_path)


def test_pages_of_another_register_are_all_replaced(small: Path, tmp_path: Path) -> None:
    """With --force nothing of the other register stays, also of units that aren't run."""
    run(request(small, tmp_path), FakeEngine())
    other = write_register(tmp_path / "other")
    run(request(other, tmp_path, force=True, units=("alpha",)), FakeEngine())
    assert sorted(path.name for path in (tmp_path / "out/2026-H1").glob("*.html")) == ["alpha.html", "index.html"]


def test_two_units_that_share_a_file_name_are_refused(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One page is never passed off as two units'; it takes a digest that somebody has searched for."""
    monkeypatch.setattr(batch, "stem", lambda *_: "same-0123456789abcdef")
    with pytest.raises(UsageError, match=r"'alpha' and 'beta' share the file name same-0123456789abcdef\.html"):
        batch.plan(request(small, tmp_path))


def bad_worker() -> Outcome:
    raise EOFError("the wire broke")


@pytest.mark.parametrize(
    ("nonsense", "status", "said"),
    [
        (lambda: Outcome("great", 0.1, {".html": b"", ".ipynb": b"", ".json": b"{}"}), "died", "status 'great'"),
        (lambda: None, "died", "AttributeError"),
        (bad_worker, "died", "EOFError: the wire broke"),
        (lambda: Outcome("ok", 0.1, {".html": b"", ".ipynb": b"", ".json": b"[]"}), "failed", "results can't be read"),
        (lambda: Outcome("ok", 0.1, {".html": b"", ".ipynb": b"", ".json": b"[" * 100_000}), "failed", "can't be read"),
        (lambda: Outcome("ok", 0.1, {".html": b"", ".ipynb": b"", ".json": b'{"breaches": -1}'}), "failed", "'-1'"),
        (lambda: Outcome("failed", 0.1, error="x" * 100_000), "failed", "x…"),
        (lambda: Outcome("failed", 0.1, error="\ud800"), "failed", "ud800"),
    ],
    ids=["status", "nothing", "raises", "list", "deep", "negative", "long", "surrogate"],
)
def test_nonsense_from_a_worker_is_that_units_trouble(
    small: Path, tmp_path: Path, nonsense: Any, status: str, said: str
) -> None:
    """The others are done, the run is no success, and the manifest stays a file that can be read."""
    report = run(request(small, tmp_path), FakeEngine({"alpha": nonsense}))
    assert statuses(tmp_path) == {"alpha": status, "beta": "ok"}
    [entry] = report.wrong
    assert said in str(entry.error)
    assert len(str(entry.error)) <= 2000


def test_a_breach_is_counted_also_where_the_pages_do_not_tell_it(small: Path, tmp_path: Path) -> None:
    """The public's pages say nothing of appetite; the run's exit code and summary do."""

    class Silent(FakeEngine):
        def __call__(self, job: Job) -> Outcome:
            return replace(super().__call__(job), files={".html": b"page", ".ipynb": b"", ".json": b"{}"})

    replace_in(small / "business_units.csv", ",Medium,", ",Low,")
    scores = riskcalc.score(riskcalc.load(small))
    assert scores["breach"].sum() > 0
    for status in ("ok", "unchanged"):
        report = run(request(small, tmp_path, audiences=("public",)), Silent())
        assert {entry.status for entry in report.units} == {status}
        assert report.breaches == scores["breach"].sum()


def test_the_publics_breaches_are_those_of_the_runs_own_day(small: Path, tmp_path: Path) -> None:
    """Seen from before a rating, its risk is outside nothing: the count is that day's, not the period's last."""
    replace_in(small / "business_units.csv", ",Medium,", ",Low,")
    days = ("2026-06-14", "")
    found = [batch.plan(request(small, tmp_path, audiences=("public",), as_of=day))[0].figures for day in days]
    assert [[figures(unit)["breaches"] for unit in ("alpha", "beta")] for figures in found] == [[0, 0], [1, 0]]


def test_a_unit_stands_as_in_the_whole(tmp_path: Path) -> None:
    """What the runner finds of a unit's share for the public is what the organisation's page says of it."""
    [programme] = batch.plan(request(ROOT / "data", tmp_path, audiences=("public",)))
    whole = standings(Context.of(riskcalc.load(ROOT / "data")))
    assert {unit: programme.figures(unit) for unit in programme.units} == whole


def test_an_id_can_not_forge_a_line_of_progress_or_mail(capsys: pytest.CaptureFixture[str]) -> None:
    """Escapes and line ends in names and messages are shown, not obeyed."""
    bad = "alpha\n[2/2] beta ok\x1b[2K\u202e"
    failed = Entry(bad, "failed", error=bad, figures={"rated": 1, "breaches": 1})
    with Progress(2, "") as progress:
        progress.seen(failed)
    line = capsys.readouterr().err
    text = summary(batch.Report((failed,), None, "out", 1.0), "Open it")
    assert (line.count("\n"), len(text.splitlines())) == (1, 7)
    for shown in (line, text):
        assert "alpha\\n[2/2] beta ok\\x1b[2K\\u202e" in shown
        assert not {"\x1b", "\u202e"} & set(shown)


def test_one_run_for_several_audiences_reads_the_register_once(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gets its pages, its manifest and its report; readers are named as units end."""
    reads: list[Any] = []
    monkeypatch.setattr(batch, "load", lambda *asked: reads.append(asked) or riskcalc.load(*asked))
    seen: list[tuple[str, str]] = []
    programmes = batch.plan(request(small, tmp_path, audiences=("", "board", "unit")))
    with ThreadPoolExecutor(2) as executor:
        reports = batch.run(programmes, executor, FakeEngine(), lambda entry, name: seen.append((entry.unit_id, name)))
    assert len(reads) == 1
    assert [report.organisation is None for report in reports] == [False, False, True]
    units, whole = (
        [("alpha", name) for name in ("", "board", "unit")],
        [("organisation", ""), ("organisation", "board")],
    )
    assert set(seen) >= {*units, *whole}
    for name in ("", "board", "unit"):
        assert (tmp_path / "out/2026-H1" / name / "alpha.html").exists()
        file = f"manifest.{name}.json".replace("..", ".")
        assert json.loads((tmp_path / "out/2026-H1" / file).read_text("utf-8"))["finished"]


def test_nothing_runs_if_the_folder_of_one_audience_is_in_use(small: Path, tmp_path: Path) -> None:
    """So that exit code 2 stays true for all of them."""
    engine, asked = FakeEngine(), request(small, tmp_path, audiences=("board", "unit"))
    with (
        LocalFolder(tmp_path / "out/2026-H1/unit").alone(".lock"),
        ThreadPoolExecutor(2) as executor,
        pytest.raises(UsageError, match="Another run is writing"),
    ):
        batch.run(batch.plan(asked), executor, engine, lambda *_: None)
    assert engine.ran == []
    assert not (tmp_path / "out/2026-H1/manifest.board.json").exists()


def test_an_unknown_audience_is_refused_with_those_there_are() -> None:
    """Also as one of several."""
    done = CliRunner().invoke(main, ["run", "--audience", "board,press"])
    assert done.exit_code == 2
    assert "'press'; allowed: internal, board, auditor, unit, client, public." in done.output


def test_the_page_of_very_many_units_may_take_more_than_that_of_one(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [programme] = batch.plan(request(small, tmp_path, timeout=10.0, memory=300.0))
    units = len(programme.units)
    limits = lambda job: (job.timeout, job.memory)  # noqa: E731
    assert limits(programme.whole("m")) == limits(programme.job(programme.units[0])) == (10.0, 300.0)
    monkeypatch.setattr(batch, "_FEW", 1)
    assert limits(programme.whole("m")) == (10.0 * units, 300.0 * units)
    assert limits(programme.job(programme.units[0])) == (10.0, 300.0)
    assert units > 1
