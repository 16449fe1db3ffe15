"""An index made straight from vectors, and the same search by brute force."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.values import Vectors
from scin.facts import SCIN
from scin.index.cases import CASES_TABLE, THUMBNAILS, StoredCase, StoredPhoto, write_cases
from scin.index.manifest import FORMAT, Manifest, Vote, write_manifest
from scin.index.search import SearchIndex, load_index
from scin.index.vectors import METRIC, index_file, write_index
from storage.base import sha256_file

FINGERPRINT = "e" * 64
INDEX_FILE = index_file("flat")
#: case id → rows of its photos' vectors
Photos = dict[str, tuple[int, ...]]


def unit(vectors: NDArray[np.floating]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def random_photos(cases: int, seed: int) -> tuple[Vectors, Photos]:
    """Cases of one to three photos around a common direction; a tenth share a photo with another case."""
    rng = np.random.default_rng(seed)
    photos: Photos = {}
    used = 0
    for _ in range(cases):
        own = int(rng.integers(1, 4))
        rows = list(range(used, used + own))
        if used and rng.random() < 0.1:
            rows[0] = int(rng.integers(0, used))
        photos[str(rng.integers(-(2**62), 2**62))] = tuple(rows)
        used += own
    common = rng.normal(size=16)
    return _without_orphans(unit(rng.normal(size=(used, 16)) + common), photos)


def _without_orphans(vectors: Vectors, photos: Photos) -> tuple[Vectors, Photos]:
    kept = sorted({row for rows in photos.values() for row in rows})
    place = {row: new for new, row in enumerate(kept)}
    return vectors[kept], {case: tuple(place[row] for row in rows) for case, rows in photos.items()}


def stored(case_id: str, rows: Sequence[int], differential: dict[str, float] | None = None) -> StoredCase:
    return StoredCase(
        case_id=case_id,
        photos=tuple(StoredPhoto(row, 4 * row, 4, "CLOSE_UP") for row in rows),
        differential=differential or {f"Condition {len(rows)}": 1.0},
        dermatologists=1,
        agreement=1.0,
        fitzpatrick_self="FST2",
        fitzpatrick_labels=("FST2", "FST3"),
        monk_india=3,
        monk_us=None,
        body_parts=("arm",),
        age_group="AGE_18_TO_29",
        sex=None,
    )


def write_folder(
    folder: Path, vectors: Vectors, cases: Sequence[StoredCase], kind: str = "flat", **facts: object
) -> Manifest:
    """A whole index; ``facts`` replace fields of its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    structure = write_index(folder, vectors, kind=kind)
    write_cases(folder, cases)
    (folder / THUMBNAILS).write_bytes(b"".join(b"%04d" % row for row in range(len(vectors))))
    values: dict[str, object] = {
        "format": FORMAT,
        "name": "made",
        "dataset": SCIN["dataset"],
        "release": "1.0.0",
        "synthetic": False,
        "cases": len(cases),
        "images": sum(len(case.photos) for case in cases),
        "vectors": len(vectors),
        "skipped": {},
        "encoder": "tiny",
        "encoder_version": "1",
        "encoder_fingerprint": FINGERPRINT,
        "dimension": vectors.shape[1],
        "metric": METRIC,
        "transforms": ("centre", "l2-normalise"),
        "vote": Vote(),
        "licence": SCIN["licence"],
        "attribution": dict(SCIN),
        "built_at": "2023-11-14T22:13:20+00:00",
        "structure": structure,
        "files": {name: sha256_file(folder / name) for name in (index_file(kind), CASES_TABLE, THUMBNAILS)},
    }
    manifest = Manifest(**{**values, **facts})  # type: ignore[arg-type]
    write_manifest(folder, manifest)
    return manifest


def make_index(folder: Path, vectors: Vectors, photos: Photos) -> SearchIndex:
    write_folder(folder, vectors, [stored(case, rows) for case, rows in photos.items()])
    return load(folder, vectors.shape[1])


def load(folder: Path, dimension: int = 16, fingerprint: str = FINGERPRINT) -> SearchIndex:
    return load_index(folder, encoder_fingerprint=fingerprint, dimension=dimension)


def brute_force(vectors: Vectors, photos: Photos, views: Vectors) -> list[tuple[str, float]]:
    """(case, similarity), best first: centred cosine, the best pair of a view and a photo, ties by id."""
    mean = vectors.astype(np.float64).mean(axis=0)
    similarity = (unit(views - mean).astype(np.float64) @ unit(vectors - mean).astype(np.float64).T).max(axis=0)
    scores = {case: max(float(similarity[row]) for row in rows) for case, rows in photos.items()}
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
