"""Small learned heads: logistic regressions on an encoder's embedding, kept with where they come from in JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.errors import ArtifactError
from ml.values import Vector


@dataclass(frozen=True, eq=False)
class Head:
    """``weights`` (dimension,) and ``bias`` give log-odds; from ``threshold``, 0–1, the answer counts as yes."""

    weights: NDArray[np.float64]
    bias: float
    threshold: float

    def probability(self, embedding: Vector) -> float:
        """0–1, for an embedding (dimension,) of unit length."""
        log_odds = float(self.weights @ embedding) + self.bias
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, log_odds))))


@dataclass(frozen=True)
class HeadSet:
    """Heads that read the same ``encoder``'s embeddings. ``fingerprint`` identifies its weights and preprocessing."""

    encoder: str
    fingerprint: str
    heads: Mapping[str, Head]


def read_heads(path: Path) -> HeadSet:
    """The heads in a JSON file as ``research.photo_kind`` writes it. Raises ArtifactError."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        heads = {
            name: Head(np.array(head["weights"], np.float64), float(head["bias"]), float(head["threshold"]))
            for name, head in facts["heads"].items()
        }
        return HeadSet(facts["encoder"]["name"], facts["encoder"]["fingerprint"], heads)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"The heads in {path.name} cannot be read. Install the service again.") from error
