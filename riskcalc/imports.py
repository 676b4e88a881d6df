"""Imports that cost more than they bring."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_FORMATS = ("rfc3987_syntax", "isoduration")


@contextmanager
def without_grammar() -> Iterator[None]:
    """Leave out, while nbformat is imported, what jsonschema would import where JupyterLab has brought it.

    They check formats (IRI, durations) that no notebook has. For the first a grammar is parsed, which takes longer than
    all other imports of a notebook's run together. Where they are imported already, nothing changes.

    >>> with without_grammar():
    ...     import nbformat
    """
    left_out = [] if "jsonschema" in sys.modules else [name for name in _FORMATS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(left_out))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in left_out:
            sys.modules.pop(name, None)
