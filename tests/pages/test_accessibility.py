"""Pages for everybody: axe finds nothing on any page of any audience; tables can be sorted and filtered by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chromium import skip_without
from opened_page import Opened
from register_files import SAMPLE
from running import run_here

ROOT = Path(__file__).parents[2]

skip_without()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's pages, for every audience."""
    out = tmp_path_factory.mktemp("accessible")
    for asked in (
        ["internal", "--unit", "payments", "--unit", "payroll", "--static"],
        ["board,auditor,unit,public", "--unit", "loans"],
    ):
        run_here(SAMPLE, "--out", out, "--audience", *asked)
    return out / "2026-H1"


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("index", 390), ("index", 1440), ("payments", 390), ("payments", 1440), ("payments.static", 390),
        ("board/index", 1440), ("board/loans", 390), ("auditor/index", 390), ("auditor/loans", 1440),
        ("unit/loans", 1440), ("public/index", 390), ("public/loans", 1440),
    ],
)  # fmt: skip
def test_axe_finds_nothing(browser: Any, folder: Path, name: str, width: int) -> None:
    """WCAG 2.2 A and AA, and what else axe holds for good practice."""
    from axe_playwright_python.sync_playwright import Axe

    path = folder / f"{name}.html"
    opened = Opened(browser, path, width, wait=b'id="plotly-gzip"' in path.read_bytes())
    found = Axe().run(opened.page)
    opened.close()
    assert found.violations_count == 0, found.generate_report()


def test_tables_sort_and_filter_by_keyboard(browser: Any, folder: Path) -> None:
    """A press sorts, another turns it round; levels sort by their order, not by their letters."""
    page = Opened(browser, folder / "payments.html").page
    table = page.locator("table", has=page.locator("caption", has_text="All risks"))
    heading = table.locator("thead th", has_text="Inherent")

    def levels() -> list[str]:
        cells = table.locator("tbody tr:not([hidden]) td:nth-child(3)").all_inner_texts()
        return [cell.split("\n")[0] for cell in cells]

    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    order = ["Unrated", "Low", "Medium", "High", "Critical"]
    assert levels() == sorted(levels(), key=order.index)
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert levels() == sorted(levels(), key=order.index, reverse=True)
    before = len(levels())
    page.get_by_label("With", exact=True).fill("chargeback")
    assert 0 < len(levels()) < before


def test_a_risk_in_brief_leads_to_its_row(browser: Any, folder: Path) -> None:
    """One click from the first screen to all that is known of a risk."""
    page = Opened(browser, folder / "payroll.html").page
    page.locator(".brief a", has_text="PAY-R03").first.click()
    row = page.locator("tr", has=page.locator(":target"))
    assert row.locator("th").inner_text() == "PAY-R03"
    assert page.locator(":target").evaluate("each => each.getBoundingClientRect().top >= 0")


@pytest.mark.parametrize("name", ["payroll", "index"])
def test_the_first_screen_answers_the_three_questions(browser: Any, folder: Path, name: str) -> None:
    """Without scrolling, on a laptop: inside appetite or not, what changed, what is to be decided."""
    page = Opened(browser, folder / f"{name}.html", width=1440).page
    for title in ("Risk now, against appetite", "What changed since 2025-H2", "To be decided"):
        panel = page.locator(".panel", has=page.locator("h2", has_text=title))
        last = panel.locator(".level-bar, .says").last if title.startswith("Risk now") else panel.locator(".says").first
        assert last.evaluate("each => each.getBoundingClientRect().bottom") < 900
    assert page.locator("table.picture").evaluate("each => each.getBoundingClientRect().bottom") < 900
