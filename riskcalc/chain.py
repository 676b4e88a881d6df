"""Lines of JSON, each tied by its hash to the one before: what was written stays as it was, or it shows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from riskcalc.files import sha256

Entry = Mapping[str, Any]


def as_line(entry: Entry) -> str:
    """An entry as it stands in a log: one spelling, so that it can be hashed."""
    return json.dumps(entry, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def appended(log: str, entry: Entry) -> tuple[str, dict[str, Any]]:
    """A log with an entry at its end, and the entry with ``previous`` and ``sha256``.

    >>> log, first = appended("", {"said": "yes"})
    >>> appended(log, {"said": "no"})[1]["previous"] == sha256(log.strip().encode())
    True
    """
    previous = sha256(log.removesuffix("\n").rpartition("\n")[2].encode()) if log else ""
    tied = {**entry, "previous": previous, "sha256": ""}
    tied["sha256"] = sha256(as_line(tied).encode())
    return f"{log}{'' if not log or log.endswith(chr(10)) else chr(10)}{as_line(tied)}\n", tied


def lines(log: str) -> Iterator[tuple[int, Any, str]]:
    """The lines of a log by number, with what they hold; None for one that can't be read."""
    for number, text in enumerate(log.removesuffix("\n").split("\n") if log else [], 1):
        try:
            yield number, json.loads(text), text
        except (ValueError, RecursionError):  # also numbers of thousands of digits, and brackets as deep
            yield number, None, text


def broken(read: Iterable[tuple[int, Entry | None, str]]) -> list[str]:
    """Where the chain of lines doesn't hold, in sentences; empty where every line is as it was written.

    >>> broken(lines(appended("", {"said": "yes"})[0].replace("yes", "no")))
    ['line 1 was changed after it was written']
    """
    found, previous = [], ""
    for number, entry, text in read:
        if entry is None or "sha256" not in entry:
            found.append(f"line {number} can't be read as a decision")
        # The text itself is compared too: white space and repeated keys mean nothing to a reader of JSON.
        elif as_line(entry) != text or sha256(as_line({**entry, "sha256": ""}).encode()) != entry["sha256"]:
            found.append(f"line {number} was changed after it was written")
        elif entry["previous"] != previous:
            found.append(f"the line before line {number} was changed, added or taken away")
        previous = sha256(text.encode())
    return found
