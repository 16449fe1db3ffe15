"""``python -m research.truth_lesions``: compare lesion outlines and spot counts with generated skin.

Prints by tone and condition the overlap (IoU) of the measured and the true lesion mask in close-ups, and the ratio of
counted to true spots, on clean photos (even neutral light, no noise or blur) and as photographed. The truth does not
count freckles, so photos of freckled skin are reported separately. Brackets contain 95% bootstrap intervals over cases.
The default seed was not used during development.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ml.skin.outline import Segmentation, outline
from ml.skin.regions import Region
from ml.skin.spots import measure_spots
from ml.values import RGB, Mask
from scin.synthetic import CaseSpec, RenderedView, plan_cases, render_case

CLOSE = ("CLOSE_UP", "AT_AN_ANGLE")
#: conditions drawn as separate round marks; the others are merged patches, or blisters too small to count
SPOTTED = ("Folliculitis", "Insect Bite", "Melanocytic Nevus", "SK/ISK")
#: conditions with one distinct lesion, or a few
SINGLE = ("Melanocytic Nevus", "SK/ISK")
_RESAMPLES = 1000


@dataclass(frozen=True)
class Photo:
    """The results of one photo. ``counted`` and ``clean`` are spot counts, as photographed and in neutral light."""

    case: str
    tone: int
    condition: str
    shot: str
    iou: float | None
    spots: int
    freckled: bool
    counted: float | None = None
    clean: float | None = None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args(arguments)
    plan = [spec for spec in plan_cases(options.cases, options.seed) if spec.quality == "sufficient"]
    photos = [photo for spec in plan for photo in _look_at(spec)]
    print(f"{len(plan)} gradable cases, seed {options.seed}, {len(photos)} photos")
    _report_outlines([photo for photo in photos if photo.iou is not None])
    _report_spots([photo for photo in photos if photo.counted is not None and photo.spots])
    return 0


def _look_at(spec: CaseSpec) -> list[Photo]:
    real = render_case(spec)
    spotted = spec.condition in SPOTTED
    clean = render_case(spec, neutral=True) if spotted else real
    return [
        Photo(
            case=spec.case_id,
            tone=spec.monk,
            condition=spec.condition,
            shot=plan.shot_type,
            iou=_overlap(outline(view.rgb), view.lesion_mask),
            spots=view.spots,
            freckled=view.freckled,
            counted=_count(view) if spotted else None,
            clean=_count(even) if spotted else None,
        )
        for plan, view, even in zip(spec.views, real, clean, strict=True)
    ]


def _overlap(found: Segmentation | None, truth: Mask) -> float | None:
    if not truth.any():
        return None
    return 0.0 if found is None else float(np.count_nonzero(found.mask & truth) / np.count_nonzero(found.mask | truth))


def _count(view: RenderedView) -> float:
    rgb: RGB = view.rgb
    return measure_spots(rgb, Region(view.skin_mask))[0][0] or 0.0


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


def _report_spots(photos: list[Photo]) -> None:
    close = [photo for photo in photos if photo.shot in CLOSE and not photo.freckled]
    print(f"\ncounted spots per true spot ({', '.join(SPOTTED)}), close-ups: clean [95%], as photographed [95%], true")
    _spots("all", close)
    for tone, group in _grouped(close, lambda photo: photo.tone):
        _spots(f"Monk {tone}", group)
    for condition, group in _grouped(close, lambda photo: photo.condition):
        _spots(str(condition), group)
    _spots("freckled", [photo for photo in photos if photo.shot in CLOSE and photo.freckled])
    _spots("at a distance", [photo for photo in photos if photo.shot not in CLOSE and not photo.freckled])


def _spots(name: str, photos: Sequence[Photo]) -> None:
    def clean(some: Sequence[Photo]) -> float:
        return sum(photo.clean or 0.0 for photo in some) / sum(photo.spots for photo in some)

    def counted(some: Sequence[Photo]) -> float:
        return sum(photo.counted or 0.0 for photo in some) / sum(photo.spots for photo in some)

    if not photos:
        return
    intervals = "  ".join(
        f"{share(photos):.2f} [{low:.2f}, {high:.2f}]"
        for share in (clean, counted)
        for low, high in [_interval(photos, share)]
    )
    print(f"{name:22} {intervals}  {sum(photo.spots for photo in photos)}")


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
