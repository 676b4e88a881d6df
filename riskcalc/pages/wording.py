"""What the units' pages and the organisation's page say in the same way."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from riskcalc.assessment.opening import Assessment, Portfolio
from riskcalc.assessment.readiness import QUALIFIED, UNMODIFIED
from riskcalc.pages import not_assessed
from riskcalc.pages.display import Cell, View, facts, level_cell, table
from riskcalc.version import __version__

SUBJECT = "Risk to financial reporting"
OPINION_TONES = {UNMODIFIED: "good", QUALIFIED: "bad"}


def verdict(scores: pd.DataFrame, appetite: str) -> tuple[str, str]:
    """The one sentence that says whether risks are inside appetite, and its tone: good, bad or open."""
    worse, rated = breach_count(scores), rated_count(scores)
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


def classification(opened: Assessment | Portfolio) -> str:
    """How confidential a page is, and for whom it was made."""
    return " · ".join(filter(None, [opened.register.methodology.classification, opened.audience.label]))


def page_link(unit: Any, run: Any) -> Cell:
    """A unit's name, leading to the page that the run of ``run`` left for it."""
    pages = [name for name in (run or {}).get("outputs", {}) if re.fullmatch(r"[a-z0-9-]+\.html", name)]
    return {"text": unit["name"], "href": pages[0]} if pages else str(unit["name"])


def appetite_of(opened: Assessment | Portfolio) -> str:
    """What risks are measured against: the unit's appetite by its name, or that of each unit."""
    return not_assessed.appetite(opened, opened.unit) if isinstance(opened, Assessment) else "their unit's appetite"


def breach_count(scores: pd.DataFrame) -> int:
    """How many risks are worse than their unit's appetite on the earned view."""
    return int(scores["breach"].sum())


def rated_count(scores: pd.DataFrame) -> int:
    """How many risks are rated."""
    return int(scores["likelihood"].notna().sum())


def level_cells(risk: Any, opened: Assessment | Portfolio) -> list[Cell]:
    """A risk's inherent, claimed and earned level as cells, with the score of each."""
    cells: list[Cell] = []
    for view in ("inherent", "claimed", "earned"):
        score = risk[f"{view}_score"]
        cells.append(level_cell(risk[f"{view}_level"], opened.matrix, "" if pd.isna(score) else f"{score:.2f}"))
    return cells


def provenance(opened: Assessment | Portfolio, command: str) -> View:
    """What a page was computed from; ``command`` computes it again."""
    weights, sampling = opened.register.methodology.weights.operating, opened.register.methodology.sampling
    rates = [f"{float(rate) * 100:.3g} %" for rate in (sampling.confidence, sampling.tolerable_deviation_rate)]
    return facts(
        "Method and provenance",
        [
            ("Period", opened.period.name, f"ratings and tests of this period; dues as of {opened.as_of}"),
            (
                "Register",
                opened.register.fingerprint()[:12],
                "first 12 digits of register_sha256 in manifest.json: the rows and the methodology used",
            ),
            ("riskcalc", __version__, f"compute again with: {command}"),
            (
                "Weights",
                " / ".join(f"{weight.normalize():f}" for _, weight in weights),
                " / ".join(name.replace("_", " ") for name, _ in weights),
            ),
            ("Tests of controls", " / ".join(rates), "confidence / tolerable deviation rate"),
        ],
    )


def scales(opened: Assessment | Portfolio) -> View:
    """The definitions that people rate by."""
    method = opened.register.methodology
    likelihood = [
        ["Likelihood", str(n), rating.name, rating.definition] for n, rating in enumerate(method.likelihood, 1)
    ]
    impact = [["Impact", str(n), rating.name, rating.definition] for n, rating in enumerate(method.impact, 1)]
    return table("The scales", ["Scale", "Rating", "Name", "Definition"], [*likelihood, *impact], numeric=["Rating"])


def plain_values(row: dict[Any, Any]) -> dict[str, Any]:
    """A record as JSON can hold it: missing values as null, numpy's scalars as Python's."""
    return {
        key: None if pd.isna(value) else getattr(value, "item", lambda value=value: value)()
        for key, value in row.items()
    }
