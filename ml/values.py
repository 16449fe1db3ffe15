"""The frozen values that packages exchange. All arrays are NumPy arrays, never tensors of a framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

RGB = NDArray[np.uint8]  #: (height, width, 3), sRGB, row-major, upright
Vector = NDArray[np.float32]  #: (dimension,), L2-normalised
Vectors = NDArray[np.float32]  #: (n, dimension)
Mask = NDArray[np.bool_]  #: (height, width)
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Problem:
    """Something wrong with a photo, and what to do about it."""

    code: str
    message: str
    advice: str


@dataclass(frozen=True)
class Photo:
    """A decoded upload.

    ``rgb`` (H, W, 3) may be reduced. ``width`` and ``height`` are the size of the upright original in pixels.
    ``problems`` are those that only the decoder can find, such as slight damage. ``true_colours`` is False if the
    file's colour encoding is unknown or HDR. ``notes``: sentences for the person about what was read of the file.
    ``modality`` (one of ml.analysis.routing.MODALITIES) and ``pixels_per_mm`` (of the original) are what the file
    states of the kind of photo and of its scale; None if it states nothing.
    """

    rgb: RGB
    width: int
    height: int
    format: str
    problems: tuple[Problem, ...] = ()
    true_colours: bool = True
    notes: tuple[str, ...] = ()
    modality: str | None = None
    pixels_per_mm: float | None = None


@dataclass(frozen=True)
class Patient:
    """What the request states about the person; None for what it does not state. ``age`` is in years, 0–120."""

    age: float | None = None
    sex: str | None = None  # "female" | "male"
    body_site: str | None = None  # one of ml.models.patient.BODY_SITES


@dataclass(frozen=True)
class Prediction:
    """One class of the lesion classifier. ``probability`` 0–1."""

    code: str
    name: str
    icd_10: str | None
    probability: float


@dataclass(frozen=True)
class LesionSum:
    """The ``probability``, 0–1, that the lesion belongs to one of the classes ``codes``. ``name``: "cancer" or
    "cancer_or_precancerous"."""

    name: str
    codes: tuple[str, ...]
    probability: float


@dataclass(frozen=True)
class LesionDecision:
    """The classes that a lesion model commits to.

    ``kind``: "answer" (one class), "set" (several), or "none_of_these" (the photo is unlike the model's data). ``set``:
    the codes, most probable first. ``coverage``: the stated share of sets that contain the right class, 0–1; None
    without a set.
    """

    kind: str
    set: tuple[str, ...] = ()
    coverage: float | None = None


@dataclass(frozen=True)
class Lesion:
    """A lesion model's answer for one case. Probabilities are 0–1.

    ``predictions`` are calibrated. ``malignant_probability`` is the sum of those that are malignant.
    ``raw_predictions`` are the model's own output, for comparing models. Both are in descending order of probability.
    ``definition`` says which classes count as malignant. ``sensitivity``, 0–1, is that of the calibration's threshold;
    None without a calibration. ``input``: the kind of photo that the model reads, "phone" or "dermatoscopic".
    ``decision``: None if the model makes none. If it is "none_of_these", there are no predictions and sums, and
    ``malignant_probability`` is None.
    """

    model: str
    predictions: tuple[Prediction, ...]
    malignant_probability: float | None
    definition: str
    caveat: str
    raw_predictions: tuple[Prediction, ...] = ()
    sensitivity: float | None = None
    input: str = "dermatoscopic"
    sums: tuple[LesionSum, ...] = ()
    decision: LesionDecision | None = None


@dataclass(frozen=True)
class Measurement:
    """One measured number.

    ``value`` is in ``unit``; None if it could not be measured. ``uncertainty`` u is in the same unit: two photos of the
    same skin mostly differ by at most √(u₁² + u₂²) (ml.skin.declaration). ``score`` ±
    ``score_uncertainty`` is the percentage (0–100) of the index's population with a smaller value; both are None if
    that is unknown.
    """

    name: str
    value: float | None
    unit: str
    method: str
    region: str
    uncertainty: float | None = None
    score: float | None = None
    score_uncertainty: float | None = None


@dataclass(frozen=True)
class Quality:
    """The quality of a photo.

    ``score``: 0–100, 100 is best. ``usable``: False only if nothing can be measured. ``colours``: False if the photo
    does not show the skin's colours, because it is black and white, has one hue, or has an unknown colour encoding.
    """

    usable: bool
    score: float
    problems: tuple[Problem, ...] = ()
    colours: bool = True


@dataclass(frozen=True)
class Tone:
    """Skin tone. If it cannot be estimated, all other fields are None, and ``caveat`` says why.

    ``group``: "light", "medium" or "dark", the colour of the skin in this photo. ``group_range``: the groups (lightest,
    darkest) that another photo of the same person may show. ``reference``: what exposure and white balance were set by
    (ml.skin.reference.KINDS); None if the tone was not measured with a reference. The other fields are then for full
    detail only. ``ita_deg`` ± ``ita_uncertainty_deg`` is the individual typology angle in degrees;
    ``ita_corrected_deg`` is the one after white balance by the photo's own colours. ``fitzpatrick_estimate`` is 1–6 and
    ``monk_estimate`` 1–10. Each has a likely range (lowest, highest).
    """

    caveat: str
    group: str | None = None
    group_range: tuple[str, str] | None = None
    reference: str | None = None
    ita_deg: float | None = None
    ita_uncertainty_deg: float | None = None
    ita_corrected_deg: float | None = None
    ita_category: str | None = None
    fitzpatrick_estimate: int | None = None
    fitzpatrick_range: tuple[int, int] | None = None
    monk_estimate: int | None = None
    monk_range: tuple[int, int] | None = None


@dataclass(frozen=True)
class Zone:
    """A region of a face. ``polygon`` holds (x, y) pairs as fractions of the photo's width and height."""

    name: str
    polygon: tuple[tuple[float, float], ...]
    measurements: tuple[Measurement, ...] = ()


@dataclass(frozen=True)
class Skin:
    """All measurements of the photo."""

    tone: Tone | None
    measurements: tuple[Measurement, ...] = ()
    zones: tuple[Zone, ...] | None = None  # None: faces were not looked for; (): none was found


#: the label of a photo that shows no skin
NOT_SKIN = "not_skin"


@dataclass(frozen=True)
class Modality:
    """The kind of photo. ``label`` is one of ml.analysis.routing.MODALITIES or ``not_skin``; None if undetermined.
    ``confidence``, 0–1, is None if ``label`` is None or was stated. ``stated`` is the kind that the request states."""

    label: str | None
    confidence: float | None
    stated: str | None


@dataclass(frozen=True)
class SimilarCase:
    """A labelled case of the index. ``similarity`` is a cosine, −1 to 1. ``differential``: condition → weight; the
    weights sum to 1."""

    case_id: str
    similarity: float
    thumbnails: tuple[str, ...]  # paths below the service's root, one a photo
    differential: Mapping[str, float]
    dermatologists: Mapping[str, object]
    fitzpatrick: Mapping[str, object]
    monk: Mapping[str, object]
    body_parts: tuple[str, ...]
    age_group: str | None
    sex: str | None


@dataclass(frozen=True)
class Condition:
    """A named condition.

    ``probability``, 0–1, is its share before calibration: of the similarity-weighted vote, of the index's head, or of a
    mixture of both. ``calibrated_probability``, 0–1, is None without a calibration. ``band`` follows from the
    calibrated probability, or from ``probability`` without one. ``evidence``: similar cases that hold the condition; it
    may be empty if a head found it. ``agreement``, 0–1, says how far the dermatologists agreed on the cases that voted
    for it: for each case the share of them that named its leading condition, averaged with the weights of the vote.
    """

    name: str
    icd_10: str | None
    probability: float
    band: str  # "high" ≥ .33, "possible" ≥ .10, else "unlikely"
    evidence: tuple[str, ...]  # case ids, most similar first
    calibrated_probability: float | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class Decision:
    """The conditions that the analysis commits to.

    ``kind``: "answer", "set" or "abstain". ``coverage``: the stated coverage of the set, 0–1; None without a set.
    ``group``: the group of skin tones whose limit made the set, or "all".
    """

    kind: str
    set: tuple[str, ...] = ()
    coverage: float | None = None
    reasons: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True)
class Accuracy:
    """The accuracy on held-out cases: ``value`` and its 95% ``interval``, 0–1, over the ``n`` cases of the group."""

    group: str
    metric: str
    value: float
    interval: tuple[float, float]
    n: int
    dataset: str


@dataclass(frozen=True)
class Assessment:
    """The result of one search after calibration.

    ``probabilities``: every condition of the index → calibrated probability, largest first; they sum to 1. They have
    the order of the shares.
    ``distance``: 1 − the mean cosine of the voting cases, 0–2. Above ``outlier`` the photo is unlike the index.
    ``limits``: tone group → limit. The set of conditions with 1 − probability ≤ limit contains a right condition with
    the probability ``coverage``, 0–1. A limit is None if the group had too few cases. ``accuracy``: tone group →
    accuracy. Both include the group "all". ``head_agrees``: false if the head's shares and the vote's differ more than
    for 95% of the index's own cases; true if the index has no head.
    """

    probabilities: Mapping[str, float]
    distance: float
    outlier: float
    coverage: float
    limits: Mapping[str, float | None]
    accuracy: Mapping[str, Accuracy]
    head_agrees: bool = True


@dataclass(frozen=True)
class Overlay:
    """A picture to lay over the first photo. ``data`` is a PNG with transparency, with the photo's aspect ratio and at
    most 512 px long.

    ``deletion_score``, 0–1, of a heat map only: the share of the score that is lost when the most important part of the
    photo is blurred, less the share that is lost when the same shape is blurred elsewhere. 0 is no better than chance.
    ``clinical``: it shows a lesion or explains its class, so cosmetic mode leaves it out.
    """

    name: str
    region: str
    data: bytes
    media_type: str = "image/png"
    deletion_score: float | None = None
    clinical: bool = False


#: the kinds of photo that an index may have: ordinary ones, or those taken through a dermatoscope
PHOTO_KINDS = CLINICAL, DERMATOSCOPIC = "clinical", "dermatoscopic"


@dataclass(frozen=True)
class IndexInfo:
    """The index that was searched. ``built_at`` is an ISO 8601 time; of several sources it is the newest one's.
    ``photo_kind`` is one of PHOTO_KINDS: the kind of all its photos. ``method`` says what ranks the conditions: "vote"
    (of the similar cases), "head" (a classifier trained on all labelled cases) or "mixture" (of both)."""

    name: str
    dataset: str
    synthetic: bool
    cases: int
    images: int
    dimension: int
    built_at: str
    attribution: Mapping[str, str]
    photo_kind: str = CLINICAL
    method: str = "vote"


@dataclass(frozen=True)
class Retrieval:
    """A searcher's answer: the nearest distinct cases, the vote over their differentials, and the assessment, which is
    None if the index has no calibration."""

    cases: tuple[SimilarCase, ...]
    conditions: tuple[Condition, ...]
    assessment: Assessment | None = None


class Searcher(Protocol):
    """Finds labelled cases that resemble the photos of one case. The package ``scin`` implements it."""

    @property
    def version(self) -> str:
        """Version of the search library."""
        ...

    @property
    def info(self) -> IndexInfo: ...

    def search(self, views: Vectors, k: int) -> Retrieval:
        """The at most ``k`` distinct cases most similar to ``views`` (n, dimension), L2-normalised, best first."""
        ...

    def similarities(self, views: Vectors, case_ids: Sequence[str]) -> NDArray[np.float32]:
        """The cosine (n, cases), −1 to 1, of each view with the most similar photo of each case."""
        ...


@dataclass(frozen=True)
class ModelCard:
    """A model that took part in an analysis. ``engine``: the runtime and its version."""

    name: str
    version: str
    framework: str
    engine: str
    licence: str


@dataclass(frozen=True)
class Analysis:
    """The whole answer for one case, before it is rendered as JSON."""

    photos: tuple[Photo, ...]
    quality: Quality
    modality: Modality
    skin: Skin
    conditions: tuple[Condition, ...]
    lesion: Lesion | None
    decision: Decision
    similar_cases: tuple[SimilarCase, ...]
    index: IndexInfo | None
    models: tuple[ModelCard, ...]
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    accuracy: Accuracy | None = None
    accuracy_reason: str | None = None  # why there is none
    overlays: tuple[Overlay, ...] = ()
