"""The ten conditions that are drawn, under SCIN's names, and what patients and dermatologists report about them."""

from __future__ import annotations

from dataclasses import dataclass

INFLAMED_SITES = ("arm", "leg", "torso_front", "torso_back")


@dataclass(frozen=True, slots=True)
class Condition:
    """``extent_mm`` is the side of the square of skin that holds the lesions. ``mistaken_for``: the other names in a
    dermatologist's differential, likeliest first. The rest are names and values of columns of the case table."""

    name: str
    extent_mm: float
    mistaken_for: tuple[str, ...]
    textures: tuple[str, ...]
    symptoms: tuple[str, ...]
    body_parts: tuple[str, ...]
    related_category: str
    durations: tuple[str, ...]


ACUTE = ("ONE_DAY", "LESS_THAN_ONE_WEEK")
SUBACUTE = ("LESS_THAN_ONE_WEEK", "ONE_TO_FOUR_WEEKS", "ONE_TO_THREE_MONTHS")
CHRONIC = ("ONE_TO_THREE_MONTHS", "THREE_TO_TWELVE_MONTHS", "MORE_THAN_ONE_YEAR", "MORE_THAN_FIVE_YEARS")
LASTING = ("MORE_THAN_ONE_YEAR", "MORE_THAN_FIVE_YEARS", "SINCE_CHILDHOOD")

CONDITIONS: tuple[Condition, ...] = (
    Condition(
        "Eczema",
        115.0,
        ("Allergic Contact Dermatitis", "Psoriasis", "Irritant Contact Dermatitis", "Tinea"),
        ("rough_or_flaky", "raised_or_bumpy"),
        ("itching", "bothersome_appearance", "burning"),
        (*INFLAMED_SITES, "back_of_hand"),
        "RASH",
        SUBACUTE,
    ),
    Condition(
        "Folliculitis",
        80.0,
        ("Acne", "Insect Bite", "Miliaria", "Keratosis pilaris"),
        ("raised_or_bumpy", "fluid_filled"),
        ("itching", "bothersome_appearance", "pain"),
        (*INFLAMED_SITES, "buttocks", "head_or_neck"),
        "RASH",
        SUBACUTE,
    ),
    Condition(
        "Herpes Zoster",
        110.0,
        ("Herpes Simplex", "Allergic Contact Dermatitis", "Insect Bite", "Impetigo"),
        ("fluid_filled", "raised_or_bumpy"),
        ("pain", "burning", "increasing_size"),
        ("torso_front", "torso_back", "leg", "arm"),
        "RASH",
        ACUTE,
    ),
    Condition(
        "Insect Bite",
        85.0,
        ("Urticaria", "Folliculitis", "Scabies", "Allergic Contact Dermatitis"),
        ("raised_or_bumpy",),
        ("itching", "pain"),
        ("arm", "leg", "foot_top_or_side", "torso_back"),
        "RASH",
        ACUTE,
    ),
    Condition(
        "Melanocytic Nevus",
        42.0,
        ("SK/ISK", "Melanoma", "Dermatofibroma"),
        ("flat",),
        ("no_relevant_experience", "darkening"),
        (*INFLAMED_SITES, "head_or_neck"),
        "GROWTH_OR_MOLE",
        LASTING,
    ),
    Condition(
        "Psoriasis",
        125.0,
        ("Eczema", "Tinea", "Pityriasis rosea", "Lichen Simplex Chronicus"),
        ("rough_or_flaky", "raised_or_bumpy"),
        ("itching", "bothersome_appearance", "increasing_size"),
        (*INFLAMED_SITES, "buttocks"),
        "RASH",
        CHRONIC,
    ),
    Condition(
        "SK/ISK",
        55.0,
        ("Melanocytic Nevus", "Verruca vulgaris", "Melanoma", "Actinic Keratosis"),
        ("raised_or_bumpy", "rough_or_flaky"),
        ("bothersome_appearance", "darkening"),
        ("torso_back", "torso_front", "head_or_neck"),
        "GROWTH_OR_MOLE",
        LASTING,
    ),
    Condition(
        "Tinea",
        100.0,
        ("Eczema", "Granuloma annulare", "Psoriasis", "Pityriasis rosea"),
        ("rough_or_flaky", "raised_or_bumpy"),
        ("itching", "increasing_size"),
        (*INFLAMED_SITES, "foot_top_or_side"),
        "RASH",
        SUBACUTE,
    ),
    Condition(
        "Urticaria",
        130.0,
        ("Insect Bite", "Drug Rash", "Allergic Contact Dermatitis", "Erythema multiforme"),
        ("raised_or_bumpy",),
        ("itching", "burning", "increasing_size"),
        INFLAMED_SITES,
        "RASH",
        ACUTE,
    ),
    Condition(
        "Vitiligo",
        120.0,
        ("Post-Inflammatory hypopigmentation", "Tinea Versicolor", "Pityriasis rosea"),
        ("flat",),
        ("bothersome_appearance", "increasing_size"),
        ("back_of_hand", "arm", "leg", "torso_front"),
        "PIGMENTARY_PROBLEM",
        CHRONIC,
    ),
)

BY_NAME: dict[str, Condition] = {condition.name: condition for condition in CONDITIONS}
