"""Rows of the dataset's tables, in SCIN's value forms: "YES" or empty flags, lists and dicts as Python literals."""

from __future__ import annotations

from typing import Any

import numpy as np

from scin.synthetic.columns import CASE_COLUMNS, LABEL_COLUMNS
from scin.synthetic.conditions import BY_NAME
from scin.synthetic.raters import FITZPATRICK_OF_MONK, Grading, inverse_rank_weights
from scin.synthetic.streams import Purpose, stream
from scin.synthetic.values import CaseSpec, RenderedView

SOURCE = "SYNTHETIC"
RELEASE = "SYNTHETIC-1"
YEAR = "2025"
IMAGE_FOLDER = "dataset/images"
OTHER_SYMPTOMS = ("fever", "fatigue", "joint_pain")

Row = dict[str, str]


def image_path(image_id: str) -> str:
    """Where a photo lies, relative to the dataset's root."""
    return f"{IMAGE_FOLDER}/{image_id}.png"


def case_row(spec: CaseSpec) -> Row:
    """One row of scin_cases.csv. Race and ethnicity stay empty: generated skin has none."""
    condition = BY_NAME[spec.condition]
    rng = stream(spec.seed, Purpose.ANSWERS, spec.index)
    row = dict.fromkeys(CASE_COLUMNS, "")
    row |= {
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
    flags += [f"textures_{texture}" for texture in _said(rng, condition.textures)]
    flags += [f"condition_symptoms_{symptom}" for symptom in _said(rng, condition.symptoms)]
    unwell = [symptom for symptom in OTHER_SYMPTOMS if rng.random() < 0.04]
    flags += [f"other_symptoms_{symptom}" for symptom in unwell or ("no_relevant_symptoms",)]
    row |= dict.fromkeys(flags, "YES")
    for number, view in enumerate(spec.views, start=1):
        row[f"image_{number}_path"] = image_path(view.image_id)
        row[f"image_{number}_shot_type"] = view.shot_type
    return row


def label_row(spec: CaseSpec, grading: Grading) -> Row:
    """One row of scin_labels.csv."""
    labels = [label for one in grading.differentials for label in one.labels]
    confidences = [confidence for one in grading.differentials for confidence in one.confidences]
    row = dict.fromkeys(LABEL_COLUMNS, "")
    row |= {
        "case_id": spec.case_id,
        "dermatologist_skin_condition_on_label_name": repr(labels),
        "dermatologist_skin_condition_confidence": repr(confidences),
        "weighted_skin_condition_label": repr(inverse_rank_weights(grading.differentials)),
        "gradable_for_monk_skin_tone_india": "True",
        "gradable_for_monk_skin_tone_us": "True",
        "monk_skin_tone_label_india": str(grading.monk_india),
        "monk_skin_tone_label_us": str(grading.monk_us),
    }
    for number, (gradable, tone) in enumerate(zip(grading.gradable, grading.fitzpatrick, strict=True), start=1):
        row[f"dermatologist_gradable_for_skin_condition_{number}"] = gradable
        row[f"dermatologist_gradable_for_fitzpatrick_skin_type_{number}"] = "NO" if tone is None else "YES"
        row[f"dermatologist_fitzpatrick_skin_type_label_{number}"] = "" if tone is None else f"FST{tone}"
    return row


def truth_row(spec: CaseSpec, number: int, view: RenderedView) -> Row:
    """One row of synthetic_truth.csv: photo `number` (from 0) of a case."""
    plan = spec.views[number]
    values: dict[str, Any] = {
        "image_path": image_path(plan.image_id),
        "case_id": spec.case_id,
        "condition": spec.condition,
        "monk": spec.monk,
        "ita_deg": f"{view.true_ita_deg:.2f}",
        "lightness": f"{view.true_lightness:.2f}",
        "spots": view.spots,
        "pixels_per_mm": f"{view.pixels_per_mm:.3f}",
        "exposure": f"{view.exposure:.4f}",
        "gain_red": f"{view.white_balance[0]:.4f}",
        "gain_green": f"{view.white_balance[1]:.4f}",
        "gain_blue": f"{view.white_balance[2]:.4f}",
        "noise": f"{plan.camera.noise:.4f}",
        "blur_px": f"{plan.camera.blur_px:.2f}",
        "quality": spec.quality,
    }
    return {name: str(value) for name, value in values.items()}


def _own_fitzpatrick(rng: np.random.Generator, monk: int) -> str:
    """What people say of themselves: half say nothing, a few find no type that fits."""
    says, error = rng.random(), 0.8 * float(rng.normal())
    if says < 0.5:
        return ""
    if says < 0.57:
        return "NONE_IDENTIFIED"
    return f"FST{int(np.clip(round(FITZPATRICK_OF_MONK[monk - 1] + error), 1, 6))}"


def _said(rng: np.random.Generator, usual: tuple[str, ...]) -> list[str]:
    """The usual answers, each left out now and then, the first one seldom."""
    return [answer for place, answer in enumerate(usual) if rng.random() < (0.9 if place == 0 else 0.55)]
