"""The register's sheets in a workbook: a table each, with drop-downs, notes and whatever else helps to fill them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from itertools import zip_longest
from typing import Literal, get_args, get_origin

from pydantic import ValidationError

from riskcalc.assessment.scoring import LEGEND
from riskcalc.excel.writer import (
    DAY,
    HEADER,
    PERCENT,
    PLAIN,
    ROWS,
    RUNNING,
    TEXT,
    TITLE,
    Formula,
    Look,
    Sheet,
    Sheets,
    escape,
)
from riskcalc.register.as_typed import reader_of, share
from riskcalc.register.checked_rows import Table
from riskcalc.register.matrix import ink_on
from riskcalc.register.methodology import Methodology
from riskcalc.register.row import SPAN, Ref, Row, kind_of
from riskcalc.register.starter import AXES
from riskcalc.register.tables import TABLES
from riskcalc.register.xlsx_cells import letters
from riskcalc.register.xlsx_scales import BLOCKS, CHOICE, PLACES, ROOM, SCALES, Scales, split
from riskcalc.register.xlsx_tables import METHODOLOGY

_VERBATIM = Look(number_format="@")  # a line of methodology.toml: wrapped, it would be hard to tell from two
_WIDE = {"description", "statement", "title", "rationale", "procedure", "reason", "materiality_basis", "service"}
_FROM_METHODOLOGY = {"appetite": "level_names", "design": "design_names"}
_JUNK = "\x00"
_STEPS = resources.files("riskcalc.excel").joinpath("instructions.txt").read_text("utf-8")


@dataclass(frozen=True)
class Choice:
    """What a column's cells may be chosen from: values with their meanings."""

    name: str
    values: tuple[str, ...]
    meanings: tuple[str, ...] = ()


def write_register(
    sheets: Sheets, methodology_text: str, methodology: Methodology, tables: Mapping[str, Table] | None = None
) -> None:
    """Write the sheets that a register is read from: instructions, methodology, a sheet per table, lists."""
    found = (_choice(name, column, methodology) for name in TABLES for column in TABLES[name].model_fields)
    choices = {choice.name: choice for choice in found if choice}
    legend = "\n".join(f"{word}: {meaning}" for word, meaning in LEGEND.items())
    write_lines(sheets, "instructions", _STEPS.replace("LEGEND", legend).splitlines())
    rest, scales = split(methodology_text)
    if scales:
        _write_scales(sheets, scales)
    listed = [name for name in choices if not (scales and name in _FOLLOWING)]
    sheet = sheets.sheet(METHODOLOGY, [120], columns=_VERBATIM)
    for line in rest.removesuffix("\n").split("\n"):
        sheet.row([line], _VERBATIM)
    for name in TABLES:
        if not tables or tables[name].columns:  # an optional table that the register hasn't would come back as a file
            sheet = write_table(sheets, name, methodology, (tables or {}).get(name))
            _validate(sheet, name, methodology, listed, tables or {})
    _lists(sheets, [choices[name] for name in listed])


def write_lines(sheets: Sheets, name: str, lines: Sequence[str]) -> None:
    """Write a sheet for people to read: a title, and sentences below it."""
    sheet = sheets.sheet(name, [110], tab="#26323d")
    for line, look in zip(lines, [TITLE, *[PLAIN] * len(lines)], strict=False):
        sheet.row([line], look)


def write_table(sheets: Sheets, name: str, methodology: Methodology, table: Table | None = None) -> Sheet:
    """Write a table's sheet: each column's name with a note on what it takes, and the rows as texts."""
    columns = columns_of(name, table)
    looks = [_look(TABLES[name], column) for column in columns]
    sheet = sheets.sheet(name, [_width(column) for column in columns], "B2", columns=looks)
    told = notes(TABLES[name], methodology)
    sheet.row(columns, HEADER, [told[column] for column in columns])
    for cells in table.cells.values() if table else ():
        sheet.row([cells[column] for column in columns], TEXT)
    sheet.filtered(len(columns))
    return sheet


def columns_of(name: str, table: Table | None) -> list[str]:
    """The columns of a table in the order of its file, or where there is none, in our own."""
    return (table and table.columns) or list(TABLES[name].model_fields)


def _look(model: type[Row], column: str) -> Look:
    """How a column's empty cells look: days and shares as such, so that a spreadsheet takes them as they are typed."""
    known = column in model.model_fields
    if known and kind_of(model, column) is date:
        return DAY
    return PERCENT if known and reader_of(model, column) is share else TEXT


def _width(column: str) -> int:
    return 48 if column in _WIDE else 14 if column.endswith("_id") else 18


def notes(model: type[Row], methodology: Methodology) -> dict[str, str]:
    """What each column of a table takes, in words: from the rules by which it is checked.

    >>> from riskcalc.register.register import load
    >>> notes(TABLES["risk_controls"], load("data").methodology)["acts_on"]
    'acts_on: required.\\nOne of: likelihood, impact, both.'
    """
    wanted = _refusals(model, methodology, "")
    allowed = _refusals(model, methodology, _JUNK)
    return {column: _note(model, column, column in wanted, allowed.get(column, "")) for column in model.model_fields}


def _refusals(model: type[Row], methodology: Methodology, text: str) -> dict[str, str]:
    """What is said of a text in each column that doesn't take it."""
    try:
        model.model_validate(dict.fromkeys(model.model_fields, text), context={"methodology": methodology})
    except ValidationError as error:
        return {str(each["loc"][0]): str(each.get("ctx", {}).get("error", "")) for each in error.errors()}
    return {}


def _note(model: type[Row], column: str, wanted: bool, refusal: str) -> str:
    lines = [f"{column}: {'required' if wanted else 'may be blank'}."]
    if column == "coverage":
        lines.append(f"Coverage: {LEGEND['Coverage']}")
    if column in model.primary_key:
        once = "No two rows have the same, on one day." if model.timed() else "No two rows have the same."
        lines.append(once if len(model.primary_key) == 1 else "Part of the row's key.")
    if column in SPAN:
        lines.append("The row holds from valid_from to valid_to; blank: without an end.")
    if table := _points_at(model, column):
        several = "; several are separated by |" if _is_list(model, column) else ""
        lines.append(f"As in the sheet {table}{several}.")
    kind = kind_of(model, column)
    if get_origin(kind) is Literal:
        lines.append(f"One of: {', '.join(get_args(kind))}.")
    elif "allowed" in refusal:
        lines.append(refusal[refusal.index("allowed") :].replace("allowed", "Allowed", 1) + ".")
    return "\n".join(lines)


def _is_list(model: type[Row], column: str) -> bool:
    return get_origin(kind_of(model, column)) is tuple


def _points_at(model: type[Row], column: str) -> str:
    marks = model.model_fields[column].metadata
    return next((mark.table for mark in marks if isinstance(mark, Ref)), "")


def _choice(table: str, column: str, methodology: Methodology) -> Choice | None:
    """The list that a column's cells are chosen from; None where there is none."""
    kind = kind_of(TABLES[table], column) if column in TABLES[table].model_fields else None
    axis = column.removeprefix("proposed_").partition("_")[0]
    if source := _FROM_METHODOLOGY.get(column):
        return Choice(source, tuple(getattr(methodology, source)))
    if table == "ratings" and axis in AXES:
        scale = getattr(methodology, axis)
        values = tuple(str(number) for number in range(1, len(scale) + 1))
        return Choice(axis, values, tuple(f"{rating.name}: {rating.definition}" for rating in scale))
    if kind is bool or get_origin(kind) is Literal:
        return Choice(f"{table}.{column}", ("yes", "no") if kind is bool else get_args(kind))
    return None


def _write_scales(sheets: Sheets, scales: Scales) -> None:
    """Write the scales and the matrix as cells: what is changed there, the drop-downs follow."""
    sheet = sheets.sheet(SCALES, [12, 18, *[18] * 4, 22, *[18] * 4, 70], "B3", columns=TEXT)
    head = "Scales and matrix, 1 is the lowest: change names and cells, add ratings below the last, at most ten."
    told = "Lists elsewhere follow what stands here. Colours are #rrggbb; the matrix has a row per likelihood."
    sheet.row([head], TITLE)
    sheet.row([told], RUNNING)
    colours = [colour for _, colour in scales.blocks["level"]]
    for name, first in BLOCKS.items():
        places, choice = PLACES[name], {CHOICE: "to choose"} if name in AXES else {}
        sheet.row(_spread({0: name, **{place: column for column, place in places.items()}, **choice}), HEADER)
        for place in range(ROOM):
            texts = scales.blocks[name][place] if place < len(scales.blocks[name]) else []
            cells: dict[int, object] = {0: str(place + 1), **dict(zip(places.values(), texts, strict=False))}
            if choice:
                at, shown = first + 1 + place, f"{place + 1} - {texts[0]}" if texts else ""
                cells[CHOICE] = Formula(f'IF(B{at}="","",A{at}&" - "&B{at})', shown)
            looks = [TEXT, TEXT]
            if name == "level" and texts:
                looks.append(Look(fill=colours[place], ink=ink_on(colours[place])))
            sheet.row(_spread(cells), looks)
        if name != "matrix":
            sheet.row([])
    _colour_matrix(sheets, sheet, colours)


def _spread(cells: Mapping[int, object]) -> list[object]:
    return [cells.get(place, "") for place in range(max(cells) + 1)]


def _colour_matrix(sheets: Sheets, sheet: Sheet, colours: Sequence[str]) -> None:
    """Let the matrix be chosen from the levels, and show their colours."""
    area = (BLOCKS["matrix"], 1, BLOCKS["matrix"] + ROOM - 1, ROOM)
    sheet.grid.data_validation(*area, _rule(_FOLLOWING["level_names"], "One of the levels above."))
    for place, colour in enumerate(colours):
        look = sheets.book.add_format({"bg_color": colour, "font_color": ink_on(colour)})
        named = f"$B${BLOCKS['level'] + 1 + place}"
        sheet.grid.conditional_format(*area, {"type": "cell", "criteria": "==", "value": named, "format": look})


def _as_long_as(name: str, column: str) -> str:
    """The cells of a block on the sheet of the scales, as many as have a name."""
    first = BLOCKS[name] + 1
    return f"OFFSET(scales!${column}${first},0,0,MAX(1,COUNTA(scales!$B${first}:$B${first + ROOM - 1})),1)"


_FOLLOWING = {
    "likelihood": _as_long_as("likelihood", letters(CHOICE)),
    "impact": _as_long_as("impact", letters(CHOICE)),
    "level_names": _as_long_as("level", "B"),
}


def _validate(
    sheet: Sheet, name: str, methodology: Methodology, listed: Sequence[str], tables: Mapping[str, Table]
) -> None:
    """Let the cells of a table's columns be chosen from lists, and from the ids on other sheets."""
    places = {choice: letters(2 * number) for number, choice in enumerate(listed)}
    for place, column in enumerate(columns_of(name, tables.get(name))):
        target = _points_at(TABLES[name], column)
        choice = _choice(name, column, methodology)
        if choice and choice.name not in places:
            told = "Choose from what stands on the sheet scales; a rating's number will do."
            rule = _rule(_FOLLOWING[choice.name], told)
            rule["error_type"] = "warning"  # a number alone is as good, and so is a name
        elif choice:
            at = places[choice.name]
            rule = _rule(f"lists!${at}$3:${at}${len(choice.values) + 2}", f"Allowed: {', '.join(choice.values)}")
            if choice.meanings:
                rule |= {"input_title": escape(column[:32]), "input_message": escape(_prompt(choice))}
        elif target and not _is_list(TABLES[name], column):
            at = letters(columns_of(target, tables.get(target)).index(TABLES[target].primary_key[0]))
            # a warning only: a row may be filled in before the row that it points at
            rule = _rule(f"{target}!${at}$2:${at}$5000", f"Not among the rows of the sheet {target}.", "warning")
        else:
            continue
        sheet.grid.data_validation(1, place, ROWS - 1, place, rule)


def _rule(source: str, error: str, kind: str = "stop") -> dict[str, str]:
    """A drop-down; a spreadsheet has room for 255 characters of what it says."""
    return {"validate": "list", "source": f"={source}", "error_type": kind, "error_message": escape(error[:225])}


def _prompt(choice: Choice) -> str:
    """The ratings by name, as they are shown beside the cell."""
    names = [said.partition(":")[0] for said in choice.meanings]
    meant = "; ".join(f"{value} {name}" for value, name in zip(choice.values, names, strict=True))
    return f"{meant[:225]}. Definitions: sheet lists."


def _lists(sheets: Sheets, choices: Sequence[Choice]) -> None:
    """The values to choose from, two columns each: the value, and what it means."""
    sheet = sheets.sheet("lists", [width for _ in choices for width in (22, 30)], "A3")
    sheet.row(["What cells are chosen from; change the methodology to change what it sets."], TITLE)
    sheet.row([text for choice in choices for text in (choice.name, "")], HEADER)
    columns = [column for choice in choices for column in (choice.values, choice.meanings)]
    for row in zip_longest(*columns, fillvalue=""):
        sheet.row(row, TEXT)
