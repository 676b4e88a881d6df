"""What a question may be answered with: entries of the library, then facts and controls as the register has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from riskcalc.answers.own_words import odds
from riskcalc.answers.search import Index, Words, highest, in_words, qualifiers, turned
from riskcalc.answers.words import WORDS
from riskcalc.assessment import evidence
from riskcalc.assessment.checks import control_of
from riskcalc.assessment.claims import Against, against, leaning
from riskcalc.assessment.context import Context
from riskcalc.assessment.lexicon import for_person, of_entry
from riskcalc.errors import counted
from riskcalc.register.audiences import AUDIENCES, Audience, for_them
from riskcalc.register.earlier import latest
from riskcalc.register.periods import already
from riskcalc.register.records import records

Grade = Literal["same", "similar", "related"]
Row = Mapping[Any, Any]
Fact = tuple[str, tuple[str, ...]]  # what is said, and the rows it rests on
_SAME, _SIMILAR, _KNOWN = 0.8, 0.25, 0.5  # shares of common words, and of known ones; rare ones weigh more
_RESTS = 0.5  # what the words of the rows count that an entry rests on, beside its own
_MOST = 5
_REFERENCE = re.compile(r"\b(?:CC\d\.\d+|PI\d\.\d+|A\d\.\d+|A\.\d+\.\d+|Principle \d+)(?![\d.])")


@dataclass(frozen=True)
class Candidate:
    """An answer that may be given: where it comes from, how near the question is, and what speaks against it.

    ``blocked`` says why it must not be written at all; ``against`` are rows that contradict it (of an entry that is
    only related: what it rests on and claims; ``standing`` reads its text when somebody looks);
    ``differs`` says by which words it may be another question: how often, how many, in which order, or what it has no
    word for.
    """

    key: str
    kind: Literal["answer", "fact", "control", "draft"]
    grade: Grade
    verdict: str
    text: str
    sources: tuple[str, ...] = ()
    against: tuple[Against, ...] = ()
    blocked: str = ""
    differs: tuple[str, ...] = ()

    @property
    def refused(self) -> str:
        """Why it can't be written as it is; blank where it can."""
        return self.blocked or "; ".join(f"{key}: {told}" for key, told in self.against)


class Desk:
    """Where questions to units are answered, for an audience, as the register stands on the context's day."""

    def __init__(self, context: Context, unit_ids: Sequence[str], audience: str) -> None:
        self.context = context
        known = context.register
        self.units = {each: latest(known.unit(each), known.earlier.issued) for each in unit_ids}
        self.audience: Audience = AUDIENCES[audience]
        self._told = {
            name: set(for_them(context.register, name, self.audience)[key])
            for name, key in (("controls", "control_id"), ("subservice_organisations", "subservice_id"))
        }
        answers = context.register.answers
        mine = answers[answers["unit_id"].isin(self.units) | answers["unit_id"].isna()]
        self.entries: list[dict[Any, Any]] = records(mine)
        self.words = Words(context.register.methodology.abbreviations)
        self.wordings = [
            [(text, self.words.of(text)) for text in (row["question"], *row["aliases"])] for row in self.entries
        ]
        self._answers = [self.words.of(row["answer"]) for row in self.entries]
        self._known: dict[tuple[str, bool], Candidate] = {}
        told, marks = _texts(context), self.words.marks
        asked = [[word for _, words in each for word in words] for each in self.wordings]
        self._index = Index(
            [
                2 * (words + marks(" ".join((row["question"], *row["aliases"])))) + said + marks(row["answer"])
                for row, words, said in zip(self.entries, asked, self._answers, strict=True)
            ]
        )
        rests = [" ".join(told.get(each, "") for each in row["sources"]) for row in self.entries]
        self._rests = Index([self.words.of(text) + marks(text) for text in rests])

    def candidates(self, question: str, reference: str = "") -> list[Candidate]:
        """What a question may be answered with, the nearest first."""
        found = list(self._from_library(question))
        if not for_person(question):
            facts = [name for name, words in WORDS["facts"].items() if re.search(words, question, re.IGNORECASE)]
            found += [made for name in facts if (made := self.fact(name))]
            found += self._by_reference(f"{question} {reference}") or self._by_words(question)
        return sorted(found, key=lambda each: _ORDER[each.grade])

    def entry(self, answer_id: str) -> Candidate | None:
        """A library entry as it stands, whatever it is asked for."""
        row = next((row for row in self.entries if row["answer_id"] == answer_id), None)
        return self._entry(row, "same", ()) if row else None

    def fact(self, name: str) -> Candidate | None:
        """A fact by its name, as it stands; where several units are asked, each is named before its own."""
        made = [(unit["name"], *fact) for unit in self.units.values() if (fact := getattr(self, f"_{name}")(unit))]
        told = "\n".join(text if len(self.units) == 1 else f"{named}: {text}" for named, text, _ in made)
        sources = dict.fromkeys(source for *_, rests in made for source in rests)
        return Candidate(f"fact:{name}", "fact", "similar", "", told, tuple(sources)) if made else None

    def control(self, control_id: str) -> Candidate | None:
        """A control as an answer: what it is, and what its tests say."""
        row = control_of(self.context).get(control_id)
        if row is None or row["unit_id"] not in self.units or row["performed_by"] != "own":
            return None
        wrong = tuple(leaning(self.context, control_id))
        shown = control_id in self._told["controls"]
        told = "" if wrong or "deviations" in self.audience.withheld["control_tests"] else self._tested(row)
        text, blocked = f"{row['description']}{told}", f"our controls are not for the audience {self.audience.name}"
        said = ("", text, (control_id,), wrong, "" if shown else blocked)
        return Candidate(f"control:{control_id}", "control", "related", *said)

    # --- parts ---

    def _from_library(self, question: str) -> Iterator[Candidate]:
        asked = self.words.of(question)
        alike = asked + self.words.marks(question)
        for place in highest(self._index.scores(alike) + _RESTS * self._rests.scores(alike), _MOST):
            likeness, text = max((self._index.alike(asked, words), text) for text, words in self.wordings[place])
            held = {word for _, words in self.wordings[place] for word in words}.union(self._answers[place])
            other = qualifiers(question, text)
            differs = (*other, *(word for word in dict.fromkeys(asked) if word not in held), *turned(question, text))
            # What is true of one unit is no answer for several.
            several = len(self.units) > 1 and isinstance(self.entries[place]["unit_id"], str)
            differs = (self.entries[place]["unit_id"], *differs) if several else differs
            unlike = any(word not in held or word not in asked for word in other)
            known = self._index.known(asked, held) >= _KNOWN and likeness >= _SIMILAR
            near: Grade = "similar" if known and not unlike and not several else "related"
            grade: Grade = "same" if likeness >= _SAME and not differs else near
            read = grade != "related"  # what is worth a look is read when somebody looks: it takes its time
            yield self._entry(self.entries[place], grade, in_words(differs, question, text), read)

    def _entry(self, row: Row, grade: Grade, differs: tuple[str, ...], read: bool = True) -> Candidate:
        key = (row["answer_id"], read)
        if key not in self._known:
            wrong = [*against(self.context, row)]
            wrong += [told for _, told in of_entry(self.context, row)] if read else []
            verdict = row["verdict"] if isinstance(row["verdict"], str) else ""
            words = (verdict, row["answer"], row["sources"], tuple(dict.fromkeys(wrong)), self._blocked(row))
            self._known[key] = Candidate(key[0], "answer", "same", *words)
        return replace(self._known[key], grade=grade, differs=differs)

    def _blocked(self, row: Row) -> str:
        day = pd.Timestamp(self.context.as_of)
        if row["audience"] not in self.audience.told:
            return f"it is {row['audience']}, not for the audience {self.audience.name}"
        if pd.isna(row["approved_by"]):
            return "it is a draft that nobody has approved"
        if row["expires_on"] < day:
            return f"it expired on {row['expires_on'].date()}"
        if row["reviewed_on"] > day:
            return f"it was reviewed later, on {row['reviewed_on'].date()}"
        return odds(row["verdict"] if isinstance(row["verdict"], str) else "", "", row["answer"])

    def _tested(self, control: Row) -> str:
        """What its tests found over its report's period, as the report will say; a Type 1 report tests none."""
        found = evidence.conclude_all(self.context, control["report_type"])[control["control_id"]]
        if control["report_type"] == "type1" or not found.sample_size:
            return ""
        first, last = evidence.report_days(control, self.context.register.methodology.evidence)
        items, deviations = counted(found.sample_size, "item"), counted(found.deviations, "deviation")
        so_far = " so far" * (self.context.as_of < last)
        return f" Tested{so_far} in the report's period, {first} to {last}: {items}, {deviations}."

    def _report(self, unit: Row) -> Fact | None:
        kind = {"type1": "Type 1", "type2": "Type 2"}.get(str(unit["report_type"]), "")
        since, until = unit["report_from"], unit["report_to"].date()
        days: str = f"at {until}" if pd.isna(since) else f"over {since.date()} to {until}"
        if pd.isna(unit["issued_on"]):
            return f"A SOC 1 {kind} report {days} is planned; it has not been issued yet.", (str(unit["unit_id"]),)
        hidden = "opinion" in self.audience.withheld["business_units"]
        opinion = "" if hidden else f", with the opinion {unit['opinion']}"
        issued = f"issued on {unit['issued_on'].date()}{opinion}"
        return f"A SOC 1 {kind} report {days} was {issued}.", (str(unit["unit_id"]),)

    def _bridge(self, unit: Row) -> Fact | None:
        until = unit["bridge_letter_until"]
        if pd.isna(unit["issued_on"]) or pd.isna(until) or until.date() > already(self.context.as_of):
            return None
        since = "" if pd.isna(unit["bridge_from"]) else f" from {unit['bridge_from'].date()}"
        return f"A bridge letter speaks of the days{since} to {until.date()}.", (str(unit["unit_id"]),)

    def _cuec(self, unit: Row) -> Fact | None:
        theirs = [row for row in self._of(unit) if row["performed_by"] == "user_entity"]
        told = "; ".join(f"{row['title']} ({row['control_id']})" for row in theirs)
        ids = tuple(row["control_id"] for row in theirs)
        return (f"Controls that we expect of our clients: {told}.", ids) if theirs else None

    def _subservice(self, unit: Row) -> Fact | None:
        used = dict.fromkeys(row["subservice_id"] for row in self._of(unit))
        ids = [each for each in used if each in self._told["subservice_organisations"]]
        known = records(self.context.register.subservice_organisations)
        ways = {"carve_out": "carved out", "inclusive": "inclusive"}
        mine = [row for row in known if row["subservice_id"] in ids]
        told = [f"{row['name']}: {row['service']} ({ways[row['method']]})" for row in mine]
        return (f"Subservice organisations: {'; '.join(told)}.", tuple(ids)) if ids else None

    @cached_property
    def _controls(self) -> list[dict[Any, Any]]:
        return [row for row in control_of(self.context).values() if row["unit_id"] in self.units]

    def _of(self, unit: Row) -> list[dict[Any, Any]]:
        return [row for row in self._controls if row["unit_id"] == unit["unit_id"]]

    @cached_property
    def _control_index(self) -> Index:
        return Index([self.words.of(f"{row['title']} {row['description']}") for row in self._controls])

    def _by_reference(self, text: str) -> list[Candidate]:
        """The controls that serve a framework's requirement named in a question, by ``mappings``."""
        named, known = set(_REFERENCE.findall(text)), self.context.register.mappings
        ids = dict.fromkeys(known[known["reference"].isin(named)]["control_id"]) if named else {}
        return [found for each in ids if (found := self.control(each))]

    def _by_words(self, question: str) -> list[Candidate]:
        best = self._control_index.best(self.words.of(question), 3)
        return [found for place in best if (found := self.control(self._controls[place]["control_id"]))]


def _texts(context: Context) -> dict[str, str]:
    """The words of the rows that an entry may rest on, by their ids."""
    tables = (
        ("controls", "control_id", ("title", "description")),
        ("documents", "document_id", ("title",)),
        ("subservice_organisations", "subservice_id", ("name", "service")),
    )
    return {
        row[key]: " ".join(str(row[column]) for column in columns)
        for table, key, columns in tables
        for row in records(getattr(context.register, table))
    }


def standing(desk: Desk, key: str) -> Candidate | None:
    """A candidate by its key, as the register stands now; None where there is no such thing any more."""
    kind, _, rest = key.partition(":")
    if kind == "fact" and rest in WORDS["facts"]:
        return desk.fact(rest)
    return desk.control(rest) if kind == "control" else desk.entry(key)


def writable(found: Sequence[Candidate], grade: str) -> Candidate | None:
    """The first candidate if it may be taken without a look, up to a grade; else None."""
    for each in found[:1]:
        near = _ORDER[each.grade] <= _ORDER[grade] and not each.differs
        return each if near and not each.refused and each.verdict != "not_applicable" else None
    return None


_ORDER: Mapping[str, int] = {"same": 0, "similar": 1, "related": 2}
