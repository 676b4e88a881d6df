"""riskcalc: assess risks to clients' financial reporting on the way to a SOC 1 report.

>>> import riskcalc
>>> register = riskcalc.load("data")
>>> scores = riskcalc.score(register)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from riskcalc.assessment.opening import open_portfolio as open_portfolio
    from riskcalc.assessment.opening import open_unit as open_unit
    from riskcalc.assessment.scoring import score as score
    from riskcalc.errors import RegisterError as RegisterError
    from riskcalc.errors import RiskcalcError as RiskcalcError
    from riskcalc.errors import UsageError as UsageError
    from riskcalc.register.matrix import Matrix as Matrix
    from riskcalc.register.register import Register as Register
    from riskcalc.register.register import load as load

from riskcalc.version import __version__ as __version__

_HOMES = {
    "load": "register.register",
    "Register": "register.register",
    "Matrix": "register.matrix",
    "score": "assessment.scoring",
    "open_unit": "assessment.opening",
    "open_portfolio": "assessment.opening",
    "RegisterError": "errors",
    "RiskcalcError": "errors",
    "UsageError": "errors",
}
__all__ = [
    "Matrix",
    "Register",
    "RegisterError",
    "RiskcalcError",
    "UsageError",
    "load",
    "open_portfolio",
    "open_unit",
    "score",
]


def __getattr__(name: str) -> Any:
    """Import a public name's module when it is first asked for, so that ``riskcalc --help`` needs no pandas."""
    if name in _HOMES:
        return getattr(import_module(f"riskcalc.{_HOMES[name]}"), name)
    if name in {"loss", "sampling"}:
        return import_module(f"riskcalc.{name}")
    raise AttributeError(f"module 'riskcalc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
