"""Importing a room costs no framework: gunicorn's parent, the boot check and the command lines stay light."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.frameworks import HEAVY

MODULES = (
    "ml.models.loading",
    "ml.analysis.pipeline",
    "ml.selftest",
    "ml.models.store",
    "ml.__main__",
    "ml.models.compiled",
    "scin.index.manifest",
    "storage",
)


@pytest.mark.parametrize("module", MODULES)
def test_importing_it_loads_no_framework(module: str) -> None:
    program = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
