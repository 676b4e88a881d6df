"""A workshop without a browser: votes, rounds, locks, the log, and what happens when something goes wrong in between."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from databases import postgresql

import riskcalc
from riskcalc.cli.main import main
from riskcalc.errors import RegisterError, UsageError
from riskcalc.workshop import decision_log, record
from riskcalc.workshop.ballot import Desk
from riskcalc.workshop.locking import RatingChangedError
from riskcalc.workshop.session import Workshop, begin_workshop, open_workshop
from riskcalc.workshop.store import Store, Vote, beside
from riskcalc.workshop.vote_import import import_votes

NOON = datetime(2026, 6, 20, 12, 0, tzinfo=UTC)


def begin(folder: Path, votes: str = "", period: str = "") -> Workshop:
    return begin_workshop("alpha", "F. Lead", period, str(folder), votes, clock=lambda: NOON)


def vote(workshop: Workshop, *ratings: tuple[int | None, int | None]) -> None:
    risk = workshop.row["risk_id"]
    for number, rating in enumerate(ratings):
        workshop.store.vote(workshop.workshop_id, risk, f"Person {number}", Vote(*rating))


def ratings(folder: Path) -> list[str]:
    return (folder / "ratings.csv").read_text("utf-8").splitlines()


@pytest.fixture
def workshop(small: Path) -> Iterator[Workshop]:
    """A workshop on the small register's unit alpha, risk A-R1 up."""
    begun = begin(small)
    yield begun
    begun.store.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL server's address."""
    with postgresql() as address:
        yield address


# --- rounds -----------------------------------------------------------------------------------------


def test_nothing_is_shown_before_three_votes_are_in(workshop: Workshop) -> None:
    """Two votes stay blind; the third lets the facilitator show them."""
    vote(workshop, (2, 3), (4, 3))
    with pytest.raises(UsageError, match="2 of at least 3 votes are in"):
        workshop.reveal()
    assert workshop.standing().tallies is None
    workshop.store.vote(workshop.workshop_id, "A-R1", "Person 9", Vote(None, 3))
    workshop.reveal()
    tallies = workshop.standing().tallies
    assert tallies is not None
    assert tallies["likelihood"].counts == (0, 1, 0, 1, 0)
    assert tallies["likelihood"].abstained == 1


def test_fewer_than_three_can_not_be_asked_for(small: Path) -> None:
    """The smallest group whose votes may be shown isn't up to the facilitator."""
    with pytest.raises(UsageError, match="2 is too few"):
        begin_workshop("alpha", "F. Lead", data_dir=str(small), minimum=2)


def test_a_vote_after_the_reveal_is_refused_until_a_further_round(workshop: Workshop) -> None:
    """Who saw the votes can't vote in the same round."""
    vote(workshop, (2, 3), (4, 3), (3, 3))
    workshop.reveal()
    with pytest.raises(UsageError, match="were revealed"):
        vote(workshop, (1, 1))
    workshop.vote_again()
    assert workshop.standing().number == 2
    vote(workshop, (1, 1))
    assert workshop.standing().votes == 1


def test_a_closed_workshop_takes_no_votes(workshop: Workshop) -> None:
    """What comes in after the end, as from a page that was asleep, is refused with the reason, and not stored."""
    vote(workshop, (2, 3))
    ballot = workshop.store.vote(workshop.workshop_id, "A-R2", "Ann", Vote(1, 1))
    workshop.close()
    for late in (
        lambda: workshop.store.vote(workshop.workshop_id, "A-R1", "late", Vote(1, 1)),
        lambda: workshop.store.revote(ballot, Vote(5, 5)),
        lambda: workshop.reveal(),
    ):
        with pytest.raises(UsageError, match="was ended"):
            late()
    assert workshop.store.ballots(workshop.workshop_id, "A-R1", 1) == [Vote(2, 3)]
    assert workshop.store.ballots(workshop.workshop_id, "A-R2", 1) == [Vote(1, 1)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_six_begins_at_once_open_one_workshop(small: Path, kind: str, request: pytest.FixtureRequest) -> None:
    """Two facilitators who press the button together don't split the group."""
    address = beside(small) if kind == "sqlite" else str(request.getfixturevalue("server"))

    def begun(_: int) -> str:
        try:
            begin(small, address).store.close()
        except UsageError as error:
            return str(error)
        return "begun"

    with ThreadPoolExecutor(6) as people:
        told = sorted(people.map(begun, range(6)))
    assert told == ["A workshop on alpha in 2026-H1 is under way; open that one."] * 5 + ["begun"]
    store = Store(address)
    assert len(store.workshops("alpha", closed=True)) == 1
    store.close()


def test_nobody_votes_twice_but_may_change_a_blind_vote(workshop: Workshop) -> None:
    """The same name on another device is refused; the same page changes its vote until the reveal."""
    desk, other = Desk(workshop.store), Desk(workshop.store)
    for each in (desk, other):
        each.join(" Ann ")
    desk.cast("A-R1", 1, 2, None)
    desk.cast("A-R1", 1, 3, 4)
    with pytest.raises(UsageError, match="Ann has voted on A-R1"):
        other.cast("A-R1", 1, 5, 5)
    assert other.page()["state"] == "voted_elsewhere"
    assert workshop.store.ballots(workshop.workshop_id, "A-R1", 1) == [Vote(3, 4)]
    vote(workshop, (1, 1), (1, 1))
    workshop.reveal()
    with pytest.raises(UsageError, match="were revealed"):
        desk.cast("A-R1", 1, 1, 1)


def test_a_ballot_off_the_scale_or_late_is_refused(workshop: Workshop) -> None:
    """What a page sends is checked: ratings that exist, the round it showed."""
    desk = Desk(workshop.store)
    desk.join("Ann")
    with pytest.raises(UsageError, match="likelihood: 6; allowed: 1 to 5"):
        desk.cast("A-R1", 1, 6, 1)
    with pytest.raises(UsageError, match="further round"):
        desk.cast("A-R1", 2, 1, 1)
    with pytest.raises(UsageError, match="Enter a name"):
        desk.join("  ")
    with pytest.raises(UsageError, match=r"holds the control character '\\x1b'"):
        desk.join("Ann\x1b[2J")


def test_a_bad_address_of_the_votes_is_told_before_anything_is_served(small: Path) -> None:
    """No server starts, no traceback, exit code 2."""
    told = CliRunner().invoke(main, ["workshop", "ballots", str(small), "--votes", "nonsense"])
    assert (told.exit_code, "no database known here" in told.output) == (2, True)


def test_a_second_voter_on_the_same_page_is_noted_too(workshop: Workshop) -> None:
    """One screen for all: each name is listed among the participants."""
    desk = Desk(workshop.store)
    for name in ("Ann", "Ben"):
        desk.join(name)
        desk.page()
        desk.leave()
    assert workshop.standing().participants == ("Ann", "Ben")


def test_the_ballot_follows_the_facilitator_or_goes_ahead(workshop: Workshop) -> None:
    """It shows the risk that is up, with the scale's definitions, unless its owner chose another."""
    desk = Desk(workshop.store)
    assert desk.page()["state"] == "joining"
    desk.join("Ann")
    assert (desk.page()["risk_id"], desk.page()["is_up"]) == ("A-R1", True)
    assert desk.page()["scales"]["likelihood"][0]["definition"]
    workshop.next()
    assert desk.page()["risk_id"] == "A-R2"
    desk.choose("A-R1")
    assert (desk.page()["risk_id"], desk.page()["is_up"]) == ("A-R1", False)
    workshop.close()
    assert desk.page()["state"] == "waiting"


def test_no_row_ties_a_name_or_a_time_to_a_vote(workshop: Workshop) -> None:
    """The ballots' table has no such column, its ids are random, and the file keeps no order of arrival."""
    vote(workshop, (2, 3), (4, 3), (3, 3))
    path = workshop.folder / "workshop.sqlite"
    with sqlite3.connect(path) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(ballots)")}
        assert columns == {"ballot_id", "workshop_id", "risk_id", "round", "likelihood", "impact"}
        made = connection.execute("SELECT sql FROM sqlite_master WHERE name IN ('ballots', 'voted')").fetchall()
        assert all("WITHOUT ROWID" in sql for (sql,) in made)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_the_next_risk_by_order_dispute_or_severity(small: Path) -> None:
    """The most disputed is that whose blind votes are furthest apart; the most severe comes unrated first."""
    workshop = begin(small)
    assert workshop.next("most severe") == "A-R2"
    workshop.select("A-R1")
    assert workshop.next() == "A-R2"
    for number, rating in enumerate((1, 1, 5, 5)):
        workshop.store.vote(workshop.workshop_id, "A-R1", f"P{number}", Vote(rating, 3))
    assert workshop.next("most disputed") == "A-R1"


# --- decisions --------------------------------------------------------------------------------------


def test_a_lock_replaces_one_row_and_leaves_every_other_byte(workshop: Workshop) -> None:
    """ratings.csv has the new rating with its reason and the spread of the votes; the score follows."""
    before = ratings(workshop.folder)
    vote(workshop, (2, 3), (4, 3), (3, 3))
    workshop.reveal()
    workshop.lock(3, 3, 'Agreed, "after discussion"', "Workshop")
    after = ratings(workshop.folder)
    changed = [line for line in after if line not in before]
    assert changed == ['A-R1,2026-H1,3,3,"Agreed, ""after discussion""",Workshop,2026-06-20,3,2,4,3,3,,']
    assert len(after) == len(before)
    scores = riskcalc.score(riskcalc.load(workshop.folder)).set_index("risk_id")
    assert scores.loc["A-R1", "inherent_score"] == 9


def test_a_lock_needs_a_reason_a_name_and_the_group(workshop: Workshop) -> None:
    """Departing from the median, or deciding without a vote, must be called an override."""
    with pytest.raises(UsageError, match="hasn't voted"):
        workshop.lock(3, 3, "because", "Lead")
    vote(workshop, (2, 3), (4, 3), (3, 3))
    workshop.reveal()
    with pytest.raises(UsageError, match="with its reason"):
        workshop.lock(3, 3, " ", "Lead")
    with pytest.raises(UsageError, match="who decides"):
        workshop.lock(3, 3, "because", "")
    with pytest.raises(UsageError, match="median is 3 x 3"):
        workshop.lock(5, 5, "because", "Lead")
    assert workshop.lock(5, 5, "because", "Lead", override=True).overrides


def test_what_ratings_csv_would_not_take_is_neither_logged_nor_written(workshop: Workshop) -> None:
    """A rating off the scale changes nothing anywhere."""
    before = ratings(workshop.folder)
    with pytest.raises(RegisterError, match="a whole number from 1 to 5"):
        workshop.lock(9, 3, "because", "Lead", override=True)
    assert ratings(workshop.folder) == before
    assert decision_log.read(workshop.folder) == []


def test_somebody_elses_change_is_noticed_and_asked_about(workshop: Workshop) -> None:
    """The rating on file changed since it was shown: nothing is written until the facilitator says so."""
    workshop.standing()
    path = workshop.folder / "ratings.csv"
    path.write_text(path.read_text("utf-8").replace("A-R1,2026-H1,5,4", "A-R1,2026-H1,1,1"), "utf-8")
    with pytest.raises(RatingChangedError, match="it is 1 x 1 now, by Workshop"):
        workshop.lock(3, 3, "because", "Lead", override=True)
    assert any(line.startswith("A-R1,2026-H1,1,1") for line in ratings(workshop.folder))
    workshop.lock(3, 3, "because", "Lead", override=True, replace=True)
    assert any(line.startswith("A-R1,2026-H1,3,3") for line in ratings(workshop.folder))


def test_other_peoples_rows_survive_a_lock(workshop: Workshop) -> None:
    """A row that was added meanwhile for another risk stays."""
    workshop.standing()
    path = workshop.folder / "ratings.csv"
    path.write_text(path.read_text("utf-8").replace("B-R1,2026-H1,3,5", "B-R1,2026-H1,2,2"), "utf-8")
    workshop.lock(3, 3, "because", "Lead", override=True)
    assert any(line.startswith("B-R1,2026-H1,2,2") for line in ratings(workshop.folder))


def test_undo_is_a_new_entry_and_restores_the_file(workshop: Workshop) -> None:
    """The log keeps both; ratings.csv is byte for byte what it was."""
    before = (workshop.folder / "ratings.csv").read_bytes()
    workshop.lock(3, 3, "because", "Lead", override=True)
    workshop.undo("wrong risk", "Lead")
    assert (workshop.folder / "ratings.csv").read_bytes() == before
    assert [each.action for each in decision_log.read(workshop.folder)] == ["lock", "undo"]
    with pytest.raises(UsageError, match="nothing to take back"):
        workshop.undo("again", "Lead")


def test_a_new_period_begins_with_the_ratings_of_the_last(small: Path) -> None:
    """2026-H2 isn't rated yet: its workshop shows the old ratings, and its first lock makes the period."""
    workshop = begin(small, period="2026-H2")
    assert workshop.standing().before == (5, 4)
    workshop.lock(2, 2, "because", "Lead", override=True)
    assert [period.name for period in riskcalc.load(small).periods][-1] == "2026-H2"
    with pytest.raises(UsageError, match="2026 is a year"):
        begin(small, period="2026")


# --- nothing is lost --------------------------------------------------------------------------------


def test_opening_again_goes_on_at_the_same_risk_and_round(workshop: Workshop) -> None:
    """Killing the kernel loses neither the place nor the votes."""
    workshop.next()
    vote(workshop, (2, 2), (2, 3), (3, 3))
    workshop.reveal()
    again = open_workshop("alpha", data_dir=str(workshop.folder))
    assert again is not None
    standing = again.standing()
    assert (standing.risk["risk_id"], standing.votes, standing.revealed) == ("A-R2", 3, True)


_VOTERS = """
import os, sys
from riskcalc.workshop.session import open_workshop
from riskcalc.workshop.store import Vote

def vote(number):
    workshop = open_workshop("alpha", data_dir=sys.argv[1])
    while True:
        number += 1
        workshop.store.vote(workshop.workshop_id, "A-R1", f"P{number}", Vote(2, 3))
        print("vote", number, flush=True)
        if number % 3 == 0:
            workshop.select("A-R2")
            workshop.lock(number % 5 + 1, 3, f"reason {number}", "Lead", override=True)
            print("lock", number, flush=True)

for line in sys.stdin:  # each voter is a process of its own, which needs to import nothing
    if (pid := os.fork()) == 0:
        vote(int(line) * 10_000)
    print("pid", pid, flush=True)
    os.wait()
    print("gone", flush=True)
"""


def test_kills_at_any_moment_lose_nothing(workshop: Workshop) -> None:
    """What a program was told is stored is there after it was killed; no file is broken."""
    folder, confirmed = workshop.folder, list[str]()
    command = [sys.executable, "-c", _VOTERS, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as voters:
        assert voters.stdin is not None
        assert voters.stdout is not None
        for kill in range(8):
            print(kill, file=voters.stdin, flush=True)
            said = [voters.stdout.readline(), voters.stdout.readline()]  # who it is, and a first vote, in either order
            pid = next(int(line.split()[1]) for line in said if line.startswith("pid"))
            time.sleep(0.01 + 0.017 * kill)
            os.kill(pid, signal.SIGKILL)
            confirmed += [*said, *iter(voters.stdout.readline, "gone\n")]
    again = open_workshop("alpha", data_dir=str(folder))
    assert again is not None
    again.on_file.complete()
    people = set(again.store.voted(again.workshop_id, "A-R1", 1))
    votes = [line.split()[1] for line in confirmed if line.startswith("vote")]
    assert len(votes) >= 8
    assert {f"P{number}" for number in votes} <= people
    assert len(again.store.ballots(again.workshop_id, "A-R1", 1)) == len(people)
    reasons = {each.reason for each in decision_log.read(folder)}
    assert {f"reason {line.split()[1]}" for line in confirmed if line.startswith("lock")} <= reasons
    assert decision_log.broken(folder) == []
    assert decision_log.findings(riskcalc.load(folder)) == []


def _vote_everywhere(address: str, workshop_id: str, risks: list[str], name: str) -> None:
    store = Store(address)
    for risk in risks:
        store.vote(workshop_id, risk, name, Vote(2, None))
    store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_fifteen_people_voting_at_once_lose_no_vote(small: Path, kind: str, request: pytest.FixtureRequest) -> None:
    """Every vote of 15 people on 20 risks is in, once."""
    address = beside(small) if kind == "sqlite" else str(request.getfixturevalue("server"))
    store = Store(address)
    risks = [f"R{number}" for number in range(20)]
    rows = [{"risk_id": risk, "title": risk, "description": risk} for risk in risks]
    head = {"unit_id": "u", "unit_name": "U", "period": "2026", "facilitator": "F", "begun_at": 1.0, "minimum": 3}
    scale = [{"rating": 1, "name": "one", "definition": "first"}]
    workshop_id = store.begin(head, rows, {"likelihood": scale, "impact": scale})
    with ThreadPoolExecutor(15) as people:
        jobs = [people.submit(_vote_everywhere, address, workshop_id, risks, f"P{number}") for number in range(15)]
        for job in jobs:
            job.result()
    assert [len(store.ballots(workshop_id, risk, 1)) for risk in risks] == [15] * 20
    store.reveal(workshop_id, "R0", 3)
    with pytest.raises(UsageError, match="were revealed"):
        store.vote(workshop_id, "R0", "late", Vote(1, 1))
    assert store.ballots(workshop_id, "R0", 1) == [Vote(2, None)] * 15
    store.close()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nonsense", "no database known here"),
        ("postgresql+psycopg://me:secret@127.0.0.1:eleven/votes", "no database known here"),
        ("postgresql+psycopg://me:secret@127.0.0.1:9999999999/votes", "port"),
        ("sqlite:////nowhere/at/all/votes", "unable to open database file"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/votes", r"me:\*\*\*@127.0.0.1:1/votes: connection failed"),
    ],
)
def test_a_database_that_is_not_there_is_told_of_without_its_password(address: str, told: str) -> None:
    """No traceback, no secret."""
    with pytest.raises(UsageError, match=told) as error:
        Store(address)
    assert "secret" not in str(error.value)


# --- what-if, votes from elsewhere, the record ------------------------------------------------------


def test_a_what_if_answers_and_saves_nothing(workshop: Workshop) -> None:
    """A failing control raises the residual, a repaired or new one lowers it; the register stays as it is."""
    from riskcalc.assessment.what_if import Added

    before = ratings(workshop.folder)

    def earned(**changes: object) -> float:
        scores = workshop.scores({"A-R1": (5, 4)}, **changes).set_index("risk_id")
        return float(scores.loc["A-R1", "earned_score"])

    now = earned()
    assert earned(failing=["A-C1"]) > now
    assert earned(repaired=["A-C1", "A-C2", "A-G1"]) < now
    assert earned(added=[Added("A-R1", "both", 0.5)]) < now
    assert earned(repaired=["A-C1", "A-C2", "A-G1"]) == pytest.approx((1 + 4 * 0.5 * 0.2) * (1 + 3 * 0.2))
    assert ratings(workshop.folder) == before


def test_votes_from_elsewhere_are_taken_all_or_none(workshop: Workshop, tmp_path: Path) -> None:
    """Each bad line is told of with its field; a second import of the same file is refused."""
    file = tmp_path / "votes.csv"
    header = "participant,risk_id,likelihood,impact\n"
    file.write_text(f"{header}Ann,A-R1,6,1\n,A-R1,1,1\nBen,X,1,1\nCem,A-R1,1\nDan\x1b[2J,A-R1,1,1\n", "utf-8")
    with pytest.raises(RegisterError) as error:
        import_votes(workshop, file)
    assert [(each.line, each.column) for each in error.value.problems] == [
        (2, "likelihood"),
        (3, "participant"),
        (4, "risk_id"),
        (5, ""),
        (6, "participant"),
    ]
    assert "\x1b" not in str(error.value)
    assert workshop.standing().votes == 0
    file.write_text(f"{header}Ann,A-R1,2,1\nBen,A-R1,,4\nAnn,A-R2,1,1\n", "utf-8")
    assert import_votes(workshop, file) == 3
    assert workshop.standing().votes == 2
    with pytest.raises(RegisterError, match="has voted on A-R1 in this round already"):
        import_votes(workshop, file)


def test_the_commands_take_votes_and_write_the_record(workshop: Workshop, tmp_path: Path) -> None:
    """Both name the unit where there are several, and end with what they did."""
    file = tmp_path / "votes.csv"
    file.write_text("participant,risk_id,likelihood,impact\nAnn,A-R1,2,1\n", "utf-8")
    data = str(workshop.folder)
    unnamed = CliRunner().invoke(main, ["workshop", "votes", str(file), data])
    assert (unnamed.exit_code, unnamed.output) == (2, "Which unit? Give --unit; there are: alpha, beta.\n")
    done = CliRunner().invoke(main, ["workshop", "votes", str(file), data, "--unit", "alpha"])
    assert done.output == "1 vote is in.\n"
    out = CliRunner().invoke(main, ["workshop", "record", data, "--unit", "alpha", "--out", str(tmp_path / "out")])
    assert out.output.strip().endswith("2026-H1/workshops/alpha.html")
    none = CliRunner().invoke(main, ["workshop", "record", data, "--unit", "beta"])
    assert (none.exit_code, "There is no workshop on beta" in none.output) == (2, True)


def test_the_record_tells_both_camps_and_the_rating_before_the_workshop(workshop: Workshop) -> None:
    """Also where the rating was locked twice: it was what it was before, not what the first lock made it."""
    vote(workshop, (1, 3), (1, 3), (5, 3), (5, 3))
    workshop.reveal()
    workshop.lock(2, 3, "First", "Lead")
    workshop.lock(3, 3, "Second", "Lead")
    html = record.page(workshop)
    assert "Two camps: one up to 1, one from 5 on." in html
    assert "3 x 3\nwas 5 x 4" in html


def test_the_record_says_where_undecided_risks_stand(workshop: Workshop) -> None:
    """A risk without a rating is in no cell; of one of one it is said that it is to be decided, not that they are."""
    html = record.page(workshop)
    assert "Not rated in 2026-H1 yet, so in no cell: A-R2. Other risks that aren&#39;t decided yet stand" in html
    vote(workshop, (3, 3), (3, 3), (3, 3))
    workshop.reveal()
    workshop.lock(3, 3, "Agreed", "Lead")
    html = record.page(workshop)
    assert "1 of 2 risks is still to be decided." in html
    assert "stand where their last rating put them" not in html


def test_the_record_tells_who_decided_what_and_why(workshop: Workshop) -> None:
    """Participants, decisions with reasons and spread, overrides, open points; hostile text stays text."""
    workshop.store.join(workshop.workshop_id, "Ann <b>")
    vote(workshop, (2, 3), (4, 3), (3, 3))
    workshop.reveal()
    workshop.note("<script>alert(1)</script>")
    workshop.lock(5, 3, "The <i>lead</i> insists", "Lead", override=True)
    html = record.page(workshop)
    for said in (
        "Ann &lt;b&gt;",
        "The &lt;i&gt;lead&lt;/i&gt; insists",
        "Overrides the group. Lead, 2026-06-20",
        "Likelihood: Median 3, middle half 2 to 4, of 3 votes.",
        "5 x 3\nwas 5 x 4, Critical",
        "Confidential",
    ):
        assert said in html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert decision_log.read(workshop.folder)[-1].sha256 in html
    assert "A-R2" in html.split("Open points and risks")[2]
