"""What the room sees on the wall: before the votes are shown nothing of them, and nobody's name at any time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskcalc.workshop import projector
from riskcalc.workshop.session import Workshop
from workshop.test_session import begin, vote

ADDRESS = "http://192.0.2.7:8866/?token=abc"


@pytest.fixture
def workshop(small: Path) -> Iterator[Workshop]:
    """A workshop on the small register's unit alpha, risk A-R1 up."""
    begun = begin(small)
    yield begun
    begun.store.close()


def shown(workshop: Workshop, address: str = "") -> str:
    return projector.page(workshop, workshop.standing(), workshop.scores(), address)


def cells(html: str) -> dict[tuple[int, int], str]:
    """The matrix's cells as the room reads them, by likelihood and impact: the worst on top and on the right."""
    rows = re.findall(r"<tr><th scope='row'>(\d)[^<]*</th>(.*?)</tr>", html)
    return {
        (int(likelihood), impact): cell
        for likelihood, row in rows
        for impact, cell in enumerate(re.findall(r"<td.*?>(.*?)</td>", row), 1)
    }


def test_nothing_of_the_votes_is_on_the_wall_before_they_are_shown(workshop: Workshop) -> None:
    """Two pages with other votes are the same page; the rating on file isn't marked either."""
    pages = []
    for ratings in (((1, 1), (1, 2), (2, 1)), ((5, 5), (5, 4), (None, 5))):
        vote(workshop, *ratings)
        pages.append(shown(workshop, ADDRESS).replace("round 2", "round 1"))
        workshop.reveal()
        workshop.vote_again()
    assert pages[0] == pages[1]
    assert "<b>3 of 3</b>" in pages[0]
    assert "class='dots'" not in pages[0]
    assert "<strong>" not in pages[0]


def test_shown_votes_are_dots_in_their_cells_and_bars_of_all_voters(workshop: Workshop) -> None:
    """Each vote is where it was cast; who can't say is told of, and a bar's length is its part of those who voted."""
    vote(workshop, (5, 2), (5, 2), (1, 3), (None, 3))
    workshop.reveal()
    html = shown(workshop)
    dots = {place: cell.count("<i></i>") for place, cell in cells(html).items() if "<i></i>" in cell}
    assert dots == {(5, 2): 2, (1, 3): 1}
    assert "1 can&#39;t say, in no cell" in html
    likelihood, impact = html.split("<h2>")[1:]
    assert re.findall(r"width:(\d+)%", likelihood) == ["50", "0", "0", "0", "25"]
    assert re.findall(r"width:(\d+)%", impact) == ["0", "0", "50", "50", "0"]


def test_a_locked_rating_is_marked_and_told_with_what_controls_leave(workshop: Workshop) -> None:
    """Only once it is locked."""
    vote(workshop, (4, 3), (4, 3), (4, 4))
    workshop.reveal()
    assert "A-R1" not in "".join(cells(shown(workshop)).values())
    workshop.lock(4, 3, "Agreed.", "Lead")
    html = shown(workshop)
    assert [place for place, cell in cells(html).items() if "A-R1" in cell] == [(4, 3)]
    assert "Locked at 4 x 3: " in html
    assert "Lead" not in html


def test_the_room_is_told_where_to_vote_while_it_can(workshop: Workshop) -> None:
    """As text and as a code, which no other machine is asked for; an address that only this machine opens isn't shown."""
    pytest.importorskip("segno")
    html = shown(workshop, ADDRESS)
    assert "risk 1 of 2" in html
    assert ADDRESS in html
    assert "<svg" in html
    assert "src=" not in html
    assert "token" not in shown(workshop, "http://127.0.0.1:8866/?token=abc")
    assert "evil" not in shown(workshop, "javascript:evil")
    vote(workshop, (1, 1), (1, 1), (1, 1))
    workshop.reveal()
    assert "<svg" not in shown(workshop, ADDRESS)


def test_text_of_the_register_stays_text(small: Path) -> None:
    """Whoever may write a title can't put markup on the wall."""
    file = small / "risks.csv"
    file.write_text(file.read_text("utf-8").replace("Wrong rates", "<img src=x onerror=alert(1)>"), "utf-8")
    workshop = begin(small)
    html = projector.page(workshop, workshop.standing(), workshop.scores(), note="<b>note</b>")
    workshop.store.close()
    assert "&lt;img" in html
    assert "&lt;b&gt;note" in html
    assert "<img" not in html
