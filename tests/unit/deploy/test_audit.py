"""What the audit of the pinned packages says, and that silence is never taken for a clean bill."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.audit import judge

CLEAN: dict[str, Any] = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD: dict[str, Any] = {"name": "x", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
UNKNOWN: dict[str, Any] = {"name": "y", "version": "1", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "status", "last"),
    [
        ([CLEAN, CLEAN], 0, "audit: 2 packages, 0 known vulnerabilities, 0 could not be looked up"),
        ([CLEAN, BAD], 1, "audit: 2 packages, 1 known vulnerabilities, 0 could not be looked up"),
        ([CLEAN, UNKNOWN], 2, "audit: 2 packages, 0 known vulnerabilities, 1 could not be looked up"),
        ([BAD, UNKNOWN], 1, "audit: 2 packages, 1 known vulnerabilities, 1 could not be looked up"),
        ([], 2, "audit: 0 packages, 0 known vulnerabilities, 0 could not be looked up"),
    ],
)
def test_findings_fail_and_silence_is_not_clean(packages: list[dict[str, Any]], status: int, last: str) -> None:
    found, lines = judge(packages)
    assert (found, lines[-1]) == (status, last)


def test_a_finding_is_named_with_its_fix() -> None:
    assert judge([BAD])[1][0] == "x 1: PYSEC-1, fixed in 2"
