"""Image bytes as clients really send them."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from web.errors import BadBase64Error

#: how much rubbish before a JPEG is forgiven (a data URL decoded together with its header leaves 15 bytes)
MAX_JUNK = 64

_JPEG = b"\xff\xd8\xff"
_KNOWN = re.compile(
    rb"\xff\xd8|\x89PNG|GIF8|BM|II\*\x00|MM\x00\*|RIFF|.{4}ftyp|8BPS|%!PS|%PDF|\x00\x00\x00\x0cjP|P[1-7]\s|<", re.DOTALL
)
#: how JPEG, PNG, GIF, BMP, TIFF, WebP, and HEIF with its kin begin: enough of it that no text begins so
_PHOTO = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|BM.{4}\0{4}|II[*+]\0|MM\0[*+]|RIFF.{4}WEBP|\0\0.{2}ftyp", re.DOTALL
)
#: what Python's or JSON's way to write a text puts around it
_QUOTED = re.compile(rb"\s*b?([\"'])")
_DATA_URL = re.compile(rb"\s*data:([^,]{0,200}),", re.IGNORECASE)
_PHOTO_URL = re.compile(rb"\s*data:image/[^,]{0,200};base64,", re.IGNORECASE)
_WHITE_BUT_SPACE = b"\r\n\t\v\f"
#: a text that is longer can only be a photo
_LONG = 2**16
#: enough of a text to know the photo in it: a data URL's header, all of it in percent codes, and forty characters
_HEAD = 800
_SIGNATURE_CHARACTERS = 40
#: characters that are looked at to tell line breaks from other spaces
_SAMPLE = 4096

#: what programs send by mistake in a photo's place, and what to do about it
_MISTAKES = (
    (
        re.compile(rb"\s*(?:[a-z][a-z-]{1,20}://|blob:)", re.IGNORECASE),
        "The image is given as an address, and the service fetches nothing. Send the photo's bytes, or their base64.",
    ),
    (
        re.compile(rb"\s*\[object "),
        "The image was sent as the name of an object. Append a File or a Blob to the form, or in React Native an "
        "object with uri, name and type.",
    ),
)


def is_photo(data: bytes) -> bool:
    """Whether ``data`` begins as a photo does."""
    return _PHOTO.match(data) is not None


def is_photo_text(text: bytes) -> bool:
    """Whether ``text`` begins as base64, or as a data URL, of a photo does."""
    head = _unquoted(percent_decoded(text.lstrip()[:_HEAD]))
    if _PHOTO_URL.match(head):
        return True
    try:
        characters = _base64_characters(head)[:_SIGNATURE_CHARACTERS]
        return is_photo(base64.b64decode(characters[: len(characters) // 4 * 4], validate=True))
    except (BadBase64Error, binascii.Error):
        return False


def photo_of(data: bytes) -> bytes:
    """The photo in ``data``: its base64 decoded, junk before it removed. What holds no photo is left as it is.

    Raises BadBase64Error if it begins as the base64 of a photo and is not base64.
    """
    if not is_photo(data) and is_photo_text(data):
        data = decode_base64(data)
    return strip_junk(data)


def strip_junk(data: bytes) -> bytes:
    """``data`` from the start of the JPEG that begins within its first MAX_JUNK bytes; otherwise as it is.

    Bytes that begin as any other known kind of file are left alone: a JPEG inside them is not the photo.
    """
    if _KNOWN.match(data):
        return data
    start = data.find(_JPEG, 0, MAX_JUNK + len(_JPEG))
    return data[start:] if start > 0 else data


def decode_base64(text: bytes) -> bytes:
    """Bare base64 or a data URL → bytes.

    Line breaks, missing padding, the URL alphabet, percent codes, and spaces where a form's decoding has taken "+"
    for a space are accepted. Raises BadBase64Error.
    """
    try:
        raw = _base64_characters(_unquoted(percent_decoded(text)))
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except binascii.Error as error:
        advice = next((words for mistake, words in _MISTAKES if mistake.match(text)), None)
        raise BadBase64Error(advice or "The image text is not base64. Send bare base64 or a data URL.") from error


def percent_decoded(data: bytes) -> bytes:
    """``data`` with its percent codes (%2B) replaced by the bytes that they stand for."""
    if b"%" not in data:
        return data
    if len(data) <= _LONG:
        return unquote_to_bytes(data)
    # The library makes an object of each code, which of a photo takes seconds. Mail writes the same codes with "=".
    return binascii.a2b_qp(data.replace(b"=", b"=3D").replace(b"%", b"="))


def _unquoted(text: bytes) -> bytes:
    quoted = _QUOTED.match(text)
    return text[quoted.end() :].rstrip().removesuffix(quoted[1]) if quoted else text


def _base64_characters(text: bytes) -> bytes:
    """The base64 in ``text``, in the standard alphabet, without white space, padding and a data URL's header."""
    header = _DATA_URL.match(text)
    if header and not header[1].lower().rstrip().endswith(b";base64"):
        raise BadBase64Error("The data URL is not base64. Send data:image/jpeg;base64,… or bare base64.")
    body = text[header.end() :] if header else text
    body = body.translate(bytes.maketrans(b"-_", b"+/"), _WHITE_BUT_SPACE).strip(b" ")
    return _without_spaces(body).rstrip(b"=")


def _without_spaces(text: bytes) -> bytes:
    """Spaces at equal distances were line breaks and go; any others were plus signs."""
    if b" " not in text:
        return text
    plus, removed = text.replace(b" ", b"+"), text.replace(b" ", b"")
    lines = [line for line in text[:_SAMPLE].split(b" ")[:-1] if line]
    if len(lines) >= 3:
        return removed if len({len(line) for line in lines}) == 1 else plus
    return removed if len(plus) % 4 and not len(removed) % 4 else plus
