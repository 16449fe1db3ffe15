"""Bytes → checked RGB. The only decoder of the project.

The decoded photo is complete, or it is cut off where its data end and has a problem that says so. It is upright (EXIF
orientation applied), in sRGB (however the file states its colours) and without metadata. Size is checked on the header,
before any pixel is decoded.
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

from ml.errors import DamagedImageError, EmptyImageError, UnsupportedImageError
from ml.imaging.colour import in_srgb
from ml.imaging.containers import claims_to_be_allowed, is_raw
from ml.imaging.integrity import Decoded, find_damage, was_sent_as_text
from ml.imaging.jpeg import Layout, check_cost, decode_jpeg, read_layout
from ml.imaging.limits import BOMB, MAX_JPEG_PIXELS, BoundedReads, check_size, in_turn, too_large
from ml.imaging.reduce import shrink
from ml.values import Photo, Problem

#: what Pillow may open; its other decoders stay closed, whatever the bytes say (its JPEG reader opens MPO too)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
_NAMES = "JPEG, PNG, WebP, GIF, BMP, TIFF, MPO, HEIF or AVIF"
#: the longest side that analysis works on: three times what the largest measurement uses, and 12 MB of RGB
WORKING_SIDE = 2048
_BYTES_OF_A_PIXEL = 4
_EXIF_ORIENTATION = 0x0112
#: EXIF orientation → how the stored picture must be turned; 1 and impossible values: not at all
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
#: what arrays of one, three and four channels stand for
_ARRAY_MODES = ("L", "RGB", "RGBA")
#: rows whose channels are put in order at once
_BAND = 256

Image.init()  # registers AVIF too, which Pillow otherwise looks for only after the common formats failed
pillow_heif.register_heif_opener()
# Pillow warns about odd metadata; only the pixels matter here.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")


def decode(data: bytes, *, max_pixels: int = MAX_JPEG_PIXELS) -> Photo:
    """Decode one upload.

    Returns a Photo whose ``rgb`` is at most WORKING_SIDE pixels on its longest side. The first frame of an
    animation, and the primary image of a multi-picture file, is used.

    Raises:
        EmptyImageError: no bytes.
        UnsupportedImageError: not one of FORMATS.
        ImageTooLargeError: more than ``max_pixels`` by the header, more than the format may have (MAX_JPEG_PIXELS,
            MAX_OTHER_PIXELS), or a progressive JPEG that needs too much memory.
        ImageTooSmallError: a side under MIN_SIDE pixels.
        DamagedImageError: truncated or damaged data.
    """
    if not data:
        raise EmptyImageError("The image is empty. Send the photo's bytes.")
    if is_raw(data):
        raise UnsupportedImageError("This is a raw file: send a JPEG or HEIC of it.")
    with _open(data) as image:
        check_size(image, max_pixels)
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
                raise DamagedImageError(
                    "The image is damaged or cut short and cannot be decoded completely. Send the original file."
                ) from error


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
    """Decode all pixels of ``image``, which was opened from ``data``. Raises almost anything where data are damaged."""
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
    """The pixels at the working size, slight damage, and the share of rows that was kept. Frees the full pixels."""
    found = decode_jpeg(image, data, layout) if layout else _decode_other(image, data)
    pixels = shrink(found.pixels, WORKING_SIDE)
    pixels.info = dict(image.info)
    return pixels, found.problems, found.kept


def _decode_other(image: ImageFile.ImageFile, data: bytes) -> Decoded:
    """All pixels of a file that is no JPEG. Pillow would hold those of WebP and HEIF two to four times at once."""
    problems = find_damage(image, data)
    if image.mode in _ARRAY_MODES and not getattr(image, "is_animated", False):
        if image.format == "WEBP":
            return Decoded(_webp_pixels(image, data), problems)
        if image.format == "HEIF":
            return Decoded(_heif_pixels(image, data), problems)
    image.load()
    return Decoded(image, problems)


def _webp_pixels(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint8]:
    """A still WebP: (height, width, 3 or 4), RGB or RGBA. Raises OSError where it is damaged."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[1::-1] != image.size:
        raise OSError("the WebP data is damaged")
    order = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    for top in range(0, len(pixels), _BAND):  # at once it would take a second copy
        pixels[top : top + _BAND] = cv2.cvtColor(pixels[top : top + _BAND], order)
    return np.asarray(pixels, np.uint8)


def _heif_pixels(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint8]:
    """The primary picture of a HEIF: (height, width) or (height, width, 3 or 4); grey, RGB or RGBA.

    Raises ValueError, EOFError or RuntimeError where it is damaged.
    """
    pixels = np.asarray(pillow_heif.open_heif(data, convert_hdr_to_8bit=True))
    if pixels.dtype != np.uint8 or pixels.shape[1::-1] != image.size:
        raise ValueError(f"{pixels.dtype} of shape {pixels.shape} is not what the header states")
    return pixels


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1–8; 1 where there is none or the metadata cannot be read."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - broken EXIF raises almost anything, and the photo is fine without it
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1
