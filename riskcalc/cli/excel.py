"""The commands around Excel: a template to fill in, a workbook with the results, and the way back."""

from __future__ import annotations

from pathlib import Path

import click

from riskcalc.cli import asked
from riskcalc.cli.help import Group
from riskcalc.cli.new import answers, begins, is_terminal
from riskcalc.errors import UsageError, printable

_OUT = click.argument("out", type=asked.PATH)
_OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace OUT if it is there.")


@click.group(cls=Group)
def excel() -> None:
    """Keep the register in a workbook, or take one over; riskcalc run, check and plan read .xlsx as well."""


@excel.command()
@_OUT
@click.argument("data", required=False)
@_OVERWRITE
def template(out: Path, data: str | None, overwrite: bool) -> None:
    """Write an empty register to OUT, an .xlsx to fill in: drop-downs, notes, instructions."""
    from riskcalc.excel import commands

    _check_out(out, overwrite)
    _write(out, commands.template(data))


@excel.command()
@_OUT
@asked.data_argument
@asked.period_option("show results of")
@asked.as_of_option
@asked.audience_option("board, auditor or unit: for these readers only; what isn't for them is withheld.")
@asked.unit_option("With --audience: this unit's rows only.", "unit_id")
@_OVERWRITE
def export(out: Path, data: str, period: str, as_of: str, audience: str, unit_id: str, overwrite: bool) -> None:
    """Write the register in DATA and its results to OUT, an .xlsx.

    It holds all there is, unless --audience says who gets it: then, what isn't for them is in no part of it.
    """
    from riskcalc.assessment.opening import as_day
    from riskcalc.excel import commands

    _check_out(out, overwrite)
    _write(out, commands.export(data, period, as_day(as_of, "--as-of"), audience, unit_id))


@excel.command("import")
@asked.file_argument
@click.option(
    "--into",
    default=Path("data"),
    show_default=True,
    metavar="DATA",
    type=asked.PATH,
    help="The register's folder; made if it isn't there.",
)
@asked.apply_option
@click.option("--yes", is_flag=True, help="Take it over as shown, without asking.")
@click.option(
    "--map",
    "mapping",
    metavar="FILE",
    type=asked.PATH,
    help="A mapping file, for columns with other names; see docs/excel.md.",
)
@click.option("--sheet", default="", metavar="NAME", help="Of a list: the sheet it stands on, if there are several.")
@click.option("--delete-missing", is_flag=True, help="Take away rows that only DATA has; default: they stay.")
@asked.expect_option
@begins
def take_over(
    file: Path,
    into: Path,
    apply_: bool,
    yes: bool,
    mapping: Path | None,
    sheet: str,
    delete_missing: bool,
    expect: str,
    **given: str | None,
) -> None:
    """Take what is in FILE over into the CSV files in DATA: shown first, then written, all or nothing.

    FILE is a register as .xlsx, or a plain list of risks, .xlsx or .csv: which of its columns are which is proposed,
    and kept in DATA for the next time. Where DATA is no register yet, the list begins one; the options of riskcalc
    new say what it is called. With --map, FILE may be any .xlsx or .csv whose rows are risks, controls and the like.
    """
    from riskcalc.excel import importing, lists
    from riskcalc.files import write_whole

    asked.finish_first(into)
    found = lists.found(file, into, mapping, sheet, given)
    for line in found.told:
        click.echo(printable(line))
    begin = found.begin(answers(given, found.matrix, found.needless)) if found.begins else None
    made = importing.plan(file, into, found.mapping(given["period"]), delete_missing, begin)

    def agreed() -> bool:
        return apply_ or yes or (found.kept is not None and is_terminal() and click.confirm("Take it over so?"))

    if asked.taken_over(file, made, agreed, expect, "--yes" if found.kept else "") and found.kept:
        write_whole(found.kept, found.text.encode())
        click.echo(f"Kept the mapping for the next time: {found.kept}. Next: riskcalc run {into}")


def _check_out(out: Path, overwrite: bool) -> None:
    if out.suffix.lower() != ".xlsx":
        raise UsageError(f"{out}: a workbook's name ends with .xlsx.")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} is there already; give --overwrite to replace it, with what was typed into it.")


def _write(out: Path, content: bytes) -> None:
    from riskcalc.files import write_whole

    write_whole(out, content)
    click.echo(f"Wrote {out}.")
