"""Which cases each vector of an index belongs to, and from photos that were found the cases that they stand for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ml.errors import ArtifactError
from scin.case_table import CaseTable
from scin.table import CASES_TABLE


class Owners:
    """The cases of each vector, in arrays: a vector's cases stand together."""

    def __init__(self, cases: CaseTable, vectors: int) -> None:
        """Raises ArtifactError if a case names a vector that the index does not hold."""
        named, rows = cases.owners()
        if len(named) and (named.min() < 0 or named.max() >= vectors):
            raise ArtifactError(f"{CASES_TABLE} names a vector that the index does not hold. Build it again.")
        self._cases = rows[np.argsort(named, kind="stable")].astype(np.int32)
        self._starts = np.append(0, np.cumsum(np.bincount(named, minlength=vectors)))
        self._ranks = cases.ids.ranks()
        self.photos_per_case = int(np.bincount(rows, minlength=1).max())

    def nearest(
        self, similarities: NDArray[np.float32], vectors: NDArray[np.int64], most: int
    ) -> list[tuple[int, float]]:
        """(case, cosine), the most similar first and among equals by their ids: at most ``most``.

        ``similarities`` are those of ``vectors``, of the same shape; −1, with which faiss fills up, is no vector. A
        case has the similarity of the nearest of its photos.
        """
        best: dict[int, float] = {}
        for vector, similarity in zip(vectors.ravel().tolist(), similarities.ravel().tolist(), strict=True):
            for case in self._of(vector):
                best[case] = max(similarity, best.get(case, -1.0))
        ranked = sorted(best, key=lambda case: (-best[case], self._ranks.item(case)))[:most]
        return [(case, min(1.0, best[case])) for case in ranked]

    def _of(self, vector: int) -> Iterator[int]:
        """The cases of a vector; of −1 none, since no range leads from the end of all cases to their start."""
        return map(self._cases.item, range(self._starts.item(vector), self._starts.item(vector + 1)))
