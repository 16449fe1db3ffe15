"""Draws a square of skin with the lesions of a case, and maps each pixel of a photo to a point on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from scin.synthetic.conditions import BY_NAME
from scin.synthetic.lesions import PATCH_PX, Spot, fractal_noise, paint, smooth_noise
from scin.synthetic.optics import Map
from scin.synthetic.plan import CaseSpec, Limb, Purpose, ViewSpec, stream

FURROW_SPACING_MM = 0.6
FURROW_DEPTH_MM = 0.022
FURROW_DIRECTIONS_DEG = (32.0, -38.0)  # two crossing families make the rhombic net of the skin's relief
CAMERA_DISTANCE_FRAMES = 3.0  # distance of the camera, in frame widths
FLAT_BODY_CURVATURE = 0.22  # lean of the normal at the frame's edge where no limb is shown


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """Aligned float32 maps of a square of skin.

    - ``bare`` [P, P, 4]: changes of log melanin and log blood, and the relief's slopes in x and y. Outside the square
      it continues by mirroring; the other maps are 0 there.
    - ``changes`` [P, P, 4]: the same of the lesions.
    - ``material`` [P, P, 4]: scale, crust, fluid, gloss.
    - ``marks`` [P, P, 2]: lesion mask and hair, 0 to 1.
    - ``spots``: the lesions' centres in mm from the middle.
    - ``freckled``: the bare skin has faint brown spots, which are not lesions.
    """

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
    patch = paint(spec, stream(spec.seed, Purpose.LESIONS, spec.index), extent)
    rng = stream(spec.seed, Purpose.SKIN, spec.index)
    changes = np.dstack([patch.melanin, patch.blood, *_slopes(patch.height, patch.pixels_per_mm)])
    material = np.dstack([patch.scale, patch.crust, patch.fluid, patch.gloss])
    marks = np.dstack([patch.mask.astype(np.float32), _hair(rng, spec.hairiness, patch.pixels_per_mm)])
    bare, freckled = _bare_skin(rng, patch.pixels_per_mm)
    return Skin(extent, bare, changes, material, marks, tuple(patch.spots), freckled)


def _bare_skin(rng: np.random.Generator, pixels_per_mm: float) -> tuple[Map, bool]:
    """The maps of ``Skin.bare``, and whether there are freckles."""
    net = _furrows(rng, max(FURROW_SPACING_MM * pixels_per_mm, 3.0))
    pores = np.clip(_band_noise(rng, max(1.4 * pixels_per_mm, 3.0)) - 1.6, 0.0, 1.0)
    melanin = 0.05 * fractal_noise(rng, 28.0 * pixels_per_mm) + 0.05 * fractal_noise(rng, 2.6 * pixels_per_mm)
    freckle_strength = np.float32(rng.choice((0.0, 0.0, 0.0, 0.35)))  # most people have none
    freckles = freckle_strength * np.clip(_band_noise(rng, 4.5 * pixels_per_mm) - 1.7, 0.0, 0.8)
    melanin += 0.06 * (net - float(net.mean())) + freckles
    blood = 0.11 * fractal_noise(rng, 18.0 * pixels_per_mm) + 0.12 * fractal_noise(rng, 3.5 * pixels_per_mm)
    relief = -FURROW_DEPTH_MM * net - 0.03 * pores + 0.012 * _band_noise(rng, 4.0 * pixels_per_mm)
    return np.dstack([melanin, blood, *_slopes(relief.astype(np.float32), pixels_per_mm)]), bool(freckles.any())


def _band_noise(rng: np.random.Generator, wavelength_px: float) -> Map:
    return smooth_noise(rng, PATCH_PX, wavelength_px, wavelength_px)


def _furrows(rng: np.random.Generator, spacing_px: float) -> Map:
    """Depth in [0, 1] of a net of fine furrows: the zero lines of two stretched noises."""
    depth = np.zeros((PATCH_PX, PATCH_PX), np.float32)
    for direction in FURROW_DIRECTIONS_DEG:
        turn = cv2.getRotationMatrix2D((PATCH_PX / 2, PATCH_PX / 2), direction + float(rng.normal(0.0, 6.0)), 1.0)
        streaks = smooth_noise(rng, PATCH_PX, 5.0 * spacing_px, 2.0 * spacing_px)
        turned = cv2.warpAffine(streaks, turn, (PATCH_PX, PATCH_PX), borderMode=cv2.BORDER_REFLECT_101)
        depth = np.maximum(depth, np.exp(-((turned * np.float32(3.2)) ** 2)))
    return depth


def _slopes(height_mm: Map, pixels_per_mm: float) -> tuple[Map, Map]:
    scale = pixels_per_mm / 8.0  # the weights of the Sobel kernel span eight pixels
    x = cv2.Sobel(height_mm, cv2.CV_32F, 1, 0, scale=scale)
    y = cv2.Sobel(height_mm, cv2.CV_32F, 0, 1, scale=scale)
    return np.asarray(x), np.asarray(y)


def _hair(rng: np.random.Generator, hairiness: float, pixels_per_mm: float) -> Map:
    """Opacity of hairs in [0, 1]: short bent lines in roughly the same direction."""
    canvas = np.zeros((PATCH_PX, PATCH_PX), np.uint8)
    direction = float(rng.uniform(0.0, 2 * np.pi))
    extent = PATCH_PX / pixels_per_mm
    for _ in range(int(0.012 * hairiness * extent * extent)):
        heading = direction + float(rng.normal(0.0, 0.3))
        turn = float(rng.normal(0.0, 0.25))
        steps = np.linspace(0.0, float(rng.uniform(4.0, 9.0)) * pixels_per_mm, 6)
        bent = heading + turn * np.linspace(0.0, 1.0, 6)
        root = rng.uniform(0.0, PATCH_PX, size=2)
        points = np.stack([root[0] + steps * np.cos(bent), root[1] + steps * np.sin(bent)], axis=-1)
        line = np.round(points * 8).astype(np.int32)
        cv2.polylines(canvas, [line], False, int(rng.integers(110, 230)), 1, cv2.LINE_AA, shift=3)
    return np.asarray(canvas, dtype=np.float32) / np.float32(255.0)


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """For each pixel [H, W]: its point on the skin in mm (``x_mm``, ``y_mm``), the lean of the body's surface there
    (the normal's components in the photo's plane, ``lean_x`` and ``lean_y``), and ``coverage``, 1 on skin, else 0."""

    x_mm: Map
    y_mm: Map
    lean_x: Map
    lean_y: Map
    coverage: Map
    turn_rad: float
    pixels_per_mm: float


def project(view: ViewSpec) -> Projection:
    """Trace each pixel of a view to the skin."""
    pixels_per_mm = view.pixels_per_mm
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


def _wrap(limb: Limb, x: Map, y: Map, pixels_per_mm: float) -> tuple[Map, Map, Map, Map, Map]:
    """Wrap the skin around a cylinder: towards its sides, each pixel covers more skin."""
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


def sample(maps: Map, extent_mm: float, projection: Projection, *, mirrored: bool) -> Map:
    """Maps [P, P, C] of the skin at each pixel, float32 [H, W, C]; outside the square they are mirrored, or 0."""
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
    """The number of lesions whose centre is on skin in the frame."""
    coarse = (slice(None, None, 4), slice(None, None, 4))
    off_skin = projection.coverage[coarse] < 0.5
    seen = 0
    for x_mm, y_mm in skin.spots:
        away = np.hypot(projection.x_mm[coarse] - x_mm, projection.y_mm[coarse] - y_mm)
        away[off_skin] = np.inf
        seen += bool(away.min() * projection.pixels_per_mm < 5.0)
    return seen
