"""OSCAL out and back: valid by the official schemas, escaped, the same each time, and nothing that isn't for a reader.

The schemas of OSCAL 1.2.1 are NIST's, in the public domain; four of them lie beside this file, compressed.
"""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from register_files import SAMPLE, Rows, change, write_register

import riskcalc
from riskcalc.assessment.context import Context
from riskcalc.cli.main import main
from riskcalc.errors import UsageError
from riskcalc.exchange import oscal
from riskcalc.exchange.oscal import documents, line, many, plain, token
from riskcalc.register.audiences import AUDIENCES, FULL, PUBLIC

MARKUP = {"title", "description", "statement", "prose", "remarks"}
HOSTILE = "=1+1 *b* <script>alert(1)</script> [x](javascript:y) {{ insert: param, a }} `c` \\ & | # Ünïcödé \u202e🎉"


@cache
def schemas() -> Mapping[str, Any]:
    """A validator per file."""
    told = lzma.decompress(Path(__file__).with_name("oscal-1.2.1-schemas.json.xz").read_bytes())
    return {name: jsonschema_rs.validator_for(schema) for name, schema in json.loads(told).items()}


def errors(files: Mapping[str, bytes]) -> list[str]:
    """What the official schemas find wrong."""
    return [
        f"{name} {list(error.instance_path)}: {error.message[:200]}"
        for name, content in files.items()
        for error in schemas()[name.removesuffix(".json")].iter_errors(json.loads(content))
    ]


def everything(found: object) -> Iterator[dict[str, Any]]:
    """All objects in a document."""
    if isinstance(found, dict):
        yield found
        for each in found.values():
            yield from everything(each)
    elif isinstance(found, list):
        for each in found:
            yield from everything(each)


@pytest.fixture(scope="module")
def files(sample: riskcalc.Register) -> dict[str, bytes]:
    """The sample's four files, with all there is."""
    return documents(Context.of(sample), FULL)


def test_the_sample_is_valid_by_the_official_schemas(files: dict[str, bytes]) -> None:
    """All four, without an error; and what refers to something in its file refers to something that is there."""
    assert tuple(files) == oscal.FILES
    assert errors(files) == []
    for name, content in files.items():
        parts = list(everything(json.loads(content)))
        counts = Counter(each["uuid"] for each in parts if "uuid" in each)
        assert [uuid for uuid, number in counts.items() if number > 1] == [], name
        pointing = [
            each[key]
            for each in parts
            for key in ("risk-uuid", "observation-uuid", "actor-uuid", "subject-uuid")
            if key in each
        ]
        pointing += [
            each[key][1:] for each in parts for key in ("source", "href") if str(each.get(key)).startswith("#")
        ]
        assert set(pointing) <= set(counts), name


def test_what_a_validator_finds_is_found() -> None:
    """The test above would see an error."""
    assert errors({"catalog.json": b'{"catalog": {"uuid": "1"}}'})


def test_the_same_register_gives_the_same_bytes(kept: Path, written: Path) -> None:
    """Also from another reading of it."""
    again = documents(Context.of(riskcalc.load(kept)), AUDIENCES["auditor"])
    assert {file.name: file.read_bytes() for file in written.iterdir()} == again


def test_a_subject_keeps_its_id_and_a_file_changes_its_own(tmp_path: Path, written: Path) -> None:
    """As OSCAL has it: the id of a control stays when its text changes, that of the document doesn't."""
    name, edited = "component-definition", write_register(tmp_path / "data", change("controls", 0, title="Another"))
    found = documents(Context.of(riskcalc.load(edited)), AUDIENCES["auditor"])[f"{name}.json"]
    one, other = (json.loads(text)[name] for text in ((written / f"{name}.json").read_bytes(), found))
    assert one["components"][0]["title"] != other["components"][0]["title"]
    assert one["components"][0]["uuid"] == other["components"][0]["uuid"]
    assert one["uuid"] != other["uuid"]


def test_every_file_says_whose_tests_these_are(files: dict[str, bytes]) -> None:
    """Nobody takes them for a service auditor's."""
    for name, content in files.items():
        [whole] = json.loads(content).values()
        assert "not a service auditor's opinion" in whole["metadata"]["remarks"], name
    found = json.loads(files["assessment-results.json"])["assessment-results"]["results"][0]
    assert {each["target"]["status"]["remarks"] for each in found["findings"]} == {oscal.REMARKS}


def test_an_objective_is_satisfied_only_where_it_is_achieved(files: dict[str, bytes]) -> None:
    """What isn't evidenced yet, or takes judgement, isn't called satisfied, nor failed."""
    found = json.loads(files["assessment-results.json"])["assessment-results"]["results"][0]["findings"]
    told = {
        (each["props"][0]["value"], each["target"]["status"]["state"], each["target"]["status"]["reason"])
        for each in found
    }
    assert {outcome for outcome, state, _ in told if state == "satisfied"} == {"achieved"}
    assert {outcome for outcome, _, reason in told if reason == "fail"} == {"not achieved"}
    assert len(found) == 33


def test_hostile_text_is_no_markup_and_valid(tmp_path: Path) -> None:
    """In titles, descriptions, ids with spaces, frameworks; a blank-looking text doesn't break the file."""

    def edit(rows: Rows) -> None:
        rows["controls"][0].update(title=HOSTILE, description=f"{HOSTILE}\n1. x\n- y", documentation="a\nb\t c ")
        rows["control_objectives"][0].update(process="9 \u00a0", statement=f"> {HOSTILE}")
        rows["risks"][0].update(title="\u2003x")
        rows["mappings"] = [{"control_id": "A-C1", "framework": "F *x* <b>", "reference": "7 (b) *"}]

    files = documents(Context.of(riskcalc.load(write_register(tmp_path / "data", edit))), FULL)
    assert errors(files) == []
    told = [
        each[key]
        for content in files.values()
        for each in everything(json.loads(content))
        for key in MARKUP & each.keys()
    ]
    assert any("script" in text for text in told)
    assert [text for text in told if re.search(r"(?<!\\)[<*`\[{]", text)] == []


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_escaping_loses_nothing(text: str) -> None:
    """Whatever is escaped comes back; a line stays a line, and an id is one that OSCAL allows."""
    assert plain(many(text)) == text
    assert "\n" not in line(text)
    assert line(text)
    assert re.fullmatch(r"(?:[^\W\d]|_)[\w.\-]*", token(text))


def test_ids_that_are_cleaned_stay_apart() -> None:
    """Two that differ only in what isn't allowed don't become one."""
    assert len({token("a b"), token("a_b"), token("a/b"), token("1"), token("_1")}) == 5


@pytest.mark.parametrize("name", ["auditor", "board"])
def test_an_audience_gets_valid_files_without_what_is_not_for_it(kept: Path, name: str) -> None:
    """The board sees no testers; the files say whom they are for."""
    files = documents(Context.of(riskcalc.load(kept)), AUDIENCES[name])
    assert errors(files) == []
    text = b"".join(files.values()).decode()
    assert ("Internal audit" in text) == (name == "auditor")
    assert f"Made {AUDIENCES[name].label}." in text


@pytest.mark.parametrize("name", ["public", "client"])
def test_who_is_told_of_no_assessment_gets_none(sample: riskcalc.Register, name: str) -> None:
    """Neither whole nor in part."""
    with pytest.raises(UsageError, match="trust-centre"):
        documents(Context.of(sample), AUDIENCES[name])
    assert PUBLIC.told


def test_where_nothing_is_to_be_mended_there_is_no_plan_and_an_old_one_goes(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OSCAL knows no empty plan of action; of an earlier export, none is left that looks like today's."""
    monkeypatch.setattr(oscal, "candidates", lambda _: [])
    monkeypatch.setattr(oscal, "gaps", lambda _: ())
    out = tmp_path / "out"
    out.mkdir()
    (out / "plan-of-action-and-milestones.json").write_text("{}")
    done = CliRunner().invoke(main, ["export", "oscal", str(kept), "--out", str(out)])
    assert done.output == f"Wrote 3 files in {out}.\n"
    assert {file.name for file in out.iterdir()} == set(oscal.FILES[:3])


# --- and back ---


def taken(file: Path, into: Path, *options: str) -> Any:
    """A run of the import."""
    return CliRunner().invoke(main, ["import", "oscal", str(file), "--into", str(into), *options])


def test_what_we_wrote_comes_back_as_it_was(files: dict[str, bytes], tmp_path: Path) -> None:
    """Every column of the sample's objectives, controls and mappings."""
    for name, told in (("catalog", "33 the same"), ("component-definition", "161 the same")):
        (tmp_path / f"{name}.json").write_bytes(files[f"{name}.json"])
        done = taken(tmp_path / f"{name}.json", SAMPLE)
        assert done.exit_code == 0, done.output
        assert told in done.output
        assert done.output.endswith("Nothing to write.\n")


def test_an_import_shows_first_and_writes_when_told(small: Path, written: Path) -> None:
    """A dry run changes nothing; --apply writes exactly what it showed."""
    file, controls = small.parent / "component-definition.json", small / "controls.csv"
    file.write_text((written / file.name).read_text("utf-8").replace("Control A-C1", "Renamed"), "utf-8")
    before = controls.read_bytes()
    done = taken(file, small)
    assert "title: 'Control A-C1' -> 'Renamed'" in done.output
    assert "(component-definition.json, component " in done.output
    assert controls.read_bytes() == before
    assert taken(file, small, "--apply", "--expect", "nonsense").exit_code == 2
    assert controls.read_bytes() == before
    assert taken(file, small, "--apply", "--expect", done.output.split()[-1]).exit_code == 0
    assert controls.read_bytes() == before.replace(b"Control A-C1", b"Renamed")


def test_somebody_elses_catalog_becomes_objectives(small: Path, tmp_path: Path) -> None:
    """Labels are ids, groups processes, parameters are named; a control within a control is one as well."""
    part = {
        "name": "statement",
        "prose": "Keep {{ insert: param, p1 }}.",
        "parts": [{"name": "item", "prose": "Twice."}],
    }
    inner = {"id": "x-1.1", "title": "In it", "parts": [{"name": "statement", "prose": "Deep."}]}
    control = {
        "id": "x-1",
        "title": "First",
        "params": [{"id": "p1", "label": "a log"}],
        "parts": [part],
        "controls": [inner],
    }
    control["props"] = [{"name": "label", "value": "X-1", "class": "other"}, {"name": "label", "value": "X 1"}]
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps({"catalog": {"groups": [{"title": "Logging", "controls": [control]}]}}))
    done = taken(file, small, "--default", "unit_id=alpha", "--apply")
    assert done.exit_code == 0, done.output
    text = (small / "control_objectives.csv").read_text("utf-8")
    assert 'X 1,alpha,Logging,"Keep [a log].\nTwice.",,\nx-1.1,alpha,Logging,Deep.,,\n' in text


def test_controls_that_state_nothing_are_told(small: Path, tmp_path: Path) -> None:
    """Nobody takes a part of a catalog for all of it."""
    stating = {"id": "a-1", "title": "First", "parts": [{"name": "statement", "prose": "Keep a log."}]}
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps({"catalog": {"controls": [stating, {"id": "a-2", "title": "Withdrawn"}]}}))
    done = taken(file, small, "--default", "unit_id=alpha")
    assert "theirs.json: 1 control without a statement passed over: control a-2\n" in done.output


def test_a_reference_of_two_implementations_is_one_mapping(small: Path, tmp_path: Path) -> None:
    """A component implements a control of a catalog in two ways."""
    implementations = [{"source": "ac.json", "implemented-requirements": [{"control-id": "ac-1"}]}] * 2
    component = {"uuid": "0" * 8, "title": "Log", "description": "Kept.", "control-implementations": implementations}
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps({"component-definition": {"components": [component]}}))
    assert "mappings: 1 new" in taken(file, small).output


def test_an_id_that_stands_twice_is_told_with_both_places(small: Path, tmp_path: Path) -> None:
    """Lines of a file that only we have seen say nothing."""
    twice = [{"id": "a", "title": "First", "parts": [{"name": "statement", "prose": "Keep a log."}]}] * 2
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps({"catalog": {"controls": twice}}))
    done = taken(file, small, "--default", "unit_id=alpha")
    told = "theirs.json, control a: column 'objective_id': 'a': stands already at theirs.json, control a; allowed: once"
    assert told in done.output


def test_what_is_missing_is_told_where_it_is_missing(kept: Path, tmp_path: Path) -> None:
    """File, place, column, what is allowed; nothing is written."""
    component = {
        "uuid": "0f0f0f0f-0000-4000-8000-000000000000",
        "type": "policy",
        "title": "Theirs",
        "description": "d",
    }
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps({"component-definition": {"components": [component]}}))
    before = (kept / "controls.csv").read_bytes()
    done = taken(file, kept, "--apply")
    assert done.exit_code == 2
    assert "theirs.json, component 0f0f0f0f-0000-4000-8000-000000000000: column 'kind'" in done.output
    assert (kept / "controls.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "can't be read as JSON"),
        ("[1]", "holds list; allowed: an OSCAL catalog or component-definition"),
        ('{"profile": {}}', "holds profile; allowed"),
        ('{"catalog": {"groups": 3}}', "bad.json isn't OSCAL as its schema has it: something is of another kind"),
        ('{"catalog": {"controls": [{"id": "a", "title": "A"}, {}]}}', "has it after control a: 'title' is missing"),
        ('{"component-definition": {"components": [{"uuid": 1}]}}', "isn't OSCAL as its schema has it: 'title' is"),
        ('{"catalog": {"controls": [{"id": "a", "title": "\\ud800"}]}}', "can't be read as JSON"),
        ("[" * 100_000, "can't be read as JSON"),
    ],
)
def test_what_is_no_oscal_is_refused(kept: Path, tmp_path: Path, content: str, told: str) -> None:
    """With a message, and without a traceback."""
    file = tmp_path / "bad.json"
    file.write_text(content)
    done = taken(file, kept)
    assert done.exit_code == 2, done.output
    assert told in done.output
    assert not isinstance(done.exception, RecursionError)


def test_what_was_withheld_is_not_taken_over(kept: Path, tmp_path: Path) -> None:
    """The board's file has no descriptions; nobody's are replaced by the word for that."""
    out = str(tmp_path / "o")
    assert CliRunner().invoke(main, ["export", "oscal", str(kept), "--out", out, "--audience", "board"]).exit_code == 0
    done = taken(Path(out) / "component-definition.json", kept)
    assert done.output.endswith("Nothing to write.\n"), done.output


def test_of_a_type_1_reports_control_no_operation_is_concluded_on(tmp_path: Path) -> None:
    """It has a date, no period, and tests none: walked through, a control is in use."""
    register = riskcalc.load(write_register(tmp_path))
    results = json.loads(documents(Context.of(register), FULL)["assessment-results.json"])
    found = {each["title"]: each for each in everything(results) if str(each.get("title")).startswith("Conclusion on")}
    told = found["Conclusion on B-C1 at its report's date: in use"]
    assert {each["value"] for each in told["props"] if each["name"].startswith("conclusion")} == {"in_use"}
    assert told["remarks"].startswith("By the latest evidence: in use; ")
    assert "Conclusion on A-C2 over its report's period: operated effectively" in found
