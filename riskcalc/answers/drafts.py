"""A questionnaire under way: a folder with the client's file, what may be answered, and every decision, by whom.

``draft.json`` is made anew whenever it is drafted again; ``decisions.jsonl`` is only appended to, each line tied to the
one before, under a lock: two people at once lose nothing, and who comes back goes on.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from riskcalc import chain
from riskcalc.answers.candidates import Candidate, Desk, Grade, standing, writable
from riskcalc.answers.mapping import Map, asked, fitting
from riskcalc.answers.own_words import look_again, meaning, odds, pick
from riskcalc.answers.questionnaire_files import Sheet, cell_name, read_questionnaire, within
from riskcalc.answers.write_back import LONGEST, filled
from riskcalc.assessment.claims import Against, against
from riskcalc.assessment.context import Context
from riskcalc.assessment.lexicon import doubts, for_person
from riskcalc.errors import UsageError, one_line
from riskcalc.files import read, sha256, write_whole
from riskcalc.register.editing import held
from riskcalc.register.register import load
from riskcalc.register.xlsx_cells import column_of

DRAFT, LOG = "draft.json", "decisions.jsonl"
ACTIONS = ("accept", "edit", "none", "ask")
_SAID = {"yes": "Yes", "no": "No", "partly": "Partly", "not_applicable": "Not applicable"}
_NO_ANSWER = {"none": "no answer is given", "ask": "the owner is asked"}
_OPEN = re.compile(r"\s*([<\[(]?\s*(select|choose|please|click|enter|pick|tbd)\b.*|[-–_.…]*)", re.IGNORECASE)
Outcome = tuple[str, str, str]  # written, left or red; what was written, or why not; for the comment


@dataclass(frozen=True)
class Question:
    """A question with its place, and what it may be answered with, the nearest first."""

    id: str
    sheet: str
    row: int
    section: str
    reference: str
    text: str
    answer: str
    comment: str
    listed: bool
    choices: tuple[str, ...]
    person: bool
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Drafted:
    """draft.json: a questionnaire's questions, from which register, as of which day, and for whom."""

    questionnaire: str
    sha256: str
    data: str
    units: list[str]
    audience: str
    period: str
    as_of: str
    register: str
    questions: list[Question]


@dataclass(frozen=True)
class Decision:
    """What somebody decided on a question: an action of ``ACTIONS``, the words, and what they came from."""

    question: str
    action: str
    by: str
    candidate: str = ""
    verdict: str = ""
    answer: str = ""
    choice: str = ""
    sources: tuple[str, ...] = ()
    asked: str = ""
    at: str = ""
    previous: str = ""
    sha256: str = ""
    grade: str = ""  # of all that were accepted at once up to it; blank where a person decided on this one
    confirmed: str = ""  # what was warned of, and confirmed


def make(
    folder: Path,
    path: Path,
    confirmed: Map,
    desk: Desk,
    data: str,
    more: Mapping[str, Sequence[Candidate]] | None = None,
) -> Draft:
    """Draft a questionnaire into a folder, or draft it again: decisions made there stay.

    ``more`` are further candidates by the questions' ids. Raises UsageError where another questionnaire lies there.
    """
    content = read(path)
    questions = list(_questions(confirmed, read_questionnaire(path), desk, more or {}))
    case, about = desk.context, (path.name, sha256(content), data, list(desk.units), desk.audience.name)
    seen = (case.period.name, f"{case.as_of}", case.register.fingerprint())
    told = asdict(Drafted(*about, *seen, questions))
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder):
        known = json.loads((folder / DRAFT).read_text("utf-8")) if (folder / DRAFT).exists() else told
        if any(known.get(each) != told[each] for each in ("sha256", "audience", "units")):
            raise UsageError(
                f"{folder} holds the draft of another questionnaire, unit or audience; name another folder."
            )
        write_whole(folder / f"original{path.suffix.lower()}", content)
        write_whole(folder / DRAFT, f"{json.dumps(told, ensure_ascii=False, indent=1)}\n".encode())
    return Draft(folder)


class Draft:
    """The questionnaire in a folder: its questions, the decisions, and the register as it stands now."""

    def __init__(self, folder: Path, as_of: date | None = None) -> None:
        """Open it, seen from a day; raises UsageError where there is none."""
        self.folder = folder
        try:
            self.told: dict[str, Any] = json.loads((folder / DRAFT).read_text("utf-8"))
            self.units = tuple(self.told["units"])
            self.questions = tuple(_question(each) for each in self.told["questions"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{folder} holds no draft ({error}); riskcalc answer draft makes one.") from None
        self.as_of = as_of or date.fromisoformat(self.told["as_of"])

    @cached_property
    def desk(self) -> Desk:
        """The register, read again: what was true when it was drafted may not be any more."""
        context = Context.of(load(self.told["data"]), self.told["period"], self.as_of)
        return Desk(context, self.units, self.told["audience"])

    @property
    def original(self) -> Path:
        """The client's file, as it came."""
        return self.folder / f"original{Path(self.told['questionnaire']).suffix.lower()}"

    def log(self) -> list[Decision]:
        """All decisions, the earliest first; raises UsageError where the log was changed."""
        path, entries = self.folder / LOG, list(chain.lines(self._text()))
        if found := chain.broken(entries):
            raise UsageError(f"{path}: {'; '.join(found)}. Restore it from a copy; nothing was written.")
        try:
            return [Decision(**{**entry, "sources": tuple(entry["sources"])}) for _, entry, _ in entries]
        except (TypeError, KeyError) as error:
            raise UsageError(f"{path} holds what is no decision: {error}") from None

    def _text(self) -> str:
        path = self.folder / LOG
        return path.read_text("utf-8") if path.is_file() else ""

    def decided(self) -> dict[str, Decision]:
        """By question, the last word."""
        return {each.question: each for each in self.log()}

    def decide(self, decision: Decision, seen: Decision | None = None) -> None:
        """Append a decision; ``seen`` is the last one that whoever decides knows of.

        Raises UsageError where somebody else has decided since, or the words can't stand.
        """
        one_line(decision.by)
        stamped = replace(decision, at=datetime.now(UTC).isoformat(timespec="seconds"))
        if decision.action not in ACTIONS or not decision.by.strip():
            raise UsageError("A decision needs one of accept, edit, none, ask, and the name of who makes it (--by).")
        with held(self.folder):
            last = self.decided().get(decision.question)
            if (last.sha256 if last else "") != (seen.sha256 if seen else ""):
                raise UsageError(f"{last.by if last else 'Somebody'} has decided on this question since; look again.")
            entry = {key: value for key, value in asdict(stamped).items() if key not in ("previous", "sha256")}
            write_whole(self.folder / LOG, chain.appended(self._text(), entry)[0].encode())

    def accept(self, grade: str, by: str) -> list[Decision]:
        """Accept what needs no look, up to a grade, where nothing is decided yet; what a person must answer never."""
        known, made = self.decided(), []
        for question in self.questions:
            now = [found for each in question.candidates if (found := self.now(each))]
            if question.id not in known and not _left(question, now, grade) and (best := writable(now, grade)):
                made.append(replace(self.taken(question, best, by), grade=best.grade))
                self.decide(made[-1])
        return made

    def passed(self, grade: str) -> Counter[str]:
        """By why ``accept`` takes nothing for them: the number of questions that nobody has decided on."""
        known = self.decided()
        found = [(each, [now for one in each.candidates if (now := self.now(one))]) for each in self.questions]
        return Counter(_left(each, now, grade) for each, now in found if each.id not in known)

    def now(self, candidate: Candidate) -> Candidate | None:
        """A candidate as the register stands now, with the grade that it was found with; None where it is gone."""
        found = candidate if candidate.kind == "draft" else standing(self.desk, candidate.key)
        if found is None:
            return None
        wrong = found.against
        if found.kind == "draft":
            wrong = tuple(_against(self.desk.context, found.verdict, found.text, found.sources))
        return replace(found, grade=candidate.grade, differs=candidate.differs, against=wrong)

    def taken(self, question: Question, candidate: Candidate, by: str) -> Decision:
        """The decision to answer a question with a candidate as it is."""
        choice = pick(candidate.verdict, question.choices)
        named = (candidate.key, candidate.verdict, candidate.text, choice, candidate.sources)
        return Decision(question.id, "accept", by, *named, question.text)

    def outcome(self, question: Question, decision: Decision | None) -> Outcome:
        """What a decision comes to: ``written`` with the texts for answer and comment; ``left`` or ``red`` with why."""
        if decision is None or decision.action not in ("accept", "edit"):
            return "left", _NO_ANSWER.get(decision.action if decision else "", "nobody has decided"), ""
        if refused := self._refused(question, decision):
            return refused
        if len(decision.answer) > LONGEST:
            return "left", f"is longer than a cell can be, {LONGEST:,} characters", ""
        said = decision.choice or pick(decision.verdict, question.choices)
        if question.listed and said not in question.choices:
            offered = ", ".join(question.choices) or "they are not known"
            return "left", f"no choice of its drop-down means {decision.verdict or 'this'}: {offered}", ""
        if question.listed:
            return "written", said, decision.answer if question.comment else ""
        if question.comment and decision.verdict:
            return "written", _SAID[decision.verdict], decision.answer
        return "written", decision.answer, ""

    def _refused(self, question: Question, decision: Decision) -> Outcome | None:
        """Why a decision can't stand as the register is now; None where it can."""
        if decision.asked != question.text:
            return "left", "the question was another one when it was decided", ""
        said = decision.choice or pick(decision.verdict, question.choices)
        verdict = "yes" if meaning(said) == "yes" else decision.verdict or meaning(said)  # whichever way it's said
        now: Candidate | None = None
        if decision.action == "edit":
            wrong = _against(self.desk.context, verdict, decision.answer, decision.sources, question.text)
        else:  # what is accepted stands with its claims
            drafted = next((each for each in question.candidates if each.key == decision.candidate), None)
            now = self.now(drafted) if drafted else standing(self.desk, decision.candidate)
            wrong = list(now.against) if now else []
        if wrong:
            return "red", "; ".join(f"{key}: {told}" for key, told in wrong), ""
        if differ := odds(decision.verdict, decision.choice, decision.answer):
            return "left", differ, ""
        if decision.action == "edit":
            same = [row["answer_id"] for row in self.desk.entries if row["answer"] == decision.answer]
            same += [each.key for each in question.candidates if each.text == decision.answer]
            blocked = [found.blocked for each in same if (found := standing(self.desk, each)) and found.blocked]
            warned = self.warned(decision)
            if not blocked and warned != decision.confirmed:
                blocked = [f"nobody has confirmed it: {warned}"] if warned else []
            return ("left", blocked[0], "") if blocked else None
        if now is None or (now.text, now.verdict) != (decision.answer, decision.verdict):
            return "left", f"{decision.candidate} has changed since it was accepted", ""
        return ("left", now.blocked, "") if now.blocked else None

    def warned(self, decision: Decision) -> str:
        """What of a person's own words wants a second look; blank where nothing does."""
        return look_again(self.desk.context, self.units, decision.answer, decision.sources)

    def outcomes(self) -> Iterator[tuple[Question, Decision | None, Outcome]]:
        """Every question with its decision and what that comes to now."""
        known = self.decided()
        for question in self.questions:
            decision = known.get(question.id)
            yield question, decision, self.outcome(question, decision)

    def write(self, out: Path) -> list[tuple[Question, Outcome]]:
        """Write the approved answers into a copy of the client's file; every question with what became of it.

        Raises UsageError where the file in the folder isn't the one that was drafted.
        """
        if sha256(read(self.original)) != self.told["sha256"]:
            raise UsageError(f"{self.original} isn't the file that was drafted; restore it, or draft again.")
        sheets = {sheet.name: sheet for sheet in read_questionnaire(self.original)}
        rows = {name: [each.row for each in self.questions if each.sheet == name] for name in sheets}
        found = [
            (question, _room(sheets[question.sheet], rows[question.sheet], question, outcome))
            for question, _, outcome in self.outcomes()
        ]
        cells: dict[str, dict[tuple[int, int], str]] = {}
        for question, (state, said, comment) in found:
            if state == "written":
                mine = cells.setdefault(question.sheet, {})
                mine[question.row, column_of(question.answer)] = said
                mine |= {(question.row, column_of(question.comment)): comment} if comment else {}
        content, left = filled(self.original, cells)
        told = {(sheet, row): f"{cell_name(row, column)}: {why}" for (sheet, (row, column)), why in left.items()}
        if told:  # an answer without its comment, or a comment alone, is neither written nor left blank
            kept = {
                sheet: {place: text for place, text in mine.items() if (sheet, place[0]) not in told}
                for sheet, mine in cells.items()
            }
            content, _ = filled(self.original, kept)
        write_whole(out, content)
        return [
            (question, ("left", why, "") if (why := told.get((question.sheet, question.row))) else outcome)
            for question, outcome in found
        ]


# --- parts ---


def _questions(
    confirmed: Map, sheets: list[Sheet], desk: Desk, more: Mapping[str, Sequence[Candidate]]
) -> Iterator[Question]:
    for columns, sheet in fitting(confirmed, sheets):
        for row, section, reference, text in asked(columns, sheet):
            name = f"{sheet.name}!{columns.answer}{row}"
            said = (name, sheet.name, row, section, reference, text)
            offered = sheet.offered(row, column_of(columns.answer))
            found = (*more.get(name, ()), *desk.candidates(text, reference))
            yield Question(*said, columns.answer, columns.comment, *offered, for_person(text), found)


def _left(question: Question, found: Sequence[Candidate], grade: str) -> str:
    """Why nothing is accepted by itself for a question: the first reason of what ``writable`` asks; blank for none."""
    if question.person:
        return "for a person"
    order, first = get_args(Grade), next(iter(found), None)
    if first is None or order.index(first.grade) > order.index(grade):
        return f"nothing is graded {' or '.join(order[: order.index(grade) + 1])}"
    reasons = {
        "the entry lacks a word of the question, or differs by a number, interval, not or order": first.differs,
        "not to be given: not approved, not in force, for others, or at odds with itself": first.blocked,
        "contradicted by the register": first.against,
        "not applicable, which a person says": first.verdict == "not_applicable",
        "no choice of the drop-down means what it says": question.listed and not pick(first.verdict, question.choices),
    }
    return next((why for why, so in reasons.items() if so), "")


def _question(told: dict[str, Any]) -> Question:
    candidates = []
    for each in told["candidates"]:
        lists = {key: tuple(each[key]) for key in ("sources", "differs")}
        candidates.append(Candidate(**{**each, **lists, "against": tuple(map(tuple, each["against"]))}))
    return Question(**{**told, "choices": tuple(told["choices"]), "candidates": tuple(candidates)})


def _against(context: Context, verdict: str, text: str, sources: Sequence[str], asked: str = "") -> list[Against]:
    """What the register says against words of a person or a model that rest on some rows."""
    denied = asked if verdict == "no" else ""
    wrong = against(context, {"verdict": verdict, "sources": sources, "claims": ()})
    return list(dict.fromkeys([*wrong, *(told for _, told in doubts(context, text, sources, denied))]))


def _room(sheet: Sheet, rows: Collection[int], question: Question, outcome: Outcome) -> Outcome:
    """An outcome, unless there is no room for it: the cell says something, is part of another, or is one for several
    ``rows`` that ask.
    """
    if outcome[0] != "written":
        return outcome
    for letter in [question.answer, *([question.comment] if outcome[2] else [])]:
        at = column_of(letter)
        said = sheet.text(question.row, at)
        if not _OPEN.fullmatch(said) and not (letter == question.answer and said == outcome[1]):
            return "left", f"{letter}{question.row} already says {said[:40]!r}", ""
        over = [block for block in sheet.merged if within(block, question.row, at)]
        if any((block[0], block[2]) != (question.row, at) for block in over):
            return "left", f"{letter}{question.row} is part of merged cells that begin elsewhere", ""
        if any(block[0] <= row <= block[1] for block in over for row in rows if row != question.row):
            return "left", f"{letter}{question.row} is one cell for several questions; answer it by hand", ""
    return outcome
