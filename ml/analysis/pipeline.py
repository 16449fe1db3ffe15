"""One case through every part: photos in, one Analysis out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ml.analysis import routing as kinds
from ml.analysis.decision import decide, names_conditions
from ml.analysis.explain import Explained, Explainer
from ml.deadline import Deadline
from ml.models.face_search import FaceSearch, find_face, find_face_again, turned
from ml.models.loading import Models
from ml.skin.colour import Floats, illuminant, working_copy
from ml.skin.face import face_zones
from ml.skin.measure import measure_skin
from ml.skin.percentiles import Population, scored
from ml.skin.quality import TURNED, assess
from ml.skin.segmentation import SkinMasks, skin_masks
from ml.values import (
    NOT_SKIN,
    RGB,
    Analysis,
    Lesion,
    Modality,
    ModelCard,
    Overlay,
    Patient,
    Photo,
    Quality,
    Retrieval,
    Searcher,
    Skin,
    Vectors,
    Zone,
)


@dataclass(frozen=True)
class CaseRequest:
    """One case: one to three views of the same skin, and what is known of the person.

    ``modality`` is what the client says the photos are (ml.analysis.routing.MODALITIES) or None; ``k`` is how many
    similar cases to return; ``pixels_per_mm`` is the first photo's scale, where it is known; ``explain`` asks for
    overlays, which cost many runs of each model.
    """

    photos: tuple[Photo, ...]
    patient: Patient = field(default_factory=Patient)
    modality: str | None = None
    k: int = 5
    pixels_per_mm: float | None = None
    explain: bool = False


class Analyzer:
    """The pipeline. Safe to use from several threads."""

    def __init__(
        self,
        models: Models,
        searcher: Searcher,
        *,
        measurements: bool = True,
        lesions: bool = True,
        population: Population | None = None,
    ) -> None:
        """``lesions``: whether the lesion classifier takes part. ``population``: what close-ups are scored by; without
        one, scores are None."""
        self._models = models
        self._population = population
        self._searcher = searcher
        self._measurements = measurements
        self._lesions = lesions
        self._explainer = Explainer(models.encoder, models.classifier, searcher)

    def analyze(self, request: CaseRequest, deadline: Deadline) -> Analysis:
        """Raises DeadlineExceededError, naming the stage that could not start, and ModelError.

        The first photo tells what kind of photo it is, and is measured; similar cases and lesion classes use all.
        A photo without skin is neither measured nor looked up.
        """
        clock = _StageClock(deadline)
        first = request.photos[0]
        with clock.stage("measure"):
            small = working_copy(first.rgb)
            masks = skin_masks(small)
            skin_colours = masks[0]
            light = illuminant(small)
            quality = _with_decoding(assess(small, first.width, first.height, skin_colours, light), first)
        seen = self._look(request, small, quality, clock)
        faces = seen.faces
        if faces is not None and faces.turns:
            quality = replace(quality, problems=(*quality.problems, TURNED))
        routing = self._models.kinds.route(
            request.modality, seen.evidence, usable=quality.usable, colours=quality.colours
        )
        modality = routing.modality
        found = Retrieval((), ())
        if routing.skin:
            with clock.stage("search"):
                found = self._searcher.search(seen.vectors, request.k)
        lesion = None
        if routing.no_lesion is None and self._lesions:
            with clock.stage("classify"):
                lesion = self._classify(request, deadline)
        with clock.stage("measure"):
            zones = _zones(first, faces) if faces is not None and routing.skin else None
            portrait = modality.label == kinds.FACE
            skin = Skin(tone=None, zones=zones)  # nothing is measured without skin, nor where colours say nothing
            if routing.skin and quality.colours:
                skin = self._measure(request, small, masks, light, zones, portrait=portrait)
            if _is_scored(modality):
                skin = scored(skin, self._population)
        info = self._searcher.info
        verdict = decide(info, quality, modality, skin.tone, found.assessment, conflict=routing.conflict)
        overlays: tuple[Overlay, ...] = ()
        if request.explain:
            with clock.stage("explain"):
                turns = 0 if faces is None else faces.turns
                explained = Explained(small, skin_colours, zones, lesion, found.cases, request.patient, turns)
                overlays = self._explainer.overlays(explained, deadline)
        return Analysis(
            photos=request.photos,
            quality=quality,
            modality=modality,
            skin=skin,
            conditions=found.conditions if names_conditions(info, quality, modality) else (),
            lesion=lesion,
            decision=verdict.decision,
            similar_cases=found.cases,
            index=info,
            models=self._cards(),
            timings_ms=clock.milliseconds,
            notes=_notes(routing, faces, lesions=self._lesions),
            accuracy=verdict.accuracy,
            accuracy_reason=verdict.accuracy_reason,
            overlays=overlays,
        )

    def _cards(self) -> tuple[ModelCard, ...]:
        """Of the models that take part."""
        if self._lesions:
            return self._models.cards
        return tuple(card for card in self._models.cards if card.name != self._models.classifier.spec.name)

    def _look(self, request: CaseRequest, small: RGB, quality: Quality, clock: _StageClock) -> _Seen:
        """Faces, embeddings and what they tell; of the first photo as a face shows that it must be turned."""
        photos = [photo.rgb for photo in request.photos]
        detector = self._models.faces
        with clock.stage("faces"):
            faces = None if detector is None else find_face(detector, photos[0], small)
        seen = self._embedded(photos, quality, faces, clock)
        if detector is None or faces is None or faces.sure:
            return seen
        kind, stated = self._models.kinds.look(seen.evidence).label, request.modality == kinds.FACE
        if kind is None or (kind == kinds.DERMATOSCOPIC and not stated):
            return seen
        with clock.stage("faces"):
            # Small faces that are turned pass for things: other skin is spared the search for them.
            thorough = stated or kind in (kinds.FACE, NOT_SKIN)
            faces = find_face_again(detector, photos[0], small, faces, thorough=thorough)
        if faces.turns == 0:
            return replace(seen, faces=faces, evidence=replace(seen.evidence, face=faces.score))
        return self._embedded([turned(photos[0], faces.turns), *photos[1:]], quality, faces, clock)

    def _embedded(self, photos: list[RGB], quality: Quality, faces: FaceSearch | None, clock: _StageClock) -> _Seen:
        with clock.stage("encode"):
            vectors = self._models.encoder.embed(photos, clock.deadline)
            score = 0.0 if faces is None else faces.score
            if not quality.usable:
                return _Seen(faces, vectors, kinds.Evidence(score))
            own = self._models.kind_encoder
            vector = vectors[0] if own is self._models.encoder else own.embed(photos[:1], clock.deadline)[0]
            return _Seen(faces, vectors, self._models.kinds.evidence(vector, score))

    def _classify(self, request: CaseRequest, deadline: Deadline) -> Lesion:
        return self._models.classifier.classify([photo.rgb for photo in request.photos], request.patient, deadline)

    def _measure(
        self,
        request: CaseRequest,
        small: RGB,
        masks: SkinMasks,
        light: Floats | None,
        zones: tuple[Zone, ...] | None,
        *,
        portrait: bool,
    ) -> Skin:
        if not self._measurements:
            return Skin(tone=None, zones=zones)
        photo, width, scale = request.photos[0].rgb, request.photos[0].width, request.pixels_per_mm
        return measure_skin(small, zones, masks, width, scale, photo=photo, light=light, portrait=portrait)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What was seen in the photos. ``faces`` is None where none were looked for; ``vectors`` are all photos', by the
    index's encoder; ``evidence`` is what the first one tells of its kind."""

    faces: FaceSearch | None
    vectors: Vectors
    evidence: kinds.Evidence


def _zones(photo: Photo, faces: FaceSearch) -> tuple[Zone, ...]:
    height, width = photo.rgb.shape[:2]
    return () if faces.placed is None else face_zones(faces.placed.landmarks, width, height)


def _with_decoding(quality: Quality, photo: Photo) -> Quality:
    """``quality`` with what decoding found out about the photo."""
    problems = (*photo.problems, *quality.problems)
    return replace(quality, problems=problems, colours=quality.colours and photo.true_colours)


def _is_scored(modality: Modality) -> bool:
    """Whether an index's population consists of such photos."""
    return modality.label in (kinds.CLOSE_UP, kinds.LESION)


def _notes(routing: kinds.Routing, faces: FaceSearch | None, *, lesions: bool) -> tuple[str, ...]:
    """What the answer says in words: why a part is missing, and of whom it speaks."""
    why = (routing.no_lesion,) if lesions and routing.no_lesion and routing.skin else ()
    notes = (*why, *routing.notes)
    if faces is None or faces.count < 2:
        return notes
    return (*notes, f"{faces.count} faces were found; the zones are those of the one that was seen most clearly.")


class _StageClock:
    """Milliseconds of each stage; a stage that comes twice adds up. No stage starts after the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.deadline.check(name)
        started = time.perf_counter()
        yield
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + (time.perf_counter() - started) * 1e3
