"""Views and charts: what a notebook displays, with everything a page needs to show without scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from register_files import Rows, write_register

from riskcalc.assessment.opening import Assessment, open_unit
from riskcalc.pages import display, matrix

NASTY = "<img src=x onerror=alert(1)> & </script> \"'{{ 7*7 }} %{x} <b>bold</b>"


@pytest.fixture
def unit(small: Any) -> Assessment:
    return open_unit("alpha", data_dir=str(small))


def held(view: display.Display) -> list[dict[tuple[str, str], tuple[str, list[str], int]]]:
    """By map, the level and the risks of every cell that holds one, by the names of its ratings."""
    return [
        {
            (row["rating"][2:], column[2:]): (cell["level"], [one["text"] for one in cell["ids"]], cell["more"])
            for row in each["rows"]
            for column, cell in zip(each["columns"], row["cells"], strict=True)
            if [one["text"] for one in cell["ids"]]
        }
        for each in view.content["maps"]
    ]


def test_heatmaps_put_each_risk_into_the_cell_of_its_level(unit: Assessment) -> None:
    """A-R1: 5 x 4 inherent, about 1 x 2 claimed, 3 x 4 earned; the unrated risk is in no cell, and said."""
    shown = matrix.heatmaps(unit.scores, unit.matrix)
    assert held(shown) == [
        {("Almost certain", "Major"): ("Critical", ["A-R1"], 0)},
        {("Rare", "Minor"): ("Low", ["A-R1"], 0)},
        {("Possible", "Major"): ("High", ["A-R1"], 0)},
    ]
    assert shown.content["summary"] == (
        "Of 1 rated risk, controls bring 1 to a lower level on the earned view. Unrated: A-R2."
    )


def test_a_crowded_cell_says_how_many_more_it_holds(unit: Assessment) -> None:
    """More ids than fit become a number."""
    risk = unit.scores.iloc[[0]]
    crowd = risk.loc[risk.index.repeat(7)].assign(risk_id=[f"R{n}" for n in range(7)])
    [(_, ids, more)] = held(matrix.heatmaps(crowd, unit.matrix))[0].values()
    assert (ids, more) == (["R0", "R1", "R2", "R3"], 3)


def test_every_cell_of_a_heatmap_names_its_level(unit: Assessment) -> None:
    """Colour never speaks alone; axes and cells are read out by their headings."""
    html = display.render(matrix.heatmaps(unit.scores, unit.matrix).as_json())
    assert html.count('<span class="cell-level">') == 75
    assert html.count('<th scope="row">') == 15
    assert html.count('<th scope="col">') == 15


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (dict, [("A-R1", "newly outside appetite", "3 x 3 to 5 x 4")]),
        (lambda rating: rating.update(likelihood="5", impact="4"), []),
        (lambda rating: rating.update(likelihood="5", impact="5"), [("A-R1", "better", "5 x 5 to 5 x 4")]),
    ],
    ids=["worse", "the same", "better"],
)
def test_movement_tells_what_moved_since_the_period_before(tmp_path: Path, edit: Any, expected: Any) -> None:
    """From cell to cell, past the appetite or back; what stands where it stood is counted only."""

    def change(rows: Rows) -> None:
        tests = [
            {**test, "test_id": f"{test['test_id']}x", "period": "2025-H2", "tested_on": "2025-12-01"}
            for test in rows["control_tests"]
        ]
        rows["control_tests"] += tests
        rows["ratings"][0].update(rated_on="2025-12-20")
        edit(rows["ratings"][0])

    unit = open_unit("alpha", data_dir=str(write_register(tmp_path / "data", change)))
    shown = matrix.movement(unit).content
    assert [(row[0]["text"], row[2]["text"], row[3]) for row in shown["rows"]] == expected
    assert shown["note"].startswith("0 rated risks stand" if expected else "1 rated risk stands")
    first = open_unit("alpha", "2025-H2", str(tmp_path / "data"))
    assert matrix.movement(first).content["text"].startswith("No earlier period is on record")


def test_register_text_is_escaped_in_tables_and_headings() -> None:
    """Shown literally, whatever it is; a template in it is not run."""
    for view in (
        display.table(NASTY, [NASTY], [[{"text": NASTY, "note": NASTY}]], note=NASTY),
        display.facts(NASTY, [(NASTY, NASTY, NASTY)]),
        display.heading(NASTY, NASTY, NASTY, "bad", [NASTY]),
    ):
        html = display.render(view.as_json())
        assert "<img" not in html
        assert "&lt;img src=x onerror=alert(1)&gt;" in html
        assert "{{ 7*7 }}" in html


@pytest.mark.parametrize(
    ("target", "href"),
    [
        ("payroll.html", "payroll.html"),
        ("payroll.html#PAY-R03", "payroll.html#PAY-R03"),
        ("?cell=4x3#all-risks", "?cell=4x3#all-risks"),
        ("javascript:alert(1)", "#"),
        ("//evil.html", "#"),
        ("?level=x#javascript:alert(1)", "#"),
        ("https://evil.html", "#"),
    ],
)
def test_links_lead_only_to_pages_beside_this_one(target: str, href: str) -> None:
    """A manifest that was tampered with can't send a reader elsewhere."""
    html = display.render(display.table("t", ["a"], [[{"text": "x", "href": target}]]).as_json())
    assert f'href="{href}"' in html


def test_an_empty_table_says_so() -> None:
    """No rows is an answer, too."""
    assert "Nothing to list." in display.render(display.table("t", ["a", "b"], []).as_json())


def test_bars_are_to_scale_and_never_speak_alone() -> None:
    """A quarter is a quarter of the width, and the number stands beside it."""
    html = display.render(
        display.table("t", ["a", "b"], [["x", display.bars("25 %", [(0.5, 0.75, "#10508c")])]]).as_json()
    )
    assert 'style="left:50.0%;width:25.0%;background:#10508c"' in html
    assert "25 %" in html


def test_a_hostile_filter_value_stays_an_attribute() -> None:
    """What a row can be filtered by is the register's text."""
    html = display.render(display.table("t", ["a"], [["x"]], filters=[{"owner": NASTY}]).as_json())
    assert "<img" not in html
    assert 'data-owner="&lt;img' in html


def test_a_worse_level_is_worse_whatever_the_score(tmp_path: Path) -> None:
    """5 x 2 scores more than 1 x 5, which is at a worse level on an asymmetric matrix."""

    def change(rows: Rows) -> None:
        for control in rows["controls"]:
            control["documentation"] = ""
        rows["business_units"][0]["appetite"] = "Critical"
        rows["ratings"][0].update(likelihood="5", impact="2")
        rows["ratings"][1].update(likelihood="1", impact="5")

    shown = matrix.movement(open_unit("alpha", data_dir=str(write_register(tmp_path / "data", change)))).content
    assert [(row[2]["text"], row[3]) for row in shown["rows"]] == [("worse", "5 x 2 to 1 x 5")]
