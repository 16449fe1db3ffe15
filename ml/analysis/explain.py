"""The overlays of one case: heat maps of both models, and pictures of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.analysis.occlusion import Score, heat_map
from ml.analysis.pictures import heat_picture, map_picture, mask_picture, region_picture
from ml.deadline import Deadline
from ml.models.face_search import turned
from ml.skin.face import zone_mask
from ml.skin.lesion import segment_lesion
from ml.skin.pigment import pigment_maps
from ml.values import RGB, Lesion, Mask, Overlay, Patient, Searcher, SimilarCase, Zone

if TYPE_CHECKING:
    from ml.models.classifier import LesionClassifier
    from ml.models.encoder import Encoder

#: overlays that show, or come of, a lesion
OF_LESIONS = ("lesion", "lesion_class")

_SKIN, _LESION = (0, 170, 120), (255, 196, 0)
_MELANIN, _HAEMOGLOBIN = (96, 48, 0), (200, 0, 40)
_ZONES = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75), (23, 190, 207))


@dataclass(frozen=True, eq=False)
class Explained:
    """What is to be explained. ``small`` is the working copy of the first photo, with the skin that was found in it;
    ``zones`` and ``lesion`` are None where there are none. ``turns``: the quarter turns to the left, 0–3, after which
    the photo was looked up."""

    small: RGB
    skin: Mask
    zones: Sequence[Zone] | None
    lesion: Lesion | None
    cases: Sequence[SimilarCase]
    patient: Patient
    turns: int = 0


class Explainer:
    """Makes overlays with the models' public interfaces. Safe to use from several threads."""

    def __init__(self, encoder: Encoder, classifier: LesionClassifier, searcher: Searcher) -> None:
        self._encoder = encoder
        self._classifier = classifier
        self._searcher = searcher

    def overlays(self, seen: Explained, deadline: Deadline) -> tuple[Overlay, ...]:
        """Raises DeadlineExceededError between two runs of a model, ModelError, ArtifactError."""
        found = list(measured(seen))
        if seen.cases:
            found.append(_heat("similar_cases", seen.small, self._similarity(seen, deadline)))
        if seen.lesion is not None:
            found.append(_heat("lesion_class", seen.small, self._probability(seen, seen.lesion, deadline)))
        return tuple(found)

    def _similarity(self, seen: Explained, deadline: Deadline) -> Score:
        """The mean cosine with the similar cases of the answer; below 0 it is nothing."""
        names = [case.case_id for case in seen.cases]

        def score(photos: Sequence[RGB]) -> NDArray[np.float32]:
            upright = [turned(photo, seen.turns) for photo in photos]
            found = self._searcher.similarities(self._encoder.embed(upright, deadline), names)
            return np.asarray(np.maximum(found.mean(axis=1), 0.0), np.float32)

        return score

    def _probability(self, seen: Explained, lesion: Lesion, deadline: Deadline) -> Score:
        """The probability of the class that the answer ranks first."""
        column = self._classifier.output.codes.index(lesion.predictions[0].code)

        def score(photos: Sequence[RGB]) -> NDArray[np.float32]:
            return self._classifier.predict(photos, seen.patient, deadline)[:, column]

        return score


def measured(seen: Explained) -> tuple[Overlay, ...]:
    """What was found and measured in the photo; an overlay that would show nothing is left out."""
    found = [Overlay("skin_mask", "skin", mask_picture(seen.skin, _SKIN))]
    if seen.zones:
        masks = [zone_mask(zone, *seen.skin.shape) for zone in seen.zones]
        found.append(Overlay("zones", "face", region_picture(masks, list(islice(cycle(_ZONES), len(masks))))))
    else:
        lesion = segment_lesion(seen.small, seen.skin)
        if lesion is not None:
            found.append(Overlay("lesion", "lesion", mask_picture(lesion.mask, _LESION)))
    if seen.skin.any():
        pigment = pigment_maps(seen.small, seen.skin)
        found.append(Overlay("melanin", "skin", map_picture(pigment.melanin, seen.skin, _MELANIN)))
        found.append(Overlay("haemoglobin", "skin", map_picture(pigment.haemoglobin, seen.skin, _HAEMOGLOBIN)))
    return tuple(found)


def _heat(name: str, photo: RGB, score: Score) -> Overlay:
    found = heat_map(photo, score)
    picture = heat_picture(found.importance, *photo.shape[:2])
    return Overlay(name, "photo", picture, deletion_score=found.deletion_score)
