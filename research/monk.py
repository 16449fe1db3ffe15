"""``python -m research.monk``: fit the Monk tone estimate of `ml.skin.tone`, and report its error.

The model is a proportional-odds model (McCullagh 1980) of the ten tones. Its features are ITA, L*, and the part of L*
above 55. It is fitted to generated photos, to the same photos in other light (standard deviations of ln exposure 0.3
and of warmth 0.08), and to the ten published swatches in such light. None is a photo of a person with a Monk label.
Prints the coefficients. Also prints, for 10-fold cross-validation and for fixed cut-offs of ITA and L*, the mean
absolute error in steps, the share within one step, and the error by tone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import linear_to_lightness_and_b, srgb_to_linear
from ml.skin.frame import MIN_COVERAGE
from ml.skin.regions import Region
from ml.skin.segmentation import skin_mask
from ml.skin.tone import monk_features, typology_angle
from ml.values import RGB
from scin.synthetic import plan_cases, render_case

Floats = NDArray[np.float64]
Steps = NDArray[np.intp]

SWATCHES = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
TONES, FOLDS, PENALTY = 10, 10, 1e-3
_EXPOSURE, _WARMTH, _TINT = 0.3, 0.08, 0.02  # one standard deviation of each, in ln of the gains
_RELIT = 2  # copies of each photo in other light
_RELIT_SWATCH = 5  # copies of each swatch in other light

# Cut-offs for comparison: Del Bino's categories, and midpoints between the swatches.
_BY_ANGLE, _BY_LIGHTNESS = (76.0, 68.0, 55.0, 41.0, 28.0, 10.0, -30.0), (25.9, 17.9)


@dataclass(frozen=True)
class Sample:
    kind: str
    case: int
    monk: int
    ita: float
    lightness: float


def samples(cases: int, seed: int) -> Iterator[Sample]:
    rng = np.random.default_rng(seed)
    for spec in plan_cases(cases, seed):
        if spec.quality == "insufficient":
            continue
        photo = render_case(replace(spec, views=spec.views[:1]))[0].rgb
        yield from _read("photographed", spec.index, spec.monk, photo)
        for _ in range(_RELIT):
            yield from _read("in other light", spec.index, spec.monk, _relit(photo, rng))
    for step, code in enumerate(SWATCHES, start=1):
        swatch = np.broadcast_to(np.frombuffer(bytes.fromhex(code), np.uint8), (32, 32, 3)).copy()
        for number in range(1 + _RELIT_SWATCH):
            photo = _relit(swatch, rng) if number else swatch
            yield from _read("swatches", cases + step, step, photo, whole=True)


def _relit(rgb: RGB, rng: np.random.Generator) -> RGB:
    warmth, tint = rng.normal(0, _WARMTH), rng.normal(0, _TINT)
    gains = np.exp(rng.normal(0, _EXPOSURE) + np.array([warmth, tint, -warmth]))
    return linear_to_srgb(srgb_to_linear(rgb) * gains.astype(np.float32))


def _read(kind: str, case: int, monk: int, rgb: RGB, whole: bool = False) -> Iterator[Sample]:
    mask = np.ones(rgb.shape[:2], np.bool_) if whole else skin_mask(rgb)
    angle = typology_angle(*linear_to_lightness_and_b(srgb_to_linear(rgb)), Region(mask, MIN_COVERAGE))
    if angle is not None:
        yield Sample(kind, case, monk, angle.degrees, angle.lightness)


def fit(features: Floats, steps: Steps) -> tuple[Floats, Floats]:
    """Weights (p,) and ascending cuts (9,), by maximum likelihood with a small L2 penalty on scaled features."""
    middle, spread = features.mean(axis=0), features.std(axis=0)
    scaled, n, p = (features - middle) / spread, *features.shape

    def parts(values: Floats) -> tuple[Floats, Floats]:
        return values[:p], np.cumsum(np.append(values[p], np.exp(values[p + 1 :])))

    def loss(values: Floats) -> float:
        weights, cuts = parts(values)
        edges = np.concatenate([[-1e3], cuts, [1e3]]) - (scaled @ weights)[:, None]
        below = 1 / (1 + np.exp(-np.clip(edges, -50, 50)))
        likelihood = below[np.arange(n), steps] - below[np.arange(n), steps - 1]
        return float(-np.log(np.maximum(likelihood, 1e-12)).sum() + PENALTY * n * (weights @ weights))

    start = np.concatenate([np.full(p, 0.1), [-6.0], np.full(TONES - 2, 0.3)])
    weights, cuts = parts(minimize(loss, start, method="BFGS", options={"maxiter": 500}).x)
    return weights / spread, cuts + middle @ (weights / spread)


def estimates(features: Floats, weights: Floats, cuts: Floats) -> Steps:
    """The median tone of the model: 1 + the number of cuts below the score."""
    return np.asarray(1 + (features @ weights > cuts[:, None]).sum(axis=0), np.intp)


def held_out(features: Floats, steps: Steps, fold: Steps) -> Steps:
    found = np.zeros_like(steps)
    for number in range(FOLDS):
        left = fold == number
        found[left] = estimates(features[left], *fit(features[~left], steps[~left]))
    return found


def _by_cut_offs(sample: Sample) -> int:
    step = 1 + sum(sample.ita <= least for least in _BY_ANGLE)
    return step + sum(sample.lightness <= least for least in _BY_LIGHTNESS) if step == 8 else step


def _report(name: str, found: Steps, taken: list[Sample]) -> None:
    for kind in dict.fromkeys(one.kind for one in taken):
        of_kind = [number for number, one in enumerate(taken) if one.kind == kind]
        off = np.abs(found[of_kind] - [taken[number].monk for number in of_kind])
        monk = np.array([taken[number].monk for number in of_kind])
        by_tone = " ".join(f"{off[monk == tone].mean():.2f}" for tone in range(1, TONES + 1))
        print(
            f"{name:10} {kind:15} n {len(off):4}  mean error {off.mean():.2f}  within 1 {(off <= 1).mean():.3f}  "
            f"{by_tone}"
        )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args(arguments)
    taken = list(samples(options.cases, options.seed))
    features = np.array([monk_features(one.ita, one.lightness) for one in taken])
    steps = np.array([one.monk for one in taken], np.intp)
    weights, cuts = fit(features, steps)
    print(f"weights {np.round(weights, 3)}\ncuts {np.round(cuts, 2)}")
    fold = np.array([one.case % FOLDS for one in taken], np.intp)
    _report("cut-offs", np.array([_by_cut_offs(one) for one in taken], np.intp), taken)
    _report("held out", held_out(features, steps, fold), taken)
    return 0


if __name__ == "__main__":
    sys.exit(main())
