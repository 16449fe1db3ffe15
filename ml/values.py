"""Frozen results that cross from room to room. Arrays are numpy; a framework's tensor never appears here."""

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


@dataclass(frozen=True)
class Problem:
    """A reason why the photo is worse than it could be, and what to do about it."""

    code: str
    message: str
    advice: str


@dataclass(frozen=True)
class Photo:
    """A decoded upload. ``width`` and ``height`` are the upright original's, in pixels; ``rgb`` may be smaller.

    ``problems`` is what decoding found that the pixels alone do not show, such as slight damage. ``true_colours`` is
    False where the file does not say which colours its numbers stand for.
    """

    rgb: RGB
    width: int
    height: int
    format: str
    problems: tuple[Problem, ...] = ()
    true_colours: bool = True


@dataclass(frozen=True)
class Patient:
    """What the request says of the person; None where it says nothing. ``age`` in years, 0–120."""

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
class Lesion:
    """The dermatoscopic classifier's answer for one case. Probabilities are 0–1.

    ``predictions`` are calibrated, and ``malignant_probability`` is the sum of the malignant ones among them.
    ``raw_predictions`` are the model's own output, for whoever compares models. Both have the most probable first.
    """

    model: str
    predictions: tuple[Prediction, ...]
    malignant_probability: float
    definition: str
    caveat: str
    raw_predictions: tuple[Prediction, ...] = ()
    sensitivity: float | None = None


@dataclass(frozen=True)
class Measurement:
    """One measured number. ``value`` in ``unit``, None where it could not be measured; ``uncertainty`` is how far it
    may move when the photo is repeated, in the same unit (ml.skin.uncertainty); ``score`` is the percentage of the
    index's population with a smaller value, 0–100, sure to ``score_uncertainty``; both None where that is not known."""

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
    """``score`` 0–100 (100 is best); ``usable`` is False only where nothing can be measured. ``colours`` is False where
    the photo's colours say nothing of the skin's: in black and white, in one hue, or in an unknown colour space."""

    usable: bool
    score: float
    problems: tuple[Problem, ...] = ()
    colours: bool = True


@dataclass(frozen=True)
class Tone:
    """Skin tone estimates; every field is None where there is too little skin to tell.

    ``ita_deg`` is the individual typology angle in degrees as photographed, ``ita_corrected_deg`` after shades of
    grey; ``fitzpatrick_estimate`` 1–6, ``monk_estimate`` 1–10, each with the lowest and highest that are as likely.
    """

    ita_deg: float | None
    ita_category: str | None
    fitzpatrick_estimate: int | None
    monk_estimate: int | None
    caveat: str
    ita_corrected_deg: float | None = None
    fitzpatrick_range: tuple[int, int] | None = None
    monk_range: tuple[int, int] | None = None


@dataclass(frozen=True)
class Zone:
    """A region of a face. ``polygon`` holds (x, y) pairs as fractions of the photo's width and height."""

    name: str
    polygon: tuple[tuple[float, float], ...]
    measurements: tuple[Measurement, ...] = ()


@dataclass(frozen=True)
class Skin:
    """Everything measured on the photo itself."""

    tone: Tone | None
    measurements: tuple[Measurement, ...] = ()
    zones: tuple[Zone, ...] | None = None  # None: not looked for; (): no face found


#: the label of a photo that shows no skin
NOT_SKIN = "not_skin"


@dataclass(frozen=True)
class Modality:
    """What kind of photo this is. ``label`` and ``confidence`` (0–1) are None where it was not determined."""

    label: str | None
    confidence: float | None
    stated: str | None


@dataclass(frozen=True)
class SimilarCase:
    """A labelled case of the index. ``similarity`` is a cosine, −1 to 1; ``differential`` weights sum to 1."""

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
    """A named condition. ``probability`` is its share of the similarity-weighted vote, 0–1; ``calibrated_probability``
    what the index's calibration makes of it, None where there is none. ``band`` is that of the calibrated probability,
    or of the share where there is none. ``agreement``: how far the dermatologists of its evidence agreed, 0–1: the
    vote-weighted mean of the shares that named their case's leading condition."""

    name: str
    icd_10: str | None
    probability: float
    band: str  # "high" ≥ .33, "possible" ≥ .10, else "unlikely"
    evidence: tuple[str, ...]  # case ids, most similar first
    calibrated_probability: float | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class Decision:
    """What the analysis commits to. ``kind`` is answer, set or abstain; ``coverage`` 0–1 or None if unmeasured;
    ``group`` is whose calibration the set was made by: a group of skin tones, or "all"."""

    kind: str
    set: tuple[str, ...] = ()
    coverage: float | None = None
    reasons: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True)
class Accuracy:
    """How often the index's answer was right on cases that it had not seen. ``value`` and its 95% interval 0–1, over
    ``n`` cases of the group."""

    group: str
    metric: str
    value: float
    interval: tuple[float, float]
    n: int
    dataset: str


@dataclass(frozen=True)
class Assessment:
    """What an index's calibration says of one search.

    ``probabilities``: every condition that the index knows → calibrated probability, largest first; they sum to 1.
    ``distance`` is 1 − the mean cosine of the voters, 0–2; beyond ``outlier`` a case is unlike those of the index.
    A set of conditions with 1 − probability up to ``limits``[tone group] holds a right one with the stated
    ``coverage``, 0–1; None where too few cases of the group were there to calibrate by. ``accuracy``: by tone group.
    Both know the group "all".
    """

    probabilities: Mapping[str, float]
    distance: float
    outlier: float
    coverage: float
    limits: Mapping[str, float | None]
    accuracy: Mapping[str, Accuracy]


@dataclass(frozen=True)
class Overlay:
    """A picture to lay over the first photo: ``data`` is a PNG with transparency in its shape, at most 512 px long.

    ``deletion_score`` 0–1, of a heat map only: how much more of the explained score goes when its most important part
    is taken away than when the same shape is taken away elsewhere; 0 is no better than chance.
    """

    name: str
    region: str
    data: bytes
    media_type: str = "image/png"
    deletion_score: float | None = None


@dataclass(frozen=True)
class IndexInfo:
    """What the answers were looked up in. ``built_at`` is an ISO 8601 time: the newest source's."""

    name: str
    dataset: str
    synthetic: bool
    cases: int
    images: int
    dimension: int
    built_at: str
    attribution: Mapping[str, str]


@dataclass(frozen=True)
class Retrieval:
    """A searcher's answer: the nearest distinct cases, the vote over their differentials, and what the calibration
    says of it (None where the index has none)."""

    cases: tuple[SimilarCase, ...]
    conditions: tuple[Condition, ...]
    assessment: Assessment | None = None


class Searcher(Protocol):
    """Finds labelled cases near the views of one case. Implemented by scin; handed to the analyzer."""

    @property
    def version(self) -> str:
        """Version of the search library."""
        ...

    @property
    def info(self) -> IndexInfo: ...

    def search(self, views: Vectors, k: int) -> Retrieval:
        """``views``: (n, dimension), L2-normalised. Returns at most ``k`` distinct cases, most similar first."""
        ...

    def similarities(self, views: Vectors, case_ids: Sequence[str]) -> NDArray[np.float32]:
        """(n, cases): the cosine of each view with the best photo of each case, as ``search`` computes it."""
        ...


@dataclass(frozen=True)
class ModelCard:
    """What the answer says of a model that took part."""

    name: str
    version: str
    framework: str
    engine: str
    licence: str


@dataclass(frozen=True)
class Analysis:
    """The whole answer for one case, before it takes its wire form. Times are in milliseconds."""

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
