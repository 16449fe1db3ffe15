"""Photos → a model's batch: size, crop, scale and layout, and the resampling that the models were trained with."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.models.preprocess import resize, to_batch
from ml.models.registry import DERMLIP, EFFICIENTNET_LITE0
from ml.models.spec import PreprocessSpec
from tests.unit.ml.photo_files import far_from_upright, noise, quadrants


def at_half_pixel_centres(photo: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float64]:
    """Bilinear samples at half-pixel centres, without smoothing, edges repeated: what ``tf.image.resize`` documents."""

    def places(target: int, source: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
        at = (np.arange(target) + 0.5) * source / target - 0.5
        low = np.floor(at).astype(int)
        return low.clip(0, source - 1), (low + 1).clip(0, source - 1), at - low

    (top, bottom, down), (left, right, across) = places(height, photo.shape[0]), places(width, photo.shape[1])
    values = photo.astype(np.float64)
    across = across[None, :, None]
    upper = values[top][:, left] * (1 - across) + values[top][:, right] * across
    lower = values[bottom][:, left] * (1 - across) + values[bottom][:, right] * across
    return upper * (1 - down[:, None, None]) + lower * down[:, None, None]


@pytest.mark.parametrize("source", [(254, 254), (40, 60), (300, 200), (1, 7), (777, 33), (1023, 511)])
def test_bilinear_samples_at_half_pixel_centres(source: tuple[int, int]) -> None:
    photo = noise(source[1], source[0])
    found = resize(photo, 97, 120, "bilinear")
    assert np.abs(found - at_half_pixel_centres(photo, 97, 120)).max() < 0.02


def test_area_is_the_mean_of_what_it_covers() -> None:
    photo = noise(60, 40)
    blocks = photo.reshape(10, 4, 20, 3, 3).mean(axis=(1, 3))
    assert resize(photo, 10, 20, "area") == pytest.approx(blocks, abs=1e-3)


def test_area_grows_smoothly() -> None:
    photo = noise(20, 20)
    assert np.array_equal(resize(photo, 50, 50, "area"), resize(photo, 50, 50, "bilinear"))


def test_bicubic_smooths_what_it_could_not_sample() -> None:
    """One-pixel stripes shrunk eight times are their mean."""
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(resize(stripes, 64, 64, "bicubic") - 100).max() < 0.5


@pytest.mark.parametrize("interpolation", ["area", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(32, 2048), (2048, 32), (1, 2048), (50, 50)])
def test_an_even_photo_stays_even_at_every_size(interpolation: str, size: tuple[int, int]) -> None:
    photo = np.full((*size, 3), 137, np.uint8)
    resized = resize(photo, 224, 224, interpolation)
    assert resized.shape == (224, 224, 3)
    assert np.abs(resized - 137).max() < 1e-3


def test_nothing_is_rounded_on_the_way() -> None:
    ramp = np.repeat(np.array([[[0], [1]]], np.uint8), 3, axis=2)
    assert 0 < resize(ramp, 1, 5, "bilinear")[0, 2, 0] < 1


def test_values_are_scaled_as_the_spec_says() -> None:
    photo = np.full((30, 30, 3), (127, 255, 0), np.uint8)
    batch = to_batch([photo], EFFICIENTNET_LITE0.preprocess)
    assert batch.shape == (1, 3, 224, 224)
    assert batch[0, :, 100, 100] == pytest.approx([0, 1, -127 / 128])


def test_layouts_hold_the_same_numbers() -> None:
    photos = [noise(30, 20), noise(50, 40, seed=1)]
    last = to_batch(photos, PreprocessSpec(size=(16, 24)))
    first = to_batch(photos, PreprocessSpec(size=(16, 24), layout="NCHW"))
    assert last.shape == (2, 16, 24, 3)
    assert np.array_equal(first, last.transpose(0, 3, 1, 2))
    assert first.flags.c_contiguous


def test_stretch_shows_the_whole_photo() -> None:
    batch = to_batch([quadrants(300, 90)], PreprocessSpec(size=(64, 64)))
    assert far_from_upright(np.rint(batch[0]).astype(np.uint8)) <= 1


@pytest.mark.parametrize("shape", [(90, 300), (300, 90)])
def test_centre_crop_keeps_proportions_and_the_middle(shape: tuple[int, int]) -> None:
    """A bright middle square of the shorter side fills the crop; the ends are cut off."""
    photo = np.zeros((*shape, 3), np.uint8)
    rows, columns = (slice((n - 90) // 2, (n + 90) // 2) for n in shape)
    photo[rows, columns] = 200
    batch = to_batch([photo], PreprocessSpec(size=(45, 45), fit="center_crop"))
    assert batch.shape == (1, 45, 45, 3)
    assert (batch[0, 2:-2, 2:-2] == 200).all()


@pytest.mark.parametrize("shape", [(1, 2048), (2048, 1), (3, 1000), (31, 47), (224, 225), (448, 223)])
def test_centre_crop_has_the_models_size_whatever_the_photos(shape: tuple[int, int]) -> None:
    assert to_batch([np.zeros((*shape, 3), np.uint8)], DERMLIP.preprocess).shape == (1, 3, 224, 224)


@pytest.mark.parametrize("shape", [(1, 2048), (2048, 1)])
def test_a_thin_strip_takes_no_gigabytes(shape: tuple[int, int]) -> None:
    tracemalloc.start()
    try:
        to_batch([np.zeros((*shape, 3), np.uint8)], DERMLIP.preprocess)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()
