"""The pages in a real browser, with the network refused: what is drawn, what is asked for, what is left without scripts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chromium import skip_without
from opened_page import Opened
from register_files import SAMPLE

from riskcalc.pages import display
from riskcalc.register.register import load

ROOT = Path(__file__).parents[2]

skip_without()


def run(data: Path, out: Path) -> Path:
    command = [sys.executable, "-m", "riskcalc", "run", str(data), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    [folder] = out.iterdir()
    return folder


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the sample register, moved away from where they were made."""
    made = run(SAMPLE, tmp_path_factory.mktemp("made"))
    return Path(shutil.move(made, tmp_path_factory.mktemp("mailed") / "pages"))


@pytest.mark.parametrize(
    ("name", "charts"), [("payroll", 5), ("claims", 5), ("funds", 5), ("payments", 5), ("loans", 5), ("index", 3)]
)
def test_all_charts_are_drawn_and_nothing_is_requested(browser: Any, pages: Path, name: str, charts: int) -> None:
    """Each page draws its charts from itself alone, silently."""
    path = pages / f"{name}.html"
    opened = Opened(browser, path)
    assert (
        opened.page.locator("figure.chart .main-svg").evaluate_all(
            "all => new Set(all.map(each => each.closest('figure'))).size"
        )
        == charts
    )
    assert opened.page.locator("figure.chart.drawn").count() == charts
    assert opened.requests == [path.as_uri()]
    assert opened.complaints == []


@pytest.mark.parametrize("width", [360, 390, 768, 1440])
def test_no_page_is_wider_than_its_window(browser: Any, pages: Path, width: int) -> None:
    """On a phone and on a projector: wide charts and tables scroll by themselves, the page doesn't."""
    for path in (pages / "payroll.html", pages / "index.html"):
        assert Opened(browser, path, width).page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("name", ["payroll", "index"])
def test_a_phone_shows_whole_charts(browser: Any, pages: Path, name: str) -> None:
    """Nothing of a chart is cut at the edge: its labels leave room for what is drawn."""
    page = Opened(browser, pages / f"{name}.html", 390).page
    cut = "all => all.filter(each => each.scrollWidth > each.clientWidth).map(each => each.ariaLabel)"
    assert page.locator(".plot-scroll").evaluate_all(cut) == []


def test_five_levels_fit_into_their_panel(browser: Any, tmp_path: Path) -> None:
    """The unrated ones, last in the bar, stay inside the panel, and their name isn't cut."""
    levels = {"Critical": 1, "High": 2, "Medium": 1, "Low": 3, "Unrated": 1}
    bars = [display.bar("2026-H1", levels, load(SAMPLE).methodology.matrix)]
    brief = display.brief("In brief", [display.panel(f"Panel {n}", "1", "says", bars=bars) for n in range(3)])
    css = display.stylesheet("displays.css") + display.stylesheet("page.css")
    path = tmp_path / "page.html"
    body = f'<main class="riskcalc">{display.render(brief.as_json())}</main>'
    path.write_text(f"<!doctype html><style>{css}</style>{body}", "utf-8")
    page = Opened(browser, path, 1440, wait=False).page
    places = "all => all.map(each => Math.round(each.getBoundingClientRect().top))"
    assert len(set(page.locator(".panel .part").evaluate_all(places))) == 1
    assert page.locator(".panel").evaluate_all("all => all.every(each => each.scrollWidth <= each.clientWidth)")
    assert page.locator(".part").evaluate_all("all => all.every(each => each.scrollWidth <= each.clientWidth)")


def test_without_scripts_every_chart_is_there_as_a_table(browser: Any, pages: Path) -> None:
    """Mail previews run no scripts: the data of each chart is open to read."""
    opened = Opened(browser, pages / "payroll.html", scripts=False)
    tables = opened.page.locator("figure.chart details[open] table")
    assert tables.count() == 5
    assert all(tables.nth(index).is_visible() for index in range(3))
    maps = opened.page.locator("table.matrix")
    assert maps.count() == 3
    [cell] = maps.first.locator("td.cell", has_text="PAY-R03").all_inner_texts()
    assert cell.startswith("High")


def test_with_scripts_the_data_of_a_chart_is_one_click_away(browser: Any, pages: Path) -> None:
    """The table steps back behind its chart, and comes when asked."""
    page = Opened(browser, pages / "payroll.html").page
    table = page.locator("figure.chart details table").first
    assert not table.is_visible()
    page.locator("figure.chart summary").first.click()
    assert table.is_visible()


def test_the_index_leads_to_every_unit(browser: Any, pages: Path) -> None:
    """From the organisation to a unit in one click."""
    page = Opened(browser, pages / "index.html").page
    links = page.locator("table a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    assert sorted(links) == ["claims.html", "funds.html", "loans.html", "payments.html", "payroll.html"]
    page.locator("table a").first.click()
    page.wait_for_selector("h1")
    assert page.url.endswith(links[0])


def test_pages_are_small_enough_to_mail(pages: Path) -> None:
    """At most 2.5 MB each, interactive charts included."""
    sizes = {path.name: path.stat().st_size for path in pages.glob("*.html")}
    assert {name: size for name, size in sizes.items() if size > 2_500_000} == {}
