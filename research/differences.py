"""``python -m research.differences PAD``: where to take the colours of a lesion and of the skin around it.

PAD is a folder of PAD-UFES-20 (labels.csv, img/, mask/). Measures the lesions of which it has two photos or more with
drawn outlines, as drawn and with outlines that are enlarged, reduced and moved at random (median IoU about .73). Prints
for several cores and rings (`ml.skin.lesion`) how well each difference repeats: ICC(1), one-way random effects, with
the 95% bootstrap interval over lesions for the ones in use.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.imaging.decode import decode
from ml.skin import lesion
from ml.skin.frame import Frame, Subject
from ml.skin.outline import Segmentation
from ml.values import Mask
from research.repeatability.pairs import icc, icc_with_interval

Groups = list[NDArray[np.float64]]

_CORES, _RINGS = (0.0, 1 / 5, 1 / 3), (1.0, 2.0, np.inf)
_SCALE, _SHIFT = 0.18, 0.06  # standard deviations: of the logarithm of the size, and as a share of the diameter
_REPEATS = 4


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo of a lesion with the outline that a person drew."""

    whose: str
    frame: Frame
    skin: Mask
    outline: Mask


def read(folder: Path) -> list[Photo]:
    """The photos of lesions of which there are two or more with drawn outlines."""
    lesions: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (folder / "labels.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["mask"]:
                lesions[f"{row['patient_id']} {row['lesion_id']}"].append(row)
    found = []
    for whose, rows in lesions.items():
        for row in rows if len(rows) > 1 else ():
            frame = Frame(decode((folder / row["file"]).read_bytes()).rgb)
            height, width = frame.copy.shape[:2]
            drawn = decode((folder / row["mask"]).read_bytes()).rgb[..., 0]
            outline = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA) > 127
            found.append(Photo(whose, frame, Subject(frame).whole.skin, outline))
    return found


def moved(outline: Mask, rng: np.random.Generator) -> Mask:
    """``outline`` (H, W), enlarged or reduced about its centre and moved at random."""
    rows, columns = np.nonzero(outline)
    size = np.exp(rng.normal(0, _SCALE))
    right, down = rng.normal(0, _SHIFT * 2 * np.sqrt(len(rows) / np.pi), 2)
    x, y = columns.mean(), rows.mean()
    move = np.array([[size, 0, x - size * x + right], [0, size, y - size * y + down]])
    return cv2.warpAffine(outline.view(np.uint8), move, outline.shape[::-1], flags=cv2.INTER_NEAREST) > 0


def measure(photos: Sequence[Photo], outlines: Sequence[Mask]) -> list[Groups]:
    """For each difference, the values of each lesion."""
    found: dict[str, list[list[float]]] = defaultdict(list)
    for photo, mask in zip(photos, outlines, strict=True):
        values = [
            value for value, _ in lesion.lesion_differences(photo.frame, Segmentation(mask, mask, mask), photo.skin)
        ]
        if None not in values:
            found[photo.whose].append([value for value in values if value is not None])
    several = [np.array(group) for group in found.values() if len(group) > 1]
    return [[group[:, place] for group in several] for place in range(len(lesion.DIFFERENCES))]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="PAD")
    photos = read(parser.parse_args(arguments).folder)
    drawn = [photo.outline for photo in photos]
    rng = np.random.default_rng(0)
    inexact = [[moved(outline, rng) for outline in drawn] for _ in range(_REPEATS)]
    print(
        "core  ring  outlines  "
        + "  ".join(f"{one.name.removesuffix('_difference'):>14}" for one in lesion.DIFFERENCES)
    )
    for core in _CORES:
        for ring in _RINGS:
            with mock.patch.multiple(lesion, _CORE=core, _REACH=ring):
                for name, variants in (("as drawn", [drawn]), ("moved", inexact)):
                    each = np.mean([[icc(groups) for groups in measure(photos, one)] for one in variants], axis=0)
                    print(f"{core:.2f}  {ring:4g}  {name:8}  " + "  ".join(f"{value:14.2f}" for value in each))
    in_use = measure(photos, drawn)
    print(f"in use, as drawn, {len(in_use[0])} lesions, {sum(map(len, in_use[0]))} photos:")
    for one, groups in zip(lesion.DIFFERENCES, in_use, strict=True):
        value, (low, high) = icc_with_interval(groups)
        print(f"{one.name:28} ICC {value:.2f} [{low:.2f}, {high:.2f}]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
