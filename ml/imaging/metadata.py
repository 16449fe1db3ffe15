"""Copies a photo without its metadata: place, time, device, owner, thumbnails. Its pixels do not change.

Of a JPEG and a PNG, the parts that hold metadata are left out, and the coded pixels are copied as they are. The copy is
decoded and compared. If it differs, because the file states its colours or its turn in its metadata, or if the file is
of another format, the decoded pixels are saved as a PNG, which loses nothing that the service uses.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image

from ml.errors import ImageError
from ml.imaging.decode import decode
from ml.values import RGB

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
#: In the coded data of a JPEG's scan, 0xFF is followed by 0 or is part of a restart marker (ITU-T T.81, B.1.1).
_MARKER = re.compile(rb"\xff+[^\x00\x01\xff\xd0-\xd7]")
_START_OF_SCAN, _END_OF_IMAGE, _COMMENT = 0xDA, 0xD9, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
#: application segments that decoding needs: marker → first bytes. JFIF's density stays, its thumbnail does not.
_NEEDED = {_APP2: b"ICC_PROFILE\0", _APP14: b"Adobe"}
_JFIF, _JFIF_LENGTH = b"JFIF\0", 12
_ORIENTATION = 0x0112
#: ancillary chunks of a PNG that decoding needs; critical ones begin with a capital letter
_CHUNKS = {b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT"}
_PNG_COMPRESSION = 3


def without_metadata(data: bytes) -> tuple[bytes, str]:
    """(the bytes of a copy without metadata, its suffix) of an encoded photo. The same bytes give the same copy.

    Raises ImageError if the photo cannot be decoded.
    """
    rgb = decode(data).rgb
    for start, strip, suffix in ((_JPEG, _jpeg, ".jpg"), (_PNG, _png, ".png")):
        if data.startswith(start):
            copy = strip(data)
            if _shows(copy, rgb):
                return copy, suffix
    return as_png(rgb), ".png"


def _shows(data: bytes, rgb: RGB) -> bool:
    try:
        return np.array_equal(decode(data).rgb, rgb)
    except ImageError:
        return False


def _jpeg(data: bytes) -> bytes:
    """The first picture of a JPEG with the segments that decoding needs, and its turn."""
    kept = [_JPEG, _turn(data)]
    for marker, part in _segments(data):
        content = part[4:]
        if marker == _APP0 and content.startswith(_JFIF):
            content = content[:_JFIF_LENGTH] + b"\0\0"
            kept.append(part[:2] + (len(content) + 2).to_bytes(2, "big") + content)
        elif not (_APP0 <= marker <= _APP15 or marker == _COMMENT) or (
            marker in _NEEDED and content.startswith(_NEEDED[marker])
        ):
            kept.append(part)
    return b"".join(kept) + bytes((0xFF, _END_OF_IMAGE))


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, the whole segment), with the coded data that follow a start of scan, up to the end of the picture."""
    found = _MARKER.search(data, len(_JPEG))
    while found and (marker := data[found.end() - 1]) != _END_OF_IMAGE:
        start = found.end() - 2
        end = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
        found = _MARKER.search(data, end)
        if marker == _START_OF_SCAN:
            end = found.start() if found else len(data)
        yield marker, data[start:end]


def _turn(data: bytes) -> bytes:
    """An EXIF segment that states nothing but the photo's orientation; empty if it is upright."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - broken EXIF raises almost anything, and the copy is compared afterwards
        return b""
    if orientation == 1 or not isinstance(orientation, int):
        return b""
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    content = exif.tobytes()
    return bytes((0xFF, _APP1)) + (len(content) + 2).to_bytes(2, "big") + content


def _png(data: bytes) -> bytes:
    """The chunks of a PNG that decoding needs."""
    kept, at = [_PNG], len(_PNG)
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        if name[:1].isupper() or name in _CHUNKS:
            kept.append(data[at:end])
        at = len(data) if name == b"IEND" else end
    return b"".join(kept)


def as_png(rgb: RGB) -> bytes:
    """A PNG of the pixels (H, W, 3), without loss. The same pixels give the same bytes."""
    encoded, data = cv2.imencode(".png", rgb[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION])
    if not encoded:
        raise RuntimeError("OpenCV could not encode a PNG")
    return data.tobytes()
