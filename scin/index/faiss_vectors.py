"""Indexes of vectors with FAISS: exact (flat), a graph (hnsw), or an inverted file with 8-bit codes (ivf).

hnsw and ivf are approximate. Their recall is measured when they are built, and determines efSearch or nprobe.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from faiss.contrib import exhaustive_search
from numpy.typing import NDArray

from ml.values import Vectors
from scin.index.manifest import Structure
from scin.index.vectors import Transform, blocks, spread

VERSION = str(faiss.__version__)
#: The search is widened until the recall of the ten nearest reaches this value, …
TARGET_RECALL = 0.97
#: … or until doubling the width gains less than this. The remaining errors come from the stored precision.
_LEAST_GAIN = 0.002
_NEAREST = 10
_QUERIES = 1_000
_TRAINING_PER_LIST = 64
_GRAPH_LINKS, _EF_CONSTRUCTION = 32, 120
#: kind → (search parameter, values to try)
_TRIED = {"hnsw": ("efSearch", (32, 64, 128, 256, 512)), "ivf": ("nprobe", (8, 16, 32, 64, 128, 256))}
#: typed as Any, because faiss has no type hints for names that it creates at run time
_faiss: Any = faiss
_exact_search: Any = exhaustive_search.knn_ground_truth


class FaissIndex:
    """A ``scin.index.vectors.VectorIndex``."""

    def __init__(self, index: Any, structure: Structure) -> None:
        self.dimension: int = index.d
        self.count: int = index.ntotal
        self._index = index
        self._parameters = search_parameters(structure.kind, structure.parameters)

    def nearest(self, queries: Vectors, most: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        found = self._index.search(np.ascontiguousarray(queries, np.float32), most, params=self._parameters)
        return found[0], found[1]

    def transform(self, vectors: Vectors) -> Vectors:
        for step in map(self._index.chain.at, range(self._index.chain.size())):
            vectors = _faiss.downcast_VectorTransform(step).apply(np.ascontiguousarray(vectors, np.float32))
        return np.asarray(vectors, np.float32)


def read(path: Path, structure: Structure, *, mmap: bool) -> FaissIndex:
    return FaissIndex(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if mmap else 0), structure)


def write(path: Path, vectors: Vectors, transform: Transform, kind: str) -> Structure:
    index = faiss.IndexPreTransform(_untransformed(kind, vectors, transform))
    # prepend_transform puts the later step first, so the chain reads transform → normalise → compare.
    index.prepend_transform(faiss.NormalizationTransform(transform.width, 2.0))
    index.prepend_transform(_linear(transform))
    threads = faiss.omp_get_max_threads()
    try:
        if kind == "hnsw":  # with several threads, the graph would depend on their timing
            faiss.omp_set_num_threads(1)
        for block in blocks(vectors):
            index.add(np.ascontiguousarray(block, dtype=np.float32))
    finally:
        faiss.omp_set_num_threads(threads)
    structure = Structure() if kind == "flat" else _tuned(index, kind, vectors, transform)
    faiss.write_index(index, str(path))
    return structure


def search_parameters(kind: str, parameters: Mapping[str, int]) -> Any:
    """``parameters`` of one search as a faiss object. They are not set on the index, because threads share it."""
    if kind == "flat":
        return None
    inner = {"hnsw": _faiss.SearchParametersHNSW, "ivf": _faiss.SearchParametersIVF}[kind](**parameters)
    return _faiss.SearchParametersPreTransform(index_params=inner)


def _untransformed(kind: str, vectors: Vectors, transform: Transform) -> faiss.Index:
    """An empty index for transformed vectors, trained if its kind needs training."""
    width = transform.width
    if kind == "flat":
        return faiss.IndexFlatIP(width)
    if kind == "hnsw":
        graph = faiss.IndexHNSWFlat(width, _GRAPH_LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = _EF_CONSTRUCTION
        return graph
    lists = _lists(len(vectors))
    index = faiss.index_factory(width, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.train(transform.apply(spread(vectors, _TRAINING_PER_LIST * lists)))
    return index


def _lists(vectors: int) -> int:
    """Number of lists: the power of two nearest to 4·√vectors (1,024 for 50,000 vectors, 4,096 for a million).

    At most one list for each 39 vectors, FAISS's minimum for training.
    """
    wanted = 2 ** round(np.log2(4 * vectors**0.5))
    return int(min(wanted, 2 ** int(np.log2(max(1, vectors // 39)))))


def _linear(transform: Transform) -> Any:
    """The transform's first step as a faiss object: (x − mean) @ matrix = matrixᵀ x − matrixᵀ mean."""
    dimension = len(transform.mean)
    if transform.matrix is None:
        step = _faiss.CenteringTransform(dimension)
        faiss.copy_array_to_vector(transform.mean, step.mean)
    else:
        step = _faiss.LinearTransform(dimension, transform.width, True)
        faiss.copy_array_to_vector(np.ascontiguousarray(transform.matrix.T).ravel(), step.A)
        faiss.copy_array_to_vector(-(transform.mean @ transform.matrix), step.b)
    step.is_trained = True
    return step


def _tuned(index: faiss.Index, kind: str, vectors: Vectors, transform: Transform) -> Structure:
    """The structure with the narrowest search that reaches TARGET_RECALL, or that a wider search hardly improves."""
    rows = spread(np.arange(len(vectors)), _QUERIES)
    queries = np.asarray(vectors[rows], np.float32)
    _, exact = _exact_search(
        transform.apply(queries),
        (transform.apply(block) for block in blocks(vectors)),
        _NEAREST + 1,
        metric_type=faiss.METRIC_INNER_PRODUCT,
    )
    name, widths = _TRIED[kind]
    recall, found = 0.0, Structure()
    for width in widths:
        parameters = {name: width}
        approximate = index.search(queries, _NEAREST + 1, params=search_parameters(kind, parameters))[1]
        before, recall = recall, _recall(exact, np.asarray(approximate, np.int64), rows)
        found = Structure(kind, parameters, recall, len(rows))
        if recall >= TARGET_RECALL or recall - before < _LEAST_GAIN:
            break
    return found


def _recall(exact: NDArray[np.int64], approximate: NDArray[np.int64], rows: NDArray[np.int64]) -> float:
    """Mean share of the exact ten nearest that were found. Each query is itself a stored vector and does not count.

    If there are fewer than ten other vectors, faiss fills the rest with −1.
    """
    shares = []
    for own, right, tried in zip(rows, exact, approximate, strict=True):
        others = [row for row in right.tolist() if row not in (own, -1)][:_NEAREST]
        shares.append(len(set(others) & set(tried.tolist())) / len(others) if others else 1.0)
    return round(float(np.mean(shares)), 4)
