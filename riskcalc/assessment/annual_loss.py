"""What a year may cost: the register's risks as one yearly loss, before controls, as claimed and as earned.

Controls scale a risk's rate by what they leave of its likelihood, and its loss per event by what they leave of its
impact; see docs/methodology.md. Everything is exact: a control that fails is a new yearly loss, not a new simulation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import betaincinv

from riskcalc import loss
from riskcalc.assessment import evidence
from riskcalc.assessment.context import Context
from riskcalc.assessment.exposure import exposures
from riskcalc.assessment.scoring import AXES, VIEWS, score_lines
from riskcalc.errors import UsageError
from riskcalc.loss.distributions import Constant, Floats, Lognormal, LossDistribution, Pert
from riskcalc.loss.mixture import lev_and_sf
from riskcalc.register.register import Register

TAIL = 0.95
POINTS = 2**15  # grid points for figures: within a ten-thousandth of what finer grids give
COARSE = 2**12  # grid points for a picture of thousands of risks
_FEWER = 2**11  # grid points where only a picture, or the difference between two yearly losses, is wanted
_SLICES = 512


@dataclass(frozen=True)
class Model:
    """The quantified risks of a register in a period, in one currency.

    ``risks`` has a row per risk: unit_id, frequency, low, mode, high, and where they come from; ``unquantified`` are
    the risks without a rating or amounts. ``links`` has a row per control on a risk, with its effect in each view.
    """

    context: Context
    currency: str
    risks: pd.DataFrame
    unquantified: tuple[str, ...]
    links: pd.DataFrame

    @cached_property
    def years(self) -> dict[tuple[str, int, int], loss.AnnualLoss]:
        """The yearly losses that were asked for already, by view, number of clients and points."""
        return {}

    @cached_property
    def acting(self) -> dict[str, tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]]:
        """By axis, the places of the risks that links act on, and which links those are."""
        places = self.risks.index.get_indexer(pd.Index(self.links["risk_id"]))
        chosen = {axis: self.links["acts_on"].isin([axis, "both"]).to_numpy() for axis in AXES}
        return {axis: (places[mask], mask) for axis, mask in chosen.items()}

    @cached_property
    def rates(self) -> Floats:
        """Events a year of each risk, before controls."""
        return self.risks["frequency"].to_numpy(float)

    @cached_property
    def losses(self) -> list[Lognormal | Pert | Constant]:
        """The loss per event of each risk, before controls: PERT if it has a mode, else lognormal from its interval."""
        return [_severity(*amounts) for amounts in self.risks[["low", "mode", "high"]].to_numpy(float)]

    @cached_property
    def covering(self) -> tuple[list[str], Floats]:
        """The control of each link, and how much of the risk it covers."""
        return list(self.links["control_id"]), self.links["coverage"].to_numpy(float)


def model(context: Context, currency: str | None = None) -> Model:
    """Everything that the yearly loss of a register's units needs; ``currency`` is that of its only unit by default.

    Raises:
        UsageError: units of several currencies and none asked for; a currency without a rate in
            ``exchange_rates``.

    >>> from riskcalc.register.register import load
    >>> model(Context.of(load("data")).only("payments")).currency
    'GBP'
    """
    rated = context.ratings[context.ratings["likelihood"].notna()]
    found = exposures(context)
    usable = found[["frequency", "high"]].notna().all(axis=1) & found.index.isin(rated["risk_id"])
    chosen, rates = _currency(context.register, currency)
    factors = found["unit_id"].map(rates).astype(float)
    for column in ("low", "mode", "high"):
        found[column] = found[column] * factors
    risks = found[usable]
    lines = score_lines(context)
    links = lines[lines["risk_id"].isin(risks.index)].reset_index(drop=True)
    return Model(context, chosen, risks, tuple(found.index[~usable]), links)


def year(quantified: Model, view: str = "earned", points: int = POINTS) -> loss.AnnualLoss:
    """The yearly loss in a view: inherent, claimed or earned.

    >>> from riskcalc.register.register import load
    >>> quantified = model(Context.of(load("data")).only("payroll"))
    >>> year(quantified, "claimed").mean <= year(quantified, "earned").mean <= year(quantified, "inherent").mean
    True
    """
    return per_client(quantified, 1, view, points)


def years(quantified: Model, points: int = POINTS) -> dict[str, loss.AnnualLoss]:
    """The yearly loss in every view, for less than each by itself."""
    found = _aggregate(quantified, [_effects(quantified, view) for view in VIEWS], points)
    quantified.years.update({(view, 1, points): made for view, made in zip(VIEWS, found, strict=True)})
    return dict(zip(VIEWS, found, strict=True))


def per_client(quantified: Model, clients: int, view: str = "earned", points: int = POINTS) -> loss.AnnualLoss:
    """The yearly misstatement of one of so many clients, if each event hits one of them and all are alike.

    The materiality is that of one client's statements: this is the reading that compares like with like.

    >>> from riskcalc.register.register import load
    >>> quantified = model(Context.of(load("data")).only("payroll"))
    >>> per_client(quantified, 200).exceed(1e6) < year(quantified).exceed(1e6)
    True
    """
    if (asked := (view, clients, points)) not in quantified.years:
        [quantified.years[asked]] = _aggregate(quantified, [_effects(quantified, view)], points, clients)
    return quantified.years[asked]


def contributions(quantified: Model, view: str = "earned", tail: float = TAIL, points: int = POINTS) -> pd.DataFrame:
    """Each risk's share of the expected loss, and of the loss in the worst 1 - tail of years; each adds up to 1.

    A row per quantified risk: unit_id, expected (currency a year), expected_share, tail_share. The tail's by
    E[S_i; S > v] = rate_i E[X_i; S + X_i > v], S being independent of one more loss X_i (Euler's allocation of TVaR).
    """
    left = {axis: each[0] for axis, each in _left(quantified, [_effects(quantified, view)]).items()}
    rates = quantified.rates * left["likelihood"]
    severities = _severities(quantified, left["impact"])
    total = year(quantified, view, points)
    expected = rates * np.array([float(one.mean) for one in severities])
    in_tail = rates * _beyond(severities, total, total.var(tail))
    return pd.DataFrame(
        {
            "unit_id": quantified.risks["unit_id"],
            "expected": expected,
            "expected_share": expected / (expected.sum() or 1.0),
            "tail_share": in_tail / (in_tail.sum() or 1.0),
        },
        index=quantified.risks.index,
    )


def controls(quantified: Model, threshold: float) -> pd.DataFrame:
    """What each control matters: the yearly loss if it fails, and if it is repaired, with what relies on it.

    A row per control that acts on a quantified risk, or that such a control relies on: mean_now, exceed_now and the
    same with _failed and _repaired; ``exceed`` is the probability that a year's loss is more than ``threshold``.
    The widest range of ``exceed`` first.
    """
    names, cases = _acting(quantified), {"now": None, "failed": 0.0, "repaired": 1.0}
    assumed = [{} if weight is None else {name: weight} for name in names for weight in cases.values()]
    found = iter(_with_weights(quantified, assumed, threshold))
    rows = {
        name: {
            f"{figure}_{what}": one.mean if figure == "mean" else one.exceed(threshold)
            for what, one in [(what, next(found)) for what in cases]
            for figure in ("mean", "exceed")
        }
        for name in names
    }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    if frame.empty:
        return frame
    frame["range"] = frame["exceed_failed"] - frame["exceed_repaired"]
    return frame.sort_values(["range", "mean_failed"], ascending=False, kind="stable")


def sensitivity(quantified: Model, threshold: float) -> dict[str, loss.AnnualLoss]:
    """The earned year with the anchors halved and doubled, by what is changed; asked about from ``threshold`` on.

    Only figures that come from anchors move; those that the register gives for a risk stay.
    """
    left = _left(quantified, [_effects(quantified, "earned")])
    cases, rates, scale = [], [], []
    for what, source in (("frequencies", "frequency_from"), ("losses", "loss_from")):
        anchored = (quantified.risks[source] == "anchor").to_numpy()
        for word, factor in (("halved", 0.5), ("doubled", 2.0)):
            by = np.where(anchored, factor, 1.0)
            cases.append(f"{what} {word}")
            rates.append(quantified.rates * left["likelihood"][0] * (by if what == "frequencies" else 1.0))
            scale.append(left["impact"][0] * (by if what == "losses" else 1.0))
    moved = loss.aggregate_each(np.array(rates), quantified.losses, np.array(scale), points=_FEWER, least=threshold)
    return dict(zip(cases, moved, strict=True))


def band(quantified: Model, losses: Floats, seed: int, draws: int = 32) -> pd.DataFrame:
    """The earned exceedance curve if controls deviate as often as their tests leave possible: 5 %, 50 %, 95 % of draws.

    Each draw takes every tested control that earns something at design weight x (1 - its deviation rate), the rate from
    the Beta posterior of its test (Jeffreys: deviations + 1/2, sample - deviations + 1/2). Draws are stratified, one
    from each of as many equally probable parts of every posterior (Latin hypercube; McKay, Beckman and Conover 1979),
    so that few of them suffice. Columns loss, low, median, high; the same seed draws the same.
    """
    standing = evidence.earned_weights(quantified.context, {})
    designs = dict(zip(*(quantified.context.register.controls[name] for name in ("control_id", "design")), strict=True))
    tested = {
        name: (float(quantified.context.register.methodology.weights.design[designs[name]]), found)
        for name, found in evidence.conclude_all(quantified.context).items()
        if found.sample_size and standing[name] > 0
    }
    rng = np.random.default_rng(seed)
    weights_drawn = {
        name: design * (1 - betaincinv(found.deviations + 0.5, found.sample_size - found.deviations + 0.5, parts))
        for name, (design, found) in tested.items()
        for parts in [(rng.permutation(draws) + rng.random(draws)) / draws]
    }
    own = [{name: float(drawn[number]) for name, drawn in weights_drawn.items()} for number in range(draws)]
    drawn = [one.exceeding(losses) for one in _with_weights(quantified, own, float(losses.min()))]
    low, median, high = np.quantile(drawn, [0.05, 0.5, 0.95], axis=0)
    return pd.DataFrame({"loss": losses, "low": low, "median": median, "high": high})


def warm_losses() -> None:
    """Prepare the grids, for whoever computes the losses of many units."""
    for points in (POINTS, _FEWER):
        loss.aggregate([1.0], loss.lognormal_90(1.0, 1e4), points=points)


# --- parts ---


def _currency(register: Register, wanted: str | None) -> tuple[str, dict[str, float]]:
    """The currency to count in, and each unit's rate into it."""
    units, known = register.business_units, register.methodology.rates
    used = sorted(set(units["currency"]))
    if wanted is None and len(used) > 1:
        raise UsageError(f"The units keep amounts in {', '.join(used)}; say which currency to count in.")
    chosen = wanted or (used[0] if used else register.methodology.currency)
    missing = [code for code in {chosen, *used} if code not in known]
    if missing and used != [chosen]:
        raise UsageError(
            f"methodology.toml has no exchange rate for {', '.join(sorted(missing))}, so nothing is added up."
        )
    per_unit = {
        unit: 1.0 if code == chosen else known[code] / known[chosen]
        for unit, code in zip(units["unit_id"], units["currency"], strict=True)
    }
    return chosen, per_unit


def _effects(quantified: Model, view: str) -> Floats:
    if view == "inherent":
        return np.zeros(len(quantified.links))
    return quantified.links[f"{view}_effect"].to_numpy(float)


def _left(quantified: Model, effects: Sequence[Floats]) -> dict[str, Floats]:
    """What is left of each risk's rate and of its losses: the product of (1 - effect) over the controls on each.

    ``effects`` has a row per year that may be, and so has what is left.
    """
    left = {}
    for axis, (places, mask) in quantified.acting.items():
        left[axis] = np.ones((len(effects), len(quantified.risks)))
        for year, effect in zip(left[axis], effects, strict=True):
            np.multiply.at(year, places, 1 - effect[mask])
    return left


def _with_weights(quantified: Model, assumed: Sequence[Mapping[str, float]], least: float) -> list[loss.AnnualLoss]:
    """The years that would be if controls weighed something else by themselves; each that differs is computed once.

    They are asked about amounts from ``least`` on only.
    """
    controls, coverage = quantified.covering
    each = [evidence.earned_weights(quantified.context, one) for one in assumed]
    effects = [coverage * np.array([weights[name] for name in controls], float) for weights in each]
    distinct = {row.tobytes(): row for row in effects}
    found = dict(zip(distinct, _aggregate(quantified, [*distinct.values()], _FEWER, least=least), strict=True))
    return [found[row.tobytes()] for row in effects]


def _aggregate(
    quantified: Model, effects: Sequence[Floats], points: int, clients: int = 1, least: float = 0.0
) -> list[loss.AnnualLoss]:
    left = _left(quantified, effects)
    rates = quantified.rates * (left["likelihood"] / clients)
    return loss.aggregate_each(rates, quantified.losses, left["impact"], points=points, least=least)


def _severities(quantified: Model, left: Floats) -> list[Lognormal | Pert | Constant]:
    """Each risk's loss per event with what is left of it."""
    return [one.scaled(share) if share else Constant(0.0) for one, share in zip(quantified.losses, left, strict=True)]


def _severity(low: float, mode: float, high: float) -> Lognormal | Pert | Constant:
    if high in (0, low):
        return Constant(high)
    made: Lognormal | Pert = loss.lognormal_90(low, high) if np.isnan(mode) else loss.pert(low, mode, high)
    return made


def _acting(quantified: Model) -> list[str]:
    """The controls on quantified risks, and what those rely on, through any chain, but for clients' own."""
    all_controls = quantified.context.register.controls.set_index("control_id")
    found: list[str] = []
    waiting = sorted(set(quantified.links["control_id"]))
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found.append(name)
            waiting += all_controls["relies_on"][name]
    return [name for name in found if all_controls["performed_by"][name] != "user_entity"]


def _beyond(severities: Sequence[LossDistribution], total: loss.AnnualLoss, at: float) -> Floats:
    """E[X; S + X > at] of each loss X: its slices, with the probability that the rest of the year, S, does the rest."""
    means = np.array([float(one.mean) for one in severities])
    if at <= 0:
        return means
    edges = np.concatenate([[at * 1e-12], np.geomspace(at * 1e-6, at, _SLICES)])
    exceed = total.exceeding(at - edges)
    found = np.zeros(len(severities))
    for number, one in enumerate(severities):
        if means[number] > 0:
            limited, survival = lev_and_sf(one, edges)
            lost = np.ravel(limited) - edges * np.ravel(survival)  # E[X; X <= edge]
            found[number] = np.diff(lost) @ ((exceed[1:] + exceed[:-1]) / 2) + means[number] - lost[-1]
    return found
