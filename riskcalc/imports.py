"""Imports that cost more than they bring."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_GRAMMAR = "rfc3987_syntax"


@contextmanager
def without_grammar() -> Iterator[None]:
    """Leave out, while nbformat is imported, what jsonschema would import where JupyterLab has brought it.

    It checks a format (IRI) that no notebook has, and parses a grammar for that, which takes longer than all other
    imports of a notebook's run together. Where it is imported already, nothing changes.

    >>> with without_grammar():
    ...     import nbformat
    """
    leave_out = not {_GRAMMAR, "jsonschema"} & sys.modules.keys()
    if leave_out:
        sys.modules[_GRAMMAR] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if leave_out:
            sys.modules.pop(_GRAMMAR, None)
