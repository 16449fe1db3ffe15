"""The photos of `research.changes`: real ones, changed copies, and generated skin before and after a change."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np

from ml.imaging.decode import decode
from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.values import RGB
from scin.synthetic import CaseSpec, plan_cases
from scin.synthetic.lesions import PATCH_PX
from scin.synthetic.render import render_view
from scin.synthetic.skin import Skin, grow_skin

_SUFFIXES = (".jpg", ".jpeg", ".png")
#: conditions whose lesions are red, and those with one distinct mark
RED = ("Eczema", "Folliculitis", "Herpes Zoster", "Insect Bite", "Psoriasis", "Tinea", "Urticaria")
MARKS = ("Melanocytic Nevus", "SK/ISK")


@dataclass(frozen=True)
class Photo:
    """``person``: who it shows, ``subject``: which lesion or whose face."""

    path: Path
    person: str
    subject: str

    @property
    def half(self) -> int:
        """0: limits are fitted with it. 1: figures are reported for it."""
        return crc32(self.person.encode()) % 2

    def read(self) -> RGB:
        return decode(self.path.read_bytes()).rgb


def lesions(folder: Path) -> list[Photo]:
    """The photos of PAD-UFES-20."""
    with (folder / "labels.csv").open(newline="") as file:
        return [
            Photo(folder / row["file"], row["patient_id"], f"{row['patient_id']}_{row['lesion_id']}")
            for row in csv.DictReader(file)
        ]


def faces(folder: Path) -> list[Photo]:
    """The photos in ``folder``, of a different person each."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    return [Photo(path, path.stem, path.stem) for path in paths]


def smaller(rgb: RGB) -> RGB:
    return np.asarray(cv2.resize(rgb, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA), np.uint8)


def compressed(rgb: RGB) -> RGB:
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def brighter(rgb: RGB, factor: float = 1.05) -> RGB:
    return linear_to_srgb(srgb_to_linear(np.ascontiguousarray(rgb)) * np.float32(factor))


#: the changes of a photo that change nothing of the skin
CHANGES: Mapping[str, Callable[[RGB], RGB]] = {
    "80% of the size": smaller,
    "JPEG, quality 80": compressed,
    "5% more light": brighter,
    "5% less light": lambda rgb: brighter(rgb, 0.95),
    "all three": lambda rgb: compressed(brighter(smaller(rgb))),
}


def moved(rgb: RGB, rng: np.random.Generator) -> RGB:
    """``rgb`` as from a slightly different place: turned by up to 10°, up to 30% nearer, and aimed up to 5% beside."""
    height, width = rgb.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-10, 10), rng.uniform(1.0, 1.3))
    matrix = np.asarray(turn, np.float64)
    matrix[:, 2] += rng.uniform(-0.05, 0.05, 2) * np.array((width, height))
    return np.asarray(cv2.warpAffine(rgb, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


@dataclass(frozen=True, eq=False)
class Generated:
    """Photos of generated skin before and after a change. ``tone``: of the Monk scale."""

    case: str
    condition: str
    tone: int
    before: RGB
    after: RGB


def generated(
    conditions: tuple[str, ...], change: Callable[[Skin], Skin], count: int, seed: int, *, retaken: bool
) -> Iterator[Generated]:
    """``count`` cases, each in a close-up before and after ``change``. The second photo has other noise. ``retaken``:
    it is also turned by 4°, from 5% farther, and 10% brighter."""
    found = 0
    for spec in plan_cases(20 * count, seed):
        if spec.quality != "sufficient" or spec.condition not in conditions:
            continue
        if spec.views[0].shot_type != "CLOSE_UP":
            continue
        skin = grow_skin(spec)
        later = _again(spec, moved=retaken)
        after = render_view(later, change(skin), len(later.views) - 1)
        yield Generated(spec.case_id, spec.condition, spec.monk, render_view(spec, skin, 0).rgb, after.rgb)
        found += 1
        if found == count:
            return


def _again(spec: CaseSpec, *, moved: bool) -> CaseSpec:
    """``spec`` with one more view: the first one, taken again."""
    first = spec.views[0]
    if not moved:
        return replace(spec, views=(*spec.views, first))
    camera = replace(first.camera, exposure=1.1 * first.camera.exposure)
    again = replace(first, rotation_deg=first.rotation_deg + 4, frame_mm=1.05 * first.frame_mm, camera=camera)
    return replace(spec, views=(*spec.views, again))


def redder(skin: Skin) -> Skin:
    """30% more redness: the lesions' change of log blood is 1.3 times as large."""
    changes = skin.changes.copy()
    changes[..., 1] *= np.float32(1.3)
    return replace(skin, changes=changes)


def larger(skin: Skin) -> Skin:
    """Lesions of 25% more area: all that they change is stretched about their centre."""
    x, y = (np.mean([spot[axis] for spot in skin.spots]) for axis in (0, 1))
    scale = PATCH_PX / skin.extent_mm
    centre = float(x * scale + PATCH_PX / 2), float(y * scale + PATCH_PX / 2)
    matrix = cv2.getRotationMatrix2D(centre, 0, 1.25**0.5)

    def stretched(maps: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.warpAffine(maps, matrix, (PATCH_PX, PATCH_PX)), np.float32)

    marks = skin.marks.copy()
    marks[..., 0] = stretched(skin.marks[..., 0])
    return replace(skin, changes=stretched(skin.changes), material=stretched(skin.material), marks=marks)


def unchanged(skin: Skin) -> Skin:
    return skin
