"""What an answer's text claims of its sources, as far as words (lexicon.toml) tell: proposed, never assumed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from riskcalc.assessment.claims import Against, contradicted, rows
from riskcalc.assessment.consistency import Finding
from riskcalc.assessment.context import Context
from riskcalc.register.claims import KINDS, Claim
from riskcalc.register.records import records

# Kinds whose words hold their own no: what stands before them alone takes them back.
_OWN_NO = ("no_", "nature", "performed_by", "method", "frequency", "opinion", "vendor_opinion", "held")
_DENIES = ("not_", "some_", "open_")


def proposed(context: Context, text: str, sources: Iterable[str]) -> list[Claim]:
    """The claims that a text seems to make of each of its sources.

    >>> from riskcalc.register.register import load
    >>> [str(claim) for claim in proposed(Context.of(load("data")), "Rights are reviewed every quarter.", ["PAY-G03"])]
    ['frequency:PAY-G03=quarterly']
    """
    known = rows(context)
    return [
        Claim(kind, source, value)
        for source in sources
        for table, kinds in _lexicon().items()
        if (table, source) in known
        for kind, words in kinds.items()
        for value in _said(kind, words, text)
    ]


def doubts(context: Context, text: str, sources: Sequence[str], denied: str = "") -> list[tuple[Claim, Against]]:
    """What a text seems to claim of its sources, and a row contradicts; of several values, one that holds is enough.

    ``denied`` is a question that is answered with no: the contrary of what it asks is claimed, too.
    """
    found: dict[tuple[str, str], list[tuple[Claim, list[Against]]]] = {}
    contrary = [
        replace(claim, kind=no) for claim in proposed(context, denied, sources) if (no := f"not_{claim.kind}") in KINDS
    ]
    for claim in dict.fromkeys([*proposed(context, text, sources), *contrary]):
        found.setdefault((claim.kind, claim.key), []).append((claim, contradicted(context, claim)))
    wrong = (each for each in found.values() if all(told for _, told in each))
    return [(claim, told[0]) for each in wrong for claim, told in each]


def of_entry(context: Context, row: Mapping[Any, Any]) -> list[tuple[Claim, Against]]:
    """What is to be doubted of a library's answer; what its typed claims deny isn't read from its question as well."""
    denied = row["question"] if row["verdict"] == "no" and not row["claims"] else ""
    return doubts(context, row["answer"], row["sources"], denied)


def findings(context: Context) -> list[Finding]:
    """The approved answers whose text seems to say what a row contradicts, unless their claims tell it already."""
    answers = context.register.answers
    live = answers[answers["approved_by"].notna() & ~(answers["expires_on"] < pd.Timestamp(context.as_of))]
    advice = "Correct the text, or the row; if the text means something else, let it say so."
    return [
        Finding(
            "look",
            "answer-unlike-register",
            row["unit_id"] if isinstance(row["unit_id"], str) else "",
            row["answer_id"],
            f"seems to claim {claim}, but {key}: {told}",
            advice,
        )
        for row in records(live)
        for claim, (key, told) in of_entry(context, row)
        if str(claim) not in row["claims"]
    ]


def for_person(question: str) -> bool:
    """Whether a question has a word by which nothing but a person may answer it: legal matters, insurance, breaches.

    >>> for_person("Have you had a data breach in the last three years?"), for_person("Are backups tested?")
    (True, False)
    """
    return re.search(_told()["person"]["words"], question, re.IGNORECASE) is not None


@cache
def _told() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


@cache
def _pattern(words: str) -> re.Pattern[str]:
    for name, means in _told()["means"].items():
        words = words.replace(name, f"(?:{means})")
    return re.compile(words, re.IGNORECASE)


@cache
def _lexicon() -> dict[str, dict[str, tuple[tuple[str, re.Pattern[str]], ...]]]:
    """By table and kind of claim, the values with the words that say so; blank where the kind takes none."""
    return {
        table: {
            kind: tuple(("" if value == "yes" else value, _pattern(words)) for value, words in values.items())
            for kind, values in kinds.items()
        }
        for table, kinds in _told().items()
        if table not in ("person", "means")
    }


def _said(kind: str, words: tuple[tuple[str, re.Pattern[str]], ...], text: str) -> Iterator[str]:
    """The values that a text names, sentence by sentence, where it doesn't take them back."""
    for value, pattern in words:
        for part in re.split(r"(?<=[.;:!?])\s+|,? (?:but|although|whereas) ", text.replace("\u2019", "'")):
            hit = pattern.search(part)
            if hit and (kind.startswith(_DENIES) or not _taken_back(kind, part, hit)):
                yield value
                break


def _taken_back(kind: str, part: str, hit: re.Match[str]) -> bool:
    until = hit.start() if kind.startswith(_OWN_NO) else hit.end()
    return bool(_pattern("NOT").search(part[:until][-80:]) or _pattern("LATER").search(part))
