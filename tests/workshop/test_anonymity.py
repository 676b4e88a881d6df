"""The attack on the secret ballot: somebody has one copy of the database, and pairs names with votes by their places."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from databases import postgresql

from riskcalc.workshop.store import Store, Vote

PEOPLE = [f"Person {letter}" for letter in "GCAFBED"]  # seven people, who vote in this order
RISKS = [f"R{number:02}" for number in range(20)]
Found = dict[tuple[int, str], list[str]]  # by copy of the database and risk: names, or ids of ballots, in some order
Truth = dict[tuple[int, str, str], str]  # by copy, risk and name: the ballot's id


def by_chance(rounds: int) -> float:
    """More right pairs than this come by chance once in a million times: each round gives 1 of 7, with variance 1."""
    return rounds + 5 * rounds**0.5


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL server's address."""
    with postgresql() as address:
        yield address


def begun(store: Store, risks: list[str]) -> str:
    rows = [{"risk_id": risk, "title": risk, "description": risk} for risk in risks]
    head = {"unit_id": "u", "unit_name": "U", "period": "2026", "facilitator": "F", "begun_at": 1.0, "minimum": 3}
    scale = [{"rating": 1, "name": "one", "definition": "first"}]
    return store.begin(head, rows, {"likelihood": scale, "impact": scale})


def voted(store: Store, workshop_id: str, risks: list[str], copy: int = 0) -> Truth:
    """Everybody votes on everything, and some change their mind."""
    truth = {}
    for number, (risk, name) in enumerate(product(risks, PEOPLE)):
        truth[copy, risk, name] = store.vote(workshop_id, risk, name, Vote(number % 5 + 1 if number % 4 else None, 1))
        if number % 6 == 0:
            store.revote(truth[copy, risk, name], Vote(2, None))
    return truth


def hits(truth: Truth, names: Found, ballots: Found) -> int:
    """How many pairs are right if the first name is given the first ballot, the second the second..."""
    assert names.keys() == ballots.keys() == {key[:2] for key in truth}
    return sum(
        truth[*place, name] == ballot
        for place in names
        for name, ballot in zip(names[place], ballots[place], strict=True)
    )


# --- SQLite -----------------------------------------------------------------------------------------


def small_store(folder: Path, copy: int) -> tuple[Store, Path]:
    """A database that doesn't wait for the disk, as a test needs not."""
    path = folder / f"{copy}.sqlite"
    store = Store(f"sqlite:///{path}")
    sa.event.listen(store._engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    store._engine.dispose()
    return store, path


def carved(path: Path, workshop_id: str, copy: int) -> tuple[Found, Found]:
    """Names and ballots in the order in which SQLite puts cells on a page, from its end to its beginning."""
    content, place = path.read_bytes(), workshop_id.encode() + rb"(R\d\d)"
    names, ballots = defaultdict(list), defaultdict(list)
    for at in reversed(list(re.finditer(place + rb"(Person [A-G])", content))):
        names[copy, at[1].decode()].append(at[2].decode())
    for at in reversed(list(re.finditer(rb"([0-9a-f]{32})" + place, content))):
        ballots[copy, at[2].decode()].append(at[1].decode())
    return names, ballots


def rows_as_they_came(path: Path, truth: Truth) -> None:
    """Store the votes as they were stored before they were rearranged."""
    with closing(sqlite3.connect(path)) as connection:
        ballots = {row[0]: row for row in connection.execute("SELECT * FROM ballots")}
        [(workshop_id,)] = connection.execute("SELECT workshop_id FROM workshops")
        connection.executescript("DELETE FROM ballots; DELETE FROM voted")
        for (_, risk, name), ballot in truth.items():
            connection.execute("INSERT INTO ballots VALUES (?, ?, ?, ?, ?, ?)", ballots[ballot])
            connection.execute("INSERT INTO voted VALUES (?, ?, 1, ?)", (workshop_id, risk, name))
        connection.commit()


@pytest.mark.parametrize("state", ["open", "revealed", "closed"])
def test_a_copy_of_the_file_pairs_names_and_votes_by_chance_only(tmp_path: Path, state: str) -> None:
    """Cells lay on their page in the order of arrival: 7 of 7 pairs were right; now about 1 of 7 is, at any time."""
    right, rounds = 0, 0
    for copy in range(15):
        store, path = small_store(tmp_path, copy)
        workshop_id = begun(store, RISKS[:2])
        truth = voted(store, workshop_id, RISKS[:2], copy)
        if state == "closed":  # what an earlier version stored, and nobody ever revealed
            rows_as_they_came(path, truth)
            assert hits(truth, *carved(path, workshop_id, copy)) == len(truth), "the attack itself works"
            store.close_workshop(workshop_id)
        for risk in RISKS[:2] * (state == "revealed"):
            store.reveal(workshop_id, risk, 3)
        right += hits(truth, *carved(path, workshop_id, copy))
        rounds += 2
        store.close()
    assert right <= by_chance(rounds)


def test_a_large_file_holds_no_old_copies_of_rows(tmp_path: Path) -> None:
    """Where pages were split and freed, too, each name and each ballot stands in the file once."""
    store, path = small_store(tmp_path, 0)
    workshop_id = begun(store, RISKS)
    voted(store, workshop_id, RISKS)
    names, ballots = carved(path, workshop_id, 0)
    for found in (*names.values(), *ballots.values()):
        assert len(found) == len(set(found)) == len(PEOPLE)
    store.close()


# --- PostgreSQL -------------------------------------------------------------------------------------


def test_on_postgresql_neither_places_transactions_nor_dead_rows_pair_them(server: str) -> None:
    """Rows' places and transactions say nothing while a round is open, and no dead row is left after the reveal."""
    store = Store(server)
    workshop_id = begun(store, RISKS)
    truth = voted(store, workshop_id, RISKS)
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pageinspect")
        assert hits(truth, *ordered(connection, "ctid")) <= by_chance(len(RISKS))
        for table in ("ballots", "voted"):
            written = connection.execute(f"SELECT count(DISTINCT xmin::text) FROM {table} GROUP BY risk_id").fetchall()
            assert set(written) == {(1,)}, "one transaction for all rows of a round"
        for risk in RISKS:
            store.reveal(workshop_id, risk, 3)
        assert hits(truth, *ordered(connection, "ctid")) <= by_chance(len(RISKS))
        for table in ("ballots", "voted"):
            items = f"SELECT count(*) FROM heap_page_items(get_raw_page('{table}', %s))"
            pages = range(pages_of(connection, table))
            assert sum(connection.execute(items, [page]).fetchone()[0] for page in pages) == len(truth), "dead rows"
            connection.execute("CHECKPOINT")
            assert file_of(connection, server, table).count(workshop_id.encode()) == len(truth), "bytes of dead rows"
    store.close()


def ordered(connection: psycopg.Connection[Any], order: str) -> tuple[Found, Found]:
    """Names and ballots in an order that PostgreSQL itself keeps."""
    names, ballots = defaultdict(list), defaultdict(list)
    for found, table, column in ((names, "voted", "name"), (ballots, "ballots", "ballot_id")):
        for risk, value in connection.execute(f"SELECT risk_id, {column} FROM {table} ORDER BY {order}"):
            found[0, risk].append(value)
    return names, ballots


def pages_of(connection: psycopg.Connection[Any], table: str) -> int:
    [size] = connection.execute(f"SELECT pg_relation_size('{table}')").fetchone() or [0]
    return int(size) // 8192


def file_of(connection: psycopg.Connection[Any], server: str, table: str) -> bytes:
    """What lies on the disk for a table."""
    [path] = connection.execute(f"SELECT pg_relation_filepath('{table}')").fetchone() or [""]
    return (Path(server.partition("host=")[2]) / "db" / path).read_bytes()
