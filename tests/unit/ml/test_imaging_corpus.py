"""Real files that are damaged, odd or hostile, where the shared data exist: each is read, or refused with its code."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.errors import (
    DamagedImageError,
    EmptyImageError,
    ImageError,
    ImageTooLargeError,
    ImageTooSmallError,
    UnsupportedImageError,
)
from ml.imaging.decode import decode

REFUSED: dict[type[ImageError], tuple[str, ...]] = {
    EmptyImageError: ("zero_byte.jpg",),
    UnsupportedImageError: (
        "balloon.jpf",
        "hopper.psd",
        "hopper_1bit.pbm",
        "eps_1.eps",
        "duplicate_xref_entry.pdf",
        "html_named.jpg",
        "negative_size.ppm",
    ),
    DamagedImageError: (
        "broken_data_stream.png",
        "crash-0e16d3bfb83be87356d026d66919deaefca44dac.tif",
        "lesion_truncated10.jpg",
        "lesion_truncated90.jpg",
        "truncated_jpeg.jpg",
        "zero_width.gif",
    ),
    ImageTooLargeError: (
        "bmp_b_badwidth.bmp",
        "bmp_b_reallybig.bmp",
        "bomb_100MP_10000x10000.png",
        "decompression_bomb.gif",
        "header_lies_60000x60000.png",
    ),
    ImageTooSmallError: (
        "app13.jpg",
        "orientation_rectangle.jpg",
        "strip_1x5000.png",
        "tRNS_null_1x1.png",
        "tiny_1x1.png",
    ),
}
ERRORS = {name: error for error, names in REFUSED.items() for name in names}
NOT_PHOTOS = {"MANIFEST.csv", "README.md"}


@pytest.fixture(scope="module")
def corpus(shared_data: Path) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in (shared_data / "badimages").iterdir()}
    return {name: data for name, data in files.items() if name not in NOT_PHOTOS}


def test_what_is_refused_is_refused_for_its_reason(corpus: dict[str, bytes]) -> None:
    for name, error in ERRORS.items():
        with pytest.raises(error):
            decode(corpus[name])


def test_everything_else_is_read(corpus: dict[str, bytes]) -> None:
    for name in corpus.keys() - ERRORS.keys():
        photo = decode(corpus[name])
        assert photo.rgb.shape == (*photo.rgb.shape[:2], 3), name
        assert max(photo.rgb.shape) <= 2048, name


def test_one_lesion_looks_the_same_in_every_format(corpus: dict[str, bytes]) -> None:
    reference = decode(corpus["lesion_noext"]).rgb.mean(axis=(0, 1))
    for name in corpus.keys() - ERRORS.keys():
        if name.startswith("lesion") and "gray" not in name:
            assert decode(corpus[name]).rgb.mean(axis=(0, 1)) == pytest.approx(reference, abs=2), name
