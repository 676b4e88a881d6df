"""The words and tables of a unit's page: each function takes an opened unit and returns a Display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from riskcalc.assessment.decisions import decisions, standings
from riskcalc.assessment.evidence import assessed
from riskcalc.assessment.opening import Assessment
from riskcalc.assessment.opinion import not_begun, outlooks, stated
from riskcalc.assessment.readiness import blocking
from riskcalc.assessment.scoping import SOC1
from riskcalc.assessment.scoring import CONTROLLED, ranked
from riskcalc.errors import counted
from riskcalc.pages import display, not_assessed, wording
from riskcalc.pages.display import Cell, Display, Result, day, due_cell, level_cell
from riskcalc.pages.loss import BEYOND, per_client, without
from riskcalc.pages.summary import to_take
from riskcalc.register.records import grouped, records

provenance = wording.provenance  # as notebooks call it
_TYPE1 = "Type 1: earned here means documented, well designed and walked through; operation over time is not tested."


def heading(unit: Assessment) -> Display:
    """The top of a unit's page: is it inside its appetite?"""
    verdict, tone = wording.verdict(unit.scores, f"the appetite, {not_assessed.appetite(unit, unit.unit)}")
    about, until = unit.unit, day(unit.unit["report_to"])
    span = f"at {until}" if about["report_type"] == "type1" else f"from {day(about['report_from'])} to {until}"
    lines = [
        *not_assessed.lines(unit),
        *not_assessed.whose(unit),
        f"{SOC1[about['report_type']]} {span}{not_assessed.assumed(unit, 'report_to')}.",
        *[_TYPE1] * (about["report_type"] == "type1"),
    ]
    organisation = unit.register.methodology.organisation
    eyebrow = f"{organisation} · {wording.SUBJECT} · {unit.period.name}, as of {day(unit.as_of)}"
    marked, second, home = wording.classification(unit), _opinion(unit), organisation * unit.audience.whole
    return display.heading(about["name"], eyebrow, verdict, tone, lines, marked, wording.RISK_NOW, second, home)


def figures(unit: Assessment) -> Display:
    """The unit's key figures: levels, what is claimed only, what changed, what it is measured against."""
    about, found = unit.register.rows("controls"), assessed(unit.context)
    ours = [one for one in about if one["performed_by"] != "user_entity"]  # a client's never earn: not tested here
    weights = [found[one["control_id"]] for one in ours]
    elsewhere = sum(one["unit_id"] != unit.unit["unit_id"] for one in ours)
    idle = sum(each["earned"] <= 0 for each in weights)
    full = sum(0 < each["earned"] >= each["claimed"] for each in weights)
    whose = f"of the {len(ours)}, {elsewhere} {'is' if elsewhere == 1 else 'are'} another unit's"
    besides = f"; {whose}" if elsewhere else ""
    apart = len(about) - len(ours)
    besides += f"; {apart} of clients not counted" if apart else ""
    unrated = len(unit.scores) - wording.rated_count(unit.scores)
    told = f"{idle} {'earns' if idle == 1 else 'earn'} nothing" if ours else "no control of ours is on record"
    shown = display.facts(
        "Key figures",
        [
            *(_against_materiality(unit) if unit.in_money else []),
            (
                "Controls that earn all they claim",
                f"{full} of {len(ours)}" if ours else "–",
                f"{told}{besides}",
            ),
            ("Unrated", str(unrated), f"of {counted(len(unit.scores), 'risk')}")
            if len(unit.scores)
            else ("Unrated", "–", "no risk is on record"),
        ],
    )
    return wording.folded_for_the_board(shown, unit)


def to_decide(unit: Assessment) -> Display:
    """What has to be decided, by whom and when: risks worse than the appetite, unrated ones, what else blocks."""
    scored = {risk["risk_id"]: risk for risk in records(unit.scores)}
    described = {risk["risk_id"]: risk for risk in unit.register.rows("risks")}
    missing = {gap.row: gap.what for gap in blocking(unit.context)}
    rows: list[list[Cell]] = []
    found = decisions(unit.context)
    for each in found:
        name, due = display.jump(each.row), due_cell(each.due_on, each.late)
        if each.row not in scored:
            rows.append([name, day(each.what), "", "", "", "the outlook depends on it", each.owner, due, ""])
            continue
        risk, details = scored[each.row], described[each.row]
        unrated, lacks = pd.isna(risk["likelihood"]), missing.get(each.row, "")
        why = "not rated in this period" if unrated else _lost(unit, risk, unit.lines_of.get(each.row, ()), lacks)
        treatment: Cell = {"text": risk["treatment"], "note": wording.acceptance(details, unit.as_of)}
        rows.append([name, risk["title"], *wording.level_cells(risk, unit), why, each.owner, due, treatment])
    columns = ["Row", "Title", "Inherent", "Claimed", "Earned", "What keeps it up", "Who", "By when", "Treatment"]
    title = f"Worse than appetite ({unit.unit['appetite']}), unrated, or in the report's way"
    return display.table(title, columns, rows).saying(to_take(found))


def objectives(unit: Assessment) -> Display:
    """The control objectives as the SOC 1 report will state them, the risks to each, and the worst earned level."""
    rows = []
    threatened = grouped((risk["objective_id"], risk["risk_id"]) for risk in unit.register.rows("risks"))
    by_level = ranked(unit.scores)[::-1]
    worst = dict(zip(by_level["objective_id"], by_level["earned_level"], strict=True))
    for objective in unit.register.rows("control_objectives"):
        name, own = objective["objective_id"], threatened.get(objective["objective_id"], [])
        level = level_cell(worst[name], unit.matrix) if name in worst else {"text": "Unrated" if own else "No risk"}
        statement: Cell = {"text": objective["statement"], "note": objective["process"]}
        rows.append([name, statement, ", ".join(own), level])
    return display.table(
        "Control objectives", ["Objective", "Statement", "Risks", "Worst earned level"], rows, folded=True
    )


def findings(unit: Assessment) -> Display:
    """What in the unit's register deserves a second look, the graver first, and what to do about it."""
    rows = [[found.row, found.severity, day(found.message), found.advice] for found in unit.findings]
    return display.table("Open points", ["Row", "Kind", "What", "What to do"], rows, folded=True)


def controls(unit: Assessment) -> Display:
    """Every control the unit counts on: what it claims, what it has earned, and why."""
    earned = assessed(unit.context)
    rows = []
    for control in unit.register.rows("controls"):
        weight = earned[control["control_id"]]
        title: Cell = {"text": control["title"], "note": control["description"]}
        kind = f"{'key, ' if control['key'] else ''}{control['kind']}, {control['nature']}, {control['frequency']}"
        percent = [wording.percent(weight[view], 0) for view in ("claimed", "earned")]
        rows.append(
            [
                display.target(control["control_id"]),
                title,
                kind.replace("_", " "),
                control["owner"],
                *percent,
                day(weight["reason"]),
            ]
        )
    columns = ["Control", "Title", "Kind", "Owner", "Claimed", "Earned", "Why"]
    return display.table("Controls: claimed and earned", columns, rows, numeric=["Claimed", "Earned"], folded=True)


def result(unit: Assessment) -> Result:
    """The unit's results for machines."""
    rated = unit.scores.drop(columns=["title", "owner", "treatment", "objective_id"])
    return Result(
        {
            "unit_id": unit.unit["unit_id"],
            "period": unit.period.name,
            "as_of": unit.as_of.isoformat(),
            **standings(unit.context)[unit.unit["unit_id"]],
            "report_outlook": wording.report(unit.context, unit.unit).opinion,
            "currency": unit.unit["currency"],
            **(_in_money(unit) if unit.in_money and not unit.quantified.risks.empty else {}),
            **not_assessed.listed(unit),
            "risks": [wording.plain_values(row) for row in records(rated)],
        }
    )


# --- parts ---


def _opinion(unit: Assessment) -> dict[str, str]:
    """The second of a page's two answers: what the service auditor has reported, or would have to by our own tests."""
    report_type = str(unit.unit["report_type"])
    title = "Opinion at the report's date" if report_type == "type1" else "Opinion over the report's period"
    found = wording.report(unit.context, unit.unit)
    own, deviated = wording.told_of(unit.context, unit.unit), _deviated(unit, report_type)
    if own.issued_on:
        told = f"{own.opinion}: {own.compared}, {wording.achieved(found)}{deviated}"
        return wording.second(title, "; ".join([told, *own.former]), own.tone, wording.OURS)
    outcomes = {one.objective_id: one.outcome for one in stated(outlooks(unit.context, report_type))}
    told = f"{own.opinion}: {wording.tally(outcomes, wording.OUTCOMES, 'control objective')}{deviated}"
    told += ", to be reported" if deviated else ""
    note = wording.rests_on(not_begun(unit.context, unit.unit))
    return wording.second(title, "; ".join([told, *own.former]), own.tone, note)


def _deviated(unit: Assessment, report_type: str) -> str:
    """How many of the unit's own controls deviated; blank for none."""
    found, name = assessed(unit.context, report_type), unit.unit["unit_id"]
    controls = (each["control_id"] for each in unit.register.rows("controls") if each["unit_id"] == name)
    number = sum(found[each]["deviations"] > 0 for each in controls)
    number += len(
        {one.control_id for one in unit.register.earlier.ended if one.deviations and one.control_id not in found}
    )
    return f"; {counted(number, 'control')} deviated" if number else ""


def _against_materiality(unit: Assessment) -> list[tuple[str, str, str]]:
    about = unit.unit
    basis = f"performance materiality {about['performance_materiality']:,}; {about['materiality_basis']}"
    materiality = ("Materiality, of one client", f"{about['materiality']:,} {about['currency']}", basis)
    return [(BEYOND, *_beyond_materiality(unit)), *per_client(unit), materiality]


def _beyond_materiality(unit: Assessment) -> tuple[str, str]:
    if unit.quantified.risks.empty:
        return "–", "no risk is quantified"
    chances = {view: unit.years[view].exceed(float(unit.unit["materiality"])) for view in CONTROLLED}
    left_out = f"; without {told}" if (told := without(unit.quantified)) else ""
    claimed = wording.percent(chances["claimed"])
    return wording.percent(chances["earned"]), f"of years, as earned; claimed {claimed}{left_out}"


def _lost(unit: Assessment, risk: Mapping[Any, Any], lines: Sequence[Mapping[Any, Any]], missing: str) -> str:
    """Why a risk is to be decided on: what its controls have not earned, one by one, and what is ``missing``."""
    if not lines:
        return not_assessed.no_control(unit)
    if not risk["breach"]:
        return day(f"{missing}; the outlook depends on it")
    short = [line for line in lines if line["earned_effect"] < line["claimed_effect"]]
    reasons = [f"{line['control_id']}: {line['reason']}" for line in short]
    claimed, appetite = (unit.matrix.level_names.index(risk[name]) for name in ("claimed_level", "appetite"))
    reasons += ["its controls take away too little even as claimed"] * (claimed > appetite)
    return day("; ".join(filter(None, [missing, *reasons])))


def _in_money(unit: Assessment) -> dict[str, Any]:
    materiality = float(unit.unit["materiality"])
    return {
        "expected_loss": {view: year.mean for view, year in unit.years.items()},
        "exceeds_materiality": {view: year.exceed(materiality) for view, year in unit.years.items()},
    }
