"""What was measured of an index's answers, beside the index: ``calibration.json``.

It turns shares of the vote into probabilities that have been compared with the truth, says which conditions belong in
a set of stated coverage, from which distance on a photo is unlike everything in the index, and how often the answer
was right for each group of skin tones. Numpy only, so that serving can use it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ml.errors import ArtifactError

CALIBRATION_FILE = "calibration.json"
FORMAT = 2
#: shares are kept this far from 0 and 1 before their logit is taken
_LEAST_SHARE = 1e-3

_T = TypeVar("_T")


@dataclass(frozen=True)
class Quantile:
    """A conformal quantile of 1 − p over ``n`` calibration cases; ``value`` None where there were too few."""

    n: int
    value: float | None


@dataclass(frozen=True)
class Accuracy:
    """A measured accuracy, 0–1, with its 95% interval, over ``n`` cases; None where there were too few."""

    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Scaling:
    """What makes probabilities of shares: see ``probabilities``."""

    temperature: float
    intercept: float
    slope: float


@dataclass(frozen=True)
class Calibration:
    """Measured for one index, transform and vote.

    ``scaling`` makes probabilities of shares, with ``prior`` (condition → share among the index's cases).
    ``quantiles``: stated coverage ("0.90") → tone group → quantile, and ``accuracy``: tone group → metric → accuracy on
    held-out folds; groups go by our own estimate of the tone, the one that is known of a photo when it is served.
    ``distances`` are the 101 percentiles of 1 − the mean cosine of the voting neighbours of the index's own cases,
    each tenth sought among the others; beyond ``outlier`` a case is unlike them.
    """

    format: int
    scaling: Scaling
    prior: Mapping[str, float]
    quantiles: Mapping[str, Mapping[str, Quantile]]
    distances: tuple[float, ...]
    outlier: float
    accuracy: Mapping[str, Mapping[str, Accuracy]]

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        (folder / CALIBRATION_FILE).write_text(text + "\n", encoding="utf-8")


def read_calibration(folder: Path) -> Calibration:
    """Raises ArtifactError, in one line, if there is none or it cannot be read."""
    path = folder / CALIBRATION_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise ValueError("another format")
        return Calibration(
            **{
                **facts,
                "scaling": Scaling(**facts["scaling"]),
                "distances": tuple(facts["distances"]),
                "quantiles": _nested(facts["quantiles"], Quantile),
                "accuracy": _nested(facts["accuracy"], Accuracy),
            }
        )
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is missing. Write it: python -m scin evaluate --index {folder}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path} is damaged. Write it again: python -m scin evaluate --index {folder}") from error


def _nested(table: Mapping[str, Mapping[str, Mapping[str, Any]]], kind: type[_T]) -> dict[str, dict[str, _T]]:
    return {outer: {inner: kind(**facts) for inner, facts in row.items()} for outer, row in table.items()}


def probabilities(shares: NDArray[np.float64], prior: NDArray[np.float64], scaling: Scaling) -> NDArray[np.float64]:
    """(n, C) shares of the vote and (C,) prior, which sums to 1 → (n, C) probabilities; each row sums to 1.

    (1 − doubt) · share^(1 / temperature), normalised, + doubt · prior. The first part is temperature scaling (Guo et
    al. 2017) of the log shares. The doubt is the chance that no neighbour has the right condition, a logistic
    function of the logit of the largest share.
    """
    largest = np.clip(shares.max(axis=1, keepdims=True), _LEAST_SHARE, 1 - _LEAST_SHARE)
    doubt = 1.0 / (1.0 + np.exp(-scaling.intercept - scaling.slope * np.log(largest / (1 - largest))))
    raised = shares ** (1.0 / scaling.temperature)
    total = raised.sum(axis=1, keepdims=True)
    mixed = (1.0 - doubt) * raised / np.where(total > 0, total, 1.0) + doubt * prior
    return np.asarray(mixed / mixed.sum(axis=1, keepdims=True), np.float64)
