"""OSCAL catalogs and component definitions, ours or anybody's, as rows of a register: objectives, controls, mappings.

A control of a catalog is a control objective, its group the process; a component is a control, and what it implements
are mappings to the catalog that it names. What a file made by us says in its own properties comes back as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from riskcalc.errors import Problem, UsageError, counted, first_of
from riskcalc.excel import importing
from riskcalc.excel.mapping import MappingFile, TableMap
from riskcalc.exchange.oscal import CATALOG, COMPONENTS, NS, plain
from riskcalc.files import as_line, csv_rows, read
from riskcalc.register.audiences import WITHHELD
from riskcalc.register.tables import TABLES

_TOLD = {"control_objectives": "statement", "controls": "title", "mappings": "framework"}  # what only its rows have
_COLUMNS = list(dict.fromkeys(name for table in _TOLD for name in TABLES[table].model_fields))
_PARAMETER = re.compile(r"\{\{\s*(?:insert:\s*param,\s*)?([\w.-]+)\s*\}\}")
Row = tuple[str, str, dict[str, str]]  # a table, where in the file, and the cells
Found = Iterator[Row]


def plan(path: Path, into: Path, defaults: Mapping[str, str]) -> importing.Plan:
    """What taking over an OSCAL file into a register's folder would change; ``defaults`` are for what it doesn't say.

    Raises:
        RegisterError: the folder's own tables can't be read.
        UsageError: the file can't be read, or holds neither a catalog nor a component definition.
    """
    if unknown := sorted(set(defaults) - set(_COLUMNS)):
        raise UsageError(f"--default {unknown[0]}: there is no such column; allowed: {', '.join(_COLUMNS)}.")
    found = list(_rows(path, _opened(path)))
    rows, silent = ([row for row in found if bool(row[0]) is says] for says in (True, False))
    if not rows:
        raise UsageError(f"{path} holds no control that states anything, and no component.")
    made = planned(path, into, rows, defaults)
    if silent:
        passed = f"{counted(len(silent), 'control')} without a statement passed over"
        made.notes.append(Problem(path.name, 0, "", "", f"{passed}: {first_of([where for _, where, _ in silent], 6)}"))
    return made


def planned(path: Path, into: Path, found: Sequence[Row], defaults: Mapping[str, str]) -> importing.Plan:
    """What rows that a file tells of would change in a register's folder; each says where in the file it stands."""
    lines = [_COLUMNS, *([cells.get(column, "") for column in _COLUMNS] for _, _, cells in found)]
    content = "".join(map(as_line, lines)).encode()
    starts = [line for line, _ in csv_rows(content, path.name)][1:]
    places = {line: f"{path.name}, {where}" for line, (_, where, _) in zip(starts, found, strict=True)}
    with TemporaryDirectory(prefix="riskcalc-") as name:
        table = Path(name) / "oscal.csv"
        table.write_bytes(content)
        used = {each for each, _, _ in found}
        parts = tuple(_part(each, defaults) for each in _TOLD if each in used)
        made = importing.plan(table, into, MappingFile(table=parts))
    made.problems = [
        replace(each, file=places.get(each.line, path.name), line=0, allowed=_placed(each.allowed, places))
        if each.file == table.name
        else each
        for each in made.problems
    ]
    made.changes = [
        replace(each, place=places[int(each.place.rpartition(":")[2])]) if each.kind != "missing" else each
        for each in made.changes
    ]
    return made


# --- parts ---


def _placed(told: str, places: Mapping[int, str]) -> str:
    """What is told of a line, told of the place in the file that it was made from."""
    return re.sub(r"\bline (\d+)", lambda found: places.get(int(found[1]), found[0]), told)


def _part(table: str, defaults: Mapping[str, str]) -> TableMap:
    columns = {name: name for name in TABLES[table].model_fields}
    given = {name: text for name, text in defaults.items() if name in columns}
    return TableMap(name=table, columns=columns, defaults=given, rows_with=(_TOLD[table],))


def _opened(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read(path).decode("utf-8-sig"))
        json.dumps(found, ensure_ascii=False).encode()  # half of a character, which no file can hold, is refused here
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} can't be read as JSON: {error}.") from None
    if not isinstance(found, dict) or not {CATALOG, COMPONENTS} & found.keys():
        there = ", ".join(map(str, found))[:200] if isinstance(found, dict) else type(found).__name__
        raise UsageError(f"{path} holds {there or 'nothing'}; allowed: an OSCAL {CATALOG} or {COMPONENTS}, as JSON.")
    return found


def _rows(path: Path, found: Mapping[str, Any]) -> Found:
    last = ""
    try:
        for row in chain(_of_group(found.get(CATALOG, {}), "", ""), _of_components(found.get(COMPONENTS, {}))):
            last = f" after {row[1]}"
            yield row
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        wrong = f"{error} is missing" if isinstance(error, KeyError) else "something is of another kind, or blank"
        raise UsageError(f"{path} isn't OSCAL as its schema has it{last}: {wrong}; nothing was taken over.") from None


def _of_group(group: Mapping[str, Any], unit: str, process: str) -> Found:
    """The controls of a group, and of those in it, however deep; those that state nothing without a table."""
    unit = _props(group).get("unit_id", unit)
    for child in group.get("groups", []):
        yield from _of_group(child, unit, _text(child.get("title", "")))
    for control in group.get("controls", []):
        said = {"unit_id": unit, "process": process or _text(control["title"]), "statement": _prose(control)}
        cells = {"objective_id": _label(control, control["id"]), **said}
        yield "control_objectives" if cells["statement"] else "", f"control {control['id']}", cells
        yield from _of_group(control, unit, process)


def _of_components(definition: Mapping[str, Any]) -> Found:
    resources = definition.get("back-matter", {}).get("resources", [])
    titles = {f"#{each['uuid']}": _text(each.get("title", "")) for each in resources}
    for component in definition.get("components", []):
        ours, where = _props(component), f"component {component['uuid']}"
        named = {"title": _text(component["title"]), "description": _text(component["description"])}
        name = ours.get("control_id") or f"C-{component['uuid'][:8]}"
        cells = {column: text for column, text in {**ours, **named, "control_id": name}.items() if text != WITHHELD}
        yield "controls", where, cells
        mapped = dict[tuple[str, str], None]()  # of two implementations the same reference
        for implementation in component.get("control-implementations", []):
            source = implementation["source"]
            if source != f"{CATALOG}.json":  # ours: what it serves is told by its risks
                for requirement in implementation["implemented-requirements"]:
                    reference = _label(requirement, requirement["control-id"])
                    mapped[titles.get(source) or plain(source), reference] = None
        for framework, reference in mapped:
            yield "mappings", where, {"control_id": name, "framework": framework, "reference": reference}


def _props(found: Mapping[str, Any]) -> dict[str, str]:
    """Our own properties, by the columns that they are."""
    return {each["name"].replace("-", "_"): each["value"] for each in found.get("props", []) if each.get("ns") == NS}


def _label(found: Mapping[str, Any], name: str) -> str:
    labels = [each["value"] for each in found.get("props", []) if each["name"] == "label" and not each.get("class")]
    return str(labels[0]) if labels else name


def _prose(control: Mapping[str, Any]) -> str:
    """What a control states, with its parameters named; several parts each in a line."""
    named = {each["id"]: _text(each.get("label", each["id"])) for each in control.get("params", [])}

    def told(part: Mapping[str, Any]) -> Iterator[str]:
        yield part.get("prose", "")
        for inner in part.get("parts", []):
            yield from told(inner)

    parts = [each for each in control.get("parts", []) if each["name"] == "statement"]
    text = "\n".join(filter(None, (line for each in parts for line in told(each))))
    return _text(_PARAMETER.sub(lambda found: f"[{named.get(found[1], found[1])}]", text))


def _text(text: str) -> str:
    return "" if text == WITHHELD else plain(text)
