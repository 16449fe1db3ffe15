"""Compares two photos of the same skin: do they show the same place, and what changed?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from ml.analysis.change_words import summary_of
from ml.analysis.changes import Conditions, compared
from ml.analysis.comparison import AlignedPhotos, Comparison, PairRequest, Reason, SamePlace, ViewedPhoto
from ml.analysis.pipeline import Analyzer, CaseRequest, Examined, StageClock, file_notes
from ml.analysis.same_place import (
    by_texture,
    no_face,
    nothing_to_compare,
    pair_limits,
)
from ml.deadline import Deadline
from ml.models.face_view import view_face
from ml.models.kinds import FACE
from ml.skin.aligned import AlignedSkin, PairedValue, aligned_skin, paired
from ml.skin.alignment import Alignment, align
from ml.skin.colour import median_density
from ml.skin.frame import Frame
from ml.values import RGB, Doubles, Floats, Photo, Skin

_LONGEST = 1024  # pixels: long side of the aligned photos in an answer
UNSURE = Reason("place_unsure", "It is not certain that both photos show the same place.")
CONFIRMED = Reason("confirmed", "The request says that both photos show the same place.")
NO_COLOURS = Reason("no_colours", "One of the photos does not show the colours of the skin.")
_DARK = "On dark skin, more or less redness hardly shows in a photo, so such a change is mostly missed."
_SEVERAL = "Several faces were found in a photo. The clearest one was compared."


class Comparer:
    """Compares two photos. Safe to use from several threads."""

    def __init__(self, analyzer: Analyzer, *, clinical: bool = True) -> None:
        """``clinical``: whether to compare the measures of lesions."""
        self._analyzer = analyzer
        self._clinical = clinical

    def compare(self, request: PairRequest, deadline: Deadline) -> Comparison:
        """Compare two photos. Raises DeadlineExceededError, which names the stage that could not start, and
        ModelError."""
        clock = StageClock(deadline)
        before, after = (self._examined(photo, request, clock) for photo in (request.before, request.after))
        with clock.stage("align"):
            pair = _matched(before, after)
        place, conditions = pair.place, pair.conditions
        if request.confirmed and place.verdict == "unsure" and place.method != "none":
            place = replace(place, reasons=(*place.reasons, CONFIRMED))
        elif place.verdict != "same":
            conditions = replace(conditions, refused=_refusal(place))
        if not (before.quality.colours and after.quality.colours):
            conditions = replace(conditions, refused=conditions.refused or NO_COLOURS)
        with clock.stage("measure"):
            skins = [self._analyzer.measured(examined) for examined in (before, after)]
            views = _viewed(before, skins[0]), _viewed(after, skins[1])
            measures = compared(*views, conditions, pair_limits())
        shown = tuple(one for one in measures if self._clinical or not one.clinical)
        return Comparison(
            *views,
            same_place=place,
            measures=shown,
            summary=summary_of(place, shown, confirmed=request.confirmed),
            interval_days=request.interval_days,
            aligned=pair.photos(request.before.rgb, request.after.rgb) if request.explain else None,
            notes=_notes((before, after), skins) + file_notes((request.before, request.after)),
            timings_ms=clock.milliseconds,
        )

    def _examined(self, photo: Photo, request: PairRequest, clock: StageClock) -> Examined:
        return self._analyzer.examine(CaseRequest((photo,), modality=request.modality), clock)


@dataclass(frozen=True, eq=False)
class _Match:
    """Whether two photos show the same place, and what they allow to compare.

    ``matrix`` (2, 3): from pixels of the second to pixels of the first of the ``copies`` (h, w, 3); None if they could
    not be aligned.
    """

    place: SamePlace
    conditions: Conditions = field(default_factory=Conditions)
    matrix: Doubles | None = None
    copies: tuple[RGB, RGB] | None = None

    def photos(self, before: RGB, after: RGB) -> AlignedPhotos | None:
        """Both photos (H, W, 3) in the frame of the first one, with a long side of at most 1,024 pixels."""
        if self.matrix is None or self.copies is None:
            return None
        factor = min(1.0, _LONGEST / max(before.shape))
        size = round(before.shape[1] * factor), round(before.shape[0] * factor)
        first = np.asarray(cv2.resize(before, size, interpolation=cv2.INTER_AREA), np.uint8)
        to_first, from_second = size[0] / self.copies[0].shape[1], self.copies[1].shape[1] / after.shape[1]
        matrix = self.matrix * to_first
        matrix[:, :2] *= from_second
        return AlignedPhotos(first, Alignment(matrix, 0, 0).warp(after, first.shape))


def _matched(before: Examined, after: Examined) -> _Match:
    kinds = before.routing.modality, after.routing.modality
    if (nothing := nothing_to_compare(*kinds)) is not None:
        return _Match(nothing)
    if kinds[0].label == FACE:
        return _matched_faces(before, after)
    frames = before.subject.frame, after.subject.frame
    found = align(frames[0].copy, frames[1].copy)
    place = by_texture(found)
    if found is None or place.verdict != "same":
        return _Match(place)
    skin = aligned_skin(frames[0].copy, frames[1].copy, found)
    return _Match(place, _of_skin(skin, found, frames), found.matrix, (frames[0].copy, frames[1].copy))


def _matched_faces(before: Examined, after: Examined) -> _Match:
    first, second = _landmarks(before), _landmarks(after)
    if first is None or second is None:
        return _Match(no_face())
    copies = before.subject.frame.rgb, after.subject.frame.rgb
    one, other = view_face(copies[0], first), view_face(copies[1], second)
    matrix, _ = cv2.estimateAffinePartial2D(_flat(second), _flat(first))
    conditions = Conditions(
        light_apart=_light_apart(before, after),
        distances=other.length / one.length,
        turned=max(abs(one.yaw - other.yaw), abs(one.pitch - other.pitch)),
    )
    return _Match(
        by_texture(align(one.level, other.level), faces=True), conditions, np.asarray(matrix, np.float64), copies
    )


def _viewed(examined: Examined, skin: Skin) -> ViewedPhoto:
    """The photo with all that was measured in it and in the zones of its face."""
    found = (*skin.measurements, *(one for zone in skin.zones or () for one in zone.measurements))
    return ViewedPhoto(examined.photo, examined.quality, examined.routing.modality, found)


def _notes(photos: Sequence[Examined], skins: Sequence[Skin]) -> tuple[str, ...]:
    several = any(map(_several_faces, photos))
    dark = any(skin.tone is not None and skin.tone.group == "dark" for skin in skins)
    return ((_SEVERAL,) if several else ()) + ((_DARK,) if dark else ())


def _refusal(place: SamePlace) -> Reason:
    """Why nothing is compared."""
    return place.reasons[0] if place.method == "none" else UNSURE


def _of_skin(skin: AlignedSkin | None, found: Alignment, frames: tuple[Frame, Frame]) -> Conditions:
    """What two aligned photos of skin allow to compare. ``skin``: None if too little is in both."""
    values: Mapping[str, PairedValue] = {} if skin is None else paired(skin)
    widths = [frame.copy.shape[1] for frame in frames]
    # Texture is measured relative to the frame, so the same distance means that both frames show as much skin.
    distances = found.scale * widths[1] / widths[0]
    return Conditions(paired=values, light_apart=None if skin is None else skin.light_apart, distances=distances)


def _light_apart(before: Examined, after: Examined) -> float | None:
    """How far the light on the skin of two faces differs, as by ``AlignedSkin``; None if too little skin is shown."""
    densities = []
    for one in (before, after):
        region = one.subject.whole.region
        if not region.usable:
            return None
        densities.append(median_density(one.subject.frame.copy, region.mask))
    return float(np.sqrt(np.mean((densities[0] - densities[1]) ** 2)))


def _landmarks(examined: Examined) -> Floats | None:
    """The landmarks of the face (468, 3), in pixels of the photo; None without a face."""
    faces = examined.seen.faces
    return None if faces is None or faces.placed is None else faces.placed.landmarks


def _flat(landmarks: Floats) -> Floats:
    """x and y (468, 2) of landmarks."""
    return np.ascontiguousarray(landmarks[:, :2])


def _several_faces(examined: Examined) -> bool:
    faces = examined.seen.faces
    return examined.routing.modality.label == FACE and faces is not None and faces.count > 1
