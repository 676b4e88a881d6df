"""A notebook's text, against nbformat's own writer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import v4
from nbformat.notebooknode import from_dict
from nbformat.v4.nbjson import JSONWriter

from riskcalc.run.notebook_json import writes_json

TEXTS = st.text() | st.lists(st.sampled_from(["a\n", "\r\n", "é\x85", "\u2028", '"\\', "\x1f</script>"])).map("".join)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=3).map(lambda _: b"QUJD")
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(TEXTS, inner)
        | st.dictionaries(st.integers(), inner)
    ),
    max_leaves=12,
)
KINDS = st.sampled_from(
    ["text/plain", "text/html", "image/svg+xml", "application/json", "application/vnd.x+json", "a/b"]
)
BUNDLES = st.dictionaries(KINDS, VALUES)
META = st.dictionaries(st.sampled_from(["trusted", "signature", "orig_nbformat", "tags", "é"]), VALUES)
DISPLAYED = st.builds(lambda data, meta: {"output_type": "display_data", "data": data, "metadata": meta}, BUNDLES, META)
RESULT = st.builds(
    lambda data: {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 3}, BUNDLES
)
STREAM = TEXTS.map(lambda text: {"output_type": "stream", "name": "stdout", "text": text})
ERROR = TEXTS.map(lambda text: {"output_type": "error", "ename": text, "evalue": text, "traceback": [text]})
CODE = st.builds(
    lambda source, outputs, meta: {
        "cell_type": "code",
        "id": "x",
        "execution_count": None,
        "source": source,
        "outputs": outputs,
        "metadata": meta,
    },
    TEXTS,
    st.lists(DISPLAYED | RESULT | STREAM | ERROR, max_size=3),
    META,
)
MARKDOWN = st.builds(
    lambda source, files: {"cell_type": "markdown", "id": "y", "source": source, "metadata": {}, "attachments": files},
    TEXTS,
    st.dictionaries(TEXTS, BUNDLES, max_size=2),
)


@given(st.lists(CODE | MARKDOWN, max_size=3), META)
def test_it_is_the_text_that_nbformat_writes(cells: list[Any], meta: dict[str, Any]) -> None:
    notebook = from_dict({"cells": cells, "metadata": meta, "nbformat": 4, "nbformat_minor": 5})
    assert writes_json(notebook) == JSONWriter().writes(notebook)


def test_what_a_notebook_lacks_is_not_made_up() -> None:
    """Not valid, but written as it is: nbformat only says so."""
    output = {"output_type": "display_data", "metadata": {}}
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [output]}, {"cell_type": "raw", "metadata": {}}]
    notebook = from_dict({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    assert writes_json(notebook) == JSONWriter().writes(notebook)


def test_options_are_those_of_nbformat() -> None:
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("é\nb", id="a")])
    for options in ({"ensure_ascii": True}, {"split_lines": False}):
        assert writes_json(notebook, **options) == JSONWriter().writes(notebook, **options)


def test_what_is_no_json_is_refused_as_by_nbformat() -> None:
    notebook = v4.new_notebook(metadata={"day": {1, 2}})
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        writes_json(notebook)


def test_the_notebook_itself_stays_as_it_was() -> None:
    cell = v4.new_code_cell("a\nb", outputs=[v4.new_output("stream", text="c\nd")], metadata={"trusted": True})
    notebook = v4.new_notebook(cells=[cell])
    writes_json(notebook)
    assert (cell.source, cell.outputs[0].text, cell.metadata) == ("a\nb", "c\nd", {"trusted": True})
