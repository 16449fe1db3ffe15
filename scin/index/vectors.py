"""The vectors of an index: the stored embeddings, their transform, and the engines that search them.

An engine is one file of this package, ``<name>_vectors.py``, that defines the names of ``IndexEngine``. No other file
refers to it. It writes the file ``index.<name>``. FAISS is the default engine and has three kinds of index. Every other
engine has one kind, with the engine's name.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeVar, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

import scin.index
from ml.errors import ArtifactError
from ml.values import Vector, Vectors
from scin.index.manifest import Structure

EMBEDDINGS = "embeddings.npy"
METRIC = "inner product"
_FAISS_KINDS = ("flat", "hnsw", "ivf")
#: Up to this number of vectors, an exact search takes only a few milliseconds on one core.
FLAT_MOST = 50_000

_NORMALISE = "l2-normalise"
#: Components with less than this share of the largest variance are rounding noise. Whitening would amplify them.
_LEAST_VARIANCE = 1e-6
#: Vectors per dimension that are needed for a reliable PCA. By the law of Marchenko and Pastur, the variances of pure
#: noise then range from (1 − √0.1)² = 0.47 to (1 + √0.1)² = 1.73. To the power −¼, this is a factor of 0.87 to 1.21.
WHITEN_FROM = 10
#: most vectors to fit a transform to
_FITTED_MOST = 32_768
#: rows in memory at once
_BLOCK = 16_384

_Kind = TypeVar("_Kind", bound=np.generic)


class VectorIndex(Protocol):
    """A loaded index of unit vectors. Thread-safe."""

    @property
    def dimension(self) -> int:
        """Of the embeddings, before the transform."""
        ...

    @property
    def count(self) -> int:
        """The number of stored vectors."""
        ...

    def nearest(self, queries: Vectors, most: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(cosines, rows), both (n, most), of the stored vectors nearest to each query (n, dimension), nearest first.
        A row of −1 means that there are no more vectors."""
        ...

    def transform(self, vectors: Vectors) -> Vectors:
        """Transform embeddings (n, dimension) into the vectors (n, components) that the index compares."""
        ...


class IndexEngine(Protocol):
    """The names that the file of an engine defines."""

    VERSION: str

    def write(self, path: Path, vectors: Vectors, transform: Transform, kind: str) -> Structure:
        """Write an index of ``vectors`` (n, dimension) to ``path``; row i gets id i. ``transform`` applies to them and
        to every query. They may be mapped from a file larger than memory. The same vectors give the same bytes."""
        ...

    def read(self, path: Path, structure: Structure, *, mmap: bool) -> VectorIndex:
        """Load an index. With ``mmap``, all processes of a machine share its memory. Raises RuntimeError, OSError or
        ValueError if the file is not a valid index."""
        ...


def kinds() -> tuple[str, ...]:
    """The kinds of index that can be built. Imports no engine."""
    names = (module.name for module in pkgutil.iter_modules(scin.index.__path__))
    engines = (name.removesuffix("_vectors") for name in names if name.endswith("_vectors"))
    return (*_FAISS_KINDS, *sorted(set(engines) - {"faiss"}))


def engine_of(kind: str) -> IndexEngine:
    """Import the engine of a kind of index. Raises ArtifactError if there is none."""
    if kind not in kinds():
        raise ArtifactError(f"No engine makes an index of kind {kind}. Choose one of: {', '.join(kinds())}.")
    return cast(IndexEngine, import_module(f"scin.index.{_engine_name(kind)}_vectors"))


def index_file(kind: str) -> str:
    """The name of the file that holds an index of this kind."""
    return f"index.{_engine_name(kind)}"


def _engine_name(kind: str) -> str:
    return "faiss" if kind in _FAISS_KINDS else kind


def choose_kind(kind: str, vectors: int) -> str:
    """``kind``, or for "auto": "flat" up to FLAT_MOST vectors, "ivf" above."""
    if kind != "auto":
        return kind
    return "flat" if vectors <= FLAT_MOST else "ivf"


def write_index(folder: Path, vectors: Vectors, transform: Transform | None = None, kind: str = "flat") -> Structure:
    """Write an index of ``vectors`` (n, dimension) for cosine similarity; row i gets id i.

    ``kind`` is one of ``kinds()`` or "auto". A ``transform`` of None centres the vectors on their mean. Returns the
    structure for the manifest.
    """
    kind = choose_kind(kind, len(vectors))
    fitted = transform or fit_transforms([TransformSpec()], vectors)[0]
    return engine_of(kind).write(folder / index_file(kind), vectors, fitted, kind)


@dataclass(frozen=True)
class TransformSpec:
    """Parameters of a transform. ``components`` None means centring alone. Otherwise: PCA to at most ``components``
    dimensions, each multiplied by variance^``power``. A power of 0 only rotates, −0.5 whitens, −0.25 is in between."""

    components: int | None = None
    power: float = 0.0

    @property
    def name(self) -> str:
        return "centre" if self.components is None else f"pca({self.components}, {self.power:g})"


@dataclass(frozen=True)
class Transform:
    """The transform of embeddings before comparison: (x − mean) @ matrix, then division by the norm.

    ``matrix`` is (dimension, components), or None for centring alone.
    """

    spec: TransformSpec
    mean: Vector
    matrix: NDArray[np.float32] | None

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the steps, for the manifest."""
        return (self.spec.name, _NORMALISE)

    @property
    def width(self) -> int:
        """Number of components after the transform."""
        return len(self.mean) if self.matrix is None else self.matrix.shape[1]

    def apply(self, vectors: Vectors) -> Vectors:
        """(n, dimension) → (n, components), each row of unit length. A row that equals the mean becomes zero."""
        centred = np.asarray(vectors, np.float32) - self.mean
        transformed = centred if self.matrix is None else centred @ self.matrix
        norms = np.linalg.norm(transformed, axis=1, keepdims=True)
        return np.asarray(transformed / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)


def fit_transforms(specs: Sequence[TransformSpec], vectors: Vectors) -> list[Transform]:
    """Fit each spec to ``vectors`` (n, dimension).

    PCA by eigenvectors of the covariance, in double precision, computed once for all specs. Components without variance
    are removed, so there may be fewer than requested.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    fitted = []
    variances, axes = _components(vectors, mean) if any(spec.components for spec in specs) else (None, None)
    for spec in specs:
        matrix = None
        if spec.components is not None and variances is not None and axes is not None:
            kept = min(spec.components, int((variances > _LEAST_VARIANCE * variances[0]).sum()))
            matrix = np.asarray(axes[:, :kept] * variances[:kept] ** spec.power, np.float32)
        fitted.append(Transform(spec, np.asarray(mean, np.float32), matrix))
    return fitted


def default_spec(vectors: int, dimension: int) -> TransformSpec:
    """The default transform: PCA to half the dimensions with power −0.25; centring alone if there are few vectors."""
    if vectors < WHITEN_FROM * dimension:
        return TransformSpec()
    return TransformSpec(components=max(1, dimension // 2), power=-0.25)


def fit_default(vectors: Vectors) -> Transform:
    """The default transform, fitted to an evenly spaced sample of ``vectors`` (n, dimension)."""
    return fit_transforms([default_spec(*vectors.shape)], spread(vectors, _FITTED_MOST))[0]


def _components(vectors: Vectors, mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(variances, axes as columns), largest variance first."""
    centred = vectors - mean
    variances, axes = np.linalg.eigh(centred.T @ centred / max(1, len(vectors) - 1))
    return variances[::-1], axes[:, ::-1]


def write_embeddings(folder: Path, vectors: Iterable[Vector], count: int, dimension: int) -> None:
    """Write ``count`` vectors while iterating over them. Raises ValueError if there are more or fewer."""
    written = npy.open_memmap(folder / EMBEDDINGS, "w+", np.float32, (count, dimension))
    for row, vector in zip(range(count), vectors, strict=True):
        written[row] = vector
    written.flush()


def read_embeddings(folder: Path) -> Vectors:
    """(vectors, dimension) float32 unit vectors from the encoder. The file is memory-mapped.

    Row i belongs to the photos with ``StoredPhoto.vector`` i. Raises ArtifactError if the file cannot be read.
    """
    try:
        vectors = np.load(folder / EMBEDDINGS, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(f"{folder / EMBEDDINGS} cannot be read. Build the index again.") from error
    return np.asarray(vectors)


def blocks(vectors: Vectors) -> Iterator[Vectors]:
    """All rows in order, in blocks of some thousands."""
    return (vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK))


def spread(vectors: NDArray[_Kind], most: int) -> NDArray[_Kind]:
    """At most ``most`` rows, evenly spaced. The same rows are chosen each time."""
    if len(vectors) <= most:
        return np.asarray(vectors)
    return np.asarray(vectors[np.linspace(0, len(vectors) - 1, most).astype(np.intp)])
