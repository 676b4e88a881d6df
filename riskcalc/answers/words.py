"""The words of questionnaires, as question_words.toml has them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("question_words.toml").read_text("utf-8"))
