"""``python -m benchmarks.index_search --vectors N …``: the served search beside raw FAISS, on an index of any size.

Vectors are a seeded mixture: real embeddings of the sample plus noise, which is random skin between real photos. Their
median intrinsic dimension is printed (Levina and Bickel 2004, twenty neighbours), since it decides how hard they are:
equally many unit vectors at random have one of some hundred, and nobody's photos are like that. The index is of the
type that ``auto`` picks, unless --index names one. Recall is of the ten nearest, for queries that are not in the index.
``--folder`` measures an index that is there instead. Raw FAISS and the served search look for equally many photos; the
queries that are timed are new to both. Of the served search, "nearest cases" turns what FAISS finds into cases; the
whole search also counts votes, applies the index's calibration if it has one, and reads the cases' labels.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from faiss.contrib import exhaustive_search
from numpy.typing import NDArray

from ml.values import Vectors
from scin.index.cases import CASES_TABLE, THUMBNAILS, StoredCase, StoredPhoto, write_cases
from scin.index.faiss_vectors import search_parameters
from scin.index.manifest import Structure, read_manifest, write_manifest
from scin.index.search import SearchIndex, load_index
from scin.index.vectors import (
    EMBEDDINGS,
    Transform,
    blocks,
    fit_default,
    index_file,
    kinds,
    read_embeddings,
    spread,
    write_index,
)
from settings import load_or_exit
from storage.base import sha256_file

#: standard deviation of the noise, over that of the real embeddings
NOISE = 0.6
_QUERIES, _NEAREST, _NEIGHBOURS = 500, 10, 20
#: other queries that come before the timed ones
_WARMING = 2_000
#: vectors of a given index that are mixed to queries
_LIKE = 1_000
#: cases that are answered, as a request asks by default
_K = 5
RAW = "raw FAISS"
_exact_search: Any = exhaustive_search.knn_ground_truth


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--index", choices=("auto", *kinds()), default="auto")
    parser.add_argument("--folder", type=Path, help="an index with its embeddings, to be measured as it is")
    parser.add_argument("--make", type=Path, metavar="FOLDER", help="only write an index of random vectors there")
    options = parser.parse_args(arguments)
    if options.make:
        make_random(options.make, options.vectors[0])
        return 0
    if options.folder:
        own = spread(read_embeddings(options.folder), _LIKE)
        report(options.folder, mixture(own, _QUERIES + _WARMING, np.random.default_rng(1)))
        return 0
    like = load_or_exit().var / "index" / "sample"
    for count in options.vectors:
        with tempfile.TemporaryDirectory(prefix="dermserve-search-") as folder:
            measure(Path(folder, "index"), like, count, options.index)
    return 0


def make_random(folder: Path, count: int) -> None:
    """Write an index of ``count`` random vectors: for memory and time at SCIN's size without its photos.

    Serve it with DERMSERVE_INDEX; what it finds has no meaning. Its vectors have the running encoder's dimension, the
    only one that the service accepts: 124,884 of 512 take the bytes of 10,407 × 6144.
    """
    settings = load_or_exit()
    folder.mkdir(parents=True, exist_ok=True)
    vectors = np.random.default_rng(0).standard_normal((count, settings.faiss_dimension), dtype=np.float32)
    write_index_of(folder, vectors, settings.var / "index" / "sample")


def measure(folder: Path, like: Path, count: int, kind: str) -> None:
    """Build, load and search; print what came out."""
    folder.mkdir()
    real = read_embeddings(like)
    write_mixture(folder / EMBEDDINGS, real, count, seed=0)
    vectors, queries = read_embeddings(folder), mixture(real, _QUERIES + _WARMING, np.random.default_rng(1))
    transform = fit_default(vectors)
    began = time.perf_counter()
    structure = write_index_of(folder, vectors, like, transform=transform, kind=kind)
    took = time.perf_counter() - began
    asked = queries[:_QUERIES]
    distances, exact = _exact(vectors, asked, transform)
    del vectors
    found = _raw(folder).search(asked, _NEAREST, params=search_parameters(structure.kind, structure.parameters))[1]
    recall = np.mean([len(set(a) & set(b)) / _NEAREST for a, b in zip(found.tolist(), exact.tolist(), strict=True)])
    print(f"{count:,} × {real.shape[1]}, median intrinsic dimension {_intrinsic_dimension(distances):.1f}")
    print(f"  {structure.kind} of {transform.spec.name}, {dict(structure.parameters)}, built in {took:.0f} s")
    print(f"  recall@10 {recall:.3f} for {_QUERIES} new queries; the manifest says {structure.recall_at_10}")
    report(folder, queries)


def report(folder: Path, queries: Vectors) -> None:
    """Print the time and the memory of searching the index in ``folder``; all ``queries`` but the first 500 warm."""
    before = _resident()
    manifest = read_manifest(folder)
    index = load_index(folder, encoder_fingerprint=manifest.encoder_fingerprint, dimension=manifest.dimension)
    faiss.omp_set_num_threads(1)
    ms = _compare(index, _raw(folder), queries)
    size = (folder / index_file(manifest.structure.kind)).stat().st_size / 2**20
    print(f"  {manifest.vectors:,} vectors, {manifest.cases:,} cases, {size:.0f} MiB of index on disk")
    print(f"  p50, one thread, {index.depth(_asked(index))} photos, {_QUERIES} queries: " + _row(ms))
    print(f"  resident memory that loading and searching took: {_resident() - before:.0f} MiB", flush=True)


def _raw(folder: Path) -> Any:
    return faiss.read_index(str(folder / index_file("flat")), faiss.IO_FLAG_MMAP_IFC)


def mixture(real: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """(count, dimension) unit vectors: real ones drawn at random, moved by noise of their covariance × NOISE²."""
    centred = np.asarray(real - real.mean(axis=0), np.float32)
    mixing = rng.standard_normal((count, len(real)), dtype=np.float32) * np.float32(NOISE / len(real) ** 0.5)
    moved = real[rng.integers(0, len(real), count)] + mixing @ centred
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)


def write_mixture(path: Path, real: Vectors, count: int, seed: int) -> None:
    """Block by block, so that a million need no two gigabytes."""
    rng = np.random.default_rng(seed)
    mapped = np.lib.format.open_memmap(path, "w+", np.float32, (count, real.shape[1]))
    for start in range(0, count, 10_000):
        mapped[start : start + 10_000] = mixture(real, len(mapped[start : start + 10_000]), rng)
    mapped.flush()


def _exact(vectors: Vectors, queries: Vectors, transform: Transform) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Distances and rows of the nearest by the transform, compared with all, for each query."""
    cosines, rows = _exact_search(
        transform.apply(queries),
        (transform.apply(block) for block in blocks(vectors)),
        _NEIGHBOURS,
        metric_type=faiss.METRIC_INNER_PRODUCT,
    )
    return np.sqrt(np.maximum(2.0 - 2.0 * cosines, 1e-12)), rows[:, :_NEAREST]


def _intrinsic_dimension(distances: NDArray[np.float32]) -> float:
    """The median over queries of Levina and Bickel's estimate: 1 / mean of ln(farthest / distance)."""
    ratios = np.log(distances[:, -1:] / distances[:, :-1])
    return float(np.median(1.0 / np.maximum(ratios.mean(axis=1), 1e-9)))


def _asked(index: SearchIndex) -> int:
    return max(_K, index.manifest.vote.neighbours)


def _row(ms: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {one:.3f} ms ({one / ms[RAW]:.2f} ×)" for name, one in ms.items())


def _compare(index: SearchIndex, raw: Any, queries: Vectors) -> Mapping[str, float]:
    """Median milliseconds of each way to search, for the first of ``queries``, in turn."""
    wanted, structure = _asked(index), index.manifest.structure
    parameters = search_parameters(structure.kind, structure.parameters)
    ways: dict[str, Callable[[Vectors], object]] = {
        RAW: lambda query: raw.search(query, index.depth(wanted), params=parameters),
        "nearest cases": lambda query: index.nearest(query, wanted),
        "whole search": lambda query: index.search(query, _K),
    }
    for query in queries[_QUERIES:]:
        index.search(query[None], _K)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    order = np.random.default_rng(2)
    for number in range(_QUERIES):
        # In no fixed order: of a busy processor, the same one would always wait. And never the same query at once: what
        # the first had read, the next would find in the processor's cache.
        for turn in order.permutation(len(ways)):
            name = list(ways)[turn]
            query = queries[(number + turn * _QUERIES // len(ways)) % _QUERIES, None]
            began = time.perf_counter()
            ways[name](query)
            taken[name].append(1000 * (time.perf_counter() - began))
    return {name: float(np.median(times)) for name, times in taken.items()}


def _resident() -> float:
    """MiB of this process in memory, mapped files included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def write_index_of(
    folder: Path, vectors: Vectors, like: Path, *, transform: Transform | None = None, kind: str = "flat"
) -> Structure:
    """An index in the project's own format, of one case for each of ``vectors`` (n, dimension).

    It is synthetic, and names the encoder that made the index ``like``. ``transform`` and ``kind`` are as
    scin.index.vectors.write_index takes them.
    """
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
