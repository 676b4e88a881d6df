"""Every risk in one table: its levels to scale, whose it is, by when something is due, and how it comes to its level.

A page's matrix, levels and ids lead here; where scripts run, readers filter it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from math import nan
from typing import Any

import pandas as pd

from riskcalc.assessment.decisions import Decision, decisions
from riskcalc.assessment.opening import Assessment, Portfolio
from riskcalc.assessment.scoring import AXES, CONTROLLED, ranked
from riskcalc.errors import counted
from riskcalc.pages import display, matrix, not_assessed, wording
from riskcalc.pages.display import Cell, Display, day, due_cell, level_cell
from riskcalc.register.audiences import WITHHELD
from riskcalc.register.matrix import INK
from riskcalc.register.records import records
from riskcalc.register.stand_ins import NOT_YET

Row = Mapping[Any, Any]
_MOST = 300  # risks of an organisation that its page lists
_LEAVES = {"inherent": "Before controls", "claimed": "Claimed", "earned": "Earned"}
_BARS = "Bar: the earned score; line: claimed; ring: inherent."
_LINES = " Line under the level before: the earned score in each period, on today's matrix."
_HALF_UP = 1e-9  # as people round: 11.1645 to 11.165, though as a binary fraction it is a little less
_Lines = Mapping[str, Sequence[tuple[str, float]]]


def of_unit(unit: Assessment) -> Display:
    """Every risk of the unit, the worst first and the unrated last, with all that is known of it."""
    described = {risk["risk_id"]: risk for risk in unit.register.rows("risks")}
    reasons = {rating["risk_id"]: rating for rating in unit.context.rows("ratings")}
    controls = {control["control_id"]: control for control in unit.register.rows("controls")}
    told, proposed = {}, unit.context.proposed
    for risk in records(unit.scores):
        name = risk["risk_id"]
        about = _about(described[name], reasons.get(name, {}), unit.as_of)
        lines = [(line, controls[line["control_id"]]) for line in unit.lines_of.get(name, ())]
        told[name] = [*about, _bow_tie(unit, risk, lines, proposed.get(name, ""))]
    return _table(unit, "All risks, the worst first", ["Owner"], told, _MOST)


def of_organisation(portfolio: Portfolio, most: int = _MOST) -> Display:
    """The organisation's risks, the worst first and the unrated last; of very many the worst only."""
    title = "All risks, the worst first"
    if len(portfolio.scores) > most:
        title = f"The {most} worst of {counted(len(portfolio.scores), 'risk')}"
    return _table(portfolio, title, ["Unit", "Owner"], {}, most)


# --- parts ---


def _order(opened: Assessment | Portfolio) -> str:
    """By what the risks are ordered, with the names of this register's two lowest levels."""
    lowest, above = [*opened.matrix.level_names, ""][:2]
    such = f", so that a risk at {above} stands before one at {lowest}, whatever their scores" if above else ""
    return f"Ordered by earned level, which is looked up in the matrix{such}; then by score, likelihood x impact."


def _bow_tie(unit: Assessment, risk: Row, lines: Sequence[tuple[Row, Row]], proposed: str) -> dict[str, Any]:
    """How a risk comes to its levels, from its score ``lines`` and their controls.

    Preventive controls that act on likelihood stand before the event; all others after it.
    """
    sides: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for line, control in lines:
        sides[control["kind"] == "preventive" and line["acts_on"] != "impact"].append(_barrier(line, control))
    if pd.isna(risk["likelihood"]):
        scores = [f"Unrated{proposed}"]
    else:
        numbers = {view: [risk[f"{view}_{what}"] for what in (*AXES, "score")] for view in _LEAVES}
        scores = [f"{_LEAVES[view]}: {_product(*each)}" for view, each in numbers.items()]
    none = "none is on record" if lines else not_assessed.no_control(unit)
    titles = {True: "Keeps it from happening", False: "Finds it, or limits what it does"}
    told = [{"title": titles[first], "controls": found, "none": none} for first, found in sides.items()]
    return {"title": risk["title"], "scores": scores, "sides": told}


def _table(
    opened: Assessment | Portfolio, title: str, owned: list[str], told: Mapping[str, list[Any]], most: int
) -> Display:
    due = {each.row: each for each in decisions(opened.context)}
    then, known = opened.previous, opened.previous is not None
    before = {} if then is None else dict(zip(then["risk_id"], then["earned_level"], strict=True))
    moved = {move.risk_id: matrix.told(move, opened) for move in opened.moved}
    lines = _over_time(opened)
    names = {unit["unit_id"]: unit["name"] for unit in opened.register.rows("business_units")}
    unrated = opened.scores[opened.scores["likelihood"].isna()]
    shown = [*records(ranked(opened.scores, most)), *records(unrated)][:most]
    rows: list[list[Cell]] = [
        [
            _name(risk, opened),
            {"text": risk["title"], "more": told.get(risk["risk_id"], [])},
            *wording.level_cells(risk, opened),
            _to_scale(risk, opened),
            *([_before(risk["risk_id"], before, lines, opened)] if known else []),
            *([names[risk["unit_id"]]] if "Unit" in owned else []),
            str(risk["owner"]),
            due_cell(due[risk["risk_id"]].due_on, due[risk["risk_id"]].late) if risk["risk_id"] in due else "–",
        ]
        for risk in shown
    ]
    columns = ["Risk", "Title", "Inherent", "Claimed", "Earned", "Score", *["Before"] * known]
    keys = [_keys(risk, opened, due.get(risk["risk_id"]), moved, names) for risk in shown]
    return display.table(
        title, [*columns, *owned, "By when"], rows, note=f"{_order(opened)} {_BARS}{_LINES * bool(lines)}", filters=keys
    )


def _before(name: str, before: Mapping[Any, Any], lines: _Lines, opened: Assessment | Portfolio) -> Cell:
    """A risk's level of the period before, of one that wasn't on record then nothing; and its score over time."""
    cell = level_cell(before[name], opened.matrix) if name in before else "–"
    if name not in lines:
        return cell
    shown = {"text": cell} if isinstance(cell, str) else cell
    return {**shown, "spark": display.spark(lines[name], opened.matrix.shape[0] * opened.matrix.shape[1])}


def _over_time(opened: Assessment | Portfolio) -> _Lines:
    """Each risk's earned score in every period; nothing where there are only two, which are told in words."""
    told = opened.history.items() if len(opened.history) > 2 else ()
    held = {when: dict(zip(each["risk_id"], each["earned_score"].tolist(), strict=True)) for when, each in told}
    names = opened.scores["risk_id"] if held else ()
    return {name: [(when, each.get(name, nan)) for when, each in held.items()] for name in names}


def _name(risk: Row, opened: Assessment | Portfolio) -> Cell:
    """The risk's id: on its unit's page the place that links mean, on the organisation's a link to that."""
    if isinstance(opened, Assessment):
        return display.target(risk["risk_id"])
    return wording.row_link(risk["risk_id"], risk["unit_id"], opened)


def _keys(
    risk: Row, opened: Assessment | Portfolio, due: Decision | None, moved: Mapping[str, str], names: Row
) -> dict[str, str]:
    """What the table can be filtered by; a key that isn't there is a no."""
    rated = not pd.isna(risk["likelihood"])
    whole = [opened.matrix.whole(axis, [risk[f"earned_{axis}"]])[0] for axis in AXES] if rated else []
    found = {
        "level": str(risk["earned_level"]) if rated else "Unrated",
        "unit": str(names[risk["unit_id"]]) if isinstance(opened, Portfolio) else "",
        "owner": str(risk["owner"]),
        "moved": moved.get(risk["risk_id"], ""),
        "outside": "yes" if risk["breach"] is True else "",
        "overdue": "yes" if due is not None and due.late else "",
        "cell": "x".join(map(str, whole)),
    }
    return {name: value for name, value in found.items() if value}


def _to_scale(risk: Row, opened: Assessment | Portfolio) -> Cell:
    """The earned score as a bar in its level's colour, with marks at the claimed and the inherent one."""
    if pd.isna(risk["likelihood"]):
        return "–"
    most = opened.matrix.shape[0] * opened.matrix.shape[1]
    fill = {level.name: level.colour for level in opened.matrix.levels}.get(risk["earned_level"], INK)
    scores = {view: float(risk[f"{view}_score"]) / most for view in ("earned", "claimed", "inherent")}
    marks = [(scores["claimed"], "line"), (scores["inherent"], "ring")]
    return display.bars("", [(0, scores["earned"], fill)], marks)


def _about(risk: Row, rating: Row, as_of: date) -> list[str]:
    """What the register says of a risk, as far as these readers get it."""
    assertions = ", ".join(risk["assertions"]).replace("_", " ") or NOT_YET
    told = [
        ("", risk["description"]),
        ("Rated so because: ", rating.get("rationale")),
        ("Assertions: ", f"{assertions}."),
    ]
    said = [f"{label}{text}" for label, text in told if not pd.isna(text) and text not in ("", WITHHELD)]
    accepted = wording.acceptance(risk, as_of)
    return [*said, f"Treatment: {risk['treatment']}{', ' * bool(accepted)}{accepted}."]


def _product(likelihood: float, impact: float, score: float) -> str:
    """A score and its factors, with digits enough that the factors shown give the score shown.

    >>> _product(2.004, 1.016, 2.036064), _product(5.0, 4.0, 20.0)
    ('2.004 x 1.016 = 2.036', '5 x 4 = 20')
    """
    says = round(score + _HALF_UP, 3)
    near = [(round(likelihood, digits), round(impact, digits)) for digits in range(3, 10)]
    a, b = next((pair for pair in near if round(pair[0] * pair[1] + _HALF_UP, 3) == says), near[-1])
    return f"{a:.10g} x {b:.10g} = {says:g}"


def _exactly(share: float) -> str:
    """A share in percent with all its digits, for people who compute with it.

    >>> _exactly(0.004), _exactly(0.995), _exactly(0.8)
    ('0.4%', '99.5%', '80%')
    """
    return f"{f'{share:.10%}'.rstrip('%').rstrip('0').rstrip('.')}%"


def _barrier(line: Row, control: Row) -> dict[str, Any]:
    """A control of a bow-tie: its name, how it acts, and what it takes away by its word and as shown."""
    claimed, earned = (_exactly(line[f"{view}_effect"]) for view in CONTROLLED)
    acts_on = {"both": "likelihood and impact"}.get(line["acts_on"], line["acts_on"])
    how_much = f"claimed {claimed}, earned {earned}"
    why = day(line["reason"]) if line["coverage"] else "it reaches nothing of this risk"
    nothing, whole = line["earned_effect"] <= 0, line["earned_effect"] >= line["claimed_effect"]
    return {
        "cell": display.jump(line["control_id"]),
        "text": control["title"],
        "note": f"{control['kind']}, on {acts_on}, coverage {_exactly(line['coverage'])}",
        "state": display.state(how_much, "bad" if nothing else "good" if whole else "open", why),
    }
