"""What several commands ask, and say of the answer: the period, the day it is seen from, what was left undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from riskcalc.cli.help import PERIODS
from riskcalc.errors import UsageError

if TYPE_CHECKING:
    from riskcalc.register.periods import Period
    from riskcalc.register.register import Register


def period_option(use: str) -> Callable[[Any], Any]:
    """``--period``, for a command that makes this use of it."""
    told = f"The period to {use}, such as 2026-H1; default: the latest that is at least half rated."
    return click.option("--period", default="", shell_complete=PERIODS, help=told)


def _day(_: click.Context, __: click.Parameter, text: str) -> str:
    """``today`` as a date; what is computed never looks at the calendar itself."""
    return date.today().isoformat() if text == "today" else text


as_of_option = click.option(
    "--as-of",
    default="",
    metavar="DATE|today",
    callback=_day,
    help="The day that dues and acceptances are seen from; default: the period's last, or that of its latest test or "
    "rating if that is later. While the period runs, give today.",
)


def seen(register: Register, period: Period, as_of: date, asked: str, dues: bool = True) -> str:
    """Which period it is, from which day it is seen, and, where it wasn't ``asked`` for, why it is this one.

    Where ``dues`` are told, that a day which is still to come makes them look late.
    """
    from riskcalc.register.periods import reason

    told = f"{period.name} seen from {as_of}"
    told += "" if asked or not register.periods else f" ({reason(register.periods)})"
    if dues and as_of > date.today():
        told += "; that day is still to come, and what falls due before it reads as past due: give --as-of today"
    return told


def finish_first(folder: Path) -> None:
    """Ask whether a change of a register's files that was interrupted is to be finished; raises UsageError if not."""
    from riskcalc.excel import importing
    from riskcalc.register.editing import interrupted, unfinished

    if left := unfinished(folder):
        click.echo(f"A change of several files in {folder} was interrupted: {', '.join(left)}.")
        if not click.confirm("Finish it now?"):
            raise UsageError(interrupted(folder))
        importing.finish(folder, left)
