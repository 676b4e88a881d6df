"""Mapping files: what people look at, complete and confirm, in TOML; read whole, or refused with every reason."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from riskcalc.errors import Problem, RegisterError, UsageError
from riskcalc.files import read

M = TypeVar("M", bound=BaseModel)


def read_map(model: type[M], path: Path, **known: object) -> M:
    """The mapping in a file, with what is ``known`` beside it.

    Raises:
        RegisterError: it isn't such a mapping; ``.problems`` holds every reason.
        UsageError: it can't be read.
    """
    try:
        return model.model_validate({**tomllib.loads(read(path).decode("utf-8-sig")), **known})
    except ValidationError as error:
        raise RegisterError([_problem(path.name, each) for each in error.errors()], path, "the map") from None
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:  # an integer of 5,000 digits is a ValueError of its own
        raise UsageError(f"{path} can't be read as TOML in UTF-8: {error}.") from None


def as_toml(content: Mapping[str, Any], *comments: str) -> str:
    """A mapping file's text: comments, values, then its lists of tables.

    >>> print(as_toml({"separator": ";", "table": [{"name": "risks", "columns": {"title": "Risk"}}]}, "Ours."), end="")
    # Ours.
    separator = ";"
    <BLANKLINE>
    [[table]]
    name = "risks"
    <BLANKLINE>
    [table.columns]
    title = "Risk"
    """
    tables = {key: parts for key, parts in content.items() if parts and isinstance(parts, list | tuple)}
    lines = [f"# {comment}" for comment in comments]
    lines += _section({key: value for key, value in content.items() if key not in tables}, "")
    for key, parts in tables.items():
        for part in parts:
            lines += ["", f"[[{key}]]", *_section(part, key)]
    return "".join(f"{line}\n" for line in lines)


def _section(content: Mapping[str, Any], name: str) -> Iterator[str]:
    """The lines of a TOML table: its values first, then the tables in it."""
    inner = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    for key, value in content.items():
        if key not in inner:
            plain_key = key if re.fullmatch("[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
            yield f"{plain_key} = {json.dumps(value, ensure_ascii=False)}"
    for key, value in inner.items():
        if any(not isinstance(each, Mapping) for each in value.values()):
            yield from ("", f"[{name}.{key}]")
        yield from _section(value, f"{name}.{key}")


def _problem(file: str, error: ErrorDetails) -> Problem:
    seen = "" if isinstance(error["input"], Mapping) else str(error["input"])[:60]
    return Problem(file, 0, ".".join(map(str, error["loc"])), seen, error["msg"].removeprefix("Value error, "))
