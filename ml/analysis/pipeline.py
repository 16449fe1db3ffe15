"""One case through every part: photos in, one Analysis out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from ml.analysis import routing as kinds
from ml.analysis.decision import decide, names_conditions
from ml.analysis.explain import Explained, overlays
from ml.analysis.scores import Population, scored
from ml.deadline import Deadline
from ml.models.face_search import FaceSearch, find_face, find_face_again, turned
from ml.models.loading import Models
from ml.skin.face import face_zones
from ml.skin.frame import Frame, Subject
from ml.skin.measure import measure_skin
from ml.skin.quality import TURNED, assess
from ml.values import (
    NOT_SKIN,
    RGB,
    Analysis,
    Modality,
    ModelCard,
    Overlay,
    Patient,
    Photo,
    Quality,
    Retrieval,
    Searcher,
    Skin,
    Vector,
    Vectors,
    Zone,
)


@dataclass(frozen=True)
class CaseRequest:
    """One case: one to three views of the same skin, and what is known of the person.

    ``modality`` is what the client says the photos are (ml.analysis.routing.MODALITIES) or None; ``k`` is how many
    similar cases to return; ``pixels_per_mm`` is the first photo's scale, if it is known; ``explain`` asks for
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
        """``measurements``, ``lesions``: whether skin is measured, and whether the lesion classifier takes part.
        ``population``: what close-ups are scored by; without one, scores are None."""
        self._models = models
        self._population = population
        self._searcher = searcher
        self._measurements = measurements
        self._lesions = lesions

    def analyze(self, request: CaseRequest, deadline: Deadline) -> Analysis:
        """Raises DeadlineExceededError, naming the stage that could not start, and ModelError.

        The kind of photo and the measurements are those of the first photo; similar cases and lesion classes use all.
        A photo without skin is neither measured nor looked up.
        """
        clock = _StageClock(deadline)
        first = request.photos[0]
        frame = Frame(first.rgb, first.width, first.height, request.pixels_per_mm)
        with clock.stage("measure"):
            quality = _with_decoding(assess(frame), first)
        seen = self._look(request, frame, quality, clock)
        if seen.turns:
            quality = replace(quality, problems=(*quality.problems, TURNED))
        routing = self._models.kinds.route(
            request.modality, seen.evidence, seen.looks_like, usable=quality.usable, colours=quality.colours
        )
        modality = routing.modality
        found = Retrieval((), ())
        if routing.skin:
            with clock.stage("search"):
                found = self._searcher.search(seen.vectors, request.k)
        lesion = None
        if routing.no_lesion is None and self._lesions:
            with clock.stage("classify"):
                photos = [photo.rgb for photo in request.photos]
                lesion = self._models.classifier.classify(photos, request.patient, deadline)
        with clock.stage("measure"):
            zones = _zones(first, seen.faces) if seen.faces is not None and routing.skin else None
            subject = Subject(frame, zones, portrait=modality.label == kinds.FACE)
            skin = Skin(tone=None, zones=zones)  # nothing is measured without skin, nor if colours say nothing
            if routing.skin and quality.colours and self._measurements:
                skin = measure_skin(subject)
            if _is_scored(modality):
                skin = scored(skin, self._population)
        info = self._searcher.info
        verdict = decide(info, quality, modality, skin.tone, found.assessment, conflict=routing.conflict)
        pictures: tuple[Overlay, ...] = ()
        if request.explain:
            with clock.stage("explain"):
                explained = Explained(subject, lesion, found.cases, request.patient, seen.turns)
                pictures = overlays(self._models, self._searcher, explained, deadline)
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
            notes=_notes(routing, seen.faces, lesions=self._lesions),
            accuracy=verdict.accuracy,
            accuracy_reason=verdict.accuracy_reason,
            overlays=pictures,
        )

    def _cards(self) -> tuple[ModelCard, ...]:
        """Of the models that take part."""
        if self._lesions:
            return self._models.cards
        return tuple(card for card in self._models.cards if card.name != self._models.classifier.spec.name)

    def _look(self, request: CaseRequest, frame: Frame, quality: Quality, clock: _StageClock) -> _Seen:
        """Faces, embeddings and the kind of the first photo, which is turned if its face shows that it must be."""
        photos = [photo.rgb for photo in request.photos]
        detector = self._models.faces
        with clock.stage("faces"):
            faces = None if detector is None else find_face(detector, frame.rgb, frame.copy)
        seen = self._embedded(photos, quality, faces, clock)
        if detector is None or faces is None or faces.sure:
            return seen
        kind, stated = seen.looks_like.label, request.modality == kinds.FACE
        if kind is None or (kind == kinds.DERMATOSCOPIC and not stated):
            return seen
        with clock.stage("faces"):
            # Small faces that are turned pass for things: other skin is spared the search for them.
            thorough = stated or kind in (kinds.FACE, NOT_SKIN)
            again = find_face_again(detector, frame.rgb, frame.copy, faces, thorough=thorough)
        if again is faces:
            return seen
        if again.turns == 0:
            evidence = replace(seen.evidence, face=again.score)
            return replace(seen, faces=again, evidence=evidence, looks_like=self._models.kinds.look(evidence))
        return self._embedded([turned(frame.rgb, again.turns), *photos[1:]], quality, again, clock)

    def _embedded(self, photos: list[RGB], quality: Quality, faces: FaceSearch | None, clock: _StageClock) -> _Seen:
        with clock.stage("encode"):
            vectors = self._models.encoder.embed(photos, clock.deadline)
            vector = self._kind_vector(photos, vectors, clock.deadline) if quality.usable else None
            evidence = self._models.kinds.evidence(vector, 0.0 if faces is None else faces.score)
            return _Seen(faces, vectors, evidence, self._models.kinds.look(evidence))

    def _kind_vector(self, photos: list[RGB], vectors: Vectors, deadline: Deadline) -> Vector:
        """The first photo's embedding by the encoder that the kinds were fitted to."""
        own = self._models.kind_encoder
        if own is not self._models.encoder:
            vectors = own.embed(photos[:1], deadline)
        return np.asarray(vectors[0], np.float32)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What was seen in the photos. ``faces`` is None if none were looked for; ``vectors`` are all photos', by the
    index's encoder; ``evidence`` is that of the first one's kind, and ``looks_like`` what follows from it."""

    faces: FaceSearch | None
    vectors: Vectors
    evidence: kinds.Evidence
    looks_like: Modality

    @property
    def turns(self) -> int:
        """Quarter turns to the left, 0–3, after which the first photo was embedded."""
        return 0 if self.faces is None else self.faces.turns


def _zones(photo: Photo, faces: FaceSearch) -> tuple[Zone, ...]:
    height, width = photo.rgb.shape[:2]
    return () if faces.placed is None else face_zones(faces.placed.landmarks, width, height)


def _with_decoding(quality: Quality, photo: Photo) -> Quality:
    """``quality`` with the problems that decoding found."""
    problems = (*photo.problems, *quality.problems)
    return replace(quality, problems=problems, colours=quality.colours and photo.true_colours)


def _is_scored(modality: Modality) -> bool:
    """Whether an index's population consists of such photos."""
    return modality.label in (kinds.CLOSE_UP, kinds.LESION)


def _notes(routing: kinds.Routing, faces: FaceSearch | None, *, lesions: bool) -> tuple[str, ...]:
    """Why a part of the answer is missing, and which face its zones are of, in words."""
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
