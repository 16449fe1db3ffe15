"""The real models as a running service uses them: batches, threads, and files that are not what they should be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ml.errors import ArtifactError
from ml.models.classifier import LesionClassifier
from ml.models.encoder import Encoder
from ml.models.loading import check_models, load_encoder
from ml.models.registry import EFFICIENTNET_LITE0, MEDIAPIPE_FACE, SKLESION
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from ml.values import Patient
from tests.integration.conftest import lesion_photo

pytestmark = pytest.mark.models

PHOTOS = [lesion_photo(240 + 31 * n, 400 - 17 * n, seed=n) for n in range(5)]

LOADED = """
import json, sys
from pathlib import Path
from dataclasses import astuple
from ml.models.loading import load_models
from ml.values import Patient
from tests.integration.conftest import lesion_photo
models = load_models(Path(sys.argv[1]), encoder="efficientnet-lite0", classifier="sklesion", faces=True, threads=1)
photo = lesion_photo(300, 200)
print(json.dumps({
    "cards": [astuple(card) for card in models.cards],
    "vector": models.encoder.embed([photo])[0].tolist(),
    "probabilities": models.classifier.predict([photo], Patient())[0].tolist(),
    "faces": len(models.faces.detect(photo)),
}))
"""


def test_four_threads_get_the_answers_of_one(encoder: Encoder, classifier: LesionClassifier) -> None:
    def both(n: int) -> np.ndarray:
        photo = PHOTOS[n % len(PHOTOS)]
        return np.concatenate([encoder.embed([photo])[0], classifier.predict([photo], Patient(age=20 * (n % 3)))[0]])

    alone = [both(n) for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(both, range(8)))
    assert all(np.abs(a - b).max() < 1e-6 for a, b in zip(together, alone, strict=True))


def test_everything_loads_in_a_fresh_process(models_dir: Path, encoder: Encoder, classifier: LesionClassifier) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED, models_dir], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    names = [(name, framework) for name, _, framework, _, _ in told["cards"]]
    assert names == [("efficientnet-lite0", "pytorch"), ("sklesion", "tensorflow"), ("mediapipe-face", "litert")]
    assert all(version and engine and licence for _, version, _, engine, licence in told["cards"])
    photo = lesion_photo(300, 200)
    assert np.abs(encoder.embed([photo])[0] - told["vector"]).max() < 1e-5
    assert np.abs(classifier.predict([photo], Patient())[0] - told["probabilities"]).max() < 1e-5
    assert told["faces"] == 0


def test_the_fetched_files_are_verified(models_dir: Path) -> None:
    check_models(models_dir, [EFFICIENTNET_LITE0.name, SKLESION.name, MEDIAPIPE_FACE.name])
    with pytest.raises(ArtifactError, match="no model called 'other'"):
        check_models(models_dir, ["other"])


# files that are not what they should be


def copy_of(spec: ModelSpec, models_dir: Path, target: Path) -> Path:
    """The folder of a copy of the model, without what it was made from."""
    source = ModelStore(models_dir).folder(spec)
    folder = ModelStore(target).folder(spec)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("source"))
    return folder


def flip_a_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0xFF]))


def test_a_corrupted_encoder_is_named_and_not_loaded(models_dir: Path, tmp_path: Path) -> None:
    path = copy_of(EFFICIENTNET_LITE0, models_dir, tmp_path) / "encoder.pt2"
    flip_a_byte(path)
    with pytest.raises(ArtifactError, match="does not match its sha256") as caught:
        load_encoder(tmp_path, "efficientnet-lite0", threads=1)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.data-00000-of-00001"])
def test_a_corrupted_classifier_is_named(models_dir: Path, tmp_path: Path, name: str) -> None:
    path = copy_of(SKLESION, models_dir, tmp_path) / "saved_model" / name
    flip_a_byte(path)
    with pytest.raises(ArtifactError, match="does not match its sha256") as caught:
        check_models(tmp_path, ["sklesion"])
    assert str(path) in caught.value.message


def test_an_encoder_that_answers_otherwise_than_when_it_was_fetched_is_refused(
    models_dir: Path, tmp_path: Path
) -> None:
    """The files are right but this machine computes something else: told by the golden image."""
    manifest = copy_of(EFFICIENTNET_LITE0, models_dir, tmp_path) / "manifest.json"
    facts = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**facts, "golden": facts["golden"][::-1]}))
    with pytest.raises(ArtifactError, match="does not reproduce its golden output on this machine"):
        load_encoder(tmp_path, "efficientnet-lite0", threads=1)
