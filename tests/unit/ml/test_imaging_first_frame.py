"""Files of several pictures: the first frame, or the primary picture, is the photo."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from ml.imaging.decode import decode
from tests.unit.ml.photo_files import far_from_upright, quadrants, save

FRAMES = [Image.new("RGB", (96, 64), colour) for colour in ("black", "white")]


@pytest.mark.parametrize(
    ("kind", "name", "tolerance", "options"),
    [
        ("GIF", "GIF", 2, {"duration": 50}),
        ("PNG", "PNG", 0, {"duration": 50}),
        ("PNG", "PNG", 0, {"duration": 50, "default_image": True}),
        ("WEBP", "WEBP", 0, {"lossless": True}),
        ("AVIF", "AVIF", 8, {"quality": 95}),
        ("HEIF", "HEIF", 8, {"quality": 95}),
        ("TIFF", "TIFF", 0, {}),
        ("MPO", "MPO", 6, {"quality": 95}),
    ],
)
def test_the_first_picture_is_taken(kind: str, name: str, tolerance: int, options: dict[str, Any]) -> None:
    data = save(Image.fromarray(quadrants()), kind, save_all=True, append_images=FRAMES, **options)
    photo = decode(data)
    assert (photo.format, photo.width, photo.height) == (name, 96, 64)
    assert far_from_upright(photo.rgb) <= tolerance


def test_heifs_primary_picture_is_taken_wherever_it_stands() -> None:
    others = [FRAMES[0], Image.fromarray(quadrants())]
    data = save(FRAMES[1], "HEIF", save_all=True, append_images=others, primary_index=2, quality=95)
    assert far_from_upright(decode(data).rgb) <= 8


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_animations_of_any_mode(mode: str) -> None:
    """Grey 102 is a colour of the standard palette, so that every mode can hold it."""
    first, *others = [Image.new("RGB", (40, 40), (level,) * 3).convert(mode) for level in (102, 0, 255)]
    data = save(first, "GIF", save_all=True, append_images=others)
    assert decode(data).rgb[20, 20].tolist() == [102, 102, 102]
