"""The risk matrix, against matrices that others published."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from riskcalc import Matrix
from riskcalc.errors import MatrixError
from riskcalc.register.matrix import Level, contrast, luminance, ramp

GREYS = ("#ffffff", "#bbbbbb", "#777777", "#333333", "#000000")
FIVE = ("Very Low", "Low", "Moderate", "High", "Very High")
# NIST SP 800-30 Rev. 1, Appendix I, Table I-2: level of risk by likelihood (rows) and impact, lowest first.
NIST = ((0, 0, 0, 1, 1), (0, 1, 1, 1, 2), (0, 1, 2, 2, 3), (0, 1, 2, 3, 4), (0, 1, 2, 3, 4))
# MIL-STD-882E, Table III: probability F (eliminated) to A by severity 4 to 1, each lowest first here.
MIL_LEVELS = ("Eliminated", "Low", "Medium", "Serious", "High")
MIL = ((0, 0, 0, 0), (1, 2, 2, 2), (1, 2, 2, 3), (1, 2, 3, 4), (2, 3, 4, 4), (2, 3, 4, 4))


def made(grid: tuple[tuple[int, ...], ...], levels: tuple[str, ...] = FIVE) -> Matrix:
    names = [tuple(f"{axis}{n}" for n in range(1, size + 1)) for axis, size in (("L", len(grid)), ("I", len(grid[0])))]
    return Matrix(*names, tuple(Level(*pair) for pair in zip(levels, GREYS, strict=False)), grid)


def ciso_matrices() -> list[dict[str, object]]:
    """Names, colours and grids as read in intuitem/ciso-assistant-community, backend/library/libraries."""
    return json.loads((Path(__file__).parent / "ciso_assistant_matrices.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("likelihood", "impact", "level"),
    [
        ("Very High", "Low", "Low"),
        ("Very High", "High", "High"),
        ("High", "Very Low", "Very Low"),
        ("High", "Moderate", "Moderate"),
        ("High", "Very High", "Very High"),
        ("Moderate", "Low", "Low"),
        ("Moderate", "High", "Moderate"),
        ("Low", "Very Low", "Very Low"),
        ("Low", "Moderate", "Low"),
        ("Low", "Very High", "Moderate"),
        ("Very Low", "Low", "Very Low"),
        ("Very Low", "High", "Low"),
    ],
)
def test_nist_matrix_gives_the_published_level(likelihood: str, impact: str, level: str) -> None:
    """An asymmetric matrix is not transposed: NIST SP 800-30 Rev. 1, Table I-2, cell by cell."""
    assert made(NIST).level(FIVE.index(likelihood) + 1, FIVE.index(impact) + 1) == level


@pytest.mark.parametrize(
    ("probability", "severity", "level"),
    [
        ("A", 1, "High"), ("A", 3, "Serious"), ("B", 1, "High"), ("B", 3, "Serious"), ("C", 1, "High"), ("C", 3, "Medium"),
        ("D", 1, "Serious"), ("D", 3, "Medium"), ("E", 1, "Medium"), ("E", 3, "Medium"), ("F", 1, "Eliminated"),
        ("F", 3, "Eliminated"),
    ],
)  # fmt: skip
def test_a_non_square_matrix_gives_the_published_level(probability: str, severity: int, level: str) -> None:
    """MIL-STD-882E, Table III: six probabilities by four severities."""
    assert made(MIL, MIL_LEVELS).level("FEDCBA".index(probability) + 1, 5 - severity) == level


@pytest.mark.parametrize("facts", ciso_matrices(), ids=lambda facts: facts["library"])
def test_public_ciso_assistant_matrices_load_and_look_up_cell_by_cell(facts: dict, tmp_path: Path) -> None:
    """Every matrix of CISO Assistant's libraries gives, at each cell, the level that its grid points at."""
    named = {axis: [{"name": name} for name in facts[axis]] for axis in ("probability", "impact")}
    risk = [{"name": name, "hexcolor": colour} for name, colour in zip(facts["risk"], facts["colours"], strict=True)]
    library = {"objects": {facts["key"]: [{**named, "risk": risk, "grid": facts["grid"]}]}}
    path = tmp_path / "library.yaml"
    path.write_text(yaml.safe_dump(library, allow_unicode=True), "utf-8")
    matrix = Matrix.read(path)
    assert matrix.shape == (len(facts["probability"]), len(facts["impact"]))
    for row, levels in enumerate(facts["grid"], 1):
        for column, index in enumerate(levels, 1):
            assert matrix.level(row, column) == facts["risk"][index]


def test_arrays_and_missing_ratings(matrix: Matrix) -> None:
    """Arrays of any kind give names; a missing rating gives None, never a level."""
    nullable = pd.Series([1, None, 5], dtype="Int64")
    assert matrix.level(nullable, pd.Series([5, 5, 1], dtype="Int64")).tolist() == ["High", None, "Medium"]
    assert matrix.level(np.array([[1.0, np.nan]]), 5).tolist() == [["High", None]]
    assert matrix.level(None, 5) is None
    assert matrix.level([], []).tolist() == []


@pytest.mark.parametrize(("rating", "read_as"), [(2.5, 3), (2.4999999999999996, 3), (2.4999, 2), (1.0, 1), (4.5, 5)])
def test_a_residual_is_read_at_the_nearest_rating_halves_up(matrix: Matrix, rating: float, read_as: int) -> None:
    """2.5 is 3, and so is 2.4999999999999996, which is 2.5 but for the float."""
    assert matrix.level(rating, 3) == matrix.level(read_as, 3)
    assert matrix.level(3, rating) == matrix.level(3, read_as)


@pytest.mark.parametrize("rating", [0, -1, 6, 5.5, 0.49, np.inf])
def test_a_rating_off_the_scale_is_refused(matrix: Matrix, rating: float) -> None:
    """0 is no rating and 6 is none of five: neither is clamped."""
    with pytest.raises(ValueError, match="likelihood holds a rating off the scale; allowed: 1 to 5"):
        matrix.level(rating, 1)
    with pytest.raises(ValueError, match="impact holds a rating off the scale"):
        matrix.level(1, rating)


@pytest.mark.parametrize(
    ("grid", "finding"),
    [
        (((0, 1), (1, 0)), "not monotone: L1 x I2 is Very Low, L2 x I2 is Very Low"),
        (((0, 1), (0, 2), (1, 1)), "not monotone: L2 x I2 is Moderate, L3 x I2 is Low"),
        (((0, 0), (0, 2)), "a level is skipped: L1 x I2 is Very Low, L2 x I2 is Moderate"),
        (((0, 1), (1, 3)), "level Moderate is never reached"),
    ],
)
def test_lint_names_what_is_wrong_with_a_matrix(grid: tuple[tuple[int, ...], ...], finding: str) -> None:
    """A matrix that falls, jumps or leaves a level out is told so, cell by cell."""
    found = made(grid, FIVE[: max(map(max, grid)) + 1]).lint()
    if "Very Low, L2 x I2 is Very Low" in finding:
        assert any("not monotone: L1 x I2 is Low, L2 x I2 is Very Low" in each for each in found)
    else:
        assert finding in found


def test_lint_tells_levels_that_look_alike_in_grey() -> None:
    """Pale blue and pale yellow have one luminance: a black and white print can't tell them apart."""
    levels = (Level("Low", "#d7e8f4"), Level("High", "#fbe3a2"))
    found = Matrix(("a", "b"), ("c", "d"), levels, ((0, 0), (0, 1))).lint()
    assert [each for each in found if each.startswith("poor contrast: Low (#d7e8f4) and High (#fbe3a2)")]


def test_the_sample_matrix_has_no_findings(matrix: Matrix) -> None:
    """What we ship as an example passes its own linter."""
    assert matrix.lint() == []


@given(st.data())
def test_in_a_monotone_matrix_higher_ratings_never_give_a_lower_level(data: st.DataObject) -> None:
    """The linter's monotone and the look-up's monotone are the same thing."""
    rows, columns = data.draw(st.integers(2, 10)), data.draw(st.integers(2, 10))
    grid = np.array(
        data.draw(
            st.lists(st.lists(st.integers(0, 4), min_size=columns, max_size=columns), min_size=rows, max_size=rows)
        )
    )
    grid = np.maximum.accumulate(np.maximum.accumulate(grid, axis=0), axis=1)
    matrix = made(tuple(map(tuple, grid.tolist())))
    assert not [finding for finding in matrix.lint() if finding.startswith("not monotone")]
    low = [data.draw(st.floats(1, size)) for size in matrix.shape]
    high = [data.draw(st.floats(least, size)) for least, size in zip(low, matrix.shape, strict=True)]
    assert matrix.codes(*low) <= matrix.codes(*high)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.yaml", "objects: {}", "holds no risk matrix"),
        ("m.yaml", "- 1\n", "holds no risk matrix"),
        ("m.yaml", "a: [", "can't be read"),
        ("m.yml", "objects:\n  risk_matrix:\n  - {probability: [{name: a}, {name: b}], impact: [{name: c}, {name: d}],"
                  " risk: [{name: e, hexcolor: '#ffffff'}], grid: [[0, 0]]}", "the grid has 1 row, but likelihood has 2 ratings"),
        ("m.yml", "objects:\n  risk_matrix:\n  - {probability: [{name: a}, {name: b}], impact: [{name: c}, {name: d}],"
                  " risk: [{name: e, hexcolor: '#ffffff'}], grid: [[0, 0], [0, 1]]}", "row 2 of the grid points outside its 1 level"),
        ("m.toml", "a = [", "can't be read"),
        ("m.toml", "a = 1", "holds no risk matrix"),
        ("m.txt", "", "a matrix is read from .toml, .yaml or .yml"),
    ],
)  # fmt: skip
def test_a_file_without_a_usable_matrix_is_refused_with_its_name(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    """Whatever is wrong with the file, the message names it and says why."""
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(MatrixError, match=message) as raised:
        Matrix.read(tmp_path / name)
    assert name in str(raised.value)


def test_a_missing_matrix_file_is_named(tmp_path: Path) -> None:
    """No traceback for a path mistyped."""
    with pytest.raises(MatrixError, match=r"nothing\.toml: can't be read"):
        Matrix.read(tmp_path / "nothing.toml")


def test_levels_without_colours_get_distinguishable_ones(tmp_path: Path) -> None:
    """CISO Assistant's hexcolor is optional; the fallback ramp passes our own contrast rule."""
    ratings = [{"name": "a"}, {"name": "b"}]
    library = {
        "objects": {
            "risk_matrix": [
                {
                    "probability": ratings,
                    "impact": ratings,
                    "risk": [{"name": n} for n in "xyz"],
                    "grid": [[0, 1], [1, 2]],
                }
            ]
        }
    }
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(library), "utf-8")
    assert Matrix.read(tmp_path / "m.yaml").lint() == []


def test_contrast_agrees_with_wcag() -> None:
    """WCAG 2.2: black on white is 21:1; #767676 is the lightest grey that reaches 4.5:1 on white."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") >= 4.5 > contrast("#777777", "#ffffff")
    assert [luminance(step) for step in ramp(5)] == sorted((luminance(step) for step in ramp(5)), reverse=True)
