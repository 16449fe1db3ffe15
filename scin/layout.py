"""SCIN's layout: the names and the columns of its two tables (release 1.0.0), and how a table is written.

Flags are "YES" or empty. Lists and dicts are Python literals.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

CASES_FILE, LABELS_FILE = "scin_cases.csv", "scin_labels.csv"
#: prefix of the image paths in the tables: the store's root is this folder
PATH_ROOT = "dataset/"
IMAGE_FOLDER = f"{PATH_ROOT}images"
#: a case's column that SCIN does not have: datasets with several cases of one person have it
PATIENT_COLUMN = "patient_id"
Row = dict[str, str]

VIEWS = (1, 2, 3)
DERMATOLOGISTS = (1, 2, 3)


def _flags(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}_{name}" for name in names.split())


CASE_COLUMNS: tuple[str, ...] = (
    "case_id",
    "source",
    "release",
    "year",
    "age_group",
    "sex_at_birth",
    "fitzpatrick_skin_type",
    *_flags(
        "race_ethnicity",
        "american_indian_or_alaska_native asian black_or_african_american hispanic_latino_or_spanish_origin "
        "middle_eastern_or_north_african native_hawaiian_or_pacific_islander white other_race prefer_not_to_answer",
    ),
    *_flags("textures", "raised_or_bumpy flat rough_or_flaky fluid_filled"),
    *_flags(
        "body_parts",
        "head_or_neck arm palm back_of_hand torso_front torso_back genitalia_or_groin buttocks leg foot_top_or_side "
        "foot_sole other",
    ),
    *_flags(
        "condition_symptoms",
        "bothersome_appearance bleeding increasing_size darkening itching burning pain no_relevant_experience",
    ),
    *_flags(
        "other_symptoms",
        "fever chills fatigue joint_pain mouth_sores shortness_of_breath no_relevant_symptoms",
    ),
    "related_category",
    "condition_duration",
    *(f"image_{number}_path" for number in VIEWS),
    *(f"image_{number}_shot_type" for number in VIEWS),
    "combined_race",
    "race_ethnicity_two_or_more_after_mitigation",
)

LABEL_COLUMNS: tuple[str, ...] = (
    "case_id",
    *(f"dermatologist_gradable_for_skin_condition_{number}" for number in DERMATOLOGISTS),
    "dermatologist_skin_condition_on_label_name",
    "dermatologist_skin_condition_confidence",
    "weighted_skin_condition_label",
    *(f"dermatologist_gradable_for_fitzpatrick_skin_type_{number}" for number in DERMATOLOGISTS),
    *(f"dermatologist_fitzpatrick_skin_type_label_{number}" for number in DERMATOLOGISTS),
    "gradable_for_monk_skin_tone_india",
    "gradable_for_monk_skin_tone_us",
    "monk_skin_tone_label_india",
    "monk_skin_tone_label_us",
)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write a table as CSV in UTF-8. The same rows give the same bytes."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
