"""The facilitator's panel without a browser: what its buttons do and say, and that no error hides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from riskcalc.workshop.facilitator import Panel, shared_ballot
from riskcalc.workshop.store import Vote


def buttons(widget: Any) -> dict[str, Any]:
    """All buttons below a widget, by what they say."""
    found = {}
    for child in getattr(widget, "children", ()):
        if hasattr(child, "click"):
            found[child.description] = child
        found |= buttons(child)
    return found


@pytest.fixture
def panel(small: Path) -> Iterator[Panel]:
    """A panel whose workshop has begun, three votes in."""
    made = Panel("alpha", data_dir=str(small))
    made.facilitator.value = "F. Lead"
    made.begin.click()
    assert made.workshop is not None
    for number in range(3):
        made.workshop.store.vote(made.workshop.workshop_id, "A-R1", f"Person {number}", Vote(number + 1, 3))
    yield made
    assert made.errors == []


def press(panel: Panel, text: str) -> str:
    buttons(panel)[text].click()
    return "".join(each.value for each in panel.messages)


def test_a_round_from_votes_to_lock(panel: Panel) -> None:
    """Votes show on the map as they come, the result after the reveal, the rating in the file after the lock."""
    panel.look()
    assert "3 of 3 have voted on A-R1" in panel.map_inherent.value
    assert "Median" not in panel.result.value
    press(panel, "Show the votes")
    assert "Median 2, middle half 1 to 3, of 3 votes." in panel.result.value
    assert "box-top" in panel.map_inherent.value
    assert (panel.likelihood.value, panel.impact.value) == (2, 3)
    assert "locked with its reason" in press(panel, "Lock the rating")
    panel.reason.value = "Agreed."
    assert "A-R1 is locked at 2 x 3; 1 left." in press(panel, "Lock the rating")
    assert panel.workshop is not None
    assert "A-R1,2026-H1,2,3,Agreed." in (panel.workshop.folder / "ratings.csv").read_text("utf-8")
    press(panel, "Next")
    assert panel.risk_ids.value == "A-R2"


def test_the_projector_shows_no_names(panel: Panel) -> None:
    """The facilitator sees who is awaited; the room doesn't."""
    assert panel.workshop is not None
    panel.workshop.store.join(panel.workshop.workshop_id, "Zoe Late")
    panel.look()
    assert "Zoe Late" in panel.turnout.value
    shown = "".join(child.value for child in panel.projector.children if hasattr(child, "value"))
    assert "Wrong rates" in shown
    assert "Zoe" not in shown


def test_the_projector_keeps_the_present_rating_until_the_votes_are_shown(panel: Panel) -> None:
    """It would sway the room; the facilitator's own map has it."""
    panel.look()
    maps = panel.projector.children[1].children
    assert "A-R1" in panel.map_earned.value
    assert not any('class="id"' in each.value or 'class="current"' in each.value for each in maps)
    press(panel, "Show the votes")
    assert all("A-R1</strong>" in each.value for each in maps)
    press(panel, "Vote again")
    assert not any('class="current"' in each.value for each in maps)


def test_a_what_if_moves_the_map_and_saves_nothing(panel: Panel) -> None:
    """The answer is a sentence with both scores; the register's files stay."""
    assert panel.workshop is not None
    before = (panel.workshop.folder / "ratings.csv").read_bytes()
    press(panel, "Try it")
    assert "A-R1: earned score" in panel.answer.value
    assert "Nothing of this is saved" in panel.map_earned.value
    press(panel, "Keep as a point")
    assert len(panel.workshop.store.points(panel.workshop.workshop_id)) == 1
    assert (panel.workshop.folder / "ratings.csv").read_bytes() == before


def test_an_unforeseen_error_is_shown_logged_and_kept(panel: Panel, caplog: pytest.LogCaptureFixture) -> None:
    """ipywidgets would swallow it."""
    assert panel.workshop is not None
    panel.workshop.store.reveal = None  # type: ignore[assignment, method-assign]
    told = press(panel, "Show the votes")
    assert "Something went wrong, and may not be stored: TypeError" in told
    assert "TypeError" in caplog.text
    assert [type(error) for error in panel.errors] == [TypeError]
    panel.errors.clear()


def test_a_second_panel_goes_on_with_the_same_workshop(panel: Panel, small: Path) -> None:
    """Nothing to begin: the risk, the votes and the risks' order are there."""
    press(panel, "Next")
    again = Panel("alpha", data_dir=str(small))
    assert again.risk_ids.value == "A-R2"


def test_the_shared_ballot_forgets_each_voter(panel: Panel) -> None:
    """One screen for all: after a vote the next person is asked for a name."""
    ballot = shared_ballot(panel)
    ballot._received(None, {"action": "join", "name": "Ann"}, None)
    ballot._received(None, {"action": "cast", "risk_id": "A-R1", "number": 1, "likelihood": 2, "impact": None}, None)
    assert ballot.page["state"] == "joining"
    assert "Hand on" in ballot.message
    ballot._received(None, {"action": "nonsense"}, None)
    assert "Something went wrong" in ballot.message
