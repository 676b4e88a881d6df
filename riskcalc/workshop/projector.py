"""What the room sees on the wall, in large: the risk that is up, who may still vote, the votes once shown. No names."""

from __future__ import annotations

import re
from importlib import resources

import pandas as pd
from markupsafe import Markup

from riskcalc.assessment.scoring import by_cell
from riskcalc.errors import of_an_extra
from riskcalc.pages import display
from riskcalc.register.matrix import Matrix
from riskcalc.workshop.display import written
from riskcalc.workshop.session import Standing, Workshop

with of_an_extra():
    import anywidget
    import traitlets

_FILES = resources.files("riskcalc.workshop")
_SOON = "<div class='room'><h1>The workshop begins shortly.</h1></div>"
_ADDRESS = re.compile(r"https?://[^\s]{1,300}")
_HERE = re.compile(r"https?://(localhost|127\.|\[::1\])")


class Projector(anywidget.AnyWidget):
    """The projector's view: a preview in the notebook, to be opened in a window of its own or over the whole screen."""

    _esm = _FILES.joinpath("templates/projector.js").read_text("utf-8")
    html = traitlets.Unicode(_SOON).tag(sync=True)
    css = traitlets.Unicode(_FILES.joinpath("templates/projector.css").read_text("utf-8")).tag(sync=True)

    def show(self, workshop: Workshop, standing: Standing, scores: pd.DataFrame, address: str, note: str) -> None:
        """Show how the risk that is up stands; ``address`` is where ballots are, ``note`` a what-if that is tried."""
        self.html = page(workshop, standing, scores, address, note)


def unfit(address: str) -> str:
    """Why an address of ballots is nothing to show to the room; blank where it is.

    >>> unfit("http://192.0.2.7:8866/?token=abc"), unfit("localhost")
    ('', 'An address begins with http:// or https://.')
    """
    if _HERE.match(address):
        return "Only this machine can open that address, so the room isn't shown it; --listen 0.0.0.0 lets it in."
    return "" if _ADDRESS.fullmatch(address) else "An address begins with http:// or https://."


def page(workshop: Workshop, standing: Standing, scores: pd.DataFrame, address: str = "", note: str = "") -> str:
    """The projector's page as HTML; whatever a register or a person wrote is escaped."""
    matrix, decided = workshop.register.methodology.matrix, _decided(workshop, standing)
    row, risk = workshop.row, standing.risk["risk_id"]
    where = f"{row['unit_name']}, {row['period']} · {risk} · risk {standing.place} of {len(workshop.risk_ids)}"
    held = by_cell(scores[scores["risk_id"] != risk], "inherent", matrix)
    drawn = display.matrix_table("", matrix, {decided: [risk]} if decided else {}, risk).content
    invited = "" if unfit(address) else address
    given = (where, _outcome(scores, risk, decided, matrix, note), drawn, held, matrix, invited)
    return written("projector", standing, *given, _code(invited) if invited else "")


# --- parts ---


def _decided(workshop: Workshop, standing: Standing) -> tuple[int, int] | None:
    """The rating that was locked; nothing of an earlier one is shown, before a vote least of all."""
    risk = standing.risk["risk_id"]
    likelihood, impact = workshop.ratings()[risk] if risk in workshop.locked else (None, None)
    return (likelihood, impact) if likelihood and impact else None


def _outcome(scores: pd.DataFrame, risk_id: str, decided: tuple[int, int] | None, matrix: Matrix, note: str) -> str:
    if not decided:
        return note
    risk = scores.set_index("risk_id").loc[risk_id]
    told = f"Locked at {decided[0]} x {decided[1]}: {matrix.level(*decided)} before controls."
    left = f"{risk['earned_level']} with the controls as documented and tested."
    return f"{told} {note or left}"


def _code(address: str) -> Markup:
    """The address as a QR code, drawn here: nothing is fetched."""
    try:
        import segno
    except ModuleNotFoundError:  # an installation older than the code; the address is still there to be typed
        return Markup("")
    return Markup(segno.make_qr(address).svg_inline(border=2, light="#fff", omitsize=True))  # noqa: S704 - segno's own
