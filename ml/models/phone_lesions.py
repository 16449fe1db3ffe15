"""The model for phone photos of a lesion: a multinomial logistic regression on the embeddings of the photo and of a
crop around the lesion, the lesion's measured colours and shape, the person's age and the body site.

``python -m ml.training.phone_lesions`` fits it. Its card with the measured accuracy is docs/models/phone-lesions.md. It
says "none of these" of a photo whose embedding is far from those of its data, because its six classes are then no
answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.errors import ArtifactError
from ml.models.classifier import combine_views, ranked, soften
from ml.models.lesion_views import FINDINGS, Views
from ml.models.patient import CANONICAL_SITES
from ml.models.spec import LesionClass
from ml.values import Doubles, Lesion, LesionDecision, LesionSum, ModelCard, Patient, Prediction, Vectors

NAME, VERSION = "phone-lesions", "1.0.0"
PHONE = "phone"  # Lesion.input of its answers
LICENCE = "Apache-2.0; made from PAD-UFES-20, CC BY 4.0"
INPUT = (
    "embeddings of a phone photo of one lesion and of a crop around it, measured colours and shape, and age and body "
    "site if they are stated"
)
#: the model, with the data, command and figures of its fit
FILE = Path(__file__).with_name("phone_lesions.json")
CARD = Path(__file__).resolve().parents[2] / "docs" / "models" / "phone-lesions.md"

CLASSES = (
    LesionClass("bcc", "Basal cell carcinoma", "C44.91", malignant=True),
    LesionClass("scc", "Squamous cell carcinoma", "C44.92", malignant=True),
    LesionClass("mel", "Melanoma", "C43.9", malignant=True),
    LesionClass("ack", "Actinic keratosis", "L57.0"),
    LesionClass("nev", "Melanocytic nevus", "D22.9"),
    LesionClass("sek", "Seborrheic keratosis", "L82.1"),
)
CODES = tuple(one.code for one in CLASSES)
#: name of a figure, after the class
SENSITIVITY = "with a probability of cancer of {:.2f} or more"
#: name of a sum → its classes
SUMS = {"cancer": ("bcc", "scc", "mel"), "cancer_or_precancerous": ("bcc", "scc", "mel", "ack")}
OUTPUT = "probabilities of " + ", ".join(CODES)
DEFINITION = "malignant = bcc + scc + mel (cancer); actinic keratosis, which is precancerous, is not counted"
LIMITS = (
    "The model for phone photos of a lesion was made from 436 photos of 329 people in Brazil, nearly all of recorded "
    "Fitzpatrick type 1 to 4, and knows six kinds of lesion."
)
_NONE_OF_THESE = (
    "This photo is unlike those that the model was made from, so it names none of its six classes. That is no "
    "all-clear. Show a changing or worrying lesion to a doctor."
)

#: embeddings have unit length; scaling them makes the usual range of penalties appropriate
_SCALE = 10.0
_EXTREME = 3.0  # standard deviations from the mean at which findings are cut off
_MEAN_AGE, _AGE_SCALE, _OLDEST = 60.0, 15.0, 95.0  # years
_SITES = CANONICAL_SITES[:-1]  # without "unknown"
_COLOUR, _SHAPE = FINDINGS.index("lightness_difference"), FINDINGS.index("asymmetry")
_PRECANCEROUS = len(SUMS["cancer_or_precancerous"])  # classes, the first ones of CODES


@dataclass(frozen=True, eq=False)
class Regression:
    """The regression. ``weights`` (features, classes), ``bias`` (classes,): the log-odds. ``means``, ``deviations``
    (len(FINDINGS),): of the findings in its data."""

    weights: Doubles
    bias: Doubles
    means: Doubles
    deviations: Doubles

    def probabilities(self, views: Views, patients: Sequence[Patient]) -> Doubles:
        """The raw probabilities (n, classes), 0–1, in the order of CODES."""
        odds = features(views, patients, self.means, self.deviations) @ self.weights + self.bias
        raised = np.exp(odds - odds.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)


def features(views: Views, patients: Sequence[Patient], means: Doubles, deviations: Doubles) -> Doubles:
    """The inputs of the regression (n, dimension + 19): the mean of both embeddings; the findings, standardised, 0
    where unknown; whether the colours and the shape are unknown; the age, whether it is stated, and the body site
    one-hot. A fact that is not stated is 0."""
    embeddings = (views.photos.astype(np.float64) + views.crops) * (_SCALE / 2)
    found = np.nan_to_num(np.clip((views.findings - means) / deviations, -_EXTREME, _EXTREME), nan=0.0)
    unknown = np.isnan(views.findings[:, [_COLOUR, _SHAPE]])
    facts = np.array([_facts(patient) for patient in patients], np.float64)
    return np.concatenate([embeddings, found, unknown, facts], axis=1)


def _facts(patient: Patient) -> list[float]:
    age = None if patient.age is None else (min(patient.age, _OLDEST) - _MEAN_AGE) / _AGE_SCALE
    return [age or 0.0, float(age is not None), *(float(patient.body_site == site) for site in _SITES)]


def calibrated(raw: Doubles, between: float, within: float) -> Doubles:
    """Temperature scaling (Guo et al. 2017) of ``raw`` (…, classes): the share of cancer or precancerous classes by the
    temperature ``between``, the classes among these and among the others by ``within``."""
    groups = (raw[..., :_PRECANCEROUS], raw[..., _PRECANCEROUS:])
    shares = soften(np.stack([group.sum(axis=-1) for group in groups], axis=-1), between)
    return np.concatenate([soften(group, within) * shares[..., [one]] for one, group in enumerate(groups)], axis=-1)


@dataclass(frozen=True, eq=False)
class PhoneLesions:
    """The fitted model.

    - ``encoder``, ``fingerprint``: the encoder whose embeddings it reads.
    - ``between``, ``within``: the temperatures of `calibrated`.
    - ``coverage``, ``limit``: a set contains the classes whose probability is at least 1 − ``limit``. It contains the
      right one with the probability ``coverage`` (split conformal prediction; Sadinle, Lei and Wasserman 2019).
    - ``centres`` (classes, dimension), ``farthest``: the mean direction of each class's embeddings, and the largest
      cosine distance from the nearest of them at which the model answers.
    - ``caveat``, ``sensitivity``: for every answer; the share of cancers with a probability at the stated threshold.
    """

    encoder: str
    fingerprint: str
    regression: Regression
    between: float
    within: float
    coverage: float
    limit: float
    centres: Doubles
    farthest: float
    sensitivity: float
    caveat: str

    @property
    def card(self) -> ModelCard:
        return ModelCard(NAME, VERSION, "numpy", f"numpy {np.__version__}", LICENCE)

    def probabilities(self, views: Views, patient: Patient) -> Doubles:
        """The raw probabilities (n, classes), 0–1, in the order of CODES, for each of the ``views``."""
        return self.regression.probabilities(views, [patient] * len(views))

    def classify(self, views: Views, patient: Patient) -> Lesion:
        """One calibrated answer for the ``views`` of all photos of one lesion. Photos far from the model's data are
        left out if another one is not."""
        near = distances(views.photos, self.centres) <= self.farthest
        each = self.probabilities(views, patient)
        raw = combine_views((each[near] if near.any() else each).astype(np.float32)).astype(np.float64)
        nothing = Lesion(
            model=NAME,
            predictions=(),
            malignant_probability=None,
            definition=DEFINITION,
            caveat=_NONE_OF_THESE,
            raw_predictions=ranked(CLASSES, raw),
            sensitivity=self.sensitivity,
            input=PHONE,
            decision=LesionDecision("none_of_these"),
        )
        return (
            self._with(nothing, ranked(CLASSES, calibrated(raw, self.between, self.within))) if near.any() else nothing
        )

    def _with(self, nothing: Lesion, predictions: tuple[Prediction, ...]) -> Lesion:
        """The answer with calibrated ``predictions``, most probable first."""
        probability = {one.code: one.probability for one in predictions}
        sums = tuple(LesionSum(name, codes, sum(probability[code] for code in codes)) for name, codes in SUMS.items())
        inside = conformal_set(np.array([one.probability for one in predictions]), self.limit)
        codes = tuple(one.code for one in predictions[:inside])
        return replace(
            nothing,
            predictions=predictions,
            malignant_probability=sums[0].probability,
            caveat=self.caveat,
            sums=sums,
            decision=LesionDecision("answer" if inside == 1 else "set", codes, self.coverage),
        )


def distances(embeddings: Vectors, centres: Doubles) -> Doubles:
    """The cosine distance (n,), 0–2, of each of the ``embeddings`` (n, dimension) from the nearest of ``centres``."""
    return np.asarray(1.0 - (embeddings @ centres.T).max(axis=1), np.float64)


def conformal_set(ranked: Doubles, limit: float) -> int:
    """How many classes the set contains. ``ranked``: their probabilities in descending order. It is never empty."""
    return max(1, int((1.0 - ranked <= limit).sum()))


def read_phone_lesions(path: Path = FILE) -> PhoneLesions:
    """The model in a JSON file that ``ml.training.phone_lesions`` wrote. Raises ArtifactError."""
    try:
        facts: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sensitivity = facts["sensitivity"]
        return PhoneLesions(
            encoder=facts["encoder"]["name"],
            fingerprint=facts["encoder"]["fingerprint"],
            regression=_regression(facts),
            between=float(facts["temperatures"]["between"]),
            within=float(facts["temperatures"]["within"]),
            coverage=float(facts["set"]["coverage"]),
            limit=float(facts["set"]["limit"]),
            centres=np.array([facts["centres"][code] for code in CODES], np.float64),
            farthest=float(facts["none_of_these"]["farthest"]),
            sensitivity=sensitivity["found"] / sensitivity["cancers"],
            caveat=_caveat(sensitivity, facts["figures"][f"mel {SENSITIVITY.format(sensitivity['threshold'])}"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"The model in {path.name} cannot be read. Install the service again.") from error


def _regression(facts: Mapping[str, Any]) -> Regression:
    means, deviations = np.array([facts["findings"][name] for name in FINDINGS], np.float64).T
    weights, bias = (np.array([facts[what][code] for code in CODES], np.float64) for what in ("weights", "bias"))
    return Regression(weights.T, bias, means, deviations)


def _caveat(sensitivity: Mapping[str, Any], melanomas: Mapping[str, Any]) -> str:
    low, high = (f"{limit * 100:.0f}" for limit in sensitivity["interval"])
    cancers, found = sensitivity["cancers"], sensitivity["found"]
    return (
        "Made for phone photos of one lesion of six kinds; other lesions exist. A low probability of cancer is no "
        f"all-clear: of {cancers} cancers in {sensitivity['photos']} photos of people whom it had not seen, {found} "
        f"(95% interval {low}–{high}%) got a probability of cancer of {sensitivity['threshold']:.0%} or more, and "
        f"{cancers - found} got less. Of the {melanomas['n']} melanomas among them, {melanomas['value']:.0%} got that "
        "much. Show a changing or worrying lesion to a doctor."
    )
