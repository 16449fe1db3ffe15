"""From photos that were found to the cases that they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scin.index.cases import CaseTable, write_cases
from scin.index.search import Owners
from tests.unit.scin.index_folder import stored


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    """Vector 1 is in three cases, vector 5 in none."""
    photos = {"7": (0, 1), "-2": (1,), "30": (1, 2, 3), "4": (4,)}
    write_cases(tmp_path, [stored(case_id, rows) for case_id, rows in photos.items()])
    return Owners(CaseTable(tmp_path), vectors=6)


def nearest(owners: Owners, similarities: list[list[float]], vectors: list[list[int]], most: int = 9) -> list[object]:
    return owners.nearest(np.array(similarities, np.float32), np.array(vectors, np.int64), most)  # type: ignore[return-value]


def test_a_case_comes_once_by_its_nearest_photo(owners: Owners) -> None:
    assert owners.photos_per_case == 3
    assert nearest(owners, [[0.75, 0.5, 0.25]], [[3, 4, 2]]) == [(2, 0.75), (3, 0.5)]


def test_of_several_views_the_best_counts(owners: Owners) -> None:
    assert nearest(owners, [[0.5, 0.25], [0.75, 0.125]], [[4, 0], [0, 4]]) == [(0, 0.75), (3, 0.5)]


def test_cases_that_share_a_photo_come_by_their_ids(owners: Owners) -> None:
    assert nearest(owners, [[0.5, 0.25]], [[1, 0]]) == [(1, 0.5), (2, 0.5), (0, 0.5)]
    assert nearest(owners, [[0.5, 0.25]], [[1, 0]], most=2) == [(1, 0.5), (2, 0.5)]


def test_what_an_approximate_index_did_not_find_is_no_vector(owners: Owners) -> None:
    nothing = -3.4e38
    assert nearest(owners, [[0.5, nothing, nothing]], [[4, -1, -1]]) == [(3, 0.5)]
    assert nearest(owners, [[nothing, 0.5]], [[-1, 5]]) == []


def test_similarities_are_cosines(owners: Owners) -> None:
    assert nearest(owners, [[1.5, -1.5]], [[4, 0]]) == [(3, 1.0), (0, -1.0)]
