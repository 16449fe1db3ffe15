"""``python -m ml.training.phone_lesions PAD --checkpoints NETWORKS --outlined FOLDER… [--write]``: fit the model for
phone photos of a lesion, and measure it.

PAD is the folder of PAD-UFES-20 (Pacheco et al., Data in Brief 32, 2020, 106221; CC BY 4.0) with ``labels.csv``. Every
figure is that of a fit without the photo's patient: five folds keep patients together, and the temperatures, the limit
of the sets and the largest distance of a fold come from the other folds. Lesions are outlined by networks that have not
seen the patient: ``python -m ml.training.outlines FOLDER… --checkpoints NETWORKS`` trains them. Intervals are 95%:
Wilson for shares, bootstrap over patients for the rest.

``--clinical DATA`` also counts how many photos of another source get an answer: the folders ``clinical`` and
``clinical_more`` of DATA, whose file names begin with the condition. Nothing of this model is fitted to them.

Recorded sex is no input: it is missing in every lesion without a biopsy, so a model would read from it whether a doctor
had suspected cancer.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from ml.imaging.decode import decode
from ml.models.encoder import Encoder
from ml.models.lesion_views import FINDINGS, Square, Views, around, findings
from ml.models.loading import load_encoder
from ml.models.patient import canonical
from ml.models.phone_lesions import (
    CODES,
    FILE,
    NAME,
    VERSION,
    Regression,
    calibrated,
    conformal_set,
    distances,
    features,
)
from ml.models.registry import EFFICIENTNET_LITE0 as ENCODER
from ml.models.store import ModelStore
from ml.skin.frame import Frame, Subject
from ml.training.lesion_figures import (
    CANCERS,
    COMMAND,
    COVERAGE,
    THRESHOLD,
    Figures,
    Ints,
    Photos,
    Unseen,
    measure,
    measure_elsewhere,
    measure_groups,
)
from ml.training.statistics import wilson
from ml.training.unseen_outlines import UnseenOutlines
from ml.values import RGB, Doubles, Mask, Patient, Vectors

_PENALTY = 0.1  # scikit-learn's C
_VARIATIONS, _OF_PHOTO = 3, 0.4  # of each photo; the share of its weight that belongs to the photo itself
_WIDER, _SHIFT = 1.3, 0.12  # of crops: the wider one over the crop; the largest shift over the side
_FOLDS, _SEED = 5, 0
_NEAR = 0.97  # share of the model's own photos that get an answer
_ARRAYS = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True, eq=False)
class Fit:
    """``centres`` (classes, dimension): the mean direction of the embeddings of each class."""

    regression: Regression
    centres: Doubles


@dataclass(frozen=True)
class Calibration:
    """The temperatures of `ml.models.phone_lesions.calibrated`."""

    between: float
    within: float

    def of(self, raw: Doubles) -> Doubles:
        return calibrated(raw, self.between, self.within)


def read(pad: Path, encoder: Encoder, unseen: UnseenOutlines, cache: Path | None) -> Photos:
    """Read, outline and embed the photos of ``pad``. ``cache``: an NPZ file of the results, made if absent. Raises
    OSError."""
    with (pad / "labels.csv").open(newline="", encoding="utf-8") as lines:
        rows = tuple(csv.DictReader(lines))
    if cache is not None and cache.exists():
        with np.load(cache) as kept:
            vectors, crops, found = kept["vectors"], kept["crops"], kept["findings"]
    else:
        seen = [_seen(pad / row["file"], row["patient_id"], number, encoder, unseen) for number, row in enumerate(rows)]
        vectors, crops, found = (np.stack(of) for of in zip(*seen, strict=True))
        if cache is not None:
            np.savez(cache, vectors=vectors, crops=crops, findings=found)
    facts = tuple(
        Patient(float(row["age"]) if row["age"] else None, None, canonical(row["region"]) if row["region"] else None)
        for row in rows
    )
    classes = np.array([CODES.index(row["diagnostic"].lower()) for row in rows])
    return Photos(vectors, crops, found, classes, np.array([row["patient_id"] for row in rows]), facts, rows)


def _seen(
    path: Path, patient: str, number: int, encoder: Encoder, unseen: UnseenOutlines
) -> tuple[Vectors, Vectors, Doubles]:
    """The embeddings (variations, dimension) of the photo and of the crop around its lesion, and the findings."""
    photo = decode(path.read_bytes()).rgb
    part = Subject(Frame(photo)).whole
    with unseen.of(patient):
        square, found = around(part), findings(part)
    photos, crops = zip(*_variations(photo, square, np.random.default_rng((_SEED, number))), strict=True)
    return encoder.embed(photos), encoder.embed(crops), found


def _variations(photo: RGB, square: Square, random: np.random.Generator) -> Iterator[tuple[RGB, RGB]]:
    """The photo and the crop; their mirror images; the middle and a wider crop; and three random variations of place,
    turn, exposure and contrast."""
    crop = square.of(photo)
    yield photo, crop
    yield np.ascontiguousarray(photo[:, ::-1]), np.ascontiguousarray(crop[:, ::-1])
    yield _part(photo, 0.7, 0.5, 0.5), replace(square, side=min(1.0, square.side * _WIDER)).of(photo)
    for _ in range(_VARIATIONS):
        part = _part(photo, random.uniform(0.55, 1.0), *random.random(2))
        across, down = random.uniform(-_SHIFT, _SHIFT, 2) * square.side * min(photo.shape[:2]) / photo.shape[1::-1]
        side = min(1.0, square.side * random.uniform(0.9, 1.4))
        crop = Square(square.down + down, square.across + across, side).of(photo)
        turns = int(random.integers(4))
        gain, gamma = random.uniform(0.75, 1.3) * random.uniform(0.92, 1.08, 3), random.uniform(0.85, 1.18)
        table = np.clip((np.arange(256) / 255)[:, None] ** gamma * gain, 0.0, 1.0)
        codes = np.rint(table * 255).astype(np.uint8)
        lit = [np.stack([codes[one[..., k], k] for k in range(3)], axis=-1) for one in (part, crop)]
        yield np.rot90(lit[0], turns).copy(), np.rot90(lit[1], turns).copy()


def _part(photo: RGB, share: float, down: float, across: float) -> RGB:
    """``share`` of each side of ``photo`` (H, W, 3), placed at ``down`` and ``across``, 0–1."""
    height, width = (round(side * share) for side in photo.shape[:2])
    top, left = round((photo.shape[0] - height) * down), round((photo.shape[1] - width) * across)
    return np.ascontiguousarray(photo[top : top + height, left : left + width])


def fit(photos: Photos, among: Ints) -> Fit:
    """The regression on the photos ``among``. Each counts with all its facts, with none, and with one of them, so that
    the answer is calibrated whatever is stated."""
    nobody, variations = Patient(), photos.vectors.shape[1]
    means, deviations = np.nanmean(photos.findings[among], axis=0), np.nanstd(photos.findings[among], axis=0)
    inputs, weights = [], []
    for variation in range(variations):
        its_weight = _OF_PHOTO if variation == 0 else (1 - _OF_PHOTO) / (variations - 1)
        views = photos.views(among, variation)
        facts = [photos.facts[place] for place in among]
        for known, share in (
            (facts, 0.4),
            ([nobody] * len(facts), 0.4),
            ([replace(one, age=None) for one in facts], 0.1),
            ([replace(one, body_site=None) for one in facts], 0.1),
        ):
            inputs.append(features(views, known, means, deviations))
            weights.append(np.full(len(among), share * its_weight))
    model = LogisticRegression(C=_PENALTY, max_iter=2000)
    model.fit(np.concatenate(inputs), np.tile(photos.classes[among], len(inputs)), np.concatenate(weights))
    of_class = [among[photos.classes[among] == place] for place in range(len(CODES))]
    directions = np.stack([photos.vectors[places, 0].mean(axis=0) for places in of_class])
    centres = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return Fit(Regression(model.coef_.T, model.intercept_, means, deviations), np.asarray(centres, np.float64))


def calibrate(raw: Doubles, classes: Ints) -> Calibration:
    """The temperatures with the least negative log-likelihood of ``raw`` (versions, n, classes)."""

    def loss(logs: Doubles) -> float:
        found = calibrated(raw, *np.exp(logs).tolist())
        return float(-np.log(found[:, np.arange(len(classes)), classes]).mean())

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", bounds=[(-1.5, 1.5)] * 2)
    return Calibration(*np.exp(found.x).tolist())


def set_limit(found: Doubles, classes: Ints) -> float:
    """The conformal limit of 1 − probability (Vovk et al. 2005) of calibrated probabilities (versions, n,
    classes)."""
    scores = np.sort(1.0 - found[:, np.arange(len(classes)), classes], axis=None)
    n = len(classes)
    rank = min(1.0, np.ceil((n + 1) * COVERAGE) / n)
    return float(np.quantile(scores, rank, method="higher"))


def unseen(photos: Photos) -> Unseen:
    """Every photo's results by fits, temperatures and limits without its patient."""
    n = len(photos.classes)
    fold, raw, far = np.zeros(n, np.intp), np.zeros((2, n, len(CODES))), np.zeros(n)
    splits = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=_SEED)
    for number, (train, test) in enumerate(splits.split(photos.classes, photos.classes, photos.patients)):
        fold[test] = number
        found, views = fit(photos, train), photos.views(test)
        raw[0, test] = found.regression.probabilities(views, [Patient()] * len(test))
        raw[1, test] = found.regression.probabilities(views, [photos.facts[place] for place in test])
        far[test] = distances(views.photos, found.centres)
    even, sets, near = np.zeros_like(raw), np.zeros(raw.shape, np.bool_), np.zeros(n, np.bool_)
    for number in range(_FOLDS):
        here, others = fold == number, fold != number
        calibration = calibrate(raw[:, others], photos.classes[others])
        limit = set_limit(calibration.of(raw[:, others]), photos.classes[others])
        even[:, here] = calibration.of(raw[:, here])
        sets[:, here] = _in_sets(even[:, here], limit)
        near[here] = far[here] <= np.quantile(far[others], _NEAR)
    return Unseen(fold, raw, even, sets, far, near)


def _in_sets(found: Doubles, limit: float) -> Mask:
    """Which classes (…, classes) the sets contain."""
    inside = np.zeros(found.shape, np.bool_)
    for place in np.ndindex(found.shape[:-1]):
        order = np.argsort(-found[place], kind="stable")
        inside[(*place, order[: conformal_set(found[place][order], limit)])] = True
    return inside


def describe(photos: Photos, found: Unseen, model: Fit, figures: Figures, fingerprint: str) -> dict[str, Any]:
    """What the file of the model contains."""
    calibration, regression = calibrate(found.raw, photos.classes), model.regression
    cancers = photos.classes < CANCERS
    hits = found.calibrated[0][cancers, :CANCERS].sum(axis=1) >= THRESHOLD
    low, high = wilson(int(hits.sum()), int(cancers.sum()))

    def rounded(values: Doubles, digits: int) -> dict[str, object]:
        return dict(zip(CODES, np.round(values, digits).tolist(), strict=True))

    return {
        "name": NAME,
        "version": VERSION,
        "encoder": {"name": ENCODER.name, "version": ENCODER.version, "fingerprint": fingerprint},
        "fitted": {
            "command": f"{COMMAND} --clinical DATA --write",
            "date": datetime.now(UTC).date().isoformat(),
            "data": "PAD-UFES-20 (Pacheco et al., Data in Brief 32, 2020, 106221; CC BY 4.0), half of its patients",
            "photos": len(photos.classes),
            "patients": len(set(photos.patients.tolist())),
            "classes": {code: int((photos.classes == place).sum()) for place, code in enumerate(CODES)},
        },
        "temperatures": {"between": round(calibration.between, 3), "within": round(calibration.within, 3)},
        "set": {"coverage": COVERAGE, "limit": round(set_limit(calibration.of(found.raw), photos.classes), 4)},
        "none_of_these": {"percentile": _NEAR * 100, "farthest": round(float(np.quantile(found.far, _NEAR)), 4)},
        "sensitivity": {
            "threshold": THRESHOLD,
            "photos": len(photos.classes),
            "cancers": int(cancers.sum()),
            "found": int(hits.sum()),
            "interval": [round(low, 3), round(high, 3)],
        },
        "findings": dict(zip(FINDINGS, np.round([regression.means, regression.deviations], 4).T.tolist(), strict=True)),
        "bias": rounded(regression.bias, 3),
        "weights": rounded(regression.weights.T, 3),
        "centres": rounded(model.centres, 4),
        "figures": figures.made,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.training.phone_lesions", description=__doc__)
    parser.add_argument("pad", type=Path)
    parser.add_argument("--clinical", type=Path)
    parser.add_argument("--checkpoints", type=Path, required=True, help="networks of ml.training.outlines")
    parser.add_argument("--outlined", type=Path, nargs="+", required=True, help="the folders they were trained on")
    parser.add_argument("--embeddings", type=Path, help="NPZ file in which embeddings and findings are cached")
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    given = parser.parse_args()
    encoder = load_encoder(given.models, ENCODER.name, threads=1, engine="auto")
    photos = read(given.pad, encoder, UnseenOutlines(given.checkpoints, given.outlined), given.embeddings)
    found, model = unseen(photos), fit(photos, np.arange(len(photos.classes)))
    figures = Figures(photos.patients)
    measure(figures, photos, found)
    measure_groups(figures, photos, found.calibrated[0])
    facts = describe(photos, found, model, figures, ModelStore(given.models).manifest(ENCODER).fingerprint)
    if given.clinical:
        farthest, temperatures = facts["none_of_these"]["farthest"], facts["temperatures"]

        def cancer(views: Views) -> float | None:
            """The probability of cancer, 0–1; None if the photo is far from the data."""
            if distances(views.photos, model.centres)[0] > farthest:
                return None
            raw = model.regression.probabilities(views, [Patient()])
            return float(calibrated(raw, **temperatures)[0, :CANCERS].sum())

        measure_elsewhere(figures, cancer, given.clinical, encoder)
    if given.write:
        text = json.dumps(facts, indent=1)
        FILE.write_text(_ARRAYS.sub(lambda arrays: " ".join(arrays.group().split()), text) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
