"""Pages for the board, auditors, the unit and the public: what isn't for them is nowhere in their files."""

from __future__ import annotations

import base64
import gzip
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from register_files import SAMPLE, change, write_register
from running import run_here

from riskcalc import notebook_files
from riskcalc.assessment.decisions import standings
from riskcalc.assessment.opening import Assessment, open_unit
from riskcalc.errors import UsageError
from riskcalc.pages import trust_centre
from riskcalc.register import audiences
from riskcalc.register.audiences import AUDIENCES, PUBLIC
from riskcalc.register.register import Register
from riskcalc.register.tables import TABLES

ROOT = Path(__file__).parents[2]
READERS = [name for name in AUDIENCES if not AUDIENCES[name].told]
PAGES = [*READERS, "public"]
NUMBERS = {"votes": "73910173", "likelihood_low": "1", "likelihood_high": "5", "impact_low": "1", "impact_high": "5"}


def mark(table: str, column: str) -> str:
    return f"SECRET-{table}-{column}"


def marked(rows: dict[str, list[dict[str, str]]]) -> None:
    """Every column that any audience isn't to see says so, in every row."""
    change("controls", 1, performed_by="user_entity")(rows)
    rows["ratings"][1].update(NUMBERS)
    rows["subservice_organisations"][0].update(reviewed_by="x", reviewed_on="2026-06-30", reference="x")
    withheld = {
        (table, column) for name in READERS for table, columns in AUDIENCES[name].withheld.items() for column in columns
    }
    for table, column in withheld:
        for row in rows[table]:
            if column not in (*NUMBERS, "rated_on") and (table != "ratings" or row["likelihood"]):
                row[column] = mark(table, column)
    for row in rows["business_units"]:
        row.update(
            owner=mark("business_units", "owner"),
            materiality="7391731",
            materiality_basis=mark("business_units", "basis"),
        )
    for row in rows["risks"]:
        row.update(title=mark("risks", "title"), owner=mark("risks", "owner"), account=mark("risks", "account"))
    for row in rows["deficiencies"]:
        row.update(description=mark("deficiencies", "description"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the marked register, for every audience."""
    made = tmp_path_factory.mktemp("audiences")
    data = write_register(made / "data", marked)
    run_here(data, "--out", made, "--audience", ",".join(PAGES), "--static", "--pptx")
    return made / "2026-H1"


TABLES_SCRIPT = Path(trust_centre.__file__).with_name("templates").joinpath("tables.js").read_text("utf-8").strip()


def content(file: Path) -> str:
    """All that a file says, what is packed in it included, but neither plotly's own script nor that of all tables."""
    if file.suffix == ".pptx":
        parts = zipfile.ZipFile(file)
        return "".join(parts.read(name).decode("utf-8", "replace") for name in parts.namelist())
    text = file.read_text("utf-8")
    packed = re.findall(r'<script type="application/gzip"[^>]*>(.*?)</script>', text, flags=re.S)
    unpacked = "".join(gzip.decompress(base64.b64decode(each)).decode() for each in packed)
    assert "SECRET" not in unpacked
    said = re.sub(r'<script type="application/gzip".*?</script>', "", text, flags=re.S)
    return said.replace(TABLES_SCRIPT, "")


@pytest.mark.parametrize("name", READERS)
def test_what_is_withheld_is_nowhere_in_the_files(folder: Path, name: str) -> None:
    """Not on the page, not in a chart's data, not on a slide, not in a comment."""
    files = [file for file in (folder / name).iterdir() if file.suffix in (".html", ".pptx")]
    assert len(files) == 3 * (2 + AUDIENCES[name].whole)
    for file in files:
        told = content(file)
        for table, columns in AUDIENCES[name].withheld.items():
            assert [column for column in columns if mark(table, column) in told] == [], file
        assert "73910173" not in told, file
    assert mark("risks", "title") in content(folder / name / "alpha.html"), "what isn't withheld is there"


def test_the_public_sees_objectives_status_and_cuecs_only(folder: Path) -> None:
    """Of everything else that the register knows, nothing; the three things are there."""
    files = sorted(file for file in (folder / "public").iterdir() if file.suffix in (".html", ".pptx"))
    assert [file.name for file in files if file.suffix == ".html" and "static" not in file.name] == ["alpha.html", "beta.html", "index.html"]  # fmt: skip
    for file in files:
        told = content(file)
        assert set(re.findall(r"SECRET-[a-z_-]+", told)) <= {mark("controls", "description")}, file
        assert not re.search(r"7.?391.?731|A-R1|Medium|High|Critical|appetite|DOC-1", told), file
    told = content(folder / "public" / "alpha.html")
    for shown in ("Pay is right.", "in preparation", "Control A-C2", ">Public<"):
        assert shown in told, shown
    assert "Control A-C1" not in told


def test_an_audiences_folder_holds_nothing_but_what_is_for_it(folder: Path) -> None:
    """It can be given away as it is: no notebook, no results, no manifest."""
    for name in PAGES:
        endings = {file.name.partition(".")[2] for file in (folder / name).iterdir() if file.name != ".lock"}
        assert endings == {"html", "static.html", "pptx"}
        manifest = json.loads((folder / f"manifest.{name}.json").read_text("utf-8"))
        assert {unit["status"] for unit in manifest["units"]} == {"ok"}
        assert (manifest["organisation"]["status"] == "ok") == AUDIENCES[name].whole
    assert not list((folder / "unit").glob("index.*"))


@pytest.fixture(scope="module")
def opened(sample: Register) -> dict[str, Assessment]:
    """Each unit of the sample, as those see it who may see all."""
    return {name: open_unit(name, data_dir=str(SAMPLE)) for name in sample.business_units["unit_id"]}


@pytest.mark.parametrize("name", READERS)
def test_every_audience_sees_the_same_figures(opened: dict[str, Assessment], name: str) -> None:
    """Redaction takes words away, never a level, an outlook or an amount."""
    for unit_id, whole in opened.items():
        part = open_unit(unit_id, data_dir=str(SAMPLE), audience=name)
        pd.testing.assert_frame_equal(whole.scores, part.scores)
        assert whole.years["earned"].mean == part.years["earned"].mean
        assert whole.register.fingerprint() == part.register.fingerprint()


@pytest.mark.parametrize("name", ["board", "unit", "auditor"])
@pytest.mark.parametrize("as_of", ["2026-05-10", "2026-06-12"])
def test_ratings_of_later_days_count_for_no_audience(name: str, as_of: str) -> None:
    """Some see no rating's day; what they see rests on the ratings of that day all the same."""
    whole, theirs = (open_unit("loans", "2026-H1", str(ROOT / "data"), as_of, each) for each in ("", name))
    assert standings(theirs.context) == standings(whole.context)
    assert theirs.scores["earned_score"].tolist() == pytest.approx(whole.scores["earned_score"].tolist(), nan_ok=True)


def test_redaction_tells_withheld_from_blank(sample: Register) -> None:
    """A reader may know that there is a reason they don't get; what was blank stays blank."""
    found = audiences.redacted(sample, AUDIENCES["board"]).ratings["rationale"]
    given = sample.ratings["rationale"].notna()
    assert set(found[given]) == {"withheld"}
    assert found[~given].isna().all()


def test_the_publics_register_holds_no_other_column(sample: Register) -> None:
    """By an allow-list: a new table or column is not for the public until somebody says so."""
    found = audiences.redacted(sample.at(sample.period()), PUBLIC)
    left = {name: list(getattr(found, name).columns) for name in TABLES if len(getattr(found, name))}
    told = {"answers", "documents", "subservice_organisations"}
    assert set(left) == {"business_units", "control_objectives", "controls", "risks", "risk_controls", *told}
    assert left["risks"] == ["risk_id", "objective_id"]
    assert set(found.controls["performed_by"]) == {"user_entity"}


def test_a_cell_is_for_nobody_unless_it_says_so() -> None:
    """A chapter that somebody adds isn't shown to the board by accident."""
    book = nbformat.read(ROOT / "notebooks/assessment.ipynb", as_version=4)
    book.cells.append(nbformat.v4.new_code_cell("unit.secret(assessment)"))
    text = notebook_files.for_audience(nbformat.writes(book), "board")
    left = [cell.source for cell in nbformat.reads(text, as_version=4).cells]
    assert "unit.secret(assessment)" not in left
    assert 'chapter(assessment, "in brief")' in left
    assert 'chapter(assessment, "tests")' not in left
    with pytest.raises(UsageError, match="No cell of the notebook is tagged 'for-cat'"):
        notebook_files.for_audience(text, "cat")


def test_unknown_audiences_are_refused_by_name(small: Path) -> None:
    """The message names those there are; an assessment is not for the public."""
    with pytest.raises(UsageError, match="allowed: board, auditor, unit, client, public"):
        open_unit("alpha", data_dir=str(small), audience="press")
    with pytest.raises(UsageError, match=r"trust_centre\.ipynb"):
        open_unit("alpha", data_dir=str(small), audience="public")


def test_the_classification_stands_on_the_page_and_in_the_margin(folder: Path) -> None:
    """With whom it was made for."""
    told = content(folder / "board" / "alpha.html")
    assert '<span class="classification">Confidential · for the board</span>' in told
    assert 'content: "Confidential\\20 \\b7 \\20 for\\20 the\\20 board"' in told


def test_cuecs_are_listed_with_what_they_serve(tmp_path: Path) -> None:
    """And where clients read of them."""

    def edit(rows: dict[str, Any]) -> None:
        rows["controls"][1].update(performed_by="user_entity", communicated_in="User guide 3.2")

    statement = trust_centre.open_statement("alpha", data_dir=str(write_register(tmp_path / "data", edit)))
    [row] = trust_centre.user_entities(statement).content["rows"]
    assert (row[0]["text"], row[1], row[2]) == ("Control A-C2", "Pay", "User guide 3.2")
