"""Dataset → index: reader → decoder → encoder → writer, the first two in threads ahead of the encoder."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ml.backends.base import BATCH_SIZES
from ml.encoder import Encoder
from ml.errors import ImageError
from ml.images import decode
from ml.values import RGB, Vector
from scin.attribution import attribution
from scin.dataset import Dataset, read_dataset
from scin.index import INDEX_FILE, METRIC, TRANSFORMS, write_index
from scin.manifest import FORMAT, MANIFEST_FILE, Manifest, Vote, write_manifest
from scin.records import Case
from scin.table import CASES_TABLE, THUMBNAILS, StoredCase, StoredPhoto, write_cases
from scin.thumbnails import thumbnail
from storage import NotFoundError, Storage, StorageError
from storage.base import sha256_file

_BATCH = BATCH_SIZES[-1]
_READERS = 4
#: photos that may be decoded ahead of the encoder: bounds the memory, whatever the dataset's size
_AHEAD = 4 * _BATCH

Progress = Callable[[int, int], None]


class BuildError(Exception):
    """No index can be built from this; the message says why."""


@dataclass(frozen=True)
class _Decoded:
    path: str
    digest: str
    rgb: RGB
    thumbnail: bytes


@dataclass
class _Written:
    """What has been embedded so far. A photo that occurs twice, under any name, is embedded once."""

    vectors: list[Vector] = field(default_factory=list)
    photos: dict[str, StoredPhoto] = field(default_factory=dict)
    by_digest: dict[str, StoredPhoto] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)


def build(
    store: Storage,
    out: Path,
    encoder: Encoder,
    *,
    name: str,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Index the labelled cases of a dataset in SCIN's layout (the first ``limit`` of them).

    The folder ``out`` appears, or is replaced, as a whole. ``progress`` hears (photos done, photos in all).
    Raises BuildError if nothing can be indexed or ``out`` holds something else, StorageError if the CSV files cannot
    be read.
    """
    check_replaceable(out, MANIFEST_FILE)
    dataset = read_dataset(store)
    cases = [case for case in dataset.cases if case.label.weights][:limit]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
        work = Path(temporary, "index")
        work.mkdir()
        with (work / THUMBNAILS).open("wb") as packed:
            written = _embed(store, cases, encoder, packed, progress or (lambda done, total: None))
        stored = [row for case in cases if (row := _stored(case, written)).photos]
        if not stored:
            raise BuildError("No labelled case has a photo that can be read: there is nothing to index.")
        write_index(work, np.stack(written.vectors))
        write_cases(work, stored)
        manifest = _manifest(name, dataset, stored, written=written, encoder=encoder, work=work)
        write_manifest(work, manifest)
        shutil.rmtree(out, ignore_errors=True)
        work.rename(out)
    return manifest


def check_replaceable(folder: Path, sign: str) -> None:
    """Raises BuildError if ``folder`` holds anything but what a build left there, which the file ``sign`` tells."""
    if folder.is_dir() and (not any(folder.iterdir()) or (folder / sign).is_file()):
        return
    if folder.exists():
        raise BuildError(f"{folder} exists and was not made by this command: remove it or name another folder.")


def _embed(store: Storage, cases: list[Case], encoder: Encoder, packed: BinaryIO, progress: Progress) -> _Written:
    paths = list(dict.fromkeys(image.path for case in cases for image in case.images))
    written = _Written()
    batch: list[_Decoded] = []
    for done, result in enumerate(_decoded(store, paths), start=1):
        if isinstance(result, str):
            written.skipped[result] += 1
        else:
            batch.append(result)
        if len(batch) == _BATCH or done == len(paths):
            _write(batch, encoder, packed, written)
            batch = []
            progress(done, len(paths))
    return written


def _decoded(store: Storage, paths: list[str]) -> Iterator[_Decoded | str]:
    """Photos in the order of ``paths``, or the reason why one is missing; at most _AHEAD are held."""
    with ThreadPoolExecutor(_READERS, thread_name_prefix="reader") as pool:
        waiting: deque[Future[_Decoded | str]] = deque()
        for path in paths:
            waiting.append(pool.submit(_read, store, path))
            if len(waiting) == _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _read(store: Storage, path: str) -> _Decoded | str:
    try:
        data = store.read(path)
        rgb = decode(data).rgb
    except NotFoundError:
        return "image missing"
    except StorageError:
        return "image unreadable"
    except ImageError as error:
        return f"image: {error.code}"
    return _Decoded(path, hashlib.sha256(data).hexdigest(), rgb, thumbnail(rgb))


def _write(batch: list[_Decoded], encoder: Encoder, packed: BinaryIO, written: _Written) -> None:
    fresh = list({photo.digest: photo for photo in batch if photo.digest not in written.by_digest}.values())
    vectors: Iterable[Vector] = encoder.embed([photo.rgb for photo in fresh]) if fresh else ()
    for photo, vector in zip(fresh, vectors, strict=True):
        written.by_digest[photo.digest] = StoredPhoto(
            len(written.vectors), packed.tell(), len(photo.thumbnail), shot_type=None
        )
        written.vectors.append(vector)
        packed.write(photo.thumbnail)
    written.photos.update({photo.path: written.by_digest[photo.digest] for photo in batch})


def _stored(case: Case, written: _Written) -> StoredCase:
    found = [(image, written.photos[image.path]) for image in case.images if image.path in written.photos]
    return StoredCase.of(
        case, [StoredPhoto(photo.vector, photo.offset, photo.length, image.shot_type) for image, photo in found]
    )


def _manifest(
    name: str, dataset: Dataset, stored: list[StoredCase], *, written: _Written, encoder: Encoder, work: Path
) -> Manifest:
    unlabelled = sum(not case.label.weights for case in dataset.cases)
    skipped = {**dataset.skipped, **written.skipped, "no label": unlabelled}
    releases = sorted({case.release for case in dataset.cases})
    credit = attribution(dataset.synthetic)
    return Manifest(
        format=FORMAT,
        name=name,
        dataset=credit["dataset"],
        release=", ".join(releases),
        synthetic=dataset.synthetic,
        cases=len(stored),
        images=sum(len(case.photos) for case in stored),
        vectors=len(written.vectors),
        skipped={reason: count for reason, count in sorted(skipped.items()) if count},
        encoder=encoder.spec.name,
        encoder_version=encoder.spec.version,
        encoder_fingerprint=encoder.fingerprint,
        dimension=encoder.dimension,
        metric=METRIC,
        transforms=TRANSFORMS,
        vote=Vote(),
        licence=credit["licence"],
        attribution=dict(credit),
        built_at=dataset.modified_at,
        files={file: sha256_file(work / file) for file in (INDEX_FILE, CASES_TABLE, THUMBNAILS)},
    )
