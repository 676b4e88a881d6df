"""The results in a workbook: what stands on the pages, with live formulas for the scores.

The formulas are those of docs/methodology.md: change a rating or a weight in the workbook, and the scores follow. The
sheets' names begin with ``results``; nobody reads them back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pandas as pd

from riskcalc.assessment import evidence, readiness, sample_plans, scoring, testing
from riskcalc.assessment.context import Context
from riskcalc.excel.writer import COUNT, HEADER, NUMBER, PERCENT, PLAIN, RUNNING, TITLE, Formula, Look, Sheet, Sheets
from riskcalc.register.matrix import Matrix, ink_on
from riskcalc.register.register import Register
from riskcalc.register.xlsx_cells import letters
from riskcalc.register.xlsx_tables import RESULTS

METHOD, _LINES = f"'{RESULTS}method'", f"'{RESULTS}score lines'"
GRID_ROW = 4  # where the matrix stands on the sheet about the method: its header row
LABEL = Look(bold=True)
_VIEWS = {
    "inherent": "before controls",
    "claimed": "controls at their word",
    "earned": "controls as documented and tested",
}


def write_results(sheets: Sheets, context: Context, scores: pd.DataFrame) -> None:
    """Write the sheets of results for a period with its ``scores``."""
    register, lines = context.register, scoring.score_lines(context)
    _method(sheets, context)
    _matrices(sheets, scores, register.methodology.matrix)
    places = _score_lines(sheets, lines)
    _risks(sheets, register, scores, places)
    _control_matrix(sheets, context)
    _sampling(sheets, context)
    _gaps(sheets, context)


# --- the method and its legend ---


def _method(sheets: Sheets, context: Context) -> None:
    register = context.register
    matrix, methodology = register.methodology.matrix, register.methodology
    sheet = sheets.sheet(f"{RESULTS}method", [30, *[16] * 10], tab="#26323d")
    sheet.row([f"{methodology.organisation}: risks to financial reporting, {context.period.name}"], TITLE)
    sheet.row([f"As of {context.as_of}. Content of the register (SHA-256): {register.fingerprint()}"], RUNNING)
    sheet.row(["The level of a risk: its likelihood (rows), its impact (columns)"], LABEL)
    sheet.row(["Likelihood, by impact", *matrix.impact], HEADER)
    for name, row in reversed(list(zip(matrix.likelihood, matrix.grid, strict=True))):
        sheet.row([name, *(matrix.level_names[level] for level in row)], [HEADER, *colours(matrix, row)])
    sheet.row([])
    sheet.row(["Levels, lowest first"], LABEL)
    for place, level in enumerate(matrix.levels):
        sheet.row([level.name], colours(matrix, [place]))
    for line in _legend(register):
        sheet.row(line, [LABEL, RUNNING])


def _legend(register: Register) -> Iterator[list[str]]:
    methodology = register.methodology
    yield []
    for axis in scoring.AXES:
        for number, rating in enumerate(getattr(methodology, axis), 1):
            yield [f"{axis} {number}: {rating.name}", rating.definition]
    yield []
    yield ["Score", "likelihood x impact; it orders risks within a level"]
    yield ["Residual", "1 + (rating - 1) x product over the controls of (1 - coverage x weight), for each axis"]
    yield from ([word, meaning] for word, meaning in scoring.LEGEND.items())
    for name, weight in methodology.weights.design.items():
        yield [f"Design {name}", str(weight)]
    for name, weight in methodology.weights.operating.model_dump().items():
        yield [f"Operation {name}", str(weight)]
    yield ["Sample sizes", methodology.sampling.source]


def colours(matrix: Matrix, levels: Any) -> list[Look]:
    """The looks of cells in the colours of their levels, given by their ranks from 0 on."""
    fills = (matrix.levels[level].colour for level in levels)
    return [Look(fill=fill, ink=ink_on(fill), wrap=True, centre=True) for fill in fills]


def level_look(matrix: Matrix, level: object) -> Look:
    """The look of a cell with a level's name; a plain one for any other value."""
    names = matrix.level_names
    return colours(matrix, [names.index(str(level))])[0] if level in names else PLAIN


# --- the matrices ---


def draw(sheet: Sheet, matrix: Matrix, told: Callable[[tuple[int, int], str], object]) -> None:
    """The matrix on a sheet, the highest likelihood first; ``told`` gives what a cell says, by its place and level."""
    sheet.row(["Likelihood, by impact", *(f"{number} {name}" for number, name in enumerate(matrix.impact, 1))], HEADER)
    for likelihood, name in reversed([*enumerate(matrix.likelihood, 1)]):
        levels = matrix.grid[likelihood - 1]
        cells = [told((likelihood, impact), matrix.level_names[level]) for impact, level in enumerate(levels, 1)]
        sheet.row([f"{likelihood} {name}", *cells], [HEADER, *colours(matrix, levels)])


def _matrices(sheets: Sheets, scores: pd.DataFrame, matrix: Matrix) -> None:
    sheet = sheets.sheet(f"{RESULTS}matrices", [22, *[24] * len(matrix.impact)])
    sheet.grid.fit_to_pages(1, 1)  # the three are compared with each other
    rated = int(scores["likelihood"].notna().sum())
    sheet.row([f"Rated risks: {rated}; unrated, in no cell: {len(scores) - rated}. As exported."], TITLE)
    for view, words in _VIEWS.items():
        sheet.row([])
        sheet.row([f"{view.capitalize()}: {words}"], LABEL)
        draw(sheet, matrix, partial(_with_ids, scoring.by_cell(scores, view, matrix)))


def _with_ids(held: Mapping[tuple[int, int], list[str]], place: tuple[int, int], level: str) -> str:
    return "\n".join(filter(None, [level, ", ".join(held.get(place, []))]))


# --- the risks, with live formulas ---


def _score_lines(sheets: Sheets, lines: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """A row per control acting on a risk; gives the first and last row of each risk."""
    head = ["risk_id", "control_id", "acts_on", "coverage", "claimed weight", "earned weight", "why"]
    head += [f"{view}: what is left of {axis}" for view in scoring.CONTROLLED for axis in scoring.AXES]
    sheet = sheets.sheet(f"{RESULTS}score lines", [14, 14, 12, 10, 10, 10, 60, *[16] * 4], "C2")
    sheet.row(head, HEADER)
    places: dict[str, tuple[int, int]] = {}
    for row, line in enumerate(lines.to_dict("records"), 2):
        left = [
            Formula(f'IF(OR($C{row}="{axis}",$C{row}="both"),1-$D{row}*${weight}{row},1)', _left(line, axis, view))
            for view, weight in zip(scoring.CONTROLLED, "EF", strict=True)
            for axis in scoring.AXES
        ]
        numbers = [line[name] for name in ("coverage", "claimed_weight", "earned_weight")]
        values = [line["risk_id"], line["control_id"], line["acts_on"], *numbers, line["reason"], *left]
        sheet.row(values, [PLAIN] * 3 + [NUMBER] * 3 + [PLAIN] + [NUMBER] * 4)
        places[line["risk_id"]] = (places.get(line["risk_id"], (row, row))[0], row)
    return places


def _left(line: Any, axis: str, view: str) -> float:
    return 1 - float(line[f"{view}_effect"]) if line["acts_on"] in (axis, "both") else 1.0


_RISKS = ["unit_id", "risk_id", "title", "objective_id", "owner", "treatment", "appetite", "likelihood", "impact"]
_UNRATED = "unrated"
_SCORES = ["inherent score", "inherent level"] + [
    f"{view} {what}" for view in scoring.CONTROLLED for what in ("likelihood", "impact", "score", "level")
]


def _risks(sheets: Sheets, register: Register, scores: pd.DataFrame, places: dict[str, tuple[int, int]]) -> None:
    sheet = sheets.sheet(f"{RESULTS}risks", [12, 12, 40, 12, 28, 10, 10, *[10] * 14], "D2")
    sheet.row([*_RISKS, *_SCORES, "outside appetite"], HEADER)
    matrix = register.methodology.matrix
    told = register.risks.set_index("risk_id")[["title", "objective_id", "owner", "treatment"]]
    for row, risk in enumerate(scores.merge(told, left_on="risk_id", right_index=True).to_dict("records"), 2):
        given = [None if pd.isna(risk[name]) else risk[name] for name in _RISKS]
        texts, values = _formulas(row, places.get(risk["risk_id"]), matrix), _values(risk)
        formulas = [_if_rated(row, text, value) for text, value in zip(texts, values, strict=True)]
        levels = [level_look(matrix, risk[f"{view}_level"]) for view in scoring.VIEWS]
        looks = [NUMBER, levels[0], NUMBER, NUMBER, NUMBER, levels[1], NUMBER, NUMBER, NUMBER, levels[2], PLAIN]
        sheet.row([*given, *formulas], [PLAIN] * len(_RISKS) + looks)
    _colour_levels(sheets, sheet, matrix, len(scores) + 1)
    sheet.filtered(len(_RISKS) + len(_SCORES) + 1)


def _formulas(row: int, lines: tuple[int, int] | None, matrix: Matrix) -> Iterator[str]:
    """The cells from J on: inherent score and level, then for each view likelihood, impact, score and level."""
    yield f"H{row}*I{row}"
    yield _level(f"H{row}", f"I{row}", matrix)
    for at, left in (("LMNO", "HI"), ("PQRS", "JK")):
        for rating, column in zip("HI", left, strict=True):
            product = f"PRODUCT({_LINES}!{column}{lines[0]}:{column}{lines[1]})" if lines else "1"
            yield f"1+({rating}{row}-1)*{product}"
        yield f"{at[0]}{row}*{at[1]}{row}"
        yield _level(f"{at[0]}{row}", f"{at[1]}{row}", matrix)
    first = level_row(matrix)
    names = f"{METHOD}!$A${first}:$A${first + len(matrix.levels) - 1}"
    yield f'IF(MATCH(S{row},{names},0)>MATCH(G{row},{names},0),"yes","no")'


def _values(risk: Any) -> list[Any]:
    """What these cells hold as the workbook is written; missing where the risk is unrated."""
    scores = [risk[name.replace(" ", "_")] for name in _SCORES]
    return [*scores, {True: "yes", False: "no"}.get(risk["breach"])]


def _if_rated(row: int, text: str, value: Any) -> Formula:
    """A formula that says so where a rating is missing, now or once somebody has cleared it."""
    return Formula(f'IF(COUNT(H{row}:I{row})=2,{text},"{_UNRATED}")', _UNRATED if pd.isna(value) else value)


def _level(likelihood: str, impact: str, matrix: Matrix) -> str:
    """The matrix's level at the nearest whole ratings, halves up."""
    rows, columns = matrix.shape
    grid = f"{METHOD}!$B${GRID_ROW + 1}:${letters(columns)}${GRID_ROW + rows}"
    return f"INDEX({grid},{rows + 1}-ROUND(ROUND({likelihood},9),0),ROUND(ROUND({impact},9),0))"


def level_row(matrix: Matrix) -> int:
    """The row of the sheet about the method where the levels' names begin, lowest first."""
    return GRID_ROW + len(matrix.likelihood) + 3


def _colour_levels(sheets: Sheets, sheet: Sheet, matrix: Matrix, last: int) -> None:
    """Let the colours follow where a score is worked out anew."""
    fills = {level.name: level.colour for level in matrix.levels}
    for name, colour in {_UNRATED: "#ffffff", **fills}.items():
        quoted = name.replace('"', '""')
        look = sheets.book.add_format({"bg_color": colour, "font_color": ink_on(colour)})
        rule = {"type": "cell", "criteria": "==", "value": f'"{quoted}"', "format": look}
        for column in "KOS":
            sheet.grid.conditional_format(f"{column}2:{column}{last}", rule)


# --- from objective to deficiency ---


_CHAIN = {  # the columns from objective to deficiency, and their widths
    "unit_id": 12,
    "objective_id": 12,
    "objective": 40,
    "risk_id": 12,
    "risk": 30,
    "control_id": 12,
    "control": 30,
    "key": 6,
    "performed_by": 12,
    "documentation": 20,
    "test_id": 14,
    "test": 40,
    "items": 8,
    "deviations": 10,
    "conclusion": 20,
    "why": 40,
    "deficiency": 40,
    "due_on": 12,
    "closed_on": 12,
}


def _control_matrix(sheets: Sheets, context: Context) -> None:
    head = list(_CHAIN)
    sheet = sheets.sheet(f"{RESULTS}control matrix", list(_CHAIN.values()), "A2")
    sheet.row(head, HEADER)
    found = _chains(context)
    for row in found.to_dict("records"):
        sheet.row([_shown(row[name]) for name in head])
    sheet.filtered(len(head))


def _chains(context: Context) -> pd.DataFrame:
    """Objective, risk, control, test, conclusion and deficiency: what is missing on the way stays visible as blank.

    Tests are the period's, and all others that a conclusion rests on.
    """
    register, found = context.register, _concluded(context)
    weights = found[["conclusion", "reason"]].rename(columns={"reason": "why"})
    counted = register.control_tests["test_id"].isin({test for tests in found["tests"] for test in tests})
    tests = register.control_tests[context.counts("control_tests") | counted]
    tests = tests.rename(columns={"procedure": "test", "sample_size": "items"})
    deficiencies, day = register.deficiencies.rename(columns={"description": "deficiency"}), pd.Timestamp(context.as_of)
    deficiencies = deficiencies[deficiencies["identified_on"] <= day]
    deficiencies["closed_on"] = deficiencies["closed_on"].where(deficiencies["closed_on"] <= day)
    risks = register.risks[["objective_id", "risk_id", "title"]].rename(columns={"title": "risk"})
    controls = register.controls.rename(columns={"title": "control"})
    kept = ["control_id", "control", "key", "performed_by", "documentation"]
    found = register.control_objectives.rename(columns={"statement": "objective"})
    found = found.merge(risks, on="objective_id", how="left")
    found = found.merge(register.risk_controls[["risk_id", "control_id"]], on="risk_id", how="left")
    found = found.merge(controls[kept], on="control_id", how="left")
    found = found.merge(tests[["control_id", "test_id", "test", "items", "deviations"]], on="control_id", how="left")
    found = found.merge(weights, left_on="control_id", right_index=True, how="left")
    return found.merge(deficiencies[["control_id", "deficiency", "due_on", "closed_on"]], on="control_id", how="left")


def _concluded(context: Context) -> pd.DataFrame:
    """What each control counts for, with the words of its conclusion for its unit's report."""
    found = evidence.assess(context)
    types = [one["report_type"] for one in context.register.rows("controls")]
    return found.assign(conclusion=list(map(testing.in_words, found["conclusion"], types)))


def _shown(value: Any) -> Any:
    """A value as a cell holds it: blank where it misses, a date as a date, yes and no in words."""
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return ("yes" if value else "no") if isinstance(value, bool) else value


def _sampling(sheets: Sheets, context: Context) -> None:
    head = ["unit_id", "control_id", "title", "frequency", "planned items", "what that shows", "tested items",
            "deviations", "upper limit", "conclusion", "why"]  # fmt: skip
    sheet = sheets.sheet(f"{RESULTS}sampling", [12, 12, 40, 12, 10, 50, 10, 10, 10, 20, 50], "A2")
    sheet.row(head, HEADER)
    weights = _concluded(context)
    for planned in sample_plans.plan(context):
        found = weights.loc[planned.control_id]
        tested = [_shown(found[name]) for name in ("sample_size", "deviations", "upper_limit", "conclusion", "reason")]
        given = [planned.unit_id, planned.control_id, planned.title, planned.frequency, planned.size, planned.buys]
        sheet.row([*given, *tested], [*[PLAIN] * 4, COUNT, PLAIN, COUNT, COUNT, PERCENT, PLAIN, PLAIN])


def _gaps(sheets: Sheets, context: Context) -> None:
    head = ["unit_id", "objectives", "row", "step", "what is missing", "owner", "due_on", "known since", "blocks"]
    sheet = sheets.sheet(f"{RESULTS}gaps", [12, 24, 14, 14, 50, 36, 12, 12, 8], "A2")
    sheet.row(head, HEADER)
    for gap in readiness.gaps(context):
        days = [day.isoformat() if day else None for day in (gap.due_on, gap.since)]
        given = [gap.unit_id, ", ".join(gap.objectives), gap.row, gap.step, gap.what, gap.owner]
        sheet.row([*given, *days, "yes" if gap.blocks else "no"])
