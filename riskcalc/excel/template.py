"""The register's sheets in a workbook: a table each, with drop-downs, notes and whatever else helps to fill them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from riskcalc.excel.writer import HEADER, PLAIN, TEXT, TITLE, Look, Sheets
from riskcalc.register.checked_rows import Table
from riskcalc.register.methodology import Methodology
from riskcalc.register.tables import TABLES, Ref, Row, kind_of
from riskcalc.register.xlsx_cells import letters
from riskcalc.register.xlsx_tables import METHODOLOGY

_LAST = 1_048_576
_WIDE = {"description", "statement", "title", "rationale", "procedure", "reason", "materiality_basis", "service"}
_FROM_METHODOLOGY = {"appetite": "level_names", "design": "design_names"}
_JUNK = "\x00"
_STEPS = (
    "How to fill in this workbook",
    "Each sheet after methodology is a table of the register; its first row names the columns. Leave the names as they "
    "are; columns may change places. Point at a name to see what its column takes.",
    "Begin with business_units and control_objectives, then risks, ratings, controls, risk_controls and control_tests. "
    "A sheet without rows keeps its first row.",
    "All cells are texts: what you type stays as you type it. Dates are YYYY-MM-DD, amounts 1250000.00, lists are "
    "separated by |. Where a cell offers a list, choose from it; what the ratings mean stands on the sheet lists.",
    "methodology holds the settings (methodology.toml), a line per row: scales, matrix, weights, sampling.",
    "Don't merge cells, hide rows or add sheets: they are refused, so that nothing is left out unseen. This sheet, "
    "lists, and sheets whose names begin with 'results' are not read.",
    "Check the workbook: riskcalc check FILE.xlsx. See what it would change: riskcalc excel import FILE.xlsx --into "
    "DATA; with --apply it is done. Any other command takes the workbook where it takes a folder.",
)


@dataclass(frozen=True)
class Choice:
    """What a column's cells may be chosen from: values with their meanings."""

    name: str
    values: tuple[str, ...]
    meanings: tuple[str, ...]


def write_register(
    sheets: Sheets, methodology_text: str, methodology: Methodology, tables: Mapping[str, Table] | None = None
) -> None:
    """Write the sheets that a register is read from: instructions, methodology, a sheet per table, lists."""
    choices = {choice.name: choice for name in TABLES for choice in _choices(name, methodology)}
    _instructions(sheets)
    sheet = sheets.sheet(METHODOLOGY, [120])
    for line in methodology_text.removesuffix("\n").split("\n"):
        sheets.row(sheet, [line], Look(number_format="@"))
    for name in TABLES if tables is None else [name for name, table in tables.items() if table.columns]:
        _table(sheets, name, methodology, choices, tables)
    _lists(sheets, list(choices.values()))


def _instructions(sheets: Sheets) -> None:
    sheet = sheets.sheet("instructions", [110], tab="#26323d")
    sheets.row(sheet, _STEPS[:1], TITLE)
    for step in _STEPS[1:]:
        sheets.row(sheet, [step], PLAIN)


def _table(
    sheets: Sheets,
    name: str,
    methodology: Methodology,
    choices: Mapping[str, Choice],
    tables: Mapping[str, Table] | None,
) -> None:
    model, table = TABLES[name], tables[name] if tables else None
    columns = table.columns if table else list(model.model_fields)
    sheet = sheets.sheet(name, [_width(column) for column in columns], "B2")
    told = notes(model, methodology)
    _validate(sheet, name, columns, choices, tables or {})
    for place in range(len(columns)):
        sheet.column_dimensions[letters(place)].number_format = "@"
    sheets.put(sheet, [sheets.cell(sheet, column, HEADER, told[column]) for column in columns])
    for cells in table.cells.values() if table else ():
        sheets.row(sheet, [cells[column] for column in columns], TEXT)
    sheet.auto_filter.ref = f"A1:{letters(len(columns) - 1)}{len(table.cells) + 1 if table else 1}"


def _width(column: str) -> int:
    return 48 if column in _WIDE else 14 if column.endswith("_id") else 18


def notes(model: type[Row], methodology: Methodology) -> dict[str, str]:
    """What each column of a table takes, in words: from the rules by which it is checked."""
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
    if column in model.primary_key:
        lines.append("No two rows have the same." if len(model.primary_key) == 1 else "Part of the row's key.")
    if table := _points_at(model, column):
        lines.append(
            f"As in the sheet {table}; several are separated by |."
            if _is_list(model, column)
            else f"As in the sheet {table}."
        )
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


def _choices(name: str, methodology: Methodology) -> Iterator[Choice]:
    """The lists that a table's columns choose from."""
    model = TABLES[name]
    for column in model.model_fields:
        kind = kind_of(model, column)
        if source := _FROM_METHODOLOGY.get(column):
            values = tuple(getattr(methodology, source))
            yield Choice(source, values, ("",) * len(values))
        elif axis := _axis(name, column):
            scale = getattr(methodology, axis)
            values = tuple(str(number) for number in range(1, len(scale) + 1))
            yield Choice(axis, values, tuple(f"{rating.name}: {rating.definition}" for rating in scale))
        elif kind is bool or get_origin(kind) is Literal:
            values = ("yes", "no") if kind is bool else get_args(kind)
            yield Choice(_list_name(name, column), values, ("",) * len(values))


def _axis(table: str, column: str) -> str:
    axis = column.partition("_")[0]
    return axis if table == "ratings" and axis in ("likelihood", "impact") else ""


def _list_name(table: str, column: str) -> str:
    if column in _FROM_METHODOLOGY:
        return _FROM_METHODOLOGY[column]
    return _axis(table, column) or f"{table}.{column}"


def _validate(
    sheet: Any, name: str, columns: Sequence[str], choices: Mapping[str, Choice], tables: Mapping[str, Table]
) -> None:
    """Let the cells of a table's columns be chosen from lists, and from the ids on other sheets."""
    from openpyxl.worksheet.datavalidation import DataValidation

    places = {choice: letters(2 * number) for number, choice in enumerate(choices)}
    for place, column in enumerate(columns):
        target = _points_at(TABLES[name], column)
        if choice := choices.get(_list_name(name, column)):
            source = f"lists!${places[choice.name]}$3:${places[choice.name]}${len(choice.values) + 2}"
            rule = DataValidation("list", source, allow_blank=True, showErrorMessage=True, showInputMessage=True)
            rule.error = f"Allowed: {', '.join(choice.values)}"[:225]
            if any(choice.meanings):
                rule.promptTitle, rule.prompt = column[:32], _prompt(choice)
        elif target and not _is_list(TABLES[name], column):
            key = TABLES[target].primary_key[0]
            at = letters(tables[target].columns.index(key)) if target in tables else "A"
            rule = DataValidation("list", f"{target}!${at}$2:${at}$5000", allow_blank=True, showErrorMessage=True)
            rule.errorStyle, rule.error = "warning", f"Not among the rows of the sheet {target}."
        else:
            continue
        rule.add(f"{letters(place)}2:{letters(place)}{_LAST}")
        sheet.data_validations.append(rule)


def _prompt(choice: Choice) -> str:
    """The ratings by name, as they are shown beside the cell; a spreadsheet has room for 255 characters there."""
    names = [said.partition(":")[0] for said in choice.meanings]
    meant = "; ".join(f"{value} {name}" for value, name in zip(choice.values, names, strict=True))
    return f"{meant[:225]}. Definitions: sheet lists."


def _lists(sheets: Sheets, choices: Sequence[Choice]) -> None:
    """The values to choose from, two columns each: the value, and what it means."""
    sheet = sheets.sheet("lists", [width for _ in choices for width in (22, 30)], "A3")
    sheets.row(sheet, ["What cells are chosen from; change the methodology to change what it sets."], TITLE)
    sheets.row(sheet, [text for choice in choices for text in (choice.name, "")], HEADER)
    for row in range(max(len(choice.values) for choice in choices)):
        sheets.row(sheet, [text for choice in choices for text in _pair(choice, row)], TEXT)


def _pair(choice: Choice, row: int) -> tuple[str, str]:
    return (choice.values[row], choice.meanings[row]) if row < len(choice.values) else ("", "")
