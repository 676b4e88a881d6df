"""What was worked out of a register once isn't worked out again: a register never changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from riskcalc.register import Register

P = ParamSpec("P")
T = TypeVar("T")


def once(work: Callable[Concatenate[Register, P], T]) -> Callable[Concatenate[Register, P], T]:
    """Remember what ``work`` finds for a register and (hashable) arguments, for as long as the register is used.

    The results are shared: whoever gets one must not change it.
    """
    known: WeakKeyDictionary[Register, dict[object, T]] = WeakKeyDictionary()

    @wraps(work)
    def remembered(register: Register, /, *args: P.args, **kwargs: P.kwargs) -> T:
        found, key = known.setdefault(register, {}), (args, tuple(kwargs.items()))
        if key not in found:
            found[key] = work(register, *args, **kwargs)
        return found[key]

    return remembered
