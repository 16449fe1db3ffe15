"""Protocols with a planted truth: a perfect embedding gives 1, a meaningless one chance, a spoilt one what was left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scin.evaluate.cases import MONK_GROUP, SEEN, LabelledCases, case_folds
from scin.evaluate.fit import COVERAGES
from scin.evaluate.leaderboard import (
    CALIBRATED,
    HEAD,
    PRIOR,
    PROTOCOLS,
    SERVED,
    VOTE,
    HeldOut,
    answer_held_out,
    image_split,
    reliability,
)
from scin.evaluate.metrics import NDCG, TOP_1, TOP_3, TOP_5, Bootstrap, per_case
from tests.unit.scin.evaluation_data import cases_of, classes_of, embedded, names
from tests.unit.scin.index_folder import unit

CLASSES = 5


def answered(cases: LabelledCases, seed: int = 1) -> HeldOut:
    return answer_held_out(cases, case_folds(cases, 5, seed), seed)


def score(found: HeldOut, cases: LabelledCases, protocol: str, metric: str = TOP_1) -> float:
    return float(per_case(found.probabilities[protocol], cases)[metric].mean())


def test_a_perfect_embedding_is_always_right() -> None:
    classes = classes_of(150, CLASSES, 1)
    cases = cases_of(names(classes), embedded(classes, 0.02, 2))
    found = answered(cases)
    for protocol in (VOTE, HEAD, SERVED):
        for metric in (TOP_1, TOP_3, TOP_5, NDCG):
            assert score(found, cases, protocol, metric) == pytest.approx(1.0), (protocol, metric)


@pytest.mark.parametrize("protocol", [VOTE, HEAD, SERVED])
def test_a_meaningless_embedding_is_at_chance(protocol: str) -> None:
    cases = cases_of(names(classes_of(300, CLASSES, 3)), embedded(np.zeros(300, int), 5.0, 4))
    # three and a half standard errors of a share of 300
    assert score(answered(cases), cases, protocol) == pytest.approx(1 / CLASSES, abs=0.08)


@pytest.mark.parametrize("kept", [0.9, 0.6])
def test_what_was_spoilt_is_lost(kept: float) -> None:
    """A share of the photos shows another condition than the label: there and only there the vote must be wrong."""
    rng = np.random.default_rng(5)
    shown = classes_of(300, CLASSES, 6)
    spoilt = rng.random(300) > kept
    labels = np.where(spoilt, (shown + rng.integers(1, CLASSES, 300)) % CLASSES, shown)
    cases = cases_of(names(labels), embedded(shown, 0.05, 7))
    assert score(answered(cases), cases, VOTE) == pytest.approx(float((~spoilt).mean()), abs=0.02)


def test_always_the_commonest_is_as_often_right_as_it_occurs() -> None:
    classes = np.repeat([0, 1, 2], [100, 60, 40])
    cases = cases_of(names(classes), embedded(classes, 1.0, 8))
    found = answered(cases)
    assert score(found, cases, PRIOR) == pytest.approx(0.5)
    assert score(found, cases, PRIOR, TOP_3) == 1


def test_the_same_seed_gives_the_same_answers() -> None:
    classes = classes_of(100, 4, 9)
    cases = cases_of(names(classes), embedded(classes, 0.6, 10))
    first, second, other = answered(cases), answered(cases), answered(cases, seed=2)
    for protocol in PROTOCOLS:
        assert (first.probabilities[protocol] == second.probabilities[protocol]).all()
    assert (first.probabilities[VOTE] != other.probabilities[VOTE]).any()


def test_a_condition_that_only_the_held_out_case_has_is_a_miss() -> None:
    classes = np.append(classes_of(99, 3, 11), 3)
    cases = cases_of(names(classes), embedded(classes, 0.05, 12))
    assert per_case(answered(cases).probabilities[VOTE], cases)[TOP_5][-1] == 0


def test_cases_that_the_encoder_has_seen_are_never_judged() -> None:
    """The embedding tells the conditions apart for seen cases only, as that of an encoder that learnt them by heart."""
    classes = classes_of(300, CLASSES, 20)
    seen = np.arange(300) % 3 > 0
    vectors = np.where(seen[:, None], embedded(classes, 0.02, 21), embedded(np.zeros(300, int), 5.0, 22))
    cases = replace(cases_of(names(classes), vectors), seen=seen)
    fold = case_folds(cases, 5, 1)
    found = answer_held_out(cases, fold, 1)
    judged = cases.take(np.flatnonzero(fold != SEEN))
    assert len(judged) == 100 == len(found.outliers)
    for protocol in (VOTE, HEAD, SERVED, CALIBRATED):
        assert score(found, judged, protocol) < 0.4, protocol


def test_calibration_helps_on_held_out_folds_and_sets_cover() -> None:
    """Labels that are right seven times in ten, six conditions of unequal frequency."""
    rng = np.random.default_rng(11)
    shown = rng.choice(6, 900, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    labels = np.where(rng.random(900) < 0.3, rng.integers(0, 6, 900), shown)
    cases = cases_of(names(labels), embedded(shown, 0.35, 12), monk=rng.choice([2, 6, 9], 900, p=[0.6, 0.3, 0.1]))
    found = answer_held_out(cases, case_folds(cases, 5, 1), 1)
    before, after = reliability(found.probabilities[SERVED], cases), reliability(found.probabilities[CALIBRATED], cases)
    assert after.expected_calibration_error < min(before.expected_calibration_error, 0.07)
    for coverage in COVERAGES:
        for tone in ("Monk 1–4", "Monk 5–7", "Monk 8–10"):
            inside = cases.tones[MONK_GROUP] == tone
            noise = 3 * np.sqrt(2 * coverage * (1 - coverage) / inside.sum())
            assert found.covered[coverage][inside].mean() == pytest.approx(coverage, abs=noise), (coverage, tone)
    assert found.outliers.mean() < 0.04


def test_calibration_keeps_the_order_of_a_balanced_head() -> None:
    """A condition is rare, and its photos overlap with the common one's: its recall is what the class balance wins."""
    rng = np.random.default_rng(23)
    classes = (rng.random(600) < 0.08).astype(int)
    cases = cases_of(names(classes), embedded(classes, 0.9, 24))
    found = answered(cases)
    for metric in (TOP_1, TOP_3, NDCG):
        assert score(found, cases, CALIBRATED, metric) == score(found, cases, SERVED, metric)
    assert (found.probabilities[CALIBRATED].argmax(axis=1) == found.probabilities[SERVED].argmax(axis=1)).all()


def test_splitting_images_flatters_where_splitting_cases_does_not() -> None:
    """Three photos a case that are alike, labels that mean nothing: only the leak can be learnt."""
    rng = np.random.default_rng(18)
    classes = classes_of(150, 2, 19)
    centres = rng.normal(size=(150, 64))
    vectors = unit(np.repeat(centres, 3, axis=0) + 0.1 * rng.normal(size=(450, 64)))
    cases = cases_of(names(classes), vectors, photos=[[3 * n, 3 * n + 1, 3 * n + 2] for n in range(150)])
    leaky = image_split(cases, Bootstrap(50, 1), 1, whole_cases=False)
    whole = image_split(cases, Bootstrap(50, 1), 1, whole_cases=True)
    assert (leaky.training_images, leaky.tested_images) == (360, 90)
    assert leaky.cases_on_both_sides > 50
    assert whole.cases_on_both_sides == 0
    assert leaky.macro_auroc.value is not None
    assert whole.macro_auroc.value is not None
    assert leaky.macro_auroc.value > whole.macro_auroc.value + 0.15
    assert whole.macro_auroc.value == pytest.approx(0.5, abs=0.2)


def test_the_head_reaches_what_is_possible() -> None:
    """Two normal distributions 2 standard deviations apart: nobody can be right more often than Φ(1) = 0.841."""
    classes = classes_of(1200, 2, 20)
    vectors = np.random.default_rng(21).normal(size=(1200, 16))
    vectors[:, 0] += 2.0 * classes
    cases = cases_of(names(classes), vectors.astype(np.float32))
    assert score(answered(cases), cases, HEAD) == pytest.approx(0.841, abs=0.04)
