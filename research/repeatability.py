"""``python -m research.repeatability PHOTO…``: how much each measurement changes when its photo changes slightly.

The changes are a scale of 0.8, JPEG compression of quality 80, and 5% more and less exposure. All measurements are
repeated after each change. A difference beyond the uncertainty of the first measurement is a miss. The exposure
changes once in linear light (5% is 1/14 of a stop) and once in the pixel values (5% is about 1/6 of a stop).

``--generated N`` adds N generated photos of all ten tones, and prints the rank correlation of each measurement with
their known melanin.

``--fit`` prints the limits in ml/skin/params/repeatability.json. It fits them to every other photo, so that the
remaining photos test them. It fits only the part of each difference that the uncertainty computed from the photo does
not cover.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ml.imaging.decode import decode
from ml.imaging.encodings import linear_to_srgb
from ml.models.faces import FaceDetector
from ml.models.loading import LANDMARK_FILE
from ml.models.registry import MEDIAPIPE_FACE
from ml.models.store import ModelStore
from ml.skin.catalogue import CATALOGUE
from ml.skin.colour import srgb_to_linear
from ml.skin.declaration import LIMITS, ZONE_LIMITS, Limit
from ml.skin.face import face_zones
from ml.skin.frame import Frame, Subject
from ml.skin.measure import measure_skin
from ml.values import RGB, Measurement, Zone
from scin.synthetic import plan_cases, render_case

_RELATIVE = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3)
_COVERED = 0.998
_JUMPING, _OF_JUMPING = ("lesion_area", "spot_count"), 0.995  # the remaining changes find another object
_RESERVE = 1.15  # factor on fitted limits, because they are fitted to few photos
_WHOLE = ("skin", "face", "photo", "lesion", "lesion_minus_surrounding")  # all other regions are zones of a face
_LENGTHS = ("px", "mm")  # lengths have proportional limits, because photos vary in size
_LEAST_PHOTOS = 10
_PITTED_SIDE, _PITS = 1600, 0.004  # pixels; pits per pixel


@dataclass(frozen=True)
class Source:
    """A photo, and its melanin if it is generated."""

    name: str
    rgb: RGB
    melanin: float | None = None


@dataclass(frozen=True)
class Move:
    """One measurement of photo number ``photo`` before and after a change."""

    photo: int
    change: str
    before: Measurement
    after: float | None

    @property
    def size(self) -> float:
        assert self.before.value is not None
        return math.inf if self.after is None else abs(self.after - self.before.value)

    @property
    def beyond(self) -> float:
        """The part of the move that the uncertainty without the limit does not cover."""
        limits = LIMITS if self.before.region in _WHOLE else ZONE_LIMITS
        limit = limits.get(self.before.name, Limit(0.0)).of(self.before.value or 0.0)
        own = max(0.0, (self.before.uncertainty or 0.0) ** 2 - limit**2)
        return math.sqrt(max(0.0, self.size**2 - own))

    @property
    def ratio(self) -> float:
        """The move divided by the stated uncertainty."""
        return self.size / (self.before.uncertainty or 1e-12)


def changes(rgb: RGB) -> Iterator[tuple[str, RGB]]:
    """(name, changed photo) of each change."""
    size = round(rgb.shape[1] * 0.8), round(rgb.shape[0] * 0.8)
    yield "0.8 size", np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, jpeg = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    yield "JPEG 80", np.ascontiguousarray(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
    for factor in (1.05, 0.95):
        light = linear_to_srgb(srgb_to_linear(rgb) * np.float32(factor))
        yield f"light {factor - 1:+.0%}", light
        yield f"codes {factor - 1:+.0%}", np.clip(np.rint(rgb * np.float32(factor)), 0, 255).astype(np.uint8)


class Meter:
    """Measures a photo like the service, with the zones of a face if there is one."""

    def __init__(self, faces: FaceDetector) -> None:
        self._faces = faces

    def __call__(self, rgb: RGB) -> dict[str, Measurement]:
        frame = Frame(rgb)
        zones = self._zones(rgb, frame.copy)
        skin = measure_skin(Subject(frame, zones, portrait=bool(zones)))
        found = {f"{m.region}/{m.name}": m for m in skin.measurements}
        for zone in skin.zones or ():
            found |= {f"zone {zone.name}/{m.name}": m for m in zone.measurements}
        return found

    def _zones(self, rgb: RGB, small: RGB) -> tuple[Zone, ...]:
        for face in self._faces.detect(rgb, small):
            landmarks = self._faces.landmarks(rgb, face)
            if landmarks is not None:
                return face_zones(landmarks, rgb.shape[1], rgb.shape[0])
        return ()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="*", metavar="PHOTO")
    parser.add_argument("--generated", type=int, default=0, metavar="N")
    parser.add_argument("--pitted", action="store_true", help="add each face, enlarged and painted with pores")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[5], help="seeds of the generated photos; each seed gives N"
    )
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    store = ModelStore(options.models)
    faces = FaceDetector(store.served(MEDIAPIPE_FACE), store.folder(MEDIAPIPE_FACE) / LANDMARK_FILE)
    sources = [*_photos(options.photos)]
    for seed in options.seeds:
        sources += _generated(options.generated, seed)
    if options.pitted:
        sources += [painted for source in sources if (painted := _pitted(source, faces)) is not None]
    first, moves = measure(sources, Meter(faces))
    if options.fit:
        print_limits(moves)
    else:
        print_moves(len(sources), moves)
        print_tones(sources, first)
    return 0


def measure(
    sources: Sequence[Source], meter: Callable[[RGB], Mapping[str, Measurement]]
) -> tuple[list[Mapping[str, Measurement]], list[Move]]:
    """The measurements of each photo, and the move of each value after each change."""
    first, moves = [], []
    for number, source in enumerate(sources):
        before = meter(source.rgb)
        first.append(before)
        for change, changed in changes(source.rgb):
            after = meter(changed)
            moves += [
                Move(number, change, m, _compared(after.get(key), source.rgb.shape[1] / changed.shape[1]))
                for key, m in before.items()
                if m.value is not None
            ]
    return first, moves


def _compared(after: Measurement | None, larger: float) -> float | None:
    """The value after a change. Lengths in pixels are scaled to the original size."""
    if after is None or after.value is None:
        return None
    return after.value * larger if after.unit == "px" else after.value


def print_moves(photos: int, moves: Sequence[Move]) -> None:
    lost = [move for move in moves if move.after is None]
    kept = [move for move in moves if move.after is not None]
    print(f"{photos} photos; {len(kept)} moves of {len({move.before.name for move in kept})} measures")
    print(f"{'measure':28} {'moves':>6} {'within':>7} {'held out':>10} {'of value':>8} {'worst':>6}  at")
    for key, group in sorted(_grouped(kept).items()):
        worst = max(group, key=lambda move: move.ratio)
        print(
            f"{key:28} {len(group):6} {_within(group):7.2%} {_within([m for m in group if m.photo % 2]):10.2%} "
            f"{_of_value(group):8.2f} {worst.ratio:6.2f}  {worst.change}, photo {worst.photo}"
        )
    for change in dict.fromkeys(move.change for move in kept):
        print(f"{change:28} {_within([m for m in kept if m.change == change]):7.2%} within")
    odd = [move for move in kept if move.photo % 2]
    print(f"all: {_within(kept):.2%} within their stated uncertainty; {_within(odd):.2%} on held-out photos")
    print(f"values that became null after a change: {len(lost)} of {len(moves)}")


def print_limits(moves: Sequence[Move]) -> None:
    """Print the fitted limits in the form of ml/skin/params/repeatability.json."""
    found: dict[str, dict[str, tuple[float, float]]] = {"whole": {}, "zone": {}}
    for key, group in sorted(_grouped([m for m in moves if m.photo % 2 == 0 and m.after is not None]).items()):
        measure = CATALOGUE[group[0].before.name]
        if not measure.limited:
            continue
        limit = fit(
            [move.before.value or 0.0 for move in group],
            [_RESERVE * move.beyond for move in group],
            covered=_OF_JUMPING if measure.name in _JUMPING else _COVERED,
            proportional=measure.unit in _LENGTHS,
        )
        found["zone" if key.startswith("zone ") else "whole"][measure.name] = (
            float(f"{limit.absolute:.2g}"),
            limit.relative,
        )
    print(json.dumps(found, indent=1))


def fit(
    values: Sequence[float], sizes: Sequence[float], *, covered: float = _COVERED, proportional: bool = False
) -> Limit:
    """The smallest limit, by its median over ``values``, that covers a share ``covered`` of the moves ``sizes``.

    If ``proportional``, the limit has no absolute part.
    """
    v, moved = np.abs(np.array(values)), np.array(sizes)
    if proportional:
        return Limit(0.0, _round_up(float(np.quantile(moved / np.maximum(v, 1e-12), covered))))
    candidates = [Limit(_round_up(max(0.0, float(np.quantile(moved - r * v, covered)))), r) for r in _RELATIVE]
    return min(candidates, key=lambda limit: float(np.median([limit.of(value) for value in v])))


def _round_up(value: float) -> float:
    """Round up to two significant digits."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / step) * step


def print_tones(sources: Sequence[Source], first: Sequence[Mapping[str, Measurement]]) -> None:
    known = [(source.melanin, found) for source, found in zip(sources, first, strict=True) if source.melanin]
    if len(known) < _LEAST_PHOTOS:
        return
    print(f"\nrank correlation with melanin, {len(known)} generated photos")
    for key in known[0][1]:
        pairs = [(melanin, m.value) for melanin, found in known if (m := found.get(key)) and m.value is not None]
        if len(pairs) >= _LEAST_PHOTOS:
            print(f"{key:40} {_rank_correlation(*map(np.array, zip(*pairs, strict=True))):+.2f}  ({len(pairs)})")


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    ranks = np.array([values.argsort().argsort() for values in (one, other)], np.float64)
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


def _grouped(moves: Sequence[Move]) -> dict[str, list[Move]]:
    groups: dict[str, list[Move]] = defaultdict(list)
    for move in moves:
        kind = "" if move.before.region in _WHOLE else "zone "
        groups[kind + move.before.name].append(move)
    return groups


def _of_value(moves: Sequence[Move]) -> float:
    """The median of the stated uncertainty as a share of the value."""
    shares = [(move.before.uncertainty or 0.0) / max(abs(move.before.value or 0.0), 1e-12) for move in moves]
    return float(np.median(shares))


def _within(moves: Sequence[Move]) -> float:
    return float(np.mean([move.ratio <= 1 for move in moves])) if moves else math.nan


def _photos(paths: Sequence[Path]) -> Iterator[Source]:
    for path in paths:
        yield Source(path.name, decode(path.read_bytes()).rgb)


def _pitted(source: Source, detector: FaceDetector) -> Source | None:
    """The face of a photo, enlarged, with synthetic pits and noise; None without a face."""
    faces = detector.detect(source.rgb)
    if not faces:
        return None
    left, top, right, bottom = faces[0].box
    margin = 0.3 * (right - left)
    rows, columns = (slice(max(0, int(a - margin)), int(b + margin)) for a, b in ((top, bottom), (left, right)))
    part = source.rgb[rows, columns]
    scale = _PITTED_SIDE / max(part.shape[:2])
    large = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    rng = np.random.default_rng(1)
    marks = (rng.random(large.shape[:2]) < _PITS).astype(np.float32)
    dents = cv2.GaussianBlur(marks * rng.uniform(1, 4, marks.shape).astype(np.float32), (0, 0), 2.0)
    lit = srgb_to_linear(np.asarray(large, np.uint8)) * np.exp(-4 * dents)[..., None]
    noisy = linear_to_srgb(lit) + rng.normal(0, 2, large.shape)
    return Source(f"{source.name}, pitted", np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def _generated(count: int, seed: int) -> Iterator[Source]:
    for spec in plan_cases(count, seed) if count else ():
        yield Source(spec.case_id, render_case(spec)[0].rgb, spec.melanin)


if __name__ == "__main__":
    sys.exit(main())
