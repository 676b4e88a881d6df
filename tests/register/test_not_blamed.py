"""What can't be judged isn't blamed: one wrong cell, or a file that can't be read, makes no problems of sound rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from register_files import Rows, write_register

import riskcalc
from riskcalc.errors import RegisterError

ANSWER = {
    "answer_id": "ANS-1", "question": "Is it tested?", "verdict": "yes", "answer": "Yes.", "sources": "alpha|A-C1",
    "claims": "report:alpha=type2", "audience": "public", "owner": "O. Owner",
}  # fmt: skip


def told(folder: Path) -> list[str]:
    """The problems of a register that can't be used."""
    with pytest.raises(RegisterError) as caught:
        riskcalc.load(folder)
    return [str(each) for each in caught.value.problems]


def answered(rows: Rows) -> None:
    """An answer that rests on a unit and on a control."""
    rows["answers"].append(dict(ANSWER))


def followed(rows: Rows) -> None:
    """Every dated table that others point at has a second row for its first key, from 2026 on."""
    rows["controls"].append({**rows["controls"][0], "control_id": "A-S1", "performed_by": "subservice", "subservice_id": "SUB-1"})  # fmt: skip
    for table in DATED:
        rows[table].append({**rows[table][0], "valid_from": "2026-01-01"})
        rows[table][0]["valid_to"] = "2025-12-31"


DATED = {  # with a column to spoil
    "business_units": "currency",
    "control_objectives": "statement",
    "risks": "treatment",
    "controls": "kind",
    "risk_controls": "coverage",
    "subservice_organisations": "method",
}


@pytest.mark.parametrize("row", [0, -1])
@pytest.mark.parametrize("table", DATED)
def test_a_broken_row_of_a_dated_key_is_blamed_alone(tmp_path: Path, table: str, row: int) -> None:
    """One wrong cell in one of a key's rows: its key and its days still count where others are judged."""

    def edit(rows: Rows) -> None:
        followed(rows)
        rows[table][row][DATED[table]] = ""

    [only] = told(write_register(tmp_path, edit))
    assert f"{table}.csv" in only
    assert repr(DATED[table]) in only


@pytest.mark.parametrize("cells", [{"valid_to": "soon"}, {"valid_from": "once", "valid_to": ""}])
def test_days_that_cant_be_read_set_no_limit(tmp_path: Path, cells: dict[str, str]) -> None:
    """Nobody knows which days the row holds on, so no other row is told that there it doesn't."""

    def edit(rows: Rows) -> None:
        followed(rows)
        rows["controls"][0].update(cells)

    [only] = told(write_register(tmp_path, edit))
    assert next(iter(cells.values())) in only


def test_no_gap_is_told_that_a_broken_row_may_fill(tmp_path: Path) -> None:
    """Three rows of a unit, the one between with a cell too many, with a wrong day, and with a wrong amount."""
    for number, (old, new) in enumerate(((",EUR,", ",EUR,EUR,"), ("2025-12-31", "31.12.25?"), (",1000000,", ",much,"))):

        def edit(rows: Rows) -> None:
            first = rows["business_units"][0]
            rows["business_units"] += [
                {**first, "name": "Middle", "valid_from": "2025-01-01", "valid_to": "2025-12-31"},
                {**first, "valid_from": "2026-01-01"},
            ]
            first["valid_to"] = "2024-12-31"

        file = write_register(tmp_path / f"{number}", edit) / "business_units.csv"
        lines = file.read_text("utf-8").splitlines()
        assert lines[3].startswith("alpha,Middle")
        assert old in lines[3]
        file.write_text("\n".join([*lines[:3], lines[3].replace(old, new), lines[4], ""]), "utf-8")
        [only] = told(file.parent)
        assert only.startswith("business_units.csv:4:")


def test_days_that_overlap_those_of_a_broken_row_are_told(tmp_path: Path) -> None:
    """What can be read of a broken row still counts: another one that holds on its days is told."""

    def edit(rows: Rows) -> None:
        followed(rows)
        rows["controls"][0].update(kind="", valid_to="2026-03-31")

    broken, overlap = told(write_register(tmp_path, edit))
    assert "'kind'" in broken
    assert "two rows hold on one day" in overlap


def test_an_objective_may_have_been_another_units(tmp_path: Path) -> None:
    """The row that says so is broken, so that nobody knows whether the risk is under the wrong one."""

    def edit(rows: Rows) -> None:
        rows["control_objectives"].append({**rows["control_objectives"][0], "unit_id": "beta", "statement": "", "valid_from": "2026-01-01"})  # fmt: skip
        rows["control_objectives"][0]["valid_to"] = "2025-12-31"
        rows["risks"][2]["objective_id"] = "A-CO1"

    [only] = told(write_register(tmp_path, edit))
    assert "'statement'" in only


def test_a_file_that_cant_be_read_says_nothing_of_what_is_in_it(tmp_path: Path) -> None:
    """Neither claims nor sources of answers are denied where the table that may hold them can't be read."""
    folder = write_register(tmp_path, answered)
    file = folder / "business_units.csv"
    file.write_bytes(file.read_text("utf-8").replace("Payroll", "給与").encode("shift_jis"))
    [only] = told(folder)
    assert only.startswith("business_units.csv:2: 'byte 0x8b': is not UTF-8")


def test_cells_of_broken_lines_are_no_ids(tmp_path: Path) -> None:
    """A header with a column too many: what stands in the lines below makes no id one of several tables."""
    folder = write_register(tmp_path, answered)
    file = folder / "training.csv"
    lines = file.read_text("utf-8").splitlines()
    file.write_text("\n".join([f"{lines[0]},notes", *lines[1:], ""]), "utf-8")
    header, line = told(folder)
    assert "unknown column" in header
    assert "the header has 10 columns" in line


def test_what_answers_name_is_still_held_against_what_is_known(tmp_path: Path) -> None:
    """Where all can be read, a source that is no row's, and a claim of no row, are told, with those there are."""

    def edit(rows: Rows) -> None:
        rows["answers"].append({**ANSWER, "sources": "alpa", "claims": "report:alpa=type2"})

    claim, source = told(write_register(tmp_path, edit))
    assert "alpa is not in business_units.csv; did you mean 'alpha'? there are: alpha, beta" in claim
    assert "is no row's id; did you mean 'alpha'?" in source


@pytest.mark.parametrize(("amount", "more"), [("¥1,000,000", 2), ("1,000.50", 1), ("EUR 12,345", 1)])
def test_an_amount_whose_commas_shift_its_row_is_told_as_that(tmp_path: Path, amount: str, more: int) -> None:
    """The row has too many cells, and none shows, since its last are blank: one problem, and what is wrong besides."""
    file = write_register(tmp_path, answered) / "business_units.csv"
    lines = file.read_text("utf-8").splitlines()
    assert lines[1].startswith("alpha,Alpha,Payroll,EUR,1000000,750000,")
    assert lines[1].endswith("," * more)
    lines[1] = lines[1].replace("1000000", amount)
    file.write_text("\n".join([*lines, ""]), "utf-8")
    [only] = told(file.parent)
    assert only.startswith(f"business_units.csv:2: column 'materiality': '{amount}': its commas make cells of it")
    file.write_text(file.read_text("utf-8").replace(",Medium,", ",Huge,"), "utf-8")
    appetite, split = told(file.parent)
    assert "'Huge': allowed: Low, Medium, High, Critical" in appetite
    assert split == only


def test_a_row_that_is_right_with_blank_cells_beside_it_is_read(tmp_path: Path) -> None:
    """Two numbers side by side may look like one with a comma; nothing is wrong with them."""

    def edit(rows: Rows) -> None:
        rows["risks"][0].update(frequency_per_year="1", loss_low="250", loss_mode="300", loss_high="400")

    file = write_register(tmp_path, edit) / "risks.csv"
    lines = file.read_text("utf-8").splitlines()
    file.write_text("\n".join([lines[0], *(f"{line},,," for line in lines[1:]), ""]), "utf-8")
    assert riskcalc.load(tmp_path).risks["loss_high"].iloc[0] == 400
