from __future__ import annotations

import numpy as np
import pytest

from ml.errors import ModelError
from ml.models.encoder import Encoder
from tests.unit.ml.photo_files import noise, quadrants
from tests.unit.ml.tiny_models import DIMENSION, ENCODER_SPEC, RecordingRuntime, tiny_encoder


def test_embeddings_have_unit_length_and_one_row_a_photo() -> None:
    vectors = tiny_encoder().embed([quadrants(), noise(50, 40), noise(33, 90, seed=1)])
    assert vectors.shape == (3, DIMENSION)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)


def test_a_photos_embedding_does_not_depend_on_its_neighbours() -> None:
    photos = [noise(40, 40, seed) for seed in range(11)]
    encoder = tiny_encoder()
    alone = np.concatenate([encoder.embed([photo]) for photo in photos])
    assert encoder.embed(photos) == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_an_embedding_without_direction_is_an_error(value: float) -> None:
    runtime = RecordingRuntime(lambda batch: np.full((len(batch), DIMENSION), value, np.float32))
    with pytest.raises(ModelError, match="no usable embedding"):
        Encoder(ENCODER_SPEC, runtime, "").embed([quadrants()])


def test_another_number_of_dimensions_is_an_error() -> None:
    runtime = RecordingRuntime(lambda batch: np.ones((len(batch), DIMENSION + 1), np.float32))
    with pytest.raises(ModelError, match="17"):
        Encoder(ENCODER_SPEC, runtime, "").embed([quadrants()])
