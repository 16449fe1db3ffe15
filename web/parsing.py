"""Every accepted request form → one frozen AnalyzeRequest.

Clients are taken at their bytes: a body that begins as multipart or as JSON is read as that, whatever its content
type says. Uploads stay in memory.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, cast

from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from ml.values import Patient
from web.body import Readable, read_all
from web.errors import (
    BadFieldError,
    BadJsonError,
    BadMultipartError,
    NoImageError,
    TooManyImagesError,
    UnsupportedBodyError,
)
from web.fields import (
    DEFAULT_K,
    STANDARD,
    flatten,
    read_detail,
    read_explain,
    read_k,
    read_modality,
    read_patient,
    read_profile,
    read_scale,
    read_words,
)
from web.payloads import decode_base64, strip_junk
from web.profiles import OWN

MAX_IMAGES = 3
IMAGE_NAMES = ("image", "images", "image_data", "file", "query_image")
CAPABILITY_TEST = "ml_capability"

_HEAD_BYTES = 1024
_MAX_PARTS = 100
_BOUNDARY = re.compile(rb"\s*--([0-9A-Za-z'()+_,./:=?\- ]{1,200}?)[ \t]*\r?\n")
_FORMS = (
    "Send the photo as multipart/form-data (field 'image'), as JSON (key 'image', base64 or a data URL), "
    "or as the raw body with an image/* content type."
)


@dataclass(frozen=True)
class Options:
    """What the client would like beside the analysis itself."""

    conditions: tuple[str, ...] = ()
    skin_types: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnalyzeRequest:
    """One case: one to three photos as they were uploaded, or, with ``is_capability``, none. ``profile`` is one of
    web.profiles.PROFILES."""

    images: tuple[bytes, ...]
    patient: Patient = field(default_factory=Patient)
    k: int = DEFAULT_K
    modality: str | None = None
    pixels_per_mm: float | None = None
    options: Options = field(default_factory=Options)
    explain: bool = False
    detail: str = STANDARD
    profile: str = OWN
    is_capability: bool = False


def parse(body: Readable, content_type: str, query: Mapping[str, str]) -> AnalyzeRequest:
    """Read ``body`` as its bytes and ``content_type`` suggest; ``query`` holds the address's parameters.

    Raises a RequestError that says what is wrong and what to send instead.
    """
    kind, parameters = parse_options_header(content_type)
    stream = _Peeked(body)
    read = _reader(kind, parameters.get("boundary", ""), stream.head)
    fields, images = read(stream)
    return _assemble({**query, **fields}, images)


_Parts = tuple[Mapping[str, object], list[bytes]]


class _Peeked:
    """A body whose first bytes can be looked at before it is read."""

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


def _reader(kind: str, boundary: str, head: bytes) -> Callable[[_Peeked], _Parts]:
    """The reader for this body. Content decides; the content type only helps."""
    if not head:
        raise NoImageError(f"The request has no body. {_FORMS}")
    if kind.startswith("image/"):
        return _raw
    if kind == "multipart/form-data" and boundary:
        return lambda stream: _multipart(stream, boundary.encode("latin-1", "replace"))
    if found := _BOUNDARY.match(head):
        return lambda stream: _multipart(stream, found[1])
    if kind == "multipart/form-data":
        raise BadMultipartError(f"The multipart body has no boundary. {_FORMS}")
    if kind == "application/json" or kind.endswith("+json") or head.lstrip().startswith(b"{"):
        return _json
    if kind == "application/octet-stream":
        return _raw
    raise UnsupportedBodyError(f"This content type cannot be read. {_FORMS}")


def _raw(stream: _Peeked) -> _Parts:
    return {}, [read_all(stream)]


def _json(stream: _Peeked) -> _Parts:
    try:
        value = json.loads(read_all(stream))
    except (ValueError, RecursionError) as error:
        raise BadJsonError(f"The body is not valid JSON. {_FORMS}") from error
    if not isinstance(value, dict):
        raise BadJsonError(f"The JSON body must be an object. {_FORMS}")
    return value, []


def _multipart(stream: _Peeked, boundary: bytes) -> _Parts:
    parser = MultiPartParser(stream_factory=_in_memory, max_form_parts=_MAX_PARTS)
    try:
        form, files = parser.parse(stream, boundary, None)  # type: ignore[arg-type]
    except (ValueError, RequestEntityTooLarge) as error:  # the latter: too many parts
        raise BadMultipartError(f"The multipart body is cut short or malformed. {_FORMS}") from error
    # a part may come without a name: the parser then calls it None
    fields = {name: values if len(values := form.getlist(name)) > 1 else values[0] for name in form if name}
    uploads = [upload for name, upload in files.items(multi=True) if _is_photo(name, upload)]
    return fields, [upload.read() for upload in uploads]


def _in_memory(
    total_content_length: int | None,
    content_type: str | None,
    filename: str | None,
    content_length: int | None = None,
) -> IO[bytes]:
    """Where an uploaded file is put: never on the disk, whatever its size."""
    return io.BytesIO()


def _is_photo(name: str | None, upload: FileStorage) -> bool:
    """Whether a part holds a photo. A form's empty file input sends a part with neither file name nor bytes."""
    if name is None:
        return False
    empty_input = not upload.filename and not cast(io.BytesIO, upload.stream).getbuffer().nbytes
    return name.removesuffix("[]") in IMAGE_NAMES and not empty_input


def _assemble(given: Mapping[str, object], uploads: list[bytes]) -> AnalyzeRequest:
    fields = flatten(given)
    if _is_capability_test(fields):
        return AnalyzeRequest(images=(), is_capability=True)
    texts = [text for name in IMAGE_NAMES for text in _image_texts(name, fields.get(name))]
    count = len(uploads) + len(texts)
    if count == 0:
        raise NoImageError(f"The request holds no photo. {_FORMS}")
    if count > MAX_IMAGES:
        raise TooManyImagesError(
            f"The request holds {count} photos; one case has at most {MAX_IMAGES}. Send each case by itself.",
            max_images=MAX_IMAGES,
        )
    return AnalyzeRequest(
        images=tuple(strip_junk(data) for data in [*uploads, *map(decode_base64, texts)]),
        patient=read_patient(fields),
        k=read_k(fields),
        modality=read_modality(fields),
        pixels_per_mm=read_scale(fields),
        options=Options(read_words(fields, "conditions"), read_words(fields, "skin_types")),
        explain=read_explain(fields),
        detail=read_detail(fields),
        profile=read_profile(fields),
    )


def _is_capability_test(fields: Mapping[str, object]) -> bool:
    test = fields.get("test")
    if test is None:
        return False
    if test != CAPABILITY_TEST:
        raise BadFieldError(f"The only test is '{CAPABILITY_TEST}'.", field="test", allowed=[CAPABILITY_TEST])
    return True


def _image_texts(name: str, value: object) -> list[str]:
    """The base64 texts that a field holds: one, or a list of them."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    texts = [text for text in values if isinstance(text, str)]
    if len(texts) < len(values):
        raise BadFieldError(f"{name} must be base64 text or a data URL, or a list of them.", field=name)
    return texts
