"""The organisation's page: true for one unit as for many, and both answers for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from register_files import Rows, write_register

from riskcalc.assessment.opening import open_portfolio, open_unit
from riskcalc.assessment.opinion import MANAGEMENTS_TESTS
from riskcalc.pages import portfolio, unit


def opened(folder: Path, edit: Any = None) -> Any:
    return open_portfolio(data_dir=str(write_register(folder / "data", edit)))


def alone(rows: Rows) -> None:
    """Nothing is left of the second unit."""
    for table, kept in rows.items():
        rows[table] = [row for row in kept if not any(text.startswith(("B-", "beta")) for text in row.values())]


def test_both_answers_stand_at_the_top_and_say_which_is_which(tmp_path: Path) -> None:
    """Risk now, and what the service auditors would have to report, with whose tests it rests on."""
    top = portfolio.heading(opened(tmp_path)).content
    assert top["label"] == "Risk now"
    assert top["second"]["label"] == "Opinions over the reports' periods or at the reports' dates"
    assert top["second"]["verdict"] == "1 of 2 reports unmodified; 1 adverse (Alpha)."
    assert (top["second"]["tone"], top["second"]["note"]) == ("bad", MANAGEMENTS_TESTS)


def test_reports_whose_period_has_not_begun_are_named(tmp_path: Path) -> None:
    """What is said of a report that nobody could test yet isn't taken for what tests found."""
    ahead = {"report_from": "2026-07-01", "report_to": "2027-06-30"}
    whole = opened(tmp_path, lambda rows: rows["business_units"][0].update(ahead))
    assert portfolio.heading(whole).content["second"]["verdict"].endswith("; the period of 1 hasn't begun (Alpha).")
    view = portfolio.units(whole).content
    opinions = {str(row[0]): row[view["columns"].index("Opinion")]["note"] for row in view["rows"]}
    assert "Its period hasn't begun: it does on 1\xa0Jul\xa02026" in opinions["Alpha"]
    assert "begun" not in opinions["Beta"]


def _issued(rows: Rows) -> None:
    rows["business_units"][0].update(issued_on="2026-06-30", opinion="unmodified")


def test_a_report_that_was_issued_is_told_as_that_and_whether_our_tests_differ(tmp_path: Path) -> None:
    """An unmodified opinion isn't headed by our adverse outlook; the rest is still to come. The board reads the same."""
    told = (
        "1 issued: Alpha unmodified on 30 Jun 2026 (our own tests differ: adverse); to come: 1 of 1 report unmodified."
    )
    data = str(write_register(tmp_path / "data", _issued))
    for readers in ("", "board"):
        whole = open_portfolio(data_dir=data, audience=readers)
        second = portfolio.heading(whole).content["second"]
        assert (second["verdict"].replace("\xa0", " "), second["tone"]) == (told, "open")
        view = portfolio.units(whole).content
        opinions = {str(row[0]): row[view["columns"].index("Opinion")] for row in view["rows"]}
        assert opinions["Alpha"]["text"] == "unmodified"
        assert "our own tests differ: adverse\n" in opinions["Alpha"]["note"]

    def all_issued(rows: Rows) -> None:
        for each in rows["business_units"]:
            each.update(issued_on="2026-06-30", opinion="adverse")

    second = portfolio.heading(opened(tmp_path / "all", all_issued)).content["second"]
    assert (second["label"], "to come" in second["verdict"], second["tone"]) == ("Opinions, issued", False, "bad")


def _followed(rows: Rows) -> None:
    """A report that was issued in the first half of 2026, on a row that ended then, and the next one's."""
    row = {**rows["business_units"][0], "report_from": "2026-04-01", "report_to": "2027-03-31"}
    dates = {"report_from": "2025-04-01", "report_to": "2026-03-31", "valid_to": "2026-05-31"}
    rows["business_units"][0].update(dates, issued_on="2026-05-15", opinion="qualified")
    again = {**rows["business_units"][0], "appetite": "Low", "valid_from": "2026-05-20"}  # of the same report
    rows["business_units"][0].update(valid_to="2026-05-19")
    rows["business_units"] += [again, {**row, "valid_from": "2026-06-01"}]
    rows["ratings"].append({**rows["ratings"][1], "period": "2026-H2", "rated_on": "2026-09-10"})


def test_a_report_that_was_issued_in_the_period_is_told_beside_the_next_one(tmp_path: Path) -> None:
    """On the unit's page and the organisation's, once; the period after speaks of its own report only."""
    data, told = (
        str(write_register(tmp_path / "data", _followed)),
        "report to 31 Mar 2026 was qualified, issued on 15 May 2026",
    )
    for period, there in (("2026-H1", True), ("2026-H2", False)):
        whole, alpha = open_portfolio(period, data_dir=data), open_unit("alpha", period, data_dir=data)
        verdicts = [shown.content["second"]["verdict"] for shown in (portfolio.heading(whole), unit.heading(alpha))]
        ends = [
            verdict.replace("\xa0", " ").endswith(f"{of}{told}.")
            for verdict, of in zip(verdicts, ("before: of Alpha, the ", "; the "), strict=True)
        ]
        assert (ends, [verdict.count("issued") for verdict in verdicts]) == ([there] * 2, [int(there)] * 2), verdicts
        notes = {str(row[0]): row[-1]["note"].replace("\xa0", " ") for row in portfolio.units(whole).content["rows"]}
        assert [told in note for note in notes.values()] == [there, False]


def test_an_organisation_whose_risks_have_all_ended_has_its_page(tmp_path: Path) -> None:
    """No risk, no bar; each unit is there all the same."""
    whole = opened(tmp_path, lambda rows: [row.update(valid_to="2026-04-30") for row in rows["risks"]])
    assert [str(row[0]) for row in portfolio.units(whole).content["rows"]] == ["Alpha", "Beta"]
    assert portfolio.heading(whole).content["verdict"] == "No risk is on record."


def test_an_organisation_of_one_unit_reads_in_the_singular(tmp_path: Path) -> None:
    """1 of 1 business unit carries, 0 of 1 report unmodified."""
    top = portfolio.heading(opened(tmp_path, alone)).content
    assert top["lines"] == ["1 of 1 business unit carries a rated risk worse than its appetite."]
    assert top["second"]["verdict"] == "0 of 1 report unmodified; 1 adverse (Alpha)."

    def inside(rows: Rows) -> None:
        alone(rows)
        rows["business_units"][0]["appetite"] = "Critical"

    none = opened(tmp_path / "inside", inside)
    assert portfolio.heading(none).content["lines"] == [
        "0 of 1 business unit carries a rated risk worse than its appetite."
    ]
    assert portfolio.units(none).content["headline"] == "0 of 1 business unit has a rated risk outside appetite"


def test_an_organisation_of_type_1_reports_speaks_of_dates(tmp_path: Path) -> None:
    """There is no period that an opinion could be over."""
    to_type1 = lambda rows: rows["business_units"][0].update(report_type="type1", report_from="")  # noqa: E731
    assert portfolio.heading(opened(tmp_path, to_type1)).content["second"]["label"] == "Opinions at the reports' dates"


def test_each_unit_has_its_opinion_with_the_sentence_beside_it(tmp_path: Path) -> None:
    """An outlook never stands alone."""
    view = portfolio.units(opened(tmp_path)).content
    opinions = {str(row[0]): row[view["columns"].index("Opinion")] for row in view["rows"]}
    assert opinions["Alpha"]["text"] == "adverse"
    assert opinions["Beta"]["note"] == "Type 1: 1 of 1 control objective achieved"
    assert MANAGEMENTS_TESTS in view["note"]


def test_a_unit_without_risks_is_among_the_results(tmp_path: Path) -> None:
    """Machines count the units that the page shows."""

    def empty(rows: Rows) -> None:
        rows["business_units"].append(rows["business_units"][0] | {"unit_id": "gamma", "name": "Gamma"})

    made = opened(tmp_path, empty)
    units = {each["unit_id"]: each for each in portfolio.result(made).values["units"]}
    assert set(units) == {"alpha", "beta", "gamma"}
    assert (units["gamma"]["rated"], set(units["gamma"]["levels"].values())) == (0, {0})


def test_units_without_a_rated_risk_are_in_no_denominator(tmp_path: Path) -> None:
    """0 of 2 outside appetite would read as if both had been looked at."""

    def unrated(*prefixes: str) -> Callable[[Rows], None]:
        def change(rows: Rows) -> None:
            for rating in rows["ratings"]:
                if rating["risk_id"].startswith(prefixes):
                    rating.update(likelihood="", impact="", rationale="", rated_by="", rated_on="")

        return change

    one, none = (portfolio.heading(opened(tmp_path / each[0], unrated(*each))) for each in (("B-",), ("A-", "B-")))
    assert "of the 1 business unit with rated risks" in one.content["lines"][0]
    assert "No risk is rated, so no business unit can be held against its appetite." in none.content["lines"]
