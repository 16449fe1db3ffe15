"""Zones of a face from its 468 landmarks, and what is measured in each. Pure geometry: no model runs here."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from ml.skin.declaration import Measure
from ml.skin.pigment import ERYTHEMA
from ml.skin.regions import Region
from ml.skin.texture import evenness
from ml.values import Mask, Measurement, Zone

Floats = NDArray[np.float32]

LIGHTNESS = Measure(
    name="lightness",
    label="Lightness",
    unit="L*",
    direction="lighter",
    description="The mean lightness of the skin, 0 (black) to 100 (white). It depends on light and exposure.",
    method="mean L*, CIELAB under D65",
    regions=("skin", "zone"),
)
REDNESS = Measure(
    name="redness",
    label="Redness",
    unit="a*",
    direction="redder",
    description="How far the mean colour of the skin lies from green towards red. It depends on the light.",
    method="mean a*, CIELAB under D65",
    regions=("skin", "zone"),
)
YELLOWNESS = Measure(
    name="yellowness",
    label="Yellowness",
    unit="b*",
    direction="yellower",
    description="How far the mean colour of the skin lies from blue towards yellow. It depends on the light.",
    method="mean b*, CIELAB under D65",
)
MEASURES = (LIGHTNESS, REDNESS, YELLOWNESS)

# Rings of MediaPipe's canonical face mesh. Left and right are the person's own; all rings run the same way round,
# so that a zone turned away from the camera shows by the sign of its area.
_FOREHEAD = (103, 67, 109, 10, 338, 297, 332, 333, 334, 296, 336, 9, 107, 66, 105, 104)
_NOSE = (168, 417, 351, 399, 420, 360, 344, 440, 274, 1, 44, 220, 115, 131, 198, 174, 122, 193)
_CHIN = (194, 83, 18, 313, 418, 262, 369, 396, 175, 171, 140, 32)
_RIGHT_CHEEK = (117, 118, 119, 100, 142, 203, 206, 207, 187, 147, 123, 116)
_LEFT_CHEEK = (346, 345, 352, 376, 411, 427, 426, 423, 371, 329, 348, 347)
_RIGHT_ORBIT = (143, 113, 225, 224, 223, 222, 221, 189, 245, 128, 121, 120, 119, 118, 117, 111)
_RIGHT_EYE = (130, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25)
_LEFT_ORBIT = (372, 340, 346, 347, 348, 349, 350, 357, 465, 413, 441, 442, 443, 444, 445, 342)
_LEFT_EYE = (359, 255, 339, 254, 253, 252, 256, 341, 463, 414, 286, 258, 257, 259, 260, 467)


def _around(orbit: tuple[int, ...], eye: tuple[int, ...]) -> tuple[int, ...]:
    """The orbit without the eye, as one ring: round the orbit, across to the eye, and round it backwards."""
    return (*orbit, orbit[0], eye[0], *reversed(eye))


RINGS = {
    "forehead": _FOREHEAD,
    "left_cheek": _LEFT_CHEEK,
    "right_cheek": _RIGHT_CHEEK,
    "nose": _NOSE,
    "chin": _CHIN,
    "around_left_eye": _around(_LEFT_ORBIT, _LEFT_EYE),
    "around_right_eye": _around(_RIGHT_ORBIT, _RIGHT_EYE),
}
_LEAST_INSIDE = 0.5  # of a zone's area must lie within the frame


@dataclass(frozen=True, eq=False)
class SkinMaps:
    """What zones are measured on, all (H, W): CIELAB (H, W, 3), the erythema index, and where skin is."""

    lab: Floats
    erythema: Floats
    skin: Mask


def face_zones(landmarks: Floats, width: int, height: int) -> tuple[Zone, ...]:
    """The zones of a face, unmeasured.

    ``landmarks``: (468, 2 or 3), x and y in pixels of the photo of ``width`` × ``height``. Sides are the
    person's own: in a mirrored selfie they are swapped. A zone that is turned away from the camera, or of which
    the frame cuts off half or more, is left out; a lesser cut is drawn along the frame.
    """
    points = np.asarray(landmarks[:, :2] / (width, height), np.float32)
    zones = []
    for name, ring in RINGS.items():
        polygon = points[list(ring)]
        shown = np.asarray(polygon.clip(0, 1), np.float32)
        area = _signed_area(polygon)
        if area > 0 and _signed_area(shown) > _LEAST_INSIDE * area:
            zones.append(Zone(name, tuple((float(x), float(y)) for x, y in shown)))
    return tuple(zones)


def zone_mask(zone: Zone, height: int, width: int) -> Mask:
    """The zone's pixels in a photo, or a copy of it, of ``height`` × ``width``."""
    corners = np.array(zone.polygon)[:, ::-1] * (height, width) - 0.5  # (row, column) of pixel centres
    return np.asarray(polygon2mask((height, width), corners), np.bool_)


def measure_zone(zone: Zone, inside: Mask, maps: SkinMaps) -> Zone:
    """``zone``, whose mask ``inside`` (H, W) is, with its lightness, redness, evenness and erythema index, on the skin
    in it.

    Hair, glasses and anything else that is not skin-coloured is left out; values are None where under 64
    pixels remain.
    """
    region = Region(zone.name, inside & maps.skin)
    return replace(zone, measurements=(*colour_means(maps.lab, region)[:2], *_surface(maps, region)))


def colour_means(lab: Floats, region: Region) -> tuple[Measurement, ...]:
    """Mean L*, a* and b* of a region."""
    return tuple(region.mean(measure, lab[..., axis]) for axis, measure in enumerate(MEASURES))


def _surface(maps: SkinMaps, region: Region) -> tuple[Measurement, ...]:
    return evenness(maps.lab[..., 0], region), region.mean(ERYTHEMA, maps.erythema)


def _signed_area(polygon: Floats) -> float:
    """Shoelace area of (n, 2), positive for clockwise rings as seen (y points down)."""
    x, y = polygon.astype(np.float64).T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)
