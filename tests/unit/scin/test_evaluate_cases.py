"""The arrays of an index's cases, and folds: what belongs together is never on both sides, whatever the seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scin.evaluate.cases import (
    FITZPATRICK_RATED,
    FITZPATRICK_SELF,
    MONK,
    MONK_GROUP,
    SEEN,
    LabelledCases,
    case_folds,
    count_split,
    grouped_folds,
    labelled_cases,
    monk_tone,
)
from scin.evaluate.fit import held_out_neighbours, vote_shares
from scin.evaluate.metrics import TOP_1, per_case
from scin.index.manifest import Vote
from scin.index.vectors import TransformSpec
from tests.unit.scin.evaluation_data import cases_of, classes_of, embedded, names
from tests.unit.scin.index_folder import stored, unit


def vectors(n: int) -> np.ndarray:
    return embedded(np.arange(n) % 8, 0.5, 1)


def test_weights_sum_to_one_and_remarks_are_no_conditions() -> None:
    cases = labelled_cases([stored("1", [0], {"B": 0.33, "A": 0.34, "Remove from labeling tool": 0.33})], vectors(1))
    assert cases.conditions == ("A", "B")
    assert cases.weights.tolist() == [[pytest.approx(0.34 / 0.67), pytest.approx(0.33 / 0.67)]]


def test_a_case_that_names_no_condition_is_left_out() -> None:
    found = labelled_cases(
        [stored("1", [0], {"Remove from labeling tool": 1.0}), stored("2", [1], {"A": 1})], vectors(2)
    )
    assert found.ids == ("2",)


def test_of_equal_weights_all_lead_and_the_first_listed_is_the_top() -> None:
    cases = labelled_cases([stored("1", [0], {"C": 0.41, "A": 0.41, "B": 0.18})], vectors(1))
    assert cases.leading.tolist() == [[True, False, True]]
    assert cases.conditions[cases.top[0]] == "C"
    assert cases.first.tolist() == [[0.5, 0.0, 0.5]]


def test_cases_come_in_the_order_of_their_ids_with_their_own_photos() -> None:
    rows = vectors(5)
    cases = labelled_cases([stored("7", [3, 1], {"A": 1}), stored("-4", [4], {"B": 1})], rows)
    assert cases.ids == ("-4", "7")
    assert cases.photos_per_case.tolist() == [1, 2]
    assert (cases.vectors[cases.photos] == rows[[4, 3, 1]]).all()
    assert len(cases.vectors) == 3  # what no case uses is not held


def test_some_of_the_cases() -> None:
    cases = labelled_cases([stored(str(n), [2 * n, 2 * n + 1], {f"C{n}": 1}) for n in range(5)], vectors(10))
    some = cases.take(np.array([3, 1]))
    assert some.ids == ("3", "1")
    assert some.photos.tolist() == [6, 7, 2, 3]
    assert some.starts.tolist() == [0, 2]
    assert [some.conditions[top] for top in some.top] == ["C3", "C1"]


def test_a_random_part_of_many_cases_is_the_same_each_time() -> None:
    many = [stored(str(n), [n], {f"C{n}": 1}) for n in range(50)]
    drawn = labelled_cases(many, vectors(50), most=20, seed=3)
    assert len(drawn) == 20
    assert drawn.ids == labelled_cases(many, vectors(50), most=20, seed=3).ids
    assert drawn.ids != labelled_cases(many, vectors(50), most=20, seed=4).ids
    assert drawn.conditions == labelled_cases(many, vectors(50)).conditions


def test_tone_groups() -> None:
    case = replace(
        stored("1", [0], {"A": 1}),
        fitzpatrick_self="FST6",
        fitzpatrick_labels=("FST2", "FST3", "FST5"),
        monk_india=4,
        monk_us=5,
    )
    unknown = replace(
        stored("2", [1], {"A": 1}), fitzpatrick_self=None, fitzpatrick_labels=(), monk_india=None, monk_us=None
    )
    tones = labelled_cases([case, unknown], vectors(2)).tones
    assert {scale: names.tolist() for scale, names in tones.items()} == {
        FITZPATRICK_RATED: ["Fitzpatrick 3", ""],
        FITZPATRICK_SELF: ["Fitzpatrick 6", ""],
        MONK: ["Monk 5", ""],
        MONK_GROUP: ["Monk 5–7", ""],
    }


@pytest.mark.parametrize(
    ("ratings", "tone"), [((None, None), None), ((7, None), 7), ((3, 4), 4), ((2, 2), 2), ((1, 10), 6)]
)
def test_the_monk_tone_of_two_raters(ratings: tuple[int | None, int | None], tone: int | None) -> None:
    assert monk_tone(*ratings) == tone


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
    assert count_split(fold[owners], owners, twins.photos, twins.groups[owners]) == 0


def test_a_split_that_leaks_is_noticed(twins: LabelledCases) -> None:
    naive = np.random.default_rng(0).integers(0, 5, 400)  # by photo
    owners = np.repeat(np.arange(200), 2)
    assert count_split(naive, owners) > 100
    assert count_split(naive, twins.photos) > 50


def test_the_leak_would_look_like_knowledge(twins: LabelledCases) -> None:
    """Meaningless photos are at chance in our folds, far above it where copies are on both sides."""

    def accuracy(fold: np.ndarray) -> float:
        (found,) = held_out_neighbours(twins, fold, [TransformSpec()], 1)
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


def test_cases_of_one_patient_are_one_group() -> None:
    patients = [None, "P1", "P2", None, "P1"]
    found = labelled_cases(
        [replace(stored(str(n), [n], {"A": 1}), patient_id=patient) for n, patient in enumerate(patients)], vectors(5)
    )
    assert found.groups[1] == found.groups[4]
    assert len(set(found.groups.tolist())) == 4


def test_cases_that_the_encoder_has_seen_are_in_no_fold() -> None:
    cases = [replace(stored(str(n), [n], {"A": 1}), patient_id=f"P{n // 2}", seen=n in (0, 5)) for n in range(20)]
    fold = case_folds(labelled_cases(sorted(cases, key=lambda case: case.case_id), vectors(20)), 4, 1)
    by_id = dict(zip(sorted(str(n) for n in range(20)), fold.tolist(), strict=True))
    assert {case_id for case_id, number in by_id.items() if number == SEEN} == {"0", "1", "4", "5"}
    assert set(by_id.values()) == {SEEN, 0, 1, 2, 3}


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
