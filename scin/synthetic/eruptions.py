"""Painters of inflamed skin: wheals, plaques, patches, papules, vesicles and rings.

Each takes a blank `Patch` and the case's severity (about 1). Redness is blood, in the logarithm of its fraction: on
dark skin the same blood shows as a darker, violet tinge, because the melanin above it takes the light, as on people.
Inflammation also draws some melanin, which is what remains visible there.
"""

from __future__ import annotations

import numpy as np

from scin.synthetic.patch import Outline, Patch, dome, inside
from scin.synthetic.values import Map


def eczema(patch: Patch, severity: float) -> None:
    """One to three ill-defined, mottled red patches with fine scale, tiny papules and a few scratches."""
    mottle, grain = patch.noise(9.0, 3), patch.noise(1.6)
    flakes = np.clip(patch.noise(3.0, 3) - 0.6, 0.0, 1.0)
    for _ in range(int(patch.rng.integers(1, 4))):
        outline = patch.outline(patch.place(0.42), float(patch.rng.uniform(11.0, 21.0)), wobble=0.3, aspect=1.8)
        window = patch.window(outline, 10.0)
        edge = inside(patch.distance(outline, window) + 3.0 * mottle[window], 6.0)
        rough = np.clip(0.75 + 0.25 * mottle[window], 0.0, 1.5) * edge
        patch.blood[window] = np.maximum(patch.blood[window], 1.25 * severity * rough)
        patch.melanin[window] = np.maximum(patch.melanin[window], 0.22 * severity * rough)
        patch.height[window] = np.maximum(patch.height[window], edge * (0.25 + 0.05 * grain[window]))
        patch.scale[window] = np.maximum(patch.scale[window], 0.3 * edge * flakes[window])
        patch.mask[window] |= edge > 0.5
        patch.spots.append((outline.x_mm, outline.y_mm))
        _scratches(patch, outline, int(patch.rng.integers(2, 6)))


def folliculitis(patch: Patch, severity: float) -> None:
    """A dozen to thirty small red papules about the hair follicles, half of them with a pustule on top."""
    for _ in range(int(patch.rng.integers(12, 31))):
        radius = float(patch.rng.uniform(0.9, 2.0))
        centre = patch.place(0.85)
        _papule(patch, patch.outline(centre, radius, 0.05, 1.1), 1.5 * severity, halo_mm=2.2)
        if patch.rng.random() < 0.5:
            tip = patch.outline(centre, 0.42 * radius, 0.05, 1.1)
            window = patch.window(tip)
            patch.fluid[window] = np.maximum(patch.fluid[window], 0.75 * inside(patch.distance(tip, window), 0.2))


def herpes_zoster(patch: Patch, severity: float) -> None:
    """Clusters of tense vesicles on red skin, along one band as a nerve runs; the older ones are crusted."""
    direction = float(patch.rng.uniform(0.0, np.pi))
    for along in np.linspace(-0.36, 0.36, int(patch.rng.integers(4, 7))) * patch.extent_mm:
        across = float(patch.rng.normal(0.0, 4.0))
        x = float(along * np.cos(direction) - across * np.sin(direction))
        y = float(along * np.sin(direction) + across * np.cos(direction))
        base = patch.outline((x, y), float(patch.rng.uniform(6.0, 10.0)), 0.25, 1.5)
        window = patch.window(base, 5.0)
        edge = inside(patch.distance(base, window), 3.0)
        patch.blood[window] = np.maximum(patch.blood[window], 1.5 * severity * edge)
        patch.melanin[window] = np.maximum(patch.melanin[window], 0.15 * edge)
        patch.height[window] = np.maximum(patch.height[window], 0.2 * edge)
        patch.mask[window] |= edge > 0.5
        for _ in range(int(patch.rng.integers(6, 14))):
            spread = patch.rng.normal(0.0, 0.42 * base.radius_mm, size=2)
            _vesicle(patch, (x + float(spread[0]), y + float(spread[1])))


def insect_bite(patch: Patch, severity: float) -> None:
    """Two to seven firm red papules, often in a row, each with a central punctum and a wide flare."""
    count = int(patch.rng.integers(2, 8))
    start, heading = patch.place(0.3), float(patch.rng.uniform(0.0, 2 * np.pi))
    in_row = patch.rng.random() < 0.5
    for step in range(count):
        reach = (step - (count - 1) / 2) * 9.0
        row = (start[0] + reach * float(np.cos(heading)), start[1] + reach * float(np.sin(heading)))
        centre = row if in_row else patch.place(0.75)
        papule = patch.outline(centre, float(patch.rng.uniform(2.2, 4.2)), 0.08, 1.25)
        _papule(patch, papule, 1.5 * severity, halo_mm=7.0)
        punctum = patch.outline(centre, 0.5, 0.1, 1.1)
        window = patch.window(punctum)
        patch.crust[window] = np.maximum(patch.crust[window], 0.8 * inside(patch.distance(punctum, window), 0.25))


def psoriasis(patch: Patch, severity: float) -> None:
    """One to five sharply bordered, raised, deep red plaques under thick silvery scale."""
    cracked, fine = patch.noise(7.0, 3), patch.noise(1.3)
    for _ in range(int(patch.rng.integers(1, 6))):
        outline = patch.outline(patch.place(0.55), float(patch.rng.uniform(6.0, 18.0)), 0.2, 1.5)
        window = patch.window(outline, 3.0)
        distance = patch.distance(outline, window)
        edge, deep = inside(distance, 0.9), inside(distance + 2.0, 1.5)
        lamella = np.clip(0.5 + 0.5 * cracked[window], 0.0, 1.0) * deep
        patch.blood[window] = np.maximum(patch.blood[window], 1.75 * severity * edge)
        patch.melanin[window] = np.maximum(patch.melanin[window], 0.28 * edge)
        patch.scale[window] = np.maximum(patch.scale[window], 0.8 * lamella * np.clip(0.8 + 0.2 * fine[window], 0, 1))
        patch.height[window] = np.maximum(patch.height[window], 0.6 * edge + lamella * (0.1 + 0.04 * fine[window]))
        patch.mask[window] |= edge > 0.5
        patch.spots.append((outline.x_mm, outline.y_mm))


def tinea(patch: Patch, severity: float) -> None:
    """One to three rings that clear in the middle: a raised, red, scaling border."""
    flakes, beads = np.clip(patch.noise(3.0, 3), 0.0, 1.5), patch.noise(5.0)
    for _ in range(int(patch.rng.integers(1, 4))):
        outline = patch.outline(patch.place(0.45), float(patch.rng.uniform(10.0, 20.0)), 0.12, 1.3)
        window = patch.window(outline, 6.0)
        distance = patch.distance(outline, window)
        width = np.float32(patch.rng.uniform(1.6, 2.6))
        ring = np.exp(-((distance / width) ** 2)) * np.clip(1.0 + 0.3 * beads[window], 0.35, 1.6)
        edge = inside(distance, 1.0)
        patch.blood[window] = np.maximum(patch.blood[window], severity * (1.6 * ring + 0.3 * edge))
        patch.melanin[window] = np.maximum(patch.melanin[window], 0.25 * ring + 0.10 * edge)
        patch.height[window] = np.maximum(patch.height[window], 0.4 * ring)
        patch.scale[window] = np.maximum(patch.scale[window], 0.4 * np.clip(ring, 0, 1) * flakes[window])
        patch.mask[window] |= distance < 1.2 * width
        patch.spots.append((outline.x_mm, outline.y_mm))


def urticaria(patch: Patch, severity: float) -> None:
    """Five to fourteen wheals that run together: raised, pale with fluid in the middle, red around."""
    for _ in range(int(patch.rng.integers(5, 15))):
        radius = float(patch.rng.uniform(3.5, 12.0))
        outline = patch.outline(patch.place(0.75), radius, 0.3, 1.7)
        window = patch.window(outline, 7.0)
        distance = patch.distance(outline, window)
        edge, flare = inside(distance, 1.6), inside(distance - 2.5, 4.5)
        pallor = inside(distance + 0.45 * radius, 0.5 * radius)
        patch.blood[window] = np.maximum(patch.blood[window], severity * (0.75 * flare + 0.55 * edge - 0.75 * pallor))
        patch.melanin[window] = np.maximum(patch.melanin[window], 0.12 * edge)
        patch.height[window] = np.maximum(patch.height[window], (0.5 + 0.08 * radius) * inside(distance + 0.8, 2.2))
        patch.gloss[window] = np.maximum(patch.gloss[window], 0.25 * edge)
        patch.mask[window] |= distance < 0.5
        patch.spots.append((outline.x_mm, outline.y_mm))


def _papule(patch: Patch, outline: Outline, redness: float, halo_mm: float) -> None:
    window = patch.window(outline, halo_mm)
    distance = patch.distance(outline, window)
    edge, halo = inside(distance, 0.35 * outline.radius_mm), inside(distance - 0.3 * halo_mm, 0.7 * halo_mm)
    patch.blood[window] = np.maximum(patch.blood[window], redness * (0.65 * edge + 0.45 * halo))
    patch.melanin[window] = np.maximum(patch.melanin[window], 0.22 * edge + 0.06 * halo)
    patch.height[window] = np.maximum(patch.height[window], 0.34 * outline.radius_mm * _bump(distance, outline))
    patch.mask[window] |= distance < 0.15 * outline.radius_mm
    patch.spots.append((outline.x_mm, outline.y_mm))


def _vesicle(patch: Patch, centre: tuple[float, float]) -> None:
    outline = patch.outline(centre, float(patch.rng.uniform(0.8, 1.9)), 0.05, 1.15)
    window = patch.window(outline)
    distance = patch.distance(outline, window)
    edge = inside(distance, 0.3)
    patch.height[window] = np.maximum(
        patch.height[window], edge * 0.2 + 0.5 * outline.radius_mm * _bump(distance, outline)
    )
    if patch.rng.random() < 0.2:
        patch.crust[window] = np.maximum(patch.crust[window], 0.7 * edge)
    else:
        patch.fluid[window] = np.maximum(patch.fluid[window], 0.26 * edge)
        patch.gloss[window] = np.maximum(patch.gloss[window], 1.6 * edge)
    patch.mask[window] |= distance < 0.0
    patch.spots.append(centre)


def _bump(distance: Map, outline: Outline) -> Map:
    return dome(distance, outline.radius_mm)


def _scratches(patch: Patch, outline: Outline, count: int) -> None:
    heading = float(patch.rng.uniform(0.0, np.pi))
    for _ in range(count):
        offset = patch.rng.normal(0.0, 0.4 * outline.radius_mm, size=2)
        centre = (outline.x_mm + float(offset[0]), outline.y_mm + float(offset[1]))
        half_length, half_width = float(patch.rng.uniform(2.0, 6.0)), 0.35
        window = patch.window(Outline(*centre, half_length, 1.0, 0.0, ()))
        line = Outline(*centre, float(np.sqrt(half_width * half_length)), half_length / half_width, heading, ())
        patch.crust[window] = np.maximum(patch.crust[window], 0.6 * inside(patch.distance(line, window), 1.2))
        heading += float(patch.rng.normal(0.0, 0.15))
