"""The image encoder, and logistic regressions ("heads") on its embeddings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.deadline import Deadline
from ml.errors import ArtifactError, ModelError
from ml.models.preprocess import to_batch
from ml.models.runtime import Runtime, run_each
from ml.models.spec import ModelSpec
from ml.values import RGB, Vector, Vectors


class Encoder:
    """An image encoder. ``fingerprint`` identifies its weights and preprocessing. ``dimension``: of an embedding."""

    def __init__(self, spec: ModelSpec, runtime: Runtime, fingerprint: str) -> None:
        self.spec = spec
        self.runtime = runtime
        self.fingerprint = fingerprint
        self.dimension = spec.output_dim

    def embed(self, photos: Sequence[RGB], deadline: Deadline | None = None) -> Vectors:
        """The embeddings (n, dimension) of ``photos`` (H, W, 3), L2-normalised.

        Raises ModelError. Raises DeadlineExceededError if the time is over before a photo.
        """
        inputs = [to_batch(photos, self.spec.preprocess)]
        raw = run_each(self.spec, self.runtime, inputs, "encode", deadline)
        norms = np.linalg.norm(raw, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or (norms == 0).any():
            raise ModelError(f"{self.spec.name} gave no usable embedding for this photo.")
        return np.asarray(raw / norms, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Head:
    """A logistic regression. ``weights`` (dimension,) and ``bias`` give the log-odds. A probability of ``threshold``
    (0–1) or more means yes."""

    weights: NDArray[np.float64]
    bias: float
    threshold: float

    def probability(self, embedding: Vector) -> float:
        """The probability, 0–1, for an ``embedding`` (dimension,), L2-normalised."""
        log_odds = float(self.weights @ embedding) + self.bias
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, log_odds))))


@dataclass(frozen=True)
class HeadSet:
    """Heads on the embeddings of one encoder. ``encoder``, ``fingerprint``: its name and fingerprint. ``heads``: name
    → head."""

    encoder: str
    fingerprint: str
    heads: Mapping[str, Head]


def read_heads(path: Path) -> HeadSet:
    """The heads in a JSON file that ``research.photo_kind`` wrote. Raises ArtifactError."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        heads = {
            name: Head(np.array(head["weights"], np.float64), float(head["bias"]), float(head["threshold"]))
            for name, head in facts["heads"].items()
        }
        return HeadSet(facts["encoder"]["name"], facts["encoder"]["fingerprint"], heads)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"The heads in {path.name} cannot be read. Install the service again.") from error
