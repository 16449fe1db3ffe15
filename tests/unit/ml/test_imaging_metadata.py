"""Nothing that a file says beside its pixels leaves the decoder."""

from __future__ import annotations

import pickle
from dataclasses import fields

import pytest
from PIL import Image

from ml.imaging.decode import decode
from ml.values import Photo
from tests.unit.ml.icc_profiles import DISPLAY_P3, matrix_profile
from tests.unit.ml.photo_files import png_text, quadrants, save

SECRET = "Ada Lovelace 51.5074 N"


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[0x010E] = tags[0x013B] = SECRET
    tags[0x8298] = SECRET
    return tags


FILES = {
    "jpeg": ("JPEG", {"exif": exif(), "comment": SECRET.encode(), "xmp": SECRET.encode()}),
    "png": ("PNG", {"exif": exif(), "pnginfo": png_text(SECRET)}),
    "webp": ("WEBP", {"exif": exif(), "xmp": SECRET.encode()}),
    "tiff": ("TIFF", {"description": SECRET, "artist": SECRET, "copyright": SECRET}),
    "gif": ("GIF", {"comment": SECRET.encode()}),
    "avif": ("AVIF", {"exif": exif(), "xmp": SECRET.encode()}),
    "heif": ("HEIF", {"exif": exif().tobytes(), "xmp": SECRET.encode()}),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_photo_holds_no_metadata(kind: str) -> None:
    name, options = FILES[kind]
    data = save(Image.fromarray(quadrants()), name, **options)
    assert SECRET.encode() in data
    photo = decode(data)
    assert SECRET.encode() not in pickle.dumps(photo)
    pixels, words = {"rgb", "width", "height", "true_colours", "pixels_per_mm"}, {"format", "problems"}
    assert {field.name for field in fields(Photo)} == pixels | words | {"notes", "modality"}
    assert SECRET not in repr(photo)


def test_the_profile_is_used_and_dropped() -> None:
    profile = matrix_profile(DISPLAY_P3)
    photo = decode(save(Image.fromarray(quadrants()), "PNG", icc_profile=profile))
    assert b"made by a test" not in pickle.dumps(photo)
