"""What tests of this room share, so that it is made once: the small register, to be read only, and its OSCAL."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from register_files import write_register

from riskcalc.cli.main import main


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small register, which no test may change."""
    return write_register(tmp_path_factory.mktemp("kept") / "data")


@pytest.fixture(scope="session")
def written(kept: Path) -> Path:
    """Its OSCAL files, which no test may change."""
    done = CliRunner().invoke(main, ["export", "oscal", str(kept), "--out", str(kept.parent / "oscal")])
    assert done.exit_code == 0, done.output
    return kept.parent / "oscal"
