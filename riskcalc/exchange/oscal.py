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
from riskcalc.assessment.opinion import ACHIEVED, MANAGEMENTS_TESTS, NOT_ACHIEVED, not_begun, outlooks, reaching
from riskcalc.assessment.readiness import gaps
from riskcalc.assessment.scoring import AXES, VIEWS, scores
from riskcalc.assessment.testing import in_words
from riskcalc.register.audiences import Audience, inside, redacted
from riskcalc.register.records import as_text, records
from riskcalc.register.register import Register
from riskcalc.register.row import SPAN
from riskcalc.register.tables import TABLES

NS = "urn:riskcalc:oscal:1"
VERSION = "1.2.1"
CATALOG, COMPONENTS = "catalog", "component-definition"
RESULTS, POAM = "assessment-results", "plan-of-action-and-milestones"
FILES = tuple(f"{name}.json" for name in (CATALOG, COMPONENTS, RESULTS, POAM))
REMARKS = f"Management's own assessment and tests, not a service auditor's opinion. {MANAGEMENTS_TESTS}"
_SPACE = UUID("5a2d4c0e-3f0b-5d5e-9a55-6f1f0c3a7b21")
_NAMED = ("title", "description")
_METHODS = {"inquiry": "INTERVIEW", "observation": "EXAMINE", "inspection": "EXAMINE", "reperformance": "TEST"}
_MARKS = re.compile(r"[\\`*_\[\]<>#~^{}|!&]|^[ \t]*(?:[-+=]|\d+[.)])(?=\s|[-=])", re.M)
_STATES = {ACHIEVED: ("satisfied", "pass"), NOT_ACHIEVED: ("not-satisfied", "fail")}  # all else: other
Part = dict[str, Any]
Row = dict[Any, Any]


def documents(context: Context, audience: Audience) -> dict[str, bytes]:
    """The files by name, as one audience may see them; no plan of action where nothing is to be mended.

    Raises:
        UsageError: it is for somebody who is told of no assessment.

    >>> from riskcalc.register.audiences import CLIENT
    >>> from riskcalc.register.register import load
    >>> documents(Context.of(load("data")), CLIENT)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    riskcalc.errors.UsageError: Nothing of an assessment is for the audience 'client'; for them: ...
    """
    case = _Case(Context.of(redacted(context.register, inside(audience))), audience)
    parts = {CATALOG: case.catalog(), COMPONENTS: case.components(), RESULTS: case.results()}
    parts[POAM] = case.plan_of_action()
    return {f"{name}.json": case.document(name, body) for name, body in parts.items() if body}


def token(text: str) -> str:
    """An id as OSCAL allows it: the text itself, or one that is as good as its own.

    >>> token("PAY-CO1"), token("7 b")
    ('PAY-CO1', '_7_b-597b423a')
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
    return [_prop(name, said) for name in names if (said := as_text(row[name])).strip()]


def _by(table: pd.DataFrame, column: str, wanted: str) -> dict[str, list[Any]]:
    return {str(name): list(rows) for name, rows in table.groupby(column, sort=False)[wanted]}


def _label(text: str) -> Part:
    return {"name": "label", "value": " ".join(text.split())}


def _objective(row: Row) -> Part:
    name, label = token(row["objective_id"]), _label(row["objective_id"])
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

    def thing(self, kind: str, names: Iterable[str], title: str, text: object, **rest: Any) -> Part:
        """An object with an id, a title and a description."""
        return part(uuid=self.uuid(kind, *names), title=line(title), description=many(text) or "-", **rest)

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
        return part(groups=[self._unit_group(unit) for unit in records(self.register.business_units)])

    def _unit_group(self, unit: Row) -> Part:
        name, objectives = unit["unit_id"], self.register.control_objectives
        groups = [
            part(id=token(f"{name}.{process}"), title=line(process), controls=list(map(_objective, records(rows))))
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
        found = [self._component(row) for row in records(self.register.controls)]
        return part(components=found, back_matter=part(resources=resources))

    def _component(self, control: Row) -> Part:
        name, mapped = control["control_id"], self.register.mappings
        sources = {f"{CATALOG}.json": self.serving.get(name, [])}
        for framework, references in _by(mapped[mapped["control_id"] == name], "framework", "reference").items():
            sources[f"#{self.uuid('framework', framework)}"] = references
        implemented = [self._implementation(name, *each) for each in sources.items() if each[1]]
        kind, props = "process-procedure", _props("controls", control, _NAMED)
        about = {"type": kind, "props": props, "control_implementations": implemented}
        return self.thing("control", [name], control["title"], control["description"], **about)

    def _implementation(self, control: str, source: str, references: Iterable[str]) -> Part:
        ours = source == f"{CATALOG}.json"
        told = "Serves these control objectives." if ours else "Mapped to these references by the organisation."
        named = {name: self.uuid("requirement", control, source, name) for name in references}
        required = [
            part(uuid=uuid, control_id=token(name), description=many(name), props=[_label(name)])
            for name, uuid in named.items()
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
        result = self.thing(
            "result",
            [period.name],
            f"Management's tests of controls, {period.name}",
            REMARKS,
            start=_day(first),
            end=_day(max(first, self.context.as_of)),
            local_definitions={"components": list(map(self._tested, records(self.register.controls)))},
            reviewed_controls={"control-selections": [reviewed]},
            observations=[*map(self._test, records(tests)), *self._conclusions()],
            risks=list(self._risks()),
            findings=list(self._findings(_by(tests, "control_id", "test_id"))),
            remarks=REMARKS,
        )
        plan = self.thing("plan", [], "No assessment plan", "None is kept in OSCAL.")
        by = part(href=f"#{plan['uuid']}", remarks="Management's tests follow the register, not a plan in OSCAL.")
        return part(import_ap=by, results=[result], back_matter={"resources": [plan]})

    def _tested(self, control: Row) -> Part:
        """A control as what is observed of it refers to: under the id that it has as a component."""
        status = {"state": "other", "remarks": "How it operates: see the conclusions."}
        about = {"type": "process-procedure", "status": status, "props": [_prop("control_id", control["control_id"])]}
        return self.thing("control", [control["control_id"]], control["title"], control["description"], **about)

    def _about(self, control: str) -> list[Part]:
        return [part(subject_uuid=self.uuid("control", control), type="component", title=line(control))]

    def _test(self, test: Row) -> Part:
        name, evidence = test["test_id"], many(as_text(test["evidence"])).strip()
        return self.thing(
            "test",
            [name],
            f"Test {name} of {test['control_id']}",
            test["procedure"],
            props=_props("control_tests", test, ("procedure", "evidence")),
            methods=[_METHODS.get(as_text(test["nature"]), "UNKNOWN")],
            types=["control-objective"],
            subjects=self._about(test["control_id"]),
            relevant_evidence=[{"description": evidence}] if evidence else [],
            collected=_day(test["tested_on"]),
        )

    def _conclusions(self) -> Iterator[Part]:
        now, units = conclude_all(self.context), self.register.business_units["report_type"]
        types = {one["control_id"]: one["report_type"] for one in self.register.rows("controls")}
        for name, found in conclude_all(self.context, next(iter(units), "type2")).items():  # each by its own unit's
            asked = "at its report's date" if types[name] == "type1" else "over its report's period"
            said, said_now = (in_words(each.name, types[name]) for each in (found, now[name]))
            told = {"control_id": name, "conclusion": said.replace(" ", "_"), "sample_size": found.sample_size}
            told |= {"deviations": found.deviations, "conclusion_now": said_now.replace(" ", "_")}
            title = f"Conclusion on {name} {asked}: {said}"
            remarks = many(f"By the latest evidence: {said_now}; {now[name].reason}.")
            seen = {"methods": ["EXAMINE"], "types": ["finding"], "subjects": self._about(name), "remarks": remarks}
            seen |= {"props": [_prop(*each) for each in told.items()], "collected": _day(self.context.as_of)}
            yield self.thing("conclusion", [name, self.context.period.name], title, found.reason, **seen)

    def _risks(self) -> Iterator[Part]:
        rated = {row["risk_id"]: row for row in records(scores(self.context).dropna(subset="likelihood"))}
        origin = {"actors": [{"type": "party", "actor-uuid": self.uuid("party")}]}
        names = [f"{view}_{each}" for view in VIEWS for each in (*AXES, "level")]
        for risk in records(self.register.risks):
            name, text, found = risk["risk_id"], risk["description"], rated.get(risk["risk_id"])
            told = {each.replace("_", "-"): as_text(found[each]) for each in names} if found else {}
            facets = [{"name": each, "system": NS, "value": value} for each, value in told.items()]
            props = _props("risks", risk, _NAMED) + ([] if found else [_prop("rated", "no")])
            levels = [{"origin": origin, "facets": facets}] if facets else []
            about = {"statement": many(text) or "-", "props": props, "status": "open", "characterizations": levels}
            yield self.thing("risk", [name], risk["title"], text, **about)

    def _findings(self, tests: Mapping[str, list[str]]) -> Iterator[Part]:
        risks = _by(self.register.risks, "objective_id", "risk_id")
        kinds = sorted(set(self.register.business_units["report_type"]))
        units = {one["unit_id"]: one for one in self.register.rows("business_units")}
        for kind, found in ((of, each) for of in kinds for each in outlooks(self.context, of)):
            name = found.objective_id
            controls = [control for control, served in self.serving.items() if name in served]
            seen = sorted({test for control in controls for test in tests.get(control, ())})
            state, reason = _STATES.get(found.outcome, ("not-satisfied", "other"))
            ahead = not_begun(self.context, units[found.unit_id])
            status = {"state": state, "reason": reason, "remarks": f"{ahead} {REMARKS}".strip()}
            yield self.thing(
                "finding",
                [name, self.context.period.name],
                f"{name}: {found.outcome}",
                "; ".join(found.because) or "Nothing speaks against it.",
                props=[_prop("outcome", found.outcome), _prop("report_type", kind)],
                target={"type": "statement-id", "target-id": f"{token(name)}_smt", "status": status},
                related_observations=[{"observation-uuid": self.uuid("test", each)} for each in seen],
                related_risks=[{"risk-uuid": self.uuid("risk", each)} for each in risks.get(name, ())],
            )

    def plan_of_action(self) -> Part:
        """The deficiencies known by the day, with their candidate severities, and the gaps before the report."""
        found = [*self._deficiencies(), *self._gaps()]
        items = [
            {"uuid": self.uuid("item", each["uuid"]), "title": each["title"], "description": each["description"]}
            | {"props": [_prop("state", each["status"])], "related-risks": [{"risk-uuid": each["uuid"]}]}
            for each in found
        ]
        system = {"identifier-type": "urn:riskcalc:organisation", "id": self.uuid("system")}
        return part(system_id=system, risks=found, poam_items=items) if items else {}

    def _deficiencies(self) -> Iterator[Part]:
        judged = {each.name: each for each in reversed(candidates(self.context)) if each.about == "deficiency"}
        known = self.register.deficiencies
        for row in records(known[known["identified_on"] <= self.day]):
            name, closed = row["deficiency_id"], bool(row["closed_on"] <= self.day)
            candidate, besides = judged.get(name), () if closed else ("closed_on",)
            severity = [_prop("candidate-severity", candidate.severity)] if candidate else []
            props = _props("deficiencies", row, ("description", *besides)) + severity
            unjudged = "Not judged: it counts no more, or touches no rated risk."
            why = "; ".join(candidate.reasons) if candidate else unjudged
            about = {"statement": many(why), "props": props, "status": "closed" if closed else "open"}
            title, due = f"{name} of {row['control_id']}", _day(row["due_on"])
            yield self.thing("deficiency", [name], title, row["description"], **about, deadline=due)

    def _gaps(self) -> Iterator[Part]:
        for gap in gaps(self.context):
            told, named = f"{gap.row} {gap.what}", ("unit_id", "row", "step", "owner")
            text = f"{told} ({', '.join(gap.objectives)})" if gap.objectives else told
            why = "An objective's outlook depends on it." if gap.blocks else "Wanted before the report."
            props = [_prop(name, getattr(gap, name)) for name in named if getattr(gap, name)]
            about = {"statement": why, "props": props, "status": "open", "deadline": gap.due_on and _day(gap.due_on)}
            title = f"{gap.unit_id}: {told}"  # a control that two units rely on may be a gap of both
            yield self.thing("gap", [gap.unit_id, gap.row, gap.step, gap.what], title, text, **about)
