"""``python -m benchmarks.truth``: what is measured on generated skin, against the maps that it was drawn from, by tone.

Renders ``--cases`` cases, the tones and conditions in balance, in neutral light and as photographed. Correlations are
Pearson's, with the logarithm of the true fraction, over the skin in the frame that no scale, crust or serum hides:
over all photos of a tone together, each with as many pixels, and within a photo, in the median over a tone's photos.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import rgb_to_lab
from ml.skin.pigment import pigment_maps
from ml.skin.quality import assess
from ml.skin.regions import Region
from ml.skin.segmentation import skin_mask
from ml.skin.tone import MIN_COVERAGE, typology_angle
from scin.synthetic import RenderedView, plan_cases, render_case

_PIXELS = 2000  # of each photo, in the correlation over all photos of a tone
_PIGMENTS = ("melanin", "haemoglobin")

_COLUMNS: tuple[tuple[str, Callable[[NDArray[np.float64]], float]], ...] = (
    ("ITA error", lambda values: float(np.abs(values).max())),
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
    "ITA error: the largest, in degrees, in neutral light; melanin r, haemoglobin r: correlations over all photos of\n"
    "a tone, in neutral light; in 1: within a photo, the median; density: of the melanin index with the true melanin;\n"
    "lit: within a photo as photographed, with its shading and noise;\n"
    "coverage, photographed: share of the true skin that the mask holds, in neutral light and as photographed;\n"
    "outside: share of what is not skin that it holds; quality: mean score as photographed."
)


@dataclass(frozen=True)
class Row:
    """What one case measured; None where there was nothing to compare."""

    monk: int
    values: dict[str, float | None]
    pixels: dict[str, NDArray[np.float64]]  # of each pigment, as measured and in truth (2, n), in neutral light


def measure(cases: int, seed: int) -> Iterator[Row]:
    for case in plan_cases(cases, seed=seed):
        first = replace(case, views=case.views[:1])
        (neutral,), (photo,) = render_case(first, neutral=True), render_case(first)
        yield Row(case.monk, {**_in_neutral_light(neutral), **_as_photographed(photo)}, _pixels(neutral))


def _in_neutral_light(view: RenderedView) -> dict[str, float | None]:
    mask = skin_mask(view.rgb)
    bare = mask & view.skin_mask & ~view.lesion_mask
    angle = typology_angle(rgb_to_lab(view.rgb), Region("skin", bare, MIN_COVERAGE))
    maps, true = pigment_maps(view.rgb, mask), np.log(np.maximum(view.melanin, 1e-6))
    return {
        "ITA error": None if angle is None else angle.degrees - view.true_ita_deg,
        "density in 1": _correlation(np.stack([maps.melanin_index[view.bare_mask], true[view.bare_mask]])),
        **{f"{name} in 1": _correlation(pixels) for name, pixels in _pixels(view).items()},
        "coverage": float(mask[view.skin_mask].mean()),
    }


def _as_photographed(view: RenderedView) -> dict[str, float | None]:
    mask, behind = skin_mask(view.rgb), ~view.skin_mask
    return {
        "photographed": float(mask[view.skin_mask].mean()),
        "outside": float(mask[behind].mean()) if behind.any() else None,
        "quality": assess(view.rgb, 1600, 1200, mask).score,
        **{f"{name}, lit": _correlation(pixels) for name, pixels in _pixels(view).items()},
    }


def _correlation(pixels: NDArray[np.floating]) -> float:
    return float(np.asarray(np.corrcoef(pixels))[0, 1])


def _pixels(view: RenderedView) -> dict[str, NDArray[np.float64]]:
    maps = pigment_maps(view.rgb, skin_mask(view.rgb))
    bare = np.flatnonzero(view.bare_mask)
    some = bare[np.linspace(0, len(bare) - 1, _PIXELS).astype(int)]
    pairs = ((maps.melanin, view.melanin), (maps.haemoglobin, view.haemoglobin))
    return {
        name: np.stack([found.ravel()[some], np.log(np.maximum(true.ravel()[some], 1e-6))]).astype(np.float64)
        for name, (found, true) in zip(_PIGMENTS, pairs, strict=True)
    }


def report(rows: list[Row]) -> None:
    by_tone: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_tone[row.monk].append(row)
    names = [*(f"{name} r" for name in _PIGMENTS), *(name for name, _ in _COLUMNS)]
    print(f"{'Monk':5} {'n':>4} " + " ".join(f"{name:>16}" for name in names))
    for monk in sorted(by_tone):
        together = (np.concatenate([row.pixels[name] for row in by_tone[monk]], axis=1) for name in _PIGMENTS)
        cells = [f"{_correlation(pixels):16.3f}" for pixels in together]
        for name, summary in _COLUMNS:
            known = [value for row in by_tone[monk] if (value := row.values[name]) is not None]
            cells.append(f"{summary(np.array(known)):16.3f}" if known else f"{'–':>16}")
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
