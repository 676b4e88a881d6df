"""What the library learns: drafts from questionnaires filled in before, accepted wordings; and how much it helps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from riskcalc.answers.drafts import Draft
from riskcalc.answers.mapping import Map, asked, fitting
from riskcalc.answers.questionnaire_files import column_of, read_questionnaire
from riskcalc.assessment.claims import against
from riskcalc.assessment.context import Context
from riskcalc.register.checked_rows import read_table
from riskcalc.register.editing import Cells, as_file, rewritten
from riskcalc.register.register import Register
from riskcalc.register.tables import TABLES

_VERDICTS = {"yes": "yes", "no": "no", "partly": "partly", "partially": "partly", "partial": "partly"}


def drafts_from(path: Path, confirmed: Map, register: Register, unit_id: str, owner: str) -> list[Cells]:
    """Entries for ``answers`` from a questionnaire that was filled in: drafts, internal, that nobody has approved.

    What the library or an earlier row asks already, in the same words, is left out.
    """
    known = {_plain(text) for row in register.answers.to_dict("records") for text in (row["question"], *row["aliases"])}
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


def wordings(draft: Draft, register: Register) -> dict[str, tuple[str, ...]]:
    """By library entry, its aliases with the questions for which people accepted it as it is."""
    rows = {row["answer_id"]: row for row in register.answers.to_dict("records")}
    found: dict[str, tuple[str, ...]] = {}
    for decision in draft.decided().values():
        row = rows.get(decision.candidate)
        if row is None or decision.action != "accept":
            continue
        aliases = found.get(decision.candidate, row["aliases"])
        text = " ".join(decision.asked.replace("|", "/").split())
        if _plain(text) not in {_plain(each) for each in (row["question"], *aliases)}:
            found[decision.candidate] = (*aliases, text)
    return found


def with_answers(
    content: bytes | None, register: Register, new: Iterable[Cells], aliases: dict[str, tuple[str, ...]]
) -> bytes:
    """answers.csv with more rows, and other aliases; every other byte as it is."""
    if content is None:
        return as_file(list(TABLES["answers"].model_fields), new).encode()
    lines = {
        row["answer_id"]: line
        for line, row in zip(register.answers.index, register.answers.to_dict("records"), strict=True)
    }
    text = content.decode("utf-8")
    cells = read_table(register.source, "answers", register.methodology).cells
    changed: dict[int, Cells | None] = {
        lines[key]: {**cells[lines[key]], "aliases": "|".join(all_)} for key, all_ in aliases.items()
    }
    return rewritten(text, changed, new).encode()


@dataclass(frozen=True)
class Use:
    """How questionnaires were answered: counts of decisions, and by grade how often the first candidate was taken."""

    questions: int
    counts: Counter[str]
    taken: Counter[str]
    offered: Counter[str]


def use_of(folder: Path) -> Use:
    """What the drafts in a folder, and those in it, tell."""
    counts, taken, offered, questions = Counter[str](), Counter[str](), Counter[str](), 0
    for file in sorted([*folder.glob("draft.json"), *folder.glob("*/draft.json")]):
        draft = Draft(file.parent)
        known, questions = draft.decided(), questions + len(draft.questions)
        for question in draft.questions:
            decision = known.get(question.id)
            counts[_kind(decision.action, decision.candidate) if decision else "undecided"] += 1
            if decision and decision.action != "ask" and question.candidates:
                first = question.candidates[0]
                offered[first.grade] += 1
                taken[first.grade] += decision.action == "accept" and decision.candidate == first.key
    return Use(questions, counts, taken, offered)


def stale(context: Context) -> dict[str, list[str]]:
    """The library's entries that can't be given now, by why: not approved, expired, contradicted."""
    found: dict[str, list[str]] = {"not approved": [], "expired": [], "contradicted": []}
    for row in context.register.answers.to_dict("records"):
        if pd.isna(row["approved_by"]):
            found["not approved"].append(row["answer_id"])
        elif row["expires_on"] < pd.Timestamp(context.as_of):
            found["expired"].append(row["answer_id"])
        elif against(context, row):
            found["contradicted"].append(row["answer_id"])
    return found


def _kind(action: str, candidate: str) -> str:
    if action != "accept":
        return {"edit": "edited", "none": "refused", "ask": "asked"}[action]
    return "from facts" if ":" in candidate else "from the library"


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _free(known: set[str]) -> Iterator[str]:
    return (name for number in range(1, 1_000_000) if (name := f"LRN-{number:04d}") not in known)
