"""Print a table of what was measured, each against something that the same machine does in the same run."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import riskcalc
from benchmarks.kept import keep
from riskcalc import loss
from riskcalc.assessment.scoring import residual

ROOT = Path(__file__).parent.parent
RUNS = 7


def seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """The median wall time of ``work``, after one run that isn't counted."""
    times = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def python(code: str) -> Callable[[], object]:
    """Run code in a fresh interpreter, with byte code cached as it is for users."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment)


ratios: dict[str, float] = {}


def row(what: str, ours: float, against: str, theirs: float, budget: str) -> None:
    ratios[f"{what}, against {against}"] = ours / theirs
    print(f"{what:<58} {ours:>9.3f} s   {against:<34} {theirs:>9.3f} s   {ours / theirs:>7.2f} x   {budget}")


def start_up() -> None:
    pandas = seconds(python("import pandas"))
    row(
        "import riskcalc; riskcalc.load",
        seconds(python("import riskcalc; riskcalc.load")),
        "import pandas",
        pandas,
        "<= 1.3",
    )
    row("import riskcalc", seconds(python("import riskcalc")), "import pandas", pandas, "<= 1.3")
    help_text = seconds(python("from riskcalc.cli.main import main; main(['--help'])"))
    row("riskcalc --help", help_text, "python -c pass", seconds(python("pass")), "no pandas")


def scoring(risks: int = 1_000_000, per_risk: int = 3) -> None:
    """The array kernel: residuals on both axes and levels in three views, against the bare look-up and product."""
    draw = np.random.default_rng(1)
    matrix = riskcalc.Matrix.read(ROOT / "data" / "methodology.toml")
    likelihood, impact = draw.integers(1, 6, risks), draw.integers(1, 6, risks)
    of_risk = np.repeat(np.arange(risks), per_risk)
    effect = draw.random(risks * per_risk)
    grid = np.array(matrix.grid)

    def bare() -> None:
        _ = grid[likelihood - 1, impact - 1], likelihood * impact

    def inherent() -> None:
        _ = matrix.codes(likelihood, impact), likelihood * impact

    def kernel() -> None:
        ratings = likelihood.astype(float), impact.astype(float)
        after = [residual(rating, effect, of_risk) for rating in ratings]
        _ = matrix.codes(*after), after[0] * after[1]

    base = seconds(bare)
    row("level and score of 1,000,000 rated risks", seconds(inherent), "NumPy look-up and product", base, "<= 10")
    row(f"the same with residuals of {per_risk} controls each", seconds(kernel), "NumPy look-up and product", base, "")


def register() -> None:
    load = seconds(lambda: riskcalc.load(ROOT / "data"))
    loaded = riskcalc.load(ROOT / "data")
    row("load and check the sample register", load, "score it", seconds(lambda: riskcalc.score(loaded)), "")


def yearly_loss(years: int = 100_000) -> None:
    """The exact yearly loss, and the simulated one, against only drawing the random numbers of a simulation."""
    few, many = _portfolio(50), _portfolio(1000)
    exact = seconds(lambda: loss.aggregate(*few))
    drawn = seconds(lambda: _only_draw(few[0], years))
    row("exact yearly loss, 50 risks", exact, "draw 100,000 years", drawn, "<= 0.5")
    simulated = seconds(lambda: loss.aggregate(*few, "simulate", seed=1, years=years))
    row("simulated yearly loss, 50 risks", simulated, "draw 100,000 years", drawn, "<= 2")
    row("exact yearly loss, 1,000 risks", seconds(lambda: loss.aggregate(*many)), "50 risks", exact, "<= 10")
    if importlib.util.find_spec("pyfair"):
        row("exact yearly loss, 50 risks", exact, "pyfair, 100,000 years", _pyfair(few[0]), "")


def _portfolio(risks: int) -> tuple[np.ndarray, loss.Lognormal]:
    draw = np.random.default_rng(1)
    low = draw.lognormal(10, 1, risks)
    return draw.uniform(0.05, 1, risks), loss.lognormal_90(low, 30 * low)


def _only_draw(rates: np.ndarray, years: int) -> None:
    draw = np.random.default_rng(2)
    for rate in rates:
        number = draw.poisson(rate * years)
        draw.integers(0, years, number)
        draw.lognormal(0, 1, number)


def _pyfair(rates: np.ndarray) -> float:
    """pyfair on as many risks, as far as it can: PERT for lognormal, one severity times the year's frequency."""
    from pyfair import FairMetaModel, FairModel

    def work() -> None:
        models = []
        for number, rate in enumerate(rates):
            one = FairModel(name=str(number), n_simulations=100_000)
            one.input_data("Loss Event Frequency", mean=float(rate), stdev=float(rate) ** 0.5)
            one.input_data("Loss Magnitude", low=1e4, mode=3e4, high=3e5)
            models.append(one.calculate_all())
        FairMetaModel(name="all", models=models).calculate_all()

    return seconds(work, runs=1)


def run() -> None:
    """One unit by the stock commands, against `riskcalc run` over all units of the sample, per unit."""
    book, scripts = ROOT / "notebooks" / "assessment.ipynb", Path(sys.executable).parent
    units = len(riskcalc.load(ROOT / "data").business_units)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.ipynb")
        stock = seconds(
            lambda: [
                subprocess.run([scripts / "papermill", book, out], check=True, capture_output=True, cwd=ROOT),
                subprocess.run(
                    [scripts / "jupyter", "nbconvert", "--to", "html", out], check=True, capture_output=True
                ),
            ],
            runs=1,
        )
        command = [scripts / "riskcalc", "run", "data", "--force", "--out", folder]
        ours = seconds(lambda: subprocess.run(command, check=True, capture_output=True, cwd=ROOT), runs=1)
    row(
        f"riskcalc run, {units} units and the organisation, per page",
        ours / (units + 1),
        "papermill + nbconvert, one unit",
        stock,
        "later: 1/40",
    )


if __name__ == "__main__":
    start_up()
    scoring()
    register()
    yearly_loss()
    run()
    for warning in keep("One thing at a time", ratios):
        print(warning)
