"""``python -m research.tone``: groups of skin tone in photos without a reference, and what of them repeats.

Measures the skin of each photo of pad, as the service does. Prints for several estimates the standard deviation within
persons, the intraclass correlation between two photos of a person, and the rank correlation with the recorded type.
Then, in folds by patient, fits the weights of ml.skin.tone.colour_angle and the spread of its range to four fifths, and
prints for the other fifth how often the range holds the group of another photo of the same person, and how often it is
the whole scale; each person counts once. Last, how many pairs ml.skin.tone.are_alike calls unlike, with the constants
that are fitted to all photos. ``--write FILE`` writes the constants that are fitted to all photos.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr

from ml.skin import optics
from ml.skin.colour import linear_to_lab
from ml.skin.frame import Frame, Subject
from ml.skin.tone import GROUPS, balanced, colour_features, group_of, photographed
from ml.training.statistics import wilson

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

FOLDS, REPEATS, COVERAGE = 5, 10, 0.96
_ENDS = (41.0, 10.0)  # degrees: the limits of the groups
_BLOOD = 0.006  # volume fraction of the skin that gives the direction from light to dark
_DEGREES = np.arange(0.0, 90.0, 0.25)


@dataclass(frozen=True)
class Taken:
    """The photos (n,) in which skin was measured."""

    patient: NDArray[np.str_]
    lesion: NDArray[np.str_]
    recorded: Floats  # Fitzpatrick type, NaN if unknown
    lightness: Floats
    yellowness: Floats
    ita: Floats
    ita_balanced: Floats

    def pairs(self) -> tuple[Ints, Ints, Floats, NDArray[np.bool_]]:
        """First and second photo of each ordered pair of a person, the weight with which each person counts once, and
        whether both show the same lesion."""
        by: dict[str, list[int]] = defaultdict(list)
        for number, one in enumerate(self.patient):
            by[one].append(number)
        found = [(a, b, 1 / (len(own) * (len(own) - 1))) for own in by.values() for a in own for b in own if a != b]
        first, second = (np.array([pair[i] for pair in found], np.intp) for i in (0, 1))
        return first, second, np.array([pair[2] for pair in found]), self.lesion[first] == self.lesion[second]


def taken(data: Path) -> Taken:
    found = []
    for row in csv.DictReader((data / "labels.csv").open()):
        part = Subject(Frame(np.asarray(Image.open(data / row["file"]).convert("RGB")))).whole
        angle, corrected = photographed(part), balanced(part)
        if angle is not None:
            found.append(
                (
                    row["patient_id"],
                    f"{row['patient_id']} {row['lesion_id']}",
                    float(row["fitspatrick"] or np.nan),
                    angle.lightness,
                    angle.yellowness,
                    angle.degrees,
                    np.nan if corrected is None else corrected.degrees,
                )
            )
    columns = [np.array(column) for column in zip(*found, strict=True)]
    return Taken(*columns)


def pure_skin() -> Floats:
    """The features of ml.skin.tone.colour_features (2, 2) of skin of 41° and of 10° under D65."""
    melanin = optics.LOG_MELANIN
    blood = int(np.abs(optics.LOG_BLOOD - np.log(_BLOOD)).argmin())
    lab = linear_to_lab(np.exp(-optics.density_table()[blood])).astype(np.float64)
    ita = np.degrees(np.arctan2(lab[:, 0] - 50, lab[:, 2]))
    kept = slice(None, int((ita < 0).argmax()) + 1)
    at = [np.interp(end, ita[kept][::-1], melanin[kept][::-1]) for end in _ENDS]
    features = colour_features(lab[:, 0], lab[:, 2])
    return np.array([[np.interp(one, melanin, feature) for feature in features] for one in at])


def fit_weights(photos: Taken, kept: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Weights (2,) and offset of the colour angle: Fisher's discriminant between `pure_skin` of 41° and 10°, with the
    covariance within the persons of the ``kept`` photos. It is scaled so that both have their angle."""
    features = colour_features(photos.lightness, photos.yellowness).T
    deviations, freedom = [], 0
    for patient in np.unique(photos.patient[kept]):
        own = features[kept & (photos.patient == patient)]
        deviations.append(own - own.mean(axis=0))
        freedom += len(own) - 1
    all_deviations = np.concatenate(deviations)
    ends = pure_skin()
    weights = np.linalg.solve(all_deviations.T @ all_deviations / freedom, ends[0] - ends[1])
    weights *= (_ENDS[0] - _ENDS[1]) / (weights @ (ends[0] - ends[1]))
    return weights, float(_ENDS[0] - weights @ ends[0])


def angles(photos: Taken, weights: Floats, offset: float) -> Floats:
    return np.asarray(weights @ colour_features(photos.lightness, photos.yellowness) + offset)


def groups(values: Floats) -> Ints:
    return np.array([GROUPS.index(group_of(value)) for value in values.tolist()], np.intp)


def held(values: Floats, first: Ints, second: Ints, spread: float) -> NDArray[np.bool_]:
    """Whether the range of each first photo holds the group of the second."""
    own, light, dark = (groups(of) for of in (values, values + spread, values - spread))
    return np.asarray((own[second] >= light[first]) & (own[second] <= dark[first]))


def fit_spread(values: Floats, first: Ints, second: Ints, weight: Floats) -> float:
    """The least spread with which a share COVERAGE of the pairs hold."""
    for spread in _DEGREES:
        if np.average(held(values, first, second, spread), weights=weight) >= COVERAGE:
            return float(spread)
    return float(_DEGREES[-1])


def icc(values: Floats, label: NDArray[np.str_]) -> tuple[float, float]:
    """The standard deviation within the labels, and the intraclass correlation."""
    squares, freedom = 0.0, 0
    for one in np.unique(label):
        own = values[(label == one) & np.isfinite(values)]
        if len(own) > 1:
            squares, freedom = squares + float(((own - own.mean()) ** 2).sum()), freedom + len(own) - 1
    within = squares / freedom
    return within**0.5, 1 - within / float(np.nanvar(values, ddof=1))


def evaluate(photos: Taken, seed: int) -> dict[str, object]:
    first, second, weight, same = photos.pairs()
    persons = len(np.unique(photos.patient[first]))
    names = np.unique(photos.patient)
    rng = np.random.default_rng(seed)
    hits, whole, own = np.zeros(len(first)), np.zeros(len(photos.ita)), np.zeros((len(photos.ita), len(GROUPS)))
    sizes = np.zeros(len(photos.ita))
    for _ in range(REPEATS):
        fold = dict(zip(names, rng.permutation(len(names)) % FOLDS, strict=True))
        of = np.array([fold[name] for name in photos.patient])
        for number in range(FOLDS):
            values = angles(photos, *fit_weights(photos, of != number))
            train, test = (np.flatnonzero((of[first] == number) == left) for left in (False, True))
            spread = fit_spread(values, first[train], second[train], weight[train])
            hits[test] += held(values, first[test], second[test], spread) / REPEATS
            left = of == number
            light, dark = groups(values[left] + spread), groups(values[left] - spread)
            whole[left] += (dark - light == len(GROUPS) - 1) / REPEATS
            sizes[left] += (dark - light + 1) / REPEATS
            own[left] += np.eye(len(GROUPS))[groups(values[left])] / REPEATS
    figures: dict[str, object] = {"photos": len(photos.ita), "persons": len(names), "persons_with_two_photos": persons}
    for name, some in (("coverage", same | ~same), ("same_lesion", same), ("other_lesion", ~same)):
        count = len(np.unique(photos.patient[first[some]]))
        share = float(np.average(hits[some], weights=weight[some]))
        low, high = wilson(round(share * count), count)
        figures[name] = {"share": round(share, 3), "interval": [round(low, 3), round(high, 3)], "persons": count}
    low, high = wilson(round(whole.sum()), len(whole))
    figures["whole_scale"] = {"share": round(float(whole.mean()), 3), "interval": [round(low, 3), round(high, 3)]}
    figures["groups_in_a_range"] = round(float(sizes.mean()), 2)
    figures["groups"] = dict(zip(GROUPS, own.mean(axis=0).round(3).tolist(), strict=True))
    return figures


def report_unlike(photos: Taken, values: Floats, spread: float, seed: int) -> None:
    first, second, _, same = photos.pairs()
    drawn = np.random.default_rng(seed).integers(len(values), size=(2, 3000))
    others = photos.patient[drawn[0]] != photos.patient[drawn[1]]
    for name, one, other in (
        ("one lesion", first[same], second[same]),
        ("other lesions of one patient", first[~same], second[~same]),
        ("different patients", drawn[0][others], drawn[1][others]),
    ):
        unlike = ~held(values, one, other, spread) & ~held(values, other, one, spread)
        print(f"unlike, {name}: {unlike.mean():.3f} (n = {len(unlike)})")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DERMSERVE_SHARED", "")) / "data" / "pad")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--write", type=Path, help="params/tone.json, whose group and angle are replaced")
    options = parser.parse_args(arguments)
    photos = taken(options.data)
    weights, offset = fit_weights(photos, np.ones(len(photos.ita), np.bool_))
    values = angles(photos, weights, offset)
    print("estimate                SD within persons   ICC   same lesion: SD, ICC   rho with recorded type (n)")
    for name, of in (
        ("ITA as photographed", photos.ita),
        ("ITA, white-balanced", photos.ita_balanced),
        ("lightness", photos.lightness),
        ("colour angle", values),
    ):
        known = np.isfinite(of) & np.isfinite(photos.recorded)
        rho = spearmanr(of[known], photos.recorded[known]).statistic
        (within, share), (lesion, again) = icc(of, photos.patient), icc(of, photos.lesion)
        print(f"{name:22} {within:8.1f} {share:16.2f} {lesion:12.1f} {again:6.2f} {rho:14.2f} ({known.sum()})")
    figures = evaluate(photos, options.seed)
    print(json.dumps(figures, indent=1))
    first, second, weight, _ = photos.pairs()
    spread = fit_spread(values, first, second, weight)
    off = np.abs((photos.ita[first] - photos.ita[second] + 180) % 360 - 180)
    order = np.argsort(off)
    at = np.searchsorted(np.cumsum(weight[order]) / weight.sum(), COVERAGE)
    angle = float(off[order][at]) / 2**0.5
    fitted = {
        "group": {"weights": weights.round(2).tolist(), "offset": round(offset, 2), "spread": spread},
        "angle": {"spread": round(angle, 1)},
    }
    print(json.dumps(fitted))
    report_unlike(photos, values, spread, options.seed)
    if options.write:
        held_facts = json.loads(options.write.read_text(encoding="utf-8"))
        held_facts |= fitted
        held_facts["group"] |= {
            "command": "python -m research.tone --write ml/skin/params/tone.json",
            "data": "PAD-UFES-20 (CC BY 4.0), pad: 436 photos of 329 patients",
            "meaning": "weights and offset of ln Y and ln(Y/Z) in degrees; spread in degrees",
            "held_out": figures,
        }
        held_facts["angle"] |= {
            "command": held_facts["group"]["command"],
            "meaning": "ITA as photographed: the 96% quantile of the difference of two photos of a person / sqrt 2",
        }
        options.write.write_text(json.dumps(held_facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
