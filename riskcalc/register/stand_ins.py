"""What stands in for blank cells while a register begins, so that a plain list of risks is enough for a first page.

``first_period`` in methodology.toml says that a register begins. Then tables may be missing, and so may the columns
named here; their blank cells are read as if something safe stood there, and remembered as not assessed. Likelihood and
impact may stand among the risks, until there is a table of ratings. Nothing of this holds for any other register.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_origin

from riskcalc.register.methodology import Methodology
from riskcalc.register.periods import Period, to_come
from riskcalc.register.row import Row, kind_of, may_be_blank
from riskcalc.register.tables import TABLES, Risk

if TYPE_CHECKING:
    from riskcalc.register.checked_rows import Table

NOT_YET = "Not assessed yet"
_NEEDED = ("business_units", "risks")
_CARRIED = ("likelihood", "impact")
_WAITING = {
    "business_units": {
        "name", "service", "currency", "materiality", "performance_materiality", "materiality_basis", "appetite",
        "report_type", "report_from", "report_to", "owner",
    },
    "risks": {"unit_id", "objective_id", "description", "assertions", "treatment"},
    "ratings": {"period", "rationale", "rated_by", "rated_on"},
    "controls": {
        "unit_id", "description", "owner", "kind", "nature", "frequency", "key", "component", "performed_by", "design",
    },
    "risk_controls": {"acts_on", "coverage"},
}  # fmt: skip
# By table, what all says something of a row that isn't only named: with all of it blank, it counts for nothing yet.
_SAID = {"controls": _WAITING["controls"] - {"unit_id", "owner"}, "risk_controls": _WAITING["risk_controls"]}
# What a cell is read as that had to hold something valid to be checked: nothing is to be computed from it.
_BLANKED: dict[str, Any] = {
    "materiality": Decimal("NaN"),
    "performance_materiality": Decimal("NaN"),
    "assertions": (),
    "treatment": NOT_YET.lower(),
    "rated_on": None,
}


def begun_in(methodology: Methodology, period: str, rated: bool) -> Methodology:
    """The methodology with ``period``, where one is named, as the first, whose ratings may stand among the risks.

    Where ratings have their table (``rated``), or the register doesn't only begin, nothing changes. Raises UsageError
    for what is no period.
    """
    if not period or rated or methodology.first_period is None:
        return methodology
    return methodology.model_copy(update={"first_period": to_come((), period).name})


def unstated(objective_id: str, statement: str) -> bool:
    """Whether a control objective is only named, as by the import of a list: nobody has stated it yet."""
    return statement.startswith(NOT_YET) and not objective_id.startswith(NOT_YET)


def may_wait(table: str, methodology: Methodology) -> bool:
    """Whether a table may still be missing."""
    return methodology.first_period is not None and table not in _NEEDED


def carrying(table: str, methodology: Methodology, rated: bool) -> dict[int, dict[str, str]] | None:
    """A place for the ratings that a table's rows carry; None where they can't, as where ratings have their table."""
    return {} if table == "risks" and methodology.first_period is not None and not rated else None


def carried_columns(table: Table) -> tuple[str, ...]:
    """The columns of the ratings that a table may carry."""
    return () if table.carried is None else _CARRIED


def belongs_elsewhere(column: str, model: type[Row]) -> str:
    """What to say of a column of ratings among the risks where it can't stand; blank for any other."""
    if model is not Risk or column not in _CARRIED:
        return ""
    return (
        "belongs in ratings.csv (risk_id, period, likelihood, impact, …); it may stand here only as long as there is "
        "no ratings.csv, and methodology.toml names the period: first_period"
    )


def columns(table: Table, header: list[str], methodology: Methodology) -> list[str]:
    """The columns of a table, from its header: without ratings that it carries, and with those that may be missing."""
    if methodology.first_period is None:
        return header
    own = [column for column in header if table.carried is None or column not in _CARRIED or header.count(column) > 1]
    model, waiting = TABLES[table.name], set(_WAITING.get(table.name, ()))
    needed = [column for column, info in model.model_fields.items() if column not in own and info.is_required()]
    waiting |= {name for name in needed if may_be_blank(model, name) or get_origin(kind_of(model, name)) is tuple}
    return own + [column for column in needed if column in waiting]


def sorted_out(table: Table, line: int, cells: dict[str, str], columns: Iterable[str]) -> dict[str, str]:
    """A line's cells by the table's columns; ratings that it carries are put apart."""
    if table.carried is not None:
        table.carried[line] = {column: cells[column] for column in _CARRIED if column in cells}
    return {column: cells.get(column, "") for column in columns}


def only_named(table: Table, line: int, methodology: Methodology) -> bool:
    """Whether a line says no more of a control, or of a control's link to a risk, than that there is one.

    It is no row to compute with, and the table remembers that it isn't assessed.
    """
    said = _SAID.get(table.name)
    if methodology.first_period is None or not said or any(table.cells[line][column].strip() for column in said):
        return False
    cells = table.cells[line]
    named = all(cells[column].strip() for column in (*TABLES[table.name].primary_key, "title") if column in cells)
    if named:
        table.assumed[line] = set(said)
    return named


def filled(table: Table, line: int, cells: Mapping[str, str], methodology: Methodology) -> Mapping[str, str]:
    """A line's cells with what stands in for blank ones; the table remembers which those are."""
    if methodology.first_period is None:
        return cells
    instead = _stand_ins(table.name, cells, methodology)
    if found := {column: text for column, text in instead.items() if not cells[column].strip()}:
        table.assumed[line] = set(found)
    return {**cells, **found}


def blanked(table: Table, line: int, row: Row) -> Row:
    """A row as it is read: nothing is left of what stood in only to be checked."""
    blank = {column: _BLANKED[column] for column in table.assumed.get(line, ()) if column in _BLANKED}
    return row.model_copy(update=blank) if blank else row


def _stand_ins(table: str, cells: Mapping[str, str], methodology: Methodology) -> Mapping[str, str]:
    """What may stand in for a row's cells, as text."""
    period = Period.parse(str(methodology.first_period))
    if table == "risks":
        said = {"description": NOT_YET, "assertions": "accuracy", "treatment": "mitigate"}
        return {"unit_id": NOT_YET, "objective_id": NOT_YET, **said}
    if table == "ratings":
        rated = {"rationale": NOT_YET, "rated_by": NOT_YET, "rated_on": f"{period.last_day}"}
        return {"period": period.name, **(rated if cells["likelihood"].strip() else {})}
    if table == "business_units":
        names = methodology.level_names
        said = {"name": cells["unit_id"], "service": NOT_YET, "owner": NOT_YET, "currency": methodology.currency}
        appetite = {"appetite": names[min(1, len(names) - 1)]}
        return {**said, **appetite, **_without_materiality(cells), **_report(cells, period)}
    return {}


def _without_materiality(cells: Mapping[str, str]) -> Mapping[str, str]:
    if cells["materiality"].strip() or cells["performance_materiality"].strip():
        return {"materiality_basis": NOT_YET}
    return {"materiality": "1", "performance_materiality": "1", "materiality_basis": NOT_YET}


def _report(cells: Mapping[str, str], period: Period) -> Mapping[str, str]:
    """A report over, or at the end of, the first period, as far as none is named."""
    if cells["report_to"].strip() or cells["report_from"].strip():
        return {"report_type": "type2"}
    until = {"report_type": "type2", "report_to": f"{period.last_day}"}
    return until if cells["report_type"].strip() == "type1" else {**until, "report_from": f"{period.first_day}"}
