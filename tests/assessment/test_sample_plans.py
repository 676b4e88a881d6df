"""Sample sizes by control, and the items that are drawn."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from register_files import SAMPLE, Rows, write_register

from riskcalc.assessment.context import Context
from riskcalc.assessment.evidence import assess, conclude_all
from riskcalc.assessment.sample_plans import of_control, plan, without_report
from riskcalc.assessment.sample_selection import in_time, read_population, select
from riskcalc.cli.main import main
from riskcalc.errors import RegisterError
from riskcalc.register.register import load
from riskcalc.sampling import upper_limit


@pytest.fixture
def population(tmp_path: Path) -> Path:
    """120 items over six months, not in the order of their dates."""
    path = tmp_path / "items.csv"
    items = [f"J{n},2026-{n % 6 + 1:02d}-{n % 28 + 1:02d}" for n in range(120)]
    path.write_text("\n".join(["id,date", *items, ""]), "utf-8")
    return path


def drawn(*arguments: str) -> tuple[int, list[list[str]], str]:
    result = CliRunner().invoke(main, ["plan", str(SAMPLE), "--control", "PAY-C02", *arguments])
    return result.exit_code, list(csv.reader(result.stdout.splitlines())), result.stderr


@pytest.mark.parametrize(
    ("frequency", "population", "size", "buys"),
    [
        ("annual", "", 1, "the one item there is, if performed 1 time: what is found is the rate"),
        (
            "quarterly",
            "",
            1,
            "1 without deviation: at 90 % confidence at most 50 % deviate (hypergeometric, if performed 2 times)",
        ),
        ("half_yearly", "", 1, "the one item there is, if performed 1 time: what is found is the rate"),
        (
            "half_yearly",
            "5",
            1,
            "1 without deviation: at 90 % confidence at most 80 % deviate (hypergeometric, population 5)",
        ),
        (
            "monthly",
            "",
            1,
            "1 without deviation: at 90 % confidence at most 83.4 % deviate (hypergeometric, if performed 6 times)",
        ),
        ("many_a_day", "", 13, "13 without deviation: at 90 % confidence at most 16.3 % deviate (binomial)"),
        ("daily", "8", 8, "all 8: what is found is the rate"),
        ("ad_hoc", "", 22, "22 without deviation: at 90 % confidence at most 9.94 % deviate (binomial)"),
        (
            "ad_hoc",
            "12",
            8,
            "8 without deviation: at 90 % confidence at most 8.34 % deviate (hypergeometric, population 12)",
        ),
        ("ad_hoc", "1", 1, "the one item there is: what is found is the rate"),
    ],
)
def test_what_a_planned_size_buys(tmp_path: Path, frequency: str, population: str, size: int, buys: str) -> None:
    """By frequency, never more than there is to test, and always with the model that says what it shows."""

    def edit(rows: dict[str, list[dict[str, str]]]) -> None:
        rows["controls"][0]["frequency"] = frequency
        rows["control_tests"][0].update(population=population, sample_size="1")

    planned = {each.control_id: each for each in plan(Context.of(load(write_register(tmp_path, edit))))}["A-C1"]
    assert (planned.size, planned.buys) == (size, buys)


def test_the_items_of_some_months_are_no_population_of_the_report(tmp_path: Path) -> None:
    """63 in three of twelve months: what 25 of these would show, 25 of a year don't."""

    def planned(days: tuple[str, str]) -> tuple[int | None, str]:
        def edit(rows: Rows) -> None:
            rows["business_units"][0]["report_from"] = "2025-07-01"
            rows["controls"][0]["frequency"] = "many_a_day"
            cells = {"covers_from": days[0], "covers_to": days[1], "population": "63", "sample_size": "6"}
            rows["control_tests"][0].update(cells)

        found = of_control(plan(Context.of(load(write_register(tmp_path / days[0], edit)))), "A-C1")
        return found.population, found.buys

    part, whole = planned(("2026-04-01", "2026-06-30")), planned(("2025-07-01", "2026-06-30"))
    assert part == (None, "25 without deviation: at 90 % confidence at most 8.8 % deviate (binomial)")
    assert whole == (
        63,
        "25 without deviation: at 90 % confidence at most 6.35 % deviate (hypergeometric, population 63)",
    )


@pytest.mark.parametrize(
    "frequency", ["many_a_day", "daily", "weekly", "monthly", "quarterly", "half_yearly", "annual", "ad_hoc"]
)
@pytest.mark.parametrize("report_from", ["2025-07-01", "2025-10-01"])
def test_what_is_planned_is_what_the_conclusion_asks_for(tmp_path: Path, frequency: str, report_from: str) -> None:
    """Over a report of a year, or of nine months: the planned size without deviation is enough, one item less isn't."""

    def tested(items: int) -> Context:
        def edit(rows: dict[str, list[dict[str, str]]]) -> None:
            rows["business_units"][0]["report_from"] = report_from
            rows["controls"][0]["frequency"] = frequency
            rows["control_tests"][0].update(sample_size=str(items), covers_from=report_from, covers_to="2026-06-30")

        return Context.of(load(write_register(tmp_path / str(items), edit)))

    size = of_control(plan(tested(1)), "A-C1").size
    assert assess(tested(size), "type2").loc["A-C1", "conclusion"] == "operated_effectively"
    if 1 < size <= 22:  # 22 show a tolerable rate by themselves
        assert assess(tested(size - 1), "type2").loc["A-C1", "conclusion"] == "insufficient_evidence"


@pytest.mark.parametrize(("method", "planned"), [("inclusive", True), ("carve_out", False)])
def test_whatever_tests_conclude_on_is_planned(tmp_path: Path, method: str, planned: bool) -> None:
    """By the inclusive method a subservice organisation's control is tested like our own; carved out, its report speaks."""

    def edit(rows: Rows) -> None:
        rows["controls"][0].update(performed_by="subservice", subservice_id="SUB-1")
        rows["subservice_organisations"][0]["method"] = method

    context = Context.of(load(write_register(tmp_path, edit)))
    assert ("A-C1" in {each.control_id for each in plan(context)}) == planned


@pytest.mark.parametrize(
    ("then", "sizes"),
    [({"frequency": "quarterly"}, (1, 4)), ({"performed_by": "user_entity"}, (4,)), ({"owner": "Z"}, (8,))],
)
def test_each_part_of_a_report_is_planned_as_it_was_performed(
    tmp_path: Path, then: dict[str, str], sizes: tuple[int, ...]
) -> None:
    """A-C1 is daily since April: what is planned for each part, tested on its days, is what its conclusion asks for."""
    spans = (("2026-01-01", "2026-03-31"), ("2026-04-01", "2026-06-30"))[-len(sizes) :]
    spans = (("2026-01-01", "2026-06-30"),) if sizes == (8,) else spans

    def context(*items: int) -> Context:
        def edit(rows: Rows) -> None:
            daily, test = {**rows["controls"][0], "frequency": "daily"}, rows["control_tests"].pop(0)
            rows["controls"][0] = {**daily, "valid_from": "2026-04-01"}
            rows["controls"].append({**daily, **then, "valid_to": "2026-03-31"})
            for number, (size, (first, last)) in enumerate(zip(items, spans, strict=False)):
                done = {"covers_from": first, "covers_to": last, "tested_on": "2026-06-30", "sample_size": str(size)}
                rows["control_tests"].append({**test, **done, "test_id": f"P{number}"})

        return Context.of(load(write_register(tmp_path / str(items), edit)), "2026-H1")

    planned = of_control(plan(context()), "A-C1")
    assert (planned.size, planned.frequency) == (sum(sizes), "daily")
    assert [f"{first} to {last}, " in planned.buys for first, last in spans] == [sizes != (8,)] * len(spans)
    enough, fewer = (conclude_all(context(*sizes[:-1], sizes[-1] - short), "type2")["A-C1"] for short in (0, 1))
    assert enough.name == "operated_effectively"
    assert fewer.name != "operated_effectively"


@pytest.mark.parametrize("report", [("2026-07-01", "2027-06-30"), ("2025-01-01", "2025-12-31")])
def test_beyond_a_report_what_is_planned_is_what_risk_now_asks_for(tmp_path: Path, report: tuple[str, str]) -> None:
    """A report that begins three days ago, after the period, or ended before it: both look back over a year."""

    def tested(items: int) -> Context:
        def edit(rows: dict[str, list[dict[str, str]]]) -> None:
            rows["business_units"][0].update(zip(("report_from", "report_to"), report, strict=True))
            rows["controls"][0]["frequency"] = "daily"
            rows["control_tests"][0].update(sample_size=str(items), population="125")

        return Context.of(load(write_register(tmp_path / str(items), edit)), "2026-H1", date(2026, 7, 3))

    planned = of_control(plan(tested(1)), "A-C1")
    assert (planned.size, planned.population) == (15, 125)
    assert without_report(tested(1)) == ["alpha"]
    assert assess(tested(15)).loc["A-C1", "conclusion"] == "operated_effectively"
    assert assess(tested(14)).loc["A-C1", "conclusion"] == "insufficient_evidence"


@pytest.mark.parametrize(("population", "size"), [(70, 17), (40, 14), (12, 8), (10, 7), (3, 3), (2, 2)])
def test_an_ad_hoc_control_is_planned_the_fewest_items_that_conclude(
    tmp_path: Path, population: int, size: int
) -> None:
    """A limit of exactly the tolerable rate is accepted, so no item more than that takes is planned."""

    def tested(items: int) -> Context:
        def edit(rows: dict[str, list[dict[str, str]]]) -> None:
            rows["controls"][0]["frequency"] = "ad_hoc"
            rows["control_tests"][0].update(sample_size=str(items), population=str(population))

        return Context.of(load(write_register(tmp_path / str(items), edit)))

    assert of_control(plan(tested(1)), "A-C1").size == size
    assert assess(tested(size), "type2").loc["A-C1", "conclusion"] == "operated_effectively"
    assert assess(tested(size - 1), "type2").loc["A-C1", "conclusion"] == "insufficient_evidence"


@pytest.mark.parametrize("again", [{"covers_from": "2026-04-01"}, {"covers_to": "2026-03-31"}])
def test_populations_add_up_in_a_plan_as_in_the_conclusion(tmp_path: Path, again: dict[str, str]) -> None:
    """Rounds over other days have other items: 40 + 30; over the same days they share the larger population."""
    both = {"covers_from": "2026-01-01", "covers_to": "2026-03-31", "sample_size": "12", "population": "40"}

    def edit(rows: dict[str, list[dict[str, str]]]) -> None:
        first = rows["control_tests"][0]
        first.update(both)
        days = {"covers_to": "2026-06-10", **again}
        rows["control_tests"].append({**first, "test_id": "T-2", "population": "30", **days})
        rows["controls"][0]["frequency"] = "daily"

    context = Context.of(load(write_register(tmp_path, edit)))
    population = of_control(plan(context), "A-C1").population
    assert population == (70 if "covers_from" in again else 40)
    assert assess(context, "type2").loc["A-C1", "upper_limit"] == upper_limit(24, 0, "0.90", population)


def test_planning_beyond_a_report_changes_no_row(tmp_path: Path) -> None:
    """What is planned where a report has ended leaves the register as it is."""
    ended = {"report_from": "2025-07-01", "report_to": "2025-12-31"}
    context = Context.of(load(write_register(tmp_path, lambda rows: rows["business_units"][0].update(ended))))
    before = repr(context.register.rows("controls"))
    assert plan(context)
    assert repr(context.register.rows("controls")) == before


def test_a_type_1_control_is_planned_to_be_walked_through(tmp_path: Path) -> None:
    """Its operation isn't tested, so no sample is asked for."""
    planned = of_control(plan(Context.of(load(write_register(tmp_path)))), "B-C1")
    assert (planned.size, planned.buys) == (1, "one walkthrough: whether it is in use")


def test_controls_that_others_perform_are_not_planned_for() -> None:
    """User entities' and subservice organisations' controls aren't ours to test."""
    planned = {each.control_id for each in plan(Context.of(load(SAMPLE)))}
    controls = load(SAMPLE).controls
    assert planned == set(controls.loc[controls["performed_by"] == "own", "control_id"])


def test_the_same_population_gives_the_same_items(population: Path) -> None:
    """An auditor with the file gets the same sample; with one item more it is another draw."""
    once, again = drawn("--population", str(population)), drawn("--population", str(population))
    assert once == again
    assert once[0] == 0
    assert [row[1] for row in once[1][1:]] != []
    population.write_text(population.read_text("utf-8") + "J120,2026-06-30\n", "utf-8")
    assert drawn("--population", str(population))[1] != once[1]


def test_the_draw_is_fixed_for_good(population: Path) -> None:
    """No version of anything may change whom an auditor picks: these items were drawn once and for all."""
    items = read_population(population)
    order = in_time(items, "date")
    assert [items.items[position][0] for position in select(order, 4, items.sha256)] == ["J114", "J55", "J3", "J83"]


def test_a_sample_is_spread_over_the_period_by_its_dates(population: Path) -> None:
    """Six items of six months with 20 each: one from every month."""
    _, rows, _ = drawn("--population", str(population), "--date-column", "date", "--size", "6")
    assert [row[2][:7] for row in rows[1:]] == [f"2026-0{month}" for month in range(1, 7)]


def dated(folder: Path, *days: str) -> Path:
    """A population with an item on each of these days."""
    path = folder / "dated.csv"
    path.write_text("\n".join(["id,date", *(f"J{number},{day}" for number, day in enumerate(days)), ""]), "utf-8")
    return path


@pytest.mark.parametrize(
    ("edit", "days", "inside"),
    [
        (dict, ("2025-12-31", "2026-01-01", "2026-05-31", "2026-06-01"), ["J1", "J2"]),
        (  # of a Type 2 report over days of two periods, all of them
            lambda rows: rows["business_units"][0].update(report_from="2025-10-01"),
            ("2025-09-30", "2025-10-01", "2026-05-31", "2026-06-01"),
            ["J1", "J2"],
        ),
        (  # since the control began
            lambda rows: rows["controls"][0].update(valid_from="2026-04-01"),
            ("2026-03-31", "2026-04-01", "2026-05-31", "2026-06-01"),
            ["J1", "J2"],
        ),
        (  # no report: the look-back
            lambda rows: rows["business_units"][0].update(report_from="2024-01-01", report_to="2024-12-31"),
            ("2025-05-31", "2025-06-01", "2026-05-31", "2026-06-01"),
            ["J1", "J2"],
        ),
        (  # a Type 1 report: the look-back to its date
            lambda rows: rows["business_units"][0].update(report_type="type1", report_from="", report_to="2026-04-30"),
            ("2025-04-30", "2025-05-01", "2026-04-30", "2026-05-01"),
            ["J1", "J2"],
        ),
    ],
)
def test_only_items_of_the_days_that_are_tested_are_drawn(
    tmp_path: Path, edit: Callable[[Rows], None], days: tuple[str, ...], inside: list[str]
) -> None:
    """Not those before the report or the control began, nor those after the day that it is seen from; and it is said."""
    asked = ["--control", "A-C1", "--population", str(dated(tmp_path, *days)), "--as-of", "2026-05-31"]
    folder = write_register(tmp_path / "register", edit)
    result = CliRunner().invoke(main, ["plan", str(folder), *asked, "--date-column", "date", "--size", "9"])
    assert [row[1] for row in csv.reader(result.stdout.splitlines()[1:])] == inside
    assert "A-C1: 2 of 2 items drawn" in result.stderr
    assert f"2 of the 4 items in the file are of the days that are tested, {days[1]} to {days[2]}." in result.stderr
    assert "all 2: what is found is the rate" in result.stderr
    result = CliRunner().invoke(main, ["plan", str(folder), *asked, "--size", "9"])
    assert len(result.stdout.splitlines()) == 5
    assert f"nobody looked whether they are of the days that are tested, {days[1]} to {days[2]}." in result.stderr


def test_without_any_item_of_the_days_nothing_is_drawn(tmp_path: Path) -> None:
    """A file of another year is refused by name and column."""
    population = dated(tmp_path, "2024-01-01", "2027-01-01")
    code, _, said = drawn("--population", str(population), "--date-column", "date")
    assert code == 2
    assert "1 problem in the population:\ndated.csv: column 'date': none of 2 items is of the days that are " in said
    edit = lambda rows: rows["business_units"][0].update(report_from="2026-05-01", report_to="2026-12-31")  # noqa: E731
    folder = write_register(tmp_path / "register", edit)
    asked = ["--control", "A-C1", "--population", str(population), "--date-column", "date", "--as-of", "2026-03-31"]
    result = CliRunner().invoke(main, ["plan", str(folder), *asked])
    assert "none of 2 items is of the days that are tested, from 2026-05-01 on" in result.stderr


def test_an_unknown_control_is_told_before_its_population(tmp_path: Path) -> None:
    """Who names a control that isn't there isn't sent to mend a file first."""
    result = CliRunner().invoke(main, ["plan", str(SAMPLE), "--control", "X", "--population", str(tmp_path / "no.csv")])
    assert result.stderr.startswith("No sample is planned for control 'X'")


def test_a_drawn_item_names_its_line(population: Path) -> None:
    """The line number leads back to the item in the population file."""
    lines = population.read_text("utf-8").splitlines()
    _, rows, _ = drawn("--population", str(population))
    assert len(rows) == 16
    assert all(lines[int(row[0]) - 1] == ",".join(row[1:]) for row in rows[1:])


def test_the_items_go_to_a_file_on_request(population: Path, tmp_path: Path) -> None:
    """What was drawn can be filed as evidence."""
    out = tmp_path / "sample.csv"
    code, rows, said = drawn("--population", str(population), "--out", str(out))
    assert (code, rows) == (0, [])
    assert len(out.read_text("utf-8").splitlines()) == 16
    assert "15 of 120 items drawn, seed " in said


@given(st.integers(1, 300), st.integers(1, 80), st.text(max_size=5))
def test_every_draw_has_the_size_and_no_item_twice(total: int, size: int, seed: str) -> None:
    """As many as asked for, or all there are; each at most once, in the order of the population."""
    chosen = select(range(total), size, seed)
    assert len(chosen) == min(size, total)
    assert chosen == sorted(set(chosen))


def test_every_item_can_be_drawn() -> None:
    """Over many seeds each of ten items comes up about equally often: 3 of 10, 2,000 times, is 600 each."""
    counts = [0] * 10
    for seed in range(2000):
        for item in select(range(10), 3, str(seed)):
            counts[item] += 1
    assert min(counts) > 440
    assert max(counts) < 740


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (b"id,date\n", [], "has no items"),
        (b"", [], "has no items"),
        (b"id,date\n1,2026-01-01\n2\n", [], ":3: 1 cell, but the header has 2 columns"),
        (b"id\n\xff\n", [], ":2: 'byte 0xff': is not UTF-8; in a spreadsheet, save as CSV in UTF-8"),
        (
            b"id,date\n1,1.1.2026\n",
            ["--date-column", "date"],
            "column 'date': '1.1.2026': allowed: a date as YYYY-MM-DD",
        ),
        (b"id,date\n1,2026-01-01\n", ["--date-column", "day"], "column 'day': unknown column; there are: id, date"),
    ],
)
def test_a_population_that_cannot_be_drawn_from_is_refused(
    tmp_path: Path, content: bytes, arguments: list[str], message: str
) -> None:
    """File, line and value; exit code 2."""
    path = tmp_path / "items.csv"
    path.write_bytes(content)
    code, _, said = drawn("--population", str(path), *arguments)
    assert code == 2
    assert message in said
    assert "items.csv" in said


def test_a_missing_population_is_named(tmp_path: Path) -> None:
    """No traceback for a path mistyped."""
    with pytest.raises(RegisterError, match=r"nothing\.csv: can't be read: No such file"):
        read_population(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--control", "PAY-C02"], "give both --control and --population"),
        (["--unit", "nobody"], "There is no business unit 'nobody'"),
        (
            ["--control", "PAY-C99", "--population", str(SAMPLE / "risks.csv")],
            "No sample is planned for control 'PAY-C99'",
        ),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments: list[str], message: str) -> None:
    """With what there is instead; exit code 2."""
    result = CliRunner().invoke(main, ["plan", str(SAMPLE), *arguments])
    assert result.exit_code == 2
    assert message in result.output


def test_plan_prints_a_line_for_every_control_and_json_for_machines() -> None:
    """Both ways say the same."""
    text = CliRunner().invoke(main, ["plan", str(SAMPLE), "--unit", "loans"]).output
    values = json.loads(CliRunner().invoke(main, ["plan", str(SAMPLE), "--unit", "loans", "--json"]).output)
    assert {value["unit_id"] for value in values} == {"loans"}
    assert [line.split()[1] for line in text.splitlines()[: len(values)]] == [value["control_id"] for value in values]


def test_a_drawn_item_is_no_formula_in_a_spreadsheet(small: Path, tmp_path: Path) -> None:
    """Testers open the drawn items in Excel: what somebody wrote into the system they come from isn't worked out there."""
    population = tmp_path / "population.csv"
    population.write_text('item,amount\n"=HYPERLINK(""x"")",-12.50\n＝1,+3\n@x,"\t=1"\n', "utf-8")
    result = CliRunner().invoke(
        main, ["plan", str(small), "--control", "A-C1", "--population", str(population), "--size", "3"]
    )
    rows = list(csv.reader(result.stdout.splitlines()))[1:]
    assert sorted(row[1] for row in rows) == ['\'=HYPERLINK("x")', "'@x", "'＝1"]
    assert sorted(row[2] for row in rows) == ["'\t=1", "+3", "-12.50"]
