"""Finds the photos among a request's named values. Clients use many names for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from web.errors import BadBase64Error, BadFieldError, RequestError
from web.parts import BYTES_TYPES, Part, is_missing
from web.payloads import decode_base64, is_photo, is_photo_text, photo_of, strip_junk

#: names of photos, in lower case and without other characters: also matches `file[0]`, `Image_2` and `image-data`
_NAME = re.compile(
    r"""(query|skin)?image | images | imgs? | image(data|base|bytes|files?)
    | photos? | photo(data|base|file) | pictures? | pics?
    | files? | filedata | uploads? | upload(ed)?file""",
    re.VERBOSE,
)
_NOT_LETTERS = re.compile(r"[^a-z]")
_LONGEST_NAME = 100
#: a shorter text cannot be the base64 of a photo; beside a photo it is a remark, such as a file name
_SHORTEST_TEXT = 200
#: limits of the search in values whose name is not a photo's: number of texts, and depth of objects and lists
_MOST_VALUES = 1000
_DEPTH = 4
#: a text field of a form is cut to this length
_LONGEST_FIELD = 2**16


def is_photo_name(name: str) -> bool:
    """Whether ``name`` is one of the names of photos."""
    return _NAME.fullmatch(_letters(name)) is not None


def photos_of(parts: Iterable[Part]) -> list[tuple[str, bytes]]:
    """The photos in ``parts``, in order, each with the name of its part: those under a photo's name or, if there are
    none, those under other names.

    Raises BadBase64Error or BadFieldError if a part under a photo's name is not a photo. A short text is accepted if
    there is also a photo.
    """
    parts = list(parts)
    photos: list[tuple[str, bytes]] = []
    refused: list[tuple[Part, RequestError]] = []
    for part in parts:
        if is_photo_name(part.name):
            try:
                photos += [(part.name, photo) for photo in _named(part, part.value)]
            except (BadBase64Error, BadFieldError) as error:
                refused.append((part, error))
    photos = photos or [(part.name, photo) for part in parts for photo in _unnamed(part)]
    for part, refusal in refused:
        if not (photos and _is_remark(part.value)):
            raise refusal
    return photos


def photo_named(parts: Iterable[Part], name: str) -> bytes | None:
    """The photo in the part called ``name``, or ``name`` with "photo" or "image" behind it. None if there is none.

    Raises BadBase64Error or BadFieldError if such a part is not one photo.
    """
    photos = [photo for part in parts if is_name_of(part.name, name) for photo in _named(part, part.value)]
    if len(photos) > 1:
        raise BadFieldError(f"{name} must be one photo, but the request has {len(photos)}.", field=name)
    return photos[0] if photos else None


def is_name_of(given: str, name: str) -> bool:
    """Whether ``given`` is a name of the photo ``name``."""
    return _letters(given) in {name, f"{name}photo", f"{name}image"}


def names_of(parts: Iterable[Part]) -> list[str]:
    """The names of the parts that have a value."""
    return [part.name for part in parts if part.name and (_is_image(part) or not is_missing(_field(part)))]


def fields_of(parts: Iterable[Part]) -> dict[str, object]:
    """Name → value of the parts that are not photos. A repeated name gets a list of its values."""
    found: dict[str, list[object]] = {}
    for part in parts:
        if part.name and not is_photo_name(part.name) and not _is_image(part):
            found.setdefault(part.name, []).append(_field(part))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _letters(name: str) -> str:
    return _NOT_LETTERS.sub("", name[:_LONGEST_NAME].lower())


def _field(part: Part) -> object:
    if not isinstance(part.value, bytes):
        return part.value
    text = part.value[:_LONGEST_FIELD].decode("utf-8", "replace")
    if part.media_type != "application/json":
        return text
    try:  # some clients send every field of a form as JSON, so texts have quotation marks
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _is_image(part: Part) -> bool:
    """Whether a part of a form is an image, by its media type or its bytes."""
    data = part.value
    return isinstance(data, bytes) and (is_photo(data) or (bool(data) and part.media_type.startswith("image/")))


def _named(part: Part, value: object) -> list[bytes]:
    """The photos in ``value``: the value of a part under a photo's name, or an element of that value."""
    if isinstance(value, bytes):
        return _uploaded(part, value)
    if is_missing(value):
        return []
    if isinstance(value, str):
        return [strip_junk(decode_base64(value.encode("ascii", "replace")))]
    if isinstance(value, list) and not any(isinstance(one, list) for one in value):
        return [photo for one in value for photo in _named(part, one)]
    if isinstance(value, dict) and (photos := list(_within(value))):
        return photos
    name = part.name[:_LONGEST_NAME]
    raise BadFieldError(f"{name} must be base64 text or a data URL, or a list of them.", field=name)


def _uploaded(part: Part, data: bytes) -> list[bytes]:
    """The photo in ``data``, the bytes of a form's part under a photo's name."""
    if not (data or part.file_name):
        return []  # a file input without a file
    if _is_image(part) or part.media_type in BYTES_TYPES or part.file_name is not None:
        return [photo_of(data)]
    return [] if is_missing(data[:_SHORTEST_TEXT].decode("latin-1")) else [strip_junk(decode_base64(data))]


def _unnamed(part: Part) -> Iterator[bytes]:
    """The photos in a part under any other name."""
    if not isinstance(part.value, bytes):
        yield from _within(part.value)
    elif _is_image(part) or is_photo_text(part.value):
        yield photo_of(part.value)


def _within(value: object) -> Iterator[bytes]:
    for text in islice(_texts(value, _DEPTH), _MOST_VALUES):
        encoded = text.encode("ascii", "replace")
        if is_photo_text(encoded):
            yield strip_junk(decode_base64(encoded))


def _texts(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list) and depth:
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one, depth - 1)


def _is_remark(value: object) -> bool:
    if isinstance(value, bytes | str):
        return len(value) < _SHORTEST_TEXT
    return not isinstance(value, list)
