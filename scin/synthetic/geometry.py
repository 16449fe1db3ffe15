"""Where each pixel of a photo lies on the skin: framing, turn, tilt, and the roundness of a limb."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from scin.synthetic.patch import PATCH_PX, Spot
from scin.synthetic.skin import Skin
from scin.synthetic.values import Limb, Map, ViewSpec

CAMERA_DISTANCE_FRAMES = 3.0  # the camera stands three frames away
FLAT_BODY_CURVATURE = 0.22  # how far the normal leans at the frame's edge where no limb is shown


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """For each pixel [H, W]: the point of the skin in mm (`x_mm`, `y_mm`), the lean of the body's own surface
    (`lean_x`, `lean_y`, the normal's components in the photo's plane), and `coverage`, 1 on skin and 0 beyond."""

    x_mm: Map
    y_mm: Map
    lean_x: Map
    lean_y: Map
    coverage: Map
    turn_rad: float
    pixels_per_mm: float


def project(view: ViewSpec) -> Projection:
    """Trace each pixel of a view to the skin."""
    pixels_per_mm = min(view.height, view.width) / view.frame_mm
    u = (np.arange(view.width, dtype=np.float32) + 0.5 - view.width / 2) / np.float32(pixels_per_mm)
    v = (np.arange(view.height, dtype=np.float32) + 0.5 - view.height / 2) / np.float32(pixels_per_mm)
    tilt = np.radians(view.tilt_deg)
    pull = np.float32(np.sin(tilt) / (CAMERA_DISTANCE_FRAMES * view.frame_mm))
    across, down = np.meshgrid(u, v)
    y = down / (np.float32(np.cos(tilt)) - down * pull)
    x = across * (1.0 + y * pull)
    lean_x, lean_y = (np.float32(2 * FLAT_BODY_CURVATURE / view.frame_mm) * axis for axis in (across, down))
    coverage = np.ones_like(x)
    if view.limb is not None:
        x, y, lean_x, lean_y, coverage = _wrap(view.limb, x, y, pixels_per_mm)
    turn = float(np.radians(view.rotation_deg))
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    x_mm = cosine * x - sine * y + np.float32(view.centre_mm[0])
    y_mm = sine * x + cosine * y + np.float32(view.centre_mm[1])
    return Projection(x_mm, y_mm, lean_x, lean_y, coverage, turn, pixels_per_mm)


def sample(maps: Map, extent_mm: float, projection: Projection, *, mirrored: bool) -> Map:
    """Read maps [P, P, C] of the skin at each pixel, float32 [H, W, C]; beyond the square they are mirrored or 0."""
    finer = PATCH_PX / extent_mm / projection.pixels_per_mm
    if finer > 1.25:  # the photo is coarser than the maps: average first, or fine relief would alias
        side = max(int(PATCH_PX / finer), 8)
        maps = np.asarray(cv2.resize(maps, (side, side), interpolation=cv2.INTER_AREA), dtype=np.float32)
    side = maps.shape[0]
    scale, middle = np.float32(side / extent_mm), np.float32(side / 2 - 0.5)
    border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_CONSTANT
    x, y = projection.x_mm * scale + middle, projection.y_mm * scale + middle
    return np.asarray(cv2.remap(maps, x, y, cv2.INTER_LINEAR, borderMode=border, borderValue=(0.0, 0.0, 0.0, 0.0)))


def count_spots(skin: Skin, projection: Projection) -> int:
    """How many lesions have their centre on skin in the frame."""
    return sum(_is_seen(spot, projection) for spot in skin.spots)


def _is_seen(spot: Spot, projection: Projection) -> bool:
    coarse = (slice(None, None, 4), slice(None, None, 4))
    away = np.hypot(projection.x_mm[coarse] - spot[0], projection.y_mm[coarse] - spot[1])
    away[projection.coverage[coarse] < 0.5] = np.inf
    return bool(away.min() * projection.pixels_per_mm < 5.0)


def _wrap(limb: Limb, x: Map, y: Map, pixels_per_mm: float) -> tuple[Map, Map, Map, Map, Map]:
    """Lay the skin around a cylinder: towards its sides, more skin falls into each pixel."""
    axis = np.radians(limb.axis_deg)
    cosine, sine = np.float32(np.cos(axis)), np.float32(np.sin(axis))
    along, across = cosine * x + sine * y, cosine * y - sine * x + np.float32(limb.offset_mm)
    bulge = 1.0 + 0.06 * np.sin(along / np.float32(1.7 * limb.half_width_mm))
    side = across / (np.float32(limb.half_width_mm) * bulge)
    coverage = np.clip((1.0 - np.abs(side)) * np.float32(limb.half_width_mm * pixels_per_mm) + 0.5, 0.0, 1.0)
    lean = np.clip(side, -0.995, 0.995)
    around = np.float32(limb.half_width_mm) * np.arcsin(lean) - np.float32(limb.offset_mm)
    return (
        np.asarray(cosine * along - sine * around, dtype=np.float32),
        np.asarray(sine * along + cosine * around, dtype=np.float32),
        np.asarray(-sine * lean, dtype=np.float32),
        np.asarray(cosine * lean, dtype=np.float32),
        np.asarray(coverage, dtype=np.float32),
    )
