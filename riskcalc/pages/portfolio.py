"""The words and tables of the organisation's page: each function takes an opened portfolio and returns a View."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from riskcalc.assessment.opening import Portfolio
from riskcalc.assessment.readiness import UNMODIFIED, report_outlook
from riskcalc.assessment.scoring import level_counts, ranked
from riskcalc.notebook_files import WENT_WRONG
from riskcalc.pages import display, not_assessed, wording
from riskcalc.pages.display import Cell, Result, View, state


def heading(portfolio: Portfolio) -> View:
    """The top of the organisation's page."""
    outside = portfolio.scores[portfolio.scores["breach"].fillna(False).astype(bool)]["unit_id"].nunique()
    verdict, tone = wording.verdict(portfolio.scores, "appetite")
    units = len(portfolio.register.business_units)
    lines = [
        *not_assessed.lines(portfolio),
        f"{outside} of {units} business units carry a risk worse than their appetite.",
        *_run_lines(portfolio),
    ]
    eyebrow = f"{wording.SUBJECT} · {portfolio.period.name}, as of {portfolio.as_of}"
    went_wrong = any(run["status"] in WENT_WRONG for run in portfolio.runs.values())
    tone = "bad" if went_wrong else tone
    name = portfolio.register.methodology.organisation
    return display.heading(name, eyebrow, verdict, tone, lines, wording.classification(portfolio))


def units(portfolio: Portfolio) -> View:
    """Every unit, worst first, with its level counts, breaches, the state of its run and a link to its page."""
    counts = level_counts(portfolio.scores, portfolio.matrix)
    breaches = portfolio.scores.groupby("unit_id")["breach"].sum().to_dict()
    rows = []
    for unit in sorted(portfolio.register.business_units.to_dict("records"), key=lambda unit: _badness(unit, breaches)):
        unit_id, run = unit["unit_id"], portfolio.runs.get(unit["unit_id"])
        levels = counts.loc[unit_id].tolist() if unit_id in counts.index else [0] * len(counts.columns)
        numbers = [str(int(count)) for count in (*levels, breaches.get(unit_id, 0))]
        rest = [not_assessed.appetite(portfolio, unit), _outlook(unit, portfolio)]
        rows.append([wording.page_link(unit, run), *numbers, *rest, *_run_cell(run)])
    numeric = [*counts.columns, "Outside appetite"]
    columns = ["Unit", *numeric, "Appetite", "Report", *(["Run"] if portfolio.runs else [])]
    return display.table("Business units, worst first", columns, rows, numeric=numeric)


def top_risks(portfolio: Portfolio, most: int = 15) -> View:
    """The organisation's worst risks on the earned view."""
    names = portfolio.register.business_units.set_index("unit_id")["name"]
    rows = [
        [risk["risk_id"], risk["title"], names[risk["unit_id"]], *wording.level_cells(risk, portfolio), risk["owner"]]
        for risk in ranked(portfolio.scores).head(most).to_dict("records")
    ]
    columns = ["Risk", "Title", "Unit", "Inherent", "Claimed", "Earned", "Owner"]
    return display.table(f"The {len(rows)} worst risks on the earned view", columns, rows)


def provenance(portfolio: Portfolio) -> View:
    """What the page was computed from, so that it can be computed again."""
    return wording.provenance(
        portfolio, f"riskcalc run DATA --period {portfolio.period.name} --as-of {portfolio.as_of}"
    )


def result(portfolio: Portfolio) -> Result:
    """The organisation's results for machines."""
    counts = level_counts(portfolio.scores, portfolio.matrix)
    breaches = portfolio.scores.groupby("unit_id")["breach"].sum().to_dict()
    return Result(
        {
            "period": portfolio.period.name,
            "as_of": portfolio.as_of.isoformat(),
            "breaches": wording.breach_count(portfolio.scores),
            "units": [
                {
                    "unit_id": unit,
                    "levels": {name: int(count) for name, count in row.items()},
                    "breaches": int(breaches[unit]),
                }
                for unit, row in counts.to_dict("index").items()
            ],
        }
    )


# --- parts ---


def _badness(unit: Any, breaches: Any) -> tuple[int, str]:
    return -breaches.get(unit["unit_id"], 0), unit["unit_id"]


def _outlook(unit: Any, portfolio: Portfolio) -> Cell:
    """The outlook for the unit's own type of report, and how many of its objectives hold."""
    found = [one for one in portfolio.outlooks[unit["report_type"]] if one.unit_id == unit["unit_id"]]
    opinion, holding = report_outlook(found), sum(one.opinion == UNMODIFIED for one in found)
    note = f"Type {unit['report_type'][-1]}: {holding} of {len(found)} objectives hold"
    return state(opinion, wording.OPINION_TONES.get(opinion, "open"), note)


def _run_lines(portfolio: Portfolio) -> Iterable[str]:
    wrong = [unit for unit, run in portfolio.runs.items() if run["status"] in WENT_WRONG]
    if wrong:
        units = f"{len(wrong)} of {len(portfolio.runs)} units: {', '.join(wrong)}"
        yield f"The run went wrong for {units}. The figures here are computed from the register all the same."


def _run_cell(run: Any) -> list[Cell]:
    if run is None:
        return []
    note = "not run into this folder yet" if run["status"] == "pending" else run.get("error") or ""
    return [{"text": run["status"], "note": note}]
