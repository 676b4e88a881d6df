"""The page for the public, a trust centre's, or for clients: reports, objectives, documents, answers, what changed.

It is made from what ``audiences.redacted`` leaves for them; nothing is computed from a rating or a test. It tells what
is, not what is planned: a report once it is issued, a bridge letter for the past days that it speaks of, a document in
force, an answer that nothing in the register contradicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from riskcalc.assessment.claims import against, contradicted
from riskcalc.assessment.context import Context
from riskcalc.assessment.lexicon import of_entry
from riskcalc.assessment.opening import as_day, read_runs
from riskcalc.assessment.scoping import SOC1
from riskcalc.errors import UsageError, counted
from riskcalc.pages import display
from riskcalc.pages.display import Cell, Display, Result, day
from riskcalc.pages.wording import page_link
from riskcalc.register import audiences
from riskcalc.register.audiences import Audience
from riskcalc.register.claims import Claim
from riskcalc.register.earlier import with_latest
from riskcalc.register.periods import already
from riskcalc.register.records import by_index, records
from riskcalc.register.register import Register
from riskcalc.register.subsets import read_standing

FEED, REVIEWED = "feed.atom", "Answer reviewed"
# AT-C 320 and ISAE 3402 on restricting the use of the report: by whom it may be relied on.
RESTRICTED = (
    "A SOC 1 report is restricted in use: to us, to clients who used the service on the days that it covers, and to "
    "their auditors. They ask their contact here for a copy; it is not for others, such as future clients."
)


_METHODS = {"carve_out": "not part of our report", "inclusive": "part of our report"}
_VERDICTS = {"yes": "Yes", "no": "No", "partly": "Partly", "not_applicable": "Not applicable"}


@dataclass(frozen=True)
class Event:
    """Something that is new to readers: since when, what, and about what."""

    day: date
    what: str
    about: str


@dataclass(frozen=True)
class Statement:
    """What may be said to the public, or to clients, of one unit, or of the whole organisation where ``unit`` is None.

    ``changes`` are those since the last period, the newest first; ``places`` are the documents' references and digests,
    which nobody is told; ``files`` are those beside the page: of documents, by id, and ``feed``; ``coming`` are, by
    unit, the types of reports in preparation beside one that was issued earlier, which is the one its row tells of.
    """

    context: Context
    unit: Mapping[str, Any] | None
    runs: Mapping[str, Mapping[str, Any]]
    audience: Audience = audiences.PUBLIC
    changes: tuple[Event, ...] = ()
    places: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    coming: Mapping[str, str] = field(default_factory=dict)

    @property
    def register(self) -> Register:
        """What is for them."""
        return self.context.register


def open_statement(
    business_unit: str = "",
    period: str = "",
    data_dir: str = "data",
    as_of: str = "",
    manifest: str = "",
    audience: str = "public",
) -> Statement:
    """Read of the register what is for the public, or clients: of one unit, or of all if ``business_unit`` is blank.

    Raises:
        RegisterError: the register can't be used.
        UsageError: no such folder, unit, period, date or manifest, or an audience that isn't outside.

    >>> open_statement("payroll").register.ratings.empty
    True
    """
    readers = audiences.find(audience)
    if not readers.told:
        raise UsageError(f"A trust centre is for those outside, not for {audience!r}; allowed: client, public.")
    register = read_standing(data_dir, period, as_day(as_of), business_unit or None)
    redacted = audiences.redacted(register, readers)
    shown = replace(redacted, business_units=with_latest(redacted.business_units, redacted.earlier.issued))
    context = Context.of(_without_contradicted(shown, Context.of(register)))
    new = (each for each in _changes(context, register) if each.day > _since(context))
    changes = sorted(new, key=lambda each: (each.day, each.what, each.about), reverse=True)
    unit = shown.unit(business_unit) if business_unit else None
    kept = register.documents.set_index("document_id")[["reference", "sha256"]].fillna("")
    places = {str(name): (reference, digest) for name, reference, digest in kept.itertuples()}
    coming = _coming(redacted.business_units, shown.business_units)
    return Statement(context, unit, read_runs(manifest), readers, tuple(changes), places, coming=coming)


def heading(statement: Statement) -> Display:
    """The top of the page: which report there is, or of which units."""
    organisation = statement.register.methodology.organisation
    seen = f"Trust centre · as of {day(now(statement.context).date())}"
    named = statement.audience.label.capitalize() or "Public"
    if statement.unit is None:
        units = statement.register.rows("business_units")
        issued = sum(is_issued(unit, statement) for unit in units)
        coming = sum(not is_issued(unit, statement) or unit["unit_id"] in statement.coming for unit in units)
        told = f"SOC 1 reports are issued for {issued} of {counted(len(units), 'service')}"
        told += f", and in preparation for {coming}." if coming else "."
        return display.heading(organisation, seen, told, "open", [RESTRICTED], named)
    told = f"{SOC1[statement.unit['report_type']]} report: {_status(statement.unit, statement)}."
    lines = [f"{statement.unit['service']}.", *bridge(statement.unit, statement), RESTRICTED]
    return display.heading(
        statement.unit["name"], f"{organisation} · {seen}", told, "open", lines, named, home=organisation
    )


def reports(statement: Statement) -> Display:
    """The report of each unit: its type, and if it is issued, its days and those that a bridge letter speaks of."""
    rows: list[list[Cell]] = [
        [
            page_link(unit, statement.runs.get(unit["unit_id"])) if statement.unit is None else unit["name"],
            unit["service"],
            SOC1[unit["report_type"]],
            _status(unit, statement),
            " ".join(bridge(unit, statement)) or "–",
        ]
        for unit in statement.register.rows("business_units")
    ]
    return display.table("SOC 1 reports", ["Service", "What it is", "Report", "State", "Bridge letter"], rows)


def objectives(statement: Statement) -> Display:
    """The control objectives by service, as the reports state them."""
    names = statement.register.business_units.set_index("unit_id")["name"].to_dict()
    rows: list[list[Cell]] = [
        [names[objective["unit_id"]] if first else "", objective["process"], objective["statement"]]
        for _, own in statement.register.control_objectives.groupby("unit_id", sort=False)
        for first, objective in zip([True, *[False] * len(own)], records(own), strict=False)
    ]
    return display.table("Objectives by service", ["Service", "Process", "Objective"], rows, grouped=True)


def user_entities(statement: Statement) -> Display:
    """The complementary user entity controls: what our objectives take for granted that clients do."""
    register = statement.register
    acting = register.risk_controls.merge(register.risks, on="risk_id").merge(
        register.control_objectives, on="objective_id"
    )
    serving = acting.groupby("control_id")["process"].agg(lambda names: ", ".join(sorted(set(names)))).to_dict()
    rows: list[list[Cell]] = [
        [
            {"text": control["title"], "note": control["description"]},
            serving.get(control["control_id"], "–"),
            "–" if pd.isna(control["communicated_in"]) else control["communicated_in"],
        ]
        for control in register.rows("controls")
        if control["performed_by"] == "user_entity"
    ]
    note = "Our controls alone don't reach these objectives: they take for granted that clients do this."
    columns = ["What the client does", "For", "See"]
    return display.table("Complementary user entity controls", columns, rows, note=note if rows else "")


def now(context: Context) -> pd.Timestamp:
    """The day of the page, or today as long as that day is still to come: nothing dated later is told as a fact."""
    return pd.Timestamp(already(context.as_of))


def is_issued(unit: Any, statement: Statement) -> bool:
    """Whether a unit's report was issued by the day of the page."""
    return bool(unit["issued_on"] <= now(statement.context))


def bridge(unit: Any, statement: Statement) -> list[str]:
    """The days that a bridge letter speaks of, once the report is issued and those days are past."""
    until = unit["bridge_letter_until"]
    if not is_issued(unit, statement) or not until <= now(statement.context):
        return []
    since = unit["report_to"] + pd.Timedelta(days=1) if pd.isna(unit["bridge_from"]) else unit["bridge_from"]
    return [f"A bridge letter, our own word and not the service auditor's, speaks of {day(since)} to {day(until)}."]


def documents(statement: Statement) -> Display:
    """The documents that they may be told of, and how to get each."""
    names = statement.register.business_units.set_index("unit_id")["name"].to_dict()
    rows: list[list[Cell]] = [
        [
            {"text": row["title"], "note": names.get(row["unit_id"], "")},
            row["kind"],
            _span(row),
            day(row["issued_on"].date()) if not pd.isna(row["issued_on"]) else "–",
            row["issuer"],
            _access(row, statement.files),
        ]
        for row in statement.register.rows("documents")
    ]
    columns = ["Document", "Kind", "In force, or covers", "Issued on", "Issued by", "Access"]
    return _listed("Documents that stand", columns, rows)


def subprocessors(statement: Statement) -> Display:
    """The subservice organisations that they may be told of, with what these do and how our report treats them."""
    rows: list[list[Cell]] = [
        [row["name"], row["service"], _METHODS[row["method"]]]
        for row in statement.register.rows("subservice_organisations")
    ]
    columns = ["Who", "What they do for us", "Their controls are"]
    return _listed("Who they are", columns, rows)


def answers(statement: Statement) -> Display:
    """Questions and answers that were approved, haven't expired, and aren't contradicted; with scripts, searchable."""
    found = statement.register.rows("answers")
    rows: list[list[Cell]] = [
        [row["question"], _VERDICTS.get(row["verdict"], "–"), row["answer"], day(row["reviewed_on"].date())]
        for row in found
    ]
    columns = ["Question", "Short answer", "Answer", "Reviewed on"]
    return _listed("Approved answers", columns, rows, filters=[{}] * len(rows), noun="answer")


def changes(statement: Statement) -> Display:
    """What is new since the last period, which the feed has, too; answers that were reviewed are only counted."""
    since, reviewed = day(_since(statement.context)), [each for each in statement.changes if each.what == REVIEWED]
    found = [each for each in statement.changes if each.what != REVIEWED]
    if not statement.changes:
        return display.remark(f"Nothing is new here since {since}.")
    rows: list[list[Cell]] = [[day(each.day), each.what, each.about] for each in found]
    if reviewed:
        rows.append([f"up to {day(reviewed[0].day)}", REVIEWED, counted(len(reviewed), "answer")])
    rows += [["", {"text": "as a feed", "href": statement.files["feed"]}, ""]] if "feed" in statement.files else []
    return display.table(f"Since {since}", ["When", "What", "About"], rows, grouped=True)


# The chapters of the page, in their order.
CHAPTERS = {
    "Reports": reports,
    "Documents": documents,
    "Answers": answers,
    "What changed": changes,
    "Subservice organisations": subprocessors,
    "Control objectives": objectives,
    "What clients do themselves": user_entities,
}


def result(statement: Statement) -> Result:
    """For machines, and the run: which unit and period this is."""
    named = {"unit_id": statement.unit["unit_id"]} if statement.unit else {}
    return Result({**named, "period": statement.context.period.name})


# --- parts ---


def _since(context: Context) -> date:
    """The last day of the period before; where there is none, the day before this one began."""
    before = context.previous()
    return before.period.last_day if before else context.period.first_day - timedelta(days=1)


def _listed(title: str, columns: list[str], rows: list[list[Cell]], **rest: Any) -> Display:
    """A table of what may be told; whether there is more isn't said, nor that there is nothing."""
    if not rows:
        return display.remark("None is listed here; what there is, clients' contacts here can say.")
    return display.table(title, columns, rows, note="What else there is, clients' contacts here can say.", **rest)


def _status(unit: Any, statement: Statement) -> str:
    if not is_issued(unit, statement):
        return "in preparation"
    since = "at" if unit["report_type"] == "type1" else f"{day(unit['report_from'])} to"
    told = f"{since} {day(unit['report_to'])}, issued on {day(unit['issued_on'])}"
    coming = statement.coming.get(unit["unit_id"])
    return f"{told}; the next one, {SOC1[coming]}, is in preparation" if coming else told


def _coming(rows: pd.DataFrame, told: pd.DataFrame) -> dict[str, str]:
    """By unit, the type of its row's own report, where another that was issued is told of instead."""
    other = (rows["report_to"] != told["report_to"]) | (rows["report_type"] != told["report_type"])
    return dict(rows[other].set_index("unit_id")["report_type"])


def _without_contradicted(shown: Register, whole: Context) -> Register:
    """What is for them, without answers that the register speaks against, by their claims, what they rest on or what
    their texts seem to say, and without documents that aren't in force.
    """
    known = by_index(whole.register.answers.set_index("answer_id", drop=False))

    def stands(name: str) -> bool:
        return not (against(whole, known[name]) or of_entry(whole, known[name]))

    fine = shown.answers["answer_id"].map(stands).astype(bool)
    held = shown.documents["document_id"].map(lambda name: not contradicted(whole, Claim("held", name))).astype(bool)
    held &= ~(shown.documents[["covers_from", "issued_on"]] > now(whole)).any(axis=1)
    return replace(shown, answers=shown.answers[fine], documents=shown.documents[held])


def _changes(context: Context, whole: Register) -> Iterator[Event]:
    """What became new to readers, by the day on which it did; nothing that is still to come."""
    shown = context.register
    told = {
        "Report issued": shown.business_units[["name", "issued_on"]],
        "Document issued": shown.documents[["title", "issued_on"]],
        REVIEWED: shown.answers[["question", "reviewed_on"]],
    }
    found = [
        (on.date(), what, name) for what, rows in told.items() for name, on in rows.dropna().itertuples(index=False)
    ]
    here, there = (
        {*each.subservice_organisations["subservice_id"]} if each else set() for each in (shown, shown.before)
    )
    for one in whole.earlier.vendors:
        came, left = one.first if one.subservice_id in here else None, one.last if one.subservice_id in there else None
        found += [(came, "Subservice organisation taken on", one.name)] if came else []
        found += [(left, "Subservice organisation left", one.name)] if left else []
    return (Event(*each) for each in found if each[0] <= now(context).date())


def _span(row: Mapping[Any, Any]) -> str:
    first, last = row["covers_from"], row["covers_to"]
    return f"since {day(first.date())}" if pd.isna(last) else f"{day(first.date())} to {day(last.date())}"


def _access(row: Mapping[Any, Any], files: Mapping[str, str]) -> Cell:
    if name := files.get(row["document_id"]):
        return {"text": "beside this page", "href": name}
    return "on request" if row["audience"] == "public" else "for clients, on request"
