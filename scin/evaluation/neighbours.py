"""The nearest cases of each case, as the served index finds them: a case scores by its best pair of photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.values import Vectors
from scin.evaluation.cases import Floats, Ints, LabelledCases

_BLOCK = 256  # cases whose similarities to all others are held at once
#: how many more than asked are looked at: copies of one photo are equally near, and the smaller ids come first
_TIES = 8


@dataclass(frozen=True)
class Neighbours:
    """For each of n cases the rows of its nearest, most similar first, and their cosines; both (n, depth).

    Where fewer were allowed than ``depth``, the rest has similarity −inf.
    """

    rows: Ints
    similarities: NDArray[np.float32]


def nearest(
    queries: LabelledCases,
    query_vectors: Vectors,
    references: LabelledCases,
    reference_vectors: Vectors,
    *,
    depth: int,
    apart: tuple[Ints, Ints] | None = None,
) -> Neighbours:
    """The ``depth`` nearest references of each query, exactly, by the transformed vectors of both.

    ``apart`` gives a number to each query and each reference: those with the same number do not see each other (their
    fold, or their group). Ties go to the earlier reference, that is the smaller id, as in serving.
    """
    depth = min(depth, len(references))
    photos, sizes, place = _slots(references)
    stored = reference_vectors[photos]
    parts = []
    for start in range(0, len(queries), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(queries)))
        own_photos, own_sizes, own_place = _slots(queries.take(block))
        by_case = _best_slot(stored @ query_vectors[own_photos].T, sizes)[place]
        similarity = _best_slot(np.ascontiguousarray(by_case.T), own_sizes)[own_place]
        if apart is not None:
            similarity[apart[0][block][:, None] == apart[1][None, :]] = -np.inf
        parts.append(_best(similarity, depth))
    return Neighbours(np.concatenate([rows for rows, _ in parts]), np.concatenate([best for _, best in parts]))


def _slots(cases: LabelledCases) -> tuple[Ints, list[int], Ints]:
    """All first photos, then all second ones, …, the cases with most photos first; how many of each; each case's place.

    So the best photo of every case is a maximum of whole blocks of rows, which is much faster than one case at a time.
    """
    order = np.argsort(-cases.photos_per_case, kind="stable")
    sizes = [int((cases.photos_per_case > slot).sum()) for slot in range(int(cases.photos_per_case.max()))]
    photos = np.concatenate([cases.photos[cases.starts[order[:size]] + slot] for slot, size in enumerate(sizes)])
    return photos, sizes, np.argsort(order)


def _best_slot(rows: NDArray[np.float32], sizes: list[int]) -> NDArray[np.float32]:
    """The maximum over each case's rows, in the order of ``_slots``; the given rows are overwritten."""
    best, start = rows[: sizes[0]], sizes[0]
    for size in sizes[1:]:
        np.maximum(best[:size], rows[start : start + size], out=best[:size])
        start += size
    return best


def _best(similarity: NDArray[np.float32], depth: int) -> tuple[Ints, NDArray[np.float32]]:
    """The columns with the largest values in each row, and these; equal values in the order of their columns."""
    taken = min(depth + _TIES, similarity.shape[1])
    rows = np.sort(np.argpartition(-similarity, taken - 1, axis=1)[:, :taken], axis=1)
    values = np.take_along_axis(similarity, rows, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :depth]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(values, order, axis=1)


def mean_distance(found: Neighbours, neighbours: int) -> Floats:
    """(n,) 1 − the mean cosine of the nearest: how far a case lies from what the index knows, 0–2."""
    nearest_ones = found.similarities[:, :neighbours].astype(np.float64)
    return np.asarray(1.0 - np.mean(nearest_ones, axis=1, where=np.isfinite(nearest_ones)), np.float64)
