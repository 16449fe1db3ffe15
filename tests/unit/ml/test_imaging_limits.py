"""Size limits, which are checked on the header before any pixel is decoded; and the size that analysis works on."""

from __future__ import annotations

import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ml.errors import DamagedImageError, ImageError, ImageTooLargeError, ImageTooSmallError
from ml.imaging import decode as images
from ml.imaging.decode import WORKING_SIDE, decode
from ml.imaging.limits import MAX_JPEG_PIXELS, MAX_OTHER_PIXELS
from tests.unit.ml.photo_files import corners, far_from_upright, png, quadrants, save, tiff


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG up to its first scan, without a scan."""
    data = save(quadrants(), "JPEG")
    place = data.index(b"\xff\xc0")
    header = data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]
    return header[: header.index(b"\xff\xda") + 14]


def progressive(baseline: bytes) -> bytes:
    """The same header, of a progressive JPEG."""
    return baseline.replace(b"\xff\xc0", b"\xff\xc2")


def flat_jpeg(width: int, height: int) -> bytes:
    """A grey baseline JPEG, made without its pixels: each block is coded as four bits of no change and no detail."""
    data = save(Image.new("L", (64, 64), 128), "JPEG")
    place = data.index(b"\xff\xc0")
    header = data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]
    start = header.index(b"\xff\xda")
    blocks = -(-width // 8) * -(-height // 8)
    bits = "00" + "1010"  # the standard tables' codes of a difference of zero, and of the end of a block
    coded = int(bits * 4, 2).to_bytes(3, "big") * -(-blocks // 4)
    return header[: start + 10] + coded[: -(-blocks * len(bits) // 8)] + b"\xff\xd9"


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
@pytest.mark.parametrize("size", [(14900, 14900), (16383, 16383)])
def test_a_header_that_claims_too_many_pixels_is_enough_to_refuse(kind: str, size: tuple[int, int]) -> None:
    """There are no pixels in these files: a decoder would call them broken."""
    with pytest.raises(ImageTooLargeError, match="220 million pixels as a JPEG, 64 million in any other") as caught:
        decode(HEADERS[kind](*size))
    assert caught.value.details == {"max_pixels": MAX_JPEG_PIXELS}


@pytest.mark.parametrize("kind", sorted(HEADERS.keys() - {"jpeg"}))
def test_formats_that_are_decoded_in_full_may_have_fewer_pixels(kind: str) -> None:
    with pytest.raises(ImageTooLargeError, match="Send a JPEG or a smaller copy") as caught:
        decode(HEADERS[kind](8001, 8000))
    assert caught.value.details == {"max_pixels": MAX_OTHER_PIXELS}
    with pytest.raises(ImageError, match="damaged"):
        decode(HEADERS[kind](8000, 8000))


def test_a_jpeg_of_200_megapixels_is_read_in_little_memory() -> None:
    """In the memory of its reduced pixels: none of its own 600 MB is ever held. A fresh process knows its peak."""
    code = (
        "import io, resource, sys; from ml.imaging.decode import decode\n"
        "data = sys.stdin.buffer.read()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; photo = decode(data)\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "print(photo.width, photo.height, max(photo.rgb.shape), grown // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=flat_jpeg(16320, 12240), capture_output=True, check=True)
    width, height, side, grown_mib = map(int, done.stdout.split())
    assert (width, height, side) == (16320, 12240, 2040)
    assert grown_mib < 100


def test_a_progressive_jpeg_that_needs_too_much_memory_says_what_to_do() -> None:
    """libjpeg would hold its 600 million coefficients' bytes."""
    with pytest.raises(ImageTooLargeError, match="Save it as a baseline JPEG") as caught:
        decode(progressive(jpeg_header(16320, 12240)))
    assert 90e6 < caught.value.details["max_pixels"] < 100e6  # type: ignore[operator]


def test_a_progressive_jpeg_whose_frame_lists_no_channels_is_damaged() -> None:
    data = progressive(jpeg_header(64, 64))
    place = data.index(b"\xff\xc2")
    with pytest.raises(DamagedImageError):
        decode(data[: place + 2] + b"\0\x08" + data[place + 4 : place + 10] + data[place + 19 :])


def test_a_jpeg_of_more_scans_than_any_encoder_writes_is_refused() -> None:
    """Each of them takes time for the whole photo."""
    whole = save(quadrants(), "JPEG", progressive=True)
    last_scan = whole[whole.rindex(b"\xff\xda") : -2]
    with pytest.raises(DamagedImageError, match="too many scans"):
        decode(whole[:-2] + last_scan * 30 + whole[-2:])


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
