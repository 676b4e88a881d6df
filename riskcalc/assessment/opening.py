"""What a notebook opens: one unit in a period, or the whole organisation; figures are computed when asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from riskcalc.assessment import annual_loss, evidence
from riskcalc.assessment.consistency import Finding, findings_for
from riskcalc.assessment.context import Context
from riskcalc.assessment.movement import Move, moves
from riskcalc.assessment.scoring import score_lines, scores
from riskcalc.errors import UsageError
from riskcalc.loss.compound import AnnualLoss
from riskcalc.register import audiences
from riskcalc.register.audiences import FULL, Audience
from riskcalc.register.matrix import Matrix
from riskcalc.register.periods import Period
from riskcalc.register.records import grouped, records
from riskcalc.register.register import Register
from riskcalc.register.subsets import read_standing

_RUN = {"status": "pending", "error": None}
_MOST = 8  # periods of a history
_DESCRIBED = ("title", "owner", "treatment", "objective_id")


@dataclass(frozen=True)
class _Opened:
    """A context that was opened for readers, and whom for."""

    context: Context
    audience: Audience = field(default=FULL, kw_only=True)

    @property
    def register(self) -> Register:
        """The register that is assessed."""
        return self.context.register

    @property
    def period(self) -> Period:
        """The period that is assessed."""
        return self.context.period

    @property
    def as_of(self) -> date:
        """The day that it is seen from."""
        return self.context.as_of

    @property
    def matrix(self) -> Matrix:
        """The matrix that banded the scores."""
        return self.register.methodology.matrix

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The frame of ``riskcalc.score``, with each risk's title, owner, treatment and objective."""
        return described_scores(self.context)

    @cached_property
    def previous(self) -> pd.DataFrame | None:
        """The same for the period before, or None."""
        before = self.context.previous()
        return described_scores(before) if before else None

    @cached_property
    def moved(self) -> list[Move]:
        """The risks that moved since the period before; none where there is no such period."""
        return [] if self.previous is None else moves(self.scores, self.previous, self.matrix, self.context.begun)

    @cached_property
    def history(self) -> dict[str, pd.DataFrame]:
        """The scores of the periods up to this one by name, oldest first: as many as a page has room for.

        Back to the first whose tests are on record, if any are: before it nothing could have been earned. Where rows
        have days it is this one and the one before: of earlier ones it isn't at hand how the register stood.
        """
        found, context = {self.period.name: scores(self.context)}, self.context.previous()
        while context and len(found) < (2 if self.register.before else _MOST):
            if self.context.counts("control_tests").any() and not context.counts("control_tests").any():
                break
            found[context.period.name] = scores(context)
            context = context.previous()
        return dict(reversed(found.items()))


@dataclass(frozen=True)
class Assessment(_Opened):
    """One business unit in one period; ``findings`` are its consistency findings as of the day."""

    unit: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @cached_property
    def controls(self) -> pd.DataFrame:
        """The frame of ``evidence.assess``."""
        return evidence.assess(self.context)

    @cached_property
    def lines(self) -> pd.DataFrame:
        """The frame of ``scoring.score_lines``."""
        return score_lines(self.context)

    @cached_property
    def lines_of(self) -> Mapping[str, list[dict[Any, Any]]]:
        """The score lines of each risk that a control acts on."""
        return grouped((line["risk_id"], line) for line in records(self.lines))

    @cached_property
    def quantified(self) -> annual_loss.Model:
        """The unit's risks in money."""
        return annual_loss.model(self.context, str(self.unit["currency"]))

    @cached_property
    def years(self) -> dict[str, AnnualLoss]:
        """The yearly loss: inherent, claimed and earned."""
        return annual_loss.years(self.quantified)

    @property
    def in_money(self) -> bool:
        """Whether something can be said in money, and is for these readers."""
        return self.audience.money and not pd.isna(self.unit["materiality"])

    @property
    def tolerable_rate(self) -> float:
        """The tolerable deviation rate."""
        return float(self.register.methodology.sampling.tolerable_deviation_rate)


@dataclass(frozen=True)
class Portfolio(_Opened):
    """The organisation in one period; ``runs`` holds, by unit, what the manifest of a run says."""

    runs: Mapping[str, Mapping[str, Any]]

    @cached_property
    def quantified(self) -> annual_loss.Model:
        """The organisation's risks in money, in its currency; raises UsageError if a rate or materiality is missing."""
        units = self.register.business_units
        if without := units[units["materiality"].isna()]["unit_id"].tolist():
            raise UsageError(f"Materiality isn't set yet for {', '.join(without)}.")
        return annual_loss.model(self.context, self.register.methodology.currency)


def open_unit(
    business_unit: str, period: str = "", data_dir: str = "data", as_of: str = "", audience: str = ""
) -> Assessment:
    """Read the register in ``data_dir`` and assess one unit.

    ``period`` is by default that of ``Register.period``; ``as_of`` (YYYY-MM-DD) the last day of the period. For an
    ``audience``, other than the public, what isn't for its eyes is redacted at once.

    Raises:
        RegisterError: the register can't be used.
        UsageError: no such folder, unit, period, date or audience.

    >>> open_unit("payroll").unit["name"]
    'Payroll Services'
    """
    readers = audiences.inside(audiences.find(audience))
    share = read_standing(data_dir, period, as_day(as_of), business_unit)
    register = audiences.redacted(share, readers)
    context, unit = Context.of(register), register.unit(business_unit)
    found = findings_for(readers, Context.of(share), context)
    return Assessment(context, unit, tuple(each for each in found if each.unit_id == business_unit), audience=readers)


def open_portfolio(
    period: str = "", data_dir: str = "data", as_of: str = "", manifest: str = "", audience: str = ""
) -> Portfolio:
    """Read the register in ``data_dir`` and score every unit; ``manifest`` tells how a run of the units went.

    Raises:
        RegisterError: the register can't be used.
        UsageError: no such folder, period, date, manifest or audience.
    """
    readers = audiences.inside(audiences.find(audience))
    context = Context.of(audiences.redacted(read_standing(data_dir, period, as_day(as_of)), readers))
    return Portfolio(context, read_runs(manifest), audience=readers)


def described_scores(context: Context) -> pd.DataFrame:
    """The scores with each risk's title, owner, treatment and objective."""
    return scores(context).assign(**{name: context.register.risks[name].array for name in _DESCRIBED})


def read_runs(manifest: str) -> dict[str, Mapping[str, Any]]:
    """What the manifest of a run says, by unit; nothing if ``manifest`` is blank. Raises UsageError for a bad one."""
    if not manifest:
        return {}
    try:
        units = json.loads(Path(manifest).read_text("utf-8"))["units"]
        return {str(unit["unit_id"]): {**_RUN, **unit, "outputs": dict(unit.get("outputs", {}))} for unit in units}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{manifest} can't be read as the manifest of a run: {error}") from None


def as_day(text: str, name: str = "as_of") -> date | None:
    """A day as people and notebooks tell it, None if blank; raises UsageError for what is none, or absurd."""
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        day = date.min
    if day and not 1950 <= day.year <= 2200:
        today = "today, or " if name.startswith("--") else ""
        raise UsageError(f"{name} is {text!r}; allowed: {today}a date as YYYY-MM-DD, of 1950 to 2200.")
    return day
