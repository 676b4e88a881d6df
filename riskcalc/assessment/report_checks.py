"""Consistency checks of the report itself: its scope, its clients, its people."""

from __future__ import annotations

import pandas as pd

from riskcalc.assessment.checks import Seen, check
from riskcalc.assessment.context import Context
from riskcalc.assessment.coverage import NOT_ON_RECORD, report_items, training, year_end
from riskcalc.assessment.opinion import ADVERSE, NOT_READY, QUALIFIED, UNMODIFIED, report_outlooks
from riskcalc.assessment.readiness import LEAST_DAYS
from riskcalc.assessment.scoping import SOC1, process_scopes, unit_scope
from riskcalc.errors import counted, first_of
from riskcalc.register.methodology import FILE
from riskcalc.register.records import grouped


@check("year-end-unbridged", "look", "Plan a bridge letter, or move the report's period.")
def _year_end_unbridged(context: Context) -> Seen:
    """Days between the report's end and the clients' year-end that nothing covers."""
    for unit in context.register.rows("business_units"):
        found = year_end(unit) if unit["report_type"] == "type2" else None
        if found and found.unbridged:
            yield unit, f"{counted(found.unbridged, 'day')} to the clients' year-end, {found.year_end}, not covered"
        elif found and found.too_long:
            yield unit, f"a bridge letter over {counted(found.gap, 'day')} is longer than practice accepts"


@check("exchange-rate-missing", "look", "Add it to [exchange_rates] in methodology.toml.")
def _exchange_rate_missing(context: Context) -> Seen:
    """Currencies of units that the organisation's page can't count in its own."""
    units = grouped((unit["currency"], unit["unit_id"]) for unit in context.register.rows("business_units"))
    for currency in sorted(units.keys() - context.register.methodology.rates.keys()):
        whose = f"the currency of {first_of(units[currency], 5)}"
        yield ("", FILE), f"has no exchange rate for {currency}, {whose}, so the organisation's page adds up no amounts"


@check("owner-untrained", "look", "Train the owner, and record it.")
def _untrained_owners(context: Context) -> Seen:
    """Owners of key controls whose training is overdue, or for whom none is planned."""
    for unit in context.register.business_units["unit_id"]:
        for one in training(context, unit):
            if one["state"] in ("overdue", "none"):
                told = "is overdue" if one["state"] == "overdue" else "isn't planned"
                yield (unit, one["controls"][0]), f"training of its owner, {one['owner']}, {told}"


@check("training-of-nobody", "note", "Name unit and owner as in controls.csv.")
def _trained_strangers(context: Context) -> Seen:
    """People in training.csv who own no control of that unit: a changed owner, or a name spelt in another way."""
    register = context.register
    owners = {(control["unit_id"], control["owner"]) for control in register.rows("controls")}
    units = set(register.business_units["unit_id"])
    for one in register.rows("training"):
        if one["unit_id"] in units and (one["unit_id"], one["person"]) not in owners:
            yield one, f"{one['person']} owns no control of {one['unit_id']}"


@check("cuec-untold", "act", "Tell clients, and say where in communicated_in.")
def _cuec_untold(context: Context) -> Seen:
    """Complementary user entity controls that nobody told the clients about."""
    for control in context.register.rows("controls"):
        if control["performed_by"] == "user_entity" and pd.isna(control["communicated_in"]):
            yield control, "where clients are told of this control isn't said"


@check("scope-open", "look", "Find out, and answer in scoping.csv.")
def _scope_open(context: Context) -> Seen:
    """Processes for which nobody can say yet which report they belong into."""
    for scope in process_scopes(context.register):
        if scope.soc1 == "open":
            yield (scope.unit_id, scope.process), f"whether it is in scope is open: {scope.reasons[0]}"


@check("scope-without-objective", "act", "State a control objective.")
def _scope_without_objective(context: Context) -> Seen:
    """Processes in scope of SOC 1 that no control objective covers."""
    covered = {(each["unit_id"], each["process"]) for each in context.register.rows("control_objectives")}
    for scope in process_scopes(context.register):
        if scope.soc1 in SOC1 and (scope.unit_id, scope.process) not in covered:
            yield (scope.unit_id, scope.process), "is in scope of SOC 1, but no control objective covers it"


@check("report-unlike-scope", "note", "Change the plan, or record why it differs.")
def _report_type_unlike_scope(context: Context) -> Seen:
    """Units whose planned report isn't the one that the answers propose; without answers nothing is proposed."""
    scopes, answered = process_scopes(context.register), set(context.register.scoping["unit_id"])
    for unit in (each for each in context.register.rows("business_units") if each["unit_id"] in answered):
        found = unit_scope(scopes, unit["unit_id"])
        if found.soc1 not in ("open", unit["report_type"]):
            yield unit, f"{SOC1[unit['report_type']]} is planned; the answers propose: {found.answer}"


@check("report-period-short", "look", "Extend the period, or explain it to clients.")
def _short_type2(context: Context) -> Seen:
    for unit in context.register.rows("business_units"):
        if unit["report_type"] == "type2":
            days = (unit["report_to"] - unit["report_from"]).days + 1
            if days < LEAST_DAYS:
                yield unit, f"its Type 2 report covers {counted(days, 'day')}; clients' auditors expect six months"


_WORSE = (UNMODIFIED, NOT_READY, QUALIFIED, ADVERSE, "disclaimer")


@check("issued-unlike-outlook", "look", "Find out what the service auditor knew, or what is wrong in the register.")
def _issued_unlike_outlook(context: Context) -> Seen:
    """Reports that were issued with a better opinion than the register supports."""
    day = pd.Timestamp(context.as_of)
    for unit in (each for each in context.register.rows("business_units") if each["issued_on"] <= day):
        found = report_outlooks(context, unit["report_type"])[unit["unit_id"]]
        if _WORSE.index(found.opinion) > _WORSE.index(unit["opinion"]):
            issued = f"its report, issued on {unit['issued_on'].date()}, is {unit['opinion']}"
            yield unit, f"{issued}; the outlook from this register is {found.opinion}: {found.because}"


@check(
    "report-items-missing",
    "note",
    "Keep report_items.csv: a report isn't its controls alone, and each part has an owner.",
)
def _report_items_missing(context: Context) -> Seen:
    for unit in context.register.rows("business_units"):
        unknown = [one for one in report_items(context, unit["unit_id"]) if one.status == NOT_ON_RECORD]
        if unknown:
            has = "has" if len(unknown) == 1 else "have"
            told = f"{counted(len(unknown), 'part')} of its report {has} no state on record"
            yield unit, f"{told}: {first_of((one.name for one in unknown), 3)}"
