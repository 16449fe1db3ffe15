"""How the vectors of an index are arranged: compared one by one (flat), as a graph (hnsw), or in lists (ivf).

Flat is exact. The others are approximate: what they find of the exact answer is measured when they are built, and how
much they look at is chosen by that measurement.
"""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from faiss.contrib import exhaustive_search
from numpy.typing import NDArray

from ml.values import Vectors
from scin.embeddings import blocks, spread
from scin.manifest import Structure
from scin.transform import Transform

#: up to here comparing with every vector takes a few milliseconds on one core, and nothing is missed
FLAT_MOST = 50_000
#: share of the exact ten nearest that an approximate index must find, if looking at more can reach it
TARGET_RECALL = 0.97
#: … and looking at twice as much is not worth less than this: the rest is lost in the stored precision
_LEAST_GAIN = 0.002
_NEAREST = 10
_QUERIES = 1_000
_TRAINING_PER_LIST = 64
_GRAPH_LINKS, _GRAPH_EFFORT = 32, 120
#: faiss describes to type checkers only a part of what it makes at run time
_faiss: Any = faiss
_exact_search: Any = exhaustive_search.knn_ground_truth
_EFFORTS = {"hnsw": (32, 64, 128, 256, 512), "ivf": (8, 16, 32, 64, 128, 256)}


def choose_kind(kind: str, vectors: int) -> str:
    """``kind`` itself, or for "auto" what suits so many vectors: flat up to FLAT_MOST, then lists."""
    if kind != "auto":
        return kind
    return "flat" if vectors <= FLAT_MOST else "ivf"


def arrange(vectors: Vectors, transform: Transform, kind: str) -> tuple[faiss.Index, Structure]:
    """A faiss index of ``vectors`` (n, dimension), which transforms queries and cases alike; row i gets id i.

    ``vectors`` may be mapped from a file: they are read in blocks. The same vectors give the same bytes.
    """
    kind = choose_kind(kind, len(vectors))
    index = faiss.IndexPreTransform(_inner(kind, vectors, transform))
    # prepend_transform puts the later step first, so the chain reads move → normalise → compare.
    index.prepend_transform(faiss.NormalizationTransform(_width(transform), 2.0))
    index.prepend_transform(_linear(transform))
    threads = faiss.omp_get_max_threads()
    try:
        if kind == "hnsw":  # several threads would link in the order in which they happen to run
            faiss.omp_set_num_threads(1)
        for block in blocks(vectors):
            index.add(np.ascontiguousarray(block, dtype=np.float32))
    finally:
        faiss.omp_set_num_threads(threads)
    if kind == "flat":
        return index, Structure()
    return index, _tuned(index, kind, vectors, transform)


def parameters(structure: Structure) -> Any:
    """What one search is told; the index itself is shared by threads and never changed."""
    if structure.kind == "ivf":
        return _faiss.SearchParametersPreTransform(index_params=_faiss.SearchParametersIVF(nprobe=structure.effort))
    if structure.kind == "hnsw":
        return _faiss.SearchParametersPreTransform(index_params=_faiss.SearchParametersHNSW(efSearch=structure.effort))
    return None


def moved(index: Any, vectors: Vectors) -> Vectors:
    """(n, dimension) as the encoder gives them → as the index compares them: moved and of unit length."""
    for step in range(index.chain.size()):
        vectors = _faiss.downcast_VectorTransform(index.chain.at(step)).apply(np.ascontiguousarray(vectors, np.float32))
    return np.asarray(vectors, np.float32)


def _inner(kind: str, vectors: Vectors, transform: Transform) -> faiss.Index:
    width = _width(transform)
    if kind == "flat":
        return faiss.IndexFlatIP(width)
    if kind == "hnsw":
        graph = faiss.IndexHNSWFlat(width, _GRAPH_LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = _GRAPH_EFFORT
        return graph
    lists = _lists(len(vectors))
    index = faiss.index_factory(width, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.train(transform.apply(spread(vectors, _TRAINING_PER_LIST * lists)))
    return index


def _lists(vectors: int) -> int:
    """The power of two nearest to four times the root of the number of vectors: 1,024 for 50,000, 4,096 for a million.

    Never so many that a list has fewer than FAISS's least of 39 vectors to learn from.
    """
    wanted = 2 ** round(np.log2(4 * vectors**0.5))
    return int(min(wanted, 2 ** int(np.log2(max(1, vectors // 39)))))


def _width(transform: Transform) -> int:
    return len(transform.mean) if transform.matrix is None else transform.matrix.shape[1]


def _linear(transform: Transform) -> Any:
    """The transform's first step as faiss computes it: (x − mean) @ matrix = matrixᵀ x − matrixᵀ mean."""
    dimension = len(transform.mean)
    if transform.matrix is None:
        step = _faiss.CenteringTransform(dimension)
        faiss.copy_array_to_vector(transform.mean, step.mean)
    else:
        step = _faiss.LinearTransform(dimension, _width(transform), True)
        faiss.copy_array_to_vector(np.ascontiguousarray(transform.matrix.T).ravel(), step.A)
        faiss.copy_array_to_vector(-(transform.mean @ transform.matrix), step.b)
    step.is_trained = True
    return step


def _tuned(index: faiss.Index, kind: str, vectors: Vectors, transform: Transform) -> Structure:
    """The least effort that reaches TARGET_RECALL, or beyond which nothing is won."""
    rows = spread(np.arange(len(vectors)), _QUERIES)
    queries = np.asarray(vectors[rows], np.float32)
    _, exact = _exact_search(
        transform.apply(queries),
        (transform.apply(block) for block in blocks(vectors)),
        _NEAREST + 1,
        metric_type=faiss.METRIC_INNER_PRODUCT,
    )
    found = Structure()
    for effort in _EFFORTS[kind]:
        tried = Structure(kind, effort, 0.0, len(rows))
        _, approximate = index.search(queries, _NEAREST + 1, params=parameters(tried))
        recall = _recall(exact, np.asarray(approximate, np.int64), rows)
        gain, found = recall - found.recall_at_10 * (found.kind == kind), Structure(kind, effort, recall, len(rows))
        if recall >= TARGET_RECALL or gain < _LEAST_GAIN:
            break
    return found


def _recall(exact: NDArray[np.int64], approximate: NDArray[np.int64], rows: NDArray[np.int64]) -> float:
    """Mean share of the exact ten nearest that were found; a query is a stored vector, and does not count itself.

    Where there are fewer than ten others, faiss fills up with −1.
    """
    shares = []
    for own, right, tried in zip(rows, exact, approximate, strict=True):
        others = [row for row in right.tolist() if row not in (own, -1)][:_NEAREST]
        shares.append(len(set(others) & set(tried.tolist())) / len(others) if others else 1.0)
    return round(float(np.mean(shares)), 4)
