"""What a new register is made of: scales, a matrix, a unit, and an empty list of risks; and where the sample is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
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
_COLOURS = {3: ("#e4eef5", "#f5c95c", "#d9622b"), 4: ("#e4eef5", "#f5c95c", "#e37f45", "#8f1d3f")}
_LEVELS = {3: ("Low", "Medium", "High"), 4: ("Low", "Medium", "High", "Critical")}

# Scales of our own: by size, the ratings with the events a year, or the losses per event as shares of materiality, that
# they stand for; and the grid, one word per likelihood, a letter per impact. They are a beginning, not a standard.
_LIKELIHOOD = {
    3: (
        ("Unlikely", "Less than once in ten years.", "0.05"),
        ("Possible", "Once in one to ten years.", "0.3"),
        ("Likely", "Once a year or more often.", "2"),
    ),
    4: (
        ("Rare", "Less than once in twenty years.", "0.02"),
        ("Unlikely", "Once in five to twenty years.", "0.1"),
        ("Possible", "Once in one to five years.", "0.4"),
        ("Likely", "Once a year or more often.", "2"),
    ),
    5: (
        ("Rare", "Less than once in twenty years.", "0.02"),
        ("Unlikely", "Once in five to twenty years.", "0.1"),
        ("Possible", "Once in two to five years.", "0.3"),
        ("Likely", "About once a year.", "1"),
        ("Almost certain", "Several times a year.", "4"),
    ),
}
_MINOR = ("Minor", "A client corrects an entry; clearly trivial for its statements.", "0.005", "0.02", "0.08")
_MODERATE = ("Moderate", "Clients correct entries; below performance materiality.", "0.03", "0.12", "0.4")
_MAJOR = ("Major", "Near or above a client's performance materiality.", "0.2", "0.6", "1.5")
_SEVERE = ("Severe", "Material for a client: its statements are restated, or its auditor's opinion modified.")
_IMPACT = {
    3: (_MINOR, _MODERATE, (*_SEVERE, "0.4", "1.2", "5")),
    4: (_MINOR, _MODERATE, _MAJOR, (*_SEVERE, "0.7", "1.8", "6")),
    5: (
        ("Negligible", "Corrected before anything reaches a client's ledger.", "0.0005", "0.002", "0.01"),
        *(_MINOR, _MODERATE, _MAJOR),
        (*_SEVERE, "0.7", "1.8", "6"),
    ),
}
_GRID = {3: "LLM LMH MHH", 4: "LLMH LMMH LMHC MMHC", 5: "LLLMH LLMMH LMMHC LMHHC MMHCC"}
_REST = """
# --- what a control counts for: 0 is nothing, 1 in full -------------------------------------------------

[weights.design]                      # how well a control is designed, as asserted; other names may be used
effective = 1.0
partially_effective = 0.5
ineffective = 0.0

[weights.operating]                   # what the tests of its operation concluded
operated_effectively = 1.0
insufficient_evidence = 0.0
not_effective = 0.0
not_tested = 0.0

[severity]                            # of deficiencies
reasonable_possibility = 2            # the lowest likelihood rating that is more than remote

# --- tests of controls --------------------------------------------------------------------------------

[sampling]
confidence = 0.90                     # one minus the risk of overreliance
tolerable_deviation_rate = 0.10
source = "Usual audit practice for tests of manual controls by frequency; to be agreed with the service auditor."

[sampling.planned_size]               # items to test, by how often the control operates
annual = 1
half_yearly = 2
quarterly = 2
monthly = 2
weekly = 5
daily = 15
many_a_day = 25
"""


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
        text = "\n".join([*self._head(), *(_own(self.matrix) or _from_file(self.matrix))]) + "\n" + _REST
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

    def _head(self) -> Iterator[str]:
        yield "# How risks are rated and banded here. Change what doesn't fit: riskcalc check says if it still holds."
        yield ""
        yield f"organisation = {_quoted(self.organisation)}"
        yield f"currency = {_quoted(self.currency)}"
        yield 'classification = "Confidential"         # stands on every page'
        if self.period:
            yield f"first_period = {_quoted(self.period)}              # of the ratings in risks.csv; with this line,"
            yield "                                        # tables and columns may be missing: docs/tutorial.md"
        yield f"\n[exchange_rates]                        # one unit of each currency, in {self.currency}"
        yield f"{_quoted(self.currency)} = 1.0"


def sample_files() -> dict[str, str]:
    """The files of the sample register, as they came with the package or stand in the checkout, by name."""
    package = Path(str(resources.files("riskcalc")))
    for place in (package / "sample_register", package.parent / "data"):
        if (place / FILE).is_file():
            return {name: (place / name).read_text("utf-8") for name in (FILE, *(f"{table}.csv" for table in TABLES))}
    raise UsageError("The sample register didn't come with this installation of riskcalc.")


# --- parts ---


def _own(size: str) -> list[str]:
    """The scales and the matrix of a size of ours; empty for anything else."""
    number = {"3x3": 3, "4x4": 4, "5x5": 5}.get(size)
    if number is None:
        return []
    axes = {
        "likelihood": [dict(zip(AXES["likelihood"], rating, strict=True)) for rating in _LIKELIHOOD[number]],
        "impact": [dict(zip(AXES["impact"], rating, strict=True)) for rating in _IMPACT[number]],
    }
    names = _LEVELS[min(number, 4)]
    by_letter = {name[0]: name for name in names}
    grid = [[by_letter[letter] for letter in row] for row in _GRID[number].split()]
    return scales_as_toml(axes, list(zip(names, _COLOURS[len(names)], strict=True)), grid)


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


def _from_file(name: str) -> list[str]:
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
    return scales_as_toml(axes, levels, [[matrix.level_names[index] for index in row] for row in matrix.grid])


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
