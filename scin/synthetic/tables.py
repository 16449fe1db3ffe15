"""The dataset's tables in SCIN's form, with simulated answers and ratings. As in SCIN, a third of the
graded cases have three dermatologists and the others have one, and raters do not always agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scin.facts import SYNTHETIC_SOURCE
from scin.layout import CASE_COLUMNS, DERMATOLOGISTS, IMAGE_FOLDER, LABEL_COLUMNS, VIEWS, Row
from scin.synthetic.conditions import BY_NAME
from scin.synthetic.plan import CaseSpec, Purpose, stream
from scin.synthetic.render import RenderedView

SOURCE, RELEASE = SYNTHETIC_SOURCE, "SYNTHETIC-1"
YEAR = "2025"

SUFFICIENT = "DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT"
INSUFFICIENT = "NO_IMAGE_QUALITY_INSUFFICIENT"
UNWELL = ("fever", "fatigue", "joint_pain")
SEEN_BY_THREE = 1 / 3
UNGRADED_SHARE = 0.12  # the second or third dermatologist finds the photos too poor
RECOGNISED_SHARE = 0.85  # the drawn condition comes first
LOOK_ALIKE_SHARES = (0.55, 0.30, 0.15)  # place of a wrong first label in the list of look-alikes
FITZPATRICK_OF_MONK = (1.2, 1.7, 2.1, 2.7, 3.2, 4.0, 4.7, 5.2, 5.7, 6.0)
FITZPATRICK_SPREAD, MONK_SPREAD = 0.55, 0.6


@dataclass(frozen=True, slots=True)
class Differential:
    """One dermatologist's labels and the confidence in each, 1 (low) to 5."""

    labels: tuple[str, ...]
    confidences: tuple[int, ...]


def image_path(image_id: str) -> str:
    """The path of a photo, relative to the dataset's root."""
    return f"{IMAGE_FOLDER}/{image_id}.png"


def case_row(spec: CaseSpec) -> Row:
    """One row of scin_cases.csv. Race and ethnicity stay empty: generated skin has none."""
    condition = BY_NAME[spec.condition]
    rng = stream(spec.seed, Purpose.ANSWERS, spec.index)
    row = dict.fromkeys(CASE_COLUMNS, "") | {
        "case_id": spec.case_id,
        "source": SOURCE,
        "release": RELEASE,
        "year": YEAR,
        "age_group": spec.age_group,
        "sex_at_birth": spec.sex,
        "fitzpatrick_skin_type": _own_fitzpatrick(rng, spec.monk),
        "related_category": condition.related_category,
        "condition_duration": str(rng.choice(condition.durations)),
    }
    flags = [f"body_parts_{spec.body_part}"]
    flags += [f"textures_{texture}" for texture in _reported(rng, condition.textures)]
    flags += [f"condition_symptoms_{symptom}" for symptom in _reported(rng, condition.symptoms)]
    unwell = [symptom for symptom in UNWELL if rng.random() < 0.04]
    flags += [f"other_symptoms_{symptom}" for symptom in unwell or ("no_relevant_symptoms",)]
    row |= dict.fromkeys(flags, "YES")
    for number, view in zip(VIEWS, spec.views, strict=False):
        row[f"image_{number}_path"] = image_path(view.image_id)
        row[f"image_{number}_shot_type"] = view.shot_type
    return row


def _own_fitzpatrick(rng: np.random.Generator, monk: int) -> str:
    """People's own answer: half give none, and a few find no type that fits."""
    answer, error = rng.random(), 0.8 * float(rng.normal())
    if answer < 0.5:
        return ""
    if answer < 0.57:
        return "NONE_IDENTIFIED"
    return f"FST{_clipped(FITZPATRICK_OF_MONK[monk - 1] + error, 6)}"


def _reported(rng: np.random.Generator, usual: tuple[str, ...]) -> list[str]:
    """The usual answers, each sometimes left out, the first one rarely."""
    return [answer for place, answer in enumerate(usual) if rng.random() < (0.9 if place == 0 else 0.55)]


def label_row(spec: CaseSpec) -> Row:
    """One row of scin_labels.csv; the same spec gives the same ratings."""
    rng = stream(spec.seed, Purpose.RATERS, spec.index)
    others = len(DERMATOLOGISTS) - 1 if rng.random() < SEEN_BY_THREE else 0
    if spec.quality == "insufficient":
        gradable = [False] * (1 + others)
    else:  # a labelled case has at least one differential
        gradable = [True, *(bool(rng.random() >= UNGRADED_SHARE) for _ in range(others))]
    labelled = sum(gradable) if spec.quality == "sufficient" else 0
    differentials = [_differential(rng, spec.condition) for _ in range(labelled)]
    fitzpatrick = [_fitzpatrick(rng, spec.monk) if clear else None for clear in gradable]
    row = dict.fromkeys(LABEL_COLUMNS, "") | {
        "case_id": spec.case_id,
        "dermatologist_skin_condition_on_label_name": repr([x for one in differentials for x in one.labels]),
        "dermatologist_skin_condition_confidence": repr([x for one in differentials for x in one.confidences]),
        "weighted_skin_condition_label": repr(inverse_rank_weights(differentials)),
        "gradable_for_monk_skin_tone_india": "True",
        "gradable_for_monk_skin_tone_us": "True",
        "monk_skin_tone_label_india": str(_monk(rng, spec.monk)),
        "monk_skin_tone_label_us": str(_monk(rng, spec.monk)),
    }
    for number, clear, tone in zip(DERMATOLOGISTS, gradable, fitzpatrick, strict=False):
        row[f"dermatologist_gradable_for_skin_condition_{number}"] = SUFFICIENT if clear else INSUFFICIENT
        row[f"dermatologist_gradable_for_fitzpatrick_skin_type_{number}"] = "NO" if tone is None else "YES"
        row[f"dermatologist_fitzpatrick_skin_type_label_{number}"] = "" if tone is None else f"FST{tone}"
    return row


def _differential(rng: np.random.Generator, condition: str) -> Differential:
    others = list(BY_NAME[condition].mistaken_for)
    if rng.random() < RECOGNISED_SHARE:
        labels = [condition]
    else:
        labels = [others.pop(int(rng.choice(len(LOOK_ALIKE_SHARES), p=LOOK_ALIKE_SHARES))), condition]
    for _ in range(int(rng.choice((0, 1, 2), p=(0.35, 0.35, 0.30)))):
        labels.append(others.pop(int(rng.integers(min(2, len(others))))))
    labels = labels[:3]
    confidence = int(rng.integers(3, 6))
    confidences = []
    for _ in labels:
        confidences.append(confidence)
        confidence = max(1, confidence - int(rng.choice((0, 1, 2), p=(0.15, 0.5, 0.35))))
    return Differential(tuple(labels), tuple(confidences))


def _fitzpatrick(rng: np.random.Generator, monk: int) -> int | None:
    if rng.random() < 0.04:
        return None
    return _clipped(FITZPATRICK_OF_MONK[monk - 1] + FITZPATRICK_SPREAD * float(rng.normal()), 6)


def _monk(rng: np.random.Generator, monk: int) -> int:
    return _clipped(monk + MONK_SPREAD * float(rng.normal()), 10)


def _clipped(value: float, most: int) -> int:
    return int(np.clip(round(value), 1, most))


def inverse_rank_weights(differentials: Sequence[Differential]) -> dict[str, float]:
    """SCIN's weighted label: heaviest first, to two decimals, summing to about 1.

    Each dermatologist's labels are ranked by confidence and weigh 1/rank; labels of equal confidence share the mean
    of their ranks' weights. The weights are summed over dermatologists and divided by their total.
    """
    totals: dict[str, float] = {}
    for one in differentials:
        ranked = sorted(one.confidences, reverse=True)
        for label, confidence in zip(one.labels, one.confidences, strict=True):
            shares = [1.0 / rank for rank, other in enumerate(ranked, start=1) if other == confidence]
            totals[label] = totals.get(label, 0.0) + sum(shares) / len(shares)
    total = sum(totals.values())
    heaviest_first = sorted(totals.items(), key=lambda item: -item[1])
    return {label: round(weight / total, 2) for label, weight in heaviest_first}


def truth_row(spec: CaseSpec, number: int, view: RenderedView) -> Row:
    """One row of synthetic_truth.csv: what was drawn in photo ``number`` (from 0), and how it was photographed."""
    plan = spec.views[number]
    red, green, blue = plan.camera.white_balance
    return {
        "image_path": image_path(plan.image_id),
        "case_id": spec.case_id,
        "condition": spec.condition,
        "monk": str(spec.monk),
        "ita_deg": f"{view.true_ita_deg:.2f}",
        "lightness": f"{view.true_lightness:.2f}",
        "spots": str(view.spots),
        "pixels_per_mm": f"{plan.pixels_per_mm:.3f}",
        "exposure": f"{plan.camera.exposure:.4f}",
        "gain_red": f"{red:.4f}",
        "gain_green": f"{green:.4f}",
        "gain_blue": f"{blue:.4f}",
        "noise": f"{plan.camera.noise:.4f}",
        "blur_px": f"{plan.camera.blur_px:.2f}",
        "quality": spec.quality,
    }
