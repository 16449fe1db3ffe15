"""Image bytes as clients really send them."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from web.errors import BadBase64Error

#: at most so many bytes of junk are removed before a JPEG (decoding a data URL together with its header makes 15)
MAX_JUNK = 64

_JPEG = b"\xff\xd8\xff"
#: the first bytes of the kinds of file that may hold a JPEG
_KNOWN = re.compile(
    rb"\xff\xd8|\x89PNG|GIF8|BM|II\*\x00|MM\x00\*|RIFF|.{4}ftyp|8BPS|%!PS|%PDF|\x00\x00\x00\x0cjP|P[1-7]\s|<", re.DOTALL
)
#: the first bytes of JPEG, PNG, GIF, BMP, TIFF, WebP, and HEIF and its relatives: long enough that no text has them
_PHOTO = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|BM.{4}\0{4}|II[*+]\0|MM\0[*+]|RIFF.{4}WEBP|\0\0.{2}ftyp", re.DOTALL
)
#: what stands before a text as Python or JSON write it
_QUOTED = re.compile(rb"\s*b?([\"'])")
_DATA_URL = re.compile(rb"\s*data:([^,]{0,200}),", re.IGNORECASE)
_PHOTO_URL = re.compile(rb"\s*data:image/[^,]{0,200};base64,", re.IGNORECASE)
_WHITE_BUT_SPACE = b"\r\n\t\v\f"
#: only photos are longer texts than this
_LONG = 2**16
#: a photo is recognised by so many characters of its text: a data URL's header, all of it in percent codes, and forty
_HEAD = 800
_SIGNATURE_CHARACTERS = 40
#: line breaks are told from other spaces by so many characters
_SAMPLE = 4096

#: what programs send by mistake instead of a photo, and advice
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
    """The photo in ``data``, after decoding base64 and removing junk before it. Other data stays as it is.

    Raises BadBase64Error if the data begins as the base64 of a photo but cannot be decoded.
    """
    if not is_photo(data) and is_photo_text(data):
        data = decode_base64(data)
    return strip_junk(data)


def strip_junk(data: bytes) -> bytes:
    """``data`` without the bytes before its JPEG, if the JPEG begins within MAX_JUNK bytes.

    Other known kinds of file stay as they are: a JPEG inside them is only a part, such as a preview.
    """
    if _KNOWN.match(data):
        return data
    start = data.find(_JPEG, 0, MAX_JUNK + len(_JPEG))
    return data[start:] if start > 0 else data


def decode_base64(text: bytes) -> bytes:
    """Bare base64 or a data URL → bytes.

    Accepts line breaks, missing padding, the URL alphabet, percent codes, and the spaces that decoding a form makes of
    "+". Raises BadBase64Error.
    """
    try:
        raw = _base64_characters(_unquoted(percent_decoded(text)))
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except binascii.Error as error:
        advice = next((words for mistake, words in _MISTAKES if mistake.match(text)), None)
        raise BadBase64Error(advice or "The image text is not base64. Send bare base64 or a data URL.") from error


def percent_decoded(data: bytes) -> bytes:
    """``data`` with the bytes that its percent codes (%2B) stand for."""
    if b"%" not in data:
        return data
    if len(data) <= _LONG:
        return unquote_to_bytes(data)
    # unquote_to_bytes makes an object for each code: seconds for a photo. Mail has the same codes with "=" for "%".
    return binascii.a2b_qp(data.replace(b"=", b"=3D").replace(b"%", b"="))


def _unquoted(text: bytes) -> bytes:
    quoted = _QUOTED.match(text)
    return text[quoted.end() :].rstrip().removesuffix(quoted[1]) if quoted else text


def _base64_characters(text: bytes) -> bytes:
    """The base64 in ``text`` in the standard alphabet, without white space, padding and a data URL's header."""
    header = _DATA_URL.match(text)
    if header and not header[1].lower().rstrip().endswith(b";base64"):
        raise BadBase64Error("The data URL is not base64. Send data:image/jpeg;base64,… or bare base64.")
    body = text[header.end() :] if header else text
    body = body.translate(bytes.maketrans(b"-_", b"+/"), _WHITE_BUT_SPACE).strip(b" ")
    return _without_spaces(body).rstrip(b"=")


def _without_spaces(text: bytes) -> bytes:
    """Removes spaces at equal distances, which were line breaks. Other spaces were plus signs."""
    if b" " not in text:
        return text
    plus, removed = text.replace(b" ", b"+"), text.replace(b" ", b"")
    lines = [line for line in text[:_SAMPLE].split(b" ")[:-1] if line]
    if len(lines) >= 3:
        return removed if len({len(line) for line in lines}) == 1 else plus
    return removed if len(plus) % 4 and not len(removed) % 4 else plus
