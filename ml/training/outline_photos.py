"""Photos with lesion masks for training: reading folders, altering copies, and painting lesions with known outlines."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ml.imaging.decode import decode
from ml.values import RGB, Floats, Mask

STORED = 256  #: side in pixels of the photos and masks in memory
PAINTED = 144  #: side in pixels of skin that is painted
_TRIES = 20
_EVEN = 0.4  # share of the skin without a lesion that is generated


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo with the mask of its lesion. ``rgb`` (256, 256, 3) and ``mask`` (256, 256), reduced or enlarged to a
    square. ``truth``: the mask in its own size. ``whose``: photos of one person have the same name. ``kind``: the
    diagnosis, or the name of the folder. ``skin_type``: Fitzpatrick's, as recorded; empty if it was not."""

    name: str
    whose: str
    kind: str
    skin_type: str
    rgb: RGB
    mask: Mask
    truth: Mask


def read_folder(folder: Path) -> list[Photo]:
    """The photos of ``folder`` that have a mask. Raises ValueError if there is none."""
    rows = {}
    if (folder / "labels.csv").exists():
        with (folder / "labels.csv").open(newline="") as file:
            rows = {Path(row["file"]).stem: row for row in csv.DictReader(file)}
    photos = []
    for path in sorted((folder / "img").iterdir()):
        mask = folder / "mask" / f"{path.stem}.png"
        if mask.exists():
            row = rows.get(path.stem, {})
            whose, kind = row.get("patient_id", path.stem), row.get("diagnostic", folder.name)
            photos.append(_read(path, mask, whose, kind, row.get("fitspatrick", "")[:1]))
    if not photos:
        raise ValueError(f"{folder} has no photo with a mask")
    return photos


def _read(path: Path, mask: Path, whose: str, kind: str, skin_type: str) -> Photo:
    rgb = decode(path.read_bytes()).rgb
    truth = decode(mask.read_bytes()).rgb[..., 0] > 127
    small = cv2.resize(rgb, (STORED, STORED), interpolation=cv2.INTER_AREA)
    inside = cv2.resize(truth.astype(np.float32), (STORED, STORED), interpolation=cv2.INTER_AREA) > 0.5
    return Photo(path.stem, whose, kind, skin_type, np.asarray(small, np.uint8), inside, truth)


def augmented(rng: np.random.Generator, rgb: RGB, mask: Mask, side: int) -> tuple[RGB, Mask]:
    """A copy (side, side) of a photo and its mask: flipped, turned, enlarged or reduced, stretched, shifted, in other
    light and colours, blurred, with noise, and sometimes with hairs or dark corners."""
    seen, inside = _moved(rng, rgb, mask, side)
    return _photographed(rng, seen), inside


def beside(rng: np.random.Generator, photo: Photo) -> RGB | None:
    """A square of ``photo`` without its lesion; None if none was found."""
    for _ in range(_TRIES):
        side = int(rng.integers(STORED // 5, STORED // 2))
        top, left = rng.integers(0, STORED - side, 2)
        box = slice(top, top + side), slice(left, left + side)
        if not photo.mask[box].any():
            return np.asarray(cv2.resize(photo.rgb[box], (PAINTED, PAINTED), interpolation=cv2.INTER_LINEAR), np.uint8)
    return None


def plain(rng: np.random.Generator, photo: Photo) -> RGB:
    """Skin without a lesion: a square of ``photo`` beside its lesion, or even skin."""
    found = None if rng.random() < _EVEN else beside(rng, photo)
    return even(rng, photo) if found is None else found


def even(rng: np.random.Generator, photo: Photo) -> RGB:
    """Even skin of the median colour around the lesion of ``photo``, lighter or darker, with fine texture."""
    colour = np.median(photo.rgb[::8, ::8][~photo.mask[::8, ::8]], axis=0) / 255
    tone = (colour ** np.exp(rng.normal(0, 0.6))).astype(np.float32)
    texture = rng.standard_normal((PAINTED, PAINTED, 1), dtype=np.float32)
    fine = cv2.GaussianBlur(texture, (0, 0), float(rng.uniform(0.6, 3)))[..., None]
    return _codes(tone * (1 + np.float32(rng.uniform(0.01, 0.04)) * fine / fine.std()))


def painted(rng: np.random.Generator, skin: RGB) -> tuple[RGB, Mask]:
    """``skin`` with one to three patches of another colour, and their mask."""
    height, width = skin.shape[:2]
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    cover = np.zeros((height, width), np.float32)
    softness = float(np.exp(rng.uniform(np.log(0.02), np.log(0.3))))
    size = float(np.exp(rng.uniform(np.log(0.12), np.log(0.7))))
    for number in range(int(rng.choice((1, 2, 3), p=(0.8, 0.12, 0.08)))):
        y, x = rng.uniform(-0.35, 0.35, 2) if number == 0 else rng.uniform(-0.8, 0.8, 2)
        radius = size * (1 if number == 0 else rng.uniform(0.3, 0.9))
        cover = np.maximum(cover, _blob(rng, rows - y, columns - x, radius, softness))
    ring = rng.random() < 0.1
    depth = cover * (1 - 0.9 * np.clip((cover - 0.5) * 6 - 1, 0, 1)) if ring else cover
    mottled = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), height / 20)
    depth = depth * np.clip(1 + rng.uniform(0, 0.5) * mottled / mottled.std(), 0, 2)
    change = np.exp(rng.normal(-0.45, 0.45) + rng.normal(0, 0.18, 3)).astype(np.float32)
    if np.abs(np.log(change)).max() < 0.12:
        change = np.array([0.85, 0.7, 0.7], np.float32)
    linear = (skin / np.float32(255)) ** np.float32(2.2)
    return _codes((linear * change ** depth[..., None]) ** (1 / 2.2)), cover > 0.5


def _blob(rng: np.random.Generator, rows: Floats, columns: Floats, radius: float, softness: float) -> Floats:
    """How far (H, W), 0–1, an irregular ellipse covers each pixel."""
    stretch, turn = np.exp(rng.uniform(-0.35, 0.35)), rng.uniform(0, np.pi)
    along = (rows * np.cos(turn) + columns * np.sin(turn)) * stretch
    across = (columns * np.cos(turn) - rows * np.sin(turn)) / stretch
    angle = np.arctan2(along, across)
    edge = radius * (1 + sum(rng.normal(0, 0.25) / k * np.cos(k * angle + rng.uniform(0, 7)) for k in (2, 3, 5, 7)))
    return np.asarray(
        1 / (1 + np.exp(np.clip((np.hypot(along, across) / edge - 1) / softness * 4, -30, 30))), np.float32
    )


def _moved(rng: np.random.Generator, rgb: RGB, mask: Mask, side: int) -> tuple[RGB, Mask]:
    height, width = mask.shape
    zoom = np.exp(rng.uniform(-0.4, 0.45))
    aspect = np.exp(rng.uniform(-0.16, 0.16))
    turn = rng.uniform(-np.pi, np.pi) if rng.random() < 0.7 else rng.integers(4) * np.pi / 2
    flip = rng.choice((-1, 1))
    cosine, sine = np.cos(turn), np.sin(turn)
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([flip * zoom * aspect, zoom / aspect])
    linear = linear @ np.diag([side / width, side / height])
    middle = np.array([side, side]) / 2 + rng.uniform(-0.12, 0.12, 2) * side
    move = np.column_stack([linear, middle - linear @ (width / 2, height / 2)])
    # Reduce first, so that no pixel is skipped.
    size, border = (side, side), cv2.BORDER_REFLECT_101
    seen = cv2.warpAffine(rgb, move, size, flags=cv2.INTER_AREA, borderMode=border)
    inside = cv2.warpAffine(mask.astype(np.float32), move, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(seen, np.uint8), inside > 0.5


def _photographed(rng: np.random.Generator, rgb: RGB) -> RGB:
    side = rgb.shape[0]
    values: Floats = rgb.astype(np.float32) / np.float32(255)
    grey = values.mean(axis=2, keepdims=True)
    values = np.maximum(grey + (values - grey) * np.float32(rng.uniform(0.6, 1.4)), np.float32(0))
    values **= np.float32(np.exp(rng.normal(0, 0.25)))
    values *= np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.06, 3)).astype(np.float32)
    across = np.linspace(-1, 1, side, dtype=np.float32)
    slope = rng.normal(0, 0.12, 2).astype(np.float32)
    values *= (1 + slope[0] * across[:, None] + slope[1] * across)[..., None].clip(0.3, None)
    if rng.random() < 0.12:
        values *= _dark_corners(rng, across)
    if rng.random() < 0.15:
        values = _with_hairs(rng, values)
    if rng.random() < 0.35:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), float(rng.uniform(0.4, 1.6))), np.float32)
    if rng.random() < 0.5:
        values += np.float32(rng.uniform(0, 0.03)) * rng.standard_normal(values.shape, dtype=np.float32)
    return _codes(values)


def _dark_corners(rng: np.random.Generator, across: Floats) -> Floats:
    """The light (side, side, 1) that a round field of view lets through, or a shadow that comes from one side."""
    if rng.random() < 0.5:
        y, x = rng.normal(0, 0.1, 2)
        beyond = np.hypot(across[:, None] - y, across - x) - rng.uniform(0.95, 1.3)
    else:
        turn = rng.uniform(0, 2 * np.pi)
        beyond = across[:, None] * np.sin(turn) + across * np.cos(turn) - rng.uniform(0.6, 1.1)
    dark = 1 / (1 + np.exp(-np.clip(beyond * rng.uniform(8, 80), -30, 30)))
    return np.asarray(1 - rng.uniform(0.3, 1) * dark, np.float32)[..., None]


def _with_hairs(rng: np.random.Generator, values: Floats) -> Floats:
    side, colour = values.shape[0], rng.uniform(0.05, 0.35) * np.array([1.0, 0.8, 0.7])
    drawn = np.ascontiguousarray(values)
    for _ in range(int(rng.integers(2, 30))):
        start, turn, length = rng.uniform(0, side, 2), rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.7) * side
        steps, bend = np.linspace(0, 1, 6)[:, None], rng.normal(0, 0.5)
        points = start + length * steps * np.column_stack([np.cos(turn + bend * steps), np.sin(turn + bend * steps)])
        cv2.polylines(drawn, [np.rint(points * 8).astype(np.int32)], False, colour.tolist(), 1, cv2.LINE_AA, 3)
    keep = np.float32(rng.uniform(0.2, 0.7))
    return np.asarray(keep * values + (1 - keep) * drawn, np.float32)


def _codes(values: Floats) -> RGB:
    return np.asarray(np.clip(values * 255 + 0.5, 0, 255), np.uint8)
