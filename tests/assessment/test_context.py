"""The context: what is asked about, remembered once, and handed out so that nobody's change reaches anybody else."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import riskcalc
from riskcalc.assessment import evidence, exposure, readiness, scoring, steps
from riskcalc.assessment.context import Context
from riskcalc.assessment.decisions import standings
from riskcalc.assessment.opening import open_unit
from riskcalc.errors import UsageError

FRAMES: dict[str, Callable[[Context], pd.DataFrame]] = {
    "evidence.assess": evidence.assess,
    "scoring.scores": scoring.scores,
    "scoring.score_lines": scoring.score_lines,
    "steps.steps": lambda context: steps.steps(context, "type2"),
    "exposure.exposures": exposure.exposures,
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_that_is_handed_out_is_the_users_own(small: Path, name: str) -> None:
    """Somebody who overwrites it in a notebook changes no score, no outlook and no other frame."""
    context, untouched = Context.of(riskcalc.load(small)), Context.of(riskcalc.load(small))
    mine = FRAMES[name](context)
    for column in mine.columns:
        mine[column] = pd.Series([None] * len(mine), index=mine.index, dtype=object)
    for other, frame in FRAMES.items():
        pd.testing.assert_frame_equal(frame(context), frame(untouched), obj=f"{other} after a change of {name}")
    assert readiness.gaps(context) == readiness.gaps(untouched)


def test_a_value_set_in_an_opened_unit_changes_nothing_else(small: Path) -> None:
    """Setting what a control has earned in one opened unit leaves the scores of the same register alone."""
    unit = open_unit("alpha", data_dir=str(small))
    before = scoring.scores(unit.context)
    unit.controls.loc[:, "earned"] = 1.0
    unit.lines.loc[:, "earned_effect"] = 1.0
    unit.scores.loc[:, "breach"] = False
    pd.testing.assert_frame_equal(scoring.scores(unit.context), before)


def test_what_is_asked_with_and_without_its_default_is_worked_out_once(small: Path) -> None:
    """Conclusions and scores are half of a unit's method: a page must not do them again because of how it asks."""
    context = Context.of(riskcalc.load(small))
    assert evidence.conclude_all(context) is evidence.conclude_all(context, None)
    assert scoring.scored(context) is scoring.scored(context, None)
    assert evidence.conclude_all(context, "type2") is not evidence.conclude_all(context)
    assert steps.reached(context.register) is steps.reached(context.register, steps.LEAST_COVERAGE)


def test_a_context_is_the_latest_period_unless_another_is_named(small: Path) -> None:
    """An unknown period is refused with the ones there are."""
    register = riskcalc.load(small)
    assert Context.of(register).period.name == "2026-H1"
    assert Context.of(register, "2025-H2").previous() is None
    previous: Any = Context.of(register).previous()
    assert previous.period.name == "2025-H2"
    with pytest.raises(UsageError, match="2026-H1"):
        Context.of(register, "1999")


def test_a_register_that_nobody_uses_any_more_is_let_go(sample: riskcalc.Register) -> None:
    """What is remembered of it refers to it; a runner looks at thousands of shares, a notebook is run again and again."""
    share = sample.only("payroll")
    standings(Context.of(share))
    assert len(pickle.dumps(share)) < 2 * len(pickle.dumps(sample.only("payroll")))
    seen = weakref.ref(share)
    del share
    gc.collect()
    assert seen() is None
