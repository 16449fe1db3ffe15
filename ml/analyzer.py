"""One case through every part: photos in, one Analysis out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ml import modality as kinds
from ml.deadline import Deadline
from ml.decision import decide, names_conditions
from ml.explain.explain import Explained, Explainer
from ml.faces import Face
from ml.models.loading import Models
from ml.skin.colour import Floats, illuminant, working_copy
from ml.skin.face import face_zones
from ml.skin.measure import measure_skin
from ml.skin.percentiles import Population, scored
from ml.skin.quality import assess
from ml.skin.segmentation import SkinMasks, skin_masks
from ml.values import (
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

    ``modality`` is what the client says the photos are (ml.modality.MODALITIES) or None; ``k`` is how many similar
    cases to return; ``pixels_per_mm`` is the first photo's scale, where it is known;
    ``explain`` asks for overlays, which cost many runs of each model.
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
        """Raises DeadlineExceededError, naming the stage that could not start, and BackendError.

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
        with clock.stage("faces"):
            faces = None if self._models.faces is None else self._models.faces.detect(first.rgb, small)
            placed = self._place(first, faces or [])
        with clock.stage("encode"):
            vectors = self._models.encoder.embed([photo.rgb for photo in request.photos], deadline)
            evidence = self._evidence(first, vectors, quality, placed, deadline)
        routing = self._models.kinds.route(request.modality, evidence, usable=quality.usable, colours=quality.colours)
        modality = routing.modality
        found = Retrieval((), ())
        if routing.skin:
            with clock.stage("search"):
                found = self._searcher.search(vectors, request.k)
        lesion = None
        if routing.no_lesion is None and self._lesions:
            with clock.stage("classify"):
                lesion = self._classify(request, deadline)
        with clock.stage("measure"):
            zones = _zones(first, placed) if faces is not None and routing.skin else None
            portrait = modality.label == kinds.FACE
            skin = (
                self._measure(request, small, masks, light, zones, portrait=portrait)
                if routing.skin
                else Skin(tone=None)
            )
            if _is_scored(modality):
                skin = scored(skin, self._population)
        info = self._searcher.info
        verdict = decide(info, quality, modality, skin.tone, found.assessment, conflict=routing.conflict)
        overlays: tuple[Overlay, ...] = ()
        if request.explain:
            with clock.stage("explain"):
                seen = Explained(small, skin_colours, zones, lesion, found.cases, request.patient)
                overlays = self._explainer.overlays(seen, deadline)
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

    def _place(self, photo: Photo, faces: list[Face]) -> _Placed | None:
        """The most certain face whose landmarks can be placed."""
        if self._models.faces is None:
            return None
        for face in faces:
            landmarks = self._models.faces.landmarks(photo.rgb, face)
            if landmarks is not None:
                return _Placed(face, landmarks)
        return None

    def _evidence(
        self, first: Photo, vectors: Vectors, quality: Quality, placed: _Placed | None, deadline: Deadline
    ) -> kinds.Evidence:
        """What the first photo tells of its kind; ``vectors`` are all photos', by the index's encoder."""
        score = 0.0 if placed is None else placed.face.score
        if not quality.usable:
            return kinds.Evidence(score)
        own = self._models.kind_encoder
        vector = vectors[0] if own is self._models.encoder else own.embed([first.rgb], deadline)[0]
        return self._models.kinds.evidence(vector, score)

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
class _Placed:
    """A face with its landmarks (468, 3), in pixels of the photo."""

    face: Face
    landmarks: Floats


def _zones(photo: Photo, placed: _Placed | None) -> tuple[Zone, ...]:
    height, width = photo.rgb.shape[:2]
    return () if placed is None else face_zones(placed.landmarks, width, height)


def _with_decoding(quality: Quality, photo: Photo) -> Quality:
    """``quality`` with what decoding found out about the photo."""
    problems = (*photo.problems, *quality.problems)
    return replace(quality, problems=problems, colours=quality.colours and photo.true_colours)


def _is_scored(modality: Modality) -> bool:
    """Whether an index's population consists of such photos."""
    return modality.label in (kinds.CLOSE_UP, kinds.LESION)


def _notes(routing: kinds.Routing, faces: list[Face] | None, *, lesions: bool) -> tuple[str, ...]:
    """What the answer says in words: why a part is missing, and of whom it speaks."""
    why = (routing.no_lesion,) if lesions and routing.no_lesion and routing.skin else ()
    notes = (*why, *routing.notes)
    if faces is None or len(faces) < 2:
        return notes
    return (*notes, f"{len(faces)} faces were found; the zones are those of the one that was seen most clearly.")


class _StageClock:
    """Milliseconds of each stage; a stage that comes twice adds up. No stage starts after the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._deadline.check(name)
        started = time.perf_counter()
        yield
        self.milliseconds[name] = self.milliseconds.get(name, 0.0) + (time.perf_counter() - started) * 1e3
