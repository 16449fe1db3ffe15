"""Files on disk → models that have proved themselves on the golden image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ml import registry
from ml.backends.base import Backend
from ml.classifier import LesionClassifier
from ml.encoder import Encoder
from ml.errors import ArtifactError
from ml.golden import golden_image, probabilities_agree, vectors_agree
from ml.spec import ModelSpec
from ml.store import ModelManifest, ModelStore
from ml.values import ModelCard, Patient

if TYPE_CHECKING:
    from ml.faces import FaceDetector

#: a second file that the face part needs beside the served one
LANDMARK_FILE = "face_landmark.tflite"


@dataclass(frozen=True)
class Models:
    """Loaded models. ``faces`` is None where face isolation is switched off."""

    encoder: Encoder
    classifier: LesionClassifier
    faces: FaceDetector | None
    cards: tuple[ModelCard, ...]


def check_models(models_dir: Path, names: Iterable[str]) -> None:
    """Verify the served files of each named model. No framework is imported. Raises ArtifactError."""
    for name in names:
        ModelStore(models_dir).verify(registry.find(name), sources=False)


def load_models(
    models_dir: Path,
    *,
    encoder: str,
    classifier: str,
    faces: bool,
    threads: int,
    callers: int = 2,
    gpu: bool = False,
) -> Models:
    """Load, warm and check the models.

    ``threads`` is the number of intra-op threads of each framework; ``callers`` how many analyses may run at once.
    Raises ArtifactError if a file, a signature or an answer to the golden image is not what it should be.
    """
    store = ModelStore(models_dir)
    cv2.setNumThreads(threads)
    _configure_tensorflow(threads, callers, gpu)
    loaded_encoder = load_encoder(models_dir, encoder, threads=threads, gpu=gpu)
    loaded_classifier = _load_classifier(store, registry.find(classifier, "classifier"))
    detector = _load_faces(store) if faces else None
    cards = [
        _card(loaded_encoder.spec, loaded_encoder.backend),
        _card(loaded_classifier.spec, loaded_classifier.backend),
    ]
    if detector is not None:
        spec = registry.MEDIAPIPE_FACE
        cards.append(ModelCard(spec.name, spec.version, spec.framework, spec.runtime, spec.licence))
    return Models(loaded_encoder, loaded_classifier, detector, tuple(cards))


def load_encoder(models_dir: Path, name: str, *, threads: int, gpu: bool = False) -> Encoder:
    """The encoder alone, as the index builder needs it. Raises ArtifactError."""
    store, spec = ModelStore(models_dir), registry.find(name, "encoder")
    manifest = store.verify(spec, sources=False)
    encoder = Encoder(spec, _encoder_backend(spec, store.served(spec), threads, gpu), manifest.fingerprint)
    vector = encoder.embed([golden_image()])[0]
    if manifest.golden is not None and not vectors_agree(vector, np.array(manifest.golden, np.float32)):
        raise _not_golden(spec)
    return encoder


def _encoder_backend(spec: ModelSpec, path: Path, threads: int, gpu: bool) -> Backend:
    if spec.runtime == "torch-export":
        from ml.backends.torch_backend import TorchExportBackend

        return TorchExportBackend(path, threads=threads, gpu=gpu)
    from ml.backends.tensorflow_backend import ExampleModelBackend

    return ExampleModelBackend(path, inputs=("inputs",), output="embedding")


def _configure_tensorflow(threads: int, callers: int, gpu: bool) -> None:
    from ml.backends.tensorflow_backend import configure

    configure(threads, callers, gpu)


def _load_classifier(store: ModelStore, spec: ModelSpec) -> LesionClassifier:
    from ml.backends.tensorflow_backend import SavedModelBackend

    manifest: ModelManifest = store.verify(spec, sources=False)
    backend = SavedModelBackend(store.served(spec), inputs=("image", "metadata"), output="probabilities")
    classifier = LesionClassifier(spec, backend)
    found = classifier.probabilities([golden_image()], Patient())[0]
    if manifest.golden is not None and not probabilities_agree(found, np.array(manifest.golden, np.float32)):
        raise _not_golden(spec)
    return classifier


def _load_faces(store: ModelStore) -> FaceDetector:
    from ml.faces import FaceDetector

    spec = registry.MEDIAPIPE_FACE
    store.verify(spec, sources=False)
    return FaceDetector(store.served(spec), store.folder(spec) / LANDMARK_FILE)


def _card(spec: ModelSpec, backend: Backend) -> ModelCard:
    return ModelCard(spec.name, spec.version, spec.framework, f"{backend.framework} {backend.version}", spec.licence)


def _not_golden(spec: ModelSpec) -> ArtifactError:
    return ArtifactError(
        f"{spec.name} {spec.version} does not reproduce its golden output on this machine. "
        f"Fetch it again: python -m ml fetch {spec.name} --force"
    )
