"""Clients' questionnaires: drafted from the register, decided by people, written into the client's own file."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from riskcalc.cli import asked
from riskcalc.cli.endings import BREACH
from riskcalc.cli.help import Group
from riskcalc.errors import UsageError, counted, printable

if TYPE_CHECKING:
    from riskcalc.answers.drafts import Draft

_FOLDER = click.argument("folder", metavar="DIR", type=asked.PATH)
_MAP = click.option("--map", "map_", required=True, metavar="MAP.toml", type=asked.PATH, help="The columns, confirmed.")
_BY = click.option("--by", default="", metavar="NAME", help="Who decides; default: who is logged in.")


@click.group(cls=Group)
def answer() -> None:
    """Answer clients' questionnaires from the register: map, draft, decide, write; see docs/questionnaires.md."""


@answer.command("map")
@asked.file_argument
@click.option("--out", required=True, metavar="MAP.toml", type=asked.PATH, help="Where the proposal goes.")
def propose_map(file: Path, out: Path) -> None:
    """Propose which sheets and columns of FILE hold questions, answers and comments."""
    from riskcalc.answers import mapping
    from riskcalc.answers.questionnaire_files import read_questionnaire
    from riskcalc.files import write_whole

    if out.exists():
        raise UsageError(f"{out} is there already; name another file, or delete it.")
    sheets = read_questionnaire(file)
    found = mapping.propose(sheets)
    write_whole(out, mapping.as_toml(found).encode())
    by_name = {sheet.name: sheet for sheet in sheets}
    for each in found.sheet:
        comment = f", comments in {each.comment}" if each.comment else ""
        number = counted(sum(1 for _ in mapping.asked(each, by_name[each.name])), "question")
        click.echo(printable(f"{each.name}: {number} in {each.question}, answers in {each.answer}{comment}"))
    for line in mapping.left_out(found, sheets):
        click.echo(printable(f"Not read: {line}", 200))
    click.echo(f"Look at {out}: delete what is no questions, correct columns, then set confirmed = true.")


@answer.command()
@asked.file_argument
@asked.data_argument
@asked.units_option("A business unit that is asked; may be given again. Default: all of them.")
@click.option("--audience", required=True, type=click.Choice(["client", "public"]), help="Who will read the answers.")
@_MAP
@click.option("--out", required=True, metavar="DIR", type=asked.PATH, help="The folder of this questionnaire.")
@click.option(
    "--drafter", default="", metavar="COMMAND", help="A program that proposes words: JSON in and out over a pipe."
)
@asked.period_option("answer from")
@asked.today_option
def draft(
    file: Path,
    data: str,
    units: tuple[str, ...],
    audience: str,
    map_: Path,
    out: Path,
    drafter: str,
    period: str,
    as_of: str,
) -> None:
    """Find for every question of FILE what the register in DATA can answer.

    Exit code 3 where a row contradicts the nearest answer, if that is graded same or similar.
    """
    from riskcalc.answers.candidates import Desk
    from riskcalc.answers.drafter import drafted
    from riskcalc.answers.drafts import make
    from riskcalc.answers.mapping import left_out, read_map
    from riskcalc.answers.questionnaire_files import read_questionnaire

    context = asked.context_of(data, period, as_of)
    desk = Desk(context, tuple(dict.fromkeys(units)) or tuple(context.register.business_units["unit_id"]), audience)
    confirmed = read_map(map_)
    made = make(out, file, confirmed, desk, data)
    if drafter:
        made = make(out, file, confirmed, desk, data, drafted(drafter, made))
    named = ", ".join(f"{unit['name']} ({key})" for key, unit in desk.units.items())
    click.echo(printable(f"For {named}, told to the audience {audience}, seen from {made.as_of}:"))
    for line in left_out(confirmed, read_questionnaire(file)):
        click.echo(printable(f"not read: {line}", 200))
    firsts = [(question, question.candidates[0]) for question in made.questions if question.candidates]
    red = [(question, each) for question, each in firsts if each.grade != "related" and each.against]
    for question, each in red:
        why = "; ".join(f"{key}: {told}" for key, told in each.against)
        click.echo(printable(f"contradicted: {question.id}: {each.key} ({each.grade}): {why}"))
    grades = [sum(each.grade == grade for _, each in firsts) for grade in ("same", "similar", "related")]
    told = f"{grades[0]} the same as one that is known, {grades[1]} similar, {grades[2]} related"
    click.echo(f"{counted(len(made.questions), 'question')}: {told}, {len(made.questions) - len(firsts)} with nothing.")
    people, unfit = sum(each.person for each in made.questions), sum(bool(each.refused) for _, each in firsts)
    far = sum(bool(each.against) for _, each in firsts) - len(red)
    wrong = f"{counted(len(red), 'contradiction')} where it is the same or similar, {far} where it is only related"
    rest = f"{unfit} with a nearest candidate that must not be used; {wrong}"
    click.echo(f"Among them {people} for a person; {rest}.")
    click.echo(f"Review {out} in notebooks/questionnaire.ipynb, or: riskcalc answer accept {out} --grade same")
    raise SystemExit(BREACH if red else 0)


@answer.command()
@_FOLDER
@click.option("--grade", required=True, type=click.Choice(["same", "similar"]), help="How near a question must be.")
@_BY
@asked.today_option
def accept(folder: Path, grade: str, by: str, as_of: str) -> None:
    """Accept, for questions of DIR that nobody decided on, the nearest answer: approved, in force, uncontradicted.

    What isn't accepted, and why, is counted.
    """
    found = _opened(folder, as_of)
    made = found.accept(grade, _named(by))
    for each in made:
        click.echo(printable(f"{each.question} ({each.grade}): {each.asked} -> {each.candidate}: {each.answer}", 300))
    left = found.passed(grade)
    for why, number in left.most_common():
        click.echo(f"not accepted: {counted(number, 'question')}: {why}")
    click.echo(f"{counted(len(made), 'answer')} accepted; {left.total()} still to be decided.")


@answer.command()
@_FOLDER
@click.option("--out", required=True, metavar="FILE", type=asked.PATH, help="The filled copy.")
@asked.today_option
def write(folder: Path, out: Path, as_of: str) -> None:
    """Write what was accepted into a copy of the client's file, as far as it is still true, and a page beside it.

    Exit code 3 where a row contradicts what was accepted: that is left blank, and told.
    """
    from riskcalc.answers.page import page
    from riskcalc.files import write_whole

    found = _opened(folder, as_of)
    if out.exists():
        raise UsageError(f"{out} is there already; name another file, or delete it.")
    if out.suffix.lower() != found.original.suffix:
        raise UsageError(f"{out} must end with {found.original.suffix}, as the client's file does.")
    results = found.write(out)
    write_whole(folder / "filled.html", page(found, results).encode())
    for question, (state, why, _) in results:
        if state != "written":
            click.echo(printable(f"{'contradicted' if state == 'red' else 'left blank'}: {question.id}: {why}"))
    written, red = (sum(outcome[0] == state for _, outcome in results) for state in ("written", "red"))
    click.echo(f"{written} of {counted(len(results), 'question')} written to {out}.")
    click.echo(f"Open {folder / 'filled.html'} to approve it.")
    raise SystemExit(BREACH if red else 0)


@answer.command()
@click.argument("source", type=asked.PATH)
@asked.data_argument
@click.option("--map", "map_", metavar="MAP.toml", type=asked.PATH, help="The columns, confirmed; for a file.")
@asked.unit_option("The unit that the answers are of; default: all.")
@_BY
@click.option("--apply", "apply_", is_flag=True, help="Change answers.csv; without, it is shown only.")
def learn(source: Path, data: str, map_: Path | None, unit: str, by: str, apply_: bool) -> None:
    """Learn from SOURCE: a filled questionnaire gives drafts for the library, a DIR the wordings accepted in it."""
    from riskcalc.answers import learning
    from riskcalc.answers.mapping import read_map
    from riskcalc.register import editing
    from riskcalc.register.register import changed, find_folder, load

    folder = find_folder(data)
    seen, register = editing.contents(folder), load(folder)
    new: list[editing.Cells] = []
    aliases: dict[str, tuple[str, ...]] = {}
    if source.is_dir():
        aliases, others = learning.wordings(_opened(source, ""), register)
        for line in others:
            click.echo(printable(f"not learnt: {line}"))
    elif map_ is None:
        raise UsageError("A filled questionnaire needs --map MAP.toml: riskcalc answer map proposes one.")
    else:
        new = learning.drafts_from(source, read_map(map_), register, unit, _named(by))
    for row in new:
        click.echo(printable(f"{row['answer_id']}: {row['question']} -> {row['answer']}", 200))
    for key, texts in aliases.items():
        click.echo(printable(f"{key}: also asked as: {'; '.join(texts)}"))
    click.echo(
        f"{counted(len(new), 'draft')} that nobody has approved yet; aliases of {counted(len(aliases), 'answer')}."
    )
    if not apply_ or not (new or aliases):
        click.echo("Nothing was written; --apply does it." if new or aliases else "There is nothing to learn.")
        return
    files = {"answers.csv": learning.with_answers(seen["answers.csv"], register, new, aliases)}
    changed(folder, files)
    editing.replace_seen(folder, files, seen)
    click.echo(f"Written to {folder / 'answers.csv'}.")


@answer.command()
@asked.data_argument
@click.option(
    "--drafts", default="answers", show_default=True, metavar="DIR", type=asked.PATH, help="Where the drafts are."
)
@click.option(
    "--minutes",
    default=6.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="What an answer by hand is taken to cost.",
)
@asked.today_option
def stats(data: str, drafts: Path, minutes: float, as_of: str) -> None:
    """Say how questionnaires were answered, how often each grade was right, and what of DATA's library is stale."""
    from riskcalc.answers.learning import stale, use_of

    use = use_of(drafts)
    kinds = ("from the library", "from facts", "without a choice that fits", "edited", "refused", "asked", "undecided")
    told = ", ".join(f"{use.counts[each]} {each}" for each in kinds)
    click.echo(f"{counted(use.questions, 'question')}: {told}.")
    for each in use.again:
        click.echo(printable(f"Not counted: {each}, a draft of the same file for the same units and audience."))
    for grade in ("same", "similar", "related"):
        if use.offered[grade]:
            taken = f"{use.taken[grade]} of {use.offered[grade]} taken as they were, by a person who looked"
            click.echo(f"Graded {grade}: {taken}.")
    saved = use.counts["from the library"] + use.counts["from facts"]
    told = f"if each of {counted(saved, 'answer')} taken as it was had cost {minutes:g} by hand"
    click.echo(f"Saved: {saved * minutes:g} minutes, {told}.")
    for why, names in stale(asked.context_of(data, "", as_of)).items():
        click.echo(f"Library, {why}: {', '.join(names) or 'none'}")


def _opened(folder: Path, as_of: str) -> Draft:
    from riskcalc.answers.drafts import Draft
    from riskcalc.assessment.opening import as_day

    return Draft(folder, as_day(as_of, "--as-of"))


def _named(by: str) -> str:
    return by or getpass.getuser()
