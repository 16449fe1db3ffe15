"""Raw files are refused by name; their thumbnails are never analysed. Ordinary TIFFs still work."""

from __future__ import annotations

import struct
import tracemalloc
from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ml.errors import DamagedImageError, UnsupportedImageError
from ml.imaging.containers import is_raw
from ml.imaging.decode import decode
from tests.unit.ml.photo_files import quadrants, save

RAW = "raw file. Send a JPEG or HEIC"
DNG = {50706: b"\x01\x04\0\0"}
CAMERA_THUMBNAIL = {254: 1, 271: "NIKON CORPORATION"}


def tiff_with(tags: dict[int, Any]) -> bytes:
    directory = ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[tag] = value
    return save(Image.fromarray(quadrants()), "TIFF", tiffinfo=directory)


@pytest.mark.parametrize("tags", [DNG, CAMERA_THUMBNAIL])
def test_a_raw_file_in_a_tiff_is_refused(tags: dict[int, Any]) -> None:
    with pytest.raises(UnsupportedImageError, match=RAW):
        decode(tiff_with(tags))


def nested(order: str, first: dict[int, int], below: dict[int, int]) -> bytes:
    """A TIFF of two directories of whole numbers, without any pixels: the second one is the first one's SubIFD."""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    second = 8 + 2 + 12 * (len(first) + 1) + 4
    directories = [{**first, 330: second}, below]
    return start + b"".join(
        struct.pack(order + "H", len(tags))
        + b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
        + bytes(4)
        for tags in directories
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("sensor", [{262: 32803}, {262: 34892}, {259: 34713}, {259: 32767}])
def test_a_sensor_s_data_in_a_directory_below_are_found(order: str, sensor: dict[int, int]) -> None:
    """Pillow cannot open these; it would call them damaged."""
    with pytest.raises(UnsupportedImageError, match=RAW):
        decode(nested(order, {254: 0, 256: 160, 257: 120}, {254: 0, **sensor}))


def test_a_reduced_picture_that_comes_first_is_not_taken_for_the_photo() -> None:
    with pytest.raises(UnsupportedImageError, match=RAW):
        decode(nested(">", {254: 1, 256: 160, 257: 120}, {254: 0, 262: 2}))


def test_an_ordinary_tiff_with_a_thumbnail_below_is_read() -> None:
    thumbnail = struct.pack("<H", 1) + struct.pack("<HHII", 254, 4, 1, 1) + bytes(4)
    directory = ImageFileDirectory_v2()
    directory[330] = 12345678
    directory.tagtype[330] = 4
    data = save(Image.fromarray(quadrants()), "TIFF", tiffinfo=directory)
    data = data.replace(struct.pack("<I", 12345678), struct.pack("<I", len(data))) + thumbnail
    assert decode(data).format == "TIFF"


def test_a_directory_that_claims_millions_of_others_takes_no_memory() -> None:
    """Each of them would be a number, and a place to look at."""
    data = b"II*\0" + struct.pack("<IHHHII", 8, 1, 330, 4, 2_000_000, 26) + bytes(8_000_004)
    tracemalloc.start()
    try:
        assert not is_raw(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_directories_that_are_cut_or_lead_in_circles_end(share: float) -> None:
    whole = nested("<", {254: 0, 256: 160}, {330: 8})
    with pytest.raises(DamagedImageError):
        decode(whole[: max(8, int(len(whole) * share))] if share else whole)


@pytest.mark.parametrize(
    "start",
    [
        b"II*\0\x10\0\0\0CR\x02\0",
        b"\0\0\0\x18ftypcrx ",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"FUJIFILMCCD-RAW 0201",
        b"II\x1a\0\0\0HEAPCCDR",
    ],
)
def test_a_raw_file_with_its_own_signature_is_refused(start: bytes) -> None:
    with pytest.raises(UnsupportedImageError, match=RAW):
        decode(start + bytes(500))


@pytest.mark.parametrize("tags", [{}, {271: "Epson"}, {254: 0}])
def test_an_ordinary_tiff_is_read(tags: dict[int, Any]) -> None:
    assert decode(tiff_with(tags)).format == "TIFF"


def test_a_tiff_of_several_pages_is_read() -> None:
    page = Image.fromarray(quadrants())
    assert decode(save(page, "TIFF", save_all=True, append_images=[page.resize((48, 32))])).format == "TIFF"
