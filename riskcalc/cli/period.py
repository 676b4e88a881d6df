"""From one period to the next: what there is to do in it, and its ratings to confirm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from riskcalc.cli.asked import apply_option, data_argument, finish_first
from riskcalc.cli.help import Group
from riskcalc.errors import counted, printable

if TYPE_CHECKING:
    from riskcalc.assessment.context import Context
    from riskcalc.assessment.sample_plans import Planned
    from riskcalc.register.next_period import Opening


def planned_line(planned: Planned) -> str:
    """A planned sample in a line."""
    unit, control = printable(planned.unit_id), printable(planned.control_id)
    return f"{unit:<12} {control:<10} {planned.frequency:<10} {planned.size:>4}  {planned.buys}"


def by_look_back(context: Context, units: tuple[str, ...] = ()) -> str:
    """Which units have no report that reaches into the period, and what is tested then; blank where all have one."""
    from riskcalc.assessment.sample_plans import without_report

    without = ", ".join(without_report(context, units))
    told = f"No report reaches into {context.period.name}; sizes are those of the look-back: {without}."
    return told if without else ""


@click.group(cls=Group)
def period() -> None:
    """From one period to the next."""


@period.command("open")
@click.argument("name", metavar="PERIOD")
@data_argument
@apply_option
def open_period(name: str, data: str, apply_: bool) -> None:
    """Open PERIOD: the ratings of the one before become proposals in DATA/ratings.csv, to be confirmed risk by risk.

    A proposal counts as unrated until likelihood and impact are filled in. Shown as well are the tests that are due,
    the deficiencies that are carried over, and the units whose report dates are to be set.
    """
    from riskcalc.assessment.context import Context
    from riskcalc.register import editing
    from riskcalc.register.next_period import opening
    from riskcalc.register.periods import to_come
    from riskcalc.register.register import changed, find_folder, load

    folder = find_folder(data)
    finish_first(folder)
    files = editing.contents(folder)
    register = load(folder)
    made = opening(register, to_come(register.periods, name), files)
    for line in _told(made, Context.of(register, name, new=True)):
        click.echo(printable(line, most=100_000))
    if not made.files:
        click.echo(f"{name} is open: every risk has a row of ratings in it. Nothing to write.")
    elif not apply_:
        click.echo("Nothing was written; --apply does it.")
    else:
        changed(folder, made.files)
        editing.replace_seen(folder, made.files, files)
        click.echo(f"Wrote {', '.join(made.files)} in {folder}.")
        click.echo(f"Until half of its risks are rated, {name} is looked at where it is asked for: --period {name}.")


def _told(made: Opening, context: Context) -> Iterator[str]:
    """What there is to do in a period, in words."""
    name, register = made.period.name, context.register
    source = f" from {made.before.name}" if made.before else ""
    proposed = {risk: " x ".join(pair) for risk, pair in made.proposals.items() if pair}
    yield f"{name}, {made.period.first_day} to {made.period.last_day}."
    if register.periods[-1:] and register.periods[-1].last_day > made.period.last_day:
        yield f"Is {name} meant? It is earlier than {register.periods[-1].name}, which is opened already."
    yield f"{counted(len(proposed), 'rating')}{source} to confirm, {len(made.proposals) - len(proposed)} to rate anew."
    for unit_id, risks in register.risks.groupby("unit_id", sort=False)["risk_id"]:
        rows = [f"{risk} {proposed.get(risk, 'unrated')}" for risk in risks if risk in made.proposals]
        yield from [f"  {unit_id}: {', '.join(rows)}"] if rows else []
    yield from _tests(context)
    yield from _carried_over(context)
    yield from _reports(context)


def _tests(context: Context) -> Iterator[str]:
    from riskcalc.assessment.sample_plans import plan, without_report

    plans, units = plan(context), context.register.rows("business_units")
    told = f"{counted(len(plans), 'control')} to test, {counted(sum(each.size for each in plans), 'item')}"
    reporting = sum(unit["report_type"] == "type2" for unit in units) > len(without_report(context))
    look_back, so_far = by_look_back(context), "ests of the report so far count"
    yield f"{told}; t{so_far}." if reporting and not look_back else f"{told}."
    if look_back:
        yield look_back
        yield from [f"T{so_far} for other units."] if reporting else []
    yield from (f"  {planned_line(each)}" for each in plans)


def _carried_over(context: Context) -> Iterator[str]:
    """The deficiencies that were open as the period began."""
    from pandas import isna

    known = replace(context, as_of=context.period.first_day - timedelta(1)).open_deficiencies
    yield f"{counted(len(known), 'open deficiency')} carried over."
    for row in known:
        closed = "" if isna(row["closed_on"]) else f"; closed on {row['closed_on']:%Y-%m-%d}"
        due = f"due {row['due_on']:%Y-%m-%d}, {row['remediation_owner']}{closed}"
        yield f"  {row['deficiency_id']} of {row['control_id']}: {due}"


def _reports(context: Context) -> Iterator[str]:
    first = context.period.first_day
    ends = {unit["unit_id"]: unit["report_to"].date() for unit in context.register.rows("business_units")}
    if early := [unit_id for unit_id, end in ends.items() if end < first]:
        kept = f"(valid_from, the row before ending with valid_to {first - timedelta(1)})"
        yield f"Report dates to set in business_units.csv, {counted(len(early), 'unit')}; in a row from {first} on"
        yield f"{kept}, pages of earlier periods keep theirs."
        yield from (f"  {unit_id}: its report ends on {ends[unit_id]}" for unit_id in early)
