"""The service's raw lesion probabilities are the published model's own."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.server import Server, skin_photo

CODES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
#: facts that a request states, and the model's ten numbers for them
PERSON = {"age": "45", "sex": "female", "body_site": "trunk"}
STATED = [1, 0, 0, 0, 0, 0, 1, 0, 45 / 90, 0]
#: the means of the training set, which stand for unknown facts
MEANS = [4552 / 9958, 5406 / 9958, 0, 1215 / 9781, 1097 / 9781, 2444 / 9781, 5025 / 9781, 0, 51.906 / 90, 0]

Reference = Callable[..., dict[str, float]]


@pytest.fixture(scope="module")
def reference(var_folder: Path) -> Reference:
    """The Keras model as its authors run it, with ``tf.image.resize``."""
    from ml.models.tensorflow_runtime import tf

    (path,) = (var_folder / "models" / "sklesion").glob("*/source/model.keras")
    model = tf.keras.models.load_model(path, compile=False)

    def probabilities(photo: bytes, person: list[float], *, flips: bool = False) -> dict[str, float]:
        pixels = np.asarray(Image.open(io.BytesIO(photo)).convert("RGB"))
        views = [pixels, pixels[:, ::-1], pixels[::-1], pixels[::-1, ::-1]] if flips else [pixels]
        resized = tf.image.resize(tf.constant(np.stack(views)), (254, 254))
        found = model([resized, tf.constant([person] * len(views), tf.float32)], training=False).numpy().mean(axis=0)
        return dict(zip(CODES, map(float, found), strict=True))

    return probabilities


def served(server: Server, photo: bytes, *, detail: str = "full", **person: str) -> dict[str, float]:
    asked = {"modality": "dermatoscopic", "detail": detail, **person}
    lesion = server.post(files={"image": photo}, data=asked).json()["lesion"]
    return {one["code"]: one["probability"] for one in lesion["raw_predictions"]}


@pytest.mark.parametrize(("width", "height"), [(224, 224), (600, 450), (211, 301), (1500, 1100)])
def test_made_photos(server: Server, reference: Reference, width: int, height: int) -> None:
    photo = skin_photo(width, height, kind="PNG")
    assert served(server, photo, **PERSON) == pytest.approx(reference(photo, STATED), abs=1e-4)


def test_unknown_facts_are_their_means(server: Server, reference: Reference) -> None:
    photo = skin_photo(600, 450, kind="PNG")
    assert served(server, photo) == pytest.approx(reference(photo, MEANS), abs=1e-4)


def test_a_thorough_answer_is_the_mean_over_the_mirror_images(server: Server, reference: Reference) -> None:
    photo = skin_photo(600, 450, kind="PNG")
    expected = reference(photo, STATED, flips=True)
    assert served(server, photo, detail="thorough", **PERSON) == pytest.approx(expected, abs=1e-4)
    assert expected != pytest.approx(reference(photo, STATED), abs=1e-4)


def test_dermatoscopic_photos(server: Server, reference: Reference, shared_data: Path) -> None:
    for path in sorted((shared_data / "isic").glob("*.jpg"))[::7]:
        photo = path.read_bytes()
        assert served(server, photo, **PERSON) == pytest.approx(reference(photo, STATED), abs=1e-3), path.name
