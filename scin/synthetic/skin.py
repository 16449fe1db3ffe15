"""A case's square of skin: bare skin with its mottling and furrows, and the lesions that were painted on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from scin.synthetic import eruptions, pigment_marks
from scin.synthetic.conditions import BY_NAME
from scin.synthetic.noise import band_noise, fractal_noise, furrows
from scin.synthetic.patch import PATCH_PX, Patch, Spot
from scin.synthetic.streams import Purpose, stream
from scin.synthetic.values import CaseSpec, Map

FURROW_SPACING_MM = 0.6
FURROW_DEPTH_MM = 0.022
ERUPTIONS: dict[str, Callable[[Patch, float], None]] = {
    "Eczema": eruptions.eczema,
    "Folliculitis": eruptions.folliculitis,
    "Herpes Zoster": eruptions.herpes_zoster,
    "Insect Bite": eruptions.insect_bite,
    "Psoriasis": eruptions.psoriasis,
    "Tinea": eruptions.tinea,
    "Urticaria": eruptions.urticaria,
}
PIGMENT_MARKS: dict[str, Callable[[Patch, float, float], None]] = {
    "Melanocytic Nevus": pigment_marks.melanocytic_nevus,
    "SK/ISK": pigment_marks.seborrhoeic_keratosis,
    "Vitiligo": pigment_marks.vitiligo,
}


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """Maps of a square of skin, float32, aligned. `bare` [P, P, 4] goes on beyond the square by mirroring: changes
    of the logarithms of melanin and blood, and the relief's slopes in x and y. The lesions' maps end with it:
    `changes` [P, P, 4] in the same order, `material` [P, P, 4] (scale, crust, fluid, gloss), and `marks` [P, P, 2]
    (lesion mask and hair as 0 to 1). `spots` are the lesions' centres in mm from the middle. `freckled`: the bare skin
    has faint brown spots of its own, which are no lesions."""

    extent_mm: float
    bare: Map
    changes: Map
    material: Map
    marks: Map
    spots: tuple[Spot, ...]
    freckled: bool


def grow_skin(spec: CaseSpec) -> Skin:
    """Draw the skin of a case; the same spec gives the same maps."""
    extent = BY_NAME[spec.condition].extent_mm
    patch = Patch(extent, stream(spec.seed, Purpose.LESIONS, spec.index))
    _paint(patch, spec)
    rng = stream(spec.seed, Purpose.SKIN, spec.index)
    changes = np.dstack([patch.melanin, patch.blood, *_slopes(patch.height, patch.pixels_per_mm)])
    material = np.dstack([patch.scale, patch.crust, patch.fluid, patch.gloss])
    marks = np.dstack([patch.mask.astype(np.float32), _hair(rng, spec.hairiness, patch.pixels_per_mm)])
    bare, freckled = _bare_skin(rng, patch.pixels_per_mm)
    return Skin(extent, bare, changes, material, marks, tuple(patch.spots), freckled)


def _paint(patch: Patch, spec: CaseSpec) -> None:
    if spec.condition in ERUPTIONS:
        ERUPTIONS[spec.condition](patch, spec.severity)
    else:
        PIGMENT_MARKS[spec.condition](patch, spec.severity, spec.melanin)


def _bare_skin(rng: np.random.Generator, pixels_per_mm: float) -> tuple[Map, bool]:
    """Its maps, and whether it has freckles."""
    net = furrows(rng, PATCH_PX, max(FURROW_SPACING_MM * pixels_per_mm, 3.0))
    pores = np.clip(band_noise(rng, PATCH_PX, max(1.4 * pixels_per_mm, 3.0)) - 1.6, 0.0, 1.0)
    melanin = 0.05 * fractal_noise(rng, PATCH_PX, 28.0 * pixels_per_mm) + 0.05 * fractal_noise(
        rng, PATCH_PX, 2.6 * pixels_per_mm
    )
    freckles = _freckles(rng, pixels_per_mm)
    melanin += 0.06 * (net - float(net.mean())) + freckles
    blood = 0.11 * fractal_noise(rng, PATCH_PX, 18.0 * pixels_per_mm) + 0.12 * fractal_noise(
        rng, PATCH_PX, 3.5 * pixels_per_mm
    )
    relief = -FURROW_DEPTH_MM * net - 0.03 * pores + 0.012 * band_noise(rng, PATCH_PX, 4.0 * pixels_per_mm)
    return np.dstack([melanin, blood, *_slopes(relief.astype(np.float32), pixels_per_mm)]), bool(freckles.any())


def _freckles(rng: np.random.Generator, pixels_per_mm: float) -> Map:
    """A sprinkle of faint brown spots, none on most people."""
    strength = float(rng.choice((0.0, 0.0, 0.0, 0.35)))
    spots = np.clip(band_noise(rng, PATCH_PX, 4.5 * pixels_per_mm) - 1.7, 0.0, 0.8)
    return np.asarray(np.float32(strength) * spots)


def _slopes(height_mm: Map, pixels_per_mm: float) -> tuple[Map, Map]:
    scale = pixels_per_mm / 8.0  # the Sobel kernel sums to eight pixels' rise
    x = cv2.Sobel(height_mm, cv2.CV_32F, 1, 0, scale=scale)
    y = cv2.Sobel(height_mm, cv2.CV_32F, 0, 1, scale=scale)
    return np.asarray(x), np.asarray(y)


def _hair(rng: np.random.Generator, hairiness: float, pixels_per_mm: float) -> Map:
    """Opacity of hairs in [0, 1]: short bent lines that lie roughly one way."""
    canvas = np.zeros((PATCH_PX, PATCH_PX), np.uint8)
    lie = float(rng.uniform(0.0, 2 * np.pi))
    extent = PATCH_PX / pixels_per_mm
    for _ in range(int(0.012 * hairiness * extent * extent)):
        heading = lie + float(rng.normal(0.0, 0.3))
        turn = float(rng.normal(0.0, 0.25))
        steps = np.linspace(0.0, float(rng.uniform(4.0, 9.0)) * pixels_per_mm, 6)
        bent = heading + turn * np.linspace(0.0, 1.0, 6)
        root = rng.uniform(0.0, PATCH_PX, size=2)
        points = np.stack([root[0] + steps * np.cos(bent), root[1] + steps * np.sin(bent)], axis=-1)
        line = np.round(points * 8).astype(np.int32)
        cv2.polylines(canvas, [line], False, int(rng.integers(110, 230)), 1, cv2.LINE_AA, shift=3)
    return np.asarray(canvas, dtype=np.float32) / np.float32(255.0)
