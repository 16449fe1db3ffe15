"""What a generated case is: its plan (numbers and names only) and its rendered views with their true maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GENERATOR_VERSION = 1
"""Raised whenever the same seed would give other bytes."""

UInt8Image = NDArray[np.uint8]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Limb:
    """A cylinder of skin before a cloth: half its width (mm), and the direction of its axis in the photo."""

    half_width_mm: float
    axis_deg: float
    offset_mm: float
    cloth_rgb: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Light:
    """One broad lamp: where it stands, how much light comes from everywhere, and how unevenly it falls."""

    azimuth_deg: float
    elevation_deg: float
    ambient: float
    falloff: float


@dataclass(frozen=True, slots=True)
class Camera:
    """Exposure (a gain; 1 is right), white balance gains (red, green, blue), noise and blur (standard deviations,
    the one in linear light at white, the other in pixels)."""

    exposure: float
    white_balance: tuple[float, float, float]
    noise: float
    blur_px: float


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """One photo of a case: `centre_mm` is where on the skin it points, from the lesions' centre."""

    image_id: str
    shot_type: str
    height: int
    width: int
    frame_mm: float
    centre_mm: tuple[float, float]
    rotation_deg: float
    tilt_deg: float
    limb: Limb | None
    light: Light
    camera: Camera


@dataclass(frozen=True, slots=True)
class CaseSpec:
    """One case before any pixel exists. `condition` is what is drawn; `quality` says whether a dermatologist could
    grade it (`sufficient`, `insufficient`, or `unlabelled`: gradable, yet without a label)."""

    case_id: str
    index: int
    seed: int
    condition: str
    monk: int
    melanin: float
    haemoglobin: float
    severity: float
    hairiness: float
    oiliness: float
    body_part: str
    age_group: str
    sex: str
    quality: str
    views: tuple[ViewSpec, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RenderedView:
    """A photo and the truth behind it; all maps are [height, width] and aligned with `rgb`.

    `rgb` is sRGB uint8 [H, W, 3]. `melanin` (melanosomes in the epidermis) and `haemoglobin` (blood in the dermis)
    are volume fractions as float32; off the skin they are 0. `bare_mask` is the skin that nothing hides: no scale,
    crust or serum, or so thin that it takes under a tenth of the light; `clear_mask` is the part of it where that coat
    changes no channel's light by a tenth either: what hardly shows on light skin doubles the light of dark skin.
    `illumination` is what reached each pixel, 1 everywhere in neutral light; `highlight` is the mirror-like light
    added to it, in linear light.
    `true_ita_deg` and `true_lightness` are of the same person's bare skin in neutral daylight; `spots` counts the
    separate lesions whose centre lies in the frame, which the skin's own freckles, where it is `freckled`, are not.
    `pixels_per_mm` holds at the middle of the frame.
    """

    rgb: UInt8Image
    melanin: Map
    haemoglobin: Map
    lesion_mask: Mask
    skin_mask: Mask
    bare_mask: Mask
    clear_mask: Mask
    illumination: Map
    highlight: Map
    true_ita_deg: float
    true_lightness: float
    monk: int
    condition: str
    spots: int
    freckled: bool
    pixels_per_mm: float
    exposure: float
    white_balance: tuple[float, float, float]
