"""Views and charts: what a notebook displays, with everything a page needs to show without scripts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from riskcalc import charts, matrix_charts, views
from riskcalc.assessment import Assessment, open_unit

NASTY = "<img src=x onerror=alert(1)> & </script> \"'{{ 7*7 }} %{x} <b>bold</b>"


@pytest.fixture
def unit(small: Any) -> Assessment:
    return open_unit("alpha", data_dir=str(small))


def said(figure: Any) -> dict[str, Any]:
    return json.loads(figure.to_json())["layout"]["meta"]["riskcalc"]


@pytest.mark.parametrize(
    "draw", [charts.ranking, matrix_charts.heatmaps, matrix_charts.movement, charts.levels_by_unit]
)
def test_every_chart_says_what_to_see_and_carries_its_data(unit: Assessment, draw: Any) -> None:
    """A chart without a sentence or a table would be lost to who can't run scripts."""
    about = said(draw(unit.scores, unit.matrix))
    assert about["title"]
    assert "Unrated: A-R2." in about["summary"]
    assert about["table"]["rows"]
    assert views.render(about["table"]).count("<tr>") == len(about["table"]["rows"]) + 1


@pytest.mark.parametrize("draw", [charts.ranking, matrix_charts.heatmaps, matrix_charts.movement])
def test_a_chart_of_unrated_risks_only_is_still_a_chart(unit: Assessment, draw: Any) -> None:
    """A new unit has no ratings yet; its page must not fail."""
    unrated = unit.scores[unit.scores["likelihood"].isna()]
    assert "Unrated: A-R2." in said(draw(unrated, unit.matrix))["summary"]


def test_heatmaps_put_each_risk_into_the_cell_of_its_level(unit: Assessment) -> None:
    """A-R1: 5 x 4 inherent, about 1 x 2 claimed, about 2 x 3 earned; the table names the same cells."""
    rows = said(matrix_charts.heatmaps(unit.scores, unit.matrix))["table"]["rows"]
    cells = {row[0]: (row[1], row[2], row[3]["text"], row[4]) for row in rows}
    assert cells == {
        "Inherent": ("Almost certain", "Major", "Critical", "A-R1"),
        "Claimed": ("Rare", "Minor", "Low", "A-R1"),
        "Earned": ("Unlikely", "Moderate", "Medium", "A-R1"),
    }


def test_a_crowded_cell_gives_a_count(unit: Assessment) -> None:
    """More ids than fit become a number; the table still has them all."""
    risk = unit.scores.iloc[[0]]
    crowd = risk.loc[risk.index.repeat(7)].assign(risk_id=[f"R{n}" for n in range(7)])
    figure = matrix_charts.heatmaps(crowd, unit.matrix)
    texts = [text for trace in figure.data for text in (trace.text if trace.type == "scatter" else [])]
    assert texts.count("7 risks") == 3
    assert "R0, R1, R2, R3, R4, R5, R6" in said(figure)["table"]["rows"][0]


def test_every_cell_of_a_heatmap_names_its_level(unit: Assessment) -> None:
    """Colour never speaks alone."""
    figure = matrix_charts.heatmaps(unit.scores, unit.matrix)
    named = [list(trace.text) for trace in figure.data if trace.type == "scatter" and "Low" in trace.text]
    assert [len(texts) for texts in named] == [25, 25, 25]


def test_the_ranking_is_worst_first_and_leaves_no_risk_out_of_its_table(sample: Any) -> None:
    """The chart draws the worst; the table has every rated risk in the same order."""
    from riskcalc.scoring import score

    scores = score(sample).assign(title="t")
    figure = charts.ranking(scores, sample.methodology.matrix, most=5)
    rows = said(figure)["table"]["rows"]
    levels = [sample.methodology.level_names.index(row[-1]["text"]) for row in rows]
    assert len(figure.data[0].x) == 5
    assert len(rows) == scores["likelihood"].notna().sum()
    assert levels == sorted(levels, reverse=True)


@pytest.mark.parametrize(
    "draw", [charts.ranking, matrix_charts.heatmaps, matrix_charts.movement, charts.levels_by_unit]
)
def test_register_text_never_reaches_plotly_as_markup(unit: Assessment, draw: Any) -> None:
    """Plotly reads tags in labels; ours must arrive as text, also where an id or a unit's name is hostile."""
    hostile = unit.scores.assign(risk_id=[f"{NASTY}{n}" for n in range(2)], title=NASTY, unit_id=NASTY)
    figure = json.loads(draw(hostile, unit.matrix).to_json())
    del figure["layout"]["meta"]
    assert "<img" not in json.dumps(figure)
    assert "<b>" not in json.dumps(figure)


def test_register_text_is_escaped_in_tables_and_headings() -> None:
    """Shown literally, whatever it is; a template in it is not run."""
    for view in (
        views.table(NASTY, [NASTY], [[{"text": NASTY, "note": NASTY}]], note=NASTY),
        views.facts(NASTY, [(NASTY, NASTY, NASTY)]),
        views.heading(NASTY, NASTY, NASTY, "bad", [NASTY]),
    ):
        html = views.render(view.as_json())
        assert "<img" not in html
        assert "&lt;img src=x onerror=alert(1)&gt;" in html
        assert "{{ 7*7 }}" in html


@pytest.mark.parametrize(
    ("target", "href"), [("payroll.html", "payroll.html"), ("javascript:alert(1)", "#"), ("//evil.html", "#")]
)
def test_links_lead_only_to_pages_beside_this_one(target: str, href: str) -> None:
    """A manifest that was tampered with can't send a reader elsewhere."""
    html = views.render(views.table("t", ["a"], [[{"text": "x", "href": target}]]).as_json())
    assert f'href="{href}"' in html


def test_an_empty_table_says_so() -> None:
    """No rows is an answer, too."""
    assert "Nothing to list." in views.render(views.table("t", ["a", "b"], []).as_json())
