"""How commands help those who type them: examples, and what the Tab key proposes."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from riskcalc.errors import RegisterError
from riskcalc.files import csv_rows, read

# By module and function of a command, its examples: a line as it is typed, and after # what it does.
_EXAMPLES: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("examples.toml").read_text("utf-8"))


class Examples(click.Command):
    """A command whose help ends with examples, as they are typed: see examples.toml."""

    def __init__(self, name: str, callback: Callable[..., Any], **told: Any) -> None:  # noqa: ANN401 - as click calls it
        told["epilog"] = _EXAMPLES[callback.__module__.rpartition(".")[2]][callback.__name__]
        super().__init__(name, callback=callback, **told)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the command line apart; all that is required and missing is told at once."""
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as error:
            missing = [each for each in self.params if each.required and ctx.params.get(str(each.name)) in (None, ())]
            if len(missing) < 2:
                raise
            hints = ", ".join(each.get_error_hint(ctx) for each in missing)
            raise click.UsageError(f"Missing: {hints}.", error.ctx) from None

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples line by line, unwrapped."""
        with formatter.section("Examples"):
            formatter.write_dl([(line, meaning) for line, meaning in self.epilog_lines])

    @property
    def epilog_lines(self) -> list[tuple[str, str]]:
        """The command lines and what each does."""
        pairs = [line.split("#", 1) for line in (self.epilog or "").strip().splitlines()]
        return [(line.strip(), meaning.strip()) for line, meaning in pairs]


class Group(click.Group):
    """Commands whose help ends with examples."""

    command_class = Examples


def _held(table: str, column: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """What the Tab key proposes: a column of one CSV file in DATA, and nothing where that can't be read."""

    def proposed(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
        # Before an option that still lacks its value, click has told arguments from options, but not given them names.
        arguments = [each.name for each in context.command.params if isinstance(each, click.Argument)]
        typed = {**context.params, **dict(zip(arguments, context.args, strict=False))}
        file = Path(typed.get("data") or "data") / f"{table}.csv"
        try:
            header, *rows = [cells for _, cells in csv_rows(read(file), file.name)]
            values = {row[header.index(column)] for row in rows}
        except (OSError, RegisterError, ValueError, IndexError):
            return []
        return sorted(value for value in values if value.startswith(begun) and value.isprintable())

    return proposed


UNITS, PERIODS = _held("business_units", "unit_id"), _held("ratings", "period")
CONTROLS = _held("controls", "control_id")
