"""A pipeline whose models answer at once and write down what they were asked, and photos to send through it."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from ml.analysis.pipeline import Analyzer, CaseRequest
from ml.deadline import Deadline
from ml.models.encoder import Head, HeadSet
from ml.models.faces import Face
from ml.models.kinds import KindOfPhoto
from ml.models.lesion_views import Views
from ml.models.loading import Models
from ml.models.registry import SKLESION
from ml.values import (
    Analysis,
    Condition,
    IndexInfo,
    Lesion,
    ModelCard,
    Patient,
    Photo,
    Prediction,
    Retrieval,
    SimilarCase,
    Vectors,
)
from tests.unit.ml.skin_images import MONK, flushed, skin_patch

INFO = IndexInfo("made", "made by a test", False, 2, 3, 4, "2026-01-01", {"licence": "none"})
CASE = SimilarCase("-5", 0.9, ("/api/cases/-5/0",), {"Eczema": 1.0}, {}, {}, {}, ("arm",), None, None)
CONDITION = Condition("Eczema", "L30.9", 1.0, "high", ("-5",))
LESION = Lesion("made", (Prediction("nv", "Melanocytic nevus", "D22.9", 1.0),), 0.0, "none", "none")
SKIN = Photo(flushed(skin_patch(MONK[5], 160, 200)), 800, 640, "JPEG")
OTHER = Photo(flushed(skin_patch(MONK[5], 160, 200, seed=1)), 800, 640, "JPEG")
GREY = Photo(np.repeat(SKIN.rgb[..., :1], 3, axis=2), 800, 640, "JPEG")
FLAT = Photo(np.full((160, 200, 3), 90, np.uint8), 800, 640, "JPEG")


#: what the heads say of a photo of each kind: skin, dermatoscopic, lesion
KINDS = {
    "dermatoscopic": (0.99, 0.99, 0.9),
    "lesion_close_up": (0.99, 0.01, 0.9),
    "close_up": (0.99, 0.01, 0.1),
    "not_skin": (0.01, 0.01, 0.1),
}


def kinds_of(kind: str) -> KindOfPhoto:
    """Heads that take every photo for ``kind``."""
    told = zip(("skin", "dermatoscopic", "lesion"), KINDS[kind], strict=True)
    heads = {name: Head(np.zeros(4), float(np.log(p / (1 - p))), 0.5) for name, p in told}
    return KindOfPhoto(HeadSet("made", "0", heads))


def face(score: float) -> Face:
    """A face whose eyes, nose and mouth are where ``round_mesh`` has them."""
    mesh = round_mesh()[:, :2]
    points = [mesh[list(same)].mean(axis=0) for same in ((33, 133), (263, 362), (1,), (13, 14), (234,), (454,))]
    return Face((60.0, 40.0, 140.0, 120.0), np.array(points, np.float32), score)


def round_mesh() -> np.ndarray:
    """468 landmarks on a circle in the middle of the photo."""
    turn = np.linspace(0, 2 * np.pi, 468, endpoint=False)
    return np.stack([100 + 40 * np.cos(turn), 80 + 40 * np.sin(turn), 0 * turn], axis=1).astype(np.float32)


class PhoneParts:
    """A model for phone photos of a lesion, writing down what it was asked."""

    card = ModelCard("phone-lesions", "1", "numpy", "numpy 1", "none")

    def __init__(self, calls: list[tuple[str, Any]]) -> None:
        self.calls = calls

    def classify(self, views: Views, patient: Patient) -> Lesion:
        self.calls.append(("phone lesions", len(views)))
        nevus = (Prediction("nev", "Melanocytic nevus", "D22.9", 1.0),)
        return Lesion("phone-lesions", nevus, 0.0, "none", "none", input="phone")

    def probabilities(self, views: Views, patient: Patient) -> np.ndarray:
        return np.full((len(views), 6), 1 / 6)


class Parts:
    """Encoder, classifier, face detector and searcher in one, writing down who was asked for what."""

    version = "1"

    def __init__(
        self,
        faces: Sequence[Face] = (),
        *,
        info: IndexInfo = INFO,
        meshes: Sequence[Any] = (),
        large: dict[int, list[Face]] | None = None,
        turned: dict[int, list[Face]] | None = None,
        kind: str = "dermatoscopic",
    ) -> None:
        self.kind = kind
        self.found = list(faces)
        self.large = large or {}
        self.found_turned = turned or {}
        self.info = info
        self.meshes = list(meshes)
        self.calls: list[tuple[str, Any]] = []
        self.embedded: list[np.ndarray] = []
        self.spec = SimpleNamespace(name="made")
        self.output = SKLESION.lesion

    def embed(self, photos: Sequence[np.ndarray], deadline: Deadline) -> Vectors:
        self.calls.append(("encode", len(photos)))
        self.embedded = list(photos)
        return np.eye(len(photos), 4, dtype=np.float32)

    def search(self, views: Vectors, k: int) -> Retrieval:
        self.calls.append(("search", (views.shape, k)))
        return Retrieval((CASE,), (CONDITION,))

    def classify(
        self, photos: Sequence[np.ndarray], patient: Patient, deadline: Deadline, *, thorough: bool = False
    ) -> Lesion:
        self.calls.append(("classify, thorough" if thorough else "classify", (len(photos), patient)))
        return LESION

    def similarities(self, views: Vectors, case_ids: Sequence[str]) -> np.ndarray:
        self.calls.append(("similarities", tuple(case_ids)))
        return np.full((len(views), len(case_ids)), 0.5, np.float32)

    def predict(self, photos: Sequence[np.ndarray], patient: Patient, deadline: Deadline) -> np.ndarray:
        deadline.check("classify")
        self.calls.append(("predict", patient))
        return np.array([np.eye(7)[5] * photo.mean() / 255 for photo in photos], np.float32)

    def detect(self, photo: np.ndarray, small: np.ndarray, turns: int = 0) -> list[Face]:
        if turns == 0:
            self.calls.append(("faces", photo.shape))
            return self.found
        self.calls.append(("faces, turned", turns))
        return self.found_turned.get(turns, [])

    def detect_large(self, photo: np.ndarray, small: np.ndarray) -> tuple[list[Face], ...]:
        self.calls.append(("large faces", photo.shape))
        return tuple(self.large.get(turns, []) for turns in range(4))

    def landmarks(self, photo: np.ndarray, where: Face) -> np.ndarray | None:
        self.calls.append(("landmarks", where.score))
        return self.meshes.pop(0)

    def analyzer(self, *, faces: bool = True, measurements: bool = True, lesions: bool = True) -> Analyzer:
        return Analyzer(self.models(faces=faces), self, measurements=measurements, lesions=lesions)

    def models(self, *, faces: bool = True) -> Models:
        cards = (ModelCard("made", "1", "numpy", "numpy 1", "none"),)
        detector, phone = self if faces else None, PhoneParts(self.calls)
        return Models(self, self, detector, cards, kinds_of(self.kind), self, phone)  # type: ignore[arg-type]

    def asked(self) -> list[str]:
        return [name for name, _ in self.calls]


def analyze(
    parts: Parts,
    *photos: Photo,
    faces: bool = True,
    measurements: bool = True,
    lesions: bool = True,
    **request: Any,
) -> Analysis:
    analyzer = parts.analyzer(faces=faces, measurements=measurements, lesions=lesions)
    return analyzer.analyze(CaseRequest(photos or (SKIN,), **request), Deadline(60))


class StopsAt(Deadline):
    """A deadline that passes just before its ``n``-th check."""

    def __init__(self, n: int) -> None:
        super().__init__(300)
        self._left = n

    def remaining(self) -> float:
        self._left -= 1
        return 1.0 if self._left >= 0 else 0.0
