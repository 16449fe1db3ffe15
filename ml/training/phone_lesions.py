"""``python -m ml.training.phone_lesions PAD [--write]``: fit the model for phone photos of a lesion, and measure it.

PAD is the folder of PAD-UFES-20 (Pacheco et al., Data in Brief 32, 2020, 106221; CC BY 4.0) with ``labels.csv``. Every
figure is that of a fit without the photo's patient: five folds keep patients together, and the temperature, the limit
of the sets and the largest distance of a fold come from the other folds. Intervals are 95%: Wilson for shares,
bootstrap over patients for the rest.

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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from ml.imaging.decode import decode
from ml.models.classifier import soften
from ml.models.encoder import Encoder
from ml.models.loading import load_encoder
from ml.models.patient import canonical
from ml.models.phone_lesions import CODES, FILE, NAME, VERSION, conformal_set, distances, features
from ml.models.registry import EFFICIENTNET_LITE0 as ENCODER
from ml.models.store import ModelStore
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
from ml.values import RGB, Doubles, Mask, Patient, Vectors

_PENALTY = 0.1  # scikit-learn's C
_VARIATIONS, _OF_PHOTO = 3, 0.4  # of each photo; the share of its weight that belongs to the photo itself
_FOLDS, _SEED = 5, 0
_NEAR = 0.97  # share of the model's own photos that get an answer
_ARRAYS = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True, eq=False)
class Fit:
    """``weights`` (features, classes), ``bias`` (classes,), ``centres`` (classes, dimension)."""

    weights: Doubles
    bias: Doubles
    centres: Doubles

    def probabilities(self, vectors: Vectors, facts: Sequence[Patient]) -> Doubles:
        odds = features(vectors, facts) @ self.weights + self.bias
        raised = np.exp(odds - odds.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)


def read(pad: Path, encoder: Encoder, cache: Path | None) -> Photos:
    """Read and embed the photos of ``pad``. ``cache``: a file of the embeddings, made if absent. Raises OSError."""
    with (pad / "labels.csv").open(newline="", encoding="utf-8") as lines:
        rows = tuple(csv.DictReader(lines))
    if cache is not None and cache.exists():
        vectors = np.load(cache)
    else:
        vectors = np.stack([encoder.embed(_views(pad / row["file"], n)) for n, row in enumerate(rows)])
        if cache is not None:
            np.save(cache, vectors)
    facts = tuple(
        Patient(float(row["age"]) if row["age"] else None, None, canonical(row["region"]) if row["region"] else None)
        for row in rows
    )
    classes = np.array([CODES.index(row["diagnostic"].lower()) for row in rows])
    return Photos(vectors, classes, np.array([row["patient_id"] for row in rows]), facts, rows)


def _views(path: Path, number: int) -> list[RGB]:
    """The photo, its mirror image, its middle, and three random variations of crop, turn, exposure and contrast."""
    photo, random = decode(path.read_bytes()).rgb, np.random.default_rng((_SEED, number))
    views = [photo, photo[:, ::-1], _part(photo, 0.7, 0.5, 0.5)]
    for _ in range(_VARIATIONS):
        part = np.rot90(_part(photo, random.uniform(0.55, 1.0), *random.random(2)), int(random.integers(4)))
        gain, gamma = random.uniform(0.75, 1.3) * random.uniform(0.92, 1.08, 3), random.uniform(0.85, 1.18)
        table = np.clip((np.arange(256) / 255)[:, None] ** gamma * gain, 0.0, 1.0)
        codes = np.rint(table * 255).astype(np.uint8)
        views.append(np.stack([codes[part[..., one], one] for one in range(3)], axis=-1))
    return [np.ascontiguousarray(view) for view in views]


def _part(photo: RGB, share: float, down: float, across: float) -> RGB:
    """``share`` of each side of ``photo`` (H, W, 3), placed at ``down`` and ``across``, 0–1."""
    height, width = (round(side * share) for side in photo.shape[:2])
    top, left = round((photo.shape[0] - height) * down), round((photo.shape[1] - width) * across)
    return photo[top : top + height, left : left + width]


def fit(photos: Photos, among: Ints) -> Fit:
    """The regression on the photos ``among``. Each counts with all its facts, with none, and with one of them, so that
    the answer is calibrated whatever is stated."""
    nobody, views = Patient(), photos.vectors.shape[1]
    inputs, weights = [], []
    for view in range(views):
        of_view = _OF_PHOTO if view == 0 else (1 - _OF_PHOTO) / (views - 1)
        vectors = photos.vectors[among, view]
        facts = [photos.facts[place] for place in among]
        for known, share in (
            (facts, 0.4),
            ([nobody] * len(facts), 0.4),
            ([replace(one, age=None) for one in facts], 0.1),
            ([replace(one, body_site=None) for one in facts], 0.1),
        ):
            inputs.append(features(vectors, known))
            weights.append(np.full(len(among), share * of_view))
    model = LogisticRegression(C=_PENALTY, max_iter=2000)
    model.fit(np.concatenate(inputs), np.tile(photos.classes[among], len(inputs)), np.concatenate(weights))
    means = np.stack([photos.vectors[among[photos.classes[among] == k], 0].mean(axis=0) for k in range(len(CODES))])
    centres = means / np.linalg.norm(means, axis=1, keepdims=True)
    return Fit(model.coef_.T, model.intercept_, np.asarray(centres, np.float64))


def temperature(raw: Doubles, classes: Ints) -> float:
    """The temperature with the least negative log-likelihood of ``raw`` (versions, n, classes)."""

    def loss(log_value: float) -> float:
        softened = soften(raw, float(np.exp(log_value)))
        return float(-np.log(softened[:, np.arange(len(classes)), classes]).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded").x))


def set_limit(calibrated: Doubles, classes: Ints) -> float:
    """The conformal limit of 1 − probability (Vovk et al. 2005) of ``calibrated`` (versions, n, classes)."""
    scores = np.sort(1.0 - calibrated[:, np.arange(len(classes)), classes], axis=None)
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
        found, vectors = fit(photos, train), photos.vectors[test, 0]
        raw[0, test] = found.probabilities(vectors, [Patient()] * len(test))
        raw[1, test] = found.probabilities(vectors, [photos.facts[place] for place in test])
        far[test] = distances(vectors, found.centres)
    calibrated, sets, near = np.zeros_like(raw), np.zeros(raw.shape, np.bool_), np.zeros(n, np.bool_)
    for number in range(_FOLDS):
        here, others = fold == number, fold != number
        heat = temperature(raw[:, others], photos.classes[others])
        limit = set_limit(soften(raw[:, others], heat), photos.classes[others])
        calibrated[:, here] = soften(raw[:, here], heat)
        sets[:, here] = _in_sets(calibrated[:, here], limit)
        near[here] = far[here] <= np.quantile(far[others], _NEAR)
    return Unseen(fold, raw, calibrated, sets, far, near)


def _in_sets(calibrated: Doubles, limit: float) -> Mask:
    """Which classes (…, classes) the sets contain."""
    inside = np.zeros(calibrated.shape, np.bool_)
    for place in np.ndindex(calibrated.shape[:-1]):
        order = np.argsort(-calibrated[place], kind="stable")
        inside[(*place, order[: conformal_set(calibrated[place][order], limit)])] = True
    return inside


def describe(photos: Photos, found: Unseen, model: Fit, figures: Figures, fingerprint: str) -> dict[str, Any]:
    """What the file of the model contains."""
    heat = temperature(found.raw, photos.classes)
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
            "command": f"{COMMAND} --write",
            "date": datetime.now(UTC).date().isoformat(),
            "data": "PAD-UFES-20 (Pacheco et al., Data in Brief 32, 2020, 106221; CC BY 4.0), half of its patients",
            "photos": len(photos.classes),
            "patients": len(set(photos.patients.tolist())),
            "classes": {code: int((photos.classes == place).sum()) for place, code in enumerate(CODES)},
        },
        "temperature": round(heat, 3),
        "set": {"coverage": COVERAGE, "limit": round(set_limit(soften(found.raw, heat), photos.classes), 4)},
        "none_of_these": {"percentile": _NEAR * 100, "farthest": round(float(np.quantile(found.far, _NEAR)), 4)},
        "sensitivity": {
            "threshold": THRESHOLD,
            "photos": len(photos.classes),
            "cancers": int(cancers.sum()),
            "found": int(hits.sum()),
            "interval": [round(low, 3), round(high, 3)],
        },
        "bias": rounded(model.bias, 3),
        "weights": rounded(model.weights.T, 3),
        "centres": rounded(model.centres, 4),
        "figures": figures.made,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ml.training.phone_lesions", description=__doc__)
    parser.add_argument("pad", type=Path)
    parser.add_argument("--clinical", type=Path)
    parser.add_argument("--embeddings", type=Path, help="file in which the embeddings are cached")
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    given = parser.parse_args()
    encoder = load_encoder(given.models, ENCODER.name, threads=1, engine="auto")
    photos = read(given.pad, encoder, given.embeddings)
    found, model = unseen(photos), fit(photos, np.arange(len(photos.classes)))
    figures = Figures(photos.patients)
    measure(figures, photos, found)
    measure_groups(figures, photos, found.calibrated[0])
    facts = describe(photos, found, model, figures, ModelStore(given.models).manifest(ENCODER).fingerprint)
    if given.clinical:
        farthest, heat = facts["none_of_these"]["farthest"], facts["temperature"]

        def cancer(vector: Vectors) -> float | None:
            """The probability of cancer, 0–1; None if the photo is far from the data."""
            if distances(vector, model.centres)[0] > farthest:
                return None
            return float(soften(model.probabilities(vector, [Patient()]), heat)[0, :CANCERS].sum())

        measure_elsewhere(figures, cancer, given.clinical, encoder)
    if given.write:
        text = json.dumps(facts, indent=1)
        FILE.write_text(_ARRAYS.sub(lambda arrays: " ".join(arrays.group().split()), text) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
