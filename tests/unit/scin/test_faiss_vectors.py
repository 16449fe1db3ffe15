"""How vectors are arranged: by size, reproducibly, and with the recall that the manifest states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.values import Vectors
from scin.index.faiss_vectors import TARGET_RECALL, FaissIndex, read, search_parameters
from scin.index.manifest import Structure
from scin.index.vectors import FLAT_MOST, choose_kind, write_index
from tests.unit.scin.index_folder import INDEX_FILE

WIDTH = 24


def load(folder: Path, structure: Structure) -> FaissIndex:
    return read(folder / INDEX_FILE, structure, mmap=True)


def clustered(count: int, seed: int = 0) -> Vectors:
    """Unit vectors around fifty centres."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((50, WIDTH))
    vectors = centres[rng.integers(0, 50, count)] + 0.4 * rng.standard_normal((count, WIDTH))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize(
    ("asked", "vectors", "kind"),
    [("auto", FLAT_MOST, "flat"), ("auto", FLAT_MOST + 1, "ivf"), ("hnsw", 10, "hnsw"), ("flat", 10**7, "flat")],
)
def test_the_kind_goes_by_size_unless_it_is_named(asked: str, vectors: int, kind: str) -> None:
    assert choose_kind(asked, vectors) == kind


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_the_stated_recall_is_what_other_queries_find(tmp_path: Path, kind: str) -> None:
    vectors = clustered(4_000)
    structure = write_index(tmp_path, vectors, kind=kind)
    assert structure.recall_at_10 >= TARGET_RECALL
    flat = tmp_path / "flat"
    flat.mkdir()
    exact_index = load(flat, write_index(flat, vectors))
    queries = clustered(200, seed=0) + np.float32(0.01)
    found = load(tmp_path, structure).nearest(queries, 10)[1]
    exact = exact_index.nearest(queries, 10)[1]
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), exact.tolist(), strict=True)])
    assert recall == pytest.approx(structure.recall_at_10, abs=0.03)


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf"])
def test_the_same_vectors_are_the_same_bytes(tmp_path: Path, kind: str) -> None:
    vectors = clustered(500)
    for out in ("one", "two"):
        (tmp_path / out).mkdir()
        write_index(tmp_path / out, vectors, kind=kind)
    assert (tmp_path / "one" / INDEX_FILE).read_bytes() == (tmp_path / "two" / INDEX_FILE).read_bytes()


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf"])
@pytest.mark.parametrize("count", [1, 2, 5, 12, 60])
def test_few_vectors(tmp_path: Path, kind: str, count: int) -> None:
    vectors = clustered(count)
    structure = write_index(tmp_path, vectors, kind=kind)
    assert structure.recall_at_10 == pytest.approx(1.0, abs=0.05)
    found = load(tmp_path, structure).nearest(vectors, 1)[1][:, 0]
    assert found.tolist() == list(range(count)) or count == 1


def test_a_flat_index_is_exact() -> None:
    assert Structure() == Structure("flat", {}, 1.0, None)
    assert search_parameters("flat", {}) is None
