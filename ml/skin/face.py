"""Faces: their zones from 468 landmarks, which is pure geometry, and the pores of nose and cheeks.

The working copy is too small for pores, so these are measured on the photo itself, a zone at a time, at one scale of
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

FACE_SIDE = 640  #: pixels from forehead to chin at which pits are looked for: about a quarter of a millimetre each
LEAST_SIDE = 800  #: of the face in the photo; its copy at 0.8 of the size then holds as much
_SMOOTHING, _WAVE = 0.6, 4.0  # pixels at that size


def face_zones(landmarks: Floats, width: int, height: int) -> tuple[Zone, ...]:
    """The zones of a face, unmeasured.

    ``landmarks``: (468, 2 or 3), x and y in pixels of the photo of ``width`` × ``height``. Sides are the
    person's own: in a mirrored selfie they are swapped. A zone is left out if it is turned away from the camera, or if
    the frame cuts off half of it or more; a smaller cut is drawn along the frame.
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
    """How much of a ``zone`` is pores, in percent of its area: the zone is cut out of the ``photo`` (H, W, 3), as large
    as there is, and brought to ``scale`` of its size. ``skin`` (h, w) is that of the working copy."""
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
    """``zone`` in fractions of the ``box`` (left, top, right, bottom)."""
    left, top, right, bottom = box
    return replace(
        zone, polygon=tuple(((x - left) / (right - left), (y - top) / (bottom - top)) for x, y in zone.polygon)
    )


def _cut(mask: Mask, box: tuple[float, float, float, float], size: tuple[int, int]) -> Mask:
    """The ``box`` of ``mask``, brought to ``size`` (width, height)."""
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
        description="How much of the nose or a cheek is covered by small dark pits. Only a large photo of a face has "
        "it.",
        method="mean response of a Hessian pit filter (Frangi 1998, for blobs) to dark pits of L*, "
        f"σ = 1.2 px of {FACE_SIDE} from forehead to chin; higher is more pores",
        measured=_pores,
        regions=("zone",),
        zones=("nose", "left_cheek", "right_cheek"),
    ),
)
