"""The words and tables of the organisation's page: each function takes an opened portfolio and returns a Display."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

from riskcalc.assessment.decisions import standings, together
from riskcalc.assessment.opening import Portfolio
from riskcalc.assessment.opinion import MANAGEMENTS_TESTS, not_begun
from riskcalc.assessment.scoring import level_counts, outside
from riskcalc.errors import counted, first_of
from riskcalc.notebook_files import WENT_WRONG
from riskcalc.pages import display, not_assessed, wording
from riskcalc.pages.display import Cell, Display, Result, day
from riskcalc.register.matrix import PAPER
from riskcalc.register.records import by_index, records

_NAMED = 3  # issued reports that the headline names
_WHEN = {"type2": "over the reports' periods", "type1": "at the reports' dates"}


def heading(portfolio: Portfolio) -> Display:
    """The top of the organisation's page."""
    verdict, tone = wording.verdict(portfolio.scores)
    lines = [*not_assessed.lines(portfolio), _carrying(portfolio), *_run_lines(portfolio)]
    eyebrow = f"{wording.SUBJECT} · {portfolio.period.name}, as of {day(portfolio.as_of)}"
    went_wrong = any(run["status"] in WENT_WRONG for run in portfolio.runs.values())
    tone = "bad" if went_wrong else tone
    name = portfolio.register.methodology.organisation
    marked, second = wording.classification(portfolio), _opinions(portfolio)
    return display.heading(name, eyebrow, verdict, tone, lines, marked, wording.RISK_NOW, second)


def units(portfolio: Portfolio) -> Display:
    """Every unit, worst first, with its level counts, breaches, the state of its run and a link to its page."""
    counts = level_counts(portfolio.scores, portfolio.matrix)
    breaches = outside(portfolio.scores)["unit_id"].value_counts().to_dict()
    told_of_runs = any(run["status"] not in ("ok", "unchanged") for run in portfolio.runs.values())
    rows = []
    by_name = records(portfolio.register.business_units.sort_values("unit_id"))
    for unit in sorted(by_name, key=lambda unit: -breaches.get(unit["unit_id"], 0)):
        unit_id, run = unit["unit_id"], portfolio.runs.get(unit["unit_id"])
        levels = counts.loc[unit_id].tolist() if unit_id in counts.index else [0] * len(counts.columns)
        numbers = [str(int(count)) for count in (*levels, breaches.get(unit_id, 0))]
        rest = [not_assessed.appetite(portfolio, unit), _outlook(unit, portfolio)]
        drawn = _to_scale(dict(zip(counts.columns, levels, strict=True)), max([*counts.sum(axis=1), 1]), portfolio)
        rows.append([wording.page_link(unit, run), drawn, *numbers, *rest, *[_run_cell(run)] * told_of_runs])
    numeric = [*counts.columns, "Outside appetite"]
    columns = ["Unit", "Risks by level", *numeric, "Appetite", "Opinion", *["Run"] * told_of_runs]
    opinion = "Opinion: that of the issued report, else an outlook over its period, or at its date."
    note = f"Levels: risk now. {opinion} {MANAGEMENTS_TESTS}"
    whole = counted(len(rows), "business unit")
    has = "has a rated risk" if 1 in (len(breaches), len(rows)) else "have rated risks"
    told = f"{len(breaches)} of {whole} {has} outside appetite"
    return display.table("Business units, worst first", columns, rows, numeric=numeric, note=note).saying(told)


def result(portfolio: Portfolio) -> Result:
    """The organisation's results for machines."""
    counts, found = level_counts(portfolio.scores, portfolio.matrix), standings(portfolio.context)
    counts = counts.reindex(list(dict.fromkeys([*counts.index, *found])), fill_value=0)  # a unit may be without risks
    return Result(
        {
            "period": portfolio.period.name,
            "as_of": portfolio.as_of.isoformat(),
            **together(found.values()),
            "units": [
                {
                    "unit_id": unit,
                    "levels": {name: int(count) for name, count in row.items()},
                    **found[str(unit)],
                }
                for unit, row in by_index(counts).items()
            ],
        }
    )


# --- parts ---


def _carrying(portfolio: Portfolio) -> str:
    """How many units carry a risk outside appetite, of those of which anything can be said."""
    scores, units = portfolio.scores, len(portfolio.register.business_units)
    rated, carrying = (found["unit_id"].nunique() for found in (scores[scores["likelihood"].notna()], outside(scores)))
    if not rated:
        return "No risk is rated, so no business unit can be held against its appetite."
    carry = "carries a rated risk worse than its" if 1 in (carrying, rated) else "carry a rated risk worse than their"
    of = (
        counted(units, "business unit") if rated == units else f"the {counted(rated, 'business unit')} with rated risks"
    )
    return f"{carrying} of {of} {carry} appetite."


def _to_scale(levels: Mapping[Any, int], most: int, portfolio: Portfolio) -> Cell:
    """A unit's risks by level, worst first, as bars after one another; the longest is the unit with most risks."""
    fills = {level.name: level.colour for level in portfolio.matrix.levels}
    ends = list(accumulate(levels.values(), initial=0))
    parts = [
        (low / most, high / most, fills.get(name, PAPER))
        for name, low, high in zip(levels, ends[:-1], ends[1:], strict=True)
    ]
    return display.bars("", [part for part in parts if part[0] < part[1]])


def _opinions(portfolio: Portfolio) -> dict[str, str]:
    """What service auditors have reported on the units, and would have to by our own tests."""
    units = portfolio.register.rows("business_units")
    found = {str(unit["name"]): wording.told_of(portfolio.context, unit) for unit in units}
    issued = {name: each for name, each in found.items() if each.issued_on}
    coming = {name: each.outlook for name, each in found.items() if name not in issued}
    told = [_of_issued(issued)] if issued else []
    if coming or not found:
        told.append(("to come: " if issued else "") + wording.tally(coming, wording.OPINIONS, "report"))
    former = [f"of {name}, {said}" for name, each in found.items() for said in each.former]
    told += [f"before: {first_of(former, _NAMED)}"] if former else []
    ahead = [str(unit["name"]) for unit in units if not_begun(portfolio.context, unit)]
    told += [f"the period of {len(ahead)} hasn't begun ({first_of(ahead, 5)})"] * bool(ahead)
    tones = {each.tone for each in found.values()}
    tone = next((each for each in ("bad", "open") if each in tones), "good" if found else "open")
    title = f"Opinions, issued{' and to come' if coming else ''}" if issued else _title(units)
    return wording.second(title, "; ".join(told), tone, wording.OURS if issued else wording.rests_on())


def _title(units: Iterable[Mapping[Any, Any]]) -> str:
    types = {unit["report_type"] for unit in units}
    return f"Opinions {' or '.join(words for name, words in _WHEN.items() if name in types)}".strip()


def _of_issued(issued: Mapping[str, wording.Told]) -> str:
    """What the reports say that were issued, and our own tests where they differ; those worth a look first."""
    ordered = sorted(issued.items(), key=lambda each: each[1].tone == "good")
    ours = {name: f" (our own tests differ: {each.outlook})" for name, each in ordered if each.differs}
    told = [f"{name} {each.opinion} on {each.issued_on}{ours.get(name, '')}" for name, each in ordered]
    return f"{len(issued)} issued: {first_of(told, _NAMED)}"


def _outlook(unit: Any, portfolio: Portfolio) -> Cell:
    """What is told of the unit's report, and how many of its objectives are achieved by our own tests."""
    found, told = wording.report(portfolio.context, unit), wording.told_of(portfolio.context, unit)
    about = [f"Type {unit['report_type'][-1]}: {wording.achieved(found)}", day(not_begun(portfolio.context, unit))]
    return display.state(told.opinion, told.tone, "\n".join(filter(None, [told.compared, *told.former, *about])))


def _run_lines(portfolio: Portfolio) -> Iterable[str]:
    wrong = [unit for unit, run in portfolio.runs.items() if run["status"] in WENT_WRONG]
    if wrong:
        units = f"{len(wrong)} of {counted(len(portfolio.runs), 'unit')}: {', '.join(wrong)}"
        yield f"The run went wrong for {units}. The figures here are computed from the register all the same."


def _run_cell(run: Any) -> Cell:
    if run is None:
        return ""
    note = run.get("error") or ("not run into this folder yet" if run["status"] == "pending" else "")
    return {"text": run["status"], "note": note}
