"""Damage that the decoders of a format pass over in silence, found in the file itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PIL import ImageFile

from ml.imaging import heif_items, raster_damage, tiff_strips
from ml.imaging.damage import SLIGHTLY_DAMAGED
from ml.imaging.webp_end import leaves_bytes_unread
from ml.values import Problem

#: type and checksum of a PNG's last chunk, which is always empty
_PNG_END = b"IEND\xaeB`\x82"
#: where a BMP says how long it is, at which byte its pixels start, and how many bits each has
_BMP_LENGTH, _BMP_START, _BMP_BITS = slice(2, 6), slice(10, 14), slice(28, 30)


#: Equal bytes in a row that the coded data of a photo do not hold. In HEVC they cannot be; in AV1 a photo of 9
#: megapixels with flat corners had 91.
_HEIF_HOLE, _AVIF_HOLE = 32, 512


def find_damage(image: ImageFile.ImageFile, data: bytes) -> tuple[Problem, ...]:
    """Slight damage of ``image``, opened from ``data`` and not loaded; none for JPEG, which has its own.

    Raises:
        OSError: pixels are lost, and nobody knows which.
    """
    if image.format == "PNG":
        return () if _PNG_END in data else (SLIGHTLY_DAMAGED,)
    check = _CHECKS.get(str(image.format))
    if check and check(image, data):
        raise OSError(f"the {image.format} data is damaged")
    return ()


def _is_damaged_bmp(image: ImageFile.ImageFile, data: bytes) -> bool:
    length, start, bits = (int.from_bytes(data[place], "little") for place in (_BMP_LENGTH, _BMP_START, _BMP_BITS))
    if 0 < len(data) - length == data.count(b"\r\n") == data.count(b"\n"):
        return True  # sent as text
    stride = -(-image.width * bits // 32) * 4
    return bits >= 24 and raster_damage.is_damaged(data, start, image.height, stride, bits // 8)


_CHECKS: Mapping[str, Callable[[ImageFile.ImageFile, bytes], bool]] = {
    "WEBP": lambda image, data: leaves_bytes_unread(data),
    "HEIF": lambda image, data: heif_items.is_damaged(data, _HEIF_HOLE),
    "AVIF": lambda image, data: heif_items.is_damaged(data, _AVIF_HOLE),
    "TIFF": tiff_strips.is_damaged,
    "BMP": _is_damaged_bmp,
}
