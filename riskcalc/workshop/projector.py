"""What the room sees on the wall, in large: the risk that is up, who may still vote, the votes once shown. No names."""

from __future__ import annotations

import re
from importlib import resources

import pandas as pd
from markupsafe import Markup, escape

from riskcalc.assessment.scoring import by_cell
from riskcalc.errors import counted, of_an_extra
from riskcalc.pages import display
from riskcalc.register.matrix import Matrix
from riskcalc.workshop.display import bars
from riskcalc.workshop.session import Standing, Workshop
from riskcalc.workshop.tally import Tally

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
    row, risk = workshop.row, standing.risk
    place = f"risk {standing.place} of {len(workshop.risk_ids)}"
    where = f"{row['unit_name']}, {row['period']} · {risk['risk_id']} · {place}"
    parts = [
        Markup("<p class='where'>{}, round {}</p><h1>{}</h1>").format(where, standing.number, risk["title"]),
        Markup("<p class='about'>{}</p>").format(risk["description"]) if not standing.revealed else "",
        _outcome(scores, risk["risk_id"], decided, matrix, note),
        Markup("<div class='halves'><div>{}</div><div>{}</div></div>").format(
            _matrix(standing, scores, matrix, decided),
            _votes(standing, matrix) if standing.tallies else _voting(standing, address),
        ),
    ]
    return str(Markup("<div class='room'>{}</div>").format(Markup("").join(parts)))


# --- parts ---


def _decided(workshop: Workshop, standing: Standing) -> tuple[int, int] | None:
    """The rating that was locked; nothing of an earlier one is shown, before a vote least of all."""
    risk = standing.risk["risk_id"]
    likelihood, impact = workshop.ratings()[risk] if risk in workshop.locked else (None, None)
    return (likelihood, impact) if likelihood and impact else None


def _outcome(scores: pd.DataFrame, risk_id: str, decided: tuple[int, int] | None, matrix: Matrix, note: str) -> Markup:
    told = [note]
    if decided:
        risk = scores.set_index("risk_id").loc[risk_id]
        told = [
            f"Locked at {decided[0]} x {decided[1]}: {matrix.level(*decided)} before controls.",
            note or f"{risk['earned_level']} with the controls as documented and tested.",
        ]
    return Markup("<p class='outcome'>{}</p>").format(" ".join(told)) if any(told) else Markup("")


def _matrix(standing: Standing, scores: pd.DataFrame, matrix: Matrix, decided: tuple[int, int] | None) -> Markup:
    """The matrix before controls: how many other risks each cell holds, the votes as dots, the rating once locked."""
    up = standing.risk["risk_id"]
    held = by_cell(scores[scores["risk_id"] != up], "inherent", matrix)
    drawn = display.matrix_table("", matrix, {decided: [up]} if decided else {}, up).content
    rows, others = [], Markup("<span class='others'>{}</span>")
    for likelihood, row in zip(range(matrix.shape[0], 0, -1), drawn["rows"], strict=True):
        cells = [
            Markup("<td style='background:{};color:{}'>{} {}{}{}</td>").format(
                cell["fill"],
                cell["ink"],
                cell["level"],
                Markup("<strong>{}</strong>").format(cell["current"]) if cell["current"] else "",
                _dots((standing.dots or {}).get((likelihood, impact), 0)),
                others.format(counted(len(there), "risk")) if (there := held.get((likelihood, impact))) else "",
            )
            for impact, cell in enumerate(row["cells"], 1)
        ]
        rows.append(Markup("<tr><th scope='row'>{}</th>{}</tr>").format(row["rating"], Markup("").join(cells)))
    head = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in drawn["columns"])
    table = Markup(
        "<table><thead><tr><td>Likelihood</td>{}</tr></thead><tbody>{}</tbody>"
        "<tfoot><tr><td></td><td colspan='{}'>Impact, before controls{}</td></tr></tfoot></table>"
    )
    return table.format(head, Markup("").join(rows), matrix.shape[1], _key(standing))


def _dots(votes: int) -> Markup:
    """A dot for each vote in a cell, and their number where dots would have to be counted."""
    if not votes:
        return Markup("")
    number = f" {votes}" if votes > 4 else ""
    shown = Markup("<span class='dots' role='img' aria-label='{}'>{}{}</span>")
    return shown.format(counted(votes, "vote"), Markup("<i></i>") * votes, number)


def _key(standing: Standing) -> Markup:
    if standing.dots is None:
        return Markup("")
    apart = standing.votes - sum(standing.dots.values())
    silent = f"; {apart} can't say, in no cell" if apart else ""
    return Markup(". <span class='dots'><i></i></span> one vote{}").format(silent)


def _voting(standing: Standing, address: str) -> Markup:
    """How many votes are in, and where to vote."""
    people = max(len(standing.participants), standing.votes)
    told = standing.wanting and f"{standing.wanting} before the votes can be shown"
    count = Markup("<p class='count'><b>{} of {}</b> have voted</p>").format(standing.votes, people)
    count = count if people else Markup("<p class='count'><b>Vote now</b></p>")
    more = Markup("<p>{}.</p>").format(told or "Vote blind: nobody sees single votes, and all are shown together")
    if not address or unfit(address):
        return count + more
    where = Markup("<div class='vote'>{}<p>Vote at <b>{}</b></p></div>").format(_code(address), address)
    return count + more + where


def _code(address: str) -> Markup:
    """The address as a QR code, drawn here: nothing is fetched."""
    try:
        import segno
    except ModuleNotFoundError:  # an installation older than the code; the address is still there to be typed
        return Markup("")
    drawn = segno.make_qr(address).svg_inline(border=2, light="#fff", omitsize=True)
    return Markup("<div class='code' role='img' aria-label='{}'>{}</div>").format(f"QR code: {address}", Markup(drawn))  # noqa: S704 - segno's own


def _votes(standing: Standing, matrix: Matrix) -> Markup:
    found = (standing.tallies or {}).items()
    return Markup("").join(
        Markup("<h2>{}: {}</h2>{}{}").format(
            axis.capitalize(), _middle(each), bars(each, getattr(matrix, axis)), _camps(each)
        )
        for axis, each in found
    )


def _middle(each: Tally) -> str:
    if each.median is None:
        return "nobody could say"
    return f"median {' or '.join(map(str, sorted(set(each.median))))} of {counted(each.votes - each.abstained, 'vote')}"


def _camps(each: Tally) -> Markup:
    told = [f"{each.abstained} can't say." if each.abstained else ""]
    told += [f"Two camps: up to {each.camps[0]}, from {each.camps[1]} on." if each.camps else ""]
    return Markup("<p>{}</p>").format(escape(" ".join(filter(None, told)))) if any(told) else Markup("")
