"""`riskcalc rename`: one name instead of another in all that is kept, or nothing at all."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from register_files import DEFICIENCY, Rows, replace_in, write_register

import riskcalc
from riskcalc.cli.main import main
from riskcalc.register import editing
from riskcalc.register.register import load
from riskcalc.register.renaming import KINDS, renaming
from riskcalc.register.starter import Starter
from riskcalc.run import batch
from riskcalc.run.processes import Job, Outcome
from riskcalc.workshop import decision_log
from riskcalc.workshop.session import begin_workshop, open_workshop
from riskcalc.workshop.store import Vote

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NOON = datetime(2026, 6, 20, 12, 0, tzinfo=UTC)


def rename(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["rename", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def deficient(tables: Rows) -> None:
    tables["deficiencies"] = [DEFICIENCY]
    tables["controls"][0]["relies_on"] = "A-G1|A-C2"


def test_ratings_that_stand_among_the_risks_stay_there(tmp_path: Path) -> None:
    """In a register that begins, there may be no table of ratings to rename in."""
    for name, content in Starter("Mine", "EUR", "u1", period="2026-H1").files().items():
        (tmp_path / name).write_text(content, "utf-8")
    (tmp_path / "risks.csv").write_text("risk_id,title,owner,likelihood,impact\nA,First,Bob,3,4\n", "utf-8")
    assert rename("risk", "A", "B", str(tmp_path), "--apply")[0] == 0
    assert (tmp_path / "risks.csv").read_text("utf-8").splitlines()[1] == "B,First,Bob,3,4"
    assert riskcalc.load(tmp_path).ratings["likelihood"].tolist() == [3]


@pytest.mark.parametrize(
    ("kind", "old", "rows"),
    [
        ("unit", "alpha", {"business_units": 1, "control_objectives": 1, "risks": 2, "controls": 3, "training": 1,
                           "scoping": 1}),
        ("objective", "A-CO1", {"control_objectives": 1, "risks": 2}),
        ("risk", "A-R1", {"risks": 1, "ratings": 2, "risk_controls": 2}),
        ("control", "A-G1", {"controls": 3, "control_tests": 1, "mappings": 1}),
    ],
)  # fmt: skip
def test_every_row_that_names_it_follows(tmp_path: Path, kind: str, old: str, rows: dict[str, int]) -> None:
    """First how many rows of each table, then they have the new name; the order and all other cells are as they were."""
    small = write_register(tmp_path / "data", deficient)
    before = {name: (content or b"").decode() for name, content in editing.contents(small).items()}
    code, said = rename(kind, old, "New name", str(small))
    counted = [f"{table}: {number} row{'s' if number > 1 else ''}" for table, number in rows.items()]
    assert (code, said.splitlines()) == (0, [*counted, "Nothing was written; --apply does it."])
    assert {name: (content or b"").decode() for name, content in editing.contents(small).items()} == before

    assert rename(kind, old, "New name", str(small), "--apply")[0] == 0
    for name, text in before.items():
        now = (editing.contents(small)[name] or b"").decode()
        changed = [(one, two) for one, two in zip(text.splitlines(), now.splitlines(), strict=True) if one != two]
        assert len(changed) == rows.get(name.removesuffix(".csv"), 0)
        assert all(two.replace("New name", old) == one for one, two in changed)
    load(small)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("risk", "A-R9", "X"), "There is no risk 'A-R9' in risks.csv; there are: A-R1, A-R2, B-R1."),
        (("risk", "A-R1", "A-R1"), "'A-R1' is its name already; nothing to rename."),
        (("risk", "A-R1", " "), "The new name of 'A-R1' is blank; give one."),
        (("risk", "A-R1", "A-R3 "), "'A-R3 ' begins or ends with a blank, which nobody sees; take it away."),
        (("risk", "A-R1", "A\n3"), "'A\\n3' holds a character that can't be seen, or breaks the line; type the key again."),
        (("risk", "A-R1", "B-R1"), "'B-R1' is another risk in risks.csv; two can't become one. Choose a free name."),
        (("control", "A-C1", "A|C"), "'A|C' holds |, which separates names in a cell; choose another name."),
        (("unit", "alpha", "beta"), "'beta' is another unit in business_units.csv; two can't become one. Choose a free name."),
    ],
)  # fmt: skip
def test_what_is_no_name_is_told_and_nothing_is_written(small: Path, arguments: tuple[str, ...], told: str) -> None:
    """A sentence, exit code 2, and every file as it was."""
    before = editing.contents(small)
    assert rename(*arguments, str(small), "--apply") == (2, f"{told}\n")
    assert editing.contents(small) == before


def test_a_file_that_changes_meanwhile_is_not_written_over(small: Path) -> None:
    """All or nothing, and nothing where somebody else was at it."""
    seen = editing.contents(small)
    made = renaming(small, "risk", "A-R1", "X", seen)
    replace_in(small / "ratings.csv", "A-R2", "A-R2")
    (small / "risks.csv").write_text((small / "risks.csv").read_text("utf-8") + "\n", "utf-8")
    with pytest.raises(riskcalc.errors.UsageError, match="changed since it was read; nothing was written"):
        editing.replace_seen(small, made.files, seen)
    assert "X" not in (small / "ratings.csv").read_text("utf-8")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_there_and_back_gives_the_same_bytes(small: Path, data: st.DataObject) -> None:
    """Whatever is renamed to whatever is free, renaming it back leaves no trace, and scores don't move."""
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    register, before = load(small), editing.contents(small)
    old = data.draw(st.sampled_from(list(getattr(register, KINDS[kind]).iloc[:, 0])))
    new = data.draw(
        st.text(st.characters(codec="utf-8", categories=["L", "N", "P"], exclude_characters="|"), min_size=1)
    )
    new = f"x{new}"
    editing.replace_seen(small, renaming(small, kind, old, new, before).files, before)
    found = riskcalc.score(load(small))
    assert found["likelihood"].equals(riskcalc.score(register)["likelihood"])
    there = editing.contents(small)
    editing.replace_seen(small, renaming(small, kind, new, old, there).files, there)
    assert editing.contents(small) == before


# --- the log and the votes ---------------------------------------------------------------------------


def test_the_log_is_only_added_to_and_read_under_the_new_names(small: Path) -> None:
    """The chain holds, `check` finds no difference, a lock can be taken back, and votes are still there."""
    workshop = begin_workshop("alpha", "F. Lead", data_dir=str(small), clock=lambda: NOON)
    for name in ("Ana", "Bo", "Cy"):
        workshop.store.vote(workshop.workshop_id, "A-R1", name, Vote(3, 3))
    workshop.reveal()
    workshop.lock(3, 3, "because", "Lead")
    code, said = rename("risk", "A-R1", "A-R100", str(small), "--apply")
    assert (code, said.splitlines()[-1]) == (2, "A workshop on alpha in 2026-H1 is under way; end it first.")
    assert "A-R100" not in (small / "risks.csv").read_text("utf-8")
    workshop.close()
    workshop.store.close()

    log = (small / decision_log.FILE).read_text("utf-8")
    assert rename("risk", "A-R1", "A-R100", str(small), "--apply", "--by", "Keeper")[0] == 0
    assert rename("unit", "alpha", "first", str(small), "--apply")[0] == 0
    now = (small / decision_log.FILE).read_text("utf-8")
    assert now.startswith(log)
    entries = [json.loads(line) for line in now.splitlines()[1:]]
    assert [(each["kind"], each["old"], each["new"]) for each in entries] == [
        ("risk", "A-R1", "A-R100"),
        ("unit", "alpha", "first"),
    ]
    assert entries[0]["decided_by"] == "Keeper"
    assert decision_log.broken(small) == []
    assert decision_log.findings(load(small)) == []
    [decision] = decision_log.latest(small, "first", "2026-H1").values()
    assert (decision.risk_id, decision.after and decision.after["risk_id"]) == ("A-R100", "A-R100")

    again = open_workshop("first", data_dir=str(small), ended=True, clock=lambda: NOON)
    assert again is not None
    assert again.locked == {"A-R100"}
    assert again.store.ballots(again.workshop_id, "A-R100", 1) == [Vote(3, 3)] * 3
    again.undo("wrong", "Lead")
    assert again.on_file.rows()["A-R100"]["likelihood"] == "5"
    again.store.close()


def test_a_decision_on_its_way_is_completed_first(small: Path) -> None:
    """Between the log and ratings.csv nothing is renamed: the decision would be lost."""
    workshop = begin_workshop("alpha", "F. Lead", data_dir=str(small), clock=lambda: NOON)
    workshop.lock(3, 3, "because", "Lead", override=True)
    workshop.close()
    workshop.store.close()
    last = json.loads((small / decision_log.FILE).read_text("utf-8").splitlines()[-1])
    (small / decision_log.PENDING).write_text(last["sha256"], "utf-8")
    code, said = rename("risk", "A-R1", "A-R100", str(small), "--apply")
    assert (code, said.partition(";")[0]) == (2, "A decision is on its way into ratings.csv")


def test_a_risk_that_moves_to_another_unit_says_so(small: Path) -> None:
    """`check` tells both units' people that a rating was another unit's."""
    workshop = begin_workshop("alpha", "F. Lead", data_dir=str(small), clock=lambda: NOON)
    workshop.lock(3, 3, "because", "Lead", override=True)
    workshop.store.close()
    replace_in(small / "risks.csv", "A-R1,alpha,A-CO1", "A-R1,beta,B-CO1")
    [found] = decision_log.findings(load(small))
    assert (found.check, found.unit_id, found.row) == ("risk-moved", "beta", "A-R1")
    assert found.message == "was rated for 2026-H1 by a workshop of alpha, but is a risk of beta now"


# --- what runs left ----------------------------------------------------------------------------------


def _page(job: Job) -> Outcome:
    return Outcome("ok", 0.1, {".html": job.unit_id.encode(), ".ipynb": b"{}", ".json": b'{"breaches": 0}'})


def run(small: Path, out: Path, **asked: str) -> batch.Report:
    _page.stop = lambda: None  # type: ignore[attr-defined]
    request = batch.Request(data_dir=str(small), out=str(out), notebooks=str(NOTEBOOKS), **asked)
    with ThreadPoolExecutor(1) as executor:
        return batch.run(batch.plan(request), executor, _page, lambda *_: None)[0]  # type: ignore[arg-type]


def test_a_renamed_unit_leaves_no_page_and_the_next_run_makes_the_new_one(small: Path, tmp_path: Path) -> None:
    """In every period and for every audience: what is under the old name goes, nobody is refused, nothing else is lost."""
    out = tmp_path / "out"
    for asked in ({}, {"period": "2025-H2"}, {"audiences": ("board",)}):
        run(small, out, **asked)
    (out / "2026-H1" / "alpha.notes.html").write_text("somebody's own", "utf-8")
    code, said = rename("unit", "alpha", "first", str(small), "--out", str(out))
    assert (code, said.count("go; riskcalc run --period")) == (0, 3)
    assert (out / "2026-H1" / "alpha.html").exists()
    code, said = rename("unit", "alpha", "first", str(small), "--out", str(out), "--apply")
    assert code == 0
    left = sorted(str(path.relative_to(out)) for path in out.rglob("*.html"))
    assert left == ["2025-H2/beta.html", "2026-H1/alpha.notes.html", "2026-H1/beta.html", "2026-H1/board/beta.html"]
    for period in ("2025-H2", "2026-H1"):
        told = json.loads((out / period / "manifest.json").read_text("utf-8"))
        assert {unit["unit_id"]: unit["status"] for unit in told["units"]} == {"first": "pending", "beta": "ok"}
        report = run(small, out, period=period)
        assert ([entry.unit_id for entry in report.units], report.wrong) == (["first", "beta"], ())
        assert (out / period / "index.html").exists()
