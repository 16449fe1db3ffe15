"""Files whose pixels are not plain RGB: they become the RGB that a viewer would show, over white."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ml.imaging import decode as images
from ml.imaging.colour import to_rgb
from ml.imaging.decode import decode
from tests.unit.ml.photo_files import far_from_upright, noise, png, quadrants, save, tiff

RAMP = np.linspace(0, 65535, 64 * 48).astype(np.uint16).reshape(48, 64)


def grey(values: NDArray[np.generic], top: float) -> NDArray[np.uint8]:
    """(h, w) samples of full scale ``top`` as the RGB that is expected of them."""
    scaled = np.rint(values.astype(np.float64) / top * 255).astype(np.uint8)
    return np.repeat(scaled[..., None], 3, axis=2)


def over_white(colour: tuple[int, int, int], alpha: int) -> list[int]:
    return [round(255 + (c - 255) * alpha / 255) for c in colour]


@pytest.mark.parametrize(("kind", "options", "tolerance"), [("JPEG", {"quality": 95}, 6), ("TIFF", {}, 1)])
def test_cmyk_has_its_own_colours(kind: str, options: dict[str, int], tolerance: int) -> None:
    photo = decode(save(Image.fromarray(quadrants()).convert("CMYK"), kind, **options))
    assert far_from_upright(photo.rgb) <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_scale(kind: str) -> None:
    assert np.array_equal(decode(save(RAMP, kind)).rgb, grey(RAMP, 65535))


def test_sixteen_bit_grey_is_not_stretched() -> None:
    dark = RAMP // 8
    assert np.array_equal(decode(save(dark, "PNG")).rgb, grey(dark, 65535))


def test_twelve_bit_tiff_fills_the_scale() -> None:
    samples = RAMP >> 4
    pairs = samples.reshape(-1, 2).astype(np.uint32)
    packed = b"".join(struct.pack(">I", int(a) << 12 | int(b))[1:] for a, b in pairs)
    photo = decode(tiff(64, 48, bits=12, data=packed))
    assert np.array_equal(photo.rgb, grey(samples, 4095))
    assert photo.rgb.max() == 255


def test_big_endian_sixteen_bit_tiff() -> None:
    little = save(RAMP, "TIFF")
    big = Image.frombytes("I;16B", (64, 48), RAMP.astype(">u2").tobytes())
    assert np.array_equal(decode(save(big, "TIFF")).rgb, decode(little).rgb)


def test_float_tiff_is_stretched_to_its_range() -> None:
    samples = np.linspace(-2.0, 6.0, 64 * 48, dtype=np.float32).reshape(48, 64)
    assert np.array_equal(decode(save(samples, "TIFF")).rgb, grey(samples + 2, 8))


def test_float_tiff_with_holes_is_read() -> None:
    samples = np.linspace(0.0, 1.0, 64 * 48, dtype=np.float32).reshape(48, 64)
    samples[0, :4] = [np.nan, np.inf, -np.inf, 0.0]
    photo = decode(save(samples, "TIFF"))
    assert photo.rgb[-1, -1].tolist() == [255, 255, 255]


def test_sixteen_bit_rgb_png_keeps_the_upper_byte() -> None:
    picture = noise(40, 32)
    wide = (picture.astype(np.uint16) * 256 + 77).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in wide.reshape(32, -1))
    assert np.array_equal(decode(png(40, 32, bits=16, colour=2, rows=rows)).rgb, picture)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_fills_the_scale(bits: int) -> None:
    rows = b"\0" + bytes([0b00011011] * (32 * bits // 8))
    photo = decode(png(32, 32, bits=bits, colour=0, rows=rows * 32))
    assert photo.rgb.min() == (0 if bits < 4 else 17)
    assert photo.rgb.max() == (255 if bits < 4 else 187)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_black_and_white_is_read(kind: str) -> None:
    halves = np.zeros((40, 40), bool)
    halves[:, 20:] = True
    photo = decode(save(Image.fromarray(halves), kind))
    assert (photo.rgb[:, :20] == 0).all()
    assert (photo.rgb[:, 20:] == 255).all()


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_is_read(mode: str) -> None:
    levels = np.arange(48 * 48).reshape(48, 48) % 256
    image = Image.fromarray(levels.astype(np.uint8)).convert(mode)
    assert np.array_equal(decode(save(image, "PNG")).rgb, grey(levels, 255))


@pytest.mark.parametrize(("kind", "tolerance"), [("PNG", 1), ("TIFF", 1), ("WEBP", 1), ("AVIF", 5), ("HEIF", 5)])
@pytest.mark.parametrize("alpha", [0, 100, 255])
def test_what_is_transparent_shows_white(kind: str, tolerance: int, alpha: int) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind in ("AVIF", "HEIF") else {}
    data = save(Image.new("RGBA", (48, 48), (200, 60, 20, alpha)), kind, **options)
    found = decode(data).rgb.reshape(-1, 3).astype(int)
    assert np.abs(found - over_white((200, 60, 20), alpha)).max() <= tolerance


def test_transparent_grey_shows_white() -> None:
    photo = decode(save(Image.new("LA", (40, 40), (50, 51)), "PNG"))
    assert photo.rgb[0, 0].tolist() == over_white((50, 50, 50), 51)


def test_a_palette_is_looked_up() -> None:
    image = Image.fromarray(quadrants()).quantize(4)
    assert image.mode == "P"
    assert far_from_upright(decode(save(image, "PNG")).rgb) <= 1


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palettes_transparent_colour_shows_white(kind: str) -> None:
    image = Image.new("P", (40, 40), 1)
    image.putpalette([0, 0, 0, 200, 60, 20, 10, 200, 30])
    image.paste(2, (0, 0, 20, 40))
    photo = decode(save(image, kind, transparency=1))
    assert photo.rgb[0, 0].tolist() == [10, 200, 30]
    assert photo.rgb[0, 39].tolist() == [255, 255, 255]


def test_a_palette_with_graded_transparency_is_mixed_with_white() -> None:
    image = Image.new("P", (40, 40), 1)
    image.putpalette([0, 0, 0, 200, 60, 20])
    photo = decode(save(image, "PNG", transparency=bytes([255, 51])))
    assert photo.rgb[0, 0].tolist() == pytest.approx(over_white((200, 60, 20), 51), abs=1)


@pytest.mark.parametrize(("mode", "key"), [("RGB", (200, 60, 20)), ("L", 90)])
def test_a_transparent_colour_key_shows_white(mode: str, key: int | tuple[int, int, int]) -> None:
    image = Image.new(mode, (40, 40), key)
    image.paste(30 if mode == "L" else (30, 30, 30), (0, 0, 20, 40))
    photo = decode(save(image, "PNG", transparency=key))
    assert photo.rgb[0, 0].tolist() == [30, 30, 30]
    assert photo.rgb[0, 39].tolist() == [255, 255, 255]


def test_lab_is_converted() -> None:
    lab = Image.merge("LAB", [Image.new("L", (40, 40), v) for v in (136, 128, 128)])
    assert decode(save(lab, "TIFF")).rgb[0, 0].tolist() == pytest.approx([127, 127, 127], abs=2)


def test_ycbcr_is_converted() -> None:
    photo = decode(save(Image.fromarray(quadrants()).convert("YCbCr"), "TIFF"))
    assert far_from_upright(photo.rgb) <= 3


@pytest.mark.parametrize("mode", ["L", "LA", "P", "PA", "1", "RGBA", "CMYK", "I;16", "F"])
def test_every_mode_is_reduced_to_the_working_side(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setattr(images, "WORKING_SIDE", 64)
    picture = Image.fromarray(quadrants(300, 200))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
    elif mode == "PA":
        picture = picture.quantize(8).convert("PA")
    else:
        picture = picture.convert(mode)
    photo = decode(save(picture, "TIFF" if mode in ("CMYK", "F", "PA") else "PNG"))
    assert (photo.width, photo.height) == (300, 200)
    assert photo.rgb.shape == (43, 64, 3)
    if mode in ("P", "PA", "RGBA", "CMYK"):
        assert far_from_upright(photo.rgb) <= 2


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F"])
def test_every_mode_becomes_rgb_of_the_same_size(mode: str) -> None:
    image = Image.new("RGB", (7, 5), (200, 120, 40)).convert("P" if mode == "PA" else mode).convert(mode)
    found = to_rgb(image)
    assert (found.mode, found.size) == ("RGB", (7, 5))


def test_rgb_is_left_as_it_is() -> None:
    image = Image.new("RGB", (3, 3), (1, 2, 3))
    assert to_rgb(image) is image


@pytest.mark.parametrize(
    ("bits", "value", "expected"), [(16, 65535, 255), (16, 257, 1), (12, 4095, 255), (10, 1023, 255)]
)
def test_deep_greys_are_scaled_by_their_bits(bits: int, value: int, expected: int) -> None:
    image = Image.fromarray(np.full((2, 2), value, np.uint16))
    assert to_rgb(image, bits).getpixel((0, 0)) == (expected,) * 3


def test_samples_beyond_the_stated_bits_are_clipped() -> None:
    image = Image.fromarray(np.array([[4096, 65535]], np.uint16))
    assert to_rgb(image, 12).getpixel((1, 0)) == (255, 255, 255)


def test_an_even_float_image_is_black_rather_than_an_error() -> None:
    assert to_rgb(Image.new("F", (2, 2), 0.25)).getpixel((0, 0)) == (0, 0, 0)
