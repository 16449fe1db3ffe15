"""Rows of any number run in the few batch sizes that the frameworks have planned memory for."""

from __future__ import annotations

import numpy as np
import pytest

from ml.backends.base import BATCH_SIZES, run_padded
from tests.unit.ml.tiny_models import RecordingBackend


@pytest.mark.parametrize(
    ("rows", "batches"), [(1, [1]), (2, [2]), (3, [4]), (5, [8]), (8, [8]), (9, [8, 1]), (21, [8, 8, 8])]
)
def test_every_row_is_answered_in_order_whatever_the_padding(rows: int, batches: list[int]) -> None:
    backend = RecordingBackend(lambda a, b: (a + 10 * b).astype(np.float32))
    first, second = np.arange(rows)[:, None], np.arange(rows)[:, None] + 0.5
    assert np.array_equal(run_padded(backend, [first, second]), 11 * first + 5)
    assert backend.batches == batches
    assert set(batches) <= set(BATCH_SIZES)


def test_padding_repeats_the_last_row_rather_than_inventing_one() -> None:
    seen = []
    run_padded(RecordingBackend(lambda a: (seen.append(a.copy()), a)[1]), [np.array([[1.0], [2.0], [3.0]], np.float32)])
    assert seen[0].ravel().tolist() == [1, 2, 3, 3]
