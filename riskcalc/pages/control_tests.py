"""What a unit's page says about its tests of controls: what each was concluded from, and what is planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskcalc.assessment.evidence import assessed
from riskcalc.assessment.opening import Assessment
from riskcalc.assessment.sample_plans import plan
from riskcalc.assessment.testing import in_words
from riskcalc.errors import at_most, rate
from riskcalc.pages import display
from riskcalc.pages.display import Cell, Display, day, state
from riskcalc.register.matrix import INK

_INKS = {"operated_effectively": "#1d6b54", "insufficient_evidence": "#a86a12", "not_effective": "#8f1d3f"}
_TONES = {"operated_effectively": "good", "insufficient_evidence": "open", "not_effective": "bad", "not_tested": "bad"}


def conclusions(unit: Assessment) -> Display:
    """Every control we perform, or a subservice organisation does: what its tests found and what follows."""
    planned = {each.control_id: each for each in plan(unit.context)}
    found, over = assessed(unit.context), assessed(unit.context, str(unit.unit["report_type"]))
    sampling = unit.register.methodology.sampling
    most = max([unit.tolerable_rate, *(each["upper_limit"] or 0.0 for each in found.values())])
    rows: list[list[Cell]] = []
    for control in unit.register.rows("controls"):
        if control["performed_by"] == "user_entity":
            continue
        name = control["control_id"]
        weights = found[name]
        tested = str(weights["sample_size"]) if weights["sample_size"] else "–"
        deviated = str(weights["deviations"]) if weights["sample_size"] else "–"
        limit = _limit(weights, unit.tolerable_rate, most)
        concluded = state(in_words(weights["conclusion"], control["report_type"]), _TONES[weights["conclusion"]])
        title: Cell = {"text": control["title"], "note": "key" if control["key"] else ""}
        size = str(planned[name].size) if name in planned else "–"
        frequency = control["frequency"].replace("_", " ")
        whole = over[name]
        ahead = str(whole["roll_forward"]) if whole["roll_forward"] else "–"
        reported = state(in_words(whole["conclusion"], control["report_type"]), _TONES[whole["conclusion"]])
        rows.append(
            [name, title, frequency, size, tested, deviated, limit, concluded, reported, ahead, day(weights["reason"])]
        )
    columns = [
        "Control",
        "Title",
        "Frequency",
        "Planned",
        "Tested",
        "Deviated",
        "At most",
        "Now",
        "For the report",
        "Roll forward",
        "What it earns now, and why",
    ]
    note = (
        "Now, with what was tested, deviated and may deviate at most: by the latest evidence. For the report: by all "
        f"that is of its period, or at its date. At most: the exact upper limit at {rate(sampling.confidence)} "
        f"confidence, as a bar from the observed rate up to it; line: the tolerable "
        f"{rate(sampling.tolerable_deviation_rate)}. Roll forward: days at the end of the report's period that no "
        "test covers, or, of a subservice organisation's control, no report or bridge letter of that organisation. "
        f"Planned: for the days of the report so far; now is held against the size for its own days. {sampling.source}"
    )
    return display.table(
        "Tests of controls: conclusions", columns, rows, numeric=[*columns[3:7], "Roll forward"], note=note
    )


def rounds(unit: Assessment) -> Display:
    """Every test that an answer rests on: what was done, on which days' items, by whom, when, with what evidence."""
    reports = {"now": assessed(unit.context), "the report": assessed(unit.context, str(unit.unit["report_type"]))}
    used = {name: {test for one in found.values() for test in one["tests"]} for name, found in reports.items()}
    rows: list[list[Cell]] = []
    for test in unit.register.rows("control_tests"):
        counts = [name for name, ids in used.items() if test["test_id"] in ids]
        if not counts:
            continue
        population = "" if pd.isna(test["population"]) else f" of {test['population']:,}"
        found = f"{test['deviations']} of {test['sample_size']}{population}"
        days = (
            test["period"]
            if pd.isna(test["covers_from"])
            else f"{day(test['covers_from'])} to {day(test['covers_to'])}"
        )
        how = [str(test[name]) for name in ("kind", "nature", "selection") if not pd.isna(test[name])]
        again = [] if pd.isna(test["retest_of"]) else [f"retest of {test['retest_of']}"]
        procedure: Cell = {"text": test["procedure"], "note": ", ".join([*how, *again])}
        by: Cell = {"text": test["tested_by"], "note": day(test["tested_on"])}
        shown = state("none", "bad") if pd.isna(test["evidence"]) else test["evidence"]
        rows.append([test["test_id"], test["control_id"], procedure, days, found, by, shown, " and ".join(counts)])
    columns = ["Test", "Control", "Procedure", "Items of", "Deviated", "By", "Evidence", "Counts for"]
    return display.table("Tests that the answers rest on", columns, rows)


def sizes(unit: Assessment) -> Display:
    """How many items of each control to test, and what that many show."""
    rows: list[list[Cell]] = [
        [each.control_id, each.title, each.frequency.replace("_", " "), str(each.size), day(each.buys)]
        for each in plan(unit.context, (str(unit.unit["unit_id"]),))
    ]
    note = (
        "To draw the items, the same for whoever draws again: "
        "riskcalc plan DATA --control ID --population FILE.csv --out SAMPLE.csv"
    )
    columns = ["Control", "Title", "Frequency", "Items", "What they buy"]
    return display.table("Planned samples", columns, rows, numeric=["Items"], note=note)


# --- parts ---


def _limit(weights: Mapping[Any, Any], tolerable: float, most: float) -> Cell:
    """The upper limit, as a bar up to it; where it passes the tolerable rate and is accepted all the same, why."""
    if pd.isna(weights["upper_limit"]):
        return "–"
    limit, observed = float(weights["upper_limit"]), float(weights["deviations"] / weights["sample_size"])
    ink = _INKS.get(weights["conclusion"], INK)
    cell = display.bars(at_most(limit), [(observed / most, limit / most, ink)], [(tolerable / most, "line")])
    passed = weights["conclusion"] == "operated_effectively" and limit > tolerable
    return cell | {"note": "accepted: the planned size held without deviation" if passed else ""}
