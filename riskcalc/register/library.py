"""The tables of what is told to those who ask: answers that may be given again, and documents that may be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from riskcalc.register.claims import Claims
from riskcalc.register.columns import Day, Digest, Maybe, Names, Text
from riskcalc.register.row import Contradiction, Ref, Row, require

Reader = Literal["internal", "client", "public"]
# AT-C 205 and 320, ISAE 3402: such a report says itself who may use it, and the public may not.
_RESTRICTED = re.compile(r"\bSOC ?[12]\b|\bISAE ?3402\b|\bSSAE ?\d\d\b|\bAT-C ?320\b", re.IGNORECASE)


class LibraryAnswer(Row):
    """An answer to clients' questions that may be given again: approved, for whom, until when, and what it rests on."""

    primary_key = ("answer_id",)
    optional = True
    answer_id: Text
    unit_id: Annotated[Maybe[str], Ref("business_units")]
    question: Text
    aliases: Names
    verdict: Maybe[Literal["yes", "no", "partly", "not_applicable"]]
    answer: Text
    sources: Names
    claims: Claims
    audience: Reader
    owner: Text
    approved_by: Maybe[str]
    reviewed_on: Maybe[Day]
    expires_on: Maybe[Day]

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together."""
        for column in ("reviewed_on", "expires_on"):
            given = self.approved_by is None or getattr(self, column) is not None
            yield from require(given, column, "blank, but an answer that is approved needs it")
        fits = self.expires_on is None or (self.reviewed_on is not None and self.reviewed_on < self.expires_on)
        yield from require(fits, "expires_on", f"must be after reviewed_on, {self.reviewed_on or 'which is blank'}")


class Document(Row):
    """What can be shown to somebody who asks: a report, a certificate, a policy; where it lies, and who may see it."""

    primary_key = ("document_id",)
    optional = True
    document_id: Text
    title: Text
    kind: Text
    unit_id: Annotated[Maybe[str], Ref("business_units")]
    covers_from: Day
    covers_to: Maybe[Day]
    issued_on: Maybe[Day]
    issuer: Text
    audience: Reader
    reference: Text
    sha256: Maybe[Digest]

    def contradictions(self) -> Iterator[Contradiction]:
        """Cells that don't go together."""
        fits = self.covers_to is None or self.covers_from <= self.covers_to
        yield from require(fits, "covers_to", f"must not be before covers_from, {self.covers_from}")
        said = f"{self.kind} {self.title}" if "report" in self.kind.lower() else self.kind
        told = "client or internal: a SOC report is restricted in use, and isn't for the public"
        yield from require(self.audience != "public" or not _RESTRICTED.search(said), "audience", told)
