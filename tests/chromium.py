"""The browser of the browser tests: Debian's Chromium, offline; without it they are skipped, and in CI they fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_CHROMIUM = Path("/usr/bin/chromium")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def skip_without() -> None:
    """Skip the module that calls this where there is no Chromium, but not where one is required."""
    if not _CHROMIUM.exists() and not os.environ.get("RISKCALC_BROWSER_REQUIRED"):
        pytest.skip(f"there is no Chromium at {_CHROMIUM}", allow_module_level=True)


@contextmanager
def launched() -> Iterator[Any]:
    """A browser, for a context."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(_CHROMIUM), args=_ARGUMENTS)
        yield browser
        browser.close()
