"""What an answer says by its verdict, its choice and its first word; and when its words want a second look."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from riskcalc.answers.words import WORDS
from riskcalc.assessment.context import Context

_FIRST = re.compile(r"\s*(yes|no|partly|partially|not applicable|n/a)(?=\s*([.,;:!–-]|$))", re.IGNORECASE)
_COUNTS = re.compile(r"\b(test|sampl|item|select|inspect)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,/-])(?<!SOC )(?<!Type )(?<!ISAE )(?!(?:19|20)\d\d\b)\d+(?![\w%/-]|[.,]\d| ?%)")


def pick(verdict: str, choices: Sequence[str]) -> str:
    """The one choice of a drop-down that means a verdict; blank where none does, or several do.

    >>> pick("partly", ["Yes", "No", "Partially"]), pick("yes", ["1", "2", "3"])
    ('Partially', '')
    """
    fits = [each for each in choices if verdict and meaning(each) == verdict]
    return fits[0] if len(fits) == 1 else ""


def meaning(choice: str) -> str:
    """The verdict that a choice means; blank where it can't be told.

    >>> meaning("Fully implemented"), meaning("3")
    ('yes', '')
    """
    return next(
        (each for each, words in WORDS["means"].items() if re.fullmatch(words, choice.strip(), re.IGNORECASE)), ""
    )


def odds(verdict: str, choice: str, text: str) -> str:
    """Where verdict, choice and the text's first word don't say the same: what each says; blank where they do.

    >>> odds("yes", "No", "Yes. It is."), odds("no", "No", "No client data is processed.")
    ('the verdict says yes, the choice says no, the text says yes', '')
    """
    first = _FIRST.match(text)
    said = {"the verdict": verdict, "the choice": meaning(choice), "the text": meaning(first[1]) if first else ""}
    told = [f"{what} says {means.replace('_', ' ')}" for what, means in said.items() if means]
    return ", ".join(told) if len(set(filter(None, said.values()))) > 1 else ""


def look_again(context: Context, units: Collection[str], text: str, sources: Sequence[str]) -> str:
    """What of a person's own words is to be confirmed: another unit's name, a number of items that no test has.

    >>> from riskcalc.register.register import load
    >>> look_again(Context.of(load("data")), ["payroll"], "Fund Administration tested 3 items.", ["PAY-C11"])
    'it names funds, which is not asked; it says 3, which no test of PAY-C11 does'
    """
    told = [
        f"it names {key}, which is not asked"
        for key, name in context.register.business_units[["unit_id", "name"]].itertuples(index=False)
        if key not in units and re.search(rf"\b({re.escape(key)}|{re.escape(name)})\b", text, re.IGNORECASE)
    ]
    tests = context.register.control_tests
    mine = tests[tests["control_id"].isin(sources)][["sample_size", "deviations", "population"]]
    known = {int(number) for column in mine for number in mine[column].dropna()}
    rests = f"of {', '.join(sources)}" if sources else "that it rests on"
    for part in re.split(r"(?<=[.;:!?])\s+", text):
        numbers = _NUMBER.findall(part) if _COUNTS.search(part) else []
        told += [f"it says {each}, which no test {rests} does" for each in numbers if int(each) not in known]
    return "; ".join(told)
