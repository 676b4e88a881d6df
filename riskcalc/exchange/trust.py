"""The trust centre as files to put anywhere: one page, public documents beside it, a feed of what changed, and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import pandas as pd

from riskcalc.assessment import evidence
from riskcalc.errors import Problem, RegisterError
from riskcalc.files import read, sha256, stem
from riskcalc.pages.display import Display, environment
from riskcalc.pages.html import page_of
from riskcalc.pages.trust_centre import CHAPTERS, FEED, RESTRICTED, Statement, bridge, heading, is_issued, now
from riskcalc.register.records import records
from riskcalc.register.register import Register

PAGE, DATA = "index.html", "trust.json"
TOLD = ("documents", "subservice_organisations", "answers")
_FILE = re.compile(r"[\w. /-]+\.(pdf|docx|xlsx|csv|txt)")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def files(statement: Statement) -> dict[str, bytes]:
    """The files by name; the same register gives the same bytes.

    Raises:
        RegisterError: a document isn't what its sha256 says.

    >>> from riskcalc.pages.trust_centre import open_statement
    >>> sorted(files(open_statement()))
    ['feed.atom', 'index.html', 'trust.json']
    """
    found = dict(_documents(statement))
    names = {name: f"documents/{stem(name)}{ending}" for name, (ending, _) in found.items()}
    statement = replace(statement, files={**names, "feed": FEED})
    made = {PAGE: page_of(_parts(statement)).encode(), FEED: _feed(statement).encode(), DATA: _data(statement)}
    return {**made, **{names[name]: content for name, (_, content) in found.items()}}


def later(register: Register, statement: Statement) -> dict[str, int]:
    """How much of what these readers would be told, or it rests on, is dated after the day, in the whole register.

    >>> from riskcalc.pages.trust_centre import open_statement
    >>> from riskcalc.register.register import load
    >>> later(load("data"), open_statement(as_of="2026-06-20"))["evidence row"] > 0
    True
    """
    case, day = replace(statement.context, register=register), now(statement.context)
    answers, documents = (
        rows[rows["audience"].isin(statement.audience.told)] for rows in (register.answers, register.documents)
    )
    days = {
        "report": register.business_units["issued_on"],
        "document": documents["issued_on"],
        "answer": answers["reviewed_on"][answers["approved_by"].notna()],
    }
    rows = evidence.later(case)[["table", "row"]].drop_duplicates()
    found = {name: int((each > day).sum()) for name, each in days.items()} | {"evidence row": len(rows)}
    return {name: number for name, number in found.items() if number}


# --- parts ---


def _documents(statement: Statement) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """The documents for the public whose reference is a file below the register's folder: its ending and content."""
    source = statement.register.source
    folder = source if source.is_dir() else source.parent
    public = statement.register.documents.query("audience == 'public'")
    for line, name in public["document_id"].items():
        reference, digest = statement.places[name]
        path = folder / reference
        if _FILE.fullmatch(reference) and path.resolve().is_relative_to(folder.resolve()) and path.is_file():
            content = read(path)
            if digest and sha256(content) != digest:
                told = f"{reference} isn't that file any more: its SHA-256 is {sha256(content)}"
                raise RegisterError([Problem("documents.csv", int(str(line)), "sha256", digest, told)], source)
            yield name, (path.suffix, content)


def _parts(statement: Statement) -> Iterator[str | Display]:
    """The page: its heading, and the chapters with their titles."""
    yield heading(statement)
    for title, chapter in CHAPTERS.items():
        yield f"## {title}"
        yield chapter(statement)


def _feed(statement: Statement) -> str:
    """An Atom feed; an entry's id stays as long as what it tells does."""
    organisation = statement.register.methodology.organisation
    entries = {uuid5(NAMESPACE_OID, f"{organisation} {each}"): each for each in statement.changes}
    latest = statement.changes[0].day if statement.changes else now(statement.context).date()
    template = environment().from_string(Path(__file__).with_name(FEED).read_text("utf-8"))
    told: str = template.render(
        id=uuid5(NAMESPACE_OID, organisation), organisation=organisation, latest=latest, entries=entries, page=PAGE
    )
    return _NO_XML.sub("\ufffd", f"{told}\n")


def _data(statement: Statement) -> bytes:
    """What the page says, for machines; of a report in preparation only that there will be one."""
    register, reports = statement.register, []
    for row, unit in zip(_rows(register.business_units), records(register.business_units), strict=True):
        known = is_issued(unit, statement)
        hidden = () if known and bridge(unit, statement) else ("bridge_from", "bridge_letter_until")
        hidden = hidden if known else (*hidden, "report_from", "report_to", "issued_on", "opinion")
        told = {name: text for name, text in row.items() if name not in hidden}
        coming = statement.coming.get(unit["unit_id"])
        told |= {"next_in_preparation": coming} if known and coming else {}
        reports.append({**told, "state": "issued" if known else "in preparation"})
    tables = {name: _rows(getattr(register, name)) for name in TOLD}
    for row in tables["documents"]:
        row |= {"file": file} if (file := statement.files.get(row["document_id"])) else {}
    whole = {
        "organisation": register.methodology.organisation,
        "audience": statement.audience.name,
        "period": statement.context.period.name,
        "as_of": str(now(statement.context).date()),
        "use": RESTRICTED,
        "reports": reports,
        **tables,
        "changes": [{"day": str(each.day), "what": each.what, "about": each.about} for each in statement.changes],
    }
    return (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode()


def _rows(table: pd.DataFrame) -> list[dict[str, str]]:
    """A table's rows without what is blank."""
    text = table.apply(lambda column: column.dt.strftime("%Y-%m-%d") if column.dtype.kind == "M" else column)
    return [row.dropna().to_dict() for _, row in text.iterrows()]
