"""``python -m research.cards``: the tone measured with a reference, on real photos with simulated cards.

A colour checker, a grey card, or a white patch whose colour is stated, is rendered onto each photo of pad. Photo and
card are put into another light and exposure together, then noise, clipping and JPEG follow. The true angle is the one
in the photo before, taken as D65. Two models of the light: "gains" scales linear sRGB by the colour of the light;
"spectra" computes skin by the optical model and the patches by smooth spectra under Planck's (below 5,000 K) or the
CIE's daylight spectra, as a camera that sees as the standard observer. The camera's white balance removes none, half or
all of the light's colour. With ``--contrast S``, a tone curve (a power of SD S) and uneven light (5%) come on top.

Prints the share of photos measured, the error of the angle, the share within 4°, and how often the stated uncertainty
holds. ``--part fit`` takes a third of the patients, ``check`` the others. ``--write FILE`` writes the error in CIELAB
that 95% of the shots stay within; serving turns it into the uncertainty of the angle.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import lsq_linear

from ml.imaging.encodings import linear_to_srgb
from ml.skin import colour, optics
from ml.skin.colour import srgb_to_linear, working_copy
from ml.skin.frame import Frame, Subject
from ml.skin.reference import REFLECTANCE, Reference, ReferenceKind
from ml.skin.regions import Region
from ml.skin.tone import tone_of, typology_angle
from ml.training.statistics import wilson
from ml.values import RGB, Mask

Floats = NDArray[np.float64]

TEMPERATURES = (2800, 3500, 4500, 5500, 6500, 8000)
STOPS = (-1.5, -0.75, 0.0, 0.5, 1.0)
WHITE_BALANCE = (0.0, 0.5, 1.0)
KINDS: tuple[ReferenceKind, ...] = ("colour_checker", "grey_card", "white_point")
_NOISE, _QUALITY, _UNEVEN = 2.0, 85, 0.05
# fmt: off
PATCHES = np.array([  # sRGB codes of the ColorChecker Classic under D65 (X-Rite)
    (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170), (214, 126, 44),
    (80, 91, 166), (193, 90, 99), (94, 60, 108), (157, 188, 64), (224, 163, 46), (56, 61, 150), (70, 148, 73),
    (175, 54, 60), (231, 199, 31), (187, 86, 149), (8, 133, 161), (243, 243, 242), (200, 200, 200), (160, 160, 160),
    (122, 122, 121), (85, 85, 85), (52, 52, 52),
], np.uint8)
# fmt: on
_FRAME = 18  # code of the checker's black frame
_NM = optics.WAVELENGTHS_NM


@dataclass(frozen=True)
class Shot:
    """How a photo is taken."""

    kelvin: int
    stops: float
    balance: float
    spectral: bool


@dataclass(frozen=True)
class Result:
    kind: str
    shot: Shot
    true: float
    radius: float  # of the true colour from (L* = 50, b* = 0), in CIELAB
    found: float | None
    uncertainty: float | None

    @property
    def error(self) -> float:
        return np.nan if self.found is None else abs((self.found - self.true + 180) % 360 - 180)


def planck(kelvin: float) -> Floats:
    """The spectrum (31,) of a black body, without its factor (CODATA's second radiation constant)."""
    return np.asarray((_NM * 1e-9) ** -5 / (np.exp(1.4388e-2 / (_NM * 1e-9 * kelvin)) - 1))


def light(kelvin: int) -> Floats:
    """The spectrum (31,) of a light: Planck's below 5,000 K; else CIE daylight, as a ratio of Planck's to D65."""
    spectrum = planck(kelvin) if kelvin < 5000 else optics.D65 * planck(kelvin) / planck(6504)
    return np.asarray(spectrum / (optics.observer()[1] @ spectrum))


def camera(reflectance: Floats, kelvin: int | None) -> Floats:
    """Linear sRGB (n, 3) of spectra (n, 31) under a light, Y of white = 1; None is D65."""
    seen = optics.observer() * (optics.D65 / (optics.observer()[1] @ optics.D65) if kelvin is None else light(kelvin))
    d65 = (optics.observer() * optics.D65).sum(axis=1) / (optics.observer()[1] @ optics.D65)
    return np.asarray(reflectance @ seen.T / d65 @ (colour.XYZ_TO_LINEAR * colour.D65).T)


def smooth_spectrum(linear: Floats) -> Floats:
    """The smoothest reflectance (31,) within 0–1 that has this linear sRGB (3,) under D65."""
    seen = camera(np.eye(31), None).T
    second = np.diff(np.eye(31), 2, axis=0)
    stacked = np.vstack([1e3 * seen, second])
    return np.asarray(lsq_linear(stacked, np.append(1e3 * linear, np.zeros(29)), (0, 1)).x)


def skin_spectra() -> Floats:
    """Reflectances (n, 31) of skin of all tones by ml.skin.optics."""
    melanin, blood = (np.exp(of)[:: len(of) // 12, None] for of in (optics.LOG_MELANIN, optics.LOG_BLOOD))
    return np.concatenate([optics.reflectance(melanin, one) for one in blood])


def to_light(kelvin: int, spectral: bool) -> tuple[Floats, Floats]:
    """The matrix (3, 3) that brings linear sRGB of skin from D65 to a light, and white in that light (3,)."""
    white = camera(np.ones((1, 31)), kelvin)[0]
    if not spectral:
        return np.diag(white), white
    skin = skin_spectra()
    matrix, *_ = np.linalg.lstsq(camera(skin, None), camera(skin, kelvin), rcond=None)
    return np.asarray(matrix, np.float64), white


def checker(width: int, patches: Floats, black: Floats) -> Floats:
    """A checker (height, width, 3) of ``patches`` (24, 3)."""
    height = width * 2 // 3
    card = np.broadcast_to(black, (height, width, 3)).copy()
    margin, gap = 0.04 * width, 0.06
    wide, high = (width - 2 * margin) / 6, (height - 2 * margin) / 4
    for number, patch in enumerate(patches):
        row, column = divmod(number, 6)
        left, top = margin + (column + gap) * wide, margin + (row + gap) * high
        card[int(top) : int(top + high * (1 - 2 * gap)), int(left) : int(left + wide * (1 - 2 * gap))] = patch
    return card


def pasted(photo: Floats, card: Floats, centre: tuple[float, float], angle: float) -> tuple[Floats, Mask]:
    """``photo`` with ``card``, turned by an angle in degrees, around a centre (x, y), and the card's pixels (H, W)."""
    height, width = card.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    turn[:, 2] += np.array(centre) - (width / 2, height / 2)
    size = photo.shape[1::-1]
    over = cv2.warpAffine(card, turn, size)
    share = cv2.warpAffine(np.ones((height, width)), turn, size)[..., None]
    return np.asarray(photo * (1 - share) + over), share[..., 0] > 0


def photograph(
    rgb: RGB, kind: ReferenceKind, shot: Shot, rng: np.random.Generator, contrast: float
) -> tuple[RGB, Mask, Reference]:
    """A photo (H, W, 3) of skin and card as sRGB codes, the card's pixels (H, W), and what the request states."""
    matrix, white = to_light(shot.kelvin, shot.spectral)
    gains = white**-shot.balance
    gains = gains / (gains @ colour.LUMA) * 2**shot.stops
    uneven = np.exp(rng.normal(0, _UNEVEN)) if contrast else 1.0
    curve = np.exp(rng.normal(0, contrast)) if contrast else 1.0

    def tone_curve(linear: Floats) -> Floats:
        return np.asarray(np.clip(linear * gains, 0, None) ** curve)

    photo = tone_curve(srgb_to_linear(rgb).astype(np.float64) @ matrix)
    height, width = rgb.shape[:2]
    reflectance = rng.choice((0.18, 0.5, 0.9)) if kind == "white_point" else REFLECTANCE.get(kind, 0.0)
    reference = Reference(kind, float(reflectance))
    if kind == "colour_checker":
        known = srgb_to_linear(PATCHES[:, None])[:, 0].astype(np.float64)
        patches = camera(_patch_spectra(), shot.kelvin) if shot.spectral else known * white
        black = float(srgb_to_linear(np.full((1, 1, 3), _FRAME, np.uint8))[0, 0, 0]) * white
        card = checker(int(0.5 * min(height, width)), tone_curve(patches * uneven), tone_curve(black * uneven))
    else:
        side = int((0.28 if kind == "grey_card" else 0.15) * min(height, width))
        card = np.broadcast_to(tone_curve(white * reference.reflectance * uneven), (side, side * 4 // 3, 3)).copy()
    centre = width * rng.uniform(0.4, 0.6), height - 0.55 * card.shape[0] * rng.uniform(1.05, 1.4)
    linear, covered = pasted(photo, card, centre, rng.uniform(-12, 12))
    noisy = linear_to_srgb(np.clip(linear, 0, 1).astype(np.float32)) + rng.normal(0, _NOISE, linear.shape)
    codes = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", codes[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    shown = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
    if kind == "white_point":
        x, y = (int(at) for at in centre)
        near = shown[y - side // 5 : y + side // 5, x - side // 5 : x + side // 5].reshape(-1, 3).mean(axis=0)
        reference = Reference(kind, reference.reflectance, (round(near[0]), round(near[1]), round(near[2])))
    return shown, covered, reference


_SPECTRA: list[Floats] = []


def _patch_spectra() -> Floats:
    if not _SPECTRA:
        linear = srgb_to_linear(PATCHES[:, None])[:, 0].astype(np.float64)
        _SPECTRA.append(np.stack([smooth_spectrum(patch) for patch in linear]))
    return _SPECTRA[0]


def shots(photos: list[RGB], each: int, contrast: float, seed: int) -> Iterator[Result]:
    rng = np.random.default_rng(seed)
    for rgb in photos:
        for number in range(each):
            shot = Shot(
                int(rng.choice(TEMPERATURES)),
                float(rng.choice(STOPS)),
                float(rng.choice(WHITE_BALANCE)),
                bool((number + rng.integers(2)) % 2),
            )
            kind = KINDS[number % len(KINDS)]
            photo, covered, reference = photograph(rgb, kind, shot, rng, contrast)
            frame = Frame(rgb)
            part = Subject(frame).whole
            angle = typology_angle(frame.lab[..., 0], frame.lab[..., 2], Region(part.region.mask & ~covered))
            if angle is None:
                continue
            tone = tone_of(Subject(Frame(photo, reference=reference)))
            known = tone.reference is not None
            radius = float(np.hypot(angle.lightness - 50, angle.yellowness))
            yield Result(kind, shot, angle.degrees, radius, tone.ita_deg if known else None, tone.ita_uncertainty_deg)


def report(name: str, found: list[Result]) -> None:
    measured = [one for one in found if one.found is not None]
    if not measured:
        print(f"{name:28} n {len(found):4}  none measured")
        return
    error = np.array([one.error for one in measured])
    within, holds = int((error <= 4).sum()), sum(one.error <= (one.uncertainty or 0) for one in measured)
    low, high = wilson(within, len(error))
    low_u, high_u = wilson(holds, len(error))
    stated = np.median([one.uncertainty or 0 for one in measured])
    print(
        f"{name:28} n {len(found):4}  measured {len(measured) / len(found):.2f}  error {np.median(error):4.1f}° "
        f"p95 {np.percentile(error, 95):5.1f}°  within 4° {within / len(error):.3f} [{low:.3f}, {high:.3f}]  "
        f"± {stated:4.1f}° holds {holds / len(error):.3f} [{low_u:.3f}, {high_u:.3f}]"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DERMSERVE_SHARED", "")) / "data" / "pad")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--each", type=int, default=6, help="shots of each photo")
    parser.add_argument("--contrast", type=float, default=0.0)
    parser.add_argument("--part", choices=("fit", "check"), default="check")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--write", type=Path, help="params/tone.json, whose reference is replaced")
    options = parser.parse_args(arguments)
    rows = [
        row
        for row in csv.DictReader((options.data / "labels.csv").open())
        if (int(row["patient_id"].split("_")[1]) % 3 == 0) == (options.part == "fit")
    ]
    chosen = np.random.default_rng(options.seed).permutation(len(rows))[: options.photos]
    photos = [working_copy(np.asarray(Image.open(options.data / rows[i]["file"]).convert("RGB"))) for i in chosen]
    found = list(shots(photos, options.each, options.contrast, options.seed))
    errors = {}
    for kind in KINDS:
        own = [one for one in found if one.kind == kind]
        report(kind, own)
        for spectral in (False, True):
            report(f"  {'spectra' if spectral else 'gains'}", [one for one in own if one.shot.spectral == spectral])
        for kelvin in TEMPERATURES:
            report(f"  {kelvin} K", [one for one in own if one.shot.kelvin == kelvin])
        for stops in STOPS:
            report(f"  {stops:+.2f} stops", [one for one in own if one.shot.stops == stops])
        arcs = [np.radians(one.error) * one.radius for one in own if one.found is not None]
        errors[kind] = round(float(np.percentile(arcs, 95)), 2)
        print(f"  error in CIELAB: 90% {np.percentile(arcs, 90):.2f}, 95% {np.percentile(arcs, 95):.2f}")
    if options.write:
        facts = json.loads(options.write.read_text(encoding="utf-8"))
        facts["reference"] = {
            "lab_error": errors,
            "command": f"python -m research.cards --part {options.part} --photos {options.photos} "
            f"--each {options.each} --contrast {options.contrast} --seed {options.seed} "
            "--write ml/skin/params/tone.json",
            "data": "PAD-UFES-20 (CC BY 4.0), pad: a third of the patients, with simulated cards",
            "meaning": "95% quantile of the error of L* and b* together, as the arc of the angle's error",
        }
        options.write.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
