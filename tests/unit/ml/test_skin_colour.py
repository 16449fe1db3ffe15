from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2lab

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import (
    illuminant,
    linear_to_lab,
    linear_to_lightness_and_b,
    optical_density,
    srgb_to_linear,
    working_copy,
)
from ml.values import RGB, Floats
from tests.unit.ml.skin_images import MONK, colour


def rgb_to_lab(rgb: RGB) -> Floats:
    return linear_to_lab(srgb_to_linear(rgb))


EVERY_CODE = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)


def test_srgb_survives_the_way_to_linear_light_and_back() -> None:
    assert np.array_equal(linear_to_srgb(srgb_to_linear(EVERY_CODE)), EVERY_CODE)


def test_linear_light_of_known_codes() -> None:
    known = srgb_to_linear(np.array([0, 10, 128, 255], np.uint8))
    assert known == pytest.approx([0, 10 / 255 / 12.92, 0.2158605, 1], abs=1e-6)


def test_lab_agrees_with_scikit_image() -> None:
    rgb = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.abs(rgb_to_lab(rgb) - rgb2lab(rgb)).max() < 0.01


def test_lab_of_greys_has_no_chroma() -> None:
    assert np.abs(rgb_to_lab(EVERY_CODE)[..., 1:]).max() < 1e-3


def test_lab_lightness_of_the_monk_swatches() -> None:
    lightness = [float(rgb_to_lab(colour(swatch)[None, None])[0, 0, 0]) for swatch in MONK]
    assert lightness == pytest.approx([94.2, 92.3, 93.1, 87.6, 77.9, 55.1, 42.5, 30.7, 21.1, 14.6], abs=0.05)


def test_optical_density_is_finite_and_falls_with_light() -> None:
    density = optical_density(EVERY_CODE)[0, :, 0]
    assert np.isfinite(density).all()
    assert (np.diff(density) < 0).all()
    assert density[255] == pytest.approx(0, abs=1e-6)


def _greys_under(light: tuple[float, float, float]) -> np.ndarray:
    greys = np.random.default_rng(1).uniform(0.02, 0.6, (48, 48, 1)).astype(np.float32)
    return linear_to_srgb(greys * np.array(light, np.float32))


@given(st.tuples(*[st.floats(0.5, 1.0)] * 3))
def test_a_cast_over_greys_is_found_and_removed(light: tuple[float, float, float]) -> None:
    photo = _greys_under(light)
    found = illuminant(photo)
    assert found is not None
    assert found == pytest.approx(np.array(light) / np.linalg.norm(light), abs=0.01)
    _, b = linear_to_lightness_and_b(srgb_to_linear(photo), found)
    assert np.abs(b).max() < 1.5


def test_neutral_light_is_left_alone() -> None:
    photo = _greys_under((1, 1, 1))
    linear = srgb_to_linear(photo)
    balanced = linear_to_lightness_and_b(linear, illuminant(photo))
    for corrected, plain in zip(balanced, linear_to_lightness_and_b(linear), strict=True):
        assert corrected == pytest.approx(plain, abs=0.5)


@pytest.mark.parametrize("code", [0, 255])
def test_no_light_is_told_from_black_or_blown_out_photos(code: int) -> None:
    assert illuminant(np.full((8, 8, 3), code, np.uint8)) is None


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1000, 2000), (256, 512)), ((2000, 500), (512, 128)), ((300, 200), (300, 200)), ((2, 4000), (1, 512))],
)
def test_the_working_copy_has_a_long_side_of_at_most_512(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert working_copy(np.zeros((*size, 3), np.uint8)).shape[:2] == expected
