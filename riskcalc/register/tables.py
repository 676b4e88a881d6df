"""The tables of a register: one class per table, one field per column, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal

from riskcalc.register.columns import (
    Answer,
    Assertions,
    Component,
    Count,
    Currency,
    DataHeld,
    Day,
    Design,
    Frequency,
    Impact,
    Indicator,
    Level,
    Likelihood,
    Maybe,
    Money,
    MonthDay,
    Names,
    PeriodName,
    Rate,
    ReportPart,
    Share,
    Text,
    YesNo,
)
from riskcalc.register.library import Document, LibraryAnswer, Reader
from riskcalc.register.row import Contradiction, Ref, Row, require

Opinion = Literal["unmodified", "qualified", "adverse", "disclaimer"]


def _bridge(since: date | None, until: date | None, report_to: date | None) -> Iterator[Contradiction]:
    """A bridge letter speaks of days after the report's, from one day to another."""
    fits = since is None or (until is not None and since <= until and (report_to is None or since > report_to))
    after = f"after report_to, {report_to}, and " if report_to else ""
    yield from require(fits, "bridge_from", f"must be {after}not after the last day that the letter speaks of")


class BusinessUnit(Row):
    """A part of the service organisation that is assessed, and may be reported on, by itself."""

    primary_key = ("unit_id",)
    unit_id: Text
    name: Text
    service: Text
    currency: Currency
    materiality: Money
    performance_materiality: Money
    materiality_basis: Text
    appetite: Level
    report_type: Literal["type1", "type2"]
    report_from: Maybe[Day]
    report_to: Day
    issued_on: Maybe[Day] = None
    opinion: Maybe[Opinion] = None
    user_year_end: Maybe[MonthDay]
    clients: Maybe[Count] = None
    bridge_from: Maybe[Day] = None
    bridge_letter_until: Maybe[Day]
    owner: Text
    valid_from: Maybe[Day] = None
    valid_to: Maybe[Day] = None

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together."""
        yield from require(self.materiality > 0, "materiality", "must be more than 0")
        yield from require(
            0 < self.performance_materiality <= self.materiality or self.materiality == 0,
            "performance_materiality",
            f"must be more than 0 and at most the materiality, {self.materiality}",
        )
        later = self.bridge_letter_until is None or self.bridge_letter_until > self.report_to
        yield from require(later, "bridge_letter_until", f"must be a date after report_to, {self.report_to}")
        yield from _bridge(self.bridge_from, self.bridge_letter_until, self.report_to)
        yield from require(self.clients != 0, "clients", "must be at least 1, or blank where it isn't known")
        yield from self.not_before("issued_on", "report_to")
        yield from self.both_or_neither("issued_on", "opinion")  # a report is issued with its opinion
        if self.report_type == "type1":
            told = "must be blank: a Type 1 report is at a date, report_to"
            yield from require(self.report_from is None, "report_from", told)
        else:
            fits = self.report_from is not None and self.report_from < self.report_to
            told = f"must be a date before report_to, {self.report_to}: a Type 2 report covers a period"
            yield from require(fits, "report_from", told)


class ControlObjective(Row):
    """What the controls of a process are meant to achieve, as the SOC 1 report will state it."""

    primary_key = ("objective_id",)
    objective_id: Text
    unit_id: Annotated[Text, Ref("business_units")]
    process: Text
    statement: Text
    valid_from: Maybe[Day] = None
    valid_to: Maybe[Day] = None


class Risk(Row):
    """What could go wrong in clients' financial statements."""

    primary_key = ("risk_id",)
    risk_id: Text
    unit_id: Annotated[Text, Ref("business_units")]
    objective_id: Annotated[Text, Ref("control_objectives")]
    title: Text
    description: Text
    assertions: Assertions
    account: Maybe[str]
    owner: Text
    treatment: Literal["mitigate", "accept", "transfer", "avoid"]
    accepted_by: Maybe[str]
    accepted_until: Maybe[Day]
    frequency_per_year: Maybe[Rate]
    loss_low: Maybe[Money]
    loss_mode: Maybe[Money]
    loss_high: Maybe[Money]
    valid_from: Maybe[Day] = None
    valid_to: Maybe[Day] = None

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together."""
        low, mode, high = self.loss_low, self.loss_mode, self.loss_high
        if low is not None and high is not None:
            yield from require(low <= high, "loss_high", f"must be at least loss_low, {low}")
            between = mode is None or low > high or low <= mode <= high
            yield from require(between, "loss_mode", f"must lie between loss_low, {low}, and loss_high, {high}")
        told = "must be given with loss_low, or both left blank"
        yield from require((low is None) == (high is None), "loss_high", told)
        told = "must be more than 0 where loss_mode is blank: an interval of two amounts is read as lognormal"
        yield from require(low is None or mode is not None or low > 0, "loss_low", told)
        told = "must be blank where loss_low and loss_high are"
        yield from require(mode is None or low is not None, "loss_mode", told)
        for column in ("accepted_by", "accepted_until"):
            given = self.treatment != "accept" or getattr(self, column) is not None
            yield from require(given, column, "blank, but a risk whose treatment is accept needs it")


class Rating(Row):
    """How likely and how bad a risk was held to be in a period, before controls; blank, or proposed, is unrated."""

    primary_key = ("risk_id", "period")
    risk_id: Annotated[Text, Ref("risks")]
    period: PeriodName
    likelihood: Maybe[Likelihood]
    impact: Maybe[Impact]
    rationale: Maybe[str]
    rated_by: Maybe[str]
    rated_on: Maybe[Day]
    votes: Maybe[Count]
    likelihood_low: Maybe[Likelihood]
    likelihood_high: Maybe[Likelihood]
    impact_low: Maybe[Impact]
    impact_high: Maybe[Impact]
    proposed_likelihood: Maybe[Likelihood] = None
    proposed_impact: Maybe[Impact] = None

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together."""
        told = "likelihood and impact must both be rated, or both blank"
        if (self.likelihood is None) != (self.impact is None):
            yield "likelihood" if self.likelihood is None else "impact", told
        if (self.proposed_likelihood is None) != (self.proposed_impact is None):
            yield "proposed_likelihood" if self.proposed_likelihood is None else "proposed_impact", told
        if self.likelihood is not None:
            needed = {"rationale": self.rationale, "rated_by": self.rated_by, "rated_on": self.rated_on}
            yield from ((name, "blank, but a rated risk needs it") for name, given in needed.items() if given is None)
        likelihoods, impacts = (self.likelihood_low, self.likelihood_high), (self.impact_low, self.impact_high)
        for axis, (low, high) in (("likelihood", likelihoods), ("impact", impacts)):
            if low != high and (low is None or high is None or low > high):
                yield f"{axis}_high", f"must be at least {axis}_low, or both blank"


class Control(Row):
    """What is done to keep a risk from happening, or to notice and repair it."""

    primary_key = ("control_id",)
    control_id: Text
    unit_id: Annotated[Text, Ref("business_units")]
    title: Text
    description: Text
    owner: Text
    kind: Literal["preventive", "detective", "corrective"]
    nature: Literal["manual", "automated", "it_dependent"]
    frequency: Frequency
    key: YesNo
    component: Component
    performed_by: Literal["own", "user_entity", "subservice"]
    subservice_id: Annotated[Maybe[str], Ref("subservice_organisations")]
    design: Design
    documentation: Maybe[str]
    relies_on: Annotated[Names, Ref("controls")]
    communicated_in: Maybe[str]
    confirmed_on: Maybe[Day]
    valid_from: Maybe[Day] = None
    valid_to: Maybe[Day] = None

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together."""
        for column in ("communicated_in", "confirmed_on"):
            fits = self.performed_by == "user_entity" or getattr(self, column) is None
            yield from require(fits, column, "must be blank unless a user entity performs the control")


class RiskControl(Row):
    """Says that a control acts on a risk, on which side of it, and how much of it is within reach."""

    primary_key = ("risk_id", "control_id")
    risk_id: Annotated[Text, Ref("risks")]
    control_id: Annotated[Text, Ref("controls")]
    acts_on: Literal["likelihood", "impact", "both"]
    coverage: Share
    valid_from: Maybe[Day] = None
    valid_to: Maybe[Day] = None


class ControlTest(Row):
    """One round of a test of controls: what was looked at, and how many items deviated."""

    primary_key = ("test_id",)
    test_id: Text
    control_id: Annotated[Text, Ref("controls")]
    period: PeriodName
    covers_from: Maybe[Day] = None
    covers_to: Maybe[Day] = None
    kind: Literal["walkthrough", "operation"]
    nature: Maybe[Literal["inquiry", "observation", "inspection", "reperformance"]] = None
    procedure: Text
    population: Maybe[Count]
    population_checked: Maybe[YesNo] = None
    selection: Maybe[Literal["whole", "random", "systematic", "haphazard"]] = None
    sample_size: Count
    deviations: Count
    systematic: YesNo
    tested_by: Text
    tested_on: Day
    evidence: Maybe[str]
    retest_of: Annotated[Maybe[str], Ref("control_tests")]

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together."""
        yield from require(self.sample_size > 0, "sample_size", "must be at least 1")
        size, population, first, last = self.sample_size, self.population, self.covers_from, self.covers_to
        yield from require(self.deviations <= size, "deviations", f"must be at most the sample size, {size}")
        told = f"must be at most the population, {population}"
        yield from require(population is None or size <= population, "sample_size", told)
        deviated = self.deviations > 0
        yield from require(deviated or not self.systematic, "systematic", "must be no where nothing deviated")
        fits = (first is None) == (last is None) and (first is None or last is None or first <= last)
        told = "must not be before covers_from, or both be blank: the period's days"
        yield from require(fits, "covers_to", told)
        told = f"must not be after tested_on, {self.tested_on}"
        yield from require(first is None or first <= self.tested_on, "covers_from", told)
        whole = self.selection != "whole" or population in (None, size)
        yield from require(whole, "selection", f"whole, but {size} of {population} items were tested")


class Deficiency(Row):
    """A known shortcoming of a control, and who mends it by when."""

    primary_key = ("deficiency_id",)
    deficiency_id: Text
    control_id: Annotated[Text, Ref("controls")]
    description: Text
    identified_on: Day
    remediation_owner: Text
    due_on: Day
    closed_on: Maybe[Day]
    merits_attention: Maybe[YesNo]
    indicator: Maybe[Indicator]

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together."""
        yield from self.not_before("closed_on", "identified_on")


class SubserviceOrganisation(Row):
    """Somebody whose services are part of ours, and what its own SOC report says; blank report: none received."""

    primary_key = ("subservice_id",)
    subservice_id: Text
    name: Text
    service: Text
    method: Literal["carve_out", "inclusive"]
    report_type: Maybe[Literal["type1", "type2"]]
    report_from: Maybe[Day]
    report_to: Maybe[Day]
    opinion: Maybe[Opinion]
    exception: Maybe[Literal["none", "minor", "matters"]]
    bridge_from: Maybe[Day] = None
    bridge_to: Maybe[Day] = None
    reviewed_by: Maybe[str]
    reviewed_on: Maybe[Day]
    reference: Maybe[str]
    audience: Maybe[Reader] = None
    valid_from: Maybe[Day] = None
    valid_to: Maybe[Day] = None

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together."""
        fits = self.bridge_to is None or (self.report_to is not None and self.bridge_to > self.report_to)
        told = (
            f"must be a date after report_to, {self.report_to}" if self.report_to else "must be blank without a report"
        )
        yield from require(fits, "bridge_to", told)
        yield from _bridge(self.bridge_from, self.bridge_to, self.report_to)
        for column in ("report_to", "opinion", "exception"):
            given = getattr(self, column) is not None
            yield from require(given or self.report_type is None, column, "blank, but a report is given")
            yield from require(not given or self.report_type is not None, column, "must be blank without a report_type")
        yield from self.both_or_neither("reviewed_by", "reviewed_on")
        if self.report_type == "type2" and self.report_to is not None:
            fits = self.report_from is not None and self.report_from < self.report_to
            yield from require(fits, "report_from", f"must be a date before report_to, {self.report_to}")
        else:
            told = "must be blank: only a Type 2 report has a period"
            yield from require(self.report_from is None, "report_from", told)


class Mapping(Row):
    """Another framework's requirement that the same control serves."""

    primary_key = ("control_id", "framework", "reference")
    control_id: Annotated[Text, Ref("controls")]
    framework: Text
    reference: Text
    valid_from: Maybe[Day] = None
    valid_to: Maybe[Day] = None


class Training(Row):
    """Somebody who is to be, or was, trained for the controls they own."""

    primary_key = ("training_id",)
    training_id: Text
    unit_id: Annotated[Text, Ref("business_units")]
    person: Text
    topic: Text
    due_on: Day
    completed_on: Maybe[Day]
    evidence: Maybe[str]
    valid_from: Maybe[Day] = None
    valid_to: Maybe[Day] = None


class Scoping(Row):
    """A process, and the answers by which it is decided which report, if any, it belongs into."""

    primary_key = ("unit_id", "process")
    unit_id: Annotated[Text, Ref("business_units")]
    process: Text
    financial_statements: Answer
    data_held: DataHeld
    auditors_ask: Literal["nothing", "design", "operation", "unsure"]
    customers_ask: Answer
    operating_months: Maybe[Count]
    period_from: Maybe[Day]
    period_to: Maybe[Day]
    reason: Text
    answered_by: Text
    answered_on: Day
    valid_from: Maybe[Day] = None
    valid_to: Maybe[Day] = None

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together."""
        if self.period_from is not None:
            fits = self.period_to is not None and self.period_from < self.period_to
            yield from require(fits, "period_to", f"must be a date after period_from, {self.period_from}")


class ReportItem(Row):
    """A part of the SOC 1 report itself, or what it rests on beside the controls: who owes it by when."""

    primary_key = ("item_id",)
    optional = True
    item_id: Text
    unit_id: Annotated[Text, Ref("business_units")]
    item: ReportPart
    status: Literal["open", "in_progress", "done", "not_applicable"]
    owner: Text
    due_on: Maybe[Day]
    reference: Maybe[str]
    valid_from: Maybe[Day] = None
    valid_to: Maybe[Day] = None

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together."""
        given = self.status != "done" or self.reference is not None
        yield from require(given, "reference", "blank, but what is done can be shown")


TABLES: dict[str, type[Row]] = {
    "business_units": BusinessUnit,
    "control_objectives": ControlObjective,
    "risks": Risk,
    "ratings": Rating,
    "controls": Control,
    "risk_controls": RiskControl,
    "control_tests": ControlTest,
    "deficiencies": Deficiency,
    "mappings": Mapping,
    "subservice_organisations": SubserviceOrganisation,
    "training": Training,
    "scoping": Scoping,
    "report_items": ReportItem,
    "answers": LibraryAnswer,
    "documents": Document,
}
# The columns by which a row belongs to another, and ends with it.
OWNERS = {"unit_id": "business_units", "risk_id": "risks", "control_id": "controls"}
