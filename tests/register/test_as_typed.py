"""Input as people type it: read right and told where it can mean one thing, refused with both readings where two."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from register_files import change, problems, replace_in, write_register

import riskcalc
from riskcalc.register.as_typed import day, parts_of_rating


@pytest.mark.parametrize(
    ("table", "column", "typed", "spelt"),
    [
        ("ratings", "likelihood", "Likely", "4"),
        ("ratings", "likelihood", " likely ", "4"),
        ("ratings", "likelihood", "4: Likely", "4"),
        ("ratings", "impact", "Major (4)", "4"),
        ("ratings", "impact", "4 ", "4"),
        ("ratings", "period", "h2 2025", "2025-H2"),
        ("ratings", "rated_on", "30.06.2026", "2026-06-30"),
        ("deficiencies", "due_on", "09/30/2026", "2026-09-30"),
        ("deficiencies", "due_on", "9 Sep 2026", "2026-09-09"),
        ("deficiencies", "due_on", "09.09.2026", "2026-09-09"),
        ("risk_controls", "coverage", "60%", "0.6"),
        ("risk_controls", "acts_on", "Both ", "both"),
        ("controls", "key", "Yes", "yes"),
        ("controls", "frequency", "Half-yearly", "half_yearly"),
        ("controls", "design", "Partially effective", "partially_effective"),
        ("controls", "relies_on", " A-G1", "A-G1"),
        ("business_units", "appetite", "medium", "Medium"),
        ("business_units", "currency", "gbp", "GBP"),
        ("risks", "assertions", "Accuracy, Rights & obligations", "accuracy|rights_obligations"),
        ("risks", "unit_id", "alpha ", "alpha"),
    ],
)
def test_what_can_mean_one_thing_is_read_and_told(
    tmp_path: Path, table: str, column: str, typed: str, spelt: str
) -> None:
    """The register is the same as with the proper spelling, and a note names the cell and how it was read."""
    read = riskcalc.load(write_register(tmp_path / "typed", change(table, 0, **{column: typed})))
    assert (
        read.fingerprint()
        == riskcalc.load(write_register(tmp_path / "b", change(table, 0, **{column: spelt}))).fingerprint()
    )
    [note] = read.notes
    assert (note.file, note.line, note.column, note.value) == (f"{table}.csv", 2, column, typed)
    assert spelt in note.allowed


@pytest.mark.parametrize(
    ("table", "column", "typed", "told"),
    [
        ("deficiencies", "due_on", "03/04/2026", "may be 2026-03-04 or 2026-04-03: write the one that is meant"),
        ("deficiencies", "due_on", "30/06/26", "allowed: a date as YYYY-MM-DD"),
        ("ratings", "likelihood", "3 - Likely", "3 is 'Possible' here, and 'Likely' is 4"),
        ("ratings", "likelihood", "Quite likely", "allowed: a whole number from 1 to 5"),
        ("risk_controls", "coverage", "600%", "allowed: a number from 0 to 1"),
        ("controls", "relies_on", "A-C2, A-G1", "the names in a list are separated by |: write A-C2|A-G1"),
        ("business_units", "materiality", "1,000", "digits and a point only"),
    ],
)
def test_what_can_mean_two_things_is_refused_with_the_mistake(
    tmp_path: Path, table: str, column: str, typed: str, told: str
) -> None:
    """Nothing is guessed: the message has the cell as it was typed, and names the mistake."""
    [problem] = problems(write_register(tmp_path, change(table, 0, **{column: typed})))
    assert (problem.column, problem.value) == (column, typed)
    assert told in problem.allowed


@given(
    st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.sampled_from(["{d}.{m}.{y}", "{m}/{d}/{y}", "{d:02}-{m:02}-{y}"])
)
def test_a_local_day_is_that_day_or_no_day(when: date, form: str) -> None:
    """Whoever typed it, by whichever custom: another day never comes out."""
    text = form.format(d=when.day, m=when.month, y=when.year)
    if when.day > 12 or when.day == when.month:
        assert day(text, None) == when.isoformat()  # type: ignore[arg-type]
    else:
        with pytest.raises(ValueError, match=f"may be .*{when.isoformat()}"):
            day(text, None)  # type: ignore[arg-type]


@given(
    st.integers(1, 10),
    st.sampled_from(["Likely", "Very High", "Near 2 misses"]),
    st.sampled_from(["{n} - {w}", "{n} {w}", "{w} ({n})", "{n}: {w}"]),
)
def test_a_number_beside_a_name_is_found(number: int, name: str, form: str) -> None:
    """However the two are put together, neither is lost."""
    assert parts_of_rating(form.format(n=number, w=name)) == (str(number), name)


def test_keys_that_only_blanks_tell_apart_are_one_key_twice(small: Path) -> None:
    """They are read without blanks, so the second is told as a repetition, never taken for another risk."""
    replace_in(small / "risks.csv", "A-R2,alpha", "A-R1 ,alpha")
    assert ["stands already at line 2" in each.allowed for each in problems(small) if each.file == "risks.csv"] == [
        True
    ]


def test_a_bad_line_hides_no_wrong_reference(small: Path) -> None:
    """One line with a cell too many, one unknown risk elsewhere: both are told, and no row is blamed for the first."""
    text = (small / "risks.csv").read_text("utf-8").splitlines()
    text[2] += ",stray"
    (small / "risks.csv").write_text("\n".join(text), "utf-8")
    replace_in(small / "risk_controls.csv", "B-R1,B-C1", "B-R7,B-C1")
    assert [(each.file, each.line, each.value) for each in problems(small)] == [
        ("risk_controls.csv", 4, "B-R7"),
        ("risks.csv", 3, ""),
    ]


def test_cells_read_otherwise_keep_their_bytes(small: Path) -> None:
    """Reading changes no file; and what is spelt as we spell it gives no note."""
    assert riskcalc.load(small).notes == ()
    replace_in(small / "risk_controls.csv", "0.80", "80%")
    before = (small / "risk_controls.csv").read_bytes()
    assert [note.allowed for note in riskcalc.load(small).notes] == ["read as 0.8"]
    assert (small / "risk_controls.csv").read_bytes() == before
