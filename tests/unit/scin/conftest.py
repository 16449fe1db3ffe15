"""``python -m scin`` with a small encoder, for the tests of its commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scin import __main__ as command
from tests.unit.ml.tiny_models import tiny_encoder

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command with its own DERMSERVE_VAR: arguments → (exit status, stdout, stderr)."""
    monkeypatch.setenv("DERMSERVE_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(command, "_encoder", lambda *_: tiny_encoder())

    def run(*arguments: object) -> tuple[int, str, str]:
        status = command.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run
