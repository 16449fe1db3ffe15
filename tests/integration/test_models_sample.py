"""The sample with the real encoder, from the command line: made, verified, searched."""

from __future__ import annotations

from pathlib import Path

import pytest

from scin.__main__ import main
from tests.unit.scin.scin_folder import read

pytestmark = pytest.mark.models


@pytest.fixture
def var(models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A var folder of its own, with the fetched models."""
    (tmp_path / "models").symlink_to(models_dir.resolve())
    monkeypatch.setenv("DERMSERVE_VAR", str(tmp_path))
    return tmp_path


def test_a_photo_of_the_sample_finds_its_own_case(var: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", "--cases", "5", "--seed", "4"]) == 0
    assert "4 synthetic cases" in capsys.readouterr().out  # the fifth has no label
    assert main(["verify"]) == 0
    capsys.readouterr()

    (case, *_) = [case for case in read(var / "sample" / "dataset").cases if case.label.weights]
    assert main(["search", str(var / "sample" / "dataset" / case.images[0].path), "-k", "2"]) == 0
    out, err = capsys.readouterr()
    similarity, case_id, labels = out.splitlines()[0].split(maxsplit=2)
    assert case_id == case.case_id
    assert float(similarity) == pytest.approx(1, abs=2e-3)
    assert labels
    assert "no medical meaning" in err
