"""The trust centre as files: what it says holds, in the page, the feed and the JSON alike, and it needs nothing else."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema_rs
import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from register_files import Rows, write_register
from waiting import wait_for

from riskcalc.cli.main import main
from riskcalc.exchange.schemas import schemas
from riskcalc.exchange.trust import files
from riskcalc.pages import trust_centre
from riskcalc.pages.trust_centre import open_statement

ROOT = Path(__file__).parents[2]
ATOM = "{http://www.w3.org/2005/Atom}"
TEXT = b"Be decent.\n"
HOSTILE = "<script>alert(1)</script> & 'x' \x0b"


def answer(number: int, **cells: str) -> dict[str, str]:
    """An approved answer for the public, of the organisation."""
    told = {
        "answer_id": f"ANS-{number}",
        "question": f"Question {number}?",
        "verdict": "yes",
        "answer": f"Answer {number}.",
    }
    told |= {
        "audience": "public",
        "owner": "O",
        "approved_by": "P",
        "reviewed_on": "2026-06-01",
        "expires_on": "2027-06-01",
    }
    return told | cells


def document(number: int, **cells: str) -> dict[str, str]:
    """A document in force, for the public."""
    told = {
        "document_id": f"DOC-{number}",
        "title": f"Document {number}",
        "kind": "policy",
        "covers_from": "2026-02-01",
    }
    return told | {"issued_on": "2026-02-01", "issuer": "Us", "audience": "public", "reference": "shelf 3"} | cells


def edit(rows: Rows) -> None:
    """Answers and documents of every kind that is told, and that isn't."""
    rows["answers"] = [
        answer(1),
        answer(2, audience="client"),
        answer(3, audience="internal"),
        answer(4, approved_by="", reviewed_on="", expires_on=""),
        answer(5, expires_on="2026-06-15"),
        answer(6, claims="no_deviations:A-G1"),
        answer(7, question=HOSTILE, verdict="", unit_id="alpha"),
        answer(
            8, answer="A bank's control is performed every quarter.", sources="A-G1"
        ),  # nothing is claimed but in words
    ]
    rows["documents"] = [
        document(1, reference="documents/code.txt", sha256=sha256(TEXT).hexdigest()),
        document(2, audience="client", reference="documents/code.txt"),
        document(3, covers_from="2026-12-01", issued_on=""),
        document(4, covers_from="2025-01-01", covers_to="2025-12-31", issued_on="2024-12-01"),
        document(5, reference="../outside.txt"),
    ]
    rows["control_objectives"][0]["statement"] = "Controls provide reasonable assurance that rates are right."
    rows["subservice_organisations"][0]["audience"] = "public"
    rows["subservice_organisations"].append(
        rows["subservice_organisations"][0] | {"subservice_id": "SUB-2", "name": "Quiet Ltd", "audience": ""}
    )
    rows["business_units"][0].update(issued_on="2026-06-30", opinion="qualified", bridge_letter_until="2026-12-31")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The register."""
    folder = write_register(tmp_path_factory.mktemp("trust") / "data", edit)
    (folder / "documents").mkdir()
    (folder / "documents" / "code.txt").write_bytes(TEXT)
    (folder.parent / "outside.txt").write_bytes(b"no")
    return folder


def export(data: Path, out: Path, *options: str) -> Any:
    """Run the command."""
    return CliRunner().invoke(main, ["export", "trust-centre", str(data), "--out", str(out), *options])


@pytest.fixture(scope="module", params=["public", "client"])
def made(request: pytest.FixtureRequest, data: Path) -> tuple[str, Path]:
    """The files for each of the two."""
    out = data.parent / request.param
    done = export(data, out, "--audience", request.param)
    assert done.exit_code == 0, done.output
    return request.param, out


def test_only_what_holds_and_is_for_them_is_told(made: tuple[str, Path]) -> None:
    """Not what is for others, unapproved, expired, contradicted, out of force or still to come."""
    audience, out = made
    told = json.loads((out / "trust.json").read_text("utf-8"))
    client = audience == "client"
    assert [each["answer_id"] for each in told["answers"]] == ["ANS-1", *(["ANS-2"] if client else []), "ANS-7"]
    assert [each["document_id"] for each in told["documents"]] == ["DOC-1", *(["DOC-2"] if client else []), "DOC-5"]
    assert [each["name"] for each in told["subservice_organisations"]] == [
        "Hosting Ltd",
        *(["Quiet Ltd"] if client else []),
    ]
    page = (out / "index.html").read_text("utf-8")
    for number, seen in ((1, True), (2, client), (3, False), (4, False), (5, False), (6, False), (8, False)):
        assert (f"Question {number}?" in page) == seen, number
    everything = "".join(file.read_text("utf-8") for file in out.iterdir() if file.is_file())
    assert "shelf 3" not in everything
    assert ("qualified" in everything) == client  # what a report says is for those who may have it


def test_the_json_keeps_to_its_schema(made: tuple[str, Path]) -> None:
    """Answers included; what is in no column for those outside would be found."""
    validator = jsonschema_rs.validator_for(json.loads(schemas()["trust.schema.json"]))
    told = json.loads((made[1] / "trust.json").read_text("utf-8"))
    assert [error.message for error in validator.iter_errors(told)] == []
    told["answers"][0]["owner"] = "O"
    assert not validator.is_valid(told)


def test_the_state_of_reports_is_true_for_machines_too(made: tuple[str, Path]) -> None:
    """In preparation means no days; a bridge letter that reaches beyond the day isn't told."""
    alpha, beta = json.loads((made[1] / "trust.json").read_text("utf-8"))["reports"]
    assert (alpha["state"], alpha["report_to"], alpha.get("bridge_letter_until")) == ("issued", "2026-06-30", None)
    assert beta == {
        "unit_id": "beta",
        "name": "Beta",
        "service": "Claims",
        "report_type": "type1",
        "state": "in preparation",
    }


def test_the_next_report_in_preparation_is_told_to_machines_too(tmp_path: Path) -> None:
    """As on the page: beside the issued report, of which type the next one will be, and no day of it."""

    def following(rows: Rows) -> None:
        first = rows["business_units"][0]
        begun = {"report_from": "2026-07-01", "report_to": "2027-06-30", "valid_from": "2026-07-01"}
        rows["business_units"].insert(1, {**first, **begun})
        first.update(issued_on="2026-08-20", opinion="unmodified", valid_to="2026-06-30")
        rows["ratings"].append({**rows["ratings"][1], "period": "2026-H2", "rated_on": "2026-09-10"})

    made = files(open_statement("", "2026-H2", str(write_register(tmp_path / "data", following)), "2026-10-01"))
    told = json.loads(made["trust.json"])
    alpha, beta = told["reports"]
    assert (alpha["state"], alpha["report_to"]) == ("issued", "2026-06-30")
    assert alpha["next_in_preparation"] == "type2"
    assert "2027" not in json.dumps(told)
    assert "next_in_preparation" not in beta
    assert jsonschema_rs.validator_for(json.loads(schemas()["trust.schema.json"])).is_valid(told)


def test_public_documents_lie_beside_the_page(made: tuple[str, Path]) -> None:
    """Those whose reference is a file of the register; none from elsewhere, none that is for clients only."""
    out = made[1]
    [file] = (out / "documents").iterdir()
    assert file.read_bytes() == TEXT
    assert f'href="documents/{file.name}"' in (out / "index.html").read_text("utf-8")
    told = json.loads((out / "trust.json").read_text("utf-8"))["documents"]
    assert told[0]["file"] == f"documents/{file.name}"
    assert not any("file" in each for each in told[1:])


def test_the_feed_is_atom_whatever_texts_hold(made: tuple[str, Path]) -> None:
    """Entries, newest first, each with an id of its own and its day; the same ids the next time."""
    root = ElementTree.fromstring((made[1] / "feed.atom").read_bytes())
    entries = root.findall(f"{ATOM}entry")
    days = [each.findtext(f"{ATOM}updated") for each in entries]
    assert days == sorted(days, reverse=True)
    assert root.findtext(f"{ATOM}updated") == days[0]
    assert len({each.findtext(f"{ATOM}id") for each in entries}) == len(entries) > 3
    assert any("<script>" in (each.findtext(f"{ATOM}title") or "") for each in entries)


def test_page_feed_and_json_tell_of_the_same_changes(made: tuple[str, Path]) -> None:
    """Those since the last period; the page only counts the answers that were reviewed."""
    told = json.loads((made[1] / "trust.json").read_text("utf-8"))["changes"]
    root = ElementTree.fromstring((made[1] / "feed.atom").read_bytes())
    assert len(told) == len(root.findall(f"{ATOM}entry"))
    assert min(each["day"] for each in told) > "2025-12-31"
    reviewed = sum(each["what"] == "Answer reviewed" for each in told)
    assert f">{reviewed} answers<" in (made[1] / "index.html").read_text("utf-8")


def test_a_units_page_tells_what_holds_for_all_and_never_that_there_is_nothing(data: Path) -> None:
    """What is only for others exists all the same."""
    beta = trust_centre.open_statement("beta", data_dir=str(data))
    assert [row[0]["text"] for row in trust_centre.documents(beta).content["rows"]] == ["Document 1", "Document 5"]
    assert [row[0] for row in trust_centre.answers(beta).content["rows"]] == ["Question 1?"]
    empty = trust_centre.open_statement("beta", data_dir=str(data), as_of="2026-01-15")
    for chapter in (trust_centre.documents, trust_centre.answers):
        assert "clients' contacts here can say" in chapter(empty).content["text"]


def test_a_soc_1_report_is_not_for_the_public(tmp_path: Path) -> None:
    """It is restricted in use: whatever is done with such a register, it is said where and why."""

    def public(rows: Rows) -> None:
        rows["documents"] = [document(1, kind="SOC 1 report"), document(2, title="How to ask for our SOC 1 report")]

    done = CliRunner().invoke(main, ["check", str(write_register(tmp_path / "data", public))])
    assert done.exit_code == 2
    assert "documents.csv:2: column 'audience'" in done.output
    assert "restricted in use" in done.output
    assert "documents.csv:3" not in done.output


def test_what_is_dated_after_the_day_is_said_not_to_be_told(data: Path, tmp_path: Path) -> None:
    """The command says which day it tells of."""
    done = export(data, tmp_path / "out", "--as-of", "2026-05-31")
    assert "how things stood on 2026-05-31." in done.output
    assert "Dated later, and not told: 1 report, 5 answers, " in done.output


def test_the_same_register_gives_the_same_files(made: tuple[str, Path], data: Path, tmp_path: Path) -> None:
    """Byte by byte."""
    assert export(data, tmp_path / "again", "--audience", made[0]).exit_code == 0
    for file in made[1].rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "again" / file.relative_to(made[1])).read_bytes()


def test_a_document_that_is_another_one_stops_it(tmp_path: Path) -> None:
    """With its line; nothing is written."""
    folder = write_register(tmp_path / "data", edit)
    (folder / "documents").mkdir()
    (folder / "documents" / "code.txt").write_bytes(b"Be quick.\n")
    done = export(folder, tmp_path / "out")
    assert done.exit_code == 2
    assert "documents.csv:2: column 'sha256'" in done.output
    assert not (tmp_path / "out").exists()


def test_the_notebook_has_the_chapters_of_the_page() -> None:
    """In their order: riskcalc run --audience public shows what riskcalc export trust-centre does."""
    cells = json.loads((ROOT / "notebooks" / "trust_centre.ipynb").read_text("utf-8"))["cells"]
    titles = ["".join(cell["source"])[3:] for cell in cells if cell["cell_type"] == "markdown"][1:]
    calls = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"][3:-1]
    assert titles == list(trust_centre.CHAPTERS)
    assert calls == [f"trust_centre.{chapter.__name__}(statement)" for chapter in trust_centre.CHAPTERS.values()]


def test_the_page_needs_nothing_and_keeps_nobody_out(made: tuple[str, Path], browser: Any) -> None:
    """No request leaves it, axe finds nothing, it doesn't scroll sideways; under 300 kB; the search works from a file."""
    page, asked = browser.new_page(viewport={"width": 1440, "height": 900}), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto((made[1] / "index.html").as_uri())
    wait_for(lambda: bool(page.evaluate("document.documentElement.dataset.tables === 'ready'")))
    assert len(asked) == 1
    assert (made[1] / "index.html").stat().st_size < 300_000
    page.get_by_label("Search").fill("7 ANSWER")
    assert page.locator("#all-answers tbody tr:visible").count() == 1
    page.get_by_label("Search").fill("zebra")
    assert page.locator("#all-answers output").inner_text().startswith("No answer of ")
    page.get_by_label("Search").fill("")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert [each["id"] for each in Axe().run(page).response["violations"]] == []
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert page.locator("table:has(caption:text('Objectives')) thead").is_hidden()  # on a phone, cards
    page.close()


def test_without_scripts_every_answer_is_there(made: tuple[str, Path], browser: Any) -> None:
    """The search box comes with scripts only."""
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto((made[1] / "index.html").as_uri())
    assert page.locator("#all-answers tbody tr:visible").count() == (3 if made[0] == "client" else 2)
    assert page.get_by_label("Search").count() == 0
    page.context.close()
