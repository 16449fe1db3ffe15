"""The service's codes in words. A code that is not known here is shown with spaces for underscores."""

from __future__ import annotations

_REASONS = {
    "synthetic_index": "the service runs on generated skin: no disease is named from it",
    "unusable_photo": "nothing can be seen on this photo",
    "no_colours": "the photo's colours say nothing of the skin",
    "modality_conflict": "the photo is not of the kind that was stated",
    "not_skin": "this is not a photo of skin",
    "not_calibrated": "how often its answers are right has not been measured for this index",
    "cosmetic_mode": "the service names no disease",
    "dermatoscopic_photo": "the labelled cases are ordinary photos and say nothing of one through a dermatoscope",
    "unlike_index": "the photo is unlike the labelled cases",
    "too_many_conditions": "too many conditions remain possible",
    "nothing_likely": "similar cases support no condition well enough, which does not mean that nothing is there",
    "too_few_to_calibrate": "there are too few labelled cases to say how often an answer would be right",
    "tone_unknown": "the skin tone could not be estimated: the figures are those of all tones together",
    "tone_group_too_few": "there are too few labelled cases of this skin tone: the figures are those of all tones",
}
#: what a photo may be stated to be → the words for it
KINDS = {
    "face": "a face",
    "lesion_close_up": "one lesion, close up",
    "close_up": "skin",
    "dermatoscopic": "through a dermatoscope",
}


def reason(code: str) -> str:
    """Why the decision is what it is."""
    return _REASONS.get(code, plain(code))


def kind_of_photo(code: str) -> str:
    """What the photo shows."""
    return KINDS.get(code, plain(code))


def plain(code: str) -> str:
    """A code as words."""
    return code.replace("_", " ")


def quantity(value: float | None, unit: str | None) -> str:
    """A number with its unit; a share, 0–1, as a percentage. What has no dimension gets no unit."""
    if value is None:
        return "–"
    if unit and unit.startswith("share"):
        return f"{value:.1%}"
    sign = "" if unit in (None, "", "1", "index") else unit if unit == "°" else f" {unit}"
    return f"{value:.2f}{sign}"
