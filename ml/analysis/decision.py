"""What an analysis commits to: one condition, a set of stated coverage, or nothing, each with its reasons.

Split conformal prediction by group (Vovk et al. 2005, "Mondrian"): the set holds every condition whose calibrated
probability is within the limit that the calibration found for the skin tone of this photo. It abstains from photos for
which the limit does not hold: those unlike the index's. "Nothing is wrong" is never among the answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from ml.values import NOT_SKIN, Accuracy, Assessment, Decision, IndexInfo, Modality, Quality, Tone

#: groups of Monk tones by which sets are calibrated and accuracy is reported
TONE_GROUPS = {"Monk 1–4": range(1, 5), "Monk 5–7": range(5, 8), "Monk 8–10": range(8, 11)}
#: the group for photos whose tone is unknown
ALL = "all"
#: a longer list of possibilities helps nobody
MOST_IN_SET = 10

# Why it abstains; for a photo without skin, the reason is its label.
SYNTHETIC, UNUSABLE, CONFLICT = "synthetic_index", "unusable_photo", "modality_conflict"
DERMATOSCOPIC, NO_COLOURS = "dermatoscopic_photo", "no_colours"
NOT_CALIBRATED, UNLIKE, TOO_MANY, NOTHING = "not_calibrated", "unlike_index", "too_many_conditions", "nothing_likely"
TOO_FEW_TO_CALIBRATE = "too_few_to_calibrate"
# Why a set, or an accuracy, is that of all tones, or missing.
TONE_UNKNOWN, TONE_TOO_FEW, TOO_FEW = "tone_unknown", "tone_group_too_few", "too_few"


@dataclass(frozen=True)
class Verdict:
    """The decision, and how often the service was right for people like this one, or why that is missing."""

    decision: Decision
    accuracy: Accuracy | None = None
    accuracy_reason: str | None = None


def tone_group(monk: int | None) -> str | None:
    """The group of a Monk tone, 1–10; None for None."""
    return next((name for name, tones in TONE_GROUPS.items() if monk in tones), None)


def names_conditions(index: IndexInfo, quality: Quality, modality: Modality) -> bool:
    """Whether conditions may be named at all: not from generated skin, nor for a photo that shows nothing, has no
    colours, or is not of the kind that the index holds."""
    return not index.synthetic and quality.usable and quality.colours and _not_clinical(modality) is None


def _not_clinical(modality: Modality) -> str | None:
    """Why an index of clinical photos does not apply to such a photo, or None if it does."""
    if modality.label == NOT_SKIN:
        return NOT_SKIN
    return DERMATOSCOPIC if modality.label == "dermatoscopic" else None


def decide(
    index: IndexInfo,
    quality: Quality,
    modality: Modality,
    tone: Tone | None,
    assessment: Assessment | None,
    *,
    conflict: bool,
) -> Verdict:
    """``tone`` is that of the skin in the photo, None if it was not measured; ``assessment`` is None if the index has
    no calibration; ``conflict``: the pixels contradict the stated modality."""
    reasons = _obstacles(index, quality, modality, assessment, conflict=conflict)
    if index.synthetic or assessment is None:
        why = SYNTHETIC if index.synthetic else NOT_SKIN if NOT_SKIN in reasons else NOT_CALIBRATED
        return Verdict(Decision("abstain", reasons=reasons), accuracy_reason=why)
    group = tone_group(None if tone is None else tone.monk_estimate)
    decision = Decision("abstain", reasons=reasons) if reasons else _from_set(assessment, group)
    accuracy = assessment.accuracy.get(group or ALL)
    return Verdict(decision, accuracy, None if accuracy else TOO_FEW)


def _obstacles(
    index: IndexInfo, quality: Quality, modality: Modality, assessment: Assessment | None, *, conflict: bool
) -> tuple[str, ...]:
    """The reasons to abstain that do not depend on the vote."""
    not_clinical = None if conflict else _not_clinical(modality)
    looked_up = modality.label != NOT_SKIN
    uncalibrated = assessment is None and looked_up and not index.synthetic
    unlike = assessment is not None and assessment.distance > assessment.outlier
    holding = (
        (SYNTHETIC, index.synthetic),
        (UNUSABLE, not quality.usable),
        (NO_COLOURS, quality.usable and not quality.colours),
        (CONFLICT, conflict),
        (not_clinical, True),
        (NOT_CALIBRATED, uncalibrated),
        (UNLIKE, unlike and not index.synthetic),
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
    """The group whose limit is used, and why, if it is not the photo's own."""
    if group is None:
        return ALL, (TONE_UNKNOWN,)
    if assessment.limits.get(group) is None:
        return ALL, (TONE_TOO_FEW,)
    return group, ()
