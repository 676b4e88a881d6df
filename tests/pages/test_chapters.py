"""The chapters: what one call shows, and to whom."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from register_files import SAMPLE

from riskcalc import open_portfolio, open_unit
from riskcalc.assessment.opening import Assessment
from riskcalc.errors import UsageError
from riskcalc.pages import loss
from riskcalc.pages.chapters import _UNIT, Chapter, chapter
from riskcalc.register.tables import TABLES

ROOT = Path(__file__).parents[2]
# What each chapter leaves out for an audience, as titles of what the whole chapter shows.
FEWER = {
    ("loss", "board"): {"The yearly loss in figures", "How much hangs on the anchors"},
    ("report", "board"): {"Gaps on the way to the report"},
    ("leans on", "auditor"): {"Training of the owners of key controls", "Other frameworks that controls are mapped to"},
}


def titles(shown: Chapter) -> list[str]:
    return [view.content.get("title", "") for view in shown if hasattr(view, "content")]


@pytest.fixture(scope="module")
def whole() -> Assessment:
    return open_unit("payroll", data_dir=str(SAMPLE))


@pytest.mark.parametrize("name", ["assessment", "portfolio"])
def test_a_notebook_shows_every_chapter_once_and_says_what_to_look_at(name: str, whole: Assessment) -> None:
    """Nothing that a page can tell is left out, and under every heading stand two sentences or more."""
    opened = whole if name == "assessment" else open_portfolio(data_dir=str(SAMPLE))
    with pytest.raises(UsageError, match="There is no chapter 'x'; allowed: in brief, decisions, ") as refused:
        chapter(opened, "x")
    cells = nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4).cells
    called = re.findall(r'chapter\(\w+, "(.+)"\)', "\n".join(cell.source for cell in cells))
    assert sorted(called) == sorted(str(refused.value).partition("allowed: ")[2].rstrip(".").split(", "))
    for cell in cells[3:]:
        assert cell.cell_type == "code" or re.fullmatch(r"## [^\n]+\n\n.+\. .+\.", cell.source, re.S), cell.source


@pytest.mark.parametrize("period", ["2026-H1", "2025-H2"])
def test_pages_change_nothing_that_they_share(period: str) -> None:
    """Rows are made once for all views: one that wrote into them would change what the next tells."""
    unit = open_unit("payroll", period, data_dir=str(SAMPLE))
    before = {name: repr(unit.register.rows(name)) for name in TABLES}
    first = [repr(chapter(unit, name)) for name in _UNIT]
    assert [repr(chapter(unit, name)) for name in _UNIT] == first
    assert {name: repr(unit.register.rows(name)) for name in TABLES} == before


@pytest.mark.parametrize(("name", "audience"), FEWER)
def test_of_a_chapter_some_views_are_for_fewer(name: str, audience: str, whole: Assessment) -> None:
    """Whichever way the notebook is run: stock papermill runs all cells, whoever they are tagged for."""
    part = open_unit("payroll", data_dir=str(SAMPLE), audience=audience)
    shown, all_there_is = titles(chapter(part, name)), titles(chapter(whole, name))
    assert set(all_there_is) - set(shown) == FEWER[name, audience]
    assert titles(chapter(open_unit("payroll", data_dir=str(SAMPLE), audience="unit"), name)) == all_there_is


def test_a_view_that_fails_fails_the_cell(whole: Assessment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views are computed by the call: an error while IPython displays something would be shown, and the run go on."""

    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(chapter.__globals__["_UNIT"], "loss", (loss.figures, broken))
    with pytest.raises(ZeroDivisionError):
        chapter(whole, "loss")


def test_the_styles_come_with_the_first_display_of_a_cell(whole: Assessment, monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold for what stands below it. A chart's don't count: JupyterLab draws it by plotly."""
    sent: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, _: sent.append(data))
    chapter(whole, "matrix")._ipython_display_()
    assert ["<style>" in each["text/html"] for each in sent] == [True, True, False, False]
