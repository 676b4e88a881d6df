"""No file for other programs holds what isn't for its readers, and the search finds what is."""

from __future__ import annotations

from pathlib import Path

import pytest
from attacks.test_canaries import columns, marked, shown_as
from click.testing import CliRunner
from register_files import write_register

from riskcalc.cli.main import main
from riskcalc.register.audiences import AUDIENCES


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small register with a canary in every column that can have one."""
    return write_register(tmp_path_factory.mktemp("canaries") / "data", marked)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *(("oscal", name) for name in ("auditor", "board", "unit")),
        *(("tidy", name) for name in ("auditor", "board", "unit")),
        *(("risks simplerisk", name) for name in ("auditor", "board", "unit")),
        *(("trust-centre", name) for name in ("public", "client")),
    ],
)
def test_no_file_holds_what_its_readers_are_not_to_see(data: Path, tmp_path: Path, command: str, name: str) -> None:
    """In no property, cell, feed or page."""
    unit = ["--unit", "alpha"] if (command, name) == ("oscal", "unit") else []
    arguments = ["export", *command.split(), str(data), "--out", str(tmp_path / "o"), "--audience", name, *unit]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    files = [file for file in (tmp_path / "o").rglob("*") if file.is_file()]
    told = b"\n".join(file.read_bytes() for file in files).replace(b"\\\\", b"")  # OSCAL's texts are escaped
    audience = AUDIENCES[name]
    kept_away = {(t, c) for part in (audience.withheld, audience.hidden) for t, names in part.items() for c in names}
    kept_away -= {("ratings", "rated_on")} if command == "tidy" else set()  # the day a period is seen from may be that
    assert [f"{t}.{c}" for t, c, value in columns() if (t, c) in kept_away and shown_as(value).search(told)] == []
    assert [f"{t}.{c}" for t, c, value in columns() if (t, c) not in kept_away and shown_as(value).search(told)]
