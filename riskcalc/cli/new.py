"""The commands that begin: a register of one's own, the sample's pages, the notebooks."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from pathlib import Path

import click

from riskcalc.cli.asked import PATH
from riskcalc.cli.help import Examples
from riskcalc.errors import RegisterError, RiskcalcError, UsageError, first_of

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


@click.command(cls=Examples)
@click.argument("place", metavar="DIR", type=PATH)
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
    answered = answers(given)
    files = Starter(**answered).files()
    tell_left(answered)
    if xlsx:
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), {name: _with_all_columns(name, text) for name, text in files.items()})
            write_whole(place, export(folder))
        click.echo(f"Wrote {place}. Next: a row per risk on the sheets risks and ratings; then: riskcalc run {place}")
        return
    _write(place, files)
    columns = files["risks.csv"].strip().replace(",", ", ")
    click.echo(f"Wrote {', '.join(files)} in {place}.")
    click.echo(f"Next: a line per risk in {place / 'risks.csv'} ({columns}); then: riskcalc run {place}")


@click.command(cls=Examples)
@click.option("--out", metavar="DIR", type=PATH, help="Where to; default: a temporary folder.")
@click.pass_context
def demo(context: click.Context, out: Path | None) -> None:
    """Show what comes out: copy the sample register, assess it, and name the page to open."""
    from riskcalc.cli.main import run
    from riskcalc.register.starter import sample_files

    if out:
        _check_free(out)
    place = out or Path(tempfile.mkdtemp(prefix="riskcalc-demo-"))
    _write(place / "register", sample_files())
    where = {"data": str((place / "register").resolve()), "out": str((place / "reports").resolve())}
    context.invoke(run, **where, audiences=("",))  # invoked so, an option's own default isn't read


@click.command(cls=Examples)
@click.argument("place", metavar="[DIR]", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("options", metavar="[-- OPTIONS]", nargs=-1)
def lab(place: Path, options: tuple[str, ...]) -> None:
    """Open JupyterLab in DIR, with a copy of each notebook in DIR/notebooks that isn't there yet.

    A notebook that is there stays as it is: what runs from DIR takes those, so they are yours to adapt.
    """
    from jupyterlab.labapp import LabApp

    from riskcalc.notebook_files import packaged

    for line in _copied({path.name: path.read_text("utf-8") for path in sorted(packaged().glob("*.ipynb"))}, place):
        click.echo(line)
    LabApp.launch_instance(
        [f"--ServerApp.root_dir={place.resolve()}", "--LabApp.default_url=/lab/tree/notebooks", *options]
    )


def guides() -> Path:
    """The folder of the guides that came with the package, or that stand beside it in a checkout."""
    package = Path(str(resources.files("riskcalc")))
    return package / "guides" if (package / "guides").is_dir() else package.parent / "docs"


def _copied(books: dict[str, str], place: Path) -> Iterator[str]:
    """Write the notebooks that aren't there, and say so; also which are there, but not as this version has them."""
    folder = place / "notebooks"
    missing = {name: text for name, text in books.items() if not (folder / name).exists()}
    others = [name for name in books.keys() - missing.keys() if (folder / name).read_bytes() != books[name].encode()]
    _write(folder, missing)
    if missing:
        yield f"Copied {', '.join(missing)} to {folder}."
    if others:
        yield f"Kept in {folder}, though different from those of this version: {', '.join(sorted(others))}."


def _check_free(place: Path) -> None:
    """Refuse a place where something is: nothing that people typed is overwritten."""
    if place.is_dir():
        held = sorted(each.name for each in place.iterdir())
        if held:
            raise UsageError(f"{place} holds {first_of(held, 3)} already; name a folder that is empty or new.")
    elif place.exists() or place.is_symlink():
        raise UsageError(f"{place} is there already; name another.")


def answers(given: dict[str, str | None], matrix: str = "5x5", needless: tuple[str, ...] = ()) -> dict[str, str]:
    """What was given as options; the rest is asked for where somebody is there to answer, but for what is needless."""
    asked, there = {name: text for name, text in _ASKED.items() if name not in needless}, is_terminal()
    found = {name: given[name] or (matrix if name == "matrix" else "") for name in asked}
    if there:
        for name in (name for name in asked if not given[name]):
            found[name] = click.prompt(asked[name], default=found[name] or None, value_proc=partial(_fitting, name))
    elif missing := [f"--{name}" for name, text in found.items() if not text.strip()]:
        raise UsageError(f"Not given, and nobody to ask without a terminal: {', '.join(missing)}.")
    return {**dict.fromkeys(needless, ""), **found}


def _fitting(name: str, text: str) -> str:
    """An answer that a register can begin with; for another one click says why, and asks again."""
    from riskcalc.register.starter import Starter

    fine = {"organisation": "A", "unit": "a", "currency": "EUR", "period": "2026", "matrix": "5x5"}
    try:
        Starter(**{**fine, name: text}).files()
    except RegisterError as error:
        raise click.UsageError(f"{text!r}: {error.problems[0].allowed}.") from None
    except RiskcalcError as error:
        raise click.UsageError(str(error)) from None
    return text


def tell_left(answered: dict[str, str]) -> None:
    """Say what of the file that was named for its matrix isn't taken."""
    from riskcalc.register.starter import Starter

    if left := Starter(**answered).left():
        told = f"Of {answered['matrix']} the scales and the matrix are taken, but not: {', '.join(left)}."
        click.echo(f"{told} What is to hold here, too, is for you to copy into methodology.toml.", err=True)


def is_terminal() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty()


def _with_all_columns(name: str, text: str) -> str:
    """A file of a register with every column that its table may have: on a sheet, nobody looks them up."""
    from riskcalc.register.editing import widened
    from riskcalc.register.tables import TABLES

    header, table = text.partition("\n")[0].split(","), TABLES.get(name.removesuffix(".csv"))
    return widened(text, [column for column in table.model_fields if column not in header]) if table else text


def _write(folder: Path, files: dict[str, str]) -> None:
    from riskcalc.files import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_whole(folder / name, text.encode())
