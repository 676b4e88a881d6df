"""The register in memory: what it answers, and where it is looked for."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from register_files import DEFICIENCY, ROWS, change, replace_in, write_register

import riskcalc
from riskcalc.errors import UsageError
from riskcalc.register.register import find_folder

Rows = dict[str, list[dict[str, str]]]


# --- what a register answers --------------------------------------------------------------------------


def test_the_period_is_the_latest_unless_named(small: Path) -> None:
    """Without a name the latest-ending period is taken, whatever the order of the rows; the one before is known."""
    replace_in(small / "ratings.csv", "B-R1,2026-H1", "B-R1,2023-H2")
    register = riskcalc.load(small)
    assert [period.name for period in register.periods] == ["2023-H2", "2025-H2", "2026-H1"]
    assert register.period() == register.period("2026-H1")
    assert register.period("2025-H2").last_day == date(2025, 12, 31)
    before = register.previous(register.period())
    assert before == register.period("2025-H2")
    assert register.previous(register.period("2023-H2")) is None


def test_an_unknown_period_or_unit_is_answered_with_those_there_are(small: Path) -> None:
    """Who asks for a period or a unit that isn't there is told which ones are."""
    register = riskcalc.load(small)
    with pytest.raises(UsageError, match=r"period '2024-H1'; the register's periods are: 2025-H2, 2026-H1\."):
        register.period("2024-H1")
    with pytest.raises(UsageError, match=r"no business unit 'Alpha'; the register's units are: alpha, beta\."):
        register.unit("Alpha")
    with pytest.raises(UsageError, match=r"no business unit 'gamma'; the register's units are: alpha, beta\."):
        register.only("gamma")


def shared(rows: Rows) -> None:
    """A-R2 counts on a control of beta, which relies on another of beta, which relies on a third."""
    for name, relies_on in (("B-G1", "B-G2"), ("B-G2", ""), ("B-G3", "B-G2")):
        rows["controls"].append({**rows["controls"][3], "control_id": name, "relies_on": relies_on})
    rows["controls"][3]["relies_on"] = "B-G1"
    rows["risk_controls"].append({"risk_id": "A-R2", "control_id": "B-C1", "acts_on": "both", "coverage": "1"})
    rows["deficiencies"] += [{**DEFICIENCY, "deficiency_id": id_, "control_id": id_} for id_ in ("B-G2", "B-G3")]


def test_only_keeps_what_one_unit_needs(tmp_path: Path) -> None:
    """A unit's part holds its own rows and each control it counts on, of any unit, down to the last one relied on."""
    register = riskcalc.load(write_register(tmp_path, shared))
    alpha, beta = register.only("alpha"), register.only("beta")
    assert alpha.business_units["unit_id"].tolist() == ["alpha"]
    assert alpha.control_objectives["objective_id"].tolist() == ["A-CO1"]
    assert alpha.risks["risk_id"].tolist() == ["A-R1", "A-R2"]
    assert alpha.ratings.index.tolist() == [2, 3, 4]
    assert set(alpha.risk_controls["risk_id"]) == {"A-R1", "A-R2"}
    assert alpha.controls["control_id"].tolist() == ["A-C1", "A-C2", "A-G1", "B-C1", "B-G1", "B-G2"]
    assert alpha.control_tests["test_id"].tolist() == ["T1", "T2", "T3", "T4"]
    assert alpha.deficiencies["control_id"].tolist() == ["B-G2"]
    assert beta.controls["control_id"].tolist() == ["B-C1", "B-G1", "B-G2", "B-G3"]
    assert (beta.control_tests["test_id"].tolist(), len(beta.mappings)) == (["T4"], 0)
    assert (alpha.periods[-1], alpha.methodology) == (register.periods[-1], register.methodology)


@pytest.fixture(scope="module")
def fingerprint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """That of the small register."""
    return riskcalc.load(write_register(tmp_path_factory.mktemp("small"))).fingerprint()


@settings(max_examples=25, deadline=None)
@given(st.fixed_dictionaries({name: st.permutations(rows) for name, rows in ROWS.items()}))
def test_the_order_of_rows_changes_no_fingerprint(fingerprint: str, tables: Rows) -> None:
    """Sorting a table in a spreadsheet doesn't make it another register, nor does another place on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        sorted_otherwise = write_register(Path(folder), lambda rows: rows.update(tables))
        assert riskcalc.load(sorted_otherwise).fingerprint() == fingerprint


@pytest.mark.parametrize(
    ("table", "row", "cells"),
    [
        ("business_units", 1, {"materiality": "500000.01"}),
        ("business_units", 0, {"report_to": "2026-07-01"}),
        ("control_objectives", 0, {"statement": "Pay is right. "}),
        ("risks", 0, {"account": "NA"}),
        ("risks", 2, {"assertions": "accuracy"}),
        ("ratings", 2, {"votes": "0"}),
        ("ratings", 0, {"period": "2024-H2"}),
        ("controls", 0, {"key": "no"}),
        ("controls", 0, {"relies_on": "A-G1"}),
        ("risk_controls", 1, {"coverage": "0.81"}),
        ("control_tests", 2, {"deviations": "2"}),
        ("mappings", 0, {"reference": "CC6.2"}),
    ],
)
def test_any_changed_cell_changes_the_fingerprint(tmp_path: Path, table: str, row: int, cells: dict[str, str]) -> None:
    """Two registers with one fingerprint say the same: a single other cell gives another one."""
    one = write_register(tmp_path / "one", change(table, row))
    other = write_register(tmp_path / "other", change(table, row, **cells))
    assert riskcalc.load(one).fingerprint() != riskcalc.load(other).fingerprint()


def test_another_methodology_changes_the_fingerprint(small: Path) -> None:
    """The same ratings under another grid are another assessment."""
    before = riskcalc.load(small).fingerprint()
    replace_in(small / "methodology.toml", '["Low", "Medium", "High", "High"', '["Low", "Medium", "Medium", "High"')
    assert riskcalc.load(small).fingerprint() != before


def test_the_fingerprint_is_the_same_on_windows(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two colleagues with the same files get the same fingerprint, whatever their system's line ends are."""
    before = riskcalc.load(small).fingerprint()
    monkeypatch.setattr(os, "linesep", "\r\n")
    assert riskcalc.load(small).fingerprint() == before


# --- where a register is looked for -------------------------------------------------------------------


def test_the_folder_is_found_from_below(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook in a folder of its own finds ``data`` in a parent, and the nearest one where there are two."""
    below = small.parent / "notebooks" / "drafts"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert riskcalc.load().source == small
    nearer = write_register(small.parent / "notebooks" / "data")
    assert riskcalc.load("data").source == nearer
    assert riskcalc.load(small).source == small


@pytest.mark.parametrize("make", [Path.exists, Path.touch], ids=["nothing", "a file"])
def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]
) -> None:
    """Who misspells the folder, or names a file, is told what was looked for and from where."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "registre")
    missing = (
        f"no folder 'registre' in {re.escape(str(tmp_path))} or above|'registre' is a file; a register is the folder"
    )
    with pytest.raises(UsageError, match=missing):
        riskcalc.load("registre")
    with pytest.raises(UsageError, match=re.escape(str(tmp_path / "registre"))):
        riskcalc.load(tmp_path / "registre")


def test_where_a_folder_is_needed_a_workbook_is_told_how_it_becomes_one(tmp_path: Path) -> None:
    """Opening a period, a workshop and other names change the CSV files."""
    (tmp_path / "mine.xlsx").touch()
    with pytest.raises(
        UsageError, match=r"needs the folder .* makes one of it: riskcalc excel import .*mine.xlsx --into"
    ):
        find_folder(tmp_path / "mine.xlsx")


def test_a_relative_register_is_looked_for_in_riskcalc_data_at_last(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that runs a copy of a notebook elsewhere finds it; one in the working folder comes first."""
    elsewhere = tmp_path / "staged"
    elsewhere.mkdir()
    named = small.rename(tmp_path / "register")
    monkeypatch.chdir(elsewhere)
    with pytest.raises(UsageError, match=r"^There is no folder 'kept' in .*staged or above it\.$"):
        riskcalc.load("kept")
    (tmp_path / "named").mkdir()
    named.rename(tmp_path / "named" / "kept")
    monkeypatch.setenv("RISKCALC_DATA", str(tmp_path / "named"))
    assert riskcalc.load("kept").source == tmp_path / "named" / "kept"
    write_register(elsewhere / "kept")
    assert riskcalc.load("kept").source == elsewhere / "kept"
    with pytest.raises(UsageError, match=r"or above it, nor in .*named \(RISKCALC_DATA\)\.$"):
        riskcalc.load("nowhere")


@pytest.mark.parametrize("address", ["s3://key:secret@bucket/register", Path("s3://key:secret@bucket/register")])
def test_an_address_is_refused_as_one_and_its_keys_are_not_shown(address: str | Path) -> None:
    """Pages may go to an object store; a register is read from this machine."""
    with pytest.raises(UsageError, match=r"^s3:/…: is an address; a register is read from this machine") as refused:
        riskcalc.load(address)
    assert "secret" not in str(refused.value)
