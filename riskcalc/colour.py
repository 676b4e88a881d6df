"""Colours as people see them: relative luminance and contrast (WCAG 2.2), and which ink to write with."""

from __future__ import annotations

import re

INK, PAPER = "#1a1f26", "#ffffff"


def is_hex(text: str) -> bool:
    """Whether ``text`` is a colour as ``#rrggbb``."""
    return re.fullmatch("#[0-9a-fA-F]{6}", text) is not None


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour ``#rrggbb``, 0 (black) to 1 (white); WCAG 2.2, "relative luminance".

    >>> luminance("#ffffff")
    1.0
    """
    channels = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 (alike) to 21 (black on white); WCAG 2.2, "contrast ratio".

    >>> round(contrast("#000000", "#ffffff"), 1)
    21.0
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(background: str) -> str:
    """The text colour, dark or white, that reads better on ``background``."""
    return max((INK, PAPER), key=lambda ink: contrast(ink, background))


def ramp(count: int) -> list[str]:
    """``count`` colours from pale to dark red-brown, for levels that come without any."""
    pale, dark = (0xFD, 0xF0, 0xDC), (0x7A, 0x12, 0x22)
    steps = [index / max(count - 1, 1) for index in range(count)]
    return [
        "#" + "".join(f"{round(a + (b - a) * step):02x}" for a, b in zip(pale, dark, strict=True)) for step in steps
    ]
