"""The command line. Commands import what they need when they run, so that ``--help`` answers at once."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from riskcalc.cli.answer import answer
from riskcalc.cli.asked import PATH, as_of_option, data_argument, period_option, seen, units_option
from riskcalc.cli.endings import BAD_INPUT, BREACH, INTERRUPTED, WRONG, Summarised, ending, write_summary
from riskcalc.cli.excel import excel
from riskcalc.cli.exchange import export, schema, take_over
from riskcalc.cli.help import CONTROLS, Group
from riskcalc.cli.new import demo, guides, lab, new
from riskcalc.cli.period import by_look_back, period, planned_line
from riskcalc.cli.rename import rename
from riskcalc.cli.workshop import workshop
from riskcalc.errors import RegisterError, RiskcalcError, counted, printable
from riskcalc.version import __version__

if TYPE_CHECKING:
    from riskcalc.assessment.context import Context
    from riskcalc.pages.pdf import Printer
    from riskcalc.run.batch import Programme, Report, Request
    from riskcalc.run.engines import Ways


_READERS = ("internal", "board", "auditor", "unit", "client", "public")  # whom a run makes pages for


class Commands(Group):
    """The commands; a user's mistake ends any of them with a message and exit code 2, never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            found = ending(error)
            if found is None or (isinstance(error, BrokenPipeError) and ctx.invoked_subcommand in ("check", "plan")):
                raise  # the last: click ends quietly where the reader has seen enough, as in `plan | head`
            click.echo(found[0], err=True)
            sys.exit(found[1])


def _shard(context: click.Context, option: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """``2/4`` as (2, 4)."""
    if text is None:
        return None
    number, of = text.split("/", 1) if "/" in text else (text, "")
    if number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of):
        return int(number), int(of)
    raise click.BadParameter(f"{text!r}; allowed: I/N with I from 1 to N, such as 2/4.", context, option)


def _audiences(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """``board,public`` as ("board", "public"); whoever may see all is ""."""
    names = tuple(dict.fromkeys(name.strip() for text in given for name in text.split(",")))
    for name in names:
        if name not in _READERS:
            raise click.BadParameter(f"{name!r}; allowed: {', '.join(_READERS)}.", context, option)
    return tuple("" if name == "internal" else name for name in names) or ("",)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"\b\nThe guides are in\n  {guides()}",
)
@click.version_option(__version__, prog_name="riskcalc")
def main() -> None:
    """Assess risks to clients' financial reporting on the way to a SOC 1 report.

    A register is a folder of CSV files with a methodology.toml, or one .xlsx workbook; see docs/register.md.
    """


@main.command()
@data_argument
@click.option("--json", "as_json", is_flag=True, help="Print problems and findings as JSON.")
@click.option("--strict", is_flag=True, help="Exit with 1 if there are findings.")
@period_option("look at")
@as_of_option
def check(data: str, as_json: bool, strict: bool, period: str, as_of: str) -> None:
    """Say everything that is wrong with the register in DATA, and what deserves a second look.

    Problems (the register can't be used) end with exit code 2. Findings end with 0: act (something has to be done),
    look (at it, to decide), and note.
    """
    from riskcalc.assessment.claims import findings as answer_findings
    from riskcalc.assessment.consistency import findings, matrix_findings
    from riskcalc.assessment.context import Context
    from riskcalc.assessment.lexicon import findings as text_findings
    from riskcalc.assessment.opening import as_day
    from riskcalc.register.editing import interrupted, unfinished
    from riskcalc.register.register import load
    from riskcalc.workshop.decision_log import findings as decision_findings

    try:
        register = load(data, period)
    except RegisterError as error:
        if as_json:
            click.echo(
                json.dumps({"problems": [problem.as_dict() for problem in error.problems], "findings": []}, indent=1)
            )
        else:
            click.echo(printable(error, most=1_000_000, but="\n"))
        sys.exit(BAD_INPUT)
    if unfinished(register.source):
        click.echo(interrupted(register.source), err=True)
    day = as_day(as_of, "--as-of")
    context = Context.of(register, period, day) if register.periods or period else None
    found = [*decision_findings(register), *(findings(context) if context else matrix_findings(register))]
    found += [*answer_findings(context), *text_findings(context)] if context else []
    if as_json:
        notes = {"notes": [note.as_dict() for note in register.notes]} if register.notes else {}
        click.echo(json.dumps({"problems": [], **notes, "findings": [asdict(each) for each in found]}, indent=1))
    else:
        for finding in (*register.notes, *found):
            click.echo(printable(finding))
        shown = context.register if context else register
        acts = f", {number} to act on" if (number := sum(each.severity == "act" for each in found)) else ""
        stands = f"{_standing(context)}; " if context else ""
        of = f"; {seen(register, context.period, context.as_of, period)}" if context else ""
        findings_in = f"{counted(len(found), 'finding')}{acts}"
        click.echo(f"{register.source} can be used; {findings_in}; {stands}{_contents(shown)}{of}.")
    sys.exit(WRONG if strict and found else 0)


@main.command()
@data_argument
@units_option()
@period_option("test")
@as_of_option
@click.option("--json", "as_json", is_flag=True, help="Print the sizes as JSON.")
@click.option("--control", metavar="ID", shell_complete=CONTROLS, help="Draw a sample for this control.")
@click.option("--population", metavar="FILE", help="The items to draw from: a CSV file, a line per item.")
@click.option(
    "--date-column", metavar="NAME", help="Draw by this column's dates: items of the days tested only, spread."
)
@click.option("--size", type=click.IntRange(1), help="Items to draw; default: the planned size.")
@click.option("--out", metavar="FILE", type=PATH, help="Where the drawn items go; default: printed.")
def plan(
    data: str,
    units: tuple[str, ...],
    period: str,
    as_of: str,
    as_json: bool,
    control: str | None,
    population: str | None,
    **draw: Any,
) -> None:
    """Say how many items of each control to test and what that shows, or draw the items.

    Whoever has the population file gets the same items again, for the same register and day. With --date-column only
    items of the days that are tested, so far, are drawn. The period may be one that hasn't begun. Populations in the
    register count up to the day that it is seen from.
    """
    from riskcalc.assessment import sample_plans
    from riskcalc.assessment.context import Context
    from riskcalc.assessment.opening import as_day
    from riskcalc.register.register import load

    if bool(control) != bool(population):
        raise click.UsageError("To draw a sample, give both --control and --population.")
    register = load(data)
    context = Context.of(register, period, as_day(as_of, "--as-of"), new=True)
    if control and population:
        _draw(context, units, control, population, **draw)
        return
    plans = sample_plans.plan(context, units)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in plans], indent=1, ensure_ascii=False))
    else:
        for each in plans:
            click.echo(planned_line(each))
        source = printable(register.methodology.sampling.source)
        of = seen(register, context.period, context.as_of, period, dues=False)
        click.echo(f"{counted(len(plans), 'control')}; {of}.")
        if told := by_look_back(context, units):
            click.echo(told)
        click.echo(f"Sizes by frequency: {source}")


def _draw(
    context: Context,
    units: tuple[str, ...],
    control: str,
    file: str,
    date_column: str | None,
    size: int | None,
    out: Path | None,
) -> None:
    from riskcalc.assessment import sample_plans, sample_selection
    from riskcalc.files import write_whole

    sample_plans.of_control(sample_plans.plan(context, units), control)  # an unknown one is told before its file
    population, days = sample_selection.read_population(file), sample_plans.days_of(context, control)
    tested = f"of the days that are tested, {sample_selection.in_words(days)}"
    total = counted(len(population.items), "item")
    if date_column:
        order = sample_selection.in_time(population, date_column, days)
        looked = f"{len(order):,} of the {total} in the file are {tested}."
    else:
        order = list(range(len(population.items)))
        looked = f"Without --date-column nobody looked whether they are {tested}."
    number = len(order)
    planned = sample_plans.of_control(sample_plans.plan(context, units, {control: number}), control)
    drawn = sample_selection.select(order, size or planned.size, population.sha256)
    text = sample_selection.as_csv(population, drawn)
    if out:
        write_whole(out, text.encode())
    else:
        click.echo(text, nl=False)
    seed = f"seed {population.sha256[:12]} (the file's SHA-256)"
    click.echo(f"{printable(planned.control_id)}: {len(drawn)} of {counted(number, 'item')} drawn, {seed}.", err=True)
    click.echo(looked, err=True)
    click.echo(sample_plans.buys(len(drawn), number, context.register.methodology.sampling), err=True)


@main.command(cls=Summarised)
@data_argument
@units_option()
@period_option("assess")
@as_of_option
@click.option(
    "--out",
    default="reports",
    show_default=True,
    metavar="DIR",
    help="Where the pages go: a folder, or an address such as s3://bucket/risk.",
)
@click.option("--jobs", type=click.IntRange(1), help="Units run at a time; default: one per processor.")
@click.option(
    "--timeout", default=600.0, show_default=True, type=click.FloatRange(min=1), help="Seconds a unit may take."
)
@click.option(
    "--memory", default=4096.0, show_default=True, type=click.FloatRange(min=256), help="MB of memory a unit may take."
)
@click.option(
    "--audience",
    "audiences",
    multiple=True,
    metavar="NAMES",
    callback=_audiences,
    help="Pages for these readers, in OUT/PERIOD/AUDIENCE; what isn't for them is redacted. Of "
    + ", ".join(_READERS)
    + "; several with commas, or given again. Internal, which is the default, sees all, in OUT/PERIOD itself.",
)
@click.option("--static", is_flag=True, help="For mail: also UNIT.static.html, without scripts.")
@click.option("--pdf", is_flag=True, help="Also UNIT.pdf; needs riskcalc-workbook[pdf] and Chromium.")
@click.option("--png", is_flag=True, help="Also UNIT.png, the heatmaps; needs riskcalc-workbook[pdf] and Chromium.")
@click.option("--pptx", is_flag=True, help="Also UNIT.pptx, slides to edit; needs riskcalc-workbook[pptx].")
@click.option("--force", is_flag=True, help="Run units whose inputs haven't changed, too.")
@click.option("--fail-on-breach", is_flag=True, help="Exit with 3 if a residual risk is worse than appetite.")
@click.option("--watch", is_flag=True, help="Run again what a saved file touches; needs riskcalc-workbook[watch].")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON per unit; the summary goes to stderr.")
@click.option("--summary", metavar="FILE", help="Write how the run ended, and why, to FILE, in every case.")
@click.option("--notebooks", metavar="DIR", help="Other notebooks; default: ./notebooks, else the package's.")
@click.option("-p", "parameters", multiple=True, metavar="NAME=VALUE", help="A further parameter of assessment.ipynb.")
@click.option("--shard", metavar="I/N", callback=_shard, help="Run every N-th unit only, from the I-th on.")
@click.option("--executor", metavar="URL", help="Run units on a Dask cluster: dask://HOST:PORT.")
@click.option(
    "--engine",
    "engine_name",
    default="auto",
    type=click.Choice(["auto", "fork", "stock"]),
    help="Forked processes, or papermill's own kernels (slower); auto: fork where that works.",
)
def run(
    jobs: int | None,
    fail_on_breach: bool,
    as_json: bool,
    executor: str | None,
    engine_name: str,
    data: str,
    static: bool,
    pdf: bool,
    png: bool,
    pptx: bool,
    watch: bool,
    summary: str | None = None,
    **options: Any,
) -> None:
    """Run the assessment of every business unit in DATA, and write its pages.

    OUT/PERIOD/ then holds index.html, a page, notebook and results per unit, and manifest.json.
    Exit code: 0 all well, 1 a unit went wrong, 2 bad input (nothing ran), 3 see --fail-on-breach.
    """
    from riskcalc.pages.pdf import printer
    from riskcalc.run.engines import engines

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's stop ends a run as Ctrl-C does
    if watch and (summary or as_json or fail_on_breach):
        raise click.UsageError("--watch is for people; --summary, --json and --fail-on-breach tell how a run ended.")
    formats = _formats(static, pdf, png, pptx, options["audiences"])
    with engines(engine_name, executor, jobs) as ways, ExitStack() as stack:  # ready while this one imports and reads
        from riskcalc.run import batch

        prints = stack.enter_context(printer()) if pdf or png else None
        request = batch.Request(data_dir=data, formats=formats, **options)
        once = partial(_run, request, ways, prints, engine_name == "fork", as_json, summary)
        if watch and Path(data).exists():
            _watch(once, request)
        text, breaches, code = once()
    if breaches and fail_on_breach and not code:
        code = BREACH
    write_summary(summary, code, text)
    click.echo(text, err=as_json)
    sys.exit(code)


def _run(
    request: Request, ways: Ways, prints: Printer | None, must_fork: bool, as_json: bool, summary: str | None
) -> tuple[str, int, int]:
    """Run it: how it went in words, the risks outside appetite, and the exit code without these."""
    from riskcalc.run import batch
    from riskcalc.run import progress as told
    from riskcalc.run.descendants import hand_back_memory

    hand_back_memory()
    programmes = batch.plan(request)
    register, first = programmes[0].shares.register, programmes[0]
    if notes := register.notes:
        noted = f"Read right, but not as it is spelt here: {counted(len(notes), 'cell')}."
        click.echo(f"{noted} See them: riskcalc check {request.data_dir}", err=True)
    ways.ready(must_fork)
    if ways.note:
        click.echo(ways.note, err=True)
    with told.Progress(sum(each.jobs for each in programmes), ways.label, as_json) as progress:
        try:
            reports = batch.run(programmes, ways.executor, ways.engine, progress.seen, ways.own, prints)
        except KeyboardInterrupt:
            write_summary(summary, INTERRUPTED, f"Interrupted; {progress.said()}")
            click.echo(f"Interrupted; {progress.said()}", err=True)
            sys.exit(INTERRUPTED)
    of = seen(register, first.shares.register.period(first.period), first.as_of, request.period)
    parts = [told.summary(each, f"{of}.\n{_place(each, made)}") for each, made in zip(reports, programmes, strict=True)]
    if len(parts) > 1:
        heads = [f"Audience {each.audience.name or _READERS[0]}:" for each in programmes]
        parts = [f"{head}\n{part}" for head, part in zip(heads, parts, strict=True)]
    wrong = any(each.wrong or each.left for each in reports)
    return "\n\n".join(parts), sum(each.breaches for each in reports), WRONG if wrong else 0


def _watch(once: Callable[[], tuple[str, int, int]], request: Request) -> NoReturn:
    """Run again whenever the register is saved, until Ctrl-C; of a bad save its problems are told."""
    from riskcalc.run.watching import saves

    try:
        for changed in saves(request.data_dir, request.notebooks):
            if changed:
                click.echo(f"\nSaved: {printable(', '.join(sorted(changed)))}", err=True)
            try:
                click.echo(once()[0])
            except RiskcalcError as error:
                if not (changed or isinstance(error, RegisterError)):
                    raise  # no save of the register will mend it
                click.echo(printable(error, most=1_000_000, but="\n"), err=True)
            click.echo(f"Waiting for {request.data_dir} to be saved again; Ctrl-C ends.", err=True)
    except KeyboardInterrupt:
        pass  # that is how it ends
    sys.exit(0)


for command in (new, demo, lab, workshop, excel, export, take_over, schema, period, rename, answer):
    main.add_command(command)


def _place(report: Report, programme: Programme) -> str:
    """Where to look for what a run made."""
    if report.organisation is None:
        rest = (
            "; a run without --shard makes the organisation's page of all shards." if programme.request.shard else "."
        )
        return f"The pages are in {programme.pages}{rest}"
    made = "index.html" in report.organisation.outputs
    return f"Open {programme.pages}/index.html" if made else f"See {programme.folder}/{programme.manifest}"


def _formats(static: bool, pdf: bool, png: bool, pptx: bool, audiences: tuple[str, ...]) -> tuple[str, ...]:
    """The endings of the files that are wanted besides pages; raises UsageError for what can't be had."""
    if png and {"client", "public"}.intersection(audiences):
        raise click.UsageError("--png is a picture of the heatmaps; the pages for clients and the public have none.")
    if pptx and not find_spec("pptx"):
        raise click.UsageError("--pptx needs an extra: pip install 'riskcalc-workbook[pptx]'.")
    wanted = {".static.html": static, ".pdf": pdf, ".png": png, ".pptx": pptx}
    return tuple(ending for ending, asked in wanted.items() if asked)


def _standing(context: Context) -> str:
    from riskcalc.assessment.decisions import in_words, standings, together

    return in_words(together(standings(context).values()))


def _contents(register: Any) -> str:
    tables = {"unit": register.business_units, "risk": register.risks, "control": register.controls}
    return ", ".join(counted(len(table), noun) for noun, table in tables.items())
