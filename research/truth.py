"""``python -m research.truth``: compare measurements on generated skin with its true maps, by tone.

Renders ``--cases`` cases with balanced tones and conditions, in neutral light and as photographed. Correlations are
Pearson's, with the logarithm of the true fraction, over skin that is not hidden by scale, crust or serum. They are
computed over all photos of a tone together (with equally many pixels per photo), and within each photo (median over
the photos of a tone). "Clear" also excludes pixels where a thin coat changes the light by a tenth or more, such as
thin scale on dark skin.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import linear_to_lightness_and_b, srgb_to_linear
from ml.skin.frame import MIN_COVERAGE, Frame
from ml.skin.pigment import Pigment, melanin_index, pigment_maps
from ml.skin.quality import assess
from ml.skin.regions import Region
from ml.skin.segmentation import skin_mask
from ml.skin.tone import typology_angle
from ml.values import Mask
from scin.synthetic import RenderedView, plan_cases, render_case

Pixels = dict[str, NDArray[np.float64]]

_PIXELS = 2000  # pixels per photo for correlations
_PIGMENTS = ("melanin", "haemoglobin")

_COLUMNS: tuple[tuple[str, Callable[[NDArray[np.float64]], float]], ...] = (
    ("ITA error", lambda values: float(np.abs(values).max())),
    ("ITA, own", lambda values: float(np.abs(values).max())),
    ("melanin in 1", lambda values: float(np.median(values))),
    ("haemoglobin in 1", lambda values: float(np.median(values))),
    ("density in 1", lambda values: float(np.median(values))),
    ("melanin, lit", lambda values: float(np.median(values))),
    ("haemoglobin, lit", lambda values: float(np.median(values))),
    ("coverage", lambda values: float(values.mean())),
    ("photographed", lambda values: float(values.mean())),
    ("outside", lambda values: float(values.mean())),
    ("quality", lambda values: float(values.mean())),
)
_MEANING = (
    "ITA error: the largest error in degrees on bare skin in neutral light; own: on the whole mask, as served;\n"
    "melanin r, haemoglobin r: correlation over all photos of a tone in neutral light; clear: the same without thin\n"
    "coats; in 1: median correlation within a photo; density: melanin index with true melanin;\n"
    "lit: within a photo as photographed, with shading and noise;\n"
    "coverage, photographed: share of the true skin in the mask, in neutral light and as photographed;\n"
    "outside: share of the background in the mask; quality: mean score as photographed."
)


@dataclass(frozen=True)
class Row:
    """The results of one case. A value is None if there is nothing to compare."""

    monk: int
    values: dict[str, float | None]
    pixels: Pixels  # per pigment (2, n): measured and true, in neutral light
    clear: Pixels  # the same, without thin coats


def measure(cases: int, seed: int) -> Iterator[Row]:
    for case in plan_cases(cases, seed=seed):
        first = replace(case, views=case.views[:1])
        (neutral,), (photo,) = render_case(first, neutral=True), render_case(first)
        masks = neutral.bare_mask, neutral.clear_mask
        found = pigment_maps(neutral.rgb, skin_mask(neutral.rgb))
        pixels = [_pixels(neutral, found, where) for where in masks]
        yield Row(case.monk, {**_in_neutral_light(neutral, pixels[0]), **_as_photographed(photo)}, *pixels)


def _in_neutral_light(view: RenderedView, pixels: Pixels) -> dict[str, float | None]:
    mask, true = skin_mask(view.rgb), np.log(np.maximum(view.melanin, 1e-6))
    index = melanin_index(srgb_to_linear(view.rgb))
    return {
        "ITA error": _off(view, mask & view.skin_mask & ~view.lesion_mask),
        "ITA, own": _off(view, mask),
        "density in 1": _correlation(np.stack([index[view.bare_mask], true[view.bare_mask]])),
        **{f"{name} in 1": _correlation(pair) for name, pair in pixels.items()},
        "coverage": float(mask[view.skin_mask].mean()),
    }


def _as_photographed(view: RenderedView) -> dict[str, float | None]:
    mask, behind = skin_mask(view.rgb), ~view.skin_mask
    maps = pigment_maps(view.rgb, mask)
    return {
        "photographed": float(mask[view.skin_mask].mean()),
        "outside": float(mask[behind].mean()) if behind.any() else None,
        "quality": assess(Frame(view.rgb, 1600, 1200)).score,
        **{f"{name}, lit": _correlation(pair) for name, pair in _pixels(view, maps, view.bare_mask).items()},
    }


def _off(view: RenderedView, mask: Mask) -> float | None:
    angle = typology_angle(*linear_to_lightness_and_b(srgb_to_linear(view.rgb)), Region(mask, MIN_COVERAGE))
    return None if angle is None else angle.degrees - view.true_ita_deg


def _correlation(pixels: NDArray[np.floating]) -> float:
    return float(np.asarray(np.corrcoef(pixels))[0, 1])


def _pixels(view: RenderedView, maps: Pigment, where: Mask) -> Pixels:
    inside = np.flatnonzero(where)
    some = inside[np.linspace(0, len(inside) - 1, _PIXELS).astype(int)]
    pairs = ((maps.melanin, view.melanin), (maps.haemoglobin, view.haemoglobin))
    return {
        name: np.stack([found.ravel()[some], np.log(np.maximum(true.ravel()[some], 1e-6))]).astype(np.float64)
        for name, (found, true) in zip(_PIGMENTS, pairs, strict=True)
    }


def report(rows: list[Row]) -> None:
    by_tone: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_tone[row.monk].append(row)
    names = [f"{name} {kind}" for kind in ("r", "clear") for name in _PIGMENTS] + [name for name, _ in _COLUMNS]
    print(f"{'Monk':5} {'n':>4} " + " ".join(f"{name:>17}" for name in names))
    for monk in sorted(by_tone):
        each = [[row.pixels[name] for row in by_tone[monk]] for name in _PIGMENTS]
        each += [[row.clear[name] for row in by_tone[monk]] for name in _PIGMENTS]
        cells = [f"{_correlation(np.concatenate(pixels, axis=1)):17.3f}" for pixels in each]
        for name, summary in _COLUMNS:
            known = [value for row in by_tone[monk] if (value := row.values[name]) is not None]
            cells.append(f"{summary(np.array(known)):17.3f}" if known else f"{'–':>17}")
        print(f"{monk:<5} {len(by_tone[monk]):>4} " + " ".join(cells))
    print(_MEANING)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(arguments)
    report(list(measure(options.cases, options.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
