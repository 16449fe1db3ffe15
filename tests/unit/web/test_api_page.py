"""docs/api.md names settings that exist, and docs/errors.md is made from the code."""

from __future__ import annotations

import re
from pathlib import Path

from settings import Settings
from web.errors import entries, markdown

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "api.md").read_text()


def test_the_page_of_errors_is_current() -> None:
    assert (DOCS / "errors.md").read_text() == markdown(), "run: python -m web.errors > docs/errors.md"


def test_every_error_says_what_to_do() -> None:
    for one in entries():
        assert one.advice, f"the docstring of {one.code} has one sentence: add what the client does about it"


def test_every_setting_that_is_named_exists() -> None:
    assert set(re.findall(r"DERMSERVE_[A-Z_]+", PAGE)) <= set(Settings.environment_names())
