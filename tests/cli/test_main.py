"""The command line, as it is typed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from register_files import replace_in

from riskcalc.cli.main import main


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["run", "check"])
def test_help_shows_examples(command: str) -> None:
    """Every command's help ends with lines that can be typed."""
    code, said = invoke(command, "--help")
    assert code == 0
    assert f"  riskcalc {command} " in said.partition("Examples:")[2]


def test_check_says_that_all_is_well(small: Path) -> None:
    """What was read, so that an empty folder isn't mistaken for a good one."""
    code, said = invoke("check", str(small))
    assert (code, said.splitlines()[-1]) == (
        0,
        f"{small} can be used; 13 findings, 2 to act on; 1 of 2 rated risks outside appetite; 1 newly since the period "
        "before; 1 risk unrated; 2 decisions to take; 2 units, 3 risks, 4 controls; 2026-H1 seen from 2026-06-30 "
        "(the latest period that is at least half rated: 2 of 3 risks).",
    )


@pytest.mark.parametrize("command", ["run", "excel export", "check"])
def test_help_says_from_which_day_a_period_is_seen(command: str) -> None:
    """A test after the period's end moves the day, so the help doesn't promise the last one."""
    said = " ".join(invoke(*command.split(), "--help")[1].split())
    assert re.search(r"its latest test('s)? or rating('s)? if (that is )?later", said)


def test_check_names_the_day_of_a_late_test(small: Path) -> None:
    """The day it is seen from is that of the test, not the period's last."""
    tests = small / "control_tests.csv"
    tests.write_text(tests.read_text("utf-8").replace("2026-06-15", "2026-07-09", 1), "utf-8")
    assert invoke("check", str(small))[1].splitlines()[-1].partition("; 2026-H1 seen from 2026-07-09 (")[1]


def test_check_tells_how_cells_were_read(small: Path) -> None:
    """Where and what was typed, and what it was read as; for machines, too."""
    replace_in(small / "risk_controls.csv", "A-R1,A-C1,likelihood,0.5", "A-R1 ,A-C1,Likelihood,50%")
    code, said = invoke("check", str(small))
    assert (code, said.splitlines()[:3]) == (
        0,
        [
            "risk_controls.csv:2: column 'acts_on': 'Likelihood': read as likelihood",
            "risk_controls.csv:2: column 'coverage': '50%': read as 0.5",
            "risk_controls.csv:2: column 'risk_id': 'A-R1 ': read as 'A-R1', without the blanks around it",
        ],
    )
    assert [note["column"] for note in json.loads(invoke("check", str(small), "--json")[1])["notes"]] == [
        "acts_on", "coverage", "risk_id",
    ]  # fmt: skip


def test_check_prints_all_problems_and_exits_2(small: Path) -> None:
    """File, line, column, value and what is allowed, for each."""
    replace_in(small / "risk_controls.csv", "A-R1,A-C1,likelihood,0.5", "A-R9,A-C1,likelihood,1.5")
    replace_in(small / "mappings.csv", "A-G1", "A-G9")
    code, said = invoke("check", str(small))
    assert code == 2
    assert said.splitlines()[1:] == [
        "mappings.csv:2: column 'control_id': 'A-G9': is not in controls.csv; there are: A-C1, A-C2, A-G1, B-C1",
        "risk_controls.csv:2: column 'coverage': '1.5': allowed: a number from 0 to 1, such as 0.8",
        "risk_controls.csv:2: column 'risk_id': 'A-R9': is not in risks.csv; there are: A-R1, A-R2, B-R1",
    ]


def test_check_as_json_gives_each_problem_its_place(small: Path) -> None:
    """For machines: the same, as values."""
    replace_in(small / "mappings.csv", "A-G1", "A-G9")
    code, said = invoke("check", str(small), "--json")
    assert code == 2
    [problem] = json.loads(said)["problems"]
    assert (problem["file"], problem["line"], problem["column"], problem["value"]) == (
        "mappings.csv",
        2,
        "control_id",
        "A-G9",
    )
    assert "A-C1, A-C2, A-G1, B-C1" in problem["allowed"]


def test_check_tells_what_is_wrong_with_the_matrix(small: Path) -> None:
    """A finding is printed and costs nothing; with --strict it fails the check."""
    replace_in(
        small / "methodology.toml",
        '["Low", "Low", "Low", "Medium", "High"]',
        '["High", "Low", "Low", "Medium", "High"]',
    )
    code, said = invoke("check", str(small))
    assert code == 0
    assert "methodology.toml: not monotone: Rare x Negligible is High, Rare x Minor is Low" in said
    assert invoke("check", str(small), "--strict")[0] == 1
    checks = {finding["check"]: finding for finding in json.loads(invoke("check", str(small), "--json")[1])["findings"]}
    assert checks["matrix"]["severity"] == "look"
    assert checks["risk-without-control"]["row"] == "A-R2"


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_folder_that_is_not_there_is_bad_input(command: str, tmp_path: Path) -> None:
    """No traceback for a path mistyped, exit code 2."""
    code, said = invoke(command, str(tmp_path / "nowhere"))
    assert code == 2
    assert "There is no folder" in said
    assert "Traceback" not in said


def test_run_refuses_a_register_with_problems_and_writes_nothing(small: Path, tmp_path: Path) -> None:
    """Nothing ran: exit code 2, no output folder."""
    replace_in(small / "mappings.csv", "A-G1", "A-G9")
    code, said = invoke("run", str(small), "--out", str(tmp_path / "out"))
    assert code == 2
    assert "mappings.csv:2" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--period", "2031-H1"], "2031-H1"),
        (["--unit", "nosuch"], "'nosuch'"),
        (["--shard", "3/2"], "'3/2'"),
        (["--nosuch"], "--nosuch"),
        (["--timeout", "soon"], "'soon'"),
    ],
)
def test_the_mail_of_a_run_tells_why_nothing_ran(small: Path, tmp_path: Path, options: list[str], said: str) -> None:
    """A schedule that mails the summary mails what must be mended, not the summary of last week."""
    mail = tmp_path / "mail.txt"
    mail.write_text("all well", "utf-8")
    code, output = invoke("run", str(small), "--out", str(tmp_path / "out"), *options, f"--summary={mail}")
    told = mail.read_text("utf-8")
    assert (code, told.splitlines()[0]) == (2, "riskcalc run: exit code 2, bad input, nothing ran")
    assert said in told
    assert told.splitlines()[2] in output
    assert not (tmp_path / "out").exists()


def test_a_mail_that_can_not_be_written_is_told_before_anything_runs(small: Path, tmp_path: Path) -> None:
    """Nobody waits for a mail that won't come."""
    code, said = invoke("run", str(small), "--out", str(tmp_path / "out"), "--summary", str(tmp_path / "no/mail.txt"))
    assert (code, "can't be written" in said, (tmp_path / "out").exists()) == (2, True, False)


def test_a_missing_extra_says_what_to_install(small: Path) -> None:
    """Without what workshops need, a command of theirs names the extra; no traceback."""
    code = "import sys; sys.modules['sqlalchemy'] = None; from riskcalc.cli.main import main; main()"
    run = [sys.executable, "-c", code, "workshop", "ballots", str(small)]
    found = subprocess.run(run, capture_output=True, text=True)
    told = "sqlalchemy isn't installed; it comes with: pip install 'riskcalc-workbook[workshop]'.\n"
    assert (found.returncode, found.stderr) == (2, told)


@pytest.mark.parametrize("arguments", [["plan"], ["run", "--unit", "nosuch"]])
def test_an_id_can_not_move_the_cursor(small: Path, arguments: list[str]) -> None:
    """What a terminal would obey is printed as an escape: no id forges a line."""
    for file in small.glob("*.csv"):
        file.write_text(re.sub("\\balpha\\b", "al\x1b[2Kpha", file.read_text("utf-8")), "utf-8")
    command, *options = arguments
    _, output = invoke(command, str(small), *options)
    assert r"al\x1b[2Kpha" in output
    assert "\x1b" not in output
