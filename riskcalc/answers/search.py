"""Finding texts by their words: BM25 over stems, with the organisation's abbreviations; and how alike questions are."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from html import escape
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import Stemmer
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from riskcalc.answers.words import WORDS

_K1, _B = 1.2, 0.75
_STEMMER: Any = Stemmer.Stemmer("english")
_STOP = frozenset(WORDS["any"].split())
QUALIFIERS = frozenset(_STEMMER.stemWords(WORDS["qualifiers"].split()))
_ROLES = ("by", "from")  # with other words that say who does it, or whence it comes, a question is turned round
_ROMAN = {"i": "1", "ii": "2"}
_ALIKE: list[tuple[str, str]] = WORDS["alike"]  # a pattern, and what it is read as
_SAME_WORDS = re.compile("|".join(rf"\b(?P<w{at}>{words})\b" for at, (words, _) in enumerate(_ALIKE)))
_NUMBERED = re.compile(r"\b(soc|type|isae|ssae|iso|tier|level) (\d+|ii?\b)")  # of which a 1 isn't just any 1


class Words:
    """How texts are taken apart: stems, with what abbreviations stand for beside them."""

    def __init__(self, abbreviations: Mapping[str, str]) -> None:
        self._long = {short.lower(): _plain(long) for short, long in abbreviations.items()}

    def of(self, text: str) -> list[str]:
        """The stems of a text, but for words that any question has."""
        words = list(_plain(text))
        words += [each for word in words for each in self._long.get(word, ())]
        return [_stem(word) for word in words if word not in _STOP]

    def marks(self, text: str) -> list[str]:
        """A mark for each subject that a text has a word of: see synonyms.toml.

        >>> "~leaver" in Words({}).marks("What happens on termination?")
        True
        """
        words, known = tuple(_stem(word) for word in _plain(text)), _synonyms()
        return [
            mark
            for at, word in enumerate(words)
            for said, mark in known.get(word, ())
            if words[at : at + len(said)] == said
        ]


class Index:
    """Texts that can be searched: each query costs what its words hold."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        counts = [Counter(words) for words in texts]
        self._places = {
            word: place for place, word in enumerate(dict.fromkeys(word for each in counts for word in each))
        }
        held = Counter(word for each in counts for word in each)
        self._idf = {word: log(1 + (len(texts) - number + 0.5) / (number + 0.5)) for word, number in held.items()}
        self._rare = log(1 + (len(texts) + 0.5) / 0.5)
        mean = sum(sum(each.values()) for each in counts) / max(1, len(counts)) or 1.0
        rows, columns, weights = [], [], []
        for row, each in enumerate(counts):
            norm = _K1 * (1 - _B + _B * sum(each.values()) / mean)
            for word, times in each.items():
                rows.append(self._places[word])
                columns.append(row)
                weights.append(self._idf[word] * times * (_K1 + 1) / (times + norm))
        self._matrix = csr_matrix((weights, (rows, columns)), shape=(len(self._places), len(texts)))

    def best(self, query: Sequence[str], most: int = 5) -> list[int]:
        """The places of the texts that share the rarest words with a query, the best first.

        >>> Index([["backup", "test"], ["access", "review"], ["test"]]).best(["access"])
        [1]
        """
        return highest(self.scores(query), most)

    def scores(self, query: Sequence[str]) -> NDArray[np.float64]:
        """The BM25 score of each text, by its place: 0 for those that share no word with a query."""
        found = sorted({self._places[word] for word in query if word in self._places})
        return np.asarray(self._matrix[found].sum(axis=0), dtype=float).ravel()

    def alike(self, first: Sequence[str], second: Sequence[str]) -> float:
        """How much two texts share, 0 to 1: the weight of common words in that of all, rare ones weighing more.

        >>> Index([["backup"], ["test"]]).alike(["backup", "test"], ["backup", "test"])
        1.0
        """
        a, b = set(first), set(second)
        return self._weight(a & b) / self._weight(a | b) if a | b else 0.0

    def known(self, words: Sequence[str], held: Collection[str]) -> float:
        """How much of some words is held by a text, 0 to 1, rare ones weighing more.

        >>> Index([["backup"], ["test"]]).known(["backup", "yearly"], ["backup"]) < 0.5
        True
        """
        return self._weight(set(words).intersection(held)) / self._weight(set(words)) if words else 0.0

    def _weight(self, words: set[str]) -> float:
        return sum(self._idf.get(word, self._rare) for word in sorted(words))


def highest(scores: NDArray[np.float64], most: int = 5) -> list[int]:
    """The places of the highest scores above 0, the highest first; ties in their order.

    >>> highest(np.array([0.0, 1.0, 2.0, 1.0]))
    [2, 1, 3]
    """
    order = np.argsort(-scores, kind="stable")[:most]
    return [int(place) for place in order if scores[place] > 0]


def qualifiers(first: str, second: str) -> tuple[str, ...]:
    """The words by which two questions differ though they are about the same: how often, how many, numbers, not.

    >>> qualifiers("Are rights reviewed annually?", "Are all rights reviewed quarterly?")
    ('all', 'annual', 'quarter')
    """
    a, b = ({_stem(word) for word in _plain(text)} for text in (first, second))
    return tuple(sorted(word for word in a ^ b if word in QUALIFIERS or re.search(r"\d$", word)))


def turned(first: str, second: str) -> tuple[str, ...]:
    """By what two questions may be turned round though their words are the same: their order, or by whom and whence.

    >>> turned("Are changes tested before release?", "Are changes released before they are tested?")
    ('the order of the words',)
    >>> turned("Are balances reconciled by the bank?", "Are balances reconciled with the bank?")
    ('by',)
    """
    a, b = ([_stem(word) for word in _plain(text)] for text in (first, second))
    held = (set(a) & set(b)) - _STOP
    ways = [list(dict.fromkeys(word for word in text if word in held)) for text in (a, b)]
    moved = ["the order of the words"] if ways[0] != ways[1] else []
    return (*moved, *sorted(word for word in _ROLES if (word in a) != (word in b)))


def in_words(stems: Iterable[str], *texts: str) -> tuple[str, ...]:
    """Stems as the words of texts that have them, each once.

    >>> in_words(["quarter"], "Are rights reviewed quarterly?")
    ('quarterly',)
    """
    known = {_stem(word): word for text in reversed(texts) for word in reversed(_plain(text))}
    return tuple(dict.fromkeys(known.get(stem, stem) for stem in stems))


def marked(text: str, other: str) -> str:
    """A text as HTML, with the words marked by which it differs from another in what it asks.

    >>> marked("Are rights reviewed quarterly?", "Are rights reviewed annually?")
    'Are rights reviewed <mark>quarterly</mark>?'
    """
    differs = set(qualifiers(text, other))
    parts = re.split(r"([^\W_]+)", text)
    return "".join(f"<mark>{each}</mark>" if _stem(each.lower()) in differs else escape(each) for each in parts)


@lru_cache(maxsize=100_000)
def _plain(text: str) -> tuple[str, ...]:
    text = re.sub(r"\bback(ed|ing|s)?[- ]?ups?\b", "backup", text.lower().replace("'s", "").replace("n't", " not"))
    text = _SAME_WORDS.sub(lambda found: _ALIKE[int(str(found.lastgroup)[1:])][1], text)
    text = _NUMBERED.sub(lambda found: f"{found[1]} {found[1]}{_ROMAN.get(found[2], found[2])}", text)
    return tuple(re.findall(r"[^\W_]+", re.sub(r"\b(re|sub|pre|multi|co|non)-", r"\1", text)))


@cache
def _synonyms() -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """By the stem that it begins with, each word or phrase as stems, and its mark: the first word of its line."""
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for lines in tomllib.loads(Path(__file__).with_name("synonyms.toml").read_text("utf-8")).values():
        for line in lines:
            first, *others = line.split()
            for phrase in (first, *others):
                said = tuple(_stem(part) for part in phrase.split("-"))
                found.setdefault(said[0], []).append((said, f"~{first}"))
    return found


_stem: Callable[[str], str] = lru_cache(maxsize=100_000)(_STEMMER.stemWord)
