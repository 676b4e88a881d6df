"""The workshop, measured: ``python -m benchmarks.workshop``. From a stored vote to the map; many voters; many kills."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import riskcalc
from riskcalc.workshop import decision_log
from riskcalc.workshop.facilitator import Panel
from riskcalc.workshop.session import begin_workshop, open_workshop
from riskcalc.workshop.store import Store, Vote, beside

ROOT = Path(__file__).parent.parent
VOTER = """
import sys
from riskcalc.workshop.session import open_workshop
from riskcalc.workshop.store import Vote
workshop, number = open_workshop("payroll", data_dir=sys.argv[1]), int(sys.argv[2]) * 10_000
while True:
    number += 1
    workshop.store.vote(workshop.workshop_id, "PAY-R01", f"P{number}", Vote(2, 3))
    print("vote", number, flush=True)
    workshop.lock(number % 5 + 1, 3, f"reason {number}", "Lead", override=True)
    print("lock", number, flush=True)
"""


def register(folder: Path, risks: int) -> Path:
    """The sample register with more risks in its unit payroll."""
    data = folder / "data"
    shutil.copytree(ROOT / "data", data)
    for name, key in (("risks", "PAY-R01,"), ("ratings", "PAY-R01,2026-H1"), ("risk_controls", "PAY-R01,")):
        path = data / f"{name}.csv"
        line = next(line for line in path.read_text("utf-8").splitlines() if line.startswith(key))
        more = [line.replace("PAY-R01", f"PAY-X{number:03}") for number in range(risks - 13)]
        path.write_text(path.read_text("utf-8") + "\n".join(more) + "\n", "utf-8")
    return data


async def until_the_map_shows_it(data: Path, votes: int = 60) -> list[float]:
    """Seconds from a vote being stored by another thread to the panel's map saying so, with the panel's own loop."""
    begin_workshop("payroll", "F. Lead", data_dir=str(data))
    panel = Panel("payroll", data_dir=str(data))
    assert panel.workshop is not None
    voter, found = Store(beside(data)), []
    await asyncio.sleep(0.5)
    for number in range(votes):
        await asyncio.to_thread(voter.vote, panel.workshop.workshop_id, "PAY-R01", f"P{number}", Vote(2, 3))
        began = time.perf_counter()
        while f"{number + 1} of {number + 1} have voted" not in panel.map_inherent.value:
            await asyncio.sleep(0.001)
        found.append(time.perf_counter() - began)
    return found


def at_once(address: str, people: int = 15, risks: int = 200) -> tuple[int, float]:
    """Votes lost, and seconds, when everybody votes on everything at the same time."""
    store, names = Store(address), [f"R{number}" for number in range(risks)]
    head = {"unit_id": "u", "unit_name": "U", "period": "2026", "facilitator": "F", "begun_at": 1.0, "minimum": 3}
    scale = [{"rating": 1, "name": "one", "definition": "first"}]
    rows = [{"risk_id": name, "title": name, "description": name} for name in names]
    workshop = store.begin(head, rows, {"likelihood": scale, "impact": scale})

    def voter(person: int) -> None:
        own = Store(address)
        for name in names:
            own.vote(workshop, name, f"P{person}", Vote(1, 1))

    began = time.perf_counter()
    with ThreadPoolExecutor(people) as pool:
        list(pool.map(voter, range(people)))
    seconds = time.perf_counter() - began
    return people * risks - sum(len(store.ballots(workshop, name, 1)) for name in names), seconds


def kills(data: Path, times: int = 100) -> tuple[int, int, int]:
    """How many votes and decisions were confirmed, lost, and how many files broken, over many kills."""
    begin_workshop("payroll", "F. Lead", data_dir=str(data))
    confirmed: list[str] = []
    for kill in range(times):
        with subprocess.Popen(
            [sys.executable, "-c", VOTER, str(data), str(kill)], stdout=subprocess.PIPE, text=True
        ) as one:
            assert one.stdout is not None
            confirmed.append(one.stdout.readline().strip())
            threading.Timer(0.002 + 0.0037 * (kill % 40), os.kill, (one.pid, signal.SIGKILL)).start()
            confirmed += [line.strip() for line in one.stdout if line.endswith("\n")]
    workshop = open_workshop("payroll", data_dir=str(data))
    assert workshop is not None
    workshop.on_file.complete()
    known = {f"vote {name[1:]}" for name in workshop.store.voted(workshop.workshop_id, "PAY-R01", 1)}
    known |= {each.reason.replace("reason", "lock") for each in decision_log.read(data)}
    broken = len(decision_log.broken(data)) + len(decision_log.findings(riskcalc.load(data)))
    return len(confirmed), len([line for line in confirmed if line not in known]), broken


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shown = sorted(asyncio.run(until_the_map_shows_it(register(Path(folder, "a"), 200))))
        p95 = shown[int(0.95 * len(shown))]
        print(
            f"vote stored until the map shows it, 200 risks: median {statistics.median(shown):.3f} s, p95 {p95:.3f} s"
        )
        lost, took = at_once(f"sqlite:///{folder}/votes.sqlite")
        print(f"15 people x 200 risks at once, SQLite: {lost} votes lost, {took:.1f} s")
        if address := os.environ.get("RISKCALC_VOTES"):
            lost, took = at_once(address)
            print(f"15 people x 200 risks at once, PostgreSQL: {lost} votes lost, {took:.1f} s")
        confirmed, missing, broken = kills(register(Path(folder, "b"), 13))
        print(f"100 kills: {confirmed} votes and decisions confirmed, {missing} lost, {broken} files broken")


if __name__ == "__main__":
    main()
