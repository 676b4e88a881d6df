"""The notebooks as files: where they are, which parameters they have, which values those may take."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from riskcalc.errors import UsageError

Value = str | int | float | bool
GOOD = ("ok", "unchanged")  # what may be told of a notebook's run when it is over
WENT_WRONG = ("failed", "timeout", "died")


def find(name: str, folder: str | Path | None = None) -> Path:
    """The notebook ``name``: in ``folder``, else in ./notebooks, else the copy that came with the package.

    Raises UsageError, naming the places, if it is in none of them.
    """
    places = [Path(folder)] if folder else [Path("notebooks"), packaged()]
    for place in places:
        if (place / name).is_file():
            return (place / name).resolve()
    raise UsageError(f"There is no {name} in {' or '.join(map(str, places))}.")


def packaged() -> Path:
    """The folder of the notebooks that came with the package, or that stand beside it in a checkout."""
    package = Path(str(resources.files("riskcalc")))
    copies = package / "notebook_copies"
    return copies if copies.is_dir() else package.parent / "notebooks"


def parameters(notebook: Path) -> dict[str, Value]:
    """The names and defaults in the cell tagged ``parameters``, which holds literals only.

    Raises UsageError if the file is no notebook, or that cell holds anything else.
    """
    try:
        # Plain JSON: nbformat takes longer to import than pandas, and each run begins here.
        tagged = _tagged(json.loads(notebook.read_text("utf-8")), "parameters")
        source = "".join(tagged[0]["source"]) if tagged else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(f"{notebook} can't be read as a notebook: {error!r}") from None
    if source is None:
        raise UsageError(f"{notebook} has no cell tagged 'parameters'.")
    try:
        return {name: value for line in ast.parse(source).body for name, value in [_assignment(line)]}
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{notebook}: the cell tagged 'parameters' may hold NAME = literal only ({error}).") from None


def _tagged(notebook: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if tag in cell["metadata"].get("tags", [])]


def _assignment(line: ast.stmt) -> tuple[str, Value]:
    if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
        value = ast.literal_eval(line.value)
        if isinstance(value, (str, int, float, bool)):
            return line.targets[0].id, value
    raise ValueError(f"line {line.lineno}")


def for_audience(text: str, audience: str) -> str:
    """A notebook's text with only the cells that are tagged for an audience; all of them if it is blank.

    Raises UsageError if none are: nothing is shown to somebody unless the notebook says so.
    """
    if not audience:
        return text
    notebook = json.loads(text)
    wanted = f"for-{audience}"
    notebook["cells"] = _tagged(notebook, wanted)
    if not notebook["cells"]:
        raise UsageError(f"No cell of the notebook is tagged {wanted!r}, so it has nothing for that audience.")
    return json.dumps(notebook, ensure_ascii=False, indent=1)


def check(notebook: Path, given: Mapping[str, Value]) -> None:
    """Refuse a parameter that the notebook doesn't have: papermill would run it with the default instead."""
    known = parameters(notebook)
    for name in given:
        if name not in known:
            raise UsageError(f"{notebook.name} has no parameter {name!r}; it has: {', '.join(known)}.")


def from_text(notebook: Path, pairs: Iterable[str]) -> dict[str, Value]:
    """``NAME=VALUE`` pairs as values of the types that the notebook's defaults have.

    Raises UsageError for a pair without ``=``, an unknown name, or a value of another type.
    """
    known = parameters(notebook)
    found: dict[str, Value] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"{pair!r} is no parameter; write NAME=VALUE.")
        check(notebook, {name: text})
        found[name] = _converted(name, text, known[name])
    return found


def _converted(name: str, text: str, like: Value) -> Value:
    if isinstance(like, str):
        return text
    try:
        value: Any = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        value = None
    if type(value) is type(like) or (type(like) is float and type(value) is int):
        return type(like)(value)
    raise UsageError(f"{name}={text}: allowed is a value of the type of its default, {like!r}.")
