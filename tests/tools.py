"""Programs that some tests need and that are no Python package."""

from __future__ import annotations

import os
import shutil

import pytest


def tool_or_skip(name: str, *, must: str, skipped: str) -> str:
    """The path of the program ``name``. Without it the test is skipped, visibly, saying what is ``skipped``; in CI that
    is a failure, saying what CI ``must`` do."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{name} is not installed; CI must {must}")
        pytest.skip(f"{name} is not installed: {skipped}")
    return found
