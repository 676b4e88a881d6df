"""A program of the user's that may propose words: asked over a pipe, shown only what the audience may be told."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping

from riskcalc.answers.candidates import Candidate
from riskcalc.answers.drafts import Draft
from riskcalc.errors import UsageError

_PATIENCE = 600  # seconds


def drafted(command: str, draft: Draft) -> Mapping[str, list[Candidate]]:
    """What a command makes of the candidates, by question: words that rest on sources that it was shown, no verdict.

    It reads ``{"questions": [{"id", "question", "candidates": [{"text", "sources"}]}]}`` and writes ``{"answers":
    [{"id", "text", "sources"}]}``. What only a person may answer, and what is refused, it doesn't see.

    Raises UsageError where it fails, or says what it may not.
    """
    shown = {
        question.id: [
            {"text": now.text, "sources": list(now.sources)}
            for each in question.candidates
            if (now := draft.now(each)) and not now.refused
        ]
        for question in draft.questions
        if not question.person
    }
    asked = [
        {"id": each.id, "question": each.text, "candidates": shown[each.id]}
        for each in draft.questions
        if shown.get(each.id)
    ]
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, without a shell
            shlex.split(command),
            input=json.dumps({"questions": asked}),
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
        answers = json.loads(done.stdout)["answers"]
        told = {str(each["id"]): (str(each["text"]), tuple(map(str, each["sources"]))) for each in answers}
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--drafter {command}: {error}") from None
    for name, (_, sources) in told.items():
        allowed = {source for each in shown.get(name, ()) for source in each["sources"]}
        if name not in shown or not sources or not set(sources) <= allowed:
            cited, known = (", ".join(sorted(each)) or "nothing" for each in (sources, allowed))
            raise UsageError(f"--drafter {command}: {name!r} cites {cited}; it was shown {known}.")
    return {name: [Candidate(f"draft:{command}", "draft", "related", "", *words)] for name, words in told.items()}
