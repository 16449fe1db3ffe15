"""Embedded colour profiles: what a phone stores in Display P3 comes out as the same colour in sRGB."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ml.imaging.decode import decode
from tests.unit.ml.icc_profiles import DISPLAY_P3, SRGB, grey_profile, in_srgb, matrix_profile
from tests.unit.ml.photo_files import save

SKIN = (198, 150, 128)
P3 = matrix_profile(DISPLAY_P3)


def one_colour(data: bytes) -> list[int]:
    rgb = decode(data).rgb
    assert (rgb == rgb[0, 0]).all()
    return [int(v) for v in rgb[0, 0]]


@pytest.mark.parametrize("colour", [SKIN, (90, 60, 50), (240, 220, 210), (128, 128, 128), (255, 255, 255), (0, 0, 0)])
def test_display_p3_is_converted(colour: tuple[int, int, int]) -> None:
    data = save(Image.new("RGB", (40, 40), colour), "PNG", icc_profile=P3)
    assert one_colour(data) == pytest.approx(in_srgb(colour, DISPLAY_P3), abs=1.5)


def test_the_conversion_is_worth_its_while() -> None:
    """Skin in Display P3 is redder than its bare numbers say."""
    red, green, _ = one_colour(save(Image.new("RGB", (40, 40), SKIN), "PNG", icc_profile=P3))
    assert red - green > SKIN[0] - SKIN[1] + 5


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 98, "subsampling": 0}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("HEIF", {"quality": 98}),
        ("AVIF", {"quality": 98}),
    ],
)
def test_every_format_that_holds_a_profile_is_converted(kind: str, options: dict[str, Any]) -> None:
    rgb = decode(save(Image.new("RGB", (64, 64), SKIN), kind, icc_profile=P3, **options)).rgb
    assert rgb.reshape(-1, 3).mean(axis=0) == pytest.approx(in_srgb(SKIN, DISPLAY_P3), abs=4)


def test_colours_under_transparency_are_converted_before_they_are_mixed_with_white() -> None:
    data = save(Image.new("RGBA", (40, 40), (*SKIN, 128)), "PNG", icc_profile=P3)
    expected = 255 + (in_srgb(SKIN, DISPLAY_P3) - 255) * 128 / 255
    assert one_colour(data) == pytest.approx(expected, abs=2)


def test_a_palettes_colours_are_converted() -> None:
    image = Image.new("P", (40, 40), 1)
    image.putpalette([0, 0, 0, *SKIN])
    assert one_colour(save(image, "PNG", icc_profile=P3)) == pytest.approx(in_srgb(SKIN, DISPLAY_P3), abs=1.5)


def test_a_grey_profile_is_used() -> None:
    data = save(Image.new("L", (40, 40), 128), "PNG", icc_profile=grey_profile(1.0))
    assert one_colour(data) == pytest.approx([188, 188, 188], abs=1)


def test_srgbs_own_primaries_change_nothing_but_the_curve() -> None:
    data = save(Image.new("RGB", (40, 40), SKIN), "PNG", icc_profile=matrix_profile(SRGB))
    assert one_colour(data) == pytest.approx(SKIN, abs=2)


@pytest.mark.parametrize(
    "profile", [b"junk", P3[:100], P3[:300], P3[:128] + bytes(200), P3.replace(b"RGB ", b"CMYK", 1)]
)
def test_a_profile_that_cannot_be_used_is_ignored(profile: bytes) -> None:
    data = save(Image.new("RGB", (40, 40), SKIN), "PNG", icc_profile=profile)
    assert one_colour(data) == list(SKIN)


def test_a_profile_of_another_colour_space_is_ignored() -> None:
    data = save(Image.new("L", (40, 40), 77), "PNG", icc_profile=P3)
    assert one_colour(data) == [77, 77, 77]


def test_a_reduced_photo_is_converted_too() -> None:
    rgb = decode(save(Image.new("RGB", (4200, 33), SKIN), "JPEG", quality=98, icc_profile=P3)).rgb
    assert rgb.shape[1] == 2048
    assert np.median(rgb.reshape(-1, 3), axis=0) == pytest.approx(in_srgb(SKIN, DISPLAY_P3), abs=3)
