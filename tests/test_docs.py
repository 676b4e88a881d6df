"""The documents: commands that exist, links that lead somewhere, and Python that runs, as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from riskcalc.cli.help import Examples
from riskcalc.cli.main import main

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
]
BLOCK = re.compile(r"^```(?:\w+)(?: \S+)?\n(.*?)^```$|((?:^    .*\n)+)", re.M | re.S)
COMMAND = re.compile(r"(?:^ *|/bin/|&& |- run: |\bsh, -c, \")(riskcalc (?:\w|--).*?)(?:$|[;|>`]|\d/4\"| && )", re.M)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#([^)]+))?\)")


def _commands(command: click.Command) -> list[click.Command]:
    if isinstance(command, click.Group):
        return [each for sub in command.commands.values() for each in _commands(sub)]
    return [command]


def _shown() -> list[str]:
    blocks = [match[1] or match[2] for path in DOCUMENTS for match in BLOCK.finditer(path.read_text("utf-8"))]
    typed = [line for block in blocks for line in COMMAND.findall(block)]
    examples = [line for each in _commands(main) if isinstance(each, Examples) for line, _ in each.epilog_lines]
    return sorted({line.split("  #")[0].strip() for line in [*typed, *examples]})


@pytest.mark.parametrize("line", _shown())
def test_every_command_that_is_shown_can_be_typed(line: str) -> None:
    """In the guides and in --help: its name, options and values are those that the program takes. Nothing is run."""
    command: click.Command = main
    words = shlex.split(line if line.count('"') % 2 == 0 else line.rpartition('"')[0])[1:]
    while isinstance(command, click.Group) and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    with click.Context(command) as context:
        command.make_parser(context).parse_args(list(words))


def test_commands_are_found_in_the_documents() -> None:
    """The test above looks at what it means to look at."""
    assert len(_shown()) > 50
    assert any("--summary mail.txt" in line for line in _shown())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    """The file is there, and so is the heading."""
    for file, anchor in LINK.findall(path.read_text("utf-8")):
        target = (path.parent / file).resolve()
        assert target.exists(), file
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}, anchor


def test_the_python_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it shows of the API works on the sample; matrix.yaml stands for somebody's own file."""
    monkeypatch.chdir(ROOT)
    [block] = re.findall(r"## In Python\n\n((?:    .*\n|\n)+)", (ROOT / "README.md").read_text("utf-8"))
    names: dict[str, object] = {}
    exec(re.sub("^    ", "", block, flags=re.M).replace("matrix.yaml", "data/methodology.toml"), names)
    assert len(names["scores"]) == 68  # type: ignore[arg-type]


def test_every_guide_stands_in_the_table_of_contents() -> None:
    """A page that the site doesn't lead to is one that nobody finds."""
    listed = (ROOT / "docs" / "index.md").read_text("utf-8").splitlines()
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"} <= set(listed)
