"""Data frames and plotly figures that a notebook displays, as a page's: from their data, in the same bytes always."""

from __future__ import annotations

from collections.abc import Set
from datetime import date
from typing import Any

import pandas as pd

from riskcalc.errors import counted
from riskcalc.imports import without_grammar
from riskcalc.pages.display import ADDRESS, DISPLAY_MIME, Display, table

MOST_ROWS, MOST_COLUMNS = 60, 20  # what a reader of a page still reads; the data is in the register, not on the page


def frame_table(frame: pd.DataFrame | pd.Series) -> Display:
    """A data frame, or a series, as a table; of a large one the first rows and columns, and a sentence that says so.

    >>> import pandas as pd
    >>> frame_table(pd.DataFrame({"risk_id": ["R1"], "score": [2.5]})).content["rows"]
    [['R1', '2.5']]
    """
    whole = _with_index(frame)
    part = whole.iloc[:MOST_ROWS, :MOST_COLUMNS]
    names = [" / ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in part.columns]
    rows = [[_shown(value) for value in row] for row in part.itertuples(index=False, name=None)]
    numeric = [name for name, kind in zip(names, part.dtypes, strict=True) if pd.api.types.is_numeric_dtype(kind)]
    cut = [
        f"the first {shown} of {counted(there, noun)}"
        for shown, there, noun in zip(part.shape, whole.shape, ("row", "column"), strict=True)
        if shown < there
    ]
    note = f"Shown: {' and '.join(cut)}." if cut else ""
    title = " x ".join(counted(number, noun) for number, noun in zip(whole.shape, ("row", "column"), strict=True))
    return table(f"Data: {title}", names, rows, numeric=numeric, note=note)


def teach(shell: Any) -> None:
    """Let an IPython shell display frames, beside pandas' own HTML, and figures as a page can show them."""
    import plotly.graph_objects as go
    import plotly.io

    from riskcalc.pages.charts import as_chart

    def bundle(frame: Any) -> dict[str, Any]:
        return {DISPLAY_MIME: frame_table(frame).as_json()}

    def publish(figure: go.Figure) -> None:
        shell.display_pub.publish(as_chart(figure)._repr_mimebundle_())

    for kind in (pd.DataFrame, pd.Series):
        shell.display_formatter.mimebundle_formatter.for_type(kind, bundle)
    shell.display_formatter.ipython_display_formatter.for_type(go.Figure, publish)
    with without_grammar():
        plotly.io.renderers.default = "plotly_mimetype"  # for figures that a cell shows by itself


# --- parts ---


def _with_index(frame: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """The frame with its index as columns in front, if that says more than the rows' numbers do."""
    whole = frame.to_frame() if isinstance(frame, pd.Series) else frame
    index = whole.index
    levels = [number for number, name in enumerate(index.names) if name is None or name not in whole.columns]
    if isinstance(index, pd.RangeIndex) or not levels:
        return whole
    front = pd.DataFrame({number: index.get_level_values(number).array for number in levels}, index=index)
    names = ["" if index.names[number] is None else index.names[number] for number in levels]
    return pd.concat([front, whole], axis="columns").set_axis([*names, *whole.columns], axis="columns")


def _shown(value: Any) -> str:
    """A value as a reader reads it; never the address of an object, which is another one each time."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    if isinstance(value, Set):
        return ", ".join(sorted(map(_shown, value)))
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "–"
    if pd.api.types.is_float(value):
        value = float(value)
        plain = f"{value:,.4f}".rstrip("0").rstrip(".")
        return plain if value == 0 or 0.001 <= abs(value) < 1e15 else f"{value:.4g}"
    if isinstance(value, date) and str(value).endswith(" 00:00:00"):
        return str(value)[:10]
    text = str(value)
    return f"({type(value).__name__})" if not isinstance(value, str) and ADDRESS.search(text) else text
