"""`riskcalc run` as its users run it: real notebooks, real processes, and everything that goes wrong with them."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from register_files import replace_in, write_register
from running import run_here
from waiting import wait_for

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"


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


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "riskcalc", "run", *arguments]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=cwd, check=False)


def manifest(tmp_path: Path, out: str = "out") -> dict[str, Any]:
    return json.loads((tmp_path / out / "2026-H1/manifest.json").read_text("utf-8"))


def statuses(tmp_path: Path, out: str = "out") -> dict[str, str]:
    return {unit["unit_id"]: unit["status"] for unit in manifest(tmp_path, out)["units"]}


@pytest.mark.parametrize(
    ("cell", "status", "said", "engine"),
    [
        ('raise ValueError("no such rate <b>")', "failed", 'cell 5 (if business_unit == "alpha":): ValueError: no such rate <b>', "fork"),
        ("import ctypes; ctypes.string_at(0)", "died", 'cell 5 (if business_unit == "alpha":)', "fork"),
        ("import ctypes; ctypes.string_at(0)", "died", 'cell 5 (if business_unit == "alpha":)', "stock"),
    ],
)  # fmt: skip
def test_a_unit_that_goes_wrong_is_told_everywhere_and_the_others_are_done(
    small: Path, tmp_path: Path, cell: str, status: str, said: str, engine: str
) -> None:
    """In the manifest, on the organisation's page, in the summary, by the exit code; its page isn't there."""
    books = broken_notebooks(tmp_path, cell)
    asked = [str(small), "--notebooks", str(books), "--out", "out", "--engine", engine, "--summary", "mail.txt"]
    done = run(*asked, cwd=tmp_path)
    mailed = "riskcalc run: exit code 1, something went wrong\n\n" + done.stdout
    assert (tmp_path / "mail.txt").read_text("utf-8") == mailed
    assert "How 1 unit stands isn't known: alpha." in mailed
    units = {unit["unit_id"]: unit for unit in manifest(tmp_path)["units"]}
    assert (units["alpha"]["status"], units["beta"]["status"], done.returncode) == (status, "ok", 1), done.stderr
    assert said in units["alpha"]["error"]
    assert f"Went wrong:\n  alpha: {status}: " in done.stdout
    index = (tmp_path / "out/2026-H1/index.html").read_text("utf-8")
    assert said.replace('"', "&#34;").replace("'", "&#39;").replace("<", "&lt;").replace(">", "&gt;") in index
    assert not (tmp_path / "out/2026-H1/alpha.html").exists()
    assert "Traceback" not in done.stderr


def test_a_failure_takes_away_the_page_of_an_earlier_success(small: Path, tmp_path: Path) -> None:
    """Nobody mails last week's page as today's."""
    run_here(small, "--notebooks", NOTEBOOKS, "--out", tmp_path / "out")
    assert (tmp_path / "out/2026-H1/alpha.html").exists()
    books = broken_notebooks(tmp_path, "raise SystemError")
    run_here(small, "--notebooks", books, "--out", tmp_path / "out", code=1)
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
    run_here(folder, "--notebooks", NOTEBOOKS, "--out", tmp_path / "out {y}")
    units = manifest(tmp_path, "out {y}")["units"]
    assert [unit["unit_id"] for unit in units] == [name, "NA"]
    for unit in units:
        [result] = [file for file in unit["outputs"] if file.endswith(".json")]
        assert json.loads((tmp_path / "out {y}/2026-H1" / result).read_text("utf-8"))["unit_id"] == unit["unit_id"]


def test_two_runs_give_identical_pages(small: Path, tmp_path: Path) -> None:
    """Nothing in a page depends on when or where it was made; nor on the engine, see test_processes."""
    pages = []
    for out in ("a", "b"):
        run_here(small, "--notebooks", NOTEBOOKS, "--out", tmp_path / out)
        pages.append({page.name: page.read_bytes() for page in (tmp_path / out / "2026-H1").glob("*.html")})
    assert sorted(pages[0]) == ["alpha.html", "beta.html", "index.html"]
    assert {name: pages[1][name] == page for name, page in pages[0].items()} == dict.fromkeys(pages[0], True)


@pytest.mark.parametrize(
    ("sent", "code", "engine"),
    [
        (signal.SIGINT, 130, "fork"),
        (signal.SIGTERM, 130, "fork"),
        (signal.SIGTERM, 130, "stock"),
        (signal.SIGKILL, -9, "fork"),
        (signal.SIGKILL, -9, "stock"),
    ],
)
def test_a_run_that_is_stopped_leaves_no_process_behind(
    small: Path, tmp_path: Path, sent: signal.Signals, code: int, engine: str
) -> None:
    """Ctrl-C, a scheduler's stop, even a kill: nothing runs on, no file is half written, and the manifest says so."""
    books = broken_notebooks(tmp_path, f"open({str(tmp_path / 'runs')!r}, 'w').close(); import time; time.sleep(600)")
    asked = command(str(small), "--notebooks", str(books), "--out", "out", "--engine", engine, "--summary", "mail.txt")
    process = subprocess.Popen(
        asked, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    wait_for(lambda: (tmp_path / "runs").exists())
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    os.kill(process.pid, sent)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code, said
    assert b"Traceback" not in said
    assert sent is signal.SIGKILL or b"done and kept; the same command does the rest" in said
    mailed = (tmp_path / "mail.txt").read_text("utf-8")
    killed = "This run has not come to its end: it is still going on, or was killed"
    assert mailed.startswith(killed if sent is signal.SIGKILL else "riskcalc run: exit code 130, interrupted\n\n")
    wait_for(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in family))
    assert manifest(tmp_path)["finished"] is False
    assert statuses(tmp_path)["alpha"] == "pending"
    run_here(small, "--notebooks", NOTEBOOKS, "--out", tmp_path / "out")
    assert [file.name for file in (tmp_path / "out/2026-H1").iterdir() if file.name.startswith(".part")] == []


def test_a_run_killed_at_any_moment_leaves_whole_files_and_a_true_manifest(small: Path, tmp_path: Path) -> None:
    """What is there can be read to its end; what the manifest claims is there, with its hash."""
    moments = random.Random(6)
    for _ in range(3):
        asked = command(str(small), "--notebooks", str(NOTEBOOKS), "--out", "out", "--force")
        process = subprocess.Popen(asked, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        process.stderr.readline()  # a unit has ended; the next are being written
        time.sleep(moments.uniform(0, 0.4))
        process.kill()
        process.communicate()
        folder = tmp_path / "out/2026-H1"
        for page in folder.glob("*.html"):
            assert page.read_text("utf-8").rstrip().endswith("</html>"), page
        for file in [*folder.glob("*.json"), *folder.glob("*.ipynb")]:
            json.loads(file.read_text("utf-8"))
        for unit in manifest(tmp_path)["units"]:
            assert unit["status"] in ("pending", "ok")
            assert set(unit["outputs"]) <= {file.name for file in folder.iterdir()}


def test_a_machine_gets_a_line_of_json_per_unit_and_people_a_summary(small: Path, tmp_path: Path) -> None:
    """Standard output is for the machine alone."""
    done = run(str(small), "--notebooks", str(NOTEBOOKS), "--out", "out", "--json", cwd=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(line["unit_id"] for line in lines[:-1]) == ["alpha", "beta"]
    assert lines[-1]["unit_id"] == "organisation"
    assert {line["status"] for line in lines} == {"ok"}
    assert "2 units in " in done.stderr
    assert done.stderr.rstrip().endswith("Open out/2026-H1/index.html")


def test_shards_share_the_work_and_the_next_run_closes_it(small: Path, tmp_path: Path) -> None:
    """Each machine runs its part; a run without --shard takes them in, does what is left, and makes the whole page."""
    common = [small, "--notebooks", NOTEBOOKS, "--out", tmp_path / "out"]
    for number in (1, 2):
        done = run_here(*common, "--shard", f"{number}/2")
        assert "a run without --shard makes the organisation's page" in done.stdout
    folder = tmp_path / "out/2026-H1"
    assert sorted(file.name for file in folder.glob("manifest*")) == [
        "manifest.shard-1-of-2.json",
        "manifest.shard-2-of-2.json",
    ]
    assert not (folder / "index.html").exists()
    run_here(*common)
    assert statuses(tmp_path) == {"alpha": "unchanged", "beta": "unchanged"}
    assert [file.name for file in folder.glob("manifest*")] == ["manifest.json"]
    assert (folder / "index.html").exists()


@pytest.mark.parametrize("shard", ["3/2", "0/2", "2", "a/b", "-1/2", "1/2/3"])
def test_a_shard_that_cannot_be_is_refused(small: Path, shard: str) -> None:
    """The message says what is allowed."""
    done = run_here(small, "--shard", shard, code=2)
    assert f"{shard!r}; allowed: I/N with I from 1 to N, such as 2/4." in done.stderr


def test_a_breach_can_fail_a_run_also_when_nothing_has_changed(small: Path, tmp_path: Path) -> None:
    """A scheduler gets 3 as long as a risk is outside appetite."""
    common = [small, "--notebooks", NOTEBOOKS, "--out", tmp_path / "out", "--fail-on-breach"]
    replace_in(small / "business_units.csv", ",Medium,", ",Low,")
    run_here(*common, code=3)
    again = run_here(*common, code=3)
    assert statuses(tmp_path)["alpha"] == "unchanged"
    assert "outside appetite, in" in again.stdout
