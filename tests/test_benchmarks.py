"""What the benchmarks keep."""

from __future__ import annotations

from pathlib import Path

from benchmarks.kept import keep


def test_what_became_slower_than_in_the_table_before_is_said(tmp_path: Path) -> None:
    """By a fifth and more; what wasn't measured this time keeps its row, and what stands around the table stays."""
    document = tmp_path / "benchmarks.md"
    document.write_text("# Benchmarks\n", "utf-8")
    assert keep("Reading", {"CSV": 5.0, "xlsx": 2.0, "bare": 1.0}, document) == []
    assert keep("Other", {"CSV": 1.0}, document) == []
    [told] = keep("Reading", {"CSV": 6.5, "xlsx": 2.3}, document)
    assert told == "Slower than in the table before: CSV, 6.5 times what it is held against, not 5."
    text = document.read_text("utf-8")
    assert text.startswith("# Benchmarks\n")
    assert text.count("| CSV | 6.500000 |") == text.count("| bare | 1.000000 |") == text.count("| Other |") == 1
    assert keep("Reading", {"CSV": 6.5}, document) == []
