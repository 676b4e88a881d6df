"""Writing workbooks: what a cell, a sheet or a spreadsheet can't take, and what is left behind on disk."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import openpyxl
import pytest
from register_files import Rows, write_register

from riskcalc.errors import RegisterError, UsageError
from riskcalc.excel import commands, writer
from riskcalc.excel.writer import Formula, Sheets


def opened(path: Path, content: bytes, data_only: bool = False) -> openpyxl.Workbook:
    path.write_bytes(content)
    return openpyxl.load_workbook(path, data_only=data_only)


def test_no_time_of_making_is_in_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same content gives the same bytes next year, in another folder of temporary files."""
    made = []
    for year in ("first", "second"):
        (tmp_path / year).mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / year))
        with Sheets("A title") as sheets:
            sheets.sheet("one", [10]).row(["text", 1, Formula("1+1", 2)])
            made.append(sheets.as_bytes())
    assert made[0] == made[1]
    with zipfile.ZipFile(io.BytesIO(made[0])) as archive:
        assert {part.date_time[0] for part in archive.infolist()} == {1980}
    properties = opened(tmp_path / "out.xlsx", made[0]).properties
    assert (properties.created.year, properties.title, properties.creator) == (1980, "A title", None)


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: bool) -> None:
    """Rows that wait in temporary files for the workbook to be finished are gone, also where it never is."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Sheets() as sheets:
        sheet = sheets.sheet("one")
        sheet.row(["secret"])
        assert list(tmp_path.iterdir()) != []
        if not fails:
            sheets.as_bytes()
    assert list(tmp_path.iterdir()) == []


def test_formulas_keep_every_digit_of_their_values(tmp_path: Path) -> None:
    """A viewer that works nothing out shows what riskcalc worked out, to the last bit; texts are escaped as texts."""
    with Sheets() as sheets:
        sheets.sheet("one").row([Formula("A1", 0.1 + 0.2), Formula("A1", "a\rb & <c>"), Formula("A1", "")])
        sheet = opened(tmp_path / "out.xlsx", sheets.as_bytes(), data_only=True)["one"]
    assert [cell.value for cell in sheet[1]] == [0.1 + 0.2, "a_x000D_b & <c>", None]


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would leave out the rest without a word."""
    monkeypatch.setattr(writer, "ROWS", 3)
    with Sheets() as sheets:
        sheet = sheets.sheet("one")
        for _ in range(3):
            sheet.row(["x"])
        with pytest.raises(UsageError, match="one has more rows than the 3 that a sheet"):
            sheet.row(["x"])


def test_a_cell_of_the_matrix_says_where_it_was_cut(tmp_path: Path) -> None:
    """The names of a great many risks in one cell don't fit in it; it says so, instead of being cut off somewhere."""

    def crowded(rows: Rows) -> None:
        risk, rating = rows["risks"][0], rows["ratings"][1]
        many = [f"A-R{number:0>300}" for number in range(110)]
        rows["risks"].extend({**risk, "risk_id": name} for name in many)
        rows["ratings"].extend({**rating, "risk_id": name} for name in many)

    content = commands.export(str(write_register(tmp_path / "data", crowded)))
    cells = [str(cell.value) for row in opened(tmp_path / "out.xlsx", content)["results matrices"] for cell in row]
    assert [cell[-30:] for cell in cells if len(cell) > 10_000] == 3 * [" … (more than a cell can hold)"]


def test_a_line_of_the_methodology_that_no_cell_holds_is_refused(small: Path) -> None:
    """It would come back shorter, and be another methodology."""
    path = small / "methodology.toml"
    path.write_text(f"# {'x' * 32_767}\n{path.read_text('utf-8')}", "utf-8")
    with pytest.raises(RegisterError, match=r"methodology\.toml:1: .*longer than a cell of a workbook can be"):
        commands.export(str(small))


def test_names_with_control_characters_make_no_broken_file(small: Path, tmp_path: Path) -> None:
    """A level or rating called by an odd character is stored escaped wherever it stands, rules and prompts included."""
    text = (small / "methodology.toml").read_text("utf-8")
    for name in ("Medium", "Possible"):
        text = text.replace(f'"{name}"', f'"{name}\\u0001\\""')
    (small / "methodology.toml").write_text(text, "utf-8")
    units = small / "business_units.csv"
    units.write_text(units.read_text("utf-8").replace("Medium", '"Medium\x01"""'), "utf-8")
    book = opened(tmp_path / "out.xlsx", commands.export(str(small)))
    assert "results risks" in book.sheetnames
