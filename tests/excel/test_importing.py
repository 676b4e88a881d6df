"""Importing a workbook: what is shown, what is written, and what happens when something comes in between."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from register_files import SAMPLE, change, replace_in, write_register
from workbook_files import Edit, put, write_workbook

import riskcalc
from riskcalc.cli.main import main
from riskcalc.errors import RegisterError, UsageError
from riskcalc.excel import commands, importing
from riskcalc.register import editing
from riskcalc.register.editing import as_file, put_row
from riskcalc.register.tables import TABLES

FILES = ["methodology.toml", *(f"{name}.csv" for name in TABLES)]


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["excel", "import", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


@pytest.fixture
def book(tmp_path: Path, small: Path) -> Path:
    return write_workbook(tmp_path / "register.xlsx", small)


def edited(small: Path, edit: Edit) -> Path:
    return write_workbook(small.parent / "edited.xlsx", small, edit)


# --- the round trip ---


def next_dates(book: Any) -> None:
    """The first unit's row ends, and goes on with another report."""
    sheet = book["business_units"]
    columns = {cell.value: cell.column for cell in sheet[1]}
    for row, cells in ((2, {"valid_to": "2026-06-30"}), (4, {"valid_from": "2026-07-01", "report_to": "2026-12-31"})):
        for name, column in columns.items():
            text = cells.get(name, sheet.cell(2, column).value if row == 4 and name != "valid_to" else None)
            if text:
                sheet.cell(row, column, text)


def test_a_row_that_goes_on_is_added_beside_the_one_that_ends(small: Path) -> None:
    """The next report's dates: one row changed, one new, and the same workbook once more changes nothing."""
    book = edited(small, next_dates)
    code, said = run(book, "--into", small, "--apply")
    assert (code, "business_units: 1 new, 1 changed, 1 the same" in said) == (0, True), said
    assert "+ alpha + 2026-07-01" in said
    assert "valid_to: '' -> '2026-06-30'" in said
    assert len((small / "business_units.csv").read_text().splitlines()) == 4
    assert "0 new, 0 changed, 3 the same" in run(book, "--into", small)[1]
    (small / "out.xlsx").write_bytes(commands.export(str(small)))
    assert "business_units: 0 new, 0 changed, 3 the same" in run(small / "out.xlsx", "--into", small)[1]


def test_a_list_that_knows_of_no_days_speaks_of_the_latest_row(small: Path) -> None:
    """A plain list of another register changes what holds now; what held before stays, and nothing is taken away."""
    run(edited(small, next_dates), "--into", small, "--apply")
    before = (small / "business_units.csv").read_text().splitlines()
    (small.parent / "list.csv").write_text("Unit,Boss\nalpha,Z. Owner\n", "utf-8")
    mapped = '[[table]]\nname = "business_units"\n[table.columns]\nunit_id = "Unit"\nowner = "Boss"\n'
    (small.parent / "map.toml").write_text(mapped, "utf-8")
    code, said = run(*(small.parent / "list.csv", "--map", small.parent / "map.toml", "--into", small, "--apply"))
    after = (small / "business_units.csv").read_text().splitlines()
    assert (code, after[1], "Z. Owner" in after[-1]) == (0, before[1], True), said


def test_days_that_overlap_are_told_at_their_cell(small: Path) -> None:
    """The row that begins too early, in the sheet and row that somebody typed it into."""

    def too_early(book: Any) -> None:
        next_dates(book)
        sheet = book["business_units"]
        [place] = [cell.column for cell in sheet[1] if cell.value == "valid_from"]
        sheet.cell(4, place, "2026-06-15")

    code, said = run(edited(small, too_early), "--into", small)
    assert (code, [part in said for part in ("sheet business_units", "2026-06-15", "holds to 2026-06-30")]) == (
        2,
        [True] * 3,
    )


def test_csv_to_workbook_to_csv_gives_identical_bytes(tmp_path: Path) -> None:
    """The sample's fourteen files come back from the export byte for byte."""
    path = tmp_path / "out.xlsx"
    path.write_bytes(commands.export(str(SAMPLE)))
    code, said = run(path, "--into", tmp_path / "new", "--apply")
    assert (code, contents(tmp_path / "new")) == (0, contents(SAMPLE)), said


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.text(
            st.one_of(
                st.characters(codec="utf-8", exclude_characters="\0"),
                st.sampled_from("=+-@\t\r\n,\"';_x0D|＝\ufeff\uffff\x01"),
            ),
            min_size=1,
        )
        | st.sampled_from(
            [
                "_x000D_",
                "_x005F_x000D_",
                "__x000A_",
                "_x000D_x000D_",
                "<r>&</r>",
                "007",
                "NA",
                "#REF!",
                "\r\n",
                "1E5",
                "0.80",
                "TRUE",
                "'a",
                "\u2028",
                "\x85",
                "\x0b",
            ]
        ),
        min_size=15,  # many texts a round trip: it costs more than they do
        max_size=30,
        unique=True,
    )
)
def test_any_text_comes_through_the_round_trip(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """Whatever people write into a title or a reference, bytes are identical after CSV -> xlsx -> CSV."""
    texts = [text for text in texts if text.strip()]
    folder = tmp_path_factory.mktemp("hostile")

    data = write_register(folder / "data")
    given = {"unit_id": "alpha", "person": "P. Owner", "due_on": "2026-06-30"}
    rows = [
        given | {"training_id": f"TR{number}", "topic": text, "evidence": text} for number, text in enumerate(texts)
    ]
    (data / "training.csv").write_text(as_file(list(TABLES["training"].model_fields), rows), "utf-8", newline="")
    before = contents(data)
    (folder / "out.xlsx").write_bytes(commands.export(str(data)))
    made = importing.plan(folder / "out.xlsx", folder / "new")
    assert made.problems == []
    importing.apply(made)
    assert contents(folder / "new") == before
    assert importing.plan(folder / "out.xlsx", data).files == {}


def test_columns_in_another_order_stay_in_it(small: Path, tmp_path: Path) -> None:
    """The round trip keeps the order of a file's columns, of a table without rows too, and adds no table of its own."""
    (small / "report_items.csv").unlink()
    (small / "mappings.csv").write_text("reference,control_id,framework\nCC6.1,A-G1,SOC 2\n", "utf-8")
    (small / "training.csv").write_text("unit_id,training_id,person,topic,due_on,completed_on,evidence\n", "utf-8")
    (tmp_path / "out.xlsx").write_bytes(commands.export(str(small)))
    assert run(tmp_path / "out.xlsx", "--into", tmp_path / "new", "--apply")[0] == 0
    assert contents(tmp_path / "new") == contents(small)


# --- what is shown ---


def test_columns_that_came_later_are_added_where_they_say_something(small: Path) -> None:
    """A register of before gains the columns that the workbook fills, and every row keeps its place and its cells."""
    before = (small / "business_units.csv").read_text("utf-8")
    rows = [dict(zip(before.splitlines()[0].split(","), line.split(","), strict=True)) for line in before.splitlines()]
    kept = [name for name in rows[0] if name not in ("clients", "issued_on")]
    (small / "business_units.csv").write_text("".join(f"{','.join(row[name] for name in kept)}\r\n" for row in rows))
    older = (small / "business_units.csv").read_text("utf-8").splitlines()
    path = write_workbook(
        small.parent / "later.xlsx", write_register(small.parent / "new"), put("business_units", "O2", "120")
    )
    assert run(path, "--into", small, "--apply")[0] == 0
    after = (small / "business_units.csv").read_bytes().decode()
    assert after == "".join(f"{line},{more}\r\n" for line, more in zip(older, ("clients", "120", ""), strict=True))
    assert riskcalc.load(small).unit("alpha")["clients"] == 120


def test_an_import_shows_first_and_writes_nothing(small: Path) -> None:
    """Row by row and field by field, with the place in the workbook; the folder is untouched."""
    before = contents(small)

    def edit(book: Any) -> None:
        book["risks"]["H2"].value = "N. Owner"
        book["mappings"].append(["A-C1", "ISO 27001", "A.5.1"])
        book["training"].delete_rows(2)

    code, said = run(edited(small, edit), "--into", small)
    assert code == 0
    assert (
        "risks: 0 new, 1 changed, 2 the same\n  ~ A-R1 (edited.xlsx: sheet risks, row 2)\n      owner: 'R. Owner' -> 'N. Owner'\n"
        in said
    )
    assert (
        "mappings: 1 new, 0 changed, 1 the same\n  + A-C1 + ISO 27001 + A.5.1 (edited.xlsx: sheet mappings, row 3)\n"
        in said
    )
    assert f"training: 0 new, 0 changed, 0 the same, 1 only in {small} (kept)\n" in said
    assert said.splitlines()[-1].startswith("Nothing was written. To write exactly this: --apply --expect ")
    assert contents(small) == before


def test_every_problem_is_told_by_sheet_and_cell_and_nothing_is_written(small: Path) -> None:
    """Bad cells, references into nowhere and ids that became numbers, all at once, beside what would change."""
    before = contents(small)

    def edit(book: Any) -> None:
        book["risks"]["I2"].value = "ignore"
        book["risks"]["A3"].value = 7
        book["mappings"]["A2"].value = "A-G9"

    code, said = run(edited(small, edit), "--into", small, "--apply")
    assert (code, contents(small)) == (2, before)
    assert "edited.xlsx: sheet risks, cell I2: column 'treatment': 'ignore': allowed: mitigate" in said
    assert "edited.xlsx: sheet risks, cell A3: column 'risk_id': '7': is a number here" in said
    assert "edited.xlsx: sheet mappings, cell A2: column 'control_id': 'A-G9': is not in" in said


def test_a_number_spelt_otherwise_is_no_change(small: Path) -> None:
    """0.80 in the folder and the number 0.8 in the workbook are the same; the folder keeps its spelling."""
    before = contents(small)
    code, said = run(edited(small, put("risk_controls", "D3", 0.8)), "--into", small, "--apply")
    assert (code, said.splitlines()[-1], contents(small)) == (0, "Nothing to write.", before)


def test_the_methodology_is_compared_line_by_line(small: Path) -> None:
    """Who changes a setting in the workbook sees which, before every result moves."""
    path = write_workbook(small.parent / "edited.xlsx", small)
    replace_in(small / "methodology.toml", "confidence = 0.90 ", "confidence = 0.95 ")
    code, said = run(path, "--into", small)
    assert code == 0
    assert "  -confidence = 0.95 " in said
    assert "  +confidence = 0.90 " in said


# --- what is written ---


def test_applying_changes_these_rows_and_no_other_byte(small: Path) -> None:
    """Line ends, spelling and untouched rows stay; new rows come last; blank files are made where none were."""
    path = small / "risks.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    def edit(book: Any) -> None:
        book["risks"]["D3"].value = "Hours, missing"
        book["risks"].append([*(cell.value for cell in book["risks"][2])])
        book["risks"]["A5"].value = "A-R3"

    code, said = run(edited(small, edit), "--into", small, "--apply")
    assert (code, said.splitlines()[-1]) == (0, f"Wrote risks.csv in {small}.")
    lines = path.read_bytes().split(b"\r\n")
    assert lines[2].startswith(b'A-R2,alpha,A-CO1,"Hours, missing",')
    assert (lines[4][:11], lines[5]) == (b"A-R3,alpha,", b"")
    assert len(riskcalc.load(small).risks) == 4


def test_rows_that_only_the_folder_has_are_kept_unless_asked(small: Path) -> None:
    """A workbook with some of the rows deletes none of the others by mistake."""
    path = edited(small, lambda book: book["training"].delete_rows(2))
    assert run(path, "--into", small, "--apply")[1].splitlines()[-1] == "Nothing to write."
    code, said = run(path, "--into", small, "--apply", "--delete-missing")
    assert (code, len(riskcalc.load(small).training)) == (0, 0)
    assert "  - TR1 (training.csv:2)" in said


def test_deleting_a_row_that_others_need_is_refused(small: Path) -> None:
    """The register as it would be is checked, not only the workbook's rows."""
    before = contents(small)
    path = edited(small, lambda book: book["subservice_organisations"].delete_rows(2))
    replace_in(
        small / "controls.csv",
        "B-C1,beta,Control B-C1,Somebody compares and signs.,C. Owner,preventive,manual,weekly,yes,control_activities,own,",
        "B-C1,beta,Control B-C1,Somebody compares and signs.,C. Owner,preventive,manual,weekly,yes,control_activities,subservice,SUB-1",
    )
    before = contents(small)
    put_back = write_workbook(
        small.parent / "whole.xlsx", small, lambda book: book["subservice_organisations"].delete_rows(2)
    )
    code, said = run(put_back, "--into", small, "--apply", "--delete-missing")
    assert (code, contents(small)) == (2, before)
    assert "sheet controls, cell L5: column 'subservice_id': 'SUB-1': is not in" in said
    assert path.exists()


def test_an_import_makes_a_folder_that_is_not_there(book: Path, small: Path, tmp_path: Path) -> None:
    """A register begun in a workbook becomes a folder for git by one command."""
    assert run(book, "--into", tmp_path / "a" / "b", "--apply")[0] == 0
    assert riskcalc.load(tmp_path / "a" / "b").fingerprint() == riskcalc.load(small).fingerprint()


# --- two writers, and crashes ---


def test_a_folder_that_changed_since_is_not_overwritten(small: Path) -> None:
    """A workshop's decision between reading and writing isn't lost: the import is refused, by file."""
    made = importing.plan(edited(small, put("risks", "D2", "Other")), small)
    replace_in(small / "ratings.csv", "A-R1,2026-H1,5,4", "A-R1,2026-H1,4,4")
    before = contents(small)
    with pytest.raises(UsageError, match=r"ratings\.csv in .* changed since it was read; nothing was written"):
        importing.apply(made)
    assert contents(small) == before


def test_an_import_waits_for_a_writer_and_says_so(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a workshop writes, the second writer gets a clear message, and nothing is lost."""
    monkeypatch.setattr(editing, "_PATIENCE", 0.1)
    code = "import sys; from pathlib import Path; from riskcalc.register.editing import held\nwith held(Path(sys.argv[1])):\n  print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(small)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        said = run(edited(small, put("risks", "D2", "Other")), "--into", small, "--apply")
        other.communicate(b"")
    assert (said[0], said[1].splitlines()[-1]) == (
        2,
        f"Another program is changing {small}; nothing was written. Try again.",
    )


def test_only_what_was_shown_is_written_if_asked(small: Path) -> None:
    """With --expect, an import that isn't the one of the dry run any more is refused."""
    path = edited(small, put("risks", "D2", "Other"))
    token = run(path, "--into", small)[1].split()[-1]
    replace_in(small / "mappings.csv", "CC6.1", "CC6.2")
    code, said = run(path, "--into", small, "--apply", "--expect", token)
    assert (code, f"changed since the dry run that said {token}" in said) == (2, True)
    assert run(path, "--into", small, "--apply", "--expect", run(path, "--into", small)[1].split()[-1])[0] == 0


@pytest.mark.parametrize("survives", range(7))
def test_a_crash_while_writing_leaves_all_or_nothing(
    small: Path, monkeypatch: pytest.MonkeyPatch, survives: int
) -> None:
    """Killed at any step, nobody reads half of a change, and the next import can finish it: all of it, or nothing."""

    def edit(book: Any) -> None:
        book["risks"]["D2"].value = "Other"
        book["control_objectives"]["D2"].value = "Pay is good."

    made = importing.plan(edited(small, edit), small)
    real, left = Path.replace, [survives]

    def dying(path: Path, target: Path) -> Path:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(path, target)

    monkeypatch.setattr(Path, "replace", dying)
    with nullcontext() if survives == 6 else pytest.raises(KeyboardInterrupt):
        importing.apply(made)
    monkeypatch.undo()
    staged = editing.unfinished(small)
    assert bool(staged) == (survives in (4, 5))
    if survives == 5:  # one file is new, the other old
        with pytest.raises(UsageError, match=r"was interrupted.*riskcalc excel import FILE"):
            riskcalc.load(small)
    else:
        assert texts_of(small) == (NEW_TEXTS if survives == 6 else OLD_TEXTS)
    if staged:
        with pytest.raises(UsageError, match="was interrupted"), editing.held(small):
            pass  # a row that is written now would be undone
        importing.finish(small, staged)
    assert texts_of(small) == (NEW_TEXTS if survives >= 4 else OLD_TEXTS)
    with editing.held(small):
        assert not editing.unfinished(small)


OLD_TEXTS, NEW_TEXTS = ("Wrong rates", "Pay is right."), ("Other", "Pay is good.")


def texts_of(folder: Path) -> tuple[str, str]:
    register = riskcalc.load(folder)
    return register.risks["title"].iloc[0], register.control_objectives["statement"].iloc[0]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "risks.csv").write_text("risk_id,titel\n"), "unknown column; did you mean 'title'"),
        (
            lambda folder: (folder / "risks.csv").write_text((folder / "risks.csv").read_text() * 2),
            "line 2; allowed: once",
        ),
    ],
)
def test_a_folder_whose_rows_cannot_be_told_apart_is_refused(book: Path, small: Path, spoil: Any, message: str) -> None:
    """Where the folder's own file can't be read, nothing is compared with it and nothing replaced."""
    spoil(small)
    with pytest.raises(RegisterError, match=message):
        importing.plan(book, small)


def test_paths_that_lead_nowhere_are_told(book: Path, small: Path, tmp_path: Path) -> None:
    """A file mistyped, or a file where the folder should be: a sentence and exit code 2."""
    assert run(tmp_path / "nothing.xlsx", "--into", small) == (2, f"There is no file '{tmp_path}/nothing.xlsx'.\n")
    assert "is no folder" in run(book, "--into", book)[1]


def test_changes_of_a_row_are_one_change(tmp_path: Path) -> None:
    """Two fields of a row are told below it, not as two rows."""
    folder = write_register(tmp_path / "data", change("deficiencies", 0))
    path = write_workbook(
        tmp_path / "b.xlsx", folder, lambda book: [put("risks", cell, "X")(book) for cell in ("D2", "E2")]
    )
    made = importing.plan(path, folder)
    assert [(each.key, [name for name, _, _ in each.fields]) for each in made.changes] == [
        ("A-R1", ["title", "description"])
    ]


def test_a_lone_carriage_return_in_a_row_that_is_written_stays_in_its_cell(small: Path) -> None:
    """Python before 3.13 would write it bare, and the file couldn't be read any more."""
    methodology = riskcalc.load(small).methodology
    with editing.held(small):
        cells = {
            "unit_id": "alpha",
            "training_id": "TR9",
            "person": "P. Owner",
            "due_on": "2026-06-30",
            "completed_on": "",
        }
        put_row(small, "training", {"training_id": "TR9"}, cells | {"topic": "a\rb", "evidence": "c\n"}, methodology)
    assert (small / "training.csv").read_bytes().endswith(b'TR9,alpha,P. Owner,"a\rb",2026-06-30,,"c\n",,\n')
    assert riskcalc.load(small).training["topic"].tolist()[-1] == "a\rb"
