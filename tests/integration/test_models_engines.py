"""The real models by compiled engines: they answer as the native ones do, and nothing wrong is ever served."""

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
from ml.engines import ENGINES, choose, ms_per_photo
from ml.engines.prepare import prepare
from ml.engines.record import FOLDER, RECORD_FILE, read_record
from ml.errors import ArtifactError
from ml.models.classifier import LesionClassifier
from ml.models.encoder import Encoder
from ml.models.loading import check_models, load_classifier, load_encoder
from ml.models.registry import EFFICIENTNET_LITE0, SKLESION
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from ml.native_check import NativeCheck
from ml.portrait import portrait
from ml.values import Patient
from tests.integration.conftest import lesion_photo

pytestmark = pytest.mark.models

SPECS = (EFFICIENTNET_LITE0, SKLESION)
PHOTOS = [lesion_photo(240 + 31 * n, 400 - 17 * n, seed=n) for n in range(8)]
PATIENTS = [Patient(), Patient(age=80, sex="male", body_site="trunk"), Patient(age=25, sex="female")]


@pytest.fixture(scope="module", autouse=True)
def prepared(models_dir: Path) -> None:
    """What ``make test`` has prepared; its absence is a failure."""
    for spec in SPECS:
        record = read_record(ModelStore(models_dir).folder(spec))
        if record is None or set(record.results) != set(ENGINES):
            pytest.fail("the engines are not prepared; run: make test", pytrace=False)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fast_encoder(models_dir: Path, engine: str) -> Encoder:
    return load_encoder(models_dir, "efficientnet-lite0", threads=1, engine=engine)


@pytest.fixture(scope="module")
def fast_classifier(models_dir: Path, engine: str) -> LesionClassifier:
    return load_classifier(models_dir, "sklesion", threads=1, engine=engine)


def test_vectors_are_the_native_ones(encoder: Encoder, fast_encoder: Encoder, engine: str) -> None:
    found, expected = fast_encoder.embed(PHOTOS), encoder.embed(PHOTOS)
    assert fast_encoder.backend.framework == engine
    assert fast_encoder.fingerprint == encoder.fingerprint
    assert (1 - np.einsum("ij,ij->i", found, expected)).max() < 1e-5
    similarity = expected @ expected.T
    assert np.abs(found @ found.T - similarity).max() < 1e-5


def test_probabilities_are_the_native_ones(
    classifier: LesionClassifier, fast_classifier: LesionClassifier, engine: str
) -> None:
    assert fast_classifier.backend.framework == engine
    for patient in PATIENTS:
        found = fast_classifier.probabilities(PHOTOS[:3], patient)
        assert np.abs(found - classifier.probabilities(PHOTOS[:3], patient)).max() < 1e-4


def test_four_threads_get_the_answers_of_one(fast_encoder: Encoder, fast_classifier: LesionClassifier) -> None:
    def both(n: int) -> np.ndarray:
        photo = PHOTOS[n % len(PHOTOS)]
        vector = fast_encoder.embed([photo])[0]
        return np.concatenate([vector, fast_classifier.probabilities([photo], PATIENTS[n % 3])[0]])

    alone = [both(n) for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(both, range(8)))
    assert all(np.abs(a - b).max() < 1e-6 for a, b in zip(together, alone, strict=True))


def test_what_was_measured_is_there_for_every_batch_size(models_dir: Path, engine: str) -> None:
    for spec in SPECS:
        for name in (engine, "native"):
            measured = ms_per_photo(ModelStore(models_dir), spec, name)
            assert list(measured) == [1, 2, 4, 8]
            assert all(ms > 0 for ms in measured.values())


# a process that serves

WORKER = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from ml.models.loading import load_models
from ml.values import Patient
from tests.integration.conftest import lesion_photo
models = load_models(
    Path(sys.argv[1]), encoder="efficientnet-lite0", classifier="sklesion", faces=True, threads=1, engine=sys.argv[2]
)
photo = lesion_photo(300, 200)
models.encoder.embed([photo]), models.classifier.probabilities([photo], Patient())
heavy = ("torch", "tensorflow", "keras", "onnx", "tf2onnx", "onnxruntime", "openvino", "openvino_telemetry.main")
print(json.dumps({"cards": [asdict(card) for card in models.cards], "heavy": [n for n in heavy if n in sys.modules]}))
"""


def test_neither_framework_is_imported_where_an_engine_serves(models_dir: Path, engine: str) -> None:
    command = [sys.executable, "-c", WORKER, str(models_dir), engine]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["heavy"] == [engine]
    assert [card["framework"] for card in told["cards"]] == ["pytorch", "tensorflow", "litert"]
    assert {card["engine"].split()[0] for card in told["cards"]} == {engine, "litert"}


def test_the_frameworks_run_both_models_in_one_other_process(models_dir: Path, encoder: Encoder) -> None:
    runs = NativeCheck(models_dir)(["efficientnet-lite0", "sklesion"], Deadline(300))
    vector = encoder.embed([portrait()])[0]
    assert runs["efficientnet-lite0"].answer @ vector == pytest.approx(1, abs=1e-5)
    assert runs["sklesion"].answer.sum() == pytest.approx(1, abs=1e-4)
    assert all(run.version and run.seconds for run in runs.values())


# what must never be served


def copy_of(spec: ModelSpec, models_dir: Path, target: Path, *, engines: bool) -> ModelStore:
    """A store with a copy of the model, without what it was made from."""
    left_out = ("source", *(() if engines else (FOLDER, RECORD_FILE)))
    source = ModelStore(models_dir).folder(spec)
    shutil.copytree(source, ModelStore(target).folder(spec), ignore=shutil.ignore_patterns(*left_out))
    return ModelStore(target)


def perturbed(spec: ModelSpec, served: Path, onnx: Path) -> None:
    """The conversion, with one weight in a thousand of one layer a little too large."""
    command = [sys.executable, "-m", "ml.engines.child", "convert", spec.name, str(served), str(onnx), f"{onnx}.json"]
    subprocess.run(command, check=True, capture_output=True)
    program = (
        "import sys, numpy as np, onnx\n"
        "from onnx import numpy_helper\n"
        "model = onnx.load(sys.argv[1])\n"
        "largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))\n"
        "values = numpy_helper.to_array(largest).copy()\n"
        "values.reshape(-1)[::1000] += 3 * values.std()\n"
        "largest.CopyFrom(numpy_helper.from_array(values, largest.name))\n"
        "onnx.save(model, sys.argv[1])\n"
    )
    subprocess.run([sys.executable, "-c", program, str(onnx)], check=True, capture_output=True)


def no_onnx(spec: ModelSpec, served: Path, onnx: Path) -> None:
    onnx.write_bytes(b"no model")


def test_an_engine_that_does_not_agree_is_never_chosen(
    models_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = copy_of(EFFICIENTNET_LITE0, models_dir, tmp_path, engines=False)
    record = prepare(store, EFFICIENTNET_LITE0, convert=perturbed).record
    assert record.choice == "native"
    for name in ENGINES:
        assert "cosine distance" in str(record.results[name].problem)
        assert record.results[name].differences["cosine distance"] > 1e-5
        assert not (store.folder(EFFICIENTNET_LITE0) / FOLDER / name).exists()
        with pytest.raises(ArtifactError, match=f"{name} cannot run efficientnet-lite0: vectors differ"):
            check_models(tmp_path, ["efficientnet-lite0"], engine=name)
    with caplog.at_level(logging.WARNING):
        served = load_encoder(tmp_path, "efficientnet-lite0", threads=1, engine="auto")
    assert served.backend.framework == "pytorch"


def test_what_cannot_be_compiled_is_recorded_with_its_reason(models_dir: Path, tmp_path: Path) -> None:
    store = copy_of(EFFICIENTNET_LITE0, models_dir, tmp_path, engines=False)
    record = prepare(store, EFFICIENTNET_LITE0, ["onnxruntime"], convert=no_onnx).record
    assert record.choice == "native"
    assert str(record.results["onnxruntime"].problem).startswith("it failed: exit status 1: ")
    assert choose(store, EFFICIENTNET_LITE0, "auto").engine == "native"


@pytest.mark.parametrize("name", ["onnxruntime/model.data", "onnxruntime/model.onnx", "openvino/model.bin"])
def test_a_changed_compiled_file_is_found_before_it_is_loaded(
    models_dir: Path, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = copy_of(EFFICIENTNET_LITE0, models_dir, tmp_path, engines=True)
    path = store.folder(EFFICIENTNET_LITE0) / FOLDER / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    wanted = name.split("/", maxsplit=1)[0]
    with pytest.raises(ArtifactError, match="does not match its sha256") as caught:
        load_encoder(tmp_path, "efficientnet-lite0", threads=1, engine=wanted)
    assert str(path) in caught.value.message
    if choose(ModelStore(models_dir), EFFICIENTNET_LITE0, "auto").engine == wanted:
        served = load_encoder(tmp_path, "efficientnet-lite0", threads=1, engine="auto")
        assert served.backend.framework == "pytorch"
        assert [line for line in caplog.messages if "runs natively" in line and str(path) in line]


def test_files_that_fail_although_they_are_whole_do_not_stop_the_service(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The record is right about everything, and the golden image says otherwise."""
    from ml.models.onnxruntime_runtime import OnnxRuntimeBackend

    def other(self: Any, *inputs: np.ndarray) -> np.ndarray:
        return np.ones((len(inputs[0]), 512), np.float32)

    store = copy_of(EFFICIENTNET_LITE0, models_dir, tmp_path, engines=True)
    record = json.loads((store.folder(EFFICIENTNET_LITE0) / RECORD_FILE).read_text())
    (store.folder(EFFICIENTNET_LITE0) / RECORD_FILE).write_text(json.dumps({**record, "choice": "onnxruntime"}))
    monkeypatch.setattr(OnnxRuntimeBackend, "run", other)
    with pytest.raises(ArtifactError, match="does not reproduce its golden output"):
        load_encoder(tmp_path, "efficientnet-lite0", threads=1, engine="onnxruntime")
    served = load_encoder(tmp_path, "efficientnet-lite0", threads=1, engine="auto")
    assert served.backend.framework == "pytorch"
    assert [line for line in caplog.messages if line.startswith("efficientnet-lite0 runs natively: ")]
