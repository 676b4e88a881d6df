"""Crosswalks: controls become candidates for another framework's references, and it is said through what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from riskcalc.cli.main import main

HEADER = "framework,reference,to_framework,to_reference\n"


def taken(content: str, into: Path, *options: str) -> Any:
    """A run of the import."""
    file = into.parent / "walk.csv"
    file.write_text(content, "utf-8")
    return CliRunner().invoke(main, ["import", "crosswalk", str(file), "--into", str(into), *options])


@pytest.mark.parametrize("row", ["soc2,CC6.1,CCM 4,IAM-02\n", "CCM 4,IAM-02,SOC 2,CC6.1\n"])
def test_a_mapped_control_becomes_a_candidate_both_ways(small: Path, row: str) -> None:
    """Its framework says through what; a second time there is nothing to do, and nothing grows from it."""
    before = (small / "mappings.csv").read_text("utf-8")
    done = taken(HEADER + row, small)
    assert "+ A-G1 + CCM 4 (through SOC 2 CC6.1) + IAM-02 (walk.csv, line 2)" in done.output
    assert (small / "mappings.csv").read_text("utf-8") == before
    assert taken(HEADER + row, small, "--apply").exit_code == 0
    assert (small / "mappings.csv").read_text("utf-8") == before + "A-G1,CCM 4 (through SOC 2 CC6.1),IAM-02,,\n"
    assert taken(HEADER + row, small).output.endswith("Nothing to write.\n")
    further = taken(f"{HEADER}CCM 4,IAM-02,CAIQ 4,IAM-02.1\n", small)
    assert "no control is mapped" in further.output


def test_another_version_is_another_framework(kept: Path) -> None:
    """SOC 2 of no year isn't that of 2017; what is mapped already isn't a candidate."""
    assert "no control is mapped" in taken(f"{HEADER}SOC 2 (2017),CC6.1,CCM 4,IAM-02\n", kept).output
    assert "no control is mapped" in taken(f"{HEADER}SOC 2,CC6.1,soc2,CC6.1\n", kept).output


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("framework,reference\n", "walk.csv:1: column 'to_framework': isn't there"),
        (f"{HEADER}SOC 2,,CCM,1\n", "walk.csv:2: a cell is blank"),
    ],
)
def test_what_is_no_crosswalk_is_refused(kept: Path, content: str, told: str) -> None:
    """By file, line and column."""
    done = taken(content, kept)
    assert done.exit_code == 2
    assert told in done.output
