"""DICOM files have the right colours in each transfer syntax, photometric interpretation and depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ml.imaging import decode as images
from ml.imaging.decode import decode
from tests.dicom_files import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    RLE,
    dicom,
    in_ycbcr,
    jpeg,
    jpeg2000,
)
from tests.unit.ml.icc_profiles import DISPLAY_P3, in_srgb, matrix_profile
from tests.unit.ml.photo_files import CORNERS, corners, far_from_upright, quadrants

UNCOMPRESSED = (IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED)
PICTURE = quadrants()
YBR = in_ycbcr(PICTURE)
#: the greys of the four quarters of the picture
LEVELS = np.asarray(Image.fromarray(PICTURE).convert("L"))


def grey_of(data: bytes) -> NDArray[np.uint8]:
    """The pixels (height, width) of a file without colours."""
    rgb = decode(data).rgb
    assert np.array_equal(rgb[..., 0], rgb[..., 1])
    assert np.array_equal(rgb[..., 0], rgb[..., 2])
    return rgb[..., 0]


@pytest.mark.parametrize("by_plane", [False, True])
@pytest.mark.parametrize(("photometric", "samples"), [("RGB", PICTURE), ("YBR_FULL", YBR)])
@pytest.mark.parametrize("syntax", [*UNCOMPRESSED, RLE])
def test_eight_bit_colours(syntax: str, photometric: str, samples: NDArray[Any], by_plane: bool) -> None:
    photo = decode(dicom(samples, photometric, syntax, by_plane=by_plane))
    assert far_from_upright(photo.rgb) <= (0 if photometric == "RGB" else 1)
    assert (photo.format, photo.width, photo.height) == ("DICOM", 96, 64)
    assert photo.problems == photo.notes == ()


@pytest.mark.parametrize("syntax", UNCOMPRESSED)
def test_halved_chroma(syntax: str) -> None:
    assert far_from_upright(decode(dicom(YBR, "YBR_FULL_422", syntax)).rgb) <= 1


def test_whole_chroma_that_is_called_halved() -> None:
    data = dicom(YBR, "YBR_FULL", PhotometricInterpretation="YBR_FULL_422")
    assert far_from_upright(decode(data).rgb) <= 1


@pytest.mark.parametrize("syntax", [*UNCOMPRESSED, RLE])
@pytest.mark.parametrize(("stored", "high_bit"), [(16, 15), (12, 11), (10, 9), (10, 12)])
def test_sixteen_bit_colours_are_scaled_by_their_depth(syntax: str, stored: int, high_bit: int) -> None:
    values = np.rint(PICTURE / 255 * (2**stored - 1)).astype(np.uint16)
    beside = np.uint16(0xFFFF << high_bit + 1 & 0xFFFF)  # other bits of a sample may hold anything
    samples = values << np.uint16(high_bit + 1 - stored) | beside
    photo = decode(dicom(samples, "RGB", syntax, BitsStored=stored, HighBit=high_bit))
    assert np.array_equal(photo.rgb, PICTURE)


@pytest.mark.parametrize("syntax", [*UNCOMPRESSED, RLE])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16"])
def test_greys_are_scaled_by_their_depth(syntax: str, photometric: str, kind: str) -> None:
    information = np.iinfo(kind)
    values = LEVELS.astype(float) * (257 if information.bits == 16 else 1) + float(information.min)
    found = grey_of(dicom(values.astype(kind), photometric, syntax))
    assert np.array_equal(found, 255 - LEVELS if photometric == "MONOCHROME1" else LEVELS)


#: windows from 1000 (black) to 1255 (white)
WINDOWS = {
    "linear": {"WindowCenter": 1128, "WindowWidth": 256},
    "exact": {"WindowCenter": 1127.5, "WindowWidth": 255, "VOILUTFunction": "LINEAR_EXACT"},
    "of rescaled values": {
        "WindowCenter": [656, 40],
        "WindowWidth": [512, 400],
        "RescaleSlope": 2,
        "RescaleIntercept": -1600,
    },
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_sets_black_and_white(name: str) -> None:
    values = LEVELS.astype(np.uint16) + 1000
    values[0, :8], values[-1, -8:] = 0, 4000
    found = grey_of(dicom(values, "MONOCHROME2", BitsStored=12, HighBit=11, **WINDOWS[name]))
    assert np.abs(found[2:-2].astype(int) - LEVELS[2:-2]).max() <= 1
    assert found[0, 0] == 0
    assert found[-1, -1] == 255


def test_a_sigmoid_window() -> None:
    window = {"WindowCenter": 128, "WindowWidth": 200, "VOILUTFunction": "SIGMOID"}
    found = grey_of(dicom(LEVELS, "MONOCHROME2", **window))
    expected = 255 / (1 + np.exp(-4 * (LEVELS - 128.0) / 200))
    assert np.abs(found - expected).max() <= 0.5


def test_a_window_of_one_value_makes_black_and_white() -> None:
    found = grey_of(dicom(LEVELS, "MONOCHROME2", WindowCenter=128, WindowWidth=1))
    assert np.array_equal(found, np.where(LEVELS >= 128, 255, 0))


@pytest.mark.parametrize("syntax", [*UNCOMPRESSED, RLE, JPEG_2000_LOSSLESS])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("first", [0, 3])
def test_palettes(syntax: str, bits: int, first: int) -> None:
    """Index 1 is the last one, so that it is also the colour of the indices above."""
    colours = np.array(list(CORNERS.values()))
    rows, columns = np.arange(64) * 2 // 64, np.arange(96) * 2 // 96
    indices = (first + rows[:, None] * 2 + columns).astype(np.uint8)
    tables = {}
    for at, colour in enumerate(("Red", "Green", "Blue")):
        codes = (colours[:, at] * (257 if bits == 16 else 1)).astype("u2" if bits == 16 else "u1")
        order = ">" if syntax == BIG_ENDIAN else "<"
        packed = codes if bits == 16 else codes.view("<u2")
        tables[f"{colour}PaletteColorLookupTableDescriptor"] = [4, first, bits]
        tables[f"{colour}PaletteColorLookupTableData"] = packed.astype(f"{order}u2").tobytes()
    coded = [jpeg2000(indices)] if syntax == JPEG_2000_LOSSLESS else ()
    photo = decode(dicom(indices, "PALETTE COLOR", syntax, coded=coded, **tables))
    assert far_from_upright(photo.rgb) == 0


JPEGS = {
    "YCbCr": (jpeg(PICTURE), "YBR_FULL"),
    "halved chroma": (jpeg(PICTURE, subsampling=1), "YBR_FULL_422"),
    "quartered chroma": (jpeg(PICTURE, subsampling=2), "YBR_FULL_422"),
    "YCbCr without markers": (jpeg(PICTURE, marked=False), "YBR_FULL_422"),
    "RGB": (jpeg(PICTURE, coded_as_rgb=True), "RGB"),
    "RGB without markers": (jpeg(PICTURE, coded_as_rgb=True, marked=False), "RGB"),
    "YCbCr of a writer that names the decoded colours": (jpeg(PICTURE), "RGB"),
    "progressive": (jpeg(PICTURE, progressive=True), "YBR_FULL_422"),
}


@pytest.mark.parametrize("name", JPEGS)
def test_jpeg(name: str) -> None:
    coded, photometric = JPEGS[name]
    assert far_from_upright(decode(dicom(PICTURE, photometric, JPEG, coded=[coded])).rgb) <= 2


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_grey_jpeg(photometric: str) -> None:
    found = grey_of(dicom(LEVELS, photometric, JPEG, coded=[jpeg(LEVELS)]))
    expected = 255 - LEVELS if photometric == "MONOCHROME1" else LEVELS
    assert np.abs(found.astype(int) - expected)[8:24, 8:40].max() <= 2


def test_grey_jpeg_with_a_window() -> None:
    data = dicom(LEVELS, "MONOCHROME2", JPEG, coded=[jpeg(LEVELS)], WindowCenter=128, WindowWidth=64)
    expected = np.clip((LEVELS.astype(float) - 127.5) / 63 + 0.5, 0, 1) * 255
    assert np.abs(grey_of(data) - expected)[8:24, 8:40].max() <= 6


JPEGS_2000 = {
    "RGB": (jpeg2000(PICTURE, mct=0), "RGB"),
    "reversible": (jpeg2000(PICTURE), "YBR_RCT"),
    "irreversible": (jpeg2000(PICTURE, irreversible=True, quality_mode="rates", quality_layers=[4]), "YBR_ICT"),
    "YCbCr without the coder's own transform": (jpeg2000(YBR, mct=0), "YBR_FULL"),
    "in a file of its own": (jpeg2000(PICTURE, no_jp2=False), "YBR_RCT"),
    "tiles": (jpeg2000(PICTURE, tile_size=(32, 32)), "YBR_RCT"),
}


@pytest.mark.parametrize("name", JPEGS_2000)
def test_jpeg_2000(name: str) -> None:
    coded, photometric = JPEGS_2000[name]
    assert far_from_upright(decode(dicom(PICTURE, photometric, JPEG_2000, coded=[coded])).rgb) <= 2


@pytest.mark.parametrize(("kind", "stored"), [("uint8", 8), ("uint16", 16)])
def test_grey_jpeg_2000(kind: str, stored: int) -> None:
    values = (LEVELS.astype(int) * (257 if stored == 16 else 1)).astype(kind)
    found = grey_of(dicom(values, "MONOCHROME2", JPEG_2000_LOSSLESS, coded=[jpeg2000(values)]))
    assert np.array_equal(found, LEVELS)


@pytest.mark.parametrize("coding", ["uncompressed", "RLE", "JPEG", "JPEG 2000"])
def test_large_photos_are_reduced(coding: str) -> None:
    picture = quadrants(4096, 2048)
    syntax, coded, photometric = {
        "uncompressed": (EXPLICIT, (), "RGB"),
        "RLE": (RLE, (), "RGB"),
        "JPEG": (JPEG, [jpeg(picture)], "YBR_FULL_422"),
        "JPEG 2000": (JPEG_2000, [jpeg2000(picture)], "YBR_RCT"),
    }[coding]
    photo = decode(dicom(picture, photometric, syntax, coded=coded))
    assert photo.rgb.shape == (1024, 2048, 3)
    assert (photo.width, photo.height) == (4096, 2048)
    assert far_from_upright(photo.rgb) <= 2


def test_reduced_palettes_have_no_colours_between_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours are averaged, not their indices."""
    monkeypatch.setattr(images, "WORKING_SIDE", 48)
    indices = np.tile(np.array([[0, 2], [2, 0]], np.uint8), (32, 48))
    codes = {"Red": [200, 0, 100, 0], "Green": [100, 255, 50, 0], "Blue": [60, 0, 20, 0]}
    tables = {f"{colour}PaletteColorLookupTableData": bytes(table) for colour, table in codes.items()}
    tables |= {f"{colour}PaletteColorLookupTableDescriptor": [4, 0, 8] for colour in codes}  # type: ignore[dict-item]
    photo = decode(dicom(indices, "PALETTE COLOR", **tables))
    assert photo.rgb.reshape(-1, 3).tolist() == [[150, 75, 40]] * (48 * 32)


@pytest.mark.parametrize("coding", ["uncompressed", "JPEG"])
def test_the_colour_profile_is_applied(coding: str) -> None:
    syntax, coded = (EXPLICIT, ()) if coding == "uncompressed" else (JPEG, [jpeg(PICTURE)])
    photometric = "RGB" if coding == "uncompressed" else "YBR_FULL_422"
    photo = decode(dicom(PICTURE, photometric, syntax, coded=coded, ICCProfile=matrix_profile(DISPLAY_P3)))
    for name, found in corners(photo.rgb).items():
        assert np.abs(np.subtract(found, in_srgb(CORNERS[name], DISPLAY_P3))).max() <= 2
    assert photo.true_colours


def test_what_stands_in_a_jpeg_about_its_turn_is_ignored() -> None:
    """As DICOM viewers do: rows and columns are those of the image as it is to be shown."""
    exif = Image.Exif()
    exif[0x0112] = 6
    coded = jpeg(PICTURE, exif=exif.tobytes())
    assert far_from_upright(decode(dicom(PICTURE, "YBR_FULL_422", JPEG, coded=[coded])).rgb) <= 2


def test_eight_bits_in_words_of_big_endian() -> None:
    """Each two bytes are exchanged then (DICOM PS3.5, 8.1.1)."""
    samples = np.random.default_rng(1).integers(90, 120, (33, 35, 3), np.uint8)
    swapped = np.frombuffer(samples.tobytes() + b"\0", "<u2").byteswap().tobytes()
    data = dicom(samples, "RGB", BIG_ENDIAN)
    data = data.replace(samples.tobytes() + b"\0", swapped).replace(b"\x7f\xe0\0\x10OB", b"\x7f\xe0\0\x10OW")
    assert np.array_equal(decode(data).rgb, samples)
