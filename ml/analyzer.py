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
from ml.loading import Models
from ml.skin.colour import Floats, illuminant, working_copy
from ml.skin.face import face_zones
from ml.skin.measure import measure_skin
from ml.skin.percentiles import Population, scored
from ml.skin.quality import assess
from ml.skin.segmentation import SkinMasks, skin_masks
from ml.skin.signs import read_signs
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
    Zone,
)

_TOO_LITTLE_FOR_A_LESION = "The lesion model was not run: the photo shows too little."


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
            signs = read_signs(small, skin_colours) if quality.usable else None
        with clock.stage("faces"):
            faces = None if self._models.faces is None else self._models.faces.detect(first.rgb, small)
        routing = kinds.route(request.modality, faces, signs)
        modality = routing.modality
        found = self._look_up(request, deadline, clock) if routing.skin else Retrieval((), ())
        lesion = None
        if routing.lesion and self._lesions and quality.usable:
            with clock.stage("classify"):
                lesion = self._classify(request, deadline)
        with clock.stage("measure"):
            zones = self._zones(first, faces) if faces is not None and routing.skin else None
            portrait = modality.label == "face"
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
            notes=_notes(self._why_no_lesion(routing, quality), faces),
            accuracy=verdict.accuracy,
            accuracy_reason=verdict.accuracy_reason,
            overlays=overlays,
        )

    def _cards(self) -> tuple[ModelCard, ...]:
        """Of the models that take part."""
        if self._lesions:
            return self._models.cards
        return tuple(card for card in self._models.cards if card.name != self._models.classifier.spec.name)

    def _why_no_lesion(self, routing: kinds.Routing, quality: Quality) -> str | None:
        if not self._lesions and routing.skin:
            return None
        return routing.note or (None if quality.usable else _TOO_LITTLE_FOR_A_LESION)

    def _look_up(self, request: CaseRequest, deadline: Deadline, clock: _StageClock) -> Retrieval:
        with clock.stage("encode"):
            vectors = self._models.encoder.embed([photo.rgb for photo in request.photos], deadline)
        with clock.stage("search"):
            return self._searcher.search(vectors, request.k)

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

    def _zones(self, photo: Photo, faces: list[Face]) -> tuple[Zone, ...]:
        """Zones of the most certain face whose landmarks can be placed."""
        detector = self._models.faces
        if detector is None:
            return ()
        height, width = photo.rgb.shape[:2]
        for face in faces:
            landmarks = detector.landmarks(photo.rgb, face)
            if landmarks is not None:
                return face_zones(landmarks, width, height)
        return ()


def _with_decoding(quality: Quality, photo: Photo) -> Quality:
    """``quality`` with what decoding found out about the photo."""
    problems = (*photo.problems, *quality.problems)
    return replace(quality, problems=problems, colours=quality.colours and photo.true_colours)


def _is_scored(modality: Modality) -> bool:
    """Whether an index's population consists of such photos. A close-up can look like a dermatoscope's: only what
    was stated to be one is left out."""
    return modality.label not in ("face", NOT_SKIN) and modality.stated != "dermatoscopic"


def _notes(note: str | None, faces: list[Face] | None) -> tuple[str, ...]:
    """What the answer says in words: why a part is missing, and of whom it speaks."""
    notes = () if note is None else (note,)
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
