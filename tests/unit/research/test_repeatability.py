"""The repeatability report: the changes of a photo, and the fit of limits."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ml.skin.declaration import LIMITS, ZONE_LIMITS
from ml.values import RGB, Measurement
from research.repeatability import Move, Source, changes, fit, measure, print_limits
from tests.unit.ml.skin_images import MONK, skin_patch


def test_each_change_has_its_expected_effect() -> None:
    photo = skin_patch(MONK[4], 100, 200)
    found = dict(changes(photo))
    assert found["0.8 size"].shape == (80, 160, 3)
    assert found["JPEG 80"].shape == photo.shape
    assert 0 < np.abs(found["JPEG 80"].astype(int) - photo).mean() < 10
    assert found["light +5%"].mean() > photo.mean() > found["light -5%"].mean()
    assert found["codes +5%"].mean() == pytest.approx(1.05 * photo.mean(), rel=0.01)


def test_a_move_is_compared_with_the_uncertainty_before_it() -> None:
    def mean(rgb: RGB) -> dict[str, Measurement]:
        return {"skin/mean": Measurement("mean", float(rgb.mean()), "code", "mean", "skin", uncertainty=5.0)}

    photo = np.full((20, 20, 3), 200, np.uint8)
    _, moves = measure([Source("even", photo)], mean)
    ratios = {move.change: move.ratio for move in moves}
    assert ratios["0.8 size"] == 0
    assert ratios["codes +5%"] == pytest.approx(2.0)


def test_a_limit_covers_its_training_data() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(10, 100, 2000)
    moves = np.abs(rng.normal(0, 0.02 * values))
    limit = fit(values.tolist(), moves.tolist())
    assert limit.relative > 0
    assert np.mean([move <= limit.of(value) for move, value in zip(moves, values, strict=True)]) >= 0.995


def test_the_limit_of_a_length_holds_for_photos_of_any_size() -> None:
    limit = fit([100.0, 1000.0], [5.0, 50.0], proportional=True)
    assert (limit.absolute, limit.relative) == (0.0, pytest.approx(0.05))


def test_a_limit_excludes_the_photos_own_uncertainty() -> None:
    def of(after: float) -> Move:
        return Move(0, "JPEG 80", Measurement("some", 10.0, "1", "how", "lesion", uncertainty=3.0), after)

    assert of(12.0).beyond == 0
    assert of(15.0).beyond == pytest.approx(4.0)


def test_fitted_limits_are_printed_in_the_services_format(capsys: pytest.CaptureFixture[str]) -> None:
    def of(name: str, region: str) -> Move:
        return Move(0, "JPEG 80", Measurement(name, 10.0, "1", "how", region), 11.0)

    print_limits([of("lines", "skin"), of("roughness", "nose"), of("ita", "skin")])
    found = json.loads(capsys.readouterr().out)
    assert {kind: set(limits) for kind, limits in found.items()} == {"whole": {"lines"}, "zone": {"roughness"}}
    assert found["whole"].keys() <= LIMITS.keys()
    assert found["zone"].keys() <= ZONE_LIMITS.keys()
    absolute, relative = found["zone"]["roughness"]
    assert absolute + 10 * relative == pytest.approx(1.15, abs=0.1)
