"""Beyond one machine: a real Dask scheduler with workers in their own processes, and a server that speaks S3."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import fsspec
import psutil
import pytest
from click.testing import CliRunner
from waiting import free_port, listens, wait_for

from riskcalc.cli.main import main
from riskcalc.errors import UsageError
from riskcalc.run import batch
from riskcalc.run.cluster import RemoteEngine, connected
from riskcalc.run.output_folder import open_folder
from riskcalc.run.processes import Outcome
from run.test_processes import found, job

ROOT = Path(__file__).parents[2]


def started(*arguments: str, cwd: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-W", "ignore", "-m", *arguments]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Cluster:
    """A scheduler, and workers without the sample's folder: all that they need has to come with a job."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.address = f"dask://127.0.0.1:{self.port}"
        self.scheduler = started(
            "distributed.cli.dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--no-dashboard",
            cwd=folder,
        )
        wait_for(lambda: listens(self.port))
        self.workers = [self.worker() for _ in range(2)]

    def worker(self) -> subprocess.Popen[bytes]:
        return started(
            "distributed.cli.dask_worker", f"tcp://127.0.0.1:{self.port}", "--host", "127.0.0.1", "--nthreads", "1",
            "--no-nanny", "--no-dashboard", cwd=self.folder,
        )  # fmt: skip

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.close()


def report(out: Path) -> dict[str, object]:
    return json.loads((out / "2026-H1/manifest.json").read_text("utf-8"))


@pytest.mark.filterwarnings("default")
def test_a_cluster_gives_the_pages_that_this_machine_gives(cluster: Cluster, small: Path, tmp_path: Path) -> None:
    """The workers see neither register nor notebooks; the files come back, byte for byte the same."""
    wait_for(lambda: len(workers_of(cluster)) == 2)
    for out, options in (("there", ["--executor", cluster.address]), ("here", [])):
        asked = ["run", str(small), "--out", str(tmp_path / out), "--notebooks", str(ROOT / "notebooks"), *options]
        done = subprocess.run([sys.executable, "-m", "riskcalc", *asked], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    names = sorted(page.name for page in (tmp_path / "here/2026-H1").glob("*.html"))
    assert names == ["alpha.html", "beta.html", "index.html"]
    for name in names:
        assert (tmp_path / "there/2026-H1" / name).read_bytes() == (tmp_path / "here/2026-H1" / name).read_bytes()


@pytest.mark.filterwarnings("default")
def test_the_units_of_a_killed_worker_run_elsewhere(cluster: Cluster, tmp_path: Path) -> None:
    """Nothing is lost, nothing is doubled, and what the dead worker had started has ended."""
    wait_for(lambda: len(workers_of(cluster)) == 2)
    note = f"import os, time\nopen({str(tmp_path / 'pids')!r}, 'a').write(str(os.getpid()) + '\\n')\ntime.sleep(2)\nfound = business_unit"
    with connected(cluster.address) as (engine, slots), ThreadPoolExecutor(2 * slots) as executor:
        assert slots == 2
        outcomes = executor.map(engine, [job(note, unit=f"u{n}") for n in range(6)])
        wait_for(lambda: (tmp_path / "pids").exists())
        os.kill(cluster.workers[0].pid, signal.SIGKILL)
        cluster.workers[0].wait()
        assert [found(outcome) for outcome in outcomes] == [f"u{n}" for n in range(6)]
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("killed", ["scheduler", "workers"])
def test_a_cluster_that_dies_is_told_and_not_waited_for(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    """Each unit that was there has died, with the reason; the run goes on to its end without a traceback."""
    monkeypatch.setattr("riskcalc.run.cluster._ALONE", 4.0)
    monkeypatch.setattr("riskcalc.run.cluster._PATIENCE", 4.0)
    wait_for(lambda: len(workers_of(cluster)) == 2)
    with ThreadPoolExecutor(2) as executor, connected(cluster.address) as (engine, _):
        outcomes = [executor.submit(engine, job("import time; time.sleep(600)")) for _ in range(2)]
        wait_for(lambda: len(cluster_engines(cluster)) > 0)
        for process in cluster.workers if killed == "workers" else [cluster.scheduler]:
            process.kill()
            process.wait()
        told = [outcome.result(60) for outcome in outcomes]
    assert {outcome.status for outcome in told} == {"died"}
    for outcome in told:
        assert re.search(r"no workers|has ended|KilledWorker|[Cc]ancel|the cluster: ", str(outcome.error))


def cluster_engines(cluster: Cluster) -> list[psutil.Process]:
    """The processes that the workers have started for their jobs."""
    return [
        child for worker in cluster.workers for child in psutil.Process(worker.pid).children(recursive=True)
        if "riskcalc.run.forkserver" in child.cmdline()
    ]  # fmt: skip


def workers_of(cluster: Cluster) -> list[str]:
    from distributed import Client

    with Client(f"tcp://127.0.0.1:{cluster.port}", set_as_default=False) as client:
        return list(client.scheduler_info(n_workers=-1)["workers"])


def test_any_executor_will_do() -> None:
    """The seam is concurrent.futures.Executor: here, processes of this machine."""
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        engine = RemoteEngine(executor)
        assert found(engine(job("found = 42"))) == 42


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("spark://here:1", "--executor is 'spark://here:1'; allowed: dask://HOST:PORT"),
        ("dask://", "allowed: dask://HOST:PORT"),
        ("dask://127.0.0.1:1", "No Dask scheduler answers at 127.0.0.1:1"),
        ("dask://127.0.0.1:99999", "No Dask scheduler answers at 127.0.0.1:99999"),
        ("dask://127.0.0.1:port", "No Dask scheduler answers at 127.0.0.1:port"),
        ("dask://[::1", "No Dask scheduler answers at [::1"),
    ],
)
def test_a_cluster_that_is_not_there_is_told_before_anything_runs(
    address: str, said: str, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, and nothing is written."""
    monkeypatch.setattr("riskcalc.run.cluster._PATIENCE", 1.0)
    asked = [
        "run",
        str(small),
        "--executor",
        address,
        "--out",
        str(tmp_path / "out"),
        "--notebooks",
        str(ROOT / "notebooks"),
    ]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 2
    assert said in done.output
    assert not (tmp_path / "out").exists()


class Instant:
    """An engine for runs whose notebooks don't matter."""

    def __call__(self, _: object) -> Outcome:
        return Outcome("ok", 0.1, {".html": b"page", ".ipynb": b"{}", ".json": b'{"rated": 1, "breaches": 0}'})

    def stop(self) -> None:
        return


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    port = free_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    server = started("moto.server", "--port", str(port), cwd=tmp_path)
    wait_for(lambda: listens(port))
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("risk")
    yield "s3://risk/reports"
    server.kill()
    server.wait()


@pytest.mark.filterwarnings("default")
def test_pages_go_into_an_object_store_and_unchanged_ones_stay(bucket: str, small: Path) -> None:
    """As into a folder: the manifest's hashes are those of the objects, and only what changed is run again."""
    request = batch.Request(data_dir=str(small), out=bucket, notebooks=str(ROOT / "notebooks"))
    for status in ("ok", "unchanged"):
        with ThreadPoolExecutor(2) as executor:
            [done] = batch.run(batch.plan(request), executor, Instant(), lambda *_: None)
        assert [entry.status for entry in done.units] == [status, status]
        assert done.organisation is not None
        assert done.organisation.status == "ok"
    folder = open_folder(bucket, "2026-H1")
    assert folder.read("alpha.html") == b"page"
    assert folder.names("*.html") == ["alpha.html", "beta.html", "index.html"]
    assert json.loads(folder.read("manifest.json") or b"")["finished"] is True
    folder.write("alpha.html", b"tampered with")
    with ThreadPoolExecutor(2) as executor:
        [done] = batch.run(batch.plan(request), executor, Instant(), lambda *_: None)
    assert [entry.status for entry in done.units] == ["ok", "unchanged"]


@pytest.mark.usefixtures("bucket")
@pytest.mark.filterwarnings("default")
def test_the_secrets_of_an_address_are_not_told(small: Path) -> None:
    """Messages go into logs and mails; keys and tokens in an address don't."""
    for out in ("nonsense://KEY:SECRET@x/y?token=SECRET", "s3://KEY:SECRET@nobucket\x00/y"):
        request = batch.Request(data_dir=str(small), out=out, notebooks=str(ROOT / "notebooks"))
        with pytest.raises(UsageError, match=r"://\*\*\*@") as raised, ThreadPoolExecutor(1) as executor:
            batch.run(batch.plan(request), executor, Instant(), lambda *_: None)
        assert "SECRET" not in str(raised.value)
        assert "KEY" not in str(raised.value)


def test_an_address_that_nobody_can_open_is_told(small: Path) -> None:
    """With what is wrong with it."""
    request = batch.Request(data_dir=str(small), out="nonsense://x", notebooks=str(ROOT / "notebooks"))
    with pytest.raises(UsageError, match=r"nonsense://x/2026-H1 can't be opened: Protocol not known"):
        batch.plan(request)
