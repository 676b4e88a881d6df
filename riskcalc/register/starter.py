"""What a new register is made of: scales, a matrix, a unit, and an empty list of risks; and where the sample is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from riskcalc.errors import UsageError
from riskcalc.files import as_line
from riskcalc.register.checked_rows import spoilt
from riskcalc.register.matrix import Matrix
from riskcalc.register.methodology import FILE, Methodology
from riskcalc.register.tables import TABLES

_UNIT = (
    "unit_id", "name", "service", "owner", "currency", "appetite", "materiality", "performance_materiality",
    "materiality_basis", "report_type", "report_from", "report_to",
)  # fmt: skip
_RISKS = ("risk_id", "title", "owner", "likelihood", "impact")
_UNDEFINED = "Not defined yet: say what people are to rate by."
_SIZES = ("3x3", "4x4", "5x5")  # scales of our own, in starters/: a beginning, not a standard


@dataclass(frozen=True)
class Starter:
    """What a new register is to be called and rated by.

    ``matrix`` is 3x3, 4x4 or 5x5, or a file with scales and a matrix: a methodology.toml, or CISO Assistant's YAML.
    """

    organisation: str
    currency: str
    unit: str = ""
    matrix: str = "5x5"
    period: str = ""

    def methodology(self) -> str:
        """The text of methodology.toml.

        Raises:
            MatrixError: the matrix file can't be read as one.
            RegisterError: the settings can't be used; every reason is told.
            UsageError: there is no such matrix.

        >>> Methodology.parse(Starter("Acme", "EUR", matrix="3x3").methodology()).level_names
        ('Low', 'Medium', 'High')
        """
        scales = _ours(self.matrix) if self.matrix in _SIZES else _from_file(self.matrix)
        text = "\n".join([self._head(), scales, _ours("settings")])
        Methodology.parse(text)
        return text

    def files(self) -> dict[str, str]:
        """The files of a register that begins, by name; raises as ``methodology`` does, and for an id that spoils."""
        name = self.unit.strip()
        if told := spoilt(name):
            raise UsageError(f"The unit's id {name!r} {told}.")
        known = {"unit_id": name, "name": name, "currency": self.currency}
        unit = as_line(_UNIT) + (as_line(known.get(column, "") for column in _UNIT) if name else "")
        return {FILE: self.methodology(), "business_units.csv": unit, "risks.csv": as_line(_RISKS)}

    def _head(self) -> str:
        code, period = _quoted(self.currency), _quoted(self.period)
        begins = _ours("first_period").format(period=period) if self.period else ""
        return _ours("head").format(
            organisation=_quoted(self.organisation), code=code, first_period=begins, currency=self.currency
        )


def sample_files() -> dict[str, str]:
    """The files of the sample register, as they came with the package or stand in the checkout, by name."""
    package = Path(str(resources.files("riskcalc")))
    for place in (package / "sample_register", package.parent / "data"):
        if (place / FILE).is_file():
            return {name: (place / name).read_text("utf-8") for name in (FILE, *(f"{table}.csv" for table in TABLES))}
    raise UsageError("The sample register didn't come with this installation of riskcalc.")


# --- parts ---


def _ours(name: str) -> str:
    return resources.files("riskcalc.register").joinpath(f"starters/{name}.toml").read_text("utf-8")


_ABOVE = {
    "likelihood": "\n# --- the scales that people rate by, lowest first ---\n"
    "# frequency_per_year: events a year, where a risk gives no frequency of its own",
    "impact": "\n# loss_low, loss_mode, loss_high: a loss per event as a share of the unit's materiality",
    "matrix": "\n# --- the matrix: levels, lowest first; a row per likelihood, a level per impact, lowest first ---\n",
}
AXES = {
    "likelihood": ("name", "definition", "frequency_per_year"),
    "impact": ("name", "definition", "loss_low", "loss_mode", "loss_high"),
}


def _from_file(name: str) -> str:
    """The scales and the matrix of a file, with their definitions and anchors as far as it has any."""
    file = Path(name)
    if not file.is_file():
        raise UsageError(f"There is no matrix {name!r}; allowed: 3x3, 4x4, 5x5, or a file (.toml, .yaml).")
    matrix, ratings = Matrix.read(file), _ratings(file)
    axes = {}
    for axis, names in (("likelihood", matrix.likelihood), ("impact", matrix.impact)):
        found = [{**given, "name": name} for name, given in zip(names, ratings[axis], strict=True)]
        axes[axis] = [{key: str(value) for key, value in rating.items()} for rating in found]
    levels = [(level.name, level.colour) for level in matrix.levels]
    grid = [[matrix.level_names[index] for index in row] for row in matrix.grid]
    return "\n".join([*scales_as_toml(axes, levels, grid), ""]).lstrip("\n")


def _ratings(file: Path) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """What a file, which was read as a matrix, says of each rating besides its name."""
    if file.suffix == ".toml":
        content = tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
        return {axis: [{"definition": _UNDEFINED, **rating} for rating in content[axis]] for axis in AXES}
    objects = yaml.safe_load(file.read_text("utf-8"))["objects"]
    found = (objects.get("risk_matrix") or objects["risk_matrices"])[0]
    return {
        axis: [{"definition": str(rating.get("description") or "").strip() or _UNDEFINED} for rating in found[key]]
        for axis, key in (("likelihood", "probability"), ("impact", "impact"))
    }


def scales_as_toml(
    axes: Mapping[str, Sequence[Mapping[str, str]]],
    levels: Sequence[tuple[str, str]],
    grid: Sequence[Sequence[str]],
) -> list[str]:
    """The lines of methodology.toml that hold scales and a matrix; levels are names with colours."""
    lines = []
    for axis, ratings in axes.items():
        lines.append(_ABOVE[axis])
        for rating in ratings:
            texts = {key: _quoted(text) if key in ("name", "definition") else text for key, text in rating.items()}
            lines += [f"\n[[{axis}]]", *(f"{key} = {text}" for key, text in texts.items())]
    lines += [_ABOVE["matrix"], "[matrix]\nlevels = ["]
    lines += [f"  {{ name = {_quoted(name)}, colour = {_quoted(colour)} }}," for name, colour in levels]
    return [*lines, "]\ngrid = [", *(f"  [{', '.join(map(_quoted, row))}]," for row in grid), "]"]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
