"""The generated photos in which changes of skin are looked for."""

from __future__ import annotations

import numpy as np
import pytest

from research.changes.photos import MARKS, generated, unchanged


@pytest.mark.parametrize(("retaken", "least", "most"), [(False, 0.98, 1.02), (True, 1.04, 1.2)])
def test_unchanged_skin_differs_by_light_and_noise_alone(retaken: bool, least: float, most: float) -> None:
    for one in generated(MARKS, unchanged, 3, 2026, retaken=retaken):
        before, after = (np.median(photo[50:-50, 50:-50] / 255.0) ** 2.2 for photo in (one.before, one.after))
        assert least < after / before < most
        assert not np.array_equal(one.before, one.after)
