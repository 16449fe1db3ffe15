"""The audit of the pinned packages never reports unchecked packages as free of vulnerabilities."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.audit import summarize

CLEAN: dict[str, Any] = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD: dict[str, Any] = {"name": "x", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
UNKNOWN: dict[str, Any] = {"name": "y", "version": "1", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "status", "last"),
    [
        ([CLEAN, CLEAN], 0, "audit: 2 packages, 0 known vulnerabilities, 0 could not be checked"),
        ([CLEAN, BAD], 1, "audit: 2 packages, 1 known vulnerabilities, 0 could not be checked"),
        ([CLEAN, UNKNOWN], 2, "audit: 2 packages, 0 known vulnerabilities, 1 could not be checked"),
        ([BAD, UNKNOWN], 1, "audit: 2 packages, 1 known vulnerabilities, 1 could not be checked"),
        ([], 2, "audit: 0 packages, 0 known vulnerabilities, 0 could not be checked"),
    ],
)
def test_vulnerable_and_unchecked_packages_fail(packages: list[dict[str, Any]], status: int, last: str) -> None:
    found, lines = summarize(packages)
    assert (found, lines[-1]) == (status, last)


def test_a_vulnerability_is_named_with_its_fix() -> None:
    assert summarize([BAD])[1][0] == "x 1: PYSEC-1, fixed in 2"
