"""Every column that an audience isn't to see holds a value found nowhere else, which is then looked for everywhere."""

from __future__ import annotations

import base64
import gzip
import io
import re
import struct
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from pypdf import PdfReader
from register_files import Rows, change, write_register
from running import run_here

from riskcalc.register.audiences import AUDIENCES
from riskcalc.register.row import Ref, kind_of
from riskcalc.register.tables import TABLES

PAGES = [name for name in AUDIENCES if name != "client"]  # of whom a run makes pages
ROOT = Path(__file__).parents[2]
COUNTS = {"votes": 73910173, "clients": 7391057}
AMOUNTS = {
    ("business_units", "materiality"): 91731731,
    ("business_units", "performance_materiality"): 61931737,
    ("risks", "loss_low"): 1379131,
    ("risks", "loss_mode"): 2379137,
    ("risks", "loss_high"): 83791379,
}
KEPT = {"currency", "unit_id", "appetite", "user_year_end", "communicated_in"}  # what can't be told from other words


def canary(table: str, column: str) -> str | None:
    """A value that is nowhere else; None for a column that can hold no such value: a choice of few, a day that counts."""
    model = TABLES[table]
    kind, info = kind_of(model, column), model.model_fields[column]
    if (table, column) in AMOUNTS:
        return str(AMOUNTS[table, column])
    if column in COUNTS:
        return str(COUNTS[column])
    if (table, column) in (("ratings", "rated_on"), ("scoping", "answered_on")):
        return str(date(2026, 6, 1) + timedelta(days=len(table + column)))
    refers = column in model.primary_key or any(isinstance(mark, Ref) for mark in info.metadata)
    free = kind is str and not refers and column not in KEPT and column not in ("period", "design")
    return f"CANARY-{table}-{column}" if free else None


def marked(rows: Rows) -> None:
    """The small register with a canary in every column that can have one, and something in every table."""
    change("controls", 1, performed_by="user_entity", communicated_in="Guide 3.2")(rows)
    rows["control_tests"][0].update(deviations="5", systematic="yes")
    rows["subservice_organisations"][0].update(reviewed_on="2026-06-30", reviewed_by="x")
    rows["controls"][3].update(performed_by="subservice", subservice_id="SUB-1")
    rows["report_items"] = [
        {"item_id": "I1", "unit_id": "alpha", "item": "system_description", "status": "done", "due_on": "2026-06-30"}
    ]
    for table, model in TABLES.items():
        for row in rows[table]:
            found = {column: canary(table, column) for column in model.model_fields}
            if table != "ratings" or row["likelihood"]:
                row.update({column: value for column, value in found.items() if value})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that a run leaves, for every audience, and for nobody in particular."""
    folder = tmp_path_factory.mktemp("canaries")
    data = write_register(folder / "data", marked)
    printed = {"auditor", "board"}  # each is a page printed, and takes its time
    for names, wanted in ((printed, ["--pdf"]), ({"internal", *PAGES} - printed, [])):
        asked = ["--static", "--pptx", "--audience", ",".join(sorted(names)), *wanted]
        run_here(data, "--out", folder / "out", *asked)
    return folder / "out" / "2026-H1"


def pieces(name: str, content: bytes) -> Iterator[bytes]:
    """All that a file holds, whatever it is packed in: zip in zip, scripts, arrays of charts, pages and their data."""
    yield name.encode()
    yield content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for part in archive.namelist():
                yield from pieces(part, archive.read(part))
    elif content.startswith(b"%PDF"):
        reader = PdfReader(io.BytesIO(content))
        yield repr(reader.metadata).encode()
        yield from (page.extract_text().encode() for page in reader.pages)
        yield from (each.get_data() for each in map(reader.get_object, range(1, len(reader.xref[0]) + 1)) if hasattr(each, "get_data"))  # fmt: skip
    for packed in re.findall(rb'<script type="application/gzip"[^>]*>(.*?)</script>', content, flags=re.S):
        yield gzip.decompress(base64.b64decode(packed))
    for packed in re.findall(rb'"bdata":\s*"([A-Za-z0-9+/=\\]*)"', content):
        yield base64.b64decode(packed.replace(b"\\u002b", b"+").replace(b"\\/", b"/"))


def found_in(folder: Path, name: str) -> bytes:
    """Everything that was made for an audience, joined."""
    files = [*(file for file in (folder / name).rglob("*") if file.is_file()), *folder.glob(f"manifest.{name}.json")]
    return b"\n".join(piece for file in files for piece in pieces(str(file.relative_to(folder)), file.read_bytes()))


def shown_as(value: str) -> re.Pattern[bytes]:
    """How a value may be written: its digits in groups, or as the bytes of a number."""
    if not value.isdecimal():
        return re.compile(re.escape(value.encode()))
    digits = rb"[,.'\s\xa0\xc2\xe2\x80\xaf]{0,3}".join(bytes([digit]) for digit in value.encode())
    binary = [struct.pack(kind, float(value)) for kind in ("<d", "<f")] + [struct.pack("<q", int(value))]
    return re.compile(b"|".join([digits, *map(re.escape, binary)]))


def columns() -> list[tuple[str, str, str]]:
    return [(t, c, value) for t, model in TABLES.items() for c in model.model_fields if (value := canary(t, c))]


@pytest.mark.parametrize("name", PAGES)
def test_no_output_holds_what_its_readers_are_not_to_see(made: Path, name: str) -> None:
    """In no page, print, slide, list or file's name, however it is packed; and what is for them is there."""
    told, audience = found_in(made, name), AUDIENCES[name]
    kept_away = {(t, c) for part in (audience.withheld, audience.hidden) for t, names in part.items() for c in names}
    assert audience.money or kept_away >= {*AMOUNTS, ("business_units", "materiality_basis")}
    leaks = [f"{t}.{c}" for t, c, value in columns() if (t, c) in kept_away and shown_as(value).search(told)]
    assert leaks == []
    shown = [f"{t}.{c}" for t, c, value in columns() if (t, c) not in kept_away and shown_as(value).search(told)]
    assert "business_units.name" in shown, "the search finds what is there"


def test_the_search_finds_amounts_where_they_are_shown(made: Path) -> None:
    """On the board's pages, in print and on slides: else the test above would say nothing."""
    told = found_in(made, "board")
    for table in ("business_units", "risks", "controls", "deficiencies"):
        assert any(shown_as(value).search(told) for t, c, value in columns() if t == table), table
    assert shown_as(str(AMOUNTS["business_units", "materiality"])).search(told)
    pdf = b"".join(pieces("", (made / "board" / "alpha.pdf").read_bytes()))
    assert b"CANARY-business_units-owner" in pdf


def test_an_auditor_gets_conclusions_and_no_amount_they_rest_on(made: Path) -> None:
    """The size of a misstatement is worked out from amounts that are withheld, and is so itself; its severity isn't."""
    for_all = (made / "alpha.html").read_text("utf-8")
    amounts = re.findall(r"could misstate up to ([0-9][0-9,]+)", for_all)
    assert amounts, "the page for nobody in particular tells the amount"
    told = found_in(made, "auditor")
    assert not [amount for amount in amounts if shown_as(amount.replace(",", "")).search(told)]
    assert b"could misstate up to an amount that is withheld" in told
    for severity in re.findall("material weakness|significant deficiency", for_all):
        assert severity.encode() in told


def test_every_column_says_who_sees_it() -> None:
    """A new column is for nobody until somebody has decided; the tables' own columns are all decided.

    Days of rows are none of them: what is handed out is the register as it stood, which has no such columns.
    """
    from riskcalc.register.audiences import _SEEN
    from riskcalc.register.row import SPAN

    own = {(table, column) for table, model in TABLES.items() for column in set(model.model_fields).difference(SPAN)}
    assert set(_SEEN) == own
    for row in _SEEN.values():
        assert {row[name] for name in AUDIENCES} <= {"yes", "no", "counts"}, row
