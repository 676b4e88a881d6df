"""The words and tables of a unit's page: what has to be decided, why, and how each number comes about."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from register_files import SAMPLE, Rows, write_register

from riskcalc.assessment.opening import Assessment, open_portfolio, open_unit
from riskcalc.assessment.opinion import MANAGEMENTS_TESTS
from riskcalc.assessment.scoring import outside
from riskcalc.errors import UsageError
from riskcalc.pages import loss, matrix, readiness, risks, summary, wording
from riskcalc.pages import portfolio as portfolio_page
from riskcalc.pages import unit as unit_page
from riskcalc.pages.display import day, render

Display = dict[str, Any]


def opened(
    folder: Path, unit_id: str = "alpha", edit: Callable[[Rows], object] | None = None, **choice: str
) -> Assessment:
    return open_unit(unit_id, data_dir=str(write_register(folder / "data", edit)), **choice)


def column(view: Display, name: str) -> list[Any]:
    place = view["columns"].index(name)
    return [row[place] if isinstance(row[place], str) else row[place]["text"] for row in view["rows"]]


def sound(rows: Rows) -> None:
    """A-G1, which A-C2 relies on, is shown to have operated."""
    rows["control_tests"][2]["deviations"] = "0"


def test_the_verdict_says_whether_the_unit_is_inside_its_appetite(tmp_path: Path) -> None:
    """Outside in words and number; an unrated risk keeps 'inside' from being a clean bill."""
    undocumented = opened(tmp_path / "a", "beta", lambda rows: rows["controls"][3].update(documentation=""))
    assert unit_page.heading(undocumented).content["verdict"].startswith("Outside appetite: 1 of 1 rated risk is worse")
    assert unit_page.heading(undocumented).content["tone"] == "bad"
    with_unrated = unit_page.heading(opened(tmp_path / "b", edit=sound)).content
    assert (with_unrated["tone"], "1 unrated: nothing can be said of it." in with_unrated["verdict"]) == ("open", True)
    assert unit_page.heading(opened(tmp_path / "c", "beta")).content["tone"] == "good"


def test_what_has_to_be_decided_comes_with_its_reason(tmp_path: Path) -> None:
    """The control that hasn't earned what it claims is named; an unrated risk is on the list."""
    view = unit_page.to_decide(
        opened(tmp_path / "a", "beta", lambda rows: rows["controls"][3].update(documentation=""))
    ).as_json()
    assert column(view, "Row") == ["B-R1"]
    assert column(view, "What keeps it up") == ["B-C1: not documented"]
    unrated = unit_page.to_decide(opened(tmp_path / "b")).as_json()
    assert "not rated in this period" in column(unrated, "What keeps it up")
    assert set(column(unrated, "By when")) == {"no date agreed"}


@pytest.mark.parametrize(
    ("as_of", "note"),
    [("2026-06-30", day("by The board, until 2026-06-30")), ("2026-07-01", day("by The board, ran out on 2026-06-30"))],
)
def test_an_acceptance_says_by_whom_and_until_when(tmp_path: Path, as_of: str, note: str) -> None:
    """And that it has run out, once it has."""

    def edit(rows: Rows) -> None:
        rows["controls"][3]["documentation"] = ""
        rows["risks"][2].update(treatment="accept", accepted_by="The board", accepted_until="2026-06-30")

    [row] = unit_page.to_decide(opened(tmp_path, "beta", edit, as_of=as_of)).as_json()["rows"]
    assert row[-1] == {"text": "accept", "note": note}


def test_objectives_name_their_risks_and_their_worst_level(tmp_path: Path) -> None:
    """An auditor reads by objective; one without risks says so."""
    more = {"objective_id": "A-CO2", "unit_id": "alpha", "process": "P", "statement": "S"}
    view = unit_page.objectives(opened(tmp_path, edit=lambda rows: rows["control_objectives"].append(more))).as_json()
    assert list(
        zip(column(view, "Objective"), column(view, "Risks"), column(view, "Worst earned level"), strict=True)
    ) == [
        ("A-CO1", "A-R1, A-R2", "High"),
        ("A-CO2", "", "No risk"),
    ]


def test_the_table_of_risks_has_every_risk_and_its_level_before(tmp_path: Path) -> None:
    """Unrated risks stand there, too; what was Medium before is told, and what the ratings rest on."""
    view = risks.of_unit(opened(tmp_path)).as_json()
    assert column(view, "Risk") == ["A-R1", "A-R2"]
    assert column(view, "Earned") == ["High", "Unrated"]
    assert column(view, "Before") == ["Medium", "Unrated"]
    told = [row[1]["more"] for row in view["rows"]]
    assert told[0][-1]["scores"][0] == "Before controls: 5 x 4 = 20"
    assert told[1][-1]["scores"] == ["Unrated"]
    assert [line.partition(":")[0] for line in told[0][:-1]] == [
        "Wrong rates, in full.", "Rated so because", "Assertions", "Treatment"
    ]  # fmt: skip


def test_a_reader_can_recompute_a_residual_from_a_bow_tie(tmp_path: Path) -> None:
    """A-R1: C1 prevents, half of likelihood; C2 detects, 80 % of both as claimed, nothing as earned; none is left out."""
    unit = opened(tmp_path, edit=lambda rows: rows["controls"][1].update(kind="detective"))
    tie = risks.of_unit(unit).content["rows"][0][1]["more"][-1]
    assert tie["scores"][1:] == ["Claimed: 1.4 x 1.6 = 2.24", "Earned: 3 x 4 = 12"]
    [[first], [second]] = [side["controls"] for side in tie["sides"]]
    assert (first["cell"]["text"], first["note"]) == ("A-C1", "preventive, on likelihood, coverage 50%")
    assert (first["state"]["text"], first["state"]["tone"]) == ("claimed 50%, earned 50%", "good")
    assert (second["cell"]["text"], second["note"]) == ("A-C2", "detective, on likelihood and impact, coverage 80%")
    assert (second["state"]["text"], second["state"]["tone"]) == ("claimed 80%, earned 0%", "bad")
    html = render({"kind": "table", **risks.of_unit(opened(tmp_path / "b")).content})
    assert html.count("none is on record") == 1, "an empty side says so"
    assert html.count("no control acts on it") == 2


def test_a_level_stands_before_a_higher_score_of_a_lower_one(sample: Any) -> None:
    """The level is looked up; the score only orders within it, for units and for the organisation."""
    portfolio = open_portfolio(data_dir=str(SAMPLE))
    view = risks.of_organisation(portfolio).as_json()
    order = [*reversed(sample.methodology.level_names), "Unrated"]
    found = [(order.index(row[4]["text"]), -float(row[4]["note"] or 0)) for row in view["rows"]]
    assert found == sorted(found)
    assert len(found) == len(portfolio.scores)
    assert risks.of_organisation(portfolio, most=5).content["title"] == "The 5 worst of 68 risks"


def test_risks_can_be_filtered_by_what_the_first_screen_counts() -> None:
    """What a cell of the matrix holds, how many are outside, what moved: the same numbers behind the links."""
    portfolio = open_portfolio(data_dir=str(SAMPLE))
    keys = risks.of_organisation(portfolio).content["filters"]
    drawn = matrix.picture(portfolio).content
    cells = [cell for row in drawn["rows"] for cell in row["cells"]]
    for cell in cells:
        held = [one for one in keys if f"?cell={one.get('cell')}#all-risks" == cell["href"]]
        assert (len(held), sum("outside" in one for one in held)) == (cell["count"], cell["outside"])
    assert sum(cell["outside"] for cell in cells) == len(outside(portfolio.scores))
    assert sum(one["level"] == "Unrated" for one in keys) == int(portfolio.scores["likelihood"].isna().sum())


def test_a_type_1_unit_says_what_earned_means_there(tmp_path: Path) -> None:
    """Nobody takes a walkthrough for a test of operation."""
    assert any(
        "operation over time is not tested" in line
        for line in unit_page.heading(opened(tmp_path, "beta")).content["lines"]
    )


def test_the_page_shows_the_definitions_people_rated_by(tmp_path: Path) -> None:
    """Five of each scale, word for word."""
    view = wording.scales(opened(tmp_path)).as_json()
    assert len(view["rows"]) == 10
    assert "Expect it about once a year" in " ".join(column(view, "Definition"))


def test_units_are_listed_worst_first_with_links_from_the_manifest(tmp_path: Path) -> None:
    """A page that a run made is linked; a failure is told in its place."""
    manifest = tmp_path / "manifest.json"
    manifest.write_text(
        '{"units": [{"unit_id": "claims", "status": "ok", "outputs": {"claims.html": "0"}, "error": null},'
        ' {"unit_id": "funds", "status": "failed", "outputs": {}, "error": "cell 3 broke"}]}',
        "utf-8",
    )
    portfolio = open_portfolio(data_dir=str(SAMPLE), manifest=str(manifest))
    view = portfolio_page.units(portfolio).as_json()
    outside = [int(number) for number in column(view, "Outside appetite")]
    assert outside == sorted(outside, reverse=True)
    assert view["rows"][0][0] == {"text": "Health Claims Administration", "href": "claims.html"}
    [failed] = [row[-1] for row in view["rows"] if row[0] == "Fund Administration"]
    assert failed == {"text": "failed", "note": "cell 3 broke"}
    assert "went wrong for 1 of 2 units: funds" in " ".join(portfolio_page.heading(portfolio).content["lines"])


def test_a_unit_without_risks_or_without_ratings_has_a_page(tmp_path: Path) -> None:
    """A unit that was just set up, or rated for the first time in the next period, is empty, not broken."""

    def edit(rows: Rows) -> None:
        rows["business_units"].append({**rows["business_units"][0], "unit_id": "empty", "name": "Empty"})

    folder = str(write_register(tmp_path, edit))
    for unit in (open_unit("empty", data_dir=folder), open_unit("beta", "2025-H2", folder)):
        empty = "No risk is rated in this period." if len(unit.scores) else "No risk is on record."
        assert unit_page.heading(unit).content["verdict"] == empty
        shown = (unit_page.figures, unit_page.to_decide, risks.of_unit, unit_page.objectives, unit_page.controls)
        for show in (*shown, unit_page.findings, unit_page.provenance, unit_page.result):
            assert show(unit)._repr_mimebundle_()
        if unit.scores.empty:
            tiles = {item["label"]: (item["value"], item["note"]) for item in unit_page.figures(unit).content["items"]}
            assert tiles["Unrated"] == ("–", "no risk is on record")
            assert "of 0" not in str(summary.unit(unit).content)
        assert matrix.heatmaps(unit.scores, unit.matrix)._repr_mimebundle_()
        assert matrix.movement(unit)._repr_mimebundle_()
        assert matrix.picture(unit)._repr_mimebundle_()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"units": 3}', '{"units": [{}]}'])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    """With its name."""
    (tmp_path / "manifest.json").write_text(content, "utf-8")
    with pytest.raises(UsageError, match=r"manifest\.json can't be read as the manifest of a run"):
        open_portfolio(data_dir=str(SAMPLE), manifest=str(tmp_path / "manifest.json"))


def test_a_date_that_is_none_is_refused(tmp_path: Path) -> None:
    """In a notebook as on the command line."""
    with pytest.raises(UsageError, match=r"as_of is '30\.6\.2026'; allowed: a date as YYYY-MM-DD"):
        opened(tmp_path, as_of="30.6.2026")


def test_the_first_figures_say_how_the_report_and_the_year_stand(tmp_path: Path) -> None:
    """Leadership sees the outlook and the money before any table; machines get the same."""
    unit = opened(tmp_path, "alpha")
    items = {item["label"]: item["value"] for item in unit_page.figures(unit).content["items"]}
    assert items[loss.BEYOND] == f"{unit.years['earned'].exceed(1_000_000):.1%}"
    values = unit_page.result(unit).values
    assert values["report_outlook"] == "adverse"
    assert values["expected_loss"]["claimed"] < values["expected_loss"]["earned"] < values["expected_loss"]["inherent"]


def test_both_answers_stand_at_the_top_and_say_which_is_which(tmp_path: Path) -> None:
    """Risk now, and the opinion over the period or at the date, with whose tests it rests on."""
    data = str(write_register(tmp_path / "data"))
    top = unit_page.heading(open_unit("alpha", data_dir=data)).content
    assert (top["label"], top["second"]["label"]) == ("Risk now", "Opinion over the report's period")
    assert top["second"]["verdict"].startswith("Adverse: 0 of 1 control objective achieved; 1 not achieved (A-CO1)")
    assert (top["second"]["tone"], top["second"]["note"]) == ("bad", MANAGEMENTS_TESTS)
    html = render(top | {"kind": "heading"})
    assert html.index("Risk now") < html.index("Opinion over the report") < html.index(MANAGEMENTS_TESTS[:20])
    at_a_date = unit_page.heading(open_unit("beta", data_dir=data)).content["second"]
    assert at_a_date["label"] == "Opinion at the report's date"
    assert at_a_date["verdict"] == "Unmodified: 1 of 1 control objective achieved."


def test_an_outlook_says_that_its_period_has_not_begun(tmp_path: Path) -> None:
    """Beside each place where it stands, from the day before it begins back; from its first day on no more."""
    ahead = {"report_from": "2026-07-01", "report_to": "2027-06-30"}
    data = str(write_register(tmp_path / "data", lambda rows: rows["business_units"][0].update(ahead)))

    def told(as_of: str) -> list[str]:
        unit = open_unit("alpha", data_dir=data, as_of=as_of)
        return [
            unit_page.heading(unit).content["second"]["note"],
            readiness.objectives(unit).content["note"],
            readiness.figures(unit).content["items"][0]["note"],
            readiness.report_parts(unit).content["note"],
        ]

    said = "Its period hasn't begun: it does on 1\xa0Jul\xa02026, and no test can show yet how controls operate in it."
    assert [said in each for each in told("2026-06-30")] == [True] * 4
    assert [said in each for each in told("2026-07-01")] == [False] * 4


def test_failures_of_the_other_half_year_are_on_the_page(tmp_path: Path) -> None:
    """Every test of operation of 2025-H2 deviated in funds, whose report was issued unmodified: our own tests differ."""
    shutil.copytree(SAMPLE, tmp_path / "data")
    lines = (tmp_path / "data/control_tests.csv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(lines))
    for row in rows:
        if row["period"] == "2025-H2" and row["kind"] == "operation" and row["control_id"].startswith("FND-"):
            row.update(deviations=row["sample_size"], systematic="yes")
    with open(tmp_path / "data/control_tests.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    told = unit_page.heading(open_unit("funds", data_dir=str(tmp_path / "data"))).content["second"]["verdict"]
    assert "; our own tests differ: adverse, " in told


def test_controls_that_claim_nothing_do_not_earn_all_they_claim(tmp_path: Path) -> None:
    """0 of 0 is not "in full"."""
    found = opened(tmp_path, edit=lambda rows: [row.update(documentation="") for row in rows["controls"]])
    item = next(each for each in unit_page.figures(found).content["items"] if each["label"].startswith("Controls that"))
    assert (item["value"], item["note"]) == ("0 of 3", "3 earn nothing")


def test_a_control_without_coverage_takes_nothing_because_of_that(tmp_path: Path) -> None:
    """Claimed as earned; and it isn't what keeps a risk up."""

    def edit(rows: Rows) -> None:
        rows["risk_controls"].append({**rows["risk_controls"][2], "control_id": "A-C2", "coverage": "0"})
        rows["controls"][3]["documentation"] = ""

    unit = opened(tmp_path, "beta", edit)
    [row] = risks.of_unit(unit).as_json()["rows"]
    tie = row[1]["more"][-1]
    told = {each["cell"]["text"]: each["state"] for side in tie["sides"] for each in side["controls"]}
    assert (told["A-C2"]["text"], told["A-C2"]["note"]) == ("claimed 0%, earned 0%", "it reaches nothing of this risk")
    assert (told["B-C1"]["text"], told["B-C1"]["note"]) == ("claimed 90%, earned 0%", "not documented")
    assert column(unit_page.to_decide(unit).as_json(), "What keeps it up") == ["B-C1: not documented"]


def test_the_first_screens_money_says_what_it_leaves_out(tmp_path: Path) -> None:
    """One of alpha's two risks is unrated; where both are in the amounts, nothing is said."""
    rate = lambda rows: rows["ratings"][2].update(rows["ratings"][1], risk_id="A-R2")  # noqa: E731
    for place, edit, told in (("one", None, "; without 1 unrated risk"), ("both", rate, "%")):
        items = unit_page.figures(opened(tmp_path / place, "alpha", edit)).content["items"]
        [note] = [item["note"] for item in items if item["label"] == loss.BEYOND]
        assert note.endswith(told), note


def test_the_controls_that_earn_are_ours_and_another_units_are_told(tmp_path: Path) -> None:
    """A client's own control never earns, so it isn't held against the unit."""

    def edit(rows: Rows) -> None:
        rows["risk_controls"].append({**rows["risk_controls"][2], "control_id": "A-C1"})
        client = {"control_id": "B-C2", "performed_by": "user_entity", "relies_on": ""}
        rows["controls"].append({**rows["controls"][3], **client, "communicated_in": "Guide"})

    [tile] = [
        item for item in unit_page.figures(opened(tmp_path, "beta", edit)).content["items"] if "earn" in item["label"]
    ]
    assert tile["value"].endswith("of 2")
    assert tile["note"].endswith(" nothing; of the 2, 1 is another unit's; 1 of clients not counted")


def test_a_unit_without_controls_of_its_own_is_not_told_that_0_of_0_earn(tmp_path: Path) -> None:
    """Beta's only control is its clients'."""
    unit = opened(tmp_path, "beta", lambda rows: rows["controls"][3].update(performed_by="user_entity"))
    [tile] = [item for item in unit_page.figures(unit).content["items"] if "earn" in item["label"]]
    assert (tile["value"], tile["note"]) == ("–", "no control of ours is on record; 1 of clients not counted")


def test_without_an_earlier_period_nothing_is_said_of_its_matrix(tmp_path: Path) -> None:
    """There is none that today's could be."""
    assert "No earlier period" in matrix.rescored(opened(tmp_path, period="2025-H2")).content["text"]
    assert "that of the period before" in matrix.rescored(opened(tmp_path / "b")).content["text"]


def test_what_keeps_a_decision_open_is_what_is_true_of_it(tmp_path: Path) -> None:
    """Where no key control acts on a risk that is said, of one outside appetite as of one that only blocks the outlook."""

    def no_keys(rows: Rows) -> None:
        for control in rows["controls"]:
            control["key"] = "no"

    folder = str(write_register(tmp_path / "data", no_keys))
    whys = [
        column(unit_page.to_decide(open_unit(unit, data_dir=folder)).as_json(), "What keeps it up")
        for unit in ("alpha", "beta")
    ]
    assert whys[0][0].startswith("no key control acts on it; A-C2: relies on A-G1: ")
    assert whys[1] == ["no key control acts on it; the outlook depends on it"]


@given(st.floats(1, 10), st.floats(1, 10))
def test_the_factors_shown_give_the_score_shown(likelihood: float, impact: float) -> None:
    """Whoever multiplies what a bow-tie shows, and rounds as people do, gets what it shows."""
    a, _, b, _, score = risks._product(likelihood, impact, likelihood * impact).split()
    digits = len(score.partition(".")[2])
    assert abs(float(a) * float(b) - float(score)) <= 0.5001 * 10**-3
    assert digits <= 3


def test_coverage_is_shown_as_written(tmp_path: Path) -> None:
    """0.4 % isn't none, and 99.5 % isn't all; what a control takes away is told to the same digit."""

    def edit(rows: Rows) -> None:
        sound(rows)
        rows["risk_controls"][0]["coverage"], rows["risk_controls"][1]["coverage"] = "0.004", "0.995"

    tie = risks.of_unit(opened(tmp_path, edit=edit)).content["rows"][0][1]["more"][-1]
    told = [(each["note"].split()[-1], each["state"]["text"]) for side in tie["sides"] for each in side["controls"]]
    assert told == [("0.4%", "claimed 0.4%, earned 0.4%"), ("99.5%", "claimed 99.5%, earned 99.5%")]
    assert tie["scores"][2] == "Earned: 1.02 x 1.015 = 1.035"


def test_the_order_of_risks_is_told_by_the_names_of_its_own_levels(tmp_path: Path) -> None:
    """Whatever the levels are called."""
    data = write_register(tmp_path / "data")
    methodology = data / "methodology.toml"
    text = methodology.read_text("utf-8")
    methodology.write_text(text.replace('"Low"', '"\u4f4e"').replace('"Medium"', '"\u4e2d"'), "utf-8")
    units = data / "business_units.csv"
    units.write_text(units.read_text("utf-8").replace(",Low,", ",\u4f4e,").replace(",Medium,", ",\u4e2d,"), "utf-8")
    note = risks.of_unit(open_unit("alpha", data_dir=str(data))).content["note"]
    assert "a risk at \u4e2d stands before one at \u4f4e, whatever their scores" in note
