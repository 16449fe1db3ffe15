"""Painters of marks made by pigment: naevi, seborrhoeic keratoses, and its loss in vitiligo.

They add or take melanin in volume fractions, so a mole on dark skin is still darker than the skin around it.
"""

from __future__ import annotations

import numpy as np

from scin.synthetic.patch import Patch, dome, inside
from scin.synthetic.values import Map

DEPIGMENTED = 0.0009  # the melanin that is left in vitiligo, volume fraction


def melanocytic_nevus(patch: Patch, severity: float, melanin: float) -> None:
    """One mole, sometimes two or three: round to oval, evenly brown, a little raised."""
    mottle = patch.noise(1.8)
    for number in range(int(patch.rng.choice((1, 1, 1, 2, 3)))):
        centre = patch.place(0.22) if number == 0 else patch.place(0.8)
        outline = patch.outline(centre, float(patch.rng.uniform(1.8, 4.0)) / (1 + number), 0.12, 1.35)
        window = patch.window(outline)
        distance = patch.distance(outline, window)
        edge = inside(distance, 0.5)
        added = severity * _dose(patch, melanin) * (1.0 + 0.2 * mottle[window])
        patch.melanin[window] = np.maximum(patch.melanin[window], edge * _log_gain(melanin, added))
        height = float(patch.rng.uniform(0.0, 0.7))
        patch.height[window] = np.maximum(patch.height[window], height * dome(distance, outline.radius_mm))
        patch.gloss[window] = np.maximum(patch.gloss[window], 0.08 * edge)
        patch.mask[window] |= distance < 0.0
        patch.spots.append(centre)


def seborrhoeic_keratosis(patch: Patch, severity: float, melanin: float) -> None:
    """One to three waxy, warty, stuck-on plaques, unevenly brown, with pale horn cysts and dark plugs."""
    warts, cloud = patch.noise(1.5), patch.noise(4.0)
    for number in range(int(patch.rng.choice((1, 1, 2, 3)))):
        centre = patch.place(0.3) if number == 0 else patch.place(0.8)
        outline = patch.outline(centre, float(patch.rng.uniform(4.5, 8.5)) / (1 + 0.6 * number), 0.14, 1.5)
        window = patch.window(outline)
        distance = patch.distance(outline, window)
        edge = inside(distance, 0.5)
        added = severity * _dose(patch, melanin) * np.clip(1.0 + 0.35 * cloud[window], 0.3, 2.0)
        plugs = np.clip(warts[window] - 1.3, 0.0, 1.0)
        cysts = np.clip(-warts[window] - 1.7, 0.0, 0.6)
        patch.melanin[window] = np.maximum(patch.melanin[window], edge * (_log_gain(melanin, added) + 0.35 * plugs))
        patch.height[window] = np.maximum(patch.height[window], edge * (0.7 + 0.10 * warts[window]))
        patch.scale[window] = np.maximum(patch.scale[window], edge * (0.06 + cysts))
        patch.gloss[window] = np.maximum(patch.gloss[window], 0.2 * edge)
        patch.mask[window] |= distance < 0.0
        patch.spots.append(centre)


def vitiligo(patch: Patch, severity: float, melanin: float) -> None:
    """Two to six sharply bordered patches without melanin, faintly darker at the margin, some follicles spared."""
    follicles = np.clip(3.0 * (patch.noise(2.4) - 2.3), 0.0, 1.0)
    edges, margins = np.zeros_like(patch.melanin), np.zeros_like(patch.melanin)
    for _ in range(int(patch.rng.integers(2, 7))):
        outline = patch.outline(patch.place(0.6), float(patch.rng.uniform(6.0, 17.0)), 0.25, 1.6)
        window = patch.window(outline, 9.0)
        distance = patch.distance(outline, window)
        edges[window] = np.maximum(edges[window], inside(distance, 0.8))
        margins[window] = np.maximum(margins[window], inside(distance - 3.0, 5.0))
        patch.mask[window] |= distance < 0.0
        patch.spots.append((outline.x_mm, outline.y_mm))
    loss = np.float32(np.log(DEPIGMENTED / melanin))
    kept = 1.0 - edges * (1.0 - follicles)
    patch.melanin[:] = (1.0 - kept) * loss + 0.35 * np.float32(severity) * margins * kept


def _dose(patch: Patch, melanin: float) -> float:
    """Melanin that a brown mark adds, volume fraction: more on darker skin, or it would not be seen there."""
    return float(patch.rng.uniform(0.035, 0.12)) + 0.6 * melanin


def _log_gain(melanin: float, added: Map) -> Map:
    return np.asarray(np.log1p(np.maximum(added, 0.0) / np.float32(melanin)), dtype=np.float32)
