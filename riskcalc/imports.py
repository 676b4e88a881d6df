"""Imports that cost more than they bring."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_NOT_NEEDED = ("rfc3987_syntax", "isoduration", "boto3")


@contextmanager
def without_grammar() -> Iterator[None]:
    """Leave out, while nbformat and papermill are imported, what they import where something else has brought it.

    Two check formats (IRI, durations) that no notebook has; for the first a grammar is parsed, which takes longer than
    all other imports of a notebook's run together. The third opens notebooks in a store, where no unit's is. Where they
    are imported already, nothing changes.

    >>> with without_grammar():
    ...     import nbformat
    """
    left_out = [] if "jsonschema" in sys.modules else [name for name in _NOT_NEEDED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(left_out))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in left_out:
            sys.modules.pop(name, None)
