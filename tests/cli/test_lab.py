"""riskcalc lab, what the Tab key proposes, and pipes that end early: what people meet at a terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.shell_completion import ShellComplete

from cli.test_main import invoke
from riskcalc.cli.main import main
from riskcalc.notebook_files import packaged


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What JupyterLab would have been started with, instead of starting it."""
    started: list[list[str]] = []
    monkeypatch.setitem(
        sys.modules, "jupyterlab.labapp", SimpleNamespace(LabApp=SimpleNamespace(launch_instance=started.append))
    )
    return started


def test_lab_brings_the_notebooks_and_keeps_what_is_ones_own(tmp_path: Path, opened: list[list[str]]) -> None:
    """Each notebook lies in DIR/notebooks; one that somebody has changed stays, and that is said."""
    own = tmp_path / "notebooks" / "portfolio.ipynb"
    own.parent.mkdir()
    own.write_text("mine")
    code, said = invoke("lab", str(tmp_path), "--", "--no-browser")
    assert code == 0
    assert own.read_text() == "mine"
    assert "different from those of this version: portfolio.ipynb" in said
    names = sorted(path.name for path in packaged().glob("*.ipynb"))
    assert sorted(path.name for path in own.parent.iterdir()) == names
    assert (own.parent / "assessment.ipynb").read_bytes() == (packaged() / "assessment.ipynb").read_bytes()
    [arguments] = opened
    assert f"--ServerApp.root_dir={tmp_path}" in arguments
    assert arguments[-1] == "--no-browser"

    assert "Copied" not in invoke("lab", str(tmp_path))[1]


def test_lab_in_a_folder_that_is_not_there_writes_nothing(tmp_path: Path, opened: list[list[str]]) -> None:
    """A path mistyped, or an option without the -- before it, makes no folder."""
    code, said = invoke("lab", str(tmp_path / "nowhere"))
    assert (code, opened, list(tmp_path.iterdir())) == (2, [], [])
    assert "does not exist" in said


def test_lab_without_its_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name to install, no traceback, and nothing is copied."""
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", None)
    assert invoke("lab", str(tmp_path)) == (
        2,
        "jupyterlab isn't installed; it comes with: pip install 'riskcalc-workbook[lab]'.\n",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "begun", "proposed"),
    [
        (["run", "DATA", "--unit"], "al", ["alpha"]),
        (["check", "DATA", "--period"], "", ["2025-H2", "2026-H1"]),
        (["plan", "DATA", "--control"], "A-", ["A-C1", "A-C2", "A-G1"]),
        (["workshop", "record", "DATA", "--unit"], "", ["alpha", "beta"]),
        (["run", "nowhere", "--unit"], "", []),
    ],
)
def test_the_tab_key_proposes_what_the_register_holds(
    small: Path, typed: list[str], begun: str, proposed: list[str]
) -> None:
    """Ids and periods of the register that was named; of one that isn't there, nothing, and no traceback."""
    found = ShellComplete(main, {}, "riskcalc", "_RISKCALC_COMPLETE").get_completions(
        [str(small) if each == "DATA" else each for each in typed], begun
    )
    assert [each.value for each in found] == proposed


def test_the_tab_key_proposes_nothing_that_a_terminal_would_obey(small: Path) -> None:
    """An id with an escape sequence never reaches the shell."""
    file = small / "business_units.csv"
    file.write_text(file.read_text("utf-8").replace("beta", "be\x1b[2Kta"), "utf-8")
    found = ShellComplete(main, {}, "riskcalc", "_RISKCALC_COMPLETE").get_completions(["run", str(small), "--unit"], "")
    assert [each.value for each in found] == ["alpha"]


def test_a_reader_who_has_seen_enough_ends_plan_quietly(small: Path) -> None:
    """`plan | head` leaves no message behind: what head has shown is all that was wanted."""
    run = [
        sys.executable,
        "-c",
        "import os; from riskcalc.cli.main import main; os.read(0, 1); main()",
        "plan",
        str(small),
    ]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as begun:
        assert begun.stdin
        assert begun.stdout
        assert begun.stderr
        begun.stdout.close()
        begun.stdin.write(b"\n")
        begun.stdin.close()
        assert begun.stderr.read() == b""
