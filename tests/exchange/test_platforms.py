"""Lists for other platforms, and back: what both know isn't changed by the way."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from register_files import SAMPLE, Rows, write_register

from riskcalc.cli.main import main
from riskcalc.exchange.platforms import NAMES


def export(platform: str, data: Path, out: Path) -> list[dict[str, str]]:
    """The list of risks that the command writes."""
    done = CliRunner().invoke(main, ["export", "risks", platform, str(data), "--out", str(out)])
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(io.StringIO((out / f"{platform}-risks.csv").read_text("utf-8"), newline="")))


def theirs(platform: str, rows: list[dict[str, str]], out: Path) -> Path:
    """The rows as the platform exports them: CISO Assistant with semicolons, unrated as --."""
    file = out / "theirs.csv"
    if platform == "ciso-assistant":
        rows = [{**row, **{axis: row[axis] or "--" for axis in ("inherent_proba", "inherent_impact")}} for row in rows]
    with open(file, "w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]), delimiter=";" if platform == "ciso-assistant" else ",")
        writer.writeheader()
        writer.writerows(rows)
    return file


def brought_back(platform: str, file: Path, data: Path) -> str:
    """What the import says of it."""
    arguments = ["excel", "import", str(file), "--into", str(data), "--map", str(file.parent / f"{platform}.map.toml")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("platform", NAMES)
def test_what_goes_out_comes_back_unchanged(platform: str, tmp_path: Path) -> None:
    """Of the sample: ids, titles, descriptions, treatments, ratings; an unrated risk stays unrated."""
    told = brought_back(platform, theirs(platform, export(platform, SAMPLE, tmp_path), tmp_path), SAMPLE)
    assert "risks: 0 new, 0 changed, 68 the same" in told
    assert "ratings: 0 new, 0 changed, 6" in told
    assert told.endswith("Nothing to write.\n")


def test_a_list_with_another_separator_is_told_as_that(tmp_path: Path) -> None:
    """What we wrote for CISO Assistant isn't what it writes: it puts semicolons between the columns."""
    export("ciso-assistant", SAMPLE, tmp_path)
    file, map_ = tmp_path / "ciso-assistant-risks.csv", tmp_path / "ciso-assistant.map.toml"
    done = CliRunner().invoke(main, ["excel", "import", str(file), "--into", str(SAMPLE), "--map", str(map_)])
    assert done.exit_code == 2
    assert "the columns are held apart by something else than separator says: ref_id,name," in done.output


@pytest.mark.parametrize("platform", NAMES)
def test_what_was_changed_there_changes_here(platform: str, tmp_path: Path) -> None:
    """That, and nothing beside it."""
    data = write_register(tmp_path / "data")
    rows = export(platform, data, tmp_path / "out")
    title, axis = ("name", "inherent_impact") if platform == "ciso-assistant" else ("Subject", "Current Impact")
    rows[0] |= {title: "Renamed", axis: "Minor"}
    told = brought_back(platform, theirs(platform, rows, tmp_path / "out"), data)
    assert "title: 'Wrong rates' -> 'Renamed'" in told
    assert "impact: '4' -> '2'" in told
    assert "risks: 0 new, 1 changed, 2 the same" in told
    assert "ratings: 0 new, 1 changed, " in told


def test_ciso_assistant_gets_names_of_its_matrix_and_controls_it_can_find(tmp_path: Path) -> None:
    """Names of ratings, the earned ones as current; controls by names without its separators."""

    def edit(rows: Rows) -> None:
        rows["controls"][0]["title"] = "Compare, sign; file | keep"

    rows = export("ciso-assistant", write_register(tmp_path / "data", edit), tmp_path)
    assert rows[0]["inherent_proba"] == "Almost certain"
    assert rows[0]["current_proba"] == "Possible"
    assert rows[0]["existing_controls"].split("\n")[0] == "A-C1 Compare sign file keep"
    controls = list(csv.DictReader(io.StringIO((tmp_path / "ciso-assistant-controls.csv").read_text("utf-8"))))
    assert controls[0]["name"] == "A-C1 Compare sign file keep"


def test_clients_get_no_list_of_risks(kept: Path, tmp_path: Path) -> None:
    """Nor does the public."""
    done = CliRunner().invoke(
        main, ["export", "risks", "simplerisk", str(kept), "--out", str(tmp_path / "o"), "--audience", "client"]
    )
    assert done.exit_code == 2
    assert not (tmp_path / "o").exists()
