"""The sentences of a summary, as codes with values. ``TEXTS`` has the English text of each code.

An English text is also the key under which a translation is found (gettext). A text with two forms is (singular,
plural), by its value ``number``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Listed:
    """Texts that are joined by "and" or by "or". ``conditions``: they are names of conditions."""

    texts: tuple[str, ...]
    by: Literal["and", "or"] = "and"
    conditions: bool = False


@dataclass(frozen=True)
class Clause:
    """A whole sentence that becomes a part of another one: without its first capital and its full stop."""

    sentence: str


#: A number is written as the language writes it. A text is translated.
Value = int | float | str | Listed | Clause


@dataclass(frozen=True)
class Message:
    """``code``: a key of TEXTS. ``values``: what the placeholders of its text stand for."""

    code: str
    values: Mapping[str, Value] = field(default_factory=dict)


def any_of(*names: str) -> Listed:
    """The conditions with these names, joined by "or"."""
    return Listed(names, "or", conditions=True)


HEADLINES: Mapping[str, str | tuple[str, str]] = {
    "made_up": "This is a made-up answer for testing: nothing was measured in the photo.",
    "nothing_to_see": "Nothing can be seen in this photo.",
    "no_skin": "No skin was recognised in this photo.",
    "no_colours": "This photo does not show the colours of the skin, so nothing was measured in it.",
    "poor_photo": "Little can be told from this photo: {problem}.",
    "spot_for_a_doctor": "This spot looks like ones that a doctor should examine.",
    "spot_perhaps_for_a_doctor": "This could be a spot that a doctor should examine.",
    "spot_open": "This photo does not show clearly what kind of spot this is.",
    "spot_like": "This spot looks most like {conditions}, but a photo cannot rule out skin cancer.",
    "spot_unknown": "This spot is unlike the ones that the service knows, so it cannot say what it is.",
    "condition": "This looks most like {conditions}.",
    "conditions": "This looks like one of a few conditions: {conditions}.",
    "many_conditions": "Many conditions remain possible, first of all {conditions}.",
    "zones_redder_and_spots": "Some parts of the face are redder than the forehead, and small spots were found.",
    "zones_redder": "Some parts of the face are redder than the forehead: {zones}.",
    "spots": ("One small spot was found on the face.", "About {number} small spots were found on the face."),
    "face": "A face was found, and in this photo no part of it is clearly redder than the forehead.",
    "face_not_compared": "A face was found, but the redness of its parts could not be compared.",
    "spot_stands_out": "The spot in this photo is {differences} than the skin around it.",
    "area_stands_out": "An area in this photo is {differences} than the skin around it.",
    "skin": "Skin was recognised in this photo, but the service could not make out an area to describe, even if there "
    "is one.",
}
FINDINGS: Mapping[str, str | tuple[str, str]] = {
    "fits_best": "Of the kinds of spot that the service knows, the photo fits {conditions} best.",
    "rated_alike": "Of test photos that were rated like this one, about {share} of 10 showed skin cancer or an early "
    "form of it; they came from clinics, where such spots are common.",
    "labelled_photos": "Compared with labelled photos, this one fits {conditions} best.",
    "right_so_often": (
        "For photos like the labelled ones, this name is right in about {share} of 10 cases.",
        "For photos like the labelled ones, a right name is among the {number} that remain possible in about {share} "
        "of 10 cases.",
    ),
    "colour": "It is {differences} than the skin around it.",
    "diameter": "It is about {millimetres} mm wide, give or take {spread} mm.",
    "redder_zones": "Redder than the forehead: {zones}.",
    "spot_count": (
        "One small round spot was counted, such as a pimple, a freckle or a mole.",
        "About {number} small round spots were counted, such as pimples, freckles or moles; another photo may show "
        "{fewest} to {most}.",
    ),
    "tone": "The skin tone, measured with the reference in the photo, is {tone}.",
    "unusual": "The skin shows {grade} than in {share} of 100 photos that it is compared with.",
    "unlike_photos": "The photos differ more in skin colour than photos of one person usually do. Check that all of "
    "them show the same person.",
    "kind_contradicted": "The photo does not look like the kind of photo that was stated.",
    "kind_doubtful": "It is not certain whether the photo shows one spot or a larger area of skin.",
    "kind_perhaps_dermatoscopic": "It is not certain whether the photo was taken through a doctor's magnifying lens "
    "(a dermatoscope), so the spot was not compared with known kinds.",
    "quality": "{problem}",
}
NEXT_STEPS: Mapping[str, str] = {
    "retake": "For a better answer, take the photo again: {advice}.",
    "resend": "For a better answer, {advice}.",
    "retake_or_doctor": "Take the photo again ({advice}), and show the skin to a doctor if anything on it grows, "
    "changes, bleeds, does not heal or worries you.",
    "show_skin": "If the photo does show skin, move closer, use even light, and say which kind of photo it is.",
    "state_kind": "Send the photo again and say whether it was taken through a doctor's lens, and show the spot to a "
    "doctor if it grows, changes, bleeds, does not heal or worries you.",
    "doctor_soon": "Show this spot to a doctor soon, even if it does not bother you.",
    "doctor": "Let a doctor look at this spot.",
    "doctor_if_spot": "Show the spot to a doctor if it is new, grows, changes its shape or colour, bleeds, does not "
    "heal or worries you.",
    "doctor_today": "Show this to a doctor today, because it could be {conditions}.",
    "doctor_in_days": "Show this to a doctor within a few days, because it could be {conditions}.",
    "doctor_if_skin": "Show the skin to a doctor if it hurts, blisters, spreads, comes with fever, does not heal or "
    "worries you.",
    "compare": "To see whether something changes, take the next photo in the same light and from the same distance.",
}
LIMITS: Mapping[str, str] = {
    "made_up": "The whole answer is an example for developers and says nothing about the photo.",
    "nothing": "So this answer says nothing about the skin, neither good nor bad.",
    "phone_spots": "The service knows only six kinds of spot, was hardly tested on dark skin, and gave a low rating to "
    "{missed} of 100 skin cancers in a test, so no answer is an all-clear.",
    "lens_spots": "The service knows only seven kinds of spot, was hardly tested on dark skin, and gave a low rating "
    "to {missed} of 100 skin cancers in a small test, so no answer is an all-clear.",
    "spots": "The service knows only a few kinds of spot and was hardly tested on dark skin, so no answer is an "
    "all-clear.",
    "no_real_cases": "The service has no real cases to compare this photo with, so it names no skin condition; it "
    "makes no diagnosis and gives no all-clear.",
    "no_condition": "The service names no skin condition for this photo; it makes no diagnosis and gives no all-clear.",
    "labelled_cases": "The service only compares the photo with labelled ones; it makes no diagnosis, and conditions "
    "that it does not know look like others.",
    "cosmetic": "The values depend on light and camera, and the service does not look for diseases.",
}
#: every text of a message, by its part of the summary and its code
TEXTS: Mapping[str, Mapping[str, str | tuple[str, str]]] = {
    "headline": HEADLINES,
    "findings": FINDINGS,
    "next_step": NEXT_STEPS,
    "limits": LIMITS,
}
#: zone of a face → its name in a sentence
ZONES: Mapping[str, str] = {
    "left_cheek": "the left cheek",
    "right_cheek": "the right cheek",
    "nose": "the nose",
    "chin": "the chin",
    "around_left_eye": "the skin around the left eye",
    "around_right_eye": "the skin around the right eye",
}
#: measure → what a higher and a lower value mean in a sentence
DIFFERENCES: Mapping[str, tuple[str, str]] = {
    "lightness_difference": ("lighter", "darker"),
    "redness_difference": ("redder", "less red"),
}
#: measure → what an unusually high and an unusually low value mean in a sentence
GRADES: Mapping[str, tuple[str, str]] = {
    "evenness": ("a less even tone", "a more even tone"),
    "lines": ("more fine lines", "fewer fine lines"),
    "roughness": ("a rougher surface", "a smoother surface"),
}
