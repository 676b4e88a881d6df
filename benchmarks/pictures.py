"""The pictures of the README, made again from the sample: ``python -m benchmarks.pictures`` (needs Chromium).

A unit's page as ``riskcalc run`` writes it, and what a workshop shows the room, without JupyterLab around it.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from riskcalc.workshop.facilitator import Panel
from riskcalc.workshop.store import Vote

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
_VOTES = [(3, 4), (4, 4), (4, 5), (3, 4), (4, 4), (2, 3), (4, 4), (3, 5)]
_SIZES, _MOST = {"page": (1280, 960), "workshop": (1920, 1080)}, 150_000


def page(folder: Path) -> str:
    """The address of a unit's page of the sample."""
    run = [sys.executable, "-m", "riskcalc", "run", str(ROOT / "data"), "--unit", "claims", "--out", str(folder)]
    subprocess.run(run, check=True, capture_output=True)
    return next(folder.glob("*/claims.html")).as_uri()


def workshop(folder: Path) -> str:
    """The address of a page with what the room sees once the votes on a risk are shown."""
    data = shutil.copytree(ROOT / "data", folder / "data")
    panel = Panel("claims", data_dir=str(data))
    panel.facilitator.value = "Facilitator"
    panel.begin.click()
    assert panel.workshop is not None
    panel.workshop.select("CLM-R06")
    for number, vote in enumerate(_VOTES):
        panel.workshop.store.vote(panel.workshop.workshop_id, "CLM-R06", f"Person {number}", Vote(*vote))
    panel.workshop.reveal()
    panel.refresh(new_risk=True)
    panel.look()
    file, room = folder / "room.html", panel.projector
    file.write_text(f"<!doctype html><meta charset='utf-8'><style>{room.css}</style>{room.html}", "utf-8")
    return file.as_uri()


def taken(browser: Browser, address: str, name: str) -> None:
    """A picture of what is first seen at an address."""
    width, height = _SIZES[name]
    opened = browser.new_page(viewport={"width": width, "height": height})
    opened.goto(address)
    opened.wait_for_timeout(2_000)
    file, shot = PICTURES / f"{name}.png", Image.open(io.BytesIO(opened.screenshot()))
    shot.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)
    opened.close()
    assert file.stat().st_size < _MOST, f"{file} has {file.stat().st_size:,} bytes"


def main() -> None:
    """Make all of them."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        taken(browser, page(Path(place, "reports")), "page")
        taken(browser, workshop(Path(place)), "workshop")
        browser.close()


if __name__ == "__main__":
    main()
