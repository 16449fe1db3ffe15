"""The training pictures: real and generated photos of skin, and pictures of other things."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ml.imaging.decode import decode
from ml.values import RGB
from scin.synthetic import CaseSpec, plan_cases, render_case

THING = "thing"
#: skin, where the source does not state whether it is one lesion
SKIN = "skin"
#: folders of photos that were all taken through a dermatoscope
_DERMATOSCOPIC = {"ham": "ham", "isic": "isic", "isic2017": "isic2017/img"}
#: folders of clinical photos; the names of the files begin with the condition
_CLINICAL = ("clinical", "clinical_more")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")


@dataclass(frozen=True)
class Picture:
    """One picture. ``kind``: dermatoscopic, lesion_close_up, close_up, SKIN or THING. ``source``: its collection.
    ``group``: pictures of one group, such as a patient or a condition, stay in one fold."""

    kind: str
    source: str
    group: str
    load: Callable[[], RGB]


def skin_photos(data: Path) -> Iterator[Picture]:
    """Every photo of the collections below ``data``, as their README files describe them."""
    for source, folder in _DERMATOSCOPIC.items():
        for path in _images(data / folder):
            yield Picture("dermatoscopic", source, path.stem, partial(_decoded, path))
    for row in _rows(data / "pad" / "labels.csv"):
        load = partial(_decoded, data / "pad" / row["file"])
        yield Picture("lesion_close_up", "pad", row["patient_id"], load)
    for row in _rows(data / "clinical_kind" / "labels.csv"):
        load = partial(_decoded, data / "clinical_kind" / row["file"])
        yield Picture(row["kind"], "clinical_kind", _condition(row["condition"]), load)
    for source in _CLINICAL:
        for path in _images(data / source):
            yield Picture(SKIN, source, _condition(path.name.partition("__")[0]), partial(_decoded, path))


def things(folder: Path) -> Iterator[Picture]:
    """Every picture below ``folder`` (see research.photo_kind.things); its first folder names the collection."""
    for path in _images(folder):
        place = path.relative_to(folder).parts
        yield Picture(THING, place[0], path.name, partial(_decoded, path))


def generated_skin(count: int = 200) -> Iterator[Picture]:
    """Generated skin, as in the demonstration index. No other result depends on it."""
    for number, case in enumerate(plan_cases(count, seed=72)):
        yield Picture(SKIN, "generated", str(number), partial(_first_view, case))


def _first_view(case: CaseSpec) -> RGB:
    return render_case(replace(case, views=case.views[:1]))[0].rgb


def drawn_things(count: int = 120) -> Iterator[Picture]:
    """Noise, plain colours and smooth gradients, like photos of a covered lens or a wall."""
    for number in range(count):
        yield Picture(THING, "drawn", str(number), partial(_drawn, number))


def _drawn(number: int) -> RGB:
    random = np.random.default_rng(number)
    height, width = random.integers(120, 640, 2)
    colour = random.uniform(20, 235, 3) if number % 3 else np.full(3, random.uniform(5, 250))
    slope = np.linspace(-1, 1, height)[:, None, None] * random.uniform(-60, 60) * (number % 2)
    noise = random.normal(0, random.choice((0.5, 3, 12, 60)), (height, width, 3 if number % 4 else 1))
    return np.rint(np.clip(colour + slope + noise, 0, 255)).astype(np.uint8)


def _decoded(path: Path) -> RGB:
    return decode(path.read_bytes()).rgb


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)


def _rows(table: Path) -> Iterator[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def _condition(name: str) -> str:
    """The name of a condition without case and punctuation, because collections spell it differently."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
