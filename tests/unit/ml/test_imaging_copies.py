"""A copy without metadata shows the same photo and says nothing else."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ml.errors import ImageError
from ml.imaging.decode import decode
from ml.imaging.metadata import without_metadata
from tests.unit.ml.icc_profiles import DISPLAY_P3, matrix_profile
from tests.unit.ml.photo_files import far_from_upright, noise, png_text, quadrants, save, stored_in

SECRET = "Ada Lovelace"
GPS = 0x8825


def exif(orientation: int = 1) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x013B] = tags[0x010E] = SECRET  # Artist, ImageDescription
    tags.get_ifd(GPS).update({1: "N", 2: (51.0, 30.0, 26.0), 3: "W", 4: (0.0, 7.0, 39.0)})
    return tags


PIXELS = noise(60, 40)  # a lossy copy would change them


def saved(kind: str, **options: object) -> bytes:
    return save(PIXELS, kind, **options)


FILES = {
    "jpeg": saved("JPEG", exif=exif(), comment=SECRET.encode(), xmp=SECRET.encode()),
    "progressive jpeg": saved("JPEG", exif=exif(), progressive=True),
    "turned jpeg": saved("JPEG", exif=exif(6)),
    "jpeg with a profile": saved("JPEG", exif=exif(), icc_profile=matrix_profile(DISPLAY_P3)),
    "jpeg with data behind it": saved("JPEG", exif=exif()) + SECRET.encode(),
    "png": saved("PNG", exif=exif(), pnginfo=png_text(SECRET)),
    "turned png": saved("PNG", exif=exif(8), pnginfo=png_text(SECRET)),
    "webp": saved("WEBP", exif=exif(), xmp=SECRET.encode(), lossless=True),
    "tiff": saved("TIFF", description=SECRET, artist=SECRET),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_copy_shows_the_same_pixels(kind: str) -> None:
    copy, _ = without_metadata(FILES[kind])
    assert np.array_equal(decode(copy).rgb, decode(FILES[kind]).rgb)


@pytest.mark.parametrize("kind", FILES)
def test_a_copy_says_nothing_of_the_person_or_the_place(kind: str) -> None:
    assert SECRET.encode() in FILES[kind]
    copy, _ = without_metadata(FILES[kind])
    assert SECRET.encode() not in copy
    with Image.open(io.BytesIO(copy)) as image:
        assert not image.getexif().get_ifd(GPS)
        assert set(image.getexif()) <= {0x0112}
        assert not {"comment", "xmp", "Author", "Comment"} & set(image.info)


@pytest.mark.parametrize(("kind", "suffix"), [("jpeg", ".jpg"), ("turned jpeg", ".jpg"), ("png", ".png")])
def test_a_jpeg_stays_a_jpeg_and_is_not_coded_again(kind: str, suffix: str) -> None:
    copy, found = without_metadata(FILES[kind])
    assert found == suffix
    assert len(copy) < len(FILES[kind])
    if suffix == ".jpg":
        scan = FILES[kind].rindex(b"\xff\xda")
        assert copy.endswith(FILES[kind][scan:])


@pytest.mark.parametrize("kind", ["webp", "tiff"])
def test_another_format_becomes_a_png(kind: str) -> None:
    assert without_metadata(FILES[kind])[1] == ".png"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_stays_turned(orientation: int) -> None:
    data = save(stored_in(orientation, quadrants()), "JPEG", exif=exif(orientation))
    copy, suffix = without_metadata(data)
    assert suffix == ".jpg"
    assert far_from_upright(decode(copy).rgb) < 10


def test_a_second_picture_in_the_file_is_left_out() -> None:
    both = FILES["jpeg"] + saved("JPEG", exif=exif(), comment=SECRET.encode())
    assert without_metadata(both)[0] == without_metadata(FILES["jpeg"])[0]


def test_the_same_file_gives_the_same_copy() -> None:
    assert without_metadata(FILES["webp"]) == without_metadata(FILES["webp"])


@pytest.mark.parametrize("data", [b"", b"GPS", FILES["jpeg"][:40], FILES["png"][:60]])
def test_what_is_not_a_photo_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        without_metadata(data)
