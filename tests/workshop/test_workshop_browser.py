"""The workshop as people meet it: the facilitator in a real JupyterLab, three participants on pages from a real Voila."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from chromium import skip_without
from register_files import write_register
from waiting import free_port, listens, wait_for

from riskcalc.workshop import record
from workshop.test_session import begin, vote

ROOT = Path(__file__).parents[2]

skip_without()
SIZES = """[...document.querySelectorAll(".room *")].filter(each => each.innerText?.trim())
    .map(each => parseFloat(getComputedStyle(each).fontSize))"""
BARS = """each => [...each.children].filter((_, at) => at % 3 === 1).map(bar => {
    const name = bar.previousElementSibling, [drawn, all] = [bar.firstChild, bar].map(one => one.getBoundingClientRect());
    const beside = name.getBoundingClientRect().right <= all.left && drawn.height > 5;
    return [name.innerText[0], beside ? Math.round(30 * drawn.width / all.width) / 30 : null];
})"""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a register and the notebooks, as a facilitator has it."""
    folder = tmp_path_factory.mktemp("room")
    write_register(folder / "data")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    path = folder / "notebooks" / "workshop.ipynb"
    path.write_text(path.read_text("utf-8").replace('\\"payroll\\"', '\\"alpha\\"'), "utf-8")
    return folder


def _ended(process: subprocess.Popen[Any]) -> None:
    for child in psutil.Process(process.pid).children(recursive=True):
        child.kill()
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def lab(room: Path) -> Iterator[str]:
    """JupyterLab's address, with settings of its own."""
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    private = {
        name: str(room / "jupyter" / name)
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_WORKSPACES_DIR", "JUPYTERLAB_SETTINGS_DIR")
    }
    with open(room / "lab.log", "wb") as log:
        process = subprocess.Popen(
            [*command, "--ServerApp.token=abc", "--LabApp.news_url=None"],
            cwd=room,
            stdout=log,
            stderr=log,
            env={**os.environ, **private},
        )
    wait_for(lambda: listens(port))
    yield f"http://127.0.0.1:{port}/doc/tree/notebooks/workshop.ipynb?token=abc&reset"
    _ended(process)


@pytest.fixture(scope="module")
def ballots(room: Path) -> Iterator[str]:
    """The address that the facilitator shares."""
    command = [sys.executable, "-u", "-m", "riskcalc", "workshop", "ballots", "data"]
    with open(room / "voila.log", "wb") as log:
        process = subprocess.Popen(command, cwd=room, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    yield next(line.strip() for line in process.stdout if "http://" in line)
    process.stdout.close()
    _ended(process)


def run_all(page: Any) -> None:
    """Run > Run All Cells, whatever dialogs greet a newcomer."""
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.get_by_text("| Idle").wait_for(timeout=60_000)
    page.locator('.lm-MenuBar-itemLabel:text-is("Run")').click()
    page.locator('.lm-Menu-itemLabel:text-is("Run All Cells")').click()


def test_a_workshop_in_jupyterlab_with_ballots_from_voila(room: Path, lab: str, ballots: str, browser: Any) -> None:
    """Run all; three vote on three pages; reveal; the kernel is killed; resume; lock; map and ratings.csv change."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import expect

    panel = browser.new_page(viewport={"width": 1440, "height": 2400})
    panel.goto(lab)
    run_all(panel)
    panel.get_by_label("Facilitator").fill("F. Lead", timeout=60_000)
    begins = panel.get_by_role("button", name="Begin the workshop")
    expect(begins).to_be_enabled()  # once the kernel knows the name: before, it can't be focused
    begins.focus()
    panel.keyboard.press("Enter")
    panel.get_by_role("button", name="Show the votes").wait_for()
    panel.get_by_text("Only this machine can open that address").wait_for()  # found without being typed
    with panel.context.expect_page() as opened:
        panel.get_by_role("button", name="Open the projector's window").click()
    wall = opened.value

    assert browser.new_page().goto(ballots.partition("?")[0]).url.endswith("%2F"), (
        "without its token the page asks to log in"
    )
    for number in range(3):
        voter = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
        voter.goto(ballots)
        voter.get_by_label("Your name").fill(f"Person {number}", timeout=60_000)
        voter.get_by_role("button", name="Take part").click()
        assert Axe().run(voter).violations_count == 0
        voter.get_by_role("group", name="How likely").get_by_role("radio").nth(number).check()
        voter.get_by_role("group", name="How bad").get_by_role("radio").nth(1).check()
        voter.get_by_role("button", name="Cast my vote").click()
        expect(voter.get_by_text("Your vote is in")).to_be_in_viewport()
        assert Axe().run(voter).violations_count == 0
        panel.get_by_text(f"{number + 1} of {number + 1} have voted on A-R1").first.wait_for()
        assert panel.get_by_text("Median").count() == 0

    panel.get_by_role("button", name="Show the votes").click()
    panel.get_by_text("Median 4, middle half 3 to 5, of 3 votes.").first.wait_for()
    drawn = panel.locator(".bars").first.evaluate(BARS)
    assert drawn == [["5", 1 / 3], ["4", 1 / 3], ["3", 1 / 3], ["2", 0], ["1", 0]], (
        "a line for each rating, drawn to scale"
    )
    voter.get_by_text("The votes are shown").wait_for()
    panel.locator("td.in-box").nth(2).wait_for()
    wall.get_by_text("median 4 of 3 votes").first.wait_for()
    assert wall.locator("tbody .dots i").count() == 3
    assert min(wall.evaluate(SIZES)) >= 28
    assert wall.locator("pre, code, .jp-Cell").count() == 0
    assert Axe().run(wall).violations_count == 0

    for process in psutil.process_iter(["cmdline", "cwd"]):
        if "ipykernel_launcher" in " ".join(process.info["cmdline"] or []) and process.info["cwd"] == str(
            room / "notebooks"
        ):
            process.kill()
    panel.wait_for_timeout(4_000)
    panel.reload()
    run_all(panel)
    panel.get_by_text("Median 4, middle half 3 to 5, of 3 votes.").first.wait_for(timeout=60_000)
    panel.get_by_label("Reason").fill("Agreed after discussion")
    panel.get_by_role("button", name="Lock the rating").click()
    panel.get_by_text("A-R1 is locked at 4 x 4; 1 left.").wait_for()
    assert "A-R1,2026-H1,4,4,Agreed after discussion" in (room / "data" / "ratings.csv").read_text("utf-8")
    cell = panel.locator("table.matrix").first.locator("tr", has_text="4 Likely").locator("td.cell").nth(3)
    assert "A-R1" in cell.inner_text()
    assert panel.get_by_text("Something went wrong").count() == 0


def test_the_record_does_not_scroll_sideways_on_a_telephone(small: Path, browser: Any) -> None:
    """Its tables and its matrix fit; the hash it quotes is broken where it has to be."""
    workshop = begin(small)
    vote(workshop, (1, 3), (1, 3), (5, 3), (5, 3))
    workshop.reveal()
    workshop.lock(3, 3, "Agreed after a long discussion of what happened last year.", "Workshop, F. Lead")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(record.write(workshop, small.parent).as_uri())
    workshop.store.close()
    wide = (
        "[...document.querySelectorAll('.table-scroll')].filter(each => each.scrollWidth > each.clientWidth + 1).length"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(wide) == 0
    assert page.evaluate("document.querySelector('nav ul').scrollWidth") <= 390 - 32
