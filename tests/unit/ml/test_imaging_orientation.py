"""EXIF orientation: whatever way the camera was held, the photo comes out upright, and its size is the upright one."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ml.imaging import decode as images
from ml.imaging.decode import decode
from tests.unit.ml.photo_files import far_from_upright, orientation_exif, quadrants, save, stored_in

#: format → how far its compression may move a flat colour
FORMATS = {"JPEG": 6, "PNG": 0, "WEBP": 8, "TIFF": 0, "AVIF": 8, "HEIF": 8, "MPO": 6}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", FORMATS)
def test_every_orientation_comes_out_upright(kind: str, orientation: int) -> None:
    """HEIF and AVIF hold the turn in their own way; their writers move the tag there, and it counts once."""
    data = save(stored_in(orientation, quadrants()), kind, exif=orientation_exif(orientation).tobytes())
    photo = decode(data)
    assert (photo.width, photo.height) == (96, 64)
    assert photo.rgb.shape == (64, 96, 3)
    assert far_from_upright(photo.rgb) <= FORMATS[kind]


@pytest.mark.parametrize("orientation", [0, 9, 77, 65535])
def test_an_impossible_orientation_is_ignored(orientation: int) -> None:
    photo = decode(save(quadrants(), "JPEG", exif=orientation_exif(orientation)))
    assert (photo.width, photo.height) == (96, 64)
    assert far_from_upright(photo.rgb) <= 6


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\xff" * 60])
def test_broken_exif_does_not_cost_the_photo(exif: bytes) -> None:
    assert far_from_upright(decode(save(quadrants(), "JPEG", exif=exif)).rgb) <= 6


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "I;16", "CMYK"])
def test_a_turned_photo_of_any_mode_has_its_size_swapped(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    image = Image.fromarray(stored_in(6, quadrants())).convert("I" if mode == "I;16" else mode)
    image = image if mode != "I;16" else Image.fromarray(np.asarray(image, np.uint16) * 257)
    photo = decode(save(image, kind, exif=orientation_exif(6)))
    assert (photo.width, photo.height) == (96, 64)
    assert photo.rgb.shape == (64, 96, 3)
    brightest = photo.rgb.mean(axis=2)
    assert brightest[48:, 60:].mean() > brightest[:32].mean()


def test_size_is_the_uprights_when_the_photo_is_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "WORKING_SIDE", 48)
    photo = decode(save(stored_in(6, quadrants(192, 128)), "JPEG", exif=orientation_exif(6)))
    assert (photo.width, photo.height) == (192, 128)
    assert photo.rgb.shape == (32, 48, 3)
    assert far_from_upright(photo.rgb) <= 10
