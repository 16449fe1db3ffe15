"""What becomes of one photo between its store and its shard."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from ml.errors import ImageError
from ml.imaging.decode import decode
from ml.skin.colour import working_copy
from ml.skin.frame import Frame, Subject
from ml.skin.tone import monk_of as monk_of_skin
from ml.values import RGB, Vector
from scin.thumbnails import thumbnail
from storage import NotFoundError, StorageError

MISSING, UNREADABLE = "image missing", "image unreadable"


@dataclass(frozen=True)
class Row:
    """One photo as a shard keeps it. ``digest`` is the sha256 of its bytes, "" where there are none; ``vector`` is None
    for a copy of an earlier photo and for one that was ``skipped``, whose reason that is (else ""). ``monk`` is our own
    estimate of the skin's tone, 1–10, or None where the photo does not tell it or was not asked."""

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

    def row(self, vector: Vector | None) -> Row:
        """``vector`` None: the photo is a copy of an earlier one, which has the thumbnail too."""
        return Row(self.path, self.digest, vector, b"" if vector is None else self.thumbnail, monk=self.monk)


class Copies:
    """Tells which photos have been embedded before. ``done`` maps the digests of earlier runs to the first shard that
    has their vector: of copies the earliest in the dataset keeps it, whichever run it was embedded in."""

    def __init__(self, done: Mapping[str, int]) -> None:
        self._done = done
        self._seen: set[str] = set()

    def has(self, digest: str, shard: int) -> bool:
        """Whether a photo of this shard is a copy of an earlier one; else it is the earlier one from now on."""
        if digest in self._seen or self._done.get(digest, shard) < shard:
            return True
        self._seen.add(digest)
        return False


def decode_photo(path: str, content: bytes | StorageError, *, toned: bool = True) -> Decoded | Row:
    """A photo, or the row that tells why there is none. ``toned``: its skin's tone is estimated."""
    if isinstance(content, StorageError):
        return Row(path, skipped=MISSING if isinstance(content, NotFoundError) else UNREADABLE)
    digest = hashlib.sha256(content).hexdigest()
    try:
        rgb = decode(content).rgb
    except ImageError as error:
        return Row(path, digest, skipped=f"image: {error.code}")
    small = working_copy(rgb)
    return Decoded(path, digest, rgb, thumbnail(small), monk_of(small) if toned else None)


def monk_of(rgb: RGB) -> int | None:
    """The Monk tone that serving would estimate from the same photo."""
    return monk_of_skin(Subject(Frame(rgb)).whole)
