"""Pixel modes → RGB, without a file between."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ml.imaging.pixel_formats import to_rgb


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F"])
def test_every_mode_becomes_rgb_of_the_same_size(mode: str) -> None:
    image = Image.new("RGB", (7, 5), (200, 120, 40)).convert("P" if mode == "PA" else mode).convert(mode)
    found = to_rgb(image)
    assert (found.mode, found.size) == ("RGB", (7, 5))


def test_rgb_is_left_as_it_is() -> None:
    image = Image.new("RGB", (3, 3), (1, 2, 3))
    assert to_rgb(image) is image


@pytest.mark.parametrize(
    ("bits", "value", "expected"), [(16, 65535, 255), (16, 257, 1), (12, 4095, 255), (10, 1023, 255)]
)
def test_deep_greys_are_scaled_by_their_bits(bits: int, value: int, expected: int) -> None:
    image = Image.fromarray(np.full((2, 2), value, np.uint16))
    assert to_rgb(image, bits).getpixel((0, 0)) == (expected,) * 3


def test_samples_beyond_the_stated_bits_are_clipped() -> None:
    image = Image.fromarray(np.array([[4096, 65535]], np.uint16))
    assert to_rgb(image, 12).getpixel((1, 0)) == (255, 255, 255)


def test_an_even_float_image_is_black_rather_than_an_error() -> None:
    assert to_rgb(Image.new("F", (2, 2), 0.25)).getpixel((0, 0)) == (0, 0, 0)
