"""The served vote (scin.vote) for many cases at once."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from scin.evaluation.cases import Floats, LabelledCases
from scin.evaluation.neighbours import Neighbours
from scin.index.manifest import Vote


def vote_shares(found: Neighbours, references: LabelledCases, parameters: Vote) -> Floats:
    """(n, C) each condition's share of the vote; rows sum to 1, or to 0 for a case without any neighbour."""
    similarities = found.similarities[:, : parameters.neighbours].astype(np.float64)
    rows = found.rows[:, : parameters.neighbours]
    allowed = np.isfinite(similarities)
    nearest = np.where(allowed[:, :1], similarities[:, :1], 0.0)
    say = np.exp(np.where(allowed, similarities - nearest, -np.inf) / parameters.temperature)
    say /= np.maximum(say.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    pointers = np.arange(0, rows.size + 1, rows.shape[1])
    weights = csr_matrix((say.ravel(), rows.ravel(), pointers), shape=(len(rows), len(references)))
    return np.asarray((weights @ references.sparse_weights).toarray(), np.float64)
