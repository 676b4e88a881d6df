"""A notebook as JSON, letter by letter as nbformat writes it, in a fraction of the time.

Python's ``json`` makes indented text piece by piece, and nbformat copies the whole notebook before: together they were
a tenth of what a unit takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

from nbformat.v4.nbjson import BytesEncoder, writes

_LINES = ("application/javascript", "image/svg+xml")  # beside text, what is kept as a list of lines
_TRANSIENT = ("orig_nbformat", "orig_nbformat_minor", "signature")
_WORDS: dict[object, str] = {None: "null", True: "true", False: "false"}
_BY_ITSELF = BytesEncoder(indent=1, sort_keys=True, separators=(",", ": "), ensure_ascii=False)


def writes_json(notebook: Mapping[str, Any], **options: object) -> str:
    """The text of a notebook of format 4: indented by 1, sorted by name, texts of several lines as lists of them.

    With options, of nbformat's own writer, it is that which writes.

    >>> writes_json({"cells": [], "metadata": {}, "nbformat": 4})
    '{\\n "cells": [],\\n "metadata": {},\\n "nbformat": 4\\n}'
    """
    if options:
        return str(writes(notebook, **options))
    metadata = {name: value for name, value in notebook["metadata"].items() if name not in _TRANSIENT}
    return _text({**notebook, "metadata": metadata, "cells": [_cell(each) for each in notebook["cells"]]}, "\n")


def _cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    made = {**cell, "metadata": {name: value for name, value in cell["metadata"].items() if name != "trusted"}}
    if "source" in cell:
        made["source"] = _lines(cell["source"])
    if "attachments" in cell:
        made["attachments"] = {name: _bundle(data) for name, data in cell["attachments"].items()}
    if cell["cell_type"] == "code":
        made["outputs"] = [_output(each) for each in cell["outputs"]]
    return made


def _output(output: Mapping[str, Any]) -> Mapping[str, Any]:
    if output["output_type"] in ("execute_result", "display_data"):
        return {**output, "data": _bundle(output["data"])} if "data" in output else output
    return {**output, "text": _lines(output["text"])} if output["output_type"] == "stream" else output


def _bundle(data: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: _lines(one) if kind.startswith("text/") or kind in _LINES else one for kind, one in data.items()}


def _lines(text: object) -> object:
    return text.splitlines(keepends=True) if isinstance(text, str) else text


def _text(value: object, newline: str) -> str:
    """A value as JSON, each of its lines but the first beginning with ``newline``."""
    deeper = f"{newline} "
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, list | tuple) and value:
        parts = [encode_basestring(each) if type(each) is str else _text(each, deeper) for each in value]
        return f"[{deeper}{f',{deeper}'.join(parts)}{newline}]"
    if isinstance(value, dict) and value and all(type(name) is str for name in value):
        parts = [f"{encode_basestring(name)}: {_text(value[name], deeper)}" for name in sorted(value)]
        return f"{{{deeper}{f',{deeper}'.join(parts)}{newline}}}"
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if type(value) is int or (type(value) is float and isfinite(value)):
        return repr(value)
    return str(_BY_ITSELF.encode(value)).replace("\n", newline)  # what is empty, and whatever is rare
