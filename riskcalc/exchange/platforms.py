"""Lists of risks as CISO Assistant and SimpleRisk import them, and the mapping by which what they export comes back.

Only ratings before controls come back: what is left after controls is earned here, and goes out for information.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd

from riskcalc.assessment.context import Context
from riskcalc.assessment.opinion import reaching
from riskcalc.assessment.scoring import AXES, scores
from riskcalc.excel.mapping import MappingFile, TableMap
from riskcalc.excel.proposal import as_toml
from riskcalc.files import as_line, for_people
from riskcalc.register.audiences import Audience, inside, redacted
from riskcalc.register.matrix import Matrix
from riskcalc.register.records import records

# By platform, what platforms.toml says of it.
_PLATFORMS: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("platforms.toml").read_text("utf-8"))
NAMES = tuple(_PLATFORMS)


def files(platform: str, context: Context, audience: Audience) -> dict[str, bytes]:
    """The list of risks, for CISO Assistant its controls as well, and the mapping for the way back, by file name.

    Raises:
        UsageError: it is for somebody who is told of no risk.
    """
    seen = Context.of(redacted(context.register, inside(audience)))
    told = as_toml(mapping(platform, seen)).encode()
    controls = _controls(seen) if platform == "ciso-assistant" else {}
    return {f"{platform}-risks.csv": _risks(platform, seen), **controls, f"{platform}.map.toml": told}


def mapping(platform: str, context: Context) -> MappingFile:
    """Which of its columns are which of ours; constants are for the period alone, so that a row keeps what it has."""
    theirs, columns = _PLATFORMS[platform], _PLATFORMS[platform]["columns"]
    methodology = context.register.methodology
    scales: dict[str, dict[str, str]] = {
        axis: {**{rating.name: str(number) for number, rating in enumerate(getattr(methodology, axis), 1)}, "--": ""}
        for axis in AXES
    }
    words = {word: ours for ours, word in theirs["treatments"].items()} | dict.fromkeys(theirs["silent"], "")
    risks = {ours: column for ours, column in columns.items() if ours not in scales}
    rated = {ours: columns[ours] for ours in ("risk_id", *scales)}
    period = {"period": context.period.name}
    parts = (
        TableMap(name="risks", columns=risks, values={"treatment": words}),
        TableMap(name="ratings", columns=rated, constants=period, values=scales, rows_with=(columns["likelihood"],)),
    )
    return MappingFile.model_validate({"separator": theirs["separator"], "table": parts})


# --- parts ---


def _risks(platform: str, context: Context) -> bytes:
    columns, treatments = _PLATFORMS[platform]["columns"], _PLATFORMS[platform]["treatments"]
    register, acting = context.register, reaching(context.register)
    names, matrix = _names(register.controls), register.methodology.matrix
    rows = register.risks.merge(scores(context), on=["risk_id", "unit_id"])
    lines = []
    for row in records(rows):
        told = {theirs: row[ours] for ours, theirs in columns.items()}
        told[columns["treatment"]] = treatments.get(row["treatment"], "")
        for axis in AXES:
            told[columns[axis]] = _rated(row[axis], axis, matrix)
            if platform == "ciso-assistant":
                told[columns[axis].replace("inherent", "current")] = _rated(row[f"earned_{axis}"], axis, matrix)
        if platform == "ciso-assistant":
            told["existing_controls"] = "\n".join(names[name] for name in acting.get(row["risk_id"], ()))
        lines.append(told)
    return _csv(lines, list(lines[0]) if lines else list(columns.values()))


def _rated(rating: Any, axis: str, matrix: Matrix) -> str:
    """A rating's name; of a residual one, of the nearest, halves up."""
    return str(("", *getattr(matrix, axis))[matrix.whole(axis, [rating])[0]])


def _names(controls: pd.DataFrame) -> dict[str, str]:
    """What the controls are called there: a name holds none of the characters that separate names."""
    pairs = controls[["control_id", "title"]].itertuples(index=False)
    return {name: " ".join(re.sub(r"[\n|;,]", " ", f"{name} {title}").split()) for name, title in pairs}


def _controls(context: Context) -> dict[str, bytes]:
    names, controls = _names(context.register.controls), records(context.register.controls)
    lines = []
    for row in controls:
        category = "technical" if row["nature"] == "automated" else "process"
        named = {"ref_id": row["control_id"], "name": names[row["control_id"]]}
        lines.append({**named, "description": row["description"], "category": category})
    return {"ciso-assistant-controls.csv": _csv(lines, ["ref_id", "name", "description", "category"])}


def _csv(lines: list[dict[str, Any]], columns: list[str]) -> bytes:
    rows = ([for_people(str(line[column])) for column in columns] for line in lines)
    return "".join([as_line(columns), *map(as_line, rows)]).encode()
