"""Damage that decoders pass over in silence, in each format: refused, or a problem; and never found in whole files."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from ml.errors import DamagedImageError
from ml.imaging.decode import decode
from ml.values import RGB
from tests.unit.ml.photo_files import noise, quadrants, save

FAST = {"preset": "ultrafast"}
FILES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 90}),
    "heif": ("HEIF", {"quality": 90, "enc_params": FAST}),
    "heif tiles": ("HEIF", {"quality": 90, "enc_params": FAST, "tile_size": 128}),
    "avif": ("AVIF", {"quality": 90, "speed": 10}),
    "tiff": ("TIFF", {}),
    "lzw tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "deflated tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "jpeg in tiff": ("TIFF", {"compression": "jpeg", "quality": 90}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
}
#: nothing in it is wholly black, as in photos of skin
PHOTO = np.maximum(pictures.astronaut(), 6)
#: formats in which random bytes over a part of the file cannot pass
CHECKED = sorted(FILES.keys() - {"heif", "heif tiles", "avif"})


@cache
def whole_file(kind: str) -> bytes:
    name, options = FILES[kind]
    return save(PHOTO, name, **options)


def overwritten(data: bytes, fill: bytes, place: float) -> bytes:
    at = int(len(data) * place)
    return data[:at] + fill + data[at + len(fill) :]


@pytest.mark.parametrize("kind", FILES)
def test_a_whole_file_has_no_problem(kind: str) -> None:
    assert decode(whole_file(kind)).problems == ()


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.97])
def test_a_cut_file_is_refused(kind: str, share: float) -> None:
    data = whole_file(kind)
    with pytest.raises(DamagedImageError):
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_hole_is_refused(kind: str, place: float) -> None:
    data = whole_file(kind)
    with pytest.raises(DamagedImageError):
        decode(overwritten(data, bytes(len(data) // 20), place))


@pytest.mark.parametrize("kind", CHECKED)
@pytest.mark.parametrize("place", [0.3, 0.6])
def test_rubbish_is_refused(kind: str, place: float) -> None:
    data = whole_file(kind)
    with pytest.raises(DamagedImageError):
        decode(overwritten(data, np.random.default_rng(5).bytes(len(data) // 20), place))


@pytest.mark.parametrize("kind", FILES)
def test_missing_bytes_are_refused(kind: str) -> None:
    data = whole_file(kind)
    with pytest.raises(DamagedImageError):
        decode(data[: len(data) // 2] + data[len(data) // 2 + 100 :])


@pytest.mark.parametrize("kind", FILES)
def test_a_text_mode_transfer_is_refused(kind: str) -> None:
    with pytest.raises(DamagedImageError):
        decode(whole_file(kind).replace(b"\n", b"\r\n"))


def test_a_png_without_its_end_has_all_pixels_and_a_problem() -> None:
    photo = decode(whole_file("png")[:-12])
    assert [problem.code for problem in photo.problems] == ["damaged"]
    assert np.array_equal(photo.rgb, PHOTO)


def test_a_hole_in_one_tile_is_refused() -> None:
    """A phone's HEIF is a grid of tiles: a hole spoils the one that it lies in, wherever that is."""
    photo = np.tile(pictures.astronaut(), (2, 2, 1))
    data = save(photo, "HEIF", quality=90, enc_params=FAST, tile_size=64)
    with pytest.raises(DamagedImageError):
        decode(overwritten(data, bytes(200), 0.5))


def strips(missing: int) -> bytes:
    """An uncompressed TIFF of 64 strips; the last ``missing`` ones have no place in the file."""
    buffer = io.BytesIO()
    Image.fromarray(pictures.astronaut()).save(buffer, "TIFF", strip_size=512 * 3 * 8)
    data = bytearray(buffer.getvalue())
    with Image.open(io.BytesIO(data)) as image:
        offsets: tuple[int, ...] = image.tag_v2[273]  # type: ignore[attr-defined]
    table = data.index(struct.pack(f"<{len(offsets)}I", *offsets))
    data[table + 4 * (len(offsets) - missing) : table + 4 * len(offsets)] = bytes(4 * missing)
    return bytes(data)


def test_a_missing_strip_is_refused() -> None:
    assert decode(strips(0)).problems == ()
    with pytest.raises(DamagedImageError):
        decode(strips(1))


def framed(colour: int) -> RGB:
    """A photo on a ground of one colour, as scans and cut-outs have it."""
    ground = np.full((360, 400, 3), colour, np.uint8)
    ground[50:306, 70:326] = pictures.astronaut()[::2, ::2]
    return ground


def barred(colour: int) -> RGB:
    """A photo above a bar of one colour."""
    photo = pictures.astronaut()[:300].copy()
    photo[200:] = colour
    return photo


def dark_corners() -> RGB:
    """What a dermatoscope's tube leaves."""
    y, x = np.mgrid[-256:256, -256:256]
    photo = pictures.astronaut().copy()
    photo[x**2 + y**2 > 250**2] = 0
    return photo


WHOLE: Mapping[str, RGB] = {
    **{f"framed {colour}": framed(colour) for colour in (0, 128, 255)},
    **{f"barred {colour}": barred(colour) for colour in (0, 128, 255)},
    "dark corners": dark_corners(),
    "black": np.zeros((300, 400, 3), np.uint8),
    "white": np.full((300, 400, 3), 255, np.uint8),
    "skin's colour": np.full((300, 400, 3), (200, 150, 125), np.uint8),
    "quarters": quadrants(400, 300),
    "tiny": quadrants(33, 35),
    "noise": noise(200, 150),
    "gradient": np.broadcast_to(np.linspace(30, 220, 900).astype(np.uint8)[None, :, None], (350, 900, 3)).copy(),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("picture", WHOLE.values(), ids=WHOLE)
def test_flat_and_framed_pictures_are_not_taken_for_damaged(kind: str, picture: RGB) -> None:
    name, options = FILES[kind]
    assert decode(save(picture, name, **options)).problems == ()
