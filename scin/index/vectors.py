"""The vectors of an index: the encoder's own beside it, their transform, and the engines that search them.

An engine is one file of this package, ``<name>_vectors.py``, with what ``IndexEngine`` lists; nothing else names it.
It writes ``index.<name>``. FAISS is the default and offers three kinds of index; any other engine is a kind of its own,
with the engine's name.
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
#: up to here comparing with every vector takes a few milliseconds on one core, and nothing is missed
FLAT_MOST = 50_000

_NORMALISE = "l2-normalise"
#: components with less than this share of the largest variance are rounding, not signal: scaled up, they would drown it
_LEAST_VARIANCE = 1e-6
#: vectors a dimension from which components are trusted. By the law of Marchenko and Pastur the variances of pure noise
#: then spread from (1 − √0.1)² = 0.47 to (1 + √0.1)² = 1.73: to the power −¼ that is a factor of 0.87 to 1.21
WHITEN_FROM = 10
#: vectors that a transform is fitted to
_FITTED_MOST = 32_768
#: rows that are in memory at once
_BLOCK = 16_384

_Kind = TypeVar("_Kind", bound=np.generic)


class VectorIndex(Protocol):
    """A loaded index of unit vectors. Several threads may search it at once."""

    @property
    def dimension(self) -> int:
        """Of the embeddings, before the transform."""
        ...

    @property
    def count(self) -> int:
        """The number of stored vectors."""
        ...

    def nearest(self, queries: Vectors, most: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(cosines, rows), both (n, most): of the vectors most similar to each query (n, dimension), the best first.
        A row of −1 stands for a vector that was not found."""
        ...

    def transform(self, vectors: Vectors) -> Vectors:
        """(n, dimension) as the encoder gives them → (n, components) as the index compares them."""
        ...


class IndexEngine(Protocol):
    """What the file of an engine defines."""

    VERSION: str

    def write(self, path: Path, vectors: Vectors, transform: Transform, kind: str) -> Structure:
        """Write an index of ``vectors`` (n, dimension) to ``path``; row i gets id i. ``transform`` is applied to them
        and to every query. They may be mapped from a file larger than memory. The same vectors give the same bytes."""
        ...

    def read(self, path: Path, structure: Structure, *, mmap: bool) -> VectorIndex:
        """With ``mmap`` the processes of a machine share the file's pages. Raises RuntimeError, OSError or ValueError
        if the file is not such an index."""
        ...


def kinds() -> tuple[str, ...]:
    """The kinds of index that can be built; imports no engine."""
    names = (module.name for module in pkgutil.iter_modules(scin.index.__path__))
    engines = (name.removesuffix("_vectors") for name in names if name.endswith("_vectors"))
    return (*_FAISS_KINDS, *sorted(set(engines) - {"faiss"}))


def engine_of(kind: str) -> IndexEngine:
    """Raises ArtifactError if there is no such engine."""
    if kind not in kinds():
        raise ArtifactError(f"No engine makes an index of kind {kind}. Choose one of: {', '.join(kinds())}.")
    return cast(IndexEngine, import_module(f"scin.index.{_engine_name(kind)}_vectors"))


def index_file(kind: str) -> str:
    """The name of the file that holds an index of this kind."""
    return f"index.{_engine_name(kind)}"


def _engine_name(kind: str) -> str:
    return "faiss" if kind in _FAISS_KINDS else kind


def choose_kind(kind: str, vectors: int) -> str:
    """``kind`` itself, or for "auto" what suits this number of vectors: flat up to FLAT_MOST, then ivf."""
    if kind != "auto":
        return kind
    return "flat" if vectors <= FLAT_MOST else "ivf"


def write_index(folder: Path, vectors: Vectors, transform: Transform | None = None, kind: str = "flat") -> Structure:
    """Write an index of ``vectors`` (n, dimension), of one of ``kinds`` or "auto", by cosine; row i gets id i.

    ``transform`` None centres them on their mean. Returns the structure for the manifest.
    """
    kind = choose_kind(kind, len(vectors))
    fitted = transform or fit_transforms([TransformSpec()], vectors)[0]
    return engine_of(kind).write(folder / index_file(kind), vectors, fitted, kind)


@dataclass(frozen=True)
class TransformSpec:
    """Which transform: centring alone (``components`` None), or PCA to at most ``components`` dimensions, each
    multiplied by its variance to the ``power``: 0 only rotates, −0.5 whitens, −0.25 goes half the way."""

    components: int | None = None
    power: float = 0.0

    @property
    def name(self) -> str:
        return "centre" if self.components is None else f"pca({self.components}, {self.power:g})"


@dataclass(frozen=True)
class Transform:
    """What is done to embeddings before they are compared: (x − mean) @ matrix, then division by the norm.

    ``matrix`` (dimension, components) None leaves x − mean as it is.
    """

    spec: TransformSpec
    mean: Vector
    matrix: NDArray[np.float32] | None

    @property
    def steps(self) -> tuple[str, ...]:
        """As the manifest names them."""
        return (self.spec.name, _NORMALISE)

    @property
    def width(self) -> int:
        """The number of components that are compared."""
        return len(self.mean) if self.matrix is None else self.matrix.shape[1]

    def apply(self, vectors: Vectors) -> Vectors:
        """(n, dimension) → (n, components), each row of unit length; a row that equals the mean stays zero."""
        centred = np.asarray(vectors, np.float32) - self.mean
        transformed = centred if self.matrix is None else centred @ self.matrix
        norms = np.linalg.norm(transformed, axis=1, keepdims=True)
        return np.asarray(transformed / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)


def fit_transforms(specs: Sequence[TransformSpec], vectors: Vectors) -> list[Transform]:
    """Fit each spec to ``vectors`` (n, dimension). The components are found once, in double precision.

    PCA by eigenvectors of the covariance. Components without variance are left out, so fewer may remain than asked.
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
    """Half the components, each divided by the root of its deviation, where there are enough vectors to know them."""
    if vectors < WHITEN_FROM * dimension:
        return TransformSpec()
    return TransformSpec(components=max(1, dimension // 2), power=-0.25)


def fit_default(vectors: Vectors) -> Transform:
    """The transform of a new index, fitted to an even part of its ``vectors`` (n, dimension)."""
    return fit_transforms([default_spec(*vectors.shape)], spread(vectors, _FITTED_MOST))[0]


def _components(vectors: Vectors, mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(variances, axes as columns), the largest variance first."""
    centred = vectors - mean
    variances, axes = np.linalg.eigh(centred.T @ centred / max(1, len(vectors) - 1))
    return variances[::-1], axes[:, ::-1]


def write_embeddings(folder: Path, vectors: Iterable[Vector], count: int, dimension: int) -> None:
    """Write ``count`` vectors as they come, holding none of them. Raises ValueError if there are more or fewer."""
    written = npy.open_memmap(folder / EMBEDDINGS, "w+", np.float32, (count, dimension))
    for row, vector in zip(range(count), vectors, strict=True):
        written[row] = vector
    written.flush()


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
