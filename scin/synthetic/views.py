"""One to three photos of a case: where each stands, how it is lit, and what its camera does."""

from __future__ import annotations

import numpy as np

from scin.synthetic.streams import Purpose, signed_id, stream
from scin.synthetic.values import Camera, Light, Limb, ViewSpec

PHOTOS_PER_CASE = (1, 2, 3)
PHOTO_SHARES = (0.35, 0.28, 0.37)
FIRST_SHOT_SHARES = {"CLOSE_UP": 0.62, "AT_AN_ANGLE": 0.22, "AT_DISTANCE": 0.16}
SIDES_PX = (352, 384, 416)
HALF_WIDTH_MM = {
    "arm": 42.0,
    "leg": 62.0,
    "back_of_hand": 44.0,
    "foot_top_or_side": 44.0,
    "head_or_neck": 66.0,
}  # the trunk is too wide to show an edge
CLOTHS = (
    (0.55, 0.55, 0.53),
    (0.06, 0.09, 0.20),
    (0.10, 0.22, 0.16),
    (0.25, 0.26, 0.28),
    (0.03, 0.03, 0.035),
    (0.30, 0.40, 0.52),
)  # linear sRGB reflectances


def plan_views(seed: int, index: int, extent_mm: float, body_part: str, *, blurred: bool) -> tuple[ViewSpec, ...]:
    """The views of one case; `blurred` spoils them all, as in a case that cannot be graded."""
    rng = stream(seed, Purpose.VIEWS, index)
    count = int(rng.choice(PHOTOS_PER_CASE, p=PHOTO_SHARES))
    first = str(rng.choice(list(FIRST_SHOT_SHARES), p=list(FIRST_SHOT_SHARES.values())))
    others = [str(kind) for kind in rng.permutation([kind for kind in FIRST_SHOT_SHARES if kind != first])]
    shots = [first, *others][:count]
    return tuple(
        _view(rng, signed_id(seed, index, number), shot, extent_mm, body_part, blurred=blurred)
        for number, shot in enumerate(shots, start=1)
    )


def _view(
    rng: np.random.Generator, image_id: str, shot: str, extent_mm: float, body_part: str, *, blurred: bool
) -> ViewSpec:
    frame_mm = _frame_mm(rng, shot, extent_mm)
    height, width = (int(side) for side in rng.choice(SIDES_PX, size=2))
    drift = 0.06 * frame_mm
    tilt = {"CLOSE_UP": 8.0, "AT_AN_ANGLE": 42.0, "AT_DISTANCE": 15.0}[shot]
    return ViewSpec(
        image_id=image_id,
        shot_type=shot,
        height=height,
        width=width,
        frame_mm=frame_mm,
        centre_mm=(float(rng.uniform(-drift, drift)), float(rng.uniform(-drift, drift))),
        rotation_deg=float(rng.uniform(-180.0, 180.0)),
        tilt_deg=float(rng.uniform(0.55, 1.0)) * tilt,
        limb=_limb(rng, shot, body_part),
        light=Light(
            azimuth_deg=float(rng.uniform(0.0, 360.0)),
            elevation_deg=float(rng.uniform(38.0, 65.0)),
            ambient=float(rng.uniform(0.35, 0.65)),
            falloff=float(rng.uniform(0.0, 0.3)),
        ),
        camera=_camera(rng, blurred=blurred),
    )


def _frame_mm(rng: np.random.Generator, shot: str, extent_mm: float) -> float:
    if shot == "CLOSE_UP":
        return extent_mm * float(rng.uniform(0.48, 0.66))
    if shot == "AT_AN_ANGLE":
        return extent_mm * float(rng.uniform(0.65, 0.85))
    return max(extent_mm * 1.3, 120.0) * float(rng.uniform(1.0, 1.35))


def _limb(rng: np.random.Generator, shot: str, body_part: str) -> Limb | None:
    shown = shot == "AT_DISTANCE" and body_part in HALF_WIDTH_MM
    half_width = HALF_WIDTH_MM.get(body_part, 0.0) * float(rng.uniform(0.9, 1.15))
    axis = float(rng.uniform(0.0, 180.0))
    offset = float(rng.uniform(-8.0, 8.0))
    cloth = CLOTHS[int(rng.integers(len(CLOTHS)))]
    return Limb(half_width, axis, offset, cloth) if shown else None


def _camera(rng: np.random.Generator, *, blurred: bool) -> Camera:
    warmth, tint = (rng.normal(0.0, 0.05), rng.normal(0.0, 0.015)) if rng.random() < 0.5 else (0.0, 0.0)
    exposure = float(np.exp(np.clip(rng.normal(0.0, 0.12), -0.25, 0.25)))
    noise, blur = float(rng.uniform(0.006, 0.012)), float(rng.uniform(0.45, 0.8))
    if blurred:
        exposure *= float(rng.choice([0.25, 0.5, 1.9]))
        noise, blur = 3.0 * noise, float(rng.uniform(5.0, 9.0))
    gains = (float(np.exp(warmth)), float(np.exp(tint)), float(np.exp(-warmth)))
    return Camera(exposure, gains, noise, blur)
