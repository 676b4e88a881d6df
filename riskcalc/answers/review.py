"""The review of a questionnaire in JupyterLab: a question at a time, what it may be answered with, a key to decide.

Every decision is in the folder's log before the next question is shown; another reviewer's is seen before it is passed.
"""

from __future__ import annotations

import getpass
import logging
from dataclasses import replace
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

from riskcalc.answers.candidates import Candidate
from riskcalc.answers.drafts import Decision, Draft
from riskcalc.answers.own_words import odds, pick
from riskcalc.answers.search import marked
from riskcalc.assessment.opening import as_day
from riskcalc.errors import RiskcalcError, UsageError, of_an_extra
from riskcalc.register.register import find_folder

with of_an_extra():
    import anywidget
    import ipywidgets as widgets

_log = logging.getLogger(__name__)
_WIDE = widgets.Layout(width="auto")
_KEYS = {"a": "accept", "e": "edit", "w": "own", "n": "none", "o": "ask", "j": "next", "k": "back"}
_OWN = "none of these: words of your own, which rest on nothing"
_VERDICTS = [("–", ""), ("Yes", "yes"), ("No", "no"), ("Partly", "partly"), ("Not applicable", "not_applicable")]


class Keys(anywidget.AnyWidget):
    """A line that takes keys while it is in focus; JupyterLab's own shortcuts leave it alone."""

    _esm = Path(__file__).with_name("keys.js")


def panel(folder: str | Path, by: str = "", as_of: str = "") -> Any:
    """The review of the draft in a folder; where there is none, what to do first."""
    try:
        return Review(folder, by, as_of)
    except UsageError as error:
        return widgets.HTML(f"<b>{escape(str(error))}</b>")


class Review(widgets.VBox):  # type: ignore[misc]
    """Goes on where the folder's decisions leave off: at the first question that nobody has decided on."""

    def __init__(self, folder: str | Path, by: str = "", as_of: str = "") -> None:
        super().__init__()
        self.draft = Draft(find_folder(folder), as_day(as_of) or date.today())
        self._decided = self.draft.decided()
        self._seen: Decision | None = None
        self._warned: Decision | None = None
        self._found: list[Candidate] = []
        self.place = next((at for at, each in enumerate(self.draft.questions) if each.id not in self._decided), 0)
        self.by = widgets.Text(by or getpass.getuser(), description="Reviewer")
        self.question, self.details, self.told = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.candidates = widgets.Select(rows=8, description="Candidates", layout=_WIDE)
        self.verdict = widgets.Dropdown(options=_VERDICTS, description="Verdict")
        self.choice = widgets.Dropdown(description="Their choice")
        self.answer = widgets.Textarea(rows=5, description="Answer", layout=_WIDE)
        self.shortcuts = Keys()
        self.shortcuts.on_msg(lambda _, content, __: self.act(_KEYS.get(str(content.get("key")), "")))
        self.candidates.observe(lambda _: self._show_candidate(), "index")
        named = {
            "accept": "Accept",
            "edit": "Take my words",
            "none": "None",
            "ask": "Ask owner",
            "back": "Back",
            "next": "Next",
        }
        self.buttons = {action: widgets.Button(description=text) for action, text in named.items()}
        for action, button in self.buttons.items():
            button.on_click(lambda _, action=action: self.act(action))
        row = widgets.HBox([*self.buttons.values(), self.by], layout=widgets.Layout(flex_flow="row wrap"))
        self.children = (
            self.question,
            self.candidates,
            self.details,
            self.verdict,
            self.choice,
            self.answer,
            self.shortcuts,
            row,
            self.told,
        )
        self.show()

    def act(self, action: str) -> None:
        """Do what a key or a button says; what can't be done is told, and nothing is lost."""
        try:
            if action == "own":
                self.candidates.index = len(self._found)  # the words of no candidate; the question stays
                return
            if action in ("accept", "edit", "none", "ask"):
                self._decide(action)
                self.told.value = escape(f"{action}: {self.draft.questions[self.place].id}, by {self.by.value}")
            if action:
                step = -1 if action == "back" else 1
                self.place = max(0, min(self.place + step, len(self.draft.questions) - 1))
            self.show()
        except RiskcalcError as error:
            self.told.value = f"<b>{escape(str(error))}</b>"
            self._decided = self.draft.decided()
            if self._decided.get(self.draft.questions[self.place].id) != self._seen:
                self.show()  # what somebody else has decided; otherwise what was typed stays
        except Exception as error:  # noqa: BLE001 - a widget would swallow it
            _log.exception("review")
            self.told.value = f"<b>Nothing was decided: {escape(repr(error))}</b>"

    def show(self) -> None:
        """The question at the place, with its candidates as the register has them now."""
        question = self.draft.questions[self.place]
        self._seen = self._decided.get(question.id)
        self._found = [now for each in question.candidates if (now := self.draft.now(each))]
        stands = f"decided: {self._seen.action} by {self._seen.by}" if self._seen else "not decided yet"
        person = " <b>Only a person answers this: nothing is proposed by itself.</b>" if question.person else ""
        left = len(self.draft.questions) - len(self._decided)
        where = escape(" · ".join(filter(None, (question.sheet, question.section, question.reference))))
        self.question.value = (
            f"<p>{self.place + 1} of {len(self.draft.questions)}, {left} to decide · {where} · {escape(stands)}</p>"
            f"<p><b>{escape(question.text)}</b>{person}</p>"
        )
        self.choice.options = [("–", ""), *((each, each) for each in question.choices)]
        self.answer.value = ""
        labels = [*map(self._label, self._found), _OWN]
        self.candidates.options = [(label, at) for at, label in enumerate(labels)]
        self.candidates.index = 0
        self._show_candidate()

    # --- parts ---

    def _label(self, found: Candidate) -> str:
        state = "✗ " if found.refused else ""
        return f"{state}{found.grade} · {found.key} · {found.text[:80]}"

    def _show_candidate(self) -> None:
        question, found = self.draft.questions[self.place], self._chosen()
        if found is None:
            told = "None of these: words of your own then rest on nothing that the register has."
            self.details.value = told if self._found else "Nothing in the register answers this."
        if found or self.answer.value in ("", *(each.text for each in self._found)):  # what was typed stays
            self.answer.value = found.text if found else ""
            self.verdict.value = found.verdict if found else ""
            self.choice.value = pick(found.verdict, question.choices) if found else ""
        if found:
            self.details.value = self._details(question.text, found)

    def _chosen(self) -> Candidate | None:
        """The candidate that is selected; None for none of these."""
        at = self.candidates.index
        return self._found[at] if at is not None and at < len(self._found) else None

    def _details(self, text: str, found: Candidate) -> str:
        asks = next((row["question"] for row in self.draft.desk.entries if row["answer_id"] == found.key), "")
        told = [f"<p>Known as: {marked(asks, text)}</p>"] if asks else []
        told += [f"<p>Rests on: {escape(', '.join(found.sources))}</p>"] if found.sources else []
        told += [f"<p><b>Must not be written: {escape(found.blocked)}</b></p>"] if found.blocked else []
        told += [f"<p><b>Contradicted: {escape(key)}: {escape(why)}</b></p>" for key, why in found.against]
        return "".join(told)

    def _decide(self, action: str) -> None:
        question, by = self.draft.questions[self.place], self.by.value.strip()
        found = self._chosen()
        decision = Decision(question.id, action, by, asked=question.text)
        if action in ("accept", "edit"):
            decision = self._words(action, by, found)
        self.draft.decide(decision, self._seen)
        self._decided = self.draft.decided()

    def _words(self, action: str, by: str, found: Candidate | None) -> Decision:
        """The decision to answer with a candidate, or with what stands in the fields; checked before it is kept."""
        question = self.draft.questions[self.place]
        words: dict[str, Any] = {"choice": self.choice.value or "", "asked": question.text}
        if action == "accept":
            if found is None:
                raise RiskcalcError("No candidate is selected that could be accepted.")
            words |= {"candidate": found.key, "verdict": found.verdict, "answer": found.text, "sources": found.sources}
        else:
            words |= {"candidate": found.key if found else "", "sources": found.sources if found else ()}
            words |= {"verdict": self.verdict.value or "", "answer": self.answer.value.strip()}
            if not words["answer"]:
                raise RiskcalcError("The answer is blank; type it, or press None.")
        decision = Decision(question.id, action, by, **words)
        state, why, _ = self.draft.outcome(question, decision)
        unfit = odds(decision.verdict, decision.choice, decision.answer)
        if state == "red" or (state == "left" and (unfit or (action == "accept" and found and found.refused))):
            raise RiskcalcError(f"Not decided: {why}")
        if action == "edit":
            return self._confirmed(decision)
        return decision

    def _confirmed(self, decision: Decision) -> Decision:
        """Words with what they want a second look for, once they were taken twice; raises RiskcalcError before."""
        warned = self.draft.warned(decision)
        again, self._warned = self._warned, replace(decision, confirmed=warned)
        if warned and again != self._warned:
            raise RiskcalcError(f"Not decided: {warned}. If that is meant, take the same words again.")
        return self._warned
