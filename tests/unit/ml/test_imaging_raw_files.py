"""Raw files are refused by name; their thumbnails are never analysed. Ordinary TIFFs still work."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ml.errors import UnsupportedImageError
from ml.imaging.decode import decode
from tests.unit.ml.photo_files import quadrants, save

DNG = {50706: b"\x01\x04\0\0"}
CAMERA_THUMBNAIL = {254: 1, 271: "NIKON CORPORATION"}


def tiff_with(tags: dict[int, Any]) -> bytes:
    directory = ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[tag] = value
    return save(Image.fromarray(quadrants()), "TIFF", tiffinfo=directory)


@pytest.mark.parametrize("tags", [DNG, CAMERA_THUMBNAIL])
def test_a_raw_file_in_a_tiff_is_refused(tags: dict[int, Any]) -> None:
    with pytest.raises(UnsupportedImageError, match="raw file: send a JPEG or HEIC"):
        decode(tiff_with(tags))


@pytest.mark.parametrize(
    "start",
    [
        b"II*\0\x10\0\0\0CR\x02\0",
        b"\0\0\0\x18ftypcrx ",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"FUJIFILMCCD-RAW 0201",
    ],
)
def test_a_raw_file_with_its_own_signature_is_refused(start: bytes) -> None:
    with pytest.raises(UnsupportedImageError, match="raw file: send a JPEG or HEIC"):
        decode(start + bytes(500))


@pytest.mark.parametrize("tags", [{}, {271: "Epson"}, {254: 0}])
def test_an_ordinary_tiff_is_read(tags: dict[int, Any]) -> None:
    assert decode(tiff_with(tags)).format == "TIFF"


def test_a_tiff_of_several_pages_is_read() -> None:
    page = Image.fromarray(quadrants())
    assert decode(save(page, "TIFF", save_all=True, append_images=[page.resize((48, 32))])).format == "TIFF"
