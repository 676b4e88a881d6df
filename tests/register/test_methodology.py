"""methodology.toml: what it says is taken exactly, and where it contradicts itself it is refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from register_files import SAMPLE, replace_in

import riskcalc
from riskcalc.errors import Problem, RegisterError

FILE = "methodology.toml"
TOP_ROW = '  ["Medium", "Medium", "High", "Critical", "Critical"],\n'
CRITICAL = '  { name = "Critical"'
SIZES = "annual, half_yearly, quarterly, monthly, weekly, daily, many_a_day"
RISING = "frequency_per_year must be given for all ratings or none, and rise with them"


def problems(folder: Path) -> list[Problem]:
    with pytest.raises(RegisterError, match=r"^\d+ problems? in the register .*:\nmethodology\.toml: ") as caught:
        riskcalc.load(folder)
    return caught.value.problems


def places(found: list[Problem]) -> list[tuple[str, int, str, str]]:
    return [(problem.file, problem.line, problem.column, problem.value) for problem in found]


def test_the_sample_is_read_exactly(small: Path) -> None:
    """Scales, levels and weights arrive as written, weights as decimals and not as binary floats."""
    methodology = riskcalc.load(small).methodology
    assert methodology.level_names == ("Low", "Medium", "High", "Critical")
    assert methodology.design_names == ("effective", "partially_effective", "ineffective")
    assert methodology.sampling.tolerable_deviation_rate == Decimal("0.10")
    assert methodology.exchange_rates == {"EUR": 1, "GBP": Decimal("1.17")}
    assert [rating.name for rating in methodology.likelihood][0::4] == ["Rare", "Almost certain"]
    assert methodology.matrix.level(1, 5) == "High"
    assert methodology.matrix.level(5, 1) == "Medium"


@pytest.mark.parametrize(
    ("old", "new", "place", "value", "reason"),
    [
        # the matrix
        (TOP_ROW, "", "matrix", "", "the grid has 4 rows, but likelihood has 5 ratings"),
        (TOP_ROW, TOP_ROW * 2, "matrix", "", "the grid has 6 rows, but likelihood has 5 ratings"),
        ('"Medium", "Medium", "High"]', '"Medium", "High"]', "matrix", "", "row 2 of the grid has 4 cells"),
        ('"High", "High", "Critical"', '"High", "Huge", "Critical"', "matrix", "", "'Huge'; the levels are Low, Medium"),
        (CRITICAL, '  { name = "Low", colour = "#000000" },\n' + CRITICAL, "matrix", "", "levels has 'Low' twice"),
        ("#e37f45", "orange", "matrix", "", "level High has the colour 'orange'; allowed: #rrggbb"),
        ("#e37f45", "#e37", "matrix", "", "level High has the colour '#e37'; allowed: #rrggbb"),
        (', colour = "#e37f45"', "", "matrix.levels.3.colour", "", "missing, but required"),
        ('name = "Unlikely"', 'name = "Rare"', "matrix", "", "likelihood has 'Rare' twice"),
        # settings that are unknown, missing or out of range
        ("confidence = 0.90", "confidence = 90", "sampling.confidence", "90", "0.9999 or less; 90 % is 0.9"),
        ("confidence = 0.90", "confidence = 200", "sampling.confidence", "200", "0.9999 or less"),
        ("organisation =", 'colour = "x"\norganisation =', "colour", "", "is not a setting known here"),
        ('name = "Rare"', 'name = "Rare"\nrate = 3', "likelihood.1.rate", "", "is not a setting known here"),
        ("not_tested =", "maybe = 0.1\nnot_tested =", "weights.operating.maybe", "", "is not a setting known here"),
        ('currency = "EUR"', "", "currency", "", "missing, but required"),
        ('"Tarnbrook Services Group"', '""', "organisation", "", "blank; allowed: some text"),
        ("y_effective = 0.5", "y_effective = 1.5", "weights.design.partially_effective", "1.5", "allowed: 1 or less"),
        ("y_effective = 0.5", 'y_effective = "x"', "weights.design.partially_effective", "x", "a number, without quotes"),
        ("confidence = 0.90", "confidence = 90", "sampling.confidence", "90", "allowed: 0.9999 or less"),
        ("GBP = 1.17", "GBP = 0", "exchange_rates.GBP", "0", "from 0.000000001 to 1000000000"),
        ("weekly = 5", "weekly = 0", "sampling.planned_size.weekly", "0", "allowed: more than 0"),
        ("weekly = 5", "weekly = 2.5", "sampling.planned_size.weekly", "2.5", "allowed: a whole number, without quotes"),
        ("confidence = 0.90", 'confidence = "0.90"', "sampling.confidence", "0.90", "a number, without quotes"),
        ("automated_once = true", 'automated_once = "no"', "evidence.automated_once", "no", "allowed: true or false"),
        ("pervasive = 0.5", "pervasive = 0.00001", "opinion.pervasive", "0.00001", "allowed: 0.0001 or more"),
        ('{ name = "Low", colour = "#e4eef5" }', '"Low"', "matrix.levels.1", "Low", "settings by name, in a table"),
        # settings that contradict each other
        ("not_effective = 0.0", "not_effective = 0.7", "weights.operating", "", "rise from not_effective"),
        ("not_tested = 0.0", "not_tested = 0.7", "weights.operating.not_tested", "0.7", "must not exceed insufficient_evidence"),
        ("daily = 15\n", "", "sampling.planned_size", "", SIZES),
        ("daily = 15\n", "daily = 15\nad_hoc = 2\n", "sampling.planned_size", "", SIZES),
        ("daily = 15\n", "fortnightly = 15\n", "sampling.planned_size", "", SIZES),
        ("EUR = 1.0", "EUR = 1.1", "exchange_rates.EUR", "", "must be 1: it is the organisation's own currency"),
        # the anchors of the scales
        ("frequency_per_year = 0.25", "frequency_per_year = 0.6", "likelihood.3", "0.6", "must be in its band, 0.15 to"),
        ("frequency_from = 0.15", "frequency_from = 0.16", "likelihood", "", "where the one before ends"),
        ("frequency_per_year = 0.25", "", "likelihood", "", RISING),
        ("loss_low = 0.7", "loss_low = 0.2", "impact", "", "loss_low must be given for all ratings or none, and rise"),
        ("reasonable_possibility = 2", "reasonable_possibility = 6", "severity.reasonable_possibility", "6", "1 to 5"),
        ("loss_low = 0.03", "loss_low = 0.13", "impact.3", "", "must hold loss_low <= loss_mode <= loss_high"),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused_with_its_reason(
    small: Path, old: str, new: str, place: str, value: str, reason: str
) -> None:
    """A setting that can't hold is named by its place in the file, with what was seen and why it can't."""
    replace_in(small / FILE, old, new)
    found = problems(small)
    [at] = [number for number, each in enumerate(places(found)) if each == (FILE, 0, place, value)]
    assert reason in found[at].allowed
    assert len(found) == 1 or reason == RISING, "an anchor that falls leaves its band as well"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('"High", colour', '"High", color = "#111111", colour', "matrix.levels.3.color"),
        (
            '"High", colour = "#e37f45" },',
            '"High", colour = "#e37f45" },\n  { name = "", colour = "#000000" },',
            "matrix",
        ),
        ("annual = 1", "annual = true", "sampling.planned_size.annual"),
    ],
    ids=["unknown key of a level", "level without a name", "true as a size"],
)
def test_what_nobody_can_mean_is_refused(small: Path, old: str, new: str, place: str) -> None:
    """A misspelt setting of a level, a nameless level and a size of ``true`` don't pass in silence."""
    replace_in(small / FILE, old, new)
    assert [problem.column[: len(place)] for problem in problems(small)] == [place]


def test_the_grid_is_told_beside_a_setting_out_of_range(small: Path) -> None:
    """The matrix is checked whatever is wrong with the settings that have nothing to do with it."""
    replace_in(small / "methodology.toml", "[sampling]", "[samplng]")
    replace_in(small / "methodology.toml", '"High", "High", "Critical"', '"High", "Hihg", "Critical"')
    found = {problem.column: problem.allowed for problem in problems(small)}
    assert {"samplng", "matrix"} < found.keys()
    assert found["matrix"].startswith("the grid names 'Hihg'")


def test_every_contradiction_is_told_at_once(small: Path) -> None:
    """Three independent mistakes are three problems, so that one round of mending is enough."""
    replace_in(small / FILE, "#e37f45", "orange")
    replace_in(small / FILE, "EUR = 1.0", "EUR = 1.1")
    replace_in(small / FILE, "daily = 15\n", "")
    assert [problem.column for problem in problems(small)] == ["exchange_rates.EUR", "matrix", "sampling.planned_size"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'currency = "EUR"\norganisation = Tarnbrook\n', "can't be read as TOML in UTF-8: Invalid value (at line 2"),
        (b"[matrix\n", "can't be read as TOML in UTF-8: "),
        ('organisation = "Süd"'.encode("latin-1"), "can't be read as TOML in UTF-8: "),
        ('organisation = "Süd"'.encode("utf-16"), "can't be read as TOML in UTF-8: "),
    ],
    ids=["bare word", "open bracket", "Latin-1", "UTF-16"],
)
def test_a_file_that_is_no_toml_is_refused(small: Path, content: bytes, reason: str) -> None:
    """A slip in the syntax or another encoding is told as such, with the line where the parser knows it."""
    (small / FILE).write_bytes(content)
    found = problems(small)
    assert places(found) == [(FILE, 0, "", "")]
    assert reason in found[0].allowed


def test_an_empty_file_is_told_every_setting_it_needs(small: Path) -> None:
    """An empty methodology is answered with the list of what belongs into it."""
    (small / FILE).write_bytes(b"")
    needed = ["currency", "exchange_rates", "impact", "likelihood", "matrix", "organisation", "sampling"]
    needed += ["severity", "weights"]
    assert problems(small) == [Problem(FILE, 0, place, "", "missing, but required") for place in needed]


def test_a_missing_file_is_told(small: Path) -> None:
    """A folder of tables without a methodology isn't a register, and the file that is missing is named."""
    (small / FILE).unlink()
    assert problems(small) == [Problem(FILE, 0, "", "", "the file is missing")]


@pytest.mark.parametrize("write", [lambda text: text.replace(b"\n", b"\r\n"), lambda text: b"\xef\xbb\xbf" + text])
def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(small: Path, write: Callable[[bytes], bytes]) -> None:
    """A methodology saved by a Windows editor says the same."""
    before = riskcalc.load(small).methodology
    (small / FILE).write_bytes(write((SAMPLE / FILE).read_bytes()))
    assert riskcalc.load(small).methodology == before


def test_anchors_may_be_left_out_altogether(small: Path) -> None:
    """A method that uses no loss model needs no frequencies and no losses."""
    lines = (small / FILE).read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("frequency_per_year", "loss_"))]
    (small / FILE).write_text("".join(kept), "utf-8")
    methodology = riskcalc.load(small).methodology
    assert {rating.frequency_per_year for rating in methodology.likelihood} == {None}
    assert {rating.loss_high for rating in methodology.impact} == {None}


def test_weights_may_be_equal_but_not_fall(small: Path) -> None:
    """Counting insufficient evidence for something is a choice that may be made, and is known as an assumption."""
    assert not riskcalc.load(small).methodology.weights.operating.assumed
    replace_in(small / FILE, "insufficient_evidence = 0.0", "insufficient_evidence = 0.5")
    assert riskcalc.load(small).methodology.weights.operating.assumed


def test_own_names_for_designs_and_levels_are_taken(small: Path) -> None:
    """Design words are the organisation's own: the register is checked against them, not against built-in ones."""
    replace_in(small / FILE, "partially_effective = 0.5", '"zum Teil" = 0.5')
    assert riskcalc.load(small).methodology.design_names == ("effective", "zum Teil", "ineffective")
    replace_in(small / FILE, "\neffective = 1.0", "\nwirksam = 1.0")
    with pytest.raises(RegisterError, match="'effective': allowed: wirksam, zum Teil, ineffective"):
        riskcalc.load(small)


def test_a_loss_is_an_interval_with_or_without_a_mode(small: Path) -> None:
    """High losses alone say nothing of how large one is."""
    text = (small / FILE).read_text("utf-8")
    (small / FILE).write_text(
        "".join(line for line in text.splitlines(True) if not line.startswith("loss_low")), "utf-8"
    )
    places = [(problem.column, problem.allowed.partition(",")[0]) for problem in problems(small)]
    assert places == [(f"impact.{number}", "must hold loss_low and loss_high") for number in range(1, 6)]
