"""What an answer's text claims of its sources, as far as words (lexicon.toml) tell: proposed, never assumed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from riskcalc.assessment.claims import Against, contradicted, rows
from riskcalc.assessment.consistency import Finding
from riskcalc.assessment.context import Context
from riskcalc.register.claims import KINDS, MONTH, MONTHLY, Claim
from riskcalc.register.records import records

# Kinds whose words hold their own no: what stands before them alone takes them back.
_OWN_NO = ("no_", "nature", "performed_by", "method", "frequency", "opinion", "report", "vendor_", "held")
# Of two such kinds in one text neither is doubted: it speaks of two times, and which is which isn't known.
_PAIRS = [{"no_deviations", "some_deviations"}, {"no_deviations", "not_operated"}, {"no_deficiency", "open_deficiency"}]
_PAIRS += [{kind.removeprefix("not_"), kind} for kind in KINDS if kind.startswith("not_")]
_WRONG = "(?:deviation|exception|error|failure)s?"
_NONE = r"0(?:[.,]0+)?(?: ?(?:%|per ?cent))?"
_RIGHT = r"(?= (?:[\w-]+ ){0,4}(?:pass|ok\b|compl|conform|correct|in order|without|fine|clean))"
_ZEROS = tuple(  # how numbers read, that the words for none and for all are found: "0/20 deviated", "deviations: 0"
    (re.compile(shape, re.IGNORECASE), said)
    for shape, said in (
        (r"\b(?:0 \((?:zero|nil|none)\)|(?:zero|nil|no|none) \(0\))", "0"),
        (rf"(?<![\w.,/-])(\d+) ?/ ?(\1\b{_RIGHT}|(?<=\b0/)\d+(?![\w/-]|[.,]\d))", r"\1 of \2"),
        (
            rf"(?<!expected )(?<!tolerable )\b({_WRONG}(?: \w+)?) ?(?::|=|\(|of|was|were|is|) ?"
            rf"(?:(?:{_NONE}(?: of \d+)?|nil|zero|none)(?![.,]?\d|[-\w]| (?!in\b|was\b|for\b)\S)|no\b(?! ?\w))",
            r"no \1",
        ),
        (
            rf"\b((?:open )?(?:deficienc|finding|issue|weakness)\w*)(?: \w+)? ?[:=] ?(?:{_NONE}|nil|zero|none)\b",
            r"no \1",
        ),
        (r"\b(documented|tested|automated|issued|reviewed|closed|in force) ?[:=] ?(?:no|never)\b", r"not \1"),
        (rf"(?<![\w.,/-]){_NONE}(?= (out )?of\b)", "none"),
        (rf"(?<![\w.,/-]){_NONE}(?= [a-z])", "no"),
        (rf"\b(?:0|zero)-(?={_WRONG}\b)", "no "),
    )
)
_DENIES = ("not_", "some_", "open_")


def proposed(context: Context, text: str, sources: Iterable[str]) -> list[Claim]:
    """The claims that a text seems to make of each of its sources.

    >>> from riskcalc.register.register import load
    >>> [str(claim) for claim in proposed(Context.of(load("data")), "Rights are reviewed every quarter.", ["PAY-G03"])]
    ['frequency:PAY-G03=quarterly']
    """
    return list(dict.fromkeys(claim for claim, _ in _by_clause(context, text, sources)))


def _by_clause(context: Context, text: str, sources: Iterable[str]) -> list[tuple[Claim, str]]:
    known = rows(context)
    return [
        (Claim(kind, source, value), part)
        for part in _parts(context, text)
        for source in sources
        for table in _lexicon()
        if (table, source) in known
        for kind, value in _said(table, part)
    ]


def _parts(context: Context, text: str) -> list[str]:
    """A text clause by clause, with *we* for the organisation, and *the provider* for a subservice organisation."""
    vendors = context.register.subservice_organisations["name"]
    names = {context.register.methodology.organisation: "we", **dict.fromkeys(vendors, "the provider")}
    text = text.replace("\u2019", "'")
    for name, said in names.items():
        short = [first for first in name.split()[:1] if len(first) > 5]
        text = re.sub(rf"\b({'|'.join(map(re.escape, [name, *short]))})\b", said, text)
    for zero, said in _ZEROS:
        text = zero.sub(said, text)
    return _pattern("ENDS").split(re.sub(r"\bwe's\b", "our", text))


def doubts(context: Context, text: str, sources: Sequence[str], denied: str = "") -> list[tuple[Claim, Against]]:
    """What a text seems to claim of its sources, and a row contradicts; of several values, one that holds is enough.

    ``denied`` is a question that is answered with no: the contrary of what it asks is claimed, too.
    """
    found: dict[tuple[str, str], list[tuple[Claim, list[Against]]]] = {}
    contrary = [
        replace(claim, kind=no) for claim in proposed(context, denied, sources) if (no := f"not_{claim.kind}") in KINDS
    ]
    said = _by_clause(context, text, sources)
    both = {kind for pair in _PAIRS if pair <= {claim.kind for claim, _ in said} for kind in pair}
    for claim, part in [*(each for each in said if each[0].kind not in both), *((claim, "") for claim in contrary)]:
        group = ("month" if claim.kind in MONTHLY else claim.kind, "" if claim.value else claim.key)
        years = _years(context, part) or _years(context, text)
        told = [each for each in contradicted(context, claim) if _of_its_years(context, claim, each[0], years)]
        told += _not_in(context, claim, _years(context, part))
        found.setdefault(group, []).append((claim, told))
    wrong = {claim: told[0] for each in found.values() if all(told for _, told in each) for claim, told in each}
    return [(claim, told) for claim, told in wrong.items() if claim not in _own_words(context, claim)]


def _years(context: Context, text: str) -> list[str]:
    """The years that a text names; *this year* is that of the day from which the register is seen."""
    this = [str(context.as_of.year)] * bool(re.search(r"\bthis (half[- ])?year", text, re.IGNORECASE))
    return [*re.findall(r"\b20\d\d\b", text), *this]


def _of_its_years(context: Context, claim: Claim, key: str, years: Sequence[str]) -> bool:
    """Whether a row may speak against a clause: if years are named, a test does only if it is of one of them."""
    if not years:
        return True
    if claim.kind == "not_tested":
        return any(year in test[0] for test in _tests(context, claim.key) for year in years)
    test = rows(context).get(("control_tests", key))
    return test is None or any(year in _days(test)[0] for year in years)


def _not_in(context: Context, claim: Claim, years: Sequence[str]) -> list[Against]:
    """What speaks against a control's having been tested in a year of which the register has tests: none is of it."""
    done = " ".join(" ".join(test) for test in _tests(context, claim.key))
    known = " ".join(context.register.control_tests["period"].dropna().unique())
    named = [year for year in years if year in known]
    absent = claim.kind == "tested" and named and not any(year in done for year in named)
    return [(claim.key, f"no test of {', '.join(named)} is on record")] if absent else []


def _tests(context: Context, control_id: str) -> list[tuple[str, str]]:
    tests = context.register.control_tests
    mine = tests[(tests["control_id"] == control_id) & (tests["kind"] == "operation")]
    return [_days(test) for test in records(mine)]


def _days(test: Mapping[Any, Any]) -> tuple[str, str]:
    """The days that a test speaks of, and the day on which it was done."""
    return f"{test['period']} {test['covers_from']} {test['covers_to']}", str(test["tested_on"])


def _own_words(context: Context, claim: Claim) -> list[Claim]:
    """How often and by what a row's own title and description seem to have it done: an answer may repeat them."""
    retold = claim.kind in ("frequency", "nature", "tested")
    row = rows(context)[claim.table, claim.key]
    return proposed(context, f"{row['title']}. {row['description']}", [claim.key]) if retold else []


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
    return _pattern(_any(_told()["person"]["words"])).search(question) is not None


@cache
def _told() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def _any(words: str | list[str]) -> str:
    """One pattern of several, as a list of words may give them."""
    return words if isinstance(words, str) else "|".join(words)


@cache
def _pattern(words: str) -> re.Pattern[str]:
    for name, means in _told()["means"].items():
        words = words.replace(name, f"(?:{_any(means)})")
    return re.compile(words, re.IGNORECASE)


@cache
def _lexicon() -> dict[str, dict[str, tuple[tuple[str, re.Pattern[str]], ...]]]:
    """By table and kind of claim, the values with the words that say so; blank where the kind takes none."""
    return {
        table: {
            kind: tuple(("" if value == "yes" else value, _pattern(_any(words))) for value, words in values.items())
            for kind, values in kinds.items()
        }
        for table, kinds in _told().items()
        if table not in ("person", "means")
    }


@lru_cache(maxsize=10_000)
def _said(table: str, part: str) -> list[tuple[str, str]]:
    """What a clause says of a row of a table, by kind and value, where it doesn't take it back."""
    return [
        (kind, _month(hit["date"]) if value == MONTH else value)
        for kind, words in _lexicon()[table].items()
        for value, pattern in words
        if (hit := pattern.search(part)) and (kind.startswith(_DENIES) or not _taken_back(kind, part, hit))
    ]


def _month(said: str) -> str:
    """The month of a day as it is written, the last one of a year; ``NaT`` of a day that there isn't."""
    return str(pd.to_datetime(f"December {said}" if said.isdigit() else said, dayfirst=True, errors="coerce"))[:7]


def _taken_back(kind: str, part: str, hit: re.Match[str]) -> bool:
    own_no = kind.startswith(_OWN_NO)
    before = _pattern("CLAUSE").split(part[: hit.start() if own_no else hit.end()])[-1][-80:]
    denied = (own_no or kind == "documented") and not kind.startswith("no_")
    after = denied and _pattern("DENIED").match(part[hit.end() :])
    words = _pattern("DENY|UNTRUE|OTHERS" if kind == "frequency" else "NOT|UNTRUE")
    return bool(after or words.search(before) or _pattern("LATER").search(part))
