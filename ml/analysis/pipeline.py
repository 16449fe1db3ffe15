"""The pipeline of one analysis, from decoded photos to an Analysis."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from ml.analysis.decision import decide, names_conditions
from ml.analysis.explain import Explained, outlined, overlays
from ml.analysis.routing import UNLIKE_PHOTOS, Routing, route
from ml.analysis.scores import Population, scored
from ml.deadline import Deadline
from ml.models.face_search import FaceSearch, find_face, find_face_again, turned
from ml.models.kinds import CLOSE_UP, FACE, LESION, Evidence
from ml.models.lesion_views import views_of
from ml.models.loading import Models
from ml.models.phone_lesions import PHONE
from ml.skin.face import face_zones
from ml.skin.frame import Frame, Subject
from ml.skin.measure import measure_skin
from ml.skin.quality import TURNED, assess
from ml.skin.reference import Reference
from ml.skin.tone import are_alike, tone_of
from ml.values import (
    DERMATOSCOPIC,
    NOT_SKIN,
    RGB,
    Analysis,
    IndexInfo,
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
    Vector,
    Vectors,
    Zone,
)


@dataclass(frozen=True)
class CaseRequest:
    """One case: one to three photos of the same skin, and facts about the person.

    ``modality``: the kind of photo that the client states (ml.analysis.routing.MODALITIES), or None. ``k``: the number
    of similar cases. ``pixels_per_mm``: the scale of the first photo as sent, or None. ``reference``: the colour
    reference that is stated to be in the first photo, or None. ``outline``: whether to make the overlays of what was
    found. ``explain``: whether to make all overlays, which take many runs of each model. ``full``: whether to measure
    what is not in every answer. ``thorough``: whether the dermatoscopic classifier averages each photo and its three
    mirror images, which takes four times as long.
    """

    photos: tuple[Photo, ...]
    patient: Patient = field(default_factory=Patient)
    modality: str | None = None
    k: int = 5
    pixels_per_mm: float | None = None
    reference: Reference | None = None
    outline: bool = False
    explain: bool = False
    full: bool = False
    thorough: bool = False


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
        """``measurements``: whether skin is measured. ``lesions``: whether the lesion models run. ``population``:
        the measured values of the index's photos, for scores of such photos; without it, scores are None."""
        self._models = models
        self._population = population
        self._searcher = searcher
        self._measurements = measurements
        self._lesions = lesions

    def analyze(self, request: CaseRequest, deadline: Deadline) -> Analysis:
        """Analyse one case.

        The kind of photo and the measurements come from the first photo, similar cases and lesion classes from all
        photos. A photo without skin is not measured, and no similar cases are searched for it.

        Raises DeadlineExceededError, which names the stage that could not start, and ModelError.
        """
        clock = StageClock(deadline)
        examined = self.examine(request, clock)
        seen, quality, routing, subject = examined.seen, examined.quality, examined.routing, examined.subject
        modality = routing.modality
        found = Retrieval((), ())
        if routing.skin:
            with clock.stage("search"):
                found = self._searcher.search(seen.vectors, request.k)
        lesion, info = None, self._searcher.info
        others = [Subject(Frame(photo.rgb)) for photo in request.photos[1:]]
        if routing.no_lesion is None and self._lesions:
            with clock.stage("classify"):
                lesion = self._classified(request, seen, [subject, *others], modality, deadline)
        with clock.stage("measure"):
            skin = self.measured(examined, full=request.full)
            question = _question(skin, others)
            if _is_scored(info, modality):
                skin = scored(skin, self._population)
        verdict = decide(info, quality, modality, skin.tone, found.assessment, conflict=routing.conflict)
        pictures: tuple[Overlay, ...] = ()
        if request.explain:
            with clock.stage("explain"):
                explained = Explained(subject, lesion, found.cases, request.patient, seen.turns)
                pictures = overlays(self._models, self._searcher, explained, deadline)
        elif request.outline and routing.skin:
            with clock.stage("outline"):
                pictures = outlined(subject)
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
            models=self._cards(lesion),
            timings_ms=clock.milliseconds,
            notes=_notes(routing, seen.faces, lesions=self._lesions) + question + file_notes(request.photos),
            accuracy=verdict.accuracy,
            accuracy_reason=verdict.accuracy_reason,
            overlays=pictures,
        )

    def examine(self, request: CaseRequest, clock: StageClock) -> Examined:
        """The first part of an analysis: quality and kind of the first photo, and where its skin is. Raises what
        ``analyze`` does."""
        first = request.photos[0]
        frame = Frame(first.rgb, first.width, first.height, request.pixels_per_mm, request.reference)
        with clock.stage("measure"):
            quality = _with_decoding(assess(frame), first)
        seen = self._look(request, frame, quality, clock)
        if seen.turns:
            quality = replace(quality, problems=(*quality.problems, TURNED))
        routing = route(
            self._models.kinds,
            request.modality,
            seen.evidence,
            seen.looks_like,
            usable=quality.usable,
            colours=quality.colours,
        )
        zones = _zones(first, seen.faces) if seen.faces is not None and routing.skin else None
        subject = Subject(frame, zones, portrait=routing.modality.label == FACE)
        return Examined(first, quality, seen, routing, subject)

    def measured(self, examined: Examined, *, full: bool = False) -> Skin:
        """The measurements of an examined photo. Without skin or without its colours, nothing is measured."""
        if examined.routing.skin and examined.quality.colours and self._measurements:
            return measure_skin(examined.subject, full=full)
        return Skin(tone=None, zones=examined.subject.zones)

    def _cards(self, lesion: Lesion | None) -> tuple[ModelCard, ...]:
        """The cards of the models that took part. Of the lesion models, it is at most the one that answered."""
        if lesion is not None and lesion.input != PHONE:
            return self._models.cards
        others = tuple(card for card in self._models.cards if card.name != self._models.classifier.spec.name)
        return others if lesion is None else (*others, self._models.phone_lesions.card)

    def _classified(
        self, request: CaseRequest, seen: Seen, subjects: Sequence[Subject], modality: Modality, deadline: Deadline
    ) -> Lesion:
        """The answer of the lesion model for this kind of photo. ``subjects``: those of all photos."""
        photos = [photo.rgb for photo in request.photos]
        if modality.label == DERMATOSCOPIC:
            return self._models.classifier.classify(photos, request.patient, deadline, thorough=request.thorough)
        own = self._models.kind_encoder
        vectors = seen.vectors if own is self._models.encoder else None
        parts = [subject.whole for subject in subjects]
        views = views_of(own, photos, parts, vectors, turns=seen.turns, deadline=deadline)
        return self._models.phone_lesions.classify(views, request.patient)

    def _look(self, request: CaseRequest, frame: Frame, quality: Quality, clock: StageClock) -> Seen:
        """Find faces, embed the photos, classify the first one. It is turned upright if its face requires that."""
        photos = [photo.rgb for photo in request.photos]
        detector = self._models.faces
        with clock.stage("faces"):
            faces = None if detector is None else find_face(detector, frame.rgb, frame.copy)
        seen = self._embedded(photos, quality, faces, clock)
        if detector is None or faces is None or faces.sure:
            return seen
        kind, stated = seen.looks_like.label, request.modality == FACE
        if kind is None or (kind == DERMATOSCOPIC and not stated):
            return seen
        with clock.stage("faces"):
            # The heads take photos of small, turned faces for faces or for things, so other photos need no such search.
            thorough = stated or kind in (FACE, NOT_SKIN)
            again = find_face_again(detector, frame.rgb, frame.copy, faces, thorough=thorough)
        if again is faces:
            return seen
        if again.turns == 0:
            evidence = replace(seen.evidence, face=again.score)
            return replace(seen, faces=again, evidence=evidence, looks_like=self._models.kinds.look(evidence))
        return self._embedded([turned(frame.rgb, again.turns), *photos[1:]], quality, again, clock)

    def _embedded(self, photos: list[RGB], quality: Quality, faces: FaceSearch | None, clock: StageClock) -> Seen:
        with clock.stage("encode"):
            vectors = self._models.encoder.embed(photos, clock.deadline)
            vector = self._kind_vector(photos, vectors, clock.deadline) if quality.usable else None
            evidence = self._models.kinds.evidence(vector, 0.0 if faces is None else faces.score)
            return Seen(faces, vectors, evidence, self._models.kinds.look(evidence))

    def _kind_vector(self, photos: list[RGB], vectors: Vectors, deadline: Deadline) -> Vector:
        """The first photo's embedding by the encoder that the heads were fitted to."""
        own = self._models.kind_encoder
        if own is not self._models.encoder:
            vectors = own.embed(photos[:1], deadline)
        return np.asarray(vectors[0], np.float32)


@dataclass(frozen=True, eq=False)
class Seen:
    """What was found in the photos.

    ``faces``: None if faces were not searched for. ``vectors`` (n, dimension): the embeddings of all photos by the
    index's encoder. ``evidence``, ``looks_like``: the evidence for the kind of the first photo, and the kind.
    """

    faces: FaceSearch | None
    vectors: Vectors
    evidence: Evidence
    looks_like: Modality

    @property
    def turns(self) -> int:
        """Quarter turns to the left, 0–3, after which the first photo was embedded."""
        return 0 if self.faces is None else self.faces.turns


@dataclass(frozen=True, eq=False)
class Examined:
    """The first part of an analysis: the first ``photo``, its quality, what was found in all photos, the kind of the
    first photo, and its skin."""

    photo: Photo
    quality: Quality
    seen: Seen
    routing: Routing
    subject: Subject


def _zones(photo: Photo, faces: FaceSearch) -> tuple[Zone, ...]:
    height, width = photo.rgb.shape[:2]
    return () if faces.placed is None else face_zones(faces.placed.landmarks, width, height)


def _with_decoding(quality: Quality, photo: Photo) -> Quality:
    """``quality`` with the problems that decoding found."""
    problems = (*photo.problems, *quality.problems)
    return replace(quality, problems=problems, colours=quality.colours and photo.true_colours)


def _is_scored(index: IndexInfo, modality: Modality) -> bool:
    """Whether the index's population consists of this kind of photo."""
    of_index = (DERMATOSCOPIC,) if index.photo_kind == DERMATOSCOPIC else (CLOSE_UP, LESION)
    return modality.label in of_index


def _notes(routing: Routing, faces: FaceSearch | None, *, lesions: bool) -> tuple[str, ...]:
    """Sentences that say why a part of the answer is missing, and which face was measured."""
    why = (routing.no_lesion,) if lesions and routing.no_lesion and routing.skin else ()
    notes = (*why, *routing.notes)
    if faces is None or faces.count < 2:
        return notes
    return (*notes, f"{faces.count} faces were found. The zones belong to the clearest one.")


def file_notes(photos: Sequence[Photo]) -> tuple[str, ...]:
    """What decoding noted about the files, each sentence once."""
    return tuple(dict.fromkeys(note for photo in photos for note in photo.notes))


def _question(skin: Skin, others: Sequence[Subject]) -> tuple[str, ...]:
    """Asks about the ``others`` of a case if they are unlike the measured ``skin`` of the first photo."""
    tone = skin.tone
    if tone is None or all(are_alike(tone, tone_of(other)) for other in others):
        return ()
    return (UNLIKE_PHOTOS,)


class StageClock:
    """Measures the milliseconds of each stage; the times of a repeated stage are added. No stage starts after the
    deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.deadline.check(name)
        started = time.perf_counter()
        yield
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + (time.perf_counter() - started) * 1e3
