"""Where a questionnaire has its questions, answers and comments: proposed by content, confirmed by people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from riskcalc.answers.questionnaire_files import Sheet, places, within
from riskcalc.answers.words import WORDS
from riskcalc.errors import UsageError
from riskcalc.register import map_files
from riskcalc.register.records import grouped
from riskcalc.register.xlsx_cells import column_of, letters

_ASKS = re.compile(
    r"\?|^(\W*\d[\d.]*\W+)?(do|does|did|is|are|was|were|has|have|had|can|could|will|would|should|how|what|when|where|who|"
    r"which|why|describe|provide|explain|list|please|identify|indicate|state|specify|if|name|for each|confirm)\b",
    re.IGNORECASE,
)
# not ours to fill in
_THEIRS = re.compile(r"analyst|reviewer|assessor|auditor|scor|internal|office use", re.IGNORECASE)
_TOTAL = re.compile(r"(sub)?totals?\b|sum of\b|(overall|average) (weight|score)", re.IGNORECASE)
_LEAST = 12  # characters of what may be a question without asking
_TITLE = 40  # characters of what heads others, where questions have numbers and it has none
_FEW = 3  # rows that ask before a sheet without headings is taken for one of questions


class Columns(BaseModel):
    """Where a sheet has its questions: the row of the headings, and columns by their letters; blank for none.

    ``heading`` is what stands above the questions, by which the same template is known again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    header: int = Field(ge=0)
    heading: str = ""
    question: str = Field(pattern="^[A-Z]{1,3}$")
    answer: str = Field(pattern="^[A-Z]{1,3}$")
    comment: str = Field(default="", pattern="^([A-Z]{1,3})?$")
    reference: str = Field(default="", pattern="^([A-Z]{1,3})?$")
    section: str = Field(default="", pattern="^([A-Z]{1,3})?$")


class Map(BaseModel):
    """What a person confirmed of a questionnaire's template."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    confirmed: bool = False
    sheet: tuple[Columns, ...]


def propose(sheets: list[Sheet]) -> Map:
    """The columns as headings and content tell them; sheets in which nothing asks are left out.

    Raises UsageError where no sheet has questions.

    >>> sheet = Sheet("Q", {1: ["No", "Question", "Answer"], 2: ["1", "Are backups taken?"]})
    >>> propose([sheet]).sheet[0].answer
    'C'
    """
    found = [columns for sheet in sheets if not sheet.unread and (columns := _columns(sheet))]
    if not found:
        told = "No sheet looks like questions with a column for answers"
        raise UsageError(f"{told}; write MAP.toml by hand: docs/questionnaires.md.")
    return Map(sheet=tuple(found))


def as_toml(found: Map) -> str:
    """A map as a file to look at, and to confirm."""
    told = "Proposed. Look at each sheet and column; delete sheets that are no questions; then set:"
    return map_files.as_toml({"confirmed": False, **found.model_dump(exclude_defaults=True)}, told)


def read_map(path: Path) -> Map:
    """A map that was confirmed; raises RegisterError with all that is wrong with it, UsageError where it isn't."""
    if not path.exists():
        raise UsageError(f"There is no {path}; riskcalc answer map writes one.")
    found = map_files.read_map(Map, path)
    if not found.confirmed:
        raise UsageError(f"{path} isn't confirmed: look at its sheets and columns, then set confirmed = true in it.")
    return found


def fitting(found: Map, sheets: list[Sheet]) -> list[tuple[Columns, Sheet]]:
    """A map's sheets in a questionnaire; raises UsageError where it is a map of another template."""
    by_name = {sheet.name: sheet for sheet in sheets if not sheet.unread}
    for columns in found.sheet:
        sheet = by_name.get(columns.name)
        if sheet is None:
            raise UsageError(f"The map names the sheet {columns.name!r}; there are: {', '.join(by_name)}.")
        seen = sheet.text(columns.header, column_of(columns.question)) if columns.header else ""
        if seen != columns.heading:
            place = f"sheet {columns.name!r}, cell {columns.question}{columns.header}"
            told = f"{place} says {seen[:60]!r}, not {columns.heading[:60]!r}"
            raise UsageError(f"The map is of another template: {told}.")
    return [(columns, by_name[columns.name]) for columns in found.sheet]


def left_out(found: Map, sheets: list[Sheet]) -> list[str]:
    """What of a questionnaire a map passes over: its other sheets, and questions outside of a document's tables."""
    mapped = {columns.name for columns in found.sheet}
    told = [
        f"{sheet.name}: {sheet.unread or 'not in the map'}"
        for sheet in sheets
        if sheet.name not in mapped and sheet.unread != "no table" and any(places(sheet))
    ]
    texts = (text for sheet in sheets if sheet.unread == "no table" for *_, text in places(sheet))
    return told + [f"outside of the tables: {text}" for text in texts if _ASKS.search(text)]


def asked(columns: Columns, sheet: Sheet) -> Iterator[tuple[int, str, str, str]]:
    """The questions of a sheet: row, section, reference, text. Hidden rows, headings and titles ask nothing."""
    at, section = column_of(columns.question), ""
    for row in sorted(sheet.rows):
        text = sheet.text(row, at) or _band(sheet, row, at)
        if row <= columns.header or row in sheet.hidden or not text or _TOTAL.match(text):
            continue
        named = sheet.text(row, column_of(columns.reference)) if columns.reference else ""
        has_list = sheet.offered(row, column_of(columns.answer))[0]
        if text == columns.heading:
            continue
        if _is_title(sheet, columns, row, text, named, has_list):
            section = text
            continue
        yield row, (sheet.text(row, column_of(columns.section)) if columns.section else section), named, text


# --- parts ---


def _band(sheet: Sheet, row: int, column: int) -> str:
    """What merged cells say that begin before a column, in one row, and reach over it."""
    over = (block for block in sheet.merged if block[0] == block[1] and within(block, row, column))
    return next((sheet.text(row, block[2]) for block in over), "")


def _is_title(sheet: Sheet, columns: Columns, row: int, text: str, named: str, has_list: bool) -> bool:
    """Whether a row only heads others: nothing asks in it, and nothing can be answered."""
    if _ASKS.search(text):
        return False
    answered = column_of(columns.answer)
    if any(within(block, row, answered) and block[2] < answered for block in sheet.merged):
        return True  # whatever drop-down runs down the whole column
    if has_list:  # its own, or one that runs down the whole column
        return not named and len(text) < _TITLE and _stands_out(sheet, columns, row)
    return not named and len(text) < (_TITLE if columns.reference else _LEAST)


def _stands_out(sheet: Sheet, columns: Columns, row: int) -> bool:
    """Whether a row says nothing but its question, in bold, among others that have numbers and none in bold."""
    number = column_of(columns.reference or "A")
    numbered = [each for each in sheet.rows if each > columns.header and sheet.text(each, number)]
    alone = sum(bool(cell.strip()) for cell in sheet.rows[row]) == 1 and f"{columns.question}{row}" in sheet.bold
    usual = columns.reference and not any(f"{columns.question}{each}" in sheet.bold for each in numbered)
    return alone and bool(usual and numbered)


def _columns(sheet: Sheet) -> Columns | None:
    """The columns of a sheet by its first headings; where it has none, by what asks and where there is room.

    Headings are often repeated, and not each time in full: the comments' may stand further down.
    """
    rows = [row for row in sorted(sheet.rows) if row not in sheet.hidden]
    headed = [found for row in rows[:60] if (found := _headed(sheet, row, _roles(sheet, row)))]
    if not headed:
        return _by_content(sheet)
    first = headed[0]
    comments = [each.comment for each in headed if (each.question, each.answer) == (first.question, first.answer)]
    return first.model_copy(update={"comment": next(filter(None, comments), "")})


def _headed(sheet: Sheet, row: int, roles: dict[str, int]) -> Columns | None:
    """The columns that a row heads, if there is one for answers, and something is asked before it."""
    if "answer" not in roles:
        return None
    question = _longest(sheet, row, roles["answer"], roles.get("question"))
    found = _made(sheet, row, {**roles, "question": question})
    if question >= roles["answer"] or not _is_free(sheet, found, found.answer):
        return None
    fits = column_of(found.comment or "A") > question and _is_free(sheet, found, found.comment)
    return found if fits else found.model_copy(update={"comment": ""})


def _longest(sheet: Sheet, header: int, answer: int, named: int | None) -> int:
    """The column before the answers with the longest texts under the headings, unless the one so ``named`` keeps up."""
    below = [cells for row, cells in sheet.rows.items() if row > header and row not in sheet.hidden]
    length = [sum(len(cells[column]) for cells in below if column < len(cells)) for column in range(answer)] or [0]
    best = max(range(len(length)), key=length.__getitem__)
    return named if named is not None and named < answer and length[named] * 2 >= length[best] else best


def _roles(sheet: Sheet, row: int) -> dict[str, int]:
    """By role, the first column whose heading in a row says so."""
    found: dict[str, int] = {}
    for column, cell in enumerate(sheet.rows[row]):
        text = cell.strip()
        role = next((role for role, words in WORDS["roles"].items() if re.search(words, text, re.IGNORECASE)), "")
        if text and len(text) <= 60 and role and not _THEIRS.search(text):
            found.setdefault(role, column)
    return found


def _by_content(sheet: Sheet) -> Columns | None:
    """The column in which most cells ask, and beside it the one with drop-downs, or else the first that is empty."""
    asks = grouped((column, row) for row, column, cell in places(sheet) if len(cell) >= _LEAST and _ASKS.search(cell))
    if not asks or len(max(asks.values(), key=len)) < _FEW:
        return None
    question = max(asks, key=lambda column: (len(asks[column]), -column))
    rows, beside = asks[question], range(question + 1, question + 8)
    offered = [column for column in beside if sum(sheet.offered(row, column)[0] for row in rows) * 2 >= len(rows)]
    free = [column for column in beside if sum(bool(sheet.text(row, column)) for row in rows) * 5 <= len(rows)]
    above = max((row for row in sheet.rows if row < rows[0] and 0 < len(sheet.text(row, question)) < 60), default=0)
    answer = [*offered, *free][0]
    more = {
        role: column
        for role, column in (_roles(sheet, above) if above else {}).items()
        if column not in (question, answer) and (column > answer if role == "comment" else role != "answer")
    }
    return _made(sheet, above, {**more, "question": question, "answer": answer})


def _made(sheet: Sheet, row: int, roles: dict[str, int]) -> Columns:
    named = {role: letters(column) for role, column in roles.items()}
    return Columns(name=sheet.name, header=row, heading=sheet.text(row, roles["question"]), **named)


def _is_free(sheet: Sheet, columns: Columns, letter: str) -> bool:
    """Whether a column is for answers: most of it is empty, or has drop-downs; and something is asked."""
    rows = [row for row, *_ in asked(columns, sheet)]
    at = column_of(letter or "A")
    return 0 < len(rows) <= 2 * sum(not sheet.text(row, at) or sheet.offered(row, at)[0] for row in rows)
