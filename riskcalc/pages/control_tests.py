"""What a unit's page says about its tests of controls: what each was concluded from, and what is planned."""

from __future__ import annotations

from typing import Any

import pandas as pd

from riskcalc.assessment.evidence import ASSUMPTION
from riskcalc.assessment.opening import Assessment
from riskcalc.assessment.sample_plans import plan
from riskcalc.pages import display
from riskcalc.pages.display import Cell, Display, state

_TONES = {"operated_effectively": "good", "insufficient_evidence": "open", "not_effective": "bad", "not_tested": "bad"}


def conclusions(unit: Assessment) -> Display:
    """Every control we perform, or a subservice organisation does: what its tests found and what follows."""
    planned = {each.control_id: each for each in plan(unit.context)}
    found = unit.controls.to_dict("index")
    rows: list[list[Cell]] = []
    for control in unit.register.controls.to_dict("records"):
        if control["performed_by"] == "user_entity":
            continue
        name = control["control_id"]
        weights = found[name]
        tested = str(weights["sample_size"]) if weights["sample_size"] else "–"
        deviated = str(weights["deviations"]) if weights["sample_size"] else "–"
        limit = "–" if pd.isna(weights["upper_limit"]) else f"{weights['upper_limit']:.1%}"
        concluded = state(weights["conclusion"].replace("_", " "), _TONES[weights["conclusion"]])
        title: Cell = {"text": control["title"], "note": "key" if control["key"] else ""}
        size = str(planned[name].size) if name in planned else "–"
        frequency = control["frequency"].replace("_", " ")
        why: Cell = {"text": weights["reason"], "note": _assumed(weights, unit)}
        ahead = str(weights["roll_forward"]) if weights["roll_forward"] else "–"
        rows.append([name, title, frequency, size, tested, deviated, limit, ahead, concluded, why])
    columns = [
        "Control",
        "Title",
        "Frequency",
        "Planned",
        "Tested",
        "Deviated",
        "At most",
        "Roll forward",
        "Conclusion",
        "What it earns, and why",
    ]
    sampling = unit.register.methodology.sampling
    note = (
        f"At most: the exact upper deviation limit at {float(sampling.confidence):.0%} confidence; tolerable are "
        f"{float(sampling.tolerable_deviation_rate):.0%}. Roll forward: days at the end of the report's period that no "
        f"test covers. Planned sizes: {sampling.source}"
    )
    return display.table("Tests of controls: conclusions", columns, rows, numeric=columns[3:8], note=note)


def rounds(unit: Assessment) -> Display:
    """Every test of the period: what was done, by whom and when, and where the evidence is."""
    tests = unit.register.control_tests
    rows: list[list[Cell]] = []
    for test in tests[tests["period"] == unit.period.name].to_dict("records"):
        population = "" if pd.isna(test["population"]) else f" of {test['population']:,}"
        found = f"{test['deviations']} of {test['sample_size']}{population}"
        again = "" if pd.isna(test["retest_of"]) else f"retest of {test['retest_of']}"
        procedure: Cell = {"text": test["procedure"], "note": again}
        by: Cell = {"text": test["tested_by"], "note": f"{test['tested_on']:%F}"}
        evidence = state("none", "bad") if pd.isna(test["evidence"]) else test["evidence"]
        rows.append([test["test_id"], test["control_id"], procedure, test["kind"], found, by, evidence])
    columns = ["Test", "Control", "Procedure", "Kind", "Deviated", "By", "Evidence"]
    return display.table("Tests of the period", columns, rows)


def sizes(unit: Assessment) -> Display:
    """How many items of each control to test, and what that many show."""
    rows: list[list[Cell]] = [
        [each.control_id, each.title, each.frequency.replace("_", " "), str(each.size), each.buys]
        for each in plan(unit.context, (str(unit.unit["unit_id"]),))
    ]
    note = (
        "To draw the items, the same for whoever draws again: "
        "riskcalc plan DATA --control ID --population FILE.csv --out SAMPLE.csv"
    )
    columns = ["Control", "Title", "Frequency", "Items", "What they buy"]
    return display.table("Planned samples", columns, rows, numeric=["Items"], note=note)


# --- parts ---


def _assumed(weights: Any, unit: Assessment) -> str:
    """The words beside a control that counts for something that its tests haven't shown."""
    shown = weights["conclusion"] == "operated_effectively" or not weights["earned"]
    return "" if shown or not unit.register.methodology.weights.operating.assumed else ASSUMPTION
