"""Rows of frames as plain records."""

from __future__ import annotations

import pytest

import riskcalc
from riskcalc.register.records import by_index, records
from riskcalc.register.tables import TABLES

REGISTER = riskcalc.load("data")


@pytest.mark.parametrize("table", TABLES)
def test_records_are_those_of_pandas(table: str) -> None:
    """Whatever a column holds: blanks, days, whole numbers, amounts, lists; else a page would say something else."""
    frame = getattr(REGISTER, table)
    for ours, theirs in ((records(frame), frame.to_dict("records")), (by_index(frame), frame.to_dict("index"))):
        assert repr(ours) == repr(theirs)
    assert records(frame.iloc[:0]) == []
    assert repr(REGISTER.rows(table)) == repr(frame.to_dict("records"))
    assert REGISTER.rows(table) is REGISTER.rows(table)  # as long as they are few
