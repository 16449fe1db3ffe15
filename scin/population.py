"""The index's population: percentiles of skin measurements over a sample of its photos. Scores refer to them."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ml.analysis.scores import STEPS, Distribution, Population
from ml.errors import ArtifactError, ImageError
from ml.imaging.decode import decode
from ml.skin.frame import Frame
from ml.skin.measure import measure_scored
from ml.values import Measurement
from scin.index.manifest import read_json, write_json
from storage import Storage, StorageError
from storage.base import map_ordered, read_many

POPULATION = "population.json"
FORMAT = 1
SEED = 1
MOST = 300  #: most photos to measure; the standard error of a percentile is then at most 3 of 100
ONE_IN = 25  #: in a smaller index, one photo in 25 is measured, to limit the time of the build
LEAST = 25  #: fewest values of a measure; with fewer, the standard error of a percentile exceeds 10 of 100
_DIGITS = 6  # significant digits that are kept, so that the same photos give the same bytes


def draw(paths: Sequence[str]) -> list[str]:
    """The sample of photos to measure: one in 25, at most 300. A hash of the names chooses them."""
    photos = min(MOST, -(-len(paths) // ONE_IN))
    return sorted(paths, key=lambda path: hashlib.sha256(f"{SEED} {path}".encode()).digest())[:photos]


def measure_population(store: Storage, paths: Sequence[str]) -> Population:
    """Measure a sample of ``paths`` in the same way as a close-up in serving. Unreadable photos are skipped."""
    contents = read_many(store, draw(paths))
    cores = len(os.sched_getaffinity(0))
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for found in map_ordered(_measure, contents, workers=cores, ahead=2 * cores, name="measurer"):
        for measurement in found:
            if measurement.value is not None:
                key = f"{measurement.region}/{measurement.name}"
                values[key, measurement.method].append(measurement.value)
    return Population(SEED, {key: _distribution(method, v) for (key, method), v in values.items() if len(v) >= LEAST})


def _measure(content: tuple[str, bytes | StorageError]) -> Sequence[Measurement]:
    _, data = content
    if isinstance(data, StorageError):
        return ()
    try:
        return measure_scored(Frame(decode(data).rgb))
    except ImageError:
        return ()


def _distribution(method: str, values: Sequence[float]) -> Distribution:
    percentiles = np.percentile(np.array(values), np.arange(STEPS)).tolist()
    return Distribution(method, len(values), tuple(float(f"{value:.{_DIGITS}g}") for value in percentiles))


def write_population(folder: Path, population: Population) -> None:
    write_json(folder / POPULATION, {"format": FORMAT, **asdict(population)})


def read_population(folder: Path, files: Mapping[str, str]) -> Population | None:
    """The population of an index with these verified ``files``, or None if it has none.

    Raises ArtifactError if it cannot be read.
    """
    if POPULATION not in files:
        return None
    population = read_json(folder / POPULATION, Population, FORMAT, "Build the index again.")
    if any(len(known.percentiles) != STEPS for known in population.distributions.values()):
        raise ArtifactError(f"{folder / POPULATION} is damaged. Build the index again.")
    return population
