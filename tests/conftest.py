"""Fixtures: the small register, the sample register, and a run of the sample that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import launched
from hypothesis import settings
from register_files import SAMPLE, write_register

import riskcalc

# Machines that run tests are busy: a property isn't broken because it took long.
settings.register_profile("busy", deadline=None, max_examples=50)
settings.register_profile("quick", deadline=None, max_examples=10)  # make test-lowest, make test-others
settings.load_profile("busy")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The folder of a small, valid register that a test may change."""
    return write_register(tmp_path / "data")


@pytest.fixture(scope="session")
def sample() -> riskcalc.Register:
    """The sample register."""
    return riskcalc.load(SAMPLE)


@pytest.fixture
def matrix() -> riskcalc.Matrix:
    """The sample's matrix: 5 x 5, asymmetric."""
    return riskcalc.Matrix.read(SAMPLE / "methodology.toml")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser in which tests open pages."""
    with launched() as opened:
        yield opened
