"""OSCAL 1.2.1: control objectives as a catalog, controls as components, management's tests, and what is to be mended.

Columns of the register become properties under ``NS``; ids are UUIDv5 of what they name, so that one subject keeps its
id from file to file, and the same register gives the same bytes. Texts are escaped: nothing in them is read as markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import pandas as pd

from riskcalc.assessment.context import Context
from riskcalc.assessment.deficiencies import candidates
from riskcalc.assessment.evidence import conclude_all
from riskcalc.assessment.opinion import ACHIEVED, MANAGEMENTS_TESTS, NOT_ACHIEVED, outlooks, reaching
from riskcalc.assessment.readiness import gaps
from riskcalc.assessment.scoring import AXES, VIEWS, scores
from riskcalc.errors import UsageError
from riskcalc.register.audiences import Audience, redacted
from riskcalc.register.register import Register
from riskcalc.register.row import SPAN
from riskcalc.register.tables import TABLES

NS = "urn:riskcalc:oscal:1"
VERSION = "1.2.1"
CATALOG, COMPONENTS, RESULTS, POAM = (
    "catalog",
    "component-definition",
    "assessment-results",
    "plan-of-action-and-milestones",
)
FILES = tuple(f"{name}.json" for name in (CATALOG, COMPONENTS, RESULTS, POAM))
REMARKS = f"Management's own assessment and tests, not a service auditor's opinion. {MANAGEMENTS_TESTS}"
_SPACE = UUID("5a2d4c0e-3f0b-5d5e-9a55-6f1f0c3a7b21")
_METHODS = {"inquiry": "INTERVIEW", "observation": "EXAMINE", "inspection": "EXAMINE", "reperformance": "TEST"}
_MARKS = re.compile(r"[\\`*_\[\]<>#~^{}|!&]|^[ \t]*(?:[-+=]|\d+[.)])(?=\s|[-=])", re.M)
_STATES = {ACHIEVED: ("satisfied", "pass"), NOT_ACHIEVED: ("not-satisfied", "fail")}  # all else: other
Part = dict[str, Any]
Row = dict[Any, Any]


def documents(context: Context, audience: Audience) -> dict[str, bytes]:
    """The files by name, as one audience may see them; no plan of action where nothing is to be mended.

    Raises:
        UsageError: it is for somebody who is told of no assessment.

    >>> from riskcalc.register.audiences import FULL
    >>> from riskcalc.register.register import load
    >>> sorted(documents(Context.of(load("data")), FULL))[:2]
    ['assessment-results.json', 'catalog.json']
    """
    if audience.told:
        raise UsageError(
            f"Nothing of an assessment is for the audience {audience.name!r}: riskcalc export trust-centre."
        )
    case = _Case(Context.of(redacted(context.register, audience)), audience)
    parts = {CATALOG: case.catalog(), COMPONENTS: case.components(), RESULTS: case.results()}
    parts[POAM] = case.plan_of_action()
    return {f"{name}.json": case.document(name, body) for name, body in parts.items() if body}


def token(text: str) -> str:
    """An id as OSCAL allows it: the text itself, or one that is as good as its own.

    >>> token("PAY-CO1"), token("7 b")
    ('PAY-CO1', '_7_b-a1b7e0fe')
    """
    kept = "".join(each if each.isalnum() or each in ".-_" else "_" for each in text)
    kept = kept if kept[:1].isalpha() or kept[:1] == "_" else f"_{kept}"
    return kept if kept == text else f"{kept}-{sha256(text.encode()).hexdigest()[:8]}"


def line(text: object) -> str:
    """A text in one line that is shown as it stands."""
    return many(" ".join(str(text).split())) or "-"


def many(text: object) -> str:
    r"""A text in which nothing is markup.

    >>> many("*a* <b>\n1. c")
    '\\*a\\* \\<b\\>\n\\1. c'
    """
    return _MARKS.sub(lambda found: "\\" + found[0], str(text))


def plain(text: str) -> str:
    """The text that ``many`` escaped; of somebody else's markup, what it says."""
    return re.sub(r"\\(.)", r"\1", text)


# --- parts ---


def part(**found: Any) -> Part:
    """An object of OSCAL: its names have hyphens, and nothing in it may be empty."""
    return {name.replace("_", "-"): value for name, value in found.items() if value not in ("", None, [], {})}


def _day(day: date) -> str:
    return f"{day:%Y-%m-%d}T00:00:00Z"


def _prop(name: str, value: object) -> Part:
    return {"name": name.replace("_", "-"), "ns": NS, "value": " ".join(str(value).split())}


def _props(table: str, row: Row, besides: Iterable[str]) -> list[Part]:
    """A row's columns as properties, but for those that stand elsewhere or say nothing."""
    names = [name for name in TABLES[table].model_fields if name not in {*SPAN, *besides} and name in row]
    return [_prop(name, said) for name in names if (said := _said(row[name])).strip()]


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return "|".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value is pd.NA or value != value:  # NaN and NaT aren't themselves
        return ""
    return f"{value:%Y-%m-%d}" if isinstance(value, date) else str(value)


def _rows(table: pd.DataFrame) -> list[Row]:
    return table.to_dict("records")


def _by(table: pd.DataFrame, column: str, wanted: str) -> dict[str, list[Any]]:
    return {str(name): list(rows) for name, rows in table.groupby(column, sort=False)[wanted]}


def _objective(row: Row) -> Part:
    name, label = token(row["objective_id"]), {"name": "label", "value": " ".join(row["objective_id"].split())}
    told = part(id=f"{name}_smt", name="statement", prose=many(row["statement"]))
    return part(id=name, **{"class": "control-objective"}, title=line(row["process"]), props=[label], parts=[told])


@dataclass(frozen=True)
class _Case:
    context: Context
    audience: Audience

    @property
    def register(self) -> Register:
        return self.context.register

    @property
    def day(self) -> pd.Timestamp:
        return pd.Timestamp(self.context.as_of)

    def uuid(self, *names: object) -> str:
        """The id of a subject, the same in each of the organisation's files."""
        return str(uuid5(_SPACE, "\x1f".join(map(str, (self.register.methodology.organisation, *names)))))

    def document(self, name: str, body: Part) -> bytes:
        """A file: its head, and an id that changes with what it says."""
        organisation, period = self.register.methodology.organisation, self.context.period.name
        head = part(
            title=line(f"{organisation}: {name.replace('-', ' ')}"),
            last_modified=_day(self.context.as_of),
            version=f"{period} as of {self.context.as_of}",
            oscal_version=VERSION,
            props=[_prop("period", period), _prop("register-sha256", self.register.fingerprint())],
            parties=[{"uuid": self.uuid("party"), "type": "organization", "name": " ".join(organisation.split())}],
            remarks=REMARKS + (f" Made {self.audience.label}." if self.audience.label else ""),
        )
        told = sha256(json.dumps([head, body], sort_keys=True).encode()).hexdigest()
        whole = {"uuid": self.uuid(name, told), "metadata": head, **body}
        return (json.dumps({name: whole}, indent=1, ensure_ascii=False) + "\n").encode()

    def catalog(self) -> Part:
        """The control objectives: a group per unit, and in it one per process."""
        return part(groups=[self._unit_group(unit) for unit in _rows(self.register.business_units)])

    def _unit_group(self, unit: Row) -> Part:
        name, objectives = unit["unit_id"], self.register.control_objectives
        groups = [
            part(id=token(f"{name}.{process}"), title=line(process), controls=list(map(_objective, _rows(rows))))
            for process, rows in objectives[objectives["unit_id"] == name].groupby("process", sort=False)
        ]
        return part(id=token(name), title=line(unit["name"]), props=[_prop("unit_id", name)], groups=groups)

    @cached_property
    def serving(self) -> dict[str, list[str]]:
        """The objectives that each control serves, by what it reaches."""
        objective = self.register.risks.set_index("risk_id")["objective_id"].to_dict()
        pairs = {(control, objective[risk]) for risk, names in reaching(self.register).items() for control in names}
        return _by(pd.DataFrame(sorted(pairs), columns=["control", "objective"]), "control", "objective")

    def components(self) -> Part:
        """The controls, each a component that implements objectives of ours and what it is mapped to elsewhere."""
        frameworks = sorted(set(self.register.mappings["framework"]))
        resources = [part(uuid=self.uuid("framework", name), title=line(name)) for name in frameworks]
        found = [self._component(row) for row in _rows(self.register.controls)]
        return part(components=found, back_matter=part(resources=resources))

    def _component(self, control: Row) -> Part:
        name, mapped = control["control_id"], self.register.mappings
        sources = {f"{CATALOG}.json": self.serving.get(name, [])}
        for framework, references in _by(mapped[mapped["control_id"] == name], "framework", "reference").items():
            sources[f"#{self.uuid('framework', framework)}"] = references
        return part(
            uuid=self.uuid("control", name),
            type="process-procedure",
            title=line(control["title"]),
            description=many(control["description"]) or "-",
            props=_props("controls", control, ("title", "description")),
            control_implementations=[self._implementation(name, *each) for each in sources.items() if each[1]],
        )

    def _implementation(self, control: str, source: str, references: Iterable[str]) -> Part:
        ours = source == f"{CATALOG}.json"
        told = "Serves these control objectives." if ours else "Mapped to these references by the organisation."
        required = [
            part(
                uuid=self.uuid("requirement", control, source, name),
                control_id=token(name),
                description=many(name),
                props=[{"name": "label", "value": " ".join(name.split())}],
            )
            for name in references
        ]
        uuid = self.uuid("implementation", control, source)
        return part(uuid=uuid, source=source, description=told, implemented_requirements=required)

    def results(self) -> Part:
        """What was tested, what it showed over the report's period, and what that means for each objective."""
        tests, period = self.register.control_tests, self.context.period
        tests = tests[tests["tested_on"] <= self.day]
        first = min([period.first_day, *tests["tested_on"].dt.date])
        objectives = [{"control-id": token(name)} for name in self.register.control_objectives["objective_id"]]
        reviewed: Part = {"include-controls": objectives} if objectives else {"include-all": {}}
        result = part(
            uuid=self.uuid("result", period.name),
            title=line(f"Management's tests of controls, {period.name}"),
            description=REMARKS,
            start=_day(first),
            end=_day(max(first, self.context.as_of)),
            reviewed_controls={"control-selections": [reviewed]},
            observations=[*map(self._test, _rows(tests)), *self._conclusions()],
            risks=list(self._risks()),
            findings=list(self._findings(_by(tests, "control_id", "test_id"))),
            remarks=REMARKS,
        )
        plan = part(uuid=self.uuid("plan"), title="No assessment plan", description="None is kept in OSCAL.")
        by = part(href=f"#{plan['uuid']}", remarks="Management's tests follow the register, not a plan in OSCAL.")
        return part(import_ap=by, results=[result], back_matter={"resources": [plan]})

    def _about(self, control: str) -> list[Part]:
        return [part(subject_uuid=self.uuid("control", control), type="component", title=line(control))]

    def _test(self, test: Row) -> Part:
        evidence = many(_said(test["evidence"])).strip()
        return part(
            uuid=self.uuid("test", test["test_id"]),
            title=line(f"Test {test['test_id']} of {test['control_id']}"),
            description=many(test["procedure"]) or "-",
            props=_props("control_tests", test, ("procedure", "evidence")),
            methods=[_METHODS.get(_said(test["nature"]), "UNKNOWN")],
            types=["control-objective"],
            subjects=self._about(test["control_id"]),
            relevant_evidence=[{"description": evidence}] if evidence else [],
            collected=_day(test["tested_on"]),
        )

    def _conclusions(self) -> Iterator[Part]:
        now, units = conclude_all(self.context), self.register.business_units["report_type"]
        for name, found in conclude_all(self.context, next(iter(units), "type2")).items():  # each by its own unit's
            told = {"control_id": name, "conclusion": found.name, "sample_size": found.sample_size}
            told |= {"deviations": found.deviations, "conclusion_now": now[name].name}
            yield part(
                uuid=self.uuid("conclusion", name, self.context.period.name),
                title=line(f"Conclusion on {name} over its report's period: {found.name.replace('_', ' ')}"),
                description=many(found.reason) or "-",
                props=[_prop(*each) for each in told.items()],
                methods=["EXAMINE"],
                types=["finding"],
                subjects=self._about(name),
                collected=_day(self.context.as_of),
                remarks=many(f"By the latest evidence: {now[name].name.replace('_', ' ')}; {now[name].reason}."),
            )

    def _risks(self) -> Iterator[Part]:
        rated = {row["risk_id"]: row for row in _rows(scores(self.context).dropna(subset="likelihood"))}
        origin = {"actors": [{"type": "party", "actor-uuid": self.uuid("party")}]}
        names = [(view, each) for view in VIEWS for each in (*AXES, "level")]
        for risk in _rows(self.register.risks):
            found = rated.get(risk["risk_id"], {})
            facets = [
                {"name": f"{view}-{each}", "system": NS, "value": str(found[f"{view}_{each}"])}
                for view, each in names
                if found
            ]
            yield part(
                uuid=self.uuid("risk", risk["risk_id"]),
                title=line(risk["title"]),
                description=many(risk["description"]) or "-",
                statement=many(risk["description"]) or "-",
                props=_props("risks", risk, ("title", "description")) + ([] if found else [_prop("rated", "no")]),
                status="open",
                characterizations=[{"origin": origin, "facets": facets}] if found else [],
            )

    def _findings(self, tests: Mapping[str, list[str]]) -> Iterator[Part]:
        risks = _by(self.register.risks, "objective_id", "risk_id")
        for kind in sorted(set(self.register.business_units["report_type"])):
            for found in outlooks(self.context, kind):
                name, controls = (
                    found.objective_id,
                    [each for each, of in self.serving.items() if found.objective_id in of],
                )
                seen = sorted({test for control in controls for test in tests.get(control, ())})
                state, reason = _STATES.get(found.outcome, ("not-satisfied", "other"))
                yield part(
                    uuid=self.uuid("finding", name, self.context.period.name),
                    title=line(f"{name}: {found.outcome}"),
                    description=many("; ".join(found.because) or "Nothing speaks against it."),
                    props=[_prop("outcome", found.outcome), _prop("report_type", kind)],
                    target=part(
                        type="statement-id",
                        target_id=f"{token(name)}_smt",
                        status={"state": state, "reason": reason, "remarks": REMARKS},
                    ),
                    related_observations=[{"observation-uuid": self.uuid("test", each)} for each in seen],
                    related_risks=[{"risk-uuid": self.uuid("risk", each)} for each in risks.get(name, ())],
                )

    def plan_of_action(self) -> Part:
        """The deficiencies known by the day, with their candidate severities, and the gaps before the report."""
        found = [*self._deficiencies(), *self._gaps()]
        items = [
            part(
                uuid=self.uuid("item", risk["uuid"]),
                title=risk["title"],
                description=risk["description"],
                related_risks=[{"risk-uuid": risk["uuid"]}],
            )
            for risk in found
        ]
        system = {"identifier-type": "urn:riskcalc:organisation", "id": self.uuid("system")}
        return part(system_id=system, risks=found, poam_items=items) if items else {}

    def _deficiencies(self) -> Iterator[Part]:
        judged = {each.name: each for each in candidates(self.context) if each.about == "deficiency"}
        known = self.register.deficiencies
        for row in _rows(known[known["identified_on"] <= self.day]):
            name, closed = row["deficiency_id"], bool(row["closed_on"] <= self.day)
            candidate = judged.get(name)
            severity = [_prop("candidate-severity", candidate.severity)] if candidate else []
            why = (
                "; ".join(candidate.reasons)
                if candidate
                else "Not judged: it counts no more, or touches no rated risk."
            )
            yield part(
                uuid=self.uuid("deficiency", name),
                title=line(f"{name} of {row['control_id']}"),
                description=many(row["description"]) or "-",
                statement=many(why),
                props=_props("deficiencies", row, ("description", *([] if closed else ["closed_on"]))) + severity,
                status="closed" if closed else "open",
                deadline=_day(row["due_on"]),
            )

    def _gaps(self) -> Iterator[Part]:
        for gap in gaps(self.context):
            told, named = f"{gap.row} {gap.what}", ("unit_id", "row", "step", "owner")
            yield part(
                uuid=self.uuid("gap", gap.unit_id, gap.row, gap.step, gap.what),
                title=line(told),
                description=many(f"{told} ({', '.join(gap.objectives)})" if gap.objectives else told),
                statement="An objective's outlook depends on it." if gap.blocks else "Wanted before the report.",
                props=[_prop(name, getattr(gap, name)) for name in named if getattr(gap, name)],
                status="open",
                deadline=_day(gap.due_on) if gap.due_on else "",
            )
