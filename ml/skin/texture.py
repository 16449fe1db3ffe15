"""Texture of skin: lines, roughness, and evenness of lightness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import lightness, working_copy
from ml.skin.declaration import Measure
from ml.skin.lines import lines
from ml.skin.regions import Region
from ml.skin.roughness import binary_patterns, co_occurrence, roughness
from ml.skin.segmentation import skin_mask
from ml.skin.surface import Surface, skin_surface
from ml.skin.tone import MIN_COVERAGE
from ml.values import RGB, Mask, Measurement

Floats = NDArray[np.float32]

EVENNESS = Measure(
    name="evenness",
    label="Evenness of tone",
    unit="L*",
    direction="less even",
    description="How much the lightness varies across the skin: a low value is even skin. Shading counts too.",
    method="standard deviation of L*; lower is more even",
    regions=("skin", "zone"),
    scored=True,
)
MEASURES = (EVENNESS,)


def close_up_texture(rgb: RGB) -> tuple[Measurement, ...]:
    """Texture and evenness of the skin in a photo without faces: those of ``measure_skin``, without all the rest."""
    copy = working_copy(rgb)
    skin = Region("skin", skin_mask(copy), MIN_COVERAGE)
    light = lightness(copy)
    surface = skin_surface(light, skin.mask) if skin.usable else None
    return (*measure_texture(surface, skin.name, skin.mask), evenness(light, skin))


def measure_texture(surface: Surface | None, name: str, mask: Mask) -> tuple[Measurement, ...]:
    """Texture of the region ``name``, ``mask`` (H, W) of the working copy, on its ``surface``.

    None throughout where there is no surface, or under 64 pixels of it lie well inside the region. The scale is that of
    the frame, or of the face: a close-up and a distant photo of the same skin differ.
    """
    skin = None if surface is None else surface.region(name, mask)
    return (
        lines(surface, skin, name),
        roughness(surface, skin, name),
        *co_occurrence(surface, skin, name),
        binary_patterns(surface, skin, name),
    )


def zone_texture(surface: Surface | None, name: str, mask: Mask) -> tuple[Measurement, ...]:
    """Lines and roughness of one zone of a face, as ``measure_texture`` does."""
    skin = None if surface is None else surface.region(name, mask)
    return lines(surface, skin, name), roughness(surface, skin, name)


def evenness(lightness: Floats, skin: Region) -> Measurement:
    """Standard deviation of L* in the region; shading across the region is part of it."""
    value = skin.deviation(lightness) if skin.usable else None
    return EVENNESS.measurement(skin.name, value)
