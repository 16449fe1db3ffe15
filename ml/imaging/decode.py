"""Decodes a file into upright sRGB pixels without metadata. The only decoder of the project.

If pixels are lost, the photo is refused, or it is cut off there and gets the problem ``damaged``. The size is checked
in the header, before any pixel is decoded.
"""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.Image import Transpose
from PIL.JpegImagePlugin import JpegImageFile

from ml.errors import DamagedImageError, EmptyImageError, ImageError, UnsupportedImageError
from ml.imaging.colour import in_srgb
from ml.imaging.containers import claims_to_be_allowed, is_dicom, is_raw
from ml.imaging.dicom import read_dicom
from ml.imaging.dicom_frame import decode_frame
from ml.imaging.integrity import Decoded, find_damage, was_sent_as_text
from ml.imaging.jpeg import Layout, check_cost, decode_jpeg, read_layout
from ml.imaging.limits import BOMB, MAX_JPEG_PIXELS, BoundedReads, check_size, in_turn, too_large
from ml.imaging.reduce import shrink
from ml.values import Photo, Problem

#: the only formats that Pillow may open; its JPEG reader opens MPO too. Inside DICOM, it also opens JPEG 2000.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
_NAMES = "JPEG, PNG, WebP, GIF, BMP, TIFF, MPO, HEIF, AVIF or DICOM"
_DAMAGED = "The image is damaged or cut short and cannot be decoded completely. Send the original file."
#: longest side of a decoded photo in pixels; such a photo takes up to 12 MB
WORKING_SIDE = 2048
_BYTES_OF_A_PIXEL = 4
_EXIF_ORIENTATION = 0x0112
#: EXIF orientation → the transposition that makes the stored picture upright; other values need none
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_FIRST_TURN_TO_THE_SIDE = 5
#: the modes of arrays with one, three and four channels
_ARRAY_MODES = ("L", "RGB", "RGBA")
#: rows whose channels are reordered in one step
_BAND = 256

Image.init()  # also registers AVIF, which Pillow otherwise tries only after the common formats
pillow_heif.register_heif_opener()
# Pillow warns about odd metadata; only the pixels matter here.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")


def decode(data: bytes, *, max_pixels: int = MAX_JPEG_PIXELS) -> Photo:
    """Decode one upload.

    Returns a Photo whose ``rgb`` has at most WORKING_SIDE pixels on its longest side. Of an animation it is the first
    frame, and of a file with several pictures the primary one. Of a DICOM file it is the first frame.

    Raises:
        EmptyImageError: ``data`` is empty.
        UnsupportedImageError: the format is not one of FORMATS or DICOM, or it is a camera's raw file, or a DICOM file
            that is not a photo or has pixels that are stored in a way that is not read.
        ImageTooLargeError: the header states more than ``max_pixels`` pixels or more than the format may have
            (MAX_JPEG_PIXELS, MAX_OTHER_PIXELS), or the file is a progressive JPEG that needs too much memory.
        ImageTooSmallError: a side has fewer than MIN_SIDE pixels.
        DamagedImageError: the data are truncated or damaged.
    """
    if not data:
        raise EmptyImageError("The image is empty. Send the photo's bytes.")
    if is_dicom(data):
        return _decode_dicom(data, max_pixels)
    if is_raw(data):
        raise UnsupportedImageError("This is a camera's raw file. Send a JPEG or HEIC of the photo.")
    with _open(data) as image:
        check_size(image.size, max_pixels, jpeg=isinstance(image, JpegImageFile))
        layout: Layout | None = None
        memory = image.width * image.height * _BYTES_OF_A_PIXEL
        if isinstance(image, JpegImageFile):
            layout = read_layout(image, data)
            check_cost(layout, data)
            memory = layout.coefficient_bytes
        with in_turn(memory):
            try:
                return _load(image, data, layout)
            except BOMB as error:
                raise too_large() from error
            except Exception as error:
                raise DamagedImageError(_DAMAGED) from error


def _decode_dicom(data: bytes, max_pixels: int) -> Photo:
    """The first frame of a DICOM file. Raises as ``decode`` does. The causes of errors are not chained, because their
    texts may quote what the file says of the patient."""
    dicom = read_dicom(data, max_pixels)
    try:
        if was_sent_as_text(data):
            raise OSError("the file was transferred as text")
        return decode_frame(dicom, WORKING_SIDE)
    except ImageError:
        raise
    except BOMB:
        raise too_large() from None
    except Exception:  # noqa: BLE001 - damaged pixels raise almost anything
        raise DamagedImageError(_DAMAGED) from None


def _open(data: bytes) -> ImageFile.ImageFile:
    try:
        return Image.open(BoundedReads(data), formats=FORMATS)
    except BOMB as error:
        raise too_large() from error
    except Exception as error:
        if claims_to_be_allowed(data):
            raise DamagedImageError("The image is damaged and cannot be opened. Send the original file.") from error
        raise UnsupportedImageError(f"This is not an image of a supported type. Send {_NAMES}.") from error


def _load(image: ImageFile.ImageFile, data: bytes, layout: Layout | None) -> Photo:
    """Decode ``image``, which was opened from ``data``. Damaged data may raise any exception."""
    if was_sent_as_text(data):
        raise OSError("the file was transferred as text")
    width, height = image.size
    pixels, damage, kept = _reduced(image, data, layout)
    rgb, doubts = in_srgb(image, pixels, data)
    height = round(height * kept)
    orientation = _orientation(image)
    if orientation in _TURNS:
        rgb = rgb.transpose(_TURNS[orientation])
    if orientation >= _FIRST_TURN_TO_THE_SIDE:
        width, height = height, width
    upright = np.ascontiguousarray(np.asarray(rgb))
    return Photo(upright, width, height, str(image.format), (*damage, *doubts), true_colours=not doubts)


def _reduced(
    image: ImageFile.ImageFile, data: bytes, layout: Layout | None
) -> tuple[Image.Image, tuple[Problem, ...], float]:
    """The pixels at the working size, the slight damage, and the share of rows that is left, 0–1. The pixels at full
    size are freed on return."""
    found = decode_jpeg(image, data, layout) if layout else _decode_other(image, data)
    pixels = shrink(found.pixels, WORKING_SIDE)
    pixels.info = dict(image.info)
    return pixels, found.problems, found.kept


def _decode_other(image: ImageFile.ImageFile, data: bytes) -> Decoded:
    """All pixels of a file that is not JPEG. Still WebP and HEIF are decoded without Pillow, which would hold two to
    four copies of their pixels. Raises OSError or any exception of a decoder if the file is damaged."""
    problems = find_damage(image, data)
    if image.mode in _ARRAY_MODES and not getattr(image, "is_animated", False):
        if image.format == "WEBP":
            return Decoded(_webp_pixels(image, data), problems)
        if image.format == "HEIF":
            return Decoded(_heif_pixels(image, data), problems)
    image.load()
    return Decoded(image, problems)


def _webp_pixels(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint8]:
    """The pixels of a still WebP, (height, width, 3 or 4), RGB or RGBA. Raises OSError if it is damaged."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[1::-1] != image.size:
        raise OSError("the WebP data is damaged")
    order = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    for top in range(0, len(pixels), _BAND):  # all rows together would need a second copy
        pixels[top : top + _BAND] = cv2.cvtColor(pixels[top : top + _BAND], order)
    return np.asarray(pixels, np.uint8)


def _heif_pixels(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint8]:
    """The primary picture of a HEIF, (height, width) or (height, width, 3 or 4): grey, RGB or RGBA.

    Raises ValueError, EOFError or RuntimeError if it is damaged.
    """
    pixels = np.asarray(pillow_heif.open_heif(data, convert_hdr_to_8bit=True))
    if pixels.dtype != np.uint8 or pixels.shape[1::-1] != image.size:
        raise ValueError(f"{pixels.dtype} of shape {pixels.shape} is not what the header states")
    return pixels


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1–8; 1 if there is none or the metadata cannot be read."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - broken EXIF raises almost anything, and the photo is fine without it
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1
