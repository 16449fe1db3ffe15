"""The photos of `research.repeatability`: lesions and people with two photos or more, and portraits in other lights."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ml.imaging.decode import decode
from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.values import RGB

LESIONS, PORTRAITS, SIMULATED = "lesions", "portraits", "simulated"
_LIGHTS = 12


@dataclass(frozen=True)
class Photo:
    """``subject``: the lesion or the person that it shows. ``patient``: the person. ``skin_type``: the recorded
    Fitzpatrick type, or empty."""

    source: str
    subject: str
    patient: str
    skin_type: str
    rgb: RGB


def lesion_photos(folder: Path) -> list[Photo]:
    """The photos of lesions of which there are two or more."""
    by_lesion: dict[tuple[str, str], list[Mapping[str, str]]] = defaultdict(list)
    with (folder / "labels.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            by_lesion[row["patient_id"], row["lesion_id"]].append(row)
    return [
        Photo(LESIONS, f"{patient}_{lesion}", patient, row["fitspatrick"][:1], _read(folder / row["file"]))
        for (patient, lesion), rows in by_lesion.items()
        for row in rows
        if len(rows) > 1
    ]


def portraits(folder: Path, *, alone: bool = False) -> list[Photo]:
    """The portraits of people, by the name of the file: a name and perhaps a number, such as ``ann2.jpg``.
    Only of people with two or more, unless ``alone``."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.glob("*.jpg")):
        if (match := re.fullmatch(r"([a-z]+)\d*", path.stem)) and match[1] != "partial":
            by_name[match[1]].append(path)
    return [
        Photo(PORTRAITS, name, name, "", _read(path))
        for name, paths in by_name.items()
        for path in paths
        if alone or len(paths) > 1
    ]


def _read(path: Path) -> RGB:
    return decode(path.read_bytes()).rgb


def relit(portrait: Photo) -> Iterator[Photo]:
    """``portrait`` in ``_LIGHTS`` lights and cameras, all of one subject.

    The standard deviations of exposure (half a stop), white balance (15% of red and of blue) and of the camera's
    contrast and saturation (12%) are those of consumer photos in mixed light; a light from one side takes up to half
    of the other side's. Size, noise, blur and compression change the texture.
    """
    height, width = portrait.rgb.shape[:2]
    across = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    down = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    for number in range(_LIGHTS):
        rng = np.random.default_rng([number, *portrait.subject.encode(), width])
        gains = np.exp2(rng.normal(0, 0.5)) * np.exp(rng.normal(0, (0.15, 0.04, 0.15)))
        angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.66)
        shade = 1 + strength * (np.cos(angle) * across + np.sin(angle) * down)
        linear = srgb_to_linear(portrait.rgb) * gains.astype(np.float32) * shade[..., None]
        linear = np.clip(linear, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.12)))
        grey = linear.mean(axis=-1, keepdims=True)
        linear = np.clip(grey + np.float32(np.exp(rng.normal(0, 0.12))) * (linear - grey), 0, 1)
        size = rng.uniform(0.6, 1)
        small = cv2.resize(linear_to_srgb(linear), None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
        blurred = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.2, 0.8))
        noisy = np.clip(np.rint(blurred + rng.normal(0, rng.uniform(0.5, 2.5), blurred.shape)), 0, 255).astype(np.uint8)
        _, jpeg = cv2.imencode(".jpg", noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(70, 95))])
        rgb = np.ascontiguousarray(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
        subject = f"{portrait.subject} {width}"
        yield Photo(SIMULATED, subject, portrait.patient, "", rgb)
