"""A workshop: what the facilitator does, risk by risk, and what everybody sees. Plain Python; the widgets are thin.

    blind vote -> reveal -> discuss -> vote again, as often as it helps -> lock, with a reason

Everything is stored when it happens, so that opening the same workshop again goes on where it was left.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from riskcalc.assessment.context import Context
from riskcalc.assessment.scoring import AXES
from riskcalc.assessment.what_if import Rating, what_if, with_ratings
from riskcalc.errors import RiskcalcError, UsageError
from riskcalc.register.editing import Cells, check_row, find_row, held, put_row
from riskcalc.register.periods import Period
from riskcalc.register.register import Register, find_folder, load
from riskcalc.workshop import decision_log
from riskcalc.workshop.decision_log import Decision
from riskcalc.workshop.store import Store, beside
from riskcalc.workshop.tally import Tally, tally

MINIMUM = 3
ORDERS = ("in order", "most disputed", "most severe")
Clock = Callable[[], datetime]


class RatingChangedError(RiskcalcError):
    """Somebody else changed the rating in ratings.csv since it was last shown; nothing was written."""


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class View:
    """What is known of the risk that is up. ``tallies`` (by axis) are None until the votes are revealed.

    ``on_file`` is its row of ratings.csv in this period, ``decision`` the log's last word on it, ``before`` its rating
    in the period before.
    """

    risk: Mapping[str, Any]
    number: int
    revealed: bool
    votes: int
    voted: tuple[str, ...]
    participants: tuple[str, ...]
    minimum: int
    tallies: Mapping[str, Tally] | None
    discussed_since: float | None
    on_file: Cells | None
    decision: Decision | None
    before: Rating


@dataclass
class Workshop:
    """One workshop on a unit's risks in a period."""

    register: Register
    period: Period
    store: Store
    workshop_id: str
    clock: Clock = _now
    _seen: dict[str, Cells | None] = field(default_factory=dict)

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

    def view(self) -> View:
        """The risk that is up, and how its vote stands."""
        row = self.row
        risk = self.store.risk(self.workshop_id, row["risk_id"])
        place = (self.workshop_id, risk["risk_id"], risk["round"])
        voted = self.store.voted(*place)
        if risk["risk_id"] not in self._seen:
            self._seen[risk["risk_id"]] = self._on_file(risk["risk_id"])
        return View(
            self._described(risk["risk_id"]),
            risk["round"],
            risk["revealed"],
            len(voted),
            tuple(voted),
            tuple(self.store.participants(self.workshop_id)),
            row["minimum"],
            self._tallies(*place) if risk["revealed"] else None,
            risk["discussed_since"],
            self._seen[risk["risk_id"]],
            self.decisions.get(risk["risk_id"]),
            self._before(risk["risk_id"]),
        )

    @property
    def decisions(self) -> dict[str, Decision]:
        """The log's last word on each risk of this unit and period."""
        return decision_log.latest(self.folder, self.unit_id, self.period.name)

    @property
    def locked(self) -> set[str]:
        """The risks that are decided."""
        return {risk for risk, decision in self.decisions.items() if decision.action == "lock"}

    def ratings(self) -> dict[str, Rating]:
        """Each risk's rating as it stands: decided, else on file in this period, else that of the one before."""
        found = {risk: self._before(risk) for risk in self.risk_ids}
        on_file = self.register.ratings[self.register.ratings["period"] == self.period.name]
        for row in on_file.to_dict("records"):
            found[row["risk_id"]] = _rating(row)
        for risk, decision in self.decisions.items():
            found[risk] = _rating(decision.after or {})
        return {risk: found[risk] for risk in self.risk_ids}

    def scores(self, assumed: Mapping[str, Rating] | None = None, **changes: Any) -> pd.DataFrame:
        """The scores as they stand; ``assumed`` ratings and ``changes`` (see what_if) are tried out."""
        rated = with_ratings(self.register, self.period, {**self.ratings(), **(assumed or {})})
        return what_if(Context.of(rated, self.period.name), **changes)

    # --- what the facilitator does ---

    def select(self, risk_id: str) -> None:
        """Put a risk up: the ballots follow."""
        self.store.risk(self.workshop_id, risk_id)
        self._seen[risk_id] = self._on_file(risk_id)
        self.store.change(self.workshop_id, risk_id=risk_id)

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
    ) -> Decision:
        """Decide the risk that is up: into the log, then into ratings.csv.

        ``override`` says that the group's median is knowingly departed from, or that there was no vote; ``replace``
        that a rating somebody else put into ratings.csv meanwhile shall give way.

        Raises:
            UsageError: no reason or name, an override that isn't called one, or no such rating.
            RatingChangedError: somebody else changed the rating on file since it was shown.
            RegisterError: ratings.csv can't be read, or doesn't take the new row.
        """
        view = self.view()
        _need(decided_by, "Say who decides.")
        _need(reason, "A rating is locked with its reason.")
        if self._departs(view, likelihood, impact) and not override:
            raise UsageError(f"{self._group_says(view)} Confirm that you override it; your reason is kept.")
        after = self._cells(view, likelihood, impact, reason.strip(), decided_by.strip())
        departs = self._departs(view, likelihood, impact)
        return self._decide("lock", view, after, reason.strip(), decided_by.strip(), departs, replace)

    def undo(self, reason: str, decided_by: str, replace: bool = False) -> Decision:
        """Take the last lock of the risk that is up back: a new entry in the log, and the row as it was before."""
        view = self.view()
        _need(decided_by, "Say who decides.")
        _need(reason, "Say why the decision is taken back.")
        if view.decision is None or view.decision.action != "lock":
            raise UsageError(f"{view.risk['risk_id']} isn't locked, so there is nothing to take back.")
        return self._decide("undo", view, view.decision.before, reason.strip(), decided_by.strip(), False, replace)

    def recover(self) -> list[str]:
        """Carry over what the log holds and a crash kept from ratings.csv; gives the risks concerned."""
        found = []
        with held(self.folder):
            for risk, decision in self.decisions.items():
                on_file = self._on_file(risk)
                if on_file == decision.before and on_file != decision.after:
                    self._put(risk, decision.after)
                    found.append(risk)
        return found

    def close(self) -> None:
        """End the workshop: ballots are told so; its decisions, votes and points stay."""
        self.store.change(self.workshop_id, closed=True)

    # --- parts ---

    def _decide(
        self, action: Any, view: View, after: Cells | None, reason: str, decided_by: str, overrides: bool, replace: bool
    ) -> Decision:
        risk = view.risk["risk_id"]
        with held(self.folder):
            on_file = self._on_file(risk)
            if on_file != self._seen[risk] and not replace:
                self._seen[risk] = on_file
                raise RatingChangedError(
                    f"Somebody else changed {risk} in ratings.csv: {_told(on_file)} Nothing was written."
                )
            decision = Decision(
                action,
                self.workshop_id,
                self.unit_id,
                self.period.name,
                risk,
                self.clock().isoformat(),
                decided_by,
                reason,
                on_file,
                after,
                overrides,
                {axis: _as_plain(each) for axis, each in (view.tallies or {}).items()},
            )
            self._check(after)
            written = decision_log.append(self.folder, decision)
            self._put(risk, after)
            self._seen[risk] = after
        return written

    def _check(self, cells: Cells | None) -> None:
        """Refuse what ratings.csv wouldn't take before the log says that it was decided."""
        if cells:
            check_row("ratings", cells, self.register.methodology)

    def _on_file(self, risk_id: str) -> Cells | None:
        return find_row(self.folder, "ratings", self._key(risk_id), self.register.methodology)

    def _put(self, risk_id: str, cells: Cells | None) -> None:
        put_row(self.folder, "ratings", self._key(risk_id), cells, self.register.methodology)

    def _key(self, risk_id: str) -> dict[str, str]:
        return {"risk_id": risk_id, "period": self.period.name}

    def _cells(self, view: View, likelihood: int, impact: int, reason: str, decided_by: str) -> Cells:
        cells = {
            **self._key(view.risk["risk_id"]),
            "likelihood": str(likelihood),
            "impact": str(impact),
            "rationale": reason,
            "rated_by": decided_by,
            "rated_on": self.clock().date().isoformat(),
            **dict.fromkeys(("votes", "likelihood_low", "likelihood_high", "impact_low", "impact_high"), ""),
        }
        for axis, each in (view.tallies or {}).items():
            cells["votes"] = str(each.votes)
            if each.spread:
                cells |= {f"{axis}_low": str(each.spread[0]), f"{axis}_high": str(each.spread[1])}
        return cells

    def _departs(self, view: View, likelihood: int, impact: int) -> bool:
        """Whether a rating is other than what the group's median gives; without revealed votes there is no group."""
        if view.tallies is None:
            return True
        given = {"likelihood": likelihood, "impact": impact}
        return any(given[axis] not in _middle(each) for axis, each in view.tallies.items())

    def _group_says(self, view: View) -> str:
        if view.tallies is None:
            return "The group hasn't voted on this risk."
        medians = (each.median for each in view.tallies.values())
        said = " x ".join("can't say" if each is None else "/".join(map(str, sorted(set(each)))) for each in medians)
        return f"The group's median is {said} (likelihood x impact)."

    def _tallies(self, workshop_id: str, risk_id: str, number: int) -> dict[str, Tally]:
        ballots = self.store.ballots(workshop_id, risk_id, number)
        shape = dict(zip(AXES, self.register.methodology.matrix.shape, strict=True))
        return {axis: tally([getattr(each, axis) for each in ballots], shape[axis]) for axis in AXES}

    def _dispute(self, risk_id: str) -> float:
        """How far apart a risk's votes are, 0 to 2; -1 where too few are in to say."""
        risk = self.store.risk(self.workshop_id, risk_id)
        tallies = self._tallies(self.workshop_id, risk_id, risk["round"])
        if tallies["impact"].votes < self.row["minimum"]:
            return -1.0
        return max(1 - (each.agreement if each.agreement is not None else 1) for each in tallies.values())

    def _described(self, risk_id: str) -> dict[str, Any]:
        risks = self.register.risks
        return {str(name): value for name, value in risks[risks["risk_id"] == risk_id].iloc[0].items()}

    def _before(self, risk_id: str) -> Rating:
        earlier = [each for each in self.register.periods if each.last_day < self.period.last_day]
        if not earlier:
            return None, None
        rows = self.register.ratings
        found = rows[(rows["risk_id"] == risk_id) & (rows["period"] == earlier[-1].name)]
        return _rating(found.iloc[0].to_dict()) if len(found) else (None, None)


def open_workshop(
    business_unit: str,
    period: str = "",
    data_dir: str = "data",
    votes: str = "",
    clock: Clock = _now,
    ended: bool = False,
) -> Workshop | None:
    """The unit's workshop that is under way, or None; what a crash left half done is completed.

    ``period`` is the latest rated one by default; ``votes`` the database's address; ``ended`` opens the last workshop
    also where it was ended.

    Raises:
        RegisterError: the register can't be used.
        UsageError: no such folder, unit, period or database.
    """
    register, chosen, store = _opened(business_unit, period, data_dir, votes)
    under_way = store.workshops(business_unit, chosen.name, ended)
    if not under_way:
        return None
    workshop = Workshop(register, chosen, store, under_way[0]["workshop_id"], clock)
    workshop.recover()
    return workshop


def begin_workshop(
    business_unit: str,
    facilitator: str,
    period: str = "",
    data_dir: str = "data",
    votes: str = "",
    minimum: int = MINIMUM,
    clock: Clock = _now,
) -> Workshop:
    """Begin a workshop on all risks of a unit; nothing is shown before ``minimum`` votes are in.

    Raises as ``open_workshop``, and UsageError where one is under way, the unit has no risks, or fewer than three votes
    would be shown.
    """
    _need(facilitator, "Say who facilitates.")
    if minimum < MINIMUM:
        raise UsageError(f"Votes are shown from {MINIMUM} on, so that nobody's can be told; {minimum} is too few.")
    register, chosen, store = _opened(business_unit, period, data_dir, votes, create=True)
    if store.workshops(business_unit, chosen.name):
        raise UsageError(f"A workshop on {business_unit} in {chosen.name} is under way; open that one.")
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
    return Workshop(register, chosen, store, store.begin(row, risks, scales), clock)


def votes_address(folder: Path, votes: str = "") -> str:
    """Where votes are kept: at ``votes``, else where RISKCALC_VOTES says, else in a file beside the register."""
    return votes or os.environ.get("RISKCALC_VOTES", "") or beside(folder)


def _opened(
    business_unit: str, period: str, data_dir: str, votes: str, create: bool = False
) -> tuple[Register, Period, Store]:
    whole = load(find_folder(data_dir))  # never a workbook: decisions go into ratings.csv
    register = whole.only(business_unit)
    return register, _period(whole, period), Store(votes_address(whole.source, votes), create)


def _period(register: Register, name: str) -> Period:
    """The period to rate: the latest one, or another of the same kind, which may be new."""
    if not name:
        return register.period()
    try:
        period = Period.parse(name)
    except ValueError as error:
        raise UsageError(f"{name!r} is no period; allowed: {error}.") from None
    if register.periods and register.periods[-1].kind != period.kind:
        raise UsageError(f"{name} is a {period.kind}; the register's periods are like {register.periods[-1].name}.")
    return period


def _rating(row: Mapping[Any, Any]) -> Rating:
    found = [row.get(axis) for axis in AXES]
    likelihood, impact = (None if value in (None, "") or pd.isna(value) else int(value) for value in found)
    return likelihood, impact


def _need(text: str, told: str) -> None:
    if not text.strip():
        raise UsageError(told)


def _told(cells: Cells | None) -> str:
    if cells is None:
        return "its row is gone."
    rating = f"{cells['likelihood'] or 'unrated'} x {cells['impact'] or 'unrated'}"
    return f"it is {rating} now, by {cells['rated_by'] or 'nobody'} ({cells['rationale'] or 'no reason given'})."


def _middle(each: Tally) -> range:
    """The ratings that the group's median allows: both middle votes and all between them."""
    return range(each.median[0], each.median[1] + 1) if each.median else range(0)


def _as_plain(each: Tally) -> dict[str, Any]:
    return {
        "counts": list(each.counts),
        "abstained": each.abstained,
        "median": list(each.median or ()),
        "spread": list(each.spread or ()),
    }
