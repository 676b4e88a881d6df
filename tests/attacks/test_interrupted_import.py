"""A register that was sent in brings half an import with it, and hopes that somebody finishes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import riskcalc
from riskcalc.errors import UsageError
from riskcalc.register import editing


def stage(folder: Path, names: object, **files: str) -> Path:
    """What an import leaves that was killed before it moved its files."""
    made = folder / ".import"
    made.mkdir()
    for name, text in files.items():
        (made / name.replace("__", ".")).write_text(text, "utf-8")
    (made / "ready.json").write_text(names if isinstance(names, str) else json.dumps(names), "utf-8")
    return made


def outside(made: Path) -> None:
    (made / "ready.json").write_text('["../victim.txt"]', "utf-8")


def absolute(made: Path) -> None:
    (made / "ready.json").write_text(json.dumps([str(made.parent / "victim.txt")]), "utf-8")


def linked_file(made: Path) -> None:
    (made / "risks.csv").symlink_to(made.parent.parent / "elsewhere.csv")


def linked_stage(made: Path) -> None:
    made.rename(made.parent.parent / "moved")
    made.symlink_to(made.parent.parent / "moved")


def linked_list(made: Path) -> None:
    (made / "ready.json").rename(made.parent.parent / "list.json")
    (made / "ready.json").symlink_to(made.parent.parent / "list.json")


def a_pipe(made: Path) -> None:
    os.mkfifo(made / "risks.csv")


def a_folder(made: Path) -> None:
    (made / "risks.csv").mkdir()


def text(content: str) -> Callable[[Path], None]:
    def write(made: Path) -> None:
        (made / "ready.json").write_text(content, "utf-8")

    return write


@pytest.mark.parametrize(
    "attack",
    [
        *(outside, absolute, linked_file, linked_stage, linked_list, a_pipe, a_folder),
        *map(text, ('["notebooks.csv"]', '["RISKS.CSV"]', '["risks.csv\\u0000"]', '[["risks.csv"]]', "[1]", '{"a": 1}')),
        *map(text, ("", "null", "[" * 100_000, '["risks.csv"', "1" * 5_000)),
    ],
)  # fmt: skip
def test_a_list_that_no_import_wrote_is_refused_and_moves_nothing(small: Path, attack: Callable[[Path], None]) -> None:
    """Neither a reader nor a writer obeys it: both get a message that names it, and every file stays."""
    (small.parent / "elsewhere.csv").write_text("x", "utf-8")
    (small / "victim.txt").write_text("precious", "utf-8")
    (small / ".import.txt").write_text("x", "utf-8")
    attack(stage(small, ["risks.csv"]))
    before = {path.name: path.read_bytes() for path in small.iterdir() if path.is_file()}
    with pytest.raises(UsageError, match=r"ready\.json is not what an import leaves"):
        riskcalc.load(small)
    with pytest.raises(UsageError, match=r"ready\.json is not what an import leaves"), editing.held(small):
        pass
    assert {path.name: path.read_bytes() for path in small.iterdir() if path.name in before} == before


def test_checking_a_register_finishes_nothing(small: Path) -> None:
    """A well-made list that came with the folder is told, and waits for somebody who says yes."""
    forged = (small / "risks.csv").read_text("utf-8").replace("Wrong rates", "Forged")
    stage(small, ["risks.csv"], risks__csv=forged)
    command = [sys.executable, "-m", "riskcalc"]
    checked = subprocess.run([*command, "check", str(small)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0
    assert f"A change of several files in {small} was interrupted." in checked.stderr
    assert riskcalc.load(small).risks["title"].iloc[0] == "Wrong rates"
    imported = [*command, "excel", "import", "none.xlsx", "--into", str(small)]
    for answer, title in (("n\n", "Wrong rates"), ("y\n", "Forged")):
        said = subprocess.run(imported, input=answer, capture_output=True, text=True, check=False)
        assert "was interrupted: risks.csv." in said.stdout
        assert said.returncode == 2
        assert riskcalc.load(small).risks["title"].iloc[0] == title


def test_what_gives_no_register_is_not_finished_even_if_asked(small: Path) -> None:
    """What was staged is checked as any other input before a file is replaced."""
    stage(small, ["risks.csv"], risks__csv="risk_id\n1\n")
    command = [sys.executable, "-m", "riskcalc", "excel", "import", "none.xlsx", "--into", str(small)]
    said = subprocess.run(command, input="y\n", capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert "column 'title': the column is missing" in said.stderr
    assert riskcalc.load(small).risks["title"].iloc[0] == "Wrong rates"


def test_the_lock_of_a_register_is_no_way_to_other_files(small: Path) -> None:
    """A link in the lock's place, which opening it would empty, is an error and not followed."""
    (small.parent / "victim.txt").write_text("precious", "utf-8")
    (small / ".lock").symlink_to(small.parent / "victim.txt")
    with pytest.raises(OSError, match="symbolic links"), editing.held(small):
        pass
    assert (small.parent / "victim.txt").read_text("utf-8") == "precious"
