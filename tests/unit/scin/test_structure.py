"""How vectors are arranged: by size, reproducibly, and with the recall that the manifest states."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from ml.values import Vectors
from scin.index import INDEX_FILE, write_index
from scin.manifest import Structure
from scin.structure import FLAT_MOST, TARGET_RECALL, choose_kind, parameters

WIDTH = 24


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
    index, flat = faiss.read_index(str(tmp_path / INDEX_FILE)), tmp_path / "flat"
    flat.mkdir()
    write_index(flat, vectors)
    queries = clustered(200, seed=0) + np.float32(0.01)
    found = index.search(queries, 10, params=parameters(structure))[1]
    exact = faiss.read_index(str(flat / INDEX_FILE)).search(queries, 10)[1]
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
    index = faiss.read_index(str(tmp_path / INDEX_FILE))
    found = index.search(vectors, 1, params=parameters(structure))[1][:, 0]
    assert found.tolist() == list(range(count)) or count == 1


def test_a_flat_index_is_exact() -> None:
    assert Structure() == Structure("flat", None, 1.0, None)
    assert parameters(Structure()) is None
