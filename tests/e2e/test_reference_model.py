"""The service's raw lesion probabilities are the published model's own."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.server import Server, skin_photo


@pytest.fixture(scope="module")
def reference(var_folder: Path):
    """The Keras model as its authors run it: ``tf.image.resize``, no metadata known."""
    from ml.models.tensorflow_runtime import tf

    (path,) = (var_folder / "models" / "sklesion").glob("*/source/model.keras")
    model = tf.keras.models.load_model(path, compile=False)
    unknown = tf.constant([[0, 0, 1, 0, 0, 0, 0, 1, 51.906 / 90, 1]], tf.float32)

    def probabilities(photo: bytes) -> dict[str, float]:
        pixels = np.asarray(Image.open(io.BytesIO(photo)).convert("RGB"))
        resized = tf.image.resize(tf.constant(pixels)[None], (254, 254))
        found = model([resized, unknown], training=False).numpy()[0]
        return dict(zip(("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"), map(float, found), strict=True))

    return probabilities


def served(server: Server, photo: bytes) -> dict[str, float]:
    asked = {"modality": "dermatoscopic", "detail": "full"}
    lesion = server.post(files={"image": photo}, data=asked).json()["lesion"]
    return {one["code"]: one["probability"] for one in lesion["raw_predictions"]}


@pytest.mark.parametrize(("width", "height"), [(224, 224), (600, 450), (211, 301), (1500, 1100)])
def test_made_photos(server: Server, reference, width: int, height: int) -> None:
    photo = skin_photo(width, height, kind="PNG")
    assert served(server, photo) == pytest.approx(reference(photo), abs=1e-4)


def test_dermatoscopic_photos(server: Server, reference, shared_data: Path) -> None:
    for path in sorted((shared_data / "isic").glob("*.jpg"))[::7]:
        photo = path.read_bytes()
        assert served(server, photo) == pytest.approx(reference(photo), abs=1e-3), path.name
