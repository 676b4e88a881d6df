"""The commands of exchange: formats for other programs, and what they give back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from riskcalc.cli import asked
from riskcalc.cli.help import Examples, Group
from riskcalc.errors import UsageError, counted

_AUDIENCE = asked.audience_option("What isn't for them is withheld; default: nothing is.")
_INTO = click.option("--into", required=True, metavar="DATA", type=asked.PATH, help="The register's folder.")
_OUT = click.option("--out", required=True, metavar="DIR", type=asked.PATH, help="Where the files go.")


@click.group("export", cls=Group)
def export() -> None:
    """Write the register and its results in formats that other programs read; for a workbook: riskcalc excel export."""


@export.command()
@asked.data_argument
@_OUT
@asked.period_option("export")
@asked.as_of_option
@asked.audience_option("Who gets the files: what isn't for them is withheld; blank: nothing is.", "auditor")
@asked.unit_option("This unit's part only.", "unit_id")
def oscal(data: str, out: Path, period: str, as_of: str, audience: str, unit_id: str) -> None:
    """Write OSCAL 1.2.1: catalog, component definition, assessment results, plan of action and milestones.

    The objectives, the controls with their mappings, management's tests with what they show, and what is to be mended.
    """
    from riskcalc.exchange import oscal as written
    from riskcalc.register.audiences import find

    readers = find(audience)
    if not (readers.whole or unit_id):
        raise UsageError(f"The audience {audience!r} sees one unit: name it with --unit.")
    context = asked.context_of(data, period, as_of)
    files = written.documents(context.only(unit_id) if unit_id else context, readers)
    _write(out, {name: files.get(name) for name in written.FILES})


@click.group("import", cls=Group)
def take_over() -> None:
    """Take over what other programs have written; riskcalc excel import takes over lists and workbooks."""


@take_over.command("oscal")
@asked.file_argument
@_INTO
@click.option(
    "--default",
    "defaults",
    multiple=True,
    metavar="COLUMN=TEXT",
    help="What stands in a column of new rows where FILE says nothing; may be given again.",
)
@asked.apply_option
@asked.expect_option
def take_over_oscal(file: Path, into: Path, defaults: tuple[str, ...], apply_: bool, expect: str) -> None:
    """Take over an OSCAL catalog as control objectives, or a component definition as controls and mappings.

    Rows that the register has are known again by their id; only what FILE says of them is changed.
    """
    from riskcalc.exchange.oscal_import import plan

    if wrong := next((each for each in defaults if "=" not in each), ""):
        raise UsageError(f"--default {wrong}: allowed: COLUMN=TEXT, such as unit_id=payroll.")
    asked.finish_first(into)
    asked.taken_over(file, plan(file, into, dict(each.split("=", 1) for each in defaults)), lambda: apply_, expect)


@take_over.command("crosswalk")
@asked.file_argument
@_INTO
@asked.apply_option
@asked.expect_option
def take_over_crosswalk(file: Path, into: Path, apply_: bool, expect: str) -> None:
    """Take over a mapping set between frameworks: a CSV file of framework, reference, to_framework, to_reference.

    A control that is mapped to one side gets a mapping to the other, named as one through the first: a candidate.
    """
    from riskcalc.exchange.crosswalk import plan

    asked.finish_first(into)
    asked.taken_over(file, plan(file, into), lambda: apply_, expect)


def _write(out: Path, files: Mapping[str, bytes | None]) -> None:
    """Write files into a folder; of an earlier export, one that isn't there any more is taken away."""
    from riskcalc.files import write_whole

    try:
        for name, content in files.items():
            if content is None:
                (out / name).unlink(missing_ok=True)
            else:
                (out / name).parent.mkdir(parents=True, exist_ok=True)
                write_whole(out / name, content)
    except OSError as error:
        raise UsageError(f"{out}: can't write there: {error.strerror}.") from None
    click.echo(f"Wrote {counted(sum(each is not None for each in files.values()), 'file')} in {out}.")


@click.command(cls=Examples)
@_OUT
def schema(out: Path) -> None:
    """Write the JSON Schemas of what riskcalc run, check --json, answer draft and export trust-centre leave."""
    from riskcalc.answers.drafts import Decision, Drafted
    from riskcalc.exchange.schemas import schemas

    _write(out, schemas(draft=Drafted, decision=Decision))


@export.command()
@asked.data_argument
@_OUT
@click.option("--format", "kind", default="csv", show_default=True, type=click.Choice(["csv", "parquet"]))
@asked.as_of_option
@_AUDIENCE
def tidy(data: str, out: Path, kind: str, as_of: str, audience: str) -> None:
    """Write tidy tables of all periods for dashboards: scores, lines, controls, tests, findings, and a dictionary."""
    from riskcalc.assessment.opening import as_day
    from riskcalc.exchange.tidy import files
    from riskcalc.register.audiences import find
    from riskcalc.register.register import load

    _write(out, files(load(data), find(audience), as_day(as_of, "--as-of"), kind == "parquet"))


@export.command("trust-centre")
@asked.data_argument
@_OUT
@asked.period_option("tell of")
@asked.as_of_option
@click.option("--audience", default="public", show_default=True, type=click.Choice(["public", "client"]))
def trust_centre(data: str, out: Path, period: str, as_of: str, audience: str) -> None:
    """Write the trust centre: a page, the public documents beside it, a feed of what changed (Atom), and trust.json.

    Nothing is served: put the folder where readers are. It tells how things stood on the day of --as-of, by default the
    period's. riskcalc run --audience public makes a page per unit as well.
    """
    from riskcalc.exchange.trust import files, later
    from riskcalc.pages.trust_centre import open_statement
    from riskcalc.register.register import load

    statement = open_statement("", period, data, as_of, audience=audience)
    _write(out, files(statement))
    click.echo(f"It tells how things stood on {statement.context.as_of}.")
    if found := later(load(data, period), statement):
        told = ", ".join(counted(number, noun) for noun, number in found.items())
        click.echo(f"Dated later, and not told: {told}; --as-of today tells of all that is past.", err=True)


@export.command()
@click.argument("platform", type=click.Choice(["ciso-assistant", "simplerisk"]))
@asked.data_argument
@_OUT
@asked.period_option("export")
@asked.as_of_option
@_AUDIENCE
def risks(platform: str, data: str, out: Path, period: str, as_of: str, audience: str) -> None:
    """Write the risks as another platform imports them; its export comes back by riskcalc excel import --map."""
    from riskcalc.exchange.platforms import files
    from riskcalc.register.audiences import find

    _write(out, files(platform, asked.context_of(data, period, as_of), find(audience)))
