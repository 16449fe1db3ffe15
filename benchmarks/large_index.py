"""``python -m benchmarks.large_index FOLDER --vectors N``: an index of random vectors in the project's own format.

For measuring memory and time at SCIN's size without its photos. It takes the place of the sample index
(DERMSERVE_INDEX=FOLDER), is synthetic like it, and finds nothing of meaning. The running encoder's dimension is the
only one that the service accepts: for the bytes of 10,407 × 6144 take 124,884 vectors of 512.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from ml.values import Vectors
from scin.index.cases import CASES_TABLE, THUMBNAILS, StoredCase, StoredPhoto, write_cases
from scin.index.manifest import Structure, read_manifest, write_manifest
from scin.index.vectors import Transform, index_file, write_index
from settings import load_or_exit
from storage.base import sha256_file

SCIN_PHOTOS = 10_407


def main(arguments: list[str] | None = None) -> int:
    settings = load_or_exit()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vectors", type=int, default=SCIN_PHOTOS)
    parser.add_argument("--dimension", type=int, default=settings.faiss_dimension)
    parser.add_argument("--like", type=Path, default=settings.var / "index" / "sample", help="whose encoder it names")
    options = parser.parse_args(arguments)
    write_random_index(options.folder, options.vectors, options.dimension, options.like)
    size = sum(path.stat().st_size for path in options.folder.iterdir()) / 2**20
    print(f"{options.folder}: {options.vectors:,} × {options.dimension}, {size:.0f} MiB")
    return 0


def write_random_index(folder: Path, vectors: int, dimension: int, like: Path) -> None:
    """``vectors`` cases of one photo each, of the encoder that made the index ``like``."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    write_index_of(folder, rng.standard_normal((vectors, dimension), dtype=np.float32), like)


def write_index_of(
    folder: Path, vectors: Vectors, like: Path, *, transform: Transform | None = None, kind: str = "flat"
) -> Structure:
    """The same of given vectors (n, dimension); ``transform`` and ``kind`` as ``write_index`` takes them."""
    structure = write_index(folder, vectors, transform, kind)
    write_cases(folder, (_case(number) for number in range(len(vectors))))
    (folder / THUMBNAILS).write_bytes(b"no thumbnail")
    manifest = replace(
        read_manifest(like),
        name="random",
        synthetic=True,
        cases=len(vectors),
        images=len(vectors),
        vectors=len(vectors),
        skipped={},
        dimension=vectors.shape[1],
        structure=structure,
        files={name: sha256_file(folder / name) for name in (index_file(structure.kind), CASES_TABLE, THUMBNAILS)},
    )
    write_manifest(folder, manifest)
    return structure


def _case(number: int) -> StoredCase:
    return StoredCase(
        case_id=str(number),
        photos=(StoredPhoto(number, 0, 1, "CLOSE_UP"),),
        differential={f"Condition {number % 200}": 0.6, f"Condition {number % 31}": 0.4},
        dermatologists=3,
        agreement=0.6,
        fitzpatrick_self=f"FST{1 + number % 6}",
        fitzpatrick_labels=(f"FST{1 + number % 6}",),
        monk_india=None,
        monk_us=1 + number % 10,
        body_parts=("arm",),
        age_group="AGE_18_TO_29",
        sex=None,
    )


if __name__ == "__main__":
    sys.exit(main())
