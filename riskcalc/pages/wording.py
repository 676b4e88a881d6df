"""What the units' pages and the organisation's page say in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from riskcalc.assessment.context import Context
from riskcalc.assessment.evidence import ASSUMPTION
from riskcalc.assessment.opening import Assessment, Portfolio
from riskcalc.assessment.opinion import (
    ACHIEVED,
    ADVERSE,
    JUDGEMENT,
    MANAGEMENTS_TESTS,
    NOT_ACHIEVED,
    NOT_READY,
    NOT_YET,
    QUALIFIED,
    UNMODIFIED,
    ReportOutlook,
    report_outlooks,
)
from riskcalc.assessment.scoring import AXES, VIEWS, breaches
from riskcalc.errors import amount, counted, first_of, rate
from riskcalc.pages.display import Cell, Display, day, facts, jump, level_cell, state, table
from riskcalc.register.earlier import by_unit
from riskcalc.version import __version__

OURS = "Our outlook rests on management's own tests, not on the service auditor's."  # beside an opinion that was issued
SUBJECT = "Risk to financial reporting"
RISK_NOW = "Risk now"
_ITS, _THEIR = "its unit's appetite", "their unit's appetite"
OUTCOMES = (ACHIEVED, NOT_ACHIEVED, JUDGEMENT, NOT_YET)
OPINIONS = (UNMODIFIED, ADVERSE, QUALIFIED, NOT_READY)
TONES = dict.fromkeys((ACHIEVED, UNMODIFIED), "good") | dict.fromkeys(
    (NOT_ACHIEVED, QUALIFIED, ADVERSE, "disclaimer"), "bad"
)


def verdict(scores: pd.DataFrame, appetite: str = "") -> tuple[str, str]:
    """The one sentence that says whether risks are inside ``appetite``, or that of the unit of each, and its tone."""
    worse, rated = int(breaches(scores).sum()), rated_count(scores)
    unrated = len(scores) - rated
    rest = f" {unrated} unrated: nothing can be said of {'it' if unrated == 1 else 'them'}." if unrated else ""
    if worse:
        return f"Outside appetite: {worse_than(worse, rated, appetite)}.{rest}", "bad"
    if not rated:
        return "No risk is rated in this period." if unrated else "No risk is on record.", "open"
    told = f"none of {counted(rated, 'rated risk')} is worse than {appetite or _ITS}."
    return f"Inside appetite: {told}{rest}", "open" if unrated else "good"


def worse_than(worse: int, rated: int, appetite: str = "") -> str:
    """How many of how many risks are worse than the appetite, or that of the unit of each.

    >>> worse_than(1, 2, "High"), worse_than(2, 5)
    ('1 of 2 rated risks is worse than High', "2 of 5 rated risks are worse than their unit's appetite")
    """
    than = f"is worse than {appetite or _ITS}" if worse == 1 else f"are worse than {appetite or _THEIR}"
    return f"{worse} of {counted(rated, 'rated risk')} {than}"


def classification(opened: Assessment | Portfolio) -> str:
    """How confidential a page is, and for whom it was made."""
    return " · ".join(filter(None, [opened.register.methodology.classification, opened.audience.label]))


def report(context: Context, unit: Mapping[Any, Any], report_type: str = "") -> ReportOutlook:
    """The outlook for a unit's report, of its own type or of another."""
    return report_outlooks(context, report_type or str(unit["report_type"]))[unit["unit_id"]]


@dataclass(frozen=True)
class Told:
    """The opinion that is told of a report: our outlook, or once it is issued what that says, and how ours compares.

    ``former`` are the reports before it that were issued in the period, or since, and what they say.
    """

    opinion: str
    outlook: str
    issued_on: str = ""
    former: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the report that was issued says something else than our own tests."""
        return self.opinion != self.outlook

    @property
    def tone(self) -> str:
        """That of the opinion; an unmodified one that our tests don't support is open."""
        tone = TONES.get(self.opinion, "open")
        return "open" if self.differs and tone == "good" else tone

    @property
    def compared(self) -> str:
        """When it was issued, and whether our own tests say the same; blank before."""
        own = f"our own tests differ: {self.outlook}" if self.differs else "our own tests agree"
        return f"issued on {self.issued_on}; {own}" if self.issued_on else ""


def told_of(context: Context, unit: Mapping[Any, Any]) -> Told:
    """What is told of a unit's report: from the day it was issued on, that it was; its row may have ended since."""
    outlook, former = report(context, unit).opinion, tuple(_former(context, unit))
    if pd.isna(unit["issued_on"]):
        return Told(outlook, outlook, former=former)
    return Told(str(unit["opinion"]), outlook, day(unit["issued_on"]), former)


def _former(context: Context, unit: Mapping[Any, Any]) -> Iterator[str]:
    """What other reports said that were issued in the period, or since, on rows of the unit that have ended."""
    issued = by_unit(context.register.earlier.issued).get(unit["unit_id"], ())
    said = {(one.report_to, one.report_type, one.issued_on, str(one.opinion)) for one in issued}
    for until, kind, on, opinion in sorted(said):
        if on >= context.period.first_day and (kind, pd.Timestamp(until)) != (unit["report_type"], unit["report_to"]):
            at = "at" if kind == "type1" else "to"
            yield day(f"the report {at} {until} was {opinion}, issued on {on}")


def rests_on(ahead: str = "") -> str:
    """What belongs beside every outlook: whose tests it rests on; before it what ``not_begun`` says."""
    return f"{day(ahead)} {MANAGEMENTS_TESTS}".strip()


def second(title: str, told: str, tone: str, note: str) -> dict[str, str]:
    """The second verdict of a heading; ``note`` is what belongs beside every outlook."""
    return {"label": title, "verdict": f"{sentence_case(told)}.", "tone": tone, "note": note}


def outcome(name: str, told: Sequence[str] = ()) -> Cell:
    """An outcome of an objective, or an opinion, as a cell in its tone, with what is told of it."""
    return state(name, TONES.get(name, "open"), "\n".join(filter(None, told)))


def sentence_case(text: str) -> str:
    """A text with a capital in front.

    >>> sentence_case("not ready")
    'Not ready'
    """
    return f"{text[:1].upper()}{text[1:]}"


def achieved(found: ReportOutlook) -> str:
    """How many of how many control objectives are achieved."""
    if not found.objectives:
        return "no control objective is on record"
    return f"{found.achieved} of {counted(found.objectives, 'control objective')} achieved"


def tally(named: Mapping[str, str], order: Sequence[str], noun: str) -> str:
    """How many of how many are what comes first in ``order``, and which are not; ``named`` has each one's outcome.

    >>> tally({"O1": ACHIEVED, "O2": NOT_YET, "O3": ACHIEVED}, OUTCOMES, "control objective")
    '2 of 3 control objectives achieved; 1 not yet evidenced (O2)'
    """
    if not named:
        return f"no {noun} is on record"
    by_outcome = {each: [name for name, found in named.items() if found == each] for each in order}
    first, *others = by_outcome.items()
    parts = [f"{len(names)} {each} ({first_of(names, 5)})" for each, names in others if names]
    return "; ".join([f"{len(first[1])} of {counted(len(named), noun)} {first[0]}", *parts])


def page_of(run: Any) -> str:
    """The page that the run of ``run`` left for a unit; blank where there is none."""
    return next((name for name in (run or {}).get("outputs", {}) if re.fullmatch(r"[a-z0-9-]+\.html", name)), "")


def page_link(unit: Any, run: Any) -> Cell:
    """A unit's name, leading to the page that the run of ``run`` left for it."""
    page = page_of(run)
    return {"text": unit["name"], "href": page} if page else str(unit["name"])


def row_link(row: str, unit_id: str, opened: Assessment | Portfolio) -> Cell:
    """A risk's or control's id, leading to its row on this page or its unit's; text where there is none."""
    if isinstance(opened, Assessment):
        return jump(row)
    page = page_of(opened.runs.get(unit_id))
    return jump(row, page) if page else row


def money(value: float, currency: Any) -> str:
    """An amount as a headline shows it: what matters of it.

    >>> money(25_712_345, "EUR"), money(123_456, "EUR"), money(0.423, "KWD")
    ('EUR 25.7 m', 'EUR 123,000', 'KWD 0.42')
    """
    if value >= 1e6:
        return f"{currency} {value / 1e6:,.1f} m"
    digits = 3 - len(str(int(value)))
    return amount(round(value, digits) if digits < 0 else value, currency)


def percent(part: float, digits: int = 1) -> str:
    """A share in percent, which says nothing, or all, only where it is.

    >>> percent(0.1234), percent(0.0), percent(0.0002), percent(0.9999, 0)
    ('12.3%', '0.0%', 'under 0.1%', 'over 99%')
    """
    least = 10.0 ** -(digits + 2)
    if 0 < part < least:
        return f"under {least:.{digits}%}"
    return f"over {1 - least:.{digits}%}" if 1 - least < part < 1 else f"{part:.{digits}%}"


def folded_for_the_board(shown: Display, unit: Assessment) -> Display:
    """Tables or figures that a board opens if it wants to, and everybody else sees at once."""
    return replace(shown, content={**shown.content, "folded": unit.audience.name == "board"})


def rated_count(scores: pd.DataFrame) -> int:
    """How many risks are rated."""
    return len(scores) - int(scores["likelihood"].array.isna().sum())


def acceptance(risk: Mapping[Any, Any], as_of: date) -> str:
    """By whom and until when a risk is accepted; whether that has run out. Blank for one that isn't."""
    if risk["treatment"] != "accept":
        return ""
    until = risk["accepted_until"]
    return f"by {risk['accepted_by']}, {'ran out on' if until.date() < as_of else 'until'} {day(until)}"


def level_cells(risk: Any, opened: Assessment | Portfolio) -> list[Cell]:
    """A risk's inherent, claimed and earned level as cells, with the score of each."""
    cells: list[Cell] = []
    for view in VIEWS:
        score = risk[f"{view}_score"]
        cells.append(level_cell(risk[f"{view}_level"], opened.matrix, "" if pd.isna(score) else f"{score:.1f}"))
    return cells


def provenance(opened: Assessment | Portfolio) -> Display:
    """What a page was computed from, so that it can be computed again."""
    unit = f" --unit {opened.unit['unit_id']}" if isinstance(opened, Assessment) else ""
    command = f"riskcalc run DATA{unit} --period {opened.period.name} --as-of {opened.as_of}"
    weights, sampling = opened.register.methodology.weights.operating, opened.register.methodology.sampling
    rates = [rate(each) for each in (sampling.confidence, sampling.tolerable_deviation_rate)]
    return facts(
        "What this page was computed from",
        [
            ("Period", opened.period.name, f"seen from {day(opened.as_of)}: nothing dated later counts"),
            (
                "Register",
                opened.register.fingerprint()[:12],
                "first 12 digits of register_sha256 in manifest.json: the rows and the methodology used",
            ),
            ("riskcalc", __version__, f"compute again with: {command}"),
            (
                "Weights",
                " / ".join(f"{weight.normalize():f}" for _, weight in weights),
                " / ".join(name.replace("_", " ") for name, _ in weights)
                + (f"; above 0 for insufficient evidence: {ASSUMPTION}" if weights.assumed else ""),
            ),
            ("Tests of controls", " / ".join(rates), "confidence / tolerable deviation rate"),
        ],
        folded=True,
    )


def scales(opened: Assessment | Portfolio) -> Display:
    """The definitions that people rate by."""
    method = opened.register.methodology
    rows = [
        [axis.capitalize(), str(number), rating.name, rating.definition]
        for axis in AXES
        for number, rating in enumerate(getattr(method, axis), 1)
    ]
    return table("The scales", ["Scale", "Rating", "Name", "Definition"], rows, numeric=["Rating"], folded=True)


def plain_values(row: dict[Any, Any]) -> dict[str, Any]:
    """A record as JSON can hold it: missing values as null, numpy's scalars as Python's."""
    return {
        key: None if pd.isna(value) else getattr(value, "item", lambda value=value: value)()
        for key, value in row.items()
    }
