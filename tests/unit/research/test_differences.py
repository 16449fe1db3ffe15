"""The comparison of cores and rings: its intraclass correlation and its inexact outlines."""

from __future__ import annotations

import numpy as np
import pytest

from research.differences import moved
from research.repeatability.pairs import icc, icc_with_interval
from tests.unit.ml.skin_images import disc


def test_values_that_repeat_exactly_have_a_correlation_of_one() -> None:
    assert icc([np.array([1.0, 1.0]), np.array([2.0, 2.0, 2.0]), np.array([5.0, 5.0])]) == pytest.approx(1)


def test_the_correlation_is_the_share_of_the_variance_between_groups() -> None:
    rng = np.random.default_rng(0)
    groups = [mean + rng.normal(0, 1, 2) for mean in rng.normal(0, 2, 4000)]
    assert icc(groups) == pytest.approx(0.8, abs=0.02)
    _, (low, high) = icc_with_interval(groups[:100])
    assert low < icc(groups[:100]) < high


def test_a_moved_outline_overlaps_with_the_one_that_was_drawn() -> None:
    drawn, rng = disc(), np.random.default_rng(0)
    overlaps = [np.sum(drawn & other) / np.sum(drawn | other) for other in (moved(drawn, rng) for _ in range(20))]
    assert 0.6 < np.median(overlaps) < 0.85
