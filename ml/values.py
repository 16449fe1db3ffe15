"""The frozen values that one package hands to another. Arrays are NumPy's; a framework's tensor never appears here."""

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
    """A decoded upload. ``width`` and ``height`` are the upright original's, in pixels; ``rgb`` may be smaller.

    ``problems`` are those that decoding found and the pixels do not show, such as slight damage. ``true_colours`` is
    False if the file does not say which colours its numbers stand for.
    """

    rgb: RGB
    width: int
    height: int
    format: str
    problems: tuple[Problem, ...] = ()
    true_colours: bool = True


@dataclass(frozen=True)
class Patient:
    """What the request says of the person, None if nothing. ``age`` in years, 0–120."""

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

    ``predictions`` are calibrated, and ``malignant_probability`` is the sum of the malignant ones.
    ``raw_predictions`` are the model's own output, for comparing models. Both have the most probable first.
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
    """One measured number. ``value`` in ``unit``, None if it could not be measured; ``uncertainty`` in the same unit:
    how far it may move when the photo is repeated (ml.skin.declaration). ``score`` is the percentage of the index's
    population with a smaller value, 0–100, ± ``score_uncertainty``; both None if that is unknown."""

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
    """``score`` 0–100 (100 is best); ``usable`` is False only if nothing can be measured. ``colours`` is False if the
    photo's colours are not the skin's: in black and white, in one hue, or in an unknown colour space."""

    usable: bool
    score: float
    problems: tuple[Problem, ...] = ()
    colours: bool = True


@dataclass(frozen=True)
class Tone:
    """Skin tone estimates; all are None, and ``caveat`` says why, if the tone cannot be estimated.

    ``ita_deg`` is the individual typology angle in degrees as photographed, ``ita_corrected_deg`` after white balance;
    ``fitzpatrick_estimate`` is 1–6, ``monk_estimate`` 1–10, each with its likely range, lowest and highest.
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
    zones: tuple[Zone, ...] | None = None  # None: faces were not looked for; (): none was found


#: the label of a photo that shows no skin
NOT_SKIN = "not_skin"


@dataclass(frozen=True)
class Modality:
    """What kind of photo this is. ``label`` and ``confidence`` (0–1) are None if it was not determined; ``stated`` is
    what the request says it is."""

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
    is None without a calibration. ``band`` is that of the calibrated probability, or else of the share.
    ``agreement``, 0–1, is how far the dermatologists of its evidence agreed: the vote-weighted mean of the shares that
    named their case's leading condition."""

    name: str
    icd_10: str | None
    probability: float
    band: str  # "high" ≥ .33, "possible" ≥ .10, else "unlikely"
    evidence: tuple[str, ...]  # case ids, most similar first
    calibrated_probability: float | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class Decision:
    """The conditions that the analysis commits to. ``kind`` is answer, set or abstain; ``coverage`` 0–1 or None if
    unmeasured; ``group`` is the group of skin tones that the set was calibrated by, or "all"."""

    kind: str
    set: tuple[str, ...] = ()
    coverage: float | None = None
    reasons: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True)
class Accuracy:
    """How often the index's answer was right on cases that it had not seen: ``value`` and its 95% interval, 0–1, over
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
    The set of conditions with 1 − probability up to ``limits``[tone group] holds a right one with the stated
    ``coverage``, 0–1; a limit is None if the group had too few cases. ``accuracy``: by tone group. Both have the group
    "all".
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
    is taken away than when the same shape is taken away elsewhere; 0 is no better than chance. ``clinical``: it shows a
    lesion, or explains its class, and cosmetic mode leaves it out.
    """

    name: str
    region: str
    data: bytes
    media_type: str = "image/png"
    deletion_score: float | None = None
    clinical: bool = False


@dataclass(frozen=True)
class IndexInfo:
    """The index that was searched. ``built_at`` is an ISO 8601 time: the newest source's."""

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
    """A searcher's answer: the nearest distinct cases, the vote over their differentials, and the assessment, None if
    the index has no calibration."""

    cases: tuple[SimilarCase, ...]
    conditions: tuple[Condition, ...]
    assessment: Assessment | None = None


class Searcher(Protocol):
    """Finds labelled cases that resemble the views of one case. Implemented by scin; handed to the analyzer."""

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
    """A model that took part, as an answer names it."""

    name: str
    version: str
    framework: str
    engine: str
    licence: str


@dataclass(frozen=True)
class Analysis:
    """The whole answer for one case, before it is rendered. Times are in milliseconds."""

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
