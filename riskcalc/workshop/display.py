"""What a workshop shows: the risk that is up, how the vote stands, the map; without widgets, without state."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd
from markupsafe import Markup, escape

from riskcalc.assessment.scoring import AXES, by_cell
from riskcalc.assessment.what_if import Rating
from riskcalc.errors import counted
from riskcalc.pages import display
from riskcalc.register.matrix import Matrix
from riskcalc.register.methodology import Methodology
from riskcalc.register.records import grouped
from riskcalc.workshop.session import Standing, Workshop
from riskcalc.workshop.tally import Tally

if TYPE_CHECKING:
    from jinja2.environment import TemplateModule

_APART = 0.3  # agreement below which the group is told that it is apart


def risk(standing: Standing) -> str:
    """The risk that is up, with its rating on file and that of the period before, opened on demand before a vote."""
    row = standing.risk
    assertions = ", ".join(name.replace("_", " ") for name in row["assertions"])
    lines = [f"Threatens {row['objective_id']}: {assertions}."]
    on_file = f"On file in this period: {_on_file(standing)} The period before: {_rated(standing.before)}."
    if standing.decision:
        done = "Locked" if standing.decision.action == "lock" else "Taken back"
        lines.append(f"{done} by {standing.decision.decided_by}: {standing.decision.reason}")
    return written("risk", standing, lines, on_file)


def turnout(standing: Standing) -> str:
    """How many votes are in, and whose are awaited: for the facilitator's eyes."""
    return written("turnout", standing, voted(standing))


def voted(standing: Standing) -> str:
    """How many of those who take part have voted on the risk that is up."""
    people = max(len(standing.participants), standing.votes)
    told = f"{standing.votes} of {people} have voted on {standing.risk['risk_id']}"
    return told if people else "Nobody takes part yet"


def result(standing: Standing, matrix: Matrix) -> str:
    """The revealed votes: how they are spread, their middle, and whether there are camps; blank before."""
    return written("result", standing.tallies, matrix, said) if standing.tallies else ""


def said(axis: str, each: Tally) -> str:
    """A tally in words.

    >>> from riskcalc.workshop.tally import tally
    >>> said("impact", tally([2, 2, 3], 5))
    'Median 2, middle half 2 to 3, of 3 votes.'
    """
    silent = f" {each.abstained} can't say." if each.abstained else ""
    if each.median is None or each.spread is None:
        return f"Nobody could say ({axis}).{silent}"
    middle = " or ".join(map(str, sorted(set(each.median))))
    half = f"middle half {each.spread[0]} to {each.spread[1]}"
    text = f"Median {middle}, {half}, of {counted(each.votes, 'vote')}.{silent}"
    if each.camps:
        text += f" Two camps: one up to {each.camps[0]}, one from {each.camps[1]} on."
    elif each.agreement is not None and each.agreement < _APART:
        text += " The votes are far apart."
    return text


def the_map(
    workshop: Workshop,
    standing: Standing,
    level: str,
    scores: pd.DataFrame | None = None,
    note: str = "",
    marked: bool = True,
) -> display.Display:
    """The matrix with all risks as they stand in a view (inherent, claimed, earned), the one that is up marked.

    Revealed votes are drawn as a box over the cells of their middle half, on the inherent map, instead of a point;
    neither is where nothing is ``marked``. Before a vote the risk that is up is nowhere, so that nobody is led by it.
    """
    matrix = workshop.register.methodology.matrix
    frame = workshop.scores() if scores is None else scores
    up, blind = str(standing.risk["risk_id"]), marked and standing.blind
    held = by_cell(frame[frame["risk_id"] != up] if blind else frame, level, matrix)
    box = _box(standing.tallies) if level == "inherent" and marked else None
    title = f"{level.capitalize()}: {workshop.row['unit_name']}, {workshop.period.name}"
    told = note or (f"{voted(standing)}." if level == "inherent" and not standing.revealed else "")
    told += f" {up} is left out until its votes are shown." if blind else ""
    return display.matrix_table(title, matrix, held, up if marked else "", box, told)


def _box(tallies: Mapping[str, Tally] | None) -> display.Box | None:
    spreads = [tallies[axis].spread for axis in AXES] if tallies else [None]
    if any(spread is None for spread in spreads):
        return None
    (low, high), (left, right) = (spread for spread in spreads if spread)
    return (low, left), (high, right)


def definitions(methodology: Methodology) -> str:
    """The scales' own definitions, to be in view while people rate."""
    return written("definitions", {axis: getattr(methodology, axis) for axis in AXES})


def timer(standing: Standing, now: datetime) -> str:
    """How long the group has been discussing, as minutes and seconds; blank where it isn't."""
    if standing.discussed_since is None:
        return ""
    passed = max(0, int(now.timestamp() - standing.discussed_since))
    return f"Discussing for {passed // 60}:{passed % 60:02}"


def moved(before: pd.DataFrame, after: pd.DataFrame, risk_id: str) -> str:
    """What a what-if does to the risk that is up, and to how many others."""
    old, new = (frame.set_index("risk_id") for frame in (before, after))
    was, would = old.loc[risk_id], new.loc[risk_id]
    if pd.isna(was["earned_score"]):
        return f"{risk_id} is unrated, so nothing can be said of it."
    text = (
        f"{risk_id}: earned score {was['earned_score']:.2f} ({was['earned_level']}) "
        f"would be {would['earned_score']:.2f} ({would['earned_level']})."
    )
    others = (old["earned_level"].astype(object) != new["earned_level"].astype(object)) & old["earned_level"].notna()
    number = int(others.drop(risk_id).sum())
    return f"{text} {number} other {'risk changes its' if number == 1 else 'risks change their'} level."


def written(part: str, *given: object) -> str:
    """A part of templates/shown.html; whatever it is given is escaped."""
    return str(getattr(_parts(), part)(*given))


@cache
def _parts() -> TemplateModule:
    from jinja2 import PackageLoader

    ours = display.environment().overlay(loader=PackageLoader("riskcalc.workshop"))
    words = {"counted": counted, "middle": middle, "beside": beside}
    made: TemplateModule = ours.get_template("shown.html").make_module(words)
    return made


def middle(each: Tally) -> str:
    """The middle of the votes, as the room reads it."""
    if each.median is None:
        return "nobody could say"
    of = counted(each.votes - each.abstained, "vote")
    return f"median {' or '.join(map(str, sorted(set(each.median))))} of {of}"


def beside(each: Tally) -> str:
    """What the room is told of the votes beside their middle: who can't say, and camps; blank for nothing."""
    told = [f"{each.abstained} can't say."] if each.abstained else []
    told += [f"Two camps: up to {each.camps[0]}, from {each.camps[1]} on."] if each.camps else []
    return " ".join(told)


def rendered(shown: display.Display) -> str:
    """A part of a page as HTML."""
    return display.render(shown.as_json())


def framed(html: str) -> str:
    """HTML in the project's style, for a widget that shows HTML."""
    return f"<style>{display.stylesheet('displays.css')}</style><div class='riskcalc'>{html}</div>"


def message(text: str, tone: str = "good") -> str:
    """A message for the facilitator, read out by screen readers when it appears."""
    return f"<div role='status'><p class='verdict {tone}'>{escape(text)}</p></div>" if text else ""


def no_next(undecided: Collection[str]) -> str:
    """Why there is no next risk."""
    if undecided:
        return f"{', '.join(undecided)} is the last that isn't decided"
    return "All risks are decided. Write the record, then end the workshop."


def invitation(address: str, unfit: str) -> str:
    """Whether the room is shown where to vote."""
    told = unfit or "Shown to the room, with its QR code."
    if not address:
        told = (
            "No ballots are served: riskcalc workshop ballots --listen 0.0.0.0, in a terminal, serves them to the room."
        )
    return str(Markup("<p class='note'>{}</p>").format(told))


def refusals(told: Mapping[str, str]) -> str:
    """Why some buttons of a row can't be pressed now."""
    by_reason = grouped((why.rstrip("."), button) for button, why in told.items())
    said = " ".join(f"{', '.join(buttons)}: {why}." for why, buttons in by_reason.items() if why)
    return str(Markup("<p class='note' style='margin:0'>{}</p>").format(said)) if said else ""


def _rated(rating: Rating) -> str:
    return "unrated" if rating[0] is None else f"{rating[0]} x {rating[1]}"


def _on_file(standing: Standing) -> str:
    cells = standing.on_file
    if cells is None or not cells["likelihood"]:
        return "unrated."
    return f"{cells['likelihood']} x {cells['impact']}, by {cells['rated_by']} on {cells['rated_on']}."
