"""The loss of a year, exactly and by simulation: pure mathematics on arrays.

Lives here: frequencies, severities per event, and the annual loss that they add up to (``riskcalc.loss.aggregate``).
Lives elsewhere: risks, units, currencies and registers; nothing here knows where a number came from.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from riskcalc.loss.compound import AnnualLoss as AnnualLoss
    from riskcalc.loss.compound import aggregate as aggregate
    from riskcalc.loss.compound import aggregate_each as aggregate_each
    from riskcalc.loss.distributions import constant as constant
    from riskcalc.loss.distributions import lognormal_90 as lognormal_90
    from riskcalc.loss.distributions import pert as pert

__all__ = ["AnnualLoss", "aggregate", "aggregate_each", "constant", "lognormal_90", "pert"]


def __getattr__(name: str) -> Any:
    """Import a public name's module when it is first asked for."""
    if name in __all__:
        return getattr(import_module("riskcalc.loss.compound"), name)
    raise AttributeError(f"module 'riskcalc.loss' has no attribute {name!r}")
