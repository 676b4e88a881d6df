"""JSON Schemas of what a run, a check and a trust centre leave for machines, so that whoever reads it can rely on it.

A change that an older reader could stumble over raises ``VERSION``, and stands in the changelog.
"""

from __future__ import annotations

import json
from datetime import date
from types import GenericAlias
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from riskcalc.assessment.consistency import Finding
from riskcalc.assessment.scoring import AXES, VIEWS
from riskcalc.errors import Problem
from riskcalc.register.audiences import CLIENT
from riskcalc.register.row import SPAN
from riskcalc.register.tables import TABLES

VERSION = 1
Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Views(_Told):
    """A figure before controls, after them as claimed, and as far as tests have earned it."""

    inherent: float
    claimed: float
    earned: float


class _Risk(_Told):
    """A rated risk, or an unrated one, whose figures are null; residual ratings and scores are continuous."""

    unit_id: str
    risk_id: str
    likelihood: int | None
    impact: int | None
    appetite: str
    breach: bool | None


_FIGURES: dict[str, Any] = {f"{view}_{each}": (float | None, ...) for view in VIEWS for each in (*AXES, "score")}
_LEVELS: dict[str, Any] = {f"{view}_level": (str | None, ...) for view in VIEWS}
Risk = create_model("Risk", __base__=_Risk, __doc__=_Risk.__doc__, **_FIGURES, **_LEVELS)


class Figures(_Told):
    """How a unit, or the organisation, stands; ``newly_outside`` is known where there is a period before."""

    rated: Count
    breaches: Count
    newly_outside: Count | None = None
    unrated: Count
    decisions: Count
    past_due: Count


class UnitResult(Figures):
    """UNIT.json: a unit's results. Amounts are there where all it needs is: materiality, rates, anchors."""

    unit_id: str
    period: str
    as_of: date
    report_outlook: str
    currency: str
    expected_loss: Views | None = None
    exceeds_materiality: Views | None = None
    not_assessed: list[str] | None = None
    risks: list[Risk]


class _Ran(_Told):
    """How a notebook's run ended, the SHA-256 of what it was made from, and of each file that it left."""

    status: Literal["pending", "ok", "unchanged", "failed", "timeout", "died"]
    seconds: float
    inputs_sha256: Sha256 | Literal[""]
    register_sha256: Sha256 | Literal[""]
    outputs: dict[str, Sha256]
    figures: Figures | dict[str, Count]
    error: str | None


class RanUnit(_Ran):
    """A unit of the run."""

    unit_id: str


class Manifest(_Told):
    """manifest.json: what a run did, of every unit that it was to run; it is there while the run goes on."""

    period: str
    as_of: date | None = None
    register_: str = Field(alias="register")
    riskcalc_version: str
    finished: bool
    organisation: _Ran
    left: list[str] | None = None
    earlier: list[str] | None = None
    units: list[RanUnit]


class Findings(_Told):
    """What ``riskcalc check --json`` prints; where there are problems there are no findings yet."""

    problems: list[Problem]
    notes: list[Problem] | None = None
    findings: list[Finding]


def _rows(table: str, **besides: Any) -> Any:
    """Rows of trust.json, by the register's columns that those outside may be told of; what is blank is left out."""
    names = [name for name in TABLES[table].model_fields if name not in {*CLIENT.withheld[table], *SPAN}]
    fields: dict[str, Any] = dict.fromkeys(names, (str | None, None)) | besides
    return GenericAlias(list, (create_model(table, __base__=_Told, **fields),)), ...


class Change(_Told):
    """Something that became new to readers."""

    day: date
    what: str
    about: str


_State, _Type = Literal["issued", "in preparation"], Literal["type1", "type2"]
_TRUST: dict[str, Any] = {
    **dict.fromkeys(("organisation", "audience", "period", "as_of", "use"), (str, ...)),
    "reports": _rows("business_units", state=(_State, ...), next_in_preparation=(_Type | None, None)),
    "documents": _rows("documents", file=(str | None, None)),
    "subservice_organisations": _rows("subservice_organisations"),
    "answers": _rows("answers"),
    "changes": (list[Change], ...),
}
Trust = create_model("Trust", __base__=_Told, __doc__="trust.json: what a trust centre's page says.", **_TRUST)

MODELS: dict[str, type[BaseModel]] = {"unit": UnitResult, "manifest": Manifest, "findings": Findings, "trust": Trust}


def schemas(**more: type) -> dict[str, bytes]:
    """The schemas by file name; with those of ``more`` models, which other rooms have.

    >>> sorted(schemas())
    ['findings.schema.json', 'manifest.schema.json', 'trust.schema.json', 'unit.schema.json']
    """
    return {f"{name}.schema.json": _schema(name, model) for name, model in {**MODELS, **more}.items()}


def _schema(name: str, model: type) -> bytes:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:riskcalc:schema:{name}:{VERSION}"}
    return (json.dumps({**head, **TypeAdapter(model).json_schema()}, indent=1) + "\n").encode()
