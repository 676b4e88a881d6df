"""The commands around a workshop: the ballots' address, votes from elsewhere, the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from riskcalc.cli.asked import data_argument, unit_option
from riskcalc.cli.help import PERIODS, Group
from riskcalc.errors import UsageError, counted

if TYPE_CHECKING:
    from riskcalc.workshop.session import Workshop

_UNIT = unit_option("The business unit; may be left out if there is only one.")
_PERIOD = click.option(
    "--period", default="", shell_complete=PERIODS, help="The period that is rated; default: the latest that is opened."
)
_VOTES = click.option(
    "--votes", default="", metavar="ADDRESS", envvar="RISKCALC_VOTES", help="The votes' database; default: beside DATA."
)


@click.group(cls=Group)
def workshop() -> None:
    """Rate risks together: notebooks/workshop.ipynb is the facilitator's, these commands go with it."""


@workshop.command()
@data_argument
@_UNIT
@_VOTES
@click.option("--listen", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="The port; default: a free one.")
@click.option("--notebooks", metavar="DIR", help="Another ballot.ipynb; default: ./notebooks, else the package's.")
def ballots(data: str, unit: str, votes: str, listen: str, port: int, notebooks: str | None) -> None:
    """Serve the ballots, and print the address to share with participants; Ctrl-C ends it."""
    from riskcalc.register.register import find_folder
    from riskcalc.workshop.ballot_server import serve
    from riskcalc.workshop.session import votes_address
    from riskcalc.workshop.store import Store

    address = votes_address(find_folder(data), votes)
    Store(address).close()  # made before anybody votes; an address that leads nowhere is told of at once
    serve(address, click.echo, unit, listen, port, notebooks)


@workshop.command("votes")
@click.argument("file")
@data_argument
@_UNIT
@_PERIOD
@_VOTES
def take_votes(file: str, data: str, unit: str, period: str, votes: str) -> None:
    """Take votes that were collected elsewhere into the workshop under way: all of them, or, with reasons, none."""
    from riskcalc.workshop.vote_import import import_votes

    number = import_votes(_under_way(data, unit, period, votes), file)
    click.echo(f"{counted(number, 'vote')} {'is' if number == 1 else 'are'} in.")


@workshop.command()
@data_argument
@_UNIT
@_PERIOD
@_VOTES
@click.option("--out", default="reports", show_default=True, help="Where the pages go.")
def record(data: str, unit: str, period: str, votes: str, out: str) -> None:
    """Write the record of the unit's latest workshop as a page."""
    from riskcalc.workshop import record

    click.echo(f"Open {record.write(_under_way(data, unit, period, votes, ended=True), out)}")


def _under_way(data: str, unit: str, period: str, votes: str, ended: bool = False) -> Workshop:
    from riskcalc.register.register import load
    from riskcalc.workshop.session import open_workshop

    units = list(dict.fromkeys(load(data).business_units["unit_id"]))
    if not unit and len(units) != 1:
        raise UsageError(f"Which unit? Give --unit; there are: {', '.join(units)}.")
    found = open_workshop(unit or units[0], period, data, votes, ended=ended)
    if found is None:
        raise UsageError(f"There is no workshop on {unit or units[0]}; begin one in notebooks/workshop.ipynb.")
    return found
