"""``python -m research.cards``: the tone measured with a reference, on real photos with simulated cards.

A colour checker, a grey card, or a white patch whose colour is stated, is rendered onto each photo of pad. Photo and
card are put into another light and exposure together, then noise, clipping and JPEG follow. The true angle is the one
in the photo before, taken as D65. Two models of the light: "gains" scales linear sRGB by the colour of the light;
"spectra" computes skin by the optical model and the patches by their measured spectra under Planck's (below 5,000 K) or
the CIE's daylight spectra (research.lights), as a camera that sees as the standard observer. What is served was fitted
to other spectra: of measured skin, and of patches made up from their published colours. The camera's white balance
removes none, half or all of the light's colour. With ``--contrast S``, a tone curve (a power of SD S) and uneven light
(5%) come on top.

Prints the share of photos measured, the error of the angle, the share within 4°, and how often the stated uncertainty
holds. ``--part fit`` takes a third of the patients, ``check`` the others. ``--write FILE`` writes the errors of L* and
b* of which serving makes an uncertainty of the angle that holds in 95% of the shots.
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

import ml.skin.tone
from ml.imaging.encodings import linear_to_srgb
from ml.skin import colour
from ml.skin.colour import srgb_to_linear, working_copy
from ml.skin.frame import Frame, Subject
from ml.skin.reference import KINDS, PATCHES, REFLECTANCE, Reference, ReferenceKind
from ml.skin.regions import Region
from ml.skin.tone import tone_of, typology_angle
from ml.training.statistics import wilson
from ml.values import RGB, Mask
from research.lights import camera, checker_spectra, model_skin, white

Floats = NDArray[np.float64]

TEMPERATURES = (2800, 3500, 4500, 5500, 6500, 8000)
STOPS = (-1.5, -0.75, 0.0, 0.5, 1.0)
WHITE_BALANCE = (0.0, 0.5, 1.0)
_NOISE, _QUALITY, _UNEVEN = 2.0, 85, 0.05
_FRAME = 18  # code of the checker's black frame


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
    lightness: float  # L* and b*, true
    yellowness: float
    found: float | None
    uncertainty: float | None

    @property
    def error(self) -> float:
        return np.nan if self.found is None else abs((self.found - self.true + 180) % 360 - 180)


def to_light(kelvin: int, spectral: bool) -> tuple[Floats, Floats]:
    """The matrix (3, 3) that brings linear sRGB of skin from D65 to a light, and white in that light (3,)."""
    of_light = white(kelvin)
    if not spectral:
        return np.diag(of_light), of_light
    skin = model_skin()
    matrix, *_ = np.linalg.lstsq(camera(skin, None), camera(skin, kelvin), rcond=None)
    return np.asarray(matrix, np.float64), of_light


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
    matrix, of_light = to_light(shot.kelvin, shot.spectral)
    gains = of_light**-shot.balance
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
        patches = camera(checker_spectra(), shot.kelvin) if shot.spectral else srgb_to_linear(PATCHES) * of_light
        black = float(srgb_to_linear(np.full((1, 1, 3), _FRAME, np.uint8))[0, 0, 0]) * of_light
        card = checker(int(0.5 * min(height, width)), tone_curve(patches * uneven), tone_curve(black * uneven))
    else:
        side = int((0.28 if kind == "grey_card" else 0.15) * min(height, width))
        card = np.broadcast_to(tone_curve(of_light * reference.reflectance * uneven), (side, side * 4 // 3, 3)).copy()
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
            found = tone.ita_deg if known else None
            yield Result(kind, shot, angle.degrees, angle.lightness, angle.yellowness, found, tone.ita_uncertainty_deg)


def lab_errors(found: list[Result]) -> tuple[float, float]:
    """Errors of L* and b* that, taken as independent, give the narrowest uncertainty of the angle that holds in 95%."""
    error = np.array([one.error for one in found])
    lightness, yellowness = np.array([(one.lightness - 50, one.yellowness) for one in found]).T
    best: tuple[float, tuple[float, float]] = np.inf, (0.0, 0.0)
    for turn in np.radians(np.arange(15, 76, 3)):  # so that neither error is taken as 0
        errors = np.cos(turn), np.sin(turn)
        one = np.degrees(np.hypot(yellowness * errors[0], lightness * errors[1]) / (lightness**2 + yellowness**2))
        scale = float(np.percentile(error / np.maximum(one, 1e-9), 95))
        best = min(best, (float(np.median(scale * one)), (scale * errors[0], scale * errors[1])))
    return best[1]


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
    if options.write:  # the fit needs the angles that are too uncertain to be stated
        ml.skin.tone.MOST_UNSURE = np.inf
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
        errors[kind] = [round(float(one), 2) for one in lab_errors([one for one in own if one.found is not None])]
        print(f"  errors of L* and b*: {errors[kind]}")
    if options.write:
        facts = json.loads(options.write.read_text(encoding="utf-8"))
        facts["reference"] = {
            "lab_error": errors,
            "command": f"python -m research.cards --part {options.part} --photos {options.photos} "
            f"--each {options.each} --contrast {options.contrast} --seed {options.seed} "
            "--write ml/skin/params/tone.json",
            "data": "PAD-UFES-20 (CC BY 4.0), pad: a third of the patients, with simulated cards",
            "meaning": "errors of L* and b* that give an uncertainty of the angle which holds in 95% of the shots",
        }
        options.write.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
