"""The search is exact: it returns what comparing with every photo by brute force returns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ml.values import SimilarCase
from scin.index.vote import Ballot, Neighbour, Votes
from tests.unit.scin.index_folder import brute_force, load, make_index, random_photos, stored, unit, write_folder


def views(number: int, seed: int = 99) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(number, 16)) + 0.5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 5, 11, 40])
def test_the_best_cases_are_those_of_brute_force(tmp_path: Path, seed: int, number: int, k: int) -> None:
    vectors, photos = random_photos(120, seed)
    found = make_index(tmp_path, vectors, photos).search(views(number), k).cases
    expected = brute_force(vectors, photos, views(number))[:k]
    assert [case.case_id for case in found] == [case_id for case_id, _ in expected]
    assert [case.similarity for case in found] == pytest.approx([similarity for _, similarity in expected], abs=1e-5)


def test_every_case_can_be_asked_for(tmp_path: Path) -> None:
    vectors, photos = random_photos(30, 5)
    found = make_index(tmp_path, vectors, photos).search(views(2), 1000).cases
    assert [case.case_id for case in found] == [case_id for case_id, _ in brute_force(vectors, photos, views(2))]


def test_a_case_scores_by_its_best_pair_of_views(tmp_path: Path) -> None:
    """One photo like the second view outweighs two that are somewhat like both."""
    axes = np.eye(16, dtype=np.float32)
    vectors = unit(np.stack([axes[0], -axes[1], axes[0] + axes[1], axes[0] + axes[1] + axes[2], axes[5], -axes[5]]))
    photos = {"one": (0, 1), "both": (2, 3), "other": (4, 5)}
    index = make_index(tmp_path, vectors, photos)
    found = {case.case_id: case.similarity for case in index.search(axes[[7, 0]], 3).cases}
    assert max(found, key=lambda case: found[case]) == "one"
    assert found == pytest.approx(dict(brute_force(vectors, photos, axes[[7, 0]])), abs=1e-5)


def test_a_cases_many_photos_do_not_push_others_out(tmp_path: Path) -> None:
    """The three nearest photos are one case's: five cases are asked for and five come."""
    rng = np.random.default_rng(3)
    query = unit(rng.normal(size=(1, 16)))
    near = unit(query + 0.01 * rng.normal(size=(3, 16)))
    vectors = np.concatenate([near, unit(rng.normal(size=(12, 16)))])
    photos = {"near": (0, 1, 2), **{f"far {n}": (3 + n,) for n in range(12)}}
    found = make_index(tmp_path, vectors, photos).search(query, 5).cases
    assert found[0].case_id == "near"
    assert len({case.case_id for case in found}) == 5


def test_cases_that_share_a_photo_are_both_found_in_the_order_of_their_ids(tmp_path: Path) -> None:
    vectors, _ = random_photos(10, 6)
    photos = {"9": (0,), "-3": (0,), "5": (0, 1), **{f"1{n}": (n,) for n in range(2, len(vectors))}}
    found = make_index(tmp_path, vectors, photos).search(vectors[:1], 3).cases
    assert [case.case_id for case in found] == ["-3", "5", "9"]
    assert [case.similarity for case in found] == pytest.approx([1, 1, 1], abs=1e-5)


def test_similarity_is_a_cosine_whatever_rounding_says(tmp_path: Path) -> None:
    vectors, photos = random_photos(60, 7)
    index = make_index(tmp_path, vectors, photos)
    for row in vectors:
        assert all(-1 <= case.similarity <= 1 for case in index.search(row[None], 60).cases)


def neighbour(case: SimilarCase) -> Neighbour:
    return Neighbour(Ballot.of(case.case_id, case.differential, case.dermatologists["agreement"]), case.similarity)  # type: ignore[arg-type]


def test_conditions_are_the_vote_of_the_nearest_however_few_are_shown(tmp_path: Path) -> None:
    vectors, photos = random_photos(80, 8)
    index = make_index(tmp_path, vectors, photos)
    eleven = index.search(views(1), 11).cases
    for k in (1, 11, 30):
        found = index.search(views(1), k)
        assert len(found.cases) == k
        assert found.conditions == Votes([neighbour(case) for case in eleven], index.manifest.vote).conditions()


def test_what_is_told_of_a_case(tmp_path: Path) -> None:
    vectors, _ = random_photos(10, 9)
    cases = [
        stored("-7", (0, 1), {"Eczema": 0.6, "Acne": 0.4}),
        *(stored(str(n), (n,)) for n in range(2, len(vectors))),
    ]
    write_folder(tmp_path, vectors, cases)
    (case,) = load(tmp_path).search(vectors[:1], 1).cases
    assert case.case_id == "-7"
    assert case.thumbnails == ("/api/cases/-7/0", "/api/cases/-7/1")
    assert list(case.differential.items()) == [("Eczema", 0.6), ("Acne", 0.4)]
    assert case.dermatologists == {"count": 1, "agreement": 1.0}
    assert case.fitzpatrick == {"self_reported": "FST2", "dermatologists": ["FST2", "FST3"]}
    assert case.monk == {"india": 3, "us": None}
    assert (case.body_parts, case.age_group, case.sex) == (("arm",), "AGE_18_TO_29", None)


def test_what_is_told_of_the_index(tmp_path: Path) -> None:
    vectors, photos = random_photos(12, 10)
    info = make_index(tmp_path, vectors, photos).info
    assert (info.name, info.cases, info.dimension, info.synthetic) == ("made", 12, 16, False)
    assert info.images == sum(len(rows) for rows in photos.values())
    assert "SCIN" in info.attribution["dataset"]
    assert info.built_at == "2023-11-14T22:13:20+00:00"


def test_thumbnails_by_case_and_place(tmp_path: Path) -> None:
    vectors, photos = random_photos(12, 11)
    index = make_index(tmp_path, vectors, photos)
    for case_id, rows in photos.items():
        assert [index.thumbnail(case_id, n) for n in range(len(rows))] == [b"%04d" % row for row in rows]
        assert index.thumbnail(case_id, len(rows)) is None
        assert index.thumbnail(case_id, -1) is None
    assert index.thumbnail("no such case", 0) is None


def test_threads_share_an_index(tmp_path: Path) -> None:
    vectors, photos = random_photos(100, 12)
    index = make_index(tmp_path, vectors, photos)
    queries = [views(1 + n % 3, seed=n) for n in range(40)]
    alone = [index.search(query, 5) for query in queries]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda query: index.search(query, 5), queries)) == alone
