"""The labelled photos of a dataset, reduced to the encoder's size and kept in one file beside the result."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.errors import ImageError, MLError, TooFewCasesError
from ml.imaging.decode import decode
from ml.models.preprocess import resize
from ml.models.spec import PreprocessSpec
from ml.values import RGB
from scin.build.embed import UNREADABLE_MOST
from scin.build.photos import MISSING, UNREADABLE
from scin.dataset import Case
from scin.index.vote import NOT_CONDITIONS
from storage import NotFoundError, Storage, StorageError
from storage.base import map_ordered, read_many, write_atomically

_PIXELS, _ROWS = "photos.npy", "photos.json"
_AHEAD = 8  # photos that are decoded before they are needed
#: after this many photos, what was read is recorded, so that a killed run goes on from there
_RECORDED = 256
#: bytes for the checkpoint, its copy while it is written, and the encoder
_BESIDES = 300_000_000

Progress = Callable[[str, int, int], None]


class TrainError(MLError):
    """The encoder cannot be trained. The message says why and what to do."""


class TooFewToLearnError(TooFewCasesError, TrainError):
    """With so few cases, patients or conditions the held-out part shows nothing."""


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
    """Read, decode and reduce the photos of ``cases`` into ``folder``; those that an earlier run read are kept.

    Raises TrainError if the store stops answering, the disk is too small, or no photo can be read.
    """
    paths = list(dict.fromkeys(image.path for case in cases for image in case.images))
    file = _PhotoFile.opened(folder, (max(1, len(paths)), *spec.size, 3))
    _reduce(store, paths, spec, file, progress)
    found = file.found
    if not found.digests:
        raise TrainError(f"There is nothing to learn from: no labelled case in {store.uri} has a readable photo.")
    return PhotoSet(file.pixels[: len(found.digests)], found.rows, tuple(found.digests), found.skipped)


@dataclass
class _Found:
    """What was read of the first ``done`` photos; the other names are those of PhotoSet."""

    done: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    digests: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)


@dataclass
class _PhotoFile:
    """The file of the pixels, and what was read into it."""

    folder: Path
    pixels: np.memmap[Any, np.dtype[np.uint8]]
    found: _Found

    @classmethod
    def opened(cls, folder: Path, shape: tuple[int, ...]) -> _PhotoFile:
        """As an earlier run left it, or new. Raises TrainError if the disk is too small."""
        try:
            pixels = np.lib.format.open_memmap(folder / _PIXELS, mode="r+")
            return cls(folder, pixels, _Found(**json.loads((folder / _ROWS).read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError):
            return cls(folder, _new_file(folder, shape), _Found())

    def add(self, photo: _Read) -> None:
        found = self.found
        if photo.rgb is None:
            found.skipped[photo.problem] = found.skipped.get(photo.problem, 0) + 1
        else:
            row = found.rows[photo.path] = self._places.setdefault(photo.digest, len(self._places))
            self.pixels[row] = photo.rgb
        found.done += 1

    def record(self) -> None:
        """Make the file say what was read so far."""
        self.pixels.flush()
        self.found.digests = list(self._places)
        write_atomically(self.folder / _ROWS, json.dumps(asdict(self.found)).encode())

    @cached_property
    def _places(self) -> dict[str, int]:
        """Digest → row of the pixels."""
        return {digest: row for row, digest in enumerate(self.found.digests)}


def _new_file(folder: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """Its space is taken at once: writing to a map on a full disk would kill the process. Raises TrainError."""
    path = folder / _PIXELS
    path.unlink(missing_ok=True)
    free, needed = shutil.disk_usage(folder).free, int(np.prod(shape)) + _BESIDES
    if free < needed:
        raise TrainError(
            f"{folder} needs {needed / 1e9:.1f} GB, and its disk has {free / 1e9:.1f} GB free. Free some space, choose "
            "another --out, or train on fewer cases with --limit."
        )
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return pixels


def _reduce(store: Storage, paths: Sequence[str], spec: PreprocessSpec, file: _PhotoFile, progress: Progress) -> None:
    """Read the photos that are not in ``file``, and record them from time to time."""

    def reduced(content: tuple[str, bytes | StorageError]) -> _Read:
        return _read(*content, spec)

    contents = read_many(store, paths[file.found.done :])
    photos = map_ordered(reduced, contents, workers=len(os.sched_getaffinity(0)), ahead=_AHEAD, name="decoder")
    for number, photo in enumerate(_checked(photos, store.uri), start=1):
        file.add(photo)
        # A photo that the store does not give now may be there when the command is repeated.
        if file.found.done == len(paths) or (number % _RECORDED == 0 and photo.problem != UNREADABLE):
            file.record()
        progress("photos", file.found.done, len(paths))


def _read(path: str, content: bytes | StorageError, spec: PreprocessSpec) -> _Read:
    if isinstance(content, StorageError):
        return _Read(path, problem=MISSING if isinstance(content, NotFoundError) else UNREADABLE)
    try:
        rgb = resize(decode(content).rgb, *spec.size, spec.interpolation)
    except ImageError as error:
        return _Read(path, problem=f"image: {error.code}")
    return _Read(path, hashlib.sha256(content).hexdigest(), np.clip(np.rint(rgb), 0, 255).astype(np.uint8))


def _checked(photos: Iterator[_Read], uri: str) -> Iterator[_Read]:
    failed = 0
    for photo in photos:
        failed = failed + 1 if photo.problem == UNREADABLE else 0
        if failed == UNREADABLE_MOST:
            raise TrainError(
                f"{failed} photos in a row could not be read from {uri}. Run the same command again when it answers."
            )
        yield photo
