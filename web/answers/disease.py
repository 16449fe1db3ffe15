"""Diseases in an answer: conditions with their evidence, the lesion model's classes, and the decision."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from web.answers.words import Band, DecisionKind, LesionDecisionKind, LesionInput, LesionSumName
from web.conditions import HowSoon, LayName, Link
from web.wire import FULL, Count, From, MaybeShare, Share, Wire


class Condition(Wire):
    """A condition that the index suggests."""

    name: str
    """The name in the index's vocabulary, which `GET /api/conditions` lists."""
    lay_name: LayName = Field(validation_alias="name")
    """The everyday name, in the answer's language."""
    link: Link = Field(validation_alias="name")
    """Address of a public page about it."""
    urgency: HowSoon = Field(validation_alias="name")
    """How soon a doctor should see it."""
    icd_10: str | None
    """ICD-10-CM code."""
    probability: Share
    """0–1: the share by the index's method (`index.method`), before calibration."""
    band: Band
    """`calibrated_probability` in words, or `probability` if there is no calibration."""
    evidence: list[str]
    """`case_id` of the similar cases that hold it, the most similar first; empty if a classifier found it."""
    calibrated_probability: MaybeShare
    """0–1; null if the index has no calibration."""
    agreement: MaybeShare
    """0–1: how far dermatologists agreed on the cases that voted for it; null if none did."""


class Prediction(Wire):
    """A class of a lesion model."""

    code: str
    """The class in the model's vocabulary, such as `mel`."""
    name: str
    """The class in words."""
    lay_name: LayName = Field(validation_alias="name")
    """The everyday name, in the answer's language."""
    link: Link = Field(validation_alias="name")
    """Address of a public page about it."""
    icd_10: str | None
    """ICD-10-CM code."""
    probability: Share
    """0–1."""


class LesionSum(Wire):
    """The probability of a group of classes."""

    name: LesionSumName
    """The group."""
    codes: list[str]
    """Its classes."""
    probability: Share
    """0–1: the probability that the lesion belongs to one of them."""


class LesionDecision(Wire):
    """What a lesion model commits to."""

    kind: LesionDecisionKind
    """One class, several, or none."""
    set: list[str]
    """Codes of the possible classes, the most probable first."""
    coverage: MaybeShare
    """0–1: the share of photos like the model's data whose `set` contains the right class."""


class Lesion(Wire):
    """The answer of a lesion model."""

    model: str
    """The model's name, which `GET /api/models` describes."""
    input: LesionInput
    """The kind of photo that it reads."""
    decision: LesionDecision | None
    """Null if the model makes none."""
    predictions: list[Prediction]
    """Calibrated probabilities of the classes, the largest first; empty with the decision `none_of_these`."""
    malignant_probability: MaybeShare
    """0–1: the sum over the malignant classes; null with the decision `none_of_these`."""
    sums: list[LesionSum]
    """Probabilities of groups of classes."""
    definition: str
    """Which classes count as malignant."""
    sensitivity: MaybeShare
    """0–1: the share of malignant lesions that the calibration's threshold finds; null without a calibration."""
    caveat: str
    """For people: how far the answer can be trusted."""
    raw_predictions: Annotated[list[Prediction], From(FULL)]
    """The model's output before calibration, for comparing models."""


class Decision(Wire):
    """The conditions that the analysis commits to."""

    kind: DecisionKind
    """One condition, several, or none."""
    set: list[str]
    """Names of the conditions; empty with `abstain`."""
    coverage: MaybeShare
    """0–1: the share of similar cases whose `set` contains a correct condition; null without a set."""
    reasons: list[str]
    """Codes that say why there is no set, or why the calibration of all skin tones was used."""
    group: str | None
    """The skin tones whose calibration made the set: a group of Monk Skin Tones, or `all`."""


class Accuracy(Wire):
    """How often the service was right on held-out cases with such skin tones."""

    group: str
    """The group of Monk Skin Tones, or `all`."""
    metric: str
    """What `value` is, such as `top-1`."""
    value: Share
    """0–1."""
    interval: tuple[Share, Share]
    """95% confidence interval, 0–1."""
    n: Count
    """Number of cases."""
    dataset: str
    """Where the cases are from."""
