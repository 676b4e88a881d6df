"""What the page says about readiness, tests and scope: the words a leader or an auditor would look for."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from register_files import DEFICIENCY, Rows, write_register

from riskcalc.assessment.opening import Assessment, open_unit
from riskcalc.assessment.opinion import JUDGEMENT, MANAGEMENTS_TESTS, NOT_ACHIEVED, NOT_YET, Outlook
from riskcalc.pages import control_tests, display, readiness, scoping, unit
from riskcalc.pages.display import day

VIEWS = [
    getattr(page, name)
    for page, names in [
        (readiness, ["figures", "objectives", "report_parts", "dated_later", "gap_list", "deficiencies", "together", "assertions", "components",
                          "user_entities", "subservice", "training", "frameworks"]),
        (control_tests, ["conclusions", "rounds", "sizes"]),
        (scoping, ["proposal", "processes", "answers"]),
    ]
    for name in names
]  # fmt: skip


def opened(folder: Path, unit_id: str = "alpha", *edits: Any) -> Assessment:
    return open_unit(
        unit_id, data_dir=str(write_register(folder / "data", lambda rows: [edit(rows) for edit in edits]))
    )


@cache
def of_sample(folder: str, unit_id: str) -> Assessment:
    return open_unit(unit_id, data_dir=folder)


def text(cell: Any) -> str:
    return cell if isinstance(cell, str) else cell["text"] + " | ".join(["", cell["note"]] if cell.get("note") else "")


def rows(view: display.Display) -> list[list[str]]:
    return [[text(cell) for cell in row] for row in view.as_json()["rows"]]


def figure(view: display.Display, label: str) -> tuple[str, str]:
    return next((item["value"], item["note"]) for item in view.content["items"] if item["label"] == label)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: f"{view.__module__.partition('.')[2]}.{view.__name__}")
@pytest.mark.parametrize("unit", ["payroll", "claims", "funds", "payments", "loans"])
def test_every_view_of_every_unit_renders(sample: Any, unit: str, view: Any) -> None:
    """Type 1 and Type 2, with and without gaps: no unit's page fails or shows a missing value as nan."""
    html = display.render(view(of_sample(str(sample.source), unit)).as_json())
    assert not re.search(r"\b(nan|NaN|NaT|None)\b|<NA>|&lt;NA", html)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: f"{view.__module__.partition('.')[2]}.{view.__name__}")
def test_a_unit_with_nothing_in_it_has_a_page(tmp_path: Path, view: Any) -> None:
    """Before anything is known, every table is there and empty."""

    def bare(rows: Rows) -> None:
        for table in (
            "control_objectives",
            "risks",
            "ratings",
            "controls",
            "risk_controls",
            "control_tests",
            "scoping",
        ):
            rows[table] = [row for row in rows[table] if "beta" not in row.values() and not _of_beta(row)]
        rows["ratings"] = [row for row in rows["ratings"] if row["risk_id"] != "B-R1"]

    assert display.render(view(opened(tmp_path, "beta", bare)).as_json())


def _of_beta(row: dict[str, str]) -> bool:
    return any(value.startswith("B-") for value in row.values())


def test_the_figures_say_how_the_report_stands(tmp_path: Path) -> None:
    """Outlook, gaps, length and the way to the clients' year-end."""

    def edit(rows: Rows) -> None:
        rows["business_units"][0].update(user_year_end="12-31", bridge_letter_until="2026-09-30")
        rows["controls"][0]["documentation"] = ""

    view = readiness.figures(opened(tmp_path, "alpha", edit))
    assert figure(view, "Opinion, Type 2")[0] == "adverse"
    assert figure(view, "Opinion, Type 2")[1].startswith("1 of 1 objective not achieved")
    assert figure(view, "Report period") == ("181 days", day("2026-01-01 to 2026-06-30; six months are expected"))
    days, note = figure(view, "To clients' year-end")
    assert days == "184 days"
    assert day("bridge letter planned, to 2026-09-30, 92 days uncovered") in note


@pytest.mark.parametrize(
    ("unit", "told"), [("alpha", "by the same register"), ("beta", "without what rows say that ended")]
)
def test_what_a_report_of_the_other_type_would_rest_on_is_told(tmp_path: Path, unit: str, told: str) -> None:
    """Of a Type 1 unit only the rows that hold at its date are at hand."""
    opened_unit = opened(tmp_path, unit)
    other = "Type 1" if unit == "alpha" else "Type 2"
    assert told in figure(readiness.figures(opened_unit), f"If it were {other}")[1]
    assert ("Type 2: without what rows say" in readiness.objectives(opened_unit).content["note"]) == (unit == "beta")


def test_where_there_is_nothing_to_count_nothing_is_counted(tmp_path: Path) -> None:
    """An objective without a key control has no "0 of 0" of them; a unit without an objective no other report."""
    bare = opened(tmp_path / "a", "beta", lambda rows: rows["controls"][3].update(key="no"))
    assert {text(cell) for row in readiness.objectives(bare).content["rows"] for cell in row[1:6]} == {"–"}

    def without(rows: Rows) -> None:
        for table in ("control_objectives", "risks", "ratings", "risk_controls"):
            rows[table] = [
                row for row in rows[table] if not row.get("risk_id", row.get("objective_id", "")).startswith("B")
            ]

    none = readiness.figures(opened(tmp_path / "b", "beta", without))
    assert figure(none, "If it were Type 2") == ("not ready", "no control objective is on record")


def test_a_deficiency_answers_both_questions(tmp_path: Path) -> None:
    """The candidate in an entity's words, and what it does to the SOC 1 report."""

    def edit(rows: Rows) -> None:
        rows["deficiencies"].append(dict(DEFICIENCY))
        rows["control_tests"][0]["deviations"] = "1"
        rows["risk_controls"].append({**rows["risk_controls"][0], "risk_id": "A-R2"})

    [row] = rows(readiness.deficiencies(opened(tmp_path, "alpha", edit)))
    assert row[0] == "D1"
    assert (
        row[2] == "material weakness"
    )  # impact 4: up to 1.5 x materiality, and A-C2 can't compensate: A-G1 isn't evidenced
    assert row[5] == "A-CO1 not achieved | 1 of 5 deviated: to be reported"
    assert row[3] == day("121 days | due 2026-09-30")


def test_gaps_past_due_are_told(tmp_path: Path) -> None:
    """With the date, and since when they are known; without a deficiency or an earlier period, since this one."""

    def edit(rows: Rows) -> None:
        rows["controls"][0]["documentation"] = ""
        rows["deficiencies"].append({**DEFICIENCY, "due_on": "2026-05-31"})

    listed = readiness.gap_list(opened(tmp_path, "alpha", edit))
    row = next(row for row in rows(listed) if row[0] == "A-C1")
    assert row[4:] == ["A. Owner", day("2026-05-31 | past due"), day(DEFICIENCY["identified_on"])]
    assert listed.content["columns"][-1] == "Known since"
    assert "this period" in {each[-1] for each in rows(listed)}


def test_a_client_who_was_never_told_is_shown(tmp_path: Path) -> None:
    """A CUEC without communication or confirmation."""
    edit = lambda rows: rows["controls"][0].update(performed_by="user_entity")  # noqa: E731
    [row] = rows(readiness.user_entities(opened(tmp_path, "alpha", edit)))
    assert row[3:] == ["not told", "never"]


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        ({}, [day("Type 2, 2026-01-01 to 2026-06-30"), "unmodified | no exception", "none", "not reviewed"]),
        ({"report_to": "2026-05-31"}, [day("Type 2, 2026-01-01 to 2026-05-31"), "unmodified | no exception", "30 days", "not reviewed"]),
        ({"method": "inclusive"}, [day("Type 2, 2026-01-01 to 2026-06-30"), "", "tested here", "not reviewed"]),
        ({"report_type": "", "report_from": "", "report_to": "", "opinion": "", "exception": ""},
         ["none received", "no report", "181 days", "–"]),
        ({"report_to": "2026-05-31", "began": "2026-05-16"},
         [day("Type 2, 2026-01-01 to 2026-05-31"), "unmodified | no exception", "30 days", "not reviewed"]),
        ({"report_to": "2026-05-31", "began": "2026-06-16"},
         [day("Type 2, 2026-01-01 to 2026-05-31"), "unmodified | no exception", "15 days", "not reviewed"]),
    ],
)  # fmt: skip
def test_subservice_organisations_and_the_days_they_leave_uncovered(
    tmp_path: Path, cells: dict[str, str], shown: list[str]
) -> None:
    """Carve-out and inclusive, with and without a report; of a control that began in ours, the days since."""

    def edit(rows: Rows) -> None:
        began = cells.pop("began", "")
        rows["controls"][0].update(performed_by="subservice", subservice_id="SUB-1", valid_from=began)
        rows["risk_controls"][0].update(valid_from=began)
        rows["control_tests"].pop(0)
        rows["subservice_organisations"][0].update(cells)

    [row] = rows(readiness.subservice(opened(tmp_path, "alpha", edit)))
    assert row[4:] == shown


def test_the_limits_are_to_scale_and_say_why_one_beyond_the_tolerable_rate_is_accepted(tmp_path: Path) -> None:
    """The bar runs from the observed rate to the upper limit, past the line at the tolerable rate."""
    found = {row[0]: row[6] for row in control_tests.conclusions(opened(tmp_path)).content["rows"]}
    assert [found[name]["text"] for name in ("A-C1", "A-G1", "A-C2")] == ["37 %", "14.7 %", "8.8 %"]
    assert found["A-C1"]["note"] == "accepted: the planned size held without deviation"
    assert found["A-C2"]["note"] == ""
    [bar] = found["A-G1"]["bars"]
    assert float(bar["left"]) == pytest.approx(100 * 0.04 / 0.369, abs=0.1)
    assert found["A-G1"]["marks"] == [{"left": f"{100 * 0.1 / 0.369043:.1f}", "shape": "line"}]


def test_the_proposal_is_held_against_the_plan(tmp_path: Path) -> None:
    """What is planned isn't what the answers propose."""
    edit = lambda rows: rows["scoping"][0].update(auditors_ask="design")  # noqa: E731
    view = scoping.proposal(opened(tmp_path, "alpha", edit))
    assert figure(view, "Proposed")[0] == "SOC 1 Type 1"
    assert figure(view, "Planned") == ("SOC 1 Type 2", "not what the answers propose")


def test_what_nobody_answered_proposes_nothing(tmp_path: Path) -> None:
    """The plan isn't at odds with answers that nobody gave, nor are there processes of a unit without objectives."""
    view = scoping.proposal(opened(tmp_path, "alpha", lambda rows: rows["scoping"].clear()))
    assert figure(view, "Planned") == ("SOC 1 Type 2", "the answers propose none yet")
    fresh = lambda rows: rows["business_units"].append({**rows["business_units"][0], "unit_id": "gamma"})  # noqa: E731
    view = scoping.proposal(opened(tmp_path / "fresh", "gamma", fresh))
    assert figure(view, "Proposed")[0] == "nothing yet"
    assert figure(view, "Planned") == ("SOC 1 Type 2", "the answers propose none yet")


def test_the_reports_own_parts_stand_by_chapter_with_their_state(tmp_path: Path) -> None:
    """Late ones in the tone of lateness; those without a row are told as not on record; IV is an outlook."""
    item = {"item_id": "I9", "unit_id": "alpha", "item": "system_description", "status": "in_progress"}
    edit = lambda rows: rows["report_items"].append({**item, "owner": "A. Owner", "due_on": "2026-06-01"})  # noqa: E731
    view = readiness.report_parts(opened(tmp_path, "alpha", edit))
    shown = rows(view)
    assert [row[0] for row in shown if row[0]] == ["I", "II", "III", "IV", "V"]
    stands = {row[1]: row[2:5] for row in shown}
    assert stands["System description"] == ["in progress", "A. Owner", day("2026-06-01 | past due")]
    assert stands["Subservice CUECs"][0] == "not on record"
    assert stands["The service auditor's report"][0] == "not issued"
    assert stands["Objectives, controls, tests and their results"][0].startswith("adverse")
    assert MANAGEMENTS_TESTS in view.content["note"]


@pytest.mark.parametrize(("as_of", "said"), [("2026-08-19", "not issued"), ("2026-08-20", "qualified | issued on")])
def test_an_issued_report_is_told_from_its_day(tmp_path: Path, as_of: str, said: str) -> None:
    """Not before."""
    edit = lambda rows: rows["business_units"][0].update(issued_on="2026-08-20", opinion="qualified")  # noqa: E731
    data = str(write_register(tmp_path / "data", edit))
    assert rows(readiness.report_parts(open_unit("alpha", data_dir=data, as_of=as_of)))[0][2].startswith(said)


@pytest.mark.parametrize(
    ("opinion", "told", "tone"),
    [
        ("unmodified", "Unmodified: issued on 30 Jun 2026; our own tests differ: adverse, 0 of 1", "open"),
        ("adverse", "Adverse: issued on 30 Jun 2026; our own tests agree, 0 of 1", "bad"),
        ("disclaimer", "Disclaimer: issued on 30 Jun 2026; our own tests differ: adverse, 0 of 1", "bad"),
    ],
)
def test_an_issued_report_heads_its_units_page(tmp_path: Path, opinion: str, told: str, tone: str) -> None:
    """What was issued, and when, before our outlook; for the board, too."""
    edit = lambda rows: rows["business_units"][0].update(issued_on="2026-06-30", opinion=opinion)  # noqa: E731
    data = str(write_register(tmp_path / "data", edit))
    for readers in ("", "board"):
        alpha = open_unit("alpha", data_dir=data, audience=readers)
        second = unit.heading(alpha).content["second"]
        assert second["verdict"].replace("\xa0", " ").startswith(told)
        assert second["tone"] == tone
        assert "to be reported" not in second["verdict"]
        assert figure(readiness.figures(alpha), "Opinion, Type 2")[0] == opinion


def test_an_objective_whose_controls_hold_but_is_contradicted_needs_judgement(tmp_path: Path) -> None:
    """With the contradiction: its risk is outside appetite all the same."""

    def edit(rows: Rows) -> None:
        rows["business_units"][1]["appetite"] = "Low"
        rows["risk_controls"][2]["coverage"] = "0.1"

    [row] = rows(readiness.objectives(opened(tmp_path, "beta", edit)))
    columns = readiness.objectives(opened(tmp_path / "b", "beta", edit)).content["columns"]
    assert row[columns.index("Type 1")] == "judgement needed"
    assert "B-R1 is" in row[-1]
    assert "outside appetite" in row[-1]


def test_a_bridge_letter_to_come_is_called_planned(tmp_path: Path) -> None:
    """And one of the past isn't."""
    about = {"user_year_end": "12-31", "bridge_letter_until": "2026-09-30"}
    data = str(write_register(tmp_path / "data", lambda rows: rows["business_units"][0].update(about)))
    for as_of, told in (("2026-09-29", "letter planned, to"), ("2026-09-30", day("letter to 2026-09-30"))):
        view = readiness.figures(open_unit("alpha", data_dir=data, as_of=as_of))
        assert told in figure(view, "To clients' year-end")[1]


def test_what_is_too_long_is_the_whole_way_to_the_year_end(tmp_path: Path) -> None:
    """Of 184 days the letter leaves 92, no more than practice accepts: the sentence names the 184."""
    about = {"user_year_end": "12-31", "bridge_letter_until": "2026-09-30"}
    data = str(write_register(tmp_path / "data", lambda rows: rows["business_units"][0].update(about)))
    told = figure(readiness.figures(open_unit("alpha", data_dir=data)), "To clients' year-end")[1]
    rest = "92 days uncovered; 184 days in all are more than the three months that practice accepts"
    assert rest in told


def test_a_mapping_promises_no_other_auditors_agreement(tmp_path: Path) -> None:
    """Whether evidence fits is that auditor's to decide."""
    assert "for that framework's auditor to decide" in readiness.frameworks(opened(tmp_path)).content["note"]


def test_a_failed_control_decides_on_what_a_control_that_relies_on_it_serves(tmp_path: Path) -> None:
    """A-G1 acts on no risk itself; A-C2, which needs it, can't hold A-CO1 without it."""

    def edit(rows: Rows) -> None:
        rows["control_tests"][2].update(deviations="9")
        rows["risk_controls"].pop(0)

    [row] = [row for row in rows(readiness.deficiencies(opened(tmp_path, "alpha", edit))) if "A-G1" in row[1]]
    assert row[5] == "A-CO1 not achieved | 9 of 25 deviated: to be reported"


def test_a_deficiency_is_told_with_the_objective_that_its_control_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """PAY-C17 serves PAY-CO4; that others' risks share its account makes their milder outcome none of its own."""
    told = [("PAY-CO1", JUDGEMENT), ("PAY-CO4", NOT_ACHIEVED), ("PAY-CO7", NOT_YET)]
    known = [Outlook("payroll", name, "type2", outcome, blocking=("PAY-C17",)) for name, outcome in told]
    monkeypatch.setattr(readiness, "outlooks", lambda *_: known)
    found = {row[1].split()[0]: row[-1] for row in rows(readiness.deficiencies(of_sample("data", "payroll")))}
    assert found["PAY-C17"].startswith("PAY-CO4")


def test_what_others_say_after_the_day_is_not_told(tmp_path: Path) -> None:
    """A report of days to come with its review, and a client's confirmation of a later day: none is there yet."""

    def edit(rows: Rows) -> None:
        rows["controls"][0].update(performed_by="subservice", subservice_id="SUB-1")
        rows["controls"][1].update(performed_by="user_entity", confirmed_on="2026-10-10")
        rows["subservice_organisations"][0].update(
            report_from="2025-07-01", report_to="2026-09-30", reviewed_by="R. Reader", reviewed_on="2026-11-01"
        )

    data = write_register(tmp_path / "data", edit)
    found = open_unit("alpha", "2026-H1", str(data), as_of="2026-06-30")
    [row] = rows(readiness.subservice(found))
    assert row[4:] == [day("none there by 2026-06-30"), "no report", "181 days", "–"]
    assert rows(readiness.user_entities(found))[0][4] == day("not by 2026-06-30")
    since = open_unit("alpha", "2026-H1", str(data), as_of="2026-11-01")
    [row] = rows(readiness.subservice(since))
    assert row[4:] == [
        day("Type 2, 2025-07-01 to 2026-09-30"), "unmodified | no exception", "none", day("R. Reader, 2026-11-01"),
    ]  # fmt: skip
    assert rows(readiness.user_entities(since))[0][4] == day("2026-10-10")


def test_components_are_told_now_and_for_the_report(tmp_path: Path) -> None:
    """It failed, was repaired and passed its retest: covered now, and not over the report's period, as the gap says."""

    def edit(rows: Rows) -> None:
        rows["controls"][0]["component"] = "risk_assessment"
        first = rows["control_tests"][0]
        first.update(sample_size="25", deviations="9", tested_on="2026-02-10")
        retest = {"test_id": "T9", "deviations": "0", "tested_on": "2026-06-20", "retest_of": "T1"}
        rows["control_tests"].append({**first, **retest})

    found = opened(tmp_path, "alpha", edit)
    told = {row[0]: row[1:] for row in rows(readiness.components(found))}
    assert told["Risk assessment"] == ["1", "1", "covered", "0", "not covered"]
    gap = "no effective control of the component risk assessment over the report's period"
    assert gap in [row[1] for row in rows(readiness.gap_list(found))]


def test_what_waits_for_days_to_come_is_never_past_due(tmp_path: Path) -> None:
    """Its control's deficiency is; that says nothing of days that nobody can hasten."""

    def edit(rows: Rows) -> None:
        rows["business_units"][0]["report_to"] = "2026-12-31"
        rows["controls"][0]["design"] = "partially_effective"
        rows["control_tests"][0].update(sample_size="25", covers_from="2026-01-01", covers_to="2026-06-15")
        rows["deficiencies"].append({**DEFICIENCY, "due_on": "2026-05-31"})

    listed = {row[1]: row[5:] for row in rows(readiness.gap_list(opened(tmp_path, "alpha", edit))) if row[0] == "A-C1"}
    late = day("2026-05-31 | past due")
    assert listed["design is partially effective"] == [late, day(DEFICIENCY["identified_on"])]
    [waiting] = [told for what, told in listed.items() if "still runs for" in what]
    assert waiting == ["no date agreed", "this period"]


def test_a_hole_names_the_risks_that_it_is_about(tmp_path: Path) -> None:
    """Only where it is some of several, the others too; and a component's name is one in words."""
    found = opened(tmp_path, "alpha", lambda rows: rows["controls"][0].update(documentation=""))
    cells = {each for row in rows(readiness.assertions(found)) for each in row[1:]}
    assert not any(re.search(r"(.+) of \1$", cell) for cell in cells)
    assert "information and communication" in [row[0] for row in rows(readiness.gap_list(found))]
