"""Every format of the allow-list, by its bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ml.imaging.decode import decode
from tests.unit.ml.photo_files import far_from_upright, quadrants, save

FORMATS: list[tuple[str, str, dict[str, Any], int]] = [
    ("JPEG", "JPEG", {"quality": 95}, 3),
    ("JPEG", "JPEG", {"quality": 95, "progressive": True}, 3),
    ("JPEG", "JPEG", {"quality": 95, "subsampling": 2}, 3),
    ("PNG", "PNG", {}, 0),
    ("WEBP", "WEBP", {"lossless": True}, 0),
    ("WEBP", "WEBP", {"quality": 90}, 8),
    ("GIF", "GIF", {}, 2),
    ("BMP", "BMP", {}, 0),
    ("TIFF", "TIFF", {}, 0),
    ("TIFF", "TIFF", {"compression": "tiff_lzw"}, 0),
    ("TIFF", "TIFF", {"compression": "tiff_adobe_deflate", "big_tiff": True}, 0),
    ("TIFF", "TIFF", {"compression": "jpeg", "quality": 95}, 4),
    ("HEIF", "HEIF", {"quality": 95}, 8),
    ("AVIF", "AVIF", {"quality": 95}, 8),
]


@pytest.mark.parametrize(("name", "kind", "options", "tolerance"), FORMATS)
def test_an_allowed_format_becomes_rgb(name: str, kind: str, options: dict[str, Any], tolerance: int) -> None:
    photo = decode(save(quadrants(), kind, **options))
    assert (photo.format, photo.width, photo.height) == (name, 96, 64)
    assert photo.rgb.shape == (64, 96, 3)
    assert far_from_upright(photo.rgb) <= tolerance


def test_a_lossless_photo_keeps_every_pixel() -> None:
    picture = quadrants(61, 47)
    assert np.array_equal(decode(save(picture, "PNG")).rgb, picture)


def test_the_answer_is_a_plain_array() -> None:
    rgb = decode(save(quadrants(), "WEBP")).rgb
    assert type(rgb) is np.ndarray
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous


def test_bytes_after_the_end_of_a_photo_do_not_matter() -> None:
    plain = save(quadrants(), "JPEG")
    assert np.array_equal(decode(plain + b"<html>left over</html>").rgb, decode(plain).rgb)
