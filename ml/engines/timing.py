"""How long runs take, with engines taking turns: what else the machine does then slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from ml.engines.agreement import trial_inputs
from ml.models.runtime import BATCH_SIZES, Backend
from ml.models.spec import ModelSpec

_ROUNDS = 5


def take_turns(
    spec: ModelSpec, backends: Mapping[str, Backend], *, rounds: int = _ROUNDS
) -> dict[str, dict[int, float]]:
    """Name → batch size → median milliseconds of a run, divided by its size. The first round does not count.

    Each round runs every size by every backend, so that sizes can be compared with each other as well.
    """
    rows = {size: trial_inputs(spec, size) for size in BATCH_SIZES}
    taken: dict[tuple[str, int], list[float]] = {(name, size): [] for name in backends for size in BATCH_SIZES}
    for counts in (False, *[True] * rounds):
        for size in BATCH_SIZES:
            for name, backend in backends.items():
                started = time.perf_counter()
                backend.run(*rows[size])
                if counts:
                    taken[name, size].append((time.perf_counter() - started) * 1e3 / size)
    return {name: {size: round(float(np.median(taken[name, size])), 3) for size in BATCH_SIZES} for name in backends}
