"""What kind of photo this is, and which models were made for that kind."""

from __future__ import annotations

from ml.faces import Face
from ml.values import Modality

#: what a client may state
MODALITIES = ("face", "close_up", "dermatoscopic")
#: a face seen with at least this detector score contradicts a stated close-up of skin
_CLEAR_FACE = 0.8

CONFLICT = "modality_conflict"
_WHY_NO_LESION = (
    "The lesion classifier was not run: it is made for dermatoscopic photos, and this one is {kind}. "
    "For a lesion, send a dermatoscopic photo with modality=dermatoscopic."
)


def determine(stated: str | None, faces: list[Face] | None) -> Modality:
    """The stated kind where there is one; otherwise "face" where a face was found, or undetermined.

    ``faces`` is None where they were not looked for.
    """
    if stated is not None:
        return Modality(stated, None, stated)
    if faces:
        return Modality("face", faces[0].score, None)
    return Modality(None, None, None)


def conflicts(modality: Modality, faces: list[Face] | None) -> bool:
    """Whether the pixels clearly contradict what the client stated."""
    return modality.stated == "dermatoscopic" and bool(faces) and faces[0].score >= _CLEAR_FACE  # type: ignore[index]


def why_no_lesion(modality: Modality) -> str | None:
    """Why the dermatoscopic classifier does not answer, or None where it does."""
    kinds = {"face": "a face", "close_up": "a clinical close-up"}
    kind = kinds.get(modality.label or "")
    return _WHY_NO_LESION.format(kind=kind) if kind else None
