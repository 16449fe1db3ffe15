from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ml.errors import ArtifactError, BackendError
from ml.models.litert_runtime import LiteRTModel

MODELS = Path(__file__).parents[3] / "var" / "models" / "mediapipe-face" / "0.6.0"


@pytest.fixture(scope="module")
def mesh_file() -> Path:
    path = MODELS / "face_landmark.tflite"
    if not path.is_file():
        pytest.skip("run: python -m ml fetch")
    return path


def test_a_missing_file_stops_the_load_and_names_only_the_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"face\.tflite cannot be read") as caught:
        LiteRTModel(tmp_path / "face.tflite")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"junk", b"\x1c\x00\x00\x00TFL3" + bytes(64)])
def test_bytes_that_are_no_model_stop_the_load(content: bytes) -> None:
    with pytest.raises(ArtifactError, match="fetch it again"):
        LiteRTModel(content)


@pytest.mark.models
def test_a_path_and_its_bytes_give_the_same_model(mesh_file: Path) -> None:
    array = np.random.default_rng(0).uniform(0, 1, (1, 192, 192, 3)).astype(np.float32)
    one, other = LiteRTModel(mesh_file), LiteRTModel(mesh_file.read_bytes())
    assert one.input_shape == (1, 192, 192, 3)
    found = one.run(array)
    assert [output.shape for output in found] == [(1, 1, 1, 1404), (1, 1, 1, 1)]
    assert all(np.array_equal(a, b) for a, b in zip(found, other.run(array), strict=True))


@pytest.mark.models
def test_answers_outlive_the_next_run(mesh_file: Path) -> None:
    model = LiteRTModel(mesh_file)
    first = model.run(np.zeros(model.input_shape, np.float32))
    kept = [output.copy() for output in first]
    model.run(np.ones(model.input_shape, np.float32))
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))


@pytest.mark.models
@pytest.mark.parametrize("array", [np.zeros((1, 128, 128, 3), np.float32), np.zeros((1, 192, 192, 3), np.uint8)])
def test_a_wrong_input_is_refused_by_name(mesh_file: Path, array: np.ndarray) -> None:
    with pytest.raises(BackendError, match=r"face_landmark\.tflite takes float32 \(1, 192, 192, 3\)"):
        LiteRTModel(mesh_file).run(array)


@pytest.mark.models
def test_threads_share_a_model_without_mixing_answers(mesh_file: Path) -> None:
    model = LiteRTModel(mesh_file)
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0, 1, model.input_shape).astype(np.float32) for _ in range(8)]
    alone = [model.run(array) for array in arrays]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(model.run, arrays * 4))
    for place, outputs in enumerate(together):
        assert all(np.array_equal(a, b) for a, b in zip(outputs, alone[place % 8], strict=True))
