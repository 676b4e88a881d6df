"""Another name for a unit, a risk, a control or an objective, everywhere at once."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from riskcalc.cli.asked import apply_option, data_argument, finish_first
from riskcalc.cli.help import Examples
from riskcalc.errors import UsageError, counted, printable

if TYPE_CHECKING:
    from riskcalc.run.leftovers import Leftover
    from riskcalc.workshop.decision_log import Kind


@click.command(cls=Examples)
@click.argument("kind", type=click.Choice(["unit", "risk", "control", "objective"]))
@click.argument("old")
@click.argument("new")
@data_argument
@apply_option
@click.option("--by", default="", metavar="NAME", help="Who renames, as the log has it; default: who is logged in.")
@click.option("--out", default="reports", show_default=True, metavar="DIR", help="Where the pages of runs are.")
def rename(kind: Kind, old: str, new: str, data: str, apply_: bool, by: str, out: str) -> None:
    """Give the unit, risk, control or objective OLD in DATA the name NEW: in every table, kept mapping, log and vote.

    Texts that mention it stay as they are. Of a unit, the pages under the old name are taken away.
    """
    from riskcalc.excel.lists import renamed_mappings
    from riskcalc.files import write_whole
    from riskcalc.register import editing
    from riskcalc.register.register import changed, find_folder, load
    from riskcalc.register.renaming import renaming
    from riskcalc.run.leftovers import leftovers, take_away

    folder = find_folder(data)
    finish_first(folder)
    seen = editing.contents(folder)
    register, source = load(folder), str(folder.resolve())
    made = renaming(folder, kind, old, new, seen)
    files = {**made.files, **_logged(folder, kind, old, new, by)}
    after = changed(folder, files)
    mappings = renamed_mappings(folder, f"{kind}_id", old, new)
    periods = [each.name for each in register.periods]
    found = leftovers(out, periods, source, old) if kind == "unit" else []
    for name, rows in made.rows.items():
        click.echo(f"{name}: {counted(rows, 'row')}")
    if editing.LOG in files:
        click.echo(f"{editing.LOG}: 1 entry more; what stands before it is read under the new name")
    for path in mappings:
        click.echo(f"{path.name}: knows it under the new name")
    for line in map(_told, found):
        click.echo(printable(line))
    if not apply_:
        click.echo("Nothing was written; --apply does it.")
        return
    with _votes(folder, kind, old, new):
        editing.replace_seen(folder, files, seen)
    for path, content in mappings.items():
        write_whole(path, content)
    click.echo(f"{printable(old)} is {printable(new)} now in {folder}; pages say so after their next run.")
    if left := take_away(found, source, list(dict.fromkeys(after.business_units["unit_id"]))):
        raise UsageError(f"Can't be removed, and out of date: {', '.join(left)}. The next run tries again.")


def _told(left: Leftover) -> str:
    audience = f" --audience {left.audience}" if left.audience else ""
    again = f"riskcalc run --period {left.period}{audience} makes them anew"
    return f"{left.place}: {', '.join(left.files)} and index.html go; {again}"


def _logged(folder: Path, kind: Kind, old: str, new: str, by: str) -> dict[str, bytes]:
    """The decisions' log with an entry that tells of it, where there is a log."""
    from riskcalc.register.editing import LOG

    if not (folder / LOG).is_file():
        return {}
    from riskcalc.workshop import decision_log

    if decision_log.pending(folder):
        raise UsageError("A decision is on its way into ratings.csv; open its workshop, which completes it, first.")
    who = by.strip() or getpass.getuser()
    entry = decision_log.Renamed("rename", kind, old, new, decision_log.now().isoformat(), who)
    return {LOG: decision_log.appended(folder, entry)[0].encode()}


@contextmanager
def _votes(folder: Path, kind: str, old: str, new: str) -> Iterator[None]:
    """The votes on it follow, where there are any, if what is done meanwhile ends well."""
    address = os.environ.get("RISKCALC_VOTES", "")
    if kind not in ("unit", "risk") or not (address or (folder / "workshop.sqlite").is_file()):
        yield
        return
    from riskcalc.workshop.session import votes_address
    from riskcalc.workshop.store import Store

    store = Store(votes_address(folder, address), create=False)
    try:
        with store.renamed(kind, old, new):
            yield
    finally:
        store.close()
