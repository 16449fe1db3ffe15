"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder of real photos and tables that lies beside the repository on some machines; skips where it does not."""
    folder = Path(os.environ.get("DERMSERVE_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("no real photos beside this checkout (DERMSERVE_SHARED)")
    return folder
