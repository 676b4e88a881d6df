"""The facilitator's panel without a browser: what its buttons do and say, and that no error hides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from riskcalc.workshop import ballot_server
from riskcalc.workshop.facilitator import Panel, clickable_map, shared_ballot
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
    assert ">A-R1<" not in panel.map_inherent.value + panel.map_earned.value, "its rating on file would lead people"
    assert (panel.likelihood.value, panel.impact.value) == (None, None)
    assert "<details><summary>Its rating on file" in panel.risk.value
    press(panel, "Show the votes")
    assert "Median 2, middle half 1 to 3, of 3 votes." in panel.result.value
    assert "box-top" in panel.map_inherent.value
    assert ">A-R1<" in panel.map_earned.value.replace("</span>A-R1", ">A-R1")
    assert "<details open>" in panel.risk.value
    assert (panel.likelihood.value, panel.impact.value) == (2, 3)
    assert "locked with its reason" in press(panel, "Lock the rating")
    panel.reason.value = "Agreed."
    assert "A-R1 is locked at 2 x 3; 1 left." in press(panel, "Lock the rating")
    assert panel.workshop is not None
    assert "A-R1,2026-H1,2,3,Agreed." in (panel.workshop.folder / "ratings.csv").read_text("utf-8")
    press(panel, "Next")
    assert panel.risk_ids.value == "A-R2"


def refusals(panel: Panel) -> dict[str, str]:
    """The buttons that can't be pressed, with what is told of it."""
    return {text: each.tooltip for text, each in buttons(panel).items() if each.disabled}


def test_what_is_not_allowed_cannot_be_pressed_and_says_why(panel: Panel) -> None:
    """From a round's first vote to the end of the workshop; the reason stands beside the button, too."""
    assert panel.workshop is not None
    panel.look()
    told = refusals(panel)
    assert told["Vote again"] == "no votes are shown yet"
    assert told["Take the lock back"] == "this risk isn't locked"
    assert told["Keep the point"] == "write one first"
    assert told["Lock the rating"] == "Choose a likelihood and an impact."
    assert "Show the votes" not in told
    assert "Vote again: no votes are shown yet." in "".join(why.value for _, why, _ in panel._rows)
    press(panel, "Show the votes")
    assert refusals(panel)["Lock the rating"] == "A rating is locked with its reason."
    panel.reason.value = "Agreed."
    assert not {"Vote again", "Lock the rating"} & set(refusals(panel))
    panel.likelihood.value = 5
    assert "The group's median is 2 x 3" in refusals(panel)["Lock the rating"]
    panel.override.value = True
    assert "Lock the rating" not in refusals(panel)
    press(panel, "Vote again")
    assert refusals(panel)["Show the votes"] == "3 more votes are needed"
    press(panel, "End the workshop")
    assert set(buttons(panel)) - set(refusals(panel)) == {"Write the record"}


def test_a_button_is_answered_beside_it(panel: Panel) -> None:
    """In its own row, and nowhere else: the panel is longer than a screen."""
    panel.point.value = "Ask the bank."
    press(panel, "Keep the point")
    [row] = [child for child in panel.children if buttons(child).get("Keep the point")]
    assert "The point is kept" in "".join(each.value for each in row.children[0].children if hasattr(each, "value"))
    assert sum("The point is kept" in each.value for each in panel.messages) == 1


def test_the_last_undecided_risk_has_no_next_one(panel: Panel) -> None:
    """ "All risks are decided" is said when they are, not before."""
    panel.likelihood.value, panel.impact.value = 2, 3
    panel.reason.value = "Agreed."
    panel.override.value = True
    press(panel, "Lock the rating")
    press(panel, "Next")
    assert refusals(panel)["Next"] == "A-R2 is the last that isn't decided"


def test_the_record_goes_beside_the_register(panel: Panel, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the notebook runs: JupyterLab runs it in the notebooks' folder."""
    (small.parent / "notebooks").mkdir()
    monkeypatch.chdir(small.parent / "notebooks")
    path = small.parent / "reports" / "2026-H1" / "workshops" / "alpha.html"
    assert str(path) in press(panel, "Write the record")
    assert path.is_file()


def test_the_ballots_address_is_shown_to_the_room_while_they_are_served(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to type it; when the server ends, a code that leads nowhere goes away."""
    for address in ("http://192.0.2.7:8866/?token=abc", ""):
        monkeypatch.setattr(ballot_server, "served", lambda _, address=address: address)
        for _ in range(30):
            panel.look()
        assert ("token=abc" in panel.projector.html) == bool(address)
        assert ("Shown to the room" in panel.invited.value) == bool(address)


def test_the_projector_shows_no_names(panel: Panel) -> None:
    """The facilitator sees who is awaited; the room doesn't."""
    assert panel.workshop is not None
    panel.workshop.store.join(panel.workshop.workshop_id, "Zoe Late")
    panel.look()
    assert "Zoe Late" in panel.turnout.value
    assert "Wrong rates" in panel.projector.html
    assert "Zoe" not in panel.projector.html


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


def test_the_map_to_click_waits_for_a_workshop_and_knows_no_votes(panel: Panel, small: Path) -> None:
    """Before there is one it says what to do; then a risk stands where its rating on file puts it."""
    assert "run this cell again" in clickable_map(Panel("beta", data_dir=str(small))).value
    figure, below = clickable_map(panel).children
    assert "A-R1" in str(figure.data[0].hovertext)
    assert "Person" not in str(figure.data) + below.value
