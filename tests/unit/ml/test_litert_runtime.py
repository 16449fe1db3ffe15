from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ml.errors import ArtifactError, ModelError
from ml.models.litert_runtime import LiteRTModel
from ml.models.runtime import run

MODELS = Path(__file__).parents[3] / "var" / "models" / "mediapipe-face" / "0.6.0"


@pytest.fixture(scope="module")
def mesh_file() -> Path:
    path = MODELS / "face_landmark.tflite"
    if not path.is_file():
        pytest.skip("run: python -m ml fetch")
    return path


def test_a_missing_file_stops_the_load_and_names_only_the_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"face\.tflite cannot be loaded by LiteRT .* Fetch it again") as caught:
        LiteRTModel(tmp_path / "face.tflite")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"junk", b"\x1c\x00\x00\x00TFL3" + bytes(64)])
def test_a_file_that_is_no_model_stops_the_load(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "face.tflite").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"face\.tflite cannot be loaded by LiteRT .* Fetch it again"):
        LiteRTModel(tmp_path / "face.tflite")


SHAPE = (1, 192, 192, 3)


@pytest.mark.models
def test_numpy_in_numpy_out(mesh_file: Path) -> None:
    model = LiteRTModel(mesh_file)
    found = model.run(np.random.default_rng(0).uniform(0, 1, SHAPE).astype(np.float32))
    assert [output.shape for output in found] == [(1, 1, 1, 1404), (1, 1, 1, 1)]
    assert {output.dtype for output in found} == {np.dtype(np.float32)}
    assert (model.name, model.version.count(".") >= 1) == ("litert", True)


@pytest.mark.models
def test_answers_outlive_the_next_run(mesh_file: Path) -> None:
    model = LiteRTModel(mesh_file)
    first = model.run(np.zeros(SHAPE, np.float32))
    kept = [output.copy() for output in first]
    model.run(np.ones(SHAPE, np.float32))
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))


@pytest.mark.models
@pytest.mark.parametrize("array", [np.zeros((1, 128, 128, 3), np.float32), np.zeros(SHAPE, np.uint8)])
def test_a_wrong_input_is_an_error_and_the_next_run_works(mesh_file: Path, array: np.ndarray) -> None:
    model = LiteRTModel(mesh_file)
    with pytest.raises(ModelError, match="the mesh failed on this photo"):
        run("the mesh", model, array)
    assert model.run(np.zeros(SHAPE, np.float32))


@pytest.mark.models
def test_threads_share_a_model_without_mixing_answers(mesh_file: Path) -> None:
    model = LiteRTModel(mesh_file)
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0, 1, SHAPE).astype(np.float32) for _ in range(8)]
    alone = [model.run(array) for array in arrays]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(model.run, arrays * 4))
    for place, outputs in enumerate(together):
        assert all(np.array_equal(a, b) for a, b in zip(outputs, alone[place % 8], strict=True))
