"""methodology.toml: how an organisation rates, bands, weighs and samples; refused where it contradicts itself."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from riskcalc.errors import MatrixError, Problem, RegisterError
from riskcalc.files import read
from riskcalc.register.columns import Frequency, PeriodName
from riskcalc.register.matrix import Matrix
from riskcalc.register.periods import Period

FILE = "methodology.toml"


def _number(value: object) -> object:
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return value
    raise ValueError("allowed: a number, without quotes")


def _amount(value: object) -> object:
    """A rate, a share or a number of events: beyond these bounds, no sum of them is a number any more."""
    number = Decimal(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else Decimal("nan")
    if not number.is_nan() and _LEAST <= number <= _MOST:
        return value
    raise ValueError("allowed: a number from 0.000000001 to 1000000000, without quotes")


_LEAST, _MOST = Decimal("1e-9"), Decimal("1e9")
Weight = Annotated[Decimal, Field(ge=0, le=1), BeforeValidator(_number)]
Positive = Annotated[Decimal, BeforeValidator(_amount)]
Name = Annotated[str, Field(pattern=r"\S")]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
SIZED_FREQUENCIES = tuple(name for name in get_args(Frequency) if name != "ad_hoc")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LikelihoodRating(_Part):
    """A step of the likelihood scale: the definition people rate by, and the events a year it stands for.

    ``frequency_per_year`` is the anchor that stands in for a risk's own figure; ``frequency_from`` and
    ``frequency_to`` the band that the rating means.
    """

    name: Name
    definition: Name
    frequency_per_year: Positive | None = None
    frequency_from: Annotated[Decimal, Field(ge=0), BeforeValidator(_number)] | None = None
    frequency_to: Positive | None = None


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
    insufficient_evidence: Weight = Decimal(0)
    not_effective: Weight
    not_tested: Weight

    @property
    def assumed(self) -> bool:
        """Whether a control counts for something that its tests haven't shown: management's assumption."""
        return self.insufficient_evidence > 0 or self.not_tested > 0


class Weights(_Part):
    """Effectiveness weights, 0 (counts for nothing) to 1 (counts in full)."""

    design: dict[str, Weight] = Field(min_length=1)
    operating: OperatingWeights


class Sampling(_Part):
    """How tests of controls are sized and concluded on; planned sizes are those for ``planned_size_months`` months."""

    confidence: Annotated[Decimal, Field(ge=Decimal("0.5"), le=Decimal("0.9999")), BeforeValidator(_number)]
    tolerable_deviation_rate: Annotated[Decimal, Field(ge=Decimal("0.0001"), lt=1), BeforeValidator(_number)]
    source: Name
    planned_size_months: Annotated[int, Field(gt=0, le=120, strict=True)] = 12
    planned_size: dict[str, Annotated[int, Field(gt=0, le=100_000, strict=True)]]


class EvidenceRules(_Part):
    """Which evidence counts.

    ``look_back_months``: how far back it counts for the risk now; by default over the report's period, and over twelve
    months where the unit has none. ``roll_forward_days``: how many days of a report's period may be left untested
    before an objective is not yet evidenced. ``automated_once``: whether one item is enough of an automated control
    that relies on IT general controls.
    """

    look_back_months: Annotated[int, Field(gt=0, le=120, strict=True)] | None = None
    roll_forward_days: Annotated[int, Field(ge=0, strict=True)] = 92
    automated_once: Annotated[bool, Field(strict=True)] = True


class OpinionRules(_Part):
    """From which share of a report's objectives not achieved on its opinion would be adverse (pervasive)."""

    pervasive: Annotated[Decimal, Field(ge=Decimal("0.0001"), le=1), BeforeValidator(_number)] = Decimal("0.5")


class SeverityRules(_Part):
    """How candidates for the severity of a deficiency are judged."""

    reasonable_possibility: Annotated[int, Field(gt=0, le=10, strict=True)]


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
    first_period: PeriodName | None = Field(default=None, exclude=True)
    abbreviations: dict[Name, Name] = Field(default_factory=dict, exclude=True)  # no page depends on them
    exchange_rates: dict[Currency, Positive]
    likelihood: tuple[LikelihoodRating, ...]
    impact: tuple[ImpactRating, ...]
    matrix_: _MatrixPart = Field(alias="matrix")
    earlier: dict[str, _MatrixPart] = Field(default_factory=dict)
    weights: Weights
    sampling: Sampling
    severity: SeverityRules
    evidence: EvidenceRules = EvidenceRules()
    opinion: OpinionRules = OpinionRules()

    def as_bytes(self) -> bytes:
        """What is told apart by fingerprints."""
        return self.model_dump_json(by_alias=True).encode()

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
    def rates(self) -> dict[str, float]:
        """What one unit of a currency is in the organisation's own, which is among them; others have no rate."""
        return {self.currency: 1.0, **{code: float(rate) for code, rate in self.exchange_rates.items()}}

    @property
    def frequency_bands(self) -> tuple[tuple[Decimal, Decimal | None], ...]:
        """By rating, the events a year that it stands for, from and to; None where there is no end.

        Where the ratings have anchors only, bands meet halfway between two of them (geometric mean). Empty where
        nothing is given.
        """
        given = [(rating.frequency_from, rating.frequency_to) for rating in self.likelihood]
        if all(low is not None and high is not None for low, high in given):
            return tuple((low or Decimal(0), high) for low, high in given)
        anchors = [rating.frequency_per_year for rating in self.likelihood if rating.frequency_per_year]
        between = [(low * high).sqrt() for low, high in pairwise(anchors)]
        return tuple(zip([Decimal(0), *between], [*between, None], strict=True)) if anchors else ()

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
            text = read(path, inside=path.parent).decode("utf-8-sig")
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
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise RegisterError([Problem(FILE, 0, "", "", f"can't be read as TOML in UTF-8: {error}")]) from None
        try:
            methodology = cls.model_validate(content)
        except ValidationError as error:
            wrong = error.errors()
            refused = {each["loc"][0] for each in wrong}
            fit = not refused.intersection(("likelihood", "impact", "matrix"))
            raise RegisterError([*map(_as_problem, wrong), *(_unfit_matrix(content) if fit else ())]) from None
        if problems := list(_contradictions(methodology)):
            raise RegisterError(problems)
        return methodology


_TOLD = {
    "missing": "missing, but required",
    "extra_forbidden": "is not a setting known here",
    r"\S": "blank; allowed: some text",
    "^[A-Z]{3}$": "allowed: an ISO 4217 code such as EUR",
    "string_type": "allowed: text, in quotes",
    "bool_type": "allowed: true or false, without quotes",
    "int_type": "allowed: a whole number, without quotes",
    "finite_number": "allowed: a number, without quotes",
    **dict.fromkeys(("dict_type", "model_type"), "allowed: settings by name, in a table"),
    **dict.fromkeys(("list_type", "tuple_type"), "allowed: a list, or tables in [[ ]]"),
    "too_short": "allowed: at least one",
    "greater_than": "allowed: more than {gt}",
    "greater_than_equal": "allowed: {ge} or more",
    "less_than": "allowed: less than {lt}",
    "less_than_equal": "allowed: {le} or less",
}


def _as_problem(error: Any) -> Problem:
    place = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in error["loc"])
    given = "" if error["type"] in ("missing", "extra_forbidden") else _as_text(error["input"])
    limits = error.get("ctx", {})
    told = _TOLD.get(error["type"]) or _TOLD.get(limits.get("pattern", ""))
    allowed = told.format(**limits) if told else error["msg"].removeprefix("Value error, ")
    return Problem(FILE, 0, place, given, allowed + _percent(error))


def _percent(error: Any) -> str:
    """What a number of percent is as a share, where one is wanted; blank for any other error."""
    most, value = error.get("ctx", {}).get("le", error.get("ctx", {}).get("lt", 2)), error["input"]
    if most <= 1 and isinstance(value, (int, Decimal)) and 1 < value <= 100:
        return f"; {value} % is {float(value) / 100:g}"
    return ""


def _as_text(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes out no whole number of more than 4,300 digits
        return "a number of thousands of digits"


def _contradictions(methodology: Methodology) -> Iterator[Problem]:
    def problem(place: str, allowed: str, value: object = "") -> Problem:
        return Problem(FILE, 0, place, str(value), allowed)

    yield from _unfit_matrices(methodology, problem)
    operating = methodology.weights.operating
    if not operating.not_effective <= operating.insufficient_evidence <= operating.operated_effectively:
        told = "must rise from not_effective over insufficient_evidence to operated_effectively"
        yield problem("weights.operating", told)
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


def _unfit_matrix(content: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        Matrix.from_toml(content)
    except MatrixError as error:
        yield Problem(FILE, 0, "matrix", "", str(error))


def _unfit_matrices(methodology: Methodology, problem: Any) -> Iterator[Problem]:
    yield from _unfit_matrix(methodology.model_dump(by_alias=True))
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
    yield from _bands_out_of_order(methodology, problem)
    for column in ("loss_low", "loss_mode", "loss_high"):
        if not _rises([getattr(rating, column) for rating in methodology.impact]):
            yield problem("impact", f"{column} must be given for all ratings or none, and rise with them")
    yield from _losses_out_of_order(methodology, problem)


def _bands_out_of_order(methodology: Methodology, problem: Any) -> Iterator[Problem]:
    rates = [rating.frequency_per_year for rating in methodology.likelihood]
    edges = [edge for rating in methodology.likelihood for edge in (rating.frequency_from, rating.frequency_to)]
    met = all(high == low for high, low in zip(edges[1:-1:2], edges[2::2], strict=True))
    if not (_rises(edges[::2]) and _rises(edges[1::2]) and met):
        told = "frequency_from and frequency_to must be given for all ratings or none, each band beginning where the "
        yield problem("likelihood", f"{told}one before ends")
    for number, (anchor, low, high) in enumerate(zip(rates, edges[::2], edges[1::2], strict=True), 1):
        if low is not None and high is not None and not low <= (anchor or low) <= high:
            yield problem(f"likelihood.{number}", f"must be in its band, {low} to {high} a year", anchor or low)


def _losses_out_of_order(methodology: Methodology, problem: Any) -> Iterator[Problem]:
    for number, rating in enumerate(methodology.impact, 1):
        losses = [loss for loss in (rating.loss_low, rating.loss_mode, rating.loss_high) if loss is not None]
        if (rating.loss_low is None) != (rating.loss_high is None) or (rating.loss_mode and not rating.loss_low):
            told = "must hold loss_low and loss_high, with or without loss_mode, or none of them"
            yield problem(f"impact.{number}", told)
        if losses != sorted(losses):
            yield problem(f"impact.{number}", "must hold loss_low <= loss_mode <= loss_high")


def _rises(values: Sequence[Decimal | None]) -> bool:
    given = [value for value in values if value is not None]
    return not given or (len(given) == len(values) and all(low < high for low, high in pairwise(given)))
