"""Sentences that several pages share: true for no risk, for one, and for many."""

from __future__ import annotations

import pandas as pd
import pytest

from riskcalc.pages.wording import verdict


def scores(*breaches: bool | None) -> pd.DataFrame:
    """A rated risk for each that is or isn't worse than its appetite, an unrated one for None."""
    return pd.DataFrame(
        {
            "likelihood": pd.array([pd.NA if each is None else 3 for each in breaches], dtype="Int64"),
            "breach": pd.array([pd.NA if each is None else each for each in breaches], dtype="boolean"),
        }
    )


@pytest.mark.parametrize(
    ("breaches", "said", "tone"),
    [
        ((), "No risk is on record.", "open"),
        ((None,), "No risk is rated in this period.", "open"),
        ((False,), "Inside appetite: none of 1 rated risk is worse than Low.", "good"),
        ((False, None), "Inside appetite: none of 1 rated risk is worse than Low. 1 unrated: nothing can be said of it.", "open"),
        ((True, False), "Outside appetite: 1 of 2 rated risks is worse than Low.", "bad"),
        ((True, True), "Outside appetite: 2 of 2 rated risks are worse than Low.", "bad"),
        ((True, None, None), "Outside appetite: 1 of 1 rated risk is worse than Low. 2 unrated: nothing can be said of them.", "bad"),
    ],
)  # fmt: skip
def test_the_verdict_is_true_whatever_is_rated(breaches: tuple[bool | None, ...], said: str, tone: str) -> None:
    """The sentence that leadership reads first."""
    assert verdict(scores(*breaches), "Low") == (said, tone)
    its = "their unit's appetite" if " are worse" in said else "its unit's appetite"
    assert verdict(scores(*breaches)) == (said.replace("than Low", f"than {its}"), tone)
