"""The encoder's own vectors beside an index: what a transform is fitted to, and what an index is arranged from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ml.errors import ArtifactError
from ml.values import Vector, Vectors

EMBEDDINGS = "embeddings.npy"
_Kind = TypeVar("_Kind", bound=np.generic)

#: rows that are in memory at once
_BLOCK = 16_384


def write_embeddings(folder: Path, vectors: Iterable[Vector], count: int, dimension: int) -> None:
    """Write ``count`` vectors as they come, holding none of them. Raises ValueError if there are more or fewer."""
    written = 0
    with (folder / EMBEDDINGS).open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, dimension)}
        npy.write_array_header_1_0(file, header)
        for vector in vectors:
            file.write(np.asarray(vector, "<f4").tobytes())
            written += 1
    if written != count:
        raise ValueError(f"{written} vectors were written, {count} were announced")


def read_embeddings(folder: Path) -> Vectors:
    """(vectors, dimension) float32, unit length, as the encoder gave them; mapped, so only what is used is read.

    Row i is the vector i of ``StoredPhoto``. Raises ArtifactError if there are none.
    """
    try:
        vectors = np.load(folder / EMBEDDINGS, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(f"{folder / EMBEDDINGS} cannot be read. Build the index again.") from error
    return np.asarray(vectors)


def blocks(vectors: Vectors) -> Iterator[Vectors]:
    """All rows in order, some thousands at a time."""
    return (vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK))


def spread(vectors: NDArray[_Kind], most: int) -> NDArray[_Kind]:
    """At most ``most`` rows, evenly spread over all: a sample that is the same each time."""
    if len(vectors) <= most:
        return np.asarray(vectors)
    return np.asarray(vectors[np.linspace(0, len(vectors) - 1, most).astype(np.intp)])
