"""What kind of photo this is, and whether the dermatoscopic classifier answers for it.

Two logistic rules on ``ml.skin.signs``, no model of their own: how far a photo shows skin at all (smooth skin, few
strong edges, one colour), and how far it could come through a dermatoscope (no sharp edges, no blue or green, a rim
like the middle). The coefficients were fitted by ``python -m benchmarks.modality --fit`` on 80 clinical and 70
dermatoscopic photos and 60-odd pictures of other things; docs/methods/perception.md holds what was measured.

A photo that could be either gets the classifier: a dermatoscopic photo that goes without an answer is the worse
mistake. Only what is clearly something else goes without.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ml.faces import Face
from ml.skin.signs import Signs
from ml.values import NOT_SKIN, Modality

#: what a client may state
MODALITIES = ("face", "close_up", "dermatoscopic")

_SURE_FACE, _CLEAR_FACE = 0.65, 0.8  # detector scores: a face whatever else; one that contradicts a dermatoscope
_GREY = 0.98  # share of the field without colour: nothing tells skin from anything else
_NO_SKIN, _MUCH_COLD = 0.03, 0.25  # next to no smooth skin amid blue or green

# Thresholds on log-odds. The classes were weighted equally in the fit, so 0 is the even chance.
_NOT_SKIN = -1.75
_CLEARLY_NOT_SKIN = -3.0  # contradicts whatever was stated
_NO_DERMATOSCOPE = -2.75  # clearly clinical
_CLEARLY_NO_DERMATOSCOPE = -4.5  # contradicts a stated dermatoscope

_WHY_NO_LESION = (
    "The lesion classifier was not run: it is made for dermatoscopic photos, and this one {reason}. "
    "For a lesion, send a dermatoscopic photo with modality=dermatoscopic."
)
_REASONS = {
    "face": "shows a face",
    "close_up": "is a clinical photo of skin",
    NOT_SKIN: "does not look like skin",
}
_WHY_NOTHING = (
    "No skin was recognised in this photo, so nothing was measured and nothing looked up. "
    "If it does show skin, send it again with modality=close_up, or take it closer and in colour."
)
_MAYBE_CLINICAL = (
    "This may be a clinical photo. The lesion classifier is made for dermatoscopic photos: if it was not taken "
    "through a dermatoscope, disregard the lesion part, or say modality=close_up."
)


@dataclass(frozen=True)
class Routing:
    """What follows from the kind of photo. ``lesion``: whether the dermatoscopic classifier answers; ``note``: what
    the client should know of that, or None; ``conflict``: whether the pixels contradict what was stated."""

    modality: Modality
    conflict: bool
    lesion: bool
    note: str | None

    @property
    def skin(self) -> bool:
        """Whether there is skin to measure and to look up."""
        return self.modality.label != NOT_SKIN


def route(stated: str | None, faces: list[Face] | None, signs: Signs | None) -> Routing:
    """Follow what was stated, unless the pixels clearly contradict it; otherwise go by the pixels.

    ``faces`` is None where they were not looked for, ``signs`` where the photo is too even to show anything.
    """
    if stated is not None:
        contradicted = _contradiction(stated, faces, signs)
        if contradicted is not None:
            return _routing(Modality(contradicted, None, stated), conflict=True)
        return _routing(Modality(stated, None, stated))
    modality = _look(faces, signs)
    unclear = modality.label == "close_up" and signs is not None and dermatoscopic_log_odds(signs) > _NO_DERMATOSCOPE
    return _routing(modality, unclear=unclear)


def skin_log_odds(signs: Signs) -> float:
    """Above 0: more likely skin than another thing. −∞ where no skin's colour is seen."""
    if signs.colourless >= _GREY or (signs.smooth_skin < _NO_SKIN and signs.cold > _MUCH_COLD):
        return -math.inf
    return 3.08 + 3.80 * signs.smooth_skin - 2.64 * _log(signs.edges_90) - 0.103 * signs.colour_scatter


def dermatoscopic_log_odds(signs: Signs) -> float:
    """Above 0: more likely dermatoscopic than clinical."""
    return (
        6.08
        - 1.47 * _log(signs.edges_98)
        - 0.37 * math.log1p(signs.rim_colour)
        - 1.49 * math.log1p(signs.rim_light)
        - 12.0 * signs.cold
    )


def _look(faces: list[Face] | None, signs: Signs | None) -> Modality:
    """The kind by the pixels alone."""
    score = faces[0].score if faces else 0.0
    if signs is None:
        return Modality("face", score, None) if score else Modality(None, None, None)
    dermatoscopic = dermatoscopic_log_odds(signs)
    if score >= _SURE_FACE or (score and dermatoscopic < 0):
        return Modality("face", score, None)
    skin = skin_log_odds(signs)
    if skin < _NOT_SKIN:
        return Modality(NOT_SKIN, 1 - _share(skin), None)
    if dermatoscopic >= 0:
        return Modality("dermatoscopic", _share(dermatoscopic), None)
    return Modality("close_up", 1 - _share(dermatoscopic), None)


def _contradiction(stated: str, faces: list[Face] | None, signs: Signs | None) -> str | None:
    """What the pixels show so clearly that it cannot be what was stated, or None."""
    score = faces[0].score if faces else 0.0
    if stated == "dermatoscopic" and score >= _CLEAR_FACE:
        return "face"
    if score or signs is None:
        return None
    if skin_log_odds(signs) < _CLEARLY_NOT_SKIN:
        return NOT_SKIN
    if stated == "dermatoscopic" and dermatoscopic_log_odds(signs) < _CLEARLY_NO_DERMATOSCOPE:
        return "close_up"
    return None


def _routing(modality: Modality, *, conflict: bool = False, unclear: bool = False) -> Routing:
    if unclear:
        return Routing(modality, conflict, True, _MAYBE_CLINICAL)
    reason = _REASONS.get(modality.label or "")
    if reason is None:
        return Routing(modality, conflict, True, None)
    note = _WHY_NOTHING if modality.label == NOT_SKIN else _WHY_NO_LESION.format(reason=reason)
    return Routing(modality, conflict, False, note)


def _share(log_odds: float) -> float:
    return 1 / (1 + math.exp(-max(log_odds, -50.0)))


def _log(edges: float) -> float:
    return math.log(max(edges, 0.05))
