"""What is decided: the log is believed only as far as it is whole, and ratings.csv is what people made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from riskcalc import chain
from riskcalc.cli.main import main
from riskcalc.errors import UsageError
from riskcalc.workshop import decision_log, locking, record
from riskcalc.workshop.facilitator import Panel
from riskcalc.workshop.session import Workshop, begin_workshop

NOON = datetime(2026, 6, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def workshop(small: Path) -> Iterator[Workshop]:
    """A workshop on the small register's unit alpha, risk A-R1 up."""
    begun = begin_workshop("alpha", "F. Lead", data_dir=str(small), clock=lambda: NOON)
    yield begun
    begun.store.close()


def lock(workshop: Workshop, likelihood: int = 3) -> None:
    workshop.lock(likelihood, 3, "because", "Lead", override=True)


def tampered(workshop: Workshop, change: Callable[[str], str]) -> None:
    path = workshop.folder / decision_log.FILE
    path.write_text(change(path.read_text("utf-8")), "utf-8")


def test_the_log_is_plain_json_lines(workshop: Workshop) -> None:
    """Any tool can read it."""
    workshop.lock(3, 3, "because", "Lead", override=True)
    [line] = (workshop.folder / decision_log.FILE).read_text("utf-8").splitlines()
    assert json.loads(line)["after"]["rationale"] == "because"


def test_check_verifies_the_log_and_compares_it(workshop: Workshop) -> None:
    """`riskcalc check` tells of a line that was edited, one that was removed, and a rating that differs."""
    for risk in ("A-R1", "A-R2"):
        workshop.select(risk)
        workshop.lock(3, 3, "because", "Lead", override=True)
    path = workshop.folder / decision_log.FILE
    assert decision_log.broken(workshop.folder) == []
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text(lines[0].replace("because", "no matter") + lines[1], "utf-8")
    told = CliRunner().invoke(main, ["check", str(workshop.folder)]).output
    assert "line 1 was changed after it was written" in told
    path.write_text(lines[1], "utf-8")
    assert decision_log.broken(workshop.folder) == ["the line before line 1 was changed, added or taken away"]
    path.write_text("".join(lines), "utf-8")
    file = workshop.folder / "ratings.csv"
    file.write_text(file.read_text("utf-8").replace("A-R2,2026-H1,3,3", "A-R2,2026-H1,1,1"), "utf-8")
    told = CliRunner().invoke(main, ["check", str(workshop.folder)]).output
    assert "A-R2: ratings.csv differs from the workshop's last decision" in told


# --- ratings.csv is somebody's, too -----------------------------------------------------------------


@pytest.mark.parametrize("logged", [True, False])
def test_a_crash_on_the_way_is_made_good_and_said(
    workshop: Workshop, logged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log was written, ratings.csv not: the next panel carries it over. Nothing logged: nothing happened."""
    path = workshop.folder / "ratings.csv"
    before = path.read_bytes()
    with monkeypatch.context() as crash:
        if logged:
            crash.setattr(locking, "put_row", None)
        else:
            crash.setattr(chain, "as_line", None)
        with pytest.raises(TypeError):
            lock(workshop)
    assert path.read_bytes() == before
    panel = Panel("alpha", data_dir=str(workshop.folder))
    assert (b"A-R1,2026-H1,3,3" in path.read_bytes()) == logged
    assert ("The decision on A-R1 was logged when the program stopped" in panel.told.value) == logged
    assert panel.errors == []
    once = path.read_bytes()
    path.write_bytes(before)
    Panel("alpha", data_dir=str(workshop.folder))
    assert path.read_bytes() == before != once or not logged, "carried over once, not for ever"


def test_a_crash_and_then_somebody_elses_change_leaves_that(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's later word is overwritten by a decision that got stuck."""
    with monkeypatch.context() as crash:
        crash.setattr(locking, "put_row", None)
        with pytest.raises(TypeError):
            lock(workshop)
    path = workshop.folder / "ratings.csv"
    path.write_text(path.read_text("utf-8").replace("A-R1,2026-H1,5,4", "A-R1,2026-H1,1,1"), "utf-8")
    assert "somebody changed since" in workshop.on_file.complete()
    assert "A-R1,2026-H1,1,1" in path.read_text("utf-8")
    assert workshop.on_file.complete() == ""


def test_a_deliberate_checkout_is_not_undone(workshop: Workshop, tmp_path: Path) -> None:
    """Who puts ratings.csv back keeps it back: neither a notebook nor a record writes it, and both see it."""
    path = workshop.folder / "ratings.csv"
    before = path.read_bytes()
    lock(workshop)
    assert workshop.locked == {"A-R1"}
    path.write_bytes(before)
    Panel("alpha", data_dir=str(workshop.folder))
    done = CliRunner().invoke(
        main, ["workshop", "record", str(workshop.folder), "--unit", "alpha", "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0
    assert path.read_bytes() == before
    assert (workshop.locked, workshop.ratings()["A-R1"]) == (set(), (5, 4))
    assert "2 of 2 risks are still to be decided" in record.page(workshop)


def test_a_broken_chain_is_neither_obeyed_nor_built_upon(workshop: Workshop) -> None:
    """A line that somebody changed moves no rating; nothing is locked until the log is restored; the record says so."""
    path = workshop.folder / "ratings.csv"
    before = path.read_bytes()
    lock(workshop)
    log = (workshop.folder / decision_log.FILE).read_text("utf-8")
    path.write_bytes(before)
    (workshop.folder / decision_log.PENDING).write_text(decision_log.read(workshop.folder)[0].sha256, "utf-8")
    tampered(workshop, lambda text: text.replace('"likelihood":"3"', '"likelihood":"1"'))
    panel = Panel("alpha", data_dir=str(workshop.folder))
    assert "line 1 was changed after it was written. Nothing can be locked" in panel.told.value
    with pytest.raises(UsageError, match=r"Nothing was written\. Restore the log"):
        workshop.lock(4, 3, "because", "Lead", override=True, replace=True)
    assert path.read_bytes() == before
    assert "decisions.jsonl was changed, so nothing here is proven" in record.page(workshop)
    tampered(workshop, lambda _: log)
    assert workshop.on_file.complete().startswith("The decision on A-R1 was logged")
    assert workshop.ratings()["A-R1"] == (3, 3)


# --- lines that no workshop wrote -------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('","', '", "', 1),
        lambda text: text.replace("{", '{"reason":"another",', 1),
        lambda text: text.removesuffix("\n") + " \n",
        lambda text: text.replace('"overrides":true', '"overrides":1'),
    ],
    ids=["space", "repeated key", "space at the end", "another kind of value"],
)
def test_the_last_line_is_compared_byte_for_byte(workshop: Workshop, change: Callable[[str], str]) -> None:
    """No later line holds its hash, so white space and repeated keys in it went unnoticed."""
    lock(workshop)
    tampered(workshop, change)
    assert decision_log.broken(workshop.folder) == ["line 1 was changed after it was written"]


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"action":' + '{"a":' * 50_000 + "1" + "}" * 50_001,
        "9" * 5_000,
        "",
        "null",
        '{"group":{"impact":{"counts":[' + "9" * 5_000 + "]}}}",
    ],
    ids=["deep", "deep object", "digits", "blank", "null", "digits inside"],
)
def test_an_absurd_line_is_a_sentence(workshop: Workshop, line: str) -> None:
    """`riskcalc check` tells of it by its number, without a traceback, and the panel opens."""
    lock(workshop)
    tampered(workshop, lambda text: f"{text}{line}\n")
    assert decision_log.broken(workshop.folder) == ["line 2 can't be read as a decision"]
    told = CliRunner().invoke(main, ["check", str(workshop.folder)])
    assert (told.exit_code, "line 2 can't be read as a decision" in told.output) == (0, True), told.output
    assert Panel("alpha", data_dir=str(workshop.folder)).errors == []


@pytest.mark.parametrize("field", ["decided_by", "risk_id", "unit_id", "decided_at"])
def test_a_log_line_cannot_forge_lines_of_the_terminal(workshop: Workshop, field: str) -> None:
    """Escape sequences from a received register never reach the terminal."""
    lock(workshop)
    workshop.on_file.folder.joinpath(decision_log.FILE).write_text(
        json.dumps({**json.loads((workshop.folder / decision_log.FILE).read_text("utf-8")), field: "x\x1b[2Jforged\n"})
        + "\n"
    )
    told = CliRunner().invoke(main, ["check", str(workshop.folder)]).output
    assert "line 1 can't be read as a decision" in told
    assert "\x1b" not in told
    assert "forged" not in told


def test_names_that_would_forge_lines_are_refused_where_they_are_given(workshop: Workshop) -> None:
    """The one who decides and the one who facilitates are printed later; a reason may have several lines."""
    with pytest.raises(UsageError, match="control character"):
        workshop.lock(3, 3, "because", "Lead\x1b[2J", override=True)
    with pytest.raises(UsageError, match="control character"):
        begin_workshop("alpha", "Lead\u202egnp", data_dir=str(workshop.folder))
    assert workshop.lock(3, 3, "first\nsecond", "Lead", override=True).reason == "first\nsecond"
