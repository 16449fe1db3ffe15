"""``python -m deploy.audit``: known vulnerabilities of what production installs, by pip-audit.

Exit status 0: every package was looked up and none is known to be vulnerable. 1: some are. 2: some could not be looked
up, because the vulnerability service did not answer or does not know them: nothing is known of those.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"


def main() -> int:
    """Prints a line for each finding, and one that sums up."""
    command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--format", "json"]
    done = subprocess.run([*command, "-r", str(_REQUIREMENTS)], capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print("audit: not done, the vulnerability service does not answer: " + _last_line(done.stderr))
        return 2
    status, lines = judge(packages)
    for line in lines:
        print(line)
    return status


def judge(packages: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """(exit status, lines) for pip-audit's list: each with its vulnerabilities, or why it was skipped."""
    lines = [
        f"{package['name']} {package['version']}: {finding['id']}, fixed in {', '.join(finding['fix_versions']) or '–'}"
        for package in packages
        for finding in package.get("vulns", [])
    ]
    found, skipped = len(lines), sum("skip_reason" in package for package in packages)
    lines.append(f"audit: {len(packages)} packages, {found} known vulnerabilities, {skipped} could not be looked up")
    return 1 if found else 2 if skipped or not packages else 0, lines


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["pip-audit said nothing"])[-1]


if __name__ == "__main__":
    sys.exit(main())
