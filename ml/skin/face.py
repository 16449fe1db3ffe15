"""The zones of a face, computed from 468 landmarks, and how much redder each zone is than the forehead."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ml.skin.declaration import Measure
from ml.skin.frame import Part, once, zone_mask
from ml.skin.regions import UNKNOWN, Region, Value
from ml.values import Floats, Zone

# Rings of landmarks of MediaPipe's canonical face mesh. Left and right are the person's own. All rings have the same
# orientation, so that the area of a zone that is turned away from the camera is negative.
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
    """One ring for the orbit without the eye: around the orbit, across to the eye, and around the eye backwards."""
    return (*orbit, orbit[0], eye[0], *reversed(eye))


_REFERENCE = "forehead"  #: the zone with which the others are compared
RINGS = {
    _REFERENCE: _FOREHEAD,
    "left_cheek": _LEFT_CHEEK,
    "right_cheek": _RIGHT_CHEEK,
    "nose": _NOSE,
    "chin": _CHIN,
    "around_left_eye": _around(_LEFT_ORBIT, _LEFT_EYE),
    "around_right_eye": _around(_RIGHT_ORBIT, _RIGHT_EYE),
}
_LEAST_INSIDE = 0.5  # smallest share of a zone's area that lies inside the frame


def face_zones(landmarks: Floats, width: int, height: int) -> tuple[Zone, ...]:
    """The zones of a face, without measurements.

    ``landmarks`` (468, 2 or 3): x and y in pixels of a photo of ``width`` × ``height``. Left and right are the person's
    own; a mirrored selfie swaps them. A zone is left out if it is turned away from the camera, or if half of it or more
    is outside the frame. Other zones are clipped to the frame.
    """
    points = np.asarray(landmarks[:, :2] / (width, height), np.float32)
    zones = []
    for name, ring in RINGS.items():
        polygon = points[list(ring)]
        shown = np.asarray(polygon.clip(0, 1), np.float32)
        area = cv2.contourArea(polygon, oriented=True)
        if area > 0 and cv2.contourArea(shown, oriented=True) > _LEAST_INSIDE * area:
            zones.append(Zone(name, tuple((float(x), float(y)) for x, y in shown)))
    return tuple(zones)


@once
def _reference(face: Part) -> Value:
    """The mean a* of the forehead's skin and its standard error. Unknown if the forehead is not shown."""
    height, width = face.skin.shape
    shown = [zone_mask(zone, height, width) for zone in face.zones if zone.name == _REFERENCE]
    return Region(shown[0] & face.skin).mean(face.frame.lab[..., 1]) if shown else UNKNOWN


def _redness(part: Part) -> Value:
    (here, error), (there, its_error) = part.region.mean(part.frame.lab[..., 1]), _reference(part.whole)
    return UNKNOWN if here is None or there is None else (here - there, math.hypot(error or 0.0, its_error or 0.0))


MEASURES = (
    Measure(
        name="zone_redness_difference",
        label="Redness, compared with the forehead",
        unit="a*",
        direction="redder than the forehead",
        description="How much redder the zone is than the forehead in the same photo. Below 0 it is less red.",
        method="mean a* of the zone less that of the forehead, CIELAB under D65",
        measured=_redness,
        regions=("zone",),
        zones=tuple(name for name in RINGS if name != _REFERENCE),
    ),
)
