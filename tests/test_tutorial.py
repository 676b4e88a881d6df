"""The tutorial, followed literally: its files written, its commands run, as they stand in the document."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
STEPS = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", (ROOT / "docs" / "tutorial.md").read_text("utf-8"), re.M | re.S)

CONFIRMED = dict.fromkeys(("likelihood", "impact", "rationale", "rated_by", "rated_on"))


def _typed(command: str, folder: Path) -> str:
    """Run a command of the document, which must end well, and return what it says."""
    program, *arguments = shlex.split(command)
    assert program == "riskcalc", command
    run = [sys.executable, "-m", "riskcalc", *arguments]
    found = subprocess.run(
        run,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, f"{command}\n{found.stdout}{found.stderr}"
    return found.stdout


def _follow(folder: Path, steps: list[tuple[str, str, str]]) -> str:
    said = ""
    for language, file, text in steps:
        if file:
            (folder / file).write_text(text, "utf-8")
        else:
            assert language == "sh"
            for command in text.splitlines():
                said = _typed(command, folder)
    return said


def _levels(folder: Path, view: str) -> dict[str, str]:
    found = json.loads((folder / "reports" / "2026-H2" / "funds.json").read_text("utf-8"))
    return {risk["risk_id"]: risk[f"{view}_level"] for risk in found["risks"]}


def test_the_tutorial_leads_to_the_pages_it_promises(tmp_path: Path) -> None:
    """Whoever types what the tutorial says gets the pages and the levels it tells of, with two commands and 12 cells."""
    runs = [place for place, (_, _, text) in enumerate(STEPS) if text.startswith("riskcalc run")]
    to_first = STEPS[: runs[0] + 1]
    assert [text.split()[:2] for language, _, text in to_first if language == "sh"] == [
        ["riskcalc", "new"],
        ["riskcalc", "run"],
    ]
    [typed] = [text for language, _, text in to_first if language == "csv"]
    assert sum(len(line.split(",")) - 1 for line in typed.splitlines()[1:]) == 12  # but for the ids

    assert "Open reports/2026-H2/index.html" in _follow(tmp_path, to_first)
    assert (tmp_path / "reports" / "2026-H2" / "funds.html").exists()
    assert (
        _levels(tmp_path, "inherent")
        == _levels(tmp_path, "earned")
        == {"R1": "Critical", "R2": "Medium", "R3": "Medium"}
    )

    _follow(tmp_path, STEPS[runs[0] + 1 : runs[1] + 1])
    assert _levels(tmp_path, "inherent")["R1"] == "Critical"
    assert _levels(tmp_path, "claimed")["R1"] == _levels(tmp_path, "earned")["R1"] == "Medium"

    opened = [place for place, (_, _, text) in enumerate(STEPS) if "--apply" in text]
    _follow(tmp_path, STEPS[runs[1] + 1 : opened[0] + 1])
    with open(tmp_path / "mine" / "ratings.csv", encoding="utf-8") as file:
        known = [{**row, **CONFIRMED} for row in csv.DictReader(file)]
    told = _follow(tmp_path, STEPS[opened[0] + 1 :])
    with open(tmp_path / "mine" / "ratings.csv", encoding="utf-8") as file:
        assert [{**row, **CONFIRMED} for row in csv.DictReader(file)] == known  # what was typed is what was filled in
    assert "R3: is unrated in 2027-H1; proposed: 2 x 3" in told
    assert "2027-H1 seen from 2027-06-30 (the latest period that is at least half rated: 2 of 3 risks)" in told
    assert (tmp_path / "reports" / "2026-H2" / "board" / "index.html").exists()
