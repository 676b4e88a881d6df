"""What the register holds against an answer: its typed claims, and the rows that it rests on."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import pandas as pd

from riskcalc.assessment import evidence, subservice
from riskcalc.assessment.checks import control_of
from riskcalc.assessment.consistency import Finding
from riskcalc.assessment.context import Context, once
from riskcalc.assessment.testing import Round
from riskcalc.errors import counted
from riskcalc.register.audiences import AUDIENCES, for_them
from riskcalc.register.claims import MONTHLY, Claim
from riskcalc.register.earlier import by_unit, latest
from riskcalc.register.records import records
from riskcalc.register.row import SPAN
from riskcalc.register.tables import TABLES

_UNWRITTEN = "Until then it is not written into questionnaires."
Against = tuple[str, str]  # the row, and what it says
_FAILS = {
    "not_effective": "its tests failed",
    "not_tested": "it is not tested",
    "insufficient_evidence": "too little was tested",
}

# By what a claim owns up to, what isn't then held against resting on its row.
_OWNED = {"open_deficiency": "no_deficiency", "some_deviations": "operated", "not_tested": "operated"}
_CONTRARY = {"some_deviations": "no_deviations", "open_deficiency": "no_deficiency"}
_FOR = {"public": "for the public", "client": "for clients", "internal": "internal"}
_NONE = {"no_deviations": "no item tested deviated", "no_deficiency": "no deficiency is open"}
_NONE |= dict.fromkeys(("bridged", "vendor_bridged"), "it has a bridge letter") | {"key": "it is a key control"}


def findings(context: Context) -> list[Finding]:
    """The approved answers that the register contradicts, that have expired, or that nothing shows.

    >>> from riskcalc.register.register import load
    >>> sorted({found.check for found in findings(Context.of(load("data")))})
    ['answer-beyond-audience', 'answer-contradicted', 'answer-expired']
    """
    answers, day = context.register.answers, pd.Timestamp(context.as_of)
    approved = answers[answers["approved_by"].notna()]
    found = list(_not_judged(approved["reviewed_on"][approved["reviewed_on"] > day], context))
    for row in records(approved[approved["reviewed_on"] <= day]):
        place = (_text(row["unit_id"]), row["answer_id"])
        if row["expires_on"] < day:
            told = f"the answer expired on {row['expires_on'].date()}"
            found.append(Finding("look", "answer-expired", *place, told, "Review it, or drop it. " + _UNWRITTEN))
            continue
        for key, told in against(context, row):
            advice = "Correct the answer, or mend what it rests on. " + _UNWRITTEN
            found.append(Finding("act", "answer-contradicted", *place, f"{key}: {told}", advice))
        if beyond := _beyond(context, row):
            told = f"is {_FOR[row['audience']]}, but {' and '.join(beyond)}"
            advice = "If its readers may know of that, let its audience say so; else rest on something else."
            found.append(Finding("look", "answer-beyond-audience", *place, told, advice))
        if row["verdict"] == "yes" and not (row["sources"] or row["claims"]):
            advice = "Name the rows that show it, so that it is told when they don't any more."
            found.append(Finding("look", "answer-without-source", *place, "says yes, and rests on no row", advice))
    return found


def against(context: Context, answer: Mapping[Any, Any]) -> list[Against]:
    """All that the register says against an answer (its ``verdict``, ``sources`` and ``claims``), each with its row.

    What it rests on must be documented, operated and without an open deficiency, unless it says no or partly itself; of
    a unit whose report is Type 1, walked through is enough. What a claim of it owns up to isn't held against the same
    row, nor is it against a no that a document has ended, or that a subservice organisation's report isn't sound.
    """
    claims, verdict = [Claim.parse(claim) for claim in answer["claims"]], _text(answer["verdict"])
    found = [each for claim in claims for each in contradicted(context, claim)]
    for source in answer["sources"]:
        owned = {_owned(context, claim) for claim in claims if claim.key == source}
        owned |= {"held", "sound"} if verdict == "no" else set()
        found += leaning(context, source, verdict in ("", "yes"), owned)
    return list(dict.fromkeys(found))


def contradicted(context: Context, claim: Claim) -> list[Against]:
    """What speaks against a claim; nothing where it holds.

    >>> from riskcalc.register.register import load
    >>> contradicted(Context.of(load("data")), Claim.parse("documented:PAY-C03"))
    [('PAY-C03', 'it is not documented')]
    """
    row = rows(context).get((claim.table, claim.key))
    if row is None:
        return [(claim.key, "it isn't there any more")]
    if claim.value:
        column = {"report": "report_type"}.get(kind := claim.kind.removeprefix("vendor_"), kind)
        seen = _text(row[column])[: 7 if claim.kind in MONTHLY else None]
        is_ = f"its {column.replace('_', ' ')} is {seen.replace('_', ' ') or 'blank'}"
        return [] if seen == claim.value else [(claim.key, f"{is_}, not {claim.value.replace('_', ' ')}")]
    kind = _CONTRARY.get(claim.kind, claim.kind.removeprefix("not_"))
    found = list(_HELD[kind](context, claim.key, row))
    if kind == claim.kind:
        return found
    vendors = claim.kind in _CONTRARY and row["performed_by"] == "subservice"  # whose tests the register doesn't hold
    return [] if found or vendors else [(claim.key, _NONE.get(kind, f"it is {kind}, as the register has it"))]


def leaning(context: Context, source: str, whole: bool = True, owned: Collection[str] = ()) -> list[Against]:
    """What speaks against resting on a row; with ``whole``, also against a control's evidence; not what is ``owned``.

    A Type 1 report tests no operation: of its unit's controls only the conclusion counts, as it does on their page.
    """
    for kind, table in (("held", "documents"), ("sound", "subservice_organisations")):
        if (row := rows(context).get((table, source))) is not None:
            return [] if kind in owned else list(_HELD[kind](context, source, row))
    control = control_of(context).get(source)
    if control and whole and control["performed_by"] != "user_entity":
        kinds = [kind for kind in ("documented", "designed", "operated", "no_deficiency") if kind not in owned]
        held = {**_HELD, "operated": _concluded} if control["report_type"] == "type1" else _HELD
        return [each for kind in kinds for each in held[kind](context, source, control)]
    known = any(key == source for _, key in rows(context))
    return [] if known else [(source, "it isn't there any more")]


@once
def rows(context: Context) -> dict[tuple[str, str], dict[Any, Any]]:
    """The register's rows by table and key; controls with what they earn, others with the latest report there is."""
    found = {
        (name, row[model.primary_key[0]]): row
        for name, model in TABLES.items()
        if len(model.primary_key) == 1
        for row in records(getattr(context.register, name).drop(columns=list(SPAN), errors="ignore"))
    }
    for unit_id, issued in by_unit(context.register.earlier.issued).items():
        found["business_units", unit_id] = latest(found["business_units", unit_id], issued)
    for name, row in subservice.latest(context.register, context.as_of).items():
        found["subservice_organisations", name] = dict(row)
    return found | {("controls", key): row for key, row in control_of(context).items()}


# --- parts ---


def _not_judged(later: pd.Series, context: Context) -> Iterator[Finding]:
    """How many approved answers were reviewed after the day, and are left out."""
    if len(later):
        told = f"not judged, since reviewed after {context.as_of}: {counted(len(later), 'approved answer')}"
        advice = f"To judge all of them: --as-of {later.max().date()}, or a later day, such as today."
        yield Finding("note", "answers-not-judged", "", "answers.csv", told, advice)


def _beyond(context: Context, answer: Mapping[Any, Any]) -> list[str]:
    """What an answer for somebody outside rests on, or names, that isn't for them."""
    found = []
    for key, (name, whose) in _untold(context, answer["audience"]).items():
        if key in answer["sources"]:
            found.append(f"rests on {key}, which is {whose}")
        elif name and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", answer["answer"]):
            found.append(f"names {name}, which is {whose}")
    return found


@once
def _untold(context: Context, reader: str) -> dict[str, tuple[str, str]]:
    """The documents and subservice organisations that aren't for a reader: the latter's names, and whose they are."""
    found = {}
    for table, key in (("documents", "document_id"), ("subservice_organisations", "subservice_id")):
        whole = getattr(context.register, table)
        told = whole if reader not in AUDIENCES else for_them(context.register, table, AUDIENCES[reader])
        for row in records(whole[~whole[key].isin(told[key])]):
            found[row[key]] = _text(row.get("name")), _FOR[_text(row["audience"]) or "client"]
    return found


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)


def _owned(context: Context, claim: Claim) -> str:
    """The kind of what a claim owns up to; blank where it praises, or where it isn't that which speaks against."""
    row = rows(context).get((claim.table, claim.key), {})
    if claim.kind == "some_deviations" and not (row.get("deviations") or row.get("conclusion") == "not_effective"):
        return ""
    if claim.kind == "vendor_opinion" and claim.value != "unmodified":
        return "sound"
    denied = claim.kind.removeprefix("not_") if claim.kind.startswith("not_") else ""
    return _OWNED.get(claim.kind, denied)


def _says(holds: bool, key: str, told: str) -> Iterator[Against]:
    if not holds:
        yield key, told


def _documented(_: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    yield from _says(bool(_text(row["documentation"])), key, "it is not documented")


def _designed(_: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    yield from _says(row["claimed"] >= 1, key, f"its design is {row['design'].replace('_', ' ')}")


def _key(_: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    yield from _says(bool(row["key"]), key, "it is not a key control")


def _tested(context: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    if row["performed_by"] == "subservice":
        yield from _says(row["conclusion"] != "not_tested", key, f"it is not tested: {row['reason']}")
    else:
        rounds = _rounds(context, row)
        yield from _says(any(one.kind == "operation" for one in rounds), key, "its operation is not tested")


def _concluded(context: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    if failed := _FAILS.get(row["conclusion"]):
        yield key, f"{failed}: {evidence.conclude_all(context)[key].reason}"


def _operated(context: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    yield from _concluded(context, key, row)
    if row["performed_by"] == "own" and row["conclusion"] not in _FAILS:
        yield from _tested(context, key, row)


def _no_deviations(context: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    yield from _tested(context, key, row)
    for one in _rounds(context, row):
        yield from _says(one.deviations == 0, one.test_id, f"{one.deviations} of {one.items} items of {key} deviated")


def _rounds(context: Context, row: Mapping[Any, Any]) -> list[Round]:
    """The tests of today's look-back and of the report's period: an answer may mean either."""
    days = [evidence.window(context, row, None)[1], evidence.report_days(row, context.register.methodology.evidence)]
    return evidence.in_window(context, row, (min(first for first, _ in days), max(last for _, last in days)))


def _no_deficiency(context: Context, key: str, _: Mapping[Any, Any]) -> Iterator[Against]:
    for one in _deficiencies(context).get(key, []):
        yield one["deficiency_id"], f"deficiency of {key}, open since {one['identified_on'].date()}"


@once
def _deficiencies(context: Context) -> dict[str, list[dict[Any, Any]]]:
    found: dict[str, list[dict[Any, Any]]] = {}
    for one in context.open_deficiencies:
        found.setdefault(one["control_id"], []).append(one)
    return found


def _issued(_: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    yield from _says(not pd.isna(row["issued_on"]), key, "its report is not issued")


def _bridged(_: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    last = row.get("bridge_letter_until", row.get("bridge_to"))
    yield from _says(not pd.isna(last), key, "it has no bridge letter")


def _reviewed(context: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    to, on = row["report_to"], row["reviewed_on"]
    told = "no report was there" if pd.isna(to) else f"nobody had reviewed its report to {to.date()}"
    yield from _says(not pd.isna(on) and on.date() <= context.as_of, key, f"{told} by {context.as_of}")


def _sound(_: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    fine = _text(row["opinion"]) in ("", "unmodified") and _text(row["exception"]) != "matters"
    yield from _says(fine, key, f"opinion {row['opinion']}, exception: {row['exception']}")


def _held(context: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    """A report on days past, issued once they were over, stays one; what was issued for days to come ends with them."""
    day, last, issued = pd.Timestamp(context.as_of), row["covers_to"], row["issued_on"]
    if row["covers_from"] > day or issued > day:
        yield key, f"not in force on {context.as_of}"
    if last < day and not issued >= last:
        yield key, f"it ended on {last.date()}"


def _trained(context: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    """A blank day, ``NaT``, is before no day."""
    yield from _says(row["completed_on"] <= pd.Timestamp(context.as_of), key, "it is not completed")


def _accepted(context: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    yield from _says(row["treatment"] == "accept", key, f"its treatment is {row['treatment']}, not accept")
    if row["accepted_until"] < pd.Timestamp(context.as_of):
        yield key, f"its acceptance ended on {row['accepted_until'].date()}"


def _done(_: Context, key: str, row: Mapping[Any, Any]) -> Iterator[Against]:
    yield from _says(row["status"] == "done", key, f"its status is {row['status'].replace('_', ' ')}")


_HELD: dict[str, Callable[[Context, str, Mapping[Any, Any]], Iterator[Against]]] = {
    "documented": _documented,
    "designed": _designed,
    "key": _key,
    "tested": _tested,
    "operated": _operated,
    "no_deviations": _no_deviations,
    "no_deficiency": _no_deficiency,
    "issued": _issued,
    "bridged": _bridged,
    "vendor_bridged": _bridged,
    "reviewed": _reviewed,
    "sound": _sound,
    "held": _held,
    "trained": _trained,
    "accepted": _accepted,
    "done": _done,
}
