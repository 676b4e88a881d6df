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
from riskcalc.pages import matrix, summary
from riskcalc.pages.display import render
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
    assert (found["figure"], found["tone"]) == ("1 of 1", "bad")
    assert "Furthest out: A-R1, Critical, by 2 levels." in found["says"]
    assert found["more"] == "1 of these would be inside if every control worked as claimed. 1 unrated."
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
    assert first["note"] == {"text": "R. Owner: was due 2026-06-29", "tone": "bad", "note": ""}
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


def test_the_organisations_first_screen_is_ordered_by_urgency(tmp_path: Path) -> None:
    """What is late comes first, then the worst; units are named."""

    def edit(rows: Rows) -> None:
        worse(rows)
        rows["risks"][2].update(treatment="accept", accepted_by="The board", accepted_until="2026-05-31")

    portfolio = open_portfolio(data_dir=str(write_register(tmp_path / "data", edit)))
    view = summary.organisation(portfolio)
    items = panels(view)["To be decided"]["items"]
    assert [item["cell"] for item in items] == ["B-R1", "A-R1", "A-R2"]
    assert items[0]["note"]["text"] == "Beta, The board: was due 2026-05-31"
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
    assert "2025-H2" in found["note"]


@pytest.mark.parametrize(("key", "said"), [("2025-H3", "a period such as"), ("2025-H2", "the grid names")])
def test_an_earlier_matrix_that_cannot_be_is_refused(tmp_path: Path, key: str, said: str) -> None:
    """By the name of the setting."""
    data = write_register(tmp_path / "data")
    with open(data / "methodology.toml", "a", encoding="utf-8") as file:
        file.write(f'\n[earlier."{key}"]\nlevels = [{{ name = "Low", colour = "#ffffff" }}]\ngrid = [["High"]]\n')
    with pytest.raises(Exception, match=rf"earlier\.{key}.*{said}"):
        load(data)


def test_furthest_out_is_the_most_levels_beyond_its_own_appetite(tmp_path: Path) -> None:
    """Not the worst level: A-R1, High and two levels past Low, is further out than B-R1, Critical and one past High."""

    def edit(rows: Rows) -> None:
        worse(rows)
        rows["business_units"][0]["appetite"], rows["business_units"][1]["appetite"] = "Low", "High"
        rows["ratings"][1].update(likelihood="4", impact="4")
        rows["ratings"][3].update(likelihood="5", impact="5")

    portfolio = open_portfolio(data_dir=str(write_register(tmp_path / "data", edit)))
    assert portfolio.scores.set_index("risk_id")["earned_level"].tolist()[::2] == ["High", "Critical"]
    found = panels(summary.organisation(portfolio))["Risk now, against appetite"]
    assert "Furthest out: A-R1, High, by 2 levels." in found["says"]


@pytest.mark.parametrize(
    ("likelihoods", "figure", "said"),
    [
        (("", "", ""), "–", "No risk is rated, so nothing can be said."),
        (("5", "", ""), "1 of 1", "rated risk is worse than Medium"),
        (("5", "5", ""), "2 of 2", "rated risks are worse than Medium"),
        (("1", "5", ""), "1 of 2", "rated risks is worse than Medium"),
    ],
)
def test_the_standing_is_true_for_none_one_and_all(tmp_path: Path, likelihoods: Any, figure: str, said: str) -> None:
    """Nothing rated is no "0 of 0"; one is told in the singular; unrated ones are counted apart."""

    def edit(rows: Rows) -> None:
        worse(rows)
        for rating, likelihood in zip(rows["ratings"][1:], likelihoods, strict=True):
            about = {"rationale": "x", "rated_by": "x", "rated_on": "2026-06-20"} if likelihood else {}
            blank = dict.fromkeys(("rationale", "rated_by", "rated_on"), "")
            impact = likelihood and ("5" if likelihood == "5" else "1")
            rating.update({**blank, **about, "likelihood": likelihood, "impact": impact})
        rows["ratings"].pop(0)

    found = panels(summary.unit(opened(tmp_path, edit)))["Risk now, against appetite"]
    assert found["figure"] == figure
    assert found["says"].startswith(said)
    unrated = sum(not each for each in likelihoods[:2])
    assert (f"{unrated} unrated." in found["more"]) == bool(0 < unrated < 2)


def test_an_unrated_risk_is_never_unchanged(tmp_path: Path) -> None:
    """Of A-R2 nobody can say that it didn't move."""
    found = panels(summary.unit(opened(tmp_path)))["What changed"]
    assert found["more"].endswith("0 unchanged, of 1 rated risk.")


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
    assert [(item["cell"], item["note"]) for item in found["items"]] == [
        ("Beta", "1 worse"),
        ("Alpha", "1 back inside appetite"),
    ]
    assert found["more"] == "1 newly rated; 0 unchanged, of 3 rated risks."
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
    assert listed["A-R2"][2] == "Unrated"
