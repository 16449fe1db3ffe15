"""What the build makes of one photo: its digest, thumbnail and skin tone, and the row that a shard keeps."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from ml.errors import ImageError
from ml.imaging.decode import decode
from ml.skin.colour import shrink, working_copy
from ml.skin.frame import Frame, Subject
from ml.skin.tone import monk_of as monk_of_skin
from ml.values import RGB, Vector
from storage import NotFoundError, StorageError

MISSING, UNREADABLE = "image missing", "image unreadable"
#: pixels of a thumbnail's longest side
SIDE = 160
#: of WebP's methods 0–6: a quarter of the time of the usual 4, for pictures that are a fifth larger
_WEBP_METHOD = 0


class PhotoPath(NamedTuple):
    """A photo to embed. ``toned``: its skin tone is estimated too."""

    path: str
    toned: bool = True


@dataclass(frozen=True)
class Row:
    """One photo as a shard keeps it.

    ``digest`` is the sha256 of its bytes, "" where they could not be read. A photo that was skipped has no vector, and
    ``skipped`` is the reason (else ""). ``monk`` is our own estimate of the skin tone, 1–10; None where the photo shows
    too little skin or the tone is not needed.
    """

    path: str
    digest: str = ""
    vector: Vector | None = None
    thumbnail: bytes = b""
    skipped: str = ""
    monk: int | None = None


@dataclass(frozen=True)
class Decoded:
    """A photo on its way to the encoder."""

    path: str
    digest: str
    rgb: RGB
    thumbnail: bytes
    monk: int | None

    def row(self, vector: Vector) -> Row:
        return Row(self.path, self.digest, vector, self.thumbnail, monk=self.monk)


def decode_photo(photo: PhotoPath, content: bytes | StorageError) -> Decoded | Row:
    """The photo, or the row that says why there is none."""
    if isinstance(content, StorageError):
        return Row(photo.path, skipped=MISSING if isinstance(content, NotFoundError) else UNREADABLE)
    digest = hashlib.sha256(content).hexdigest()
    try:
        rgb = decode(content).rgb
    except ImageError as error:
        return Row(photo.path, digest, skipped=f"image: {error.code}")
    small = working_copy(rgb)
    return Decoded(photo.path, digest, rgb, thumbnail(small), monk_of(small) if photo.toned else None)


def monk_of(rgb: RGB) -> int | None:
    """The Monk tone that serving would estimate from the same photo."""
    return monk_of_skin(Subject(Frame(rgb)).whole)


def thumbnail(rgb: RGB) -> bytes:
    """A WebP of at most SIDE pixels on its longest side, averaged by area, without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(shrink(rgb, SIDE)).save(buffer, "WEBP", quality=75, method=_WEBP_METHOD)
    return buffer.getvalue()
