"""The embedded sample: generated and indexed by the real builder, and recognised when it is already there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scin.build import BuildError
from scin.index.manifest import Manifest
from scin.index.search import load_index
from scin.sample import build_sample, is_current
from scin.synthetic import RELEASE
from tests.unit.ml.tiny_models import DIMENSION, tiny_encoder

FINGERPRINT = tiny_encoder().fingerprint


def make(folder: Path, cases: int = 2, **options: object) -> Manifest:
    return build_sample(folder / "dataset", folder / "index", tiny_encoder(), cases=cases, seed=3, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    make(folder)
    return folder


def test_it_says_that_it_is_synthetic_wherever_it_shows(sample: Path) -> None:
    index = load_index(sample / "index", encoder_fingerprint=FINGERPRINT, dimension=DIMENSION)
    assert index.manifest.synthetic
    assert index.info.synthetic
    assert index.manifest.release == RELEASE
    assert "computer-generated" in index.info.attribution["notice"]
    assert "Generated" in index.info.dataset
    assert "SYNTHETIC" in (sample / "dataset" / "README.txt").read_text()


def test_it_holds_the_cases_that_were_asked_for(sample: Path) -> None:
    index = load_index(sample / "index", encoder_fingerprint=FINGERPRINT, dimension=DIMENSION)
    assert index.info.cases == 2
    assert index.manifest.skipped == {}
    assert index.info.images == len(list((sample / "dataset/dataset/images").iterdir()))


def test_it_is_the_same_bytes_wherever_and_whenever_it_is_made(sample: Path, tmp_path: Path) -> None:
    make(tmp_path)
    for name in ("manifest.json", "index.faiss", "cases.parquet", "thumbnails.bin"):
        assert (tmp_path / "index" / name).read_bytes() == (sample / "index" / name).read_bytes(), name


def test_progress_tells_the_stages(tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    make(tmp_path, cases=1, progress=lambda stage, done, total: heard.append((stage, done, total)))
    assert [stage for stage, done, total in heard if done == total] == ["generate", "index"]


def test_a_whole_sample_of_this_generator_and_encoder_is_current(sample: Path) -> None:
    assert is_current(sample / "index", FINGERPRINT, DIMENSION)
    assert not is_current(sample / "index", "0" * 64, DIMENSION)
    assert not is_current(sample / "index", FINGERPRINT, DIMENSION + 1)
    assert not is_current(sample / "nowhere", FINGERPRINT, DIMENSION)


def test_a_damaged_sample_or_one_of_another_generator_or_builder_is_not_current(tmp_path: Path) -> None:
    make(tmp_path, cases=1)
    manifest = tmp_path / "index" / "manifest.json"
    facts = json.loads(manifest.read_text())
    without_version = {name: fact for name, fact in facts.items() if name != "measures"}
    for other in ({**facts, "release": "SYNTHETIC-0"}, {**facts, "measures": 1}, without_version):
        manifest.write_text(json.dumps(other))
        assert not is_current(tmp_path / "index", FINGERPRINT, DIMENSION)
    manifest.write_text(json.dumps(facts))
    assert is_current(tmp_path / "index", FINGERPRINT, DIMENSION)
    (tmp_path / "index" / "index.faiss").write_bytes(b"damaged")
    assert not is_current(tmp_path / "index", FINGERPRINT, DIMENSION)


def test_an_earlier_sample_is_replaced_and_nothing_else_ever_is(tmp_path: Path) -> None:
    make(tmp_path, cases=1)
    assert make(tmp_path, cases=1).cases == 1
    for name in ("dataset", "index"):
        precious = tmp_path / "other" / name / "holiday.jpg"
        precious.parent.mkdir(parents=True)
        precious.write_bytes(b"precious")
        with pytest.raises(BuildError, match="was not made by this command"):
            make(tmp_path / "other", cases=1)
        assert precious.read_bytes() == b"precious"
        precious.unlink()
