"""The served encoder gives what the published EfficientNet-Lite0 module computes, taken from its own stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ml.models.encoder import Encoder
from ml.models.golden import golden_image
from ml.models.registry import EFFICIENTNET_LITE0
from ml.models.store import ModelStore
from ml.values import RGB
from tests.integration.conftest import lesion_photo

pytestmark = pytest.mark.models

Reference = Callable[[RGB], np.ndarray]


@pytest.fixture(scope="module")
def reference(models_dir: Path) -> Reference:
    """The module of the package with its weights; the two stages are overheard while it runs as a whole."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    (weights,) = (ModelStore(models_dir).folder(EFFICIENTNET_LITE0) / "source").glob("*.pth")
    network.load_state_dict(torch.load(weights, weights_only=True))
    heard: dict[str, np.ndarray] = {}
    for name, block in (("192", network._blocks[-2]), ("320", network._blocks[-1])):
        block.register_forward_hook(lambda _, __, output, name=name: heard.update({name: output.numpy()}))

    def vector(photo: RGB) -> np.ndarray:
        shrinks = photo.shape[0] >= 224 and photo.shape[1] >= 224
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = cv2.resize(photo.astype(np.float32), (224, 224), interpolation=how)
        with torch.inference_mode():
            network(torch.from_numpy(((resized - 127) / 128).transpose(2, 0, 1)[None].copy()))
        pooled = [heard[name][0].mean(axis=(1, 2)) for name in ("192", "320")]
        joined = np.concatenate([part / np.linalg.norm(part) for part in pooled])
        return joined / np.linalg.norm(joined)

    return vector


@pytest.mark.parametrize("size", [(224, 224), (600, 451), (97, 301), (1023, 767), (33, 1200), (2048, 1365), (64, 64)])
def test_photos_of_every_size(encoder: Encoder, reference: Reference, size: tuple[int, int]) -> None:
    photo = lesion_photo(*size, seed=size[0])
    (found,) = encoder.embed([photo])
    assert found.shape == (512,)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    assert 1 - found @ reference(photo) < 1e-4


def test_the_recorded_golden_vector_is_the_references(reference: Reference, models_dir: Path) -> None:
    recorded = np.array(ModelStore(models_dir).manifest(EFFICIENTNET_LITE0).golden)
    assert 1 - recorded @ reference(golden_image()) < 1e-5


def test_different_photos_have_different_vectors(encoder: Encoder) -> None:
    vectors = encoder.embed([lesion_photo(300, 200, seed) for seed in range(6)])
    similarity = vectors @ vectors.T
    assert similarity[~np.eye(6, dtype=bool)].max() < 0.999


def test_a_photo_is_more_like_itself_darker_than_like_another(encoder: Encoder) -> None:
    photo, other = lesion_photo(300, 200, seed=1), lesion_photo(300, 200, seed=2)
    vector, darker, another = encoder.embed([photo, (photo * 0.9).astype(np.uint8), other])
    assert vector @ darker > vector @ another
