"""The decision of an analysis: one condition, a set of conditions with a stated coverage, or nothing, with reasons.

The method is split conformal prediction by group (Mondrian; Vovk et al. 2005). The set contains every condition with
1 − calibrated probability up to the limit of the photo's group of skin tones. The group is known only if the tone was
measured with a reference in the photo; otherwise the limit of all tones applies. The limit does not hold for photos
unlike those of the index, so the decision abstains from them. No decision ever says that nothing is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from ml.values import DERMATOSCOPIC, NOT_SKIN, Accuracy, Assessment, Decision, IndexInfo, Modality, Quality, Tone

#: groups of Monk tones; each has its own calibration and accuracy
TONE_GROUPS = {"Monk 1–4": range(1, 5), "Monk 5–7": range(5, 8), "Monk 8–10": range(8, 11)}
#: the group for photos whose tone was not measured
ALL = "all"
#: the decision abstains from a larger set, because so long a list does not help
MOST_IN_SET = 10

# Reasons to abstain. A photo without skin has the reason NOT_SKIN.
SYNTHETIC, UNUSABLE, CONFLICT = "synthetic_index", "unusable_photo", "modality_conflict"
DERMATOSCOPIC_PHOTO, CLINICAL_PHOTO, NO_COLOURS = "dermatoscopic_photo", "clinical_photo", "no_colours"
NOT_CALIBRATED, UNLIKE, TOO_MANY, NOTHING = "not_calibrated", "unlike_index", "too_many_conditions", "nothing_likely"
DISAGREE = "head_and_neighbours_disagree"
TOO_FEW_TO_CALIBRATE = "too_few_to_calibrate"
# Reasons why a set is made with the limit of all tones, or why the accuracy is missing.
TONE_UNKNOWN, TONE_TOO_FEW, TOO_FEW = "tone_unknown", "tone_group_too_few", "too_few"


@dataclass(frozen=True)
class Verdict:
    """The decision, and the accuracy for the photo's group of skin tones or the reason why it is missing."""

    decision: Decision
    accuracy: Accuracy | None = None
    accuracy_reason: str | None = None


def tone_group(monk: int | None) -> str | None:
    """The key in TONE_GROUPS of a Monk tone, 1–10; None if ``monk`` is None."""
    return next((name for name, tones in TONE_GROUPS.items() if monk in tones), None)


def names_conditions(index: IndexInfo, quality: Quality, modality: Modality) -> bool:
    """Whether the answer may name conditions. It may not if the index is synthetic, or if the photo is unusable, has no
    colours, shows no skin or is of another kind than those of the index."""
    return not index.synthetic and quality.usable and quality.colours and _other_kind(index, modality) is None


def _other_kind(index: IndexInfo, modality: Modality) -> str | None:
    """The reason why the index does not apply to this kind of photo; None if it applies or the kind is undetermined."""
    if modality.label in (None, NOT_SKIN):
        return modality.label
    if (modality.label == DERMATOSCOPIC) == (index.photo_kind == DERMATOSCOPIC):
        return None
    return DERMATOSCOPIC_PHOTO if modality.label == DERMATOSCOPIC else CLINICAL_PHOTO


def decide(
    index: IndexInfo,
    quality: Quality,
    modality: Modality,
    tone: Tone | None,
    assessment: Assessment | None,
    *,
    conflict: bool,
) -> Verdict:
    """The decision and the accuracy for one case.

    ``tone``: None if nothing was measured. Its group counts only if it was measured with a reference. ``assessment``:
    None if the index has no calibration. ``conflict``: whether the pixels contradict the stated kind of photo.
    """
    reasons = _obstacles(index, quality, modality, assessment, conflict=conflict)
    if index.synthetic or assessment is None:
        why = SYNTHETIC if index.synthetic else NOT_SKIN if NOT_SKIN in reasons else NOT_CALIBRATED
        return Verdict(Decision("abstain", reasons=reasons), accuracy_reason=why)
    group = tone_group(tone.monk_estimate if tone is not None and tone.reference is not None else None)
    decision = Decision("abstain", reasons=reasons) if reasons else _from_set(assessment, group)
    accuracy = assessment.accuracy.get(group or ALL)
    return Verdict(decision, accuracy, None if accuracy else TOO_FEW)


def _obstacles(
    index: IndexInfo, quality: Quality, modality: Modality, assessment: Assessment | None, *, conflict: bool
) -> tuple[str, ...]:
    """The reasons to abstain that do not depend on the conditions' probabilities."""
    other_kind = None if conflict else _other_kind(index, modality)
    looked_up = modality.label != NOT_SKIN
    uncalibrated = assessment is None and looked_up and not index.synthetic
    unlike = assessment is not None and assessment.distance > assessment.outlier
    disagree = assessment is not None and not assessment.head_agrees
    holding = (
        (SYNTHETIC, index.synthetic),
        (UNUSABLE, not quality.usable),
        (NO_COLOURS, quality.usable and not quality.colours),
        (CONFLICT, conflict),
        (other_kind, True),
        (NOT_CALIBRATED, uncalibrated),
        (UNLIKE, unlike and not index.synthetic),
        (DISAGREE, disagree and not index.synthetic),
    )
    return tuple(reason for reason, holds in holding if reason and holds)


def _from_set(assessment: Assessment, group: str | None) -> Decision:
    used, note = _group_of_limit(assessment, group)
    limit = assessment.limits.get(used)
    if limit is None:
        return Decision("abstain", reasons=(*note, TOO_FEW_TO_CALIBRATE))
    inside = tuple(name for name, probability in assessment.probabilities.items() if 1.0 - probability <= limit)
    if not inside:
        return Decision("abstain", reasons=(*note, NOTHING))
    if len(inside) > MOST_IN_SET:
        return Decision("abstain", reasons=(*note, TOO_MANY))
    kind = "answer" if len(inside) == 1 else "set"
    return Decision(kind, inside, assessment.coverage, note, group=used)


def _group_of_limit(assessment: Assessment, group: str | None) -> tuple[str, tuple[str, ...]]:
    """The group whose limit applies, and the reasons if that is ALL instead of the photo's own ``group``."""
    if group is None:
        return ALL, (TONE_UNKNOWN,)
    if assessment.limits.get(group) is None:
        return ALL, (TONE_TOO_FEW,)
    return group, ()
