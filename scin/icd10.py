"""SCIN's condition names → ICD-10-CM codes (``icd10.csv``, written for this project; no dataset states them)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path


@cache
def table() -> Mapping[str, str]:
    """Condition name → code, for the names that have an unambiguous one."""
    with Path(__file__).with_name("icd10.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["icd_10"] for row in csv.DictReader(file)}


def icd_10(name: str) -> str | None:
    """The code of ``name``, or None: a wrong code is worse than none."""
    return table().get(name)
