"""A workshop: what the facilitator does, risk by risk, and what everybody sees. Plain Python; the widgets are thin.

    blind vote -> reveal -> discuss -> vote again, as often as it helps -> lock, with a reason

Everything is stored when it happens, so that opening the same workshop again goes on where it was left.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from riskcalc.assessment.context import Context
from riskcalc.assessment.scoring import AXES
from riskcalc.assessment.what_if import Rating, what_if, with_ratings
from riskcalc.errors import UsageError, counted, one_line
from riskcalc.register.editing import Cells, held
from riskcalc.register.periods import Period
from riskcalc.register.register import Register, find_folder, load
from riskcalc.workshop import decision_log
from riskcalc.workshop.decision_log import GroupVotes, LogEntry
from riskcalc.workshop.locking import RatingChangedError, RatingsFile, rating
from riskcalc.workshop.store import Store, beside
from riskcalc.workshop.tally import Tally, tally

MINIMUM = 3
ORDERS = ("in order", "most disputed", "most severe")
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Standing:
    """How the risk that is up stands. ``tallies`` (by axis) are None until the votes are revealed, and so are ``dots``:
    how many votes each cell of the matrix (likelihood, impact) got.

    ``place`` is its place among the workshop's risks, from 1 on; ``on_file`` its row of ratings.csv in this period,
    ``decision`` the log's last word on it, ``before`` its rating in the period before; ``ended`` is the workshop's.
    """

    risk: Mapping[str, Any]
    place: int
    number: int
    revealed: bool
    votes: int
    voted: tuple[str, ...]
    participants: tuple[str, ...]
    minimum: int
    tallies: Mapping[str, Tally] | None
    dots: Mapping[tuple[int, int], int] | None
    discussed_since: float | None
    on_file: Cells | None
    decision: LogEntry | None
    before: Rating
    ended: bool

    @property
    def blind(self) -> bool:
        """Whether people are still to vote without knowing what the risk was rated: nothing is shown or locked yet."""
        return not (self.revealed or self.locked)

    @property
    def locked(self) -> bool:
        """Whether the log's last word on the risk is a lock."""
        return self.decision is not None and self.decision.action == "lock"

    @property
    def wanting(self) -> str:
        """How many more votes are needed before they can be shown, in words; blank where enough are in."""
        number = max(0, self.minimum - self.votes)
        return f"{counted(number, 'more vote')} {'is' if number == 1 else 'are'} needed" if number else ""

    def refused(self) -> dict[str, str]:
        """Why each step of a round can't be taken now, by what the panel calls it; blank where it can."""
        running = self.discussed_since is not None
        locked = self.locked
        return {
            "Show the votes": "they are shown" if self.revealed else self.wanting,
            "Vote again": "" if self.revealed else "no votes are shown yet",
            "Start the timer": "it runs" if running else "",
            "Stop the timer": "" if running else "it doesn't run",
            "Take the lock back": "" if locked else "this risk isn't locked",
        }


@dataclass
class Workshop:
    """One workshop on a unit's risks in a period."""

    register: Register
    period: Period
    store: Store
    workshop_id: str
    clock: Clock = decision_log.now
    _seen: dict[str, Cells | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.on_file = RatingsFile(self.register.source, self.period.name, self.register.methodology)

    @property
    def row(self) -> dict[str, Any]:
        """What the database holds of the workshop itself."""
        return self.store.workshop(self.workshop_id)

    @property
    def unit_id(self) -> str:
        """The business unit whose risks are rated."""
        return str(self.register.business_units["unit_id"].iloc[0])

    @property
    def folder(self) -> Path:
        """The folder of the register, where decisions are kept."""
        return self.register.source

    @property
    def risk_ids(self) -> list[str]:
        """The risks, in the register's order."""
        return [risk["risk_id"] for risk in self.store.risks(self.workshop_id)]

    # --- what everybody sees ---

    def standing(self) -> Standing:
        """The risk that is up, and how its vote stands."""
        row = self.row
        risk_id = row["risk_id"]
        risk = self.store.risk(self.workshop_id, risk_id)
        voted = self.store.voted(self.workshop_id, risk_id, risk["round"])
        if risk_id not in self._seen:
            self._seen[risk_id] = self.on_file.rows().get(risk_id)
        risks = self.register.risks
        return Standing(
            {str(name): value for name, value in risks[risks["risk_id"] == risk_id].iloc[0].items()},
            risk["position"] + 1,
            risk["round"],
            risk["revealed"],
            len(voted),
            tuple(voted),
            tuple(self.store.participants(self.workshop_id)),
            row["minimum"],
            self._tallies(risk) if risk["revealed"] else None,
            self._dots(risk) if risk["revealed"] else None,
            risk["discussed_since"],
            self._seen[risk_id],
            self.decisions.get(risk_id),
            self.earlier().get(risk_id, (None, None)),
            row["closed"],
        )

    @property
    def decisions(self) -> dict[str, LogEntry]:
        """The log's last word on each risk of this unit and period."""
        return decision_log.latest(self.folder, self.unit_id, self.period.name)

    @property
    def locked(self) -> set[str]:
        """The risks that are decided: the log's last word is a lock, and ratings.csv still says so."""
        rows = self.on_file.rows()
        decided = self.decisions.items()
        return {risk for risk, entry in decided if entry.action == "lock" and entry.stands(rows.get(risk))}

    def ratings(self) -> dict[str, Rating]:
        """Each risk's rating as it stands: on file in this period, else that of the one before."""
        rows = {risk: rating(cells) for risk, cells in self.on_file.rows().items()}
        stand = {**self.earlier(), **rows}
        return {risk: stand.get(risk, (None, None)) for risk in self.risk_ids}

    def earlier(self) -> dict[str, Rating]:
        """The ratings of the period before, by risk."""
        before, rows = self.register.previous(self.period), self.register.ratings
        found = rows[rows["period"] == (before.name if before else "")].to_dict("records")
        return {row["risk_id"]: rating(row) for row in found}

    def scores(self, assumed: Mapping[str, Rating] | None = None, **changes: Any) -> pd.DataFrame:
        """The scores as they stand; ``assumed`` ratings and ``changes`` (see what_if) are tried out."""
        rated = with_ratings(self.register, self.period, {**self.ratings(), **(assumed or {})})
        return what_if(Context.of(rated, self.period.name), **changes)

    # --- what the facilitator does ---

    def select(self, risk_id: str) -> None:
        """Put a risk up: the ballots follow."""
        self.store.risk(self.workshop_id, risk_id)
        self._seen[risk_id] = self.on_file.rows().get(risk_id)
        self.store.put_up(self.workshop_id, risk_id)

    def next(self, order: str = ORDERS[0]) -> str | None:
        """Put up the next risk that isn't decided, in one of ``ORDERS``; None when all are."""
        waiting = [risk for risk in self.risk_ids if risk not in self.locked]
        up = self.row["risk_id"]
        others = [risk for risk in waiting if risk != up]
        if not others:
            return None
        if order == "most disputed":
            chosen = max(others, key=self._dispute)
        elif order == "most severe":
            severity = self.scores().set_index("risk_id")["earned_score"].fillna(math.inf)
            chosen = max(others, key=lambda risk: float(severity[risk]))
        else:
            position = self.risk_ids.index(up)
            later = [risk for risk in others if self.risk_ids.index(risk) > position]
            chosen = (later or others)[0]
        self.select(chosen)
        return chosen

    def reveal(self) -> None:
        """Show the votes; raises UsageError before enough of them are in."""
        row = self.row
        self.store.reveal(self.workshop_id, row["risk_id"], row["minimum"])

    def vote_again(self) -> None:
        """Open another blind round on the risk that is up."""
        self.store.next_round(self.workshop_id, self.row["risk_id"])

    def discuss(self, running: bool = True) -> None:
        """Start or stop the timer of the discussion."""
        since = self.clock().timestamp() if running else None
        self.store.discuss(self.workshop_id, self.row["risk_id"], since)

    def note(self, text: str) -> None:
        """Keep an open point on the risk that is up."""
        if not text.strip():
            raise UsageError("An open point needs some text.")
        self.store.add_point(self.workshop_id, self.row["risk_id"], text.strip())

    def lock(
        self, likelihood: int, impact: int, reason: str, decided_by: str, override: bool = False, replace: bool = False
    ) -> LogEntry:
        """Decide the risk that is up: into the log, then into ratings.csv.

        ``override`` says that the group's median is knowingly departed from, or that there was no vote; ``replace``
        that a rating somebody else put into ratings.csv meanwhile shall give way.

        Raises:
            UsageError: no reason or name, an override that isn't called one, or the log's chain is broken.
            RatingChangedError: somebody else changed the rating on file since it was shown.
            RegisterError: ratings.csv can't be read, or doesn't take the new row.
        """
        standing = self.standing()
        departs = check_lock(standing, likelihood, impact, reason, decided_by, override)
        after = {
            **self.on_file.row(standing.risk["risk_id"], likelihood, impact, standing.tallies or {}),
            "rationale": reason.strip(),
            "rated_by": decided_by.strip(),
            "rated_on": self.clock().date().isoformat(),
        }
        return self._decide("lock", standing, after, reason, decided_by, departs, replace)

    def undo(self, reason: str, decided_by: str, replace: bool = False) -> LogEntry:
        """Take the last lock of the risk that is up back: a new entry in the log, and the row as it was before.

        Raises as ``lock``.
        """
        standing = self.standing()
        _need(decided_by, "Say who decides.")
        _need(reason, "Say why the decision is taken back.", lines=True)
        if standing.decision is None or standing.decision.action != "lock":
            raise UsageError(f"{standing.risk['risk_id']} isn't locked, so there is nothing to take back.")
        return self._decide("undo", standing, standing.decision.before, reason, decided_by, False, replace)

    def close(self) -> None:
        """End the workshop: ballots are told so; its decisions, votes and points stay."""
        self.store.close_workshop(self.workshop_id)

    # --- parts ---

    def _decide(
        self,
        action: Literal["lock", "undo"],
        standing: Standing,
        after: Cells | None,
        reason: str,
        decided_by: str,
        overrides: bool,
        replace: bool,
    ) -> LogEntry:
        risk = standing.risk["risk_id"]
        if completed := self.on_file.complete():
            raise UsageError(f"{completed} Yours isn't written yet: look again.")
        with held(self.folder):
            on_file = self.on_file.rows().get(risk)
            if on_file != self._seen[risk] and not replace:
                self._seen[risk] = on_file
                told = f"Somebody else changed {risk} in ratings.csv: {_told(on_file)}"
                raise RatingChangedError(f"{told} Nothing was written.")
            about = (self.workshop_id, self.unit_id, self.period.name, risk)
            said = (self.clock().isoformat(), decided_by.strip(), reason.strip())
            group = {
                axis: GroupVotes(each.counts, each.abstained, each.median or (), each.spread or ())
                for axis, each in (standing.tallies or {}).items()
            }
            written = self.on_file.decide(LogEntry(action, *about, *said, on_file, after, overrides, group))
            self._seen[risk] = self.on_file.rows().get(risk)
        return written

    def _tallies(self, risk: Mapping[str, Any]) -> dict[str, Tally]:
        ballots = self.store.ballots(self.workshop_id, risk["risk_id"], risk["round"])
        shape = dict(zip(AXES, self.register.methodology.matrix.shape, strict=True))
        return {axis: tally([getattr(each, axis) for each in ballots], shape[axis]) for axis in AXES}

    def _dots(self, risk: Mapping[str, Any]) -> Counter[tuple[int, int]]:
        """How many votes each cell of the matrix got; who can't say of an axis is in none."""
        ballots = self.store.ballots(self.workshop_id, risk["risk_id"], risk["round"])
        return Counter((each.likelihood, each.impact) for each in ballots if each.likelihood and each.impact)

    def _dispute(self, risk_id: str) -> float:
        """How far apart a risk's votes are, 0 to 2; -1 where too few are in to say."""
        tallies = self._tallies(self.store.risk(self.workshop_id, risk_id))
        if tallies["impact"].votes < self.row["minimum"]:
            return -1.0
        return max(1 - (each.agreement if each.agreement is not None else 1) for each in tallies.values())


def open_workshop(
    business_unit: str,
    period: str = "",
    data_dir: str = "data",
    votes: str = "",
    clock: Clock = decision_log.now,
    ended: bool = False,
) -> Workshop | None:
    """The unit's workshop that is under way, or None. Nothing is written: ``on_file.complete()`` finishes a lock.

    ``period`` is the latest opened one by default; ``votes`` the database's address; ``ended`` opens the last workshop
    also where it was ended.

    Raises:
        RegisterError: the register can't be used.
        UsageError: no such folder, unit, period or database.
    """
    register, chosen, store = _opened(business_unit, period, data_dir, votes)
    under_way = store.workshops(business_unit, chosen.name, ended)
    return Workshop(register, chosen, store, under_way[0]["workshop_id"], clock) if under_way else None


def begin_workshop(
    business_unit: str,
    facilitator: str,
    period: str = "",
    data_dir: str = "data",
    votes: str = "",
    minimum: int = MINIMUM,
    clock: Clock = decision_log.now,
) -> Workshop:
    """Begin a workshop on all risks of a unit; nothing is shown before ``minimum`` votes are in.

    Raises as ``open_workshop``, and UsageError where one is under way, the unit has no risks, or fewer than three votes
    would be shown.
    """
    _need(facilitator, "Say who facilitates.")
    if minimum < MINIMUM:
        raise UsageError(f"Votes are shown from {MINIMUM} on, so that nobody's can be told; {minimum} is too few.")
    register, chosen, store = _opened(business_unit, period, data_dir, votes, create=True)
    if register.risks.empty:
        raise UsageError(f"{business_unit} has no risks to rate.")
    row = {
        "unit_id": business_unit,
        "unit_name": register.unit(business_unit)["name"],
        "period": chosen.name,
        "facilitator": facilitator.strip(),
        "begun_at": clock().timestamp(),
        "minimum": minimum,
    }
    risks = register.risks[["risk_id", "title", "description"]].to_dict("records")
    methodology = register.methodology
    scales = {
        axis: [
            {"rating": number, "name": rating.name, "definition": rating.definition}
            for number, rating in enumerate(getattr(methodology, axis), 1)
        ]
        for axis in AXES
    }
    try:
        return Workshop(register, chosen, store, store.begin(row, risks, scales), clock)
    except UsageError:
        store.close()
        raise


def votes_address(folder: Path, votes: str = "") -> str:
    """Where votes are kept: at ``votes``, else where RISKCALC_VOTES says, else in a file beside the register."""
    return votes or os.environ.get("RISKCALC_VOTES", "") or beside(folder)


def _opened(
    business_unit: str, period: str, data_dir: str, votes: str, create: bool = False
) -> tuple[Register, Period, Store]:
    whole = load(find_folder(data_dir))  # never a workbook: decisions go into ratings.csv
    latest = whole.periods[-1].name if whole.periods else ""  # what is opened is there to be rated
    chosen = whole.period(period or latest, new=True)
    return whole.at(chosen).only(business_unit), chosen, Store(votes_address(whole.source, votes), create)


def _need(text: str, told: str, lines: bool = False) -> None:
    """Refuse a text that is blank, or, unless it may have several lines, would forge some where it is printed."""
    if not text.strip():
        raise UsageError(told)
    try:
        one_line("" if lines else text.strip())
    except ValueError as error:
        raise UsageError(f"{text!r} {error}.") from None


def _told(cells: Cells | None) -> str:
    if cells is None:
        return "its row is gone."
    rated = f"{cells['likelihood'] or 'unrated'} x {cells['impact'] or 'unrated'}"
    return f"it is {rated} now, by {cells['rated_by'] or 'nobody'} ({cells['rationale'] or 'no reason given'})."


def check_lock(
    standing: Standing, likelihood: int | None, impact: int | None, reason: str, decided_by: str, override: bool
) -> bool:
    """Whether a rating departs from the group's; raises UsageError where it can't be locked like this."""
    if likelihood is None or impact is None:
        raise UsageError("Choose a likelihood and an impact.")
    _need(decided_by, "Say who decides.")
    _need(reason, "A rating is locked with its reason.", lines=True)
    departs = _departs(standing, likelihood, impact)
    if departs and not override:
        raise UsageError(f"{_group_says(standing)} Confirm that you override it; your reason is kept.")
    return departs


def _departs(standing: Standing, likelihood: int, impact: int) -> bool:
    """Whether a rating is neither a middle vote nor between the two; without revealed votes there is no group."""
    if standing.tallies is None:
        return True
    medians = (standing.tallies[axis].median for axis in AXES)
    given = zip((likelihood, impact), medians, strict=True)
    return any(median is None or not median[0] <= each <= median[1] for each, median in given)


def _group_says(standing: Standing) -> str:
    if standing.tallies is None:
        return "The group hasn't voted on this risk."
    medians = (each.median for each in standing.tallies.values())
    said = " x ".join("can't say" if each is None else "/".join(map(str, sorted(set(each)))) for each in medians)
    return f"The group's median is {said} (likelihood x impact)."
