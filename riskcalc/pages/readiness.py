"""What a unit's page says about its SOC 1 report: outlook, gaps, deficiencies, and what the report leans on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, get_args

import pandas as pd

from riskcalc.assessment import coverage
from riskcalc.assessment.changes import in_report, parts
from riskcalc.assessment.deficiencies import Candidate, aggregated, candidates
from riskcalc.assessment.evidence import assessed, first_days, later
from riskcalc.assessment.opening import Assessment
from riskcalc.assessment.opinion import Outlook, not_begun, outlooks, stated
from riskcalc.assessment.readiness import gaps, served
from riskcalc.assessment.steps import STEPS, key_controls, reached
from riskcalc.assessment.subservice import latest, on_record, reports, there, uncovered_days
from riskcalc.assessment.testing import Days
from riskcalc.errors import counted
from riskcalc.pages import display
from riskcalc.pages.display import Cell, Display, day, due_cell, state
from riskcalc.pages.wording import (
    OUTCOMES,
    achieved,
    folded_for_the_board,
    outcome,
    report,
    rests_on,
    sentence_case,
    tally,
    told_of,
)
from riskcalc.register.columns import Assertion
from riskcalc.register.records import records

_GRAVE = {"material weakness": "bad", "significant deficiency": "bad", "deficiency": "open"}
_EXCEPTIONS = {"none": "no exception", "minor": "minor exceptions", "matters": "an exception that matters"}
_TYPES = {"type1": "Type 1", "type2": "Type 2"}
_WITHOUT = "without what rows say that ended before the report's date"
_CHAPTERS = {
    "I": "The service auditor's report",
    "II": "Management's assertion",
    "III": "Description of the system",
    "IV": "Objectives, controls, tests and their results",
    "V": "Other information, on which there is no opinion",
}
_STATUS = {"done": "good", "not on record": "bad", "open": "bad"}


def figures(unit: Assessment) -> Display:
    """How the report stands: its outlook, gaps, length, and how far it is from the clients' year-end."""
    own_type = unit.unit["report_type"]
    missing = gaps(unit.context)
    blocking, overdue = sum(gap.blocks for gap in missing), sum(_overdue(gap.due_on, unit) for gap in missing)
    other = next(name for name in _TYPES if name != own_type)
    now, instead = (report(unit.context, unit.unit, name) for name in (own_type, other))
    ahead = f". {told}" if (told := not_begun(unit.context, unit.unit)) else ""
    own = told_of(unit.context, unit.unit)
    same = f", {'by the same register' if own_type == 'type2' else _WITHOUT}" if instead.objectives else ""
    because = f"{own.compared}, {now.because}" if own.issued_on else f"{now.because}{ahead}"
    decide = "decides" if blocking == 1 else "decide"
    return display.facts(
        "Readiness",
        [
            (f"Opinion, {_TYPES[own_type]}", own.opinion, day(because)),
            (f"If it were {_TYPES[other]}", instead.opinion, f"{achieved(instead)}{same}"),
            ("Gaps", str(len(missing)), f"{blocking} {decide} on an objective; {overdue} past due"),
            _length(unit.unit),
            _to_year_end(unit),
        ],
    )


def objectives(unit: Assessment) -> Display:
    """Each objective's key controls by step, the outlook for both types of report, and why."""
    own_type = unit.unit["report_type"]
    by_type = {name: {each.objective_id: each for each in outlooks(unit.context, name)} for name in _TYPES}
    keys, linked = key_controls(unit.context, own_type), reached(unit.register, Decimal(0))
    acting: dict[str, set[str]] = {}
    for risk, objective in in_report(unit.register).items():
        acting.setdefault(objective, set()).update(linked.get(risk, ()))
    rows: list[list[Cell]] = []
    kept = {one["objective_id"]: one["process"] for one in unit.register.rows("control_objectives")}
    for name in by_type[own_type]:
        serving = [keys[control] for control in acting.get(name, ()) if control in keys]
        counts = [
            _of(sum(control[step] for control in serving), len(serving)) if name in kept else "–" for step in STEPS
        ]
        process: Cell = {"text": name, "note": kept.get(name, "isn't kept any more")}
        outcomes = [outcome(by_type[each][name].outcome) if name in by_type[each] else "–" for each in _TYPES]
        rows.append(
            [process, *counts, *outcomes, {"text": "", "note": day("\n".join(by_type[own_type][name].because))}]
        )
    passed = [step.replace("_", " ").capitalize() for step in STEPS]
    columns = ["Objective", *passed, *_TYPES.values(), "Why"]
    note = (
        f"An outlook. {rests_on(not_begun(unit.context, unit.unit))} "
        f"Counts: key controls that pass each step, for {_TYPES[own_type]}. "
        "An objective is achieved by its controls together, and only while nothing contradicts it."
        f"{f' Type 2: {_WITHOUT}.' if own_type == 'type1' else ''}"
    )
    counted_on = stated([*by_type[own_type].values()])
    told = tally({each.objective_id: each.outcome for each in counted_on}, OUTCOMES, "control objective")
    shown = display.table("Control objectives: outcome and why", columns, rows, note=note)
    return folded_for_the_board(shown.saying(f"Outlook: {told}"), unit)


def gap_list(unit: Assessment) -> Display:
    """What is missing for the unit's report, with owner, due date and age; what decides on an objective first."""
    rows: list[list[Cell]] = []
    for gap in gaps(unit.context):
        since = day(gap.since) if gap.since else "this period" if unit.context.begun else "now"
        decides = state("decides", "bad") if gap.blocks else "doesn't decide"
        rows.append(
            [
                coverage.in_words(gap.row) if gap.step == "component" else gap.row,
                day(gap.what),
                ", ".join(gap.objectives),
                decides,
                gap.owner,
                due_cell(gap.due_on, _overdue(gap.due_on, unit)),
                since,
            ]
        )
    columns = ["Row", "What is missing", "Objectives", "For the outlook", "Owner", "Due", "Known since"]
    end = "the end of the period before" if unit.context.begun else "the day of this page, for the period hasn't begun"
    note = f"Known since: the day the deficiency was identified, or {end}, if missing then."
    return display.table("Gaps on the way to the report", columns, rows, note=note, folded=True)


def deficiencies(unit: Assessment) -> Display:
    """A candidate severity for every deficiency, with reasons, and what it means for the SOC 1 report."""
    found = candidates(unit.context)
    described = {one["deficiency_id"]: one for one in unit.register.rows("deficiencies")}
    hanging, over = _hanging(unit), assessed(unit.context, str(unit.unit["report_type"]))
    rows: list[list[Cell]] = []
    for one in found:
        known = described.get(one.name, {"description": "a control that failed, without an open deficiency on record"})
        control: Cell = {"text": one.controls[0], "note": str(known["description"])}
        rows.append([one.name, control, _severity(one), _age(known, unit), _why(one), _soc1(one, hanging, over)])
    columns = ["Deficiency", "Control", "Candidate", "Open for", "Why", "For the SOC 1 report"]
    note = (
        "Candidates, for people to decide on. The severity is that of an entity's own reporting (AS 2201 .62-.70, "
        "AU-C 265). A SOC 1 report (AT-C 320, ISAE 3402) asks another question: each deviation of its period is "
        "reported, closed deficiencies' too, and enough of them mean that an objective was not achieved."
    )
    return display.table("Deficiencies: candidate severity", columns, rows, note=note, folded=True)


def together(unit: Assessment) -> Display:
    """What the deficiencies that share an objective or an account make together."""
    rows: list[list[Cell]] = [
        [one.about.capitalize(), one.name, ", ".join(one.controls), _severity(one), _why(one)]
        for one in aggregated(unit.context)
    ]
    columns = ["By", "Name", "Controls", "Candidate", "Why"]
    return display.table("Deficiencies taken together", columns, rows, folded=True)


def assertions(unit: Assessment) -> Display:
    """Objectives by assertion: which risks name it, and where no key control holds."""
    found = coverage.assertions(unit.context, unit.unit["report_type"])
    cells = {(row["objective_id"], row["assertion"]): row for row in found}
    named = {row["assertion"] for row in found}
    rows: list[list[Cell]] = [
        [objective, *(_assertion(cells.get((objective, name))) for name in get_args(Assertion))]
        for objective in unit.register.control_objectives["objective_id"]
    ]
    holes = [name.replace("_", " ") for name in get_args(Assertion) if name not in named]
    note = f"No risk names {', '.join(holes)}: nothing is wrong with that if it can't matter." if holes else ""
    columns = ["Objective", *(name.replace("_", " ").capitalize() for name in get_args(Assertion))]
    return display.table(
        "Assertions: which risks name them, and whether a key control holds", columns, rows, note=note, folded=True
    )


def components(unit: Assessment) -> Display:
    """The five components of internal control, and the controls that stand for each: now, and for the report."""
    over = coverage.components(unit.context, str(unit.unit["report_type"]))
    rows: list[list[Cell]] = []
    for name, row in coverage.components(unit.context).items():
        label = sentence_case(coverage.in_words(name))
        numbers = [str(row["controls"]), str(row["earning"]), str(over[name]["earning"])]
        rows.append([label, *numbers[:2], _covered(row), numbers[2], _covered(over[name])])
    columns = ["Component", "Controls", "That earn now", "Now", "That earn for the report", "For the report"]
    note = "Now: by the latest evidence. For the report: by all that is of its period, or at its date."
    numeric = [columns[1], columns[2], columns[4]]
    return display.table("The five components (COSO 2013)", columns, rows, numeric=numeric, note=note, folded=True)


def user_entities(unit: Assessment) -> Display:
    """What clients have to do themselves: complementary user entity controls, and whether they were told."""
    serves, rows = served(unit.register), []
    for control in (each for each in unit.register.rows("controls") if each["performed_by"] == "user_entity"):
        told = state("not told", "bad") if pd.isna(control["communicated_in"]) else str(control["communicated_in"])
        confirmed = state("never", "open")
        if control["confirmed_on"] > pd.Timestamp(unit.as_of):
            confirmed = state(f"not by {day(unit.as_of)}", "open")
        elif not pd.isna(control["confirmed_on"]):
            age = (unit.as_of - control["confirmed_on"].date()).days
            on = day(control["confirmed_on"])
            confirmed = state(on, "open", "more than a year ago") if age > 366 else on
        title: Cell = {"text": control["title"], "note": control["description"]}
        objectives = ", ".join(serves.get(control["control_id"], ()))
        rows.append([control["control_id"], title, objectives, told, confirmed])
    columns = ["Control", "What the client does", "Objectives", "Told in", "Confirmed on"]
    return display.table("Complementary user entity controls", columns, rows, folded=True)


def subservice(unit: Assessment) -> Display:
    """The subservice organisations, their reports, and the days of our report that theirs don't cover."""
    (first, last), type1 = _report_days(unit.unit), unit.unit["report_type"] == "type1"
    used, spans = _performed(unit, (first, last))
    rows: list[list[Cell]] = []
    newest = latest(unit.register, unit.as_of)
    for name, told in reports(unit.register).items():
        one, inclusive = newest.get(name, told[-1]), told[-1]["method"] == "inclusive"
        known = on_record(told, unit.as_of)
        asked = spans.get(name, [(first, last)])
        days = max((uncovered_days(known, *span, unit.as_of) for span in asked), default=0)
        gap: Cell = state(counted(days, "day"), "bad") if days else state("none", "good")
        gap = "tested here" if inclusive else "–" if type1 else gap
        opinion: str = "no report" if pd.isna(one["opinion"]) else str(one["opinion"])
        exception = _EXCEPTIONS.get(one["exception"], "")
        tone = "good" if opinion == "unmodified" and one["exception"] != "matters" else "bad"
        by = "" if pd.isna(one.get("reviewed_by")) else f"{one['reviewed_by']}, "
        none: Cell = "–" if pd.isna(one["report_type"]) else "not reviewed"
        reviewed: Cell = none if pd.isna(one["reviewed_on"]) else f"{by}{day(one['reviewed_on'])}"
        title: Cell = {"text": one["name"], "note": one.get("service", "")}
        method = one["method"].replace("_", "-")
        opinions = "" if inclusive else state(opinion, tone, exception)
        used_by, report_of = ", ".join(used.get(name, ())), _reports(told, (first, last), unit.as_of)
        rows.append([name, title, method, used_by, report_of, opinions, gap, reviewed])
    columns = ["Id", "Organisation", "Method", "Controls", "Its report", "Opinion", "Days uncovered", "Reviewed"]
    note = f"Days uncovered: of our own report, {day(first)} to {day(last)}, by those there by {day(unit.as_of)}"
    note += (
        ", while it performed the controls."
        if any(each != [(first, last)] * len(each) for each in spans.values())
        else "."
    )
    note = "Our own report is at a date: no days are asked of theirs." if type1 else note
    return display.table("Subservice organisations", columns, rows, note=note, folded=True)


def _performed(unit: Assessment, days: Days) -> tuple[dict[str, list[str]], dict[str, list[Days]]]:
    """The controls that each subservice organisation performs, or did on days of the report, and these days."""
    used, spans = dict[str, list[str]](), dict[str, list[Days]]()
    for control in unit.register.rows("controls"):
        for row in parts(unit.register, control, days):
            name, span = row["subservice_id"], row["part"]
            since = max(span[0], first_days(unit.register).get(control["control_id"], span[0]))
            until = "" if span[1] == days[1] else f", until {day(span[1])}"
            used.setdefault(name, []).append(f"{control['control_id']}{until}")
            spans.setdefault(name, []).extend([(since, span[1])] if since <= span[1] else [])
    return used, spans


def report_parts(unit: Assessment) -> Display:
    """The report's own parts, by its chapters: how far each is, and who owes it by when."""
    found = report(unit.context, unit.unit)
    whole: dict[str, list[Cell]] = {
        "I": [_issued(unit), "the service auditor", "", ""],
        "IV": [outcome(found.opinion, [achieved(found)]), str(unit.unit["owner"]), "", ""],
        "V": ["not kept here", "", "", ""],
    }
    rows: list[list[Cell]] = []
    parts = coverage.report_items(unit.context, str(unit.unit["unit_id"]))
    for chapter, name in _CHAPTERS.items():
        rows.append([chapter, name, *whole.get(chapter, ["", "", "", ""])])
        rows += [["", sentence_case(one.name), *_part(one)] for one in parts if one.chapter == chapter]
    outlook = f"IV is an outlook. {rests_on(not_begun(unit.context, unit.unit))}"
    note = f"As reports under AT-C 320 or ISAE 3402 commonly number them. {outlook}"
    columns = ["Chapter", "What", "State", "Owner", "Due", "Reference"]
    return display.table("The report itself, chapters I to V", columns, rows, note=note, grouped=True, folded=True)


def dated_later(unit: Assessment) -> Display:
    """Evidence from after the day that the page is seen from: it is there, and doesn't count."""
    found = records(later(unit.context))
    once = dict.fromkeys((one["table"].replace("_", " "), one["row"], day(one["dated"])) for one in found)
    rows: list[list[Cell]] = [[*each] for each in once]
    if not rows:
        told = f"No test or rating of {unit.period.name} is dated after {day(unit.as_of)}"
        others = "a deficiency identified, or a subservice organisation's report reviewed, after it"
        return display.remark(f"{told}; nor was {others}.")
    note = f"The page is seen from {day(unit.as_of)}: what is dated later counts for nothing on it."
    return display.table("Dated later: not counted", ["Table", "Row", "Dated"], rows, note=note, folded=True)


def training(unit: Assessment) -> Display:
    """The owners of key controls, and whether they have been trained for them."""
    words = {"completed": "completed", "overdue": "overdue since", "due": "due on"}
    tones = {"completed": "good", "overdue": "bad", "none": "bad", "due": "open"}
    rows: list[list[Cell]] = []
    for one in coverage.training(unit.context, unit.unit["unit_id"]):
        when = one["completed_on"] if one["state"] == "completed" else one["due_on"]
        said = "nothing planned" if one["state"] == "none" else f"{words[one['state']]} {day(when)}"
        rows.append([one["owner"], ", ".join(one["controls"]), state(said, tones[one["state"]])])
    return display.table(
        "Training of the owners of key controls", ["Owner", "Key controls", "Training"], rows, folded=True
    )


def frameworks(unit: Assessment) -> Display:
    """Which other frameworks' requirements the controls are mapped to."""
    rows: list[list[Cell]] = [
        [one["framework"], one["reference"], ", ".join(one["controls"]), _of(len(one["earning"]), len(one["controls"]))]
        for one in coverage.frameworks(unit.context)
    ]
    columns = ["Framework", "Reference", "Controls", "Earn in full"]
    note = (
        "A mapping says that a control bears on a requirement, not that it meets it. Whether the evidence fits another "
        "framework's scope, period and criteria is for that framework's auditor to decide."
    )
    return display.table("Other frameworks that controls are mapped to", columns, rows, note=note, folded=True)


# --- parts ---


def _part(one: coverage.ReportItem) -> list[Cell]:
    due = due_cell(one.due_on, one.late) if one.due_on else ""
    stands = state(one.status.replace("_", " "), _STATUS.get(one.status, "open"))
    return [stands, one.owner, due, one.reference]


def _issued(unit: Assessment) -> Cell:
    own = told_of(unit.context, unit.unit)
    return outcome(own.opinion, [f"issued on {own.issued_on}"]) if own.issued_on else state("not issued", "open")


def _of(part: int, whole: int) -> Cell:
    text = f"{part} of {whole}" if whole else "–"
    return state(text, "good" if part == whole and whole else "bad" if not part else "open")


def _overdue(due: date | None, unit: Assessment) -> bool:
    return due is not None and due < unit.as_of


def _report_days(unit: Any) -> tuple[date, date]:
    last = unit["report_to"].date()
    return (last if pd.isna(unit["report_from"]) else unit["report_from"].date()), last


def _length(unit: Any) -> tuple[str, str, str]:
    first, last = _report_days(unit)
    if unit["report_type"] == "type1":
        return ("Report", "at a date", f"{day(last)}: design and implementation only")
    return (
        "Report period",
        counted((last - first).days + 1, "day"),
        f"{day(first)} to {day(last)}; six months are expected",
    )


def _to_year_end(unit: Assessment) -> tuple[str, str, str]:
    found = coverage.year_end(unit.unit)
    if found is None:
        return ("To clients' year-end", "–", "user_year_end is blank in business_units.csv")
    if not found.gap:
        return ("To clients' year-end", "0 days", f"{day(found.year_end)} is the report's last day")
    until = found.bridged_until
    written = "" if until is None or until <= unit.as_of else "planned, "
    since = f"from {day(found.bridged_from)} " if found.bridged_from else ""
    bridge = f"bridge letter {written}{since}to {day(until)}" if until else "no bridge letter"
    rest = f", {counted(found.unbridged, 'day')} uncovered" if found.unbridged else ""
    whole = f"; {counted(found.gap, 'day')} in all are more than the three months that practice accepts"
    long = whole if found.too_long else ""
    return ("To clients' year-end", counted(found.gap, "day"), f"to {day(found.year_end)}; {bridge}{rest}{long}")


def _hanging(unit: Assessment) -> dict[str, Outlook]:
    """For each control at fault, or that one at fault relies on, the outlook of an objective that hangs on it.

    Rather of one that it serves than of one that it is only told with, and of the gravest.
    """
    relied = {control["control_id"]: control["relies_on"] for control in unit.register.rows("controls")}
    serves, known = served(unit.register), outlooks(unit.context, unit.unit["report_type"])
    gravest = sorted(known, key=lambda one: OUTCOMES.index(one.outcome))
    waiting = [(row, each) for each in gravest for row in each.blocking]
    waiting.sort(key=lambda one: one[1].objective_id not in serves.get(one[0], ()))
    found: dict[str, Outlook] = {}
    for row, outlook in waiting:
        if row not in found:
            found[row] = outlook
            waiting += [(name, outlook) for name in relied.get(row, ())]
    return found


def _severity(one: Candidate) -> Cell:
    return state(one.severity, _GRAVE.get(one.severity, "open"))


def _age(known: Any, unit: Assessment) -> Cell:
    """For how long a deficiency has been known, and by when it is to be mended."""
    if "identified_on" not in known:
        return "not on record"
    if known["closed_on"] <= pd.Timestamp(unit.as_of):
        return f"closed on {day(known['closed_on'])}"
    late = known["due_on"].date() < unit.as_of
    age = counted((unit.as_of - known["identified_on"].date()).days, "day")
    return state(age, "bad" if late else "open", f"{'was due' if late else 'due'} {day(known['due_on'])}")


def _why(one: Candidate) -> Cell:
    return {"text": "", "note": day("\n".join(one.reasons))}


def _soc1(one: Candidate, hanging: dict[str, Outlook], over: Mapping[Any, Any]) -> Cell:
    """The outcome of the objective that hangs on the control, and what has to be reported whatever the outcome."""
    outlook, tests = hanging.get(one.controls[0]), over.get(one.controls[0], {"deviations": 0})
    told = f"{tests['deviations']} of {tests['sample_size']} deviated: to be reported" if tests["deviations"] else ""
    if outlook is None:
        return {"text": "decides on no objective of this unit", "note": told}
    return outcome(f"{outlook.objective_id} {outlook.outcome}", [told])


def _covered(row: Mapping[Any, Any]) -> Cell:
    """Whether a component has a control that earns something."""
    if row["earning"]:
        return state("covered", "good")
    return state("not covered" if row["controls"] else "no control", "bad")


def _assertion(cell: Any) -> Cell:
    if cell is None:
        return "–"
    risks = ", ".join(cell["risks"])
    if cell["unguarded"]:
        some = len(cell["unguarded"]) < len(cell["risks"])
        return state("hole", "bad", f"{', '.join(cell['unguarded'])} of {risks}" if some else risks)
    return state("held", "good", risks)


def _reports(told: Sequence[Any], ours: tuple[date, date], as_of: date) -> Cell:
    """A subservice organisation's latest report there is, and under it the earlier ones that speak of days of ours."""
    if not (found := there(told, as_of)):
        return "none received" if pd.isna(told[-1]["report_type"]) else f"none there by {day(as_of)}"
    none = uncovered_days((), *ours)
    before = [each for each in found[:-1] if uncovered_days([each], *ours) < none]
    notes = [f"before: {_reported(each)}, {_found(each)}" for each in before]
    return {"text": _reported(found[-1]), "note": "\n".join(notes)} if notes else _reported(found[-1])


def _found(one: Any) -> str:
    """What an earlier report says in a word or two, and whether anybody has read it."""
    exception = "; an exception matters" if one["exception"] == "matters" else ""
    return f"{one['opinion']}{exception}{'; not reviewed' if pd.isna(one['reviewed_on']) else ''}"


def _reported(one: Any) -> str:
    if one["report_type"] == "type1":
        return f"Type 1 at {day(one['report_to'])}"
    return f"Type 2, {day(one['report_from'])} to {day(one['report_to'])}"
