"""``python -m research.truth_lesions``: compare lesion outlines with generated skin.

Prints by tone and condition the overlap (IoU) of the measured and the true lesion mask in close-ups. Brackets contain
95% bootstrap intervals over cases. The default seed was not used during development.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ml.skin.outline import Segmentation, outline
from ml.values import Mask
from scin.synthetic import CaseSpec, plan_cases, render_case

CLOSE = ("CLOSE_UP", "AT_AN_ANGLE")
#: conditions with one distinct lesion, or a few
SINGLE = ("Melanocytic Nevus", "SK/ISK")
_RESAMPLES = 1000


@dataclass(frozen=True)
class Photo:
    """The result of one photo."""

    case: str
    tone: int
    condition: str
    shot: str
    iou: float | None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args(arguments)
    plan = [spec for spec in plan_cases(options.cases, options.seed) if spec.quality == "sufficient"]
    photos = [photo for spec in plan for photo in _look_at(spec)]
    print(f"{len(plan)} gradable cases, seed {options.seed}, {len(photos)} photos")
    _report_outlines([photo for photo in photos if photo.iou is not None])
    return 0


def _look_at(spec: CaseSpec) -> list[Photo]:
    return [
        Photo(
            case=spec.case_id,
            tone=spec.monk,
            condition=spec.condition,
            shot=plan.shot_type,
            iou=_overlap(outline(view.rgb), view.lesion_mask),
        )
        for plan, view in zip(spec.views, render_case(spec), strict=True)
    ]


def _overlap(found: Segmentation | None, truth: Mask) -> float | None:
    if not truth.any():
        return None
    return 0.0 if found is None else float(np.count_nonzero(found.mask & truth) / np.count_nonzero(found.mask | truth))


def _report_outlines(photos: list[Photo]) -> None:
    close = [photo for photo in photos if photo.shot in CLOSE]
    print("\nlesion mask, IoU, close-ups: median [95%], mean, photos")
    _outlines("all", close)
    for tone, group in _grouped(close, lambda photo: photo.tone):
        _outlines(f"Monk {tone}", group)
    for condition, group in _grouped(close, lambda photo: photo.condition):
        _outlines(str(condition), group)
    _outlines("single pigment marks", [photo for photo in close if photo.condition in SINGLE])
    _outlines("eruptions and others", [photo for photo in close if photo.condition not in SINGLE])
    _outlines("at a distance", [photo for photo in photos if photo.shot not in CLOSE])


def _outlines(name: str, photos: Sequence[Photo]) -> None:
    def middle(some: Sequence[Photo]) -> float:
        return float(np.median([photo.iou for photo in some]))

    if not photos:
        return
    low, high = _interval(photos, middle)
    mean = float(np.mean([photo.iou for photo in photos]))
    print(f"{name:22} {middle(photos):.2f} [{low:.2f}, {high:.2f}]  {mean:.2f}  {len(photos)}")


def _grouped(photos: Iterable[Photo], key: Callable[[Photo], int | str]) -> list[tuple[int | str, list[Photo]]]:
    groups: dict[int | str, list[Photo]] = defaultdict(list)
    for photo in photos:
        groups[key(photo)].append(photo)
    return sorted(groups.items(), key=lambda item: item[0])


def _interval(photos: Sequence[Photo], statistic: Callable[[Sequence[Photo]], float]) -> tuple[float, float]:
    """The 95% bootstrap interval of ``statistic``. Cases are resampled with all their photos."""
    cases: dict[str, list[Photo]] = defaultdict(list)
    for photo in photos:
        cases[photo.case].append(photo)
    groups, rng = list(cases.values()), np.random.default_rng(0)
    values = [
        statistic([photo for place in rng.integers(len(groups), size=len(groups)) for photo in groups[place]])
        for _ in range(_RESAMPLES)
    ]
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


if __name__ == "__main__":
    sys.exit(main())
