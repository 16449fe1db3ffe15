"""The real models, compiled: they answer as their frameworks do, and nothing wrong is ever served."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.deadline import Deadline
from ml.errors import ArtifactError
from ml.models.classifier import LesionClassifier
from ml.models.compiled import ONNXRUNTIME, RECORD_FILE, choose, compile_model
from ml.models.encoder import Encoder
from ml.models.loading import check_models, load_classifier, load_encoder
from ml.models.registry import EFFICIENTNET_LITE0, SKLESION
from ml.models.spec import ModelSpec
from ml.models.store import COMPILED, ModelStore
from ml.selftest import NativeCheck, portrait
from ml.values import Patient
from tests.integration.conftest import lesion_photo

pytestmark = pytest.mark.models

PHOTOS = [lesion_photo(240 + 31 * n, 400 - 17 * n, seed=n) for n in range(8)]
PATIENTS = [Patient(), Patient(age=80, sex="male", body_site="trunk"), Patient(age=25, sex="female")]


@pytest.fixture(scope="module", autouse=True)
def compiled(models_dir: Path) -> None:
    """What ``make test`` has compiled; its absence is a failure."""
    try:
        check_models(models_dir, [EFFICIENTNET_LITE0.name, SKLESION.name], engine=ONNXRUNTIME)
    except ArtifactError as error:
        pytest.fail(f"{error.message} (make test does so)", pytrace=False)


@pytest.fixture(scope="module")
def fast_encoder(models_dir: Path) -> Encoder:
    return load_encoder(models_dir, "efficientnet-lite0", threads=1, engine=ONNXRUNTIME)


@pytest.fixture(scope="module")
def fast_classifier(models_dir: Path) -> LesionClassifier:
    return load_classifier(models_dir, "sklesion", threads=1, engine=ONNXRUNTIME)


def test_vectors_are_the_native_ones(encoder: Encoder, fast_encoder: Encoder) -> None:
    found, expected = fast_encoder.embed(PHOTOS), encoder.embed(PHOTOS)
    assert (fast_encoder.runtime.name, encoder.runtime.name) == ("onnxruntime", "pytorch")
    assert fast_encoder.fingerprint == encoder.fingerprint
    assert (1 - np.einsum("ij,ij->i", found, expected)).max() < 1e-5
    similarity = expected @ expected.T
    assert np.abs(found @ found.T - similarity).max() < 1e-5


def test_probabilities_are_the_native_ones(classifier: LesionClassifier, fast_classifier: LesionClassifier) -> None:
    assert (fast_classifier.runtime.name, classifier.runtime.name) == ("onnxruntime", "tensorflow")
    for patient in PATIENTS:
        found = fast_classifier.predict(PHOTOS[:3], patient)
        assert np.abs(found - classifier.predict(PHOTOS[:3], patient)).max() < 1e-4


def test_four_threads_get_the_answers_of_one(fast_encoder: Encoder, fast_classifier: LesionClassifier) -> None:
    def both(n: int) -> np.ndarray:
        photo = PHOTOS[n % len(PHOTOS)]
        vector = fast_encoder.embed([photo])[0]
        return np.concatenate([vector, fast_classifier.predict([photo], PATIENTS[n % 3])[0]])

    alone = [both(n) for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(both, range(8)))
    assert all(np.abs(a - b).max() < 1e-6 for a, b in zip(together, alone, strict=True))


# a process that serves

WORKER = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from ml.models.loading import load_models
from ml.values import Patient
from tests.frameworks import HEAVY
from tests.integration.conftest import lesion_photo
models = load_models(
    Path(sys.argv[1]), encoder="efficientnet-lite0", classifier="sklesion", faces=True, threads=1, engine="onnxruntime"
)
photo = lesion_photo(300, 200)
models.encoder.embed([photo]), models.classifier.predict([photo], Patient())
print(json.dumps({"cards": [asdict(card) for card in models.cards], "heavy": [n for n in HEAVY if n in sys.modules]}))
"""


def test_neither_framework_is_imported_where_compiled_models_serve(models_dir: Path) -> None:
    command = [sys.executable, "-c", WORKER, str(models_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert set(told["heavy"]) == {"onnxruntime", "ai_edge_litert"}
    assert [card["framework"] for card in told["cards"]] == ["pytorch", "tensorflow", "litert"]
    assert [card["engine"].split()[0] for card in told["cards"]] == ["onnxruntime", "onnxruntime", "litert"]


def test_the_frameworks_run_both_models_in_one_other_process(models_dir: Path, encoder: Encoder) -> None:
    runs = NativeCheck(models_dir)(["efficientnet-lite0", "sklesion"], Deadline(300))
    vector = encoder.embed([portrait()])[0]
    assert np.array(runs["efficientnet-lite0"].output) @ vector == pytest.approx(1, abs=1e-5)
    assert sum(runs["sklesion"].output) == pytest.approx(1, abs=1e-4)
    assert all(run.version and run.seconds for run in runs.values())


# what must never be served


def copy_of(spec: ModelSpec, models_dir: Path, target: Path, *, compiled: bool) -> ModelStore:
    """A store with a copy of the model, without what it was made from."""
    left_out = ("source", *(() if compiled else (COMPILED,)))
    source = ModelStore(models_dir).folder(spec)
    shutil.copytree(source, ModelStore(target).folder(spec), ignore=shutil.ignore_patterns(*left_out))
    return ModelStore(target)


#: the real child, but that one weight in a thousand of one layer is a little too large
PERTURBED = """
import sys
import onnx
from onnx import numpy_helper
from ml.models import compiled, torch_runtime

convert = torch_runtime.convert

def perturb(spec, served, target):
    convert(spec, served, target)
    model = onnx.load(target)
    largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = numpy_helper.to_array(largest).copy()
    values.reshape(-1)[::1000] += 3 * values.std()
    largest.CopyFrom(numpy_helper.from_array(values, largest.name))
    onnx.save(model, target)

torch_runtime.convert = perturb
compiled.run_as_child(sys.argv[1:])
"""
#: the real child, but that the conversion writes no model
NO_ONNX = """
import sys
from ml.models import compiled, torch_runtime
torch_runtime.convert = lambda spec, served, target: target.write_bytes(b"no model")
compiled.run_as_child(sys.argv[1:])
"""


def test_a_model_of_another_processor_is_compiled_without_converting_it_again(models_dir: Path, tmp_path: Path) -> None:
    store = copy_of(EFFICIENTNET_LITE0, models_dir, tmp_path, compiled=True)
    path = store.compiled(EFFICIENTNET_LITE0) / RECORD_FILE
    record = json.loads(path.read_text())
    record["origin"]["processor"]["cpu"] = "another"
    path.write_text(json.dumps(record))
    made, _ = compile_model(store, EFFICIENTNET_LITE0, child=[sys.executable, "-c", NO_ONNX])
    assert made.problem is None
    assert choose(store, EFFICIENTNET_LITE0, ONNXRUNTIME) == store.compiled(EFFICIENTNET_LITE0)


def test_a_compiled_model_that_does_not_agree_is_never_served(
    models_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = copy_of(EFFICIENTNET_LITE0, models_dir, tmp_path, compiled=False)
    record, _ = compile_model(store, EFFICIENTNET_LITE0, child=[sys.executable, "-c", PERTURBED])
    assert "cosine distance" in str(record.problem)
    assert record.differences["cosine distance"] > 1e-5
    assert [path.name for path in (store.folder(EFFICIENTNET_LITE0) / COMPILED).iterdir()] == [RECORD_FILE]
    with pytest.raises(ArtifactError, match="onnxruntime cannot run efficientnet-lite0: its answers differ"):
        check_models(tmp_path, ["efficientnet-lite0"], engine=ONNXRUNTIME)
    with caplog.at_level(logging.WARNING):
        served = load_encoder(tmp_path, "efficientnet-lite0", threads=1, engine="auto")
    assert served.runtime.name == "pytorch"
    assert [line for line in caplog.messages if line.startswith("efficientnet-lite0 runs natively: ")]


def test_what_cannot_be_compiled_is_recorded_with_its_reason(models_dir: Path, tmp_path: Path) -> None:
    store = copy_of(EFFICIENTNET_LITE0, models_dir, tmp_path, compiled=False)
    record, _ = compile_model(store, EFFICIENTNET_LITE0, child=[sys.executable, "-c", NO_ONNX])
    assert str(record.problem).startswith("it could not be compiled: exit status 1: ")
    assert choose(store, EFFICIENTNET_LITE0, "auto") is None


@pytest.mark.parametrize("name", ["model.data", "model.onnx"])
def test_a_changed_compiled_file_is_found_before_it_is_loaded(
    models_dir: Path, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = copy_of(EFFICIENTNET_LITE0, models_dir, tmp_path, compiled=True)
    path = store.folder(EFFICIENTNET_LITE0) / COMPILED / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="does not match its sha256") as caught:
        load_encoder(tmp_path, "efficientnet-lite0", threads=1, engine=ONNXRUNTIME)
    assert str(path) in caught.value.message
    served = load_encoder(tmp_path, "efficientnet-lite0", threads=1, engine="auto")
    assert served.runtime.name == "pytorch"
    assert [line for line in caplog.messages if "runs natively" in line and str(path) in line]


def test_files_that_fail_although_they_are_whole_do_not_stop_the_service(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The record is right about everything, and the golden image says otherwise."""
    from ml.models.onnxruntime_runtime import OnnxRuntime

    def other(self: Any, *inputs: np.ndarray) -> list[np.ndarray]:
        return [np.ones((len(inputs[0]), 512), np.float32)]

    copy_of(EFFICIENTNET_LITE0, models_dir, tmp_path, compiled=True)
    monkeypatch.setattr(OnnxRuntime, "run", other)
    with pytest.raises(ArtifactError, match="does not reproduce its golden output"):
        load_encoder(tmp_path, "efficientnet-lite0", threads=1, engine=ONNXRUNTIME)
    served = load_encoder(tmp_path, "efficientnet-lite0", threads=1, engine="auto")
    assert served.runtime.name == "pytorch"
    assert [line for line in caplog.messages if line.startswith("efficientnet-lite0 runs natively: ")]
