"""Transforms: what they do to vectors, and that an index does the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scin.index
from ml.errors import ArtifactError
from scin.index.vectors import Transform, TransformSpec, engine_of, fit_transforms, kinds, write_index
from tests.unit.scin.index_folder import INDEX_FILE, load, random_photos, stored, unit, write_folder


def correlated(n: int, dimension: int, seed: int) -> np.ndarray:
    """Unit vectors with very unequal variances around a common direction."""
    rng = np.random.default_rng(seed)
    scales = np.geomspace(1, 0.05, dimension)
    return unit(rng.normal(size=(n, dimension)) * scales @ rng.normal(size=(dimension, dimension)) + 2)


def fitted(spec: TransformSpec, vectors: np.ndarray) -> Transform:
    return fit_transforms([spec], vectors)[0]


def test_centring_subtracts_the_mean_and_divides_by_the_norm() -> None:
    vectors = correlated(200, 8, 1)
    expected = unit(vectors - vectors.mean(axis=0, dtype=np.float64))
    assert fitted(TransformSpec(), vectors).apply(vectors) == pytest.approx(expected, abs=1e-5)


def test_turning_alone_changes_no_cosine() -> None:
    vectors = correlated(100, 8, 2)
    centred = fitted(TransformSpec(), vectors).apply(vectors)
    turned = fitted(TransformSpec(8, 0.0), vectors).apply(vectors)
    assert turned @ turned.T == pytest.approx(centred @ centred.T, abs=1e-4)


@pytest.mark.parametrize(("power", "exponent"), [(0.0, 1.0), (-0.25, 0.5), (-0.5, 0.0)])
def test_the_power_says_what_is_left_of_the_variances(power: float, exponent: float) -> None:
    vectors = correlated(2000, 6, 3)
    transform = fitted(TransformSpec(6, power), vectors)
    assert transform.matrix is not None
    moved = (vectors - transform.mean).astype(np.float64) @ transform.matrix
    variances = np.sort(np.linalg.eigvalsh(np.cov(vectors.T)))[::-1]
    assert np.cov(moved.T) == pytest.approx(np.diag(variances**exponent), abs=1e-4)


def test_components_without_variance_are_left_out() -> None:
    flat = correlated(50, 4, 4)
    padded = np.concatenate([flat, np.zeros((50, 3), np.float32)], axis=1)
    transform = fitted(TransformSpec(7, -0.5), padded)
    assert transform.matrix is not None
    assert transform.matrix.shape == (7, 4)


def test_a_vector_that_is_the_mean_stays_finite() -> None:
    vectors = np.array([[1, 0], [-1, 0]], np.float32)
    assert (fitted(TransformSpec(), vectors).apply(np.zeros((1, 2), np.float32)) == 0).all()


def test_names_are_what_the_manifest_says() -> None:
    vectors = correlated(40, 8, 5)
    assert fitted(TransformSpec(), vectors).steps == ("centre", "l2-normalise")
    assert fitted(TransformSpec(4, -0.25), vectors).steps == ("pca(4, -0.25)", "l2-normalise")


@pytest.mark.parametrize("spec", [TransformSpec(), TransformSpec(8, -0.5), TransformSpec(3, -0.25)])
def test_an_index_compares_what_the_transform_gives(tmp_path: Path, spec: TransformSpec) -> None:
    vectors, queries = correlated(120, 8, 6), correlated(5, 8, 7)
    transform = fitted(spec, vectors)
    structure = write_index(tmp_path, vectors, transform)
    index = engine_of(structure.kind).read(tmp_path / INDEX_FILE, structure, mmap=False)
    cosines, rows = index.nearest(queries, 120)
    expected = transform.apply(queries) @ transform.apply(vectors).T
    assert cosines == pytest.approx(np.take_along_axis(expected, rows, axis=1), abs=1e-5)
    assert index.transform(queries) == pytest.approx(transform.apply(queries), abs=1e-5)


@pytest.fixture
def engine_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more file in the package of the engines."""
    folder = Path(__file__).with_name("engines")
    monkeypatch.setattr(scin.index, "__path__", [*scin.index.__path__, str(folder)])


@pytest.mark.usefixtures("engine_file")
def test_an_engine_is_added_by_its_file_alone(tmp_path: Path) -> None:
    assert kinds() == ("flat", "hnsw", "ivf", "numpy")
    vectors, photos = random_photos(60, 1)
    cases = [stored(case, rows) for case, rows in photos.items()]
    for kind in ("flat", "numpy"):
        write_folder(tmp_path / kind, vectors, cases, kind)
    assert (tmp_path / "numpy" / "index.numpy").is_file()
    flat, added = (load(tmp_path / kind).search(vectors[:2], 5) for kind in ("flat", "numpy"))
    assert [case.case_id for case in added.cases] == [case.case_id for case in flat.cases]
    assert [case.similarity for case in added.cases] == pytest.approx(
        [case.similarity for case in flat.cases], abs=1e-5
    )
    assert [one.name for one in added.conditions] == [one.name for one in flat.conditions]


def test_kinds_of_index_are_found_by_name() -> None:
    assert {"flat", "hnsw", "ivf"} <= set(kinds())
    with pytest.raises(ArtifactError, match="Choose one of: flat, hnsw, ivf"):
        engine_of("unheard")
