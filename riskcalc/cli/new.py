"""The commands that begin: a register of one's own, or the sample's pages."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from riskcalc.cli.help import Examples
from riskcalc.errors import UsageError

_ASKED = {
    "organisation": "The organisation's name",
    "unit": "A short name for its first business unit, such as payroll",
    "currency": "Its currency, such as EUR",
    "period": "The period to assess first, such as 2026-H1, 2026-Q3 or 2026",
    "matrix": "The matrix: 3x3, 4x4, 5x5, or a file",
}


_BEGINNING = (
    click.option("--organisation", metavar="NAME", help="The organisation's name."),
    click.option("--unit", metavar="ID", help="A short name for the first business unit."),
    click.option("--currency", metavar="CUR", help="Its currency, such as EUR."),
    click.option("--matrix", metavar="3x3|4x4|5x5|FILE", help="The scales and the matrix; without a terminal: 5x5."),
    click.option("--period", help="The period of the first ratings, such as 2026-H1."),
)


def begins(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what a register begins with."""
    for option in reversed(_BEGINNING):
        command = option(command)
    return command


@click.command(
    cls=Examples,
    epilog="""
    riskcalc new mine  # asks for what it has to know
    riskcalc new mine --organisation "Acme Payroll" --unit payroll --currency EUR --period 2026-H1  # for a script
    riskcalc new mine --matrix 4x4  # the matrix asked for; also CISO Assistant's .yaml, or another methodology.toml
    riskcalc new mine.xlsx --xlsx  # a workbook instead of a folder
    riskcalc new mine --sample  # a copy of the sample register, to try things out
    """,
)
@click.argument("place", metavar="DIR", type=click.Path(path_type=Path))
@begins
@click.option("--xlsx", is_flag=True, help="Write a workbook, DIR.xlsx, instead of a folder.")
@click.option("--sample", is_flag=True, help="Copy the sample register instead.")
def new(place: Path, xlsx: bool, sample: bool, **given: str | None) -> None:
    """Begin a register in DIR: an empty list of risks, a unit, scales and a matrix. Nothing is ever overwritten."""
    from riskcalc.excel.commands import export
    from riskcalc.files import write_whole
    from riskcalc.register.starter import Starter, sample_files

    if sample and (xlsx or any(given.values())):
        raise click.UsageError("--sample copies the sample register into a folder; no other option goes with it.")
    xlsx = xlsx or (place.suffix == ".xlsx" and not sample)
    place = place.with_name(f"{place.name.removesuffix('.xlsx')}.xlsx") if xlsx else place
    _check_free(place)
    if sample:
        _write(place, sample_files())
        click.echo(f"Wrote the sample register to {place}. Its pages: riskcalc run {place}")
        return
    files = Starter(**answers(given)).files()
    if xlsx:
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), files)
            write_whole(place, export(folder))
        click.echo(f"Wrote {place}. Next: a row per risk on the sheets risks and ratings; then: riskcalc run {place}")
        return
    _write(place, files)
    columns = files["risks.csv"].strip().replace(",", ", ")
    click.echo(f"Wrote {', '.join(files)} in {place}.")
    click.echo(f"Next: a line per risk in {place / 'risks.csv'} ({columns}); then: riskcalc run {place}")


@click.command(
    cls=Examples,
    epilog="""
    riskcalc demo  # the sample's pages, in a temporary folder
    riskcalc demo --out demo  # in ./demo, with the register that they were made from
    """,
)
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Where to; default: a temporary folder.")
@click.pass_context
def demo(context: click.Context, out: Path | None) -> None:
    """Show what comes out: copy the sample register, assess it, and name the page to open."""
    from riskcalc.cli.main import run
    from riskcalc.register.starter import sample_files

    if out:
        _check_free(out)
    place = out or Path(tempfile.mkdtemp(prefix="riskcalc-demo-"))
    _write(place / "register", sample_files())
    context.invoke(run, data=str((place / "register").resolve()), out=str((place / "reports").resolve()))


def _check_free(place: Path) -> None:
    """Refuse a place where something is: nothing that people typed is overwritten."""
    if place.is_dir():
        held = sorted(each.name for each in place.iterdir())
        if held:
            more = f" and {len(held) - 3} more" if len(held) > 3 else ""
            raise UsageError(f"{place} holds {', '.join(held[:3])}{more} already; name a folder that is empty or new.")
    elif place.exists() or place.is_symlink():
        raise UsageError(f"{place} is there already; name another.")


def answers(given: dict[str, str | None], matrix: str = "5x5", needless: tuple[str, ...] = ()) -> dict[str, str]:
    """What was given as options; the rest is asked for where somebody is there to answer, but for what is needless."""
    defaults = {"matrix": matrix, **dict.fromkeys(needless, "")}
    if is_terminal():
        asked = {name: text for name, text in _ASKED.items() if name not in needless}
        found = {name: given[name] or click.prompt(text, default=defaults.get(name)) for name, text in asked.items()}
        return {**dict.fromkeys(needless, ""), **found}
    found = {name: given[name] or defaults.get(name, "") for name in _ASKED}
    if missing := [f"--{name}" for name, text in found.items() if not text.strip() and name not in needless]:
        raise UsageError(f"Not given, and nobody to ask without a terminal: {', '.join(missing)}.")
    return found


def is_terminal() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty()


def _write(folder: Path, files: dict[str, str]) -> None:
    from riskcalc.files import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_whole(folder / name, text.encode())
