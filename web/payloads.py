"""Decodes photos in the many forms in which clients send them: bytes, base64, data URLs, with junk around them."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from web.errors import BadBase64Error

#: most bytes of junk that are removed before a JPEG (a client that base64-decodes a whole data URL makes 15)
MAX_JUNK = 64

_JPEG = b"\xff\xd8\xff"
#: a DICOM file: any 128 bytes and a prefix, or the length of its first group (ml.imaging.containers.is_dicom)
_DICOM = rb".{128}DICM|\x02\0\0\0UL\x04\0"
#: first bytes of file types that may contain a JPEG
_KNOWN = re.compile(
    rb"\xff\xd8|\x89PNG|GIF8|BM|II\*\x00|MM\x00\*|RIFF|.{4}ftyp|8BPS|%!PS|%PDF|\x00\x00\x00\x0cjP|P[1-7]\s|<|" + _DICOM,
    re.DOTALL,
)
#: first bytes of JPEG, PNG, GIF, BMP, TIFF, WebP, HEIF and DICOM files; long enough that no text matches
_PHOTO = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|BM.{4}\0{4}|II[*+]\0|MM\0[*+]|RIFF.{4}WEBP|\0\0.{2}ftyp|" + _DICOM, re.DOTALL
)
#: the opening of a quoted text, as Python or JSON write it
_QUOTED = re.compile(rb"\s*b?([\"'])")
_DATA_URL = re.compile(rb"\s*data:([^,]{0,200}),", re.IGNORECASE)
_PHOTO_URL = re.compile(rb"\s*data:(?:image/|application/dicom)[^,]{0,200};base64,", re.IGNORECASE)
_WHITE_BUT_SPACE = b"\r\n\t\v\f"
#: a text longer than this is a photo
_LONG = 2**16
#: characters that are examined to recognise a photo: the header of a data URL in percent codes, and 40 of base64, or
#: 176 for a DICOM file's 132 bytes
_HEAD = 800
_SIGNATURE_CHARACTERS = (40, 176)
#: characters that are examined to tell line breaks from other spaces
_SAMPLE = 4096

#: pattern of a common mistake → advice
_MISTAKES = (
    (
        re.compile(rb"\s*(?:[a-z][a-z-]{1,20}://|blob:)", re.IGNORECASE),
        "The image is an address, but the service downloads nothing. Send the photo's bytes, or their base64.",
    ),
    (
        re.compile(rb"\s*\[object "),
        "The image is the text of a JavaScript object. Append a File or a Blob to the form. In React Native, append an "
        "object with uri, name and type.",
    ),
)


def is_photo(data: bytes) -> bool:
    """Whether ``data`` begins with the signature of an image file."""
    return _PHOTO.match(data) is not None


def is_photo_text(text: bytes) -> bool:
    """Whether ``text`` begins like the base64 or the data URL of a photo."""
    head = _unquoted(percent_decoded(text.lstrip()[:_HEAD]))
    if _PHOTO_URL.match(head):
        return True
    try:
        characters = _base64_characters(head)
        starts = (characters[: min(length, len(characters)) // 4 * 4] for length in _SIGNATURE_CHARACTERS)
        return any(is_photo(base64.b64decode(start, validate=True)) for start in starts)
    except (BadBase64Error, binascii.Error):
        return False


def photo_of(data: bytes) -> bytes:
    """Decode base64 if necessary, and remove junk before the photo. Other data stays as it is.

    Raises BadBase64Error if the data begins like the base64 of a photo but cannot be decoded.
    """
    if not is_photo(data) and is_photo_text(data):
        data = decode_base64(data)
    return strip_junk(data)


def strip_junk(data: bytes) -> bytes:
    """Remove the bytes before a JPEG, if there are at most MAX_JUNK of them.

    Other known file types stay as they are: a JPEG inside them is only a part, such as a preview.
    """
    if _KNOWN.match(data):
        return data
    start = data.find(_JPEG, 0, MAX_JUNK + len(_JPEG))
    return data[start:] if start > 0 else data


def decode_base64(text: bytes) -> bytes:
    """Decode base64 or a data URL.

    Accepts line breaks, missing padding, the URL alphabet, percent codes, and spaces instead of "+", which form
    decoding produces. Raises BadBase64Error.
    """
    try:
        raw = _base64_characters(_unquoted(percent_decoded(text)))
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except binascii.Error as error:
        advice = next((words for mistake, words in _MISTAKES if mistake.match(text)), None)
        raise BadBase64Error(advice or "The image text is not base64. Send bare base64 or a data URL.") from error


def percent_decoded(data: bytes) -> bytes:
    """Decode the percent codes (such as %2B) in ``data``."""
    if b"%" not in data:
        return data
    if len(data) <= _LONG:
        return unquote_to_bytes(data)
    # unquote_to_bytes takes seconds for a photo. Quoted-printable has the same codes, with "=" instead of "%".
    return binascii.a2b_qp(data.replace(b"=", b"=3D").replace(b"%", b"="))


def _unquoted(text: bytes) -> bytes:
    quoted = _QUOTED.match(text)
    return text[quoted.end() :].rstrip().removesuffix(quoted[1]) if quoted else text


def _base64_characters(text: bytes) -> bytes:
    """The base64 in ``text`` in the standard alphabet, without white space, padding or data URL header."""
    header = _DATA_URL.match(text)
    if header and not header[1].lower().rstrip().endswith(b";base64"):
        raise BadBase64Error("The data URL is not base64. Send data:image/jpeg;base64,… or bare base64.")
    body = text[header.end() :] if header else text
    body = body.translate(bytes.maketrans(b"-_", b"+/"), _WHITE_BUT_SPACE).strip(b" ")
    return _without_spaces(body).rstrip(b"=")


def _without_spaces(text: bytes) -> bytes:
    """Remove spaces at equal distances, which were line breaks. Replace other spaces, which were plus signs."""
    if b" " not in text:
        return text
    plus, removed = text.replace(b" ", b"+"), text.replace(b" ", b"")
    lines = [line for line in text[:_SAMPLE].split(b" ")[:-1] if line]
    if len(lines) >= 3:
        return removed if len({len(line) for line in lines}) == 1 else plus
    return removed if len(plus) % 4 and not len(removed) % 4 else plus
