"""A small model with Derm Foundation's signature goes the whole way: a folder, the store, the loader, embeddings.

The signature is the published one: ``inputs``, serialized tf.Examples that hold ``image/encoded``, to ``embedding``
of 6144 numbers. Here they are a fixed projection of the picture's mean colour and of its upper left pixel.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.errors import ArtifactError, ModelError
from ml.models.loading import load_encoder
from ml.models.preprocess import resize
from ml.models.registry import DERM_FOUNDATION
from ml.models.store import ModelStore
from ml.values import RGB
from tests.integration.conftest import lesion_photo

PROJECTION = np.random.default_rng(11).normal(size=(6, 6144)).astype(np.float32)


def save_look_alike(folder: Path, output: str = "embedding", dimension: int = 6144) -> None:
    from ml.models.tensorflow_runtime import tf

    module = tf.Module()
    module.projection = tf.Variable(PROJECTION[:, :dimension])

    def features(example: tf.Tensor) -> tf.Tensor:
        encoded = tf.io.parse_single_example(example, {"image/encoded": tf.io.FixedLenFeature([], tf.string)})
        picture = tf.ensure_shape(tf.io.decode_png(encoded["image/encoded"], channels=3), (448, 448, 3))
        values = tf.cast(picture, tf.float32) / 255
        return tf.concat([tf.reduce_mean(values, (0, 1)), values[0, 0]], axis=0)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="inputs")])
    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.map_fn(features, inputs, fn_output_signature=tf.TensorSpec((6,), tf.float32))
        return {output: rows @ module.projection}

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def expected(photo: RGB) -> np.ndarray:
    picture = np.rint(resize(photo, 448, 448, "area")) / 255
    vector = np.concatenate([picture.mean(axis=(0, 1)), picture[0, 0]]) @ PROJECTION
    return vector / np.linalg.norm(vector)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with the look-alike, fetched from a folder as a user would."""
    origin, target = tmp_path_factory.mktemp("origin"), tmp_path_factory.mktemp("models")
    save_look_alike(origin)
    assert ModelStore(target).fetch(DERM_FOUNDATION, str(origin))
    return target


def test_embeddings_have_the_published_dimension_and_are_the_models_own(models: Path) -> None:
    encoder = load_encoder(models, "derm-foundation", threads=1)
    photos = [lesion_photo(600, 451), lesion_photo(97, 301, seed=1), lesion_photo(448, 448, seed=2)]
    found = encoder.embed(photos)
    assert found.shape == (3, 6144)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    for vector, photo in zip(found, photos, strict=True):
        assert np.abs(vector - expected(photo)).max() < 1e-5


def test_red_stays_red(models: Path) -> None:
    """Colours reach the model in their order."""
    encoder = load_encoder(models, "derm-foundation", threads=1)
    red, blue = np.zeros((2, 50, 50, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 255
    found = encoder.embed([red, blue])
    assert found[0] @ expected(red) == pytest.approx(1, abs=1e-5)
    assert found[0] @ expected(blue) < 0.5


def test_the_fingerprint_is_that_of_its_files(models: Path) -> None:
    encoder = load_encoder(models, "derm-foundation", threads=1)
    files = ModelStore(models).verify(DERM_FOUNDATION).files
    assert encoder.fingerprint == DERM_FOUNDATION.fingerprint(files)
    assert len(files) == len(DERM_FOUNDATION.needed)


def test_another_models_signature_is_refused(tmp_path: Path) -> None:
    save_look_alike(tmp_path / "origin", output="logits")
    ModelStore(tmp_path / "models").fetch(DERM_FOUNDATION, str(tmp_path / "origin"))
    with pytest.raises(ArtifactError, match=r"gives \['logits'\]; \['inputs'\] → 'embedding' was expected"):
        load_encoder(tmp_path / "models", "derm-foundation", threads=1)


def test_another_dimension_is_refused(tmp_path: Path) -> None:
    save_look_alike(tmp_path / "origin", dimension=128)
    ModelStore(tmp_path / "models").fetch(DERM_FOUNDATION, str(tmp_path / "origin"))
    with pytest.raises(ModelError, match="not 1 × 6144"):
        load_encoder(tmp_path / "models", "derm-foundation", threads=1)
