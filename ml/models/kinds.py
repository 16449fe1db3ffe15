"""Classifies the kind of photo by what its pixels show.

The face detector finds faces. Three logistic regressions ("heads") on the encoder's embedding classify the rest: skin
or not, dermatoscopic or not, one lesion or other skin. ``python -m research.photo_kind`` fits them. Their card with the
measured accuracy is docs/models/photo-kind.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ml.models.encoder import HeadSet, read_heads
from ml.values import DERMATOSCOPIC, NOT_SKIN, Modality, Vector

LESION, CLOSE_UP, FACE = "lesion_close_up", "close_up", "face"

#: the heads' weights and thresholds
HEADS_FILE = Path(__file__).with_name("photo_kind.json")

SURE_FACE = 0.65  # at this score of the detector or more, the photo is of a face, whatever the heads say


@dataclass(frozen=True)
class Evidence:
    """What the pixels show. ``face``: the detector's score, 0–1, of a face whose landmarks were found; 0 without one.
    ``skin``, ``dermatoscopic``, ``lesion``: the heads' probabilities, 0–1; all None if the photo is unusable."""

    face: float = 0.0
    skin: float | None = None
    dermatoscopic: float | None = None
    lesion: float | None = None


class KindOfPhoto:
    """Classifies photos by heads on the embedding of ``heads.encoder``. ``limits``: head → the probability, 0–1, from
    which on it says yes."""

    def __init__(self, heads: HeadSet) -> None:
        self._heads = heads.heads
        self.limits = {name: head.threshold for name, head in heads.heads.items()}

    def evidence(self, embedding: Vector | None, face: float) -> Evidence:
        """``embedding`` (dimension,) is that of the photo, or None if it is unusable. ``face`` is as in Evidence."""
        if embedding is None:
            return Evidence(face)
        return Evidence(face, **{name: head.probability(embedding) for name, head in self._heads.items()})

    def look(self, seen: Evidence) -> Modality:
        """The kind by the pixels alone, with its probability. The label is None if it cannot be determined."""
        if seen.skin is None or seen.dermatoscopic is None or seen.lesion is None:
            return Modality(FACE, seen.face, None) if seen.face else Modality(None, None, None)
        dermatoscopic = seen.dermatoscopic >= self.limits["dermatoscopic"]
        if seen.face >= SURE_FACE or (seen.face and seen.skin < self.limits["skin"] and not dermatoscopic):
            return Modality(FACE, seen.face, None)
        if dermatoscopic:
            return Modality(DERMATOSCOPIC, seen.dermatoscopic, None)
        if seen.skin < self.limits["skin"]:
            return Modality(NOT_SKIN, 1 - seen.skin, None)
        if seen.lesion >= self.limits["lesion"]:
            return Modality(LESION, seen.lesion, None)
        return Modality(CLOSE_UP, 1 - seen.lesion, None)


def read_kinds() -> HeadSet:
    """The heads in HEADS_FILE. Raises ArtifactError."""
    return read_heads(HEADS_FILE)
