"""Folds: what belongs together is never on both sides, whatever the seed, and a split that leaks is noticed."""

from __future__ import annotations

import numpy as np
import pytest

from scin.evaluation.cases import LabelledCases
from scin.evaluation.folds import case_folds, grouped_folds, straddling
from scin.evaluation.metrics import TOP_1, per_case
from scin.evaluation.neighbours import nearest
from scin.evaluation.voting import vote_shares
from scin.index.manifest import Vote
from tests.unit.scin.evaluation_data import cases_of, classes_of, embedded, names
from tests.unit.scin.index_folder import unit


def random_unit(rows: int, seed: int, dimension: int = 64) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(rows, dimension)))


@pytest.fixture
def twins() -> LabelledCases:
    """200 cases of meaningless photos; case i and case i + 100 hold the same photo, and the same label."""
    classes = np.tile(classes_of(100, 10, 1), 2)
    photos = [[row % 100, 100 + row] for row in range(200)]
    return cases_of(names(classes), random_unit(300, 2), photos)


@pytest.mark.parametrize("seed", range(5))
def test_cases_that_share_a_photo_are_in_one_fold(twins: LabelledCases, seed: int) -> None:
    fold = case_folds(twins, 5, seed)
    assert (fold[:100] == fold[100:]).all()
    assert set(fold) == set(range(5))
    owners = np.repeat(np.arange(200), 2)
    assert straddling(fold[owners], owners, twins.photos, twins.groups[owners]) == 0


def test_a_split_that_leaks_is_noticed(twins: LabelledCases) -> None:
    naive = np.random.default_rng(0).integers(0, 5, 400)  # by photo
    owners = np.repeat(np.arange(200), 2)
    assert straddling(naive, owners) > 100
    assert straddling(naive, twins.photos) > 50


def test_the_leak_would_look_like_knowledge(twins: LabelledCases) -> None:
    """Meaningless photos are at chance in our folds, far above it where copies are on both sides."""

    def accuracy(fold: np.ndarray) -> float:
        found = nearest(twins, twins.vectors, twins, twins.vectors, depth=1, apart=(fold, fold))
        return float(per_case(vote_shares(found, twins, Vote(1, 0.1)), twins)[TOP_1].mean())

    assert accuracy(case_folds(twins, 5, 3)) < 0.2
    assert accuracy(np.arange(200)) > 0.95  # each case sees all but itself: its twin too


def test_a_photo_saved_anew_is_the_same_photo() -> None:
    vectors = random_unit(40, 4)
    again = unit(vectors[:1] + 1e-4 * random_unit(1, 5))
    cases = cases_of(names(classes_of(41, 2, 5)), np.concatenate([vectors, again]))
    assert cases.groups[0] == cases.groups[40]
    assert len(set(cases.groups.tolist())) == 40


def test_a_chain_of_shared_photos_is_one_group() -> None:
    photos = [[0, 1], [1, 2], [2, 3], [4], [5]]
    cases = cases_of(names(np.zeros(5, int)), random_unit(6, 6), photos)
    assert len({int(group) for group in cases.groups[:3]}) == 1
    assert len(set(cases.groups.tolist())) == 3


def test_the_same_seed_gives_the_same_folds(twins: LabelledCases) -> None:
    assert (case_folds(twins, 5, 7) == case_folds(twins, 5, 7)).all()
    assert (case_folds(twins, 5, 7) != case_folds(twins, 5, 8)).any()


def test_conditions_are_spread_over_the_folds() -> None:
    classes = np.repeat([0, 1, 2, 3], [200, 100, 50, 3])  # the last has fewer cases than folds
    cases = cases_of(names(classes), embedded(classes, 1.0, 7))
    fold = case_folds(cases, 5, 1)
    for condition, count in ((0, 40), (1, 20), (2, 10)):
        assert (np.abs(np.bincount(fold[classes == condition], minlength=5) - count) <= 1).all()


def test_conditions_of_one_case_each_can_be_split() -> None:
    fold = grouped_folds(np.arange(20), np.arange(20), 5, 0)
    assert (np.bincount(fold) == 4).all()


def test_fewer_groups_than_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="2 groups cannot make 5 folds"):
        grouped_folds(np.zeros(10, int), np.arange(10) % 2, 5, 0)
