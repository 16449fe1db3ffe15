"""Calibration: temperatures that were planted are found, and conformal sets cover what they say."""

from __future__ import annotations

import numpy as np
import pytest

from scin.evaluation.bootstrap import TOO_FEW
from scin.evaluation.calibrating import (
    COVERAGES,
    calibrate,
    calibration_error,
    conformal_quantile,
    fit_scaling,
    nonconformity,
    quantiles,
)
from scin.evaluation.evaluation import reliability
from scin.evaluation.folds import case_folds
from scin.evaluation.held_out import VOTE, answer_held_out
from scin.evaluation.neighbours import mean_distance, nearest
from scin.evaluation.selection import choose
from scin.evaluation.tones import OWN_GROUP
from scin.index.vote import Scaling, probabilities
from tests.unit.scin.evaluation_data import cases_of, classes_of, embedded, names


def drawn(truth: np.ndarray, seed: int) -> np.ndarray:
    """(n, C) one label a row, drawn from the row's probabilities, as a table of ones."""
    rng = np.random.default_rng(seed)
    chosen = (truth.cumsum(axis=1) > rng.random((len(truth), 1))).argmax(axis=1)
    return np.eye(truth.shape[1])[chosen]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_planted_temperature_is_found(temperature: float) -> None:
    truth = np.random.default_rng(1).dirichlet(np.full(8, 0.6), 4000)
    shares = truth**temperature / (truth**temperature).sum(axis=1, keepdims=True)
    found = fit_scaling(shares, np.full(8, 1 / 8), drawn(truth, 2))
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    before = calibration_error(shares.max(axis=1), drawn(truth, 3)[np.arange(4000), shares.argmax(axis=1)])
    fitted = probabilities(shares, np.full(8, 1 / 8), found)
    after = calibration_error(fitted.max(axis=1), drawn(truth, 3)[np.arange(4000), fitted.argmax(axis=1)])
    assert after < 0.035
    assert temperature == 1 or before > 2 * after


def test_a_planted_doubt_is_found() -> None:
    """A third of the truths are drawn from the prior, whatever the neighbours say."""
    shares = np.random.default_rng(4).dirichlet(np.full(6, 0.3), 5000)
    prior = np.array([0.3, 0.3, 0.1, 0.1, 0.1, 0.1])
    planted = Scaling(1.0, -np.log(2), 0.0)
    found = fit_scaling(shares, prior, drawn(probabilities(shares, prior, planted), 5))
    assert probabilities(shares, prior, found) == pytest.approx(probabilities(shares, prior, planted), abs=0.06)


def test_the_quantile_is_the_one_of_the_formula() -> None:
    scores = np.random.default_rng(6).permutation(np.arange(1, 100) / 100.0)
    assert conformal_quantile(scores, 0.9) == pytest.approx(0.90)  # ⌈100 · 0.9⌉ = the 90th of 99
    assert conformal_quantile(scores, 0.8) == pytest.approx(0.80)
    assert conformal_quantile(scores[: TOO_FEW - 1], 0.9) is None
    assert conformal_quantile(scores[:TOO_FEW], 0.99) is None  # needs the 31st of 30


@pytest.mark.parametrize("coverage", COVERAGES)
def test_sets_cover_what_they_say_in_every_group(coverage: float) -> None:
    """Exchangeable cases, one group much harder than the other: over many splits each group gets its coverage."""
    rng = np.random.default_rng(7)
    held: dict[str, list[bool]] = {"easy": [], "hard": []}
    sizes: dict[str, list[int]] = {"easy": [], "hard": []}
    for trial in range(60):
        groups = np.where(rng.random(400) < 0.3, "hard", "easy")
        truth = rng.dirichlet(np.full(6, 0.5), 400) ** np.where(groups == "hard", 0.4, 2.0)[:, None]
        truth /= truth.sum(axis=1, keepdims=True)
        leading = drawn(truth, trial) > 0
        shares = np.full_like(truth, 1 / 6) * 0.3 + 0.7 * truth
        scores = nonconformity(shares, leading)
        limits = quantiles(scores[:200], groups[:200], coverage)
        for group in held:
            limit = limits[group].value
            assert limit is not None
            inside = groups[200:] == group
            held[group] += (scores[200:][inside] <= limit).tolist()
            sizes[group] += (1 - shares[200:][inside] <= limit).sum(axis=1).tolist()
    for group, covered in held.items():
        assert np.mean(covered) == pytest.approx(coverage, abs=0.02), group
    assert np.mean(sizes["hard"]) > np.mean(sizes["easy"])


def test_a_group_of_too_few_has_no_quantile() -> None:
    groups = np.array(["Monk 1–4"] * 60 + ["Monk 8–10"] * (TOO_FEW - 1) + [""] * 11)
    found = quantiles(np.random.default_rng(8).random(100), groups, 0.9)
    assert {group: (q.n, q.value is None) for group, q in found.items()} == {
        "all": (100, False),
        "Monk 1–4": (60, False),
        "Monk 8–10": (TOO_FEW - 1, True),
    }


def test_without_a_quantile_every_condition_is_in_the_set() -> None:
    classes = classes_of(100, 4, 9)
    cases = cases_of(names(classes), embedded(classes, 0.5, 10), monk=[3] * 95 + [9] * 5)
    fitted = calibrate(choose(cases, 1), cases, 1)
    assert fitted.threshold(0.9, "Monk 8–10") == 1
    assert fitted.threshold(0.9, "") == fitted.quantiles[0.9]["all"].value
    assert fitted.threshold(0.9, "Monk 1–4") == fitted.quantiles[0.9]["Monk 1–4"].value


def test_calibration_helps_on_held_out_folds_and_sets_cover() -> None:
    """Labels that are right seven times in ten, six conditions of unequal frequency."""
    rng = np.random.default_rng(11)
    shown = rng.choice(6, 900, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    labels = np.where(rng.random(900) < 0.3, rng.integers(0, 6, 900), shown)
    cases = cases_of(names(labels), embedded(shown, 0.35, 12), monk=rng.choice([2, 6, 9], 900, p=[0.6, 0.3, 0.1]))
    found = answer_held_out(cases, case_folds(cases, 5, 1), 1)
    before, after = reliability(found.probabilities[VOTE], cases), reliability(found.calibrated, cases)
    assert after.error < min(before.error, 0.07)
    for coverage in COVERAGES:
        for tone in ("Monk 1–4", "Monk 5–7", "Monk 8–10"):
            inside = cases.tones[OWN_GROUP] == tone
            noise = 3 * np.sqrt(2 * coverage * (1 - coverage) / inside.sum())
            assert found.covered[coverage][inside].mean() == pytest.approx(coverage, abs=noise), (coverage, tone)
    assert found.outliers.mean() < 0.04


def test_what_is_unlike_the_index_lies_beyond_its_distance() -> None:
    classes = classes_of(300, 4, 13)
    cases = cases_of(names(classes), embedded(classes, 0.1, 14))
    choice = choose(cases, 1)
    fitted = calibrate(choice, cases, 1)
    assert (np.diff(fitted.distances) >= 0).all()
    assert fitted.outlier == fitted.distances[99]
    strange = cases_of(names(np.full(20, 4)), embedded(np.full(20, 12), 0.1, 15))
    vectors = choice.transform.apply(cases.vectors)
    found = nearest(strange, choice.transform.apply(strange.vectors), cases, vectors, depth=choice.vote.neighbours)
    assert (mean_distance(found, choice.vote.neighbours) > fitted.outlier).mean() > 0.9


def test_the_calibration_error_by_hand() -> None:
    assert calibration_error(np.array([0.95, 0.95, 0.05, 0.05]), np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0.25)
    assert calibration_error(np.ones(10), np.ones(10)) == 0
