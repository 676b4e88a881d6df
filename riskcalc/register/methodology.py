"""methodology.toml: how an organisation rates, bands, weighs and samples; refused where it contradicts itself."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from riskcalc.errors import MatrixError, Problem, RegisterError
from riskcalc.register.columns import Frequency
from riskcalc.register.matrix import Matrix
from riskcalc.register.periods import Period

FILE = "methodology.toml"


def _period(value: object) -> object:
    try:
        return Period.parse(str(value)).name
    except ValueError as error:
        raise ValueError(f"allowed: {error}") from None


def _number(value: object) -> object:
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return value
    raise ValueError("allowed: a number, without quotes")


Weight = Annotated[Decimal, Field(ge=0, le=1), BeforeValidator(_number)]
Positive = Annotated[Decimal, Field(gt=0), BeforeValidator(_number)]
Name = Annotated[str, Field(pattern=r"\S")]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
SIZED_FREQUENCIES = tuple(name for name in get_args(Frequency) if name != "ad_hoc")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LikelihoodRating(_Part):
    """A step of the likelihood scale: the definition people rate by, and the events a year it stands for."""

    name: Name
    definition: Name
    frequency_per_year: Positive | None = None


class ImpactRating(_Part):
    """A step of the impact scale: its definition, and the loss per event as a share of materiality."""

    name: Name
    definition: Name
    loss_low: Positive | None = None
    loss_mode: Positive | None = None
    loss_high: Positive | None = None


class OperatingWeights(_Part):
    """What a control counts for, by what its tests of operation concluded."""

    operated_effectively: Weight
    insufficient_evidence: Weight
    not_effective: Weight
    not_tested: Weight


class Weights(_Part):
    """Effectiveness weights, 0 (counts for nothing) to 1 (counts in full)."""

    design: dict[str, Weight] = Field(min_length=1)
    operating: OperatingWeights


class Sampling(_Part):
    """How tests of controls are sized and concluded on."""

    confidence: Annotated[Decimal, Field(gt=0, lt=1)]
    tolerable_deviation_rate: Annotated[Decimal, Field(gt=0, lt=1)]
    source: Name
    planned_size: dict[str, Annotated[int, Field(gt=0, strict=True)]]


class Severity(_Part):
    """How candidates for the severity of a deficiency are judged."""

    reasonable_possibility: Annotated[int, Field(gt=0, strict=True)]


class _LevelPart(_Part):
    name: Name
    colour: Name


class _MatrixPart(_Part):
    levels: list[_LevelPart]
    grid: list[list[str]]


class Methodology(_Part):
    """Everything an organisation sets itself, as read from methodology.toml.

    ``first_period`` says that the register only begins, and which period its ratings are of: see ``stand_ins``.
    """

    organisation: Name
    currency: Currency
    classification: Name = "Confidential"
    first_period: Annotated[str, BeforeValidator(_period)] | None = Field(default=None, exclude=True)
    exchange_rates: dict[Currency, Positive]
    likelihood: tuple[LikelihoodRating, ...]
    impact: tuple[ImpactRating, ...]
    matrix_: _MatrixPart = Field(alias="matrix")
    earlier: dict[str, _MatrixPart] = Field(default_factory=dict)
    weights: Weights
    sampling: Sampling
    severity: Severity

    @cached_property
    def matrix(self) -> Matrix:
        """The risk matrix; raises MatrixError where scales, levels and grid don't fit together."""
        return self._as_matrix(self.matrix_)

    def matrix_in(self, period: str) -> Matrix | None:
        """The matrix that was in force in ``period``, where ``earlier`` says that it was another than today's."""
        return self._as_matrix(self.earlier[period]) if period in self.earlier else None

    def _as_matrix(self, part: _MatrixPart) -> Matrix:
        return Matrix.from_toml({**self.model_dump(include={"likelihood", "impact"}), "matrix": part.model_dump()})

    @property
    def level_names(self) -> tuple[str, ...]:
        """The levels, lowest first."""
        return self.matrix.level_names

    @property
    def design_names(self) -> tuple[str, ...]:
        """The words by which a control's design is asserted."""
        return tuple(self.weights.design)

    @classmethod
    def read(cls, path: Path) -> Methodology:
        """Read and check methodology.toml; raises RegisterError with every reason why it can't be used."""
        try:
            text = path.read_text("utf-8-sig")
        except FileNotFoundError:
            raise RegisterError([Problem(FILE, 0, "", "", "the file is missing")]) from None
        except (OSError, UnicodeDecodeError) as error:
            raise RegisterError([Problem(FILE, 0, "", "", f"can't be read as TOML in UTF-8: {error}")]) from None
        return cls.parse(text)

    @classmethod
    def parse(cls, text: str) -> Methodology:
        """As ``read``, from the text itself."""
        try:
            content = tomllib.loads(text, parse_float=Decimal)
        except (tomllib.TOMLDecodeError, ArithmeticError, RecursionError) as error:
            raise RegisterError([Problem(FILE, 0, "", "", f"can't be read as TOML in UTF-8: {error}")]) from None
        try:
            methodology = cls.model_validate(content)
        except ValidationError as error:
            raise RegisterError([_as_problem(each) for each in error.errors()]) from None
        if problems := list(_contradictions(methodology)):
            raise RegisterError(problems)
        return methodology


_TOLD = {
    "missing": "missing, but required",
    "extra_forbidden": "is not a setting known here",
    r"\S": "blank; allowed: some text",
    "^[A-Z]{3}$": "allowed: an ISO 4217 code such as EUR",
}


def _as_problem(error: Any) -> Problem:
    place = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in error["loc"])
    given = "" if error["type"] in ("missing", "extra_forbidden") else str(error["input"])
    allowed = _TOLD.get(error["type"]) or _TOLD.get(error.get("ctx", {}).get("pattern", "")) or error["msg"]
    return Problem(FILE, 0, place, given, allowed.removeprefix("Value error, "))


def _contradictions(methodology: Methodology) -> Iterator[Problem]:
    def problem(place: str, allowed: str, value: object = "") -> Problem:
        return Problem(FILE, 0, place, str(value), allowed)

    yield from _unfit_matrices(methodology, problem)
    operating = methodology.weights.operating
    if not operating.not_effective <= operating.insufficient_evidence <= operating.operated_effectively:
        yield problem(
            "weights.operating",
            "must rise from not_effective over insufficient_evidence to operated_effectively",
        )
    if operating.not_tested > operating.insufficient_evidence:
        yield problem("weights.operating.not_tested", "must not exceed insufficient_evidence", operating.not_tested)
    lowest, top = methodology.severity.reasonable_possibility, len(methodology.likelihood)
    if lowest > top:
        yield problem("severity.reasonable_possibility", f"allowed: a likelihood rating, 1 to {top}", lowest)
    missing = [name for name in SIZED_FREQUENCIES if name not in {*methodology.sampling.planned_size, "half_yearly"}]
    if missing or not set(methodology.sampling.planned_size) <= set(SIZED_FREQUENCIES):
        yield problem("sampling.planned_size", f"needs exactly these: {', '.join(SIZED_FREQUENCIES)}")
    if methodology.exchange_rates.get(methodology.currency, 1) != 1:
        yield problem(f"exchange_rates.{methodology.currency}", "must be 1: it is the organisation's own currency")
    yield from _anchors_out_of_order(methodology, problem)


def _unfit_matrices(methodology: Methodology, problem: Any) -> Iterator[Problem]:
    try:
        _ = methodology.matrix
    except MatrixError as error:
        yield problem("matrix", str(error))
    for name in methodology.earlier:
        try:
            Period.parse(name)
            methodology.matrix_in(name)
        except (ValueError, MatrixError) as error:
            yield problem(f"earlier.{name}", str(error))


def _anchors_out_of_order(methodology: Methodology, problem: Any) -> Iterator[Problem]:
    rates = [rating.frequency_per_year for rating in methodology.likelihood]
    if not _rises(rates):
        yield problem("likelihood", "frequency_per_year must be given for all ratings or none, and rise with them")
    for column in ("loss_low", "loss_mode", "loss_high"):
        if not _rises([getattr(rating, column) for rating in methodology.impact]):
            yield problem("impact", f"{column} must be given for all ratings or none, and rise with them")
    for number, rating in enumerate(methodology.impact, 1):
        losses = [loss for loss in (rating.loss_low, rating.loss_mode, rating.loss_high) if loss is not None]
        if (rating.loss_low is None) != (rating.loss_high is None) or (rating.loss_mode and not rating.loss_low):
            yield problem(
                f"impact.{number}", "must hold loss_low and loss_high, with or without loss_mode, or none of them"
            )
        if losses != sorted(losses):
            yield problem(f"impact.{number}", "must hold loss_low <= loss_mode <= loss_high")


def _rises(values: Sequence[Decimal | None]) -> bool:
    given = [value for value in values if value is not None]
    return not given or (len(given) == len(values) and all(low < high for low, high in pairwise(given)))
