"""``python -m research.changes PAD FACES``: how often the comparison of two photos is right.

PAD is PAD-UFES-20 (img/, labels.csv). FACES is a folder with a photo of the face of a different person in each file.
Patients are split in two halves: limits are fitted to the first, figures are those of the second. Photos of one lesion
that can be aligned are few, so limits of measures are fitted to those of all patients, and the figures for them are of
limits that are fitted without the patient. Nothing is fitted to FACES.

Prints, with 95% Wilson intervals:
- how many pairs of the same lesion, of different ones, and of different faces get each verdict;
- for how many pairs of unchanged skin the uncertainty of each measure holds: of changed copies of a photo (smaller,
  compressed, 5% more or less light), of photos of one lesion, and of photos in simulated lights;
- how many measures of changed copies have a change, with the whole comparison as the service runs it;
- how many changes of generated skin are found: 30% more redness, and 25% more area.

The figures of whole comparisons are those of the limits in ml/skin/params/comparison.json, which ``--write`` writes
first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ml.analysis.changes import limit_of
from ml.analysis.compare import Comparer
from ml.analysis.comparison import Comparison, PairRequest
from ml.analysis.decision import TONE_GROUPS
from ml.analysis.pipeline import Analyzer
from ml.analysis.same_place import PARAMETERS, parameters
from ml.deadline import Deadline
from ml.models.face_search import find_face
from ml.models.face_view import view_face
from ml.models.loading import Models, load_models
from ml.skin.aligned import aligned_skin, paired
from ml.skin.alignment import Keypoints, align, keypoints_of, match
from ml.skin.colour import working_copy
from ml.training.statistics import wilson
from ml.values import RGB, Photo
from research.changes import fit, photos
from research.changes.fit import CODES, Pair, Scores
from research.repeatability.photos import Photo as Relightable
from research.repeatability.photos import relit

_DIFFERENT, _COPIED, _RELIT, _LIGHTS, _GENERATED = 2000, 40, 50, 3, 60
_SAME_PHOTO = 0.01  # light of two crops of one photo differs by less


class Bench:
    """The photos and the models, and what was computed of each photo."""

    def __init__(self, pad: Path, people: Path, models: Path) -> None:
        self.models: Models = load_models(
            models, encoder="efficientnet-lite0", classifier="sklesion", faces=True, threads=1
        )
        self.lesions, self.people = photos.lesions(pad), photos.faces(people)
        self._skin: dict[Path, Keypoints | None] = {}

    @cached_property
    def comparer(self) -> Comparer:
        return Comparer(Analyzer(self.models, None))  # type: ignore[arg-type]  # it does not search

    def skin(self, photo: photos.Photo) -> Keypoints | None:
        """The keypoints of a photo."""
        if photo.path not in self._skin:
            self._skin[photo.path] = keypoints_of(working_copy(photo.read()))
        return self._skin[photo.path]

    def face(self, photo: photos.Photo) -> Keypoints | None:
        """The keypoints of the face in a photo; None if no face is sure."""
        rgb = photo.read()
        assert self.models.faces is not None
        found = find_face(self.models.faces, rgb, working_copy(rgb))
        if not found.sure or found.placed is None:
            return None
        return keypoints_of(view_face(rgb, found.placed.landmarks).level)

    def compare(self, before: RGB, after: RGB, modality: str | None = None) -> Comparison:
        one, other = (Photo(rgb, rgb.shape[1], rgb.shape[0], "PNG") for rgb in (before, after))
        return self.comparer.compare(PairRequest(one, other, modality), Deadline(300))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pad", type=Path, metavar="PAD")
    parser.add_argument("faces", type=Path, metavar="FACES")
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--write", action="store_true", help=f"write {PARAMETERS.name}")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    bench = Bench(options.pad, options.faces, options.models)
    place = skin_places(bench)
    report_faces(bench, place)
    pairs = list(unchanged_pairs(bench))
    limits = fit.measures([pair for pair in pairs if _fits(pair)])
    report_limits(limits, pairs)
    if options.write:
        write(place, limits, bench)
    report_copies(bench)
    report_generated(bench)
    return 0


def share(what: str, hits: Sequence[bool]) -> None:
    """Print a share with its interval, if there are any cases."""
    if not hits:
        return
    low, high = wilson(sum(hits), len(hits))
    print(f"  {what:62} {sum(hits):5} of {len(hits):5}  {sum(hits) / len(hits):.3f} [{low:.3f}, {high:.3f}]")


def skin_places(bench: Bench) -> dict[str, Any]:
    """Fit and report the verdicts on skin."""
    by_subject: dict[str, list[photos.Photo]] = defaultdict(list)
    for photo in bench.lesions:
        by_subject[photo.subject].append(photo)
    points = {}
    for half in (0, 1):
        mine = [photo for photo in bench.lesions if photo.half == half]
        same = [pair for group in by_subject.values() if group[0].half == half for pair in combinations(group, 2)]
        rng = np.random.default_rng(half)
        drawn = (rng.choice(len(mine), 2, replace=False) for _ in range(_DIFFERENT))
        different = [(mine[a], mine[b]) for a, b in drawn if mine[a].person != mine[b].person]
        points[half] = Scores(*([_points(bench, *pair) for pair in some] for some in (same, different)))
    found = fit.registration(points[0], points[1])
    print(f"\nsame place, skin: {found}")
    least = found["same_from_inliers"]
    for half, name in ((0, "fitted half"), (1, "other half")):
        for kind in ("same", "different"):
            share(f"{name}, {kind} lesion: same", [one >= least for one in getattr(points[half], kind)])
    others = [
        pair
        for pair in combinations(bench.lesions, 2)
        if pair[0].person == pair[1].person and pair[0].subject != pair[1].subject
    ]
    share("other lesion of the same patient: same", [_points(bench, *pair) >= least for pair in others])
    return found


def _points(bench: Bench, one: photos.Photo, other: photos.Photo) -> int:
    """The number of pairs of keypoints that fit one transform; 0 if their share is too small."""
    found = match(bench.skin(one), bench.skin(other))
    return found.inliers if found is not None and found.shows_same(0, fit.LEAST_SHARE) else 0


def report_faces(bench: Bench, place: Mapping[str, Any]) -> None:
    """How many pairs of different faces are called the same."""
    faces = [points for photo in bench.people if (points := bench.face(photo)) is not None]
    found = [match(*pair) for pair in combinations(faces, 2)]
    least, of_pairs = place["same_from_inliers"], place["same_from_share"]
    print(f"\n{len(faces)} different faces")
    share("different face: same", [one is not None and one.shows_same(least, of_pairs) for one in found])


def unchanged_pairs(bench: Bench) -> Iterator[Pair]:
    """Aligned pairs of photos of unchanged skin."""
    by_subject: dict[str, list[photos.Photo]] = defaultdict(list)
    for photo in bench.lesions:
        by_subject[photo.subject].append(photo)
    for group in by_subject.values():
        for one, other in combinations(group, 2):
            pair = _aligned("photo", one, one.read(), other.read())
            if pair is not None and pair.light_apart > _SAME_PHOTO:
                yield pair
    for half in (0, 1):
        mine = [group[0] for group in by_subject.values() if group[0].half == half]
        rng = np.random.default_rng(half)
        chosen = [mine[n] for n in rng.permutation(len(mine))[: max(_COPIED, _RELIT)]]
        for photo in chosen[:_COPIED]:
            for change in photos.CHANGES.values():
                if (pair := _aligned("copy", photo, photo.read(), change(photo.read()))) is not None:
                    yield pair
        for photo in chosen[:_RELIT]:
            rgb = photo.read()
            lights = list(relit(Relightable("lesions", photo.subject, photo.person, "", photos.moved(rgb, rng))))
            for light in lights[:_LIGHTS]:
                if (pair := _aligned("simulated", photo, rgb, light.rgb)) is not None:
                    yield pair


def _aligned(kind: str, of: photos.Photo, before: RGB, after: RGB) -> Pair | None:
    first, second = working_copy(before), working_copy(after)
    found = align(first, second)
    if found is None or not found.shows_same(8, fit.LEAST_SHARE):
        return None
    skin = aligned_skin(first, second, found)
    return None if skin is None else Pair(kind, of.half, of.person, skin.light_apart, paired(skin))


def _fits(pair: Pair) -> bool:
    """Whether limits are fitted to ``pair``."""
    return pair.half == 0 or pair.kind == "photo"


def report_limits(limits: Mapping[str, Mapping[str, float]], pairs: Sequence[Pair]) -> None:
    """``limits``: fitted to all pairs that ``_fits`` names."""
    print("\nunchanged skin: pairs whose difference the uncertainty holds")
    people = {pair.person for pair in pairs if pair.kind == "photo"}
    without = {
        person: fit.measures([pair for pair in pairs if _fits(pair) and pair.person != person]) for person in people
    }
    for code in CODES:
        print(f" {code}: {limits[code]}")
        mine = [pair for pair in pairs if code in pair.values]
        photos_of_one = [_holds(without[pair.person][code], pair, code) for pair in mine if pair.kind == "photo"]
        share("photos of one lesion, limits without the patient", photos_of_one)
        for kind in ("copy", "simulated"):
            share(
                f"{kind}, other half",
                [_holds(limits[code], pair, code) for pair in mine if pair.kind == kind and pair.half == 1],
            )


def _holds(limit: Mapping[str, float], pair: Pair, code: str) -> bool:
    value = pair.values[code]
    return abs(value.after - value.before) <= float(np.hypot(value.own, limit_of(limit, pair.light_apart)))


def report_copies(bench: Bench) -> None:
    """The whole comparison of photos with changed copies of them."""
    rng = np.random.default_rng(7)
    for name, some in (("lesions", bench.lesions), ("faces", bench.people)):
        mine = some if name == "faces" else [photo for photo in some if photo.half == 1]
        chosen = [mine[n] for n in rng.permutation(len(mine))[:_COPIED]]
        verdicts: Counter[str] = Counter()
        changed: list[bool] = []
        for photo in chosen:
            rgb = photo.read()
            for change in photos.CHANGES.values():
                answer = bench.compare(rgb, change(rgb))
                verdicts[answer.same_place.verdict] += 1
                changed += [one.change in ("higher", "lower") for one in answer.measures if one.difference is not None]
        print(f"\nchanged copies of {len(chosen)} {name}: verdicts {dict(verdicts)}")
        share("measures with a change", changed)


def report_generated(bench: Bench) -> None:
    """How many changes of generated skin the whole comparison finds."""
    cases: tuple[tuple[str, tuple[str, ...], Callable[[Any], Any], Callable[[str], bool]], ...] = (
        ("30% more redness", photos.RED, photos.redder, lambda code: "redness" in code or "erythema" in code),
        ("25% more area", photos.MARKS, photos.larger, lambda code: code == "lesion_area"),
    )
    for what, conditions, change, counts in cases:
        for retaken in (False, True):
            for name, applied in ((what, change), ("unchanged", photos.unchanged)):
                some = list(photos.generated(conditions, applied, _GENERATED, 2026, retaken=retaken))
                answers = [bench.compare(one.before, one.after, "close_up") for one in some]
                how = "retaken: turned, farther, 10% brighter" if retaken else "same place and light, other noise"
                verdicts = dict(Counter(answer.same_place.verdict for answer in answers))
                print(f"\ngenerated skin, {name} ({', '.join(conditions)}), {how}: {verdicts}")
                for word in ("higher", "lower"):
                    hits = [
                        any(counts(one.code) and one.change == word for one in answer.measures) for answer in answers
                    ]
                    share(f"found {word}", hits)
                    for group, tones in TONE_GROUPS.items():
                        mine = [hit for one, hit in zip(some, hits, strict=True) if one.tone in tones]
                        share(f"  {group}", mine)


def write(place: Mapping[str, Any], limits: Mapping[str, Any], bench: Bench) -> None:
    facts = {
        "what": "limits of comparisons of two photos: of verdicts on the place, and of measures of aligned photos; the "
        "uncertainty is same_light + for_light * d, where d is how far the light differs (natural logarithm)",
        "fitted": {
            "command": "python -m research.changes PAD FACES --write",
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "data": f"half of the patients of PAD-UFES-20 ({len(bench.lesions)} photos in both halves), and all "
            "pairs of photos of one lesion for the measures; confidences: of the other half",
        },
        "place": place,
        "measures": limits,
    }
    PARAMETERS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    parameters.cache_clear()


if __name__ == "__main__":
    sys.exit(main())
