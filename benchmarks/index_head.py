"""``python -m benchmarks.index_head FOLDER``: what the head of an index adds to a search.

The evaluated index in FOLDER is searched with its head and, in turn, by its vote alone, in one process with one thread.
An index without a head gets one that has half of the weight. ``--cases N …`` also compares larger indexes: the same
cases again and again, their embeddings moved by noise of the index's covariance. The queries are moved so, too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np

from benchmarks.index_search import NOISE, mixture
from ml.values import Vectors
from scin.evaluate.cases import labelled_cases
from scin.evaluate.head import HeadSpec, fit_heads
from scin.index.cases import CASES_TABLE, StoredCase, read_cases, write_cases
from scin.index.head import HEAD_FILE
from scin.index.manifest import Manifest, read_manifest, write_manifest
from scin.index.search import SearchIndex, load_index
from scin.index.vectors import EMBEDDINGS, TransformSpec, fit_transforms, index_file, read_embeddings, write_index
from scin.index.vote import CALIBRATION_FILE
from storage.base import sha256_file

_QUERIES, _WARMING, _ROUNDS = 400, 100, 5
_LINKED = ("thumbnails.bin", CALIBRATION_FILE)
#: cases that are answered, as a request asks by default
_K = 5


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="an evaluated index with its embeddings")
    parser.add_argument("--cases", type=int, nargs="+", default=[], help="also compare indexes of so many cases")
    options = parser.parse_args(arguments)
    cases, vectors = read_cases(options.folder), np.asarray(read_embeddings(options.folder))
    queries = mixture(vectors, _QUERIES + _WARMING, np.random.default_rng(1))
    faiss.omp_set_num_threads(1)
    for count in (len(cases), *options.cases):
        with tempfile.TemporaryDirectory(prefix="dermserve-head-") as temporary:
            new = Path(temporary, "index")
            _write(new, options.folder, *_repeated(cases, vectors, count))
            print(f"{count:,} cases: {compare(new, queries)}", flush=True)
    return 0


def compare(folder: Path, queries: Vectors) -> str:
    """Search by the vote and with the head, in turn and in random order."""
    manifest = read_manifest(folder)
    indexes = {"vote": _load(folder, replace(manifest, head_weight=0.0)), manifest.method: _load(folder, manifest)}
    taken: dict[str, list[float]] = {name: [] for name in indexes}
    order = np.random.default_rng(2)
    for _ in range(_ROUNDS):
        for number, query in enumerate(queries):
            for turn in order.permutation(len(indexes)):
                name, index = list(indexes.items())[turn]
                began = time.perf_counter()
                index.search(query[None], _K)
                if number >= _WARMING:
                    taken[name].append(1000 * (time.perf_counter() - began))
    vote, head = (np.median(times) for times in taken.values())
    return f"vote {vote:.4f} ms, {manifest.method} {head:.4f} ms: {head / vote:.3f} ×"


def _load(folder: Path, manifest: Manifest) -> SearchIndex:
    write_manifest(folder, manifest)
    return load_index(folder, encoder_fingerprint=manifest.encoder_fingerprint, dimension=manifest.dimension)


def _repeated(cases: tuple[StoredCase, ...], vectors: Vectors, count: int) -> tuple[list[StoredCase], Vectors]:
    """``count`` cases. The first are the cases as they are; each repetition has its own, moved embeddings."""
    rounds = -(-count // len(cases))
    moved, rng = [vectors], np.random.default_rng(3)
    centred = vectors - vectors.mean(axis=0)
    for _ in range(rounds - 1):
        noise = rng.standard_normal((len(vectors), len(vectors)), dtype=np.float32) @ centred
        again = vectors + NOISE / len(vectors) ** 0.5 * noise
        moved.append(np.asarray(again / np.linalg.norm(again, axis=1, keepdims=True), np.float32))
    return list(_copies(cases, len(vectors), count)), np.concatenate(moved)


def _copies(cases: tuple[StoredCase, ...], vectors: int, count: int) -> Iterator[StoredCase]:
    for number in range(count):
        turn, place = divmod(number, len(cases))
        case = cases[place]
        photos = tuple(replace(photo, vector=photo.vector + turn * vectors) for photo in case.photos)
        yield replace(case, case_id=f"{case.case_id}-{turn}", photos=photos)


def _write(folder: Path, source: Path, cases: list[StoredCase], vectors: Vectors) -> None:
    """The index of these cases with the transform, calibration and head of the index in ``source``."""
    folder.mkdir()
    old = read_manifest(source)
    write_cases(folder, cases)
    np.save(folder / EMBEDDINGS, vectors)
    transform = fit_transforms([_spec(old.transforms[0])], read_embeddings(source))[0]
    structure = write_index(folder, vectors, transform)
    for name in _LINKED:
        (folder / name).symlink_to((source / name).resolve())
    if old.head_weight:
        (folder / HEAD_FILE).symlink_to((source / HEAD_FILE).resolve())
    else:
        fit_heads([HeadSpec()], labelled_cases(read_cases(source), read_embeddings(source)))[0].write(folder)
    files = (CASES_TABLE, EMBEDDINGS, index_file(structure.kind), HEAD_FILE, *_LINKED)
    write_manifest(
        folder,
        replace(
            old,
            cases=len(cases),
            images=len(vectors),
            vectors=len(vectors),
            structure=structure,
            head_weight=old.head_weight or 0.5,
            files={name: sha256_file(folder / name) for name in files},
        ),
    )


def _spec(name: str) -> TransformSpec:
    """The spec of this name: "centre" or "pca(components, power)"."""
    if name == "centre":
        return TransformSpec()
    components, power = name.removeprefix("pca(").removesuffix(")").split(",")
    return TransformSpec(int(components), float(power))


if __name__ == "__main__":
    sys.exit(main())
