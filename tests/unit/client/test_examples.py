"""The examples print an answer in which little was measured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tools import tool_or_skip
from tests.unit.client.scripted_service import ANSWER, Script

REPOSITORY = Path(__file__).resolve().parents[3]
UNKNOWN = dict.fromkeys(ANSWER["skin"]["tone"])


@pytest.mark.parametrize("tone", [None, UNKNOWN], ids=["no tone", "unknown tone"])
@pytest.mark.parametrize("name", ["analyze.py", "analyze_client.py", "analyze.mjs"])
def test_an_example_prints_an_answer_without_tone_lesion_and_conditions(
    service: Script, tmp_path: Path, name: str, tone: dict[str, Any] | None
) -> None:
    decision = {"kind": "abstain", "set": [], "coverage": None, "reasons": ["not_skin"]}
    skin = {"tone": tone, "measurements": [], "zones": None}
    service.answers = [(200, {}, ANSWER | {"decision": decision, "skin": skin, "lesion": None, "conditions": []})]
    photo = tmp_path / "skin.jpg"
    photo.write_bytes(b"a photo")
    runner = node_or_skip() if name.endswith(".mjs") else sys.executable
    done = subprocess.run(
        [runner, REPOSITORY / "examples" / name, photo, service.url],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tone: not measured" in done.stdout
    assert "not_skin" in done.stdout


def node_or_skip() -> str:
    return tool_or_skip("node", must="run the JavaScript example", skipped="the JavaScript example is not run")
