"""How a cell is read: the types of columns, each with what it allows.

Cells arrive as text. What can't be read raises a ValueError whose message is what the user is told. Limits that the
organisation sets itself (the rating scales, the levels, the design weights) come from the methodology, handed in as
pydantic's validation context.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ValidationInfo

from riskcalc.register import as_typed
from riskcalc.register.as_typed import Typed
from riskcalc.register.periods import Period

Assertion = Literal[
    "occurrence",
    "existence",
    "completeness",
    "accuracy",
    "valuation",
    "cutoff",
    "classification",
    "rights_obligations",
    "presentation",
]
Component = Literal[
    "control_environment",
    "risk_assessment",
    "control_activities",
    "information_communication",
    "monitoring",
]
Frequency = Literal["annual", "half_yearly", "quarterly", "monthly", "weekly", "daily", "many_a_day", "ad_hoc"]
Indicator = Literal[  # of a material weakness: AS 2201.69
    "senior_management_fraud",
    "restatement",
    "misstatement_found_by_auditor",
    "ineffective_oversight",
]
ReportPart = Literal[  # what a report holds or rests on beside its controls: AT-C 320; ISAE 3402.13, .16, .38, .43
    "management_assertion",
    "assertion_basis",
    "system_description",
    "changes_in_period",
    "complementary_subservice_controls",
    "subservice_cuecs",
    "subsequent_events",
    "representation_letter",
]
Data = Literal["financial", "personal", "health", "payment_card", "confidential"]


_KEPT = 4096  # cells of a column whose values are kept: most of a long table's stand in it again and again


def _text(cell: str) -> str:
    if not cell.strip():
        raise ValueError("blank, but a value is required")
    return cell


def _matching(pattern: str, convert: Callable[[str], Any], allowed: str) -> BeforeValidator:
    """A cell parser: the whole cell matches ``pattern`` and converts, or ``allowed`` is the error."""
    compiled = re.compile(pattern)

    @lru_cache(_KEPT)
    def parse(cell: str) -> Any:
        try:
            if compiled.fullmatch(_text(cell)):
                return convert(cell)
        except (ValueError, ArithmeticError) as error:
            raise ValueError(f"{error}; allowed: {allowed}") from None
        raise ValueError(f"allowed: {allowed}")

    return BeforeValidator(parse)


THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})  # currencies of three decimals: ISO 4217
UNCLEAR = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")


def _amount(cell: str) -> Decimal:
    """An amount; with three digits after the point, nobody knows whether the point was one.

    Where the currency has three decimals it was: there, the rows are read with a fourth.
    """
    if UNCLEAR.fullmatch(cell):
        whole, exact = cell.replace(".", ""), cell[:-1] if cell.endswith("0") else f"{cell}0"
        much = "a thousand" if cell == "1.000" else "a thousand times as much"
        raise ValueError(f"{cell} may be {much}: write {whole} or {exact}")
    return Decimal(cell)


def _day(cell: str) -> date:
    """A date; the number that a spreadsheet shows for one is told as what it is."""
    if re.fullmatch("[2-6][0-9]{4}", cell):
        meant = date(1899, 12, 30) + timedelta(days=int(cell))
        raise ValueError(f"{cell} is a spreadsheet's number for {meant}")
    return date.fromisoformat(cell)


def _month_day(cell: str) -> str:
    return f"{date.fromisoformat(f'2023-{cell}'):%m-%d}"


def _methodology(info: ValidationInfo) -> Any:
    assert info.context is not None, "rows are validated in the context of a methodology"
    return info.context["methodology"]


_RATING = re.compile("[1-9][0-9]?")


def _rating(axis: str) -> BeforeValidator:
    def parse(cell: str, info: ValidationInfo) -> int:
        top = len(getattr(_methodology(info), axis))
        if _RATING.fullmatch(cell) and int(cell) <= top:
            return int(cell)
        raise ValueError(f"allowed: a whole number from 1 to {top}, or blank for unrated")

    return BeforeValidator(parse)


def _name_from(source: str) -> BeforeValidator:
    """A cell that holds one of the names that the methodology gives under ``source``."""

    def parse(cell: str, info: ValidationInfo) -> str:
        names = getattr(_methodology(info), source)
        if cell in names:
            return cell
        raise ValueError(f"allowed: {', '.join(names)}")

    return BeforeValidator(parse)


def _blank_to_none(cell: str) -> str | None:
    return cell if cell and not cell.isspace() else None


def _period(cell: object) -> str:
    try:
        return Period.parse(str(cell)).name
    except ValueError as error:
        raise ValueError(f"allowed: {error}") from None


@lru_cache(_KEPT)
def _names(cell: str) -> tuple[str, ...]:
    names = tuple(cell.split("|")) if cell else ()
    if len(set(names)) < len(names) or "" in names:
        raise ValueError("allowed: names separated by |, none of them blank or twice")
    return names


def _some_of(kind: Any, noun: str, required: bool = False) -> BeforeValidator:
    """Some of the names of a kind, separated by |."""

    def parse(cell: str) -> tuple[str, ...]:
        names = _names(_text(cell) if required else cell)
        for name in names:
            if name not in get_args(kind):
                raise ValueError(f"{name[:40]!r} is no {noun}; allowed, separated by |: {', '.join(get_args(kind))}")
        return names

    return BeforeValidator(parse)


def free(model: type[BaseModel], column: str) -> bool:
    """Whether a column takes any text, as it stands, or but for blank ones.

    >>> from riskcalc.register.tables import Risk
    >>> free(Risk, "title"), free(Risk, "account"), free(Risk, "treatment")
    (True, True, False)
    """
    info = model.model_fields[column]
    parsers = {mark.func for mark in info.metadata if isinstance(mark, BeforeValidator)}
    return info.annotation in (str, str | None) and parsers in ({_text}, {_blank_to_none})


T = TypeVar("T")
Maybe = Annotated[T | None, BeforeValidator(_blank_to_none)]
Text = Annotated[str, BeforeValidator(_text)]
Count = Annotated[
    int, _matching("[0-9]{1,12}", int, "a whole number, 0 or more, digits only, at most 12"), Typed(as_typed.trimmed)
]
Money = Annotated[
    Decimal,
    _matching(r"[0-9]{1,18}(\.[0-9]{1,6})?", _amount, "an amount such as 1250000.00, digits and a point only"),
    Typed(as_typed.trimmed),
]
Rate = Annotated[
    Decimal,
    _matching(r"[0-9]{1,6}(\.[0-9]{1,9})?", Decimal, "a number such as 0.25, 0 or more"),
    Typed(as_typed.trimmed),
]
Share = Annotated[
    Decimal,
    _matching(r"0(\.[0-9]{1,9})?|1(\.0{1,9})?", Decimal, "a number from 0 to 1, such as 0.8"),
    Typed(as_typed.share),
]
Day = Annotated[
    date,
    _matching("[0-9]{4}-[0-9]{2}-[0-9]{2}|[2-6][0-9]{4}", _day, "a date as YYYY-MM-DD"),
    Typed(as_typed.day),
]
MonthDay = Annotated[
    str,
    _matching("[0-9]{2}-[0-9]{2}", _month_day, "a day of each year as MM-DD, such as 12-31"),
    Typed(as_typed.trimmed),
]
Answer = Literal["yes", "no", "unsure"]
DataHeld = Annotated[tuple[Data, ...], _some_of(Data, "kind of data"), Typed(as_typed.some_of(get_args(Data)))]
YesNo = Annotated[bool, _matching("yes|no", lambda cell: cell == "yes", "yes or no"), Typed(as_typed.yes_no)]
Currency = Annotated[str, _matching("[A-Z]{3}", str, "an ISO 4217 code such as EUR"), Typed(as_typed.capitals)]
PeriodName = Annotated[str, BeforeValidator(_period), Typed(as_typed.period)]
Likelihood = Annotated[int, _rating("likelihood"), Typed(as_typed.rating("likelihood"))]
Impact = Annotated[int, _rating("impact"), Typed(as_typed.rating("impact"))]
Level = Annotated[str, _name_from("level_names"), Typed(as_typed.name_of("level_names"))]
Design = Annotated[str, _name_from("design_names"), Typed(as_typed.name_of("design_names"))]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Digest = Annotated[str, _matching("[0-9a-f]{64}", str, "64 hexadecimal digits, in lower case")]
Assertions = Annotated[
    tuple[Assertion, ...], _some_of(Assertion, "assertion", True), Typed(as_typed.some_of(get_args(Assertion)))
]
