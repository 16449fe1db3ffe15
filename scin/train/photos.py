"""The labelled photos of a dataset, reduced to the encoder's size and kept in one file beside the result."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.errors import ImageError, MLError
from ml.imaging.decode import decode
from ml.models.preprocess import resize
from ml.models.spec import PreprocessSpec
from ml.values import RGB
from scin.dataset import Case
from scin.index.vote import NOT_CONDITIONS
from storage import NotFoundError, Storage, StorageError
from storage.base import map_ordered, read_many, write_atomically

_PHOTOS, _ROWS = "photos.npy", "photos.json"
#: after this many photos in a row that could not be read, the store counts as unavailable
_UNREADABLE_MOST = 32
_DECODERS, _AHEAD = 2, 8

Progress = Callable[[str, int, int], None]


class TrainError(MLError):
    """The encoder cannot be trained. The message says why and what to do."""


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """The readable, distinct photos. ``pixels`` (P, 224, 224, 3): a memory map. ``rows``: path → row of ``pixels``.
    ``digests`` (P): sha256 of each photo's file. ``skipped``: reason → photos."""

    pixels: NDArray[np.uint8]
    rows: dict[str, int]
    digests: tuple[str, ...]
    skipped: dict[str, int]


@dataclass(frozen=True)
class _Read:
    path: str
    digest: str = ""
    rgb: RGB | None = None
    problem: str = ""


def has_condition(case: Case) -> bool:
    """Whether the case names a condition, so that it can be learnt."""
    return any(weight > 0 and name not in NOT_CONDITIONS for name, weight in case.label.weights.items())


def reduced_photos(
    store: Storage, cases: Sequence[Case], folder: Path, spec: PreprocessSpec, progress: Progress
) -> PhotoSet:
    """Read, decode and reduce the photos of ``cases`` into ``folder``; an earlier run's are taken as they are.

    Raises TrainError if the store stops answering or no photo can be read.
    """
    if not (folder / _ROWS).is_file():
        paths = list(dict.fromkeys(image.path for case in cases for image in case.images))
        _reduce(store, paths, folder, spec, progress)
    facts = json.loads((folder / _ROWS).read_text(encoding="utf-8"))
    if not facts["digests"]:
        raise TrainError(f"There is nothing to learn from: no labelled case in {store.uri} has a readable photo.")
    pixels = np.load(folder / _PHOTOS, mmap_mode="r")[: len(facts["digests"])]
    return PhotoSet(pixels, facts["rows"], tuple(facts["digests"]), facts["skipped"])


def _reduce(store: Storage, paths: Sequence[str], folder: Path, spec: PreprocessSpec, progress: Progress) -> None:
    """Write both files. The rows come last: with them, the photos are complete."""
    shape = (max(1, len(paths)), *spec.size, 3)
    pixels = np.lib.format.open_memmap(folder / _PHOTOS, mode="w+", dtype=np.uint8, shape=shape)
    rows: dict[str, int] = {}
    by_digest: dict[str, int] = {}
    skipped: Counter[str] = Counter()

    def reduced(content: tuple[str, bytes | StorageError]) -> _Read:
        return _read(*content, spec)

    photos = map_ordered(reduced, read_many(store, paths), workers=_DECODERS, ahead=_AHEAD, name="decoder")
    for done, photo in enumerate(_checked(photos, store.uri), start=1):
        if photo.rgb is None:
            skipped[photo.problem] += 1
        else:
            row = rows[photo.path] = by_digest.setdefault(photo.digest, len(by_digest))
            pixels[row] = photo.rgb
        progress("photos", done, len(paths))
    pixels.flush()
    facts = {"rows": rows, "digests": list(by_digest), "skipped": dict(skipped)}
    write_atomically(folder / _ROWS, json.dumps(facts).encode())


def _read(path: str, content: bytes | StorageError, spec: PreprocessSpec) -> _Read:
    if isinstance(content, StorageError):
        return _Read(path, problem="image missing" if isinstance(content, NotFoundError) else "image unreadable")
    try:
        rgb = resize(decode(content).rgb, *spec.size, spec.interpolation)
    except ImageError as error:
        return _Read(path, problem=f"image: {error.code}")
    return _Read(path, hashlib.sha256(content).hexdigest(), np.clip(np.rint(rgb), 0, 255).astype(np.uint8))


def _checked(photos: Iterator[_Read], uri: str) -> Iterator[_Read]:
    failed = 0
    for photo in photos:
        failed = failed + 1 if photo.problem == "image unreadable" else 0
        if failed == _UNREADABLE_MOST:
            raise TrainError(
                f"{failed} photos in a row could not be read from {uri}. Run the same command again when it answers."
            )
        yield photo
