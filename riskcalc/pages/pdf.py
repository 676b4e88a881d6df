"""Pages as PDF, and their heatmaps as pictures, made by a Chromium of this machine; the extra ``pdf``.

Chromium, because it draws the charts of a page as people see them there; it has no network while it does.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from riskcalc.errors import PrintError, UsageError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_DRAWN = "!document.getElementById('plotly-gzip') || document.documentElement.dataset.charts === 'all'"
_STARTED = "!document.querySelector('script:not([type])') || document.documentElement.dataset.tables === 'ready'"
_OPEN = """document.querySelectorAll('details').forEach((each) => { each.open = true; });
document.dispatchEvent(new Event('draw-all'));"""
_PATIENCE = 60_000  # milliseconds that a page may take to draw its charts
_SHARP = 2  # pixels of a picture for each of a screen, for slides


@contextmanager
def printer() -> Iterator[Printer]:
    """A browser that prints pages, for a context; raises UsageError where there is none."""
    made = Printer()
    try:
        made.ready()
        yield made
    finally:
        made.close()


class Printer:
    """One browser, used by one thread of its own, whoever asks."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "printer")
        self._driver: Any = None
        self._browser: Any = None

    def ready(self) -> None:
        """Start the browser; raises UsageError where it can't be had."""
        self._thread.submit(self._start).result()

    def __call__(self, page: bytes, endings: Sequence[str]) -> dict[str, bytes]:
        """The page as ``.pdf``, its first heatmaps as ``.png``; raises PrintError if it can't be printed."""
        return self._thread.submit(self._print, page, endings).result()

    def close(self) -> None:
        """End the browser."""
        self._thread.submit(self._stop).result()
        self._thread.shutdown()

    def _start(self) -> None:
        try:
            from playwright.sync_api import Error, sync_playwright
        except ImportError:
            raise UsageError("PDF and PNG need an extra: pip install 'riskcalc-workbook[pdf]'.") from None
        installed = next(filter(None, map(shutil.which, _NAMES)), None)
        self._driver = sync_playwright().start()
        try:
            self._browser = self._driver.chromium.launch(
                executable_path=installed,
                chromium_sandbox=not hasattr(os, "geteuid") or os.geteuid() != 0,  # Chromium has none for root
                args=["--disable-gpu", "--disable-background-networking"],
            )
        except Error as error:
            told = str(error).strip().splitlines()[0]
            raise UsageError(
                f"PDF and PNG need Chromium; install it, or: playwright install chromium ({told})"
            ) from None

    def _print(self, page: bytes, endings: Sequence[str]) -> dict[str, bytes]:
        from playwright.sync_api import Error

        with tempfile.TemporaryDirectory(prefix="riskcalc-") as folder:
            file = Path(folder, "page.html")
            file.write_bytes(page)
            try:
                if not self._browser.is_connected():
                    self._stop()
                    self._start()
                return self._printed(file, endings)
            except Error as error:
                raise PrintError(f"can't be printed: {str(error).strip().splitlines()[0]}") from None

    def _printed(self, file: Path, endings: Sequence[str]) -> dict[str, bytes]:
        context = self._browser.new_context(
            viewport={"width": 1280, "height": 900}, device_scale_factor=_SHARP, offline=True, reduced_motion="reduce"
        )
        try:
            shown = context.new_page()
            shown.goto(file.as_uri())
            shown.wait_for_function(_STARTED, timeout=_PATIENCE)
            shown.evaluate(_OPEN)
            shown.wait_for_function(_DRAWN, timeout=_PATIENCE)
            made: dict[str, bytes] = {}
            if ".png" in endings:
                made[".png"] = shown.locator(".matrices").first.screenshot(animations="disabled")
            if ".pdf" in endings:
                made[".pdf"] = shown.pdf(format="A4", print_background=True, outline=True, tagged=True)
            return made
        finally:
            context.close()

    def _stop(self) -> None:
        for part, end in ((self._browser, "close"), (self._driver, "stop")):
            if part is not None:
                getattr(part, end)()
        self._browser = self._driver = None
