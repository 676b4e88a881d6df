"""How a command ends: the message and the exit code of an error, and the file of a scheduled run that tells them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import click

from riskcalc.cli.help import Examples
from riskcalc.errors import RiskcalcError, UsageError, needed, printable
from riskcalc.files import write_whole

WRONG, BAD_INPUT, BREACH, INTERRUPTED = 1, 2, 3, 130
_MEANINGS = {
    0: "all well",
    WRONG: "something went wrong",
    BAD_INPUT: "bad input, nothing ran",
    BREACH: "a risk is outside appetite",
    INTERRUPTED: "interrupted",
}
_RUNNING = "This run has not come to its end: it is still going on, or was killed, or the machine stopped."


def ending(error: BaseException) -> tuple[str, int] | None:
    """What a user is told of an error, and the exit code; None for one that is a mistake of ours."""
    if isinstance(error, RiskcalcError):
        return printable(error, most=1_000_000, but="\n"), BAD_INPUT
    if isinstance(error, ModuleNotFoundError) and (told := needed(error.name)):
        return told, BAD_INPUT
    if isinstance(error, OSError):
        return printable(f"{error.filename or 'A file'}: {error.strerror or error}"), WRONG
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted; what was done is kept.", INTERRUPTED
    return None


def write_summary(file: str | None, code: int, text: str) -> None:
    """Write how a run ended, for a mail: the exit code with its meaning as the first line, then the reasons."""
    if file:
        first = f"riskcalc run: exit code {code}, {_MEANINGS.get(code, 'see below')}"
        write_whole(Path(file), f"{first}\n\n{text}\n".encode("utf-8", "backslashreplace"))


class Summarised(Examples):
    """A command whose ``--summary`` file tells how it ended in every case, also where its options can't be read."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; where to tell that they can't be read is known before."""
        named = [after for option, after in pairwise(args) if option == "--summary"]
        named += [each.partition("=")[2] for each in args if each.startswith("--summary=")]
        ctx.obj = next(iter(named), None)
        with _told(ctx.obj):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; whoever kills it finds that it didn't end."""
        if ctx.obj:
            try:
                write_whole(Path(ctx.obj), f"{_RUNNING}\n".encode())
            except OSError as error:
                raise UsageError(f"--summary {ctx.obj} can't be written: {error.strerror or error}.") from None
        with _told(ctx.obj):
            return super().invoke(ctx)


@contextmanager
def _told(file: str | None) -> Iterator[None]:
    try:
        yield
    except (SystemExit, click.exceptions.Exit):  # what ends in good order has told it
        raise
    except BaseException as error:
        usage = (error.format_message(), error.exit_code) if isinstance(error, click.ClickException) else None
        text, code = ending(error) or usage or (printable(f"{type(error).__name__}: {error}"), WRONG)
        write_summary(file, code, text)
        raise
