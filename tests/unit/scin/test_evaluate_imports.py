"""Serving does not need what evaluating needs."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import REPOSITORY

_PROGRAM = """
import sys
for name in ("sklearn", "matplotlib", "threadpoolctl"):
    sys.modules[name] = None  # as if it were not installed
import scin.index.search, scin.index.vote, scin.index.vectors, scin.__main__
sys.exit(scin.__main__.main(["evaluate"]))
"""


def test_without_its_packages_only_evaluate_fails_and_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install -r requirements-scin.txt" in done.stderr
