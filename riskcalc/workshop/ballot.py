"""A participant's ballot: who takes part, which risk is voted on, the vote. The page itself is templates/ballot.js.

Light on purpose: every participant's page has a process of its own, so nothing here loads pandas or the register.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from riskcalc.errors import RiskcalcError, UsageError, of_an_extra, one_line
from riskcalc.workshop.background import in_background
from riskcalc.workshop.store import NOWHERE, Store, Vote

with of_an_extra():
    import anywidget
    import traitlets

_EVERY = 0.25  # seconds between looks at what the facilitator did
_log = logging.getLogger(__name__)
_HINT = "This page goes on by itself when one begins. Ballots are served by: riskcalc workshop ballots"
Page = dict[str, Any]


@dataclass
class Desk:
    """What one participant does, in plain Python: join, look at the risk that is up, vote, change the vote."""

    store: Store
    unit_id: str = ""
    name: str = ""
    _cast: dict[tuple[str, int], tuple[str, Vote]] = field(default_factory=dict)
    _ahead: str = ""
    _joined: str = ""

    def page(self) -> Page:
        """All that the participant's page shows now; plain values."""
        under_way = self.store.workshops(self.unit_id)
        if not under_way:
            return {"state": "waiting", "title": "No workshop is under way", "hint": _HINT}
        workshop = under_way[0]
        head = {"title": f"{workshop['unit_name']}, {workshop['period']}", "minimum": workshop["minimum"]}
        if not self.name:
            return {"state": "joining", **head}
        self._take_part(workshop["workshop_id"])
        risks = self.store.risks(workshop["workshop_id"])
        still_open = [risk for risk in risks if not risk["revealed"]]
        ahead = (risk for risk in still_open if risk["risk_id"] == self._ahead)
        up = next(ahead, None) or next(risk for risk in risks if risk["risk_id"] == workshop["risk_id"])
        shown = {
            "risk_id": up["risk_id"],
            "round": up["round"],
            "heading": up["title"],
            "description": up["description"],
            "is_up": up["risk_id"] == workshop["risk_id"],
            "others": [{"risk_id": risk["risk_id"], "title": risk["title"]} for risk in still_open],
            "scales": self.store.scales(workshop["workshop_id"]),
        }
        return {"state": self._state(workshop["workshop_id"], up), "name": self.name, **head, **shown, **self._own(up)}

    def join(self, name: str) -> None:
        """Take part under a name, which is kept apart from the votes."""
        if not name.strip():
            raise UsageError("Enter a name, so that the facilitator sees who has voted.")
        try:
            self.name = one_line(name.strip()[:80])
        except ValueError as error:
            raise UsageError(f"The name {error}.") from None

    def leave(self) -> None:
        """Let somebody else use this page."""
        self.name, self._ahead, self._joined = "", "", ""
        self._cast.clear()

    def choose(self, risk_id: str) -> None:
        """Vote on another open risk than the one that is up; blank: follow the facilitator again."""
        self._ahead = risk_id

    def cast(self, risk_id: str, number: int, likelihood: int | None, impact: int | None) -> None:
        """Vote on the risk in the round that the page showed, or change that vote while it isn't revealed.

        Raises UsageError where the round is over, or somebody of the same name has voted in it.
        """
        workshop = self._workshop()
        risk = self.store.risk(workshop["workshop_id"], risk_id)
        if risk["round"] != number:
            raise UsageError("A further round was opened meanwhile; vote in that one.")
        self._check(workshop["workshop_id"], likelihood, impact)
        vote = Vote(likelihood, impact)
        if known := self._cast.get((risk_id, number)):
            ballot = known[0]
            self.store.revote(ballot, vote)
        else:
            ballot = self.store.vote(workshop["workshop_id"], risk_id, self.name, vote)
        self._cast[risk_id, number] = (ballot, vote)

    def _workshop(self) -> dict[str, Any]:
        under_way = self.store.workshops(self.unit_id)
        if not under_way or not self.name:
            raise UsageError("No workshop is under way." if self.name else "Enter your name first.")
        return under_way[0]

    def _take_part(self, workshop_id: str) -> None:
        """Note once that somebody takes part: a page looks several times a second, and must not write as often."""
        if self._joined != workshop_id:
            self.store.join(workshop_id, self.name)
            self._joined = workshop_id

    def _check(self, workshop_id: str, likelihood: int | None, impact: int | None) -> None:
        scales = self.store.scales(workshop_id)
        for axis, vote in (("likelihood", likelihood), ("impact", impact)):
            if vote is not None and vote not in range(1, len(scales[axis]) + 1):
                raise UsageError(f"{axis}: {vote!r}; allowed: 1 to {len(scales[axis])}, or can't say.")

    def _state(self, workshop_id: str, risk: dict[str, Any]) -> str:
        if risk["revealed"]:
            return "revealed"
        if (risk["risk_id"], risk["round"]) in self._cast:
            return "voted"
        elsewhere = self.name in self.store.voted(workshop_id, risk["risk_id"], risk["round"])
        return "voted_elsewhere" if elsewhere else "voting"

    def _own(self, risk: dict[str, Any]) -> Page:
        """The participant's own vote, as this page remembers it."""
        known = self._cast.get((risk["risk_id"], risk["round"]))
        return {"likelihood": known[1].likelihood, "impact": known[1].impact} if known else {}


class Ballot(anywidget.AnyWidget):
    """The ballot as a widget; ``shared`` is for one screen that is handed round: it forgets each voter."""

    _esm = resources.files("riskcalc.workshop").joinpath("templates/ballot.js").read_text("utf-8")
    _css = resources.files("riskcalc.workshop").joinpath("templates/ballot.css").read_text("utf-8")
    page = traitlets.Dict().tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    shared = traitlets.Bool(False).tag(sync=True)

    def __init__(self, desk: Desk, shared: bool = False) -> None:
        super().__init__(shared=shared)
        self._desk = desk
        self._actions: dict[str, Callable[..., None]] = {
            "join": desk.join,
            "leave": desk.leave,
            "choose": desk.choose,
            "cast": desk.cast,
        }
        self.on_msg(self._received)
        self.refresh()
        self._watch = in_background(self._follow())

    def refresh(self) -> None:
        """Show how things stand."""
        self.page = self._desk.page()

    def _received(self, _: Any, content: dict[str, Any], __: Any) -> None:
        """Do what the page asks for; whatever goes wrong is shown on it, and logged."""
        try:
            asked = dict(content)
            self._actions[asked.pop("action")](**asked)
            self.message = ""
            if self.shared and "likelihood" in asked:
                self._desk.leave()
                self.message = "The vote is in. Hand on to the next person."
            self.refresh()
        except RiskcalcError as error:
            self.message = str(error)
        except Exception as error:  # noqa: BLE001 - it is shown and logged
            _log.exception("the ballot page asked for %r", content.get("action"))  # never a name or a vote
            self.message = f"Something went wrong; the vote may not be in: {error}"

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001 - it is shown and logged
                _log.exception("looking at the workshop")
                self.message = f"The workshop can't be reached: {error}"


def ballot(votes: str = "", business_unit: str = "", shared: bool = False) -> Ballot:
    """The ballot of the workshop that is under way, of ``business_unit`` or of any; it waits for one to begin.

    ``votes`` is the database's address. By default the environment says both, as set by ``riskcalc workshop ballots``:
    RISKCALC_VOTES and RISKCALC_UNIT; where it doesn't, the page waits in vain and says how ballots are served.

    Raises UsageError where there is no such database.
    """
    unit = business_unit or os.environ.get("RISKCALC_UNIT", "")
    address = votes or os.environ.get("RISKCALC_VOTES", "")
    return Ballot(Desk(Store(address or NOWHERE), unit), shared)
