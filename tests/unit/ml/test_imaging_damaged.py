"""Damaged and cut files: an error that the caller can act on, never half a photo and never any other exception."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.errors import DamagedImageError, ImageError, UnsupportedImageError
from ml.imaging.decode import decode
from ml.values import RGB
from tests.unit.ml.photo_files import noise, save

FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {"quality": 90}),
    "progressive jpeg": ("JPEG", {"quality": 90, "progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 90}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "deflated tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "heif": ("HEIF", {"quality": 90}),
    "avif": ("AVIF", {"quality": 90}),
    "mpo": ("MPO", {"quality": 90}),
}
kinds = st.sampled_from(sorted(FILES))


@cache
def whole_file(kind: str) -> bytes:
    name, options = FILES[kind]
    return save(noise(48, 40), name, **options)


@cache
def whole_photo(kind: str) -> RGB:
    return decode(whole_file(kind)).rgb


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_file_cut_in_its_pixels_is_broken(kind: str, share: float) -> None:
    data = whole_file(kind)
    with pytest.raises(DamagedImageError):
        decode(data[: int(len(data) * share)])


@settings(deadline=None)
@given(kinds, st.floats(0, 1))
def test_a_cut_file_gives_the_whole_photo_or_an_error(kind: str, share: float) -> None:
    data = whole_file(kind)
    try:
        photo = decode(data[: int(len(data) * share)])
    except ImageError:
        return
    assert np.array_equal(photo.rgb, whole_photo(kind))


@settings(deadline=None)
@given(kinds, st.data())
def test_altered_bytes_never_raise_anything_else(kind: str, data: st.DataObject) -> None:
    altered = bytearray(whole_file(kind))
    for place in data.draw(st.lists(st.integers(0, len(altered) - 1), min_size=1, max_size=6)):
        altered[place] = data.draw(st.integers(0, 255))
    try:
        photo = decode(bytes(altered))
    except ImageError:
        return
    assert photo.rgb.ndim == 3
    assert min(photo.width, photo.height) >= 32


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_raise_anything_else(data: bytes) -> None:
    with pytest.raises(ImageError):
        decode(data)


@settings(deadline=None)
@given(kinds, st.integers(4, 40), st.binary(max_size=300))
def test_a_true_beginning_with_an_arbitrary_rest_never_raises_anything_else(kind: str, kept: int, rest: bytes) -> None:
    with pytest.raises(ImageError):
        decode(whole_file(kind)[:kept] + rest)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("kept", [13, 20])
def test_a_beginning_alone_is_called_damaged_rather_than_not_supported(kind: str, kept: int) -> None:
    with pytest.raises(DamagedImageError, match="Send the original file"):
        decode(whole_file(kind)[:kept])


@pytest.mark.parametrize(
    "data", [b"RIFF\x24\0\0\0WAVEfmt ", b"RIFF\x24\0\0\0AVI LIST", b"\0\0\0\x20ftypisom\0\0\2\0mp41"]
)
def test_sound_and_video_in_the_same_containers_are_not_supported(data: bytes) -> None:
    with pytest.raises(UnsupportedImageError):
        decode(data + bytes(200))
