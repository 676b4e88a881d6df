"""The record of a workshop as a page: who took part, what was decided and why, how votes were spread, what is open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from riskcalc.assessment.scoring import AXES
from riskcalc.assessment.what_if import Rating
from riskcalc.errors import counted
from riskcalc.files import stem, write_whole
from riskcalc.pages import display
from riskcalc.pages.html import page_of
from riskcalc.register.editing import Cells
from riskcalc.workshop import decision_log, locking
from riskcalc.workshop.decision_log import LogEntry
from riskcalc.workshop.display import said, the_map
from riskcalc.workshop.session import Workshop
from riskcalc.workshop.tally import tally


def write(workshop: Workshop, out: str | Path) -> Path:
    """Write the record to OUT/PERIOD/workshops/UNIT.html, and give its path."""
    folder = Path(out) / workshop.period.name / "workshops"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem(workshop.unit_id)}.html"
    write_whole(path, page(workshop).encode())
    return path


def page(workshop: Workshop) -> str:
    """The record's HTML: complete without scripts, and nothing in it is fetched."""
    return page_of(_parts(workshop))


def _parts(workshop: Workshop) -> Iterator[str | display.Display]:
    row, locked = workshop.row, workshop.locked
    decisions = {risk: entry for risk, entry in workshop.decisions.items() if risk in locked}
    ours = [each for each in decision_log.read(workshop.folder) if each.workshop_id == workshop.workshop_id]
    people = workshop.store.participants(workshop.workshop_id)
    open_risks = [risk for risk in workshop.risk_ids if risk not in locked]
    broken = decision_log.broken(workshop.folder)
    yield _heading(workshop, ours, open_risks, broken)
    overridden = sum(each.overrides for each in decisions.values())
    yield display.facts(
        "The workshop",
        [
            ("Participants", str(len(people)), f"Facilitated by {row['facilitator']}"),
            ("Decided", str(len(locked)), f"of {counted(len(workshop.risk_ids), 'risk')}"),
            ("Group overridden", str(overridden), "decided otherwise than the median, or without a vote"),
            ("Open points", str(len(workshop.store.points(workshop.workshop_id))), "listed below"),
        ],
    )
    yield "## On the matrix"
    yield the_map(workshop, workshop.standing(), "inherent", note=_on_the_map(workshop, open_risks), marked=False)
    yield "## Decisions"
    yield _decisions(workshop, decisions, ours)
    yield "## Open"
    yield _open(workshop, open_risks)
    yield "## People and log"
    yield display.table("Participants", ["Name"], [[name] for name in people], note="Votes are kept without names.")
    yield _log(ours, broken)


def _on_the_map(workshop: Workshop, open_risks: list[str]) -> str:
    """Where on the matrix the risks stand that aren't decided, and which stand nowhere."""
    ratings = workshop.ratings()
    nowhere = [risk for risk in open_risks if not all(ratings[risk])]
    told = ["Before controls."]
    if len(nowhere) < len(open_risks):
        told.append("Other risks that aren't decided yet" if nowhere else "Risks that aren't decided yet")
        told[-1] += " stand where their last rating put them."
    if nowhere:
        told.insert(1, f"Not rated in {workshop.period.name} yet, so in no cell: {', '.join(nowhere)}.")
    return " ".join(told)


def _heading(workshop: Workshop, ours: list[LogEntry], open_risks: list[str], broken: list[str]) -> display.Display:
    days = sorted({each.decided_at[:10] for each in ours})
    when = "nothing decided yet" if not days else days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    verdict, tone = "Every risk is rated and its rating reasoned.", "good"
    if open_risks:
        of, are = counted(len(workshop.risk_ids), "risk"), "is" if len(open_risks) == 1 else "are"
        verdict, tone = f"{len(open_risks)} of {of} {are} still to be decided.", "open"
    if broken:
        verdict, tone = f"{decision_log.FILE} was changed, so nothing here is proven. {verdict}", "bad"
    name = workshop.register.unit(workshop.unit_id)["name"]
    lines = [f"{workshop.period.name}; {when}; facilitated by {workshop.row['facilitator']}"]
    marked = workshop.register.methodology.classification
    return display.heading(f"Workshop record: {name}", "Risk workshop", verdict, tone, lines, marked)


def _decisions(workshop: Workshop, decisions: dict[str, LogEntry], ours: list[LogEntry]) -> display.Display:
    """The decided ratings in three columns, which a telephone has room for."""
    titles = dict(zip(workshop.register.risks["risk_id"], workshop.register.risks["title"], strict=True))
    earlier = workshop.earlier()
    rows: list[list[display.Cell]] = []
    for risk in workshop.risk_ids:
        decision = decisions.get(risk)
        if decision is None or decision.after is None:
            continue
        first = next((each for each in ours if each.risk_id == risk), decision)
        was = locking.rating(first.before or {})
        votes = "\n".join(f"{axis.capitalize()}: {_votes(decision, axis)}" for axis in AXES)
        overrides = "Overrides the group. " if decision.overrides else ""
        by = f"{overrides}{decision.decided_by}, {decision.decided_at[:10]}"
        rating = _rating(workshop, decision.after, was if was[0] else earlier.get(risk, was))
        named: display.Cell = {"text": f"{risk} {titles[risk]}", "note": by}
        rows.append([named, rating, {"text": decision.reason, "note": votes}])
    note = "Ratings are before controls: likelihood x impact. Was: on file before the workshop, else the period before."
    return display.table("Ratings that were decided", ["Risk", "Rating", "Reason and votes"], rows, note=note)


def _rating(workshop: Workshop, after: Cells, was: Rating) -> display.Cell:
    matrix, now = workshop.register.methodology.matrix, [int(after[axis]) for axis in AXES]
    before = f"{was[0]} x {was[1]}, {matrix.level(was[0], was[1])}" if was[0] and was[1] else "unrated"
    return display.level_cell(matrix.level(*now), matrix, f"{now[0]} x {now[1]}\nwas {before}")


def _votes(decision: LogEntry, axis: str) -> str:
    """What the group said on an axis, its camps included, as it is told in the room."""
    kept = decision.group.get(axis)
    if not kept:
        return "no vote."
    given = [rating for rating, count in enumerate(kept.counts, 1) for _ in range(count)]
    return said(axis, tally([*given, *[None] * kept.abstained], len(kept.counts)))


def _open(workshop: Workshop, open_risks: list[str]) -> display.Display:
    risks = workshop.register.risks
    titles = dict(zip(risks["risk_id"], risks["title"], strict=True))
    points = workshop.store.points(workshop.workshop_id)
    rows: list[list[display.Cell]] = [[each["risk_id"], each["text"]] for each in points]
    rows += [[risk, f"to be rated: {titles[risk]}"] for risk in open_risks]
    return display.table("Open points and risks", ["Risk", "What is open"], rows)


def _log(ours: list[LogEntry], broken: list[str]) -> display.Display:
    rows: list[list[display.Cell]] = [
        [
            {"text": f"{each.risk_id}: {each.action}", "note": each.decided_at},
            {"text": each.reason, "note": each.decided_by},
        ]
        for each in ours
    ]
    head = ours[-1].sha256 if ours else "none"
    note = f"From {decision_log.FILE}, whose lines are tied by hashes; riskcalc check verifies them. The last: {head}"
    if broken:
        note = f"{decision_log.FILE} isn't as it was written: {'; '.join(broken)}."
    columns = ["What, and when (UTC)", "Reason, and by whom"]
    return display.table("Log of this workshop's decisions", columns, rows, note=note)
