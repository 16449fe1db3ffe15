"""Decides from the kind of photo which lesion model runs on it, and what else the answer may have.

One lesion model reads dermatoscopic photos, the other one phone photos of one lesion. In other photos they would report
cancers that are not there. So the dermatoscopic one runs only if the client states that the photo is dermatoscopic and
the pixels do not contradict that, or if the head is nearly certain. The other one runs only on a lesion close-up,
stated or recognised. If the kind is not stated and the photo may be dermatoscopic, none runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from ml.models.kinds import CLOSE_UP, FACE, LESION, Evidence, KindOfPhoto
from ml.values import DERMATOSCOPIC, NOT_SKIN, Modality

#: the kinds of photo that a client may state
MODALITIES = (FACE, CLOSE_UP, LESION, DERMATOSCOPIC)

_CLEAR_FACE = 0.8  # at this score or more, the photo is not dermatoscopic, even if that is stated
# Below these probabilities, the pixels contradict what is stated.
_CLEARLY_NOT_SKIN, _CLEARLY_NO_DERMATOSCOPE = 0.05, 0.05
_CLOSE_CALL = 0.15  # a probability nearer to its threshold is a close call

_WHY_NO_LESION = (
    "No lesion model was run: these models read photos of one lesion, close up or through a dermatoscope. "
    "This {reason}."
)
_REASONS = {FACE: "is a photo of a face", CLOSE_UP: "is a photo of other skin"}
_IN_GREY = "No lesion model was run: these models read colours, and those of this photo cannot be trusted."
_NO_SKIN = "No lesion model was run: no skin was recognised in this photo."
_NOTHING_TO_SEE = "No lesion model was run: the photo shows too little."
_WHY_NOTHING = (
    "No skin was recognised in this photo, so nothing was measured or looked up. If it does show skin, move closer, "
    "use even light, and say which kind of photo it is."
)
#: the note of a photo that may be dermatoscopic
MAYBE_DERMATOSCOPIC = (
    "No lesion model was run: it is not certain whether the photo was taken through a dermatoscope. Send it again and "
    "state the kind of photo."
)
_CLOSE = "It is a close call whether this photo shows {one} or {other}."
#: the note of a photo that may show one lesion or other skin
MAYBE_ONE_LESION = _CLOSE.format(one="one lesion", other="other skin")

#: the note of a case whose photos may show different people
UNLIKE_PHOTOS = (
    "The photos of this case differ more in skin colour than photos of one person usually do. Do all of them show the "
    "same person? If not, send one person's photos at a time."
)


@dataclass(frozen=True)
class Routing:
    """The consequences of the kind of photo.

    ``conflict``: whether the pixels contradict the stated kind. ``no_lesion``: a sentence that says why no lesion model
    runs; None if the one for this kind of photo runs. ``notes``: other sentences for the person.
    """

    modality: Modality
    conflict: bool
    no_lesion: str | None
    notes: tuple[str, ...] = ()

    @property
    def skin(self) -> bool:
        """Whether the photo shows skin."""
        return self.modality.label != NOT_SKIN


def route(
    kinds: KindOfPhoto,
    stated: str | None,
    seen: Evidence,
    looks_like: Modality | None = None,
    *,
    usable: bool = True,
    colours: bool = True,
) -> Routing:
    """The kind of photo is the ``stated`` one, unless the pixels clearly contradict it. Without a stated kind, the
    pixels decide.

    ``looks_like``: the result of ``kinds.look`` for the same evidence, if it is known. ``usable`` and ``colours`` are
    those of ``ml.values.Quality``: if one of them is False, no lesion model runs.
    """
    contradicted = None if stated is None else _contradiction(stated, seen)
    modality = looks_like or kinds.look(seen)
    if stated is not None:
        modality = Modality(contradicted or stated, None, stated)
    conflict = contradicted is not None
    if modality.label == NOT_SKIN:
        return Routing(modality, conflict, _NO_SKIN, (_WHY_NOTHING,))
    if not usable or modality.label is None:
        return Routing(modality, conflict, _NOTHING_TO_SEE)
    notes = _close_calls(kinds, seen, modality.label) if stated is None else ()
    doubtful = stated is None and seen.dermatoscopic is not None and seen.dermatoscopic >= 0.5
    if doubtful and modality.label != DERMATOSCOPIC:
        return Routing(modality, conflict, MAYBE_DERMATOSCOPIC, notes)
    if modality.label in _REASONS:
        return Routing(modality, conflict, _WHY_NO_LESION.format(reason=_REASONS[modality.label]), notes)
    return Routing(modality, conflict, None if colours else _IN_GREY, notes)


def _close_calls(kinds: KindOfPhoto, seen: Evidence, label: str) -> tuple[str, ...]:
    """A sentence that names another kind if it is nearly as likely."""
    if seen.skin is None or seen.lesion is None or label not in (LESION, CLOSE_UP):
        return ()
    if seen.skin - kinds.limits["skin"] < _CLOSE_CALL:
        return (_CLOSE.format(one="skin", other="something else"),)
    if abs(seen.lesion - kinds.limits["lesion"]) < _CLOSE_CALL:
        return (MAYBE_ONE_LESION,)
    return ()


def _contradiction(stated: str, seen: Evidence) -> str | None:
    """The kind that the pixels show if it clearly contradicts the stated one; None otherwise."""
    if stated == DERMATOSCOPIC and seen.face >= _CLEAR_FACE:
        return FACE
    if seen.face or seen.skin is None or seen.dermatoscopic is None:
        return None
    if max(seen.skin, seen.dermatoscopic) < _CLEARLY_NOT_SKIN:
        return NOT_SKIN
    if stated == DERMATOSCOPIC and seen.dermatoscopic < _CLEARLY_NO_DERMATOSCOPE:
        return CLOSE_UP
    return None
