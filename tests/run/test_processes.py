"""One job in a process of its own: however it ends, that is told, and nothing of it is left for the next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest
from waiting import wait_for

from riskcalc.errors import ForkError
from riskcalc.register.register import Register
from riskcalc.register.subsets import Subsets, pack
from riskcalc.run.descendants import end_family
from riskcalc.run.engines import engines
from riskcalc.run.forkserver import ForkServer, _reap
from riskcalc.run.processes import Engine, ForkEngine, Job, Outcome, StockEngine, _told, on_this_machine

ROOT = Path(__file__).parents[2]
RESULT = 'from riskcalc.pages.display import Result\nResult({"unit_id": business_unit, "found": found})'


def notebook(*cells: str) -> str:
    """A notebook with parameters, the cells, and a result that shows ``found``."""
    book = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "x"}}
    )
    parameters = nbformat.v4.new_code_cell('business_unit = ""\nfound = None', metadata={"tags": ["parameters"]})
    book.cells = [parameters, *(nbformat.v4.new_code_cell(cell) for cell in (*cells, RESULT))]
    return nbformat.writes(book)


def job(*cells: str, unit: str = "alpha", timeout: float = 60, memory: float = 2048) -> Job:
    return Job(unit, notebook(*cells), {"business_unit": unit}, timeout, memory, {"unit_id": unit})


def found(outcome: Outcome) -> object:
    assert (outcome.status, outcome.error) == ("ok", None)
    return json.loads(outcome.files[".json"])["found"]


@pytest.fixture(scope="module")
def fork() -> Iterator[ForkEngine]:
    engine = ForkEngine()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def stock() -> Iterator[StockEngine]:
    engine = StockEngine()
    yield engine
    engine.stop()


@pytest.fixture(params=["fork", "stock"])
def engine(request: pytest.FixtureRequest) -> Engine:
    chosen: Engine = request.getfixturevalue(request.param)
    return chosen


GROW = "held = []\nwhile True:\n    held.append(bytearray(20_000_000))"


ENDINGS = {
    "raises": ('raise ValueError("no such rate <b>")', {}, "failed", 'cell 2 (raise ValueError("no such rate <b>")): ValueError: no such rate <b>'),
    "exits": ("import os; os._exit(7)", {}, "died", "cell 2 (import os; os._exit(7))"),
    "segfaults": ("import ctypes; ctypes.string_at(0)", {}, "died", "cell 2 (import ctypes; ctypes.string_at(0))"),
    "loops": ("while True: pass", {"timeout": 5}, "timeout", "still running after 5 s, in cell 2 (while True: pass)"),
    "hangs in C": ("import ctypes; ctypes.PyDLL(None).sleep(600)", {"timeout": 5}, "timeout", "still running after 5 s, in cell 2"),
    "eats memory": (GROW, {"memory": 900}, "died", "MB of memory, more than 900 MB, in cell 2 (held = [])"),
    "fills the disk": ("open('/dev/full', 'w', buffering=1).write('x' * 10_000 + '\\n')", {}, "failed", "OSError: [Errno 28] No space left on device"),
    "shows what no notebook holds": ("display({'text/html': 5}, raw=True)", {}, "died", "cell 2 (display({'text/html': 5}, raw=True))"),
    "another unit": ('business_unit = "beta"', {}, "failed", "the notebook's result is for unit_id 'beta', not 'alpha'"),
}  # fmt: skip
WITH_KERNELS = ("raises", "segfaults", "hangs in C", "eats memory")  # a kernel takes its time to start


@pytest.mark.parametrize(
    ("engine", "ending"),
    [*(("fork", each) for each in ENDINGS), *(("stock", each) for each in WITH_KERNELS)],
    indirect=["engine"],
)
def test_however_a_job_ends_it_is_told(engine: Engine, ending: str) -> None:
    """Each way to go wrong is that job's status, with its reason and its place; its half files are not shown."""
    cell, limits, status, said = ENDINGS[ending]
    if isinstance(engine, StockEngine) and "timeout" in limits:
        limits, said = {"timeout": 20}, said.replace("5 s", "20 s")
    outcome = engine(job(cell, **limits))
    assert outcome.status == status, outcome
    assert said in str(outcome.error), outcome
    assert set(outcome.files) == {"failed": {".ipynb"}}.get(status, set())


def test_endless_output_is_a_failure_and_not_a_full_memory(fork: ForkEngine) -> None:
    """A notebook that prints a gigabyte fails at 20 MB, saying so."""
    outcome = fork(job("for _ in range(1000): print('x' * 1_000_000)", memory=1500))
    assert outcome.status == "failed"
    assert "prints more than 20 MB" in str(outcome.error)


def test_a_file_without_end_is_a_failure_before_the_disk_is_full(fork: ForkEngine, tmp_path: Path) -> None:
    """One file can't take more than a gigabyte; a sparse one shows it without writing it."""
    target = tmp_path / "endless"
    outcome = fork(
        job(f"with open({str(target)!r}, 'wb') as file: file.seek(2**30 + 5); file.write(b'x'); file.flush()")
    )
    assert outcome.status == "failed"
    assert "File too large" in str(outcome.error)


def test_what_a_program_below_printed_is_in_the_notebook(fork: ForkEngine) -> None:
    """Also what doesn't pass through Python's print, in its place."""
    outcome = fork(job("import os\nprint('above')\nos.system('echo below; echo bad >&2')", "print('after')"))
    [_, cells] = [None, nbformat.reads(outcome.files[".ipynb"].decode(), 4).cells]
    texts = [(out.name, out.text) for cell in cells for out in cell.get("outputs", []) if out.output_type == "stream"]
    assert texts == [("stdout", "above\nbelow\n"), ("stderr", "bad\n"), ("stdout", "after\n")]


def test_nothing_of_a_job_is_left_for_the_next(fork: ForkEngine) -> None:
    """Names, modules, the environment, the working directory: the next unit starts as the first did."""
    look = (
        "import os, riskcalc.pages.display, builtins\n"
        "found = [hasattr(builtins, 'leak'), hasattr(riskcalc.pages.display, 'leak'), 'LEAK' in os.environ, os.getcwd(), 'leak' in dir()]"
    )
    leak = (
        "import os, riskcalc.pages.display, builtins, tempfile\n"
        "builtins.leak = riskcalc.pages.display.leak = leak = os.environ['LEAK'] = '1'; os.chdir(tempfile.gettempdir())"
    )
    before, spoilt, after = (fork(job(*cells)) for cells in ((look,), (leak, look), (look,)))
    assert found(spoilt) == [True, True, True, "/tmp", True]
    assert found(before) == found(after) == [False, False, False, str(Path.cwd()), False]


def test_jobs_draw_different_random_numbers(fork: ForkEngine) -> None:
    """Forked processes don't share the state of the generators they inherit."""
    draw = "import random, numpy as np\nfound = [random.random(), float(np.random.random())]"
    first, second = found(fork(job(draw))), found(fork(job(draw)))
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_what_a_job_started_ends_with_it(fork: ForkEngine, tmp_path: Path) -> None:
    """A program that a unit leaves running doesn't outlive the unit's time."""
    start = f"import subprocess\nprocess = subprocess.Popen(['sleep', '600'])\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(process.pid))"
    assert fork(job(start, "while True: pass", timeout=5)).status == "timeout"
    left = int((tmp_path / "pid").read_text())
    wait_for(lambda: not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE)


ORPHAN = "import os\nos.system('setsid sh -c \"sleep 600 & echo \\\\$! > {pid}; wait\" > /dev/null 2>&1 & sleep 1')"


def gone(file: Path) -> bool:
    pid = int(file.read_text())
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("engine", "more", "status"),
    [
        ("fork", "found = 1", "ok"),
        ("fork", "os._exit(3)", "died"),
        ("fork", "while True: pass", "timeout"),
        ("stock", "os._exit(3)", "died"),
    ],
    indirect=["engine"],
)
def test_a_daemon_ends_with_the_unit_that_left_it(engine: Engine, tmp_path: Path, more: str, status: str) -> None:
    """A program in a session of its own, whose parent has ended, doesn't outlive its unit, however that ends."""
    orphan = ORPHAN.format(pid=tmp_path / "pid")
    outcome = engine(job(orphan, more, timeout=5 if isinstance(engine, ForkEngine) else 60))
    assert outcome.status == status, outcome
    assert gone(tmp_path / "pid")


def test_a_child_of_a_unit_that_is_done_ends_too(fork: ForkEngine, tmp_path: Path) -> None:
    """Nothing that a good unit has started runs on."""
    start = f"import subprocess\nprocess = subprocess.Popen(['sleep', '600'], start_new_session=True)\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(process.pid))"
    assert fork(job(start)).status == "ok"
    assert gone(tmp_path / "pid")


def test_when_the_run_is_killed_what_its_units_have_left_ends(tmp_path: Path) -> None:
    """Not even a SIGKILL of the runner leaves daemons behind."""
    script = f"""
import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(ROOT / "tests")!r}]
from test_processes import *
engine = ForkEngine()
Path({str(tmp_path / "home")!r}).write_text(str(engine._home))
engine(job({ORPHAN.format(pid=tmp_path / "pid")!r}, "import time; time.sleep(600)"))
"""
    runner = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"))
    runner.kill()
    runner.wait()
    wait_for(lambda: gone(tmp_path / "pid"))
    wait_for(lambda: not Path((tmp_path / "home").read_text()).exists())


def test_a_notebook_that_stops_its_parent_stops_only_itself() -> None:
    """The others go on: what it stops is a process of its own."""
    engine = ForkEngine()
    try:
        assert engine(job("import os, signal; os.kill(os.getppid(), signal.SIGSTOP)", timeout=5)).status == "timeout"
        assert found(engine(job("found = 1"))) == 1
    finally:
        engine.stop()


def test_a_forking_process_that_does_not_answer_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever stops it costs the job that waits for it some time, and nothing else."""
    monkeypatch.setattr("riskcalc.run.forkserver._ANSWER", 2.0)
    engine = ForkEngine()
    try:
        engine.ready()
        os.kill(engine._forkserver._process.pid, signal.SIGSTOP)
        with pytest.raises(ForkError, match="didn't answer"):
            engine._forkserver.start(tmp_path)
        engine._forkserver = ForkServer("riskcalc.run.worker", engine._home)
        engine.ready()
        os.kill(engine._forkserver._process.pid, signal.SIGSTOP)
        assert found(engine(job("found = 1"))) == 1
    finally:
        engine.stop()


@pytest.mark.parametrize("cell", ["print('a\\ud800b')", "import sys; sys.stderr.write('a\\ud800b')"])
def test_half_a_character_is_shown_as_a_question_mark(fork: ForkEngine, cell: str) -> None:
    """No text can hold it, and the next cells run, as with a kernel."""
    outcome = fork(job(cell, "found = 1"))
    assert found(outcome) == 1
    assert "a?b" in outcome.files[".ipynb"].decode()


def test_an_error_that_names_half_a_character_is_told(fork: ForkEngine) -> None:
    outcome = fork(job("raise ValueError('a\\ud800b')"))
    assert outcome.status == "failed"
    assert "ValueError" in (outcome.error or "")
    assert "a?b" in outcome.files[".ipynb"].decode()


def test_a_job_that_comes_while_the_forking_process_dies_gets_another() -> None:
    """It takes a moment to end, in which it still seems to be there."""
    engine = ForkEngine()
    try:
        engine.ready()
        os.kill(engine._forkserver._process.pid, signal.SIGKILL)
        assert found(engine(job("found = 1"))) == 1
    finally:
        engine.stop()


def test_children_that_end_at_the_same_moment_are_all_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one's signal comes before the first is noted; in a run of 2,000 units it does."""
    told, answers = os.pipe()
    supervisors, ended = (
        {1: os.open(os.devnull, os.O_RDONLY), 2: os.open(os.devnull, os.O_RDONLY)},
        iter([(1, 0), (2, 9)]),
    )

    def waitpid(*_: int) -> tuple[int, int]:
        pair = next(ended, None)
        if pair is None:
            raise ChildProcessError
        if pair[0] == 1:
            _reap(supervisors, answers)
        return pair

    monkeypatch.setattr("riskcalc.run.forkserver.os.waitpid", waitpid)
    _reap(supervisors, answers)
    os.close(answers)
    with os.fdopen(told) as lines:
        assert [(one["pid"], one["code"]) for one in map(json.loads, lines)] == [(2, -9), (1, 0)]


def test_one_supervisor_runs_one_job_after_the_other_and_is_replaced_when_it_is_killed(fork: ForkEngine) -> None:
    def above() -> int:
        return int(str(found(fork(job("import os\nfound = os.getppid()")))))

    first = above()
    assert above() == first
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(first))
    assert above() != first
    assert fork(job("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)", "while True: pass")).status == "died"
    assert above() not in (0, first)


def test_what_a_job_has_left_ends_neither_it_nor_the_next(fork: ForkEngine) -> None:
    """Its supervisor takes no order to end from it: that came when the next job ran, which was told as died."""
    cell = (
        "import os, subprocess\nsubprocess.Popen(f'while kill -TERM {os.getppid()}; do :; done', shell=True)\nfound = 1"
    )
    for _ in range(3):
        assert found(fork(job(cell))) == 1
        assert found(fork(job("found = 2"))) == 2


def test_a_process_that_lost_its_parent_before_it_could_say_so_ends_at_once() -> None:
    """A job whose supervisor was killed as it was forked ran on for ever."""
    code = "from riskcalc.run.descendants import end_with_parent\nend_with_parent(0, 9)\nprint('still there')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "")


def test_what_starts_a_daemon_after_the_other_ends_with_all_of_them(tmp_path: Path) -> None:
    """What was started between the last look and the end stayed."""
    code = (
        "import subprocess\nfrom riskcalc.run.descendants import become_subreaper\nbecome_subreaper()\n"
        f"while True: subprocess.run('setsid sleep 60 &', shell=True, cwd={str(tmp_path)!r})"
    )
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", code])
        time.sleep(0.3)
        end_family(process.pid)
        process.wait(10)
        left = psutil.process_iter(["name", "cwd"])
        assert not [each for each in left if each.info["name"] == "sleep" and each.info["cwd"] == str(tmp_path)]


class Told:
    """A process of which it is known how it ends."""

    pid = os.getpid()

    def __init__(self) -> None:
        self.code: Future[int] = Future()

    def wait(self, timeout: float) -> int:
        return self.code.result(timeout)

    def kill(self) -> bool:
        if self.code.done():
            return False
        self.code.set_result(-9)
        return True


@pytest.mark.parametrize("limits", [{"timeout": 0}, {"memory": 0.1}])
def test_a_job_that_ends_by_itself_at_the_last_moment_is_told_by_that(
    stock: StockEngine, tmp_path: Path, limits: dict[str, float]
) -> None:
    """Its time was up, or the next job of its supervisor took much memory: it was told as late, or as too large."""

    class Late(Told):
        def wait(self, timeout: float) -> int:
            if not self.code.done():
                self.code.set_result(0)
                raise TimeoutError
            return super().wait(timeout)

    (tmp_path / "outcome.json").write_text('{"status": "ok", "error": null}')
    assert stock._watch(Late(), job(**limits), tmp_path) == ("ok", None)


def test_stopping_ends_a_job_whose_supervisor_had_another_one_before() -> None:
    """When the one before was put away, the one that runs was forgotten."""

    class Supervised(StockEngine):
        def _start(self, work: Path) -> Told:  # noqa: ARG002
            started.append(Told())
            return started[-1]

    started: list[Told] = []
    engine = Supervised()
    with ThreadPoolExecutor(2) as executor:
        first = executor.submit(engine, job())
        wait_for(lambda: len(started) == 1)
        second = executor.submit(engine, job())
        wait_for(lambda: len(engine._running) == 2)
        started[0].code.set_result(0)
        first.result(10)
        engine.stop()
        assert second.result(10).error == "killed by SIGKILL"


def test_too_much_from_below_is_a_failure_in_its_cell(fork: ForkEngine) -> None:
    """A program that a cell starts may print no more than the cell itself."""
    outcome = fork(job("import os\nfor _ in range(60): os.write(1, b'x' * 1_000_000)"))
    assert outcome.status == "failed"
    assert outcome.error == "cell 2 (import os): RuntimeError: The notebook prints more than 20 MB."
    assert "prints more than 20 MB" in outcome.files[".ipynb"].decode()


@pytest.mark.parametrize(
    "said", ["", "[]", "7", "[" * 100_000, '{"status": "great", "error": null}', '{"status": ["ok"], "error": {}}',
             '{"status": "ok"}', '{"status": ' + "9" * 5000 + "}", "\x00"],
    ids=str.__len__,
)  # fmt: skip
def test_a_worker_that_tells_nonsense_has_died(tmp_path: Path, said: str) -> None:
    """A notebook can write where its worker does: what is no outcome is never a success."""
    (tmp_path / "outcome.json").write_text(said)
    assert _told(tmp_path, 0)[0] == "died"
    (tmp_path / "outcome.json").unlink()
    os.mkfifo(tmp_path / "outcome.json")
    os.mkfifo(tmp_path / "stderr")
    assert _told(tmp_path, 0)[0] == "died"


def test_a_result_that_is_no_table_is_a_failure(fork: ForkEngine) -> None:
    """Said as that, not as a death."""
    book = nbformat.reads(job().notebook, 4)
    book.cells[-1].source = "from riskcalc.pages.display import RESULT_MIME\ndisplay({RESULT_MIME: [1]}, raw=True)"
    outcome = fork(replace(job(), notebook=nbformat.writes(book)))
    assert (outcome.status, outcome.error) == ("failed", "the notebook's result is no table of values but [1]")


def test_many_jobs_at_once_keep_apart(fork: ForkEngine) -> None:
    """Each thread gets the outcome of its own job."""
    with ThreadPoolExecutor(6) as executor:
        outcomes = executor.map(lambda n: fork(job(f"found = {n} * 10", unit=f"u{n}")), range(12))
    assert [found(outcome) for outcome in outcomes] == [n * 10 for n in range(12)]


def test_when_the_forking_process_is_killed_its_jobs_have_died_and_the_next_ones_run() -> None:
    """Not even that loses more than what was running."""
    engine = ForkEngine()
    try:
        with ThreadPoolExecutor(1) as executor:
            running = executor.submit(engine, job("import time; time.sleep(600)"))
            wait_for(lambda: bool(engine._running))
            time.sleep(0.5)
            os.kill(engine._forkserver._process.pid, signal.SIGKILL)
            assert running.result(30).status == "died"
        assert found(engine(job("found = 1"))) == 1
    finally:
        engine.stop()


def test_stopping_ends_what_runs_and_starts_nothing_more() -> None:
    """As Ctrl-C does."""
    engine = ForkEngine()
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(engine, job("import time; time.sleep(600)"))
        wait_for(lambda: bool(engine._running))
        engine.stop()
        assert running.result(30).status in ("died", "failed")
    assert engine(job("found = 1")).error == "stopped before it began"
    assert not engine._home.exists()


def test_pyarrow_starts_no_thread(tmp_path: Path) -> None:
    """pandas imports it where it is installed; its allocator would start one."""
    pytest.importorskip("pyarrow", reason="tried where it is installed; nothing needs it")
    server = ForkServer("riskcalc.run.worker", tmp_path / "home")
    server.ready()
    server.close()


def test_a_process_with_threads_is_not_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork would leave the threads' locks locked for ever: the reason is said instead."""
    module = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\ndef warm_up(): pass\n"
    (tmp_path / "threaded.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ForkError, match="threads run after the imports, so it can't fork: python"):
        ForkServer("threaded", tmp_path / "home").ready()


def test_a_thread_that_is_about_to_end_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine one that was joined is still there for a moment, and the run was done the slow way."""
    module = "import threading, time\ndef warm_up(): threading.Thread(target=time.sleep, args=(0.2,)).start()\ndef forked(_): pass\n"
    (tmp_path / "brief.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = ForkServer("brief", tmp_path / "home")
    server.ready()
    server.close()


def test_where_nothing_can_be_forked_the_stock_engine_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slower, and said; asking for forks is refused."""
    monkeypatch.setattr("riskcalc.run.forkserver.sys.platform", "win32")
    with engines("auto") as ways:
        ways.ready()
        assert isinstance(ways.engine, StockEngine)
        assert ways.note == "Slower than it could be: processes are forked on Linux only."
    with engines("fork") as ways, pytest.raises(ForkError, match="forked on Linux only"):
        ways.ready(must_fork=True)
    assert isinstance(on_this_machine("auto"), StockEngine)


# --- the same as papermill's own ---


def cells(content: str) -> list[tuple[object, ...]]:
    """What a reader of a notebook sees, without the times and random ids of its run."""
    return [
        (cell.cell_type, cell.source, cell.get("execution_count"), cell.metadata.get("tags"), cell.get("outputs"))
        for cell in nbformat.reads(content, 4).cells
    ]


@pytest.mark.parametrize("book", ["assessment", "portfolio"])
def test_forked_and_stock_give_the_same_notebook_and_page(
    fork: ForkEngine, stock: StockEngine, sample: Register, book: str
) -> None:
    """Cell by cell, byte by byte, whichever way it was run."""
    unit = "payroll" if book == "assessment" else None
    parameters = {"data_dir": str(sample.source), **({"business_unit": unit} if unit else {})}
    text = (ROOT / "notebooks" / f"{book}.ipynb").read_text("utf-8")
    asked = Job(book, text, parameters, 120, 4096, share=pack(Subsets(sample), str(sample.source), unit))
    forked, kernel = fork(asked), stock(asked)
    assert (forked.status, kernel.status) == ("ok", "ok"), (forked.error, kernel.error)
    assert cells(forked.files[".ipynb"].decode()) == cells(kernel.files[".ipynb"].decode())
    assert forked.files[".html"] == kernel.files[".html"]
    assert forked.files[".json"] == kernel.files[".json"]


def test_a_job_gets_its_share_and_reads_no_register(fork: ForkEngine, sample: Register) -> None:
    """What was handed over is used: the folder need not even exist there."""
    share = pack(Subsets(sample.at(sample.period())), "nowhere", "payroll")
    asked = job("from riskcalc import open_unit\nfound = open_unit('payroll', data_dir='nowhere').unit['name']")
    assert found(fork(replace(asked, share=share))) == "Payroll Services"
    other = fork(job("from riskcalc import open_unit\nfound = open_unit('loans', data_dir='nowhere')"))
    assert "There is no folder 'nowhere'" in str(other.error)


EVERYTHING = [
    "print('one'); print('two')\n1 + 1",
    "import sys; print('bad', file=sys.stderr); print('good')",
    "await __import__('asyncio').sleep(0.01)\n3",
    "from IPython.display import HTML, clear_output, display\nshown = display(HTML('<b>a</b>'), display_id='x')",
    "shown.update(HTML('<i>b</i>'))",
    "print(1); clear_output(); print(2)",
    "import datetime\ndisplay({'application/json': {1: datetime.datetime(2026, 1, 1), 'x': (1, 2.5)}}, raw=True)",
    "!echo from the shell",
    "%%bash\necho magic",
    "def f():\n    return 1 / 0\nf()",
]


def test_papermills_own_command_can_use_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--engine riskcalc``: the same outputs, in a process of its own, and the same exception."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.ipynb").write_text(notebook(*EVERYTHING))
    for name in ("riskcalc", "nbclient"):
        with pytest.raises(papermill.PapermillExecutionError, match="ZeroDivisionError"):
            papermill.execute_notebook(
                "in.ipynb", f"{name}.ipynb", {"found": 1}, engine_name=name, kernel_name="python3", progress_bar=False
            )
    [ours, theirs] = [cells(Path(f"{name}.ipynb").read_text("utf-8")) for name in ("riskcalc", "nbclient")]
    assert ours == theirs


@pytest.mark.parametrize(
    ("cell", "options", "error", "said"),
    [
        ("import os; os._exit(3)", {}, "DeadKernelError", "exit code 3"),
        ("while True: pass", {"execution_timeout": 2}, "CellTimeoutError", "A cell still ran after 2 s"),
    ],
)
def test_papermills_command_is_told_of_dead_and_late_cells(
    tmp_path: Path, cell: str, options: dict[str, float], error: str, said: str
) -> None:
    """By the exceptions that papermill's own engine raises."""
    (tmp_path / "in.ipynb").write_text(notebook(cell))
    with pytest.raises(Exception, match=said) as raised:
        papermill.execute_notebook(
            tmp_path / "in.ipynb", tmp_path / "out.ipynb", engine_name="riskcalc", kernel_name="python3",
            progress_bar=False, **options,
        )  # fmt: skip
    assert raised.type.__name__ == error


@pytest.mark.parametrize("code", ["print('import riskcalc')", "# import riskcalc", "import riskcalculator"])
def test_the_engine_refuses_notebooks_that_it_is_not_made_for(tmp_path: Path, code: str) -> None:
    """They may see a difference to their kernel; better a sentence than other outputs."""
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), tmp_path / "in.ipynb")
    with pytest.raises(papermill.exceptions.PapermillException, match="leave the option away"):
        papermill.execute_notebook(
            tmp_path / "in.ipynb", None, engine_name="riskcalc", kernel_name="python3", progress_bar=False
        )


@pytest.mark.parametrize(
    "said",
    [{"kernelspec": {"name": "bash", "display_name": "Bash", "language": "bash"}}, {"language_info": {"name": "bash"}}],
)
def test_the_engine_refuses_a_notebook_of_another_language(tmp_path: Path, said: dict[str, dict[str, str]]) -> None:
    """Its cells would be run as Python, whatever they mean."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import riskcalc")], metadata=said)
    nbformat.write(book, tmp_path / "in.ipynb")
    with pytest.raises(papermill.exceptions.PapermillException, match="leave the option away"):
        papermill.execute_notebook(
            tmp_path / "in.ipynb", None, engine_name="riskcalc", kernel_name="python3", progress_bar=False,
            language="python",
        )  # fmt: skip


def test_the_engine_refuses_a_kernel_of_another_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``papermill -k bash`` asks for: the notebook would be run as Python all the same."""
    (tmp_path / "kernels/bash").mkdir(parents=True)
    spec = {"argv": ["bash"], "display_name": "Bash", "language": "bash"}
    (tmp_path / "kernels/bash/kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import riskcalc")])
    nbformat.write(book, tmp_path / "in.ipynb")
    with pytest.raises(papermill.exceptions.PapermillException, match="leave the option away"):
        papermill.execute_notebook(
            tmp_path / "in.ipynb", None, engine_name="riskcalc", kernel_name="bash", progress_bar=False
        )


def test_where_nothing_can_be_forked_the_engine_is_papermills_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS and Windows."""

    def refused(_: ForkServer) -> None:
        raise ForkError("processes are forked on Linux only")

    monkeypatch.setattr(ForkServer, "ready", refused)
    (tmp_path / "in.ipynb").write_text(notebook("import os\nos.getppid()"))
    done = papermill.execute_notebook(tmp_path / "in.ipynb", None, engine_name="riskcalc", progress_bar=False)
    assert str(os.getpid()) in str(done.cells[-2].outputs), "a kernel is this process's own child"


def test_what_ran_before_a_second_ago_is_kept_when_a_cell_kills_its_process(tmp_path: Path) -> None:
    """Saving the whole notebook before each cell took four times as long as the cells; once a second is enough."""
    (tmp_path / "in.ipynb").write_text(notebook("1 + 1", "import time; time.sleep(1.1)", "import os; os._exit(3)"))
    with pytest.raises(Exception, match="exit code 3"):
        papermill.execute_notebook(
            tmp_path / "in.ipynb", tmp_path / "out.ipynb", engine_name="riskcalc", kernel_name="python3",
            progress_bar=False,
        )  # fmt: skip
    *_, outputs = cells((tmp_path / "out.ipynb").read_text("utf-8"))[1]
    assert outputs


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_memory_that_is_freed_between_others_is_handed_back() -> None:
    """A runner that has read a large register keeps what it needs of it; by itself it would keep half as much again."""
    use = """
import psutil
from riskcalc.run.descendants import hand_back_memory
{first}
for _ in range(2):  # what is freed once counts as small from then on
    blocks = [b"x" * 2**20 for _ in range(200)]
    kept = blocks[-1]
    del blocks
print(psutil.Process().memory_full_info().uss >> 20)
"""
    held = {
        first: int(subprocess.check_output([sys.executable, "-c", use.format(first=first)]))
        for first in ("", "hand_back_memory()")
    }
    assert held["hand_back_memory()"] < held[""] - 150
