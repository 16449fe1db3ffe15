"""The index's population: percentiles of skin measurements over some of its photos, by which scores are told."""

from __future__ import annotations

import hashlib
import json
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
from storage import Storage, StorageError
from storage.base import read_many
from storage.parallel import map_ordered

POPULATION = "population.json"
FORMAT = 1
SEED = 1
MOST = 300  #: photos: the share of a population is then known to 3 of 100
ONE_IN = 25  #: of a small index's photos, so that measuring them stays a small part of its building
LEAST = 25  #: values of a measure: of fewer, no share is known to 10 of 100
_DIGITS = 6  # significant: the same photos give the same bytes


def draw(paths: Sequence[str]) -> list[str]:
    """Which of the photos are measured: one in 25 of them, 300 at most, by a hash of their names. The same photos are
    drawn whatever their order."""
    photos = min(MOST, -(-len(paths) // ONE_IN))
    return sorted(paths, key=lambda path: hashlib.sha256(f"{SEED} {path}".encode()).digest())[:photos]


def measure_population(store: Storage, paths: Sequence[str]) -> Population:
    """Measure a drawn part of ``paths`` as a served close-up is measured. What cannot be read is left out."""
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
    text = json.dumps({"format": FORMAT, **asdict(population)}, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / POPULATION).write_text(text + "\n", encoding="utf-8")


def read_population(folder: Path, files: Mapping[str, str]) -> Population | None:
    """The population of an index whose verified ``files`` these are; None where it has none.

    Raises ArtifactError if it cannot be read.
    """
    if POPULATION not in files:
        return None
    path = folder / POPULATION
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']}")
        known = {name: _read_distribution(**row) for name, row in facts["distributions"].items()}
        return Population(facts["seed"], known)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path} is damaged. Build the index again.") from error


def _read_distribution(method: str, photos: int, percentiles: Sequence[float]) -> Distribution:
    ordered = np.array(percentiles, np.float64)
    if photos < 1 or ordered.shape != (STEPS,) or not (np.diff(ordered) >= 0).all():
        raise ValueError("no percentiles")
    return Distribution(method, photos, tuple(ordered.tolist()))
