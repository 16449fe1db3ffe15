"""Pores: dark pits in the skin of nose and cheeks, told only where a face fills enough of the original photo.

The working copy is too small for them, so this looks at the photo itself, a zone at a time, at one scale of the face.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import lightness
from ml.skin.declaration import Measure
from ml.skin.face import zone_mask
from ml.skin.regions import Region
from ml.skin.ridges import pit_response
from ml.skin.surface import detail_of
from ml.values import RGB, Mask, Measurement, Zone

Floats = NDArray[np.float32]

ZONES = ("nose", "left_cheek", "right_cheek")
FACE_SIDE = 640  #: pixels from forehead to chin at which pits are looked for: about a quarter of a millimetre each
LEAST_SIDE = 800  #: of the face in the photo; its copy at 0.8 of the size then holds as much
_SMOOTHING, _WAVE = 0.6, 4.0  # pixels at that size
PORES = Measure(
    name="pores",
    label="Pores",
    unit="%",
    direction="more pores",
    description="How much of the nose or a cheek is covered by small dark pits. Only a large photo of a face has it.",
    method="mean response of a Hessian pit filter (Frangi 1998, for blobs) to dark pits of L*, "
    f"σ = 1.2 px of {FACE_SIDE} from forehead to chin; higher is more pores",
    regions=("zone",),
)
MEASURES = (PORES,)


def measure_pores(photo: RGB, zones: Iterable[Zone], skin: Mask) -> dict[str, Measurement]:
    """Pores of each of ``zones`` that has a measure of them, in percent of its area, by its name.

    ``photo`` (H, W, 3) is as large as there is; ``skin`` (h, w) is of its working copy. None where the face is under
    800 pixels from forehead to chin.
    """
    shown = list(zones)
    if not shown:
        return {}
    height, width = photo.shape[:2]
    corners = np.array([corner for zone in shown for corner in zone.polygon]) * (width, height)
    side = float(np.ptp(corners, axis=0).max())
    return {
        zone.name: _pores(photo, zone, skin, FACE_SIDE / side) if side >= LEAST_SIDE else PORES.measurement(zone.name)
        for zone in shown
        if zone.name in ZONES
    }


def _pores(photo: RGB, zone: Zone, skin: Mask, scale: float) -> Measurement:
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
    region = Region(zone.name, cv2.erode(inside.view(np.uint8), np.ones((9, 9), np.uint8)).astype(np.bool_))
    return region.mean(PORES, np.asarray(100 * pit_response(detail), np.float32))


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
