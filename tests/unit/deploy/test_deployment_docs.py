"""The commands in the documents do what the documents say, and say whether they were tried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.rehearsal.plays import PLAYS

ROOT = Path(__file__).resolve().parents[3]
FILES_AND_OPTIONS = ROOT / "docs/deployment/elastic-beanstalk.md"
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_command_ends_automatic_scaling(path: Path) -> None:
    """`eb scale N` sets the smallest and the largest number of instances to N."""
    text = path.read_text(encoding="utf-8")
    assert [line for block in _BLOCK.findall(text) for line in block.splitlines() if "eb scale" in line] == []
    named = [match.start() for match in re.finditer(r"`eb scale \d", text)]
    assert [text[at - 40 : at] for at in named if not text[:at].endswith("Do not use ")] == []


def test_each_command_says_whether_it_was_rehearsed() -> None:
    names = {play.name for play in PLAYS}
    blocks = _BLOCK.findall(FILES_AND_OPTIONS.read_text(encoding="utf-8"))
    assert len(blocks) >= 5
    for block in blocks:
        first = block.splitlines()[0]
        rehearsed = re.fullmatch(r"# rehearsed: (.+)", first)
        assert first == "# not tried on AWS" or rehearsed, first
        if rehearsed and "every rehearsal" not in first:
            assert rehearsed[1] in names


def test_the_page_names_the_example_of_secrets_with_the_documented_variables() -> None:
    example = (ROOT / ".ebextensions/94-secrets.config.example").read_text(encoding="utf-8")
    assert "94-secrets.config.example" in FILES_AND_OPTIONS.read_text(encoding="utf-8")
    assert set(re.findall(r"^    (DERMSERVE_\w+):", example, re.MULTILINE)) == {
        "DERMSERVE_API_KEYS",
        "DERMSERVE_RATE_LIMIT_STORAGE",
    }
