"""Consistency findings about the report itself: its scope, its clients, its people; listed in ``checks.CHECKS``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Protocol

import pandas as pd

from riskcalc.assessment.coverage import training, year_end
from riskcalc.assessment.scoping import process_scopes, unit_scope
from riskcalc.register.register import Register


class Subject(Protocol):
    """A register as of a day."""

    @property
    def register(self) -> Register:
        """The register that is checked."""

    @property
    def as_of(self) -> date:
        """The day."""


# unit, row, message
Seen = Iterator[tuple[str, str, str]]


def year_end_unbridged(subject: Subject) -> Seen:
    """Days between the report's end and the clients' year-end that nothing covers."""
    units = subject.register.business_units
    for unit in units[units["report_type"] == "type2"].to_dict("records"):
        found = year_end(unit)
        if found and found.unbridged:
            message = f"{found.unbridged} days to the clients' year-end, {found.year_end}, are not covered"
            yield unit["unit_id"], unit["unit_id"], message
        elif found and found.too_long:
            message = f"a bridge letter over {found.gap} days is longer than practice accepts"
            yield unit["unit_id"], unit["unit_id"], message


def untrained_owners(subject: Subject) -> Seen:
    """Owners of key controls whose training is overdue, or for whom none is planned."""
    for unit in subject.register.business_units["unit_id"]:
        for one in training(subject.register, unit, subject.as_of).to_dict("records"):
            if one["state"] in ("overdue", "none"):
                told = "is overdue" if one["state"] == "overdue" else "isn't planned"
                yield unit, one["controls"][0], f"training of its owner, {one['owner']}, {told}"


def trained_strangers(subject: Subject) -> Seen:
    """People in training.csv who own no control: a changed owner, or a name spelt in another way."""
    owners = set(subject.register.controls["owner"])
    for one in subject.register.training.to_dict("records"):
        if one["person"] not in owners:
            yield one["unit_id"], one["training_id"], f"{one['person']} owns no control"


def cuec_untold(subject: Subject) -> Seen:
    """Complementary user entity controls that nobody told the clients about."""
    controls = subject.register.controls
    for control in controls[controls["performed_by"] == "user_entity"].to_dict("records"):
        if pd.isna(control["communicated_in"]):
            yield control["unit_id"], control["control_id"], "where clients are told of this control isn't said"


def scope_open(subject: Subject) -> Seen:
    """Processes for which nobody can say yet which report they belong into."""
    for scope in process_scopes(subject.register):
        if scope.soc1 == "open":
            yield scope.unit_id, scope.process, f"whether it is in scope is open: {scope.reasons[0]}"


def scope_without_objective(subject: Subject) -> Seen:
    """Processes in scope of SOC 1 that no control objective covers."""
    covered = set(subject.register.control_objectives[["unit_id", "process"]].itertuples(index=False, name=None))
    for scope in process_scopes(subject.register):
        if scope.soc1 in ("type1", "type2") and (scope.unit_id, scope.process) not in covered:
            yield scope.unit_id, scope.process, "is in scope of SOC 1, but no control objective covers it"


def report_type_unlike_scope(subject: Subject) -> Seen:
    """Units whose planned report isn't the one that the answers propose."""
    scopes = process_scopes(subject.register)
    for unit in subject.register.business_units.to_dict("records"):
        found = unit_scope(scopes, unit["unit_id"])
        if found.soc1 not in ("open", unit["report_type"]):
            planned = f"SOC 1 Type {unit['report_type'][-1]}"
            yield unit["unit_id"], unit["unit_id"], f"{planned} is planned; the answers propose: {found.answer}"
