"""Reads the CloudFormation templates as plain values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cfnlint.decode import decode

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy/cloudformation"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def template(name: str) -> dict[str, Any]:
    """One template, with the short forms of functions (`!Ref`) written out."""
    decoded, errors = decode(str(FOLDER / f"{name}.yaml"))
    assert not errors
    plain = json.loads(json.dumps(decoded))
    assert isinstance(plain, dict)
    return plain


def properties(name: str, resource: str) -> Any:
    return template(name)["Resources"][resource]["Properties"]


def of_type(name: str, kind: str) -> dict[str, Any]:
    """{logical name: properties} of the resources of one type."""
    return {key: r.get("Properties", {}) for key, r in template(name)["Resources"].items() if r["Type"] == kind}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
