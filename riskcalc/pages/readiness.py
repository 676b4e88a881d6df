"""What a unit's page says about its SOC 1 report: outlook, gaps, deficiencies, and what the report leans on."""

from __future__ import annotations

from datetime import date
from typing import Any, get_args

import pandas as pd

from riskcalc.assessment import coverage
from riskcalc.assessment.deficiencies import Candidate, aggregated, candidates
from riskcalc.assessment.evidence import uncovered_days
from riskcalc.assessment.opening import Assessment
from riskcalc.assessment.readiness import STEPS, UNMODIFIED, Outlook, gaps, outlooks, report_outlook, steps
from riskcalc.pages import display
from riskcalc.pages.display import Cell, Display, state
from riskcalc.pages.wording import OPINION_TONES
from riskcalc.register.columns import Assertion

_GRAVE = {"material weakness": "bad", "significant deficiency": "bad", "deficiency": "open"}
_TYPES = {"type1": "Type 1", "type2": "Type 2"}


def figures(unit: Assessment) -> Display:
    """How the report stands: its outlook, gaps, length, and how far it is from the clients' year-end."""
    own_type = unit.unit["report_type"]
    found = outlooks(unit.context, own_type)
    missing = gaps(unit.context)
    holding = sum(outlook.opinion == UNMODIFIED for outlook in found)
    blocking, overdue = sum(gap.blocks for gap in missing), sum(_overdue(gap.due_on, unit) for gap in missing)
    other = next(name for name in _TYPES if name != own_type)
    return display.facts(
        "Readiness",
        [
            (f"Outlook, {_TYPES[own_type]}", report_outlook(found), f"{holding} of {len(found)} objectives hold"),
            (
                f"If it were {_TYPES[other]}",
                report_outlook(outlooks(unit.context, other)),
                "by the same register",
            ),
            ("Gaps", str(len(missing)), f"{blocking} decide on an objective; {overdue} past due"),
            _length(unit.unit),
            _to_year_end(unit.unit),
        ],
    )


def objectives(unit: Assessment) -> Display:
    """Each objective's key controls by step, the outlook for both types of report, and why."""
    own_type = unit.unit["report_type"]
    by_type = {name: {each.objective_id: each for each in outlooks(unit.context, name)} for name in _TYPES}
    found = steps(unit.context, own_type)
    keys = found[found["key"] & (found["performed_by"] != "user_entity")]
    linked = unit.register.risk_controls.merge(unit.register.risks[["risk_id", "objective_id"]], on="risk_id")
    rows: list[list[Cell]] = []
    for objective in unit.register.control_objectives.to_dict("records"):
        name = objective["objective_id"]
        acting = set(linked.loc[linked["objective_id"] == name, "control_id"])
        serving = keys[keys.index.isin(acting)]
        counts = [_of(int(serving[step].sum()), len(serving)) for step in STEPS]
        process: Cell = {"text": name, "note": objective["process"]}
        why = "\n".join(by_type[own_type][name].because)
        rows.append([process, *counts, *(_opinion(by_type[each][name]) for each in _TYPES), {"text": "", "note": why}])
    columns = ["Objective", "Designed", "Documented", "Operated", "Evidenced", "In period", "Type 1", "Type 2", "Why"]
    note = (
        f"Key controls that pass each step, for {_TYPES[own_type]}. An objective holds if each of its risks has a key "
        "control that passes every step. This outlook is ours; the opinion is the service auditor's."
    )
    return display.table("Control objectives: the outlook", columns, rows, note=note)


def gap_list(unit: Assessment) -> Display:
    """What is missing for the unit's report, with owner, due date and age; what decides on an objective first."""
    rows: list[list[Cell]] = []
    for gap in gaps(unit.context):
        late = gap.due_on is not None and gap.due_on < unit.as_of
        due = "no date agreed" if gap.due_on is None else gap.due_on.isoformat()
        age = "new" if gap.since is None else _days((unit.as_of - gap.since).days)
        decides = state("decides", "bad") if gap.blocks else "beside one that holds"
        rows.append(
            [
                gap.row,
                gap.what,
                ", ".join(gap.objectives),
                decides,
                gap.owner,
                state(due, "bad", "past due") if late else due,
                age,
            ]
        )
    columns = ["Row", "What is missing", "Objectives", "For the outlook", "Owner", "Due", "Known for"]
    note = "Known for: since the deficiency was identified, or at least since the end of the period before."
    return display.table("Gaps on the way to the report", columns, rows, note=note)


def deficiencies(unit: Assessment) -> Display:
    """A candidate severity for every deficiency, with reasons, and what it means for the SOC 1 report."""
    found = candidates(unit.context)
    described = unit.register.deficiencies.set_index("deficiency_id").to_dict("index")
    blocking = _blocking(unit)
    rows: list[list[Cell]] = []
    for one in found:
        known = described.get(one.name, {"description": "a control that failed, without a deficiency on record"})
        control: Cell = {"text": one.controls[0], "note": str(known["description"])}
        soc1 = _soc1(unit, one, blocking)
        rows.append([one.name, control, _severity(one), _age(known, unit), _why(one), soc1])
    columns = ["Deficiency", "Control", "Candidate", "Open for", "Why", "For the SOC 1 report"]
    note = (
        "Candidates, for people to decide on. The severity is that of an entity's own reporting (AS 2201 .62-.70, "
        "AU-C 265). A SOC 1 report asks another question: each deviation is reported, and enough of them mean that an "
        "objective was not achieved."
    )
    return display.table("Deficiencies: candidate severity", columns, rows, note=note)


def together(unit: Assessment) -> Display:
    """What the deficiencies that share an objective or an account make together."""
    rows: list[list[Cell]] = [
        [one.about.capitalize(), one.name, ", ".join(one.controls), _severity(one), _why(one)]
        for one in aggregated(unit.context)
    ]
    columns = ["By", "Name", "Controls", "Candidate", "Why"]
    return display.table("Deficiencies taken together", columns, rows)


def assertions(unit: Assessment) -> Display:
    """Objectives by assertion: which risks name it, and where no key control holds."""
    found = coverage.assertions(unit.context, unit.unit["report_type"])
    cells = {(row["objective_id"], row["assertion"]): row for row in found.to_dict("records")}
    named = set(found["assertion"])
    rows: list[list[Cell]] = [
        [objective, *(_assertion(cells.get((objective, name))) for name in get_args(Assertion))]
        for objective in unit.register.control_objectives["objective_id"]
    ]
    holes = [name.replace("_", " ") for name in get_args(Assertion) if name not in named]
    note = f"No risk names {', '.join(holes)}: nothing is wrong with that if it can't matter." if holes else ""
    columns = ["Objective", *(name.replace("_", " ").capitalize() for name in get_args(Assertion))]
    return display.table("Assertions: which risks name them, and whether a key control holds", columns, rows, note=note)


def components(unit: Assessment) -> Display:
    """The five components of internal control, and the controls that stand for each."""
    found = coverage.components(unit.context)
    rows: list[list[Cell]] = []
    for name, row in found.to_dict("index").items():
        tone = "good" if row["earning"] else "bad"
        text = "covered" if row["earning"] else "not covered" if row["controls"] else "no control"
        label = str(name).replace("_", " ").capitalize().replace("Information com", "Information and com")
        rows.append([label, str(row["controls"]), str(row["earning"]), state(text, tone)])
    columns = ["Component", "Controls", "That earn", "State"]
    return display.table("The five components (COSO 2013)", columns, rows, numeric=columns[1:3])


def user_entities(unit: Assessment) -> Display:
    """What clients have to do themselves: complementary user entity controls, and whether they were told."""
    controls = unit.register.controls
    acting = unit.register.risk_controls.merge(unit.register.risks[["risk_id", "objective_id"]], on="risk_id")
    rows: list[list[Cell]] = []
    for control in controls[controls["performed_by"] == "user_entity"].to_dict("records"):
        own = acting[acting["control_id"] == control["control_id"]]
        told = state("not told", "bad") if pd.isna(control["communicated_in"]) else str(control["communicated_in"])
        confirmed = state("never", "open")
        if not pd.isna(control["confirmed_on"]):
            age = (unit.as_of - control["confirmed_on"].date()).days
            on = f"{control['confirmed_on']:%Y-%m-%d}"
            confirmed = state(on, "open", "more than a year ago") if age > 366 else on
        title: Cell = {"text": control["title"], "note": control["description"]}
        rows.append([control["control_id"], title, ", ".join(sorted(set(own["objective_id"]))), told, confirmed])
    columns = ["Control", "What the client does", "Objectives", "Told in", "Confirmed on"]
    return display.table("Complementary user entity controls", columns, rows)


def subservice(unit: Assessment) -> Display:
    """The subservice organisations, their reports, and the days of our report that theirs don't cover."""
    first, last = _report_days(unit.unit)
    used = unit.register.controls.groupby("subservice_id")["control_id"].agg(", ".join).to_dict()
    rows: list[list[Cell]] = []
    for one in unit.register.subservice_organisations.to_dict("records"):
        inclusive = one["method"] == "inclusive"
        days = 0 if inclusive else uncovered_days(one, first, last)
        gap = "tested here" if inclusive else state(_days(days), "bad") if days else state("none", "good")
        opinion = "no report" if pd.isna(one["opinion"]) else str(one["opinion"])
        exception = "" if pd.isna(one["exception"]) else f"exceptions: {one['exception']}"
        tone = "good" if opinion == "unmodified" and one["exception"] != "matters" else "bad"
        reviewed = "not reviewed" if pd.isna(one["reviewed_by"]) else f"{one['reviewed_by']}, {one['reviewed_on']:%F}"
        name: Cell = {"text": one["name"], "note": one["service"]}
        method = one["method"].replace("_", "-")
        opinions = "" if inclusive else state(opinion, tone, exception)
        used_by = used.get(one["subservice_id"], "")
        rows.append([one["subservice_id"], name, method, used_by, _reported(one), opinions, gap, reviewed])
    columns = ["Id", "Organisation", "Method", "Controls", "Its report", "Opinion", "Days uncovered", "Reviewed"]
    note = f"Days uncovered: of our own report, {first} to {last}."
    return display.table("Subservice organisations", columns, rows, note=note)


def training(unit: Assessment) -> Display:
    """The owners of key controls, and whether they have been trained for them."""
    words = {"completed": "completed", "overdue": "overdue since", "due": "due on"}
    tones = {"completed": "good", "overdue": "bad", "none": "bad", "due": "open"}
    rows: list[list[Cell]] = []
    for one in coverage.training(unit.context, unit.unit["unit_id"]).to_dict("records"):
        when = one["completed_on"] if one["state"] == "completed" else one["due_on"]
        said = "nothing planned" if one["state"] == "none" else f"{words[one['state']]} {when:%F}"
        rows.append([one["owner"], ", ".join(one["controls"]), state(said, tones[one["state"]])])
    return display.table("Training of the owners of key controls", ["Owner", "Key controls", "Training"], rows)


def frameworks(unit: Assessment) -> Display:
    """Which other frameworks' requirements the same controls already serve."""
    rows: list[list[Cell]] = [
        [one["framework"], one["reference"], ", ".join(one["controls"]), _of(len(one["earning"]), len(one["controls"]))]
        for one in coverage.frameworks(unit.context).to_dict("records")
    ]
    columns = ["Framework", "Reference", "Controls", "Earn in full"]
    note = "A control that earns in full here can be shown to the other framework's auditor with the same evidence."
    return display.table("Used again: other frameworks", columns, rows, note=note)


# --- parts ---


def _of(part: int, whole: int) -> Cell:
    text = f"{part} of {whole}"
    return state(text, "good" if part == whole and whole else "bad" if not part else "open")


def _opinion(outlook: Outlook) -> Cell:
    return state(outlook.opinion, OPINION_TONES.get(outlook.opinion, "open"))


def _overdue(due: date | None, unit: Assessment) -> bool:
    return due is not None and due < unit.as_of


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _report_days(unit: Any) -> tuple[date, date]:
    last = unit["report_to"].date()
    return (last if pd.isna(unit["report_from"]) else unit["report_from"].date()), last


def _length(unit: Any) -> tuple[str, str, str]:
    first, last = _report_days(unit)
    if unit["report_type"] == "type1":
        return ("Report", "at a date", f"{last}: design and implementation only")
    return ("Report period", _days((last - first).days + 1), f"{first} to {last}; six months are expected")


def _to_year_end(unit: Any) -> tuple[str, str, str]:
    found = coverage.year_end(unit)
    if found is None:
        return ("To clients' year-end", "–", "user_year_end is blank in business_units.csv")
    if not found.gap:
        return ("To clients' year-end", "0 days", f"{found.year_end} is the report's last day")
    bridge = f"bridge letter to {found.bridged_until}" if found.bridged_until else "no bridge letter"
    rest = f", {_days(found.unbridged)} uncovered" if found.unbridged else ""
    long = "; longer than the three months that practice accepts" if found.too_long else ""
    return ("To clients' year-end", _days(found.gap), f"to {found.year_end}; {bridge}{rest}{long}")


def _blocking(unit: Assessment) -> dict[str, str]:
    """For each control at fault, the objective that it decides on."""
    found = outlooks(unit.context, unit.unit["report_type"])
    return {row: outlook.objective_id for outlook in found for row in outlook.blocking}


def _severity(one: Candidate) -> Cell:
    return state(one.severity, _GRAVE.get(one.severity, "open"))


def _age(known: Any, unit: Assessment) -> Cell:
    """For how long a deficiency has been known, and by when it is to be mended."""
    if "identified_on" not in known:
        return "not on record"
    late = known["due_on"].date() < unit.as_of
    age = _days((unit.as_of - known["identified_on"].date()).days)
    return state(age, "bad" if late else "open", f"{'was due' if late else 'due'} {known['due_on']:%Y-%m-%d}")


def _why(one: Candidate) -> Cell:
    return {"text": "", "note": "\n".join(one.reasons)}


def _soc1(unit: Assessment, one: Candidate, blocking: dict[str, str]) -> Cell:
    control = one.controls[0]
    weights = unit.controls.loc[control] if control in unit.controls.index else None
    reported = ""
    if weights is not None and weights["deviations"]:
        reported = f"{weights['deviations']} of {weights['sample_size']} deviated: reported with the tests' results"
    if control in blocking:
        return state(f"{blocking[control]} would be qualified", "bad", reported)
    return state("its objectives hold", "good", reported)


def _assertion(cell: Any) -> Cell:
    if cell is None:
        return "–"
    risks = ", ".join(cell["risks"])
    if cell["unguarded"]:
        return state("hole", "bad", f"{', '.join(cell['unguarded'])} of {risks}" if len(cell["risks"]) > 1 else risks)
    return state("held", "good", risks)


def _reported(one: Any) -> str:
    if pd.isna(one["report_type"]):
        return "none received"
    if one["report_type"] == "type1":
        return f"Type 1 at {one['report_to']:%F}"
    return f"Type 2, {one['report_from']:%F} to {one['report_to']:%F}"
