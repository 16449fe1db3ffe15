"""Plans a synthetic dataset: the parameters of its cases, photos, light and camera, without any pixels.

A block of 100 cases combines ten conditions with ten tones, as in a Latin square. Each run of ten cases has every tone
and every condition once, and each block has every pair once. So counts differ by at most one for any number of cases,
and a short plan is the beginning of a longer one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from scin.synthetic.conditions import CONDITIONS, Condition
from scin.synthetic.optics import MONK_TONES, RESTING_BLOOD, tone_melanin

GENERATOR_VERSION = 1
"""Increase this number if a change makes the same seed give different bytes."""

RUN = len(CONDITIONS)
BLOCK = RUN * len(MONK_TONES)
WITHOUT_LABEL_EVERY = 2 * RUN  # one case in twenty
AGE_GROUPS = ("AGE_18_TO_29", "AGE_30_TO_39", "AGE_40_TO_49", "AGE_50_TO_59", "AGE_60_TO_69", "AGE_UNKNOWN")
SEXES = ("FEMALE", "MALE", "OTHER_OR_UNSPECIFIED")
HAIRY_PARTS = ("arm", "leg", "torso_front")

PHOTOS_PER_CASE = (1, 2, 3)
PHOTO_SHARES = (0.35, 0.28, 0.37)
FIRST_SHOT_SHARES = {"CLOSE_UP": 0.62, "AT_AN_ANGLE": 0.22, "AT_DISTANCE": 0.16}
TILT_DEG = {"CLOSE_UP": 8.0, "AT_AN_ANGLE": 42.0, "AT_DISTANCE": 15.0}
SIDES_PX = (352, 384, 416)
#: of body parts that are narrow enough to show their edges
HALF_WIDTH_MM = {
    "arm": 42.0,
    "leg": 62.0,
    "back_of_hand": 44.0,
    "foot_top_or_side": 44.0,
    "head_or_neck": 66.0,
}
CLOTHS = (
    (0.55, 0.55, 0.53),
    (0.06, 0.09, 0.20),
    (0.10, 0.22, 0.16),
    (0.25, 0.26, 0.28),
    (0.03, 0.03, 0.035),
    (0.30, 0.40, 0.52),
)  # linear sRGB


@dataclass(frozen=True, slots=True)
class Limb:
    """A cylinder of skin in front of a cloth (linear sRGB); ``axis_deg`` is its direction in the photo."""

    half_width_mm: float
    axis_deg: float
    offset_mm: float
    cloth_rgb: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Light:
    """A broad lamp; ``ambient`` is the share of light from all directions, ``falloff`` its unevenness, both 0–1."""

    azimuth_deg: float
    elevation_deg: float
    ambient: float
    falloff: float


@dataclass(frozen=True, slots=True)
class Camera:
    """``exposure`` and ``white_balance`` (R, G, B) are gains; ``noise`` is a standard deviation in linear light at
    white, ``blur_px`` one in pixels."""

    exposure: float
    white_balance: tuple[float, float, float]
    noise: float
    blur_px: float


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """One photo of a case. ``centre_mm`` is the point it aims at, relative to the middle of the lesions."""

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

    @property
    def pixels_per_mm(self) -> float:
        """In the middle of the frame."""
        return min(self.height, self.width) / self.frame_mm


@dataclass(frozen=True, slots=True)
class CaseSpec:
    """One case. ``condition`` is what is drawn; ``melanin`` and ``haemoglobin`` are volume fractions of bare skin.

    ``quality`` is ``sufficient``, ``insufficient`` (no dermatologist can grade it) or ``unlabelled`` (gradable, but
    without a label).
    """

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


class Purpose(IntEnum):
    """The purpose of a random stream. A new purpose gets a new number, so that the other streams do not change."""

    ORDER = 0
    CASE = 1
    VIEWS = 2
    RATERS = 3
    ANSWERS = 4
    SKIN = 5
    LESIONS = 6
    PHOTO = 7


def stream(seed: int, purpose: Purpose, *path: int) -> np.random.Generator:
    """The random generator of one purpose and ``path`` (case, view, …), so that the order of work changes no byte."""
    key = (GENERATOR_VERSION, int(purpose), *path)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=key)))


def plan_cases(cases: int, seed: int) -> list[CaseSpec]:
    """The plan of ``cases`` cases. Raises ValueError when ``cases`` is below 1 or ``seed`` is negative."""
    if cases < 1:
        raise ValueError(f"cases must be at least 1, not {cases}")
    if seed < 0:
        raise ValueError(f"seed must not be negative, not {seed}")
    return [_plan_case(seed, index) for index in range(cases)]


def _plan_case(seed: int, index: int) -> CaseSpec:
    rng = stream(seed, Purpose.CASE, index)
    monk, condition = _tone_and_condition(seed, index)
    quality = _quality(seed, index, monk)
    body_part = str(rng.choice(condition.body_parts))
    hairy = body_part in HAIRY_PARTS and rng.random() < 0.45
    return CaseSpec(
        case_id=_signed_id(seed, index),
        index=index,
        seed=seed,
        condition=condition.name,
        monk=monk,
        melanin=tone_melanin()[monk - 1] * float(np.exp(0.08 * np.clip(rng.standard_normal(), -2, 2))),
        haemoglobin=RESTING_BLOOD * float(np.exp(0.2 * np.clip(rng.standard_normal(), -2, 2))),
        severity=float(rng.uniform(0.75, 1.25)),
        hairiness=float(rng.uniform(0.3, 1.0)) if hairy else 0.0,
        oiliness=float(rng.uniform(0.15, 0.9)),
        body_part=body_part,
        age_group=str(rng.choice(AGE_GROUPS)),
        sex=str(rng.choice(SEXES)),
        quality=quality,
        views=_plan_views(seed, index, condition.extent_mm, body_part, blurred=quality == "insufficient"),
    )


def _signed_id(seed: int, *path: int) -> str:
    """A signed 64-bit number in decimal, like SCIN's ids."""
    text = "/".join(str(part) for part in ("synthetic", GENERATOR_VERSION, seed, *path))
    return str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True))


def _tone_and_condition(seed: int, index: int) -> tuple[int, Condition]:
    block, place = divmod(index, BLOCK)
    run, step = divmod(place, RUN)
    order = stream(seed, Purpose.ORDER, block)
    tone_order, condition_order, run_order = (order.permutation(RUN) for _ in range(3))
    within = stream(seed, Purpose.ORDER, block, run).permutation(RUN)[step]
    condition = CONDITIONS[condition_order[(within + run_order[run]) % RUN]]
    return int(MONK_TONES[tone_order[within]]), condition


def _quality(seed: int, index: int, monk: int) -> str:
    """One case in twenty has no label, each tone in turn; one in four of these is gradable."""
    group, place = divmod(index, WITHOUT_LABEL_EVERY)
    turn = stream(seed, Purpose.ORDER, 0).permutation(len(MONK_TONES))
    if place >= RUN or monk != MONK_TONES[turn[group % len(turn)]]:
        return "sufficient"
    return "unlabelled" if group % 4 == 3 else "insufficient"


def _plan_views(seed: int, index: int, extent_mm: float, body_part: str, *, blurred: bool) -> tuple[ViewSpec, ...]:
    """One to three photos of a case; ``blurred`` spoils them all, as in a case that cannot be graded."""
    rng = stream(seed, Purpose.VIEWS, index)
    count = int(rng.choice(PHOTOS_PER_CASE, p=PHOTO_SHARES))
    first = str(rng.choice(list(FIRST_SHOT_SHARES), p=list(FIRST_SHOT_SHARES.values())))
    others = [str(kind) for kind in rng.permutation([kind for kind in FIRST_SHOT_SHARES if kind != first])]
    shots = [first, *others][:count]
    return tuple(
        _plan_view(rng, _signed_id(seed, index, number), shot, extent_mm, body_part, blurred=blurred)
        for number, shot in enumerate(shots, start=1)
    )


def _plan_view(
    rng: np.random.Generator, image_id: str, shot: str, extent_mm: float, body_part: str, *, blurred: bool
) -> ViewSpec:
    frame_mm = _frame_mm(rng, shot, extent_mm)
    height, width = (int(side) for side in rng.choice(SIDES_PX, size=2))
    drift = 0.06 * frame_mm
    return ViewSpec(
        image_id=image_id,
        shot_type=shot,
        height=height,
        width=width,
        frame_mm=frame_mm,
        centre_mm=(float(rng.uniform(-drift, drift)), float(rng.uniform(-drift, drift))),
        rotation_deg=float(rng.uniform(-180.0, 180.0)),
        tilt_deg=float(rng.uniform(0.55, 1.0)) * TILT_DEG[shot],
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
    limb = Limb(
        half_width_mm=HALF_WIDTH_MM.get(body_part, 0.0) * float(rng.uniform(0.9, 1.15)),
        axis_deg=float(rng.uniform(0.0, 180.0)),
        offset_mm=float(rng.uniform(-8.0, 8.0)),
        cloth_rgb=CLOTHS[int(rng.integers(len(CLOTHS)))],
    )
    return limb if shot == "AT_DISTANCE" and body_part in HALF_WIDTH_MM else None


def _camera(rng: np.random.Generator, *, blurred: bool) -> Camera:
    warmth, tint = (rng.normal(0.0, 0.05), rng.normal(0.0, 0.015)) if rng.random() < 0.5 else (0.0, 0.0)
    exposure = float(np.exp(np.clip(rng.normal(0.0, 0.12), -0.25, 0.25)))
    noise, blur = float(rng.uniform(0.006, 0.012)), float(rng.uniform(0.45, 0.8))
    if blurred:
        exposure *= float(rng.choice([0.25, 0.5, 1.9]))
        noise, blur = 3.0 * noise, float(rng.uniform(5.0, 9.0))
    gains = (float(np.exp(warmth)), float(np.exp(tint)), float(np.exp(-warmth)))
    return Camera(exposure, gains, noise, blur)
