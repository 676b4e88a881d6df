"""What must hold between the rows and tables of a register: references, chains, periods of one kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import compress, islice, repeat

from riskcalc.errors import Problem, first_of
from riskcalc.register.checked_rows import Table
from riskcalc.register.claims import Claim
from riskcalc.register.methodology import Methodology
from riskcalc.register.periods import Period
from riskcalc.register.records import grouped
from riskcalc.register.row import Ref
from riskcalc.register.starter import Starter
from riskcalc.register.tables import TABLES
from riskcalc.register.validity import check_days

_CYCLES, _TOLD = 200, 20  # cycles of a table that are told, and names of each
_MEANT = 50  # wrong names of a column for which what was meant is looked for


def check_references(tables: Mapping[str, Table]) -> Iterator[Problem]:
    """Problems that only show between rows: unknown references, cycles, periods of mixed kinds."""
    yield from _pointing_nowhere(tables)
    yield from _ids_of_several_tables(tables)
    yield from _unknown_sources(tables)
    yield from _objective_of_another_unit(tables)
    yield from _retest_of_another_control(tables["control_tests"])
    yield from _relying_on_themselves(tables["controls"])
    yield from _cycles(tables["control_tests"], "retest_of", "a test must not retest itself")
    yield from _mixed_periods([tables["ratings"], tables["control_tests"]])
    yield from check_days(tables)


def told_anyway(read: Callable[[str, Methodology], Table], text: str) -> Iterator[Problem]:
    """What is wrong with the tables whatever a methodology says that can't be used: not ratings, levels and designs.

    ``read`` reads one of them, ``text`` is the methodology's, of which only counts whether the register begins.
    """
    period = "2000" if re.search(r"(?m)^\s*first_period", text) else ""
    methodology = Methodology.parse(Starter("?", "XXX", period=period).methodology())
    tables = {name: read(name, methodology) for name in TABLES}
    for table in tables.values():
        yield from (each for each in table.problems if not re.search("likelihood|impact|appetite|design", each.column))
    yield from _pointing_nowhere(tables)


def _pointing_nowhere(tables: Mapping[str, Table]) -> Iterator[Problem]:
    for table in tables.values():
        for column, info in TABLES[table.name].model_fields.items():
            for ref in (mark for mark in info.metadata if isinstance(mark, Ref)):
                yield from _unknown_references(table, column, tables[ref.table])


def _unknown_references(table: Table, column: str, target: Table) -> Iterator[Problem]:
    if not target.whole:
        return
    known, several = target.keys, TABLES[table.name].model_fields[column].annotation == tuple[str, ...]
    keys = known | target.doubtful if target.doubtful else known
    told: dict[str, str] = {}
    if not several and all(map(keys.__contains__, filter(None, table.column(column)))):
        return
    for line, cell in zip(table.cells, table.column(column), strict=True):
        for name in cell.split("|") if several else [cell]:
            if name and name not in keys:
                if name not in told:  # whose ids are all wrong is helped by the first few, and waits for no more
                    told[name] = f"; {some_names(known, name)}" if len(told) < _MEANT else ""
                yield table.problem(line, column, name, f"is not in {target.place}{told[name]}")


def _ids_of_several_tables(tables: Mapping[str, Table]) -> Iterator[Problem]:
    """Ids that neither a page nor a decision could tell apart: what has to be decided is known by its id alone."""
    several = [tables[name] for name in ("business_units", "control_objectives", "risks", "controls")]
    if sum(len(table.keys) for table in several) == len(set().union(*(table.keys for table in several))):
        return
    taken: dict[str, tuple[Table, int]] = {}
    for table in several:
        column = TABLES[table.name].primary_key[0]
        for line, cell in zip(table.cells, table.column(column), strict=True):
            first, at = taken.setdefault(cell, (table, line))
            if first is not table and cell:
                allowed = f"is an id in {first.place}, {first.row_at(at)}, already; allowed: one that no other unit, "
                yield table.problem(line, column, cell, f"{allowed}objective, risk or control has")


def _unknown_sources(tables: Mapping[str, Table]) -> Iterator[Problem]:
    """What answers rest on: the sources are rows of any table, but of one only; the claims of their own."""
    answers = tables["answers"]
    if not answers.rows:
        return
    keys = {name: table.keys for name, table in tables.items() if name != "answers"}
    places = Counter(key for name, found in keys.items() if len(TABLES[name].primary_key) == 1 for key in found)
    maybe = set().union(*(table.doubtful for table in tables.values()))
    all_known = all(tables[name].whole for name in keys if len(TABLES[name].primary_key) == 1)
    for line, row in answers.rows.items():
        for source in row.sources:
            if places[source] > 1:
                allowed = "is an id in several tables, so nobody knows which is meant"
                yield answers.problem(line, "sources", source, f"{allowed}; {some_names(places, source)}")
            elif not places[source] and all_known and source not in maybe:
                yield answers.problem(line, "sources", source, f"is no row's id; {some_names(places, source)}")
        for claim in map(Claim.parse, row.claims):
            target = tables[claim.table]
            if target.whole and claim.key not in keys[claim.table] and claim.key not in target.doubtful:
                allowed = f"is not in {target.place}; {some_names(keys[claim.table], claim.key)}"
                yield answers.problem(line, "claims", str(claim), f"{claim.key} {allowed}")


def some_names(names: Collection[str], seen: str) -> str:
    """The name that was probably meant, and the names there are, or the first of them."""
    parts = [part.strip() for part in re.split("[,;]", seen)]
    if len(parts) > 1 and all(part in names for part in parts):
        return f"the names in a list are separated by |: write {'|'.join(parts)}"
    digits = re.sub("[^0-9]", "", seen)  # another number is another row, not a slip of the pen
    near = get_close_matches(seen, [name for name in names if re.sub("[^0-9]", "", name) == digits], 1, 0.75)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}there are: {first_of(sorted(names), 12)}" if names else "it has no rows"


def _objective_of_another_unit(tables: Mapping[str, Table]) -> Iterator[Problem]:
    units, objectives = tables["business_units"].keys, tables["control_objectives"]
    units_of = grouped((name, unit) for _, name, unit in objectives.rows.each("objective_id", "unit_id"))
    stands = Counter(objectives.column("objective_id"))
    for line, objective, mine in tables["risks"].rows.each("objective_id", "unit_id"):
        unit, *others = units_of.get(objective, [mine])
        all_known = stands[objective] <= len(others) + 1 and objective not in objectives.doubtful  # none is broken
        if mine not in (unit, *others) and {unit, mine} <= units and all_known:
            allowed = f"belongs to unit {unit}; allowed: an objective of {mine}"
            yield tables["risks"].problem(line, "objective_id", objective, allowed)


def _retest_of_another_control(tests: Table) -> Iterator[Problem]:
    retested = {*tests.rows.columns["retest_of"]}
    control_of = {test: own for _, test, own in tests.rows.each("test_id", "control_id") if test in retested}
    for line, mine, earlier in tests.rows.each("control_id", "retest_of"):
        control = control_of.get(earlier or "", mine)
        if control != mine:
            yield tests.problem(line, "retest_of", earlier, f"tests {control}; allowed: a test of {mine}")


def _relying_on_themselves(controls: Table) -> Iterator[Problem]:
    """Cycles of the controls that hold at a time, told once: who relied on whom before is no matter."""
    found: dict[Problem, None] = {}
    for day in sorted({row.days()[0] for row in controls.rows.values()}):
        held = (row.days()[0] <= day <= row.days()[1] for row in controls.rows.values())
        found |= dict.fromkeys(_cycles(controls, "relies_on", "a control must not rely on itself", held))
    yield from found


def _cycles(table: Table, column: str, rule: str, held: Iterable[bool] = repeat(True)) -> Iterator[Problem]:
    """Chains that lead back to where they began, each told once, at its first line; of the rows that are ``held``."""
    lines, points_at = dict[str, int](), dict[str, tuple[str, ...]]()
    for line, name, found in compress(table.rows.each(TABLES[table.name].primary_key[0], column), held):
        points_at.pop(name, None)  # of several rows of a name, which are told, the last counts
        if found:
            lines[name], points_at[name] = line, found if isinstance(found, tuple) else (found,)
    for chain in islice(_chains(points_at), _CYCLES):
        first = min(range(len(chain)), key=lambda place: lines[chain[place]])
        told = [*chain[first:], *chain[:first], chain[first]]
        some = told if len(told) <= _TOLD else [*told[: _TOLD - 1], f"({len(told) - _TOLD} more)", told[-1]]
        line = lines[told[0]]
        yield table.problem(line, column, table.cells[line][column], f"{rule}, but here: {' -> '.join(some)}")


def _chains(points_at: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """The cycles that going along every reference once, depth first, comes upon."""
    done: set[str] = set()
    for root in points_at:
        path, waiting = ([root], [iter(points_at[root])]) if root not in done else ([], [])
        at = {root: 0}
        while path:
            name = next(waiting[-1], None)
            if name is None:
                waiting.pop()
                done.add(path[-1])
                del at[path.pop()]
            elif name in at:
                yield path[at[name] :]
            elif name in points_at and name not in done:
                at[name] = len(path)
                path.append(name)
                waiting.append(iter(points_at[name]))


def _mixed_periods(tables: Sequence[Table]) -> Iterator[Problem]:
    named = Counter(name for table in tables for name in table.rows.columns["period"])
    kinds, counts = {name: Period.parse(name).kind for name in named}, Counter[str]()
    for name, rows in named.items():
        counts[kinds[name]] += rows
    if len(counts) < 2:
        return
    [(usual, _)] = counts.most_common(1)
    example = next(name for name in named if kinds[name] == usual)
    for table in tables:
        for line, name in table.rows.each("period"):
            if kinds[name] != usual:
                allowed = f"is a {kinds[name]}, but most are {usual}s, such as {example}; allowed: periods of one kind"
                yield table.problem(line, "period", name, allowed)
