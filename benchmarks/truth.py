"""``python -m benchmarks.truth``: what is measured on generated skin, against the maps that it was drawn from, by tone.

Renders ``--cases`` cases, the tones and conditions in balance, in neutral light and as photographed. Correlations are
Pearson's, over the skin in the frame and with the logarithm of the true fraction, in the median over a tone's photos.
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

_COLUMNS: tuple[tuple[str, Callable[[NDArray[np.float64]], float]], ...] = (
    ("ITA error", lambda values: float(np.abs(values).max())),
    ("melanin r", lambda values: float(np.median(values))),
    ("density r", lambda values: float(np.median(values))),
    ("haemoglobin r", lambda values: float(np.median(values))),
    ("coverage", lambda values: float(values.mean())),
    ("photographed", lambda values: float(values.mean())),
    ("outside", lambda values: float(values.mean())),
    ("quality", lambda values: float(values.mean())),
)
_MEANING = (
    "ITA error: the largest, in degrees, in neutral light; melanin r, haemoglobin r: medians, in neutral light;\n"
    "density r: of the melanin index, the density of red alone, with the true melanin;\n"
    "coverage, photographed: share of the true skin that the mask holds, in neutral light and as photographed;\n"
    "outside: share of what is not skin that it holds; quality: mean score as photographed."
)


@dataclass(frozen=True)
class Row:
    """What one case measured; None where there was nothing to compare."""

    monk: int
    values: dict[str, float | None]


def measure(cases: int, seed: int) -> Iterator[Row]:
    for case in plan_cases(cases, seed=seed):
        first = replace(case, views=case.views[:1])
        (neutral,), (photo,) = render_case(first, neutral=True), render_case(first)
        yield Row(case.monk, {**_in_neutral_light(neutral), **_as_photographed(photo)})


def _in_neutral_light(view: RenderedView) -> dict[str, float | None]:
    mask = skin_mask(view.rgb)
    bare = mask & view.skin_mask & ~view.lesion_mask
    angle = typology_angle(rgb_to_lab(view.rgb), Region("skin", bare, MIN_COVERAGE))
    maps = pigment_maps(view.rgb)
    return {
        "ITA error": None if angle is None else angle.degrees - view.true_ita_deg,
        "melanin r": _correlation(maps.melanin, np.log(np.maximum(view.melanin, 1e-6)), view.skin_mask),
        "density r": _correlation(maps.melanin_index, np.log(np.maximum(view.melanin, 1e-6)), view.skin_mask),
        "haemoglobin r": _correlation(maps.haemoglobin, np.log(np.maximum(view.haemoglobin, 1e-6)), view.skin_mask),
        "coverage": float(mask[view.skin_mask].mean()),
    }


def _as_photographed(view: RenderedView) -> dict[str, float | None]:
    mask, behind = skin_mask(view.rgb), ~view.skin_mask
    return {
        "photographed": float(mask[view.skin_mask].mean()),
        "outside": float(mask[behind].mean()) if behind.any() else None,
        "quality": assess(view.rgb, 1600, 1200, mask).score,
    }


def _correlation(map_: NDArray[np.float32], truth: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    return float(np.corrcoef(map_[where], truth[where])[0, 1])


def report(rows: list[Row]) -> None:
    by_tone: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_tone[row.monk].append(row)
    print(f"{'Monk':5} {'n':>4} " + " ".join(f"{name:>14}" for name, _ in _COLUMNS))
    for monk in sorted(by_tone):
        cells = []
        for name, summary in _COLUMNS:
            known = [value for row in by_tone[monk] if (value := row.values[name]) is not None]
            cells.append(f"{summary(np.array(known)):14.3f}" if known else f"{'–':>14}")
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
