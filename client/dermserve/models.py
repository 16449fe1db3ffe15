"""The answers of the service. Made from its OpenAPI document by ``make client-models``: do not edit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from .answer import Answer


class Accuracy(Answer):
    """How often the service was right on held-out cases with such skin tones."""

    group: str
    """The group of Monk Skin Tones, or `all`."""
    metric: str
    """What `value` is, such as `top-1`."""
    value: float
    """0–1."""
    interval: tuple[float, float]
    """95% confidence interval, 0–1."""
    n: int
    """Number of cases."""
    dataset: str
    """Where the cases are from."""


class AlignedPhotos(Answer):
    """Both photos in the frame of the first one, of equal size, as data URIs of JPEG photos."""

    before: str
    """The first photo."""
    after: str
    """The second photo; black where it does not show the frame."""


class AnalysisAnswer(Answer):
    """The answer for one case."""

    success: Literal[True]
    """Always true."""
    analysis_id: str
    """A random id of this answer."""
    timestamp: str
    """ISO 8601 time of the answer."""
    version: str
    """The service's version."""
    mock: bool
    """True for a canned answer: nothing in it was measured on the photo."""
    language: LanguageCode
    """The language of `summary` and of everyday names."""
    summary: Summary
    """What to read first: the answer in sentences."""
    image: Image | None = None
    """The photos as they arrived. Not with `detail=summary`."""
    quality: Quality
    """Whether the photos can be measured, and what is wrong with them."""
    modality: Modality
    """The kind of photo."""
    skin: Skin | None = None
    """Tone and measurements. Not with `detail=summary`."""
    conditions: list[Condition] | None = None
    """Conditions that the index suggests, the most probable first; empty if none is named. Not with `detail=summary`."""
    lesion: Lesion | None = None
    """The lesion model's answer; null if none was run. `notes` then say why. Not with `detail=summary`."""
    decision: Decision
    """What the analysis commits to."""
    accuracy: Accuracy | None = None
    """How often the service was right on such cases. Not with `detail=summary`."""
    accuracy_reason: str | None = None
    """Code that says why there is no `accuracy`. Not with `detail=summary`."""
    similar_cases: list[SimilarCase] | None = None
    """Labelled cases that resemble the photo, the most similar first. Not with `detail=summary`."""
    overlays: list[Overlay] | None = None
    """Pictures to draw over the first photo; empty unless the request has `outline` or `explain`. Not with `detail=summary`."""
    attribution: dict[str, str] | None = None
    """Whose data the index holds, and under which licence. Not with `detail=summary`."""
    models: list[Model] | None = None
    """The models that took part. Not with `detail=summary`."""
    index: Index | None = None
    """The index that was searched; null if none was. Not with `detail=summary`."""
    notes: list[str]
    """For people: what was not done, and why."""
    timings_ms: dict[str, float | None] | None = None
    """Duration of each step in milliseconds. Only with `detail=full`."""
    disclaimer: str
    """Show this to users."""


Band = TypeAliasType("Band", Literal["high", "possible", "unlikely"] | str)
"""A probability in words: `high` from .33, `possible` from .10."""


class CapabilityAnswer(Answer):
    """The self-test's result. A test photo went through each part."""

    success: bool
    """False if a part failed."""
    parts: list[CapabilityPart]
    """Each part."""


class CapabilityPart(Answer):
    """The self-test's result for one part."""

    name: str
    """The part, such as `pytorch`, `tensorflow` or `faiss`."""
    ok: bool
    """Whether it works."""
    version: str | None
    """The library's version."""
    model: str | None
    """The model that was run."""
    ms: float | None
    """Duration in milliseconds."""
    reason: str | None
    """Why it failed, or what was done."""


Certainty = TypeAliasType("Certainty", Literal["clear", "likely", "uncertain"] | str)
"""`clear`: another photo of the same skin would show it too. `likely` and `uncertain`: less so."""


Change = TypeAliasType("Change", Literal["higher", "lower", "no_detectable_change", "not_comparable"] | str)
"""How a measure changed from the first photo to the second."""


class ChangeSummary(Answer):
    """The answer for people, in sentences."""

    headline: str
    """What changed: one or two sentences."""
    next_step: str
    """What to do: one sentence."""


class ComparedMeasure(Answer):
    """One measure in both photos."""

    code: ComparedName
    """The measure. `GET /api/measures` describes those that one photo has too."""
    label: str
    """The measure's name to show to people."""
    unit: str
    """`1` and `index` have no dimension; a `share` is 0–1."""
    region: str
    """Where it was measured."""
    direction: str
    """What a higher value means."""
    before: float | None = None
    """The value in the first photo, in `unit`."""
    after: float | None = None
    """The value in the second photo, in `unit`."""
    difference: float | None = None
    """After less before, in `unit`; null if not comparable."""
    uncertainty: float | None = None
    """Two photos of the same, unchanged skin mostly differ by at most this, in `unit`; null if not comparable."""
    change: Change
    """Whether the difference is larger than the uncertainty."""
    reason: PlaceReason | None = None
    """Why it is not comparable."""


ComparedName = TypeAliasType(
    "ComparedName",
    Literal[
        "lesion_area",
        "redness_contrast",
        "skin_coverage",
        "ita",
        "ita_white_balanced",
        "lightness",
        "redness",
        "yellowness",
        "evenness",
        "erythema_index",
        "melanin_index",
        "lines",
        "roughness",
        "zone_redness_difference",
        "lightness_difference",
        "redness_difference",
        "yellowness_difference",
        "erythema_index_difference",
        "melanin_index_difference",
        "colour_difference",
        "lesion_asymmetry",
        "lesion_border_irregularity",
        "lesion_colour_variegation",
        "lesion_diameter_px",
        "lesion_diameter_mm",
        "spot_count",
    ]
    | str,
)
"""A measure, or one that only two photos have."""


class ComparedPhoto(Answer):
    """One of the two photos."""

    image: View
    """The photo as it arrived."""
    date: str | None = None
    """The day that the request states."""
    quality: Quality
    """Whether it can be measured, and what is wrong with it."""
    modality: Modality
    """The kind of photo."""


class ComparisonAnswer(Answer):
    """The answer for two photos of the same skin."""

    success: Literal[True]
    """Always true."""
    comparison_id: str
    """A random id of this answer."""
    timestamp: str
    """ISO 8601 time of the answer."""
    version: str
    """The service's version."""
    mock: bool
    """True for a canned answer: nothing in it was measured on the photos."""
    before: ComparedPhoto
    """The first photo."""
    after: ComparedPhoto
    """The second photo."""
    interval_days: int | None = None
    """Days from the first date to the second; null if one was not stated."""
    same_place: SamePlace
    """Whether both photos show the same place."""
    measures: list[ComparedMeasure]
    """What was measured in both photos."""
    summary: ChangeSummary
    """What to read first: the answer in sentences."""
    overlays: AlignedPhotos | None = None
    """The photos to lay over each other; null unless the request has `explain` and they could be aligned."""
    notes: list[str]
    """For people: what was not done, and why."""
    timings_ms: dict[str, float | None]
    """Duration of each step in milliseconds."""
    disclaimer: str
    """Show this to users."""


class Condition(Answer):
    """A condition that the index suggests."""

    name: str
    """The name in the index's vocabulary, which `GET /api/conditions` lists."""
    lay_name: str | None = None
    """The everyday name, in the answer's language."""
    link: str | None = None
    """Address of a public page about it."""
    urgency: Urgency | None = None
    """How soon a doctor should see it."""
    icd_10: str | None = None
    """ICD-10-CM code."""
    probability: float
    """0–1: the share by the index's method (`index.method`), before calibration."""
    band: Band
    """`calibrated_probability` in words, or `probability` if there is no calibration."""
    evidence: list[str]
    """`case_id` of the similar cases that hold it, the most similar first; empty if a classifier found it."""
    calibrated_probability: float | None = None
    """0–1; null if the index has no calibration."""
    agreement: float | None = None
    """0–1: how far dermatologists agreed on the cases that voted for it; null if none did."""


class ConditionsAnswer(Answer):
    """The conditions that an answer may name."""

    success: Literal[True]
    """Always true."""
    vocabulary: str
    """Where names and codes are from."""
    language: LanguageCode
    """The language of everyday names."""
    cosmetic_mode: bool
    """Whether the service names no disease. Then there are no conditions."""
    conditions: list[NamedCondition]
    """By name."""


CoverageInterval = TypeAliasType("CoverageInterval", Annotated[tuple[float, float], Field(max_length=2, min_length=2)])
"""95% confidence interval of `coverage`, 0–1."""


class Decision(Answer):
    """The conditions that the analysis commits to."""

    kind: DecisionKind
    """One condition, several, or none."""
    set: list[str]
    """Names of the conditions; empty with `abstain`."""
    coverage: float | None = None
    """0–1: the share of similar cases whose `set` contains a correct condition; null without a set."""
    reasons: list[str]
    """Codes that say why there is no set, or why the calibration of all skin tones was used."""
    group: str | None = None
    """The skin tones whose calibration made the set: a group of Monk Skin Tones, or `all`."""


DecisionKind = TypeAliasType("DecisionKind", Literal["answer", "set", "abstain"] | str)
"""`answer`: one condition. `set`: several, one of which is likely right. `abstain`: none is named."""


class Dermatologists(Answer):
    """The labels of a case."""

    count: int | None = None
    """Number of dermatologists who labelled it; null if unknown."""
    agreement: float | None = None
    """0–1: the share of them who named its leading condition; null if unknown."""


class Evidence(Answer):
    """
    How a measure repeats between two real photos of the same skin. With too few pairs, the shares are null. A length
    is compared with lengths by drawn outlines instead, and has no `icc`.
    """

    n: int
    """Number of pairs of photos."""
    icc: float | None = None
    """Intraclass correlation: the share of the variance between photos that belongs to the skin, at most 1."""
    icc_interval: IccInterval | None = None
    """95% confidence interval of `icc`."""
    coverage: float | None = None
    """0–1: the share of pairs of other people whose difference is within the stated uncertainty."""
    coverage_interval: CoverageInterval | None = None
    """95% confidence interval of `coverage`, 0–1."""


class Finding(Answer):
    """One thing that was found."""

    code: FindingCode
    """What it says, for programs."""
    text: str
    """What it says, for people."""
    basis: str
    """
    The path of the answer's field that says it. A measure, a zone, a sum or a problem is addressed by its name or
    code, such as `skin.zones.nose.zone_redness_difference`.
    """
    certainty: Certainty
    """How certain it is."""


FindingCode = TypeAliasType(
    "FindingCode",
    Literal[
        "fits_best",
        "rated_alike",
        "labelled_photos",
        "right_so_often",
        "colour",
        "diameter",
        "redder_zones",
        "spot_count",
        "tone",
        "unusual",
        "unlike_photos",
        "kind_contradicted",
        "kind_doubtful",
        "kind_perhaps_dermatoscopic",
        "quality",
    ]
    | str,
)
"""What a finding says, the same in every language."""


class FitzpatrickLabels(Answer):
    """Fitzpatrick types of a case, as the dataset gives them."""

    self_reported: str | None = None
    """By the person."""
    dermatologists: list[str]
    """By dermatologists."""


FitzpatrickRange = TypeAliasType("FitzpatrickRange", Annotated[tuple[int, int], Field(max_length=2, min_length=2)])
"""The lowest and the highest likely type, 1–6."""


Grade = TypeAliasType("Grade", Literal["lower_than_usual", "usual", "higher_than_usual"] | str)
"""A score in words, compared with the photos of the index."""


HeadlineCode = TypeAliasType(
    "HeadlineCode",
    Literal[
        "made_up",
        "nothing_to_see",
        "no_skin",
        "no_colours",
        "poor_photo",
        "spot_for_a_doctor",
        "spot_perhaps_for_a_doctor",
        "spot_open",
        "spot_like",
        "spot_unknown",
        "condition",
        "conditions",
        "many_conditions",
        "zones_redder_and_spots",
        "zones_redder",
        "spots",
        "face",
        "face_not_compared",
        "spot_stands_out",
        "area_stands_out",
        "skin",
    ]
    | str,
)
"""What a headline says, the same in every language."""


IccInterval = TypeAliasType("IccInterval", Annotated[tuple[float, float], Field(max_length=2, min_length=2)])
"""95% confidence interval of `icc`."""


class Image(Answer):
    """The first photo, and all photos of the case."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    format: str
    """The file format, such as JPEG."""
    views: list[View]
    """All photos of the case, the first one included."""


class Index(Answer):
    """The index of labelled cases that was searched."""

    name: str
    """The index."""
    dataset: str
    """The dataset that its cases are from."""
    synthetic: bool
    """True if its cases are generated. Then no disease is named from them."""
    cases: int
    """Number of cases."""
    images: int | None = None
    """Number of pictures. Only with `detail=full`."""
    dimension: int | None = None
    """Length of an embedding. Only with `detail=full`."""
    built_at: str | None = None
    """ISO 8601 time. Only with `detail=full`."""
    photo_kind: PhotoKind
    """The kind of all its photos."""
    method: RankingMethod
    """What ranks the conditions."""


class LabelAnswer(Answer):
    """The intended use of the service, its limits, and its main settings."""

    success: Literal[True]
    """Always true."""
    name: str
    """The service."""
    version: str
    """Its version."""
    disclaimer: str
    """Show this to users."""
    intended_use: list[str]
    """What it is for."""
    out_of_scope: list[str]
    """What it is not for."""
    known_limits: list[str]
    """What it does badly."""
    limits: Limits
    """Limits for requests."""
    cosmetic_mode: bool
    """Whether it names no disease."""
    mock: bool
    """Whether all analyses are canned."""
    index: Index | None = None
    """The index of labelled cases; null if there is none."""
    attribution: dict[str, str]
    """Whose data the index holds, and under which licence."""


LanguageCode = TypeAliasType("LanguageCode", Literal["en", "es"] | str)
"""ISO 639 code of a language."""


class Lesion(Answer):
    """The answer of a lesion model."""

    model: str
    """The model's name, which `GET /api/models` describes."""
    input: LesionInput
    """The kind of photo that it reads."""
    decision: LesionDecision | None = None
    """Null if the model makes none."""
    predictions: list[Prediction]
    """Calibrated probabilities of the classes, the largest first; empty with the decision `none_of_these`."""
    malignant_probability: float | None = None
    """0–1: the sum over the malignant classes; null with the decision `none_of_these`."""
    sums: list[LesionSum]
    """Probabilities of groups of classes."""
    definition: str
    """Which classes count as malignant."""
    sensitivity: float | None = None
    """0–1: the share of malignant lesions that the calibration's threshold finds; null without a calibration."""
    caveat: str
    """For people: how far the answer can be trusted."""
    raw_predictions: list[Prediction] | None = None
    """The model's output before calibration, for comparing models. Only with `detail=full`."""


class LesionDecision(Answer):
    """What a lesion model commits to."""

    kind: LesionDecisionKind
    """One class, several, or none."""
    set: list[str]
    """Codes of the possible classes, the most probable first."""
    coverage: float | None = None
    """0–1: the share of photos like the model's data whose `set` contains the right class."""


LesionDecisionKind = TypeAliasType("LesionDecisionKind", Literal["answer", "set", "none_of_these"] | str)
"""`answer`: one class. `set`: several. `none_of_these`: the photo is unlike those of the model's data."""


LesionInput = TypeAliasType("LesionInput", Literal["phone", "dermatoscopic"] | str)
"""The kind of photo that a lesion model reads."""


class LesionSum(Answer):
    """The probability of a group of classes."""

    name: LesionSumName
    """The group."""
    codes: list[str]
    """Its classes."""
    probability: float
    """0–1: the probability that the lesion belongs to one of them."""


LesionSumName = TypeAliasType("LesionSumName", Literal["cancer", "cancer_or_precancerous"] | str)
"""A group of a lesion model's classes."""


class Limits(Answer):
    """Limits for one request, and for the requests of one client."""

    max_request_bytes: int
    """Size of a request."""
    max_pixels: int
    """Width × height of a JPEG photo."""
    max_pixels_not_jpeg: int
    """Width × height of any other photo."""
    max_photos: int
    """Photos of one case."""
    max_similar_cases: int
    """The largest `k`."""
    max_age_years: int
    """The largest `age`."""
    max_seconds: float
    """Duration of an analysis."""
    rate_limit: str | None = None
    """Such as `10/minute`; null if there is none."""
    key_required: bool
    """Whether requests with photos need a key."""


class LiveAnswer(Answer):
    """The process is alive."""

    status: Literal["ok"] | str
    """Always `ok`."""
    version: str
    """The service's version."""
    mock: bool
    """Whether all analyses are canned."""
    ml: MLState
    """Whether it can analyse."""


class LoadedIndex(Answer):
    """The index of labelled cases that is searched."""

    name: str
    """The index."""
    synthetic: bool
    """True if its cases are generated."""
    cases: int
    """Number of cases."""
    encoder: str
    """The model that embeds photos for it."""
    built_at: str
    """ISO 8601 time."""
    digest: str
    """sha256 of its manifest, which changes with every build."""


class MLState(Answer):
    """Whether this process can analyse, now or soon."""

    available: bool
    """False if it never will."""
    state: str
    """`starting`, `loading`, `ready` or `failed`."""
    reason: str | None
    """Why it failed."""


class Measure(Answer):
    """A quantity that the service may measure on a photo."""

    name: MeasureName
    """The name that answers use."""
    label: str
    """The name to show to people."""
    unit: str
    """`1` and `index` have no dimension; a `share` is 0–1."""
    direction: str
    """What a higher value means."""
    description: str
    """For people: what it is."""
    method: str
    """How it is measured."""
    regions: list[str]
    """
    Where it is measured: `skin` is all skin of a photo without a face, `face` the skin of a face, `zone` a zone of
    a face.
    """
    standard_regions: list[str]
    """
    The regions in which every answer has it, a length only with `pixels_per_mm`. In the others it needs
    `detail=full`.
    """
    evidence: dict[str, Evidence | None]
    """Region → how well two photos of the same skin agree; null if that is unknown."""
    scored: bool
    """Whether an answer may give the value's percentile among the index's photos."""
    clinical: bool
    """Whether it describes a lesion. Cosmetic mode omits such measures."""


MeasureName = TypeAliasType(
    "MeasureName",
    Literal[
        "skin_coverage",
        "ita",
        "ita_white_balanced",
        "lightness",
        "redness",
        "yellowness",
        "evenness",
        "erythema_index",
        "melanin_index",
        "lines",
        "roughness",
        "zone_redness_difference",
        "lightness_difference",
        "redness_difference",
        "yellowness_difference",
        "erythema_index_difference",
        "melanin_index_difference",
        "colour_difference",
        "lesion_asymmetry",
        "lesion_border_irregularity",
        "lesion_colour_variegation",
        "lesion_diameter_px",
        "lesion_diameter_mm",
        "spot_count",
    ]
    | str,
)
"""
A measure:
- `skin_coverage`: Skin in the photo, in share of the photo; higher is more skin.
- `ita`: Typology angle (ITA), in °; higher is lighter skin.
- `ita_white_balanced`: Typology angle, white-balanced, in °; higher is lighter skin.
- `lightness`: Lightness, in L*; higher is lighter.
- `redness`: Redness, in a*; higher is redder.
- `yellowness`: Yellowness, in b*; higher is yellower.
- `evenness`: Evenness of tone, in L*; higher is less even.
- `erythema_index`: Erythema index, in index; higher is redder.
- `melanin_index`: Melanin index, in index; higher is more brown pigment.
- `lines`: Lines, in %; higher is more lines.
- `roughness`: Roughness, in L*; higher is rougher.
- `zone_redness_difference`: Redness, compared with the forehead, in a*; higher is redder than the forehead.
- `lightness_difference`: Difference in lightness, in L*; higher is lighter than the skin around.
- `redness_difference`: Difference in redness, in a*; higher is redder than the skin around.
- `yellowness_difference`: Difference in yellowness, in b*; higher is yellower than the skin around.
- `erythema_index_difference`: Difference in erythema index, in index; higher is redder or browner than the skin around.
- `melanin_index_difference`: Difference in melanin index, in index; higher is darker in red light, as by brown pigment.
- `colour_difference`: Difference in colour, in ΔE00; higher is a colour less like that of the skin around.
- `lesion_asymmetry`: Asymmetry, in share; higher is less symmetric.
- `lesion_border_irregularity`: Irregularity of the border, in 1; higher is less round.
- `lesion_colour_variegation`: Variety of colours, in ΔE; higher is more varied colours.
- `lesion_diameter_px`: Diameter in pixels, in px; higher is larger.
- `lesion_diameter_mm`: Diameter, in mm; higher is larger.
- `spot_count`: Spots, in spots; higher is more spots.
"""


class Measurement(Answer):
    """One measured number. `GET /api/measures` describes each measure."""

    name: MeasureName
    """The measure."""
    label: str
    """The measure's name to show to people."""
    value: float | None = None
    """In `unit`; null if it could not be measured."""
    unit: str
    """`1` and `index` have no dimension; a `share` is 0–1."""
    direction: str | None = None
    """What a higher value means. Only with `detail=full`."""
    score: float | None = None
    """The percentage, 0–100, of the index's photos with a smaller value; null if that is unknown."""
    score_uncertainty: float | None = None
    """Uncertainty of `score`, in percentage points."""
    grade: Grade | None = None
    """`score` in words."""
    method: str | None = None
    """How it was measured. Only with `detail=full`."""
    region: str
    """Where it was measured: `skin`, `face`, `lesion`, `lesion_minus_surrounding`, `photo`, or a zone's name."""
    uncertainty: float | None = None
    """In `unit`. Two photos of the same skin mostly differ by at most √(u₁² + u₂²)."""


class MeasuresAnswer(Answer):
    """Every measure that an answer may hold."""

    success: Literal[True]
    """Always true."""
    cosmetic_mode: bool
    """Whether clinical measures are left out."""
    measures: list[Measure]
    """In the order of an answer."""


class Modality(Answer):
    """The kind of photo, which decides what may be said of it."""

    label: ModalityLabel | None = None
    """The kind; null if it could not be determined."""
    confidence: float | None = None
    """0–1; null if the kind was stated or could not be determined."""
    stated: StatedModality | None = None
    """The kind that the request states."""


ModalityLabel = TypeAliasType(
    "ModalityLabel", Literal["face", "close_up", "lesion_close_up", "dermatoscopic", "not_skin"] | str
)
"""The kind of a photo."""


class Model(Answer):
    """A model that took part. `GET /api/models` has its card."""

    name: str
    """The model."""
    version: str
    """Its version."""
    framework: str | None = None
    """The framework that it was trained in. Only with `detail=full`."""
    engine: str | None = None
    """The library that ran it, and that library's version. Only with `detail=full`."""
    licence: str | None = None
    """SPDX identifier. Only with `detail=full`."""


class ModelsAnswer(Answer):
    """The models that the service uses."""

    success: Literal[True]
    """Always true."""
    models: list[ServedModel]
    """Each model."""


class MonkLabels(Answer):
    """Monk Skin Tones of a case, 1–10, by two groups of annotators."""

    india: int | None = None
    """By annotators in India."""
    us: int | None = None
    """By annotators in the United States."""


MonkRange = TypeAliasType("MonkRange", Annotated[tuple[int, int], Field(max_length=2, min_length=2)])
"""The lowest and the highest likely Monk Skin Tone, 1–10."""


class NamedCondition(Answer):
    """A condition in words for people. What is unknown is null."""

    name: str
    """The name that answers use. Capitals do not matter."""
    icd_10: str | None = None
    """ICD-10-CM code."""
    lay_name: str | None = None
    """The everyday name, in the language of the answer."""
    about: str | None = None
    """In English: what it looks like, how common it is, and how soon to show it to a doctor."""
    urgency: Urgency | None = None
    """How soon a doctor should see it: `today`, within `days`, or as `about` says (`ordinary`)."""
    link: str | None = None
    """Address of a public page about it."""


NextStepCode = TypeAliasType(
    "NextStepCode",
    Literal[
        "retake",
        "resend",
        "retake_or_doctor",
        "show_skin",
        "state_kind",
        "doctor_soon",
        "doctor",
        "doctor_if_spot",
        "doctor_today",
        "doctor_in_days",
        "doctor_if_skin",
        "compare",
    ]
    | str,
)
"""What a next step says, the same in every language."""


class Overlay(Answer):
    """A transparent picture to draw over the first photo, which has the same aspect ratio."""

    name: str
    """What it shows, such as `skin_mask` or `lesion`."""
    region: str
    """Where: `skin`, `face`, `lesion` or `photo`."""
    media_type: str
    """Always `image/png`."""
    data_base64: str
    """The picture as base64."""
    deletion_score: float | None = None
    """
    Of a heat map, 0–1: how much more the score drops if the map's most important part is hidden than if the same
    shape is hidden elsewhere. 0 is no better than chance.
    """


PhotoKind = TypeAliasType("PhotoKind", Literal["clinical", "dermatoscopic"] | str)
"""The kind of all photos of an index."""


class PlaceReason(Answer):
    """A reason."""

    code: str
    """For programs."""
    message: str
    """For people."""


PolygonItem = TypeAliasType("PolygonItem", Annotated[tuple[float, float], Field(max_length=2, min_length=2)])


class Prediction(Answer):
    """A class of a lesion model."""

    code: str
    """The class in the model's vocabulary, such as `mel`."""
    name: str
    """The class in words."""
    lay_name: str | None = None
    """The everyday name, in the answer's language."""
    link: str | None = None
    """Address of a public page about it."""
    icd_10: str | None = None
    """ICD-10-CM code."""
    probability: float
    """0–1."""


class Problem(Answer):
    """Something that is wrong with a photo."""

    code: str
    """For programs, such as `blurred`."""
    message: str
    """For people: what is wrong."""
    advice: str
    """For people: what to do about it."""


class Quality(Answer):
    """The quality of the photos."""

    usable: bool
    """False if nothing can be measured."""
    score: float
    """0–100; 100 is best."""
    problems: list[Problem]
    """The worst first."""


RankingMethod = TypeAliasType("RankingMethod", Literal["vote", "head", "mixture"] | str)
"""What ranks the conditions: a vote of the similar cases (`vote`), a classifier that was trained on all labelled cases (`head`), or a mixture of both."""


class ReadyAnswer(Answer):
    """The instance can analyse."""

    status: Literal["ready"] | str
    """Always `ready`."""
    workers: dict[str, int]
    """Number of workers that are `ready`, and that are `expected`."""
    threads: dict[str, int | bool]
    """
    The thread plan: `cores`, `workers`, `analyses_per_worker`, `intra_op` (threads of one analysis),
    `request_threads`, `admitted_per_worker`, `computing` (threads under full load) and `oversubscribed`.
    """
    index: LoadedIndex | None
    """The loaded index; null if there is none."""


ReferenceKind = TypeAliasType("ReferenceKind", Literal["colour_checker", "grey_card", "white_point"] | str)
"""A colour reference in a photo."""


class SamePlace(Answer):
    """Whether both photos show the same place of the same person."""

    verdict: Verdict
    """With `unsure`, measures are compared only if the request has `confirmed`."""
    confidence: float | None = None
    """0–1: the share of such verdicts that were right on real photos; null if the verdict is unsure."""
    method: VerdictMethod
    """`registration` of the skin's texture, or `none`."""
    reasons: list[PlaceReason]
    """What speaks for or against it."""


class ServedModel(Answer):
    """A model that the service uses. In cosmetic mode, `card` and `output` are null if they would name diseases."""

    name: str
    """The name that answers use."""
    version: str
    """Its version."""
    task: str
    """What it does, such as `encoder` or `classifier`."""
    framework: str
    """The framework that it was trained in."""
    licence: str
    """SPDX identifier."""
    input: str | None = None
    """What it reads."""
    output: str | None = None
    """What it says."""
    source: str | None = None
    """Where its files are from; null if the operator chose that, or if it is part of the service."""
    fingerprint: str | None = None
    """Digest of all its files; null if they are part of the service."""
    files: dict[str, str]
    """File → sha256."""
    card: str | None = None
    """The model card, in Markdown."""


class SimilarCase(Answer):
    """A labelled case of the index that resembles the photo."""

    case_id: str
    """The case in the index."""
    similarity: float
    """Cosine of the embeddings, −1 to 1."""
    demonstration: bool
    """True for a generated case, which shows no real person."""
    thumbnail: str | None = None
    """Address of its first picture (WebP), below this service's."""
    thumbnails: list[str] | None = None
    """Addresses of all its pictures. Only with `detail=full`."""
    differential: dict[str, float]
    """Condition → weight, 0–1; the weights sum to 1."""
    dermatologists: Dermatologists
    """Who labelled it."""
    fitzpatrick: FitzpatrickLabels | None = None
    """Its Fitzpatrick types. Only with `detail=full`."""
    monk: MonkLabels | None = None
    """Its Monk Skin Tones. Only with `detail=full`."""
    body_parts: list[str]
    """The parts of the body that it shows."""
    age_group: str | None = None
    """The person's age group, as the dataset gives it. Only with `detail=full`."""


class Skin(Answer):
    """All measurements."""

    tone: Tone | None = None
    """Null if the photo shows no skin."""
    measurements: list[Measurement]
    """Measurements of the whole skin, face or lesion."""
    zones: list[Zone] | None = None
    """Zones of the face; empty if no face was found, null if none was looked for."""


StatedModality = TypeAliasType("StatedModality", Literal["face", "close_up", "lesion_close_up", "dermatoscopic"] | str)
"""The kind of photo that a request states."""


class Summary(Answer):
    """The answer for people, in sentences."""

    headline: str
    """What was seen."""
    headline_code: HeadlineCode
    """What the headline says, for programs."""
    certainty: Certainty
    """How certain the headline is."""
    findings: list[Finding]
    """At most five, the most important first."""
    next_step: str
    """What to do."""
    next_step_code: NextStepCode
    """What the next step says, for programs."""
    limits: str
    """What the answer does not tell."""


class Tone(Answer):
    """
    The tone of the skin. With a colour reference in the photo, it is measured. Without one, only the groups are
    given; the other fields need `detail=full`, say what the photo's colours would mean in neutral light, and are not a
    typing of the person.
    """

    group: ToneGroup | None = None
    """The colour of the skin in this photo."""
    group_range: GroupRange | None = None
    """The lightest and the darkest group that another photo of the same person may show."""
    reference: ReferenceKind | None = None
    """The reference that the tone was measured with."""
    caveat: str
    """For people: how far the tone can be trusted."""
    ita_deg: float | None = None
    """Individual typology angle in degrees; higher is lighter."""
    ita_uncertainty_deg: float | None = None
    """Uncertainty of `ita_deg` in degrees."""
    ita_corrected_deg: float | None = None
    """The angle in degrees after white balance by the photo's own colours. Only with `detail=full`."""
    ita_category: str | None = None
    """The category of `ita_deg`, from very light to dark."""
    fitzpatrick_estimate: int | None = None
    """Fitzpatrick type, 1–6."""
    fitzpatrick_range: FitzpatrickRange | None = None
    """The lowest and the highest likely type, 1–6."""
    monk_estimate: int | None = None
    """Monk Skin Tone, 1–10."""
    monk_range: MonkRange | None = None
    """The lowest and the highest likely Monk Skin Tone, 1–10."""


ToneGroup = TypeAliasType("ToneGroup", Literal["light", "medium", "dark"] | str)
"""The colour of the skin in a photo."""


GroupRange = TypeAliasType("GroupRange", Annotated[tuple[ToneGroup, ToneGroup], Field(max_length=2, min_length=2)])
"""The lightest and the darkest group that another photo of the same person may show."""


Urgency = TypeAliasType("Urgency", Literal["today", "days", "ordinary"] | str)
"""How soon a doctor should see a condition."""


Verdict = TypeAliasType("Verdict", Literal["same", "unsure"] | str)
"""Whether two photos show the same place."""


VerdictMethod = TypeAliasType("VerdictMethod", Literal["registration", "none"] | str)
"""How the places were compared."""


class View(Answer):
    """One uploaded photo, upright."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    format: str
    """The file format, such as JPEG."""


class Zone(Answer):
    """A zone of a face."""

    name: str
    """Such as `nose` or `left_cheek`; left and right are the person's own."""
    polygon: list[PolygonItem] | None = None
    """
    The outline: (x, y) pairs, 0–1, as fractions of the first photo's width and height; null unless the request has
    `outline`, `explain` or `detail=full`.
    """
    measurements: list[Measurement]
    """What was measured in the zone."""
