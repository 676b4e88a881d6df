"""The words and tables of the notebooks: each function takes an opened unit or portfolio and returns a View."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from riskcalc.assessment import Assessment, Portfolio
from riskcalc.charts import level_cell, level_counts, ranked
from riskcalc.version import __version__
from riskcalc.views import Cell, Result, View, facts, heading, table

_REPORT = {"type1": "SOC 1 Type 1", "type2": "SOC 1 Type 2"}


# --- a unit's page -----------------------------------------------------------------------------------


def unit_heading(unit: Assessment) -> View:
    """The top of a unit's page: is it inside its appetite?"""
    verdict, tone = _verdict(unit.scores, f"its appetite, {unit.unit['appetite']}")
    lines = [
        f"{unit.unit['service']}. Owner: {unit.unit['owner']}.",
        f"{_REPORT[unit.unit['report_type']]} {_report_span(unit.unit)}.",
        *_type1_note(unit.unit),
    ]
    eyebrow = f"{unit.register.methodology.organisation} · Risk to financial reporting · {unit.period.name}, as of {unit.as_of}"
    return heading(unit.unit["name"], eyebrow, verdict, tone, lines)


def unit_figures(unit: Assessment) -> View:
    """The unit's key figures: levels, what is claimed only, what changed, what it is measured against."""
    currency = unit.unit["currency"]
    only_claimed = _claimed_only(unit.scores)
    return facts(
        "Key figures",
        [
            ("Outside appetite", str(_breaches(unit.scores)), f"of {_rated(unit.scores)} rated risks, earned view"),
            ("Inside only if claims hold", str(only_claimed), "inside appetite as claimed, outside as earned"),
            (
                "Unrated",
                str(int(unit.scores["likelihood"].isna().sum())),
                f"of {len(unit.scores)} risks in the register",
            ),
            ("Outside appetite before", *_before(unit)),
            ("Materiality", f"{unit.unit['materiality']:,} {currency}", str(unit.unit["materiality_basis"])),
            (
                "Performance materiality",
                f"{unit.unit['performance_materiality']:,} {currency}",
                "what errors together must stay below",
            ),
        ],
    )


def breaches(unit: Assessment) -> View:
    """The risks whose earned residual is worse than the appetite: what has to be decided, and by whom."""
    worse = ranked(unit.scores[unit.scores["breach"].fillna(False).astype(bool)])
    rows = [
        [risk["risk_id"], risk["title"], *_levels(risk, unit), risk["owner"], risk["treatment"]]
        for risk in worse.to_dict("records")
    ]
    columns = ["Risk", "Title", "Inherent", "Claimed", "Earned", "Owner", "Treatment"]
    return table(f"Worse than appetite ({unit.unit['appetite']})", columns, rows)


def risks(unit: Assessment) -> View:
    """Every risk of the unit with its ratings, levels and the reason given for the rating; unrated ones too."""
    rationale = unit.register.ratings.query("period == @unit.period.name").set_index("risk_id")["rationale"]
    described = unit.register.risks.set_index("risk_id")
    rows = []
    for risk in [*ranked(unit.scores).to_dict("records"), *_unrated_rows(unit.scores)]:
        details = described.loc[risk["risk_id"]]
        ratings = "unrated" if pd.isna(risk["likelihood"]) else f"{risk['likelihood']} x {risk['impact']}"
        title: Cell = {"text": risk["title"], "note": details["description"]}
        about = [", ".join(details["assertions"]).replace("_", " "), ratings]
        reason = rationale.get(risk["risk_id"])
        rows.append([risk["risk_id"], title, *about, *_levels(risk, unit), "" if pd.isna(reason) else str(reason)])
    columns = ["Risk", "Title", "Assertions", "Rating", "Inherent", "Claimed", "Earned", "Why rated so"]
    note = "Rating: likelihood x impact before controls. Claimed takes every control at its word; earned counts a control only as far as it is documented and tested."
    return table("All risks", columns, rows, note=note)


def controls(unit: Assessment) -> View:
    """Every control the unit counts on: what it claims, what it has earned, and why."""
    earned = unit.controls.to_dict("index")
    rows = []
    for control in unit.register.controls.to_dict("records"):
        weight = earned[control["control_id"]]
        title: Cell = {"text": control["title"], "note": control["description"]}
        kind = f"{'key, ' if control['key'] else ''}{control['kind']}, {control['nature']}, {control['frequency']}"
        percent = [f"{weight[view]:.0%}" for view in ("claimed", "earned")]
        rows.append(
            [control["control_id"], title, kind.replace("_", " "), control["owner"], *percent, weight["reason"]]
        )
    columns = ["Control", "Title", "Kind", "Owner", "Claimed", "Earned", "Why"]
    return table("Controls: claimed and earned", columns, rows, numeric=["Claimed", "Earned"])


def unit_provenance(unit: Assessment) -> View:
    """What the page was computed from, so that it can be computed again."""
    return _provenance(
        unit, f"riskcalc run --unit {unit.unit['unit_id']} --period {unit.period.name} --as-of {unit.as_of}"
    )


def unit_result(unit: Assessment) -> Result:
    """The unit's results for machines."""
    rated = unit.scores.drop(columns=["title", "owner", "treatment", "objective_id"])
    return Result(
        {
            "unit_id": unit.unit["unit_id"],
            "period": unit.period.name,
            "as_of": unit.as_of.isoformat(),
            "breaches": _breaches(unit.scores),
            "unrated": int(unit.scores["likelihood"].isna().sum()),
            "risks": [_plain_values(row) for row in rated.to_dict("records")],
        }
    )


# --- the organisation's page -------------------------------------------------------------------------


def portfolio_heading(portfolio: Portfolio) -> View:
    """The top of the organisation's page."""
    outside = portfolio.scores[portfolio.scores["breach"].fillna(False).astype(bool)]["unit_id"].nunique()
    verdict, tone = _verdict(portfolio.scores, "appetite")
    units = len(portfolio.register.business_units)
    lines = [f"{outside} of {units} business units carry a risk worse than their appetite.", *_run_lines(portfolio)]
    eyebrow = f"Risk to financial reporting · {portfolio.period.name}, as of {portfolio.as_of}"
    went_wrong = any(run["status"] in ("failed", "timeout", "died") for run in portfolio.runs.values())
    return heading(portfolio.register.methodology.organisation, eyebrow, verdict, "bad" if went_wrong else tone, lines)


def units(portfolio: Portfolio) -> View:
    """Every unit, worst first, with its level counts, breaches, the state of its run and a link to its page."""
    counts = level_counts(portfolio.scores, portfolio.matrix)
    by_unit = portfolio.scores.groupby("unit_id", sort=False)
    rows = []
    for unit in portfolio.register.business_units.to_dict("records"):
        unit_id = unit["unit_id"]
        scores = by_unit.get_group(unit_id) if unit_id in by_unit.groups else portfolio.scores.iloc[:0]
        levels = counts.loc[unit_id].tolist() if unit_id in counts.index else [0] * len(counts.columns)
        run = portfolio.runs.get(unit_id)
        cells: list[Cell] = [_page_link(unit, run), *(str(int(count)) for count in levels)]
        rows.append((-_breaches(scores), [*cells, str(_breaches(scores)), unit["appetite"], *_run_cell(run)]))
    rows.sort(key=lambda row: row[0])
    columns = ["Unit", *counts.columns, "Outside appetite", "Appetite", *(["Run"] if portfolio.runs else [])]
    return table(
        "Business units, worst first", columns, [row for _, row in rows], numeric=[*counts.columns, "Outside appetite"]
    )


def top_risks(portfolio: Portfolio, most: int = 15) -> View:
    """The organisation's worst risks on the earned view."""
    names = portfolio.register.business_units.set_index("unit_id")["name"]
    rows = [
        [risk["risk_id"], risk["title"], names[risk["unit_id"]], *_levels(risk, portfolio), risk["owner"]]
        for risk in ranked(portfolio.scores).head(most).to_dict("records")
    ]
    columns = ["Risk", "Title", "Unit", "Inherent", "Claimed", "Earned", "Owner"]
    return table(f"The {len(rows)} worst risks on the earned view", columns, rows)


def portfolio_provenance(portfolio: Portfolio) -> View:
    """What the page was computed from, so that it can be computed again."""
    return _provenance(portfolio, f"riskcalc run --period {portfolio.period.name} --as-of {portfolio.as_of}")


def portfolio_result(portfolio: Portfolio) -> Result:
    """The organisation's results for machines."""
    counts = level_counts(portfolio.scores, portfolio.matrix)
    breached = portfolio.scores.groupby("unit_id")["breach"].sum()
    return Result(
        {
            "period": portfolio.period.name,
            "as_of": portfolio.as_of.isoformat(),
            "breaches": _breaches(portfolio.scores),
            "units": [
                {
                    "unit_id": unit,
                    "levels": {name: int(count) for name, count in row.items()},
                    "breaches": int(breached[unit]),
                }
                for unit, row in counts.to_dict("index").items()
            ],
        }
    )


# --- parts -------------------------------------------------------------------------------------------


def _verdict(scores: pd.DataFrame, appetite: str) -> tuple[str, str]:
    worse, rated = _breaches(scores), _rated(scores)
    unrated = len(scores) - rated
    rest = f" {unrated} unrated: nothing can be said of {'it' if unrated == 1 else 'them'}." if unrated else ""
    if worse:
        return f"Outside appetite: {worse} of {rated} rated risks are worse than {appetite}.{rest}", "bad"
    if not rated:
        return "No risk is rated in this period.", "open"
    return (
        f"Inside appetite: none of {rated} rated risks is worse than {appetite}.{rest}",
        "open" if unrated else "good",
    )


def _report_span(unit: Any) -> str:
    until = f"{unit['report_to']:%Y-%m-%d}"
    return f"at {until}" if unit["report_type"] == "type1" else f"from {unit['report_from']:%Y-%m-%d} to {until}"


def _type1_note(unit: Any) -> list[str]:
    if unit["report_type"] != "type1":
        return []
    return [
        "Type 1: earned here means documented, well designed and walked through; operation over time is not tested."
    ]


def _breaches(scores: pd.DataFrame) -> int:
    return int(scores["breach"].sum())


def _rated(scores: pd.DataFrame) -> int:
    return int(scores["likelihood"].notna().sum())


def _claimed_only(scores: pd.DataFrame) -> int:
    inside = scores["claimed_level"].cat.codes <= scores["appetite"].cat.codes
    return int((inside & scores["breach"].fillna(False)).sum())


def _before(unit: Assessment) -> tuple[str, str]:
    if unit.previous is None:
        return "–", "no earlier period on record"
    period = unit.register.previous(unit.period)
    return str(_breaches(unit.previous)), f"in {period.name if period else ''}, {_rated(unit.previous)} rated risks"


def _levels(risk: Any, opened: Assessment | Portfolio) -> list[Cell]:
    cells: list[Cell] = []
    for view in ("inherent", "claimed", "earned"):
        score = risk[f"{view}_score"]
        cells.append(level_cell(risk[f"{view}_level"], opened.matrix, "" if pd.isna(score) else f"{score:.2f}"))
    return cells


def _unrated_rows(scores: pd.DataFrame) -> list[dict[Any, Any]]:
    return scores[scores["likelihood"].isna()].to_dict("records")


def _run_lines(portfolio: Portfolio) -> Iterable[str]:
    wrong = [unit for unit, run in portfolio.runs.items() if run["status"] in ("failed", "timeout", "died")]
    if wrong:
        yield f"The run went wrong for {len(wrong)} of {len(portfolio.runs)} units: {', '.join(wrong)}. The figures here are computed from the register all the same."


def _page_link(unit: Any, run: Any) -> Cell:
    pages = [name for name in (run or {}).get("outputs", {}) if name.endswith(".html")]
    return {"text": unit["name"], "href": pages[0]} if pages else unit["name"]


def _run_cell(run: Any) -> list[Cell]:
    return [] if run is None else [{"text": run["status"], "note": (run.get("error") or "")}]


def _provenance(opened: Assessment | Portfolio, command: str) -> View:
    weights = opened.register.methodology.weights.operating
    return facts(
        "Method and provenance",
        [
            ("Period, as of", f"{opened.period.name}, {opened.as_of}", "ratings and tests of this period"),
            (
                "Input",
                opened.register.fingerprint()[:16],
                "first 16 digits of the SHA-256 of the rows and the methodology used",
            ),
            ("riskcalc", __version__, f"compute again with: {command}"),
            (
                "Weights",
                f"{weights.operated_effectively:f} / {weights.insufficient_evidence:f} / {weights.not_effective:f} / {weights.not_tested:f}",
                "operated effectively / insufficient evidence / not effective / not tested",
            ),
        ],
    )


def _plain_values(row: dict[Any, Any]) -> dict[str, Any]:
    """A record as JSON can hold it: missing values as null, numpy's scalars as Python's."""
    return {
        key: None if pd.isna(value) else getattr(value, "item", lambda value=value: value)()
        for key, value in row.items()
    }
