"""``python -m deploy.audit``: check requirements.txt for known vulnerabilities with pip-audit.

Exit status 0: no package has a known vulnerability. 1: some have. 2: some packages could not be checked, because the
vulnerability service does not answer or does not know them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"


def main() -> int:
    """Print one line per vulnerability and a summary. Returns the exit status."""
    command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--format", "json"]
    done = subprocess.run([*command, "-r", str(_REQUIREMENTS)], capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print("audit: not done, because pip-audit failed: " + _last_line(done.stderr))
        return 2
    status, lines = summarize(packages)
    for line in lines:
        print(line)
    return status


def summarize(packages: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """(exit status, lines to print) for the packages in pip-audit's JSON output."""
    lines = [
        f"{package['name']} {package['version']}: {finding['id']}, fixed in {', '.join(finding['fix_versions']) or '–'}"
        for package in packages
        for finding in package.get("vulns", [])
    ]
    found, skipped = len(lines), sum("skip_reason" in package for package in packages)
    lines.append(f"audit: {len(packages)} packages, {found} known vulnerabilities, {skipped} could not be checked")
    return 1 if found else 2 if skipped or not packages else 0, lines


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]


if __name__ == "__main__":
    sys.exit(main())
