"""Files of a register that are no files, lead elsewhere, never end, or hold what no register would."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from register_files import Rows, write_register
from workbook_files import change_part, part_of, put, write_workbook

import riskcalc
from riskcalc.errors import MatrixError, RegisterError, UsageError
from riskcalc.excel.mapping import read_mapping
from riskcalc.files import csv_rows, read
from riskcalc.register.integrity import _chains


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def endless(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def elsewhere(file: Path) -> None:
    other = file.parent.parent / "another client's.csv"
    file.rename(other)
    file.symlink_to(other)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("name", ["risks.csv", "methodology.toml"])
@pytest.mark.parametrize(
    ("spoil", "allowed"),
    [
        (pipe, "is a pipe or a device; allowed: a file"),
        (endless, "is a link that leads out of"),
        (elsewhere, "is a link that leads out of"),
        (folder, "Is a directory"),
    ],
)
def test_what_is_no_file_of_the_register_is_refused(
    small: Path, name: str, spoil: Callable[[Path], None], allowed: str
) -> None:
    """Nobody waits for ever, and a register that was sent in shows nothing but itself."""
    spoil(small / name)
    with pytest.raises(RegisterError, match=allowed) as refused:
        riskcalc.load(small)
    assert refused.value.problems[0].file == name


def test_a_link_within_the_register_is_read(small: Path) -> None:
    """As Kubernetes mounts files: the name is a link into a folder beside it."""
    (small / "..data").mkdir()
    (small / "risks.csv").rename(small / "..data" / "risks.csv")
    (small / "risks.csv").symlink_to(Path("..data") / "risks.csv")
    assert len(riskcalc.load(small).risks) == 3


def test_other_inputs_wait_for_nobody_either(small: Path) -> None:
    """A matrix and a mapping that are pipes, and a file that is larger than any register."""
    os.mkfifo(small / "m.yaml")
    os.mkfifo(small / "map.toml")
    with pytest.raises(MatrixError, match="is a pipe"):
        riskcalc.Matrix.read(small / "m.yaml")
    with pytest.raises(UsageError, match="is a pipe"):
        read_mapping(small / "map.toml")
    with pytest.raises(OSError, match="holds more than 0 MB"):
        read(small / "risks.csv", most=10)


def test_a_header_of_many_columns_is_one_problem(small: Path) -> None:
    """Not one per column, and not after minutes: columns aren't each compared with all others."""
    (small / "risks.csv").write_text(",".join(f"c{number}" for number in range(16_000)) + "\n", "utf-8")
    with pytest.raises(RegisterError, match=r"risks\.csv:1: 16,000 columns; allowed: risk_id, ") as refused:
        riskcalc.load(small)
    assert len(refused.value.problems) == 1
    with pytest.raises(RegisterError, match="100,000 cells; allowed: 16,384"):
        list(csv_rows(b"," * 99_999, "wide.csv"))


def test_thousands_of_cycles_are_told_in_one_pass(tmp_path: Path) -> None:
    """Each reference is followed once; the first cycles are named, for nobody reads thousands."""
    walked = [0]

    class Counted(list[str]):
        def __iter__(self):  # type: ignore[no-untyped-def]
            walked[0] += 1
            return super().__iter__()

    pairs = {f"C{n}": Counted([f"C{n ^ 1}"]) for n in range(4_000)}
    assert len(list(_chains(pairs))) == 2_000
    assert walked[0] == 4_000

    def edit(rows: Rows) -> None:
        first = rows["controls"][0]
        rows["controls"] += [{**first, "control_id": f"C{n}", "relies_on": f"C{n ^ 1}"} for n in range(600)]

    with pytest.raises(RegisterError) as refused:
        riskcalc.load(write_register(tmp_path / "data", edit))
    assert len(refused.value.problems) == 200
    assert str(refused.value.problems[0]).endswith("must not rely on itself, but here: C0 -> C1 -> C0")


def test_a_long_cycle_is_told_in_short(tmp_path: Path) -> None:
    """Its beginning, how many more, and where it closes."""

    def edit(rows: Rows) -> None:
        first = rows["controls"][0]
        rows["controls"] += [{**first, "control_id": f"C{n}", "relies_on": f"C{(n + 1) % 500}"} for n in range(500)]

    with pytest.raises(RegisterError, match=r"C17 -> C18 -> \(481 more\) -> C0$"):
        riskcalc.load(write_register(tmp_path / "data", edit))


@pytest.mark.parametrize("value", ["1e300", "1e-300", "inf", "nan", "-1", "1" * 5_000, "0x" + "f" * 6_000, "[" * 5_000])
@pytest.mark.parametrize(
    "old",
    ["GBP = ", "frequency_per_year = ", "loss_high = ", "confidence = ", "tolerable_deviation_rate = ", "daily = "],
)
def test_absurd_settings_are_refused(small: Path, old: str, value: str) -> None:
    """Not passed on until a page says "nan EUR": the message names the setting or the line."""
    lines = (small / "methodology.toml").read_text("utf-8").splitlines()
    [at, *_] = [number for number, line in enumerate(lines) if old in line]
    before, rest = lines[at].split(old, 1)
    lines[at] = before + old + value + rest.lstrip("0123456789.")
    (small / "methodology.toml").write_text("\n".join(lines), "utf-8")
    with pytest.raises(RegisterError) as refused:
        riskcalc.load(small)
    told = str(refused.value)
    assert "methodology.toml" in told
    assert any(word in told for word in (old.removesuffix(" = "), "can't be read as TOML"))
    assert len(told) < 8_000


@pytest.mark.parametrize("value", ["9999999999999", "1" * 400, "-1", "1e3"])
def test_counts_beyond_any_population_are_refused(small: Path, value: str) -> None:
    """What no computer would get done with is not started."""
    text = (small / "control_tests.csv").read_text("utf-8").replace(",25,0,", f",{value},0,", 1)
    (small / "control_tests.csv").write_text(text, "utf-8")
    with pytest.raises(RegisterError, match=r"'sample_size': .*digits only, at most 12"):
        riskcalc.load(small)


def test_an_id_that_breaks_a_line_is_refused(tmp_path: Path) -> None:
    """A log, a mail and a terminal show ids: none of them may write lines of its own there."""
    for forged in ("alpha\nbeta ok", "alpha\x1b[2K", "al\u200bpha", "\u202eahpla"):

        def edit(rows: Rows, forged: str = forged) -> None:
            rows["mappings"][0]["reference"] = forged

        with pytest.raises(RegisterError, match=r"'reference': .* a character that can't be seen, or breaks the line"):
            riskcalc.load(write_register(tmp_path / "data", edit))


def test_rows_and_columns_of_no_size_are_hidden(small: Path) -> None:
    """What people looking at a workbook overlook is told, however it was made invisible."""

    book = write_workbook(small / "flat.xlsx", small)
    change_part(book, part_of(book, "risks"), '<row r="3"', '<row ht="0" customHeight="1" r="3"')
    with pytest.raises(RegisterError, match="hidden row 3: show them"):
        riskcalc.load(book)


def test_the_last_day_of_a_workbook_that_counts_from_1904_is_no_crash(small: Path) -> None:
    """Such a workbook's days end four years earlier than those of others."""

    def late(book: object) -> None:
        from openpyxl.utils.datetime import CALENDAR_MAC_1904

        put("risks", "K2", 2_958_465, "yyyy-mm-dd")(book)  # type: ignore[arg-type]
        book.epoch = CALENDAR_MAC_1904  # type: ignore[attr-defined]

    with pytest.raises(RegisterError, match="is no day; allowed: a date without a time of day"):
        riskcalc.load(write_workbook(small / "late.xlsx", small, late))


def test_what_no_text_holds_is_found_however_far_down_a_file_it_stands() -> None:
    """With its line; and a letter of several bytes is a letter wherever it stands."""
    line = "Prüfung,€\n".encode()
    content = line * 200_000  # more than is looked at together
    assert sum(1 for _ in csv_rows(content, "long.csv")) == 200_000
    for spoilt, told in ((b"Pr\xfcfung\n", "byte 0xfc"), (b"a\0b\n", "NUL")):
        with pytest.raises(RegisterError) as error:
            list(csv_rows(content + spoilt + line, "long.csv"))
        [problem] = error.value.problems
        assert problem.line == 200_001
        assert told in f"{problem.value} {problem.allowed}"
