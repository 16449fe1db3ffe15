"""Colours that a file states without an ICC profile: the same skin has the same colours, however it is stored."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from ml.imaging.decode import decode
from tests.unit.ml.colour_files import (
    ADOBE,
    COLOURS,
    D65,
    P3,
    TO_ADOBE,
    TO_BT2020,
    TO_P3,
    avif_of,
    bt709_curve,
    chrm,
    cicp,
    exif_of,
    far_from_picture,
    gama,
    gamma,
    hlg_curve,
    photo,
    picture,
    png_of,
    pq_curve,
    srgb_curve,
    stored,
)
from tests.unit.ml.icc_profiles import DISPLAY_P3, matrix_profile
from tests.unit.ml.photo_files import save

ADOBE_RGB = stored(gamma(563 / 256), TO_ADOBE)
BT2020 = stored(bt709_curve, TO_BT2020)
IN_P3 = stored(srgb_curve, TO_P3)
PQ, HLG = stored(pq_curve, TO_BT2020), stored(hlg_curve, TO_BT2020)
SRGB_CHUNK = (b"sRGB", b"\0")

PNGS = {
    "Display P3 by cICP": png_of(IN_P3, cicp(12, 13)),
    "BT.2020 by cICP": png_of(BT2020, cicp(9, 14)),
    "PQ by cICP": png_of(PQ, cicp(9, 16)),
    "HLG by cICP": png_of(HLG, cicp(9, 18)),
    "narrow range by cICP": png_of(np.rint(picture() / 255 * 219 + 16).astype(np.uint16), cicp(1, 13, full=0)),
    "Mac gamma by gAMA": png_of(stored(gamma(1.8)), gama(1.8)),
    "linear by gAMA": png_of(stored(gamma(1.0), top=65535), gama(1.0), bits=16),
    "Adobe RGB by gAMA and cHRM": png_of(ADOBE_RGB, gama(563 / 256), chrm(ADOBE)),
    "Display P3 by cHRM": png_of(IN_P3, chrm(P3)),
    "Adobe RGB by EXIF": png_of(ADOBE_RGB, (b"eXIf", exif_of()[6:])),
    "cICP before all others": png_of(IN_P3, cicp(12, 13), SRGB_CHUNK, gama(1.0), chrm(ADOBE)),
    "sRGB before gAMA and cHRM": png_of(stored(srgb_curve), SRGB_CHUNK, gama(1.0), chrm(ADOBE)),
    "sRGB before EXIF": png_of(stored(srgb_curve), SRGB_CHUNK, (b"eXIf", exif_of()[6:])),
    "sRGB as ImageMagick states it": png_of(stored(srgb_curve), gama(2.2)),
    "sRGB labelled as video": png_of(stored(srgb_curve), cicp(1, 1)),
    "unspecified": png_of(stored(srgb_curve), cicp(2, 2)),
}


@pytest.mark.parametrize("name", PNGS)
def test_png(name: str) -> None:
    photo = decode(PNGS[name])
    assert far_from_picture(photo.rgb) <= 2.5
    is_hdr = name.startswith(("PQ", "HLG"))
    assert photo.true_colours != is_hdr
    assert [problem.code for problem in photo.problems] == (["hdr_photo"] if is_hdr else [])


def test_cicp_comes_before_a_profile() -> None:
    written = io.BytesIO()
    photo(stored(srgb_curve)).save(written, "PNG", icc_profile=matrix_profile(DISPLAY_P3))
    data = written.getvalue()
    with_cicp = png_of(stored(srgb_curve), cicp(1, 13))
    chunk = with_cicp[33:49]  # after the signature and IHDR
    assert far_from_picture(decode(data).rgb) > 5
    assert far_from_picture(decode(data[:33] + chunk + data[33:]).rgb) <= 1


@pytest.mark.parametrize(("transfer", "known"), [(16, False), (18, False), (13, True), (None, True)])
def test_a_profile_may_say_that_it_is_of_an_hdr_format(transfer: int | None, known: bool) -> None:
    written = io.BytesIO()
    photo(IN_P3).save(written, "PNG", icc_profile=matrix_profile(DISPLAY_P3, transfer))
    found = decode(written.getvalue())
    assert found.true_colours is known
    assert [problem.code for problem in found.problems] == ([] if known else ["hdr_photo"])


def test_sixteen_bits_of_linear_light_keep_dark_skin() -> None:
    """The darkest bar has codes 2 to 9 in eight bits of linear light."""
    rgb = decode(PNGS["linear by gAMA"]).rgb
    assert far_from_picture(rgb) <= 0.6


def test_sixteen_bits_are_kept_in_a_photo_that_is_reduced() -> None:
    """In eight bits of linear light, this colour would be off by up to two codes."""
    dark = stored(gamma(1.0), top=65535)[:40, 4 * 16 + 8 :][:, :1]
    rgb = decode(png_of(np.repeat(dark, 3000, axis=1), gama(1.0), bits=16)).rgb
    assert rgb.shape == (27, 2048, 3)
    assert (rgb == COLOURS[4]).all()


@pytest.mark.parametrize(
    ("codes", "primaries", "transfer"),
    [(IN_P3, 12, 13), (BT2020, 9, 14), (BT2020, 9, 1), (PQ, 9, 16), (HLG, 9, 18), (stored(srgb_curve), 2, 2)],
)
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_heif(codes: Any, primaries: int, transfer: int, matrix: int) -> None:
    """Whatever matrix the decoder has to apply first."""
    nclx = {"color_primaries": primaries, "transfer_characteristics": transfer, "matrix_coefficients": matrix}
    data = save(photo(codes), "HEIF", quality=98, chroma=444, full_range_flag=1, **nclx)
    assert far_from_picture(decode(data).rgb) <= 6


@pytest.mark.parametrize(("curve", "transfer"), [(pq_curve, 16), (hlg_curve, 18)])
def test_ten_bit_heif_of_high_dynamic_range(curve: Any, transfer: int) -> None:
    deep = stored(curve, TO_BT2020, top=65535)
    written = io.BytesIO()
    whole = pillow_heif.from_bytes("RGB;16", deep.shape[1::-1], deep.tobytes())
    nclx = {"color_primaries": 9, "transfer_characteristics": transfer, "matrix_coefficients": 9, "full_range_flag": 0}
    whole.save(written, quality=98, chroma=444, **nclx)
    assert far_from_picture(decode(written.getvalue()).rgb) <= 4


@pytest.mark.parametrize(
    ("codes", "primaries", "transfer"), [(IN_P3, 12, 13), (BT2020, 9, 14), (PQ, 9, 16), (HLG, 9, 18)]
)
def test_avif(codes: Any, primaries: int, transfer: int) -> None:
    assert far_from_picture(decode(avif_of(codes, primaries, transfer)).rgb) <= 6


def test_nclx_comes_before_exif() -> None:
    data = save(photo(stored(srgb_curve)), "AVIF", quality=98, subsampling="4:4:4", exif=exif_of())
    assert far_from_picture(decode(data).rgb) <= 3


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {"quality": 98, "subsampling": 0}), ("WEBP", {"lossless": True}), ("PNG", {})],
)
def test_adobe_rgb_by_exif(kind: str, options: dict[str, Any]) -> None:
    data = save(photo(ADOBE_RGB), kind, exif=exif_of(), **options)
    assert far_from_picture(decode(data).rgb) <= 5
    as_srgb = save(photo(ADOBE_RGB), kind, exif=exif_of(b"R98", 1), **options)
    assert far_from_picture(decode(as_srgb).rgb) > 8


def test_adobe_rgb_by_exif_in_tiff() -> None:
    exif = Image.Exif()
    exif.load(exif_of())
    data = save(photo(ADOBE_RGB), "TIFF", exif=exif)
    # Pillow writes the directory of interoperability nowhere: it is added at the end, and pointed to.
    stale, index = struct.pack("<HHII", 0xA005, 4, 1, 56), struct.pack("<HHHI4sI", 1, 1, 2, 4, b"R03\0", 0)
    assert data.count(stale) == 1
    data = data.replace(stale, struct.pack("<HHII", 0xA005, 4, 1, len(data))) + index
    assert far_from_picture(decode(data).rgb) <= 2


def test_adobe_rgb_by_the_colour_space_of_some_cameras() -> None:
    data = save(photo(ADOBE_RGB), "WEBP", lossless=True, exif=exif_of(space=2, nested=False))
    assert far_from_picture(decode(data).rgb) <= 2


def test_an_uncalibrated_photo_that_says_no_more_is_srgb() -> None:
    data = save(photo(stored(srgb_curve)), "WEBP", lossless=True, exif=exif_of(nested=False))
    assert decode(data).true_colours
    assert far_from_picture(decode(data).rgb) == 0


def test_primaries_and_transfer_by_tiffs_tags() -> None:
    corners = tuple(value for point in ADOBE for value in point)
    curve = [round(65535 * (code / 255) ** 1.8) for code in range(256)]
    data = save(photo(stored(gamma(1.8), TO_ADOBE)), "TIFF", tiffinfo={318: D65, 319: corners, 301: curve * 3})
    assert far_from_picture(decode(data).rgb) <= 2
    only_primaries = save(photo(stored(srgb_curve, TO_ADOBE)), "TIFF", tiffinfo={318: D65, 319: corners})
    assert far_from_picture(decode(only_primaries).rgb) <= 2


@pytest.mark.parametrize(
    "chunks",
    [
        [gama(1e-4)],
        [(b"gAMA", bytes(4))],
        [(b"cHRM", bytes(32))],
        [(b"cHRM", b"\xff" * 32)],
        [chrm((D65, D65, D65))],
        [(b"cICP", b"")],
        [(b"eXIf", b"II*\0rubbish")],
    ],
)
def test_impossible_statements_are_ignored(chunks: list[tuple[bytes, bytes]]) -> None:
    assert far_from_picture(decode(png_of(stored(srgb_curve), *chunks)).rgb) == 0


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 9), (200, 13), (10, 8)])
def test_an_encoding_that_is_not_read_leaves_the_colours_unknown(primaries: int, transfer: int) -> None:
    unknown = decode(png_of(stored(srgb_curve), cicp(primaries, transfer)))
    assert not unknown.true_colours
    assert [problem.code for problem in unknown.problems] == ["unknown_colours"]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_without_a_profile_leave_the_colours_unknown(kind: str) -> None:
    unknown = decode(save(Image.fromarray(picture()).convert("CMYK"), kind))
    assert not unknown.true_colours
    assert [problem.code for problem in unknown.problems] == ["unknown_colours"]


def test_a_profile_that_cannot_be_used_leaves_colours_unknown_unless_they_are_stated_otherwise() -> None:
    assert not decode(save(photo(IN_P3), "PNG", icc_profile=b"junk")).true_colours
    assert decode(save(Image.new("L", (40, 40), 77), "PNG", icc_profile=b"junk")).true_colours
    known = decode(save(photo(ADOBE_RGB), "WEBP", lossless=True, icc_profile=b"junk", exif=exif_of()))
    assert known.true_colours
    assert far_from_picture(known.rgb) <= 2


def test_cielab_is_read() -> None:
    lab = ImageCms.profileToProfile(
        Image.fromarray(picture()), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    found = decode(save(lab, "TIFF"))
    assert far_from_picture(found.rgb) <= 3
    assert found.true_colours


def test_a_palettes_colours_are_converted_too() -> None:
    data = save(photo(stored(gamma(1.0), top=255)).quantize(16), "PNG")
    place = data.index(b"IDAT") - 4
    linear = png_of(stored(srgb_curve), gama(1.0))
    chunk = linear[33 : 33 + 16]
    assert far_from_picture(decode(data[:place] + chunk + data[place:]).rgb) <= 8
