"""What a reader's browser makes of the pages: ``python -m benchmarks.pages [FOLDER]``, a table of widths x pages.

Without a folder of pages, the sample register is run for everybody, the board and the public first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PAGES = ("index", "payroll", "board/index", "board/payroll", "public/index", "public/payroll")
WIDTHS = tuple(map(int, os.environ.get("WIDTHS", "1440,1024,768,390,360").split(",")))
COLUMNS = (
    "page",
    "width",
    "kB",
    "paint ms",
    "charts ms",
    "drawn ms",
    "longest ms",
    "nodes",
    "screens",
    "words",
    "sideways",
)
_WATCH = """window.tasks = [];
new PerformanceObserver((list) => list.getEntries().forEach((each) => window.tasks.push(each.duration)))
  .observe({ type: "longtask", buffered: true });"""
_SEEN = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
  longest: Math.max(0, ...window.tasks),
  nodes: document.querySelectorAll("*").length,
  screens: document.documentElement.scrollHeight / innerHeight,
  words: document.querySelector("main").innerText.split(/\\s+/).length,
  sideways: [...document.querySelectorAll("main *")].filter((each) =>
    ["auto", "scroll"].includes(getComputedStyle(each).overflowX) && each.scrollWidth > each.clientWidth + 1
    && !each.querySelector(".matrix") && !each.closest("nav")).map((each) => each.ariaLabel ?? each.tagName),
})"""
_DRAW = """() => new Promise((done) => {
  const began = performance.now();
  const figures = [...document.querySelectorAll("figure.chart")].filter((each) => !each.querySelector(".picture"));
  const next = () => {
    const left = figures.find((each) => !each.classList.contains("drawn"));
    if (!left || performance.now() - began > 20000) return done(performance.now() - began);
    left.closest("details:not([open])")?.setAttribute("open", "");
    left.scrollIntoView();
    setTimeout(next, 10);
  };
  next();
})"""


def made(out: str) -> Path:
    for audience in ("", "board", "public"):
        asked = ["--audience", audience] if audience else []
        subprocess.run([sys.executable, "-m", "riskcalc", "run", "data", "--out", out, *asked], check=True)
    [folder] = Path(out).iterdir()
    return folder


def row(browser: Any, path: Path, name: str, width: int) -> tuple[Any, ...]:
    """One opening of a page: its first screen as a reader gets it, then all its charts by scrolling to each."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.add_init_script(_WATCH)
    page.goto(path.as_uri())
    charts = 0.0
    if b'id="plotly-gzip"' in path.read_bytes():
        page.wait_for_selector("html[data-charts=ready]", timeout=60_000)
        charts = page.evaluate("performance.getEntriesByName('charts-ready')[0]?.startTime ?? performance.now()")
    page.wait_for_timeout(300)
    page.add_style_tag(content="section { content-visibility: visible !important; }")  # its height, not a guess of it
    seen = page.evaluate(_SEEN)
    drawn = page.evaluate(_DRAW)
    longest = page.evaluate("Math.max(0, ...window.tasks)")
    page.close()
    size = path.stat().st_size / 1000
    if os.environ.get("SHOW_SIDEWAYS"):
        print(name, width, seen["sideways"], file=sys.stderr)
    numbers = (size, seen["paint"], charts, drawn, longest, seen["nodes"], round(seen["screens"], 1))
    return (
        name,
        width,
        *(round(n, 1) if n == numbers[-1] else round(n) for n in numbers),
        seen["words"],
        len(seen["sideways"]),
    )


def table(folder: Path) -> None:
    from playwright.sync_api import sync_playwright

    print("| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name in PAGES:
            for width in WIDTHS:
                print(
                    "| " + " | ".join(map(str, row(browser, folder / f"{name}.html", name, width))) + " |", flush=True
                )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        table(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as out:
            table(made(out))
