"""Intervals hold the truth as often as they say; too few cases give none."""

from __future__ import annotations

import numpy as np
import pytest

from scin.evaluation.bootstrap import LEVEL, TOO_FEW, Bootstrap, Figure, mean_of
from scin.evaluation.metrics import auroc


def test_intervals_of_an_accuracy_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    trials, truth, held = 400, 0.7, 0
    for trial in range(trials):
        hits = (rng.random(150) < truth).astype(float)
        figure = Bootstrap(300, trial).figures("all", 150, {"accuracy": mean_of(hits)})["accuracy"]
        assert figure.low is not None
        assert figure.high is not None
        held += figure.low <= truth <= figure.high
    # three standard errors of a share of 400, and the percentile method's known shortfall of about one point
    assert held / trials == pytest.approx(LEVEL, abs=0.035)


def test_intervals_of_an_auroc_hold_the_truth_as_often_as_they_say() -> None:
    """Two normal distributions one standard deviation apart: the area is Φ(1/√2) = 0.7602."""
    rng = np.random.default_rng(2)
    trials, held = 300, 0
    for trial in range(trials):
        positive = np.arange(160) < 50
        scores = rng.normal(size=160) + positive
        statistic = {"area": lambda counts, s=scores, p=positive: auroc(s, p, counts)}
        figure = Bootstrap(200, trial).figures("all", 160, statistic)["area"]
        assert figure.low is not None
        assert figure.high is not None
        held += figure.low <= 0.7602 <= figure.high
    assert held / trials == pytest.approx(LEVEL, abs=0.045)


def test_the_same_seed_and_name_give_the_same_interval() -> None:
    values = np.random.default_rng(3).random(80)

    def figure(seed: int, name: str) -> Figure:
        return Bootstrap(250, seed).figures(name, 80, {"mean": mean_of(values)})["mean"]

    assert figure(1, "Monk 3") == figure(1, "Monk 3")
    assert figure(1, "Monk 3") != figure(2, "Monk 3")
    assert figure(1, "Monk 3") != figure(1, "Monk 4")


def test_fewer_cases_than_the_least_give_no_figure() -> None:
    few = Bootstrap(100, 1).figures("all", TOO_FEW - 1, {"mean": mean_of(np.ones(TOO_FEW - 1))})["mean"]
    assert few == Figure(TOO_FEW - 1, None, None, None)
    assert Bootstrap(100, 1).figures("all", TOO_FEW, {"mean": mean_of(np.ones(TOO_FEW))})["mean"].value == 1


def test_what_is_always_right_is_certain() -> None:
    assert Bootstrap(100, 1).figures("all", 50, {"mean": mean_of(np.ones(50))})["mean"] == Figure(50, 1.0, 1.0, 1.0)


def test_a_statistic_that_cannot_be_computed_gives_no_figure() -> None:
    unknown = {"recall": lambda counts: np.full(len(counts), np.nan)}
    assert Bootstrap(100, 1).figures("all", 50, unknown)["recall"] == Figure(50)


def test_resamples_in_which_a_statistic_is_unknown_are_left_out() -> None:
    """One positive among 50: a third of the resamples lack it."""
    positive = np.arange(50) == 0
    figure = Bootstrap(200, 1).figures("all", 50, {"area": lambda counts: auroc(np.arange(50.0), positive, counts)})
    assert figure["area"] == Figure(50, 0.0, 0.0, 0.0)
