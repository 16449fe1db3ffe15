"""Whether a WebP is read to its end. It has no checksum: behind damage its decoder reads on, and stops elsewhere."""

from __future__ import annotations

import struct

import cv2
import numpy as np

#: a whole file cannot spare as many bytes at its end
_SPARED = 32
_CODED = (b"VP8 ", b"VP8L")


def leaves_bytes_unread(data: bytes) -> bool:
    """Whether the still picture of ``data`` decodes as well without its last bytes: then some before them are wrong."""
    kind, coded = _coded(data)
    if len(coded) < 4 * _SPARED:
        return False
    shorter = coded[:-_SPARED]
    shorter += b"\0" * (len(shorter) % 2)
    chunk = b"WEBP" + kind + struct.pack("<I", len(coded) - _SPARED) + shorter
    file = b"RIFF" + struct.pack("<I", len(chunk)) + chunk
    return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED) is not None


def _coded(data: bytes) -> tuple[bytes, bytes]:
    """Type and content of the first chunk that holds a picture; empty where there is none, as in an animation."""
    at = 12
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind in _CODED:
            return kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return b"", b""
