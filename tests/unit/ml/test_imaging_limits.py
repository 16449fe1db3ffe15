"""Size limits: told from the header, before any pixel is decoded; and the size that analysis works on."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from ml.errors import ImageError, ImageTooLargeError, ImageTooSmallError
from ml.imaging import decode as images
from ml.imaging.decode import MAX_PIXELS, WORKING_SIDE, decode
from tests.unit.ml.photo_files import corners, far_from_upright, png, quadrants, save, tiff


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG up to its first scan, without a scan."""
    data = save(quadrants(), "JPEG")
    place = data.index(b"\xff\xc0")
    header = data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]
    return header[: header.index(b"\xff\xda") + 14]


def gif_header(width: int, height: int) -> bytes:
    return (
        b"GIF89a"
        + struct.pack("<HH", width, height)
        + b"\0\0\0,\0\0\0\0"
        + struct.pack("<HH", width, height)
        + b"\0\2\0"
    )


def bmp_header(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6)


def webp_header(width: int, height: int) -> bytes:
    data = save(quadrants(), "WEBP", lossless=True)
    place = data.index(b"VP8L") + 9
    size = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return data[:place] + size + data[place + 4 :]


HEADERS = {
    "png": lambda width, height: png(width, height, bits=8, colour=2, rows=b""),
    "jpeg": jpeg_header,
    "gif": gif_header,
    "bmp": bmp_header,
    "tiff": lambda width, height: tiff(width, height, bits=8, data=b"0"),
    "webp": webp_header,
}


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize("size", [(6325, 6325), (16000, 9000), (16383, 16383)])
def test_a_header_that_claims_too_many_pixels_is_enough_to_refuse(kind: str, size: tuple[int, int]) -> None:
    """There are no pixels in these files: a decoder would call them broken."""
    with pytest.raises(ImageTooLargeError, match="40 million pixels") as caught:
        decode(HEADERS[kind](*size))
    assert caught.value.details == {"max_pixels": MAX_PIXELS}


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sizes_that_no_memory_could_hold(kind: str) -> None:
    with pytest.raises(ImageError):
        decode(HEADERS[kind](2**31 - 1, 2**31 - 1))


def test_the_limit_is_on_pixels_and_may_be_lower() -> None:
    data = save(quadrants(96, 64), "PNG")
    assert decode(data, max_pixels=96 * 64).width == 96
    with pytest.raises(ImageTooLargeError) as caught:
        decode(data, max_pixels=96 * 64 - 1)
    assert caught.value.details == {"max_pixels": 96 * 64 - 1}


@pytest.mark.parametrize("size", [(31, 200), (200, 31), (1, 1), (1, 5000)])
def test_a_side_that_is_too_short(size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooSmallError, match="at least 32") as caught:
        decode(save(Image.new("RGB", size), "PNG"))
    assert caught.value.details == {"width": size[0], "height": size[1], "min_side": 32}


def test_the_shortest_side_that_is_allowed() -> None:
    assert decode(save(quadrants(32, 32), "PNG")).rgb.shape == (32, 32, 3)
    assert decode(save(quadrants(8, 9), "PNG"), min_side=8).rgb.shape == (9, 8, 3)


def test_a_large_photo_keeps_its_size_and_is_worked_on_reduced() -> None:
    photo = decode(save(quadrants(5000, 3000), "PNG", compress_level=1))
    assert (photo.width, photo.height) == (5000, 3000)
    assert photo.rgb.shape == (round(3000 * WORKING_SIDE / 5000), WORKING_SIDE, 3)
    assert far_from_upright(photo.rgb) == 0


@pytest.mark.parametrize("width", [WORKING_SIDE - 1, WORKING_SIDE, WORKING_SIDE + 1])
def test_only_what_is_larger_is_reduced(width: int) -> None:
    photo = decode(save(quadrants(width, 40), "PNG"))
    assert photo.rgb.shape[1] == min(width, WORKING_SIDE)
    assert photo.width == width


@pytest.mark.parametrize("side", [64, 100, 150, 199])
def test_a_jpeg_decoded_at_a_fraction_shows_the_same_as_a_png(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The JPEG decoder skips what would be thrown away; shapes and colours must not notice."""
    monkeypatch.setattr(images, "WORKING_SIDE", side)
    picture = quadrants(800, 600)
    jpeg, exact = decode(save(picture, "JPEG", quality=95)), decode(save(picture, "PNG"))
    assert (jpeg.width, jpeg.height) == (exact.width, exact.height) == (800, 600)
    assert jpeg.rgb.shape == exact.rgb.shape
    assert max(jpeg.rgb.shape) == side
    assert np.abs(np.array(list(corners(jpeg.rgb).values())) - list(corners(exact.rgb).values())).max() <= 3


def test_reducing_averages_rather_than_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fine stripes become their mean, not the stripes that happen to be sampled."""
    monkeypatch.setattr(images, "WORKING_SIDE", 64)
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(decode(save(stripes, "PNG")).rgb.astype(int) - 100).max() <= 1


def test_a_strip_of_a_million_pixels_length_is_read() -> None:
    photo = decode(save(Image.new("L", (100_000, 32), 90), "PNG"))
    assert (photo.width, photo.height) == (100_000, 32)
    assert photo.rgb.shape == (1, WORKING_SIDE, 3)
