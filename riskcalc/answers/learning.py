"""What the library learns: drafts from questionnaires filled in before, accepted wordings; and how much it helps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from riskcalc.answers.drafts import Decision, Draft, Question
from riskcalc.answers.mapping import Map, asked, fitting
from riskcalc.answers.questionnaire_files import read_questionnaire
from riskcalc.answers.search import in_words, qualifiers
from riskcalc.assessment.claims import against
from riskcalc.assessment.context import Context
from riskcalc.register.checked_rows import read_table
from riskcalc.register.editing import Cells, as_file, rewritten
from riskcalc.register.records import records
from riskcalc.register.register import Register
from riskcalc.register.tables import TABLES
from riskcalc.register.xlsx_cells import column_of

_VERDICTS = {"yes": "yes", "no": "no", "partly": "partly", "partially": "partly", "partial": "partly"}


def drafts_from(path: Path, confirmed: Map, register: Register, unit_id: str, owner: str) -> list[Cells]:
    """Entries for ``answers`` from a questionnaire that was filled in: drafts, internal, that nobody has approved.

    What the library or an earlier row asks already, in the same words, is left out.
    """
    known = {_plain(text) for row in records(register.answers) for text in (row["question"], *row["aliases"])}
    found = []
    for columns, sheet in fitting(confirmed, read_questionnaire(path)):
        for row, _, _, question in asked(columns, sheet):
            said = sheet.text(row, column_of(columns.answer))
            more = sheet.text(row, column_of(columns.comment)) if columns.comment else ""
            if said and _plain(question) not in known:
                known.add(_plain(question))
                verdict = _VERDICTS.get(said.lower(), "")
                text = more if verdict and more else "\n".join(filter(None, (said, more)))
                found.append({"question": question, "verdict": verdict, "answer": text})
    ids = _free(set(register.answers["answer_id"]))
    return [
        {"answer_id": next(ids), "unit_id": unit_id, **each, "audience": "internal", "owner": owner} for each in found
    ]


def wordings(draft: Draft, register: Register) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """By library entry, its aliases with the questions for which a person accepted it as it is; and those refused.

    What was accepted with others at once teaches nothing. A question that differs from all known ones by a number, an
    interval or a *not* is another one.
    """
    rows = {row["answer_id"]: row for row in records(register.answers)}
    found: dict[str, tuple[str, ...]] = {}
    others = []
    for decision in draft.decided().values():
        row = rows.get(decision.candidate)
        if row is None or decision.action != "accept" or decision.grade:
            continue
        aliases = found.get(decision.candidate, row["aliases"])
        text = " ".join(decision.asked.replace("|", "/").split())
        known = (row["question"], *aliases)
        if _plain(text) in map(_plain, known):
            continue
        if differs := min((qualifiers(text, each) for each in known), key=len):
            words = ", ".join(in_words(differs, text, *known))
            others.append(f"{decision.candidate}: {text!r} differs from what it is known for by {words}")
        else:
            found[decision.candidate] = (*aliases, text)
    return found, others


def with_answers(
    content: bytes | None, register: Register, new: Iterable[Cells], aliases: dict[str, tuple[str, ...]]
) -> bytes:
    """answers.csv with more rows, and other aliases; every other byte as it is."""
    if content is None:
        return as_file(list(TABLES["answers"].model_fields), new).encode()
    lines = {
        row["answer_id"]: line for line, row in zip(register.answers.index, records(register.answers), strict=True)
    }
    text = content.decode("utf-8")
    cells = read_table(register.source, "answers", register.methodology).cells
    changed: dict[int, Cells | None] = {
        lines[key]: {**cells[lines[key]], "aliases": "|".join(all_)} for key, all_ in aliases.items()
    }
    return rewritten(text, changed, new).encode()


@dataclass(frozen=True)
class Use:
    """How questionnaires were answered: counts of decisions, and by grade how often the first candidate was taken.

    Of drafts of one file for the same units and audience the one with the most decisions counts; ``again`` are the
    others. What was accepted with others at once says nothing of a grade: nobody looked.
    """

    questions: int
    counts: Counter[str]
    taken: Counter[str]
    offered: Counter[str]
    again: tuple[Path, ...]


def use_of(folder: Path) -> Use:
    """What the drafts in a folder, and those in it, tell."""
    counts, taken, offered, questions = Counter[str](), Counter[str](), Counter[str](), 0
    drafts = [Draft(file.parent) for file in sorted([*folder.glob("draft.json"), *folder.glob("*/draft.json")])]
    once: dict[object, Draft] = {}
    for draft in sorted(drafts, key=lambda each: len(each.log())):
        once[draft.told["sha256"], draft.units, draft.told["audience"]] = draft
    for draft in once.values():
        known, questions = draft.decided(), questions + len(draft.questions)
        for question in draft.questions:
            decision = known.get(question.id)
            counts[_kind(question, decision) if decision else "undecided"] += 1
            if decision and decision.action != "ask" and not decision.grade and question.candidates:
                first = question.candidates[0]
                offered[first.grade] += 1
                taken[first.grade] += decision.action == "accept" and decision.candidate == first.key
    again = tuple(draft.folder for draft in drafts if draft not in once.values())
    return Use(questions, counts, taken, offered, again)


def stale(context: Context) -> dict[str, list[str]]:
    """The library's entries that can't be given now, by why: not approved, expired, contradicted."""
    found: dict[str, list[str]] = {"not approved": [], "expired": [], "contradicted": []}
    for row in records(context.register.answers):
        if pd.isna(row["approved_by"]):
            found["not approved"].append(row["answer_id"])
        elif row["expires_on"] < pd.Timestamp(context.as_of):
            found["expired"].append(row["answer_id"])
        elif against(context, row):
            found["contradicted"].append(row["answer_id"])
    return found


def _kind(question: Question, decision: Decision) -> str:
    if decision.action != "accept":
        return {"edit": "edited", "none": "refused", "ask": "asked"}[decision.action]
    if question.listed and decision.choice not in question.choices:
        return "without a choice that fits"
    return "from facts" if ":" in decision.candidate else "from the library"


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _free(known: set[str]) -> Iterator[str]:
    return (name for number in range(1, 1_000_000) if (name := f"LRN-{number:04d}") not in known)
