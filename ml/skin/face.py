"""The zones of a face, computed from 468 landmarks, and the pores of nose and cheeks.

The working copy has too few pixels for pores. They are measured on the photo itself, zone by zone, at a fixed scale of
the face.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ml.skin.colour import lightness
from ml.skin.declaration import Measure
from ml.skin.frame import Part, zone_mask
from ml.skin.regions import UNKNOWN, Region, Value
from ml.skin.texture import detail_of, pit_response
from ml.values import RGB, Floats, Mask, Zone

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


RINGS = {
    "forehead": _FOREHEAD,
    "left_cheek": _LEFT_CHEEK,
    "right_cheek": _RIGHT_CHEEK,
    "nose": _NOSE,
    "chin": _CHIN,
    "around_left_eye": _around(_LEFT_ORBIT, _LEFT_EYE),
    "around_right_eye": _around(_RIGHT_ORBIT, _RIGHT_EYE),
}
_LEAST_INSIDE = 0.5  # smallest share of a zone's area that lies inside the frame

FACE_SIDE = 640  #: pixels from forehead to chin at which pores are measured; one is about a quarter of a millimetre
LEAST_SIDE = 800  #: smallest size of the face in the photo, in pixels; 0.8 of it is FACE_SIDE
_SMOOTHING, _WAVE = 0.6, 4.0  # pixels at that size


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


def _pores(part: Part) -> Value:
    """Unknown if the face has under 800 pixels from forehead to chin."""
    if part.zone is None:
        return UNKNOWN
    height, width = part.frame.rgb.shape[:2]
    corners = np.array([corner for zone in part.whole.zones for corner in zone.polygon]) * (width, height)
    side = float(np.ptp(corners, axis=0).max())
    return pores(part.frame.rgb, part.zone, part.skin, FACE_SIDE / side) if side >= LEAST_SIDE else UNKNOWN


def pores(photo: RGB, zone: Zone, skin: Mask, scale: float) -> Value:
    """The mean response to pores in a ``zone``, 0–100%. The zone is cut out of ``photo`` (H, W, 3) and resized by
    ``scale``. ``skin`` (h, w) is the skin mask of the working copy."""
    height, width = photo.shape[:2]
    corners = np.array(zone.polygon)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    rows = slice(int(top * height), int(np.ceil(bottom * height)))
    columns = slice(int(left * width), int(np.ceil(right * width)))
    part = photo[rows, columns]
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    box = (columns.start / width, rows.start / height, columns.stop / width, rows.stop / height)
    inside = zone_mask(_within(zone, box), size[1], size[0]) & _cut(skin, box, size)
    weight = inside.astype(np.float32)
    detail = detail_of(lightness(small) * weight, weight, _SMOOTHING, _WAVE)
    region = Region(cv2.erode(inside.view(np.uint8), np.ones((9, 9), np.uint8)).astype(np.bool_))
    return region.mean(np.asarray(100 * pit_response(detail), np.float32))


def _within(zone: Zone, box: tuple[float, float, float, float]) -> Zone:
    """``zone`` in fractions of ``box`` (left, top, right, bottom) instead of the photo."""
    left, top, right, bottom = box
    return replace(
        zone, polygon=tuple(((x - left) / (right - left), (y - top) / (bottom - top)) for x, y in zone.polygon)
    )


def _cut(mask: Mask, box: tuple[float, float, float, float], size: tuple[int, int]) -> Mask:
    """The part of ``mask`` in ``box``, resized to ``size`` (width, height)."""
    height, width = mask.shape
    left, top, right, bottom = box
    columns = ((left + (np.arange(size[0]) + 0.5) / size[0] * (right - left)) * width).astype(np.intp)
    rows = ((top + (np.arange(size[1]) + 0.5) / size[1] * (bottom - top)) * height).astype(np.intp)
    return np.asarray(mask[np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))], np.bool_)


MEASURES = (
    Measure(
        name="pores",
        label="Pores",
        unit="%",
        direction="more pores",
        description="How much of the nose or a cheek is covered by small dark pits. Measured only on large photos of a "
        "face.",
        method="mean response of a Hessian pit filter (Frangi 1998, for blobs) to dark pits of L*, "
        f"σ = 1.2 px of {FACE_SIDE} from forehead to chin; higher is more pores",
        measured=_pores,
        regions=("zone",),
        zones=("nose", "left_cheek", "right_cheek"),
    ),
)
