"""A page open in the browser, and all that it did while it opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Opened:
    """A page, offline; ``requests`` and ``complaints`` (console, errors, dialogs) hold what it did."""

    def __init__(self, browser: Any, path: Path, width: int = 1440, scripts: bool = True, wait: bool = True) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=scripts, offline=True
        )
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.goto(path.as_uri())
        if scripts and wait:
            self.page.wait_for_selector("html[data-charts=ready]", timeout=30_000)

    def close(self) -> None:
        """Leave the page."""
        self.context.close()
