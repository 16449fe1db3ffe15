"""Scores: shares of a population, and when there are none."""

from __future__ import annotations

import numpy as np
import pytest

from ml.analysis.scores import Distribution, Population, grade, scored
from ml.values import Measurement, Skin

EVEN = Distribution("how", 300, tuple(float(value) for value in range(101)))  # as many from 0 to 1 as from 99 to 100
POPULATION = Population(1, {"skin/lines": EVEN})


def measured(value: float | None, uncertainty: float | None = 1.0, **changed: str) -> Measurement:
    facts = {"name": "lines", "unit": "%", "method": "how", "region": "skin", **changed}
    return Measurement(value=value, uncertainty=uncertainty, **facts)


def score(measurement: Measurement) -> tuple[float | None, float | None]:
    found = scored(Skin(None, (measurement,)), POPULATION).measurements[0]
    return found.score, found.score_uncertainty


@pytest.mark.parametrize(("value", "expected"), [(25.0, 25.0), (50.0, 50.0), (-3.0, 0.0), (200.0, 100.0)])
def test_a_score_is_the_share_of_the_population_below(value: float, expected: float) -> None:
    assert score(measured(value))[0] == expected


def test_a_scores_uncertainty_is_the_values_and_that_of_so_few_photos() -> None:
    _, uncertainty = score(measured(50.0, uncertainty=4.0))
    assert uncertainty == pytest.approx(np.hypot(4.0, 100 * np.sqrt(0.25 / 300)), abs=0.05)


def test_a_score_that_is_not_sure_to_ten_is_none() -> None:
    assert score(measured(50.0, uncertainty=9.0))[0] is not None
    assert score(measured(50.0, uncertainty=10.0)) == (None, None)


@pytest.mark.parametrize(
    "measurement",
    [
        measured(None),
        measured(50.0, uncertainty=None),
        measured(50.0, name="redness"),
        measured(50.0, region="face"),
        measured(50.0, method="another"),
    ],
    ids=["unmeasured", "of unknown uncertainty", "unknown measure", "another region", "another method"],
)
def test_what_the_population_does_not_know_has_no_score(measurement: Measurement) -> None:
    assert scored(Skin(None, (measurement,)), POPULATION).measurements == (measurement,)


def test_without_a_population_nothing_changes() -> None:
    skin = Skin(None, (measured(5.0),))
    assert scored(skin, None) is skin


def test_equal_values_are_in_the_middle_of_each_other() -> None:
    same = Distribution("how", 300, (1.0,) * 51 + (2.0,) * 50)
    assert same.share_below(1.0) == 25
    assert same.share_below(1.5) == pytest.approx(50.5, abs=0.5)


@pytest.mark.parametrize(
    ("score", "words"),
    [(None, None), (9.9, "lower_than_usual"), (10.0, "usual"), (90.0, "usual"), (90.1, "higher_than_usual")],
)
def test_a_grade_is_the_score_in_words(score: float | None, words: str | None) -> None:
    assert grade(score) == words
