"""What is not on the allow-list is refused, whether Pillow could read it or not."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from PIL import Image

from ml.errors import EmptyImageError, UnsupportedImageError
from ml.imaging.decode import decode
from tests.unit.ml.photo_files import quadrants, save

PSD = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 64, 96, 8, 3) + bytes(12) + b"\0\0" + bytes(3 * 64 * 96)


def test_no_bytes() -> None:
    with pytest.raises(EmptyImageError, match="empty"):
        decode(b"")


@pytest.mark.parametrize("kind", ["JPEG2000", "PPM", "EPS", "PDF", "TGA", "ICO", "PCX", "SGI", "DDS", "ICNS"])
def test_an_image_of_another_format(kind: str) -> None:
    options: dict[str, Any] = {"sizes": [(64, 64)]} if kind == "ICO" else {}
    data = save(Image.fromarray(quadrants()), kind, **options)
    with pytest.raises(UnsupportedImageError, match="Send JPEG, PNG, WebP"):
        decode(data)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_netpbm_of_every_kind(mode: str) -> None:
    with pytest.raises(UnsupportedImageError):
        decode(save(Image.fromarray(quadrants()).convert(mode), "PPM"))


def test_photoshop_that_pillow_could_read() -> None:
    with pytest.raises(UnsupportedImageError):
        decode(PSD)


@pytest.mark.parametrize(
    "data",
    [
        b"<html><body>404</body></html>",
        b'{"image": "none"}',
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"/>',
        b"%PDF-1.7\n",
        b"PK\x03\x04",
        b"\x00" * 64,
        b"a",
        "photo: \N{SNOWMAN}".encode(),
    ],
)
def test_what_is_no_image(data: bytes) -> None:
    with pytest.raises(UnsupportedImageError):
        decode(data)


def test_the_cause_is_kept_for_the_log_and_the_code_is_stable() -> None:
    with pytest.raises(UnsupportedImageError) as caught:
        decode(b"no image")
    assert caught.value.code == "unsupported_image"
    assert caught.value.__cause__ is not None
    assert "no image" not in caught.value.message
