"""Image bytes as clients really send them."""

from __future__ import annotations

import base64
import binascii
import re

from web.errors import BadBase64Error

#: how much rubbish before a JPEG is forgiven (a data URL decoded together with its header leaves 15 bytes)
MAX_JUNK = 64

_JPEG = b"\xff\xd8\xff"
_KNOWN = re.compile(
    rb"\xff\xd8|\x89PNG|GIF8|BM|II\*\x00|MM\x00\*|RIFF|.{4}ftyp|8BPS|%!PS|%PDF|\x00\x00\x00\x0cjP|P[1-7]\s|<", re.DOTALL
)
_DATA_URL = re.compile(r"\s*data:[^,]{0,200},", re.IGNORECASE)


def strip_junk(data: bytes) -> bytes:
    """``data`` from the start of the JPEG that begins within its first MAX_JUNK bytes; otherwise as it is.

    Bytes that begin as any other known kind of file are left alone: a JPEG inside them is not the photo.
    """
    if _KNOWN.match(data):
        return data
    start = data.find(_JPEG, 0, MAX_JUNK + len(_JPEG))
    return data[start:] if start > 0 else data


def decode_base64(text: str) -> bytes:
    """Bare base64 or a data URL → bytes. Line breaks, missing padding and the URL alphabet are accepted.

    Raises BadBase64Error.
    """
    header = _DATA_URL.match(text)
    if header and ";base64" not in header.group().lower():
        raise BadBase64Error("The data URL is not base64. Send data:image/jpeg;base64,… or bare base64.")
    body = "".join(text[header.end() if header else 0 :].split()).rstrip("=")
    try:
        raw = body.encode("ascii").translate(bytes.maketrans(b"-_", b"+/"))
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise BadBase64Error("The image text is not base64. Send bare base64 or a data URL.") from error
