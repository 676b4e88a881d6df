"""What must hold of opinions whatever the register: rows, tests, vendors and deficiencies drawn with their days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from register_files import DEFICIENCY, ROWS, Rows, write_register

from riskcalc.assessment.context import Context
from riskcalc.assessment.opinion import ACHIEVED, JUDGEMENT, NOT_ACHIEVED, NOT_YET, Outlook, outlooks
from riskcalc.errors import RegisterError
from riskcalc.register.register import load

Edit = Callable[[Rows], object]
ORDER = (NOT_ACHIEVED, NOT_YET, JUDGEMENT, ACHIEVED)
SEEN = date(2026, 6, 30)
ENDED = "2026-03-31"
KEYS = {
    "business_units": ("unit_id",),
    "risks": ("risk_id",),
    "controls": ("control_id",),
    "risk_controls": ("risk_id", "control_id"),
    "subservice_organisations": ("subservice_id",),
}
CONTROLS = ("A-C1", "A-C2", "A-C3", "A-G1", "B-C1")
LINKS = [(risk, control) for risk in ("A-R1", "A-R2", "B-R1") for control in CONTROLS if control != "A-G1"]
NAMED: dict[str, list[tuple[str, ...]]] = {
    "business_units": [("alpha",), ("beta",)],
    "risks": [("A-R1",), ("A-R2",)],
    "controls": [(name,) for name in CONTROLS],
    "risk_controls": LINKS,
    "subservice_organisations": [("SUB-1",), ("SUB-2",)],
}
CELLS: dict[str, list[dict[str, str]]] = {
    "business_units": [{"appetite": level} for level in ("Low", "High", "Critical")],
    "risks": [{"objective_id": "A-CO2"}, {"owner": "Z"}],
    "controls": [
        *({"design": design} for design in ("partially_effective", "ineffective")),
        *({"frequency": often} for often in ("annual", "quarterly", "daily")),
        *({"performed_by": "subservice", "subservice_id": name} for name in ("SUB-1", "SUB-2", "")),
        *({"relies_on": name} for name in ("A-G1", "B-C1", "")),
        *({"key": key} for key in ("yes", "no")),
        *({"documentation": ""}, {"nature": "automated"}, {"performed_by": "user_entity"}),
    ],
    "risk_controls": [
        *({"coverage": share} for share in ("0.001", "0.1", "0.9")),
        *({"acts_on": what} for what in ("likelihood", "impact")),
    ],
    "subservice_organisations": [
        *({"opinion": "qualified"}, {"exception": "matters"}, {"method": "inclusive"}),
        *({"report_to": "2025-12-31"}, {"report_from": "2026-01-01"}, {"report_type": "type1", "report_from": ""}),
    ],
}


def sound(end: str, types: tuple[str, str]) -> Edit:
    """Two units whose objectives are achieved: of a year to a day, or at it, with every control tested."""

    def edit(rows: Rows) -> None:
        for unit, kind in zip(rows["business_units"], types, strict=True):
            first = "2025-07-01" if kind == "type2" else ""
            unit.update(report_type=kind, report_from=first, report_to=end, appetite="Medium")
        rows["control_objectives"].append({**rows["control_objectives"][0], "objective_id": "A-CO2"})
        rows["risks"][1].update(objective_id="A-CO2")
        rated = {"likelihood": "2", "impact": "2", "rationale": "r", "rated_by": "W", "rated_on": "2026-03-20"}
        rows["ratings"] = [{**one, **rated, "period": "2026-H1"} for one in rows["ratings"][1:]]
        rows["controls"].append({**rows["controls"][0], "control_id": "A-C3", "key": "no"})
        links = dict.fromkeys(LINKS[::2], "0.4") | {
            (one["risk_id"], one["control_id"]): "0.8" for one in rows["risk_controls"]
        }
        rows["risk_controls"] = [
            {"risk_id": risk, "control_id": control, "acts_on": "both", "coverage": share}
            for (risk, control), share in links.items()
        ]
        vendor = {**rows["subservice_organisations"][0], "reviewed_by": "W", "reviewed_on": "2026-04-01"}
        vendor.update(report_from="2025-07-01", report_to=ENDED)
        rows["subservice_organisations"] = [{**vendor, "subservice_id": name} for name in ("SUB-1", "SUB-2")]
        rows["control_tests"] = [
            {**a_test(name), "test_id": f"{name}-{kind}", "kind": kind, "covers_to": end, "tested_on": end}
            for name in CONTROLS
            for kind in ("operation", "walkthrough")
        ]

    return edit


def a_test(control: str) -> dict[str, str]:
    of = {"control_id": control, "period": "2025-H2", "covers_from": "2025-07-01", "evidence": "WP"}
    return {**ROWS["control_tests"][0], **of, "sample_size": "25", "deviations": "0"}


class Change(NamedTuple):
    """Another cell in a row: always (a blank day), or until a day, or since."""

    table: str
    key: tuple[str, ...]
    cells: dict[str, str]
    day: str
    before: bool = False

    def apply(self, rows: Rows) -> None:
        known = [one for one in rows[self.table] if tuple(one[name] for name in KEYS[self.table]) == self.key]
        for row in (one for one in known if not one.get("valid_to")):
            if not self.day:
                row.update(self.cells)
            elif row.get("valid_from", "") <= self.day:
                rows[self.table].append({**row, **(self.cells if self.before else {}), "valid_to": self.day})
                since = str(date.fromisoformat(self.day) + timedelta(1))
                row.update({} if self.before else self.cells, valid_from=since)


ALL = [
    *((table, key, cells) for table, keys in NAMED.items() for key in keys for cells in CELLS[table]),
]
BENT = st.builds(
    lambda what, day, before: Change(*what, day, before),
    st.sampled_from(ALL),
    st.sampled_from(("", "", "2025-06-30", "2025-08-15", "2025-12-31", "2026-03-30")),
    st.booleans(),
)
LATER = st.builds(
    lambda what, day: Change(*what, day),
    st.sampled_from([one for one in ALL if one[0] != "subservice_organisations"]),
    st.sampled_from((ENDED, "2026-04-10", "2026-05-15")),
)
SPANS = (
    ("2025-07-01", "2025-09-30"),
    ("2025-07-01", "2026-03-31"),
    ("2025-12-31", "2025-12-31"),
    ("2026-01-01", "2026-03-31"),
)


@st.composite
def rounds(draw: Any, deviating: bool, days: tuple[tuple[str, str], ...] = SPANS) -> dict[str, str]:
    """A further round of a test of some control."""
    first, last = draw(st.sampled_from(days))
    items = draw(st.sampled_from(("1", "5", "25")))
    return {
        **a_test(draw(st.sampled_from(CONTROLS))),
        "test_id": "further",
        "kind": draw(st.sampled_from(("operation", "operation", "walkthrough"))),
        "nature": draw(st.sampled_from(("", "", "inquiry"))),
        "population": draw(st.sampled_from(("", "25", "100"))),
        "period": "2026-H1" if first >= "2026" else "2025-H2",
        "covers_from": first,
        "covers_to": last,
        "tested_on": last,
        "sample_size": items,
        "deviations": draw(st.sampled_from(("1", items))) if deviating else "0",
        "systematic": draw(st.sampled_from(("no", "yes"))) if deviating else "no",
    }


DEFICIENT = st.builds(
    lambda control, since, days, indicator: {
        **DEFICIENCY,
        "control_id": control,
        "identified_on": str(since),
        "closed_on": "" if days is None else str(since + timedelta(days)),
        "indicator": indicator,
    },
    st.sampled_from(CONTROLS),
    st.dates(date(2025, 5, 1), date(2026, 3, 31)),
    st.none() | st.integers(0, 300),
    st.sampled_from(("", "restatement")),
)


@st.composite
def registers(draw: Any, ends: tuple[str, ...] = (ENDED,)) -> Edit:
    """A register that is sound but for some changes, further rounds and a deficiency."""
    types = draw(st.sampled_from((("type2", "type2"), ("type2", "type1"), ("type1", "type2"))))
    base, bent = sound(draw(st.sampled_from(ends)), types), draw(st.lists(BENT, max_size=5))
    tested, deficient = draw(st.lists(rounds(deviating=True), max_size=1)), draw(st.lists(DEFICIENT, max_size=1))

    def edit(rows: Rows) -> None:
        base(rows)
        for one in bent:
            one.apply(rows)
        rows["control_tests"] += [{**one, "test_id": "earlier"} for one in tested]
        rows["deficiencies"] += deficient

    return edit


def opinions(edit: Edit, *edits: Edit, as_of: date = SEEN) -> dict[str, Outlook]:
    """Each unit's outlooks, by objective; on its own page as on the organisation's."""
    with TemporaryDirectory() as folder:
        try:
            register = load(write_register(Path(folder) / "data", lambda rows: [one(rows) for one in (edit, *edits)]))
        except RegisterError:
            assume(False)  # a control would rely on itself
    context = Context.of(register, "2026-H1", as_of)
    found: dict[str, Outlook] = {}
    for unit in context.register.rows("business_units"):
        name, kind = unit["unit_id"], unit["report_type"]
        mine = [one for one in outlooks(context, kind) if one.unit_id == name]
        assert mine == list(outlooks(context.only(name), kind))
        found |= {one.objective_id: one for one in mine}
    return found


def milder(one: dict[str, Outlook], other: dict[str, Outlook]) -> list[str]:
    """The objectives of which one's outlook is milder than the other's."""
    return [name for name, each in one.items() if ORDER.index(each.outcome) > ORDER.index(other[name].outcome)]


def told(one: Outlook) -> tuple[str, set[str]]:
    """The outcome, and what is told beside it, but for how a control was that ended as it was."""
    return one.outcome, {text for text in one.reported if " was " not in text}


@settings(max_examples=15)
@given(registers(), st.lists(LATER, max_size=3), st.lists(rounds(True, (("2026-04-01", "2026-06-15"),)), max_size=1))
def test_what_is_of_days_after_a_report_changes_nothing_of_it(
    register: Edit, later: list[Change], tested: list[dict[str, str]]
) -> None:
    """Neither its outcomes nor what is told of it: rows that changed since, and what deviated since then."""

    def since(rows: Rows) -> None:
        for one in later:
            one.apply(rows)
        rows["control_tests"] += tested

    before, after = opinions(register), opinions(register, since)
    assert {name: told(one) for name, one in before.items()} == {name: told(one) for name, one in after.items()}


@settings(max_examples=15)
@given(registers((ENDED, "2026-06-30")), rounds(deviating=False))
def test_a_clean_round_makes_no_outlook_worse(register: Edit, tested: dict[str, str]) -> None:
    """Whatever it leaves untested, and whoever performed the control on its days."""
    assert not milder(opinions(register), opinions(register, lambda rows: rows["control_tests"].append(tested)))


@settings(max_examples=15)
@given(registers((ENDED, "2026-06-30")), rounds(deviating=True))
def test_a_round_that_deviated_makes_no_outlook_milder(register: Edit, tested: dict[str, str]) -> None:
    """Be it of few items, by inquiry only, or of days on which a vendor performed the control."""
    assert not milder(opinions(register, lambda rows: rows["control_tests"].append(tested)), opinions(register))


@settings(max_examples=15)
@given(registers(), st.lists(LATER, max_size=2), st.booleans())
def test_a_report_that_ended_is_judged_no_milder_on_a_later_day(
    register: Edit, later: list[Change], mended: bool
) -> None:
    """Whatever changed since then, and what was closed."""

    def since(rows: Rows) -> None:
        for one in later:
            one.apply(rows)
        for deficiency in rows["deficiencies"] if mended else ():
            deficiency["closed_on"] = deficiency["closed_on"] or "2026-05-02"

    assert not milder(opinions(register, since), opinions(register, since, as_of=date(2026, 4, 1)))
