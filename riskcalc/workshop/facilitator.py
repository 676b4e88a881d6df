"""The facilitator's panel in JupyterLab: widgets over riskcalc.workshop, and nothing else.

Whatever goes wrong in a callback is shown on the panel, and logged with its traceback: ipywidgets alone would hide it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from riskcalc.assessment.what_if import Added
from riskcalc.errors import RiskcalcError, UsageError, of_an_extra
from riskcalc.pages import charts
from riskcalc.workshop import ballot_server, decision_log, display, projector, record
from riskcalc.workshop.background import in_background
from riskcalc.workshop.ballot import Ballot, Desk
from riskcalc.workshop.locking import RatingChangedError
from riskcalc.workshop.session import (
    ORDERS,
    Standing,
    Workshop,
    begin_workshop,
    check_lock,
    open_workshop,
    votes_address,
)
from riskcalc.workshop.store import FILE, NOWHERE, Store

with of_an_extra():
    import ipywidgets as widgets

_EVERY = 0.1  # seconds between looks at the votes
_SELDOM = 20  # looks at the votes for each look for a server of ballots
_log = logging.getLogger(__name__)
_WIDE = widgets.Layout(width="auto")
_WRAP = widgets.Layout(flex_flow="row wrap", align_items="center")
_MAPS = widgets.Layout(flex_flow="row wrap", align_items="flex-start")
_MAP = widgets.Layout(flex="1 1 30rem", min_width="min(20rem, 100%)")
Act = Callable[[], str | None]


class Panel(widgets.VBox):  # type: ignore[misc]
    """Begins a workshop or goes on with the one under way; ``errors`` are those that nobody foresaw."""

    children: tuple[Any, ...]

    def __init__(self, business_unit: str, period: str = "", data_dir: str = "data", votes: str = "") -> None:
        super().__init__()
        self.add_class("riskcalc-panel")
        self._where = (period, data_dir, votes)
        self._unit = business_unit
        self.errors: list[Exception] = []
        self.workshop = open_workshop(business_unit, *self._where)
        self.told = widgets.HTML()
        self._rows: list[tuple[widgets.HTML, widgets.HTML, list[widgets.Button]]] = []
        self.map_inherent, self.map_earned = widgets.HTML(layout=_MAP), widgets.HTML(layout=_MAP)
        self.projector = projector.Projector()
        self.desk = Desk(Store(NOWHERE), business_unit)
        self._pulse: Any = None
        self._standing: Standing | None = None
        self._looks = 0
        self._answer = self._note = self._served = ""
        if self.workshop:
            self._go_on()
            self._told(self._greet)
        else:
            self._offer()
        self._watch = in_background(self._follow())

    # --- beginning ---

    def _offer(self) -> None:
        self.facilitator = widgets.Text(description="Facilitator")
        self.begin = self._button("Begin the workshop", self._begin, "primary")
        hint = f"Votes will be kept beside the register, in {FILE}, or where RISKCALC_VOTES says."
        self.children = (self.told, widgets.HTML(display.framed(hint)), self._row(self.facilitator, self.begin))
        self.facilitator.observe(lambda _: self._allow(), "value")
        self._allow()

    def _begin(self) -> None:
        self._rows.clear()
        self.workshop = begin_workshop(self._unit, self.facilitator.value, *self._where)
        self._go_on()

    def _greet(self) -> str:
        """Finish what a crash left undone, and say it; say also where the log can't be built upon."""
        if found := decision_log.broken(self._ours.folder):
            raise UsageError(f"{decision_log.FILE}: {'; '.join(found)}. Nothing can be locked until it is restored.")
        return self._ours.on_file.complete()

    # --- the panel ---

    def _go_on(self) -> None:
        workshop = self._ours
        self.desk.store = workshop.store
        matrix = workshop.register.methodology.matrix
        self.order = widgets.Dropdown(options=ORDERS, description="Next risk")
        self.risk_ids = widgets.Dropdown(options=workshop.risk_ids, description="Risk")
        self.risk, self.turnout, self.result = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.timer = widgets.Label()
        self.likelihood = _ratings("Likelihood", matrix.likelihood)
        self.impact = _ratings("Impact", matrix.impact)
        self.reason = widgets.Textarea(description="Reason", rows=3, layout=_WIDE)
        by = f"Workshop, {workshop.row['facilitator']}"
        self.decided_by = widgets.Text(description="Decided by", value=by, layout=_WIDE)
        self.override = _box("Override the group, or decide without a vote")
        self.replace = _box("Replace what somebody else put into ratings.csv")
        self.point = widgets.Text(description="Open point", layout=_WIDE)
        reports = str(workshop.folder.parent / "reports")  # beside the register: the notebook may run anywhere
        self.out = widgets.Text(description="Pages in", value=reports, layout=widgets.Layout(width="30rem"))
        self.address = widgets.Text(description="Ballots at", layout=widgets.Layout(width="30rem"))
        self.invited = widgets.HTML()
        self.risk_ids.observe(lambda _: self._told(self._select), "value")
        self.address.observe(lambda _: self._show(), "value")
        self.children = (
            self.told,
            self._row(self.risk_ids, self.order, self._button("Next", self._next)),
            self.risk,
            widgets.HTML(display.framed(display.definitions(workshop.register.methodology))),
            widgets.HBox([self.address, self.invited], layout=_WRAP),
            self.turnout,
            self._row(
                self._button("Show the votes", self._act(workshop.reveal), "primary"),
                self._button("Vote again", self._act(workshop.vote_again)),
                self._button("Start the timer", self._act(workshop.discuss)),
                self._button("Stop the timer", self._act(lambda: workshop.discuss(False))),
                self.timer,
            ),
            self.result,
            widgets.HBox([self.likelihood, self.impact], layout=_WRAP),
            self.reason,
            self.decided_by,
            self.override,
            self.replace,
            self._row(
                self._button("Lock the rating", self._lock, "success"), self._button("Take the lock back", self._undo)
            ),
            self._row(self.point, self._button("Keep the point", self._keep_point)),
            self._what_if(),
            widgets.HBox([self.map_inherent, self.map_earned], layout=_MAPS),
            self._row(
                self.out, self._button("Write the record", self._record), self._button("End the workshop", self._end)
            ),
        )
        for field in (self.likelihood, self.impact, self.reason, self.decided_by, self.override, self.point):
            field.observe(lambda _: self._allow(), "value")
        self._find_ballots()
        self.refresh(new_risk=True)

    def _what_if(self) -> widgets.Widget:
        self.what = widgets.Dropdown(options=["fails", "is repaired"], description="What if it")
        self.control = widgets.Dropdown(options=self._controls(), description="Control")
        self.acts_on = widgets.Dropdown(options=["likelihood", "impact", "both"], description="Acts on")
        self.coverage = widgets.FloatSlider(value=0.5, min=0, max=1, step=0.05, description="Coverage")
        self.answer = widgets.HTML()
        try_it, add_it = self._button("Try it", self._try_control), self._button("Try a new control", self._try_new)
        keep, clear = self._button("Keep as a point", self._keep_answer), self._button("Clear", self._clear)
        parts = [
            self._row(self.control, self.what, try_it),
            self._row(self.acts_on, self.coverage, add_it),
            self.answer,
            self._row(keep, clear),
        ]
        return widgets.Accordion([widgets.VBox(parts)], titles=["What if (nothing is saved)"])

    # --- what is shown ---

    def refresh(self, new_risk: bool = False) -> None:
        """Show how the workshop stands; with ``new_risk`` also offer its ratings anew."""
        standing = self._ours.standing()
        matrix = self._ours.register.methodology.matrix
        self.risk.value = display.framed(display.risk(standing))
        self.turnout.value = display.framed(display.turnout(standing))
        self.result.value = display.framed(display.result(standing, matrix))
        self._standing, self._open = standing, set(self._ours.risk_ids) - self._ours.locked
        if new_risk or standing.tallies:
            self._offer_ratings(standing)
        if new_risk:
            with self.hold_trait_notifications():
                self.risk_ids.value = standing.risk["risk_id"]
            self.control.options = self._controls()
            self.reason.value, self.override.value, self.replace.value = "", False, False
        self._draw(standing)

    def _draw(self, standing: Standing, scores: Any = None, note: str = "") -> None:
        self._scores, self._note = self._ours.scores() if scores is None else scores, note
        for level, target in (("inherent", self.map_inherent), ("earned", self.map_earned)):
            told = note if level == "earned" else ""
            drawn = display.the_map(self._ours, standing, level, self._scores, told)
            target.value = display.framed(display.rendered(drawn))
        self._show()
        self._allow()

    def _show(self) -> None:
        """Show the room how things stand, and the facilitator what it isn't shown."""
        address = self.address.value.strip()
        self.invited.value = display.framed(display.invitation(address, projector.unfit(address)))
        if self._standing:
            self.projector.show(self._ours, self._standing, self._scores, address, self._note)

    def _find_ballots(self) -> None:
        """Show the address of this machine's ballots as soon as they are served, and no longer."""
        found = ballot_server.served(votes_address(self._ours.folder, self._where[2]))
        if found != self._served:
            self.address.value = self._served = found

    def _offer_ratings(self, standing: Standing) -> None:
        """Put the group's median, else the rating that stands, into the two fields, but nothing before a vote."""
        stands = dict(zip(("likelihood", "impact"), self._ours.ratings()[standing.risk["risk_id"]], strict=True))
        for axis, field in (("likelihood", self.likelihood), ("impact", self.impact)):
            voted = standing.tallies[axis].suggestion if standing.tallies else None
            field.value = None if standing.blind else voted or stands[axis]

    # --- what the buttons do ---

    def _act(self, act: Callable[[], None]) -> Act:
        def done() -> None:
            act()
            self.refresh()

        return done

    def _select(self) -> None:
        if self.risk_ids.value != self._ours.row["risk_id"]:
            self._ours.select(self.risk_ids.value)
            self.refresh(new_risk=True)

    def _next(self) -> str | None:
        if self._ours.next(self.order.value) is None:
            return display.no_next(self._open)
        self.refresh(new_risk=True)
        return None

    def _lock(self) -> str:
        if self.likelihood.value is None or self.impact.value is None:
            raise UsageError("Choose a likelihood and an impact.")
        given = (self.likelihood.value, self.impact.value, self.reason.value, self.decided_by.value)
        entry = self._ours.lock(*given, override=self.override.value, replace=self.replace.value)
        self.refresh()
        self.override.value = self.replace.value = False
        return f"{entry.risk_id} is locked at {self.likelihood.value} x {self.impact.value}; {len(self._open)} left."

    def _undo(self) -> str:
        decision = self._ours.undo(self.reason.value, self.decided_by.value, replace=self.replace.value)
        self.refresh()
        return f"The lock of {decision.risk_id} is taken back; the log keeps both."

    def _keep_point(self) -> str:
        self._ours.note(self.point.value)
        self.point.value = ""
        return "The point is kept for the record."

    def _try_control(self) -> None:
        if self.control.value is None:
            raise UsageError("No control acts on this risk yet; try a new one.")
        change = {"failing" if self.what.value == "fails" else "repaired": [self.control.value]}
        self._try(f"If {self.control.value} {self.what.value}", change)

    def _try_new(self) -> None:
        added = Added(self.risk_ids.value, self.acts_on.value, self.coverage.value)
        self._try(f"With a new control on {added.acts_on}, coverage {added.coverage:.2f}", {"added": [added]})

    def _try(self, said: str, change: Any) -> None:
        workshop = self._ours
        standing = workshop.standing()
        chosen = (self.likelihood.value, self.impact.value)
        assumed = {standing.risk["risk_id"]: chosen} if all(chosen) else {}  # else what is on file
        before, after = workshop.scores(assumed), workshop.scores(assumed, **change)
        self._answer = f"{said}: {display.moved(before, after, standing.risk['risk_id'])}"
        self.answer.value = display.framed(display.message(self._answer, "open"))
        self._draw(standing, after, f"{said}. Nothing of this is saved.")

    def _keep_answer(self) -> str:
        self._ours.note(self._answer)
        return "The what-if is kept as an open point."

    def _clear(self) -> None:
        self._answer = ""
        self.answer.value = ""
        self.refresh()

    def _record(self) -> str:
        return f"The record is written: {record.write(self._ours, self.out.value)}"

    def _end(self) -> str:
        self._ours.close()
        self.refresh()
        return "The workshop is ended; its decisions are in ratings.csv. Run the cell again to begin another."

    # --- parts ---

    @property
    def _ours(self) -> Workshop:
        assert self.workshop is not None, "the panel is shown once there is a workshop"
        return self.workshop

    def _controls(self) -> list[tuple[str, str]]:
        register = self._ours.register
        links = register.risk_controls[register.risk_controls["risk_id"] == self._ours.row["risk_id"]]
        titles = dict(zip(register.controls["control_id"], register.controls["title"], strict=True))
        return [(f"{name} {titles[name]}"[:70], name) for name in links["control_id"]]

    def _button(self, text: str, act: Callable[[], str | None], style: str = "") -> widgets.Button:
        made = widgets.Button(description=text, button_style=style, layout=_WIDE)
        made.act = act
        return made

    def _row(self, *parts: widgets.Widget) -> widgets.Widget:
        """Fields and buttons side by side, and beside them what the buttons say, and why one can't be pressed."""
        told, why = widgets.HTML(), widgets.HTML()
        buttons = [each for each in parts if isinstance(each, widgets.Button)]
        for each in buttons:
            each.on_click(lambda pressed: self._told(pressed.act, told))
        self._rows.append((told, why, buttons))
        return widgets.VBox([widgets.HBox([*parts, told], layout=_WRAP), why])

    def _allow(self) -> None:
        """Disable the buttons that can't be pressed now, and say why beside them."""
        refused = self._refused()
        for _, why, buttons in self._rows:
            told = {each.description: refused.get(each.description, "") for each in buttons}
            for each in buttons:
                each.disabled, each.tooltip = bool(told[each.description]), told[each.description]
            why.value = display.framed(display.refusals(told)) if any(told.values()) else ""

    def _refused(self) -> dict[str, str]:
        if self._standing is None:
            return {"Begin the workshop": "" if self.facilitator.value.strip() else "say who facilitates"}
        if self._standing.ended:
            every = (each.description for _, _, buttons in self._rows for each in buttons)
            return dict.fromkeys(every, "the workshop is ended") | {"Write the record": ""}
        tried = "" if self._answer else "nothing is tried"
        given = (self.likelihood.value, self.impact.value, self.reason.value, self.decided_by.value)
        return self._standing.refused() | {
            "Next": "" if self._open - {self._standing.risk["risk_id"]} else display.no_next(self._open),
            "Lock the rating": why_not(check_lock, self._standing, *given, self.override.value),
            "Keep the point": "" if self.point.value.strip() else "write one first",
            "Try it": "" if self.control.value else "no control acts on this risk yet",
            "Keep as a point": tried,
            "Clear": tried,
        }

    @property
    def messages(self) -> list[widgets.HTML]:
        """Where the panel answers: at its top, and beside each row of buttons."""
        return [self.told, *(told for told, _, _ in self._rows)]

    def _told(self, act: Callable[[], str | None], where: widgets.HTML | None = None) -> None:
        """Do something, and say how it went: beside its own button, or at the top."""
        tone = "good"
        try:
            text = act() or ""
        except RiskcalcError as error:
            hint = " Tick the box for it to replace that." if isinstance(error, RatingChangedError) else ""
            text, tone = f"{error}{hint}", "bad"
        except Exception as error:  # noqa: BLE001 - it is shown and logged
            _log.exception("the facilitator's panel")
            self.errors.append(error)
            text, tone = f"Something went wrong, and may not be stored: {type(error).__name__}: {error}", "bad"
        for each in self.messages:
            each.value = ""
        (where or self.told).value = display.framed(display.message(text, tone))

    async def _follow(self) -> None:
        """Look for votes and for other people's doing, and show what changed."""
        while True:
            await asyncio.sleep(_EVERY)
            if self.workshop:
                self.look()

    def look(self) -> None:
        """Show what has changed since the last look."""
        try:
            self._looks += 1
            if self._looks % _SELDOM == 0:
                self._find_ballots()
            pulse = self._ours.store.pulse(self._ours.workshop_id)
            if pulse != self._pulse:
                before, self._pulse = self._pulse, pulse
                if before and pulse[:-2] == before[:-2]:  # only votes or participants came in: nothing is scored again
                    self._standing = self._ours.standing()
                    self.turnout.value = display.framed(display.turnout(self._standing))
                    self._draw(self._standing, self._scores, self._note)
                else:
                    self.refresh(new_risk=bool(before) and pulse[0] != before[0])
            self.timer.value = display.timer(self._standing, self._ours.clock()) if self._standing else ""
        except Exception as error:  # noqa: BLE001 - it is shown and logged
            _log.exception("looking at the votes")
            self.told.value = display.framed(display.message(f"The workshop can't be read: {error}", "bad"))


def _ratings(axis: str, names: tuple[str, ...]) -> widgets.Dropdown:
    options = [("choose", None), *((f"{number} {name}", number) for number, name in enumerate(names, 1))]
    return widgets.Dropdown(options=options, description=axis)


def _box(text: str) -> widgets.Checkbox:
    return widgets.Checkbox(description=text, layout=_WIDE, indent=False)


def why_not(check: Callable[..., Any], *given: Any) -> str:
    """What a check says against something; blank where it lets it pass."""
    try:
        check(*given)
    except UsageError as error:
        return str(error)
    return ""


def panel(business_unit: str, period: str = "", data_dir: str = "data", votes: str = "") -> Panel:
    """The facilitator's panel for a unit's workshop."""
    return Panel(business_unit, period, data_dir, votes)


def clickable_map(panel: Panel) -> Any:
    """The matrix as it stands when the cell is run, for a look at the risks in a cell; no votes are in it."""
    if panel.workshop is None:
        return widgets.HTML(display.framed("Once the workshop has begun, run this cell again."))
    register = panel.workshop.register
    scores = panel.workshop.scores().merge(register.risks[["risk_id", "title", "owner"]], on="risk_id")
    return charts.clickable(scores, register.methodology.matrix, "earned", "inherent")


def shared_ballot(panel: Panel) -> Ballot:
    """A ballot on the facilitator's own screen, to be handed round: it forgets each voter."""
    return Ballot(panel.desk, shared=True)
