"""A chart of lines as a picture: SVG from a plotly figure's own numbers, for screens without scripts and paper."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Said = Mapping[str, Any]
Floats = npt.NDArray[np.float64]
_WIDTHS = {"wide": (960, 330), "narrow": (350, 300)}  # pixels, for a screen and a phone
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 24, 52
_DASHES = {"dash": "8 5", "dot": "2 4"}


def drawn(figure: Said) -> list[dict[str, Any]]:
    """What a template draws of a figure, wide and narrow; nothing if it isn't one of our curves over amounts."""
    if not (figure["layout"].get("meta") or {}).get("riskcalc", {}).get("curve"):
        return []
    return [_drawn(figure, name, *size) for name, size in _WIDTHS.items()]


def numbers(values: Mapping[str, str] | Sequence[float]) -> Floats:
    """A chart's numbers, which plotly stores as a list or as the bytes of an array."""
    if isinstance(values, Mapping):
        return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"]).astype(float)
    return np.asarray(values, dtype=float)


# --- parts ---


def _drawn(figure: Said, name: str, width: int, height: int) -> dict[str, Any]:
    layout, data = figure["layout"], figure["data"]
    low, high = (np.log10(each) for each in _span(data))
    plane = (low, max(high - low, 1e-9), width - _LEFT - _RIGHT, height - _TOP - _BOTTOM)
    bands = [(under, over) for under, over in pairwise(data) if over.get("fill") == "tonexty"]
    lines = [trace for trace in data if trace["line"].get("width")]
    return {
        "name": name,
        "width": width,
        "height": height,
        "base": height - _BOTTOM,
        "left": _LEFT,
        "right": width - _RIGHT,
        "top": _TOP,
        "label": layout["xaxis"]["title"]["text"],
        "says": layout["yaxis"]["title"]["text"],
        "rows": [{"y": _y(part, plane), "text": f"{part:.0%}"} for part in (0, 0.25, 0.5, 0.75, 1)],
        "columns": [{"x": _x(amount, plane), "text": _short(amount)} for amount in _ticks(low, high, width)],
        "bands": [{"path": _band(under, over, plane), "fill": over["fillcolor"]} for under, over in bands],
        "lines": [_line(trace, plane) for trace in lines],
        "rules": [_rule(shape, layout, plane) for shape in layout.get("shapes", [])],
    }


def _span(data: Sequence[Said]) -> tuple[float, float]:
    amounts = np.concatenate([numbers(trace["x"]) for trace in data])
    return float(amounts.min()), float(amounts.max())


def _x(amount: float, plane: Sequence[float]) -> str:
    return f"{_LEFT + (np.log10(amount) - plane[0]) / plane[1] * plane[2]:.1f}"


def _y(part: float, plane: Sequence[float]) -> str:
    return f"{_TOP + (1 - part) * plane[3]:.1f}"


def _points(trace: Said, plane: Sequence[float]) -> list[str]:
    x = _LEFT + (np.log10(numbers(trace["x"])) - plane[0]) / plane[1] * plane[2]
    y = _TOP + (1 - numbers(trace["y"])) * plane[3]
    return [f"{across:.1f} {down:.1f}" for across, down in zip(x.tolist(), y.tolist(), strict=True)]


def _band(under: Said, over: Said, plane: Sequence[float]) -> str:
    return f"M{'L'.join([*_points(under, plane), *reversed(_points(over, plane))])}Z"


def _line(trace: Said, plane: Sequence[float]) -> dict[str, Any]:
    line = trace["line"]
    style = {"ink": line["color"], "width": line["width"], "dash": _DASHES.get(line.get("dash"), "")}
    return {"path": f"M{'L'.join(_points(trace, plane))}", "name": trace["name"], **style}


def _rule(shape: Said, layout: Said, plane: Sequence[float]) -> dict[str, str]:
    """An amount that the curves are held against, with its name."""
    place = np.log10(float(shape["x0"]))
    named = [
        each for each in layout.get("annotations", []) if abs(each["x"] - place) < 1e-9 and each.get("yref") == "paper"
    ]
    name, side = (named[0]["text"], named[0]["xanchor"]) if named else ("", "left")
    return {"x": _x(float(shape["x0"]), plane), "text": name, "anchor": {"left": "start", "right": "end"}[side]}


def _ticks(low: float, high: float, width: int) -> list[float]:
    """Amounts of one digit that the axis names, as many as it has room for."""
    digits = (1, 2, 5) if width > 600 and high - low < 4 else (1,)
    found = [digit * 10.0**power for power in range(int(np.floor(low)), int(np.ceil(high)) + 1) for digit in digits]
    return [amount for amount in found if low <= np.log10(amount) <= high]


def _short(amount: float) -> str:
    """An amount as an axis names it.

    >>> _short(20_000.0), _short(5_000_000.0)
    ('20 k', '5 m')
    """
    for size, letter in ((1e9, " bn"), (1e6, " m"), (1e3, " k")):
        if amount >= size:
            return f"{amount / size:g}{letter}"
    return f"{amount:g}"
