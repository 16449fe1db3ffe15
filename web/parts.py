"""Reads a request's body into named values.

The first bytes decide how the body is read: as a photo, as multipart or as JSON. The content type is used only if the
bytes do not decide. Nothing is written to disk.
"""

from __future__ import annotations

import binascii
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData, State

from web.body import Readable, read_all
from web.errors import BadFieldError, BadJsonError, BadMultipartError, NoImageError, UnsupportedBodyError
from web.payloads import decode_base64, is_photo, is_photo_text, percent_decoded

#: ends every message about the form of a body
FORMS = (
    "Send the photo as multipart/form-data (field 'image'), as JSON (key 'image', base64 or a data URL), "
    "or as the raw body with an image/* content type."
)
#: media types of bytes that are a photo if the request has any: those that say nothing, and DICOM's
BYTES_TYPES = frozenset({"application/octet-stream", "binary/octet-stream", "application/binary", "application/dicom"})

#: texts that clients send for a missing value (JavaScript, Python, Swift)
_NOTHING = {"", "undefined", "null", "none", "nil"}
_HEAD_BYTES = 1024
_PIECE = 2**16
_MAX_PARTS = 100
_FIRST_PART = re.compile(rb"\s*--([0-9A-Za-z'()+_,./:=?\- ]{1,200}?)[ \t]*\r?\n[A-Za-z-]+:")
_JSON_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")


@dataclass(frozen=True)
class Part:
    """One named value: bytes from a form, or any JSON value. ``file_name`` is None if the client gave none."""

    name: str
    value: object
    media_type: str = ""
    file_name: str | None = None


def is_missing(value: object) -> bool:
    """Whether a value is missing: null, empty text, or a text such as "undefined"."""
    return value is None or (isinstance(value, str) and value.strip()[:16].lower() in _NOTHING)


def read_parts(body: Readable, content_type: str) -> list[Part]:
    """Read ``body``. A body that is one photo becomes a part named "image".

    Raises a RequestError that says what is wrong and what to send instead.
    """
    kind, parameters = parse_options_header(content_type)
    stream = _Peeked(body)
    return _reader(kind.lower(), parameters.get("boundary", ""), stream.head)(stream)


class _Peeked:
    """A body whose first bytes are in ``head`` before it is read."""

    def __init__(self, body: Readable) -> None:
        self._body = body
        self.head = b""
        while len(self.head) < _HEAD_BYTES and (piece := body.read(_HEAD_BYTES - len(self.head))):
            self.head += piece
        self._rest = self.head

    def read(self, size: int) -> bytes:
        if not self._rest:
            return self._body.read(size)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _reader(kind: str, boundary: str, head: bytes) -> Callable[[_Peeked], list[Part]]:
    """Choose the function that reads this body."""
    if not head:
        raise NoImageError(f"The request has no body. {FORMS}")
    first_part = _FIRST_PART.match(head)
    if not is_photo(head) and (first_part or kind.startswith("multipart/")):
        return partial(_multipart, boundary=_boundary(boundary, first_part, head))
    if is_photo(head) or kind.startswith("image/") or is_photo_text(head):
        return _raw
    if kind == "application/json" or kind.endswith("+json") or _JSON_START.match(head):
        return _json
    if kind in BYTES_TYPES:
        return _raw
    if kind == "application/x-www-form-urlencoded" and b"=" in head:
        return _form
    raise UnsupportedBodyError(f"This content type cannot be read. {FORMS}")


def _boundary(stated: str, first_part: re.Match[bytes] | None, head: bytes) -> bytes:
    """The boundary of the body. If the header and the body differ, as with some clients, the body's is used."""
    boundary = stated.encode("latin-1", "replace")
    if first_part and not (boundary and head.lstrip().startswith(b"--" + boundary)):
        return first_part[1]
    if not boundary:
        raise BadMultipartError(f"The multipart body has no boundary. {FORMS}")
    return boundary


def _raw(stream: _Peeked) -> list[Part]:
    return [Part("image", read_all(stream), "image/*")]


def _json(stream: _Peeked) -> list[Part]:
    value = _loaded(read_all(stream))
    if isinstance(value, str):  # a photo's base64 alone, or an object that was encoded twice
        value = {"image": value} if is_photo_text(value.encode("ascii", "replace")) else _loaded(value)
    if not isinstance(value, dict):
        raise BadJsonError(f"The JSON body must be an object. {FORMS}")
    return [Part(name, one) for name, one in value.items()]


def _loaded(text: bytes | str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadJsonError(f"The body is not valid JSON. {FORMS}") from error


def _form(stream: _Peeked) -> list[Part]:
    pairs = read_all(stream).split(b"&", _MAX_PARTS)
    if len(pairs) > _MAX_PARTS:
        raise BadFieldError(f"The form has more than {_MAX_PARTS} fields. {FORMS}")
    halves = (pair.replace(b"+", b" ").partition(b"=") for pair in pairs if pair)
    return [Part(percent_decoded(name).decode("utf-8", "replace"), percent_decoded(value)) for name, _, value in halves]


class _Decoder(MultipartDecoder):
    """Accepts a part without Content-Disposition, as in multipart/related. Such a part has no name."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        headers = super()._parse_headers(data)
        headers.setdefault("Content-Disposition", "form-data")
        return headers


def _multipart(stream: _Peeked, boundary: bytes) -> list[Part]:
    decoder = _Decoder(boundary, max_parts=_MAX_PARTS)
    parts: list[Part] = []
    try:
        while not isinstance(event := _next_event(decoder, stream), Epilogue):
            if isinstance(event, Field | File):
                head, content = event, io.BytesIO()
            elif isinstance(event, Data):
                content.write(event.data)
                if not event.more_data:
                    parts.append(_part(head, content.getvalue()))
    except (ValueError, RequestEntityTooLarge) as error:  # the latter: too many parts
        if parts and decoder.state is State.PART and not decoder.buffer.strip():
            return parts  # only the two final hyphens are missing
        raise BadMultipartError(f"The multipart body is cut short or malformed. {FORMS}") from error
    return parts


def _next_event(decoder: MultipartDecoder, stream: _Peeked) -> Event:
    while isinstance(event := decoder.next_event(), NeedData):
        decoder.receive_data(stream.read(_PIECE) or None)
    return event


def _part(head: Field | File, content: bytes) -> Part:
    media_type, _ = parse_options_header(head.headers.get("Content-Type", ""))
    file_name = head.filename if isinstance(head, File) else None
    encoding = head.headers.get("Content-Transfer-Encoding", "").strip().lower()
    # The library's type for the name is str, but a part without a name has None.
    return Part(head.name or "", _transferred(content, encoding), media_type.lower(), file_name)


def _transferred(content: bytes, encoding: str) -> bytes:
    """Decode ``content``. If it is already a photo, the stated encoding is wrong and is ignored."""
    if is_photo(content):
        return content
    if encoding == "base64":
        return decode_base64(content)
    return binascii.a2b_qp(content) if encoding == "quoted-printable" else content
