"""Pages as PDF, and their heatmaps as pictures, made by a Chromium of this machine; the extra ``pdf``.

Chromium, because it draws the charts of a page as people see them there; it has no network while it does.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from riskcalc.errors import PrintError, UsageError

if TYPE_CHECKING:
    from playwright.async_api import Page

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_DRAWN = "!document.getElementById('plotly-gzip') || document.documentElement.dataset.charts === 'all'"
_STARTED = "!document.querySelector('script:not([type])') || document.documentElement.dataset.tables === 'ready'"
_OPEN = """document.querySelectorAll('details').forEach((each) => { each.open = true; });
document.dispatchEvent(new Event('draw-all'));"""
_PATIENCE = 60.0  # seconds that a page may take to draw its charts
_LOOK = 0.05  # seconds between two looks at it
_SHARP = 2  # pixels of a picture for each of a screen, for slides

_T = TypeVar("_T")


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
    """One browser, with a page for each that asks at a time, driven by a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="printer", daemon=True)
        self._thread.start()
        self._starting = asyncio.Lock()
        self._driver: Any = None
        self._browser: Any = None

    def ready(self) -> None:
        """Start the browser; raises UsageError where it can't be had."""
        self._done(self._start())

    def __call__(self, page: bytes, endings: Sequence[str]) -> dict[str, bytes]:
        """The page as ``.pdf``, its first heatmaps as ``.png``; raises PrintError if it can't be printed."""
        return self._done(self._print(page, endings))

    def close(self) -> None:
        """End the browser."""
        self._done(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _done(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start(self) -> None:
        try:
            from playwright.async_api import Error, async_playwright
        except ImportError:
            raise UsageError("PDF and PNG need an extra: pip install 'riskcalc-workbook[pdf]'.") from None
        installed = next(filter(None, map(shutil.which, _NAMES)), None)
        self._driver = await async_playwright().start()
        try:
            self._browser = await self._driver.chromium.launch(
                executable_path=installed,
                chromium_sandbox=not hasattr(os, "geteuid") or os.geteuid() != 0,  # Chromium has none for root
                args=["--disable-gpu", "--disable-background-networking"],
            )
        except Error as error:
            told = str(error).strip().splitlines()[0]
            raise UsageError(
                f"PDF and PNG need Chromium; install it, or: playwright install chromium ({told})"
            ) from None

    async def _print(self, page: bytes, endings: Sequence[str]) -> dict[str, bytes]:
        from playwright.async_api import Error

        with tempfile.TemporaryDirectory(prefix="riskcalc-") as folder:
            file = Path(folder, "page.html")
            file.write_bytes(page)
            try:
                async with self._starting:
                    if not self._browser.is_connected():
                        await self._stop()
                        await self._start()
                return await self._printed(file, endings)
            except Error as error:
                raise PrintError(f"can't be printed: {str(error).strip().splitlines()[0]}") from None

    async def _printed(self, file: Path, endings: Sequence[str]) -> dict[str, bytes]:
        context = await self._browser.new_context(
            viewport={"width": 1280, "height": 900}, device_scale_factor=_SHARP, offline=True, reduced_motion="reduce"
        )
        try:
            shown = await context.new_page()
            await shown.goto(file.as_uri())
            await _until(shown, _STARTED)
            await shown.evaluate(_OPEN)
            await _until(shown, _DRAWN)
            made: dict[str, bytes] = {}
            if ".png" in endings:
                made[".png"] = await shown.locator(".matrices").first.screenshot(animations="disabled")
            if ".pdf" in endings:
                made[".pdf"] = await shown.pdf(format="A4", print_background=True, outline=True, tagged=True)
            return made
        finally:
            await context.close()

    async def _stop(self) -> None:
        for part, end in ((self._browser, "close"), (self._driver, "stop")):
            if part is not None:
                await getattr(part, end)()
        self._browser = self._driver = None


async def _until(shown: Page, drawn: str) -> None:
    """Wait for a page; Playwright's own waiting calls eval, which a page's policy refuses from the second look on."""
    deadline = time.monotonic() + _PATIENCE
    while not await shown.evaluate(drawn):
        if time.monotonic() > deadline:
            raise PrintError(f"can't be printed: it isn't drawn after {_PATIENCE:.0f} s")
        await asyncio.sleep(_LOOK)
