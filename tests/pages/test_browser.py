"""The pages in a real browser, with the network refused: what is drawn, what is asked for, what is left without scripts."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from chromium import skip_without
from opened_page import Opened
from register_files import SAMPLE
from running import run_here
from waiting import wait_for

from riskcalc.pages import display
from riskcalc.register.register import load

ROOT = Path(__file__).parents[2]

skip_without()


def run(data: Path, out: Path) -> Path:
    run_here(data, "--out", out)
    [folder] = out.iterdir()
    return folder


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the sample register, moved away from where they were made."""
    made = run(SAMPLE, tmp_path_factory.mktemp("made"))
    return Path(shutil.move(made, tmp_path_factory.mktemp("mailed") / "pages"))


@pytest.mark.parametrize("name", ["payroll", "claims", "funds", "payments", "loans", "index"])
def test_the_curve_is_there_at_once_and_can_be_explored(browser: Any, pages: Path, name: str) -> None:
    """A picture first; asked for, plotly draws it from the page alone; nothing is requested, nothing complained of."""
    path = pages / f"{name}.html"
    opened = Opened(browser, path)
    figure = opened.page.locator("figure.chart")
    assert figure.count() == 1
    assert figure.locator("svg.wide").is_visible()
    assert opened.page.locator(".main-svg").count() == 0
    figure.get_by_role("button", name="Explore this chart").click()
    figure.locator(".main-svg").first.wait_for()
    assert not figure.locator("svg.wide").is_visible()
    assert opened.requests == [path.as_uri()]
    assert opened.complaints == []


@pytest.mark.parametrize("width", [360, 390, 768, 1440])
def test_no_page_is_wider_than_its_window(browser: Any, pages: Path, width: int) -> None:
    """On a phone and on a projector: wide charts and tables scroll by themselves, the page doesn't."""
    for path in (pages / "payroll.html", pages / "index.html"):
        assert Opened(browser, path, width).page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [360, 390])
@pytest.mark.parametrize("name", ["payroll", "index"])
def test_on_a_phone_nothing_scrolls_sideways_but_the_matrix(browser: Any, pages: Path, name: str, width: int) -> None:
    """Tables are cards there, each cell with its heading; also those that are folded at first."""
    page = Opened(browser, pages / f"{name}.html", width).page
    page.evaluate("document.querySelectorAll('section.closed button.chapter').forEach((each) => each.click())")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    wide = """all => all.filter(each => ["auto", "scroll"].includes(getComputedStyle(each).overflowX)
        && each.scrollWidth > each.clientWidth + 1 && !each.querySelector(".matrix") && !each.closest("nav")).map(each => each.ariaLabel)"""
    assert page.locator("main *").evaluate_all(wide) == []
    label = "each => getComputedStyle(each, '::before').content"
    assert page.locator("#all-risks td[data-label=Owner]").first.evaluate(label) == '"Owner: "'


def test_the_bar_of_levels_is_to_scale(browser: Any, tmp_path: Path) -> None:
    """2 High look like a third of 6 Low, at any width, and every number is told."""
    levels = {"Critical": 1, "High": 2, "Medium": 1, "Low": 6, "Unrated": 1}
    bars = [display.bar("2026-H1", levels, load(SAMPLE).methodology.matrix)]
    brief = display.brief("In brief", [display.panel(f"Panel {n}", "1", "says", bars=bars) for n in range(3)])
    css = display.stylesheet("displays.css") + display.stylesheet("page.css")
    path = tmp_path / "page.html"
    body = f'<main class="riskcalc">{display.render(brief.as_json())}</main>'
    path.write_text(f"<!doctype html><style>{css}</style>{body}", "utf-8")
    for width in (1440, 1024, 768, 390):
        page = Opened(browser, path, width, wait=False).page
        wide = "all => all.map(each => each.getBoundingClientRect().width)"
        parts = page.locator(".panel").first.locator(".parts span").evaluate_all(wide)
        for part, count in zip(parts, levels.values(), strict=True):
            assert part / sum(parts) == pytest.approx(count / 11, abs=0.02)
        assert page.locator(".panel").evaluate_all("all => all.every(each => each.scrollWidth <= each.clientWidth)")
        assert page.locator(".level-bar .says").first.inner_text().split() == [
            "1",
            "Critical",
            "2",
            "High",
            "1",
            "Medium",
            "6",
            "Low",
            "1",
            "Unrated",
        ]


def test_without_scripts_every_chart_is_there(browser: Any, pages: Path) -> None:
    """Mail previews run no scripts: pictures of the matrix and the curve, and every table of the page."""
    opened = Opened(browser, pages / "payroll.html", scripts=False)
    assert opened.page.locator("figure.chart svg.wide").is_visible()
    maps = opened.page.locator("table.matrix")
    assert maps.count() == 4
    [cell] = maps.nth(1).locator("td.cell", has_text="PAY-R03").all_text_contents()
    assert cell.startswith("High")
    assert (
        opened.page.locator("#all-risks tbody tr").evaluate_all("all => all.filter(each => each.offsetHeight).length")
        == 14
    )


def test_with_scripts_the_data_of_a_chart_is_one_click_away(browser: Any, pages: Path) -> None:
    """The table steps back behind its chart, and comes when asked."""
    page = Opened(browser, pages / "payroll.html").page
    table = page.locator("figure.chart details table").first
    assert not table.is_visible()
    page.locator("figure.chart summary").first.click()
    assert table.is_visible()


def test_the_index_leads_to_every_unit_and_to_the_rows_of_its_risks(browser: Any, pages: Path) -> None:
    """From the organisation to a unit in one click, and to a risk's row, all of it marked and below the bar."""
    page = Opened(browser, pages / "index.html").page
    links = page.locator("section table a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    units = {"claims.html", "funds.html", "loans.html", "payments.html", "payroll.html"}
    assert units <= set(links)
    assert {link.split("#")[0] for link in links} == units
    page.locator(".brief a[href='payroll.html#PAY-R03']").first.click()
    page.wait_for_selector("html[data-tables=ready]")
    wait_for(
        lambda: bool(page.evaluate("document.querySelector(':target')?.getBoundingClientRect().top < innerHeight"))
    )
    row = page.locator("tr", has=page.locator(":target"))
    assert row.locator("th").text_content() == "PAY-R03"
    assert row.evaluate("""each => each.getBoundingClientRect().top
        >= document.querySelector("nav").getBoundingClientRect().bottom""")
    marked = "all => new Set(all.map(each => getComputedStyle(each).backgroundColor)).size"
    assert row.locator("th, td").evaluate_all(marked) == 1
    page.get_by_role("link", name="Tarnbrook Services Group").click()
    page.wait_for_selector("h1:has-text('Tarnbrook')")


def test_the_first_screen_filters_the_risks_and_the_filter_can_be_sent(browser: Any, pages: Path) -> None:
    """A cell, a level: so many are shown as it counts; the address says so, and opens so; clear shows all again."""
    page = Opened(browser, pages / "payroll.html").page
    visible = "all => all.filter(each => !each.hidden).length"
    rows = page.locator("#all-risks tbody tr")
    page.locator(".level-bar a", has_text="2 High").click()
    assert rows.evaluate_all(visible) == 2
    assert page.locator("#all-risks output").inner_text() == "2 of 14 shown"
    assert page.url.endswith("payroll.html?level=High#all-risks")
    page.get_by_label("Past due").check()
    assert page.locator("#all-risks output").inner_text() == "1 of 14 shown"
    again = Opened(browser, pages / "payroll.html").page
    again.goto(page.url)
    again.wait_for_selector("html[data-tables=ready]")
    assert again.locator("#all-risks tbody tr").evaluate_all(visible) == 1
    page.get_by_label("With").fill("nothing has this")
    assert page.locator("#all-risks output").inner_text() == "No risk of 14 is so"
    page.get_by_role("button", name="Clear").click()
    assert rows.evaluate_all(visible) == 5
    assert page.locator("#all-risks output").inner_text() == "", "nothing was searched for"
    page.locator("#all-risks").get_by_role("button", name="Show all").click()
    assert rows.evaluate_all(visible) == 14


def test_dates_are_sorted_by_day_and_levels_by_rank(browser: Any, pages: Path) -> None:
    """31 May before 15 Jun, Medium below High: not by what they are spelled like; the heading says which way."""
    page = Opened(browser, pages / "index.html").page
    table = page.locator("table", has=page.locator("caption", has_text="Decisions"))
    heading = table.get_by_role("columnheader", name="By when")
    for way, first in (("ascending", "31\u00a0Mar\u00a02026"), ("descending", "no date agreed")):
        table.get_by_role("button", name="Sort by By when").click()
        assert heading.get_attribute("aria-sort") == way
        told = table.locator("tbody tr td:last-child").all_inner_texts()
        dates = [day.split("\n")[0] for day in told if "2026" in day]
        days = [datetime.strptime(day.replace("\u00a0", " "), "%d %b %Y") for day in dates]
        assert days == sorted(days, reverse=way == "descending")
        assert told[0].startswith(first)
    table.get_by_role("button", name="Sort by Earned").click()
    levels = [level for level in table.locator("tbody tr td:nth-child(3)").all_inner_texts() if level]
    assert levels == sorted(levels, key=["Unrated", "Low", "Medium", "High"].index)


def test_on_a_phone_chapters_are_folded_and_a_link_opens_its_own(browser: Any, pages: Path) -> None:
    """The first is open; the row of chapters, and a link to a row, open what they lead to; a heading folds it again."""
    page = Opened(browser, pages / "payroll.html", 390).page
    closed = "all => all.map(each => each.classList.contains('closed'))"
    assert page.locator("main > section").evaluate_all(closed) == [False, *[True] * 9]
    page.locator("nav").get_by_role("link", name="Tests of controls").click()
    chapter = page.locator("section", has=page.get_by_role("heading", name="Tests of controls"))
    wait_for(lambda: bool(page.evaluate("document.querySelector('section:not(.closed) h2:target')")))
    assert chapter.locator("table").first.is_visible()
    page.locator(".brief a", has_text="PAY-R03").first.click()
    page.locator("#PAY-R03").wait_for()
    assert page.locator("#PAY-R03").is_visible()
    chapter.locator("button.chapter").click()
    assert not chapter.locator("table").first.is_visible()
    assert chapter.locator("button.chapter").get_attribute("aria-expanded") == "false"


def test_on_a_phone_a_decision_says_who_by_when_and_what_is_earned(browser: Any, pages: Path) -> None:
    """Without *More*; and a row without a treatment has no heading for one."""
    page = Opened(browser, pages / "payroll.html", 390).page
    decisions = page.locator("section[aria-labelledby=to-be-decided] tbody tr")
    for row in decisions.all():
        for label in ("Who", "By when"):
            assert row.locator(f"td[data-label='{label}']").is_visible()
        earned = row.locator("td[data-label=Earned]")
        assert earned.is_visible() == bool(earned.text_content())
        assert (row.locator("td[data-label=Treatment]").count() == 1) == (bool(earned.text_content()))


@pytest.mark.parametrize("width", [390, 1440])
def test_no_name_of_a_matrix_is_broken_within_a_word_where_there_is_room(
    browser: Any, tmp_path: Path, width: int
) -> None:
    """German names on the first screen; where there is no room they break, and nothing scrolls."""
    names = ["Unwahrscheinlich", "Selten", "Wahrscheinlich"]
    impacts = ["Gering", "Erheblich", "Existenzbedrohend"]
    cell = {"fill": "#fff", "ink": "#000", "level": "Low", "edges": "", "count": 0, "outside": 0, "moved": {}}
    rows = [{"rating": f"{place} {name}", "cells": [cell] * 3} for place, name in enumerate(names, 1)]
    columns = [f"{place} {name}" for place, name in enumerate(impacts, 1)]
    shown = display.Display(
        "picture", {"title": "M", "columns": columns, "rows": rows, "appetites": "", "several": False, "since": ""}
    )
    css = display.stylesheet("displays.css") + display.stylesheet("page.css")
    for name, room in (("wide", "auto"), ("narrow", "12rem")):
        path = tmp_path / f"{name}.html"
        body = f'<main class="riskcalc"><div style="width:{room}">{display.render(shown.as_json())}</div></main>'
        path.write_text(f'<!doctype html><meta name="viewport" content="width=device-width"><style>{css}</style>{body}')
        page = Opened(browser, path, width, wait=False).page
        lines = """all => all.map(each => { const words = document.createRange(); words.selectNodeContents(each);
            return new Set([...words.getClientRects()].map(one => Math.round(one.top))).size; })"""
        found = page.locator("table.picture :is(thead, tbody) th").evaluate_all(lines)
        assert (max(found) <= 2) == (name == "wide")
        assert page.locator(".worded").evaluate("each => each.scrollWidth <= each.clientWidth")


def test_on_paper_details_lie_over_nothing_and_an_introduction_stays_whole(browser: Any, pages: Path) -> None:
    """A risk whose title takes one line has its score below its level; a chapter's heading isn't left alone."""
    page = Opened(browser, pages / "payroll.html", 1000).page
    page.emulate_media(media="print")
    below = """row => { const bottom = each => { const words = document.createRange(); words.selectNodeContents(each);
        return words.getBoundingClientRect().bottom; };
        row.querySelector("details").open = true;
        return row.querySelector(".told").getBoundingClientRect().top
            - Math.max(...[...row.children].filter(each => !each.querySelector("details")).map(bottom)); }"""
    rows = page.locator("#all-risks tbody tr:has(details)")
    assert min(rows.nth(place).evaluate(below) for place in range(rows.count())) >= 0
    whole = "all => all.length && all.every(each => getComputedStyle(each).breakInside === 'avoid')"
    assert page.locator("section > p:not([class])").evaluate_all(whole)


def test_that_all_charts_are_drawn_stays_said(browser: Any, pages: Path) -> None:
    """Who prints a page asks for all charts at once, and waits until they are there: also where the page begins late."""
    page = browser.new_context(offline=True).new_page()
    page.add_init_script(
        """addEventListener('DOMContentLoaded', () => document.dispatchEvent(new Event('draw-all')));"""
    )
    page.goto((pages / "payroll.html").as_uri())
    wait_for(lambda: bool(page.evaluate("performance.getEntriesByName('charts-ready').length")))
    assert page.evaluate("document.documentElement.dataset.charts") == "all"


def test_pages_are_small_enough_to_mail(pages: Path) -> None:
    """At most 2.5 MB each, interactive charts included."""
    sizes = {path.name: path.stat().st_size for path in pages.glob("*.html")}
    assert {name: size for name, size in sizes.items() if size > 2_500_000} == {}
