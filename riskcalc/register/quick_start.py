"""What a register that only begins leaves to be found between its tables: ratings, the only unit, an objective."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from riskcalc.errors import Problem
from riskcalc.register.checked_rows import Table, check_lines
from riskcalc.register.lines import Lines
from riskcalc.register.methodology import Methodology
from riskcalc.register.row import SPAN, Ref
from riskcalc.register.stand_ins import NOT_YET
from riskcalc.register.tables import TABLES, ControlObjective

Tables = dict[str, Table]


def settled(methodology: Methodology, tables: Tables) -> tuple[Methodology, Tables]:
    """The tables with ratings taken from among the risks, and each risk in a unit and under an objective.

    A register that doesn't only begin is left as it is.
    """
    if methodology.first_period is None:
        return methodology, tables
    for table in tables.values():
        table.columns = table.columns or list(TABLES[table.name].model_fields)
    risks = tables["risks"]
    if risks.carried is not None:
        tables["ratings"] = _ratings(risks, methodology)
    units = list(dict.fromkeys(unit.unit_id for unit in tables["business_units"].rows.values()))
    lacking: dict[str, str] = {}
    for line, risk in risks.rows.items():
        waiting = risks.assumed.get(line, ())
        if "unit_id" in waiting and len(units) > 1:
            risks.tell(line, "unit_id", "", f"blank, and there are several units; allowed: {', '.join(units)}")
        unit = units[0] if "unit_id" in waiting and units else risk.unit_id
        own = NOT_YET if len(units) == 1 else f"{NOT_YET}: {unit}"
        objective = own if "objective_id" in waiting else risk.objective_id
        risks.rows.put(line, "unit_id", unit)
        risks.rows.put(line, "objective_id", objective)
        if objective == own and unit in units:
            lacking[unit] = own
    _name_objectives(tables["control_objectives"].rows, units, lacking)
    risks.problems.extend(_amounts_without_materiality(tables))
    for table in tables.values():
        table.problems.extend(_pointing_at_a_name(table, tables["controls"]))
    return methodology, tables


def _name_objectives(rows: Lines[Any], units: list[str], lacking: dict[str, str]) -> None:
    """Add the objectives, by unit, of risks that have none yet; no line of the file is theirs."""
    for unit, name in lacking.items():
        told = f"{NOT_YET}: which control objective these risks threaten"
        row = ControlObjective.model_construct(objective_id=name, unit_id=unit, process=NOT_YET, statement=told)
        rows.extend([(-units.index(unit), [getattr(row, column) for column in rows.columns])])


def _ratings(risks: Table, methodology: Methodology) -> Table:
    """The ratings that stand among the risks, checked as those of their own table."""
    found, carried = Table("ratings", risks.file, risks.sheet, risks.letters), risks.carried or {}
    seen = dict[str, int]()
    for line, cells in risks.cells.items():
        first = seen.setdefault(cells["risk_id"], line)  # a repeated or blank id is told of the risk itself
        given = carried.get(line, {}).get("likelihood", "")
        if first != line and cells.get(SPAN[0]) and given:
            allowed = f"allowed: blank; its rating stands at line {first}, others in ratings.csv"
            risks.tell(line, "likelihood", given, allowed)
    lines = [
        (line, [risk_id, *(carried.get(line, {}).get(axis, "") for axis in ("likelihood", "impact"))])
        for risk_id, line in seen.items()
        if risk_id.strip()
    ]
    check_lines(found, ["risk_id", "likelihood", "impact"], lines, methodology)
    return found


def _pointing_at_a_name(table: Table, controls: Table) -> Iterator[Problem]:
    """Rows that say something of a control which is only named: nothing can be made of that yet."""
    named = {controls.cells[line]["control_id"] for line in controls.assumed.keys() - set(controls.rows)}
    model = TABLES[table.name]
    for column in [name for name, info in model.model_fields.items() if Ref("controls") in info.metadata]:
        for line in table.rows if named else ():
            for name in named.intersection(table.cells[line][column].split("|")):
                told = f"is only named in {controls.place}; describe it there first (kind, nature and so on)"
                yield table.problem(line, column, name, told)


def _amounts_without_materiality(tables: Tables) -> Iterator[Problem]:
    """Amounts that nothing can be held against."""
    units = tables["business_units"]
    waiting = [line for line, names in units.assumed.items() if "materiality" in names and line in units.rows]
    without = {units.rows[line].unit_id for line in waiting}
    for line, risk in tables["risks"].rows.items():
        if risk.loss_high is not None and risk.unit_id in without:
            allowed = f"needs the materiality of {risk.unit_id} in {units.place}, which is blank"
            yield tables["risks"].problem(line, "loss_high", str(risk.loss_high), allowed)
