"""The filled questionnaire as a page, for whoever approves it before it is sent."""

from __future__ import annotations

from collections.abc import Iterator

from riskcalc.answers.drafts import Decision, Draft, Outcome, Question
from riskcalc.errors import counted
from riskcalc.pages import display
from riskcalc.pages.html import page_of

_TONES = {"written": ("Written", "good"), "left": ("Left blank", "open"), "red": ("Contradicted", "bad")}


def page(draft: Draft, found: list[tuple[Question, Outcome]]) -> str:
    """The page's HTML: every question with its answer, who decided it and on what it rests, or why it is blank."""
    return page_of(_parts(draft, found))


def _parts(draft: Draft, found: list[tuple[Question, Outcome]]) -> Iterator[display.Display]:
    counts = {state: sum(outcome[0] == state for _, outcome in found) for state in _TONES}
    told = [f"{counts['written']} of {counted(len(found), 'question')} answered"]
    told += [f"{counts['red']} contradicted by the register"] if counts["red"] else []
    tone = "bad" if counts["red"] else "good" if counts["written"] == len(found) else "open"
    units = ", ".join(unit["name"] for unit in draft.desk.units.values())
    marked = draft.desk.context.register.methodology.classification
    seen = f"For {draft.desk.audience.name}; seen from {display.day(draft.as_of)}"
    name, verdict = draft.told["questionnaire"], f"{'; '.join(told)}."
    yield display.heading(name, f"Questionnaire · {units}", verdict, tone, [seen], marked)
    known = draft.decided()
    sections = dict.fromkeys((question.sheet, question.section) for question, _ in found)
    for sheet, section in sections:
        rows = [
            _row(question, outcome, known.get(question.id))
            for question, outcome in found
            if (question.sheet, question.section) == (sheet, section)
        ]
        yield display.table(" · ".join(filter(None, (sheet, section))), ["Question", "Choice", "Words", "State"], rows)


def _row(question: Question, outcome: Outcome, decision: Decision | None) -> list[display.Cell]:
    word, tone = _TONES[outcome[0]]
    if outcome[0] != "written":
        return [{"text": question.text, "note": question.id}, "–", "–", display.state(word, tone, outcome[1])]
    assert decision
    known = (each.grade for each in question.candidates if each.key == decision.candidate)
    grade = decision.grade or next(known, "")
    entry = f"{decision.candidate}{grade and f', graded {grade}'}"
    source = entry if decision.action == "accept" else f"{decision.by}'s own words"
    rests = f"; rests on {', '.join(decision.sources) or 'nothing'}"
    at_once = f", with all that are {decision.grade}" if decision.grade else ""
    _, said, comment = outcome
    chosen = question.listed or comment
    return [
        {"text": question.text, "note": question.id},
        said if chosen else "–",
        {"text": comment if chosen else said, "note": f"{source}{rests}"},
        display.state(word, tone, f"by {decision.by}{at_once}"),
    ]
