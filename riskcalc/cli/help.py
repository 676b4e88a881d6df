"""How commands show their examples."""

from __future__ import annotations

import click


class Examples(click.Command):
    """A command whose help ends with examples, as they are typed."""

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples line by line, unwrapped."""
        with formatter.section("Examples"):
            formatter.write_dl([(line, meaning) for line, meaning in self.epilog_lines])

    @property
    def epilog_lines(self) -> list[tuple[str, str]]:
        """The command lines and what each does."""
        pairs = [line.split("#", 1) for line in (self.epilog or "").strip().splitlines()]
        return [(line.strip(), meaning.strip()) for line, meaning in pairs]
