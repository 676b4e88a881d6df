"""Where a workshop's votes and its course are kept: SQLite beside the register by default, PostgreSQL by address.

Anonymous by construction: a vote has a random id, and neither a name nor a time; who has voted stands in another
table. But databases note more than they are told: rows lie on their pages in the order of their arrival, and carry
their transaction. So with every vote both tables' rows of that round are written again, together and in the order of
their keys; and after the reveal and at the close the database throws away what it kept of rows that were replaced.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskcalc.errors import UsageError, needed, of_an_extra

with of_an_extra():
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

FILE = "workshop.sqlite"
NOWHERE = "sqlite://"  # in memory: for where there is no workshop yet
_WAIT = 30_000  # milliseconds that a writer waits for another

_tables = sa.MetaData()


# The columns that hold no text, and those that may hold nothing.
_KINDS: dict[str, type[sa.types.TypeEngine[Any]]] = {
    **dict.fromkeys(("minimum", "position", "round", "rating", "likelihood", "impact"), sa.Integer),
    **dict.fromkeys(("begun_at", "discussed_since"), sa.Float),
    **dict.fromkeys(("closed", "revealed"), sa.Boolean),
}
_BLANK = ("discussed_since", "likelihood", "impact")


def _table(name: str, keys: str, values: str = "") -> sa.Table:
    """A table of some columns, those of its key first."""
    columns = [
        sa.Column(each, _KINDS.get(each, sa.Text), primary_key=each in keys.split(), nullable=each in _BLANK)
        for each in (*keys.split(), *values.split())
    ]
    return sa.Table(name, _tables, *columns, sqlite_with_rowid=False)


WORKSHOPS = _table("workshops", "workshop_id", "unit_id unit_name period facilitator begun_at minimum risk_id closed")
RISKS = _table("risks", "workshop_id risk_id", "position title description round revealed discussed_since")
RATINGS = _table("ratings", "workshop_id axis rating", "name definition")
PARTICIPANTS = _table("participants", "workshop_id name")
VOTED = _table("voted", "workshop_id risk_id round name")
BALLOTS = _table("ballots", "ballot_id", "workshop_id risk_id round likelihood impact")
POINTS = _table("open_points", "point_id", "workshop_id risk_id text")
sa.Index("ballots_by_round", BALLOTS.c.workshop_id, BALLOTS.c.risk_id, BALLOTS.c.round)
_ANONYMOUS = (BALLOTS, VOTED)  # nothing may pair the rows of these two
_ONE_AT_A_TIME = 717_302  # any number that other programs don't use: PostgreSQL's advisory lock


@dataclass(frozen=True)
class Vote:
    """What somebody thinks of a risk; None is "can't say"."""

    likelihood: int | None
    impact: int | None


class Store:
    """The votes and the course of workshops in one database; every change is on disk when its method returns.

    ``address`` is SQLAlchemy's, such as ``sqlite:////path/workshop.sqlite`` or ``postgresql+psycopg://host/votes``. A
    file that isn't there yet is made unless ``create`` is false: then there are no workshops, and none is kept.
    Raises UsageError where there is no such database.
    """

    def __init__(self, address: str, create: bool = True) -> None:
        try:
            self._engine = _engine(address if create or not _is_missing_file(address) else NOWHERE)
            with self._alone() as connection:
                _tables.create_all(connection)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
            told = needed(getattr(error, "name", "")) or error
            raise UsageError(f"The address of the votes is no database known here: {told}") from None
        except SQLAlchemyError as error:
            told = sa.make_url(address).render_as_string(hide_password=True)
            reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
            raise UsageError(f"The votes can't be kept in {told}: {reason}") from None

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    # --- workshops ---

    def begin(
        self,
        workshop: Mapping[str, Any],
        risks: Sequence[Mapping[Any, Any]],
        scales: Mapping[str, Sequence[Mapping[str, Any]]],
    ) -> str:
        """Open a workshop on ``risks``, in their order, and give its id; the first of them is up.

        Raises UsageError where one on the same unit and period is under way, also if it was begun this very moment.
        """
        workshop_id = secrets.token_hex(8)
        rounds = {"round": 1, "revealed": False, "discussed_since": None}
        ratings = [{"axis": axis, **rating} for axis, all_of in scales.items() for rating in all_of]
        with self._alone() as connection:
            same = (WORKSHOPS.c.unit_id == workshop["unit_id"]) & (WORKSHOPS.c.period == workshop["period"])
            if connection.execute(WORKSHOPS.select().where(same, ~WORKSHOPS.c.closed)).first():
                told = f"A workshop on {workshop['unit_id']} in {workshop['period']} is under way"
                raise UsageError(f"{told}; open that one.")
            first = {"risk_id": risks[0]["risk_id"], "closed": False}
            connection.execute(WORKSHOPS.insert(), {"workshop_id": workshop_id, **workshop, **first})
            placed = [{"position": place, **risk, **rounds} for place, risk in enumerate(risks)]
            for table, rows in ((RISKS, placed), (RATINGS, ratings)):
                connection.execute(table.insert(), [{"workshop_id": workshop_id, **row} for row in rows])
        return workshop_id

    def workshops(self, unit_id: str = "", period: str = "", closed: bool = False) -> list[dict[str, Any]]:
        """The workshops, the latest first; those that are closed only if asked for."""
        asked = WORKSHOPS.select().order_by(WORKSHOPS.c.begun_at.desc())
        wanted = {"unit_id": unit_id, "period": period}
        held = [WORKSHOPS.c[name] == value for name, value in wanted.items() if value]
        return self._rows(asked.where(sa.true() if closed else ~WORKSHOPS.c.closed, *held))

    def workshop(self, workshop_id: str) -> dict[str, Any]:
        """The workshop's row."""
        return self._rows(WORKSHOPS.select().where(WORKSHOPS.c.workshop_id == workshop_id))[0]

    def put_up(self, workshop_id: str, risk_id: str) -> None:
        """Make another risk the one that is up."""
        self._write(WORKSHOPS.update().where(WORKSHOPS.c.workshop_id == workshop_id).values(risk_id=risk_id))

    def close_workshop(self, workshop_id: str) -> None:
        """End a workshop: no vote is taken any more, and rounds that were never revealed are as anonymous as others."""
        with self._engine.begin() as connection:
            connection.execute(WORKSHOPS.update().where(WORKSHOPS.c.workshop_id == workshop_id).values(closed=True))
            _lose_order(connection, workshop_id)
        self._forget_replaced_rows()

    def risks(self, workshop_id: str) -> list[dict[str, Any]]:
        """The risks in the order of the register, with the round each is in and whether that was revealed."""
        return self._rows(RISKS.select().where(RISKS.c.workshop_id == workshop_id).order_by(RISKS.c.position))

    def risk(self, workshop_id: str, risk_id: str) -> dict[str, Any]:
        """One of the workshop's risks."""
        found = self._rows(RISKS.select().where(_is(RISKS, workshop_id, risk_id)))
        if not found:
            raise UsageError(f"This workshop has no risk {risk_id!r}.")
        return found[0]

    def scales(self, workshop_id: str) -> dict[str, list[dict[str, Any]]]:
        """The ratings of each axis with their definitions, lowest first."""
        asked = RATINGS.select().where(RATINGS.c.workshop_id == workshop_id).order_by(RATINGS.c.rating)
        found: dict[str, list[dict[str, Any]]] = {"likelihood": [], "impact": []}
        for row in self._rows(asked):
            found[row["axis"]].append(row)
        return found

    @contextmanager
    def renamed(self, kind: str, old: str, new: str) -> Iterator[None]:
        """Follow another name of a unit or a risk, if what is done meanwhile comes to a good end.

        Raises UsageError while a workshop on it is under way.
        """
        column = f"{kind}_id"
        with self._alone() as connection:
            of = WORKSHOPS.c.workshop_id.in_(sa.select(RISKS.c.workshop_id).where(RISKS.c.risk_id == old))
            busy = WORKSHOPS.c.unit_id == old if kind == "unit" else of
            if (row := connection.execute(WORKSHOPS.select().where(busy, ~WORKSHOPS.c.closed)).first()) is not None:
                raise UsageError(f"A workshop on {row.unit_id} in {row.period} is under way; end it first.")
            for table in (WORKSHOPS, RISKS, VOTED, BALLOTS, POINTS):
                if column in table.c:
                    connection.execute(table.update().where(table.c[column] == old).values({column: new}))
            yield
        self._forget_replaced_rows()

    # --- people and votes ---

    def join(self, workshop_id: str, name: str) -> None:
        """Note that somebody takes part; joining again changes nothing."""
        try:
            self._write(PARTICIPANTS.insert().values(workshop_id=workshop_id, name=name))
        except IntegrityError:
            return

    def participants(self, workshop_id: str) -> list[str]:
        """Who takes part, by name."""
        asked = sa.select(PARTICIPANTS.c.name).where(PARTICIPANTS.c.workshop_id == workshop_id)
        return self._column(asked.order_by("name"))

    def vote(self, workshop_id: str, risk_id: str, name: str, vote: Vote) -> str:
        """Store a vote in the risk's open round, and give the id by which its caster may change it until the reveal.

        Raises UsageError where the round was revealed, the workshop ended, or ``name`` has voted in it.
        """
        return self.vote_all(workshop_id, [(risk_id, name, vote)])[0]

    def vote_all(self, workshop_id: str, votes: Sequence[tuple[str, str, Vote]]) -> list[str]:
        """Store several votes (risk, name, vote), all of them or, if any is refused, none."""
        ids = []
        try:
            with self._engine.begin() as connection:
                for risk_id, name, vote in votes:
                    number = _open_round(connection, workshop_id, risk_id)
                    place = {"workshop_id": workshop_id, "risk_id": risk_id, "round": number}
                    connection.execute(VOTED.insert(), {**place, "name": name})
                    ids.append(secrets.token_hex(16))
                    given = {"likelihood": vote.likelihood, "impact": vote.impact}
                    connection.execute(BALLOTS.insert(), {"ballot_id": ids[-1], **place, **given})
                    _lose_order(connection, workshop_id, risk_id, number)
        except IntegrityError:
            raise UsageError(f"{name} has voted on {risk_id} in this round already.") from None
        return ids

    def revote(self, ballot_id: str, vote: Vote) -> None:
        """Change a vote that isn't revealed; raises UsageError if it is."""
        with self._engine.begin() as connection:
            row = connection.execute(BALLOTS.select().where(BALLOTS.c.ballot_id == ballot_id)).mappings().first()
            if row is None or _open_round(connection, row["workshop_id"], row["risk_id"]) != row["round"]:
                raise UsageError("This vote was revealed, so it can't be changed any more.")
            changed = BALLOTS.update().where(BALLOTS.c.ballot_id == ballot_id)
            connection.execute(changed.values(likelihood=vote.likelihood, impact=vote.impact))
            _lose_order(connection, row["workshop_id"], row["risk_id"], row["round"])

    def voted(self, workshop_id: str, risk_id: str, number: int) -> list[str]:
        """Who has voted on a risk in a round, by name."""
        place = _is(VOTED, workshop_id, risk_id, number)
        return self._column(sa.select(VOTED.c.name).where(place).order_by(VOTED.c.name))

    def ballots(self, workshop_id: str, risk_id: str, number: int) -> list[Vote]:
        """The votes of a round, in no order that says whose they are; for the workshop's own logic only."""
        asked = sa.select(BALLOTS.c.likelihood, BALLOTS.c.impact).where(_is(BALLOTS, workshop_id, risk_id, number))
        return [Vote(**row) for row in self._rows(asked.order_by(BALLOTS.c.likelihood, BALLOTS.c.impact))]

    def pulse(self, workshop_id: str) -> tuple[Any, ...]:
        """A few numbers that differ whenever something on the facilitator's screen may have."""
        risks, ballots, people = RISKS.c, BALLOTS.c, PARTICIPANTS.c
        with self._reading() as connection:
            up = connection.execute(
                sa.select(WORKSHOPS.c.risk_id, WORKSHOPS.c.closed).where(WORKSHOPS.c.workshop_id == workshop_id)
            ).one()
            course = sa.select(sa.func.sum(risks.round), sa.func.count().filter(risks.revealed))
            counted = sa.select(sa.func.count()).select_from(BALLOTS).where(ballots.workshop_id == workshop_id)
            joined = sa.select(sa.func.count()).select_from(PARTICIPANTS).where(people.workshop_id == workshop_id)
            passed = connection.execute(course.where(risks.workshop_id == workshop_id)).one()
            return (*up, *passed, connection.scalar(counted), connection.scalar(joined))

    # --- rounds and points ---

    def reveal(self, workshop_id: str, risk_id: str, minimum: int) -> None:
        """Close the round and open its votes; raises UsageError where fewer than ``minimum`` are in."""
        with self._engine.begin() as connection:
            number = _open_round(connection, workshop_id, risk_id)
            place = _is(BALLOTS, workshop_id, risk_id, number)
            votes = connection.scalar(sa.select(sa.func.count()).select_from(BALLOTS).where(place)) or 0
            if votes < minimum:
                raise UsageError(f"{votes} of at least {minimum} votes are in; nothing is shown before.")
            _lose_order(connection, workshop_id, risk_id, number)
            connection.execute(RISKS.update().where(_is(RISKS, workshop_id, risk_id)).values(revealed=True))
        self._forget_replaced_rows()

    def next_round(self, workshop_id: str, risk_id: str) -> None:
        """Open the risk's next blind round; the votes of the last one stay as they are."""
        row = RISKS.update().where(_is(RISKS, workshop_id, risk_id), RISKS.c.revealed)
        self._write(row.values(revealed=False, round=RISKS.c.round + 1, discussed_since=None))

    def discuss(self, workshop_id: str, risk_id: str, since: float | None) -> None:
        """Note when the discussion of a risk began, in seconds since 1970."""
        self._write(RISKS.update().where(_is(RISKS, workshop_id, risk_id)).values(discussed_since=since))

    def add_point(self, workshop_id: str, risk_id: str, text: str) -> None:
        """Note an open point on a risk."""
        point = {"point_id": secrets.token_hex(8), "workshop_id": workshop_id, "risk_id": risk_id, "text": text}
        self._write(POINTS.insert().values(**point))

    def points(self, workshop_id: str) -> list[dict[str, Any]]:
        """The open points, by risk."""
        asked = POINTS.select().where(POINTS.c.workshop_id == workshop_id).order_by(POINTS.c.risk_id, POINTS.c.text)
        return self._rows(asked)

    # --- parts ---

    @contextmanager
    def _alone(self) -> Iterator[sa.Connection]:
        """A transaction that waits for others of its kind, to look and then write; SQLite's writers always do."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
            yield connection

    def _forget_replaced_rows(self) -> None:
        """Let the database write its files anew: rows that were replaced stay readable in them until then."""
        try:
            with self._reading() as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("VACUUM")
                else:  # FULL, for a plain VACUUM leaves the bytes of dead rows on their pages
                    for table in _ANONYMOUS:
                        connection.exec_driver_sql(f"VACUUM FULL {table.name}")
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", error)).strip()
            told = "That is done, but a copy of the votes' database may still pair names"
            raise UsageError(f"{told}: {reason}") from None

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    def _rows(self, asked: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(asked).mappings()]

    def _column(self, asked: sa.Select[Any]) -> list[str]:
        with self._reading() as connection:
            return list(connection.execute(asked).scalars())

    def _write(self, statement: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)


def _is(
    table: sa.Table, workshop_id: str, risk_id: str | None = None, number: int | None = None
) -> sa.ColumnElement[bool]:
    asked = {"workshop_id": workshop_id, "risk_id": risk_id, "round": number}
    return sa.and_(*(table.c[name] == value for name, value in asked.items() if value is not None))


def _open_round(connection: sa.Connection, workshop_id: str, risk_id: str) -> int:
    """The number of the round that is open; the workshop is held, so that nothing else happens in it meanwhile."""
    asked = sa.select(WORKSHOPS.c.closed).where(WORKSHOPS.c.workshop_id == workshop_id)
    if connection.scalar(asked.with_for_update()):
        raise UsageError("This workshop was ended; its votes are closed.")
    row = connection.execute(RISKS.select().where(_is(RISKS, workshop_id, risk_id))).first()
    if row is None:
        raise UsageError(f"This workshop has no risk {risk_id!r}.")
    if row.revealed:
        raise UsageError(f"The votes on {risk_id} were revealed; a further round must be opened first.")
    return int(row.round)


def _lose_order(
    connection: sa.Connection, workshop_id: str, risk_id: str | None = None, number: int | None = None
) -> None:
    """Let nothing about the rows of a round, or of all of them, tell in which order they came."""
    for table in _ANONYMOUS:
        place = _is(table, workshop_id, risk_id, number)
        rows = connection.execute(table.select().where(place).order_by(*table.primary_key)).mappings()
        again = [dict(row) for row in rows]
        connection.execute(table.delete().where(place))
        if again:
            connection.execute(table.insert(), again)


def _engine(address: str) -> sa.Engine:
    url = sa.make_url(address)
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"isolation_level": None, "timeout": _WAIT / 1000})

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        # A rollback journal: it works on network shares, and unlike WAL keeps no file in order of arrival.
        for pragma in ("journal_mode=DELETE", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begun(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _is_missing_file(address: str) -> bool:
    url = sa.make_url(address)
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file()


def beside(folder: Path) -> str:
    """The address of the database beside a register."""
    return f"sqlite:///{(folder / FILE).resolve()}"
