"""What is read of a DICOM file beside its pixels, and which files are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom import uid

from ml.errors import ImageTooLargeError, ImageTooSmallError, UnsupportedImageError
from ml.imaging.decode import decode
from tests.dicom_files import (
    DEFLATED,
    DERMOSCOPIC,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    JPEG_2000,
    PHOTOGRAPHIC,
    RLE,
    SECONDARY_CAPTURE,
    dicom,
    jpeg,
    jpeg2000,
    rle,
)
from tests.unit.ml.photo_files import far_from_upright, quadrants

PICTURE = quadrants()
UPSIDE_DOWN = np.ascontiguousarray(PICTURE[::-1])


def photo_of(**elements: Any) -> Any:
    return decode(dicom(PICTURE, **elements))


@pytest.mark.parametrize(
    "kind",
    [
        PHOTOGRAPHIC,
        DERMOSCOPIC,
        SECONDARY_CAPTURE,
        uid.VLEndoscopicImageStorage,
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    ],
)
def test_photos_are_read(kind: str) -> None:
    assert far_from_upright(photo_of(kind=kind).rgb) == 0


@pytest.mark.parametrize(
    "kind",
    [
        uid.CTImageStorage,
        uid.MRImageStorage,
        uid.UltrasoundImageStorage,
        uid.ComprehensiveSRStorage,
        uid.EncapsulatedPDFStorage,
        uid.VLWholeSlideMicroscopyImageStorage,
        uid.OphthalmicPhotography8BitImageStorage,
        "1.2.3",
    ],
)
def test_other_images_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedImageError, match=r"not a photo\. Send an image of the class VL Photographic"):
        photo_of(kind=kind)


def test_a_file_that_does_not_state_its_class_is_refused() -> None:
    data = dicom(PICTURE).replace(PHOTOGRAPHIC.encode(), b" " * len(PHOTOGRAPHIC))
    with pytest.raises(UnsupportedImageError, match="not a photo"):
        decode(data)


@pytest.mark.parametrize(
    "syntax",
    [
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEGLSNearLossless,
        uid.HTJ2K,
        uid.HTJ2KLossless,
        uid.JPEG2000MC,
        uid.MPEG2MPML,
        uid.MPEG4HP41,
        uid.HEVCMP51,
    ],
)
def test_other_compressions_are_refused(syntax: str) -> None:
    with pytest.raises(UnsupportedImageError, match="Export the image uncompressed or as a JPEG"):
        decode(dicom(PICTURE, syntax=syntax, coded=[b"\xff\xd8 anything"]))


def test_compressed_pixels_of_an_uncompressed_syntax_are_refused() -> None:
    data = dicom(PICTURE, "YBR_FULL_422", JPEG, coded=[jpeg(PICTURE)])
    for syntax in (EXPLICIT.ljust(len(JPEG), "\0"), "\0" * len(JPEG)):
        with pytest.raises(UnsupportedImageError, match="Export the image uncompressed"):
            decode(data.replace(JPEG.encode(), syntax.encode()))


def test_unknown_compressions_are_refused() -> None:
    data = dicom(PICTURE, "YBR_FULL_422", JPEG, coded=[jpeg(PICTURE)])
    with pytest.raises(UnsupportedImageError, match="Export the image uncompressed or as a JPEG"):
        decode(data.replace(JPEG.encode(), JPEG.encode()[:-2] + b"99"))


@pytest.mark.parametrize(
    "elements",
    [
        {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31},
        {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0},
        {"PhotometricInterpretation": "CMYK"},
        {"PhotometricInterpretation": "MONOCHROME2"},
        {"PhotometricInterpretation": "PALETTE COLOR", "SamplesPerPixel": 1},
        {"SamplesPerPixel": 4},
    ],
)
def test_other_pixels_are_refused(elements: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedImageError, match="Export the image as RGB of 8 bits per sample"):
        photo_of(**elements)


def test_jpegs_of_twelve_bits_are_refused() -> None:
    data = dicom(
        PICTURE,
        "YBR_FULL_422",
        uid.JPEGExtended12Bit,
        coded=[jpeg(PICTURE)],
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
    )
    with pytest.raises(UnsupportedImageError, match="Export the image as RGB of 8 bits per sample"):
        decode(data)


def test_extended_jpegs_of_eight_bits_are_read() -> None:
    data = dicom(PICTURE, "YBR_FULL_422", uid.JPEGExtended12Bit, coded=[jpeg(PICTURE)])
    assert far_from_upright(decode(data).rgb) <= 2


@pytest.mark.parametrize(("kind", "modality"), [(DERMOSCOPIC, "dermatoscopic"), (PHOTOGRAPHIC, None)])
def test_the_class_states_the_kind_of_photo(kind: str, modality: str | None) -> None:
    assert photo_of(kind=kind).modality == modality


@pytest.mark.parametrize(
    ("elements", "pixels_per_mm"),
    [
        ({"PixelSpacing": [0.05, 0.05]}, 20),
        ({"PixelSpacing": [0.05, 0.0501]}, 2 / 0.1001),
        ({}, None),
        ({"PixelSpacing": [0.05, 0.06]}, None),  # not square
        ({"PixelSpacing": [1, 1]}, None),  # a placeholder
        ({"PixelSpacing": [0.0005, 0.0005]}, None),  # finer than light shows
        ({"PixelSpacing": [0, 0]}, None),
        ({"PixelSpacing": [-0.05, -0.05]}, None),
        ({"PixelSpacing": 0.05}, None),
        # The spacing on a sensor or on paper is not that on the skin.
        ({"ImagerPixelSpacing": [0.05, 0.05]}, None),
        ({"PixelSpacing": [0.05, 0.05], "ImagerPixelSpacing": [0.05, 0.05]}, None),
        ({"PixelSpacing": [0.05, 0.05], "ImagerPixelSpacing": [0.004, 0.004]}, 20),
        ({"PixelSpacing": [0.05, 0.05], "NominalScannedPixelSpacing": [0.05, 0.05]}, None),
    ],
)
def test_the_spacing_states_the_scale(elements: dict[str, Any], pixels_per_mm: float | None) -> None:
    found = photo_of(**elements).pixels_per_mm
    assert found == (pixels_per_mm if pixels_per_mm is None else pytest.approx(pixels_per_mm))


FRAMES = {
    "uncompressed": (EXPLICIT, (), "RGB"),
    "deflated": (DEFLATED, (), "RGB"),
    "RLE": (RLE, (rle(PICTURE), rle(UPSIDE_DOWN)), "RGB"),
    "JPEG": (JPEG, (jpeg(PICTURE), jpeg(UPSIDE_DOWN)), "YBR_FULL_422"),
    "JPEG 2000": (JPEG_2000, (jpeg2000(PICTURE), jpeg2000(UPSIDE_DOWN)), "YBR_RCT"),
}


#: each name, and how its frames lie in the file: fragments of each, and whether there is a table of offsets
LAID_OUT = [
    *(("uncompressed", 1, False), ("deflated", 1, False), ("RLE", 1, True), ("RLE", 1, False)),
    *(
        (name, fragments, offsets)
        for name in ("JPEG", "JPEG 2000")
        for fragments in (1, 3)
        for offsets in (True, False)
    ),
]


@pytest.mark.parametrize(("name", "fragments", "offsets"), LAID_OUT)
def test_the_first_of_several_frames_is_read(name: str, fragments: int, offsets: bool) -> None:
    syntax, coded, photometric = FRAMES[name]
    data = dicom(
        PICTURE,
        photometric,
        syntax,
        coded=coded,
        fragments=fragments,
        offsets=offsets,
        further=UPSIDE_DOWN,
        kind=uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
        NumberOfFrames=2,
    )
    photo = decode(data)
    assert far_from_upright(photo.rgb) <= 2
    assert photo.notes == ("The DICOM file has 2 frames. Only the first one was analysed.",)


@pytest.mark.parametrize("number", [1, 0, None])
def test_one_frame_needs_no_note(number: int | None) -> None:
    assert photo_of(**({} if number is None else {"NumberOfFrames": number})).notes == ()


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_files_without_a_preamble_are_read(syntax: str) -> None:
    assert far_from_upright(decode(dicom(PICTURE, syntax=syntax)[132:]).rgb) == 0


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_files_that_do_not_state_their_transfer_syntax_are_read(syntax: str) -> None:
    data = dicom(PICTURE, syntax=syntax)
    stated = str(syntax).encode() + b"\0" * (len(syntax) % 2)
    assert data.count(stated) >= 1
    assert far_from_upright(decode(data.replace(stated, b"\0" * len(stated), 1)).rgb) == 0


def test_any_preamble_will_do() -> None:
    """Some files begin as TIFF too (DICOM PS3.10, 7.1)."""
    assert decode(b"II*\0" + dicom(PICTURE)[4:]).format == "DICOM"


@pytest.mark.parametrize(("syntax", "limit"), [(EXPLICIT, "64 million in any other format"), (JPEG, "220 million")])
def test_size_is_checked_before_pixels_are_read(syntax: str, limit: str) -> None:
    with pytest.raises(ImageTooLargeError, match=limit):
        decode(
            dicom(PICTURE, syntax=syntax, coded=[jpeg(PICTURE)] if syntax == JPEG else (), Rows=60000, Columns=60000)
        )


def test_the_setting_for_the_largest_photo_holds() -> None:
    with pytest.raises(ImageTooLargeError, match=r"0\.005 million"):
        decode(dicom(PICTURE), max_pixels=5000)


def test_small_images_are_refused() -> None:
    with pytest.raises(ImageTooSmallError, match="31 × 64"):
        decode(dicom(quadrants(31, 64)))
