"""pydicom's own test files: each has the colours that pydicom itself finds, or is refused with a reason."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import dcmread
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import SecondaryCaptureImageStorage

from ml.errors import DamagedImageError, ImageError, UnsupportedImageError
from ml.imaging import limits
from ml.imaging.decode import decode


def _is_dicom(path: Path) -> bool:
    return path.suffix == ".dcm" or path.read_bytes().startswith(b"DICM", 128)


FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
FILES = {path.name: path for path in sorted(FOLDER.rglob("*")) if path.is_file() and _is_dicom(path)}
COLOURS = [
    "ExplVR_BigEnd.dcm",
    "SC_jpeg_no_color_transform.dcm",
    "SC_jpeg_no_color_transform_2.dcm",
    "SC_rgb_dcmtk_+eb+cr.dcm",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "SC_rgb_dcmtk_+eb+cy+n2.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "SC_rgb_dcmtk_+eb+cy+s2.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "SC_rgb_gdcm_KY.dcm",
    "SC_rgb_jpeg.dcm",
    "SC_rgb_jpeg_app14_dcmd.dcm",
    "SC_rgb_jpeg_dcmd.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_jpeg_lossy_gdcm.dcm",
    "SC_rgb_rle.dcm",
    "SC_rgb_rle_16bit.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_rle_2frame.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_jpeg2k.dcm",
    "examples_palette.dcm",
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
]
#: grey ones without a window
GREYS = ["CT_small.dcm", "JPEG2000.dcm", "image_dfl.dcm"]
#: Secondary Capture images that are refused
UNREAD = [
    *("JPEG-lossy.dcm", "JPGExtended.dcm", "SC_rgb_rle_32bit.dcm", "SC_rgb_rle_32bit_2frame.dcm"),
    *("JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm"),
    *("SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm", "SC_rgb_jpeg_gdcm.dcm"),
]
DAMAGED = ["GDCMJ2K_TextGBR.dcm", "JPEG2000-embedded-sequence-delimiter.dcm"]


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of the files have 3 × 3 pixels."""
    monkeypatch.setattr(limits, "MIN_SIDE", 1)


def as_a_photo(name: str) -> bytes:
    """The file, said to be a Secondary Capture image."""
    if name.startswith("SC_"):
        return FILES[name].read_bytes()
    file = dcmread(FILES[name])
    file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    written = io.BytesIO()
    file.save_as(written)
    return written.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_read_or_refused(name: str) -> None:
    """Only those of the listed classes are photos."""
    try:
        decode(FILES[name].read_bytes())
    except ImageError as error:
        refusal: ImageError | None = error
    else:
        refusal = None
    if refusal is None:
        assert name in [*COLOURS, *GREYS]
    elif name in DAMAGED:
        assert isinstance(refusal, DamagedImageError)
    else:
        assert isinstance(refusal, UnsupportedImageError)
        assert name not in COLOURS or not name.startswith("SC_")


@pytest.mark.parametrize("name", COLOURS)
def test_colours_are_those_that_pydicom_finds(name: str) -> None:
    data = as_a_photo(name)
    file = dcmread(io.BytesIO(data))
    expected = pixel_array(file, index=0)
    if file.PhotometricInterpretation == "PALETTE COLOR":
        expected = apply_color_lut(expected, file) // 256
    elif expected.dtype == np.uint16:
        expected = np.rint(expected / 257)
    assert np.abs(decode(data).rgb - expected.astype(float)).max() <= 1


@pytest.mark.parametrize("name", GREYS)
def test_greys_are_those_that_pydicom_finds(name: str) -> None:
    data = as_a_photo(name)
    file = dcmread(io.BytesIO(data))
    values = pixel_array(file).astype(float) + (2 ** (file.BitsStored - 1) if file.PixelRepresentation else 0)
    found = decode(data).rgb
    assert np.abs(found - values[..., None] / (2**file.BitsStored - 1) * 255).max() <= 1


@pytest.mark.parametrize("name", UNREAD)
def test_other_pixels_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedImageError, match="Export the image"):
        decode(FILES[name].read_bytes())
