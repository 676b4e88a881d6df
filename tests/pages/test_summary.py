"""The first screen: against appetite, what changed, what is to be decided by whom and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from register_files import Rows, change, write_register

from riskcalc.assessment.context import Context
from riskcalc.assessment.decisions import decisions, on_risks
from riskcalc.assessment.opening import open_portfolio, open_unit
from riskcalc.pages import matrix, risks, summary
from riskcalc.pages.display import day, render
from riskcalc.register.register import load


def panels(view: Any) -> dict[str, dict[str, Any]]:
    return {panel["title"].partition(" since")[0]: panel for panel in view.content["panels"]}


def opened(folder: Path, edit: Callable[[Rows], object] | None = None, unit: str = "alpha") -> Any:
    return open_unit(unit, data_dir=str(write_register(folder / "data", edit)))


def worse(rows: Rows) -> None:
    """A-R1 leaves its appetite: its controls aren't documented any more."""
    for control in rows["controls"]:
        control["documentation"] = ""


def test_the_first_panel_says_how_far_outside(tmp_path: Path) -> None:
    """How many of how many, the furthest and by how many levels, and what claims would make of it."""
    found = panels(summary.unit(opened(tmp_path, worse)))["Risk now, against appetite"]
    assert (found["figure"], found["tone"]) == ("", "bad"), "how many of how many is the verdict's to tell, once"
    told = (
        "Furthest out: A-R1, Critical, by 2 levels. 1 of 1 outside would be inside if every control worked as claimed."
    )
    assert found["says"] == told
    assert [bar["label"] for bar in found["bars"]] == ["2026-H1", "2025-H2"]
    assert [(part["text"], part["count"]) for part in found["bars"][0]["parts"]] == [("Critical", 1), ("Unrated", 1)]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (worse, "1 risk outside appetite; 1 unrated"),
        (
            lambda rows: rows["ratings"][1].update(likelihood="1", impact="1"),
            "No rated risk is outside appetite; 1 unrated",
        ),
        (lambda rows: rows["ratings"].__delitem__(slice(1, 3)), "No risk is rated"),
    ],
)
def test_the_headline_is_true_in_every_register(tmp_path: Path, edit: Callable[[Rows], object], said: str) -> None:
    """Where nothing is rated nothing is inside; decisions past due are counted where there are any."""
    unit = open_unit("alpha", "2026-H1", data_dir=str(write_register(tmp_path / "data", edit)))
    assert summary.unit(unit).content["headline"].partition("; 1 decision past")[0] == said
    found = decisions(unit.context)
    late = sum(each.late for each in found)
    assert ("past due" in summary.headline(unit, found)) == bool(late)
    assert summary.to_take(found).startswith(f"{len(found)} decision")
    assert summary.to_take([]) == "Nothing has to be decided"


def test_the_second_panel_says_who_crossed_the_appetite(tmp_path: Path) -> None:
    """With the levels it went through."""
    found = panels(summary.unit(opened(tmp_path, worse)))["What changed"]
    assert (found["figure"], found["tone"]) == ("1", "bad")
    [item] = found["items"]
    assert (item["cell"]["text"], item["note"]["text"]) == ("A-R1", "newly outside appetite: Medium to Critical")
    first = panels(summary.unit(open_unit("alpha", "2025-H2", data_dir=str(tmp_path / "data"))))["What changed"]
    assert first["says"] == "No earlier period is on record."


def test_the_third_panel_says_what_who_and_when(tmp_path: Path) -> None:
    """A late one in the tone of lateness; a risk without a date says so; an unrated one is to be rated."""

    def edit(rows: Rows) -> None:
        worse(rows)
        change("controls", 0)(rows)
        rows["deficiencies"][0].update(due_on="2026-06-29")

    found = panels(summary.unit(opened(tmp_path, edit)))["To be decided"]
    first, second = found["items"][:2]
    assert (first["cell"]["text"], first["level"]["text"]) == ("A-R1", "Critical")
    assert first["note"] == {"text": day("R. Owner: was due 2026-06-29"), "tone": "bad", "note": ""}
    assert "rate it" in second["text"]
    assert second["note"] == "R. Owner: no date agreed"
    assert found["says"].startswith("decisions to take; 1 past due;")


def test_an_accepted_risk_is_its_acceptors_until_it_runs_out(tmp_path: Path) -> None:
    """Then it is late."""

    def edit(rows: Rows) -> None:
        worse(rows)
        rows["risks"][0].update(treatment="accept", accepted_by="The board", accepted_until="2026-05-31")

    register = load(write_register(tmp_path / "data", edit)).only("alpha")
    [first, *_] = on_risks(Context.of(register))
    assert (first.row, first.owner, first.due_on, first.late) == ("A-R1", "The board", date(2026, 5, 31), True)
    assert first.what.endswith("accepted outside appetite: renew or treat")
    assert not on_risks(Context.of(register, as_of=date(2026, 5, 31)))[0].late


def test_whatever_else_blocks_the_report_is_to_be_decided_once(tmp_path: Path) -> None:
    """A control that an objective depends on, unless a risk above has spoken of it."""

    def edit(rows: Rows) -> None:
        rows["control_tests"][2]["deviations"] = "0"
        rows["controls"][1]["documentation"] = ""
        rows["controls"][0]["documentation"] = ""
        rows["ratings"][1].update(likelihood="2", impact="2")

    register = load(write_register(tmp_path / "data", edit)).only("alpha")
    found = decisions(Context.of(register))
    assert len({each.row for each in found}) == len(found)
    assert any(each.row == "A-C2" or "depend" in each.what for each in found)
    assert all(each.what.startswith(("Control A-", "Wrong rates: ", "Missing hours: ")) for each in found), (
        "by its title"
    )


def test_the_organisations_first_screen_is_ordered_by_urgency(tmp_path: Path) -> None:
    """What is late comes first, then the worst; units are named."""

    def edit(rows: Rows) -> None:
        worse(rows)
        rows["risks"][2].update(treatment="accept", accepted_by="The board", accepted_until="2026-05-31")

    portfolio = open_portfolio(data_dir=str(write_register(tmp_path / "data", edit)))
    view = summary.organisation(portfolio)
    items = panels(view)["To be decided"]["items"]
    assert [item["cell"] for item in items] == ["B-R1", "A-R1", "A-R2"]
    assert items[0]["note"]["text"] == day("Beta, The board: was due 2026-05-31")
    assert [row[0] for row in summary.to_decide(portfolio).content["rows"]] == ["B-R1", "A-R1", "A-R2"]
    assert "2 of 2" in render(view.as_json())


def test_a_level_that_changed_with_the_matrix_is_told_apart(tmp_path: Path) -> None:
    """The risk is in the same cell; only the matrix bears another level there."""
    data = write_register(tmp_path / "data")
    method = data / "methodology.toml"
    text = method.read_text("utf-8")
    now = text.partition("[matrix]\n")[2].partition("# ---")[0]
    then = now.replace(
        '["Low", "Medium", "Medium", "High", "Critical"]', '["Low", "Medium", "High", "High", "Critical"]'
    )
    method.write_text(
        text.replace("# --- what a control", f'[earlier."2025-H2"]\n{then}\n# --- what a control'), "utf-8"
    )
    found = matrix.rescored(open_unit("alpha", data_dir=str(data))).content
    rows = [[cell if isinstance(cell, str) else cell["text"] for cell in row] for row in found["rows"]]
    assert rows[0] == ["A-R1", "Wrong rates", "Inherent", "3 x 3", "High", "Medium"]
    assert (found["columns"][2], "2025-H2" in found["note"]) == ("View", True)
    assert "didn't move" not in found["note"], "A-R1 went to another cell, besides"


@pytest.mark.parametrize(("key", "said"), [("2025-H3", "a period such as"), ("2025-H2", "the grid names")])
def test_an_earlier_matrix_that_cannot_be_is_refused(tmp_path: Path, key: str, said: str) -> None:
    """By the name of the setting."""
    data = write_register(tmp_path / "data")
    with open(data / "methodology.toml", "a", encoding="utf-8") as file:
        file.write(f'\n[earlier."{key}"]\nlevels = [{{ name = "Low", colour = "#ffffff" }}]\ngrid = [["High"]]\n')
    with pytest.raises(Exception, match=rf"earlier\.{key}.*{said}"):
        load(data)


@pytest.mark.parametrize(
    ("appetite", "said"),
    [
        ("High", "Furthest out: A-R1, High, by 2 levels."),
        ("Medium", "Furthest out: B-R1, Critical, by 2 levels, and 1 other as far."),
    ],
)
def test_furthest_out_is_the_most_levels_beyond_its_own_appetite(tmp_path: Path, appetite: str, said: str) -> None:
    """Not the worst level: A-R1, High and two levels past Low, is further out than B-R1, Critical and one past High."""

    def edit(rows: Rows) -> None:
        worse(rows)
        rows["business_units"][0]["appetite"], rows["business_units"][1]["appetite"] = "Low", appetite
        rows["ratings"][1].update(likelihood="4", impact="4")
        rows["ratings"][3].update(likelihood="5", impact="5")

    portfolio = open_portfolio(data_dir=str(write_register(tmp_path / "data", edit)))
    assert portfolio.scores.set_index("risk_id")["earned_level"].tolist()[::2] == ["High", "Critical"]
    found = panels(summary.organisation(portfolio))["Risk now, against appetite"]
    assert said in found["says"]


@pytest.mark.parametrize(
    ("likelihoods", "outside", "tone"),
    [(("", "", ""), 0, "open"), (("5", "", ""), 1, "bad"), (("5", "5", ""), 2, "bad"), (("1", "5", ""), 1, "bad"),
     (("1", "1", ""), 0, "good"), (("1", "", ""), 0, "open")],
)  # fmt: skip
def test_the_standing_is_true_for_none_one_and_all(tmp_path: Path, likelihoods: Any, outside: int, tone: str) -> None:
    """Nothing rated is no picture of an empty matrix; what is outside is marked; the unrated are in the bar."""

    def edit(rows: Rows) -> None:
        worse(rows)
        for rating, likelihood in zip(rows["ratings"][1:], likelihoods, strict=True):
            about = {"rationale": "x", "rated_by": "x", "rated_on": "2026-06-20"} if likelihood else {}
            blank = dict.fromkeys(("rationale", "rated_by", "rated_on"), "")
            impact = likelihood and ("5" if likelihood == "5" else "1")
            rating.update({**blank, **about, "likelihood": likelihood, "impact": impact})
        rows["ratings"].pop(0)

    found = panels(summary.unit(opened(tmp_path, edit)))["Risk now, against appetite"]
    assert found["tone"] == tone
    assert ("Furthest out" in found["says"]) == bool(outside)
    rated = sum(map(bool, likelihoods[:2]))
    cells = [cell for row in found["picture"]["rows"] for cell in row["cells"]] if rated else []
    assert sum(cell["count"] for cell in cells) == rated
    assert sum(cell["outside"] for cell in cells) == outside
    assert {part["text"]: part["count"] for part in found["bars"][0]["parts"]}.get("Unrated", 0) == 2 - rated
    if not rated:
        assert found["says"] == "No risk is rated, so nothing can be said."


def test_the_bold_line_runs_where_levels_pass_the_appetite(tmp_path: Path) -> None:
    """Every side between a cell inside and one outside, and no other; two appetites, two lines."""
    data = str(write_register(tmp_path / "data", lambda rows: rows["business_units"][1].update(appetite="High")))
    for one, appetites in (
        (open_unit("alpha", data_dir=data), {"Medium"}),
        (open_portfolio(data_dir=data), {"Medium", "High"}),
    ):
        drawn = matrix.picture(one).content
        names, grid, lows = one.matrix.level_names, one.matrix.grid, one.matrix.shape[0]
        for row, line in enumerate(drawn["rows"]):
            for column, cell in enumerate(line["cells"]):
                here = grid[lows - 1 - row][column]
                above = grid[lows - row][column] if row else here
                right = grid[lows - 1 - row][column + 1] if column + 1 < len(line["cells"]) else here
                passed = {side for side, there in (("edge-above", above), ("edge-right", right))
                          if any((here <= names.index(top)) != (there <= names.index(top)) for top in appetites)}  # fmt: skip
                assert set(cell["edges"].split()) == passed
        assert set(drawn["appetites"].split(" and ")) == appetites


def test_what_moved_is_marked_where_it_came_to(tmp_path: Path) -> None:
    """A-R1 came to 5 x 4 by getting worse; where nothing is known of before, nothing is marked."""
    found = matrix.picture(opened(tmp_path, worse)).content
    marked = {(row["rating"][0], place): dict(cell["moved"]) for row in found["rows"] for place, cell in enumerate(row["cells"], 1) if cell["moved"]}  # fmt: skip
    assert marked == {("5", 4): {"worse": 1}}
    assert "came here since 2025-H2" in render({"kind": "picture", **found})
    first = matrix.picture(open_unit("alpha", "2025-H2", data_dir=str(tmp_path / "data"))).content
    assert not any(cell["moved"] for row in first["rows"] for cell in row["cells"])
    assert "came here" not in render({"kind": "picture", **first})


def test_more_than_two_periods_are_told_from_the_first_whose_tests_are_known(tmp_path: Path) -> None:
    """A column for each, with how many were outside; before any test is on record nothing could have been earned."""

    def longer(rows: Rows) -> None:
        for number, period in enumerate(("2023-H2", "2024-H2", "2025-H1")):
            rows["ratings"].insert(0, {**rows["ratings"][-3], "period": period, "rated_on": f"{period[:4]}-12-15"})
            test = {**rows["control_tests"][0], "test_id": f"E{number}", "period": period}
            rows["control_tests"].append(
                {**test, "tested_on": f"{period[:4]}-{'06' if period[-1] == '1' else '12'}-20"}
            )
        rows["control_tests"] = [row for row in rows["control_tests"] if row["period"] != "2023-H2"]

    two = panels(summary.unit(opened(tmp_path / "two")))["Risk now, against appetite"]
    assert (two["trend"], len(two["bars"])) == ([], 2)
    unit = opened(tmp_path / "more", lambda rows: (longer(rows), rows["control_tests"].append({**rows["control_tests"][0], "test_id": "E9", "period": "2025-H2", "tested_on": "2025-12-20"})))  # fmt: skip
    found = panels(summary.unit(unit))["Risk now, against appetite"]
    assert [(each["label"], each["outside"]) for each in found["trend"]] == [
        ("2024-H2", "1"), ("2025-H1", "1"), ("2025-H2", "0"), ("2026-H1", "1")
    ]  # fmt: skip
    assert len(found["bars"]) == 1
    row, unrated = risks.of_unit(unit).content["rows"]
    assert row[6]["spark"]["told"].startswith("2024-H2 1")
    assert unrated[6]["spark"]["told"].count("unrated") == 4
    assert unrated[6]["spark"]["path"] == ""


def test_an_unrated_risk_is_never_unchanged(tmp_path: Path) -> None:
    """Of A-R2 nobody can say that it didn't move."""
    found = panels(summary.unit(opened(tmp_path)))["What changed"]
    assert found["more"].endswith("0 unchanged; 1 unrated, of 2 risks.")


def test_what_got_worse_is_counted_and_nothing_looks_good_then(tmp_path: Path) -> None:
    """B-R1 got worse within its appetite, and A-R1 came back inside: no green, no 0, and every rated risk is told."""

    def edit(rows: Rows) -> None:
        rows["business_units"][0]["appetite"] = rows["business_units"][1]["appetite"] = "High"
        rows["controls"][0]["documentation"] = ""
        rows["ratings"][0].update(likelihood="5", impact="5")
        rows["ratings"][1].update(likelihood="2", impact="2")
        rows["ratings"][3].update(impact="3")
        rows["ratings"].append({**rows["ratings"][0], "risk_id": "B-R1", "likelihood": "1", "impact": "2"})
        rows["ratings"][2].update(likelihood="1", impact="1", **dict.fromkeys(("rationale", "rated_by"), "x"))
        rows["ratings"][2]["rated_on"] = "2026-06-20"
        rows["risk_controls"].pop()

    data = str(write_register(tmp_path / "data", edit))
    found = panels(summary.organisation(open_portfolio(data_dir=data)))["What changed"]
    assert (found["figure"], found["tone"]) == ("1", "bad")
    assert found["says"] == "risk is newly outside appetite (0) or otherwise worse (1); 1 came back inside."
    assert [(item["cell"], item["note"]["text"]) for item in found["items"]] == [
        ("B-R1", "worse: Low to Medium"),
        ("A-R1", "back inside appetite: Critical to Low"),
    ]
    assert found["more"] == "1 newly rated; 0 unchanged, of 3 risks."
    beta = panels(summary.unit(open_unit("beta", data_dir=data)))["What changed"]
    assert (beta["figure"], beta["tone"]) == ("1", "bad")
    assert beta["items"][0]["note"]["text"] == "worse: Low to Medium"


def test_the_organisation_decides_on_what_its_units_do(tmp_path: Path) -> None:
    """One count: the organisation's is the sum of the units', controls that block a report among them."""

    def edit(rows: Rows) -> None:
        rows["business_units"][1]["appetite"] = "Critical"
        rows["controls"][3]["documentation"] = ""

    data = str(write_register(tmp_path / "data", edit))
    units = [panels(summary.unit(open_unit(name, data_dir=data)))["To be decided"] for name in ("alpha", "beta")]
    portfolio = open_portfolio(data_dir=data)
    whole = panels(summary.organisation(portfolio))["To be decided"]
    assert int(whole["figure"]) == sum(int(each["figure"]) for each in units)
    listed = {str(row[0]): row for row in summary.to_decide(portfolio).content["rows"]}
    assert len(listed) == int(whole["figure"])
    assert listed["B-C1"][2] == ""
    assert listed["A-R2"][2]["text"] == "Unrated"


def test_a_unit_without_risks_has_a_first_screen_in_every_period(tmp_path: Path) -> None:
    """With three periods their columns are drawn to scale, and there may be nothing to draw."""

    def edit(rows: Rows) -> None:
        empty = {**rows["business_units"][1], "unit_id": "gamma", "name": "Gamma"}
        rows["business_units"].append(empty)
        rows["ratings"].insert(0, {**rows["ratings"][0], "period": "2025-H1", "rated_on": "2025-06-20"})
        rows["ratings"][1]["rated_on"] = "2025-12-20"
        rows["control_tests"] = []

    view = summary.unit(opened(tmp_path, edit, "gamma"))
    assert [each["height"] for each in panels(view)["Risk now, against appetite"]["trend"]] == ["0", "0", "0"]
    assert "No risk is rated" in render(view.as_json())


def test_three_appetites_are_told_as_a_list(tmp_path: Path) -> None:
    """With commas before the last."""

    def edit(rows: Rows) -> None:
        rows["business_units"].append({**rows["business_units"][0], "unit_id": "gamma", "appetite": "High"})
        rows["control_objectives"].append(
            {**rows["control_objectives"][0], "objective_id": "G-CO1", "unit_id": "gamma"}
        )
        own = {"risk_id": "G-R1", "unit_id": "gamma", "objective_id": "G-CO1"}
        rows["risks"].append({**rows["risks"][0], **own})
        rows["ratings"].append({**rows["ratings"][1], "risk_id": "G-R1"})

    shown = matrix.picture(open_portfolio("2026-H1", str(write_register(tmp_path / "data", edit))))
    assert shown.content["appetites"] == "Low, Medium and High"
