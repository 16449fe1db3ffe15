"""The plan of a synthetic dataset: balance, seeds and views."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scin.synthetic import CONDITIONS, plan_cases

PLAN = plan_cases(100, seed=3)
SHOTS = {"CLOSE_UP", "AT_AN_ANGLE", "AT_DISTANCE"}


def test_one_hundred_cases_hold_every_tone_with_every_condition() -> None:
    pairs = {(case.monk, case.condition) for case in PLAN}
    assert pairs == {(monk, condition.name) for monk in range(1, 11) for condition in CONDITIONS}


@settings(max_examples=15, deadline=None)
@given(cases=st.integers(1, 260), seed=st.integers(0, 2**63))
def test_tones_and_conditions_are_balanced_whatever_the_number(cases: int, seed: int) -> None:
    plan = plan_cases(cases, seed)
    for counts in (Counter(case.monk for case in plan), Counter(case.condition for case in plan)):
        present = [counts.get(key, 0) for key in counts] + [0] * (10 - len(counts))
        assert max(present) - min(present) <= 1
    pairs = Counter((case.monk, case.condition) for case in plan)
    assert max(pairs.values()) <= -(-cases // 100)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert plan_cases(100, seed=3) == PLAN
    assert plan_cases(100, seed=4) != PLAN


def test_a_longer_plan_begins_with_the_shorter_one() -> None:
    assert plan_cases(37, seed=3) == PLAN[:37]


def test_ids_are_unique_signed_64_bit_numbers() -> None:
    ids = [case.case_id for case in PLAN] + [view.image_id for case in PLAN for view in case.views]
    assert len(set(ids)) == len(ids)
    assert all(-(2**63) <= int(name) < 2**63 and str(int(name)) == name for name in ids)


def test_one_case_in_twenty_has_no_label_and_each_tone_takes_its_turn() -> None:
    without = [case for case in plan_cases(200, seed=3) if case.quality != "sufficient"]
    assert sorted(case.monk for case in without) == list(range(1, 11))
    assert Counter(case.quality for case in without) == {"insufficient": 8, "unlabelled": 2}


def test_views_are_one_to_three_different_shots() -> None:
    counts = Counter(len(case.views) for case in PLAN)
    assert set(counts) == {1, 2, 3}
    for case in PLAN:
        shots = [view.shot_type for view in case.views]
        assert len(set(shots)) == len(shots)
        assert set(shots) <= SHOTS


@pytest.mark.parametrize(("cases", "seed"), [(0, 1), (-5, 1), (10, -1)])
def test_impossible_plans_are_refused(cases: int, seed: int) -> None:
    with pytest.raises(ValueError, match=r"must (be at least 1|not be negative)"):
        plan_cases(cases, seed)
