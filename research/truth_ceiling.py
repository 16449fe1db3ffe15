"""``python -m research.truth_ceiling``: the upper limit of a pixel-wise haemoglobin estimate, by tone.

Fits a polynomial (squares, cubes and products) of the three optical densities to ln of the true haemoglobin fraction
of generated photos. Prints the Pearson correlation of the two, over all photos of a tone together and within each
photo (median). An estimate of this kind that does not know the truth can hardly reach more. Uses neutral light and
skin without a coat. ``--sigma`` smooths the densities, in pixels.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import optical_density
from scin.synthetic import RenderedView, plan_cases, render_case

Floats = NDArray[np.float64]

_PIXELS = 2000  # per photo
_SIGMAS = (0.0, 1.0, 2.0, 4.0)


def _pixels(view: RenderedView, sigma: float) -> tuple[Floats, Floats]:
    """Optical densities (n, 3) and ln of the haemoglobin fraction (n,)."""
    density = optical_density(view.rgb)
    if sigma:
        density = np.asarray(cv2.GaussianBlur(density, (0, 0), sigma), np.float32)
    inside = np.flatnonzero(view.clear_mask)
    some = inside[np.linspace(0, len(inside) - 1, _PIXELS).astype(int)]
    return density.reshape(-1, 3)[some].astype(np.float64), np.log(view.haemoglobin.ravel()[some].astype(np.float64))


def best_correlation(density: Floats, truth: Floats) -> float:
    """The correlation of ``truth`` (n,) with the polynomial of ``density`` (n, 3) that is fitted to it."""
    d = density - density.mean(axis=0)
    red, green, blue = d.T
    terms = np.column_stack([np.ones_like(red), d, d**2, d**3, red * green, red * blue, green * blue])
    found = terms @ np.linalg.lstsq(terms, truth, rcond=None)[0]
    return float(np.asarray(np.corrcoef(found, truth))[0, 1])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--sigma", type=float, nargs="+", default=_SIGMAS)
    options = parser.parse_args(arguments)
    read: dict[tuple[float, int], list[tuple[Floats, Floats]]] = defaultdict(list)
    for case in plan_cases(options.cases, options.seed):
        view = render_case(replace(case, views=case.views[:1]), neutral=True)[0]
        for sigma in options.sigma:
            read[sigma, case.monk].append(_pixels(view, sigma))
    print("sigma Monk    n  together  within")
    for (sigma, monk), photos in sorted(read.items()):
        together = best_correlation(*(np.concatenate(parts) for parts in zip(*photos, strict=True)))
        within = float(np.median([best_correlation(*photo) for photo in photos]))
        print(f"{sigma:5.1f} {monk:4} {len(photos):4} {together:9.3f} {within:7.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
