"""The JSON Schemas: what stands in docs/schemas is what the program says, and what a run leaves keeps to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner
from register_files import SAMPLE, change, write_register

import riskcalc
from riskcalc.answers.drafts import Decision, Drafted
from riskcalc.assessment.opening import open_unit
from riskcalc.cli.main import main
from riskcalc.exchange.schemas import schemas
from riskcalc.pages import unit
from riskcalc.run.manifest import Manifest
from riskcalc.run.output_folder import open_folder

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas"


def errors(name: str, told: Any) -> list[str]:
    """What a schema finds wrong."""
    validator = jsonschema_rs.validator_for(json.loads(schemas()[f"{name}.schema.json"]))
    return [f"{list(error.instance_path)}: {error.message[:200]}" for error in validator.iter_errors(told)]


def test_the_published_schemas_are_the_programs() -> None:
    """Else: riskcalc schema --out docs/schemas, and a line in the changelog."""
    assert {file.name: file.read_bytes() for file in PUBLISHED.iterdir()} == schemas(draft=Drafted, decision=Decision)


@pytest.mark.parametrize("business_unit", ["payroll", "loans"])
def test_a_units_results_keep_to_their_schema(business_unit: str) -> None:
    """What the notebook displays is what a run stores as UNIT.json, unrated risks included."""
    told = json.loads(json.dumps(unit.result(open_unit(business_unit, data_dir=str(SAMPLE))).values))
    assert errors("unit", told) == []
    assert errors("unit", {**told, "new": 1})
    assert errors("unit", {key: value for key, value in told.items() if key != "risks"})


def test_results_of_a_register_that_begins_keep_to_it_too(tmp_path: Path) -> None:
    """Without materiality, controls and losses."""
    assert (
        CliRunner()
        .invoke(
            main,
            [
                "new",
                str(tmp_path / "n"),
                *[
                    "--organisation",
                    "A",
                    "--unit",
                    "pay",
                    "--currency",
                    "EUR",
                    "--matrix",
                    "5x5",
                    "--period",
                    "2026-H1",
                ],
            ],
        )
        .exit_code
        == 0
    )
    (tmp_path / "n" / "risks.csv").write_text("risk_id,title,owner,likelihood,impact\nR1,Wrong,A,4,3\n")
    told = json.loads(json.dumps(unit.result(open_unit("pay", data_dir=str(tmp_path / "n"))).values))
    assert "not_assessed" in told
    assert errors("unit", told) == []


def test_a_manifest_keeps_to_its_schema_from_the_first_moment(tmp_path: Path) -> None:
    """Units that are still pending, and at the end."""
    (tmp_path / "2026-H1").mkdir()
    manifest = Manifest(open_folder(str(tmp_path), "2026-H1"), "2026-H1", "data", ["alpha"], as_of="2026-06-30")
    for step in (manifest.begin, lambda: manifest.finish(None)):
        step()
        told = json.loads((tmp_path / "2026-H1" / "manifest.json").read_text("utf-8"))
        assert errors("manifest", told) == []
    assert errors("manifest", {**told, "finished": "yes"})


@pytest.mark.parametrize("broken", [False, True])
def test_findings_and_problems_keep_to_their_schema(tmp_path: Path, broken: bool) -> None:
    """What riskcalc check --json prints."""
    edit = change("controls", 0, kind="nonsense") if broken else None
    done = CliRunner().invoke(main, ["check", "--json", str(write_register(tmp_path / "data", edit))])
    told = json.loads(done.output)
    assert bool(told["problems"]) == broken
    assert errors("findings", told) == []


def test_the_command_writes_them(tmp_path: Path) -> None:
    """Each a file."""
    done = CliRunner().invoke(main, ["schema", "--out", str(tmp_path / "s")])
    assert done.output == f"Wrote 6 files in {tmp_path / 's'}.\n"
    assert riskcalc.__version__
