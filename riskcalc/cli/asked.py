"""What several commands ask, and say of the answer: the period, the day it is seen from, what was left undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from riskcalc.cli.help import PERIODS, UNITS
from riskcalc.errors import RegisterError, UsageError, printable

if TYPE_CHECKING:
    from riskcalc.assessment.context import Context
    from riskcalc.excel.importing import Plan
    from riskcalc.register.periods import Period
    from riskcalc.register.register import Register


PATH = click.Path(path_type=Path)
data_argument = click.argument("data", default="data")
file_argument = click.argument("file", type=PATH)


def unit_option(told: str, name: str = "unit") -> Callable[[Any], Any]:
    """``--unit``, for one."""
    return click.option("--unit", name, default="", metavar="ID", shell_complete=UNITS, help=told)


def units_option(told: str = "Only this unit; may be given again.") -> Callable[[Any], Any]:
    """``--unit``, for any number of them."""
    return click.option("--unit", "units", multiple=True, metavar="ID", shell_complete=UNITS, help=told)


def audience_option(told: str, default: str = "") -> Callable[[Any], Any]:
    """``--audience``, by name."""
    return click.option("--audience", default=default, show_default=default != "", metavar="NAME", help=told)


def period_option(use: str) -> Callable[[Any], Any]:
    """``--period``, for a command that makes this use of it."""
    told = f"The period to {use}, such as 2026-H1; default: the latest that is at least half rated."
    return click.option("--period", default="", shell_complete=PERIODS, help=told)


def _day(_: click.Context, __: click.Parameter, text: str) -> str:
    """``today`` as a date; what is computed never looks at the calendar itself."""
    return date.today().isoformat() if text == "today" else text


def _seen_from(default: str, told: str) -> Callable[[Any], Any]:
    shown = default != ""
    return click.option("--as-of", default=default, show_default=shown, metavar="DATE|today", callback=_day, help=told)


as_of_option = _seen_from(
    "",
    "The day that dues and acceptances are seen from; default: the period's last, or that of its latest test or "
    "rating if that is later. While the period runs, give today.",
)
today_option = _seen_from("today", "The day that the register is seen from.")
apply_option = click.option("--apply", "apply_", is_flag=True, help="Write it; without, it is shown only.")
expect_option = click.option(
    "--expect", default="", metavar="TOKEN", help="Apply only what a dry run, which printed this, has shown."
)


def context_of(data: str, period: str, as_of: str) -> Context:
    """The register in DATA, in a period, seen from a day."""
    from riskcalc.assessment.context import Context
    from riskcalc.assessment.opening import as_day
    from riskcalc.register.register import load

    return Context.of(load(data, period), period, as_day(as_of, "--as-of"))


def taken_over(file: Path, made: Plan, agreed: Callable[[], bool], expect: str, how: str = "") -> bool:
    """Show what an import of a file would change, and write it if that is ``agreed``; whether it was written.

    ``how`` is what to type to write it; by default --apply with the plan's token. Raises RegisterError where something
    is wrong with it, UsageError where it isn't the one that is expected.
    """
    from riskcalc.excel import importing

    for line in importing.told(made):
        click.echo(printable(line, most=100_000))
    if made.problems:
        raise RegisterError(made.problems, file)
    if not made.files:
        click.echo("Nothing to write.")
        return False
    if not agreed():
        click.echo(f"Nothing was written. To write exactly this: {how or f'--apply --expect {made.token}'}")
        return False
    if expect and expect != made.token:
        told = f"{file} or {made.folder} has changed since the dry run that said {expect}; nothing was written."
        raise UsageError(told)
    importing.apply(made)
    click.echo(f"Wrote {', '.join(sorted(made.files))} in {made.folder}.")
    return True


def seen(register: Register, period: Period, as_of: date, asked: str, dues: bool = True) -> str:
    """Which period it is, from which day it is seen, and, where it wasn't ``asked`` for, why it is this one.

    Where ``dues`` are told, that a day which is still to come makes them look late.
    """
    from riskcalc.register.periods import reason

    told = f"{period.name} seen from {as_of}"
    later = "; ratings of later days count for this choice only" if _rated_later(register, period, as_of) else ""
    told += "" if asked or not register.periods else f" ({reason(register.periods)}{later})"
    if dues and as_of > date.today():
        told += "; that day is still to come, and what falls due before it reads as past due: give --as-of today"
    return told


def _rated_later(register: Register, period: Period, as_of: date) -> bool:
    """Whether a rating that the choice of the period counts is of a later day than it is seen from."""
    if as_of >= period.as_of:
        return False
    ratings = register.ratings[register.ratings["likelihood"].notna()]
    return any(day.date() > as_of for day in ratings["rated_on"].dropna())


def finish_first(folder: Path) -> None:
    """Ask whether a change of a register's files that was interrupted is to be finished; raises UsageError if not."""
    from riskcalc.excel import importing
    from riskcalc.register.editing import interrupted, unfinished

    if left := unfinished(folder):
        click.echo(f"A change of several files in {folder} was interrupted: {', '.join(left)}.")
        if not click.confirm("Finish it now?"):
            raise UsageError(interrupted(folder))
        importing.finish(folder, left)
