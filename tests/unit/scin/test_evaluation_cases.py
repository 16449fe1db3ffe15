"""The arrays that are made of an index's cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scin.evaluation.cases import labelled_cases
from scin.evaluation.tones import FITZPATRICK_RATED, FITZPATRICK_SELF, MONK, MONK_GROUP, OWN_GROUP, monk_tone
from tests.unit.scin.evaluation_data import embedded
from tests.unit.scin.index_folder import stored


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
    many = [stored(str(n), [n], {"A": 1}) for n in range(50)]
    drawn = labelled_cases(many, vectors(50), most=20, seed=3)
    assert len(drawn) == 20
    assert drawn.ids == labelled_cases(many, vectors(50), most=20, seed=3).ids
    assert drawn.ids != labelled_cases(many, vectors(50), most=20, seed=4).ids


def test_tone_groups() -> None:
    case = replace(
        stored("1", [0], {"A": 1}),
        fitzpatrick_self="FST6",
        fitzpatrick_labels=("FST2", "FST3", "FST5"),
        monk_india=4,
        monk_us=5,
        monk_estimate=8,
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
        OWN_GROUP: ["Monk 8–10", ""],
    }


@pytest.mark.parametrize(
    ("ratings", "tone"), [((None, None), None), ((7, None), 7), ((3, 4), 4), ((2, 2), 2), ((1, 10), 6)]
)
def test_the_monk_tone_of_two_raters(ratings: tuple[int | None, int | None], tone: int | None) -> None:
    assert monk_tone(*ratings) == tone
